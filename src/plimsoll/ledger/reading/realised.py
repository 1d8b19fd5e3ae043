"""What was realised, lot by lot: what was sold between two moments, when it was bought and what it had cost.

The lots of a year need all that happened before it. So every trade is read once, an instrument after the other, in the
order of the fold and sorted by the database; what is open is in memory, and what the answer tells. Where fills were
corrected, all reports of these (and only these) are in memory together; of fees that came late, the sums.

Rule 1. Only what counts of a trade is told, and in the portfolio whose it is.
Rule 2. A fee in a third asset is told in its own asset. It is in no cost: there is no rate in the book to bring it in.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeAlias

from sqlalchemy import Column, ColumnElement, Connection, Select, String, and_, case, func, or_, select, type_coerce

from plimsoll.ledger import accounts, entries, schema, trades
from plimsoll.ledger.fold import home_position
from plimsoll.ledger.lots import Matching, Pools, Told, Traded, cash_and_coins, sources_first
from plimsoll.ledger.reading import owning
from plimsoll.ledger.reading.asking import Instruments, Portfolios, Reading
from plimsoll.ledger.schema.money import MOVEMENTS
from plimsoll.ledger.streaming import streamed
from plimsoll.model import money
from plimsoll.model.cash import CashKind
from plimsoll.model.clock import parse_time
from plimsoll.model.entry import Entry, EntryKind
from plimsoll.model.errors import Illegal
from plimsoll.model.ids import AccountId, InstrumentId, PortfolioId
from plimsoll.model.instrument import Instrument
from plimsoll.model.lots import Chosen, Fill, Held, LotMethod, Piece
from plimsoll.model.order import Side
from plimsoll.model.trade import Trade, effective_trade, signed_notional, trade_of_fee
from plimsoll.store.draft import Row
from plimsoll.store.statements import select_as_stored

#: What comes in beside trades, and is told as income.
INCOME = (CashKind.INTEREST, CashKind.DIVIDEND, CashKind.FUNDING)


@dataclass(frozen=True, slots=True)
class RealisedPiece:
    """One part of one lot, and where it was."""

    portfolio_id: PortfolioId
    instrument: Instrument
    piece: Piece


@dataclass(frozen=True, slots=True)
class OpenLots:
    """What was open at the end."""

    portfolio_id: PortfolioId
    instrument: Instrument
    held: Held


@dataclass(frozen=True, slots=True)
class Income:
    """One movement that earned (+) or cost (−) something beside trades."""

    portfolio_id: PortfolioId
    #: None for what belongs to no position.
    instrument: Instrument | None
    at: datetime
    kind: CashKind
    asset: str
    amount: Decimal
    reference: str


@dataclass(frozen=True, slots=True)
class FeeApart:
    """What trades cost in an asset that is neither the instrument's cash nor its coins; a rebate is below zero."""

    portfolio_id: PortfolioId
    instrument: Instrument
    asset: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Realised:
    """What was realised between two moments."""

    #: By instrument, each in the order in which they were closed.
    pieces: tuple[RealisedPiece, ...]
    open_lots: tuple[OpenLots, ...]
    #: In the order in which they came.
    income: tuple[Income, ...]
    fees_apart: tuple[FeeApart, ...]


