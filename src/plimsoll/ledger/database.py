"""The database: made, brought up to this release, and refused when a newer release has written it.

An upgrade is one transaction behind a lock (`store.making`): cut anywhere, it has not happened; run by two processes at
once, the second waits, and then finds nothing left to do. Alembic is loaded only when there is something to do.

What if something else lives there? A file that is no database of a desk, and a schema with somebody's tables in it, are
left as they are.
What if the book holds what a new constraint refuses? Nothing is changed, and the release before goes on with it.
What if somebody wants to go back? On SQLite a copy of the file as it was is kept beside it.

What must not enter: what the tables are (`schema`), and how they came about (`migrations`).
"""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from sqlalchemy import Connection, column, select, table, text
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError

from plimsoll.model.errors import PlimsollError
from plimsoll.store import making
from plimsoll.store.connection import StoreFailed
from plimsoll.store.place import Place, PostgresPlace, SqlitePlace

if TYPE_CHECKING:
    from alembic.config import Config

#: Every version of the tables, oldest first.
REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006")
HEAD = REVISIONS[-1]
#: Those that kept neither days nor the states of orders.
_WITHOUT_FOLDS = ("0001", "0002")
_SCRIPTS = Path(__file__).parent / "migrations"

_SQLITE_HOLDS = "SELECT name FROM sqlite_master WHERE type = 'table'"
#: Whatever is in our schema: a view or a sequence of somebody is somebody's as well.
_POSTGRES_HOLDS = "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident(:schema))"


class NewerDatabase(PlimsollError):
    """The database was written by a newer release: start that one, or restore a backup made by this one."""

    def __init__(self, place: Place | Path, version: str) -> None:
        super().__init__(f"{place} has version {version}, this release knows up to {HEAD}. {type(self).__doc__}")
        self.version = version


class OlderDatabase(PlimsollError):
    """An older release wrote it, and its tables are not brought up to date yet: start the desk once (`plimsoll up`)."""

    def __init__(self, place: Place | Path, version: str) -> None:
        super().__init__(f"{place} has version {version}, this release reads {HEAD}. {type(self).__doc__}")


class ForeignDatabase(PlimsollError):
    """This is the database of something else, or none: name another place for the desk's data."""

    def __init__(self, place: Place | Path) -> None:
        super().__init__(f"{place}: {type(self).__doc__}")


class UnfitDatabase(PlimsollError):
    """The book holds what this release refuses: start the release before, find it with `plimsoll verify`, mend it."""

    def __init__(self, place: Place | str, what: str) -> None:
        super().__init__(f"{place} was not upgraded, nothing was changed: {what}. {type(self).__doc__}")


def open_database(place: Place) -> None:
    """Make the database, or bring it to this release; usually there is nothing to do.

    Raises: NewerDatabase, ForeignDatabase, UnfitDatabase, StoreFailed
    """
    with making.opening(place), _refusals(place):
        with making.looking(place) as connection:
            version = _version(connection, place)
        if version != HEAD:
            _upgrade(place)


def create_from_template(path: Path) -> None:
    """Make an empty database from one that was migrated before in this process: for simulations, which make many.

    Raises: FileExistsError
    """
    with path.open("xb") as file:
        file.write(template())


@cache
def template() -> bytes:
    """Give an empty database of this release as bytes, migrated once in this process."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "template.db"
        open_database(SqlitePlace(path))
        return path.read_bytes()


@contextmanager
def alembic_config(place: Place) -> "Iterator[Config]":
    """Hold one transaction that Alembic's commands run in; a failure undoes all of it."""
    from alembic.config import Config  # noqa: PLC0415  a tenth of a second that a desk at head need not spend

    # Alembic tells every step to whoever has set up logging; our own log says what matters.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["schema"] = place.schema if isinstance(place, PostgresPlace) else None
    with making.changing(place) as connection:
        config.attributes["connection"] = connection
        yield config
        if isinstance(place, SqlitePlace):
            _refuse_dangling(connection, place)


def _upgrade(place: Place) -> None:
    """Run the scripts that a database has not seen."""
    from alembic import command  # noqa: PLC0415  as above

    with alembic_config(place) as config:
        connection = config.attributes["connection"]
        # Whoever held the lock before us may have been a newer release.
        before = _version(connection, place)
        # Whoever waited for another's upgrade must not lay what it made over the copy of what was.
        if isinstance(place, SqlitePlace) and before not in (None, HEAD):
            _keep_copy(place)
        command.upgrade(config, "head")
        if before in _WITHOUT_FOLDS:
            from plimsoll.ledger.fill_in import fill_in  # noqa: PLC0415  what it folds with asks for our HEAD

            fill_in(connection)


def _keep_copy(place: SqlitePlace) -> None:
    """Keep the file as it is, beside it: the way back to the release before. Nobody writes to it meanwhile.

    Raises: StoreFailed
    """
    copy = place.path.with_name(f"{place.path.name}.before-{HEAD}")
    part = copy.with_name(f"{copy.name}.part")
    try:
        part.unlink(missing_ok=True)
        part.touch(mode=0o600)
        reading = sqlite3.connect(f"{place.path.absolute().as_uri()}?mode=ro", uri=True)
        with closing(reading) as source, closing(sqlite3.connect(part)) as target:
            source.backup(target)
        part.replace(copy)
    except (sqlite3.Error, OSError) as error:
        part.unlink(missing_ok=True)
        raise StoreFailed(
            f"{place} was not upgraded: no copy could be kept at {copy} ({error}). Make room for it beside the file"
        ) from error


def _version(connection: Connection, place: Place) -> str | None:
    """Read which release's tables these are; None for an empty database.

    Raises: NewerDatabase, ForeignDatabase
    """
    held = _SQLITE_HOLDS if isinstance(place, SqlitePlace) else _POSTGRES_HOLDS
    schema = place.schema if isinstance(place, PostgresPlace) else None
    tables = set(connection.execute(text(held), {"schema": schema}).scalars())
    if not tables:
        return None
    if "alembic_version" not in tables:
        raise ForeignDatabase(place)
    found = connection.execute(select(table("alembic_version", column("version_num"), schema=schema))).scalar()
    version = None if found is None else str(found)
    if version is not None and version not in REVISIONS:
        raise NewerDatabase(place, version)
    return version


@contextmanager
def _refusals(place: Place) -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        raise UnfitDatabase(place, making.said(error)) from error
    except OperationalError:
        raise
    except DatabaseError as error:
        if isinstance(place, SqlitePlace):  # a file that is none of SQLite's
            raise ForeignDatabase(place) from error
        raise


def _refuse_dangling(connection: Connection, place: Place) -> None:
    """Look for rows that point to nothing: nobody watched over them meanwhile."""
    found = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if found is not None:
        raise UnfitDatabase(place, f"a row of {found[0]} points to a row of {found[2]} that is not there")
