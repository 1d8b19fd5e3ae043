"""The exchange behind the wire: what an order, a price or a transfer does to the paper books.

Each public method is one unit of the paper scribe: it reads the draft, changes it, and answers. The commit that follows
is the venue's word; nobody hears of it before. A unit may be run again after its group failed, so everything it depends
on (hour, prices, chance) comes in with the request and is the same the second time.

Failure story. Crash before the commit: the exchange never saw the request. After it, with the answer lost: the order is
in the books under the caller's own id, a look-up finds it and a repeat changes nothing, for ever; refused orders too.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from plimsoll.model import money
from plimsoll.model.cash import FUTURES, SPOT
from plimsoll.model.clock import time_text
from plimsoll.model.ids import AccountId, ClientOrderId, InstrumentId
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import OrderState, OrderTerms, OrderType, Side, TimeInForce
from plimsoll.model.quote import Bar, Quote
from plimsoll.model.trade import TradeReport
from plimsoll.store.draft import Draft
from plimsoll.venues.paper import matching
from plimsoll.venues.paper.arithmetic import Holding, PaperPosition, free_margin, initial_margin, traded
from plimsoll.venues.paper.books import (
    POCKETS,
    PaperAccount,
    PaperOrder,
    account_key,
    add_to_balance,
    add_trade,
    balance_key,
    known_order,
    order_name,
    position_key,
    put_order,
    put_position,
    trade_name,
)
from plimsoll.venues.paper.errors import Code, PaperRefused, reason_text
from plimsoll.venues.paper.matching import Lapsed, Match, Move, Triggered
from plimsoll.venues.paper.rules import PaperRules
from plimsoll.venues.paper.slippage import slipped
from plimsoll.venues.protocol import OrderNotFound, OrderRejected

Prices = Mapping[InstrumentId, Quote]

ORDER_TYPES = frozenset({OrderType.MARKET, OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT})
_LAPSED_DAY = Lapsed(OrderState.EXPIRED, "its day is over")


@dataclass(frozen=True, slots=True)
class World:
    """What was known outside the books when a request reached the exchange."""

    at: datetime
    prices: Prices
    #: For everything that chance decides in this unit.
    seed: int = 0


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """An order at the exchange's door."""

    account_id: AccountId
    client_order_id: ClientOrderId
    terms: OrderTerms
    #: How often the source declares a price; says how long its last one may be filled at.
    interval: timedelta | None
    #: Chance says no.
    unlucky: bool = False


@dataclass(frozen=True, slots=True)
class Transfer:
    """Money that comes in (+) or is taken out (−), once per reference."""

    account_id: AccountId
    pocket: str
    asset: str
    amount: Decimal
    reference: str


@dataclass(frozen=True, slots=True)
class News:
    """What happened to one order."""

    order: PaperOrder
    trades: tuple[TradeReport, ...] = ()
    #: Nothing happened; this is how it stood already.
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class _Lot:
    """A quantity at a price: what it is worth, settled once, and what it costs to trade."""

    quantity: Decimal
    value: Decimal
    fee: Decimal


@dataclass(frozen=True, slots=True)
class _Need:
    """What an order or a fill takes, and of which asset."""

    asset: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class _No:
    code: Code
    sentence: str


def judged_by_quote(order: PaperOrder, quote: Quote) -> Move:
    """Say what a quote does to a waiting order."""
    if matching.was_known(quote, order.arrived_at):
        return None
    if matching.has_expired(order.terms, order.arrived_at, quote.at):
        return _LAPSED_DAY
    return matching.at_quote(order.terms, quote, triggered=order.triggered, arriving=False)


def judged_by_bar(order: PaperOrder, bar: Bar) -> Move:
    """Say what a closed bar does to a waiting order. A day that ends with the bar ends after it."""
    if matching.has_expired(order.terms, order.arrived_at, bar.start):
        return _LAPSED_DAY
    return matching.at_bar(order.terms, bar, triggered=order.triggered, arrived_at=order.arrived_at)


