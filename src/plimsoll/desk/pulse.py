"""Whether this process slept: stopped and gone on, a machine that was suspended, a loop that something held up.

Who slept knows an old book and old prices, and does not know it. A beat is noted every second; one that comes late, or
with an hour that went another way than the stopwatch, says that we were away, or that somebody set the clock. Nothing
opens then until the book was compared with the venue (FAILURES D8).

What if an order comes before the first beat after waking? Whoever opens asks for himself (`is_awake`).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plimsoll.desk.ports import Ports
    from plimsoll.model.clock import Clock

#: A gap between two beats, or between hour and stopwatch, that is no delay any more.
GAP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Beat:
    """A moment at which this process was awake."""

    stopwatch: float
    hour: datetime


def beat_of(clock: "Clock") -> Beat:
    """Take the pulse."""
    return Beat(clock.monotonic(), clock.now())


def why_late(last: Beat, now: Beat) -> str:
    """Say what happened between two beats, if it was more than a second of life; empty where it was not."""
    passed = now.stopwatch - last.stopwatch
    if passed > GAP_SECONDS:
        return f"this process stood still for {passed:.0f} seconds"
    jump = (now.hour - last.hour).total_seconds() - passed
    return f"the clock jumped by {jump:+.0f} seconds" if abs(jump) > GAP_SECONDS else ""


def beat(ports: "Ports") -> None:
    """Note a beat; one that comes late leaves the book in doubt."""
    last, now = ports.beat, beat_of(ports.clock)
    ports.beat = now
    if last is not None and (why := why_late(last, now)):
        ports.doubt(why)


def is_awake(ports: "Ports") -> bool:
    """Say whether the last beat was a moment ago, where anybody beats at all."""
    return ports.beat is None or not why_late(ports.beat, beat_of(ports.clock))
