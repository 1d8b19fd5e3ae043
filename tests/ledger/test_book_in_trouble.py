"""The book when its database is in trouble: a clear no, nothing half written, memory right, proven while it runs."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from plimsoll.ledger import queries
from plimsoll.ledger.book_trade import Booking
from plimsoll.ledger.schema import metadata
from plimsoll.ledger.verify import verify
from plimsoll.model.order import Side
from plimsoll.store.connection import StoreFailed
from plimsoll.store.place import Place, PostgresPlace, SqlitePlace
from plimsoll.store.sqlite import SqliteWriter
from tests.builders.ledger import CHAIN_KEY, PERPETUAL, SPOT, Books, booking, buy, hot_of_database, stored
from tests.builders.places import books_in

#: Lasts as long as its block.
Trouble = Callable[[Place], AbstractContextManager[None]]


class Unlucky(sqlite3.Connection):
    """A connection that waits for no lock, and whose commits fail when told to."""

    #: What becomes of the next COMMIT: it fails before, or behind it, or not at all.
    mood: str = ""

    def execute(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
        if "busy_timeout" in statement:
            return super().execute("PRAGMA busy_timeout = 0")
        mood = Unlucky.mood
        if statement == "COMMIT" and mood:
            Unlucky.mood = ""
            if mood == "lost":
                super().execute("ROLLBACK")
            else:
                super().execute("COMMIT")
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(statement, *parameters)


@contextmanager
def full(place: Place) -> Iterator[None]:
    """No page may be added."""
    assert isinstance(place, SqlitePlace)
    with limited(place, "PRAGMA max_page_count = 1"):
        yield


@contextmanager
def limited(place: SqlitePlace, pragma: str) -> Iterator[None]:
    writer = OPEN[place.path]
    writer._connection.execute(pragma)
    yield
    writer._connection.execute("PRAGMA max_page_count = 1000000")
    writer._connection.execute("PRAGMA query_only = OFF")


@contextmanager
def read_only(place: Place) -> Iterator[None]:
    assert isinstance(place, SqlitePlace)
    with limited(place, "PRAGMA query_only = ON"):
        yield


@contextmanager
def locked(place: Place) -> Iterator[None]:
    """Somebody else holds what the desk must write."""
    assert isinstance(place, SqlitePlace)
    with closing(sqlite3.connect(place.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def commit(mood: str) -> Trouble:
    @contextmanager
    def trouble(_place: Place) -> Iterator[None]:
        Unlucky.mood = mood
        yield
        assert Unlucky.mood == "", "the commit was reached"

    return trouble


@contextmanager
def killed_backend(place: Place) -> Iterator[None]:
    """End every session of the database but the one that does so."""
    assert isinstance(place, PostgresPlace)
    with closing(psycopg.connect(place.url, autocommit=True)) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    yield


OPEN: dict[Path, SqliteWriter] = {}
TROUBLES: dict[str, dict[str, Trouble]] = {
    "sqlite": {
        "full": full,
        "read-only": read_only,
        "locked": locked,
        "commit that failed": commit("lost"),
        "commit that happened and failed to say so": commit("happened"),
    },
    "postgresql": {"killed backend": killed_backend},
}
#: How many of the two hear a no. What fits into a full disk is written; a commit that happened is a yes.
FAILED = {
    ("sqlite", "full"): 1,
    ("sqlite", "read-only"): 2,
    ("sqlite", "locked"): 2,
    ("sqlite", "commit that failed"): 2,
    ("sqlite", "commit that happened and failed to say so"): 0,
    ("postgresql", "killed backend"): 2,
}


def open_books(place: Place) -> Books:
    if isinstance(place, PostgresPlace):
        return books_in(place)
    writer = SqliteWriter(
        place.path,
        metadata,
        queries.compiled("sqlite"),
        connect=lambda path: sqlite3.connect(path, isolation_level=None, factory=Unlucky),
    )
    OPEN[place.path] = writer
    return Books(writer)


def prove(place: Place, books: Books) -> None:
    report = verify(place, CHAIN_KEY, None)
    assert report.ok, report.findings
    fresh = books_in(place)
    assert hot_of_database(fresh.connection) == stored(books)
    fresh.close()


@pytest.mark.parametrize(
    ("place", "name"),
    [(dialect, name) for dialect, troubles in TROUBLES.items() for name in troubles],
    indirect=["place"],
)
def test_a_book_in_trouble_says_no_and_stays_whole(place: Place, name: str) -> None:
    """D2, D3, D4: an order, two fills of it and one beside it; the trouble comes at the second fill."""
    trouble = TROUBLES[place.dialect][name]
    books = open_books(place).open()
    order = books.place("a", PERPETUAL, Side.BUY, "2", price="100")
    of_order = {"client_order_id": order.client_order_id}
    assert books.book(buy(PERPETUAL, "1", "100", 1, fee=Decimal("0.1"), **of_order)) == [Booking.BOOKED]
    second = buy(PERPETUAL, "1", "101", 2, fee=Decimal("0.1"), **of_order)
    long_id = "x" * 20_000  # more than fits into a page that is there
    beside = buy(SPOT, "1", "100", 3, trade_id=long_id)
    with trouble(place):
        answers = books.together(booking(second), booking(beside))
        prove(place, books)
    failed = [answer for answer in answers if isinstance(answer, StoreFailed)]
    assert len(failed) == FAILED[place.dialect, name], answers
    # Who was told no finds nothing of it; who was told yes finds it, and so does the next start.
    told = [answer == [Booking.BOOKED] for answer in answers]
    again = books.together(booking(second), booking(beside))
    assert again == [[Booking.REPEATED if yes else Booking.BOOKED] for yes in told]
    position = books.position(PERPETUAL)
    assert position is not None
    assert position.quantity == 2
    prove(place, books)
    books.close()
