"""A desk whose events, prices and figures are followed: real books in a file, real people, a real door.

Ada and Bob trade, each with an account of his own; Ada has a second one. Grace keeps the desk. `play` runs a story on
the virtual loop, with subscribers whose line is a list; `serve` runs it over real sockets.
"""

import asyncio
import base64
import random
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
import uvicorn
import websockets
from httpx2 import AsyncClient, Response
from websockets.asyncio.client import ClientConnection

from plimsoll.cli.up import server_config
from plimsoll.edges.api.access import Api
from plimsoll.edges.api.app import bare_app
from plimsoll.edges.api.door import Door
from plimsoll.edges.api.estate import Estate
from plimsoll.edges.api.rates import Budget, Rate, Rates
from plimsoll.edges.api.schemas import AccountPulse, GuardRow, Load, PriceSource, QuoteRow
from plimsoll.edges.api.stream_frames import Framed
from plimsoll.edges.api.stream_hub import Ending, LineCut, Pace, Sight, Streams
from plimsoll.edges.api.stream_ticker import Prices, Ticker
from plimsoll.edges.served import ServedDesk
from plimsoll.ledger import accounts, queries
from plimsoll.ledger.follow import DESK, EventFeed
from plimsoll.ledger.log import tell
from plimsoll.ledger.reading.reader import Reader
from plimsoll.ledger.schema import metadata
from plimsoll.market.board import PriceBoard
from plimsoll.model.account import Account, Mode, Portfolio, TradingState, User
from plimsoll.model.clock import Clock, SystemClock
from plimsoll.model.event import Event, EventKind
from plimsoll.model.ids import AccountId, ClockedIds, InstrumentId, PortfolioId, UserId
from plimsoll.model.quote import Fact, Quote, SourceFacts
from plimsoll.people.actor import Actor, Right
from plimsoll.people.hashing import Strength
from plimsoll.people.people import People
from plimsoll.runtime.virtual_loop import VirtualClock, run_virtual
from plimsoll.store.draft import Draft
from plimsoll.store.drivers import Driver, LoopDriver, ThreadDriver
from plimsoll.store.scribe import Scribe
from plimsoll.store.sqlite import SqliteWriter, reader
from tests.builders.ledger import INSTRUMENTS, NOON, PERPETUAL, SPOT, Books, books_at

D = Decimal
ADA = User(UserId(1), "u-1", "Ada", "trader", approved=True)
BOB = User(UserId(2), "u-2", "Bob", "trader", approved=True)
GRACE = User(UserId(3), "u-3", "Grace", "admin", approved=True)
ADAS, BOBS, ADAS_OTHER = AccountId(1), AccountId(2), AccountId(3)
OWNERS = {ADAS: ADA, BOBS: BOB, ADAS_OTHER: ADA}
#: Bob's prices come from elsewhere.
SOURCES = {ADAS: "live", BOBS: "synthetic", ADAS_OTHER: "live"}
PASSWORD = "four words nobody guesses"
HOST = "127.0.0.1"

Frame = dict[str, Any]


class SeededSecrets:
    """Secrets that are the same in every run."""

    def __init__(self) -> None:
        self._chance = random.Random(7)

    def token(self) -> str:
        return base64.urlsafe_b64encode(self._chance.randbytes(32)).rstrip(b"=").decode()


