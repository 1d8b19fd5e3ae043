"""SQLite itself: what is refused, what is full, what is locked, and what a reader sees."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import OperationalError, StatementError

from plimsoll.ledger import queries, schema
from plimsoll.ledger.schema import metadata
from plimsoll.store.chain import GENESIS, canonical_bytes, link
from plimsoll.store.columns import Exact, Utc
from plimsoll.store.connection import CommitUnclear, StoreFailed
from plimsoll.store.draft import Cell
from plimsoll.store.sqlite import SqliteWriter, reader
from plimsoll.store.statements import insert_sql, replace_sql
from tests.builders.ledger import Books, assert_hot_equals_database, books_at, paying


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A folder whose name would be cut short in a URI that is not quoted."""
    folder = tmp_path / "what? 100%#1"
    folder.mkdir()
    return folder / "desk.db"


@pytest.fixture
def books(path: Path) -> Iterator[Books]:
    books = books_at(path).open()
    yield books
    books.close()


def pragma(books: Books, name: str) -> object:
    writer = books.connection
    assert isinstance(writer, SqliteWriter)
    return writer._connection.execute(f"PRAGMA {name}").fetchone()[0]


def test_the_writer_is_durable_and_checks_references(books: Books) -> None:
    """WAL with FULL: a commit that was answered survives a power cut."""
    assert pragma(books, "journal_mode") == "wal"
    assert pragma(books, "synchronous") == 2
    assert pragma(books, "foreign_keys") == 1


def test_a_full_disk_fails_the_unit_and_the_next_one_passes(books: Books) -> None:
    """Nothing is half written; as soon as there is room again the desk goes on."""
    full = int(str(pragma(books, "page_count")))
    assert pragma(books, f"max_page_count = {full}") == full
    refused = None
    for number in range(2_000):
        (refused,) = books.together(paying("1", f"{number:0>200}"))
        if refused is not True:
            break
    assert isinstance(refused, StoreFailed)
    assert "full" in str(refused)
    assert_hot_equals_database(books)
    pragma(books, "max_page_count = 100000")
    assert books.write(paying("1", f"{number:0>200}")) is True
    assert books.balance("spot", "USDT") == number + 1
    assert_hot_equals_database(books)


def test_a_read_only_file_fails_every_unit(path: Path) -> None:
    """The file system was mounted read-only after an error."""
    books_at(path).open().close()

    def connect(_path: str) -> sqlite3.Connection:
        return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)

    books = books_at(path, connect)
    with pytest.raises(StoreFailed, match="readonly"):
        books.write(paying("1", "a"))
    assert books.balance("spot", "USDT") == 0
    books.close()


def test_a_locked_database_is_told_as_such_and_served_afterwards(path: Path) -> None:
    """Another process holds the write lock for longer than we wait."""
    books_at(path).close()

    def impatient(name: str) -> sqlite3.Connection:
        connection = sqlite3.connect(name, isolation_level=None)
        return _Impatient(connection)  # type: ignore[return-value]  # what the writer uses of one

    books = books_at(path, impatient).open()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreFailed, match="locked"):
            books.write(paying("1", "a"))
        other.execute("ROLLBACK")
    assert books.write(paying("1", "a")) is True
    assert_hot_equals_database(books)
    books.close()


