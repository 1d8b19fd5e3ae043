"""Orders and what they filled, for those whose portfolios they are of."""

from dataclasses import dataclass

from sqlalchemy import and_, select

from plimsoll.ledger import orders, schema, trades
from plimsoll.ledger.queries import LIVE_STATES
from plimsoll.ledger.reading.asking import Instruments, Portfolios, Reading
from plimsoll.ledger.reading.paging import Below, Page
from plimsoll.model.ids import AccountId
from plimsoll.model.order import Order
from plimsoll.model.trade import Trade
from plimsoll.store.draft import Row
from plimsoll.store.statements import select_as_stored


@dataclass(frozen=True, slots=True)
class Fill:
    """A trade with its place in its account's rows, and the public id of the order that it filled."""

    id: int
    trade: Trade
    #: None where no order of ours caused it.
    order_uid: str | None


class OrderReading(Reading):
    """Orders and fills."""

    __slots__ = ()

    def page(
        self,
        *,
        below: Below,
        limit: int,
        ended_only: bool = False,
        among: Portfolios = None,
        instruments: Instruments = None,
    ) -> Page[Order]:
        """List orders, newest first."""
        rows, wanted = schema.orders.c, select_as_stored(schema.orders)
        if ended_only:
            wanted = wanted.where(rows.state.not_in(LIVE_STATES))
        if instruments is not None:
            wanted = wanted.where(rows.instrument_id.in_(sorted(instruments)))
        return self._page_by_portfolio(
            wanted,
            rows.id,
            among=among,
            make=orders.from_row,
            place=place_of_order,
            at=lambda order: order.placed_at,
            below=below,
            limit=limit,
        )

    def one(self, uid: str) -> Order | None:
        """Find an order by its public id."""
        rows = schema.orders.c
        wanted = select_as_stored(schema.orders).where(rows.uid == uid, self._in_own_portfolio(rows.portfolio_id))
        with self._moment() as connection:
            row = connection.execute(wanted).one_or_none()
        return None if row is None else orders.from_row(tuple(row))

    def fills(
        self, *, below: Below, limit: int, among: Portfolios = None, instruments: Instruments = None
    ) -> Page[Fill]:
        """List fills, newest first."""
        rows, wanted = schema.trades.c, _FILLS
        if instruments is not None:
            wanted = wanted.where(rows.instrument_id.in_(sorted(instruments)))
        return self._page_by_portfolio(
            wanted,
            rows.id,
            among=among,
            make=_fill,
            place=lambda fill: (fill.trade.report.account_id, fill.id),
            at=lambda fill: fill.trade.report.exec_time,
            below=below,
            limit=limit,
        )

    def fills_of(self, order: Order, *, above: int = 0) -> tuple[Fill, ...]:
        """List what an order has filled, oldest first; with `above`, only rows of a higher number are looked at."""
        rows, intent = schema.trades.c, order.intent
        wanted = (
            _FILLS.where(rows.account_id == intent.account_id, rows.portfolio_id == intent.portfolio_id)
            .where(rows.instrument_id == order.terms.instrument_id, rows.strategy_id == (intent.strategy_id or 0))
            .where(rows.id > above, rows.order_id == order.id, self._in_own_portfolio(rows.portfolio_id))
            .order_by(rows.id)
        )
        with self._moment() as connection:
            return tuple(_fill(tuple(row)) for row in connection.execute(wanted))


def place_of_order(order: Order) -> tuple[AccountId, int]:
    """Give an order's account, and its place in the account's rows."""
    return order.intent.account_id, order.id


_FILLS = select(*select_as_stored(schema.trades).selected_columns, schema.orders.c.uid).join_from(
    schema.trades,
    schema.orders,
    and_(schema.orders.c.account_id == schema.trades.c.account_id, schema.orders.c.id == schema.trades.c.order_id),
    isouter=True,
)


def _fill(row: Row) -> Fill:
    *cells, order_uid = row
    return Fill(int(cells[1] or 0), trades.from_row(tuple(cells)), None if order_uid is None else str(order_uid))
