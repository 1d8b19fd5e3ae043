"""`halt` and `flatten`, on a replay that runs in another process and on one that nobody runs."""

import json
import sqlite3
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from plimsoll.bootstrap import DataDirectory, look_at
from plimsoll.cli.commands import Done
from plimsoll.cli.stop import command
from plimsoll.ledger.views import status
from plimsoll.store.sqlite import reader
from tests.cli.shell import Said, candles, plimsoll, process, replay_words, said_by

FLAT_MARKET = ["40000"] * 600


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A replay that holds a position and goes on for a while, at ten bars a second."""
    file = candles(tmp_path / "bars.csv", FLAT_MARKET)
    started = process(*replay_words(file, tmp_path / "desk", "--speed", "600", strategy="hold"))
    try:
        _until_it_holds(started, tmp_path / "desk")
        yield started, tmp_path / "desk"
    finally:
        started.kill()
        said_by(started)


def _until_it_holds(running: "subprocess.Popen[str]", data: Path) -> None:
    while running.poll() is None:
        said = plimsoll("status", "--data", data, "--json")
        if said.code == 0 and any(position["quantity"] != "0" for position in said.json["positions"]):
            return
    raise AssertionError("it ended before it bought")


def _until_it_listens(running: "subprocess.Popen[str]", data: Path) -> None:
    """Wait until a replay that goes on has worked through another bar."""
    before = plimsoll("status", "--data", data, "--json").json["replay"][0]["bars"]
    while running.poll() is None:
        if plimsoll("status", "--data", data, "--json").json["replay"][0]["bars"] > before:
            return
    raise AssertionError("it ended before it went on")


def at_rest(tmp_path: Path) -> Path:
    """Leave the desk of a finished replay that holds a position."""
    file = candles(tmp_path / "bars.csv", FLAT_MARKET[:60])
    assert plimsoll(*replay_words(file, tmp_path / "desk", strategy="hold")).code == 0
    return tmp_path / "desk"


def audit(data: Path, entity: str) -> list[tuple[str, dict[str, str]]]:
    """Read who did what to halts or orders."""
    with sqlite3.connect(data / "desk.db") as book:
        rows = book.execute("SELECT actor, details_json FROM audit_log WHERE entity = ? ORDER BY seq", [entity])
        told = [(actor, json.loads(details)) for actor, details in rows]
    book.close()
    return told


def test_a_running_replay_is_halted_and_flattened_from_another_shell(
    running: tuple[subprocess.Popen[str], Path],
) -> None:
    """Both are answered at once, flat is really flat, and the owner's name stands in the audit log."""
    replay, data = running
    halted = plimsoll("halt", "--reason", "storm", "--data", data, "--json")
    assert halted.code == 0
    assert halted.json["state"] == "REDUCE_ONLY"
    assert halted.json["halts"] == [{"source": "manual", "state": "REDUCE_ONLY", "reason": "storm"}]
    flat = plimsoll("flatten", "--reason", "storm", "--data", data, "--json")
    assert flat.code == 0
    assert flat.json["flat"] is True
    assert [position["outcome"] for position in flat.json["positions"]] == ["FLAT"]
    again = plimsoll("flatten", "--data", data, "--json")
    assert (again.code, again.json["positions"]) == (0, [])
    assert replay.poll() is None
    status = plimsoll("status", "--data", data, "--json").json
    assert [position["quantity"] for position in status["positions"]] == ["0"]
    assert [halt["state"] for halt in status["halts"]] == ["REDUCE_ONLY"]
    assert audit(data, "HALT")[0] == ("user:1", {"source": "manual", "state": "REDUCE_ONLY", "reason": "storm"})
    assert any(actor == "user:1" for actor, _details in audit(data, "ORDER"))
    assert plimsoll("verify", "--data", data).code == 0


def test_a_wrong_word_does_not_stop_a_running_replay(running: tuple[subprocess.Popen[str], Path]) -> None:
    """A refusal is an answer like any other."""
    replay, data = running
    refused = plimsoll("halt", "--lift", "--data", data)
    assert refused.code == 1
    assert "no_such_halt" in refused.err
    assert replay.poll() is None


def test_the_door_is_for_its_owner_only(running: tuple[subprocess.Popen[str], Path]) -> None:
    """Whoever may not read the folder's socket has no say."""
    mode = (running[1] / "desk.sock").stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600


def test_the_next_desk_puts_its_door_where_a_dead_one_was(tmp_path: Path) -> None:
    """A killed desk leaves its socket; commands and the next replay are not misled by it."""
    file, data = candles(tmp_path / "bars.csv", FLAT_MARKET), tmp_path / "desk"
    words = replay_words(file, data, "--speed", "600", strategy="hold")
    first = process(*words)
    try:
        _until_it_holds(first, data)
    finally:
        first.kill()
        said_by(first)
    assert (data / "desk.sock").exists()
    assert plimsoll("halt", "--data", data).code == 0
    second = process(*words)
    try:
        _until_it_listens(second, data)
        lifted = plimsoll("halt", "--lift", "--data", data)
        assert lifted.code == 0
    finally:
        second.kill()
        said_by(second)