class Exchange:
    """Matching, funds and margin over the paper books."""

    def __init__(self, instruments: Mapping[InstrumentId, Instrument], rules: PaperRules) -> None:
        self._instruments = instruments
        self._rules = rules

    # ------------------------------------------------------------------------------------------------- accounts

    def open_account(self, account_id: AccountId, currency: str, at: datetime, draft: Draft) -> None:
        """Open an account; again is harmless."""
        known: PaperAccount | None = draft.get(account_key(account_id))
        if known is None:
            draft.put(account_key(account_id), PaperAccount(account_id, currency))
            draft.add("accounts", (account_id, currency, time_text(at)))
        elif known.currency != currency:
            raise PaperRefused(Code.ACCOUNT_EXISTS, f"account {account_id} counts in {known.currency}")

    def move(self, transfer: Transfer, world: World, draft: Draft) -> None:
        """Bring money in or take it out; the same reference again changes nothing."""
        account_id, asset, amount = transfer.account_id, transfer.asset, transfer.amount
        account = _account(draft, account_id)
        wanted = (transfer.pocket, asset, money.decimal_text(amount))
        key = ("movement", account_id, transfer.reference)
        # Two of one reference may sit in one group: the first is in the overlay and not yet in the table.
        earlier = draft.get(key)
        known = [earlier] if earlier else draft.find("movement", account_id, transfer.reference)
        if known:
            if tuple(known[0]) != wanted:
                before = " ".join(map(str, known[0]))
                raise PaperRefused(Code.DUPLICATE_REFERENCE, f"{transfer.reference} was used for {before}")
            return
        if amount < 0:
            free = self._free(draft, account_id, asset, world.prices, count_profit=False)
            if free is None:
                raise PaperRefused(Code.NO_PRICE, "a position that binds this money has no price")
            if free + amount < 0:
                raise PaperRefused(Code.INSUFFICIENT_FUNDS, f"{money.decimal_text(free)} {asset} can be taken out")
        account = _moved_on(draft, account)
        draft.put_fleeting(key, wanted)
        draft.add("movements", (account_id, transfer.reference, *wanted, time_text(world.at), account.cursor))
        add_to_balance(draft, account_id, transfer.pocket, asset, amount)

    def set_leverage(self, account_id: AccountId, instrument_id: InstrumentId, leverage: Decimal, draft: Draft) -> None:
        """Choose a symbol's leverage. Under an open position or order it would change what they bind."""
        account = _account(draft, account_id)
        instrument = self._instruments.get(instrument_id)
        if instrument is None:
            raise PaperRefused(Code.UNKNOWN_INSTRUMENT, f"instrument {instrument_id} is not traded here")
        if not 1 <= leverage <= instrument.max_leverage:
            raise PaperRefused(
                Code.INVALID_LEVERAGE, f"{instrument.symbol} takes 1 to {money.decimal_text(instrument.max_leverage)}"
            )
        if leverage == self._leverage(draft, account_id, instrument):
            return
        waiting = any(order.account_id == account_id for order in draft.shelf("waiting", instrument_id))
        if waiting or draft.get(position_key(account_id, instrument_id)) is not None:
            raise PaperRefused(Code.POSITION_OPEN, f"{instrument.symbol} has an open position or order")
        account = _moved_on(draft, account)
        key = ("leverage", account_id, instrument_id)
        draft.put(key, leverage)
        draft.replace("leverages", key, (account_id, instrument_id, money.decimal_text(leverage), account.cursor))

    # --------------------------------------------------------------------------------------------------- orders

    def place(self, request: OrderRequest, world: World, draft: Draft) -> News:
        """Take an order, or refuse it and remember that; fill it if a price allows.

        Raises: OrderRejected where there is no account to keep the refusal in, or the id means another order
        """
        known = known_order(draft, request.account_id, request.client_order_id)
        if known is not None:
            if known.terms != request.terms:
                raise OrderRejected(Code.DUPLICATE_CLIENT_ORDER_ID, "this id was used before, with other terms")
            return News(known, repeated=True)
        account: PaperAccount | None = draft.get(account_key(request.account_id))
        instrument = self._instruments.get(request.terms.instrument_id)
        if account is None:
            raise OrderRejected(Code.UNKNOWN_ACCOUNT, f"account {request.account_id} is not open here")
        if instrument is None:
            raise OrderRejected(Code.UNKNOWN_INSTRUMENT, f"instrument {request.terms.instrument_id} is not traded here")
        account = _moved_on(draft, account, orders=1)
        order = PaperOrder(
            account_id=request.account_id,
            client_order_id=request.client_order_id,
            number=account.orders,
            terms=request.terms,
            arrived_at=world.at,
            state=OrderState.NEW,
            updated_at=world.at,
            cursor=account.cursor,
        )
        need = self._admitted(draft, order, request, instrument, world)
        if isinstance(need, _No):
            refused = replace(order, state=OrderState.REJECTED, reason=reason_text(need.code, need.sentence))
            put_order(draft, refused)
            return News(refused)
        if need.amount:
            _lock(draft, order.account_id, need.asset, need.amount)
            order = replace(order, locked=need.amount, locked_asset=need.asset)
        quote = world.prices.get(instrument.id)
        if quote is not None:
            move = matching.on_arrival(order.terms, quote, world.at, request.interval)
            if move is not None:
                return self._apply(draft, order, move, max(world.at, quote.at), world)
        put_order(draft, order)
        return News(order)

    def cancel(self, account_id: AccountId, client_order_id: ClientOrderId, at: datetime, draft: Draft) -> News:
        """Take an order back; one that has ended stays as it ended.

        Raises: OrderNotFound
        """
        order = self.look_up(account_id, client_order_id, draft)
        if not order.is_open:
            return News(order, repeated=True)
        return News(self._ended(draft, order, OrderState.CANCELED, "canceled on request", at))

    def look_up(self, account_id: AccountId, client_order_id: ClientOrderId, draft: Draft) -> PaperOrder:
        """Find an order by the caller's id.

        Raises: OrderNotFound
        """
        order = known_order(draft, account_id, client_order_id)
        if order is None:
            raise OrderNotFound(f"account {account_id} has no order {client_order_id}")
        return order

    # --------------------------------------------------------------------------------------------------- prices

    def on_quote(self, quote: Quote, world: World, draft: Draft) -> tuple[News, ...]:
        """Show a quote to the orders that wait for it, oldest first."""
        orders: list[PaperOrder] = draft.shelf("waiting", quote.instrument_id)
        return tuple(self._show(draft, orders, lambda order: judged_by_quote(order, quote), quote.at, world))

    def on_bar(self, bar: Bar, world: World, draft: Draft) -> tuple[News, ...]:
        """Show a closed bar to the orders that wait: stops first, since nobody knows in which order its prices came."""
        orders: list[PaperOrder] = draft.shelf("waiting", bar.instrument_id)
        orders.sort(key=lambda order: not matching.comes_first_in_a_bar(order.terms, triggered=order.triggered))
        return tuple(self._show(draft, orders, lambda order: judged_by_bar(order, bar), bar.end, world))

    def _show(
        self, draft: Draft, orders: list[PaperOrder], judge: Callable[[PaperOrder], Move], at: datetime, world: World
    ) -> Iterator[News]:
        for order in orders:
            move = judge(order)
            if move is not None:
                yield self._apply(draft, order, move, max(order.arrived_at, at), world)

    def _apply(
        self, draft: Draft, order: PaperOrder, move: Match | Triggered | Lapsed, at: datetime, world: World
    ) -> News:
        match move:
            case Lapsed(state, reason):
                return News(self._ended(draft, order, state, reason, at))
            case Triggered():
                account = _moved_on(draft, _account(draft, order.account_id))
                order = replace(order, triggered=True, updated_at=at, cursor=account.cursor)
                put_order(draft, order)
                return News(order)
            case Match():
                return self._fill(draft, order, move, at, world)

    # ---------------------------------------------------------------------------------------------------- fills

    def _fill(self, draft: Draft, order: PaperOrder, match: Match, at: datetime, world: World) -> News:
        instrument, side = self._instruments[order.terms.instrument_id], order.terms.side
        quantity = order.remaining
        closable = self._closable(draft, order.account_id, instrument, side) if order.terms.reduce_only else quantity
        # The position may have shrunk while the order waited: it closes what there is, and its rest goes.
        quantity = min(quantity, closable)
        if quantity <= 0:
            reason = reason_text(Code.REDUCE_ONLY, "nothing is left to reduce")
            return News(self._ended(draft, order, OrderState.CANCELED, reason, at))
        whole = quantity
        if order.terms.time_in_force is not TimeInForce.FOK:
            name = f"{order.account_id}|{order.number}|{order.filled_quantity}"
            part = instrument.round_down_to_lot(self._rules.part_of(quantity, world.seed, name))
            quantity = part if part > 0 else quantity
        price = match.price
        if match.slips:
            price = slipped(price, side, self._rules.slippage.ratio(quantity, match.depth))
        value = instrument.notional(quantity, price)
        fee = money.settle_product(value, self._rules.maker_fee_ratio if match.maker else self._rules.taker_fee_ratio)
        # A reduce-only order holds back what there is to reduce, which may be less than it asks for.
        reduces = order.terms.reduce_only
        held = min(order.locked, quantity) if reduces else money.settle_share(order.locked, quantity, order.remaining)
        lot = _Lot(quantity, value, fee)
        need = self._need(draft, order, instrument, lot)
        short_of = self._missing(draft, order, instrument, need, held=held, prices=world.prices)
        if short_of is not None:
            # It was affordable when it was accepted and the price ran away: what was filled stays filled.
            state = OrderState.CANCELED if order.filled_quantity else OrderState.REJECTED
            return News(self._ended(draft, order, state, reason_text(short_of.code, short_of.sentence), at))

        realized = self._exchanged(draft, order, instrument, lot)
        account = _moved_on(draft, _account(draft, order.account_id), trades=1)
        filled = order.filled_quantity + quantity
        done = filled == order.quantity
        order = replace(
            order,
            state=OrderState.FILLED if done else OrderState.PARTIALLY_FILLED,
            filled_quantity=filled,
            triggered=True if order.terms.stop_price is not None else order.triggered,
            locked=order.locked - held,
            updated_at=at,
            cursor=account.cursor,
        )
        if held:
            _lock(draft, order.account_id, order.locked_asset, -held)
        report = TradeReport(
            account_id=order.account_id,
            instrument_id=instrument.id,
            broker_trade_id=trade_name(order.account_id, account.trades),
            side=side,
            quantity=quantity,
            price=price,
            fee=fee,
            fee_currency=instrument.cash_asset,
            exec_time=at,
            sequence=account.trades,
            broker_order_id=order_name(order.account_id, order.number),
            client_order_id=order.client_order_id,
            realized_cash=realized,
        )
        add_trade(draft, report, order, account.cursor)
        rest = _why_the_rest_goes(order, closed_all=quantity == whole)
        if rest and not done:
            order = self._ended(draft, order, OrderState.CANCELED, rest, at)
        else:
            put_order(draft, order)
        return News(order, (report,))

    def _exchanged(self, draft: Draft, order: PaperOrder, instrument: Instrument, lot: _Lot) -> Decimal | None:
        """Move what a fill moves; give the profit or loss that a derivative paid, None on spot."""
        account_id, side = order.account_id, order.terms.side
        if not instrument.is_derivative:
            add_to_balance(draft, account_id, SPOT, instrument.base, side.sign * lot.quantity)
            add_to_balance(draft, account_id, SPOT, instrument.quote, -side.sign * lot.value - lot.fee)
            return None
        position = self._position(draft, account_id, instrument)
        after, realized = traded(position, side, lot.quantity, lot.value, inverse=instrument.inverse)
        put_position(draft, after)
        if realized != lot.fee:
            add_to_balance(draft, account_id, FUTURES, instrument.settle, realized - lot.fee)
        return realized

    def _ended(self, draft: Draft, order: PaperOrder, state: OrderState, reason: str, at: datetime) -> PaperOrder:
        account = _moved_on(draft, _account(draft, order.account_id))
        if order.locked:
            _lock(draft, order.account_id, order.locked_asset, -order.locked)
        ended = replace(
            order,
            state=state,
            reason=reason,
            locked=money.ZERO,
            updated_at=max(order.updated_at, at),
            cursor=account.cursor,
        )
        put_order(draft, ended)
        return ended

    # ---------------------------------------------------------------------------------------- what may be taken

    def _admitted(
        self, draft: Draft, order: PaperOrder, request: OrderRequest, instrument: Instrument, world: World
    ) -> _Need | _No:
        """Ask everything that is asked at the door; give what the order holds back while it waits."""
        terms, quote = order.terms, world.prices.get(instrument.id)
        if request.unlucky:
            return _No(Code.REJECTED_BY_CHANCE, "this venue refuses some orders, as its rules say")
        wrong = _wrong_terms(terms, instrument)
        if wrong is not None:
            return wrong
        price = matching.expected_price(terms, quote)
        if price is None:
            return _No(Code.NO_PRICE, f"no price of {instrument.symbol} was seen yet")
        if quote is not None and matching.would_break_post_only(terms, quote):
            return _No(Code.POST_ONLY, "it would have taken at once")
        if terms.price is None:
            depth = None if quote is None else quote.ask_size if terms.side is Side.BUY else quote.bid_size
            price = slipped(price, terms.side, self._rules.slippage.ratio(order.quantity, depth))
        value = instrument.notional(order.quantity, price)
        # The venue's least value is in quote, and so is the quantity of an inverse contract.
        quote_value = order.quantity * instrument.multiplier if instrument.inverse else value
        if quote_value < instrument.min_notional and not terms.reduce_only:
            return _No(Code.INVALID_QUANTITY, f"the least value is {money.decimal_text(instrument.min_notional)}")
        if terms.reduce_only and not self._closable(draft, order.account_id, instrument, terms.side):
            return _No(Code.REDUCE_ONLY, "there is no position that it would reduce")
        fee = money.settle_product(value, self._rules.taker_fee_ratio)
        need = self._need(draft, order, instrument, _Lot(order.quantity, value, fee))
        return self._missing(draft, order, instrument, need, held=money.ZERO, prices=world.prices) or need

    def _need(self, draft: Draft, order: PaperOrder, instrument: Instrument, lot: _Lot) -> _Need:
        terms = order.terms
        if not instrument.is_derivative:
            if terms.side is Side.BUY:
                return _Need(instrument.quote, lot.value + lot.fee)
            if terms.reduce_only:
                return _Need(
                    instrument.base, min(lot.quantity, self._closable(draft, order.account_id, instrument, terms.side))
                )
            return _Need(instrument.base, lot.quantity)
        opening = lot.quantity - self._closable(draft, order.account_id, instrument, terms.side)
        if terms.reduce_only or opening <= 0:
            # What reduces is never refused for money: its loss is owed whether it is taken now or later.
            return _Need(instrument.settle, money.ZERO)
        opened_value = money.settle_share(lot.value, opening, lot.quantity)
        leverage = self._leverage(draft, order.account_id, instrument)
        return _Need(instrument.settle, initial_margin(opened_value, leverage) + lot.fee)

    def _missing(
        self,
        draft: Draft,
        order: PaperOrder,
        instrument: Instrument,
        need: _Need,
        *,
        held: Decimal,
        prices: Prices,
    ) -> _No | None:
        """Say what an account lacks for an order or a fill, beyond what the order held back for it."""
        lacking = need.amount - held
        if lacking <= 0:
            return None
        # A reversal gives back the margin of what it closes before it takes the margin of what it opens.
        reverses = (
            instrument.is_derivative and self._closable(draft, order.account_id, instrument, order.terms.side) > 0
        )
        free = self._free(
            draft,
            order.account_id,
            need.asset,
            prices,
            count_profit=instrument.is_derivative,
            released=instrument.id if reverses else None,
        )
        if free is None:
            return _No(Code.NO_PRICE, "a position of the account has no price, so its free margin is not known")
        if lacking <= free:
            return None
        code = Code.INSUFFICIENT_MARGIN if instrument.is_derivative else Code.INSUFFICIENT_FUNDS
        wanted, there = money.decimal_text(need.amount), money.decimal_text(free + held)
        return _No(code, f"it takes {wanted} {need.asset} and {there} is free")

    def _free(
        self,
        draft: Draft,
        account_id: AccountId,
        asset: str,
        prices: Prices,
        *,
        count_profit: bool,
        released: InstrumentId | None = None,
    ) -> Decimal | None:
        """Give what is free of an asset, in all pockets together; None when a price is missing for that."""
        cash: Decimal = -(draft.get(("lock", account_id, asset)) or money.ZERO)
        for pocket in POCKETS:
            cash += draft.get(balance_key(account_id, pocket, asset)) or money.ZERO
        holdings = []
        for position in draft.shelf("position", account_id):
            instrument = self._instruments[position.instrument_id]
            if instrument.settle == asset:
                holding = self._holding(draft, position, instrument, prices)
                if position.instrument_id == released:
                    cash += _margin_of(holding)
                holdings.append(holding)
        return free_margin(cash, holdings, count_profit=count_profit) if holdings else cash

    def _holding(self, draft: Draft, position: PaperPosition, instrument: Instrument, prices: Prices) -> Holding:
        quote = prices.get(instrument.id)
        leverage = self._leverage(draft, position.account_id, instrument)
        return Holding(position, instrument, leverage, None if quote is None else quote.valuation)

    def _position(self, draft: Draft, account_id: AccountId, instrument: Instrument) -> PaperPosition:
        position: PaperPosition | None = draft.get(position_key(account_id, instrument.id))
        return position or PaperPosition(account_id, instrument.id)

    def _closable(self, draft: Draft, account_id: AccountId, instrument: Instrument, side: Side) -> Decimal:
        """Give how much an order of this side could reduce: of a position, or of coins that are held."""
        if instrument.is_derivative:
            return self._position(draft, account_id, instrument).closable_by(side)
        if side is Side.BUY:
            return money.ZERO
        coins: Decimal = draft.get(balance_key(account_id, SPOT, instrument.base)) or money.ZERO
        return max(coins, money.ZERO)

    def _leverage(self, draft: Draft, account_id: AccountId, instrument: Instrument) -> Decimal:
        chosen: Decimal | None = draft.get(("leverage", account_id, instrument.id))
        return chosen or min(self._rules.default_leverage, instrument.max_leverage)


