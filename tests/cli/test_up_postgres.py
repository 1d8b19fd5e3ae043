"""A desk whose book lies on PostgreSQL, as its user meets it: killed, taken over, halted from outside."""

import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from plimsoll.cli import stop
from tests.builders.postgres import PASSWORD, Cluster
from tests.builders.process import DeskProcess
from tests.cli.shell import candles, plimsoll, replay_words, wave


@pytest.fixture
def database(postgres_cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Give the address of an empty database, which the commands of this process name too."""
    with postgres_cluster.copy_of("nothing", lambda _place: None) as place:
        monkeypatch.setenv("PLIMSOLL_DATABASE", place.url)
        yield place.url


@contextmanager
def served_on(database: str, directory: Path, *words: str) -> Iterator[DeskProcess]:
    desk = DeskProcess(directory, *words, database=database)
    try:
        yield desk
    finally:
        desk.close()


def ask(database: str, question: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database, autocommit=True) as connection:
        return list(connection.execute(question))


def tell(database: str, statement: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(statement)


def buy(desk: DeskProcess, value: str = "100") -> dict[str, object]:
    bought: dict[str, object] = desk.post("/orders", {"symbol": "BTC/USDT", "side": "BUY", "quote_value": value})
    return bought


def test_a_desk_is_killed_and_comes_back_with_everything(tmp_path: Path, database: str) -> None:
    """Orders over HTTP, a power cut, a start that need not wait, and commands of another shell."""
    with served_on(database, tmp_path) as desk:
        desk.start().sign_in()
        first = buy(desk)["order"]
        desk.kill()
        desk.start().sign_in()
        assert desk.get("/positions")["items"][0]["symbol"] == "BTC/USDT"
        assert buy(desk)["order"] != first
        told = plimsoll("status", "--data", tmp_path, "--json").json
        assert [position["symbol"] for position in told["positions"]] == ["BTC/USDT"]
        proof = plimsoll("verify", "--data", tmp_path, "--json")
        assert (proof.code, proof.json["findings"]) == (0, [])
        assert proof.json["unseen"] == [] or "stamp" in str(proof.json["unseen"])
        assert plimsoll("halt", "--data", tmp_path, "--json").json["state"] == "REDUCE_ONLY"
        assert plimsoll("halt", "--lift", "--data", tmp_path).code == 0
        assert desk.stop() == 0
        # At rest: whoever commands is the desk for that long.
        flat = plimsoll("flatten", "--data", tmp_path, "--json")
        assert (flat.code, flat.json["flat"]) == (0, True), flat
        assert plimsoll("verify", "--data", tmp_path).code == 0
    assert ask(database, "SELECT count(*) FROM plimsoll.orders WHERE state = 'FILLED'") == [(3,)]
    assert ask(database, "SELECT count(*) FROM plimsoll_paper.orders") == [(3,)]
    assert ask(database, "SELECT epoch, until <= clock_timestamp() FROM plimsoll.leases") == [(3, True)]
    assert not (tmp_path / "desk.db").exists()
    assert not (tmp_path / "paper.db").exists()
    kept = "".join(file.read_text() for file in tmp_path.iterdir() if file.is_file())
    assert PASSWORD not in kept + "".join(desk.said)


def test_a_second_folder_over_the_same_database_is_refused(tmp_path: Path, database: str) -> None:
    """It hears who the desk is and until when, and is not made."""
    with served_on(database, tmp_path / "one") as desk:
        desk.start()
        second = plimsoll("up", "--no-browser", "--port", "0", "--prices", "synthetic", "--data", tmp_path / "two")
    assert second.code == 1
    assert "is the desk of these books" in second.err
    assert str(tmp_path / "one") in second.err
    assert PASSWORD not in second.err
    assert not (tmp_path / "two" / "desk.database").exists()


def test_a_desk_that_was_frozen_ends_when_another_took_its_place(tmp_path: Path, database: str) -> None:
    """It sleeps while its lease runs out; what it does when it wakes reaches neither the book nor the venue."""
    one, two = tmp_path / "one", tmp_path / "two"
    with served_on(database, one) as before, served_on(database, two) as after:
        before.start().sign_in()
        buy(before)
        assert before.process is not None
        before.process.send_signal(signal.SIGSTOP)
        tell(database, "UPDATE plimsoll.leases SET until = clock_timestamp()")
        two.mkdir(mode=0o700)
        shutil.copy(one / "chain.key", two)
        after.start()
        after.link = f"{after.url}/#/welcome?token=none"
        held = ask(database, "SELECT count(*) FROM plimsoll_paper.orders")
        before.process.send_signal(signal.SIGCONT)
        refused = before.try_post("/orders", {"symbol": "BTC/USDT", "side": "BUY", "quote_value": "100"})
        assert refused.status_code >= 400, refused.text
        assert before.process.wait(timeout=60) == 1
        assert "Another process owns these books now" in "".join(before.said)
        assert ask(database, "SELECT count(*) FROM plimsoll_paper.orders") == held
        assert ask(database, "SELECT epoch FROM plimsoll.leases") == [(2,)]
        assert plimsoll("verify", "--data", two).code == 0
        assert after.stop() == 0


def test_a_desk_that_hangs_is_halted_all_the_same(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The halt is written beside it, binds its next order, stands in the chain by its own hand, and can be lifted."""
    monkeypatch.setattr(stop, "ANSWER_SECONDS", 0.2)
    with served_on(database, tmp_path) as desk:
        desk.start().sign_in()
        buy(desk)
        assert desk.process is not None
        desk.process.send_signal(signal.SIGSTOP)
        said = plimsoll("halt", "--state", "halted", "--reason", "it hangs", "--data", tmp_path, "--json")
        assert (said.code, said.json["state"]) == (1, "HALTED"), said
        assert "binds it from its next order on" in said.json["failures"][0]
        desk.process.send_signal(signal.SIGCONT)
        refused = desk.try_post("/orders", {"symbol": "BTC/USDT", "side": "BUY", "quote_value": "100"})
        assert refused.status_code == 422, refused.text
        assert "HALTED" in refused.text
        assert desk.get("/halts")["state"] == "HALTED"
        assert plimsoll("verify", "--data", tmp_path).code == 0
        lifted = plimsoll("halt", "--lift", "--data", tmp_path)
        assert lifted.code == 0, lifted
        buy(desk)
        assert desk.stop() == 0


def test_a_desk_elsewhere_is_halted_from_here(tmp_path: Path, database: str) -> None:
    """Another folder, perhaps on another machine: no socket, no lock, and a halt that binds."""
    with served_on(database, tmp_path / "there") as desk:
        desk.start().sign_in()
        (tmp_path / "here").mkdir()
        shutil.copy(tmp_path / "there" / "chain.key", tmp_path / "here")
        said = plimsoll("halt", "--reason", "from here", "--data", tmp_path / "here", "--json")
        assert (said.code, said.json["state"]) == (1, "REDUCE_ONLY"), said
        refused = desk.try_post("/orders", {"symbol": "BTC/USDT", "side": "BUY", "quote_value": "100"})
        assert refused.status_code == 422, refused.text
        # A stricter one is in force: it stays.
        assert plimsoll("halt", "--state", "halted", "--data", tmp_path / "here", "--json").json["state"] == "HALTED"
        again = plimsoll("halt", "--data", tmp_path / "here", "--json").json
        assert [halt["state"] for halt in again["halts"]] == ["HALTED"]
        for words in (("flatten",), ("halt", "--lift")):
            told = plimsoll(*words, "--data", tmp_path / "here")
            assert (told.code, "is the desk of these books" in told.err) == (1, True), told


# The database that a folder belongs to --------------------------------------------------------------------------------


def test_a_folder_keeps_to_its_database(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a forgotten variable nor another name makes an empty desk of it."""
    with served_on(database, tmp_path / "server") as desk, served_on("", tmp_path / "file") as beside:
        desk.start()
        beside.start()
        assert (desk.stop(), beside.stop()) == (0, 0)
    words = ("--no-browser", "--port", "0", "--prices", "synthetic")
    onto_file = plimsoll("up", *words, "--data", tmp_path / "file")
    monkeypatch.setenv("PLIMSOLL_DATABASE_SCHEMA", "other")
    other = plimsoll("status", "--data", tmp_path / "server")
    monkeypatch.delenv("PLIMSOLL_DATABASE")
    forgotten = plimsoll("up", *words, "--data", tmp_path / "server")
    for said in (onto_file, other, forgotten):
        assert said.code == 2, said
        assert "database = " in said.err
        assert "--data" in said.err
        assert PASSWORD not in said.err
    assert not (tmp_path / "server" / "desk.db").exists()
    moved = plimsoll("verify", "--data", tmp_path / "server", "--database", database.replace("127.0.0.1", "localhost"))
    assert (moved.code, "desk.database first" in moved.err) == (2, True)
    (tmp_path / "server" / "desk.database").write_text("nothing of ours")
    assert "is not one of ours" in plimsoll("status", "--data", tmp_path / "server").err


def test_a_server_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    """Wrong port, wrong password, no such database: one line, and nothing is made."""
    address = f"postgresql://desk:{PASSWORD}@127.0.0.1:1/books"
    for command in ("status", "verify", "flatten", "up"):
        more = ("--no-browser", "--port", "0", "--prices", "synthetic") if command == "up" else ()
        said = plimsoll(command, *more, "--data", tmp_path, "--database", address)
        assert said.code == 1, said
        assert "127.0.0.1:1/books" in said.err
        assert said.err.count("\n") == 1
        assert PASSWORD not in said.err
    assert not (tmp_path / "desk.database").exists()


def test_a_database_without_a_desk_says_so(tmp_path: Path, database: str) -> None:
    """Nothing is made by looking."""
    for command in ("status", "verify", "flatten"):
        said = plimsoll(command, "--data", tmp_path)
        assert (said.code, "There is no desk here" in said.err) == (2, True), said
    assert ask(database, "SELECT count(*) FROM pg_namespace WHERE nspname = 'plimsoll'") == [(0,)]


def test_a_replay_keeps_its_books_in_its_folder(tmp_path: Path, database: str) -> None:
    """It is told to, in a word."""
    said = plimsoll(*replay_words(candles(tmp_path / "bars.csv", wave(5)), tmp_path / "d"))
    assert said.code == 2
    assert "a replay keeps its books in its own folder" in said.err
    assert database.rpartition("@")[2] in said.err
    assert not (tmp_path / "d").exists()
