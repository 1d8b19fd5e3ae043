"""The world of hours: the desk as it is served, its callers, its venues and prices, and everything that goes wrong.

    callers ─ASGI─► REST app ─► served desk ─► adapter ─► network (hostile) ─► exchange
                                 SQLite (faulty)                  ▲ prices, streams (hostile)

A run plays hours of virtual time from a seed: the weather strikes at its sites, processes die and are started again on
the same files, people insist. Then it is quiet for some minutes, and everything must come to rest. The oracle looks on,
and what it finds broken ends the run.

What must not enter: what has to hold (`oracle`), and what a venue or a network is (`exchange`, `network`, `adapter`).
"""

import asyncio
import gc
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

from plimsoll.ledger import keys
from plimsoll.model.order import Order, OrderState
from plimsoll.runtime.logging import configure_logging
from plimsoll.runtime.virtual_loop import VirtualClock, context_of, run_virtual
from tests.simulation import rare
from tests.simulation.hours.asgi import threads_on_the_loop
from tests.simulation.hours.callers import Caller, Front
from tests.simulation.hours.digests import facts_digest
from tests.simulation.hours.habits import HABITS
from tests.simulation.hours.older import Copies, may_come_back
from tests.simulation.hours.oracle import Oracle
from tests.simulation.hours.plans import Plan
from tests.simulation.hours.process import Process, Surroundings
from tests.simulation.hours.record import Record, Telling
from tests.simulation.hours.sides import THERE, Side, side_of
from tests.simulation.hours.tape import Struck, Tape, played
from tests.simulation.hours.template import Person, template
from tests.simulation.hours.venues import Reach
from tests.simulation.hours.weather import FAIR, Fault
from tests.simulation.world import START, Broken, Cut

#: How long it is quiet at the end.
QUIET_SECONDS = (240.0, 420.0)
MINUTE = 60.0
#: How often somebody outside looks which orders are of unknown fate.
GLANCE_SECONDS = 1.0
#: How long a machine takes to start the process again, where the fault does not say.
DOWN_SECONDS = (0.1, 30.0)
#: Garbage is collected at these minutes and at no other time: what a collection does is part of the run.
COLLECT_MINUTES = 10
#: A desk that dies more often than this while nothing goes wrong does not stay.
DEATHS_IN_QUIET = 3
#: Of the passings of a rare path that is on: each costs, and an hour has thousands.
RARELY = 0.03
#: Files live as long as a run: in memory, where the machine has such a folder.
_FAST = Path("/dev/shm")


@dataclass(frozen=True, slots=True)
class Life:
    """One run, from its beginning to its end."""

    plan: Plan
    #: None where every law held.
    failure: Broken | None
    #: Seconds since the world began.
    ended_at: float
    record: Record
    trace_digest: str
    #: By account; empty where the run did not come to rest.
    facts: Mapping[str, str]
    struck: tuple[Struck, ...]
    figures: Mapping[str, Any]


