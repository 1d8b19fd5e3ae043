"""What one asset is worth in another: which quotes say so, and of when the oldest of them is.

Rule 1. A pair of the two assets, either way round, is the rate; where it has no price in time, the rate is unknown, and
        no detour is taken around it.
Rule 2. Without such a pair one asset in between may lead there. Of several ways the one whose oldest quote is freshest
        counts; of equals the one whose instruments were listed first.
Rule 3. Derivatives are no way: nobody pays with them.
What must not enter: a rate of 1 for what looks alike (USD and USDT), the last price known, a rate without its time.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from plimsoll.model import money
from plimsoll.model.ids import InstrumentId
from plimsoll.model.instrument import Instrument
from plimsoll.model.quote import Quote

#: Assets that others are quoted in, for who looks for the pairs of a way by name.
BRIDGES = ("USDT", "USD", "USDC", "EUR", "BTC", "ETH")

_ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class Prices:
    """The quotes at hand, the hour, and how old one may be."""

    quotes: Mapping[InstrumentId, Quote]
    now: datetime
    max_age: timedelta

    def of(self, instrument_id: InstrumentId) -> Decimal | None:
        """Give the price that a holding is valued at, or None when there is none in time."""
        quote = self.quotes.get(instrument_id)
        if quote is None or not -self.max_age <= self.now - quote.at <= self.max_age:  # `in_time`, without a call
            return None
        return quote.valuation

    def in_time(self, instrument_id: InstrumentId) -> Quote | None:
        """Give the quote of an instrument unless it is too old."""
        quote = self.quotes.get(instrument_id)
        # A quote from further ahead is unknown too: beside a wrong clock it would stay fresh for as long as that is
        # off.
        if quote is None or not -self.max_age <= self.now - quote.at <= self.max_age:
            return None
        return quote


class Rate(NamedTuple):
    """What one unit of an asset is worth in another, and who says so."""

    asset: str
    value: Decimal
    #: The instruments whose quotes say so: one, or two over an asset in between.
    path: tuple[InstrumentId, ...]
    #: The venue's time of the oldest of these quotes.
    as_of: datetime


def convert(asset: str, into: str, instruments: Mapping[InstrumentId, Instrument], prices: Prices) -> Rate | None:
    """Find the rate of an asset; None when no price in time says it."""
    for instrument in instruments.values():
        # Said here and not through `_joins`: this runs for every asset at every price.
        base, quote = instrument.base, instrument.quote
        if ((base == asset and quote == into) or (base == into and quote == asset)) and not instrument.is_derivative:
            told = prices.in_time(instrument.id)
            if told is None:
                return None
            value = told.valuation if base == asset else money.settle_quotient(_ONE, told.valuation)
            return Rate(asset, value, (instrument.id,), told.at)
    found = [rate for way in _ways(asset, into, instruments) if (rate := _along(asset, way, prices)) is not None]
    return min(found, key=lambda rate: (prices.now - rate.as_of, rate.path), default=None)


def _joins(instrument: Instrument, asset: str, other: str) -> bool:
    base, quote = instrument.base, instrument.quote
    return (base == asset and quote == other) or (base == other and quote == asset)


def _ways(
    asset: str, into: str, instruments: Mapping[InstrumentId, Instrument]
) -> Iterator[tuple[Instrument, Instrument]]:
    pairs = [instrument for instrument in instruments.values() if not instrument.is_derivative]
    for first in pairs:
        if asset not in (first.base, first.quote):
            continue
        between = first.quote if first.base == asset else first.base
        for second in pairs:
            if _joins(second, between, into):
                yield first, second


def _along(asset: str, way: tuple[Instrument, Instrument], prices: Prices) -> Rate | None:
    # Multiplied and divided first, rounded once: two rounded rates would lose what a third of a coin is worth.
    above = below = _ONE
    held, as_of = asset, prices.now + prices.max_age
    for instrument in way:
        told = prices.in_time(instrument.id)
        if told is None:
            return None
        as_of = min(as_of, told.at)
        if instrument.base == held:
            above, held = above * told.valuation, instrument.quote
        else:
            below, held = below * told.valuation, instrument.base
    return Rate(asset, money.settle_quotient(above, below), tuple(instrument.id for instrument in way), as_of)
