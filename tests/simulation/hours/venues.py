"""How one process reaches its venues: our adapter over a hostile line, one for each account, and the prices beside it.

What leaves a process is put down here, before anything can happen to it. What must not enter: a venue's words, and what
goes wrong on the way.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from typing import NoReturn

from plimsoll.bootstrap.outside import Hands
from plimsoll.bootstrap.sources import PricePlan
from plimsoll.market.feed import PriceFeed
from plimsoll.model.clock import Clock
from plimsoll.model.ids import InstrumentId
from plimsoll.model.instrument import Instrument
from plimsoll.model.quote import SourceFacts
from plimsoll.runtime.virtual_loop import VirtualLoop
from tests.simulation.adapter.feed import SimFeed
from tests.simulation.adapter.venue import SimVenue
from tests.simulation.adapter.wire import Closed, HearBytes, NotSent, Reply
from tests.simulation.hours.record import Record
from tests.simulation.hours.sides import Side
from tests.simulation.hours.tape import Tape
from tests.simulation.network import Network, PriceLine

#: What every exchange of ours takes of a fill that took what was there.
TAKER_FEE = Decimal("0.001")


class Line:
    """The line of one process to one account, with everything put down that passes over it."""

    def __init__(self, network: Network, record: Record, worker: str, venue: str) -> None:
        self._network, self._record, self._worker, self._venue = network, record, worker, venue

    async def request(self, method: str, path: str, params: Mapping[str, str]) -> Reply:
        """Let it go, and put down what comes back.

        Raises: NotSent, Lost
        """
        asked = (method, path, params.get("clientOrderId"))
        try:
            reply = await self._network.request(method, path, params)
        except NotSent:
            self._record.stayed(self._worker, *asked)
            raise
        self._record.came_back(self._worker, self._venue, *asked, reply.status)
        return reply

    def stream(self, hear: HearBytes, closed: Closed, since: int | None) -> Callable[[], None]:
        """Open the account's stream."""
        return self._network.stream(hear, closed, since)


class Reach:
    """Everything that one process reaches: `Venues` for the composition root, and its feeds."""

    def __init__(
        self,
        sides: Sequence[Side],
        worker: str,
        *,
        loop: VirtualLoop,
        tape: Tape,
        record: Record,
        clock: Clock,
        crash: Callable[[], Awaitable[NoReturn]],
    ) -> None:
        self._sides = {side.market.number: side for side in sides}
        self._worker, self._loop, self._tape, self._record, self._clock = worker, loop, tape, record, clock
        self._crash = crash
        self._networks: list[Network] = []
        self._prices: list[PriceLine] = []

    def of(self, plan: PricePlan, instruments: Mapping[InstrumentId, Instrument], facts: SourceFacts) -> Hands:
        """Give an account its venue."""
        del facts  # the exchange has a market of its own
        side = self._sides[plan.account_id]

        def left(what: str, params: Mapping[str, str]) -> None:
            self._record.left(self._worker, side.market.venue, what, params.get("clientOrderId"))

        network = Network(
            side.exchange, side.key, self._tape, self._loop, address=side.address, crash=self._crash, left=left
        )
        self._networks.append(network)
        line = Line(network, self._record, self._worker, side.market.venue)
        venue = SimVenue(line, plan.account_id, instruments, side.exchange.personality, self._clock)
        return Hands(venue, TAKER_FEE, side.market.mode)

    def feed(self, plan: PricePlan) -> PriceFeed:
        """Give an account its prices."""
        side = self._sides[plan.account_id]
        prices = PriceLine(side.exchange, self._tape, self._loop)
        self._prices.append(prices)
        return SimFeed(prices, side.market.instruments, self._clock)

    async def close(self) -> None:
        """Let go of all of them."""
        self.hang_up()

    def hang_up(self) -> None:
        """Talk to nobody any more: the process is gone."""
        for network in self._networks:
            network.hang_up()
        for prices in self._prices:
            prices.hang_up()

    def clog(self, seconds: float) -> None:
        """Let no request of this process reach its venues for so long."""
        for network in self._networks:
            network.clog(seconds)
