"""I8: nothing is put right by itself without a reason. Every repair is set against what went wrong shortly before it.

A repair is a trade or a movement that only a sweep found, an order whose end only a look-up told, an order adopted, a
gap in a stream, a break. Self-healing hides bugs: a desk that drops every fill and finds it again by its next sweep
keeps all other laws. In fair weather there must be none at all, but for what the venue's own character brings.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.simulation.exchange.personality import Personality, Resuming
from tests.simulation.hours.tape import Struck
from tests.simulation.hours.weather import Fault

#: A fault can show so many seconds later: a comparison, its back-off, the venue's lags, a sweep over several pages.
SHOWS_WITHIN = 300.0
#: Faults that last as long as their amount says.
_LASTING = frozenset(
    {
        *(Fault.LATE, Fault.LIMITED, Fault.BANNED, Fault.SLOW, Fault.OVERTAKEN, Fault.STALLED, Fault.KILL),
        *(Fault.FREEZE, Fault.CLOGGED, Fault.FROZEN_PRICE),
    }
)
#: What can lose news, an answer, a row or the process that would have taken them.
_LOSES = frozenset(
    {
        *(Fault.UNANSWERED, Fault.LATE, Fault.GARBLED, Fault.LIMITED, Fault.BANNED, Fault.SLOW, Fault.LOST),
        *(Fault.DROPPED, Fault.OVERTAKEN, Fault.DOUBLED, Fault.CUT, Fault.STALLED),
        *(Fault.BUSY, Fault.FULL, Fault.DISK, Fault.DONE_AND_FAILED, Fault.CRASH_BEFORE, Fault.CRASH_AFTER),
        *(Fault.KILL, Fault.FREEZE, Fault.STEP, Fault.RESTORE, Fault.CLOGGED),
    }
)
#: What somebody did at the venue.
_THERE = frozenset(
    {
        *(Fault.BY_HAND, Fault.BUST, Fault.CORRECTION, Fault.ADL, Fault.GAP, Fault.DEPOSIT, Fault.WITHDRAWAL),
    }
)
#: An order that waits at the venue and is not live in the book: somebody else's, or one that a failure hid.
_ADOPTS = _LOSES | {Fault.BY_HAND}
_REASONS: dict[str, frozenset[Fault]] = {"adopted": _ADOPTS}


@dataclass(frozen=True, slots=True)
class Repair:
    """So many repairs of a kind, seen at one look."""

    kind: str
    count: int
    #: Seconds since the world began: of this look and of the one before.
    since: float
    at: float
    account: str


def unexplained(
    repairs: Iterable[Repair], struck: Sequence[Struck], personality: Personality, starts: Sequence[float]
) -> Repair | None:
    """Find a repair that nothing explains.

    Shapes:  `starts`: when processes began, the first one left out; each sweeps what its predecessor did not book
    """
    windows = [(one.at, one.at + lasting(one) + SHOWS_WITHIN, one.fault) for one in struck]
    for repair in repairs:
        reasons = _REASONS.get(repair.kind, _LOSES | _THERE)
        if any(begin <= repair.at and repair.since <= end and fault in reasons for begin, end, fault in windows):
            continue
        if any(start <= repair.at and repair.since <= start + SHOWS_WITHIN for start in starts):
            continue
        if not _by_nature(repair, personality):
            return repair
    return None


def lasting(one: Struck) -> float:
    """Say for how long a fault went on."""
    return one.amount if one.fault in _LASTING else 0.0


def _by_nature(repair: Repair, venue: Personality) -> bool:
    """Say whether the venue's own character brings such a repair about."""
    if repair.kind == "movement_by_sweep" and repair.since == 0:
        return True  # what an account begins with is told by nobody
    if repair.kind == "stream_gap":
        # It cuts its streams every so often, and the desk does so before it.
        return venue.cut_after_seconds / 2 <= repair.at
    if repair.kind in ("trade_by_sweep", "movement_by_sweep"):
        return venue.cut_after_seconds / 2 <= repair.at and venue.resuming is Resuming.NOTHING
    return False
