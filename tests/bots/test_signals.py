"""Signals: the parts, the sum, the advice, and that no price's magnitude decides."""

import random
from decimal import Decimal
from typing import TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.bots.signals import (
    Advice,
    Signal,
    SignalEngine,
    SignalRules,
    Temperature,
    judge,
    score_ma,
    score_macd,
    score_rsi,
    through_text,
)
from plimsoll.model.errors import Illegal

Bar = tuple[Decimal, Decimal, Decimal]

RULES = SignalRules()
WARM_UP_BARS = 33


def walk(seed: int, bars: int = 120, volatility: float = 0.01) -> list[Bar]:
    """Draw high, low and close of a market with two decimals that starts at 40,000."""
    chance = random.Random(seed)
    close = 40_000.0
    drawn: list[Bar] = []
    for _ in range(bars):
        opened, close = close, close * (1 + chance.gauss(0, volatility))
        high = max(opened, close) * (1 + abs(chance.gauss(0, volatility / 2)))
        low = min(opened, close) * (1 - abs(chance.gauss(0, volatility / 2)))
        drawn.append((Decimal(f"{high:.2f}"), Decimal(f"{low:.2f}"), Decimal(f"{close:.2f}")))
    return drawn


def run(bars: list[Bar], rules: SignalRules = RULES) -> list[Signal | None]:
    engine = SignalEngine(rules)
    return [engine.on_close(*bar) for bar in bars]


def ready(signals: list[Signal | None]) -> list[Signal]:
    return [signal for signal in signals if signal is not None]


def trend(step: str, bars: int = 60) -> list[Bar]:
    """Draw a market that gains `step` on 1,000 with each bar, in bars 4 high."""
    closes = [Decimal(1000) + Decimal(step) * bar for bar in range(bars)]
    return [(close + 2, close - 2, close) for close in closes]


# --- the parts


@pytest.mark.parametrize(
    ("rsi", "score"), [(10, 1.0), (30, 1.0), (40, 0.5), (50, 0.0), (60, -0.5), (70, -1.0), (95, -1.0)]
)
def test_an_oversold_market_scores_buy_and_an_overbought_one_sell(rsi: float, score: float) -> None:
    assert score_rsi(rsi, RULES) == score


@pytest.mark.parametrize(("rsi", "score"), [(20, 1.0), (35, 0.5), (50, 0.0), (55, -0.5), (60, -1.0)])
def test_uneven_levels_still_call_50_neutral(rsi: float, score: float) -> None:
    assert score_rsi(rsi, SignalRules(rsi_low=20.0, rsi_high=60.0)) == score


@pytest.mark.parametrize(
    ("histogram", "score"), [(0.0, 0.0), (1.25, 0.5), (2.5, 1.0), (9.0, 1.0), (-1.25, -0.5), (-9.0, -1.0)]
)
def test_a_histogram_of_a_quarter_of_the_usual_bar_is_a_full_score(histogram: float, score: float) -> None:
    assert score_macd(histogram, atr=10.0, close=1000.0) == score


@pytest.mark.parametrize("atr", [0.0, 1e-13])
def test_rounding_noise_over_a_vanished_range_scores_nothing(atr: float) -> None:
    assert score_macd(1e-13, atr=atr, close=1000.0) == 0.0


@pytest.mark.parametrize(
    ("fast", "score"), [(1000.0, 0.0), (1005.0, 0.5), (1010.0, 1.0), (1100.0, 1.0), (995.0, -0.5), (900.0, -1.0)]
)
def test_a_fast_average_one_percent_above_the_slow_one_is_a_full_buy(fast: float, score: float) -> None:
    assert score_ma(fast, slow=1000.0) == pytest.approx(score, abs=1e-12)


# --- the sum and what it advises


@pytest.mark.parametrize(
    ("score", "temperature", "side"),
    [
        (1.0, Temperature.HOT, Advice.BUY),
        (0.30, Temperature.HOT, Advice.BUY),
        (0.299999999999, Temperature.WARM, Advice.HOLD),
        (0.15, Temperature.WARM, Advice.HOLD),
        (0.149, Temperature.COOL, Advice.HOLD),
        (0.05, Temperature.COOL, Advice.HOLD),
        (0.049, Temperature.FROZEN, Advice.HOLD),
        (0.0, Temperature.FROZEN, Advice.HOLD),
        (-0.049, Temperature.FROZEN, Advice.HOLD),
        (-0.05, Temperature.COOL, Advice.HOLD),
        (-0.15, Temperature.WARM, Advice.HOLD),
        (-0.30, Temperature.HOT, Advice.SELL),
        (-1.0, Temperature.HOT, Advice.SELL),
    ],
)
def test_temperature_is_the_distance_from_nothing_and_the_side_its_sign(
    score: float, temperature: Temperature, side: Advice
) -> None:
    signal = judge(
        SignalRules(rsi_weight=1.0, macd_weight=0.0, ma_weight=0.0), rsi_score=score, macd_score=0, ma_score=0
    )
    assert (signal.score, signal.temperature, signal.side) == (Decimal(repr(score)), temperature, side)


