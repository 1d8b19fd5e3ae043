"""`plimsoll move` as its user meets it: a folder, a server, a rehearsal, and what is refused in one line."""

import asyncio
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from io import StringIO
from pathlib import Path

import pytest

from plimsoll.bootstrap import DataDirectory
from plimsoll.bootstrap.ownership import ARRIVED, point_to
from plimsoll.cli.move import Bar
from plimsoll.model.clock import SystemClock
from tests.builders.kept import client_id, kept
from tests.builders.postgres import PASSWORD, Cluster
from tests.cli.shell import candles, plimsoll, replay_words, wave


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of a desk that has bought, and is stopped."""
    folder = tmp_path_factory.mktemp("stopped") / "desk"

    async def trade() -> None:
        async with kept(folder) as desk:
            client_id(await desk.buy("0.01"))

    asyncio.run(trade())
    return folder


@pytest.fixture
def desk(stopped: Path, tmp_path: Path) -> Path:
    """Give a test such a desk of its own."""
    shutil.copytree(stopped, tmp_path / "desk")
    return tmp_path / "desk"


@pytest.fixture
def database(postgres_cluster: Cluster) -> Iterator[str]:
    """Give the address of an empty database."""
    with postgres_cluster.copy_of("nothing", lambda _place: None) as place:
        yield place.url


def test_a_desk_goes_to_a_server_and_another_folder(
    desk: Path, tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tried first; every command then finds it where it is, and its password is shown nowhere."""
    tried = plimsoll("move", "--to", database, "--dry-run", "--data", desk)
    assert tried.code == 0, tried
    assert "Nothing was left there" in tried.err
    there = plimsoll("move", "--to", database, "--data", desk, "--json")
    assert there.code == 0, there
    answer = there.json
    assert (answer["moved"], answer["fits"], answer["findings"], answer["verify"]["ok"]) == (True, True, [], True)
    assert answer["rows"] == sum(table["rows"] for table in answer["tables"])
    assert {"book": "desk", "table": "trades"} in [
        {name: table[name] for name in ("book", "table")} for table in answer["tables"] if table["rows"] > 0
    ]
    assert "moving, " in there.err
    again = plimsoll("move", "--to", database, "--data", desk)
    assert (again.code, "is on postgresql://" in again.err) == (2, True)

    monkeypatch.setenv("PLIMSOLL_DATABASE", database)
    assert plimsoll("status", "--data", desk).code == 0
    assert plimsoll("verify", "--data", desk).code == 0
    back = plimsoll("move", "--to", tmp_path / "new", "--data", desk)
    assert back.code == 0, back
    assert f"plimsoll up --data {tmp_path / 'new'}" in back.err
    assert "trades" in back.out
    monkeypatch.delenv("PLIMSOLL_DATABASE")
    assert plimsoll("verify", "--data", tmp_path / "new").code == 0
    told = plimsoll("status", "--data", desk)
    assert (told.code, f"SQLite, in the folder {tmp_path / 'new'}" in told.err) == (2, True)
    assert PASSWORD not in "".join(said.out + said.err for said in (tried, there, again, back, told))


def test_what_does_not_fit_is_shown_row_by_row(desk: Path, tmp_path: Path) -> None:
    """As a table and as JSON, and the exit code says that nothing was done."""
    with closing(sqlite3.connect(desk / "desk.db", isolation_level=None)) as connection:
        connection.execute("UPDATE balances SET amount = '1e3' WHERE asset = 'USDT' AND pocket = 'spot'")
    shown = plimsoll("move", "--to", tmp_path / "new", "--data", desk)
    assert shown.code == 1
    assert "'1e3' is no decimal" in shown.out
    assert "1 rows do not fit" in shown.err
    told = plimsoll("move", "--to", tmp_path / "new", "--data", desk, "--dry-run", "--json")
    assert told.code == 1
    (found,) = told.json["findings"]
    assert (found["book"], found["table"], found["column"]) == ("desk", "balances", "amount")
    assert (told.json["moved"], told.json["fits"], told.json["digest"], told.json["next"]) == (False, False, None, "")
    assert plimsoll("status", "--data", desk).code == 0


