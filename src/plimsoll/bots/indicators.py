"""Compute indicators one closed bar at a time, the same bits live as in a backtest.

Rules of this file:
1. Every `update` costs the same however long the feed has run, and answers None until it is warmed up.
2. A value that is refused changes nothing: it is checked before any state moves.
3. `Sma` forgets exactly: the same last `period` values give the same bits, wherever the feed started.
   The recursive ones (`Ema`, `Macd`, `Rsi`, `Atr`) are functions of the whole feed since its first bar: two runs
   agree bit by bit when they start at the same bar, and only approach each other when they do not.
4. Multiplying all prices by a power of two multiplies the values by it (or leaves them, where they are ratios) to the
   last bit. So no constant here is an absolute size of a price; `LARGEST` only marks what is no price at all.

Warm-up, seeds and the order of operations are TA-Lib's, the oracle of the tests; the one departure is `Rsi` in a
market that stands still. Floats are allowed here because an indicator is an opinion. Money must not enter, nor
Decimal, scores, clocks or I/O.

Source: TA-Lib C sources, ta_EMA.c, ta_MACD.c, ta_RSI.c, ta_ATR.c; values checked against release 0.8.1.
"""

from collections import deque
from dataclasses import dataclass
from math import fsum
from typing import Final

from plimsoll.model.errors import Illegal

#: Far above any price, far enough below the end of the doubles that no sum of a window overflows.
LARGEST: Final = 1e100

#: Movement below this part of the price is what smoothing and rounding leave behind, not the market. The finest tick
#: traded is about 1e-8 of its price; rounding noise of a recursive average is about 1e-15 of it.
STILL_RATIO: Final = 1e-10


def _refuse_period(field: str, period: int) -> None:
    if period < 1:
        raise Illegal(field, period, "give a whole number of bars, 1 or more")


def _illegal_value(field: str, value: float) -> Illegal:
    return Illegal(field, value, f"give a finite number between -{LARGEST:g} and {LARGEST:g}")


class Sma:
    """Average the last `period` values, rounded once.

    Units:   same as the input
    Refuses: a period below 1; a value that is not finite or beyond `LARGEST`
    """

    __slots__ = ("_count", "_exact", "_high", "_low", "_period", "_window")

    def __init__(self, period: int) -> None:
        _refuse_period("period", period)
        self._period = period
        self._window: deque[float] = deque([0.0] * period, maxlen=period)
        self._count = 0
        # The sum of the window is `_high + _low` without any rounding, as long as `_exact` holds. A plain running sum
        # keeps a rounding error of every bar it ever saw, so two feeds would differ for ever by where they began.
        self._high = 0.0
        self._low = 0.0
        self._exact = True

    def update(self, value: float) -> float | None:
        """Take the next value, answer from the `period`-th on."""
        if not -LARGEST <= value <= LARGEST:
            raise _illegal_value("value", value)
        window = self._window
        oldest = window[0]
        window.append(value)
        # Two doubles hold 106 bits: enough unless the window mixes magnitudes some 2**50 apart. Then the remainder
        # of the third sum is not zero, and the next bar adds up the window itself instead of trusting the two.
        terms = (self._high, self._low, value, -oldest) if self._exact else tuple(window)
        self._high = high = fsum(terms)
        self._low = low = fsum((*terms, -high))
        self._exact = low == 0.0 or fsum((*terms, -high, -low)) == 0.0
        if self._count < self._period:
            self._count += 1
            if self._count < self._period:
                return None
        return high / self._period


class Ema:
    """Average with exponential weights, `2 / (period + 1)` for the newest value; the seed is a plain average.

    Units:   same as the input
    Refuses: a period below 1; a value that is not finite or beyond `LARGEST`
    """

    __slots__ = ("_average", "_missing", "_period", "_weight")

    def __init__(self, period: int) -> None:
        _refuse_period("period", period)
        self._period = period
        self._weight = 2.0 / (period + 1)
        self._missing = period
        self._average = 0.0

    def update(self, value: float) -> float | None:
        """Take the next value, answer from the `period`-th on."""
        if not -LARGEST <= value <= LARGEST:
            raise _illegal_value("value", value)
        return self._fold(value)

    def _fold(self, value: float) -> float | None:
        if not self._missing:
            self._average = average = (value - self._average) * self._weight + self._average
            return average
        self._average += value  # while warming up this is the sum of the seed
        self._missing -= 1
        if self._missing:
            return None
        self._average /= self._period
        return self._average


@dataclass(frozen=True, slots=True)
class MacdReading:
    """Hold the three numbers of one bar, in price units."""

    #: fast EMA − slow EMA
    line: float
    #: EMA of `line`
    signal: float
    #: `line − signal`; positive when the rise gains speed
    histogram: float


