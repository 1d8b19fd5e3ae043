"""PostgreSQL as the scribe's database: one writing connection, and read-only ones that each see one moment.

A server is an answer away, so a group is sent in few messages: everything written is kept until somebody asks something
or the group is committed, and then goes out at once, `BEGIN` before it and `COMMIT` behind it.

What if a row is refused? The server skips what was sent behind it, the COMMIT too: nothing is written, `StoreFailed`.
What if two writers are in each other's way (a deadlock, a serialization failure)? The same: `StoreFailed`, and the
scribe runs each unit alone; one that stands alone hears it, and may be sent again.
What if the connection ends? Before the COMMIT was sent, nothing is written: `StoreGone`. Behind it nobody knows:
`CommitUnclear`, and the scribe looks. Our old session may still be at work on that COMMIT meanwhile, so `reopen` ends
it first: else the scribe would look too early, say no, and the commit would happen after that.
What if a table is locked or the disk is full? `StoreGone` after five seconds at most: no row is to blame.

Cells come and go as on SQLite: decimals as their canonical text, times as our 27 characters.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Engine, MetaData, create_engine
from sqlalchemy.pool import NullPool

from plimsoll.runtime.logging import logger
from plimsoll.store.connection import (
    CommitUnclear,
    ControlMoved,
    DriverMissing,
    OwnershipLost,
    Question,
    StoreFailed,
    StoreGone,
)
from plimsoll.store.draft import Brought, Cell, Row
from plimsoll.store.place import ASKER, PostgresPlace
from plimsoll.store.sqlite import staged_rows
from plimsoll.store.statements import (
    arrays_of,
    change_many_sql,
    changing_columns,
    insert_many_sql,
    replace_many_sql,
)

try:
    import psycopg
except ImportError as missing:
    raise DriverMissing from missing

from psycopg import sql
from psycopg.adapt import Buffer, Loader
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus
from psycopg.types.numeric import Int8Dumper

if TYPE_CHECKING:
    from plimsoll.store.lease import Fence

log = logger("postgres")

#: As long as SQLite waits for a lock.
LOCK_TIMEOUT_MS = 5_000
#: So many rows into a table that was empty, the server is told to look at it.
GROWN = 500
#: A dead server is found out, and does not hold up the desk for the two hours that TCP would.
_PATIENCE = {
    "connect_timeout": 5,
    "keepalives_idle": 30,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "application_name": "plimsoll",
}
#: What every session of ours says, whatever the server, the database or the role was set to.
_SETTINGS = {
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "client_encoding": "UTF8",
    "synchronous_commit": "on",
    "lock_timeout": str(LOCK_TIMEOUT_MS),
    "statement_timeout": "60000",
    # Our questions go by a whole key and our arrays have no statistics: planning each anew would only cost time.
    "plan_cache_mode": "force_generic_plan",
}
#: What a fence makes the server say; see `lease`.
OWNERSHIP_LOST = "plimsoll.ownership_lost"
CONTROL_MOVED = "plimsoll.control_moved"
#: Kinds of refusal that no row can be blamed for: resources, operators, locks, standby, the connection itself.
_NOBODYS_FAULT = ("08", "53", "55", "57", "58", "XX", "25006")


class NumericText(Loader):
    """A decimal as its canonical text: PostgreSQL writes all 18 places."""

    def load(self, data: Buffer) -> str:
        text = bytes(data).decode()
        return text.rstrip("0").rstrip(".") if "." in text else text


class TimeText(Loader):
    """A time as our 27 characters. What is none of ours (a year before Christ, infinity) stays as it is written."""

    def load(self, data: Buffer) -> str:
        text = bytes(data).decode()
        if len(text) > 29 or not text.endswith("+00"):
            return text
        return f"{text[:10]}T{text[11:19]}.{text[20:-3]:0<6}Z"


class PostgresWriter:
    """The writing connection of one schema."""

    def __init__(
        self, place: PostgresPlace, metadata: MetaData, queries: Mapping[str, str], fence: "Fence | None" = None
    ) -> None:
        self._place = place
        self._fence = fence
        self._queries = {name: query.encode() for name, query in queries.items()}
        tables = self._tables = metadata.tables
        self._columns = {name: list(table.columns) for name, table in tables.items()}
        self._changing = {name: columns for name, table in tables.items() if (columns := changing_columns(table))}
        self._insert = {name: insert_many_sql(table).encode() for name, table in tables.items()}
        self._replace = {name: replace_many_sql(table).encode() for name, table in tables.items()}
        self._change = {
            name: statement.encode() for name, table in tables.items() if (statement := change_many_sql(table))
        }
        #: Tables that the server has no statistics of, and how many rows each was given since we looked.
        self._unmeasured: dict[str, int] = {}
        #: What goes out with the next message.
        self._unsent: list[tuple[bytes, Sequence[Any]]] = []
        #: Sessions that we lost, and that may still be at work on a COMMIT.
        self._left: list[Row] = []
        #: One for each question of a message.
        self._cursors: list[psycopg.Cursor[Row]] = []
        self._connection = self._open()

    def begin(self) -> None:
        self._measure_what_grew()
        self._unsent = [(b"BEGIN", ())]
        if self._fence is not None:
            self._unsent.append(self._fence.statement())

    def add(self, table: str, rows: Sequence[Row]) -> None:
        with store_failures(f"write to {table}"):
            self._write(table, self._insert[table], self._columns[table], rows)

    def replace(self, table: str, rows: Sequence[Row]) -> None:
        with store_failures(f"write to {table}"):
            self._write(table, self._replace[table], self._columns[table], rows)

    def change(self, table: str, rows: Sequence[Row]) -> None:
        with store_failures(f"write to {table}"):
            self._write(table, self._change[table], self._changing[table], rows)

    def forget(self, statement: str, calls: Sequence[Row]) -> None:
        self._unsent += [(self._queries[statement], call) for call in calls]

    def bring(self, piece: Brought) -> None:
        # Not by COPY: the server refuses it to whoever is bound by row-level security, which the desk's own role is.
        self.add(piece.table, staged_rows(piece, self._tables[piece.table]))

    def find(self, query: str, parameters: Sequence[Cell]) -> list[Row]:
        with store_failures(f"read {query}"):
            if self._unsent:
                return self._answers([(query, tuple(parameters))])[0]
            # Spelled out: this runs for every order.
            return self._cursor.execute(self._queries[query], parameters, prepare=True).fetchall()

    def find_ahead(self, questions: Sequence[Question]) -> Mapping[Question, list[Row]]:
        asked = list(dict.fromkeys(questions))
        with store_failures("read " + ", ".join(sorted({query for query, _parameters in asked}))):
            return dict(zip(asked, self._answers(asked), strict=True))

    def commit(self) -> None:
        try:
            with self._connection.pipeline():
                self._send()
                answer = self._cursor.execute(b"COMMIT", prepare=False)
        except (psycopg.Error, ValueError) as error:
            if self._connection.closed:
                raise CommitUnclear(f"COMMIT: {_said(error)}") from error
            # The server lives and says no: to a row, and then it skipped the COMMIT, or to the COMMIT itself.
            raise _failure("commit", error) from error
        if answer.statusmessage != "COMMIT":
            raise StoreFailed(f"cannot commit: the server answers {answer.statusmessage}")

    def rollback(self) -> None:
        self._unsent = []
        with store_failures("roll back"):
            # A connection that is gone is not idle either: it says so now, and the scribe opens another one.
            if self._connection.info.transaction_status is not TransactionStatus.IDLE:
                self._cursor.execute(b"ROLLBACK", prepare=False)

    def reopen(self) -> None:
        if self._session not in self._left:
            self._left.append(self._session)
        self.close()
        self._connection = self._open()
        with store_failures("end the session before"):
            while self._left:
                self._end(self._left[0])
                del self._left[0]

    def close(self) -> None:
        self._unsent = []
        self._connection.close()

    def _open(self) -> psycopg.Connection[Row]:
        with store_failures(f"open {self._place}"):
            connection = connect(self._place)
            try:
                if self._fence is not None:
                    self._fence.look(connection)
                self._get_ready(connection)
            except BaseException:
                connection.close()
                raise
            return connection

    def _get_ready(self, connection: psycopg.Connection[Row]) -> None:
        # Our statements are few, and each is asked again: none is forgotten, and each is planned for one type of number
        # instead of one for every size that a number can have.
        connection.prepared_max = None
        connection.adapters.register_dumper(int, Int8Dumper)
        # Kept: making one takes a third of a question's time.
        self._cursor = connection.cursor()
        self._cursors = []
        (self._session,) = self._cursor.execute(
            "SELECT pid, backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()"
        ).fetchall()
        unmeasured = self._cursor.execute(
            "SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace"
            " WHERE nspname = current_schema() AND reltuples <= 0"
        )
        self._unmeasured = {str(name): 0 for (name,) in unmeasured if name in self._insert}

    def _write(self, table: str, statement: bytes, columns: Sequence[Column[Any]], rows: Sequence[Row]) -> None:
        self._unsent.append((statement, arrays_of(columns, rows)))
        if table in self._unmeasured:
            self._unmeasured[table] += len(rows)

    def _measure_what_grew(self) -> None:
        """Let the server look at tables that were empty when it last did.

        It plans a question once. For an empty table one index is as good as another, and with the wrong one it reads
        through half of the table when that has grown: 0.3 ms a question after 4,000 trades, and ten times that soon.
        Left to itself it looks within a minute; a desk that is catching up cannot wait for that.
        """
        grown = [table for table, rows in self._unmeasured.items() if rows >= GROWN]
        if grown:
            with store_failures("measure " + ", ".join(grown)):
                names = sql.SQL(", ").join(map(sql.Identifier, grown))
                self._cursor.execute(sql.SQL("ANALYZE (SKIP_LOCKED) {}").format(names), prepare=False)
            for table in grown:
                del self._unmeasured[table]

    def _answers(self, questions: Sequence[Question]) -> list[list[Row]]:
        """Ask all at once, behind what is unsent."""
        while len(self._cursors) < len(questions):
            self._cursors.append(self._connection.cursor())
        asked = list(zip(self._cursors, questions, strict=False))
        with self._connection.pipeline():
            self._send()
            for cursor, (query, parameters) in asked:
                cursor.execute(self._queries[query], parameters, prepare=True)
        return [cursor.fetchall() for cursor, _question in asked]

    def _send(self) -> None:
        unsent, self._unsent = self._unsent, []
        for statement, parameters in unsent:
            self._cursor.execute(statement, parameters, prepare=bool(parameters))

    def _end(self, session: Row) -> None:
        ended = self._cursor.execute(
            "SELECT pg_terminate_backend(pid, %s) FROM pg_stat_activity WHERE pid = %s AND backend_start::text = %s",
            (LOCK_TIMEOUT_MS, *session),
        ).fetchall()
        if not all(done for (done,) in ended):
            raise StoreGone(f"our session before, process {session[0]} does not end: end it on the server")


def connect(place: PostgresPlace, more: Mapping[str, str] = MappingProxyType({})) -> psycopg.Connection[Row]:
    """Open a session that sees this schema only. Each statement is a transaction until somebody says BEGIN."""
    given = {**_PATIENCE, **_address(place)}
    connection: psycopg.Connection[Row] = psycopg.connect(**given, autocommit=True)
    connection.adapters.register_loader("numeric", NumericText)
    connection.adapters.register_loader("timestamptz", TimeText)
    settings = {**_SETTINGS, **more, "search_path": sql.Identifier(place.schema).as_string(connection)}
    calls = sql.SQL(", ").join(sql.SQL("set_config({}, {}, false)").format(*words) for words in settings.items())
    connection.execute(sql.SQL("SELECT ") + calls)
    return connection


def _address(place: PostgresPlace) -> dict[str, Any]:
    try:
        return conninfo_to_dict(place.url)
    except psycopg.Error:
        # What the driver says of an address that it cannot read repeats it, and the password with it.
        raise StoreFailed(
            "cannot read the database's address: write postgresql://user:password@host:port/database, "
            "and what is special in the password as % with two digits"
        ) from None


def people_reader(place: PostgresPlace) -> Engine:
    """Open a schema for reading by people: row-level security hides everybody's rows until a question names its asker.

    Whoever stands above it (a superuser, a role with BYPASSRLS) would see everything all the same; that is said aloud.
    """
    with store_failures(f"open {place}"), connect(place) as connection:
        role = connection.execute(
            "SELECT current_user FROM pg_roles WHERE rolname = current_user AND (rolsuper OR rolbypassrls)"
        ).fetchone()
    if role is not None:
        log.warning("row_security_bypassed", role=role[0], remedy="let the desk connect as a role of its own")
    return reader(place, {ASKER: ""})


def reader(place: PostgresPlace, more: Mapping[str, str] = MappingProxyType({})) -> Engine:
    """Open a schema for reading only, by connections of its own; each sees one moment from its first question on."""

    def open_connection() -> psycopg.Connection[Row]:
        connection = connect(place, more)
        connection.autocommit = False
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        return connection

    return create_engine("postgresql+psycopg://", creator=open_connection, poolclass=NullPool)


@contextmanager
def store_failures(doing: str) -> "Iterator[None]":
    """Say what the driver raised as the port does.

    Raises: StoreFailed
    """
    try:
        yield
    except (psycopg.Error, ValueError) as error:
        raise _failure(doing, error) from error


def _failure(doing: str, error: Exception) -> StoreFailed:
    state = getattr(error, "sqlstate", None)
    if isinstance(error, psycopg.errors.UndefinedObject):
        if OWNERSHIP_LOST in str(error):
            return OwnershipLost()
        if CONTROL_MOVED in str(error):
            return ControlMoved()
    nobodys = isinstance(error, psycopg.Error) and (
        state.startswith(_NOBODYS_FAULT) if state else isinstance(error, psycopg.OperationalError)
    )
    return (StoreGone if nobodys else StoreFailed)(f"cannot {doing}: {_said(error)}")


def _said(error: Exception) -> str:
    return " ".join(str(error).split())
