"""What stands in the cells of other bots' databases, read without loss: a cell there may be text, a number or nothing.

Rule 1. A float is read by its shortest text, which is what was written: 0.1 is one tenth, and not what the machine
        makes of it. Where a bot divided (10 dollars at a price), that text has more places than a book keeps: the 18th
        is rounded. A text of too many places is refused: somebody meant them.
Rule 2. A time without a zone is UTC, as every bot that keeps them so means it.
Rule 3. What cannot be read is refused with a remedy; nothing is taken for 0.

What must not enter: which column means what.
"""

import json
import re
import sqlite3
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias

from plimsoll.imports import cells
from plimsoll.model import money
from plimsoll.model.errors import Illegal

#: What SQLite keeps.
Cell: TypeAlias = str | int | float | bytes | None

_HOW_PAIR = "write it as BTC-USD or BTC/USD"
_WORD = re.compile(r"[^\s/:_-]{1,40}")


def number_of(cell: Cell, column: str) -> Decimal:
    """Read a number of at most 18 places.

    Raises: Illegal
    """
    if isinstance(cell, bool | bytes) or cell is None:
        raise Illegal(column, cell, "write a plain number, such as 0.05")
    if isinstance(cell, float) and abs(cell) < 10.0**money.INTEGER_DIGITS:
        return money.settle(Decimal(repr(cell)))
    return cells.number(str(cell).strip(), column)


def time_of(cell: Cell, column: str) -> datetime:
    """Read a moment, in UTC; a number is seconds since 1970, or thousandths or millionths of them.

    Raises: Illegal
    """
    return cells.moment(text_of(cell, column), column)


def text_of(cell: Cell, column: str) -> str:
    """Read a text; nothing is empty, and an id that was kept as a number is its digits.

    Raises: Illegal
    """
    if isinstance(cell, bytes):
        raise Illegal(column, cell, "write text")
    return "" if cell is None else cells.printable(str(cell).strip(), column)


def pair_of(symbol: str, column: str, currency: str | None = None) -> tuple[str, str]:
    """Part a symbol into what is traded and what it is paid in; one without a quote is paid in `currency`.

    Raises: Illegal
    """
    if currency is not None and _WORD.fullmatch(symbol):
        base, quote = symbol.upper().removesuffix(currency.upper()) or symbol.upper(), currency.upper()
    else:
        base, quote = cells.split_pair(symbol, column)
    # A name of three parts is a contract's, and nothing here says of which kind.
    if base == quote or not _WORD.fullmatch(base) or not _WORD.fullmatch(quote):
        raise Illegal(column, symbol, _HOW_PAIR)
    return base, quote


def raw_of(row: sqlite3.Row, besides: str = "") -> str:
    """Write a row as it stood, as JSON, without what was asked for besides; what JSON has no word for as it looks."""
    stood = {name: cell for name, cell in zip(row.keys(), tuple(row), strict=True) if name != besides}
    return json.dumps(stood, ensure_ascii=False, default=repr)


def columns_of(connection: sqlite3.Connection, table: str) -> dict[str, tuple[str, str]]:
    """Give the columns of a table, small letters -> (as it is written, its type); none for a table that is not there.

    SQLite takes a column in capitals or not for the same.
    """
    rows = connection.execute(f'PRAGMA table_info("{table}")')
    return {str(row["name"]).lower(): (str(row["name"]), str(row["type"]).upper()) for row in rows}