def test_flatten_on_a_finished_replay_leaves_a_waiting_close_and_says_so(tmp_path: Path) -> None:
    """There is no market to close at; asking again adds nothing to what is on its way."""
    data = at_rest(tmp_path)
    said = plimsoll("flatten", "--data", data, "--json")
    assert said.code == 1
    assert said.json["flat"] is False
    assert [position["outcome"] for position in said.json["positions"]] == ["SENT"]
    again = plimsoll("flatten", "--data", data)
    assert again.code == 1
    assert "a close waits for the next price" in again.err
    status = plimsoll("status", "--data", data, "--json").json
    assert [(order["reduce_only"], order["triggered_by"]) for order in status["orders"]] == [(True, "manual")]
    assert status["orders"][0]["quantity"] == status["positions"][0]["quantity"]
    assert plimsoll("verify", "--data", data).code == 0


def test_a_halt_never_loosens_and_a_lift_does(tmp_path: Path) -> None:
    """HALTED stays HALTED under a milder word and under flatten, whose close passes all the same."""
    data = at_rest(tmp_path)
    assert plimsoll("halt", "--state", "halted", "--data", data).code == 0
    milder = plimsoll("halt", "--state", "reduce_only", "--data", data)
    assert milder.code == 1
    assert "stricter_in_force" in milder.err
    assert plimsoll("flatten", "--data", data, "--json").json["positions"][0]["outcome"] == "SENT"
    status = plimsoll("status", "--data", data, "--json").json
    assert [halt["state"] for halt in status["halts"]] == ["HALTED"]
    assert len(status["orders"]) == 1
    assert plimsoll("halt", "--lift", "--data", data, "--json").json == {"lifted": "manual", "halts": []}


def test_halted_takes_back_what_waits_except_protection(tmp_path: Path) -> None:
    """An opening order that waits for the next price is cancelled; a waiting close is not."""
    file, data = candles(tmp_path / "bars.csv", ["40000"] * 3), tmp_path / "desk"
    # Cut after its one order was placed, so that it waits for an open that has not come.
    words = replay_words(file, data, strategy="hold")
    waiting = _waiting_after_a_kill(words, data)
    said = plimsoll("halt", "--state", "halted", "--data", data, "--json")
    assert said.code == 0
    assert said.json["cancelled"] == [waiting]
    assert plimsoll("status", "--data", data, "--json").json["orders"] == []


def _waiting_after_a_kill(words: list[str | Path], data: Path) -> str:
    program = (str(Path(__file__).parent / "killed.py"),)
    for number in range(5, 15):
        said_by(process(str(number), "after", *words, program=program))
        orders = plimsoll("status", "--data", data, "--json").json["orders"]
        if [order["state"] for order in orders] == ["NEW"]:
            return str(orders[0]["client_order_id"])
        for path in data.iterdir():
            path.unlink()
    raise AssertionError("the order never waited")


def test_a_person_opens_a_latched_guard_by_its_name(tmp_path: Path) -> None:
    """The guard's latch is lifted by naming it, never by lifting the manual halt."""
    file, data = candles(tmp_path / "bars.csv", ["40000", "40000", "30000", "30000", "30000"]), tmp_path / "desk"
    assert plimsoll(*replay_words(file, data, strategy="hold")).code == 0
    assert plimsoll("halt", "--lift", "--data", data).code == 1
    lifted = plimsoll("halt", "--lift", "--source", "guard:drawdown", "--data", data, "--json")
    assert lifted.code == 0
    assert lifted.json == {"lifted": "guard:drawdown", "halts": []}
    assert plimsoll("status", "--data", data, "--json").json["guards"][0]["status"] == "CALM"


