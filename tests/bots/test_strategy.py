"""What a bot may wish for, and when."""

from dataclasses import replace
from decimal import Decimal
from typing import TypedDict

import pytest

from plimsoll.bots.strategy import Wish
from plimsoll.model.account import TradingState
from plimsoll.model.errors import Illegal
from plimsoll.model.order import Side
from tests.builders.bots import CALM, D


@pytest.mark.parametrize(
    ("state", "may_open", "may_close"),
    [
        (TradingState.ACTIVE, True, True),
        (TradingState.REDUCE_ONLY, False, True),
        (TradingState.CANCEL_ONLY, False, False),
        (TradingState.HALTED, False, False),
    ],
)
def test_the_state_of_the_account_decides_what_a_bot_may_send(
    state: TradingState, may_open: bool, may_close: bool
) -> None:
    view = replace(CALM, account_state=state)
    assert (view.may_open, view.may_close) == (may_open, may_close)


def test_a_pending_order_keeps_a_bot_from_everything() -> None:
    view = replace(CALM, pending=True)
    assert (view.may_open, view.may_close) == (False, False)


class Size(TypedDict, total=False):
    quantity: Decimal
    quote_value: Decimal


@pytest.mark.parametrize(
    ("size", "field"),
    [
        (Size(), "quantity"),
        (Size(quantity=D(1), quote_value=D(10)), "quantity"),
        (Size(quantity=D(0)), "quantity"),
        (Size(quote_value=D(-1)), "quote_value"),
        (Size(quote_value=D("NaN")), "quote_value"),
    ],
)
def test_a_wish_has_one_size_above_zero(size: Size, field: str) -> None:
    with pytest.raises(Illegal) as refusal:
        Wish("now", Side.BUY, **size)
    assert refusal.value.field == field


def test_a_wish_without_a_name_could_not_be_told_from_the_next() -> None:
    with pytest.raises(Illegal, match="key"):
        Wish("", Side.BUY, quantity=D(1))
