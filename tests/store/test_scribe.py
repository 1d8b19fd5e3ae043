"""The scribe on both engines: groups, failures, commits of unknown fate. Behind each, memory equals the database."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from plimsoll.ledger import keys, queries
from plimsoll.ledger.books import write_meta
from plimsoll.ledger.log import Note, tell, write_note
from plimsoll.ledger.schema import events, metadata
from plimsoll.model.event import Event, EventKind
from plimsoll.model.order import OrderEvent, Side
from plimsoll.store.connection import CommitUnclear, Question, StoreFailed, WriterConnection
from plimsoll.store.draft import Brought, Cell, Draft, Row
from plimsoll.store.place import Place, reader, writer
from plimsoll.store.scribe import HEADS, Heads, Unit
from plimsoll.store.sqlite import SqliteWriter
from tests.builders.ledger import (
    ACCOUNT,
    NOON,
    SPOT,
    Books,
    assert_hot_equals_database,
    booking,
    books_at,
    buy,
    client_order_id,
    paying,
    placing,
)


class Unlucky:
    """The real connection, with one accident planned."""

    def __init__(self, writer: WriterConnection) -> None:
        self.writer = writer
        self.fail_begin = False
        self.fail_rollback = False
        self.fail_reopen = False
        #: `before` or `after` the real COMMIT.
        self.fail_commit = ""
        self.begun = 0

    def begin(self) -> None:
        self.begun += 1
        if self.fail_begin:
            raise StoreFailed("cannot begin a transaction: database is locked")
        self.writer.begin()

    def add(self, table: str, rows: Sequence[Row]) -> None:
        self.writer.add(table, rows)

    def replace(self, table: str, rows: Sequence[Row]) -> None:
        self.writer.replace(table, rows)

    def change(self, table: str, rows: Sequence[Row]) -> None:
        self.writer.change(table, rows)

    def bring(self, piece: Brought) -> None:
        self.writer.bring(piece)

    def find(self, query: str, parameters: Sequence[Cell]) -> list[Row]:
        return self.writer.find(query, parameters)

    def forget(self, statement: str, calls: Sequence[Row]) -> None:
        self.writer.forget(statement, calls)

    def find_ahead(self, questions: Sequence[Question]) -> Mapping[Question, list[Row]]:
        return self.writer.find_ahead(questions)

    def commit(self) -> None:
        planned, self.fail_commit = self.fail_commit, ""
        if planned == "before":
            raise CommitUnclear("COMMIT: disk I/O error")
        self.writer.commit()
        if planned == "after":
            raise CommitUnclear("COMMIT: no answer")

    def rollback(self) -> None:
        if self.fail_rollback:
            self.fail_rollback = False
            raise StoreFailed("cannot roll back: disk I/O error")
        self.writer.rollback()

    def reopen(self) -> None:
        if self.fail_reopen:
            raise StoreFailed("cannot open: disk I/O error")
        self.writer.reopen()

    def close(self) -> None:
        self.writer.close()


def writer_of(place: Place) -> WriterConnection:
    return writer(place, metadata, queries.compiled(place.dialect))


@pytest.fixture
def books(place: Place) -> Iterator[Books]:
    books = Books(writer_of(place)).open()
    yield books
    books.close()


@pytest.fixture
def unlucky(place: Place) -> Iterator[Books]:
    """Books on a connection that fails when told to."""
    books = Books(Unlucky(writer_of(place))).open()
    yield books
    books.close()


def connection_of(books: Books) -> Unlucky:
    assert isinstance(books.connection, Unlucky)
    return books.connection


def heads(books: Books) -> Heads:
    found: Heads = books.get(HEADS)
    return found


def raising(draft: Draft) -> None:
    paying("5", "lost")(draft)
    raise ValueError("a unit of its own mistake")


def doubled(draft: Draft) -> None:
    """Write a user under the name of another: the database refuses the row."""
    draft.replace("users", 2, (2, "u-2", "Ada", "trader", 1, 1, None, None, None, None))


def amount(books: Books) -> str:
    return str(books.balance("spot", "USDT"))


def test_a_group_is_one_commit_and_later_units_see_earlier_ones(books: Books) -> None:
    """The second deposit adds to the first, which is not committed yet."""
    before = heads(books)
    assert books.together(paying("10", "a"), paying("5", "b"), paying("10", "a")) == [True, True, False]
    assert amount(books) == "15"
    assert heads(books).group == before.group + 1
    assert_hot_equals_database(books)


def test_a_unit_that_raises_loses_its_own_draft_and_nobody_elses(books: Books) -> None:
    """Its rows, its ids and its link are gone; its neighbours are committed."""
    first, middle, last = books.together(paying("10", "a"), raising, paying("5", "b"))
    assert (first, last) == (True, True)
    assert isinstance(middle, ValueError)
    assert amount(books) == "15"
    assert books.get(("id", "cash_lines")) == 2, "the id that the failed unit took was given again"
    assert_hot_equals_database(books)


def test_a_refused_row_fails_its_unit_alone(books: Books) -> None:
    """The group is rolled back and each unit runs alone."""
    first, middle, last = books.together(paying("10", "a"), doubled, paying("5", "b"))
    assert (first, last) == (True, True)
    assert isinstance(middle, StoreFailed)
    assert "users" in str(middle)
    assert "name" in str(middle)
    assert amount(books) == "15"
    assert_hot_equals_database(books)


def test_a_row_for_no_table_fails_its_unit_alone(books: Books) -> None:
    """A bug in one unit does not leave a transaction open for the others to fall over."""
    first, middle, last = books.together(
        paying("10", "a"), lambda draft: draft.add("no_such_table", (1,)), paying("5", "b")
    )
    assert (first, last) == (True, True)
    assert "every row goes to a table" in str(middle)
    assert amount(books) == "15"
    assert_hot_equals_database(books)


def test_a_number_beyond_the_database_fails_its_unit_alone(books: Books) -> None:
    """On SQLite the driver raises an error of its own, not one of the database's."""
    too_large = 2**70
    first, middle, last = books.together(
        paying("10", "a"),
        lambda draft: draft.replace("trade_cursors", 1, (ACCOUNT.id, too_large)),
        paying("5", "b"),
    )
    assert (first, last) == (True, True)
    assert isinstance(middle, OverflowError | StoreFailed)
    assert_hot_equals_database(books)


