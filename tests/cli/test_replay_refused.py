"""What `plimsoll replay` refuses before anything is written: one line, exit 2, not even the folder is there."""

from pathlib import Path

import pytest

from tests.cli.shell import PERP, Said, candles, plimsoll, wave

HEADER = "timestamp,open,high,low,close,volume"
GOOD = "2022-01-01T00:00:00Z,100,110,90,105,1"
NEXT = "2022-01-01T00:01:00Z,105,110,90,105,1"

MALFORMED = {
    "empty file": ("", ["line 1", "empty"]),
    "header only": (HEADER, ["no bars"]),
    "one bar": (f"{HEADER}\n{GOOD}", ["two or more"]),
    "missing column": ("timestamp,open,high,low,volume\n", ["line 1", "'close'", "missing"]),
    "no time": ("open,high,low,close\n1,1,1,1\n", ["line 1", "timestamp"]),
    "column twice": (f"{HEADER},close\n", ["line 1", "'close'"]),
    "word for a price": (f"{HEADER}\n{GOOD}\n2022-01-01T00:01:00Z,105,110,90,abc,1", ["line 3", "'close'", "'abc'"]),
    "NaN": (f"{HEADER}\n{GOOD}\n2022-01-01T00:01:00Z,NaN,110,90,105,1", ["line 3", "'open'", "'NaN'"]),
    "price of zero": (f"{HEADER}\n{GOOD}\n2022-01-01T00:01:00Z,105,110,0,105,1", ["line 3", "'low'", "above zero"]),
    "negative price": (f"{HEADER}\n{GOOD}\n2022-01-01T00:01:00Z,-5,110,90,105,1", ["line 3", "'open'"]),
    "empty cell": (f"{HEADER}\n{GOOD}\n2022-01-01T00:01:00Z,105,,90,105,1", ["line 3", "'high'"]),
    "high below close": (f"{HEADER}\n{GOOD}\n2022-01-01T00:01:00Z,105,104,90,105,1", ["line 3", "'high'"]),
    "low above open": (f"{HEADER}\n{GOOD}\n2022-01-01T00:01:00Z,105,110,106,107,1", ["line 3", "'low'"]),
    "line cut off": (f"{HEADER}\n{GOOD}\n2022-01-01T00:01:00Z,105,110", ["line 3", "'low'"]),
    "a cell too many": (f"{HEADER}\n{GOOD}\n{NEXT},7", ["line 3"]),
    "time goes back": (f"{HEADER}\n{NEXT}\n{GOOD}", ["line 3", "'timestamp'", "sort"]),
    "time twice": (f"{HEADER}\n{GOOD}\n{GOOD}", ["line 3", "'timestamp'"]),
    "no time at all": (f"{HEADER}\n{GOOD}\nyesterday,105,110,90,105,1", ["line 3", "'timestamp'", "'yesterday'"]),
    "no such day": (f"{HEADER}\n{GOOD}\n2022-02-30T00:01:00Z,105,110,90,105,1", ["line 3", "'timestamp'"]),
    "negative volume": (f"{HEADER}\n{GOOD}\n2022-01-01T00:01:00Z,105,110,90,105,-1", ["line 3", "'volume'"]),
    "19 places": (
        f"{HEADER}\n{GOOD}\n2022-01-01T00:01:00Z,1.1234567890123456789,110,1,105,1",
        ["line 3", "'open'"],
    ),
}


