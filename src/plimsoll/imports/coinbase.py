"""Coinbase: the account and the fills of Coinbase Pro (formerly GDAX), and the transactions of Coinbase itself.

    portfolio,type,time,amount,balance,amount/balance unit,transfer id,trade id,order id
    portfolio,trade id,product,side,created at,size,size unit,price,fee,total,price/fee/total unit
    Timestamp,Transaction Type,Asset,Quantity Transacted,Price Currency,Price at Transaction,Subtotal,Total (…),Fees …

The account tells a trade in three lines: what came, what went, and the fee, which is paid in what the trade is priced
in. The price is then one amount by the other, to 18 places.

What must not enter: Coinbase's interfaces for programs.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import partial

from plimsoll.imports import csv_file
from plimsoll.imports.cells import (
    Twins,
    asset,
    digits_or_zero,
    grouped_number,
    moment,
    pair,
    price_of,
    split_pair,
    turn_of,
)
from plimsoll.imports.csv_file import Format, Row, Shape, complaint, told_rows
from plimsoll.imports.groups import Group, both_ways, exchanged, one_fee
from plimsoll.imports.movements import movement
from plimsoll.imports.statement import Complaint, Options, ToldLine
from plimsoll.model.cash import CashKind
from plimsoll.model.errors import Illegal
from plimsoll.model.order import Side
from plimsoll.model.told import Told

_UNIT, _AMOUNT, _TRADE = "amount/balance unit", "amount", "trade id"
_OF_A_TRADE = ("match", "fee", "rebate")


def _tell_account(shape: Shape, options: Options) -> Iterator[ToldLine | Complaint]:
    groups: dict[str, Group] = {}
    for row in csv_file.rows(shape):
        if isinstance(row, Complaint):
            yield row
            continue
        try:
            kind = row.needed("type").lower()
            if kind in (*_OF_A_TRADE, "conversion"):
                # A trade's number counts within its product, and so does not name it alone.
                name = (
                    row.text(_TRADE) + "/" + row.text("order id") if kind != "conversion" else row.needed("transfer id")
                )
                groups.setdefault(name, Group()).add(row)
            else:
                yield ToldLine(_moved(row, kind, options), row.raw)
        except Illegal as problem:
            yield row.complain(problem)
    for group in groups.values():
        try:
            yield ToldLine(_trade(group), group.raw)
        except Illegal as problem:
            yield complaint(shape, group.rows[0].line, problem)


def _moved(row: Row, kind: str, options: Options) -> Told:
    kinds = {"deposit": CashKind.DEPOSIT, "withdrawal": CashKind.WITHDRAWAL}
    if kind not in kinds:
        raise Illegal("type", kind, f"nobody knows this; it is one of {', '.join((*kinds, *_OF_A_TRADE))}, conversion")
    at, moved = moment(row.needed("time", "timestamp"), "time"), asset(row.needed(_UNIT), _UNIT)
    return movement(
        options,
        kinds[kind],
        moved,
        row.number(_AMOUNT),
        lines=(row.line,),
        at=at,
        reference=row.needed("transfer id"),
    )


def _trade(group: Group) -> Told:
    moved = [(row, asset(row.needed(_UNIT), _UNIT), row.number(_AMOUNT)) for row in group.rows]
    fees = [
        (unit, amount.copy_negate()) for row, unit, amount in moved if row.text("type").lower() in ("fee", "rebate")
    ]
    came, went = both_ways(
        ((unit, amount) for row, unit, amount in moved if row.text("type").lower() in ("match", "conversion")), _AMOUNT
    )
    fee, paid_in = one_fee(fees, _AMOUNT)
    deal, first = exchanged(came, went, _AMOUNT, quote=paid_in), group.rows[0]
    trade_id = first.text(_TRADE)
    return Told(
        group.lines,
        CashKind.TRADE,
        max(moment(row.needed("time", "timestamp"), "time") for row in group.rows),
        trade_id or first.needed("transfer id"),
        deal.symbol,
        deal.side,
        deal.quantity,
        deal.price,
        fee,
        paid_in,
        first.text("order id"),
        sequence=digits_or_zero(trade_id),
    )


def _fill(row: Row) -> Iterable[Told]:
    base, quote = split_pair(row.needed("product"), "product")
    trade_id, fee = row.needed(_TRADE), row.number_or_zero("fee")
    yield Told(
        (row.line,),
        CashKind.TRADE,
        moment(row.needed("created at"), "created at"),
        trade_id,
        pair(base, quote, "product"),
        side_of(row.needed("side"), "side"),
        row.number("size"),
        row.number("price"),
        fee,
        quote if fee else "",
        sequence=digits_or_zero(trade_id),
    )


def side_of(text: str, column: str) -> Side:
    """Read which way a trade went.

    Raises: Illegal
    """
    side = {"BUY": Side.BUY, "SELL": Side.SELL}.get(text.upper())
    if side is None:
        raise Illegal(column, text, "write buy or sell")
    return side


# --- the transactions of Coinbase itself

_BUYS = ("buy", "advanced trade buy", "advance trade buy")
_SELLS = ("sell", "advanced trade sell", "advance trade sell")
_INCOME = ("rewards income", "staking income", "learning reward", "coinbase earn", "inflation reward", "interest")
_IN = ("receive", "deposit", "pro withdrawal", "exchange withdrawal")
_OUT = ("send", "withdrawal", "pro deposit", "exchange deposit")
_CURRENCY = ("price currency", "spot price currency")
_PRICE = ("price at transaction", "spot price at transaction")
_QUANTITY, _FEES, _KIND = "quantity transacted", "fees and/or spread", "transaction type"


def _money(text: str, column: str) -> Decimal:
    """Read an amount with or without the sign of its currency: `$1,234.50`, `-€3`."""
    return grouped_number(text.replace("$", "").replace("€", "").replace("£", ""), column)


def _transaction(row: Row, options: Options, twins: Twins) -> Iterable[Told]:
    kind, at = row.needed(_KIND), moment(row.needed("timestamp"), "timestamp")
    what, quantity = asset(row.needed("asset"), "asset"), row.number(_QUANTITY, read=grouped_number)
    reference = row.text("id") or twins.reference(*(cell.strip() for cell in row.cells))
    word = kind.lower()
    if word in _BUYS or word in _SELLS:
        yield _bought(row, word in _BUYS, what, quantity, reference)
        return
    if word in _INCOME:
        yield movement(
            options, CashKind.INTEREST, what, quantity, lines=(row.line,), at=at, reference=reference, note=kind
        )
    elif word in _IN or word in _OUT:
        way = quantity.copy_abs() if word in _IN else quantity.copy_abs().copy_negate()
        yield movement(options, CashKind.DEPOSIT, what, way, lines=(row.line,), at=at, reference=reference, note=kind)
    else:
        known = ", ".join((*_BUYS[:1], *_SELLS[:1], *_IN[:2], *_OUT[:2], *_INCOME))
        raise Illegal(_KIND, kind, f"nobody knows this; it is one of {known}; write it by hand in the plain form")


def _bought(row: Row, is_buy: bool, what: str, quantity: Decimal, reference: str) -> Told:
    currency, side = asset(row.needed(*_CURRENCY), _CURRENCY[0]), Side.BUY if is_buy else Side.SELL
    # What was paid is exact; the price beside it is rounded to two places.
    subtotal = row.number_or_none("subtotal", read=_money)
    fee = row.number_or_zero(_FEES, read=_money).copy_abs()
    price = price_of(subtotal, quantity, _QUANTITY) if subtotal else row.number(*_PRICE, read=_money)
    return Told(
        (row.line,),
        CashKind.TRADE,
        moment(row.needed("timestamp"), "timestamp"),
        reference,
        pair(what, currency, "asset"),
        side,
        quantity.copy_abs(),
        price,
        fee,
        currency if fee else "",
        # Its ids say nothing about order, where it has any.
        sequence=turn_of(side),
    )


def _tell_fills(shape: Shape, _options: Options) -> Iterator[ToldLine | Complaint]:
    return told_rows(shape, _fill)


def _tell_transactions(shape: Shape, options: Options) -> Iterator[ToldLine | Complaint]:
    return told_rows(shape, partial(_transaction, options=options, twins=Twins()))


COINBASE_PRO = Format(
    "coinbase-pro",
    "coinbase",
    ("type", "time|timestamp", _AMOUNT, _UNIT, "transfer id", _TRADE, "order id"),
    _tell_account,
)
COINBASE_PRO_FILLS = Format(
    "coinbase-pro-fills",
    "coinbase",
    (_TRADE, "product", "side", "created at", "size", "price", "fee"),
    _tell_fills,
)
COINBASE = Format(
    "coinbase",
    "coinbase",
    ("timestamp", _KIND, "asset", _QUANTITY, "|".join(_CURRENCY), "|".join(_PRICE), "subtotal", _FEES),
    _tell_transactions,
    takes=("id",),
)
