"""What performance is judged by: what an account was worth day by day, the money put in, and round trips."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import chain, groupby
from operator import itemgetter
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Connection, String, Table, and_, func, select, type_coerce

from plimsoll.ledger import accounts, entries, schema, trades
from plimsoll.ledger.fold import Happening, ToldTrades, after_one, happened
from plimsoll.ledger.reading import owning
from plimsoll.ledger.reading.asking import Portfolios, Reading
from plimsoll.ledger.schema.money import MOVEMENTS
from plimsoll.ledger.streaming import streamed
from plimsoll.ledger.trips import Traveller, Trip
from plimsoll.model import money
from plimsoll.model.cash import CashKind
from plimsoll.model.clock import time_text
from plimsoll.model.entry import EntryKind
from plimsoll.model.ids import AccountId, PortfolioId
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import Side
from plimsoll.model.position import Position, paid_in_coins, traded
from plimsoll.model.trade import Trade
from plimsoll.store.draft import Row
from plimsoll.store.statements import select_as_stored

_DAY = slice(len("2022-01-31"))
#: What brings money in or takes it out; a transfer between two portfolios does both.
_PUT_IN = (CashKind.DEPOSIT, CashKind.WITHDRAWAL, CashKind.TRANSFER, CashKind.RESET)
_BUY = Side.BUY.value
_S, _L = schema.equity_snapshots.c, schema.cash_lines.c
_T, _E = schema.trades.c, schema.position_entries.c


@dataclass(frozen=True, slots=True)
class WorthOfDay:
    """What one unit of an account was worth at the end of a day; deposits and withdrawals do not move it."""

    day: str
    nav: Decimal
    #: The deepest fall within the day from the highest value since the first of the days asked for: 0 or below.
    drawdown: Decimal


@dataclass(frozen=True, slots=True)
class Paid:
    """Money put in (+) or taken out (-) on a day."""

    portfolio_id: PortfolioId
    day: str
    asset: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class OwnTrip:
    """A round trip, in words."""

    trip: Trip
    symbol: str
    #: What its result is counted in.
    currency: str


class PerformanceReading(Reading):
    """Worth, money put in, round trips."""

    __slots__ = ()

    def worth(self, account_id: AccountId, *, since: date, until: date) -> tuple[WorthOfDay, ...]:
        """Tell what an account was worth at the end of each day (UTC) on which it was looked at, oldest first.

        The last look before the first day comes first, where there is one: the first day's return is counted from it.
        """
        mine = owning.in_own_account(self._asker, _S.account_id)
        whole = (_S.account_id == account_id) & (_S.portfolio_id == 0) & mine
        asked = select(type_coerce(_S.at, String), type_coerce(_S.nav, String)).where(whole)
        before = asked.where(_S.at < _begin(since)).order_by(_S.at.desc(), _S.id.desc()).limit(1)
        within = asked.where(_S.at >= _begin(since), _S.at < _begin(until, 1)).order_by(_S.at, _S.id)
        with self._moment() as connection:
            first = [tuple(row) for row in connection.execute(before)]
            return tuple(_by_day(first, _rows(connection, within)))

    def put_in(self, *, until: date, among: Portfolios = None) -> tuple[Paid, ...]:
        """List what was put in and taken out up to a day (UTC), it included: by portfolio and asset, oldest first."""
        mine = owning.own_portfolios(self._asker)
        own = (mine if among is None else mine.where(schema.portfolios.c.id.in_(sorted(among)))).subquery()
        asked = (
            select(_L.portfolio_id, type_coerce(_L.at, String), _L.asset, type_coerce(_L.amount, String))
            .join(own, and_(_L.account_id == own.c.account_id, _L.portfolio_id == own.c.id))
            .where(MOVEMENTS, _L.at < _begin(until, 1), _L.kind.in_(_PUT_IN))
            .order_by(_L.at, _L.account_id, _L.id)
        )
        with self._moment() as connection:
            return tuple(Paid(row[0], row[1][_DAY], row[2], Decimal(row[3])) for row in _rows(connection, asked))

    def trips(self, *, since: date, until: date, among: Portfolios = None) -> tuple[OwnTrip, ...]:
        """List what was held at any time between two days (UTC), both included, in the order in which it was opened."""
        begin, end = time_text(_begin(since)), time_text(_begin(until, 1))
        with self._moment() as connection:
            # Of all that is his: a trade's own portfolio may only be known from its other reports.
            whose = connection.execute(owning.own_portfolios(self._asker))
            facts = _Facts(connection, {int(row[0]): int(row[1]) for row in whose}, _begin(until, 1))
            found = [
                OwnTrip(trip, instrument.symbol, instrument.cash_asset)
                for instrument, trip in facts.trips()
                if (among is None or trip.portfolio_id in among) and (trip.closed_at or end) >= begin
            ]
        return tuple(sorted(found, key=lambda one: (one.trip.opened_at, one.trip.instrument_id)))


# Worth ----------------------------------------------------------------------------------------------------------------


def _by_day(before: Sequence[Any], rows: Iterable[Any]) -> Iterator[WorthOfDay]:
    highest: Decimal | None = None
    told: WorthOfDay | None = None
    for at, text in chain(before, rows):
        nav, day = Decimal(text), at[_DAY]
        highest = nav if highest is None else max(highest, nav)
        # Of what was never worth anything, no part was lost.
        fall = money.settle_quotient(nav - highest, highest) if highest > 0 else money.ZERO
        if told is not None and told.day == day:
            fall = min(fall, told.drawdown)
        elif told is not None:
            yield told
        told = WorthOfDay(day, nav, fall)
    if told is not None:
        yield told


# Round trips ----------------------------------------------------------------------------------------------------------

#: (account, instrument)
_Place: TypeAlias = tuple[int, int]


class _Facts:
    """The facts of some portfolios, up to a moment."""

    def __init__(self, connection: Connection, account_of: Mapping[int, int], end: datetime) -> None:
        self._connection, self._account_of, self._end = connection, account_of, end
        self._accounts = sorted(set(account_of.values()))

    def trips(self) -> Iterator[tuple[Instrument, Trip]]:
        """Give every trip, instrument by instrument.

        Fills are folded as they come from the database, sorted; where something was corrected, deposited or split, all
        that happened is folded as the book does it.
        """
        entered = select(_E.account_id, _E.instrument_id).where(_E.account_id.in_(self._accounts)).distinct()
        with_care: set[_Place] = {(row[0], row[1]) for row in _rows(self._connection, entered)}
        known = self._instruments()
        for place, fills in groupby(self._fills(), key=itemgetter(0, 1)):
            instrument = known.get(place[1])
            if instrument is not None and place not in with_care:
                found = _of_fills(fills, instrument)
                if found is None:
                    with_care.add(place)
                else:
                    yield from ((instrument, trip) for trip in found)
        for place in sorted(with_care):
            # Of a split alone, or of a fill that was taken back before it came, there is no position.
            if (instrument := known.get(place[1])) is not None:
                yield from ((instrument, trip) for trip in self._with_care(place, instrument))

    def _fills(self) -> Iterator[Any]:
        asked = (
            select(
                *(_T.account_id, _T.instrument_id, _T.revision),
                *(_T.portfolio_id, _T.strategy_id, func.coalesce(_T.leg, ""), _T.side),
                *(type_coerce(_T.quantity, String), type_coerce(_T.notional, String), type_coerce(_T.fee, String)),
                *(_T.fee_currency, type_coerce(_T.exec_time, String)),
            )
            .where(_T.account_id.in_(self._accounts), (_T.portfolio_id + 0).in_(sorted(self._account_of)))
            .where(_T.exec_time < self._end)
            # The database sorts: what does not fit into its memory it lays on the disk.
            .order_by(_T.account_id, _T.instrument_id, _T.exec_time, _T.sequence, _T.broker_trade_id, _T.revision)
        )
        return _rows(self._connection, asked)

    def _with_care(self, place: _Place, instrument: Instrument) -> Iterator[Trip]:
        account, number = place
        mine = sorted(self._account_of)
        own = (_T.account_id == account) & (_T.instrument_id == number) & _T.portfolio_id.in_(mine)
        told = [trades.from_row(row) for row in self._whole(schema.trades, own, _T.exec_time < self._end)]
        # A split stands once in its account, in `main`, and is of everything there.
        own = _E.portfolio_id.in_(mine) | (_E.kind == EntryKind.SPLIT)
        own &= (_E.account_id == account) & (_E.instrument_id == number)
        entered = [entries.from_row(row) for row in self._whole(schema.position_entries, own, _E.at < self._end)]
        for position, in_order in happened(ToldTrades(told), entered):
            yield from _of_happenings(position, in_order, instrument)

    def _whole(self, table: Table, *these: ColumnElement[bool]) -> Iterator[Row]:
        return streamed(self._connection, select_as_stored(table).where(*these))

    def _instruments(self) -> dict[int, Instrument]:
        # By what is held or was: its positions name all that an account ever had.
        rows = schema.positions.c
        touched = select(rows.instrument_id).where(rows.account_id.in_(self._accounts))
        found = self._whole(schema.instruments, schema.instruments.c.id.in_(touched))
        return {instrument.id: instrument for instrument in map(accounts.instrument_from_row, found)}


def _of_fills(fills: Iterable[Any], instrument: Instrument) -> list[Trip] | None:
    """Follow fills in their order; None where one of them was corrected or busted later."""
    travellers: dict[tuple[Any, ...], Traveller] = {}
    found: list[Trip] = []
    cash, coins = instrument.cash_asset, "" if instrument.is_derivative else instrument.base
    for _account, number, revision, *key, side, quantity, notional, fee, asset, at in fills:
        if revision:
            return None
        one = travellers.get(tuple(key))
        if one is None:
            one = travellers[tuple(key)] = Traveller(key[0], number)
        buys, moved, value, paid = side == _BUY, Decimal(quantity), Decimal(notional), Decimal(fee)
        held = traded(one.held, moved if buys else -moved, value if buys == instrument.inverse else -value)
        if asset == coins:
            held = paid_in_coins(held, paid)
        ended = one.moved(held, at, paid if asset == cash else money.ZERO)
        if ended is not None:
            found.append(ended)
    return found + [trip for one in travellers.values() if (trip := one.on_the_way()) is not None]


def _of_happenings(position: Position, in_order: Iterable[Happening], instrument: Instrument) -> Iterator[Trip]:
    one = Traveller(position.portfolio_id, instrument.id)
    for happening in in_order:
        position = after_one(position, happening, instrument)
        fee, at = money.ZERO, happening.fold_key[0]
        if isinstance(happening, Trade) and happening.report.fee_currency == instrument.cash_asset:
            fee = happening.report.fee
        ended = one.moved(position.amounts, time_text(at), fee)
        if ended is not None:
            yield ended
    on_the_way = one.on_the_way()
    if on_the_way is not None:
        yield on_the_way


def _rows(connection: Connection, asked: Any) -> Iterator[Any]:
    # As the driver has them: cells of the types that their columns are read as.
    return streamed(connection, asked)


def _begin(day: date, after: int = 0) -> datetime:
    return datetime.combine(day, time(), UTC) + timedelta(days=after)
