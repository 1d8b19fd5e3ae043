"""Who owns a desk's books: which database a data directory belongs to, and the lease of a book on a server.

The lock of the data directory keeps two processes of one folder apart; the lease keeps apart two folders, perhaps on
two machines, that name the same database. The books need nobody's clock for that (`store.lease`). A venue knows nothing
of epochs, so what leaves for one leaves only while the lease is certain to be ours (`LeaseWatch`).

A folder remembers its database: started on another one, by a forgotten variable or a mistyped name, it would be an
empty desk that knows nothing of what is open.
"""

import asyncio
import json
import os
import platform
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from plimsoll.bootstrap import DataDirectory, DeskIsRunning
from plimsoll.ledger.database import open_database
from plimsoll.ledger.outside import note_what_changed
from plimsoll.model.clock import Clock
from plimsoll.model.errors import Illegal, PlimsollError
from plimsoll.model.ids import system_chance
from plimsoll.runtime.logging import logger
from plimsoll.store.connection import CommitUnclear, OwnershipLost, StoreFailed
from plimsoll.store.drivers import Driver
from plimsoll.store.place import PostgresPlace

if TYPE_CHECKING:
    from plimsoll.store.lease import Lease

log = logger("ownership")

#: What a folder without a server is on.
_HERE = "SQLite, in the folder itself"
#: What a folder is on while a desk moves into it; and when all of it was proven, and only names have to be given.
ARRIVING, ARRIVED = "its way here", "its way here, and proven"


def desk_directory(path: Path, address: str, schema: str) -> DataDirectory:
    """Say where a desk lies, and refuse a database that is not the folder's own.

    Shapes:  `address` is empty for books in the folder itself
    Refuses: another database than the folder was made with
    Raises:  Illegal
    """
    directory = DataDirectory(path, PostgresPlace(address, schema) if address else None)
    named = _HERE if directory.server is None else str(directory.server)
    remembered = _read(directory.home)
    if remembered is not None and remembered["place"] in (ARRIVING, ARRIVED):
        raise Illegal("data", str(path), "a desk is moving in here: run its `plimsoll move` again, until it is done")
    if remembered is not None and remembered["place"] != named:
        remedy = f"the desk of {path} is on {remembered['place']}: name that one, or another folder with --data"
        raise Illegal("database", named, f"{remedy}; where it has moved to this one, remove {directory.home} first")
    if directory.server is not None and remembered is None and directory.database.exists():
        remedy = f"the desk of {path} is on {_HERE}: leave out the database, or name another folder with --data"
        raise Illegal("database", named, remedy)
    return directory


def own(directory: DataDirectory, seconds: float | None = None) -> "Lease | None":
    """Become the owner of books on a server; those in the folder are owned with its lock, which is held.

    Units:  `seconds` that the lease lasts without a sign of life; None: as everywhere
    Raises: DeskIsRunning, StoreFailed, ForeignDatabase, NewerDatabase
    """
    place = directory.server
    if place is None:
        return None
    # Not at the top: it brings the driver of a server that most desks have not.
    from plimsoll.store.lease import LEASE_SECONDS, Holder, LeaseHeld, has_lease, take_lease  # noqa: PLC0415

    # Tables that are there are brought up to date by their owner only, under whose feet nobody may change them.
    if not has_lease(place):
        open_database(place)
    remembered = _read(directory.home)
    key = f"{system_chance().getrandbits(64):016x}" if remembered is None else remembered["key"]
    try:
        lease = take_lease(place, Holder(key, f"{platform.node()}:{directory.path}"), seconds or LEASE_SECONDS)
    except LeaseHeld as held:
        raise DeskIsRunning(directory, str(held)) from held
    if remembered is None:
        _write(directory.home, {"place": str(place), "key": key})
    return lease