def test_a_group_that_cannot_begin_fails_whole_and_at_once(unlucky: Books) -> None:
    """No row is to blame, so nobody is asked to try alone; the next group is served."""
    connection = connection_of(unlucky)
    connection.fail_begin, connection.begun = True, 0
    answers = unlucky.together(*(paying("1", f"r{number}") for number in range(5)))
    assert [type(answer) for answer in answers] == [StoreFailed] * 5
    assert connection.begun == 1
    connection.fail_begin = False
    assert unlucky.write(paying("1", "r0")) is True
    assert amount(unlucky) == "1"
    assert_hot_equals_database(unlucky)


def test_a_commit_that_did_not_happen_fails_every_unit(unlucky: Books) -> None:
    """Nothing of it is in memory or on disk; the same deposit can be made again."""
    unlucky.write(paying("10", "a"))
    connection_of(unlucky).fail_commit = "before"
    answers = unlucky.together(paying("5", "b"), raising, paying("7", "c"))
    assert [type(answer) for answer in answers] == [StoreFailed, ValueError, StoreFailed]
    assert amount(unlucky) == "10"
    assert_hot_equals_database(unlucky)
    assert unlucky.write(paying("5", "b")) is True
    assert_hot_equals_database(unlucky)


def test_a_commit_that_happened_without_an_answer_stands(unlucky: Books) -> None:
    """The group counter proves it: the callers get their answers, and so do the followers."""
    told: list[Mapping[Any, Any]] = []
    unlucky.scribe.followers.append(told.append)
    connection_of(unlucky).fail_commit = "after"
    assert unlucky.together(paying("5", "b"), paying("7", "c")) == [True, True]
    assert amount(unlucky) == "12"
    assert len(told) == 1
    assert_hot_equals_database(unlucky)


