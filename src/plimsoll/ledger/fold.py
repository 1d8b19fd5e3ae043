"""The fold: positions and balances computed anew from the facts. The caches must equal it, bit for bit (I9, I10)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from plimsoll.model import money
from plimsoll.model.cash import CashLine
from plimsoll.model.ids import AccountId, InstrumentId, PortfolioId
from plimsoll.model.instrument import Instrument
from plimsoll.model.position import Position, PositionKey
from plimsoll.model.trade import Trade, TradeKey

#: (account, portfolio, pocket, asset): where an amount lies.
Place = tuple[AccountId, PortfolioId, str, str]


def fold_position(
    empty: Position, in_order: Sequence[Trade], instrument: Instrument
) -> tuple[Position, dict[TradeKey, Decimal]]:
    """Fold trades into a position, and say what each realised.

    Shapes: `in_order` by `Trade.fold_key`, all of the position's
    """
    position = empty
    realized: dict[TradeKey, Decimal] = {}
    for trade in in_order:
        after = position.after(trade, instrument)
        realized[trade.report.key] = after.realized_pnl - position.realized_pnl
        position = after
    return position, realized


def fold_positions(
    trades: Iterable[Trade], instruments: Mapping[InstrumentId, Instrument]
) -> dict[tuple[AccountId, PositionKey], Position]:
    """Fold all trades, in whatever order they come, into every position."""
    by_position: defaultdict[tuple[AccountId, PositionKey], list[Trade]] = defaultdict(list)
    for trade in trades:
        by_position[trade.report.account_id, position_of(trade).key].append(trade)
    folded = {}
    for place, its_trades in by_position.items():
        in_order = sorted(its_trades, key=lambda trade: trade.fold_key)
        instrument = instruments[in_order[0].report.instrument_id]
        folded[place], _ = fold_position(position_of(in_order[0]), in_order, instrument)
    return folded


def position_of(trade: Trade) -> Position:
    """Give the position that a trade belongs to, empty."""
    report = trade.report
    return Position(report.account_id, trade.portfolio_id, report.instrument_id, strategy_id=trade.strategy_id)


def fold_balances(lines: Iterable[CashLine]) -> dict[Place, Decimal]:
    """Sum all lines into every balance."""
    balances: defaultdict[Place, Decimal] = defaultdict(lambda: money.ZERO)
    for line in lines:
        balances[line.account_id, line.portfolio_id, line.pocket, line.asset] += line.amount
    return dict(balances)
