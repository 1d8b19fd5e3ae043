"""When something may leave: how often we ask, when we were told to wait, and what time it is at the venue.

Rule 1. We take at most seven tenths of what the venue allows, and the last fifth of that is for what takes risk away:
        a desk that has asked itself into silence can still cancel and close (FAILURES A11, I14).
Rule 2. Who is told to wait asks nothing until then, whatever it is: who asks during a ban is banned for longer.
Rule 3. The venue's time is measured against the stopwatch and never against the hour: the hour of a machine is set,
        back and forth, and a request that is dated into the future lives on after we gave it up (FAILURES D14).
        Every answer that tells the venue's time bounds it from both sides; the lower bound is what we send, so that a
        request ends early rather than late.

What must not enter: what is asked, and by whom.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from plimsoll.model.clock import EPOCH
from plimsoll.model.errors import Wait

#: Told by the exchange's documentation: requests of one address in a minute (Binance spot: 6,000 of weight 1).
LIMIT_A_MINUTE = 6_000
_A_SECOND = LIMIT_A_MINUTE * 0.7 / 60
#: Who has been quiet may ask so many at once. Together with what a minute brings it stays below the limit.
_AT_ONCE = _A_SECOND * 10
_KEPT_BACK = _AT_ONCE / 5
#: Nothing is dated by a time that is known less exactly than this.
MOST_DOUBT = timedelta(seconds=1)


class Use(StrEnum):
    """What a request is for."""

    QUESTION = "question"
    OPENING = "opening"
    #: It takes risk away: a cancel, a close.
    REDUCING = "reducing"


class Pace:
    """How many requests may still leave, and from when on."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._tokens = _AT_ONCE
        self._filled_at = monotonic()
        self._quiet_until = self._filled_at

    def take(self, use: Use) -> None:
        """Count a request that is about to leave.

        Raises: Wait; then it must not
        """
        now = self._monotonic()
        if now < self._quiet_until:
            raise Wait("the venue asked for patience", timedelta(seconds=self._quiet_until - now))
        self._tokens = min(_AT_ONCE, self._tokens + (now - self._filled_at) * _A_SECOND)
        self._filled_at = now
        least = 1.0 if use is Use.REDUCING else 1.0 + _KEPT_BACK
        if self._tokens < least:
            missing = (least - self._tokens) / _A_SECOND
            raise Wait("too many requests in the last seconds", timedelta(seconds=missing))
        self._tokens -= 1

    def be_quiet(self, retry_after: timedelta) -> None:
        """Remember that nothing is wanted for a while; a shorter word does not lift a longer one."""
        self._quiet_until = max(self._quiet_until, self._monotonic() + retry_after.total_seconds())


@dataclass(frozen=True, slots=True)
class _Bounds:
    """The venue's time at stopwatch zero lies between these."""

    least: timedelta
    most: timedelta


class VenueTime:
    """The venue's time, as far as its answers tell."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._bounds: _Bounds | None = None

    def hear(self, told: datetime, asked_at: float) -> None:
        """Take the venue's time out of an answer that has just come; `asked_at` is the stopwatch when we asked."""
        since_epoch = told - EPOCH
        heard = _Bounds(
            since_epoch - timedelta(seconds=self._monotonic()), since_epoch - timedelta(seconds=asked_at) + _MILLISECOND
        )
        known = self._bounds
        if known is not None and heard.least <= known.most and known.least <= heard.most:
            # Each is true, so both are: the bounds come closer with every answer.
            heard = _Bounds(max(known.least, heard.least), min(known.most, heard.most))
        # Where they contradict each other the stopwatch stood still, as over a laptop's sleep: the newer one counts.
        self._bounds = heard

    def forget(self) -> None:
        """Measure anew: the venue says that our idea of its time is wrong."""
        self._bounds = None

    def now(self) -> datetime | None:
        """Say what time it is there at least; None while that is not known closely enough to date a request by."""
        if self._bounds is None or self._bounds.most - self._bounds.least > MOST_DOUBT:
            return None
        return EPOCH + self._bounds.least + timedelta(seconds=self._monotonic())


#: It tells its time in whole ones, cut off.
_MILLISECOND = timedelta(milliseconds=1)
