"""The synthetic market: sane, labelled, and the same wherever its seed is the same."""

import hashlib
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.market.synthetic import synthetic_bars, synthetic_facts
from plimsoll.model.errors import Illegal
from plimsoll.model.ids import InstrumentId
from plimsoll.model.quote import Bar, Fact

START = datetime(2024, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
#: SHA-256 of the first 5,000 bars of seed 0.
PINNED = "a89cde3b280ce71f3f84a16ff9e4a53cd3f2b6e3c909fce1348afd650299bdf5"


def market(
    seed: int = 0, count: int = 200, first: str = "50000", tick: str = "0.1", interval: timedelta = MINUTE
) -> list[Bar]:
    return list(synthetic_bars(seed, InstrumentId(1), START, interval, count, Decimal(first), Decimal(tick)))


@given(
    seed=st.integers(0, 2**64),
    ticks=st.integers(1, 10**8),
    tick=st.sampled_from(["0.00000001", "0.05", "0.1", "1", "25"]),
    interval=st.sampled_from([timedelta(seconds=1), MINUTE, timedelta(hours=1), timedelta(days=1)]),
)
def test_every_bar_is_sane_on_its_tick_and_follows_the_one_before(
    seed: int, ticks: int, tick: str, interval: timedelta
) -> None:
    step = Decimal(tick)
    bars = market(seed, 60, str(ticks * step), tick, interval)
    assert bars[0].open == ticks * step
    for number, bar in enumerate(bars):
        assert 0 < bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
        assert all(price % step == 0 for price in (bar.open, bar.high, bar.low, bar.close))
        assert bar.start == START + number * interval
        assert number == 0 or bar.open == bars[number - 1].close


@given(seed=st.integers(0, 2**32), shorter=st.integers(0, 50), more=st.integers(0, 50))
def test_a_longer_market_begins_with_the_shorter_one(seed: int, shorter: int, more: int) -> None:
    assert market(seed, shorter + more)[:shorter] == market(seed, shorter)


def test_the_seed_decides_the_market() -> None:
    assert market(1) == market(1)
    assert market(1) != market(2)


def test_the_text_of_a_seeds_market_never_changes() -> None:
    """Pin it: a replay of the synthetic market must end at the same digest on every machine and in every version."""
    text = "\n".join(f"{bar.open} {bar.high} {bar.low} {bar.close}" for bar in market(0, 5000))
    assert hashlib.sha256(text.encode()).hexdigest() == PINNED


def test_volatility_comes_in_clusters_and_crashes_come_now_and_then() -> None:
    bars = market(0, 20_000)
    moves = [abs(bar.close - bar.open) / 50_000 for bar in bars]
    loud = [move > Decimal("0.0015") for move in moves]
    after_loud = sum(1 for before, now in pairwise(loud) if before and now) / sum(loud)
    assert after_loud > 1.5 * sum(loud) / len(loud)
    closes = [bar.close for bar in bars]
    assert any(later < before * Decimal("0.9") for before, later in zip(closes, closes[30:], strict=False))
    assert min(bar.low for bar in bars) > 5_000


def test_the_source_is_labelled_and_promises_prices_only() -> None:
    facts = synthetic_facts(MINUTE)
    assert facts.name == "synthetic"
    assert facts.declares == frozenset({Fact.PRICE})
    assert facts.interval == MINUTE


@pytest.mark.parametrize(
    ("field", "first", "tick", "interval", "count"),
    [
        ("tick", "1", "0", MINUTE, 1),
        ("tick", "1", "Infinity", MINUTE, 1),
        ("first_price", "0", "1", MINUTE, 1),
        ("first_price", "NaN", "1", MINUTE, 1),
        ("first_price", "1.5", "1", MINUTE, 1),
        ("interval", "1", "1", timedelta(0), 1),
        ("count", "1", "1", MINUTE, -1),
    ],
)
def test_an_impossible_market_is_refused_before_its_first_bar(
    field: str, first: str, tick: str, interval: timedelta, count: int
) -> None:
    with pytest.raises(Illegal) as refused:
        synthetic_bars(0, InstrumentId(1), START, interval, count, Decimal(first), Decimal(tick))
    assert refused.value.field == field


def test_a_start_without_a_zone_is_refused() -> None:
    with pytest.raises(Illegal, match="start"):
        synthetic_bars(0, InstrumentId(1), START.replace(tzinfo=None), MINUTE, 1, Decimal(1), Decimal(1))
