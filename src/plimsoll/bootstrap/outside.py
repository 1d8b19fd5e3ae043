"""What a served desk touches beside its folder: time, chance, threads, the disk's own calls, exchanges, venues, people.

Everything here is handed in, so that a simulation, or a process that trades at a test venue, puts its own in place and
runs the very desk that people run. `plimsoll up` takes `Outside()` as it is.
"""

import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from plimsoll.bootstrap.sources import PricePlan
from plimsoll.desk.ports import LogNotifier, Notifier, Ports
from plimsoll.market.feed import PriceFeed
from plimsoll.market.live.wire import Connect as Wire
from plimsoll.market.live.wire import connect as wire
from plimsoll.model.account import Mode
from plimsoll.model.ids import InstrumentId
from plimsoll.model.instrument import Instrument
from plimsoll.model.quote import SourceFacts
from plimsoll.people.tokens import SecretSource, SystemSecrets
from plimsoll.store.drivers import Driver
from plimsoll.store.scribe import Scribe
from plimsoll.venues.protocol import ShownVenue

#: Gives a scribe its driver; what nobody waits for and fails goes to the second.
Drive = Callable[[Scribe, Callable[[BaseException], None]], Driver]
#: How a SQLite file is opened for writing.
OpenFile = Callable[[str], sqlite3.Connection]
#: Makes an account's feed.
MakeFeed = Callable[[PricePlan], PriceFeed]


@dataclass(frozen=True, slots=True)
class Hands:
    """An account's venue, and what the desk must be told of it."""

    venue: ShownVenue
    #: What it takes of a fill that took what was there.
    fee_ratio: Decimal
    #: Whether what is traded there is money.
    mode: Mode = Mode.PAPER
    #: Brings in what a new account begins with; None where people bring it in themselves.
    fund: Callable[[Ports], Awaitable[None]] | None = None


class Venues(Protocol):
    """Where the accounts of a desk trade."""

    def of(self, plan: PricePlan, instruments: Mapping[InstrumentId, Instrument], facts: SourceFacts) -> Hands:
        """Give an account its venue."""

    async def close(self) -> None:
        """Let go of all of them; nobody asks any more."""


@dataclass(frozen=True, slots=True)
class Outside:
    """The world around a served desk."""

    wire: Wire = wire
    secrets: SecretSource = field(default_factory=SystemSecrets)
    notifier: Notifier = field(default_factory=LogNotifier)
    #: None: a thread of its own for each scribe.
    drive: Drive | None = None
    open_file: OpenFile | None = None
    #: None: what the account's plan names.
    feed: MakeFeed | None = None
    #: None: the paper venue.
    venues: Venues | None = None
    #: How long the lease on books on a server lasts without a sign of life; None: as everywhere.
    lease_seconds: float | None = None
