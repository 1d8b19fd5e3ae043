"""Steps in which others act beside the callers of orders: the venue, a person at the venue, an import, a copy, a kill.

Each may be asked again after a crash, as its real actor would: what the venue did it has written down, an import that
is shown is not begun again. What happens while no process runs is an `Interlude`.
"""

import asyncio
import dataclasses
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from plimsoll.bootstrap import DataDirectory
from plimsoll.bootstrap.backups.copy import back_up
from plimsoll.bootstrap.backups.manifest import CopyFolder
from plimsoll.bootstrap.backups.restore import restore
from plimsoll.bots.replay_plan import ACCOUNT, INSTRUMENT, USER
from plimsoll.desk.halt import MANUAL, lift, shut
from plimsoll.desk.import_book import ImportingHere
from plimsoll.desk.preview_order import preview_order
from plimsoll.ledger.imported.build import BookPlace
from plimsoll.ledger.imported.current import book_named
from plimsoll.model.account import Halt, Scope, TradingState
from plimsoll.model.cash import CashKind, pocket_of
from plimsoll.model.errors import CommandRefused
from plimsoll.model.ids import ClientOrderId
from plimsoll.model.order import OrderTerms, OrderType, Side
from plimsoll.risk.guards.drawdown import GuardStatus
from plimsoll.store.connection import StoreFailed
from plimsoll.store.place import reader
from tests.builders.bringing import BTC, LATER, fills, paid_in, staged
from tests.simulation import beside
from tests.simulation.oracle import Files
from tests.simulation.world import PATIENCE, Broken, Desk, Step, World

D = Decimal

IMPORTED = "old days"
_IMPORTED_FILLS = 6


@dataclass(frozen=True, slots=True)
class Interlude:
    """The process is killed, something may happen to its files, and another is started."""

    down: timedelta
    meanwhile: Callable[[World], None] | None = None


# The venue ------------------------------------------------------------------------------------------------------------


def moved(kind: CashKind, amount: str, name: str = "1") -> Step:
    """Let money come to the account at the venue, or go from it, by itself."""

    async def step(desk: Desk) -> None:
        await desk.show()
        instrument, venue, signed = desk.world.instrument, desk.paper.venue, D(amount)
        move = venue.deposit if signed > 0 else venue.withdraw
        reference = beside.money_reference(kind, name)
        await move(ACCOUNT, instrument.quote, abs(signed), reference=reference, pocket=pocket_of(instrument))
        (movement,) = (
            one for one in beside.movements(desk.world.directory.paper_books, ACCOUNT) if one.reference == reference
        )
        desk.line.tell(movement)
        await desk.ports.settled()

    return step


def revised(number: int, at: str | None, revision: int = 1) -> Step:
    """Let the venue take its n-th fill back, or tell it at another price; a fill that never was stays away."""

    async def step(desk: Desk) -> None:
        await desk.show()
        world, books, price = desk.world, desk.world.directory.paper_books, None if at is None else D(at)
        if number > beside.fill_count(books) or world.last_quote is None:
            return
        told, quote = beside.reports(books, number, world.instrument), world.last_quote
        if len(told) <= revision:  # else it is asked again, and was done
            await desk.paper.paper_books.write(
                lambda draft: beside.revise(draft, told[-1], price, world.instrument, quote)
            )
        desk.line.tell(beside.revised(told[0], price, revision))
        await desk.ports.settled()

    return step


def by_hand(name: str, side: Side, quantity: str) -> Step:
    """Let a person trade at the venue itself, past the desk."""

    async def step(desk: Desk) -> None:
        await desk.show()
        world = desk.world
        if not world.sent:
            return
        terms = OrderTerms(INSTRUMENT, side, OrderType.MARKET, quantity=D(quantity))
        world.by_hand.add(name)
        await desk.paper.venue.place(
            dataclasses.replace(world.sent[0], client_order_id=ClientOrderId(name), terms=terms)
        )
        await desk.ports.settled()

    return step


# People ---------------------------------------------------------------------------------------------------------------


def previewed(key: str, side: Side, quantity: str) -> Step:
    """Ask what an order would be told; nothing comes of it."""
    terms = OrderTerms(INSTRUMENT, side, OrderType.MARKET, quantity=D(quantity))

    async def step(desk: Desk) -> None:
        await desk.show()
        await preview_order(desk.ports, desk.intent(key, terms))

    return step


