"""Slippage: exact, against whoever trades, and never more than half a price."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.model.errors import Illegal
from plimsoll.model.order import Side
from plimsoll.venues.paper.slippage import (
    MAX_IMPACT_RATIO,
    FixedSlippage,
    LinearSlippage,
    Slippage,
    SquareRootSlippage,
    slipped,
)

D = Decimal
MODELS = (FixedSlippage(), LinearSlippage(D(10), D(100)), SquareRootSlippage(D(10), D(100)))
quantities = st.decimals("0.00000001", "1000000", places=8)


@pytest.mark.parametrize(
    ("model", "quantity", "depth", "ratio"),
    [
        (FixedSlippage(), "1", None, "0.0005"),
        (FixedSlippage(), "1000", "1", "0.0005"),
        (LinearSlippage(D(10), D(100)), "50", None, "0.0005"),
        (LinearSlippage(D(10), D(100)), "50", "200", "0.00025"),
        (SquareRootSlippage(D(10), D(100)), "25", None, "0.0005"),
        (SquareRootSlippage(D(10), D(100)), "2", "1", "0.001414213562373095"),
        (LinearSlippage(D(10), D(1)), "1000000", None, "0.5"),
        (SquareRootSlippage(D(5000), D(1)), "1000000", None, "0.5"),
    ],
)
def test_ratios(model: Slippage, quantity: str, depth: str | None, ratio: str) -> None:
    """Each model by hand: the depth of the quote wins over the usual one."""
    assert model.ratio(D(quantity), None if depth is None else D(depth)) == D(ratio)


@given(quantity=quantities, more=quantities)
def test_more_never_costs_less(quantity: Decimal, more: Decimal) -> None:
    """A larger order slips at least as far, and no order slips more than half the price."""
    for model in MODELS:
        assert 0 <= model.ratio(quantity, None) <= model.ratio(quantity + more, None) <= MAX_IMPACT_RATIO


def test_slippage_is_against_whoever_trades() -> None:
    """A buyer pays more and a seller gets less, to the last digit and not to the tick."""
    assert slipped(D("50002.5"), Side.BUY, D("0.0005")) == D("50027.50125")
    assert slipped(D("50002.5"), Side.SELL, D("0.0005")) == D("49977.49875")


@pytest.mark.parametrize("bps", ["-1", "5001"])
def test_an_absurd_model_is_refused(bps: str) -> None:
    """A model outside 0 to 5000 bps, or without a depth, cannot be made."""
    with pytest.raises(Illegal):
        FixedSlippage(D(bps))
    with pytest.raises(Illegal):
        LinearSlippage(D(bps), D(1))
    with pytest.raises(Illegal):
        SquareRootSlippage(D(1), D(0))
