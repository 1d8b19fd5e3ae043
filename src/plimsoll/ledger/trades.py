"""Trades in the book: facts, each under its natural key once."""

from decimal import Decimal

from plimsoll.ledger import keys
from plimsoll.model.clock import parse_time, time_text
from plimsoll.model.ids import (
    AccountId,
    BrokerOrderId,
    BrokerTradeId,
    ClientOrderId,
    InstrumentId,
    PortfolioId,
    StrategyId,
)
from plimsoll.model.money import decimal_text
from plimsoll.model.order import Side
from plimsoll.model.position import Position
from plimsoll.model.trade import Trade, TradeReport
from plimsoll.store.draft import Draft, Row


def to_row(trade: Trade, row_id: int, link_seq: int, order_id: int) -> Row:
    """Write a trade as its row, columns in the table's order."""
    report = trade.report
    return (
        report.account_id,
        row_id,
        link_seq,
        report.instrument_id,
        report.broker_trade_id,
        report.revision,
        trade.portfolio_id,
        trade.strategy_id or 0,
        order_id,
        report.client_order_id,
        report.broker_order_id,
        report.side.value,
        decimal_text(report.quantity),
        decimal_text(report.price),
        decimal_text(trade.notional),
        decimal_text(report.fee),
        report.fee_currency,
        None if report.realized_cash is None else decimal_text(report.realized_cash),
        trade.triggered_by,
        time_text(report.exec_time),
        report.sequence,
    )


def from_row(row: Row) -> Trade:
    """Read a trade back."""
    (account, _id, _seq, instrument, trade_id, revision, portfolio, strategy, _order, client_id, broker_id) = row[:11]
    (side, quantity, price, notional, fee, fee_currency, realized, by, exec_time, sequence) = row[11:]
    report = TradeReport(
        account_id=AccountId(int(account or 0)),
        instrument_id=InstrumentId(int(instrument or 0)),
        broker_trade_id=BrokerTradeId(str(trade_id)),
        side=Side(str(side)),
        quantity=Decimal(str(quantity)),
        price=Decimal(str(price)),
        fee=Decimal(str(fee)),
        fee_currency=str(fee_currency),
        exec_time=parse_time(str(exec_time)),
        sequence=int(sequence or 0),
        revision=int(revision or 0),
        broker_order_id=None if broker_id is None else BrokerOrderId(str(broker_id)),
        client_order_id=None if client_id is None else ClientOrderId(str(client_id)),
        realized_cash=None if realized is None else Decimal(str(realized)),
    )
    return Trade(
        report,
        PortfolioId(int(portfolio or 0)),
        StrategyId(int(strategy)) if strategy else None,
        str(by),
        Decimal(str(notional)),
    )


def find(draft: Draft, report: TradeReport) -> Trade | None:
    """Find the trade that was booked under a report's key."""
    key = report.key
    booked: Trade | None = draft.get(keys.booked(*key))
    if booked is not None:
        return booked
    rows = draft.find("trade_by_key", *key)
    return from_row(rows[0]) if rows else None


def of_position(draft: Draft, position: Position) -> list[Trade]:
    """Read all trades of a position, in the order they are folded; this group's and this unit's own included."""
    place = (position.account_id, position.portfolio_id, position.instrument_id, position.strategy_id or 0)
    rows = draft.find_with_group("trades_of_position", *place)
    # A unit's own rows reach the database after it: two late trades of one unit must see each other all the same.
    own = [row for row in draft.rows.added.get("trades", ()) if (row[0], row[6], row[3], row[7]) == place]
    return sorted(map(from_row, (*rows, *own)), key=lambda trade: trade.fold_key)
