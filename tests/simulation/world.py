"""A small hostile world: one desk over the paper venue, every effect counted, and a fault at any one of them.

An *effect* is a commit of either database or a request to the venue; each has a number and a name. A fault strikes at
one number: the process dies before or after it, the commit or request fails undone or done, or a request arrives late.

A killed desk runs nothing more, no `except` and no `finally` (`VirtualLoop.kill`); its connections are closed without a
commit, as the operating system would. Another desk is started on the same files, and the caller who was not answered
asks again. What must not enter: what has to hold afterwards (`oracle`), and what is asked (`scenarios`).
"""

import asyncio
import random
import re
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn, TypeVar

from plimsoll.bootstrap import DataDirectory, PaperDesk, paper_desk
from plimsoll.bootstrap.backups.waking import look_for_loss, mark_of, wake
from plimsoll.bots.replay_plan import ACCOUNT, DESK_CODE, INSTRUMENT, PLAN, PORTFOLIO, USER, ReplayPlan, set_up
from plimsoll.desk.book_trades import listen
from plimsoll.desk.place_order import OrderAnswer, place_order
from plimsoll.desk.ports import Ports
from plimsoll.desk.protect import Protector
from plimsoll.desk.reconcile_account import reconcile_account
from plimsoll.desk.recover import recover
from plimsoll.desk.supervise import supervise
from plimsoll.ledger import keys
from plimsoll.ledger.database import create_from_template
from plimsoll.market.instruments import instrument_for
from plimsoll.model.errors import UnknownOutcome, WorldFailure
from plimsoll.model.ids import AccountId, ClientOrderId, InstrumentId, IntentKey
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import Intent, Order, OrderState, OrderTerms
from plimsoll.model.quote import Bar, Fact, Moment, Quote, SourceFacts
from plimsoll.model.trade import TradeReport
from plimsoll.model.venue import (
    DedupeScope,
    MovementPage,
    OrderReport,
    TradePage,
    VenueAccount,
    VenueEvent,
    VenueFacts,
    VenueOrder,
)
from plimsoll.risk.gate.verdict import Approved
from plimsoll.runtime.virtual_loop import VirtualClock, VirtualLoop, context_of, run_virtual, worker
from plimsoll.store.connection import CommitUnclear, StoreFailed
from plimsoll.store.drivers import LoopDriver
from plimsoll.store.place import reader
from plimsoll.store.scribe import Scribe
from plimsoll.venues.paper.rules import PaperRules
from plimsoll.venues.paper.venue import PaperVenue
from plimsoll.venues.protocol import Hear, OrderNotFound, OrderRejected, Placed
from tests.simulation import beside

T = TypeVar("T")
D = Decimal

START = datetime(2022, 1, 1, tzinfo=UTC)
LIVE = SourceFacts("live", frozenset({Fact.PRICE, Fact.SPREAD}))
MINUTES = SourceFacts("replay", frozenset({Fact.PRICE}), timedelta(minutes=1))
_TABLE = re.compile(r'(?:INTO|UPDATE) "?(\w+)')
#: How long a machine takes to start the process again.
DOWN_SECONDS = 0.1
#: Within the bound that the paper venue declares.
LATE_SECONDS = 0.5
#: How often book and venue are compared, once something went wrong. Without a fault nothing may need it (I8).
COMPARE_EVERY = timedelta(seconds=2)
#: A caller who is told of a failure asks again this often before the test calls it stuck.
PATIENCE = 8
#: Between our id and the number of the copy, at a venue that takes the same id twice.
COPY = "~"


class Kind(StrEnum):
    """What goes wrong at an effect."""

    CUT_BEFORE = "cut-before"
    CUT_AFTER = "cut-after"
    #: It did not happen, and an error says that something failed.
    LOST = "lost"
    #: It did happen, and an error says that something failed.
    DONE = "done"
    #: Requests only: an error now, and the venue has it half a second later.
    LATE = "late"
    #: Commits only: it did happen, an error says that it failed, and the database cannot be opened again at once.
    UNCLEAR = "unclear"


