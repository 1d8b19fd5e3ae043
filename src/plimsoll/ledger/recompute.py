"""Recompute: every position, every day and every balance made anew from the facts, whatever the caches say (I9, I10).

A position's fills nearly always come in the order in which they are folded, so an account's trades are read once from
the first to the last, and what is held is where each position stands: no trade stays in memory. A position to which a
fill came late is read again by itself, sorted by the database. An instrument in which something was corrected, split,
deposited or charged later is folded by `ledger.fold` from all that happened: of such a one, everything that one account
has is in memory at once, about a kilobyte for each trade.

What must not enter: arithmetic. How a trade moves a position is `model.position`'s, how what came late is folded is
`ledger.fold`'s; a second way to reckon would prove nothing.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Select, String, Table, cast, func, select, type_coerce

from plimsoll.ledger import cash, entries, schema, trades
from plimsoll.ledger.days import DayMove, day_of
from plimsoll.ledger.fold import ToldTrades, fold_instrument, fold_position, happened, position_of_line
from plimsoll.ledger.refold import earned_by
from plimsoll.ledger.streaming import streamed
from plimsoll.model import money
from plimsoll.model.cash import CashKind, CashLine
from plimsoll.model.clock import parse_time
from plimsoll.model.entry import Entry
from plimsoll.model.ids import AccountId, InstrumentId, PortfolioId, StrategyId
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import Side
from plimsoll.model.position import NOTHING, Amounts, Position, PositionKey, paid_in_coins, plus_flow, traded
from plimsoll.model.trade import Trade
from plimsoll.store.draft import Row
from plimsoll.store.statements import select_as_stored

T = TypeVar("T")

#: (account, portfolio, pocket, asset): where an amount lies.
Place = tuple[AccountId, PortfolioId, str, str]
#: Told of a fact that is no value of ours; it is left out then.
Unreadable = Callable[[Table, Row, Exception], None]

#: What a row raises that is no value of ours.
UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, ArithmeticError)
#: How many lines are summed at a time.
_LINES = 20_000
_DAY = slice(len("2022-01-31"))
_BUYS = {Side.BUY.value: True, Side.SELL.value: False}


@dataclass(slots=True)
class AccountFold:
    """What the facts of one account fold into."""

    account_id: AccountId
    positions: dict[PositionKey, Position] = field(default_factory=dict)
    days: dict[tuple[PositionKey, str], DayMove] = field(default_factory=dict)

    def earn(self, key: PositionKey, day: str, move: DayMove) -> None:
        """Add to what a position earned on a day."""
        before = self.days.get((key, day))
        self.days[key, day] = move if before is None else before.plus(move)


def fold_account(
    connection: Connection,
    account_id: AccountId,
    instruments: Mapping[InstrumentId, Instrument],
    unreadable: Unreadable,
) -> AccountFold:
    """Fold all facts of an account into its positions and their days; what cannot be read is told and left out."""
    facts = _Facts(connection, account_id, unreadable)
    fold = AccountFold(account_id)
    named = facts.named()
    by_hand = {instrument for instrument, kind in named if kind == CashKind.FEE} | facts.entered()
    by_hand |= _fold_fills(fold, facts, instruments, by_hand)
    kept: defaultdict[InstrumentId, list[CashLine]] = defaultdict(list)
    for instrument, line in facts.named_lines() if named else ():
        if instrument in by_hand:
            kept[instrument].append(line)
        elif instrument in instruments:
            _flow_in(fold, line, instrument)
    for number in sorted(by_hand & instruments.keys()):
        _fold_with_care(fold, facts, kept[number], instruments[number])
    return fold


class _Facts:
    """The facts of one account, read as they are needed."""

    def __init__(self, connection: Connection, account_id: AccountId, unreadable: Unreadable) -> None:
        self._connection = connection
        self._account_id = account_id
        self._unreadable = unreadable

    def named(self) -> set[tuple[InstrumentId, str]]:
        """Name the instruments that cash lines name, each with the kinds of these lines."""
        asked = select(_L.instrument_id, _L.kind).where(
            _L.account_id == self._account_id, _L.instrument_id.is_not(None)
        )
        found = streamed(self._connection, asked.distinct())
        return {(InstrumentId(int(instrument or 0)), str(kind)) for instrument, kind in found}

    def entered(self) -> set[InstrumentId]:
        """Name the instruments of which more than trades changed a position."""
        asked = select(_E.instrument_id).where(_E.account_id == self._account_id).distinct()
        return {InstrumentId(int(cell or 0)) for (cell,) in streamed(self._connection, asked)}

    def fills(self, *, of: PositionKey | None = None) -> Iterator[tuple[Any, ...]]:
        """Read the account's fills as they came, or those of one position in the order of the fold."""
        asked = _FILLS.where(_T.account_id == self._account_id)
        if of is None:
            return streamed(self._connection, asked.order_by(_T.id))
        portfolio, instrument, strategy, leg = of
        asked = asked.where(_T.portfolio_id == portfolio, _T.instrument_id == instrument, _T.strategy_id == strategy)
        in_order = (_T.exec_time, _T.sequence, _T.broker_trade_id, _T.revision)
        # The database sorts: what does not fit into its memory it lays on the disk.
        return streamed(self._connection, asked.where(func.coalesce(_T.leg, "") == leg).order_by(*in_order))

    def cannot_read(self, fill: Sequence[Any], error: Exception) -> None:
        """Tell of a fill that is no value of ours."""
        for row in streamed(self._connection, self._whole(schema.trades).where(_T.id == fill[-1])):
            self._unreadable(schema.trades, row, error)

    def trades_of(self, instrument: InstrumentId) -> Iterator[Trade]:
        return self._read(
            schema.trades, trades.from_row, self._whole(schema.trades).where(_T.instrument_id == instrument)
        )

    def entries_of(self, instrument: InstrumentId) -> Iterator[Entry]:
        """Read what else changed positions of an instrument."""
        table = schema.position_entries
        return self._read(table, entries.from_row, self._whole(table).where(table.c.instrument_id == instrument))

    def named_lines(self) -> Iterator[tuple[InstrumentId, CashLine]]:
        """Read the lines that name an instrument."""
        table = schema.cash_lines
        for line in self._read(table, cash.from_row, self._whole(table).where(_L.instrument_id.is_not(None))):
            yield line.instrument_id or InstrumentId(0), line

    def _whole(self, table: Table) -> Select[Any]:
        return select_as_stored(table).where(table.c.account_id == self._account_id)

    def _read(self, table: Table, from_row: Callable[[Row], T], asked: Select[Any]) -> Iterator[T]:
        for row in streamed(self._connection, asked):
            try:
                value = from_row(row)
            except UNREADABLE as error:
                self._unreadable(table, row, error)
            else:
                yield value


