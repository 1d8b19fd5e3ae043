"""Nothing is lost or doubled when the desk is cut, or its disk or line fails, at any commit and any request, singly."""

import pytest

from tests.simulation.scenarios import SCENARIOS, Scenario
from tests.simulation.sweep import ALL_KINDS, sweep
from tests.simulation.world import CUTS, Kind


@pytest.mark.parametrize("kind", ALL_KINDS)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_single_fault_leaves_book_and_venue_equal(scenario: Scenario, kind: Kind) -> None:
    """A scenario is played once whole and once for every effect that one kind of fault can strike."""
    whole, *struck = sweep(scenario, (kind,))
    broken = [str(run.failure) for run in (whole, *struck) if run.failure is not None]
    assert not broken, "\n".join(broken)
    requests = sum(not name.startswith("commit") for name in whole.effects)
    commits = len(whole.effects) - requests
    assert len(struck) == {Kind.LATE: requests, Kind.UNCLEAR: commits}.get(kind, len(whole.effects))
    # A cut that killed nobody would prove nothing.
    assert all(run.processes == (2 if kind in CUTS else 1) for run in struck)


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
