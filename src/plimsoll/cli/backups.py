"""`plimsoll backup`, `restore` and `drill`: copies of a desk, made while it trades, brought back, and proven.

`backup` and `drill` only read what belongs to the desk, and may run beside it; `restore` is the desk while it works.
"""

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path

from plimsoll.bootstrap import DataDirectory, take_the_desk
from plimsoll.bootstrap.backups.copy import Taken, back_up
from plimsoll.bootstrap.backups.drill import Drilled, drill
from plimsoll.bootstrap.backups.keeper import CopyNotMade, Keeper
from plimsoll.bootstrap.backups.manifest import CopyFolder
from plimsoll.bootstrap.backups.restore import Restored, restore
from plimsoll.cli.look import seen
from plimsoll.cli.words import DISTRIBUTION, print_json, print_table, say
from plimsoll.model.clock import SystemClock
from plimsoll.model.ids import system_chance
from plimsoll.settings import PREFIX, Settings

#: What is told of a process that made no copy.
_LAST_WORDS = 500


@dataclass(frozen=True, slots=True)
class CopyPlan:
    """What a desk that is served does for its copies."""

    folder: CopyFolder
    #: None makes none.
    every: timedelta | None
    #: What the process that makes them is told beside its command.
    environment: Mapping[str, str]


def copies_of(settings: Settings) -> CopyFolder:
    """Say where the copies of a desk lie: beside its books, if no other place is named."""
    return CopyFolder((settings.backup_to or settings.data / "backups").expanduser().absolute())


def plan_of(settings: Settings) -> CopyPlan:
    """Read how often a desk that is served makes a copy, and where."""
    every = timedelta(minutes=settings.backup_every_minutes) if settings.backup_every_minutes else None
    # The address of a database may hold a password: it goes where other users cannot read it.
    told = {"DATABASE": settings.database.get_secret_value(), "DATABASE_SCHEMA": settings.database_schema}
    if settings.postgres_programs is not None:
        told["POSTGRES_PROGRAMS"] = str(settings.postgres_programs)
    environment = {f"{PREFIX}{name}": value for name, value in told.items()} if told["DATABASE"] else {}
    return CopyPlan(copies_of(settings), every, environment)


def make_copy(directory: DataDirectory, settings: Settings) -> Taken:
    """Make one copy now.

    Raises: NoDesk, BackupFailed, ChainKeyMissing, ProgramMissing
    """
    seen(directory)
    folder, programs = copies_of(settings), settings.postgres_programs
    return back_up(directory, folder, SystemClock(), version(DISTRIBUTION), programs=programs)


def show_copy(taken: Taken, *, json: bool) -> None:
    """Tell what was made."""
    manifest = taken.manifest
    size = sum(file.size for file in manifest.files.values())
    if json:
        print_json(
            {
                "copy": str(taken.folder),
                "bytes": size,
                "digest": manifest.digest,
                "group": manifest.group,
                "key_fingerprint": manifest.key_fingerprint,
                "unseen": list(manifest.unseen),
                "given_up": [str(path) for path in taken.given_up],
            }
        )
        return
    rows = [(name, file.size, file.sha256) for name, file in sorted(manifest.files.items())]
    print_table(f"Copied to {taken.folder}", ("file", "bytes", "sha256"), rows)
    say(f"Proven from the first link to the last. Given up: {len(taken.given_up)} older ones.")
    say(f"The key of the chain is not in it (fingerprint {manifest.key_fingerprint}): keep chain.key elsewhere.")


def copies_told(folder: CopyFolder) -> dict[str, object]:
    """Say what copies there are, and which of them is known to come back."""
    taken, proven = folder.copies(), folder.proven()
    return {
        "folder": str(folder.path),
        "count": len(taken),
        "newest": max(taken, default=None),
        "proven": None if proven is None else proven.copy,
        "proven_at": None if proven is None else proven.at,
    }


def show_copies(told: Mapping[str, object]) -> None:
    """Show it to a person."""
    print_table("Copies", tuple(told), [tuple(told.values())])


def bring_back(copy: Path, directory: DataDirectory, settings: Settings, *, over: bool, venue_too: bool) -> Restored:
    """Put a copy in the place of a desk.

    Raises: DeskIsRunning, CopyUnusable, ChainKeyMissing, AnotherKey, DeskInTheWay, ProgramMissing, ProgramFailed
    """
    lock = take_the_desk(directory)
    try:
        programs = settings.postgres_programs
        return restore(copy, directory, SystemClock(), over=over, venue_too=venue_too, programs=programs)
    finally:
        lock.release()


def show_restored(restored: Restored, *, json: bool) -> None:
    """Tell what came back, and what happens at the next start."""
    manifest, aside = restored.manifest, restored.aside or None
    if json:
        print_json(
            {"taken_at": manifest.taken_at, "digest": manifest.digest, "venue": restored.venue, "replaced": aside}
        )
        return
    say(f"The books of {manifest.taken_at} are back.")
    if aside is not None:
        say(f"What was here lies in {aside}.")
    say("The next start opens nothing until the book is what the venue has; closing stays possible.")


def prove_newest(directory: DataDirectory, settings: Settings) -> Drilled:
    """Bring the newest copy back to a place of its own.

    Raises: NothingToProve, DrillFailed, BackupFailed, ChainKeyMissing
    """
    folder, programs = copies_of(settings), settings.postgres_programs
    return drill(directory, folder, SystemClock(), system_chance(), version(DISTRIBUTION), programs=programs)


def show_drilled(drilled: Drilled, *, json: bool) -> None:
    """Tell what was proven."""
    if json:
        print_json(
            {"copy": str(drilled.copy), "digest": drilled.manifest.digest, "accounts": drilled.accounts, "proven": True}
        )
        return
    say(f"{drilled.copy} came back: proven, opened, and {drilled.accounts} accounts equal to their venue.")


def keeper_of(directory: DataDirectory, plan: CopyPlan) -> Keeper | None:
    """Have a copy made every so often, while a desk is served; None where none is wanted."""
    if plan.every is None:
        return None
    return Keeper(plan.folder, partial(copy_beside, directory, plan), SystemClock(), plan.every)


async def copy_beside(directory: DataDirectory, plan: CopyPlan) -> None:
    """Have one copy made by a process of its own.

    Raises: CopyNotMade, OSError
    """
    words = ("-m", "plimsoll", "backup", "--data", str(directory.path), "--to", str(plan.folder.path), "--json")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *words,
        env={**os.environ, **plan.environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, told = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode != 0:
        raise CopyNotMade(told.decode(errors="replace").strip()[-_LAST_WORDS:] or CopyNotMade.__doc__)
