"""Book a trade: the fact, its order, its position, its cash, one link, one event; together or not at all.

What if it comes twice? The natural key finds the first one; an equal report changes nothing, a different one under the
same key is an incident and changes nothing either.
What if it comes late, after trades that happened after it? The position is folded anew from all its trades in the order
they happened, and where our own fold had posted the profit of a trade (the venue told none), the change is posted as a
CORRECTION that names both trades.
What if we never sent the order? The trade is booked to the account's portfolio `main` as `external`: money moved.
What if it names an order of ours that is of another instrument or side? The same, and it is an incident.
What if it corrects a trade that is booked (`revision` above 0)? A second fill would double the position, and nothing
reverses the first one yet: it is an incident and changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from plimsoll.ledger import cash, keys, orders, positions, trades
from plimsoll.ledger.fold import fold_position, position_of
from plimsoll.ledger.log import Note, next_link_seq, tell, write_note
from plimsoll.model.cash import CashKind, CashLine, lines_of, pocket_of, reference_of
from plimsoll.model.errors import invariant
from plimsoll.model.event import Event, EventKind
from plimsoll.model.ids import PortfolioId, StrategyId
from plimsoll.model.instrument import Instrument
from plimsoll.model.money import decimal_text
from plimsoll.model.order import Order
from plimsoll.model.position import Position
from plimsoll.model.trade import Trade, TradeReport
from plimsoll.store.draft import Draft


class Booking(StrEnum):
    """What became of a report."""

    BOOKED = "BOOKED"
    #: The very same trade was booked before.
    REPEATED = "REPEATED"
    #: Another trade was booked under the same key, or this corrects one: the book is not what the venue has.
    CONTRADICTED = "CONTRADICTED"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a trade is."""

    portfolio_id: PortfolioId
    strategy_id: StrategyId | None
    triggered_by: str


def book_trades(draft: Draft, reports: Sequence[TradeReport], now: datetime, actor: str) -> list[Booking]:
    """Book several reports of one account in one unit.

    Units: at most some 40 reports, so that the unit stays short
    """
    done = [book_trade(draft, report, now) for report in reports]
    told = list(zip(reports, done, strict=True))
    booked = ",".join(reference_of(report) for report, became in told if became is Booking.BOOKED)
    contradicted = ",".join(reference_of(report) for report, became in told if became is Booking.CONTRADICTED)
    if booked or contradicted:
        account_id, details = reports[0].account_id, {"contradicted": contradicted} if contradicted else {}
        action = "CREATE" if booked else "REJECT"
        write_note(draft, Note(account_id, actor, action, "TRADE", booked or contradicted, now, details))
    return done


def is_repetition(draft: Draft, report: TradeReport) -> bool:
    """Say whether a report tells what is booked already: booking it would change nothing."""
    before = trades.find(draft, report) if report.revision == 0 else None
    return before is not None and _same_fact(before.report, report)


def book_trade(draft: Draft, report: TradeReport, now: datetime) -> Booking:
    """Book one report; the caller writes the unit's note."""
    if report.revision > 0:
        tell(draft, _incident(report, now, "a correction cannot be booked yet", None))
        return Booking.CONTRADICTED
    before = trades.find(draft, report)
    if before is not None:
        if _same_fact(before.report, report):
            return Booking.REPEATED
        tell(draft, _incident(report, now, "another trade was booked under this id", before))
        return Booking.CONTRADICTED
    instrument: Instrument | None = draft.get(keys.instrument(report.instrument_id))
    if instrument is None:
        raise LookupError(f"trade {reference_of(report)} is of an instrument that the book does not know")
    order = _order_of(draft, report, now)
    owner = _owner(draft, report, order)
    notional = instrument.notional(report.quantity, report.price)
    trade = Trade(report, owner.portfolio_id, owner.strategy_id, owner.triggered_by, notional)
    link_seq = next_link_seq(draft, report.account_id)
    order_id = 0 if order is None else order.id
    draft.add("trades", trades.to_row(trade, draft.next_id("trades"), link_seq, order_id))
    draft.put_fleeting(keys.booked(*report.key), trade)
    if order is not None:
        _fill(draft, order, report, now)
    position, lines = _fold_in(draft, trade, instrument)
    positions.write(draft, position)
    cash.post(draft, lines)
    tell(draft, _booked(trade, position, now))
    return Booking.BOOKED


def _same_fact(booked: TradeReport, told: TradeReport) -> bool:
    # A venue's stream and its history may differ in which of its own order ids they repeat; the fact is the fill, and
    # what it paid. The sequence belongs to it: it decides where the fill stands in the fold.
    return (
        booked.side == told.side
        and booked.quantity == told.quantity
        and booked.price == told.price
        and booked.fee == told.fee
        and booked.fee_currency == told.fee_currency
        and booked.exec_time == told.exec_time
        and booked.sequence == told.sequence
        and booked.realized_cash == told.realized_cash
    )