class Harbour:
    """The desk, and everybody's way in."""

    def __init__(self, path: Path, clock: Clock, drive: Callable[[Scribe], Driver], pace: Pace, kept: int) -> None:
        self.path, self.clock, self.pace = path, clock, pace
        books_at(path).close()
        self.books = Books(SqliteWriter(path, metadata, queries.compiled()))
        self.events = EventFeed(self.books.scribe, reader(path), kept=kept)
        self.driver = drive(self.books.scribe)
        ids = ClockedIds(clock, random.Random(1))
        self.people = People(self.driver, clock, ids, SeededSecrets(), strength=Strength(memory_kib=8, passes=1))
        self.boards = {account: PriceBoard(SourceFacts(source, frozenset(Fact))) for account, source in SOURCES.items()}
        #: What the figures say, account by account, or break with.
        self.equity: dict[AccountId, Decimal | Exception] = dict.fromkeys(OWNERS, D(1000))
        self.pulses_read = 0
        #: Asking about a token breaks of a bug.
        self.tokens_break = False
        self.streams = Streams(
            self.events,
            Ticker(
                {account: Prices(SOURCES[account], board) for account, board in self.boards.items()},
                self._quote_row,
                clock,
            ),
            clock=clock,
            accounts=frozenset([*OWNERS, DESK]),
            sight_of=self._sight_of,
            name=lambda account: f"a-{account}",
            pulse=self._pulse,
            is_alive=self._is_alive,
            pace=pace,
        )
        self._ids = ids

    async def begin(self) -> None:
        def unit(draft: Draft) -> None:
            for user in (ADA, BOB, GRACE):
                accounts.write_user(draft, user)
            for account, owner in OWNERS.items():
                name = f"n-{account}"
                source = SOURCES[account]
                opened = Account(
                    account, f"a-{account}", owner.id, name, "paper", Mode.PAPER, "USDT", source, "standard"
                )
                accounts.write_account(draft, opened)
                accounts.write_portfolio(draft, Portfolio(PortfolioId(account), f"p-{account}", account, owner.id, "m"))
            for instrument in INSTRUMENTS:
                accounts.write_instrument(draft, instrument, NOON)

        await self.driver.write(unit)

    async def session(self, user: User) -> str:
        """Let somebody choose a password, and give the session's token."""
        return await self.people.redeem_link(await self.people.new_link(user.id, "cli"), PASSWORD, HOST)

    async def actor(self, user: User) -> Actor:
        actor = self.people.session(await self.session(user))
        assert actor is not None
        return actor

    async def happens(self, account: AccountId, *what: str) -> None:
        """Commit events of one account, a unit for all of them."""

        def unit(draft: Draft) -> None:
            for word in what:
                tell(draft, Event(EventKind.BREAK_FOUND, account, NOON, {"what": word}))

        await self.driver.write(unit)

    def quote(self, account: AccountId, bid: str, of: InstrumentId = SPOT.id) -> None:
        """Show a price on an account's board."""
        self.boards[account].put(Quote(of, self.clock.now(), D(bid), D(bid), D(bid)))

    def forget(self, upto: int) -> None:
        """Keep the events up to a number no longer, as after thirty days; memory forgets them with the next start."""
        with self.books.scribe._connection._connection as connection:  # type: ignore[attr-defined]
            connection.execute("DELETE FROM events WHERE number <= ?", (upto,))

    def stored(self, *whose: AccountId) -> list[int]:
        """Give the numbers of what happened to some accounts, as the database has them."""
        with reader(self.path).connect() as connection:
            rows = connection.exec_driver_sql("SELECT number, account_id FROM events ORDER BY number")
            return [number for number, account in rows if account in whose]

    def _sight_of(self, actor: Actor) -> Sight:
        own = [account for account, owner in OWNERS.items() if owner.id == actor.user.id]
        return Sight(frozenset([*own, DESK] if Right.ADMIN in actor.rights else own), frozenset(own))

    def _is_alive(self, actor: Actor) -> bool:
        if self.tokens_break:
            raise ZeroDivisionError("a bug of ours")
        return self.people.is_alive(actor)

    def _quote_row(self, account: AccountId, quote: Quote) -> QuoteRow:
        age = (self.clock.now() - quote.at).total_seconds()
        symbol = {SPOT.id: SPOT.symbol, PERPETUAL.id: PERPETUAL.symbol}[quote.instrument_id]
        return QuoteRow(
            symbol=symbol, bid=quote.bid, ask=quote.ask, last=quote.last, mark=None, at=quote.at, age_seconds=age,
            fresh=age < 5, source=self.boards[account].facts.name,
        )  # fmt: skip

    def _pulse(self, account: AccountId) -> AccountPulse:
        self.pulses_read += 1
        equity = self.equity[account]
        if isinstance(equity, Exception):
            raise equity
        return pulse_of(f"a-{account}", equity)


