"""A desk of 4.4 million trades: 20 users with three portfolios each, 200 trades a day for a year, with their orders.

The first account is written by the desk's own units, order by order. The others are its rows under other ids, so that
the desk is there in minutes and not in an hour: what is measured is the size and the questions, not the proofs (the
chains of the copies do not hold). Events are kept for 30 days and equity is thinned, as retention leaves them.

python -m benchmarks.big_desk FILE
"""

import resource
import sqlite3
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from plimsoll.ledger import accounts, cash, guarding, orders, queries, verdicts
from plimsoll.ledger.book_trade import book_trades
from plimsoll.ledger.books import LedgerBooks
from plimsoll.ledger.database import create_from_template
from plimsoll.ledger.log import Note, tell, write_note
from plimsoll.ledger.reading.earnings import By
from plimsoll.ledger.reading.reader import Own, Reader
from plimsoll.ledger.schema import metadata
from plimsoll.model.account import Account, Mode, Portfolio, User
from plimsoll.model.asker import Asker
from plimsoll.model.cash import CashKind, CashLine
from plimsoll.model.event import Event, EventKind
from plimsoll.model.ids import (
    AccountId,
    BrokerOrderId,
    BrokerTradeId,
    InstrumentId,
    IntentKey,
    PortfolioId,
    UserId,
    client_order_id,
)
from plimsoll.model.instrument import AssetType, Instrument
from plimsoll.model.order import Intent, Order, OrderEvent, OrderState, OrderTerms, OrderType, Side
from plimsoll.model.trade import TradeReport
from plimsoll.risk.gate.verdict import Approved
from plimsoll.risk.guards.reading import Reading
from plimsoll.runtime.process import begin_process
from plimsoll.store.draft import Draft
from plimsoll.store.place import SqlitePlace, people_reader
from plimsoll.store.scribe import Scribe, Unit
from plimsoll.store.sqlite import PRAGMAS, SqliteWriter

START = datetime(2025, 1, 1, tzinfo=UTC)
KEY = bytes(range(32))
USERS, DAYS, A_DAY = 20, 365, 200
NAMES = ("main", "swing", "scalp")
#: What a copy's ids are moved by, for each user; ids of one account are below it.
STEP = 100
GROUP = 500

_SYMBOLS = ("BTC/USDT:USDT", "ETH/USDT:USDT", "BTC/USDT", "ETH/USDT", "SOL/USDT")


def _instrument(number: int, symbol: str) -> Instrument:
    pair, _, settle = symbol.partition(":")
    base, quote = pair.split("/")
    kind = AssetType.PERPETUAL if settle else AssetType.CRYPTO
    tick, lot = Decimal("0.01"), Decimal("0.0001")
    return Instrument(InstrumentId(number), symbol, "paper", kind, base, quote, settle or quote, tick, lot)


INSTRUMENTS = tuple(_instrument(number, symbol) for number, symbol in enumerate(_SYMBOLS, 1))
ACCOUNT, USER = AccountId(1), UserId(1)
PORTFOLIOS = tuple(PortfolioId(number) for number in range(1, len(NAMES) + 1))