def test_a_third_each_is_the_default_and_three_full_parts_make_one() -> None:
    assert judge(RULES, rsi_score=1.0, macd_score=1.0, ma_score=1.0).score == 1
    assert judge(RULES, rsi_score=-1.0, macd_score=-1.0, ma_score=-1.0).score == -1
    assert judge(RULES, rsi_score=1.0, macd_score=-1.0, ma_score=0.0).score == 0
    assert judge(RULES, rsi_score=0.9, macd_score=0.0, ma_score=0.0).score == Decimal("0.3")


def test_each_weight_counts_its_own_part() -> None:
    rules = SignalRules(rsi_weight=0.5, macd_weight=0.25, ma_weight=0.125)
    signal = judge(rules, rsi_score=0.5, macd_score=-1.0, ma_score=1.0)
    assert signal.score == Decimal("0.125")
    assert (signal.rsi_score, signal.macd_score, signal.ma_score) == (Decimal("0.5"), Decimal(-1), Decimal(1))


def test_a_bot_may_act_later_than_hot() -> None:
    signal = judge(SignalRules(act_at=Decimal("0.5")), rsi_score=1.0, macd_score=0.35, ma_score=0.0)
    assert (signal.temperature, signal.side) == (Temperature.HOT, Advice.HOLD)


@pytest.mark.parametrize(
    ("value", "text"), [(0.1 + 0.2, "0.3"), (1 / 3, "0.333333333333"), (-1e-13, "0.0"), (-0.0, "0.0"), (1.0, "1.0")]
)
def test_a_score_comes_back_through_its_text_with_one_zero(value: float, text: str) -> None:
    assert str(through_text(value)) == text


# --- the feed


def test_nothing_is_said_before_every_indicator_is_warmed_up() -> None:
    signals = run(walk(seed=1, bars=40))
    assert signals[:WARM_UP_BARS] == [None] * WARM_UP_BARS
    assert None not in signals[WARM_UP_BARS:]


def test_a_longer_average_delays_the_first_signal() -> None:
    signals = run(walk(seed=1, bars=60), SignalRules(ma_slow=50))
    assert signals[48] is None
    assert signals[49] is not None


def test_a_steady_rise_is_overbought_and_trending_at_once() -> None:
    last = ready(run(trend("10")))[-1]
    assert last.rsi_score == -1
    assert last.ma_score == 1
    assert ready(run(trend("-5")))[-1].rsi_score == 1
    assert ready(run(trend("-5")))[-1].ma_score == -1


def test_the_macd_part_buys_when_a_fall_turns_into_a_rise() -> None:
    fall = trend("-5")
    bottom = fall[-1][2]
    rise = [(bottom + 5 * bar + 2, bottom + 5 * bar - 2, bottom + 5 * bar) for bar in range(1, 6)]
    last = ready(run(fall + rise))[-1]
    assert last.macd_score == 1


@pytest.mark.parametrize("price", ["0.00000001", "1", "43210.98", "10000000000"])
def test_a_flat_market_says_exactly_nothing(price: str) -> None:
    close = Decimal(price)
    signals = ready(run([(close, close, close)] * 60))
    nothing = Signal(Decimal(0), Temperature.FROZEN, Advice.HOLD, rsi_part=0.0, macd_part=0.0, ma_part=0.0)
    assert signals == [nothing] * len(signals)
    assert signals


def test_a_market_that_stops_moving_falls_silent_and_stays_so() -> None:
    # While the range decays, the averages keep rounding noise: it must never grow into a score.
    bars = walk(seed=3, bars=60)
    close = bars[-1][2]
    after = ready(run(bars + [(close, close, close)] * 12_000))
    assert after[0].score != 0
    assert all(signal.side is Advice.HOLD for signal in after[600:])
    assert all(abs(signal.score) < Decimal("0.001") for signal in after[600:])
    assert after[-1].score == 0


def test_the_same_bars_give_the_same_signals() -> None:
    assert run(walk(seed=7)) == run(walk(seed=7))


@given(st.integers(0, 2**32), st.integers(-30, 30))
def test_a_power_of_two_on_all_prices_changes_no_digit_of_any_signal(seed: int, power: int) -> None:
    bars = walk(seed, bars=60)
    scale = Decimal(2**power) if power >= 0 else Decimal("0.5") ** -power
    assert run([(high * scale, low * scale, close * scale) for high, low, close in bars]) == run(bars)


