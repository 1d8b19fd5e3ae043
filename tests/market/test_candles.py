"""Recorded files: what is read, what is refused and where, and what is reported instead of invented."""

import gzip
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.market.candles import BadRecording, Gap, Recording, bars, inspect, read_quotes
from plimsoll.model.ids import InstrumentId
from plimsoll.model.quote import Bar, Fact, Moment

BTC = InstrumentId(1)
MINUTE = timedelta(minutes=1)
HEADER = "timestamp,open,high,low,close,volume"
GOOD = "2022-01-01T00:0{}:00Z,10,12,9,11,5"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def decimals(*texts: str) -> tuple[Decimal, ...]:
    return tuple(map(Decimal, texts))


def written(folder: Path, *lines: str, name: str = "file.csv") -> Path:
    path = folder / name
    text = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    return path


def read(path: Path) -> list[Bar]:
    return list(bars(inspect(path, "BTC/USDT"), BTC))


# --- what is read


def test_a_plain_file_becomes_its_bars(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        HEADER,
        "2022-01-01T00:00:00Z,46319.0,46385.5,46319.0,46377.0,2300413.7295",
        "2022-01-01T00:01:00Z,46377.0,46411.0,46377.0,46411.0,",
    )
    first, second = read(path)
    assert first == Bar(
        BTC, at("2022-01-01"), MINUTE,
        Decimal("46319.0"), Decimal("46385.5"), Decimal("46319.0"), Decimal("46377.0"), Decimal("2300413.7295"),
    )  # fmt: skip
    assert second.volume is None
    assert second.close_quote().at == at("2022-01-01T00:02")


def test_inspecting_a_file_says_what_is_in_it(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER, *(GOOD.format(minute) for minute in (0, 1, 2, 5, 6, 9)))
    recording = inspect(path, "BTC/USDT")
    assert (recording.symbol, recording.bars, recording.interval) == ("BTC/USDT", 6, MINUTE)
    assert (recording.first, recording.last) == (at("2022-01-01T00:00"), at("2022-01-01T00:09"))
    assert recording.gaps == (
        Gap(at("2022-01-01T00:02"), at("2022-01-01T00:05"), 2),
        Gap(at("2022-01-01T00:06"), at("2022-01-01T00:09"), 2),
    )
    assert recording.decimals == 0
    assert recording.tick == 1
    assert (recording.crossed, recording.first_crossed_line, recording.uneven) == (0, None, False)
    assert recording.facts.name == "replay"
    assert recording.facts.declares == frozenset({Fact.PRICE})
    assert recording.facts.interval == MINUTE


def test_the_same_rows_packed_or_not_give_the_same_bars_and_other_bytes(tmp_path: Path) -> None:
    lines = [HEADER, GOOD.format(0), GOOD.format(1)]
    plain, packed = written(tmp_path, *lines), written(tmp_path, *lines, name="file.csv.gz")
    assert read(plain) == read(packed)
    assert inspect(plain, "X/Y").sha256 != inspect(packed, "X/Y").sha256


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("2022-01-31T23:58:00Z", "2022-01-31T23:59:00Z"),
        ("2022-01-31T23:58:00.000000Z", "2022-01-31T23:59:00Z"),
        ("2022-01-31T23:58:00.000000000Z", "2022-01-31T23:59:00.000000000Z"),
        ("2022-01-31 23:58:00+00:00", "2022-01-31 23:59:00+00:00"),
        ("2022-02-01T01:58:00+02:00", "2022-01-31T18:59:00-0500"),
        ("2022-01-31 23:58:00", "2022-01-31 23:59:00"),
        ("2022-01-31T23:58", "2022-01-31T23:59"),
        ("20220131 23:58", "20220131 23:59"),
        ("1643673480", "1643673540"),
        ("1643673480000", "1643673540000"),
    ],
)
def test_a_time_is_read_in_every_accepted_form(tmp_path: Path, first: str, second: str) -> None:
    path = written(tmp_path, HEADER, f"{first},1,1,1,1,", f"{second},1,1,1,1,")
    assert [bar.start for bar in read(path)] == [at("2022-01-31T23:58"), at("2022-01-31T23:59")]


