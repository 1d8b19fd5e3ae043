"""A desk's books in memory or in a file, an account to book on, and the words to order, fill and pay in."""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import StaticPool

from plimsoll.ledger import accounts, cash, keys, orders, queries, verdicts
from plimsoll.ledger.book_trade import Booking, book_trades
from plimsoll.ledger.books import LedgerBooks
from plimsoll.ledger.database import create_from_template, template
from plimsoll.ledger.log import Note, tell, write_note
from plimsoll.ledger.schema import metadata
from plimsoll.model.account import Account, Mode, Portfolio, User
from plimsoll.model.cash import CashKind, CashLine
from plimsoll.model.errors import Refusal
from plimsoll.model.event import Event, EventKind
from plimsoll.model.ids import AccountId, BrokerTradeId, ClientOrderId, InstrumentId, IntentKey, PortfolioId, UserId
from plimsoll.model.instrument import AssetType, Instrument
from plimsoll.model.money import decimal_text
from plimsoll.model.order import Intent, Order, OrderEvent, OrderState, OrderTerms, OrderType, Side
from plimsoll.model.position import Position
from plimsoll.model.trade import TradeReport
from plimsoll.risk.gate.controls import CONTROLS
from plimsoll.risk.gate.verdict import Approved, Finding, Judged, Outcome, Refused
from plimsoll.store.connection import WriterConnection
from plimsoll.store.draft import Draft
from plimsoll.store.scribe import Scribe, Unit
from plimsoll.store.sqlite import SqliteWriter
from tests.builders.approved import approved

D = Decimal
NOON = datetime(2022, 1, 21, 12, tzinfo=UTC)
CHAIN_KEY = b"a key that the database does not hold"
USER = User(UserId(1), "u-1", "Ada", "trader", approved=True)
ACCOUNT = Account(AccountId(1), "a-1", UserId(1), "practice", "paper", Mode.PAPER, "USDT", "replay", "standard")
MAIN = Portfolio(PortfolioId(1), "p-1", AccountId(1), UserId(1), "main")


def _instrument(number: int, symbol: str, kind: AssetType, *, inverse: bool = False) -> Instrument:
    pair, _, settle = symbol.partition(":")
    base, quote = pair.split("/")
    tick, lot, settled = D("0.01"), D("0.001"), settle or quote
    return Instrument(InstrumentId(number), symbol, "paper", kind, base, quote, settled, tick, lot, inverse=inverse)


SPOT = _instrument(1, "BTC/USDT", AssetType.CRYPTO)
PERPETUAL = _instrument(2, "BTC/USDT:USDT", AssetType.PERPETUAL)
INVERSE = _instrument(3, "BTC/USD:BTC", AssetType.PERPETUAL, inverse=True)
INSTRUMENTS = (SPOT, PERPETUAL, INVERSE)


class Books:
    """The desk's books with their scribe, and the account of `ACCOUNT` opened in them."""

    def __init__(self, connection: WriterConnection, engine: Engine | None = None) -> None:
        self.connection = connection
        self.scribe = Scribe(connection, LedgerBooks(CHAIN_KEY))
        self._engine = engine

    @property
    def engine(self) -> Engine:
        assert self._engine is not None
        return self._engine

    def get(self, key: tuple[Any, ...]) -> Any:
        return self.scribe.hot.get(key)

    def together(self, *units: Unit) -> list[Any]:
        """Run units as one group; give each one's answer or exception."""
        answers: list[Any] = []
        for unit in units:
            self.scribe.submit(unit, lambda value, error: answers.append(value if error is None else error))
        for deliver in self.scribe.step(len(units)):
            deliver()
        return answers

    def write(self, unit: Unit) -> Any:
        """Run one unit alone; give its answer or raise its error."""
        (answer,) = self.together(unit)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def open(self, *instruments: Instrument) -> "Books":
        """Open the account, with its instruments."""
        self.write(opening(instruments or INSTRUMENTS))
        return self

    def book(self, *reports: TradeReport) -> list[Booking]:
        """Book reports in one unit."""
        done: list[Booking] = self.write(booking(*reports))
        return done

    def place(self, key: str, instrument: Instrument, side: Side, quantity: str | Decimal, **said: Any) -> Order:
        """Write an approved order as PENDING."""
        order: Order = self.write(placing(key, instrument, side, quantity, **said))
        return order

    def hear(self, order: Order, event: OrderEvent) -> Order:
        heard: Order = self.write(hearing(order.client_order_id, event))
        return heard

    def position(self, instrument: Instrument) -> Position | None:
        found: Position | None = self.get(keys.position(ACCOUNT.id, (MAIN.id, instrument.id, 0, "")))
        return found

    def balance(self, pocket: str, asset: str) -> Decimal:
        found: cash.Balance | None = self.get(keys.balance(ACCOUNT.id, MAIN.id, pocket, asset))
        return D(0) if found is None else found.amount

    def close(self) -> None:
        self.scribe.close()
        if self._engine is not None:
            self._engine.dispose()


