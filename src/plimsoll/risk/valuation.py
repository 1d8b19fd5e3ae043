"""What an account is worth: balances at today's prices plus the unrealised profit of derivatives, or *unknown*.

One holding without a price in time makes the whole unknown: unknown is not zero, not the last price, not 1. A spot
position is the cost view of coins that are already counted as a balance, so it is never counted again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from plimsoll.model import money
from plimsoll.model.ids import InstrumentId
from plimsoll.model.instrument import Instrument
from plimsoll.model.position import Position
from plimsoll.risk.conversion import Prices, Rate, convert

__all__ = [
    "NOTHING_BOUND",
    "Bound",
    "Holdings",
    "Prices",
    "Valuation",
    "add_up",
    "bound_in",
    "rate_of",
    "unpriced_among",
    "value_account",
]

_ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class Holdings:
    """What an account has, at one moment of its books."""

    base_currency: str
    #: (asset, amount) of every pocket and portfolio; the pocket `loan` carries debts as negative amounts.
    balances: Sequence[tuple[str, Decimal]]
    #: Open positions only, spot and derivatives.
    positions: Sequence[tuple[Position, Instrument]]
    #: Instruments of the account's venue, for converting one asset into another.
    instruments: Mapping[InstrumentId, Instrument]
    #: The leverage that each symbol's margin is counted at.
    leverages: Mapping[InstrumentId, Decimal]


@dataclass(frozen=True, slots=True)
class Valuation:
    """What an account is worth in its own currency."""

    #: None when something has no price; then `unpriced` says what.
    equity: Decimal | None
    unpriced: tuple[str, ...]
    #: Unsigned and signed value of everything held other than the account's own currency; None when unknown.
    gross: Decimal | None
    net: Decimal | None
    #: Initial margin of derivatives at their leverage.
    margin_used: Decimal | None
    has_derivatives: bool
    #: The rates it was valued at, one for each asset that needed one; how it was come by, and no part of what it is.
    rates: tuple[Rate, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Bound:
    """What open derivatives make of the one asset that they settle in, counted in that asset."""

    #: Initial margin at their leverage.
    margin: Decimal = money.ZERO
    #: What closing those that stand in profit would pay; and what closing the others would cost, unsigned.
    profit: Decimal = money.ZERO
    loss: Decimal = money.ZERO


NOTHING_BOUND = Bound()


def value_account(holdings: Holdings, prices: Prices) -> Valuation:
    """Value everything an account holds."""
    equity = gross = net = margin = money.ZERO
    unpriced: list[str] = []
    # Found once for each asset, however many pockets and positions hold it; this runs at every price.
    rates: dict[str, Rate] = {}
    base, instruments = holdings.base_currency, holdings.instruments
    for asset, amount in holdings.balances:
        if amount == 0:
            continue
        if asset == base:
            equity += amount
            continue
        rate = rates.get(asset) or convert(asset, base, instruments, prices)
        if rate is None:
            unpriced.append(asset)
            continue
        rates[asset] = rate
        value = _converted(amount, rate.value)
        equity += value
        gross += abs(value)
        net += value
    has_derivatives = False
    for position, instrument in holdings.positions:
        if not instrument.is_derivative:
            continue
        has_derivatives = True
        price = prices.of(instrument.id)
        settled_at = _ONE if instrument.settle == base else _noted(instrument.settle, holdings, prices, rates)
        if price is None or settled_at is None:
            unpriced.append(instrument.symbol)
            continue
        equity += _converted(position.unrealized_pnl(instrument, price), settled_at)
        value = _converted(instrument.notional(abs(position.quantity), price), settled_at)
        gross += value
        net += value if position.quantity > 0 else -value
        margin += money.settle_quotient(value, holdings.leverages[instrument.id])
    used = tuple(rates.values())
    if unpriced:
        return Valuation(None, tuple(unpriced), None, None, None, has_derivatives, used)
    return Valuation(equity, (), gross, net, margin, has_derivatives, used)


def _noted(asset: str, holdings: Holdings, prices: Prices, rates: dict[str, Rate]) -> Decimal | None:
    rate = rates.get(asset) or convert(asset, holdings.base_currency, holdings.instruments, prices)
    if rate is None:
        return None
    rates[asset] = rate
    return rate.value


def _converted(amount: Decimal, rate: Decimal) -> Decimal:
    # Most of what an account holds is in its own currency, and this runs at every price.
    return amount if rate == 1 else money.settle_product(amount, rate)


def bound_in(asset: str, holdings: Holdings, prices: Prices) -> Bound | None:
    """Sum what the derivatives that settle in an asset bind of it; None when one of them has no price in time."""
    margin = profit = loss = money.ZERO
    for position, instrument in holdings.positions:
        if not instrument.is_derivative or instrument.settle != asset:
            continue
        price = prices.of(instrument.id)
        if price is None:
            return None
        earned = position.unrealized_pnl(instrument, price)
        profit, loss = profit + max(earned, money.ZERO), loss - min(earned, money.ZERO)
        value = instrument.notional(abs(position.quantity), price)
        margin += money.settle_quotient(value, holdings.leverages[instrument.id])
    return Bound(margin, profit, loss)


def unpriced_among(amounts: Iterable[tuple[str, Decimal]], holdings: Holdings, prices: Prices) -> tuple[str, ...]:
    """Name the assets of which there is some and no price in time."""
    return tuple(asset for asset, amount in amounts if amount != 0 and rate_of(asset, holdings, prices) is None)


def add_up(amounts: Iterable[tuple[str, Decimal]], holdings: Holdings, prices: Prices) -> Decimal | None:
    """Add amounts of several assets up in the account's currency; None where one of them has no price in time."""
    total = money.ZERO
    for asset, amount in amounts:
        if amount == 0:
            continue
        rate = rate_of(asset, holdings, prices)
        if rate is None:
            return None
        total += _converted(amount, rate)
    return total


def rate_of(asset: str, holdings: Holdings, prices: Prices) -> Decimal | None:
    """Give the account's currency for one unit of an asset; None when no price in time says it."""
    if asset == holdings.base_currency:
        return _ONE
    rate = convert(asset, holdings.base_currency, holdings.instruments, prices)
    return None if rate is None else rate.value
