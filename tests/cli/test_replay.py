"""`plimsoll replay` from start to end on small recordings: its report, its resuming, and what it refuses later."""

import os
import signal
import sqlite3
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from plimsoll.store import sqlite
from tests.cli.shell import PERP, ROOT, Said, candles, crash, plimsoll, process, replay_words, said_by, wave

FIELDS = {
    *("bars", "orders", "refused", "trades", "fees", "equity_start", "equity_peak", "equity_end", "max_drawdown"),
    *("gaps", "guards", "digest", "verify", "elapsed_s", "bars_per_s"),
}
TIMING = {"bars_this_run", "elapsed_s", "bars_per_s", "reconciled", "verify"}


def same_result(one: Said, other: Said) -> bool:
    """Compare two reports in all that does not hang on when and how fast they were made."""
    return {key: value for key, value in one.json.items() if key not in TIMING} == {
        key: value for key, value in other.json.items() if key not in TIMING
    }


def test_a_replay_prints_every_field_of_its_contract(tmp_path: Path) -> None:
    """Money and ratios are text, counts are numbers, and nothing else is on stdout."""
    file = candles(tmp_path / "bars.csv", wave(400), skip=range(100, 103))
    said = plimsoll(*replay_words(file, tmp_path / "desk"))
    assert said.code == 0, said.err
    report = said.json
    assert report.keys() >= FIELDS
    assert report["bars"] == 397
    assert report["orders"] == report["trades"] > 4
    assert report["refused"] == 0
    for name in ("fees", "equity_start", "equity_peak", "equity_end", "max_drawdown"):
        assert isinstance(report[name], str)
        Decimal(report[name])
    assert report["equity_start"] == "100000"
    assert report["gaps"] == [
        {"after": "2022-01-01T01:39:00.000000Z", "until": "2022-01-01T01:43:00.000000Z", "missing": 3}
    ]
    assert report["verify"]["ok"] is True
    assert report["verify"]["findings"] == []
    assert len(report["digest"]) == 64
    assert report["bars_per_s"] > 0
    assert not (tmp_path / "desk" / "desk.sock").exists()


def test_a_crash_runs_the_guard_to_its_latch(tmp_path: Path) -> None:
    """Warning at 15 %, countdown and close at 20 %, latch; the bot may not open again."""
    file = candles(tmp_path / "crash.csv", crash())
    said = plimsoll(*replay_words(file, tmp_path / "desk", strategy="hold"))
    assert said.code == 0
    assert [entry["kind"] for entry in said.json["guards"]] == ["warning", "warning", "countdown", "close", "latch"]
    closed = next(entry for entry in said.json["guards"] if entry["kind"] == "close")
    assert closed["closed"] == 1
    assert Decimal(closed["drawdown"]) >= Decimal("0.20")
    assert "CLOSE_ALL" in said.err
    status = plimsoll("status", "--data", tmp_path / "desk", "--json").json
    assert [position["quantity"] for position in status["positions"]] == ["0"]
    assert [(halt["source"], halt["state"], halt["latched"]) for halt in status["halts"]] == [
        ("guard:drawdown", "REDUCE_ONLY", True)
    ]
    assert status["guards"][0]["status"] == "LATCHED"


def test_resume_after_stands_in_for_the_person(tmp_path: Path) -> None:
    """The latch is lifted after the minutes that were given, and the peak begins anew."""
    file = candles(tmp_path / "crash.csv", crash())
    said = plimsoll(*replay_words(file, tmp_path / "desk", "--resume-after", "20", strategy="hold"))
    assert [entry["kind"] for entry in said.json["guards"]][-2:] == ["latch", "lift"]
    assert plimsoll("status", "--data", tmp_path / "desk", "--json").json["halts"] == []


def test_a_finished_replay_reports_the_same_again_and_changes_nothing(tmp_path: Path) -> None:
    """Its numbers come from the book; the time it took now is none."""
    words = replay_words(candles(tmp_path / "bars.csv", wave(200)), tmp_path / "desk")
    first = plimsoll(*words)
    book = (tmp_path / "desk" / "desk.db").read_bytes()
    again = plimsoll(*words)
    assert again.code == 0
    assert same_result(first, again)
    assert again.json["elapsed_s"] == 0
    assert again.json["bars_this_run"] == 0
    assert (tmp_path / "desk" / "desk.db").read_bytes() == book
    assert "finished before" in plimsoll(*[word for word in words if word != "--json"]).out


