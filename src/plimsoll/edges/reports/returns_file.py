"""Returns that somebody else reckoned, from a CSV file with the columns `date` and `return`: to check our statistics.

A cell that is empty, `nan` or `null` is a return that nobody knows. Lines may come in any order; a day comes once.
"""

import csv
from collections.abc import Iterable
from datetime import date
from decimal import Decimal, InvalidOperation

from plimsoll.model.errors import Illegal
from plimsoll.model.money import INTEGER_DIGITS

_UNKNOWN = frozenset({"", "nan", "null", "none"})
#: A float's text has at most so many digits; behind it lies nothing that anybody means.
_MOST_CHARACTERS = 64


def read_returns(lines: Iterable[str]) -> tuple[list[date], list[Decimal | None]]:
    """Read days and returns, the oldest first.

    Raises: Illegal, naming line, column and value
    """
    rows = csv.reader(line.replace("\0", "�") for line in lines)
    header = [name.strip().lower() for name in next(rows, [])]
    if "date" not in header or "return" not in header:
        raise Illegal("returns", ",".join(header), "begin the file with a line that names the columns: date,return")
    day_at, return_at = header.index("date"), header.index("return")
    found: dict[date, Decimal | None] = {}
    for row in rows:
        if not any(cell.strip() for cell in row):
            continue
        place = f"line {rows.line_num}"
        if len(row) <= max(day_at, return_at):
            raise Illegal(place, ",".join(row), "give a date and a return")
        day = _day(row[day_at].strip(), place)
        if day in found:
            raise Illegal(f"{place}, column date", day.isoformat(), "a day has one return: leave one of them out")
        found[day] = _return(row[return_at].strip(), place)
    in_order = sorted(found)
    return in_order, [found[day] for day in in_order]


def _day(text: str, place: str) -> date:
    try:
        return date.fromisoformat(text[:10] if text[10:11] in ("T", " ") else text)
    except ValueError:
        raise Illegal(f"{place}, column date", text, "write a day as 2021-01-31") from None


def _return(text: str, place: str) -> Decimal | None:
    if text.lower() in _UNKNOWN:
        return None
    try:
        value = Decimal(text) if len(text) <= _MOST_CHARACTERS else None
    except InvalidOperation:
        value = None
    if value is None or not value.is_finite() or abs(value.adjusted()) > 10 * INTEGER_DIGITS:
        raise Illegal(
            f"{place}, column return", text, "write a return as 0.01 for one percent; leave unknown ones empty"
        )
    if value <= -1 or value.adjusted() >= INTEGER_DIGITS:
        raise Illegal(f"{place}, column return", text, "give a return above -1: no more than everything can be lost")
    return value
