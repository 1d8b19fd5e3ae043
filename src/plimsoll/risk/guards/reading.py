"""A reading: what an account is worth at a moment, and whether a guard may act on it.

Value is counted in units of a fund (net asset value per unit): a deposit buys units, a withdrawal sells some, so
neither moves the value of a unit, its peak or its drawdown.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from plimsoll.model import money


@dataclass(frozen=True, slots=True)
class Reading:
    """A trusted valuation: finite, reconciled, every holding priced in time, ledger and venue within 1 %."""

    at: datetime
    equity: Decimal
    #: Value of one unit.
    nav: Decimal
    #: The highest value of one unit so far, this reading included.
    peak: Decimal
    #: A closed bar is one confirmed reading; a quote needs a second look two seconds later.
    confirmed: bool

    @property
    def drawdown(self) -> Decimal:
        """Give the loss from the peak: 0.2 is 20 %; 0 above it, where the new peak is not confirmed yet."""
        if self.peak <= 0 or self.nav >= self.peak:
            return money.ZERO
        return money.settle_quotient(self.peak - self.nav, self.peak)


@dataclass(frozen=True, slots=True)
class Blind:
    """No trusted valuation, and why."""

    at: datetime
    why: str


#: A live quote is believed when a second look, this much later, says the same.
CONFIRM_AFTER = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Sighting:
    """Values above the peak, seen and not confirmed yet: since when, and the lowest of them."""

    since: datetime
    lowest: Decimal


def next_peak(
    peak: Decimal, higher: Sighting | None, value: Decimal, at: datetime, *, confirmed: bool
) -> tuple[Decimal, Sighting | None]:
    """Give the peak after a value of a unit, and what is still to be confirmed.

    One bogus tick must not set a peak: every honest price after it would look like a loss, and be closed at.
    """
    if value <= peak:
        return peak, None
    if confirmed:
        return value, None
    if higher is None:
        return peak, Sighting(at, value)
    lowest = min(higher.lowest, value)
    if at - higher.since < CONFIRM_AFTER:
        return peak, Sighting(higher.since, lowest)
    return lowest, Sighting(at, value) if value > lowest else None


#: Ledger and venue may differ by this much of the venue's figure before the account counts as blind.
VENUE_TOLERANCE_RATIO = Decimal("0.01")


def agrees_with_venue(ours: Decimal, theirs: Decimal | None) -> bool:
    """Say whether our equity and the venue's are close enough to act on. A venue that never tells one agrees."""
    if theirs is None:
        return True
    return abs(ours - theirs) <= abs(theirs) * VENUE_TOLERANCE_RATIO
