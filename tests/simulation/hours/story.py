"""The story of a run for people: what happened last, in order, with what went wrong where it did.

What must not enter: what decides anything. A story is read by somebody who has to find out why a law was broken.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.simulation.hours.tape import Struck

#: So many lines are a page of somebody's time.
LAST = 50


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened, in a sentence."""

    #: In seconds since the world began.
    at: float
    #: The process, the venue, the caller; empty for the world itself.
    who: str
    what: str


def readable(happenings: Iterable[Happening], struck: Iterable[Struck], last: int = LAST) -> list[str]:
    """Tell the last of it, one line each; what went wrong carries a mark and stands before what came of it."""
    told = [(one.at, 1, one.who, one.what) for one in happenings]
    told += [(one.at, 0, one.site, _fault(one)) for one in struck]
    told.sort(key=lambda line: line[:2])
    return [f"{clock(at)} {'!' if order == 0 else ' '} {who:<14} {what}" for at, order, who, what in told[-last:]]


def clock(at: float) -> str:
    """Write a time of the world: hours, minutes, seconds, milliseconds."""
    whole = round(at * 1000)
    seconds, thousandths = divmod(whole, 1000)
    return f"{seconds // 3600:d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{thousandths:03d}"


def _fault(one: Struck) -> str:
    many = f" ({one.amount:g})" if one.amount else ""
    return f"{one.fault}{many}, passing {one.passing}"


def by_kind(struck: Iterable[Struck]) -> Counter[str]:
    """Count what went wrong, by the word of its site and its kind."""
    return Counter(f"{one.site.partition(' ')[0]} {one.fault}" for one in struck)


def share(numbers: Sequence[float], part: float) -> float | None:
    """Give the value that such a part of the numbers does not exceed; None of no numbers."""
    if not numbers:
        return None
    ordered = sorted(numbers)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]
