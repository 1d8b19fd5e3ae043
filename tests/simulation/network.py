"""The net between a process of the desk and an exchange, and everything that a net does: delay, lose, double, lie.

Rule 1. A request that has left belongs to the world and not to who sent it: it arrives although the sender is dead.
        Its answer reaches nobody then. What a process hears, it hears in its own context, so that a frozen one hears
        it when it is thawed and a dead one never.
Rule 2. Whatever goes wrong is struck from the tape, at `request METHOD PATH`, `event KEY` (one message), `stream KEY`
        (every ten seconds of an open stream) and `quote SYMBOL`. How long a way takes is drawn apart from that.
Rule 3. In fair weather the net is kind: messages of one stream come in order, each once.
Rule 4. It holds the asker to the exchange's rules: who asks too often is told so, and who asks although he was told to
        wait is written down (`Address.impatient`).

What must not enter: what any of it means. Bytes go in, bytes come out.
"""

import asyncio
import json
import math
import random
from collections.abc import Awaitable, Callable, Mapping
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from functools import partial
from typing import NoReturn

from plimsoll.runtime.virtual_loop import VirtualLoop, context_of
from tests.simulation.adapter.pace import LIMIT_A_MINUTE
from tests.simulation.adapter.wire import Closed, HearBytes, Lost, NotSent, Reply
from tests.simulation.exchange.codes import Refusal
from tests.simulation.exchange.exchange import Exchange
from tests.simulation.exchange.stream import CLOSED, HEARTBEAT, Message
from tests.simulation.hours.tape import Struck, Tape
from tests.simulation.hours.weather import Fault

#: One way, in seconds: the middle, the width of its logarithm, and the two ends.
_MIDDLE, _WIDTH, _LEAST, _MOST = 0.02, 0.7, 0.005, 2.0
#: How often an open stream may be struck.
STREAM_SECONDS = 10.0
MICROSECOND = 1e-6
#: Before a lost line is noticed as lost, where it is.
_RESET_SECONDS = 0.5
#: What a ban grows by for who asks meanwhile.
_HARDER = 60.0

#: A refusal without a reason concerns orders alone; everything else can happen to every request.
_OF_ORDERS = frozenset(Fault)
_OF_OTHERS = _OF_ORDERS - {Fault.REFUSED}
#: A heartbeat is no news: it is neither doubled nor overtaken.
_OF_HEARTBEATS = frozenset({Fault.DROPPED})

#: What comes back when nobody can say what happened.
_GARBAGE = (
    Reply(500, b'{"code": -1006, "msg": "an unexpected response was received from the message bus"}'),
    Reply(504, b"<html><head><title>504 Gateway Time-out</title></head></html>"),
    Reply(200, b'{"orderId": "17", "clientOr'),
    Reply(503, b'{"code": -1007, "msg": "timeout waiting for a response; execution status unknown"}'),
    Reply(200, b'{"ok": true}'),
    Reply(502, b""),
    Reply(400, b'{"code": -9999, "msg": "nobody has ever seen this code"}'),
)


@dataclass(slots=True)
class Address:
    """What the exchange remembers of where a desk asks from; it outlives the desk's processes."""

    banned_until: float = 0.0
    #: Requests in the minute that began at the first.
    _minute: float = 0.0
    _asked: int = 0
    #: Who asked although he had been told to wait, in sentences.
    impatient: list[str] = field(default_factory=list)

    def too_many(self, now: float) -> bool:
        """Count a request; say whether it is one too many."""
        if now - self._minute >= 60:
            self._minute, self._asked = now, 0
        self._asked += 1
        return self._asked > LIMIT_A_MINUTE


class Latency:
    """Draws how long a way takes."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def draw(self) -> float:
        """Give one way's seconds: mostly some ten milliseconds, rarely many times that."""
        return min(max(math.exp(self._chance.gauss(math.log(_MIDDLE), _WIDTH)), _LEAST), _MOST)


