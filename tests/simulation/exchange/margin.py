"""What an account is worth, what of it is spoken for, and when the exchange closes everything. Cross margin.

Rule 1. One wallet in the quote asset backs all perpetuals of it, both pockets together; coins back nothing.
Rule 2. Gains that are not realised back positions, and can neither be spent nor withdrawn.
Rule 3. When equity falls below the maintenance margin, the exchange cancels every order of the account, closes every
        position at its mark under an id of its own (`autoclose-…`, as Binance does) and takes a clearance fee of what
        is left. Below zero the insurance fund pays the rest: a movement LIQUIDATION that brings money.
"""

from decimal import Decimal

from tests.simulation.exchange.amounts import ZERO, product, quotient
from tests.simulation.exchange.books import CANCELED, Account, Order, Place
from tests.simulation.exchange.house import TAKER, House, Market

LIQUIDATION, ADL = "liquidation", "adl"
#: How the exchange names its own orders (Binance).
_NAMED = {LIQUIDATION: "autoclose", ADL: "adl_autoclose"}
#: Of the value of what is closed, as long as there is something to take it from (Binance: 0.3 % to 2 %).
CLEARANCE = Decimal("0.005")
#: Who never said otherwise has this leverage, or the most that is offered.
_USUAL_LEVERAGE = Decimal(10)


def leverage(house: House, account: Account, symbol: str) -> Decimal:
    """Give the leverage that an account uses for a symbol."""
    return account.leverages.get(symbol) or min(_USUAL_LEVERAGE, house.markets[symbol].listing.max_leverage)


def unrealized(house: House, account: Account, quote: str) -> Decimal:
    """Sum what its perpetuals of a quote asset would bring at their marks."""
    return sum((_gain(house, account, place) for place in _perpetuals(house, account, quote)), ZERO)


def maintenance(house: House, account: Account, quote: str) -> Decimal:
    """Sum what the positions must be backed by."""
    return sum(
        (
            _value(house, account, place) * house.markets[place[0]].listing.maintenance_ratio
            for place in _perpetuals(house, account, quote)
        ),
        ZERO,
    )


def equity(house: House, account: Account) -> Decimal | None:
    """Say what an account is worth in the exchange's quote asset; None while one of its assets has no price."""
    worth = ZERO
    for asset in sorted({asset for _, asset in account.wallets}):
        total, price = account.total(asset), house.price_of(asset)
        if price is None and total:
            return None
        worth += product(total, price or ZERO)
    return worth + unrealized(house, account, house.quote)


def available(house: House, account: Account, asset: str, but: Order | None = None) -> Decimal:
    """Give what can be spent or withdrawn: the wallet less losses, margins and what waiting orders need."""
    free = account.total(asset) - _locked(account, asset, but)
    if not _backs(house, asset):
        return free
    return free + min(ZERO, unrealized(house, account, asset)) - _margins(house, account, asset, but)


def can_open(house: House, account: Account, order: Order, price: Decimal) -> bool:
    """Say whether a perpetual's order is backed, as far as it opens anything."""
    quote = order.listing.quote
    free = account.total(quote) + unrealized(house, account, quote) - _locked(account, quote, order)
    needed = quotient(_opening(account, order, price), leverage(house, account, order.listing.symbol))
    return free - _margins(house, account, quote, order) >= needed


def cost(order: Order, quantity: Decimal, price: Decimal) -> Decimal:
    """Say what a purchase on spot needs of the quote asset, the fee included."""
    return product(quantity, price, 1 + TAKER)


def closable(house: House, account: Account, order: Order) -> Decimal | None:
    """Say how much an order may fill that only reduces; None for one that may open."""
    listing = order.listing
    closes_leg = (order.leg, order.sign) in (("LONG", -1), ("SHORT", 1))
    if not order.reduce_only and not closes_leg:
        return None
    if not listing.is_perpetual:
        whole_lots = account.total(listing.base) // listing.lot * listing.lot
        return max(whole_lots, ZERO) if order.sign < 0 else ZERO
    held = account.position(order.place).quantity
    return abs(held) if held * order.sign < 0 else ZERO