class RealisedReading(Reading):
    """Lots."""

    __slots__ = ()

    def realised(
        self,
        matching: Matching,
        *,
        since: datetime,
        until: datetime,
        among: Portfolios = None,
        instruments: Instruments = None,
    ) -> Realised:
        """Tell what was realised from one moment until before another, with everything that led to it.

        Raises: Illegal, when somebody named lots that are not there, or a sale that may be one of several
        """
        whole = among is None and instruments is None
        with self._moment() as connection:
            found = connection.execute(self._portfolios(among))
            account_of = {PortfolioId(row[0]): AccountId(row[1]) for row in found}
            told = _Telling(connection, matching, since, until, account_of)
            wanted = self._touched(connection, account_of, instruments)
            told.refuse_ambiguous(wanted)
            told.of(_instruments(connection, wanted))
            income = self._income(connection, since, until, account_of, instruments)
        told.refuse_unused(whole=whole)
        # Each list is in order within an instrument, and stays so.
        pieces, open_lots = sorted(told.pieces, key=_name), sorted(told.open_lots, key=_name)
        return Realised(tuple(pieces), tuple(open_lots), tuple(income), tuple(sorted(told.apart(), key=_name)))

    def _portfolios(self, among: Portfolios) -> Select[Any]:
        own = owning.own_portfolios(self._asker).order_by(schema.portfolios.c.id)
        return own if among is None else own.where(schema.portfolios.c.id.in_(sorted(among)))

    def _touched(
        self, connection: Connection, account_of: Mapping[PortfolioId, AccountId], instruments: Instruments
    ) -> set[InstrumentId]:
        rows = schema.positions.c
        accounts_asked = sorted(set(account_of.values()))
        asked = select(rows.instrument_id).where(
            rows.account_id.in_(accounts_asked), self._in_own_portfolio(rows.portfolio_id, sorted(account_of))
        )
        found = {InstrumentId(int(cell or 0)) for (cell,) in streamed(connection, asked.distinct())}
        return found if instruments is None else found & set(instruments)

    def _income(
        self,
        connection: Connection,
        since: datetime,
        until: datetime,
        account_of: Mapping[PortfolioId, AccountId],
        instruments: Instruments,
    ) -> list[Income]:
        rows = schema.cash_lines.c
        asked = (
            select(rows.portfolio_id, rows.instrument_id, type_coerce(rows.at, String), rows.kind, rows.asset)
            .add_columns(type_coerce(rows.amount, String), rows.reference)
            .where(MOVEMENTS, rows.account_id.in_(sorted(set(account_of.values()))))
            .where(self._in_own_portfolio(rows.portfolio_id, sorted(account_of)))
            .where(rows.at >= since, rows.at < until, rows.kind.in_(INCOME))
            # By what is told, never by what came first.
            .order_by(rows.at, rows.account_id, rows.reference, rows.kind, rows.portfolio_id, rows.pocket, rows.asset)
        )
        if instruments is not None:
            asked = asked.where(rows.instrument_id.in_(sorted(instruments)))
        found = list(streamed(connection, asked))
        named = {InstrumentId(int(row[1])) for row in found if row[1] is not None}
        known = {instrument.id: instrument for instrument in _instruments(connection, named)}
        return [
            Income(
                PortfolioId(int(portfolio or 0)),
                known.get(InstrumentId(int(instrument or 0))),
                parse_time(str(at)),
                CashKind(str(kind)),
                str(asset),
                Decimal(str(amount)),
                str(reference),
            )
            for portfolio, instrument, at, kind, asset, amount, reference in found
        ]


#: (account, the venue's trade id), within one instrument.
_Trade: TypeAlias = tuple[AccountId, str]


