"""The peaks and troughs of an equity curve: the readings that must outlive its thinning.

A curve that is thinned to a point an hour would tell a smaller drawdown than there was. So the highest value of a unit
before each fall, and the lowest of each fall, are marked when they are known for what they are.

Rule 1. A fall is one of a thousandth of the peak at least: less is the noise of prices, and would mark every second.
Rule 2. A trough is marked while it deepens, at every further thousandth: nobody knows whether it is the last, and a
        process may end before it was.
Rule 3. Only what a second quote bears out counts, as it does for the guard: one bogus tick makes no peak and no trough.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from plimsoll.model import money
from plimsoll.risk.guards.reading import Reading

LEAST_FALL_RATIO = Decimal("0.001")


class Occasion(StrEnum):
    """Why a point of the equity curve was written."""

    #: It was time for one.
    READING = "READING"
    #: Money came in or went out.
    FLOW = "FLOW"
    PEAK = "PEAK"
    TROUGH = "TROUGH"


#: A reading with why it is written.
Marked = tuple[Reading, Occasion]


@dataclass(frozen=True, slots=True)
class Turns:
    """What was seen since the last peak."""

    #: The highest reading, while no fall has followed it; None where it was marked, or another process saw it.
    best: Reading | None = None
    #: The lowest reading of the fall, and the value of a unit at which a trough was marked last.
    low: Reading | None = None
    marked: Decimal | None = None


def turned(turns: Turns, reading: Reading) -> tuple[Turns, tuple[Marked, ...]]:
    """Take a reading; give what is a peak or a trough by it, oldest first."""
    at_least, at_most = reading.at_least, reading.at_most
    if at_least is not None and at_least.nav >= reading.peak:
        # The fall before it is over: its lowest point is known now.
        ended = () if turns.low is None or turns.low.nav == turns.marked else _if_a_fall(turns.low)
        return Turns(best=replace(reading, equity=at_least.equity, nav=at_least.nav)), ended
    if at_most is None:
        return turns, ()
    fallen = replace(reading, equity=at_most.equity, nav=at_most.nav)
    low = fallen if turns.low is None or fallen.nav < turns.low.nav else turns.low
    if not _if_a_fall(fallen):
        return replace(turns, low=low), ()
    peak: tuple[Marked, ...] = () if turns.best is None else ((turns.best, Occasion.PEAK),)
    step = money.settle_product(reading.peak, LEAST_FALL_RATIO)
    if low is fallen and (turns.marked is None or turns.marked - fallen.nav >= step):
        return Turns(None, low, fallen.nav), (*peak, (fallen, Occasion.TROUGH))
    return Turns(None, low, turns.marked), peak


def _if_a_fall(low: Reading) -> tuple[Marked, ...]:
    return ((low, Occasion.TROUGH),) if low.drawdown >= LEAST_FALL_RATIO else ()
