"""Slippage models: how much worse than the quote a market order is filled. Pure; a float never comes near a price.

Units: every model gives a ratio of the price (0.0005 = 5 bps), worse for whoever trades; fill prices are settled to 18
       places and not rounded to the tick, since only order prices have a tick
"""

from dataclasses import dataclass
from decimal import Decimal
from math import isqrt
from typing import Protocol

from plimsoll.model import money
from plimsoll.model.errors import Illegal
from plimsoll.model.order import Side

BPS = Decimal("0.0001")
#: No model may take a seller's whole price: beyond this a number is a mistake of the model, not a market.
MAX_IMPACT_RATIO = Decimal("0.5")
_SCALE = 10**money.PLACES


class Slippage(Protocol):
    """A model of how far a size moves the price."""

    def ratio(self, quantity: Decimal, depth: Decimal | None) -> Decimal:
        """Give the ratio for a quantity; `depth` is the size at the best price, None where the source has none."""


@dataclass(frozen=True, slots=True)
class FixedSlippage:
    """The same for every size."""

    bps: Decimal = Decimal(5)

    def __post_init__(self) -> None:
        _check_bps(self.bps)

    def ratio(self, quantity: Decimal, depth: Decimal | None) -> Decimal:  # noqa: ARG002  one protocol for all models
        return self.bps * BPS


@dataclass(frozen=True, slots=True)
class LinearSlippage:
    """In proportion to the share of the depth that the order takes: `bps` for the whole of it."""

    bps: Decimal
    #: Stands in where the quote knows no sizes.
    usual_depth: Decimal

    def __post_init__(self) -> None:
        _check_bps(self.bps)
        _check_depth(self.usual_depth)

    def ratio(self, quantity: Decimal, depth: Decimal | None) -> Decimal:
        share = money.settle_quotient(quantity, depth or self.usual_depth)
        return min(money.settle_product(self.bps, BPS, share), MAX_IMPACT_RATIO)


@dataclass(frozen=True, slots=True)
class SquareRootSlippage:
    """With the square root of the share of the depth that the order takes: `bps` for the whole of it.

    Source: the square-root law of market impact, Almgren, Thum, Hauptmann and Li, "Direct Estimation of Equity Market
            Impact" (2005), read with exponent 1/2
    """

    bps: Decimal
    usual_depth: Decimal

    def __post_init__(self) -> None:
        _check_bps(self.bps)
        _check_depth(self.usual_depth)

    def ratio(self, quantity: Decimal, depth: Decimal | None) -> Decimal:
        share = money.settle_quotient(quantity, depth or self.usual_depth)
        # An integer root of the number scaled twice: exact to the 18th place, the same on every machine.
        root = Decimal(isqrt(int(share.scaleb(money.PLACES)) * _SCALE)).scaleb(-money.PLACES)
        return min(money.settle_product(self.bps, BPS, root), MAX_IMPACT_RATIO)


def slipped(price: Decimal, side: Side, ratio: Decimal) -> Decimal:
    """Move a price against whoever trades."""
    return money.settle_product(price, 1 + ratio if side is Side.BUY else 1 - ratio)


def _check_bps(bps: Decimal) -> None:
    if not 0 <= bps * BPS <= MAX_IMPACT_RATIO:
        raise Illegal("bps", bps, "give 0 to 5000 basis points")


def _check_depth(depth: Decimal) -> None:
    if depth <= 0:
        raise Illegal("usual_depth", depth, "give a quantity above zero")