def make(path: Path, *, users: int = USERS, days: int = DAYS, a_day: int = A_DAY) -> None:
    """Write the desk into a file that is not there yet."""
    create_from_template(path)
    _first_account(path, days, a_day)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in (*PRAGMAS, "PRAGMA foreign_keys = OFF", "PRAGMA synchronous = OFF"):
            connection.execute(pragma)
        _forget_old_events(connection)
        for user in range(1, users):
            _copy_account(connection, user)
        connection.execute("ANALYZE")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _first_account(path: Path, days: int, a_day: int) -> None:
    scribe = Scribe(SqliteWriter(path, metadata, queries.compiled()), LedgerBooks(KEY))
    _run(scribe, [_open])
    number = 0
    for day in range(days):
        units: list[Unit] = []
        for slot in range(a_day):
            at = START + timedelta(days=day, seconds=slot * (86_400 // a_day))
            for portfolio in PORTFOLIOS:
                number += 1
                order = _order(number, portfolio, at)
                units += [partial(_write, order), partial(_acknowledge, order), partial(_fill, order, number)]
        _run(scribe, units)
    _run(scribe, [partial(_equity, start, days) for start in range(0, days * 24 + 30 * 1_440 + 8_640, GROUP)])
    scribe.close()


def _run(scribe: Scribe, units: list[Any]) -> None:
    failures: list[BaseException] = []

    def answer(_value: Any, error: BaseException | None) -> None:
        if error is not None:
            failures.append(error)

    for start in range(0, len(units), GROUP):
        for unit in units[start : start + GROUP]:
            scribe.submit(unit, answer)
        for deliver in scribe.step(GROUP):
            deliver()
    if failures:
        raise failures[0]


def _open(draft: Draft) -> None:
    accounts.write_user(draft, User(USER, "u-1", "user-1", "trader", approved=True))
    account = Account(ACCOUNT, "a-1", USER, "account", "paper", Mode.PAPER, "USDT", "bench", "standard")
    accounts.write_account(draft, account)
    for portfolio, name in zip(PORTFOLIOS, NAMES, strict=True):
        accounts.write_portfolio(draft, Portfolio(portfolio, f"p-{portfolio}", ACCOUNT, USER, name))
    for instrument in INSTRUMENTS:
        accounts.write_instrument(draft, instrument, START)
    lines = [
        CashLine(ACCOUNT, portfolio, pocket, "USDT", CashKind.DEPOSIT, Decimal(1_000_000), f"d-{portfolio}", START)
        for portfolio in PORTFOLIOS
        for pocket in ("spot", "futures")
    ]
    cash.post(draft, lines)
    write_note(draft, Note(ACCOUNT, "user:1", "CREATE", "ACCOUNT", account.uid, START, {"name": account.name}))


def _order(number: int, portfolio: PortfolioId, at: datetime) -> Order:
    instrument = INSTRUMENTS[number % len(INSTRUMENTS)]
    side = Side.SELL if number // (len(INSTRUMENTS) * len(PORTFOLIOS)) % 2 else Side.BUY
    terms = OrderTerms(instrument.id, side, OrderType.LIMIT, quantity=Decimal("0.01"), price=_price(number))
    key = IntentKey(f"api:{number:08d}")
    name = client_order_id("BNCH", ACCOUNT, USER, key)
    return Order(
        id=number,
        uid=f"01900000-0000-7000-8000-{number:012d}",
        client_order_id=name,
        intent=Intent(key, ACCOUNT, portfolio, USER, terms, "bot:7", at),
        terms=terms,
        state=OrderState.PENDING,
        placed_at=at,
        updated_at=at,
        reserved=Decimal("250.25"),
        reserved_asset="USDT",
        value=Decimal("500.5"),
    )


def _price(number: int) -> Decimal:
    return Decimal(50_000 + number % 997) + Decimal(number % 100) / 100


def _write(order: Order, draft: Draft) -> None:
    instrument = INSTRUMENTS[order.terms.instrument_id - 1]
    approved = Approved(
        account_id=ACCOUNT,
        client_order_id=order.client_order_id,
        instrument=instrument,
        intent=order.intent,
        terms=order.terms,
        leverage=Decimal(2),
        reserved=order.reserved,
        reserved_asset=order.reserved_asset,
        reduced_from=None,
        limits_version=1,
        value=order.value,
        closes=False,
        remarks=(),
    )
    verdicts.write(draft, approved, verdicts.body_hash(order.intent), "0" * 64, order.placed_at)
    orders.write_new(draft, order)
    _note(draft, order, "CREATE", {"state": order.state, "terms": orders.terms_text(order)})


def _acknowledge(order: Order, draft: Draft) -> None:
    known = orders.find(draft, ACCOUNT, order.client_order_id)
    if known is None:
        raise LookupError(order.client_order_id)
    heard = replace(
        known.after(OrderEvent.ACKNOWLEDGED, order.placed_at), broker_order_id=BrokerOrderId(f"8389765{order.id:09d}")
    )
    orders.write(draft, heard)
    _note(draft, heard, "UPDATE", {"state": heard.state})


def _note(draft: Draft, order: Order, action: str, details: dict[str, str]) -> None:
    at = order.placed_at
    write_note(draft, Note(ACCOUNT, order.intent.triggered_by, action, "ORDER", order.client_order_id, at, details))
    tell(draft, Event(EventKind.ORDER_CHANGED, ACCOUNT, at, {"client_order_id": order.client_order_id, **details}))


def _fill(order: Order, number: int, draft: Draft) -> None:
    price = _price(number)
    report = TradeReport(
        ACCOUNT,
        order.terms.instrument_id,
        BrokerTradeId(f"{4_000_000_000 + number}"),
        order.terms.side,
        order.quantity,
        price,
        fee=order.quantity * price * Decimal("0.001"),
        fee_currency="USDT",
        exec_time=order.placed_at + timedelta(seconds=1),
        sequence=number,
        client_order_id=order.client_order_id,
    )
    book_trades(draft, [report], report.exec_time, "venue:paper")


def _equity(start: int, days: int, draft: Draft) -> None:
    """Write points as the thinning leaves them: hours of the year, minutes of a month, ten seconds of a day."""
    end = START + timedelta(days=days)
    hours, minutes, tens = days * 24, 30 * 1_440, 8_640
    for place in range(start, min(start + GROUP, hours + minutes + tens)):
        if place < hours:
            at = START + timedelta(hours=place)
        elif place < hours + minutes:
            at = end - timedelta(days=31) + timedelta(minutes=place - hours)
        else:
            at = end - timedelta(days=1) + timedelta(seconds=10 * (place - hours - minutes))
        equity = Decimal(6_000_000) + Decimal(place * 7919 % 100_003)
        peak = Decimal("1.02") + Decimal(place % 1_000) / 100_000
        guarding.write_snapshot(draft, ACCOUNT, Reading(at, equity, Decimal("1.02"), peak, confirmed=True))


def _forget_old_events(connection: sqlite3.Connection) -> None:
    last = connection.execute("SELECT max(at) FROM events").fetchone()[0]
    kept = (datetime.fromisoformat(last) - timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    connection.execute("DELETE FROM events WHERE at < ?", (kept,))


#: Columns that hold ids of one desk's people and things, and texts that are unique over the desk.
_MOVED = ("account_id", "portfolio_id", "user_id")
_UNIQUE_TEXTS = {("users", "uid"), ("users", "name"), ("accounts", "uid"), ("portfolios", "uid"), ("orders", "uid")}
_NUMBERED = {"users", "accounts", "portfolios"}
_SHARED = {"instruments", "meta", "heads", "alembic_version", "brokers", "instrument_aliases", "margin_tiers", "leases"}


def _copy_account(connection: sqlite3.Connection, user: int) -> None:
    moved = user * STEP
    connection.execute("BEGIN")
    for name, table in metadata.tables.items():
        if name in _SHARED:
            continue
        columns, values = [], []
        for column in table.columns:
            columns.append(column.name)
            if column.name in _MOVED or (name in _NUMBERED and column.name == "id"):
                # 0 is nobody's: equity of an account as a whole.
                values.append(f"CASE {column.name} WHEN 0 THEN 0 ELSE {column.name} + {moved} END")
            elif (name, column.name) in _UNIQUE_TEXTS:
                values.append(f"{column.name} || '-{user}'")
            elif name == "events" and column.name == "number":
                values.append(f"number + (SELECT event_number FROM heads) * {user}")
            else:
                values.append(column.name)
        owner = "account_id" if "account_id" in columns else "id" if name in _NUMBERED else None
        if owner is None:
            continue
        last = f"{owner} < {STEP}"
        if name == "events":
            last = "number <= (SELECT event_number FROM heads)"
        names = ", ".join(columns)
        order = ", ".join(column.name for column in table.primary_key.columns)
        connection.execute(
            f"INSERT INTO {name} ({names}) SELECT {', '.join(values)} FROM {name} WHERE {last} ORDER BY {order}"
        )
    connection.execute("COMMIT")


# Questions ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BigDeskFigures:
    """What a big desk weighs, and how long it lets people wait."""

    trades: int
    gigabytes: float
    #: Milliseconds by question: (median, p95).
    questions: Mapping[str, tuple[float, float]]
    #: Peak memory of the asking process before and after all questions, in MiB.
    memory: tuple[float, float]


def ask(path: Path, *, users: int = USERS, days: int = DAYS, times: int = 60) -> BigDeskFigures:
    """Ask a desk's everyday questions as different users, each through a connection of its own as the desk does."""
    book = Reader(people_reader(SqlitePlace(path)))
    last = (START + timedelta(days=days - 1)).date()
    questions: dict[str, Callable[[Own, AccountId], object]] = {
        "a page of 100 trades": lambda own, _: own.orders.fills(below={}, limit=100),
        "positions": lambda own, _: own.holdings.positions(),
        "a month's P&L by day": lambda own, _: own.earnings.earned(By.DAY, since=last - timedelta(days=30), until=last),
        "the equity curve of a year, 300 points": lambda own, account: own.curve.equity(
            account, since=None, until=None, points=300
        ),
    }
    before, taken = _peak_mebibytes(), dict[str, tuple[float, float]]()
    for name, question in questions.items():
        spent = []
        for number in range(times):
            user = number * 7 % users
            own = book.of(Asker(UserId(USER + user * STEP)))
            begun = time.perf_counter()
            if not question(own, AccountId(ACCOUNT + user * STEP)):
                raise LookupError(f"{name}: nothing found for user {user}")
            spent.append((time.perf_counter() - begun) * 1e3)
        spent.sort()
        taken[name] = (spent[times // 2], spent[times * 95 // 100])
    with closing(sqlite3.connect(path)) as connection:
        (trades,) = connection.execute("SELECT count(*) FROM trades").fetchone()
    return BigDeskFigures(trades, path.stat().st_size / 1e9, taken, (before, _peak_mebibytes()))


def _peak_mebibytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024


def main() -> None:
    """Make a desk in a file that is named, unless it is there, and ask."""
    begin_process()
    path = Path(sys.argv[1])
    if not path.exists():
        make(path)
    print(ask(path))


if __name__ == "__main__":
    main()
