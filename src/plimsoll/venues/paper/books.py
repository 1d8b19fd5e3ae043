"""The paper venue's own books: schema, records, hot state. Nothing here is shared with the desk's database: a
file of its own, or on PostgreSQL a schema of its own.

Trades and movements are facts: added once, never changed. Orders, balances, positions and leverages are the current
state, replaced. What can be counted from those is not stored: an account's cursor and numbers are the highest that its
rows carry, so no row has to be rewritten only to count.

Hot state: accounts, balances, positions, leverages, locks, and the orders that wait. An order that ended leaves memory
with the commit that ended it and is found in the table.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import CheckConstraint, Column, MetaData, Table, insert, select

from plimsoll.model import money
from plimsoll.model.cash import FUTURES, SPOT
from plimsoll.model.clock import parse_time, time_text
from plimsoll.model.errors import CallHuman
from plimsoll.model.ids import AccountId, BrokerOrderId, BrokerTradeId, ClientOrderId, InstrumentId
from plimsoll.model.money import decimal_text
from plimsoll.model.order import OrderState, OrderTerms, OrderType, Side, TimeInForce
from plimsoll.model.trade import TradeReport
from plimsoll.store import making
from plimsoll.store.columns import Exact, Utc, Whole, Words
from plimsoll.store.connection import WriterConnection
from plimsoll.store.draft import Cell, Draft, Row
from plimsoll.store.hot import HotKey
from plimsoll.store.place import Place, writer
from plimsoll.store.scribe import HEADS, Heads, Scribe
from plimsoll.store.sqlite import Connect
from plimsoll.venues.paper.arithmetic import PaperPosition

if TYPE_CHECKING:
    from plimsoll.store.lease import Fence

SCHEMA_VERSION = 1
#: One wallet: what lies in either pocket pays for everything.
POCKETS = (SPOT, FUTURES)

metadata = MetaData()

meta = Table("meta", metadata, Column("key", Words, primary_key=True), Column("value", Words, nullable=False))
heads = Table(
    "heads",
    metadata,
    Column("id", Whole, primary_key=True),
    Column("group_number", Whole, nullable=False),
    Column("event_number", Whole, nullable=False),
)
accounts = Table(
    "accounts",
    metadata,
    Column("account_id", Whole, primary_key=True, autoincrement=False),
    Column("currency", Words, nullable=False),
    Column("opened_at", Utc, nullable=False),
)
#: Deposits (+) and withdrawals (−).
movements = Table(
    "movements",
    metadata,
    Column("account_id", Whole, primary_key=True, autoincrement=False),
    Column("reference", Words, primary_key=True),
    Column("pocket", Words, nullable=False),
    Column("asset", Words, nullable=False),
    Column("amount", Exact, nullable=False),
    Column("at", Utc, nullable=False),
    Column("cursor", Whole, nullable=False),
)
leverages = Table(
    "leverages",
    metadata,
    Column("account_id", Whole, primary_key=True, autoincrement=False),
    Column("instrument_id", Whole, primary_key=True, autoincrement=False),
    Column("leverage", Exact, nullable=False),
    Column("cursor", Whole, nullable=False),
)
orders = Table(
    "orders",
    metadata,
    Column("account_id", Whole, primary_key=True, autoincrement=False),
    Column("client_order_id", Words, primary_key=True),
    Column("number", Whole, nullable=False),
    Column("instrument_id", Whole, nullable=False),
    Column("side", Words, nullable=False),
    Column("type", Words, nullable=False),
    Column("quantity", Exact, nullable=False),
    Column("price", Exact),
    Column("stop_price", Exact),
    Column("time_in_force", Words, nullable=False),
    Column("reduce_only", Whole, nullable=False),
    Column("post_only", Whole, nullable=False),
    Column("arrived_at", Utc, nullable=False),
    Column("state", Words, nullable=False),
    Column("filled_quantity", Exact, nullable=False),
    Column("triggered", Whole, nullable=False),
    Column("locked", Exact, nullable=False),
    Column("locked_asset", Words, nullable=False),
    Column("updated_at", Utc, nullable=False),
    Column("reason", Words, nullable=False),
    Column("cursor", Whole, nullable=False),
)
trades = Table(
    "trades",
    metadata,
    Column("account_id", Whole, primary_key=True, autoincrement=False),
    Column("sequence", Whole, primary_key=True, autoincrement=False),
    Column("client_order_id", Words, nullable=False),
    Column("order_number", Whole, nullable=False),
    Column("instrument_id", Whole, nullable=False),
    Column("side", Words, nullable=False),
    Column("quantity", Exact, nullable=False),
    Column("price", Exact, nullable=False),
    Column("fee", Exact, nullable=False),
    Column("fee_currency", Words, nullable=False),
    Column("exec_time", Utc, nullable=False),
    Column("realized_cash", Exact),
    Column("cursor", Whole, nullable=False),
)
balances = Table(
    "balances",
    metadata,
    Column("account_id", Whole, primary_key=True, autoincrement=False),
    Column("pocket", Words, primary_key=True),
    Column("asset", Words, primary_key=True),
    Column("total", Exact, nullable=False),
)
positions = Table(
    "positions",
    metadata,
    Column("account_id", Whole, primary_key=True, autoincrement=False),
    Column("instrument_id", Whole, primary_key=True, autoincrement=False),
    Column("quantity", Exact, nullable=False),
    Column("cost", Exact, nullable=False),
    CheckConstraint("quantity <> '0' OR cost = '0'", name="flat_costs_nothing"),
)

_OPEN_STATES = (OrderState.NEW, OrderState.PARTIALLY_FILLED)
_ORDER_COLUMNS = ", ".join(column.name for column in orders.columns)
_TRADE_COLUMNS = ", ".join(column.name for column in trades.columns)

#: In words that both engines have; where something is given stands a ?.
_QUERIES: Mapping[str, str] = {
    "heads": "SELECT group_number, event_number FROM heads",
    "accounts": """
        SELECT account_id, currency,
            (SELECT max(cursor) FROM (
                SELECT 0 AS cursor
                UNION ALL SELECT max(cursor) FROM orders o WHERE o.account_id = a.account_id
                UNION ALL SELECT max(cursor) FROM trades t WHERE t.account_id = a.account_id
                UNION ALL SELECT max(cursor) FROM movements m WHERE m.account_id = a.account_id
                UNION ALL SELECT max(cursor) FROM leverages l WHERE l.account_id = a.account_id) highest),
            coalesce((SELECT max(number) FROM orders o WHERE o.account_id = a.account_id), 0),
            coalesce((SELECT max(sequence) FROM trades t WHERE t.account_id = a.account_id), 0)
        FROM accounts a ORDER BY account_id""",
    "balances": "SELECT account_id, pocket, asset, total FROM balances ORDER BY account_id, pocket, asset",
    "positions": """
        SELECT account_id, instrument_id, quantity, cost FROM positions
        WHERE quantity <> '0' ORDER BY account_id, instrument_id""",
    "leverages": "SELECT account_id, instrument_id, leverage FROM leverages ORDER BY account_id, instrument_id",
    "open_orders": f"""
        SELECT {_ORDER_COLUMNS} FROM orders
        WHERE state IN ('NEW', 'PARTIALLY_FILLED') ORDER BY account_id, number""",  # noqa: S608  our own column names
    "order": f"SELECT {_ORDER_COLUMNS} FROM orders WHERE account_id = ? AND client_order_id = ?",  # noqa: S608  likewise
    "trades_since": f"""
        SELECT {_TRADE_COLUMNS} FROM trades
        WHERE account_id = ? AND sequence > ? ORDER BY sequence LIMIT ?""",  # noqa: S608  likewise
    "movement": "SELECT pocket, asset, amount FROM movements WHERE account_id = ? AND reference = ?",
}


def queries(engine: Literal["sqlite", "postgresql"]) -> Mapping[str, str]:
    """Give the named questions as an engine wants them."""
    given = "?" if engine == "sqlite" else "%s"
    return {name: question.replace("?", given) for name, question in _QUERIES.items()}


@dataclass(frozen=True, slots=True)
class PaperAccount:
    """An account and how far it has come. `cursor` counts its changes; the numbers name its orders and trades."""

    account_id: AccountId
    currency: str
    cursor: int = 0
    orders: int = 0
    trades: int = 0


@dataclass(frozen=True, slots=True)
class PaperOrder:
    """An order as the exchange keeps it."""

    account_id: AccountId
    client_order_id: ClientOrderId
    #: Of the account, from 1; part of the venue's name for it.
    number: int
    terms: OrderTerms
    arrived_at: datetime
    state: OrderState
    updated_at: datetime
    #: The account's cursor when it last changed.
    cursor: int
    filled_quantity: Decimal = money.ZERO
    #: Its stop was reached.
    triggered: bool = False
    #: Held back for what is still to be filled, in `locked_asset`.
    locked: Decimal = money.ZERO
    locked_asset: str = ""
    reason: str = ""

    @property
    def quantity(self) -> Decimal:
        quantity = self.terms.quantity
        return money.ZERO if quantity is None else quantity

    @property
    def remaining(self) -> Decimal:
        return self.quantity - self.filled_quantity

    @property
    def is_open(self) -> bool:
        return self.state in _OPEN_STATES


def account_key(account_id: AccountId) -> HotKey:
    return ("account", account_id)


def balance_key(account_id: AccountId, pocket: str, asset: str) -> HotKey:
    return ("balance", account_id, pocket, asset)


def position_key(account_id: AccountId, instrument_id: InstrumentId) -> HotKey:
    return ("position", account_id, instrument_id)


def open_key(account_id: AccountId, client_order_id: ClientOrderId) -> HotKey:
    """Stand on the shelf of the account, which lists what waits."""
    return ("open", account_id, client_order_id)


def waiting_key(order: PaperOrder) -> HotKey:
    """Stand on the shelf of the instrument: a price looks at these orders and no others."""
    return ("waiting", order.terms.instrument_id, order.account_id, order.client_order_id)


class PaperBooks:
    """What the scribe must know of these books."""

    tables: Sequence[str] = ("accounts", "movements", "leverages", "orders", "trades", "balances", "positions")

    def load(self, connection: WriterConnection) -> Mapping[HotKey, Any]:
        """Read the whole hot state."""
        hot: dict[HotKey, Any] = {HEADS: Heads()}
        for group, event in connection.find("heads", ()):
            hot[HEADS] = Heads(_int(group), _int(event))
        hot.update(_load_all(connection))
        for row in connection.find("open_orders", ()):
            order = order_from(row)
            hot[open_key(order.account_id, order.client_order_id)] = order
            hot[waiting_key(order)] = order
            if order.locked:
                lock = ("lock", order.account_id, order.locked_asset)
                hot[lock] = hot.get(lock, money.ZERO) + order.locked
        return hot

    def seal(self, draft: Draft) -> None:
        """Leave the unit as it is: a venue numbers no events for others and signs no chain."""


def _load_all(connection: WriterConnection) -> Iterator[tuple[HotKey, Any]]:
    for account, currency, *counts in connection.find("accounts", ()):
        account_id = AccountId(_int(account))
        yield account_key(account_id), PaperAccount(account_id, _text(currency), *map(_int, counts))
    for account, pocket, asset, total in connection.find("balances", ()):
        yield balance_key(AccountId(_int(account)), _text(pocket), _text(asset)), Decimal(_text(total))
    for account, instrument, quantity, cost in connection.find("positions", ()):
        position = PaperPosition(
            AccountId(_int(account)), InstrumentId(_int(instrument)), Decimal(_text(quantity)), Decimal(_text(cost))
        )
        yield position_key(position.account_id, position.instrument_id), position
    for account, instrument, leverage in connection.find("leverages", ()):
        yield ("leverage", account, instrument), Decimal(_text(leverage))


def put_order(draft: Draft, order: PaperOrder) -> None:
    """Write an order as it stands now, and keep it in memory while it waits."""
    key, waiting = open_key(order.account_id, order.client_order_id), waiting_key(order)
    if order.is_open:
        draft.put(key, order)
        draft.put(waiting, order)
    else:
        draft.put_fleeting(key, order)
        draft.put(waiting, None)
    draft.replace("orders", (order.account_id, order.client_order_id), _order_row(order))


def known_order(draft: Draft, account_id: AccountId, client_order_id: ClientOrderId) -> PaperOrder | None:
    """Find an order, waiting or ended, by our name for it. Names are remembered for ever."""
    order: PaperOrder | None = draft.get(open_key(account_id, client_order_id))
    if order is None:
        for row in draft.find("order", account_id, client_order_id):
            return order_from(row)
    return order


def add_trade(draft: Draft, report: TradeReport, order: PaperOrder, cursor: int) -> None:
    """Write a fill. It is a fact: nothing ever changes it."""
    realized = report.realized_cash
    draft.add(
        "trades",
        (
            report.account_id,
            report.sequence,
            order.client_order_id,
            order.number,
            report.instrument_id,
            report.side.value,
            decimal_text(report.quantity),
            decimal_text(report.price),
            decimal_text(report.fee),
            report.fee_currency,
            time_text(report.exec_time),
            None if realized is None else decimal_text(realized),
            cursor,
        ),
    )


def add_to_balance(draft: Draft, account_id: AccountId, pocket: str, asset: str, amount: Decimal) -> None:
    """Move an amount into a balance, or out of it."""
    key = balance_key(account_id, pocket, asset)
    total: Decimal = (draft.get(key) or money.ZERO) + amount
    draft.put(key, total)
    draft.replace("balances", key, (account_id, pocket, asset, decimal_text(total)))


def put_position(draft: Draft, position: PaperPosition) -> None:
    """Write a position; a flat one leaves memory."""
    key = position_key(position.account_id, position.instrument_id)
    draft.put(key, position if position.quantity else None)
    draft.replace(
        "positions",
        key,
        (
            position.account_id,
            position.instrument_id,
            decimal_text(position.quantity),
            decimal_text(position.cost),
        ),
    )


def _order_row(order: PaperOrder) -> Row:
    terms = order.terms
    arrived = time_text(order.arrived_at)
    return (
        order.account_id,
        order.client_order_id,
        order.number,
        terms.instrument_id,
        terms.side.value,
        terms.type.value,
        decimal_text(order.quantity),
        None if terms.price is None else decimal_text(terms.price),
        None if terms.stop_price is None else decimal_text(terms.stop_price),
        terms.time_in_force.value,
        int(terms.reduce_only),
        int(terms.post_only),
        arrived,
        order.state.value,
        decimal_text(order.filled_quantity),
        int(order.triggered),
        decimal_text(order.locked),
        order.locked_asset,
        arrived if order.updated_at == order.arrived_at else time_text(order.updated_at),
        order.reason,
        order.cursor,
    )


def order_from(row: Row) -> PaperOrder:
    """Read an order back from its row."""
    value = dict(zip(orders.columns.keys(), row, strict=True))
    terms = OrderTerms(
        instrument_id=InstrumentId(_int(value["instrument_id"])),
        side=Side(_text(value["side"])),
        type=OrderType(_text(value["type"])),
        quantity=Decimal(_text(value["quantity"])),
        price=_decimal_or_none(value["price"]),
        stop_price=_decimal_or_none(value["stop_price"]),
        time_in_force=TimeInForce(_text(value["time_in_force"])),
        reduce_only=bool(value["reduce_only"]),
        post_only=bool(value["post_only"]),
    )
    return PaperOrder(
        account_id=AccountId(_int(value["account_id"])),
        client_order_id=ClientOrderId(_text(value["client_order_id"])),
        number=_int(value["number"]),
        terms=terms,
        arrived_at=parse_time(_text(value["arrived_at"])),
        state=OrderState(_text(value["state"])),
        updated_at=parse_time(_text(value["updated_at"])),
        cursor=_int(value["cursor"]),
        filled_quantity=Decimal(_text(value["filled_quantity"])),
        triggered=bool(value["triggered"]),
        locked=Decimal(_text(value["locked"])),
        locked_asset=_text(value["locked_asset"]),
        reason=_text(value["reason"]),
    )


def trade_from(row: Row) -> TradeReport:
    """Read a fill back from its row, equal to the report that was made when it happened."""
    value = dict(zip(trades.columns.keys(), row, strict=True))
    account_id, sequence = AccountId(_int(value["account_id"])), _int(value["sequence"])
    return TradeReport(
        account_id=account_id,
        instrument_id=InstrumentId(_int(value["instrument_id"])),
        broker_trade_id=trade_name(account_id, sequence),
        side=Side(_text(value["side"])),
        quantity=Decimal(_text(value["quantity"])),
        price=Decimal(_text(value["price"])),
        fee=Decimal(_text(value["fee"])),
        fee_currency=_text(value["fee_currency"]),
        exec_time=parse_time(_text(value["exec_time"])),
        sequence=sequence,
        broker_order_id=order_name(account_id, _int(value["order_number"])),
        client_order_id=ClientOrderId(_text(value["client_order_id"])),
        realized_cash=_decimal_or_none(value["realized_cash"]),
    )


def order_name(account_id: AccountId, number: int) -> BrokerOrderId:
    """Name an order as this venue does: from the books, so that a restart goes on where it was."""
    return BrokerOrderId(f"P-{account_id}-{number}")


def trade_name(account_id: AccountId, sequence: int) -> BrokerTradeId:
    """Name a fill as this venue does."""
    return BrokerTradeId(f"P-{account_id}-T{sequence}")


def _int(cell: Cell) -> int:
    if not isinstance(cell, int):
        raise CallHuman(f"the paper books hold {cell!r} where a whole number belongs: restore paper.db from a backup")
    return cell


def _text(cell: Cell) -> str:
    if not isinstance(cell, str):
        raise CallHuman(f"the paper books hold {cell!r} where text belongs: restore paper.db from a backup")
    return cell


def _decimal_or_none(cell: Cell) -> Decimal | None:
    return None if cell is None else Decimal(_text(cell))


def create_books(place: Place) -> None:
    """Make the schema where it is missing, whole or not at all.

    Raises: CallHuman when the books were written by a newer Plimsoll
    """
    with making.opening(place), making.changing(place) as connection:
        metadata.create_all(connection)
        found = connection.execute(select(meta.c.value).where(meta.c.key == "schema_version")).scalar()
        if found is None:
            connection.execute(insert(meta).values(key="schema_version", value=str(SCHEMA_VERSION)))
        elif int(found) > SCHEMA_VERSION:
            raise CallHuman(f"{place} has schema {found}, this Plimsoll knows {SCHEMA_VERSION}: run the newer Plimsoll")


def open_scribe(place: Place, connect: Connect | None = None, fence: "Fence | None" = None) -> Scribe:
    """Open the books with a writer of their own, making them if need be."""
    create_books(place)
    return Scribe(writer(place, metadata, queries(place.dialect), connect, fence), PaperBooks())
