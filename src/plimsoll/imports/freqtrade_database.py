"""freqtrade's database of any age, as trades with their settled orders.

Its tables grew for years; a program that was upgraded carries its old trades along, and one that was not still has the
old columns. What is missing is taken as freqtrade itself takes it when it upgrades.
Source: freqtrade `persistence/migrations.py`, commits 0181abc and c9ae5e1

Rule 1. A trade from before there were orders is an entry and an exit, as its own row has them.
Rule 2. A trade with orders is what its settled orders say, also where its row says something else.
Rule 3. Nothing is left out in silence: a row that cannot be read is a complaint, and so is a filled order of no trade.

What must not enter: how a trade is counted, and our words for it.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path

from plimsoll.imports.database_cells import columns_of
from plimsoll.imports.freqtrade_fields import Fields, currency_of, entry_side, symbol_of, whole_entry, whole_exit
from plimsoll.imports.freqtrade_trade import Filled, FreqtradeTrade, Mode
from plimsoll.imports.source_copy import copied_database, prints_of
from plimsoll.imports.statement import Complaint, NotReadable
from plimsoll.model import money
from plimsoll.model.errors import Illegal

_ONE = Decimal(1)
#: In every version that there ever was.
_NEEDED = ("id", "exchange", "pair", "is_open", "open_rate", "amount", "open_date")
#: What a table of orders is told by; a database from before there were any has none.
_OF_ORDERS = ("id", "ft_trade_id", "ft_order_side")
_NO_FREQTRADE = "is no database of freqtrade: give its tradesv3.sqlite, or the one that its db_url names"


def load_database(path: Path) -> tuple[tuple[FreqtradeTrade, ...], tuple[Complaint, ...], str]:
    """Read all trades as they are at this moment, what cannot be read, and the hash of the file that said so.

    Raises: NotReadable, NotADatabase, SourceChanged
    """
    prints = prints_of(path)
    with copied_database(path, prints) as copy:
        _check_columns(path, copy)
        orders: defaultdict[int, list[Fields]] = defaultdict(list)
        if columns_of(copy, "orders"):
            for order in copy.execute("SELECT * FROM orders ORDER BY id"):
                orders[order["ft_trade_id"]].append(_fields("orders", order))
        trades, complaints = _judged(copy.execute("SELECT * FROM trades ORDER BY id"), orders)
    return trades, complaints, prints[0] or ""


def _check_columns(path: Path, copy: sqlite3.Connection) -> None:
    columns = columns_of(copy, "trades")
    if not columns:
        names = copy.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        tables = ", ".join(row["name"] for row in names) or "none"
        raise NotReadable(f"{path.name} {_NO_FREQTRADE}. It has no table trades; its tables: {tables}")
    missing = [name for name in _NEEDED if name not in columns]
    if not columns.keys() & {"fee", "fee_open"}:
        missing.append("fee_open")
    if missing:
        raise NotReadable(f"{path.name} {_NO_FREQTRADE}. Its table trades has no column {', '.join(missing)}")
    orders = columns_of(copy, "orders")
    if orders and not orders.keys() >= set(_OF_ORDERS):
        raise NotReadable(f"{path.name} {_NO_FREQTRADE}. Its table orders has not all of {', '.join(_OF_ORDERS)}")


def _fields(table: str, row: sqlite3.Row) -> Fields:
    return Fields(table, dict(zip(row.keys(), tuple(row), strict=True)))


def _judged(
    rows: Iterable[sqlite3.Row], orders: dict[int, list[Fields]]
) -> tuple[tuple[FreqtradeTrade, ...], tuple[Complaint, ...]]:
    read: list[FreqtradeTrade] = []
    complaints: list[Complaint] = []
    for row in rows:
        try:
            read.append(_trade(_fields("trades", row), orders.pop(row["id"], [])))
        except Illegal as error:
            complaints.append(_complaint(row["id"], error))
    for number, strays in orders.items():
        try:
            lost = [order.illegal("ft_trade_id", "its trade is not there") for order in strays if _is_settled(order)]
        except Illegal as error:
            lost = [error]
        complaints += [_complaint(number, error) for error in lost]
    return tuple(read), tuple(complaints)


def _complaint(number: object, error: Illegal) -> Complaint:
    row = number if isinstance(number, int) else 0
    return Complaint(row, error.field, str(error.value), f"{error.remedy} (in freqtrade's trade {number})")


def _trade(trade: Fields, orders: Sequence[Fields]) -> FreqtradeTrade:
    mode, is_open = trade.mode(), trade.flag("is_open")
    symbol = symbol_of(trade.text("pair"), futures=mode is Mode.FUTURES, settle=trade.text("stake_currency"))
    return FreqtradeTrade(
        id=trade.row_number(),
        row=trade.row_number(),
        exchange=trade.text("exchange").lower(),
        symbol=symbol,
        currency=currency_of(symbol),
        mode=mode,
        is_open=is_open,
        is_short=trade.flag("is_short"),
        leverage=trade.number("leverage") or _ONE,
        amount=trade.number("amount") or money.ZERO,
        open_rate=trade.number("open_rate") or money.ZERO,
        opened_at=trade.moment_there("open_date"),
        closed_at=None if is_open else trade.moment_there("close_date"),
        fee_open=trade.rate("fee_open"),
        fee_close=trade.rate("fee_close"),
        fee_open_asset=trade.text("fee_open_currency"),
        fee_close_asset=trade.text("fee_close_currency"),
        interest_rate=trade.number("interest_rate") or money.ZERO,
        funding=trade.number("funding_fees") or money.ZERO,
        profit=None if is_open else _profit(trade),
        strategy=trade.text("strategy"),
        enter_tag=trade.text("enter_tag", "buy_tag"),
        exit_reason=trade.exit_reason(),
        orders=tuple(_orders(trade, orders)),
        raw=trade.raw(),
    )


def _profit(trade: Fields) -> Decimal | None:
    """Read the stored profit, or count it as freqtrade counts it into the column when it upgrades."""
    if trade.has("close_profit_abs"):
        return trade.number("close_profit_abs")
    amount, open_rate, close_rate = (trade.number(name) for name in ("amount", "open_rate", "close_rate"))
    if amount is None or open_rate is None or close_rate is None:
        return None
    paid = trade.number("open_trade_value")
    if paid is None:
        paid = money.settle_product(amount, open_rate, 1 + trade.rate("fee_open"))
    return money.settle_product(amount, close_rate, 1 - trade.rate("fee_close")) - paid


def _orders(trade: Fields, orders: Sequence[Fields]) -> Iterator[Filled]:
    """Give a trade's settled orders; what came before there were orders, as its row has it."""
    if not any(_is_entry(trade, order) for order in orders) and not _waits_for_entry(trade):
        yield whole_entry(trade, trade.row_number(), trade.moment_there("open_date"))
    for order in orders:
        if _is_settled(order):
            yield _order(trade, order)
    if not orders and not trade.flag("is_open"):
        yield whole_exit(trade, trade.row_number(), trade.moment_there("close_date"))


