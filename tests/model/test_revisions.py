"""Which of a trade's reports counts, whose it is, and how a late fee names its fill."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.model.errors import Illegal
from plimsoll.model.ids import AccountId, BrokerTradeId, InstrumentId, PortfolioId, StrategyId
from plimsoll.model.order import Side
from plimsoll.model.trade import (
    EXTERNAL,
    LateFee,
    Trade,
    TradeEffect,
    TradeReport,
    effective_trade,
    fees_of,
    home_of,
    trade_of_fee,
)

D = Decimal
AT = datetime(2022, 1, 1, tzinfo=UTC)


def report(revision: int = 0, effect: TradeEffect | None = None, **said: Any) -> TradeReport:
    place = (AccountId(1), InstrumentId(7), BrokerTradeId("t1"))
    told = TradeReport(*place, Side.BUY, D(1), D(100), D(0), "USDT", AT, revision=revision, effect=effect)
    return replace(told, **said)


def trade(revision: int = 0, effect: TradeEffect | None = None, by: str = "manual", portfolio: int = 1) -> Trade:
    strategy = None if by == EXTERNAL else StrategyId(3)
    return Trade(report(revision, effect), PortfolioId(portfolio), strategy, by, D(100))


def test_the_highest_revision_counts_whatever_came_first() -> None:
    fill, first, second = trade(), trade(1, TradeEffect.CORRECT), trade(2, TradeEffect.CORRECT)
    for told in permutations([fill, first, second]):
        assert effective_trade(told) == second
    assert effective_trade([fill]) == fill


def test_a_busted_trade_does_not_count_and_a_busted_bust_neither() -> None:
    bust, again, corrected = trade(1, TradeEffect.BUST), trade(2, TradeEffect.BUST), trade(3, TradeEffect.CORRECT)
    assert effective_trade([trade(), bust]) is None
    assert effective_trade([bust]) is None
    assert effective_trade([trade(), bust, again]) is None
    assert effective_trade([trade(), bust, again, corrected]) == corrected


def test_all_reports_of_a_trade_are_whose_order_one_of_them_names() -> None:
    """A correction may come before its fill and name no order."""
    fill, correction = trade(by="bot:7", portfolio=2), trade(1, TradeEffect.CORRECT, by=EXTERNAL)
    assert home_of([correction, fill]) == fill
    counted = effective_trade([correction, fill])
    assert counted == replace(correction, portfolio_id=PortfolioId(2), strategy_id=StrategyId(3), triggered_by="bot:7")
    assert home_of([correction]) == correction


@pytest.mark.parametrize(("revision", "effect"), [(1, None), (0, TradeEffect.BUST), (-1, TradeEffect.BUST), (-1, None)])
def test_a_later_report_says_what_it_does_and_a_fill_does_nothing(revision: int, effect: TradeEffect | None) -> None:
    with pytest.raises(Illegal, match="revision"):
        report(revision, effect)


def fee(amount: str = "1", **said: Any) -> LateFee:
    told = LateFee(AccountId(1), InstrumentId(7), BrokerTradeId("t1"), "c1", D(amount), "USD", AT)
    return replace(told, **said)


@pytest.mark.parametrize("amount", ["0", "NaN", "0.0000000000000000001"])
def test_a_fee_of_nothing_or_of_too_many_digits_is_refused(amount: str) -> None:
    with pytest.raises(Illegal, match="fee"):
        fee(amount)


@given(st.text(max_size=6), st.text(max_size=6), st.text(max_size=6), st.text(max_size=6))
def test_a_late_fee_names_its_fill_whatever_letters_the_venue_uses(one: str, fee_id: str, two: str, other: str) -> None:
    first = fee(broker_trade_id=BrokerTradeId(one), fee_id=fee_id)
    second = fee(broker_trade_id=BrokerTradeId(two), fee_id=other)
    assert trade_of_fee(first.reference) == one
    assert first.reference.startswith(fees_of(report(broker_trade_id=BrokerTradeId(one))))
    assert (first.reference == second.reference) == ((one, fee_id) == (two, other))
    assert second.reference.startswith(fees_of(first)) == (one == two)


def test_no_other_reference_is_taken_for_a_late_fee() -> None:
    for reference in ("7:t1:0", "d-1", "", "+3:abc", "7+x:abc"):
        assert trade_of_fee(reference) is None
