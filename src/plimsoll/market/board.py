"""The price board: the last quote of each instrument, and how old it is.

Rule 1. Who asks says what time it is and how old is too old. What is too old is unknown: None, never the last quote.
Rule 2. A quote older than the one held is ignored: a late answer of a slow stream must not turn the price back.
Rule 3. A board has one source. Books that are valued at live prices never see a replayed or a synthetic one.

What must not enter: orders, a clock, and a second source to fall back on.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from plimsoll.model.ids import InstrumentId
from plimsoll.model.quote import Fact, Quote, SourceFacts


class PriceBoard:
    """What one price source said last."""

    __slots__ = ("_last", "facts")

    def __init__(self, facts: SourceFacts) -> None:
        self.facts = facts
        self._last: dict[InstrumentId, Quote] = {}

    @property
    def interval(self) -> timedelta | None:
        """Say how often a price is due; None for a stream of ticks."""
        return self.facts.interval

    def declares(self, fact: Fact) -> bool:
        """Say whether the source promises to know a fact. A fact not promised cannot be checked."""
        return fact in self.facts.declares

    def put(self, quote: Quote) -> bool:
        """Take a quote; False when it is older than the one held, which then stays.

        Of two quotes of the same time the one that comes later stands: a bar's open follows the close before it.
        """
        held = self._last.get(quote.instrument_id)
        if held is not None and quote.at < held.at:
            return False
        self._last[quote.instrument_id] = quote
        return True

    def quote(self, instrument_id: InstrumentId) -> Quote | None:
        """Give the last quote whatever its age, to show it with its age. Nothing may be valued or decided at it."""
        return self._last.get(instrument_id)

    def view(self) -> Mapping[InstrumentId, Quote]:
        """Look at every last quote, of any age, as it changes."""
        return self._last

    def quotes(self) -> dict[InstrumentId, Quote]:
        """Copy every last quote, of any age, for a decision that must not see newer ones."""
        return dict(self._last)

    def age(self, instrument_id: InstrumentId, now: datetime) -> timedelta | None:
        """Say how long ago the last quote was; None when there never was one."""
        held = self._last.get(instrument_id)
        return None if held is None else now - held.at

    def fresh(self, instrument_id: InstrumentId, now: datetime, limit: timedelta) -> Quote | None:
        """Give the last quote unless it is older than `limit`; None is unknown.

        A quote from further ahead than `limit` is unknown too: with a clock that wrong its age means nothing, and it
        would otherwise stay fresh for as long as the clock is off.
        """
        held = self._last.get(instrument_id)
        if held is None or not -limit <= now - held.at <= limit:
            return None
        return held
