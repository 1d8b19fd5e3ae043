"""Compare the book with the venue: two views of one account at one moment → named differences.

Invariants, each a property test of the same number (6 is `decide`'s):
1. Equal views have no differences; nothing on one side equals zero on the other.
2. Every single difference is named, once, and nothing else is.
3. Differences come in one order: by kind, then by name. It depends on what differs and on nothing else.
4. The order of either side's orders, trades, positions and balances changes nothing; nor does an order or a trade
   that is told twice (pages overlap).
5. Tolerance is zero: 1e-18 of a quantity or an amount is a difference.
6. No decision removes an order, a trade or an amount from the book.
7. Views of different moments are not compared: `Moved` exactly when the cursors are not all equal.
8. A missing trade explains what follows from it: fills, position and cash are compared as they will stand once it is
   booked, so that one cause is not named four times.
9. Orders match one to one, by the venue's id first and by ours then. What is left over is named: a second order of the
   same client order id is the doubled order that must never exist.

What must not enter: what to do about a difference (`decide`), and a question to anybody. An answer that failed or came
in part makes no `VenueView`: there is no field that could be left out, and nothing stands for "not asked".
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from plimsoll.model.cash import lines_of
from plimsoll.model.errors import Illegal, invariant
from plimsoll.model.ids import AccountId, BrokerOrderId, ClientOrderId, InstrumentId, PortfolioId, is_ours
from plimsoll.model.instrument import Instrument
from plimsoll.model.money import ZERO, decimal_text
from plimsoll.model.order import Order
from plimsoll.model.trade import Trade, TradeKey, TradeReport
from plimsoll.model.venue import VenueAccount, VenueOrder
from plimsoll.reconcile.differences import (
    BalanceBreak,
    Difference,
    FilledMismatch,
    MissingTrade,
    OrderNotAtVenue,
    Origin,
    PositionMismatch,
    StatusMismatch,
    TermsMismatch,
    UnknownOrder,
)

#: (pocket, asset)
Wallet = tuple[str, str]
Instruments = Mapping[InstrumentId, Instrument]


@dataclass(frozen=True, slots=True)
class LedgerView:
    """What the book says of an account, read in one step after the venue's last answer."""

    account_id: AccountId
    #: The four characters that our client order ids begin with.
    desk_code: str
    #: The live ones.
    orders: tuple[Order, ...]
    #: Net signed quantity of derivatives over all portfolios and strategies.
    positions: Mapping[InstrumentId, Decimal]
    #: Summed over all portfolios; what is borrowed lies in the pocket `loan`.
    balances: Mapping[Wallet, Decimal]
    #: Up to here the venue's trades were swept.
    trade_cursor: int


@dataclass(frozen=True, slots=True)
class VenueView:
    """What the venue says of an account: every question answered, and answered in full.

    The questions are a sandwich: the account, then trades and orders, then the account again.

    Refuses: another account's trade; an unbooked key that no trade has
    """

    account: VenueAccount
    #: All that wait.
    open_orders: tuple[VenueOrder, ...]
    #: All fills after `trades_asked_after`, to the last page.
    trades_after_cursor: tuple[TradeReport, ...]
    #: Those of them that the book does not have.
    unbooked: frozenset[TradeKey]
    #: The book's `trade_cursor` when the fills were asked for.
    trades_asked_after: int
    #: The account's cursor before the first of these answers, and after the last.
    cursor_before: int
    cursor_after: int

    def __post_init__(self) -> None:
        for report in self.trades_after_cursor:
            if report.account_id != self.account.account_id:
                raise Illegal("trades_after_cursor", report.key, "give the trades of this account alone")
        if not self.unbooked <= {report.key for report in self.trades_after_cursor}:
            raise Illegal("unbooked", sorted(self.unbooked), "name only trades that the venue told")


@dataclass(frozen=True, slots=True)
class Moved:
    """The account changed while the questions were asked: no comparison, ask again."""

    #: The account's cursor before, at and after the account's answer.
    account: tuple[int, int, int]
    #: The cursor that the fills were asked after, and the one that the book has now.
    trades: tuple[int, int]


