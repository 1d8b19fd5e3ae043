"""A desk with its paper venue on files, in virtual time: a person orders, quotes come in, the venue can misbehave.

    async def story(desk: Desk) -> None:
        await desk.quote("50000")
        bought = await desk.buy("0.01")
        assert desk.held() == D("0.01")

`play` runs a story and looks at the end whether memory equals the database, the book verifies, and nothing is held back
for orders that ended.
"""

import asyncio
import random
import sqlite3
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum, auto
from pathlib import Path
from typing import Any, Protocol

from plimsoll.bootstrap import DataDirectory, PaperDesk, paper_desk
from plimsoll.desk.book_trades import listen
from plimsoll.desk.close_position import CloseResult, close_position
from plimsoll.desk.open_account import NewAccount, deposit, open_account
from plimsoll.desk.place_order import OrderAnswer, place_order
from plimsoll.desk.protect import Protector
from plimsoll.desk.reconcile_account import Reconciliation
from plimsoll.desk.recover import recover
from plimsoll.ledger import keys
from plimsoll.ledger.books import LedgerBooks
from plimsoll.ledger.database import create_from_template
from plimsoll.ledger.verify import verify
from plimsoll.model.account import Account, Mode, Portfolio, User
from plimsoll.model.cash import pocket_of
from plimsoll.model.errors import TryAgain, UnknownOutcome
from plimsoll.model.ids import AccountId, ClientOrderId, InstrumentId, IntentKey, PortfolioId, UserId
from plimsoll.model.instrument import AssetType, Instrument
from plimsoll.model.order import Intent, Order, OrderState, OrderTerms, OrderType, Side
from plimsoll.model.position import Position
from plimsoll.model.quote import Bar, Fact, Moment, Quote, SourceFacts
from plimsoll.model.venue import Movement, MovementPage, TradePage, VenueAccount, VenueEvent, VenueFacts, VenueOrder
from plimsoll.risk.gate.verdict import Approved
from plimsoll.runtime.virtual_loop import VirtualClock, run_virtual
from plimsoll.store.connection import StoreFailed
from plimsoll.store.drivers import LoopDriver
from plimsoll.store.hot import HotState
from plimsoll.store.scribe import Scribe, Unit
from plimsoll.venues.paper.rules import PaperRules
from plimsoll.venues.paper.slippage import FixedSlippage
from plimsoll.venues.paper.venue import PaperVenue
from plimsoll.venues.protocol import Hear, OrderNotFound, OrderRejected, Placed
from tests.builders.paper import PERPETUAL, SPOT, START

D = Decimal
LIVE = SourceFacts("live", frozenset(Fact))
ACCOUNT, USER, MAIN = AccountId(1), UserId(1), PortfolioId(1)
#: Traded in whole coins, two at least: less than that is dust.
COARSE = Instrument(
    InstrumentId(4), "ETH/USDT", "paper", AssetType.CRYPTO, "ETH", "USDT", "USDT", D("0.01"), D(1), min_quantity=D(2)
)
#: The venue takes no order that is worth less than 10.
DEAR = Instrument(
    InstrumentId(5), "SOL/USDT", "paper", AssetType.CRYPTO, "SOL", "USDT", "USDT", D("0.01"), D("0.01"),
    min_notional=D(10),
)  # fmt: skip
ALL = (SPOT, PERPETUAL, COARSE, DEAR)
#: The paper venue's fees and slippage off: numbers that a reader can follow.
FRICTIONLESS = PaperRules(maker_fee_ratio=D(0), taker_fee_ratio=D(0), slippage=FixedSlippage(D(0)))


class Sent(Enum):
    """What happens to the next order on its way."""

    #: The venue takes it and its answer is lost.
    ANSWER_LOST = auto()
    #: It never arrives, and nobody knows that.
    REQUEST_LOST = auto()
    #: It certainly does not leave.
    NOT_SENT = auto()
    #: The venue takes it and our adapter breaks on the answer.
    ADAPTER_BREAKS = auto()
    #: The venue says no.
    REJECTED = auto()
    #: It arrives two seconds after we gave up.
    LATE = auto()


