"""Cells that may be empty: a time or a number and its text, or null."""

from datetime import datetime
from decimal import Decimal

from plimsoll.model.clock import parse_time, time_text
from plimsoll.model.money import decimal_text
from plimsoll.store.draft import Cell


def text_or_null(when: datetime | None) -> str | None:
    """Write a time, or null."""
    return None if when is None else time_text(when)


def time_or_none(cell: Cell) -> datetime | None:
    """Read a time, or None."""
    return None if cell is None else parse_time(str(cell))


def number_or_null(number: Decimal | None) -> str | None:
    """Write a number, or null."""
    return None if number is None else decimal_text(number)


def number_or_none(cell: Cell) -> Decimal | None:
    """Read a number, or None."""
    return None if cell is None else Decimal(str(cell))
