"""The simulated exchange as the desk meets it: the `Venue` protocol over a line that may do anything.

It is written as the adapter of a real exchange would be. What it believes is what the exchange documents: the codes in
`errors`, the numbers on a stream, the times on an answer. What it does not understand is unknown of an order, no answer
of a question, and a gap of a stream.

Rule 1. An order is sent once. It is dated, so that the exchange refuses it when it comes late; where our idea of the
        exchange's time is too vague to date it, it is not sent.
Rule 2. A question has no effect, so it is asked up to three times within its ten seconds. "Not found" is an answer, and
        is not asked again.
Rule 3. A duplicate id is a no to this order and news of another: that one is looked up and told as ours, if it has the
        terms that were approved.

It has a market of its own: it is shown no prices, and fills what waits by itself.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import TypeVar

from plimsoll.model.clock import EPOCH, Clock
from plimsoll.model.errors import TryAgain, UnknownOutcome, WorldFailure
from plimsoll.model.ids import AccountId, ClientOrderId, InstrumentId
from plimsoll.model.instrument import Instrument
from plimsoll.model.money import decimal_text
from plimsoll.model.order import OrderTerms, OrderType, TimeInForce
from plimsoll.model.quote import Bar, Quote
from plimsoll.model.venue import (
    MovementPage,
    OrderReport,
    StreamGap,
    TradePage,
    VenueAccount,
    VenueEvent,
    VenueFacts,
    VenueOrder,
)
from plimsoll.risk.gate.verdict import Approved
from plimsoll.runtime.logging import logger
from plimsoll.venues.protocol import Hear, OrderNotFound, OrderRejected, Placed
from tests.simulation.adapter import parse
from tests.simulation.adapter.errors import (
    Meaning,
    No,
    failure_of_cancel,
    failure_of_order,
    failure_of_question,
    read_no,
)
from tests.simulation.adapter.pace import Pace, Use, VenueTime
from tests.simulation.adapter.pages import History, history_of
from tests.simulation.adapter.parse import Names, Row, Unreadable
from tests.simulation.adapter.stream import AccountStream
from tests.simulation.adapter.wire import Lost, NotSent, Reply, Transport
from tests.simulation.exchange.personality import Personality, Resuming

log = logger("sim_venue")

T = TypeVar("T")

PLACE_SECONDS = 5.0
QUESTION_SECONDS = 10.0
#: One attempt of a question, so that a lost one leaves time for another.
_ATTEMPT_SECONDS = 3.5
_ATTEMPTS = 3

_MILLISECOND = timedelta(milliseconds=1)


def facts_of(personality: Personality) -> VenueFacts:
    """Give what this exchange documents about itself."""
    return VenueFacts(
        name=personality.name,
        dedupe_scope=personality.dedupe,
        late_arrival_bound=timedelta(seconds=personality.late_seconds),
        lookup_lag=timedelta(seconds=personality.lookup_lag_seconds),
        reduce_only=personality.reduce_only,
        order_types=frozenset({OrderType.MARKET, OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT}),
        times_in_force=frozenset({TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK}),
        tells_equity=True,
        tells_movements=True,
        history_lag=timedelta(seconds=personality.history_lag_seconds),
        hedging=personality.hedging,
    )


class SimVenue:
    """One account at one simulated exchange."""

    def __init__(
        self,
        transport: Transport,
        account_id: AccountId,
        instruments: Mapping[InstrumentId, Instrument],
        personality: Personality,
        clock: Clock,
    ) -> None:
        self._transport = transport
        self._account_id = account_id
        self._instruments = instruments
        self._personality = personality
        self._facts = facts_of(personality)
        self._clock = clock
        self._pace = Pace(clock.monotonic)
        self._time = VenueTime(clock.monotonic)
        #: Where an order of ours was sent; after a start nobody knows, and every market is asked.
        self._symbols: dict[ClientOrderId, str] = {}
        self._trades: History = history_of(personality, "/fills", self._ask, self._own_symbols)
        self._movements: History = history_of(personality, "/ledger", self._ask, None)
        self._hearers: list[Hear] = []
        self._stream: AccountStream | None = None

    @property
    def facts(self) -> VenueFacts:
        return self._facts

    # --------------------------------------------------------------------------------------------------- orders

    async def place(self, approved: Approved) -> Placed:
        """Send an order, once.

        Raises: OrderRejected, UnknownOutcome, WorldFailure (certainly not sent)
        """
        self._check_own(approved.account_id)
        params = self._params_of(approved)
        self._symbols[approved.client_order_id] = params["symbol"]
        use = Use.REDUCING if approved.closes else Use.OPENING
        told = await self._send("POST", params, use, PLACE_SECONDS)
        if not isinstance(told, No):
            try:
                return Placed(parse.order_of(told, self._names), parse.fills_of(told, self._names))
            except Unreadable as problem:
                raise UnknownOutcome(f"the answer to the order could not be read: {problem}") from problem
        if told.meaning is Meaning.DUPLICATE:
            return await self._placed_before(approved, told)
        raise failure_of_order(told)

    async def _placed_before(self, approved: Approved, told: No) -> Placed:
        try:
            known = await self.order(approved.account_id, approved.client_order_id)
        except WorldFailure as failure:
            raise UnknownOutcome(f"{told.sentence}, and the order could not be seen: {failure}") from failure
        if not _is_what_was_approved(known, approved.terms):
            raise OrderRejected(told.word, told.sentence)
        return Placed(known)

    async def cancel(self, account_id: AccountId, client_order_id: ClientOrderId) -> VenueOrder:
        """Take an order back; give it as it stands afterwards.

        Raises: OrderNotFound, UnknownOutcome, WorldFailure
        """
        self._check_own(account_id)
        not_found: OrderNotFound | None = None
        for symbol in self._where(client_order_id):
            params = {"symbol": symbol, "clientOrderId": client_order_id}
            told = await self._send("DELETE", params, Use.REDUCING, PLACE_SECONDS)
            if not isinstance(told, No):
                try:
                    return parse.order_of(told, self._names)
                except Unreadable as problem:
                    raise UnknownOutcome(f"the answer to the cancel could not be read: {problem}") from problem
            failure = failure_of_cancel(told)
            if not isinstance(failure, OrderNotFound):
                raise failure
            not_found = failure
        log.info("cancel_found_nothing", client_order_id=client_order_id, told=str(not_found))
        # It may have ended by itself, which the exchange says in the same words.
        return await self.order(account_id, client_order_id)

    async def order(self, account_id: AccountId, client_order_id: ClientOrderId) -> VenueOrder:
        """Look an order up by our id, in every market where it may be.

        Raises: OrderNotFound, WorldFailure
        """
        self._check_own(account_id)
        for symbol in self._where(client_order_id):
            try:
                params = {"symbol": symbol, "clientOrderId": client_order_id}
                return await self._ask("/order", params, partial(parse.order_of, names=self._names))
            except OrderNotFound:
                continue
        raise OrderNotFound(f"{self._facts.name} knows no order {client_order_id}")

    async def open_orders(self, account_id: AccountId) -> tuple[VenueOrder, ...]:
        """List what waits.

        Raises: WorldFailure
        """
        self._check_own(account_id)
        return await self._ask("/openOrders", {}, partial(parse.orders_of, names=self._names))

    # --------------------------------------------------------------------------------------------------- histories

    async def trades_since(self, account_id: AccountId, cursor: int) -> TradePage:
        """Give fills, corrections and busts after a cursor, in the order in which they were made known.

        Raises: WorldFailure
        """
        self._check_own(account_id)
        page, names = await self._trades.page(cursor), self._names
        try:
            found = tuple(parse.trade_of(row, names) for row in page.rows)
        except Unreadable as problem:
            raise TryAgain(f"a fill in the history cannot be read: {problem}") from problem
        return TradePage(found, page.cursor, page.complete, page.settled)

    async def movements_since(self, account_id: AccountId, cursor: int) -> MovementPage:
        """Give what moved without a trade after a cursor.

        Raises: WorldFailure
        """
        self._check_own(account_id)
        page, names = await self._movements.page(cursor), self._names
        try:
            found = tuple(parse.movement_of(row, names) for row in page.rows)
        except Unreadable as problem:
            raise TryAgain(f"a movement in the history cannot be read: {problem}") from problem
        return MovementPage(found, page.cursor, page.complete, page.settled)

    # --------------------------------------------------------------------------------------------------- the account

    async def account(self, account_id: AccountId) -> VenueAccount:
        """Give balances, positions and equity of one moment.

        Raises: WorldFailure
        """
        self._check_own(account_id)
        return await self._ask("/account", {}, partial(parse.account_of, names=self._names))

    async def equity(self, account_id: AccountId) -> Decimal | None:
        """Give what the account is worth by the exchange's own count.

        Raises: WorldFailure
        """
        return (await self.account(account_id)).equity

    def listen(self, account_id: AccountId, hear: Hear) -> None:
        """Tell of everything that happens from now on, and of every gap in that."""
        self._check_own(account_id)
        self._hearers.append(hear)
        if self._stream is None:
            self._stream = AccountStream(
                self._transport,
                self._take,
                self._gap,
                resumes=self._personality.resuming is Resuming.SINCE,
                cut_after_seconds=self._personality.cut_after_seconds,
            )
            self._stream.open()

    def close(self) -> None:
        """Hang up; nobody is told of anything any more."""
        if self._stream is not None:
            self._stream.close()

    def _take(self, row: Row) -> None:
        names = self._names
        match parse.text(row, "e"):
            case "order":
                self._tell(OrderReport(names.account_id, parse.order_of(row, names)))
            case "fill" | "bust":
                self._tell(parse.trade_of(row, names))
            case "ledger":
                self._tell(parse.movement_of(row, names))
            case word:
                raise Unreadable(f"nobody knows what {word!r} is")

    def _gap(self, why: str) -> None:
        self._tell(StreamGap(self._account_id, why))

    def _tell(self, event: VenueEvent) -> None:
        for hear in self._hearers:
            hear((event,))

    # --------------------------------------------------------------------------------------------------- no market

    def wants(self, instrument_id: InstrumentId) -> bool:
        """Nobody waits for prices from outside: the exchange has its own."""
        return False

    def see(self, quote: Quote) -> None:
        """Take no note of it."""

    async def on_quote(self, quote: Quote) -> None:
        """Do nothing."""

    async def on_bar(self, bar: Bar) -> None:
        """Do nothing."""

    # --------------------------------------------------------------------------------------------------- asking

    async def _send(self, method: str, params: dict[str, str], use: Use, seconds: float) -> Row | No:
        """Send what has an effect; give the answer, or the no.

        Raises: UnknownOutcome, WorldFailure (certainly not sent)
        """
        dated = await self._dated(params, use)
        self._pace.take(use)
        try:
            async with asyncio.timeout(seconds):
                reply = await self._transport.request(method, "/order", dated)
        except NotSent as failure:
            raise TryAgain(f"not sent: {failure}") from failure
        except Lost as failure:
            raise UnknownOutcome(f"sent, and not answered: {failure}") from failure
        except TimeoutError as failure:
            raise UnknownOutcome(f"sent, and not answered in {seconds:g} s") from failure
        try:
            return self._heard(reply)
        except Unreadable as problem:
            raise UnknownOutcome(f"sent, and answered in words that nobody knows: {problem}") from problem

    async def _dated(self, params: dict[str, str], use: Use) -> dict[str, str]:
        now = self._time.now()
        if now is None:
            await self._ask("/time", {}, parse.server_time, use)
            now = self._time.now()
        if now is None:
            raise TryAgain("not sent: the exchange's time is not known closely enough to date a request by")
        dated = {**params, "timestamp": str((now - EPOCH) // _MILLISECOND)}
        window = self._personality.recv_window_seconds
        return dated if window is None else {**dated, "recvWindow": str(int(window * 1_000))}

    async def _ask(self, path: str, params: Mapping[str, str], read: Callable[[Row], T], use: Use = Use.QUESTION) -> T:
        """Ask what has no effect and read the answer; again if nothing comes of it.

        Raises: WorldFailure
        """
        failure: Exception | None = None
        until = self._clock.monotonic() + QUESTION_SECONDS
        for _ in range(_ATTEMPTS):
            left = until - self._clock.monotonic()
            if left <= 0:
                break
            self._pace.take(use)
            asked_at = self._clock.monotonic()
            try:
                async with asyncio.timeout(min(left, _ATTEMPT_SECONDS)):
                    reply = await self._transport.request("GET", path, params)
                told = self._heard(reply)
                if not isinstance(told, No):
                    answer = read(told)
                    # Every answer tells the exchange's time; one that does not is not whole.
                    self._time.hear(parse.server_time(told), asked_at)
                    return answer
            except (NotSent, Lost, TimeoutError, Unreadable) as problem:
                failure = problem
                continue
            if told.meaning is not Meaning.UNKNOWN:
                raise failure_of_question(told)
            failure = failure_of_question(told)
        raise TryAgain(f"{path} was asked and not answered: {type(failure).__name__} {failure}") from failure

    def _heard(self, reply: Reply) -> Row | No:
        """Read what came back.

        Raises: Unreadable
        """
        if 200 <= reply.status < 300:
            return parse.read_row(parse.read_json(reply.body))
        try:
            row = parse.read_row(parse.read_json(reply.body))
        except Unreadable:
            row = {}
        no = read_no(reply.status, row)
        if no.meaning is Meaning.LATER:
            self._pace.be_quiet(no.retry_after)
        if no.meaning is Meaning.STALE:
            self._time.forget()
        return no

    # --------------------------------------------------------------------------------------------------- names

    @property
    def _names(self) -> Names:
        return Names(self._account_id, {one.symbol: one.id for one in self._instruments.values()})

    def _own_symbols(self) -> tuple[str, ...]:
        return tuple(sorted(one.symbol for one in self._instruments.values()))

    def _where(self, client_order_id: ClientOrderId) -> tuple[str, ...]:
        known = self._symbols.get(client_order_id)
        return self._own_symbols() if known is None else (known,)

    def _check_own(self, account_id: AccountId) -> None:
        if account_id != self._account_id:
            raise LookupError(f"account {account_id} was asked about on account {self._account_id}'s line")

    def _params_of(self, approved: Approved) -> dict[str, str]:
        terms, instrument = approved.terms, approved.instrument
        if terms.post_only or terms.type not in self._facts.order_types or terms.quantity is None:
            raise OrderRejected("unsupported", f"{self._facts.name} takes no such order")
        params = {
            "symbol": instrument.symbol,
            "side": str(terms.side),
            "type": str(terms.type),
            "quantity": decimal_text(terms.quantity),
            "timeInForce": str(terms.time_in_force),
            "clientOrderId": approved.client_order_id,
        }
        if terms.price is not None:
            params["price"] = decimal_text(terms.price)
        if terms.stop_price is not None:
            params["stopPrice"] = decimal_text(terms.stop_price)
        if terms.reduce_only and self._personality.reduce_only and instrument.is_derivative:
            params["reduceOnly"] = "true"
        if self._personality.hedging and instrument.is_derivative:
            params["positionSide"] = approved.leg
        return params


def _is_what_was_approved(known: VenueOrder, terms: OrderTerms) -> bool:
    return (known.instrument_id, known.side, known.type, known.quantity, known.price, known.stop_price) == (
        terms.instrument_id,
        terms.side,
        terms.type,
        terms.quantity,
        terms.price,
        terms.stop_price,
    )
