"""`plimsoll up` as its user meets it: a process, a link, a page, and an end with nothing in limbo."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from plimsoll.edges.listen import bind
from tests.builders.process import served
from tests.cli.shell import candles, plimsoll, wave


def _order_states(directory: Path) -> list[str]:
    with closing(sqlite3.connect(directory / "desk.db")) as book:
        return [state for (state,) in book.execute("SELECT state FROM orders ORDER BY id")]


def test_a_newcomer_signs_in_trades_stops_and_comes_back(tmp_path: Path) -> None:
    """The first five minutes, without a browser."""
    with served(tmp_path) as desk:
        assert desk.get("/system/health")["status"] == "ok"
        desk.sign_in()
        assert desk.get("/system/health")["prices"][0]["source"] == "synthetic"
        assert desk.get("/portfolio")["total_value"] == "10000"
        bought = desk.post("/orders", {"symbol": "BTC/USDT", "side": "BUY", "quote_value": "100"})
        assert bought["order"]["state"] == "FILLED"
        assert desk.get("/positions")["items"][0]["symbol"] == "BTC/USDT"
        assert desk.stop() == 0
        assert _order_states(tmp_path) == ["FILLED"]

        desk.start().sign_in()
        assert not desk.link, "the owner has a password; no second link is made"
        assert desk.get("/positions")["items"][0]["symbol"] == "BTC/USDT"
        told = desk.post("/halts/flatten", {"reason": "enough"})
        assert told["flat"], told
        assert desk.get("/positions")["items"] == []


def test_commands_of_another_shell_reach_the_desk_that_is_served(tmp_path: Path) -> None:
    """Halt, lift, flatten, and a new link for an owner who forgot the password."""
    with served(tmp_path) as desk:
        desk.sign_in()
        desk.post("/orders", {"symbol": "BTC/USDT:USDT", "side": "BUY", "quote_value": "500"})
        halted = plimsoll("halt", "--data", tmp_path, "--json")
        assert (halted.code, halted.json["state"]) == (0, "REDUCE_ONLY"), halted
        assert desk.get("/halts")["state"] == "REDUCE_ONLY"
        assert plimsoll("halt", "--lift", "--data", tmp_path).code == 0
        flat = plimsoll("flatten", "--data", tmp_path, "--json")
        assert (flat.code, flat.json["flat"]) == (0, True), flat
        desk.link = plimsoll("user", "link", "--data", tmp_path, "--json").json["url"]
        desk.sign_in()
        assert desk.get("/auth/me")["name"] == "owner"


def test_commands_work_on_a_served_desk_that_nobody_runs(tmp_path: Path) -> None:
    """They start it for as long as they take; what they did is there at the next start."""
    with served(tmp_path) as desk:
        desk.sign_in()
        desk.post("/orders", {"symbol": "BTC/USDT:USDT", "side": "BUY", "quote_value": "500"})
        assert desk.stop() == 0
        flat = plimsoll("flatten", "--data", tmp_path, "--json")
        assert (flat.code, flat.json["flat"]) == (0, True), flat
        assert plimsoll("verify", "--data", tmp_path).code == 0
        desk.start().sign_in()
        assert desk.get("/positions")["items"] == []
        assert desk.get("/halts")["state"] == "REDUCE_ONLY"


def test_a_second_desk_over_the_same_folder_is_refused(tmp_path: Path) -> None:
    """One desk, one writer."""
    with served(tmp_path):
        second = plimsoll("up", "--no-browser", "--port", "0", "--data", tmp_path)
    assert second.code == 1
    assert "Another process is the desk" in second.err


def test_a_port_in_use_is_named_and_nothing_is_made(tmp_path: Path) -> None:
    """Before the first file is written."""
    with bind(0) as listener:
        listener.listen()
        port = str(listener.getsockname()[1])
        said = plimsoll("up", "--no-browser", "--prices", "synthetic", "--port", port, "--data", tmp_path)
    assert said.code == 2
    assert port in said.err
    assert "--port" in said.err
    assert not (tmp_path / "desk.db").exists()


def test_the_folder_of_a_replay_is_refused(tmp_path: Path) -> None:
    """Its clock is not ours."""
    file = candles(tmp_path / "bars.csv", wave(5))
    words = ("--symbol", "BTC/USDT:USDT", "--deposit", "10000", "--strategy", "hold", "--data", tmp_path / "d")
    assert plimsoll("replay", file, *words).code == 0
    said = plimsoll("up", "--no-browser", "--prices", "synthetic", "--port", "0", "--data", tmp_path / "d")
    assert said.code == 1
    assert "a_replay_lies_here" in said.err


def test_a_venue_without_its_book_is_refused(tmp_path: Path) -> None:
    """The venue knows what the book forgot: a new book over it would be a lie."""
    (tmp_path / "paper.db").touch()
    said = plimsoll("up", "--no-browser", "--prices", "synthetic", "--port", "0", "--data", tmp_path)
    assert said.code == 1
    assert "book_missing" in said.err
    assert not (tmp_path / "desk.db").exists()


def test_a_recording_is_served_as_another_account_beside_the_first(tmp_path: Path) -> None:
    """A source is an account; asking for another one opens another one, and both are attended from then on."""
    file = candles(tmp_path / "btc_usdt_1m.csv", wave(50))
    with served(tmp_path / "d") as desk:
        assert desk.stop() == 0
        desk.prices = f"replay:{file}"
        desk.start().sign_in()
        sources = [price["source"] for price in desk.get("/system/health")["prices"]]
        assert sources == ["synthetic", "replay:btc_usdt_1m.csv"]
        assert desk.stop() == 0
        desk.prices = "synthetic"
        desk.start().sign_in()
        assert len(desk.get("/portfolios")["items"]) == 2


@pytest.mark.parametrize("words", [("--prices", "real"), ("--port", "99999"), ("--prices", "replay:/nowhere.csv")])
def test_wrong_words_are_one_line_and_exit_code_2(tmp_path: Path, words: tuple[str, str]) -> None:
    """Field, value, remedy; nothing is made."""
    said = plimsoll("up", "--no-browser", *words, "--data", tmp_path)
    assert said.code == 2
    assert words[1].removeprefix("replay:") in said.err
    assert said.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_an_end_in_the_middle_of_orders_leaves_none_in_limbo(tmp_path: Path) -> None:
    """SIGTERM while orders come: each is answered or refused, and none is PENDING or UNKNOWN on the disk."""
    with served(tmp_path) as desk:
        desk.sign_in()
        for number in range(5):
            desk.post("/orders", {"symbol": "BTC/USDT", "side": "BUY", "quote_value": str(50 + number)})
        assert desk.stop() == 0
    assert set(_order_states(tmp_path)) == {"FILLED"}
    proof = subprocess.run(
        [sys.executable, "-m", "plimsoll", "verify", "--data", str(tmp_path)], capture_output=True, check=False
    )
    assert proof.returncode == 0, proof.stdout


def test_the_help_names_the_prices(tmp_path: Path) -> None:
    """What one would type first."""
    said = plimsoll("up", "--help")
    assert said.code == 0
    assert "live|synthetic|replay:FILE" in said.out