def test_a_move_that_had_only_its_sign_left_says_that_it_is_done(desk: Path, tmp_path: Path) -> None:
    """Both folders are shut; the same command opens the new one."""
    assert plimsoll("move", "--to", tmp_path / "new", "--data", desk).code == 0
    point_to(DataDirectory(tmp_path / "new"), ARRIVED)
    shut = plimsoll("status", "--data", tmp_path / "new")
    assert (shut.code, "run its `plimsoll move` again" in shut.err) == (2, True)
    done = plimsoll("move", "--to", tmp_path / "new", "--data", desk)
    assert done.code == 0, done
    assert "The desk has moved" in done.err
    assert plimsoll("verify", "--data", tmp_path / "new").code == 0


@pytest.mark.parametrize(
    ("to", "sentence"),
    [
        ("postgresql://desk:secret#@/x", "to = …: write postgresql://user:password@host:port/database"),
        ("postgresql://desk@host/books?password=secret", "before the @, or into the file ~/.pgpass"),
    ],
)
def test_an_address_that_is_none_is_refused_without_repeating_it(desk: Path, to: str, sentence: str) -> None:
    """It may hold a password."""
    refused = plimsoll("move", "--to", to, "--data", desk)
    assert (refused.code, sentence in refused.err) == (2, True), refused
    assert "secret" not in refused.err


def test_a_folder_without_a_desk_is_refused(tmp_path: Path) -> None:
    """And nothing is made, neither there nor where it was to go."""
    refused = plimsoll("move", "--to", tmp_path / "new", "--data", tmp_path / "none")
    assert (refused.code, "There is no desk here" in refused.err) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_a_replay_stays_in_a_folder(tmp_path: Path, database: str) -> None:
    """It knows no server; to another folder it goes."""
    file = candles(tmp_path / "bars.csv", wave(120))
    assert plimsoll(*replay_words(file, tmp_path / "desk")).code == 0
    refused = plimsoll("move", "--to", database, "--data", tmp_path / "desk")
    assert (refused.code, "a replay lies here" in refused.err) == (2, True), refused
    assert plimsoll("move", "--to", tmp_path / "new", "--data", tmp_path / "desk").code == 0
    assert plimsoll("verify", "--data", tmp_path / "new").code == 0


class Terminal(StringIO):
    """A terminal that keeps what is drawn."""

    def isatty(self) -> bool:
        return True


def test_a_bar_shows_how_far_it_is() -> None:
    """On a terminal: the step, the rows, and no line for each."""
    screen = Terminal()
    with Bar(SystemClock(), screen) as bar:
        for done in range(0, 5_001, 50):
            bar("moving", done, 5_000)
        bar("proving", 0, 0)
    drawn = screen.getvalue()
    assert "5000/5000" in drawn
    assert "proving" in drawn
    assert drawn.count("/5000") < 50


@pytest.mark.parametrize("to", ["", " ", "http://x/y", "Postgresql://u:secret@h/x", "postgresql:/u@h", "sqlite:///x"])
def test_a_mistyped_address_is_no_folder(desk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, to: str) -> None:
    """Nothing is made, and what may be a password is not repeated."""
    monkeypatch.chdir(tmp_path)
    said = plimsoll("move", "--to", to, "--data", desk)
    assert said.code == 2
    assert "write postgresql://" in said.err
    assert "secret" not in said.err
    assert [one.name for one in tmp_path.iterdir()] == ["desk"]


def test_a_desk_does_not_move_into_the_folder_that_it_leaves(desk: Path) -> None:
    """Whoever clears that away would clear the desk away."""
    said = plimsoll("move", "--to", desk / "inside", "--data", desk)
    assert said.code == 2
    assert "does not lie in" in said.err
    assert not (desk / "inside").exists()


def test_a_server_that_is_not_there_is_said_in_a_sentence(desk: Path) -> None:
    said = plimsoll("move", "--to", "postgresql://nobody@127.0.0.1:1/x", "--dry-run", "--data", desk)
    assert said.code == 1
    assert said.err.count("\n") <= 4
    assert "127.0.0.1" in said.err
