"""An order: what is wanted, and the one table of how it lives.

Rule 1. `PENDING` is committed *before* the first byte leaves, so a `PENDING` order found at start may have been sent:
        it becomes `UNKNOWN`, is looked up, and is never sent again.
Rule 2. States only go up: PENDING < NEW < PARTIALLY_FILLED < {FILLED, CANCELED, REJECTED, EXPIRED}. An event that
        would go down or sideways is late news and changes nothing.
Rule 3. `UNKNOWN` stands beside them: sent, no clear answer. Only evidence from the venue, or a person, ends it.
Rule 4. A fill is accepted in every state. A closed order stays as it is closed, or becomes FILLED when the fills reach
        its quantity.

What must not enter: when to send, what to retry (`desk/`), and a venue's own words for states (`venues/*/parse`).
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from plimsoll.model import money
from plimsoll.model.errors import Illegal, PlimsollError, invariant
from plimsoll.model.ids import (
    AccountId,
    BrokerOrderId,
    ClientOrderId,
    InstrumentId,
    IntentKey,
    PortfolioId,
    StrategyId,
    UserId,
)


class Side(StrEnum):
    """Which way quantity moves."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """Give +1 for a buy and −1 for a sell."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> "Side":
        return Side.SELL if self is Side.BUY else Side.BUY


#: The legs of a position where long and short stand beside each other, as all venues that do so call them.
LONG, SHORT = "LONG", "SHORT"


def leg_traded(side: Side, *, closes: bool) -> str:
    """Name the leg that an order changes: what is bought to open is long, and what is sold to close was."""
    return LONG if (side is Side.BUY) is not closes else SHORT


