"""Rare paths of our own code: nobody walks them in production, and whoever does comes to the same books."""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from plimsoll.runtime import rare
from plimsoll.runtime.rare import Site
from tests.edges.stream_scenes import ADA, ADAS, BOBS, Cove
from tests.edges.stream_scenes import play as on_stream
from tests.simulation.rare import Common, draw, made, only
from tests.simulation.scenarios import BY_NAME
from tests.simulation.sweep import play

ROOT = Path(__file__).resolve().parents[2]
#: Those that show only to who follows a desk.
FOLLOWED = (Site.EVENTS_FORGOTTEN, Site.ONE_EVENT_AT_ONCE, Site.FOLLOWER_LEFT_BEHIND)
#: A story with several units in a group, a position that grows and shrinks, and an order that waits.
STORIES = ("flatten", "race")


def test_a_desk_that_nobody_simulates_walks_no_rare_path() -> None:
    """In a process of its own: whatever a test may have left behind here says nothing."""
    asked = "from plimsoll.runtime import rare; print([site for site in rare.Site if rare.strikes(site)])"
    told = subprocess.run(
        [sys.executable, "-c", asked],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == "[]"


def test_a_quarter_of_the_sites_is_on_in_a_seed_and_strikes_at_a_quarter_of_its_passings() -> None:
    drawn = [draw(seed) for seed in range(400)]
    on = sum(len(common.sites) for common in drawn) / (len(drawn) * len(Site))
    assert on == pytest.approx(0.25, abs=0.03)
    struck = [only(seed, Site).strikes(site) for seed in range(200) for site in Site]
    assert sum(struck) / len(struck) == pytest.approx(0.25, abs=0.03)


def test_each_site_has_a_stream_of_its_own() -> None:
    """Another site that is passed more often moves nothing."""
    alone, beside = only(7, [Site.GROUP_OF_ONE]), only(7, [Site.GROUP_OF_ONE, Site.CONTROL_MOVED])
    told = []
    for _ in range(50):
        beside.strikes(Site.CONTROL_MOVED)
        told.append((alone.strikes(Site.GROUP_OF_ONE), beside.strikes(Site.GROUP_OF_ONE)))
    assert all(one == other for one, other in told)
    assert beside.struck[Site.GROUP_OF_ONE] == sum(one for one, _other in told) > 0


def test_what_is_off_or_quiet_never_strikes() -> None:
    common = only(1, [Site.GROUP_OF_ONE])
    assert not any(common.strikes(Site.CONTROL_MOVED) for _ in range(100))
    common.quiet = True
    assert not any(common.strikes(Site.GROUP_OF_ONE) for _ in range(100))


def test_rare_paths_end_with_their_block_however_it_ends() -> None:
    always = Common(frozenset(Site), 1)

    def block() -> None:
        with made(always):
            assert rare.strikes == always.strikes
            with made(None):
                assert rare.strikes is rare.never
            assert rare.strikes == always.strikes
            raise KeyError

    with pytest.raises(KeyError):
        block()
    assert rare.strikes is rare.never


@pytest.mark.parametrize("site", [site for site in Site if site not in FOLLOWED])
def test_every_site_of_the_desk_is_passed_and_leaves_the_books_whole(site: Site) -> None:
    """Alone, in several seeds and stories; whether it came to the same books, the laws say."""
    struck: Counter[Site] = Counter()
    for name in STORIES:
        for seed in range(4):
            common = only(seed, [site])
            failure = play(BY_NAME[name], seed=seed, common=common).failure
            assert failure is None, f"{site} of seed {seed}: {failure}"
            struck += common.struck
    assert struck[site] > 0


@pytest.mark.parametrize(
    ("site", "name"),
    [
        (Site.ROWS_WRITTEN_EARLY, "flatten"),
        (Site.POSITION_REFOLDED, "partial_then_cancel"),
        (Site.VIEW_OUTDATED, "guard"),
    ],
)
def test_a_path_that_only_takes_longer_writes_the_very_same(site: Site, name: str) -> None:
    """Down to ids, times and the order of all that left the desk."""
    struck: Counter[Site] = Counter()
    for seed in range(3):
        common = only(seed, [site])
        assert play(BY_NAME[name], seed=seed, common=common).digest == play(BY_NAME[name], seed=seed).digest
        struck += common.struck
    assert struck[site] > 0


@pytest.mark.parametrize("site", [Site.EVENTS_FORGOTTEN, Site.ONE_EVENT_AT_ONCE])
def test_a_follower_misses_nothing_on_the_slow_path(tmp_path: Path, site: Site) -> None:
    """From the database, or one at a time: each event once, in order."""
    common = only(5, [site])

    async def story(cove: Cove) -> None:
        ada = await cove.board(await cove.actor(ADA))
        with made(common):
            for number in range(12):
                await cove.happens((ADAS, BOBS)[number % 3 == 0], str(number), f"{number} again")
            await asyncio.sleep(2)
        assert [number for number, _previous in ada.events()] == cove.stored(ADAS)

    on_stream(tmp_path, story)
    assert common.struck[site] > 0


def test_a_follower_who_is_left_behind_is_told_and_misses_nothing_after(tmp_path: Path) -> None:
    common = only(2, [Site.FOLLOWER_LEFT_BEHIND])

    async def story(cove: Cove) -> None:
        ada = await cove.board(await cove.actor(ADA))
        with made(common):
            for number in range(12):
                await cove.happens(ADAS, str(number))
                await asyncio.sleep(0.5)
        left_out = [frame["number"] for frame in ada.of("snapshot_required")]
        heard = [number for number, _previous in ada.events()]
        # One event at a time happened: each is told, or is the one that he is told to read everything again for.
        assert sorted([*heard, *left_out]) == cove.stored(ADAS)
        assert len(left_out) == common.struck[Site.FOLLOWER_LEFT_BEHIND] > 0

    on_stream(tmp_path, story)
