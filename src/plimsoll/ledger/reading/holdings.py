"""What there is: balances, positions, and the cash lines that made them."""

from dataclasses import dataclass

from plimsoll.ledger import cash, positions, schema
from plimsoll.ledger.cash import Balance
from plimsoll.ledger.reading.asking import Portfolios, Reading
from plimsoll.ledger.reading.paging import Below, Page
from plimsoll.model.cash import CashKind, CashLine
from plimsoll.model.position import Position
from plimsoll.store.draft import Row
from plimsoll.store.statements import select_as_stored


@dataclass(frozen=True, slots=True)
class BookedLine:
    """A cash line with its place in its account's rows."""

    id: int
    line: CashLine


class HoldingReading(Reading):
    """Balances, positions, cash lines."""

    __slots__ = ()

    def balances(self, *, among: Portfolios = None) -> tuple[Balance, ...]:
        """List what each portfolio has of each asset in each pocket."""
        mine = self._in_own_portfolio(schema.balances.c.portfolio_id, among)
        with self._moment() as connection:
            found = connection.execute(select_as_stored(schema.balances).where(mine))
            return tuple(cash.balance_from_row(tuple(row)) for row in found)

    def positions(self, *, among: Portfolios = None) -> tuple[Position, ...]:
        """List positions, flat ones included: their profit stays."""
        mine = self._in_own_portfolio(schema.positions.c.portfolio_id, among)
        with self._moment() as connection:
            found = connection.execute(select_as_stored(schema.positions).where(mine))
            return tuple(positions.from_row(tuple(row)) for row in found)

    def cash_lines(
        self, *, below: Below, limit: int, among: Portfolios = None, kind: CashKind | None = None
    ) -> Page[BookedLine]:
        """List cash lines, newest first; of one kind only, where one is named."""
        rows, wanted = schema.cash_lines.c, select_as_stored(schema.cash_lines)
        if kind is not None:
            wanted = wanted.where(rows.kind == kind)
        return self._page_by_portfolio(
            wanted,
            rows.id,
            among=among,
            make=_line,
            place=lambda booked: (booked.line.account_id, booked.id),
            at=lambda booked: booked.line.at,
            below=below,
            limit=limit,
        )


def _line(row: Row) -> BookedLine:
    return BookedLine(int(row[1] or 0), cash.from_row(row))
