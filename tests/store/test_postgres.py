"""PostgreSQL itself: what is refused, who is killed, which answer is lost, and what a reader sees."""

import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from signal import SIGCONT, SIGQUIT, SIGSTOP
from typing import Any

import psycopg
import pytest
from sqlalchemy import Column, MetaData, Table, create_engine, insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from plimsoll.ledger import queries, schema
from plimsoll.ledger.books import write_meta
from plimsoll.ledger.database import open_database
from plimsoll.ledger.schema import metadata
from plimsoll.ledger.trades import question
from plimsoll.store.columns import Exact, Utc, Whole, Words
from plimsoll.store.connection import CommitUnclear, DriverMissing, StoreFailed, StoreGone
from plimsoll.store.draft import Cell, Draft, Row
from plimsoll.store.place import Place, PostgresPlace, SqlitePlace, reader, writer
from plimsoll.store.postgres import GROWN, PostgresWriter, connect
from plimsoll.store.scribe import HEADS, Asking, Heads
from plimsoll.store.statements import array_text, change_many_sql, select_as_stored
from tests.builders.ledger import NOON, SPOT, Books, assert_hot_equals_database, booking, buy, paying
from tests.builders.postgres import PASSWORD, ROLE, Cluster, Relay, running_cluster

THINGS = Table(
    "things",
    MetaData(),
    Column("id", Whole, primary_key=True, autoincrement=False),
    Column("words", Words),
    Column("amount", Exact),
    Column("at", Utc),
)
THINGS.info["changing"] = ("words", "amount")
THINGS_QUERIES = {"sqlite": {"all": "SELECT * FROM things ORDER BY words, id"}}
THINGS_QUERIES["postgresql"] = THINGS_QUERIES["sqlite"]


@pytest.fixture
def tables(postgres_cluster: Cluster) -> Iterator[PostgresPlace]:
    """Give this release's empty tables."""
    with postgres_cluster.copy_of("migrated", open_database) as given:
        yield given


@pytest.fixture
def books(tables: PostgresPlace) -> Iterator[Books]:
    books = books_in(tables).open()
    yield books
    books.close()


def books_in(place: PostgresPlace) -> Books:
    return Books(writer(place, metadata, queries.compiled("postgresql")))


def writer_of(books: Books) -> PostgresWriter:
    assert isinstance(books.connection, PostgresWriter)
    return books.connection


def by_hand(place: PostgresPlace) -> "closing[psycopg.Connection[Row]]":
    """Sit at the server's own console."""
    return closing(connect(place))


def kill_session(books: Books, cluster: Cluster) -> None:
    """End the desk's session from outside, and see it gone."""
    process = writer_of(books)._connection.info.backend_pid
    with psycopg.connect(cluster.superuser_url, autocommit=True) as connection:
        assert connection.execute("SELECT pg_terminate_backend(%s, 5000)", (process,)).fetchone() == (True,)


def heads(books: Books) -> Heads:
    found: Heads = books.get(HEADS)
    return found


# Cells ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def things(empty_place: Place) -> Iterator[tuple[Place, Any]]:
    """Give a table of every type of ours on either engine, and its writer."""
    if isinstance(empty_place, SqlitePlace):
        engine = create_engine(f"sqlite:///{empty_place.path}", poolclass=NullPool)
    else:
        there = empty_place
        engine = create_engine("postgresql+psycopg://", creator=lambda: connect(there), poolclass=NullPool)
    with engine.begin() as connection:
        THINGS.create(connection)
    engine.dispose()
    writing = writer(empty_place, THINGS.metadata, THINGS_QUERIES[empty_place.dialect])
    yield empty_place, writing
    writing.close()