def books_in_memory() -> Books:
    """Make empty books in memory; `engine` reads them through the same connection."""
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection.deserialize(template())
    writer = SqliteWriter(":memory:", metadata, queries.compiled(), connect=lambda _path: connection)
    return Books(writer, create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool))


def books_at(path: Path, connect: Callable[[str], sqlite3.Connection] | None = None) -> Books:
    """Open the books of a file, made first where there is none."""
    if not path.exists():
        create_from_template(path)
    return Books(SqliteWriter(path, metadata, queries.compiled(), connect))


def hot_of_database(connection: WriterConnection) -> dict[Any, Any]:
    """Read what memory must be."""
    return dict(LedgerBooks(CHAIN_KEY).load(connection))


#: In memory only, and not sums of what is stored: nothing to compare them with.
_NOWHERE_STORED = {"recent_order", "recent_slot", "pnl_day", "pnl_latest"}


def assert_hot_equals_database(books: Books) -> None:
    """Compare the whole memory with what a fresh start would read, sums over live orders included."""
    assert stored(books) == hot_of_database(books.connection)


def stored(books: Books) -> dict[Any, Any]:
    """Give the part of memory that a fresh start would read."""
    return {key: value for key, value in books.scribe.hot.snapshot().items() if key[0] not in _NOWHERE_STORED}


# Units ----------------------------------------------------------------------------------------------------------------


def opening(instruments: Iterable[Instrument]) -> Unit:
    def unit(draft: Draft) -> None:
        accounts.write_user(draft, USER)
        accounts.write_account(draft, ACCOUNT)
        accounts.write_portfolio(draft, MAIN)
        for instrument in instruments:
            accounts.write_instrument(draft, instrument, NOON)
        write_note(draft, Note(ACCOUNT.id, "user:1", "CREATE", "ACCOUNT", ACCOUNT.uid, NOON, {"name": ACCOUNT.name}))

    return unit


def booking(*reports: TradeReport) -> Unit:
    return lambda draft: book_trades(draft, reports, NOON, "venue:paper")


def paying(amount: str, reference: str, *, asset: str = "USDT", pocket: str = "spot") -> Unit:
    """Deposit an amount, once for each reference."""

    def unit(draft: Draft) -> bool:
        line = CashLine(ACCOUNT.id, MAIN.id, pocket, asset, CashKind.DEPOSIT, D(amount), reference, NOON)
        if not cash.post_once(draft, [line]):
            return False
        write_note(draft, Note(ACCOUNT.id, "user:1", "CREATE", "CASH", reference, NOON, {"amount": amount}))
        tell(draft, Event(EventKind.CASH_BOOKED, ACCOUNT.id, NOON, {"reference": reference}))
        return True

    return unit


def client_order_id(key: str) -> ClientOrderId:
    return approved(key, Side.BUY, "1", SPOT).client_order_id


def placing(key: str, instrument: Instrument, side: Side, quantity: str | Decimal, **said: Any) -> Unit:
    """Write an approval, its order as PENDING, one note, one event; as the desk does."""
    reserved = D(said.pop("reserved", "0"))
    said.setdefault("price", "100")
    given: Approved = approved(key, side, quantity, instrument, **said)

    def unit(draft: Draft) -> Order:
        intent = given.intent
        verdicts.write(draft, given, verdicts.body_hash(intent), "0" * 64, NOON)
        order = Order(
            id=draft.next_id("orders"),
            uid=f"o-{key}",
            client_order_id=given.client_order_id,
            intent=intent,
            terms=given.terms,
            state=OrderState.PENDING,
            placed_at=NOON,
            updated_at=NOON,
            reserved=reserved,
            reserved_asset=instrument.cash_asset,
            value=D("1000"),
            closes=given.closes,
            leg=given.leg,
        )
        orders.write_new(draft, order)
        note_order(draft, order, "CREATE")
        tell(draft, Event(EventKind.ORDER_WRITTEN, ACCOUNT.id, NOON, {"client_order_id": order.client_order_id}))
        return order

    return unit


