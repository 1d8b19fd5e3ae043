"""How deep an account is loaded, what it binds, and the price at which a venue would take its positions."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from plimsoll.model.ids import AccountId, InstrumentId, PortfolioId
from plimsoll.model.instrument import AssetType, Instrument
from plimsoll.model.position import Position
from plimsoll.model.quote import Quote
from plimsoll.risk.margin import (
    MAINTENANCE_RATIOS,
    Load,
    LoadLevel,
    Margin,
    Waiting,
    cross_liquidation_price,
    isolated_liquidation_price,
    liquidation_prices,
    load_of,
    margin_of,
)
from plimsoll.risk.valuation import Bound, Holdings, Prices, add_up, bound_in, unpriced_among, value_account

D = Decimal
NOW = datetime(2022, 1, 1, tzinfo=UTC)
PAGE = Path(__file__).resolve().parents[2] / "docs" / "margin-and-leverage.md"


def instrument(number: int, symbol: str, kind: AssetType = AssetType.PERPETUAL, *, inverse: bool = False) -> Instrument:
    pair, _, settle = symbol.partition(":")
    base, quote = pair.split("/")
    return Instrument(
        InstrumentId(number), symbol, "paper", kind, base, quote, settle or quote, D("0.01"), D("0.001"),
        inverse=inverse, max_leverage=D(10),
    )  # fmt: skip


SPOT = instrument(1, "BTC/USDT", AssetType.CRYPTO)
LINEAR = instrument(2, "BTC/USDT:USDT")
ETHER = instrument(3, "ETH/USDT:USDT")
INVERSE = instrument(4, "BTC/USD:BTC", inverse=True)
CFD = instrument(5, "DAX/EUR:EUR", AssetType.CFD)
EURO = instrument(6, "EUR/USDT", AssetType.CRYPTO)
QUOTED = {SPOT: "50000", LINEAR: "50000", ETHER: "2000", INVERSE: "50000", CFD: "15000", EURO: "1.25"}


def leg(of: Instrument, quantity: str, cost: str, *, portfolio: int = 1) -> tuple[Position, Instrument]:
    return Position(AccountId(1), PortfolioId(portfolio), of.id, quantity=D(quantity), cost=D(cost)), of


def holdings(*legs: tuple[Position, Instrument], leverage: str = "2", **cash: str) -> Holdings:
    return Holdings(
        "USDT",
        [(asset, D(amount)) for asset, amount in cash.items()],
        legs,
        {SPOT.id: SPOT, EURO.id: EURO},
        {of.id: D(leverage) for _position, of in legs},
    )


def prices(**spoiled: str | None) -> Prices:
    """Quote everything; `BTC_USDT=None` is a price that nobody knows."""
    said = {of.symbol.replace("/", "_"): price for of, price in QUOTED.items()} | spoiled
    quotes = {}
    for of in QUOTED:
        price = said[of.symbol.replace("/", "_")]
        if price is not None:
            quotes[of.id] = Quote(of.id, NOW, D(price), D(price), D(price))
    return Prices(quotes, NOW, timedelta(seconds=5))


def margin(held: Holdings, at: Prices | None = None, waiting: Waiting | None = None, *, applies: bool = True) -> Margin:
    at = at or prices()
    return margin_of(held, at, value_account(held, at), waiting or Waiting(), D(5), applies=applies)


# The load line --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gross", "ratio", "level"),
    [
        ("0", "0", LoadLevel.SAFE),
        ("34999.99", "0.6999998", LoadLevel.SAFE),
        ("35000", "0.7", LoadLevel.WARNING),
        ("39999.99", "0.7999998", LoadLevel.WARNING),
        ("40000", "0.8", LoadLevel.CRITICAL),
        ("44999.99", "0.8999998", LoadLevel.CRITICAL),
        ("45000", "0.9", LoadLevel.EMERGENCY),
        ("60000", "1.2", LoadLevel.EMERGENCY),
    ],
)
def test_the_levels_begin_at_70_80_and_90_percent_of_the_buying_power(gross: str, ratio: str, level: LoadLevel) -> None:
    load = load_of(D(gross), D(10_000), D(5), applies=True)
    assert load == Load(D(ratio), level, applies=True, gross=D(gross), cap=D(5))


def test_a_hair_below_a_line_is_below_it_though_its_ratio_rounds_to_it() -> None:
    load = load_of(D("6999999999.999999999999999999"), D(2_000_000_000), D(5), applies=True)
    assert (load.ratio, load.level) == (D("0.7"), LoadLevel.SAFE)


def test_a_load_that_nobody_knows_has_no_level() -> None:
    for gross, equity in ((None, D(1)), (D(1), None)):
        load = load_of(gross, equity, D(5), applies=True)
        assert (load.ratio, load.level) == (None, LoadLevel.UNKNOWN)


@pytest.mark.parametrize("equity", ["0", "-5"])
def test_without_equity_anything_open_is_an_emergency_and_nothing_open_is_no_load(equity: str) -> None:
    load = load_of(D(100), D(equity), D(5), applies=True)
    assert (load.ratio, load.level) == (None, LoadLevel.EMERGENCY)
    assert load_of(D(0), D(equity), D(5), applies=True).level is LoadLevel.SAFE


def test_a_plain_spot_account_is_never_in_danger_of_its_load() -> None:
    """Its load is gross / equity; all of it in coins is 1, and nobody can call them in."""
    load = load_of(D(10_000), D(10_000), D(5), applies=False)
    assert (load.ratio, load.level, load.cap) == (D(1), LoadLevel.SAFE, D(1))


# What is bound --------------------------------------------------------------------------------------------------------


def test_what_two_times_leverage_binds_by_hand() -> None:
    """10,000 USDT, long 0.2 BTC from 45,000 at 2×, now 50,000: 1,000 earned, 10,000 open, 5,000 bound."""
    told = margin(holdings(leg(LINEAR, "0.2", "9000"), USDT="10000"))
    assert told == Margin(
        load=Load(D("0.181818181818181818"), LoadLevel.SAFE, applies=True, gross=D(10_000), cap=D(5)),
        used=D(5_000),
        total=D(11_000),
        available=D(6_000),
        utilization=D("0.454545454545454545"),
        maintenance=D(100),
        level=D("2.2"),
        buying_power=D(45_000),
    )


def test_waiting_orders_bind_what_they_hold_back_and_count_in_the_load() -> None:
    waiting = Waiting([("USDT", D(1_000)), ("DOGE", D(5))], value=D(2_000))
    told = margin(holdings(leg(LINEAR, "0.2", "9000"), USDT="10000", DOGE="0"), waiting=waiting)
    assert (told.used, told.available, told.load.gross, told.buying_power) == (D(6_000), D(5_000), D(12_000), D(43_000))


def test_coins_are_worth_something_and_margin_nothing() -> None:
    """As at the paper venue: 0.1 BTC adds 5,000 to equity, and no contract in USDT can be opened with it."""
    told = margin(holdings(USDT="5000", BTC="0.1"))
    assert (told.total, told.available, told.utilization, told.level) == (D(5_000), D(5_000), D(0), None)
    assert (told.load.gross, told.buying_power) == (D(5_000), D(45_000))


def test_coins_are_margin_for_what_settles_in_them() -> None:
    told = margin(holdings(leg(INVERSE, "5000", "-0.1"), USDT="0", BTC="1"))
    assert (told.used, told.total, told.available) == (D(2_500), D(50_000), D(47_500))


def test_borrowed_coins_are_no_coins_of_ones_own() -> None:
    """1 BTC borrowed and held stands beside a loan of 1: nothing is held, and nothing can be bound less for it."""
    held = Holdings("USDT", [("USDT", D(100)), ("BTC", D(1)), ("BTC", D(-1))], (), {SPOT.id: SPOT}, {})
    assert margin(held).total == D(100)


def test_what_is_owed_lowers_what_can_be_bound() -> None:
    assert margin(holdings(USDT="10000", BTC="-0.1")).total == D(5_000)


def test_bound_beyond_what_can_be_bound_has_no_ratio() -> None:
    told = margin(holdings(leg(LINEAR, "1", "62000"), USDT="10000"))
    assert (told.used, told.total, told.available, told.utilization) == (D(25_000), D(-2_000), D(-27_000), None)
    assert told.load.level is LoadLevel.EMERGENCY


@pytest.mark.parametrize("missing", ["BTC_USDT", "BTC_USDT:USDT"])
def test_one_price_that_is_missing_makes_all_of_it_unknown(missing: str) -> None:
    told = margin(holdings(leg(LINEAR, "0.2", "9000"), USDT="10000", BTC="1"), prices(**{missing: None}))
    assert told.load.level is LoadLevel.UNKNOWN
    assert {told.used, told.total, told.available, told.utilization, told.maintenance, told.buying_power} == {None}


def test_a_position_in_another_currency_is_counted_in_the_accounts() -> None:
    """Long 1 DAX at 15,000 EUR is 18,750 USDT; a CFD keeps a tenth."""
    told = margin(holdings(leg(CFD, "1", "15000"), USDT="20000", EUR="100"))
    assert (told.used, told.maintenance, told.total) == (D(9_375), D(1_875), D(20_125))


def test_opposite_legs_of_an_account_keep_no_maintenance() -> None:
    held = holdings(leg(LINEAR, "1", "50000"), leg(LINEAR, "-1", "-50000", portfolio=2), USDT="50000")
    told = margin(held)
    assert (told.maintenance, told.used) == (D(0), D(50_000)), "a venue nets them; the gate binds each"
    assert liquidation_prices(held, prices()) == {}


def test_every_derivative_has_a_maintenance_ratio_below_its_initial_margin() -> None:
    """At the hard maximum of leverage the initial margin is a fifth."""
    assert {kind for kind in AssetType if kind in MAINTENANCE_RATIOS} == {
        AssetType.PERPETUAL, AssetType.FUTURE, AssetType.CFD,
    }  # fmt: skip
    assert all(0 < ratio < D("0.2") for ratio in MAINTENANCE_RATIOS.values())


# Liquidation ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("of", "leverage", "is_long", "price"),
    [
        # 50,000 × (1 − 1/2 + 0.01) and its mirror; 5×: 50,000 × (1 − 1/5 + 0.01). As in docs/margin-and-leverage.md.
        (LINEAR, "2", True, "25500"),
        (LINEAR, "2", False, "74500"),
        (LINEAR, "5", True, "40500"),
        (LINEAR, "5", False, "59500"),
        (LINEAR, "1", True, "500"),
        # Inverse: 50,000 / (1 + 1/2 − 0.01), and 50,000 / (1 − 1/2 + 0.01)
        (INVERSE, "2", True, "33557.046979865771812081"),
        (INVERSE, "2", False, "98039.215686274509803922"),
        (INVERSE, "5", True, "42016.806722689075630252"),
        (CFD, "2", True, "30000"),
    ],
)
def test_the_isolated_liquidation_price_by_hand(of: Instrument, leverage: str, is_long: bool, price: str) -> None:
    assert isolated_liquidation_price(of, D(50_000), D(leverage), is_long=is_long) == D(price)


def test_the_isolated_formula_is_the_venues_own_example() -> None:
    """Bybit's help page: 60,000 USD long from 50,000 at 10×; with 1 % kept 60,000 / (1.2 + 0.12 − 0.012)."""
    price = isolated_liquidation_price(INVERSE, D(50_000), D(10), is_long=True)
    assert abs(price * D("1.308") - 60_000) < D("1e-12")


