"""How long a difference of facts must stand until it is believed, for a history may be behind what it explains.

A venue shows a fill, a deposit or funding in balance and position at once, and in its histories up to
`VenueFacts.history_lag` later. What the stream lost is a difference until then, and nothing is wrong. Who is alarmed by
each of them looks at none of them any more (FAILURES C13).

Rule 1. From the first look that finds it a difference is *suspected*; one that a look does not find is forgotten.
Rule 2. Where histories do not lag, it is confirmed by three looks in a row, or by two a minute apart.
Rule 3. Where they lag, those looks must have found the same on both sides, and the last must have begun the lag and a
        margin after the first had ended: everything that could explain what that one saw has been told by then. One
        that is seen with other amounts begins anew, because what came in between may be on its way as well.
Rule 4. One that was never gone for ten minutes is confirmed whatever became of its amounts: an account that never comes
        to rest must not hide it for ever.
Rule 5. A balance that the venue's own movements explain, told and not booked yet because nothing prices them, is no
        news: it waits with them. When they have waited for a minute it is what it is, and its sentence names them.

What must not enter: a clock (times are handed in, by the stopwatch), and what follows: that nothing opens meanwhile,
and who is told in the end (`desk/weigh_differences`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate

from plimsoll.model.money import decimal_text
from plimsoll.model.venue import Movement
from plimsoll.reconcile.differences import (
    BalanceBreak,
    Difference,
    FilledMismatch,
    MissingTrade,
    PositionMismatch,
)

#: So many looks in a row, or two that are so many seconds apart.
LOOKS = 3
LONG_SECONDS = 60.0
#: What is added to a lag: the venue's clocks, and the time between its answer and our stopwatch.
MARGIN_SECONDS = 2.0
#: A difference that was never gone for so long is told whatever its amounts did.
LONGEST_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Suspicion:
    """What every look has found since the first, under one name."""

    #: As the last one found it, with its amounts.
    found: object
    #: By the stopwatch: when the first look that found it had ended, and the first that found it as it is now.
    first: float
    since: float
    #: How many have found it, and how many as it is now.
    looks: int = 1
    same: int = 1

    def is_confirmed(self, began: float, lag: float) -> bool:
        """Say whether a look that began then, and found it again, proves that no fact on its way explains it.

        Units:  seconds; `lag` is how far the venue's histories may be behind
        """
        stood = began - self.first
        if self.never_goes(began):
            return True
        if lag <= 0:
            return self.looks >= LOOKS or stood >= LONG_SECONDS
        unchanged, needed = began - self.since, lag + MARGIN_SECONDS
        return unchanged >= needed and (self.same >= LOOKS or unchanged >= max(needed, LONG_SECONDS))

    def never_goes(self, began: float) -> bool:
        """Say whether a look that began then found it for so long that people must hear of it."""
        return began - self.first >= LONGEST_SECONDS

    def is_evidence(self, began: float, window: float) -> bool:
        """Say whether two looks, so many seconds apart, found the very same, and so did every look between."""
        return self.same > 1 and began - self.since >= window


Suspicions = Mapping[str, Suspicion]


@dataclass(frozen=True, slots=True)
class WaitingMovement:
    """A deposit or a withdrawal that the venue told, and that cannot be booked until what it needs has a price."""

    movement: Movement
    #: Assets and symbols without a price.
    unpriced: str
    #: By the stopwatch: when it was first told.
    since: float
    #: It has waited for so long that people were told of it.
    told: bool = False

    @property
    def sentence(self) -> str:
        """Say what waits, and for what."""
        it = self.movement
        what = f"{it.kind.lower()} of {decimal_text(abs(it.amount))} {it.asset} ({it.reference})"
        return f"A {what} waits to be booked: nothing prices {self.unpriced}."

    @property
    def remedy(self) -> str:
        """Say what a person can do. An adjustment is none: it would count the same money a second time."""
        return f"It books itself once {self.unpriced} has a price; an asset that has no pair needs one listed."

    def is_late(self, now: float) -> bool:
        """Say whether it has waited for so long that people must hear of it."""
        return now - self.since >= LONG_SECONDS


def explaining(difference: Difference, waiting: Iterable[WaitingMovement]) -> tuple[WaitingMovement, ...]:
    """Give the waiting movements that explain a difference to the last digit; none where they do not.

    The venue showed its balance as of one moment: it has all that moved until then, and nothing that moved later.
    """
    if not isinstance(difference, BalanceBreak):
        return ()
    place, missing = (difference.pocket, difference.asset), difference.venue - difference.ledger
    moved = [one for one in waiting if (one.movement.pocket, one.movement.asset) == place]
    moved.sort(key=lambda one: one.movement.at)
    sums = list(accumulate(one.movement.amount for one in moved))
    return tuple(moved[: sums.index(missing) + 1]) if missing in sums else ()


def look(before: Suspicions, found: Mapping[str, object], ended: float) -> dict[str, Suspicion]:
    """Give what is suspected after a look that ended then; what it did not find is forgotten."""
    return {name: _again(before.get(name), one, ended) for name, one in found.items()}


def may_explain_itself(difference: Difference) -> bool:
    """Say whether a fact that the venue has not told yet could explain a difference."""
    return isinstance(difference, MissingTrade | FilledMismatch | PositionMismatch | BalanceBreak)


def _again(known: Suspicion | None, found: object, ended: float) -> Suspicion:
    if known is None:
        return Suspicion(found, ended, ended)
    if known.found == found:
        return replace(known, looks=known.looks + 1, same=known.same + 1)
    return Suspicion(found, known.first, ended, looks=known.looks + 1)
