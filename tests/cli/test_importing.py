"""`plimsoll import` as a person types it: tried, refused, brought along, listed, taken back, beside a running desk."""

import fcntl
import hashlib
import json
import os
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from plimsoll.bootstrap import DataDirectory, take_the_desk
from plimsoll.store.place import PostgresPlace
from tests.builders.process import served
from tests.cli.shell import Said, candles, plimsoll, replay_words, wave
from tests.imports.test_bot_owned import keep as keep_bots
from tests.imports.test_bot_owned import trade as bots_trade
from tests.imports.test_hummingbot import keep as keep_hummingbot

D = Decimal
HEADER = "time,symbol,side,quantity,price,fee,fee_asset,trade_id,order_id,kind"
FIRST = [
    "2021-01-01T10:00:00Z,USD,,10000,,,,d1,,deposit",
    "2021-01-02T10:00:00Z,BTC/USD,buy,0.1,30000,3,USD,1,o1,",
    "2021-01-03T10:00:00Z,BTC/USD,sell,0.05,36000,1.8,USD,2,o2,",
]
LATER = ["2021-02-03T10:00:00Z,BTC/USD,sell,0.05,40000,2,USD,3,o3,"]


def written(path: Path, *lines: str) -> Path:
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    return path


def bring(file: Path, data: Path, *more: str, portfolio: str = "history") -> Said:
    return plimsoll("import", "csv", file, "--portfolio", portfolio, "--data", data, "--json", *more)


def done(said: Said) -> Any:
    assert said.code == 0, said.err
    return said.json


def listed(data: Path, portfolio: str = "history") -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = done(plimsoll("import", "list", "--portfolio", portfolio, "--data", data, "--json"))[
        "imports"
    ]
    return told


def held(data: Path) -> dict[str, tuple[str, str]]:
    """Say what the desk shows of each position: quantity and realised profit."""
    told = done(plimsoll("status", "--data", data, "--json"))["positions"]
    return {one["symbol"]: (one["quantity"], one["realized_pnl"]) for one in told}


def is_whole(data: Path) -> bool:
    return bool(done(plimsoll("verify", "--data", data, "--json"))["ok"])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "desk"


# One statement after another ------------------------------------------------------------------------------------------


def test_a_dry_run_says_what_would_come_and_writes_nothing(tmp_path: Path, data: Path) -> None:
    """Not even a desk."""
    told = done(bring(written(tmp_path / "a.csv", *FIRST), data, "--dry-run"))
    assert not told["written"]
    assert told["portfolio_uid"] is None
    assert told["trades_added"] == 2
    (position,) = told["positions"]
    assert (position["quantity"], position["realized_pnl"], position["fees"]) == ("0.05", "300", {"USD": "4.8"})
    assert not (data / "desk.db").exists()
    assert not list((data / "imports").glob("*.part"))


def test_statements_add_up_whatever_comes_first(tmp_path: Path, data: Path) -> None:
    """The portfolio keeps its public id; each statement is listed with what it brought."""
    later = done(bring(written(tmp_path / "later.csv", *LATER), data))
    assert held(data) == {"BTC/USD": ("-0.05", "0")}
    first = done(bring(written(tmp_path / "first.csv", *FIRST, *LATER), data))
    assert first["portfolio_uid"] == later["portfolio_uid"]
    assert held(data) == {"BTC/USD": ("0", "800")}
    assert [(one["file"], one["added"], one["repeated"]) for one in listed(data)] == [
        ("later.csv", 1, 0),
        ("first.csv", 3, 1),
    ]
    assert not done(bring(tmp_path / "later.csv", data))["written"]
    assert len(listed(data)) == 2
    assert is_whole(data)


def test_an_import_is_taken_back_as_a_whole(tmp_path: Path, data: Path) -> None:
    """What another statement told as well stays; taken back, it may come again."""
    done(bring(written(tmp_path / "first.csv", *FIRST, *LATER), data))
    done(bring(written(tmp_path / "later.csv", *LATER, LATER[0].replace(",3,o3", ",4,o4")), data))
    assert held(data) == {"BTC/USD": ("-0.05", "800")}
    uid = listed(data)[0]["uid"]
    undo = ("import", "undo", uid, "--portfolio", "history", "--data", data)
    assert done(plimsoll(*undo, "--json"))["imports"] == 1
    assert held(data) == {"BTC/USD": ("-0.1", "0")}
    again = plimsoll(*undo)
    assert again.code == 1
    assert listed(data)[0]["uid"] in again.err
    done(bring(tmp_path / "first.csv", data))
    assert held(data) == {"BTC/USD": ("-0.05", "800")}
    assert len({one["uid"] for one in listed(data)}) == 2
    for one in listed(data):
        said = plimsoll("import", "undo", one["uid"], "--portfolio", "history", "--data", data)
        assert said.code == 0, said.err
        assert "taken back" in said.err
    assert held(data) == {}
    assert listed(data) == []
    assert is_whole(data)


