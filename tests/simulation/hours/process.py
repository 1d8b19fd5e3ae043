"""One process of the desk: the very parts that `plimsoll up` puts together, on virtual time, until somebody kills it.

It holds the lock of its folder as every desk does (two descriptors of one file lock each other out, in one process of
the system as in two), opens its files through its own `Disk`, and reaches its venues through what it is given.

What is left out of `plimsoll up`: the port and the door of the shell (sockets), the keeper of copies (another process
makes them; the world makes them itself), and the keeper of room on the disk, which asks the machine.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, NoReturn

from fastapi import FastAPI

from plimsoll.bootstrap import DataDirectory, DeskIsRunning, DeskLock, take_the_desk
from plimsoll.bootstrap.outside import Outside
from plimsoll.bootstrap.served import Served, open_served
from plimsoll.desk.ports import Notifier
from plimsoll.edges.api.app import make_app
from plimsoll.edges.api.rates import Rate, Rates
from plimsoll.model.errors import PlimsollError
from plimsoll.model.ids import ClockedIds
from plimsoll.runtime.virtual_loop import VirtualClock, VirtualLoop, context_of
from plimsoll.store.drivers import LoopDriver
from plimsoll.store.scribe import Scribe, Unit
from tests.simulation.hours.disk import Disk
from tests.simulation.hours.record import Record, Span
from tests.simulation.hours.tape import Tape
from tests.simulation.hours.template import SeededSecrets
from tests.simulation.hours.venues import Reach

#: Wide enough that no caller of ours meets them.
GENEROUS = Rates(Rate(10_000, 10_000), Rate(10_000, 10_000), Rate(10_000, 10_000))


class Crank(LoopDriver):
    """Turns the crank for rows that nobody waits for as well, soon, as the thread of a served desk does."""

    def post(self, unit: Unit) -> None:
        super().post(unit)
        self._schedule()

    def post_latest(self, name: str, unit: Unit) -> None:
        super().post_latest(name, unit)
        self._schedule()

    def _scheduled_step(self) -> None:
        self._line_up_latest()
        super()._scheduled_step()

    @property
    def is_lost(self) -> bool:
        """Say whether the memory waits to be read back: until then it shows what was true before."""
        return self._scribe._lost


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a process is given of the world."""

    loop: VirtualLoop
    directory: DataDirectory
    tape: Tape
    record: Record
    clock: VirtualClock
    notifier: Notifier
    reach: Reach
    #: Hears that the process is gone, whatever ended it.
    gone: Callable[["Process"], None]


