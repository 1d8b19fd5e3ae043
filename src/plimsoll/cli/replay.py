"""`plimsoll replay`: check, take the desk, look what is there, work, prove, report.

What if it is killed? The same command goes on where the books stand. Only a kill inside a send (written, never arrived)
or inside a guard's close is different: such an order may never be sent again, so going on would end otherwise than
without the kill. As long as no person has given a command, the inputs make everything again, and it begins anew.
"""

import signal
import sys
from dataclasses import dataclass

from plimsoll.bootstrap import DataDirectory, begin_anew, look_at, sends_cut_off, take_the_desk
from plimsoll.bots.replay import PROGRESS, Progress, progress_of
from plimsoll.bots.replay_plan import PLAN, other_inputs
from plimsoll.cli.prepare import Prepared
from plimsoll.cli.report import Report, report_of
from plimsoll.cli.screen import Screen
from plimsoll.cli.words import NOT_DONE, say
from plimsoll.cli.work import Work, Worked
from plimsoll.ledger.glance import Glance, unfinished
from plimsoll.ledger.stamp import stamp
from plimsoll.model.clock import SystemClock
from plimsoll.model.errors import CommandRefused, Refusal
from plimsoll.store.sqlite import reader

#: What a shell makes of a process that a signal ended.
SIGNAL_EXIT_CODE = 128


@dataclass(frozen=True, slots=True)
class Interrupted:
    """A replay that a signal stopped; its books are whole."""

    by: signal.Signals
    bars: int
    of: int

    @property
    def exit_code(self) -> int:
        return SIGNAL_EXIT_CODE + self.by


def replay(directory: DataDirectory, job: Prepared) -> tuple[Report, int] | Interrupted:
    """Run a replay, go on with it, or report it again; give the report and the exit code.

    Raises: DeskIsRunning, CommandRefused for other inputs, StoreFailed, StampContradicted
    """
    _refuse_other_inputs(look_at(directory), job)
    lock = take_the_desk(directory)
    try:
        # Looked at again under the lock: another replay may have made it its own in between.
        seen = look_at(directory)
        _refuse_other_inputs(seen, job)
        if seen is None and directory.paper_books.exists():
            raise _venue_without_book(directory)
        progress = None if seen is None else progress_of(seen.meta.get(PROGRESS))
        if seen is not None and _cannot_be_gone_on_with(directory, progress, job):
            say("The last run was cut inside a send. Nobody has commanded it since, so it begins anew.")
            begin_anew(directory)
            seen = progress = None
        worked: Worked | None = None
        clock = SystemClock()
        if progress is None or progress.bars < job.market.bars:
            if progress is not None:
                say(f"Going on after bar {progress.bars} of {job.market.bars}.")
            with Screen(job.market.bars, clock) as screen:
                commits = 0 if seen is None else seen.commits
                worked = Work(directory, job, commits=commits, clock=clock, screen=screen).run(progress)
            progress = _progress(directory)
        engine = reader(directory.database)
        stamp(engine, directory.stamp, clock.now())
        if worked is not None and worked.stopped_by is not None:
            return Interrupted(worked.stopped_by, 0 if progress is None else progress.bars, job.market.bars)
        assert progress is not None, "Invariant: a market has at least two bars, and they were worked through."
        reconciled = None if worked is None or worked.finish is None else worked.finish.may_open
        report, proof = report_of(
            directory,
            job,
            progress,
            bars=0 if worked is None else worked.bars,
            elapsed=0.0 if worked is None else worked.elapsed_seconds,
            reconciled=reconciled,
        )
        return report, 0 if proof.ok and reconciled is not False else NOT_DONE
    finally:
        lock.release()


def _cannot_be_gone_on_with(directory: DataDirectory, progress: Progress | None, job: Prepared) -> bool:
    """Say whether going on would end otherwise than without the kill, and nothing is lost by beginning anew.

    A guard's close counts as a send: its time is part of the result, and has passed when the bar is shown again.
    """
    if progress is not None and progress.bars >= job.market.bars:
        return False
    left = unfinished(reader(directory.database))
    return not left.commanded and (left.in_a_close or bool(sends_cut_off(directory, left)))


def _progress(directory: DataDirectory) -> Progress | None:
    seen = look_at(directory)
    return None if seen is None else progress_of(seen.meta.get(PROGRESS))


def _refuse_other_inputs(seen: Glance | None, job: Prepared) -> None:
    if seen is None or (not seen.meta and seen.commits == 0):
        return  # the tables were made and nothing was written yet
    held = seen.meta.get(PLAN)
    if held != job.plan.text():
        raise other_inputs("a desk that is no replay" if held is None else held, job.plan)


def _venue_without_book(directory: DataDirectory) -> CommandRefused:
    return CommandRefused(
        Refusal(
            "book_missing",
            f"{directory.paper_books} is there and {directory.database} is not: the venue knows what the book forgot",
            remedy="bring the book back from a backup, or name another --data",
        )
    )


def interrupted_line(stopped: Interrupted) -> str:
    """Tell how to go on."""
    typed = " ".join(["plimsoll", *sys.argv[1:]])
    return f"Stopped after bar {stopped.bars} of {stopped.of}, everything is written. The same command goes on: {typed}"
