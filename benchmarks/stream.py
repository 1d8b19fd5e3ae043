"""The stream: 200 subscribers of one account, and what they cost those who trade.

Each is a WebSocket of its own, in the client's process. Two things are looked at: a steady trickle of orders (how late
an event is at its subscribers), and then as many orders as go (how many a second remain).
"""

import asyncio
import base64
import time
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import cast

import orjson

from benchmarks.http_load import (
    API,
    WARM_UP,
    Connection,
    LoadFigures,
    load,
    load_at,
    orders,
    percentile,
    price_now,
    run,
)
from benchmarks.http_process import Address, serving

#: Two events an order, to each of 200: half of what the hub may send.
ORDERS_PER_SECOND = 10
CONNECTIONS = 64
#: Events that are still on their way when the trickle ends.
LATE_SECONDS = 10.0
_HEAD_END = b"\r\n\r\n"
_EVENT, _HELLO, _PREVIOUS, _AT = b'{"type":"event","number":', b'{"type":"hello"', b'"previous":', b'"at":"'
_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10


class StreamEnded(RuntimeError):
    """A subscriber was turned away, or cut off."""


@dataclass(slots=True)
class Watch:
    """What all subscribers together have seen since it was cleared."""

    frames: int = 0
    #: Seconds from an event's own time to its arrival, one for each subscriber of each event.
    delays: list[float] = field(default_factory=list)
    #: Why it cannot go on.
    failure: str = ""

    def clear(self) -> None:
        """Begin anew."""
        self.frames, self.delays = 0, []


