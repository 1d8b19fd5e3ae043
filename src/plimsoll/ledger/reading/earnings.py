"""What was earned, from what each position earned on each day: a month is 31 rows of a position and not its trades.

Rule 1. Realised profit, fees and flows (funding, interest, dividends) stay apart, as they are booked.
Rule 2. Nothing is added across currencies: what is counted in another asset stands in a line of its own.
Rule 3. What an account earned or paid for no position (interest on its money, say) is earned as well: of no instrument.

The days are a fold that `days` keeps. A year of a busy desk is a quarter of a million rows of them: the database puts
their amounts together into one text for each month of what is told by, and only the texts are added up here, exactly.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    String,
    Subquery,
    and_,
    cast,
    func,
    literal_column,
    select,
    type_coerce,
)

from plimsoll.ledger import accounts, schema
from plimsoll.ledger.days import DayMove
from plimsoll.ledger.reading import owning
from plimsoll.ledger.reading.asking import Instruments, Portfolios, Reading
from plimsoll.ledger.schema.money import MOVEMENTS
from plimsoll.ledger.streaming import streamed
from plimsoll.model import money
from plimsoll.model.cash import CashKind
from plimsoll.model.ids import AccountId, InstrumentId, PortfolioId, StrategyId
from plimsoll.model.instrument import Instrument
from plimsoll.store.statements import select_as_stored

_DAY, _MONTH = slice(len("2022-01-31")), slice(len("2022-01"))
#: What is earned or paid, and moves no money in or out.
_EARNED = (
    *(CashKind.FUNDING, CashKind.INTEREST, CashKind.DIVIDEND, CashKind.LIQUIDATION, CashKind.SETTLEMENT),
    *(CashKind.ADL, CashKind.ADJUSTMENT),
)


class By(StrEnum):
    """What earnings are told by."""

    DAY = "day"
    MONTH = "month"
    PORTFOLIO = "portfolio"
    INSTRUMENT = "instrument"
    STRATEGY = "strategy"
    VENUE = "venue"


class Of(NamedTuple):
    """What earnings are of; empty or 0 where they are of all, or of nothing of the kind."""

    #: Such as 2022-01-31, or 2022-01.
    time: str = ""
    portfolio_id: PortfolioId = PortfolioId(0)
    instrument_id: InstrumentId = InstrumentId(0)
    strategy_id: StrategyId = StrategyId(0)
    #: As the instrument's venue is called.
    venue: str = ""


class Named(NamedTuple):
    """What it is called that earnings are of; empty where they are of nothing of the kind."""

    portfolio: str = ""
    account: str = ""
    symbol: str = ""
    venue: str = ""
    #: The bot's name, or the strategy's that an import told of; empty for what people did by hand.
    strategy: str = ""


_NAMELESS = Named()


@dataclass(frozen=True, slots=True)
class Earned:
    """What something earned in one currency."""

    of: Of
    #: The asset that profit and turnover are counted in; fees and flows name their own.
    currency: str
    move: DayMove
    named: Named = _NAMELESS


#: (time, portfolio, instrument, strategy, what it was traded in): what a row is added to, in the order of `Of`.
_Place: TypeAlias = tuple[str, int, int, int, int]


@dataclass(frozen=True, slots=True)
class OwnPortfolio:
    """A portfolio that somebody may ask about, an imported one as well as one that is traded on."""

    id: PortfolioId
    uid: str
    name: str
    account_id: AccountId
    account: str
    #: What the account counts in.
    currency: str
    #: It was brought along, and nobody trades on it.
    is_imported: bool


@dataclass(slots=True)
class _Sum:
    """What adds up in one place."""

    realized: Decimal = money.ZERO
    turnover: Decimal = money.ZERO
    count: int = 0
    fees: dict[str, Decimal] = field(default_factory=dict)
    flows: dict[tuple[str, str], Decimal] = field(default_factory=dict)

    def move(self) -> DayMove:
        fees = tuple(sorted((asset, amount) for asset, amount in self.fees.items() if amount))
        flows = tuple((kind, asset, amount) for (kind, asset), amount in sorted(self.flows.items()) if amount)
        return DayMove(self.realized, self.turnover, self.count, fees, flows)


class EarningReading(Reading):
    """Profit and loss."""

    __slots__ = ()

    def earned(
        self, by: By, *, since: date, until: date, among: Portfolios = None, instruments: Instruments = None
    ) -> tuple[Earned, ...]:
        """Add up what was earned between two days (UTC), both included, in the order of what it is told by.

        What belongs to no position is left out where instruments are named.
        """
        mine = owning.own_portfolios(self._asker)
        if among is not None:
            mine = mine.where(schema.portfolios.c.id.in_(sorted(among)))
        own = mine.subquery()
        asked = _days_of(by, own, since, until)
        if instruments is not None:
            asked = asked.where(schema.pnl_days.c.instrument_id.in_(sorted(instruments)))
        with self._moment() as connection:
            sums = _add_up(by, streamed(connection, asked))
            traded = _instruments(connection, {place[4] for place in sums})
            together: dict[tuple[Of, str], DayMove] = {}
            for place, total in sums.items():
                instrument = traded[place[4]]
                _put(together, (_of(by, place, instrument), instrument.cash_asset), total.move())
            if instruments is None:
                for (of, asset), move in _apart(by, streamed(connection, _movements_of(own, since, until))):
                    _put(together, (of, asset), move)
            named = self._names(connection, {of for of, _ in together}, traded)
        return tuple(Earned(of, asset, move, named[of]) for (of, asset), move in sorted(together.items(), key=_order))

    def of_unknown_cost(self, *, among: Portfolios = None) -> tuple[tuple[str, Decimal], ...]:
        """Say by asset what coins of unknown cost have brought, over all time: it is no profit, no loss, and of no day.

        Shapes: (asset, what their sales brought), by asset; none that came to nothing
        """
        held = schema.positions.c
        asked = (
            select(held.instrument_id, _together(held.uncosted_proceeds))
            .where(self._in_own_portfolio(held.portfolio_id, among), held.uncosted_proceeds != money.ZERO)
            .group_by(held.instrument_id)
        )
        with self._moment() as connection:
            found = {
                int(row[0]): sum(map(Decimal, row[1].split(_AND)), money.ZERO) for row in connection.execute(asked)
            }
            traded = _instruments(connection, set(found))
        brought: dict[str, Decimal] = {}
        for number, amount in found.items():
            asset = traded[number].cash_asset
            brought[asset] = brought.get(asset, money.ZERO) + amount
        return tuple(sorted((asset, amount) for asset, amount in brought.items() if amount))

    def portfolios(self, *, among: Portfolios = None) -> tuple[OwnPortfolio, ...]:
        """List portfolios by name, with the accounts that they are of."""
        rows = schema.portfolios.c
        asked = self._asked_portfolios().order_by(rows.name, rows.id)
        with self._moment() as connection:
            found = connection.execute(asked if among is None else asked.where(rows.id.in_(sorted(among))))
            return tuple(_portfolio(tuple(row)) for row in found)

    def _asked_portfolios(self) -> Select[Any]:
        rows, owners = schema.portfolios.c, schema.accounts.c
        cells = (rows.id, rows.uid, rows.name, owners.id, owners.name, owners.base_currency, owners.broker)
        return (
            select(*cells)
            .join(schema.accounts, owners.id == rows.account_id)
            .where(owning.in_own_portfolio(self._asker, rows.id))
        )

    def _names(self, connection: Connection, every: Iterable[Of], traded: Mapping[int, Instrument]) -> dict[Of, Named]:
        ids = sorted({of.portfolio_id for of in every})
        asked = self._asked_portfolios().where(schema.portfolios.c.id.in_(ids))
        portfolios = {row[0]: _portfolio(tuple(row)) for row in connection.execute(asked)}
        strategies = self._strategies(connection, every)
        names: dict[Of, Named] = {}
        for of in every:
            instrument, portfolio = traded.get(of.instrument_id), portfolios.get(of.portfolio_id)
            names[of] = Named(
                "" if portfolio is None else portfolio.name,
                "" if portfolio is None else portfolio.account,
                "" if instrument is None else instrument.symbol,
                of.venue if instrument is None else instrument.venue,
                strategies.get((portfolio is not None and portfolio.is_imported, of.strategy_id), ""),
            )
        return names

    def _strategies(self, connection: Connection, every: Iterable[Of]) -> dict[tuple[bool, int], str]:
        # A desk's own positions have the number of their bot; those of an imported book, of a strategy by its name.
        ids = sorted({of.strategy_id for of in every if of.strategy_id})
        bots, versions = schema.bots.c, schema.strategies.c
        in_own = owning.in_own_portfolio(self._asker, bots.portfolio_id)
        names = {
            (False, row[0]): str(row[1])
            for row in connection.execute(select(bots.id, bots.name).where(bots.id.in_(ids), in_own))
        }
        his = select(versions.id, versions.name).where(versions.id.in_(ids), versions.user_id == self._asker.user_id)
        return names | {(True, row[0]): str(row[1]) for row in connection.execute(his)}


def _portfolio(row: Sequence[Any]) -> OwnPortfolio:
    number, uid, name, account_id, account, currency, broker = row
    is_imported = broker == accounts.STATEMENT and account_id > accounts.IMPORTED_BEHIND
    return OwnPortfolio(number, uid, name, account_id, account, currency, is_imported)


# The days of positions ------------------------------------------------------------------------------------------------


#: Not part of any number.
_AND = "+"
_D = schema.pnl_days.c
_MONTH_OF = func.substr(_D.day, literal_column("1"), literal_column(str(len("2022-01"))))
#: What rows are put together by, beside month and instrument: the one keeps a text short, the other says the currency.
_MORE: dict[By, tuple[ColumnElement[Any], ...]] = {
    By.DAY: (_D.day,),
    By.MONTH: (),
    By.PORTFOLIO: (_D.portfolio_id,),
    By.INSTRUMENT: (),
    By.STRATEGY: (_D.portfolio_id, _D.strategy_id),
    By.VENUE: (),
}
#: (month, instrument, and more as above) -> what it is added to.
_PLACE_OF: dict[By, Callable[..., _Place]] = {
    By.DAY: lambda _month, instrument, day: (day, 0, 0, 0, instrument),
    By.MONTH: lambda month, instrument: (month, 0, 0, 0, instrument),
    By.PORTFOLIO: lambda _month, instrument, portfolio: ("", portfolio, 0, 0, instrument),
    By.INSTRUMENT: lambda _month, instrument: ("", 0, instrument, 0, instrument),
    By.STRATEGY: lambda _month, instrument, portfolio, strategy: ("", portfolio, 0, strategy, instrument),
    By.VENUE: lambda _month, instrument: ("", 0, 0, 0, instrument),
}


def _days_of(by: By, own: Subquery, since: date, until: date) -> Select[Any]:
    together = (_MONTH_OF, _D.instrument_id, *_MORE[by])
    # By the whole key from the account to the day: the portfolios are few, and each is one stretch of rows.
    return (
        select(
            *(_together(_D.realized_pnl), _together(_D.turnover), func.sum(_D.trade_count)),
            *(_together(_D.fees_json, ","), _together(func.nullif(_D.flows_json, "[]"), ",")),
            *together,
        )
        .join(own, and_(_D.account_id == own.c.account_id, _D.portfolio_id == own.c.id))
        .where(_D.day >= since.isoformat(), _D.day <= until.isoformat())
        .group_by(*together)
    )


def _together(cells: ColumnElement[Any], separator: str = _AND) -> ColumnElement[str]:
    return func.aggregate_strings(cast(cells, String), separator)


def _add_up(by: By, rows: Iterable[Any]) -> dict[_Place, _Sum]:
    sums: dict[_Place, _Sum] = {}
    place_of, nothing = _PLACE_OF[by], money.ZERO
    for realized, turnover, count, fees, flows, *together in rows:
        total = sums.setdefault(place_of(*together), _Sum())
        total.realized += sum(map(Decimal, realized.split(_AND)), nothing)
        total.turnover += sum(map(Decimal, turnover.split(_AND)), nothing)
        total.count += int(count)
        paid = total.fees
        for day in orjson.loads(f"[{fees}]"):
            for asset, amount in day.items():
                paid[asset] = paid.get(asset, nothing) + Decimal(amount)
        for day in orjson.loads(f"[{flows or ''}]"):  # hardly any day of a position has any
            for kind, asset, amount in day:
                total.flows[kind, asset] = total.flows.get((kind, asset), nothing) + Decimal(amount)
    return sums


def _of(by: By, place: _Place, instrument: Instrument | None) -> Of:
    time_, portfolio, traded, strategy, _ = place
    venue = instrument.venue if by is By.VENUE and instrument is not None else ""
    return Of(time_, PortfolioId(portfolio), InstrumentId(traded), StrategyId(strategy), venue)


def _instruments(connection: Connection, ids: set[int]) -> dict[int, Instrument]:
    asked = select_as_stored(schema.instruments).where(schema.instruments.c.id.in_(sorted(ids)))
    found = (accounts.instrument_from_row(tuple(row)) for row in connection.execute(asked))
    return {instrument.id: instrument for instrument in found}


# What belongs to no position ------------------------------------------------------------------------------------------


def _movements_of(own: Subquery, since: date, until: date) -> Select[Any]:
    rows = schema.cash_lines.c
    begin = datetime.combine(since, time(), UTC)
    # Up to the end of the last day, and no further than time itself goes.
    end = datetime.combine(until, time(), UTC) + timedelta(days=1)
    return (
        select(
            *(rows.portfolio_id, type_coerce(rows.at, String), rows.kind, rows.asset, type_coerce(rows.amount, String)),
        )
        .join(own, and_(rows.account_id == own.c.account_id, rows.portfolio_id == own.c.id))
        .where(MOVEMENTS, rows.at >= begin, rows.at < end)
        .where(rows.instrument_id.is_(None), rows.kind.in_(_EARNED))
    )


def _apart(by: By, rows: Iterable[Any]) -> Iterable[tuple[tuple[Of, str], DayMove]]:
    for portfolio, at, kind, asset, amount in rows:
        day = at[_DAY]
        more: dict[By, tuple[Any, ...]] = {By.DAY: (day,), By.PORTFOLIO: (portfolio,), By.STRATEGY: (portfolio, 0)}
        of = _of(by, _PLACE_OF[by](day[_MONTH], 0, *more.get(by, ())), None)
        yield (of, asset), DayMove(flows=((kind, asset, Decimal(amount)),))


def _put(together: dict[tuple[Of, str], DayMove], line: tuple[Of, str], move: DayMove) -> None:
    together[line] = together[line].plus(move) if line in together else move


def _order(item: tuple[tuple[Of, str], DayMove]) -> tuple[Of, str]:
    return item[0]
