"""Bring a copy back.

1. Everything that can fail is tried first, on the copy and beside the desk: sizes and hashes, every page, every link,
   the key, the release. Until then nothing of the data directory is touched.
2. A mark is left: whichever file the next start finds, it knows that it woke with an older book (`waking`).
3. What is replaced goes aside, into `replaced-…`, and stays there. Each file comes into place by one rename. A log of
   writes (`-wal`) leaves before its database: beside another one it would be replayed into that.

The venue's books stay as they are where they are sound: a venue never forgets, and the desk's book is brought to what
it has. They come back with the desk where there are none, where they are damaged, and where that is asked for.

What if we crash in here? The desk's book is there at every moment, the old one or the new one, and the mark beside it.
"""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from plimsoll.bootstrap import ChainKeyMissing, DataDirectory, look_at
from plimsoll.bootstrap.backups.copy import DESK, STAMP, VENUE, damage, event_number, examine
from plimsoll.bootstrap.backups.manifest import (
    CopyUnusable,
    Manifest,
    check_files,
    fingerprint,
    flush_file,
    flush_folder,
    name_of,
    read_manifest,
)
from plimsoll.bootstrap.backups.waking import Mark, mark_of, read_mark
from plimsoll.bootstrap.ownership import own
from plimsoll.bots.replay_plan import PLAN
from plimsoll.ledger import accounts, schema
from plimsoll.ledger.database import HEAD, REVISIONS
from plimsoll.ledger.digest import digest
from plimsoll.model.account import Halt, TradingState
from plimsoll.model.clock import Clock
from plimsoll.model.errors import PlimsollError
from plimsoll.store.connection import StoreFailed
from plimsoll.store.place import SqlitePlace, reader
from plimsoll.store.statements import select_as_stored

_STAGE = ".restoring"
_BESIDE = ("-wal", "-shm")


class DeskInTheWay(PlimsollError):
    """A desk lies here: name another folder, or say --over to put the copy in its place and this one aside."""

    def __init__(self, directory: DataDirectory) -> None:
        super().__init__(f"{directory.path}: {type(self).__doc__}")


