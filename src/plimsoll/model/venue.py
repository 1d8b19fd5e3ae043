"""What a venue says: about itself, about an order, about an account. Parsed, typed, and in our words.

`Venue` (the protocol that asks) is in `venues/protocol`; these are the answers, so that `reconcile/` can compare them
without knowing who asked.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from plimsoll.model.cash import CashKind
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
    #: It tells what moved without a trade: deposits, funding, interest. From such a venue every balance is explained.
    tells_movements: bool = False
    #: What happened may be missing from its histories for this long, while balances and positions show it already.
    history_lag: timedelta = timedelta(0)
    #: A derivative has a long and a short leg beside each other, and every order names the one that it changes.
    hedging: bool = False

    @property
    def settle_window(self) -> timedelta:
        """Give the time after which "not found" begins to mean something.

        A request given up on may still arrive, and stay invisible for a while; if it was filled at once and forgotten,
        only its fills tell of it, once the history has them.
        """
        return self.late_arrival_bound + self.lookup_lag + self.history_lag + timedelta(seconds=1)


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
    #: Which leg it changes; empty where the venue nets, or does not tell.
    leg: str = ""


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
    """Trades in the venue's order. `cursor` is where the next page begins; the last page is `complete`.

    `settled` is up to where the venue vouches that nothing will be added: a history that lags, or that is asked for by
    the clock, must be asked again from there. None where that is the cursor itself.
    """

    trades: tuple[TradeReport, ...]
    cursor: int
    complete: bool
    settled: int | None = None

    @property
    def kept(self) -> int:
        """Give the cursor that may be remembered: what follows it is asked for again."""
        return self.cursor if self.settled is None else min(self.settled, self.cursor)


@dataclass(frozen=True, slots=True)
class Movement:
    """What moved at the venue without a trade, as its own ledger tells it: signed, once, under its reference."""

    account_id: AccountId
    #: The venue's id of it; with the kind it is unique in its account.
    reference: str
    kind: CashKind
    asset: str
    #: What came is positive, what went is negative.
    amount: Decimal
    at: datetime
    pocket: str
    #: The position that earned or paid it, where it is one's.
    instrument_id: InstrumentId | None = None
    leg: str = ""


@dataclass(frozen=True, slots=True)
class MovementPage:
    """Movements in the venue's order; the cursors are as those of `TradePage`."""

    movements: tuple[Movement, ...]
    cursor: int
    complete: bool
    settled: int | None = None

    @property
    def kept(self) -> int:
        """Give the cursor that may be remembered."""
        return self.cursor if self.settled is None else min(self.settled, self.cursor)


@dataclass(frozen=True, slots=True)
class OrderReport:
    """A change of an order's state, told by the venue."""

    account_id: AccountId
    order: VenueOrder


@dataclass(frozen=True, slots=True)
class StreamGap:
    """The stream lost something, or may have: it was cut, it skipped a number, it has been silent for too long."""

    account_id: AccountId
    why: str


#: What a venue's stream brings.
VenueEvent = OrderReport | TradeReport | Movement | StreamGap
