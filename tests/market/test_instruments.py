"""The built-in table, and what a symbol's form says about an instrument that is not in it."""

from decimal import Decimal

import pytest

from plimsoll.market.instruments import instrument_for
from plimsoll.model.errors import Illegal
from plimsoll.model.ids import InstrumentId
from plimsoll.model.instrument import AssetType, Instrument

ID = InstrumentId(7)


def described(symbol: str, tick: str | None = "0.001") -> Instrument:
    return instrument_for(symbol, ID, "paper", None if tick is None else Decimal(tick))


@pytest.mark.parametrize(
    ("symbol", "asset_type", "settle", "inverse"),
    [
        ("BTC/USDT", AssetType.CRYPTO, "USDT", False),
        ("BTC/EUR", AssetType.CRYPTO, "EUR", False),
        ("EUR/USD", AssetType.FOREX, "USD", False),
        ("CHF/JPY", AssetType.FOREX, "JPY", False),
        ("BTC/USDT:USDT", AssetType.PERPETUAL, "USDT", False),
        ("BTC/USD:BTC", AssetType.PERPETUAL, "BTC", True),
        ("DOGE/USDT", AssetType.CRYPTO, "USDT", False),
        ("1000SHIB/USDT:USDT", AssetType.PERPETUAL, "USDT", False),
        ("SOL/USD:SOL", AssetType.PERPETUAL, "SOL", True),
    ],
)
def test_the_form_of_a_symbol_says_what_it_is(symbol: str, asset_type: AssetType, settle: str, inverse: bool) -> None:
    instrument = described(symbol)
    assert (instrument.id, instrument.symbol, instrument.venue) == (ID, symbol, "paper")
    assert (instrument.asset_type, instrument.settle, instrument.inverse) == (asset_type, settle, inverse)


def test_an_instrument_in_the_table_has_its_venues_rules() -> None:
    perpetual = described("BTC/USDT:USDT", tick=None)
    assert perpetual.tick_size == Decimal("0.1")
    assert perpetual.lot_size == perpetual.min_quantity == Decimal("0.001")
    assert perpetual.min_notional == 10
    assert perpetual.max_leverage == 150


def test_an_unknown_instrument_takes_the_files_tick_a_fine_lot_and_no_leverage() -> None:
    unknown = described("DOGE/USDT:USDT", "0.00001")
    assert unknown.tick_size == Decimal("0.00001")
    assert unknown.lot_size == Decimal("1e-8")
    assert unknown.min_notional == 0
    assert unknown.max_leverage == 1


def test_an_unknown_instrument_without_a_tick_is_refused() -> None:
    with pytest.raises(Illegal, match="tick_from_file"):
        described("DOGE/USDT", tick=None)


@pytest.mark.parametrize(("from_file", "taken"), [("0.001", "0.001"), ("0.1", "0.1"), ("1", "0.1")])
def test_of_the_tables_tick_and_the_files_the_finer_is_taken(from_file: str, taken: str) -> None:
    assert described("BTC/USDT:USDT", from_file).tick_size == Decimal(taken)


@pytest.mark.parametrize(
    "symbol",
    ["", "BTC", "BTCUSDT", "BTC-USDT", "btc/usdt", "BTC/USDT:", "/USDT", "BTC/", "BTC/BTC", "BTC/USDT:USDT-240329",
     "BTC/USDT\n", " BTC/USDT", "ETH/USD:BTC"],
)  # fmt: skip
def test_a_symbol_of_another_form_is_refused(symbol: str) -> None:
    with pytest.raises(Illegal, match="symbol"):
        described(symbol)
