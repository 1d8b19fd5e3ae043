"""The fold: positions and balances computed anew from the facts. The caches must equal it, bit for bit (I9, I10).

What happened to a position is its effective trades and its entries, in one order: time, sequence, name, revision.
Fees that came late and what it earned beside its trades are sums of its cash lines, which no order changes.

A whole book is folded an account's instrument at a time (`fold_instrument`): a split belongs to all its positions, and
the reports of one trade may have been booked to two of them.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple, TypeAlias

from plimsoll.model import money
from plimsoll.model.cash import CashKind, CashLine
from plimsoll.model.entry import Entry, EntryKey, EntryKind
from plimsoll.model.ids import BrokerTradeId, InstrumentId
from plimsoll.model.instrument import Instrument
from plimsoll.model.position import Position, PositionKey, plus_fee, plus_flow
from plimsoll.model.trade import Trade, TradeKey, effective_trade, home_of, trade_of_fee

#: What changes a position's quantity and cost.
Happening: TypeAlias = Trade | Entry


class Move(NamedTuple):
    """By how much one happening moved a position."""

    realized: Decimal
    quantity: Decimal


NO_MOVE = Move(money.ZERO, money.ZERO)
Moves: TypeAlias = dict[TradeKey | EntryKey, Move]


def fold_position(empty: Position, in_order: Sequence[Happening], instrument: Instrument) -> tuple[Position, Moves]:
    """Fold what happened into a position, and say what each moved.

    Shapes: `in_order` by `fold_key`, all of the position's
    """
    position = empty
    moves: Moves = {}
    for happening in in_order:
        after = after_one(position, happening, instrument)
        moves[happening.key] = Move(after.realized_pnl - position.realized_pnl, after.quantity - position.quantity)
        position = after
    return position, moves


def after_one(position: Position, happening: Happening, instrument: Instrument) -> Position:
    """Fold one thing that happened into a position."""
    return position.after(happening, instrument) if isinstance(happening, Trade) else position.after_entry(happening)


def in_fold_order(happenings: Iterable[Happening]) -> list[Happening]:
    """Put what happened to one position into the order it is folded in.

    A split alone is nothing: there was nothing to split.
    """
    ordered = sorted(happenings, key=lambda happening: happening.fold_key)
    return ordered if any(not is_split(happening) for happening in ordered) else []


def is_split(happening: Happening) -> bool:
    """Say whether something happened to every position of its instrument."""
    return isinstance(happening, Entry) and happening.kind is EntryKind.SPLIT


def position_of(trade: Trade) -> Position:
    """Give the position that a trade belongs to, empty."""
    report = trade.report
    return Position(
        report.account_id, trade.portfolio_id, report.instrument_id, strategy_id=trade.strategy_id, leg=report.leg
    )


def position_of_entry(entry: Entry) -> Position:
    """Give the position that an entry names, empty."""
    return Position(
        entry.account_id, entry.portfolio_id, entry.instrument_id, strategy_id=entry.strategy_id, leg=entry.leg
    )


class ToldTrades:
    """All reports of an account in an instrument, by the trade id that they tell of."""

    def __init__(self, told: Iterable[Trade]) -> None:
        by_id: defaultdict[BrokerTradeId, list[Trade]] = defaultdict(list)
        for trade in told:
            by_id[trade.report.broker_trade_id].append(trade)
        self._by_id = by_id

    def effective(self) -> list[Trade]:
        """List what counts of each."""
        every = (told[0] if len(told) == 1 and _is_fill(told[0]) else effective_trade(told) for told in self._told())
        return [trade for trade in every if trade is not None]

    def home(self, fee_reference: str) -> Position | None:
        """Give the position that a late fee's trade belongs to, busted or not; None where it has not come."""
        trade_id = trade_of_fee(fee_reference)
        told = None if trade_id is None else self._by_id.get(trade_id)
        return None if told is None else home_position(told)

    def _told(self) -> Iterable[list[Trade]]:
        return self._by_id.values()


def _is_fill(trade: Trade) -> bool:
    return trade.report.effect is None


def home_position(told: Sequence[Trade]) -> Position:
    """Give the position, empty, that the reports of one trade id belong to; the last one says the leg."""
    last = max(told, key=lambda trade: trade.report.revision)
    return replace(position_of(home_of(told)), leg=last.report.leg)


def fold_instrument(
    told: Iterable[Trade], entries: Iterable[Entry], lines: Iterable[CashLine], instrument: Instrument
) -> dict[PositionKey, Position]:
    """Fold everything of one account and instrument into its positions.

    Shapes: `lines` at least those that name the instrument; other lines change nothing
    """
    trades = ToldTrades(told)
    folded: dict[PositionKey, Position] = {}
    for empty, in_order in happened(trades, entries):
        folded[empty.key], _ = fold_position(empty, in_order, instrument)
    for line in lines:
        _fold_line(line, trades, instrument, folded)
    return folded


def happened(trades: ToldTrades, entries: Iterable[Entry]) -> Iterator[tuple[Position, list[Happening]]]:
    """Give each position of an account and instrument, empty, with all that happened to it in the order of the fold."""
    by_position: defaultdict[PositionKey, list[Happening]] = defaultdict(list)
    empty: dict[PositionKey, Position] = {}
    splits: list[Entry] = []
    for happening in trades.effective():
        _place(position_of(happening), happening, empty, by_position)
    for entry in entries:
        if is_split(entry):
            splits.append(entry)
        else:
            home = trades.home(entry.reference) if entry.kind is EntryKind.FEE else None
            _place(home or position_of_entry(entry), entry, empty, by_position)
    for key, its in by_position.items():
        yield empty[key], in_fold_order([*its, *splits])


def _place(
    home: Position,
    happening: Happening,
    empty: dict[PositionKey, Position],
    happened: dict[PositionKey, list[Happening]],
) -> None:
    empty.setdefault(home.key, home)
    happened[home.key].append(happening)


def _fold_line(line: CashLine, trades: ToldTrades, instrument: Instrument, folded: dict[PositionKey, Position]) -> None:
    if line.kind is CashKind.FEE:
        home = trades.home(line.reference) if line.instrument_id == instrument.id else None
        if home is not None:
            position = folded.get(home.key, home)
            folded[home.key] = replace(position, fees=plus_fee(position.fees, line.asset, -line.amount))
    elif line.instrument_id == instrument.id:
        home = position_of_line(line, instrument.id)
        position = folded.get(home.key, home)
        folded[home.key] = replace(position, flows=plus_flow(position.flows, line.kind, line.asset, line.amount))


def position_of_line(line: CashLine, instrument_id: InstrumentId) -> Position:
    """Give the position that a line names, empty."""
    return Position(line.account_id, line.portfolio_id, instrument_id, strategy_id=line.strategy_id, leg=line.leg)