class FaultyVenue:
    """The paper venue behind a bad line. Without a switch set it only passes on."""

    def __init__(self, inner: PaperVenue) -> None:
        self.inner = inner
        self.fates: deque[Sent] = deque()
        #: Every question fails.
        self.down = False
        #: Only cancels fail, with this.
        self.cancel_fails: Exception | None = None
        #: Orders that look-ups by id do not see, and those that the list does not show.
        self.hidden: set[ClientOrderId] = set()
        self.unlisted: set[ClientOrderId] = set()
        self.facts_said = inner.facts
        self.equity_factor = D(1)
        self.placed: list[Approved] = []
        #: Done once, while the account, or the list of open orders, is asked for.
        self.meanwhile: Callable[[], Awaitable[object]] | None = None
        self.while_listing: Callable[[], Awaitable[object]] | None = None
        #: Done once, before an order leaves.
        self.before_sending: Callable[[], Awaitable[object]] | None = None
        #: The stream tells so many seconds late, or nothing at all.
        self.news_late_seconds = 0.0
        self.loses_news = False
        #: The history of fills is out of reach; and a cancelled order is said to have filled so much.
        self.no_history = False
        self.claims_filled: Decimal | None = None
        #: What the venue's own ledger has, told in pages of so many; up to where it vouches for it, None for all of it.
        self.movements: list[Movement] = []
        self.movements_a_page = 100
        self.movements_settled: int | None = None
        self._late: set[asyncio.Task[object]] = set()

    @property
    def facts(self) -> VenueFacts:
        return self.facts_said

    async def place(self, approved: Approved) -> Placed:
        if self.before_sending is not None:
            act, self.before_sending = self.before_sending, None
            await act()
        match self.fates.popleft() if self.fates else None:
            case Sent.ANSWER_LOST:
                await self._take(approved)
                raise UnknownOutcome("the line broke before the answer")
            case Sent.REQUEST_LOST:
                raise UnknownOutcome("the line broke")
            case Sent.NOT_SENT:
                raise TryAgain("no connection")
            case Sent.ADAPTER_BREAKS:
                await self._take(approved)
                raise ValueError("an answer in words we do not know")
            case Sent.REJECTED:
                raise OrderRejected("market_reserved", "the market is reserved")
            case Sent.LATE:
                self._late.add(asyncio.get_running_loop().create_task(self._arrive_late(approved)))
                raise UnknownOutcome("no answer in time")
            case _:
                return await self._take(approved)

    async def _take(self, approved: Approved) -> Placed:
        self.placed.append(approved)
        return await self.inner.place(approved)

    async def _arrive_late(self, approved: Approved) -> None:
        await asyncio.sleep(2)
        await self._take(approved)

    def _answer(self) -> None:
        if self.down:
            raise TryAgain("the venue does not answer")

    async def cancel(self, account_id: AccountId, client_order_id: ClientOrderId) -> VenueOrder:
        self._answer()
        if self.cancel_fails is not None:
            raise self.cancel_fails
        told = await self.inner.cancel(account_id, client_order_id)
        return told if self.claims_filled is None else replace(told, filled_quantity=self.claims_filled)

    async def order(self, account_id: AccountId, client_order_id: ClientOrderId) -> VenueOrder:
        self._answer()
        if client_order_id in self.hidden:
            raise OrderNotFound(client_order_id)
        return await self.inner.order(account_id, client_order_id)

    async def open_orders(self, account_id: AccountId) -> tuple[VenueOrder, ...]:
        self._answer()
        orders = await self.inner.open_orders(account_id)
        if self.while_listing is not None:
            act, self.while_listing = self.while_listing, None
            await act()
        return tuple(order for order in orders if order.client_order_id not in self.unlisted)

    async def trades_since(self, account_id: AccountId, cursor: int) -> TradePage:
        self._answer()
        if self.no_history:
            raise TryAgain("the history does not answer")
        return await self.inner.trades_since(account_id, cursor)

    async def movements_since(self, account_id: AccountId, cursor: int) -> MovementPage:
        self._answer()
        end = min(cursor + self.movements_a_page, len(self.movements))
        complete = end == len(self.movements)
        return MovementPage(tuple(self.movements[cursor:end]), end, complete, self.movements_settled)

    async def account(self, account_id: AccountId) -> VenueAccount:
        self._answer()
        told = await self.inner.account(account_id)
        if self.meanwhile is not None:
            act, self.meanwhile = self.meanwhile, None
            await act()
        return told

    async def equity(self, account_id: AccountId) -> Decimal | None:
        self._answer()
        told = await self.inner.equity(account_id)
        return None if told is None else told * self.equity_factor

    def listen(self, account_id: AccountId, hear: Hear) -> None:
        def pass_on(events: tuple[VenueEvent, ...]) -> None:
            if self.news_late_seconds:
                asyncio.get_running_loop().call_later(self.news_late_seconds, hear, events)
            elif not self.loses_news:
                hear(events)

        self.inner.listen(account_id, pass_on)


