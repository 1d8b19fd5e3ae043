"""What all rooms of the exchange share: accounts, markets, time, chance, and the few ways to write something down.

Everything that changes an account goes through here, so that nothing is booked without being told: `fill`, `move`,
`take`, `end`, `revise`.

What must not enter: when something is filled (`matching`), whether it may be (`margin`, `api`).
"""

import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from tests.simulation.exchange import rows
from tests.simulation.exchange.amounts import ZERO, product, quotient
from tests.simulation.exchange.books import (
    BUST,
    CANCELED,
    FILLED,
    FUTURES,
    NEW,
    PARTIALLY_FILLED,
    SPOT,
    Account,
    Fill,
    Moved,
    Order,
    Place,
)
from tests.simulation.exchange.listing import Listing
from tests.simulation.exchange.personality import Correcting, FeeIn, Ids, Personality
from tests.simulation.exchange.stream import BUSTED, FILL, LEDGER, ORDER, Stream

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

TAKER, MAKER = Decimal("0.001"), Decimal("0.0005")
#: What is paid in the third asset costs less (Binance: 25 % on spot).
_DISCOUNT = Decimal("0.75")
#: Its price where it is not listed.
_THIRD_PRICE = Decimal(300)


@dataclass(slots=True)
class Market:
    """One symbol's market: its prices and who waits."""

    listing: Listing
    last: Decimal | None = None
    bid: Decimal = ZERO
    ask: Decimal = ZERO
    waiting: dict[str, tuple[Account, Order]] = field(default_factory=dict)
    #: By key: who holds a position of it.
    holders: dict[str, Account] = field(default_factory=dict)
    #: A price at or beyond one of these moves somebody; None where nobody waits on that side.
    up: Decimal | None = None
    down: Decimal | None = None
    #: Somebody takes any price.
    restless: bool = False
    #: Who waits has changed since these were found.
    changed: bool = False

    @property
    def price(self) -> Decimal:
        """Give the last price, which is the mark, too."""
        assert self.last is not None, f"{self.listing.symbol} has been traded at"
        return self.last


