"""What an edge works with: a desk that runs, account by account. Put together by the composition root.

An edge reads (hot state under its lock, or the reader's own connections) and commands (use cases of `desk/`, in this
process, which owns the accounts). It writes nothing itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from plimsoll.bots.host import BotHost
from plimsoll.desk.attend import Attendant
from plimsoll.desk.ports import Ports
from plimsoll.desk.protect import Protector
from plimsoll.ledger.follow import EventFeed
from plimsoll.market.candle_keeper import CandleKeeper
from plimsoll.market.feed import PriceFeed
from plimsoll.model.clock import Clock
from plimsoll.model.ids import AccountId
from plimsoll.people.people import People
from plimsoll.store.drivers import Driver


@dataclass(frozen=True, slots=True)
class ServedAccount:
    """One account with everything that looks after it."""

    ports: Ports
    feed: PriceFeed
    candles: CandleKeeper
    attendant: Attendant
    bots: BotHost

    @property
    def protector(self) -> Protector:
        return self.attendant.protector


@dataclass(frozen=True, slots=True)
class ServedDesk:
    """A desk that runs."""

    version: str
    clock: Clock
    started_at: datetime
    books: Driver
    #: For history: connections of its own, of one moment each.
    reader: Engine
    people: People
    events: EventFeed
    accounts: Mapping[AccountId, ServedAccount]