_T, _L, _E = schema.trades.c, schema.cash_lines.c, schema.position_entries.c
_FILLS = select(
    *(_T.portfolio_id, _T.instrument_id, _T.strategy_id, func.coalesce(_T.leg, ""), _T.side),
    *(type_coerce(_T.quantity, String), type_coerce(_T.notional, String), type_coerce(_T.fee, String)),
    *(_T.fee_currency, type_coerce(_T.exec_time, String), _T.sequence, _T.broker_trade_id, _T.revision, _T.id),
)


# Fills in their order -------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Day:
    """What one position earned on one day, as it adds up."""

    realized: Decimal = money.ZERO
    turnover: Decimal = money.ZERO
    count: int = 0
    fees: dict[str, Decimal] = field(default_factory=dict)


@dataclass(slots=True)
class _Running:
    """Where a position stands after the fills read so far."""

    held: Amounts = NOTHING
    opened_at: str | None = None
    #: Where the last fill stands in the fold; texts of times sort as the times do.
    last: tuple[str, int, str] = ("", 0, "")
    days: dict[str, _Day] = field(default_factory=dict)


def _fold_fills(
    fold: AccountFold, facts: _Facts, instruments: Mapping[InstrumentId, Instrument], by_hand: Set[InstrumentId]
) -> set[InstrumentId]:
    """Fold every fill of the other instruments; name those of them in which something was revised."""
    running: defaultdict[PositionKey, _Running] = defaultdict(_Running)
    late: set[PositionKey] = set()
    revised: set[InstrumentId] = set()
    folded = {number: instrument for number, instrument in instruments.items() if number not in by_hand}
    for fill in facts.fills():
        key: PositionKey = fill[:4]
        instrument = folded.get(key[1])
        if instrument is None:
            continue
        if fill[-2]:
            revised.add(fill[1])
            continue
        try:
            if not _follows(running[key], fill, instrument):
                late.add(key)
        except UNREADABLE as error:
            facts.cannot_read(fill, error)
    for key in late:
        running[key] = _fold_sorted(facts, key, instruments[key[1]])
    for key, position in running.items():
        if position.days and key[1] not in revised:
            _settle(fold, key, position)
    return revised


