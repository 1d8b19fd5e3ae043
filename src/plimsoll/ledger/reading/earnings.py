"""What was earned, from what each position earned on each day: a month is 31 rows of a position and not its trades.

Rule 1. Realised profit, fees and flows (funding, interest, dividends) stay apart, as they are booked.
Rule 2. Nothing is added across currencies: what is counted in another asset stands in a line of its own.

The days are a fold that `days` keeps; their rows are added up while they are read, whatever the time asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import and_

from plimsoll.ledger import accounts, days, schema
from plimsoll.ledger.days import DayMove
from plimsoll.ledger.reading import owning
from plimsoll.ledger.reading.asking import Instruments, Portfolios, Reading
from plimsoll.model.ids import InstrumentId, PortfolioId, StrategyId
from plimsoll.store.draft import Row
from plimsoll.store.statements import select_as_stored

#: Rows that are in memory at once.
_AT_ONCE = 1_000
_MONTH_LENGTH = len("2022-01")


class By(StrEnum):
    """What earnings are told by."""

    DAY = "day"
    MONTH = "month"
    PORTFOLIO = "portfolio"
    INSTRUMENT = "instrument"
    STRATEGY = "strategy"


class Of(NamedTuple):
    """What earnings are of; empty or 0 where they are of all."""

    #: Such as 2022-01-31, or 2022-01.
    time: str = ""
    portfolio_id: PortfolioId = PortfolioId(0)
    instrument_id: InstrumentId = InstrumentId(0)
    strategy_id: StrategyId = StrategyId(0)


@dataclass(frozen=True, slots=True)
class Earned:
    """What something earned in one currency."""

    of: Of
    #: The asset that profit and turnover are counted in; fees and flows name their own.
    currency: str
    move: DayMove


class EarningReading(Reading):
    """Profit and loss."""

    __slots__ = ()

    def earned(
        self, by: By, *, since: date, until: date, among: Portfolios = None, instruments: Instruments = None
    ) -> tuple[Earned, ...]:
        """Add up what was earned between two days (UTC), both included, in the order of what it is told by."""
        rows, mine = schema.pnl_days.c, owning.own_portfolios(self._asker).subquery()
        # By the whole key from the account to the day: the portfolios are few, and each is one stretch of rows.
        wanted = (
            select_as_stored(schema.pnl_days)
            .join(mine, and_(rows.account_id == mine.c.account_id, rows.portfolio_id == mine.c.id))
            .where(rows.day >= since.isoformat(), rows.day <= until.isoformat())
            .order_by(None)
        )
        if among is not None:
            wanted = wanted.where(mine.c.id.in_(sorted(among)))
        if instruments is not None:
            wanted = wanted.where(rows.instrument_id.in_(sorted(instruments)))
        totals: dict[tuple[Of, InstrumentId], DayMove] = {}
        with self._moment() as connection:
            for row in connection.execution_options(yield_per=_AT_ONCE).execute(wanted):
                cells = tuple(row)
                place = (_OF[by](cells), InstrumentId(cells[3]))
                move, before = days.from_row(cells), totals.get(place)
                totals[place] = move if before is None else before.plus(move)
            traded = {instrument for _of, instrument in totals}
            asked = select_as_stored(schema.instruments).where(schema.instruments.c.id.in_(sorted(traded)))
            found = (accounts.instrument_from_row(tuple(row)) for row in connection.execute(asked))
            currencies = {instrument.id: instrument.cash_asset for instrument in found}
        together: dict[tuple[Of, str], DayMove] = {}
        for (of, instrument), move in totals.items():
            line = (of, currencies[instrument])
            together[line] = together[line].plus(move) if line in together else move
        return tuple(Earned(of, currency, move) for (of, currency), move in sorted(together.items(), key=_order))


def _order(item: tuple[tuple[Of, str], DayMove]) -> tuple[Of, str]:
    return item[0]


#: What a row of `pnl_days` (account, portfolio, day, instrument, strategy, …) belongs to.
_OF: dict[By, Callable[[Row], Of]] = {
    By.DAY: lambda row: Of(time=str(row[2])),
    By.MONTH: lambda row: Of(time=str(row[2])[:_MONTH_LENGTH]),
    By.PORTFOLIO: lambda row: Of(portfolio_id=PortfolioId(int(row[1] or 0))),
    By.INSTRUMENT: lambda row: Of(instrument_id=InstrumentId(int(row[3] or 0))),
    By.STRATEGY: lambda row: Of(portfolio_id=PortfolioId(int(row[1] or 0)), strategy_id=StrategyId(int(row[4] or 0))),
}
