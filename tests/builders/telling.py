"""What statements may tell, drawn at random; made into a book beside the desk, or booked by the desk's own units."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import strategies as st

from plimsoll.ledger import accounts
from plimsoll.ledger.book_cash import post_event
from plimsoll.ledger.book_trade import book_trades
from plimsoll.ledger.corporate import book_entry
from plimsoll.ledger.imported.becoming import name_of
from plimsoll.ledger.imported.build import BookPlace, Built, build
from plimsoll.ledger.imported.spool import Spool, Statement
from plimsoll.ledger.imported.staging import FOLDED, LINES, LINKED
from plimsoll.ledger.log import Note, write_note
from plimsoll.ledger.schema import metadata
from plimsoll.ledger.trades import Booking
from plimsoll.model.cash import FUTURES, MARGIN, SPOT, CashEvent, CashKind
from plimsoll.model.entry import Entry, EntryKind
from plimsoll.model.ids import BrokerOrderId, BrokerTradeId, InstrumentId, StrategyId
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import Side
from plimsoll.model.told import Told
from plimsoll.model.trade import EXTERNAL, TradeReport
from plimsoll.store.draft import Draft
from plimsoll.store.scribe import Unit
from plimsoll.store.statements import insert_sql
from tests.builders.ledger import ACCOUNT, CHAIN_KEY, INSTRUMENTS, MAIN, NOON, PERPETUAL, USER, Books, books_in_memory
from tests.builders.ledger import SPOT as BTC

D = Decimal
VENUE = "paper"
STRATEGIES = {"grid": StrategyId(7), "trend": StrategyId(8)}
PLACE = BookPlace(
    ACCOUNT.id,
    MAIN.id,
    {(VENUE, instrument.symbol): instrument for instrument in INSTRUMENTS},
    STRATEGIES,
    "user:1",
    NOON,
)
STAGED = (*LINKED, *FOLDED, LINES)


def statement(number: int = 1) -> Statement:
    return Statement(number, f"s-{number}", "plain", f"{number}.csv", f"{number:064}", "user:1", NOON)


def at(minute: int) -> datetime:
    return NOON + timedelta(minutes=minute)


def fill(
    number: int, side: Side, quantity: str | Decimal, price: str | Decimal, instrument: Instrument = BTC, **said: Any
) -> Told:
    """Tell of the n-th fill, n minutes after noon; what is said replaces the plain parts."""
    plain: dict[str, Any] = {"lines": (number + 1,), "at": at(number), "reference": f"t{number}", "sequence": number}
    plain |= {"triggered_by": EXTERNAL, "inverse": instrument.inverse, "symbol": instrument.symbol}
    return Told(kind=CashKind.TRADE, side=side, quantity=D(quantity), price=D(price), **{**plain, **said})


def movement(number: int, kind: CashKind, amount: str | Decimal, asset: str = "USDT", **said: Any) -> Told:
    """Tell of the n-th movement, n minutes after noon."""
    plain: dict[str, Any] = {"lines": (number + 1,), "at": at(number), "reference": f"m{number}"}
    return Told(kind=kind, amount=D(amount), asset=asset, **{**plain, **said})


def split(number: int, new: str, per: str, instrument: Instrument = BTC, **said: Any) -> Told:
    plain: dict[str, Any] = {"lines": (number + 1,), "at": at(number), "reference": f"split{number}"}
    return Told(kind=CashKind.SPLIT, symbol=instrument.symbol, quantity=D(new), per=D(per), **{**plain, **said})


# Made beside the desk -------------------------------------------------------------------------------------------------


@contextmanager
def made(*statements: Iterable[Told], place: BookPlace = PLACE) -> Iterator[Built]:
    """Make a book of what statements told."""
    with TemporaryDirectory() as folder:
        spool = spooled(Path(folder) / "making.part", *statements)
        yield build(spool, place, CHAIN_KEY, lambda _done, _total: None)
        spool.close()


def spooled(path: Path, *statements: Iterable[Told]) -> Spool:
    """Write down what statements told, and settle it."""
    spool = Spool(path)
    for number, told in enumerate(statements, start=1):
        tell(spool, number, told)
    spool.settle()
    return spool


def place_of(spool: Spool) -> BookPlace:
    """Give what everything that a settled spool holds needs, numbered as it is wanted."""
    wanted = spool.wanted()
    instruments = {
        (one.venue, one.symbol): replace(
            PERPETUAL if one.settle else BTC,
            id=InstrumentId(number),
            symbol=one.symbol,
            venue=one.venue,
            base=one.base,
            quote=one.quote,
            settle=one.settle or one.quote,
        )
        for number, one in enumerate(wanted.instruments, start=1)
    }
    return replace(PLACE, instruments=instruments)


@contextmanager
def made_of(*statements: Iterable[Told]) -> Iterator[Built]:
    """Make a book with just the instruments that statements told of."""
    with TemporaryDirectory() as folder:
        spool = spooled(Path(folder) / "making.part", *statements)
        yield build(spool, place_of(spool), CHAIN_KEY, lambda _done, _total: None)
        spool.close()


def tell(spool: Spool, number: int, things: Iterable[Told]) -> None:
    given = spool.begin_statement(statement(number), VENUE)
    lines = 0
    for told in things:
        spool.add(given, told, f"raw {told.lines[0]}")
        lines += 1
    spool.end_statement(given, lines)


def staged(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Read everything of a making, row by row."""
    with closing(sqlite3.connect(path)) as connection:
        return {
            table: connection.execute(f"SELECT rowid, * FROM {table} ORDER BY rowid").fetchall()
            for table in (*STAGED, "chunks", "about")
        }