def _fold_sorted(facts: _Facts, key: PositionKey, instrument: Instrument) -> _Running:
    """Fold the fills of a position to which one came late."""
    position = _Running()
    for fill in facts.fills(of=key):
        with suppress(*UNREADABLE):  # they were told when they were read first
            _follows(position, fill, instrument)
    return position


def _follows(position: _Running, fill: Sequence[Any], instrument: Instrument) -> bool:
    """Fold a fill into where its position stands, unless it comes late; say whether it followed."""
    _, _, _, _, side, quantity, notional, fee, asset, at, sequence, name, _, _ = fill
    last = (at, sequence, name)
    if last <= position.last:
        return False
    buys, before, value, paid = _BUYS[side], position.held, Decimal(notional), Decimal(fee)
    moved = Decimal(quantity)
    held = traded(before, moved if buys else -moved, value if buys == instrument.inverse else -value)
    if held[0] and (not before[0] or held[0].is_signed() != before[0].is_signed()):
        position.opened_at = at
    if asset == instrument.base and not instrument.is_derivative:
        held = paid_in_coins(held, paid)
    position.held, position.last = held, last
    name_of_day = at[_DAY]
    day = position.days.get(name_of_day)
    if day is None:
        day = position.days[name_of_day] = _Day()
    if held[2] is not before[2]:  # what only opens realises nothing: the same number was handed on
        day.realized += held[2] - before[2]
    day.turnover += value
    day.count += 1
    fees = day.fees
    fees[asset] = fees[asset] + paid if asset in fees else paid
    return True


def _settle(fold: AccountFold, key: PositionKey, running: _Running) -> None:
    """Make a position and its days of what they came to."""
    fees: defaultdict[str, Decimal] = defaultdict(lambda: money.ZERO)
    for day, earned in running.days.items():
        for asset, amount in earned.fees.items():
            fees[asset] += amount
        fold.days[key, day] = DayMove(earned.realized, earned.turnover, earned.count, _by_asset(earned.fees))
    quantity, cost, realized, fee_cost, uncosted, proceeds = running.held
    at, sequence, name = running.last
    portfolio, instrument, strategy, leg = key
    fold.positions[key] = Position(
        fold.account_id,
        portfolio,
        instrument,
        StrategyId(strategy) if strategy else None,
        leg,
        quantity=quantity,
        cost=cost,
        realized_pnl=realized,
        fees=_by_asset(fees),
        fee_cost=fee_cost,
        opened_at=None if running.opened_at is None else parse_time(running.opened_at),
        folded_to=(parse_time(at), sequence, name, 0),
        uncosted=uncosted,
        uncosted_proceeds=proceeds,
    )


def _by_asset(fees: Mapping[str, Decimal]) -> tuple[tuple[str, Decimal], ...]:
    return tuple(sorted((asset, amount) for asset, amount in fees.items() if amount))


