"""The paper venue's books survive: a kill at any moment, a failed group, an unclear commit; newer books are refused."""

import asyncio
import random
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import select, update

from plimsoll.model.clock import SystemClock
from plimsoll.model.errors import CallHuman
from plimsoll.model.order import OrderState, Side
from plimsoll.model.quote import Quote
from plimsoll.runtime.virtual_loop import VirtualClock, run_virtual
from plimsoll.store.connection import StoreFailed
from plimsoll.store.drivers import LoopDriver, ThreadDriver
from plimsoll.store.place import Place, PostgresPlace, SqlitePlace, reader
from plimsoll.store.statements import select_as_stored
from plimsoll.venues.paper.books import SCHEMA_VERSION, PaperBooks, create_books, meta, metadata, open_scribe
from plimsoll.venues.paper.rules import PaperRules
from plimsoll.venues.paper.venue import PaperVenue
from plimsoll.venues.protocol import OrderRejected
from tests.builders.approved import ACCOUNT, approved, id_of
from tests.builders.paper import INSTRUMENTS, LIVE, PERPETUAL, SPOT, START, D, PaperWorld, play
from tests.builders.places import by_hand, in_a_process, rows_of


def test_a_restart_rebuilds_everything(empty_place: Place) -> None:
    """Killed without a goodbye after a busy morning: account, orders, locks, leverage and names go on."""

    async def story(world: PaperWorld) -> None:
        await world.venue.set_leverage(ACCOUNT, PERPETUAL.id, D(3))
        for market in (SPOT, PERPETUAL):
            await world.quote("100", of=market)
        await world.buy("a", "10")
        await world.sell("b", "20", of=PERPETUAL)
        await world.buy("c", "10", price="90")
        await world.buy("d", "1", stop="101", price="95")
        await world.quote("101")
        with pytest.raises(OrderRejected):
            await world.buy("e", "1000")
        before = await world.account()
        hot = world.driver.hot.snapshot()
        world.restart()
        assert world.driver.hot.snapshot() == hot
        await world.quote("101")
        await world.quote("100", of=PERPETUAL)
        assert await world.account() == before
        assert [order.client_order_id for order in await world.venue.open_orders(ACCOUNT)] == [id_of("c"), id_of("d")]
        placed = await world.buy("f", "1")
        assert (placed.order.broker_order_id, placed.trades[0].broker_trade_id) == ("P-1-6", "P-1-T3")
        await world.quote("90")
        assert [trade.price for trade in (await world.all_trades())[3:]] == [D(90), D(95)]

    play(empty_place, story)


@pytest.mark.parametrize("commits_before_the_kill", range(4, 12))
def test_what_was_acknowledged_is_there(empty_place: Place, commits_before_the_kill: int) -> None:
    """Cut at any commit, with several requests in flight: acknowledged orders exist, none is doubled, books agree."""
    acknowledged: list[str] = []
    failures: list[BaseException] = []
    scribe = open_scribe(empty_place)

    async def morning(clock: VirtualClock) -> None:
        driver = LoopDriver(scribe, on_failure=failures.append, group_size=lambda: 1)
        venue = PaperVenue(driver, INSTRUMENTS, clock, random.Random(0), PaperRules(), LIVE)
        await venue.open_account(ACCOUNT, "USDT")
        await venue.deposit(ACCOUNT, "USDT", D(10000), reference="start")
        await venue.on_quote(Quote(SPOT.id, START, D(100), D(100), D(100)))

        async def send(key: str) -> None:
            await venue.place(approved(key, Side.BUY, "1", SPOT))
            acknowledged.append(key)

        tasks = [asyncio.create_task(send(f"{n}")) for n in range(10)]
        while scribe.hot.get(("heads",)).group < commits_before_the_kill:
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    run_virtual(morning, start=START)
    # Only now: what still waits would open the books anew.
    scribe.close()

    async def afternoon(world: PaperWorld) -> None:
        await world.quote("100")
        for key in acknowledged:
            assert (await world.venue.order(ACCOUNT, id_of(key))).state is OrderState.FILLED
        for n in range(10):
            await world.buy(f"{n}", "1")
        trades = await world.all_trades()
        assert len(trades) == len({trade.client_order_id for trade in trades}) == 10
        assert await world.balance("BTC") == 10

    assert acknowledged
    play(empty_place, afternoon)


class _Faulty(sqlite3.Connection):
    """A connection whose next COMMIT can be made to fail: `before` it happens, or `after`."""

    fails = ""

    def execute(self, sql: str, parameters: Sequence[str] = (), /) -> sqlite3.Cursor:  # type: ignore[override]
        fails = type(self).fails if sql == "COMMIT" else ""
        if fails == "before":
            super().execute("ROLLBACK")
        elif fails == "after":
            super().execute("COMMIT")
        if fails:
            type(self).fails = ""
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(sql, parameters)


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_unclear_commit_is_settled_by_the_books(tmp_path: Path, when: str) -> None:
    """A commit that did not answer either happened, and is acknowledged, or did not, and nothing of it is left."""
    path = tmp_path / "paper.db"
    failures: list[BaseException] = []

    async def story(clock: VirtualClock) -> None:
        scribe = open_scribe(
            SqlitePlace(path),
            lambda name: sqlite3.connect(name, isolation_level=None, check_same_thread=False, factory=_Faulty),
        )
        driver = LoopDriver(scribe, on_failure=failures.append)
        venue = PaperVenue(driver, INSTRUMENTS, clock, random.Random(0), PaperRules(), LIVE)
        await venue.open_account(ACCOUNT, "USDT")
        await venue.deposit(ACCOUNT, "USDT", D(10000), reference="start")
        await venue.on_quote(Quote(SPOT.id, START, D(100), D(100), D(100)))
        _Faulty.fails = when
        order = approved("a", Side.BUY, "1", SPOT)
        if when == "before":
            with pytest.raises(StoreFailed):
                await venue.place(order)
            assert (await venue.account(ACCOUNT)).cursor == 1
        else:
            assert (await venue.place(order)).order.state is OrderState.FILLED
        await venue.place(order)
        assert len((await venue.trades_since(ACCOUNT, 0)).trades) == 1
        scribe.close()

    run_virtual(story, start=START)