def test_a_person_reads_what_came(tmp_path: Path, data: Path) -> None:
    """Positions on stdout; how it went on stderr."""
    said = plimsoll("import", "csv", written(tmp_path / "a.csv", *FIRST), "--portfolio", "history", "--data", data)
    assert said.code == 0
    assert "BTC/USD" in said.out
    assert "a.csv (plain): 2 trades added, 0 things known before." in said.err
    assert "plimsoll import undo" in said.err
    said = plimsoll("import", "csv", tmp_path / "a.csv", "--portfolio", "history", "--data", data)
    assert "Nothing was written: all of it is in the book already." in said.err
    said = plimsoll("import", "list", "--portfolio", "history", "--data", data)
    assert "a.csv" in said.out


# Refused --------------------------------------------------------------------------------------------------------------


def test_one_bad_line_keeps_all_of_them_out_unless_that_is_wanted(tmp_path: Path, data: Path) -> None:
    """Every bad line is named with its column, its value and the remedy."""
    file = written(
        tmp_path / "bad.csv", *FIRST, "2021-02-01T00:00:00Z,BTC/USD,buy,NaN,1,,,9,,", "yesterday,X/Y,buy,1,1,,,8,,"
    )
    said = bring(file, data)
    assert said.code == 1
    assert [(one["line"], one["column"], one["value"]) for one in said.json["errors"]] == [
        (5, "quantity", "NaN"),
        (6, "time", "yesterday"),
    ]
    assert all(one["remedy"] for one in said.json["errors"])
    assert not (data / "desk.db").exists()
    shown = plimsoll("import", "csv", file, "--portfolio", "history", "--data", data)
    assert "line 5, column quantity: 'NaN'" in shown.err
    told = done(bring(file, data, "--skip-bad-lines"))
    assert told["trades_added"] == 2
    assert len(told["errors"]) == 2


def test_one_file_is_not_told_twice_in_two_ways(tmp_path: Path, data: Path) -> None:
    """Read in another zone it would tell every trade a second time: the first import has to be taken back."""
    file = tmp_path / "naive.csv"
    file.write_text("time,symbol,side,quantity,price\n2021-01-02 10:00:00,BTC/USD,buy,1,100\n")
    done(bring(file, data))
    said = bring(file, data, "--zone", "Europe/Berlin")
    assert said.code == 1
    assert listed(data)[0]["uid"] in said.err
    assert held(data) == {"BTC/USD": ("1", "0")}


def test_two_stories_of_one_trade_are_refused(tmp_path: Path, data: Path) -> None:
    """Both lines are named, and the book stays what it was."""
    done(bring(written(tmp_path / "a.csv", *FIRST), data))
    said = bring(written(tmp_path / "b.csv", FIRST[1].replace("30000", "31000")), data)
    assert said.code == 1
    assert "a.csv, line 3" in said.err
    assert "b.csv, line 2" in said.err
    assert held(data) == {"BTC/USD": ("0.05", "300")}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is the file empty?"),
        ("time,open,high,low,close\n1,2,3,4,5\n", "these are prices"),
        (HEADER + "\n", "tells of nothing that moved"),
        ("a,b\n1,2\n", "nobody knows these columns"),
    ],
)
def test_what_is_no_statement_is_refused_in_a_sentence(tmp_path: Path, data: Path, content: str, words: str) -> None:
    file = tmp_path / "x.csv"
    file.write_text(content)
    said = bring(file, data)
    assert said.code == 1
    assert words in said.err
    assert said.err.count("\n") <= 3


def test_a_symbol_is_one_contract(tmp_path: Path, data: Path) -> None:
    """Two multipliers under one symbol are named by their lines."""
    file = tmp_path / "m.csv"
    lines = ["2021-01-02T10:00:00Z,BTC/USD:USD,buy,1,1,,,1,,,10", "2021-01-02T11:00:00Z,BTC/USD:USD,buy,1,1,,,2,,,5"]
    file.write_text("\n".join([HEADER + ",multiplier", *lines]) + "\n")
    said = bring(file, data)
    assert said.code == 1
    assert "multiplier" in said.out
    assert "line 2" in said.out


