"""Whole orders while an imported book is taken in beside them: what the chunks cost who trades.

    python -m benchmarks.import_beside_trading --lines 200000

Four callers place orders one after the other, alone and then for as long as the book is taken in, chunk by chunk as
through the door. The book was made ready before: its maker is a process of its own. At the end everything is proven.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from benchmarks.orders import _desk, _intent, _quote
from benchmarks.world import START, USER
from plimsoll.bootstrap import DataDirectory, PaperDesk
from plimsoll.desk.import_book import ImportingHere
from plimsoll.desk.place_order import place_order
from plimsoll.ledger.imported.build import BookPlace, build
from plimsoll.ledger.imported.spool import Spool, Statement
from plimsoll.ledger.ready import ready_in
from plimsoll.ledger.verify import verify
from plimsoll.model.cash import CashKind
from plimsoll.model.ids import InstrumentId
from plimsoll.model.instrument import AssetType, Instrument
from plimsoll.model.order import Side
from plimsoll.model.told import Told
from plimsoll.runtime.process import begin_process

CALLERS = 4
ALONE_SECONDS = 10.0
VENUE, FILE = "kraken", "bench.part"
_FINE = Decimal("0.00000001")
_COINS = ("BTC", "ETH", "XRP", "SOL", "ADA")


@dataclass(frozen=True, slots=True)
class Waits:
    """What orders waited for their answers."""

    orders: int
    per_second: float
    p50_milliseconds: float
    p99_milliseconds: float
    longest_milliseconds: float

    def __str__(self) -> str:
        return (
            f"{self.orders:>7,} orders, {self.per_second:>6,.0f}/s: p50 {self.p50_milliseconds:.2f} ms,"
            f" p99 {self.p99_milliseconds:.2f} ms, longest {self.longest_milliseconds:.1f} ms"
        )


def lines(count: int) -> Iterator[Told]:
    """Tell of so many fills, ten seconds apart, of five coins."""
    for number in range(1, count + 1):
        yield Told(
            (number + 1,),
            CashKind.TRADE,
            START - timedelta(days=900) + timedelta(seconds=10 * number),
            f"T{number:09d}",
            symbol=f"{_COINS[number % len(_COINS)]}/EUR",
            side=Side.SELL if number % 3 == 0 else Side.BUY,
            quantity=Decimal("0.01") * (1 + number % 9),
            price=Decimal(1_000 + number % 500),
            fee=Decimal("0.05"),
            fee_asset="EUR",
        )


async def main(count: int, folder: Path) -> None:
    """Measure both, and print them."""
    desk = await _desk(folder)
    directory = DataDirectory(folder)
    directory.imports.mkdir()
    here = ImportingHere(desk.books, desk.ports.clock, desk.ports.ids, directory.imports)
    chunks = await _prepare(here, directory, count)
    size = (directory.imports / FILE).stat().st_size
    quoting = asyncio.create_task(_quote(desk))
    numbers = iter(range(10_000_000))
    until = time.perf_counter() + ALONE_SECONDS
    print(f"alone        {await _trade(desk, numbers, lambda: time.perf_counter() < until)}", flush=True)
    taking = asyncio.create_task(_take(here, chunks))
    print(f"beside       {await _trade(desk, numbers, lambda: not taking.done())}", flush=True)
    seconds = await taking
    until = time.perf_counter() + ALONE_SECONDS
    print(f"alone again  {await _trade(desk, numbers, lambda: time.perf_counter() < until)}", flush=True)
    quoting.cancel()
    await desk.close()
    print(f"{count:,} lines ({size >> 20} MB) in {chunks:,} chunks were taken in within {seconds:.1f} s")
    report = verify(directory.book, directory.chain_key(), None)
    print(f"verify: {'ok' if report.ok else report.findings[:3]}, {report.checked.get('trades', 0):,} trades")


async def _prepare(here: ImportingHere, directory: DataDirectory, count: int) -> int:
    wanted = [_instrument(f"{coin}/EUR") for coin in _COINS]
    found = await here.know_instruments(wanted)
    making = await here.begin(USER, "old days", "EUR")
    instruments = {(VENUE, one.symbol): replace(one, id=found[VENUE, one.symbol]) for one in wanted}
    place = BookPlace(making.account_id, making.portfolio_id, instruments, {}, "user:1", START)
    path = directory.imports / FILE
    await asyncio.get_running_loop().run_in_executor(None, _build, path, place, count, directory.chain_key())
    return ready_in(path).chunks


def _build(path: Path, place: BookPlace, count: int, key: bytes) -> None:
    spool = Spool(path)
    number = spool.begin_statement(Statement(1, "s-1", "plain", "bench.csv", "0" * 64, "user:1", START), VENUE)
    for told in lines(count):
        spool.add(number, told, "2026-01-02,BTC/EUR,buy,0.01,1000,0.05,T000000001")
    spool.end_statement(number, count)
    spool.settle()
    build(spool, place, key, lambda _done, _total: None)
    spool.close()


def _instrument(symbol: str) -> Instrument:
    base, quote = symbol.split("/")
    return Instrument(InstrumentId(0), symbol, VENUE, AssetType.CRYPTO, base, quote, quote, _FINE, _FINE)


async def _take(here: ImportingHere, chunks: int) -> float:
    begun = time.perf_counter()
    for number in range(1, chunks + 1):
        await here.take(USER, FILE, number)
    await here.finish(USER, FILE)
    return time.perf_counter() - begun


async def _trade(desk: PaperDesk, numbers: Iterator[int], goes_on: Callable[[], bool]) -> Waits:
    taken: list[float] = []

    async def caller() -> None:
        while goes_on():
            intent = _intent(desk, "market", next(numbers))
            begun = time.perf_counter()
            answer = await place_order(desk.ports, intent)
            taken.append(time.perf_counter() - begun)
            if not answer.approved:
                raise RuntimeError(f"an order was refused: {answer}")

    begun = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    elapsed = time.perf_counter() - begun
    taken.sort()
    p99 = taken[len(taken) * 99 // 100]
    return Waits(len(taken), len(taken) / elapsed, statistics.median(taken) * 1e3, p99 * 1e3, taken[-1] * 1e3)


if __name__ == "__main__":
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--lines", type=int, default=200_000)
    begin_process()
    with tempfile.TemporaryDirectory() as made:
        asyncio.run(main(words.parse_args().lines, Path(made) / "desk"))
