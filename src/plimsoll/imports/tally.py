"""What fills came to, counted a second time: from what a source told alone, and by arithmetic of its own.

A book that comes along is folded by our own positions. Whether nothing was lost on the way is seen by counting what was
told once more, in another manner: for each strategy and symbol the fills in the order of their time, average cost, in
one long running number instead of the settled steps of a position. The two must be the same to the eighth place.

What both were told wrongly both count alike. So two numbers come from the source itself, past everything that reads
it: how many rows were filled, and what it says that it realised, where it says so of every fill that closed anything.

Rule 1. Nothing of `model.position` is used here, or the comparison would prove nothing.
Rule 2. What differs is named with both numbers; nothing is corrected.
Rule 3. A source counts its profit before or after fees, and rounds as it writes: either will do, to its last place.
"""

import decimal
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple, TypeAlias

from plimsoll.model.cash import CashKind
from plimsoll.model.money import decimal_text
from plimsoll.model.order import Side
from plimsoll.model.told import Told

#: (strategy, symbol)
Whose: TypeAlias = tuple[str, str]

_CLOSE = Decimal("0.00000001")
_NOTHING = Decimal(0)
#: Long enough that its rounding is far behind the place that is compared.
_LONG = decimal.Context(prec=60, traps=[decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow])


#: A source writes profits to a cent at least, and is not held to more than the eighth place.
_COARSEST, _FINEST = 2, 8


@dataclass(frozen=True, slots=True)
class OwnProfit:
    """What a source says itself that it realised, and how far off its rounding may be."""

    amount: Decimal
    within: Decimal


@dataclass(frozen=True, slots=True)
class Standing:
    """How a strategy stands in one symbol."""

    trade_count: int
    #: Signed: what is still open.
    quantity: Decimal
    #: Gross, in what the symbol is paid in.
    realized: Decimal
    #: By asset; none that came to nothing.
    fees: Mapping[str, Decimal]
    #: None where the source says nothing of it, or not of everything.
    own: OwnProfit | None = None


@dataclass(frozen=True, slots=True)
class Unequal:
    """A number that is not the same before and after."""

    strategy: str
    symbol: str
    #: `trades`, `quantity`, `realised`, `realised as the source says`, or `fees in BTC`.
    what: str
    before: Decimal
    after: Decimal

    def __str__(self) -> str:
        whose = f"{self.strategy}, {self.symbol}" if self.strategy else self.symbol
        return f"{whose}: {self.what} {decimal_text(self.before)} before, {decimal_text(self.after)} after"


class _Fill(NamedTuple):
    """What is left of a fill until all are there: sorts by its place in time."""

    at: datetime
    sequence: int
    reference: str
    #: Signed.
    quantity: Decimal
    price: Decimal
    #: Of the coins themselves, paid.
    coins: Decimal
    #: What the source says that it realised.
    own: Decimal | None


