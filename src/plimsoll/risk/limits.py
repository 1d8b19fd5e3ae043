"""Limits: what an account may do, as two small tables. Live accounts get `cautious`, paper accounts `standard`.

A ratio is of equity unless its name says otherwise (0.05 = 5 %); `None` means that the profile has no such control.
A limit is data: the gate's controls read it and name the profile in every refusal.
"""

from dataclasses import dataclass, fields, replace
from datetime import timedelta
from decimal import Decimal

from plimsoll.model.errors import Illegal
from plimsoll.model.instrument import AssetType

#: "—" in the table of GATE.md: the limits that a profile may do without.
_MAY_BE_ABSENT = frozenset({"max_order_value"})

#: Clocks differ by this much without anybody being wrong; what is dated further ahead is refused.
CLOCK_SLACK = timedelta(seconds=1)

#: No setting, policy or admin goes above it.
HARD_MAX_LEVERAGE = Decimal(5)


@dataclass(frozen=True, slots=True)
class Limits:
    """Everything that a verdict compares with."""

    profile: str
    #: Counts up with every change; the verdict stores it.
    version: int
    #: 11: how old an instrument's metadata may be.
    max_metadata_age: timedelta
    max_metadata_age_equity: timedelta
    #: 15: how old the reference price of an opening order may be; the feed's declared interval × 1.5 rules when longer.
    max_price_age: timedelta
    max_price_age_equity: timedelta
    #: 16: how far an order's price may lie from the reference price.
    collar_fx_ratio: Decimal
    collar_major_ratio: Decimal
    collar_other_ratio: Decimal
    #: 18: a market order is valued this much worse than the worst side; where the venue takes no price limit it is
    #: refused when the spread is above `max_spread_ratio` of the bid.
    market_slack_ratio: Decimal
    max_spread_ratio: Decimal
    #: 22
    max_order_ratio: Decimal
    max_order_value: Decimal | None
    #: 27
    max_position_ratio: Decimal
    #: 28
    max_gross_ratio: Decimal
    max_net_ratio: Decimal
    #: 31: the leverage of a symbol that has none chosen, and the effective cap (the load's divisor).
    unset_leverage: Decimal
    leverage_cap: Decimal
    #: 32: load = gross value / (equity × leverage cap).
    warn_load_ratio: Decimal
    max_load_ratio: Decimal
    #: 34
    cash_buffer_ratio: Decimal
    #: 38
    drawdown_warn_ratio: Decimal
    drawdown_close_ratio: Decimal
    drawdown_hysteresis_ratio: Decimal
    min_equity: Decimal
    #: 10: our own least order, in the account's currency, tested on the requested value.
    min_order_value: Decimal
    #: 45
    repeat_window: timedelta
    #: 51
    max_intent_age: timedelta
    max_intent_age_person: timedelta

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Decimal) and not (value.is_finite() and value >= 0):
                raise Illegal(field.name, value, "give a finite number that is not negative")
            if isinstance(value, timedelta) and value < timedelta(0):
                raise Illegal(field.name, value, "give a time that is not negative")
            if value is None and field.name not in _MAY_BE_ABSENT:
                raise Illegal(field.name, value, "every profile has this control")
        if self.unset_leverage < 1:
            raise Illegal("unset_leverage", self.unset_leverage, "choose 1 or more")
        if not 1 <= self.leverage_cap <= HARD_MAX_LEVERAGE:
            raise Illegal("leverage_cap", self.leverage_cap, f"choose 1 to {HARD_MAX_LEVERAGE}; 5 is a hard maximum")

    def widened(self, **changes: Decimal | timedelta | None) -> "Limits":
        """Give the same limits with some replaced, one version later.

        Refuses: a name that is no limit
        """
        known = {field.name for field in fields(self)} - {"profile", "version"}
        for name in changes:
            if name not in known:
                raise Illegal("policy", name, f"choose one of {', '.join(sorted(known))}")
        return replace(self, version=self.version + 1, **changes)  # type: ignore[arg-type]  # names checked above


CAUTIOUS = Limits(
    profile="cautious",
    version=1,
    max_metadata_age=timedelta(hours=1),
    max_metadata_age_equity=timedelta(hours=24),
    max_price_age=timedelta(seconds=5),
    max_price_age_equity=timedelta(seconds=15),
    collar_fx_ratio=Decimal("0.02"),
    collar_major_ratio=Decimal("0.03"),
    collar_other_ratio=Decimal("0.05"),
    market_slack_ratio=Decimal("0.01"),
    max_spread_ratio=Decimal("0.005"),
    max_order_ratio=Decimal("0.05"),
    max_order_value=Decimal(750),
    max_position_ratio=Decimal("0.20"),
    max_gross_ratio=Decimal(2),
    max_net_ratio=Decimal(1),
    unset_leverage=Decimal(2),
    leverage_cap=Decimal(2),
    warn_load_ratio=Decimal("0.70"),
    max_load_ratio=Decimal("0.75"),
    cash_buffer_ratio=Decimal("0.01"),
    drawdown_warn_ratio=Decimal("0.15"),
    drawdown_close_ratio=Decimal("0.20"),
    drawdown_hysteresis_ratio=Decimal("0.02"),
    min_equity=Decimal(100),
    min_order_value=Decimal(10),
    repeat_window=timedelta(seconds=2),
    max_intent_age=timedelta(seconds=5),
    max_intent_age_person=timedelta(seconds=30),
)

STANDARD = replace(
    CAUTIOUS,
    profile="standard",
    max_order_ratio=Decimal(4),
    max_order_value=None,
    max_position_ratio=Decimal(4),
    max_gross_ratio=Decimal(5),
    max_net_ratio=Decimal(5),
    leverage_cap=Decimal(5),
)

PROFILES = {limits.profile: limits for limits in (CAUTIOUS, STANDARD)}

_EQUITIES = frozenset({AssetType.EQUITY, AssetType.ETF})


def price_age_limit(limits: Limits, asset_type: AssetType, interval: timedelta | None = None) -> timedelta:
    """Give how old the price of such an instrument may be; a feed of bars is judged by its own declared interval.

    Shapes: `interval` how often the source says a price is due; None for a stream of ticks
    """
    allowed = limits.max_price_age_equity if asset_type in _EQUITIES else limits.max_price_age
    return allowed if interval is None else max(allowed, interval * 3 / 2)


def metadata_age_limit(limits: Limits, asset_type: AssetType) -> timedelta:
    """Give how long ago the venue may have told us the rules of such an instrument."""
    return limits.max_metadata_age_equity if asset_type in _EQUITIES else limits.max_metadata_age
