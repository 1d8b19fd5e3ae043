"""Who follows the stream, and what each is due: events by number, the newest quotes, the newest pulse.

Rule 1. A subscriber has a place and no queue. Events are read from where he stands, quotes and pulses are the newest:
        whoever reads slowly gets later events and fewer pictures, and the desk keeps nothing for him.
Rule 2. Subscribers with the same accounts are one *audience*: what they get is written once.
Rule 3. The order path comes first. Subscribers are woken a few at a time, and after so many frames everybody rests: in
        a burst of events all fall behind the desk, and catch up by number.
Rule 4. Who takes nothing for `Pace.patience_seconds` is cut off, and so is whoever's session or key has ended. He comes
        back with his number, and has missed nothing.
Rule 5. Streams are counted by token: a program that opens all it may shuts out itself, and not its user's page.

What must not enter: HTTP, and whose account is whose.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import Any, Protocol, TypeVar

from plimsoll.edges.api import stream_frames as frames
from plimsoll.edges.api.schemas import AccountPulse
from plimsoll.edges.api.stream_frames import Framed, Name
from plimsoll.edges.api.stream_ticker import Ticker
from plimsoll.ledger.follow import DESK, EventFeed, Numbered, TooOld
from plimsoll.model.clock import Clock
from plimsoll.model.errors import Illegal, PlimsollError, TryAgain, Wait
from plimsoll.model.ids import AccountId
from plimsoll.people.actor import Actor
from plimsoll.runtime import rare
from plimsoll.runtime.logging import logger
from plimsoll.runtime.rare import Site

log = logger("stream")

T = TypeVar("T")

#: How an account stands now.
PulseOf = Callable[[AccountId], AccountPulse]

#: Event frames that an audience keeps: subscribers stand close together, and one far behind writes his own.
_WRITTEN = 256
#: How long a line may take to hear that it ends.
_LAST_WORD_SECONDS = 1.0
#: So many are woken before anything else of the desk gets its turn.
_TURNS_AT_ONCE = 4
#: Shorter rests are saved up: the loop's clock counts milliseconds.
_SHORTEST_REST_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class Pace:
    """How often, how many, how long."""

    quotes_seconds: float = 0.25
    pulse_seconds: float = 1.0
    #: A line that carried nothing else for so long carries a heartbeat.
    heartbeat_seconds: float = 5.0
    #: How often tokens are asked again; a stream ends within 5 s of its session or key.
    token_seconds: float = 2.0
    patience_seconds: float = 10.0
    #: Of one session or key of his.
    streams_per_user: int = 20
    #: Sending stays below it: a fifth of one core, at 13 µs a frame (measured, 200 WebSockets).
    frames_per_second: int = 15_000
    #: Most events that a subscriber gets before it is another's turn.
    events_at_once: int = 25
    #: Rounds are no closer together.
    round_seconds: float = 0.01


@dataclass(frozen=True, slots=True)
class Sight:
    """What somebody may see."""

    #: Whose events and figures; account 0 is the desk, which has no figures.
    accounts: frozenset[AccountId]
    #: Whose prices.
    priced: frozenset[AccountId]


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a stream ends, as a WebSocket says it."""

    code: int
    reason: str


STOPPING = Ending(1001, "the desk is stopping")
TALKATIVE = Ending(1008, "nothing is expected from you here")
FAILED = Ending(1011, "the desk could not go on with it: come back with your number")
SIGNED_OUT = Ending(4401, "the session or key has ended")
TOO_SLOW = Ending(4408, "nothing was taken for too long: come back with your number")


class LineCut(Exception):
    """The other side is gone."""


class Line(Protocol):
    """The way to one subscriber."""

    async def open(self) -> None:
        """Begin.

        Raises: LineCut
        """

    async def send(self, some: Sequence[Framed]) -> None:
        """Send frames; takes as long as the other side does.

        Raises: LineCut
        """

    async def listen(self) -> Ending | None:
        """Wait until the other side is gone (None), or does what ends the stream."""

    async def close(self, ending: Ending) -> None:
        """Say why it ends, and end it.

        Raises: LineCut
        """


