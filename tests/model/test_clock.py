"""Times: aware, in UTC, and 27 characters whose order is the order of time."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.model.clock import EPOCH, TEXT_LENGTH, SystemClock, check_time, parse_time, time_text
from plimsoll.model.errors import Illegal

times = st.datetimes(timezones=st.just(UTC))


@given(times)
def test_text_gives_the_time_back(when: datetime) -> None:
    """27 characters with microseconds, from the year 1 to 9999."""
    text = time_text(when)
    assert len(text) == TEXT_LENGTH == 27
    assert parse_time(text) == when
    assert parse_time(text).tzinfo is UTC


@given(times, times)
def test_text_order_is_time_order(one: datetime, other: datetime) -> None:
    """Databases compare times as bytes."""
    assert (time_text(one) < time_text(other)) is (one < other)


@pytest.mark.parametrize(
    ("when", "text"),
    [
        (datetime(2022, 1, 21, 10, 5, tzinfo=UTC), "2022-01-21T10:05:00.000000Z"),
        (datetime(2022, 1, 21, 10, 5, 0, 7, tzinfo=UTC), "2022-01-21T10:05:00.000007Z"),
        (datetime(1, 1, 1, tzinfo=timezone(timedelta(0), "GMT")), "0001-01-01T00:00:00.000000Z"),
        (EPOCH, "1970-01-01T00:00:00.000000Z"),
    ],
)
def test_a_time_is_written(when: datetime, text: str) -> None:
    """No short forms: a whole second has its six zeros."""
    assert time_text(when) == text
    assert parse_time(text) == when


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2022-01-21",
        "2022-01-21T10:05:00Z",
        "2022-01-21T10:05:00.000Z",
        "2022-01-21T10:05:00.000000",
        "2022-01-21T10:05:00.000000z",
        "2022-01-21T10:05:00.0000000",
        "2022-01-21 10:05:00.000000Z",  # a blank sorts before the T
        "2022-01-21T10:05:00,000000Z",
        "2022-W03-5T10:05:00.00000Z",
        "2022-13-21T10:05:00.000000Z",
        "2022-02-30T10:05:00.000000Z",
        "2022-01-21T24:00:00.000000Z",  # newer Pythons read it as the next day
        "2022-01-21T10:60:00.000000Z",
        "٢٠٢٢-01-21T10:05:00.000000Z",
        "2022-01-21T10:05:00.000000Z\n",
    ],
)
def test_another_spelling_is_refused(text: str) -> None:
    """What `time_text` would not write is not read: it would break the order of text."""
    with pytest.raises(Illegal, match="time"):
        parse_time(text)


@pytest.mark.parametrize("zone", [None, timezone(timedelta(hours=2)), timezone(timedelta(seconds=-1))], ids=str)
def test_a_time_of_another_zone_is_refused(zone: tzinfo | None) -> None:
    """Never converted in silence, never written with a Z that is not true."""
    elsewhere = datetime(2022, 1, 21, 12, tzinfo=zone)
    with pytest.raises(Illegal, match="exec_time"):
        check_time(elsewhere, "exec_time")
    with pytest.raises(Illegal, match="time"):
        time_text(elsewhere)


def test_a_time_in_utc_is_given_back() -> None:
    """Any zone that stands at zero will do."""
    for zone in (UTC, timezone(timedelta(0), "GMT")):
        when = datetime(2022, 1, 21, 12, tzinfo=zone)
        assert check_time(when, "exec_time") is when


def test_the_machines_clock_is_aware_and_its_stopwatch_does_not_run_backwards() -> None:
    """The one clock that is not handed in by a test."""
    clock = SystemClock()
    assert check_time(clock.now(), "now") > EPOCH
    first = clock.monotonic()
    assert clock.monotonic() >= first
