"""Where tables are made and changed: in one transaction, behind a lock, on either engine; cut anywhere, it is undone.

On SQLite the lock is the one to write. On PostgreSQL it is one that our schema's name stands for, and the schema itself
is made where it is missing; nothing outside of it is made, changed or read.

What if two processes start at once? The second waits for the first, and must look again at what it finds then.
What if a desk of the release before is still at work? It holds what is to be changed: `StoreFailed` after five seconds.

What must not enter: which tables.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateSchema

from plimsoll.store.connection import StoreFailed
from plimsoll.store.place import Place, PostgresPlace, SqlitePlace
from plimsoll.store.sqlite import BUSY_TIMEOUT_MS, engine_of

if TYPE_CHECKING:
    import psycopg

    from plimsoll.store.draft import Row

#: How long a start waits for another process to be done with its upgrade.
UPGRADE_PATIENCE_MS = 120_000
#: Older ones get no repairs any more from those who make them.
_OLDEST_POSTGRESQL = 14


@contextmanager
def looking(place: Place) -> Iterator[Connection]:
    """Look at what is there, whatever it is; nothing is made.

    Raises: StoreFailed for a server that will not do
    """
    with _engine(place).connect() as connection:
        if isinstance(place, PostgresPlace):
            _refuse_unfit(connection, place)
        yield connection


@contextmanager
def changing(place: Place) -> Iterator[Connection]:
    """Hold the one transaction in which tables are made or changed.

    Raises: StoreFailed for a server that will not do, or a schema that we may not make
    """
    with _engine(place).connect() as connection:
        if isinstance(place, SqlitePlace):
            _prepare_sqlite(connection)
            with connection.begin():
                yield connection
        else:
            with connection.begin():
                _refuse_unfit(connection, place)
                _lock_schema(connection, place)
                yield connection


@contextmanager
def opening(place: Place) -> Iterator[None]:
    """Say what a database refuses in a sentence.

    Raises: StoreFailed
    """
    try:
        yield
    except DatabaseError as error:  # locked, full, no such folder, no such server, no right to
        raise StoreFailed(f"cannot open {place}: {said(error)}.{_remedy(error)}") from error


def said(error: DatabaseError) -> str:
    """Give what the database said, without the statement and its values, which SQLAlchemy would tell as well."""
    return " ".join(str(error.orig).split())


def _remedy(error: DatabaseError) -> str:
    if "connection failed" not in str(error.orig):
        return ""
    return " Is a server running there, and are the user, the password and the database's name right?"


def _engine(place: Place) -> Engine:
    return _sqlite_engine(place) if isinstance(place, SqlitePlace) else _postgres_engine(place)


# SQLite ---------------------------------------------------------------------------------------------------------------


def _sqlite_engine(place: SqlitePlace) -> Engine:
    def connect() -> sqlite3.Connection:
        # Python's module would open the transaction at the first INSERT, and leave every CREATE TABLE outside of it.
        connection = sqlite3.connect(place.path, isolation_level=None)
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        return connection

    return engine_of(connect)


def _prepare_sqlite(connection: Connection) -> None:
    # A table that is written anew is dropped once, which would be refused for what points to it.
    connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {UPGRADE_PATIENCE_MS}")
    connection.rollback()
    event.listen(connection, "begin", lambda begun: begun.exec_driver_sql("BEGIN IMMEDIATE"))


# PostgreSQL -----------------------------------------------------------------------------------------------------------


def _postgres_engine(place: PostgresPlace) -> Engine:
    from plimsoll.store import postgres  # noqa: PLC0415  an extra that a desk on SQLite need not have

    def connect() -> "psycopg.Connection[Row]":
        connection = postgres.connect(place)
        connection.autocommit = False
        return connection

    return create_engine("postgresql+psycopg://", creator=connect, poolclass=NullPool)


def _refuse_unfit(connection: Connection, place: Place) -> None:
    asked = text("SELECT current_setting('server_version_num')::int, current_setting('server_encoding')")
    version, encoding = connection.execute(asked).one()
    refuse_server(version, encoding, place)


def refuse_server(version: int, encoding: str, place: Place) -> None:
    """Refuse a server that is too old, or that cannot hold every text.

    Raises: StoreFailed
    """
    if version < _OLDEST_POSTGRESQL * 10_000:
        raise StoreFailed(
            f"cannot open {place}: the server is PostgreSQL {version // 10_000}, and the oldest that will do is "
            f"{_OLDEST_POSTGRESQL}: move the database to a newer server"
        )
    if encoding != "UTF8":
        raise StoreFailed(
            f"cannot open {place}: the database keeps text as {encoding}, which cannot hold every name: "
            "make one with ENCODING 'UTF8' TEMPLATE template0"
        )


def _lock_schema(connection: Connection, place: PostgresPlace) -> None:
    """Be the only one who changes this schema's tables, and make the schema where it is missing."""
    # A large table takes longer than a statement of the desk may.
    _set_timeouts(connection, lock_ms=UPGRADE_PATIENCE_MS)
    lock = text("SELECT pg_advisory_xact_lock(hashtextextended('plimsoll tables of ' || :schema, 0))")
    connection.execute(lock, {"schema": place.schema})
    # From here on: a desk of the release before that is still at work holds what is to be changed.
    _set_timeouts(connection, lock_ms=BUSY_TIMEOUT_MS)
    may = text(
        "SELECT to_regnamespace(quote_ident(:schema)) IS NOT NULL,"
        " has_database_privilege(current_database(), 'CREATE'), quote_ident(current_user), quote_ident(:schema)"
    )
    there, may_make, user, name = connection.execute(may, {"schema": place.schema}).one()
    if there:
        return
    if not may_make:
        raise StoreFailed(
            f"cannot open {place}: there is no such schema, and {user} may not make one: "
            f"let the database's owner run CREATE SCHEMA {name} AUTHORIZATION {user}"
        )
    connection.execute(CreateSchema(place.schema))


def _set_timeouts(connection: Connection, lock_ms: int) -> None:
    settings = text("SELECT set_config('statement_timeout', '0', true), set_config('lock_timeout', :lock_ms, true)")
    connection.execute(settings, {"lock_ms": str(lock_ms)})
