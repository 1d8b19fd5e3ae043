"""Make a copy an hour, for as long as a desk is served, and say when none has been made for too long.

A copy is tried from its first link to its last, which is minutes of arithmetic on a large book: another process does
that, so that no order waits for it. This one only looks at the clock, and at what copies there are.

What if a copy fails? It is tried again in five minutes, and told in the log; the desk trades on. Two hours without a
copy are a reason for doubt, six are told as what they are: a book that a broken disk would take with it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta

from plimsoll.bootstrap.backups.manifest import CopyFolder
from plimsoll.model.clock import Clock
from plimsoll.model.errors import PlimsollError
from plimsoll.runtime.logging import logger

log = logger("backup")

AGAIN_AFTER = timedelta(minutes=5)
#: How often it is looked whether a copy is due.
LOOK_SECONDS = 30.0
DOUBTFUL_AGE, CRITICAL_AGE = timedelta(hours=2), timedelta(hours=6)
DOUBTFUL_PROOF, CRITICAL_PROOF = timedelta(days=35), timedelta(days=60)

#: Makes one copy.
Make = Callable[[], Awaitable[None]]


class CopyNotMade(PlimsollError):
    """The process that makes copies ended without one."""


class Keeper:
    """Sees that there are copies."""

    def __init__(self, folder: CopyFolder, make: Make, clock: Clock, every: timedelta) -> None:
        self._folder = folder
        self._make = make
        self._clock = clock
        self._every = every
        self._began = clock.now()
        self._failed: datetime | None = None
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Look after the copies from now on."""
        self._task = asyncio.get_running_loop().create_task(self._keep(), name="copies")

    async def end(self) -> None:
        """Look no more; a copy that is being made is given up, and leaves nothing behind."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def worries(self) -> tuple[str, ...]:
        """Say what is wrong with the copies, in sentences; empty while nothing is."""
        now, last = self._clock.now(), self._last()
        age, found = now - (last or self._began), []
        if age >= DOUBTFUL_AGE:
            how = "CRITICAL: " if age >= CRITICAL_AGE else ""
            # Not why: everybody is told this, and the log knows the paths and names in it.
            found.append(f"{how}the last copy of the books was made {age // timedelta(hours=1)} hours ago")
        proven = self._folder.proven()
        if proven is not None and now - proven.at >= DOUBTFUL_PROOF:
            how = "CRITICAL: " if now - proven.at >= CRITICAL_PROOF else ""
            found.append(f"{how}no copy was brought back for {(now - proven.at).days} days: run `plimsoll drill`")
        return tuple(found)

    async def _keep(self) -> None:
        while True:
            # Not at once: a start has better things to do, and a process that ends soon leaves nothing to copy.
            await asyncio.sleep(LOOK_SECONDS)
            if self._is_due():
                await self._try()

    def _is_due(self) -> bool:
        now, last = self._clock.now(), self._last()
        if self._failed is not None and now - self._failed < AGAIN_AFTER:
            return False
        return last is None or not timedelta(0) <= now - last < self._every

    async def _try(self) -> None:
        try:
            await self._make()
        except (PlimsollError, OSError) as failure:
            self._failed = self._clock.now()
            log.error("no_copy_made", failure=str(failure))
        else:
            self._failed = None

    def _last(self) -> datetime | None:
        return max(self._folder.copies(), default=None)