@pytest.mark.parametrize(
    ("held", "of", "price"),
    [
        # 25,000 USDT at 2×: 25,000 + P − 50,000 = 0.01 P
        (holdings(leg(LINEAR, "1", "50000"), USDT="25000"), LINEAR, "25252.525252525252525253"),
        (holdings(leg(LINEAR, "-1", "-50000"), USDT="25000"), LINEAR, "74257.425742574257425743"),
        # 10,000 USDT at 5×
        (holdings(leg(LINEAR, "1", "50000"), USDT="10000"), LINEAR, "40404.040404040404040404"),
        # Profit is carried too: bought at 40,000, and 15,000 are there with it.
        (holdings(leg(LINEAR, "1", "40000"), USDT="15000"), LINEAR, "25252.525252525252525253"),
        # What else settles in USDT takes its maintenance first: 1 % of 20,000.
        (
            holdings(leg(LINEAR, "1", "50000"), leg(ETHER, "10", "20000"), USDT="25200"),
            LINEAR,
            "25252.525252525252525253",
        ),
        # Legs of two portfolios are one position at the venue.
        (
            holdings(leg(LINEAR, "2", "100000"), leg(LINEAR, "-1", "-50000", portfolio=2), USDT="25000"),
            LINEAR,
            "25252.525252525252525253",
        ),
        # 50,000 USD in coins, 0.5 BTC: 0.5 + 1 − 50,000 / P = 500 / P
        (holdings(leg(INVERSE, "50000", "-1"), BTC="0.5"), INVERSE, "33666.666666666666666667"),
        (holdings(leg(INVERSE, "-50000", "1"), BTC="0.5"), INVERSE, "99000"),
    ],
)
def test_the_cross_liquidation_price_by_hand(held: Holdings, of: Instrument, price: str) -> None:
    assert liquidation_prices(held, prices())[of.id] == D(price)


