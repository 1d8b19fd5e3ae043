"""How often somebody may ask: a bucket of tokens for each user and kind of request.

Closing is sacred: what only reduces risk (a halt, flatten, a close, a cancel, an order that reduces what is there)
spends nothing.
"""

from collections.abc import Hashable
from dataclasses import dataclass

from plimsoll.people.actor import Via


@dataclass(frozen=True, slots=True)
class Rate:
    """So many a second on average, so many at once."""

    per_second: float
    burst: int


@dataclass(frozen=True, slots=True)
class Rates:
    """What each may do. A benchmark widens them, and says so."""

    read: Rate = Rate(20, 40)
    #: 60 a minute.
    write_by_person: Rate = Rate(1, 10)
    #: The gate's rate of an account (control 41, standard).
    write_by_key: Rate = Rate(50, 100)

    def of(self, via: Via, *, writes: bool) -> Rate:
        """Choose the rate that binds."""
        if not writes:
            return self.read
        return self.write_by_key if via is Via.KEY else self.write_by_person


class Budget:
    """Who has how much left. Buckets fill with time; a full one is the same as none."""

    def __init__(self) -> None:
        self._buckets: dict[Hashable, tuple[float, float]] = {}

    def spend(self, who: Hashable, rate: Rate, now: float) -> float:
        """Take one token; give 0.0, or the seconds until there is one.

        Units: `now` in seconds of a stopwatch
        """
        left, seen = self._buckets.get(who, (float(rate.burst), now))
        left = min(float(rate.burst), left + (now - seen) * rate.per_second)
        if left < 1:
            self._buckets[who] = (left, now)
            return (1 - left) / rate.per_second
        self._buckets[who] = (left - 1, now)
        return 0.0
