"""Somebody's database, read without touching it: it is copied with what lies beside it, and the copy is opened.

Even a reader that opens a database with a log of writes (`-wal`) leaves a `-shm` beside it, may work the log off into
the file, and takes locks that the program which owns it runs into. A copy in a folder of our own does none of that, and
what stands only in the log, which are the newest trades, comes along.

Rule 1. The copy is of one moment: what was copied is read again afterwards, and must be what it was.
Rule 2. Nothing is written where the source lies, no lock, no journal; its bytes are the same afterwards.
Rule 3. What is no whole SQLite database is refused with a sentence, before anybody asks it anything.

What must not enter: what the tables mean.
"""

import hashlib
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeAlias

from plimsoll.model.errors import PlimsollError

_MAGIC = b"SQLite format 3\x00"
_AT_ONCE = 1 << 20
#: The log of writes, and the journal that an interrupted writer left behind: without it, half of a write would be seen.
_BESIDE = ("-wal", "-journal")

#: SHA-256 of the database itself, then of what lies beside it; None for what is not there.
Prints: TypeAlias = tuple[str | None, ...]


class NotADatabase(PlimsollError):
    """What was given is no whole SQLite database that can be read."""


class SourceChanged(PlimsollError):
    """The source was written to while it was copied."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} was written to while it was read: stop the program that it belongs to, or try again")


@contextmanager
def copied_database(path: Path, as_of: Prints | None = None) -> Iterator[sqlite3.Connection]:
    """Give a connection to a copy of a database as it is now, its log of writes included; rows know their columns.

    Shapes: with `as_of`, as it was when these prints were taken, or not at all
    Raises: NotADatabase, also when a question runs into damage; SourceChanged
    """
    _check_kind(path)
    with tempfile.TemporaryDirectory(prefix="plimsoll-import-") as folder:
        copy = Path(folder) / "source.sqlite"
        _copy(path, copy, as_of)
        connection = sqlite3.connect(copy, isolation_level=None)
        try:
            connection.row_factory = sqlite3.Row
            _check_whole(connection)
            yield connection
        except sqlite3.DatabaseError as error:
            raise NotADatabase(f"{path} cannot be read as a database: {error}") from error
        finally:
            connection.close()


def prints_of(path: Path) -> Prints:
    """Say what a database is at this moment: to ask for the very same later, or to see that it is as it was."""
    return tuple(sha256_of(file) if file.exists() else None for file in _files(path))


def sha256_of(path: Path) -> str:
    """Say which bytes a file has.

    Raises: NotADatabase when it cannot be read
    """
    if path.exists() and not path.is_file():
        raise NotADatabase(f"{path} is no file: name the bot's database, which it keeps in its own folder")
    try:
        with path.open("rb") as source:
            return _passed_on(source, None)
    except OSError as error:
        raise NotADatabase(f"{path} cannot be read: {error.strerror}") from error


def _check_kind(path: Path) -> None:
    if path.exists() and not path.is_file():
        raise NotADatabase(f"{path} is no file: name the bot's database, which it keeps in its own folder")
    try:
        with path.open("rb") as source:
            begin = source.read(len(_MAGIC))
    except OSError as error:
        raise NotADatabase(f"{path} cannot be read: {error.strerror}") from error
    if not begin:
        raise NotADatabase(f"{path} is empty: give the bot's database, which it keeps in its own folder")
    if begin != _MAGIC:
        raise NotADatabase(f"{path} is no SQLite database, or an encrypted one: give the bot's database as it keeps it")


def _copy(path: Path, copy: Path, as_of: Prints | None) -> None:
    copied = tuple(_copied(source, target) for source, target in zip(_files(path), _files(copy), strict=True))
    # Whoever changed a file between its copy and the next one's is seen here: at the moment between the two passes all
    # of them were as they were copied.
    if copied != prints_of(path) or (as_of is not None and copied != as_of):
        raise SourceChanged(path)


def _copied(source: Path, target: Path) -> str | None:
    try:
        with source.open("rb") as stream, target.open("wb") as out:
            return _passed_on(stream, out)
    except FileNotFoundError:
        return None


def _passed_on(source: BinaryIO, out: BinaryIO | None) -> str:
    digest = hashlib.sha256()
    while piece := source.read(_AT_ONCE):
        digest.update(piece)
        if out is not None:
            out.write(piece)
    return digest.hexdigest()


def _check_whole(connection: sqlite3.Connection) -> None:
    # A file that was cut off answers until somebody asks for what is missing: then half of it would have been told.
    told = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if told != "ok":
        raise sqlite3.DatabaseError(str(told))
    connection.execute("PRAGMA query_only = ON")


def _files(path: Path) -> tuple[Path, ...]:
    return (path, *(path.with_name(path.name + name) for name in _BESIDE))
