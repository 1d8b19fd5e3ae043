"""SQLite as the scribe's database: WAL, `synchronous=FULL`, one writing connection that also checkpoints.

SQLite before 3.51.3 can lose a WAL reset when two connections checkpoint at once; here only the writer ever does.
Python's module opens transactions by itself and not where one thinks (a SAVEPOINT's inner commit survives the outer
rollback), so that is switched off and `BEGIN IMMEDIATE` is ours.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine, MetaData, create_engine, event
from sqlalchemy.pool import NullPool

from plimsoll.store.connection import CommitUnclear, Question, StoreFailed
from plimsoll.store.draft import Cell, Row
from plimsoll.store.statements import change_sql, insert_sql, replace_sql

if TYPE_CHECKING:
    from collections.abc import Iterator

BUSY_TIMEOUT_MS = 5_000

#: How a file is opened; a simulation puts a faulty way here.
Connect = Callable[[str], sqlite3.Connection]

PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
    "PRAGMA wal_autocheckpoint = 4000",
    # A log that a long reader let grow is cut back to 64 MB once it was worked off.
    "PRAGMA journal_size_limit = 67108864",
    "PRAGMA cache_size = -65536",
    "PRAGMA temp_store = MEMORY",
)


class SqliteWriter:
    """The writing connection of one database file."""

    def __init__(
        self,
        path: Path | str,
        metadata: MetaData,
        queries: Mapping[str, str],
        connect: Connect | None = None,
    ) -> None:
        self._path = str(path)
        self._queries = queries
        self._insert = {name: insert_sql(table) for name, table in metadata.tables.items()}
        self._replace = {name: replace_sql(table) for name, table in metadata.tables.items()}
        self._change = {name: sql for name, table in metadata.tables.items() if (sql := change_sql(table))}
        self._connect = connect or _connect
        self._connection = self._open()

    def begin(self) -> None:
        with _store_failures("begin a transaction"):
            self._connection.execute("BEGIN IMMEDIATE")

    def add(self, table: str, rows: Sequence[Row]) -> None:
        with _store_failures(f"write to {table}"):
            self._connection.executemany(self._insert[table], rows)

    def replace(self, table: str, rows: Sequence[Row]) -> None:
        with _store_failures(f"write to {table}"):
            self._connection.executemany(self._replace[table], rows)

    def change(self, table: str, rows: Sequence[Row]) -> None:
        with _store_failures(f"write to {table}"):
            self._connection.executemany(self._change[table], rows)

    def forget(self, statement: str, calls: Sequence[Row]) -> None:
        with _store_failures(f"do {statement}"):
            self._connection.executemany(self._queries[statement], calls)

    def find(self, query: str, parameters: Sequence[Cell]) -> list[Row]:
        try:  # spelled out: this runs for every order and every trade
            return self._connection.execute(self._queries[query], parameters).fetchall()
        except sqlite3.Error as error:
            raise StoreFailed(f"cannot read {query}: {error}") from error

    def find_ahead(self, questions: Sequence[Question]) -> Mapping[Question, list[Row]]:  # noqa: ARG002  the port's
        return {}  # the database is in this process: asking later costs no more

    def commit(self) -> None:
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise CommitUnclear(f"COMMIT: {error}") from error

    def rollback(self) -> None:
        # A failed statement may have ended the transaction by itself (disk full does); then there is nothing to undo.
        with _store_failures("roll back"):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def reopen(self) -> None:
        self.close()
        self._connection = self._open()

    def close(self) -> None:
        with _store_failures("close"):
            self._connection.close()

    def _open(self) -> sqlite3.Connection:
        with _store_failures(f"open {self._path}"):
            connection = self._connect(self._path)
            for pragma in PRAGMAS:
                connection.execute(pragma)
            return connection


def _connect(path: str) -> sqlite3.Connection:
    # The driver hands the connection to its own thread and keeps every other away from it.
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)


@contextmanager
def _store_failures(doing: str) -> "Iterator[None]":
    try:
        yield
    except sqlite3.Error as error:
        raise StoreFailed(f"cannot {doing}: {error}") from error


def reader(path: Path | str) -> Engine:
    """Open a database for reading only, by connections of its own; each sees one moment from its first question on."""
    uri = f"{Path(path).absolute().as_uri()}?mode=ro"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(uri, uri=True, check_same_thread=False, isolation_level=None)
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        return connection

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
    # Without it every SELECT would see another moment, and a proof over several tables would find differences that
    # never were.
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return engine
