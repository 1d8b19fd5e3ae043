"""The paper venue's books survive: a kill at any moment, a failed group, an unclear commit; newer books are refused."""

import asyncio
import random
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from plimsoll.model.clock import SystemClock
from plimsoll.model.errors import CallHuman
from plimsoll.model.order import OrderState, Side
from plimsoll.model.quote import Quote
from plimsoll.runtime.virtual_loop import VirtualClock, run_virtual
from plimsoll.store.connection import StoreFailed
from plimsoll.store.drivers import LoopDriver, ThreadDriver
from plimsoll.venues.paper.books import SCHEMA_VERSION, PaperBooks, create_books, open_scribe
from plimsoll.venues.paper.rules import PaperRules
from plimsoll.venues.paper.venue import PaperVenue
from plimsoll.venues.protocol import OrderRejected
from tests.builders.approved import ACCOUNT, approved, id_of
from tests.builders.paper import INSTRUMENTS, LIVE, PERPETUAL, SPOT, START, D, PaperWorld, play


def test_a_restart_rebuilds_everything(tmp_path: Path) -> None:
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

    play(tmp_path / "paper.db", story)


@pytest.mark.parametrize("commits_before_the_kill", range(4, 12))
def test_what_was_acknowledged_is_there(tmp_path: Path, commits_before_the_kill: int) -> None:
    """Cut at any commit, with several requests in flight: acknowledged orders exist, none is doubled, books agree."""
    path = tmp_path / "paper.db"
    acknowledged: list[str] = []
    failures: list[BaseException] = []

    async def morning(clock: VirtualClock) -> None:
        scribe = open_scribe(path)
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
        scribe.close()

    run_virtual(morning, start=START)

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
    play(path, afternoon)


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
            path, lambda name: sqlite3.connect(name, isolation_level=None, check_same_thread=False, factory=_Faulty)
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


def test_a_thread_may_write_the_books(tmp_path: Path) -> None:
    """In production the scribe has a thread of its own: a hundred orders at once, each answered after its commit."""

    async def story() -> None:
        failures: list[BaseException] = []
        driver = ThreadDriver(
            open_scribe(tmp_path / "paper.db"), asyncio.get_running_loop(), on_failure=failures.append
        )
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


def test_books_of_a_newer_version_are_refused(tmp_path: Path) -> None:
    """An older Plimsoll does not touch newer books; books of this version open again unchanged."""
    path = tmp_path / "paper.db"
    create_books(path)
    create_books(path)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT value FROM meta").fetchall() == [(str(SCHEMA_VERSION),)]
        connection.execute("UPDATE meta SET value = ?", (str(SCHEMA_VERSION + 1),))
    connection.close()
    with pytest.raises(CallHuman, match="newer"):
        create_books(path)


@pytest.mark.parametrize(
    "row",
    ["leverages VALUES (1, 1, x'00', 1)", "balances VALUES ('one', 'spot', 'USDT', '5')", "heads VALUES (1, 'x', 1)"],
)
def test_damaged_books_are_not_guessed_at(tmp_path: Path, row: str) -> None:
    """A cell of the wrong kind stops the start and says what to do."""
    path = tmp_path / "paper.db"
    create_books(path)
    with sqlite3.connect(path) as connection:
        connection.execute(f"INSERT INTO {row}")
    connection.close()
    with pytest.raises(CallHuman, match="restore"):
        open_scribe(path)


def test_every_table_is_written_by_the_books() -> None:
    """The scribe knows each table but its own two."""
    from plimsoll.venues.paper.books import metadata

    assert set(PaperBooks.tables) == set(metadata.tables) - {"heads", "meta"}
