"""A desk as it is served: the account attended, its bots hosted, in virtual time; quotes come in as from a feed.

    async def story(desk: Served) -> None:
        await desk.market("50000", seconds=30)
        assert (await desk.buy("0.01")).approved

`serve` runs a story and looks at the end whether memory equals the database and the book verifies.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Protocol

from plimsoll.bots.catalogue import make_strategy
from plimsoll.bots.host import BotHost, Make, NewBot
from plimsoll.bots.strategy import Strategy
from plimsoll.desk.attend import Attendant
from plimsoll.ledger.bots import BotRecord
from plimsoll.market.candle_keeper import CandleKeeper
from plimsoll.model.account import User
from plimsoll.model.errors import TryAgain
from plimsoll.model.ids import AccountId, UserId
from plimsoll.model.instrument import Instrument
from plimsoll.model.quote import Moment, Quote, SourceFacts
from plimsoll.model.venue import TradePage
from plimsoll.people.actor import Actor, Right, Via
from plimsoll.runtime.virtual_loop import VirtualClock, run_virtual
from plimsoll.venues.paper.rules import PaperRules
from tests.builders.desk import ALL, FRICTIONLESS, LIVE, MAIN, USER, Desk, FaultyVenue
from tests.builders.paper import START

D = Decimal
ADA = Actor(User(USER, "u-1", "Ada", "trader", approved=True), Via.SESSION, frozenset(Right), "s-1")
EVE = Actor(User(UserId(2), "u-2", "Eve", "trader", approved=True), Via.SESSION, frozenset(Right), "s-2")


class Line(FaultyVenue):
    """The paper venue behind a line that counts questions, and can hang."""

    asked = 0
    #: An answer that our adapter breaks on.
    breaks = False
    #: The value of the account is not answered until it is set.
    silence: asyncio.Event | None = None

    async def trades_since(self, account_id: AccountId, cursor: int) -> TradePage:
        self.asked += 1
        if self.breaks:
            raise ValueError("an answer in words we do not know")
        return await super().trades_since(account_id, cursor)

    async def equity(self, account_id: AccountId) -> Decimal | None:
        if self.silence is not None:
            await self.silence.wait()
        return await super().equity(account_id)


class Served(Desk):
    """A desk with an attendant and bots."""

    def __init__(self, path: Path, clock: VirtualClock, rules: PaperRules, source: SourceFacts, delay: float) -> None:
        self.make: Make = make_strategy
        #: What the source says of its instruments; None while it does not answer.
        self.described: tuple[Instrument, ...] | Exception = ALL
        self.line: Line
        self.attendant: Attendant
        self.host: BotHost
        self.candles: CandleKeeper
        super().__init__(path, clock, rules, source, delay)

    def _put_together(self) -> None:
        super()._put_together()
        self.venue = self.ports.venue = self.line = Line(self.paper.venue)
        self.candles = CandleKeeper(instrument.id for instrument in ALL)
        self.attendant = Attendant(self.ports, self.paper.venue, self._describe, random.Random(self._starts))
        self.guard = self.attendant.protector
        self.host = BotHost(self.ports, self.guard, self.candles, self._make)
        self.attendant.on_bar_closed(self.candles, self.host.on_bar)

    async def _describe(self) -> tuple[Instrument, ...]:
        if isinstance(self.described, Exception):
            raise self.described
        return self.described

    def _make(self, name: str, params: Mapping[str, str]) -> Strategy:
        return self.make(name, params)

    async def go(self) -> None:
        """Do what every start of a served desk does."""
        await self.attendant.start()
        await self.host.begin()

    def die(self) -> None:
        tasks, self.attendant._tasks = self.attendant._tasks, {}
        for task in tasks.values():
            task.cancel()
        super().die()

    def show(self, price: str | Decimal, *, of: Instrument | None = None, moment: Moment = Moment.LIVE) -> None:
        """Let the feed tell a price of this moment."""
        value = D(price)
        self.attendant.take(Quote((of or self.trades_in).id, self.clock.now(), value, value, value, moment=moment))

    async def market(self, price: str | Decimal, seconds: float = 1, *, every: float = 1) -> None:
        """Let time pass with a price told every second, the last of them just now and worked off."""
        until = self.clock.now() + timedelta(seconds=seconds)
        while self.clock.now() < until:
            await self.wait(min(every, (until - self.clock.now()).total_seconds()))
            self.show(price)
        await self.wait(0.001)

    async def minutes_closing(self, *closes: str | Decimal) -> None:
        """Let a whole minute pass for each close; the first quote of the next one has been told at the end."""
        for close in closes:
            self.show(close)
            for _ in range(11):
                await self.wait(5)
                self.show(close)
            await self.wait(5)
        self.show(closes[-1])
        await self.wait(0.05)

    async def until(self, holds: Callable[[], bool], seconds: float = 60) -> None:
        """Let time pass without prices until something holds."""
        end = self.clock.now() + timedelta(seconds=seconds)
        while not holds():
            assert self.clock.now() < end, "it never came to be"
            await self.wait(0.1)

    async def bot(self, strategy: str = "signals", name: str = "one", **params: str) -> BotRecord:
        """Make a bot and start it."""
        record = await self.host.create(NewBot(name, strategy, MAIN, self.trades_in.id, params), ADA)
        return await self.host.start(record.id, ADA)


class ServedStory(Protocol):
    """What happens in one test."""

    def __call__(self, desk: Served, /) -> Coroutine[object, object, object]: ...


def serve(
    path: Path,
    story: ServedStory,
    *,
    cash: str = "100000",
    trades_in: Instrument = ALL[0],
    rules: PaperRules = FRICTIONLESS,
    source: SourceFacts = LIVE,
    begin: bool = True,
) -> None:
    """Run a story on a served desk that was opened, funded, started (unless not) and shown a price of 50,000."""

    async def main(clock: VirtualClock) -> None:
        desk = Served(path, clock, rules, source, 0)
        desk.trades_in = trades_in
        try:
            await desk.begin(cash, "1")
            if begin:
                await desk.go()
                desk.show("50000")
            await story(desk)
            await desk.attendant.stop()
            assert desk.failures == []
            desk.assert_sound()
        finally:
            desk.close()

    run_virtual(main, start=START)


def silent() -> TryAgain:
    """Give what a source says that does not answer."""
    return TryAgain("the source does not answer")