class World:
    """Everything there is in one run."""

    def __init__(
        self, plan: Plan, tape: Tape, clock: VirtualClock, folder: Path, common: rare.Common | None, *, keep: bool
    ) -> None:
        self.plan, self.tape, self._common = plan, tape, common
        #: The world's own time, which no process sees, and what the desk's machine shows.
        self.clock = clock
        self.loop = clock.loop
        self.machine = VirtualClock(self.loop, START, timedelta(seconds=plan.weather.clock_offset))
        self.failure: asyncio.Future[Broken] = self.loop.create_future()
        self.record = Record(self.loop.time, lambda law, what: self.break_law(Broken(law, what)), keep=keep)
        drawn = template(plan.markets)
        self.directory = drawn.lay_out(folder / "desk")
        self._copies = Copies(self.directory, folder / "copies", clock) if may_come_back(tape) else None
        self.telling = Telling(self.record, self.loop.time)
        self.sides = [
            side_of(market, personality, tape, clock)
            for market, personality in zip(plan.markets, plan.personalities, strict=True)
        ]
        self._alive: list[Process] = []
        #: What each of them reaches its venues through, by its worker's name.
        self._reaches: dict[str, Reach] = {}
        self.is_quiet = False
        self._deaths_in_quiet = 0
        self._closing = asyncio.Event()
        #: For the next start: how long until then, and what is done before.
        self._down_for: float | None = None
        self._before_start: Callable[[], str] | None = None
        secrets = self.record.secrets
        for side, person in zip(self.sides, drawn.people, strict=True):
            name = side.market.person
            secrets[f"{name}'s key"], secrets[f"{name}'s session"] = person.key, person.session
            secrets[f"{name}'s key at {side.market.venue}"] = side.key
        secrets["the key of the chain"] = self.directory.chain_key_file.read_text()
        self.callers = [self._caller(side, person) for side, person in zip(self.sides, drawn.people, strict=True)]
        self._oracle = Oracle(self)
        self.loop.set_exception_handler(self._report)

    def _caller(self, side: Side, person: Person) -> Caller:
        front = Front(self.record, self.door, side.prices.price, self._closing, self.loop)

        def foreign() -> str | None:
            others = [uid for caller in self.callers if caller.market is not side.market for uid in caller.orders]
            return others[-1] if others else None

        chance = self.tape.chance(f"caller {side.market.person}")
        return Caller(side.market, person, foreign, front, chance, HABITS)

    def at(self) -> float:
        """Give the seconds since the world began."""
        return self.loop.time()

    # ------------------------------------------------------------------------------------------------- the whole run

    async def run(self) -> None:
        """Play the hours, let everything come to rest, and end the desk as a signal does.

        Raises: Broken
        """
        self.start_process()
        running = [
            *(self._task(self._pass_time(side), f"time of {side.market.venue}") for side in self.sides),
            *(self._task(side.prices.run(), f"prices of {side.market.venue}") for side in self.sides),
            *(self._task(caller.run(), caller.name) for caller in self.callers),
            self._task(self._glance(), "glance"),
        ]
        for task in running:
            task.add_done_callback(self._ended)
        try:
            for part in (self._minutes, self._come_to_rest, self._stop):
                await self._unless_broken(self._task(part(), part.__name__))
        finally:
            for process in tuple(self._alive):
                process.kill("the run is over")
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    def _task(self, work: Coroutine[Any, Any, None], name: str) -> "asyncio.Task[None]":
        return self.loop.create_task(work, name=name)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        # A world whose time stands still shows a desk that nothing happens to.
        if not task.cancelled() and (failure := task.exception()) is not None:
            self.break_law(Broken("WORLD", f"{task.get_name()} failed: {failure!r}"))

    async def _unless_broken(self, task: "asyncio.Task[None]") -> None:
        await asyncio.wait((task, self.failure), return_when=asyncio.FIRST_COMPLETED)
        if self.failure.done():
            task.cancel()
            raise self.failure.result()
        task.result()

    async def _minutes(self) -> None:
        end = self.plan.hours * 3600
        while self.loop.time() + MINUTE <= end:
            await asyncio.sleep(MINUTE)
            if round(self.loop.time() / MINUTE) % COLLECT_MINUTES == 0:
                gc.collect()
            self._look()
            if self._copies is not None and (told := self._copies.make()):
                self.record.note("", told)
            struck = self.tape.strike("minute", self.loop.time())
            if struck is not None:
                self.happen(struck)
        await asyncio.sleep(end - self.loop.time())

    async def _come_to_rest(self) -> None:
        self.record.note("", "it becomes quiet")
        self.is_quiet = self.tape.quiet = True
        if self._common is not None:
            self._common.quiet = True
        self._closing.set()
        self.telling.shut_until = 0.0
        if self.process is not None and self.process.is_frozen:
            self.process.thaw()
        # A ban that was spoken is served: nothing comes to rest before.
        banned = max(0.0, *(side.address.banned_until - self.loop.time() for side in self.sides))
        seconds = round(banned + self.tape.chance("quiet").uniform(*QUIET_SECONDS), 3)
        for _ in range(int(seconds // MINUTE)):
            await asyncio.sleep(MINUTE)
            self._look()
        await asyncio.sleep(seconds % MINUTE)
        self._look()
        self._oracle.at_rest()

    async def _stop(self) -> None:
        process = self.process
        assert process is not None, "Invariant: the oracle lets no world rest without a desk."
        await process.stop()

    def _look(self) -> None:
        for side in self.sides:
            side.exchange.check()
            for sentence in side.address.impatient:
                raise Broken("A11", f"who was told to wait asks all the same: {sentence}")
        self._oracle.every_minute()

    async def _pass_time(self, side: Side) -> None:
        while True:
            await asyncio.sleep(1)
            side.exchange.pass_time()

    async def _glance(self) -> None:
        while True:
            await asyncio.sleep(GLANCE_SECONDS)
            process = self.process
            if process is not None and process.is_ready and not process.is_frozen:
                self._look_for_doubts(process)

    def _look_for_doubts(self, process: Process) -> None:
        assert process.served is not None, "Invariant: what takes orders is served."
        hot = process.served.books.hot
        live: list[Order] = [order for side in self.sides for order in hot.shelf(keys.ORDER, side.account_id)]
        self.record.doubtful([order.client_order_id for order in live if order.state is OrderState.UNKNOWN])

    # --------------------------------------------------------------------------------------------------- processes

    @property
    def process(self) -> Process | None:
        """The desk of the folder, if there is one; a second one that was refused, or not yet, stands behind it."""
        return self._alive[0] if self._alive else None

    def door(self) -> Process | None:
        """Give the process that takes orders, if one does."""
        process = self.process
        return process if process is not None and process.is_ready else None

    def start_process(self) -> Process:
        """Start a process on the files."""
        worker = f"desk-{len(self.record.lives) + 1}"

        async def crash() -> NoReturn:
            await process.crash()

        reach = Reach(
            self.sides,
            worker,
            loop=self.loop,
            tape=self.tape,
            record=self.record,
            clock=self.machine,
            crash=crash,
        )
        around = Surroundings(
            loop=self.loop,
            directory=self.directory,
            tape=self.tape,
            record=self.record,
            clock=self.machine,
            notifier=self.telling,
            reach=reach,
            gone=self._gone,
        )
        process = Process(worker, around)
        self._reaches[worker] = reach
        self._alive.append(process)
        process.start()
        return process

    def _gone(self, process: Process) -> None:
        self._alive.remove(process)
        del self._reaches[process.worker]
        if self._alive or self.failure.done() or process.died.result() == "stopped":
            return  # it was a second one, or the end
        # Not in here: it may have died in the middle of a commit, and what is raised there goes to its own code.
        self.loop.call_soon(self._oracle.at_kill, context=context_of(None))
        self._deaths_in_quiet += self.is_quiet
        if self._deaths_in_quiet > DEATHS_IN_QUIET:
            self.break_law(Broken("LIVE", f"nothing goes wrong, and no desk stays: {process.died.result()}"))
            return
        seconds, self._down_for = self._down_for, None
        if seconds is None:
            seconds = round(self.tape.chance("down").uniform(*DOWN_SECONDS), 3)
        self.loop.call_later(seconds, self._start_again, context=context_of(None))

    def _start_again(self) -> None:
        before, self._before_start = self._before_start, None
        if before is not None:
            self.record.note("", before())
        self.start_process()

    # ------------------------------------------------------------------------------------------- what the world does

    def happen(self, struck: Struck) -> None:
        """Let something happen that the tape has struck at a minute."""
        side = self.tape.chance("whom").choice(self.sides)
        if struck.fault in THERE:
            self.record.note(side.market.venue, side.happen(struck))
            return
        process = self.process
        if process is None:
            self.record.note("", f"{struck.fault}: there is no process")
            return
        match struck.fault:
            case Fault.KILL:
                self._down_for = struck.amount
                process.kill("killed")
            case Fault.FREEZE:
                process.stand_still(struck.amount)
            case Fault.STEP:
                self.machine.skew += timedelta(seconds=struck.amount)
                self.record.note("", f"the clock of the desk is set by {struck.amount:+.3f} s")
            case Fault.RESTORE:
                self._bring_back(process, struck.amount)
            case Fault.SECOND:
                self._start_second()
            case Fault.DUMB:
                self.telling.shut_until = self.loop.time() + struck.amount
            case Fault.CLOGGED:
                self._reaches[process.worker].clog(struck.amount)

    def _start_second(self) -> None:
        second = self.start_process()

        def look(begun: "asyncio.Future[bool]") -> None:
            if begun.result() and self.process is not second:
                self.record.surprise("I19", f"{second.worker} was let into a folder that another process owns")

        second.begun.add_done_callback(look, context=context_of(None))

    def _bring_back(self, process: Process, seconds: float) -> None:
        before = None if self._copies is None else self._copies.of(seconds)
        if before is None:
            self.record.note("", "there is no copy to bring back")
            return
        self._before_start = before
        process.kill("killed, to bring an older book back")

    # --------------------------------------------------------------------------------------------------- what breaks

    def break_law(self, broken: Broken) -> None:
        """End the run: a law does not hold."""
        if not self.failure.done():
            self.failure.set_result(broken)

    def _report(self, _loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, Broken):
            self.break_law(error)
        elif not isinstance(error, Cut):  # a process that ended in the middle of a step
            self.record.surprise("LOOP", f"{context.get('message')}: {error!r}")

    def figures(self) -> dict[str, Any]:
        """Count what happened."""
        record, times = self.record, self._oracle.times_to_resolve()
        return {
            "orders": len(record.wishes),
            "fills": sum(len(side.exchange.truth(side.key).fills) for side in self.sides),
            "requests": len(record.sent),
            "events": record.trace.count,
            "kills": sum(1 for span in record.lives if span.was_killed),
            "processes": len(record.lives),
            "unknown": len(record.resolved),
            "never_placed": len(times["never_placed"]),
            "resolved": times,
            "repairs": dict(sorted(record.repairs.items())),
            "answers": {str(status): count for status, count in sorted(record.statuses.items())},
        }


# A whole run ----------------------------------------------------------------------------------------------------------


def live(plan: Plan, *, tape: Sequence[Struck] | None = None, keep: bool = False) -> Life:
    """Run a plan from its beginning to its end.

    Shapes:  `tape` -> exactly these faults instead of drawn ones; `keep` -> the trace's effects are kept, to be looked
             at
    """
    drawn = Tape(plan.seed, plan.weather) if tape is None else played(plan.seed, tape, plan.weather)
    template(plan.markets)  # made on a loop of its own, so before this one
    # In fair weather nothing is put right by itself; a rare path may have something to put right.
    common = None if plan.weather is FAIR else rare.draw(plan.seed, RARELY)
    with (
        TemporaryDirectory(dir=_FAST if _FAST.is_dir() else None) as folder,
        threads_on_the_loop(),
        rare.made(common),
        _own_collections(),
    ):
        return _live(plan, drawn, Path(folder), common, keep=keep)


def _live(plan: Plan, tape: Tape, folder: Path, common: rare.Common | None, *, keep: bool) -> Life:
    made: list[World] = []
    latency = tape.chance("executor")

    async def main(clock: VirtualClock) -> Broken | None:
        world = World(plan, tape, clock, folder, common, keep=keep)
        made.append(world)
        configure_logging(json=True, level="WARNING", stream=world.record, now=clock.now)  # type: ignore[arg-type]  # it is written to, and is no file
        try:
            await world.run()
        except Broken as broken:
            return broken
        return None

    failure = run_virtual(
        main,
        start=START,
        shuffle=tape.chance("turns"),
        executor_latency=lambda: latency.choice((0.0, 0.0, 0.002, 0.02)),
    )
    world, facts = made[0], dict[str, str]()
    if failure is None:
        for side in world.sides:
            facts[side.market.venue] = facts_digest(world.directory.database, side.account_id)
    record, ended = world.record, world.loop.time()
    return Life(plan, failure, ended, record, record.trace.digest, facts, tuple(tape.struck), world.figures())


@contextmanager
def _own_collections() -> Iterator[None]:
    was_on = gc.isenabled()
    gc.disable()
    # What was there before is looked through once and not again and again: modules are most of a young process.
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.collect()
        if was_on:
            gc.enable()
