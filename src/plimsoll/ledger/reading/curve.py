"""What an account was worth over time, as few points that hide no trough.

A year of an account is some sixty thousand snapshots, and a page draws three hundred points. The database reads them in
the order they lie in and gives three numbers of each; which are shown is chosen while they go by, and only those are
read whole. Floats only choose: what is told is the text that was stored.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, Float, String, cast, select, type_coerce

from plimsoll.ledger import schema
from plimsoll.ledger.reading import owning
from plimsoll.ledger.reading.asking import Reading
from plimsoll.ledger.views import EquityPoint
from plimsoll.model.clock import parse_time
from plimsoll.model.ids import AccountId

#: Rows that are in memory at once.
_AT_ONCE = 2_000
#: What a stretch is told by: its lowest and its highest equity, and its deepest drawdown.
_EXTREMES = 3
_ROWS = schema.equity_snapshots.c


class CurveReading(Reading):
    """Equity over time."""

    __slots__ = ()

    def equity(
        self, account_id: AccountId, *, since: datetime | None, until: datetime | None, points: int
    ) -> tuple[EquityPoint, ...]:
        """Give an account's equity between two times, oldest first, as at most so many points.

        Where there are more, each stretch of them is told by its lowest and highest equity and its deepest drawdown,
        and the whole by its first and last too: a curve that leaves a trough out lies about the risk that was taken.
        """
        meant = _meant(account_id, since, until) & owning.in_own_account(self._asker, _ROWS.account_id)
        with self._moment() as connection:
            shown = meant
            # One more than may be shown: whether it is there says whether anything has to be left out.
            first_ones = select(_ROWS.id).where(meant).order_by(_ROWS.id).limit(points + 1)
            begin = connection.execute(first_ones).scalars().all()
            if len(begin) > points:
                last = connection.execute(select(_ROWS.id).where(meant).order_by(_ROWS.id.desc()).limit(1)).scalar_one()
                seen = select(_ROWS.id, cast(_ROWS.equity, Float), cast(_ROWS.drawdown, Float)).where(meant)
                with connection.execution_options(stream_results=True).execute(seen.order_by(_ROWS.id)) as found:
                    numbers = sorted(chosen(_as_they_come(found), begin[0], last, points))
                shown = meant & _ROWS.id.in_(numbers)
            as_text = [
                type_coerce(column, String)
                for column in (_ROWS.at, _ROWS.equity, _ROWS.nav, _ROWS.peak, _ROWS.drawdown)
            ]
            told = connection.execute(select(*as_text).where(shown).order_by(_ROWS.at, _ROWS.id))
            return tuple(_point(tuple(row)) for row in told)


def chosen(rows: Iterable[Any], first: int, last: int, points: int) -> set[int]:
    """Choose at most so many of (number, equity, drawdown), the first and the last and the extremes among them.

    Shapes: in the order of the numbers, from `first` to `last`; numbers grow with time, so equal stretches of numbers
        are about equal stretches of time
    """
    if points <= 2:
        return {first, last} if points == 2 else {first}
    stretches = max(1, (points - 2) // _EXTREMES)
    width = (last - first) // stretches + 1
    numbers: dict[int, None] = {first: None, last: None}
    end, low, high, deep = first - 1, 0.0, 0.0, 0.0
    at_low = at_high = at_deep = first
    for number, equity, drawdown in rows:
        if number > end:
            numbers |= dict.fromkeys((at_low, at_high, at_deep))
            end = first + ((number - first) // width + 1) * width - 1
            low = high = equity
            deep = drawdown
            at_low = at_high = at_deep = number
            continue
        if equity < low:
            low, at_low = equity, number
        elif equity > high:
            high, at_high = equity, number
        if drawdown > deep:
            deep, at_deep = drawdown, number
    numbers |= dict.fromkeys((at_low, at_high, at_deep))
    # Of three or four points, one or two are left for the extremes of the only stretch: the lowest comes first.
    return set(list(numbers)[:points])


def _as_they_come(found: CursorResult[Any]) -> Iterator[Any]:
    # Past SQLAlchemy's rows, which cost as much again as reading them: a number and two floats need no wrapping.
    while rows := found.cursor.fetchmany(_AT_ONCE):
        yield from rows


def _meant(account_id: AccountId, since: datetime | None, until: datetime | None) -> ColumnElement[bool]:
    # The account as a whole; a portfolio has a curve of its own.
    meant = (_ROWS.account_id == account_id) & (_ROWS.portfolio_id == 0)
    if since is not None:
        meant &= _ROWS.at >= since.astimezone(UTC)
    if until is not None:
        meant &= _ROWS.at <= until.astimezone(UTC)
    return meant


def _point(row: tuple[str, ...]) -> EquityPoint:
    at, *numbers = row
    return EquityPoint(parse_time(at), *map(Decimal, numbers))
