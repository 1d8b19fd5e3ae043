"""What can be asked of the exchange, and how this one answers: paths → books.

Rule 1. Every answer has `time`, the exchange's milliseconds when it gave it; lists lie under `rows`.
Rule 2. The engine knows at once what it took; look-ups and lists show an order only when their lag has passed, and
        forget what has ended for long. A cancel goes to the engine.
Rule 3. A history shows a row when its own lag has passed, in the order of `seq`: a later one may be seen before an
        earlier one. The account and the stream know at once.
Rule 4. A history begins where it is told to, inclusively (`fromId` counts in `seq`, Binance; `startTime` in the
        milliseconds of `time`, OKX and Kraken) or behind the last cursor (Bybit, Deribit). A page has `limit` rows; who
        names none gets the venue's page, and nobody more than a thousand.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TypeVar

from plimsoll.model.venue import DedupeScope
from tests.simulation.exchange import codes, margin, matching, rows
from tests.simulation.exchange.amounts import ZERO, parsed, text
from tests.simulation.exchange.books import CANCELED, Account, Fill, Moved, Order
from tests.simulation.exchange.codes import Refusal, refused
from tests.simulation.exchange.house import House, Market
from tests.simulation.exchange.listing import Listing
from tests.simulation.exchange.personality import Paging
from tests.simulation.exchange.stream import Message

Params = Mapping[str, str]
R = TypeVar("R", Fill, Moved)

_TYPES = (matching.MARKET, matching.LIMIT, matching.STOP, matching.STOP_LIMIT)
_TIMES_IN_FORCE = ("GTC", "IOC", "FOK")
_CLIENT_ID = re.compile(r"[A-Za-z0-9_.:/-]{1,36}")
_MOST_ROWS = 1_000
_BEGINS = {Paging.CURSOR: "after", Paging.FROM_ID: "fromId", Paging.TIME: "startTime"}
#: A request from further in the future is refused (Binance: one second).
_EARLIEST_MS = 1_000


def answer(house: House, account: Account, method: str, path: str, params: Params) -> Message:
    """Do what is asked.

    Raises: Refusal
    """
    asked = _PATHS.get((method, path))
    if asked is None:
        raise Refusal(404, codes.NO_SUCH_PATH, f"there is no {method} {path}")
    _check_time(house, method, path, params)
    told = asked(house, account, params)
    return {**told, "time": house.now_us() // 1_000}


def _check_time(house: House, method: str, path: str, params: Params) -> None:
    window = house.personality.recv_window_seconds
    if window is None:
        return
    if "timestamp" not in params:
        if (method, path) == ("POST", "/order"):
            raise refused(codes.OUTSIDE_RECV_WINDOW, "an order says when it was sent: timestamp")
        return
    sent, now = _whole(params, "timestamp", 0), house.now_us() // 1_000
    most = min(_whole(params, "recvWindow", int(window * 1_000)), int(window * 1_000))
    if not sent - _EARLIEST_MS <= now <= sent + most:
        raise refused(codes.OUTSIDE_RECV_WINDOW, f"timestamp {sent} is outside the recvWindow of {most} at {now}")


# --- orders


def _place(house: House, account: Account, params: Params) -> Message:
    market = _market(house, params)
    order = _order_of(house, params, market.listing)
    _check_client_id(house, account, order.client_id)
    _check_filters(house, order, market)
    _check_reducing(house, account, order)
    _check_cover(house, account, order, market)
    house.take(account, order)
    taken = rows.order_row(order)
    matching.arrive(house, account, order)
    if house.personality.bare_answers:
        return taken
    return _with_fills(house, account, order)


def _cancel(house: House, account: Account, params: Params) -> Message:
    order = _latest([one for one in account.open.values() if _is_meant(one, params)])
    if order is None:
        raise refused(codes.UNKNOWN_ORDER, "unknown order sent")
    house.end(account, order, CANCELED, "")
    if house.personality.bare_answers:
        return rows.order_row(order)
    return _with_fills(house, account, order)


def _look_up(house: House, account: Account, params: Params) -> Message:
    known = account.by_client_id.get(params["clientOrderId"], []) if "clientOrderId" in params else account.orders
    seen = [one for one in known if _is_meant(one, params) and _is_shown(house, one)]
    order = _latest(seen)
    if order is None:
        raise refused(codes.NO_SUCH_ORDER, "order does not exist")
    return rows.order_row(order)


def _open_orders(house: House, account: Account, _params: Params) -> Message:
    return {"rows": [rows.order_row(order) for order in account.open.values() if _is_shown(house, order)]}


def _with_fills(house: House, account: Account, order: Order) -> Message:
    fills = [fill for fill in account.effective.values() if fill.order is order]
    told = [rows.fill_row(fill, house.personality.correcting) for fill in fills]
    return {**rows.order_row(order), "fills": told}


def _is_shown(house: House, order: Order) -> bool:
    now, kept = house.now_us(), house.personality.forgets_after_seconds
    if now < order.visible_us:
        return False
    return order.is_open or kept is None or now - order.updated_us <= kept * 1_000_000


def _is_meant(order: Order, params: Params) -> bool:
    if params.get("symbol", order.listing.symbol) != order.listing.symbol:
        return False
    if "orderId" in params:
        return order.id == params["orderId"]
    return "clientOrderId" in params and order.client_id == params["clientOrderId"]


def _latest(orders: Sequence[Order]) -> Order | None:
    """Of several under one id the last one is meant, where a venue lets there be several."""
    return orders[-1] if orders else None


def _order_of(house: House, params: Params, listing: Listing) -> Order:
    kind = _one_of(params, "type", _TYPES)
    now_us = house.now_us()
    return Order(
        id=house.next_order_id(),
        client_id=params.get("clientOrderId"),
        listing=listing,
        sign=1 if _one_of(params, "side", ("BUY", "SELL")) == "BUY" else -1,
        type=kind,
        quantity=_number(params, "quantity"),
        price=_number(params, "price") if kind in (matching.LIMIT, matching.STOP_LIMIT) else None,
        stop_price=_number(params, "stopPrice") if kind in (matching.STOP, matching.STOP_LIMIT) else None,
        time_in_force=_one_of({"timeInForce": "GTC", **params}, "timeInForce", _TIMES_IN_FORCE),
        reduce_only=_one_of({"reduceOnly": "false", **params}, "reduceOnly", ("true", "false")) == "true",
        leg=_leg(house, params, listing),
        accepted_us=now_us,
        visible_us=now_us + house.lookup_lag_us(),
        updated_us=now_us,
    )


def _leg(house: House, params: Params, listing: Listing) -> str:
    told = params.get("positionSide")
    if house.personality.hedging and listing.is_perpetual:
        return _one_of(params, "positionSide", ("LONG", "SHORT"))
    if told is not None:
        raise refused(codes.FILTER, "positionSide does not match the account's position mode")
    return ""


def _check_client_id(house: House, account: Account, client_id: str | None) -> None:
    if client_id is None:
        return
    if not _CLIENT_ID.fullmatch(client_id):
        raise refused(codes.FILTER, "illegal characters in clientOrderId, or too many")
    seen, scope = account.by_client_id.get(client_id, []), house.personality.dedupe
    is_open = any(order.is_open for order in seen)
    if (scope is DedupeScope.FOREVER and seen) or (scope is DedupeScope.OPEN and is_open):
        raise refused(codes.DUPLICATE_CLIENT_ID, "clientOrderId is duplicated")


def _check_filters(house: House, order: Order, market: Market) -> None:
    listing = order.listing
    if market.last is None:
        raise refused(codes.FILTER, f"{listing.symbol} has no price yet")
    if order.quantity % listing.lot:
        raise refused(codes.FILTER, f"quantity is no multiple of {text(listing.lot)}")
    for name, price in (("price", order.price), ("stopPrice", order.stop_price)):
        if price is not None and price % listing.tick:
            raise refused(codes.FILTER, f"{name} is no multiple of {text(listing.tick)}")
    if order.reduce_only and not house.personality.reduce_only:
        raise refused(codes.FILTER, "reduceOnly is not offered")
    worth = order.quantity * (order.price or order.stop_price or market.last) * listing.multiplier
    if worth < listing.min_notional and not order.reduce_only:
        raise refused(codes.FILTER, f"notional is below {text(listing.min_notional)}")


def _check_reducing(house: House, account: Account, order: Order) -> None:
    most = margin.closable(house, account, order)
    if most is None:
        return
    if not most:
        raise refused(codes.REDUCE_ONLY, "there is nothing that the order would reduce")
    if order.leg and order.quantity > most:
        raise refused(codes.REDUCE_ONLY, f"the order is larger than the {order.leg} position")


def _check_cover(house: House, account: Account, order: Order, market: Market) -> None:
    listing = order.listing
    price = order.price or order.stop_price or market.ask
    if listing.is_perpetual:
        is_covered = order.reduce_only or margin.can_open(house, account, order, price)
    elif order.sign > 0:
        needed = margin.cost(order, order.quantity, price)
        is_covered = margin.available(house, account, listing.quote) >= needed
    else:
        is_covered = margin.available(house, account, listing.base) >= order.quantity
    if not is_covered:
        raise refused(codes.INSUFFICIENT, "account has insufficient balance for requested action")


# --- histories


def _fills(house: House, account: Account, params: Params) -> Message:
    symbol = _market(house, params).listing.symbol if house.personality.paging is Paging.FROM_ID else None
    known = account.fills if symbol is None else [fill for fill in account.fills if fill.symbol == symbol]
    page, cursor = _page(house, known, params, lambda fill: fill.told_us)
    return {"rows": [rows.fill_row(fill, house.personality.correcting) for fill in page], **cursor}


def _ledger(house: House, account: Account, params: Params) -> Message:
    page, cursor = _page(house, account.moved, params, lambda moved: moved.at_us)
    return {"rows": [rows.movement_row(moved) for moved in page], **cursor}


def _page(
    house: House, known: Sequence[R], params: Params, told_us: Callable[[R], int]
) -> tuple[list[R], dict[str, str]]:
    """Cut a page out of a history, in this venue's way; with a cursor it says where the next one begins."""
    now_us, paging = house.now_us(), house.personality.paging
    limit = min(_whole(params, "limit", house.personality.page_size), _MOST_ROWS)
    if not limit:
        raise refused(codes.FILTER, "limit is 0")
    begin = _whole(params, _BEGINS[paging], 0) + (1 if paging is Paging.CURSOR else 0)
    is_time = paging is Paging.TIME
    page: list[R] = []
    # From the end: nearly every question is about what is new.
    for row in reversed(known):
        if (told_us(row) // 1_000 if is_time else row.seq) < begin:
            break
        if row.visible_us <= now_us:
            page.append(row)
    page.reverse()
    del page[limit:]
    if paging is not Paging.CURSOR:
        return page, {}
    return page, {"next": str(page[-1].seq if page else begin - 1)}


# --- the account and the house


def _account(house: House, account: Account, _params: Params) -> Message:
    worth = margin.equity(house, account)
    balances: list[Message] = [
        {"pocket": pocket, "asset": asset, "total": text(total)}
        for (pocket, asset), total in sorted(account.wallets.items())
        if total
    ]
    positions = [
        rows.position_row(place, position, listing)
        for place, position in sorted(account.positions.items())
        if (listing := house.markets[place[0]].listing).is_perpetual
    ]
    return {
        "updateId": account.update_id,
        "balances": balances,
        "positions": positions,
        "equity": None if worth is None else text(worth),
    }


def _time(house: House, _account: Account, _params: Params) -> Message:
    return {"timeUs": house.now_us()}


def _instruments(house: House, _account: Account, _params: Params) -> Message:
    return {"rows": [rows.listing_row(market.listing) for market in house.markets.values()]}


def _leverage(house: House, account: Account, params: Params) -> Message:
    listing = _market(house, params).listing
    wanted = Decimal(_whole(params, "leverage", 0))
    if not listing.is_perpetual or not 1 <= wanted <= listing.max_leverage:
        raise refused(codes.FILTER, f"leverage {wanted} is not valid")
    account.leverages[listing.symbol] = wanted
    return {"symbol": listing.symbol, "leverage": text(wanted)}


# --- parameters


def _market(house: House, params: Params) -> Market:
    market = house.markets.get(params.get("symbol", ""))
    if market is None:
        raise refused(codes.FILTER, "invalid symbol")
    return market


def _one_of(params: Params, name: str, words: Sequence[str]) -> str:
    told = params.get(name, "")
    if told not in words:
        raise refused(codes.FILTER, f"{name} must be one of {', '.join(words)}")
    return told


def _number(params: Params, name: str) -> Decimal:
    told = parsed(params.get(name, ""))
    if told is None or told <= ZERO:
        raise refused(codes.FILTER, f"{name} must be a number above 0")
    return told


def _whole(params: Params, name: str, default: int) -> int:
    told = params.get(name)
    if told is None:
        return default
    if not (told.isascii() and told.isdigit()):
        raise refused(codes.FILTER, f"{name} must be a whole number")
    return int(told)


_PATHS: dict[tuple[str, str], Callable[[House, Account, Params], Message]] = {
    ("POST", "/order"): _place,
    ("DELETE", "/order"): _cancel,
    ("GET", "/order"): _look_up,
    ("GET", "/openOrders"): _open_orders,
    ("GET", "/fills"): _fills,
    ("GET", "/ledger"): _ledger,
    ("GET", "/account"): _account,
    ("GET", "/time"): _time,
    ("GET", "/instruments"): _instruments,
    ("POST", "/leverage"): _leverage,
}
