"""What can be traded, and the one rule by which a trade's size becomes money.

Symbols have one form, `BASE/QUOTE` on spot and `BASE/QUOTE:SETTLE` for derivatives; each venue maps its words to it.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from plimsoll.model import money
from plimsoll.model.errors import Illegal
from plimsoll.model.ids import InstrumentId


class AssetType(StrEnum):
    """What kind of thing an instrument is; decides price ages, collars and whether coins change hands."""

    CRYPTO = "CRYPTO"
    EQUITY = "EQUITY"
    ETF = "ETF"
    FUTURE = "FUTURE"
    PERPETUAL = "PERPETUAL"
    FOREX = "FOREX"
    CFD = "CFD"


_DERIVATIVES = frozenset({AssetType.FUTURE, AssetType.PERPETUAL, AssetType.CFD})


@dataclass(frozen=True, slots=True)
class Instrument:
    """One thing that one venue trades."""

    id: InstrumentId
    symbol: str
    venue: str
    asset_type: AssetType
    base: str
    quote: str
    #: The asset that profit and loss are paid in.
    settle: str
    #: Smallest step of an order's price.
    tick_size: Decimal
    #: Smallest step of an order's quantity.
    lot_size: Decimal
    min_quantity: Decimal = money.ZERO
    #: The venue's least value of an order, in quote.
    min_notional: Decimal = money.ZERO
    #: Units of base (linear) or quote (inverse) that one unit of quantity stands for.
    multiplier: Decimal = Decimal(1)
    #: Quantity counts quote units and pays in base (BTC/USD:BTC).
    inverse: bool = False
    tradable: bool = True
    #: The venue's own leverage limit for the smallest size; 1 where nothing can be borrowed.
    max_leverage: Decimal = Decimal(1)
    #: What people of this market call one step of its price; None where nobody does.
    pip_size: Decimal | None = None

    def __post_init__(self) -> None:
        for field in ("tick_size", "lot_size", "multiplier"):
            value: Decimal = getattr(self, field)
            money.check_digits(value, field)
            if value <= 0:
                raise Illegal(field, value, "give a step above zero")
        for field in ("min_quantity", "min_notional", "max_leverage"):
            least: Decimal = getattr(self, field)
            money.check_digits(least, field)
            if least < (1 if field == "max_leverage" else 0):
                raise Illegal(field, least, "give a leverage of 1 or more, and limits of 0 or more")
        wanted = f"{self.base}/{self.quote}" + (f":{self.settle}" if self.is_derivative else "")
        if self.symbol != wanted:
            raise Illegal("symbol", self.symbol, f"write it {wanted}")
        if self.inverse and not self.is_derivative:
            raise Illegal("inverse", self.inverse, "only a derivative can be inverse")

    @property
    def is_derivative(self) -> bool:
        """Say whether only profit and loss are paid, and no coins change hands."""
        return self.asset_type in _DERIVATIVES

    @property
    def cash_asset(self) -> str:
        """Name the asset in which notional, cost and profit are counted."""
        return self.settle if self.is_derivative else self.quote

    def notional(self, quantity: Decimal, price: Decimal) -> Decimal:
        """Value a quantity at a price, settled once, in the cash asset; never negative for a positive quantity.

        Source: linear q × p × m; inverse q × m / p (BitMEX and Bybit inverse contracts' documentation)
        """
        if self.inverse:
            return money.settle_quotient(quantity * self.multiplier, price)
        if self.multiplier == 1:  # nearly always, and this runs at every price
            return money.settle_product(quantity, price)
        return money.settle_product(quantity, price, self.multiplier)

    def round_down_to_lot(self, quantity: Decimal) -> Decimal:
        """Round a quantity towards zero to what the venue takes."""
        return money.round_down(quantity, self.lot_size)