def _order_of(draft: Draft, report: TradeReport, now: datetime) -> Order | None:
    order = None
    if report.client_order_id is not None:
        order = orders.find(draft, report.account_id, report.client_order_id)
    if order is None and report.broker_order_id is not None:
        order = orders.find_by_broker_id(draft, report.account_id, report.instrument_id, report.broker_order_id)
    if order is None or (order.terms.instrument_id, order.terms.side) == (report.instrument_id, report.side):
        return order
    tell(draft, _incident(report, now, f"order {order.client_order_id} is of another instrument or side", None))
    return None


def _owner(draft: Draft, report: TradeReport, order: Order | None) -> Owner:
    if order is not None:
        return Owner(order.intent.portfolio_id, order.intent.strategy_id, order.intent.triggered_by)
    main: PortfolioId | None = draft.get(keys.main_portfolio(report.account_id))
    if main is None:
        raise LookupError(
            f"trade {reference_of(report)} is of account {report.account_id}, which has no portfolio main"
        )
    return Owner(main, None, "external")


def _fill(draft: Draft, order: Order, report: TradeReport, now: datetime) -> None:
    filled = order.filled(report.quantity, now, broker_order_id=report.broker_order_id)
    orders.write(draft, filled)
    if filled.filled_quantity > filled.quantity:
        tell(draft, _incident(report, now, f"order {order.client_order_id} was filled beyond its quantity", None))


def _fold_in(draft: Draft, trade: Trade, instrument: Instrument) -> tuple[Position, list[CashLine]]:
    empty = position_of(trade)
    before: Position = draft.get(keys.position(empty.account_id, empty.key)) or empty
    if before.folded_to is None or trade.fold_key > before.folded_to:
        after = before.after(trade, instrument)
        return after, lines_of(trade, instrument, after.realized_pnl - before.realized_pnl)
    return _fold_anew(draft, empty, trade, instrument)


def _fold_anew(draft: Draft, empty: Position, late: Trade, instrument: Instrument) -> tuple[Position, list[CashLine]]:
    booked = [trade for trade in trades.of_position(draft, empty) if trade.report.key != late.report.key]
    _, realized_before = fold_position(empty, booked, instrument)
    in_order = sorted([*booked, late], key=lambda trade: trade.fold_key)
    position, realized = fold_position(empty, in_order, instrument)
    lines = lines_of(late, instrument, realized[late.report.key])
    if instrument.is_derivative:
        for trade in booked:
            change = realized[trade.report.key] - realized_before[trade.report.key]
            # Where the venue said what it paid, that is what moved; our fold only explains it.
            if change != 0 and trade.report.realized_cash is None:
                lines.append(_correction(trade, late, instrument, change))
    return position, lines


def _correction(trade: Trade, late: Trade, instrument: Instrument, change: Decimal) -> CashLine:
    reference = f"{reference_of(trade.report)}@{reference_of(late.report)}"
    invariant(trade.portfolio_id == late.portfolio_id, "a position's trades are of one portfolio")
    return CashLine(
        trade.report.account_id,
        trade.portfolio_id,
        pocket_of(instrument),
        instrument.settle,
        CashKind.CORRECTION,
        change,
        reference,
        late.report.exec_time,
    )


def _booked(trade: Trade, position: Position, now: datetime) -> Event:
    report = trade.report
    details = {
        "client_order_id": report.client_order_id or "",
        "trade": reference_of(report),
        "portfolio": str(trade.portfolio_id),
        "side": report.side,
        "quantity": decimal_text(report.quantity),
        "price": decimal_text(report.price),
        "fee": decimal_text(report.fee),
        "fee_currency": report.fee_currency,
        "position": decimal_text(position.quantity),
        "realized_pnl": decimal_text(position.realized_pnl),
        "triggered_by": trade.triggered_by,
    }
    return Event(EventKind.TRADE_BOOKED, report.account_id, now, details)


def _incident(report: TradeReport, now: datetime, what: str, booked: Trade | None) -> Event:
    details = {"trade": reference_of(report), "what": what, "told": _told(report)}
    if booked is not None:
        details["booked"] = _told(booked.report)
    return Event(EventKind.BREAK_FOUND, report.account_id, now, details)


def _told(report: TradeReport) -> str:
    amount = f"{decimal_text(report.quantity)} at {decimal_text(report.price)}"
    return f"{report.side} {amount}, fee {decimal_text(report.fee)} {report.fee_currency}"
