"""A served desk as a process of its own, trading at an exchange that is another process, over real sockets.

    python -m tests.simulation.processes.desk_process DIR --exchange http://127.0.0.1:9100 --port 8100 [--database URL]

It is what `plimsoll up` puts together, with another outside: its account trades at the exchange, at the exchange's
prices. It says ("served", (url, one-time token)) when it takes orders. One that contends for the books of another waits
where it is refused, asks again, and says so only when it owns them.
"""

import argparse
import asyncio
import json
import os
import signal
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from plimsoll.bootstrap import DataDirectory, DeskIsRunning, take_the_desk
from plimsoll.bootstrap.outside import Hands, Outside
from plimsoll.bootstrap.ownership import desk_directory
from plimsoll.bootstrap.served import OWNER, Served, open_served
from plimsoll.bootstrap.sources import SYNTHETIC, PricePlan, Wanted
from plimsoll.cli.up import _Server, _signals, _wait_for_the_end, new_loop, server_config
from plimsoll.cli.words import say
from plimsoll.edges.api.app import make_app
from plimsoll.edges.api.rates import Rate, Rates
from plimsoll.edges.listen import HOST, Listener, bind
from plimsoll.ledger import keys
from plimsoll.ledger.stamp import stamp
from plimsoll.market.feed import PriceFeed
from plimsoll.model.clock import Clock, SystemClock
from plimsoll.model.ids import AccountId, InstrumentId, system_chance
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import Order, OrderState
from plimsoll.model.quote import SourceFacts
from plimsoll.runtime.process import begin_process
from plimsoll.store.connection import OwnershipLost, StoreFailed
from plimsoll.store.drivers import ThreadDriver
from plimsoll.store.place import reader
from plimsoll.store.scribe import Scribe, Unit
from tests.simulation.adapter.venue import SimVenue
from tests.simulation.exchange.personality import Personality
from tests.simulation.processes.child import Tell, aloud
from tests.simulation.processes.exchange_server import KEY
from tests.simulation.processes.http_feed import HttpFeed
from tests.simulation.processes.http_transport import HttpTransport

#: Nobody who loads a desk here is to be slowed down.
_RATES = Rates(Rate(100_000, 100_000), Rate(100_000, 100_000), Rate(100_000, 100_000))
_TAKER = Decimal("0.001")
#: How often somebody who contends asks whether the books are free.
_AGAIN_SECONDS = 0.3
_LATE_SHARE, _LATE_SECONDS = 0.5, 0.1


@dataclass(frozen=True, slots=True)
class DeskWords:
    """What a desk process is told."""

    directory: Path
    exchange: str
    port: int = 0
    database: str = ""
    #: Of a lease on a server's books; None: as everywhere.
    lease_seconds: float | None = None
    #: Wait for the books where another has them, and again when they were lost.
    contends: bool = False
    #: Hear of many a commit a little later than it was made: the moment in which an order is written and has not left
    #: yet is a thousandth of its life, and who is stopped is seldom stopped in it.
    hears_late: bool = False
    #: Stops itself, as SIGSTOP does, when an order whose key ends like this is written and has not left. Empty: never.
    freezes_on: str = ""


class LateDriver(ThreadDriver):
    """Writes as every desk does, and lets those who wait hear of it late."""

    def __init__(self, words: DeskWords, scribe: Scribe, on_failure: Callable[[BaseException], None]) -> None:
        super().__init__(scribe, asyncio.get_running_loop(), on_failure=on_failure)
        self._words = words

    async def write(self, unit: Unit) -> Any:
        """Write, and perhaps dawdle behind the commit."""
        value = await super().write(unit)
        chance = system_chance()
        if self._words.hears_late and chance.random() < _LATE_SHARE:
            await asyncio.sleep(chance.uniform(0, _LATE_SECONDS))
        if self._words.freezes_on and self._is_about_to_send(self._words.freezes_on):
            self._words = replace(self._words, freezes_on="")
            os.kill(os.getpid(), signal.SIGSTOP)
        return value

    def _is_about_to_send(self, end_of_key: str) -> bool:
        waiting: list[Order] = self.hot.shelf(keys.ORDER, AccountId(1))
        return any(one.state is OrderState.PENDING and one.intent.key.endswith(end_of_key) for one in waiting)


