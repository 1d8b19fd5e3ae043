"""One owner, however many processes there are: a lease in the database, whose epoch every writing transaction checks.

Who takes the lease raises its epoch. The check and the rows are one transaction, and it holds the lease's row until it
ends: a take-over waits for it, and whatever an older epoch sends behind the take-over is refused whole. So the end of
the lease only says when somebody else may come; nothing that is written hangs on anybody's clock, and none but the
database's is ever read.

What if the owner is frozen inside a transaction? Who waits for it ends its session when that has been silent for three
seconds: what it had sent without its COMMIT is undone. (A server's own limit for that does not hold behind a pipeline:
the message with which libpq ends one stops the clock.)
What if the owner is killed? Whoever holds the lock of the same data directory knows it dead, and takes the lease at
once. Everybody else waits until it runs out.
What if somebody who is not the owner must change what binds it, such as a halt? He does so with the lease's row in
hands and raises the control version: the owner's next transaction finds it changed, writes nothing, reads everything
back, and runs its units again over that.

What must not enter: what is written, and why.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psycopg
from psycopg import sql

from plimsoll.model.errors import PlimsollError
from plimsoll.store.connection import OwnershipLost, StoreFailed
from plimsoll.store.draft import Row
from plimsoll.store.place import PostgresPlace
from plimsoll.store.postgres import CONTROL_MOVED, OWNERSHIP_LOST, connect, store_failures

#: Somebody else may take over so long after the last sign of life.
LEASE_SECONDS = 30.0
#: The owner shows itself this many times in that.
SIGNS_OF_LIFE = 6
#: A unit takes milliseconds: a session that says nothing for so long, its transaction open, belongs to nobody awake.
SILENT_SECONDS = 3.0
#: How often a lock that another session holds is asked for, and how long each time.
_TRIES = 8
_TRY_MS = 1_000
_NAME = "desk"


class LeaseHeld(PlimsollError):
    """Another process is the desk of these books: talk to it, stop it first, or wait until its lease has run out."""

    def __init__(self, place: PostgresPlace, held: "Held") -> None:
        super().__init__(f"{place}: {type(self).__doc__} It is {held.holder}, and its lease runs until {held.until}.")


@dataclass(frozen=True, slots=True)
class Holder:
    """Who takes a lease: a key that no two data directories share, and words by which a person finds it."""

    key: str
    words: str

    def __str__(self) -> str:
        return f"{self.words} [{self.key}]"


@dataclass(frozen=True, slots=True)
class Held:
    """The lease as its row tells it."""

    holder: str
    epoch: int
    control_version: int
    until: str
    #: By the database's clock.
    ran_out: bool

    def is_open_to(self, holder: Holder) -> bool:
        """Say whether this holder may take it: its end has come, or its owner was a dead process of our own folder."""
        return self.ran_out or self.holder.endswith(f"[{holder.key}]")


class Fence:
    """The check that a writer sends ahead of its rows."""

    def __init__(self, place: PostgresPlace, epoch: int, *, heeds_control: bool) -> None:
        table = sql.Identifier(place.schema, "leases")
        # A server that lacks a setting says so by its name: the only refusal that a plain statement can word itself.
        lost, moved = (sql.SQL("current_setting({})").format(word) for word in (OWNERSHIP_LOST, CONTROL_MOVED))
        seen = sql.SQL("CASE WHEN control_version = %s THEN '' ELSE {} END").format(moved)
        self._check = (
            sql.SQL("SELECT coalesce((SELECT {} FROM {} WHERE name = {} AND epoch = %s FOR SHARE), {})")
            .format(seen if heeds_control else sql.SQL("''"), table, _NAME, lost)
            .as_bytes(None)
        )
        self._look = sql.SQL("SELECT control_version FROM {} WHERE name = {} AND epoch = %s").format(table, _NAME)
        self._epoch = epoch
        self._heeds_control = heeds_control
        #: What the owner has in memory is as new as this.
        self.control_version = 0

    def statement(self) -> tuple[bytes, Sequence[int]]:
        """Give what goes out behind BEGIN; it fails unless the lease is ours, and memory is as new as the control."""
        return self._check, (self.control_version, self._epoch) if self._heeds_control else (self._epoch,)

    def look(self, connection: psycopg.Connection[Row]) -> None:
        """Read the control version, ahead of all that is read into memory.

        Raises: OwnershipLost
        """
        found = connection.execute(self._look, (self._epoch,)).fetchone()
        if found is None:
            raise OwnershipLost
        self.control_version = int(found[0] or 0)


class Lease:
    """The lease while it is ours. Any one thread at a time may call it."""

    def __init__(self, place: PostgresPlace, epoch: int, control_version: int, seconds: float) -> None:
        self._place = place
        self._control_version = control_version
        self._connection: psycopg.Connection[Row] | None = None
        self.epoch = epoch
        self.seconds = seconds

    def fence(self, *, heeds_control: bool) -> Fence:
        """Give the check for a writer; of books without halts and policies it need not heed the control version."""
        return Fence(self._place, self.epoch, heeds_control=heeds_control)

    def renew(self) -> bool:
        """Show that the owner lives; say whether the control version was raised since the last time.

        Raises: OwnershipLost; StoreFailed, and the lease is still ours if nobody has taken it
        """
        found = self._execute(
            "UPDATE {} SET until = clock_timestamp() + make_interval(secs => %s) WHERE name = %s AND epoch = %s"
            " RETURNING control_version",
            (self.seconds, _NAME, self.epoch),
        )
        if not found:
            raise OwnershipLost
        before, self._control_version = self._control_version, int(found[0][0] or 0)
        return self._control_version != before

    def release(self) -> None:
        """Let somebody else be the owner at once. Where that cannot be said any more, the end comes by itself."""
        with suppress(StoreFailed):
            self._execute(
                "UPDATE {} SET until = clock_timestamp() WHERE name = %s AND epoch = %s RETURNING epoch",
                (_NAME, self.epoch),
            )
        self._hang_up()

    def _execute(self, statement: str, parameters: Sequence[object]) -> list[Row]:
        try:
            with store_failures("renew the lease"):
                if self._connection is None:
                    self._connection = connect(self._place)
                return self._connection.execute(_about(self._place, statement), parameters).fetchall()
        except StoreFailed:
            self._hang_up()
            raise

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def has_lease(place: PostgresPlace) -> bool:
    """Say whether these books know leases yet.

    Raises: StoreFailed
    """
    with store_failures("look for the lease"), connect(place) as connection:
        name = sql.Identifier(place.schema, "leases").as_string(connection)
        found = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (name,)).fetchone()
        return found is not None and bool(found[0])


def take_lease(place: PostgresPlace, holder: Holder, seconds: float = LEASE_SECONDS) -> Lease:
    """Become the owner.

    Raises: LeaseHeld, StoreFailed
    """
    with _row_in_hands(place) as connection:
        held = _read(connection, place)
        if not held.is_open_to(holder):
            raise LeaseHeld(place, held)
        connection.execute(
            _about(
                place,
                "UPDATE {} SET holder = %s, epoch = %s, until = clock_timestamp() + make_interval(secs => %s)"
                " WHERE name = %s",
            ),
            (str(holder), held.epoch + 1, seconds, _NAME),
        )
    return Lease(place, held.epoch + 1, held.control_version, seconds)


@contextmanager
def from_outside(place: PostgresPlace) -> Iterator[psycopg.Connection[Row]]:
    """Change what binds the owner without being it: what is written in here is heeded by its very next transaction.

    Raises: StoreFailed
    """
    with _row_in_hands(place) as connection:
        yield connection
        connection.execute(
            _about(place, "UPDATE {} SET control_version = control_version + 1 WHERE name = %s"), (_NAME,)
        )


@contextmanager
def _row_in_hands(place: PostgresPlace) -> Iterator[psycopg.Connection[Row]]:
    settings = {"lock_timeout": str(_TRY_MS)}
    # Leaving the connection commits; leaving it with a failure rolls back.
    with store_failures("take hold of the lease"), connect(place, settings) as connection:
        connection.execute(
            _about(
                place,
                "INSERT INTO {} (name, holder, epoch, control_version, until)"
                " VALUES (%s, 'nobody', 0, 0, clock_timestamp()) ON CONFLICT DO NOTHING",
            ),
            (_NAME,),
        )
        _lock(connection, place)
        yield connection


def _lock(connection: psycopg.Connection[Row], place: PostgresPlace) -> None:
    tries = 0
    while True:
        connection.execute("BEGIN")
        try:
            connection.execute(_about(place, "SELECT FROM {} WHERE name = %s FOR UPDATE"), (_NAME,))
        except psycopg.errors.LockNotAvailable:
            connection.execute("ROLLBACK")
            tries += 1
            if tries >= _TRIES:
                raise
            _end_the_silent(connection, place)
        else:
            return


def _end_the_silent(connection: psycopg.Connection[Row], place: PostgresPlace) -> None:
    # By whom the server waits for, and not by `idle in transaction`: a session whose client was stopped before the end
    # of its pipeline is `active` for ever. Each message that arrives is a new `state_change`.
    connection.execute(
        "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity"
        " WHERE wait_event_type = 'Client' AND xact_start IS NOT NULL"
        " AND state_change < clock_timestamp() - make_interval(secs => %s)"
        " AND pid IN (SELECT pid FROM pg_locks WHERE relation = to_regclass(%s))",
        (SILENT_SECONDS, sql.Identifier(place.schema, "leases").as_string(connection)),
    )


def _read(connection: psycopg.Connection[Row], place: PostgresPlace) -> Held:
    # A statement of its own behind the lock: it sees the clock of now, not of when the waiting began.
    statement = "SELECT holder, epoch, control_version, until, until <= clock_timestamp() FROM {} WHERE name = %s"
    row = connection.execute(_about(place, statement), (_NAME,)).fetchone()
    assert row is not None, "Invariant: its row is in our hands."
    holder, epoch, control_version, until, ran_out = row
    return Held(str(holder), int(epoch or 0), int(control_version or 0), str(until), bool(ran_out))


def _about(place: PostgresPlace, statement: str) -> sql.Composed:
    return sql.SQL(statement).format(sql.Identifier(place.schema, "leases"))
