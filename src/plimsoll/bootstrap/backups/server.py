"""The copy of a desk whose books are on PostgreSQL: one archive of `pg_dump`, of both schemas as of one moment.

1. The moment is a snapshot that this process holds open: the digest and the heads in the manifest are read in it, and
   the archive is made of it. The desk writes on meanwhile.
2. The archive is read to its end at once. That its tables come back, with every link and sum, a drill proves.
3. Who owns the books is in no copy: a process that owned them once, frozen since, must find no lease that is its own.

Coming back: the schema that is there is renamed aside and the new one made under its name; nothing is deleted. Until
the book was proven where it came to lie, the old names can come back, and do.

The password goes by the environment and never by a command line, which every user of the machine can read.
What must not enter: files of SQLite (`copy`, `restore`).
"""

import asyncio
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import pq, sql
from psycopg.conninfo import conninfo_to_dict

from plimsoll.bootstrap import DataDirectory
from plimsoll.bootstrap.backups.copy import DUMP, STAMP, Moment, event_number, prove
from plimsoll.bootstrap.backups.manifest import CopyUnusable, Manifest, ProgramFailed, flush_file
from plimsoll.ledger.digest import digest, digest_of
from plimsoll.ledger.stamp import write_stamp
from plimsoll.model.errors import PlimsollError
from plimsoll.store.place import PostgresPlace, reader
from plimsoll.store.postgres import connect, store_failures

_LAST_WORDS = 500
#: Above every epoch that an owner of the books was ever given.
_EPOCH_GAP = 1_000_000
#: PostgreSQL cuts longer names off.
_LONGEST_NAME = 63


class ProgramMissing(PlimsollError):
    """Install PostgreSQL's client programs, or name their folder with PLIMSOLL_POSTGRES_PROGRAMS."""


