"""What another program says its trades made, beside what our book makes of the same trades.

Rule 1. Their profit is shown as they stored it. Where it contradicts their own fills the trade is named, with both
        numbers and a reason; neither side is corrected.
Rule 2. Ours is the net of one position: realised − fees + funding + interest, as our book folds what came along. The
        leg of that position says whose it is.
Rule 3. Two numbers are the same when they differ by no more than the last place that the other side keeps.

What must not enter: how either number came about.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from plimsoll.model import money
from plimsoll.model.money import decimal_text
from plimsoll.model.position import Position

#: As the other program numbers or names its trades.
TheirId: TypeAlias = int | str

#: What an eighth place may be off: what others print and compare by.
_CLOSE = Decimal("0.00000001")
_HALF_OF_LAST_PLACE = Decimal("0.000000005")


@dataclass(frozen=True, slots=True)
class Theirs:
    """One trade of the other program, entry to exit, as it counts its trades."""

    id: TheirId
    #: Net, in the quote asset; None while the trade is open, and where nothing was stored.
    profit: Decimal | None
    is_open: bool
    #: The leg of the position that it became in our book.
    leg: str
    #: What a reader of both numbers should know, such as coins that were bought and never sold.
    note: str = ""
    #: How often they rounded to eight places on the way to their number: once with every part that was closed.
    roundings: int = 1

    @property
    def tolerance(self) -> Decimal:
        """Say by how much their own rounding may have moved their number."""
        return max(_CLOSE, _HALF_OF_LAST_PLACE * self.roundings)


@dataclass(frozen=True, slots=True)
class Profit:
    """One closed trade: what they say it made, None where they say nothing, and what our book says."""

    id: TheirId
    theirs: Decimal | None
    ours: Decimal

    def as_json(self) -> dict[str, object]:
        theirs = None if self.theirs is None else decimal_text(self.theirs)
        return {"id": self.id, "theirs": theirs, "ours": decimal_text(self.ours)}


@dataclass(frozen=True, slots=True)
class Flagged:
    """A closed trade whose stored profit contradicts its own fills."""

    profit: Profit
    why: str

    def as_json(self) -> dict[str, object]:
        return {**self.profit.as_json(), "why": self.why}


@dataclass(frozen=True, slots=True)
class Report:
    """Their profits and ours, trade by trade."""

    #: Fills that this import brought; 0 when all of them were here.
    trades_added: int
    profits: tuple[Profit, ...]
    flagged: tuple[Flagged, ...]
    #: Of the file that was read, before and after.
    source_sha256: str

    def as_json(self) -> dict[str, object]:
        return {
            "trades_added": self.trades_added,
            "profits": [profit.as_json() for profit in self.profits],
            "flagged": [flagged.as_json() for flagged in self.flagged],
            "source_sha256": self.source_sha256,
        }


def net_of(position: Position, asset: str) -> Decimal:
    """Sum what a position made, in one asset (rule 2)."""
    flows = (amount for _kind, paid_in, amount in position.flows if paid_in == asset)
    return sum(flows, position.realized_pnl - position.fee_in(asset))


def nets_by_leg(positions: Iterable[tuple[str, Position]]) -> dict[str, Decimal]:
    """Sum what our positions made, by their legs, each in what its symbol settles in or is priced in.

    Shapes: (symbol, position)
    """
    nets: defaultdict[str, Decimal] = defaultdict(lambda: money.ZERO)
    for symbol, position in positions:
        quote, _, settle = symbol.partition("/")[2].partition(":")
        nets[position.leg] += net_of(position, settle or quote)
    return dict(nets)


def compare(
    theirs: Iterable[Theirs], ours_by_leg: Mapping[str, Decimal], trades_added: int, source_sha256: str
) -> Report:
    """Lay their closed trades beside the nets of our positions.

    Shapes: `ours_by_leg` leg -> net in the quote asset; a leg without a position made nothing, since nothing was filled
    """
    profits: list[Profit] = []
    flagged: list[Flagged] = []
    for trade in theirs:
        if trade.is_open:
            continue
        profit = Profit(trade.id, trade.profit, ours_by_leg.get(trade.leg, money.ZERO))
        profits.append(profit)
        why = _contradiction(trade, profit)
        if why:
            flagged.append(Flagged(profit, why))
    return Report(trades_added, tuple(profits), tuple(flagged), source_sha256)


def _contradiction(trade: Theirs, profit: Profit) -> str:
    if profit.theirs is None:
        return ""
    apart = profit.theirs - profit.ours
    if abs(apart) <= trade.tolerance:
        return ""
    why = f"the stored profit is {decimal_text(abs(apart))} {'above' if apart > 0 else 'below'} what its own fills make"
    return f"{why}; {trade.note}" if trade.note else why