class OrderType(StrEnum):
    """How the price is found."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP = "STOP"
    STOP_LIMIT = "STOP_LIMIT"
    TRAILING = "TRAILING"


class TimeInForce(StrEnum):
    """How long an order waits."""

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    DAY = "DAY"


class OrderState(StrEnum):
    """Where an order stands, as far as we know."""

    #: Written down, not acknowledged; may or may not have been sent.
    PENDING = "PENDING"
    #: The venue has it.
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    #: Sent, no clear answer.
    UNKNOWN = "UNKNOWN"

    @property
    def is_final(self) -> bool:
        """Say whether no more fills are expected (they are booked all the same)."""
        return self in _FINAL


class OrderEvent(StrEnum):
    """What we learn about an order."""

    ACKNOWLEDGED = "ACKNOWLEDGED"
    #: Fills arrived; the total is below the quantity.
    PART_FILLED = "PART_FILLED"
    #: Fills arrived; the total is the quantity, or more.
    WHOLLY_FILLED = "WHOLLY_FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    #: The send ended without a clear answer, or the process ended before one came.
    OUTCOME_LOST = "OUTCOME_LOST"


class IllegalTransition(PlimsollError):
    """An event contradicts the state; the book stays as it is and somebody is told."""

    def __init__(self, state: OrderState, event: OrderEvent) -> None:
        super().__init__(f"an order that is {state} cannot hear {event}: compare it with the venue")
        self.state = state
        self.event = event


_S, _E = OrderState, OrderEvent
_FILLS = frozenset({_E.PART_FILLED, _E.WHOLLY_FILLED})
_FINAL = frozenset({_S.FILLED, _S.CANCELED, _S.REJECTED, _S.EXPIRED})

TRANSITIONS: dict[tuple[OrderState, OrderEvent], OrderState] = {
    (_S.PENDING, _E.ACKNOWLEDGED): _S.NEW,
    (_S.PENDING, _E.PART_FILLED): _S.PARTIALLY_FILLED,  # the stream was faster than the answer
    (_S.PENDING, _E.WHOLLY_FILLED): _S.FILLED,
    (_S.PENDING, _E.CANCELED): _S.CANCELED,  # an IOC that found nothing
    (_S.PENDING, _E.REJECTED): _S.REJECTED,
    (_S.PENDING, _E.EXPIRED): _S.EXPIRED,  # too old to send, so never sent
    (_S.PENDING, _E.OUTCOME_LOST): _S.UNKNOWN,
    (_S.NEW, _E.ACKNOWLEDGED): _S.NEW,
    (_S.NEW, _E.PART_FILLED): _S.PARTIALLY_FILLED,
    (_S.NEW, _E.WHOLLY_FILLED): _S.FILLED,
    (_S.NEW, _E.CANCELED): _S.CANCELED,
    (_S.NEW, _E.REJECTED): _S.REJECTED,  # venues that acknowledge first and check later
    (_S.NEW, _E.EXPIRED): _S.EXPIRED,
    (_S.NEW, _E.OUTCOME_LOST): _S.NEW,  # the stream had already proved that it lives
    (_S.PARTIALLY_FILLED, _E.ACKNOWLEDGED): _S.PARTIALLY_FILLED,
    (_S.PARTIALLY_FILLED, _E.PART_FILLED): _S.PARTIALLY_FILLED,
    (_S.PARTIALLY_FILLED, _E.WHOLLY_FILLED): _S.FILLED,
    (_S.PARTIALLY_FILLED, _E.CANCELED): _S.CANCELED,
    (_S.PARTIALLY_FILLED, _E.REJECTED): _S.REJECTED,  # Bybit rejects the rest of a partly filled order
    (_S.PARTIALLY_FILLED, _E.EXPIRED): _S.EXPIRED,
    (_S.PARTIALLY_FILLED, _E.OUTCOME_LOST): _S.PARTIALLY_FILLED,
    (_S.UNKNOWN, _E.ACKNOWLEDGED): _S.NEW,
    (_S.UNKNOWN, _E.PART_FILLED): _S.PARTIALLY_FILLED,
    (_S.UNKNOWN, _E.WHOLLY_FILLED): _S.FILLED,
    (_S.UNKNOWN, _E.CANCELED): _S.CANCELED,
    (_S.UNKNOWN, _E.REJECTED): _S.REJECTED,  # looked up and not found, after the settle window, in two places
    (_S.UNKNOWN, _E.EXPIRED): _S.EXPIRED,
    (_S.UNKNOWN, _E.OUTCOME_LOST): _S.UNKNOWN,
    # FILLED + REJECTED is missing on purpose: a venue that gave us the whole quantity cannot have refused it.
    **{(_S.FILLED, event): _S.FILLED for event in _E if event is not _E.REJECTED},
    **{
        (closed, event): _S.FILLED if event is _E.WHOLLY_FILLED else closed
        for closed in (_S.CANCELED, _S.REJECTED, _S.EXPIRED)
        for event in _E
    },
}


def next_state(state: OrderState, event: OrderEvent) -> OrderState:
    """Find the state after an event.

    Raises: IllegalTransition, naming both
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise IllegalTransition(state, event) from None


@dataclass(frozen=True, slots=True)
class OrderTerms:
    """What an order says, apart from who wants it. Size is a base quantity, or a quote value to be made into one."""

    instrument_id: InstrumentId
    side: Side
    type: OrderType
    quantity: Decimal | None = None
    quote_value: Decimal | None = None
    price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False
    post_only: bool = False

    def __post_init__(self) -> None:
        if (self.quantity is None) == (self.quote_value is None):
            raise Illegal("quantity", self.quantity, "give either a quantity or a quote value")
        if (self.price is None) == (self.type in (OrderType.LIMIT, OrderType.STOP_LIMIT)):
            raise Illegal(
                "price", self.price, f"a {self.type} order {'needs' if self.price is None else 'has no'} price"
            )
        if (self.stop_price is None) == (self.type in (OrderType.STOP, OrderType.STOP_LIMIT)):
            verb = "needs" if self.stop_price is None else "has no"
            raise Illegal("stop_price", self.stop_price, f"a {self.type} order {verb} stop price")

    def sized(self, quantity: Decimal) -> "OrderTerms":
        """Give the same terms with a quantity."""
        return replace(self, quantity=quantity, quote_value=None)


