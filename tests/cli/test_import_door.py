"""A book on its way into a desk of its own process, and into a folder that nobody serves; killed anywhere."""

import asyncio
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from plimsoll.bootstrap import DataDirectory, DeskIsRunning, take_the_desk
from plimsoll.cli import import_door
from plimsoll.cli.import_door import DeskEnded, ImportingThroughDoor, ImportNotTaken, importing_into
from plimsoll.ledger.database import open_database
from plimsoll.ledger.digest import digest
from plimsoll.ledger.stamp import StampContradicted
from plimsoll.ledger.verify import verify
from plimsoll.model.errors import CommandRefused
from plimsoll.model.ids import UserId
from plimsoll.store.place import PostgresPlace, reader
from tests.builders.bringing import fills, import_book, paid_in, traded
from tests.builders.process import DeskProcess, served
from tests.cli.shell import ROOT, candles, plimsoll, process, replay_words, said_by

OWNER = UserId(1)
#: Enough for several commits at rest, sixteen chunks each.
MANY = 6_000


@pytest.fixture
def folder(tmp_path: Path) -> DataDirectory:
    return DataDirectory(tmp_path / "desk")


def imported(directory: DataDirectory, *statements: Any, **said: Any) -> Any:
    return asyncio.run(import_book(directory, *statements, **said))


def asked(directory: DataDirectory, question: str) -> list[Any]:
    with closing(sqlite3.connect(directory.database)) as book:
        return [row[0] for row in book.execute(question)]


def shown(directory: DataDirectory) -> dict[str, int]:
    """Name the imported portfolios that are shown, and count their trades."""
    trades = "(SELECT count(*) FROM trades WHERE trades.portfolio_id = portfolios.id)"
    wanted = "account_id > 1000000 AND deleted_at IS NULL"
    with closing(sqlite3.connect(directory.database)) as book:
        return dict(book.execute(f"SELECT name, {trades} FROM portfolios WHERE {wanted}"))


def assert_whole(directory: DataDirectory) -> None:
    report = verify(directory.book, directory.chain_key(), directory.stamp)
    assert report.ok, report.findings


# Where nobody serves --------------------------------------------------------------------------------------------------


def test_a_book_comes_into_a_folder_where_no_desk_ever_was(folder: DataDirectory) -> None:
    """Its owner is made, and the first `up` makes a desk that trades around it."""
    done = imported(folder, [paid_in(1), *fills(50)])
    assert shown(folder) == {"old days": 50}
    assert_whole(folder)
    said = plimsoll("status", "--data", folder.path, "--json")
    assert said.code == 0, said.err
    assert [one["name"] for one in said.json["portfolios"]] == ["old days"]
    with served(folder.path) as desk:
        desk.sign_in()
        items = desk.get("/portfolios")["items"]
        assert [one["name"] for one in items] == ["main", "old days"]
        assert items[1]["id"] == done.portfolio_uid
        assert len(desk.get("/trades", portfolio="old days", limit="500")["items"]) == 50
        assert desk.get("/portfolio")["currency"] == "USDT"
        assert desk.post("/orders", {"symbol": "BTC/USDT", "side": "BUY", "quote_value": "100"}, key="a")["order"]
        assert desk.stop() == 0
    assert asked(folder, "SELECT id FROM accounts ORDER BY id") == [1, 1_000_001]
    assert_whole(folder)


def test_the_folder_of_a_replay_is_refused(tmp_path: Path) -> None:
    file = candles(tmp_path / "bars.csv", ["40000"] * 10)
    assert plimsoll(*replay_words(file, tmp_path / "desk", strategy="hold")).code == 0
    directory = DataDirectory(tmp_path / "desk")
    before = digest(reader(directory.book))
    with pytest.raises(CommandRefused, match="holds the desk of a replay"):
        imported(directory, fills(5))
    assert digest(reader(directory.book)) == before


