"""A reading: the value of a unit, its drawdown, and whether ledger and venue agree."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.desk.book_flow import with_flow
from plimsoll.ledger.keys import Nav
from plimsoll.model import money
from plimsoll.risk.guards.reading import Reading, Sighting, Worth, agrees_with_venue, next_peak

D = Decimal
NOON = datetime(2022, 1, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("nav", "peak", "drawdown"),
    [("0.8", "1", "0.2"), ("1", "1", "0"), ("0.5", "0", "0"), ("-0.1", "1", "1.1"), ("1.1", "1", "0")],
    ids=["loss", "at the peak", "no peak", "below nothing", "above a peak that is not confirmed yet"],
)
def test_drawdown_is_the_loss_from_the_peak(nav: str, peak: str, drawdown: str) -> None:
    assert Reading(NOON, D(1), D(nav), D(peak), confirmed=True).drawdown == D(drawdown)


@pytest.mark.parametrize(
    ("ours", "theirs", "agrees"),
    [
        ("10000", None, True),
        ("10000", "10000", True),
        ("10100", "10000", True),
        ("9900", "10000", True),
        ("10100.01", "10000", False),
        ("9899.99", "10000", False),
        ("10000", "0", False),
        ("0", "0", True),
        ("-101", "-100", True),
        ("-102", "-100", False),
    ],
)
def test_ledger_and_venue_agree_within_one_percent_of_the_venues_figure(
    ours: str, theirs: str | None, *, agrees: bool
) -> None:
    assert agrees_with_venue(D(ours), None if theirs is None else D(theirs)) is agrees


#: (a change of the market in percent, a flow as a share of the equity in percent; negative takes out)
MOVES = st.lists(st.tuples(st.integers(-30, 40), st.integers(-50, 200)), min_size=1, max_size=15)


@given(MOVES)
def test_flows_move_neither_the_value_of_a_unit_nor_its_peak_nor_the_drawdown(moves: list[tuple[int, int]]) -> None:
    """C9, G2: an account with deposits and withdrawals has the drawdown of one without them."""
    equity, nav = D(10_000), with_flow(Nav(), None, D(10_000), NOON)
    value, peak = D(1), D(1)
    worst = D("1e-12")
    for market, flow in moves:
        equity = money.settle_product(equity, 1 + D(market) / 100)
        value = money.settle_product(value, 1 + D(market) / 100)
        peak = max(peak, value)
        amount = money.settle_product(equity, D(flow) / 100)
        flowed = with_flow(nav, equity, amount, NOON)
        before = money.settle_quotient(equity, nav.units)
        after = money.settle_quotient(equity + amount, flowed.units)
        assert abs(after - before) <= worst * before
        assert flowed.peak == nav.peak
        assert abs(before - value) <= worst * value
        theirs = Reading(NOON, equity, before, peak, confirmed=True).drawdown
        assert abs(theirs - Reading(NOON, equity, value, peak, confirmed=True).drawdown) <= worst
        equity, nav = equity + amount, flowed


def test_the_first_deposit_makes_units_of_one_each_and_so_does_one_into_an_empty_account() -> None:
    assert with_flow(Nav(), None, D(500), NOON) == Nav(D(500), D(1), NOON, D(1))
    assert with_flow(Nav(D(500), D(2), NOON, D(2)), D(0), D(100), NOON) == Nav(D(100), D(1), NOON, D(1))


def test_a_deposit_into_a_debt_makes_units_of_what_is_there_after_it_and_none_while_that_is_a_debt() -> None:
    """100 units for the 60 that are left of a deposit of 100 would be a loss of 40 % at the first look."""
    owing = Nav(D(500), D(2), NOON, D(2))
    assert with_flow(owing, D(-40), D(100), NOON) == Nav(D(60), D(1), NOON, D(1))
    assert with_flow(owing, D(-40), D(40), NOON) == with_flow(owing, D(-40), D(30), NOON) == owing


def above(nav: str, seconds: float, least: str | None = None) -> Reading:
    """Read a unit at live quotes, which bear out `least` at the least, or nothing at all."""
    at = NOON + timedelta(seconds=seconds)
    proven = None if least is None else Worth(D(least) * 100, D(least))
    return Reading(at, D(nav) * 100, D(nav), D(1), confirmed=False, least=proven, most=Worth(D(nav) * 100, D(nav)))


def test_a_closed_bar_is_a_peak_at_once_and_what_is_below_the_peak_ends_every_sighting() -> None:
    bar = Reading(NOON, D(120), D("1.2"), D(1), confirmed=True)
    assert next_peak(D(1), None, bar) == (D("1.2"), None)
    assert next_peak(D(2), Sighting(NOON, D(3)), bar) == (D(2), None)


def test_one_quote_never_becomes_the_peak_however_often_it_is_looked_at() -> None:
    """G2: a false peak is written down; every honest price after it is a loss, and is closed at."""
    peak, higher = next_peak(D(1), None, above("1.9", 0))
    for seconds in (2, 60, 3_600):
        peak, higher = next_peak(peak, higher, above("1.9", seconds))
        assert (peak, higher) == (D(1), Sighting(NOON, D("1.9")))
        peak, higher = next_peak(peak, higher, above("1.9", seconds, least="0.9"))
        assert (peak, higher) == (D(1), Sighting(NOON, D("1.9")))


@pytest.mark.parametrize(
    ("lowest", "least", "peak"), [("1.5", "1.2", "1.2"), ("1.2", "1.5", "1.2"), ("1.9", "1.9", "1.9")]
)
def test_the_peak_is_the_lower_of_what_looks_saw_and_what_quotes_bear_out(lowest: str, least: str, peak: str) -> None:
    seen = Sighting(NOON, D(lowest))
    assert next_peak(D(1), seen, above("1.9", 1.999, least=least)) == (D(1), seen)
    later = above("1.9", 2, least=least)
    left = None if D(peak) == D("1.9") else Sighting(later.at, D("1.9"))
    assert next_peak(D(1), seen, later) == (D(peak), left)
