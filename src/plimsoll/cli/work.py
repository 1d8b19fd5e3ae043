"""Run a prepared replay: the virtual loop, its pace against real time, and the commands that come in meanwhile.

Virtual time stands still while a command is answered. At full speed that is between two bars; at `--speed` also while
the replay waits, which is after a bar's open was shown: the market is as old as it looks.
"""

import asyncio
import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from queue import Empty, SimpleQueue
from types import FrameType

from plimsoll.bootstrap import DataDirectory, paper_desk
from plimsoll.bots.replay import Progress, Replay
from plimsoll.bots.replay_plan import ACCOUNT, BOT, DESK_CODE, set_up
from plimsoll.cli.commands import flattened, obey
from plimsoll.cli.door import Command, Door, Mailbox, Wake
from plimsoll.cli.prepare import Prepared
from plimsoll.cli.screen import Screen, ScreenNotifier
from plimsoll.desk.flatten import FlattenReport
from plimsoll.desk.reconcile_account import Reconciliation
from plimsoll.ledger import keys
from plimsoll.model.clock import Clock
from plimsoll.runtime.logging import logger
from plimsoll.runtime.virtual_loop import VirtualClock, run_virtual
from plimsoll.store.drivers import LoopDriver
from plimsoll.store.scribe import Scribe

log = logger("replay")

#: At full speed the screen is asked this often whether it wants to be drawn.
BARS_A_LOOK = 128
#: Rows that nobody waits for are written together: this many units at full speed, else those of so short a time.
MOST_UNITS_WAIT = 256
FRESH_SECONDS = 0.25
#: A flatten that waits for a price gives up being answered after this many bars.
BARS_A_FLATTEN_WAITS = 2
#: One wait at the mailbox; longer pauses are several.
LONGEST_WAIT_SECONDS = 3_600.0


class Stopped(Exception):
    """A signal asked for an end, and the bar at hand is finished."""


@dataclass(frozen=True, slots=True)
class Worked:
    """What came of one run."""

    #: Bars of this run, without those of a run before.
    bars: int
    elapsed_seconds: float
    #: The signal that stopped it before the end.
    stopped_by: signal.Signals | None
    start: Reconciliation
    #: None when it was stopped.
    finish: Reconciliation | None


