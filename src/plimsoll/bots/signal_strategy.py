"""Trade on the built-in score: buy when it is confirmed and high, sell what was bought when it is confirmed and low.

Rules of this file:
1. At most one position, of one trade size: a buy while something is held adds nothing.
2. A sell closes the whole of the bot's position, reduce-only; it never opens a short. A position that is short all the
   same (a correction may leave one) is closed by a buy.
3. What is below one lot or the venue's least quantity cannot be closed: it counts as flat, and goes with the next sale.
4. Times are those of the bars. A trade that the ledger knows of clears the confirmation, told of or not.

What must not enter: when the bot is evaluated, and whether it may trade (`runner`, the gate).

Source: SPEC §11.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final

from plimsoll.bots.confirmation import (
    CLEARED,
    Acting,
    Confirmation,
    ConfirmationRules,
    ConfirmationState,
    Waiting,
    after_signal,
    after_trade,
    may_act,
)
from plimsoll.bots.params import Params
from plimsoll.bots.signals import Advice, Signal, SignalEngine, SignalRules, Temperature
from plimsoll.bots.strategy import View, Wish
from plimsoll.model import money
from plimsoll.model.clock import parse_time, time_text
from plimsoll.model.errors import Illegal
from plimsoll.model.order import Side
from plimsoll.model.quote import Bar

NAME: Final = "signals"
#: In the quote currency; tested on what is wished for, before it is rounded down to a lot.
LEAST_TRADE_SIZE: Final = Decimal(10)
_STATE_KEYS: Final = frozenset({"advice", "since"})


class SignalStrategy:
    """Act on the score of each closed bar once it is confirmed, cooled down and nothing is pending.

    Units:   `trade_size` in the quote currency
    Refuses: a trade size below 10
    """

    __slots__ = ("_confirmation", "_engine", "_last", "_since", "confirmation_rules", "trade_size")

    def __init__(
        self,
        rules: SignalRules,
        confirmation_rules: ConfirmationRules,
        trade_size: Decimal = LEAST_TRADE_SIZE,
    ) -> None:
        if money.check_digits(trade_size, "trade_size") < LEAST_TRADE_SIZE:
            raise Illegal("trade_size", trade_size, f"give {LEAST_TRADE_SIZE} or more of the quote currency")
        self.trade_size = trade_size
        self.confirmation_rules = confirmation_rules
        self._engine = SignalEngine(rules)
        self._last: Signal | None = None
        self._confirmation: ConfirmationState = CLEARED
        # When the confirmation came to be what it is; the bars up to then have had their say.
        self._since: datetime | None = None

    @classmethod
    def from_params(cls, texts: Mapping[str, str]) -> "SignalStrategy":
        """Read `trade_size`, the times in minutes, and every field of the rules by its own name."""
        params, usual, patience = Params(texts), SignalRules(), ConfirmationRules()
        trade_size = params.decimal("trade_size", LEAST_TRADE_SIZE)
        confirmation_rules = ConfirmationRules(
            confirmation=params.minutes("confirmation_minutes", patience.confirmation),
            cooldown=params.minutes("cooldown_minutes", patience.cooldown),
        )
        rules = SignalRules(
            rsi_period=params.whole("rsi_period", usual.rsi_period),
            rsi_low=params.ratio("rsi_low", usual.rsi_low),
            rsi_high=params.ratio("rsi_high", usual.rsi_high),
            macd_fast=params.whole("macd_fast", usual.macd_fast),
            macd_slow=params.whole("macd_slow", usual.macd_slow),
            macd_signal=params.whole("macd_signal", usual.macd_signal),
            ma_fast=params.whole("ma_fast", usual.ma_fast),
            ma_slow=params.whole("ma_slow", usual.ma_slow),
            rsi_weight=params.ratio("rsi_weight", usual.rsi_weight),
            macd_weight=params.ratio("macd_weight", usual.macd_weight),
            ma_weight=params.ratio("ma_weight", usual.ma_weight),
            act_at=params.decimal("act_at", usual.act_at),
            hot_at=params.decimal("hot_at", usual.hot_at),
            warm_at=params.decimal("warm_at", usual.warm_at),
            cool_at=params.decimal("cool_at", usual.cool_at),
        )
        params.done()
        return cls(rules, confirmation_rules, trade_size)

    @property
    def name(self) -> str:
        return NAME

    @property
    def rules(self) -> SignalRules:
        return self._engine.rules

    @property
    def last_signal(self) -> Signal | None:
        """Show the last bar's signal, None while warming up. Looking never trades."""
        return self._last

    @property
    def temperature(self) -> Temperature | None:
        return None if self._last is None else self._last.temperature

    def on_close(self, bar: Bar, view: View) -> Wish | None:
        end = bar.end
        signal = self._last = self._engine.on_close(bar.high, bar.low, bar.close)
        if signal is None:
            return None
        self._clear_if_traded(view.last_trade_at)
        self._confirm(signal.side, end)
        return self._wish(signal, end, view, forced=False, key=time_text(end))

    def reconsider(self, view: View, *, forced: bool) -> Wish | None:
        """Ask again what the last bar advised, at the hour of the view; `forced` skips the confirmation, nothing else.

        Named by that hour: a decision of its own, which a refusal of the bar's does not speak for.
        """
        if self._last is None:
            return None
        self._clear_if_traded(view.last_trade_at)
        return self._wish(self._last, view.now, view, forced=forced, key=f"asked:{time_text(view.now)}")

    def waits_for(self, view: View) -> str:
        """Say what keeps it from acting at the hour of the view, empty when nothing does. Nothing changes.

        That the account may trade, and nothing is pending, is not asked here.
        """
        signal = self._last
        if signal is None:
            return "It has not seen enough closed bars to score one."
        if signal.side is not Advice.HOLD and not _fits(_side_of(signal), _whole_lots(view)):
            return "It holds its position already." if signal.side is Advice.BUY else "It holds nothing to sell."
        confirmation = self._cleared_by(view.last_trade_at)
        answer = may_act(confirmation, view.now, self.confirmation_rules, view.last_trade_at)
        return answer.sentence if isinstance(answer, Waiting) else ""

    def _wish(self, signal: Signal, at: datetime, view: View, *, forced: bool, key: str) -> Wish | None:
        if signal.side is Advice.HOLD:
            return None
        side, held = _side_of(signal), _whole_lots(view)
        if not _wanted(side, held, view):
            return None
        answer = may_act(self._confirmation, at, self.confirmation_rules, view.last_trade_at, forced=forced)
        if not isinstance(answer, Acting):
            return None
        name, context = f"{key}:{side}", _context(signal)
        if held:
            return Wish(name, side, quantity=abs(held), reduce_only=True, context=context)
        return Wish(name, side, quote_value=self.trade_size, context=context)

    def warm(self, bar: Bar) -> None:
        signal = self._last = self._engine.on_close(bar.high, bar.low, bar.close)
        # Bars that closed while the bot was down count for and against the advice, those before its state do not again.
        if signal is not None and (self._since is None or bar.end > self._since):
            self._confirm(signal.side, bar.end)

    def state(self) -> dict[str, str]:
        """Give the side being confirmed (HOLD: none) and since when; it changes only when the advice does."""
        if self._since is None:
            return {}
        confirming = self._confirmation
        advice = confirming.side if isinstance(confirming, Confirmation) else Advice.HOLD
        return {"advice": advice.value, "since": time_text(self._since)}

    def restore(self, state: Mapping[str, str]) -> None:
        if not state:
            self._confirmation, self._since = CLEARED, None
            return
        if state.keys() != _STATE_KEYS or state["advice"] not in set(Advice):
            raise Illegal("state", dict(state), "give what signals wrote: an advice and a time")
        advice, since = Advice(state["advice"]), parse_time(state["since"])
        self._confirmation = CLEARED if advice is Advice.HOLD else Confirmation(advice, since)
        self._since = since

    def acted(self, side: Side, at: datetime) -> None:  # noqa: ARG002  either side uses the advice up
        self._confirmation, self._since = after_trade(self._confirmation), at

    def _confirm(self, advice: Advice, end: datetime) -> None:
        moved = after_signal(self._confirmation, advice, end)
        if moved is not self._confirmation:
            self._confirmation, self._since = moved, end

    def _clear_if_traded(self, last_trade_at: datetime | None) -> None:
        cleared = self._cleared_by(last_trade_at)
        if cleared is not self._confirmation:
            self._confirmation, self._since = cleared, last_trade_at

    def _cleared_by(self, last_trade_at: datetime | None) -> ConfirmationState:
        # The trade of an order that was filled late, or that we crashed before hearing of.
        confirming = self._confirmation
        if isinstance(confirming, Confirmation) and last_trade_at is not None and last_trade_at >= confirming.since:
            return after_trade(confirming)
        return confirming


def _whole_lots(view: View) -> Decimal:
    held = view.position_quantity
    if held == 0:
        return held
    lots = view.instrument.round_down_to_lot(held)
    return money.ZERO if abs(lots) < view.instrument.min_quantity else lots


def _side_of(signal: Signal) -> Side:
    return Side.BUY if signal.side is Advice.BUY else Side.SELL


def _wanted(side: Side, held: Decimal, view: View) -> bool:
    return _fits(side, held) and (view.may_close if held else view.may_open)


def _fits(side: Side, held: Decimal) -> bool:
    """Say whether a side opens where nothing is held, or closes what is; nothing adds, and nothing goes short."""
    if held == 0:
        return side is Side.BUY
    return (held > 0) == (side is Side.SELL)


def _context(signal: Signal) -> str:
    scores = (
        ("score", signal.score),
        ("rsi", signal.rsi_score),
        ("macd", signal.macd_score),
        ("ma", signal.ma_score),
    )
    written = " ".join(f"{name}={money.decimal_text(score)}" for name, score in scores)
    return f"{written} temperature={signal.temperature}"
