"""The database: the scripts and the schema's page agree, an upgrade is whole or nothing, nobody else's is touched."""

import logging
import re
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.schema import CreateSchema

from plimsoll.ledger import database, schema
from plimsoll.ledger.database import (
    HEAD,
    REVISIONS,
    ForeignDatabase,
    NewerDatabase,
    UnfitDatabase,
    alembic_config,
    create_from_template,
    open_database,
)
from plimsoll.store import making
from plimsoll.store.connection import StoreFailed
from plimsoll.store.place import Place, PostgresPlace, SqlitePlace
from tests.builders.places import books_in, by_hand, in_a_process, rows_of
from tests.builders.postgres import Cluster, fresh_place

FACTS = (*schema.FACTS, "audit_log")
#: Alembic's own.
VERSION = "alembic_version"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "desk.db"


# What a database holds ------------------------------------------------------------------------------------------------


def described(place: Place) -> dict[str, list[str]]:
    """Give what defines each table, index and trigger, by name, its lines sorted: nothing hangs on their order."""
    with by_hand(place) as engine, engine.connect() as connection:
        return _described_sqlite(connection) if isinstance(place, SqlitePlace) else _described_postgres(connection)


def _described_sqlite(connection: Connection) -> dict[str, list[str]]:
    found = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE tbl_name <> 'alembic_version'")
    return {name: sorted(line.strip().rstrip(",") for line in _lines(ddl or "")) for name, ddl in found}


def _lines(ddl: str) -> list[str]:
    """Give DDL line by line; a column that was added to a table stands on the line of the one before it."""
    return re.sub(r", (?=[a-z_]+ [A-Z])", "\n", ddl).splitlines()


#: Columns, constraints, indexes and triggers of the schema that is looked at, as the server writes them down.
_DESCRIPTIONS = (
    """SELECT relname, format('%s %s %s %s %s', attname, format_type(atttypid, atttypmod), attnotnull, collname,
              pg_get_expr(adbin, adrelid))
       FROM pg_class c JOIN pg_attribute a ON attrelid = c.oid AND attnum > 0 AND NOT attisdropped
       LEFT JOIN pg_attrdef ON adrelid = c.oid AND adnum = attnum LEFT JOIN pg_collation o ON o.oid = attcollation
       WHERE relkind = 'r' AND relnamespace = quote_ident(current_schema())::regnamespace""",
    """SELECT conrelid::regclass::text, format('%s %s', conname, pg_get_constraintdef(oid)) FROM pg_constraint
       WHERE connamespace = quote_ident(current_schema())::regnamespace AND conrelid <> 0""",
    "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = current_schema()",
    """SELECT tgrelid::regclass::text, pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid
       WHERE NOT tgisinternal AND relnamespace = quote_ident(current_schema())::regnamespace""",
    """SELECT 'functions', proname FROM pg_proc WHERE pronamespace = quote_ident(current_schema())::regnamespace""",
)


def _described_postgres(connection: Connection) -> dict[str, list[str]]:
    ours = connection.exec_driver_sql("SELECT quote_ident(current_schema())").scalar_one()
    found: dict[str, list[str]] = {}
    for question in _DESCRIPTIONS:
        for name, line in connection.execute(text(question.replace(":", r"\:"))):
            if name != VERSION:
                found.setdefault(name, []).append(line.replace(f"{ours}.", ""))
    return {name: sorted(lines) for name, lines in found.items()}


def without_triggers(described: dict[str, list[str]]) -> dict[str, list[str]]:
    """Leave out what is the scripts' alone."""
    return {
        name: kept
        for name, lines in described.items()
        if (kept := [line for line in lines if not line.startswith("CREATE TRIGGER")]) or not lines
        if name != "functions"
    }


def triggers(place: Place) -> list[str]:
    return [line for lines in described(place).values() for line in lines if line.startswith("CREATE TRIGGER")]


@pytest.fixture
def from_the_page(empty_place: Place) -> Place:
    """Give tables as the schema's page says them, without any script."""
    with by_hand(empty_place) as engine, engine.begin() as connection:
        schema.metadata.create_all(connection)
    return empty_place


def test_the_scripts_and_the_schema_s_page_end_in_the_same_database(
    from_the_page: Place, tmp_path: Path, postgres_cluster: Cluster
) -> None:
    """To the letter, checks and indexes included, which Alembic's comparison passes over."""
    with another(from_the_page, tmp_path, postgres_cluster) as place:
        open_database(place)
        assert without_triggers(described(place)) == described(from_the_page)
        with by_hand(place) as engine, engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, schema.metadata) == []


