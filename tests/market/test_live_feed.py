"""Live prices against a stand-in exchange over real HTTP and WebSocket, in all its moods."""

import asyncio
import importlib
import logging
import random
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from plimsoll.market.feed import FeedState, PriceFeed
from plimsoll.market.gather import MINUTE
from plimsoll.market.live import LiveFeed
from plimsoll.market.live.feed import Patience
from plimsoll.market.live.wire import Connect, connect, tickers_in
from plimsoll.model.clock import SystemClock
from plimsoll.model.errors import CommandRefused, GiveUp, Illegal, TryAgain, Wait
from plimsoll.model.ids import InstrumentId
from plimsoll.model.quote import Bar, Fact, Quote
from tests.builders.exchange import BTC, ETH, NAME, PERPETUAL, StandIn

IDS = {BTC: InstrumentId(1), ETH: InstrumentId(2), PERPETUAL: InstrumentId(3)}
QUICK = Patience(breath=0.01, look=0.02, quiet=0.2, lost=0.6, silent=30, first_wait=0.02, longest_wait=0.1)
#: Asks over HTTP once, to begin with, and then never: what comes later came over the stream.
STREAM_ONLY = replace(QUICK, quiet=60, lost=60)


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever an exchange does, neither asyncio nor ccxt has anything to complain about when a feed is done."""
    with caplog.at_level(logging.WARNING):
        yield
    noise = [record.getMessage() for record in caplog.records if record.name.partition(".")[0] in {"asyncio", "ccxt"}]
    assert noise == []


class FastClock(SystemClock):
    """A machine's clock that is wrong."""

    def __init__(self, ahead: timedelta) -> None:
        self.ahead = ahead

    def now(self) -> datetime:
        return super().now() + self.ahead


