"""Book a fee that comes after its fill (IBKR's commission report): a second fact, linked to the fill by its id.

It is a FEE line in its own asset at its own time. A fee in the base coin takes its coins out of the position then, as
it would have with the fill. The fee is its trade's: whose the trade is, and in which position, goes for the fee too.

What if it comes twice? Its reference finds the first one; the same again changes nothing, another amount is an
incident and changes nothing either.
What if it comes before its fill? The money moved: it is booked to `main`, which is told below to wait for the trade
(`waiting_fees`), and goes to the trade's portfolio with the trade.
"""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import orjson

from plimsoll.ledger import cash, days, entries, keys, positions, trades
from plimsoll.ledger.books import write_meta
from plimsoll.ledger.days import DayMove
from plimsoll.ledger.fold import home_position, position_of
from plimsoll.ledger.log import json_text, next_link_seq, tell
from plimsoll.ledger.refold import Cause, happen, stored_position
from plimsoll.ledger.trades import Booking
from plimsoll.model import money
from plimsoll.model.cash import CashKind, CashLine, pocket_of, reference_of
from plimsoll.model.entry import Entry, EntryKind
from plimsoll.model.event import Event, EventKind
from plimsoll.model.ids import AccountId, PortfolioId
from plimsoll.model.instrument import Instrument
from plimsoll.model.money import decimal_text
from plimsoll.model.position import Position, plus_fee
from plimsoll.model.trade import LateFee, Trade, TradeReport, fees_of
from plimsoll.store.draft import Draft


def book_late_fee(draft: Draft, fee: LateFee, now: datetime) -> Booking:
    """Book one fee; the caller writes the unit's note."""
    instrument: Instrument | None = draft.get(keys.instrument(fee.instrument_id))
    if instrument is None:
        raise LookupError(f"fee {fee.reference} is of an instrument that the book does not know")
    told = [one.trade for one in trades.revisions(draft, fee)]
    home = home_position(told) if told else _main(draft, fee)
    line = _line(fee, home, instrument)
    before = cash.find(draft, fee.account_id, fee.reference, CashKind.FEE)
    if before:
        if (before[0].amount, before[0].asset, before[0].at) == (line.amount, line.asset, line.at):
            return Booking.REPEATED
        tell(draft, _incident(before[0], fee, now))
        return Booking.CONTRADICTED
    cash.post_once(draft, [line])
    if told:
        _charge(draft, home, line, instrument)
    else:
        _write_waiting(draft, fee.account_id, [*_waiting(draft, fee.account_id), fee.reference])
    details = {"reference": fee.reference, "kind": line.kind.value, "asset": line.asset}
    tell(draft, Event(EventKind.CASH_BOOKED, fee.account_id, now, {**details, "amount": decimal_text(line.amount)}))
    return Booking.BOOKED


def give(draft: Draft, trade: Trade, instrument: Instrument) -> None:
    """Give a trade the fees that came before it."""
    report = trade.report
    waiting = _waiting(draft, report.account_id)
    its = [reference for reference in waiting if reference.startswith(fees_of(report))]
    for reference in its:
        (line,) = cash.find(draft, report.account_id, reference, CashKind.FEE)
        home = position_of(trade)
        if line.portfolio_id != home.portfolio_id:
            cause = Cause(reference_of(report), report.exec_time)
            cash.post(draft, _moved(line, line.amount, home, f"{reference}@{cause.reference}", cause))
        _charge(draft, home, line, instrument)
    if its:
        _write_waiting(draft, report.account_id, [reference for reference in waiting if reference not in its])


def move(draft: Draft, report: TradeReport, old_home: Position, home: Position, cause: Cause) -> None:
    """Take the fees of a trade along into another position; the coins that paid some are folded with it."""
    prefix = fees_of(report)
    behind = prefix[:-1] + chr(ord(prefix[-1]) + 1)
    rows = [*draft.find_with_group("late_fees_of_trade", report.account_id, prefix, behind)]
    rows += [row for row in draft.rows.added.get("cash_lines", ()) if str(row[8]).startswith(prefix)]
    lines = [cash.from_row(row) for row in rows]
    for line in lines:
        for position, sign in ((old_home, -1), (home, 1)):
            _add_fee(draft, position, line, sign)
    if old_home.portfolio_id == home.portfolio_id:
        return
    for pocket, asset in sorted({(line.pocket, line.asset) for line in lines}):
        there = [line for line in lines if (line.pocket, line.asset) == (pocket, asset)]
        amount = sum((line.amount for line in there if line.portfolio_id == old_home.portfolio_id), money.ZERO)
        if amount:
            cash.post(draft, _moved(there[0], amount, home, f"{prefix}@{cause.reference}", cause))


def _main(draft: Draft, fee: LateFee) -> Position:
    main: PortfolioId | None = draft.get(keys.main_portfolio(fee.account_id))
    if main is None:
        raise LookupError(f"fee {fee.reference} is of account {fee.account_id}, which has no portfolio main")
    return Position(fee.account_id, main, fee.instrument_id)


def _line(fee: LateFee, home: Position, instrument: Instrument) -> CashLine:
    return CashLine(
        fee.account_id,
        home.portfolio_id,
        pocket_of(instrument),
        fee.currency,
        CashKind.FEE,
        -fee.fee,
        fee.reference,
        fee.at,
        fee.instrument_id,
        home.strategy_id,
        home.leg,
    )


def _moved(line: CashLine, amount: Decimal, home: Position, reference: str, cause: Cause) -> list[CashLine]:
    there = replace(line, amount=-amount, reference=reference, at=cause.at)
    here = replace(there, amount=amount, portfolio_id=home.portfolio_id, strategy_id=home.strategy_id, leg=home.leg)
    return [there, here]


def _charge(draft: Draft, home: Position, line: CashLine, instrument: Instrument) -> None:
    """Let a position pay a fee, in its coins where it is of them."""
    if line.asset == instrument.base and not instrument.is_derivative and line.amount < 0:
        entry = Entry(
            home.account_id,
            home.portfolio_id,
            home.instrument_id,
            home.strategy_id,
            home.leg,
            EntryKind.FEE,
            -line.amount,
            line.reference,
            line.at,
        )
        entries.write(draft, entry, next_link_seq(draft, home.account_id))
        happen(draft, home, entry, instrument, Cause(f"FEE:{line.reference}", line.at))
    _add_fee(draft, home, line, 1)


def _add_fee(draft: Draft, home: Position, line: CashLine, sign: int) -> None:
    fee = -sign * line.amount
    position = stored_position(draft, home)
    positions.write(draft, replace(position, fees=plus_fee(position.fees, line.asset, fee)))
    days.move(draft, position, days.day_of(line.at), DayMove(fees=((line.asset, fee),)))


def _waiting(draft: Draft, account_id: AccountId) -> list[str]:
    said: str | None = draft.get(keys.waiting_fees(account_id))
    waiting: list[str] = orjson.loads(said) if said else []
    return waiting


def _write_waiting(draft: Draft, account_id: AccountId, waiting: list[str]) -> None:
    write_meta(draft, keys.waiting_fees_name(account_id), json_text(sorted(waiting)) if waiting else "")


def _incident(booked: CashLine, fee: LateFee, now: datetime) -> Event:
    details = {
        "fee": fee.reference,
        "what": "another fee was booked under this id",
        "told": f"{decimal_text(fee.fee)} {fee.currency}",
        "booked": f"{decimal_text(-booked.amount)} {booked.asset}",
    }
    return Event(EventKind.BREAK_FOUND, fee.account_id, now, details)
