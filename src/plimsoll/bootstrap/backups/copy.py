"""Make a copy of a desk while it trades, and try it before it gets its name.

1. The desk's book first, the venue's second: what the copy says was sent, its venue has.
2. Each in one go: of SQLite's backup, from a connection that only reads: the writer is not held up, and cannot make the
   copying start over (on PostgreSQL: `server`).
3. The copy is tried at once, as it lies there: every page, every link, every sum. One that fails is none.

What if the disk fills up, or we are killed? Nothing of it has the name of a copy; older copies were not touched.
What must not enter: the chain's key.
"""

import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, select
from sqlalchemy.exc import DatabaseError

from plimsoll.bootstrap import DataDirectory
from plimsoll.bootstrap.backups.manifest import (
    BackupFailed,
    CopyFolder,
    CopyUnusable,
    Manifest,
    ProgramFailed,
    copied_file,
    fingerprint,
    flush_file,
    name_of,
)
from plimsoll.bootstrap.backups.retention import given_up
from plimsoll.ledger import schema
from plimsoll.ledger.database import HEAD
from plimsoll.ledger.digest import digest
from plimsoll.ledger.stamp import Stamp, stamp
from plimsoll.ledger.verify import VerifyReport, verify
from plimsoll.model.clock import Clock, time_text
from plimsoll.runtime.logging import logger
from plimsoll.store.connection import StoreFailed
from plimsoll.store.place import Place, SqlitePlace
from plimsoll.store.sqlite import BUSY_TIMEOUT_MS, reader

log = logger("backup")

DESK, VENUE, STAMP = "desk.db", "paper.db", "heads.stamp"
#: The books of a desk on a server.
DUMP = "books.dump"
#: Findings that a refusal names.
_NAMED = 3
#: Free space that a copy asks for beyond its own size, so that the desk itself can go on writing.
SPARE_BYTES = 64 << 20

#: Copies one database file to another place; a test puts one here that fails.
CopyDatabase = Callable[[Path, Path], None]


@dataclass(frozen=True, slots=True)
class Taken:
    """A copy that was made, and those that were given up for it."""

    folder: Path
    manifest: Manifest
    given_up: tuple[Path, ...] = ()


def copy_database(source: Path, target: Path) -> None:
    """Copy a database as of one moment, while others write to it.

    Raises: sqlite3.Error, OSError
    """
    with closing(_read_only(source)) as live, closing(sqlite3.connect(target)) as copy:
        # All pages in one step: a copy in several would begin anew with every commit between two of them.
        live.backup(copy)
        # One file, that can be looked at where nothing may be written.
        copy.execute("PRAGMA journal_mode = DELETE")
    flush_file(target)


@dataclass(frozen=True, slots=True)
class Moment:
    """When, by whom and under which key a copy is made."""

    at: datetime
    key: bytes
    release: str

    def manifest(  # noqa: PLR0917  what was found, each of its own type
        self, folder: Path, engine: str, names: Iterable[str], said: str, event: int, stamped: Stamp, told: VerifyReport
    ) -> Manifest:
        """Put down what a copy is.

        Shapes: `names` -> the files it may consist of; `said` -> the digest of its books
        """
        return Manifest(
            taken_at=time_text(self.at),
            release=self.release,
            schema=HEAD,
            engine=engine,
            files={name: copied_file(folder / name) for name in names if (folder / name).exists()},
            digest=said,
            group=stamped.group,
            event=event,
            heads={str(account): f"{head.seq}:{head.link}" for account, head in sorted(stamped.heads.items())},
            key_fingerprint=fingerprint(self.key),
            checked=told.checked,
            unseen=told.unseen,
        )


def back_up(
    directory: DataDirectory,
    folder: CopyFolder,
    clock: Clock,
    release: str,
    *,
    copy: CopyDatabase = copy_database,
    programs: Path | None = None,
) -> Taken:
    """Make one copy, try it, and give up those that are not kept any longer.

    Shapes: `programs` -> the folder of PostgreSQL's own; None looks where the shell does
    Raises: BackupFailed, ChainKeyMissing, ProgramMissing
    """
    key = directory.chain_key()
    with _told(folder, directory), folder.held():
        moment = Moment(_moment(folder, clock), key, release)
        if directory.server is None:
            _refuse_without_space(directory, folder)
        with folder.unfinished(moment.at) as making:
            if directory.server is None:
                manifest = _copy_files(directory, making, moment, copy)
            else:
                from plimsoll.bootstrap.backups.server import Programs, copy_server  # noqa: PLC0415  brings the driver

                manifest = copy_server(directory, making, moment, Programs(programs))
            manifest.write(making)
        return Taken(folder.path / name_of(moment.at), manifest, _thin_out(folder, clock.now()))


