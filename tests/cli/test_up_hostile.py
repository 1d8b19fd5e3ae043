"""`plimsoll up` among people who mean no good: what they can read, forge, fill up, and keep the owner from."""

import os
import resource
import socket
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx2
import pytest
from websockets.sync.client import connect

from plimsoll.bootstrap import DataDirectory, DeskIsRunning, take_the_desk
from plimsoll.cli.up import MOST_CONNECTIONS, most_connections
from tests.builders.process import PASSWORD, DeskProcess, served
from tests.cli.shell import candles, plimsoll, process, replay_words, said_by, wave


@contextmanager
def may_open(files: int) -> Iterator[None]:
    """Let this process, and those that it starts, open so many files."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_at_debug_neither_a_key_of_an_earlier_start_nor_a_cookie_is_logged(tmp_path: Path) -> None:
    """A handshake's headers pass through a library that would tell them all."""
    desk = DeskProcess(tmp_path, log_level="DEBUG")
    try:
        desk.start().sign_in()
        key = desk.post("/keys", {"name": "robot", "rights": ["read"], "days": 1})["secret"]
        assert desk.stop() == 0
        desk.start().sign_in()
        cookie = desk.client.cookies["plimsoll"]
        address = desk.url.replace("http", "ws") + "/api/v1/stream"
        own_page = {"Cookie": f"plimsoll={cookie}", "Origin": desk.url}
        for headers in ({"Authorization": f"Bearer {key}"}, own_page):
            with connect(address, additional_headers=headers) as line:
                assert "hello" in str(line.recv())
        assert desk.get("/auth/me")["name"] == "owner"
        assert desk.stop() == 0
    finally:
        desk.close()
    said = "".join(desk.said)
    assert "/api/v1/stream" in said, "it does log what it is asked for"
    assert key not in said
    assert cookie not in said


def test_whoever_says_that_he_comes_from_elsewhere_is_locked_out_as_where_he_is(tmp_path: Path) -> None:
    """Another `X-Forwarded-For` with each guess: the sixth waits all the same, and none of it is written down."""
    with served(tmp_path) as desk:
        desk.sign_in()
        stranger, answers = httpx2.Client(headers={"X-Plimsoll": "1"}), []
        with stranger:
            for number in range(6):
                said = {"name": "owner", "password": f"wrong guess number {number}"}
                forged = {"X-Forwarded-For": f"203.0.113.{number}", "X-Forwarded-Proto": "https"}
                answers.append(stranger.post(f"{desk.url}/api/v1/auth/sign-in", json=said, headers=forged).status_code)
            key = {"Authorization": "Bearer plim_" + "x" * 43, "X-Forwarded-For": "the owner, from his sofa"}
            assert stranger.get(f"{desk.url}/api/v1/auth/me", headers=key).status_code == 401
        assert answers == [401] * 5 + [429]
        assert desk.get("/auth/me")["name"] == "owner", "who is inside stays inside"
        assert desk.stop() == 0
    written = b"".join(file.read_bytes() for file in tmp_path.glob("desk.db*"))
    assert b"203.0.113" not in written
    assert b"sofa" not in written
    assert b'"origin":"127.0.0.1"' in written