def test_nobody_is_served_from_a_memory_that_could_not_be_read_back(unlucky: Books) -> None:
    """The commit is unclear and the database gone: nobody hears yes or no, and no unit runs until it can be read."""
    unlucky.write(paying("10", "a"))
    connection = connection_of(unlucky)
    connection.fail_commit, connection.fail_reopen = "after", True
    (answer,) = unlucky.together(paying("5", "b"))
    assert isinstance(answer, CommitUnclear)
    assert not isinstance(answer, StoreFailed), "a StoreFailed promises that nothing was written"
    assert "may have happened" in str(answer)
    assert amount(unlucky) == "10", "who only reads sees what was true before"
    with pytest.raises(StoreFailed):
        unlucky.write(paying("7", "c"))
    connection.fail_reopen = False
    assert unlucky.write(paying("5", "b")) is False, "the unclear commit had happened: the reference counts once"
    assert amount(unlucky) == "15"
    assert_hot_equals_database(unlucky)


def test_a_rollback_that_fails_makes_the_next_group_start_over(unlucky: Books) -> None:
    """The open transaction goes with its connection."""
    connection_of(unlucky).fail_rollback = True
    (answer,) = unlucky.together(doubled)
    assert isinstance(answer, StoreFailed)
    assert unlucky.write(paying("5", "b")) is True
    assert amount(unlucky) == "5"
    assert_hot_equals_database(unlucky)


class Forgetful(Unlucky):
    """A connection of which a bug makes the commit raise what no port promises, after the real one."""

    def commit(self) -> None:
        super().commit()
        if self.fail_commit_with is not None:
            error, self.fail_commit_with = self.fail_commit_with, None
            raise error

    fail_commit_with: Exception | None = None


def test_a_bug_behind_the_commit_reaches_every_caller(place: Place) -> None:
    """Nobody waits for ever, and memory is read anew before the next unit runs."""
    connection = Forgetful(writer_of(place))
    books = Books(connection).open()
    connection.fail_commit_with = ZeroDivisionError("a bug of ours")
    answers = books.together(paying("5", "b"), paying("7", "c"))
    assert [type(answer) for answer in answers] == [ZeroDivisionError] * 2
    assert books.write(paying("5", "b")) is False, "it was committed, and memory knows"
    assert amount(books) == "12"
    assert_hot_equals_database(books)
    books.close()


def test_followers_are_told_behind_the_answers(books: Books) -> None:
    """They see what the group changed; a group that changed nothing tells nothing."""
    told: list[Mapping[Any, Any]] = []
    books.scribe.followers.append(told.append)
    books.together(paying("10", "a"), lambda draft: draft.get(HEADS))
    books.write(lambda draft: draft.get(HEADS))
    assert [changes[HEADS].event for changes in told] == [1]


def test_a_unit_that_only_reads_commits_nothing(books: Books) -> None:
    before = heads(books)
    assert books.write(lambda draft: draft.get(keys.account(ACCOUNT.id))) == ACCOUNT
    assert heads(books) == before


def test_what_lives_in_memory_only_is_kept_without_a_commit(books: Books) -> None:
    """A unit may change memory and write no row."""
    before = heads(books)
    books.write(lambda draft: draft.put(keys.recent_slot(ACCOUNT.id), 1))
    assert books.get(keys.recent_slot(ACCOUNT.id)) == 1
    assert heads(books) == before


def test_a_unit_may_have_something_to_tell_and_nothing_to_write(books: Books) -> None:
    """An incident is numbered and noted though no row of its unit's own goes with it."""
    before = heads(books)

    def incident(draft: Draft) -> None:
        tell(draft, Event(EventKind.BREAK_FOUND, ACCOUNT.id, NOON, {"what": "something"}))

    books.write(incident)
    books.write(lambda draft: write_note(draft, Note(ACCOUNT.id, "user:1", "LOGIN", "USER", "1", NOON, {})))
    assert heads(books) == Heads(before.group + 2, before.event + 1)
    assert_hot_equals_database(books)


def test_the_overlay_shows_a_unit_its_own_changes_over_its_groups_over_the_published(books: Books) -> None:
    """By key and by shelf; a hidden value is hidden for the units after it."""
    books.write(lambda draft: write_meta(draft, "a", "published"))
    seen: list[list[Any]] = []

    def look(draft: Draft) -> None:
        seen.append([draft.get(keys.meta("a")), draft.get(keys.meta("b")), *draft.shelf("meta", "a")])

    def change(draft: Draft) -> None:
        write_meta(draft, "a", "grouped")
        write_meta(draft, "b", "new")
        look(draft)

    def hide(draft: Draft) -> None:
        draft.put(keys.meta("a"), None)
        look(draft)

    books.together(look, change, look, hide, look)
    assert seen == [
        ["published", None, "published"],
        ["grouped", "new", "grouped"],
        ["grouped", "new", "grouped"],
        [None, "new"],
        [None, "new"],
    ]


