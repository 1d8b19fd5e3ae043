"""The only place that names concrete parts: what a data directory holds, and how a desk is put together from it.

DIR/desk.db      the book                DIR/paper.db     the paper venue's own books
DIR/chain.key    key of the chain        DIR/heads.stamp  heads of the chain, outside the database
DIR/desk.lock    held by the one writer  DIR/desk.sock    the way to it for other commands
DIR/desk.database  where the book lies instead, when it lies on PostgreSQL
DIR/imports      books of before on their way into the book: scratch, which the next import makes anew

All of it is for the user whose desk it is: the directory, where we make it, and every file in it, whoever made that.
"""

import fcntl
import os
import random
import secrets  # noqa: TID251  sim-ok: the chain's key is made once per desk, outside every simulation
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import select

from plimsoll.desk.ports import LogNotifier, Notifier, Ports
from plimsoll.ledger import queries
from plimsoll.ledger.books import LedgerBooks
from plimsoll.ledger.database import open_database
from plimsoll.ledger.glance import Glance, Unfinished, glance
from plimsoll.ledger.schema import metadata
from plimsoll.market.board import PriceBoard
from plimsoll.model.clock import Clock
from plimsoll.model.errors import PlimsollError, invariant
from plimsoll.model.ids import AccountId, ClockedIds, InstrumentId
from plimsoll.model.instrument import Instrument
from plimsoll.model.quote import SourceFacts
from plimsoll.runtime.logging import logger
from plimsoll.store.drivers import Driver
from plimsoll.store.place import Place, PostgresPlace, SqlitePlace, reader, writer
from plimsoll.store.scribe import Scribe
from plimsoll.venues.paper import books as paper_books_schema
from plimsoll.venues.paper.books import open_scribe
from plimsoll.venues.paper.rules import PaperRules
from plimsoll.venues.paper.venue import PaperVenue

if TYPE_CHECKING:
    from plimsoll.store.lease import Lease

log = logger("bootstrap")

