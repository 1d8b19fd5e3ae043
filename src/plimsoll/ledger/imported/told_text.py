"""What was told, as text and back: the one text that equal things share, with nothing in it that is as everywhere.

Lines are no part of it: the same thing told on another line is the same thing. The venue always is: the import that
said it may be forgotten before its lines are, and what two venues tell is never one thing.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from plimsoll.ledger.log import json_text
from plimsoll.model.cash import SPOT, CashKind
from plimsoll.model.clock import parse_time, time_text
from plimsoll.model.errors import Illegal
from plimsoll.model.money import decimal_text
from plimsoll.model.order import Side
from plimsoll.model.told import Told

#: A told thing as JSON has it: what is missing is as everywhere.
Said = Mapping[str, Any]

_ONE = Decimal(1)
_TRADE = CashKind.TRADE.value
_NO_TEXT = "it holds characters that are no text; save the file as UTF-8"


def said_of(told: Told, venue: str) -> dict[str, Any]:
    """Say what was told, of a statement of this venue."""
    # Name by name: this runs for every line of a statement, and a loop over the names takes three times as long.
    said: dict[str, Any] = {"kind": told.kind.value, "at": time_text(told.at), "reference": told.reference}
    said["venue"] = told.venue or venue
    if told.symbol:
        said["symbol"] = told.symbol
    if told.side is not None:
        said["side"] = told.side.value
    if told.quantity:
        said["quantity"] = decimal_text(told.quantity)
    if told.price:
        said["price"] = decimal_text(told.price)
    if told.fee:
        said["fee"] = decimal_text(told.fee)
    if told.fee_asset:
        said["fee_asset"] = told.fee_asset
    if told.order_id:
        said["order_id"] = told.order_id
    if told.sequence:
        said["sequence"] = told.sequence
    if told.strategy:
        said["strategy"] = told.strategy
    if told.triggered_by != "import":
        said["triggered_by"] = told.triggered_by
    if told.leg:
        said["leg"] = told.leg
    if told.note:
        said["note"] = told.note
    if told.multiplier != _ONE:
        said["multiplier"] = decimal_text(told.multiplier)
    if told.inverse:
        said["inverse"] = True
    if told.realized is not None:
        said["realized"] = decimal_text(told.realized)
    if said["kind"] != _TRADE:
        _say_movement(said, told)
    return said


def _say_movement(said: dict[str, Any], told: Told) -> None:
    if told.asset:
        said["asset"] = told.asset
    if told.amount:
        said["amount"] = decimal_text(told.amount)
    if told.cost is not None:
        said["cost"] = decimal_text(told.cost)
    if told.per is not None:
        said["per"] = decimal_text(told.per)
    if told.pocket != SPOT:
        said["pocket"] = told.pocket


def text_of(said: Said) -> str:
    """Write it down.

    Raises: Illegal for text that no database takes
    """
    try:
        text = json_text(said)
    except TypeError as no_text:
        raise Illegal("line", str(said), _NO_TEXT) from no_text
    if "\\u0000" in text:
        check_text("".join(map(str, said.values())))
    return text


def check_text(text: str) -> None:
    """Refuse text that no database takes.

    Raises: Illegal
    """
    if "\0" in text:
        raise Illegal("line", text, "it holds a character of code 0; save the file as UTF-8")
    try:
        text.encode()
    except UnicodeEncodeError as no_text:
        raise Illegal("line", text, _NO_TEXT) from no_text


_NUMBERS = ("quantity", "price", "fee", "amount", "multiplier", "cost", "per", "realized")
_READ: dict[str, Callable[[Any], object]] = {
    "kind": CashKind,
    "at": parse_time,
    "side": Side,
    **dict.fromkeys(_NUMBERS, Decimal),
}


def told_from(said: Said, lines: tuple[int, ...]) -> Told:
    """Make what JSON says a told thing again.

    Raises: Illegal, KeyError, TypeError or ArithmeticError for what was never told
    """
    cells: dict[str, Any] = {name: _READ[name](cell) if name in _READ else cell for name, cell in said.items()}
    return Told(lines=lines, **cells)


def differences(one: Said, other: Said) -> tuple[str, ...]:
    """Name what two tellings of one thing say differently, as `price: 10 and 11`."""
    names = (name for name in sorted({*one, *other}) if one.get(name) != other.get(name))
    return tuple(f"{name}: {_shown(one.get(name))} and {_shown(other.get(name))}" for name in names)


def _shown(value: object) -> str:
    return "nothing" if value is None else str(value)