class FaultyBooks:
    """The way to the scribe, which can be blocked."""

    def __init__(self, inner: LoopDriver) -> None:
        self.inner = inner
        #: Counts down with every write; the one that finds it 0 fails, and so do those after it until it is None.
        self.writes_left: int | None = None

    @property
    def hot(self) -> HotState:
        return self.inner.hot

    async def write(self, unit: Unit) -> Any:
        if self.writes_left is not None:
            if self.writes_left == 0:
                raise StoreFailed("database or disk is full")
            self.writes_left -= 1
        return await self.inner.write(unit)

    def post(self, unit: Unit) -> None:
        self.inner.post(unit)

    def post_latest(self, name: str, unit: Unit) -> None:
        self.inner.post_latest(name, unit)

    def is_posted(self, name: str) -> bool:
        return self.inner.is_posted(name)

    async def close(self) -> None:
        await self.inner.close()


class Told:
    """A notifier that keeps what it was told, or breaks."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, str]] = []
        self.broken = False

    def tell(self, account_id: AccountId, severity: str, message: str) -> None:
        if self.broken:
            raise ConnectionError("nobody can be told")
        self.messages.append((severity, message))

    def words(self) -> list[str]:
        """Give the first word of each message."""
        return [message.split(":")[0] for _severity, message in self.messages]


class Desk:
    """One paper account, the files it lives in, and whoever may die between two starts."""

    def __init__(self, path: Path, clock: VirtualClock, rules: PaperRules, source: SourceFacts, delay: float) -> None:
        self.directory = DataDirectory(path)
        self.clock, self.rules, self.source, self._delay = clock, rules, source, delay
        self.told = Told()
        self.failures: list[BaseException] = []
        self._scribes: list[Scribe] = []
        self._count = self._starts = 0
        self.trades_in = SPOT
        if not self.directory.database.exists():
            path.mkdir(parents=True, exist_ok=True)
            create_from_template(self.directory.database)
            self.directory.chain_key_file.write_text("5e" * 32)
        self._put_together()

    def _put_together(self) -> None:
        self._scribes.clear()
        # Another seed each time: ids made again at the same hour would be the same ids.
        self._starts += 1
        self.paper: PaperDesk = paper_desk(
            self.directory,
            {instrument.id: instrument for instrument in ALL},
            desk_code="PLIM",
            account_id=ACCOUNT,
            clock=self.clock,
            chance=random.Random(self._starts),
            facts=self.source,
            drive=self._drive,
            rules=self.rules,
            notifier=self.told,
        )
        self.ports = self.paper.ports
        self.venue = FaultyVenue(self.paper.venue)
        self.ports.venue = self.venue
        driver = self.paper.books
        assert isinstance(driver, LoopDriver)
        self.books = FaultyBooks(driver)
        self.ports.books = self.books
        self.guard = Protector(self.ports)

    def _drive(self, scribe: Scribe) -> LoopDriver:
        self._scribes.append(scribe)
        return LoopDriver(scribe, on_failure=self.failures.append, delay=lambda: self._delay)

    async def begin(self, cash: str, leverage: str) -> None:
        """Open the account at both ends and bring the money in."""
        pocket = pocket_of(self.trades_in)
        await self.paper.venue.open_account(ACCOUNT, "USDT")
        await self.paper.venue.set_leverage(ACCOUNT, PERPETUAL.id, D(leverage))
        await self.paper.venue.deposit(ACCOUNT, "USDT", D(cash), reference="start", pocket=pocket)
        new = NewAccount(
            User(USER, "u-1", "Ada", "trader", approved=True),
            Account(ACCOUNT, "a-1", USER, "practice", "paper", Mode.PAPER, "USDT", self.source.name, "standard"),
            Portfolio(MAIN, "p-1", ACCOUNT, USER, "main"),
            ALL,
            ((PERPETUAL.id, D(leverage)),),
        )
        now = self.clock.now()
        await self.ports.books.write(lambda draft: open_account(draft, new, now))
        await deposit(self.ports, D(cash), pocket=pocket, reference="start", actor="user:1")

    async def start(self) -> Reconciliation:
        """Do what every start does."""
        listen(self.ports)
        return await recover(self.ports)

    def die(self) -> None:
        """Kill the process where it stands and put a new one together on its files; nothing in memory is kept."""
        for task in self.ports.tasks:
            task.cancel()
        self.guard_watch_cancelled()
        for scribe in self._scribes:
            scribe.close()
        self._put_together()

    def guard_watch_cancelled(self) -> None:
        if self.guard._watch is not None:
            self.guard._watch.cancel()

    def close(self) -> None:
        for scribe in self._scribes:
            scribe.close()

    async def flush(self) -> None:
        """Wait until what was posted is written."""
        await self.ports.books.write(lambda _draft: None)

    # What happens ----------------------------------------------------------------------------------------------------

    async def quote(
        self, bid: str, ask: str | None = None, *, of: Instrument | None = None, moment: Moment = Moment.LIVE
    ) -> None:
        """Show a quote of this moment to everybody, and wait until what it filled is booked."""
        instrument = of or self.trades_in
        low, high = D(bid), D(ask or bid)
        quote = Quote(instrument.id, self.clock.now(), low, high, low, moment=moment)
        self.ports.board.put(quote)
        await self.paper.venue.on_quote(quote)
        await self.ports.settled()

    async def wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def look(self, bid: str, *, after: float = 0) -> None:
        """Let time pass, quote, and let the guard look."""
        if after:
            await self.wait(after)
        await self.quote(bid)
        await self.guard.look()

    def intent(
        self,
        side: Side,
        quantity: str | None = None,
        *,
        value: str | None = None,
        price: str | None = None,
        stop: str | None = None,
        key: str | None = None,
        of: Instrument | None = None,
        reduce_only: bool = False,
        by: str = "manual",
        made_at: datetime | None = None,
        allow_smaller: bool = False,
    ) -> Intent:
        self._count += key is None
        kinds = {(False, False): OrderType.MARKET, (True, False): OrderType.LIMIT, (False, True): OrderType.STOP}
        return Intent(
            key=IntentKey(key or f"n{self._count}"),
            account_id=ACCOUNT,
            portfolio_id=MAIN,
            user_id=USER,
            terms=OrderTerms(
                (of or self.trades_in).id,
                side,
                kinds[price is not None, stop is not None],
                quantity=None if quantity is None else D(quantity),
                quote_value=None if value is None else D(value),
                price=None if price is None else D(price),
                stop_price=None if stop is None else D(stop),
                reduce_only=reduce_only,
            ),
            triggered_by=by,
            made_at=made_at or self.clock.now(),
            allow_smaller=allow_smaller,
            allow_repeat=True,
        )

    async def buy(self, quantity: str | None = None, **said: Any) -> OrderAnswer:
        return await place_order(self.ports, self.intent(Side.BUY, quantity, **said))

    async def sell(self, quantity: str | None = None, **said: Any) -> OrderAnswer:
        return await place_order(self.ports, self.intent(Side.SELL, quantity, **said))

    async def close_it(self, episode: str = "e", of: Instrument | None = None) -> CloseResult:
        """Close the position in what is traded."""
        instrument = of or self.trades_in
        position = self.position(instrument) or Position(ACCOUNT, MAIN, instrument.id)
        return await close_position(self.ports, position, episode=episode, triggered_by="manual")

    # What is there ---------------------------------------------------------------------------------------------------

    def position(self, of: Instrument | None = None) -> Position | None:
        key = (MAIN, (of or self.trades_in).id, 0, "")
        found: Position | None = self.ports.books.hot.get(keys.position(ACCOUNT, key))
        return found

    def held(self, of: Instrument | None = None) -> Decimal:
        """Give the signed quantity of the position."""
        position = self.position(of)
        return D(0) if position is None else position.quantity

    def cash(self, asset: str = "USDT") -> Decimal:
        found = self.ports.books.hot.shelf(keys.BALANCE, ACCOUNT)
        return sum((balance.amount for balance in found if balance.asset == asset), D(0))

    def live(self) -> list[Order]:
        orders: list[Order] = self.ports.books.hot.shelf(keys.ORDER, ACCOUNT)
        return orders

    def reserved(self, asset: str = "USDT") -> Decimal:
        amount: Decimal | None = self.ports.books.hot.get(keys.reserved(ACCOUNT, asset))
        return amount or D(0)

    def rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Ask the committed database."""
        connection = sqlite3.connect(self.directory.database)
        try:
            return connection.execute(sql, parameters).fetchall()
        finally:
            connection.close()

    def count(self, table: str) -> int:
        return int(self.rows(f"SELECT count(*) FROM {table}")[0][0])

    def everything(self) -> dict[str, int]:
        """Count the rows of every table, to see that something changed nothing."""
        names = [name for (name,) in self.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: self.count(name) for name in names}

    def states(self) -> list[OrderState]:
        """Give the states of all orders, as they were made."""
        return [OrderState(state) for (state,) in self.rows("SELECT state FROM orders ORDER BY id")]

    def reasons(self) -> list[str]:
        return [reason for (reason,) in self.rows("SELECT reason FROM orders ORDER BY id")]

    def assert_sound(self) -> None:
        """Memory equals the database; the book verifies; nothing is held back for what has ended."""
        books = LedgerBooks(self.directory.chain_key())
        stored = dict(books.load(self._scribes[0]._connection))
        nowhere_stored = {"recent_order", "recent_slot", "parity", "pnl_day", "pnl_latest"}
        hot = {key: value for key, value in self.ports.books.hot.snapshot().items() if key[0] not in nowhere_stored}
        assert hot == stored, "Invariant: memory equals the database"
        report = verify(self.directory.book, self.directory.chain_key(), None)
        assert report.ok, report.findings
        if not self.live():
            assert not any(key[0] in ("reserved", "pending", "closing") for key in hot), "I12: released exactly once"


