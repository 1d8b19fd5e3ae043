"""A desk moves into another folder: what stops it, what is found out, and where it opens at every moment."""

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from plimsoll.bootstrap import ChainKeyMissing, DataDirectory, DeskIsRunning, take_the_desk
from plimsoll.bootstrap.moving.mark import OldRelease, SourceChanged, TargetTaken
from plimsoll.bootstrap.moving.move import Moved, NotProven, finish, has_left, move, rehearse
from plimsoll.bootstrap.moving.transfer import BLOCK, RowsDiffer
from plimsoll.bootstrap.ownership import ARRIVED, desk_directory, point_to
from plimsoll.ledger.digest import digest
from plimsoll.ledger.verify import verify
from plimsoll.model.clock import SystemClock
from plimsoll.model.errors import Illegal
from plimsoll.store.connection import StoreFailed
from plimsoll.store.place import reader
from tests.builders.kept import client_id, kept

MANY = 2 * BLOCK + 7


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
def desk(stopped: Path, tmp_path: Path) -> DataDirectory:
    """Give a test such a desk of its own."""
    shutil.copytree(stopped, tmp_path / "desk")
    return DataDirectory(tmp_path / "desk")


@pytest.fixture
def new(tmp_path: Path) -> DataDirectory:
    """Give where it goes."""
    return DataDirectory(tmp_path / "new")


class Cut(Exception):
    """What ends a move in this process as a signal would."""


def quiet(_step: str, _done: int, _total: int) -> None:
    return


def moved_to(source: DataDirectory, target: DataDirectory, *, anew: bool = False) -> Moved:
    return move(source, target.path, SystemClock(), quiet, anew=anew)


def cut(source: DataDirectory, target: DataDirectory, step: str, done: int = 0) -> None:
    def progress(at: str, so_far: int, _total: int) -> None:
        if at == step and so_far >= done:
            raise Cut

    with pytest.raises(Cut):
        move(source, target.path, SystemClock(), progress, anew=False)


def write(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def fill(desk: DataDirectory) -> None:
    """Give a table more rows than one block holds."""
    rows = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MANY}) "
    write(
        desk.database, rows + "INSERT INTO meta SELECT printf('n%06d', i), i FROM n", "PRAGMA wal_checkpoint(TRUNCATE)"
    )


def opens(directory: DataDirectory) -> bool:
    try:
        return desk_directory(directory.path, "", "plimsoll").database.exists()
    except Illegal:
        return False


def test_a_desk_moves_into_another_folder_and_opens_only_there(desk: DataDirectory, new: DataDirectory) -> None:
    """Its key and its stamp come along, and whoever starts it where it was is told where it is."""
    said, files = digest(reader(desk.book)), {file.name for file in desk.path.iterdir()}
    assert moved_to(desk, new).fits
    assert digest(reader(new.book)) == said
    assert verify(new.book, new.chain_key(), new.stamp).ok
    assert opens(new)
    with pytest.raises(Illegal, match=f"is on SQLite, in the folder {new.path}"):
        desk_directory(desk.path, "", "plimsoll")
    assert files < {file.name for file in desk.path.iterdir()}

    async def trade_on() -> None:
        async with kept(new) as there:
            client_id(await there.sell("0.01"))

    asyncio.run(trade_on())
    assert digest(reader(desk.book)) == said


def test_a_table_that_was_cut_in_its_middle_is_gone_on_with_behind_its_last_row(
    desk: DataDirectory, new: DataDirectory
) -> None:
    """No row is written twice, none is left out; and until it is done the desk opens where it was."""
    fill(desk)
    with closing(sqlite3.connect(desk.database)) as connection:
        (before,) = connection.execute("SELECT count(*) FROM meta").fetchone()
    seen: list[int] = []

    def progress(step: str, done: int, _total: int) -> None:
        if step == "moving" and seen and done - seen[-1] == BLOCK:
            raise Cut
        seen.append(done)

    with pytest.raises(Cut):
        move(desk, new.path, SystemClock(), progress, anew=False)
    assert opens(desk)
    assert not opens(new)
    stage = DataDirectory(new.path / "moving")
    with closing(sqlite3.connect(stage.database)) as connection:
        (there,) = connection.execute("SELECT count(*) FROM meta").fetchone()
    assert there == BLOCK
    done = moved_to(desk, new)
    assert done.found > BLOCK
    assert next(each.rows for each in done.arrived if (each.book, each.table) == ("desk", "meta")) == before
    assert digest(reader(new.book)) == digest(reader(desk.book))


def test_a_half_of_a_desk_that_went_on_is_thrown_away_only_when_told(desk: DataDirectory, new: DataDirectory) -> None:
    """The second half would be of another book."""
    cut(desk, new, "proving")
    write(desk.database, "UPDATE heads SET group_number = group_number + 1")
    with pytest.raises(SourceChanged, match="--anew"):
        moved_to(desk, new)
    assert opens(desk)
    assert moved_to(desk, new, anew=True).found == 0
    assert opens(new)