CUTS = (Kind.CUT_BEFORE, Kind.CUT_AFTER)
FAILURES = (Kind.LOST, Kind.DONE)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong, at the effect of a number (from 1)."""

    effect: int
    kind: Kind

    def __str__(self) -> str:
        return f"{self.kind}@{self.effect}"


@dataclass(frozen=True, slots=True)
class Personality:
    """How this venue differs from the kindest one."""

    name: str = "plain"
    #: NONE: the same id again is another order, so that a resend is seen.
    dedupe: DedupeScope = DedupeScope.NONE
    #: Look-ups do not see an order for so long after it was taken.
    lookup_lag: timedelta = timedelta(0)
    #: The answer says NEW and nothing else; fills come by the stream alone, and before the answer.
    fills_by_stream: bool = False
    #: News comes late, in the wrong order, and twice.
    unruly_stream: bool = False
    #: News comes so much later than the answers.
    stream_delay: timedelta = timedelta(0)
    #: The stream has died and nobody noticed: what is filled later only an answer or the history tells.
    silent_stream: bool = False
    #: It takes every order and never answers, and its stream is silent: only its history tells.
    never_answers: bool = False
    #: It tells what moved without a trade (`beside`).
    tells_movements: bool = False
    #: A cancel's answer says that nothing was filled, whatever was; the stream tells later.
    cancels_blindly: bool = False
    rules: PaperRules = field(default_factory=PaperRules)

    @property
    def needs_repair(self) -> bool:
        """Say whether the desk must sweep to keep up, even when nothing is struck."""
        return self.never_answers


PLAIN = Personality()


class Broken(AssertionError):
    """A law of the catalogue does not hold."""

    def __init__(self, check: str, sentence: str) -> None:
        super().__init__(f"{check}: {sentence}")
        self.check = check
        self.sentence = sentence


class Cut(BaseException):
    """The process is dead. No `except Exception` hides it."""


class Died(Exception):
    """The desk that was asked died over it."""


class _Connection(sqlite3.Connection):
    """A connection whose commits are effects, and that dies with its process."""

    world: "World"
    process: int
    file: str

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        if sql == "COMMIT":
            return self.world.commit(self)
        # Processes die here, machines do not lose power: what the system was given it keeps without `fsync`.
        return super().execute("PRAGMA synchronous = OFF" if sql.startswith("PRAGMA synchronous") else sql, parameters)

    def executemany(self, sql: str, parameters: Any, /) -> sqlite3.Cursor:
        table = _TABLE.search(sql)
        self.world.written.append(sql if table is None else table[1])
        return super().executemany(sql, parameters)

    def commit_for_real(self) -> sqlite3.Cursor:
        return super().execute("COMMIT")


class Line:
    """The way to the venue, and the venue's character."""

    def __init__(self, world: "World", desk: "Desk") -> None:
        self._world = world
        self._desk = desk
        self._hearers: list[Hear] = []

    @property
    def _paper(self) -> PaperVenue:
        return self._desk.paper.venue

    @property
    def facts(self) -> VenueFacts:
        personality = self._world.personality
        return replace(
            self._paper.facts,
            dedupe_scope=personality.dedupe,
            lookup_lag=personality.lookup_lag,
            tells_movements=personality.tells_movements,
        )

    async def place(self, approved: Approved) -> Placed:
        world, terms = self._world, approved.terms
        world.sent.append(approved)
        world.see_the_approval(approved)
        return await self._request(
            f"place {terms.side} {terms.quantity} {terms.type}", lambda: world.deliver_order(approved)
        )

    async def cancel(self, account_id: AccountId, client_order_id: ClientOrderId) -> VenueOrder:
        answer = await self._request(f"cancel {client_order_id}", lambda: self._world.deliver_cancel(client_order_id))
        return replace(answer, filled_quantity=D(0)) if self._world.personality.cancels_blindly else answer

    async def _request(self, name: str, deliver: Callable[[], Coroutine[Any, Any, T]]) -> T:
        world = self._world
        kind = world.effect(name)
        if kind is Kind.CUT_BEFORE:
            await world.crash()
        if kind is Kind.LOST:
            raise UnknownOutcome("no answer: the request was lost")
        if kind is Kind.LATE:
            world.arrives_late(deliver)
            raise UnknownOutcome("no answer: timed out")
        rejection: OrderRejected | None = None
        answer: T | None = None
        try:
            answer = await deliver()
        except OrderRejected as no:
            rejection = no
        if kind is Kind.CUT_AFTER:
            await world.crash()
        if kind is Kind.DONE or world.personality.never_answers:
            raise UnknownOutcome("no answer: the connection broke")
        if rejection is not None:
            raise rejection
        assert answer is not None
        return answer

    async def order(self, account_id: AccountId, client_order_id: ClientOrderId) -> VenueOrder:
        self._world.let_time_pass_for_look_up(client_order_id)
        return await self._paper.order(account_id, client_order_id)

    async def open_orders(self, account_id: AccountId) -> tuple[VenueOrder, ...]:
        found: tuple[VenueOrder, ...] = await self._paper.open_orders(account_id)
        return tuple(
            named(order)
            for order in found
            if order.client_order_id is not None and not self._world.is_invisible(order.client_order_id)
        )

    async def trades_since(self, account_id: AccountId, cursor: int) -> TradePage:
        # Fills first, then what was revised since: a number for each, in one.
        revised, after = divmod(cursor, beside.BEHIND_FILLS)
        page: TradePage = await self._paper.trades_since(account_id, after)
        told = tuple(named(report) for report in page.trades)
        if page.complete:
            revisions = beside.revisions(self._world.directory.paper_books, self._world.instrument)
            told += tuple(revisions[revised:])
            revised = max(revised, len(revisions))
        return replace(page, trades=told, cursor=revised * beside.BEHIND_FILLS + page.cursor)

    async def movements_since(self, account_id: AccountId, cursor: int) -> MovementPage:
        found = beside.movements(self._world.directory.paper_books, account_id)
        return MovementPage(tuple(found[cursor:]), max(cursor, len(found)), complete=True)

    async def account(self, account_id: AccountId) -> VenueAccount:
        return await self._paper.account(account_id)

    async def equity(self, account_id: AccountId) -> Decimal | None:
        return await self._paper.equity(account_id)

    def listen(self, account_id: AccountId, hear: Hear) -> None:
        self._hearers.append(hear)
        self._paper.listen(account_id, partial(self._tell, hear))

    def tell(self, event: VenueEvent) -> None:
        """Tell what happened beside every order of ours."""
        for hear in self._hearers:
            self._tell(hear, (event,))

    def _tell(self, hear: Hear, events: tuple[VenueEvent, ...]) -> None:
        world, told = self._world, tuple(_named_event(event) for event in events)
        if world.personality.never_answers or world.personality.silent_stream:
            return
        if delay := world.personality.stream_delay:
            world.loop.call_later(delay.total_seconds(), hear, told, context=self._desk.context())
        elif world.personality.unruly_stream:
            for number, event in enumerate(reversed(told)):
                for again in (0.0, 0.3):
                    world.loop.call_later(0.05 + 0.02 * number + again, hear, (event,), context=self._desk.context())
        elif worker.get() == self._desk.worker:
            hear(told)
        else:
            world.loop.call_soon(hear, told, context=self._desk.context())

    def wants(self, instrument_id: InstrumentId) -> bool:
        return self._paper.wants(instrument_id)

    def see(self, quote: Quote) -> None:
        self._world.last_quote = quote
        self._paper.see(quote)

    async def on_quote(self, quote: Quote) -> None:
        self._world.last_quote = quote
        await self._paper.on_quote(quote)

    async def on_bar(self, bar: Bar) -> None:
        await self._paper.on_bar(bar)


