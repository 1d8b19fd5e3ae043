"""A desk as `plimsoll up` has it, in this process, at synthetic prices: for what lies in its folder, and comes back.

async with kept(tmp_path) as desk:
    await desk.buy("0.01")
    await desk.rest("0.02")
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from pathlib import Path

from plimsoll.bootstrap import DataDirectory
from plimsoll.bootstrap.backups.copy import Taken, back_up
from plimsoll.bootstrap.backups.manifest import CopyFolder
from plimsoll.bootstrap.served import OWNER, Served, open_served
from plimsoll.bootstrap.sources import SYNTHETIC, Wanted
from plimsoll.desk.open_account import deposit
from plimsoll.desk.place_order import OrderAnswer, place_order
from plimsoll.edges.served import ServedAccount
from plimsoll.ledger import keys
from plimsoll.ledger.stamp import stamp
from plimsoll.ledger.verify import VerifyReport, verify
from plimsoll.model.cash import SPOT
from plimsoll.model.clock import SystemClock
from plimsoll.model.ids import AccountId, ClientOrderId, InstrumentId, IntentKey, PortfolioId
from plimsoll.model.order import Intent, Order, OrderTerms, OrderType, Side
from plimsoll.model.venue import VenueOrder
from plimsoll.store.place import reader
from plimsoll.venues.paper.venue import PaperVenue

ACCOUNT = AccountId(1)
BTC = "BTC/USDT"
_starts = count(1)


@dataclass(frozen=True, slots=True)
class Kept:
    """A desk that runs."""

    served: Served

    @property
    def account(self) -> ServedAccount:
        return self.served.desk.accounts[ACCOUNT]

    def instrument(self, symbol: str = BTC) -> InstrumentId:
        listed = self.account.ports.books.hot.shelf(keys.INSTRUMENTS_OF, "paper-synthetic")
        found: InstrumentId = next(each.id for each in listed if each.symbol == symbol)
        return found

    async def priced(self, symbol: str = BTC) -> Decimal:
        """Wait for a price that the guard has seen."""
        wanted, came = self.instrument(symbol), asyncio.Event()
        self.account.attendant.on_quote(lambda quote: came.set() if quote.instrument_id == wanted else None)
        quote = self.account.ports.board.quote(wanted)
        if quote is None:
            await asyncio.wait_for(came.wait(), 10)
            quote = self.account.ports.board.quote(wanted)
        assert quote is not None
        await self.account.protector.look()
        return quote.valuation

    async def order(self, terms: OrderTerms, key: str) -> OrderAnswer:
        """Place an order of the owner's."""
        ports = self.account.ports
        intent = Intent(IntentKey(key), ACCOUNT, PortfolioId(1), OWNER, terms, "manual", ports.clock.now())
        return await place_order(ports, intent)

    async def buy(self, quantity: str, symbol: str = BTC, key: str | None = None) -> OrderAnswer:
        """Buy at the market."""
        await self.priced(symbol)
        terms = OrderTerms(self.instrument(symbol), Side.BUY, OrderType.MARKET, quantity=Decimal(quantity))
        return await self.order(terms, key or f"buy:{symbol}:{quantity}")

    async def sell(self, quantity: str, symbol: str = BTC) -> OrderAnswer:
        """Sell what is held, at the market."""
        await self.priced(symbol)
        terms = OrderTerms(
            self.instrument(symbol), Side.SELL, OrderType.MARKET, quantity=Decimal(quantity), reduce_only=True
        )
        return await self.order(terms, f"sell:{symbol}:{quantity}")

    async def rest(self, quantity: str, symbol: str = BTC, key: str | None = None) -> OrderAnswer:
        """Leave an order to buy waiting a fiftieth below the price."""
        price = Decimal(int(await self.priced(symbol) * Decimal("0.98")))
        wanted = OrderTerms(self.instrument(symbol), Side.BUY, OrderType.LIMIT, quantity=Decimal(quantity), price=price)
        return await self.order(wanted, key or f"rest:{symbol}:{quantity}")

    def live(self) -> list[Order]:
        """List the book's live orders."""
        return list(self.account.ports.books.hot.shelf(keys.ORDER, ACCOUNT))

    async def waiting(self) -> tuple[VenueOrder, ...]:
        """List what waits at the venue."""
        return await self.account.ports.venue.open_orders(ACCOUNT)

    def holds(self) -> dict[str, Decimal]:
        """Give the book's balances and positions by name, without those that are nothing."""
        hot = self.account.ports.books.hot
        held: dict[str, Decimal] = {}
        for balance in hot.shelf(keys.BALANCE, ACCOUNT):
            held[balance.asset] = held.get(balance.asset, Decimal(0)) + balance.amount
        for position in hot.shelf(keys.POSITION, ACCOUNT):
            instrument = hot.get(keys.instrument(position.instrument_id))
            if instrument.is_derivative:
                held[instrument.symbol] = held.get(instrument.symbol, Decimal(0)) + position.quantity
        return {name: amount for name, amount in held.items() if amount}

    async def venue_holds(self) -> dict[str, Decimal]:
        """Give the same as the venue has it."""
        told = await self.account.ports.venue.account(ACCOUNT)
        held: dict[str, Decimal] = {}
        for balance in told.balances:
            held[balance.asset] = held.get(balance.asset, Decimal(0)) + balance.total
        for position in told.positions:
            symbol = self.account.ports.books.hot.get(keys.instrument(position.instrument_id)).symbol
            held[symbol] = held.get(symbol, Decimal(0)) + position.quantity
        return {name: amount for name, amount in held.items() if amount}

    def halted_by(self) -> set[str]:
        """Name the sources of the halts over the account itself."""
        return {halt.source for halt in self.account.ports.books.hot.shelf(keys.HALT, "ACCOUNT")}