OTHERS = [["--deposit", "99999"], ["--leverage", "2"], ["--seed", "1"], ["--trade-size", "77"], ["--resume-after", "9"]]


@pytest.mark.parametrize("other", OTHERS)
def test_other_inputs_into_the_same_folder_are_refused(tmp_path: Path, other: list[str]) -> None:
    """Whatever decides how a replay ends belongs to it; nothing is written."""
    file, data = candles(tmp_path / "bars.csv", wave(60)), tmp_path / "desk"
    assert plimsoll(*replay_words(file, data)).code == 0
    kept = {path.name: path.read_bytes() for path in data.iterdir() if not path.name.endswith(("-shm", "-wal"))}
    said = plimsoll(*replay_words(file, data), *other)
    assert said.code == 1
    assert said.out == ""
    assert "other_inputs" in said.err
    assert {path.name: path.read_bytes() for path in data.iterdir() if path.name in kept} == kept


def test_another_recording_into_the_same_folder_is_refused(tmp_path: Path) -> None:
    """It is the bytes that count, not the name; a pace is no input."""
    file, data = candles(tmp_path / "bars.csv", wave(60)), tmp_path / "desk"
    first = plimsoll(*replay_words(file, data))
    assert plimsoll(*replay_words(candles(tmp_path / "other.csv", wave(61)), data)).code == 1
    copy = tmp_path / "copy.csv"
    copy.write_bytes(file.read_bytes())
    assert same_result(plimsoll(*replay_words(copy, data, "--speed", "1000000")), first)


def test_the_synthetic_market_is_labelled_and_repeats(tmp_path: Path) -> None:
    """The same seed is the same market, another seed is another."""
    words = replay_words("synthetic", tmp_path / "a", "--bars", "300")
    first = plimsoll(*words)
    assert first.code == 0
    assert first.json["prices"] == "synthetic"
    assert same_result(first, plimsoll(*replay_words("synthetic", tmp_path / "b", "--bars", "300")))
    other = plimsoll(*replay_words("synthetic", tmp_path / "c", "--bars", "300", "--seed", "5"))
    assert other.json["digest"] != first.json["digest"]
    assert "SYNTHETIC" in plimsoll(*[word for word in words if word != "--json"]).out


def test_a_symbol_outside_the_table_takes_its_step_from_the_market(tmp_path: Path) -> None:
    """Nothing is lent on it and its lot is fine."""
    words: list[str | Path] = [
        "--symbol",
        "DOGE/EUR",
        "--deposit",
        "1000",
        "--strategy",
        "hold",
        "--data",
        tmp_path / "desk",
        "--json",
    ]
    assert plimsoll("replay", "synthetic", "--bars", "50", *words).json["trades"] == 1


# --- killed


CUTS = [*((number, side) for number in range(5, 10) for side in ("before", "after")), (30, "before"), (41, "after")]


def killed_at(number: int, side: str, words: list[str | Path]) -> Said:
    """Run a command in a process that is killed at a commit."""
    return said_by(process(str(number), side, *words, program=(str(ROOT / "tests" / "cli" / "killed.py"),)))


@pytest.fixture(scope="module")
def unharmed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Said]:
    """A recording and its report without a kill."""
    folder = tmp_path_factory.mktemp("unharmed")
    file = candles(folder / "bars.csv", wave(500))
    return file, plimsoll(*replay_words(file, folder / "desk"))


@pytest.mark.parametrize(("number", "side"), CUTS)
def test_after_a_kill_the_same_command_ends_at_the_same_digest(
    tmp_path: Path, unharmed: tuple[Path, Said], number: int, side: str
) -> None:
    """Wherever it is cut: before or after a commit of the book or of the venue, inside a send or between bars."""
    file, whole = unharmed
    words = replay_words(file, tmp_path / "desk")
    assert killed_at(number, side, words).code == -signal.SIGKILL
    resumed = plimsoll(*words)
    assert resumed.code == 0, resumed.err
    assert same_result(resumed, whole)
    assert resumed.json["verify"]["ok"] is True


