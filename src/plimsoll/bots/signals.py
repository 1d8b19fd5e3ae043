"""Score one closed bar between −1 (sell) and +1 (buy), and say how warm that is.

Rules of this file:
1. Positive is buy, in every part and in the sum.
2. No formula depends on the price's magnitude: every part is a ratio of prices to prices.
3. A market that stands still says nothing: its parts are 0, never a division by zero and never rounding noise.
4. Inside, floats; what comes out are Decimals read from the score's own text of 12 places, so that two runs compare,
   store and print the same number, and a threshold given as 0.30 means 0.30.

Orders, sizes, positions and clocks must not enter: whether to act on advice is `confirmation`'s question and the
runner's, and what to buy is the strategy's.

Source: SPEC §11.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from math import fsum
from typing import Final

from plimsoll.bots.indicators import LARGEST, STILL_RATIO, Atr, Macd, Rsi, Sma
from plimsoll.model.errors import Illegal

ATR_PERIOD: Final = 14

#: A MACD histogram of a quarter of the average true range is a full score.
MACD_FULL_RATIO: Final = 0.25

#: A fast average 1 % above the slow one is a full score.
MA_FULL_RATIO: Final = 0.01

#: The RSI that advises nothing.
RSI_NEUTRAL: Final = 50.0

SCORE_PLACES: Final = 12

#: Below this a price would become 0 as a double, or its reciprocal no number.
SMALLEST: Final = 1 / LARGEST


class Advice(StrEnum):
    """What the score asks for, before anybody has confirmed or checked it."""

    #: score ≥ `act_at`
    BUY = "BUY"
    #: score ≤ −`act_at`: close the bot's position, no short unless the strategy says so
    SELL = "SELL"
    #: neither
    HOLD = "HOLD"


class Temperature(StrEnum):
    """How far from nothing the score is, whichever its side."""

    #: |score| ≥ 0.30 by default
    HOT = "HOT"
    #: |score| ≥ 0.15 by default
    WARM = "WARM"
    #: |score| ≥ 0.05 by default
    COOL = "COOL"
    #: less
    FROZEN = "FROZEN"


@dataclass(frozen=True, slots=True)
class SignalRules:
    """Set the periods, weights and thresholds of the built-in score.

    Units:   periods in closed bars; RSI levels 0–100; weights and thresholds as parts of 1 (0.30 = 30 %)
    Refuses: RSI levels that do not enclose 50; a weight below 0; weights that sum to more than 1; thresholds out of
             order or outside 0–1; an `act_at` the weights can never reach; periods the indicators refuse
    """

    rsi_period: int = 14
    #: RSI at which the score is a full +1
    rsi_low: float = 30.0
    #: RSI at which the score is a full −1
    rsi_high: float = 70.0
    macd_fast: int = 12
    macd_slow: int = 26
    macd_signal: int = 9
    ma_fast: int = 10
    ma_slow: int = 20
    rsi_weight: float = 1 / 3
    macd_weight: float = 1 / 3
    ma_weight: float = 1 / 3
    act_at: Decimal = Decimal("0.30")
    hot_at: Decimal = Decimal("0.30")
    warm_at: Decimal = Decimal("0.15")
    cool_at: Decimal = Decimal("0.05")

    def __post_init__(self) -> None:
        _refuse_periods(self)
        if not 0.0 <= self.rsi_low < RSI_NEUTRAL:
            raise Illegal("rsi_low", self.rsi_low, "choose a level from 0 to below 50")
        if not RSI_NEUTRAL < self.rsi_high <= 100.0:
            raise Illegal("rsi_high", self.rsi_high, "choose a level above 50, up to 100")
        _refuse_thresholds(self)
        _refuse_weights(self)


def _refuse_periods(rules: SignalRules) -> None:
    for field, period in (
        ("rsi_period", rules.rsi_period),
        ("macd_fast", rules.macd_fast),
        ("macd_signal", rules.macd_signal),
        ("ma_fast", rules.ma_fast),
    ):
        if period < 1:
            raise Illegal(field, period, "give a whole number of bars, 1 or more")
    if rules.macd_fast >= rules.macd_slow:
        raise Illegal("macd_fast", rules.macd_fast, f"make it shorter than macd_slow {rules.macd_slow}")
    if rules.ma_fast >= rules.ma_slow:
        raise Illegal("ma_fast", rules.ma_fast, f"make it shorter than ma_slow {rules.ma_slow}")


def _refuse_thresholds(rules: SignalRules) -> None:
    for field, threshold in (
        ("act_at", rules.act_at),
        ("hot_at", rules.hot_at),
        ("warm_at", rules.warm_at),
        ("cool_at", rules.cool_at),
    ):
        if not (threshold.is_finite() and 0 < threshold <= 1):
            raise Illegal(field, threshold, "choose a part of 1 above 0, up to 1")
    if not rules.cool_at <= rules.warm_at <= rules.hot_at:
        raise Illegal("warm_at", rules.warm_at, f"keep it between cool_at {rules.cool_at} and hot_at {rules.hot_at}")


def _refuse_weights(rules: SignalRules) -> None:
    weights = {"rsi_weight": rules.rsi_weight, "macd_weight": rules.macd_weight, "ma_weight": rules.ma_weight}
    for field, weight in weights.items():
        if not 0.0 <= weight <= 1.0:
            raise Illegal(field, weight, "choose a part of 1, from 0 to 1")
    # Rounded once: three weights whose decimals sum to 1 are not refused for what doubles make of them.
    total = fsum(weights.values())
    if total > 1.0:
        raise Illegal("weights", total, "lower them until they sum to 1 or less")
    if through_text(total) < rules.act_at:
        raise Illegal("act_at", rules.act_at, f"lower it to {total!r} or less, the highest score these weights allow")


@dataclass(frozen=True, slots=True)
class Signal:
    """State what one closed bar advises and from which parts.

    Units:   all scores −1 to +1, positive = buy; the parts are before weighting
    """

    score: Decimal
    temperature: Temperature
    side: Advice
    # Every bar has parts and hardly anybody reads them, while turning them into text costs as much as computing them.
    rsi_part: float
    macd_part: float
    ma_part: float

    @property
    def rsi_score(self) -> Decimal:
        return through_text(self.rsi_part)

    @property
    def macd_score(self) -> Decimal:
        return through_text(self.macd_part)

    @property
    def ma_score(self) -> Decimal:
        return through_text(self.ma_part)


class SignalEngine:
    """Turn a feed of closed bars into signals, each bar evaluated once.

    Refuses: a price that is not finite and above 0 (from `SMALLEST` to `LARGEST`); a close outside its bar. Nothing
             has changed then, and the next good bar goes on where the last one stopped
    """

    __slots__ = ("_atr", "_ma_fast", "_ma_slow", "_macd", "_rsi", "rules")

    def __init__(self, rules: SignalRules) -> None:
        self.rules = rules
        self._rsi = Rsi(rules.rsi_period)
        self._macd = Macd(rules.macd_fast, rules.macd_slow, rules.macd_signal)
        self._atr = Atr(ATR_PERIOD)
        self._ma_fast = Sma(rules.ma_fast)
        self._ma_slow = Sma(rules.ma_slow)

    def on_close(self, high: Decimal, low: Decimal, close: Decimal) -> Signal | None:
        """Take the next closed bar, answer once every indicator is warmed up (bar 34 by default)."""
        top, bottom, last = _as_floats(high, low, close)
        # All five see every bar, also while one of them still warms up.
        rsi = self._rsi.update(last)
        macd = self._macd.update(last)
        atr = self._atr.update(top, bottom, last)
        fast = self._ma_fast.update(last)
        slow = self._ma_slow.update(last)
        if rsi is None or macd is None or atr is None or fast is None or slow is None:
            return None
        return judge(
            self.rules,
            rsi_score=score_rsi(rsi, self.rules),
            macd_score=score_macd(macd.histogram, atr, last),
            ma_score=score_ma(fast, slow),
        )


def _as_floats(high: Decimal, low: Decimal, close: Decimal) -> tuple[float, float, float]:
    if high.is_finite() and low.is_finite() and close.is_finite() and low <= close <= high:
        top, bottom = float(high), float(low)
        if bottom >= SMALLEST and top <= LARGEST:
            return top, bottom, float(close)
    for field, price in (("high", high), ("low", low), ("close", close)):
        if not (price.is_finite() and SMALLEST <= float(price) <= LARGEST):
            raise Illegal(field, price, "give a finite price above 0")
    raise Illegal("close", close, f"give a close from the low {low} to the high {high}")


def score_rsi(rsi: float, rules: SignalRules) -> float:
    """Score oversold as +1 and overbought as −1, 0 at 50; with 30/70 that is clip((50 − RSI) / 20)."""
    reach = RSI_NEUTRAL - rules.rsi_low if rsi < RSI_NEUTRAL else rules.rsi_high - RSI_NEUTRAL
    return _clip((RSI_NEUTRAL - rsi) / reach)


def score_macd(histogram: float, atr: float, close: float) -> float:
    """Score the histogram against the usual span of a bar.

    In a market that stands still the span decays towards 0 while the histogram keeps the rounding noise of its
    averages, so their ratio would shout; below `STILL_RATIO` of the price the answer is 0.
    """
    if atr <= close * STILL_RATIO:
        return 0.0
    return _clip(histogram / (MACD_FULL_RATIO * atr))


def score_ma(fast: float, slow: float) -> float:
    """Score how far the fast average stands above the slow one, ±1 at 1 %."""
    return _clip((fast / slow - 1.0) / MA_FULL_RATIO)


def judge(rules: SignalRules, *, rsi_score: float, macd_score: float, ma_score: float) -> Signal:
    """Weigh the three parts and read side and temperature off the score that will be stored."""
    score = through_text(
        rules.rsi_weight * rsi_score + rules.macd_weight * macd_score + rules.ma_weight * ma_score,
    )
    distance = abs(score)
    side = _side(score) if distance >= rules.act_at else Advice.HOLD
    return Signal(score, _temperature(distance, rules), side, rsi_score, macd_score, ma_score)


def through_text(value: float) -> Decimal:
    """Read a float back from its text of 12 places, with one zero instead of two."""
    return Decimal(repr(round(value, SCORE_PLACES) + 0.0))


def _side(score: Decimal) -> Advice:
    return Advice.BUY if score > 0 else Advice.SELL


def _temperature(distance: Decimal, rules: SignalRules) -> Temperature:
    if distance >= rules.hot_at:
        return Temperature.HOT
    if distance >= rules.warm_at:
        return Temperature.WARM
    return Temperature.COOL if distance >= rules.cool_at else Temperature.FROZEN


def _clip(ratio: float) -> float:
    if ratio > 1.0:
        return 1.0
    return -1.0 if ratio < -1.0 else ratio