def compare(ledger: LedgerView, venue: VenueView, instruments: Instruments) -> Moved | tuple[Difference, ...]:
    """Name every difference between the book and the venue.

    Shapes:  `instruments` by id; one that is missing is compared as a derivative, since unknown is not nothing
    Raises:  InvariantBroken when the views are of two accounts
    """
    invariant(ledger.account_id == venue.account.account_id, "a book is compared with its own account at the venue")
    account = (venue.cursor_before, venue.account.cursor, venue.cursor_after)
    trades = (venue.trades_asked_after, ledger.trade_cursor)
    # A fill between two of the answers would show as money that nobody moved (FAILURES C13).
    if account != (account[0],) * 3 or trades[0] != trades[1]:
        return Moved(account, trades)
    missing = _missing(venue)
    book = _once_booked(ledger, missing, instruments)
    pairs, absent, strange = _matched(book.orders, _told_once(venue.open_orders))
    return (
        *(MissingTrade(report, _symbol(report.instrument_id, instruments)) for report in missing),
        *_unknown_orders(book, strange, instruments),
        *(OrderNotAtVenue(order.client_order_id, order.state) for order in absent if not order.state.is_final),
        *_progress(pairs),
        *(mismatch for order, told in pairs for mismatch in _terms(order, told)),
        *_positions(book, venue.account, instruments),
        *_balances(book, venue.account),
    )


def _missing(venue: VenueView) -> list[TradeReport]:
    # By text first, so that of two contradicting reports under one key the same one counts in either order.
    told = sorted(venue.trades_after_cursor, key=repr)
    by_key = {report.key: report for report in told if report.key in venue.unbooked}
    return sorted(by_key.values(), key=lambda report: (report.exec_time, report.sequence, report.key))


def _once_booked(ledger: LedgerView, missing: Iterable[TradeReport], instruments: Instruments) -> LedgerView:
    """Foretell the book as it stands once the missing trades are booked, by the rules that will book them.

    What cannot be foretold is left as it is, and its consequences are named beside the trade until it is booked: a
    correction, an instrument that we have no facts of, the profit of a derivative where the venue tells none.
    """
    orders = {order.client_order_id: order for order in ledger.orders}
    names = _names(ledger.orders)
    positions, balances = dict(ledger.positions), dict(ledger.balances)
    for report in missing:
        instrument = instruments.get(report.instrument_id)
        if instrument is None or report.revision > 0:
            continue
        # Whose trade it is does not matter here: everything compared is a sum over the account's portfolios.
        value = instrument.notional(report.quantity, report.price)
        trade = Trade(report, PortfolioId(0), None, "", value)
        positions[instrument.id] = positions.get(instrument.id, ZERO) + trade.signed_quantity
        for line in lines_of(trade, instrument, realized=ZERO):
            wallet = (line.pocket, line.asset)
            balances[wallet] = balances.get(wallet, ZERO) + line.amount
        name = names.get((report.instrument_id, report.broker_order_id), report.client_order_id)
        if name is not None and name in orders:
            orders[name] = orders[name].filled(report.quantity, report.exec_time)
    return replace(ledger, orders=tuple(orders.values()), positions=positions, balances=balances)


def _names(orders: Iterable[Order]) -> dict[tuple[InstrumentId, BrokerOrderId | None], ClientOrderId]:
    # With the instrument, because some venues number orders per symbol.
    return {
        (order.terms.instrument_id, order.broker_order_id): order.client_order_id
        for order in orders
        if order.broker_order_id is not None
    }


def _told_once(told: Iterable[VenueOrder]) -> list[VenueOrder]:
    """Drop repetitions, the latest word on an order counts, and sort by the venue's id."""
    # The text breaks ties, so that two contradicting answers of one instant give the same result in either order.
    oldest_first = sorted(told, key=lambda order: (order.updated_at, order.filled_quantity, repr(order)))
    latest = {(order.instrument_id, order.broker_order_id): order for order in oldest_first}
    return [latest[key] for key in sorted(latest)]


def _matched(
    orders: Iterable[Order], told: Iterable[VenueOrder]
) -> tuple[list[tuple[Order, VenueOrder]], list[Order], list[VenueOrder]]:
    """Pair orders one to one; give the pairs, ours without theirs, and theirs without ours."""
    left: dict[ClientOrderId | None, Order] = {order.client_order_id: order for order in orders}
    names = _names(left.values())
    pairs: list[tuple[Order, VenueOrder]] = []
    unnamed: list[VenueOrder] = []
    strange: list[VenueOrder] = []
    # All matches by the venue's id come before the first by ours: a doubled order must not take the place of the one
    # that we know.
    for seen in told:
        order = left.pop(names.get((seen.instrument_id, seen.broker_order_id)), None)
        if order is None:
            unnamed.append(seen)
        else:
            pairs.append((order, seen))
    for seen in unnamed:
        order = left.pop(seen.client_order_id, None)
        if order is None:
            strange.append(seen)
        else:
            pairs.append((order, seen))
    pairs.sort(key=lambda pair: pair[0].client_order_id)
    return pairs, sorted(left.values(), key=lambda order: order.client_order_id), strange


