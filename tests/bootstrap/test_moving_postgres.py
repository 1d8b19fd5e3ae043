"""A desk moves to a server and back: rehearsed, killed on the way, gone on with, proven, and traded on with."""

import asyncio
import hashlib
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from plimsoll.bootstrap import DataDirectory, DeskIsRunning, take_the_desk
from plimsoll.bootstrap.moving.mark import SourceChanged, TargetTaken
from plimsoll.bootstrap.moving.move import Moved, finish, has_left, move, rehearse
from plimsoll.bootstrap.ownership import ARRIVED, desk_directory, point_to
from plimsoll.ledger.digest import digest
from plimsoll.ledger.schema import metadata
from plimsoll.ledger.verify import verify
from plimsoll.model.clock import SystemClock
from plimsoll.model.errors import Illegal
from plimsoll.store.connection import CommitUnclear, StoreFailed
from plimsoll.store.lease import Holder, take_lease
from plimsoll.store.place import PostgresPlace, reader
from plimsoll.venues.paper import books as paper
from tests.builders.kept import client_id, kept
from tests.builders.places import rows_of
from tests.builders.postgres import ROLE, Cluster

PERPETUAL = "BTC/USDT:USDT"


@pytest.fixture
def server(postgres_cluster: Cluster) -> Iterator[PostgresPlace]:
    """Give an empty database, and the name of the schema that a desk would have in it."""
    with postgres_cluster.copy_of("nothing", lambda _place: None) as place:
        yield PostgresPlace(place.url, "plimsoll")


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of a desk that has traded, with an order that waits, and is stopped."""
    folder = tmp_path_factory.mktemp("stopped") / "desk"

    async def trade() -> None:
        async with kept(folder) as desk:
            client_id(await desk.buy("0.01"))
            client_id(await desk.rest("0.02"))
            client_id(await desk.buy("0.03", PERPETUAL))

    asyncio.run(trade())
    return folder


@pytest.fixture
def desk(stopped: Path, tmp_path: Path) -> DataDirectory:
    """Give a test such a desk of its own."""
    shutil.copytree(stopped, tmp_path / "desk")
    return DataDirectory(tmp_path / "desk")


@pytest.fixture
def away(stopped: Path, tmp_path: Path, postgres_cluster: Cluster) -> Iterator[DataDirectory]:
    """Give the folder of the same desk, whose books have moved to a server."""
    folder = tmp_path / "desk"

    def fill(place: PostgresPlace) -> None:
        shutil.copytree(stopped, tmp_path / "first")
        moved_to(DataDirectory(tmp_path / "first"), PostgresPlace(place.url, "plimsoll"))

    with postgres_cluster.copy_of("moved", fill) as place:
        shutil.copytree(stopped, folder)
        server = PostgresPlace(place.url, "plimsoll")
        point_to(DataDirectory(folder), str(server))
        yield desk_directory(folder, server.url, "plimsoll")


def quiet(_step: str, _done: int, _total: int) -> None:
    return


def moved_to(source: DataDirectory, target: PostgresPlace | Path, *, anew: bool = False) -> Moved:
    return move(source, target, SystemClock(), quiet, anew=anew)


def bytes_of(folder: Path) -> dict[str, str]:
    """Hash what a desk keeps, but for what a reader of SQLite leaves: its shared memory, and an empty log of writes."""
    files = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
    kept = {name: content for name, content in files.items() if content and not name.endswith("-shm")}
    return {name: hashlib.sha256(content).hexdigest() for name, content in kept.items()}


def schemas(server: PostgresPlace) -> dict[str, str | None]:
    asked = "SELECT nspname, obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname LIKE 'plims%'"
    with psycopg.connect(server.url) as connection:
        return dict(connection.execute(asked).fetchall())


def guards(server: PostgresPlace) -> list[tuple[object, ...]]:
    """List what guards each table: walls, triggers, constraints, indexes."""
    asked = (
        "SELECT relname, relrowsecurity, relforcerowsecurity,"
        " (SELECT array_agg(tgname ORDER BY tgname) FROM pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal),"
        " (SELECT array_agg(conname || convalidated ORDER BY conname) FROM pg_constraint WHERE conrelid = c.oid),"
        " (SELECT array_agg(polname ORDER BY polname) FROM pg_policy WHERE polrelid = c.oid),"
        " (SELECT array_agg(i.relname ORDER BY i.relname) FROM pg_index JOIN pg_class i ON i.oid = indexrelid"
        "  WHERE indrelid = c.oid AND indisvalid)"
        " FROM pg_class c WHERE relkind = 'r' AND relnamespace = to_regnamespace(quote_ident(%s)) ORDER BY 1"
    )
    with psycopg.connect(server.url) as connection:
        return connection.execute(asked, (server.schema,)).fetchall()


def is_whole(desk: DataDirectory) -> bool:
    report = verify(desk.book, desk.chain_key(), desk.stamp)
    assert report.findings == ()
    return report.ok


async def trade_on(desk: DataDirectory, key: str) -> None:
    async with kept(desk) as there:
        assert there.account.ports.reconciled
        assert there.halted_by() == set()
        assert there.holds() == await there.venue_holds()
        assert len(there.live()) == len(await there.waiting()) == 1
        client_id(await there.buy("0.04", key=key))


def test_a_desk_moves_to_a_server_trades_there_and_comes_home(
    desk: DataDirectory, server: PostgresPlace, tmp_path: Path
) -> None:
    """Every row, its digest, its chain and its stamp arrive; what lay there is untouched byte by byte.

    Empty schemas, as a database's owner prepares them for a role, give way.
    """
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE SCHEMA plimsoll")
        connection.execute("CREATE SCHEMA plimsoll_paper")
    before, said = bytes_of(desk.path), digest(reader(desk.book))
    there = moved_to(desk, server)
    assert there.fits
    assert {each.table for each in there.arrived if each.book == "desk"} == {*metadata.tables} - {"leases"}
    assert {each.table for each in there.arrived if each.book == "paper"} == {*paper.metadata.tables}
    assert sum(each.rows for each in there.arrived if each.table == "trades") == 4
    home = desk_directory(desk.path, server.url, "plimsoll")
    assert digest(reader(home.book)) == said
    assert is_whole(home)
    assert {name: found for name, found in bytes_of(desk.path).items() if name != "desk.database"} == before
    assert schemas(server) == {"plimsoll": None, "plimsoll_paper": None}
    with pytest.raises(Illegal, match="is on postgresql://"):
        desk_directory(desk.path, "", "plimsoll")
    asyncio.run(trade_on(home, "on the server"))
    on_server = digest(reader(home.book))
    assert on_server != said
    rows = rows_of(server)

    back = moved_to(home, tmp_path / "new")
    assert back.fits
    came = desk_directory(tmp_path / "new", "", "plimsoll")
    assert digest(reader(came.book)) == on_server
    assert is_whole(came)
    assert rows_of(server) == rows
    assert {*bytes_of(came.path)} == {"chain.key", "desk.db", "heads.stamp", "paper.db"}
    assert {file.stat().st_mode & 0o077 for file in came.path.iterdir()} == {0}
    with pytest.raises(Illegal, match="is on SQLite, in the folder"):
        desk_directory(desk.path, server.url, "plimsoll")
    asyncio.run(trade_on(came, "at home again"))


def test_there_and_back_is_the_same_desk(away: DataDirectory, stopped: Path, tmp_path: Path) -> None:
    """Nothing happened in between: every table is what it was, cell by cell, in both books."""
    moved_to(away, tmp_path / "new")
    came, left = DataDirectory(tmp_path / "new"), DataDirectory(stopped)
    assert rows_of(came.book) == rows_of(left.book)
    assert rows_of(came.venue_book) == rows_of(left.venue_book)
    assert digest(reader(came.book)) == digest(reader(left.book))


def test_tables_that_were_moved_into_are_guarded_like_those_of_a_new_desk(
    away: DataDirectory, tmp_path: Path, postgres_cluster: Cluster
) -> None:
    """Walls, triggers, constraints and indexes are those that an upgrade makes."""
    with postgres_cluster.copy_of("nothing", lambda _place: None) as place:
        fresh = DataDirectory(tmp_path / "fresh", PostgresPlace(place.url, "plimsoll"))

        async def open_once() -> None:
            async with kept(fresh):
                pass

        asyncio.run(open_once())
        assert fresh.server is not None
        assert away.server is not None
        assert guards(away.server) == guards(fresh.server)


def kill(source: DataDirectory, target: str, step: str, share: float) -> None:
    """Move in a process of its own, which is killed when it is so far."""
    address = "" if source.server is None else source.server.url
    words = (str(source.path), address, step, str(share), target)
    killed = subprocess.run([sys.executable, "-m", "tests.bootstrap.moving_killed", *words], check=False)
    assert killed.returncode == -signal.SIGKILL


@pytest.mark.parametrize(("step", "share"), [("moving", 0.5), ("comparing", 0.7)])
def test_a_move_to_a_server_that_was_killed_goes_on(
    desk: DataDirectory, server: PostgresPlace, step: str, share: float
) -> None:
    """Until it is done the desk opens where it did."""
    said = digest(reader(desk.book))
    kill(desk, server.url, step, share)
    assert desk_directory(desk.path, "", "plimsoll").book == desk.book
    assert sorted(schemas(server)) == ["plimsoll_new", "plimsoll_new_paper"]
    done = moved_to(desk, server)
    assert done.fits
    assert 0 < done.found < done.rows if step == "moving" else done.found == done.rows
    home = desk_directory(desk.path, server.url, "plimsoll")
    assert digest(reader(home.book)) == said
    assert is_whole(home)


@pytest.mark.parametrize(("step", "share"), [("moving", 0.5), ("proving", 0.0)])
def test_a_move_from_a_server_that_was_killed_goes_on(
    away: DataDirectory, tmp_path: Path, step: str, share: float
) -> None:
    """Until it is done the desk opens on its server, and the new folder opens nothing."""
    said = digest(reader(away.book))
    kill(away, str(tmp_path / "new"), step, share)
    assert away.server is not None
    assert desk_directory(away.path, away.server.url, "plimsoll").book == away.book
    with pytest.raises(Illegal, match="run its `plimsoll move` again"):
        desk_directory(tmp_path / "new", "", "plimsoll")
    done = moved_to(away, tmp_path / "new")
    assert done.fits
    assert 0 < done.found < done.rows if step == "moving" else done.found == done.rows
    came = desk_directory(tmp_path / "new", "", "plimsoll")
    assert digest(reader(came.book)) == said
    assert is_whole(came)


def test_a_half_of_a_desk_that_went_on_is_not_finished(desk: DataDirectory, server: PostgresPlace) -> None:
    """The second half would be of another book; --anew begins again."""
    cut(desk, server)
    go_on(desk)
    before = bytes_of(desk.path)
    with pytest.raises(SourceChanged, match="--anew"):
        moved_to(desk, server)
    assert bytes_of(desk.path) == before
    assert moved_to(desk, server, anew=True).found == 0
    assert digest(reader(server)) == digest(reader(desk.book))


def go_on(desk: DataDirectory) -> None:
    """Let the desk write one commit more."""
    with closing(sqlite3.connect(desk.database, isolation_level=None)) as connection:
        connection.execute("UPDATE heads SET group_number = group_number + 1")


class Cut(Exception):
    """What ends a move in this process as a signal would."""


def cut(desk: DataDirectory, target: PostgresPlace | Path, at: str = "comparing") -> None:
    def progress(step: str, _done: int, _total: int) -> None:
        if step == at:
            raise Cut

    with pytest.raises(Cut):
        move(desk, target, SystemClock(), progress, anew=False)


def test_a_move_that_was_cut_at_its_very_end_is_finished(desk: DataDirectory, server: PostgresPlace) -> None:
    """The schemas have their names, and the folder could not be told: the old books open, and the next run tells it."""
    in_the_way = desk.path / "desk.new"
    in_the_way.mkdir()
    with pytest.raises(OSError, match=r"desk\.new"):
        moved_to(desk, server)
    assert desk_directory(desk.path, "", "plimsoll").server is None
    in_the_way.rmdir()
    made_of = schemas(server)["plimsoll"]
    assert moved_to(desk, server).arrived == ()
    assert desk_directory(desk.path, server.url, "plimsoll").server == server
    assert schemas(server) == {"plimsoll": None, "plimsoll_paper": None}
    # Cut a step later the folder knows it already, and only what the schema was made of is left to forget.
    assert not has_left(desk.path, server)
    with psycopg.connect(server.url) as connection:
        connection.execute(sql.SQL("COMMENT ON SCHEMA plimsoll IS {}").format(sql.Literal(made_of)))
    assert has_left(desk.path, server)
    assert finish(desk, server, SystemClock()).fits
    assert schemas(server) == {"plimsoll": None, "plimsoll_paper": None}
    with psycopg.connect(server.url) as connection:
        ((epoch,),) = connection.execute("SELECT epoch FROM plimsoll.leases").fetchall()
    assert epoch > 1_700_000_000, "an owner of before, frozen since, must not take this lease for his"


def test_a_desk_that_went_on_at_the_very_end_is_not_finished(desk: DataDirectory, server: PostgresPlace) -> None:
    """What is in place is of an older book: a person puts it aside."""
    in_the_way = desk.path / "desk.new"
    in_the_way.mkdir()
    with pytest.raises(OSError, match=r"desk\.new"):
        moved_to(desk, server)
    in_the_way.rmdir()
    go_on(desk)
    with pytest.raises(SourceChanged):
        moved_to(desk, server)
    with pytest.raises(TargetTaken, match="plimsoll is not empty"):
        moved_to(desk, server, anew=True)
    assert desk_directory(desk.path, "", "plimsoll").server is None


def test_a_desk_comes_back_into_the_folder_it_left(away: DataDirectory) -> None:
    """Once its old books were put aside; until then they are in the way."""
    with pytest.raises(TargetTaken, match=r"desk\.db is there"):
        moved_to(away, away.path)
    old = DataDirectory(away.path)
    for file in (old.database, old.paper_books):
        file.rename(file.with_suffix(".old"))
    cut(away, away.path, "proving")
    assert away.server is not None
    assert desk_directory(away.path, away.server.url, "plimsoll") == away
    assert moved_to(away, away.path, anew=True).found == 0
    point_to(old, ARRIVED)
    assert has_left(away.path, away.path)
    assert finish(old, away.path, SystemClock()).fits
    came = desk_directory(away.path, "", "plimsoll")
    assert digest(reader(came.book)) == digest(reader(away.book))
    assert is_whole(came)


def test_a_move_is_undone_by_forgetting_it(away: DataDirectory) -> None:
    """The old books open again; they know by their stamp what is missing, and open nothing until that is settled."""
    asyncio.run(trade_on(away, "on the server"))
    away.home.unlink()
    said: list[str] = []

    async def wake() -> None:
        async with kept(DataDirectory(away.path), said) as desk:
            assert desk.account.ports.reconciled
            assert desk.holds() == await desk.venue_holds()
            assert len(desk.live()) == 1

    asyncio.run(wake())
    assert "THIS BOOK IS OLDER THAN IT WAS" in "".join(said)


def test_a_server_that_goes_away_in_the_middle_is_come_back_to(desk: DataDirectory, server: PostgresPlace) -> None:
    """No row is to blame for it: the move says that it was cut, and the next run goes on."""
    cut_at: list[int] = []

    def progress(step: str, done: int, total: int) -> None:
        if step == "moving" and done > total / 2 and not cut_at:
            cut_at.append(done)
            asked = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            with psycopg.connect(server.url) as connection:
                connection.execute(asked + " AND usename = current_user AND datname = current_database()")

    with pytest.raises((StoreFailed, CommitUnclear)):
        move(desk, server, SystemClock(), progress, anew=False)
    done = moved_to(desk, server)
    assert done.fits
    assert done.found >= cut_at[0]


# What is in the way ---------------------------------------------------------------------------------------------------


def test_books_that_another_folder_owns_are_not_moved(away: DataDirectory, tmp_path: Path) -> None:
    """Neither at the start nor at the end; a process of its own folder is dead, as the folder's lock proves."""
    server, taken = away.server, []
    assert server is not None

    def progress(step: str, _done: int, _total: int) -> None:
        if step == "proving" and server is not None:
            taken.append(take_lease(server, Holder("somebody", "elsewhere:/desk")))

    with pytest.raises(DeskIsRunning, match="elsewhere:/desk"):
        move(away, tmp_path / "new", SystemClock(), progress, anew=False)
    with pytest.raises(DeskIsRunning, match="elsewhere:/desk"):
        moved_to(away, tmp_path / "new")
    taken[0].release()
    key = away.home.read_text().split('"key": "')[1].split('"')[0]
    take_lease(server, Holder(key, f"here:{away.path}"))
    done = moved_to(away, tmp_path / "new")
    assert done.found == done.rows


