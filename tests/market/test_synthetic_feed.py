"""The synthetic market in real time: the same second has the same price, whoever asks and whenever."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from plimsoll.market.candle_keeper import CandleKeeper
from plimsoll.market.feed import FeedState, PriceFeed
from plimsoll.market.gather import MINUTE, gathered
from plimsoll.market.instruments import instrument_for
from plimsoll.market.synthetic_feed import SyntheticFeed
from plimsoll.model.errors import Illegal
from plimsoll.model.ids import InstrumentId
from plimsoll.model.quote import Bar, Fact, Quote
from plimsoll.runtime.virtual_loop import VirtualClock, run_virtual

ORIGIN = datetime(2024, 5, 6, 5, 3, tzinfo=UTC)
BTC, PERPETUAL, COARSE = InstrumentId(1), InstrumentId(2), InstrumentId(3)
INSTRUMENTS = (
    instrument_for("BTC/USDT", BTC, "paper-synthetic"),
    instrument_for("BTC/USDT:USDT", PERPETUAL, "paper-synthetic"),
    replace(instrument_for("ETH/USDT", COARSE, "paper-synthetic"), tick_size=Decimal(25)),
)


def feed(clock: VirtualClock, seed: int = 7, origin: datetime = ORIGIN) -> SyntheticFeed:
    return SyntheticFeed(INSTRUMENTS, seed, origin, clock)


def ticks(start: datetime, seconds: float, seed: int = 7) -> list[Quote]:
    async def main(clock: VirtualClock) -> list[Quote]:
        shown: list[Quote] = []
        running: PriceFeed = feed(clock, seed)
        task = asyncio.ensure_future(running.run(shown.append, lambda _bar: None))
        await asyncio.sleep(seconds)
        task.cancel()
        await running.close()
        return shown

    return run_virtual(main, start=start)


def past(now: datetime, interval: timedelta, limit: int, instrument_id: InstrumentId = BTC) -> tuple[Bar, ...]:
    async def main(clock: VirtualClock) -> tuple[Bar, ...]:
        return await feed(clock).bars(instrument_id, interval, limit)

    return run_virtual(main, start=now)


def test_every_instrument_has_one_tick_a_second_on_its_own_grid() -> None:
    shown = ticks(ORIGIN + timedelta(hours=1), 120.5)
    for instrument in INSTRUMENTS:
        mine = [quote for quote in shown if quote.instrument_id == instrument.id]
        assert [quote.at for quote in mine] == [ORIGIN + timedelta(hours=1, seconds=second) for second in range(121)]
        for quote in mine:
            assert quote.bid % instrument.tick_size == 0
            assert quote.ask - quote.bid == 2 * instrument.tick_size
            assert quote.last == quote.bid


def test_it_starts_on_a_whole_second_whenever_it_is_started() -> None:
    shown = ticks(ORIGIN + timedelta(hours=1, milliseconds=400), 2)
    assert sorted({quote.at for quote in shown}) == [ORIGIN + timedelta(hours=1, seconds=second) for second in range(3)]


def test_a_restart_finds_the_same_prices_and_the_same_past() -> None:
    whole = ticks(ORIGIN + timedelta(hours=30), 180.5)
    assert ticks(ORIGIN + timedelta(hours=30, seconds=60), 120.5) == [
        quote for quote in whole if quote.at >= ORIGIN + timedelta(hours=30, seconds=60)
    ]
    now = ORIGIN + timedelta(hours=60)
    later = past(now + timedelta(hours=3), MINUTE, 3_000)
    assert all(bar in later for bar in past(now, MINUTE, 200))


def test_another_seed_is_another_market() -> None:
    start = ORIGIN + timedelta(hours=2)
    assert ticks(start, 1, seed=8)[-1].bid != ticks(start, 1)[-1].bid


def test_the_perpetual_follows_the_coin_and_other_coins_go_their_own_way() -> None:
    shown = ticks(ORIGIN + timedelta(hours=9), 30)
    by_id = {number: [quote.bid for quote in shown if quote.instrument_id == number] for number in (BTC, PERPETUAL)}
    assert all(abs(one - other) < Decimal("0.1") for one, other in zip(*by_id.values(), strict=True))


@pytest.mark.parametrize("start", [ORIGIN, ORIGIN + timedelta(hours=23, minutes=55), ORIGIN + timedelta(days=3)])
def test_the_past_is_what_the_ticks_made_of_it(start: datetime) -> None:
    """A chart that was watched and one that is asked for afterwards are the same, over midnight too."""
    keeper = CandleKeeper([BTC, PERPETUAL, COARSE])
    handed = [bar for quote in ticks(start, 600.5) for bar in keeper.take(quote)]
    for instrument in INSTRUMENTS:
        mine = [bar for bar in handed if bar.instrument_id == instrument.id]
        assert len(mine) == 10
        assert tuple(mine) == past(start + timedelta(minutes=10), MINUTE, 10, instrument.id)


@given(minutes=st.integers(0, 4_000), interval=st.sampled_from([5, 15, 60, 240]), limit=st.integers(1, 30))
@hypothesis_settings(max_examples=12)
def test_longer_bars_are_made_of_the_minutes(minutes: int, interval: int, limit: int) -> None:
    now, length = ORIGIN + timedelta(minutes=minutes), timedelta(minutes=interval)
    longer = past(now, length, limit)
    made = [bar for bar in gathered(past(now, MINUTE, 10_000), length) if bar.start >= ORIGIN and bar.end <= now]
    assert longer == tuple(made[-limit:])


def test_minutes_follow_each_other_without_a_jump_over_days() -> None:
    bars = past(ORIGIN + timedelta(days=3), MINUTE, 10_000)
    assert len(bars) == 3 * 1_440
    for before, bar in pairwise(bars):
        assert bar.start == before.end
        assert abs(bar.open - before.close) < before.close / 50
        assert bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
    assert max(bar.high for bar in bars) > min(bar.low for bar in bars) * Decimal("1.01")


def test_no_price_falls_to_zero_in_ten_years() -> None:
    days = past(ORIGIN + timedelta(days=3_650), timedelta(days=1), 20, COARSE)
    assert len(days) == 20
    assert min(bar.low for bar in days) >= 25


def test_before_its_origin_there_is_no_market() -> None:
    async def main(clock: VirtualClock) -> None:
        shown: list[Quote] = []
        early = feed(clock)
        assert early.status.state is FeedState.CONNECTING
        task = asyncio.ensure_future(early.run(shown.append, lambda _bar: None))
        await asyncio.sleep(299)
        assert (shown, early.status.state) == ([], FeedState.CONNECTING)
        assert "look at the machine's clock" in early.status.detail
        assert await early.bars(BTC, MINUTE, 10) == ()
        await asyncio.sleep(1.5)
        assert shown[0].at == ORIGIN
        assert shown[0].bid == 60_000
        assert (early.status.state, early.status.detail) == (FeedState.RUNNING, "")
        task.cancel()

    run_virtual(main, start=ORIGIN - timedelta(minutes=5))


def test_a_clock_that_is_set_back_before_the_origin_stops_the_prices_until_it_is_back() -> None:
    async def main(clock: VirtualClock) -> None:
        shown: list[Quote] = []
        task = asyncio.ensure_future(feed(clock).run(shown.append, lambda _bar: None))
        await asyncio.sleep(10)
        clock.skew = -timedelta(seconds=30)
        await asyncio.sleep(15)
        seen = len(shown)
        await asyncio.sleep(4)
        assert len(shown) == seen
        await asyncio.sleep(10.5)
        assert shown[-1].at == ORIGIN + timedelta(seconds=9)
        task.cancel()

    run_virtual(main, start=ORIGIN)


def test_seconds_that_the_machine_slept_through_are_not_made_up_for() -> None:
    async def main(clock: VirtualClock) -> None:
        shown: list[Quote] = []
        task = asyncio.ensure_future(feed(clock).run(shown.append, lambda _bar: None))
        await asyncio.sleep(1.5)
        clock.skew = timedelta(hours=8)
        await asyncio.sleep(1)
        assert len({quote.at for quote in shown}) == 3
        assert shown[-1].at == ORIGIN + timedelta(hours=8, seconds=2)
        task.cancel()

    run_virtual(main, start=ORIGIN)


def test_it_says_what_it_is_and_promises_prices_and_spreads() -> None:
    async def main(clock: VirtualClock) -> None:
        market = feed(clock)
        assert market.label == "Demo (synthetic)"
        assert market.facts.name == "synthetic"
        assert market.facts.declares == {Fact.PRICE, Fact.SPREAD}
        assert market.facts.interval == timedelta(seconds=1)
        assert await market.describe() == INSTRUMENTS

    run_virtual(main, start=ORIGIN)


def test_what_it_does_not_have_is_refused() -> None:
    async def main(clock: VirtualClock) -> None:
        with pytest.raises(Illegal, match="interval"):
            await feed(clock).bars(BTC, timedelta(seconds=30), 1)
        with pytest.raises(Illegal, match="instrument"):
            await feed(clock).bars(InstrumentId(9), MINUTE, 1)
        assert await feed(clock).bars(BTC, MINUTE, 0) == ()
        with pytest.raises(Illegal, match="origin"):
            feed(clock, origin=ORIGIN + timedelta(seconds=1))
        with pytest.raises(Illegal, match="origin"):
            feed(clock, origin=ORIGIN.replace(tzinfo=None))

    run_virtual(main, start=ORIGIN)
