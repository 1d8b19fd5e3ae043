"""Whole books folded at once from the facts in memory: what the laws compare with."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal

from plimsoll.ledger.fold import fold_instrument
from plimsoll.ledger.recompute import Place
from plimsoll.model import money
from plimsoll.model.cash import CashLine
from plimsoll.model.entry import Entry
from plimsoll.model.ids import AccountId, InstrumentId
from plimsoll.model.instrument import Instrument
from plimsoll.model.position import Position, PositionKey
from plimsoll.model.trade import Trade


def fold_positions(
    trades: Iterable[Trade],
    instruments: Mapping[InstrumentId, Instrument],
    entries: Iterable[Entry] = (),
    lines: Iterable[CashLine] = (),
) -> dict[tuple[AccountId, PositionKey], Position]:
    """Fold all that happened, in whatever order it comes, into every position."""
    happened: defaultdict[tuple[AccountId, InstrumentId], tuple[list[Trade], list[Entry], list[CashLine]]]
    happened = defaultdict(lambda: ([], [], []))
    for trade in trades:
        happened[trade.report.account_id, trade.report.instrument_id][0].append(trade)
    for entry in entries:
        happened[entry.account_id, entry.instrument_id][1].append(entry)
    for line in lines:
        if line.instrument_id is not None:
            happened[line.account_id, line.instrument_id][2].append(line)
    return {
        (account_id, key): position
        for (account_id, instrument_id), (its, entered, paid) in happened.items()
        for key, position in fold_instrument(its, entered, paid, instruments[instrument_id]).items()
    }


def fold_balances(lines: Iterable[CashLine]) -> dict[Place, Decimal]:
    """Sum all lines into every balance."""
    balances: defaultdict[Place, Decimal] = defaultdict(lambda: money.ZERO)
    for line in lines:
        balances[line.account_id, line.portfolio_id, line.pocket, line.asset] += line.amount
    return dict(balances)
