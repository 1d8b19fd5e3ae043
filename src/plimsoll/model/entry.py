"""What changes a position and is no trade: coins that came in or went out with their cost, late fees, and splits.

A deposit of coins brings its cost along, or `None` where nobody knows it: unknown is not zero, so the profit of selling
such coins is unknown too (`Position.uncosted`). Between two portfolios what goes out of one comes into the other, at
the cost that both entries name.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from plimsoll.model import money
from plimsoll.model.clock import check_time
from plimsoll.model.errors import Illegal
from plimsoll.model.ids import AccountId, InstrumentId, PortfolioId, StrategyId
from plimsoll.model.trade import FoldKey


class EntryKind(StrEnum):
    """Which way a position changes."""

    #: Coins came in: a deposit, or from another portfolio.
    IN = "IN"
    #: Coins went out, and their share of the cost with them.
    OUT = "OUT"
    #: `per` became `quantity`: 4 for 1, or 1 for 10. The cost stays.
    SPLIT = "SPLIT"
    #: Coins paid as the fee of a fill, told after it; they take their share of the cost with them.
    FEE = "FEE"


#: (account, portfolio, instrument, strategy or 0, leg, reference, kind).
EntryKey = tuple[AccountId, PortfolioId, InstrumentId, StrategyId | int, str, str, EntryKind]

#: An entry's place among what happened at the same time under the same name; a trade's is its revision, 0 or more.
_RANK = {kind: rank - len(EntryKind) for rank, kind in enumerate(EntryKind)}


#: Behind every sequence that a venue counts to, and within what a database holds.
_LAST = 2**62


@dataclass(frozen=True, slots=True)
class Entry:
    """One change of one position that is no trade."""

    account_id: AccountId
    portfolio_id: PortfolioId
    instrument_id: InstrumentId
    strategy_id: StrategyId | None
    leg: str
    kind: EntryKind
    quantity: Decimal
    #: Whose change it is: with the kind and the position it is unique in its account.
    reference: str
    at: datetime
    sequence: int = 0
    per: Decimal | None = None
    #: In the instrument's cash asset. Of what comes in, None is unknown; what goes out without one takes its share of
    #: what is there, and with one (to another portfolio, which gets it) exactly that.
    cost: Decimal | None = None

    def __post_init__(self) -> None:
        money.check_digits(self.quantity, "quantity")
        check_time(self.at, "at")
        if self.quantity <= 0:
            raise Illegal("quantity", self.quantity, "give what came or went as a number above zero")
        if (self.per is None) != (self.kind is not EntryKind.SPLIT):
            raise Illegal("per", self.per, "a split says how many become how many; nothing else does")
        if self.per is not None:
            money.check_digits(self.per, "per")
            if self.per <= 0:
                raise Illegal("per", self.per, "give the number of pieces before the split, above zero")
        if self.cost is not None:
            money.check_digits(self.cost, "cost")
            if self.cost < 0 or self.kind not in (EntryKind.IN, EntryKind.OUT):
                raise Illegal("cost", self.cost, "give 0 or more, and only of coins that came in or went out")

    @property
    def fold_key(self) -> FoldKey:
        """Say where it stands among the trades and entries of its position."""
        # A fee is told with the time of its fill as often as with one of its own: it comes after all of that moment.
        sequence = _LAST if self.kind is EntryKind.FEE else self.sequence
        return (self.at, sequence, self.reference, _RANK[self.kind])

    @property
    def key(self) -> EntryKey:
        """Say what makes an entry the same entry."""
        place = (self.account_id, self.portfolio_id, self.instrument_id, self.strategy_id or 0, self.leg)
        return (*place, self.reference, self.kind)