def test_half_sent_requests_keep_nobody_from_the_door_of_the_shell(tmp_path: Path) -> None:
    """More of them than the process may open files: the owner halts, and everything is as before when they are gone."""
    with ExitStack() as held, may_open(256):
        desk = held.enter_context(served(tmp_path))
        desk.sign_in()
        resource.setrlimit(resource.RLIMIT_NOFILE, (1_024, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        half = []
        for _ in range(400):
            half.append(held.enter_context(socket.create_connection(("127.0.0.1", desk.port))))
            with suppress(ConnectionError):  # the desk may have hung up
                half[-1].sendall(b"GET /livez HTTP/1.1\r\n")
        assert all(is_cut_off(each) for each in half[128:]), "half of what it may open is not for them"
        halted = said_by(process("halt", "--data", tmp_path, "--json"))
        assert halted.code == 0, halted
        assert halted.json["state"] == "REDUCE_ONLY"
        for each in half:
            each.close()
        desk.client.close()
        desk.client = httpx2.Client(timeout=30.0, headers={"X-Plimsoll": "1"})
        desk.post("/auth/sign-in", {"name": "owner", "password": PASSWORD})
        assert desk.get("/halts")["state"] == "REDUCE_ONLY"
        assert desk.stop() == 0


def is_cut_off(line: socket.socket) -> bool:
    """Say whether the other side hangs up, within patience."""
    line.settimeout(10)
    try:
        return line.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


@pytest.mark.parametrize(
    ("files", "connections"), [(256, 128), (1_024, 512), (2_000, MOST_CONNECTIONS), (5_000, MOST_CONNECTIONS)]
)
def test_the_network_may_hold_half_of_what_the_process_may_open(files: int, connections: int) -> None:
    with may_open(files):
        assert most_connections() == connections


def test_a_process_that_may_open_everything_has_a_bound_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    unbound = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    monkeypatch.setattr(resource, "getrlimit", lambda _what: unbound)
    assert most_connections() == MOST_CONNECTIONS


# What lies on the disk ------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    """Let others read what is made, as most systems do."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    """Give the rights of every file in a folder."""
    return {file.name: stat.S_IMODE(file.lstat().st_mode) for file in folder.iterdir()}


def test_everything_a_served_desk_makes_is_its_user_s_alone(tmp_path: Path) -> None:
    with served(tmp_path / "deep" / "desk") as desk:
        folder = desk.directory
        desk.sign_in()
        assert {"desk.db", "desk.db-wal", "desk.db-shm", "paper.db", "desk.sock"} <= set(modes(folder))
        assert set(modes(folder).values()) == {0o600}
        assert desk.stop() == 0
    assert "heads.stamp" in modes(folder)
    assert set(modes(folder).values()) == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o755, "only the desk's own folder"


def test_everything_a_replay_makes_is_its_user_s_alone_and_others_are_made_as_ever(tmp_path: Path) -> None:
    folder = tmp_path / "desk"
    ran = plimsoll(*replay_words(candles(tmp_path / "bars.csv", wave(50)), folder))
    assert ran.code == 0, ran
    assert {"desk.db", "paper.db", "chain.key", "heads.stamp", "desk.lock"} <= set(modes(folder))
    assert set(modes(folder).values()) == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (tmp_path / "after").touch()
    assert modes(tmp_path)["after"] == 0o644, "the lock is released, and with it the mask"


def test_what_was_left_open_is_closed_and_a_folder_of_the_user_s_stays_as_it_is(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    tmp_path.chmod(0o755)
    ours = ("desk.db", "desk.db-wal", "desk.db-shm", "paper.db", "paper.db-wal", "chain.key", "heads.stamp")
    for name in (*ours, "his own notes"):
        (tmp_path / name).touch(mode=0o644)
    (tmp_path / "chain.key").chmod(0o400)
    take_the_desk(directory).release()
    open_ones = {name: mode for name, mode in modes(tmp_path).items() if mode & 0o077}
    assert open_ones == {"his own notes": 0o644}
    assert modes(tmp_path)["chain.key"] == 0o400, "what is closed already is not opened"
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_a_disk_without_modes_is_told_of_and_stops_no_desk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "desk.db").touch(mode=0o644)

    def refuse(path: Path, mode: int) -> None:
        raise PermissionError(1, "Operation not permitted", str(path))

    monkeypatch.setattr(Path, "chmod", refuse)
    take_the_desk(DataDirectory(tmp_path)).release()
    said = capsys.readouterr().out
    assert "file_open_to_others" in said
    assert str(tmp_path / "desk.db") in said
    assert "close its folder to others" in said


def test_a_desk_that_another_holds_changes_no_mask(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path / "desk")
    lock = take_the_desk(directory)
    with pytest.raises(DeskIsRunning):
        take_the_desk(directory)
    assert os.umask(0o077) == 0o077
    lock.release()
    lock.release()
    (tmp_path / "after").touch()
    assert modes(tmp_path)["after"] == 0o644
