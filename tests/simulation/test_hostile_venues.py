"""The same laws at venues of bad character: they lag, repeat, reorder, fall silent, and answer in small pages."""

import pytest

from tests.simulation import hostile
from tests.simulation.scenarios import BY_NAME
from tests.simulation.sweep import sweep
from tests.simulation.world import CUTS, Personality

#: Where everything fills in bits nobody can say how a story ends, so only what always holds is asked.
_ANYWHERE = ("partial_then_cancel", "flip")
_STORIES = [
    (venue, name)
    for venue in hostile.PERSONALITIES
    for name in (*_ANYWHERE, *(() if venue.rules.partial_fill_probability else ("guard",)))
] + [(hostile.SILENT, "partial_then_cancel")]


@pytest.mark.parametrize(("venue", "name"), _STORIES, ids=lambda item: item if isinstance(item, str) else item.name)
def test_the_book_stays_true_at_a_bad_venue(venue: Personality, name: str) -> None:
    """A scenario at a bad venue, cut before and after every effect."""
    broken = [str(run.failure) for run in sweep(BY_NAME[name], CUTS, personality=venue) if run.failure is not None]
    assert not broken, "\n".join(broken)
