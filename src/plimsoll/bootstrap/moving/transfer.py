"""Rows go over: read in the order of their keys, judged, written a few thousand at a time; and read again, compared.

What if we are killed? What is there are the first rows of a table, whole transactions of them: the next run asks the
target for its last key, and goes on behind it. What if the target refuses a block? It is halved until the rows to blame
stand alone; those that fit are written, so that one run tells all that is wrong, up to a hundred.
What if a row was written twice, left out, or came out as another? Then the comparison names it: it reads everything
again, also what an earlier run has brought.
"""

import hashlib
import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import islice, zip_longest
from typing import Any

import orjson
from sqlalchemy import Connection, MetaData, Select, Table, func, select, tuple_

from plimsoll.bootstrap.moving.fit import Unfit, unfit_cells
from plimsoll.ledger.streaming import streamed
from plimsoll.ledger.verify.proof import place_of
from plimsoll.model.errors import PlimsollError
from plimsoll.store.connection import StoreFailed, StoreGone, WriterConnection
from plimsoll.store.draft import Row
from plimsoll.store.place import Place, reader, writer
from plimsoll.store.statements import select_as_stored

#: Rows of a transaction, and of a step of the comparison.
BLOCK = 5_000
#: So many rows that do not fit are told; whoever mends those moves again.
MOST_TOLD = 100
#: Who owns the books is a matter of the place where they lie.
NOT_MOVED = "leases"


class RowsDiffer(PlimsollError):
    """What arrived is not what was sent; nothing was put in place. Say --anew to begin again."""


#: Hears which step it is at, how many of its rows are done, and of how many; 0 of 0 where nobody counts them.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Book:
    """One of the books that a desk consists of, and where it goes."""

    #: `desk`, or `paper` for the venue's own.
    name: str
    metadata: MetaData
    source: Place
    target: Place

    @property
    def tables(self) -> list[Table]:
        """List its tables, who is pointed at first."""
        return [table for table in self.metadata.sorted_tables if table.name != NOT_MOVED]


@dataclass(frozen=True, slots=True)
class Arrived:
    """A table that lies in the target as it lies in the source."""

    book: str
    table: str
    rows: int
    #: Of every row's cells as they are stored, in the order of the keys.
    digest: str


@dataclass(frozen=True, slots=True)
class Transferred:
    """What came over."""

    arrived: tuple[Arrived, ...]
    unfit: tuple[Unfit, ...]
    #: Rows that an earlier run had brought.
    found: int


class _Enough(Exception):
    """So much does not fit that nobody reads on."""


def transfer(books: Sequence[Book], progress: Progress) -> Transferred:
    """Bring all rows over, and compare what arrived; the target's tables are made.

    Shapes: -> where anything does not fit, nothing was compared
    Raises: StoreFailed, CommitUnclear: what is there is gone on with by the next run
            RowsDiffer
    """
    # What a server refuses is told by us, once a row, instead of once a block that was halved.
    logging.getLogger("psycopg").setLevel(logging.ERROR)
    unfit: list[Unfit] = []
    with ExitStack() as stack:
        # Each source is seen as of one moment from here to the end: a rehearsal may run while its desk trades.
        sources = [(book, stack.enter_context(reader(book.source).connect())) for book in books]
        total = sum(_size(connection, table) for book, connection in sources for table in book.tables)
        counted, found = _Counted(progress, "moving", total), 0
        try:
            for book, connection in sources:
                found += _load(book, connection, unfit, counted)
        except _Enough:
            pass
        if unfit:
            return Transferred((), tuple(unfit), found)
        counted = _Counted(progress, "comparing", total)
        arrived = [each for book, connection in sources for each in _compare(book, connection, counted)]
    return Transferred(tuple(arrived), (), found)


class _Counted:
    """Adds up the rows of a step."""

    def __init__(self, progress: Progress, step: str, total: int) -> None:
        self._progress, self._step, self._total = progress, step, total
        self._done = 0
        progress(step, 0, total)

    def more(self, rows: int) -> None:
        self._done += rows
        self._progress(self._step, self._done, self._total)


