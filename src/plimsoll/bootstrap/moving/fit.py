"""Whether a cell is one that either engine takes and gives back as it got it.

SQLite takes any cell into any column, and has no types for decimals and times: there nobody else would look. PostgreSQL
refuses what is no number, time or text of its own, but names no column when many rows come at once. What constraints
say is not looked at here: the target's own are in force while rows come in.

A block of rows is looked at column by column; single cells only where a column holds something that does not fit.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Integer, Table

from plimsoll.ledger.verify.proof import place_of
from plimsoll.model.clock import parse_time
from plimsoll.model.errors import Illegal
from plimsoll.model.money import INTEGER_DIGITS, PLACES
from plimsoll.store.columns import Exact, Utc
from plimsoll.store.draft import Cell, Row

_DECIMAL = re.compile(rf"(?!-0$)-?(0|[1-9][0-9]{{0,{INTEGER_DIGITS - 1}}})(\.[0-9]{{0,{PLACES - 1}}}[1-9])?")
_NOTHING = type(None)
#: Of a cell that is shown.
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Unfit:
    """A row that the target does not take, or would not give back."""

    #: `desk`, or `paper` for the venue's own.
    book: str
    table: str
    #: Which row, by its key.
    row: str
    #: Empty where a constraint over several refuses it.
    column: str
    sentence: str


def unfit_cells(book: str, table: Table, rows: Sequence[Row]) -> dict[int, Unfit]:
    """Find the rows that hold a cell of another kind than its column.

    Shapes: -> by the row's place among `rows`, its first such cell
    """
    found: dict[int, Unfit] = {}
    for column, cells in zip(table.columns, zip(*rows, strict=True), strict=True):
        if _all_fit(column, cells):
            continue
        for place, sentence in _misfits(column, cells):
            found.setdefault(place, Unfit(book, table.name, place_of(table, rows[place]), column.name, sentence))
    return found


def _all_fit(column: Column[Any], cells: Sequence[Cell]) -> bool:
    kinds = set(map(type, cells))
    if _NOTHING in kinds and not column.nullable:
        return False
    if isinstance(column.type, Integer):
        return kinds <= {int, _NOTHING}
    if not kinds <= {str, _NOTHING}:
        return False
    texts = [cell for cell in cells if isinstance(cell, str)]
    if isinstance(column.type, Exact):
        return all(map(_DECIMAL.fullmatch, texts))
    if isinstance(column.type, Utc):
        return all(map(_is_time, set(texts)))
    return "\0" not in "".join(texts)


def _misfits(column: Column[Any], cells: Sequence[Cell]) -> Iterator[tuple[int, str]]:
    for place, cell in enumerate(cells):
        if not _all_fit(column, (cell,)):
            yield place, _sentence(column, cell)


def _sentence(column: Column[Any], cell: Cell) -> str:
    if cell is None:
        return "it is empty, and must not be"
    shown = repr(cell) if len(repr(cell)) <= _SHOWN else f"{repr(cell)[:_SHOWN]}…"
    if isinstance(column.type, Integer):
        return f"{shown} is no whole number"
    if isinstance(column.type, Exact):
        return f"{shown} is no decimal of up to {INTEGER_DIGITS} digits and {PLACES} places in its canonical text"
    if isinstance(column.type, Utc):
        return f"{shown} is no time of ours, such as 2022-01-21T10:05:00.000000Z"
    if isinstance(cell, str):
        return f"{shown} holds the sign NUL, which PostgreSQL keeps in no text"
    return f"{shown} is no text"


def _is_time(cell: str) -> bool:
    try:
        parse_time(cell)
    except Illegal:
        return False
    return True
