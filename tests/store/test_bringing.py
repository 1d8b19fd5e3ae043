"""Rows that lie ready in a file of their own: brought whole or not at all, on both engines."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from plimsoll.ledger import queries
from plimsoll.ledger.schema import import_lines, metadata
from plimsoll.store.connection import StoreFailed
from plimsoll.store.draft import Brought, Draft
from plimsoll.store.place import Place, reader, writer
from plimsoll.store.sqlite import SqliteWriter
from tests.builders.ledger import ACCOUNT, Books, assert_hot_equals_database, books_at, paying
from tests.store.test_scribe import Unlucky

COUNT = 5
COLUMNS = ", ".join(f'"{column.name}"' for column in import_lines.columns)


@pytest.fixture
def books(place: Place) -> Iterator[Books]:
    opened = Books(Unlucky(writer(place, metadata, queries.compiled(place.dialect))), reader(place)).open()
    yield opened
    assert_hot_equals_database(opened)
    opened.close()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file whose name would be cut short in a URI that is not quoted."""
    folder = tmp_path / "what? 100%#1"
    folder.mkdir()
    return ready(folder / "rows.part", COUNT)


def ready(path: Path, count: int, columns: str = COLUMNS, account: int = ACCOUNT.id) -> Path:
    with closing(sqlite3.connect(path)) as file:
        file.execute(f"CREATE TABLE import_lines ({columns})")
        rows = [(account, 1, number, number, "{}", 'raw "1", \\ and NULL') for number in range(1, count + 1)]
        file.executemany(f"INSERT INTO import_lines VALUES ({', '.join('?' * 6)})", rows)
        file.commit()
    return path


def bringing(path: Path, first: int = 1, last: int = COUNT, owner: int = ACCOUNT.id) -> Any:
    piece = Brought(path, "import_lines", owner, first, last)
    return lambda draft: draft.bring(piece)


def there(books: Books) -> list[tuple[Any, ...]]:
    with books.engine.connect() as connection:
        asked = connection.exec_driver_sql("SELECT item, raw FROM import_lines ORDER BY item")
        return [tuple(row) for row in asked]


def test_rows_are_brought_as_they_lie(books: Books, source: Path) -> None:
    """Only those that are named, behind each other, with whatever else the group writes."""
    answers = books.together(bringing(source, 2, 3), paying("1", "a"), bringing(source, 4, 4))
    assert answers == [None, True, None]
    assert there(books) == [(number, 'raw "1", \\ and NULL') for number in (2, 3, 4)]
    books.write(bringing(source, 1, 1))
    assert [number for number, _ in there(books)] == [1, 2, 3, 4]


def test_rows_of_several_files_come_in_one_group(books: Books, source: Path, tmp_path: Path) -> None:
    other = ready(tmp_path / "other.part", 9)
    books.together(bringing(source, 1, 2), bringing(other, 7, 9), bringing(source, 3, 3))
    assert [number for number, _ in there(books)] == [1, 2, 3, 7, 8, 9]


@pytest.mark.parametrize(
    ("first", "last", "owner"), [(1, COUNT + 1, ACCOUNT.id), (0, 1, ACCOUNT.id), (1, 2, 77), (3, 2, ACCOUNT.id)]
)
def test_fewer_rows_than_were_named_are_none(books: Books, source: Path, first: int, last: int, owner: int) -> None:
    """Also where somebody else's lie in their place. Neighbours lose nothing."""
    refused, kept = books.together(bringing(source, first, last, owner), paying("1", "a"))
    assert isinstance(refused, StoreFailed)
    assert "import again" in str(refused)
    assert kept is True
    assert there(books) == []
    assert books.balance("spot", "USDT") == 1


