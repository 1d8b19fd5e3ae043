"""The authoritative books of one account: orders, fills, movements, wallets, positions. Plain state, no decisions.

Rule 1. A fill is a fact: a bust or a correction is another row with a later `seq`, and the first one stays. What
        counts is `effective`, by (symbol, trade id).
Rule 2. Every wallet is the sum of its effective fills' flows and of its movements, to the last digit (`check`).
Rule 3. What a derivative pays lies in the pocket `futures`, coins and their price in `spot`. It is one wallet all the
        same: what lies in either pays for everything (Bybit's unified account, Binance's portfolio margin).

What must not enter: prices, chance, the wire's words.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from tests.simulation.exchange.amounts import ZERO, product, share
from tests.simulation.exchange.listing import Listing

SPOT, FUTURES = "spot", "futures"
NEW, PARTIALLY_FILLED, FILLED = "NEW", "PARTIALLY_FILLED", "FILLED"
CANCELED, EXPIRED = "CANCELED", "EXPIRED"
BUST, CORRECT = "BUST", "CORRECT"

Wallet = tuple[str, str]
#: (symbol, leg)
Place = tuple[str, str]


@dataclass(slots=True)
class Order:
    """An order that was taken."""

    id: str
    client_id: str | None
    listing: Listing
    #: +1 buys, −1 sells.
    sign: int
    type: str
    quantity: Decimal
    price: Decimal | None
    stop_price: Decimal | None
    time_in_force: str
    reduce_only: bool
    leg: str
    accepted_us: int
    #: From here on look-ups and lists show it.
    visible_us: int
    made_by: str | None = None
    filled: Decimal = ZERO
    status: str = NEW
    reason: str = ""
    #: A stop whose price was reached.
    triggered: bool = False
    updated_us: int = 0

    @property
    def is_open(self) -> bool:
        return self.status in (NEW, PARTIALLY_FILLED)

    @property
    def left(self) -> Decimal:
        return self.quantity - self.filled

    @property
    def side(self) -> str:
        return "BUY" if self.sign > 0 else "SELL"

    @property
    def place(self) -> Place:
        return (self.listing.symbol, self.leg)


@dataclass(frozen=True, slots=True)
class Fill:
    """A fill, or what became of it."""

    trade_id: str
    seq: int
    order: Order
    sign: int
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_asset: str
    #: Derivatives: what was paid in cash with it. None on spot.
    realized: Decimal | None
    #: When it was executed; a revision repeats its fill's time.
    at_us: int
    #: When this row was made known.
    told_us: int
    #: From here on the histories show it.
    visible_us: int
    maker: bool
    revision: int = 0
    effect: str | None = None

    @property
    def side(self) -> str:
        return "BUY" if self.sign > 0 else "SELL"

    @property
    def symbol(self) -> str:
        return self.order.listing.symbol

    @property
    def notional(self) -> Decimal:
        return product(self.quantity, self.price, self.order.listing.multiplier)

    def flows(self) -> Iterator[tuple[Wallet, Decimal]]:
        """Say what it moves: coins and their price on spot, what was realised of a derivative, and the fee."""
        listing = self.order.listing
        if listing.is_perpetual:
            assert self.realized is not None, "a derivative's fill says what it paid"
            yield (FUTURES, listing.quote), self.realized
            yield (FUTURES, self.fee_asset), -self.fee
            return
        yield (SPOT, listing.base), self.sign * self.quantity
        yield (SPOT, listing.quote), -self.sign * self.notional
        yield (SPOT, self.fee_asset), -self.fee


@dataclass(frozen=True, slots=True)
class Moved:
    """What moved without a trade."""

    id: str
    seq: int
    type: str
    asset: str
    amount: Decimal
    pocket: str
    symbol: str | None
    leg: str
    at_us: int
    visible_us: int


@dataclass(frozen=True, slots=True)
class Position:
    """A signed quantity, and what it cost in the quote asset (with the quantity's sign)."""

    quantity: Decimal = ZERO
    cost: Decimal = ZERO

    def then(self, sign: int, quantity: Decimal, notional: Decimal) -> tuple["Position", Decimal]:
        """Give what it becomes with a fill, and what that fill pays in cash: nothing for what it opens."""
        held = self.quantity
        if held == 0 or (held > 0) == (sign > 0):
            return Position(held + sign * quantity, self.cost + sign * notional), ZERO
        closed = min(quantity, abs(held))
        proceeds = share(notional, closed, quantity)
        released = share(self.cost, closed, abs(held))
        rest = quantity - closed
        if rest:
            after = Position(sign * rest, sign * (notional - proceeds))
        else:
            after = Position(held + sign * closed, self.cost - released)
        # A long's cost is positive and its sale brings the proceeds; a short's are both negative.
        return after, (proceeds if held > 0 else -proceeds) - released


FLAT = Position()


class BooksBroken(AssertionError):
    """The exchange itself is wrong: nothing that it says proves anything."""


@dataclass(slots=True)
class Account:
    """One API key's account."""

    key: str
    wallets: dict[Wallet, Decimal] = field(default_factory=dict)
    positions: dict[Place, Position] = field(default_factory=dict)
    leverages: dict[str, Decimal] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)
    by_id: dict[str, Order] = field(default_factory=dict)
    by_client_id: dict[str, list[Order]] = field(default_factory=dict)
    open: dict[str, Order] = field(default_factory=dict)
    #: In the order of `seq`.
    fills: list[Fill] = field(default_factory=list)
    moved: list[Moved] = field(default_factory=list)
    #: By (symbol, trade id).
    effective: dict[tuple[str, str], Fill] = field(default_factory=dict)
    #: The effective fills of a position with what it was before each: the last one can be taken back.
    history: dict[Place, list[tuple[Fill, Position]]] = field(default_factory=dict)
    accepted: Counter[str] = field(default_factory=Counter)
    seq: int = 0
    #: Moves with every change.
    update_id: int = 0

    def total(self, asset: str) -> Decimal:
        """Sum an asset over both pockets."""
        return self.wallets.get((SPOT, asset), ZERO) + self.wallets.get((FUTURES, asset), ZERO)

    def position(self, place: Place) -> Position:
        return self.positions.get(place, FLAT)

    def add_order(self, order: Order) -> None:
        """Write down an order that was taken."""
        self.orders.append(order)
        self.by_id[order.id] = order
        self.open[order.id] = order
        self.update_id += 1
        if order.client_id is not None:
            self.by_client_id.setdefault(order.client_id, []).append(order)
            self.accepted[order.client_id] += 1

    def add_fill(self, fill: Fill) -> None:
        """Book a fill that counts: a new one, or the corrected one after `take_back`."""
        self.fills.append(fill)
        self._move(fill, 1)
        order, place = fill.order, fill.order.place
        before = self.position(place)
        after, _ = before.then(fill.sign, fill.quantity, fill.notional)
        self._set_position(place, after)
        self.history.setdefault(place, []).append((fill, before))
        self.effective[fill.symbol, fill.trade_id] = fill
        order.filled += fill.quantity

    def take_back(self, place: Place) -> Fill:
        """Undo the last fill of a position, as if it had never been; another row says so."""
        fill, before = self.history[place].pop()
        self._move(fill, -1)
        self._set_position(place, before)
        del self.effective[fill.symbol, fill.trade_id]
        fill.order.filled -= fill.quantity
        return fill

    def add_bust(self, row: Fill) -> None:
        """Write down that a fill was taken back."""
        self.fills.append(row)

    def add_movement(self, moved: Moved) -> None:
        """Book what moved without a trade."""
        self.moved.append(moved)
        self._add((moved.pocket, moved.asset), moved.amount)
        self.update_id += 1

    def next_seq(self) -> int:
        """Number a fact: fills and movements share one count."""
        self.seq += 1
        return self.seq

    def _move(self, fill: Fill, sign: int) -> None:
        for wallet, amount in fill.flows():
            self._add(wallet, sign * amount)
        self.update_id += 1

    def _add(self, wallet: Wallet, amount: Decimal) -> None:
        self.wallets[wallet] = self.wallets.get(wallet, ZERO) + amount

    def _set_position(self, place: Place, position: Position) -> None:
        if position.quantity:
            self.positions[place] = position
        else:
            self.positions.pop(place, None)

    def check(self) -> None:
        """Add everything up again.

        Raises: BooksBroken
        """
        self._check_wallets()
        self._check_positions()
        filled: dict[str, Decimal] = {}
        for fill in self.effective.values():
            filled[fill.order.id] = filled.get(fill.order.id, ZERO) + fill.quantity
        for order in self.orders:
            if order.filled != filled.get(order.id, ZERO) or not 0 <= order.filled <= order.quantity:
                raise BooksBroken(f"{self.key}: order {order.id} says {order.filled}, its fills {filled.get(order.id)}")
            if order.is_open != (order.id in self.open) or (order.is_open and not order.left):
                raise BooksBroken(f"{self.key}: order {order.id} is {order.status} with {order.left} left")

    def _check_wallets(self) -> None:
        sums: dict[Wallet, Decimal] = {}
        for fill in self.effective.values():
            for wallet, amount in fill.flows():
                sums[wallet] = sums.get(wallet, ZERO) + amount
        for moved in self.moved:
            wallet = (moved.pocket, moved.asset)
            sums[wallet] = sums.get(wallet, ZERO) + moved.amount
        for wallet in {**sums, **self.wallets}:
            if sums.get(wallet, ZERO) != self.wallets.get(wallet, ZERO):
                raise BooksBroken(
                    f"{self.key}: {wallet} is {self.wallets.get(wallet)}, its facts say {sums.get(wallet)}"
                )

    def _check_positions(self) -> None:
        """Fold the effective fills alone: quantity, cost and what each paid must come out the same."""
        places: dict[Place, Position] = {}
        for fill in sorted(self.effective.values(), key=lambda one: one.seq):
            place = fill.order.place
            after, paid = places.get(place, FLAT).then(fill.sign, fill.quantity, fill.notional)
            places[place] = after
            if fill.realized is not None and fill.realized != paid:
                raise BooksBroken(f"{self.key}: fill {fill.trade_id} paid {fill.realized}, the fold says {paid}")
        for place in {**places, **self.positions}:
            if places.get(place, FLAT) != self.position(place):
                raise BooksBroken(f"{self.key}: {place} is {self.position(place)}, its fills say {places.get(place)}")
