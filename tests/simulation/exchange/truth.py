"""What is true of an account, for the oracle: copied out of the books, never through the wire.

What must not enter: anything that was lost, late or doubled on the way to somebody.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from tests.simulation.exchange.books import Account, Fill, Moved, Order, Place, Wallet
from tests.simulation.exchange.house import House


@dataclass(frozen=True, slots=True)
class TrueOrder:
    """An order that the exchange took."""

    order_id: str
    client_order_id: str | None
    symbol: str
    side: str
    type: str
    quantity: Decimal
    filled: Decimal
    status: str
    price: Decimal | None
    stop_price: Decimal | None
    reduce_only: bool
    leg: str
    reason: str
    made_by: str | None
    accepted_us: int
    updated_us: int
    is_open: bool


@dataclass(frozen=True, slots=True)
class TrueFill:
    """A fill as it was told, or what became of one."""

    trade_id: str
    revision: int
    #: None, CORRECT or BUST, whatever style it is told in.
    effect: str | None
    #: It is what counts under its id: no later row takes it back or tells it otherwise.
    counts: bool
    seq: int
    order_id: str
    client_order_id: str | None
    symbol: str
    leg: str
    side: str
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_asset: str
    realized: Decimal | None
    maker: bool
    made_by: str | None
    at_us: int
    told_us: int
    visible_us: int


@dataclass(frozen=True, slots=True)
class TrueMovement:
    """What moved without a trade."""

    id: str
    seq: int
    type: str
    asset: str
    amount: Decimal
    pocket: str
    symbol: str | None
    leg: str
    at_us: int
    visible_us: int


@dataclass(frozen=True, slots=True)
class Truth:
    """All of an account at one moment."""

    orders: tuple[TrueOrder, ...]
    fills: tuple[TrueFill, ...]
    movements: tuple[TrueMovement, ...]
    #: By (pocket, asset); what is nothing is left out.
    balances: Mapping[Wallet, Decimal]
    #: Of perpetuals, by (symbol, leg).
    positions: Mapping[Place, Decimal]
    #: How many orders were ever taken under a client order id.
    accepted: Counter[str]

    @property
    def effective(self) -> tuple[TrueFill, ...]:
        """Give the fills that count."""
        return tuple(fill for fill in self.fills if fill.counts)


def truth_of(house: House, account: Account) -> Truth:
    """Copy an account."""
    return Truth(
        orders=tuple(_order(order) for order in account.orders),
        fills=tuple(_fill(fill, account) for fill in account.fills),
        movements=tuple(_movement(moved) for moved in account.moved),
        balances={wallet: total for wallet, total in account.wallets.items() if total},
        positions={
            place: position.quantity
            for place, position in account.positions.items()
            if house.markets[place[0]].listing.is_perpetual
        },
        accepted=account.accepted.copy(),
    )


def _order(order: Order) -> TrueOrder:
    return TrueOrder(
        order_id=order.id,
        client_order_id=order.client_id,
        symbol=order.listing.symbol,
        side=order.side,
        type=order.type,
        quantity=order.quantity,
        filled=order.filled,
        status=order.status,
        price=order.price,
        stop_price=order.stop_price,
        reduce_only=order.reduce_only,
        leg=order.leg,
        reason=order.reason,
        made_by=order.made_by,
        accepted_us=order.accepted_us,
        updated_us=order.updated_us,
        is_open=order.is_open,
    )


def _fill(fill: Fill, account: Account) -> TrueFill:
    order = fill.order
    return TrueFill(
        trade_id=fill.trade_id,
        revision=fill.revision,
        effect=fill.effect,
        counts=account.effective.get((fill.symbol, fill.trade_id)) is fill,
        seq=fill.seq,
        order_id=order.id,
        client_order_id=order.client_id,
        symbol=fill.symbol,
        leg=order.leg,
        side=fill.side,
        quantity=fill.quantity,
        price=fill.price,
        fee=fill.fee,
        fee_asset=fill.fee_asset,
        realized=fill.realized,
        maker=fill.maker,
        made_by=order.made_by,
        at_us=fill.at_us,
        told_us=fill.told_us,
        visible_us=fill.visible_us,
    )


def _movement(moved: Moved) -> TrueMovement:
    return TrueMovement(
        id=moved.id,
        seq=moved.seq,
        type=moved.type,
        asset=moved.asset,
        amount=moved.amount,
        pocket=moved.pocket,
        symbol=moved.symbol,
        leg=moved.leg,
        at_us=moved.at_us,
        visible_us=moved.visible_us,
    )
