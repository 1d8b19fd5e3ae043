"""The copy of a desk on PostgreSQL: made of one moment while it writes, brought back beside what it replaces."""

import asyncio
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from plimsoll.bootstrap import DataDirectory, DeskIsRunning
from plimsoll.bootstrap.backups.copy import Taken, back_up
from plimsoll.bootstrap.backups.drill import DrillFailed, drill
from plimsoll.bootstrap.backups.manifest import BackupFailed, CopyFolder, CopyUnusable
from plimsoll.bootstrap.backups.restore import DeskInTheWay, Restored, restore
from plimsoll.bootstrap.backups.server import ProgramMissing
from plimsoll.ledger.digest import digest
from plimsoll.ledger.verify import verify
from plimsoll.model.clock import SystemClock
from plimsoll.model.errors import CommandRefused
from plimsoll.store.place import PostgresPlace, reader
from tests.builders.kept import client_id, kept
from tests.builders.postgres import PASSWORD, ROLE, Cluster, find_programs

PERPETUAL = "BTC/USDT:USDT"


@pytest.fixture
def home(postgres_cluster: Cluster, tmp_path: Path) -> Iterator[DataDirectory]:
    """Give the folder of a desk whose books lie on a server."""
    with postgres_cluster.copy_of("nothing", lambda _place: None) as place:
        (tmp_path / "desk").mkdir()
        yield DataDirectory(tmp_path / "desk", PostgresPlace(place.url, "plimsoll"))


def copied(home: DataDirectory, programs: Path | None = None) -> Taken:
    return back_up(home, copies(home), SystemClock(), "1.2.3", programs=programs or find_programs())


def copies(home: DataDirectory) -> CopyFolder:
    return CopyFolder(home.path / "backups")


def bring_back(copy: Path, home: DataDirectory, *, over: bool = True, venue_too: bool = False) -> Restored:
    return restore(copy, home, SystemClock(), over=over, venue_too=venue_too, programs=find_programs())


def schemas(home: DataDirectory) -> set[str]:
    with psycopg.connect(server(home).url) as connection:
        rows = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'plimsoll%'").fetchall()
    return {name for (name,) in rows}


def server(home: DataDirectory) -> PostgresPlace:
    assert home.server is not None
    return home.server


async def a_day(home: DataDirectory) -> Path:
    """Trade, copy, trade on; give the copy."""
    async with kept(home) as desk:
        client_id(await desk.buy("0.01"))
        client_id(await desk.rest("0.02"))
        taken = await asyncio.get_running_loop().run_in_executor(None, copied, home)
        assert taken.manifest.digest
        client_id(await desk.buy("0.03", PERPETUAL, key="after the copy"))
        client_id(await desk.rest("0.04", key="waits after the copy"))
    return taken.folder


def test_a_desk_on_a_server_gets_its_lost_hour_back_and_what_was_there_stays_aside(home: DataDirectory) -> None:
    async def main() -> Path:
        copy = await a_day(home)
        assert {file.name for file in copy.iterdir()} == {"books.dump", "heads.stamp", "manifest.json"}
        return copy

    copy = asyncio.run(main())
    with psycopg.connect(server(home).url) as connection:
        ((epoch,),) = connection.execute("SELECT epoch FROM plimsoll.leases").fetchall()
    brought = bring_back(copy, home)
    assert not brought.venue
    assert brought.aside.startswith("plimsoll_")
    assert schemas(home) == {"plimsoll", "plimsoll_paper", brought.aside}
    with psycopg.connect(server(home).url) as connection:
        ((raised,),) = connection.execute("SELECT epoch FROM plimsoll.leases").fetchall()
    assert raised > epoch + 1, "an owner of before, frozen since, must not take this lease for his"

    async def again() -> None:
        async with kept(home) as desk:
            assert desk.account.ports.reconciled
            assert desk.halted_by() == set()
            assert desk.holds() == await desk.venue_holds()
            assert len(desk.live()) == len(await desk.waiting()) == 2
            client_id(await desk.buy("0.05"))

    asyncio.run(again())
    assert verify(home.book, home.chain_key(), home.stamp).findings == ()


