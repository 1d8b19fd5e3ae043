"""Run a scenario under faults, one by one: at every commit and every request, each way it can go wrong.

python -m tests.simulation.sweep                        every scenario, every single fault
python -m tests.simulation.sweep guard                  one scenario
python -m tests.simulation.sweep guard cut-after@7 -v   one fault, with the effects of the run
"""

import asyncio
import hashlib
import logging
import random
import sqlite3
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from plimsoll.desk.reconcile_account import Reconciliation, reconcile_account
from plimsoll.model.money import install_exact_arithmetic
from plimsoll.runtime.virtual_loop import VirtualClock, run_virtual
from tests.simulation.oracle import examine, nothing_to_repair
from tests.simulation.scenarios import BY_NAME, SCENARIOS, Scenario
from tests.simulation.world import CUTS, FAILURES, START, Broken, Desk, Fault, Kind, Personality, World, lay_out

#: Memory is the fastest disk, where there is one.
_MEMORY = Path("/dev/shm")

#: Longer than any settle window of ours.
QUIET_SECONDS = 12
#: Nothing is to be proved about the log.
_QUIET = structlog.make_filtering_bound_logger(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class Failure:
    """A law that a run broke."""

    scenario: str
    faults: str
    check: str
    sentence: str
    #: The effect that was struck, or the last one.
    effect: str

    def __str__(self) -> str:
        return f"{self.scenario} {self.faults or 'without a fault'}: {self.check}: {self.sentence} (at {self.effect})"


@dataclass(frozen=True, slots=True)
class Run:
    """What one run did."""

    effects: tuple[str, ...]
    failure: Failure | None
    #: How many processes it took.
    processes: int
    #: Of everything that happened and everything that was written, down to ids and times.
    digest: str


def play(
    scenario: Scenario,
    faults: tuple[Fault, ...] = (),
    *,
    personality: Personality | None = None,
    seed: int | None = None,
) -> Run:
    """Play a scenario in a world of its own, and judge it."""
    install_exact_arithmetic()
    with _silence(), tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        directory = lay_out(scenario.market, Path(folder))
        worlds: list[World] = []

        async def main(clock: VirtualClock) -> None:
            world = World(
                clock,
                directory,
                scenario.market.instrument(),
                scenario.market.source,
                personality or scenario.personality,
                faults,
                chance=None if seed is None else random.Random(f"scribe|{seed}"),
                seed=seed or 0,
            )
            worlds.append(world)
            await _story(world, scenario)

        try:
            run_virtual(main, start=START)
            failure = None
        except Broken as broken:
            failure = _failure(scenario, faults, worlds[0], broken.check, broken.sentence)
        except Exception as error:  # noqa: BLE001  told like any other failure, under a name that no law has
            failure = _failure(scenario, faults, worlds[0], "CRASH", f"{type(error).__name__}: {error}")
        finally:
            for world in worlds:
                world.close()
        digest = _digest(worlds[0])
        return Run(tuple(worlds[0].effects), failure, worlds[0].processes, digest)


@contextmanager
def _silence() -> Iterator[None]:
    """Write no log: thousands of warnings that were asked for hide the one that matters."""
    was_set, before = structlog.is_configured(), structlog.get_config()
    structlog.configure(wrapper_class=_QUIET, cache_logger_on_first_use=False)
    try:
        yield
    finally:
        structlog.reset_defaults()
        if was_set:
            structlog.configure(**before)


def _digest(world: World) -> str:
    told = hashlib.sha256("\n".join(world.effects).encode())
    for path in (world.directory.database, world.directory.paper_books):
        with closing(sqlite3.connect(path)) as connection:
            for line in connection.iterdump():
                told.update(line.encode())
    return told.hexdigest()


async def _story(world: World, scenario: Scenario) -> None:
    await world.start(scenario.begin)
    for step in scenario.steps:
        await world.until_done(step, scenario.begin, scenario.restart_at)
    if not world.struck and not world.personality.needs_repair:
        await world.until_done(_settled, scenario.begin, scenario.restart_at)
        nothing_to_repair(world)
    rest = await world.until_done(quiet, scenario.begin, scenario.restart_at)
    files = examine(world)
    for expect in scenario.expect:
        expect(world, files)
    if rest is None or not rest.may_open:
        check = "I5" if rest is not None and rest.breaks else "I6"
        raise Broken(check, f"after a quiet phase the comparison with the venue ends with {rest}")


async def _settled(desk: Desk) -> None:
    await asyncio.sleep(0.5)  # what the stream still has on its way
    await desk.ports.settled()


async def quiet(desk: Desk) -> Reconciliation:
    """Let the desk come to rest: prices go on, nobody asks for anything, and it is compared until all is known."""
    result = Reconciliation(compared=False)
    for _ in range(QUIET_SECONDS):
        await desk.show()
        result = await reconcile_account(desk.ports)
        if result.may_open and not desk.world.is_anything_late():
            break
        await asyncio.sleep(1)
    return result


def _failure(scenario: Scenario, faults: tuple[Fault, ...], world: World, check: str, sentence: str) -> Failure:
    at = min(faults[0].effect, len(world.effects)) if faults else len(world.effects)
    effect = world.effects[at - 1] if world.effects else "the start"
    return Failure(scenario.name, " ".join(map(str, faults)), check, sentence, effect)


def single_faults(effects: Iterable[str], kinds: Iterable[Kind]) -> Iterator[Fault]:
    """Give every single fault for a run's effects: only requests can be late, and only commits unclear."""
    kinds = tuple(kinds)
    for number, name in enumerate(effects, 1):
        for kind in kinds:
            if kind not in (Kind.LATE, Kind.UNCLEAR) or (kind is Kind.UNCLEAR) == name.startswith("commit"):
                yield Fault(number, kind)


ALL_KINDS = (*CUTS, *FAILURES, Kind.LATE, Kind.UNCLEAR)


def sweep(
    scenario: Scenario, kinds: Iterable[Kind] = ALL_KINDS, *, personality: Personality | None = None
) -> Iterator[Run]:
    """Play a scenario without a fault, then once for every fault."""
    whole = play(scenario, personality=personality)
    yield whole
    if whole.failure is None:
        for fault in single_faults(whole.effects, kinds):
            yield play(scenario, (fault,), personality=personality)


def fault_from(text: str) -> Fault:
    """Read `cut-after@7`."""
    kind, _, number = text.partition("@")
    return Fault(int(number), Kind(kind))


def main(arguments: list[str]) -> int:
    """Run what was asked for and print what broke."""
    loud = "-v" in arguments
    names = [name for name in arguments if name in BY_NAME] or [scenario.name for scenario in SCENARIOS]
    faults = tuple(fault_from(text) for text in arguments if "@" in text)
    broken = count = 0
    for scenario in map(BY_NAME.__getitem__, names):
        runs = [play(scenario, faults)] if faults else sweep(scenario)
        for run in runs:
            count += 1
            if loud and faults:
                sys.stdout.writelines(f"{number:3} {name}\n" for number, name in enumerate(run.effects, 1))
            if run.failure is not None:
                broken += 1
                sys.stdout.write(f"{run.failure}\n")
    sys.stdout.write(f"{count} runs, {broken} broken\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