def test_two_processes_do_not_move_into_one_schema(desk: DataDirectory, server: PostgresPlace) -> None:
    """The second hears it, and changes nothing."""
    with psycopg.connect(server.url) as connection:
        connection.execute("SELECT pg_advisory_lock(hashtextextended('plimsoll moves to ' || 'plimsoll', 0))")
        with pytest.raises(DeskIsRunning, match="wait for it"):
            moved_to(desk, server)
    assert schemas(server) == {}


@pytest.mark.parametrize("taken", ["plimsoll", "plimsoll_paper", "plimsoll_new"])
def test_what_somebody_has_there_stays(desk: DataDirectory, server: PostgresPlace, taken: str) -> None:
    """A schema with anything in it is refused by its name, and left as it is."""
    with psycopg.connect(server.url) as connection:
        connection.execute(f"CREATE SCHEMA {taken}")
        connection.execute(f"CREATE TABLE {taken}.theirs (id int)")
    for _ in ("said twice", "and with --anew"):
        with pytest.raises(TargetTaken, match=taken):
            moved_to(desk, server, anew=True)
    assert schemas(server) == {taken: None}


def test_a_role_that_may_make_no_schemas_hears_what_to_run(
    desk: DataDirectory, server: PostgresPlace, postgres_cluster: Cluster
) -> None:
    """The names of a move are given by renaming, which takes that right."""
    name = server.url.rpartition("/")[2]
    with psycopg.connect(postgres_cluster.superuser_url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} OWNER TO postgres")
        connection.execute(f"REVOKE CREATE ON DATABASE {name} FROM {ROLE}")
    with pytest.raises(StoreFailed, match=f"GRANT CREATE ON DATABASE {name} TO {ROLE}"):
        moved_to(desk, server)
    assert schemas(server) == {}