ODD_ROWS: list[Row] = [
    (2**63 - 1, 'a "quoted" word', "0.000000000000000001", "0001-01-01T00:00:00.000000Z"),
    (-(2**63), "back\\slash {in, braces}", "-99999999999999999999.999999999999999999", "9999-12-31T23:59:59.999999Z"),
    (0, "", "0", "2022-01-21T10:05:00.000000Z"),
    (1, "NULL", "100", "2022-01-21T10:05:00.000001Z"),
    (2, "Ünï©ode 漢字 🚢\n\tand a line", "-0.1", "2022-01-21T10:05:00.100000Z"),
    (3, None, None, None),
    (4, "null", "12345678901234567890", "1969-12-31T23:59:59.999999Z"),
    (5, "%s {} $1 ' ; --", "1.000000000000000001", "2022-06-30T12:00:00.120000Z"),
]


def test_every_cell_comes_back_as_it_went_in(things: tuple[Place, Any]) -> None:
    """On both engines the same text, added, replaced or changed; sorted by its bytes."""
    place, connection = things
    connection.begin()
    connection.add("things", ODD_ROWS[:4])
    connection.replace("things", [(4, "before", "1", None), (2, "before", None, None)])
    connection.replace("things", ODD_ROWS[4:])
    connection.commit()
    assert sorted(connection.find("all", ()), key=str) == sorted(ODD_ROWS, key=str)
    assert [row[1] for row in connection.find("all", ()) if row[1]] == sorted(str(row[1]) for row in ODD_ROWS if row[1])
    with reader(place).connect() as reading:
        stored = [tuple(row) for row in reading.execute(select_as_stored(THINGS))]
        assert stored == sorted(ODD_ROWS, key=lambda row: int(row[0] or 0))
        typed = reading.execute(select(THINGS).where(THINGS.c.id == 2)).one()
    assert typed == (2, ODD_ROWS[4][1], Decimal("-0.1"), datetime(2022, 1, 21, 10, 5, 0, 100_000, UTC))
    connection.begin()
    connection.change("things", [("changed", "2.5", 0), (None, None, 1), ("nobody", None, 77)])
    connection.commit()
    changed = {row[0]: row for row in connection.find("all", ())}
    assert (changed[0][1:3], changed[1][1:3], 77 in changed) == (("changed", "2.5"), (None, None), False)
    assert changed[0][3] == ODD_ROWS[2][3]


def test_nothing_is_rounded_on_its_way(postgres: PostgresPlace) -> None:
    """The server would round a nineteenth place without a word."""
    engine = create_engine("postgresql+psycopg://", creator=lambda: connect(postgres), poolclass=NullPool)
    with engine.begin() as connection:
        THINGS.create(connection)
    writing = PostgresWriter(postgres, THINGS.metadata, THINGS_QUERIES["postgresql"])
    writing.begin()
    for cell in ("0.0000000000000000001", "-1.1234567890123456789"):
        with pytest.raises(StoreFailed, match="at most 18 decimal places"):
            writing.add("things", [(1, "a", cell, None)])
    writing.rollback()
    assert writing.find("all", ()) == []
    writing.close()


@pytest.mark.parametrize("strange", ["-infinity", "0044-03-15 12:00:00+00 BC"])
def test_a_time_that_is_none_of_ours_is_not_taken_for_one(postgres: PostgresPlace, strange: str) -> None:
    """Somebody wrote it by hand: it is shown as it is written, and refused as a time."""
    with by_hand(postgres) as connection:
        assert connection.execute("SELECT %s::timestamptz", (strange,)).fetchone() == (strange,)


def test_a_table_that_never_changes_has_no_statement_for_it() -> None:
    assert change_many_sql(Table("still", MetaData(), Column("id", Whole, primary_key=True))) is None
    assert array_text(()) == "{}"


# A unit's own fault ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["a \x00 in a name", "half a \ud83d surrogate"])
def test_text_that_no_database_takes_is_its_units_own_fault(books: Books, text: str) -> None:
    """The driver refuses it before the server hears of it; its neighbours notice nothing."""
    first, middle, last = books.together(paying("1", "a"), paying("1", text), paying("1", "b"))
    assert (first, last) == (True, True)
    assert isinstance(middle, StoreFailed | UnicodeEncodeError)
    assert books.balance("spot", "USDT") == 2
    assert_hot_equals_database(books)