def refusing(key: str) -> Unit:
    """Write a refusal with its breach."""
    given = approved(key, Side.BUY, "1", SPOT)
    finding = Finding(Outcome.REFUSE, Refusal("too_large", "the order is too large", "1", "0", "order less"))
    reason = Judged(CONTROLS[0], finding)
    refused = Refused(given.intent, given.client_order_id, "standard", 1, (reason,), (reason,))

    def unit(draft: Draft) -> None:
        said = verdicts.write(draft, refused, verdicts.body_hash(given.intent), "0" * 64, NOON)
        verdicts.write_breach(draft, ACCOUNT.id, "BLOCKED", given.intent.key, said.checks_json, "{}", NOON)
        write_note(draft, Note(ACCOUNT.id, "manual", "BREACH", "ORDER", refused.client_order_id, NOON, {"codes": "x"}))

    return unit


def hearing(name: ClientOrderId, event: OrderEvent) -> Unit:
    """Take over what a venue says of an order."""

    def unit(draft: Draft) -> Order:
        known = orders.find(draft, ACCOUNT.id, name)
        assert known is not None
        changed = known.after(event, NOON, reason=f"heard {event}")
        orders.write(draft, changed)
        note_order(draft, changed, "UPDATE")
        return changed

    return unit


def note_order(draft: Draft, order: Order, action: str) -> None:
    details = {"state": str(order.state), "filled": decimal_text(order.filled_quantity), "reason": order.reason}
    details |= {"terms": orders.terms_text(order)}
    if action == "CREATE":
        details |= {"fixed": orders.fixed_hash(order), "reserved": decimal_text(order.reserved)}
    write_note(draft, Note(ACCOUNT.id, order.intent.actor, action, "ORDER", order.client_order_id, NOON, details))


# Facts ----------------------------------------------------------------------------------------------------------------


def fill(
    instrument: Instrument,
    side: Side,
    quantity: str | Decimal,
    price: str | Decimal,
    number: int = 1,
    **said: Any,
) -> TradeReport:
    """Give the n-th fill of an instrument, a second after the one before; what is said replaces the plain parts."""
    plain: dict[str, Any] = {
        "fee": D(0),
        "fee_currency": instrument.cash_asset,
        "exec_time": NOON + timedelta(seconds=number),
        "sequence": number,
    }
    return TradeReport(
        account_id=ACCOUNT.id,
        instrument_id=instrument.id,
        broker_trade_id=said.pop("trade_id", BrokerTradeId(f"t{number}")),
        side=side,
        quantity=D(quantity),
        price=D(price),
        **{**plain, **said},
    )


def buy(
    instrument: Instrument, quantity: str | Decimal, price: str | Decimal, number: int = 1, **said: Any
) -> TradeReport:
    return fill(instrument, Side.BUY, quantity, price, number, **said)


def sell(
    instrument: Instrument, quantity: str | Decimal, price: str | Decimal, number: int = 1, **said: Any
) -> TradeReport:
    return fill(instrument, Side.SELL, quantity, price, number, **said)


def booked_in_groups(books: Books, groups: Sequence[Sequence[TradeReport]]) -> None:
    """Book each report in a unit of its own, the units of a group together."""
    for group in groups:
        for answer in books.together(*(booking(report) for report in group)):
            if isinstance(answer, BaseException):
                raise answer


def market_intent(key: str) -> Intent:
    """Give a wish that nobody judged yet."""
    terms = OrderTerms(SPOT.id, Side.BUY, OrderType.MARKET, quantity=D(1))
    return Intent(IntentKey(key), ACCOUNT.id, MAIN.id, USER.id, terms, "manual", NOON)
