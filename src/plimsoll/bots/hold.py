"""Buy once and hold: the plainest strategy there is, and the measure for the others."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final

from plimsoll.bots.params import Params
from plimsoll.bots.strategy import View, Wish
from plimsoll.model import money
from plimsoll.model.clock import time_text
from plimsoll.model.errors import Illegal
from plimsoll.model.order import Side
from plimsoll.model.quote import Bar

NAME: Final = "hold"
_HELD: Final = {"held": "yes"}


class Hold:
    """Buy share × leverage × equity once, as soon as the account is ACTIVE and valued, and never again.

    It has bought as soon as a wish of it was approved, whatever the venue made of it: a guard that closed the position
    must not find it opened again. While it is refused it wishes again at the next close, under a new key.

    Units:   `share` as a part of 1 (1.0 = all of the equity); the wish in the quote currency
    Refuses: a share of 0 or below, or above 1; an account whose currency is not the quote currency, since that needs a
             rate with an age
    """

    __slots__ = ("_held", "share")

    def __init__(self, share: Decimal = Decimal(1)) -> None:
        if not (money.check_digits(share, "share") > 0 and share <= 1):
            raise Illegal("share", share, "choose a part of 1 above 0, up to 1; leverage is set on the account")
        self.share = share
        self._held = False

    @classmethod
    def from_params(cls, texts: Mapping[str, str]) -> "Hold":
        """Read `share`."""
        params = Params(texts)
        share = params.decimal("share", Decimal(1))
        params.done()
        return cls(share)

    @property
    def name(self) -> str:
        return NAME

    def on_close(self, bar: Bar, view: View) -> Wish | None:
        if self._held:
            return None
        if view.position_quantity != 0 or view.last_trade_at is not None:
            # We crashed after the order was written and before `acted` was kept. The ledger remembers.
            self._held = True
            return None
        # A pending order is not yet a trade: if the venue rejects it, nothing was bought, and we may wish again.
        if not view.may_open or view.equity is None:
            return None
        if view.account_currency != view.instrument.quote:
            raise Illegal(
                "account_currency", view.account_currency, f"hold needs an account in {view.instrument.quote} for now"
            )
        value = money.settle_product(self.share, view.leverage, view.equity)
        if value <= 0:  # nothing left, or less than the last place
            return None
        return Wish(
            f"hold:{time_text(bar.end)}",
            Side.BUY,
            quote_value=value,
            allow_smaller=True,
            context=f"share={money.decimal_text(self.share)} leverage={money.decimal_text(view.leverage)}"
            f" equity={money.decimal_text(view.equity)}",
        )

    def waits_for(self, view: View) -> str:
        """Say what keeps it from buying, empty when nothing does. Nothing changes."""
        has_bought = self._held or view.position_quantity != 0 or view.last_trade_at is not None
        return "It has bought, and holds." if has_bought else ""

    def warm(self, bar: Bar) -> None:
        """Learn nothing: the past has no say in holding."""

    def state(self) -> dict[str, str]:
        return dict(_HELD) if self._held else {}

    def restore(self, state: Mapping[str, str]) -> None:
        if state and dict(state) != _HELD:
            raise Illegal("state", dict(state), f"give what hold wrote: {_HELD}, or nothing")
        self._held = bool(state)

    def acted(self, side: Side, at: datetime) -> None:  # noqa: ARG002  once is enough, whichever and whenever
        self._held = True
