"""The exchange's prices as a feed of the desk: read by the same parser as a live exchange's, and dropped where it says.

A stream of best prices tells no time of its own (Binance spot's `bookTicker` does not), so a price is dated by our
clock when it comes, as the live feed dates it. A clock that is set back makes the next prices older than the last one:
they are dropped until it has caught up, and the desk has no fresh price for as long.

What must not enter: a price made up, and a second look at one that the parser took.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Protocol

from plimsoll.market.feed import FeedState, FeedStatus, TakeBar, TakeQuote
from plimsoll.market.live.feed import Patience
from plimsoll.market.live.parse import Told, Unusable, quote_of
from plimsoll.model.clock import Clock
from plimsoll.model.ids import InstrumentId
from plimsoll.model.instrument import Instrument
from plimsoll.model.quote import Bar, Fact, Quote, SourceFacts
from plimsoll.runtime.logging import logger

log = logger("sim_feed")

_LOST_SECONDS = Patience().lost


class Prices(Protocol):
    """A line that prices come over."""

    def listen(self, hear: Callable[[dict[str, object]], None]) -> Callable[[], None]:
        """Tell `hear` of every price from now on; the answer ends it."""


class SimFeed:
    """Prices of some markets of the simulated exchange."""

    def __init__(self, prices: Prices, instruments: Iterable[Instrument], clock: Clock) -> None:
        self._instruments = tuple(instruments)
        self._ids = {instrument.symbol: instrument.id for instrument in self._instruments}
        self._prices = prices
        self._clock = clock
        self._last: dict[InstrumentId, Quote] = {}
        self._newest: datetime | None = None
        self._dropped: Counter[str] = Counter()
        self._made_at = clock.now()

    @property
    def facts(self) -> SourceFacts:
        return SourceFacts("live", frozenset({Fact.PRICE, Fact.SPREAD}))

    @property
    def label(self) -> str:
        return "Live (simulated)"

    @property
    def dropped(self) -> Counter[str]:
        """Count what was not passed on, by reason."""
        return self._dropped.copy()

    @property
    def status(self) -> FeedStatus:
        if self._newest is None:
            return FeedStatus(FeedState.CONNECTING, self._made_at, "no price has come yet")
        lost_at = self._newest + timedelta(seconds=_LOST_SECONDS)
        if self._clock.now() > lost_at:
            return FeedStatus(FeedState.DOWN, lost_at, "no fresh price")
        return FeedStatus(FeedState.RUNNING, self._made_at)

    async def describe(self) -> tuple[Instrument, ...]:
        """Give the instruments; the exchange lists them by the rules of the desk's own table."""
        return self._instruments

    async def run(self, take: TakeQuote, take_bar: TakeBar) -> None:
        """Show every price from now on, until cancelled; the exchange tells no bars."""
        del take_bar

        def hear(told: dict[str, object]) -> None:
            quote = self._read(told)
            if quote is not None:
                take(quote)

        stop = self._prices.listen(hear)
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            stop()

    async def bars(self, instrument_id: InstrumentId, interval: timedelta, limit: int) -> tuple[Bar, ...]:
        """Give no bars: the exchange keeps none."""
        del instrument_id, interval, limit
        return ()

    async def close(self) -> None:
        """Hold nothing."""

    def _read(self, told: dict[str, object]) -> Quote | None:
        """Read a price; None where it is none, is older than the last one, or is of a market that nobody asked for."""
        instrument_id = self._ids.get(str(told.get("symbol")))
        if instrument_id is None:
            return None
        now = self._clock.now()
        words: Told = {**{name: told.get(name) for name in ("bid", "ask", "last")}, "markPrice": told.get("mark")}
        try:
            quote = quote_of(words, instrument_id, now, now)
        except Unusable as unusable:
            if not self._dropped[unusable.reason]:
                log.warning("price_dropped", symbol=told["symbol"], reason=unusable.reason, detail=str(unusable))
            self._dropped[unusable.reason] += 1
            return None
        last = self._last.get(instrument_id)
        if last is not None and quote.at < last.at:
            self._dropped["late"] += 1
            return None
        self._last[instrument_id] = quote
        self._newest = quote.at if self._newest is None else max(self._newest, quote.at)
        return quote
