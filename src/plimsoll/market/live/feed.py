"""Live prices of one exchange, for one fixed set of instruments.

Rule 1. Each group of markets has a stream. One that breaks, or is silent for `Patience.silent`, is thrown away and
        opened anew, after a wait that doubles and is jittered. Meanwhile, and for a market that is merely quiet, a
        price older than `Patience.quiet` is asked for over HTTP: a stream of best prices says nothing while nothing
        changes.
        A busy one is listened to ten times a second: the newest of each market, and nothing of those in between.
Rule 2. What cannot be used is dropped and counted (`dropped`), and never passed on. Neither is a price older than the
        last one, nor one told twice.
Rule 3. When the exchange asks for patience, no question is asked of it until that is over.
Rule 4. What is lost is said: a group without a fresh price is DOWN, by name and with the reason, and its last prices
        grow old on the board. Nobody else is asked.

It promises prices and spreads. Sizes come with a quote where the exchange tells them, which is no promise; what was
traded in a day has no place in a quote yet.

What must not enter: ccxt's words (`wire`, `parse`), and a second exchange.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from plimsoll.market.feed import FeedState, FeedStatus, TakeBar, TakeQuote
from plimsoll.market.gather import check_interval
from plimsoll.market.live.parse import Told, Unusable, bars_of, instrument_of, quote_of
from plimsoll.market.live.wire import Connect, connect
from plimsoll.model.clock import Clock
from plimsoll.model.errors import GiveUp, Illegal, Wait, WorldFailure
from plimsoll.model.ids import InstrumentId
from plimsoll.model.instrument import Instrument
from plimsoll.model.quote import Bar, Fact, Quote, SourceFacts
from plimsoll.runtime.logging import logger

log = logger("live")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a feed waits for what, in seconds."""

    #: Between two looks at what a stream has told: Binance tells hundreds of prices a second.
    breath: float = 0.1
    #: Between two looks whether every price is fresh.
    look: float = 0.5
    #: A price older than this is asked for.
    quiet: float = 2.0
    #: Without a price this young a group is lost: as old as a price may be that something is opened at (control 15).
    lost: float = 5.0
    #: A stream that says nothing for so long has died (FAILURES B15).
    silent: float = 15.0
    #: Before the first new attempt; each further one waits twice as long, up to the longest.
    first_wait: float = 0.5
    longest_wait: float = 30.0


class _Group:
    """Markets that are asked for together, and how it goes with them."""

    def __init__(self, symbols: Sequence[str]) -> None:
        self.symbols = tuple(symbols)
        #: What went wrong last; empty since a price came.
        self.problem = ""
        #: Date of the youngest price.
        self.newest: datetime | None = None


