"""Whole orders: gate, intent committed, paper venue committed, outcome committed; at 1, 16 and 64 callers.

Everything real: a thread per scribe, the system's clock, files on disk. `limit` orders rest; `market` orders are
filled at once and their trade is booked with the acknowledgement.
"""

import asyncio
import random
import statistics
import time
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from benchmarks.disk import Tape
from benchmarks.world import ACCOUNT, PERPETUAL, PORTFOLIO, USER, open_benchmark_account
from plimsoll.bootstrap import Connect, DataDirectory, PaperDesk, paper_desk
from plimsoll.desk.open_account import deposit
from plimsoll.desk.place_order import place_order
from plimsoll.desk.recover import recover
from plimsoll.ledger.accounts import PolicyConfig, write_instrument, write_policy
from plimsoll.model.clock import SystemClock
from plimsoll.model.ids import IntentKey
from plimsoll.model.order import Intent, OrderTerms, OrderType, Side
from plimsoll.model.quote import Fact, Quote, SourceFacts
from plimsoll.store.draft import Draft
from plimsoll.store.drivers import ThreadDriver
from plimsoll.store.scribe import Scribe

#: The stored policy that the run prints: wide enough that no limit of size is ever in the way; every control is asked.
POLICY: PolicyConfig = {"max_order_ratio": "100", "max_position_ratio": "100", "max_gross_ratio": "100"}
DEPOSIT = Decimal(1_000_000_000)
PRICE = Decimal(50_000)


@dataclass(frozen=True, slots=True)
class OrderFigures:
    """What one number of callers gives."""

    kind: str
    callers: int
    orders_per_second: float
    p50_milliseconds: float
    p99_milliseconds: float


def measure(directory: Path, kind: str, callers: int, orders: int) -> OrderFigures:
    """Place orders from several callers at once, each waiting for its answer before the next."""
    return asyncio.run(_measure(directory, kind, callers, orders))


def measure_raw(directory: Path, kind: str, callers: int, orders: int) -> float:
    """Place orders once more, recorded, and give orders a second of SQLite alone writing the rows of both books."""
    tape = Tape()
    asyncio.run(_measure(directory, kind, callers, orders, tape))
    return orders / tape.raw_seconds()


async def _measure(directory: Path, kind: str, callers: int, orders: int, tape: Tape | None = None) -> OrderFigures:
    desk = await _desk(directory, None if tape is None else tape.connect)
    if tape is not None:
        tape.start()
    quoting = asyncio.create_task(_quote(desk))
    numbers = iter(range(orders))
    taken: list[float] = []

    async def caller() -> None:
        for number in numbers:
            begun = time.perf_counter()
            answer = await place_order(desk.ports, _intent(desk, kind, number))
            taken.append(time.perf_counter() - begun)
            if not answer.approved or answer.order is None or answer.order.state == "REJECTED":
                raise RuntimeError(f"order {number} was refused: {answer}")

    begun = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    elapsed = time.perf_counter() - begun
    quoting.cancel()
    await desk.close()
    taken.sort()
    p99 = taken[len(taken) * 99 // 100]
    return OrderFigures(kind, callers, orders / elapsed, statistics.median(taken) * 1e3, p99 * 1e3)


async def _desk(directory: Path, connect: Connect | None = None) -> PaperDesk:
    directory.mkdir(parents=True)
    loop, clock = asyncio.get_running_loop(), SystemClock()
    facts = SourceFacts("bench", frozenset({Fact.PRICE, Fact.SPREAD}))

    def drive(scribe: Scribe) -> ThreadDriver:
        return ThreadDriver(scribe, loop, on_failure=_raise)

    desk = paper_desk(
        DataDirectory(directory),
        {PERPETUAL.id: PERPETUAL},
        desk_code="BNCH",
        account_id=ACCOUNT,
        clock=clock,
        chance=random.Random(0),
        facts=facts,
        drive=drive,
        connect=connect,
    )
    await desk.books.write(_open)
    await desk.venue.open_account(ACCOUNT, "USDT")
    await desk.venue.set_leverage(ACCOUNT, PERPETUAL.id, Decimal(2))
    await desk.venue.deposit(ACCOUNT, "USDT", DEPOSIT, reference="initial", pocket="futures")
    _show(desk)
    await deposit(desk.ports, DEPOSIT, pocket="futures", reference="initial", actor="user:1")
    result = await recover(desk.ports)
    if not result.may_open:
        raise RuntimeError(f"the benchmark's desk may not trade: {result}")
    return desk


def _open(draft: Draft) -> None:
    clock = SystemClock()
    open_benchmark_account(draft)
    write_instrument(draft, PERPETUAL, clock.now())
    write_policy(draft, ACCOUNT, POLICY, 2)


def _show(desk: PaperDesk) -> None:
    now = desk.ports.clock.now()
    quote = Quote(PERPETUAL.id, now, PRICE, PRICE + 1, PRICE)
    desk.ports.board.put(quote)
    desk.venue.see(quote)


async def _quote(desk: PaperDesk) -> None:
    while True:
        _show(desk)
        await asyncio.sleep(0.5)


def _intent(desk: PaperDesk, kind: str, number: int) -> Intent:
    side = Side.BUY if number % 2 == 0 else Side.SELL
    quantity = Decimal("0.001") * (1 + number % 7)
    if kind == "limit":
        price = PRICE - 100 if side is Side.BUY else PRICE + 100
        terms = OrderTerms(PERPETUAL.id, side, OrderType.LIMIT, quantity=quantity, price=price)
    else:
        terms = OrderTerms(PERPETUAL.id, side, OrderType.MARKET, quantity=quantity)
    now = desk.ports.clock.now()
    return Intent(IntentKey(f"bench:{number}"), ACCOUNT, PORTFOLIO, USER, terms, "api", now, allow_repeat=True)


def _raise(error: BaseException) -> None:
    raise error
