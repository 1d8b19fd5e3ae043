"""Open differences between the book and a venue: a work-list for people, with age, cause, proposal, and who ended it.

    OPEN ──the comparison does not find it any more──► GONE
      └────a person says what became of it──────────► RESOLVED

Rule 1. The same difference found again is the same break, and counts up; its sentence is that of the last time, because
        amounts move while it stands.
Rule 2. One that a person resolved and that is found again is a new one: what he said was not the end of it.
Rule 3. Open ones are in memory, so that a comparison finds them without asking; what ended is in the database.

What must not enter: which differences there are, and whether they stop trading (`reconcile/`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from plimsoll.ledger import keys
from plimsoll.ledger.cells import text_or_null, time_or_none
from plimsoll.model.clock import parse_time, time_text
from plimsoll.model.ids import AccountId
from plimsoll.store.draft import Draft, Row
from plimsoll.store.hot import Memory


class BreakStatus(StrEnum):
    """How a break stands."""

    OPEN = "OPEN"
    #: The comparison does not find it any more.
    GONE = "GONE"
    #: A person said what became of it.
    RESOLVED = "RESOLVED"


@dataclass(frozen=True, slots=True)
class Found:
    """A difference, as a comparison finds it."""

    #: `position`, `balance`, `order`, `terms`, `filled`, `trade`.
    kind: str
    #: What it is about, without amounts.
    subject: str
    sentence: str
    proposal: str

    @property
    def name(self) -> str:
        """Name it, so that it is found again."""
        return f"{self.kind}:{self.subject}"


@dataclass(frozen=True, slots=True)
class Break:
    """A difference from the day it was seen to the day it was gone."""

    account_id: AccountId
    id: int
    found: Found
    status: BreakStatus
    #: By how many comparisons.
    seen_count: int
    first_seen: datetime
    last_seen: datetime
    #: The person; None for one that went by itself.
    resolved_by: str | None = None
    #: When it was resolved, or was not there any more.
    resolved_at: datetime | None = None
    resolution: str | None = None


def open_breaks(memory: Memory, account_id: AccountId) -> list[Break]:
    """List what stands between book and venue, oldest first."""
    found: list[Break] = memory.shelf(keys.BREAK, account_id)
    return sorted(found, key=lambda one: one.id)


def write_found(draft: Draft, account_id: AccountId, found: Iterable[Found], now: datetime) -> None:
    """Write what a whole comparison found: new ones, those that stand, and those that are gone."""
    by_name = {one.name: one for one in found}
    for known in open_breaks(draft, account_id):
        again = by_name.pop(known.found.name, None)
        if again is None:
            _write(draft, replace(known, status=BreakStatus.GONE, resolved_at=now))
        else:
            _write(draft, replace(known, found=again, seen_count=known.seen_count + 1, last_seen=now))
    for new in by_name.values():
        _write(draft, Break(account_id, draft.next_id("breaks"), new, BreakStatus.OPEN, 1, now, now))


def resolve(  # noqa: PLR0917  who says what of which, and when
    draft: Draft, account_id: AccountId, number: int, by: str, resolution: str, now: datetime
) -> Break | None:
    """Write what a person says became of an open break; None where this account has no such open one."""
    for known in open_breaks(draft, account_id):
        if known.id == number:
            ended = replace(known, status=BreakStatus.RESOLVED, resolved_by=by, resolved_at=now, resolution=resolution)
            _write(draft, ended)
            return ended
    return None


def _write(draft: Draft, one: Break) -> None:
    is_open = one.status is BreakStatus.OPEN
    draft.put(keys.found_break(one.account_id, one.found.name), one if is_open else None)
    cells = (
        one.account_id,
        one.id,
        one.found.kind,
        one.found.subject,
        one.found.sentence,
        one.found.proposal,
        one.status,
        one.seen_count,
        time_text(one.first_seen),
        time_text(one.last_seen),
        one.resolved_by,
        text_or_null(one.resolved_at),
        one.resolution,
    )
    draft.replace("breaks", (one.account_id, one.id), cells)


def from_row(row: Row) -> Break:
    """Read a break back."""
    account, number, kind, subject, sentence, proposal, status, seen_count, first, last, by, at, resolution = row
    return Break(
        AccountId(int(account or 0)),
        int(number or 0),
        Found(str(kind), str(subject), str(sentence), str(proposal)),
        BreakStatus(str(status)),
        int(seen_count or 0),
        parse_time(str(first)),
        parse_time(str(last)),
        None if by is None else str(by),
        time_or_none(at),
        None if resolution is None else str(resolution),
    )