@pytest.mark.parametrize(("first", "second"), [("2022-01-31", "2022-02-01"), ("20220131", "20220201")])
def test_a_date_alone_is_its_midnight(tmp_path: Path, first: str, second: str) -> None:
    path = written(tmp_path, HEADER, f"{first},1,1,1,1,", f"{second},1,1,1,1,")
    assert [bar.start for bar in read(path)] == [at("2022-01-31"), at("2022-02-01")]


def test_columns_are_found_by_name_in_any_case_and_order_and_others_are_left_alone(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "\ufeffClose,note,Low, High ,Open,Volume_BTC,Volume_USD,DATE",
        "11,x,9,12,10,5,55,2022-01-01",
        "",
        '11,"a, b",9,12,10,,,2022-01-02',
    )
    first, second = read(path)
    assert (first.open, first.high, first.low, first.close, first.volume) == decimals("10", "12", "9", "11", "5")
    assert second.volume is None


def test_small_prices_with_an_exponent_are_read_exactly(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER, "2022-01-01,8.31e-06,8.4E-6,8e-06,8e-6,", "2022-01-02,1e1,1e+1,1e-5,1e-5,")
    assert [bar.open for bar in read(path)] == [Decimal("0.00000831"), 10]
    assert inspect(path, "X/Y").tick == Decimal("0.00000001")


@pytest.mark.parametrize(
    ("price", "places"),
    [("0.09946999000000001", 17), ("0.016984990000000002", 18), ("1.50000000000000000000", 18), ("+7.5", 1), ("7.", 0)],
)
def test_up_to_18_places_are_read_as_they_stand(tmp_path: Path, price: str, places: int) -> None:
    rows = [f"2022-01-0{day},{price},{price},{price},{price}," for day in (1, 2)]
    path = written(tmp_path, HEADER, *rows)
    assert read(path)[0].open == Decimal(price)
    assert inspect(path, "X/Y").decimals == places


# --- bid and ask

BID_THEN_ASK = "timestamp,open_bid,high_bid,low_bid,close_bid,open_ask,high_ask,low_ask,close_ask"


@pytest.mark.parametrize(
    ("header", "tail"),
    [
        (BID_THEN_ASK, ",".join(["1.05", "1.25", "0.95", "1.1"])),
        (
            "time,bid_open,bid_high,bid_low,bid_close,ask_open,ask_high,ask_low,ask_close,bid_size,ask_size",
            "1.05,1.25,0.95,1.1,3,",
        ),
    ],
)
def test_bars_of_bid_and_ask_are_the_bid_with_its_spread(tmp_path: Path, header: str, tail: str) -> None:
    path = written(tmp_path, header, *(f"20220101 00:0{minute},1.0,1.2,0.9,1.1,{tail}" for minute in (0, 1)))
    bar = read(path)[0]
    assert (bar.open, bar.high, bar.low, bar.close) == decimals("1", "1.2", "0.9", "1.1")
    assert (bar.open_spread, bar.close_spread) == decimals("0.05", "0")
    assert bar.open_quote().ask == Decimal("1.05")
    recording = inspect(path, "EUR/USD")
    assert recording.knows_spread
    assert recording.facts.declares == frozenset({Fact.PRICE, Fact.SPREAD})
    assert recording.decimals == 2


def two_sided(*crossed: int, minutes: int = 6) -> list[str]:
    asks = ["0.9,1.3,0.9,1.2" if minute in crossed else "1.1,1.3,1,1.2" for minute in range(minutes)]
    return [f"20220101 00:0{minute},1,1.2,0.9,1.1,{ask}" for minute, ask in enumerate(asks)]