class LiveFeed:
    """Prices of some markets of one exchange, named as ccxt names it.

    Raises: CcxtMissing, ExchangeUnknown, when it is made
    """

    def __init__(  # noqa: PLR0917  the parts of one feed, each of its own type
        self,
        exchange_id: str,
        symbols: Mapping[InstrumentId, str],
        venue: str,
        clock: Clock,
        chance: random.Random,
        connect: Connect = connect,
        patience: Patience | None = None,
    ) -> None:
        self._exchange_id = exchange_id
        self._symbols = dict(symbols)
        self._ids = {symbol: number for number, symbol in symbols.items()}
        self._venue = venue
        self._clock = clock
        self._chance = chance
        self._connect = connect
        self._patience = patience or Patience()
        self._wire = connect(exchange_id, self._ids)
        self._loading = asyncio.Lock()
        self._is_loaded = False
        self._groups: tuple[_Group, ...] = ()
        self._problem = "no question has been answered yet"
        #: By the stopwatch: before this no question is asked.
        self._ask_after = clock.monotonic()
        self._last: dict[InstrumentId, Quote] = {}
        self._dropped: Counter[str] = Counter()
        self._reconnects = 0
        self._made_at = self._running_since = clock.now()

    @property
    def facts(self) -> SourceFacts:
        return SourceFacts("live", frozenset({Fact.PRICE, Fact.SPREAD}))

    @property
    def label(self) -> str:
        return f"Live ({self._exchange_id})"

    @property
    def dropped(self) -> Counter[str]:
        """Count what was not passed on, by reason."""
        return self._dropped.copy()

    @property
    def status(self) -> FeedStatus:
        if not self._groups:
            return FeedStatus(FeedState.CONNECTING, self._made_at, self._problem, self._reconnects)
        now = self._clock.now()
        lost = [group for group in self._groups if self._is_lost(group, now)]
        if not lost:
            return FeedStatus(FeedState.RUNNING, self._running_since, "", self._reconnects)
        detail = "; ".join(
            f"no fresh price of {', '.join(group.symbols)}" + (f" ({group.problem})" if group.problem else "")
            for group in lost
        )
        newest = [group.newest for group in lost if group.newest is not None]
        if len(newest) < len(lost):  # one of them never had a price
            return FeedStatus(FeedState.CONNECTING, self._made_at, detail, self._reconnects)
        since = min(newest) + timedelta(seconds=self._patience.lost)
        return FeedStatus(FeedState.DOWN, since, detail, self._reconnects)

    # ---------------------------------------------------------------------------------------------------- questions

    async def describe(self) -> tuple[Instrument, ...]:
        """Ask the exchange for its markets anew; one that is not listed, or not told exactly, is left out and logged.

        Raises: WorldFailure; GiveUp when none is left
        """
        wire = self._connect(self._exchange_id, self._ids)
        try:
            await self._asked(wire.load)
            found = []
            for symbol, instrument_id in self._ids.items():
                market = wire.market(symbol)
                try:
                    if market is None:
                        raise Unusable("not_listed", f"{self._exchange_id} does not list it")
                    found.append(instrument_of(market, wire.precision_mode, instrument_id, self._venue))
                except Unusable as left_out:
                    log.warning("instrument_left_out", symbol=symbol, reason=left_out.reason, detail=str(left_out))
        finally:
            await wire.close()
        if not found:
            raise GiveUp(f"{self._exchange_id} trades none of {', '.join(self._ids)} in steps that can be read exactly")
        return tuple(found)

    async def bars(self, instrument_id: InstrumentId, interval: timedelta, limit: int) -> tuple[Bar, ...]:
        """Ask for the last closed bars: at most what the exchange gives for one question, 300 to 1,000 of them.

        Refuses: an interval that is not a whole number of minutes; an instrument that is not of this feed
        Raises:  Illegal, WorldFailure; GiveUp where the exchange keeps no bars of this interval
        """
        check_interval(interval)
        symbol = self._symbols.get(instrument_id)
        if symbol is None:
            raise Illegal("instrument_id", instrument_id, "ask for an instrument of this feed")
        timeframe = _timeframe(interval)
        if timeframe not in self._wire.timeframes:
            raise GiveUp(f"{self._exchange_id} keeps no bars of {interval}")
        await self._load()
        if self._wire.market(symbol) is None:
            raise GiveUp(f"{self._exchange_id} does not list {symbol}")
        rows = await self._asked(partial(self._wire.bars, symbol, timeframe, limit + 1))  # the newest is not over yet
        bars, senseless = bars_of(rows, instrument_id, interval, self._clock.now())
        self._dropped.update({"bad_bar": senseless} if senseless else {})
        return bars[-limit:] if limit > 0 else ()

    async def close(self) -> None:
        """Let go of the exchange; again is harmless."""
        await self._wire.close()

    async def _load(self) -> None:
        async with self._loading:
            if self._is_loaded:
                return
            await self._asked(self._wire.load)
            self._is_loaded = True

    async def _asked(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask a question, unless the exchange wants to be left alone (rule 3)."""
        left = self._ask_after - self._clock.monotonic()
        if left > 0:
            raise Wait(f"{self._exchange_id} asked for patience", timedelta(seconds=left))
        try:
            return await ask()
        except Wait as wait:
            self._ask_after = self._clock.monotonic() + wait.retry_after.total_seconds()
            raise

    # ------------------------------------------------------------------------------------------------------- prices

    async def run(self, take: TakeQuote, take_bar: TakeBar) -> None:  # noqa: ARG002  a source of ticks tells no bars
        """Keep prices coming until cancelled; then every connection is closed."""
        try:
            await self._load_at_last()
            listed = [symbol for symbol in self._ids if self._wire.market(symbol) is not None]
            self._groups = tuple(_Group(symbols) for symbols in self._wire.groups(listed))
            if not listed:
                self._problem = f"{self._exchange_id} lists none of {', '.join(self._ids)}"
                await asyncio.get_running_loop().create_future()  # silence, until somebody cancels
            async with asyncio.TaskGroup() as tasks:
                for group in self._groups:
                    tasks.create_task(self._keep_fresh(group, take))
                    for stream in self._wire.streams(group.symbols):
                        tasks.create_task(self._follow(group, stream, take))
        finally:
            log.info("prices_end", source=self.label, reconnects=self._reconnects, dropped=self.dropped)
            await self.close()

    async def _load_at_last(self) -> None:
        failures = 0
        while True:
            try:
                await self._load()
            except WorldFailure as failure:
                self._problem = str(failure)
                await self._wait(failures, failure)
                failures += 1
            else:
                return

    async def _follow(self, group: _Group, stream: Sequence[str], take: TakeQuote) -> None:
        """Pass on what a stream tells, and open it anew whenever it ends."""
        failures = 0
        while True:
            wire = self._wire.fresh()
            told: Sequence[Told] = ()
            failure: WorldFailure | None = None
            try:
                while True:
                    async with asyncio.timeout(self._patience.silent):
                        await wire.watch(stream)
                    failures = 0
                    told = self._take_news(group, wire.known(stream), told, take)
                    # What comes during the breath is not waited for again: the next message may be long in coming.
                    await asyncio.sleep(self._patience.breath)
                    told = self._take_news(group, wire.known(stream), told, take)
            except TimeoutError:
                group.problem = f"the stream was silent for {self._patience.silent:g} s"
            except WorldFailure as broken:
                failure = broken
                group.problem = f"the stream broke: {broken}"
            finally:
                await wire.close()
            self._reconnects += 1
            await self._wait(failures, failure)
            failures += 1

    async def _keep_fresh(self, group: _Group, take: TakeQuote) -> None:
        """Ask for prices that have grown old, whatever the reason."""
        failures = 0
        while True:
            if self._has_old_price(group):
                asked_at = self._clock.now()
                try:
                    told = await self._asked(partial(self._wire.tops, group.symbols))
                except WorldFailure as failure:
                    group.problem = str(failure)
                    await self._wait(failures, failure)
                    failures += 1
                    continue
                failures = 0
                self._take_all(group, told, asked_at, take)
            await asyncio.sleep(self._patience.look)

    def _take_news(self, group: _Group, known: Sequence[Told], told: Sequence[Told], take: TakeQuote) -> Sequence[Told]:
        """Take what is new in what a stream has told, and give all that it has told by now.

        What it told before is no news: dated anew, it would turn back what was asked for over HTTP in the meantime.
        """
        news = [one for one in known if not any(one is before for before in told)]
        self._take_all(group, news, self._clock.now(), take)
        return known

    def _take_all(self, group: _Group, told: Sequence[Told], seen_at: datetime, take: TakeQuote) -> None:
        for symbol, one in [(str(one["symbol"]), one) for one in told if one.get("symbol") in group.symbols]:
            now = self._clock.now()
            try:
                quote = quote_of(one, self._ids[symbol], seen_at, now)
            except Unusable as unusable:
                if not self._dropped[unusable.reason]:  # once: a source that is wrong is wrong many times a second
                    log.warning("price_dropped", symbol=symbol, reason=unusable.reason, detail=str(unusable))
                self._dropped[unusable.reason] += 1
                group.problem = f"{symbol}: {unusable}"
                continue
            self._pass_on(group, quote, now, take)

    def _pass_on(self, group: _Group, quote: Quote, now: datetime, take: TakeQuote) -> None:
        last = self._last.get(quote.instrument_id)
        if last is not None and quote.at < last.at:
            self._dropped["late"] += 1
            return
        if quote == last:
            return
        was_lost = self._is_lost(group, now)
        self._last[quote.instrument_id] = quote
        group.newest = quote.at if group.newest is None else max(group.newest, quote.at)
        if not self._is_lost(group, now):
            group.problem = ""
            if was_lost:
                self._running_since = now
        take(quote)

    def _is_lost(self, group: _Group, now: datetime) -> bool:
        return group.newest is None or (now - group.newest).total_seconds() > self._patience.lost

    def _has_old_price(self, group: _Group) -> bool:
        now = self._clock.now()
        for symbol in group.symbols:
            last = self._last.get(self._ids[symbol])
            if last is None or (now - last.at).total_seconds() > self._patience.quiet:
                return True
        return False

    async def _wait(self, failures: int, failure: WorldFailure | None) -> None:
        """Wait before another attempt: twice as long each time, and never all feeds of a desk at once."""
        longest = self._patience.longest_wait
        seconds = min(self._patience.first_wait * 2.0 ** min(failures, 30), longest)
        if isinstance(failure, GiveUp):
            seconds = longest
        asked_for = failure.retry_after.total_seconds() if isinstance(failure, Wait) else 0.0
        await asyncio.sleep(max(seconds * (0.5 + self._chance.random() / 2), asked_for))


def _timeframe(interval: timedelta) -> str:
    """Write a whole number of minutes as ccxt does."""
    minutes = interval // timedelta(minutes=1)
    for unit, name in ((1_440, "d"), (60, "h")):
        if minutes % unit == 0:
            return f"{minutes // unit}{name}"
    return f"{minutes}m"