@contextmanager
def another(place: Place, folder: Path, cluster: Cluster) -> Iterator[Place]:
    """Give a second empty place on the same engine."""
    if isinstance(place, SqlitePlace):
        yield SqlitePlace(folder / "another.db")
    else:
        with fresh_place(cluster) as given:
            yield given


def test_up_down_up(empty_place: Place) -> None:
    """Down leaves nothing behind but the version's own table, and up again makes the same."""
    open_database(empty_place)
    before = described(empty_place)
    assert len(triggers(empty_place)) == len(FACTS) * (2 if empty_place.dialect == "sqlite" else 1)
    with alembic_config(empty_place) as config:
        command.downgrade(config, "base")
    assert described(empty_place) == {}
    open_database(empty_place)
    assert described(empty_place) == before


def test_every_script_is_listed_in_order(place: Place) -> None:
    """The fence against newer databases reads the list, not the scripts."""
    with alembic_config(place) as config:
        scripts = ScriptDirectory.from_config(config)
        assert tuple(script.revision for script in reversed(list(scripts.walk_revisions()))) == REVISIONS


def test_names_follow_the_convention(place: Place) -> None:
    """A later script must be able to name what it drops."""
    kinds = {"PRIMARY KEY": "pk_", "UNIQUE (": "uq_", "CHECK (": "ck_", "FOREIGN KEY": "fk_"}
    named = 0
    for name, lines in described(place).items():
        for line in lines:
            kind = next((kind for kind in kinds if kind in line), None)
            if kind is not None and not line.startswith("CREATE"):
                said = line.removeprefix("CONSTRAINT ").replace('"', "")
                assert said.startswith(f"{kinds[kind]}{name}"), f"{name}: {line}"
                named += 1
    assert named > len(schema.metadata.tables)


# Opening --------------------------------------------------------------------------------------------------------------