def brought(path: Path, books: Books) -> Books:
    """Take a finished making into books by hand, as they lie."""
    tables = staged(path)
    with books.engine.begin() as connection:
        for name in STAGED:
            rows = [row[1:] for row in tables[name]]
            if rows:
                connection.exec_driver_sql(insert_sql(metadata.tables[name]), rows)
    return books


def opened(books: Books) -> Books:
    """Open the account with nothing in its own chain: a making begins it."""

    def unit(draft: Draft) -> None:
        accounts.write_user(draft, USER)
        accounts.write_account(draft, ACCOUNT)
        accounts.write_portfolio(draft, MAIN)
        for instrument in INSTRUMENTS:
            accounts.write_instrument(draft, instrument, NOON)
        write_note(draft, Note(0, "user:1", "CREATE", "ACCOUNT", ACCOUNT.uid, NOON, {}))

    books.write(unit)
    return books


def imported(*statements: Iterable[Told]) -> Books:
    """Give books with what statements told, made beside them and taken in."""
    with made(*statements) as built:
        return brought(built.path, opened(books_in_memory()))


# Booked by the desk ---------------------------------------------------------------------------------------------------


def booked(things: Sequence[Told]) -> Books:
    """Give books to which the desk's own units booked the same, one thing after the other."""
    books = books_in_memory().open()
    for told in things:
        assert books.write(_booking(told)) is Booking.BOOKED
    return books


def _booking(told: Told) -> Unit:
    def unit(draft: Draft) -> Booking:
        if told.kind is CashKind.TRADE:
            return book_trades(draft, [_report(told)], NOON, "venue:paper")[0]
        became = [post_event(draft, event, NOON) for event in _events(told)]
        became += [book_entry(draft, entry, NOON) for entry in _entries(told)]
        write_note(draft, Note(ACCOUNT.id, "user:1", "CREATE", "CASH", told.reference, NOON, {}))
        assert set(became) == {Booking.BOOKED}
        return Booking.BOOKED

    return unit


def _instrument(told: Told) -> Instrument:
    return next(one for one in INSTRUMENTS if one.symbol == told.symbol)


def _report(told: Told) -> TradeReport:
    assert told.side is not None
    instrument = _instrument(told)
    return TradeReport(
        ACCOUNT.id,
        instrument.id,
        BrokerTradeId(told.reference),
        told.side,
        told.quantity,
        told.price,
        told.fee,
        told.fee_asset or instrument.cash_asset,
        told.at,
        told.sequence,
        broker_order_id=BrokerOrderId(told.order_id) if told.order_id else None,
        realized_cash=told.realized,
        leg=told.leg,
    )


#: Booked as, and whether the amount is told without its sign.
_AS = {
    (CashKind.TRANSFER, True): CashKind.DEPOSIT,
    (CashKind.TRANSFER, False): CashKind.WITHDRAWAL,
    (CashKind.DEPOSIT, False): CashKind.WITHDRAWAL,
    (CashKind.WITHDRAWAL, True): CashKind.DEPOSIT,
    (CashKind.BORROW, False): CashKind.REPAY,
    (CashKind.REPAY, True): CashKind.BORROW,
}
_ONE_WAY = {CashKind.DEPOSIT, CashKind.WITHDRAWAL, CashKind.BORROW, CashKind.REPAY}
_COINS = frozenset({CashKind.DEPOSIT, CashKind.WITHDRAWAL})
#: Coins without a symbol that are earned or lost are of the only position that holds such.
_GIVEN = frozenset({CashKind.INTEREST, CashKind.DIVIDEND, CashKind.ADJUSTMENT})


def _kind(told: Told) -> CashKind:
    return _AS.get((told.kind, told.amount > 0), told.kind)


def _events(told: Told) -> Iterator[CashEvent]:
    kind = _kind(told)
    whose = told.symbol and kind not in _ONE_WAY
    if kind is not CashKind.SPLIT:
        yield CashEvent(
            ACCOUNT.id,
            MAIN.id,
            kind,
            told.asset,
            abs(told.amount) if kind in _ONE_WAY else told.amount,
            name_of(told, VENUE),
            told.at,
            told.pocket,
            instrument_id=_instrument(told).id if whose else None,
            leg=told.leg if whose else "",
            reason=told.note if kind is CashKind.ADJUSTMENT else "",
        )


