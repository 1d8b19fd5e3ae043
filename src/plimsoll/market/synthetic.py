"""A seeded market that never was, for offline use; its source is called `synthetic` wherever its prices are shown.

A random walk in ratios whose volatility comes in clusters, with a crash now and then and a weak pull back to where it
began. Everything is counted in whole numbers: the same seed gives the same text on every machine, where the logarithms
and roots of a C library would differ in the last digit. The draws of a bar do not depend on how many follow, so a
longer market begins with the shorter one.

Units: ratios in parts per billion (10⁻⁹); prices as ticks × 2²⁰, so that small moves on a coarse tick add up.

What must not enter: floats, and anything that could pass these prices off as recorded ones.
"""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from math import isqrt

from plimsoll.model.errors import Illegal
from plimsoll.model.ids import InstrumentId
from plimsoll.model.money import is_multiple
from plimsoll.model.quote import Bar, Fact, SourceFacts

_BILLION = 10**9
_TICK = 1 << 20
STEPS_PER_BAR = 4
_MINUTE = timedelta(minutes=1)
_MICROSECOND = timedelta(microseconds=1)
#: 0.083 % a minute, 60 % a year; a bar's variance is proportional to its length.
_VARIANCE_PER_MINUTE = 830_000**2
_MOST_VARIANCE_PER_STEP = 20_000_000**2
#: Of the next variance, in hundredths: from the long run, from the step just made, from the variance before.
_FROM_LONG_RUN, _FROM_STEP, _FROM_BEFORE = 4, 10, 86
#: A step never takes more than this share of the price, up or down.
_MOST_PER_STEP = _BILLION // 10
#: The part of the distance to the first price that a step makes good.
_PULL = 1 << 14


def synthetic_facts(interval: timedelta) -> SourceFacts:
    """Say what the synthetic market promises: prices, and nothing else."""
    return SourceFacts("synthetic", frozenset({Fact.PRICE}), interval)


def synthetic_bars(  # noqa: PLR0917  one line of plain facts, all of different types but the last two
    seed: int,
    instrument_id: InstrumentId,
    start: datetime,
    interval: timedelta,
    count: int,
    first_price: Decimal,
    tick: Decimal,
) -> Iterator[Bar]:
    """Give `count` bars of the market that belongs to this seed, price, tick and interval.

    Refuses: a price that is not a whole number of ticks above zero, an interval of no length, a start without a zone
    Raises:  Illegal
    """
    if tick <= 0 or not tick.is_finite():
        raise Illegal("tick", tick, "give a step above zero")
    if not first_price.is_finite() or first_price <= 0 or not is_multiple(first_price, tick):
        raise Illegal("first_price", first_price, f"give a whole number of ticks of {tick}, above zero")
    if interval <= timedelta(0):
        raise Illegal("interval", interval, "give a length above zero")
    if start.tzinfo is None:
        raise Illegal("start", start, "give a time with its zone")
    if count < 0:
        raise Illegal("count", count, "give a number of bars")
    # What these bars are is decided by the seed alone: no secret hangs on it.
    walk = Walk(random.Random(seed), int(first_price // tick), interval)  # noqa: S311
    return (walk.bar(instrument_id, start + number * interval, interval, tick) for number in range(count))


class Walk:
    """Where the price stands, how wildly it moves, and how much of a crash is still to come."""

    def __init__(self, chance: random.Random, first_ticks: int, interval: timedelta) -> None:
        self._chance = chance
        self._anchor = self._price = first_ticks * _TICK
        # In whole microseconds: a timedelta times a number this large overflows.
        per_bar = _VARIANCE_PER_MINUTE * (interval // _MICROSECOND) // (_MINUTE // _MICROSECOND)
        long_run = max(1, per_bar // STEPS_PER_BAR)
        self._long_run = self._variance = min(long_run, _MOST_VARIANCE_PER_STEP)
        self._crash_steps = 0
        self._crash_per_step = 0

    @property
    def ticks(self) -> int:
        return max(1, self._price // _TICK)

    def bar(self, instrument_id: InstrumentId, start: datetime, interval: timedelta, tick: Decimal) -> Bar:
        """Move the price through one interval. It opens where the last one closed."""
        first = self.ticks
        seen = [first, *(self.step() for _ in range(STEPS_PER_BAR))]
        return Bar(instrument_id, start, interval, first * tick, max(seen) * tick, min(seen) * tick, seen[-1] * tick)

    def step(self) -> int:
        """Move the price once and give it in ticks."""
        moved = self._drawn() * isqrt(self._variance) // 512
        learned = _FROM_LONG_RUN * self._long_run + _FROM_STEP * moved * moved + _FROM_BEFORE * self._variance
        self._variance = min(learned // 100, _MOST_VARIANCE_PER_STEP)
        moved += self._crash() + (self._anchor - self._price) * _BILLION // self._price // _PULL
        moved = max(-_MOST_PER_STEP, min(_MOST_PER_STEP, moved))
        self._price = max(_TICK, self._price + self._price * moved // _BILLION)
        return self.ticks

    def _drawn(self) -> int:
        """Draw from nearly a normal distribution with mean 0 and deviation 512: the sum of 48 bytes."""
        return sum(self._chance.getrandbits(384).to_bytes(48, "little")) - 6_120

    def _crash(self) -> int:
        """Give what a crash takes in this step. One begins about every 4,000 bars and takes 6 to 31 %."""
        if self._crash_steps == 0:
            if self._chance.getrandbits(14) == 0:
                self._crash_steps = 40 + self._chance.getrandbits(6)
                self._crash_per_step = 1_500_000 + self._chance.getrandbits(21)
            return 0
        self._crash_steps -= 1
        return -self._crash_per_step