class House:
    """The exchange's state."""

    def __init__(
        self,
        personality: Personality,
        listings: Iterable[Listing],
        now: Callable[[], datetime],
        chance: random.Random,
    ) -> None:
        self.personality = personality
        self.markets = {listing.symbol: Market(listing) for listing in listings}
        self.accounts: dict[str, Account] = {}
        self.streams: dict[str, Stream] = {}
        self.chance = chance
        self._now = now
        self._orders = 0
        self._movements = 0
        self._trades: Counter[str] = Counter()

    def now_us(self) -> int:
        """Give the exchange's time in microseconds."""
        return (self._now() - _EPOCH) // _MICROSECOND

    @property
    def quote(self) -> str:
        """Name the asset in which the exchange says what an account is worth."""
        return next(iter(self.markets.values())).listing.quote

    def price_of(self, asset: str) -> Decimal | None:
        """Value an asset in the quote asset; None where nothing tells its price."""
        if asset == self.quote:
            return Decimal(1)
        for market in self.markets.values():
            if (market.listing.base, market.listing.quote) == (asset, self.quote) and market.last is not None:
                return market.last
        return _THIRD_PRICE if asset == self.personality.third else None

    # ------------------------------------------------------------------------------------------ orders

    def next_order_id(self) -> str:
        self._orders += 1
        return str(self._orders)

    def lookup_lag_us(self) -> int:
        """Draw how long an order stays invisible: half of them as long as the venue documents."""
        most = int(self.personality.lookup_lag_seconds * 1_000_000)
        if not most:
            return 0
        return most if self.chance.random() < 0.5 else self.chance.randrange(most)

    def take(self, account: Account, order: Order) -> None:
        """Write down an order that was taken."""
        account.add_order(order)
        self.tell_order(account, order)

    def end(self, account: Account, order: Order, status: str, reason: str) -> None:
        """End an order that waits."""
        order.status, order.reason, order.updated_us = status, reason, self.now_us()
        self._forget(account, order)
        account.update_id += 1
        self.tell_order(account, order)

    def tell_order(self, account: Account, order: Order) -> None:
        """Let the stream say how an order stands now."""
        self.streams[account.key].add(ORDER, rows.order_row(order))

    def _forget(self, account: Account, order: Order) -> None:
        account.open.pop(order.id, None)
        market = self.markets[order.listing.symbol]
        if market.waiting.pop(order.id, None) is not None:
            market.changed = True

    # ------------------------------------------------------------------------------------------- fills

    def fill(self, account: Account, order: Order, quantity: Decimal, price: Decimal, *, maker: bool) -> Fill:
        """Fill a part of an order, or all of it."""
        now_us = self.now_us()
        fill = self._made(account, order, quantity, price, maker=maker, trade_id=self._trade_id(order), at_us=now_us)
        self._book(account, fill)
        if order.left:
            order.status = PARTIALLY_FILLED
        else:
            order.status = FILLED
            self._forget(account, order)
        order.updated_us = now_us
        self.tell_order(account, order)
        return fill

    def fee(
        self, account: Account, order: Order, quantity: Decimal, price: Decimal, *, maker: bool
    ) -> tuple[Decimal, str]:
        """Say what a fill costs, and in which asset it is taken."""
        listing, style, third = order.listing, self.personality.fee_in, self.personality.third
        rate = MAKER if maker else TAKER
        in_quote = product(quantity, price, listing.multiplier, rate)
        if style is FeeIn.RECEIVED and order.sign > 0 and not listing.is_perpetual:
            return product(quantity, rate), listing.base
        if style is FeeIn.THIRD and third not in (listing.base, listing.quote):
            worth = self.price_of(third)
            assert worth is not None, "the third asset always has a price"
            in_third = quotient(in_quote * _DISCOUNT, worth)
            # Who has none of it left pays as everybody does (Binance).
            if account.total(third) >= in_third:
                return in_third, third
        return in_quote, listing.quote

    def revise(self, account: Account, place: Place, better: tuple[Decimal, Decimal] | None) -> Fill:
        """Take back the last fill of a position, or tell it otherwise; give the row that says so.

        Shapes: `better` is the quantity and price that it was instead; None busts it
        """
        old = account.take_back(place)
        order, now_us = old.order, self.now_us()
        told_as_new = self.personality.correcting is Correcting.BUST_MESSAGE
        row = old
        if better is None or told_as_new:
            row = replace(
                old,
                seq=account.next_seq(),
                told_us=now_us,
                visible_us=now_us + self._history_lag_us(),
                revision=old.revision + 1,
                effect=BUST,
            )
            account.add_bust(row)
            kind = BUSTED if told_as_new else FILL
            self.streams[account.key].add(kind, rows.fill_row(row, self.personality.correcting))
        if better is not None:
            quantity, price = better
            trade_id = self._trade_id(order) if told_as_new else old.trade_id
            row = self._made(
                account, order, quantity, price, maker=old.maker, trade_id=trade_id, at_us=old.at_us, corrects=old
            )
            self._book(account, row)
        if order.is_open:
            order.status = PARTIALLY_FILLED if order.filled else NEW
        elif order.status == FILLED and order.left:
            # It says no longer that it was filled: it ended with what counts of it.
            order.status, order.reason = CANCELED, "a trade of it was taken back"
        order.updated_us = now_us
        self.hold(account, place)
        self.tell_order(account, order)
        return row

    def _made(
        self,
        account: Account,
        order: Order,
        quantity: Decimal,
        price: Decimal,
        *,
        maker: bool,
        trade_id: str,
        at_us: int,
        corrects: Fill | None = None,
    ) -> Fill:
        now_us = self.now_us()
        fee, fee_asset = self.fee(account, order, quantity, price, maker=maker)
        notional = product(quantity, price, order.listing.multiplier)
        _, paid = account.position(order.place).then(order.sign, quantity, notional)
        same_id = corrects is not None and corrects.trade_id == trade_id
        return Fill(
            trade_id=trade_id,
            seq=account.next_seq(),
            order=order,
            sign=order.sign,
            quantity=quantity,
            price=price,
            fee=fee,
            fee_asset=fee_asset,
            realized=paid if order.listing.is_perpetual else None,
            at_us=at_us,
            told_us=now_us,
            visible_us=now_us + self._history_lag_us(),
            maker=maker,
            revision=corrects.revision + 1 if corrects is not None and same_id else 0,
            effect="CORRECT" if same_id else None,
        )

    def _book(self, account: Account, fill: Fill) -> None:
        account.add_fill(fill)
        self.hold(account, fill.order.place)
        self.streams[account.key].add(FILL, rows.fill_row(fill, self.personality.correcting))

    def hold(self, account: Account, place: Place) -> None:
        """Note in the market who has to be looked at when its price moves."""
        market = self.markets[place[0]]
        if not market.listing.is_perpetual:
            return
        if any((market.listing.symbol, leg) in account.positions for leg in ("", "LONG", "SHORT")):
            market.holders[account.key] = account
        else:
            market.holders.pop(account.key, None)

    def _trade_id(self, order: Order) -> str:
        counted = order.listing.symbol if self.personality.ids is Ids.SYMBOL else ""
        self._trades[counted] += 1
        return str(self._trades[counted])

    def _history_lag_us(self) -> int:
        """Draw how long a row stays out of the histories: a later one may be seen before an earlier one."""
        most = int(self.personality.history_lag_seconds * 1_000_000)
        return self.chance.randrange(most + 1) if most else 0

    # --------------------------------------------------------------------------------------- movements

    def move(self, account: Account, kind: str, asset: str, amount: Decimal, *, place: Place | None = None) -> Moved:
        """Book what moves without a trade: a position's share in its pocket, everything else on spot."""
        self._movements += 1
        now_us = self.now_us()
        moved = Moved(
            id=f"m{self._movements}",
            seq=account.next_seq(),
            type=kind,
            asset=asset,
            amount=amount,
            pocket=SPOT if place is None else FUTURES,
            symbol=None if place is None else place[0],
            leg="" if place is None else place[1],
            at_us=now_us,
            visible_us=now_us + self._history_lag_us(),
        )
        account.add_movement(moved)
        self.streams[account.key].add(LEDGER, rows.movement_row(moved))
        return moved

    def flush(self, account: Account, answered: str | None = None) -> None:
        """Let an account's stream say what happened."""
        self.streams[account.key].flush(self.now_us(), answered)
