"""The synthetic market served in real time: one price a second, for a desk that has no exchange to ask.

Rule 1. A price is a function of seed, origin and time, and of nothing else. After a restart, or on another machine, the
        same second has the same price and the past the same bars, so that a chart never contradicts the trades on it.
Rule 2. The bars of the past are exactly those that the ticks would have made: a minute opens with its first tick and
        closes with its last one, at second 59.
Rule 3. Any day is found without walking all those before it. A walk in steps of six hours gives each day's opening
        price; within the day a walk of its own in steps of 15 s is bent, in ratio, to end where the next day opens.
        One walk from the origin on would take 4.4 s per pair for every year that the desk is old; this takes 10 ms.
Rule 4. The pair decides the path: BTC/USDT and its perpetual stand at the same price, each on its own tick.

Where the desk's clock stands before the origin there is no market yet, and nothing is shown.

Units: prices in 10⁻¹⁸ of the quote currency, time in whole seconds since the origin.
"""

import asyncio
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache

from plimsoll.market.feed import FeedState, FeedStatus, TakeBar, TakeQuote
from plimsoll.market.gather import MINUTE, check_interval, grid_start
from plimsoll.market.pace import until
from plimsoll.market.synthetic import STEPS_PER_BAR, Walk
from plimsoll.model.clock import Clock, check_time
from plimsoll.model.errors import Illegal
from plimsoll.model.ids import InstrumentId
from plimsoll.model.instrument import Instrument
from plimsoll.model.money import PLACES
from plimsoll.model.quote import Bar, Fact, Quote, SourceFacts

_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)
_SECONDS_PER_STEP = 15
_STEPS_PER_DAY = 1440 * STEPS_PER_BAR
#: A walked day is a quarter of a megabyte; today's, yesterday's, and one that somebody looks at.
_DAYS_KEPT = 3
#: ask − bid, in ticks.
_SPREAD_TICKS = 2
#: Where a pair begins, in its quote currency: near enough to be recognised.
_FIRST_PRICES = {"BTC": 60_000, "ETH": 3_000, "SOL": 150}
_FIRST_PRICE = 100


