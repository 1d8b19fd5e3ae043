"""Shrink a failure: the shortest run, the kindest venues and the fewest faults that still break the same law.

1. Fewer hours, by bisection, with the faults drawn as they were.
2. The tape instead of the draw: only what struck. Where that breaks nothing, the draw is kept and step 4 is left out.
3. No clock offset, and the venues' traits made kind, one by one.
4. Faults: whole kinds, one by one, then `ddmin` over what is left.

Every try is a run of its own and is paid from one budget; when that is spent, the smallest failure so far is given. A
try counts only if it breaks the same law: another law is another mistake.

What must not enter: how a case is run (`runs`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tests.simulation.hours.runs import Case, Outcome
from tests.simulation.hours.tape import Struck

#: An hour is cut down to this and no further: a desk starts, settles and comes to rest in it.
SHORTEST_HOURS = 1 / 60

Run = Callable[[Case], Outcome]
Faults = tuple[Struck, ...]


@dataclass(slots=True)
class Shrinking:
    """One shrinking: what broke, the smallest failure so far, and how many tries are left."""

    run: Run
    smallest: Outcome
    budget: int
    #: Tries that were made.
    tries: int = 0

    @property
    def case(self) -> Case:
        return self.smallest.case

    def still_fails(self, case: Case) -> bool:
        """Try a smaller case; keep it if it breaks the same law."""
        if self.budget <= 0:
            return False
        self.budget -= 1
        self.tries += 1
        outcome = self.run(case)
        if outcome.law != self.smallest.law:
            return False
        self.smallest = outcome
        return True


def shrink(found: Outcome, run: Run, traits: Sequence[str], budget: int) -> Shrinking:
    """Make a failure smaller until nothing can be left out, or the budget of tries is spent."""
    assert found.law is not None, "Invariant: only a failure is shrunk"
    shrinking = Shrinking(run, found, budget)
    _fewer_hours(shrinking)
    if shrinking.case.tape is None:
        shrinking.still_fails(replace(shrinking.case, tape=shrinking.smallest.struck))
    if shrinking.case.clock_offset != 0:
        shrinking.still_fails(replace(shrinking.case, clock_offset=0.0))
    for trait in traits:
        if trait not in shrinking.case.kind:
            shrinking.still_fails(replace(shrinking.case, kind=(*shrinking.case.kind, trait)))
    if shrinking.case.tape is not None:
        _fewer_kinds(shrinking)
        _fewer_faults(shrinking)
    return shrinking


def _fewer_hours(shrinking: Shrinking) -> None:
    enough = shrinking.case.hours
    too_few = 0.0
    if shrinking.smallest.failed_at is not None and shrinking.smallest.failed_at < enough * 3600:
        # It broke while the hours ran: what came after cannot have caused it.
        at_least = max(SHORTEST_HOURS, shrinking.smallest.failed_at / 3600 + SHORTEST_HOURS)
        if at_least < enough and shrinking.still_fails(replace(shrinking.case, hours=at_least)):
            enough = at_least
    while enough - too_few > SHORTEST_HOURS and shrinking.budget > 0:
        half = (enough + too_few) / 2
        if shrinking.still_fails(replace(shrinking.case, hours=half)):
            enough = half
        else:
            too_few = half


def _fewer_kinds(shrinking: Shrinking) -> None:
    kinds = sorted({one.fault for one in shrinking.case.tape or ()})
    for kind in kinds:
        without = tuple(one for one in shrinking.case.tape or () if one.fault is not kind)
        shrinking.still_fails(replace(shrinking.case, tape=without))


def _fewer_faults(shrinking: Shrinking) -> None:
    """Leave out pieces, then everything but pieces, of ever smaller size (Zeller's ddmin)."""
    faults: Faults = shrinking.case.tape or ()
    pieces = 2
    while len(faults) >= 2 and shrinking.budget > 0:
        kept = _smaller(shrinking, faults, pieces)
        if kept is not None:
            pieces = 2 if len(kept) <= len(faults) / pieces + 1 else max(pieces - 1, 2)
            faults = kept
        elif pieces >= len(faults):
            break
        else:
            pieces = min(len(faults), pieces * 2)
    if len(faults) == 1:
        shrinking.still_fails(replace(shrinking.case, tape=()))


def _smaller(shrinking: Shrinking, faults: Faults, pieces: int) -> Faults | None:
    cut = _cut(faults, pieces)
    for piece in cut:
        if len(cut) > 1 and shrinking.still_fails(replace(shrinking.case, tape=piece)):
            return piece
    for number in range(len(cut)):
        rest = tuple(one for other, piece in enumerate(cut) if other != number for one in piece)
        if pieces > 2 and shrinking.still_fails(replace(shrinking.case, tape=rest)):
            return rest
    return None


def _cut(faults: Faults, pieces: int) -> list[Faults]:
    size, more = divmod(len(faults), pieces)
    cut, start = list[Faults](), 0
    for number in range(pieces):
        end = start + size + (number < more)
        cut.append(faults[start:end])
        start = end
    return [piece for piece in cut if piece]
