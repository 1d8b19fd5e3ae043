"""Imports: a million fills of a statement made into rows that only have to be taken in, and what memory that takes.

python -m benchmarks.imports [--lines LINES] [--shuffled]

- spool: everything told written down, its doubles found
- build: sorted by time, folded, linked, laid ready in chunks
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

from plimsoll.ledger.imported.build import BookPlace, build
from plimsoll.ledger.imported.spool import Spool, Statement
from plimsoll.model.cash import CashKind
from plimsoll.model.ids import AccountId, InstrumentId, PortfolioId
from plimsoll.model.instrument import AssetType, Instrument
from plimsoll.model.order import Side
from plimsoll.model.told import Told
from plimsoll.runtime.process import begin_process

LINES = 1_000_000
START = datetime(2020, 1, 1, tzinfo=UTC)
_PAIRS = ("BTC/USD", "ETH/USD", "SOL/USD", "ETH/BTC", "ADA/USD")


@dataclass(frozen=True, slots=True)
class ImportFigures:
    """Seconds of a core that each step takes (reading the statement is no part of it), and the most memory."""

    lines: int
    spool: float
    build: float
    rows: int
    file_mib: float
    peak_mib: float


def fills(count: int, *, sorted_by_time: bool = True) -> Iterator[tuple[Told, str]]:
    """Tell of plain fills, the oldest first as exports nearly always have them, or in no order."""
    chance = Random(1)
    for number in range(count):
        at = START + timedelta(seconds=(number if sorted_by_time else number * 7919 % count) * 30)
        symbol, side = _PAIRS[chance.randrange(len(_PAIRS))], chance.choice((Side.BUY, Side.SELL))
        quantity, price = Decimal(chance.randint(1, 10**9)).scaleb(-8), Decimal(chance.randint(100, 10**7)).scaleb(-2)
        told = Told(
            lines=(number + 2,),
            kind=CashKind.TRADE,
            at=at,
            reference=str(10_000_000 + number),
            symbol=symbol,
            side=side,
            quantity=quantity,
            price=price,
            fee=Decimal(chance.randint(1, 10**6)).scaleb(-6),
            fee_asset=symbol.partition("/")[2],
            sequence=number,
        )
        yield told, f"{at.isoformat()},{symbol},{side},{quantity},{price},{told.fee},{told.fee_asset},{told.reference},"


def measure(directory: Path, count: int = LINES, *, sorted_by_time: bool = True) -> ImportFigures:
    """Make a book of so many fills."""
    statement = Statement(1, "s-1", "plain", "fills.csv", "0" * 64, "user:1", START)
    spool = Spool(directory / "fills.part")
    number = spool.begin_statement(statement, "statement")
    spent = 0.0
    many: list[tuple[Told, str]] = []
    for one in fills(count, sorted_by_time=sorted_by_time):
        many.append(one)
        if len(many) == 1_000:
            spent += _add(spool, number, many)
    spent += _add(spool, number, many)
    began = time.process_time()
    spool.settle()
    spooled = time.process_time()
    wanted = {one.symbol: one for one in spool.wanted().instruments}
    instruments = {
        ("statement", symbol): Instrument(
            InstrumentId(id_), symbol, "statement", AssetType.CRYPTO, one.base, one.quote, one.quote, *(Decimal(1),) * 2
        )
        for id_, (symbol, one) in enumerate(wanted.items(), start=1_000_001)
    }
    place = BookPlace(AccountId(1_000_001), PortfolioId(1_000_001), instruments, {}, "user:1", START)
    built = build(spool, place, b"k" * 32, lambda _done, _total: None)
    ended = time.process_time()
    spool.close()
    size, peak = built.path.stat().st_size / 2**20, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rows = sum(built.rows.values())
    return ImportFigures(count, spent + spooled - began, ended - spooled, rows, size, peak)


def _add(spool: Spool, number: int, many: list[tuple[Told, str]]) -> float:
    began = time.process_time()
    for told, raw in many:
        spool.add(number, told, raw)
    many.clear()
    return time.process_time() - began


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--lines", type=int, default=LINES)
    parser.add_argument("--shuffled", action="store_true")
    said = parser.parse_args()
    begin_process()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), said.lines, sorted_by_time=not said.shuffled)
    print(f"{figures.lines:,} fills became {figures.rows:,} rows ({figures.file_mib:,.0f} MiB of scratch)")
    print(f"spool {figures.spool:5.1f} s")
    print(f"build {figures.build:5.1f} s")
    print(f"at most {figures.peak_mib:,.0f} MiB of memory")


if __name__ == "__main__":
    main()
