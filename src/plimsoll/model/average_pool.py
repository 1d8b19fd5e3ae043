"""All lots as one: the average cost of the live position, reckoned by the live position's own arithmetic.

What this pool says was gained, gross, is what `Position.realized_pnl` says, to the last digit: both fold with the same
functions. Beside it the pool carries what opening cost in fees, share by share with the quantity.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from plimsoll.model import money
from plimsoll.model.entry import Entry
from plimsoll.model.lots import Fill, Held, Lot, Piece, PieceKind
from plimsoll.model.position import NOTHING, Amounts, came_in, paid_in_coins, split, traded, went_out


class AveragePool:
    """One lot of one instrument in one position, which has no age."""

    __slots__ = ("_amounts", "_fees")

    def __init__(self) -> None:
        self._amounts: Amounts = NOTHING
        #: What opening it cost, of what is still open.
        self._fees = money.ZERO

    def trade(self, fill: Fill) -> list[Piece]:
        at, by, moved, cash, fee, coins = fill
        held, size, pieces = self._amounts[0], abs(moved), list[Piece]()
        after = traded(self._amounts, moved, cash)
        if held and (held > 0) != (moved > 0):
            closed = min(size, abs(held))
            charged = money.settle_share(fee, closed, size)
            pieces = self._closed(at, by, after, money.settle_share(cash, closed, size), charged)
            fee -= charged
        self._amounts = after
        self._fees += fee
        if not coins:
            return pieces
        if moved > 0 and coins < after[0]:
            # What the coins had cost stays with what they were paid for.
            self._amounts = paid_in_coins(after, coins)
            self._fees += self._amounts[3] - after[3]
            return pieces
        return pieces + self._pay(at, by, coins)

    def enter(self, entry: Entry, carried: Sequence[Lot]) -> list[Piece]:
        held, pieces = self._amounts[0], list[Piece]()
        after = came_in(self._amounts, entry.quantity, entry.cost)
        if held < 0:
            covering = min(entry.quantity, -held)
            cash = None if entry.cost is None else -money.settle_share(entry.cost, covering, entry.quantity)
            pieces = self._closed(entry.at, entry.reference, after, cash, money.ZERO)
        self._amounts = after
        self._fees += sum((lot.fee for lot in carried), money.ZERO)
        return pieces

    def leave(self, entry: Entry) -> tuple[list[Lot], list[Piece]]:
        before, after = self._amounts, went_out(self._amounts, entry.quantity, entry.cost)
        gone = before[0] - after[0]
        lots = [Lot(entry.at, entry.reference, gone, None, self._fees_of(gone))] if gone else []
        self._amounts = after
        return lots, self._settled(entry, after[2] - before[2], money.ZERO)

    def pay(self, entry: Entry) -> list[Piece]:
        return self._pay(entry.at, entry.reference, entry.quantity)

    def split(self, entry: Entry) -> list[Piece]:
        before = self._amounts
        self._amounts = split(before, entry.quantity, entry.per or entry.quantity)
        if self._amounts[0] or not before[0]:
            return []
        fees, self._fees = self._fees, money.ZERO
        return self._settled(entry, self._amounts[2] - before[2], fees)

    def held(self) -> Held:
        quantity, cost, _realized, _fee_cost, unknown, _proceeds = self._amounts
        return Held(quantity, unknown, -cost, self._fees, 1 if quantity else 0)

    def _closed(self, at: datetime, by: str, after: Amounts, closing: Decimal | None, fee: Decimal) -> list[Piece]:
        """Tell what a closing did, from where the position stood and stands: what is known, and what is not."""
        before = self._amounts
        # Whatever opens anew at once is no part of the closing.
        closed = abs(before[0]) if (after[0] > 0) != (before[0] > 0) else abs(before[0]) - abs(after[0])
        realized, unknown, brought = after[2] - before[2], before[4] - after[4], after[5] - before[5]
        fees, short = self._fees_of(closed), before[0] < 0
        if closing is None:
            # Short, and covered by coins that cost nobody knows what: what the sale had brought is known.
            return [_piece(at, by, closed, short=short, opening=brought, closing=None, fees=(fees, fee))]
        known, pieces = closed - unknown, list[Piece]()
        if known:
            sold = closing - brought
            pieces.append(_piece(at, by, known, short=short, opening=realized - sold, closing=sold, fees=(fees, fee)))
            fees = fee = money.ZERO
        if unknown:
            pieces.append(_piece(at, by, unknown, short=short, opening=None, closing=brought, fees=(fees, fee)))
        return pieces

    def _pay(self, at: datetime, by: str, coins: Decimal) -> list[Piece]:
        before, after = self._amounts, paid_in_coins(self._amounts, coins)
        gone, unknown, released = before[0] - after[0], before[4] - after[4], after[3] - before[3]
        fees = self._fees_of(gone) + released if gone else released
        self._amounts = after
        kind, pieces, nothing = PieceKind.FEE, list[Piece](), money.ZERO
        if gone > unknown:
            paid = (fees, nothing)
            pieces.append(_piece(at, by, gone - unknown, opening=nothing, closing=nothing, fees=paid, kind=kind))
            fees = nothing
        if unknown:
            pieces.append(_piece(at, by, unknown, opening=None, closing=nothing, fees=(fees, nothing), kind=kind))
        return pieces

    def _settled(self, entry: Entry, realized: Decimal, fees: Decimal) -> list[Piece]:
        if not realized and not fees:
            return []
        return [
            _piece(
                entry.at,
                entry.reference,
                money.ZERO,
                opening=realized,
                closing=money.ZERO,
                fees=(fees, money.ZERO),
                kind=PieceKind.SETTLED,
            )
        ]

    def _fees_of(self, coins: Decimal) -> Decimal:
        """Take out the share that some of what is held has in what opening it cost."""
        share = money.settle_share(self._fees, coins, abs(self._amounts[0])) if self._fees else self._fees
        self._fees -= share
        return share


def _piece(
    at: datetime,
    by: str,
    quantity: Decimal,
    *,
    opening: Decimal | None,
    closing: Decimal | None,
    fees: tuple[Decimal, Decimal],
    short: bool = False,
    kind: PieceKind = PieceKind.CLOSED,
) -> Piece:
    return Piece(kind, None, "", at, by, quantity, short, opening, closing, *fees)