def _unknown_orders(
    book: LedgerView, strange: Iterable[VenueOrder], instruments: Instruments
) -> Iterator[UnknownOrder]:
    taken: set[ClientOrderId | None] = {order.client_order_id for order in book.orders}
    for order in strange:
        if order.client_order_id in taken:
            origin = Origin.DOUBLED
        else:
            origin = Origin.OURS if is_ours(book.desk_code, order.client_order_id) else Origin.FOREIGN
        if order.client_order_id is not None:
            taken.add(order.client_order_id)
        yield UnknownOrder(order, origin, _symbol(order.instrument_id, instruments))


def _progress(pairs: Iterable[tuple[Order, VenueOrder]]) -> list[StatusMismatch | FilledMismatch]:
    """Compare states where the fills agree; where they do not, the state only follows from them."""
    states: list[StatusMismatch | FilledMismatch] = []
    fills: list[StatusMismatch | FilledMismatch] = []
    for order, told in pairs:
        if order.filled_quantity != told.filled_quantity:
            fills.append(FilledMismatch(order.client_order_id, order.filled_quantity, told.filled_quantity))
        elif order.state is not told.state:
            states.append(StatusMismatch(order.client_order_id, order.state, told.state))
    return states + fills


def _terms(order: Order, told: VenueOrder) -> Iterator[TermsMismatch]:
    terms = order.terms
    name = order.client_order_id
    if terms.instrument_id != told.instrument_id:
        yield TermsMismatch(name, "instrument", str(terms.instrument_id), str(told.instrument_id))
    if terms.side is not told.side:
        yield TermsMismatch(name, "side", terms.side, told.side)
    if order.quantity != told.quantity:
        yield TermsMismatch(name, "quantity", _text(order.quantity), _text(told.quantity))
    # A market order has no price of ours; the venue may show the limit that it was sent with.
    if terms.price is not None and terms.price != told.price:
        yield TermsMismatch(name, "price", _text(terms.price), _text(told.price))
    # A stop that was triggered waits as an order of another type, and has no stop price any more.
    if terms.stop_price is not None and told.type is terms.type and terms.stop_price != told.stop_price:
        yield TermsMismatch(name, "stop_price", _text(terms.stop_price), _text(told.stop_price))


def _positions(book: LedgerView, account: VenueAccount, instruments: Instruments) -> Iterator[PositionMismatch]:
    held: defaultdict[InstrumentId, Decimal] = defaultdict(Decimal)
    for position in account.positions:  # the legs and tickets of one instrument add up to its net
        held[position.instrument_id] += position.quantity
    for instrument_id in sorted({**book.positions, **held}):
        instrument = instruments.get(instrument_id)
        if instrument is not None and not instrument.is_derivative:
            continue  # coins and shares are balances; as positions they would be compared twice
        ours, theirs = book.positions.get(instrument_id, ZERO), held.get(instrument_id, ZERO)
        if ours != theirs:
            yield PositionMismatch(instrument_id, _symbol(instrument_id, instruments), ours, theirs)


def _balances(book: LedgerView, account: VenueAccount) -> Iterator[BalanceBreak]:
    held: defaultdict[Wallet, Decimal] = defaultdict(Decimal)
    for balance in account.balances:
        held[balance.pocket, balance.asset] += balance.total
    for wallet in sorted({**book.balances, **held}):
        ours, theirs = book.balances.get(wallet, ZERO), held.get(wallet, ZERO)
        if ours != theirs:
            yield BalanceBreak(*wallet, ours, theirs)


def _symbol(instrument_id: InstrumentId, instruments: Instruments) -> str:
    instrument = instruments.get(instrument_id)
    return f"instrument {instrument_id}" if instrument is None else instrument.symbol


def _text(value: Decimal | None) -> str:
    return "none" if value is None else decimal_text(value)
