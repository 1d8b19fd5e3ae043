"""What happened in one run of the world, as far as somebody may ask for it later: the oracle, a story, a table.

Everything noted here is told from outside the desk: what was asked and answered over REST, what reached the way to the
venue, when a process began and ended, what it wrote to its log. Each note is also an effect of the trace.

What must not enter: what the desk believes. The oracle reads that from its files.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.hours.digests import Trace
from tests.simulation.hours.story import Happening

_PLACES = "POST /order"
_OF_EVERY_LINE = frozenset({"event", "time", "level", "room", "request", "exception"})


@dataclass(frozen=True, slots=True)
class Told:
    """One answer, or none."""

    at: float
    #: Which process was asked; empty when there was none.
    process: str
    #: None when nobody answered: the process died, or the caller lost patience.
    status: int | None
    body: Any


@dataclass(slots=True)
class Wish:
    """Something that a caller wants, under its key, with every answer to it."""

    key: str
    #: Whose wish: a caller's name.
    by: str
    #: Number of the account.
    account: int
    body: dict[str, Any]
    at: float
    told: list[Told] = field(default_factory=list)

    @property
    def order(self) -> dict[str, Any] | None:
        """The order that the last good answer named."""
        for one in reversed(self.told):
            if one.status in (200, 201, 202):
                return dict(one.body["order"])
        return None


@dataclass(frozen=True, slots=True)
class Sent:
    """An order or cancel that left a process for a venue."""

    at: float
    process: str
    venue: str
    what: str
    client_order_id: str | None


@dataclass(slots=True)
class Span:
    """One process, from its start to its end."""

    process: str
    began: float
    #: When it took orders; None if it never came to that.
    ready: float | None = None
    ended: float | None = None
    #: How it ended, in words.
    why: str = ""
    was_killed: bool = False


@dataclass(frozen=True, slots=True)
class Resolved:
    """An order whose fate was not known for a while."""

    client_order_id: str
    began: float
    ended: float

    @property
    def seconds(self) -> float:
        return self.ended - self.began


class Record:
    """Everything that was noted, in order."""

    def __init__(self, at: Callable[[], float], surprised: Callable[[str, str], None], *, keep: bool = False) -> None:
        self._at, self._surprised = at, surprised
        self.trace = Trace(keep=keep)
        self.happenings: list[Happening] = []
        self.wishes: dict[str, Wish] = {}
        self.sent: list[Sent] = []
        #: How often each client order id left, by process.
        self.sendings: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.lives: list[Span] = []
        #: What the desk put right by itself, by kind, over all its processes.
        self.repairs: Counter[str] = Counter()
        #: What was told to people: (time, account, severity, message).
        self.messages: list[tuple[float, int, str, str]] = []
        #: What must stand in no answer and no line of a log, by what it is.
        self.secrets: dict[str, str] = {}
        #: Where one did.
        self.leaks: list[str] = []
        #: Answers by their status.
        self.statuses: Counter[int] = Counter()
        #: Lines of the log by their event, from WARNING on.
        self.warnings: Counter[str] = Counter()
        #: What must never happen, and happened.
        self.surprises: list[str] = []
        #: Orders of unknown fate: since when, by client order id; and those that were resolved, after how long.
        self.doubts: dict[str, float] = {}
        self.resolved: list[Resolved] = []

    def note(self, who: str, what: str) -> None:
        """Put down what happened now."""
        at = self._at()
        self.trace.note(f"{at:.6f}", who, what)
        self.happenings.append(Happening(at, who, what))

    def left(self, process: str, venue: str, what: str, client_order_id: str | None) -> None:
        """Put down an order or cancel that leaves for a venue."""
        self.sent.append(Sent(self._at(), process, venue, what, client_order_id))
        if client_order_id is not None and what == _PLACES:
            self.sendings[client_order_id][process] += 1
        self.note(process, f"{what} {client_order_id} leaves for {venue}")

    def stayed(self, process: str, method: str, path: str, client_order_id: str | None) -> None:
        """Put down that what was about to leave certainly did not."""
        what = f"{method} {path}"
        if client_order_id is not None and what == _PLACES:
            self.sendings[client_order_id][process] -= 1
        self.note(process, f"{what} {client_order_id or ''} did not leave")

    def came_back(  # noqa: PLR0917  what a line in the story says
        self, process: str, venue: str, method: str, path: str, client_order_id: str | None, status: int
    ) -> None:
        """Put down what a venue answered; questions are in the trace alone."""
        if method == "GET":
            self.trace.note(f"{self._at():.6f}", process, venue, path, client_order_id, status)
        else:
            self.note(venue, f"{method} {path} {client_order_id or ''} is answered {status}")

    def wish(self, key: str, by: str, account: int, body: dict[str, Any]) -> Wish:
        """Put down what somebody is about to ask for."""
        wish = self.wishes[key] = Wish(key, by, account, body, self._at())
        return wish

    def surprise(self, law: str, what: str) -> None:
        """Put down what must never happen, and the law that it breaks."""
        self.surprises.append(f"{law}: {what}")
        self.note("surprise", f"{law}: {what}")
        self._surprised(law, what)

    def answered(self, status: int, text: str) -> None:
        """Look through an answer for what must not be in it."""
        self.statuses[status] += 1
        self.look_for_secrets("an answer", text)

    def look_for_secrets(self, where: str, text: str) -> None:
        """Note every secret that stands in a text."""
        for name, secret in self.secrets.items():
            if secret in text:
                self.leaks.append(f"{name} in {where}: {text[:200]}")

    def doubtful(self, now: Collection[str]) -> None:
        """Put down which orders are of unknown fate just now, and what became of those that were."""
        at = self._at()
        for name in now:
            self.doubts.setdefault(name, at)
        for name in [known for known in self.doubts if known not in now]:
            self.resolved.append(Resolved(name, self.doubts.pop(name), at))

    # Where the log goes -----------------------------------------------------------------------------------------------

    def write(self, line: str) -> None:
        """Take a line of the desk's log."""
        self.look_for_secrets("the log", line)
        if line.strip():
            told = json.loads(line)
            self.warnings[told["event"]] += 1
            said = ", ".join(f"{name}={value}" for name, value in told.items() if name not in _OF_EVERY_LINE)
            self.note("log", f"{told['event']} {said}".strip())

    def flush(self) -> None:
        """Nothing waits to be written."""

    def isatty(self) -> bool:
        """No person reads it as it comes."""
        return False


@dataclass(slots=True)
class Telling:
    """The way to people, which is sometimes shut."""

    record: Record
    at: Callable[[], float]
    shut_until: float = 0.0

    def tell(self, account_id: int, severity: str, message: str) -> None:
        if self.at() < self.shut_until:
            raise ConnectionError("nobody can be told anything just now")
        self.record.messages.append((self.at(), account_id, severity, message))
        self.record.note("people", f"{account_id} {severity}: {message}")
