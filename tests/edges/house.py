"""A served desk of two people, in this process and on files: real books, real venue, real HTTP messages, no network.

    async def story(house: House) -> None:
        ada = await house.signs_in("Ada")
        placed = await ada.post("/orders", {"symbol": "BTC/USDT", "side": "BUY", "quantity": "0.01"})
        assert placed.status_code == 201

Ada and Eve have an account each, with instruments of their own; the hour stands still unless a story moves it, so that
prices stay fresh. `play` looks at the end whether memory equals the database and the book verifies.
"""

import asyncio
import base64
import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import httpx2
import orjson
from fastapi import FastAPI

from plimsoll.bootstrap import DataDirectory
from plimsoll.bots.host import BotHost
from plimsoll.desk.attend import Attendant
from plimsoll.desk.open_account import NewAccount, deposit, open_account
from plimsoll.desk.ports import Ports
from plimsoll.edges.api.app import make_app
from plimsoll.edges.api.rates import Rate, Rates
from plimsoll.edges.served import ServedAccount, ServedDesk
from plimsoll.ledger import accounts, queries
from plimsoll.ledger.books import LedgerBooks
from plimsoll.ledger.database import create_from_template
from plimsoll.ledger.follow import EventFeed
from plimsoll.ledger.reading.reader import Reader
from plimsoll.ledger.schema import metadata
from plimsoll.ledger.verify import verify
from plimsoll.market.board import PriceBoard
from plimsoll.market.candle_keeper import CandleKeeper
from plimsoll.market.feed import FeedState, FeedStatus, TakeBar, TakeQuote
from plimsoll.model.account import Account, Mode, Portfolio, User
from plimsoll.model.errors import TryAgain
from plimsoll.model.ids import AccountId, ClockedIds, InstrumentId, PortfolioId, UserId
from plimsoll.model.instrument import Instrument
from plimsoll.model.quote import Bar, Quote, SourceFacts
from plimsoll.people.actor import Right
from plimsoll.people.hashing import Strength
from plimsoll.people.people import People
from plimsoll.store.connection import CommitUnclear, StoreFailed
from plimsoll.store.drivers import LoopDriver
from plimsoll.store.hot import HotState
from plimsoll.store.place import SqlitePlace
from plimsoll.store.scribe import Scribe, Unit
from plimsoll.store.sqlite import SqliteWriter, reader
from plimsoll.venues.paper.books import open_scribe
from plimsoll.venues.paper.venue import PaperVenue
from tests.builders.desk import FRICTIONLESS, LIVE
from tests.builders.paper import PERPETUAL, SPOT, START

D = Decimal
API = "/api/v1"
PASSWORD = "four words nobody guesses"
BASE = "http://127.0.0.1"
#: Wide enough that no story meets them by accident.
UNBOUND = Rates(Rate(10_000, 10_000), Rate(10_000, 10_000), Rate(10_000, 10_000))
QUICK = Strength(memory_kib=8, passes=1)


