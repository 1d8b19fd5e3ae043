"""An account whose book and venue agree, drawn at random, and the pieces that it is made of."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import strategies as st

from plimsoll.model.ids import (
    AccountId,
    BrokerOrderId,
    BrokerTradeId,
    ClientOrderId,
    InstrumentId,
    IntentKey,
    PortfolioId,
    UserId,
)
from plimsoll.model.instrument import AssetType, Instrument
from plimsoll.model.order import Intent, Order, OrderState, OrderTerms, OrderType, Side
from plimsoll.model.trade import TradeReport
from plimsoll.model.venue import VenueAccount, VenueBalance, VenueOrder, VenuePosition
from plimsoll.reconcile.compare import LedgerView, VenueView

D = Decimal
ACCOUNT, DESK = AccountId(1), "DESK"
NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
CURSOR, SWEPT_TO = 40, 25


def _instrument(number: int, symbol: str, kind: AssetType, *, inverse: bool = False) -> Instrument:
    pair, _, settle = symbol.partition(":")
    base, quote = pair.split("/")
    return Instrument(
        InstrumentId(number),
        symbol,
        "paper",
        kind,
        base,
        quote,
        settle or quote,
        D("0.01"),
        D("0.001"),
        inverse=inverse,
    )


SPOT = _instrument(1, "BTC/USDT", AssetType.CRYPTO)
PERPETUAL = _instrument(2, "BTC/USDT:USDT", AssetType.PERPETUAL)
INVERSE = _instrument(3, "BTC/USD:BTC", AssetType.PERPETUAL, inverse=True)
FUTURE = _instrument(4, "NQ/USD:USD", AssetType.FUTURE)
INSTRUMENTS = {instrument.id: instrument for instrument in (SPOT, PERPETUAL, INVERSE, FUTURE)}
#: No position of a drawn account is of this one.
UNHELD = FUTURE.id
#: Nor does it hold this.
UNHELD_WALLET = ("spot", "DOGE")


def client_id(number: int) -> ClientOrderId:
    return ClientOrderId(f"{DESK}{number:028d}")


def broker_id(number: int) -> BrokerOrderId:
    return BrokerOrderId(f"v{number:03d}")


def order(number: int, *, kind: OrderType = OrderType.LIMIT, filled: str = "0", instrument: Instrument = SPOT) -> Order:
    """Make the n-th order of the book: to buy 2, live at the venue."""
    terms = OrderTerms(
        instrument.id,
        Side.BUY,
        kind,
        quantity=D(2),
        price=D(100) if kind in (OrderType.LIMIT, OrderType.STOP_LIMIT) else None,
        stop_price=D(110) if kind in (OrderType.STOP, OrderType.STOP_LIMIT) else None,
    )
    return Order(
        id=number,
        uid=f"uid-{number}",
        client_order_id=client_id(number),
        intent=Intent(IntentKey(f"k{number}"), ACCOUNT, PortfolioId(1), UserId(1), terms, "manual", NOON),
        terms=terms,
        state=OrderState.PARTIALLY_FILLED if D(filled) else OrderState.NEW,
        placed_at=NOON,
        updated_at=NOON,
        filled_quantity=D(filled),
        broker_order_id=broker_id(number),
    )


def as_told(known: Order) -> VenueOrder:
    """Give an order of the book as the venue tells it."""
    terms = known.terms
    return VenueOrder(
        known.client_order_id,
        known.broker_order_id or BrokerOrderId(f"v-of-{known.client_order_id}"),
        terms.instrument_id,
        terms.side,
        terms.type,
        known.quantity,
        known.filled_quantity,
        known.state,
        NOON,
        price=terms.price,
        stop_price=terms.stop_price,
    )


def report(
    number: int, instrument: Instrument = SPOT, *, side: Side = Side.BUY, of: Order | None = None
) -> TradeReport:
    """Make the n-th fill: 0.5 @ 80, fee 0.25 BNB, and 3 paid by a derivative."""
    return TradeReport(
        ACCOUNT,
        instrument.id,
        BrokerTradeId(f"t{number}"),
        side,
        D("0.5"),
        D(80),
        D("0.25"),
        "BNB",
        NOON + timedelta(seconds=number),
        sequence=number,
        broker_order_id=None if of is None else of.broker_order_id,
        client_order_id=None if of is None else of.client_order_id,
        realized_cash=D(3) if instrument.is_derivative else None,
    )


def ledger(
    *orders: Order,
    positions: dict[InstrumentId, Decimal] | None = None,
    balances: dict[tuple[str, str], Decimal] | None = None,
) -> LedgerView:
    return LedgerView(ACCOUNT, DESK, orders, positions or {}, balances or {}, SWEPT_TO)


def venue_of(book: LedgerView) -> VenueView:
    """Tell the book as the venue would: the same facts in the venue's types, one position in two legs."""
    positions: list[VenuePosition] = []
    for instrument_id, quantity in book.positions.items():
        positions.append(VenuePosition(instrument_id, quantity + 1, D(100), leg="LONG"))
        positions.append(VenuePosition(instrument_id, D(-1), D(100), leg="SHORT"))
    return VenueView(
        account=VenueAccount(
            ACCOUNT,
            CURSOR,
            NOON,
            tuple(VenueBalance(*wallet, amount) for wallet, amount in book.balances.items()),
            tuple(positions),
        ),
        open_orders=tuple(as_told(known) for known in book.orders),
        trades_after_cursor=(),
        unbooked=frozenset(),
        trades_asked_after=SWEPT_TO,
        cursor_before=CURSOR,
        cursor_after=CURSOR,
    )


