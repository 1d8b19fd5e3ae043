"""Everything that can happen to the money of one account, drawn at random, and the books that it was told to.

Two portfolios, two orders, spot, a linear and an inverse contract; fills with revisions and late fees; funding, loans,
transfers; coins that come and go; splits. A fact is told as often and in whatever order a test likes.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from hypothesis import strategies as st

from plimsoll.ledger import accounts, cash, entries, orders, schema, trades
from plimsoll.ledger.book_cash import book_cash
from plimsoll.ledger.book_trade import Booking, book_trades
from plimsoll.ledger.corporate import book_entry
from plimsoll.ledger.late_fee import book_late_fee
from plimsoll.ledger.log import Note, write_note
from plimsoll.model import cash as pockets
from plimsoll.model.account import Portfolio
from plimsoll.model.cash import Arrival, CashEvent, CashKind, CashLine
from plimsoll.model.entry import Entry, EntryKind
from plimsoll.model.ids import BrokerTradeId, PortfolioId, UserId
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import Order, OrderState, Side
from plimsoll.model.position import Position
from plimsoll.model.trade import LateFee, Trade, TradeEffect, TradeReport
from plimsoll.store.draft import Draft
from plimsoll.store.scribe import Unit
from tests.builders.approved import approved
from tests.builders.folding import fold_balances, fold_positions
from tests.builders.ledger import (
    ACCOUNT,
    INVERSE,
    MAIN,
    NOON,
    PERPETUAL,
    SPOT,
    Books,
    books_in_memory,
    client_order_id,
    fill,
    note_order,
)

D = Decimal
_T = TypeVar("_T")
OTHER = Portfolio(PortfolioId(2), "p-2", ACCOUNT.id, UserId(1), "other")
TRADED = (SPOT, PERPETUAL, INVERSE)

Fact = TradeReport | LateFee | CashEvent | Entry


def telling(fact: Fact) -> Unit:
    """Book one fact in a unit of its own."""

    def unit(draft: Draft) -> Booking:
        if isinstance(fact, TradeReport):
            return book_trades(draft, [fact], NOON, "venue:paper")[0]
        if isinstance(fact, CashEvent):
            return book_cash(draft, fact, "user:1", NOON)
        became = book_late_fee(draft, fact, NOON) if isinstance(fact, LateFee) else book_entry(draft, fact, NOON)
        if became is not Booking.REPEATED:
            write_note(draft, Note(ACCOUNT.id, "venue:paper", "CREATE", "CASH", fact.reference, NOON, {}))
        return became

    return unit


def desk(size: str = "1000") -> Books:
    """Open books with two portfolios, each with an order of each side in each instrument."""
    books = books_in_memory().open()
    books.write(_second_portfolio)
    for portfolio in (MAIN, OTHER):
        for instrument in TRADED:
            for side in Side:
                books.write(_placing(portfolio, instrument, side, size))
    return books


def _placing(portfolio: Portfolio, instrument: Instrument, side: Side, size: str) -> Unit:
    given = approved(order_key(portfolio, instrument, side), side, size, instrument, price="100")

    def unit(draft: Draft) -> None:
        order = Order(
            id=draft.next_id("orders"),
            uid=f"o-{given.intent.key}",
            client_order_id=given.client_order_id,
            intent=replace(given.intent, portfolio_id=portfolio.id),
            terms=given.terms,
            state=OrderState.PENDING,
            placed_at=NOON,
            updated_at=NOON,
        )
        orders.write_new(draft, order)
        note_order(draft, order, "CREATE")

    return unit


def order_key(portfolio: Portfolio, instrument: Instrument, side: Side) -> str:
    return f"{portfolio.name}-{instrument.id}-{side}"


def _second_portfolio(draft: Draft) -> None:
    accounts.write_portfolio(draft, OTHER)
    write_note(draft, Note(ACCOUNT.id, "user:1", "CREATE", "PORTFOLIO", OTHER.uid, NOON, {}))


def told(facts: Iterable[Fact]) -> Books:
    """Tell facts one by one."""
    return told_in_groups([[fact] for fact in facts])


def told_in_groups(groups: Iterable[Sequence[Fact]], size: str = "1000") -> Books:
    """Tell facts, the units of a group together; each order is of this size."""
    books = desk(size)
    for group in groups:
        for answer in books.together(*(telling(fact) for fact in group)):
            assert isinstance(answer, Booking), answer
            assert answer is not Booking.CONTRADICTED
    return books


# What is booked -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Booked:
    """The facts and the caches of a book, read from its file."""

    trades: list[Trade]
    entries: list[Entry]
    lines: list[CashLine]

    def positions(self) -> dict[Any, Position]:
        instruments = {instrument.id: instrument for instrument in TRADED}
        return dict(fold_positions(self.trades, instruments, self.entries, self.lines))

    def balances(self) -> dict[Any, Decimal]:
        return {place: amount for place, amount in fold_balances(self.lines).items() if amount}


def facts_of(books: Books) -> Booked:
    with books.engine.connect() as connection:

        def rows(table: Any, read: Callable[[Any], _T]) -> list[_T]:
            return [read(tuple(row)) for row in connection.exec_driver_sql(f"SELECT * FROM {table.name}")]

        return Booked(
            rows(schema.trades, trades.from_row),
            rows(schema.position_entries, entries.from_row),
            rows(schema.cash_lines, cash.from_row),
        )


# What may happen ------------------------------------------------------------------------------------------------------

_STEPS = st.integers(1, 5000).map(lambda number: D(number) / 1000)
_PRICES = st.integers(1, 20000).map(lambda number: D(number) / 100)
_FEES = st.integers(-20, 60).map(lambda number: D(number) / 1000)
_MINUTES = st.integers(0, 60 * 24 * 3)


def _at(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


@st.composite
def fills(draw: st.DrawFn, number: int) -> list[Fact]:
    """Draw a fill with what a venue may tell of it later: revisions, late fees."""
    instrument, side = draw(st.sampled_from(TRADED)), draw(st.sampled_from(Side))
    portfolio = draw(st.sampled_from((None, MAIN, OTHER)))
    order_id = None if portfolio is None else client_order_id(order_key(portfolio, instrument, side))
    derivative = instrument.is_derivative
    report = fill(
        instrument,
        side,
        draw(_STEPS),
        draw(_PRICES),
        number,
        trade_id=BrokerTradeId(f"t{number}"),
        fee=draw(_FEES),
        fee_currency=draw(st.sampled_from((instrument.base, instrument.quote, "BNB"))),
        exec_time=_at(draw(_MINUTES)),
        sequence=draw(st.integers(0, 2)),
        client_order_id=order_id,
        realized_cash=draw(_FEES) if derivative and draw(st.booleans()) else None,
        leg=draw(st.sampled_from(("", "LONG"))) if derivative else "",
    )
    facts: list[Fact] = [report]
    facts += [draw(_revisions(report, revision)) for revision in range(1, draw(st.integers(0, 2)) + 1)]
    for fee_id in range(draw(st.integers(0, 2))):
        fee = draw(_FEES.filter(bool))
        currency = draw(st.sampled_from((instrument.base, instrument.quote, "BNB")))
        place = (ACCOUNT.id, instrument.id, report.broker_trade_id)
        facts.append(LateFee(*place, f"f{fee_id}", fee, currency, _at(draw(_MINUTES))))
    return facts


@st.composite
def _revisions(draw: st.DrawFn, report: TradeReport, revision: int) -> TradeReport:
    effect = draw(st.sampled_from(TradeEffect))
    # Some venues name the order in the correction, some do not.
    order_id = draw(st.sampled_from((report.client_order_id, None)))
    revised = replace(report, revision=revision, effect=effect, client_order_id=order_id)
    if effect is TradeEffect.BUST:
        return revised
    side = report.side if order_id is not None else draw(st.sampled_from(Side))
    return replace(
        revised,
        side=side,
        quantity=draw(_STEPS),
        price=draw(_PRICES),
        fee=draw(_FEES),
        exec_time=draw(st.sampled_from((report.exec_time, _at(draw(_MINUTES))))),
    )


@st.composite
def cash_events(draw: st.DrawFn, number: int) -> list[Fact]:
    """Draw what moves without a trade."""
    kind = draw(
        st.sampled_from(
            (
                *(CashKind.FUNDING, CashKind.INTEREST, CashKind.DIVIDEND, CashKind.SETTLEMENT, CashKind.DEPOSIT),
                *(CashKind.WITHDRAWAL, CashKind.BORROW, CashKind.REPAY, CashKind.TRANSFER, CashKind.ADJUSTMENT),
            )
        )
    )
    instrument, portfolio = draw(st.sampled_from(TRADED)), draw(st.sampled_from((MAIN, OTHER)))
    of_position = kind in {CashKind.FUNDING, CashKind.INTEREST, CashKind.DIVIDEND, CashKind.SETTLEMENT}
    signed = of_position or kind is CashKind.ADJUSTMENT
    amount = draw(_FEES.filter(bool)) if signed else draw(_STEPS)
    elsewhere = Arrival(OTHER.id if portfolio is MAIN else MAIN.id, pockets.FUTURES, "USDT", amount)
    event = CashEvent(
        ACCOUNT.id,
        portfolio.id,
        kind,
        "USDT",
        amount,
        f"c{number}",
        _at(draw(_MINUTES)),
        pocket=draw(st.sampled_from((pockets.SPOT, pockets.FUTURES))),
        instrument_id=instrument.id if of_position and draw(st.booleans()) else None,
        arrival=elsewhere if kind is CashKind.TRANSFER else None,
        reason="counted by hand" if kind is CashKind.ADJUSTMENT else "",
    )
    return [event]


@st.composite
def coins(draw: st.DrawFn, number: int) -> list[Fact]:
    """Draw coins that came in, at a cost or at one that nobody knows, that went out, or a split."""
    kind = draw(st.sampled_from((EntryKind.IN, EntryKind.OUT, EntryKind.SPLIT)))
    portfolio, at = draw(st.sampled_from((MAIN, OTHER))), _at(draw(_MINUTES))
    if kind is EntryKind.SPLIT:
        instrument = draw(st.sampled_from(TRADED))
        new, per = draw(st.sampled_from(((D(4), D(1)), (D(1), D(10)), (D(3), D(7)))))
        return [Entry(ACCOUNT.id, MAIN.id, instrument.id, None, "", kind, new, f"e{number}", at, per=per)]
    cost = draw(st.sampled_from((None, D("12.5"), D(0), D("333.333333333333333333"))))
    place = (ACCOUNT.id, portfolio.id, SPOT.id, None, "")
    return [Entry(*place, kind, draw(_STEPS), f"e{number}", at, cost=cost)]


@st.composite
def days_of_facts(draw: st.DrawFn, most: int = 6) -> list[Fact]:
    """Draw everything of a few days, in one order; each fact once."""
    facts: list[Fact] = []
    for number in range(1, draw(st.integers(1, most)) + 1):
        kinds = st.one_of(fills(number), fills(number), cash_events(number), coins(number))
        facts += draw(kinds)
    return facts