class Story(Protocol):
    """What happens in one test."""

    def __call__(self, desk: Desk, /) -> Coroutine[object, object, object]: ...


def play(
    path: Path,
    story: Story,
    *,
    cash: str = "100000",
    trades_in: Instrument = SPOT,
    leverage: str = "1",
    rules: PaperRules = FRICTIONLESS,
    source: SourceFacts = LIVE,
    delay: float = 0,
    price: str | None = "50000",
) -> None:
    """Run a story on a desk that was opened, funded, started and (unless None) shown a first price."""

    async def main(clock: VirtualClock) -> None:
        desk = Desk(path, clock, rules, source, delay)
        desk.trades_in = trades_in
        try:
            await desk.begin(cash, leverage)
            assert (await desk.start()).may_open
            if price is not None:
                await desk.quote(price)
            await story(desk)
            await desk.ports.settled()
            await desk.flush()
            assert desk.failures == []
            desk.assert_sound()
        finally:
            desk.close()

    run_virtual(main, start=START)


def bars(rows: Sequence[str], of: Instrument, *, interval: timedelta = timedelta(minutes=1)) -> list[Bar]:
    """Draw bars one after the other from `open high low close` each."""
    drawn = []
    for number, row in enumerate(rows):
        first, high, low, last = map(D, row.split())
        drawn.append(Bar(of.id, START + number * interval, interval, first, high, low, last))
    return drawn