class Macd:
    """Measure how far a fast average runs ahead of a slow one, and whether the distance grows.

    Shapes:  update(close) -> MacdReading from bar `slow + signal - 1` on, None before
    Units:   price units
    Refuses: a period below 1; fast not shorter than slow; a value that is not finite or beyond `LARGEST`
    Source:  ta_MACD.c: the seed of the fast average ends at the same bar as that of the slow one
    """

    __slots__ = ("_fast", "_fast_waits", "_signal", "_slow")

    def __init__(self, fast: int = 12, slow: int = 26, signal: int = 9) -> None:
        _refuse_period("fast", fast)
        _refuse_period("signal", signal)
        if fast >= slow:
            raise Illegal("fast", fast, f"make it shorter than the slow period {slow}")
        self._fast = Ema(fast)
        self._slow = Ema(slow)
        self._signal = Ema(signal)
        self._fast_waits = slow - fast

    def update(self, value: float) -> MacdReading | None:
        """Take the next close, answer when the signal line is warmed up."""
        if not -LARGEST <= value <= LARGEST:
            raise _illegal_value("value", value)
        slow = self._slow._fold(value)
        if self._fast_waits:
            self._fast_waits -= 1
            return None
        fast = self._fast._fold(value)
        if fast is None or slow is None:
            return None
        line = fast - slow
        signal = self._signal._fold(line)
        return None if signal is None else MacdReading(line, signal, line - signal)


class Rsi:
    """Weigh rises against falls with Wilder's smoothing: 100 only rises, 0 only falls, 50 balance or no movement.

    Units:   0 to 100, whatever the price
    Refuses: a period below 1; a value that is not finite or beyond `LARGEST`
    Source:  ta_RSI.c, except where nothing moves: TA-Lib answers 0 there (the strongest buy there is), we answer 50.
             Its test for "nothing" is an absolute size and so depends on the price's magnitude; ours is a ratio.
    """

    __slots__ = ("_gain", "_last", "_loss", "_missing", "_period")

    def __init__(self, period: int = 14) -> None:
        _refuse_period("period", period)
        self._period = period
        self._missing = period
        self._last: float | None = None
        self._gain = 0.0
        self._loss = 0.0

    def update(self, value: float) -> float | None:
        """Take the next close, answer from bar `period + 1` on, since a change needs two closes."""
        if not -LARGEST <= value <= LARGEST:
            raise _illegal_value("value", value)
        last = self._last
        self._last = value
        if last is None:
            return None
        change = value - last
        if self._missing:
            return self._warm_up(change, value)
        period = self._period
        if change > 0.0:
            self._gain = gain = (self._gain * (period - 1) + change) / period
            self._loss = loss = self._loss * (period - 1) / period
        else:
            self._gain = gain = self._gain * (period - 1) / period
            self._loss = loss = (self._loss * (period - 1) - change) / period
        return _balance(gain, loss, value)

    def _warm_up(self, change: float, value: float) -> float | None:
        if change > 0.0:
            self._gain += change
        else:
            self._loss -= change
        self._missing -= 1
        if self._missing:
            return None
        self._gain /= self._period
        self._loss /= self._period
        return _balance(self._gain, self._loss, value)


def _balance(gain: float, loss: float, value: float) -> float:
    moved = gain + loss
    return 100.0 * (gain / moved) if moved > abs(value) * STILL_RATIO else 50.0


class Atr:
    """Average the true range (the bar's span, stretched to the close before it) with Wilder's smoothing.

    Units:   price units, never negative
    Refuses: a period below 1; a value that is not finite or beyond `LARGEST`; a high below its low
    Source:  ta_ATR.c: the first bar only lends its close, the seed is the average of the next `period` true ranges
    """

    __slots__ = ("_average", "_last", "_missing", "_period")

    def __init__(self, period: int = 14) -> None:
        _refuse_period("period", period)
        self._period = period
        self._missing = period
        self._last: float | None = None
        self._average = 0.0

    def update(self, high: float, low: float, close: float) -> float | None:
        """Take the next bar, answer from bar `period + 1` on."""
        if not (-LARGEST <= low <= high <= LARGEST and -LARGEST <= close <= LARGEST):
            raise _illegal_bar(high, low, close)
        last = self._last
        self._last = close
        if last is None:
            return None
        # What TA-Lib writes as the largest of three distances.
        true_range = (high if high > last else last) - (low if low < last else last)
        period = self._period
        if not self._missing:
            self._average = average = (self._average * (period - 1) + true_range) / period
            return average
        self._average += true_range  # while warming up this is the sum of the seed
        self._missing -= 1
        if self._missing:
            return None
        self._average /= period
        return self._average


def _illegal_bar(high: float, low: float, close: float) -> Illegal:
    for field, value in (("high", high), ("low", low), ("close", close)):
        if not -LARGEST <= value <= LARGEST:
            return _illegal_value(field, value)
    return Illegal("high", high, f"give a high that is not below the low {low!r}")
