"""The named differences between the book and the venue: facts, without a judgement and without a remedy.

Each kind tells both sides, the book's first. A kind is added here, compared in `compare`, and answered in `decide`.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from plimsoll.model.ids import ClientOrderId, InstrumentId
from plimsoll.model.order import OrderState
from plimsoll.model.trade import TradeReport
from plimsoll.model.venue import VenueOrder


@dataclass(frozen=True, slots=True)
class MissingTrade:
    """The venue tells a fill that the book does not have."""

    trade: TradeReport
    symbol: str


class Origin(StrEnum):
    """Whose an order is that waits at the venue and is not live in the book."""

    #: It carries this desk's prefix: the book lost it (an old backup) or closed it too early.
    OURS = "OURS"
    #: It carries a client order id that another order carries already: the venue has it twice.
    DOUBLED = "DOUBLED"
    #: Made by a person at the venue, or by another program.
    FOREIGN = "FOREIGN"


@dataclass(frozen=True, slots=True)
class UnknownOrder:
    """An order waits at the venue that is not live in the book."""

    order: VenueOrder
    origin: Origin
    symbol: str


@dataclass(frozen=True, slots=True)
class OrderNotAtVenue:
    """An order is live in the book and not among those that wait at the venue. That alone says nothing of its end."""

    client_order_id: ClientOrderId
    ledger: OrderState


@dataclass(frozen=True, slots=True)
class StatusMismatch:
    """Both have the order, filled alike, in different states."""

    client_order_id: ClientOrderId
    ledger: OrderState
    venue: OrderState


@dataclass(frozen=True, slots=True)
class FilledMismatch:
    """Both have the order, and its fills do not add up to the same quantity."""

    client_order_id: ClientOrderId
    ledger: Decimal
    venue: Decimal


@dataclass(frozen=True, slots=True)
class TermsMismatch:
    """Both have the order, and it does not say the same: somebody changed it at the venue."""

    client_order_id: ClientOrderId
    #: `instrument`, `side`, `quantity`, `price`, `stop_price`
    field: str
    #: As text, and "none" where that side has no such term.
    ledger: str
    venue: str


class PositionKind(StrEnum):
    """How two positions differ."""

    #: The venue has a position, the book has none.
    UNKNOWN = "UNKNOWN"
    #: The book has a position, the venue has none: liquidated, or closed outside.
    GONE = "GONE"
    QUANTITY = "QUANTITY"


@dataclass(frozen=True, slots=True)
class PositionMismatch:
    """A derivative's net signed quantity differs."""

    instrument_id: InstrumentId
    symbol: str
    ledger: Decimal
    venue: Decimal

    @property
    def kind(self) -> PositionKind:
        """Tell an unknown position from one that is gone and from one of another size."""
        if self.ledger == 0:
            return PositionKind.UNKNOWN
        return PositionKind.GONE if self.venue == 0 else PositionKind.QUANTITY


@dataclass(frozen=True, slots=True)
class BalanceBreak:
    """The amount of an asset in a pocket differs; coins held on spot are such amounts."""

    pocket: str
    asset: str
    ledger: Decimal
    venue: Decimal


#: In the order in which they are told.
Difference = (
    MissingTrade
    | UnknownOrder
    | OrderNotAtVenue
    | StatusMismatch
    | FilledMismatch
    | TermsMismatch
    | PositionMismatch
    | BalanceBreak
)
