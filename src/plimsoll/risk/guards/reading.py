"""A reading: what an account is worth at a moment, and whether a guard may act on it.

Value is counted in units of a fund (net asset value per unit): a deposit buys units, a withdrawal sells some, so
neither moves the value of a unit, its peak or its drawdown.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from plimsoll.model import money


@dataclass(frozen=True, slots=True)
class Worth:
    """What an account may be worth, and what a unit of it is then."""

    equity: Decimal
    nav: Decimal


@dataclass(frozen=True, slots=True)
class Reading:
    """A trusted valuation: finite, reconciled, every holding priced in time, ledger and venue within 1 %."""

    at: datetime
    equity: Decimal
    #: Value of one unit.
    nav: Decimal
    #: The highest value of one unit so far, this reading included.
    peak: Decimal
    #: A closed bar is one confirmed reading; a quote needs a second quote, and a second look, two seconds later.
    confirmed: bool
    #: What it is worth at the least and at the most by all quotes that second it (`sights`); None where one is missing.
    least: Worth | None = None
    most: Worth | None = None

    @property
    def drawdown(self) -> Decimal:
        """Give the loss from the peak: 0.2 is 20 %; 0 above it, where the new peak is not confirmed yet."""
        return self.drawdown_at(self.nav)

    def drawdown_at(self, nav: Decimal) -> Decimal:
        """Give the loss from the peak if a unit is worth so much."""
        if self.peak <= 0 or nav >= self.peak:
            return money.ZERO
        return money.settle_quotient(self.peak - nav, self.peak)

    @property
    def now(self) -> Worth:
        """Give what it is worth by the newest quotes, borne out or not."""
        return Worth(self.equity, self.nav)

    @property
    def at_least(self) -> Worth | None:
        """Give what a gain, or a recovery, may be judged by; None where nothing is borne out."""
        return self.now if self.confirmed else self.least

    @property
    def at_most(self) -> Worth | None:
        """Give what a loss may be judged by; None where nothing is borne out."""
        return self.now if self.confirmed else self.most


@dataclass(frozen=True, slots=True)
class Blind:
    """No trusted valuation, and why."""

    at: datetime
    why: str


#: A live quote is believed when a second quote, this much later, says the same at a second look.
CONFIRM_AFTER = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Sighting:
    """Values above the peak, seen and not confirmed yet: since when, and the lowest of them."""

    since: datetime
    lowest: Decimal


def next_peak(peak: Decimal, higher: Sighting | None, reading: Reading) -> tuple[Decimal, Sighting | None]:
    """Give the peak after a reading, and what is still to be confirmed.

    One bogus tick must not set a peak, however long it stays: every honest price after it would look like a loss, and
    be closed at. So the peak is never more than what a second quote bears out.
    """
    value, at_least = reading.nav, reading.at_least
    if value <= peak:
        return peak, None
    if reading.confirmed:
        return value, None
    if higher is None:
        return peak, Sighting(reading.at, value)
    lowest = min(higher.lowest, value)
    if reading.at - higher.since < CONFIRM_AFTER or at_least is None or at_least.nav <= peak:
        return peak, Sighting(higher.since, lowest)
    lowest = min(lowest, at_least.nav)
    return lowest, Sighting(reading.at, value) if value > lowest else None


#: Ledger and venue may differ by this much of the venue's figure before the account counts as blind.
VENUE_TOLERANCE_RATIO = Decimal("0.01")


def agrees_with_venue(ours: Decimal, theirs: Decimal | None) -> bool:
    """Say whether our equity and the venue's are close enough to act on. A venue that never tells one agrees."""
    if theirs is None:
        return True
    return abs(ours - theirs) <= abs(theirs) * VENUE_TOLERANCE_RATIO
