"""What the owner of books on a server does while it lives: renewing, hearing what others changed, and of its loss."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from plimsoll.bootstrap.ownership import LeaseWatch, keep_the_lease
from plimsoll.ledger import keys, queries
from plimsoll.ledger.books import LedgerBooks
from plimsoll.ledger.database import open_database
from plimsoll.ledger.outside import halt_from_outside
from plimsoll.ledger.schema import metadata
from plimsoll.ledger.verify import verify
from plimsoll.model.account import Halt, Scope, TradingState
from plimsoll.model.clock import Clock, SystemClock
from plimsoll.store.connection import OwnershipLost, StoreFailed
from plimsoll.store.drivers import ThreadDriver
from plimsoll.store.hot import HotKey
from plimsoll.store.lease import Holder, Lease, take_lease
from plimsoll.store.place import PostgresPlace, writer
from plimsoll.store.postgres import connect
from plimsoll.store.scribe import EVENTS, Scribe
from tests.builders.ledger import ACCOUNT, CHAIN_KEY, opening
from tests.builders.postgres import Cluster

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
#: So short that a test need not wait, so long that a busy machine keeps it.
SECONDS = 1.2


@pytest.fixture
def book(postgres_cluster: Cluster) -> Iterator[PostgresPlace]:
    """Give the empty tables of this release in a database of this test's own."""
    with postgres_cluster.copy_of("migrated", open_database) as place:
        yield place


class Owner:
    """The owner of books, as the served desk is."""

    def __init__(self, place: PostgresPlace, clock: Clock) -> None:
        self.place = place
        self.clock = clock
        self.keeper: asyncio.Task[None]
        self.lease: Lease = take_lease(place, Holder("a", "ada"), SECONDS)
        self.watch = LeaseWatch(self.lease, clock, clock.monotonic())
        fence = self.lease.fence(heeds_control=True)
        scribe = Scribe(writer(place, metadata, queries.compiled("postgresql"), fence=fence), LedgerBooks(CHAIN_KEY))
        self.events: asyncio.Queue[Any] = asyncio.Queue()
        scribe.followers.append(self._follow)
        self.told: asyncio.Queue[BaseException] = asyncio.Queue()
        self.books = ThreadDriver(scribe, asyncio.get_running_loop(), on_failure=self.told.put_nowait)

    def _follow(self, changes: Mapping[HotKey, Any]) -> None:
        for event in changes.get(EVENTS, ()):
            self.events.put_nowait(event)

    async def keep(self) -> None:
        await keep_the_lease(self.watch, self.books, self.clock, self.told.put_nowait)


def play(
    place: PostgresPlace, story: Callable[[Owner], Coroutine[object, object, None]], clock: Clock | None = None
) -> None:
    """Run a story with an owner whose account is open."""

    async def main() -> None:
        owner = Owner(place, clock or SystemClock())
        await owner.books.write(opening(()))
        owner.keeper = keeper = asyncio.create_task(owner.keep())
        try:
            async with asyncio.timeout(60):
                await story(owner)
        finally:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
            await owner.books.close()
            owner.lease.release()

    asyncio.run(main())


def tell(place: PostgresPlace, statement: str) -> list[tuple[object, ...]]:
    with connect(place) as connection:
        cursor = connection.execute(statement)
        return list(cursor) if cursor.description else []


def test_an_idle_owner_hears_of_a_halt_writes_it_down_and_tells_the_account(book: PostgresPlace) -> None:
    """Nobody orders anything: the renewal finds it. The note is in the chain, the books are whole."""

    async def story(owner: Owner) -> None:
        shown = tell(book, "SELECT until FROM leases")
        while tell(book, "SELECT until FROM leases") == shown:
            await asyncio.to_thread(tell, book, "SELECT 1")
        halt = Halt(Scope.ACCOUNT, ACCOUNT.id, "manual", TradingState.HALTED, "it hangs", latched=True)
        given = await asyncio.to_thread(
            halt_from_outside, book, TradingState.HALTED, "manual", "it hangs", SystemClock().now()
        )
        assert given == [halt]
        event = await owner.events.get()
        assert (event.account_id, event.details["state"]) == (ACCOUNT.id, "HALTED")
        assert owner.books.hot.get(keys.halt(Scope.ACCOUNT, ACCOUNT.id, "manual")) == halt
        notes = tell(book, "SELECT actor, entity, details_json FROM audit_log WHERE account_id = 0")
        assert notes == [("outside", "HALT", '{"1:manual":"HALTED: it hangs"}')]

    play(book, story)
    assert verify(book, CHAIN_KEY, None).ok


def test_an_owner_that_was_replaced_is_told_once(book: PostgresPlace) -> None:
    """The keeper ends: there is nothing left to keep."""

    async def story(owner: Owner) -> None:
        tell(book, "UPDATE leases SET epoch = epoch + 1, holder = 'bob'")
        assert isinstance(await owner.told.get(), OwnershipLost)
        assert owner.told.empty()

    play(book, story)
    assert tell(book, "SELECT holder FROM leases") == [("bob",)]


