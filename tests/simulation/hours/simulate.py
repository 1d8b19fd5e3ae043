"""Let seeds live their hours in the hostile world, and print what that comes to.

python -m tests.simulation.hours.simulate --seeds 1-200 --hours 1 --workers 2
python -m tests.simulation.hours.simulate --seeds 7 --shrink
python -m tests.simulation.hours.simulate --replay simulation-failures/7.json

A failure is written to `simulation-failures/<seed>.json`; `--shrink` also looks for the smallest failure like it.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path

from tests.simulation.exchange.personality import Personality
from tests.simulation.hours.evidence import keep, replay_of
from tests.simulation.hours.runs import Case, Outcome, in_processes
from tests.simulation.hours.shrink import shrink
from tests.simulation.hours.table import table

#: So many runs a shrinking may cost.
TRIES = 80
#: What makes a venue another one; its name does not.
TRAITS = tuple(field.name for field in fields(Personality) if field.name != "name")


def cases(seeds: str, hours: float, kind: tuple[str, ...] = ()) -> list[Case]:
    """Read `1-200`, `7` or `1-3,9`."""
    found: list[Case] = []
    for part in seeds.split(","):
        first, _, last = part.partition("-")
        found += [Case(seed, hours, kind=kind) for seed in range(int(first), int(last or first) + 1)]
    return found


def main(arguments: Sequence[str]) -> int:
    """Run what was asked for; 1 when a law was broken."""
    asked = _parser().parse_args(arguments)
    wanted = (
        [replay_of(asked.replay, drawn=asked.drawn)]
        if asked.replay
        else cases(asked.seeds, asked.hours, tuple(asked.kind))
    )
    budget = None if asked.minutes_budget is None else asked.minutes_budget * 60
    runs: list[Outcome] = []
    for outcome in _said(in_processes(wanted, workers=asked.workers, seconds=budget)):
        runs.append(outcome)
        if outcome.law is not None:
            _say(f"  kept in {keep(outcome)}")
            if asked.replay:
                _say("\n".join(outcome.story))
    _say(table(runs))
    if len(runs) < len(wanted):
        _say(f"the budget ended the run: {len(wanted) - len(runs)} seeds were not begun")
    broken = [outcome for outcome in runs if outcome.law is not None]
    for outcome in broken if asked.shrink else ():
        _shrink(outcome)
    return 1 if broken else 0


def _said(outcomes: Iterator[Outcome]) -> Iterator[Outcome]:
    for outcome in outcomes:
        if outcome.law is not None:
            _say(str(outcome))
        yield outcome


def _shrink(outcome: Outcome) -> None:
    done = shrink(outcome, _again, TRAITS, TRIES)
    smallest = done.smallest
    tape = smallest.struck if smallest.case.tape is None else smallest.case.tape
    _say(f"seed {outcome.case.seed} after {done.tries} tries: {smallest.case.hours:.3f} hours, {len(tape)} faults")
    for one in tape[-20:]:
        _say(f"  {one}")
    _say("\n".join(smallest.story))
    _say(f"  kept in {keep(smallest, shrunk=True)}")


def _again(case: Case) -> Outcome:
    (outcome,) = in_processes([case])
    return outcome


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.hours.simulate", description=__doc__)
    parser.add_argument("--seeds", default="1-200", help="such as 1-200 or 7,9")
    parser.add_argument("--hours", type=float, default=1.0, help="of the world, for each seed")
    parser.add_argument("--kind", nargs="*", default=(), choices=TRAITS, help="traits of the kindest venue")
    parser.add_argument("--workers", type=int, default=2, help="processes at a time")
    parser.add_argument("--replay", type=Path, help="the file of a failure, with its tape")
    parser.add_argument("--drawn", action="store_true", help="replay: draw the faults from the seed instead")
    parser.add_argument("--shrink", action="store_true", help="look for the smallest failure of each kind")
    parser.add_argument("--minutes-budget", type=float, help="begin nothing after so many minutes of real time")
    return parser


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
