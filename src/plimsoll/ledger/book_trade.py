"""Book a trade: the fact, its order, its position, its cash, its day, one link, one event; together or not at all.

What if it comes twice? The natural key finds the first one; an equal report changes nothing, a different one under the
same key is an incident and changes nothing either.
What if it comes late, after trades that happened after it? The position is folded anew from all that happened to it, in
the order it happened, and where our own fold had posted the profit of a trade (the venue told none), the change is
posted as a CORRECTION that names both trades.
What if we never sent the order? The trade is booked to the account's portfolio `main` as `external`: money moved. Where
the venue made it itself, it is told by that word: `liquidation`, `adl`, `settlement`.
What if it names an order of ours that is of another instrument or side? The same, and it is an incident.
What if it corrects or busts a trade (`revision` above 0)? It is another fact beside the first. The highest revision
counts, whatever came first: the position is folded anew, the order has filled what counts now, and what the earlier
report had moved too much or too little is posted as CORRECTION or BUST (of its fee: FEE) that names both reports. An
order that was filled stays filled. A revision that comes before its fill counts, and the fill then changes nothing.
What if it had cost more than it said? The fee that came before it finds it here (`book_late_fee`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from plimsoll.ledger import cash, days, keys, late_fee, orders, positions, trades
from plimsoll.ledger.fold import position_of
from plimsoll.ledger.log import Note, tell, write_note
from plimsoll.ledger.refold import Cause, earned, follows, refold, stored_position
from plimsoll.ledger.revise import restate
from plimsoll.ledger.trades import Booked, Booking
from plimsoll.model.cash import lines_of, reference_of
from plimsoll.model.event import Event, EventKind
from plimsoll.model.ids import PortfolioId, StrategyId
from plimsoll.model.instrument import Instrument
from plimsoll.model.money import ZERO, decimal_text
from plimsoll.model.order import Order
from plimsoll.model.position import Position
from plimsoll.model.trade import EXTERNAL, Trade, TradeReport, effective_trade
from plimsoll.store.draft import Draft

__all__ = ["Booking", "book_trade", "book_trades", "is_repetition"]


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
    before = _told_before(trades.revisions(draft, report), report)
    return before is not None and _same_fact(before.report, report)


def book_trade(draft: Draft, report: TradeReport, now: datetime) -> Booking:
    """Book one report; the caller writes the unit's note."""
    booked = trades.revisions(draft, report)
    if booked and (before := _told_before(booked, report)) is not None:
        if _same_fact(before.report, report):
            return Booking.REPEATED
        tell(draft, _incident(report, now, "another trade was booked under this id", before))
        return Booking.CONTRADICTED
    instrument: Instrument | None = draft.get(keys.instrument(report.instrument_id))
    if instrument is None:
        raise LookupError(f"trade {reference_of(report)} is of an instrument that the book does not know")
    order = _order_of(draft, report, now)
    if booked and order is not None and any(one.order_id not in (0, order.id) for one in booked):
        tell(draft, _incident(report, now, "what was booked under this id is of another order", booked[0].trade))
        return Booking.CONTRADICTED
    owner, order_id = _owner(draft, report, order, booked)
    notional = instrument.notional(report.quantity, report.price)
    trade = Trade(report, owner.portfolio_id, owner.strategy_id, owner.triggered_by, notional)
    every = trades.write(draft, trade, order_id, booked)
    if booked or report.effect is not None:
        position = _revise(draft, every, instrument, order, now)
    else:
        if order is not None:
            _fill(draft, order, report, report.quantity, now)
        position = _take_in(draft, trade, instrument)
    if not booked and draft.get(keys.waiting_fees(report.account_id)):
        late_fee.give(draft, trade, instrument)
    tell(draft, _booked(trade, position, now))
    return Booking.BOOKED


def _told_before(booked: Sequence[Booked], report: TradeReport) -> Trade | None:
    return next((one.trade for one in booked if one.trade.report.revision == report.revision), None)


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
        and booked.effect == told.effect
        and booked.leg == told.leg
    )


def _order_of(draft: Draft, report: TradeReport, now: datetime) -> Order | None:
    order = _named_order(draft, report)
    if order is None or (order.terms.instrument_id, order.terms.side) == (report.instrument_id, report.side):
        return order
    tell(draft, _incident(report, now, f"order {order.client_order_id} is of another instrument or side", None))
    return None