def test_a_running_replay_takes_no_imports(tmp_path: Path) -> None:
    file = candles(tmp_path / "bars.csv", ["40000"] * 600)
    started = process(*replay_words(file, tmp_path / "desk", "--speed", "600", strategy="hold"))
    directory = DataDirectory(tmp_path / "desk")
    try:
        with pytest.raises(ImportNotTaken, match="takes no imports"):
            _when_it_listens(directory)
    finally:
        started.kill()
        said_by(started)
    assert asked(directory, "SELECT count(*) FROM accounts") == [1]


def _when_it_listens(directory: DataDirectory) -> None:
    async def ask() -> None:
        while True:
            if await ImportingThroughDoor(directory).is_open():
                return
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(ask(), 30))


def test_a_book_that_is_not_the_one_of_its_stamp_takes_nothing(folder: DataDirectory) -> None:
    """Cut, or restored from an older copy: nothing is written over it, and the stamp goes on telling."""
    imported(folder, fills(5))
    copy = folder.database.read_bytes()
    imported(folder, fills(50))
    folder.database.write_bytes(copy)
    before = folder.stamp.read_bytes()
    with pytest.raises(StampContradicted):
        imported(folder, fills(60))
    assert folder.stamp.read_bytes() == before
    assert shown(folder) == {"old days": 5}
    take_the_desk(folder).release()


def test_a_book_on_a_server_comes_in_as_well(tmp_path: Path, postgres: PostgresPlace) -> None:
    """Under the lease of its desk, which is given back."""
    open_database(postgres)
    directory = DataDirectory(tmp_path / "desk", postgres)
    for count in (300, 400):
        imported(directory, fills(count, strategy="grid"))
        report = verify(postgres, directory.chain_key(), directory.stamp)
        assert report.ok, report.findings
    with reader(postgres).connect() as connection:
        trades = "SELECT count(*) FROM trades JOIN portfolios ON portfolios.id = portfolio_id WHERE deleted_at IS NULL"
        assert connection.exec_driver_sql(trades).scalar_one() == 400


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("at", range(1, 5))
def test_an_import_that_is_killed_leaves_nothing_to_see(folder: DataDirectory, at: int, side: str) -> None:
    """Whichever commit it was, and whether it happened: the next import completes, and the book is whole."""
    imported(folder, fills(7))
    program = (str(ROOT / "tests" / "cli" / "killed_import.py"),)
    killed = said_by(process(str(at), side, str(folder.path), str(MANY), program=program, PYTHONPATH=_path()))
    if killed.code == 0:  # it has fewer commits
        assert shown(folder) == {"old days": MANY}
        return
    assert killed.code == -signal.SIGKILL, killed.err
    assert shown(folder) in ({"old days": 7}, {"old days": MANY})
    assert_whole(folder)
    imported(folder, fills(9))
    assert shown(folder) == {"old days": 9}
    assert_whole(folder)
    alone = DataDirectory(folder.path.parent / "other")
    imported(alone, fills(9))
    assert digest(reader(folder.book)) == digest(reader(alone.book))


def _path() -> str:
    return f"{ROOT / 'src'}:{ROOT}"


# Into a desk that is served -------------------------------------------------------------------------------------------


@pytest.fixture
def desk(folder: DataDirectory) -> Iterator[DeskProcess]:
    with served(folder.path) as started:
        started.sign_in()
        yield started


def order(desk: DeskProcess, key: str) -> str:
    """Buy a little, and give what became of it."""
    wish = {"symbol": "BTC/USDT", "side": "BUY", "quote_value": "20", "allow_repeat": True}
    return str(desk.post("/orders", wish, key=key)["order"]["state"])