@asynccontextmanager
async def kept(
    directory: Path | DataDirectory, said: list[str] | None = None, *, wakes: bool = True
) -> AsyncIterator[Kept]:
    """Serve a desk, and end it as a signal would, its stamp included."""
    held = DataDirectory(directory) if isinstance(directory, Path) else directory
    held.path.mkdir(exist_ok=True)
    desk = await open_served(
        held,
        Wanted(SYNTHETIC),
        clock=SystemClock(),
        chance=random.Random(next(_starts)),
        version="test",
        say=(said if said is not None else []).append,
    )
    try:
        if wakes:
            await desk.start()
        yield Kept(desk)
    finally:
        await desk.stop_taking()
        await desk.close()
    stamp(reader(held.book), held.stamp, SystemClock().now())


async def pay_in(desk: Kept, reference: str) -> None:
    """Bring money in at both ends, the venue first."""
    venue = desk.account.ports.venue
    assert isinstance(venue, PaperVenue)
    await venue.deposit(ACCOUNT, "USDT", Decimal(100), reference=reference, pocket=SPOT)
    await book_paid(desk, reference)


async def book_paid(desk: Kept, reference: str) -> None:
    """Book money that the venue has."""
    await deposit(desk.account.ports, Decimal(100), pocket=SPOT, reference=reference, actor=f"user:{OWNER}")


def copied(directory: Path) -> Taken:
    """Make a copy of a desk, wherever it stands."""
    return back_up(DataDirectory(directory), copies_of(directory), SystemClock(), "1.2.3")


def copies_of(directory: Path) -> CopyFolder:
    """Say where a test's copies lie."""
    return CopyFolder(directory / "backups")


def proof(directory: Path) -> VerifyReport:
    """Prove the book of a desk with its key and its stamp."""
    held = DataDirectory(directory)
    return verify(held.book, held.chain_key(), held.stamp)


def client_id(answer: OrderAnswer) -> ClientOrderId:
    """Name the order of an answer that was a yes."""
    assert answer.approved, answer.checks_json
    return answer.client_order_id
