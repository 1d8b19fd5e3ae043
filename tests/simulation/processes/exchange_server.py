"""The simulated exchange as a process of its own: HTTP and WebSockets on this machine, a market that walks by itself.

    python -m tests.simulation.processes.exchange_server --port 9100 --seed 7

It breaks lines as networks do: a request is never carried out, or carried out and its answer lost, or answered with
words that nobody knows; a stream drops a message, repeats one, is cut. `POST /quiet` ends that. `GET /truth` tells the
judge what really happened; no desk asks there.

What must not enter: what the exchange does (`tests.simulation.exchange`).
"""

import argparse
import asyncio
import json
import pickle
import random
from collections.abc import Callable
from contextlib import AsyncExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from plimsoll.bootstrap.sources import SYMBOLS
from plimsoll.edges.listen import HOST, bind
from plimsoll.model.venue import DedupeScope
from plimsoll.runtime.process import begin_process
from tests.simulation.exchange.codes import Refusal
from tests.simulation.exchange.exchange import Exchange
from tests.simulation.exchange.listing import LISTINGS, Listing
from tests.simulation.exchange.personality import Personality
from tests.simulation.processes.child import Tell, aloud
from tests.simulation.processes.http_transport import KEY_HEADER

#: The name of the venue that a desk's account of synthetic prices trades at.
VENUE = "paper-synthetic"
KEY = "the-desk"
DEPOSIT = Decimal(100_000)
#: Short windows, so that what was never placed is known soon. It takes an id as often as it is sent: what a kinder
#: venue refuses would hide that an order left twice.
HASTY = Personality(
    name=VENUE, dedupe=DedupeScope.NONE, recv_window_seconds=1.0, heartbeat_seconds=1.0, partial_ratio=0.3
)
_BEGINS = {"BTC": 60_000.0, "ETH": 3_000.0}
_STEP_SECONDS, _STEP, _PULL = 0.2, 0.0001, 0.002
#: (what goes wrong with a request, how often)
_LOST, _UNANSWERED, _GARBLED, _SLOW = 0.01, 0.03, 0.015, 0.05
_SLOW_SECONDS = (0.02, 0.4)
#: (what goes wrong with a message of a stream, how often)
_DROPPED, _DOUBLED, _CUT = 0.01, 0.02, 0.004


@dataclass(frozen=True, slots=True)
class ExchangeWords:
    """What an exchange process is told."""

    port: int
    seed: int
    personality: Personality = HASTY
    #: Whether lines break.
    rough: bool = True
    symbols: tuple[str, ...] = SYMBOLS


@dataclass(slots=True)
class Lines:
    """How the lines are: broken by chance while they are rough."""

    chance: random.Random
    rough: bool

    def strikes(self, most: float) -> bool:
        """Draw whether something goes wrong."""
        return self.chance.random() < most and self.rough


@dataclass(slots=True)
class Walk:
    """The market: every coin walks, and is pulled back to where it began."""

    exchange: Exchange
    listings: tuple[Listing, ...]
    chance: random.Random
    at: dict[str, float] = field(default_factory=lambda: dict(_BEGINS))

    def show(self) -> None:
        """Trade everything at where it stands."""
        for listing in self.listings:
            steps = Decimal(repr(self.at[listing.base])) // listing.tick
            self.exchange.trade_at(listing.symbol, steps * listing.tick)

    async def run(self) -> None:
        """Walk for ever; once a second what hangs on time alone is done."""
        steps = 0
        while True:
            await asyncio.sleep(_STEP_SECONDS)
            for coin, begins in _BEGINS.items():
                pull = _PULL * (begins - self.at[coin]) / begins
                self.at[coin] *= 1 + self.chance.gauss(pull, _STEP)
            self.show()
            steps += 1
            if steps % round(1 / _STEP_SECONDS) == 0:
                self.exchange.pass_time()