WRONG = {
    "unknown state": (["--state", "asleep"], "asleep"),
    "active is a lift": (["--state", "active"], "active"),
    "state and lift": (["--state", "halted", "--lift"], "--lift"),
    "unknown source": (["--lift", "--source", "gate"], "gate"),
    "a source without lift": (["--source", "guard:drawdown"], "guard:drawdown"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_halt_that_makes_no_sense_is_wrong_use(tmp_path: Path, name: str) -> None:
    """It is refused before anybody is asked."""
    words, part = WRONG[name]
    said = plimsoll("halt", *words, "--data", tmp_path)
    assert said.code == 2
    assert part in said.err


@pytest.mark.parametrize("name", ["halt", "flatten", "status", "verify"])
def test_without_a_desk_there_is_nothing_to_command(tmp_path: Path, name: str) -> None:
    """The folder is named, and not made."""
    said = plimsoll(name, "--data", tmp_path / "nowhere", "--json")
    assert said.code == 2
    assert "nowhere" in said.err
    assert not (tmp_path / "nowhere").exists()


def test_what_a_person_reads_of_a_halt_and_a_flatten(tmp_path: Path) -> None:
    """Plain words on stderr, tables on stdout."""
    data = at_rest(tmp_path)
    assert "HALTED is in force" in plimsoll("halt", "--state", "halted", "--data", data).err
    assert "NOT flat" in plimsoll("flatten", "--data", data).err
    assert "Lifted: manual" in plimsoll("halt", "--lift", "--data", data).err


def test_status_and_verify_as_a_person_reads_them(tmp_path: Path) -> None:
    """Every table is there, and a verdict."""
    data = at_rest(tmp_path)
    told: Said = plimsoll("status", "--data", data)
    for part in ("Portfolios", "Positions", "BTC/USDT:USDT", "Live orders", "Halts", "Guards"):
        assert part in told.out
    assert "whole" in plimsoll("verify", "--data", data).out


def test_verify_finds_an_edited_book(tmp_path: Path) -> None:
    """Exit 1, and the place of the edit."""
    data = at_rest(tmp_path)
    with sqlite3.connect(data / "desk.db") as book:
        book.execute("UPDATE balances SET amount = '1000000'")
    book.close()
    said = plimsoll("verify", "--data", data, "--json")
    assert said.code == 1
    assert said.json["ok"] is False
    assert said.json["findings"][0]["table"] == "balances"
    assert "FOUND" in plimsoll("verify", "--data", data).out


# --- the same within one process, where the desk's side can be looked into


def while_it_runs(
    tmp_path: Path, *more: str, act: Callable[[DataDirectory], list[Done]], skip: Sequence[int] = ()
) -> tuple[Said, list[Done]]:
    """Run a replay here, and act on it from a thread as soon as it holds a position."""
    data, done = DataDirectory(tmp_path / "desk"), list[Done]()

    def other_shell() -> None:
        while not (data.database.exists() and _holds(data)):
            pass
        done.extend(act(data))

    shell = threading.Thread(target=other_shell, daemon=True)
    shell.start()
    file = candles(tmp_path / "bars.csv", FLAT_MARKET, skip=skip)
    said = plimsoll(*replay_words(file, data.path, *more, strategy="hold"))
    shell.join(timeout=30)
    return said, done


def _holds(data: DataDirectory) -> bool:
    found = look_at(data)
    if found is None or not found.meta:
        return False
    return any(position.quantity != 0 for position in status(reader(data.database)).positions)


def _heard_at(data: DataDirectory) -> str:
    book = sqlite3.connect(data.database)
    try:
        (since,) = book.execute("SELECT coalesce(max(since), '') FROM halts WHERE source = 'manual'").fetchone()
    finally:
        book.close()
    return str(since)


def test_a_replay_at_a_pace_answers_within_its_bar(tmp_path: Path) -> None:
    """Virtual time stands still while it does, and the close is filled at the open that is on the board."""

    def act(data: DataDirectory) -> list[Done]:
        return [
            command(data, "halt", {"state": "cancel_only", "reason": "a"}),
            command(data, "flatten", {"reason": "b"}),
            command(data, "halt", {"lift": True}),
            command(data, "halt", {"lift": True}),
            command(data, "halt", {"lift": True, "source": "guard:drawdown"}),
            command(data, "halt", {"lift": True, "source": "nobody"}),
            command(data, "halt", {"state": "asleep"}),
            command(data, "dance", {}),
        ]

    said, done = while_it_runs(tmp_path, "--speed", "6000", act=act)
    assert said.code == 0
    assert [each.exit_code for each in done] == [0, 0, 0, 1, 1, 1, 1, 1]
    assert done[0].answer["state"] == "CANCEL_ONLY"
    assert done[1].answer["flat"] is True
    assert "guard_not_shut" in str(done[4].answer["error"])
    assert "flatten" in str(done[7].answer["error"])
    assert said.json["bars"] == len(FLAT_MARKET)
    assert said.json["trades"] == 2
    assert said.json["verify"]["ok"] is True


def test_a_flatten_across_a_gap_waits_for_the_next_price(tmp_path: Path) -> None:
    """No bar was recorded for hours: the close is filled at the first open after them, and only then told as flat."""

    def act(data: DataDirectory) -> list[Done]:
        # A halt is written with the hour at which it was heard: the flatten goes out once that lies in the gap.
        while _heard_at(data) < "2022-01-01T00:05":
            command(data, "halt", {"lift": True})
            command(data, "halt", {"state": "reduce_only"})
        return [command(data, "flatten", {})]

    said, done = while_it_runs(tmp_path, "--speed", "12000", skip=range(5, 500), act=act)
    assert said.code == 0
    assert [each.exit_code for each in done] == [0]
    assert done[0].answer["flat"] is True
    with sqlite3.connect(tmp_path / "desk" / "desk.db") as book:
        assert book.execute("SELECT max(exec_time) FROM trades").fetchone() == ("2022-01-01T08:20:00.000000Z",)
    book.close()
    assert said.json["trades"] == 2
