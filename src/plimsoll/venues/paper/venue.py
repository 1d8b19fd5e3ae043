"""The paper venue as the desk meets it: the `Venue` protocol, and doors for prices and for money.

Prices come in from outside (`see`, `on_quote`, `on_bar`): the venue never asks for one. Who feeds it bars calls, for
each bar, `on_quote(open)`, `on_bar(bar)`, `on_quote(close)`; while nothing waits (`wants`), `see` alone will do.

A caller who gives up on a request gets neither its answer nor the stream's news of it, and what was written stays
written: he finds it by `order` and `trades_since`, as with any venue.
"""

import asyncio
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from functools import partial

from plimsoll.model import money
from plimsoll.model.cash import SPOT
from plimsoll.model.clock import Clock
from plimsoll.model.errors import Illegal
from plimsoll.model.ids import AccountId, ClientOrderId, InstrumentId
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import OrderState, TimeInForce
from plimsoll.model.quote import Bar, Quote, SourceFacts
from plimsoll.model.trade import TradeReport
from plimsoll.model.venue import (
    DedupeScope,
    MovementPage,
    OrderReport,
    TradePage,
    VenueAccount,
    VenueBalance,
    VenueEvent,
    VenueFacts,
    VenueOrder,
    VenuePosition,
)
from plimsoll.risk.gate.verdict import Approved
from plimsoll.store.draft import Draft
from plimsoll.store.drivers import Driver
from plimsoll.venues.paper import arithmetic
from plimsoll.venues.paper.arithmetic import Holding, PaperPosition
from plimsoll.venues.paper.books import (
    POCKETS,
    PaperAccount,
    PaperOrder,
    account_key,
    trade_from,
)
from plimsoll.venues.paper.errors import Code, PaperRefused, rejection
from plimsoll.venues.paper.parse import venue_order
from plimsoll.venues.paper.rules import PaperRules
from plimsoll.venues.paper.wire import (
    ORDER_TYPES,
    Exchange,
    News,
    OrderRequest,
    Transfer,
    World,
    judged_by_bar,
    judged_by_quote,
)
from plimsoll.venues.protocol import Hear, Placed

FACTS = VenueFacts(
    name="paper",
    dedupe_scope=DedupeScope.FOREVER,
    late_arrival_bound=timedelta(seconds=1),
    lookup_lag=timedelta(0),
    reduce_only=True,
    order_types=ORDER_TYPES,
    times_in_force=frozenset(TimeInForce),
    tells_equity=True,
)


@dataclass(frozen=True, slots=True)
class _Kept:
    """What an account has, as of one version of the books."""

    version: int
    currency: str
    balances: list[tuple[str, Decimal]]
    positions: list[PaperPosition]


