"""A paper venue on the virtual loop, with a market that a test moves by hand, and a switch that kills it."""

import random
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Protocol

from plimsoll.model.ids import AccountId, InstrumentId
from plimsoll.model.instrument import AssetType, Instrument
from plimsoll.model.order import Side, TimeInForce
from plimsoll.model.quote import Bar, Fact, Moment, Quote, SourceFacts
from plimsoll.model.trade import TradeReport
from plimsoll.model.venue import VenueAccount, VenueEvent
from plimsoll.runtime.virtual_loop import VirtualClock, run_virtual
from plimsoll.store.drivers import LoopDriver
from plimsoll.store.hot import HotKey
from plimsoll.store.place import Place, SqlitePlace
from plimsoll.store.scribe import Scribe
from plimsoll.venues.paper.books import open_scribe
from plimsoll.venues.paper.rules import PaperRules
from plimsoll.venues.paper.venue import PaperVenue
from plimsoll.venues.protocol import Placed
from tests.builders.approved import ACCOUNT, approved

D = Decimal
START = datetime(2022, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

SPOT = Instrument(
    InstrumentId(1), "BTC/USDT", "paper", AssetType.CRYPTO, "BTC", "USDT", "USDT", D("0.01"), D("0.00000001"),
)  # fmt: skip
PERPETUAL = Instrument(
    InstrumentId(2), "BTC/USDT:USDT", "paper", AssetType.PERPETUAL, "BTC", "USDT", "USDT", D("0.1"), D("0.001"),
    max_leverage=D(10),
)  # fmt: skip
#: Traded in whole coins from two on, and from 50 USDT on.
COARSE = Instrument(
    InstrumentId(4), "ETH/USDT", "paper", AssetType.CRYPTO, "ETH", "USDT", "USDT", D(1), D(1),
    min_quantity=D(2), min_notional=D(50),
)  # fmt: skip
CLOSED = Instrument(
    InstrumentId(5), "OLD/USDT", "paper", AssetType.CRYPTO, "OLD", "USDT", "USDT", D(1), D(1), tradable=False,
)  # fmt: skip
INVERSE = Instrument(
    InstrumentId(3), "BTC/USD:BTC", "paper", AssetType.PERPETUAL, "BTC", "USD", "BTC", D("0.5"), D(1),
    inverse=True, max_leverage=D(10),
)  # fmt: skip
INSTRUMENTS = {instrument.id: instrument for instrument in (SPOT, PERPETUAL, INVERSE, COARSE, CLOSED)}

LIVE = SourceFacts("live", frozenset(Fact))
BARS = SourceFacts("replay", frozenset({Fact.PRICE}), MINUTE)


class PaperWorld:
    """One venue, its books, and everything it said."""

    def __init__(self, place: Place, clock: VirtualClock, rules: PaperRules, seed: int, source: SourceFacts) -> None:
        self.place, self.clock, self.rules, self.source = place, clock, rules, source
        self.chance = random.Random(seed)
        self.heard: list[VenueEvent] = []
        self.failures: list[BaseException] = []
        self._scribes: list[Scribe] = []
        self.venue = self._start()

    def _start(self) -> PaperVenue:
        scribe = open_scribe(self.place)
        self._scribes.append(scribe)
        self.driver = LoopDriver(scribe, on_failure=self.failures.append)
        venue = PaperVenue(self.driver, INSTRUMENTS, self.clock, self.chance, self.rules, self.source)
        venue.listen(ACCOUNT, self.heard.extend)
        return venue

    def restart(self) -> None:
        """Kill the venue where it stands and start another on the same books; the prices are not remembered."""
        self.venue = self._start()

    def fresh_hot_state(self) -> dict[HotKey, object]:
        """Read the hot state from the books, as a start would."""
        scribe = open_scribe(self.place)
        self._scribes.append(scribe)
        return scribe.hot.snapshot()

    def close(self) -> None:
        for scribe in self._scribes:
            scribe.close()

    async def quote(
        self, bid: str, ask: str | None = None, *, of: Instrument = SPOT, moment: Moment = Moment.LIVE
    ) -> None:
        """Show a quote of this moment."""
        low, high = D(bid), D(ask or bid)
        await self.venue.on_quote(Quote(of.id, self.clock.now(), low, high, low, moment=moment))

    async def minute(
        self, prices: str, *, of: Instrument = SPOT, then: Sequence[Coroutine[object, object, object]] = ()
    ) -> Bar:
        """Play one bar `open high low close` from now on; `then` happens right after its open."""
        first, high, low, last = map(D, prices.split())
        bar = Bar(of.id, self.clock.now(), MINUTE, first, high, low, last)
        await self.venue.on_quote(bar.open_quote())
        for step in then:
            await step
        await self.clock.sleep_until(bar.end)
        await self.venue.on_bar(bar)
        await self.venue.on_quote(bar.close_quote())
        return bar

    async def buy(
        self, key: str, quantity: str, *, of: Instrument = SPOT, price: str | None = None, stop: str | None = None
    ) -> Placed:
        return await self.venue.place(approved(key, Side.BUY, quantity, of, price=price, stop=stop))

    async def sell(
        self, key: str, quantity: str, *, of: Instrument = SPOT, price: str | None = None, stop: str | None = None
    ) -> Placed:
        return await self.venue.place(approved(key, Side.SELL, quantity, of, price=price, stop=stop))

    async def close_position(self, key: str, side: Side, quantity: str, of: Instrument = PERPETUAL) -> Placed:
        return await self.venue.place(approved(key, side, quantity, of, reduce_only=True))

    async def at_once(self, key: str, side: Side, quantity: str, price: str, tif: TimeInForce) -> Placed:
        return await self.venue.place(approved(key, side, quantity, SPOT, price=price, time_in_force=tif))

    async def account(self) -> VenueAccount:
        return await self.venue.account(ACCOUNT)

    async def balance(self, asset: str) -> Decimal:
        """Sum what the account holds of an asset, in all pockets."""
        return sum((line.total for line in (await self.account()).balances if line.asset == asset), D(0))

    async def all_trades(self) -> list[TradeReport]:
        """Read every page."""
        found, cursor, complete = list[TradeReport](), 0, False
        while not complete:
            page = await self.venue.trades_since(ACCOUNT, cursor)
            found, cursor, complete = [*found, *page.trades], page.cursor, page.complete
        return found


class Story(Protocol):
    """What happens in one test."""

    def __call__(self, world: PaperWorld, /) -> Coroutine[object, object, object]: ...


def play(
    where: Path | Place,
    story: Story,
    *,
    rules: PaperRules | None = None,
    seed: int = 0,
    source: SourceFacts = LIVE,
    cash: str = "10000",
    account_id: AccountId = ACCOUNT,
) -> None:
    """Run a story with an open account of so many USDT, and look at the end whether memory equals the books."""
    place = SqlitePlace(where) if isinstance(where, Path) else where

    async def main(clock: VirtualClock) -> None:
        world = PaperWorld(place, clock, rules or PaperRules(), seed, source)
        try:
            await world.venue.open_account(account_id, "USDT")
            await world.venue.deposit(account_id, "USDT", D(cash), reference="start")
            await story(world)
            assert world.failures == []
            assert world.driver.hot.snapshot() == world.fresh_hot_state(), "Invariant: memory equals the books"
        finally:
            world.close()

    run_virtual(main, start=START)
