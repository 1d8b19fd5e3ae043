"""What the exchange lists, and by which rules: steps, least orders, leverage, maintenance margin.

The rules are those that the desk's own table has for these symbols; the desk asks `GET /instruments` all the same.
"""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Listing:
    """One thing that is traded: a spot pair, or a linear perpetual that settles in its quote asset."""

    symbol: str
    base: str
    quote: str
    #: None on spot.
    settle: str | None
    tick: Decimal
    lot: Decimal
    min_notional: Decimal
    multiplier: Decimal = Decimal(1)
    max_leverage: Decimal = Decimal(1)
    #: Of the position's value at the mark: below it the exchange closes everything.
    maintenance_ratio: Decimal = Decimal("0.005")

    def __post_init__(self) -> None:
        assert self.settle in (None, self.quote), f"{self.symbol}: the exchange lists spot and linear perpetuals"

    @property
    def is_perpetual(self) -> bool:
        return self.settle is not None


def _of(symbol: str, tick: str, lot: str, min_notional: str, max_leverage: str = "1") -> Listing:
    pair, _, settle = symbol.partition(":")
    base, _, quote = pair.partition("/")
    return Listing(
        symbol,
        base,
        quote,
        settle or None,
        Decimal(tick),
        Decimal(lot),
        Decimal(min_notional),
        max_leverage=Decimal(max_leverage),
    )


#: Source: Binance spot and USDⓈ-M futures, exchangeInfo, as in `plimsoll.market.instruments`.
LISTINGS = {
    one.symbol: one
    for one in (
        _of("BTC/USDT", "0.01", "0.00001", "10"),
        _of("ETH/USDT", "0.01", "0.0001", "10"),
        _of("XRP/USDT", "0.0001", "0.1", "10"),
        _of("BTC/USDT:USDT", "0.1", "0.001", "10", "150"),
        _of("ETH/USDT:USDT", "0.01", "0.001", "10", "150"),
        _of("XRP/USDT:USDT", "0.0001", "0.1", "5", "100"),
    )
}
