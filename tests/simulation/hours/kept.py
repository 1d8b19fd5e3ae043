"""Seeds that once found something. They are run for ever, whatever else is drawn."""

from dataclasses import dataclass

from tests.simulation.hours.runs import Case


@dataclass(frozen=True, slots=True)
class Kept:
    """A case, and what it found on the day it was kept."""

    case: Case
    found: str


KEPT: tuple[Kept, ...] = (
    Kept(Case(1, 0.3), "I8: a first deposit that waited for its price was told as a difference, in fair weather"),
    Kept(Case(9, 0.5), "I14: no leg of a venue that hedges could be closed"),
)