class ExchangeVenues:
    """Lets every account trade at one exchange."""

    def __init__(self, url: str, personality: Personality, clock: Clock) -> None:
        self._url = url
        self._personality = personality
        self._clock = clock
        self._lines: list[HttpTransport] = []
        self._venues: list[SimVenue] = []

    def of(self, plan: PricePlan, instruments: Mapping[InstrumentId, Instrument], facts: SourceFacts) -> Hands:
        """Give an account its venue; its money is there, and the book hears of it as of every movement."""
        venue = SimVenue(self._line(), plan.account_id, instruments, self._personality, self._clock)
        self._venues.append(venue)
        return Hands(venue, _TAKER)

    def feed(self, plan: PricePlan) -> PriceFeed:
        """Give an account its prices."""
        return HttpFeed(self._line(), plan.from_table(), self._clock)

    def _line(self) -> HttpTransport:
        self._lines.append(HttpTransport(self._url, KEY))
        return self._lines[-1]

    async def close(self) -> None:
        """Let go of every stream and line."""
        for venue in self._venues:
            venue.close()
        for line in self._lines:
            await line.close()


def be_desk(tell: Tell, words: DeskWords) -> None:
    """Be a desk until a signal ends it, or another process owns its books."""
    directory = desk_directory(words.directory, words.database, "plimsoll")
    lock = take_the_desk(directory)
    try:
        asyncio.Runner(loop_factory=new_loop).run(_live(directory, words, tell))
        stamp(reader(directory.book), directory.stamp, SystemClock().now())
    finally:
        lock.release()


async def _live(directory: DataDirectory, words: DeskWords, tell: Tell) -> None:
    ending = asyncio.Event()
    with _signals(ending):
        while not ending.is_set():
            served = await _open(directory, words, ending)
            if served is None:
                return
            try:
                with bind(words.port) as listener:
                    listener.listen()
                    await _attend(served, listener, ending, tell)
            except OwnershipLost as lost:
                tell("lost", str(lost))
                if not words.contends:
                    raise
            finally:
                await served.close()


async def _open(directory: DataDirectory, words: DeskWords, ending: asyncio.Event) -> Served | None:
    """Own the books and put the desk together; None where a signal came first."""
    clock = SystemClock()
    while not ending.is_set():
        venues = ExchangeVenues(words.exchange, await asyncio.to_thread(_about, words.exchange), clock)
        drive = partial(LateDriver, words) if words.hears_late or words.freezes_on else None
        outside = Outside(feed=venues.feed, venues=venues, drive=drive, lease_seconds=words.lease_seconds)
        try:
            return await open_served(
                directory,
                Wanted(SYNTHETIC),
                clock=clock,
                chance=system_chance(),
                version="0",
                say=say,
                outside=outside,
            )
        except (DeskIsRunning, StoreFailed) as refused:
            await venues.close()
            if not words.contends:
                raise
            say(str(refused))
            await asyncio.sleep(_AGAIN_SECONDS)
    return None


async def _attend(served: Served, listener: Listener, ending: asyncio.Event, tell: Tell) -> None:
    app = make_app(served.desk, rates=_RATES)
    server = _Server(server_config(app))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await served.start()
        people = served.desk.people
        token = await people.new_link(OWNER, "start") if people.needs_password(OWNER) else ""
        tell("served", (f"http://{HOST}:{listener.getsockname()[1]}", token))
        await _wait_for_the_end(serving, served, ending)
    finally:
        await served.stop_taking()
        await app.state.streams.close()
        server.should_exit = True
        await serving


def _about(url: str) -> Personality:
    with urllib.request.urlopen(f"{url}/about", timeout=10) as answer:
        return Personality(**json.load(answer))


def main() -> None:
    """Be a desk, by hand."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--exchange", required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--database", default="")
    parser.add_argument("--lease-seconds", type=float)
    parser.add_argument("--contends", action="store_true")
    words = parser.parse_args()
    begin_process()
    be_desk(aloud, DeskWords(**vars(words)))


if __name__ == "__main__":
    main()