def test_a_kill_in_the_guards_countdown_ends_at_the_same_digest(tmp_path: Path) -> None:
    """The episode is in the book; the next run looks again and closes once."""
    file = candles(tmp_path / "crash.csv", crash())
    whole = plimsoll(*replay_words(file, tmp_path / "whole", strategy="hold"))
    for number in (11, 13, 14, 16, 17):
        words = replay_words(file, tmp_path / str(number), strategy="hold")
        assert killed_at(number, "after", words).code == -signal.SIGKILL
        assert plimsoll(*words).json["digest"] == whole.json["digest"]


def test_a_cut_send_that_a_person_has_touched_is_gone_on_with(tmp_path: Path, unharmed: tuple[Path, Said]) -> None:
    """What a person said must not be lost by beginning anew; the order that never arrived is never sent again."""
    file, _whole = unharmed
    words, data = replay_words(file, tmp_path / "desk"), tmp_path / "desk"
    cut = _cut_inside_a_send(words, data)
    assert killed_at(cut, "after", words).code == -signal.SIGKILL
    assert plimsoll("halt", "--reason", "by hand", "--data", data).code == 0
    resumed = plimsoll(*words)
    assert resumed.code == 0
    assert "begins anew" not in resumed.err
    with sqlite3.connect(data / "desk.db") as book:
        assert book.execute("SELECT state, reason FROM orders").fetchall() == [("REJECTED", "never_placed")]
    assert plimsoll("status", "--data", data, "--json").json["halts"][0]["reason"] == "by hand"


def _cut_inside_a_send(words: list[str | Path], data: Path) -> int:
    """Find the first commit after which an order is written and not yet sent; leave no folder."""
    for number in range(5, 15):
        killed_at(number, "after", words)
        with sqlite3.connect(data / "desk.db") as book, sqlite3.connect(data / "paper.db") as venue:
            written = {name for (name,) in book.execute("SELECT client_order_id FROM orders")}
            cut = written - {name for (name,) in venue.execute("SELECT client_order_id FROM orders")}
        book.close()
        venue.close()
        for path in data.iterdir():
            path.unlink()
        if cut:
            return number
    raise AssertionError("no commit stands between writing and sending")


def test_a_signal_stops_after_the_bar_and_the_same_command_goes_on(tmp_path: Path) -> None:
    """Everything is written; the exit code is the shell's for the signal."""
    file = candles(tmp_path / "bars.csv", wave(120))
    words = replay_words(file, tmp_path / "desk")
    running = process(*words, "--speed", "600")
    _first_bar(running, tmp_path / "desk")
    running.send_signal(signal.SIGTERM)
    said = said_by(running)
    assert said.code == 128 + signal.SIGTERM
    assert said.json["stopped"] == "SIGTERM"
    assert 0 < said.json["bars"] < said.json["of"] == 120
    assert "The same command goes on" in said.err
    whole = plimsoll(*replay_words(file, tmp_path / "whole"))
    resumed = plimsoll(*words)
    assert same_result(resumed, whole)
    assert resumed.json["bars_this_run"] == 120 - said.json["bars"]


def test_ctrl_c_ends_a_long_wait_at_once(tmp_path: Path) -> None:
    """A gap of hours at the pace of the market does not keep anybody waiting."""
    file = candles(tmp_path / "bars.csv", wave(400), skip=range(2, 390))
    running = process(*replay_words(file, tmp_path / "desk"), "--speed", "200")
    _first_bar(running, tmp_path / "desk")
    running.send_signal(signal.SIGINT)
    assert said_by(running).code == 128 + signal.SIGINT