class _Path:
    """The price of one pair, from the origin on."""

    def __init__(self, seed: int, instrument: Instrument) -> None:
        self._seed = f"{seed}:{instrument.base}/{instrument.quote}"
        first: int = _FIRST_PRICES.get(instrument.base, _FIRST_PRICE) * 10**PLACES
        # What this market is, is decided by its seed alone: no secret hangs on it.
        self._days = Walk(random.Random(f"{self._seed}:days"), first, _DAY)  # noqa: S311
        self._opens = [first]
        self._walked: dict[int, Sequence[int]] = {}
        #: Long bars do not change any more and are asked for with every look at a chart: 1 s of walking for 500.
        self.over = lru_cache(maxsize=2_048)(self._over)

    def has_walked(self, day: int) -> bool:
        return day in self._walked

    def at_second(self, second: int) -> int:
        """Give the price of a second: on the straight line between the two steps around it."""
        step, into = divmod(second, _SECONDS_PER_STEP)
        before = self._at_step(step)
        return before + (self._at_step(step + 1) - before) * into // _SECONDS_PER_STEP

    def _over(self, second: int, seconds: int) -> tuple[int, int, int, int]:
        """Give the first, highest, lowest and last tick of a span that begins on a step."""
        first, count = second // _SECONDS_PER_STEP, seconds // _SECONDS_PER_STEP
        steps: list[int] = []
        while len(steps) < count:
            day, into = divmod(first + len(steps), _STEPS_PER_DAY)
            steps += self._day(day)[into : into + count - len(steps)]
        # Ticks lie on straight lines between steps, so none but the last one can stand outside of them.
        last = self.at_second(second + seconds - 1)
        return steps[0], max(*steps, last), min(*steps, last), last

    def _at_step(self, step: int) -> int:
        day, into = divmod(step, _STEPS_PER_DAY)
        return self._day(day)[into]

    def _opening(self, day: int) -> int:
        while len(self._opens) <= day:
            for _ in range(STEPS_PER_BAR):
                self._days.step()
            self._opens.append(self._days.ticks)
        return self._opens[day]

    def _day(self, day: int) -> Sequence[int]:
        """Give all steps of a day; the next one begins where the last of them leads to."""
        walked = self._walked.pop(day, None)
        if walked is None:
            walked = self._walk(day)
            while len(self._walked) >= _DAYS_KEPT:
                del self._walked[next(iter(self._walked))]
        self._walked[day] = walked  # now the one used last
        return walked

    def _walk(self, day: int) -> Sequence[int]:
        opening, closing = self._opening(day), self._opening(day + 1)
        walk = Walk(random.Random(f"{self._seed}:{day}"), opening, MINUTE)  # noqa: S311  as above
        free = [opening, *(walk.step() for _ in range(_STEPS_PER_DAY))]
        # Bent in ratio and not by an amount: what is above zero stays above it.
        missed, whole = closing - free[-1], free[-1] * _STEPS_PER_DAY
        return [price * (whole + missed * step) // whole for step, price in enumerate(free[:-1])]


class SyntheticFeed:
    """A seeded market for a fixed set of instruments. `origin` is a whole minute, some hours before its first use."""

    def __init__(self, instruments: Sequence[Instrument], seed: int, origin: datetime, clock: Clock) -> None:
        if grid_start(check_time(origin, "origin"), MINUTE) != origin:
            raise Illegal("origin", origin, "give a whole minute")
        self._instruments = tuple(instruments)
        self._origin = origin
        self._clock = clock
        pairs = {(each.base, each.quote): _Path(seed, each) for each in instruments}
        self._paths = {each.id: pairs[each.base, each.quote] for each in instruments}
        self._ticks = {each.id: (each.tick_size, int(each.tick_size.scaleb(PLACES))) for each in instruments}
        self._status = FeedStatus(FeedState.CONNECTING, clock.now(), "nobody has asked for prices yet")

    @property
    def facts(self) -> SourceFacts:
        return SourceFacts("synthetic", frozenset({Fact.PRICE, Fact.SPREAD}), _SECOND)

    @property
    def label(self) -> str:
        return "Demo (synthetic)"

    @property
    def status(self) -> FeedStatus:
        return self._status

    async def describe(self) -> tuple[Instrument, ...]:
        """Give the instruments as they were given: there is no exchange that could say otherwise."""
        return self._instruments

    async def run(self, take: TakeQuote, take_bar: TakeBar) -> None:  # noqa: ARG002  a source of ticks tells no bars
        """Show one quote a second for each instrument. Seconds that the machine slept through are not made up for."""
        if self._clock.now() < self._origin:
            detail = f"this market begins at {self._origin.isoformat()}: look at the machine's clock"
            self._status = FeedStatus(FeedState.CONNECTING, self._clock.now(), detail)
            await until(self._clock, self._origin)
        self._status = FeedStatus(FeedState.RUNNING, self._clock.now())
        while True:
            second = max((self._clock.now() - self._origin) // _SECOND, 0)  # it may be set back at any moment
            for instrument in self._instruments:
                take(self._quote(instrument.id, second))
            await until(self._clock, self._origin + (second + 1) * _SECOND)

    async def bars(self, instrument_id: InstrumentId, interval: timedelta, limit: int) -> tuple[Bar, ...]:
        """Give the last whole bars since the origin, on the grid of UTC.

        Refuses: an interval that is not a whole number of minutes; an instrument that this market does not have
        Raises:  Illegal
        """
        check_interval(interval)
        path = self._paths.get(instrument_id)
        if path is None:
            raise Illegal("instrument_id", instrument_id, "ask for an instrument of this market")
        end = grid_start(self._clock.now(), interval)
        first = grid_start(self._origin + interval - timedelta.resolution, interval)
        found: list[Bar] = []
        for number in range(min(limit, (end - first) // interval), 0, -1):
            start = end - number * interval
            if not path.has_walked((start - self._origin) // _DAY):
                await asyncio.sleep(0)  # walking a day takes 10 ms: let orders through between two of them
            found.append(self._bar(instrument_id, start, interval))
        return tuple(found)

    async def close(self) -> None:
        """There is nothing to let go of."""

    def _quote(self, instrument_id: InstrumentId, second: int) -> Quote:
        bid = self._on_tick(instrument_id, self._paths[instrument_id].at_second(second))
        return Quote(instrument_id, self._origin + second * _SECOND, bid, bid + self._spread(instrument_id), bid)

    def _bar(self, instrument_id: InstrumentId, start: datetime, interval: timedelta) -> Bar:
        span = self._paths[instrument_id].over((start - self._origin) // _SECOND, interval // _SECOND)
        first, high, low, close = (self._on_tick(instrument_id, price) for price in span)
        spread = self._spread(instrument_id)
        return Bar(instrument_id, start, interval, first, high, low, close, open_spread=spread, close_spread=spread)

    def _on_tick(self, instrument_id: InstrumentId, price: int) -> Decimal:
        tick, units = self._ticks[instrument_id]
        return max(price // units, 1) * tick

    def _spread(self, instrument_id: InstrumentId) -> Decimal:
        return _SPREAD_TICKS * self._ticks[instrument_id][0]
