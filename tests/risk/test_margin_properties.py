"""Liquidation prices and loads, searched for exceptions: what must hold for every position and every account."""

from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal, localcontext

from hypothesis import assume, given
from hypothesis import strategies as st

from plimsoll.model import money
from plimsoll.model.ids import AccountId, InstrumentId, PortfolioId
from plimsoll.model.instrument import AssetType, Instrument
from plimsoll.model.position import Position
from plimsoll.model.quote import Quote
from plimsoll.risk.margin import (
    Waiting,
    cross_liquidation_price,
    isolated_liquidation_price,
    liquidation_prices,
    load_of,
    maintenance_ratio,
    margin_of,
)
from plimsoll.risk.valuation import Holdings, Prices, value_account

D = Decimal
NOW = datetime(2022, 1, 1, tzinfo=UTC)
LINEAR = Instrument(
    InstrumentId(1), "BTC/USDT:USDT", "paper", AssetType.PERPETUAL, "BTC", "USDT", "USDT", D("0.1"), D("0.001"),
    multiplier=D("0.01"), max_leverage=D(10),
)  # fmt: skip
INVERSE = Instrument(
    InstrumentId(2), "BTC/USD:BTC", "paper", AssetType.PERPETUAL, "BTC", "USD", "BTC", D("0.5"), D(1), inverse=True,
    max_leverage=D(10),
)  # fmt: skip
#: An equality may miss by the last places of the numbers that were settled on the way to it.
NEAR = D("1e-9")
#: Divides without complaint, unlike the product's.
LOOSE = Context(prec=60, traps=[])
CONTRACTS = st.sampled_from([LINEAR, INVERSE])
LEVERAGES = st.decimals(D(1), D(5), places=2)
PRICES = st.decimals(D("0.5"), D(200_000), places=4)
SIZES = st.decimals(D("0.01"), D(100_000), places=3)
SIDES = st.booleans()


def gain(of: Instrument, quantity: Decimal, entry: Decimal, price: Decimal) -> Decimal:
    """Compute what a position earned between two prices, by another way than the product does."""
    if of.inverse:
        return quantity * of.multiplier * (price - entry) / (price * entry)
    return quantity * of.multiplier * (price - entry)


def value(of: Instrument, quantity: Decimal, price: Decimal) -> Decimal:
    return abs(quantity) * of.multiplier * (1 / price if of.inverse else price)


@given(CONTRACTS, PRICES, LEVERAGES, SIDES)
def test_at_the_isolated_price_the_positions_own_margin_is_down_to_maintenance(
    of: Instrument, entry: Decimal, leverage: Decimal, is_long: bool
) -> None:
    """Maintenance is counted of the value at entry, as the formula of the venues does."""
    price = isolated_liquidation_price(of, entry, leverage, is_long=is_long)
    quantity = D(1_000 if is_long else -1_000)
    with localcontext(LOOSE):
        opened = value(of, quantity, entry)
        left = opened / leverage + gain(of, quantity, entry, price)
        assert abs(left - maintenance_ratio(of) * opened) <= NEAR * opened


@given(CONTRACTS, PRICES, LEVERAGES, LEVERAGES, SIDES)
def test_more_leverage_never_moves_the_isolated_price_away(
    of: Instrument, entry: Decimal, one: Decimal, other: Decimal, is_long: bool
) -> None:
    low, high = sorted((one, other))
    calm = isolated_liquidation_price(of, entry, low, is_long=is_long)
    bold = isolated_liquidation_price(of, entry, high, is_long=is_long)
    assert calm > 0
    assert calm <= bold < entry if is_long else entry < bold <= calm


