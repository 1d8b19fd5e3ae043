"""Instruments: legal on construction, and one rule for what a size is worth."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.model.errors import Illegal
from plimsoll.model.instrument import AssetType, Instrument
from tests.model.words import CONTRACT, INVERSE, PERPETUAL, SPOT

D = Decimal
ALL = {"spot": SPOT, "perpetual": PERPETUAL, "contract": CONTRACT, "inverse": INVERSE}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tick_size", D(0)),
        ("lot_size", D("-0.001")),
        ("multiplier", D(0)),
        ("multiplier", D("NaN")),
        ("tick_size", D("1E-19")),
        ("min_quantity", D(-1)),
        ("min_notional", D(-1)),
        ("min_notional", D("NaN")),
        ("max_leverage", D(0)),
        ("max_leverage", D("0.5")),
        ("symbol", "BTCUSDT"),
        ("symbol", "BTC/USDT:USDT"),
        ("base", "ETH"),
        ("inverse", True),
    ],
    ids=str,
)
def test_an_instrument_is_legal_on_construction(field: str, value: object) -> None:
    """Steps above zero, one form of symbol, and only a derivative is inverse."""
    with pytest.raises(Illegal) as refused:
        replace(SPOT, **{field: value})  # type: ignore[arg-type]  # the table holds every field's kind
    assert refused.value.field == ("symbol" if field == "base" else field)


def test_a_derivative_names_its_settlement() -> None:
    """`BASE/QUOTE` alone is spot."""
    with pytest.raises(Illegal, match="write it BTC/USDT:USDT"):
        replace(PERPETUAL, symbol="BTC/USDT")


@pytest.mark.parametrize(
    ("kind", "derivative"),
    [
        (AssetType.CRYPTO, False),
        (AssetType.EQUITY, False),
        (AssetType.ETF, False),
        (AssetType.FOREX, False),
        (AssetType.FUTURE, True),
        (AssetType.PERPETUAL, True),
        (AssetType.CFD, True),
    ],
)
def test_what_moves_only_profit(kind: AssetType, derivative: bool) -> None:
    """The asset type decides whether coins change hands."""
    symbol = "BTC/USDT:USDT" if derivative else "BTC/USDT"
    assert replace(SPOT, asset_type=kind, symbol=symbol).is_derivative is derivative


def test_every_asset_type_is_in_the_table_above() -> None:
    """A new asset type must say whether it is a derivative."""
    assert len(AssetType) == 7


def test_the_asset_that_money_is_counted_in() -> None:
    """Quote on spot, settlement on derivatives."""
    assert {name: one.cash_asset for name, one in ALL.items()} == {
        "spot": "USDT",
        "perpetual": "USDT",
        "contract": "USD",
        "inverse": "BTC",
    }


@pytest.mark.parametrize(
    ("instrument", "quantity", "price", "value"),
    [
        (SPOT, "0.5", "43210.12", "21605.06"),
        (PERPETUAL, "0.5", "43210.12", "21605.06"),
        (CONTRACT, "2", "15000.25", "600010"),
        (INVERSE, "3", "40000", "0.0075"),
        (INVERSE, "1", "30000", "0.003333333333333333"),
        (SPOT, "0.000000000000000001", "0.5", "0"),  # a tie goes to the even place
        (SPOT, "0.000000000000000003", "0.5", "0.000000000000000002"),
    ],
)
def test_a_size_is_worth(instrument: Instrument, quantity: str, price: str, value: str) -> None:
    """Linear q × p × m, inverse q × m / p, settled once."""
    assert instrument.notional(D(quantity), D(price)) == D(value)


@given(st.integers(0, 10**12).map(lambda units: D(units).scaleb(-8)))
def test_rounding_to_the_lot_never_makes_a_size_larger(quantity: Decimal) -> None:
    """What is sent is a whole number of lots, less than one lot below what was asked."""
    rounded = SPOT.round_down_to_lot(quantity)
    assert rounded % SPOT.lot_size == 0
    assert 0 <= quantity - rounded < SPOT.lot_size