@dataclass(frozen=True, slots=True)
class Programs:
    """PostgreSQL's own programs."""

    #: None looks where the shell does.
    folder: Path | None = None

    def find(self, name: str) -> str:
        """Say where one is.

        Raises: ProgramMissing
        """
        found = shutil.which(name, path=None if self.folder is None else str(self.folder))
        if found is None:
            where = "on the PATH" if self.folder is None else f"in {self.folder}"
            raise ProgramMissing(f"{name} is not {where}. {ProgramMissing.__doc__}")
        return found

    def run(self, name: str, words: Sequence[str], place: PostgresPlace) -> None:
        """Run one on a database, and wait for its end.

        Raises: ProgramMissing, ProgramFailed
        """
        asyncio.run(self._run(self.find(name), words, place))

    async def _run(self, program: str, words: Sequence[str], place: PostgresPlace) -> None:
        process = await asyncio.create_subprocess_exec(
            program,
            *words,
            env={**os.environ, **_environment(place)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        _, told = await process.communicate()
        if process.returncode != 0:
            said = " ".join(told.decode(errors="replace").split())[-_LAST_WORDS:]
            raise ProgramFailed(f"{Path(program).name}: {said or f'ended with {process.returncode}'}")


def _environment(place: PostgresPlace) -> dict[str, str]:
    """Say by the environment what the address says."""
    given = conninfo_to_dict(place.url)
    names = {option.keyword.decode(): option.envvar.decode() for option in pq.Conninfo.get_defaults() if option.envvar}
    return {names[word]: str(value) for word, value in given.items() if word in names and value is not None}


# There ----------------------------------------------------------------------------------------------------------------


def copy_server(directory: DataDirectory, making: Path, moment: Moment, programs: Programs) -> Manifest:
    """Make the archive, its stamp and what is said of it.

    Raises: ProgramMissing, ProgramFailed, StoreFailed, CopyUnusable
    """
    place, venue, archive = *_places(directory), making / DUMP
    programs.find("pg_restore")  # a copy that cannot be read back is not begun
    schemas = [each.schema for each in (place, venue) if _is_there(each)]
    engine = reader(place)
    try:
        with engine.connect() as connection:
            snapshot = connection.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one()
            stamped = write_stamp(connection, making / STAMP, moment.at)
            said, event = digest_of(connection), event_number(connection)
            words = [
                *("--format=custom", "--enable-row-security", "--no-owner", "--no-privileges", "--strict-names"),
                *(f"--snapshot={snapshot}", f"--file={archive}", f"--exclude-table-data={place.schema}.leases"),
                *(f"--schema={schema}" for schema in schemas),
            ]
            programs.run("pg_dump", words, place)
    finally:
        engine.dispose()
    flush_file(archive)
    programs.run("pg_restore", [f"--file={os.devnull}", str(archive)], place)
    told = prove(place, moment.key, making / STAMP)
    return moment.manifest(making, "postgresql", (DUMP, STAMP), said, event, stamped, told)


# And back -------------------------------------------------------------------------------------------------------------


def is_there(directory: DataDirectory) -> bool:
    """Say whether a desk's schema lies in the database."""
    return _is_there(_places(directory)[0])


def restore_server(
    copy: Path,
    directory: DataDirectory,
    manifest: Manifest,
    key: bytes,
    *,
    venue: bool,
    at: datetime,
    programs: Programs,
) -> tuple[bool, tuple[str, ...]]:
    """Bring the schemas of a copy back, and prove them where they lie.

    Shapes: -> whether the venue's came back as well, and the names of those that went aside
            `venue` -> the venue's schema comes back although there is one
    Raises: ProgramMissing, ProgramFailed, StoreFailed, CopyUnusable; then everything is as it was
    """
    place, venues = _places(directory)
    moved = [place, *([venues] if venue or not _is_there(venues) else [])]
    epoch = _last_epoch(place)
    with _aside(moved, at) as aside:
        words = [
            "--single-transaction",
            "--exit-on-error",
            "--no-owner",
            "--no-privileges",
            "--dbname",
            _database(place),
        ]
        words += [f"--schema={each.schema}" for each in moved]
        programs.run("pg_restore", [*words, str(copy / DUMP)], place)
        with store_failures("write the lease"), connect(place) as connection:
            connection.execute(
                "INSERT INTO leases (name, holder, epoch, control_version, until)"
                " VALUES ('desk', 'nobody', %s, 0, clock_timestamp())",
                (epoch + _EPOCH_GAP,),
            )
        prove(place, key, copy / STAMP)
        engine = reader(place)
        try:
            if (is_ := digest(engine)) != manifest.digest:
                raise CopyUnusable(f"{copy}: its digest is {is_}, the manifest says {manifest.digest}")
        finally:
            engine.dispose()
    return venues in moved, aside


@contextmanager
def _aside(places: Sequence[PostgresPlace], at: datetime) -> Iterator[tuple[str, ...]]:
    """Make empty schemas under these names; what is there goes aside, and comes back when this fails."""
    ending = at.strftime("_%Y%m%d%H%M%S")
    names = {each.schema: f"{each.schema[: _LONGEST_NAME - len(ending)]}{ending}" for each in places if _is_there(each)}
    with store_failures("put the schemas aside"), connect(places[0]) as connection, connection.transaction():
        for each in places:
            if each.schema in names:
                connection.execute(_about("ALTER SCHEMA {} RENAME TO {}", each.schema, names[each.schema]))
            # A restore that was cut has left an empty one.
            connection.execute(_about("CREATE SCHEMA IF NOT EXISTS {}", each.schema))
    try:
        yield tuple(names.values())
    except BaseException:
        with store_failures("bring the schemas back"), connect(places[0]) as connection, connection.transaction():
            for each in places:
                connection.execute(_about("DROP SCHEMA {} CASCADE", each.schema))
                if each.schema in names:
                    connection.execute(_about("ALTER SCHEMA {} RENAME TO {}", names[each.schema], each.schema))
        raise


@contextmanager
def scratch_server(place: PostgresPlace) -> Iterator[PostgresPlace]:
    """Give a database beside this one for as long as a drill takes.

    Raises: ProgramFailed where this role may make none
    """
    name = f"{_database(place)[: _LONGEST_NAME - 6]}_drill"
    with store_failures("make a database for the drill"), connect(place) as connection:
        _drop(connection, name)
        try:
            connection.execute(_about("CREATE DATABASE {}", name))
        except psycopg.errors.InsufficientPrivilege as refused:
            remedy = (
                "let the desk's role make databases (ALTER ROLE … CREATEDB), or restore by hand into one of its own"
            )
            raise ProgramFailed(f"no database for the drill can be made: {remedy}") from refused
        try:
            yield replace(place, url=urlsplit(place.url)._replace(path=f"/{name}").geturl())
        finally:
            with suppress(psycopg.Error):
                _drop(connection, name)


def _drop(connection: "psycopg.Connection[tuple[object, ...]]", name: str) -> None:
    connection.execute(_about("DROP DATABASE IF EXISTS {} WITH (FORCE)", name))


def _places(directory: DataDirectory) -> tuple[PostgresPlace, PostgresPlace]:
    place, venue = directory.server, directory.venue_book
    assert isinstance(place, PostgresPlace), "Invariant: who comes here has its books on a server."
    assert isinstance(venue, PostgresPlace), "Invariant: the venue's books lie beside the desk's."
    return place, venue


def _database(place: PostgresPlace) -> str:
    return str(conninfo_to_dict(place.url)["dbname"])


def _is_there(place: PostgresPlace) -> bool:
    with store_failures(f"look at {place}"), connect(place) as connection:
        question = "SELECT FROM pg_namespace JOIN pg_class c ON c.relnamespace = pg_namespace.oid WHERE nspname = %s"
        return connection.execute(question, (place.schema,)).fetchone() is not None


def _last_epoch(place: PostgresPlace) -> int:
    with store_failures("look at the lease"), connect(place) as connection:
        name = sql.Identifier(place.schema, "leases")
        known = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (name.as_string(connection),)).fetchone()
        if known is None or not known[0]:
            return 0
        row = connection.execute(sql.SQL("SELECT max(epoch) FROM {}").format(name)).fetchone()
        return 0 if row is None or row[0] is None else int(row[0])


def _about(statement: str, *names: str) -> sql.Composed:
    return sql.SQL(statement).format(*map(sql.Identifier, names))
