"""Longer bars out of shorter ones, on the one grid of all charts; and waiting for an hour of the clock."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from plimsoll.market.gather import MINUTE, check_interval, gathered, grid_start
from plimsoll.market.pace import until
from plimsoll.model.errors import Illegal
from plimsoll.model.ids import InstrumentId
from plimsoll.model.quote import Bar
from plimsoll.runtime.virtual_loop import VirtualClock, run_virtual

NOON = datetime(2024, 5, 6, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def bar(minute: int, price: int, interval: timedelta = MINUTE, volume: str | None = "1", spread: str = "0") -> Bar:
    close, size = Decimal(price), None if volume is None else Decimal(volume)
    start = NOON + minute * MINUTE
    return Bar(
        InstrumentId(1), start, interval, close - 1, close + 2, close - 2, close, size, Decimal(spread), Decimal(spread)
    )


def test_bars_are_gathered_on_the_grid_with_gaps_left_as_they_are() -> None:
    minutes = [bar(3, 100, spread="1"), bar(4, 110), bar(5, 90), bar(21, 95, spread="3"), bar(24, 96)]
    five = list(gathered(minutes, timedelta(minutes=5)))
    assert [(one.start, one.interval) for one in five] == [(NOON + start * MINUTE, 5 * MINUTE) for start in (0, 5, 20)]
    assert [[one.open, one.high, one.low, one.close] for one in five] == [
        [99, 112, 98, 110],
        [89, 92, 88, 90],
        [94, 98, 93, 96],
    ]
    assert [[one.volume, one.open_spread, one.close_spread] for one in five] == [[2, 1, 0], [1, 0, 0], [2, 3, 0]]


def test_one_unknown_volume_makes_the_whole_unknown() -> None:
    (one,) = gathered([bar(0, 1), bar(1, 1, volume=None)], HOUR)
    assert one.volume is None


def test_a_bar_that_is_long_enough_is_given_as_it_is_and_ends_what_was_gathered_before() -> None:
    found = list(gathered([bar(0, 10), bar(1, 11), bar(5, 12, 2 * HOUR)], HOUR))
    assert [(one.start, one.interval) for one in found] == [(NOON, HOUR), (NOON + 5 * MINUTE, 2 * HOUR)]
    assert list(gathered([], HOUR)) == []


def test_the_grid_is_that_of_utc() -> None:
    assert grid_start(NOON + timedelta(minutes=59, seconds=59), HOUR) == NOON
    assert grid_start(NOON, timedelta(days=1)) == NOON.replace(hour=0)


@pytest.mark.parametrize("interval", [timedelta(0), timedelta(seconds=59), timedelta(seconds=90), -MINUTE])
def test_an_interval_of_no_whole_minutes_is_refused(interval: timedelta) -> None:
    with pytest.raises(Illegal, match="interval"):
        check_interval(interval)
    assert check_interval(HOUR) == HOUR


def test_waiting_ends_when_the_clock_shows_the_hour_also_after_it_was_set() -> None:
    async def main(clock: VirtualClock) -> None:
        await until(clock, NOON - HOUR)
        assert clock.now() == NOON
        await until(clock, NOON + timedelta(seconds=1.5))
        assert clock.now() == NOON + timedelta(seconds=1.5)
        clock.loop.call_later(30, setattr, clock, "skew", HOUR)
        await until(clock, NOON + HOUR)
        assert clock.monotonic() <= 62  # a set clock is noticed within a minute
        clock.skew = timedelta(0)
        clock.loop.call_later(30, setattr, clock, "skew", -HOUR)
        await until(clock, NOON + 5 * MINUTE)
        assert clock.now() == NOON + 5 * MINUTE
        await asyncio.wait_for(until(clock, NOON), 1)

    run_virtual(main, start=NOON)
