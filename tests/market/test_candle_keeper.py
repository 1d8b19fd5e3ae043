"""Candles: made of what was seen, handed to bots only when all was seen, mended by what the source tells itself."""

import random
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.market.candle_keeper import INTERVALS, CandleKeeper
from plimsoll.market.gather import MINUTE, gathered
from plimsoll.model.errors import Illegal
from plimsoll.model.ids import InstrumentId
from plimsoll.model.quote import Bar, Moment, Quote

BTC, ETH = InstrumentId(1), InstrumentId(2)
NOON = datetime(2024, 5, 6, 12, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def quote(seconds: float, last: str | int, spread: str = "0.5", instrument_id: InstrumentId = BTC) -> Quote:
    price = Decimal(last)
    return Quote(instrument_id, after(seconds), price, price + Decimal(spread), price)


def told(seconds: float, close: str | int, interval: timedelta = MINUTE, volume: str | None = None) -> Bar:
    price = Decimal(close)
    size = None if volume is None else Decimal(volume)
    return Bar(BTC, after(seconds), interval, price, price + 1, price - 1, price, size)


def keeper(keep: int = 100) -> CandleKeeper:
    return CandleKeeper([BTC, ETH], keep)


def take_all(kept: CandleKeeper, quotes: Iterable[Quote]) -> list[Bar]:
    return [bar for each in quotes for bar in kept.take(each)]


def every_ten_seconds(first: int, last: int) -> list[Quote]:
    return [quote(second, 100 + second) for second in range(first, last + 1, 10)]


def test_a_minute_seen_whole_is_handed_out_by_the_first_quote_after_it() -> None:
    kept = keeper()
    quotes = [quote(0, 100, "1"), quote(10, 105), quote(20, 99), quote(30, 101), quote(40, 102), quote(50, 103, "2")]
    assert take_all(kept, quotes) == []
    (bar,) = kept.take(quote(60, 200))
    assert (bar.instrument_id, bar.start, bar.interval, bar.volume) == (BTC, NOON, MINUTE, None)
    assert [bar.open, bar.high, bar.low, bar.close, bar.open_spread, bar.close_spread] == [100, 105, 99, 103, 1, 2]


def test_trades_make_the_candle_and_not_what_is_bid() -> None:
    kept = keeper()
    kept.take(replace(quote(0, 100), last=Decimal("100.25")))
    (open_bar,) = kept.bars(BTC, MINUTE, 1)
    assert (open_bar.open, open_bar.open_spread) == (Decimal("100.25"), Decimal("0.5"))


def test_the_minute_in_which_the_desk_started_is_shown_and_not_traded_on() -> None:
    kept = keeper()
    handed = take_all(kept, every_ten_seconds(10, 120))
    assert [bar.start for bar in handed] == [after(60)]
    assert [bar.start for bar in kept.bars(BTC, MINUTE, 9)] == [NOON, after(60), after(120)]
    assert kept.lacks(BTC)
    assert not kept.lacks(ETH)


def test_a_minute_without_quotes_makes_no_bar_and_neither_side_of_the_silence_is_whole() -> None:
    kept = keeper()
    handed = take_all(kept, [*every_ten_seconds(0, 50), *every_ten_seconds(190, 300)])
    assert [bar.start for bar in handed] == [after(240)]
    assert [bar.start for bar in kept.bars(BTC, MINUTE, 9)] == [after(s) for s in (0, 180, 240, 300)]
    assert [bar.start for bar in kept.whole_minutes(BTC, 9)] == [after(240)]


def test_a_silence_inside_a_minute_makes_it_partly_seen() -> None:
    kept = keeper()
    handed = take_all(kept, [quote(0, 100), quote(15, 101), quote(31, 102), quote(46, 1), quote(60, 2), quote(75, 3)])
    assert handed == []
    assert kept.lacks(BTC)


def test_quotes_exactly_as_far_apart_as_allowed_are_no_silence() -> None:
    kept = keeper()
    assert len(take_all(kept, [quote(second, 100) for second in (0, 15, 30, 45, 60)])) == 1


def test_the_last_quote_of_the_minute_before_is_what_a_minute_is_entered_from() -> None:
    kept = keeper()
    handed = take_all(kept, [quote(second, 100) for second in (52, 65, 80, 95, 110, 124)])
    assert [bar.start for bar in handed] == [after(60)]


def test_a_quote_told_twice_or_late_changes_nothing() -> None:
    kept, again = keeper(), keeper()
    clean = every_ten_seconds(0, 120)
    messy = [each for one in clean for each in (one, one, quote((one.at - NOON).total_seconds() - 5, 9_999))]
    assert take_all(kept, clean) == take_all(again, messy)
    assert kept.bars(BTC, MINUTE, 9) == again.bars(BTC, MINUTE, 9)


def test_a_late_quote_of_a_closed_minute_does_not_open_it_again() -> None:
    kept = keeper()
    take_all(kept, every_ten_seconds(0, 60))
    assert kept.take(quote(59, 1)) == ()
    assert [bar.low for bar in kept.bars(BTC, MINUTE, 9)] == [100, 160]


def test_instruments_do_not_close_each_others_minutes() -> None:
    kept = keeper()
    take_all(kept, every_ten_seconds(0, 50))
    assert kept.take(quote(60, 5, instrument_id=ETH)) == ()
    assert len(kept.take(quote(60, 5))) == 1


def test_what_a_source_tells_as_bars_is_handed_out_as_it_is() -> None:
    kept = keeper()
    assert kept.take(replace(quote(0, 100), moment=Moment.OPEN)) == ()
    assert kept.take_bar(told(0, 100)) == (told(0, 100),)
    assert kept.take(replace(quote(60, 100), moment=Moment.CLOSE)) == ()
    assert kept.bars(BTC, MINUTE, 9) == (told(0, 100),)
    assert not kept.lacks(BTC)


def test_a_bar_told_twice_or_late_is_handed_out_once() -> None:
    kept = keeper()
    kept.take_bar(told(60, 100))
    assert kept.take_bar(told(60, 101)) == ()
    assert kept.take_bar(told(0, 102)) == ()
    assert kept.bars(BTC, MINUTE, 9) == (told(60, 100),)


def test_a_told_bar_takes_the_place_of_the_minute_that_was_being_made() -> None:
    kept = keeper()
    kept.take(quote(5, 1))
    assert kept.take_bar(told(0, 100)) == (told(0, 100),)
    assert kept.bars(BTC, MINUTE, 9) == (told(0, 100),)


def test_bars_of_seconds_make_a_minute_that_ends_with_its_last_second() -> None:
    kept = keeper()
    second = timedelta(seconds=1)
    handed = [kept.take_bar(told(number, 100 + number, second, "2")) for number in range(60)]
    assert handed[:59] == [()] * 59
    ((bar),) = handed[59]
    assert (bar.start, bar.interval) == (NOON, MINUTE)
    assert [bar.open, bar.high, bar.low, bar.close, bar.volume] == [100, 160, 99, 159, 120]


def test_volume_that_is_unknown_for_a_second_is_unknown_for_the_minute() -> None:
    kept = keeper()
    half = timedelta(seconds=30)
    kept.take_bar(told(0, 100, half, "2"))
    ((bar,)) = kept.take_bar(told(30, 100, half))
    assert bar.volume is None


def test_hourly_bars_are_given_as_they_are_where_minutes_are_asked_for() -> None:
    kept = keeper()
    hour = timedelta(hours=1)
    kept.take_bar(told(0, 100, hour, "1"))
    kept.take_bar(told(3600, 101, hour, "2"))
    assert kept.bars(BTC, MINUTE, 9) == (told(0, 100, hour, "1"), told(3600, 101, hour, "2"))
    (four,) = kept.bars(BTC, timedelta(hours=4), 9)
    assert four.start == NOON
    assert [four.high, four.close, four.volume] == [102, 101, 3]


def test_longer_candles_lie_on_the_grid_and_the_one_under_way_stands_last() -> None:
    kept = keeper()
    take_all(kept, every_ten_seconds(180, 420))
    five = kept.bars(BTC, INTERVALS["5m"], 9)
    assert [bar.start for bar in five] == [NOON, after(300)]
    assert [[bar.open, bar.close] for bar in five] == [[280, 390], [400, 520]]
    assert {bar.interval for bar in five} == {INTERVALS["5m"]}
    assert kept.bars(BTC, INTERVALS["5m"], 1) == five[-1:]


def test_the_sources_own_bars_mend_what_was_missed_and_hand_nothing_to_bots() -> None:
    kept = keeper()
    take_all(kept, [*every_ten_seconds(30, 50), *every_ten_seconds(190, 250)])
    kept.seed([told(second, 7) for second in (-60, 0, 60, 120, 180)])
    assert not kept.lacks(BTC)
    assert [bar.close for bar in kept.bars(BTC, MINUTE, 9)] == [7, 7, 7, 7, 7, 350]
    assert kept.whole_minutes(BTC, 2) == (told(120, 7), told(180, 7))


def test_the_past_does_not_touch_the_minute_that_is_being_made() -> None:
    kept = keeper()
    take_all(kept, every_ten_seconds(0, 50))
    kept.seed([told(0, 7), told(60, 7)])
    assert [bar.close for bar in kept.bars(BTC, MINUTE, 9)] == [150]
    assert [bar.close for bar in kept.take(quote(60, 9))] == [150]


def test_the_past_may_come_before_any_price() -> None:
    kept = keeper()
    kept.seed([told(-60, 8), told(-120, 7)])
    assert [bar.close for bar in kept.bars(BTC, MINUTE, 9)] == [7, 8]


def test_only_the_newest_minutes_are_kept_and_what_is_forgotten_is_lacked_no_more() -> None:
    kept = keeper(keep=3)
    take_all(kept, every_ten_seconds(10, 300))
    assert [bar.start for bar in kept.bars(BTC, MINUTE, 99)] == [after(s) for s in (120, 180, 240, 300)]
    assert not kept.lacks(BTC)
    kept.seed(told(-60 * number, 1) for number in range(1, 50))
    assert len(kept.bars(BTC, MINUTE, 99)) == 4


@pytest.mark.parametrize(
    ("field", "interval", "limit"), [("interval", timedelta(minutes=2), 1), ("limit", MINUTE, 0), ("limit", MINUTE, -1)]
)
def test_a_candle_that_nobody_keeps_is_refused(field: str, interval: timedelta, limit: int) -> None:
    with pytest.raises(Illegal) as refused:
        keeper().bars(BTC, interval, limit)
    assert refused.value.field == field


def test_a_foreign_instrument_is_refused_and_changes_nothing() -> None:
    kept = keeper()
    stranger = replace(told(-60, 1), instrument_id=InstrumentId(9))
    with pytest.raises(Illegal):
        kept.take(quote(0, 1, instrument_id=InstrumentId(9)))
    with pytest.raises(Illegal):
        kept.take_bar(stranger)
    with pytest.raises(Illegal):
        kept.seed([told(-120, 1), stranger])
    with pytest.raises(Illegal):
        kept.seed([told(-120, 1), told(-60, 1, timedelta(seconds=1))])
    for ask in (kept.lacks, lambda number: kept.bars(number, MINUTE, 1), lambda number: kept.whole_minutes(number, 1)):
        with pytest.raises(Illegal):
            ask(InstrumentId(9))
    assert kept.instruments == (BTC, ETH)
    assert kept.bars(BTC, MINUTE, 9) == ()


@given(seed=st.integers(0, 2**32), count=st.integers(1, 200))
def test_candles_are_what_one_would_count_by_hand(seed: int, count: int) -> None:
    """Compare with the plain definition, over quotes at random distances, some told twice and some late."""
    chance = random.Random(seed)
    kept, seconds = keeper(10_000), 0.0
    shown: list[Quote] = []
    handed: list[Bar] = []
    for _ in range(count):
        seconds += chance.choice([0, 0.5, 3, 7, 14, 15, 15.5, 61, 200])
        one = quote(seconds, chance.randint(1, 500), str(chance.randint(0, 5)))
        shown.append(one)
        handed += kept.take(one)
        if chance.random() < 0.2:
            handed += kept.take(quote(seconds - chance.choice([0.25, 20, 90]), 10_000))
    by_minute: dict[datetime, list[Quote]] = {}
    for one in shown:
        by_minute.setdefault(one.at.replace(second=0, microsecond=0), []).append(one)
    charted = kept.bars(BTC, MINUTE, 10_000)
    assert [bar.start for bar in charted] == list(by_minute)
    for bar in charted:
        prices = [one.last for one in by_minute[bar.start]]
        assert (bar.open, bar.high, bar.low, bar.close) == (prices[0], max(prices), min(prices), prices[-1])
    whole = []
    times = sorted({one.at for one in shown})
    for start in list(by_minute)[:-1]:
        inside = [at for at in times if start <= at < start + MINUTE]
        before, behind = [at for at in times if at < start], [at for at in times if at >= start + MINUTE]
        # A minute that began with a quote needs none before it.
        seen = ([] if inside[0] == start else before[-1:] or [after(-999)]) + inside + behind[:1]
        if all(later - earlier <= timedelta(seconds=15) for earlier, later in pairwise(seen)):
            whole.append(start)
    assert [bar.start for bar in handed] == whole
    for interval in INTERVALS.values():
        assert kept.bars(BTC, interval, 10_000) == tuple(gathered(charted, interval))