@pytest.mark.parametrize(
    "held",
    [
        holdings(leg(LINEAR, "1", "50000"), USDT="50000"),
        holdings(leg(INVERSE, "-50000", "1"), BTC="1"),
        holdings(leg(SPOT, "1", "50000"), BTC="1"),
        holdings(USDT="1"),
    ],
)
def test_what_is_paid_for_in_full_is_never_liquidated(held: Holdings) -> None:
    """A long bought with its whole value, a short of coins that lie there, and coins themselves."""
    assert liquidation_prices(held, prices()) == {}


def test_coins_do_not_carry_a_contract_in_money() -> None:
    """The account is worth 75,000, and its 25,000 USDT are what the long stands on."""
    held = holdings(leg(LINEAR, "1", "50000"), USDT="25000", BTC="1")
    assert liquidation_prices(held, prices())[LINEAR.id] == D("25252.525252525252525253")


@pytest.mark.parametrize(("of", "quantity"), [(LINEAR, "-1"), (INVERSE, "50000")])
def test_what_no_price_can_save_is_liquidated_where_it_stands(of: Instrument, quantity: str) -> None:
    """Debts of many times its value: the price could go anywhere and the account would still be under water."""
    assert cross_liquidation_price(of, D(quantity), D(50_000), D(-1_000_000)) == D(50_000)