def pulse_of(account: str, equity: Decimal) -> AccountPulse:
    """Give what an account's second may look like."""
    return AccountPulse(
        account=account,
        equity=equity,
        drawdown=D(0),
        load=Load(
            load=None,
            applies=False,
            level="SAFE",
            warning=D("0.7"),
            critical=D("0.8"),
            emergency=D("0.9"),
            order_limit=D("0.7"),
            gross_value=D(0),
            leverage_cap=D(1),
        ),
        state=TradingState.ACTIVE,
        prices=PriceSource(
            account=account,
            source="live",
            label="Live",
            state="RUNNING",
            detail="",
            since=NOON,
            reconnects=0,
            age_seconds=None,
        ),
        guard=GuardRow(
            account=account,
            kind="drawdown",
            status="CALM",
            blind="",
            drawdown=D(0),
            equity=equity,
            peak_equity=equity,
            warn_at=D("0.1"),
            close_at=D("0.15"),
            min_equity=D(0),
            line="",
            countdown=None,
            episode=0,
            closed_count=0,
            loss=D(0),
            last_check_at=None,
        ),
        reconciled=True,
    )


# In virtual time ------------------------------------------------------------------------------------------------------


class Tape:
    """A line that keeps what it is sent; it can stop taking anything, and be cut."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.numbers: list[int | None] = []
        #: Frames that came together.
        self.sent: list[int] = []
        self.takes = asyncio.Event()
        self.takes.set()
        self.hears_last_word = True
        self.ending: Ending | None = None
        self.says: asyncio.Future[Ending | None] = asyncio.get_running_loop().create_future()
        self.cut = False
        self.task: asyncio.Future[None] | None = None

    async def open(self) -> None:
        if self.cut:
            raise LineCut

    async def send(self, some: Sequence[Framed]) -> None:
        await self.takes.wait()
        if self.cut:
            raise LineCut
        self.sent.append(len(some))
        for framed in some:
            self.frames.append(orjson.loads(framed.text))
            self.numbers.append(framed.number)

    async def listen(self) -> Ending | None:
        return await self.says

    async def close(self, ending: Ending) -> None:
        if not self.hears_last_word:
            await asyncio.Event().wait()
        self.ending = ending

    def of(self, kind: str) -> list[Frame]:
        return [frame for frame in self.frames if frame["type"] == kind]

    def events(self) -> list[tuple[int, int]]:
        """Give number and previous of every event."""
        return [(frame["number"], frame["previous"]) for frame in self.of("event")]


class Cove(Harbour):
    """The harbour in virtual time."""

    async def board(self, actor: Actor, after: int | None = None, tape: Tape | None = None) -> Tape:
        """Follow, and let the first frames come."""
        tape = tape or Tape()
        self.task = asyncio.ensure_future(self.streams.serve(self.streams.enter(actor, after), tape))
        await asyncio.sleep(0.05)
        return tape


def play(
    path: Path, story: Callable[[Cove], Coroutine[Any, Any, None]], *, pace: Pace | None = None, kept: int = 1_000
) -> None:
    """Run a story in virtual time; at the end nobody is left and nothing runs on."""

    async def main(clock: VirtualClock) -> None:
        failures: list[BaseException] = []

        def drive(scribe: Scribe) -> Driver:
            return LoopDriver(scribe, on_failure=failures.append)

        cove = Cove(path / "desk.db", clock, drive, pace or Pace(), kept)
        try:
            await cove.begin()
            await story(cove)
            await cove.streams.close()
            await asyncio.sleep(0)
            running = asyncio.all_tasks() - {asyncio.current_task()}
            assert not running, "a closed desk leaves nothing running"
            assert failures == []
        finally:
            cove.books.close()

    run_virtual(main, start=NOON)


# Over real sockets ----------------------------------------------------------------------------------------------------


class QuietServer(uvicorn.Server):
    """A server that leaves signals to whoever runs the tests."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Port(Harbour):
    """The harbour with its door open to the network."""

    async def open(self) -> None:
        self.app = app = bare_app()
        desk = ServedDesk(
            version="0",
            clock=self.clock,
            started_at=self.clock.now(),
            books=self.driver,
            reader=Reader(self.events._reader),
            people=self.people,
            events=self.events,
            accounts={},
        )
        wide = Rate(1_000_000, 1_000_000)
        app.state.api = Api(desk, Estate(desk), self._ids, Rates(wide, wide, wide), Budget())
        app.state.streams = self.streams
        app.add_middleware(Door, ids=self._ids, hosts=(HOST,))
        self.server = QuietServer(server_config(app))
        # A little room for what is under way, so that who reads nothing is soon noticed.
        listener = socket.create_server((HOST, 0))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        self.place = f"{HOST}:{listener.getsockname()[1]}"
        self.serving = asyncio.ensure_future(self.server.serve(sockets=[listener]))
        await until(lambda: self.server.started)

    async def close(self) -> None:
        await self.streams.close()
        self.server.should_exit = True
        await self.serving
        await self.driver.close()

    def page(self, token: str) -> dict[str, str]:
        """Give what a browser sends for our own page."""
        return {"Cookie": f"plimsoll={token}", "Origin": f"http://{self.place}"}

    def socket(self, headers: Mapping[str, str], said: str = "", **options: Any) -> "websockets.connect":
        """Open the stream as a WebSocket."""
        url = f"ws://{self.place}/api/v1/stream{said}"
        return websockets.connect(url, additional_headers=dict(headers), compression=None, **options)

    async def refused(self, headers: Mapping[str, str], said: str = "") -> tuple[int, str]:
        """Open a WebSocket in vain; give status and code of the problem that a program is shown."""
        with pytest.raises(websockets.InvalidStatus) as told:
            async with self.socket(headers, said):
                pass
        response = told.value.response
        problem = orjson.loads(response.body or b"")
        assert problem["status"] == response.status_code
        assert response.headers["content-type"] == "application/problem+json"
        return response.status_code, problem["code"]

    @asynccontextmanager
    async def answers(self, headers: Mapping[str, str], said: str = "") -> AsyncIterator[Response]:
        """Open the stream as Server-Sent Events."""
        url = f"http://{self.place}/api/v1/stream{said}"
        async with AsyncClient(timeout=10) as client, client.stream("GET", url, headers=dict(headers)) as response:
            yield response


