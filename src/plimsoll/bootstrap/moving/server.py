"""The stage in a database: two schemas beside the desk's names, which get those names in one transaction.

What they are made of is written as the comment of a schema. It stays there until the folder has been told where its
desk is: cut in between, the folder opens its old books, and the next run of the same move finds the new ones in place.

Who owned the books is not moved. The lease begins at the seconds since 1970: a process that owned a schema of this name
once, and was frozen since, must find no epoch that is its own.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from psycopg import Connection, sql

from plimsoll.bootstrap import DataDirectory, DeskIsRunning
from plimsoll.bootstrap.moving.mark import Mark, TargetTaken, mark_from
from plimsoll.bootstrap.ownership import point_to, remembered_place
from plimsoll.model.errors import invariant
from plimsoll.store.connection import StoreFailed
from plimsoll.store.draft import Row
from plimsoll.store.place import Place, PostgresPlace
from plimsoll.store.postgres import connect, store_failures

_STAGE, _TRIAL = "_new", "_try"
#: PostgreSQL cuts longer names off, and the venue's has six letters more.
_LONGEST_NAME = 57


class SchemaStage:
    """Where books wait beside a desk's schemas; `trial` for a rehearsal, which leaves nothing."""

    def __init__(self, place: PostgresPlace, folder: Path, *, trial: bool = False) -> None:
        ending = _TRIAL if trial else _STAGE
        beside = f"{place.schema[: _LONGEST_NAME - len(ending)]}{ending}"
        self._home = DataDirectory(folder, place)
        self._stage = DataDirectory(folder, replace(place, schema=beside))
        self._place = place

    @property
    def name(self) -> str:
        """As the folder of the desk will remember it."""
        return str(self._place)

    @property
    def directory(self) -> DataDirectory:
        """The desk, once it has arrived."""
        return self._home

    @property
    def book(self) -> Place:
        return self._stage.book

    @property
    def venue_book(self) -> Place:
        return self._stage.venue_book

    @contextmanager
    def held(self, source: Path) -> Iterator[None]:  # noqa: ARG002  a folder's stage must know
        """Be the only one who moves into this schema.

        Raises: DeskIsRunning, StoreFailed for a role that may make no schemas
        """
        with store_failures(f"reach {self._place}"):
            reached = connect(self._place)
        with reached as connection:
            with store_failures("prepare the schemas"):
                self._refuse_unfit_role(connection)
                asked = "SELECT pg_try_advisory_lock(hashtextextended('plimsoll moves to ' || %s, 0))"
                ((mine,),) = connection.execute(asked, (self._place.schema,)).fetchall()
            if not mine:
                raise DeskIsRunning(self._home, f"{self._place}: another process is moving a desk there: wait for it")
            yield

    def mark(self) -> Mark | None:
        """Say what an earlier run has begun here, or has brought into place."""
        return self._comment(self._stage) or self._comment(self._home)

    def is_proven(self) -> bool:
        """Say whether an earlier run had only to tell the folder."""
        return self._comment(self._home) is not None

    def is_opened_by(self, source: Path) -> bool:
        """Say whether the folder of the desk knows that its books are here."""
        return remembered_place(DataDirectory(source)) == self.name

    def refuse_taken(self, source: DataDirectory) -> None:  # noqa: ARG002  a folder's stage must look at its key
        """See that nothing is in the way: schemas of these names must be empty, those beside them a move's.

        Raises: TargetTaken
        """
        with self._console("look at the schemas") as connection:
            for name in _names(self._home):
                if _holds_something(connection, name):
                    raise TargetTaken(f"{self._place}: the schema {name} is not empty. {TargetTaken.__doc__}")
            beside, _ = _names(self._stage)
            if self._comment(self._stage) is None and _exists(connection, beside):
                raise TargetTaken(f"{self._place}: the schema {beside} is none of a move's. {TargetTaken.__doc__}")

    def begin(self, mark: Mark) -> None:
        """Make the stage, whole or not at all."""
        with self._console("make the schemas") as connection:
            for name in _names(self._stage):
                connection.execute(_about("CREATE SCHEMA {}", name))
            _say(connection, _names(self._stage)[0], mark)

    def throw_away(self) -> None:
        """Remove what an earlier run has made; what has its name already stays, for somebody may have opened it."""
        with self._console("drop the schemas") as connection:
            if self._comment(self._home) is not None:
                _say(connection, self._place.schema, None)
            if self._comment(self._stage) is None:
                return
            for name in _names(self._stage):
                connection.execute(_about("DROP SCHEMA IF EXISTS {} CASCADE", name))

    def settle(self) -> None:
        """Tell the planner what came."""
        with store_failures("look at the tables"), connect(self._server(self._stage)) as connection:
            for place in _names(self._stage):
                connection.execute("SELECT set_config('statement_timeout', '0', false)")
                tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", (place,))
                for (table,) in tables.fetchall():
                    connection.execute(_about("ANALYZE {}", place, str(table)))

    def put_in_place(self, source: DataDirectory, at: datetime) -> None:
        """Give the schemas their names, and let the folder open them; again is harmless."""
        if not self.is_proven():
            with self._console("rename the schemas") as connection:
                self._let_nobody_own_it(connection, at)
                for beside, name in zip(_names(self._stage), _names(self._home), strict=True):
                    # What is not empty refuses to be dropped.
                    connection.execute(_about("DROP SCHEMA IF EXISTS {}", name))
                    connection.execute(
                        sql.SQL("ALTER SCHEMA {} RENAME TO {}").format(sql.Identifier(beside), sql.Identifier(name))
                    )
        point_to(source, self.name)
        with self._console("say nothing more of the schema") as connection:
            _say(connection, self._place.schema, None)

    def _let_nobody_own_it(self, connection: Connection[Row], at: datetime) -> None:
        leases = sql.Identifier(self._server(self._stage).schema, "leases")
        statement = (
            "INSERT INTO {} (name, holder, epoch, control_version, until)"
            " VALUES ('desk', 'nobody', %s, 0, clock_timestamp()) ON CONFLICT (name) DO NOTHING"
        )
        connection.execute(sql.SQL(statement).format(leases), (int(at.timestamp()),))

    def _refuse_unfit_role(self, connection: Connection[Row]) -> None:
        asked = (
            "SELECT has_database_privilege(current_database(), 'CREATE'),"
            " quote_ident(current_database()), quote_ident(current_user)"
        )
        ((may, database, role),) = connection.execute(asked).fetchall()
        if not may:
            raise StoreFailed(
                f"{self._place}: {role} may not make the schemas that a move needs: "
                f"let the database's owner run GRANT CREATE ON DATABASE {database} TO {role}"
            )

    def _comment(self, directory: DataDirectory) -> Mark | None:
        asked = "SELECT obj_description(to_regnamespace(quote_ident(%s)), 'pg_namespace')"
        with self._console("look at the schemas") as connection:
            ((said,),) = connection.execute(asked, (_names(directory)[0],)).fetchall()
        return mark_from(None if said is None else str(said))

    @contextmanager
    def _console(self, doing: str) -> Iterator[Connection[Row]]:
        with store_failures(doing), connect(self._place) as connection, connection.transaction():
            yield connection

    def _server(self, directory: DataDirectory) -> PostgresPlace:
        place = directory.server
        invariant(place is not None, "a stage in a database lies in one")
        assert place is not None  # for whoever reads types
        return place


def _names(directory: DataDirectory) -> tuple[str, str]:
    """Name the desk's schema and the venue's."""
    desk, venue = directory.book, directory.venue_book
    assert isinstance(desk, PostgresPlace), "Invariant: these books are on a server."
    assert isinstance(venue, PostgresPlace), "Invariant: the venue's books lie beside the desk's."
    return desk.schema, venue.schema


def _exists(connection: Connection[Row], name: str) -> bool:
    ((there,),) = connection.execute("SELECT to_regnamespace(quote_ident(%s)) IS NOT NULL", (name,)).fetchall()
    return bool(there)


def _holds_something(connection: Connection[Row], name: str) -> bool:
    asked = "SELECT FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident(%s)) LIMIT 1"
    return connection.execute(asked, (name,)).fetchone() is not None


def _say(connection: Connection[Row], name: str, mark: Mark | None) -> None:
    said = sql.SQL("NULL") if mark is None else sql.Literal(mark.text())
    connection.execute(sql.SQL("COMMENT ON SCHEMA {} IS {}").format(sql.Identifier(name), said))


def _about(statement: str, *names: str) -> sql.Composed:
    return sql.SQL(statement).format(sql.Identifier(*names))