def _waits_for_entry(trade: Fields) -> bool:
    """Say whether a trade from before there were orders waits for its first: it names an order, and no exit."""
    waits = bool(trade.text("open_order_id")) and not trade.number("close_rate_requested", "close_rate")
    return trade.flag("is_open") and waits


def _is_settled(order: Fields) -> bool:
    return not order.flag("ft_is_open") and bool(order.number("filled"))


def _is_entry(trade: Fields, order: Fields) -> bool:
    side = order.text("ft_order_side").upper()
    if side not in ("BUY", "SELL", "STOPLOSS"):
        raise order.illegal("ft_order_side", "buy, sell or stoploss belongs here")
    return side == entry_side(trade)


def _order(trade: Fields, order: Fields) -> Filled:
    is_entry = _is_entry(trade, order)
    in_coins = order.number("ft_fee_base") or money.ZERO
    amount = order.above_zero("filled") - in_coins
    if amount <= 0:
        raise order.illegal("ft_fee_base", "less than what was filled belongs here")
    order_id = order.text("order_id")
    if not order_id:
        raise order.illegal("order_id", "the order's id belongs here")
    at = order.moment("order_filled_date", "order_date")
    return Filled(
        row=order.row_number(),
        order_id=order_id,
        sequence=order.row_number(),
        is_entry=is_entry,
        side=entry_side(trade) if is_entry else entry_side(trade).opposite,
        amount=amount,
        price=order.above_zero("average", "price", "stop_price", "ft_price"),
        at=at or trade.moment_there("open_date" if is_entry else "close_date"),
        raw=order.raw(),
        funding=order.number("funding_fee") or money.ZERO,
        fee_in_coins=in_coins,
        tag=order.text("ft_order_tag"),
    )
