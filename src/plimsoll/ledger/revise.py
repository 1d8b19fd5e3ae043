"""Restate a trade: what counted of it counts otherwise now, or no more, or in another position.

The difference is booked in lines that name what counted and what changed it, so the sum of a trade's lines is always
what its effective report moves, in whatever order its reports came.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from plimsoll.ledger import cash, entries, late_fee
from plimsoll.ledger.fold import Happening, Moves, home_position
from plimsoll.ledger.refold import Cause, refold
from plimsoll.model import money
from plimsoll.model.cash import CashKind, CashLine, lines_of, reference_of
from plimsoll.model.entry import EntryKind
from plimsoll.model.ids import PortfolioId
from plimsoll.model.instrument import Instrument
from plimsoll.model.position import Position
from plimsoll.model.trade import Trade, TradeReport, effective_trade, trade_of_fee
from plimsoll.store.draft import Draft

#: (portfolio, pocket, asset, kind): the place of a line.
_Place = tuple[PortfolioId, str, str, CashKind]


@dataclass(frozen=True, slots=True)
class _Change:
    """What a new report changes of a trade."""

    #: What counted and what counts now; None for nothing.
    before: Trade | None
    after: Trade | None
    #: The position that the trade was in, None where it is new; and the one that it is in.
    old_home: Position | None
    home: Position
    cause: Cause

    @property
    def moves(self) -> bool:
        return self.old_home is not None and self.old_home.key != self.home.key


def restate(draft: Draft, told_before: Sequence[Trade], told: Sequence[Trade], instrument: Instrument) -> Position:
    """Book what the last of all reports of one trade id changes; give the position that the trade is in now, empty.

    Shapes: `told` is in the book already, and ends with the new one
    """
    new = told[-1].report
    change = _Change(
        effective_trade(told_before) if told_before else None,
        effective_trade(told),
        home_position(told_before) if told_before else None,
        home_position(told),
        Cause(reference_of(new), new.exec_time),
    )
    if change.before != change.after or change.moves:
        _rebook(draft, change, _late_coins(draft, new) if change.moves else [], instrument)
    if change.old_home is not None and change.moves:
        late_fee.move(draft, new, change.old_home, change.home, change.cause)
    return change.home


def _rebook(draft: Draft, change: _Change, coins: list[Happening], instrument: Instrument) -> None:
    gone = coins if change.before is None else [change.before, *coins]
    came = coins if change.after is None else [change.after, *coins]
    if change.old_home is not None and change.moves:
        before = refold(draft, change.old_home, instrument, change.cause, gone=gone).before
        now = refold(draft, change.home, instrument, change.cause, came=came).now
    else:
        refolded = refold(draft, change.home, instrument, change.cause, gone=gone, came=came)
        before, now = refolded.before, refolded.now
    gained = _lines(change.after, now, instrument)
    if change.before is None:
        cash.post(draft, gained)
    else:
        cash.post(draft, _difference(change.before, _lines(change.before, before, instrument), gained, change))


def _lines(trade: Trade | None, moves: Moves, instrument: Instrument) -> list[CashLine]:
    return [] if trade is None else lines_of(trade, instrument, moves[trade.key].realized)


def _late_coins(draft: Draft, report: TradeReport) -> list[Happening]:
    # Coins paid as a late fee are part of the trade's position, wherever that is.
    known = entries.of_instrument(draft, report.account_id, report.instrument_id)
    return [
        entry
        for entry in known
        if entry.kind is EntryKind.FEE and trade_of_fee(entry.reference) == report.broker_trade_id
    ]


def _difference(before: Trade, left: Iterable[CashLine], gained: Iterable[CashLine], change: _Change) -> list[CashLine]:
    kind = CashKind.BUST if change.after is None else CashKind.CORRECTION
    moved: defaultdict[_Place, Decimal] = defaultdict(lambda: money.ZERO)
    for sign, lines in ((-1, left), (1, gained)):
        for line in lines:
            said = CashKind.FEE if line.kind is CashKind.FEE else kind
            moved[line.portfolio_id, line.pocket, line.asset, said] += sign * line.amount
    reference = f"{reference_of(before.report)}@{change.cause.reference}"
    account_id = before.report.account_id
    return [
        CashLine(account_id, portfolio, pocket, asset, said, amount, reference, change.cause.at)
        for (portfolio, pocket, asset, said), amount in moved.items()
        if amount != 0
    ]
