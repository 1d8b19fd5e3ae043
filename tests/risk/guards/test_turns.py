"""Which readings are peaks and troughs, and outlive the thinning of the equity curve."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from plimsoll.model import money
from plimsoll.risk.guards.reading import Reading, Worth
from plimsoll.risk.guards.turns import LEAST_FALL_RATIO, Marked, Occasion, Turns, turned

D = Decimal
NOON = datetime(2022, 1, 21, 12, tzinfo=UTC)


def told(*values: str) -> list[tuple[str, str]]:
    """Show units of these values, one a second; give what is marked, as (occasion, value)."""
    return [(str(occasion), str(reading.nav)) for reading, occasion in marks([D(value) for value in values])]


def marks(values: list[Decimal]) -> list[Marked]:
    turns, peak = Turns(), D(1)
    marked: list[Marked] = []
    for second, value in enumerate(values):
        peak = max(peak, value)
        reading = Reading(NOON + timedelta(seconds=second), value * 100, value, peak, confirmed=True)
        turns, found = turned(turns, reading)
        marked += found
    return marked


def test_a_rise_marks_nothing_until_it_falls() -> None:
    assert told("1", "1.1", "1.2", "1.3") == []
    assert told("1", "1.1", "1.2", "1.1") == [("PEAK", "1.2"), ("TROUGH", "1.1")]


def test_a_trough_is_marked_while_it_deepens_by_a_thousandth_at_a_time() -> None:
    assert told("1", "0.95", "0.9495", "0.94", "0.96") == [
        ("PEAK", "1"), ("TROUGH", "0.95"), ("TROUGH", "0.94")
    ]  # fmt: skip


def test_the_lowest_point_is_marked_when_the_fall_is_over() -> None:
    """0.9495 was less than a thousandth below the last mark; the next peak says that it was the lowest."""
    assert told("1", "0.95", "0.9495", "0.96", "1") == [
        ("PEAK", "1"), ("TROUGH", "0.95"), ("TROUGH", "0.9495")
    ]  # fmt: skip


def test_the_noise_of_prices_marks_nothing() -> None:
    assert told("1", "0.9995", "1", "0.9992", "1", "1.0001", "0.9999") == []


def test_what_another_process_saw_as_the_peak_is_not_marked_again() -> None:
    """A restart finds the peak in the book and the account below it."""
    reading = Reading(NOON, D(90), D("0.9"), D(1), confirmed=True)
    _, found = turned(Turns(), reading)
    assert [occasion for _, occasion in found] == [Occasion.TROUGH]


def test_what_no_second_quote_bears_out_is_neither_peak_nor_trough() -> None:
    low = Reading(NOON, D(50), D("0.5"), D(1), confirmed=False)
    assert turned(Turns(), low) == (Turns(), ())
    borne_out = Reading(NOON, D(50), D("0.5"), D(1), confirmed=False, most=Worth(D(98), D("0.98")))
    _, ((trough, occasion),) = turned(Turns(), borne_out)
    assert (occasion, trough.nav, trough.equity) == (Occasion.TROUGH, D("0.98"), D(98)), "as far as it is borne out"


@given(st.lists(st.integers(500, 1500), min_size=1, max_size=60))
def test_the_deepest_drawdown_can_be_read_off_the_marks(values: list[int]) -> None:
    """To a thousandth of the peak, which is what a trough waits for while it deepens."""
    navs = [D(value) / 1000 for value in values]
    peak, deepest = D(1), D(0)
    for nav in navs:
        peak = max(peak, nav)
        deepest = max(deepest, money.settle_quotient(peak - nav, peak))
    marked = marks(navs)
    found = max((reading.drawdown for reading, occasion in marked if occasion is Occasion.TROUGH), default=D(0))
    assert deepest - LEAST_FALL_RATIO <= found <= deepest + D("1e-17")
    assert sorted(marked, key=lambda pair: pair[0].at) == marked, "oldest first"
