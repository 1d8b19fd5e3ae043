"""The exchange's words in ours. Pure.

Rule 1. A number is text and becomes a Decimal; a float, an exponent or a missing field makes the whole answer
        unreadable. Nothing is filled in: what is half read would be believed whole.
Rule 2. A word that is not in a table here is not understood, and what it stands in is not either. That holds for an
        instrument that nobody told us of.
Rule 3. An identity is the venue's own: a trade's id within its symbol, a fact's number within its account. None is made
        up here.

What must not enter: what an unreadable answer means. Of an order it is an unknown outcome, of a question a question to
be asked again, of a stream a gap.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from plimsoll.model.cash import CashKind
from plimsoll.model.clock import EPOCH
from plimsoll.model.errors import Illegal
from plimsoll.model.ids import AccountId, BrokerOrderId, BrokerTradeId, ClientOrderId, InstrumentId
from plimsoll.model.money import parse_decimal
from plimsoll.model.order import OrderState, OrderType, Side
from plimsoll.model.trade import MadeBy, TradeEffect, TradeReport
from plimsoll.model.venue import Movement, VenueAccount, VenueBalance, VenueOrder, VenuePosition

Row = Mapping[str, object]
W = TypeVar("W", bound=StrEnum)

_MICROSECOND = timedelta(microseconds=1)
#: 9999-12-31: later than this is no time but a number in another unit.
_LAST_MICROSECOND = 253_402_300_799_999_999

_STATES = {
    "NEW": OrderState.NEW,
    "PARTIALLY_FILLED": OrderState.PARTIALLY_FILLED,
    "FILLED": OrderState.FILLED,
    "CANCELED": OrderState.CANCELED,
    "REJECTED": OrderState.REJECTED,
    "EXPIRED": OrderState.EXPIRED,
}
_MOVEMENTS = {
    "DEPOSIT": CashKind.DEPOSIT,
    "WITHDRAWAL": CashKind.WITHDRAWAL,
    "FUNDING": CashKind.FUNDING,
    "INTEREST": CashKind.INTEREST,
    "LIQUIDATION": CashKind.LIQUIDATION,
    "ADL": CashKind.ADL,
    "SETTLEMENT": CashKind.SETTLEMENT,
}


class Unreadable(Exception):
    """An answer that is not understood; says what of it."""


@dataclass(frozen=True, slots=True)
class Names:
    """Whose answers these are, and which instruments may be in them."""

    account_id: AccountId
    ids: Mapping[str, InstrumentId]


# --- whole answers


def read_json(body: bytes) -> object:
    """Read an answer; numbers with a point become text, never floats.

    Raises: Unreadable
    """
    try:
        return json.loads(body, parse_float=str)
    except ValueError as problem:  # UnicodeDecodeError and JSONDecodeError are both one
        raise Unreadable(f"no JSON: {body[:40]!r}") from problem


def read_row(told: object) -> Row:
    """Read an object with names.

    Raises: Unreadable
    """
    if not isinstance(told, dict):
        raise Unreadable(f"{str(told)[:40]!r} has no fields")
    return told


def rows_of(told: Row, name: str = "rows") -> list[Row]:
    """Read a list of objects out of an answer.

    Raises: Unreadable
    """
    rows = told.get(name)
    if not isinstance(rows, list):
        raise Unreadable(f"no list of {name}")
    return [read_row(row) for row in rows]


# --- orders


def order_of(row: Row, names: Names) -> VenueOrder:
    """Read an order as it stands.

    Raises: Unreadable
    """
    client_order_id = _optional(row, "clientOrderId")
    return VenueOrder(
        client_order_id=None if client_order_id is None else ClientOrderId(client_order_id),
        broker_order_id=BrokerOrderId(text(row, "orderId")),
        instrument_id=_instrument(row, names),
        side=_word(row, "side", Side),
        type=_word(row, "type", OrderType),
        quantity=number(row, "quantity"),
        filled_quantity=number(row, "filled"),
        state=_of_table(row, "status", _STATES),
        updated_at=moment(row, "updatedUs"),
        price=_number_or_none(row, "price"),
        stop_price=_number_or_none(row, "stopPrice"),
        reduce_only=_flag(row, "reduceOnly"),
        reason=_optional(row, "reason") or "",
        leg=_optional(row, "positionSide") or "",
    )


def orders_of(told: Row, names: Names) -> tuple[VenueOrder, ...]:
    """Read a list of orders.

    Raises: Unreadable
    """
    return tuple(order_of(row, names) for row in rows_of(told))


def fills_of(row: Row, names: Names) -> tuple[TradeReport, ...]:
    """Read the fills that came with the answer to an order; none where the venue answers without them.

    Raises: Unreadable
    """
    if row.get("fills") is None:
        return ()
    return tuple(trade_of(fill, names) for fill in rows_of(row, "fills"))


# --- facts


def trade_of(row: Row, names: Names) -> TradeReport:
    """Read a fill, a correction of one, or the news that there was none.

    Raises: Unreadable
    """
    bust = row.get("bust")
    client_order_id = _optional(row, "clientOrderId")
    made_by, leg = _optional(row, "madeBy"), _optional(row, "leg")
    realized = row.get("realized")
    if bust is None:
        trade_id, revision = text(row, "tradeId"), whole(row, "revision")
        effect = None if row.get("effect") is None else _word(row, "effect", TradeEffect)
    else:
        # A message of its own names the fill that it takes back, repeats it, and has no revision: there is but one.
        trade_id, revision, effect = text(row, "bust"), 1, TradeEffect.BUST
    try:
        return TradeReport(
            account_id=names.account_id,
            instrument_id=_instrument(row, names),
            broker_trade_id=BrokerTradeId(trade_id),
            side=_word(row, "side", Side),
            quantity=number(row, "quantity"),
            price=number(row, "price"),
            fee=number(row, "fee"),
            fee_currency=text(row, "feeAsset"),
            exec_time=moment(row, "timeUs"),
            sequence=whole(row, "seq"),
            revision=revision,
            broker_order_id=BrokerOrderId(text(row, "orderId")),
            client_order_id=None if client_order_id is None else ClientOrderId(client_order_id),
            realized_cash=None if realized is None else number(row, "realized"),
            effect=effect,
            leg=leg or "",
            made_by=None if made_by is None else _word(row, "madeBy", MadeBy),
        )
    except Illegal as impossible:
        raise Unreadable(str(impossible)) from impossible


def movement_of(row: Row, names: Names) -> Movement:
    """Read what moved without a trade.

    Raises: Unreadable
    """
    return Movement(
        account_id=names.account_id,
        reference=text(row, "id"),
        kind=_of_table(row, "type", _MOVEMENTS),
        asset=text(row, "asset"),
        amount=number(row, "amount"),
        at=moment(row, "timeUs"),
        pocket=text(row, "pocket"),
        instrument_id=None if row.get("symbol") is None else _instrument(row, names),
        leg=_optional(row, "leg") or "",
    )


def account_of(row: Row, names: Names) -> VenueAccount:
    """Read balances, positions and equity of one moment; what is nothing is left out.

    Raises: Unreadable
    """
    balances = [
        VenueBalance(text(one, "pocket"), text(one, "asset"), number(one, "total")) for one in rows_of(row, "balances")
    ]
    positions = [
        VenuePosition(
            _instrument(one, names), number(one, "quantity"), number(one, "entryPrice"), _optional(one, "side") or ""
        )
        for one in rows_of(row, "positions")
    ]
    return VenueAccount(
        account_id=names.account_id,
        cursor=whole(row, "updateId"),
        at=server_time(row),
        balances=tuple(balance for balance in balances if balance.total),
        positions=tuple(position for position in positions if position.quantity),
        equity=_number_or_none(row, "equity"),
    )


# --- fields


def text(row: Row, name: str) -> str:
    """Read a word that must be there.

    Raises: Unreadable
    """
    value = row.get(name)
    if not isinstance(value, str) or not value:
        raise Unreadable(f"{name} is {value!r} and not a word")
    return value


def whole(row: Row, name: str) -> int:
    """Read a whole number that is not negative.

    Raises: Unreadable
    """
    value = row.get(name)
    # `True` is an int to Python and no number to anybody else.
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _LAST_MICROSECOND:
        raise Unreadable(f"{name} is {value!r} and not a whole number")
    return value


def number(row: Row, name: str) -> Decimal:
    """Read a decimal number.

    Raises: Unreadable
    """
    try:
        return parse_decimal(row.get(name), name)
    except Illegal as no_number:
        raise Unreadable(str(no_number)) from no_number


def moment(row: Row, name: str) -> datetime:
    """Read a time in microseconds since 1970.

    Raises: Unreadable
    """
    return EPOCH + whole(row, name) * _MICROSECOND


def server_time(row: Row) -> datetime:
    """Read when the venue answered, which it tells in milliseconds.

    Raises: Unreadable
    """
    milliseconds = whole(row, "time")
    if milliseconds > _LAST_MICROSECOND // 1_000:
        raise Unreadable(f"time is {milliseconds} and not in milliseconds")
    return EPOCH + milliseconds * 1_000 * _MICROSECOND


def _number_or_none(row: Row, name: str) -> Decimal | None:
    return None if row.get(name) is None else number(row, name)


def _optional(row: Row, name: str) -> str | None:
    value = row.get(name)
    if value is None or value == "":
        return None
    return text(row, name)


def _flag(row: Row, name: str) -> bool:
    value = row.get(name)
    if not isinstance(value, bool):
        raise Unreadable(f"{name} is {value!r} and neither true nor false")
    return value


def _word(row: Row, name: str, kind: type[W]) -> W:
    try:
        return kind(text(row, name))
    except ValueError as unknown:
        raise Unreadable(f"{name} {row.get(name)!r} is not known") from unknown


def _of_table(row: Row, name: str, table: Mapping[str, W]) -> W:
    found = table.get(text(row, name))
    if found is None:
        raise Unreadable(f"{name} {row.get(name)!r} is not known")
    return found


def _instrument(row: Row, names: Names) -> InstrumentId:
    symbol = text(row, "symbol")
    found = names.ids.get(symbol)
    if found is None:
        raise Unreadable(f"{symbol} is no instrument that this account trades")
    return found
