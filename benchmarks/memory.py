"""What a served desk holds in memory after a while of moderate work: orders, subscribers, prices.

Every second order is filled at once; the others rest and are taken back, so that what is alive does not grow.
"""

import asyncio
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from benchmarks.http_load import Connection, order, post, price_now, run
from benchmarks.http_process import Address, serving
from benchmarks.stream import StreamEnded, Subscriber, Watch

ORDERS_PER_SECOND = 20
SUBSCRIBERS = 20
CALLERS = 8
#: The minute after which the first figure is taken: what a start needs once is there by then.
EARLY_MINUTES = 1.0
MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class MemoryFigures:
    """How much of the desk's process was in memory."""

    #: (minutes since the load began, MiB), in order.
    marks: Sequence[tuple[float, float]]
    orders: int
    frames: int


def can_measure() -> bool:
    """Say whether this machine tells how much memory a process has."""
    return Path("/proc/self/status").exists()


def measure(directory: Path, minutes: float) -> MemoryFigures:
    """Work for so long, and look at the beginning, after a minute, and at the end."""
    with serving("desk", directory) as address:
        return run(_measure(address, minutes))


async def _measure(address: Address, minutes: float) -> MemoryFigures:
    watch, begun, placed = Watch(), time.perf_counter(), 0
    lines = [await Connection.open(address) for _ in range(CALLERS)]
    asking = await Connection.open(address)
    for _ in range(SUBSCRIBERS):
        await Subscriber.open(address, watch)
    price, numbers = await price_now(asking, address), itertools.count()
    marks = [(0.0, resident_mebibytes(address.pid))]

    async def caller(connection: Connection) -> None:
        nonlocal placed
        for number in numbers:
            due = begun + number / ORDERS_PER_SECOND
            if due > begun + minutes * MINUTE:
                return
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            await _place(connection, address, number, price)
            placed += 1

    async def look() -> None:
        nonlocal price
        for mark in sorted({min(EARLY_MINUTES, minutes), minutes}):
            while time.perf_counter() < begun + mark * MINUTE:
                await asyncio.sleep(min(1.0, max(0.0, begun + mark * MINUTE - time.perf_counter())))
                price = await price_now(asking, address)
                if watch.failure:
                    raise StreamEnded(watch.failure)
            marks.append((mark, resident_mebibytes(address.pid)))

    await asyncio.gather(look(), *(caller(connection) for connection in lines))
    return MemoryFigures(marks, placed, watch.frames)


async def _place(connection: Connection, address: Address, number: int, price: Decimal) -> None:
    kind = "MARKET" if number % 4 < 2 else "LIMIT"
    answer = await connection.ask(post(address, "/orders", order(kind, number, price), f"memory-{number}"))
    placed = answer.json(201)["order"]
    # A machine that stalls for a second lets an order expire unsent: that one rests nowhere.
    if kind == "LIMIT" and placed["state"] == "NEW":
        (await connection.ask(post(address, f"/orders/{placed['id']}/cancel"))).check(200)


def resident_mebibytes(pid: int) -> float:
    """Ask the machine how much of a process is in memory."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, told = line.partition(":")
        if name == "VmRSS":
            return int(told.split()[0]) / 1024
    raise RuntimeError(f"process {pid} has no memory: it has ended")
