"""Hold: once, for share × leverage × equity, and never again."""

from dataclasses import replace
from decimal import Decimal

import pytest

from plimsoll.bots.hold import Hold
from plimsoll.bots.strategy import View, Wish
from plimsoll.model.account import TradingState
from plimsoll.model.errors import Illegal
from plimsoll.model.order import Side
from tests.builders.bots import CALM, MIDNIGHT, D, bar, holding


@pytest.mark.parametrize(
    ("share", "leverage", "equity", "value"),
    [
        ("1", "1", "10000", "10000"),
        ("0.5", "3", "10000", "15000"),
        ("0.1", "1", "0.000000000000000015", "0.000000000000000002"),  # settled once, half to even
    ],
)
def test_it_buys_share_times_leverage_times_equity(share: str, leverage: str, equity: str, value: str) -> None:
    wish = Hold(D(share)).on_close(bar(0), replace(CALM, leverage=D(leverage), equity=D(equity)))
    assert wish is not None
    assert (wish.side, wish.quote_value, wish.quantity) == (Side.BUY, D(value), None)


def test_the_whole_wish_is_told_with_what_it_was_made_of() -> None:
    assert Hold(D("0.50")).on_close(bar(0), replace(CALM, leverage=D(2))) == Wish(
        key="hold:2018-01-01T00:01:00.000000Z",
        side=Side.BUY,
        quote_value=D(10_000),
        allow_smaller=True,
        context="share=0.5 leverage=2 equity=10000",
    )


@pytest.mark.parametrize("state", [state for state in TradingState if state is not TradingState.ACTIVE])
def test_it_waits_until_the_account_is_active(state: TradingState) -> None:
    hold = Hold()
    assert hold.on_close(bar(0), replace(CALM, account_state=state)) is None
    assert hold.on_close(bar(1), CALM) is not None


@pytest.mark.parametrize("equity", [None, D(0), D(-5), D("0.000000000000000001")])
def test_it_waits_while_there_is_nothing_known_to_buy_with(equity: Decimal | None) -> None:
    hold = Hold(D("0.1"))
    assert hold.on_close(bar(0), replace(CALM, equity=equity)) is None
    assert hold.on_close(bar(1), CALM) is not None


def test_after_a_refusal_it_wishes_again_under_a_new_key() -> None:
    hold = Hold()
    first, second = hold.on_close(bar(0), CALM), hold.on_close(bar(1), CALM)
    assert first is not None
    assert second is not None
    assert first.key != second.key


def test_the_same_bar_decided_again_is_the_same_wish() -> None:
    assert Hold().on_close(bar(3), CALM) == Hold().on_close(bar(3), CALM)


def test_it_never_buys_again_after_it_acted_even_when_a_guard_has_sold() -> None:
    hold = Hold()
    hold.acted(Side.BUY, MIDNIGHT)
    assert hold.on_close(bar(1), CALM) is None
    assert hold.on_close(bar(2), replace(CALM, last_trade_at=MIDNIGHT)) is None


@pytest.mark.parametrize("evidence", [holding("0.1"), holding("-0.1"), replace(CALM, last_trade_at=MIDNIGHT)])
def test_the_ledger_remembers_a_purchase_that_the_bot_forgot(evidence: View) -> None:
    hold = Hold()
    assert hold.on_close(bar(0), evidence) is None
    assert hold.on_close(bar(1), CALM) is None
    assert hold.state() == {"held": "yes"}


def test_an_order_of_unknown_fate_is_waited_for_and_bought_anew_only_if_nothing_came_of_it() -> None:
    hold = Hold()
    assert hold.on_close(bar(0), replace(CALM, pending=True)) is None
    assert hold.on_close(bar(1), CALM) is not None


def test_what_it_did_survives_a_restart() -> None:
    before, after = Hold(), Hold()
    assert before.state() == {}
    before.acted(Side.BUY, MIDNIGHT)
    after.restore(before.state())
    after.warm(bar(0))
    assert after.on_close(bar(1), CALM) is None
    after.restore({})
    assert after.on_close(bar(2), CALM) is not None


def test_a_state_that_it_never_wrote_is_refused() -> None:
    with pytest.raises(Illegal, match="state"):
        Hold().restore({"held": "maybe"})


def test_an_account_in_another_currency_is_refused_and_nothing_is_held() -> None:
    hold = Hold()
    with pytest.raises(Illegal, match="account_currency = 'EUR'"):
        hold.on_close(bar(0), replace(CALM, account_currency="EUR"))
    assert hold.state() == {}


@pytest.mark.parametrize("share", ["0", "-1", "1.01", "NaN"])
def test_a_share_is_a_part_of_one(share: str) -> None:
    with pytest.raises(Illegal, match="share"):
        Hold(D(share))
