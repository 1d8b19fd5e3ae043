"""When an order is filled, at which price, and by how much. The market has one price; it stands a tick apart.

Rule 1. Who arrives takes the far side; who waits is met at his own price when the market has been there (maker).
Rule 2. Stops are reached by the last price; a stop then takes the far side, a stop-limit becomes a limit.
Rule 3. With a drawn chance one fill takes only a part: a limit goes on waiting, a market order takes the next price
        too, what is immediate or nothing ends. FOK is filled whole.
Rule 4. What a wallet no longer covers when its time comes ends unfilled (`EXPIRED`), and so does what only reduces
        when nothing is left to reduce.
Rule 5. Nobody is looked at while the price stays between `up` and `down`: most prices move nobody.
"""

from decimal import Decimal

from tests.simulation.exchange import margin
from tests.simulation.exchange.amounts import ZERO
from tests.simulation.exchange.books import EXPIRED, Account, Order
from tests.simulation.exchange.house import House, Market

MARKET, LIMIT, STOP, STOP_LIMIT = "MARKET", "LIMIT", "STOP", "STOP_LIMIT"
_AT_ONCE = ("IOC", "FOK")


def set_price(market: Market, price: Decimal) -> None:
    """Move the market: the last price on its grid, a tick on either side."""
    tick = market.listing.tick
    market.last = max(price // tick * tick, tick)
    market.ask = market.last + tick
    market.bid = max(market.last - tick, tick)


def arrive(house: House, account: Account, order: Order) -> None:
    """Fill what can be filled of an order that was just taken; the rest waits."""
    market = house.markets[order.listing.symbol]
    market.waiting[order.id] = (account, order)
    market.changed = True
    if order.type in (STOP, STOP_LIMIT):
        if _is_reached(order, market):
            _trigger(house, account, order, market)
    else:
        _take(house, account, order, market)


def move(house: House, market: Market) -> None:
    """Fill, trigger and end what the market's new price moves."""
    if market.changed:
        _find_edges(market)
    last = market.price
    if not (
        market.restless
        or (market.up is not None and last >= market.up)
        or (market.down is not None and last <= market.down)
    ):
        return
    for account, order in tuple(market.waiting.values()):
        _step(house, account, order, market)
    market.changed = True


def _find_edges(market: Market) -> None:
    ups: list[Decimal] = []
    downs: list[Decimal] = []
    market.restless = False
    for _, order in market.waiting.values():
        if order.type in (STOP, STOP_LIMIT) and not order.triggered:
            assert order.stop_price is not None, "a stop has its price"
            (ups if order.sign > 0 else downs).append(order.stop_price)
        elif order.price is None:
            market.restless = True
        else:
            (downs if order.sign > 0 else ups).append(order.price)
    market.up, market.down = min(ups, default=None), max(downs, default=None)
    market.changed = False


def _step(house: House, account: Account, order: Order, market: Market) -> None:
    if order.type in (STOP, STOP_LIMIT) and not order.triggered:
        if _is_reached(order, market):
            _trigger(house, account, order, market)
    elif order.price is None:
        _take(house, account, order, market)
    elif (market.price - order.price) * order.sign <= 0:
        _execute(house, account, order, order.price, maker=True)


def _is_reached(order: Order, market: Market) -> bool:
    assert order.stop_price is not None, "a stop has its price"
    return (market.price - order.stop_price) * order.sign >= 0


def _trigger(house: House, account: Account, order: Order, market: Market) -> None:
    order.triggered, order.updated_us = True, house.now_us()
    account.update_id += 1
    market.changed = True
    house.tell_order(account, order)
    _take(house, account, order, market)


def _take(house: House, account: Account, order: Order, market: Market) -> None:
    """Take the far side, within the order's limit; what is at once or never ends with what it got."""
    price = market.ask if order.sign > 0 else market.bid
    if order.price is None or (order.price - price) * order.sign >= 0:
        _execute(house, account, order, price, maker=False)
    if order.is_open and order.time_in_force in _AT_ONCE:
        house.end(account, order, EXPIRED, f"{order.time_in_force}: not filled at once")


def _execute(house: House, account: Account, order: Order, price: Decimal, *, maker: bool) -> None:
    quantity = order.left
    most = margin.closable(house, account, order)
    if most is not None and most < quantity:
        if not most:
            house.end(account, order, EXPIRED, "nothing is left to reduce")
            return
        quantity = most
    elif order.time_in_force != "FOK":
        quantity = _drawn_part(house, order, quantity)
    if not _is_covered(house, account, order, quantity, price):
        house.end(account, order, EXPIRED, "the balance no longer covers it")
        return
    house.fill(account, order, quantity, price, maker=maker)
    if most is not None and most <= quantity and order.is_open:
        house.end(account, order, EXPIRED, "nothing is left to reduce")


def _drawn_part(house: House, order: Order, quantity: Decimal) -> Decimal:
    ratio = house.personality.partial_ratio
    lots = int(quantity / order.listing.lot)
    if ratio and lots > 1 and house.chance.random() < ratio:
        return order.listing.lot * house.chance.randrange(1, lots)
    return quantity


def _is_covered(house: House, account: Account, order: Order, quantity: Decimal, price: Decimal) -> bool:
    listing = order.listing
    if listing.is_perpetual:
        return True
    if order.sign > 0:
        return margin.available(house, account, listing.quote, order) >= margin.cost(order, quantity, price)
    return margin.available(house, account, listing.base, order) >= quantity > ZERO