class AnotherKey(PlimsollError):
    """The chain of the copy was made with another key: bring the chain.key that belongs to it."""

    def __init__(self, directory: DataDirectory, manifest: Manifest) -> None:
        super().__init__(
            f"{directory.chain_key_file}: {type(self).__doc__} Its fingerprint is {manifest.key_fingerprint}."
        )


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back."""

    manifest: Manifest
    #: The venue's books came back as well; else those that were there stayed.
    venue: bool
    #: Where what was replaced is: a folder, or schemas by their names; empty where there was nothing.
    aside: str


def restore(
    copy: Path, directory: DataDirectory, clock: Clock, *, over: bool, venue_too: bool, programs: Path | None = None
) -> Restored:
    """Put a copy in the place of a desk, or where there is none; the desk's lock is held.

    Shapes: `over` -> there may be a desk; `venue_too` -> the venue's books are replaced although they are sound;
            `programs` -> the folder of PostgreSQL's own; None looks where the shell does
    Raises: CopyUnusable, ChainKeyMissing, AnotherKey, DeskInTheWay; then nothing was touched
            DeskIsRunning, ProgramMissing, ProgramFailed, StoreFailed on a server; then nothing was touched either
    """
    manifest, key = _check(copy, directory)
    if directory.server is None and directory.database.exists() and not over:
        raise DeskInTheWay(directory)
    if directory.server is not None:
        if look_at(directory) is not None and not over:
            raise DeskInTheWay(directory)
        return _restore_server(copy, directory, clock, manifest, key, venue_too=venue_too, programs=programs)
    with _staged(copy, directory, manifest, key) as stage:
        seen = look_at(DataDirectory(stage))
        is_replay = seen is not None and PLAN in seen.meta
        venue = (stage / VENUE).exists() and (venue_too or is_replay or not _is_sound(directory.paper_books))
        if not is_replay:
            # A replay is made again from its inputs, and its venue comes back with it: nothing can be missing.
            _mark(directory, copy).write(mark_of(directory))
        aside = _put_in_place(stage, directory, clock, venue=venue)
    return Restored(manifest, venue, "" if aside is None else str(aside))


def _restore_server(
    copy: Path,
    directory: DataDirectory,
    clock: Clock,
    manifest: Manifest,
    key: bytes,
    *,
    venue_too: bool,
    programs: Path | None,
) -> Restored:
    from plimsoll.bootstrap.backups.server import Programs, is_there, restore_server  # noqa: PLC0415  brings the driver

    # Nobody else may own what goes aside; whoever did finds no lease of his afterwards.
    lease = own(directory) if is_there(directory) else None
    mark, before = _mark(directory, copy), read_mark(mark_of(directory))
    mark.write(mark_of(directory))
    try:
        venue, aside = restore_server(
            copy, directory, manifest, key, venue=venue_too, at=clock.now(), programs=Programs(programs)
        )
    except BaseException:
        if before is None:
            mark_of(directory).unlink()
        if lease is not None:
            lease.release()
        raise
    if directory.stamp.exists():
        directory.stamp.rename(directory.path / f"heads.stamp.before-{name_of(clock.now())}")
    shutil.copyfile(copy / STAMP, directory.stamp)
    return Restored(manifest, venue, ", ".join(aside))


def _check(copy: Path, directory: DataDirectory) -> tuple[Manifest, bytes]:
    manifest = read_manifest(copy)
    here = directory.book.dialect
    if manifest.engine != here:
        remedy = "name the database with --database" if here == "sqlite" else "leave the database out"
        raise CopyUnusable(f"{copy}: it is of a desk on {manifest.engine}, and this one is on {here}: {remedy}")
    if manifest.schema not in REVISIONS:
        sentence = f"its tables have version {manifest.schema}, this release knows up to {HEAD}"
        raise CopyUnusable(f"{copy}: {sentence}: bring it back with release {manifest.release} or a later one")
    if not directory.chain_key_file.exists():
        raise ChainKeyMissing(directory)
    key = directory.chain_key()
    if fingerprint(key) != manifest.key_fingerprint:
        raise AnotherKey(directory, manifest)
    check_files(copy, manifest)
    return manifest, key


@contextmanager
def _staged(copy: Path, directory: DataDirectory, manifest: Manifest, key: bytes) -> Iterator[Path]:
    """Bring the files of a copy onto the disk of the desk, and try them there."""
    stage = directory.path / _STAGE
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(mode=0o700)
    try:
        for name in manifest.files:
            shutil.copyfile(copy / name, stage / name)
            (stage / name).chmod(0o600)
            flush_file(stage / name)
        if manifest.schema == HEAD:  # an older one is brought up to this release by the next start
            examine(stage / DESK, key, stage / STAMP)
            if (is_ := digest(reader(SqlitePlace(stage / DESK)))) != manifest.digest:
                raise CopyUnusable(f"{copy}: its digest is {is_}, the manifest says {manifest.digest}")
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _is_sound(file: Path) -> bool:
    return file.exists() and not damage(file)


def _mark(directory: DataDirectory, copy: Path) -> Mark:
    """Keep of the book that goes what must not be forgotten, as far as it can be read."""
    if directory.server is None and not directory.database.exists():
        return Mark(copy.name, 0)
    try:
        with reader(directory.book).connect() as connection:
            rows = connection.execute(select_as_stored(schema.halts)).all()
            halts = tuple(accounts.halt_from_row(tuple(row)) for row in rows)
            return Mark(copy.name, event_number(connection), tuple(halt for halt in halts if _binds(halt)))
    except (
        SQLAlchemyError,
        StoreFailed,
        ValueError,
    ):  # damaged, or of another release: then it is not known what was in force
        return Mark(copy.name, 0)


def _binds(halt: Halt) -> bool:
    return halt.state is not TradingState.ACTIVE


def _put_in_place(stage: Path, directory: DataDirectory, clock: Clock, *, venue: bool) -> Path | None:
    aside = directory.path / f"replaced-{name_of(clock.now())}"
    moves = [(DESK, directory.database), *([(VENUE, directory.paper_books)] if venue else [])]
    for name, target in moves:
        if target.exists():
            aside.mkdir(mode=0o700, exist_ok=True)
            _settle(target)
            _keep(target, aside)
            for end in _BESIDE:
                beside = target.with_name(f"{target.name}{end}")
                if beside.exists():
                    beside.rename(aside / beside.name)
        (stage / name).rename(target)
    if directory.stamp.exists():
        aside.mkdir(mode=0o700, exist_ok=True)
        _keep(directory.stamp, aside)
    (stage / STAMP).replace(directory.stamp)
    flush_folder(directory.path)
    return aside if aside.exists() else None


def _settle(database: Path) -> None:
    # Afterwards a log of writes holds nothing that the database does not; where that fails, both go aside together.
    try:
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.DatabaseError:
        return


def _keep(file: Path, aside: Path) -> None:
    # A second name, not a move: the place is never empty, and no second copy of it needs room.
    try:
        os.link(file, aside / file.name)
    except OSError:
        shutil.copyfile(file, aside / file.name)
