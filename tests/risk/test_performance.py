"""Growth, drawdown, volatility: the cases of empyrical, and what cannot be known."""

import json
from decimal import Decimal
from math import sqrt
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.model.money import settle_quotient
from plimsoll.risk.performance import Judged, growth, judge, max_drawdown, tally

D = Decimal
PERIODS = {"daily": 252, "weekly": 52, "monthly": 12}


def cases(folder: Path, test: str) -> list[Any]:
    """Read the cases of one test: its arguments, and what it expects."""
    told = json.loads((folder / "perf_metrics" / "cases.json").read_text(encoding="utf-8"))
    found = [case["args_and_expected"] for case in told["cases"] if case["test"] == test]
    assert len(found) > 2
    return found


def returns_of(said: dict[str, Any]) -> list[Decimal | None]:
    """Read a series; what has no value there has none here."""
    return [None if value is None else D(repr(value)) for value in said["series"]]


def near(ours: Decimal, theirs: float) -> None:
    """Compare to 1e-8, or to the places that the case was written down with (cut off, not rounded)."""
    text = repr(theirs)
    places = len(text.partition(".")[2])
    assert abs(float(ours) - theirs) < (1e-8 if places > 8 else 1.0000001 * 10**-places), (ours, theirs)


def test_growth_is_empyrical_s(test_data: Path) -> None:
    """From 0 it is told as a return, from any other start as a value."""
    for said, start, expected in cases(test_data, "test_cum_returns"):
        ours = [value * D(start) if start else value - 1 for value in growth(returns_of(said))]
        assert len(ours) == len(expected)
        for one, theirs in zip(ours, expected, strict=True):
            near(one, theirs)


def test_the_total_is_empyrical_s(test_data: Path) -> None:
    """Of nothing it is unknown."""
    for said, start, expected in cases(test_data, "test_cum_returns_final"):
        total = judge(returns_of(said), 252).total_return
        if expected is None:
            assert total is None
        else:
            assert total is not None
            near((total + 1) * D(start) if start else total, expected)


def test_the_drawdown_is_empyrical_s(test_data: Path) -> None:
    """Where everything fell, the recording says that it is the whole return."""
    for said, expected in cases(test_data, "test_max_drawdown"):
        judged = judge(returns_of(said), 252)
        if expected is None:
            assert judged.max_drawdown is None
        elif isinstance(expected, str):
            assert "cum_returns_final" in expected
            assert judged.max_drawdown == judged.total_return
        else:
            assert judged.max_drawdown is not None
            near(judged.max_drawdown, expected)


def test_the_volatility_is_empyrical_s(test_data: Path) -> None:
    """By the day, the week and the month."""
    for said, period, expected in cases(test_data, "test_annual_volatility"):
        volatility = judge(returns_of(said), PERIODS[period]).annual_volatility
        assert volatility is not None
        near(volatility, expected)


def test_sharpe_and_sortino_add_up_by_hand() -> None:
    """Returns of 1 %, -1 % and 3 %: mean 1 %, deviation 2 %, below zero the root of a third of 0.01 %."""
    judged = judge([D("0.01"), D("-0.01"), D("0.03")], 4)
    assert judged.annual_volatility == D("0.04")
    assert judged.sharpe == D(1)
    assert judged.sortino == D(f"{0.01 / sqrt(0.0001 / 3) * 2:.12f}") == D("3.464101615138")


@pytest.mark.parametrize(
    ("returns", "judged"),
    [
        ([], Judged(0, None, None, None, None, None)),
        ([None], Judged(0, None, None, None, None, None)),
        ([D("0.5")], Judged(1, D("0.5"), D(0), None, None, None)),
        ([D("0.1")] * 3, Judged(3, D("0.331"), D(0), D(0), None, None)),
        ([D(0), D(0)], Judged(2, D(0), D(0), D(0), None, None)),
    ],
)
def test_what_cannot_be_known_is_not_zero(returns: list[Decimal | None], judged: Judged) -> None:
    """No return, one, and returns that do not vary: nothing is divided by nothing."""
    assert judge(returns, 252) == judged


def test_a_loss_of_everything_is_a_fall_by_one() -> None:
    assert max_drawdown(growth([D("0.5"), D(-1), D("0.3")])) == D(-1)


RETURNS = st.lists(st.decimals(D("-0.9"), D("0.9"), places=6), max_size=30)


@given(RETURNS)
def test_a_drawdown_is_the_worst_of_all_ways_to_have_bought_high(returns: list[Decimal]) -> None:
    """Found again by comparing every point with every later one."""
    grown = [D(1), *growth(returns)]
    falls = [settle_quotient(later, earlier) - 1 for place, earlier in enumerate(grown) for later in grown[place:]]
    found = max_drawdown(grown[1:])
    assert (found is None) == (not returns)
    assert found is None or abs(found - min(falls)) <= D("1e-16")


@given(RETURNS)
def test_gaps_change_nothing(returns: list[Decimal]) -> None:
    """A return that nobody knows is left out."""
    gaps = [value for one in returns for value in (one, None)]
    if returns:
        assert judge(gaps, 252) == judge(returns, 252)


def test_trades_are_counted_by_what_they_came_to() -> None:
    """Nothing won and nothing lost is a trade all the same."""
    counted = tally([D(3), D(-2), D(0), D("1.5")])
    assert (counted.count, counted.won, counted.lost) == (4, 2, 1)
    assert (counted.gross_profit, counted.gross_loss) == (D("4.5"), D(-2))
    assert (counted.win_rate, counted.profit_factor) == (D("0.5"), D("2.25"))


@pytest.mark.parametrize(("results", "rate"), [([], None), ([D(0)], D(0)), ([D(1)], D(1))])
def test_a_profit_factor_needs_a_loss(results: list[Decimal], rate: Decimal | None) -> None:
    counted = tally(results)
    assert (counted.win_rate, counted.profit_factor) == (rate, None)