class Watched:
    """A feed that runs, and what it has shown."""

    def __init__(self, feed: LiveFeed) -> None:
        self.feed = feed
        self.shown: list[Quote] = []
        self._changed = asyncio.Event()

    def take(self, quote: Quote) -> None:
        self.shown.append(quote)
        self._changed.set()

    def of(self, symbol: str) -> list[Quote]:
        return [quote for quote in self.shown if quote.instrument_id == IDS[symbol]]

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds; it is looked at whenever a price comes, and often besides."""
        async with asyncio.timeout(6):
            while not holds():
                self._changed.clear()
                try:
                    await asyncio.wait_for(self._changed.wait(), 0.02)
                except TimeoutError:
                    continue

    async def bid(self, symbol: str, price: str, times: int = 1) -> Quote:
        """Wait for a price."""
        found: list[Quote] = []

        def seen() -> bool:
            found[:] = [quote for quote in self.of(symbol) if quote.bid == Decimal(price)]
            return len(found) >= times

        await self.until(seen)
        return found[-1]

    async def state(self, state: FeedState, words: str = "") -> None:
        await self.until(lambda: self.feed.status.state is state and words in self.feed.status.detail)


def made(
    connect_to: Connect,
    symbols: Sequence[str] = (BTC, ETH, PERPETUAL),
    patience: Patience = QUICK,
    clock: SystemClock | None = None,
) -> LiveFeed:
    ids = {IDS[symbol]: symbol for symbol in symbols}
    return LiveFeed(NAME, ids, "paper", clock or SystemClock(), random.Random(5), connect_to, patience)


@asynccontextmanager
async def running(feed: LiveFeed) -> AsyncIterator[Watched]:
    watched = Watched(feed)
    task = asyncio.ensure_future(feed.run(watched.take, lambda _bar: pytest.fail("a source of ticks told a bar")))
    try:
        yield watched
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert len(asyncio.all_tasks()) == 1 or await nothing_left()


async def nothing_left() -> bool:
    """Give what was cancelled its turns of the loop to end."""
    for _ in range(100):
        await asyncio.sleep(0)
    mine = {task for task in asyncio.all_tasks() if "ccxt" in repr(task) or "market/live" in repr(task)}
    return not mine


Scene = Callable[[StandIn], Coroutine[object, object, None]]


def played(scene: Scene, symbols: Sequence[str] = (BTC, ETH, PERPETUAL)) -> None:
    """Play a scene against a fresh exchange that has a price for everything."""

    async def main() -> None:
        async with StandIn(symbols) as exchange:
            for number, symbol in enumerate(symbols, start=1):
                exchange.has(symbol, f"{number}00.1", f"{number}00.2")
            async with asyncio.timeout(12):
                await scene(exchange)

    asyncio.run(main())


def milliseconds(ago: float = 0) -> int:
    return int((time.time() - ago) * 1000)


# --- prices


def test_first_prices_come_over_http_and_then_the_stream_tells_them_to_the_last_digit() -> None:
    async def scene(exchange: StandIn) -> None:
        async with running(made(exchange.connect, patience=STREAM_ONLY)) as watched:
            for symbol, price in ((BTC, "100.1"), (ETH, "200.1"), (PERPETUAL, "300.1")):
                await watched.bid(symbol, price)
            await exchange.until_subscribed(2)
            at = milliseconds()
            await exchange.tell(BTC, "0.00001234", "0.00001235")
            await exchange.tell(PERPETUAL, "101.123456789", "101.2", at)
            coin, perpetual = await watched.bid(BTC, "0.00001234"), await watched.bid(PERPETUAL, "101.123456789")
            assert (coin.ask, coin.last) == (Decimal("0.00001235"), Decimal("0.00001234"))
            assert (coin.bid_size, coin.ask_size) == (Decimal("1.5"), Decimal("2.5"))
            # On the spot Binance dates nothing: then it is as old as it came.
            assert abs((coin.at - datetime.now(UTC)).total_seconds()) < 5
            assert perpetual.at == datetime.fromtimestamp(at / 1000, UTC)
            assert watched.feed.status.state is FeedState.RUNNING
            assert watched.feed.status.detail == ""
            assert watched.feed.status.reconnects == 0

    played(scene)


def test_markets_of_one_kind_share_a_stream_and_one_does_not_repeat_the_other() -> None:
    async def scene(exchange: StandIn) -> None:
        async with running(made(exchange.connect, patience=STREAM_ONLY)) as watched:
            await exchange.until_subscribed(2)
            assert len(exchange.streams) == 2
            await exchange.tell(ETH, "201", "202")
            await watched.bid(ETH, "201")
            for price in range(300, 310):
                await exchange.tell(BTC, str(price), str(price + 1))
            await watched.bid(BTC, "309")
            assert [quote.bid for quote in watched.of(ETH)].count(Decimal(201)) == 1

    played(scene)


def test_of_a_busy_stream_only_the_newest_is_shown_and_the_last_word_is_never_lost() -> None:
    async def scene(exchange: StandIn) -> None:
        breathing = replace(STREAM_ONLY, breath=0.3)
        async with running(made(exchange.connect, [BTC, ETH], patience=breathing)) as watched:
            await exchange.until_subscribed()
            await exchange.tell(BTC, "300", "301")
            await watched.bid(BTC, "300")
            for price in range(301, 321):
                await exchange.tell(BTC, str(price), str(price + 1))
                await exchange.tell(ETH, str(price), str(price + 1))
            # Nothing more is said, and yet both last words are heard.
            await watched.bid(BTC, "320")
            await watched.bid(ETH, "320")
            assert len(watched.shown) <= 8

    played(scene, [BTC, ETH])


def test_an_old_word_of_the_stream_does_not_turn_back_what_was_asked_for_since() -> None:
    async def scene(exchange: StandIn) -> None:
        async with running(made(exchange.connect)) as watched:
            await exchange.until_subscribed(2)
            await exchange.tell(ETH, "201", "202")
            await watched.bid(ETH, "201")
            exchange.has(ETH, "205", "206")  # the stream is not told
            await watched.bid(ETH, "205")
            await exchange.tell(BTC, "300", "301")
            await watched.bid(BTC, "300")
            assert watched.of(ETH)[-1].bid == 205

    played(scene)


def test_a_quiet_market_is_asked_for_so_that_its_price_stays_young() -> None:
    async def scene(exchange: StandIn) -> None:
        async with running(made(exchange.connect, [BTC])) as watched:
            await exchange.until_subscribed()
            await watched.bid(BTC, "100.1", times=3)
            assert watched.feed.status.state is FeedState.RUNNING
            assert watched.feed.status.reconnects == 0
            ages = [later.at - earlier.at for earlier, later in zip(watched.shown, watched.shown[1:], strict=False)]
            assert min(ages) >= timedelta(seconds=0.15)

    played(scene, [BTC])


def test_one_who_only_streams_single_markets_is_listened_to_market_by_market() -> None:
    async def scene(exchange: StandIn) -> None:
        lacking = exchange.without(watchBidsAsks=False)
        async with running(made(lacking, [BTC, ETH], patience=STREAM_ONLY)) as watched:
            await exchange.until_subscribed(2)
            await exchange.tell(BTC, "300.5", "301")
            await exchange.tell(ETH, "200.5", "201")
            assert (await watched.bid(BTC, "300.5")).last == Decimal("300.5")
            await watched.bid(ETH, "200.5")

    played(scene, [BTC, ETH])


@pytest.mark.parametrize(
    ("lacks", "path"),
    [
        ({}, "bookTicker"),
        ({"fetchBidsAsks": False}, "24hr"),
        ({"fetchBidsAsks": "emulated", "fetchTickers": False}, "24hr"),
    ],
)
def test_one_without_streams_is_asked_in_the_best_way_it_has(lacks: dict[str, object], path: str) -> None:
    async def scene(exchange: StandIn) -> None:
        mute = exchange.without(watchBidsAsks=False, watchTicker=False, **lacks)
        async with running(made(mute, [BTC, ETH])) as watched:
            await watched.bid(ETH, "200.1")
            exchange.has(BTC, "123", "124")
            await watched.bid(BTC, "123")
            assert exchange.streams == {}
            assert exchange.times_asked(path) >= 2

    played(scene, [BTC, ETH])


# --- what is no price


def test_what_is_no_price_is_dropped_and_counted_and_nothing_of_it_is_shown() -> None:
    async def scene(exchange: StandIn) -> None:
        async with running(made(exchange.connect, [BTC, PERPETUAL], patience=STREAM_ONLY)) as watched:
            await watched.bid(BTC, "100.1")
            await exchange.until_subscribed(2)
            await watched.bid(PERPETUAL, "200.1")
            before = len(watched.shown)
            wrong = (("101", "100"), ("-1", "100"), ("NaN", "100"), (None, "100"), ("0", "100"), ("1", "100"))
            for number, (bid, ask) in enumerate((*wrong, ("1.00000000000000001", "1.1")), start=1):
                await exchange.tell(BTC, bid, ask)
                await watched.until(partial(lambda count: watched.feed.dropped.total() == count, number))
            await exchange.tell(PERPETUAL, "100", "101", milliseconds(ago=-3_600))
            await watched.until(lambda: watched.feed.dropped["future"] == 1)
            assert len(watched.shown) == before
            assert watched.feed.dropped == {
                "crossed": 1,
                "not_positive": 1,
                "not_a_number": 1,
                "one_sided": 2,  # ccxt tells a zero as nothing
                "absurd": 1,
                "too_many_digits": 1,
                "future": 1,
            }
            await exchange.tell(BTC, "102", "103")
            await watched.bid(BTC, "102")

    played(scene, [BTC, PERPETUAL])


def test_late_and_doubled_prices_are_not_shown_again() -> None:
    async def scene(exchange: StandIn) -> None:
        async with running(made(exchange.connect, [PERPETUAL], patience=STREAM_ONLY)) as watched:
            await exchange.until_subscribed()
            await watched.bid(PERPETUAL, "100.1")
            now = milliseconds()
            await exchange.tell(PERPETUAL, "101", "102", now)
            await watched.bid(PERPETUAL, "101")
            await exchange.stream_out(PERPETUAL)
            await exchange.tell(PERPETUAL, "99", "100", now - 5_000)
            await watched.until(lambda: watched.feed.dropped.total() == 1)
            await exchange.tell(PERPETUAL, "103", "104", now + 1)
            await watched.bid(PERPETUAL, "103")
            assert [quote.bid for quote in watched.shown[-2:]] == [101, 103]
            assert watched.feed.dropped == {"late": 1}

    played(scene, [PERPETUAL])


def test_messages_that_make_no_sense_are_survived() -> None:
    async def scene(exchange: StandIn) -> None:
        async with running(made(exchange.connect, [BTC])) as watched:
            await watched.bid(BTC, "100.1")
            await exchange.until_subscribed()
            await exchange.tell_raw("[1, 2]")  # ccxt breaks on it: the stream is opened anew
            await exchange.until_subscribed(2)
            for number, garbage in enumerate(("no JSON", "{}", '{"u": 1, "s": "NOSUCHCOIN", "b": "1", "a": "2"}')):
                await exchange.tell_raw(garbage)
                await exchange.tell(BTC, f"{number + 1}", f"{number + 1}.5")
                await watched.bid(BTC, f"{number + 1}")
            assert watched.feed.status.reconnects == 1
            exchange.says = "<html>we are sorry</html>"
            await watched.state(FeedState.DOWN)
            exchange.says = "[[]]"
            await exchange.until_asked("bookTicker", exchange.times_asked("bookTicker") + 2)
            exchange.says = None
            await watched.state(FeedState.RUNNING)

    played(scene, [BTC])


def test_prices_that_are_old_already_are_shown_with_their_age_and_the_source_is_down() -> None:
    async def scene(exchange: StandIn) -> None:
        exchange.has(PERPETUAL, "101", "102", milliseconds(ago=3_600))
        async with running(made(exchange.connect, [PERPETUAL])) as watched:
            quote = await watched.bid(PERPETUAL, "101")
            assert datetime.now(UTC) - quote.at > timedelta(minutes=59)
            await watched.state(FeedState.DOWN, f"no fresh price of {PERPETUAL}")
            assert watched.feed.status.since == quote.at + timedelta(seconds=QUICK.lost)
            await exchange.until_asked("bookTicker", 5)
            assert len(watched.shown) == 1

    played(scene, [PERPETUAL])


def test_a_clock_that_is_behind_is_named_as_the_reason() -> None:
    async def scene(exchange: StandIn) -> None:
        exchange.has(PERPETUAL, "101", "102", milliseconds())
        slow = FastClock(timedelta(seconds=-90))
        async with running(made(exchange.connect, [PERPETUAL], clock=slow)) as watched:
            await watched.state(FeedState.CONNECTING, "ahead of this machine's clock: set the clock")
            assert watched.shown == []
            slow.ahead = timedelta(0)
            exchange.has(PERPETUAL, "101", "102", milliseconds())
            await watched.bid(PERPETUAL, "101")

    played(scene, [PERPETUAL])


# --- what breaks


def test_a_stream_that_is_dropped_is_opened_again_and_prices_go_on_meanwhile() -> None:
    async def scene(exchange: StandIn) -> None:
        async with running(made(exchange.connect, [BTC])) as watched:
            await exchange.until_subscribed()
            exchange.refuses_streams = True
            await exchange.hang_up()
            exchange.has(BTC, "101", "102")
            await watched.bid(BTC, "101")
            await watched.until(lambda: watched.feed.status.reconnects >= 3)
            assert watched.feed.status.state is FeedState.RUNNING
            exchange.refuses_streams = False
            await exchange.until_subscribed(2)
            await exchange.tell(BTC, "103", "104")
            await watched.bid(BTC, "103")

    played(scene, [BTC])


def test_a_stream_that_falls_silent_is_taken_for_dead_and_opened_anew() -> None:
    async def scene(exchange: StandIn) -> None:
        silent = replace(STREAM_ONLY, silent=0.3)
        async with running(made(exchange.connect, [BTC], patience=silent)) as watched:
            await exchange.until_subscribed(3)
            assert watched.feed.status.reconnects >= 2
            assert len(exchange.streams) <= 2  # the dead ones are let go of

    played(scene, [BTC])


def test_a_source_that_is_lost_is_down_by_name_and_comes_back_by_itself() -> None:
    async def scene(exchange: StandIn) -> None:
        async with running(made(exchange.connect)) as watched:
            await watched.state(FeedState.RUNNING)
            began = watched.feed.status.since
            await exchange.until_subscribed(2)
            exchange.refuses, exchange.refuses_streams = 500, True
            await exchange.hang_up()
            await watched.state(FeedState.DOWN, BTC)
            await watched.state(FeedState.DOWN, PERPETUAL)
            last = watched.shown[-1].at
            assert watched.feed.status.since - last <= timedelta(seconds=QUICK.lost)
            exchange.refuses, exchange.refuses_streams = None, False
            await watched.state(FeedState.RUNNING)
            assert watched.feed.status.since > max(last, began)
            assert watched.feed.status.reconnects >= 2

    played(scene)


def test_a_group_that_is_lost_alone_is_named_alone() -> None:
    async def scene(exchange: StandIn) -> None:
        async with running(made(exchange.connect)) as watched:
            await watched.state(FeedState.RUNNING)
            exchange.has(PERPETUAL, None, None)
            await watched.state(FeedState.DOWN, PERPETUAL)
            assert f"no fresh price of {PERPETUAL} ({PERPETUAL}: no bid)" in watched.feed.status.detail
            assert ETH not in watched.feed.status.detail

    played(scene)


def test_an_exchange_that_asks_for_patience_is_left_alone_for_so_long() -> None:
    async def scene(exchange: StandIn) -> None:
        async with running(made(exchange.connect, [BTC, PERPETUAL])) as watched:
            await watched.bid(BTC, "100.1")
            await exchange.until_subscribed(2)
            exchange.refuses, exchange.retry_after = 429, "1"
            asked = exchange.times_asked("bookTicker")
            await watched.state(FeedState.DOWN)
            with pytest.raises(Wait, match="asked for patience") as wait:
                await watched.feed.bars(IDS[BTC], MINUTE, 5)
            assert wait.value.retry_after <= timedelta(seconds=1)
            assert exchange.times_asked("bookTicker") - asked <= 2
            # The stream is no question: it still tells.
            await exchange.tell(BTC, "101", "102")
            await watched.bid(BTC, "101")
            exchange.refuses = None
            await watched.bid(PERPETUAL, "200.1", times=2)

    played(scene, [BTC, PERPETUAL])


def test_an_exchange_that_is_not_there_yet_is_waited_for() -> None:
    async def scene(exchange: StandIn) -> None:
        exchange.refuses = 503
        async with running(made(exchange.connect, [BTC])) as watched:
            assert watched.feed.status.state is FeedState.CONNECTING
            await exchange.until_asked("exchangeInfo", 3)
            await watched.state(FeedState.CONNECTING, "ExchangeNotAvailable")
            exchange.refuses = None
            await watched.bid(BTC, "100.1")

    played(scene, [BTC])


def test_a_market_that_the_exchange_does_not_list_is_left_out_and_the_others_go_on() -> None:
    async def scene(exchange: StandIn) -> None:
        async with running(made(exchange.connect)) as watched:
            await watched.bid(BTC, "100.1")
            await watched.state(FeedState.RUNNING)
            assert {quote.instrument_id for quote in watched.shown} == {IDS[BTC]}
            questions = len(exchange.asked)
            with pytest.raises(GiveUp, match="does not list ETH/USDT"):
                await watched.feed.bars(IDS[ETH], MINUTE, 3)
            assert not any("klines" in asked for asked in exchange.asked[questions:])

    played(scene, [BTC])


def test_an_exchange_that_lists_nothing_of_ours_is_never_running() -> None:
    async def scene(exchange: StandIn) -> None:
        async with running(made(exchange.connect, [BTC])) as watched:
            await watched.state(FeedState.CONNECTING, "binance lists none of BTC/USDT")

    played(scene, [ETH])


@pytest.mark.parametrize("moment", ["loading", "subscribing", "running", "asking", "waiting"])
def test_cancelling_at_any_moment_closes_everything(moment: str) -> None:
    async def scene(exchange: StandIn) -> None:
        if moment == "loading":
            exchange.open.clear()
        async with running(made(exchange.connect)) as watched:
            match moment:
                case "loading":
                    await exchange.until_asked("exchangeInfo")
                case "subscribing":
                    await exchange.until_asked("bookTicker")
                case "running":
                    await exchange.until_subscribed(2)
                    await watched.state(FeedState.RUNNING)
                case "asking":
                    await exchange.until_subscribed(2)
                    exchange.open.clear()
                    await exchange.until_asked("bookTicker", exchange.times_asked("bookTicker") + 1)
                case _:
                    await exchange.until_subscribed(2)
                    exchange.refuses, exchange.refuses_streams = 500, True
                    await exchange.hang_up()
                    await watched.state(FeedState.DOWN)
        exchange.open.set()
        await watched.feed.close()  # again is harmless
        async with asyncio.timeout(5):
            while exchange.streams:
                await asyncio.sleep(0)

    played(scene)


# --- questions


def test_instruments_come_from_the_exchange_with_our_ids() -> None:
    async def scene(exchange: StandIn) -> None:
        exchange.markets[BTC].tick, exchange.markets[BTC].lot = "0.05", "0.0001"
        exchange.markets[ETH].status = "BREAK"
        feed: PriceFeed = made(exchange.connect)
        coin, halted, perpetual = await feed.describe()
        assert (coin.id, coin.symbol, coin.venue) == (IDS[BTC], BTC, "paper")
        assert [coin.tick_size, coin.lot_size, coin.min_notional] == [Decimal("0.05"), Decimal("0.0001"), 5]
        assert (coin.tradable, halted.tradable) == (True, False)
        assert (perpetual.id, perpetual.is_derivative) == (IDS[PERPETUAL], True)
        assert perpetual.max_leverage == 150
        exchange.markets[BTC].tick = "0.1"
        assert (await feed.describe())[0].tick_size == Decimal("0.1")
        await feed.close()

    played(scene)


def test_what_cannot_be_read_exactly_or_is_not_listed_is_left_out_of_the_instruments() -> None:
    async def scene(exchange: StandIn) -> None:
        exchange.markets[BTC].tick = "0"
        feed = made(exchange.connect)
        assert [each.symbol for each in await feed.describe()] == [PERPETUAL]
        exchange.markets[PERPETUAL].lot = "0"
        with pytest.raises(GiveUp, match="trades none of BTC/USDT, ETH/USDT, BTC/USDT:USDT"):
            await feed.describe()
        exchange.refuses = 500
        with pytest.raises(TryAgain):
            await feed.describe()
        await feed.close()

    played(scene, [BTC, PERPETUAL])


def test_the_past_is_asked_for_without_the_bar_that_is_not_over() -> None:
    async def scene(exchange: StandIn) -> None:
        minute = milliseconds() // 60_000 * 60_000
        exchange.markets[BTC].bars = [
            [minute + 60_000 * back, "10.5", "12", f"{9 + back / 100:.2f}", "11", "3.25"] for back in range(-5, 1)
        ]
        exchange.markets[BTC].bars[2][1] = "0"
        feed = made(exchange.connect, [BTC])
        bars = await feed.bars(IDS[BTC], MINUTE, 3)
        assert bars[-1] == Bar(
            *(IDS[BTC], datetime.fromtimestamp(minute / 1000, UTC) - MINUTE, MINUTE),
            *(Decimal("10.5"), Decimal(12), Decimal("8.99"), Decimal(11), Decimal("3.25")),
        )
        assert len(bars) == 2  # the third made no sense, and is counted
        assert feed.dropped == {"bad_bar": 1}
        assert await feed.bars(IDS[BTC], MINUTE, 0) == ()
        with pytest.raises(Illegal, match="interval"):
            await feed.bars(IDS[BTC], timedelta(seconds=1), 3)
        with pytest.raises(Illegal, match="instrument"):
            await feed.bars(IDS[ETH], MINUTE, 3)
        with pytest.raises(GiveUp, match="keeps no bars of 0:07:00"):
            await feed.bars(IDS[BTC], 7 * MINUTE, 3)
        exchange.refuses = 500
        with pytest.raises(TryAgain):
            await feed.bars(IDS[BTC], timedelta(hours=4), 3)
        with pytest.raises(TryAgain):
            await feed.bars(IDS[BTC], timedelta(days=1), 3)
        await feed.close()

    played(scene, [BTC])


def test_it_says_which_exchange_it_is_and_promises_prices_and_spreads() -> None:
    async def scene(exchange: StandIn) -> None:
        feed = made(exchange.connect)
        assert feed.label == "Live (binance)"
        assert (feed.facts.name, feed.facts.interval) == ("live", None)
        assert feed.facts.declares == {Fact.PRICE, Fact.SPREAD}
        await feed.close()

    played(scene)


# --- ccxt


def test_the_desk_goes_on_while_the_list_of_markets_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """ccxt takes half a second for a large exchange: both of its steps are held here until the desk has had a turn."""
    desk: list[asyncio.AbstractEventLoop] = []
    went_on: list[bool] = []

    def held(name: str, step: Callable[..., object]) -> None:
        def hold(exchange: object, *of: object) -> object:
            turn = threading.Event()
            desk[0].call_soon_threadsafe(turn.set)
            went_on.append(turn.wait(1))
            return step(exchange, *of)

        monkeypatch.setattr(binance, name, hold)

    async def scene(exchange: StandIn) -> None:
        desk.append(asyncio.get_running_loop())
        feed = made(exchange.connect)
        assert len(await feed.describe()) == 3
        assert await feed.bars(IDS[BTC], MINUTE, 1) == ()  # the feed's own list
        await feed.close()

    binance: Any = importlib.import_module("ccxt.pro").binance
    held("parse_market", binance.parse_market)
    held("set_markets", binance.set_markets)
    played(scene)
    assert len(went_on) > 2 * 3, "each market was read in both lists"
    assert all(went_on)


def test_of_the_list_only_what_is_wanted_is_kept_and_what_goes_by_the_same_id() -> None:
    async def scene(exchange: StandIn) -> None:
        wire = exchange.connect(NAME, [ETH, PERPETUAL])
        await wire.load()
        connection = wire.fresh()
        for knows in (wire, connection):
            assert [symbol for symbol in exchange.markets if knows.market(symbol)] == [BTC, ETH, PERPETUAL]
        tops = {str(one["symbol"]): one["bid"] for one in await wire.tops([PERPETUAL])}
        assert tops == {PERPETUAL: "300.1"}
        await connection.close()
        await wire.close()

    played(scene, [BTC, ETH, PERPETUAL, "SOL/USDT", "SOL/USDT:USDT"])


def test_only_the_kinds_of_markets_that_are_wanted_are_loaded() -> None:
    async def scene(exchange: StandIn) -> None:
        await made(exchange.connect, [BTC]).describe()
        assert exchange.asked == ["/spot/exchangeInfo"]
        await made(exchange.connect, [PERPETUAL]).describe()
        assert exchange.asked[1:] == ["/futures/exchangeInfo"]

    played(scene)


def test_the_real_exchange_is_known_and_nothing_is_sent_before_a_question_is_asked() -> None:
    async def main() -> None:
        for name in ("binance", "bybit", "okx", "kraken"):
            wire = connect(name, ["BTC/USDT", "BTC/USDT:USDT", "BTC/USD:BTC"])
            assert wire.market("BTC/USDT") is None
            assert "1m" in wire.timeframes
            assert wire.precision_mode == 4
            await wire.close()

    asyncio.run(main())


def test_an_exchange_that_nobody_knows_is_refused_when_the_feed_is_made() -> None:
    with pytest.raises(CommandRefused, match="exchange_unknown") as refused:
        LiveFeed("no-such", {IDS[BTC]: BTC}, "paper", SystemClock(), random.Random(0))
    assert "binance" in refused.value.refusals[0].remedy


def test_without_ccxt_no_wire_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ccxt.pro", None)
    with pytest.raises(CommandRefused, match="ccxt_missing"):
        connect(NAME, [BTC])


def test_an_answer_that_holds_no_tickers_is_no_price() -> None:
    assert tickers_in(None) == tickers_in([1, 2]) == tickers_in({"BTC/USDT": "?"}) == []


def run_alone(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    return done.stdout.strip() + done.stderr.strip()


def test_importing_live_prices_does_not_import_ccxt() -> None:
    assert run_alone("import sys, plimsoll.market.live; print('ccxt' in sys.modules)") == "False"


def test_without_ccxt_the_remedy_is_named() -> None:
    program = (
        "import sys, random\n"
        "sys.modules['ccxt'] = None\n"
        "from plimsoll.market.live import LiveFeed\n"
        "from plimsoll.model.clock import SystemClock\n"
        "from plimsoll.model.errors import CommandRefused\n"
        "try:\n"
        "    LiveFeed('binance', {1: 'BTC/USDT'}, 'paper', SystemClock(), random.Random(0))\n"
        "except CommandRefused as refused:\n"
        "    print(refused.refusals[0].code, refused.refusals[0].remedy)\n"
    )
    assert run_alone(program) == "ccxt_missing pip install 'plimsoll-desk[crypto]'"


def test_waits_double_are_jittered_and_end_at_the_longest() -> None:
    async def main() -> list[float]:
        waits: list[float] = []
        feed = made(partial(connect, settings={}), patience=Patience(first_wait=1, longest_wait=8))

        async def noted(seconds: float) -> None:
            waits.append(seconds)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(asyncio, "sleep", noted)
            for failures in range(6):
                await feed._wait(failures, TryAgain("no"))
            await feed._wait(1_000_000, None)
            await feed._wait(0, GiveUp("never"))
            await feed._wait(0, Wait("later", timedelta(seconds=99)))
        await feed.close()
        return waits

    waits = asyncio.run(main())
    for wait, longest in zip(waits, [1, 2, 4, 8, 8, 8, 8, 8], strict=False):
        assert longest / 2 <= wait <= longest
    assert len(set(waits)) == len(waits)
    assert waits[-1] == 99
