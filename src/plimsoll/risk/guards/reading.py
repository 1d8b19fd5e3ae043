"""A reading: what an account is worth at a moment, and whether a guard may act on it.

Value is counted in units of a fund (net asset value per unit): a deposit buys units, a withdrawal sells some, so neither
moves the value of a unit, its peak or its drawdown.
"""

from dataclasses import dataclass
from datetime import datetime
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
        """Give the loss from the peak: 0.2 is 20 %."""
        if self.peak <= 0:
            return money.ZERO
        return money.settle_quotient(self.peak - self.nav, self.peak)


@dataclass(frozen=True, slots=True)
class Blind:
    """No trusted valuation, and why."""

    at: datetime
    why: str


#: Ledger and venue may differ by this much of the venue's figure before the account counts as blind.
VENUE_TOLERANCE_RATIO = Decimal("0.01")


def agrees_with_venue(ours: Decimal, theirs: Decimal | None) -> bool:
    """Say whether our equity and the venue's are close enough to act on. A venue that tells none agrees."""
    if theirs is None:
        return True
    return abs(ours - theirs) <= abs(theirs) * VENUE_TOLERANCE_RATIO
