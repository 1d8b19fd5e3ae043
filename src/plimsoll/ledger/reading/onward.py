"""Rows of one account from the oldest on, a piece at a time: for whoever goes through all of them.

The pages of a list go from the newest back, and say nothing of what was before a day. Here the reader comes with the
number of the last row that he has seen, and the next piece is read from there: each piece is a moment of its own and
leaves nothing open, so that somebody may take an hour between two of them and no desk waits.

Shapes: `above` the row number that was seen last, 0 for none; `since` included, `until` not
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Column, ColumnElement, Select, Table

from plimsoll.ledger import cash, orders, schema, trades
from plimsoll.ledger.reading.asking import Instruments, Portfolios, Reading
from plimsoll.ledger.reading.holdings import BookedLine
from plimsoll.ledger.streaming import streamed
from plimsoll.model.ids import AccountId
from plimsoll.model.order import Order
from plimsoll.model.trade import Trade
from plimsoll.store.draft import Row
from plimsoll.store.statements import select_as_stored

Noun = TypeVar("Noun")


@dataclass(frozen=True, slots=True)
class BookedTrade:
    """A trade with its place in its account's rows."""

    id: int
    trade: Trade


@dataclass(frozen=True, slots=True)
class NamedOrder:
    """An order with what it is for: an instrument that nothing was ever filled of is named nowhere else."""

    order: Order
    symbol: str
    venue: str


class OnwardReading(Reading):
    """Trades, orders and cash lines, in the order in which they were written."""

    __slots__ = ()

    def trades(
        self,
        account_id: AccountId,
        *,
        above: int,
        limit: int,
        among: Portfolios = None,
        instruments: Instruments = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> tuple[BookedTrade, ...]:
        """Read the next trades."""
        rows = schema.trades.c
        asked = _narrowed(schema.trades, rows.exec_time, since, until, instruments)
        return self._next(asked, rows.id, _trade, account_id=account_id, above=above, limit=limit, among=among)

    def orders(
        self,
        account_id: AccountId,
        *,
        above: int,
        limit: int,
        among: Portfolios = None,
        instruments: Instruments = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> tuple[NamedOrder, ...]:
        """Read the next orders, as they stand now."""
        rows, traded = schema.orders.c, schema.instruments.c
        asked = _narrowed(schema.orders, rows.placed_at, since, until, instruments)
        asked = asked.join(schema.instruments, traded.id == rows.instrument_id).add_columns(traded.symbol, traded.venue)
        return self._next(asked, rows.id, _order, account_id=account_id, above=above, limit=limit, among=among)

    def cash_lines(
        self,
        account_id: AccountId,
        *,
        above: int,
        limit: int,
        among: Portfolios = None,
        instruments: Instruments = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> tuple[BookedLine, ...]:
        """Read the next cash lines; with instruments, those that say which one they belong to."""
        rows = schema.cash_lines.c
        asked = _narrowed(schema.cash_lines, rows.at, since, until, instruments)
        return self._next(asked, rows.id, _line, account_id=account_id, above=above, limit=limit, among=among)

    def _next(
        self,
        asked: Select[Any],
        number: Column[Any],
        make: Callable[[Row], Noun],
        *,
        account_id: AccountId,
        above: int,
        limit: int,
        among: Portfolios,
    ) -> tuple[Noun, ...]:
        rows = number.table.c
        mine = self._in_own_portfolio(rows.portfolio_id, among)
        asked = asked.where(rows.account_id == account_id, number > above, mine)
        with self._moment() as connection:
            return tuple(make(row) for row in streamed(connection, asked.order_by(None).order_by(number).limit(limit)))


def _narrowed(
    table: Table, at: Column[Any], since: datetime | None, until: datetime | None, instruments: Instruments
) -> Select[Any]:
    asked = select_as_stored(table)
    wanted: list[ColumnElement[bool]] = []
    if since is not None:
        wanted.append(at >= since)
    if until is not None:
        wanted.append(at < until)
    if instruments is not None:
        wanted.append(table.c.instrument_id.in_(sorted(instruments)))
    return asked.where(*wanted)


def _trade(row: Row) -> BookedTrade:
    return BookedTrade(int(row[1] or 0), trades.from_row(row))


def _order(row: Row) -> NamedOrder:
    *cells, symbol, venue = row
    return NamedOrder(orders.from_row(tuple(cells)), str(symbol), str(venue))


def _line(row: Row) -> BookedLine:
    return BookedLine(int(row[1] or 0), cash.from_row(row))