class LeaseWatch:
    """A lease of ours, and how long ago its owner was last seen by the database: by the stopwatch, not by the hour.

    The database counts from when it wrote the sign of life down, we from before it was sent: by our count the lease
    always ends first. Half of it is left for what leaves in the last moment and is under way for long.
    """

    def __init__(self, lease: "Lease", clock: Clock, shown: float) -> None:
        self.lease = lease
        self._clock = clock
        #: When the last sign of life that arrived was begun.
        self._shown = shown
        self._is_lost = False

    def may_send(self) -> str | None:
        """Say why nothing may leave for a venue now; None while it may.

        What if the process was stopped for minutes with an order in its hands? The hour is of no use, for it may have
        been set; the stopwatch tells it, before the database is asked.
        """
        if self._is_lost:
            return "another process owns these books now"
        silent = self._clock.monotonic() - self._shown
        if silent < self.lease.seconds / 2:
            return None
        return f"the lease on these books was renewed {silent:.1f} s ago and lasts {self.lease.seconds:g} s"

    def renewed(self, begun: float) -> None:
        """Take note of a sign of life that arrived; it was begun so early by the stopwatch."""
        self._shown = begun

    def lost(self) -> None:
        """Take note that another process owns the books: nothing leaves any more."""
        self._is_lost = True


async def keep_the_lease(watch: LeaseWatch, books: Driver, clock: Clock, tell: Callable[[BaseException], None]) -> None:
    """Show for as long as this loop turns that the owner lives, and take in what others changed meanwhile.

    On the loop, and not in a thread of its own: a desk whose loop hangs protects nobody, and must lose its lease.
    What if it cannot be renewed? Half of it over, nothing is sent before it is, and nothing opens before the books were
    compared anew: somebody may be about to take it.
    """
    from plimsoll.store.lease import SIGNS_OF_LIFE  # noqa: PLC0415  as above

    pause, loop = watch.lease.seconds / SIGNS_OF_LIFE, asyncio.get_running_loop()
    while True:
        # At once, and not after the first pause: opening large books may have taken most of the lease.
        begun = clock.monotonic()
        try:
            moved = await _to_its_end(loop.run_in_executor(None, watch.lease.renew))
            watch.renewed(begun)
            if moved:
                # To be written it must be checked, and the check finds that memory is older than what was changed.
                await books.write(lambda draft: note_what_changed(draft, clock.now()))
        except OwnershipLost as lost:
            watch.lost()
            tell(lost)
            return
        except (StoreFailed, CommitUnclear) as failure:
            log.warning("lease_not_renewed", failure=str(failure))
            if watch.may_send() is not None:
                tell(failure)
        await asyncio.sleep(pause)


async def _to_its_end(renewal: asyncio.Future[bool]) -> bool:
    """Wait for a sign of life, and when this desk stops meanwhile, until its thread is through.

    Left alone it would arrive behind the release, and keep everybody else waiting for an owner that has ended.
    """
    try:
        return await asyncio.shield(renewal)
    except asyncio.CancelledError:
        with suppress(PlimsollError):
            await renewal
        raise


def remembered_place(directory: DataDirectory) -> str | None:
    """Say where a folder believes its books to be; None where it was never told.

    Raises: Illegal for a file that is none of ours
    """
    remembered = _read(directory.home)
    return None if remembered is None else remembered["place"]


def is_own_process(directory: DataDirectory, holder: str) -> bool:
    """Say whether the holder of a lease was a process of this very folder."""
    remembered = _read(directory.home)
    return remembered is not None and holder.endswith(f"[{remembered['key']}]")


def point_to(directory: DataDirectory, place: str) -> None:
    """Make a folder believe that its books are somewhere: its desk opens nowhere else from here on."""
    remembered = _read(directory.home)
    key = f"{system_chance().getrandbits(64):016x}" if remembered is None else remembered["key"]
    _write(directory.home, {"place": place, "key": key})


def _write(home: Path, told: dict[str, str]) -> None:
    fresh = home.with_suffix(".new")
    with open(fresh, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write(json.dumps(told) + "\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(home)


def _read(home: Path) -> dict[str, str] | None:
    try:
        told = json.loads(home.read_text(encoding="utf-8"))
        return {"place": str(told["place"]), "key": str(told["key"])}
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as broken:
        remedy = "this file is not one of ours; remove it, if you are certain which database the desk is on"
        raise Illegal("database", str(home), remedy) from broken