class Network:
    """The net between one process and one account at an exchange: a `Transport`."""

    def __init__(
        self,
        exchange: Exchange,
        key: str,
        tape: Tape,
        loop: VirtualLoop,
        *,
        address: Address | None = None,
        crash: Callable[[], Awaitable[NoReturn]] | None = None,
        left: Callable[[str, Mapping[str, str]], None] | None = None,
    ) -> None:
        """Lay a line.

        Shapes:  `crash` ends the process that awaits it; `left` hears of every order and cancel that leaves, such as
                 ("POST /order", its parameters)
        """
        self._exchange = exchange
        self._key = key
        self._tape = tape
        self._loop = loop
        self._address = Address() if address is None else address
        self._crash = crash
        self._left = left
        self._latency = Latency(tape.chance("latency"))
        self._clogged_until = 0.0
        self._quiet_until = 0.0
        self._lines: list[_Line] = []

    def clog(self, seconds: float) -> None:
        """Let no request of this process reach the exchange for so long; then everything that waited, at once."""
        self._clogged_until = max(self._clogged_until, self._loop.time() + seconds)

    def hang_up(self) -> None:
        """End every stream: the process is gone, and the exchange need not talk to nobody."""
        for line in tuple(self._lines):
            line.close()

    # -------------------------------------------------------------------------------------------------- questions

    async def request(self, method: str, path: str, params: Mapping[str, str]) -> Reply:
        """Carry a request there and its answer back.

        Raises: NotSent, Lost
        """
        now, site = self._loop.time(), f"request {method} {path}"
        if now < self._quiet_until:
            left = self._quiet_until - now
            self._address.impatient.append(f"{now:.6f} {self._key} {method} {path}: {left:.6f} s before it may ask")
        struck = self._tape.strike(site, now, only=_OF_ORDERS if site == "request POST /order" else _OF_OTHERS)
        fault = None if struck is None else struck.fault
        if fault is Fault.CRASH_BEFORE:
            await self._die()
        if self._left is not None and method != "GET":
            self._left(f"{method} {path}", params)
        call = _Call(method, path, dict(params), now, self._loop.create_future())
        self._send(call, struck)
        reply = await call.answer
        if fault is Fault.CRASH_AFTER:
            await self._die()
        if isinstance(reply, Exception):
            raise reply
        if reply.status in (418, 429):
            self._quiet_until = self._loop.time() + float(json.loads(reply.body)["retryAfter"])
        return reply

    async def _die(self) -> None:
        assert self._crash is not None, "a world in which processes crash says how"
        await self._crash()

    def _send(self, call: "_Call", struck: Struck | None) -> None:
        """Decide what becomes of a request; from here on it is the world's."""
        up, down = self._latency.draw(), self._latency.draw()
        fault = None if struck is None else struck.fault
        amount = 0.0 if struck is None else struck.amount
        # The same fault takes its forms in turn, so that a tape that is played back gives the same ones.
        turn = 0 if struck is None else struck.passing
        match fault:
            case Fault.LOST:
                self._lose(call, (Lost("the line broke"), None, NotSent("no connection"))[turn % 3])
            case Fault.UNANSWERED:
                self._later(up, self._arrive, call, None)
                self._lose(call, (None, Lost("the line broke"))[turn % 2])
            case Fault.LATE:
                self._later(amount, self._arrive, call, None)
            case Fault.GARBLED:
                garbage = _GARBAGE[turn % len(_GARBAGE)]
                if amount < 0.5:
                    self._later(up, self._arrive, call, None)
                self._later(up + down, call.hear, garbage)
            case Fault.REFUSED:
                self._later(up + down, call.hear, _no(503, -1008, "overloaded, and not carried out"))
            case Fault.LIMITED:
                self._later(up + down, call.hear, _wait(429, amount))
            case Fault.BANNED:
                self._address.banned_until = max(self._address.banned_until, self._loop.time() + amount)
                self._later(up + down, call.hear, _wait(418, amount))
            case Fault.SLOW:
                up, down = (up + amount, down) if turn % 2 else (up, down + amount)
                self._later(up, self._arrive, call, down)
            case _:
                self._later(up, self._arrive, call, down)

    def _lose(self, call: "_Call", noticed: Exception | None) -> None:
        """Tell the asker that his line broke, or nothing at all."""
        if noticed is not None:
            self._later(_RESET_SECONDS, call.hear, noticed)

    def _arrive(self, call: "_Call", down: float | None) -> None:
        """Reach the exchange, now or when the way is free; `down` is the answer's way, None when it is lost."""
        now = self._loop.time()
        if now < self._clogged_until:
            self._later(self._clogged_until - now, self._arrive, call, down)
            return
        reply = self._carry_out(call, now)
        if down is not None:
            self._later(down, call.hear, reply)

    def _carry_out(self, call: "_Call", now: float) -> Reply:
        if now < self._address.banned_until:
            self._address.banned_until += _HARDER
            return _wait(418, self._address.banned_until - now)
        if self._address.too_many(now):
            return _wait(429, 60.0)
        # A venue that takes requests of any age has said how late one can be; the net keeps that for it.
        if call.method == "POST" and now - call.left_at > self._exchange.personality.late_seconds:
            return _no(400, -1021, "too late")
        try:
            told = self._exchange.call(self._key, call.method, call.path, call.params)
        except Refusal as refusal:
            return _no(refusal.status, refusal.code, refusal.message)
        return Reply(200, json.dumps(told).encode())

    def _later(self, seconds: float, work: Callable[..., object], *args: object) -> None:
        self._loop.call_later(seconds, work, *args, context=context_of(None))

    # ---------------------------------------------------------------------------------------------------- streams

    def stream(self, hear: HearBytes, closed: Closed, since: int | None) -> Callable[[], None]:
        """Open the account's stream, after the way there."""
        line = _Line(self, hear, closed, copy_context())
        self._lines.append(line)
        self._later(self._latency.draw(), line.open, since)
        return line.close