def _copy_files(directory: DataDirectory, making: Path, moment: Moment, copy: CopyDatabase) -> Manifest:
    copy(directory.database, making / DESK)
    if directory.paper_books.exists():
        copy(directory.paper_books, making / VENUE)
    engine = reader(making / DESK)
    stamped = stamp(engine, making / STAMP, moment.at)
    told = examine(making / DESK, moment.key, making / STAMP)
    with engine.connect() as connection:
        event = event_number(connection)
    return moment.manifest(making, "sqlite", (DESK, VENUE, STAMP), digest(engine), event, stamped, told)


def examine(book: Path, key: bytes, stamp_file: Path) -> VerifyReport:
    """Prove a book that nobody writes: every page, every link, every sum.

    Raises: CopyUnusable, which names what was found
    """
    for file in (book, book.with_name(VENUE)):
        if file.exists() and (found := damage(file)):
            raise CopyUnusable(f"{file}: SQLite finds: {found}. {CopyUnusable.__doc__}")
    return prove(SqlitePlace(book), key, stamp_file)


def prove(place: Place, key: bytes, stamp_file: Path) -> VerifyReport:
    """Prove a book, wherever it lies.

    Raises: CopyUnusable, which names what was found
    """
    told = verify(place, key, stamp_file)
    if not told.ok:
        named = "; ".join(f"{found.code} at {found.place}: {found.sentence}" for found in told.findings[:_NAMED])
        raise CopyUnusable(f"{place}: {len(told.findings)} findings: {named}. `plimsoll verify` lists them all.")
    return told


def event_number(connection: Connection) -> int:
    """Give the number of the last event of a book."""
    return connection.execute(select(schema.heads.c.event_number)).scalar() or 0


def damage(file: Path) -> str:
    """Say what SQLite finds wrong with a file; empty when it is sound."""
    try:
        with closing(_read_only(file)) as connection:
            answers = [str(answer) for (answer,) in connection.execute("PRAGMA integrity_check")]
    except sqlite3.DatabaseError as error:
        return str(error)
    return "" if answers == ["ok"] else "; ".join(answers[:_NAMED])


def _read_only(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    return connection


def _moment(folder: CopyFolder, clock: Clock) -> datetime:
    # Two copies of one moment would be one name; a clock that stands still is no reason to have no copy.
    at, taken = clock.now(), folder.copies()
    while at in taken:
        at += timedelta(microseconds=1)
    return at


def _refuse_without_space(directory: DataDirectory, folder: CopyFolder) -> None:
    # Asked before: a copy that fills the disk up would fail the desk's own commits first.
    books = (directory.database, directory.paper_books)
    needed = sum(file.stat().st_size for file in books if file.exists()) + SPARE_BYTES
    free = shutil.disk_usage(folder.path).free
    if free < needed:
        raise BackupFailed(
            f"{folder.path}: {needed >> 20} MB are needed and {free >> 20} MB are free. {BackupFailed.__doc__} "
            "Make room, or name a folder on another disk with --to."
        )


def _thin_out(folder: CopyFolder, now: datetime) -> tuple[Path, ...]:
    copies, proven = folder.copies(), folder.proven()
    of_proof = None if proven is None else next((at for at, path in copies.items() if path.name == proven.copy), None)
    going = tuple(copies[at] for at in sorted(given_up(copies, of_proof, now)))
    for path in going:
        folder.give_up(path)
    return going


@contextmanager
def _told(folder: CopyFolder, directory: DataDirectory) -> Iterator[None]:
    """Turn what the world says no with into one sentence with its remedy."""
    try:
        yield
    except (sqlite3.Error, DatabaseError, StoreFailed, OSError) as problem:
        raise BackupFailed(
            f"{directory.path} could not be copied to {folder.path}: {problem}. {BackupFailed.__doc__} "
            "Make room and let the folder be written to, or name another with --to."
        ) from problem
    except ProgramFailed as failure:
        raise BackupFailed(f"{directory.path} could not be copied: {failure}. {BackupFailed.__doc__}") from failure
    except CopyUnusable as unsound:
        raise BackupFailed(f"the copy does not prove: {unsound} {BackupFailed.__doc__}") from unsound