def test_a_file_that_is_none_of_ours_is_a_failure_of_its_unit(books: Books, tmp_path: Path) -> None:
    """Gone, no database, without the table, with other columns: each named, and nothing left open."""
    gone, broken, empty, other = (tmp_path / name for name in ("gone", "broken", "empty", "other"))
    broken.write_bytes(b"no database at all, but as long as a page of one" * 100)
    empty.touch()
    ready(other, COUNT, COLUMNS.replace('"raw"', '"row"'))
    for path in (gone, broken, empty, other):
        refused, kept = books.together(bringing(path), paying("1", path.name))
        assert isinstance(refused, StoreFailed), path
        assert str(path) in str(refused)
        assert kept is True
    assert not gone.exists()
    assert there(books) == []


def test_a_row_that_the_book_refuses_brings_none(books: Books, source: Path) -> None:
    """A number that is there already, somewhere in the middle."""
    books.write(bringing(source, 3, 3))
    refused, kept = books.together(bringing(source), paying("1", "a"))
    assert isinstance(refused, StoreFailed)
    assert kept is True
    assert [number for number, _ in there(books)] == [3]


def test_a_unit_that_fails_behind_it_brings_nothing(books: Books, source: Path) -> None:
    def unit(draft: Draft) -> None:
        bringing(source)(draft)
        raise LookupError("behind")

    refused, kept = books.together(unit, paying("1", "a"))
    assert isinstance(refused, LookupError)
    assert kept is True
    assert there(books) == []


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_commit_without_an_answer_is_looked_up(books: Books, source: Path, moment: str) -> None:
    assert isinstance(books.connection, Unlucky)
    books.connection.fail_commit = moment
    (answer,) = books.together(bringing(source))
    assert (answer is None) is (moment == "after")
    assert len(there(books)) == (COUNT if moment == "after" else 0)
    books.write(bringing(source) if moment == "before" else paying("1", "a"))
    assert len(there(books)) == COUNT


def test_what_a_unit_asks_sees_what_was_brought_before_it(books: Books, source: Path) -> None:
    """A unit that refolds has the group's rows written first, those of a file too."""

    def count(draft: Draft) -> int:
        return len(draft.find_with_group("all_meta"))

    assert books.together(bringing(source, 1, 2), count, bringing(source, 3, 3))[1] == 0
    assert len(there(books)) == 3


def attached(books: Books) -> list[str]:
    connection = books.connection
    assert isinstance(connection, SqliteWriter)
    return [row[1] for row in connection._connection.execute("PRAGMA database_list")]


def test_a_file_is_let_go_of_with_its_transaction(tmp_path: Path) -> None:
    """It may be removed then; a locked one holds nobody up, and one that stays attached harms nobody."""
    books = books_at(_made(tmp_path)).open()
    source = ready(tmp_path / "rows.part", COUNT)
    with closing(sqlite3.connect(source, isolation_level=None)) as owner:
        owner.execute("BEGIN EXCLUSIVE")
        books.write(bringing(source, 1, 2))
        assert attached(books) == ["main"]
    refused = books.together(bringing(source, 1, 3))[0]
    assert isinstance(refused, StoreFailed)
    assert attached(books) == ["main"]
    connection = books.connection
    assert isinstance(connection, SqliteWriter)
    connection.begin()
    connection.bring(Brought(source, "import_lines", ACCOUNT.id, 3, 3))
    held = connection._connection.execute("SELECT * FROM staged_0.import_lines")  # somebody has not read to its end
    connection.commit()
    assert attached(books) == ["main", "staged_0"]
    held.close()
    books.together(bringing(source, 4, 4), bringing(ready(tmp_path / "other.part", 9), 9, 9))
    assert attached(books) == ["main"]
    connection.begin()
    connection.bring(Brought(source, "import_lines", ACCOUNT.id, 5, 5))
    connection.reopen()
    assert attached(books) == ["main"]
    books.write(bringing(source, 5, 5))
    books.close()


def _made(tmp_path: Path) -> Path:
    return tmp_path / "desk.db"


def test_partial_units_are_plain_units(books: Books, source: Path) -> None:
    """What stands in line is any call of a draft."""
    books.write(partial(Draft.bring, piece=Brought(source, "import_lines", ACCOUNT.id, 1, COUNT)))
    assert len(there(books)) == COUNT