def refused(said: Said, data: Path, *parts: str) -> None:
    """Hold a refusal to the contract: exit 2, one line that names what is wrong, nothing written."""
    assert said.code == 2, said
    assert said.out == ""
    assert len(said.err.strip().splitlines()) == 1
    assert said.err.startswith("plimsoll: ")
    assert "Traceback" not in said.err
    for part in parts:
        assert part in said.err
    assert not data.exists()


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_file_is_named_by_line_and_column(tmp_path: Path, name: str) -> None:
    """No row is mended and none left out: the first wrong one ends it."""
    text, parts = MALFORMED[name]
    file, data = tmp_path / "bars.csv", tmp_path / "desk"
    file.write_text(text + "\n" if text else text)
    said = plimsoll("replay", file, "--symbol", PERP, "--deposit", "1000", "--strategy", "hold", "--data", data)
    refused(said, data, "bars.csv", *parts)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A missing file is wrong use like any other."""
    data = tmp_path / "desk"
    said = plimsoll("replay", "no.csv", "--symbol", PERP, "--deposit", "1000", "--strategy", "hold", "--data", data)
    refused(said, data, "no.csv")


def test_a_file_of_exchanged_sides_is_refused(tmp_path: Path) -> None:
    """Asks below bids throughout are two columns exchanged, not a market."""
    names = "timestamp,open_bid,high_bid,low_bid,close_bid,open_ask,high_ask,low_ask,close_ask"
    rows = [f"2022-01-01T00:0{minute}:00Z,10,11,9,10,8,9,7,8" for minute in range(3)]
    file, data = tmp_path / "sides.csv", tmp_path / "desk"
    file.write_text("\n".join([names, *rows]))
    said = plimsoll("replay", file, "--symbol", PERP, "--deposit", "1000", "--strategy", "hold", "--data", data)
    refused(said, data, "line 2", "ask")


def test_a_crossed_bar_is_left_out_and_counted(tmp_path: Path) -> None:
    """Bid and ask are recorded apart; a bar whose ask stands below its bid is no price."""
    names = "timestamp,open_bid,high_bid,low_bid,close_bid,open_ask,high_ask,low_ask,close_ask"
    rows = [f"2022-01-01T00:{minute:02}:00Z,100,101,99,100,100.1,101.1,99.1,100.1" for minute in range(20)]
    rows[7] = "2022-01-01T00:07:00Z,100,101,99,100,99.9,101.1,99.1,100.1"
    file, data = tmp_path / "sides.csv", tmp_path / "desk"
    file.write_text("\n".join([names, *rows]))
    said = plimsoll(
        "replay", file, "--symbol", PERP, "--deposit", "1000", "--strategy", "hold", "--data", data, "--json"
    )
    assert said.code == 0
    assert said.json["crossed"] == 1
    assert said.json["bars"] == 19
    assert said.json["gaps"] == [
        {"after": "2022-01-01T00:06:00.000000Z", "until": "2022-01-01T00:08:00.000000Z", "missing": 1}
    ]


OPTIONS = {
    "deposit of nothing": (["--deposit", "0"], ["deposit", "'0'"]),
    "deposit in words": (["--deposit", "much"], ["deposit", "'much'"]),
    "deposit with an exponent": (["--deposit", "1e5"], ["deposit", "'1e5'"]),
    "negative deposit": (["--deposit", "-5"], ["deposit"]),
    "leverage above the hard maximum": (["--leverage", "6"], ["leverage", "'6'", "5"]),
    "leverage below one": (["--leverage", "0.5"], ["leverage", "'0.5'"]),
    "leverage on spot": (["--symbol", "BTC/USDT", "--leverage", "2"], ["leverage", "'2'", "BTC/USDT"]),
    "unknown strategy": (["--strategy", "martingale"], ["strategy", "'martingale'", "hold", "signals"]),
    "share above one": (["--share", "1.5"], ["share", "1.5"]),
    "share of nothing": (["--share", "0"], ["share", "'0'"]),
    "trade size for hold": (["--trade-size", "100"], ["trade_size", "signals"]),
    "share for signals": (["--strategy", "signals", "--share", "1"], ["share", "hold"]),
    "tiny trades": (["--strategy", "signals", "--trade-size", "9"], ["trade_size", "9"]),
    "trades below one lot": (["--strategy", "signals", "--trade-size", "40"], ["trade_size", "'40'", "40.244", "lots"]),
    "tiny deposit for signals": (["--strategy", "signals", "--deposit", "500"], ["trade_size", "5"]),
    "symbol of another form": (["--symbol", "BTCUSDT"], ["symbol", "'BTCUSDT'"]),
    "inverse perpetual": (["--symbol", "BTC/USD:BTC"], ["symbol", "'BTC/USD:BTC'", "linear"]),
    "standing still": (["--speed", "0"], ["speed", "'0'"]),
    "speed in words": (["--speed", "fast"], ["speed", "'fast'"]),
    "seed below zero": (["--seed", "-1"], ["seed", "'-1'"]),
    "resume after a part": (["--resume-after", "1.5"], ["resume_after", "'1.5'"]),
    "bars of a file": (["--bars", "5"], ["bars", "synthetic"]),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_an_impossible_option_is_named_with_its_value(tmp_path: Path, name: str) -> None:
    """Every option is looked at before the folder is made."""
    words, parts = OPTIONS[name]
    file, data = candles(tmp_path / "bars.csv", wave(5)), tmp_path / "desk"
    usual = ["--symbol", PERP, "--deposit", "1000", "--strategy", "hold"]
    refused(plimsoll("replay", file, *usual, *words, "--data", data), data, *parts)


@pytest.mark.parametrize("words", [["replay"], ["replay", "x.csv"], ["no-such-command"], ["status", "--what"]])
def test_words_that_make_no_command_are_wrong_use(words: list[str]) -> None:
    """The shell's own mistakes have the same exit code and no traceback."""
    said = plimsoll(*words)
    assert said.code == 2
    assert said.out == ""
    assert "Traceback" not in said.err


@pytest.mark.parametrize("bars", ["1", "0", "x", "99999999999"])
def test_the_synthetic_market_needs_a_sensible_length(tmp_path: Path, bars: str) -> None:
    """Two bars at least, and an end."""
    words = ["--symbol", PERP, "--deposit", "1000", "--strategy", "hold", "--bars", bars]
    refused(plimsoll("replay", "synthetic", *words, "--data", tmp_path / "desk"), tmp_path / "desk", "bars", bars)