def test_two_replays_into_one_folder_are_one_too_many(tmp_path: Path) -> None:
    """The second says who is there and touches nothing."""
    file = candles(tmp_path / "bars.csv", wave(120))
    running = process(*replay_words(file, tmp_path / "desk"), "--speed", "600")
    try:
        _first_bar(running, tmp_path / "desk")
        second = plimsoll(*replay_words(file, tmp_path / "desk"))
        assert second.code == 1
        assert "Another process is the desk" in second.err
    finally:
        running.kill()
        said_by(running)


def test_a_venue_that_knows_more_than_its_book_stops_the_start(tmp_path: Path) -> None:
    """A lost book beside the venue's own is an accident, not a fresh start."""
    words = replay_words(candles(tmp_path / "bars.csv", wave(60)), tmp_path / "desk")
    assert plimsoll(*words).code == 0
    for path in (tmp_path / "desk").glob("desk.db*"):
        path.unlink()
    said = plimsoll(*words)
    assert said.code == 1
    assert "book_missing" in said.err


def test_a_folder_with_another_database_is_refused(tmp_path: Path) -> None:
    """A file that is no desk's is not opened for writing."""
    data = tmp_path / "desk"
    data.mkdir()
    with sqlite3.connect(data / "desk.db") as other:
        other.execute("CREATE TABLE songs (name TEXT)")
    other.close()
    said = plimsoll(*replay_words(candles(tmp_path / "bars.csv", wave(60)), data))
    assert said.code == 1
    assert "desk.db" in said.err


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    """The world's no is told as such."""
    (tmp_path / "file").write_text("in the way")
    said = plimsoll(*replay_words(candles(tmp_path / "bars.csv", wave(60)), tmp_path / "file" / "desk"))
    assert said.code == 1
    assert len(said.err.splitlines()) == 1


def test_a_deep_folder_has_a_door_too(tmp_path: Path) -> None:
    """Socket addresses are short, folders are not; the process stays where it was."""
    here = Path.cwd()
    deep = tmp_path / ("x" * 60) / ("y" * 60) / "desk"
    said = plimsoll(*replay_words(candles(tmp_path / "bars.csv", wave(60)), deep))
    assert said.code == 0
    assert Path.cwd() == here
    assert not os.path.lexists(deep / "desk.sock")


def test_the_words_of_a_human_report(tmp_path: Path) -> None:
    """Without --json it is a page to read."""
    file = candles(tmp_path / "crash.csv", crash(), skip=[5])
    words = [word for word in replay_words(file, tmp_path / "desk", strategy="hold") if word != "--json"]
    out = plimsoll(*words).out
    for part in (PERP, "digest", "largest drawdown", "latch", "Gaps"):
        assert part in out


class Full(sqlite3.Connection):
    """A connection to a disk that is full."""

    def executemany(self, sql: str, rows: Any, /) -> sqlite3.Cursor:
        """Take nothing any more."""
        raise sqlite3.OperationalError("database or disk is full")


@pytest.mark.parametrize("commits", [0, 22, 23])
def test_a_full_disk_ends_a_replay_in_one_line_and_the_next_run_goes_on(
    tmp_path: Path, unharmed: tuple[Path, Said], monkeypatch: pytest.MonkeyPatch, commits: int
) -> None:
    """What could not be written was not acknowledged, so nothing is missing afterwards."""
    file, whole = unharmed
    words = replay_words(file, tmp_path / "desk")

    def connect(path: str) -> sqlite3.Connection:
        kind = Full if path.endswith("desk.db") else sqlite3.Connection
        return sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=kind)

    if commits:
        assert killed_at(commits, "before", words).code == -signal.SIGKILL
    with monkeypatch.context() as patched:
        patched.setattr(sqlite, "_connect", connect)
        said = plimsoll(*words)
    assert said.code == 1
    assert said.out == ""
    assert "disk is full" in said.err.splitlines()[-1]
    assert "Traceback" not in said.err
    assert same_result(plimsoll(*words), whole)


def _first_bar(running: "subprocess.Popen[str]", data: Path) -> None:
    """Wait, by asking, until a running replay has written its first bar."""
    while running.poll() is None:
        said = plimsoll("status", "--data", data, "--json")
        if said.code == 0 and said.json.get("replay", [{"bars": 0}])[0]["bars"] > 0:
            return
    raise AssertionError("it ended before its first bar")