def test_an_owner_that_cannot_show_itself_says_so_when_half_its_lease_is_over(book: PostgresPlace) -> None:
    """And goes on trying: when the server takes it again, the lease is as it was."""

    async def story(owner: Owner) -> None:
        tell(book, "ALTER TABLE leases RENAME TO away")
        failure = await owner.told.get()
        assert isinstance(failure, StoreFailed)
        assert not isinstance(failure, OwnershipLost)
        tell(book, "UPDATE away SET until = '2000-01-01'")
        tell(book, "ALTER TABLE away RENAME TO leases")
        while tell(book, "SELECT until > '2001-01-01' FROM leases") != [(True,)]:
            await asyncio.to_thread(tell, book, "SELECT 1")

    play(book, story)
    assert tell(book, "SELECT epoch FROM leases") == [(1,)]


def test_a_halt_from_outside_leaves_a_stricter_one_and_other_sources_alone(book: PostgresPlace) -> None:
    """It only ever makes stricter; before there is an account it binds nobody."""
    assert halt_from_outside(book, TradingState.HALTED, "manual", "", NOON) == []

    async def story(owner: Owner) -> None:
        assert owner.told.empty()

    play(book, story)
    tell(book, "INSERT INTO halts VALUES ('ACCOUNT', 1, 'guard:drawdown', 'REDUCE_ONLY', 'its own', 1, now())")
    for state, reason, expected in [
        (TradingState.CANCEL_ONLY, "one", ("CANCEL_ONLY", "one")),
        (TradingState.CANCEL_ONLY, "two", ("CANCEL_ONLY", "two")),
        (TradingState.REDUCE_ONLY, "three", ("CANCEL_ONLY", "two")),
        (TradingState.HALTED, "four", ("HALTED", "four")),
    ]:
        (halt,) = halt_from_outside(book, state, "manual", reason, NOON)
        assert (halt.state, halt.reason) == expected
        assert tell(book, "SELECT state, reason FROM halts WHERE source = 'manual'") == [expected]
    assert tell(book, "SELECT reason FROM halts WHERE source = 'guard:drawdown'") == [("its own",)]


# What may leave for a venue -------------------------------------------------------------------------------------------


class HandClock:
    """A stopwatch that a test sets."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return NOON

    def monotonic(self) -> float:
        return self.seconds


def test_something_leaves_only_in_the_first_half_of_a_lease_by_the_stopwatch(book: PostgresPlace) -> None:
    """Whatever the hour is said to be; a sign of life counts from when it was begun, not from when it arrived."""
    clock = HandClock()
    watch = LeaseWatch(take_lease(book, Holder("a", "ada"), 30), clock, clock.monotonic())
    assert watch.may_send() is None
    clock.seconds = 14.999
    assert watch.may_send() is None
    clock.seconds = 15.0
    assert watch.may_send() == "the lease on these books was renewed 15.0 s ago and lasts 30 s"
    watch.renewed(10.0)
    assert watch.may_send() is None
    clock.seconds = 25.0
    assert watch.may_send() == "the lease on these books was renewed 15.0 s ago and lasts 30 s"
    watch.lost()
    watch.renewed(25.0)
    assert watch.may_send() == "another process owns these books now"
    watch.lease.release()


def test_an_owner_that_slept_sends_nothing_before_it_has_shown_itself_again(book: PostgresPlace) -> None:
    """Nobody took its place meanwhile: the next sign of life makes the books certain to be its own again."""

    async def story(owner: Owner) -> None:
        clock.seconds = 3_600.0
        assert owner.watch.may_send() is not None
        while owner.watch.may_send() is not None:
            await asyncio.to_thread(tell, book, "SELECT 1")
        assert owner.told.empty()

    clock = HandClock()
    play(book, story, clock)


def test_an_owner_that_was_replaced_sends_nothing_any_more(book: PostgresPlace) -> None:
    """Also in the half of its lease that it believed to have."""

    async def story(owner: Owner) -> None:
        assert owner.watch.may_send() is None
        tell(book, "UPDATE leases SET epoch = epoch + 1, holder = 'bob'")
        await owner.told.get()
        assert owner.watch.may_send() == "another process owns these books now"

    play(book, story)


def test_a_sign_of_life_under_way_arrives_before_the_lease_is_given_back(book: PostgresPlace) -> None:
    """Behind it, it would keep everybody waiting for an owner that has ended."""

    async def story(owner: Owner) -> None:
        with connect(book) as other:
            other.execute("BEGIN")
            other.execute("SELECT FROM leases FOR UPDATE")
            while not tell(book, "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"):
                await asyncio.to_thread(tell, book, "SELECT 1")
            owner.keeper.cancel()
            await asyncio.to_thread(tell, book, "SELECT 1")
            assert not owner.keeper.done()
            other.execute("COMMIT")
        await asyncio.wait([owner.keeper])
        assert owner.keeper.cancelled()

    play(book, story)
    assert tell(book, "SELECT until <= clock_timestamp() FROM leases") == [(True,)]
