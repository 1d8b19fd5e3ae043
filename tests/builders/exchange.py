"""A stand-in exchange over real HTTP and WebSocket. It speaks enough of Binance's public API for ccxt to be at home.

It says what it was told to say and when, so that a test waits for what it caused and never for a clock. Its moods are
plain fields: set one, and every answer from then on is of that mood.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Self

from aiohttp import WSMsgType, web

from plimsoll.market.live.wire import Wire, connect

NAME = "binance"
BTC, ETH, PERPETUAL = "BTC/USDT", "ETH/USDT", "BTC/USDT:USDT"


@dataclass
class Market:
    """One market as the exchange lists it, and the best prices it has now; None is not told."""

    symbol: str
    tick: str = "0.01"
    lot: str = "0.00001"
    min_notional: str = "5"
    status: str = "TRADING"
    bid: str | None = None
    ask: str | None = None
    bid_size: str = "1.5"
    ask_size: str = "2.5"
    #: The exchange's milliseconds. None is now for a perpetual; on the spot nothing is dated then.
    time: int | None = None
    bars: list[list[object]] = field(default_factory=list)

    @property
    def id(self) -> str:
        return self.symbol.partition(":")[0].replace("/", "")

    @property
    def is_spot(self) -> bool:
        return ":" not in self.symbol

    @property
    def dated(self) -> int | None:
        return int(time.time() * 1000) if self.time is None and not self.is_spot else self.time

    def listed(self) -> dict[str, object]:
        base, _slash, quote = self.symbol.partition(":")[0].partition("/")
        told: dict[str, object] = {
            "symbol": self.id,
            "status": self.status,
            "baseAsset": base,
            "quoteAsset": quote,
            "filters": [
                {"filterType": "PRICE_FILTER", "tickSize": self.tick, "minPrice": self.tick, "maxPrice": "1000000"},
                {"filterType": "LOT_SIZE", "stepSize": self.lot, "minQty": self.lot, "maxQty": "9000"},
                {"filterType": "MIN_NOTIONAL", "minNotional": self.min_notional, "notional": self.min_notional},
            ],
        }
        if not self.is_spot:
            told |= {"contractType": "PERPETUAL", "deliveryDate": 4133404800000, "marginAsset": quote}
        return told

    def top(self) -> dict[str, object]:
        told: dict[str, object] = {"symbol": self.id, "bidQty": self.bid_size, "askQty": self.ask_size}
        told |= {"bidPrice": self.bid, "askPrice": self.ask}
        return told | ({} if self.dated is None else {"time": self.dated})

    def streamed(self) -> dict[str, object]:
        told: dict[str, object] = {"u": 1, "s": self.id, "b": self.bid, "B": self.bid_size}
        told |= {"a": self.ask, "A": self.ask_size}
        return told | ({} if self.dated is None else {"e": "bookTicker", "E": self.dated})

    def ticker(self) -> dict[str, object]:
        """Tell best prices and the last trade, as the stream of one market's statistics does."""
        told = self.streamed() | {"e": "24hrTicker", "c": self.bid, "o": self.bid, "v": "10", "q": "20"}
        return told if self.dated is None else told | {"C": self.dated}