class _Audience:
    """Those who see the same."""

    def __init__(self, sight: Sight, sources: frozenset[str], newest: int) -> None:
        self.sight, self.accounts, self.sources = sight, sight.accounts, sources
        self.members = 0
        #: No event of theirs is behind it.
        self.newest = newest
        self.pulse: Framed | None = None
        self.pulses = 0
        self._written: dict[tuple[int, int], Framed] = {}

    def event(self, numbered: Numbered, previous: int, name: Name) -> Framed:
        """Write an event, or give what was written for another."""
        key = (numbered.number, previous)
        framed = self._written.get(key)
        if framed is None:
            framed = self._written[key] = frames.event(numbered, previous, name)
            if len(self._written) > _WRITTEN:
                del self._written[next(iter(self._written))]
        return framed


class Subscriber:
    """One open stream, and how far it has come."""

    def __init__(self, actor: Actor, audience: _Audience, after: int, now: float, *, resumed: bool) -> None:
        self.actor, self.audience = actor, audience
        #: He said from which number; else he follows from now.
        self.resumed = resumed
        #: Everything up to here was sent, or is none of his.
        self.position = after
        #: Number of his last event.
        self.last = 0
        self.quotes = 0
        self.pulses = 0
        self.sent_at = now
        self.ended: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        #: Set when it is his turn, if he waits for it: he may still read what he is due, or send it.
        self.wake = asyncio.Event()
        self.waits = self.sends = False

    def end(self, ending: Ending) -> None:
        """Have the stream end; the first reason stands."""
        if not self.ended.done():
            self.ended.set_result(ending)

    async def turn(self) -> None:
        """Wait for his turn."""
        self.wake.clear()
        self.waits = True
        await self.wake.wait()
        self.waits = False


