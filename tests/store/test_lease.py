"""One owner: who takes the lease writes, and whoever had it before does not, frozen or not, whatever his clock says."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from plimsoll.ledger import keys, queries
from plimsoll.ledger.database import open_database
from plimsoll.ledger.schema import metadata
from plimsoll.model.account import Halt, Scope, TradingState
from plimsoll.store.connection import ControlMoved, OwnershipLost, StoreFailed
from plimsoll.store.draft import Draft
from plimsoll.store.lease import Holder, Lease, LeaseHeld, from_outside, has_lease, take_lease
from plimsoll.store.place import PostgresPlace, writer
from plimsoll.store.postgres import connect
from tests.builders.ledger import Books, assert_hot_equals_database, paying
from tests.builders.postgres import Cluster, fresh_place

ADA, BOB = Holder("a", "ada:/desk"), Holder("b", "bob:/desk")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def book(postgres_cluster: Cluster) -> Iterator[PostgresPlace]:
    """Give the empty tables of this release in a database of this test's own."""
    with postgres_cluster.copy_of("migrated", open_database) as place:
        yield place


def owned(place: PostgresPlace, lease: Lease, *, heeds_control: bool = True) -> Books:
    """Open books with the check of a lease."""
    fence = lease.fence(heeds_control=heeds_control)
    return Books(writer(place, metadata, queries.compiled("postgresql"), fence=fence))


def ask(place: PostgresPlace, question: str, *parameters: object) -> list[tuple[object, ...]]:
    with connect(place) as connection:
        return list(connection.execute(question, parameters))


def run_out(place: PostgresPlace) -> None:
    """Let the lease's end come at once."""
    with connect(place) as connection:
        connection.execute("UPDATE leases SET until = clock_timestamp() - interval '1 second'")


def references(place: PostgresPlace) -> list[object]:
    return [row[0] for row in ask(place, "SELECT reference FROM cash_lines ORDER BY id")]


# Who may take it ------------------------------------------------------------------------------------------------------


def test_who_comes_first_owns_and_the_second_hears_who_and_until_when(book: PostgresPlace) -> None:
    """A refusal names the holder, the end and the remedy, and changes nothing."""
    lease = take_lease(book, ADA)
    row = ask(book, "SELECT * FROM leases")
    with pytest.raises(LeaseHeld, match=r"ada:/desk \[a\], and its lease runs until 20\d\d-.*Z") as refused:
        take_lease(book, BOB)
    assert "only-for-tests" not in str(refused.value)
    assert ask(book, "SELECT * FROM leases") == row
    lease.release()
    assert take_lease(book, BOB).epoch == 2


def test_a_lease_that_ran_out_is_anybodys(book: PostgresPlace) -> None:
    """By the clock of the database, and the epoch goes up."""
    take_lease(book, ADA)
    run_out(book)
    assert take_lease(book, BOB).epoch == 2


def test_a_process_of_the_same_folder_need_not_wait(book: PostgresPlace) -> None:
    """It holds the folder's lock, so whoever had the lease from there is dead."""
    take_lease(book, ADA)
    assert take_lease(book, Holder("a", "elsewhere:/moved")).epoch == 2


def test_books_without_tables_have_no_lease(postgres_cluster: Cluster, book: PostgresPlace) -> None:
    """A schema that is empty, one that is not there, one with tables."""
    assert has_lease(book)
    assert not has_lease(PostgresPlace(book.url, "nowhere"))
    with fresh_place(postgres_cluster) as empty:
        assert not has_lease(empty)


def test_of_many_who_come_at_once_one_owns(book: PostgresPlace) -> None:
    """Eight at the same moment, the row not yet made."""
    came: list[object] = []
    gate = threading.Barrier(8)

    def come(number: int) -> None:
        gate.wait()
        try:
            came.append(take_lease(book, Holder(str(number), str(number))).epoch)
        except LeaseHeld as held:
            came.append(type(held))

    threads = [threading.Thread(target=come, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, came)) == sorted(["1", *[str(LeaseHeld)] * 7])


# What the owner hears -------------------------------------------------------------------------------------------------


def test_the_owner_writes_and_shows_that_it_lives(book: PostgresPlace) -> None:
    """Renewing moves the end; a release gives it away at once, and again is harmless."""
    lease = take_lease(book, ADA, 30)
    books = owned(book, lease).open()
    run_out(book)
    assert lease.renew() is False
    ((left,),) = ask(book, "SELECT until > clock_timestamp() + interval '25 seconds' FROM leases")
    assert left
    books.write(paying("1", "a"))
    assert_hot_equals_database(books)
    books.close()
    lease.release()
    lease.release()
    assert ask(book, "SELECT epoch, until <= clock_timestamp() FROM leases") == [(1, True)]