def test_a_book_comes_into_a_desk_that_trades_meanwhile(folder: DataDirectory, desk: DeskProcess) -> None:
    """Chunk by chunk through its door; it takes orders between any two, and shows the book at once."""
    ordered: list[str] = []

    def trade(done: int, _chunks: int) -> None:
        if done % 3 == 0:
            ordered.append(order(desk, f"during-{done}"))
            assert [one["name"] for one in desk.get("/portfolios")["items"]] == ["main"]

    done = imported(folder, [paid_in(1), *fills(3_000, strategy="grid")], progress=trade)
    assert len(ordered) >= 3
    assert set(ordered) <= {"FILLED", "OPEN", "PENDING", "ACCEPTED"}
    assert shown(folder) == {"old days": 3_000}
    (book,) = [one for one in desk.get("/portfolios")["items"] if one["id"] == done.portfolio_uid]
    assert (book["name"], book["price_source"]) == ("old days", "none")
    seen = desk.get("/positions", portfolio="old days")
    assert [one["strategy"] for one in seen["items"]] == ["grid"]
    assert desk.stop() == 0
    assert_whole(folder)
    desk.start()
    desk.sign_in()
    assert desk.get("/positions", portfolio="old days") == seen
    # What was at its end is gone on with by a desk at rest, and shown by the next that is served.
    desk.stop()
    imported(folder, fills(10), name="other days")
    assert shown(folder) == {"old days": 3_000, "other days": 10}
    assert_whole(folder)


@pytest.mark.parametrize("at", [1, 4, 9])
def test_a_desk_that_is_killed_meanwhile_shows_nothing_of_it(folder: DataDirectory, desk: DeskProcess, at: int) -> None:
    """Whoever imports is told so; the desk starts as ever, and the next import completes."""

    def kill(done: int, _chunks: int) -> None:
        if done == at:
            desk.kill()

    with pytest.raises(DeskEnded, match="import again"):
        imported(folder, fills(3_000), progress=kill)
    assert shown(folder) == {}
    desk.start()
    desk.sign_in()
    assert [one["name"] for one in desk.get("/portfolios")["items"]] == ["main"]
    imported(folder, fills(40))
    assert len(desk.get("/trades", portfolio="old days", limit="500")["items"]) == 40
    assert desk.stop() == 0
    assert_whole(folder)


def test_a_refusal_of_a_desk_that_runs_is_told(folder: DataDirectory, desk: DeskProcess) -> None:
    """As it would be at rest; and words that are none are answered, not a bug."""

    async def story() -> None:
        async with importing_into(folder) as door:
            assert isinstance(door, ImportingThroughDoor)
            with pytest.raises(ImportNotTaken, match="`main` is traded at paper-synthetic"):
                await door.begin(OWNER, "main", "EUR")
            with pytest.raises(ImportNotTaken, match="this desk trades there itself"):
                await door.know_instruments([traded("BTC/EUR", "paper-synthetic")])
            with pytest.raises(ImportNotTaken, match="there is nobody"):
                await door.begin(UserId(9), "x", "EUR")
            with pytest.raises(ImportNotTaken, match="give the name of a file"):
                await door.finish(OWNER, "../desk.db")
            with pytest.raises(ImportNotTaken, match="none of a finished making"):
                await door.finish(OWNER, "nothing.part")
            for name, words in (("take", {}), ("take", {"user": 1, "file": "x", "number": "y"}), ("dance", {})):
                with pytest.raises(ImportNotTaken):
                    await door._say(name, words)
            many = [traded(f"C{number}/EUR") for number in range(250)]
            assert len(await door.know_instruments(many)) == 250
            assert len(await door.know_strategies(OWNER, [f"s{number}" for number in range(120)])) == 120

    asyncio.run(story())
    assert shown(folder) == {}
    assert order(desk, "after") in ("FILLED", "OPEN", "PENDING", "ACCEPTED")


def test_a_second_shell_waits_for_nobody(folder: DataDirectory) -> None:
    """While one import is the writer at rest, another shell that finds no door is told so."""

    async def story() -> None:
        async with importing_into(folder):
            with pytest.raises(DeskIsRunning):
                take_the_desk(folder)
            with pytest.raises(DeskEnded):
                async with importing_into(folder):
                    pass

    patience, import_door.PATIENCE_SECONDS = import_door.PATIENCE_SECONDS, 0.2
    try:
        asyncio.run(story())
    finally:
        import_door.PATIENCE_SECONDS = patience