class _Telling:
    """One answer, as it comes together."""

    def __init__(
        self,
        connection: Connection,
        matching: Matching,
        since: datetime,
        until: datetime,
        account_of: Mapping[PortfolioId, AccountId],
    ) -> None:
        self._connection, self._matching, self._account_of = connection, matching, account_of
        self._since, self._until = since, until
        self._unused: Chosen | None = None
        self._in_instruments: dict[InstrumentId, Instrument] = {}
        if matching.method is LotMethod.SPECIFIC:
            named: defaultdict[str, list[Any]] = defaultdict(list)
            for choice in matching.choices:
                named[choice.disposal].append(choice)
            self._unused = dict(named)
        self._apart: defaultdict[tuple[PortfolioId, InstrumentId, str], Decimal] = defaultdict(lambda: money.ZERO)
        entered = select(_E.instrument_id).where(self._in_accounts(_E.account_id)).distinct()
        self._entered = {InstrumentId(int(cell or 0)) for (cell,) in streamed(connection, entered)}
        self.pieces: list[RealisedPiece] = []
        self.open_lots: list[OpenLots] = []

    def of(self, instruments: Iterable[Instrument]) -> None:
        """Tell of instruments, one after the other."""
        self._in_instruments = {instrument.id: instrument for instrument in instruments}
        # One question for all of them, sorted by the database: what does not fit into its memory it lays on the disk.
        # A question for each would go through all of an account's trades as often as it has instruments.
        ids = sorted(self._in_instruments)
        asked = _FILLS.where(self._in_accounts(_T.account_id), _T.instrument_id.in_(ids), _T.revision == 0)
        asked = asked.where((_T.portfolio_id + 0).in_(sorted(self._account_of)), *self._before(_T.exec_time))
        in_order = asked.order_by(_T.instrument_id, _T.exec_time, _T.sequence, _T.broker_trade_id)
        groups = groupby(streamed(self._connection, in_order), itemgetter(0))
        number, rows = next(groups, _NO_MORE)
        for instrument in ids:
            if number == instrument:
                self._of(self._in_instruments[instrument], rows)
                number, rows = next(groups, _NO_MORE)
            else:
                self._of(self._in_instruments[instrument], ())

    def _of(self, instrument: Instrument, rows: Iterable[Row]) -> None:
        pools = Pools(instrument, self._matching, self._account_of, self._unused)
        since, until, pieces = self._since, self._until, self.pieces
        is_open = True
        for key, happening in self._happenings(instrument, rows):
            if key[0] >= until and is_open:
                self._tell_open(pools)
                is_open = False
            for portfolio, piece in pools.after(happening):
                if since <= piece.closed_at < until:
                    pieces.append(RealisedPiece(portfolio, instrument, piece))
        if is_open:
            self._tell_open(pools)

    def apart(self) -> Iterator[FeeApart]:
        """List the fees in third assets."""
        for (portfolio, instrument, asset), amount in sorted(self._apart.items()):
            if amount:
                yield FeeApart(portfolio, self._in_instruments[instrument], asset, amount)

    def refuse_ambiguous(self, instruments: Set[InstrumentId]) -> None:
        """Refuse a sale's name that several have: which was meant? The first that came would take it, and no word said.

        A trade's id is its own within an account and an instrument; two portfolios that were brought along from
        numbered lists both have a trade 3.

        Raises: Illegal
        """
        whose: defaultdict[str, set[tuple[Any, ...]]] = defaultdict(set)
        for names in _in_parts(sorted(self._unused or ())):
            for rows, name, more in ((_T, _T.broker_trade_id, _T.revision == 0), (_E, _E.reference, _IS_OUT)):
                asked = (
                    select(name, rows.account_id, rows.instrument_id)
                    .where(self._in_accounts(rows.account_id), rows.instrument_id.in_(sorted(instruments)))
                    .where((rows.portfolio_id + 0).in_(sorted(self._account_of)), name.in_(names), more)
                )
                for found, *place in streamed(self._connection, asked):
                    whose[str(found)].add(tuple(place))
        several = next((name for name, places in sorted(whose.items()) if len(places) > 1), None)
        if several is not None:
            raise Illegal("lots", several, "several have this id: ask for one --portfolio, and one --instrument")

    def refuse_unused(self, *, whole: bool) -> None:
        """Refuse what names a sale that is not there; of a narrowed report, it may be of what is left out.

        Raises: Illegal
        """
        if whole and self._unused:
            choice = next(iter(self._unused.values()))[0]
            raise Illegal("lots", choice.disposal, "no sale has this trade id; see the ids in the report")

    def _tell_open(self, pools: Pools) -> None:
        self.open_lots += [OpenLots(portfolio, pools.instrument, held) for portfolio, held in pools.held()]

    def _happenings(self, instrument: Instrument, rows: Iterable[Row]) -> Iterator[Told]:
        """Give all that happened to an instrument, in the order of the fold."""
        late, revised = self._late_fees(instrument), self._revised(instrument)
        fills = self._fills(instrument, rows, revised.keys(), late)
        counting = [
            (trade.fold_key, self._traded(trade, instrument, late))
            for trade in map(effective_trade, revised.values())
            if trade is not None and trade.portfolio_id in self._account_of
        ]
        streams: list[Iterator[Told]] = [fills]
        if counting:
            streams.append(iter(sorted(counting, key=_place)))
        if instrument.id in self._entered:
            entered = sources_first(self._entries(instrument, revised))
            streams.append((entry.fold_key, entry) for entry in entered)
        return fills if len(streams) == 1 else heapq.merge(*streams, key=_place)

    # What is read -----------------------------------------------------------------------------------------------------

    def _fills(
        self,
        instrument: Instrument,
        rows: Iterable[Row],
        revised: Set[_Trade],
        late: Mapping[_Trade, Sequence[tuple[str, Decimal]]],
    ) -> Iterator[Told]:
        mirrored, cash_asset, nothing = instrument.inverse, instrument.cash_asset, money.ZERO
        row: Any
        for row in rows:
            _id, account, portfolio, strategy, leg, side, quantity, notional, fee, asset, at, sequence, name = row
            if (account, name) in revised:
                continue
            buys, moved, value, when = side == _BUY, Decimal(quantity), Decimal(notional), parse_time(at)
            if asset == cash_asset and not late:  # nearly always
                paid, coins = Decimal(fee), nothing
            else:
                fees = ((asset, Decimal(fee)), *late.get((account, name), ()))
                paid, coins = self._charged(instrument, portfolio, when, fees)
            fill = Fill(when, name, moved if buys else -moved, value if buys == mirrored else -value, paid, coins)
            yield (when, sequence, name, 0), Traded(portfolio, strategy, leg, fill)

    def _traded(
        self,
        trade: Trade,
        instrument: Instrument,
        late: Mapping[_Trade, Sequence[tuple[str, Decimal]]],
    ) -> Traded:
        report = trade.report
        name = str(report.broker_trade_id)
        fees = ((report.fee_currency, report.fee), *late.get((report.account_id, name), ()))
        paid, coins = self._charged(instrument, trade.portfolio_id, report.exec_time, fees)
        cash = signed_notional(instrument, report.side, trade.notional)
        fill = Fill(report.exec_time, name, trade.signed_quantity, cash, paid, coins)
        return Traded(trade.portfolio_id, trade.strategy_id or 0, report.leg, fill)

    def _charged(
        self, instrument: Instrument, portfolio: PortfolioId, at: datetime, fees: Sequence[tuple[str, Decimal]]
    ) -> tuple[Decimal, Decimal]:
        """Add up what a trade cost in cash and in coins, and keep the rest apart."""
        paid = coins = money.ZERO
        for asset, fee in fees:
            if not fee:
                continue
            parts = cash_and_coins(instrument, asset, fee)
            if parts is not None:
                paid, coins = paid + parts[0], coins + parts[1]
            elif self._since <= at < self._until:
                self._apart[portfolio, instrument.id, asset] += fee
        return paid, coins

    def _revised(self, instrument: Instrument) -> dict[_Trade, list[Trade]]:
        """Read every report of the trades that were corrected or busted."""
        of_it = and_(self._in_accounts(_T.account_id), _T.instrument_id == instrument.id)
        ids = select(_T.broker_trade_id).where(of_it, _T.revision > 0)
        asked = select_as_stored(schema.trades).where(of_it, _T.broker_trade_id.in_(ids))
        told: defaultdict[_Trade, list[Trade]] = defaultdict(list)
        for row in streamed(self._connection, asked):
            trade = trades.from_row(row)
            told[trade.report.account_id, trade.report.broker_trade_id].append(trade)
        return dict(told)

    def _late_fees(self, instrument: Instrument) -> dict[_Trade, list[tuple[str, Decimal]]]:
        """Sum what came after its fill. Fees in coins are not here: they are entries, at their own time."""
        rows = schema.cash_lines.c
        asked = (
            select(rows.account_id, rows.reference, rows.asset, type_coerce(rows.amount, String))
            .where(self._in_accounts(rows.account_id), rows.kind == CashKind.FEE, rows.instrument_id == instrument.id)
            # By the stretch of the index that holds late fees of this instrument, and no others.
            .where(rows.reference >= f"{instrument.id}+", rows.reference < f"{instrument.id},")
            .order_by(rows.account_id, rows.reference, rows.asset)
        )
        fees: defaultdict[_Trade, list[tuple[str, Decimal]]] = defaultdict(list)
        # A fee is its trade's, whichever portfolio it was booked to first: what took it along comes to nothing.
        for (account, reference, asset), lines in groupby(streamed(self._connection, asked), itemgetter(0, 1, 2)):
            name, fee = trade_of_fee(str(reference)), -sum((Decimal(str(line[3])) for line in lines), money.ZERO)
            parts = cash_and_coins(instrument, str(asset), fee)
            if name is not None and fee and not (parts is not None and parts[1]):
                fees[AccountId(int(account or 0)), name].append((str(asset), fee))
        return dict(fees)

    def _entries(self, instrument: Instrument, revised: Mapping[_Trade, list[Trade]]) -> Iterator[Entry]:
        own = _E.portfolio_id.in_(sorted(self._account_of))
        asked = (
            select_as_stored(schema.position_entries)
            .where(self._in_accounts(_E.account_id), _E.instrument_id == instrument.id)
            # A split stands once in its account, in `main`; and a fee where its trade once was.
            .where(or_(own, _E.kind.in_((EntryKind.SPLIT, EntryKind.FEE))), *self._before(_E.at))
            .order_by(None)
            .order_by(_E.at, _SEQUENCE, _E.reference, _RANK)
        )
        for row in streamed(self._connection, asked):
            entry = entries.from_row(row)
            fee_of = trade_of_fee(entry.reference) if entry.kind is EntryKind.FEE else None
            reports = None if fee_of is None else revised.get((entry.account_id, fee_of))
            if reports is not None:  # a fee is its trade's, wherever that went
                home = home_position(reports)
                whose = home.portfolio_id, home.strategy_id, home.leg
                entry = replace(entry, portfolio_id=whose[0], strategy_id=whose[1], leg=whose[2])
            if entry.kind is EntryKind.SPLIT or entry.portfolio_id in self._account_of:
                yield entry

    def _before(self, at: Column[Any]) -> list[ColumnElement[bool]]:
        # Of a sale that somebody names it must be known whether there is one, also behind the end.
        return [] if self._matching.method is LotMethod.SPECIFIC else [at < self._until]

    def _in_accounts(self, account_id: Column[Any]) -> ColumnElement[bool]:
        return account_id.in_(sorted(set(self._account_of.values())))


