"""What an account is worth: every holding at a price in time, or unknown, never a guess."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from plimsoll.model.ids import AccountId, InstrumentId, PortfolioId
from plimsoll.model.instrument import AssetType, Instrument
from plimsoll.model.position import Position
from plimsoll.model.quote import Quote
from plimsoll.risk.valuation import Holdings, Prices, Valuation, rate_of, value_account

D = Decimal
NOW = datetime(2022, 1, 1, tzinfo=UTC)
AGE = timedelta(seconds=5)


def instrument(number: int, symbol: str, *, inverse: bool = False) -> Instrument:
    pair, _, settle = symbol.partition(":")
    base, quote = pair.split("/")
    kind = AssetType.PERPETUAL if settle else AssetType.CRYPTO
    settled, tick, lot = settle or quote, D("0.01"), D("0.001")
    return Instrument(
        InstrumentId(number), symbol, "paper", kind, base, quote, settled, tick, lot, inverse=inverse, max_leverage=D(5)
    )


BTC = instrument(1, "BTC/USD")
ETH = instrument(2, "ETH/USD")
LINEAR = instrument(3, "BTC/USD:USD")
INVERSE = instrument(4, "BTC/USD:BTC", inverse=True)
USDJPY = instrument(5, "USD/JPY")
ALL = (LINEAR, INVERSE, BTC, ETH, USDJPY)


def position(of: Instrument, quantity: str, cost: str) -> tuple[Position, Instrument]:
    return Position(AccountId(1), PortfolioId(1), of.id, quantity=D(quantity), cost=D(cost)), of


def quote(of: Instrument, price: str, *, age: float = 0, mark: str | None = None) -> Quote:
    at = NOW - timedelta(seconds=age)
    return Quote(of.id, at, D(price), D(price), D(price), mark=None if mark is None else D(mark))


def worth(
    *quotes: Quote,
    cash: dict[str, str] | None = None,
    positions: tuple[tuple[Position, Instrument], ...] = (),
    leverage: str = "1",
) -> Valuation:
    holdings = Holdings(
        "USD",
        [(asset, D(amount)) for asset, amount in (cash or {}).items()],
        positions,
        {of.id: of for of in ALL},
        {of.id: D(leverage) for of in ALL},
    )
    return value_account(holdings, Prices({of.instrument_id: of for of in quotes}, NOW, AGE))


def test_cash_alone_is_worth_itself_and_nothing_is_exposed() -> None:
    assert worth(cash={"USD": "1000"}) == Valuation(D(1000), (), D(0), D(0), D(0), has_derivatives=False)


def test_coins_count_as_balance_and_their_spot_position_is_never_counted_again() -> None:
    valued = worth(quote(BTC, "50000"), cash={"USD": "100", "BTC": "0.1"}, positions=(position(BTC, "0.1", "4000"),))
    assert valued == Valuation(D(5100), (), D(5000), D(5000), D(0), has_derivatives=False)


def test_the_mark_is_what_holdings_are_valued_at_where_the_venue_has_one() -> None:
    assert worth(quote(BTC, "50000", mark="40000"), cash={"BTC": "1"}).equity == D(40000)


def test_a_debt_lessens_equity_and_adds_to_what_is_exposed() -> None:
    valued = worth(quote(BTC, "50000"), cash={"USD": "10000", "BTC": "-0.1"})
    assert (valued.equity, valued.gross, valued.net) == (D(5000), D(5000), D(-5000))


def test_several_currencies_add_up_through_direct_and_turned_round_rates() -> None:
    valued = worth(
        quote(BTC, "50000"), quote(ETH, "2000"), quote(USDJPY, "125"), cash={"BTC": "0.1", "ETH": "1", "JPY": "1250"}
    )
    assert valued.equity == D(5000) + D(2000) + D(10)


def test_a_linear_derivative_adds_its_unrealised_profit_and_its_margin_at_the_leverage() -> None:
    valued = worth(
        quote(LINEAR, "55000"), cash={"USD": "1000"}, positions=(position(LINEAR, "0.1", "5000"),), leverage="2"
    )
    assert valued == Valuation(D(1500), (), D(5500), D(5500), D(2750), has_derivatives=True)


def test_a_short_derivative_gains_when_the_price_falls_and_counts_negative_in_the_net() -> None:
    valued = worth(quote(LINEAR, "45000"), cash={"USD": "1000"}, positions=(position(LINEAR, "-0.1", "-5000"),))
    assert (valued.equity, valued.gross, valued.net) == (D(1500), D(4500), D(-4500))


def test_an_inverse_derivative_pays_in_coins_that_are_valued_at_the_spot_price() -> None:
    # 10,000 contracts bought at 40,000 cost 0.25 BTC; at 50,000 they are worth 0.2: 0.05 BTC gained, 2,500 USD.
    valued = worth(
        quote(INVERSE, "50000"),
        quote(BTC, "50000"),
        cash={"BTC": "1"},
        positions=(position(INVERSE, "10000", "-0.25"),),
        leverage="5",
    )
    assert valued == Valuation(D(52500), (), D(60000), D(60000), D(2000), has_derivatives=True)


@pytest.mark.parametrize(
    ("quotes", "cash", "positions", "unpriced"),
    [
        pytest.param((), {"BTC": "1"}, (), ("BTC",), id="no price was ever seen"),
        pytest.param((quote(BTC, "50000", age=5.001),), {"BTC": "1"}, (), ("BTC",), id="the price is too old"),
        pytest.param((quote(BTC, "50000", age=-5.001),), {"BTC": "1"}, (), ("BTC",), id="the price is of the future"),
        pytest.param((), {"JPY": "1"}, (), ("JPY",), id="no price to turn round"),
        pytest.param((), {"XYZ": "1"}, (), ("XYZ",), id="no instrument leads there"),
        pytest.param((), {}, (position(LINEAR, "1", "1"),), ("BTC/USD:USD",), id="no price of a derivative"),
        pytest.param(
            (quote(INVERSE, "50000"),), {}, (position(INVERSE, "1", "-1"),), ("BTC/USD:BTC",), id="no rate of its coin"
        ),
    ],
)
def test_one_holding_without_a_price_in_time_makes_the_whole_unknown_and_is_named(
    quotes: tuple[Quote, ...],
    cash: dict[str, str],
    positions: tuple[tuple[Position, Instrument], ...],
    unpriced: tuple[str, ...],
) -> None:
    valued = worth(*quotes, cash={"USD": "1000", **cash}, positions=positions)
    assert valued.unpriced == unpriced
    assert (valued.equity, valued.gross, valued.net, valued.margin_used) == (None, None, None, None)
    assert valued.has_derivatives == bool(positions)


def test_nothing_held_of_an_asset_needs_no_price() -> None:
    assert worth(cash={"USD": "5", "BTC": "0"}).equity == D(5)


def test_a_price_is_in_time_up_to_its_very_limit() -> None:
    assert worth(quote(BTC, "50000", age=5), cash={"BTC": "1"}).equity == D(50000)


def test_a_rate_is_one_for_the_accounts_own_currency_and_skips_derivatives() -> None:
    holdings = Holdings("USD", [], [], {of.id: of for of in ALL}, {})
    prices = Prices({LINEAR.id: quote(LINEAR, "1"), BTC.id: quote(BTC, "7")}, NOW, AGE)
    assert rate_of("USD", holdings, prices) == D(1)
    assert rate_of("BTC", holdings, prices) == D(7)
