"""The prices of an exchange that is a process of its own, as a feed of the desk's."""

import asyncio
import json
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from plimsoll.market.feed import FeedState, FeedStatus, TakeBar, TakeQuote
from plimsoll.model.clock import Clock
from plimsoll.model.ids import InstrumentId
from plimsoll.model.instrument import Instrument
from plimsoll.model.quote import Bar, Fact, Quote, SourceFacts
from tests.simulation.processes.http_transport import HttpTransport

_AGAIN_SECONDS = 0.2


class HttpFeed:
    """Shows what the exchange's stream of prices tells, and opens it again whenever it has ended."""

    def __init__(self, line: HttpTransport, instruments: Sequence[Instrument], clock: Clock) -> None:
        self._line = line
        self._instruments = {one.symbol: one for one in instruments}
        self._clock = clock
        self._status = FeedStatus(FeedState.CONNECTING, clock.now())

    @property
    def facts(self) -> SourceFacts:
        return SourceFacts("exchange", frozenset({Fact.PRICE, Fact.SPREAD}))

    @property
    def label(self) -> str:
        return "The exchange"

    @property
    def status(self) -> FeedStatus:
        return self._status

    async def describe(self) -> tuple[Instrument, ...]:
        """Give the instruments as they were given: the exchange lists what the desk's own table has."""
        return tuple(self._instruments.values())

    async def run(self, take: TakeQuote, take_bar: TakeBar) -> None:
        """Show every quote from now on."""

        def hear(message: bytes) -> None:
            told = json.loads(message)
            instrument = self._instruments.get(told["symbol"])
            if instrument is not None:
                bid, ask, last = (Decimal(told[field]) for field in ("bid", "ask", "last"))
                take(Quote(instrument.id, self._clock.now(), bid, ask, last))

        while True:
            ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            close = self._line.listen("/prices", {}, hear, ended.set_result)
            self._status = FeedStatus(FeedState.RUNNING, self._clock.now())
            try:
                why = await ended
            finally:
                close()
            self._status = FeedStatus(FeedState.DOWN, self._clock.now(), why)
            await asyncio.sleep(_AGAIN_SECONDS)

    async def bars(self, instrument_id: InstrumentId, interval: timedelta, limit: int) -> tuple[Bar, ...]:
        """Give nothing: the exchange tells no past."""
        return ()

    async def close(self) -> None:
        """The line is closed by whoever opened it."""
