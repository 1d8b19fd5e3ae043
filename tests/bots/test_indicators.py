"""Indicators: worked by hand, against TA-Lib on a real series, and against their own rules."""

import csv
import gzip
import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.bots.indicators import LARGEST, Atr, Ema, Macd, MacdReading, Rsi, Sma
from plimsoll.model.errors import Illegal

Feed = Callable[[float], float | None]

PRICES = st.lists(st.floats(0.01, 1e6), min_size=60, max_size=90)


def feed(update: Feed, values: list[float]) -> list[float | None]:
    return [update(value) for value in values]


# --- worked by hand


def test_the_simple_average_waits_for_its_window_and_then_slides() -> None:
    assert feed(Sma(3).update, [1.0, 2.0, 6.0, 4.0]) == [None, None, 3.0, 4.0]


def test_the_exponential_average_starts_from_the_plain_average() -> None:
    # weight 2 / (3 + 1) = 1/2; seed (1 + 2 + 6) / 3 = 3; then halfway to each value
    assert feed(Ema(3).update, [1.0, 2.0, 6.0, 5.0, 8.0]) == [None, None, 3.0, 4.0, 6.0]


def test_the_relative_strength_is_the_share_of_rises_in_the_smoothed_movement() -> None:
    # changes +3, −1 | +1: gains 3/2 then (3/2 + 1)/2 = 5/4, losses 1/2 then 1/4
    assert feed(Rsi(2).update, [10.0, 13.0, 12.0, 13.0]) == [None, None, 75.0, 100.0 * (1.25 / 1.5)]


@pytest.mark.parametrize(("step", "expected"), [(1.0, 100.0), (-1.0, 0.0)])
def test_only_rises_read_100_and_only_falls_read_0(step: float, expected: float) -> None:
    assert feed(Rsi(3).update, [100.0 + step * bar for bar in range(6)])[3:] == [expected] * 3


def test_the_true_range_reaches_to_the_close_before_and_the_first_bar_only_lends_its_close() -> None:
    atr = Atr(2)
    assert atr.update(12.0, 8.0, 10.0) is None
    assert atr.update(15.0, 14.0, 14.0) is None  # gap up: 15 − 10 = 5
    assert atr.update(12.0, 11.0, 12.0) == 4.0  # gap down: 14 − 11 = 3; (5 + 3) / 2
    assert atr.update(13.0, 11.0, 12.0) == 3.0  # inside: 2; (4 × 1 + 2) / 2


def test_both_macd_averages_are_seeded_at_the_same_bar() -> None:
    # slow(3) seeds on 1, 2, 6 = 3; fast(2) on 2, 6 = 4, not on 1, 2. Next bar 5: slow 4, fast 4 + 2/3 × 1.
    macd = Macd(fast=2, slow=3, signal=1)
    assert [macd.update(value) for value in (1.0, 2.0)] == [None, None]
    assert macd.update(6.0) == MacdReading(line=1.0, signal=1.0, histogram=0.0)
    reading = macd.update(5.0)
    assert reading is not None
    assert reading.line == pytest.approx(2 / 3)
    assert reading.histogram == 0.0


def test_the_macd_signal_line_starts_from_the_plain_average_of_the_line() -> None:
    macd = Macd(fast=1, slow=2, signal=2)
    assert [macd.update(value) for value in (1.0, 3.0)] == [None, None]  # line 3 − 2 = 1
    # slow 2 + 2/3 × (6 − 2) = 14/3, line 4/3, signal (1 + 4/3) / 2
    reading = macd.update(6.0)
    assert reading is not None
    assert reading.line == pytest.approx(4 / 3)
    assert reading.signal == pytest.approx(7 / 6)
    assert reading.histogram == reading.line - reading.signal


# --- a market that stands still


@pytest.mark.parametrize("price", [0.0, 1e-8, 1.0, 1e8])
def test_no_movement_reads_50_at_any_price(price: float) -> None:
    assert feed(Rsi(3).update, [price] * 6) == [None] * 3 + [50.0] * 3


