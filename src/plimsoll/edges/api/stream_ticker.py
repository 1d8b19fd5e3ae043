"""The newest quotes for those who watch: what changed since they looked last, and nothing of what came in between.

Rule 1. Looking at the boards is all it takes: a board keeps the last quote of each instrument, so a thousand quotes a
        second cost what one does, and no price waits for anybody to be told.
Rule 2. A change has the number of the look that found it. Whoever was away for ten looks gets the newest of each
        instrument that changed in them, once.
Rule 3. Accounts that take their prices from one source share them; a source never fills in for another.

What must not enter: a decision at a price. These are pictures.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from plimsoll.edges.api import stream_frames as frames
from plimsoll.edges.api.schemas import QuoteRow
from plimsoll.edges.api.stream_frames import Framed
from plimsoll.market.board import PriceBoard
from plimsoll.model.clock import Clock
from plimsoll.model.ids import AccountId, InstrumentId
from plimsoll.model.quote import Quote

#: How a quote on an account's board is shown.
QuoteShown = Callable[[AccountId, Quote], QuoteRow]


@dataclass(frozen=True, slots=True)
class Prices:
    """One account's board, and the source that fills it."""

    source: str
    board: PriceBoard


@dataclass(frozen=True, slots=True)
class _Seen:
    look: int
    account_id: AccountId
    quote: Quote


class Ticker:
    """Finds what changed on the boards."""

    def __init__(self, prices: Mapping[AccountId, Prices], shown: QuoteShown, clock: Clock) -> None:
        self._prices = prices
        self._shown = shown
        self._clock = clock
        self._seen: dict[str, dict[InstrumentId, _Seen]] = {one.source: {} for one in prices.values()}
        #: Number of the last look that found something.
        self.number = 0
        #: Frames of this look, for all who ask for the same.
        self._written: dict[tuple[frozenset[str], int], Framed | None] = {}

    def sources_of(self, accounts: frozenset[AccountId]) -> frozenset[str]:
        """Name the sources that some accounts take their prices from."""
        return frozenset(self._prices[account].source for account in accounts if account in self._prices)

    def look(self) -> None:
        """Take what is on the boards now."""
        self._written.clear()  # their ages have gone on
        number, changed = self.number + 1, False
        for account_id, prices in self._prices.items():
            seen = self._seen[prices.source]
            for instrument_id, quote in prices.board.view().items():
                held = seen.get(instrument_id)
                # An account whose board lags behind another's of the same source adds nothing.
                if held is None or (held.quote is not quote and held.quote != quote and held.quote.at <= quote.at):
                    seen[instrument_id] = _Seen(number, account_id, quote)
                    changed = True
        if changed:
            self.number = number

    def since(self, number: int, sources: frozenset[str]) -> Framed | None:
        """Show what changed after a look, by these sources; None where nothing did."""
        key = (sources, number)
        if key not in self._written:
            rows = [
                self._shown(seen.account_id, seen.quote)
                for source in sorted(sources)
                for seen in self._seen[source].values()
                if seen.look > number
            ]
            self._written[key] = frames.quotes(rows, self._clock.now()) if rows else None
        return self._written[key]
