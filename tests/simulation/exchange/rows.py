"""How the exchange writes an order, a fill and a movement: JSON-able, every number of money as text.

Two times stand on a fill. `timeUs` is when it was executed, and a correction repeats it; `time` is the millisecond in
which this row was made known, by which histories are paged: a correction of an old fill is a new row at their end.
"""

from tests.simulation.exchange.amounts import quotient, text
from tests.simulation.exchange.books import BUST, Fill, Moved, Order, Place, Position
from tests.simulation.exchange.listing import Listing
from tests.simulation.exchange.personality import Correcting
from tests.simulation.exchange.stream import Message


def order_row(order: Order) -> Message:
    """Write an order as it stands."""
    return {
        "orderId": order.id,
        "clientOrderId": order.client_id,
        "symbol": order.listing.symbol,
        "side": order.side,
        "type": order.type,
        "quantity": text(order.quantity),
        "filled": text(order.filled),
        "price": None if order.price is None else text(order.price),
        "stopPrice": None if order.stop_price is None else text(order.stop_price),
        "timeInForce": order.time_in_force,
        "positionSide": order.leg,
        "status": order.status,
        "reduceOnly": order.reduce_only,
        "reason": order.reason,
        "updatedAt": order.updated_us // 1_000,
        "updatedUs": order.updated_us,
    }


def fill_row(fill: Fill, correcting: Correcting) -> Message:
    """Write a fill, or what became of one in this venue's style.

    IBKR repeats the execution's id with another revision; a venue with a bust channel names the trade that is no more
    and tells a correction as a trade of another id.
    """
    row = _fill_row(fill)
    if fill.effect == BUST and correcting is Correcting.BUST_MESSAGE:
        del row["tradeId"], row["revision"], row["effect"]
        return {"bust": fill.trade_id, **row}
    return row


def _fill_row(fill: Fill) -> Message:
    order = fill.order
    return {
        "tradeId": fill.trade_id,
        "seq": fill.seq,
        "orderId": order.id,
        "clientOrderId": order.client_id,
        "symbol": fill.symbol,
        "side": fill.side,
        "quantity": text(fill.quantity),
        "price": text(fill.price),
        "fee": text(fill.fee),
        "feeAsset": fill.fee_asset,
        "realized": None if fill.realized is None else text(fill.realized),
        "timeUs": fill.at_us,
        "time": fill.told_us // 1_000,
        "leg": order.leg,
        "maker": fill.maker,
        "madeBy": order.made_by,
        "revision": fill.revision,
        "effect": fill.effect,
    }


def movement_row(moved: Moved) -> Message:
    """Write a line of the account's ledger."""
    return {
        "id": moved.id,
        "seq": moved.seq,
        "type": moved.type,
        "asset": moved.asset,
        "amount": text(moved.amount),
        "pocket": moved.pocket,
        "symbol": moved.symbol,
        "leg": moved.leg,
        "timeUs": moved.at_us,
        "time": moved.at_us // 1_000,
    }


def position_row(place: Place, position: Position, listing: Listing) -> Message:
    """Write a position; its entry price is for people, its cost is what counts."""
    symbol, leg = place
    return {
        "symbol": symbol,
        "side": leg,
        "quantity": text(position.quantity),
        "entryPrice": text(quotient(position.cost, position.quantity * listing.multiplier)),
    }


def listing_row(listing: Listing) -> Message:
    """Write the rules of one symbol."""
    return {
        "symbol": listing.symbol,
        "base": listing.base,
        "quote": listing.quote,
        "settle": listing.settle,
        "tick": text(listing.tick),
        "lot": text(listing.lot),
        "minNotional": text(listing.min_notional),
        "multiplier": text(listing.multiplier),
        "maxLeverage": text(listing.max_leverage),
    }
