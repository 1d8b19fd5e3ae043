"""Candles made of quotes as they come, kept for charts and bots. Pure: time is read from quotes, there is no clock.

Rule 1. A minute is made of `quote.last`: what was traded, or the bid where a source tells no trades, as in recorded
        bars of bid and ask. The spreads at its open and close are kept. Minutes begin on the grid of UTC.
Rule 2. A minute without a quote makes no bar. Nothing is carried forward.
Rule 3. Only a minute that was seen whole is handed out by `take`, for bots to decide on: it was entered while quotes
        came, or with its first moment, and no two quotes around or in it lie further apart than `silence`. The first
        minute after a start, and both sides of an outage, were seen in part: they are in the chart and no bot acts on
        them. `lacks` tells that there are such minutes; `seed` mends them with the source's own bars.
Rule 4. A quote older than the one before it changes nothing, and neither does one told twice: `PriceBoard` says why.
Rule 5. A source that tells bars is believed: those are whole. Its opens and closes, which are marked as what they are,
        belong to a bar that is told itself, and make none.

What must not enter: a second source. Candles of live prices are never continued with others.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import chain

from plimsoll.market.gather import MINUTE, gathered, grid_start
from plimsoll.model.errors import Illegal
from plimsoll.model.ids import InstrumentId
from plimsoll.model.quote import Bar, Moment, Quote

#: What a chart may ask for.
INTERVALS = {
    "1m": MINUTE,
    "5m": timedelta(minutes=5),
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "4h": timedelta(hours=4),
    "1d": timedelta(days=1),
}
#: One week of minutes; about 3 MB for each instrument.
_KEEP = 10_080
#: As long as a live feed may need to notice that its stream has died, and to ask in another way (FAILURES B15).
_SILENCE = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class _Sight:
    """What was seen in one piece of a minute: a quote is a piece without length."""

    start: datetime
    end: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    open_spread: Decimal
    close_spread: Decimal
    volume: Decimal | None = None


def _sight(seen: Quote | Bar) -> _Sight:
    if isinstance(seen, Quote):
        price, spread = seen.last, seen.ask - seen.bid
        return _Sight(seen.at, seen.at, price, price, price, price, spread, spread)
    return _Sight(
        *(seen.start, seen.end, seen.open, seen.high, seen.low, seen.close),
        *(seen.open_spread, seen.close_spread, seen.volume),
    )


class _Open:
    """A minute that is not over yet."""

    def __init__(self, instrument_id: InstrumentId, start: datetime, first: _Sight, *, whole: bool) -> None:
        self.start = start
        self.seen_until = first.end
        self.whole = whole
        self._instrument_id = instrument_id
        self._first = self._last = first
        self._high, self._low, self._volume = first.high, first.low, first.volume

    @property
    def end(self) -> datetime:
        return self.start + MINUTE

    def add(self, sight: _Sight, silence: timedelta) -> None:
        self.whole = self.whole and sight.start - self.seen_until <= silence
        self.seen_until = sight.end
        self._last = sight
        self._high, self._low = max(self._high, sight.high), min(self._low, sight.low)
        self._volume = None if self._volume is None or sight.volume is None else self._volume + sight.volume

    def bar(self) -> Bar:
        first, last = self._first, self._last
        return Bar(
            *(self._instrument_id, self.start, MINUTE, first.open, self._high, self._low, last.close, self._volume),
            *(first.open_spread, last.close_spread),
        )


class _Minutes:
    """The candles of one instrument."""

    def __init__(self, instrument_id: InstrumentId, keep: int, silence: timedelta) -> None:
        self._instrument_id = instrument_id
        self._silence = silence
        self.closed: deque[Bar] = deque(maxlen=keep)
        self.open: _Open | None = None
        #: Starts of closed minutes that were seen in part.
        self.partly: set[datetime] = set()
        #: End of what was looked at last; None before anything was.
        self._seen_until: datetime | None = None

    def take(self, sight: _Sight) -> tuple[Bar, ...]:
        seen_until, minute = self._seen_until, grid_start(sight.start, MINUTE)
        if seen_until is not None and sight.start < seen_until:
            return ()
        done: tuple[Bar, ...] = ()
        if self.open is not None and minute > self.open.start:
            done = self._close(until=sight.start)
        if self.open is None:
            entered = sight.start == minute or (seen_until is not None and sight.start - seen_until <= self._silence)
            self.open = _Open(self._instrument_id, minute, sight, whole=entered)
        else:
            self.open.add(sight, self._silence)
        self._seen_until = sight.end
        # A piece of a recording may end with its minute: nothing more can come.
        return done + self._close(until=sight.end) if sight.end >= self.open.end else done

    def take_bar(self, bar: Bar) -> tuple[Bar, ...]:
        """Take a bar of a minute or more."""
        if self._seen_until is not None and bar.end <= self._seen_until and self.open is None:
            return ()
        self.open = None
        self._seen_until = bar.end
        self._keep(bar)
        return (bar,)

    def seed(self, bars: Iterable[Bar]) -> None:
        first_open = self.open.start if self.open is not None else None
        known = {bar.start: bar for bar in self.closed}
        for bar in bars:
            if first_open is None or bar.end <= first_open:
                known[bar.start] = bar
                self.partly.discard(bar.start)
        self.closed.clear()
        self.closed.extend(known[start] for start in sorted(known))
        self._forget()

    def _close(self, until: datetime) -> tuple[Bar, ...]:
        open_minute = self.open
        assert open_minute is not None, "Invariant: only an open minute is closed."
        self.open = None
        bar, whole = open_minute.bar(), open_minute.whole and until - open_minute.seen_until <= self._silence
        if not whole:
            self.partly.add(bar.start)
        self._keep(bar)
        return (bar,) if whole else ()

    def _keep(self, bar: Bar) -> None:
        self.closed.append(bar)
        self._forget()

    def _forget(self) -> None:
        if self.partly and self.closed and len(self.closed) == self.closed.maxlen:
            self.partly = {start for start in self.partly if start >= self.closed[0].start}


class CandleKeeper:
    """Candles of a fixed set of instruments, the newest `keep` minutes of each."""

    def __init__(self, instruments: Iterable[InstrumentId], keep: int = _KEEP, silence: timedelta = _SILENCE) -> None:
        self._minutes = {each: _Minutes(each, keep, silence) for each in instruments}

    @property
    def instruments(self) -> tuple[InstrumentId, ...]:
        return tuple(self._minutes)

    def take(self, quote: Quote) -> tuple[Bar, ...]:
        """Take a quote and give the minute that it closed, if that was seen whole: at most one.

        Raises: Illegal for an instrument that is not kept
        """
        minutes = self._of(quote.instrument_id)
        return () if quote.moment is not Moment.LIVE else minutes.take(_sight(quote))

    def take_bar(self, bar: Bar) -> tuple[Bar, ...]:
        """Take a bar that the source told and give what it closed: itself, or the minute that it completed.

        Raises: Illegal for an instrument that is not kept
        """
        minutes = self._of(bar.instrument_id)
        return minutes.take(_sight(bar)) if bar.interval < MINUTE else minutes.take_bar(bar)

    def seed(self, bars: Iterable[Bar]) -> None:
        """Put the source's own closed bars where minutes are missing or were seen in part, or in place of ours.

        What the open minute has is left alone. Nothing is handed to bots: this is the past.

        Refuses: bars of less than a minute, and of an instrument that is not kept
        Raises:  Illegal, nothing was changed
        """
        told: dict[InstrumentId, list[Bar]] = {}
        for bar in bars:
            self._of(bar.instrument_id)
            if bar.interval < MINUTE:
                raise Illegal("interval", bar.interval, "seed with bars of a minute or more")
            told.setdefault(bar.instrument_id, []).append(bar)
        for instrument_id, its_bars in told.items():
            self._minutes[instrument_id].seed(its_bars)

    def lacks(self, instrument_id: InstrumentId) -> bool:
        """Say whether a kept minute was seen in part only: the source's own bars would mend it.

        Raises: Illegal for an instrument that is not kept
        """
        return bool(self._of(instrument_id).partly)

    def bars(self, instrument_id: InstrumentId, interval: timedelta, limit: int) -> tuple[Bar, ...]:
        """Give the newest candles for a chart, oldest first, the one that is not over yet last.

        A candle of several minutes shows what was seen in them. Longer bars than asked for are given as they are.

        Refuses: an interval that is not in `INTERVALS`, fewer candles than one, an instrument that is not kept
        Raises:  Illegal
        """
        if interval not in INTERVALS.values():
            raise Illegal("interval", interval, f"choose one of {', '.join(INTERVALS)}")
        if limit < 1:
            raise Illegal("limit", limit, "ask for one candle or more")
        minutes = self._of(instrument_id)
        open_bar = () if minutes.open is None else (minutes.open.bar(),)
        return tuple(deque(gathered(chain(minutes.closed, open_bar), interval), maxlen=limit))

    def whole_minutes(self, instrument_id: InstrumentId, limit: int) -> tuple[Bar, ...]:
        """Give the newest closed bars that were seen whole or told by the source, oldest first: what a bot may learn.

        Raises: Illegal for an instrument that is not kept
        """
        minutes = self._of(instrument_id)
        return tuple(deque((bar for bar in minutes.closed if bar.start not in minutes.partly), maxlen=max(limit, 0)))

    def _of(self, instrument_id: InstrumentId) -> _Minutes:
        minutes = self._minutes.get(instrument_id)
        if minutes is None:
            raise Illegal("instrument_id", instrument_id, "its candles are not kept here")
        return minutes