def test_a_lease_that_ran_out_and_that_nobody_took_is_still_ours(book: PostgresPlace) -> None:
    """Its end says when others may come, and nothing else."""
    lease = take_lease(book, ADA)
    books = owned(book, lease).open()
    run_out(book)
    assert books.write(paying("1", "a"))
    assert lease.renew() is False
    books.close()
    lease.release()


def test_an_owner_of_before_writes_nothing_and_says_why(book: PostgresPlace) -> None:
    """One unit or many, at once and for ever; the next owner's rows are not touched."""
    before = take_lease(book, ADA)
    old = owned(book, before).open()
    old.write(paying("1", "ada"))
    run_out(book)
    after = take_lease(book, BOB)
    new = owned(book, after)
    for _ in range(2):
        refused = old.together(paying("1", "late"), paying("1", "later"))
        assert [type(answer) for answer in refused] == [OwnershipLost, OwnershipLost]
    with pytest.raises(OwnershipLost):
        before.renew()
    before.release()
    new.write(paying("1", "bob"))
    assert references(book) == ["ada", "bob"]
    assert ask(book, "SELECT holder, epoch FROM leases") == [("bob:/desk [b]", 2)]
    assert_hot_equals_database(new)
    old.close()
    new.close()
    after.release()


def test_what_an_owner_of_before_only_asks_is_refused_too(book: PostgresPlace) -> None:
    """A question of a unit is part of its transaction."""
    old = owned(book, take_lease(book, ADA)).open()
    run_out(book)
    take_lease(book, BOB)
    with pytest.raises(OwnershipLost):
        old.write(lambda draft: draft.find("all_users"))
    old.close()


