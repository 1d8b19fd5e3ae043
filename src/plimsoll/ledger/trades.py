"""Trades in the book: facts, each under its natural key once; with the later revisions of each."""

from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from plimsoll.ledger import keys
from plimsoll.ledger.cells import number_or_none, number_or_null
from plimsoll.ledger.log import next_link_seq
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
from plimsoll.model.trade import LateFee, Trade, TradeEffect, TradeReport
from plimsoll.store.connection import Question
from plimsoll.store.draft import Draft, Row


class Booking(StrEnum):
    """What became of a report."""

    BOOKED = "BOOKED"
    #: The very same was booked before.
    REPEATED = "REPEATED"
    #: Another was booked under the same key, or one of another order: the book is not what the venue has.
    CONTRADICTED = "CONTRADICTED"
    #: What it is worth is not known yet: nothing was booked, and the venue is asked for it again.
    WAITING = "WAITING"


class Booked(NamedTuple):
    """A report in the book, and the order of ours that it was booked to; 0 for none."""

    trade: Trade
    order_id: int


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
        number_or_null(report.realized_cash),
        trade.triggered_by,
        time_text(report.exec_time),
        report.sequence,
        None if report.effect is None else report.effect.value,
        report.leg or None,
    )


def from_row(row: Row) -> Trade:
    """Read a trade back."""
    (account, _id, _seq, instrument, trade_id, revision, portfolio, strategy, _order, client_id, broker_id) = row[:11]
    (side, quantity, price, notional, fee, fee_currency, realized, by, exec_time, sequence) = row[11:21]
    effect, leg = row[21:]
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
        realized_cash=number_or_none(realized),
        effect=None if effect is None else TradeEffect(str(effect)),
        leg=str(leg or ""),
    )
    return Trade(
        report,
        PortfolioId(int(portfolio or 0)),
        StrategyId(int(strategy)) if strategy else None,
        str(by),
        Decimal(str(notional)),
    )


def revisions(draft: Draft, told: TradeReport | LateFee) -> tuple[Booked, ...]:
    """Find everything that was booked under a venue's trade id."""
    booked: tuple[Booked, ...] | None = draft.get(keys.booked(told))
    if booked is not None:
        return booked
    query, parameters = question(told)
    rows = draft.find(query, *parameters)
    return tuple(_booked(row) for row in rows) if rows else ()


def question(told: TradeReport | LateFee) -> Question:
    """Give what `revisions` asks the database: for whoever says it beforehand."""
    return "trade_revisions", (told.account_id, told.instrument_id, told.broker_trade_id)


def write(draft: Draft, trade: Trade, order_id: int, booked: tuple[Booked, ...]) -> tuple[Booked, ...]:
    """Write a trade beside what was booked under its id before; give all of it."""
    report = trade.report
    link_seq = next_link_seq(draft, report.account_id)
    draft.add("trades", to_row(trade, draft.next_id("trades"), link_seq, order_id))
    every = (*booked, Booked(trade, order_id))
    draft.put_fleeting(keys.booked(report), every)
    return every


def near_position(draft: Draft, position: Position) -> list[Trade]:
    """Read every report that may count for a position; this group's and this unit's own included.

    Of a trade id that stands in the position once, all its reports: another revision may have been booked elsewhere.
    """
    place = (position.account_id, position.portfolio_id, position.instrument_id, position.strategy_id or 0)
    rows = draft.find_with_group("trades_of_position", place[0], place[2], *place)
    # A unit's own rows reach the database after it: two late trades of one unit must see each other all the same.
    own = [row for row in draft.rows.added.get("trades", ()) if (row[0], row[3]) == (place[0], place[2])]
    here = {row[4] for row in rows} | {row[4] for row in own if (row[0], row[6], row[3], row[7]) == place}
    elsewhere = here - {row[4] for row in rows}
    told = [from_row(row) for row in (*rows, *(row for row in own if row[4] in here))]
    for trade_id in elsewhere:
        told += [
            from_row(row)
            for row in draft.find("trade_revisions", position.account_id, position.instrument_id, trade_id)
        ]
    return told


def _booked(row: Row) -> Booked:
    return Booked(from_row(row), int(row[8] or 0))