def watch(house: House, market: Market) -> None:
    """Close what the price has taken below its margin."""
    for account in tuple(market.holders.values()):
        check(house, account, market.listing.quote)


def check(house: House, account: Account, quote: str) -> None:
    """Liquidate an account if its equity in a quote asset no longer backs its positions."""
    places = _perpetuals(house, account, quote)
    if places and account.total(quote) + unrealized(house, account, quote) < maintenance(house, account, quote):
        _liquidate(house, account, quote, places)


def close(house: House, account: Account, place: Place, quantity: Decimal, *, made_by: str) -> Decimal:
    """Close a part of a position at its mark by an order of the exchange's own; give what was traded."""
    market = house.markets[place[0]]
    order = Order(
        id=house.next_order_id(),
        client_id=f"{_NAMED[made_by]}-{account.seq + 1}",
        listing=market.listing,
        sign=-1 if account.position(place).quantity > 0 else 1,
        type="MARKET",
        quantity=quantity,
        price=None,
        stop_price=None,
        time_in_force="IOC",
        reduce_only=True,
        leg=place[1],
        accepted_us=house.now_us(),
        visible_us=house.now_us(),
        made_by=made_by,
        updated_us=house.now_us(),
    )
    house.take(account, order)
    return house.fill(account, order, quantity, market.price, maker=False).notional


def _liquidate(house: House, account: Account, quote: str, places: list[Place]) -> None:
    for order in tuple(account.open.values()):
        house.end(account, order, CANCELED, "liquidation")
    for place in places:
        traded = close(house, account, place, abs(account.position(place).quantity), made_by=LIQUIDATION)
        fee = min(product(traded, CLEARANCE), account.total(quote))
        if fee > 0:
            house.move(account, "LIQUIDATION", quote, -fee, place=place)
    owed = account.total(quote)
    if owed < 0:
        house.move(account, "LIQUIDATION", quote, -owed, place=places[-1])


def _perpetuals(house: House, account: Account, quote: str) -> list[Place]:
    return [
        place
        for place in account.positions
        if (listing := house.markets[place[0]].listing).is_perpetual and listing.quote == quote
    ]


def _gain(house: House, account: Account, place: Place) -> Decimal:
    market, position = house.markets[place[0]], account.positions[place]
    return position.quantity * market.price * market.listing.multiplier - position.cost


def _value(house: House, account: Account, place: Place) -> Decimal:
    market = house.markets[place[0]]
    return abs(account.positions[place].quantity) * market.price * market.listing.multiplier


def _backs(house: House, asset: str) -> bool:
    return any(one.listing.is_perpetual and one.listing.quote == asset for one in house.markets.values())


def _locked(account: Account, asset: str, but: Order | None) -> Decimal:
    """Sum what waiting orders on spot need of an asset."""
    locked = ZERO
    for order in account.open.values():
        listing = order.listing
        if order is but or listing.is_perpetual:
            continue
        if order.sign < 0 and listing.base == asset:
            locked += order.left
        elif order.sign > 0 and listing.quote == asset:
            locked += cost(order, order.left, order.price or order.stop_price or ZERO)
    return locked


def _margins(house: House, account: Account, quote: str, but: Order | None) -> Decimal:
    """Sum the initial margins of positions and of what waits to open more."""
    needed = ZERO
    for place in _perpetuals(house, account, quote):
        needed += quotient(_value(house, account, place), leverage(house, account, place[0]))
    for order in account.open.values():
        if order is but or not order.listing.is_perpetual or order.listing.quote != quote or order.reduce_only:
            continue
        price = order.price or order.stop_price or house.markets[order.listing.symbol].price
        needed += quotient(_opening(account, order, price), leverage(house, account, order.listing.symbol))
    return needed


def _opening(account: Account, order: Order, price: Decimal) -> Decimal:
    """Value what of an order would open a position, as the account stands."""
    held = account.position(order.place).quantity
    closes = abs(held) if held * order.sign < 0 else ZERO
    return max(order.left - closes, ZERO) * price * order.listing.multiplier
