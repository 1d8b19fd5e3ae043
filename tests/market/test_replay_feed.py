"""A recording served at its own pace: nothing shown twice, nothing made up, and the same after every restart."""

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from plimsoll.market.candle_keeper import CandleKeeper
from plimsoll.market.candles import Recording, inspect
from plimsoll.market.feed import FeedState, PriceFeed
from plimsoll.market.gather import MINUTE
from plimsoll.market.instruments import instrument_for
from plimsoll.market.replay_feed import ReplayFeed
from plimsoll.model.errors import GiveUp, Illegal
from plimsoll.model.ids import InstrumentId
from plimsoll.model.quote import Bar, Moment, Quote
from plimsoll.runtime.virtual_loop import VirtualClock, run_virtual

NOW = datetime(2026, 11, 21, 12, 7, 25, tzinfo=UTC)
BEGIN = NOW.replace(second=0)
ID = InstrumentId(4)
#: Five minutes of January 2022, the third of them missing.
ROWS = ("08:58,100,101,99,100.5", "08:59,100.5,102,100,101", "09:01,101,105,101,104", "09:02,104,104,90,91")

Seen = list[Quote | Bar]
Past = list[Bar]


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    path = tmp_path / "btc.csv"
    lines = [f"2022-01-21 {row[:5]}:00{row[5:]}" for row in ROWS]
    path.write_text("\n".join(["timestamp,open,high,low,close", *lines, ""]))
    return inspect(path, "BTC/USDT")


def feed(recording: Recording, clock: VirtualClock, origin: datetime = NOW) -> ReplayFeed:
    return ReplayFeed(recording, instrument_for("BTC/USDT", ID, "paper", recording.tick), clock, origin)


def played(recording: Recording, seconds: float, start: datetime = NOW) -> tuple[Seen, ReplayFeed]:
    async def main(clock: VirtualClock) -> tuple[Seen, ReplayFeed]:
        seen: Seen = []
        playing = feed(recording, clock)
        task = asyncio.ensure_future(playing.run(seen.append, seen.append))
        await asyncio.sleep(seconds)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await playing.close()
        return seen, playing

    return run_virtual(main, start=start)


