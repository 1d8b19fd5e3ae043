"""Both engines, for tests that mean either: an empty place, one with this release's tables, and books opened in it.

The ledger is loaded by who asks for it: the fixtures here are at hand for every test, and most need no book.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine, create_engine, event, inspect, text
from sqlalchemy.pool import NullPool

from plimsoll.store.place import Place, SqlitePlace, writer
from tests.builders.postgres import Cluster

if TYPE_CHECKING:
    from tests.builders.ledger import Books

ENGINES = ("sqlite", "postgresql")


def books_in(place: Place) -> "Books":
    """Open the books of a place that has its tables."""
    from plimsoll.ledger import queries
    from plimsoll.ledger.schema import metadata
    from tests.builders.ledger import Books

    return Books(writer(place, metadata, queries.compiled(place.dialect)))


@contextmanager
def by_hand(place: Place) -> Iterator[Engine]:
    """Give somebody at the database's own console: he may try everything that its constraints let him."""
    if isinstance(place, SqlitePlace):
        engine = create_engine(f"sqlite:///{place.path}", poolclass=NullPool, connect_args={"isolation_level": None})
        event.listen(engine, "connect", lambda connection, _record: connection.execute("PRAGMA foreign_keys = ON"))
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    else:
        from plimsoll.store import postgres

        def connect() -> object:
            connection = postgres.connect(place)
            connection.autocommit = False
            return connection

        engine = create_engine("postgresql+psycopg://", creator=connect, poolclass=NullPool)
    yield engine
    engine.dispose()


def rows_of(place: Place) -> dict[str, set[tuple[object, ...]]]:
    """Read every table but the version's, as the engine gives its cells."""
    with by_hand(place) as engine, engine.connect() as connection:
        return {
            name: {tuple(row) for row in connection.execute(text(f'SELECT * FROM "{name}"'))}
            for name in inspect(connection).get_table_names()
            if name != "alembic_version"
        }


def in_a_process(place: Place, script: str) -> subprocess.Popen[bytes]:
    """Run a script beside us; `place` in it is where the book lies."""
    head = "import sys; from pathlib import Path, PosixPath; from plimsoll.store.place import *; "
    head += "from plimsoll.ledger.database import *; from plimsoll.ledger import database; "
    where = (
        f"SqlitePlace(Path({str(place.path)!r}))"
        if isinstance(place, SqlitePlace)
        else (f"PostgresPlace({place.url!r}, {place.schema!r})")
    )
    return subprocess.Popen([sys.executable, "-c", f"{head}place = {where}\n{script}"], stderr=subprocess.PIPE)


# Fixtures -------------------------------------------------------------------------------------------------------------


@pytest.fixture(params=ENGINES)
def empty_place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Give a place on either engine with nothing in it."""
    if request.param == "sqlite":
        return SqlitePlace(tmp_path / "desk.db")
    given: Place = request.getfixturevalue("postgres")
    return given


@pytest.fixture(params=ENGINES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Give a place on either engine with this release's empty tables."""
    from plimsoll.ledger.database import create_from_template, open_database

    if request.param == "sqlite":
        path = tmp_path / "desk.db"
        create_from_template(path)
        yield SqlitePlace(path)
    else:
        cluster: Cluster = request.getfixturevalue("postgres_cluster")
        with cluster.copy_of("migrated", open_database) as given:
            yield given
