"""What an account is worth: balances at today's prices plus the unrealised profit of derivatives, or *unknown*.

One holding without a price in time makes the whole unknown: unknown is not zero, not the last price, not 1. A spot
position is the cost view of coins that are already counted as a balance, so it is never counted again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from plimsoll.model import money
from plimsoll.model.ids import InstrumentId
from plimsoll.model.instrument import Instrument
from plimsoll.model.position import Position
from plimsoll.model.quote import Quote


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
class Prices:
    """The quotes at hand, the hour, and how old one may be."""

    quotes: Mapping[InstrumentId, Quote]
    now: datetime
    max_age: timedelta

    def of(self, instrument_id: InstrumentId) -> Decimal | None:
        """Give the price that a holding is valued at, or None when there is none in time."""
        quote = self.quotes.get(instrument_id)
        # A quote from further ahead is unknown too: beside a wrong clock it would stay fresh for as long as that is
        # off.
        if quote is None or not -self.max_age <= self.now - quote.at <= self.max_age:
            return None
        return quote.valuation


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
    for asset, amount in holdings.balances:
        if amount == 0:
            continue
        if asset == holdings.base_currency:
            equity += amount
            continue
        rate = rate_of(asset, holdings, prices)
        if rate is None:
            unpriced.append(asset)
            continue
        value = _converted(amount, rate)
        equity += value
        gross += abs(value)
        net += value
    has_derivatives = False
    for position, instrument in holdings.positions:
        if not instrument.is_derivative:
            continue
        has_derivatives = True
        price = prices.of(instrument.id)
        rate = rate_of(instrument.settle, holdings, prices)
        if price is None or rate is None:
            unpriced.append(instrument.symbol)
            continue
        equity += _converted(position.unrealized_pnl(instrument, price), rate)
        value = _converted(instrument.notional(abs(position.quantity), price), rate)
        gross += value
        net += value if position.quantity > 0 else -value
        margin += money.settle_quotient(value, holdings.leverages[instrument.id])
    if unpriced:
        return Valuation(None, tuple(unpriced), None, None, None, has_derivatives)
    return Valuation(equity, (), gross, net, margin, has_derivatives)


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
    base = holdings.base_currency
    if asset == base:
        return Decimal(1)
    for instrument in holdings.instruments.values():
        if instrument.is_derivative:
            continue
        if instrument.base == asset and instrument.quote == base:
            return prices.of(instrument.id)
        if instrument.base == base and instrument.quote == asset:
            price = prices.of(instrument.id)
            return None if price is None else money.settle_quotient(Decimal(1), price)
    return None