def ended(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    """Wait for a process; give its code and what it said."""
    _, said = process.communicate(timeout=60)
    return process.returncode, said.decode()


def test_opening_again_changes_nothing_and_loads_no_alembic(place: Place) -> None:
    """A desk at head starts without it."""
    before = described(place)
    bytes_before = place.path.read_bytes() if isinstance(place, SqlitePlace) else b""
    assert ended(in_a_process(place, "open_database(place); sys.exit('alembic' in sys.modules)")) == (0, "")
    assert described(place) == before
    if isinstance(place, SqlitePlace):
        assert place.path.read_bytes() == bytes_before


def test_a_newer_database_is_refused_with_both_versions(place: Place) -> None:
    """D11: an old program keeps its hands off tables that it does not know."""
    with by_hand(place) as engine, engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0999'")
    before = described(place)
    with pytest.raises(NewerDatabase, match=f"version 0999, this release knows up to {HEAD}") as refused:
        open_database(place)
    assert refused.value.version == "0999"
    assert str(place) in str(refused.value)
    assert described(place) == before


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    """A database without our version table, and a file that is no database; neither is touched."""
    other = tmp_path / "photos.db"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE photos (id INTEGER)")
    novel = tmp_path / "novel.txt"
    novel.write_text("It was a dark and stormy night. " * 50)
    for path in (other, novel):
        before = path.read_bytes()
        with pytest.raises(ForeignDatabase, match=path.name):
            open_database(SqlitePlace(path))
        assert path.read_bytes() == before


@pytest.mark.parametrize("held", ["TABLE photos (id INTEGER)", "VIEW photos AS SELECT 1", "SEQUENCE photos"])
def test_a_schema_of_something_else_is_refused(postgres: PostgresPlace, held: str) -> None:
    """Whatever is in it; ours would stand among it."""
    with by_hand(postgres) as engine, engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE {held}")
    before = described(postgres)
    with pytest.raises(ForeignDatabase, match=postgres.schema):
        open_database(postgres)
    assert described(postgres) == before


def test_what_lies_in_other_schemas_is_nobody_s_business(postgres: PostgresPlace) -> None:
    """Not even when it is called as our tables are, or is another desk of another release."""
    beside = PostgresPlace(postgres.url, f"{postgres.schema}_beside")
    with by_hand(postgres) as engine, engine.begin() as connection:
        connection.execute(CreateSchema(beside.schema))
        for table in ("alembic_version (version_num TEXT)", "trades (id INTEGER)"):
            connection.exec_driver_sql(f"CREATE TABLE {beside.schema}.{table}")
        connection.exec_driver_sql(f"INSERT INTO {beside.schema}.alembic_version VALUES ('0999')")
    before = described(beside)
    open_database(postgres)
    assert described(beside) == before
    assert "trades" in described(postgres)
    with pytest.raises(NewerDatabase):
        open_database(beside)


def test_a_place_that_cannot_be_opened_is_the_store_s_failure(tmp_path: Path) -> None:
    with pytest.raises(StoreFailed, match="unable to open"):
        open_database(SqlitePlace(tmp_path / "no such folder" / "desk.db"))


def test_a_schema_that_is_missing_is_made(postgres_cluster: Cluster, postgres: PostgresPlace) -> None:
    """Under whatever name."""
    place = PostgresPlace(postgres_cluster.url, f'{postgres.schema} "of" Zoë; --')
    try:
        open_database(place)
        open_database(place)
        books_in(place).open().close()
    finally:
        with by_hand(postgres) as engine, engine.begin() as connection:
            quoted = place.schema.replace('"', '""')
            connection.exec_driver_sql(f'DROP SCHEMA "{quoted}" CASCADE')


@pytest.fixture
def not_ours(postgres_cluster: Cluster) -> Iterator[tuple[PostgresPlace, psycopg.Connection]]:
    """Give a place in a database where our user may make no schema, and somebody who may."""
    name = "somebody_s"
    with psycopg.connect(postgres_cluster.superuser_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            with psycopg.connect(elsewhere(postgres_cluster.superuser_url, name), autocommit=True) as superuser:
                yield PostgresPlace(elsewhere(postgres_cluster.url, name), "desk"), superuser
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def elsewhere(url: str, name: str) -> str:
    return f"{url.rpartition('/')[0]}/{name}"


def test_a_schema_that_we_may_not_make_is_asked_for(not_ours: tuple[PostgresPlace, psycopg.Connection]) -> None:
    """With the words to make it; then it will do, with no right to anything else."""
    place, superuser = not_ours
    with pytest.raises(StoreFailed, match="CREATE SCHEMA desk AUTHORIZATION desk"):
        open_database(place)
    superuser.execute("CREATE SCHEMA desk AUTHORIZATION desk")
    open_database(place)
    assert "trades" in described(place)


def test_a_schema_that_we_may_not_read_is_the_store_s_failure(
    not_ours: tuple[PostgresPlace, psycopg.Connection],
) -> None:
    place, superuser = not_ours
    superuser.execute("CREATE SCHEMA desk CREATE TABLE alembic_version (version_num TEXT)")
    with pytest.raises(StoreFailed, match="permission denied"):
        open_database(place)


def test_a_server_that_does_not_let_us_in_is_the_store_s_failure(postgres_cluster: Cluster) -> None:
    """None there, another password, no such database: with what to look at, and never with the password."""
    url, password = postgres_cluster.url, "a-password-of-ours"
    port = str(postgres_cluster.port)
    wrong = {
        "password authentication failed": url.replace("only-for-tests", password),
        "does not exist": elsewhere(url, "no_such_database"),
        "refused": url.replace("only-for-tests", password).replace(port, "1"),
    }
    for reason, address in wrong.items():
        with pytest.raises(StoreFailed, match=reason) as failed:
            open_database(PostgresPlace(address, "desk"))
        assert "are the user, the password and the database's name right?" in str(failed.value)
        assert password not in "".join(told(failed.value))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql//desk:s3cret@127.0.0.1/desk",
        "postgresql+psycopg://desk:s3cret@127.0.0.1/desk",
        "postgresql://desk:s3cret%zz@127.0.0.1/desk",
        "postgresql://127.0.0.1:1/desk?user=desk&password=s3cret",
    ],
)
def test_an_address_never_shows_its_password(url: str) -> None:
    """Although the driver repeats an address that it cannot read."""
    with pytest.raises(StoreFailed) as failed:
        open_database(PostgresPlace(url, "desk"))
    assert "s3cret" not in "".join(told(failed.value))


def told(error: BaseException | None) -> Iterator[str]:
    """Give what a traceback would show, the errors before it included."""
    while error is not None:
        yield f"{error!r} {error}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def test_a_database_that_cannot_hold_every_name_is_refused(postgres_cluster: Cluster) -> None:
    """Text that PostgreSQL must squeeze into another alphabet would be refused later, row by row."""
    with psycopg.connect(postgres_cluster.superuser_url, autocommit=True) as connection:
        connection.execute(
            "CREATE DATABASE latin OWNER desk ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0",
        )
        try:
            with pytest.raises(StoreFailed, match=r"LATIN1.*ENCODING 'UTF8'"):
                open_database(PostgresPlace(elsewhere(postgres_cluster.url, "latin"), "desk"))
        finally:
            connection.execute("DROP DATABASE latin WITH (FORCE)")


def test_a_server_that_is_too_old_is_refused() -> None:
    """By number: none that old is at hand."""
    place = PostgresPlace("postgresql://127.0.0.1/desk", "desk")
    making.refuse_server(140_000, "UTF8", place)
    with pytest.raises(StoreFailed, match="PostgreSQL 13, and the oldest that will do is 14"):
        making.refuse_server(130_014, "UTF8", place)