def test_a_row_refused_in_the_middle_takes_nothing_with_it_and_leaves_nothing_behind(
    books: Books, tables: PostgresPlace
) -> None:
    """The server skips the COMMIT that was sent with it."""
    before = heads(books)
    writing = writer_of(books)
    writing.begin()
    writing.replace("meta", [("kept", "no")])
    writing.add("leverages", [(1, 99, "2")])
    writing.replace("meta", [("kept as well", "no")])
    with pytest.raises(StoreFailed, match="leverages"):
        writing.commit()
    writing.rollback()
    writing.rollback()
    with by_hand(tables) as connection:
        assert connection.execute("SELECT count(*) FROM meta WHERE name LIKE 'kept%'").fetchone() == (0,)
    assert books.write(paying("1", "a")) is True
    assert heads(books).group == before.group + 1


def test_a_transaction_that_failed_is_not_committed_whoever_asks(books: Books) -> None:
    """The server answers a COMMIT of it with ROLLBACK, and no error."""
    writing = writer_of(books)
    writing.begin()
    with pytest.raises(StoreFailed, match="cannot read cash_line_by_reference"):
        writing.find("cash_line_by_reference", ("no", "number", "at all"))
    with pytest.raises(StoreFailed, match="answers ROLLBACK"):
        writing.commit()


@pytest.mark.parametrize("state", ["P0001", "42704"])
def test_a_refusal_at_the_commit_itself_fails_its_unit_alone(books: Books, tables: PostgresPlace, state: str) -> None:
    """A constraint that waits for the COMMIT: the server undid everything, and said so."""
    refuse_later(tables, "reference = 'bad'", f"RAISE EXCEPTION 'not at the commit' USING ERRCODE = '{state}'")
    first, middle, last = books.together(paying("1", "a"), paying("1", "bad"), paying("1", "b"))
    assert (first, last) == (True, True)
    assert isinstance(middle, StoreFailed)
    assert not isinstance(middle, StoreGone)
    assert "not at the commit" in str(middle)
    assert_hot_equals_database(books)


@pytest.mark.parametrize("state", ["40001", "40P01"])
def test_who_was_in_anothers_way_is_run_again_alone(books: Books, tables: PostgresPlace, state: str) -> None:
    """A serialization failure or a deadlock undoes the group; alone its units pass, the unlucky one later."""
    refuse_later(tables, "reference = 'unlucky'", f"RAISE EXCEPTION 'in the way' USING ERRCODE = '{state}'")
    first, second = books.together(paying("1", "a"), paying("1", "unlucky"))
    assert first is True
    assert isinstance(second, StoreFailed)
    with by_hand(tables) as connection:
        connection.execute("DROP TRIGGER later ON cash_lines")
    assert books.write(paying("1", "unlucky")) is True
    assert_hot_equals_database(books)


def refuse_later(place: PostgresPlace, when: str, body: str) -> None:
    """Make the COMMIT look at each new cash line."""
    with by_hand(place) as connection:
        connection.execute(
            f"CREATE FUNCTION later() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; RETURN NULL; END $$"
        )
        connection.execute(
            "CREATE CONSTRAINT TRIGGER later AFTER INSERT ON cash_lines DEFERRABLE INITIALLY DEFERRED"
            f" FOR EACH ROW WHEN (new.{when}) EXECUTE FUNCTION later()"
        )


# Nobody's fault -------------------------------------------------------------------------------------------------------


