"""What happens to an account although nobody asked the desk: somebody trades by hand, the venue takes a fill back,
closes a winner, takes interest, pays funding; money comes and goes.

Each gives a short sentence for the story, or None when there was nothing to do it to.

A bust or a correction takes the last fill of its position only: nothing that came later changes with it, so that what
every other fill paid stays what it said. Real venues book that difference by hand, weeks later.
"""

from decimal import Decimal

from tests.simulation.exchange import margin, matching
from tests.simulation.exchange.amounts import ZERO, product, quotient, text
from tests.simulation.exchange.books import Account, Fill, Order, Place
from tests.simulation.exchange.house import House, Market

#: Of a position's value at its mark, at most, each time; either sign (Binance's usual cap is 0.75 %).
_MOST_FUNDING_PPM = 300
#: Of what is owed, each time.
_INTEREST = Decimal("0.00002")


def trade_by_hand(house: House, account: Account) -> str | None:
    """Let the account's owner trade at the venue's own page, past the desk."""
    chance = house.chance
    markets = [market for market in house.markets.values() if market.last is not None]
    if not markets:
        return None
    market = chance.choice(markets)
    listing = market.listing
    # Two to five times the least order.
    worth = max(listing.min_notional, Decimal(1)) * chance.randrange(2, 6)
    lots = int(quotient(worth, market.price * listing.lot * listing.multiplier)) + 1
    order = _by_hand(house, market, listing.lot * lots, chance.choice((1, -1)))
    if not _can(house, account, order, market):
        order.sign = -order.sign
        if not _can(house, account, order, market):
            return None
    house.take(account, order)
    matching.arrive(house, account, order)
    return f"by hand: {order.side} {text(order.quantity)} {listing.symbol} as {order.client_id}"


def _by_hand(house: House, market: Market, quantity: Decimal, sign: int) -> Order:
    leg = ""
    if house.personality.hedging and market.listing.is_perpetual:
        leg = house.chance.choice(("LONG", "SHORT"))
    number, now_us = house.next_order_id(), house.now_us()
    return Order(
        id=number,
        client_id=house.chance.choice((None, f"web_{number}")),
        listing=market.listing,
        sign=sign,
        type=matching.MARKET,
        quantity=quantity,
        price=None,
        stop_price=None,
        time_in_force="GTC",
        reduce_only=False,
        leg=leg,
        accepted_us=now_us,
        visible_us=now_us + house.lookup_lag_us(),
        updated_us=now_us,
    )


def _can(house: House, account: Account, order: Order, market: Market) -> bool:
    listing = order.listing
    if listing.is_perpetual:
        most = margin.closable(house, account, order)
        return margin.can_open(house, account, order, market.ask) if most is None else most >= order.quantity
    if order.sign > 0:
        return margin.available(house, account, listing.quote) >= margin.cost(order, order.quantity, market.ask)
    return margin.available(house, account, listing.base) >= order.quantity


# --- busts and corrections


def bust_last(house: House, account: Account) -> str | None:
    """Take back the last fill of one of the account's positions, drawn."""
    found = _revisable(house, account)
    if found is None:
        return None
    place, fill = found
    house.revise(account, place, None)
    return f"bust: {fill.side} {text(fill.quantity)} {fill.symbol} at {text(fill.price)}, trade {fill.trade_id}"


def correct_last(house: House, account: Account) -> str | None:
    """Tell the last fill of one of the account's positions otherwise: another price, or less of it."""
    found = _revisable(house, account)
    if found is None:
        return None
    place, fill = found
    listing = fill.order.listing
    quantity, price = fill.quantity, fill.price
    if house.chance.random() < 0.5 and quantity > listing.lot:
        quantity -= listing.lot * house.chance.randrange(1, int(quantity / listing.lot))
    else:
        # In the owner's favour, as a venue does after its own error; nobody is left unable to pay for it.
        price = max(price - fill.sign * listing.tick * house.chance.randrange(1, 20), listing.tick)
    house.revise(account, place, (quantity, price))
    told = f"{text(quantity)} at {text(price)} instead of {text(fill.quantity)} at {text(fill.price)}"
    return f"correction: {fill.side} {fill.symbol}, trade {fill.trade_id}: {told}"


def _revisable(house: House, account: Account) -> tuple[Place, Fill] | None:
    """Draw a position whose last fill can be taken back without owing coins that are gone."""
    found = [
        (place, history[-1][0])
        for place, history in account.history.items()
        if history and history[-1][0].order.made_by is None and _can_be_undone(account, history[-1][0])
    ]
    return house.chance.choice(found) if found else None


def _can_be_undone(account: Account, fill: Fill) -> bool:
    listing = fill.order.listing
    return listing.is_perpetual or fill.sign < 0 or account.total(listing.base) >= fill.quantity


# --- what the venue does


def deleverage(house: House, account: Account) -> str | None:
    """Close a half or all of a winning position at the mark: somebody else went bankrupt (`adl_autoclose`, Binance)."""
    winners = [place for place in account.positions if _is_winning(house, account, place)]
    if not winners:
        return None
    place = house.chance.choice(winners)
    lot, held = house.markets[place[0]].listing.lot, abs(account.positions[place].quantity)
    half = held / 2 // lot * lot
    quantity = half if half and house.chance.random() < 0.5 else held
    margin.close(house, account, place, quantity, made_by=margin.ADL)
    return f"ADL: {text(quantity)} of {place[0]}{place[1] and ' ' + place[1]} closed"


def _is_winning(house: House, account: Account, place: Place) -> bool:
    market = house.markets[place[0]]
    if not market.listing.is_perpetual:
        return False
    position = account.positions[place]
    return position.quantity * market.price * market.listing.multiplier > position.cost


def fund(house: House) -> None:
    """Let longs pay shorts of every perpetual, or the reverse: the rate is drawn, above zero longs pay."""
    for market in house.markets.values():
        rate = Decimal(house.chance.randrange(-_MOST_FUNDING_PPM, _MOST_FUNDING_PPM + 1)).scaleb(-6)
        for account in tuple(market.holders.values()):
            for leg in ("", "LONG", "SHORT"):
                pay_funding(house, account, (market.listing.symbol, leg), rate)
            margin.check(house, account, market.listing.quote)


def pay_funding(house: House, account: Account, place: Place, rate: Decimal) -> None:
    """Book one position's funding at its mark."""
    market = house.markets[place[0]]
    held = account.position(place).quantity
    paid = product(held, market.price if held else ZERO, market.listing.multiplier, -rate)
    if paid:
        house.move(account, "FUNDING", market.listing.quote, paid, place=place)


def charge_interest(house: House) -> None:
    """Take interest on every asset that an account owes."""
    for account in house.accounts.values():
        for asset in sorted({asset for _, asset in account.wallets}):
            interest = product(min(account.total(asset), ZERO), _INTEREST)
            if interest:
                house.move(account, "INTEREST", asset, interest)


# --- money


def deposit(house: House, account: Account, asset: str, amount: Decimal) -> str:
    """Let money or coins come in."""
    house.move(account, "DEPOSIT", asset, amount)
    return f"deposit: {text(amount)} {asset}"


def withdraw(house: House, account: Account, asset: str, amount: Decimal) -> str | None:
    """Let money or coins go out, unless positions or orders need them."""
    if margin.available(house, account, asset) < amount:
        return None
    house.move(account, "WITHDRAWAL", asset, -amount)
    return f"withdrawal: {text(amount)} {asset}"
