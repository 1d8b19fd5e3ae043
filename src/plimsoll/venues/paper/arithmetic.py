"""What a fill costs and what an account is worth: the paper venue's own sums, pure, written without the desk's.

Rule 1. A position is a signed quantity with the exact value that was paid for what is left of it (`cost`, same sign as
        the quantity). Closing takes the cost's share away and pays the difference; the average is only ever derived.
Rule 2. Every trade's value is settled once, by the instrument's rule; a trade through zero is split by quantity, and
        the two parts sum to the whole.
Rule 3. The fee is its own amount and never part of a cost.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from plimsoll.model import money
from plimsoll.model.ids import AccountId, InstrumentId
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import Side


@dataclass(frozen=True, slots=True)
class PaperPosition:
    """The net position of an account in a derivative."""

    account_id: AccountId
    instrument_id: InstrumentId
    #: Signed: long positive, short negative.
    quantity: Decimal = money.ZERO
    #: Value of the open quantity when it was opened, in the settle asset, with the quantity's sign.
    cost: Decimal = money.ZERO

    def closable_by(self, side: Side) -> Decimal:
        """Give how much an order of this side could close."""
        return max(money.ZERO, -self.quantity if side is Side.BUY else self.quantity)


def traded(
    position: PaperPosition, side: Side, quantity: Decimal, value: Decimal, *, inverse: bool
) -> tuple[PaperPosition, Decimal]:
    """Give the position after a trade of this quantity and value, and the profit or loss that it pays."""
    closed = min(quantity, position.closable_by(side))
    if not closed:
        return _with(position, position.quantity + side.sign * quantity, position.cost + side.sign * value), money.ZERO
    value_out = money.settle_share(value, closed, quantity)
    cost_out = money.settle_share(position.cost, closed, abs(position.quantity))
    # A long that is sold for more than it cost earns; a short is the mirror (its cost is negative), and an inverse
    # contract, whose value falls as the price rises, is the mirror once more.
    earned = -side.sign * value_out - cost_out
    opened_value = value - value_out
    after = _with(
        position, position.quantity + side.sign * quantity, position.cost - cost_out + side.sign * opened_value
    )
    return after, -earned if inverse else earned


def _with(position: PaperPosition, quantity: Decimal, cost: Decimal) -> PaperPosition:
    return PaperPosition(position.account_id, position.instrument_id, quantity, cost)


def entry_price(position: PaperPosition, instrument: Instrument) -> Decimal:
    """Derive the average price of the open quantity; 0 when flat."""
    if not position.quantity:
        return money.ZERO
    units, cost = abs(position.quantity) * instrument.multiplier, abs(position.cost)
    return money.settle_quotient(units, cost) if instrument.inverse else money.settle_quotient(cost, units)


def unrealized(position: PaperPosition, instrument: Instrument, price: Decimal) -> Decimal:
    """Say what closing at a price would pay, before fees."""
    value = instrument.notional(abs(position.quantity), price)
    gain = (value if position.quantity > 0 else -value) - position.cost
    return -gain if instrument.inverse else gain


def initial_margin(value: Decimal, leverage: Decimal) -> Decimal:
    """Say what a position or an opening order of this value binds."""
    return money.settle_quotient(value, leverage)


@dataclass(frozen=True, slots=True)
class Holding:
    """A derivative position with what is needed to value it."""

    position: PaperPosition
    instrument: Instrument
    leverage: Decimal
    #: None: never seen.
    price: Decimal | None


def free_margin(cash: Decimal, holdings: Iterable[Holding], *, count_profit: bool) -> Decimal | None:
    """Give what of an asset's cash may still be bound: cash and open profit or loss, less the margin in use.

    Shapes:  holdings -> positions that settle in this asset; result None when one of them has no price
    Refuses: open profit as money for coins (`count_profit` false): only what was realised can be spent
    """
    free = cash
    for holding in holdings:
        if holding.price is None:
            return None
        open_profit = unrealized(holding.position, holding.instrument, holding.price)
        free += open_profit if count_profit else min(open_profit, money.ZERO)
        value = holding.instrument.notional(abs(holding.position.quantity), holding.price)
        free -= initial_margin(value, holding.leverage)
    return free


def equity(
    currency: str,
    balances: Iterable[tuple[str, Decimal]],
    holdings: Iterable[Holding],
    rates: dict[str, Decimal],
) -> Decimal | None:
    """Value an account: balances and open profit, each at its asset's rate in the account's currency.

    Shapes: balances -> (asset, total); rates -> asset to the value of one unit; None when any price is missing
    """
    total = money.ZERO
    for asset, amount in [*balances, *((held.instrument.settle, _open_profit(held)) for held in holdings)]:
        if amount is None:
            return None
        if not amount:
            continue
        rate = Decimal(1) if asset == currency else rates.get(asset)
        if rate is None:
            return None
        total += amount if rate == 1 else money.settle_product(amount, rate)
    return total


def _open_profit(holding: Holding) -> Decimal | None:
    return None if holding.price is None else unrealized(holding.position, holding.instrument, holding.price)
