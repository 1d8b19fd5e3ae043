"""Who slept knows it when he wakes, and nothing opens before the book was compared (FAILURES D8)."""

from datetime import timedelta
from pathlib import Path

import pytest

from plimsoll.desk.close_position import CloseOutcome
from plimsoll.desk.pulse import GAP_SECONDS, Beat, beat, is_awake, why_late
from tests.builders.desk import D, Desk, play
from tests.builders.paper import START
from tests.builders.served import Served, serve

AWAKE = Beat(100.0, START)


@pytest.mark.parametrize(
    ("stopwatch", "hour", "why"),
    [
        (1.0, 1.0, ""),
        (GAP_SECONDS, GAP_SECONDS, ""),
        (GAP_SECONDS + 1, GAP_SECONDS + 1, "this process stood still for 6 seconds"),
        # A suspended machine may stop its stopwatch with itself.
        (1.0, 61.0, "the clock jumped by +60 seconds"),
        (1.0, -9.0, "the clock jumped by -10 seconds"),
        (1.0, 1.0 + GAP_SECONDS, ""),
        (1.0, 1.0 - GAP_SECONDS, ""),
    ],
)
def test_a_beat_that_comes_late_says_why(stopwatch: float, hour: float, why: str) -> None:
    """By the stopwatch, and by the hour against it."""
    assert why_late(AWAKE, Beat(AWAKE.stopwatch + stopwatch, START + timedelta(seconds=hour))) == why


def test_whoever_slept_doubts_his_book_once_and_opens_nothing_meanwhile(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        assert is_awake(desk.ports), "nobody beats, so nobody sleeps"
        beat(desk.ports)
        await desk.wait(1)
        beat(desk.ports)
        assert desk.ports.reconciled
        await desk.wait(7)
        await desk.quote("50000")
        # Before the first beat after waking:
        assert not is_awake(desk.ports)
        assert "not_reconciled" in (await desk.buy("0.1")).checks_json
        assert (desk.count("orders"), len(desk.venue.placed), desk.reserved()) == (0, 0, D(0))
        beat(desk.ports)
        doubts = desk.ports.doubts
        assert not desk.ports.reconciled
        beat(desk.ports)
        assert desk.ports.doubts == doubts

    play(tmp_path, story)


def test_a_served_desk_that_slept_closes_compares_and_opens_again(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        await desk.market("50000", 3)
        assert (await desk.buy("0.1")).approved
        assert desk.ports.beat is not None
        # A suspended machine: the hour went on, and nothing else did.
        desk.clock.skew = timedelta(minutes=10)
        desk.show("50000")
        await desk.wait(0.01)
        assert "not_reconciled" in (await desk.buy("0.01")).checks_json
        assert (await desk.close_it()).outcome is CloseOutcome.SENT
        syncs = desk.attendant.attendance().total_syncs
        await desk.market("50000", 3)
        assert desk.attendant.attendance().total_syncs > syncs
        assert (await desk.buy("0.01")).approved

    serve(tmp_path, story)