@dataclass(slots=True)
class _Call:
    """A request under way."""

    method: str
    path: str
    params: dict[str, str]
    left_at: float
    #: A failure is a value here: raised into a future that nobody waits for any more, asyncio would complain of it.
    answer: "asyncio.Future[Reply | Exception]"

    def hear(self, reply: Reply | Exception) -> None:
        """Let the asker have it, if he still waits."""
        if not self.answer.done():
            self.answer.set_result(reply)


class _Line:
    """One connection of a stream, from its opening to its end."""

    def __init__(self, network: Network, hear: HearBytes, closed: Closed, listener: Context) -> None:
        self._network = network
        self._hear = hear
        self._closed = closed
        #: Who listens: a process.
        self._listener = listener
        self._loop = network._loop
        self._stop: Callable[[], None] | None = None
        self._check: asyncio.TimerHandle | None = None
        #: Nothing more is heard; and whoever listened has hung up, so that he is not told either.
        self._is_over = self._hung_up = False
        #: Nothing is heard before this.
        self._next_at = 0.0

    def open(self, since: int | None) -> None:
        if self._is_over:
            return
        key = self._network._key
        self._stop = self._network._exchange.subscribe(key, self._take, since)
        self._check = self._loop.call_later(STREAM_SECONDS, self._strike, context=context_of(None))

    def close(self) -> None:
        """Hang up: who listened hears nothing of it any more."""
        self._hung_up = True
        self._end()

    def _end(self) -> None:
        self._is_over = True
        if self in self._network._lines:
            self._network._lines.remove(self)
        if self._check is not None:
            self._check.cancel()
        if self._stop is not None:
            self._stop()
            self._stop = None

    def _strike(self) -> None:
        network, now = self._network, self._loop.time()
        struck = network._tape.strike(f"stream {network._key}", now)
        if struck is not None and struck.fault is Fault.CUT:
            self._cut("the line broke")
            return
        if struck is not None:
            self._next_at = max(self._next_at, now + struck.amount)
        self._check = self._loop.call_later(STREAM_SECONDS, self._strike, context=context_of(None))

    def _cut(self, why: str) -> None:
        """End it from there: what was under way is lost, and then who listens notices."""
        self._end()
        self._loop.call_later(self._network._latency.draw(), self._notice, why, context=self._listener)

    def _notice(self, why: str) -> None:
        if not self._hung_up:
            self._closed(why)

    def _take(self, message: Message) -> None:
        """Take a message from the exchange, and give it the way that the weather gives it."""
        network, now = self._network, self._loop.time()
        if message["e"] == CLOSED:
            self._cut("closed by the exchange")
            return
        only = _OF_HEARTBEATS if message["e"] == HEARTBEAT else None
        struck = network._tape.strike(f"event {network._key}", now, only=only)
        if struck is not None and struck.fault is Fault.DROPPED:
            return
        words = json.dumps(message).encode()
        # In order, as one connection keeps it: nothing comes before what was sent before it. Later by a microsecond at
        # least, for a loop runs two timers of one time in any order.
        self._next_at = max(now + network._latency.draw(), self._next_at + MICROSECOND)
        if struck is not None and struck.fault is Fault.OVERTAKEN:
            self._give(self._next_at + struck.amount, words)
            return
        self._give(self._next_at, words)
        if struck is not None:
            self._give(self._next_at + struck.amount, words)

    def _give(self, at: float, words: bytes) -> None:
        self._loop.call_at(at, self._reach, words, context=self._listener)

    def _reach(self, words: bytes) -> None:
        if not self._is_over:
            self._hear(words)