# Everything else ------------------------------------------------------------------------------------------------------


def _flow_in(fold: AccountFold, line: CashLine, instrument: InstrumentId) -> None:
    """Add what a position earned or cost beside its trades."""
    empty = position_of_line(line, instrument)
    position = fold.positions.get(empty.key, empty)
    flows = plus_flow(position.flows, line.kind, line.asset, line.amount)
    fold.positions[empty.key] = replace(position, flows=flows)
    fold.earn(empty.key, day_of(line.at), DayMove(flows=((line.kind, line.asset, line.amount),)))


def _fold_with_care(fold: AccountFold, facts: _Facts, lines: Sequence[CashLine], instrument: Instrument) -> None:
    """Fold an instrument of which something was revised, entered or charged later."""
    told, entered = list(facts.trades_of(instrument.id)), list(facts.entries_of(instrument.id))
    reports = ToldTrades(told)
    for empty, in_order in happened(reports, entered):
        _, moves = fold_position(empty, in_order, instrument)
        for one in in_order:
            fold.earn(empty.key, *earned_by(one, moves[one.key].realized, 1))
    fold.positions |= fold_instrument(told, entered, lines, instrument)
    for line in lines:
        if line.kind is not CashKind.FEE:
            move = DayMove(flows=((line.kind, line.asset, line.amount),))
            fold.earn(position_of_line(line, instrument.id).key, day_of(line.at), move)
        elif (home := reports.home(line.reference)) is not None:
            fold.earn(home.key, day_of(line.at), DayMove(fees=((line.asset, -line.amount),)))


# Balances -------------------------------------------------------------------------------------------------------------


#: Not part of any number.
_AND = "+"
_PLACE = (_L.portfolio_id, _L.pocket, _L.asset)
#: Many amounts as one text: a row of its own for each would cost more than its sum.
_TOGETHER = select(*_PLACE, func.aggregate_strings(cast(_L.amount, String), _AND)).group_by(*_PLACE)


def accounts_of(connection: Connection) -> list[AccountId]:
    """Name every account that there is, or that a cache knows of."""
    asked = (
        schema.accounts.c.id,
        *(table.c.account_id for table in (schema.positions, schema.pnl_days, schema.balances)),
    )
    named = {cell for column in asked for (cell,) in streamed(connection, select(column).distinct())}
    return sorted(AccountId(cell) for cell in named if isinstance(cell, int))


def sum_lines(
    connection: Connection, unreadable: Unreadable, leaving_out: Collection[int] = ()
) -> dict[Place, Decimal]:
    """Sum all lines into every balance, but for those of some accounts."""
    sums: defaultdict[Place, Decimal] = defaultdict(lambda: money.ZERO)
    for account in accounts_of(connection):
        if account in leaving_out:
            continue
        ((last,),) = streamed(connection, select(func.max(_L.id)).where(_L.account_id == account))
        for first in range(0, int(last or 0), _LINES):
            these = (_L.account_id == account, _L.id > first, _L.id <= first + _LINES)
            for portfolio, pocket, asset, amounts in streamed(connection, _TOGETHER.where(*these)):
                place = (account, PortfolioId(int(portfolio or 0)), str(pocket), str(asset))
                try:
                    sums[place] += sum(map(Decimal, str(amounts).split(_AND)), money.ZERO)
                except ArithmeticError:
                    sums[place] += _readable(connection, place, these, unreadable)
    return dict(sums)


def _readable(
    connection: Connection, place: Place, these: Sequence[ColumnElement[bool]], unreadable: Unreadable
) -> Decimal:
    """Sum what can be read of some lines."""
    total = money.ZERO
    there = [column == cell for column, cell in zip(_PLACE, place[1:], strict=True)]
    for row in streamed(connection, select_as_stored(schema.cash_lines).where(*these, *there)):
        try:
            total += Decimal(str(row[7]))
        except ArithmeticError as error:
            unreadable(schema.cash_lines, row, error)
    return total