def _entries(told: Told) -> Iterator[Entry]:
    kind = _kind(told)
    if kind is CashKind.SPLIT:
        of = (ACCOUNT.id, MAIN.id, _instrument(told).id, None, "", EntryKind.SPLIT, told.quantity, told.reference)
        yield Entry(*of, told.at, told.sequence, per=told.per)
    elif told.symbol and kind in _COINS:
        yield _coins(told, _instrument(told))
    elif not told.symbol and told.asset == BTC.base and kind in {*_COINS, *_GIVEN}:
        yield _coins(told, BTC)


def _coins(told: Told, instrument: Instrument) -> Entry:
    comes = told.amount > 0
    return Entry(
        ACCOUNT.id,
        MAIN.id,
        instrument.id,
        None,
        told.leg,
        EntryKind.IN if comes else EntryKind.OUT,
        abs(told.amount),
        name_of(told, VENUE),
        told.at,
        told.sequence,
        cost=told.cost if comes else None,
    )


# What may be told -----------------------------------------------------------------------------------------------------

_STEPS = st.integers(1, 5000).map(lambda number: D(number) / 1000)
_PRICES = st.integers(1, 20000).map(lambda number: D(number) / 100)
_AMOUNTS = st.integers(-500, 500).filter(bool).map(lambda number: D(number) / 100)
_MOMENTS = st.integers(0, 60 * 24 * 3).map(at)
#: Few, so that much happens at one moment under one name.
_SEQUENCES = st.integers(0, 1)
_LEGS = st.sampled_from(("", "LONG", "SHORT"))


@st.composite
def fills(draw: st.DrawFn, number: int) -> Told:
    instrument = draw(st.sampled_from(INSTRUMENTS))
    return fill(
        number,
        draw(st.sampled_from(Side)),
        draw(_STEPS),
        draw(_PRICES),
        instrument,
        at=draw(_MOMENTS),
        sequence=draw(_SEQUENCES),
        fee=(fee := draw(st.sampled_from((D(0), D("0.001"), D("0.25"), D("-0.01"))))),
        fee_asset=draw(st.sampled_from((instrument.base, instrument.quote, "BNB"))) if fee else "",
        order_id=draw(st.sampled_from(("", "o1"))),
        realized=draw(st.none() | _AMOUNTS) if instrument.is_derivative else None,
        leg=draw(_LEGS) if instrument.is_derivative else "",
    )


#: What a position may earn or cost.
_EARNED = (CashKind.FUNDING, CashKind.INTEREST, CashKind.DIVIDEND, CashKind.LIQUIDATION, CashKind.SETTLEMENT)


@st.composite
def movements(draw: st.DrawFn, number: int) -> Told:
    kind = draw(st.sampled_from((*_EARNED, CashKind.ADL, CashKind.ADJUSTMENT, *_ONE_WAY, CashKind.TRANSFER)))
    symbol = draw(st.sampled_from(("", *(one.symbol for one in INSTRUMENTS)))) if kind in _EARNED else ""
    return movement(
        number,
        kind,
        draw(_AMOUNTS),
        draw(st.sampled_from(("USDT", "BTC"))),
        at=draw(_MOMENTS),
        symbol=symbol,
        leg=draw(_LEGS) if symbol else "",
        pocket=draw(st.sampled_from((SPOT, MARGIN, FUTURES))),
        note="a fee without a fill" if kind is CashKind.ADJUSTMENT else "",
    )


@st.composite
def coins(draw: st.DrawFn, number: int) -> Told:
    kind = draw(st.sampled_from((CashKind.DEPOSIT, CashKind.WITHDRAWAL, CashKind.TRANSFER)))
    cost = draw(st.none() | _STEPS)
    said = {"at": draw(_MOMENTS), "symbol": BTC.symbol, "cost": cost, "sequence": draw(_SEQUENCES)}
    return movement(number, kind, draw(_AMOUNTS), "BTC", **said, reference=draw(st.sampled_from((f"m{number}", "t1"))))


@st.composite
def splits(draw: st.DrawFn, number: int) -> Told:
    new, per = draw(st.sampled_from((("4", "1"), ("1", "10"), ("3", "2"))))
    return split(number, new, per, draw(st.sampled_from(INSTRUMENTS)), at=draw(_MOMENTS))


@st.composite
def days_told(draw: st.DrawFn) -> list[Told]:
    """Draw what some days of one portfolio may be told as: each thing once, in no order."""
    kinds = draw(st.lists(st.sampled_from((fills, fills, fills, movements, coins, splits)), min_size=1, max_size=14))
    things = [draw(one(number)) for number, one in enumerate(kinds, start=1)]
    return list({told.key: told for told in things}.values())
