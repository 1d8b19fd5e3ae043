"""A book with everything in it goes up and down and up again on both engines, and says the same each time."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import inspect, text

from plimsoll.ledger import database, keys
from plimsoll.ledger.database import HEAD, alembic_config, open_database
from plimsoll.ledger.digest import digest
from plimsoll.ledger.verify import Finding, verify
from plimsoll.model.order import SHORT, Side
from plimsoll.store.connection import StoreFailed
from plimsoll.store.draft import Draft
from plimsoll.store.place import Place, SqlitePlace, reader
from tests.builders.ledger import ACCOUNT, CHAIN_KEY, PERPETUAL, SPOT, buy, client_order_id, hot_of_database
from tests.builders.places import books_in, by_hand, in_a_process, rows_of
from tests.builders.seeded import seed

#: About as many facts as a year of a busy person; and what a busy desk has, for the long runs.
FILLS = 700
MANY = 30_000
NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"

#: Written by the release before, which knew revision 0002: 60 fills of `seeded`.
RELEASE_0002 = Path(__file__).parent / "data" / "release_0002.sql"


IN_LONG_RUNS = (pytest.mark.skipif(not NIGHTLY, reason="in the long runs"), pytest.mark.timeout(900))


@pytest.fixture(params=[FILLS, pytest.param(MANY, marks=IN_LONG_RUNS)])
def seeded(place: Place, request: pytest.FixtureRequest) -> Place:
    """Give a book with thousands of facts in it."""
    books = books_in(place).open()
    seed(books, request.param)
    books.close()
    return place


def said(place: Place) -> str:
    """Give the digest of a book."""
    engine = reader(place)
    try:
        return digest(engine)
    finally:
        engine.dispose()


def go(place: Place, revision: str) -> None:
    """Bring a database down to a revision."""
    with alembic_config(place) as config:
        command.downgrade(config, revision)


def columns_of(place: Place) -> dict[str, list[str]]:
    with by_hand(place) as engine, engine.connect() as connection:
        look = inspect(connection)
        return {name: [str(column["name"]) for column in look.get_columns(name)] for name in look.get_table_names()}


def test_a_book_goes_down_and_up_and_says_the_same(seeded: Place) -> None:
    """By its digest, by every cell of every table that both releases have, and by its proof; then it is traded on."""
    before, rows, columns = said(seeded), rows_of(seeded), columns_of(seeded)
    assert len(rows["trades"]) + len(rows["cash_lines"]) + len(rows["verdicts"]) > 3 * FILLS
    go(seeded, "0002")
    older, kept = rows_of(seeded), columns_of(seeded)
    assert len(older) < len(rows)
    for name, found in older.items():
        places = [columns[name].index(column) for column in kept[name]]
        assert found == {tuple(row[place] for place in places) for row in rows[name]}, name
    open_database(seeded)
    assert said(seeded) == before
    after = rows_of(seeded)
    assert {name: after[name] for name in rows} == rows
    _assert_traded_on(seeded)
    go(seeded, "0003")
    open_database(seeded)


def test_a_book_of_0005_gets_cursors_and_its_orders_have_no_leg(place: Place) -> None:
    """Going back forgets the cursors: what moved is asked for from the beginning then, and is repetitions."""
    books = books_in(place).open()
    seed(books, 20)
    books.write(_cursors)
    assert hot_of_database(books.connection)[keys.movement_cursor(ACCOUNT.id)] == 34
    books.close()
    before, said_before = rows_of(place), said(place)
    go(place, "0005")
    older = rows_of(place)
    assert {row[-1] for row in before["orders"]} == {""}
    without_legs = {row[:-1] for row in before["orders"]}
    kept = {name: rows for name, rows in before.items() if name != "movement_cursors"}
    assert older == kept | {"orders": without_legs}
    open_database(place)
    assert rows_of(place) == before | {"movement_cursors": set()}
    assert said(place) == said_before
    _assert_traded_on(place)


def test_a_book_with_a_leg_stays_at_0006(place: Place) -> None:
    """The release before would take what closes a leg for what opens the other; nothing is changed."""
    books = books_in(place).open()
    books.place("short", PERPETUAL, Side.SELL, "1", leg=SHORT)
    books.close()
    before = rows_of(place)
    with pytest.raises(Exception, match="restore a backup from before the upgrade") as refused:
        go(place, "0005")
    assert type(refused.value).__name__ == "NoWayBack"
    assert (rows_of(place), _version(place)) == (before, HEAD)
    assert before["orders"].pop()[-1] == SHORT
    open_database(place)
    books = books_in(place)
    assert hot_of_database(books.connection)[keys.order(ACCOUNT.id, client_order_id("short"))].leg == SHORT
    books.close()


def _cursors(draft: Draft) -> None:
    draft.put(keys.movement_cursor(ACCOUNT.id), 34)
    draft.replace("movement_cursors", ACCOUNT.id, (ACCOUNT.id, 34))


def _assert_traded_on(place: Place) -> None:
    """Open the desk's books where they are now, book one more trade, and prove all of it."""
    assert proven(place) == ()
    books = books_in(place)
    books.book(buy(SPOT, "1", "42000", 10**6))
    assert books.position(SPOT) is not None
    books.close()
    assert proven(place) == ()