def test_a_portfolio_that_is_traded_takes_no_import(tmp_path: Path, data: Path) -> None:
    """Neither does the folder of a replay."""
    with served(data) as desk:
        desk.sign_in()
        for more in ((), ("--dry-run",)):
            said = bring(written(tmp_path / "a.csv", *FIRST), data, *more, portfolio="main")
            assert said.code == 1
            assert "is traded at" in said.err
    words = replay_words(candles(tmp_path / "bars.csv", wave(40)), tmp_path / "replayed")
    assert plimsoll(*words).code == 0
    said = bring(tmp_path / "a.csv", tmp_path / "replayed")
    assert said.code == 1
    assert "holds the desk of a replay" in said.err


def test_one_import_at_a_time(tmp_path: Path, data: Path) -> None:
    """A second one is refused; what a killed one left is removed by the next."""
    folder = data / "imports"
    folder.mkdir(parents=True)
    (folder / "left.part").write_text("half")
    held_lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(held_lock, fcntl.LOCK_EX)
        said = bring(written(tmp_path / "a.csv", *FIRST), data)
        assert said.code == 1
        assert "another import" in said.err
    finally:
        os.close(held_lock)
    done(bring(tmp_path / "a.csv", data))
    assert not list(folder.glob("*.part"))


def test_a_desk_that_does_not_answer_is_not_waited_for_for_ever(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lock is held and nobody is at its door: nothing is imported."""
    monkeypatch.setattr("plimsoll.cli.import_door.PATIENCE_SECONDS", 0.2)
    lock = take_the_desk(DataDirectory(data))
    try:
        said = bring(written(tmp_path / "a.csv", *FIRST), data)
    finally:
        lock.release()
    assert said.code == 1
    assert "does not answer" in said.err


# Other bots -----------------------------------------------------------------------------------------------------------


def test_trades_of_bots_become_the_portfolios(tmp_path: Path, data: Path) -> None:
    """With who decided, and what each bot had made."""
    rows = [
        bots_trade(1, 7, "BUY", 1.0, 100.0),
        bots_trade(2, 7, "SELL", 1.0, 110.0),
        bots_trade(3, 8, "BUY", 2.0, 50.0),
    ]
    file = keep_bots(tmp_path / "bots.db", *rows, bots=((7, "grid"), (8, "trend")))
    before = hashlib.sha256(file.read_bytes()).hexdigest()
    words = ("import", "bots", file, "--data", data, "--json")
    told = done(plimsoll(*words))
    assert told["source_sha256"] == before == hashlib.sha256(file.read_bytes()).hexdigest()
    assert {(one["strategy"], one["quantity"], one["realized_pnl"]) for one in told["positions"]} == {
        ("grid", "0", "10"),
        ("trend", "2", "0"),
    }
    assert done(plimsoll(*words))["trades_added"] == 0
    by_strategy = done(plimsoll("reports", "pnl", "--by", "strategy", "--year", "2025", "--data", data, "--json"))
    assert {one["name"]: D(one["price"]) for one in by_strategy["items"]} == {"grid": D(10), "trend": D(0)}


def test_an_import_whose_profits_differ_stops(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the book to make another profit of a bot's trades than their own rows do, nothing would be written."""
    monkeypatch.setattr("plimsoll.imports.bot_owned.Tally.standings", lambda _self: {})
    file = keep_bots(tmp_path / "bots.db", bots_trade(1, 7, "BUY", 1.0, 100.0), bots=((7, "grid"),))
    said = plimsoll("import", "bots", file, "--data", data)
    assert said.code == 1
    assert "grid, BTC/USD: quantity 0 before, 1 after" in said.err
    assert not (data / "desk.db").exists()


def test_hummingbots_fills_come_along(tmp_path: Path, data: Path) -> None:
    fee = json.dumps({"fee_type": "AddedToCost", "percent": "0.001", "percent_token": "USDT", "flat_fees": []})
    fill = {
        "config_file_path": "conf.yml",
        "strategy": "pure_market_making",
        "market": "binance",
        "symbol": "BTC-USDT",
        "base_asset": "BTC",
        "quote_asset": "USDT",
        "timestamp": int(datetime(2023, 1, 1, tzinfo=UTC).timestamp() * 1000),
        "order_id": "a",
        "trade_type": "BUY",
        "order_type": "LIMIT",
        "price": 20_000_000_000,
        "amount": 500_000,
        "leverage": 1,
        "trade_fee": fee,
        "trade_fee_in_quote": 10_000_000,
        "exchange_trade_id": "77",
        "position": "NIL",
    }
    told = done(plimsoll("import", "hummingbot", keep_hummingbot(tmp_path / "h.db", fill), "--data", data, "--json"))
    (position,) = told["positions"]
    assert (position["venue"], position["quantity"], position["fees"]) == ("binance", "0.5", {"USDT": "10"})


def test_freqtrades_profits_are_told_to_a_person(test_data: Path, data: Path) -> None:
    """Trades that contradict themselves by number, theirs and ours."""
    file = test_data / "freqtrade" / "tradesv3_mock_usdt_long.sqlite"
    said = plimsoll("import", "freqtrade", file, "--data", data)
    assert said.code == 0, said.err
    assert "Trade 1: -4.09 by its own account" in said.err
    assert "closed trades compared, 2 contradict themselves" in said.err


# Beside a desk that runs ----------------------------------------------------------------------------------------------


def test_a_desk_trades_on_while_a_book_comes_along(tmp_path: Path, data: Path) -> None:
    """Its page shows the portfolio without a restart, and after one; its own account is what it was."""
    with served(data) as desk:
        desk.sign_in()
        done(bring(written(tmp_path / "a.csv", *FIRST), data))
        names = {one["name"] for one in desk.get("/portfolios")["items"]}
        assert names == {"main", "history"}
        desk.post("/orders", {"symbol": "BTC/USDT", "side": "BUY", "type": "MARKET", "quote_value": "100"})
        desk.kill()
        desk.start()
        assert {one["name"] for one in desk.get("/portfolios")["items"]} == names
    assert is_whole(data)


def test_a_book_comes_along_into_postgresql(tmp_path: Path, postgres: PostgresPlace) -> None:
    """The same statement there makes the same positions; a second one, and one taken back."""
    data, server = tmp_path / "pg", ("--database", postgres.url)
    environ = ("--data", data, *server)
    file = written(tmp_path / "a.csv", *FIRST)
    words = ("import", "csv", file, "--portfolio", "history", *environ, "--json")
    told = done(plimsoll(*words))
    assert told["written"]
    assert not done(plimsoll(*words))["written"]
    later = ("import", "csv", written(tmp_path / "b.csv", *LATER), "--portfolio", "history", *environ, "--json")
    assert done(plimsoll(*later))["positions"][0]["realized_pnl"] == "800"
    uid = done(plimsoll("import", "list", "--portfolio", "history", *environ, "--json"))["imports"][1]["uid"]
    assert plimsoll("import", "undo", uid, "--portfolio", "history", *environ).code == 0
    status = done(plimsoll("status", *environ, "--json"))["positions"]
    assert [(one["quantity"], one["realized_pnl"]) for one in status] == [("0.05", "300")]
    assert done(plimsoll("verify", *environ, "--json"))["ok"]


def test_what_was_sold_and_never_came_in_is_remarked(tmp_path: Path, data: Path) -> None:
    """It stands below zero, as a short sale would; most often a statement is missing."""
    told = done(bring(written(tmp_path / "a.csv", FIRST[2]), data))
    assert len(told["remarks"]) == 1
    assert "BTC/USD at statement is -0.05" in told["remarks"][0]
    said = plimsoll("import", "csv", tmp_path / "a.csv", "--portfolio", "x", "--data", data, "--dry-run")
    assert "more went than ever came" in said.err


def test_a_portfolio_that_was_never_imported_has_no_list(tmp_path: Path, data: Path) -> None:
    done(bring(written(tmp_path / "a.csv", *FIRST), data))
    said = plimsoll("import", "list", "--portfolio", "other", "--data", data)
    assert said.code == 1
    assert "there is no imported portfolio other" in said.err


def test_a_name_that_is_no_text_is_kept_spelt_out(tmp_path: Path, data: Path) -> None:
    file = written(Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff.csv")), *FIRST)
    done(bring(file, data))
    assert listed(data)[0]["file"] == "bad\\udcff.csv"


def test_a_pipe_is_not_waited_for(tmp_path: Path, data: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    for words in (("csv", "--portfolio", "x"), ("freqtrade",), ("bots",), ("hummingbot",)):
        said = plimsoll("import", words[0], tmp_path / "pipe.csv", *words[1:], "--data", data)
        assert said.code == 1
        assert "no file" in said.err


def test_no_line_is_left_out_behind_too_many_bad_ones(tmp_path: Path, data: Path) -> None:
    """Nobody reads on behind so many complaints: the good lines there must not be lost without a word."""
    bad = ["2021-02-01T00:00:00Z,BTC/USD,buy,NaN,1,,,,,"] * 1000
    said = bring(written(tmp_path / "bad.csv", *FIRST, *bad, *LATER), data, "--skip-bad-lines")
    assert said.code == 1
    assert "fewer than 1000" in said.err
    assert not (data / "desk.db").exists()
    told = done(bring(written(tmp_path / "less.csv", *FIRST, *bad[:-1], *LATER), data, "--skip-bad-lines"))
    assert told["trades_added"] == 3