def test_a_drill_on_a_server_needs_a_database_of_its_own_and_takes_it_away(
    home: DataDirectory, postgres_cluster: Cluster
) -> None:
    async def main() -> None:
        await a_day(home)

    asyncio.run(main())
    before = digest(reader(home.book))
    with pytest.raises(DrillFailed, match="CREATEDB"):
        drilled(home)
    assert copies(home).proven() is None
    with psycopg.connect(postgres_cluster.superuser_url, autocommit=True) as connection:
        connection.execute(f"ALTER ROLE {ROLE} CREATEDB")
        try:
            assert drilled(home) == 1
        finally:
            connection.execute(f"ALTER ROLE {ROLE} NOCREATEDB")
        left = connection.execute("SELECT FROM pg_database WHERE datname LIKE '%drill'").fetchall()
    assert left == []
    assert copies(home).proven() is not None
    assert digest(reader(home.book)) == before


def drilled(home: DataDirectory) -> int:
    done = drill(home, copies(home), SystemClock(), random.Random(7), "test", programs=find_programs())
    return done.accounts


def test_a_copy_that_does_not_prove_where_it_came_to_lie_gives_the_place_back(home: DataDirectory) -> None:
    async def main() -> Path:
        return await a_day(home)

    copy = asyncio.run(main())
    before, names = digest(reader(home.book)), schemas(home)
    with pytest.raises(DeskInTheWay):
        bring_back(copy, home, over=False)
    told = copy / "manifest.json"
    told.write_text(told.read_text().replace(digest_in(told), "0" * 64))
    with pytest.raises(CopyUnusable, match="digest"):
        bring_back(copy, home, venue_too=True)
    assert (digest(reader(home.book)), schemas(home)) == (before, names)

    async def again() -> None:
        async with kept(home) as desk:
            assert desk.account.ports.reconciled
            assert desk.halted_by() == set()

    asyncio.run(again())


def digest_in(manifest: Path) -> str:
    line = next(line for line in manifest.read_text().splitlines() if '"digest"' in line)
    return line.split('"')[3]


def test_nothing_comes_back_under_a_desk_that_owns_its_books(home: DataDirectory) -> None:
    async def main() -> None:
        async with kept(home) as desk:
            client_id(await desk.buy("0.01"))
            copy = (await asyncio.get_running_loop().run_in_executor(None, copied, home)).folder
            other = DataDirectory(home.path.with_name("other"), home.server)
            other.path.mkdir()
            shutil.copyfile(home.chain_key_file, other.chain_key_file)
            with pytest.raises(DeskIsRunning):
                await asyncio.get_running_loop().run_in_executor(None, lambda: bring_back(copy, other))
            client_id(await desk.buy("0.02"))
            assert schemas(home) == {"plimsoll", "plimsoll_paper"}

    asyncio.run(main())


def test_without_the_programs_of_postgresql_it_is_said_where_they_come_from(
    home: DataDirectory, tmp_path: Path
) -> None:
    async def main() -> None:
        async with kept(home):
            pass

    asyncio.run(main())
    with pytest.raises(ProgramMissing, match="PLIMSOLL_POSTGRES_PROGRAMS"):
        copied(home, tmp_path)
    assert copies(home).copies() == {}


def test_a_program_that_fails_leaves_no_copy_and_tells_no_password(home: DataDirectory, tmp_path: Path) -> None:
    async def main() -> None:
        async with kept(home):
            pass

    asyncio.run(main())
    broken = tmp_path / "broken"
    broken.mkdir()
    for name in ("pg_dump", "pg_restore"):
        (broken / name).write_text('#!/bin/sh\necho "$0 $@ cannot" >&2\nexit 3\n')
        (broken / name).chmod(0o755)
    with pytest.raises(BackupFailed, match="cannot") as failed:
        copied(home, broken)
    assert PASSWORD not in str(failed.value)
    assert copies(home).copies() == {}
    assert {entry.name for entry in copies(home).path.iterdir()} == {"lock"}


def test_a_restore_that_was_cut_in_the_middle_is_no_empty_desk_and_is_made_again(home: DataDirectory) -> None:
    """The power goes when the old schema is aside and the new one is empty."""

    async def main() -> Path:
        return await a_day(home)

    copy = asyncio.run(main())
    with psycopg.connect(server(home).url, autocommit=True) as connection:
        connection.execute("ALTER SCHEMA plimsoll RENAME TO plimsoll_aside")
        connection.execute("CREATE SCHEMA plimsoll")

    async def again() -> None:
        async with kept(home) as desk:
            assert desk.account.ports.reconciled
            assert desk.holds() == await desk.venue_holds()

    with pytest.raises(CommandRefused, match="book_missing"):
        asyncio.run(again())
    assert bring_back(copy, home, over=False).aside == ""
    asyncio.run(again())
    assert verify(home.book, home.chain_key(), home.stamp).findings == ()
