"""How long a guard has been blind, all in all: people are told when it lasts, and again when that is over.

A blind guard stops opening at once, whoever knows of it. But book and venue are in doubt for a second whenever a stream
breaks off or an answer is lost, and who is told of each such moment looks at none of them any more (FAILURES C13).

Rule 1. Blindness is told when a guard could not see for ten seconds. Moments of sight in between do not begin it anew:
        an account that sees every tenth second is not guarded.
Rule 2. It is over when the guard has seen for ten seconds on end. Only who heard of the beginning hears of that.

What must not enter: a clock (times are handed in, by the stopwatch), why it is blind, and what follows from it.
"""

from dataclasses import dataclass, replace
from enum import Enum, auto

#: As long as a countdown: less is over before anybody has read it.
TELL_AFTER_SECONDS = 10.0


class Word(Enum):
    """What people are to be told after a look."""

    NOTHING = auto()
    BLIND = auto()
    SEES_AGAIN = auto()


@dataclass(frozen=True, slots=True)
class Sightedness:
    """How the looks of late went."""

    is_blind: bool = False
    #: By the stopwatch: the look since which it has been so.
    since: float = 0.0
    #: Seconds of blindness before that, which are not over yet.
    blind_seconds: float = 0.0
    told: bool = False


def looked(before: Sightedness, now: float, *, blind: bool) -> tuple[Sightedness, Word]:
    """Take one more look into account, and say what people are to be told.

    Units:  seconds by the stopwatch
    """
    lasted = now - before.since
    if blind:
        after = before if before.is_blind else replace(before, is_blind=True, since=now)
        if after.told or after.blind_seconds + now - after.since < TELL_AFTER_SECONDS:
            return after, Word.NOTHING
        return replace(after, told=True), Word.BLIND
    if before.is_blind:
        seconds = before.blind_seconds + lasted
        return replace(before, is_blind=False, since=now, blind_seconds=seconds), Word.NOTHING
    if lasted < TELL_AFTER_SECONDS:
        return before, Word.NOTHING
    return Sightedness(since=before.since), Word.SEES_AGAIN if before.told else Word.NOTHING
