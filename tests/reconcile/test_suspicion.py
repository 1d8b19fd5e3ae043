"""A difference is believed when nothing on its way can explain it: no false alarm, and none that lasts is kept back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.model.cash import CashKind
from plimsoll.model.ids import AccountId
from plimsoll.model.venue import Movement
from plimsoll.reconcile.differences import BalanceBreak, Difference
from plimsoll.reconcile.suspicion import (
    LONG_SECONDS,
    LONGEST_SECONDS,
    LOOKS,
    MARGIN_SECONDS,
    Suspicion,
    WaitingMovement,
    explaining,
    look,
    may_explain_itself,
)
from tests.reconcile.test_decide import (
    BALANCE,
    DOUBLED,
    FILLED,
    FOREIGN,
    MISSING,
    NOT_AT_VENUE,
    OURS,
    POSITION,
    STATUS,
    TERMS,
)

D = Decimal
NAME = "balance:spot:USDT"
LAG = 20.0


def off_by(amount: int, *, book: int = 0) -> BalanceBreak:
    return BalanceBreak("spot", "USDT", D(book), D(book + amount))


def looked(*times: float, lag: float, amounts: dict[float, int] | None = None) -> list[bool]:
    """Look at these times, each in no time, and say of each whether the difference was believed by then."""
    said: list[bool] = []
    before: dict[str, Suspicion] = {}
    for at in times:
        before = look(before, {NAME: off_by((amounts or {}).get(at, 7))}, at)
        said.append(before[NAME].is_confirmed(at, lag))
    return said


# Where histories do not lag -------------------------------------------------------------------------------------------


def test_three_looks_in_a_row_confirm_a_difference() -> None:
    """C13."""
    assert looked(0, 1, 2, 3, lag=0) == [False, False, True, True]


def test_two_looks_a_minute_apart_confirm_it_too() -> None:
    """An account that is seldom compared is not silent for longer than that."""
    assert looked(0, LONG_SECONDS - 0.1, lag=0) == [False, False]
    assert looked(0, LONG_SECONDS, lag=0) == [False, True]


def test_amounts_do_not_matter_where_every_fill_is_told_at_once() -> None:
    """Each look is exact, so three of them are three proofs."""
    assert looked(0, 1, 2, lag=0, amounts={1: 8, 2: 9}) == [False, False, True]


def test_what_one_look_does_not_find_begins_anew() -> None:
    """It was explained in between."""
    suspected = look(look({}, {NAME: off_by(1)}, 0), {}, 1)
    assert suspected == {}
    for at in (2, 3):
        suspected = look(suspected, {NAME: off_by(1)}, at)
        assert not suspected[NAME].is_confirmed(at, 0)


# Where they lag -------------------------------------------------------------------------------------------------------


def test_it_must_stand_unchanged_for_the_lag_and_a_margin() -> None:
    """Ten looks within the lag prove nothing."""
    edge = LAG + MARGIN_SECONDS
    assert looked(*range(10), edge - 0.1, edge, lag=LAG) == [False] * 11 + [True]


def test_two_looks_do_not_do_unless_they_are_a_minute_apart() -> None:
    """One look may have fallen into a moment; a minute is none."""
    assert looked(0, LAG + MARGIN_SECONDS, lag=LAG) == [False, False]
    assert looked(0, LONG_SECONDS, lag=LAG) == [False, True]
    assert looked(0, LONG_SECONDS, lag=100) == [False, False]


def test_another_amount_begins_anew() -> None:
    """What came in between may be on its way as well."""
    times = [0.0, 10.0, 20.0, 30.0, 40.0, 45.0]
    assert looked(*times, lag=LAG, amounts={0.0: 1, 10.0: 1, 20.0: 2, 30.0: 2, 40.0: 2, 45.0: 2}) == [
        *[False] * 5,
        True,
    ]


def test_the_same_difference_of_other_sums_begins_anew_too() -> None:
    """Two lost fills of one size, one after the other, are a difference of one size all the time."""
    suspected: dict[str, Suspicion] = {}
    for number, at in enumerate((0.0, 10.0, 20.0, 30.0)):
        suspected = look(suspected, {NAME: off_by(1, book=number)}, at)
        assert not suspected[NAME].is_confirmed(at, LAG)


def test_one_that_was_never_gone_for_ten_minutes_is_told_whatever_its_amounts() -> None:
    """An account that never comes to rest must not hide it for ever."""
    times = [float(at) for at in range(0, int(LONGEST_SECONDS) + 10, 10)]
    said = looked(*times, lag=LAG, amounts={at: int(at) + 1 for at in times})
    assert said == [at >= LONGEST_SECONDS for at in times]


amounts = st.lists(
    st.tuples(st.floats(0, 200), st.booleans(), st.sampled_from((-1, 1))), max_size=12
)  # when, told by the stream, sign
waits = st.lists(st.tuples(st.floats(0.1, 15), st.floats(0, 5)), min_size=3, max_size=60)


@given(amounts, waits, st.sampled_from((2.0, 20.0)))
def test_no_fact_on_its_way_ever_raises_an_alarm(
    facts: list[tuple[float, bool, int]], times: list[tuple[float, float]], lag: float
) -> None:
    """Every fact is in the history within the lag; whatever is lost, whenever we look, nothing is believed by it."""
    # No two sets of them add up to the same, so that a difference names its facts.
    moved = [(at, told, sign * 2**number) for number, (at, told, sign) in enumerate(facts)]
    suspected: dict[str, Suspicion] = {}
    now = 0.0
    for wait, took in times:
        began, now = now + wait, now + wait + took
        ledger = sum(amount for at, told, amount in moved if at <= (now if told else began - lag))
        venue = sum(amount for at, _told, amount in moved if at <= now)
        found = {NAME: BalanceBreak("spot", "USDT", D(ledger), D(venue))} if ledger != venue else {}
        suspected = look(suspected, found, now)
        if found and now < LONGEST_SECONDS:
            assert not suspected[NAME].is_confirmed(began, lag)


@given(st.lists(st.floats(0.5, 15), min_size=90, max_size=90), st.sampled_from((0.0, 2.0, 20.0)))
def test_one_that_lasts_is_told_within_the_bound(gaps: list[float], lag: float) -> None:
    """It stands unchanged from the first look on: three looks, and the lag with its margin, and a look more."""
    suspected: dict[str, Suspicion] = {}
    now, passed = 0.0, []
    for gap in gaps:
        now += gap
        passed.append(now)
        suspected = look(suspected, {NAME: off_by(3)}, now)
        if suspected[NAME].is_confirmed(now, lag):
            break
    waited = passed[-1] - passed[0]
    assert waited <= max(lag + MARGIN_SECONDS, 15 * (LOOKS - 1)) + 15


# What it is asked of --------------------------------------------------------------------------------------------------


def test_only_what_a_fact_could_explain_may_explain_itself() -> None:
    """An order there, or its terms, are not explained by a fill that comes later."""
    every: list[Difference] = [MISSING, OURS, FOREIGN, DOUBLED, NOT_AT_VENUE, STATUS, FILLED, TERMS, POSITION, BALANCE]
    assert [one for one in every if may_explain_itself(one)] == [MISSING, FILLED, POSITION, BALANCE]


@pytest.mark.parametrize(("seconds", "proves"), [(20.9, False), (21.0, True)])
def test_an_order_that_is_nowhere_is_evidence_after_the_window(seconds: float, *, proves: bool) -> None:
    """A6: two looks, and the whole settle window between them."""
    first = look({}, {"gone": ("o-1", True)}, 100.0)
    assert not first["gone"].is_evidence(1_000.0, 21), "one look is none"
    again = look(first, {"gone": ("o-1", True)}, 100.0 + seconds)
    assert again["gone"].is_evidence(100.0 + seconds, 21) is proves


def test_an_order_that_was_found_in_between_is_waited_for_anew() -> None:
    """It was seen alive: absence begins again."""
    found = look({}, {"gone": ("o-1", True)}, 0.0)
    found = look(found, {"gone": ("o-1", False)}, 10.0)
    found = look(found, {"gone": ("o-1", True)}, 25.0)
    assert not found["gone"].is_evidence(25.0, 21)
    assert not look(found, {"gone": ("o-1", True)}, 40.0)["gone"].is_evidence(40.0, 21)
    assert not found["gone"].never_goes(LONGEST_SECONDS - 1)
    assert found["gone"].never_goes(LONGEST_SECONDS)


# Movements that wait --------------------------------------------------------------------------------------------------


def unbooked(amount: int, second: int = 0, asset: str = "USDT", pocket: str = "spot") -> WaitingMovement:
    """Give a movement that was told and is not booked."""
    kind = CashKind.DEPOSIT if amount > 0 else CashKind.WITHDRAWAL
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
    return WaitingMovement(Movement(AccountId(1), f"m{second}", kind, asset, D(amount), at, pocket), "XRP", 0.0)


def explained(difference: Difference, *waiting: WaitingMovement) -> list[str]:
    return [one.movement.reference for one in explaining(difference, waiting)]


def test_a_balance_is_explained_by_what_moved_until_the_venue_showed_it() -> None:
    """What moved behind the venue's answer is told as well by the time that both are weighed."""
    told = (unbooked(-20, 3), unbooked(50, 1), unbooked(7, 5))
    assert explained(off_by(50), *told) == ["m1"]
    assert explained(off_by(30), *told) == ["m1", "m3"]
    assert explained(off_by(37, book=100), *told) == ["m1", "m3", "m5"]


