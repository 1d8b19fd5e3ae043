"""The second wall on PostgreSQL: what a session for people sees where the first wall, the predicates, is forgotten."""

from collections.abc import Iterator
from functools import partial

import pytest
from alembic import command
from sqlalchemy import Connection, func, select, text, update
from sqlalchemy.exc import DBAPIError

from plimsoll.ledger import schema
from plimsoll.ledger.database import alembic_config, open_database
from plimsoll.ledger.schema import metadata
from plimsoll.store.place import ASKER, PostgresPlace, people_reader, reader
from tests.builders.owners import ADA, EVE, NOBODYS, fill
from tests.builders.places import by_hand
from tests.builders.postgres import Cluster, fresh_place


@pytest.fixture(scope="module")
def walled(postgres_cluster: Cluster) -> Iterator[PostgresPlace]:
    """Fill a book for two people."""
    with fresh_place(postgres_cluster) as place:
        open_database(place)
        with by_hand(place) as engine:
            fill(engine, ADA, EVE)
        yield place


@pytest.fixture(scope="module")
def people(walled: PostgresPlace) -> Iterator[Connection]:
    """Open a session that reads for people."""
    engine = people_reader(walled)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.fixture(scope="module")
def desk(walled: PostgresPlace) -> Iterator[Connection]:
    """Open a session of the desk's own."""
    engine = reader(walled)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


OWNED = sorted(set(metadata.tables) - NOBODYS)
#: Nobody reads them by way of the book.
SECRET = frozenset({"passwords", "sign_in_links", "sessions", "api_keys"})


def count_of(connection: Connection, table: str, asker: str | None = None) -> int:
    """Count what a session sees of a table in a transaction that names this asker; None names none."""
    if asker is not None:
        connection.execute(select(func.set_config(ASKER, asker, True)))
    found: int = connection.execute(select(func.count()).select_from(metadata.tables[table])).scalar_one()
    connection.rollback()
    return found


@pytest.mark.parametrize("table", OWNED)
def test_every_table_with_an_owner_stands_behind_the_wall(people: Connection, desk: Connection, table: str) -> None:
    """Nobody's name, nobody's rows; somebody's name, his rows and no other's. The desk itself sees everything."""
    for nobody in (None, "", "99"):
        assert count_of(people, table, nobody) == 0
    counted = [count_of(people, table, str(who.user_id)) for who in (ADA, EVE)]
    whole = count_of(desk, table)
    assert whole >= 2
    assert sum(counted) == (0 if table in SECRET else whole)
    assert len(set(counted)) == 1


def test_a_new_table_has_a_wall_or_is_nobodys(walled: PostgresPlace, desk: Connection) -> None:
    """As the server has it, not as we mean it."""
    asked = text(
        "SELECT relname, relrowsecurity AND relforcerowsecurity FROM pg_class"
        " WHERE relkind = 'r' AND relnamespace = CAST(:schema AS regnamespace)"
    )
    found = desk.execute(asked, {"schema": walled.schema}).all()
    desk.rollback()
    assert {name for name, stands in found if stands} == set(OWNED)
    assert {name for name, stands in found if not stands} == {*NOBODYS, "alembic_version"}


def test_who_asked_is_forgotten_with_his_question(people: Connection) -> None:
    """The session stands before the wall again: the next question must name its asker itself."""
    assert count_of(people, "orders", str(ADA.user_id)) == 2
    assert count_of(people, "orders") == 0


def test_a_session_for_people_writes_nothing(people: Connection) -> None:
    """Whoever asks: it is open for reading only."""
    people.execute(select(func.set_config(ASKER, str(ADA.user_id), True)))
    with pytest.raises(DBAPIError, match="read-only transaction"):
        people.execute(update(schema.orders).values(reason="mine"))
    people.rollback()


def test_a_wish_for_nothing_that_is_no_number_is_refused(people: Connection) -> None:
    """A name that is none opens nothing."""
    with pytest.raises(DBAPIError, match="invalid input syntax"):
        count_of(people, "orders", "1 OR 1=1")
    people.rollback()


def test_a_role_that_passes_every_wall_is_told_of(
    walled: PostgresPlace, postgres_cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    """A superuser sees everybody's rows whatever a policy says: the first wall stands alone, and the log says so."""
    people_reader(walled).dispose()
    assert "row_security_bypassed" not in capsys.readouterr().out
    above = people_reader(PostgresPlace(postgres_cluster.superuser_url, walled.schema))
    assert "row_security_bypassed" in capsys.readouterr().out
    with above.connect() as connection:
        assert count_of(connection, "orders") == 4
    above.dispose()


def test_going_back_takes_the_wall_down_and_leaves_the_rows(postgres: PostgresPlace) -> None:
    """And going forward puts it up again."""
    open_database(postgres)
    with by_hand(postgres) as engine:
        fill(engine, ADA)
    for step, seen in (
        (partial(command.downgrade, revision="0003"), 2),
        (partial(command.upgrade, revision="head"), 0),
    ):
        with alembic_config(postgres) as config:
            step(config)
        engine = people_reader(postgres)
        with engine.connect() as connection:
            assert count_of(connection, "orders") == seen
        engine.dispose()