def plain_id(client_order_id: str) -> ClientOrderId:
    """Give our id of an order that the venue may have twice."""
    return ClientOrderId(client_order_id.partition(COPY)[0])


N = TypeVar("N", VenueOrder, TradeReport)


def named(told: N) -> N:
    """Give what a venue tells under the id that it was sent with."""
    known = told.client_order_id
    return told if known is None or COPY not in known else replace(told, client_order_id=plain_id(known))


def _named_event(event: VenueEvent) -> VenueEvent:
    match event:
        case OrderReport():
            return replace(event, order=named(event.order))
        case TradeReport():
            return named(event)
        case _:
            return event


class Desk:
    """One process of the desk, from its start to its end."""

    def __init__(self, world: "World", number: int, clock: VirtualClock) -> None:
        self.world = world
        self.worker = f"desk-{number}"
        self.clock = clock
        self.paper: PaperDesk = paper_desk(
            world.directory,
            {world.instrument.id: world.instrument},
            desk_code=DESK_CODE,
            account_id=ACCOUNT,
            clock=clock,
            chance=random.Random(f"{world.seed}|{number}"),
            facts=world.source,
            drive=world.drive,
            rules=world.personality.rules,
            connect=partial(world.connect, number),
        )
        self.line = Line(world, self)
        self.ports: Ports = self.paper.ports
        self.ports.venue = self.line
        self.protector = Protector(self.ports)
        self.begun = False
        self.compared_at = clock.now()

    def context(self) -> Any:
        return context_of(self.worker)

    async def show(self, price: Decimal | None = None) -> None:
        """Show the market's price of this moment, and book what was filled at it."""
        if price is not None:
            self.world.price = price
        now, price = self.clock.now(), self.world.price
        quote = Quote(self.world.instrument.id, now, price, price, price, moment=self.world.moment)
        self.ports.board.put(quote)
        await self.line.on_quote(quote)
        await self.ports.settled()
        await self.supervise()

    def live_orders(self) -> list[Order]:
        """List what the book believes to be on its way or waiting."""
        orders: list[Order] = self.ports.books.hot.shelf(keys.ORDER, ACCOUNT)
        return orders

    async def supervise(self) -> None:
        """Do what the loop around an account does beside: clear up what is in doubt."""
        if not self.begun:
            return
        asked = await supervise(self.ports)
        if asked or (self.world.struck and self.clock.now() - self.compared_at >= COMPARE_EVERY):
            self.compared_at = self.clock.now()
            if not asked:
                await reconcile_account(self.ports)

    def intent(self, key: str, terms: OrderTerms) -> Intent:
        """Give a person's wish."""
        return Intent(IntentKey(key), ACCOUNT, PORTFOLIO, USER, terms, "manual", self.clock.now(), allow_repeat=True)

    async def ask(self, key: str, terms: OrderTerms) -> OrderAnswer:
        """Place an order as an impatient person: told "failed" or "unknown", he presses the button again at once."""
        intent = self.intent(key, terms)
        for _impatient in range(2):
            try:
                answer = self.world.told(await place_order(self.ports, intent))
            except (StoreFailed, CommitUnclear):
                continue
            if answer.order is None or answer.order.state not in (OrderState.PENDING, OrderState.UNKNOWN):
                return answer
        return self.world.told(await place_order(self.ports, intent))

    async def begin(self) -> None:
        """Start as every desk does."""
        await self.show()
        await self._wake()
        listen(self.ports)
        await recover(self.ports)
        self.begun = True

    async def _wake(self) -> None:
        directory, paper = self.world.directory, self.paper
        if directory.stamp.exists() or mark_of(directory).exists():
            engine = reader(directory.book)
            if (loss := look_for_loss(directory, engine)) is not None:
                await wake(directory, paper.books, engine, loss, account_ids=(ACCOUNT,), clock=self.clock)


