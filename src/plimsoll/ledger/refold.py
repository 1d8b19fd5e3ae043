"""Refold a position: when something that happened to it comes late, is revised or is taken back.

The fold is over everything that happened to the position, in the order it happened; what is stored must equal it
whatever the order of arrival (I9, I17). So the position is folded as it was and as it is now, and the difference is
booked: the profit of other trades that our own fold had posted (a venue that told what it paid is left alone), the
pieces that a split had made, and the days that earned otherwise. What belongs to the late fact itself is its own
business; here it is only told what the fact moves (`Refolded`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from plimsoll.ledger import cash, days, entries, keys, positions, trades
from plimsoll.ledger.days import DayMove
from plimsoll.ledger.fold import (
    NO_MOVE,
    Happening,
    Move,
    Moves,
    ToldTrades,
    after_one,
    fold_position,
    in_fold_order,
    is_split,
    position_of,
    position_of_entry,
)
from plimsoll.model import money
from plimsoll.model.cash import SPOT, CashKind, CashLine, pocket_of, reference_of
from plimsoll.model.entry import Entry, EntryKind
from plimsoll.model.instrument import Instrument
from plimsoll.model.position import Position, plus_fee
from plimsoll.model.trade import FoldKey, Trade
from plimsoll.runtime import rare
from plimsoll.runtime.rare import Site
from plimsoll.store.draft import Draft


@dataclass(frozen=True, slots=True)
class Cause:
    """The fact that made a position be folded anew: it is named in every line that follows from it."""

    reference: str
    at: datetime


NO_DAY_MOVE = DayMove()


@dataclass(frozen=True, slots=True)
class Refolded:
    """What became of a position."""

    position: Position
    #: What each happening moved, before and now.
    before: Moves
    now: Moves


def happen(draft: Draft, empty: Position, happening: Happening, instrument: Instrument, cause: Cause) -> Refolded:
    """Take in something that is in the book already: on top where it is the newest, by a refold where it is not."""
    stored = stored_position(draft, empty)
    if not follows(draft, stored, happening.fold_key):
        return refold(draft, empty, instrument, cause, came=[happening])
    after = after_one(stored, happening, instrument)
    positions.write(draft, after)
    move = Move(after.realized_pnl - stored.realized_pnl, after.quantity - stored.quantity)
    move_days(draft, after, [earned_by(happening, move.realized, 1)])
    return Refolded(after, {}, {happening.key: move})


def stored_position(draft: Draft, empty: Position) -> Position:
    """Give a position as it stands, or empty."""
    stored: Position | None = draft.get(keys.position(empty.account_id, empty.key))
    return empty if stored is None else stored


def follows(draft: Draft, stored: Position, fold_key: FoldKey) -> bool:
    """Say whether something is newer than all that a position has in its fold, so that it goes on top."""
    if rare.strikes(Site.POSITION_REFOLDED):
        return False
    if stored.folded_to is not None:
        return fold_key > stored.folded_to
    split: FoldKey | None = draft.get(keys.last_split(stored.account_id, stored.instrument_id))
    return split is None or fold_key > split


def refold(
    draft: Draft,
    empty: Position,
    instrument: Instrument,
    cause: Cause,
    *,
    gone: Sequence[Happening] = (),
    came: Sequence[Happening] = (),
) -> Refolded:
    """Fold a position anew, as it was and as it is, and book what that changes of everything but the fact itself.

    Shapes: `came` is in the book already; `gone` counted until now and counts no more
    """
    stored = stored_position(draft, empty)
    happened = _happened(draft, empty)
    new = {one.key for one in came}
    others = [one for one in happened if one.key not in new]
    was, before = fold_position(empty, in_fold_order([*others, *gone]), instrument)
    folded, now = fold_position(empty, in_fold_order(happened), instrument)
    position = replace(folded, fees=_with_late_fees(folded, was, stored), flows=stored.flows)
    positions.write(draft, position)
    changed = [(one, less(now.get(one.key, NO_MOVE), before.get(one.key, NO_MOVE))) for one in others]
    lines = (_correction(one, change, position, instrument, cause) for one, change in changed)
    cash.post(draft, [line for line in lines if line is not None])
    moved = [earned_by(one, change.realized, 0) for one, change in changed]
    moved += [earned_by(one, -before[one.key].realized, -1) for one in gone]
    moved += [earned_by(one, now.get(one.key, NO_MOVE).realized, 1) for one in came]
    move_days(draft, position, moved)
    return Refolded(position, before, now)


def _happened(draft: Draft, empty: Position) -> list[Happening]:
    told = ToldTrades(trades.near_position(draft, empty))
    happened: list[Happening] = [trade for trade in told.effective() if position_of(trade).key == empty.key]
    for entry in entries.of_instrument(draft, empty.account_id, empty.instrument_id):
        home = told.home(entry.reference) if entry.kind is EntryKind.FEE else position_of_entry(entry)
        if is_split(entry) or (home is not None and home.key == empty.key):
            happened.append(entry)
    return happened


def _with_late_fees(folded: Position, was: Position, stored: Position) -> tuple[tuple[str, Decimal], ...]:
    # What is stored beyond the fees of the trades came late, and stays: a sum does not depend on the order.
    fees = folded.fees
    for asset in dict.fromkeys(asset for asset, _ in (*was.fees, *stored.fees)):
        late = stored.fee_in(asset) - was.fee_in(asset)
        if late:
            fees = plus_fee(fees, asset, late)
    return fees


def less(move: Move, other: Move) -> Move:
    """Take one move off another."""
    return Move(move.realized - other.realized, move.quantity - other.quantity)


def _correction(
    one: Happening, change: Move, position: Position, instrument: Instrument, cause: Cause
) -> CashLine | None:
    """Give the line by which the cash of something earlier changes, if it does."""
    if isinstance(one, Entry):
        pieces = change.quantity if is_split(one) and not instrument.is_derivative else money.ZERO
        return None if pieces == 0 else split_line(one, position, instrument, pieces, cause)
    # Coins and their price changed hands as they did. Where the venue said what it paid, that is what moved; our fold
    # only explains it.
    if change.realized == 0 or not instrument.is_derivative or one.report.realized_cash is not None:
        return None
    return CashLine(
        position.account_id,
        position.portfolio_id,
        pocket_of(instrument),
        instrument.settle,
        CashKind.CORRECTION,
        change.realized,
        f"{reference_of(one.report)}@{cause.reference}",
        cause.at,
    )


def split_line(
    entry: Entry, position: Position, instrument: Instrument, pieces: Decimal, cause: Cause | None = None
) -> CashLine:
    """Give the coins or shares that a split made of one position, or what a late fact changes of that."""
    reference = f"{entry.reference}:{instrument.id}:{position.strategy_id or 0}:{position.leg}"
    return CashLine(
        position.account_id,
        position.portfolio_id,
        SPOT,
        instrument.base,
        CashKind.SPLIT,
        pieces,
        reference if cause is None else f"{reference}@{cause.reference}",
        entry.at if cause is None else cause.at,
    )


def earned_by(one: Happening, realized: Decimal, count: int) -> tuple[str, DayMove]:
    """Give the day of something that happened, and what it adds to it."""
    return (days.day_of(one.at), DayMove(realized)) if isinstance(one, Entry) else earned(one, realized, count)


def earned(trade: Trade, realized: Decimal, count: int = 1) -> tuple[str, DayMove]:
    """Give a trade's day and what the trade adds to it.

    Shapes: `count` 1 for a trade that counts now, −1 for one that counts no more, 0 for one that earns otherwise
    """
    report = trade.report
    fee = count * report.fee
    fees = ((report.fee_currency, fee),) if fee else ()
    return days.day_of(report.exec_time), DayMove(realized, count * trade.notional, count, fees)


def move_days(draft: Draft, position: Position, earned: Iterable[tuple[str, DayMove]]) -> None:
    """Add to each day once what several things changed of it."""
    by_day: dict[str, DayMove] = {}
    for day, change in earned:
        if change != NO_DAY_MOVE:
            by_day[day] = by_day.get(day, NO_DAY_MOVE).plus(change)
    for day, change in sorted(by_day.items()):
        days.move(draft, position, day, change)
