"""Requests over HTTP: one process, kept-alive connections, bytes made beforehand, and no more read than is needed.

The client must cost little beside the server that it measures, so it is no HTTP client: it knows the answers of this
one server, which have a `content-length`. Each caller waits for his answer before he asks again.
"""

import asyncio
import statistics
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

import orjson

from benchmarks.http_process import Address, serving
from plimsoll.cli.up import new_loop

T = TypeVar("T")

API = "/api/v1"
SYMBOL = "BTC/USDT:USDT"
TICK = Decimal("0.1")
#: Everything that a new account trades.
SYMBOLS = ("BTC/USDT", "ETH/USDT", "BTC/USDT:USDT", "ETH/USDT:USDT")
#: Answered before the clock starts.
WARM_UP = 300
_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length: "


class Answer(NamedTuple):
    """What a server said."""

    status: int
    body: bytes

    def json(self, status: int = 200) -> Any:
        """Read the body of an answer that must have this status."""
        self.check(status)
        return orjson.loads(self.body)

    def check(self, status: int) -> None:
        """Break off at another status: a benchmark of refusals is none."""
        if self.status != status:
            raise RuntimeError(f"{self.status} instead of {status}: {self.body.decode()[:500]}")


class Connection(asyncio.Protocol):
    """A connection that is kept; one request at a time."""

    def __init__(self) -> None:
        self._read = b""
        self._waiting: asyncio.Future[Answer] | None = None
        self._transport: asyncio.Transport

    @classmethod
    async def open(cls, address: Address) -> "Connection":
        """Connect."""
        _transport, connection = await asyncio.get_running_loop().create_connection(cls, address.host, address.port)
        return connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are none by class

    def ask(self, request: bytes) -> "asyncio.Future[Answer]":
        """Send a request; give what will hold the answer."""
        assert self._waiting is None, "Invariant: a connection asks one thing at a time."
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._waiting

    def data_received(self, data: bytes) -> None:
        self._read += data
        head = self._read.find(_HEAD_END)
        if head < 0:
            return
        place = self._read.index(_LENGTH, 0, head) + len(_LENGTH)
        end = head + len(_HEAD_END) + int(self._read[place : self._read.find(b"\r", place)])
        if len(self._read) < end:
            return
        # `HTTP/1.1 201 Created`
        answer = Answer(int(self._read[9:12]), self._read[head + len(_HEAD_END) : end])
        self._read = self._read[end:]
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def connection_lost(self, failure: Exception | None) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(failure or ConnectionResetError("the server closed the connection"))

    def close(self) -> None:
        """Hang up."""
        self._transport.close()


def get(address: Address, path: str) -> bytes:
    """Write a request that reads."""
    return _head("GET", address, path) + b"\r\n"


def post(address: Address, path: str, body: object | None = None, key: str | None = None) -> bytes:
    """Write a request that commands."""
    said = b"" if body is None else orjson.dumps(body)
    named = b"" if key is None else f"Idempotency-Key: {key}\r\n".encode()
    told = f"Content-Type: application/json\r\nContent-Length: {len(said)}\r\n".encode()
    return _head("POST", address, path) + named + told + b"\r\n" + said


def _head(method: str, address: Address, path: str) -> bytes:
    host, key = f"{address.host}:{address.port}", address.key
    return f"{method} {API}{path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n".encode()


# ------------------------------------------------------------------------------------------------------------ figures


@dataclass(frozen=True, slots=True)
class LoadFigures:
    """What a server gave."""

    per_second: float
    p50_milliseconds: float
    p99_milliseconds: float


def figures_of(seconds: Sequence[float], elapsed: float) -> LoadFigures:
    """Sum up how long answers took."""
    return LoadFigures(len(seconds) / elapsed, statistics.median(seconds) * 1e3, percentile(seconds, 99) * 1e3)