class Work:
    """One run of one replay."""

    def __init__(self, directory: DataDirectory, job: Prepared, *, commits: int, clock: Clock, screen: Screen) -> None:
        self._directory = directory
        self._job = job
        self._commits = commits
        self._real = clock
        self._screen = screen
        self._mailbox: Mailbox = SimpleQueue()
        self._stop: signal.Signals | None = None
        self._failure: BaseException | None = None
        self._replay: Replay | None = None
        self._real_start: float | None = None
        self._answering: set[asyncio.Task[None]] = set()
        self._held: list[tuple[Command, FlattenReport, int]] = []
        self._bars = 0
        self._next_look = 0

    def run(self, progress: Progress | None) -> Worked:
        """Work until the last bar or a signal.

        Raises: StoreFailed and what else makes going on unsafe
        """
        start = self._job.market.first if progress is None else progress.end
        door = Door(self._directory.socket, self._mailbox)
        try:
            with self._signals():
                return run_virtual(
                    self._main, start=start, advance_hook=None if self._job.speed is None else self._wait
                )
        finally:
            door.close()

    # ------------------------------------------------------------------------------------------ on the virtual loop

    async def _main(self, clock: VirtualClock) -> Worked:
        job, instrument = self._job, self._job.market.instrument
        # Public ids differ from those that an earlier run of this replay gave; nothing that counts hangs on them.
        chance = random.Random(f"{job.plan.seed}:{self._commits}")  # noqa: S311  a replay is repeated, it hides nothing
        desk = paper_desk(
            self._directory,
            {instrument.id: instrument},
            desk_code=DESK_CODE,
            account_id=ACCOUNT,
            clock=clock,
            chance=chance,
            facts=job.plan.facts,
            drive=self._drive,
            notifier=ScreenNotifier(self._screen, clock),
        )
        try:
            await set_up(desk.ports, desk.venue, job.plan, instrument, clock.now())
            minutes = job.plan.resume_after_minutes
            replay = self._replay = Replay(
                desk.ports,
                desk.venue,
                desk.ports.books.hot.get(keys.bot(BOT)),
                job.make(),
                sleep_until=clock.sleep_until,
                between_bars=self._between_bars,
                resume_after=None if minutes is None else timedelta(minutes=minutes),
            )
            stream = job.market.stream()
            before = 0 if replay.progress is None else replay.progress.bars
            started = await replay.start(islice(stream, before))
            self._bars = self._next_look = before
            began = self._real.monotonic()
            try:
                await replay.run(stream)
                self._screen.moved(self._bars, clock.now(), last=True)
            except Stopped:
                log.info("stopped", bars=self._bars)
            elapsed = self._real.monotonic() - began
            await self._last_words()
            await replay.protector.close()
            finished = None if self._stop and self._bars < job.market.bars else await replay.finish()
            stopped_by = self._stop if finished is None else None
            return Worked(self._bars - before, elapsed, stopped_by, started, finished)
        finally:
            await desk.close()

    def _drive(self, scribe: Scribe) -> LoopDriver:
        return LoopDriver(scribe, on_failure=self._fail, post_limit=self._rows_at_once())

    def _rows_at_once(self) -> int:
        """Say how many units may wait for company: at a pace, what happens in a moment, so that `status` is of now."""
        interval = self._job.plan.facts.interval
        if self._job.speed is None or interval is None:
            return MOST_UNITS_WAIT
        bars_a_second = self._job.speed / interval.total_seconds()
        return max(1, min(MOST_UNITS_WAIT, int(bars_a_second * FRESH_SECONDS)))

    def _fail(self, failure: BaseException) -> None:
        # Rows that nobody waited for were not written: the run ends before the next bar, and is gone on with later.
        self._failure = failure
        self._mailbox.put(Wake())

    async def _between_bars(self, _replay: Replay, end: datetime) -> None:
        self._bars += 1
        if self._bars >= self._next_look:
            self._next_look = self._bars + (BARS_A_LOOK if self._job.speed is None else 1)
            self._screen.moved(self._bars, end)
        if self._held or not self._mailbox.empty():
            await self._serve()

    async def _serve(self) -> None:
        self._answer_held()
        while not self._mailbox.empty():
            taken = self._mailbox.get()
            if isinstance(taken, Command):
                await self._answer(taken)
        self._go_on_or_end()

    def _go_on_or_end(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._stop is not None:
            raise Stopped

    async def _answer(self, command: Command) -> None:
        assert self._replay is not None, "Invariant: commands are taken up while the replay runs."
        ports = self._replay.ports
        try:
            done = await obey(ports, self._replay.protector, command.name, command.words)
        except Exception as bug:  # noqa: BLE001  told to whoever asked, and raised before the next bar
            command.answer({"exit_code": 1, "answer": {"error": f"the desk failed at it and stops: {bug!r}"}})
            self._fail(bug)
            return
        if done.waiting is not None:
            self._held.append((command, done.waiting, self._bars + BARS_A_FLATTEN_WAITS))
        else:
            command.answer(done.message())

    def _answer_held(self, *, all_of_them: bool = False) -> None:
        still: list[tuple[Command, FlattenReport, int]] = []
        for command, report, until in self._held:
            assert self._replay is not None, "Invariant: commands are taken up while the replay runs."
            done = flattened(self._replay.ports, report)
            if done.exit_code == 0 or self._bars >= until or all_of_them:
                command.answer(done.message())
            else:
                still.append((command, report, until))
        self._held = still

    async def _last_words(self) -> None:
        if self._answering:
            await asyncio.gather(*self._answering)
        self._answer_held(all_of_them=True)

    # --------------------------------------------------------------------------------------------- in real time

    def _wait(self, virtual_seconds: float) -> None:
        """Hold virtual time back until real time is as far; a command is answered at once, a signal ends it."""
        assert self._job.speed is not None, "Invariant: only a replay with a speed waits."
        if self._real_start is None:
            self._real_start = self._real.monotonic()
        due = self._real_start + virtual_seconds / self._job.speed
        while self._stop is None and self._failure is None:
            left = due - self._real.monotonic()
            if left <= 0:
                return
            try:
                taken = self._mailbox.get(timeout=min(left, LONGEST_WAIT_SECONDS))
            except Empty:
                continue
            if isinstance(taken, Command):
                # The loop runs it before it asks to go on, because now something is ready.
                task = asyncio.get_running_loop().create_task(self._answer(taken))
                self._answering.add(task)
                task.add_done_callback(self._answering.discard)
            else:
                self._mailbox.put(taken)  # for the end of the bar, which comes without further waiting
            return

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Finish the bar at hand on the first Ctrl-C or SIGTERM; a second one ends the process where it stands."""
        ours = (signal.SIGINT, signal.SIGTERM)

        def stop(number: int, _frame: FrameType | None) -> None:
            self._stop = signal.Signals(number)
            # Reentrant, unlike an event: the signal may have come while the mailbox was being looked into.
            self._mailbox.put(Wake())
            for each in ours:
                signal.signal(each, signal.SIG_DFL)

        before = {each: signal.signal(each, stop) for each in ours}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)