@dataclass(frozen=True, slots=True)
class Intent:
    """A wish to trade, before anything was decided. The same key is the same wish, for ever."""

    key: IntentKey
    account_id: AccountId
    portfolio_id: PortfolioId
    user_id: UserId
    terms: OrderTerms
    #: `manual`, `api`, `bot:7`, `guard:drawdown`, …
    triggered_by: str
    made_at: datetime
    strategy_id: StrategyId | None = None
    #: What made a bot want it, as text for the record.
    signal_context: str = ""
    #: The gate may approve a smaller size instead of refusing.
    allow_smaller: bool = False
    #: The same order again within two seconds is meant.
    allow_repeat: bool = False
    #: Closes a leg of its own although the account's net grows by it: a venue that nets would refuse the flag. Not
    #: stored, and so not compared: what the gate made of it is `Order.closes`.
    closes_leg: bool = field(default=False, compare=False)
    #: Which leg a close is of, where a position has several; nobody else names one. Not stored either: `Order.leg` is.
    leg: str = field(default="", compare=False)

    @property
    def actor(self) -> str:
        """Name who wished it, as the log does: a person by number, everything else by what it is."""
        return f"user:{self.user_id}" if self.triggered_by == "manual" else self.triggered_by


@dataclass(frozen=True, slots=True)
class Order:
    """The book's record of an order."""

    id: int
    uid: str
    client_order_id: ClientOrderId
    intent: Intent
    #: The intent's terms with the quantity that the gate approved.
    terms: OrderTerms
    state: OrderState
    placed_at: datetime
    updated_at: datetime
    filled_quantity: Decimal = money.ZERO
    broker_order_id: BrokerOrderId | None = None
    #: Why it ended, or what is known about an UNKNOWN one.
    reason: str = ""
    #: Held back for it, in `reserved_asset`; released exactly once.
    reserved: Decimal = money.ZERO
    reserved_asset: str = ""
    #: What the gate counted it for, in the account's currency.
    value: Decimal = money.ZERO
    #: It can only reduce a position; the gate bound it by the controls of a close.
    closes: bool = False
    #: Which leg of a position it changes; empty where the venue nets.
    leg: str = ""

    @property
    def quantity(self) -> Decimal:
        quantity = self.terms.quantity
        return money.ZERO if quantity is None else quantity

    @property
    def remaining(self) -> Decimal:
        """Give what may still be filled; never negative."""
        return max(self.quantity - self.filled_quantity, money.ZERO)

    def after(
        self, event: OrderEvent, at: datetime, *, reason: str = "", broker_order_id: BrokerOrderId | None = None
    ) -> "Order":
        """Hear an event that is not a fill; the reservation goes when the order ends.

        Shapes: `broker_order_id` is taken over where none was known
        Raises: IllegalTransition
        """
        # A venue's word "filled" without its fills would make an order FILLED with nothing filled.
        invariant(event not in _FILLS, "fills are heard with their quantity, through `filled`")
        state = next_state(self.state, event)
        name = self.broker_order_id or broker_order_id
        if state is self.state:
            return self if name == self.broker_order_id else replace(self, broker_order_id=name)
        return replace(
            self,
            state=state,
            updated_at=at,
            reason=reason,
            reserved=money.ZERO if state.is_final else self.reserved,
            broker_order_id=name,
        )

    def filled(self, quantity: Decimal, at: datetime, *, broker_order_id: BrokerOrderId | None = None) -> "Order":
        """Hear a fill; what it used of the reservation is released with it.

        Shapes: `broker_order_id` is taken over where none was known
        """
        total = self.filled_quantity + quantity
        event = OrderEvent.WHOLLY_FILLED if total >= self.quantity else OrderEvent.PART_FILLED
        state = next_state(self.state, event)
        left = (
            money.ZERO if state.is_final else money.settle_share(self.reserved, self.quantity - total, self.remaining)
        )
        # Every field is named: this runs for every fill, and `replace` takes three times as long.
        return Order(
            id=self.id,
            uid=self.uid,
            client_order_id=self.client_order_id,
            intent=self.intent,
            terms=self.terms,
            state=state,
            placed_at=self.placed_at,
            updated_at=at,
            filled_quantity=total,
            broker_order_id=self.broker_order_id or broker_order_id,
            # What was said of the state before ("timed out", "canceled by a person") is not true of the new one.
            reason=self.reason if state is self.state else "",
            reserved=left,
            reserved_asset=self.reserved_asset,
            value=self.value,
            closes=self.closes,
            leg=self.leg,
        )