def test_a_thread_may_write_the_books(empty_place: Place) -> None:
    """In production the scribe has a thread of its own: a hundred orders at once, each answered after its commit."""

    async def story() -> None:
        failures: list[BaseException] = []
        driver = ThreadDriver(open_scribe(empty_place), asyncio.get_running_loop(), on_failure=failures.append)
        venue = PaperVenue(driver, INSTRUMENTS, SystemClock(), random.Random(0), PaperRules(), LIVE)
        await venue.open_account(ACCOUNT, "USDT")
        await venue.deposit(ACCOUNT, "USDT", D(100000), reference="start")
        await venue.on_quote(Quote(SPOT.id, SystemClock().now(), D(100), D(100), D(100)))
        placed = await asyncio.gather(*(venue.place(approved(f"{n}", Side.BUY, "1", SPOT)) for n in range(100)))
        assert {answer.order.state for answer in placed} == {OrderState.FILLED}
        assert sorted(answer.trades[0].sequence for answer in placed) == list(range(1, 101))
        assert (await venue.account(ACCOUNT)).balances[0].total == 100
        await driver.close()
        assert failures == []

    asyncio.run(story())


def test_books_of_a_newer_version_are_refused(empty_place: Place) -> None:
    """An older Plimsoll does not touch newer books; books of this version open again unchanged."""
    create_books(empty_place)
    create_books(empty_place)
    with by_hand(empty_place) as engine, engine.begin() as connection:
        assert connection.execute(select(meta)).all() == [("schema_version", str(SCHEMA_VERSION))]
        connection.execute(update(meta).values(value=str(SCHEMA_VERSION + 1)))
    before = rows_of(empty_place)
    with pytest.raises(CallHuman, match="newer"):
        create_books(empty_place)
    assert rows_of(empty_place) == before


CUT = """
import os
from sqlalchemy import Engine, event
def end(connection, cursor, statement, *_):
    if statement.startswith("INSERT INTO meta"):
        os._exit(9)
event.listen(Engine, "after_cursor_execute", end)
"""


def test_books_that_were_cut_while_they_were_made_are_not_there(empty_place: Place) -> None:
    """All tables and their version, or nothing; and of two processes at once the second finds them made."""
    make = "from plimsoll.venues.paper.books import create_books; create_books(place)"
    process = in_a_process(empty_place, CUT + make)
    assert process.wait(timeout=60) == 9
    process.communicate()
    assert rows_of(empty_place) == {}
    both = [in_a_process(empty_place, make) for _ in range(2)]
    assert [process.wait(timeout=60) for process in both] == [0, 0], [process.communicate() for process in both]
    for process in both:
        process.communicate()


def test_books_that_cannot_be_opened_are_the_store_s_failure(tmp_path: Path) -> None:
    """No such folder, and a file that is none of SQLite's: in a sentence."""
    novel = tmp_path / "novel.txt"
    novel.write_text("It was a dark and stormy night. " * 50)
    for path in (tmp_path / "no such folder" / "paper.db", novel):
        with pytest.raises(StoreFailed, match=path.name):
            create_books(SqlitePlace(path))


def test_both_engines_keep_the_same_books(tmp_path: Path, postgres: PostgresPlace) -> None:
    """The same day, drawn from the same seed, row by row."""

    async def story(world: PaperWorld) -> None:
        await world.venue.set_leverage(ACCOUNT, PERPETUAL.id, D("2.5"))
        for market in (SPOT, PERPETUAL):
            await world.quote("100.1", "100.2", of=market)
        await world.buy("a", "0.00000001")
        await world.sell("b", "20", of=PERPETUAL)
        await world.buy("c", "10", price="90")
        await world.quote("89.99")

    sqlite, told = SqlitePlace(tmp_path / "paper.db"), []
    for place in (sqlite, postgres):
        play(place, story)
        with reader(place).connect() as connection:
            told.append(
                {
                    table.name: sorted(map(tuple, connection.execute(select_as_stored(table))))
                    for table in metadata.sorted_tables
                }
            )
    assert told[0] == told[1]
    assert all(told[0].values())


@pytest.mark.parametrize(
    "row",
    ["leverages VALUES (1, 1, x'00', 1)", "balances VALUES ('one', 'spot', 'USDT', '5')", "heads VALUES (1, 'x', 1)"],
)
def test_damaged_books_are_not_guessed_at(tmp_path: Path, row: str) -> None:
    """A cell of the wrong kind stops the start and says what to do."""
    path = tmp_path / "paper.db"
    create_books(SqlitePlace(path))
    with sqlite3.connect(path) as connection:
        connection.execute(f"INSERT INTO {row}")
    connection.close()
    with pytest.raises(CallHuman, match="restore"):
        open_scribe(SqlitePlace(path))


def test_every_table_is_written_by_the_books() -> None:
    """The scribe knows each table but its own two."""
    assert set(PaperBooks.tables) == set(metadata.tables) - {"heads", "meta"}
