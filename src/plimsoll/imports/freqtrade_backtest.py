"""The export of a freqtrade backtest (`backtest-result-….json`), as trades with their orders.

It names neither the exchange nor the trades: a trade is known by its pair, its way and the millisecond it was opened
at, and by how many such came before it. Its orders are all filled, and their funding is kept with the trade.

What must not enter: how a trade is counted, and our words for it.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from plimsoll.imports.database_cells import Cell
from plimsoll.imports.freqtrade_fields import Fields, currency_of, entry_side, symbol_of, whole_entry, whole_exit
from plimsoll.imports.freqtrade_trade import Filled, FreqtradeTrade, Mode
from plimsoll.imports.statement import Complaint, NotReadable
from plimsoll.model import money
from plimsoll.model.errors import Illegal

_ONE = Decimal(1)


def load_backtest(path: Path) -> tuple[tuple[FreqtradeTrade, ...], tuple[Complaint, ...], str]:
    """Read the trades of all strategies of a backtest, what cannot be read, and the hash of the bytes that said so.

    Raises: NotReadable
    """
    try:
        export = path.read_bytes()
    except OSError as error:
        raise NotReadable(f"{path.name} cannot be read: {error.strerror}") from error
    read: list[FreqtradeTrade] = []
    complaints: list[Complaint] = []
    before: Counter[str] = Counter()
    for row, (strategy, told) in enumerate(_told(path.name, export), start=1):
        try:
            read.append(_trade(row, strategy, told, before))
        except Illegal as error:
            complaints.append(
                Complaint(row, error.field, str(error.value), f"{error.remedy} (in trade {row} of the file)")
            )
    return tuple(read), tuple(complaints), hashlib.sha256(export).hexdigest()


def _told(name: str, export: bytes) -> Iterator[tuple[str, dict[str, Cell]]]:
    """Give every trade with its strategy, and with what the export says once for all of them."""
    try:
        for strategy, results in json.loads(export)["strategy"].items():
            for trade in results["trades"]:
                yield strategy, {"trading_mode": results.get("trading_mode"), **trade}
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError) as error:
        raise NotReadable(f"{name} is no export of a freqtrade backtest: it has no trades of strategies") from error


def _trade(row: int, strategy: str, told: dict[str, Cell], before: Counter[str]) -> FreqtradeTrade:
    fields = Fields("trades", told)
    mode = fields.mode()
    symbol = symbol_of(fields.text("pair"), futures=mode is Mode.FUTURES, settle="")
    is_open = fields.flag("is_open")
    return FreqtradeTrade(
        id=_name(strategy, fields, before),
        row=row,
        exchange="",
        symbol=symbol,
        currency=currency_of(symbol),
        mode=mode,
        is_open=is_open,
        is_short=fields.flag("is_short"),
        leverage=fields.number("leverage") or _ONE,
        amount=fields.number("amount") or money.ZERO,
        open_rate=fields.number("open_rate") or money.ZERO,
        opened_at=fields.moment_there("open_timestamp"),
        closed_at=None if is_open else fields.moment_there("close_timestamp"),
        fee_open=fields.rate("fee_open"),
        fee_close=fields.rate("fee_close"),
        fee_open_asset="",
        fee_close_asset="",
        interest_rate=money.ZERO,
        funding=fields.number("funding_fees") or money.ZERO,
        profit=None if is_open else fields.number("profit_abs"),
        strategy=strategy,
        enter_tag=fields.text("enter_tag", "buy_tag"),
        exit_reason=fields.exit_reason(),
        orders=tuple(_orders(row, fields, told)),
        raw=fields.raw("orders"),
    )


def _name(strategy: str, trade: Fields, before: Counter[str]) -> str:
    way = "short" if trade.flag("is_short") else "long"
    name = f"{strategy}:{trade.text('pair')}:{way}:{trade.text('open_timestamp')}"
    before[name] += 1
    return name if before[name] == 1 else f"{name}:{before[name]}"


def _orders(row: int, trade: Fields, told: dict[str, Cell]) -> Iterator[Filled]:
    orders = told.get("orders")
    if not isinstance(orders, list):  # exports of 2021 and before
        yield whole_entry(trade, row, trade.moment_there("open_timestamp"))
        if not trade.flag("is_open"):
            yield whole_exit(trade, row, trade.moment_there("close_timestamp"))
        return
    for number, order in enumerate(orders, start=1):
        if not isinstance(order, dict):
            raise trade.illegal("orders", "a list of orders belongs here")
        fields = Fields("orders", order)
        at = fields.moment("order_filled_timestamp")
        if at is not None:
            yield _order(row, number, trade, fields, at)


def _order(row: int, number: int, trade: Fields, fields: Fields, at: datetime) -> Filled:
    is_entry = fields.flag("ft_is_entry")
    return Filled(
        row=row,
        order_id=str(number),
        sequence=number,
        is_entry=is_entry,
        side=entry_side(trade) if is_entry else entry_side(trade).opposite,
        amount=fields.above_zero("amount"),
        price=fields.above_zero("safe_price"),
        at=at,
        tag=fields.text("ft_order_tag"),
        raw=fields.raw(),
    )
