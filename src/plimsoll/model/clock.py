"""Time as a parameter: who needs the hour is handed a `Clock`, so that a day can be replayed.

Times are aware `datetime`s in UTC. Their text is exactly 27 characters, so that text order is time order.
"""

import re
import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Protocol

from plimsoll.model.errors import Illegal

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TEXT_LENGTH = 27
_AT_UTC = timedelta(0)
_HOW_TO_WRITE = "write it as 2022-01-21T10:05:00.000000Z"
_WRITTEN = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?!24)[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")


class Clock(Protocol):
    """The hour and a stopwatch. The hour may step; the stopwatch never runs backwards."""

    def now(self) -> datetime:
        """Tell the time, aware and in UTC."""

    def monotonic(self) -> float:
        """Tell seconds since some fixed moment, for measuring durations."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251  sim-ok: the one place that reads the wall clock

    def monotonic(self) -> float:
        return time.monotonic()  # noqa: TID251  sim-ok: the one place that reads the stopwatch


def check_time(when: datetime, field: str) -> datetime:
    """Refuse a time without a zone or outside UTC; give it back otherwise.

    Raises: Illegal
    """
    if when.tzinfo is not UTC and when.utcoffset() != _AT_UTC:
        raise Illegal(field, when, "give an aware time in UTC")
    return when


def time_text(when: datetime) -> str:
    """Write a time as `2022-01-21T10:05:00.000000Z`, always 27 characters.

    Raises: Illegal for another zone: its wall time with a Z behind it would be another moment
    """
    return _text_of(check_time(when, "time"))


@lru_cache(maxsize=1024)  # one unit writes the same moment into half a dozen rows
def _text_of(when: datetime) -> str:
    return when.isoformat(timespec="microseconds")[:26] + "Z"


def parse_time(text: str) -> datetime:
    """Read what `time_text` wrote, and nothing else.

    Raises: Illegal
    """
    # The pattern first: `fromisoformat` also takes weeks, commas and blanks, which would sort among ours as text.
    if not _WRITTEN.fullmatch(text):
        raise Illegal("time", text, _HOW_TO_WRITE)
    try:
        return datetime.fromisoformat(text[:26] + "+00:00")
    except ValueError as no_such_day:
        raise Illegal("time", text, _HOW_TO_WRITE) from no_such_day
