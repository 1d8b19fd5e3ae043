"""Hours in the hostile world, from seeds: every law holds, and the same seed is the same hour.

`python -m tests.simulation.hours.simulate` runs more of them, keeps what fails and shrinks it.
"""

import pytest

from tests.simulation.hours.evidence import keep
from tests.simulation.hours.kept import KEPT, Kept
from tests.simulation.hours.runs import Case, Outcome, in_processes

#: An hour each, two to a process.
SEEDS = range(1, 25)
PAIRS = [(seed, seed + 1) for seed in SEEDS[::2]]
#: Lived twice, in processes of another hash seed: one in twenty.
TWICE = (3, 12)


def _judge(outcome: Outcome) -> None:
    if outcome.law is not None:
        pytest.fail(f"{outcome}\n" + "\n".join(outcome.story) + f"\nkept in {keep(outcome)}")


@pytest.mark.parametrize("seeds", PAIRS, ids=lambda pair: f"{pair[0]}-{pair[1]}")
def test_an_hour_of_anything_that_can_go_wrong_keeps_every_law(seeds: tuple[int, int]) -> None:
    """Faults, kills, people and prices as the seed draws them; then it is quiet, and book and venue are one."""
    for outcome in in_processes([Case(seed) for seed in seeds]):
        _judge(outcome)


@pytest.mark.parametrize("seed", TWICE)
def test_the_same_seed_is_the_same_hour_in_another_process(seed: int) -> None:
    """To the last effect and its microsecond: nothing hangs on the hash seed, on memory addresses or on real time."""
    (one,) = in_processes([Case(seed)], environment={"PYTHONHASHSEED": "1"})
    (other,) = in_processes([Case(seed)], environment={"PYTHONHASHSEED": "4711"})
    assert one.trace
    assert (one.trace, one.facts, one.struck) == (other.trace, other.facts, other.struck)


@pytest.mark.parametrize("kept", KEPT, ids=lambda kept: f"{kept.case.seed}")
def test_what_once_failed_does_not_fail_again(kept: Kept) -> None:
    """Seeds that found something stay."""
    for outcome in in_processes([kept.case]):
        _judge(outcome)