def proven(place: Place) -> tuple[Finding, ...]:
    """Give what the proof finds."""
    return verify(place, CHAIN_KEY, None).findings


# A book of the release before -----------------------------------------------------------------------------------------


@pytest.fixture
def release_0002(tmp_path: Path) -> SqlitePlace:
    """Give a book as the release before has left it."""
    place = SqlitePlace(tmp_path / "desk.db")
    with closing(sqlite3.connect(place.path)) as connection:
        connection.executescript(RELEASE_0002.read_text())
    return place


def test_a_book_of_the_release_before_is_the_same_book(release_0002: SqlitePlace, tmp_path: Path) -> None:
    """Written by that release itself: no cell of it changes, its chain holds, and it says what this one would write."""
    before, columns = rows_of(release_0002), columns_of(release_0002)
    assert len(before["trades"]) == 60
    open_database(release_0002)
    after, all_columns = rows_of(release_0002), columns_of(release_0002)
    for name, rows in before.items():
        places = [all_columns[name].index(column) for column in columns[name]]
        assert {tuple(row[place] for place in places) for row in after[name]} == rows, name
    written_now = SqlitePlace(tmp_path / "now.db")
    open_database(written_now)
    books = books_in(written_now).open()
    seed(books, 60)
    books.close()
    assert said(release_0002) == said(written_now)
    _assert_traded_on(release_0002)


def test_the_file_as_it_was_is_kept_beside_it(release_0002: SqlitePlace) -> None:
    """For the way back to the release before; only its owner can read it, and a new desk has none."""
    before = rows_of(release_0002)
    open_database(release_0002)
    copy = SqlitePlace(release_0002.path.with_name(f"desk.db.before-{HEAD}"))
    assert (rows_of(copy), _version(copy)) == (before, "0002")
    assert copy.path.stat().st_mode & 0o777 == 0o600
    database._upgrade(release_0002)  # somebody who waited for this upgrade
    assert (rows_of(copy), _version(copy)) == (before, "0002")
    open_database(copy)
    assert said(copy) == said(release_0002)
    new = SqlitePlace(release_0002.path.with_name("new.db"))
    open_database(new)
    assert sorted(path.name for path in new.path.parent.glob("new*")) == ["new.db"]


def test_without_room_for_the_copy_nothing_is_upgraded(release_0002: SqlitePlace) -> None:
    before = rows_of(release_0002)
    in_its_way = release_0002.path.with_name(f"desk.db.before-{HEAD}")
    in_its_way.mkdir()
    with pytest.raises(StoreFailed, match="was not upgraded: no copy could be kept"):
        open_database(release_0002)
    assert (rows_of(release_0002), _version(release_0002)) == (before, "0002")
    assert sorted(path.name for path in release_0002.path.parent.iterdir()) == ["desk.db", in_its_way.name]
    in_its_way.rmdir()
    open_database(release_0002)


def test_the_release_before_left_what_this_one_s_scripts_go_back_to(release_0002: SqlitePlace, tmp_path: Path) -> None:
    """The way down ends in tables as that release made them, not only in some that it could read."""
    made = SqlitePlace(tmp_path / "made.db")
    open_database(made)
    go(made, "0002")
    assert shape(made) == shape(release_0002)


