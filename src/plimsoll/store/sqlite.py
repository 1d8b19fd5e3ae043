"""SQLite as the scribe's database: WAL, `synchronous=FULL`, one writing connection that also checkpoints.

SQLite before 3.51.3 can lose a WAL reset when two connections checkpoint at once; here only the writer ever does.
Python's module opens transactions by itself and not where one thinks (a SAVEPOINT's inner commit survives the outer
rollback), so that is switched off and `BEGIN IMMEDIATE` is ours.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from functools import cache
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, MetaData, Table, create_engine, event
from sqlalchemy.pool import NullPool
from sqlalchemy.util import LRUCache

from plimsoll.store.connection import CommitUnclear, Question, StoreFailed
from plimsoll.store.draft import Brought, Cell, Row
from plimsoll.store.statements import bring_sql, change_sql, insert_sql, replace_sql, staged_sql

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
        self._tables = metadata.tables
        #: Files of others that this transaction reads, by the name that each has meanwhile.
        self._attached: dict[Path, str] = {}
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

    def bring(self, piece: Brought) -> None:
        # One statement, which reads and writes without Python's lock: an order's own work goes on beside it.
        with _store_failures(f"bring {piece.table} from {piece.source}"):
            statement = bring_sql(self._tables[piece.table], self._attach(piece.source))
            brought = self._connection.execute(statement, (piece.owner, piece.first, piece.last)).rowcount
        _check_whole(piece, brought)

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
        self._detach()

    def rollback(self) -> None:
        # A failed statement may have ended the transaction by itself (disk full does); then there is nothing to undo.
        with _store_failures("roll back"):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        self._detach()

    def reopen(self) -> None:
        self.close()
        self._attached.clear()
        self._connection = self._open()

    def close(self) -> None:
        with _store_failures("close"):
            self._connection.close()

    def _attach(self, source: Path) -> str:
        name = self._attached.get(source)
        if name is None:
            taken = self._attached.values()
            name = next(free for number in count() if (free := f"staged_{number}") not in taken)
            self._connection.execute(f"ATTACH ? AS {name}", (_finished(source),))
            self._attached[source] = name
        return name

    def _detach(self) -> None:
        # SQLite lets go of a file only between two transactions. One that it does not let go of stays attached, which
        # harms nobody: it is what happened to the transaction that counts.
        for source, name in list(self._attached.items()):
            with suppress(sqlite3.Error):
                self._connection.execute(f"DETACH {name}")
                del self._attached[source]

    def _open(self) -> sqlite3.Connection:
        with _store_failures(f"open {self._path}"):
            connection = self._connect(self._path)
            for pragma in PRAGMAS:
                connection.execute(pragma)
            return connection


def _connect(path: str) -> sqlite3.Connection:
    # The driver hands the connection to its own thread and keeps every other away from it.
    # `uri` is for the files that it attaches.
    return sqlite3.connect(path, uri=True, isolation_level=None, check_same_thread=False, cached_statements=256)


def _finished(path: Path) -> str:
    """Name a file that nobody changes any more: it is read without locks, so that nobody can hold up the one writer."""
    return f"{path.absolute().as_uri()}?mode=ro&immutable=1"


def staged_rows(piece: Brought, table: Table) -> list[Row]:
    """Read rows that lie ready in a file, for a database that cannot read it by itself.

    Raises: StoreFailed
    """
    asked = (piece.owner, piece.first, piece.last)
    with (
        _store_failures(f"bring {piece.table} from {piece.source}"),
        closing(sqlite3.connect(_finished(piece.source), uri=True)) as staged,
    ):
        rows: list[Row] = staged.execute(staged_sql(table), asked).fetchall()
    _check_whole(piece, len(rows))
    return rows


def _check_whole(piece: Brought, found: int) -> None:
    if found < 1 or found != piece.last - piece.first + 1:
        wanted = f"rows {piece.first} to {piece.last} of {piece.table} of {piece.owner}"
        raise StoreFailed(f"cannot bring {wanted} from {piece.source}: it has {found} of them; import again")


@contextmanager
def _store_failures(doing: str) -> "Iterator[None]":
    try:
        yield
    except sqlite3.Error as error:
        raise StoreFailed(f"cannot {doing}: {error}") from error


#: Questions as SQLite is asked them. They are the same in every file: a proof asks ninety, and to put each into SQL
#: takes longer than its answer in a small book.
_COMPILED: LRUCache[Any, Any] = LRUCache(1_000)


def engine_of(connect: Callable[[], Any]) -> Engine:
    """Give an engine over connections of one's own making, each used once."""
    first = _first_engine()
    return Engine(NullPool(connect), first.dialect, first.url, execution_options={"compiled_cache": _COMPILED})


@cache
def _first_engine() -> Engine:
    """Give an engine of no file, whose dialect knows this SQLite: a dialect of its own could not use what is kept."""
    engine = create_engine("sqlite://", poolclass=NullPool)
    with engine.connect():
        return engine


def reader(path: Path | str) -> Engine:
    """Open a database for reading only, by connections of its own; each sees one moment from its first question on."""
    uri = f"{Path(path).absolute().as_uri()}?mode=ro"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(uri, uri=True, check_same_thread=False, isolation_level=None)
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        return connection

    engine = engine_of(connect)
    # Without it every SELECT would see another moment, and a proof over several tables would find differences that
    # never were.
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return engine