def test_a_locked_table_is_told_to_all_at_once_and_served_afterwards(books: Books, tables: PostgresPlace) -> None:
    """No row is to blame: a thousand waiting units must not wait for the lock one after the other."""
    writer_of(books)._connection.execute("SET lock_timeout = '50ms'")
    runs: list[int] = []

    def counted(draft: Draft) -> bool:
        runs.append(1)
        return bool(paying("1", "a")(draft))

    with by_hand(tables) as connection:
        connection.execute("BEGIN")
        connection.execute("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
        answers = books.together(counted, paying("1", "b"), paying("1", "c"))
        assert [type(answer) for answer in answers] == [StoreGone] * 3
        assert len(runs) == 1, "it was not asked to try alone"
        assert "lock timeout" in str(answers[0])
        connection.execute("ROLLBACK")
    assert books.write(paying("1", "a")) is True
    assert books.balance("spot", "USDT") == 1
    assert_hot_equals_database(books)


def test_a_session_killed_while_idle_costs_one_group(books: Books, postgres_cluster: Cluster) -> None:
    """The server was restarted over night; the first group hears of it, the next one has a new session."""
    books.write(paying("1", "a"))
    kill_session(books, postgres_cluster)
    answers = books.together(paying("2", "b"), paying("3", "c"))
    assert all(isinstance(answer, StoreFailed) for answer in answers)
    assert books.together(paying("2", "b"), paying("3", "c")) == [True, True]
    assert books.balance("spot", "USDT") == 6
    assert_hot_equals_database(books)


def test_a_session_killed_in_the_middle_of_a_group_writes_nothing_of_it(
    books: Books, postgres_cluster: Cluster
) -> None:
    """All who wait hear so, and the next group starts over."""

    def look_and_die(draft: Draft) -> None:
        draft.find_with_group("cash_line_by_reference", 1, "a", "DEPOSIT")
        kill_session(books, postgres_cluster)
        draft.find("cash_line_by_reference", 1, "a", "DEPOSIT")

    answers = books.together(paying("1", "a"), look_and_die, paying("2", "b"))
    assert [type(answer) for answer in answers] == [StoreGone] * 3
    assert books.write(paying("1", "a")) is True, "nothing of the killed group was written"
    assert books.balance("spot", "USDT") == 1
    assert_hot_equals_database(books)


def test_a_session_killed_before_its_commit_has_written_nothing(books: Books, postgres_cluster: Cluster) -> None:
    """Nobody can say so at once: the scribe looks, and then says no."""

    def die(draft: Draft) -> None:
        paying("1", "a")(draft)
        draft.find_with_group("cash_line_by_reference", 1, "a", "DEPOSIT")
        kill_session(books, postgres_cluster)

    (answer,) = books.together(die)
    assert isinstance(answer, StoreFailed)
    assert "undone" in str(answer)
    assert books.balance("spot", "USDT") == 0
    assert books.write(paying("1", "a")) is True
    assert_hot_equals_database(books)


def test_a_server_that_is_gone_during_the_units_own_tries_is_asked_no_further(
    books: Books, tables: PostgresPlace, postgres_cluster: Cluster
) -> None:
    """The others need not each find out for themselves."""
    refuse_later(tables, "reference = 'bad'", "RAISE EXCEPTION 'no'")
    runs: list[int] = []

    def dies_alone(draft: Draft) -> None:
        runs.append(1)
        if len(runs) == 2:
            kill_session(books, postgres_cluster)
        draft.find("cash_line_by_reference", 1, "x", "DEPOSIT")

    answers = books.together(paying("1", "a"), dies_alone, paying("1", "bad"), paying("1", "b"))
    assert answers[0] is True
    assert [type(answer) for answer in answers[1:]] == [StoreGone] * 3
    assert books.write(paying("1", "b")) is True
    assert books.balance("spot", "USDT") == 2
    assert_hot_equals_database(books)


def test_a_crash_of_the_server_loses_nothing_that_was_answered() -> None:
    """It comes back by itself; the desk goes on with what was committed."""
    with running_cluster() as cluster, cluster.copy_of("migrated", open_database) as place:
        books = books_in(place).open()
        assert books.together(*(paying("1", f"r{number}") for number in range(50))) == [True] * 50
        cluster.stop(SIGQUIT)
        with pytest.raises(StoreFailed):
            books.write(paying("1", "lost"))
        with pytest.raises(StoreFailed, match="cannot open"):
            books.write(paying("1", "lost"))
        cluster.start()
        assert books.balance("spot", "USDT") == 50
        assert books.write(paying("1", "lost")) is True
        assert books.balance("spot", "USDT") == 51
        assert_hot_equals_database(books)
        books.close()


# A commit without an answer -------------------------------------------------------------------------------------------


@pytest.fixture
def relay(postgres_cluster: Cluster) -> Iterator[Relay]:
    relay = Relay(postgres_cluster.port)
    yield relay
    relay.close()


def through(relay: Relay, place: PostgresPlace, cluster: Cluster) -> PostgresPlace:
    return PostgresPlace(place.url.replace(f":{cluster.port}/", f":{relay.port}/"), place.schema)


def test_a_commit_whose_answer_was_lost_stands(relay: Relay, tables: PostgresPlace, postgres_cluster: Cluster) -> None:
    """The group's number is in the database: the callers hear yes, once, and nothing is booked twice."""
    books = books_in(through(relay, tables, postgres_cluster)).open()
    relay.lose_next_commit()
    assert books.together(paying("1", "a"), paying("2", "b")) == [True, True]
    assert books.write(paying("1", "a")) is False
    assert books.balance("spot", "USDT") == 3
    assert_hot_equals_database(books)
    books.close()


def test_the_port_says_unclear_and_nothing_else(relay: Relay, tables: PostgresPlace, postgres_cluster: Cluster) -> None:
    """A `StoreFailed` would promise that nothing was written."""
    books = books_in(through(relay, tables, postgres_cluster)).open()
    writing = writer_of(books)
    writing.begin()
    writing.replace("meta", [("kept", "yes")])
    relay.lose_next_commit()
    with pytest.raises(CommitUnclear) as unclear:
        writing.commit()
    assert not isinstance(unclear.value, StoreFailed)
    writing.reopen()
    assert ("kept", "yes") in writing.find("all_meta", ())
    books.close()


def test_a_commit_that_is_still_at_work_is_ended_before_anybody_looks(
    relay: Relay, tables: PostgresPlace, postgres_cluster: Cluster
) -> None:
    """The wire is cut while the server is busy with the COMMIT: who looked now would say no, and then it happened."""
    refuse_later(
        tables, "reference = 'slow'", "PERFORM set_config('lock_timeout', '0', true), pg_advisory_xact_lock(7)"
    )
    books = books_in(through(relay, tables, postgres_cluster)).open()
    answers: list[Any] = []
    with by_hand(tables) as console:
        console.execute("SELECT pg_advisory_lock(7)")
        group = threading.Thread(target=lambda: answers.extend(books.together(paying("1", "slow"))))
        group.start()
        while console.execute("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted").fetchone() is None:
            pass
        relay.cut()
        group.join(30)
        console.execute("SELECT pg_advisory_unlock(7)")
        assert isinstance(answers[0], StoreFailed)
        assert console.execute("SELECT count(*) FROM cash_lines").fetchone() == (0,)
        assert console.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'").fetchone() == (
            0,
        )
    assert books.write(paying("1", "a")) is True
    assert_hot_equals_database(books)
    books.close()


