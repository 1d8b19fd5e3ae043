"""One exchange through ccxt: questions over HTTP, streams over WebSocket, answers as plain data.

Rule 1. Everything that ccxt raises, and everything that breaks inside it on an answer that makes no sense, leaves here
        as a `WorldFailure`. Cancellation passes through.
Rule 2. A stream is a connection of its own (`fresh`), so that a dead one is thrown away whole: nothing depends on how
        ccxt mends its connections.
Rule 3. A message that breaks ccxt breaks its stream, which is then opened anew. Left alone, ccxt would go deaf on it,
        and say so only in the loop's log.
Rule 4. Numbers stay text (`number = str`). ccxt keeps order books as floats, over HTTP as well: no book is asked for.
Rule 5. The list of markets is read in a thread, by an exchange object of its own: ccxt takes half a second for the
        thousands of a large exchange, in which no price would come and no stop be moved. Ours are kept, no others.

What must not enter: our own words for prices and instruments; they are made in `parse`.
"""

import importlib
import json
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

from plimsoll.market.live.aside import aside
from plimsoll.market.live.errors import CcxtMissing, ExchangeUnknown, failure_of
from plimsoll.market.live.parse import Told

T = TypeVar("T")

#: How long one question may take.
_QUESTION_MILLISECONDS = 5_000
#: What ccxt's exchanges call the kinds of markets that we know, in the option that says which of them to load.
_WORDS = {"spot": {"spot"}, "linear": {"linear", "swap"}, "inverse": {"inverse", "swap"}}


class Connect(Protocol):
    """Makes a wire to an exchange; nothing is sent yet.

    Raises: CcxtMissing, ExchangeUnknown
    """

    def __call__(self, exchange_id: str, symbols: Collection[str]) -> "Wire": ...


def connect(exchange_id: str, symbols: Collection[str], settings: Mapping[str, object] | None = None) -> "Wire":
    """Make a wire for some symbols; `settings` are ccxt's own, such as other addresses.

    Raises: CcxtMissing, ExchangeUnknown
    """
    try:
        library: Any = importlib.import_module("ccxt.pro")
    except ImportError as missing:
        raise CcxtMissing from missing
    if exchange_id not in library.exchanges:
        raise ExchangeUnknown(exchange_id)
    exchange = getattr(library, exchange_id)(
        {
            "number": str,
            "timeout": _QUESTION_MILLISECONDS,
            "enableRateLimit": True,
            **(settings or {}),
        }
    )
    _load_only(exchange, {_kind(symbol) for symbol in symbols})
    return Wire(exchange, symbols)


