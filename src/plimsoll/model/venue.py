"""What a venue says: about itself, about an order, about an account. Parsed, typed, and in our words.

`Venue` (the protocol that asks) is in `venues/protocol`; these are the answers, so that `reconcile/` can compare them
without knowing who asked.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from plimsoll.model.ids import AccountId, BrokerOrderId, ClientOrderId, InstrumentId
from plimsoll.model.order import OrderState, OrderType, Side, TimeInForce
from plimsoll.model.trade import TradeReport


class DedupeScope(StrEnum):
    """For how long a venue refuses a client order id it has seen."""

    FOREVER = "FOREVER"
    OPEN = "OPEN"
    NONE = "NONE"


@dataclass(frozen=True, slots=True)
class VenueFacts:
    """What a venue declares about itself; the desk believes nothing else."""

    name: str
    dedupe_scope: DedupeScope
    #: A request given up on can still arrive within this time.
    late_arrival_bound: timedelta
    #: An accepted order may stay invisible to look-ups for this long.
    lookup_lag: timedelta
    #: The venue enforces reduce-only itself.
    reduce_only: bool
    order_types: frozenset[OrderType]
    times_in_force: frozenset[TimeInForce]
    #: A market order can be sent with a price limit.
    marketable_limit: bool = False
    #: It tells what an account is worth; from such a venue, no answer to that is not agreement.
    tells_equity: bool = False

    @property
    def settle_window(self) -> timedelta:
        """Give the time after which "not found" begins to mean something."""
        return self.late_arrival_bound + self.lookup_lag + timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class VenueOrder:
    """An order as the venue has it."""

    client_order_id: ClientOrderId | None
    broker_order_id: BrokerOrderId
    instrument_id: InstrumentId
    side: Side
    type: OrderType
    quantity: Decimal
    filled_quantity: Decimal
    state: OrderState
    updated_at: datetime
    price: Decimal | None = None
    stop_price: Decimal | None = None
    reduce_only: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class VenueBalance:
    """What the venue holds of one asset in one pocket; negative is owed."""

    pocket: str
    asset: str
    total: Decimal


@dataclass(frozen=True, slots=True)
class VenuePosition:
    """A position as the venue has it: net, or one side or ticket of several."""

    instrument_id: InstrumentId
    #: Signed.
    quantity: Decimal
    entry_price: Decimal
    leg: str = ""


@dataclass(frozen=True, slots=True)
class VenueAccount:
    """An account as the venue has it at one moment of its own history.

    `cursor` moves with everything that changes the account: two answers with one cursor saw the same account.
    """

    account_id: AccountId
    cursor: int
    at: datetime
    balances: tuple[VenueBalance, ...]
    positions: tuple[VenuePosition, ...]
    #: None where the venue does not tell.
    equity: Decimal | None = None


@dataclass(frozen=True, slots=True)
class TradePage:
    """Trades in the venue's order. `cursor` is where the next page begins; the last page is `complete`."""

    trades: tuple[TradeReport, ...]
    cursor: int
    complete: bool


@dataclass(frozen=True, slots=True)
class OrderReport:
    """A change of an order's state, told by the venue."""

    account_id: AccountId
    order: VenueOrder


#: What a venue's stream brings.
VenueEvent = OrderReport | TradeReport
