"""Waiting for an hour of the clock, by the loop's timers."""

import asyncio
from datetime import datetime

from plimsoll.model.clock import Clock

#: Nobody sleeps longer in one go: a clock that was set forward, or a machine that slept, is noticed by then.
_LONGEST_NAP_SECONDS = 60.0


async def until(clock: Clock, when: datetime) -> None:
    """Wait until the clock shows `when`; one turn of the loop when it already does."""
    left = (when - clock.now()).total_seconds()
    if left <= 0:
        await asyncio.sleep(0)
    while left > 0:
        await asyncio.sleep(min(left, _LONGEST_NAP_SECONDS))
        left = (when - clock.now()).total_seconds()