def with_orders(venue: VenueView, change: Callable[[VenueOrder], VenueOrder | None], number: int) -> VenueView:
    """Change or drop what the venue tells of the n-th order."""
    told = (change(seen) if seen.broker_order_id == broker_id(number) else seen for seen in venue.open_orders)
    return replace(venue, open_orders=tuple(seen for seen in told if seen is not None))


def with_order(venue: VenueView, *more: VenueOrder) -> VenueView:
    return replace(venue, open_orders=(*venue.open_orders, *more))


def with_balance(venue: VenueView, wallet: tuple[str, str], amount: Decimal) -> VenueView:
    """Move an amount at the venue."""
    moved = VenueBalance(*wallet, amount)
    return replace(venue, account=replace(venue.account, balances=(*venue.account.balances, moved)))


def with_position(venue: VenueView, instrument_id: InstrumentId, quantity: Decimal) -> VenueView:
    """Move a position at the venue."""
    moved = VenuePosition(instrument_id, quantity, D(100))
    return replace(venue, account=replace(venue.account, positions=(*venue.account.positions, moved)))


def with_trades(venue: VenueView, *told: TradeReport) -> VenueView:
    """Let the venue tell fills that the book does not have, without what follows from them."""
    return replace(
        venue,
        trades_after_cursor=(*venue.trades_after_cursor, *told),
        unbooked=venue.unbooked | {trade.key for trade in told},
    )


#: Up to 20 digits before the point and 18 behind it, as the book allows.
amounts = st.integers(-(10**38) + 1, 10**38 - 1).map(lambda units: D(units).scaleb(-18))
held_amounts = amounts.filter(bool)

KINDS = [OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT, OrderType.MARKET]


@st.composite
def books(draw: st.DrawFn) -> LedgerView:
    """Draw a book: 1 to 5 live orders (number 1 a half filled stop-limit), positions, balances, one debt."""
    first = order(1, kind=OrderType.STOP_LIMIT, filled="1", instrument=PERPETUAL)
    count = draw(st.integers(0, 4))
    more = [
        order(
            number,
            kind=draw(st.sampled_from(KINDS)),
            filled=draw(st.sampled_from(["0", "0.5", "1.999999999999999999"])),
            instrument=draw(st.sampled_from([SPOT, PERPETUAL, INVERSE])),
        )
        for number in range(2, count + 2)
    ]
    positions = {PERPETUAL.id: draw(held_amounts)}
    if draw(st.booleans()):
        positions[INVERSE.id] = draw(amounts)
    balances = {("spot", "USDT"): draw(held_amounts), ("loan", "USDT"): draw(amounts)}
    for wallet in draw(st.sets(st.sampled_from([("spot", "BTC"), ("futures", "USDT"), ("futures", "BTC")]))):
        balances[wallet] = draw(amounts)
    return ledger(first, *more, positions=positions, balances=balances)
