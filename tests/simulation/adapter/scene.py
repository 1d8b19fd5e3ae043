"""An exchange, a line, an adapter, and a market that a test moves by hand, on the virtual loop."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal

from plimsoll.market.instruments import instrument_for
from plimsoll.model.ids import InstrumentId
from plimsoll.model.instrument import Instrument
from plimsoll.model.venue import VenueEvent
from plimsoll.runtime.virtual_loop import VirtualClock, VirtualLoop, run_virtual
from tests.builders.approved import ACCOUNT
from tests.simulation.adapter.venue import SimVenue
from tests.simulation.adapter.wire import Closed, HearBytes, Reply
from tests.simulation.exchange.exchange import Exchange
from tests.simulation.exchange.listing import LISTINGS
from tests.simulation.exchange.personality import KIND, Personality
from tests.simulation.hours.tape import Struck, Tape, played
from tests.simulation.hours.weather import Fault
from tests.simulation.network import Address, Network

D = Decimal
START = datetime(2022, 1, 1, tzinfo=UTC)
KEY = "key-1"
SPOT = instrument_for("BTC/USDT", InstrumentId(1), "sim")
PERPETUAL = instrument_for("BTC/USDT:USDT", InstrumentId(2), "sim")
INSTRUMENTS: Mapping[InstrumentId, Instrument] = {one.id: one for one in (SPOT, PERPETUAL)}


class Scene:
    """One account with 10,000 USDT."""

    spot: Instrument = SPOT
    perpetual: Instrument = PERPETUAL
    network: Network
    venue: SimVenue

    def __init__(self, clock: VirtualClock, personality: Personality, tape: Tape) -> None:
        self.clock, self.personality, self.tape = clock, personality, tape
        self.loop: VirtualLoop = clock.loop
        listings = [LISTINGS[one.symbol] for one in INSTRUMENTS.values()]
        self.exchange = Exchange(personality, listings, self._world_now, random.Random(tape.seed))
        self.exchange.open(KEY, {"USDT": D(10_000)})
        self.address = Address()
        self.heard: list[VenueEvent] = []
        #: Everything that left, and when.
        self.asked: list[tuple[float, str]] = []
        self.start()
        self._pass_time()

    def _world_now(self) -> datetime:
        # The exchange's own clock: it does not step with ours.
        return VirtualClock(self.loop, START).now()

    def start(self) -> None:
        """Begin our side anew, without a goodbye."""
        self.network = Network(self.exchange, KEY, self.tape, self.loop, address=self.address)
        self.venue = SimVenue(_Noted(self), ACCOUNT, INSTRUMENTS, self.personality, self.clock)

    async def restart(self) -> None:
        self.end()
        self.start()

    def end(self) -> None:
        self.venue.close()
        self.network.hang_up()

    async def price(self, bid: str, ask: str) -> None:
        """Move both markets; the exchange's ask is a tick above the last, and its bid a tick below."""
        del bid
        for market in (SPOT, PERPETUAL):
            self.exchange.trade_at(market.symbol, D(ask) - market.tick_size)
        await asyncio.sleep(0.5)

    def _pass_time(self) -> None:
        self.exchange.pass_time()
        self.loop.call_later(1, self._pass_time)


@dataclass(frozen=True, slots=True)
class _Noted:
    """The line, with everything that leaves noted."""

    scene: Scene

    async def request(self, method: str, path: str, params: Mapping[str, str]) -> Reply:
        self.scene.asked.append((self.scene.loop.time(), f"{method} {path}"))
        return await self.scene.network.request(method, path, params)

    def stream(self, hear: HearBytes, closed: Closed, since: int | None) -> Callable[[], None]:
        self.scene.asked.append((self.scene.loop.time(), f"stream {since}"))
        return self.scene.network.stream(hear, closed, since)


def play(
    story: Callable[[Scene], Awaitable[None]],
    personality: Personality = KIND,
    struck: Iterable[Struck] = (),
    tape: Tape | None = None,
) -> Scene:
    """Run a story in which exactly these things go wrong, or what a tape draws; give the scene as it ended."""
    scenes: list[Scene] = []

    async def main(clock: VirtualClock) -> None:
        scene = Scene(clock, personality, tape or played(7, struck))
        scenes.append(scene)
        await scene.price("49999.5", "50000")
        try:
            await story(scene)
        finally:
            scene.end()

    run_virtual(main, start=START)
    return scenes[0]


def at(site: str, fault: Fault, amount: float = 0.0, passing: int = 1) -> Struck:
    """Let something go wrong at a site's passing."""
    return Struck(site, passing, fault, amount)


def personality_with(**traits: object) -> Personality:
    """Give the kind venue with some traits of its own."""
    return replace(KIND, **traits)  # type: ignore[arg-type]
