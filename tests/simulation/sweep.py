"""Run a scenario under faults, one by one: at every commit and every request, each way it can go wrong.

python -m tests.simulation.sweep                        every scenario of the tests, every single fault
python -m tests.simulation.sweep --nightly              many more scenarios, and each at every bad venue
python -m tests.simulation.sweep guard                  one scenario
python -m tests.simulation.sweep guard cut-after@7 -v   one fault, with the effects of the run; --venue in_bits
python -m tests.simulation.sweep --pairs 500 --seed 7   sampled pairs of faults
python -m tests.simulation.sweep --rare 1-20            every scenario on the rare paths of each seed, whole and cut
"""

import argparse
import asyncio
import hashlib
import logging
import random
import sqlite3
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from plimsoll.desk.reconcile_account import Reconciliation, reconcile_account
from plimsoll.model.money import install_exact_arithmetic
from plimsoll.runtime.virtual_loop import VirtualClock, run_virtual
from tests.simulation import hostile
from tests.simulation.happenings import Interlude
from tests.simulation.nightly import BY_NAME, EVERY, is_told_anywhere
from tests.simulation.oracle import examine, nothing_to_repair
from tests.simulation.rare import Common, draw, made
from tests.simulation.scenarios import SCENARIOS, Scenario
from tests.simulation.world import CUTS, FAILURES, START, Broken, Desk, Fault, Kind, Personality, World, lay_out

#: Memory is the fastest disk, where there is one.
_MEMORY = Path("/dev/shm")

#: A fault makes a story longer: a restart, a sweep, an order that is looked up.
MORE_EFFECTS = 12
#: Longer than any settle window of ours.
QUIET_SECONDS = 12
#: Nothing is to be proved about the log.
_QUIET = structlog.make_filtering_bound_logger(logging.CRITICAL)


def _drop(_logger: object, _method: str, _words: MutableMapping[str, Any]) -> Mapping[str, Any]:
    raise structlog.DropEvent


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
    #: Of everything that happened and everything that was written, down to ids and times; where a seed was given.
    digest: str


def play(
    scenario: Scenario,
    faults: tuple[Fault, ...] = (),
    *,
    personality: Personality | None = None,
    seed: int | None = None,
    common: Common | None = None,
) -> Run:
    """Play a scenario in a world of its own, and judge it.

    Shapes:  `seed` draws how the scribe groups; `common` are the rare paths of our own code that are walked
    """
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
            with made(common):
                run_virtual(main, start=START)
            failure = None
        except Broken as broken:
            failure = _failure(scenario, faults, worlds[0], broken.check, broken.sentence)
        except Exception as error:  # noqa: BLE001  told like any other failure, under a name that no law has
            failure = _failure(scenario, faults, worlds[0], "CRASH", f"{type(error).__name__}: {error}")
        finally:
            for world in worlds:
                world.close()
        digest = "" if seed is None else _digest(worlds[0])
        return Run(tuple(worlds[0].effects), failure, worlds[0].processes, digest)


@contextmanager
def _silence() -> Iterator[None]:
    """Write no log: thousands of warnings that were asked for hide the one that matters."""
    was_set, before = structlog.is_configured(), structlog.get_config()
    structlog.configure(processors=[_drop], wrapper_class=_QUIET, cache_logger_on_first_use=False)
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
        if isinstance(step, Interlude):
            await _between_two_processes(world, scenario, step)
        else:
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


async def _between_two_processes(world: World, scenario: Scenario, interlude: Interlude) -> None:
    # One that died over work of its own is started first: every process has its end.
    await world.until_done(_settled, scenario.begin, scenario.restart_at)
    world.die()
    await asyncio.sleep(interlude.down.total_seconds())
    if interlude.meanwhile is not None:
        interlude.meanwhile(world)
    await world.start(scenario.begin, at=scenario.restart_at(world))


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


def pairs(count: int, seed: int) -> Iterator[Run]:
    """Play sampled pairs of faults; the second is counted from the first, in whatever the first has made of the story.

    Shapes: each scenario in its turn, whole first, where its effects are not known yet
    """
    chance, wholes = random.Random(f"pairs|{seed}"), dict[str, Run]()
    for _ in range(count):
        scenario = chance.choice(EVERY)
        whole = wholes.get(scenario.name)
        if whole is None:
            whole = wholes[scenario.name] = play(scenario)
            yield whole
        if whole.failure is None:
            first = chance.choice(list(single_faults(whole.effects, ALL_KINDS)))
            left = len(whole.effects) - first.effect
            second = Fault(first.effect + chance.randint(1, left + MORE_EFFECTS), chance.choice(ALL_KINDS))
            yield play(scenario, (first, second))


def rarely(seed: int, scenarios: Iterable[Scenario] = EVERY) -> Iterator[Run]:
    """Play scenarios whole and once struck, on the rare paths of a seed."""
    chance = random.Random(f"rarely|{seed}")
    for scenario in scenarios:
        whole = play(scenario, seed=seed, common=draw(seed))
        yield whole
        if whole.failure is None:
            fault = chance.choice(list(single_faults(whole.effects, ALL_KINDS)))
            yield play(scenario, (fault,), seed=seed, common=draw(seed))


def everything() -> Iterator[Run]:
    """Play every scenario under every single fault, and those that end alike anywhere at every venue, cut."""
    for scenario in EVERY:
        yield from sweep(scenario)
    for venue in hostile.PERSONALITIES:
        for scenario in EVERY:
            if is_told_anywhere(scenario, venue):
                yield from sweep(scenario, CUTS, personality=venue)


def fault_from(text: str) -> Fault:
    """Read `cut-after@7`."""
    kind, _, number = text.partition("@")
    return Fault(int(number), Kind(kind))


def main(arguments: list[str]) -> int:
    """Run what was asked for and print what broke."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="scenarios, and faults such as cut-after@7")
    parser.add_argument("--nightly", action="store_true")
    parser.add_argument("--pairs", type=int, default=0)
    parser.add_argument("--rare", default="", help="seeds, such as 1-20")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--venue", choices=hostile.BY_NAME, default=None)
    parser.add_argument("-v", dest="loud", action="store_true")
    words = parser.parse_args(arguments)
    broken = count = 0
    for run in _asked_for(words):
        count += 1
        if words.loud:
            sys.stdout.writelines(f"{number:3} {name}\n" for number, name in enumerate(run.effects, 1))
        if run.failure is not None:
            broken += 1
            sys.stdout.write(f"{run.failure}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{count} runs, {broken} broken\n")
    return 1 if broken else 0


def _asked_for(words: argparse.Namespace) -> Iterator[Run]:
    faults = tuple(fault_from(text) for text in words.words if "@" in text)
    scenarios = [BY_NAME[name] for name in words.words if "@" not in name]
    venue = None if words.venue is None else hostile.BY_NAME[words.venue]
    if words.pairs:
        yield from pairs(words.pairs, words.seed)
    elif words.rare:
        first, _, last = words.rare.partition("-")
        for seed in range(int(first), int(last or first) + 1):
            yield from rarely(seed)
    elif words.nightly:
        yield from everything()
    else:
        for scenario in scenarios or SCENARIOS:
            if faults:
                yield play(scenario, faults, personality=venue)
            else:
                yield from sweep(scenario, personality=venue)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
