"""Where prices come from while a desk is served: one protocol for live, synthetic and replayed prices.

Rule 1. A feed tells what it declares (`facts`) and how it stands (`status`); it never makes a price up, and when it has
        nothing to say it says nothing. Ages are read from the quotes themselves.
Rule 2. A feed mends itself: `run` reconnects for as long as it is awaited, and ends only by being cancelled.
Rule 3. `bars` are closed bars of the past, for a chart and to warm a bot; an empty answer means that there are none.

What must not enter: orders, the board, a second source to fall back on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from plimsoll.model.ids import InstrumentId
from plimsoll.model.instrument import Instrument
from plimsoll.model.quote import Bar, Quote, SourceFacts


class FeedState(StrEnum):
    """How a feed stands to its source."""

    #: Not connected yet, or connecting again.
    CONNECTING = "CONNECTING"
    #: Connected, and prices come.
    RUNNING = "RUNNING"
    #: Connected once; the source does not answer now.
    DOWN = "DOWN"
    #: There are no more prices to come: a recording has been played to its end.
    ENDED = "ENDED"


@dataclass(frozen=True, slots=True)
class FeedStatus:
    """What people are shown of a feed, beside the age of each quote."""

    state: FeedState
    since: datetime
    #: Why it is not running, in a sentence; empty while it is.
    detail: str = ""
    #: How often it had to connect again.
    reconnects: int = 0


#: Takes what comes at once, and does not wait: a slow desk must not hold a stream up.
TakeQuote = Callable[[Quote], None]
TakeBar = Callable[[Bar], None]


class PriceFeed(Protocol):
    """One source of prices for a fixed set of instruments."""

    @property
    def facts(self) -> SourceFacts:
        """What the source promises."""

    @property
    def label(self) -> str:
        """Name it for people, such as `Live (binance)` or `Demo (synthetic)`."""

    @property
    def status(self) -> FeedStatus:
        """How it stands now."""

    async def describe(self) -> tuple[Instrument, ...]:
        """Give every instrument as the source describes it now, with the ids that the feed was made with.

        Raises: WorldFailure
        """

    async def run(self, take: TakeQuote, take_bar: TakeBar) -> None:
        """Show every quote from now on, and every closed bar that the source itself tells, until cancelled.

        A source of ticks tells no bars; a recording of bars shows each one's open, then the bar, then its close.
        """

    async def bars(self, instrument_id: InstrumentId, interval: timedelta, limit: int) -> tuple[Bar, ...]:
        """Give the last closed bars, oldest first, at most `limit`; the interval is whole minutes.

        Raises: WorldFailure
        """

    async def close(self) -> None:
        """Let go of the source; again is harmless."""
