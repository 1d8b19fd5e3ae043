"""The database file: made, brought up to this release, and refused when a newer release has written it.

An upgrade is one transaction behind the write lock: cut anywhere, it has not happened; run by two processes at once,
the second waits, and then finds nothing left to do. Alembic is loaded only when there is something to do.
"""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import StaticPool

from plimsoll.model.errors import PlimsollError
from plimsoll.store.connection import StoreFailed
from plimsoll.store.sqlite import BUSY_TIMEOUT_MS

if TYPE_CHECKING:
    from alembic.config import Config

#: Every version of the tables, oldest first.
REVISIONS = ("0001", "0002")
HEAD = REVISIONS[-1]
_SCRIPTS = Path(__file__).parent / "migrations"


class NewerDatabase(PlimsollError):
    """The database was written by a newer release: start that one, or restore a backup made by this one."""

    def __init__(self, path: Path, version: str) -> None:
        super().__init__(f"{path} has version {version}, this release knows up to {HEAD}. {type(self).__doc__}")
        self.version = version


class ForeignDatabase(PlimsollError):
    """The file is a database of something else, or none: name another place for the desk's data."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path}: {type(self).__doc__}")


def open_database(path: Path) -> None:
    """Make the database file, or bring it to this release; usually there is nothing to do.

    Raises: NewerDatabase, ForeignDatabase, StoreFailed
    """
    try:
        with closing(_connect(str(path))) as connection:
            if _version(connection, path) != HEAD:
                upgrade(connection)
    except (sqlite3.OperationalError, OperationalError) as error:  # locked, full, no such folder
        raise StoreFailed(f"cannot open {path}: {error}") from error
    except sqlite3.DatabaseError as error:
        raise ForeignDatabase(path) from error


def create_from_template(path: Path) -> None:
    """Make an empty database from one that was migrated before in this process: for simulations, which make many.

    Raises: FileExistsError
    """
    with path.open("xb") as file:
        file.write(template())


def upgrade(connection: sqlite3.Connection) -> None:
    """Run the scripts that a database has not seen."""
    from alembic import command  # noqa: PLC0415  a tenth of a second that a desk at head need not spend

    with alembic_config(connection) as config:
        command.upgrade(config, "head")


@contextmanager
def alembic_config(connection: sqlite3.Connection) -> "Iterator[Config]":
    """Hold one transaction that Alembic's commands run in; a failure undoes all of it."""
    from alembic.config import Config  # noqa: PLC0415

    # Alembic tells every step to whoever has set up logging; our own log says what matters.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
    event.listen(engine, "begin", _begin_immediately)
    with engine.begin() as transaction:
        config.attributes["connection"] = transaction
        yield config


def _begin_immediately(connection: Connection) -> None:
    # Python's module would open the transaction at the first INSERT, and leave every CREATE TABLE outside of it.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _connect(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    return connection


def _version(connection: sqlite3.Connection, path: Path) -> str | None:
    """Read which release's tables these are; None for an empty database.

    Raises: NewerDatabase, ForeignDatabase
    """
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        return None
    if "alembic_version" not in tables:
        raise ForeignDatabase(path)
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    version = None if row is None else str(row[0])
    if version is not None and version not in REVISIONS:
        raise NewerDatabase(path, version)
    return version


@cache
def template() -> bytes:
    """Give an empty database of this release as bytes, migrated once in this process."""
    with closing(_connect(":memory:")) as connection:
        upgrade(connection)
        return connection.serialize()
