"""The door: what comes in and goes out, and what happens to whoever stands in it when it closes."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest

from plimsoll.bootstrap import DataDirectory, take_the_desk
from plimsoll.cli.door import Command, Door, Mailbox, Message, NobodyAnswers, Wake, ask
from plimsoll.cli.stop import DeskDoesNotAnswer, OutcomeNotKnown, command


@pytest.fixture
def mailbox() -> Mailbox:
    """An empty mailbox."""
    return SimpleQueue()


@pytest.fixture
def door(tmp_path: Path, mailbox: Mailbox) -> Iterator[Door]:
    """An open door; closing it twice is harmless to the test."""
    opened = Door(tmp_path / "desk.sock", mailbox)
    yield opened
    opened.close()


def asked(path: Path, name: str, words: Message) -> "SimpleQueue[Message | BaseException]":
    """Ask in a thread, as another shell would."""
    came: SimpleQueue[Message | BaseException] = SimpleQueue()

    def body() -> None:
        try:
            came.put(asyncio.run(ask(path, name, words)))
        except (NobodyAnswers, ConnectionError) as refused:
            came.put(refused)

    threading.Thread(target=body, daemon=True).start()
    return came


def taken(mailbox: Mailbox) -> Command:
    """Take the next command out of the mailbox."""
    found = mailbox.get(timeout=20)
    assert isinstance(found, Command)
    return found


@pytest.mark.usefixtures("door")
def test_a_command_goes_in_and_its_answer_comes_out(tmp_path: Path, mailbox: Mailbox) -> None:
    """Several at once are kept apart."""
    first = asked(tmp_path / "desk.sock", "halt", {"reason": "ä"})
    one = taken(mailbox)
    second = asked(tmp_path / "desk.sock", "flatten", {})
    two = taken(mailbox)
    assert (one.name, one.words, two.name) == ("halt", {"reason": "ä"}, "flatten")
    two.answer({"n": 2})
    one.answer({"n": 1})
    assert first.get(timeout=20) == {"n": 1}
    assert second.get(timeout=20) == {"n": 2}


@pytest.mark.usefixtures("door")
@pytest.mark.parametrize("line", [b"\n", b"hello\n", b"[1]\n", b"{}\n", b"7\n", b"[" * 60_000 + b"\n"])
def test_a_line_that_is_no_command_is_told_so(tmp_path: Path, mailbox: Mailbox, line: bytes) -> None:
    """Nothing of it reaches the desk."""
    with socket.socket(socket.AF_UNIX) as talking:
        talking.connect(str(tmp_path / "desk.sock"))
        talking.sendall(line)
        assert "expected" in json.loads(talking.makefile().readline())["error"]
    assert mailbox.empty()


def test_whoever_waits_when_it_closes_was_not_heard(tmp_path: Path, mailbox: Mailbox) -> None:
    """It is told so, and may ask the next desk; the socket is gone."""
    opened = Door(tmp_path / "desk.sock", mailbox)
    came = asked(tmp_path / "desk.sock", "halt", {})
    waiting = taken(mailbox)
    mailbox.put(Wake())
    mailbox.put(waiting)
    opened.close()
    assert isinstance(came.get(timeout=20), NobodyAnswers)
    assert not (tmp_path / "desk.sock").exists()


def test_nobody_behind_a_dead_socket(tmp_path: Path) -> None:
    """A file without a listener, or no file: nobody answers, and nothing happened."""
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(tmp_path / "desk.sock"))
    dead.close()
    for path in (tmp_path / "desk.sock", tmp_path / "none.sock"):
        with pytest.raises(NobodyAnswers):
            asyncio.run(ask(path, "halt", {}))


def test_a_desk_that_dies_before_it_answers_leaves_the_fate_open(tmp_path: Path) -> None:
    """Its caller hears that the outcome is not known, and where to look."""
    directory = DataDirectory(tmp_path)
    directory.database.touch()
    lock = take_the_desk(directory)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(directory.socket))
    listening.listen()

    def die() -> None:
        talking, _peer = listening.accept()
        talking.recv(4096)
        talking.close()

    dying = threading.Thread(target=die)
    dying.start()
    with pytest.raises(OutcomeNotKnown, match="status"):
        command(directory, "halt", {})
    dying.join()
    listening.close()
    lock.release()


def test_a_desk_that_never_opens_its_door_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a while the person is told, and sent to the desk's log."""
    monkeypatch.setattr("plimsoll.cli.stop.PATIENCE_SECONDS", 0.1)
    directory = DataDirectory(tmp_path)
    directory.database.touch()
    lock = take_the_desk(directory)
    with pytest.raises(DeskDoesNotAnswer, match="log"):
        command(directory, "halt", {})
    lock.release()


@pytest.mark.parametrize("told", [{"error": "nonsense"}, {"exit_code": "0"}, {"answer": 7, "exit_code": 0}])
def test_an_answer_that_is_none_is_not_taken_for_done(tmp_path: Path, mailbox: Mailbox, told: Message) -> None:
    """Exit code 1 and a sentence."""
    directory = DataDirectory(tmp_path)
    directory.database.touch()
    lock, opened = take_the_desk(directory), Door(directory.socket, mailbox)
    answering = threading.Thread(target=lambda: taken(mailbox).answer(told))
    answering.start()
    done = command(directory, "halt", {})
    assert done.exit_code == 1
    assert "error" in done.answer
    answering.join()
    opened.close()
    lock.release()
