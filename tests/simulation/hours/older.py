"""Copies of the desk's book, made by the product's own hand while it trades, and one of them brought back later.

Made only in a world in which one may be brought back: each is tried from its first link to its last.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from plimsoll.bootstrap import DataDirectory, take_the_desk
from plimsoll.bootstrap.backups.copy import back_up
from plimsoll.bootstrap.backups.manifest import CopyFolder
from plimsoll.bootstrap.backups.restore import restore
from plimsoll.runtime.virtual_loop import VirtualClock
from tests.simulation.hours.tape import Tape
from tests.simulation.hours.weather import Fault

#: How often one is made.
COPY_SECONDS = 300.0


def may_come_back(tape: Tape) -> bool:
    """Say whether an older book comes back in a world, as far as anybody knows."""
    if tape.played is not None:
        return any(one.fault is Fault.RESTORE for one in tape.played.values())
    return any(risk.fault is Fault.RESTORE for risk in tape.weather.menu.get("minute", ()))


class Copies:
    """The copies of one desk."""

    def __init__(self, directory: DataDirectory, folder: Path, clock: VirtualClock) -> None:
        self._directory, self._clock = directory, clock
        self._folder = CopyFolder(folder)
        self._made_at: datetime | None = None

    def make(self) -> str:
        """Make one if it is time; say so, or nothing."""
        now = self._clock.now()
        if self._made_at is not None and now - self._made_at < timedelta(seconds=COPY_SECONDS):
            return ""
        self._made_at = now
        return (
            f"a copy is made, up to event {back_up(self._directory, self._folder, self._clock, 'sim').manifest.event}"
        )

    def of(self, seconds: float) -> Callable[[], str] | None:
        """Choose the copy of so long ago, or the oldest; give what puts it in the book's place, for a dead desk."""
        made = sorted(self._folder.copies().items())
        wanted = self._clock.now() - timedelta(seconds=seconds)
        chosen = [path for at, path in made if at <= wanted][-1:] or [path for _at, path in made[:1]]
        return (lambda: self._bring_back(chosen[0])) if chosen else None

    def _bring_back(self, copy: Path) -> str:
        lock = take_the_desk(self._directory)
        try:
            restore(copy, self._directory, self._clock, over=True, venue_too=False)
        finally:
            lock.release()
        return f"the book is that of {copy.name}"
