"""Venues of bad character, and the scripts that are played at them."""

from dataclasses import replace
from datetime import timedelta

from plimsoll.model.venue import DedupeScope
from plimsoll.venues.paper.rules import PaperRules
from tests.simulation.world import Personality

PARTS = PaperRules(partial_fill_probability=1.0, partial_fill_percent_min=30, partial_fill_percent_max=40)

FORGETFUL = Personality("resends_double", dedupe=DedupeScope.NONE)
FAITHFUL = Personality("dedupes_for_ever", dedupe=DedupeScope.FOREVER)
SLOW_TO_SHOW = Personality("lookup_lag", lookup_lag=timedelta(seconds=3))
#: Fills come by the stream alone, before the answer, which says NEW.
STREAM_ONLY = Personality("fills_by_stream", fills_by_stream=True, rules=PaperRules(stream_repeats=True))
UNRULY = Personality("unruly_stream", unruly_stream=True, rules=PaperRules(stream_repeats=True))
SMALL_PAGES = Personality("small_pages", rules=PaperRules(page_size=1))
IN_BITS = Personality(
    "in_bits",
    unruly_stream=True,
    rules=replace(PARTS, stream_repeats=True),
)
#: A cancel's answer tells fills that the stream has not told yet, or never will.
BEHIND = Personality("stream_behind", stream_delay=timedelta(seconds=0.4), rules=PARTS)
SILENT = Personality("silent_stream", silent_stream=True, rules=PARTS)
NEVER_ANSWERS = Personality("never_answers", never_answers=True)

#: `SILENT` is not among them: what fills there behind an answer nobody tells, and most stories would need a repair.
PERSONALITIES = (FAITHFUL, SLOW_TO_SHOW, STREAM_ONLY, UNRULY, SMALL_PAGES, IN_BITS, BEHIND, NEVER_ANSWERS)
BY_NAME = {personality.name: personality for personality in (FORGETFUL, *PERSONALITIES, SILENT)}
