"""Events as they are committed, for those who follow: numbered, without gap, ghost or repetition.

Rule 1. An event is known here when its group is committed, never before: the scribe tells, in the order of the commits.
Rule 2. Every number has its event. Numbers that the scribe never told were committed without anybody knowing (a commit
        that did not answer, found when memory was read back): they are in the database, and are read from there.
Rule 3. The newest are in memory, older ones in the database. Whoever asks for what is kept no longer is told so.
Rule 4. A follower names his accounts and gets nothing of another's. Account 0 is the desk.

This is the one file of the room that waits: for the next commit, and for the loop's executor, where the database is
read. Everything else of it runs in the loop's thread.

What must not enter: who may follow what, and how it travels.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import orjson
from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import SQLAlchemyError

from plimsoll.ledger import schema
from plimsoll.model.errors import PlimsollError
from plimsoll.model.event import Event, EventKind
from plimsoll.model.ids import AccountId
from plimsoll.runtime import rare
from plimsoll.runtime.rare import Site
from plimsoll.store.connection import StoreFailed
from plimsoll.store.hot import HotKey
from plimsoll.store.scribe import EVENTS, HEADS, Heads, Scribe

T = TypeVar("T")

#: The desk itself, as the account of an event.
DESK = AccountId(0)
#: Events in memory; about a kilobyte each.
KEPT = 10_000
#: Most events of one answer: a follower who was away for long comes back for more.
MOST_AT_ONCE = 500

_EVENTS = schema.events.c


class TooOld(PlimsollError):
    """What came after this number is not kept any more: read everything again, then follow from the last number."""

    def __init__(self, number: int) -> None:
        super().__init__(f"event {number}: {type(self).__doc__}")


@dataclass(frozen=True, slots=True)
class Numbered:
    """An event with its place among all events of the desk."""

    number: int
    event: Event


@dataclass(frozen=True, slots=True)
class Stretch:
    """One follower's events in a stretch of numbers."""

    events: Sequence[Numbered]
    #: Everything up to here was looked at: go on from this number.
    through: int


class EventFeed:
    """Every committed event of a desk, in the order of the commits."""

    def __init__(self, scribe: Scribe, reader: Engine, *, kept: int = KEPT) -> None:
        self._reader = reader
        self._kept = kept
        #: Event n stands in place n modulo the size.
        self._ring: list[Event | None] = [None] * kept
        self._arrival = asyncio.Event()
        # Listen first and ask second: a commit in between is heard of twice, and known by its number.
        scribe.followers.append(self._take)
        heads: Heads = scribe.hot.get(HEADS)
        #: The first number in memory, and the one behind the last.
        self._first = self._behind = heads.event + 1

    @property
    def number(self) -> int:
        """Give the number of the last event of all; 0 before the first."""
        return self._behind - 1

    async def since(self, after: int, accounts: frozenset[AccountId], limit: int = MOST_AT_ONCE) -> Stretch:
        """Give what happened to these accounts after a number, in order, at most `limit` events.

        Raises: TooOld, StoreFailed
        """
        if after >= self._first - 1:
            return self._remembered(after, accounts, limit)
        return await self._ask(partial(_stored, after=after, upto=self.number, accounts=accounts, limit=limit))

    async def next(self, after: int, accounts: frozenset[AccountId], limit: int = MOST_AT_ONCE) -> Stretch:
        """Give what `since` gives, as soon as there is something.

        Raises: TooOld, StoreFailed
        """
        while not (stretch := await self.since(after, accounts, limit)).events:
            after = stretch.through
            if after >= self.number:
                await self._arrival.wait()
        return stretch

    async def head(self, accounts: frozenset[AccountId], at: int | None = None) -> int:
        """Give the number of the last event of these accounts, or of their last one not behind `at`.

        0 when there never was one. Where nobody can know, because older ones are kept no longer, it is `at` itself:
        whoever stands there has missed nothing that could still be told.

        Raises: StoreFailed
        """
        at = self.number if at is None else at
        for number in range(min(at, self.number), self._first - 1, -1):
            if self._at(number).account_id in accounts:
                return number
        return await self._ask(partial(_last_stored, at=at, upto=min(at, self._first - 1), accounts=accounts))

    def _remembered(self, after: int, accounts: frozenset[AccountId], limit: int) -> Stretch:
        found: list[Numbered] = []
        for number in range(after + 1, self._behind):
            event = self._at(number)
            if event.account_id in accounts:
                found.append(Numbered(number, event))
                if len(found) == limit:
                    return Stretch(found, number)
        return Stretch(found, max(after, self.number))

    def _at(self, number: int) -> Event:
        event = self._ring[number % self._kept]
        assert event is not None, "Invariant: every number in memory has its event"
        return event

    def _take(self, changes: Mapping[HotKey, Any]) -> None:
        heads: Heads = changes[HEADS]
        told: Sequence[Event] = changes.get(EVENTS, ())
        if heads.event < self._behind:
            return  # a group without events, or one that was committed before we asked
        first = heads.event - len(told) + 1
        if first > self._behind:
            # Committed without anybody knowing. Memory begins anew behind it, and who stands before it reads on from
            # the database: to read it here would hold up the loop, and fail where the disk does.
            self._first = self._behind = first
        for event in told:
            self._ring[self._behind % self._kept] = event
            self._behind += 1
        kept = 0 if rare.strikes(Site.EVENTS_FORGOTTEN) else self._kept
        self._first = max(self._first, self._behind - kept)
        self._arrival.set()
        self._arrival = asyncio.Event()

    async def _ask(self, question: Callable[[Connection], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(None, _at_one_moment, self._reader, question)


def _at_one_moment(reader: Engine, question: Callable[[Connection], T]) -> T:
    try:
        with reader.connect() as connection:
            return question(connection)
    except SQLAlchemyError as error:
        raise StoreFailed(f"cannot read the events: {error}") from error


def _stored(connection: Connection, *, after: int, upto: int, accounts: frozenset[AccountId], limit: int) -> Stretch:
    # One follower's events behind a number, up to what was committed when he asked.
    his = (
        select(_EVENTS.number, _EVENTS.account_id, _EVENTS.kind, _EVENTS.at, _EVENTS.details_json)
        .where(_EVENTS.number > after, _EVENTS.number <= upto, _EVENTS.account_id.in_(sorted(accounts)))
        .order_by(_EVENTS.number)
        .limit(limit)
    )
    oldest = _oldest(connection)
    if after < (upto if oldest is None else oldest - 1):
        raise TooOld(after)
    found = [
        Numbered(number, Event(EventKind(kind), AccountId(account_id), at, orjson.loads(details)))
        for number, account_id, kind, at, details in connection.execute(his)
    ]
    return Stretch(found, found[-1].number if len(found) == limit else upto)


def _last_stored(connection: Connection, *, at: int, upto: int, accounts: frozenset[AccountId]) -> int:
    # The last event of these accounts not behind a number; read backwards, so that a busy account is found at once.
    his = select(_EVENTS.number).where(_EVENTS.number <= upto, _EVENTS.account_id.in_(sorted(accounts)))
    last: int | None = connection.execute(his.order_by(_EVENTS.number.desc()).limit(1)).scalar()
    if last is not None:
        return last
    return 0 if _oldest(connection) == 1 else at


def _oldest(connection: Connection) -> int | None:
    # The first number that is kept.
    return connection.execute(select(func.min(_EVENTS.number))).scalar()