def test_the_last_move_before_a_standstill_fades_to_50_instead_of_standing_for_ever() -> None:
    rsi = Rsi(14)
    readings = feed(rsi.update, [100.0] * 15 + [99.0] + [99.0] * 12_000)
    assert readings[20] == 0.0
    assert readings[-1] == 50.0


# --- rules of the module


@given(st.lists(st.floats(-LARGEST, LARGEST), min_size=1, max_size=40), st.integers(1, 7))
def test_the_simple_average_is_the_exact_sum_of_its_window_rounded_once(values: list[float], period: int) -> None:
    average = Sma(period)
    for end, value in enumerate(values, start=1):
        window = values[max(0, end - period) : end]
        assert average.update(value) == (math.fsum(window) / period if end >= period else None)


@given(PRICES, st.lists(st.floats(-1e12, 1e12), max_size=50))
def test_the_simple_average_does_not_remember_where_the_feed_started(prices: list[float], before: list[float]) -> None:
    late, early = Sma(20), Sma(20)
    feed(early.update, before)
    assert feed(late.update, prices)[19:] == feed(early.update, prices)[19:]


@given(PRICES, st.integers(-40, 40))
def test_a_power_of_two_scales_every_value_to_the_last_bit(prices: list[float], power: int) -> None:
    scale = 2.0**power
    scaled = [price * scale for price in prices]
    makers: list[Callable[[], Feed]] = [
        lambda: Sma(20).update,
        lambda: Ema(12).update,
        lambda: spans(Atr(14)),
        lambda: histograms(Macd()),
    ]
    for make in makers:
        plain = feed(make(), prices)
        assert feed(make(), scaled) == [None if value is None else value * scale for value in plain]
    assert feed(Rsi(14).update, scaled) == feed(Rsi(14).update, prices)


@given(PRICES)
def test_averages_stay_within_what_they_average(prices: list[float]) -> None:
    low, high = min(prices) * (1 - 1e-12), max(prices) * (1 + 1e-12)
    for update in (Sma(20).update, Ema(12).update):
        assert all(low <= value <= high for value in feed(update, prices) if value is not None)
    assert all(0.0 <= value <= 100.0 for value in feed(Rsi(14).update, prices) if value is not None)


def spans(atr: Atr) -> Feed:
    return lambda close: atr.update(close * 1.25, close * 0.5, close)


def histograms(macd: Macd) -> Feed:
    def update(close: float) -> float | None:
        reading = macd.update(close)
        return None if reading is None else reading.histogram

    return update


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 2 * LARGEST])
@pytest.mark.parametrize(
    "make",
    [
        lambda: Sma(3).update,
        lambda: Ema(3).update,
        lambda: Rsi(3).update,
        lambda: histograms(Macd(2, 3, 2)),
        lambda: spans(Atr(3)),
    ],
    ids=["sma", "ema", "rsi", "macd", "atr"],
)
def test_what_is_no_number_is_refused_and_changes_nothing(make: Callable[[], Feed], bad: float) -> None:
    prices = [10.0, 11.0, 13.0, 12.0, 11.5, 14.0]
    undisturbed, disturbed = make(), make()
    for price in prices:
        with pytest.raises(Illegal):
            disturbed(bad)
        assert disturbed(price) == undisturbed(price)


@pytest.mark.parametrize(
    ("bar", "field"),
    [
        ((9.0, 10.0, 9.5), "high"),
        ((math.nan, 10.0, 10.0), "high"),
        ((11.0, math.nan, 10.0), "low"),
        ((11.0, 10.0, math.inf), "close"),
    ],
)
def test_a_bar_that_cannot_exist_is_refused_by_name(bar: tuple[float, float, float], field: str) -> None:
    with pytest.raises(Illegal) as refusal:
        Atr(3).update(*bar)
    assert refusal.value.field == field


