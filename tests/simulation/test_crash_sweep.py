"""Nothing is lost or doubled when the desk is cut, or its disk or line fails, at any commit and any request.

What is too much for every run of the tests is swept at night: `python -m tests.simulation.sweep --nightly`.
"""

import pytest

from tests.simulation.nightly import BY_NAME, EVERY, NIGHTLY
from tests.simulation.scenarios import SCENARIOS, Scenario
from tests.simulation.sweep import ALL_KINDS, main, pairs, play, rarely, sweep
from tests.simulation.world import CUTS, Kind

#: A copy is proved when it is made and when it is brought back: four times as long as any other story.
_SLOW = {"restore"}
_SINGLE = [
    (scenario, kind) for scenario in SCENARIOS for kind in ALL_KINDS if scenario.name not in _SLOW or kind in CUTS
]


@pytest.mark.parametrize(("scenario", "kind"), _SINGLE, ids=lambda one: one.name if isinstance(one, Scenario) else one)
def test_every_single_fault_leaves_book_and_venue_equal(scenario: Scenario, kind: Kind) -> None:
    """A scenario is played once whole and once for every effect that one kind of fault can strike."""
    whole, *struck = sweep(scenario, (kind,))
    broken = [str(run.failure) for run in (whole, *struck) if run.failure is not None]
    assert not broken, "\n".join(broken)
    requests = sum(not name.startswith("commit") for name in whole.effects)
    commits = len(whole.effects) - requests
    assert len(struck) == {Kind.LATE: requests, Kind.UNCLEAR: commits}.get(kind, len(whole.effects))
    # A cut that killed nobody would prove nothing.
    assert all(run.processes == whole.processes + (kind in CUTS) for run in struck)


@pytest.mark.parametrize(
    ("name", "effects"),
    [
        ("market", ("commit desk.db", "place", "commit paper.db", "commit desk.db")),
        ("cancel", ("cancel", "commit paper.db", "commit desk.db")),
    ],
)
def test_the_sweep_cuts_where_it_matters(name: str, effects: tuple[str, ...]) -> None:
    """The intent is committed before the request, the venue's books before its answer, ours after it."""
    scenario = next(scenario for scenario in SCENARIOS if scenario.name == name)
    done = next(iter(sweep(scenario, ()))).effects
    first = next(
        number for number, effect in enumerate(done) if effect.startswith(effects[1 if name == "market" else 0])
    )
    start = first - (1 if name == "market" else 0)
    found = done[start : start + len(effects)]
    assert len(found) == len(effects), "the story ended before its effects did"
    assert all(effect.startswith(wanted) for effect, wanted in zip(found, effects, strict=True))


@pytest.mark.parametrize("scenario", NIGHTLY, ids=lambda scenario: scenario.name)
def test_what_is_swept_at_night_ends_well_while_nothing_fails(scenario: Scenario) -> None:
    """Else the night would prove nothing."""
    assert play(scenario).failure is None


def test_there_are_enough_stories_and_none_twice() -> None:
    assert len(SCENARIOS) >= 10
    assert len(BY_NAME) == len(EVERY) >= 30


def test_a_second_fault_behind_the_first_breaks_nothing_either() -> None:
    """A small sample, always the same; `--pairs 1000 --seed 7` draws another."""
    runs = list(pairs(30, seed=1))
    assert [str(run.failure) for run in runs if run.failure is not None] == []


def test_rare_paths_of_our_own_code_break_nothing() -> None:
    """Every story whole and once struck, while our own code does what it does on rare days only."""
    assert [str(run.failure) for run in rarely(3, SCENARIOS) if run.failure is not None] == []


def test_the_command_says_what_was_run_and_what_broke(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["market", "cut-after@3", "-v"]) == 0
    told = capsys.readouterr().out
    assert "place BUY 10 MARKET" in told
    assert told.endswith("1 runs, 0 broken\n")
    assert main(["--pairs", "1", "--seed", "2"]) == 0
    assert capsys.readouterr().out.endswith("2 runs, 0 broken\n")
    assert main(["market", "lost@3", "--venue", "dedupes_for_ever"]) == 0
