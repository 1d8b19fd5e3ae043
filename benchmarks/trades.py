"""Booking trades: the scribe at 1, 16, 128 and 1,000 waiting, beside SQLite alone writing the very same rows."""

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.disk import RecordingWriter, raw_seconds
from benchmarks.world import open_benchmark_account, report, write_order
from plimsoll.ledger.book_trade import Booking, book_trades
from plimsoll.ledger.books import LedgerBooks
from plimsoll.ledger.database import create_from_template
from plimsoll.model.trade import TradeReport
from plimsoll.store.draft import Draft
from plimsoll.store.scribe import Scribe

KEY = bytes(range(32))
#: (waiting, trades): fewer where each commit waits for the disk.
SIZES = ((1, 1_500), (16, 8_000), (128, 20_000), (1_000, 20_000))


@dataclass(frozen=True, slots=True)
class TradeFigures:
    """What one group size gives."""

    waiting: int
    trades_per_second: float
    raw_per_second: float
    duplicate_microseconds: float

    @property
    def ratio(self) -> float:
        return self.trades_per_second / self.raw_per_second


def measure(directory: Path, waiting: int, trades: int) -> TradeFigures:
    """Book trades in groups of `waiting`, then write the same rows raw, then book every trade again."""
    path = directory / f"trades-{waiting}.db"
    create_from_template(path)
    writer = RecordingWriter(path)
    scribe = Scribe(writer, LedgerBooks(KEY))
    run(scribe, [open_benchmark_account], 1)
    run(scribe, [partial(write_one_order, number) for number in range(trades)], 500)
    before, writer.groups = writer.groups, []
    reports = [report(number) for number in range(trades)]
    units = [partial(book, one) for one in reports]
    taken = run(scribe, units, waiting)
    groups = writer.groups
    raw = raw_seconds(directory / f"raw-{waiting}.db", before, groups)
    again = run(scribe, [partial(book, one) for one in reports[:1_000]], waiting)
    scribe.close()
    return TradeFigures(waiting, trades / taken, trades / raw, again / 1_000 * 1e6)


def write_one_order(number: int, draft: Draft) -> None:
    """Write the live order of a number; the number comes first, for `partial`."""
    write_order(draft, number)


def book(one: TradeReport, draft: Draft) -> list[Booking]:
    """Book one fill."""
    return book_trades(draft, [one], one.exec_time, "venue:bench")


def run(scribe: Scribe, units: list[Any], waiting: int) -> float:
    """Run units, so many waiting at a time; give the seconds it took."""
    failures: list[BaseException] = []

    def answer(_value: Any, error: BaseException | None) -> None:
        if error is not None:
            failures.append(error)

    begun = time.perf_counter()
    for start in range(0, len(units), waiting):
        for unit in units[start : start + waiting]:
            scribe.submit(unit, answer)
        for deliver in scribe.step(waiting):
            deliver()
    taken = time.perf_counter() - begun
    if failures:
        raise failures[0]
    return taken