class PaperVenue:
    """A venue that needs no broker."""

    def __init__(  # noqa: PLR0917  the parts of one venue, each of its own type, in the order of their weight
        self,
        driver: Driver,
        instruments: Mapping[InstrumentId, Instrument],
        clock: Clock,
        chance: random.Random,
        rules: PaperRules,
        facts: SourceFacts,
        name: str = FACTS.name,
    ) -> None:
        self._facts = replace(FACTS, name=name)
        self._driver = driver
        self._instruments = instruments
        self._clock = clock
        self._chance = chance
        self._rules = rules
        self._source = facts
        self._exchange = Exchange(instruments, rules)
        self._quotes: dict[InstrumentId, Quote] = {}
        self._kept: dict[AccountId, _Kept] = {}
        self._hearers: dict[AccountId, list[Hear]] = {}
        #: Units on their way to the books, by instrument: what they change is not in the hot state yet.
        self._in_flight: dict[InstrumentId, int] = {}

    @property
    def facts(self) -> VenueFacts:
        return self._facts

    # --------------------------------------------------------------------------------------------------- orders

    async def place(self, approved: Approved) -> Placed:
        """Send an order; fills that happened at once come with the answer.

        Raises: OrderRejected, StoreFailed
        """
        await self._travel()
        # Everything the unit depends on is taken here, with no turn of the loop before the unit is in line: the next
        # quote's unit stands behind this one and finds the order in the books.
        request = OrderRequest(
            approved.account_id,
            approved.client_order_id,
            approved.terms,
            self._source.interval,
            unlucky=self._rules.draw_reject(self._chance),
        )
        world = self._world()
        with self._on_its_way(approved.terms.instrument_id):
            news: News = await self._driver.write(partial(self._exchange.place, request, world))
        if not news.repeated and self._rules.stream_repeats:
            self._tell((news,))
        if news.order.state is OrderState.REJECTED:
            raise rejection(news.order.reason)
        return Placed(venue_order(news.order), news.trades)

    async def cancel(self, account_id: AccountId, client_order_id: ClientOrderId) -> VenueOrder:
        """Take an order back; give it as it stands afterwards.

        Raises: OrderNotFound, StoreFailed
        """
        await self._travel()
        unit = partial(self._exchange.cancel, account_id, client_order_id, self._clock.now())
        news: News = await self._driver.write(unit)
        if not news.repeated and self._rules.stream_repeats:
            self._tell((news,))
        return venue_order(news.order)

    async def order(self, account_id: AccountId, client_order_id: ClientOrderId) -> VenueOrder:
        """Look an order up by our id, however long ago it ended.

        Raises: OrderNotFound, StoreFailed
        """
        # Through the scribe, behind whatever is in line: "not found" is said of a moment, not of a race.
        order: PaperOrder = await self._driver.write(partial(self._exchange.look_up, account_id, client_order_id))
        return venue_order(order)

    async def open_orders(self, account_id: AccountId) -> tuple[VenueOrder, ...]:
        """List what waits, oldest first."""
        self._known(account_id)
        return tuple(venue_order(order) for order in self._driver.hot.shelf("open", account_id))

    async def trades_since(self, account_id: AccountId, cursor: int) -> TradePage:
        """Give the account's fills after a cursor, oldest first.

        Raises: PaperRefused, StoreFailed
        """
        self._known(account_id)
        size = self._rules.page_size
        found: tuple[TradeReport, ...] = await self._driver.write(partial(_trades_since, account_id, cursor, size + 1))
        page = found[:size]
        return TradePage(page, page[-1].sequence if page else cursor, complete=len(found) <= size)

    async def movements_since(self, account_id: AccountId, cursor: int) -> MovementPage:
        """Give nothing: what moves here without a trade, the desk itself has brought in or taken out.

        Raises: PaperRefused
        """
        self._known(account_id)
        return MovementPage((), cursor, complete=True)

    # ------------------------------------------------------------------------------------------------- accounts

    async def account(self, account_id: AccountId) -> VenueAccount:
        """Give balances, positions and equity of one moment.

        Raises: PaperRefused
        """
        hot = self._driver.hot
        with hot.lock:
            account = self._known(account_id)
            totals = [(key[2], key[3], total) for key, total in hot.by_key("balance", account_id).items()]
            holdings = [self._holding(position) for position in hot.shelf("position", account_id)]
        balances = tuple(VenueBalance(str(pocket), str(asset), total) for pocket, asset, total in sorted(totals))
        return VenueAccount(
            account_id=account_id,
            cursor=account.cursor,
            at=self._clock.now(),
            balances=balances,
            positions=tuple(
                VenuePosition(
                    held.instrument.id, held.position.quantity, arithmetic.entry_price(held.position, held.instrument)
                )
                for held in sorted(holdings, key=lambda held: held.instrument.id)
            ),
            equity=arithmetic.equity(
                account.currency,
                [(balance.asset, balance.total) for balance in balances],
                holdings,
                self._rates(account.currency),
            ),
        )

    async def equity(self, account_id: AccountId) -> Decimal | None:
        """Give what the account is worth; asked at every price, so what only books can change is kept until they do.

        Raises: PaperRefused
        """
        hot = self._driver.hot
        kept = self._kept.get(account_id)
        if kept is None or kept.version != hot.version:
            with hot.lock:
                kept = _Kept(
                    hot.version,
                    self._known(account_id).currency,
                    [(str(key[3]), total) for key, total in hot.by_key("balance", account_id).items()],
                    hot.shelf("position", account_id),
                )
            self._kept[account_id] = kept
        holdings = [self._holding(position) for position in kept.positions]
        assets = {asset for asset, _total in kept.balances} | {held.instrument.settle for held in holdings}
        rates = {} if assets <= {kept.currency} else self._rates(kept.currency)
        return arithmetic.equity(kept.currency, kept.balances, holdings, rates)

    async def open_account(self, account_id: AccountId, currency: str) -> None:
        """Open an account that is valued in a currency; again is harmless.

        Raises: PaperRefused when it is open in another currency
        """
        await self._driver.write(partial(self._exchange.open_account, account_id, currency, self._clock.now()))

    async def deposit(
        self, account_id: AccountId, asset: str, amount: Decimal, *, reference: str, pocket: str = SPOT
    ) -> None:
        """Bring money in; the same reference again changes nothing.

        Raises: PaperRefused
        """
        await self._move(account_id, asset, _amount(amount), reference, pocket)

    async def withdraw(
        self, account_id: AccountId, asset: str, amount: Decimal, *, reference: str, pocket: str = SPOT
    ) -> None:
        """Take money out that nothing binds; the same reference again changes nothing.

        Raises: PaperRefused
        """
        await self._move(account_id, asset, -_amount(amount), reference, pocket)

    async def set_leverage(self, account_id: AccountId, instrument_id: InstrumentId, leverage: Decimal) -> None:
        """Choose a symbol's leverage.

        Raises: PaperRefused above the instrument's limit, or with a position or order open in it
        """
        await self._driver.write(partial(self._exchange.set_leverage, account_id, instrument_id, leverage))

    def listen(self, account_id: AccountId, hear: Hear) -> None:
        """Tell of what happens to the account from now on, after its commit."""
        self._hearers.setdefault(account_id, []).append(hear)

    # --------------------------------------------------------------------------------------------------- prices

    def wants(self, instrument_id: InstrumentId) -> bool:
        """Say whether anybody waits for this instrument's prices. If not, `see` is all a quote needs."""
        return bool(self._driver.hot.by_key("waiting", instrument_id) or self._in_flight.get(instrument_id))

    def see(self, quote: Quote) -> None:
        """Take note of a quote without showing it to waiting orders. One older than the last is late, and ignored."""
        last = self._quotes.get(quote.instrument_id)
        if last is None or quote.at >= last.at:
            self._quotes[quote.instrument_id] = quote

    async def on_quote(self, quote: Quote) -> None:
        """Take note of a quote and fill what waited for it.

        Raises: StoreFailed
        """
        self.see(quote)
        if self._quotes[quote.instrument_id] is not quote or not self.wants(quote.instrument_id):
            return
        if self._in_flight.get(quote.instrument_id) or any(
            judged_by_quote(order, quote) is not None
            for order in self._driver.hot.shelf("waiting", quote.instrument_id)
        ):
            with self._on_its_way(quote.instrument_id):
                self._tell(await self._driver.write(partial(self._exchange.on_quote, quote, self._world())))

    async def on_bar(self, bar: Bar) -> None:
        """Show a closed bar's high and low to what waited when it began; to be called before its close as a quote.

        Raises: StoreFailed
        """
        if self._in_flight.get(bar.instrument_id) or any(
            judged_by_bar(order, bar) is not None for order in self._driver.hot.shelf("waiting", bar.instrument_id)
        ):
            with self._on_its_way(bar.instrument_id):
                self._tell(await self._driver.write(partial(self._exchange.on_bar, bar, self._world())))

    # -------------------------------------------------------------------------------------------------- private

    async def _travel(self) -> None:
        seconds = self._rules.draw_latency(self._chance)
        if seconds > 0:
            await asyncio.sleep(seconds)

    def _world(self) -> World:
        # A copy: the unit may run later, in the scribe's thread, while prices go on.
        return World(self._clock.now(), dict(self._quotes), self._rules.draw_seed(self._chance))

    @contextmanager
    def _on_its_way(self, instrument_id: InstrumentId) -> Iterator[None]:
        self._in_flight[instrument_id] = self._in_flight.get(instrument_id, 0) + 1
        try:
            yield
        finally:
            self._in_flight[instrument_id] -= 1

    def _tell(self, all_news: tuple[News, ...]) -> None:
        for news in all_news:
            account_id = news.order.account_id
            events: tuple[VenueEvent, ...] = (*news.trades, OrderReport(account_id, venue_order(news.order)))
            for hear in self._hearers.get(account_id, ()):
                hear(events)

    async def _move(self, account_id: AccountId, asset: str, amount: Decimal, reference: str, pocket: str) -> None:
        if pocket not in POCKETS:
            raise PaperRefused(Code.INVALID_AMOUNT, f"money lies in {' or '.join(POCKETS)}, not in {pocket}")
        transfer = Transfer(account_id, pocket, asset, amount, reference)
        await self._driver.write(partial(self._exchange.move, transfer, self._world()))

    def _known(self, account_id: AccountId) -> PaperAccount:
        account: PaperAccount | None = self._driver.hot.get(account_key(account_id))
        if account is None:
            raise PaperRefused(Code.UNKNOWN_ACCOUNT, f"account {account_id} is not open here")
        return account

    def _holding(self, position: PaperPosition) -> Holding:
        instrument, quote = self._instruments[position.instrument_id], self._quotes.get(position.instrument_id)
        # Equity needs no leverage: it is the same at each.
        return Holding(position, instrument, Decimal(1), None if quote is None else quote.valuation)

    def _rates(self, currency: str) -> dict[str, Decimal]:
        """Give what one unit of each asset is worth in a currency; spot prices win over those of derivatives."""
        rates: dict[str, Decimal] = {}
        for spot in (False, True):
            for instrument_id, quote in self._quotes.items():
                instrument = self._instruments.get(instrument_id)
                if instrument and instrument.quote == currency and instrument.is_derivative is not spot:
                    rates[instrument.base] = quote.valuation
        return rates


def _trades_since(account_id: AccountId, cursor: int, limit: int, draft: Draft) -> tuple[TradeReport, ...]:
    return tuple(trade_from(row) for row in draft.find("trades_since", account_id, cursor, limit))


def _amount(amount: Decimal) -> Decimal:
    try:
        money.check_digits(amount, "amount")
    except Illegal as error:
        raise PaperRefused(Code.INVALID_AMOUNT, str(error)) from error
    if amount <= 0:
        raise PaperRefused(Code.INVALID_AMOUNT, f"give an amount above zero, not {money.decimal_text(amount)}")
    return amount