class World:
    """The files, the venue's character, the market's price, the faults to come, and a record of everything."""

    def __init__(  # noqa: PLR0917  the parts of a world
        self,
        clock: VirtualClock,
        directory: DataDirectory,
        instrument: Instrument,
        source: SourceFacts,
        personality: Personality,
        faults: tuple[Fault, ...],
        chance: random.Random | None = None,
        seed: int = 0,
    ) -> None:
        self.clock, self.directory, self.instrument, self.source = clock, directory, instrument, source
        self.personality = personality
        self.faults = {fault.effect: fault.kind for fault in faults}
        self.chance = chance
        self.seed = seed
        self.loop: VirtualLoop = clock.loop
        self.price = D(100)
        self.moment = Moment.LIVE
        self.last_quote: Quote | None = None
        #: Names of all effects in their order; the n-th has the number n.
        self.effects: list[str] = []
        #: Tables written since the last commit.
        self.written: list[str] = []
        self.sent: list[Approved] = []
        #: The last word that a caller was given about each order: (state, filled quantity).
        self.acknowledged: dict[ClientOrderId, tuple[OrderState, Decimal]] = {}
        self.answers: dict[str, OrderAnswer] = {}
        self.arrived: dict[str, datetime] = {}
        #: How many of one id are on their way into the venue's books, by the process that brings them.
        self.arriving: Counter[tuple[int, str]] = Counter()
        #: Orders that somebody placed at the venue itself.
        self.by_hand: set[str] = set()
        #: What callers had been told, and how much had been sent, when a copy of the files was made.
        self.when_copied: tuple[dict[ClientOrderId, tuple[OrderState, Decimal]], int] = ({}, 0)
        #: Sent orders that an older copy does not know; nobody can prove their approval.
        self.forgotten: set[str] = set()
        self.struck: list[Fault] = []
        #: Failures that nobody waited for, and what the loop itself had to report.
        self.surprises: list[BaseException | str] = []
        self.late: set[asyncio.Task[None]] = set()
        self.processes = 0
        self._killed: set[str] = set()
        self._connections: list[_Connection] = []
        #: Files that cannot be opened, once.
        self._unreachable: set[str] = set()
        self.loop.set_exception_handler(self._report)

    # ------------------------------------------------------------------------------------------ life and death

    async def start(self, begin: Callable[[Desk], Awaitable[None]], *, at: datetime | None = None) -> None:
        """Start a desk on the files; if it dies in its first steps, start another."""
        for _ in range(PATIENCE):
            self.processes += 1
            clock = self.clock
            if at is not None:
                clock = VirtualClock(self.loop, START, at - START - timedelta(microseconds=self.loop.microseconds))
            self.died: asyncio.Future[None] = self.loop.create_future()
            self.desk = Desk(self, self.processes, clock)
            try:
                await self._alive(begin)
            except Died:
                await asyncio.sleep(DOWN_SECONDS)
            else:
                return
        raise Broken("LIVE", f"{PATIENCE} desks in a row did not start")

    async def on_desk(self, what: Callable[[Desk], Awaitable[T]]) -> T:
        """Have the desk do something.

        Raises: Died; what it raises
        """
        if self.is_dead:  # it died between two requests, over work of its own
            raise Died
        task = self.loop.spawn(self.desk.worker, _coroutine(what, self.desk))
        await asyncio.wait((task, self.died), return_when=asyncio.FIRST_COMPLETED)
        if self.died.done():
            raise Died
        return task.result()

    async def _alive(self, what: Callable[[Desk], Awaitable[T]]) -> T | None:
        # What fails because the disk failed is asked again, by the same process: a caller's patience.
        for attempt in range(PATIENCE):
            try:
                return await self.on_desk(what)
            except (WorldFailure, CommitUnclear, ExceptionGroup) as failure:
                if attempt == PATIENCE - 1 or not self.struck:
                    self.surprises.append(failure)
                    break
                await asyncio.sleep(DOWN_SECONDS)
            except Died:
                raise
            except Exception as bug:  # noqa: BLE001  the story goes on: the laws say best what it broke
                self.surprises.append(bug)
                break
        return None

    async def until_done(
        self, what: Callable[[Desk], Awaitable[T]], begin: Callable[[Desk], Awaitable[None]], restart_at: "RestartAt"
    ) -> T | None:
        """Have the desk do something, and ask the next desk again when this one dies over it."""
        while True:
            try:
                return await self._alive(what)
            except Died:
                await asyncio.sleep(DOWN_SECONDS)
                await self.start(begin, at=restart_at(self))

    @property
    def is_dead(self) -> bool:
        return self.desk.worker in self._killed

    def die(self) -> None:
        """End the desk's process."""
        self._killed.add(self.desk.worker)
        self.loop.kill(self.desk.worker)
        self.written.clear()
        for connection in self._connections:
            with suppress(sqlite3.Error):
                connection.close()
        self._connections.clear()
        self.loop.call_soon(self.died.set_result, None, context=context_of(None))

    async def crash(self) -> NoReturn:
        """Die in the middle of a request; it does not return."""
        self.die()
        await self.loop.create_future()
        raise AssertionError("a dead process went on")

    def drive(self, scribe: Scribe) -> LoopDriver:
        # A post that fills the line would write in its caller's own step; here every commit is a callback of its own.
        if self.chance is None:
            return LoopDriver(scribe, on_failure=self._not_written, post_limit=1_000_000)
        chance = self.chance
        return LoopDriver(
            scribe,
            on_failure=self._not_written,
            post_limit=1_000_000,
            delay=lambda: chance.choice((0.0, 0.0, 0.002)),
            group_size=lambda: chance.choice((1, 2, 1_000)),
        )

    def connect(self, process: int, path: str) -> sqlite3.Connection:
        if Path(path).name in self._unreachable:
            self._unreachable.remove(Path(path).name)
            raise sqlite3.OperationalError("unable to open database file")
        connection = sqlite3.connect(path, isolation_level=None, cached_statements=256, factory=_Connection)
        connection.world, connection.process, connection.file = self, process, Path(path).name
        self._connections.append(connection)
        return connection

    def close(self) -> None:
        """Let go of the files."""
        for connection in self._connections:
            connection.close()

    def _not_written(self, error: BaseException) -> None:
        if not self.struck:
            self.surprises.append(error)

    def _report(self, _loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        error = context.get("exception")
        # A watch that met a failing disk tells its failure at the next look.
        if not isinstance(error, Cut | StoreFailed | CommitUnclear):
            self.surprises.append(error or str(context.get("message")))

    # ------------------------------------------------------------------------------------------------- effects

    def effect(self, name: str) -> Kind | None:
        """Count an effect, and say what goes wrong at it."""
        self.effects.append(name)
        kind = self.faults.get(len(self.effects))
        if kind is not None:
            self.struck.append(Fault(len(self.effects), kind))
        return kind

    def commit(self, connection: _Connection) -> sqlite3.Cursor:
        if connection.process != self.processes or self.is_dead:
            raise Cut
        name = f"commit {connection.file}: {', '.join(dict.fromkeys(self.written)) or 'nothing'}"
        self.written.clear()
        kind = self.effect(name)
        if kind is Kind.CUT_BEFORE:
            self.die()
            raise Cut
        if kind is Kind.LOST:
            raise sqlite3.OperationalError("disk I/O error")
        done = connection.commit_for_real()
        if kind is Kind.CUT_AFTER:
            self.die()
            raise Cut
        if kind is Kind.UNCLEAR:
            self._unreachable.add(connection.file)
        if kind in (Kind.DONE, Kind.UNCLEAR):
            raise sqlite3.OperationalError("disk I/O error")
        return done

    # --------------------------------------------------------------------------------------------------- venue

    async def deliver_order(self, approved: Approved) -> Placed:
        """Bring an order to the venue as it stands now."""
        name, books = approved.client_order_id, self.directory.paper_books
        # What a dead process had on its way into the venue's books never came there.
        arriving = (self.processes, name)
        before = beside.copies(books, name, COPY) + self.arriving[arriving]
        self.arriving[arriving] += 1
        if before and self.personality.dedupe is DedupeScope.NONE:
            name = ClientOrderId(f"{name}{COPY}{before + 1}")
        self.arrived.setdefault(name, self.clock.now())
        try:
            placed = await self.desk.paper.venue.place(replace(approved, client_order_id=name))
        finally:
            self.arriving[arriving] -= 1
        if self.personality.fills_by_stream:
            await asyncio.sleep(0.05)
            bare = replace(placed.order, state=OrderState.NEW, filled_quantity=D(0), reason="")
            return Placed(named(bare))
        return Placed(named(placed.order), tuple(named(report) for report in placed.trades))

    async def deliver_cancel(self, client_order_id: ClientOrderId) -> VenueOrder:
        return named(await self.desk.paper.venue.cancel(ACCOUNT, client_order_id))

    def arrives_late(self, deliver: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        """Bring a request that was given up on, to whatever process stands at the venue's door then."""

        async def later() -> None:
            await asyncio.sleep(LATE_SECONDS)
            while self.is_dead:
                await asyncio.sleep(DOWN_SECONDS)
            with suppress(OrderRejected, OrderNotFound):
                await deliver()

        self.late.add(self.loop.spawn(None, later()))

    def is_anything_late(self) -> bool:
        return any(not task.done() for task in self.late)

    def is_invisible(self, client_order_id: str) -> bool:
        lag = self.personality.lookup_lag
        return bool(lag) and self.clock.now() - self.arrived.get(client_order_id, START) < lag

    def let_time_pass_for_look_up(self, client_order_id: str) -> None:
        if self.is_invisible(client_order_id):
            raise OrderNotFound(f"{client_order_id} is not to be seen yet")

    # ------------------------------------------------------------------------------------------------ records

    def see_the_approval(self, approved: Approved) -> None:
        """Look into the file, at the moment of sending, for the approval and the order (I11)."""
        with sqlite3.connect(self.directory.database) as reader:
            outcome = reader.execute(
                "SELECT outcome FROM verdicts WHERE client_order_id = ?", (approved.client_order_id,)
            ).fetchone()
            order = reader.execute(
                "SELECT state FROM orders WHERE client_order_id = ?", (approved.client_order_id,)
            ).fetchone()
        reader.close()
        if outcome != ("APPROVED",) or order is None:
            self.surprises.append(
                Broken("I11", f"{approved.client_order_id} left; the book says {outcome}, its order {order}")
            )

    def told(self, answer: OrderAnswer) -> OrderAnswer:
        """Remember what a caller was told: from now on it must stay true."""
        if answer.order is not None:
            self.told_of(answer.order)
            self.answers[answer.order.intent.key] = answer
        return answer

    def told_of(self, order: Order) -> Order:
        self.acknowledged[order.client_order_id] = (order.state, order.filled_quantity)
        return order


RestartAt = Callable[[World], datetime | None]
#: What a desk is asked to do; asked again when it died over it.
Step = Callable[[Desk], Awaitable[None]]


async def _coroutine(what: Callable[[Desk], Awaitable[T]], desk: Desk) -> T:
    return await what(desk)


# Files of a desk that was set up once ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Market:
    """What is traded, under which facts, with how much."""

    symbol: str = "BTC/USDT:USDT"
    source: SourceFacts = LIVE
    deposit: str = "10000"
    leverage: str = "2"
    strategy: str = "hold"

    def instrument(self) -> Instrument:
        return instrument_for(self.symbol, INSTRUMENT, "paper")

    def plan(self) -> ReplayPlan:
        params = (("share", "1.0"),)
        return ReplayPlan(self.symbol, "simulated", self.deposit, self.strategy, params, self.leverage, None, 0)


PERPETUAL = Market()
SPOT = Market("BTC/USDT", leverage="1")


@cache
def template(market: Market) -> tuple[tuple[str, bytes], ...]:
    """Give the files of a desk with an account and its first money, made once for each market."""
    with TemporaryDirectory() as folder:
        directory = DataDirectory(Path(folder))
        directory.chain_key_file.write_text("5a" * 32)
        create_from_template(directory.database)
        instrument = market.instrument()

        def fail(error: BaseException) -> None:
            raise error

        async def main(clock: VirtualClock) -> None:
            desk = paper_desk(
                directory,
                {instrument.id: instrument},
                desk_code=DESK_CODE,
                account_id=ACCOUNT,
                clock=clock,
                chance=random.Random(0),
                facts=market.source,
                drive=lambda scribe: LoopDriver(scribe, on_failure=fail),
            )
            await set_up(desk.ports, desk.venue, market.plan(), instrument, clock.now())
            await desk.close()

        run_virtual(main, start=START)
        # A replay is made again from its inputs, venue and all, where an older copy comes back; a desk is not.
        with closing(sqlite3.connect(directory.database, isolation_level=None)) as connection:
            connection.execute("DELETE FROM meta WHERE name = ?", (PLAN,))
        return tuple((path.name, path.read_bytes()) for path in sorted(directory.path.iterdir()))


def lay_out(market: Market, folder: Path) -> DataDirectory:
    """Put the files of a fresh desk into a folder."""
    for name, content in template(market):
        (folder / name).write_bytes(content)
    return DataDirectory(folder)
