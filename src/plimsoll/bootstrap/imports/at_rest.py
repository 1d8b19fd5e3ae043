"""The one writer of a data directory that nobody serves, for as long as one import takes.

Nothing is traded and nothing is priced meanwhile: the books alone are opened. Where there is no desk yet, its owner is
made, and `plimsoll up` makes the rest when it is first started.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from plimsoll.bootstrap import DataDirectory, look_at, open_books
from plimsoll.bootstrap.ownership import LeaseWatch, keep_the_lease, own
from plimsoll.bootstrap.served import OWNER, new_owner, refuse_another_desk
from plimsoll.desk.import_book import ImportingHere
from plimsoll.ledger import accounts, keys
from plimsoll.ledger.log import Note, write_note
from plimsoll.ledger.stamp import stamp
from plimsoll.model.clock import Clock
from plimsoll.model.ids import ClockedIds
from plimsoll.runtime.logging import logger
from plimsoll.store.draft import Draft
from plimsoll.store.drivers import ThreadDriver
from plimsoll.store.place import reader

if TYPE_CHECKING:
    from plimsoll.store.lease import Lease

log = logger("imports")


@asynccontextmanager
async def importing_at_rest(
    directory: DataDirectory, *, clock: Clock, chance: random.Random
) -> AsyncIterator[ImportingHere]:
    """Be the one writer; the lock is held by the caller. The stamp is made anew before and behind it.

    Raises: CommandRefused for the folder of a replay; DeskIsRunning, StoreFailed, StampContradicted, ForeignDatabase,
            NewerDatabase, ChainKeyMissing
    """
    refuse_another_desk(directory, look_at(directory))
    lease = own(directory)
    try:
        async with _books(directory, lease, clock) as books:
            # Nothing is written over a book that is another than it was.
            _stamp(directory, clock)
            ids = ClockedIds(clock, chance)
            await books.write(lambda draft: _make_owner(draft, ids, clock))
            directory.imports.mkdir(mode=0o700, exist_ok=True)
            yield ImportingHere(books, clock, ids, directory.imports)
        _stamp(directory, clock)
    finally:
        if lease is not None:
            lease.release()


@asynccontextmanager
async def _books(directory: DataDirectory, lease: "Lease | None", clock: Clock) -> AsyncIterator[ThreadDriver]:
    loop = asyncio.get_running_loop()
    books = ThreadDriver(open_books(directory, lease=lease), loop, on_failure=_tell)
    keeper = None
    if lease is not None:
        keeper = loop.create_task(keep_the_lease(LeaseWatch(lease, clock, clock.monotonic()), books, clock, _tell))
    try:
        yield books
    finally:
        await books.close()
        if keeper is not None:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)


def _tell(failure: BaseException) -> None:
    # Whoever writes waits for it, and hears for himself.
    log.error("rows_not_written", failure=repr(failure))


def _stamp(directory: DataDirectory, clock: Clock) -> None:
    stamp(reader(directory.book), directory.stamp, clock.now())


def _make_owner(draft: Draft, ids: ClockedIds, clock: Clock) -> None:
    if draft.get(keys.user(OWNER)) is None:
        owner = new_owner(ids.uuid7())
        accounts.write_user(draft, owner)
        write_note(draft, Note(0, f"user:{OWNER}", "CREATE", "USER", owner.uid, clock.now(), {"name": owner.name}))
