"""What the use cases of one account work with: hands, memory, eyes, the hour. Put together by the composition root."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import Enum, auto
from typing import Any, Protocol

from plimsoll.desk.pulse import Beat
from plimsoll.desk.repairs import Repair
from plimsoll.market.board import PriceBoard
from plimsoll.model import money
from plimsoll.model.account import TradingState
from plimsoll.model.cash import CashKind
from plimsoll.model.clock import Clock
from plimsoll.model.ids import AccountId, ClientOrderId, Ids, InstrumentId, IntentKey, UserId
from plimsoll.model.position import PositionKey
from plimsoll.reconcile.suspicion import Suspicions, WaitingMovement
from plimsoll.risk.guards.reading import Sighting
from plimsoll.risk.guards.sights import Track
from plimsoll.runtime.logging import logger
from plimsoll.store.drivers import Driver
from plimsoll.venues.protocol import Venue

log = logger("ports")

#: Says why nothing may leave for the venue now; None while it may.
MaySend = Callable[[], str | None]


def always_ours() -> str | None:
    """Let everything leave: books in the desk's own folder are owned by its lock for as long as the process lives."""
    return None


class Doors(Enum):
    """Which intents are still taken."""

    #: All of them; the gate judges.
    OPEN = auto()
    #: The desk stops: what is meant to close is still sent, nothing else.
    CLOSING = auto()
    #: Nothing is taken any more.
    SHUT = auto()


@dataclass(slots=True)
class LogTold:
    """What the log of comparisons was told last; by this process, so that each begins with a line of its own."""

    at: datetime | None = None
    outcome: str = ""
    #: Of the breaks that it named.
    names: frozenset[str] = frozenset()
    #: Comparisons since then that had nothing else to say.
    silent: int = 0


class Notifier(Protocol):
    """Tells people. Best effort: nothing waits for it, and `Ports.tell` bears one that breaks its word."""

    def tell(self, account_id: AccountId, severity: str, message: str) -> None:
        """Pass a message on; never raises."""


class LogNotifier:
    """Tells people through the log."""

    def __init__(self) -> None:
        self._log = logger("notify")

    def tell(self, account_id: AccountId, severity: str, message: str) -> None:
        # The log is the only channel that is always there: what people must know is said as loudly as it is.
        say = {"info": self._log.info, "warning": self._log.warning}.get(severity, self._log.critical)
        say("told", account=account_id, severity=severity, message=message)


@dataclass(slots=True)
class Ports:
    """The owner process's grip on one account."""

    #: Four characters that begin every client order id of this desk.
    desk_code: str
    account_id: AccountId
    clock: Clock
    ids: Ids
    books: Driver
    venue: Venue
    board: PriceBoard
    notifier: Notifier
    #: The venue's taker fee.
    fee_ratio: Decimal
    #: Compared with the venue since this process started, and found equal. Nothing opens before.
    reconciled: bool = False
    #: Counts the reasons to doubt that: a comparison believes itself only if none came up while it asked.
    doubts: int = 0
    #: Why the account cannot be valued, as the guard last found; empty while it can. Nothing opens on a blind account.
    blind: str = ""
    #: What `value_account` read of the books last.
    book_view: Any = None
    #: Orders about to leave that nobody had approved like this. Nothing opens any more in this process (control 50).
    parity_difference: int = 0
    #: The highest confirmed value of a unit read so far; the books learn of it with the next group.
    peak_seen: Decimal = money.ZERO
    #: Values above it that a second look must confirm.
    higher_seen: Sighting | None = None
    #: What looks found on the board in the last seconds: a guard acts on two quotes, not on two looks at one.
    quotes_seen: dict[InstrumentId, Track] = field(default_factory=dict)
    #: The breaks that the last comparison named, and what the note of that comparison said; nothing is said twice.
    breaks_told: frozenset[str] = frozenset()
    sync_told: dict[str, str] = field(default_factory=dict)
    log_told: LogTold = field(default_factory=LogTold)
    #: What people were told of, by name; a difference is told when it has stood for long enough.
    alarmed: frozenset[str] = frozenset()
    #: Differences that every comparison has found since the first, by their name.
    suspicions: Suspicions = field(default_factory=dict)
    #: Deposits and withdrawals that the venue told and that cannot be valued yet, as they came. A restart is told anew.
    waiting: dict[tuple[CashKind, str], WaitingMovement] = field(default_factory=dict)
    #: When, by the stopwatch, this process gave an order up, or first found it of unknown fate: the hour may step.
    unknown_since: dict[ClientOrderId, float] = field(default_factory=dict)
    #: What had to be found out because nobody told it, by kind, since the process began (`repairs`).
    repairs: Counter[str] = field(default_factory=Counter)
    #: What a question found first, and when by the stopwatch; its own news may still come.
    unheard: dict[Hashable, tuple[Repair, float]] = field(default_factory=dict)
    #: When this process was last known to be awake; None where nobody beats (`pulse`).
    beat: Beat | None = None
    #: Intents somebody here is placing now, by their user: a key is its user's own. A PENDING order of no such intent
    #: was left behind, and nobody waits for it.
    placing: Counter[tuple[UserId, IntentKey]] = field(default_factory=Counter)
    #: Asked last before anything leaves for the venue: a process that slept may not own the books any more.
    may_send: MaySend = always_ours
    #: What `place_order` still takes; a desk that stops lets nothing begin that it could not end.
    doors: Doors = Doors.OPEN
    #: A person's halt that the database did not take; the gate obeys it beside those that are written.
    memory_state: TradingState = TradingState.ACTIVE
    #: The next attempt of each (position, episode) that is being closed; a restart begins anew and finds the old ones.
    close_attempts: dict[tuple[PositionKey, str], int] = field(default_factory=dict)
    #: News that came in while nobody waited; held so that no task is lost, and awaited by `settled`.
    tasks: set["asyncio.Task[Any]"] = field(default_factory=set)
    #: What ended such work; raised by the next `settled`.
    failures: list[BaseException] = field(default_factory=list)

    def doubt(self, why: str) -> None:
        """Stop opening until the book was compared with the venue anew."""
        self.reconciled = False
        self.doubts += 1
        log.info("in_doubt", account=self.account_id, why=why)

    def tell(self, severity: str, message: str) -> None:
        """Tell people, and go on whatever becomes of it: a dead notifier must not keep a position open."""
        try:
            self.notifier.tell(self.account_id, severity, message)
        except Exception as failure:  # noqa: BLE001  whatever a channel breaks with, closing does not wait for it
            log.error("not_told", severity=severity, message=message, failure=str(failure))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run work beside the caller; a failure stops opening at once and surfaces at the next `settled`."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self.tasks.discard(task)
        failure = None if task.cancelled() else task.exception()
        if failure is not None:
            self.failures.append(failure)
            self.doubt(f"news could not be taken in: {failure}")

    async def settled(self) -> None:
        """Wait until all work beside is done.

        Raises: the first failure among it
        """
        while self.tasks:
            await asyncio.wait(self.tasks)
        if self.failures:
            failures, self.failures = self.failures, []
            raise failures[0]
