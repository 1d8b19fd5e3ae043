"""Bring an imported book into the one writer, while the desk trades: what it names, its rows chunk by chunk, its end.

    know_instruments, know_strategies ─► begin ─► (its rows are made ready, elsewhere) ─► take_all ─► finish

A chunk is one unit, and beside trading the next one is sent when the one before it is committed: an order that came
meanwhile stands before it. While others write, an import rests for a few times as long as its chunk took: most orders
meet none. Imports take turns, so that no group has chunks of two.

What if an answer is lost? Everything may be said again: a chunk that is in stays as it is, and so does an end.
What if the file is gone, or another's? Nothing of the chunk is written, and whoever imports hears why.

What must not enter: reading a statement, and folding it. That is done beside the desk, in the shell's own process.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from plimsoll.ledger import imports
from plimsoll.ledger.imports import Begin, Chunk, Finish, Finished, Making, Named
from plimsoll.ledger.ready import Ready, chunk_of, ready_in
from plimsoll.model.clock import Clock
from plimsoll.model.errors import Illegal
from plimsoll.model.ids import Ids, InstrumentId, UserId
from plimsoll.model.instrument import Instrument
from plimsoll.store.drivers import Driver
from plimsoll.store.scribe import HEADS, Heads

T = TypeVar("T")

#: Instruments or strategies that one unit writes.
AT_ONCE = 100
#: Chunks that stand in line together where nobody else writes: one commit for all of them.
_CHUNKS_AT_REST = 32
#: How many times as long as a chunk took it rests behind it, while others write.
_REST = 3.0
#: Told how many chunks of how many are in.
Progress = Callable[[int, int], None]


class Importing(Protocol):
    """The way of an imported book into the one writer, whoever that is.

    Everything raises StoreFailed where nothing was written, and CommitUnclear where nobody knows: then say it again.
    """

    async def know_instruments(self, wanted: Sequence[Instrument]) -> Mapping[Named, InstrumentId]:
        """Find instruments by venue and symbol, and write those that are new.

        Raises: Illegal, CommandRefused
        """

    async def know_strategies(self, user_id: UserId, names: Sequence[str]) -> Mapping[str, int]:
        """Find somebody's strategies by their name, and write those that are new.

        Raises: CommandRefused
        """

    async def begin(self, user_id: UserId, name: str, currency: str) -> Making:
        """Write the hidden account of a new making of somebody's book.

        Raises: Illegal, CommandRefused
        """

    async def take_all(self, user_id: UserId, file: str, progress: Progress) -> None:
        """Take in every chunk of a making that is ready, but for those that are in.

        Shapes: `file` is a name in the desk's folder for imports
        Raises: NotReady, Illegal, CommandRefused
        """

    async def finish(self, user_id: UserId, file: str) -> Finished:
        """Show the book.

        Raises: NotReady, Illegal, CommandRefused
        """


class ImportingHere:
    """The way into books that this process owns."""

    def __init__(self, books: Driver, clock: Clock, ids: Ids, folder: Path) -> None:
        self._books = books
        self._clock = clock
        self._ids = ids
        self._folder = folder
        self._turn = asyncio.Lock()
        #: How many groups there were when the last chunk was in.
        self._groups = 0

    async def know_instruments(self, wanted: Sequence[Instrument]) -> Mapping[Named, InstrumentId]:
        now, found = self._clock.now(), dict[Named, InstrumentId]()
        for first in range(0, len(wanted), AT_ONCE):
            some = wanted[first : first + AT_ONCE]
            found |= await self._books.write(partial(imports.know_instruments, wanted=some, now=now))
        return found

    async def know_strategies(self, user_id: UserId, names: Sequence[str]) -> Mapping[str, int]:
        now, found = self._clock.now(), dict[str, int]()
        for first in range(0, len(names), AT_ONCE):
            some = {name: self._ids.uuid7() for name in names[first : first + AT_ONCE]}
            found |= await self._books.write(partial(imports.know_strategies, user_id=user_id, names=some, now=now))
        return found

    async def begin(self, user_id: UserId, name: str, currency: str) -> Making:
        wish = Begin(user_id, name, currency, self._ids.uuid7(), self._ids.uuid7())
        now = self._clock.now()
        making: Making = await self._books.write(partial(imports.begin, wish=wish, actor=_actor(user_id), now=now))
        return making

    async def take_all(self, user_id: UserId, file: str, progress: Progress) -> None:
        ready = await self._ready(file)
        for first in range(1, ready.chunks + 1, _CHUNKS_AT_REST):
            last = min(first + _CHUNKS_AT_REST - 1, ready.chunks)
            some = await _aside(partial(_chunks, ready, range(first, last + 1)))
            # Sent in their order, all before the first is answered: the scribe commits them together.
            await asyncio.gather(*(self._take(user_id, chunk) for chunk in some))
            progress(last, ready.chunks)

    async def take(self, user_id: UserId, file: str, number: int) -> Making:
        """Take in one chunk, beside others who write.

        Raises: NotReady, Illegal, CommandRefused
        """
        ready = await self._ready(file)
        (chunk,) = await _aside(partial(_chunks, ready, (number,)))
        async with self._turn:
            begun, others_wrote = self._clock.monotonic(), self._heads.group > self._groups
            making = await self._take(user_id, chunk)
            self._groups = self._heads.group
            if others_wrote:
                await asyncio.sleep(_REST * (self._clock.monotonic() - begun))
        return making

    async def finish(self, user_id: UserId, file: str) -> Finished:
        ready = await self._ready(file)
        fresh, now = (self._ids.uuid7(), self._ids.uuid7()), self._clock.now()
        ending = Finish(ready.account_id, ready.chunks, ready.statements, fresh)
        finished: Finished = await self._books.write(
            partial(imports.finish, user_id=user_id, ending=ending, actor=_actor(user_id), now=now)
        )
        return finished

    @property
    def _heads(self) -> Heads:
        heads: Heads = self._books.hot.get(HEADS)
        return heads

    async def _take(self, user_id: UserId, chunk: Chunk) -> Making:
        making: Making = await self._books.write(partial(imports.take, user_id=user_id, chunk=chunk))
        return making

    async def _ready(self, file: str) -> Ready:
        if not file or Path(file).name != file:
            raise Illegal("file", file, "give the name of a file in the desk's folder for imports")
        return await _aside(partial(ready_in, self._folder / file))


def _actor(user_id: UserId) -> str:
    return f"user:{user_id}"


def _chunks(ready: Ready, numbers: Sequence[int]) -> list[Chunk]:
    return [chunk_of(ready, number) for number in numbers]


async def _aside(question: Callable[[], T]) -> T:
    # A file is read where the loop does not wait for the disk.
    return await asyncio.get_running_loop().run_in_executor(None, question)