class Subscriber(asyncio.Protocol):
    """A WebSocket that listens; no more of the protocol than a server of ours speaks."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._read = b""
        self._transport: asyncio.Transport
        self._open = False
        self.greeted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        #: Number of the last event that came; at first the last one before the greeting.
        self.last = 0

    @classmethod
    async def open(cls, address: Address, watch: Watch) -> "Subscriber":
        """Connect, and wait for the greeting."""
        loop = asyncio.get_running_loop()
        _transport, subscriber = await loop.create_connection(lambda: cls(watch), address.host, address.port)
        key = base64.b64encode(bytes(16)).decode()
        subscriber._transport.write(
            f"GET {API}/stream HTTP/1.1\r\nHost: {address.host}:{address.port}\r\n"
            f"Authorization: Bearer {address.key}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        await subscriber.greeted
        return subscriber

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are none by class

    def data_received(self, data: bytes) -> None:
        now, read = time.time(), self._read + data
        if not self._open:
            head = read.find(_HEAD_END)
            if head < 0:
                self._read = read
                return
            if not read.startswith(b"HTTP/1.1 101"):
                self._fail(read.decode(errors="replace")[:500])
                return
            self._open, read = True, read[head + len(_HEAD_END) :]
        place = 0
        while (frame := _frame_at(read, place)) is not None:
            opcode, begin, place = frame
            self._take(opcode, read[begin:place], now)
        self._read = read[place:]

    def connection_lost(self, failure: Exception | None) -> None:
        if not self._transport.is_closing() or failure is not None:
            self._fail(f"the line was cut: {failure}")

    def _take(self, opcode: int, said: bytes, now: float) -> None:
        if opcode == _TEXT:
            self._watch.frames += 1
            if said.startswith(_EVENT):
                self._take_event(said, now)
            elif said.startswith(_HELLO):
                self.last = orjson.loads(said)["number"]
                self.greeted.set_result(None)
        elif opcode == _PING:
            # What a client says is masked; by zeros it stays what it is.
            self._transport.write(bytes((0x80 | _PONG, 0x80 | len(said), 0, 0, 0, 0)) + said)
        elif opcode == _CLOSE:
            self._fail(said[2:].decode())

    def _take_event(self, said: bytes, now: float) -> None:
        number, previous = _number(said, len(_EVENT)), _number(said, said.index(_PREVIOUS) + len(_PREVIOUS))
        if previous != self.last:
            self._fail(f"an event was left out before {number}: {previous} was told of, {self.last} came")
        self.last = number
        at = said.index(_AT) + len(_AT)
        self._watch.delays.append(now - _moment(said[at : said.index(b'"', at)]))

    def _fail(self, why: str) -> None:
        self._watch.failure = self._watch.failure or why
        if not self.greeted.done():
            self.greeted.set_exception(StreamEnded(why))

    def close(self) -> None:
        """Hang up."""
        self._transport.close()


def _frame_at(read: bytes, place: int) -> tuple[int, int, int] | None:
    """Find the frame that begins at a place: (opcode, where its text begins, where it ends); None until it is whole."""
    if len(read) < place + 2:
        return None
    length, begin = read[place + 1] & 0x7F, place + 2
    if length >= 126:
        wide = 2 if length == 126 else 8
        length, begin = int.from_bytes(read[begin : begin + wide]), begin + wide
    end = begin + length
    return None if len(read) < end else (read[place] & 0x0F, begin, end)


def _number(said: bytes, place: int) -> int:
    return int(said[place : said.index(b",", place)])


@lru_cache(maxsize=4_096)  # 200 subscribers get the same event
def _moment(text: bytes) -> float:
    return datetime.fromisoformat(text.decode()).timestamp()


# ------------------------------------------------------------------------------------------------------------ figures


@dataclass(frozen=True, slots=True)
class StreamFigures:
    """What so many subscribers get, and what is left for orders."""

    subscribers: int
    frames_per_second: float
    #: From an event's own time, which lies before its commit, to its arrival.
    p50_milliseconds: float
    p99_milliseconds: float
    #: Orders at the steady rate.
    steady: LoadFigures
    #: Orders as fast as they go, and what the subscribers got meanwhile.
    burst: LoadFigures
    burst_frames_per_second: float


def measure(directory: Path, subscribers: int, seconds: int, burst: int) -> StreamFigures:
    """Serve a fresh desk, and look at the trickle and then at the burst."""
    with serving("desk", directory) as address:
        return run(_measure(address, subscribers, seconds, burst))


async def _measure(address: Address, subscribers: int, seconds: int, burst: int) -> StreamFigures:
    watch = Watch()
    lines = [await Connection.open(address) for _ in range(CONNECTIONS)]
    price = await price_now(lines[0], address)
    await load(lines, orders(address, "LIMIT", "warm", WARM_UP, price), 201)
    following = [await Subscriber.open(address, watch) for _ in range(subscribers)]

    watch.clear()
    begun = time.perf_counter()
    trickle = orders(address, "LIMIT", "steady", ORDERS_PER_SECOND * seconds, price)
    steady = await load_at(lines[:8], trickle, ORDERS_PER_SECOND, 201)
    await _until_all_have(address, watch, following)
    frames = watch.frames / (time.perf_counter() - begun)
    delays = watch.delays or [0.0]

    # The server hangs up on connections that were silent so long.
    for line in lines:
        line.close()
    lines = [await Connection.open(address) for _ in range(CONNECTIONS)]
    watch.clear()
    begun = time.perf_counter()
    at_once = await load(lines, orders(address, "LIMIT", "burst", burst, price), 201)
    burst_frames = watch.frames / (time.perf_counter() - begun)
    _check(watch)
    return StreamFigures(
        subscribers,
        frames,
        percentile(delays, 50) * 1e3,
        percentile(delays, 99) * 1e3,
        steady,
        at_once,
        burst_frames,
    )


async def _until_all_have(address: Address, watch: Watch, following: list[Subscriber]) -> None:
    """Wait until everybody has the last event there is; nobody may miss one."""
    if not following:
        return
    late = await Subscriber.open(address, Watch())
    head, until = late.last, time.perf_counter() + LATE_SECONDS
    late.close()
    while any(one.last < head for one in following):
        _check(watch)
        if time.perf_counter() > until:
            raise StreamEnded(f"{sum(one.last < head for one in following)} subscribers never came to event {head}")
        await asyncio.sleep(0.005)
    _check(watch)


def _check(watch: Watch) -> None:
    if watch.failure:
        raise StreamEnded(watch.failure)