@pytest.mark.parametrize(
    "make", [Sma, Ema, Rsi, Atr, lambda period: Macd(fast=period), lambda period: Macd(3, 4, period)]
)
def test_a_period_below_one_bar_is_refused(make: Callable[[int], object]) -> None:
    with pytest.raises(Illegal):
        make(0)


@pytest.mark.parametrize(("fast", "slow"), [(26, 12), (12, 12)])
def test_a_fast_average_that_is_not_faster_is_refused(fast: int, slow: int) -> None:
    with pytest.raises(Illegal, match="shorter"):
        Macd(fast, slow)


# --- TA-Lib as the oracle


def candles(test_data: Path) -> list[dict[str, str]]:
    with gzip.open(test_data / "candles" / "binance2024_btcusdt_4h.csv.gz", "rt", newline="") as file:
        return list(csv.DictReader(file))


def oracle(test_data: Path) -> list[dict[str, str]]:
    with (test_data / "indicators" / "talib_btcusdt_4h_2024.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_value_and_every_warm_up_is_that_of_talib(test_data: Path) -> None:
    # The oracle is written with 12 digits; 1e-11 is the last of them.
    bars, expected = candles(test_data), oracle(test_data)
    assert [bar["timestamp"] for bar in bars] == [row["timestamp"] for row in expected]
    closes = [float(bar["close"]) for bar in bars]
    updates: dict[str, Feed] = {
        "RSI_14": Rsi().update,
        "RSI_7": Rsi(7).update,
        "SMA_20": Sma(20).update,
        "SMA_50": Sma(50).update,
        "EMA_12": Ema(12).update,
        "EMA_26": Ema(26).update,
        "EMA_200": Ema(200).update,
    }
    for column, update in updates.items():
        agree(column, feed(update, closes), [row[column] for row in expected])

    atr = Atr()
    ranges = [atr.update(float(bar["high"]), float(bar["low"]), float(bar["close"])) for bar in bars]
    agree("ATR_14", ranges, [row["ATR_14"] for row in expected])

    macd = Macd()
    readings = [macd.update(close) for close in closes]
    for column, field in (("MACD", "line"), ("MACD_signal", "signal"), ("MACD_hist", "histogram")):
        ours = [None if reading is None else float(getattr(reading, field)) for reading in readings]
        # A difference of two averages near 43,000 carries their last digits.
        agree(column, ours, [row[column] for row in expected], absolute=1e-8)


def agree(column: str, ours: list[float | None], talib: list[str], absolute: float = 0.0) -> None:
    assert any(talib), f"{column} of the oracle is empty"
    for bar, (value, text) in enumerate(zip(ours, talib, strict=True)):
        expected = pytest.approx(float(text), rel=1e-11, abs=absolute) if text else None
        assert value == expected, f"{column} at bar {bar}"


def test_published_examples_come_out_within_their_tolerance(test_data: Path) -> None:
    document = json.loads((test_data / "indicators" / "asserted_vectors.json").read_text())
    kinds: dict[str, Callable[[int], Feed]] = {
        "RSI": lambda period: Rsi(period).update,
        "EMA": lambda period: Ema(period).update,
        "SMA": lambda period: Sma(period).update,
    }
    checked = 0
    for vector in document["vectors"]:
        wanted = {name: ({len(vector["close"]) - 1: value}) for name, value in vector.get("expect_last", {}).items()}
        wanted |= {name: dict(enumerate(values)) for name, values in vector.get("expect", {}).items()}
        for name, by_bar in wanted.items():
            kind, period = name.split("_")
            ours = feed(kinds[kind](int(period)), vector["close"])
            for bar, value in by_bar.items():
                expected = None if value is None else pytest.approx(value, abs=vector["tolerance"])
                assert ours[bar] == expected, f"{vector['id']} {name} at bar {bar}"
                checked += 1
    assert checked >= 36
