"""Bars gathered into longer ones, on the grid that all charts share: whole intervals counted from 1970 in UTC.

What must not enter: bars that were not there. A longer bar tells what was seen in it, and one without any is a gap.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from plimsoll.model.clock import EPOCH
from plimsoll.model.errors import Illegal
from plimsoll.model.quote import Bar

MINUTE = timedelta(minutes=1)


def check_interval(interval: timedelta) -> timedelta:
    """Refuse an interval that is not a whole number of minutes; give it back otherwise.

    Raises: Illegal
    """
    if interval < MINUTE or interval % MINUTE:
        raise Illegal("interval", interval, "give a whole number of minutes, one or more")
    return interval


def grid_start(when: datetime, interval: timedelta) -> datetime:
    """Give the start of the interval that a moment lies in."""
    return when - (when - EPOCH) % interval


def gathered(bars: Iterable[Bar], interval: timedelta) -> Iterator[Bar]:
    """Gather bars in order of time into bars of `interval`. One that is as long already is given as it is."""
    held: list[Bar] = []
    for bar in bars:
        if held and (
            bar.interval >= interval or grid_start(bar.start, interval) != grid_start(held[0].start, interval)
        ):
            yield _one(held, interval)
            held = []
        if bar.interval >= interval:
            yield bar
        else:
            held.append(bar)
    if held:
        yield _one(held, interval)


def _one(bars: list[Bar], interval: timedelta) -> Bar:
    first, last = bars[0], bars[-1]
    volumes = [bar.volume for bar in bars if bar.volume is not None]
    return Bar(
        first.instrument_id,
        grid_start(first.start, interval),
        interval,
        first.open,
        max(bar.high for bar in bars),
        min(bar.low for bar in bars),
        last.close,
        # One part of unknown volume makes the whole unknown.
        sum(volumes[1:], volumes[0]) if len(volumes) == len(bars) else None,
        first.open_spread,
        last.close_spread,
    )