# One or none ----------------------------------------------------------------------------------------------------------


def test_an_upgrade_that_was_cut_did_not_happen(empty_place: Place) -> None:
    """All tables and the version in one transaction."""
    with pytest.raises(ZeroDivisionError):
        _upgrade_and_die(empty_place)
    assert described(empty_place) == {}
    open_database(empty_place)
    database._upgrade(empty_place)  # a second process that waited for the lock finds nothing left to do
    open_database(empty_place)


def _upgrade_and_die(place: Place) -> None:
    with alembic_config(place) as config:
        command.upgrade(config, "head")
        raise ZeroDivisionError


def test_two_processes_at_once_make_one_database(empty_place: Place) -> None:
    """Whoever comes second waits, and finds it made."""
    both = [in_a_process(empty_place, "open_database(place)") for _ in range(2)]
    assert [ended(process) for process in both] == [(0, ""), (0, "")]
    books_in(empty_place).open().close()


WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


def test_who_waited_for_an_upgrade_looks_again(postgres: PostgresPlace) -> None:
    """The other was a newer release; and one of ours that waited finds nothing left to do."""
    with psycopg.connect(postgres.url, autocommit=True) as watch:
        for version, code in ((HEAD, 0), ("0999", 1)):
            with alembic_config(postgres) as config:
                command.upgrade(config, "head")
                waiting = in_a_process(postgres, "database._upgrade(place)")
                while watch.execute(WAITING).fetchone() == (0,):
                    assert waiting.poll() is None, waiting.communicate()
                config.attributes["connection"].exec_driver_sql(f"UPDATE alembic_version SET version_num = '{version}'")
            returned, said = ended(waiting)
            assert returned == code
            assert ("version 0999" in said) is (code == 1)


def test_an_upgrade_does_not_wait_for_a_desk_that_is_at_work(
    postgres: PostgresPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The release before still runs and has read something: told in a sentence, and nothing is changed."""
    with alembic_config(postgres) as config:
        command.upgrade(config, "0002")
    before = described(postgres)
    monkeypatch.setattr(making, "BUSY_TIMEOUT_MS", 100)
    with by_hand(postgres) as engine, engine.connect() as at_work:
        at_work.exec_driver_sql("SELECT count(*) FROM trades")
        with pytest.raises(StoreFailed, match="lock timeout"):
            open_database(postgres)
    assert described(postgres) == before
    open_database(postgres)


def test_an_upgrade_is_silent(
    empty_place: Place, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Alembic's steps are no news for the person at the shell."""
    with caplog.at_level(logging.INFO):
        open_database(empty_place)
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


def test_an_empty_version_table_is_brought_to_head(empty_place: Place) -> None:
    """What a cut downgrade of an older release may have left."""
    with by_hand(empty_place) as engine, engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
    open_database(empty_place)
    books_in(empty_place).open().close()


def test_a_copy_of_the_template_is_a_migrated_database(path: Path, tmp_path: Path) -> None:
    """And is never laid over a file that is there."""
    copy, migrated = SqlitePlace(tmp_path / "copy.db"), SqlitePlace(path)
    create_from_template(copy.path)
    open_database(migrated)
    assert described(copy) == described(migrated)
    open_database(copy)
    with pytest.raises(FileExistsError):
        create_from_template(copy.path)


# What points to nothing -----------------------------------------------------------------------------------------------


def test_a_book_with_rows_that_point_to_nothing_is_not_upgraded(path: Path) -> None:
    """Nobody watches over them while tables are written anew, so they are looked for at the end."""
    place = SqlitePlace(path)
    with alembic_config(place) as config:
        command.upgrade(config, "0002")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO leverages VALUES (7, 8, '2')")
    before = path.read_bytes()
    with pytest.raises(
        UnfitDatabase, match=r"a row of leverages points to a row of (accounts|instruments) that is not there"
    ):
        open_database(place)
    assert path.read_bytes() == before


def test_a_book_that_a_new_constraint_refuses_is_not_upgraded(empty_place: Place) -> None:
    """Told by the constraint's name; the release before goes on with it."""
    with alembic_config(empty_place) as config:
        command.upgrade(config, "0002")
    with by_hand(empty_place) as engine, engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO halts VALUES ('DESK', 0, 'person', 'HALTED', 'because', 2, '2022-01-21T12:00:00.000000Z')"
        )
    shape, rows = described(empty_place), rows_of(empty_place)
    with pytest.raises(UnfitDatabase, match=r"was not upgraded.*ck_halts_yes_or_no"):
        open_database(empty_place)
    assert (described(empty_place), rows_of(empty_place)) == (shape, rows)
