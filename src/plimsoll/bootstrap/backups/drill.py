"""Prove that a copy comes back: bring it to a place nobody uses, start it there, and look.

1. It is brought back as a real one would be: same checks, same key, same renames.
2. It is opened as a desk would be, without a price: brought to what its own venue has, and compared. Nothing is traded.
3. The book is proven once more afterwards, and the place is removed.

What was proven is written beside the copies: retention never gives the last proven one up, and `status` says how long
ago that was. What if we crash in here? The place has no name of a copy, and the next copy clears it away.
"""

import asyncio
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from plimsoll.bootstrap import DataDirectory, look_at, take_the_desk
from plimsoll.bootstrap.backups.copy import prove
from plimsoll.bootstrap.backups.manifest import UNFINISHED, CopyFolder, Manifest
from plimsoll.bootstrap.backups.restore import restore
from plimsoll.bootstrap.served import open_served
from plimsoll.bots.replay_plan import PLAN
from plimsoll.desk.recover import recover
from plimsoll.model.clock import Clock
from plimsoll.model.errors import PlimsollError


class DrillFailed(PlimsollError):
    """The copy did not come back; look at it before it is needed, and make another (`plimsoll backup`)."""


class NothingToProve(PlimsollError):
    """There is no copy here: make one with `plimsoll backup`, or name its folder with --from."""

    def __init__(self, folder: CopyFolder) -> None:
        super().__init__(f"{folder.path}: {type(self).__doc__}")


@dataclass(frozen=True, slots=True)
class Drilled:
    """What came back."""

    copy: Path
    manifest: Manifest
    #: Accounts that were compared with their venue, and found equal.
    accounts: int


def drill(
    directory: DataDirectory,
    folder: CopyFolder,
    clock: Clock,
    chance: random.Random,
    release: str,
    *,
    programs: Path | None = None,
) -> Drilled:
    """Bring the newest copy back to a place of its own, and remember that it came.

    Shapes: `programs` -> the folder of PostgreSQL's own; None looks where the shell does
    Raises: NothingToProve, DrillFailed, BackupFailed while a copy is being made, ChainKeyMissing
    """
    copies = folder.copies()
    if not copies:
        raise NothingToProve(folder)
    copy = copies[max(copies)]
    key = directory.chain_key()
    with folder.held():
        try:
            with _scratch(directory, folder, key) as scratch:
                manifest = _bring_back(copy, scratch, clock, programs)
                accounts = asyncio.run(_compare(scratch, clock, chance, release))
                prove(scratch.book, key, scratch.stamp)
        except (PlimsollError, OSError) as failure:
            raise DrillFailed(f"{copy}: {failure} {DrillFailed.__doc__}") from failure
        folder.remember_proven(copy, clock.now())
    return Drilled(copy, manifest, accounts)


def _bring_back(copy: Path, scratch: DataDirectory, clock: Clock, programs: Path | None) -> Manifest:
    lock = take_the_desk(scratch)
    try:
        return restore(copy, scratch, clock, over=False, venue_too=True, programs=programs).manifest
    finally:
        lock.release()


async def _compare(scratch: DataDirectory, clock: Clock, chance: random.Random, release: str) -> int:
    """Open every account as a start does, and see that it is what its venue has; nothing is begun that could trade."""
    seen = look_at(scratch)
    if seen is not None and PLAN in seen.meta:
        return 0  # a replay is not served: its inputs make it again
    desk = await open_served(scratch, None, clock=clock, chance=chance, version=release, say=_nobody)
    try:
        for account_id, account in desk.desk.accounts.items():
            result = await recover(account.ports)
            if not account.ports.reconciled:
                what = "; ".join(found.sentence for found in result.breaks) or "its orders have no known fate"
                raise DrillFailed(f"account {account_id} is not what its venue has: {what}")
        return len(desk.desk.accounts)
    finally:
        await desk.close()


def _nobody(_line: str) -> None:
    """Tell nobody: what a drill says is what came of it."""


@contextmanager
def _scratch(directory: DataDirectory, folder: CopyFolder, key: bytes) -> Iterator[DataDirectory]:
    # On the disk of the copies: a drill that fits there proves that there was room, and no book lies in a shared /tmp.
    place = folder.path / f"{UNFINISHED}drill"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(mode=0o700)
    try:
        scratch = DataDirectory(place)
        scratch.chain_key_file.touch(mode=0o600)
        scratch.chain_key_file.write_text(key.hex())
        if directory.server is None:
            yield scratch
        else:
            from plimsoll.bootstrap.backups.server import scratch_server  # noqa: PLC0415  brings the driver

            with scratch_server(directory.server) as server:
                yield DataDirectory(place, server)
    finally:
        shutil.rmtree(place, ignore_errors=True)