_NO_MORE: tuple[Any, Iterable[Row]] = (None, ())
_T, _E = schema.trades.c, schema.position_entries.c
_BUY = Side.BUY.value
_IS_OUT = _E.kind == EntryKind.OUT
_AT_ONCE = 500
_FILLS = select(
    *(_T.instrument_id, _T.account_id, _T.portfolio_id, _T.strategy_id, func.coalesce(_T.leg, ""), _T.side),
    *(type_coerce(_T.quantity, String), type_coerce(_T.notional, String), type_coerce(_T.fee, String)),
    *(_T.fee_currency, type_coerce(_T.exec_time, String), _T.sequence, _T.broker_trade_id),
)
#: As `Entry.fold_key` has it: a fee comes after all of its moment, and of the same name each kind has its place.
_SEQUENCE = case((_E.kind == EntryKind.FEE, 2**62), else_=_E.sequence)
_RANK = case({kind.value: rank for rank, kind in enumerate(EntryKind)}, value=_E.kind)


def _in_parts(names: Sequence[str]) -> Iterator[Sequence[str]]:
    # A statement takes only so many parameters.
    return (names[first : first + _AT_ONCE] for first in range(0, len(names), _AT_ONCE))


def _place(told: Told) -> Any:
    return told[0]


def _name(told: RealisedPiece | OpenLots | FeeApart) -> tuple[str, str]:
    return told.instrument.symbol, told.instrument.venue


def _instruments(connection: Connection, ids: set[InstrumentId]) -> list[Instrument]:
    asked = select_as_stored(schema.instruments).where(schema.instruments.c.id.in_(sorted(ids)))
    return [accounts.instrument_from_row(tuple(row)) for row in connection.execute(asked)]
