"""Events followed: in the order of the commits, none twice, none missing, none that was undone."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from plimsoll.ledger import queries
from plimsoll.ledger.follow import DESK, EventFeed, Stretch, TooOld
from plimsoll.ledger.log import tell
from plimsoll.ledger.schema import metadata
from plimsoll.model.event import Event, EventKind
from plimsoll.model.ids import AccountId
from plimsoll.runtime.virtual_loop import VirtualClock, run_virtual
from plimsoll.store.connection import CommitUnclear, StoreFailed
from plimsoll.store.draft import Draft
from plimsoll.store.drivers import Driver, LoopDriver, ThreadDriver
from plimsoll.store.scribe import Unit
from plimsoll.store.sqlite import SqliteWriter, reader
from tests.builders.ledger import NOON, Books, books_at

ADA, BOB = AccountId(1), AccountId(2)
BOTH = frozenset([ADA, BOB])
EVERYBODY = frozenset([DESK, ADA, BOB])


class Unlucky(SqliteWriter):
    """The real connection, with accidents planned."""

    #: `before` or `after` the real COMMIT.
    fail_commit = ""
    fail_reopen = False

    def commit(self) -> None:
        planned, self.fail_commit = self.fail_commit, ""
        if planned == "before":
            raise CommitUnclear("COMMIT: disk I/O error")
        super().commit()
        if planned == "after":
            raise CommitUnclear("COMMIT: no answer")

    def reopen(self) -> None:
        if self.fail_reopen:
            raise StoreFailed("cannot open: disk I/O error")
        super().reopen()


class Desk:
    """Books in a file, followed."""

    def __init__(self, path: Path, kept: int) -> None:
        self.path = path
        books_at(path).close()
        self.writer = Unlucky(path, metadata, queries.compiled())
        self.books = Books(self.writer)
        self.reader: Engine = reader(path)
        self.feed = EventFeed(self.books.scribe, self.reader, kept=kept)

    def tell(self, *words: str) -> list[Any]:
        """Commit events as one group, a unit each: `1:a` happens to account 1."""
        return self.books.together(*map(telling, words))

    async def all(self, accounts: frozenset[AccountId], after: int = 0, limit: int = 3) -> list[str]:
        """Follow from a number to the end, a few at a time; every stretch ends where the next begins."""
        found: list[str] = []
        while after < self.feed.number:
            stretch = await self.feed.since(after, accounts, limit)
            assert after < stretch.through <= self.feed.number
            assert len(stretch.events) <= limit
            found += words(stretch)
            after = stretch.through
        return found

    def stored(self, accounts: frozenset[AccountId]) -> list[str]:
        """Ask the committed database what happened to some accounts, in the order of the numbers."""
        with self.reader.connect() as connection:
            rows = connection.exec_driver_sql("SELECT number, account_id, details_json FROM events ORDER BY number")
            return [f"{number}:{json[9:-2]}" for number, account, json in rows if account in accounts]


def telling(word: str) -> Unit:
    """Tell one event, and nothing else."""
    account = AccountId(int(word.partition(":")[0]))

    def unit(draft: Draft) -> None:
        tell(draft, Event(EventKind.BREAK_FOUND, account, NOON, {"what": word.partition(":")[2]}))

    return unit


def words(stretch: Stretch) -> list[str]:
    return [f"{one.number}:{one.event.details['what']}" for one in stretch.events]


def raising(draft: Draft) -> None:
    telling("1:ghost")(draft)
    raise ValueError("a unit of its own mistake")


def doubled(draft: Draft) -> None:
    """Write what the database refuses, with an event."""
    telling("1:ghost")(draft)
    draft.add("audit_log", (None,) * 9)


def play(path: Path, story: Callable[[Desk], Coroutine[Any, Any, None]], *, kept: int = 100) -> None:
    async def main(_clock: VirtualClock) -> None:
        desk = Desk(path / "desk.db", kept)
        try:
            await story(desk)
        finally:
            desk.books.close()

    run_virtual(main, start=NOON)


def test_events_are_given_in_the_order_of_the_commits_to_those_they_happened_to(tmp_path: Path) -> None:
    """Each follower names his accounts; numbers of the others are passed over, and not left to be looked at again."""

    async def story(desk: Desk) -> None:
        assert desk.feed.number == 0
        assert await desk.feed.since(0, BOTH) == Stretch([], 0)
        desk.tell("1:a", "2:b")
        desk.tell("0:c", "1:d")
        desk.tell("2:e")
        assert await desk.all(EVERYBODY) == ["1:a", "2:b", "3:c", "4:d", "5:e"]
        assert await desk.all(frozenset([ADA])) == ["1:a", "4:d"]
        assert await desk.all(frozenset([BOB]), after=2) == ["5:e"]
        assert await desk.all(frozenset()) == []
        stretch = await desk.feed.since(2, frozenset([ADA]))
        assert (words(stretch), stretch.through) == (["4:d"], 5)
        event = stretch.events[0].event
        assert event == Event(EventKind.BREAK_FOUND, ADA, NOON, {"what": "d"})

    play(tmp_path, story)


def test_nothing_is_told_that_was_undone(tmp_path: Path) -> None:
    """Neither of a unit that raises, nor of a group that the database refuses, nor of a commit that failed."""

    async def story(desk: Desk) -> None:
        desk.books.together(telling("1:a"), raising, telling("1:b"))
        desk.books.together(doubled, telling("1:c"))
        desk.writer.fail_commit = "before"
        assert [type(answer) for answer in desk.tell("1:ghost", "1:ghost")] == [StoreFailed] * 2
        desk.tell("1:d")
        assert await desk.all(BOTH) == ["1:a", "2:b", "3:c", "4:d"] == desk.stored(BOTH)

    play(tmp_path, story)


def test_a_commit_that_stands_after_all_is_told(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        desk.writer.fail_commit = "after"
        assert desk.tell("1:a", "2:b") == [None, None]
        assert await desk.all(BOTH) == ["1:a", "2:b"]

    play(tmp_path, story)


@pytest.mark.parametrize("happened", [True, False])
def test_what_was_committed_without_anybody_knowing_is_told_when_memory_is_read_back(
    tmp_path: Path, happened: bool
) -> None:
    """The next group finds it in the database, even one that has nothing to tell; no gap, and no ghost."""

    async def story(desk: Desk) -> None:
        desk.tell("1:a", "2:b")
        desk.writer.fail_commit, desk.writer.fail_reopen = "after" if happened else "before", True
        assert [type(answer) for answer in desk.tell("1:c", "2:d")] == [CommitUnclear] * 2
        assert await desk.all(BOTH) == ["1:a", "2:b"], "nobody knows yet"
        assert [type(answer) for answer in desk.tell("1:ghost")] == [StoreFailed]
        desk.writer.fail_reopen = False
        desk.books.write(lambda _draft: None)
        found = ["3:c", "4:d"] if happened else []
        assert await desk.all(BOTH) == ["1:a", "2:b", *found]
        assert await desk.all(frozenset([BOB]), after=1) == ["2:b", *found[1:]]
        desk.tell("1:e", "2:f")
        assert await desk.all(BOTH) == desk.stored(BOTH)
        assert [word[2:] for word in desk.stored(BOTH)] == ["a", "b", *(word[2:] for word in found), "e", "f"]

    play(tmp_path, story)


def test_events_that_left_memory_are_read_from_the_database(tmp_path: Path) -> None:
    """Three are kept in memory: who stands further back gets the same, in stretches that do not pass his limit."""

    async def story(desk: Desk) -> None:
        for number in range(1, 11):
            desk.tell(f"{number % 2 + 1}:{number}")
        assert await desk.all(BOTH) == [f"{number}:{number}" for number in range(1, 11)]
        assert await desk.all(frozenset([ADA])) == [f"{number}:{number}" for number in (2, 4, 6, 8, 10)]
        first = await desk.feed.since(1, frozenset([ADA]), limit=2)
        assert (words(first), first.through) == (["2:2", "4:4"], 4)
        rest = await desk.feed.since(6, frozenset([BOB]), limit=10)
        assert (words(rest), rest.through) == (["7:7", "9:9"], 10)

    play(tmp_path, story, kept=3)


def test_a_restart_goes_on_with_the_numbers_of_before(tmp_path: Path) -> None:
    async def before(desk: Desk) -> None:
        desk.tell("1:a", "2:b")

    async def after(desk: Desk) -> None:
        assert desk.feed.number == 2
        desk.tell("1:c")
        assert await desk.all(BOTH) == ["1:a", "2:b", "3:c"]

    play(tmp_path, before)
    play(tmp_path, after)


def test_whoever_asks_for_what_is_kept_no_longer_is_told_so(tmp_path: Path) -> None:
    """The number before the oldest is still good: everything behind it is there."""

    async def story(desk: Desk) -> None:
        desk.tell("1:a", "1:b", "2:c", "1:d")
        with desk.writer._connection as connection:
            connection.execute("DELETE FROM events WHERE number <= 2")
        feed = EventFeed(desk.books.scribe, desk.reader)  # as after a restart: nothing in memory
        with pytest.raises(TooOld, match="event 1: What came after this number is not kept any more"):
            await feed.since(1, BOTH)
        assert words(await feed.since(2, BOTH)) == ["3:c", "4:d"]
        connection.execute("DELETE FROM events")
        with pytest.raises(TooOld):
            await feed.since(3, BOTH)
        assert await feed.since(4, BOTH) == Stretch([], 4)

    play(tmp_path, story)


def test_the_head_is_the_last_number_of_these_accounts(tmp_path: Path) -> None:
    """From memory or from the database; of all, or as it was at a number."""

    async def story(desk: Desk) -> None:
        assert await desk.feed.head(BOTH) == 0
        desk.tell("1:a", "2:b", "0:c", "1:d", "0:e", "0:f")
        for feed in (desk.feed, EventFeed(desk.books.scribe, desk.reader)):
            assert await feed.head(EVERYBODY) == 6
            assert await feed.head(frozenset([ADA])) == 4
            assert await feed.head(frozenset([ADA]), at=3) == 1
            assert await feed.head(frozenset([BOB]), at=2) == 2
            assert await feed.head(frozenset([BOB]), at=1) == 0
            assert await feed.head(frozenset([AccountId(9)])) == 0, "it is certain that nothing ever happened there"

    play(tmp_path, story, kept=2)


def test_a_head_that_nobody_can_know_any_more_is_where_one_stands(tmp_path: Path) -> None:
    """His last event may be among those that are kept no longer; standing here he has missed nothing."""

    async def story(desk: Desk) -> None:
        desk.tell("1:a", "2:b", "2:c")
        with desk.writer._connection as connection:
            connection.execute("DELETE FROM events WHERE number <= 2")
        feed = EventFeed(desk.books.scribe, desk.reader)
        assert await feed.head(frozenset([ADA])) == 3
        assert await feed.head(frozenset([ADA]), at=2) == 2
        assert await feed.head(frozenset([BOB])) == 3

    play(tmp_path, story)


def test_events_that_cannot_be_read_are_a_failure_and_not_an_empty_answer(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        desk.tell("1:a", "1:b", "1:c", "1:d")
        hidden = desk.path.with_name("elsewhere")
        desk.path.rename(hidden)
        with pytest.raises(StoreFailed, match="cannot read the events"):
            await desk.feed.since(0, BOTH)
        with pytest.raises(StoreFailed):
            await desk.feed.head(frozenset([BOB]))
        assert words(await desk.feed.since(2, BOTH)) == ["3:c", "4:d"], "what is in memory is still told"
        hidden.rename(desk.path)
        assert await desk.all(BOTH) == ["1:a", "2:b", "3:c", "4:d"]

    play(tmp_path, story, kept=2)


def test_who_waits_gets_the_next_event_of_his_and_is_not_bothered_by_others(tmp_path: Path) -> None:
    """Several wait at once; one who is cancelled takes nothing from the others."""

    async def story(desk: Desk) -> None:
        ada, bob, gone = (asyncio.ensure_future(desk.feed.next(0, frozenset([account]))) for account in (ADA, BOB, ADA))
        await asyncio.sleep(0)
        desk.tell("2:b")
        desk.books.write(lambda draft: draft.replace("meta", "x", ("x", "no event")))
        gone.cancel()
        assert words(await bob) == ["1:b"]
        await asyncio.sleep(1)
        assert not ada.done()
        desk.tell("1:a", "1:c")
        assert words(await ada) == ["2:a", "3:c"]
        assert words(await desk.feed.next(0, frozenset([ADA]), limit=1)) == ["2:a"], "there already: no waiting"
        assert gone.cancelled()

    play(tmp_path, story)


def test_an_event_that_comes_while_older_ones_are_read_is_not_slept_through(tmp_path: Path) -> None:
    """The database takes a second to say that there was nothing for her; her event is committed in between."""

    async def main(_clock: VirtualClock) -> None:
        desk = Desk(tmp_path / "desk.db", kept=1)
        desk.tell("2:a", "2:b", "2:c")
        ada = asyncio.ensure_future(desk.feed.next(0, frozenset([ADA])))
        await asyncio.sleep(0.5)
        desk.tell("1:d")
        assert words(await asyncio.wait_for(ada, 5)) == ["4:d"]
        desk.books.close()

    run_virtual(main, start=NOON, executor_latency=lambda: 1.0)


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32), kept=st.integers(1, 12))
def test_every_follower_sees_what_was_committed_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, seed: int, kept: int
) -> None:
    """Random groups, refusals, unclear commits and bad disks; followers who look whenever they like, by all means.

    What a follower has seen is at every moment the beginning of what the database says at the end.
    """
    chance = random.Random(seed)
    seen: dict[frozenset[AccountId], list[str]] = {accounts: [] for accounts in (BOTH, EVERYBODY, frozenset([BOB]))}
    places = dict.fromkeys(seen, 0)

    async def look(desk: Desk, accounts: frozenset[AccountId]) -> None:
        stretch = await desk.feed.since(places[accounts], accounts, chance.randint(1, 4))
        seen[accounts] += words(stretch)
        places[accounts] = stretch.through

    async def story(desk: Desk) -> None:
        for step in range(chance.randint(1, 30)):
            desk.writer.fail_commit = chance.choice(["", "", "", "before", "after"])
            desk.writer.fail_reopen = chance.random() < 0.3
            units = [telling(f"{chance.randint(0, 2)}:{step}.{number}") for number in range(chance.randint(1, 4))]
            if chance.random() < 0.2:
                units.insert(chance.randint(0, len(units)), chance.choice([raising, doubled]))
            desk.books.together(*units)
            await look(desk, chance.choice(list(seen)))
        desk.writer.fail_commit, desk.writer.fail_reopen = "", False
        desk.tell("1:the end")
        for accounts, found in seen.items():
            while places[accounts] < desk.feed.number:
                await look(desk, accounts)
            assert found == desk.stored(accounts)
            assert not any("ghost" in word for word in found)

    play(tmp_path_factory.mktemp("desk"), story, kept=kept)


@pytest.mark.parametrize("threaded", [False, True])
def test_both_drivers_feed_in_the_order_of_the_commits(tmp_path: Path, threaded: bool) -> None:
    """On a real loop, with writers and a follower at the same time."""

    async def main() -> None:
        desk = Desk(tmp_path / "desk.db", kept=50)
        loop, failures = asyncio.get_running_loop(), list[BaseException]()
        driver: Driver = (
            ThreadDriver(desk.books.scribe, loop, on_failure=failures.append, group_limit=7)
            if threaded
            else LoopDriver(desk.books.scribe, on_failure=failures.append, group_size=lambda: 7)
        )

        async def follow() -> list[str]:
            found: list[str] = []
            place = 0
            while len(found) < 150:
                stretch = await desk.feed.next(place, BOTH)
                found += words(stretch)
                place = stretch.through
            return found

        following = asyncio.ensure_future(follow())
        await asyncio.gather(*(driver.write(telling(f"{number % 3}:{number}")) for number in range(225)))
        assert await following == desk.stored(BOTH)
        await driver.close()
        assert failures == []

    asyncio.run(main())