def test_a_position_that_is_past_its_price_says_so() -> None:
    """Only 100 are left beside a long of 50,000: its liquidation price lies above the market."""
    price = cross_liquidation_price(LINEAR, D(1), D(50_000), D(100))
    assert price is not None
    assert price > 50_000


@pytest.mark.parametrize("missing", ["ETH_USDT:USDT", "BTC_USDT:USDT"])
def test_without_a_price_nothing_that_shares_its_money_has_a_liquidation_price(missing: str) -> None:
    held = holdings(
        leg(LINEAR, "1", "50000"), leg(ETHER, "10", "20000"), leg(INVERSE, "50000", "-1"), USDT="25000", BTC="0.5"
    )
    assert set(liquidation_prices(held, prices(**{missing: None}))) == {INVERSE.id}


# What derivatives make of one asset ----------------------------------------------------------------------------------


def test_profits_and_losses_of_one_asset_are_kept_apart() -> None:
    held = holdings(
        leg(LINEAR, "1", "40000"), leg(ETHER, "10", "23000"), leg(INVERSE, "5000", "-0.1"), leg(SPOT, "1", "1"),
        leverage="4",
    )  # fmt: skip
    assert bound_in("USDT", held, prices()) == Bound(D(17_500), D(10_000), D(3_000))
    assert bound_in("BTC", held, prices()) == Bound(D("0.025"))
    assert bound_in("EUR", held, prices()) == Bound()
    assert bound_in("USDT", held, prices(**{"ETH_USDT:USDT": None})) is None
    assert bound_in("BTC", held, prices(**{"ETH_USDT:USDT": None})) == Bound(D("0.025"))


def test_amounts_of_several_assets_are_added_up_or_named() -> None:
    amounts = [("USDT", D(1)), ("BTC", D("0.1")), ("EUR", D(0)), ("DOGE", D(0))]
    held = holdings()
    assert add_up(amounts, held, prices()) == D(5_001)
    assert unpriced_among(amounts, held, prices()) == ()
    without = prices(BTC_USDT=None)
    assert add_up(amounts, held, without) is None
    assert unpriced_among(amounts, held, without) == ("BTC",)


# The page -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("leverage", ["2", "5"])
def test_the_worked_examples_of_the_page_are_what_the_code_says(leverage: str) -> None:
    """docs/margin-and-leverage.md: 0.3 BTC at 50,000 in an account of 10,000 USDT."""
    text = PAGE.read_text(encoding="utf-8")
    long_one = holdings(leg(LINEAR, "0.3", "15000"), USDT="10000", leverage=leverage)
    short_one = holdings(leg(LINEAR, "-0.3", "-15000"), USDT="10000", leverage=leverage)
    told = margin(long_one)
    assert (told.maintenance, told.load.ratio) == (D(150), D("0.3"))
    cells = [
        told.used,
        told.available,
        *(isolated_liquidation_price(LINEAR, D(50_000), D(leverage), is_long=is_long) for is_long in (True, False)),
        *(liquidation_prices(held, prices())[LINEAR.id] for held in (long_one, short_one)),
    ]
    row = " | ".join(f"{cell:.2f}".removesuffix(".00") for cell in cells if cell is not None)
    assert f"| {leverage}× | {row} |" in text


def test_the_page_names_the_numbers_of_the_code() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert "1 % of the value for perpetuals, 10 % for CFDs and dated\nfutures" in text
    assert list(MAINTENANCE_RATIOS.values()) == [D("0.01"), D("0.1"), D("0.1")]