def test_a_desk_that_goes_on_while_it_is_moved_is_not_put_in_place(desk: DataDirectory, new: DataDirectory) -> None:
    """Whoever wrote past the lock of its folder is found out before anything gets its name."""

    def progress(step: str, _done: int, _total: int) -> None:
        if step == "proving":
            write(desk.database, "UPDATE heads SET group_number = group_number + 1")

    with pytest.raises(SourceChanged):
        move(desk, new.path, SystemClock(), progress, anew=False)
    assert opens(desk)
    assert not opens(new)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("UPDATE meta SET value = 'other' WHERE name = 'a'", "meta: the row name a arrived with another value"),
        ("DELETE FROM meta WHERE name = 'a'", "meta: the row name a was sent where name b is"),
        ("DELETE FROM meta WHERE name > 'a'", "meta: the row name b did not arrive"),
        ("INSERT INTO meta VALUES ('zzz', '')", "meta: the row name zzz was not sent"),
    ],
)
def test_a_row_that_arrived_as_another_is_named(
    desk: DataDirectory, new: DataDirectory, change: str, told: str
) -> None:
    """Whatever happened to it on the way: the comparison reads everything again, also what an earlier run brought."""
    write(desk.database, "DELETE FROM meta", "INSERT INTO meta VALUES ('a', '1'), ('b', '2')")

    def progress(step: str, done: int, _total: int) -> None:
        if (step, done) == ("comparing", 0):
            write(new.path / "moving" / "desk.db", change)

    with pytest.raises(RowsDiffer, match=told):
        move(desk, new.path, SystemClock(), progress, anew=False)
    assert opens(desk)
    assert not opens(new)
    assert moved_to(desk, new, anew=True).fits


def test_a_book_that_does_not_prove_is_not_put_in_place(desk: DataDirectory, new: DataDirectory) -> None:
    """It arrives as it is, and that is not whole: a cache that its facts do not fold into."""
    write(desk.database, "UPDATE balances SET amount = '7' WHERE asset = 'USDT'")
    with pytest.raises(NotProven, match="plimsoll verify"):
        moved_to(desk, new)
    assert opens(desk)
    assert not opens(new)


def test_a_folder_that_could_not_be_told_is_told_by_the_next_run(desk: DataDirectory, new: DataDirectory) -> None:
    """Cut between the names and the sign: the new folder does not open yet, and nothing is read again."""
    in_the_way = desk.path / "desk.new"
    in_the_way.mkdir()
    with pytest.raises(OSError, match=r"desk\.new"):
        moved_to(desk, new)
    assert new.database.exists()
    assert not opens(new)
    assert opens(desk)
    in_the_way.rmdir()
    assert moved_to(desk, new).arrived == ()
    assert opens(new)
    assert not opens(desk)


def test_a_desk_that_went_on_behind_the_names_begins_again_when_told(desk: DataDirectory, new: DataDirectory) -> None:
    """Nobody has opened what has its name already: --anew removes it."""
    in_the_way = desk.path / "desk.new"
    in_the_way.mkdir()
    with pytest.raises(OSError, match=r"desk\.new"):
        moved_to(desk, new)
    in_the_way.rmdir()
    write(desk.database, "UPDATE heads SET group_number = group_number + 1")
    with pytest.raises(SourceChanged):
        moved_to(desk, new)
    assert moved_to(desk, new, anew=True).fits
    assert digest(reader(new.book)) == digest(reader(desk.book))


def test_a_sign_that_was_left_is_taken_down(desk: DataDirectory, new: DataDirectory) -> None:
    """Cut at the very last step: both folders are shut, and the next run opens the new one."""
    moved_to(desk, new)
    point_to(new, ARRIVED)
    assert not opens(new)
    assert not opens(desk)
    assert has_left(desk.path, new.path)
    assert finish(desk, new.path, SystemClock()).fits
    assert opens(new)
    assert not has_left(desk.path, new.path)


def test_a_desk_with_no_venue_of_its_own_moves_alone(desk: DataDirectory, new: DataDirectory) -> None:
    """There is no second book to bring."""
    desk.paper_books.unlink()
    done = moved_to(desk, new)
    assert {each.book for each in done.arrived} == {"desk"}
    assert not new.paper_books.exists()


def test_a_hundred_rows_that_do_not_fit_are_enough(desk: DataDirectory, new: DataDirectory) -> None:
    """Those that a constraint refuses stand alone, whatever came with them; nobody reads a thousand."""
    names = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) "
    write(
        desk.database,
        "PRAGMA ignore_check_constraints = ON",
        names + "INSERT INTO halts SELECT 'USER', i, 's', CASE WHEN i % 2 THEN 'ACTIVE' ELSE 'ASLEEP' END, '', 0,"
        " '2022-01-01T00:00:00.000000Z' FROM n",
    )
    came = rehearse(desk, new.path, quiet)
    assert len(came.unfit) == 100
    assert {found.table for found in came.unfit} == {"halts"}
    assert [found.row.split(", ")[1] for found in came.unfit] == [f"scope_id {i}" for i in range(2, 201, 2)]