def _named_order(draft: Draft, report: TradeReport) -> Order | None:
    order = None
    if report.client_order_id is not None:
        order = orders.find(draft, report.account_id, report.client_order_id)
    if order is None and report.broker_order_id is not None:
        order = orders.find_by_broker_id(draft, report.account_id, report.instrument_id, report.broker_order_id)
    return order


def _owner(draft: Draft, report: TradeReport, order: Order | None, booked: Sequence[Booked]) -> tuple[Owner, int]:
    if order is not None:
        return Owner(order.intent.portfolio_id, order.intent.strategy_id, order.intent.triggered_by), order.id
    if booked and (known := next((one for one in booked if one.order_id), None)) is not None:
        trade = known.trade
        return Owner(trade.portfolio_id, trade.strategy_id, trade.triggered_by), known.order_id
    main: PortfolioId | None = draft.get(keys.main_portfolio(report.account_id))
    if main is None:
        raise LookupError(
            f"trade {reference_of(report)} is of account {report.account_id}, which has no portfolio main"
        )
    return Owner(main, None, EXTERNAL if report.made_by is None else report.made_by.value), 0


def _fill(draft: Draft, order: Order, report: TradeReport, quantity: Decimal, now: datetime) -> None:
    filled = order.filled(quantity, now, broker_order_id=report.broker_order_id)
    orders.write(draft, filled)
    if filled.filled_quantity > filled.quantity:
        tell(draft, _incident(report, now, f"order {order.client_order_id} was filled beyond its quantity", None))


def _revise(
    draft: Draft, every: Sequence[Booked], instrument: Instrument, order: Order | None, now: datetime
) -> Position:
    """Let what was told under one trade id count as its highest revision has it."""
    told = [one.trade for one in every]
    order = order or next(
        (found for one in every if one.order_id and (found := _named_order(draft, one.trade.report))), None
    )
    if order is not None:
        before = [one.trade for one in every[:-1]] if any(one.order_id for one in every[:-1]) else []
        _refill(draft, order, told[-1].report, _filled_of(told, order) - _filled_of(before, order), now)
    return stored_position(draft, restate(draft, told[:-1], told, instrument))


def _filled_of(told: Sequence[Trade], order: Order) -> Decimal:
    trade = effective_trade(told) if told else None
    return ZERO if trade is None or trade.report.side is not order.terms.side else trade.report.quantity


def _refill(draft: Draft, order: Order, report: TradeReport, more: Decimal, now: datetime) -> None:
    if more > 0:
        _fill(draft, order, report, more, now)
    elif more < 0:
        # Its state stays: whether it goes on after a fill was taken back, only the venue says.
        orders.write(draft, replace(order, filled_quantity=order.filled_quantity + more, updated_at=now))


def _take_in(draft: Draft, trade: Trade, instrument: Instrument) -> Position:
    """Fold a trade in that counts as it is told, and post what it moved."""
    empty = position_of(trade)
    before = stored_position(draft, empty)
    if follows(draft, before, trade.fold_key):
        # Said here and not through `happen`: this runs for every fill.
        after = before.after(trade, instrument)
        positions.write(draft, after)
        realized = after.realized_pnl - before.realized_pnl
        days.move(draft, after, *earned(trade, realized))
    else:
        refolded = refold(draft, empty, instrument, _cause(trade), came=[trade])
        after, realized = refolded.position, refolded.now[trade.key].realized
    cash.post(draft, lines_of(trade, instrument, realized))
    return after


def _cause(trade: Trade) -> Cause:
    return Cause(reference_of(trade.report), trade.report.exec_time)


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
    if report.effect is not None:
        details["effect"] = report.effect
    return Event(EventKind.TRADE_BOOKED, report.account_id, now, details)


def _incident(report: TradeReport, now: datetime, what: str, booked: Trade | None) -> Event:
    details = {"trade": reference_of(report), "what": what, "told": _told(report)}
    if booked is not None:
        details["booked"] = _told(booked.report)
    return Event(EventKind.BREAK_FOUND, report.account_id, now, details)


def _told(report: TradeReport) -> str:
    amount = f"{decimal_text(report.quantity)} at {decimal_text(report.price)}"
    return f"{report.side} {amount}, fee {decimal_text(report.fee)} {report.fee_currency}"