def test_keys_of_a_shelf_are_those_that_were_published(books: Books) -> None:
    """A unit that tidies up sees what earlier groups left; hiding what was never there is no harm."""
    books.write(lambda draft: draft.put(("note", 1, "a"), "text"))
    assert books.write(lambda draft: draft.shelf_keys("note", 1)) == [("note", 1, "a")]
    books.write(lambda draft: draft.put(("note", 1, "a"), None))
    books.scribe.hot._layer.remove([("never", "was")])
    assert books.write(lambda draft: draft.shelf_keys("note", 1)) == []


def test_an_ended_order_is_seen_by_its_group_and_leaves_memory_with_the_commit(books: Books) -> None:
    """`put_fleeting`: the database keeps it, and a later unit finds it there."""
    order = books.place("k1", SPOT, Side.BUY, "1")
    key = keys.order(ACCOUNT.id, order.client_order_id)
    seen: list[str] = []

    def look(draft: Draft) -> None:
        seen.append(draft.get(key).state)

    filled = buy(SPOT, "1", "100", client_order_id=order.client_order_id)
    books.together(booking(filled), look)
    assert seen == ["FILLED"]
    assert books.get(key) is None
    assert books.scribe.hot.shelf(keys.ORDER, ACCOUNT.id) == []
    assert_hot_equals_database(books)


def test_ids_count_on_after_a_restart(place: Place) -> None:
    """And a failed group gives its ids back."""
    books = Books(writer_of(place)).open()
    books.together(paying("1", "a"), raising, paying("1", "b"))
    books.close()
    again = Books(writer_of(place))
    assert again.write(lambda draft: draft.next_id("cash_lines")) == 3
    assert again.get(HEADS).group == 2
    again.close()


def test_find_sees_what_is_committed_and_find_with_group_what_is_written(books: Books) -> None:
    """The rare unit that refolds needs the rows of the units before it."""
    found: list[tuple[int, int]] = []

    def look(draft: Draft) -> None:
        where = (ACCOUNT.id, "a", "DEPOSIT")
        committed = len(draft.find("cash_line_by_reference", *where))
        found.append((committed, len(draft.find_with_group("cash_line_by_reference", *where))))

    books.together(paying("1", "a"), look)
    books.together(look)
    assert found == [(0, 1), (1, 1)]
    assert_hot_equals_database(books)


def test_a_row_written_early_for_a_refold_is_rolled_back_with_its_group(books: Books) -> None:
    """`find_with_group` writes before the end; a refused row later undoes that too."""

    def look(draft: Draft) -> int:
        return len(draft.find_with_group("cash_line_by_reference", ACCOUNT.id, "a", "DEPOSIT"))

    first, second, third = books.together(paying("1", "a"), look, doubled)
    assert (first, second, type(third)) == (True, 1, StoreFailed)
    assert amount(books) == "1"
    assert_hot_equals_database(books)


def test_a_row_refused_when_another_unit_needs_it_written_fails_its_own_unit(books: Books) -> None:
    """`find_with_group` writes everybody's rows: who asked is not to blame, and nobody's rows are lost with it."""

    def look(draft: Draft) -> int:
        return len(draft.find_with_group("cash_line_by_reference", ACCOUNT.id, "a", "DEPOSIT"))

    too_large = 2**70
    first, culprit, asker, last = books.together(
        paying("10", "a"),
        lambda draft: draft.replace("trade_cursors", 1, (ACCOUNT.id, too_large)),
        look,
        paying("5", "b"),
    )
    assert (first, asker, last) == (True, 1, True)
    assert isinstance(culprit, OverflowError | StoreFailed)
    assert amount(books) == "15"
    assert_hot_equals_database(books)


def test_what_is_kept_no_longer_goes_behind_what_its_group_writes(books: Books, place: Place) -> None:
    """And comes back with the group that is rolled back."""
    books.together(paying("1", "a"), paying("1", "b"))
    books.together(lambda draft: draft.forget("forget_events", 2), doubled, paying("1", "c"))
    with reader(place).connect() as connection:
        assert connection.execute(select(events.c.number)).scalars().all() == [3]
    assert isinstance(
        books.together(lambda draft: draft.forget("forget_events", 2**70))[0], OverflowError | StoreFailed
    )
    with reader(place).connect() as connection:
        assert connection.execute(select(events.c.number)).scalars().all() == [3]
    assert_hot_equals_database(books)


