"""A source that is lost: its recording is gone or another one lies in its place. It tells why, and no price.

The desk that lives on it still starts: what it holds is shown as unknown, and other accounts go on (`feed`, rule 1).
"""

import asyncio
from datetime import datetime, timedelta

from plimsoll.market.feed import FeedState, FeedStatus, TakeBar, TakeQuote
from plimsoll.model.errors import GiveUp
from plimsoll.model.ids import InstrumentId
from plimsoll.model.instrument import Instrument
from plimsoll.model.quote import Bar, SourceFacts


class LostFeed:
    """Stands for a source that cannot be read."""

    def __init__(self, facts: SourceFacts, label: str, why: str, since: datetime) -> None:
        self._facts = facts
        self._label = label
        self._status = FeedStatus(FeedState.DOWN, since, why)

    @property
    def facts(self) -> SourceFacts:
        return self._facts

    @property
    def label(self) -> str:
        return self._label

    @property
    def status(self) -> FeedStatus:
        return self._status

    async def describe(self) -> tuple[Instrument, ...]:
        """Refuse: nobody describes anything.

        Raises: GiveUp
        """
        raise GiveUp(self._status.detail)

    async def run(self, take: TakeQuote, take_bar: TakeBar) -> None:
        """Say nothing until cancelled."""
        del take, take_bar
        await asyncio.get_running_loop().create_future()

    async def bars(self, instrument_id: InstrumentId, interval: timedelta, limit: int) -> tuple[Bar, ...]:
        """Give no bars."""
        del instrument_id, interval, limit
        return ()

    async def close(self) -> None:
        """Hold nothing."""