@dataclass(slots=True)
class Tally:
    """Fills as they are told, in any order; what they came to is asked at the end."""

    _fills: dict[Whose, list[_Fill]] = field(default_factory=dict)
    _fees: dict[Whose, dict[str, Decimal]] = field(default_factory=dict)
    _references: set[tuple[str, str]] = field(default_factory=set)
    #: As the source counts them itself; empty where nobody asked it.
    _rows: dict[Whose, int] = field(default_factory=dict)

    def count(self, whose: Whose, rows: int) -> None:
        """Take in how many filled rows the source has of somebody; below zero, how many were left out."""
        self._rows[whose] = self._rows.get(whose, 0) + rows

    def add(self, told: Told, own: Decimal | None = None) -> None:
        """Take a fill in, with what the source says that it realised.

        What was taken in before, under the same reference, adds nothing.
        """
        if told.kind is not CashKind.TRADE or (told.symbol, told.reference) in self._references:
            return
        self._references.add((told.symbol, told.reference))
        whose = (told.strategy, told.symbol)
        moved = told.quantity if told.side is Side.BUY else -told.quantity
        coins = told.fee if told.fee_asset == told.symbol.partition("/")[0] else _NOTHING
        fill = _Fill(told.at, told.sequence, told.reference, moved, told.price, max(coins, _NOTHING), own)
        self._fills.setdefault(whose, []).append(fill)
        if told.fee:
            fees = self._fees.setdefault(whose, {})
            fees[told.fee_asset] = _LONG.add(fees.get(told.fee_asset, _NOTHING), told.fee)

    def standings(self) -> dict[Whose, Standing]:
        """Count what each strategy made of each symbol."""
        rows = self._rows or {whose: len(fills) for whose, fills in self._fills.items()}
        return {
            whose: self._standing(whose, sorted(self._fills.get(whose, ())), rows.get(whose, 0))
            for whose in {**self._fills, **rows}
        }

    def _standing(self, whose: Whose, fills: list[_Fill], rows: int) -> Standing:
        quantity, average, realized = _NOTHING, _NOTHING, _NOTHING
        closing: list[_Fill] = []
        with decimal.localcontext(_LONG):
            for fill in fills:
                closed = min(abs(quantity), abs(fill.quantity)) if quantity * fill.quantity < 0 else _NOTHING
                if closed:
                    closing.append(fill)
                gain = fill.price - average if quantity > 0 else average - fill.price
                realized += closed * gain
                opened = abs(fill.quantity) - closed
                quantity += fill.quantity
                if opened:
                    # Of what is held now, `opened` was bought (or sold short) at this price.
                    average += (fill.price - average) * opened / abs(quantity)
                # A fee in coins leaves the average as it is: their cost goes with them. A short has none to give.
                quantity -= min(fill.coins, max(quantity, _NOTHING))
        fees = {asset: amount for asset, amount in self._fees.get(whose, {}).items() if amount}
        return Standing(rows, quantity, realized, fees, _own_profit(fills, closing))


def _own_profit(fills: list[_Fill], closing: list[_Fill]) -> OwnProfit | None:
    """Add up what the source says; None where a fill that closed something says nothing, or all of them 0.

    A column that was made later is empty before; one that nobody fills is 0 throughout. Neither is a profit of 0.
    """
    said = [fill.own for fill in fills if fill.own is not None]
    if not any(said) or any(fill.own is None for fill in closing):
        return None
    places = max(-int(amount.as_tuple().exponent) for amount in said)
    place = Decimal(1).scaleb(-min(max(places, _COARSEST), _FINEST))
    with decimal.localcontext(_LONG):
        return OwnProfit(sum(said, _NOTHING), len(said) * place)


def unequal(before: Mapping[Whose, Standing], after: Mapping[Whose, Standing]) -> tuple[Unequal, ...]:
    """Name every number that differs by more than the eighth place, whichever side has it alone.

    Shapes: `after` from the book: positions of the imported account by the name of their strategy and their symbol
    """
    nothing = Standing(0, _NOTHING, _NOTHING, {})
    found: list[Unequal] = []
    for strategy, symbol in sorted({*before, *after}):
        here, there = before.get((strategy, symbol), nothing), after.get((strategy, symbol), nothing)
        numbers = [("trades", Decimal(here.trade_count), Decimal(there.trade_count))]
        numbers += [("quantity", here.quantity, there.quantity), ("realised", here.realized, there.realized)]
        numbers += [
            (f"fees in {asset}", here.fees.get(asset, _NOTHING), there.fees.get(asset, _NOTHING))
            for asset in sorted({*here.fees, *there.fees})
        ]
        found += [
            Unequal(strategy, symbol, what, one, other)
            for what, one, other in numbers
            if abs(_LONG.subtract(one, other)) > _CLOSE
        ]
        if here.own is not None and not _agrees(here.own, there, symbol.partition("/")[2]):
            found.append(Unequal(strategy, symbol, "realised as the source says", here.own.amount, there.realized))
    return tuple(found)


def _agrees(own: OwnProfit, book: Standing, quote: str) -> bool:
    gross = book.realized
    net = _LONG.subtract(gross, book.fees.get(quote, _NOTHING))
    return any(abs(_LONG.subtract(own.amount, counted)) <= own.within for counted in (gross, net))
