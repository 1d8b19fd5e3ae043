"""Lots one by one: which goes first is the method's, what happens to it is the same for all of them.

A pool is on one side at a time, long or short. What goes the other way closes lots until none is left and opens one of
its own with the rest, at the same price.

Rule 1. Lots are as old as what opened them, also where they came from another portfolio later.
Rule 2. Coins that a purchase cost as a fee make its lot smaller and not cheaper. Coins that a sale cost are sold with
        it (fees in the cost), or stand apart at what they had cost (fees apart).
Rule 3. A lot that somebody named must be there. What he did not name goes by FIFO, and nothing is guessed.
"""

import heapq
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import count
from typing import Protocol

from plimsoll.model import money
from plimsoll.model.entry import Entry
from plimsoll.model.errors import Illegal
from plimsoll.model.lots import Choice, Chosen, FeeRule, Fill, Held, Lot, LotMethod, Piece, PieceKind


class LotPool:
    """Lots of one instrument in one place, each with its own age and price."""

    __slots__ = ("_chosen", "_lots", "_named_lots", "_quantity", "_together")

    def __init__(self, method: LotMethod, rule: FeeRule, *, inverse: bool, chosen: Chosen | None = None) -> None:
        self._chosen = chosen
        #: By what opened them, where somebody names lots.
        self._named_lots: defaultdict[str, list[Lot]] = defaultdict(list)
        self._lots: _Order = _order_of(method, rule, inverse=inverse)
        self._quantity = money.ZERO
        self._together = rule is FeeRule.IN_COST

    def trade(self, fill: Fill) -> list[Piece]:
        at, by, moved, cash, fee, coins = fill
        before, pieces = self._quantity, list[Piece]()
        if before and (before > 0) != (moved > 0):
            size, closed = abs(moved), min(abs(moved), abs(before))
            brought, charged = money.settle_share(cash, closed, size), money.settle_share(fee, closed, size)
            # Of what is left after a sale; what was held unassigned pays the rest, and is in no lot.
            paid = min(coins, max(before + moved, money.ZERO)) if before > 0 else money.ZERO
            if paid and not self._together:
                pieces = [*self._close(at, by, closed, brought, charged), *self._pay(at, by, paid)]
            else:
                pieces = self._close(at, by, closed + paid, brought, charged)
            moved += closed if before > 0 else -closed
            cash, fee = cash - brought, fee - charged
        if moved > 0:
            pieces += self._buy(Lot(at, by, moved, cash, fee), coins)
        elif moved < 0:
            self._open(Lot(at, by, -moved, cash, fee), moved)
        return pieces

    def enter(self, entry: Entry, carried: Sequence[Lot]) -> list[Piece]:
        missing = entry.quantity - sum((lot.quantity for lot in carried), money.ZERO)
        lots = list(carried)
        if missing > 0:
            # Nothing says what they were before: from here on they are a lot of this day.
            cost = None if entry.cost is None else -money.settle_share(entry.cost, missing, entry.quantity)
            lots.append(Lot(entry.at, entry.reference, missing, cost))
        return [piece for lot in lots for piece in self._arrive(lot, entry)]

    def leave(self, entry: Entry) -> tuple[list[Lot], list[Piece]]:
        return self._take(min(entry.quantity, max(self._quantity, money.ZERO)), entry.reference), []

    def pay(self, entry: Entry) -> list[Piece]:
        return self._pay(entry.at, entry.reference, entry.quantity)

    def split(self, entry: Entry) -> list[Piece]:
        new, per, short = entry.quantity, entry.per or entry.quantity, self._quantity < 0
        lots = sorted(self._lots.open(), key=_age)
        before, made, left = money.ZERO, money.ZERO, list[Lot]()
        for lot in lots:
            # Rounded on the way up, so that all together are what the position becomes.
            before += lot.quantity
            lot.quantity = money.settle_share(before, new, per) - made
            made += lot.quantity
            if lot.quantity:
                left.append(lot)
        self._quantity = -made if short else made
        crumbs = [lot for lot in lots if not lot.quantity and lot.cash is not None]
        self._lots.put(left)
        if not crumbs:
            return []
        if heir := next((lot for lot in left if lot.cash is not None), None):
            heir.cash = sum((lot.cash or money.ZERO for lot in (heir, *crumbs)), money.ZERO)
            heir.fee += sum((lot.fee for lot in crumbs), money.ZERO)
            return []
        return [lot.piece(PieceKind.SETTLED, entry.at, entry.reference, is_short=short) for lot in crumbs]

    def held(self) -> Held:
        lots = list(self._lots.open())
        known = [lot.cash for lot in lots if lot.cash is not None]
        unknown = sum((lot.quantity for lot in lots if lot.cash is None), money.ZERO)
        fees = sum((lot.fee for lot in lots), money.ZERO)
        return Held(self._quantity, unknown, sum(known, money.ZERO), fees, len(lots))

    def _buy(self, lot: Lot, coins: Decimal) -> list[Piece]:
        if not money.ZERO < coins < lot.quantity:
            self._open(lot, lot.quantity)
            # More than was bought: what was there before pays the rest, as it does in the position.
            return self._pay(lot.at, lot.reference, coins) if coins else []
        # Smaller, and not cheaper: what these coins had cost is a fee that the others carry.
        paid = lot.part(coins)
        lot.fee += paid.fee - (paid.cash or money.ZERO)
        self._open(lot, lot.quantity)
        return []

    def _open(self, lot: Lot, moved: Decimal) -> None:
        self._quantity += moved
        self._lots.add(lot)
        if self._chosen is not None:
            self._named_lots[lot.reference].append(lot)

    def _arrive(self, lot: Lot, entry: Entry) -> list[Piece]:
        pieces = []
        if self._quantity < 0:
            covering = lot.part(min(lot.quantity, -self._quantity))
            pieces = self._close(entry.at, entry.reference, covering.quantity, covering.cash, covering.fee)
        if lot.quantity:
            self._open(lot, lot.quantity)
        return pieces

    def _close(self, at: datetime, by: str, coins: Decimal, cash: Decimal | None, fee: Decimal) -> list[Piece]:
        short, pieces = self._quantity < 0, list[Piece]()
        for lot in self._take(coins, by):
            quantity, charged, brought = lot.quantity, fee, cash
            if quantity != coins:  # the last one has what is left of both
                charged = money.settle_share(fee, quantity, coins)
                brought = None if cash is None else money.settle_share(cash, quantity, coins)
            coins, fee = coins - quantity, fee - charged
            if cash is not None and brought is not None:
                cash -= brought
            pieces.append(lot.piece(PieceKind.CLOSED, at, by, is_short=short, closing=brought, fee=charged))
        return pieces

    def _pay(self, at: datetime, by: str, coins: Decimal) -> list[Piece]:
        pieces = []
        for lot in self._take(min(coins, max(self._quantity, money.ZERO)), by):
            if lot.cash is not None:
                lot.cash, lot.fee = money.ZERO, lot.fee - lot.cash
            pieces.append(lot.piece(PieceKind.FEE, at, by, is_short=False))
        return pieces

    def _take(self, coins: Decimal, by: str) -> list[Lot]:
        """Take coins out of the lots, those first that somebody named."""
        self._quantity += coins if self._quantity < 0 else -coins
        taken = []
        for choice in self._chosen.pop(by, ()) if self._chosen else ():
            for part in self._named(choice, coins):
                taken.append(part)
                coins -= part.quantity
        while coins:
            lot = self._lots.first()
            part = lot.part(min(coins, lot.quantity))
            taken.append(part)
            coins -= part.quantity
        return taken

    def _named(self, choice: Choice, coins: Decimal) -> list[Lot]:
        wanted, line = choice.quantity, ",".join(map(str, choice))
        if wanted > coins:
            raise Illegal("lots", line, f"{choice.disposal} closes {coins:f} more; name no more than that")
        taken = []
        for lot in self._named_lots[choice.acquisition]:
            if part := min(wanted, lot.quantity):
                taken.append(lot.part(part))
                wanted -= part
        if wanted:
            raise Illegal("lots", line, f"of {choice.acquisition} {wanted:f} less is open then; name a lot that is")
        return taken