class Streams:
    """All open streams of a desk."""

    def __init__(
        self,
        events: EventFeed,
        ticker: Ticker,
        *,
        clock: Clock,
        accounts: frozenset[AccountId],
        sight_of: Callable[[Actor], Sight],
        name: Name,
        pulse: PulseOf,
        is_alive: Callable[[Actor], bool],
        pace: Pace | None = None,
    ) -> None:
        self._events, self._ticker, self._clock, self._name = events, ticker, clock, name
        #: Every account of the desk, itself included: what wakes the hub.
        self._accounts, self._sight_of = accounts, sight_of
        self._pulse, self._is_alive, self._pace = pulse, is_alive, pace or Pace()
        self._audiences: dict[Sight, _Audience] = {}
        self._subscribers: dict[Subscriber, None] = {}
        #: By the public id of the session or key.
        self._of_token: Counter[str] = Counter()
        self._hub: asyncio.Task[None] | None = None
        self._told = 0
        self._sent = 0
        self._closing = False
        self._nobody = asyncio.Event()

    # ------------------------------------------------------------------------------------------------ coming, going

    def enter(self, actor: Actor, after: int | None) -> Subscriber:
        """Take somebody in who follows his accounts, from a number on or from now; `serve` must come next.

        Raises: Illegal for a number that no event has yet; Wait for one stream too many; TryAgain at the end
        """
        if self._closing:
            raise TryAgain("the desk is stopping: come back with your number")
        if after is not None and after > self._events.number:
            known = f"the last event is {self._events.number}: read everything again, then follow without a number"
            raise Illegal("after", after, known)
        most = self._pace.streams_per_user
        if self._of_token[actor.token_uid] >= most:
            raise Wait(f"{most} streams of this session or key are open already: close one", timedelta(seconds=5))
        audience = self._audience_of(self._sight_of(actor))
        subscriber = Subscriber(
            actor,
            audience,
            self._events.number if after is None else after,
            self._clock.monotonic(),
            resumed=after is not None,
        )
        audience.members += 1
        self._of_token[actor.token_uid] += 1
        self._subscribers[subscriber] = None
        if self._hub is None:
            self._told = self._events.number
            self._hub = asyncio.get_running_loop().create_task(self._run())
        return subscriber

    async def serve(self, subscriber: Subscriber, line: Line) -> None:
        """Send a subscriber all that he is due, until one of the two sides ends it."""
        try:
            await line.open()
            ending = await self._until_it_ends(subscriber, line)
            if ending is not None:
                log.info("stream_ended", user=subscriber.actor.user.id, code=ending.code, at=subscriber.position)
                # Whoever takes nothing does not take the last word either, and is not waited for.
                with suppress(TimeoutError, LineCut):
                    async with asyncio.timeout(_LAST_WORD_SECONDS):
                        await line.close(ending)
        except LineCut:
            pass  # gone before it began
        finally:
            self._leave(subscriber)

    async def close(self) -> None:
        """End every stream at once, and take nobody in any more. To be called before the server is stopped."""
        self._closing = True
        for subscriber in self._subscribers:
            subscriber.end(STOPPING)
        if self._subscribers:
            self._nobody.clear()
            await self._nobody.wait()
        if self._hub is not None:
            self._hub.cancel()
            await asyncio.wait([self._hub])

    def _audience_of(self, sight: Sight) -> _Audience:
        audience = self._audiences.get(sight)
        if audience is None:
            audience = _Audience(sight, self._ticker.sources_of(sight.priced), self._events.number)
            self._audiences[sight] = audience
            self._beat(audience)
        return audience

    def _leave(self, subscriber: Subscriber) -> None:
        audience, token = subscriber.audience, subscriber.actor.token_uid
        del self._subscribers[subscriber]
        self._of_token -= Counter((token,))
        audience.members -= 1
        if not audience.members:
            del self._audiences[audience.sight]
        if not self._subscribers:
            self._nobody.set()

    async def _until_it_ends(self, subscriber: Subscriber, line: Line) -> Ending | None:
        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(self._send(subscriber, line)), loop.create_task(line.listen())]
        ends: list[asyncio.Future[Any]] = [subscriber.ended, *tasks]
        try:
            done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        # Several may have come at once; the desk's own word counts first.
        first: asyncio.Future[Ending | None] = next(one for one in ends if one in done)
        return first.result()

    # ------------------------------------------------------------------------------------------- what one is due

    async def _send(self, subscriber: Subscriber, line: Line) -> Ending | None:
        try:
            due = [await self._greeting(subscriber), *await self._due(subscriber)]
            while True:
                if due:
                    subscriber.sends = True
                    async with asyncio.timeout(self._pace.patience_seconds):
                        await line.send(due)
                    subscriber.sends = False
                    self._sent += len(due)
                    subscriber.sent_at = self._clock.monotonic()
                await subscriber.turn()
                due = await self._due(subscriber)
        except TimeoutError:
            return TOO_SLOW
        except LineCut:
            return None
        except PlimsollError as failure:
            log.error("events_not_read", failure=str(failure))
            return FAILED

    async def _greeting(self, subscriber: Subscriber) -> Framed:
        position, accounts = subscriber.position, subscriber.audience.accounts
        subscriber.last = await self._events.head(accounts, position)
        number = await self._events.head(accounts) if subscriber.resumed else subscriber.last
        return frames.hello(number, stands_at=position, heartbeat_seconds=self._pace.heartbeat_seconds)

    async def _due(self, subscriber: Subscriber) -> list[Framed]:
        audience, due = subscriber.audience, await self._events_due(subscriber)
        if self._ticker.number > subscriber.quotes:
            changed = _picture(partial(self._ticker.since, subscriber.quotes, audience.sources))
            due += () if changed is None else (changed,)
            subscriber.quotes = self._ticker.number
        if audience.pulse is not None and audience.pulses > subscriber.pulses:
            due.append(audience.pulse)
            subscriber.pulses = audience.pulses
        if not due and self._is_silent(subscriber, self._clock.monotonic()):
            due.append(frames.heartbeat(self._clock.now()))
        return due

    async def _events_due(self, subscriber: Subscriber) -> list[Framed]:
        audience, most = subscriber.audience, self._pace.events_at_once
        if rare.strikes(Site.ONE_EVENT_AT_ONCE):
            most = 1
        if subscriber.position < self._events.number and rare.strikes(Site.FOLLOWER_LEFT_BEHIND):
            return await self._left_behind(subscriber)
        try:
            stretch = await self._events.since(subscriber.position, audience.accounts, most)
        except TooOld:
            return await self._left_behind(subscriber)
        due = []
        for numbered in stretch.events:
            due.append(audience.event(numbered, subscriber.last, self._name))
            subscriber.last = numbered.number
        subscriber.position = stretch.through
        return due

    async def _left_behind(self, subscriber: Subscriber) -> list[Framed]:
        subscriber.position = self._events.number
        subscriber.last = await self._events.head(subscriber.audience.accounts, subscriber.position)
        return [frames.snapshot_required(subscriber.last, stands_at=subscriber.position)]

    def _is_silent(self, subscriber: Subscriber, now: float) -> bool:
        return now - subscriber.sent_at >= self._pace.heartbeat_seconds

    def _is_due(self, subscriber: Subscriber, now: float) -> bool:
        audience = subscriber.audience
        return (
            audience.newest > subscriber.position
            or audience.pulses > subscriber.pulses
            or self._ticker.number > subscriber.quotes
            or self._is_silent(subscriber, now)
        )

    # -------------------------------------------------------------------------------------------------- whose turn

    async def _run(self) -> None:
        try:
            await self._turn()
        except Exception:
            # The outer edge: nobody may go on unwatched, or wait for a turn that never comes.
            log.exception("streams_failed")
            for subscriber in self._subscribers:
                subscriber.end(FAILED)
        finally:
            self._hub = None

    async def _turn(self) -> None:
        """As long as anybody is there: look at prices, read pulses, ask tokens, and give everybody his turn."""
        pace, looks, pulses, tokens = self._pace, 0.0, 0.0, 0.0
        while self._subscribers:
            now = self._clock.monotonic()
            if now >= looks:
                looks = now + pace.quotes_seconds
                self._ticker.look()
            if now >= pulses:
                pulses = now + pace.pulse_seconds
                await self._beat_all()
            if now >= tokens:
                tokens = now + pace.token_seconds
                self._ask_tokens()
            await self._give_turns()
            # For one who still reads from the database the next turn comes soon; one who does not take what he is sent
            # must not keep us turning.
            if not any(self._is_due(one, now) for one in self._subscribers if not one.sends):
                await self._news(min(looks, pulses, tokens))
            # What comes in meanwhile goes together.
            await asyncio.sleep(pace.round_seconds)

    async def _news(self, until: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, until - self._clock.monotonic())):
                stretch = await self._events.next(self._told, self._accounts)
                newest = {numbered.event.account_id: numbered.number for numbered in stretch.events}
                for audience in self._audiences.values():
                    concerns = [newest[account] for account in audience.accounts if account in newest]
                    audience.newest = max([audience.newest, *concerns])
                self._told = stretch.through

    async def _give_turns(self) -> None:
        now, owed = self._clock.monotonic(), 0.0
        waiting = iter([one for one in self._subscribers if one.waits and self._is_due(one, now)])
        while few := list(islice(waiting, _TURNS_AT_ONCE)):
            before = self._sent
            for subscriber in few:
                subscriber.wake.set()
            await asyncio.sleep(0)  # they send
            owed += (self._sent - before) / self._pace.frames_per_second
            if owed > _SHORTEST_REST_SECONDS:
                await asyncio.sleep(owed)
                owed = 0.0

    async def _beat_all(self) -> None:
        for audience in list(self._audiences.values()):
            self._beat(audience)
            await asyncio.sleep(0)  # many pulses are a long time for an order to wait

    def _beat(self, audience: _Audience) -> None:
        standing = [self._pulse_of(account) for account in sorted(audience.accounts - {DESK})]
        audience.pulse = frames.pulse([one for one in standing if one is not None], self._clock.now())
        audience.pulses += 1

    def _pulse_of(self, account: AccountId) -> AccountPulse | None:
        return _picture(partial(self._pulse, account))

    def _ask_tokens(self) -> None:
        for subscriber in self._subscribers:
            if not self._is_alive(subscriber.actor):
                subscriber.end(SIGNED_OUT)


def _picture(draw: Callable[[], T]) -> T | None:
    """Draw what may be missing: figures that cannot be shown now must not keep back what happened."""
    try:
        return draw()
    except Exception:
        log.exception("picture_failed")
        return None