class Process:
    """A desk from its start to its end."""

    def __init__(self, worker: str, around: Surroundings) -> None:
        self.worker = worker
        self.around = around
        self.clock = around.clock
        self.disk = Disk(around.tape, around.loop.time, self.kill, self._wrote, self.stand_still)
        self.served: Served | None = None
        self.app: FastAPI | None = None
        #: Set when it takes orders, or when it is gone.
        self.begun: asyncio.Future[bool] = around.loop.create_future()
        self.died: asyncio.Future[str] = around.loop.create_future()
        self.span = Span(self.worker, around.loop.time())
        self.is_frozen = False
        self._lock: DeskLock | None = None
        self._chance = around.tape.chance(self.worker)

    def start(self) -> None:
        """Let it begin."""
        self.around.record.lives.append(self.span)
        self.around.record.note(self.worker, "starts")
        self.around.loop.spawn(self.worker, self._run(), task_name=self.worker)

    @property
    def is_dead(self) -> bool:
        return self.died.done()

    @property
    def scribe_is_lost(self) -> bool:
        """Say whether its memory waits to be read back, behind a commit that nobody saw the end of."""
        return self.served is not None and isinstance(self.served.books, Crank) and self.served.books.is_lost

    @property
    def is_ready(self) -> bool:
        """Say whether it takes orders, as far as anybody outside can see."""
        return self.app is not None and not self.is_dead

    def spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Run work as the process's own."""
        return self.around.loop.spawn(self.worker, work)

    def kill(self, why: str) -> None:
        """End it as `kill -9` does; whoever calls from within goes on to its next `await`."""
        if self.is_dead:
            return
        self.died.set_result(why)
        self.span.was_killed = True
        self.around.loop.kill(self.worker)
        self._let_go(f"dies: {why}")

    async def stop(self) -> None:
        """End it as a signal does, with everything written; nothing may go wrong any more."""
        assert self.served is not None, "Invariant: only a desk that began is stopped."
        served = self.served

        async def end() -> None:
            await served.stop_taking()
            assert self.app is not None
            await self.app.state.streams.close()
            await served.close()

        task = self.spawn(end())
        await asyncio.wait((task, self.died), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
            self.died.set_result("stopped")
            self._let_go("stopped")

    async def crash(self) -> NoReturn:
        """End it in the middle of what it awaits; it does not return."""
        self.kill("at a request")
        await self.around.loop.create_future()
        raise AssertionError("Invariant: a dead process never goes on.")

    def freeze(self) -> None:
        """Stop it where it is, as SIGSTOP does."""
        self.is_frozen = True
        self.around.loop.freeze(self.worker)

    def stand_still(self, seconds: float) -> None:
        """Freeze it for so long; whoever calls from within goes on to its next `await`."""
        if self.is_dead or self.is_frozen:
            return
        self.freeze()
        self.around.record.note(self.worker, f"stands still for {seconds:.1f} s")
        self.around.loop.call_later(seconds, self._go_on, context=context_of(None))

    def _go_on(self) -> None:
        if not self.is_dead and self.is_frozen:
            self.thaw()
            self.around.record.note(self.worker, "goes on")

    def thaw(self) -> None:
        """Let it go on."""
        self.is_frozen = False
        self.around.loop.thaw(self.worker)

    # ------------------------------------------------------------------------------------------------------- its life

    async def _run(self) -> None:
        around = self.around
        try:
            await self._begin()
        except DeskIsRunning:
            self._end("refused: another process is the desk of this folder")
        except (PlimsollError, OSError) as failure:
            self._end(f"did not start: {type(failure).__name__}: {failure}")
        except Exception as bug:  # noqa: BLE001  a start ends over it, and nothing of the world explains it
            self._end(f"did not start: {bug!r}")
            around.record.surprise("START", f"{self.worker} did not start: {bug!r}")
        else:
            self.span.ready = around.loop.time()
            around.record.note(self.worker, "is ready")
            self.begun.set_result(True)
            assert self.served is not None
            await self.served.lost()
            self._end("another process owns its books")

    async def _begin(self) -> None:
        around, chance = self.around, self._chance
        self._lock = take_the_desk(around.directory)
        secrets = SeededSecrets(random.Random(chance.getrandbits(64)))
        outside = Outside(
            secrets=secrets,
            notifier=around.notifier,
            drive=self._drive,
            open_file=self.disk.connect,
            feed=around.reach.feed,
            venues=around.reach,
        )
        served = await open_served(
            around.directory,
            None,
            clock=self.clock,
            chance=random.Random(chance.getrandbits(64)),
            version="simulated",
            say=self._say,
            outside=outside,
        )
        self.served = served
        ids = ClockedIds(self.clock, random.Random(chance.getrandbits(64)))
        # As in `plimsoll up`: whoever asks while the accounts are brought up is answered.
        app = make_app(served.desk, ids=ids, rates=GENEROUS)
        await served.start()
        self.app = app

    def _drive(self, scribe: Scribe, on_failure: Callable[[BaseException], None]) -> LoopDriver:
        chance = random.Random(self._chance.getrandbits(64))
        # A post that fills the line would write in its caller's own step; here every commit is a callback of its own.
        return Crank(
            scribe,
            on_failure=on_failure,
            post_limit=1_000_000,
            delay=lambda: chance.choice((0.0, 0.0, 0.002)),
            group_size=lambda: chance.choice((1, 2, 1_000)),
        )

    def _say(self, sentence: str) -> None:
        self.around.record.note(self.worker, f"says: {sentence}")

    def _wrote(self, file: str) -> None:
        self.around.record.trace.note(f"{self.around.loop.time():.6f}", self.worker, "commit", file)

    def _end(self, why: str) -> None:
        # It ends by itself; what it has open it lets go of as the system would.
        if not self.is_dead:
            self.kill(why)

    def _let_go(self, why: str) -> None:
        around = self.around
        self.app = None
        self.disk.pull()
        around.reach.hang_up()
        if self._lock is not None:
            self._lock.release()
        if not self.begun.done():
            self.begun.set_result(False)
        self.span.ended, self.span.why = around.loop.time(), why
        around.record.note(self.worker, why)
        around.gone(self)