@pytest.mark.parametrize("amount", [7, -20, 57, 51, -50, 0])
def test_what_waiting_movements_do_not_add_up_to_is_not_explained(amount: int) -> None:
    assert explained(off_by(amount), unbooked(50, 1), unbooked(-20, 3), unbooked(7, 5)) == []


def test_movements_of_another_asset_or_pocket_explain_nothing() -> None:
    assert explained(off_by(50), unbooked(50, asset="XRP"), unbooked(50, pocket="margin")) == []
    assert explained(off_by(50)) == []


@pytest.mark.parametrize("difference", [MISSING, FILLED, POSITION, OURS])
def test_movements_explain_balances_only(difference: Difference) -> None:
    assert explained(difference, unbooked(50)) == []


def test_a_movement_that_waits_says_what_it_is_and_what_it_waits_for() -> None:
    out = unbooked(-50, 4)
    assert out.sentence == "A withdrawal of 50 USDT (m4) waits to be booked: nothing prices XRP."
    assert out.remedy == "It books itself once XRP has a price; an asset that has no pair needs one listed."


def test_a_movement_has_waited_for_long_after_a_minute() -> None:
    waiting = replace(unbooked(50), since=100.0)
    assert not waiting.is_late(100.0 + LONG_SECONDS - 0.1)
    assert waiting.is_late(100.0 + LONG_SECONDS)
