"""Room on the disk: told when it becomes scarce, kept for closing when it ends, and nothing opens without it.

1. Less than 15 % free is told; less than 5 %, or than 1 GB, stops opening on every account: a halt of the source
   `disk`, which is lifted by itself when there is clearly room again.
2. A file of 64 MB is held in reserve. When the disk is full it is removed, so that a close, its fill and their links
   can still be written. It is made anew when there is room.
3. A log of writes (`-wal`) that grows is told: a long reader keeps it from being worked off.

What if even the halt cannot be written? The account is in doubt, which stops opening as well, and every look tries
again. What if we cannot see how much is free? Then nothing is concluded from it.
What must not enter: databases on a server, whose keeper has a disk of his own.
"""

import asyncio
import os
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from plimsoll.bootstrap import DataDirectory
from plimsoll.desk.halt import set_state
from plimsoll.desk.ports import Ports
from plimsoll.ledger import keys
from plimsoll.model.account import Halt, Scope, TradingState
from plimsoll.model.errors import UnknownOutcome, WorldFailure
from plimsoll.runtime.logging import logger

log = logger("room")

SOURCE = "disk"
LOOK_SECONDS = 30.0
RESERVE_BYTES = 64 << 20
SCARCE_RATIO = 0.15
#: Nothing opens below either; it does again above both by a tenth, so that a halt does not flicker.
LEAST_RATIO, LEAST_BYTES = 0.05, 1 << 30
_CLEARLY = 1.1
#: Of a log of writes.
LONG_BYTES, TOO_LONG_BYTES = 64 << 20, 256 << 20


@dataclass(frozen=True, slots=True)
class Space:
    """What a disk has."""

    total: int
    free: int

    def has_room(self, margin: float = 1.0) -> bool:
        """Say whether there is enough to open anything."""
        return self.free >= margin * LEAST_BYTES and self.free >= margin * LEAST_RATIO * self.total

    @property
    def is_scarce(self) -> bool:
        return self.free < SCARCE_RATIO * self.total or not self.has_room()


def space_of(path: Path) -> Space:
    """Ask how much is free for us where a folder lies.

    Raises: OSError
    """
    usage = shutil.disk_usage(path)
    return Space(usage.total, usage.free)


class RoomKeeper:
    """Looks after the room of a desk whose books lie in its folder."""

    def __init__(
        self, directory: DataDirectory, accounts: Iterable[Ports], ask: Callable[[Path], Space] = space_of
    ) -> None:
        self._directory = directory
        self._accounts = tuple(accounts)
        self._ask = ask
        self._space: Space | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def reserve(self) -> Path:
        return self._directory.path / "reserve"

    def begin(self) -> None:
        """Look after it from now on."""
        self._task = asyncio.get_running_loop().create_task(self._keep(), name="room")

    async def end(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def worries(self) -> tuple[str, ...]:
        """Say what is wrong with the room, in sentences; empty while nothing is."""
        found, space = [], self._space
        if space is not None and space.is_scarce:
            how = "" if space.has_room() else "CRITICAL, nothing opens: "
            found.append(f"{how}{space.free >> 20} MB are free on the disk")
        for book in (self._directory.database, self._directory.paper_books):
            length = _length(book.with_name(f"{book.name}-wal"))
            if length >= LONG_BYTES:
                how = "CRITICAL: " if length >= TOO_LONG_BYTES else ""
                found.append(f"{how}{book.name}-wal has grown to {length >> 20} MB: somebody reads for very long")
        return tuple(found)

    async def look(self) -> None:
        """Look once, and stop or let open what follows from it."""
        try:
            space = self._space = self._ask(self._directory.path)
        except OSError as failure:
            log.warning("room_unknown", failure=str(failure))
            return
        if space.free < RESERVE_BYTES:
            self._free_the_reserve()
        if not space.has_room():
            await self._halt(TradingState.REDUCE_ONLY, f"{space.free >> 20} MB are free on the disk")
        elif space.has_room(_CLEARLY):
            await self._halt(TradingState.ACTIVE, "there is room on the disk again")
            self._hold_the_reserve()

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    async def _halt(self, state: TradingState, why: str) -> None:
        for ports in self._accounts:
            is_halted = ports.books.hot.get(keys.halt(Scope.ACCOUNT, ports.account_id, SOURCE)) is not None
            # One that is in force is not written anew at every look, whatever its sentence would say by now.
            if is_halted is (state is TradingState.ACTIVE):
                await _write(ports, Halt(Scope.ACCOUNT, ports.account_id, SOURCE, state, why))

    def _free_the_reserve(self) -> None:
        if self.reserve.exists():
            self.reserve.unlink()
            log.critical("reserve_freed", remedy="make room on the disk: this was the last that was held back")

    def _hold_the_reserve(self) -> None:
        if _length(self.reserve) == RESERVE_BYTES:
            return
        try:
            descriptor = os.open(self.reserve, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, RESERVE_BYTES)
            finally:
                os.close(descriptor)
        except OSError as failure:
            with suppress(OSError):
                self.reserve.unlink()
            log.warning("no_reserve", failure=str(failure))


async def _write(ports: Ports, halt: Halt) -> None:
    try:
        await set_state(ports, halt, f"desk:{SOURCE}")
    except (WorldFailure, UnknownOutcome) as failure:
        ports.doubt(f"a halt could not be written: {failure}")
    else:
        ports.tell("critical", f"DISK: {halt.reason}")


def _length(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0
