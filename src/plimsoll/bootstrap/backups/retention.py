"""Which copies are kept: one for each of the last 24 hours, 7 days and 8 weeks that have one.

Pure: times in, times out. Of the copies of an hour, a day or a week the last is the one that is kept.

1. The newest copy is never given up.
2. Neither is the last that was proven to come back: a newer one that nobody has tried may be worth nothing.
3. A copy from the future is kept. Clocks that were wrong for an hour must not cost a copy.
"""

from collections.abc import Callable, Collection, Hashable
from datetime import datetime

HOURS, DAYS, WEEKS = 24, 7, 8


def given_up(taken: Collection[datetime], proven: datetime | None, now: datetime) -> frozenset[datetime]:
    """Say which copies may go.

    Shapes: `taken` -> when each copy was taken; `proven` -> the last copy that a drill has brought back, if any has
    """
    kept = {at for at in taken if at > now}
    for most, name in ((HOURS, _hour), (DAYS, _day), (WEEKS, _week)):
        kept |= _last_of_each(taken, name, most)
    if taken:
        kept.add(max(taken))
    if proven is not None:
        kept.add(proven)
    return frozenset(taken) - kept


def _last_of_each(taken: Collection[datetime], name: Callable[[datetime], Hashable], most: int) -> set[datetime]:
    # Of the periods that have a copy, not of those that passed: a desk that slept for a month still goes back a day,
    # a week and eight weeks of its own life.
    last: dict[Hashable, datetime] = {}
    for at in sorted(taken):
        last[name(at)] = at
    return set(sorted(last.values())[-most:])


def _hour(at: datetime) -> Hashable:
    return (at.date(), at.hour)


def _day(at: datetime) -> Hashable:
    return at.date()


def _week(at: datetime) -> Hashable:
    return at.isocalendar()[:2]