async def until(true: Callable[[], object]) -> None:
    """Let the loop turn until something is so."""
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0)


async def frames_of(response: Response) -> AsyncIterator[tuple[str, Frame]]:
    """Read Server-Sent Events as a browser does: id and data of each."""
    place = ""
    async for line in response.aiter_lines():
        name, _, value = line.partition(": ")
        if name == "id":
            place = value
        elif name == "data":
            yield place, orjson.loads(value)


async def events_of(frames: AsyncIterator[Frame], most: int) -> list[tuple[int, int]]:
    """Read number and previous of so many events."""
    found: list[tuple[int, int]] = []
    if not most:
        return found
    async for frame in frames:
        if frame["type"] == "event":
            found.append((frame["number"], frame["previous"]))
            if len(found) == most:
                break
    return found


async def heard(connection: ClientConnection) -> AsyncIterator[Frame]:
    """Read a WebSocket's frames."""
    async for message in connection:
        yield orjson.loads(message)


async def end_of(connection: ClientConnection) -> tuple[int, str]:
    """Read until the other side ends it; give code and reason."""
    with suppress(websockets.ConnectionClosed):
        while True:
            await connection.recv()
    assert connection.close_code is not None
    return connection.close_code, connection.close_reason or ""


def serve(
    path: Path, story: Callable[[Port], Coroutine[Any, Any, None]], *, pace: Pace | None = None, kept: int = 1_000
) -> None:
    """Run a story against a real server on this machine, with the scribe in its thread."""

    async def main() -> None:
        loop, failures = asyncio.get_running_loop(), list[BaseException]()

        def drive(scribe: Scribe) -> Driver:
            return ThreadDriver(scribe, loop, on_failure=failures.append)

        port = Port(path / "desk.db", SystemClock(), drive, pace or Pace(), kept)
        await port.begin()
        await port.open()
        try:
            await asyncio.wait_for(story(port), 60)
        finally:
            await port.close()
        assert failures == []

    asyncio.run(main())
