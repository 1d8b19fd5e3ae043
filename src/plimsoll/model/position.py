"""A position: a signed quantity, the exact signed cost of what is left of it, and what was realised on the way.

Invariants, each a property test of the same number:
1. Conservation: realised + uncosted proceeds − cost = Σ signed notional of the trades − costs that came in + costs that
   went out, to the last digit. Cost that left with coins paid as a fee is part of the cost here: it is kept apart in
   `fee_cost`.
2. Flat means quantity 0 and cost 0; realised profit stays.
3. Adding moves the average; reducing leaves the cost per unit (up to the 18th place, which stays in the cost).
4. A flip is a close and an opening: the notional is split by quantity, and the two parts sum to the whole.
5. Fees stay apart: realised is gross.
6. What came in at a cost that nobody knows (`uncosted`) is sold share by share with the rest; what its share brought is
   neither profit nor loss (`uncosted_proceeds`), because unknown is not zero.

The average price is *derived* from cost and quantity, never stored and multiplied back, so no digit is lost. The
arithmetic stands in functions over plain `Amounts`: a fold over a million trades makes no position for each of them.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from plimsoll.model import money
from plimsoll.model.entry import Entry, EntryKind
from plimsoll.model.ids import AccountId, InstrumentId, PortfolioId, StrategyId
from plimsoll.model.instrument import Instrument
from plimsoll.model.trade import FoldKey, Trade, signed_notional

#: (portfolio, instrument, strategy or 0, leg): leg is empty except in hedging mode.
PositionKey = tuple[PortfolioId, InstrumentId, StrategyId | int, str]

#: (quantity, cost, realised, fee cost, uncosted, uncosted proceeds): what the fold of a position moves.
Amounts = tuple[Decimal, Decimal, Decimal, Decimal, Decimal, Decimal]
NOTHING: Amounts = (money.ZERO,) * 6


def traded(held: Amounts, moved: Decimal, cash: Decimal) -> Amounts:
    """Fold a trade in: the quantity moves, and its cash with it.

    Shapes: `moved` signed; `cash` the signed notional, a sale's positive
    Source: weighted average cost; a crossing of zero closes at the trade's price and reopens at it
    """
    before, cost, realized, fee_cost, uncosted, proceeds = held
    quantity = before + moved
    if before == 0 or (before > 0) == (moved > 0):
        return quantity, cost - cash, realized, fee_cost, uncosted, proceeds
    if quantity == 0 or (quantity > 0) == (before > 0):
        closed, closing_cash, cost_after = abs(moved), cash, money.ZERO
    else:
        closed, closing_cash = abs(before), money.settle_share(cash, abs(before), abs(moved))
        cost_after = closing_cash - cash
    if not uncosted:  # nearly always, and this runs for every fill
        released = money.settle_share(cost, closed, abs(before))
        return quantity, cost - released + cost_after, realized + closing_cash - released, fee_cost, uncosted, proceeds
    released, unknown = share_of(held, closed)
    brought = money.settle_share(closing_cash, unknown, closed)
    realized += closing_cash - brought - released
    return quantity, cost - released + cost_after, realized, fee_cost, uncosted - unknown, proceeds + brought


def paid_in_coins(held: Amounts, fee: Decimal) -> Amounts:
    """Take a fee in the base coin out of the holding.

    The quantity shrinks and its share of the cost goes with it, so that the average of what is left does not move. On
    a position that was just closed there is nothing left to shrink: the coins come from what the account holds
    unassigned.
    """
    quantity, cost, realized, fee_cost, uncosted, proceeds = held
    if fee <= 0 or quantity <= 0:
        return held
    coins = min(fee, quantity)
    released, unknown = share_of(held, coins)
    return quantity - coins, cost - released, realized, fee_cost + released, uncosted - unknown, proceeds


def came_in(held: Amounts, coins: Decimal, cost: Decimal | None) -> Amounts:
    """Take coins in at what they had cost, as if they were bought for it; or at a cost that nobody knows."""
    if cost is not None:
        return traded(held, coins, -cost)
    quantity, known, realized, fee_cost, uncosted, proceeds = held
    if quantity >= 0:
        return quantity + coins, known, realized, fee_cost, uncosted + coins, proceeds
    # They cover what was sold short. What that sale brought is neither profit nor loss: nobody knows the price.
    covering = min(coins, -quantity)
    released = money.settle_share(known, covering, -quantity)
    return quantity + coins, known - released, realized, fee_cost, coins - covering, proceeds - released


def went_out(held: Amounts, coins: Decimal, cost: Decimal | None) -> Amounts:
    """Let coins go with their share of the cost; or at a cost that was settled when they went (to another portfolio).

    What the settled cost is above or below the share of today, after a late fill changed it, is realised here: the
    other side keeps what it was given, and the two together lose nothing. Of coins that the position does not hold,
    nothing leaves it: they were unassigned.
    """
    quantity, known, realized, fee_cost, uncosted, proceeds = held
    leaving = min(coins, max(quantity, money.ZERO))
    released, unknown = share_of(held, leaving) if leaving else (money.ZERO, money.ZERO)
    gone = released if cost is None else cost
    return quantity - leaving, known - released, realized + gone - released, fee_cost, uncosted - unknown, proceeds


def split(held: Amounts, new: Decimal, per: Decimal) -> Amounts:
    """Make `per` pieces into `new`; the cost stays."""
    quantity, cost, realized, fee_cost, uncosted, proceeds = held
    pieces = money.settle_share(quantity, new, per)
    if pieces == 0:  # less than the last place is left: flat means cost 0, and what it had cost is lost
        return pieces, money.ZERO, realized - cost, fee_cost, money.ZERO, proceeds
    return pieces, cost, realized, fee_cost, money.settle_share(uncosted, new, per), proceeds


def share_of(held: Amounts, coins: Decimal) -> tuple[Decimal, Decimal]:
    """Say what leaves with some of the coins: of the cost, and of the coins at unknown cost.

    Both by the same share; the cost belongs to the known ones only.
    """
    quantity, cost, _, _, uncosted, _ = held
    if not uncosted:
        return money.settle_share(cost, coins, abs(quantity)), money.ZERO
    if coins == quantity:
        return cost, uncosted
    unknown = money.settle_share(uncosted, coins, quantity)
    known = quantity - uncosted
    return (money.settle_share(cost, coins - unknown, known) if known else money.ZERO), unknown


@dataclass(frozen=True, slots=True)
class Position:
    """What one portfolio holds of one instrument."""

    account_id: AccountId
    portfolio_id: PortfolioId
    instrument_id: InstrumentId
    strategy_id: StrategyId | None = None
    leg: str = ""
    quantity: Decimal = money.ZERO
    #: Signed: what the open quantity cost (long, linear: positive), in the cash asset.
    cost: Decimal = money.ZERO
    realized_pnl: Decimal = money.ZERO
    #: Fees by asset, sorted by asset; none that came to nothing.
    fees: tuple[tuple[str, Decimal], ...] = ()
    #: Cost that left with coins paid as a fee in the instrument's base asset.
    fee_cost: Decimal = money.ZERO
    opened_at: datetime | None = None
    #: The last trade or entry folded in. One that sorts before it is late: the position is folded anew from all.
    folded_to: FoldKey | None = None
    #: What it earned (+) and cost (−) beside its trades, by kind and asset, sorted: funding, interest, dividends.
    flows: tuple[tuple[str, str, Decimal], ...] = ()
    #: How much of the quantity came in at a cost that nobody knows, and what sales of such brought: no profit, no loss.
    uncosted: Decimal = money.ZERO
    uncosted_proceeds: Decimal = money.ZERO

    @property
    def key(self) -> PositionKey:
        return (self.portfolio_id, self.instrument_id, self.strategy_id or 0, self.leg)

    @property
    def amounts(self) -> Amounts:
        """Give what a fold moves."""
        return self.quantity, self.cost, self.realized_pnl, self.fee_cost, self.uncosted, self.uncosted_proceeds

    @property
    def is_flat(self) -> bool:
        return self.quantity == 0

    def avg_price(self, instrument: Instrument) -> Decimal:
        """Derive the average price of the open quantity whose cost is known; 0 when there is none."""
        if self.quantity == self.uncosted:
            return money.ZERO
        units = abs(self.quantity - self.uncosted) * instrument.multiplier
        if instrument.inverse:
            return money.settle_quotient(units, abs(self.cost))
        return money.settle_quotient(abs(self.cost), units)

    def unrealized_pnl(self, instrument: Instrument, price: Decimal) -> Decimal:
        """Value the open quantity whose cost is known at a price, less its cost."""
        known = self.quantity - self.uncosted if self.uncosted else self.quantity
        if known == 0:
            return money.ZERO
        value = instrument.notional(abs(known), price)
        return (value if (known > 0) != instrument.inverse else -value) - self.cost

    def fee_in(self, asset: str) -> Decimal:
        """Sum the fees paid in one asset."""
        return next((amount for name, amount in self.fees if name == asset), money.ZERO)

    def after(self, trade: Trade, instrument: Instrument) -> "Position":
        """Fold one trade into the position."""
        report = trade.report
        before = self.quantity
        held = (before, self.cost, self.realized_pnl, self.fee_cost, self.uncosted, self.uncosted_proceeds)
        cash = signed_notional(instrument, report.side, trade.notional)
        held = traded(held, trade.signed_quantity, cash)
        opened_anew = _opens_anew(before, held[0])
        if report.fee_currency == instrument.base and not instrument.is_derivative:
            held = paid_in_coins(held, report.fee)
        fees = self.fees if report.fee == 0 else plus_fee(self.fees, report.fee_currency, report.fee)
        return self._with(held, fees, report.exec_time if opened_anew else self.opened_at, trade.fold_key)

    def after_entry(self, entry: Entry) -> "Position":
        """Fold in what is no trade: coins that came, went or paid a fee, or a split."""
        before, held = self.quantity, self.amounts
        if entry.per is not None:
            held = split(held, entry.quantity, entry.per)
        elif entry.kind is EntryKind.IN:
            held = came_in(held, entry.quantity, entry.cost)
        elif entry.kind is EntryKind.OUT:
            held = went_out(held, entry.quantity, entry.cost)
        else:
            held = paid_in_coins(held, entry.quantity)
        opened_at = entry.at if _opens_anew(before, held[0]) else self.opened_at
        return self._with(held, self.fees, opened_at, entry.fold_key)

    def _with(
        self,
        held: Amounts,
        fees: tuple[tuple[str, Decimal], ...],
        opened_at: datetime | None,
        folded_to: FoldKey,
    ) -> "Position":
        quantity, cost, realized, fee_cost, uncosted, proceeds = held
        return Position(  # said in full: `replace` takes a third longer, and this runs for every fill
            account_id=self.account_id,
            portfolio_id=self.portfolio_id,
            instrument_id=self.instrument_id,
            strategy_id=self.strategy_id,
            leg=self.leg,
            quantity=quantity,
            cost=cost,
            realized_pnl=realized,
            fees=fees,
            fee_cost=fee_cost,
            opened_at=opened_at,
            folded_to=folded_to,
            flows=self.flows,
            uncosted=uncosted,
            uncosted_proceeds=proceeds,
        )


def _opens_anew(before: Decimal, after: Decimal) -> bool:
    return after != 0 and (before == 0 or (after > 0) != (before > 0))


def plus_fee(fees: tuple[tuple[str, Decimal], ...], asset: str, amount: Decimal) -> tuple[tuple[str, Decimal], ...]:
    """Add a fee to the fees by asset; an asset whose fees come to nothing is left out."""
    if len(fees) == 1 and fees[0][0] == asset:  # by far the most common case, and this runs for every fill
        total = fees[0][1] + amount
        return ((asset, total),) if total else ()
    totals = dict(fees)
    totals[asset] = totals.get(asset, money.ZERO) + amount
    return tuple(sorted((asset, amount) for asset, amount in totals.items() if amount))


def plus_flow(
    flows: tuple[tuple[str, str, Decimal], ...], kind: str, asset: str, amount: Decimal
) -> tuple[tuple[str, str, Decimal], ...]:
    """Add what a position earned or cost beside its trades; what comes to nothing is left out."""
    totals = {(kind, asset): amount for kind, asset, amount in flows}
    totals[kind, asset] = totals.get((kind, asset), money.ZERO) + amount
    return tuple(sorted((kind, asset, amount) for (kind, asset), amount in totals.items() if amount))
