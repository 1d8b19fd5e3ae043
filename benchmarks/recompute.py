"""Recompute: every position, day and balance of a large book made anew, beside only reading its rows.

python -m benchmarks.recompute [TRADES]

Ways to the same positions and balances:

- running, the product's: fills read in the order they were booked, where each position stands kept; amounts summed as
  joined text
- sorted: what the database would take to put the fills of each position in order first, before anything is folded
- objects: every row made into a `Trade` and a `CashLine`, and folded by `ledger.fold`, as what was corrected is
"""

import sqlite3
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

from sqlalchemy import Connection

from plimsoll.ledger import cash, schema, trades
from plimsoll.ledger.database import create_from_template
from plimsoll.ledger.fold import fold_instrument
from plimsoll.ledger.recompute import Place, fold_account, sum_lines
from plimsoll.ledger.streaming import streamed
from plimsoll.model.cash import lines_of
from plimsoll.model.ids import AccountId, BrokerTradeId, InstrumentId, PortfolioId
from plimsoll.model.instrument import AssetType, Instrument
from plimsoll.model.order import Side
from plimsoll.model.position import Position, PositionKey
from plimsoll.model.trade import Trade, TradeReport
from plimsoll.runtime.process import begin_process
from plimsoll.store.place import SqlitePlace, reader
from plimsoll.store.statements import insert_sql, select_as_stored

TRADES, PORTFOLIOS, DAYS = 1_000_000, 20, 365
ACCOUNT = AccountId(1)
START = datetime(2025, 1, 1, tzinfo=UTC)
_AT_ONCE = 20_000
_POSITION = "portfolio_id, instrument_id, strategy_id"


def _instrument(number: int, base: str) -> Instrument:
    tick, lot = Decimal("0.01"), Decimal("0.001")
    return Instrument(InstrumentId(number), f"{base}/USDT", "paper", AssetType.CRYPTO, base, "USDT", "USDT", tick, lot)


INSTRUMENTS = {one.id: one for one in (_instrument(1, "BTC"), _instrument(2, "ETH"), _instrument(3, "SOL"))}


@dataclass(frozen=True, slots=True)
class RecomputeFigures:
    """Seconds that each way takes."""

    trades: int
    lines: int
    raw: float
    running: float
    sorted: float
    objects: float


def measure(directory: Path, count: int = TRADES) -> RecomputeFigures:
    """Write a book of so many trades, and fold it in every way."""
    path = directory / "recompute.db"
    lines = _write(path, count)
    raw = _seconds(lambda: _read(path))
    in_order = _seconds(
        lambda: _read(path, "account_id, portfolio_id, instrument_id, strategy_id, exec_time, sequence")
    )
    engine = reader(SqlitePlace(path))
    with engine.connect() as connection:
        results: list[object] = []
        running = _seconds(lambda: results.append(_running(connection)))
        objects = _seconds(lambda: results.append(_objects(connection)))
    engine.dispose()
    assert results[0] == results[1], "two ways, one book"
    return RecomputeFigures(count, lines, raw, running, in_order, objects)


def _write(path: Path, count: int) -> int:
    create_from_template(path)
    written = 0
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("BEGIN")
        batch: list[Trade] = []
        for number, trade in enumerate(_trades(count), 1):
            batch.append(trade)
            if len(batch) == _AT_ONCE or number == count:
                written = _write_batch(connection, batch, number - len(batch), written)
                batch = []
        # An account is known by what it holds.
        connection.execute("INSERT INTO balances VALUES (1, 1, 'spot', 'USDT', '0')")
        connection.execute("COMMIT")
    return written


def _write_batch(connection: sqlite3.Connection, batch: list[Trade], first: int, lines: int) -> int:
    rows, moved = [], []
    for number, trade in enumerate(batch, first + 1):
        rows.append(trades.to_row(trade, number, number + 1, number))
        for line in lines_of(trade, INSTRUMENTS[trade.report.instrument_id], Decimal(0)):
            lines += 1
            moved.append(cash.to_row(line, lines, number + 1))
    connection.executemany(insert_sql(schema.trades), rows)
    connection.executemany(insert_sql(schema.cash_lines), moved)
    return lines


def _trades(count: int) -> Iterator[Trade]:
    chance = Random(1)
    for number in range(count):
        instrument = INSTRUMENTS[InstrumentId(1 + number % len(INSTRUMENTS))]
        quantity = Decimal(chance.randrange(1, 5_000)) / 1000
        price = Decimal(chance.randrange(100_000, 5_000_000)) / 100
        notional = instrument.notional(quantity, price)
        report = TradeReport(
            ACCOUNT,
            instrument.id,
            BrokerTradeId(f"t{number}"),
            Side.BUY if chance.random() < 0.5 else Side.SELL,
            quantity,
            price,
            fee=notional / 1000,
            fee_currency="USDT",
            exec_time=START + timedelta(days=DAYS) * number / count,
            sequence=number,
        )
        yield Trade(report, PortfolioId(1 + number % PORTFOLIOS), None, "manual", notional)


def _read(path: Path, order: str = "account_id, id") -> None:
    """Only fetch what a fold needs."""
    fills = "portfolio_id, instrument_id, strategy_id, leg, side, quantity, notional, fee, fee_currency, exec_time"
    with closing(sqlite3.connect(path)) as connection:
        for _ in connection.execute(f"SELECT {fills}, sequence, broker_trade_id, id FROM trades ORDER BY {order}"):
            pass
        for _ in connection.execute("SELECT portfolio_id, pocket, asset, amount FROM cash_lines"):
            pass


def _running(connection: Connection) -> object:
    fold = fold_account(connection, ACCOUNT, INSTRUMENTS, _unreadable)
    return fold.positions, sum_lines(connection, _unreadable)


def _objects(connection: Connection) -> object:
    by_instrument: defaultdict[InstrumentId, list[Trade]] = defaultdict(list)
    for row in streamed(connection, select_as_stored(schema.trades)):
        trade = trades.from_row(row)
        by_instrument[trade.report.instrument_id].append(trade)
    positions: dict[PositionKey, Position] = {}
    for number, its in by_instrument.items():
        positions |= fold_instrument(its, (), (), INSTRUMENTS[number])
    sums: defaultdict[Place, Decimal] = defaultdict(Decimal)
    for row in streamed(connection, select_as_stored(schema.cash_lines)):
        line = cash.from_row(row)
        sums[line.account_id, line.portfolio_id, line.pocket, line.asset] += line.amount
    return positions, dict(sums)


def _unreadable(_table: object, row: object, error: Exception) -> None:
    raise AssertionError(row) from error


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main() -> None:
    """Measure once and print."""
    begin_process()
    count = int(sys.argv[1]) if len(sys.argv) > 1 else TRADES
    with tempfile.TemporaryDirectory(prefix="plimsoll-recompute-") as name:
        figures = measure(Path(name), count)
    print(f"{figures.trades:,} trades, {figures.lines:,} cash lines")
    for way in ("raw", "running", "sorted", "objects"):
        taken = getattr(figures, way)
        print(f"{way:8} {taken:6.2f} s  {taken / figures.raw:5.2f} × raw  {taken / count * 1e6:5.2f} µs a trade")


if __name__ == "__main__":
    main()