# Which goes first -----------------------------------------------------------------------------------------------------


class _Order(Protocol):
    """Open lots, and which of them goes first. A lot of which nothing is left is passed over."""

    def add(self, lot: Lot) -> None:
        """Put a lot in."""

    def put(self, lots: Iterable[Lot]) -> None:
        """Have these and no others."""

    def first(self) -> Lot:
        """Give the one that goes first; the caller knows that there is one."""

    def open(self) -> Iterable[Lot]:
        """Give all of them, in no order that means anything."""


def _age(lot: Lot) -> datetime:
    return lot.at


class _ByAge:
    """The oldest first, or the newest."""

    def __init__(self, *, newest_first: bool) -> None:
        self._lots: deque[Lot] = deque()
        self._end = -1 if newest_first else 0

    def add(self, lot: Lot) -> None:
        is_latest = not self._lots or self._lots[-1].at <= lot.at
        self._lots.append(lot)
        if not is_latest:
            self.put(self._lots)

    def put(self, lots: Iterable[Lot]) -> None:
        self._lots = deque(sorted(lots, key=_age))

    def first(self) -> Lot:
        lots, end = self._lots, self._end
        while not lots[end].quantity:
            del lots[end]
        return lots[end]

    def open(self) -> Iterable[Lot]:
        return (lot for lot in self._lots if lot.quantity)


class _ByPrice:
    """The highest or the lowest price per unit first."""

    def __init__(self, rule: FeeRule, *, highest_first: bool, inverse: bool) -> None:
        self._with_fee = rule is FeeRule.IN_COST
        # An inverse contract's cash per unit is one divided by the price: the higher the price, the less of it.
        self._sign = -1 if highest_first != inverse else 1
        self._numbers = count()
        self._heap: list[tuple[bool, Decimal, datetime, int, Lot]] = []

    def add(self, lot: Lot) -> None:
        price, known = money.ZERO, lot.cash is not None
        if lot.cash is not None:
            moved = lot.cash - lot.fee if self._with_fee else lot.cash
            price = self._sign * money.settle_quotient(abs(moved), lot.quantity)
        heapq.heappush(self._heap, (not known, price, lot.at, next(self._numbers), lot))

    def put(self, lots: Iterable[Lot]) -> None:
        self._heap.clear()
        for lot in lots:
            self.add(lot)

    def first(self) -> Lot:
        while not self._heap[0][-1].quantity:
            heapq.heappop(self._heap)
        return self._heap[0][-1]

    def open(self) -> Iterable[Lot]:
        return (row[-1] for row in self._heap if row[-1].quantity)


def _order_of(method: LotMethod, rule: FeeRule, *, inverse: bool) -> _Order:
    match method:
        case LotMethod.HIFO | LotMethod.LOFO:
            return _ByPrice(rule, highest_first=method is LotMethod.HIFO, inverse=inverse)
        case _:
            return _ByAge(newest_first=method is LotMethod.LIFO)