def shape(place: SqlitePlace) -> dict[str, list[str]]:
    with closing(sqlite3.connect(place.path)) as connection:
        found = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
        return {name: sorted(line.strip().rstrip(",") for line in ddl.splitlines()) for name, ddl in found}


# No way back ----------------------------------------------------------------------------------------------------------

A_FACT = "1, 900, 1"
NOON = "'2022-01-21T12:00:00.000000Z'"

#: What of a book the release before can do nothing good with.
NO_WAY_BACK = {
    "a trade that was corrected": "UPDATE trades SET revision = 1, effect = 'CORRECT' WHERE id = 1",
    "a trade of one side": "UPDATE trades SET leg = 'LONG' WHERE id = 1",
    "cash of a position": "UPDATE cash_lines SET instrument_id = 1, strategy_id = 0 WHERE id = 1",
    "cash of one side": "UPDATE cash_lines SET leg = 'LONG' WHERE id = 1",
    "coins that came in": (
        "INSERT INTO position_entries (account_id, id, link_seq, portfolio_id, instrument_id, strategy_id, leg, kind,"
        f" quantity, reference, at, sequence) VALUES ({A_FACT}, 1, 1, 0, '', 'IN', '1', 'r', {NOON}, 0)"
    ),
    "somebody who was deleted": f"UPDATE users SET deleted_at = {NOON}",
    "an account that was deleted": f"UPDATE accounts SET deleted_at = {NOON}",
    "a book that was imported": "UPDATE accounts SET broker = 'statement'",
    "an account at rest": "UPDATE accounts SET status = 'paused'",
    "a portfolio that was deleted": f"UPDATE portfolios SET deleted_at = {NOON}",
    "a bot that was deleted": (
        "INSERT INTO bots (id, portfolio_id, instrument_id, name, strategy, params_json, status, state_json,"
        f" deleted_at) VALUES (1, 1, 1, 'b', 'hold', '{{}}', 'STOPPED', '{{}}', {NOON})"
    ),
}


@pytest.mark.parametrize("what", NO_WAY_BACK)
def test_there_is_no_way_back_with(what: str, place: Place) -> None:
    """It would be lost from under the chain, or come back to life. Nothing is changed, and this release goes on."""
    books = books_in(place).open()
    seed(books, 3)
    books.close()
    with by_hand(place) as engine, engine.begin() as connection:
        # Facts are made by hand here, past the triggers, which are put back.
        for statement in _past_the_triggers(connection.dialect.name, NO_WAY_BACK[what]):
            connection.execute(text(statement.replace(":", r"\:")))
    before = rows_of(place)
    with pytest.raises(Exception, match="restore a backup from before the upgrade") as refused:
        go(place, "0002")
    assert type(refused.value).__name__ == "NoWayBack"
    assert rows_of(place) == before
    assert _version(place) == HEAD
    open_database(place)


def _past_the_triggers(dialect: str, statement: str) -> Iterator[str]:
    if dialect == "postgresql":
        tables = ("trades", "cash_lines")
        yield from (f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in tables)
        yield statement
        yield from (f"ALTER TABLE {table} ENABLE TRIGGER USER" for table in tables)
    else:
        yield from (f"DROP TRIGGER tr_{table}_no_update" for table in ("trades", "cash_lines"))
        yield statement


def _version(place: Place) -> str:
    with by_hand(place) as engine, engine.connect() as connection:
        return str(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one())


# Cut ------------------------------------------------------------------------------------------------------------------

#: A process that ends in the middle of an upgrade, with nothing closed and nothing said.
CUT = """
import os
from sqlalchemy import Engine, event
def end(connection, cursor, statement, *_):
    if statement.startswith({statement!r}):
        os._exit(9)
event.listen(Engine, "after_cursor_execute", end)
open_database(place)
"""
LATE = {"sqlite": "DROP TABLE trades_before", "postgresql": "ALTER TABLE trades"}


def test_an_upgrade_whose_process_died_did_not_happen(seeded: Place) -> None:
    """With most tables written anew already: the book is as it was, and goes up the next time."""
    go(seeded, "0002")
    before = rows_of(seeded)
    process = in_a_process(seeded, CUT.format(statement=LATE[seeded.dialect]))
    assert process.wait(timeout=60) == 9
    process.communicate()
    assert rows_of(seeded) == before
    assert _version(seeded) == "0002"
    open_database(seeded)
    assert _version(seeded) == HEAD
