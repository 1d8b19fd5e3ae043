"""Parquet: the same bars as from text, whatever type the numbers and times are stored in."""

import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.market.candles import BadRecording, bars, inspect, read_quotes
from plimsoll.model.ids import InstrumentId
from plimsoll.model.quote import Bar

pyarrow = pytest.importorskip("pyarrow", reason="Parquet is an extra: install plimsoll-desk[parquet]")
parquet = pytest.importorskip("pyarrow.parquet")

BTC = InstrumentId(1)
PRICES = ("0.09946999", "0.1", "0.0983", "0.09946999000000001")
TIMES = [datetime(2022, 1, 1, hour, tzinfo=UTC) for hour in (0, 1)]


def written(folder: Path, columns: dict[str, object], name: str = "file.parquet") -> Path:
    path = folder / name
    parquet.write_table(pyarrow.table(columns), path, row_group_size=3)
    return path


def with_prices(times: object, number: Callable[[str], object] = float) -> dict[str, object]:
    names = ("open", "high", "low", "close")
    return {"Timestamp": times} | {
        name: pyarrow.array([number(price)] * 2) for name, price in zip(names, PRICES, strict=True)
    }


def read(path: Path) -> list[Bar]:
    return list(bars(inspect(path, "BTC/USDT"), BTC))


@pytest.mark.parametrize("number", [float, Decimal, str])
def test_doubles_decimals_and_text_give_the_same_exact_prices(tmp_path: Path, number: Callable[[str], object]) -> None:
    path = written(tmp_path, with_prices(pyarrow.array(TIMES), number))
    for bar in read(path):
        assert [bar.open, bar.high, bar.low, bar.close] == [Decimal(price) for price in PRICES]
        assert bar.volume is None


@pytest.mark.parametrize(
    "times",
    [
        pyarrow.array(TIMES, pyarrow.timestamp("s", "UTC")),
        pyarrow.array(TIMES, pyarrow.timestamp("ns", "UTC")),
        pyarrow.array(TIMES, pyarrow.timestamp("ms", "+02:00")),
        pyarrow.array([time.replace(tzinfo=None) for time in TIMES], pyarrow.timestamp("us")),
        pyarrow.array([time.isoformat() for time in TIMES]),
        pyarrow.array([time.isoformat() for time in TIMES], pyarrow.large_string()),
        pyarrow.array([int(time.timestamp()) for time in TIMES]),
        pyarrow.array([int(time.timestamp()) * 1000 for time in TIMES]),
    ],
    ids=lambda array: str(array.type),
)
def test_a_time_is_the_same_moment_in_every_type(tmp_path: Path, times: object) -> None:
    assert [bar.start for bar in read(written(tmp_path, with_prices(times)))] == TIMES


def test_dates_are_their_midnight(tmp_path: Path) -> None:
    path = written(tmp_path, with_prices(pyarrow.array([date(2022, 1, 1), date(2022, 1, 2)])))
    assert [bar.start for bar in read(path)] == [TIMES[0], TIMES[0] + timedelta(days=1)]


@given(st.lists(st.floats(1e-2, 1e9), min_size=2, max_size=12))
def test_what_is_written_is_what_is_read(tmp_path_factory: pytest.TempPathFactory, closes: list[float]) -> None:
    """Round trip: each double comes back as its shortest text, and CSV of the same texts gives the same bars."""
    folder = tmp_path_factory.mktemp("trip")
    times = [TIMES[0] + timedelta(minutes=number) for number in range(len(closes))]
    columns = {"time": times, "volume": [None, *closes[1:]], "note": [["ignored"]] * len(closes)}
    path = written(folder, columns | dict.fromkeys(("open", "high", "low", "close"), closes))
    text = folder / "file.csv"
    rows = [f"{time.isoformat()},{','.join([repr(close)] * 5)}" for time, close in zip(times, closes, strict=True)]
    rows[0] = rows[0].rsplit(",", 1)[0] + ","
    text.write_text("\n".join(["time,open,high,low,close,volume", *rows]))
    found = read(path)
    assert [bar.close for bar in found] == [Decimal(repr(close)) for close in closes]
    assert found == read(text)
    assert inspect(path, "X/Y").tick == inspect(text, "X/Y").tick


def test_a_bad_cell_is_named_by_row_and_column(tmp_path: Path) -> None:
    columns = with_prices(TIMES) | {"high": [0.2, float("nan")]}
    with pytest.raises(BadRecording) as refused:
        inspect(written(tmp_path, columns), "BTC/USDT")
    assert (refused.value.line, refused.value.column, refused.value.value) == (2, "high", "nan")


def test_an_empty_cell_is_not_a_price(tmp_path: Path) -> None:
    columns = with_prices(TIMES) | {"low": pyarrow.array([Decimal("0.05"), None])}
    with pytest.raises(BadRecording) as refused:
        inspect(written(tmp_path, columns), "BTC/USDT")
    assert (refused.value.line, refused.value.column, refused.value.value) == (2, "low", "")


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("open", pyarrow.array([0.099, 0.099], pyarrow.float32())),
        ("open", pyarrow.array([True, False])),
        ("Timestamp", pyarrow.array([1, 2], pyarrow.duration("s"))),
    ],
    ids=["float", "bool", "duration"],
)
def test_a_column_of_another_type_is_refused(tmp_path: Path, column: str, values: object) -> None:
    with pytest.raises(BadRecording, match="write doubles") as refused:
        inspect(written(tmp_path, with_prices(TIMES) | {column: values}), "BTC/USDT")
    assert refused.value.column == column.lower()


def test_a_time_finer_than_a_microsecond_is_refused(tmp_path: Path) -> None:
    times = pyarrow.array([1_000_000_001, 2_000_000_000], pyarrow.timestamp("ns"))
    with pytest.raises(BadRecording, match="lose data"):
        inspect(written(tmp_path, with_prices(times)), "BTC/USDT")


def test_what_is_no_parquet_file_is_refused(tmp_path: Path) -> None:
    fake = tmp_path / "fake.parquet"
    fake.write_text("timestamp,open,high,low,close")
    for path in (fake, tmp_path / "missing.parquet"):
        with pytest.raises(BadRecording, match=path.name):
            inspect(path, "BTC/USDT")


def test_without_the_extra_the_remedy_is_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, with_prices(TIMES))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(BadRecording, match=r"install plimsoll-desk\[parquet\]"):
        inspect(path, "BTC/USDT")


def test_quotes_are_read_from_parquet_too(tmp_path: Path) -> None:
    path = written(tmp_path, {"time": TIMES, "bid": [1.1, 1.2], "ask": [1.15, 1.2], "bid_size": [None, 5]})
    first, second = read_quotes(path, BTC)
    assert (first.at, first.bid, first.ask, first.bid_size) == (TIMES[0], Decimal("1.1"), Decimal("1.15"), None)
    assert second.bid_size == 5


def test_a_zone_beside_the_times_does_not_move_them(tmp_path: Path) -> None:
    east = [time.astimezone(timezone(timedelta(hours=9))) for time in TIMES]
    path = written(tmp_path, with_prices(pyarrow.array(east, pyarrow.timestamp("us", "+09:00"))))
    assert [bar.start for bar in read(path)] == TIMES
