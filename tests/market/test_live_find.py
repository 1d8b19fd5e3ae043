"""Which exchange can be reached: asked once, all at the same time, and never for long."""

import asyncio
import logging
import time
from collections.abc import Collection, Iterator
from contextlib import AsyncExitStack

import pytest

from plimsoll.market.live import find_live
from plimsoll.market.live.wire import Wire
from plimsoll.model.errors import CommandRefused
from tests.builders.exchange import BTC, PERPETUAL, StandIn, nobody


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Asking in vain leaves no trace in the log."""
    with caplog.at_level(logging.WARNING):
        yield
    assert caplog.records == []


class World:
    """Exchanges of several names, each a stand-in of its own. One that is named here is spoken to as Binance is."""

    def __init__(self, **exchanges: StandIn) -> None:
        self.exchanges = exchanges
        #: These have no perpetuals.
        self.only_spot: set[str] = set()
        #: These tell no time.
        self.no_time: set[str] = set()

    def connect(self, exchange_id: str, symbols: Collection[str]) -> Wire:
        has = {"swap": exchange_id not in self.only_spot, "fetchTime": exchange_id not in self.no_time}
        return self.exchanges[exchange_id].connect("binance", symbols, has=has)

    async def find(self, *symbols: str, seconds: float = 4) -> str | None:
        return await find_live(symbols, tuple(self.exchanges), timeout_seconds=seconds, connect=self.connect)


async def opened(stack: AsyncExitStack) -> StandIn:
    return await stack.enter_async_context(StandIn())


def test_the_first_that_answers_wins_whatever_the_others_do() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            slow, broken, good = [await opened(stack) for _ in range(3)]
            absent = await stack.enter_async_context(nobody())
            slow.open.clear()
            broken.refuses = 451
            world = World(slow=slow, broken=broken, absent=absent, good=good)
            began = time.monotonic()
            assert await world.find(BTC, PERPETUAL) == "good"
            assert time.monotonic() - began < 2
            assert slow.asked == ["/spot/time"]

    asyncio.run(main())


def test_offline_is_found_out_at_once_and_without_a_word() -> None:
    async def main() -> None:
        async with nobody() as one, nobody() as other:
            began = time.monotonic()
            assert await World(one=one, other=other).find(BTC, PERPETUAL) is None
            assert time.monotonic() - began < 2

    asyncio.run(main())


def test_nobody_is_waited_for_longer_than_allowed() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            hung = await opened(stack)
            hung.open.clear()
            began = time.monotonic()
            assert await World(hung=hung).find(BTC, seconds=0.3) is None
            assert time.monotonic() - began < 2
            hung.open.set()

    asyncio.run(main())


def test_one_that_lacks_a_kind_of_market_is_taken_only_when_no_other_answers() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            fast, whole = await opened(stack), await opened(stack)
            world = World(fast=fast, whole=whole)
            world.only_spot = {"fast"}
            whole.open.clear()
            asked = asyncio.ensure_future(world.find(BTC, PERPETUAL))
            await fast.until_asked("time")
            await whole.until_asked("time")
            whole.open.set()
            assert await asked == "whole"
            whole.refuses = 500
            assert await world.find(BTC, PERPETUAL) == "fast"
            whole.refuses = None
            whole.open.clear()
            assert await world.find(BTC, PERPETUAL, seconds=0.3) == "fast"
            # Where only coins are wanted it lacks nothing, and is not kept waiting for the other.
            assert await world.find(BTC) == "fast"
            whole.open.set()

    asyncio.run(main())


def test_one_that_tells_no_time_answers_with_its_markets() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            timeless = await opened(stack)
            world = World(timeless=timeless)
            world.no_time = {"timeless"}
            assert await world.find(BTC) == "timeless"
            assert timeless.asked == ["/spot/exchangeInfo"]

    asyncio.run(main())


def test_giving_up_while_they_are_asked_lets_go_of_them() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            hung = await opened(stack)
            hung.open.clear()
            asked = asyncio.ensure_future(World(hung=hung).find(BTC))
            await hung.until_asked("time")
            asked.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asked
            hung.open.set()

    asyncio.run(main())


def test_an_exchange_that_nobody_knows_is_refused() -> None:
    with pytest.raises(CommandRefused, match="exchange_unknown"):
        asyncio.run(find_live([BTC], ["no-such-exchange"], timeout_seconds=1))


def test_no_candidate_is_no_exchange() -> None:
    assert asyncio.run(find_live([BTC], [], timeout_seconds=1)) is None