def _size(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


# There ----------------------------------------------------------------------------------------------------------------


def _load(book: Book, source: Connection, unfit: list[Unfit], counted: _Counted) -> int:
    """Bring the rows that are not there yet; give how many were."""
    # Asked before anything is written, and let go of: a reader that stays keeps SQLite's log of writes from ending.
    with reader(book.target).connect() as target:
        rests = [(table, *_rest(target, table)) for table in book.tables]
    with closing(writer(book.target, book.metadata, {})) as written:
        for table, rest, there in rests:
            counted.more(there)
            for rows in _blocks(book, table, streamed(source, rest), unfit):
                _write(book, table, written, _that_fit(book, table, rows, unfit), unfit)
                counted.more(len(rows))
    return sum(there for _, _, there in rests)


def _rest(target: Connection, table: Table) -> tuple[Select[Any], int]:
    """Ask for the rows behind the last one that is there, and say how many are."""
    keys, rows = list(table.primary_key.columns), select_as_stored(table)
    last = target.execute(select(*keys).order_by(*(key.desc() for key in keys)).limit(1)).first()
    if last is None:
        return rows, 0
    return rows.where(tuple_(*keys) > tuple_(*last)), _size(target, table)


def _blocks(book: Book, table: Table, rows: Iterator[Row], unfit: list[Unfit]) -> Iterator[list[Row]]:
    while True:
        try:
            block = list(islice(rows, BLOCK))
        except sqlite3.Error as broken:
            if "decode" not in str(broken):
                raise
            # SQLite keeps any bytes as text; its driver names the column, and no row.
            _tell(unfit, Unfit(book.name, table.name, "", "", f"its rows cannot be read: {broken}"))
            return
        if not block:
            return
        yield block


def _that_fit(book: Book, table: Table, rows: list[Row], unfit: list[Unfit]) -> list[Row]:
    bad = unfit_cells(book.name, table, rows)
    if not bad:
        return rows
    for each in bad.values():
        _tell(unfit, each)
    return [row for place, row in enumerate(rows) if place not in bad]


def _write(book: Book, table: Table, target: WriterConnection, rows: Sequence[Row], unfit: list[Unfit]) -> None:
    if not rows:
        return
    try:
        target.begin()
        target.add(table.name, rows)
        target.commit()
    except StoreFailed as refused:
        target.rollback()
        if not _is_about_rows(refused):
            raise
        if len(rows) == 1:
            sentence = _said(refused)
            _tell(unfit, Unfit(book.name, table.name, place_of(table, rows[0]), "", sentence))
            return
        half = len(rows) // 2
        _write(book, table, target, rows[:half], unfit)
        _write(book, table, target, rows[half:], unfit)


def _is_about_rows(refused: StoreFailed) -> bool:
    # Of SQLite every failure is one kind; a full disk is no row's fault.
    cause = refused.__cause__
    return not isinstance(refused, StoreGone) and not (
        isinstance(cause, sqlite3.Error) and not isinstance(cause, sqlite3.IntegrityError)
    )


def _said(refused: StoreFailed) -> str:
    # A server repeats the whole row behind its sentence.
    told = getattr(refused.__cause__, "diag", None)
    return getattr(told, "message_primary", None) or str(refused.__cause__)


def _tell(unfit: list[Unfit], found: Unfit) -> None:
    unfit.append(found)
    if len(unfit) >= MOST_TOLD:
        raise _Enough


# And there again ------------------------------------------------------------------------------------------------------


def _compare(book: Book, source: Connection, counted: _Counted) -> Iterator[Arrived]:
    with reader(book.target).connect() as target:
        for table in book.tables:
            yield _compared(book, table, source, target, counted)


def _compared(book: Book, table: Table, source: Connection, target: Connection, counted: _Counted) -> Arrived:
    said, rows = hashlib.sha256(), 0
    sent, came = (streamed(connection, select_as_stored(table)) for connection in (source, target))
    while True:
        here, there = list(islice(sent, BLOCK)), list(islice(came, BLOCK))
        if here != there:
            raise RowsDiffer(f"{book.target}: {_first_difference(table, here, there)}. {RowsDiffer.__doc__}")
        if not there:
            return Arrived(book.name, table.name, rows, said.hexdigest())
        # Blocks begin at the same rows in every run and on every engine.
        said.update(orjson.dumps(there))
        rows += len(there)
        counted.more(len(there))


def _first_difference(table: Table, here: Sequence[Row], there: Sequence[Row]) -> str:
    sent, came = next(pair for pair in zip_longest(here, there) if pair[0] != pair[1])
    if sent is None or came is None:
        found = "was not sent" if sent is None else "did not arrive"
        return f"{table.name}: the row {place_of(table, sent or came)} {found}"
    if place_of(table, sent) != place_of(table, came):
        return f"{table.name}: the row {place_of(table, sent)} was sent where {place_of(table, came)} is"
    wrong = next(column.name for column, one, other in zip(table.columns, sent, came, strict=True) if one != other)
    return f"{table.name}: the row {place_of(table, sent)} arrived with another {wrong}"
