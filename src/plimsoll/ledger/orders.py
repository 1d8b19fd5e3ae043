"""Orders in the book: their row, how they are found, how a change of one is written."""

import hashlib
from collections.abc import Callable, Iterable
from decimal import Decimal
from itertools import chain
from typing import Any, NamedTuple

from plimsoll.ledger import keys, schema
from plimsoll.ledger.cells import number_or_none, number_or_null
from plimsoll.ledger.keys import Pending
from plimsoll.ledger.log import json_text, next_link_seq
from plimsoll.model import money
from plimsoll.model.clock import parse_time, time_text
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
from plimsoll.model.money import decimal_text
from plimsoll.model.order import Intent, Order, OrderState, OrderTerms, OrderType, Side, TimeInForce
from plimsoll.store.draft import Cell, Draft, Row
from plimsoll.store.hot import HotKey

_CHANGING = schema.orders.info["changing"]
#: Where the cells stand that never change. The leg is the last of them, and hashed only where there is one: the chains
#: of years in which no order had any must hold.
_FIXED = [place for place, column in enumerate(schema.orders.columns) if column.name not in (*_CHANGING, "leg")]
#: Half of it is enough: whoever looks for another order with the same hash looks for ever.
_HASH_LENGTH = 32


def to_row(order: Order) -> Row:
    """Write an order as its row, columns in the table's order."""
    # `.value` throughout: SQLite takes a plain text at once and looks an adapter up for an enumeration's member.
    intent, terms = order.intent, order.terms
    return (
        intent.account_id,
        order.id,
        order.uid,
        order.client_order_id,
        order.broker_order_id,
        intent.portfolio_id,
        intent.user_id,
        intent.strategy_id or 0,
        terms.instrument_id,
        intent.key,
        terms.side.value,
        terms.type.value,
        number_or_null(intent.terms.quantity),
        number_or_null(intent.terms.quote_value),
        decimal_text(order.quantity),
        decimal_text(order.value),
        int(order.closes),
        number_or_null(terms.price),
        number_or_null(terms.stop_price),
        terms.time_in_force.value,
        int(terms.reduce_only),
        int(terms.post_only),
        int(intent.allow_smaller),
        int(intent.allow_repeat),
        order.state.value,
        decimal_text(order.filled_quantity),
        decimal_text(order.reserved),
        order.reserved_asset,
        order.reason,
        intent.triggered_by,
        intent.signal_context,
        time_text(intent.made_at),
        time_text(order.placed_at),
        time_text(order.updated_at),
        order.leg,
    )


def from_row(row: Row) -> Order:
    """Read an order back."""
    (account, number, uid, client_id, broker_id, portfolio, user, strategy, instrument, key, side, kind) = row[:12]
    (asked, asked_value, quantity, value, closes, price, stop, tif, reduce_only, post_only) = row[12:22]
    smaller, repeat = row[22:24]
    (state, filled, reserved, reserved_asset, reason, by, context, made, placed, updated, leg) = row[24:]
    wanted = OrderTerms(
        InstrumentId(_int(instrument)),
        Side(str(side)),
        OrderType(str(kind)),
        quantity=number_or_none(asked),
        quote_value=number_or_none(asked_value),
        price=number_or_none(price),
        stop_price=number_or_none(stop),
        time_in_force=TimeInForce(str(tif)),
        reduce_only=bool(reduce_only),
        post_only=bool(post_only),
    )
    intent = Intent(
        IntentKey(str(key)),
        AccountId(_int(account)),
        PortfolioId(_int(portfolio)),
        UserId(_int(user)),
        wanted,
        str(by),
        parse_time(str(made)),
        strategy_id=StrategyId(_int(strategy)) if strategy else None,
        signal_context=str(context),
        allow_smaller=bool(smaller),
        allow_repeat=bool(repeat),
    )
    return Order(
        id=_int(number),
        uid=str(uid),
        client_order_id=ClientOrderId(str(client_id)),
        intent=intent,
        terms=wanted.sized(Decimal(str(quantity))),
        state=OrderState(str(state)),
        placed_at=parse_time(str(placed)),
        updated_at=parse_time(str(updated)),
        filled_quantity=Decimal(str(filled)),
        broker_order_id=None if broker_id is None else BrokerOrderId(str(broker_id)),
        reason=str(reason),
        reserved=Decimal(str(reserved)),
        reserved_asset=str(reserved_asset),
        value=Decimal(str(value)),
        closes=bool(closes),
        leg=str(leg),
    )


def _int(cell: Cell) -> int:
    if not isinstance(cell, int):
        raise TypeError(f"a whole number was stored as {cell!r}")
    return cell


def terms_text(order: Order) -> str:
    """Write what an order says in one line, for the log that the chain covers."""
    terms = order.terms
    words = [terms.side, decimal_text(order.quantity), f"of {terms.instrument_id}", terms.type]
    words += [f"at {number_or_null(terms.price)}"] if terms.price is not None else []
    words += [f"stop {number_or_null(terms.stop_price)}"] if terms.stop_price is not None else []
    words += ["reduce-only"] if terms.reduce_only else []
    words += [f"leg {order.leg}"] if order.leg else []
    return " ".join([*words, terms.time_in_force])


def fixed_hash(order: Order) -> str:
    """Hash the cells of an order that never change, for the log that the chain covers."""
    row = to_row(order)
    fixed = [row[place] for place in _FIXED] + ([order.leg] if order.leg else [])
    return hashlib.sha256(json_text(fixed).encode()).hexdigest()[:_HASH_LENGTH]