class BrokenLine(Response):
    """An answer that is cut off in the middle: who asked knows only that something was under way."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-length", b"1000"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})


class Doors:
    """The doors of the exchange, for desks and for the judge."""

    def __init__(self, exchange: Exchange, words: ExchangeWords, lines: Lines) -> None:
        self.exchange = exchange
        self.words = words
        self.lines = lines

    def app(self) -> Starlette:
        """Put the doors together."""
        return Starlette(
            routes=[
                Route("/api/{path:path}", self.call, methods=["GET", "POST", "DELETE"]),
                WebSocketRoute("/stream", self.stream),
                WebSocketRoute("/prices", self.prices),
                Route("/about", self.about),
                Route("/truth", self.truth),
                Route("/quiet", self.quiet, methods=["POST"]),
            ]
        )

    async def call(self, request: Request) -> Response:
        """Carry a request out, as far as the line lets it."""
        if self.lines.strikes(_SLOW):
            await asyncio.sleep(self.lines.chance.uniform(*_SLOW_SECONDS))
        if self.lines.strikes(_LOST):
            return BrokenLine()
        answer = self._carry_out(request)
        if self.lines.strikes(_UNANSWERED):
            return BrokenLine()
        if self.lines.strikes(_GARBLED):
            return Response(b"<html>Bad gateway</html>", 502)
        return answer

    def _carry_out(self, request: Request) -> Response:
        key, path = request.headers.get(KEY_HEADER, ""), f"/{request.path_params['path']}"
        try:
            return JSONResponse(self.exchange.call(key, request.method, path, dict(request.query_params)))
        except Refusal as refusal:
            return JSONResponse({"code": refusal.code, "msg": refusal.message}, refusal.status)

    async def stream(self, socket: WebSocket) -> None:
        """Tell an account's news."""
        since = socket.query_params.get("since")
        number = None if since is None else int(since)
        key = socket.query_params["key"]
        await self._pass_on(socket, lambda hear: self.exchange.subscribe(key, hear, number), broken=True)

    async def prices(self, socket: WebSocket) -> None:
        """Tell prices."""
        await self._pass_on(socket, self.exchange.subscribe_prices, broken=False)

    async def _pass_on(
        self,
        socket: WebSocket,
        subscribe: Callable[[Callable[[dict[str, object]], None]], Callable[[], None]],
        *,
        broken: bool,
    ) -> None:
        await socket.accept()
        told: asyncio.Queue[dict[str, object]] = asyncio.Queue()
        async with AsyncExitStack() as end:
            end.callback(subscribe(told.put_nowait))
            gone = asyncio.create_task(_until_gone(socket))
            end.callback(gone.cancel)
            while not gone.done():
                next_one = asyncio.create_task(told.get())
                await asyncio.wait((next_one, gone), return_when=asyncio.FIRST_COMPLETED)
                if not next_one.done() or (broken and self.lines.strikes(_CUT)):
                    next_one.cancel()
                    break
                for _ in range(self._times() if broken else 1):
                    await socket.send_text(json.dumps(next_one.result()))
            if not gone.done():
                await socket.close()

    def _times(self) -> int:
        if self.lines.strikes(_DROPPED):
            return 0
        return 2 if self.lines.strikes(_DOUBLED) else 1

    async def about(self, _request: Request) -> Response:
        """Tell who the exchange is, as its documentation does."""
        return JSONResponse(asdict(self.words.personality))

    async def truth(self, _request: Request) -> Response:
        """Tell the judge what really happened."""
        self.exchange.check()
        return Response(pickle.dumps(self.exchange.truth(KEY)))

    async def quiet(self, _request: Request) -> Response:
        """Let no line break any more."""
        self.lines.rough = False
        return JSONResponse({})


async def _until_gone(socket: WebSocket) -> None:
    try:
        while True:
            await socket.receive_text()
    except WebSocketDisconnect:
        pass


class _Server(uvicorn.Server):
    """A server that takes no signals: whoever began it ends it."""

    @contextmanager
    def capture_signals(self) -> Any:
        """Take none."""
        yield


async def _serve(words: ExchangeWords, ready: Callable[[str], None]) -> None:
    chance = random.Random(f"{words.seed}|exchange")
    listings = tuple(LISTINGS[symbol] for symbol in words.symbols)
    exchange = Exchange(words.personality, listings, lambda: datetime.now(UTC), chance)
    walk = Walk(exchange, listings, random.Random(f"{words.seed}|walk"))
    walk.show()
    exchange.open(KEY, {"USDT": DEPOSIT})
    doors = Doors(exchange, words, Lines(random.Random(f"{words.seed}|lines"), words.rough))
    config = uvicorn.Config(doors.app(), lifespan="off", log_level="error", access_log=False)
    with bind(words.port) as listener:
        # Before anybody is told of it: until the server itself listens, whoever came would be turned away.
        listener.listen()
        walking = asyncio.create_task(walk.run())
        serving = asyncio.create_task(_Server(config).serve(sockets=[listener]))
        ready(f"http://{HOST}:{listener.getsockname()[1]}")
        # Whichever fails, the exchange ends, loudly.
        done, _ = await asyncio.wait((walking, serving), return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()


def be_exchange(tell: Tell, words: ExchangeWords) -> None:
    """Be an exchange until the process is killed."""
    asyncio.run(_serve(words, lambda url: tell("served", url)))


def main() -> None:
    """Be an exchange, by hand."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fair", action="store_true", help="no line breaks")
    words = parser.parse_args()
    begin_process()
    be_exchange(aloud, ExchangeWords(words.port, words.seed, rough=not words.fair))


if __name__ == "__main__":
    main()