def test_an_owner_of_before_does_not_take_the_next_owners_commit_for_its_own(book: PostgresPlace) -> None:
    """Its commit is lost with its session, and the next owner's has the same number: read back, it must not say yes."""
    old = owned(book, take_lease(book, ADA)).open()

    def cut_off(draft: Draft) -> object:
        draft.find("all_users")
        with psycopg.connect(book.url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        run_out(book)
        new = owned(book, take_lease(book, BOB))
        new.write(paying("1", "bob"))
        new.close()
        return paying("1", "ada")(draft)

    (answer,) = old.together(cut_off)
    assert isinstance(answer, Exception)
    assert references(book) == ["bob"]
    with pytest.raises(OwnershipLost):
        old.write(paying("1", "ada"))
    old.close()


def test_books_beside_are_fenced_by_the_same_lease(book: PostgresPlace) -> None:
    """The venue's own books heed the owner, and no halts."""
    lease = take_lease(book, ADA)
    beside = owned(book, lease, heeds_control=False).open()
    with from_outside(book):
        pass
    reads = beside.scribe.hot.version
    beside.write(paying("1", "a"))
    assert beside.scribe.hot.version == reads + 1
    run_out(book)
    take_lease(book, BOB)
    with pytest.raises(OwnershipLost):
        beside.write(paying("1", "b"))
    beside.close()
    lease.release()


def test_a_server_that_does_not_answer_is_no_loss_of_ownership(book: PostgresPlace) -> None:
    """The renewal is tried again by a session of its own."""
    lease = take_lease(book, ADA)
    lease.renew()
    with psycopg.connect(book.url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    with pytest.raises(StoreFailed) as failed:
        lease.renew()
    assert not isinstance(failed.value, OwnershipLost)
    assert lease.renew() is False
    lease.release()


def test_a_release_that_cannot_be_said_is_no_failure(book: PostgresPlace) -> None:
    """The end comes by itself."""
    lease = take_lease(PostgresPlace(book.url, book.schema), ADA)
    with connect(book) as connection:
        connection.execute("DROP TABLE leases")
    lease.release()


# From outside ---------------------------------------------------------------------------------------------------------


def halt_from_outside(place: PostgresPlace) -> None:
    with from_outside(place) as connection:
        connection.execute(
            "INSERT INTO halts VALUES ('DESK', 0, 'manual', 'HALTED', 'from outside', 1, clock_timestamp())"
        )


def halted(draft: Draft) -> bool:
    """Write something, over the halt that the unit sees."""
    seen = draft.get(keys.halt(Scope.DESK, 0, "manual"))
    paying("1", f"halted={seen is not None}")(draft)
    return seen is not None


@pytest.mark.parametrize("asks", [False, True])
def test_what_is_changed_from_outside_binds_the_very_next_unit(book: PostgresPlace, asks: bool) -> None:
    """Whether it asks the database or only its memory; what was decided over older memory is not written."""
    lease = take_lease(book, ADA)
    books = owned(book, lease).open()
    assert books.write(halted) is False
    halt_from_outside(book)

    def unit(draft: Draft) -> bool:
        if asks:
            draft.find("all_users")
        return halted(draft)

    assert books.together(unit, unit, paying("1", "beside")) == [True, True, True]
    assert references(book) == ["halted=False", "halted=True", "beside"]
    halt = books.get(keys.halt(Scope.DESK, 0, "manual"))
    assert halt == Halt(Scope.DESK, 0, "manual", TradingState.HALTED, "from outside", latched=True)
    assert lease.renew() is True
    assert lease.renew() is False
    assert_hot_equals_database(books)
    books.close()
    lease.release()


def test_a_change_from_outside_that_fails_changes_nothing(book: PostgresPlace) -> None:
    """Neither its rows nor the control version."""
    take_lease(book, ADA)
    with pytest.raises(StoreFailed), from_outside(book) as connection:
        connection.execute("INSERT INTO halts VALUES ('DESK', 0, 'manual', 'NO STATE', '', 1, clock_timestamp())")
    assert ask(book, "SELECT control_version, (SELECT count(*) FROM halts) FROM leases") == [(0, 0)]


def test_a_change_from_outside_waits_for_the_group_at_hand(book: PostgresPlace) -> None:
    """A transaction that was checked is committed first; nobody decides over half of a change."""
    lease = take_lease(book, ADA)
    books = owned(book, lease).open()
    outside = threading.Thread(target=halt_from_outside, args=(book,))

    def unit(draft: Draft) -> bool:
        draft.find("all_users")
        outside.start()
        wait_for_a_waiter(book)
        return halted(draft)

    assert books.write(unit) is False
    outside.join()
    assert books.write(halted) is True
    books.close()
    lease.release()


def test_who_waits_too_long_for_a_session_at_work_is_told_so(
    book: PostgresPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that still says something is not ended: it may be about to commit."""
    monkeypatch.setattr("plimsoll.store.lease._TRIES", 2)
    monkeypatch.setattr("plimsoll.store.lease._TRY_MS", 20)
    lease = take_lease(book, ADA)
    books = owned(book, lease).open()

    def unit(draft: Draft) -> bool:
        draft.find("all_users")
        with pytest.raises(StoreFailed, match="lock timeout"):
            halt_from_outside(book)
        return halted(draft)

    assert books.write(unit) is False
    assert ask(book, "SELECT control_version FROM leases") == [(0,)]
    books.close()
    lease.release()


def test_control_moved_is_told_as_no_failure_of_a_row() -> None:
    """Both say what happened in words for a person."""
    assert "changed what binds it" in str(ControlMoved())
    assert "owns these books now" in str(OwnershipLost())


# Real processes -------------------------------------------------------------------------------------------------------


class Owner:
    """An owner in a process of its own."""

    def __init__(self, place: PostgresPlace, seconds: float) -> None:
        words = [sys.executable, "-m", "tests.store.owner", place.url, place.schema, "ada", str(seconds)]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)

    def hear(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def told(self, line: str) -> str:
        self.say(line)
        return self.hear()

    def stop(self) -> None:
        """Freeze it, as a suspended machine does."""
        self._process.send_signal(signal.SIGSTOP)
        self.wait_until_frozen()

    def wait_until_frozen(self) -> None:
        _pid, status = os.waitpid(self._process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)

    def go_on(self) -> str:
        self._process.send_signal(signal.SIGCONT)
        return self.hear()

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@contextmanager
def owner(place: PostgresPlace, seconds: float) -> Iterator[Owner]:
    process = Owner(place, seconds)
    try:
        assert process.hear() == "epoch 1"
        yield process
    finally:
        process.close()


def take_when_it_runs_out(place: PostgresPlace) -> Lease:
    """Come again until the lease is free: each try is an answer of the server, which is all the waiting there is."""
    until = datetime.now(UTC).timestamp() + 30
    while True:
        try:
            return take_lease(place, BOB)
        except LeaseHeld:
            assert datetime.now(UTC).timestamp() < until, "it never ran out"


def wait_for_a_waiter(place: PostgresPlace) -> None:
    """Wait until somebody waits for a lock of this database."""
    with psycopg.connect(place.url, autocommit=True) as connection:
        for _ in range(100_000):
            (found,) = connection.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone() or (0,)
            if found:
                return
    raise AssertionError("nobody waits")


def open_account(place: PostgresPlace) -> None:
    books = Books(writer(place, metadata, queries.compiled("postgresql"))).open()
    books.close()


def test_an_owner_that_was_frozen_writes_nothing_after_the_take_over(book: PostgresPlace) -> None:
    """It sleeps through the end of its lease, wakes, and is refused; the next owner's book holds nothing of it."""
    open_account(book)
    with owner(book, 0.6) as ada:
        assert ada.told("pay before") == "written"
        ada.stop()
        lease = take_when_it_runs_out(book)
        assert lease.epoch == 2
        books = owned(book, lease)
        books.write(paying("1", "bob"))
        ada.say("pay after")
        assert ada.go_on() == "OwnershipLost"
        assert ada.told("pay later") == "OwnershipLost"
        assert ada.told("renew") == "OwnershipLost"
        books.write(paying("1", "bob again"))
        assert references(book) == ["before", "bob", "bob again"]
        assert_hot_equals_database(books)
        books.close()
        lease.release()


def test_an_owner_frozen_between_its_check_and_its_commit_writes_nothing(book: PostgresPlace) -> None:
    """Who takes over waits a little for it, and then ends its silent session."""
    open_account(book)
    with owner(book, 0.6) as ada:
        assert ada.told("pay before") == "written"
        ada.say("freeze inside")
        ada.wait_until_frozen()
        lease = take_when_it_runs_out(book)
        books = owned(book, lease)
        books.write(paying("1", "bob"))
        # It cannot know whether its commit came through, and learns at once that it may not even look.
        assert ada.go_on() in {"CommitUnclear", "StoreGone"}
        assert ada.told("pay inside") == "OwnershipLost"
        assert references(book) == ["before", "bob"]
        assert_hot_equals_database(books)
        books.close()
        lease.release()


def test_an_owner_that_wakes_before_its_session_is_ended_commits_before_the_take_over(
    book: PostgresPlace,
) -> None:
    """Its lease had run out when it wakes; the take-over waits for its commit, and reads it."""
    open_account(book)
    with owner(book, 30) as ada:
        ada.say("freeze inside")
        ada.wait_until_frozen()
        taken: list[Lease] = []

        def take() -> None:
            # The end of the lease cannot be moved while its row is held: whose folder it was need not wait for it.
            taken.append(take_lease(book, Holder("ada", "the next process")))

        taking = threading.Thread(target=take)
        taking.start()
        wait_for_a_waiter(book)
        assert not taken
        assert ada.go_on() == "written"
        taking.join()
        books = owned(book, taken[0])
        assert taken[0].epoch == 2
        assert books.balance("spot", "USDT") == 1
        books.write(paying("1", "next"))
        assert ada.told("pay after") == "OwnershipLost"
        assert references(book) == ["inside", "next"]
        assert_hot_equals_database(books)
        books.close()
        taken[0].release()


def test_an_owner_frozen_in_the_middle_of_what_it_sends_is_not_waited_for_either(
    book: PostgresPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server does not call that session idle: it has heard no end of the pipeline, and takes it to be at work."""
    monkeypatch.setattr("plimsoll.store.lease.SILENT_SECONDS", 0.3)
    monkeypatch.setattr("plimsoll.store.lease._TRY_MS", 100)
    open_account(book)
    lease = take_lease(book, Holder("ada", "ada"))
    statement, parameters = lease.fence(heeds_control=True).statement()
    with connect(book) as ada, connect(book) as other, ExitStack() as sending:
        sending.enter_context(ada.pipeline())
        ada.execute("BEGIN")
        ada.execute(statement, parameters)
        ada.pgconn.send_flush_request()
        ada.pgconn.flush()
        session = "SELECT state, wait_event FROM pg_stat_activity WHERE pid = %s"
        while other.execute(session, (ada.info.backend_pid,)).fetchone() != ("active", "ClientRead"):
            pass
        assert take_lease(book, Holder("ada", "the next process")).epoch == 2
        with pytest.raises(psycopg.OperationalError):
            sending.close()


def test_an_owner_that_ends_lets_the_next_one_in_at_once(book: PostgresPlace) -> None:
    """A clean stop gives the lease back."""
    open_account(book)
    with owner(book, 30) as ada:
        assert ada.told("renew") == "renewed"
        ada.say("end")
        assert ada.hear() == ""
        assert take_lease(book, BOB).epoch == 2