# What is in the way ---------------------------------------------------------------------------------------------------


def test_nothing_is_moved_over_what_is_there(desk: DataDirectory, new: DataDirectory, stopped: Path) -> None:
    """Another desk, another key, the venue's books, another desk's folder: each is named and left as it was."""
    new.path.mkdir()
    for name in ("desk.db", "paper.db", "chain.key"):
        (new.path / name).write_text("theirs")
        with pytest.raises(TargetTaken, match=name):
            moved_to(desk, new)
        with pytest.raises(TargetTaken, match=name):
            rehearse(desk, new.path, quiet)
        assert (new.path / name).read_text() == "theirs"
        (new.path / name).unlink()
    point_to(new, "postgresql://elsewhere/books schema plimsoll")
    with pytest.raises(TargetTaken, match="another desk's"):
        moved_to(desk, new)
    new.home.unlink()
    with pytest.raises(TargetTaken, match=r"desk\.db is there"):
        moved_to(desk, desk)
    assert opens(desk)
    shutil.copy(stopped / "chain.key", new.path)
    assert moved_to(desk, new).fits


def test_a_folder_in_which_a_desk_starts_is_not_moved_into(desk: DataDirectory, new: DataDirectory) -> None:
    """Its lock is held by somebody."""
    lock = take_the_desk(new)
    with pytest.raises(DeskIsRunning):
        moved_to(desk, new)
    lock.release()
    assert opens(desk)


def test_a_desk_without_its_key_is_not_moved(desk: DataDirectory, new: DataDirectory) -> None:
    """Nobody could go on with its chain there."""
    desk.chain_key_file.unlink()
    with pytest.raises(ChainKeyMissing):
        moved_to(desk, new)
    assert not opens(new)


def test_a_desk_of_another_release_is_started_first(desk: DataDirectory, new: DataDirectory) -> None:
    """Its tables are others, and its source is not changed."""
    write(desk.database, "UPDATE alembic_version SET version_num = '0004'")
    with pytest.raises(OldRelease, match="plimsoll up"):
        moved_to(desk, new)
    assert not new.home.exists()


@pytest.mark.parametrize("where", ["its first page", "the middle of a long text"])
def test_a_damaged_file_is_told_in_a_sentence(desk: DataDirectory, new: DataDirectory, where: str) -> None:
    """It is no row that does not fit, and nothing is put in place."""
    long = "INSERT INTO meta VALUES ('zzz', hex(zeroblob(100000)))"
    write(desk.database, long, "PRAGMA wal_checkpoint(TRUNCATE)")
    with closing(sqlite3.connect(desk.database)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'events'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        if where != "its first page":
            (page,) = connection.execute("PRAGMA page_count").fetchone()
            page -= 20
    with desk.database.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    with pytest.raises(StoreFailed, match="malformed"):
        moved_to(desk, new)
    assert not opens(new)


def test_a_cell_that_must_not_be_empty_is_named(desk: DataDirectory, new: DataDirectory) -> None:
    """Somebody took the rule out of the file, and the cell with it."""
    write(
        desk.database,
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_master SET sql = replace(sql, 'value VARCHAR NOT NULL', 'value VARCHAR') WHERE name = 'meta'",
    )
    write(desk.database, "INSERT INTO meta VALUES ('empty', NULL)")
    (found,) = moved_to(desk, new).unfit
    assert (found.table, found.row, found.column) == ("meta", "name empty", "value")
    assert found.sentence == "it is empty, and must not be"


def test_what_the_target_cannot_do_is_no_rows_fault(desk: DataDirectory, new: DataDirectory) -> None:
    """A table that is gone there, as a full disk would be: no row is named, and the desk stays where it is."""
    fill(desk)
    tables: list[int] = []

    def progress(step: str, _done: int, _total: int) -> None:
        tables.append(1)
        if step == "moving" and len(tables) == 2:
            write(new.path / "moving" / "desk.db", "DROP TABLE meta")

    with pytest.raises(StoreFailed, match="meta"):
        move(desk, new.path, SystemClock(), progress, anew=False)
    assert opens(desk)
    assert moved_to(desk, new, anew=True).fits


def test_a_rehearsal_beside_a_half_leaves_the_half(desk: DataDirectory, new: DataDirectory) -> None:
    """And the sign before it; what a rehearsal that was killed has left goes with the next one."""
    cut(desk, new, "comparing")
    left = new.path.with_name("new.trial")
    left.mkdir()
    (left / "desk.db").write_text("half")
    assert rehearse(desk, new.path, quiet).found == 0
    assert not left.exists()
    assert not opens(new)
    done = moved_to(desk, new)
    assert done.found == done.rows
