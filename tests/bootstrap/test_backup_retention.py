"""Which copies are kept: of the last hours, days and weeks one each, and never less than what may be needed."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from plimsoll.bootstrap.backups.retention import DAYS, HOURS, WEEKS, given_up

NOW = datetime(2026, 11, 21, 15, 30, tzinfo=UTC)
START = datetime(2025, 1, 1, tzinfo=UTC)
moments = st.integers(0, 76_000_000).map(lambda seconds: START + timedelta(seconds=seconds))
times = st.sets(moments, max_size=60)


def hourly(since: datetime, hours: int) -> set[datetime]:
    return {since - timedelta(hours=number) for number in range(hours)}


def test_a_year_of_hourly_copies_leaves_a_day_a_week_and_two_months() -> None:
    taken = hourly(NOW, 24 * 365)
    kept = sorted(taken - given_up(taken, None, NOW))
    assert [at for at in kept if at > NOW - timedelta(hours=24)] == sorted(hourly(NOW, 24))
    days = {at.date() for at in kept if at > NOW - timedelta(days=7)}
    assert len(days) == 7
    assert len({at.isocalendar()[:2] for at in kept}) == WEEKS
    assert len(kept) <= HOURS + DAYS + WEEKS


def test_of_an_hour_the_last_copy_is_kept() -> None:
    first, second = NOW - timedelta(minutes=20), NOW - timedelta(minutes=10)
    assert given_up({first, second}, None, NOW) == {first}


def test_a_desk_that_slept_for_a_year_still_has_the_copies_of_its_last_days() -> None:
    taken = hourly(NOW - timedelta(days=365), 48)
    assert len(taken - given_up(taken, None, NOW)) >= HOURS


def test_the_last_proven_copy_stays_however_old_it_is() -> None:
    taken = hourly(NOW, 24 * 365)
    oldest = min(taken)
    assert oldest in given_up(taken, None, NOW)
    assert oldest not in given_up(taken, oldest, NOW)


@given(times, moments, st.data())
def test_the_newest_the_proven_and_what_is_yet_to_come_are_never_given_up(
    taken: set[datetime], now: datetime, data: st.DataObject
) -> None:
    proven = data.draw(st.sampled_from(sorted(taken))) if taken else None
    going = given_up(taken, proven, now)
    assert going <= taken
    assert proven not in going
    assert not any(at > now for at in going)
    if taken:
        assert max(taken) not in going
    past = {at for at in taken if at <= now}
    assert len(past - going) <= HOURS + DAYS + WEEKS + 2


@given(times, moments)
def test_giving_up_a_second_time_gives_up_nothing(taken: set[datetime], now: datetime) -> None:
    left = taken - given_up(taken, None, now)
    assert not given_up(left, None, now)


@given(times, moments)
def test_a_copy_that_is_made_later_costs_no_hour_its_only_copy_of_the_last_day(
    taken: set[datetime], now: datetime
) -> None:
    left = taken - given_up(taken, None, now)
    hours = sorted({at.replace(minute=0, second=0, microsecond=0) for at in taken})[-HOURS:]
    for hour in hours:
        assert any(hour <= at < hour + timedelta(hours=1) for at in left)