def told(seen: Seen) -> list[tuple[str, int, Decimal]]:
    """Write what was shown as (what, minutes after the beginning, price)."""
    return [
        ("bar", (one.start - BEGIN) // MINUTE, one.close)
        if isinstance(one, Bar)
        else (one.moment.value.lower(), (one.at - BEGIN) // MINUTE, one.last)
        for one in seen
    ]


FIRST = [("open", 0, Decimal(100)), ("bar", 0, Decimal("100.5")), ("close", 1, Decimal("100.5"))]
SECOND = [("open", 1, Decimal("100.5")), ("bar", 1, Decimal(101)), ("close", 2, Decimal(101))]
THIRD = [("open", 3, Decimal(101)), ("bar", 3, Decimal(104)), ("close", 4, Decimal(104))]
FOURTH = [("open", 4, Decimal(104)), ("bar", 4, Decimal(91)), ("close", 5, Decimal(91))]


def test_each_bar_is_its_open_then_itself_then_its_close_and_gaps_stay_gaps(recording: Recording) -> None:
    seen, _feed = played(recording, 600)
    assert told(seen) == FIRST + SECOND + THIRD + FOURTH
    assert {quote.moment for quote in seen if isinstance(quote, Quote)} == {Moment.OPEN, Moment.CLOSE}


def test_nothing_is_shown_before_its_time(recording: Recording) -> None:
    # 25 s after the minute began: its open is known, its close is not.
    assert told(played(recording, 30)[0]) == FIRST[:1]
    assert told(played(recording, 36)[0]) == FIRST + SECOND[:1]
    assert told(played(recording, 150)[0]) == FIRST + SECOND


def test_a_restart_goes_on_where_the_recording_would_be_by_then(recording: Recording) -> None:
    whole = told(played(recording, 600)[0])
    for late in range(0, 330, 15):
        seen = told(played(recording, 600, start=NOW + timedelta(seconds=late))[0])
        assert seen == whole[len(whole) - len(seen) :]
        # The open of the minute under way is shown again; nothing of the minutes before it is.
        assert len(whole) - len(seen) == 3 * sum(at <= 25 + late for at in (60, 120, 240, 300))


def test_at_its_end_it_says_so_and_stays_silent_for_ever(recording: Recording) -> None:
    _seen, ended = played(recording, 3_600)
    assert ended.status.state is FeedState.ENDED
    assert ended.status.since == ended.ends_at == BEGIN + 5 * MINUTE
    assert ended.status.detail == "btc.csv was played to its end at 2026-11-21 12:12:00 UTC"
    seen, again = played(recording, 60, start=NOW + timedelta(days=3))
    assert (seen, again.status.state) == ([], FeedState.ENDED)


def test_it_is_running_from_its_first_price_on(recording: Recording) -> None:
    assert played(recording, 1)[1].status.state is FeedState.RUNNING

    async def main(clock: VirtualClock) -> None:
        early = feed(recording, clock, NOW + timedelta(hours=1))
        assert (early.status.state, early.status.detail) == (FeedState.CONNECTING, "btc.csv has not been started")
        task = asyncio.ensure_future(early.run(lambda _quote: None, lambda _bar: None))
        await asyncio.sleep(60)
        assert early.status.state is FeedState.CONNECTING
        assert await early.bars(ID, MINUTE, 9) == ()
        task.cancel()

    run_virtual(main, start=NOW)


def test_bars_that_a_machine_slept_through_are_not_shown_late(recording: Recording) -> None:
    async def main(clock: VirtualClock) -> None:
        seen: Seen = []
        task = asyncio.ensure_future(feed(recording, clock).run(seen.append, seen.append))
        await asyncio.sleep(10)
        clock.skew = timedelta(minutes=3.5)
        await asyncio.sleep(30)
        # The one that was begun is ended; the two in between are past; the fourth is under way.
        assert told(seen) == FIRST + FOURTH[:1]
        task.cancel()

    run_virtual(main, start=NOW)


def ask(recording: Recording, now: datetime, question: Callable[[ReplayFeed], Awaitable[tuple[Bar, ...]]]) -> Past:
    async def main(clock: VirtualClock) -> Past:
        return list(await question(feed(recording, clock)))

    return run_virtual(main, start=now)


def test_the_past_is_what_was_played_since_the_origin(recording: Recording) -> None:
    bars = [one for one in played(recording, 600)[0] if isinstance(one, Bar)]
    assert ask(recording, NOW, lambda feed: feed.bars(ID, MINUTE, 9)) == []
    assert ask(recording, NOW + 2 * MINUTE, lambda feed: feed.bars(ID, MINUTE, 9)) == bars[:2]
    assert ask(recording, NOW + 60 * MINUTE, lambda feed: feed.bars(ID, MINUTE, 3)) == bars[-3:]
    assert ask(recording, NOW + 60 * MINUTE, lambda feed: feed.bars(ID, MINUTE, 0)) == []


def test_longer_bars_of_the_past_are_whole_when_they_are_told(recording: Recording) -> None:
    five = timedelta(minutes=5)
    assert (
        ask(recording, BEGIN + timedelta(minutes=3), lambda feed: feed.bars(ID, five, 9))[0].start == BEGIN - 2 * MINUTE
    )
    found = ask(recording, NOW + timedelta(minutes=30), lambda feed: feed.bars(ID, five, 9))
    assert [one.start for one in found] == [BEGIN - 2 * MINUTE, BEGIN + 3 * MINUTE]
    assert [one.close for one in found] == [101, 91]


def test_candles_of_a_replay_are_those_of_the_recording(recording: Recording) -> None:
    keeper = CandleKeeper([ID])
    handed: list[Bar] = []
    seen, _feed = played(recording, 600)
    for one in seen:
        handed += keeper.take_bar(one) if isinstance(one, Bar) else keeper.take(one)
    assert handed == [one for one in seen if isinstance(one, Bar)]
    assert keeper.bars(ID, MINUTE, 9) == tuple(handed)


def test_hours_stay_on_the_hour_and_are_given_where_minutes_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "hours.csv.gz"
    rows = [
        f"2022-01-21 {hour:02}:30:00,{hour},{hour}.5,{hour}.5,{hour},{hour}.25,{hour}.9,{hour}.25,{hour}.75"
        for hour in (9, 10)
    ]
    header = "date,bid_open,bid_high,ask_open,bid_low,bid_close,ask_high,ask_low,ask_close"
    path.write_bytes(gzip.compress("\n".join([header, *rows, ""]).encode()))
    hours = inspect(path, "EUR/USD")
    seen, playing = played(hours, 3_600)
    assert isinstance(seen[1], Bar)
    assert seen[1].start == NOW.replace(minute=0, second=0)
    assert (seen[1].open_spread, seen[1].close_spread) == (Decimal("0.5"), Decimal("0.5"))
    assert playing.facts == hours.facts
    assert ask(hours, NOW + timedelta(hours=1), lambda feed: feed.bars(ID, MINUTE, 9)) == [seen[1]]


def test_a_file_that_changed_since_it_was_inspected_is_not_played(recording: Recording) -> None:
    recording.path.write_text(recording.path.read_text().replace("91", "92"))
    seen, playing = played(recording, 600)
    assert seen == []
    assert playing.status.state is FeedState.DOWN
    assert "changed since it was inspected" in playing.status.detail
    with pytest.raises(GiveUp, match="changed since"):
        ask(recording, NOW, lambda feed: feed.bars(ID, MINUTE, 1))


def test_it_says_that_it_is_a_replay_and_of_which_file(recording: Recording) -> None:
    async def main(clock: VirtualClock) -> None:
        replay: PriceFeed = feed(recording, clock)
        assert replay.label == "Replay of btc.csv"
        assert replay.facts == recording.facts
        (instrument,) = await replay.describe()
        assert instrument.symbol == "BTC/USDT"
        with pytest.raises(Illegal, match="BTC/USDT only"):
            await replay.bars(InstrumentId(5), MINUTE, 1)
        with pytest.raises(Illegal, match="interval"):
            await replay.bars(ID, timedelta(seconds=1), 1)
        with pytest.raises(Illegal, match="origin"):
            feed(recording, clock, NOW.replace(tzinfo=None))

    run_virtual(main, start=NOW)


def test_the_recorded_crash_is_served_to_its_end(test_data: Path) -> None:
    found = inspect(next((test_data / "candles").glob("btc_perp_1m_2022-01*")), "BTC/USDT:USDT")
    crash = datetime(2022, 1, 21, 10, tzinfo=UTC)
    start = NOW + (crash - found.first)
    seen, playing = played(found, 3_600, start=start)
    bars = [one for one in seen if isinstance(one, Bar)]
    assert len(bars) == 60
    assert len(seen) == 3 * 60 + 1
    assert all(quote.at >= start - MINUTE for quote in seen if isinstance(quote, Quote))
    assert playing.ends_at - BEGIN == found.last + found.interval - found.first
