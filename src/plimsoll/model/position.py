"""A position: a signed quantity, the exact signed cost of what is left of it, and what was realised on the way.

Invariants, each a property test of the same number:
1. Conservation: realised − cost = Σ signed notional of the trades, to the last digit. Cost that left with coins paid
   as a fee is part of the cost here: it is kept apart in `fee_cost`.
2. Flat means quantity 0 and cost 0; realised profit stays.
3. Adding moves the average; reducing leaves the cost per unit (up to the 18th place, which stays in the cost).
4. A flip is a close and an opening: the notional is split by quantity, and the two parts sum to the whole.
5. Fees stay apart: realised is gross.

The average price is *derived* from cost and quantity, never stored and multiplied back, so no digit is lost.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from plimsoll.model import money
from plimsoll.model.ids import AccountId, InstrumentId, PortfolioId, StrategyId
from plimsoll.model.instrument import Instrument
from plimsoll.model.trade import FoldKey, Trade, signed_notional

#: (portfolio, instrument, strategy or 0, leg): leg is empty except in hedging mode.
PositionKey = tuple[PortfolioId, InstrumentId, StrategyId | int, str]


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
    #: Fees by asset, sorted by asset.
    fees: tuple[tuple[str, Decimal], ...] = ()
    #: Cost that left with coins paid as a fee in the instrument's base asset.
    fee_cost: Decimal = money.ZERO
    opened_at: datetime | None = None
    #: The last trade folded in. A trade that sorts before it is late: the position is folded anew from all its trades.
    folded_to: FoldKey | None = None

    @property
    def key(self) -> PositionKey:
        return (self.portfolio_id, self.instrument_id, self.strategy_id or 0, self.leg)

    @property
    def is_flat(self) -> bool:
        return self.quantity == 0

    def avg_price(self, instrument: Instrument) -> Decimal:
        """Derive the average price of the open quantity; 0 when flat."""
        if self.quantity == 0:
            return money.ZERO
        units = abs(self.quantity) * instrument.multiplier
        if instrument.inverse:
            return money.settle_quotient(units, abs(self.cost))
        return money.settle_quotient(abs(self.cost), units)

    def unrealized_pnl(self, instrument: Instrument, price: Decimal) -> Decimal:
        """Value the open quantity at a price, less its cost."""
        if self.quantity == 0:
            return money.ZERO
        value = instrument.notional(abs(self.quantity), price)
        return (value if (self.quantity > 0) != instrument.inverse else -value) - self.cost

    def fee_in(self, asset: str) -> Decimal:
        """Sum the fees paid in one asset."""
        return next((amount for name, amount in self.fees if name == asset), money.ZERO)

    def after(self, trade: Trade, instrument: Instrument) -> "Position":
        """Fold one trade into the position.

        Source: weighted average cost; a crossing of zero closes at the trade's price and reopens at it
        """
        report = trade.report
        moved = trade.signed_quantity
        cash = signed_notional(instrument, report.side, trade.notional)
        quantity = self.quantity + moved
        if self.quantity == 0 or (self.quantity > 0) == (moved > 0):
            cost, realized = self.cost - cash, self.realized_pnl
        elif quantity == 0 or (quantity > 0) == (self.quantity > 0):
            released = money.settle_share(self.cost, abs(moved), abs(self.quantity))
            cost, realized = self.cost - released, self.realized_pnl + cash - released
        else:
            closing_cash = money.settle_share(cash, abs(self.quantity), abs(moved))
            cost, realized = closing_cash - cash, self.realized_pnl + closing_cash - self.cost
        opened_anew = self.quantity == 0 or (quantity != 0 and (quantity > 0) != (self.quantity > 0))
        fee_cost = self.fee_cost
        if report.fee_currency == instrument.base and not instrument.is_derivative:
            coins, their_cost = _paid_in_coins(report.fee, quantity, cost)
            quantity, cost, fee_cost = quantity - coins, cost - their_cost, fee_cost + their_cost
        return Position(  # said in full: `replace` takes a third longer, and this runs for every fill
            account_id=self.account_id,
            portfolio_id=self.portfolio_id,
            instrument_id=self.instrument_id,
            strategy_id=self.strategy_id,
            leg=self.leg,
            quantity=quantity,
            cost=cost,
            realized_pnl=realized,
            fees=_with_fee(self.fees, report.fee_currency, report.fee),
            fee_cost=fee_cost,
            opened_at=report.exec_time if opened_anew else self.opened_at,
            folded_to=trade.fold_key,
        )


def _paid_in_coins(fee: Decimal, quantity: Decimal, cost: Decimal) -> tuple[Decimal, Decimal]:
    # A fee in the base coin leaves the holding: the quantity shrinks and its share of the cost goes with it, so
    # that the average of what is left does not move. On a position that was just closed there is nothing left
    # to shrink: the coins come from what the account holds unassigned.
    if fee <= 0 or quantity <= 0:
        return money.ZERO, money.ZERO
    coins = min(fee, quantity)
    return coins, money.settle_share(cost, coins, quantity)


def _with_fee(fees: tuple[tuple[str, Decimal], ...], asset: str, amount: Decimal) -> tuple[tuple[str, Decimal], ...]:
    if amount == 0:
        return fees
    if len(fees) == 1 and fees[0][0] == asset:  # by far the most common case, and this runs for every fill
        return ((asset, fees[0][1] + amount),)
    totals = dict(fees)
    totals[asset] = totals.get(asset, money.ZERO) + amount
    return tuple(sorted(totals.items()))