class _Impatient:
    """A connection that never waits for a lock, whatever it is told."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def execute(self, sql: str, parameters: Sequence[Cell] = ()) -> sqlite3.Cursor:
        return self._connection.execute("PRAGMA busy_timeout = 0" if "busy_timeout" in sql else sql, parameters)

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)


def test_a_commit_that_fails_is_unclear(path: Path) -> None:
    """A broken reference that is checked at the commit: the port says "unclear", and the scribe looks itself."""
    books_at(path).close()
    writer = SqliteWriter(path, metadata, queries.compiled())
    writer._connection.execute("PRAGMA defer_foreign_keys = ON")
    writer.begin()
    writer._connection.execute("PRAGMA defer_foreign_keys = ON")
    writer.replace("leverages", [(1, 1, "2")])
    with pytest.raises(CommitUnclear, match="FOREIGN KEY"):
        writer.commit()
    writer.reopen()
    assert writer.find("all_leverages", ()) == []
    writer.close()


def test_a_place_that_cannot_be_opened_is_a_failure_of_the_store(tmp_path: Path) -> None:
    with pytest.raises(StoreFailed, match="cannot open"):
        SqliteWriter(tmp_path / "no such folder" / "desk.db", metadata, {})


def test_a_reader_cannot_write_and_sees_one_moment(books: Books, path: Path) -> None:
    """From its first question on, whatever the writer commits meanwhile."""
    books.write(paying("1", "a"))
    engine = reader(path)
    cash = select(schema.cash_lines.c.amount).order_by(schema.cash_lines.c.id)
    with engine.connect() as connection:
        assert list(connection.execute(cash).scalars()) == [Decimal(1)]
        books.write(paying("2", "b"))
        assert list(connection.execute(cash).scalars()) == [Decimal(1)]
    with engine.connect() as connection:
        assert list(connection.execute(cash).scalars()) == [Decimal(1), Decimal(2)]
        with pytest.raises(OperationalError, match="readonly"):
            connection.execute(insert(schema.meta).values(name="a", value="b"))


def test_statements_name_every_column_in_the_tables_order() -> None:
    """A row is a tuple: a column out of place would be another fact."""
    table = Table("t", MetaData(), Column("a", Integer, primary_key=True), Column("b", String), Column("c", String))
    assert insert_sql(table) == "INSERT INTO t (a, b, c) VALUES (?, ?, ?)"
    assert replace_sql(table) == (
        "INSERT INTO t (a, b, c) VALUES (?, ?, ?) ON CONFLICT (a) DO UPDATE SET b = excluded.b, c = excluded.c"
    )


def test_decimals_and_times_go_through_as_their_one_text() -> None:
    """And come back as what they were; None stays None."""
    lite, post = sqlite.dialect(), postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's
    exact, utc = Exact(), Utc()
    noon = datetime(2022, 1, 21, 12, tzinfo=UTC)
    for number, text in (("1E+2", "100"), ("1.50", "1.5"), ("-0.0", "0"), ("1E-18", "0.000000000000000001")):
        assert exact.process_bind_param(Decimal(number), lite) == text
        assert exact.process_result_value(text, lite) == Decimal(number)
    assert utc.process_bind_param(noon, lite) == "2022-01-21T12:00:00.000000Z"
    assert utc.process_result_value("2022-01-21T12:00:00.000000Z", lite) == noon
    assert utc.process_bind_param(noon, post) is noon
    assert utc.process_result_value(noon, post) is noon
    for kind in (exact, utc):
        assert kind.process_bind_param(None, lite) is None
        assert kind.process_result_value(None, lite) is None
    assert str(exact.compile(lite)) == "VARCHAR"
    assert str(exact.compile(post)) == "NUMERIC(38, 18)"
    assert str(utc.compile(lite)) == "VARCHAR(27)"
    assert str(utc.compile(post)) == "TIMESTAMP WITH TIME ZONE"


def test_a_time_of_another_zone_is_refused_at_the_column(books: Books, path: Path) -> None:
    elsewhere = datetime(2022, 1, 21, 12, tzinfo=timezone(timedelta(hours=1)))
    with reader(path).connect() as connection, pytest.raises(StatementError, match="UTC"):
        connection.execute(select(schema.nav).where(schema.nav.c.peak_at == elsewhere))


def test_a_link_depends_on_the_key_the_link_before_and_every_cell() -> None:
    """And on their order, and on which table they are in."""
    rows = [("trades", [(1, "a", None), (2, "b", "1.5")])]
    first = link(b"key", GENESIS, canonical_bytes(rows))
    assert len(first) == 64
    assert first == link(b"key", GENESIS, canonical_bytes([("trades", [[1, "a", None], [2, "b", "1.5"]])]))
    others = [
        link(b"other", GENESIS, canonical_bytes(rows)),
        link(b"key", first, canonical_bytes(rows)),
        link(b"key", GENESIS, canonical_bytes([("trades", [(1, "a", None), (2, "b", 1)])])),
        link(b"key", GENESIS, canonical_bytes([("trades", [(2, "b", "1.5"), (1, "a", None)])])),
        link(b"key", GENESIS, canonical_bytes([("cash_lines", rows[0][1])])),
    ]
    assert len({first, *others}) == 6
