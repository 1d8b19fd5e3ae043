"""Prices on their way in: to the board at once, to the venue in their order, and never more in line than it can hold.

Rule 1. A quote is on the board before `take` returns. What is slow behind it makes no price old.
Rule 2. Of quotes that nobody waits for only the newest counts: it replaces the one before it in line. Orders that wait
        see every quote, until so many are in line that the newest replaces the one before it all the same.
Rule 3. A bar is never skipped, and bars and quotes of one instrument keep their order. A bar that was made of quotes is
        handed on behind the quote that closed it; one that its source told, behind its close.

What if the venue cannot take a bar (its disk is full)? The bar stays first in line and is shown again. A quote is given
up, for the next one is as good. What if the process ends? Prices in line are lost, as are those that never came.

What must not enter: a clock, valuing, deciding.
"""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from plimsoll.market.board import PriceBoard
from plimsoll.model.errors import WorldFailure
from plimsoll.model.ids import InstrumentId
from plimsoll.model.quote import Bar, Quote
from plimsoll.venues.protocol import ShownVenue

#: Quotes in line from here on replace one another also where orders wait for them.
LIMIT = 1_000


@dataclass(slots=True)
class _Waiting:
    """A quote in line, which a newer one may replace."""

    quote: Quote

    @property
    def instrument_id(self) -> InstrumentId:
        return self.quote.instrument_id


@dataclass(frozen=True, slots=True)
class _Closed:
    """A closed bar in line, for those who decide."""

    bar: Bar

    @property
    def instrument_id(self) -> InstrumentId:
        return self.bar.instrument_id


class PriceLine:
    """The way of one account's prices from its feed to its board and its venue."""

    def __init__(self, board: PriceBoard, venue: ShownVenue, decide: Callable[[Bar], None]) -> None:
        self._board = board
        self._venue = venue
        self._decide = decide
        self._line: deque[_Waiting | Bar | _Closed] = deque()
        self._more = asyncio.Event()
        #: How many of an instrument are in line or being shown, and the last of them where a quote may replace it.
        self._in_line: Counter[InstrumentId] = Counter()
        self._last: dict[InstrumentId, _Waiting] = {}
        #: Bars that their source told, until their close is in line.
        self._told: defaultdict[InstrumentId, list[Bar]] = defaultdict(list)
        #: Quotes that were replaced although orders waited for them.
        self.skipped = 0

    def __len__(self) -> int:
        return len(self._line)

    def take(self, quote: Quote) -> bool:
        """Take a quote; False when it is older than what the board holds, and ignored."""
        if not self._board.put(quote):
            return False
        self._show(quote)
        self.hand_on(self._told.pop(quote.instrument_id, ()))
        return True

    def hand_on(self, closed: Iterable[Bar]) -> None:
        """Hand bars that have closed on to those who decide, behind what is in line of their instrument."""
        for bar in closed:
            if self._in_line[bar.instrument_id]:
                self._put(bar.instrument_id, _Closed(bar))
            else:
                self._decide(bar)

    def take_bar(self, bar: Bar, closed: Iterable[Bar]) -> None:
        """Take a bar that the source tells before its close, and the bars that are to be handed on behind that."""
        if self._in_line[bar.instrument_id] or self._venue.wants(bar.instrument_id):
            self._put(bar.instrument_id, bar)
        self._told[bar.instrument_id].extend(closed)

    def _show(self, quote: Quote) -> None:
        instrument_id = quote.instrument_id
        is_wanted, last = self._venue.wants(instrument_id), self._last.get(instrument_id)
        if not is_wanted and not self._in_line[instrument_id]:
            self._venue.see(quote)
        elif last is not None and (not is_wanted or len(self._line) >= LIMIT):
            self.skipped += is_wanted
            last.quote = quote
        else:
            waiting = _Waiting(quote)
            self._put(instrument_id, waiting)
            self._last[instrument_id] = waiting

    def _put(self, instrument_id: InstrumentId, item: _Waiting | Bar | _Closed) -> None:
        self._last.pop(instrument_id, None)
        self._in_line[instrument_id] += 1
        self._line.append(item)
        self._more.set()

    async def work(self) -> None:
        """Show the venue what is first in line, waiting for it.

        Raises: what the venue raises; a bar is then still first in line if the venue certainly did not take it
        """
        while not self._line:
            self._more.clear()
            await self._more.wait()
        first = self._line[0]
        # From here on it is what the venue was shown, and the next one stands behind it.
        if self._last.get(first.instrument_id) is first:
            del self._last[first.instrument_id]
        try:
            if isinstance(first, _Waiting):
                await self._venue.on_quote(first.quote)
            elif isinstance(first, Bar):
                await self._venue.on_bar(first)
            else:
                self._decide(first.bar)
        except WorldFailure:
            if not isinstance(first, Bar):
                self._done()
            raise
        except BaseException:
            self._done()
            raise
        self._done()

    def _done(self) -> None:
        done = self._line.popleft()
        self._in_line[done.instrument_id] -= 1
