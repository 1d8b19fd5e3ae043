"""Prices: what was seen, when, and what the source promised to know.

Unknown is never zero, never the last one, never 1: a price that is too old is not a price.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from plimsoll.model.errors import Illegal
from plimsoll.model.ids import InstrumentId


class Moment(StrEnum):
    """Where in a recorded interval a quote stands; decides what may be filled at it."""

    #: A quote as it happened.
    LIVE = "LIVE"
    #: The first price of a bar, at its start.
    OPEN = "OPEN"
    #: The last price of a bar, at its end. A decision on it is filled at the next quote, never at this one.
    CLOSE = "CLOSE"


@dataclass(frozen=True, slots=True)
class Quote:
    """The best prices of one instrument at one moment."""

    instrument_id: InstrumentId
    #: The venue's time.
    at: datetime
    bid: Decimal
    ask: Decimal
    last: Decimal
    moment: Moment = Moment.LIVE
    #: None where the source does not know sizes.
    bid_size: Decimal | None = None
    ask_size: Decimal | None = None
    mark: Decimal | None = None

    def __post_init__(self) -> None:
        if self.bid <= 0 or self.ask < self.bid:
            raise Illegal("quote", f"bid {self.bid}, ask {self.ask}", "a crossed or non-positive price is an error")
        # Holdings are valued at these: a zero here would look like a total loss and wake the drawdown guard.
        if self.last <= 0 or (self.mark is not None and self.mark <= 0):
            raise Illegal("quote", f"last {self.last}, mark {self.mark}", "a non-positive price is an error")

    @property
    def mid(self) -> Decimal:
        return (self.bid + self.ask) / 2

    @property
    def valuation(self) -> Decimal:
        """Give the price that holdings are valued at: the venue's mark, else the last trade."""
        return self.last if self.mark is None else self.mark


@dataclass(frozen=True, slots=True)
class Bar:
    """What happened in an interval. `start` is inclusive, the close is known at `start + interval`."""

    instrument_id: InstrumentId
    start: datetime
    interval: timedelta
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal | None = None
    #: ask − bid at open and close; 0 where the source has trades only.
    open_spread: Decimal = Decimal(0)
    close_spread: Decimal = Decimal(0)

    @property
    def end(self) -> datetime:
        return self.start + self.interval

    def open_quote(self) -> Quote:
        """Give the open as a quote at the bar's start."""
        return Quote(
            self.instrument_id, self.start, self.open, self.open + self.open_spread, self.open, moment=Moment.OPEN
        )

    def close_quote(self) -> Quote:
        """Give the close as a quote at the bar's end."""
        return Quote(
            self.instrument_id, self.end, self.close, self.close + self.close_spread, self.close, moment=Moment.CLOSE
        )


class Fact(StrEnum):
    """Something a price source may promise to know. What it does not promise cannot be checked (GATE.md)."""

    PRICE = "PRICE"
    SPREAD = "SPREAD"
    DEPTH = "DEPTH"
    VOLUME_24H = "VOLUME_24H"
    SESSION = "SESSION"


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What a price source says about itself."""

    #: `live:okx`, `synthetic`, `replay`, …: as the account was made with, and shown wherever its prices are.
    name: str
    declares: frozenset[Fact]
    #: How often a price is due; None for a stream of ticks.
    interval: timedelta | None = None