def test_books_that_are_closed_stay_closed(place: Place) -> None:
    """A lost connection is opened anew; a closed one is not: somebody else may own the books by now."""
    books = Books(writer_of(place)).open()
    books.close()
    for _ in range(2):
        with pytest.raises(StoreFailed, match="closed"):
            books.write(paying("10", "a"))
    again = Books(writer_of(place))
    assert amount(again) == "0"
    again.close()


def test_a_failing_search_fails_its_unit_alone(books: Books) -> None:
    """A question that the database cannot answer is no answer."""
    first, second = books.together(paying("1", "a"), lambda draft: draft.find("cash_line_by_reference", "too", "few"))
    assert first is True
    assert isinstance(second, StoreFailed)
    assert_hot_equals_database(books)


def test_a_replaced_row_reaches_the_disk_once_a_group(books: Books) -> None:
    """Of several states of one thing only the last is written."""
    order = books.place("k1", SPOT, Side.BUY, "3", reserved="300")
    name = client_order_id("k1")
    fills = [buy(SPOT, "1", "100", number, client_order_id=name) for number in (1, 2)]
    books.together(*(booking(report) for report in fills))
    stored = books.connection.find("order_by_client_id", (ACCOUNT.id, order.client_order_id))
    assert len(stored) == 1
    assert books.get(keys.order(ACCOUNT.id, name)).filled_quantity == 2
    assert_hot_equals_database(books)


def test_units_wait_in_line_and_a_step_takes_no_more_than_it_may(books: Books) -> None:
    units: list[Unit] = [paying("1", f"r{number}") for number in range(3)]
    answers: list[Any] = []
    for unit in units:
        books.scribe.submit(unit, lambda value, _error: answers.append(value))
    assert books.scribe.waiting == 3
    for deliver in books.scribe.step(2):
        deliver()
    assert (answers, books.scribe.waiting) == ([True, True], 1)
    assert [deliver() for deliver in books.scribe.step(2)] == [None]
    assert books.scribe.step(2) == []


def test_a_whole_story_leaves_memory_equal_to_the_database(books: Books) -> None:
    """Orders placed, filled, cancelled, refused; money in; in groups with a failure among them."""
    names = [client_order_id(key) for key in ("a", "b", "c")]
    books.together(
        paying("1000", "deposit"),
        placing("a", SPOT, Side.BUY, "2", reserved="200"),
        raising,
        placing("b", SPOT, Side.SELL, "1", reserved="0.5"),
        booking(buy(SPOT, "1", "100", 1, client_order_id=names[0])),
        placing("c", SPOT, Side.SELL, "1", price=None, reduce_only=True),
        doubled,
    )
    assert_hot_equals_database(books)
    books.hear(books.get(keys.order(ACCOUNT.id, names[1])), OrderEvent.OUTCOME_LOST)
    assert_hot_equals_database(books)
    books.hear(books.get(keys.order(ACCOUNT.id, names[0])), OrderEvent.CANCELED)
    assert_hot_equals_database(books)
    assert books.get(keys.pending(ACCOUNT.id, SPOT.id)).unknown == 1


def test_rolling_back_really_rolls_back(tmp_path: Path) -> None:
    """The SAVEPOINT trap: Python's module opens no transaction before one, and the inner commit survives."""
    path = tmp_path / "trap.db"
    trapped = sqlite3.connect(path)
    trapped.execute("CREATE TABLE t (x)")
    trapped.execute("SAVEPOINT inner")
    trapped.execute("INSERT INTO t VALUES (1)")
    trapped.execute("RELEASE inner")
    trapped.rollback()
    trapped.close()
    seen = sqlite3.connect(path)
    assert seen.execute("SELECT count(*) FROM t").fetchone() == (1,), "the trap is still there"
    seen.close()

    writer = books_at(tmp_path / "desk.db").connection
    assert isinstance(writer, SqliteWriter)
    writer.begin()
    writer.replace("meta", [("kept", "no")])
    writer.rollback()
    assert writer.find("all_meta", ()) == []
    writer.rollback()  # harmless when there is nothing to undo
    writer.close()
