"""Lots: which of the coins that were bought a sale sold, by the method that a report asks for.

The live position is average cost and always will be; lots are a report over the same facts. A purchase (or a short
sale) opens a lot, what goes the other way closes lots, and each closing is told in *pieces*: so much of that lot, for
that share of what it brought.

Rule 1. Exact: what the pieces of a lot had cost adds up to what the lot had cost, what the pieces of a sale brought to
        what the sale brought. Shares are rounded to the 18th place, and the last piece has what is left.
Rule 2. Cash is signed and gross here, as in `model.position`; fees stand beside it. Only `figures` says what is
        proceeds, what is cost and where the fees belong, so a pool reckons the same way for every taste.
Rule 3. What nobody knows is None. A piece whose cost is unknown has no gain, neither a large one nor none at all.
Rule 4. When everything is sold, every method comes to the same total (FAILURES C11): the methods say *when*.

What must not enter: a year, a currency conversion, and whose the lots are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple, Protocol, TypeAlias

from plimsoll.model import money
from plimsoll.model.entry import Entry


class LotMethod(StrEnum):
    """Which lot goes first."""

    #: The oldest.
    FIFO = "fifo"
    #: The newest.
    LIFO = "lifo"
    #: The one with the highest price per unit, and of equals the oldest; lots of unknown cost go last.
    HIFO = "hifo"
    #: The one with the lowest price per unit, and of equals the oldest; lots of unknown cost go last.
    LOFO = "lofo"
    #: None: all are one, as in the live position.
    AVERAGE = "average"
    #: The ones that somebody named; what nobody named goes by FIFO.
    SPECIFIC = "specific"


class FeeRule(StrEnum):
    """Where fees in the cash asset, and coins paid as a fee, belong."""

    #: A fee of what opens is cost, a fee of what closes lowers what it brought.
    IN_COST = "in-cost"
    #: They are listed apart, and the gain is gross.
    APART = "apart"


class PieceKind(StrEnum):
    """What a piece tells of."""

    #: Part of a lot, and what was done with it.
    CLOSED = "CLOSED"
    #: Coins that were paid as a fee: they brought nothing.
    FEE = "FEE"
    #: A cost that was settled before a late fill changed it, or that a reverse split left without a piece.
    SETTLED = "SETTLED"


class Piece(NamedTuple):
    """One part of one lot, and what became of it."""

    kind: PieceKind
    #: When and by which trade or deposit the lot was opened; None and empty where all lots are one.
    opened_at: datetime | None
    opened_by: str
    closed_at: datetime
    closed_by: str
    #: Above zero; 0 where a cost alone was settled.
    quantity: Decimal
    #: Sold first and bought back later.
    is_short: bool
    #: Signed and gross: what opening and closing it moved; None where nobody knows.
    opening: Decimal | None
    closing: Decimal | None
    #: Paid is positive.
    opening_fee: Decimal
    closing_fee: Decimal


class Figures(NamedTuple):
    """What a piece comes to, in the instrument's cash asset; None is unknown."""

    proceeds: Decimal | None
    cost: Decimal | None
    #: Those that are in the two above, or those that are beside them.
    fees: Decimal
    gain: Decimal | None


def figures(piece: Piece, rule: FeeRule, *, inverse: bool) -> Figures:
    """Say what a piece brought, what it had cost, and what remains.

    Units: proceeds and cost positive; gain = proceeds − cost, net of fees by IN_COST and gross by APART
    Source: an inverse contract pays in its base: a long one is paid for when it closes (see `signed_notional`)
    """
    opening, closing = piece.opening, piece.closing
    fees = piece.opening_fee + piece.closing_fee
    if rule is FeeRule.IN_COST:
        opening = None if opening is None else opening - piece.opening_fee
        closing = None if closing is None else closing - piece.closing_fee
    brought, paid = (opening, closing) if piece.is_short != inverse else (closing, opening)
    cost = None if paid is None else -paid
    gain = None if brought is None or cost is None else brought - cost
    return Figures(brought, cost, fees, gain)


@dataclass(slots=True)
class Lot:
    """What is left of something that was bought, or sold short."""

    at: datetime
    #: The trade's id, or the deposit's reference.
    reference: str
    #: Above zero while anything is left.
    quantity: Decimal
    #: Signed and gross: what opening it moved; None where nobody knows.
    cash: Decimal | None
    fee: Decimal = money.ZERO

    def part(self, coins: Decimal) -> "Lot":
        """Take some of it out, with their share of cash and fee; the last ones take what is left of both."""
        cash = None if self.cash is None else money.settle_share(self.cash, coins, self.quantity)
        fee = money.settle_share(self.fee, coins, self.quantity) if self.fee else self.fee
        taken = Lot(self.at, self.reference, coins, cash, fee)
        self.quantity -= coins
        self.fee -= fee
        if cash is not None and self.cash is not None:
            self.cash -= cash
        return taken

    def piece(
        self,
        kind: PieceKind,
        at: datetime,
        by: str,
        *,
        is_short: bool,
        closing: Decimal | None = money.ZERO,
        fee: Decimal = money.ZERO,
    ) -> Piece:
        """Tell of it as closed."""
        return Piece(kind, self.at, self.reference, at, by, self.quantity, is_short, self.cash, closing, self.fee, fee)


class Fill(NamedTuple):
    """A trade as a pool sees it."""

    at: datetime
    reference: str
    #: Signed: bought is positive.
    moved: Decimal
    #: The signed notional, a sale's positive; an inverse contract's mirrored.
    cash: Decimal
    #: In the cash asset.
    fee: Decimal
    #: In the base coin, on spot; 0 or more.
    coins: Decimal


class Held(NamedTuple):
    """What is open in a pool, gross of nothing: with its fees where they are cost."""

    #: Signed.
    quantity: Decimal
    #: Of it, what came in at a cost that nobody knows.
    unknown: Decimal
    #: Signed cash that opening the rest moved.
    cash: Decimal
    fees: Decimal
    #: How many lots; 1 where all are one.
    lots: int


class Choice(NamedTuple):
    """So many coins of what one trade bought, named as what another one sold."""

    disposal: str
    acquisition: str
    quantity: Decimal


#: What somebody named, by the disposal; a pool takes out what it has used.
Chosen: TypeAlias = dict[str, list[Choice]]


class Pool(Protocol):
    """The lots among which a sale finds its own: of one instrument, in one place."""

    def trade(self, fill: Fill) -> list[Piece]:
        """Open or close lots by a trade; one that crosses zero does both."""

    def enter(self, entry: Entry, carried: Sequence[Lot]) -> list[Piece]:
        """Take coins in at what they had cost, or with the lots that they were elsewhere."""

    def leave(self, entry: Entry) -> tuple[list[Lot], list[Piece]]:
        """Let coins go, as the lots that they are."""

    def pay(self, entry: Entry) -> list[Piece]:
        """Pay a fee that came late in coins."""

    def split(self, entry: Entry) -> list[Piece]:
        """Make some pieces into others; what they had cost stays."""

    def held(self) -> Held:
        """Say what is open."""