class HandClock:
    """An hour that only a story moves."""

    def __init__(self, now: datetime) -> None:
        self._now, self._passed = now, 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._passed

    def move(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        self._passed += seconds


class SeededSecrets:
    """Secrets that are the same in every run."""

    def __init__(self) -> None:
        self._chance = random.Random(7)

    def token(self) -> str:
        return base64.urlsafe_b64encode(self._chance.randbytes(32)).rstrip(b"=").decode()


class HandFeed:
    """A source of prices that a story speaks for."""

    def __init__(self, facts: SourceFacts, instruments: tuple[Instrument, ...], clock: HandClock) -> None:
        self.facts, self._instruments = facts, instruments
        self.label = "By hand"
        self.status = FeedStatus(FeedState.RUNNING, clock.now())
        #: What the source remembers; None while it does not answer.
        self.past: tuple[Bar, ...] | None = ()

    async def describe(self) -> tuple[Instrument, ...]:
        return self._instruments

    async def run(self, take: TakeQuote, take_bar: TakeBar) -> None:
        await asyncio.Event().wait()

    async def bars(self, instrument_id: InstrumentId, interval: timedelta, limit: int) -> tuple[Bar, ...]:
        if self.past is None:
            raise TryAgain("the source does not answer")
        return tuple(bar for bar in self.past if bar.instrument_id == instrument_id and bar.interval == interval)[
            -limit:
        ]

    async def close(self) -> None:
        """Nothing is held."""


class Books:
    """The way to the scribe, which can be blocked, or lose the answer to a commit."""

    def __init__(self, inner: LoopDriver) -> None:
        self._inner = inner
        #: Counts down with every write; the one that finds it 0 fails like this, and so do those after it.
        self.writes_left: int | None = None
        self.fails_with: Callable[[], Exception] = lambda: StoreFailed("database or disk is full")

    @property
    def hot(self) -> HotState:
        return self._inner.hot

    async def write(self, unit: Unit) -> Any:
        if self.writes_left is not None:
            if self.writes_left == 0:
                failure = self.fails_with()
                if isinstance(failure, CommitUnclear):
                    await self._inner.write(unit)  # it did happen, and nobody is told
                raise failure
            self.writes_left -= 1
        return await self._inner.write(unit)

    def post(self, unit: Unit) -> None:
        self._inner.post(unit)

    def post_latest(self, name: str, unit: Unit) -> None:
        self._inner.post_latest(name, unit)

    def is_posted(self, name: str) -> bool:
        return self._inner.is_posted(name)

    async def close(self) -> None:
        await self._inner.close()


@dataclass(frozen=True, slots=True)
class Tenant:
    """Somebody with an account, and what it trades."""

    user: User
    account: Account
    portfolios: tuple[Portfolio, ...]
    spot: Instrument
    perpetual: Instrument


def tenant(number: int, name: str, role: str, *more: str) -> Tenant:
    """Draw up a person with an account; `more` are portfolios beside `main`."""
    user_id, account_id, venue = UserId(number), AccountId(number), f"paper-{number}"
    user = User(user_id, f"018f-user-{number}", name, role, approved=True)
    account = Account(
        account_id, f"018f-account-{number}", user_id, f"{name}'s", venue, Mode.PAPER, "USDT", LIVE.name, "standard"
    )
    portfolios = tuple(
        Portfolio(PortfolioId(10 * number + place), f"018f-portfolio-{number}-{place}", account_id, user_id, called)
        for place, called in enumerate(("main", *more))
    )
    spot = replace(SPOT, id=InstrumentId(10 * number + 1), venue=venue)
    perpetual = replace(PERPETUAL, id=InstrumentId(10 * number + 2), venue=venue)
    return Tenant(user, account, portfolios, spot, perpetual)


ADA = tenant(1, "Ada", "admin", "savings")
EVE = tenant(2, "Eve", "admin")


def another_account_of(who: Tenant, number: int, currency: str = "USDT") -> Tenant:
    """Draw up one more account of somebody's."""
    drawn = tenant(number, f"{who.user.name} again", who.user.role)
    return replace(
        drawn,
        user=who.user,
        account=replace(drawn.account, user_id=who.user.id, base_currency=currency),
        portfolios=tuple(replace(portfolio, user_id=who.user.id) for portfolio in drawn.portfolios),
    )


@dataclass(slots=True)
class Client:
    """Somebody's way to the desk: a browser with its cookie, or a program with its key."""

    http: httpx2.AsyncClient
    headers: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str, **params: Any) -> httpx2.Response:
        return await self.http.get(API + path, params=params, headers=self.headers)

    async def post(self, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        content = orjson.dumps({} if body is None else body)
        sent = {"content-type": "application/json", **self.headers, **said}
        return await self.http.post(API + path, content=content, headers=sent)

    async def delete(self, path: str) -> httpx2.Response:
        return await self.http.delete(API + path, headers=self.headers)


class House:
    """The desk, its people, and their ways to it."""

    def __init__(
        self, path: Path, *, rates: Rates = UNBOUND, page: Path | None = None, more: Sequence[Tenant] = ()
    ) -> None:
        self.tenants = (ADA, EVE, *more)
        self.clock = HandClock(START)
        self.directory = DataDirectory(path)
        path.mkdir(parents=True, exist_ok=True)
        create_from_template(self.directory.database)
        self.directory.chain_key_file.write_text("5e" * 32)
        self.failures: list[BaseException] = []
        writer = SqliteWriter(self.directory.database, metadata, queries.compiled())
        self._scribe = Scribe(writer, LedgerBooks(self.directory.chain_key()))
        self._paper_scribe = open_scribe(SqlitePlace(self.directory.paper_books))
        self._engine = reader(self.directory.database)
        self.books = Books(LoopDriver(self._scribe, on_failure=self.failures.append))
        self._paper_books = LoopDriver(self._paper_scribe, on_failure=self.failures.append)
        self.ids = ClockedIds(self.clock, random.Random(1))
        self.people = People(self.books, self.clock, self.ids, SeededSecrets(), strength=QUICK)
        self.venues: dict[AccountId, PaperVenue] = {}
        self._rates, self._page = rates, page
        self.served: dict[AccountId, ServedAccount] = {}
        self.app: FastAPI
        self._clients: list[httpx2.AsyncClient] = []

    async def begin(self) -> None:
        """Open the accounts, bring the money in, start what looks after them, and put the application together."""
        for number, each in enumerate(self.tenants, start=1):
            await self._open(each, random.Random(number))
        self.desk = ServedDesk(
            version="0.1.0",
            clock=self.clock,
            started_at=self.clock.now(),
            books=self.books,
            reader=Reader(self._engine),
            people=self.people,
            events=EventFeed(self._scribe, self._engine),
            accounts=self.served,
        )
        for served in self.served.values():
            await served.attendant.start()
            await served.bots.begin()
        self.app = make_app(self.desk, page=self._page, rates=self._rates, ids=self.ids)

    async def _open(self, who: Tenant, chance: random.Random) -> None:
        instruments = {instrument.id: instrument for instrument in (who.spot, who.perpetual)}
        number, now = who.account.id, self.clock.now()
        venue = PaperVenue(self._paper_books, instruments, self.clock, chance, FRICTIONLESS, LIVE, who.account.broker)
        ports = Ports(
            desk_code="PLIM",
            account_id=number,
            clock=self.clock,
            ids=self.ids,
            books=self.books,
            venue=venue,
            board=PriceBoard(LIVE),
            notifier=_Silence(),
            fee_ratio=FRICTIONLESS.taker_fee_ratio,
        )
        leverages = ((who.perpetual.id, D(5)),)
        new = NewAccount(who.user, who.account, who.portfolios[0], tuple(instruments.values()), leverages)

        def others(draft: Any) -> None:
            for portfolio in who.portfolios[1:]:
                accounts.write_portfolio(draft, portfolio)

        await self.books.write(lambda draft: open_account(draft, new, now))
        await self.books.write(others)
        await venue.open_account(number, who.account.base_currency)
        await venue.set_leverage(number, who.perpetual.id, D(5))
        await venue.deposit(number, who.account.base_currency, D(100_000), reference="start", pocket="spot")
        await deposit(ports, D(100_000), pocket="spot", reference="start", actor=f"user:{who.user.id}")
        feed = HandFeed(LIVE, tuple(instruments.values()), self.clock)
        candles = CandleKeeper(instruments)
        attendant = Attendant(ports, venue, feed.describe, chance)
        bots = BotHost(ports, attendant.protector, candles)
        attendant.on_bar_closed(candles, bots.on_bar)
        self.venues[number] = venue
        self.served[number] = ServedAccount(ports, feed, candles, attendant, bots)

    async def end(self) -> None:
        """Stop as a desk stops."""
        for client in self._clients:
            await client.aclose()
        for served in self.served.values():
            await served.attendant.stop()
        await self.books.close()
        await self._paper_books.close()
        self._engine.dispose()

    async def assert_sound(self) -> None:
        """Memory equals the database, and the book verifies."""
        await self.books.write(lambda _draft: None)
        stored = dict(LedgerBooks(self.directory.chain_key()).load(self._scribe._connection))
        nowhere_stored = {"recent_order", "recent_slot", "parity", "pnl_day", "pnl_latest"}
        hot = {key: value for key, value in self.books.hot.snapshot().items() if key[0] not in nowhere_stored}
        assert hot == stored, "Invariant: memory equals the database"
        report = verify(self.directory.book, self.directory.chain_key(), None)
        assert report.ok, report.findings
        assert self.failures == []

    # People ----------------------------------------------------------------------------------------------------------

    def browser(self, base: str = BASE) -> Client:
        """Open a browser that nobody has signed in with."""
        transport = httpx2.ASGITransport(app=self.app, client=("127.0.0.1", 50_000))
        http = httpx2.AsyncClient(transport=transport, base_url=base)
        self._clients.append(http)
        return Client(http, {"x-plimsoll": "1"})

    async def signs_in(self, who: Tenant = ADA, base: str = BASE) -> Client:
        """Come in, over HTTP as everybody does."""
        client = self.browser(base)
        await self._comes_in(client, who)
        return client

    async def _comes_in(self, client: Client, who: Tenant) -> None:
        if self.people.needs_password(who.user.id):
            link = await self.people.new_link(who.user.id, "cli")
            came_in = await client.post("/auth/link", {"token": link, "password": PASSWORD})
        else:
            came_in = await client.post("/auth/sign-in", {"name": who.user.name, "password": PASSWORD})
        assert came_in.status_code == 200, came_in.text

    async def key(self, who: Tenant = ADA, *rights: Right, portfolios: list[Portfolio] | None = None) -> Client:
        """Come with a key of these rights; all, where none is named."""
        maker = self.browser()
        await self._comes_in(maker, who)
        actor = self.people.session(maker.http.cookies["plimsoll"])
        assert actor is not None
        only = None if portfolios is None else [portfolio.id for portfolio in portfolios]
        _record, secret = await self.people.make_key(actor, "test", rights or tuple(Right), 90, only)
        client = self.browser()
        client.headers = {"authorization": f"Bearer {secret}"}
        return client

    # The market ------------------------------------------------------------------------------------------------------

    async def quote(self, price: str = "50000", who: Tenant = ADA) -> None:
        """Show a price of this moment for everything that somebody trades, and wait until what it filled is booked."""
        served, value = self.served[who.account.id], D(price)
        for instrument in (who.spot, who.perpetual):
            quote = Quote(instrument.id, self.clock.now(), value, value, value)
            served.ports.board.put(quote)
            await self.venues[who.account.id].on_quote(quote)
        await served.ports.settled()

    async def sees(self, who: Tenant = ADA) -> None:
        """Let the guard look, so that the account is not blind."""
        await self.served[who.account.id].protector.look()

    def rows(self, table: str) -> int:
        """Count the committed rows of a table."""
        with self._engine.connect() as connection:
            return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())

    def everything(self) -> Mapping[str, int]:
        """Count the rows of every table that a command could write, to see that something changed nothing."""
        names = (
            "orders",
            "verdicts",
            "risk_breaches",
            "trades",
            "cash_lines",
            "positions",
            "halts",
            "bots",
            "api_keys",
        )
        return {name: self.rows(name) for name in names}


class _Silence:
    """Nobody is told."""

    def tell(self, account_id: AccountId, severity: str, message: str) -> None:
        """Keep it."""


class Story(Protocol):
    """What happens in one test."""

    def __call__(self, house: House, /) -> Coroutine[object, object, object]: ...


def play(
    path: Path,
    story: Story,
    *,
    rates: Rates = UNBOUND,
    page: Path | None = None,
    more: Sequence[Tenant] = (),
    price: str = "50000",
) -> None:
    """Run a story in a house whose desk was started, funded, compared and shown a first price."""

    async def main() -> None:
        house = House(path / "desk", rates=rates, page=page, more=more)
        try:
            await house.begin()
            for who in house.tenants:
                await house.quote(price, who)
                await house.sees(who)
            await story(house)
            await house.assert_sound()
        finally:
            await house.end()

    asyncio.run(main())