CHAIN_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """Where a desk keeps what it must not lose."""

    path: Path
    #: Where the books lie, when it is not in here.
    server: PostgresPlace | None = None

    @property
    def book(self) -> Place:
        """Where the desk's book lies."""
        return self.server or SqlitePlace(self.database)

    @property
    def venue_book(self) -> Place:
        """Where the paper venue's own books lie: on a server, in a schema beside the desk's."""
        if self.server is None:
            return SqlitePlace(self.paper_books)
        return PostgresPlace(self.server.url, f"{self.server.schema}_paper")

    @property
    def home(self) -> Path:
        """The file that says to which database this folder belongs."""
        return self.path / "desk.database"

    @property
    def database(self) -> Path:
        return self.path / "desk.db"

    @property
    def paper_books(self) -> Path:
        return self.path / "paper.db"

    @property
    def chain_key_file(self) -> Path:
        return self.path / "chain.key"

    @property
    def stamp(self) -> Path:
        return self.path / "heads.stamp"

    @property
    def imports(self) -> Path:
        return self.path / "imports"

    @property
    def lock(self) -> Path:
        return self.path / "desk.lock"

    @property
    def socket(self) -> Path:
        return self.path / "desk.sock"

    def chain_key(self) -> bytes:
        """Read the chain's key, making it at the first start.

        Raises: ChainKeyMissing when the book has a chain already, which another key could not go on with
        """
        if not self.chain_key_file.exists():
            seen = look_at(self)
            if seen is not None and seen.commits > 0:
                raise ChainKeyMissing(self)
            # Made under another name and moved into place: a crash leaves no half a key.
            fresh = self.chain_key_file.with_suffix(".new")
            with open(fresh, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
                file.write(secrets.token_hex(CHAIN_KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self.chain_key_file)
        return bytes.fromhex(self.chain_key_file.read_text())


class ChainKeyMissing(PlimsollError):
    """The book is there and the key of its chain is not: bring chain.key back from where it was kept."""

    def __init__(self, directory: DataDirectory) -> None:
        super().__init__(f"{directory.path}: {type(self).__doc__}")


class DeskIsRunning(PlimsollError):
    """Another process is the desk of this data directory: talk to it, or stop it first."""

    def __init__(self, directory: DataDirectory, lease: str = "") -> None:
        super().__init__(lease or f"{directory.path}: {type(self).__doc__}")


class DeskLock:
    """The right to write in a data directory, held until it is released or the process ends, however it ends.

    What the process makes meanwhile is for its user only.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor
        self._umask = os.umask(0o077)

    def release(self) -> None:
        """Let another process be the desk; again is harmless. The file stays: who unlinks it could lock a ghost."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
            os.umask(self._umask)


def take_the_desk(directory: DataDirectory) -> DeskLock:
    """Become the one writer of a data directory.

    Raises: DeskIsRunning
    """
    directory.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(directory.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise DeskIsRunning(directory) from None
    _close_to_others(directory)
    return DeskLock(descriptor)


def _close_to_others(directory: DataDirectory) -> None:
    """Make what earlier releases left readable for everybody ours alone."""
    books = (directory.database, directory.paper_books)
    beside = [file.with_name(file.name + end) for file in books for end in ("-wal", "-shm")]
    for file in (*books, *beside, directory.chain_key_file, directory.stamp):
        try:
            if file.stat().st_mode & 0o077:
                file.chmod(0o600)
        except FileNotFoundError:
            continue
        except OSError as failure:  # a disk that knows no modes; a desk on it must still be stopped by `plimsoll halt`
            log.warning("file_open_to_others", failure=str(failure), remedy="close its folder to others")


def look_at(directory: DataDirectory) -> Glance | None:
    """Look at what a data directory holds, without writing; None while it holds no desk.

    Raises: StoreFailed, ForeignDatabase, NewerDatabase
    """
    if directory.server is None and not directory.database.exists():
        return None
    return glance(directory.book)


def sends_cut_off(directory: DataDirectory, left: Unfinished) -> tuple[str, ...]:
    """List the orders that were written and never reached the paper venue, because the process ended in between."""
    if not left.in_a_send or not directory.paper_books.exists():
        return left.in_a_send
    orders = paper_books_schema.orders.c
    reached = select(orders.client_order_id).where(orders.client_order_id.in_(left.in_a_send))
    with reader(directory.venue_book).connect() as connection:
        known = set(connection.execute(reached).scalars())
    return tuple(name for name in left.in_a_send if name not in known)


def begin_anew(directory: DataDirectory) -> None:
    """Remove the books of a replay, which its inputs make again; the lock is held. The chain keeps its key.

    What if we crash in here? The desk's book goes last: as long as it is there, the next start finds the cut and is
    here again. A log of writes without its database is thrown away by SQLite.
    """
    for file in (directory.paper_books, directory.stamp, directory.database):
        for name in (file.name, f"{file.name}-wal", f"{file.name}-shm"):
            file.with_name(name).unlink(missing_ok=True)


#: How a SQLite file is opened; a simulation puts a faulty one here.
Connect = Callable[[str], sqlite3.Connection]


@dataclass(slots=True)
class PaperDesk:
    """A desk of one paper account, put together and not yet started."""

    ports: Ports
    venue: PaperVenue
    books: Driver
    paper_books: Driver

    async def close(self) -> None:
        """Write what waits and release both databases, the desk's first."""
        try:
            await self.ports.settled()
        finally:
            await self.books.close()
            await self.paper_books.close()


def open_books(directory: DataDirectory, connect: Connect | None = None, lease: "Lease | None" = None) -> Scribe:
    """Open the book for writing, bringing its tables up to date first."""
    invariant((lease is None) == (directory.server is None), "a book on a server is written by whoever holds its lease")
    place = directory.book
    open_database(place)
    fence = None if lease is None else lease.fence(heeds_control=True)
    written = writer(place, metadata, queries.compiled(place.dialect), connect, fence)
    return Scribe(written, LedgerBooks(directory.chain_key()))


def paper_desk(
    directory: DataDirectory,
    instruments: Mapping[InstrumentId, Instrument],
    *,
    desk_code: str,
    account_id: AccountId,
    clock: Clock,
    chance: random.Random,
    facts: SourceFacts,
    drive: Callable[[Scribe], Driver],
    rules: PaperRules | None = None,
    notifier: Notifier | None = None,
    connect: Connect | None = None,
) -> PaperDesk:
    """Put a desk of one paper account together over a data directory.

    Shapes: `drive` gives each of the two scribes its driver; `chance` seeds ids and the venue apart from each other
    """
    rules = rules or PaperRules()
    books = drive(open_books(directory, connect))
    paper_books = drive(open_scribe(directory.venue_book, connect))
    ids = ClockedIds(clock, random.Random(chance.getrandbits(64)))  # noqa: S311  public ids, no secret
    venue_chance = random.Random(chance.getrandbits(64))  # noqa: S311  the paper venue's moods
    venue = PaperVenue(paper_books, instruments, clock, venue_chance, rules, facts)
    ports = Ports(
        desk_code=desk_code,
        account_id=account_id,
        clock=clock,
        ids=ids,
        books=books,
        venue=venue,
        board=PriceBoard(facts),
        notifier=notifier or LogNotifier(),
        fee_ratio=rules.taker_fee_ratio,
    )
    return PaperDesk(ports, venue, books, paper_books)
