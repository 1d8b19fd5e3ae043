"""Trades that a statement tells in several lines: what went, what came, and what it cost to change them.

The lines of one trade name it by one id, and stand anywhere in the file; so the lines are kept until its end. A line
that stands there twice is the same line. Where it is not one asset for one other, there is a complaint.

What must not enter: the words of one format.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from plimsoll.imports.cells import pair, price_of, priced_in
from plimsoll.imports.csv_file import Row
from plimsoll.model.errors import Illegal
from plimsoll.model.money import ZERO
from plimsoll.model.order import Side


@dataclass(frozen=True, slots=True)
class Exchanged:
    """One asset for another, as a fill says it."""

    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal


def exchanged(came: tuple[str, Decimal], went: tuple[str, Decimal], column: str, quote: str = "") -> Exchanged:
    """Say what an exchange was: of the two assets one is the price, `quote` where somebody knows it.

    Raises: Illegal, naming the column
    """
    (asset_in, amount_in), (asset_out, amount_out) = came, went
    if quote not in (asset_in, asset_out):
        quote = priced_in(asset_in, asset_out)
    if quote == asset_out:
        quantity, paid, base, side = amount_in, amount_out, asset_in, Side.BUY
    else:
        quantity, paid, base, side = amount_out, amount_in, asset_out, Side.SELL
    return Exchanged(pair(base, quote, column), side, quantity.copy_abs(), price_of(paid, quantity, column))


@dataclass(slots=True)
class Group:
    """The lines of one trade, each line once; where lines have no balance to tell twins apart, every line counts."""

    rows: list[Row] = field(default_factory=list)
    every_line: bool = False
    _raws: set[str] = field(default_factory=set)

    def add(self, row: Row) -> None:
        """Keep a line, unless it is there already."""
        if self.every_line or row.raw not in self._raws:
            self._raws.add(row.raw)
            self.rows.append(row)

    @property
    def lines(self) -> tuple[int, ...]:
        return tuple(row.line for row in self.rows)

    @property
    def raw(self) -> str:
        return "\n".join(row.raw for row in self.rows)


def both_ways(moved: Iterable[tuple[str, Decimal]], column: str) -> tuple[tuple[str, Decimal], tuple[str, Decimal]]:
    """Add up what moved by asset; give the one asset that came and the one that went.

    Raises: Illegal, where it is not one for one
    """
    sums: dict[str, Decimal] = {}
    for asset, amount in moved:
        sums[asset] = sums.get(asset, ZERO) + amount
    came = [(asset, amount) for asset, amount in sums.items() if amount > 0]
    went = [(asset, amount) for asset, amount in sums.items() if amount < 0]
    if len(came) != 1 or len(went) != 1:
        raise Illegal(column, _told(came, went), "a trade is one asset that came and one that went; is a line missing?")
    return came[0], went[0]


def _told(came: Sequence[tuple[str, Decimal]], went: Sequence[tuple[str, Decimal]]) -> str:
    return " ".join(f"{amount:+f} {asset}" for asset, amount in (*came, *went)) or "nothing"


def one_fee(fees: Iterable[tuple[str, Decimal]], column: str) -> tuple[Decimal, str]:
    """Add up fees, which are all in one asset; above zero is paid.

    Raises: Illegal
    """
    sums: dict[str, Decimal] = {}
    for asset, amount in fees:
        sums[asset] = sums.get(asset, ZERO) + amount
    paid = [(amount, asset) for asset, amount in sums.items() if amount]
    if len(paid) > 1:
        raise Illegal(column, _told([(asset, amount) for amount, asset in paid], ()), "a trade's fee is in one asset")
    return paid[0] if paid else (ZERO, "")
