"""A desk that wakes with an older book than it had: it knows, says so, and opens nothing until it has caught up.

It knows by the mark that a restore leaves, or by the stamp, which saw later units than the book now has. What was lost
are units at the end; a book whose units are *other* ones than the stamp saw was rewritten or went two ways, and that no
resynchronising heals: there a person decides.

In one unit, before anything is compared:

1. Every account is halted by `restored` (`desk.resync` lifts that).
2. Event numbers go on far above any that may have been given out, and the old events are let go: whoever followed the
   lost ones is told to read everything again, instead of waiting for numbers that now mean something else.
3. What was in force in the book that was replaced, and is not in this one, is in force again, until a person lifts it.
4. One note in the desk's chain says what was lost. The chain goes on from there: the lost links cannot come back.

Then the stamp is begun anew, and the old one kept beside it. What if we crash in here? The mark and the old stamp go
last: the next start does it again, with a second note and a second gap.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from sqlalchemy import Engine

from plimsoll.bootstrap import DataDirectory
from plimsoll.bootstrap.backups.manifest import name_of, write_whole
from plimsoll.desk.resync import RESTORED, halt_restored
from plimsoll.ledger import accounts, keys
from plimsoll.ledger.log import Note, tell, write_note
from plimsoll.ledger.stamp import lost_tail, read_stamp, stamp
from plimsoll.model.account import Halt, Scope, TradingState
from plimsoll.model.clock import Clock, time_text
from plimsoll.model.errors import PlimsollError
from plimsoll.model.event import Event, EventKind
from plimsoll.model.ids import AccountId
from plimsoll.runtime.logging import logger
from plimsoll.store.draft import Draft
from plimsoll.store.drivers import Driver
from plimsoll.store.scribe import HEADS, Heads

log = logger("waking")

#: More events than any desk gives out between two copies, and small enough that a browser counts on exactly.
EVENT_GAP = 1_000_000_000
_MANUAL = "manual"


class MarkUnreadable(PlimsollError):
    """The mark of a restore is none of ours: bring the copy back again, with --over."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What a restore leaves for the next start."""

    #: Which copy came back.
    copy: str
    #: The last event of the book that was replaced; 0 where that could not be read.
    event: int
    #: The halts that were in force in it.
    halts: tuple[Halt, ...] = ()

    def write(self, path: Path) -> None:
        """Leave it."""
        halts = [
            [halt.scope, halt.scope_id, halt.source, halt.state, halt.reason]
            for halt in self.halts
            if halt.source != RESTORED
        ]
        write_whole(path, json.dumps({"copy": self.copy, "event": self.event, "halts": halts}) + "\n")


def read_mark(path: Path) -> Mark | None:
    """Read a mark back; None when there is none.

    Raises: MarkUnreadable
    """
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        halts = tuple(
            Halt(Scope(scope), int(scope_id), str(source), TradingState(state), str(reason))
            for scope, scope_id, source, state, reason in told["halts"]
        )
        return Mark(str(told["copy"]), int(told["event"]), halts)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as problem:
        raise MarkUnreadable(f"{path}: {MarkUnreadable.__doc__}") from problem


def mark_of(directory: DataDirectory) -> Path:
    """Say where a restore leaves its mark."""
    return directory.path / "restored.json"


@dataclass(frozen=True, slots=True)
class Loss:
    """What a book lacks that this desk once had."""

    mark: Mark | None
    #: In sentences, as the stamp saw it; empty without a stamp.
    lost: tuple[str, ...]

    @property
    def sentence(self) -> str:
        came = [] if self.mark is None else [f"the copy {self.mark.copy} was brought back"]
        return "; ".join([*came, *self.lost])


def look_for_loss(directory: DataDirectory, engine: Engine) -> Loss | None:
    """Say what the book lacks; None when nothing is known to be missing.

    Raises: MarkUnreadable, StampUnreadable
    """
    mark, stamped = read_mark(mark_of(directory)), read_stamp(directory.stamp)
    lost: tuple[str, ...] = ()
    if stamped is not None:
        with engine.connect() as connection:
            lost = lost_tail(connection, stamped)
    return None if mark is None and not lost else Loss(mark, lost)


async def wake(
    directory: DataDirectory,
    books: Driver,
    engine: Engine,
    loss: Loss,
    *,
    account_ids: Iterable[AccountId],
    clock: Clock,
) -> None:
    """Make a book that lost its end one that may go on; the lock is held.

    Raises: StoreFailed, StampUnreadable
    """
    now = clock.now()
    await books.write(partial(_wake, tuple(account_ids), loss, now))
    log.warning("woke_from_older_copy", lost=loss.sentence)
    if directory.stamp.exists():
        directory.stamp.rename(directory.stamp.with_name(f"{directory.stamp.name}.before-{name_of(now)}"))
    stamp(engine, directory.stamp, now)
    mark_of(directory).unlink(missing_ok=True)


def _wake(account_ids: tuple[AccountId, ...], loss: Loss, now: datetime, draft: Draft) -> None:
    heads: Heads = draft.get(HEADS)
    known = max(heads.event, 0 if loss.mark is None else loss.mark.event)
    draft.forget("forget_events", heads.event)
    draft.put(HEADS, Heads(heads.group, known + EVENT_GAP))
    for account_id in account_ids:
        halt_restored(draft, account_id, loss.sentence, now)
        details = {"source": RESTORED, "state": str(TradingState.REDUCE_ONLY), "reason": loss.sentence}
        tell(draft, Event(EventKind.HALT_CHANGED, account_id, now, details))
    carried = [] if loss.mark is None else _in_force_again(draft, loss.mark.halts, now)
    details = {"lost": loss.sentence, "events_from": str(known + EVENT_GAP + 1), "halts": "; ".join(carried)}
    write_note(draft, Note(0, f"desk:{RESTORED}", "RESTORE", "BOOK", time_text(now), now, details))


def _in_force_again(draft: Draft, before: Iterable[Halt], now: datetime) -> list[str]:
    """Keep what was stopped stopped: as a person's halt, for whatever set it has forgotten why."""
    strictest: dict[tuple[Scope, int], Halt] = {}
    for halt in before:
        here: Halt | None = draft.get(keys.halt(halt.scope, halt.scope_id, halt.source))
        if here is not None and here.state.strictness >= halt.state.strictness:
            continue
        held = strictest.get((halt.scope, halt.scope_id))
        if held is None or held.state.strictness < halt.state.strictness:
            strictest[halt.scope, halt.scope_id] = halt
    for halt in strictest.values():
        reason = f"in force before the book was restored, by {halt.source}: {halt.reason}"
        accounts.write_halt(draft, Halt(halt.scope, halt.scope_id, _MANUAL, halt.state, reason, latched=True), now)
    return [f"{halt.scope} {halt.scope_id} {halt.state} by {halt.source}" for halt in strictest.values()]
