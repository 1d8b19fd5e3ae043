"""A recording played at the pace it was recorded, its times moved so that it begins when its account did.

Rule 1. What is shown is a function of recording, origin and time. The recording goes on while the desk is stopped, as a
        market does, and a restart finds it where it would be by then. It never begins anew: that would show an account
        two prices for one moment, and its positions a fall or rise that nobody recorded.
Rule 2. Times are moved by a whole number of the recording's intervals, so that minutes stay on the grid of minutes.
Rule 3. Each bar is its open, then the bar, then its close (`PriceFeed.run`). Gaps stay gaps. A bar whose end has passed
        before it was begun, while the desk was stopped or the machine slept, is past: nobody is shown it late.
Rule 4. At its end the feed says ENDED and nothing more, for ever: the last prices grow old and are unknown.

What must not enter: another speed. That is `plimsoll replay`, where the clock is virtual as well.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from plimsoll.market import candles
from plimsoll.market.candles import BadRecording, Recording
from plimsoll.market.feed import FeedState, FeedStatus, TakeBar, TakeQuote
from plimsoll.market.gather import check_interval, gathered, grid_start
from plimsoll.market.pace import until
from plimsoll.model.clock import Clock, check_time
from plimsoll.model.errors import GiveUp, Illegal
from plimsoll.model.ids import InstrumentId
from plimsoll.model.instrument import Instrument
from plimsoll.model.quote import Bar, SourceFacts

#: A long recording is read in parts, so that orders get through between two of them: about 2 ms each.
_BARS_AT_ONCE = 500


class ReplayFeed:
    """One inspected recording for one instrument. `origin` is when its account was made: the same at every start."""

    def __init__(self, recording: Recording, instrument: Instrument, clock: Clock, origin: datetime) -> None:
        self._recording = recording
        self._instrument = instrument
        self._clock = clock
        self._moved = grid_start(check_time(origin, "origin"), recording.interval) - recording.first
        detail = f"{recording.path.name} has not been started"
        self._status = FeedStatus(FeedState.CONNECTING, clock.now(), detail)

    @property
    def facts(self) -> SourceFacts:
        return self._recording.facts

    @property
    def label(self) -> str:
        return f"Replay of {self._recording.path.name}"

    @property
    def status(self) -> FeedStatus:
        return self._status

    @property
    def ends_at(self) -> datetime:
        """Give when the last recorded bar closes, in the time at which it is played."""
        return self._recording.last + self._recording.interval + self._moved

    async def describe(self) -> tuple[Instrument, ...]:
        """Give the instrument as it was given: a recording does not say what its venue takes."""
        return (self._instrument,)

    async def run(self, take: TakeQuote, take_bar: TakeBar) -> None:
        """Play what is still to come, then stay silent; a file that changed since it was inspected is not played."""
        try:
            async for bar in self._bars():
                if bar.end <= self._clock.now():
                    continue
                await until(self._clock, bar.start)
                self._now(FeedState.RUNNING)
                take(bar.open_quote())
                await until(self._clock, bar.end)
                take_bar(bar)
                take(bar.close_quote())
            self._now(FeedState.ENDED, f"{self._recording.path.name} was played to its end at {self.ends_at:%F %T} UTC")
        except BadRecording as problem:
            self._now(FeedState.DOWN, str(problem))
        await asyncio.get_running_loop().create_future()  # silence, until somebody cancels

    async def bars(self, instrument_id: InstrumentId, interval: timedelta, limit: int) -> tuple[Bar, ...]:
        """Give the last bars that were played since the origin; those of a longer recording are given as they are.

        Refuses: an interval that is not a whole number of minutes; another instrument
        Raises:  Illegal; GiveUp when the file is not the one that was inspected
        """
        check_interval(interval)
        if instrument_id != self._instrument.id:
            raise Illegal("instrument_id", instrument_id, f"this is a recording of {self._instrument.symbol} only")
        now = self._clock.now()
        try:
            played = [bar async for bar in self._bars() if bar.end <= now]
        except BadRecording as problem:
            raise GiveUp(str(problem)) from problem
        closed = (bar for bar in gathered(played, interval) if bar.end <= now)
        return tuple(deque(closed, maxlen=max(limit, 0)))

    async def close(self) -> None:
        """Nothing is held open: a reader lives as long as whoever reads."""

    async def _bars(self) -> AsyncIterator[Bar]:
        recorded: Iterator[Bar] = candles.bars(self._recording, self._instrument.id)
        for number, bar in enumerate(recorded):
            if number % _BARS_AT_ONCE == 0:
                await asyncio.sleep(0)
            yield replace(bar, start=bar.start + self._moved)

    def _now(self, state: FeedState, detail: str = "") -> None:
        if state is not self._status.state:
            self._status = FeedStatus(state, self._clock.now(), detail)
