"""What the paper venue charges and how unkind it is. By default kind: no latency, no partial fill, no random reject.

Chance is drawn from the `random.Random` handed to the venue, on the event loop, *before* the unit that uses it: a unit
that is run again after its group failed must come to the same answer.
"""

import random
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from plimsoll.model.errors import Illegal
from plimsoll.venues.paper.slippage import FixedSlippage, Slippage


@dataclass(frozen=True, slots=True)
class PaperRules:
    """How one paper venue behaves."""

    maker_fee_ratio: Decimal = Decimal("0.001")
    taker_fee_ratio: Decimal = Decimal("0.001")
    slippage: Slippage = field(default_factory=FixedSlippage)
    #: Where no leverage was chosen for a symbol; never above the instrument's own limit.
    default_leverage: Decimal = Decimal(2)
    #: A request takes this long to reach the exchange, evenly drawn.
    latency_min: timedelta = timedelta(0)
    latency_max: timedelta = timedelta(0)
    #: How often a fill takes only a part of what it could.
    partial_fill_probability: float = 0.0
    #: How large that part is, in whole percents of what is left, evenly drawn and rounded down to the lot.
    partial_fill_percent_min: int = 10
    partial_fill_percent_max: int = 90
    #: How often an order is refused for no reason of its own.
    reject_probability: float = 0.0
    #: The stream repeats what an answer already told, as many venues do.
    stream_repeats: bool = False
    #: Trades per page of `trades_since`.
    page_size: int = 500

    def __post_init__(self) -> None:
        for name in ("partial_fill_probability", "reject_probability"):
            if not 0 <= getattr(self, name) <= 1:
                raise Illegal(name, getattr(self, name), "give a probability of 0 to 1")
        if not timedelta(0) <= self.latency_min <= self.latency_max:
            raise Illegal("latency_min", self.latency_min, "give 0 or more, and at most latency_max")
        if not 1 <= self.partial_fill_percent_min <= self.partial_fill_percent_max <= 99:
            raise Illegal("partial_fill_percent_min", self.partial_fill_percent_min, "give 1 to 99 percent, min to max")
        if self.page_size < 1:
            raise Illegal("page_size", self.page_size, "give 1 or more")
        if self.default_leverage < 1:
            raise Illegal("default_leverage", self.default_leverage, "give 1 or more")

    def draw_latency(self, chance: random.Random) -> float:
        """Draw how many seconds a request travels; nothing is drawn where the rules leave no choice."""
        if self.latency_max == timedelta(0):
            return 0.0
        return chance.uniform(self.latency_min.total_seconds(), self.latency_max.total_seconds())

    def draw_reject(self, chance: random.Random) -> bool:
        """Draw whether an order is refused for no reason."""
        return self.reject_probability > 0 and chance.random() < self.reject_probability

    def draw_seed(self, chance: random.Random) -> int:
        """Draw the seed for all partial fills of one event; 0 where there are none to draw."""
        return chance.getrandbits(64) if self.partial_fill_probability else 0

    def part_of(self, quantity: Decimal, seed: int, order_name: str) -> Decimal:
        """Give how much of a quantity is filled now.

        The draw hangs on the order's name and not on its place in line, so that nobody's luck depends on a neighbour.
        """
        if not self.partial_fill_probability:
            return quantity
        luck = random.Random(f"{seed}|{order_name}")  # noqa: S311  a market's whim, no secret
        if luck.random() >= self.partial_fill_probability:
            return quantity
        return quantity * luck.randint(self.partial_fill_percent_min, self.partial_fill_percent_max) / 100
