"""Runs of the world of hours, a few in a process: what is run (`Case`), what came of it (`Outcome`).

A killed desk's tasks are never freed while its process lives, so a process runs a few cases and ends. Cases go in and
outcomes come out as lines of JSON; a process that dies over a case is an outcome too.

python -m tests.simulation.hours.runs < cases
"""

import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO

from tests.simulation.hours.story import readable
from tests.simulation.hours.tape import Struck, tape_from, tape_text
from tests.simulation.hours.weather import FAIR

ROOT = Path(__file__).resolve().parents[3]
#: Some hundred kills.
PER_PROCESS = 4
#: Real time that an hour of the world may take at most before its process counts as hung.
SECONDS_AN_HOUR = 600.0
#: The law that is broken when a run does not end by itself.
CRASH = "CRASH"


@dataclass(frozen=True, slots=True)
class Case:
    """One run: a seed, and what is taken away from what it draws."""

    seed: int
    hours: float = 1.0
    #: None draws the faults from the seed; else exactly these strike.
    tape: tuple[Struck, ...] | None = None
    #: Traits of the venues that are the kindest one's instead of the drawn ones.
    kind: tuple[str, ...] = ()
    #: So many seconds the desk's clock is off; None as the seed has drawn it.
    clock_offset: float | None = None
    #: Nothing goes wrong at all, whatever the seed has drawn.
    fair: bool = False

    def to_json(self) -> str:
        """Write it on one line."""
        tape = None if self.tape is None else tape_text(self.tape)
        return json.dumps(
            {
                **{name: getattr(self, name) for name in ("seed", "hours", "clock_offset", "fair")},
                "kind": list(self.kind),
                "tape": tape,
            }
        )


def case_from(line: str) -> Case:
    """Read what `Case.to_json` wrote."""
    told = json.loads(line)
    tape = told["tape"]
    return Case(**{**told, "kind": tuple(told["kind"]), "tape": None if tape is None else tuple(tape_from(tape))})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a case."""

    case: Case
    #: None where every law held.
    law: str | None = None
    sentence: str = ""
    #: Seconds since the world began.
    failed_at: float | None = None
    trace: str = ""
    #: By account.
    facts: Mapping[str, str] = field(default_factory=dict)
    struck: tuple[Struck, ...] = ()
    story: tuple[str, ...] = ()
    #: Counts, and lists of seconds; see `table`.
    figures: Mapping[str, Any] = field(default_factory=dict)
    #: Real ones.
    seconds: float = 0.0

    def __str__(self) -> str:
        return f"seed {self.case.seed}: " + (f"{self.law}: {self.sentence}" if self.law else "every law held")

    def to_json(self) -> str:
        """Write it on one line."""
        told = {name: getattr(self, name) for name in ("law", "sentence", "failed_at", "trace", "seconds")}
        return json.dumps(
            {
                **told,
                "case": self.case.to_json(),
                "facts": dict(self.facts),
                "struck": tape_text(self.struck),
                "story": list(self.story),
                "figures": dict(self.figures),
            }
        )


def outcome_from(line: str) -> Outcome:
    """Read what `Outcome.to_json` wrote."""
    told = json.loads(line)
    return Outcome(
        **{
            **told,
            "case": case_from(told["case"]),
            "struck": tuple(tape_from(told["struck"])),
            "story": tuple(told["story"]),
        }
    )


Run = Callable[[Case], Outcome]


# In this process ------------------------------------------------------------------------------------------------------


def run_lines(lines: Iterable[str], out: TextIO, run: Run) -> None:
    """Run the cases of lines and write their outcomes, each as soon as it is known."""
    for line in lines:
        if not line.strip():
            continue
        case = case_from(line)
        began = time.perf_counter()
        try:
            outcome = run(case)
        except Exception as error:  # noqa: BLE001  told like any other failure, under a name that no law has
            outcome = Outcome(case, CRASH, f"{type(error).__name__}: {error}", story=_where(error))
        out.write(replace(outcome, seconds=time.perf_counter() - began).to_json() + "\n")
        out.flush()


def _where(error: BaseException) -> tuple[str, ...]:
    return tuple("".join(traceback.format_exception(error)).splitlines()[-40:])


# In processes ---------------------------------------------------------------------------------------------------------


def in_processes(
    cases: Sequence[Case],
    *,
    workers: int = 1,
    seconds: float | None = None,
    environment: Mapping[str, str] | None = None,
    per_process: int = PER_PROCESS,
) -> Iterator[Outcome]:
    """Run cases in processes of a few each; give the outcomes as they come, in no order.

    Shapes:  `seconds` of real time, after which no further process is begun
    """
    ends = None if seconds is None else time.monotonic() + seconds
    pieces = [cases[start : start + per_process] for start in range(0, len(cases), per_process)]
    pieces.reverse()
    with ThreadPoolExecutor(workers) as pool:
        running: set[Future[list[Outcome]]] = set()
        while pieces or running:
            while pieces and len(running) < workers and (ends is None or time.monotonic() < ends):
                running.add(pool.submit(_process, pieces.pop(), environment))
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for piece in done:
                yield from piece.result()


def _process(cases: Sequence[Case], environment: Mapping[str, str] | None) -> list[Outcome]:
    paths = os.pathsep.join((str(ROOT), str(ROOT / "src")))
    limit = 60 + SECONDS_AN_HOUR * sum(case.hours for case in cases)
    try:
        process = subprocess.run(
            [sys.executable, "-m", "tests.simulation.hours.runs"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": paths, **(environment or {})},
            input="".join(case.to_json() + "\n" for case in cases),
            capture_output=True,
            text=True,
            check=False,
            timeout=limit,
        )
        told, said = process.stdout, f"its process ended with {process.returncode}"
        end = tuple(process.stderr.splitlines()[-40:])
    except subprocess.TimeoutExpired as late:
        # What was told until then comes as bytes, whatever was asked for.
        told = (late.stdout or b"").decode()
        said, end = f"its process was not done within {limit:.0f} s", ()
    outcomes = [outcome_from(line) for line in told.splitlines() if line.startswith("{")]
    if len(outcomes) == len(cases):
        return outcomes
    # The first without an outcome is the one it died over; the others are run again, without it.
    dead, rest = cases[len(outcomes)], cases[len(outcomes) + 1 :]
    outcomes.append(Outcome(dead, CRASH, said, story=end))
    return outcomes + (_process(rest, environment) if rest else [])


def run(case: Case) -> Outcome:
    """Run one case in a world of its own, here."""
    from tests.simulation.exchange.personality import KIND
    from tests.simulation.hours.plans import plan_of
    from tests.simulation.hours.world import live

    plan = plan_of(case.seed, case.hours)
    weather = FAIR if case.fair else plan.weather
    if case.clock_offset is not None:
        weather = replace(weather, clock_offset=case.clock_offset)
    kinder = {trait: getattr(KIND, trait) for trait in case.kind}
    venues = tuple(replace(venue, **kinder) for venue in plan.personalities)
    life = live(replace(plan, weather=weather, personalities=venues), tape=case.tape)
    broken = life.failure
    return Outcome(
        case,
        None if broken is None else broken.check,
        "" if broken is None else broken.sentence,
        life.ended_at,
        life.trace_digest,
        life.facts,
        life.struck,
        tuple(readable(life.record.happenings, life.struck)) if broken is not None else (),
        life.figures,
    )


if __name__ == "__main__":
    run_lines(sys.stdin, sys.stdout, run)