# ------------------------------------------------------------------------------------------------------------ prices


class PriceLine:
    """The exchange's prices on their way to one process."""

    def __init__(self, exchange: Exchange, tape: Tape, loop: VirtualLoop) -> None:
        self._exchange = exchange
        self._tape = tape
        self._loop = loop
        self._latency = Latency(tape.chance("latency of prices"))
        self._frozen_until: dict[str, float] = {}
        self._next_at = 0.0
        self._stops: list[Callable[[], None]] = []

    def listen(self, hear: Callable[[Message], None]) -> Callable[[], None]:
        """Tell `hear` of every price from now on, in the context of who calls; the answer ends it."""
        stop = self._exchange.subscribe_prices(partial(self._take, hear, copy_context()))
        self._stops.append(stop)
        return stop

    def hang_up(self) -> None:
        """Tell nobody any more: the process is gone."""
        for stop in self._stops:
            stop()
        self._stops.clear()

    def _take(self, hear: Callable[[Message], None], listener: Context, message: Message) -> None:
        now, symbol = self._loop.time(), str(message["symbol"])
        struck = self._tape.strike(f"quote {symbol}", now)
        if struck is not None and struck.fault is Fault.FROZEN_PRICE:
            self._frozen_until[symbol] = now + struck.amount
        if now < self._frozen_until.get(symbol, 0.0):
            return
        if struck is not None:
            message = _spoilt(message, struck)
        self._next_at = max(now + self._latency.draw(), self._next_at + MICROSECOND)
        self._loop.call_at(self._next_at, hear, message, context=listener)


#: What a source says that has no price.
_NO_NUMBERS: tuple[object, ...] = ("NaN", "0", None, "-1", "", "1e9999")
_PRICES = ("bid", "ask", "last", "mark")


def _spoilt(message: Message, struck: Struck) -> Message:
    """Give a price that is none, or that is ten times what it was."""
    if struck.fault is Fault.NO_NUMBER:
        name = _PRICES[struck.passing % len(_PRICES)]
        return {**message, name: _NO_NUMBERS[struck.passing % len(_NO_NUMBERS)]}
    is_up = struck.passing % 2
    return {**message, **{name: _tenfold(str(message[name]), up=bool(is_up)) for name in _PRICES}}


def _tenfold(words: str, *, up: bool) -> str:
    """Move the point of a number by one place."""
    whole, _, part = words.partition(".")
    return f"{whole}{part[:1] or '0'}.{part[1:] or '0'}" if up else f"{whole[:-1] or '0'}.{whole[-1]}{part}"


# ------------------------------------------------------------------------------------------------------------- words


def _no(status: int, code: int, message: str) -> Reply:
    return Reply(status, json.dumps({"code": code, "msg": message}).encode())


def _wait(status: int, seconds: float) -> Reply:
    body = {"code": -1003, "msg": "too many requests", "retryAfter": math.ceil(seconds * 1_000) / 1_000}
    return Reply(status, json.dumps(body).encode())
