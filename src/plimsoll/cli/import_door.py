"""The way of an imported book into the one writer: through the door of the desk that runs, or as the writer itself.

The rows never go through the door: they lie in the desk's folder for imports, and a command names the file and a chunk.

What if an answer is lost, or the desk does not know whether it was written? A chunk and an end are said again, which
changes nothing where they were heard. What if the desk ends meanwhile? The import ends with it, and nothing of it is
shown; the next one begins anew.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import cast

from plimsoll.bootstrap import DataDirectory, DeskIsRunning, take_the_desk
from plimsoll.bootstrap.imports.at_rest import importing_at_rest
from plimsoll.cli.commands import Done
from plimsoll.cli.door import Message, NobodyAnswers, ask
from plimsoll.cli.words import DONE, NOT_DONE, plain
from plimsoll.desk.import_book import AT_ONCE, Importing, ImportingHere, Progress
from plimsoll.ledger.imports import Finished, Making, Named
from plimsoll.ledger.ready import ready_in
from plimsoll.model.clock import SystemClock
from plimsoll.model.errors import Illegal, PlimsollError, UnknownOutcome
from plimsoll.model.ids import AccountId, InstrumentId, PortfolioId, UserId, system_chance
from plimsoll.model.instrument import AssetType, Instrument

#: What every command about imports begins with.
PREFIX = "import_"
#: A desk that is starting or ending has its lock and no door; it is waited for this long.
PATIENCE_SECONDS = 10.0
_LOOK_AGAIN_SECONDS = 0.05


class ImportNotTaken(PlimsollError):
    """The desk did not take it: says why."""


class DeskEnded(PlimsollError):
    """The desk ended, or does not answer. Nothing of this import is shown; import again."""

    def __init__(self, directory: DataDirectory) -> None:
        super().__init__(f"{directory.path}: {type(self).__doc__}")


@asynccontextmanager
async def importing_into(directory: DataDirectory) -> AsyncIterator[Importing]:
    """Give the way to whoever is the desk of a folder, or be its one writer meanwhile.

    Raises: DeskEnded; what `importing_at_rest` raises
    """
    door = await _find_the_desk(directory)
    if door is not None:
        yield door
        return
    lock = take_the_desk(directory)
    try:
        async with importing_at_rest(directory, clock=SystemClock(), chance=system_chance()) as here:
            yield here
    finally:
        lock.release()


async def _find_the_desk(directory: DataDirectory) -> "ImportingThroughDoor | None":
    clock = SystemClock()
    until = clock.monotonic() + PATIENCE_SECONDS
    while True:
        if not _is_running(directory):
            return None
        door = ImportingThroughDoor(directory)
        if await door.is_open():
            return door
        if clock.monotonic() > until:
            raise DeskEnded(directory)
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)


def _is_running(directory: DataDirectory) -> bool:
    try:
        take_the_desk(directory).release()
    except DeskIsRunning:
        return True
    return False


# This side of the door ------------------------------------------------------------------------------------------------


class ImportingThroughDoor:
    """The way into the books of a desk that another process serves."""

    def __init__(self, directory: DataDirectory) -> None:
        self._directory = directory

    async def is_open(self) -> bool:
        """Say whether somebody answers.

        Raises: ImportNotTaken by who knows nothing of imports
        """
        try:
            answer = await self._ask("hello", {})
        except NobodyAnswers:
            return False
        if "error" in answer:
            raise ImportNotTaken(f"{self._directory.path}: the desk that runs here takes no imports; is it a replay?")
        return True

    async def know_instruments(self, wanted: Sequence[Instrument]) -> Mapping[Named, InstrumentId]:
        found: dict[Named, InstrumentId] = {}
        for first in range(0, len(wanted), AT_ONCE):
            some = [_told(instrument) for instrument in wanted[first : first + AT_ONCE]]
            answer = await self._say("instruments", {"instruments": some})
            for venue, symbol, number in cast("list[tuple[str, str, int]]", answer["instruments"]):
                found[venue, symbol] = InstrumentId(number)
        return found

    async def know_strategies(self, user_id: UserId, names: Sequence[str]) -> Mapping[str, int]:
        found: dict[str, int] = {}
        for first in range(0, len(names), AT_ONCE):
            words = {"user": user_id, "names": list(names[first : first + AT_ONCE])}
            answer = await self._say("strategies", words)
            found |= cast("dict[str, int]", answer["strategies"])
        return found

    async def begin(self, user_id: UserId, name: str, currency: str) -> Making:
        answer = await self._say("begin", {"user": user_id, "name": name, "currency": currency})
        return _making(answer)

    async def take_all(self, user_id: UserId, file: str, progress: Progress) -> None:
        chunks = ready_in(self._directory.imports / file).chunks
        for number in range(1, chunks + 1):
            await self._say("take", {"user": user_id, "file": file, "number": number}, again=True)
            progress(number, chunks)

    async def finish(self, user_id: UserId, file: str) -> Finished:
        answer = await self._say("finish", {"user": user_id, "file": file}, again=True)
        told = cast("dict[str, int]", answer)
        return Finished(
            AccountId(told["account_id"]),
            PortfolioId(told["portfolio_id"]),
            str(answer["portfolio_uid"]),
            AccountId(told["replaced"]),
        )

    async def _say(self, name: str, words: Message, *, again: bool = False) -> Mapping[str, object]:
        """Give a command; `again` is for those that may be said twice."""
        clock = SystemClock()
        until = clock.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answer = await self._ask(name, words)
            except (NobodyAnswers, ConnectionError) as lost:
                # Where nobody answers nothing was done; where an answer was lost it may have been.
                may_ask = again or isinstance(lost, NobodyAnswers)
                if not may_ask or clock.monotonic() > until or not _is_running(self._directory):
                    raise DeskEnded(self._directory) from lost
            else:
                if "error" not in answer:
                    return answer
                if not (again and answer.get("unclear")) or clock.monotonic() > until:
                    raise ImportNotTaken(str(answer["error"]))
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    async def _ask(self, name: str, words: Message) -> Mapping[str, object]:
        told = await ask(self._directory.socket, PREFIX + name, words)
        answer = told.get("answer")
        if not isinstance(answer, dict):
            raise ImportNotTaken(str(told.get("error", "the desk's answer was not understood")))
        return answer


def _told(instrument: Instrument) -> object:
    return [
        *(instrument.symbol, instrument.venue, instrument.asset_type.value),
        *(instrument.base, instrument.quote, instrument.settle),
        *map(plain, (instrument.tick_size, instrument.lot_size, instrument.multiplier)),
        instrument.inverse,
    ]


def _making(answer: Mapping[str, object]) -> Making:
    told = cast("dict[str, int]", answer)
    return Making(
        AccountId(told["account_id"]),
        PortfolioId(told["portfolio_id"]),
        str(answer["name"]),
        AccountId(told["made_from"]),
    )


# The desk's side of it ------------------------------------------------------------------------------------------------


async def obey_import(here: ImportingHere, name: str, words: Message) -> Done:
    """Do what a command about an import says; a refusal is an answer."""
    try:
        return Done(DONE, await _do(here, name.removeprefix(PREFIX), words))
    except PlimsollError as refused:
        return Done(NOT_DONE, {"error": str(refused), "unclear": isinstance(refused, UnknownOutcome)})
    except (KeyError, TypeError, ValueError, ArithmeticError) as unreadable:
        return Done(NOT_DONE, {"error": f"{name}: these words were not understood: {unreadable!r}"})


async def _do(here: ImportingHere, name: str, words: Message) -> Message:
    match name:
        case "hello":
            return {}
        case "instruments":
            wanted = [_instrument(cast("list[str]", told)) for told in cast("list[object]", words["instruments"])]
            found = await here.know_instruments(wanted)
            return {"instruments": [[*named, number] for named, number in found.items()]}
        case "strategies":
            names = [str(one) for one in cast("list[object]", words["names"])]
            return {"strategies": dict(await here.know_strategies(_user(words), names))}
        case "begin":
            return _answer(await here.begin(_user(words), str(words["name"]), str(words["currency"])))
        case "take":
            return _answer(await here.take(_user(words), str(words["file"]), int(str(words["number"]))))
        case "finish":
            return _answer(await here.finish(_user(words), str(words["file"])))
        case _:
            raise Illegal("command", PREFIX + name, "this desk knows no such step of an import")


def _user(words: Message) -> UserId:
    return UserId(int(str(words["user"])))


def _instrument(told: Sequence[str]) -> Instrument:
    symbol, venue, kind, base, quote, settle, tick, lot, multiplier, inverse = told
    return Instrument(
        InstrumentId(0),
        symbol,
        venue,
        AssetType(kind),
        base,
        quote,
        settle,
        Decimal(tick),
        Decimal(lot),
        multiplier=Decimal(multiplier),
        inverse=bool(inverse),
    )


def _answer(value: Making | Finished) -> Message:
    told = plain(value)
    return told if isinstance(told, dict) else {}