@given(st.integers(0, 2**32), st.sampled_from([Decimal(1000), Decimal("0.001"), Decimal("0.00000007")]))
def test_any_factor_on_all_prices_leaves_the_scores(seed: int, factor: Decimal) -> None:
    bars = walk(seed, bars=60)
    scaled = [(high * factor, low * factor, close * factor) for high, low, close in bars]
    for ours, theirs in zip(ready(run(scaled)), ready(run(bars)), strict=True):
        for part in ("score", "rsi_score", "macd_score", "ma_score"):
            assert abs(getattr(ours, part) - getattr(theirs, part)) <= Decimal("1e-9")


@given(st.integers(0, 2**32))
def test_every_score_stays_between_minus_one_and_one(seed: int) -> None:
    for signal in ready(run(walk(seed, bars=60, volatility=0.05))):
        for score in (signal.score, signal.rsi_score, signal.macd_score, signal.ma_score):
            assert -1 <= score <= 1


@pytest.mark.parametrize(
    ("bar", "field"),
    [
        (("NaN", "1", "1"), "high"),
        (("2", "-1", "1"), "low"),
        (("2", "0", "1"), "low"),
        (("2", "1", "Infinity"), "close"),
        (("2", "1", "sNaN"), "close"),
        (("2", "1e-400", "1"), "low"),
        (("1e200", "1", "1"), "high"),
        (("2", "1", "3"), "close"),
        (("3", "2", "1"), "close"),
    ],
)
def test_a_bar_that_cannot_exist_is_refused_and_changes_nothing(bar: tuple[str, str, str], field: str) -> None:
    bars = walk(seed=5, bars=40)
    engine = SignalEngine(RULES)
    for good in bars[:-1]:
        engine.on_close(*good)
    with pytest.raises(Illegal) as refusal:
        engine.on_close(Decimal(bar[0]), Decimal(bar[1]), Decimal(bar[2]))
    assert refusal.value.field == field
    assert engine.on_close(*bars[-1]) == run(bars)[-1]


# --- the rules


class Changes(TypedDict, total=False):
    rsi_period: int
    rsi_low: float
    rsi_high: float
    macd_fast: int
    macd_signal: int
    ma_fast: int
    ma_slow: int
    rsi_weight: float
    macd_weight: float
    ma_weight: float
    act_at: Decimal
    hot_at: Decimal
    warm_at: Decimal
    cool_at: Decimal


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        (Changes(rsi_weight=0.4), "weights"),
        (Changes(rsi_weight=1.1, macd_weight=0.0, ma_weight=0.0), "rsi_weight"),
        (Changes(macd_weight=-0.1), "macd_weight"),
        (Changes(ma_weight=float("nan")), "ma_weight"),
        (Changes(rsi_weight=0.0, macd_weight=0.0, ma_weight=0.2), "act_at"),
        (Changes(rsi_low=50.0), "rsi_low"),
        (Changes(rsi_low=-1.0), "rsi_low"),
        (Changes(rsi_high=50.0), "rsi_high"),
        (Changes(rsi_high=101.0), "rsi_high"),
        (Changes(rsi_period=0), "rsi_period"),
        (Changes(macd_signal=0), "macd_signal"),
        (Changes(macd_fast=26), "macd_fast"),
        (Changes(ma_fast=20), "ma_fast"),
        (Changes(ma_fast=0), "ma_fast"),
        (Changes(act_at=Decimal(0)), "act_at"),
        (Changes(act_at=Decimal("1.01")), "act_at"),
        (Changes(hot_at=Decimal("NaN")), "hot_at"),
        (Changes(hot_at=Decimal("0.1")), "warm_at"),
        (Changes(warm_at=Decimal("0.01")), "warm_at"),
        (Changes(cool_at=Decimal("-0.01")), "cool_at"),
    ],
)
def test_rules_that_make_no_sense_are_refused_by_name(changes: Changes, field: str) -> None:
    with pytest.raises(Illegal) as refusal:
        SignalRules(**changes)
    assert refusal.value.field == field


@pytest.mark.parametrize(
    "weights", [(0.1, 0.2, 0.7), (0.34, 0.33, 0.33), (0.1, 0.1, 0.1), (0.0, 0.0, 1.0), (0.3, 0.0, 0.0)]
)
def test_weights_that_sum_to_one_or_less_are_allowed(weights: tuple[float, float, float]) -> None:
    rsi, macd, ma = weights
    rules = SignalRules(rsi_weight=rsi, macd_weight=macd, ma_weight=ma)
    assert judge(rules, rsi_score=1.0, macd_score=1.0, ma_score=1.0).side is Advice.BUY
