"""Where books lie, and how they are opened: a SQLite file, or a schema of a PostgreSQL database.

One word decides, and everything above speaks of a `Place`. PostgreSQL's driver is loaded only for such a place.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from plimsoll.store import sqlite

if TYPE_CHECKING:
    from sqlalchemy import Engine, MetaData

    from plimsoll.store.connection import WriterConnection
    from plimsoll.store.lease import Fence
    from plimsoll.store.sqlite import Connect


@dataclass(frozen=True, slots=True)
class SqlitePlace:
    """A file of our own."""

    path: Path

    dialect: ClassVar[Literal["sqlite"]] = "sqlite"

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True, slots=True)
class PostgresPlace:
    """A schema of our own in somebody's PostgreSQL database; nothing outside of it is touched."""

    #: `postgresql://user:password@host:port/database`; never shown with its password.
    url: str
    schema: str

    dialect: ClassVar[Literal["postgresql"]] = "postgresql"

    def __str__(self) -> str:
        # A password may stand before the @, and among what follows a question mark.
        address = self.url.rpartition("@")[2].partition("?")[0].removeprefix("postgresql://")
        return f"postgresql://{address} schema {self.schema}"

    def __repr__(self) -> str:
        return f"PostgresPlace({self})"


Place: TypeAlias = SqlitePlace | PostgresPlace

#: A session's word on PostgreSQL for who reads through it. Empty: it reads for people, and nobody has asked yet. Never
#: said: it is the desk's own.
ASKER = "plimsoll.asker"


def reader(place: Place) -> "Engine":
    """Open a place for reading only, by connections of its own; each sees one moment from its first question on."""
    if isinstance(place, SqlitePlace):
        return sqlite.reader(place.path)
    from plimsoll.store import postgres  # noqa: PLC0415  an extra that a desk on SQLite need not have

    return postgres.reader(place)


def people_reader(place: Place) -> "Engine":
    """Open a place for reading as `reader` does, for people.

    On PostgreSQL no row of anybody's is there until a question has named its asker within its transaction, and then
    his only (row-level security, a second wall behind the first).
    """
    if isinstance(place, SqlitePlace):
        return sqlite.reader(place.path)
    from plimsoll.store import postgres  # noqa: PLC0415  as above

    return postgres.people_reader(place)


def writer(
    place: Place,
    metadata: "MetaData",
    queries: Mapping[str, str],
    connect: "Connect | None" = None,
    fence: "Fence | None" = None,
) -> "WriterConnection":
    """Open a place for writing: the one connection that does.

    Shapes: `fence` is PostgreSQL's; a file of our own is kept to one owner by the lock of its folder
    Raises: StoreFailed
    """
    if isinstance(place, SqlitePlace):
        return sqlite.SqliteWriter(place.path, metadata, queries, connect)
    from plimsoll.store import postgres  # noqa: PLC0415  as above

    return postgres.PostgresWriter(place, metadata, queries, fence)