class Wire:
    """One connection to one exchange."""

    def __init__(self, exchange: Any, symbols: Collection[str]) -> None:
        self._exchange = exchange
        self._symbols = tuple(symbols)

    @property
    def precision_mode(self) -> int:
        """Give ccxt's word for how it tells the steps of a market."""
        return int(self._exchange.precisionMode)

    @property
    def timeframes(self) -> Collection[str]:
        """Name the intervals of which the exchange has bars."""
        return frozenset(self._exchange.timeframes or ())

    def trades(self, symbols: Collection[str]) -> bool:
        """Say whether the exchange trades every kind that these symbols are of, before anything was asked."""
        return all(self._has("spot" if _kind(symbol) == "spot" else "swap") for symbol in symbols)

    async def greet(self) -> None:
        """Ask something small, to see whether anybody answers.

        Raises: WorldFailure
        """
        if self._has("fetchTime"):
            await self._asked(self._exchange.fetch_time)
        else:
            await self.load()

    async def load(self) -> None:
        """Load the markets; every other question needs them.

        Raises: WorldFailure
        """
        # Nothing else is done with this exchange before it knows its markets, so the thread may read its settings.
        read = partial(_read_markets, type(self._exchange), self._settings(), self._symbols)
        loaded = await aside(read)
        self._exchange.set_markets_from_exchange(loaded)
        # Some keep there what they learned on the way.
        self._exchange.options = loaded.options

    def market(self, symbol: str) -> Told | None:
        """Give what was loaded of a market; None where the exchange does not list it."""
        found: Told | None = (self._exchange.markets or {}).get(symbol)
        return found

    def groups(self, symbols: Collection[str]) -> tuple[tuple[str, ...], ...]:
        """Put listed symbols together as the exchange takes them in one question: no two kinds of market."""
        groups: dict[object, list[str]] = {}
        for symbol in symbols:
            market = self.market(symbol) or {}
            groups.setdefault((market.get("type"), market.get("subType")), []).append(symbol)
        return tuple(tuple(group) for group in groups.values())

    async def tops(self, symbols: Sequence[str]) -> Sequence[Told]:
        """Ask for the best prices of a group.

        Raises: WorldFailure
        """
        if self._has("fetchBidsAsks"):
            return tickers_in(await self._asked(self._exchange.fetch_bids_asks, list(symbols)))
        if self._has("fetchTickers"):
            return tickers_in(await self._asked(self._exchange.fetch_tickers, list(symbols)))
        return [one for each in symbols for one in tickers_in(await self._asked(self._exchange.fetch_ticker, each))]

    async def bars(self, symbol: str, timeframe: str, limit: int) -> Sequence[object]:
        """Ask for the last bars of a market, as rows; the last one may not be over yet.

        Raises: WorldFailure
        """
        rows = await self._asked(self._exchange.fetch_ohlcv, symbol, timeframe, None, limit)
        return rows if isinstance(rows, list) else []

    def streams(self, group: Sequence[str]) -> tuple[tuple[str, ...], ...]:
        """Say how a group is streamed: together, one by one, or (nothing) not at all."""
        if self._has("watchBidsAsks"):
            return (tuple(group),)
        return tuple((symbol,) for symbol in group) if self._has("watchTicker") else ()

    async def watch(self, stream: Sequence[str]) -> None:
        """Wait for a stream's next message; what it told is then `known`.

        Raises: WorldFailure
        """
        if self._has("watchBidsAsks"):
            await self._asked(self._exchange.watch_bids_asks, list(stream))
        else:
            await self._asked(self._exchange.watch_ticker, stream[0])

    def known(self, stream: Sequence[str]) -> Sequence[Told]:
        """Give the newest that was told of each market, the same object until something is told anew.

        Two messages that come at once wake `watch` once, and ccxt answers with one of them: here none is lost.
        """
        # Kraken's best prices are kept among the tickers, where ccxt itself does not look for them.
        kept = [self._exchange.bidsasks.get(symbol) or self._exchange.tickers.get(symbol) for symbol in stream]
        return [one for one in kept if one is not None]

    def fresh(self) -> "Wire":
        """Make another connection that knows the markets of this one."""
        exchange = type(self._exchange)(self._settings())
        exchange.set_markets_from_exchange(self._exchange)
        exchange.handle_message = partial(_heard, exchange.handle_message)
        return Wire(exchange, self._symbols)

    async def close(self) -> None:
        """Let go of everything; again is harmless."""
        await self._exchange.close()

    def _settings(self) -> dict[str, object]:
        names = ("number", "timeout", "timeout_on_exit", "enableRateLimit", "urls", "has", "options")
        return {name: getattr(self._exchange, name) for name in names}

    def _has(self, name: str) -> bool:
        # ccxt also says "emulated": many questions behind one, which is not what is wanted of a stream or a poll.
        return self._exchange.has.get(name) is True

    async def _asked(self, question: Callable[..., Awaitable[T]], *of: object) -> T:
        return await _asked(self._exchange, question, *of)


async def _asked(exchange: Any, question: Callable[..., Awaitable[T]], *of: object) -> T:
    try:
        return await question(*of)
    except Exception as error:
        headers = exchange.last_response_headers or {}
        retry_after = next((str(headers[name]) for name in headers if name.lower() == "retry-after"), None)
        raise failure_of(error, retry_after) from error


async def _read_markets(make: Callable[[Any], Any], settings: object, symbols: Collection[str]) -> Any:
    """Give an exchange that has been closed and knows the markets of some symbols."""
    exchange = make(settings)
    # The list is megabytes of text, and a thread that reads it in one go lets no other have its turn until it is
    # through. One that has to ask Python for each object does.
    exchange.on_json_response = partial(json.loads, object_hook=_as_it_is)
    try:
        await _asked(exchange, _load_ours, exchange, symbols)
    finally:
        await exchange.close()
    return exchange


async def _load_ours(exchange: Any, symbols: Collection[str]) -> None:
    listed = (await exchange.load_markets()).values()
    # A perpetual often goes by the id of its coin: both stay, so that ccxt knows that it has to tell them apart.
    ids = {market["id"] for market in listed if market["symbol"] in symbols}
    exchange.set_markets([market for market in listed if market["id"] in ids])


def _as_it_is(read: dict[str, object]) -> dict[str, object]:
    return read


def _heard(handle: Callable[[Any, object], object], client: Any, message: object) -> None:
    try:
        handle(client, message)
    except Exception as error:  # noqa: BLE001  whatever broke, those who wait for the stream are told
        client.reject(error)


def _kind(symbol: str) -> str:
    pair, _colon, settle = symbol.partition(":")
    if not settle:
        return "spot"
    return "linear" if settle == pair.partition("/")[2] else "inverse"


def _load_only(exchange: Any, kinds: Collection[str]) -> None:
    """Leave out markets of kinds that nobody wants: an exchange's options alone are megabytes."""
    option = exchange.options.get("fetchMarkets")
    if isinstance(option, dict) and isinstance(option.get("types"), list):
        wanted = set().union(*(_WORDS[kind] for kind in kinds))
        option["types"] = [kind for kind in option["types"] if kind in wanted]


def tickers_in(answer: object) -> Sequence[Told]:
    """Give the tickers in an answer: one, or a mapping from symbols to them."""
    if not isinstance(answer, Mapping):
        return []
    if "symbol" in answer:
        return [answer]
    return [one for one in answer.values() if isinstance(one, Mapping)]