def test_a_bar_whose_ask_is_below_its_bid_is_left_out_counted_and_a_gap(tmp_path: Path) -> None:
    path = written(tmp_path, BID_THEN_ASK, *two_sided(2, 4))
    recording = inspect(path, "EUR/USD")
    assert (recording.bars, recording.crossed, recording.first_crossed_line) == (4, 2, 4)
    assert [gap.after.minute for gap in recording.gaps] == [1, 3]
    found = list(bars(recording, BTC))
    assert [bar.start.minute for bar in found] == [0, 1, 3, 5]


def test_a_file_that_is_mostly_crossed_has_its_columns_exchanged(tmp_path: Path) -> None:
    path = written(tmp_path, BID_THEN_ASK, *two_sided(1, 3, 5))
    with pytest.raises(BadRecording, match="exchange the columns") as refused:
        inspect(path, "EUR/USD")
    assert (refused.value.line, refused.value.column) == (3, "open_ask")


# --- what is refused, and where

MINUTE_0, MINUTE_1, MINUTE_2 = (GOOD.format(minute) for minute in range(3))


@pytest.mark.parametrize(
    ("line", "column", "rows"),
    [
        (1, "", []),
        (1, "", [""]),
        (1, "", [HEADER]),
        (2, "", [HEADER, MINUTE_0]),
        (1, "timestamp", ["when,open,high,low,close", "x"]),
        (1, "date", ["timestamp,date,open,high,low,close"]),
        (1, "high", ["timestamp,open,low,close", "2022-01-01,1,1,1"]),
        (1, "close_ask", [BID_THEN_ASK.removesuffix(",close_ask")]),
        (1, "open", ["time,open,Open,high,low,close"]),
        (1, "open_bid", [f"{HEADER},{BID_THEN_ASK.removeprefix('timestamp,')}"]),
        (3, "close", [HEADER, MINUTE_0, "2022-01-01T00:01:00Z,10,12,9"]),
        (3, "", [HEADER, MINUTE_0, f"{MINUTE_1},7"]),
        (3, "open", [HEADER, MINUTE_0, "2022-01-01T00:01:00Z,,12,9,11,5"]),
        (3, "open", [HEADER, MINUTE_0, "2022-01-01T00:01:00Z,ten,12,9,11,5"]),
        (3, "high", [HEADER, MINUTE_0, "2022-01-01T00:01:00Z,10,NaN,9,11,5"]),
        (3, "high", [HEADER, MINUTE_0, "2022-01-01T00:01:00Z,10,inf,9,11,5"]),
        (3, "high", [HEADER, MINUTE_0, "2022-01-01T00:01:00Z,10,1_2,9,11,5"]),
        (3, "high", [HEADER, MINUTE_0, "2022-01-01T00:01:00Z,10, 12,9,11,5"]),
        (3, "high", [HEADER, MINUTE_0, "2022-01-01T00:01:00Z,10,١٢,9,11,5"]),
        (3, "low", [HEADER, MINUTE_0, "2022-01-01T00:01:00Z,10,12,0,11,5"]),
        (3, "low", [HEADER, MINUTE_0, "2022-01-01T00:01:00Z,10,12,-9,11,5"]),
        (3, "close", [HEADER, MINUTE_0, "2022-01-01T00:01:00Z,10,12,9,9.5000000000000000001,5"]),
        (3, "close", [HEADER, MINUTE_0, "2022-01-01T00:01:00Z,10,12,9,1e25,5"]),
        (3, "close", [HEADER, MINUTE_0, "2022-01-01T00:01:00Z,10,12,9,1e999999999,5"]),
        (3, "high", [HEADER, MINUTE_0, "2022-01-01T00:01:00Z,10,10.5,9,11,5"]),
        (3, "high", [HEADER, MINUTE_0, "2022-01-01T00:01:00Z,10,8,9,7,5"]),
        (3, "low", [HEADER, MINUTE_0, "2022-01-01T00:01:00Z,10,12,10.5,11,5"]),
        (3, "volume", [HEADER, MINUTE_0, "2022-01-01T00:01:00Z,10,12,9,11,many"]),
        (3, "volume", [HEADER, MINUTE_0, "2022-01-01T00:01:00Z,10,12,9,11,-1"]),
        (3, "timestamp", [HEADER, MINUTE_0, MINUTE_0]),
        (4, "timestamp", [HEADER, MINUTE_1, MINUTE_2, MINUTE_0]),
        (2, "timestamp", [HEADER, "01/31/2022,10,12,9,11,5"]),
        (2, "timestamp", [HEADER, "2022-02-30,10,12,9,11,5"]),
        (2, "timestamp", [HEADER, "0001-01-01T00:00:00+05:00,10,12,9,11,5"]),
        (2, "timestamp", [HEADER, "2022-W01-1,10,12,9,11,5"]),
        (2, "timestamp", [HEADER, "2022-01-01T00:00:00.0000001Z,10,12,9,11,5"]),
        (3, "timestamp", [HEADER, "1643673480,10,12,9,11,5", "1643673540000,10,12,9,11,5"]),
        (3, "timestamp", [HEADER, MINUTE_0, "yesterday,10,12,9,11,5"]),
        (2, "", [HEADER, '2022-01-01,"10"x,12,9,11,5']),
        (3, "high_ask", [BID_THEN_ASK, *two_sided(minutes=1), "20220101 00:01,1,1.2,0.9,1.1,1.1,1.15,1,1.2"]),
    ],
)
def test_a_malformed_file_is_refused_naming_line_and_column(
    tmp_path: Path, line: int, column: str, rows: list[str]
) -> None:
    path = written(tmp_path, *rows)
    with pytest.raises(BadRecording) as refused:
        inspect(path, "BTC/USDT")
    assert (refused.value.line, refused.value.column) == (line, column)
    assert f"line {line}" in str(refused.value)
    assert repr(column) in str(refused.value) or not column
    assert refused.value.remedy


