"""What the numbers in rows are called: instruments and strategies that somebody's portfolios have had to do with.

Whoever shows many rows asks for the names once, and not for each row.
"""

from dataclasses import dataclass

from sqlalchemy import and_, select

from plimsoll.ledger import accounts, schema
from plimsoll.ledger.reading.asking import Portfolios, Reading
from plimsoll.model.ids import PortfolioId, StrategyId
from plimsoll.model.instrument import Instrument
from plimsoll.store.statements import select_as_stored


@dataclass(frozen=True, slots=True)
class OwnStrategy:
    """A strategy of a portfolio's trades: a bot of the desk's own, or one that an import told of."""

    portfolio_id: PortfolioId
    id: StrategyId
    name: str


class NamingReading(Reading):
    """Names."""

    __slots__ = ()

    def instruments(self, *, among: Portfolios = None) -> tuple[Instrument, ...]:
        """List every instrument that was ever held, by symbol and venue."""
        rows, held = schema.instruments.c, schema.positions.c
        touched = select(held.instrument_id).where(self._in_own_portfolio(held.portfolio_id, among))
        asked = select_as_stored(schema.instruments).where(rows.id.in_(touched))
        with self._moment() as connection:
            found = connection.execute(asked.order_by(None).order_by(rows.symbol, rows.venue))
            return tuple(accounts.instrument_from_row(tuple(row)) for row in found)

    def strategies(self, *, among: Portfolios = None) -> tuple[OwnStrategy, ...]:
        """List the strategies of each portfolio, those of bots that were thrown away as well.

        On a desk's own account the number of a trade's strategy is its bot's; in an imported book it is that of a
        strategy of the user's, under the name that the statement gave.
        """
        bots, versions = schema.bots.c, schema.strategies.c
        own, owners, held = schema.portfolios.c, schema.accounts.c, schema.positions.c
        is_imported = and_(owners.broker == accounts.STATEMENT, owners.id > accounts.IMPORTED_BEHIND)
        ours = (
            select(bots.portfolio_id, bots.id, bots.name)
            .join(schema.portfolios, own.id == bots.portfolio_id)
            .join(schema.accounts, owners.id == own.account_id)
            .where(self._in_own_portfolio(bots.portfolio_id, among), ~is_imported)
        )
        told = (
            select(held.portfolio_id, versions.id, versions.name)
            .join(schema.accounts, owners.id == held.account_id)
            .join(schema.strategies, versions.id == held.strategy_id)
            .where(self._in_own_portfolio(held.portfolio_id, among), is_imported)
            .where(versions.user_id == self._asker.user_id)
        )
        with self._moment() as connection:
            found = {OwnStrategy(*tuple(row)) for asked in (ours, told) for row in connection.execute(asked)}
        return tuple(sorted(found, key=lambda strategy: (strategy.portfolio_id, strategy.id)))