def percentile(values: Sequence[float], percent: int) -> float:
    """Give the value that so many of a hundred do not exceed."""
    return sorted(values)[(len(values) - 1) * percent // 100]


def median_of(runs: Sequence[T], by: Callable[[T], float]) -> T:
    """Give the run in the middle, whole: figures of different runs are not mixed."""
    return sorted(runs, key=by)[len(runs) // 2]


async def load(connections: Sequence[Connection], requests: Iterable[bytes], status: int) -> LoadFigures:
    """Send all requests, each connection the next one as soon as it has its answer."""
    waiting, taken = iter(requests), list[float]()

    async def caller(connection: Connection) -> None:
        for request in waiting:
            begun = time.perf_counter()
            answer = await connection.ask(request)
            taken.append(time.perf_counter() - begun)
            answer.check(status)

    begun = time.perf_counter()
    await asyncio.gather(*(caller(connection) for connection in connections))
    return figures_of(taken, time.perf_counter() - begun)


async def load_at(
    connections: Sequence[Connection], requests: Sequence[bytes], per_second: float, status: int
) -> LoadFigures:
    """Send all requests at a steady rate, each at its own time, however long the one before it takes."""
    begun, taken = time.perf_counter(), list[float]()

    async def caller(first: int, connection: Connection) -> None:
        for number in range(first, len(requests), len(connections)):
            await asyncio.sleep(max(0.0, begun + number / per_second - time.perf_counter()))
            sent = time.perf_counter()
            answer = await connection.ask(requests[number])
            taken.append(time.perf_counter() - sent)
            answer.check(status)

    await asyncio.gather(*(caller(first, connection) for first, connection in enumerate(connections)))
    return figures_of(taken, time.perf_counter() - begun)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a load, on the loop that the desk is served on: the client should not be the slower side."""
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(work)


# ------------------------------------------------------------------------------------------------------------- orders


async def price_now(connection: Connection, address: Address) -> Decimal:
    """Ask what the perpetual costs."""
    quote = (await connection.ask(get(address, f"/quotes/{SYMBOL}"))).json()
    return Decimal(quote["last"])


def order(kind: str, number: int, price: Decimal) -> dict[str, object]:
    """Wish for an order that rests a hundredth away from the price, or is filled at once; buys and sells by turns."""
    side = "BUY" if number % 2 == 0 else "SELL"
    quantity = str(Decimal("0.001") * (1 + number % 7))
    wish: dict[str, object] = {"symbol": SYMBOL, "side": side, "type": kind, "quantity": quantity, "allow_repeat": True}
    if kind == "LIMIT":
        away = Decimal("0.99") if side == "BUY" else Decimal("1.01")
        wish["price"] = str(price * away // TICK * TICK)
    return wish


def orders(address: Address, kind: str, name: str, count: int, price: Decimal) -> list[bytes]:
    """Write so many requests for orders, each with a key of its own."""
    return [post(address, "/orders", order(kind, number, price), f"{name}-{number}") for number in range(count)]


def measure_orders(server: str, directory: Path, kind: str, connections: int, count: int, *words: str) -> LoadFigures:
    """Place orders at a fresh server: every one durable before it is answered, where the server is a desk."""
    with serving(server, directory, *words) as address:
        return run(_orders(address, server, kind, connections, count))


async def _orders(address: Address, server: str, kind: str, connections: int, count: int) -> LoadFigures:
    lines = [await Connection.open(address) for _ in range(connections)]
    price = await price_now(lines[0], address) if server == "desk" else Decimal(60_000)
    await load(lines, orders(address, kind, "warm", WARM_UP, price), 201)
    return await load(lines, orders(address, kind, "bench", count, price), 201)


# ---------------------------------------------------------------------------------------------------------- positions


def measure_positions(server: str, directory: Path, connections: int, count: int) -> LoadFigures:
    """Read the open positions, one in each thing that the account trades."""
    with serving(server, directory) as address:
        return run(_positions(address, server, connections, count))


async def _positions(address: Address, server: str, connections: int, count: int) -> LoadFigures:
    lines = [await Connection.open(address) for _ in range(connections)]
    if server == "desk":
        for symbol in SYMBOLS:
            wish = {"symbol": symbol, "side": "BUY", "quote_value": "1000"}
            (await lines[0].ask(post(address, "/orders", wish, f"open-{symbol}"))).check(201)
    seen = (await lines[0].ask(get(address, "/positions"))).json()
    if len(seen["items"]) != len(SYMBOLS):
        raise RuntimeError(f"{len(seen['items'])} positions are open instead of {len(SYMBOLS)}")
    await load(lines, [get(address, "/positions")] * WARM_UP, 200)
    return await load(lines, [get(address, "/positions")] * count, 200)