@given(CONTRACTS, SIZES, PRICES, st.decimals(D(-2), D(3), places=4), SIDES)
def test_at_the_cross_price_equity_equals_maintenance(
    of: Instrument, size: Decimal, price: Decimal, share: Decimal, is_long: bool
) -> None:
    """Whatever else the account has; where no price is named, none above zero does it."""
    quantity = size if is_long else -size
    now = of.notional(size, price)
    assume(now > D("1e-6"))
    cushion = money.settle_product(now, share)
    at = cross_liquidation_price(of, quantity, price, cushion)
    with localcontext(LOOSE):

        def left(where: Decimal) -> Decimal:
            worth = value(of, quantity, where)
            return cushion + gain(of, quantity, price, where) - maintenance_ratio(of) * worth

        if at is None:
            assert all(left(price * factor) > 0 for factor in (D("1e-9"), D("0.1"), D(1), D(10), D("1e9")))
        elif at == price:
            assert left(price) < NEAR * now
        else:
            assert at > 0
            assert abs(left(at)) <= NEAR * max(value(of, quantity, at), now)


@given(CONTRACTS, SIZES, PRICES, st.lists(st.decimals(D(0), D(1), places=3), min_size=2, max_size=2), SIDES)
def test_more_money_never_brings_the_cross_price_nearer(
    of: Instrument, size: Decimal, price: Decimal, shares: list[Decimal], is_long: bool
) -> None:
    now = of.notional(size, price)
    assume(now > D("1e-6"))
    little, much = (money.settle_product(now, share) for share in sorted(shares))
    quantity = size if is_long else -size
    near = cross_liquidation_price(of, quantity, price, little)
    far = cross_liquidation_price(of, quantity, price, much)
    if near is None or far is None:
        assert far is None, "what the smaller purse survives, the larger does"
    else:
        assert far <= near if is_long else far >= near


@st.composite
def accounts(draw: st.DrawFn) -> tuple[Holdings, Prices]:
    """Draw an account in USDT and BTC with a few legs in both contracts, and the price of it all."""
    price = draw(st.decimals(D(1_000), D(100_000), places=1))
    legs = []
    for number in range(draw(st.integers(0, 4))):
        of = draw(CONTRACTS)
        quantity = draw(st.decimals(D(-50), D(50), places=3))
        if quantity:
            entry = price * draw(st.sampled_from([D("0.8"), D(1), D("1.1")]))
            cost = of.notional(abs(quantity), entry) * (1 if (quantity > 0) != of.inverse else -1)
            legs.append((Position(AccountId(1), PortfolioId(number), of.id, quantity=quantity, cost=cost), of))
    spot = Instrument(
        InstrumentId(3), "BTC/USDT", "paper", AssetType.CRYPTO, "BTC", "USDT", "USDT", D("0.01"), D("0.00001")
    )
    balances = [
        ("USDT", draw(st.decimals(D(-5_000), D(50_000), places=2))),
        ("BTC", draw(st.decimals(D(-1), D(2), places=4))),
    ]
    quotes = {of.id: Quote(of.id, NOW, price, price, price) for of in (LINEAR, INVERSE, spot)}
    leverage = draw(LEVERAGES)
    return (
        Holdings("USDT", balances, legs, {spot.id: spot}, {LINEAR.id: leverage, INVERSE.id: leverage}),
        Prices(quotes, NOW, timedelta(seconds=5)),
    )


@given(accounts(), st.decimals(D(0), D(10_000), places=2))
def test_the_parts_of_a_margin_add_up(account: tuple[Holdings, Prices], held_back: Decimal) -> None:
    held, prices = account
    worth = value_account(held, prices)
    waiting = Waiting([("USDT", held_back)], held_back)
    told = margin_of(held, prices, worth, waiting, D(5), applies=True)
    assert worth.equity is not None
    assert worth.gross is not None
    assert worth.margin_used is not None
    assert told.used == worth.margin_used + held_back
    assert told.total is not None
    assert told.total <= worth.equity
    assert told.available == told.total - told.used
    assert told.buying_power == 5 * worth.equity - worth.gross - held_back
    assert told.load == load_of(worth.gross + held_back, worth.equity, D(5), applies=True)
    assert told.maintenance is not None
    assert told.maintenance >= 0


@given(accounts())
def test_no_liquidation_price_is_ever_zero_or_below(account: tuple[Holdings, Prices]) -> None:
    held, prices = account
    found = liquidation_prices(held, prices)
    assert all(price > 0 for price in found.values())
    assert set(found) <= {instrument.id for _position, instrument in held.positions}