def test_a_refusal_is_one_sentence_a_person_can_act_on(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER, MINUTE_0, "2022-01-01T00:01:00Z,10,abc,9,11,5")
    with pytest.raises(BadRecording) as refused:
        inspect(path, "BTC/USDT")
    assert str(refused.value) == f"{path}, line 3, column 'high' = 'abc': write a finite number such as 0.05"


def test_a_file_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    whole = written(tmp_path, HEADER, *(GOOD.format(minute) for minute in range(9)), name="whole.csv.gz").read_bytes()
    cut, other, binary = tmp_path / "cut.csv.gz", tmp_path / "other.csv.gz", tmp_path / "binary.csv"
    cut.write_bytes(whole[: len(whole) // 2])
    other.write_text("timestamp,open")
    binary.write_bytes(b"\xff\xfe\x00")
    for path in (cut, other, binary, tmp_path / "missing.csv", tmp_path):
        with pytest.raises(BadRecording, match=path.name):
            inspect(path, "BTC/USDT")


# --- the second pass


def test_reading_on_after_a_bar_gives_the_rest(tmp_path: Path) -> None:
    recording = inspect(written(tmp_path, HEADER, *(GOOD.format(minute) for minute in range(6))), "BTC/USDT")
    whole = list(bars(recording, BTC))
    for number, bar in enumerate(whole):
        assert list(bars(recording, BTC, start_after=bar.start)) == whole[number + 1 :]
    assert list(bars(recording, BTC, start_after=recording.first - MINUTE)) == whole


def test_a_file_that_changed_since_it_was_inspected_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER, MINUTE_0, MINUTE_1)
    recording = inspect(path, "BTC/USDT")
    written(tmp_path, HEADER, MINUTE_0, MINUTE_2)
    with pytest.raises(BadRecording, match="changed"):
        next(bars(recording, BTC))


def test_a_bar_nearer_than_the_interval_ends_where_the_next_begins(tmp_path: Path) -> None:
    ends = ["2012-01-31", "2012-02-29", "2012-03-31", "2012-04-30", "2012-05-31"]
    path = written(tmp_path, HEADER, *(f"{end},1,1,1,1," for end in ends))
    recording = inspect(path, "BTC/USD")
    assert recording.interval == timedelta(days=31)
    assert recording.uneven
    assert recording.gaps == ()
    found = list(bars(recording, BTC))
    assert [bar.end for bar in found[:-1]] == [bar.start for bar in found[1:]]
    assert found[-1].interval == recording.interval
    assert list(bars(recording, BTC, start_after=found[-2].start)) == found[-1:]
    assert list(bars(recording, BTC, start_after=recording.last)) == []


@given(st.lists(st.integers(1, 7), min_size=1, max_size=40))
def test_bars_and_gaps_together_make_the_whole_time(tmp_path_factory: pytest.TempPathFactory, steps: list[int]) -> None:
    """Named invariant: nothing invented, nothing lost; every start is a bar's or inside a listed gap."""
    starts = [at("2022-01-01")]
    for step in steps:
        starts.append(starts[-1] + step * MINUTE)
    path = written(tmp_path_factory.mktemp("gaps"), HEADER, *(f"{start.isoformat()},1,1,1,1," for start in starts))
    recording = inspect(path, "BTC/USDT")
    assert [bar.start for bar in bars(recording, BTC)] == starts
    commonest = max(steps, key=lambda step: (steps.count(step), -step))
    assert recording.interval == commonest * MINUTE
    pairs = list(pairwise(starts))
    assert [(gap.after, gap.until) for gap in recording.gaps] == [
        pair for pair in pairs if pair[1] - pair[0] > recording.interval
    ]
    for gap in recording.gaps:
        assert gap.missing >= 1
        assert gap.after + gap.missing * recording.interval < gap.until
        assert gap.after + (gap.missing + 1) * recording.interval >= gap.until
    assert recording.uneven == any(step < commonest for step in steps)


# --- quotes


def test_quotes_are_read_as_they_happened(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "timestamp,symbol,ask_size,ask,bid_size,bid,last,mark",
        "2021-01-08 00:00:01.076+00:00,BTC/USDT,0.066,39433.62,0.0031,39432.99,39433,39433.1",
        "2021-01-08 00:00:01.076+00:00,BTC/USDT,,39433.60,0,39432.33,,",
    )
    first, second = read_quotes(path, BTC)
    assert (first.bid, first.ask, first.last, first.mark) == decimals("39432.99", "39433.62", "39433", "39433.1")
    assert (first.bid_size, first.ask_size) == (Decimal("0.0031"), Decimal("0.066"))
    assert (first.at, first.moment) == (at("2021-01-08T00:00:01.076"), Moment.LIVE)
    assert (second.last, second.mark, second.ask_size) == (second.bid, None, None)
    assert second.bid_size == 0


@pytest.mark.parametrize(
    ("line", "column", "rows"),
    [
        (1, "", []),
        (1, "", ["timestamp,bid,ask"]),
        (1, "ask", ["timestamp,bid"]),
        (1, "timestamp", ["bid,ask"]),
        (1, "bid", ["timestamp,bid,bid,ask"]),
        (2, "ask", ["timestamp,bid,ask", "2022-01-01,2,1"]),
        (2, "bid", ["timestamp,bid,ask", "2022-01-01,0,1"]),
        (2, "bid", ["timestamp,bid,ask", "2022-01-01,nan,1"]),
        (3, "timestamp", ["timestamp,bid,ask", "2022-01-02,1,1", "2022-01-01,1,1"]),
        (3, "symbol", ["timestamp,bid,ask,symbol", "2022-01-01,1,1,A", "2022-01-02,1,1,B"]),
        (2, "bid_size", ["timestamp,bid,ask,bid_size", "2022-01-01,1,1,-1"]),
    ],
)
def test_a_malformed_file_of_quotes_is_refused_naming_line_and_column(
    tmp_path: Path, line: int, column: str, rows: list[str]
) -> None:
    path = written(tmp_path, *rows)
    with pytest.raises(BadRecording) as refused:
        list(read_quotes(path, BTC))
    assert (refused.value.line, refused.value.column) == (line, column)


# --- the real files

REFUSED = {
    "binance_perp_xrpusdt_8h_funding_2021-11.csv.gz": (2, "high", "above zero"),
    "bitfinex_btcusd_ethusd_1d.csv.gz": (1, "timestamp", "timestamp, time, date"),
    "unittest_btc_1m_2017-11_gappy.csv.gz": (5, "high", "18 decimal places"),
}


def inspected(test_data: Path, name: str) -> Recording:
    return inspect(test_data / "candles" / name, "BTC/USDT")


def test_every_recorded_file_is_read_whole_or_refused_for_a_known_reason(test_data: Path) -> None:
    for path in sorted((test_data / "candles").glob("*.csv.gz")):
        if path.name not in REFUSED:
            recording = inspect(path, "BTC/USDT")
            assert sum(1 for _ in bars(recording, BTC)) == recording.bars > 1, path
            continue
        line, column, reason = REFUSED[path.name]
        with pytest.raises(BadRecording, match=reason) as refused:
            inspect(path, "BTC/USDT")
        assert (refused.value.line, refused.value.column) == (line, column), path


def test_the_crash_of_january_2022_is_whole(test_data: Path) -> None:
    recording = inspected(test_data, "btc_perp_1m_2022-01.csv.gz")
    assert (recording.bars, recording.interval, recording.gaps) == (45_031, MINUTE, ())
    assert (recording.first, recording.last) == (at("2021-12-31T23:01"), at("2022-02-01T05:31"))
    found = list(bars(recording, BTC))
    assert max(bar.high for bar in found) > 47_900
    assert min(bar.low for bar in found) < 33_000


def test_missing_minutes_of_a_real_file_are_listed(test_data: Path) -> None:
    recording = inspected(test_data, "binance_xrpeth_1m_2019-10.csv.gz")
    assert (recording.bars, len(recording.gaps)) == (2_469, 676)
    missing = sum(gap.missing for gap in recording.gaps)
    assert recording.bars + missing == (recording.last - recording.first) // MINUTE + 1


def test_real_bars_of_bid_and_ask_know_their_spread_and_leave_crossed_ones_out(test_data: Path) -> None:
    recording = inspected(test_data, "fxcm_gbpusd_1m_bidask_2012-02.csv.gz")
    assert recording.knows_spread
    assert (recording.bars, recording.crossed) == (29_441, 676)
    assert all(bar.open_spread >= 0 and bar.close_spread >= 0 for bar in bars(recording, BTC))


def test_lean_files_are_read_as_utc(test_data: Path) -> None:
    recording = inspected(test_data, "lean_bitfinex_btcusd_1h_trade.csv.gz")
    assert (recording.first, recording.interval) == (at("2013-10-01T00:00"), timedelta(hours=1))


def test_real_ticks_are_read_and_sizes_with_noise_beyond_18_places_are_refused(test_data: Path) -> None:
    ticks = test_data / "ticks_quotes"
    found = list(read_quotes(ticks / "truefx_usdjpy_ticks_2013-01-01.csv.gz", BTC))
    assert len(found) == 1000
    assert (found[0].bid, found[0].ask) == (Decimal("86.655"), Decimal("86.728"))
    with pytest.raises(BadRecording, match="18 decimal places") as refused:
        list(read_quotes(ticks / "binance_btcusdt-quotes.csv.gz", BTC))
    assert (refused.value.line, refused.value.column) == (6, "bid_size")