def halted() -> Step:
    """Stop the account."""

    async def step(desk: Desk) -> None:
        halt = Halt(Scope.ACCOUNT, ACCOUNT, MANUAL, TradingState.HALTED, "the simulation says so", latched=True)
        if failures := await shut(desk.ports, halt, "user:1"):
            raise StoreFailed("; ".join(failures))  # its caller is told, and asks again

    return step


def lifted() -> Step:
    """Let the account go on."""

    async def step(desk: Desk) -> None:
        try:
            await lift(desk.ports, MANUAL, "user:1")
        except CommandRefused:
            return  # it was lifted, and nobody heard of it

    return step


def guard_lifted() -> Step:
    """Let the guard begin anew on what is left."""

    async def step(desk: Desk) -> None:
        for _ in range(PATIENCE):
            await desk.show()
            await desk.protector.look()
            if desk.protector.episode.status is not GuardStatus.LATCHED:
                break  # it never fired, or it was lifted and nobody heard of it
            try:
                await desk.protector.lift("user:1")
            except CommandRefused:  # it cannot see yet
                await asyncio.sleep(1)
        await desk.protector.close()

    return step


def repeated(asked: Step) -> Step:
    """Ask with a key whose order the book forgot: what the venue has of it is not ordered again (I1)."""

    async def step(desk: Desk) -> None:
        with suppress(CommandRefused):
            await asked(desk)

    return step


def refused(asked: Step, code: str) -> Step:
    """Ask for what must be refused, and by this code."""

    async def step(desk: Desk) -> None:
        try:
            await asked(desk)
        except CommandRefused as no:
            if [refusal.code for refusal in no.refusals] != [code]:
                raise Broken("END", f"refused for another reason: {no}") from no
            return
        raise Broken("I1", f"what had to be refused with {code} was done")

    return step


# An import ------------------------------------------------------------------------------------------------------------


def imported() -> Step:
    """Bring a book of earlier days in beside trading; one that is shown is not brought again."""

    async def step(desk: Desk) -> None:
        await desk.show()
        directory, ports = desk.world.directory, desk.ports
        if book_named(reader(directory.book), USER, IMPORTED).account_id is not None:
            return
        directory.imports.mkdir(exist_ok=True)
        here = ImportingHere(ports.books, desk.clock, ports.ids, directory.imports)
        found = await here.know_instruments([BTC])
        making = await here.begin(USER, IMPORTED, BTC.quote)
        instrument = dataclasses.replace(BTC, id=found[BTC.venue, BTC.symbol])
        place = BookPlace(
            making.account_id, making.portfolio_id, {(BTC.venue, BTC.symbol): instrument}, {}, "user:1", LATER
        )
        file = directory.imports / f"{desk.worker}-{making.account_id}.part"
        file.unlink(missing_ok=True)  # of an attempt of this very process, whose answer was lost
        ready = staged(file, place, [[paid_in(1), *fills(_IMPORTED_FILLS)]], directory.chain_key())
        await here.take_all(USER, ready.path.name, lambda _done, _chunks: None)
        await here.finish(USER, ready.path.name)

    return step


def one_book(world: World, files: Files) -> None:
    """The imported book is shown once, whole, and nothing else of its name is."""
    shown = book_named(reader(world.directory.book), USER, IMPORTED)
    if shown.account_id is None or shown.trade_count != _IMPORTED_FILLS:
        raise Broken("IMPORT", f"the imported book has {shown.trade_count} fills of {_IMPORTED_FILLS}")


# Copies and kills -----------------------------------------------------------------------------------------------------


def copied() -> Step:
    """Make a copy of the desk while it trades."""

    async def step(desk: Desk) -> None:
        world = desk.world
        back_up(world.directory, _copies(world.directory), desk.clock, "simulated")
        world.when_copied = (dict(world.acknowledged), len(world.sent))

    return step


def _bring_back(world: World) -> None:
    """Put the newest copy in the place of the book; the venue forgets nothing."""
    newest = list(_copies(world.directory).copies().values())[-1]
    restore(newest, world.directory, world.clock, over=True, venue_too=False)
    # What was said and sent behind the copy, only the venue can still prove.
    acknowledged, sent = world.when_copied
    world.acknowledged = dict(acknowledged)
    world.forgotten |= {approved.client_order_id for approved in world.sent[sent:]}


def _copies(directory: DataDirectory) -> CopyFolder:
    return CopyFolder(directory.path / "copies")


def killed(down_seconds: float) -> Interlude:
    """Kill the desk, and start another after a while."""
    return Interlude(timedelta(seconds=down_seconds))


#: The desk is ended, and an older book is brought back.
RESTORED = Interlude(timedelta(seconds=5), _bring_back)