def _account(draft: Draft, account_id: AccountId) -> PaperAccount:
    account: PaperAccount | None = draft.get(account_key(account_id))
    if account is None:
        raise PaperRefused(Code.UNKNOWN_ACCOUNT, f"account {account_id} is not open here")
    return account


def _moved_on(draft: Draft, account: PaperAccount, *, orders: int = 0, trades: int = 0) -> PaperAccount:
    """Count a change of the account. The row that the caller writes carries the cursor; the account's own does not."""
    moved = PaperAccount(
        account.account_id, account.currency, account.cursor + 1, account.orders + orders, account.trades + trades
    )
    draft.put(account_key(account.account_id), moved)
    return moved


def _lock(draft: Draft, account_id: AccountId, asset: str, amount: Decimal) -> None:
    key = ("lock", account_id, asset)
    draft.put(key, ((draft.get(key) or money.ZERO) + amount) or None)


def _margin_of(holding: Holding) -> Decimal:
    if holding.price is None:
        return money.ZERO
    return initial_margin(holding.instrument.notional(abs(holding.position.quantity), holding.price), holding.leverage)


def _why_the_rest_goes(order: PaperOrder, *, closed_all: bool) -> str:
    if matching.ends_unfilled_rest(order.terms):
        return reason_text(Code.NOT_FILLED, "the rest found no price at once")
    if order.terms.reduce_only and closed_all:
        return reason_text(Code.REDUCE_ONLY, "nothing is left to reduce")
    return ""


def _wrong_terms(terms: OrderTerms, instrument: Instrument) -> _No | None:
    """Find what the instrument does not allow, whatever the prices and the funds are."""
    quantity = terms.quantity
    if not instrument.tradable:
        return _No(Code.NOT_TRADABLE, f"{instrument.symbol} is not traded at present")
    if terms.type not in ORDER_TYPES:
        return _No(Code.UNSUPPORTED_TYPE, f"{terms.type} orders are not taken")
    if quantity is None or quantity <= 0 or not money.is_multiple(quantity, instrument.lot_size):
        return _No(Code.INVALID_QUANTITY, f"the lot is {money.decimal_text(instrument.lot_size)}")
    if quantity < instrument.min_quantity:
        return _No(Code.INVALID_QUANTITY, f"the least quantity is {money.decimal_text(instrument.min_quantity)}")
    for price in (terms.price, terms.stop_price):
        if price is not None and (price <= 0 or not money.is_multiple(price, instrument.tick_size)):
            return _No(Code.INVALID_PRICE, f"the tick is {money.decimal_text(instrument.tick_size)}")
    return None
