"""The price board: the last quote of each instrument, of any age.

Rule 1. Who values or decides at a quote looks at its age first (`risk.valuation.Prices`, control 15). What is too old
        is unknown, never the last quote.
Rule 2. A quote older than the one held is ignored: a late answer of a slow stream must not turn the price back.
Rule 3. A board has one source. Books that are valued at live prices never see a replayed or a synthetic one.

What must not enter: orders, a clock, and a second source to fall back on.
"""

from collections.abc import Mapping

from plimsoll.model.ids import InstrumentId
from plimsoll.model.quote import Quote, SourceFacts


class PriceBoard:
    """What one price source said last."""

    __slots__ = ("_last", "facts")

    def __init__(self, facts: SourceFacts) -> None:
        self.facts = facts
        self._last: dict[InstrumentId, Quote] = {}

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