# What does not fit ----------------------------------------------------------------------------------------------------


def spoil(desk: DataDirectory, *statements: str) -> None:
    """Write what no desk would, past every constraint of SQLite."""
    with closing(sqlite3.connect(desk.database, isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        for statement in statements:
            connection.execute(statement)


def halted(
    scope_id: int, *, state: str = "ACTIVE", latched: str = "0", since: str = "2022-01-01T10:00:00.000000Z"
) -> str:
    return f"INSERT INTO halts VALUES ('USER', {scope_id}, 's', '{state}', '', '{latched}', '{since}')"


#: What is wrong, where it is, and how that is told: those that no type of a column fits, then those that a constraint
#: of the server refuses, which SQLite's had let through.
MISFITS = (
    ("INSERT INTO meta VALUES ('a', 'b' || char(0) || 'c')", "meta", "name a", "value", "holds the sign NUL, which"),
    ("INSERT INTO meta VALUES ('b', zeroblob(99))", "meta", "name b", "value", "… is no text"),
    (
        halted(71, since="2022-02-30T10:00:00.000000Z"),
        "halts",
        "scope_type USER, scope_id 71",
        "since",
        "no time of ours",
    ),
    (halted(72, latched="maybe"), "halts", "scope_type USER, scope_id 72", "latched", "'maybe' is no whole number"),
    (halted(73, state="ASLEEP"), "halts", "scope_type USER, scope_id 73", "", "ck_halts_state"),
    ("UPDATE nav SET units = '1e3'", "nav", "account_id 1", "units", "'1e3' is no decimal of up to 20 digits"),
    ("INSERT INTO leverages VALUES (1, 1, 'NaN')", "leverages", "account_id 1", "leverage", "'NaN' is no decimal"),
    ("UPDATE balances SET amount = '0.1234567890123456789'", "balances", "account_id 1", "amount", "and 18 places"),
)


def test_a_row_that_does_not_fit_is_named_and_nothing_is_put_in_place(
    desk: DataDirectory, server: PostgresPlace
) -> None:
    """By its table, its key and its column; the desk stays where it is."""
    spoil(desk, *(statement for statement, *_ in MISFITS))
    before = bytes_of(desk.path)
    came = moved_to(desk, server)
    assert not came.fits
    assert came.arrived == ()
    for _, table, row, column, sentence in MISFITS:
        found = next(each for each in came.unfit if each.table == table and each.row.startswith(row))
        assert (found.book, found.column) == ("desk", column)
        assert sentence in found.sentence
    assert bytes_of(desk.path) == before
    assert desk_directory(desk.path, "", "plimsoll").book == desk.book
    assert sorted(schemas(server)) == ["plimsoll_new", "plimsoll_new_paper"]


def test_what_points_to_nothing_and_bytes_that_are_no_text_are_found(
    desk: DataDirectory, server: PostgresPlace
) -> None:
    """A row whose owner is not there; and a text that nobody can read, of which SQLite names the column."""
    spoil(
        desk,
        "INSERT INTO passwords VALUES (1, CAST(x'ff' AS TEXT), '2022-01-01T00:00:00.000000Z')",
        "INSERT INTO portfolios SELECT 77, 'p-77', account_id, 77, 'orphan', deleted_at FROM portfolios WHERE id = 1",
    )
    portfolio, password = sorted(rehearse(desk, server, quiet).unfit, key=lambda each: each.row, reverse=True)
    assert (portfolio.table, portfolio.row) == ("portfolios", "id 77")
    assert "fk_portfolios_user_id" in portfolio.sentence
    assert (password.table, password.row) == ("passwords", "")
    assert "decode to UTF-8 column 'hash'" in password.sentence


def test_a_rehearsal_leaves_nothing(desk: DataDirectory, server: PostgresPlace, tmp_path: Path) -> None:
    """Neither on the server nor in a folder, nor in the desk's own, which may be at work; to move, it must not."""
    before = bytes_of(desk.path)
    lock = take_the_desk(desk)
    there, here = rehearse(desk, server, quiet), rehearse(desk, tmp_path / "new", quiet)
    with pytest.raises(DeskIsRunning):
        moved_to(desk, server)
    lock.release()
    assert there.fits
    assert there.proof is not None
    assert there.proof.ok
    assert here.digest == there.digest
    assert schemas(server) == {}
    assert bytes_of(desk.path) == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["desk"]
