"""What one asset is worth in another: by whose quotes, how old, and unknown rather than guessed."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from plimsoll.model.ids import InstrumentId
from plimsoll.model.instrument import AssetType, Instrument
from plimsoll.model.quote import Quote
from plimsoll.risk.conversion import Prices, Rate, convert
from plimsoll.risk.valuation import Holdings, value_account

D = Decimal
NOW = datetime(2022, 1, 1, tzinfo=UTC)
AGE = timedelta(seconds=5)


def pair(number: int, symbol: str) -> Instrument:
    names, _, settle = symbol.partition(":")
    base, quote = names.split("/")
    kind = AssetType.PERPETUAL if settle else AssetType.CRYPTO
    return Instrument(InstrumentId(number), symbol, "paper", kind, base, quote, settle or quote, D("0.01"), D("0.01"))


SOL_BTC, BTC_USD, SOL_EUR, EUR_USD = (
    pair(1, "SOL/BTC"),
    pair(2, "BTC/USD"),
    pair(3, "SOL/EUR"),
    pair(4, "EUR/USD"),
)
USD_JPY, SOL_USD, SOL_PERP = pair(5, "USD/JPY"), pair(6, "SOL/USD"), pair(7, "SOL/USD:USD")
LISTED = (SOL_BTC, BTC_USD, SOL_EUR, EUR_USD, USD_JPY, SOL_PERP)


def rate(
    asset: str, into: str, *quotes: tuple[Instrument, str, float], listed: tuple[Instrument, ...] = LISTED
) -> Rate | None:
    told = {
        of.id: Quote(of.id, NOW - timedelta(seconds=age), D(price), D(price), D(price)) for of, price, age in quotes
    }
    return convert(asset, into, {of.id: of for of in listed}, Prices(told, NOW, AGE))


def ago(number: float) -> datetime:
    return NOW - timedelta(seconds=number)


def test_a_pair_of_the_two_is_the_rate_either_way_round() -> None:
    assert rate("BTC", "USD", (BTC_USD, "50000", 2)) == Rate("BTC", D(50000), (BTC_USD.id,), ago(2))
    assert rate("JPY", "USD", (USD_JPY, "125", 1)) == Rate("JPY", D("0.008"), (USD_JPY.id,), ago(1))


def test_without_a_pair_one_asset_in_between_leads_there_as_old_as_its_oldest_quote() -> None:
    found = rate("SOL", "USD", (SOL_BTC, "0.002", 1), (BTC_USD, "50000", 3))
    assert found == Rate("SOL", D(100), (SOL_BTC.id, BTC_USD.id), ago(3))


def test_both_halves_of_the_way_may_stand_the_other_way_round_and_only_the_whole_is_rounded() -> None:
    found = rate("JPY", "EUR", (USD_JPY, "3", 0), (EUR_USD, "7", 0))
    assert found == Rate("JPY", D("0.047619047619047619"), (USD_JPY.id, EUR_USD.id), ago(0))


def test_of_several_ways_the_freshest_counts_and_of_equals_the_first_listed() -> None:
    quotes = [(SOL_BTC, "0.002", 1), (BTC_USD, "50000", 3), (SOL_EUR, "80", 2), (EUR_USD, "1.2", 2)]
    found = rate("SOL", "USD", *quotes)
    assert found is not None
    assert (found.value, found.path) == (D(96), (SOL_EUR.id, EUR_USD.id))
    level = rate("SOL", "USD", *((of, price, 2) for of, price, _ in quotes))
    assert level is not None
    assert level.path == (SOL_BTC.id, BTC_USD.id)


def test_no_detour_is_taken_around_a_pair_whose_price_is_old() -> None:
    """A stale market is a reason not to know, and not one to look elsewhere."""
    fresh = ((SOL_BTC, "0.002", 1), (BTC_USD, "50000", 1))
    assert rate("SOL", "USD", *fresh, (SOL_USD, "100", 6), listed=(*LISTED, SOL_USD)) is None


@pytest.mark.parametrize(
    "quotes",
    [
        (),
        ((SOL_BTC, "0.002", 1),),
        ((SOL_BTC, "0.002", 1), (BTC_USD, "50000", 5.001)),
        ((SOL_BTC, "0.002", 5.001), (BTC_USD, "50000", 1)),
        ((SOL_BTC, "0.002", 1), (BTC_USD, "50000", -5.001)),
        ((SOL_PERP, "100", 1),),
    ],
    ids=["nothing", "half a way", "second half old", "first half old", "from the future", "a derivative is no way"],
)
def test_what_no_price_in_time_says_is_unknown(quotes: tuple[tuple[Instrument, str, float], ...]) -> None:
    assert rate("SOL", "USD", *quotes) is None


def test_a_valuation_says_which_rates_it_used_each_once() -> None:
    quotes = {
        of.id: Quote(of.id, ago(age), D(price), D(price), D(price))
        for of, price, age in ((BTC_USD, "50000", 2), (SOL_BTC, "0.002", 1))
    }
    balances = [("USD", D(1)), ("BTC", D("0.1")), ("BTC", D("0.1")), ("SOL", D(1)), ("JPY", D(1))]
    listed = {of.id: of for of in LISTED}
    known = value_account(Holdings("USD", balances[:-1], [], listed, {}), Prices(quotes, NOW, AGE))
    assert known.equity == D(10101)
    assert known.rates == (
        Rate("BTC", D(50000), (BTC_USD.id,), ago(2)),
        Rate("SOL", D(100), (SOL_BTC.id, BTC_USD.id), ago(2)),
    )
    unknown = value_account(Holdings("USD", balances, [], listed, {}), Prices(quotes, NOW, AGE))
    assert (unknown.equity, unknown.unpriced) == (None, ("JPY",))
    assert unknown.rates == known.rates
