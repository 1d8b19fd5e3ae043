"""What an edge works with: a desk that runs, account by account. Put together by the composition root.

An edge reads (hot state under its lock, or what the reader tells whom it names) and commands (use cases of `desk/`, in
this process, which owns the accounts). It writes nothing itself.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from plimsoll.bots.host import BotHost
from plimsoll.desk.attend import Attendant
from plimsoll.desk.ports import Ports
from plimsoll.desk.protect import Protector
from plimsoll.ledger.follow import EventFeed
from plimsoll.ledger.reading.reader import Reader
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
    #: For history, asked by somebody: connections of its own, of one moment each.
    reader: Reader
    people: People
    events: EventFeed
    accounts: Mapping[AccountId, ServedAccount]
    #: What is wrong with the desk as a whole, in sentences, by whoever watches over a part of it.
    worries: list[Callable[[], Sequence[str]]] = field(default_factory=list)