def test_a_session_that_does_not_end_keeps_everybody_waiting(
    relay: Relay, tables: PostgresPlace, postgres_cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process hangs in the middle of the COMMIT: until it is gone nobody hears yes or no."""
    books = books_in(through(relay, tables, postgres_cluster)).open()
    process = writer_of(books)._connection.info.backend_pid
    monkeypatch.setattr("plimsoll.store.postgres.LOCK_TIMEOUT_MS", 20)
    os.kill(process, SIGSTOP)
    try:
        group: list[Any] = []
        caller = threading.Thread(
            target=lambda: group.extend(books.together(lambda draft: write_meta(draft, "a", "1")))
        )
        caller.start()
        relay.cut()
        caller.join(30)
        assert isinstance(group[0], CommitUnclear)
        assert "does not end" in str(group[0])
        with pytest.raises(StoreGone, match=f"process {process} does not end"):
            books.write(paying("1", "b"))
    finally:
        os.kill(process, SIGCONT)
    with by_hand(tables) as console:
        while console.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", (process,)).fetchone():
            pass
    assert books.write(paying("1", "b")) is True
    assert_hot_equals_database(books)
    books.close()


# Questions ------------------------------------------------------------------------------------------------------------


def test_what_units_say_they_will_ask_is_asked_in_one_message(books: Books) -> None:
    """And what a unit of the same group wrote meanwhile is not missed."""
    reports = [buy(SPOT, "1", "100", number) for number in range(1, 4)]
    books.book(reports[0])
    asked: list[str] = []
    find, find_ahead = books.connection.find, books.connection.find_ahead

    def watched(query: str, parameters: Sequence[Cell]) -> list[Row]:
        asked.append(query)
        return find(query, parameters)

    books.connection.find = watched  # type: ignore[method-assign]
    units = [Asking(booking(report), (question(report),)) for report in (*reports, reports[1])]
    done = books.together(*units)
    assert [each[0] for each in done] == ["REPEATED", "BOOKED", "BOOKED", "REPEATED"]
    assert asked == [], "no unit had to wait for an answer of its own"

    def look(draft: Draft) -> tuple[int, int]:
        where = (1, "a", "DEPOSIT")
        before = len(draft.find("cash_line_by_reference", *where))
        return before, len(draft.find_with_group("cash_line_by_reference", *where))

    ask_deposit = (("cash_line_by_reference", (1, "a", "DEPOSIT")),)
    assert books.together(paying("1", "a"), Asking(look, ask_deposit)) == [True, (0, 1)]
    assert find_ahead(ask_deposit)[ask_deposit[0]] != []
    books.connection.find = find  # type: ignore[method-assign]
    assert_hot_equals_database(books)


def test_a_question_asked_ahead_that_the_server_refuses_fails_its_unit_alone(books: Books) -> None:
    first, second = books.together(
        paying("1", "a"), Asking(paying("1", "b"), (("cash_line_by_reference", ("no", "number", "at all")),))
    )
    assert first is True
    assert isinstance(second, StoreFailed)
    assert_hot_equals_database(books)


def test_a_table_that_has_grown_is_measured_once(books: Books, tables: PostgresPlace) -> None:
    """Else a plan that was made for an empty table stays, and reads through half of it."""
    measured = "SELECT reltuples FROM pg_class WHERE relname = 'audit_log' AND relkind = 'r'"
    with by_hand(tables) as console:
        assert console.execute(measured).fetchone() == (-1,)
        books.together(*(paying("1", f"r{number}") for number in range(GROWN)))
        books.write(paying("1", "the next group"))
        assert console.execute(measured).fetchone() == (GROWN + 1,)
        books.write(paying("1", "and the one after it"))
        assert console.execute(measured).fetchone() == (GROWN + 1,)


def test_a_question_is_planned_once_whatever_is_asked(books: Books) -> None:
    """Not once for small numbers and once for large ones; and no statement makes room for another."""
    find, session = books.connection.find, writer_of(books)._connection
    for number in (1, 2**15, 2**31, 2**62):
        assert find("cash_line_by_reference", (number, "a", "DEPOSIT")) == []
    for whole_table in (name for name in queries.compiled("postgresql") if name.startswith("all_")):
        find(whole_table, ())
    prepared = session.execute("SELECT count(*), count(DISTINCT statement) FROM pg_prepared_statements").fetchone()
    assert prepared is not None
    assert prepared[0] == prepared[1]
    assert int(prepared[0] or 0) > 20


def test_a_group_that_cannot_even_begin_finds_out_that_its_session_is_gone(
    books: Books, postgres_cluster: Cluster
) -> None:
    """Else it would ask a dead session to measure its tables for ever."""
    books.together(*(paying("1", f"r{number}") for number in range(GROWN)))
    kill_session(books, postgres_cluster)
    with pytest.raises(StoreGone, match="cannot measure"):
        books.write(paying("1", "a"))
    assert books.write(paying("1", "a")) is True
    assert_hot_equals_database(books)


# Sessions -------------------------------------------------------------------------------------------------------------


def test_a_session_of_ours_is_the_same_whatever_the_server_was_set_to(
    books: Books, tables: PostgresPlace, postgres_cluster: Cluster
) -> None:
    """A database in Tokyo with German dates, and somebody else's tables of the same names in the way."""
    books.write(paying("1.5", "a"))
    name = tables.url.rpartition("/")[2]
    with psycopg.connect(postgres_cluster.superuser_url.replace(f"/{ROLE}", f"/{name}"), autocommit=True) as connection:
        for words in ("timezone = 'Asia/Tokyo'", "datestyle = 'German'", "synchronous_commit = off"):
            connection.execute(f"ALTER DATABASE {name} SET {words}")
        connection.execute("CREATE TABLE public.cash_lines (nothing text)")
    books.scribe._lost = True
    books.write(paying("1", "b"))
    assert_hot_equals_database(books)
    assert books.balance("spot", "USDT") == Decimal("2.5")
    assert writer_of(books)._connection.execute("SHOW synchronous_commit").fetchone() == ("on",)
    with reader(tables).connect() as connection:
        assert connection.execute(select(schema.cash_lines.c.at)).scalars().all() == [NOON, NOON]


def test_a_reader_cannot_write_and_sees_one_moment(books: Books, tables: PostgresPlace) -> None:
    """From its first question on, whatever the writer commits meanwhile."""
    books.write(paying("1", "a"))
    cash = select(schema.cash_lines.c.amount).order_by(schema.cash_lines.c.id)
    engine = reader(tables)
    with engine.connect() as connection:
        assert list(connection.execute(cash).scalars()) == [Decimal(1)]
        books.write(paying("2", "b"))
        assert list(connection.execute(cash).scalars()) == [Decimal(1)]
    with engine.connect() as connection:
        assert list(connection.execute(cash).scalars()) == [Decimal(1), Decimal(2)]
        assert connection.execute(text("SHOW transaction_isolation")).scalar() == "repeatable read"
        with pytest.raises(DBAPIError, match="read-only"):
            connection.execute(insert(schema.meta).values(name="a", value="b"))


def test_a_server_that_is_not_there_is_a_failure_of_the_store_and_no_password_is_told(tables: PostgresPlace) -> None:
    nowhere = PostgresPlace(f"postgresql://{ROLE}:{PASSWORD}@127.0.0.1:1/{ROLE}", "desk")
    stranger = PostgresPlace(tables.url.replace(PASSWORD, "another-secret"), tables.schema)
    for place, secret in ((nowhere, PASSWORD), (stranger, "another-secret")):
        with pytest.raises(StoreGone, match=r"cannot open postgresql://127\.0\.0\.1") as told:
            PostgresWriter(place, metadata, {})
        assert secret not in str(told.value)
        assert secret not in repr(place)


def test_without_its_driver_the_extra_is_named(tables: PostgresPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A desk on SQLite needs none."""
    monkeypatch.delitem(sys.modules, "plimsoll.store.postgres")
    monkeypatch.delattr("plimsoll.store.postgres")
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(DriverMissing, match=r"pip install 'plimsoll-desk\[postgresql\]'"):
        reader(tables)