class StandIn:
    """The exchange. `async with StandIn() as exchange:` opens it on a free port of this machine."""

    def __init__(self, symbols: Collection[str] = (BTC, ETH, PERPETUAL)) -> None:
        self.markets = {symbol: Market(symbol) for symbol in symbols}
        #: HTTP: answer everything with this status, after so many good answers.
        self.refuses: int | None = None
        self.retry_after: str | None = None
        #: HTTP: answer everything with this text.
        self.says: str | None = None
        #: HTTP: nobody is answered while this is closed.
        self.open = asyncio.Event()
        self.open.set()
        #: WebSocket: a new connection is refused.
        self.refuses_streams = False
        #: Questions that came, by path.
        self.asked: list[str] = []
        #: Streams that are subscribed to now, with what they asked for.
        self.streams: dict[web.WebSocketResponse, list[str]] = {}
        self.subscriptions = 0
        self._changed = asyncio.Condition()
        self._port = 0

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/{api:spot|futures}/{path:.*}", self._answer)
        app.router.add_get("/stream/{number}", self._stream)
        app.router.add_get("/perpetual/{number}", self._stream)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        server = site._server
        assert isinstance(server, asyncio.Server)
        self._port = server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.open.set()
        await self.hang_up()
        await self._runner.cleanup()

    # --- what tests say

    def connect(self, exchange_id: str, symbols: Collection[str], **settings: object) -> Wire:
        """Connect to this exchange in place of the real one."""
        http, stream = f"http://127.0.0.1:{self._port}", f"ws://127.0.0.1:{self._port}"
        api = {
            "public": f"{http}/spot",
            "fapiPublic": f"{http}/futures",
            # Its path tells ccxt which of two markets of one name is meant.
            "ws": {"spot": f"{stream}/stream", "linear": f"{stream}/perpetual"},
        }
        options = {"fetchMarkets": {"types": ["spot", "linear"]}, "watchTickers": {"name": "ticker"}}
        settings = {
            "urls": {"api": api},
            "options": options,
            "enableRateLimit": False,
            "timeout_on_exit": 1,
            **settings,
        }
        return connect(exchange_id, symbols, settings)

    def without(self, **has: object) -> partial[Wire]:
        """Connect to an exchange that lacks something that this one has."""
        return partial(self.connect, has=has)

    def has(self, symbol: str, bid: str | None, ask: str | None, dated: int | None = None) -> None:
        """Put prices in the book; nobody is told."""
        market = self.markets[symbol]
        market.bid, market.ask, market.time = bid, ask, dated

    async def tell(self, symbol: str, bid: str | None, ask: str | None, dated: int | None = None) -> None:
        """Put prices in the book and tell all who listen."""
        self.has(symbol, bid, ask, dated)
        await self.stream_out(symbol)

    async def stream_out(self, symbol: str) -> None:
        """Tell the book as it is to all who listen to it."""
        market = self.markets[symbol]
        for socket, topics in list(self.streams.items()):
            for name, message in (("bookTicker", market.streamed()), ("ticker", market.ticker())):
                if f"{market.id.lower()}@{name}" in topics and ("/stream/" in topics[0]) == market.is_spot:
                    await socket.send_str(json.dumps(message))

    async def tell_raw(self, text: str) -> None:
        """Tell everybody something that is no message."""
        for socket in list(self.streams):
            await socket.send_str(text)

    async def hang_up(self) -> None:
        """Drop every stream."""
        for socket in list(self.streams):
            await socket.close()

    async def until_subscribed(self, times: int = 1) -> None:
        """Wait until so many subscriptions have come, ever."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.subscriptions >= times)

    async def until_asked(self, path: str, times: int = 1) -> None:
        """Wait until a question has come so often, ever."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.times_asked(path) >= times)

    def times_asked(self, path: str) -> int:
        return sum(path in asked for asked in self.asked)

    # --- what ccxt hears

    async def _answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        async with self._changed:
            self._changed.notify_all()
        await self.open.wait()
        if self.refuses is not None:
            headers = {} if self.retry_after is None else {"Retry-After": self.retry_after}
            return web.Response(status=self.refuses, text="not now", headers=headers)
        if self.says is not None:
            return web.Response(text=self.says, content_type="application/json")
        spot = request.match_info["api"] == "spot"
        mine = [market for market in self.markets.values() if market.is_spot == spot]
        match request.match_info["path"]:
            case "time":
                return web.json_response({"serverTime": 1})
            case "exchangeInfo":
                return web.json_response({"symbols": [market.listed() for market in mine]})
            case "ticker/bookTicker":
                return web.json_response([market.top() for market in _wanted(mine, request.query)])
            case "ticker/24hr":
                tickers = [
                    market.top() | {"lastPrice": market.bid, "closeTime": market.dated}
                    for market in _wanted(mine, request.query)
                ]
                return web.json_response(tickers[0] if "symbol" in request.query else tickers)
            case "klines":
                (market,) = _wanted(mine, request.query)
                return web.json_response(market.bars[-int(request.query["limit"]) :])
        raise web.HTTPNotFound

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        if self.refuses_streams:
            raise web.HTTPServiceUnavailable
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        topics = self.streams[socket] = [request.path]
        try:
            async for message in _texts(socket):
                topics += message["params"]
                await socket.send_str(json.dumps({"result": None, "id": message["id"]}))
                self.subscriptions += 1
                async with self._changed:
                    self._changed.notify_all()
        finally:
            del self.streams[socket]
        return socket


def _wanted(markets: Sequence[Market], query: Mapping[str, str]) -> list[Market]:
    if "symbols" in query:
        names = json.loads(query["symbols"])
    elif "symbol" in query:
        names = [query["symbol"]]
    else:
        names = [market.id for market in markets]
    return [market for market in markets if market.id in names]


async def _texts(socket: web.WebSocketResponse) -> AsyncIterator[dict[str, list[str]]]:
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            yield json.loads(message.data)


@asynccontextmanager
async def nobody() -> AsyncIterator[StandIn]:
    """Give an exchange that has just been switched off: its port answers nobody."""
    async with StandIn() as exchange:
        pass
    yield exchange