def find(draft: Draft, account_id: AccountId, client_order_id: ClientOrderId) -> Order | None:
    """Find an order by our id: live ones in memory, ended ones in the database."""
    order: Order | None = draft.get(keys.order(account_id, client_order_id))
    if order is not None:
        return order
    rows = draft.find("order_by_client_id", account_id, client_order_id)
    return from_row(rows[0]) if rows else None


def find_by_broker_id(
    draft: Draft, account_id: AccountId, instrument_id: InstrumentId, broker_order_id: BrokerOrderId
) -> Order | None:
    """Find an order by the venue's id, for news that carries no other. Some venues count anew for each symbol."""
    ended = map(from_row, draft.find("order_by_broker_id", account_id, broker_order_id))
    for order in chain(live(draft, account_id), ended):
        if order.broker_order_id == broker_order_id and order.terms.instrument_id == instrument_id:
            return order
    return None


def live(draft: Draft, account_id: AccountId) -> list[Order]:
    """List the account's orders that have not ended, oldest first."""
    return [order for order in draft.shelf(keys.ORDER, account_id) if not order.state.is_final]


def write_new(draft: Draft, order: Order) -> None:
    """Write an order that nobody has written before."""
    _move_sums(draft.get, draft.put, None, order)
    draft.put(keys.order(order.intent.account_id, order.client_order_id), order)
    draft.add("orders", to_row(order))
    _remember(draft, order)


def write(draft: Draft, order: Order) -> None:
    """Write an order as it stands now, and keep the sums over live ones. An ended one leaves memory with the commit."""
    account_id = order.intent.account_id
    key = keys.order(account_id, order.client_order_id)
    before: Order | None = draft.get(key)
    # An ended order has left memory; that it is written again (a late fill, a late answer) need not change its state.
    stood = before or find(draft, account_id, order.client_order_id)
    _move_sums(draft.get, draft.put, before, order)
    if order.state.is_final:
        draft.put_fleeting(key, order)
    else:
        draft.put(key, order)
    if stood is None or stood.state is not order.state:
        _remember(draft, order)
    place = (account_id, order.id)
    if before is None:
        draft.replace("orders", place, to_row(order))
    else:
        draft.change("orders", place, (*_progress(order), *place))


def _remember(draft: Draft, order: Order) -> None:
    """Write the state that this unit brought an order to; of several in one unit the last counts."""
    account_id = order.intent.account_id
    place = (account_id, order.id, next_link_seq(draft, account_id))
    cells = (order.state.value, decimal_text(order.filled_quantity), order.reason, time_text(order.updated_at))
    draft.replace("order_states", place, (*place, *cells))


def _progress(order: Order) -> Row:
    """Give the cells of an order that ever change, in the order that the schema names them."""
    return (
        order.broker_order_id,
        order.state.value,
        decimal_text(order.filled_quantity),
        decimal_text(order.reserved),
        order.reason,
        time_text(order.updated_at),
    )


def sums(orders: Iterable[Order]) -> dict[HotKey, Any]:
    """Add live orders up, for a start from the database; afterwards `write` keeps the sums."""
    totals: dict[HotKey, Any] = {}
    for order in orders:
        _move_sums(totals.get, totals.__setitem__, None, order)
    return totals


class _Share(NamedTuple):
    """What one order is of the sums."""

    value: Decimal
    reserved: Decimal
    closing: Decimal
    selling: Decimal
    live: int
    unknown: int


_NO_SHARE = _Share(money.ZERO, money.ZERO, money.ZERO, money.ZERO, 0, 0)


def _share_of(order: Order | None) -> _Share:
    if order is None or order.state.is_final:
        return _NO_SHARE
    remaining, unknown = order.remaining, order.state is OrderState.UNKNOWN
    value = money.ZERO if order.closes else money.settle_share(order.value, remaining, order.quantity)
    # Only what will surely take from the position is subtracted from it: an order that rests as protection may never
    # fill, and one of unknown fate may not exist, and the venue enforces reduce-only if it does.
    takes = order.closes and order.terms.type is OrderType.MARKET and not unknown
    closing = remaining if takes else money.ZERO
    # Whoever sells beside these must count with all of them: nothing at a venue of spot stops the second sale.
    selling = remaining if order.terms.side is Side.SELL else money.ZERO
    return _Share(value, order.reserved, closing, selling, 1, int(unknown))


def _move_sums(
    get: Callable[[HotKey], Any], put: Callable[[HotKey, Any], None], before: Order | None, after: Order
) -> None:
    """Move the sums over live orders from what an order was to what it is."""
    was, is_ = _share_of(before), _share_of(after)
    if was == is_:
        return
    intent, terms = after.intent, after.terms
    key = keys.pending(intent.account_id, terms.instrument_id)
    sums: Pending = get(key) or Pending()
    moved = is_.value - was.value
    buys, sells = (moved, money.ZERO) if terms.side is Side.BUY else (money.ZERO, moved)
    live, unknown = sums.live + is_.live - was.live, sums.unknown + is_.unknown - was.unknown
    put(key, Pending(sums.buys + buys, sums.sells + sells, live, unknown) if live else None)
    if is_.reserved != was.reserved:
        _add(get, put, keys.reserved(intent.account_id, after.reserved_asset), is_.reserved - was.reserved)
    leg = (intent.portfolio_id, terms.instrument_id, intent.strategy_id or 0, after.leg)
    if is_.closing != was.closing:
        _add(get, put, keys.closing(intent.account_id, leg), is_.closing - was.closing)
    if is_.selling != was.selling:
        _add(get, put, keys.selling(intent.account_id, leg), is_.selling - was.selling)


def _add(get: Callable[[HotKey], Any], put: Callable[[HotKey, Any], None], key: HotKey, amount: Decimal) -> None:
    total = (get(key) or money.ZERO) + amount
    put(key, total or None)
