"""The database file: the scripts and the schema's page agree, an upgrade is whole or nothing, facts stay facts."""

import logging
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

from plimsoll.ledger import database, schema
from plimsoll.ledger.database import (
    HEAD,
    REVISIONS,
    ForeignDatabase,
    NewerDatabase,
    alembic_config,
    create_from_template,
    open_database,
)
from plimsoll.ledger.verify import verify
from plimsoll.store.connection import StoreFailed
from tests.builders.ledger import CHAIN_KEY, SPOT, Books, books_at, buy, paying, refusing

FACTS = (*schema.FACTS, "audit_log")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "desk.db"


def tables(connection: sqlite3.Connection) -> dict[str, list[str]]:
    """Give the DDL of everything but Alembic's own table, by name; triggers are the script's alone.

    Line by line, sorted: the order in which a table's foreign keys are said is drawn anew in every process.
    """
    found = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE tbl_name <> 'alembic_version' AND type <> 'trigger'"
    )
    return {name: ddl_lines(ddl) for name, ddl in found}


def ddl_lines(ddl: str | None) -> list[str]:
    return sorted(line.strip().rstrip(",") for line in (ddl or "").splitlines())


@pytest.fixture
def migrated(path: Path) -> Iterator[sqlite3.Connection]:
    open_database(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def test_the_scripts_and_the_schema_s_page_end_in_the_same_database(migrated: sqlite3.Connection, path: Path) -> None:
    """To the letter of the DDL, checks and indexes included, which Alembic's comparison passes over."""
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        schema.metadata.create_all(connection)
        found = connection.execute(text("SELECT name, sql FROM sqlite_master"))
        wanted = {name: ddl_lines(ddl) for name, ddl in found}
    assert tables(migrated) == wanted
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []
    engine.dispose()


def test_up_down_up(migrated: sqlite3.Connection) -> None:
    """Down leaves nothing behind, and up again makes the same."""
    before, triggers = tables(migrated), "SELECT count(*) FROM sqlite_master WHERE type = 'trigger'"
    assert migrated.execute(triggers).fetchone() == (2 * len(FACTS),)
    with alembic_config(migrated) as config:
        command.downgrade(config, "base")
    assert tables(migrated) == {}
    database.upgrade(migrated)
    assert tables(migrated) == before
    assert migrated.execute(triggers).fetchone() == (2 * len(FACTS),)


def test_every_script_is_listed_in_order(migrated: sqlite3.Connection) -> None:
    """The fence against newer databases reads the list, not the scripts."""
    with alembic_config(migrated) as config:
        scripts = ScriptDirectory.from_config(config)
        assert tuple(script.revision for script in reversed(list(scripts.walk_revisions()))) == REVISIONS


def test_opening_again_changes_nothing_and_loads_no_alembic(migrated: sqlite3.Connection, path: Path) -> None:
    """A desk at head starts without it."""
    before = path.read_bytes()
    script = "import sys; from pathlib import Path; from plimsoll.ledger.database import open_database; "
    script += "open_database(Path(sys.argv[1])); sys.exit('alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script, str(path)], check=False).returncode == 0
    assert path.read_bytes() == before


def test_a_newer_database_is_refused_with_both_versions(migrated: sqlite3.Connection, path: Path) -> None:
    """D11: an old program keeps its hands off tables that it does not know."""
    migrated.execute("UPDATE alembic_version SET version_num = '0999'")
    before = path.read_bytes()
    with pytest.raises(NewerDatabase, match=f"version 0999, this release knows up to {HEAD}") as refused:
        open_database(path)
    assert refused.value.version == "0999"
    assert path.read_bytes() == before


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
            open_database(path)
        assert path.read_bytes() == before


def test_a_place_that_cannot_be_opened_is_the_store_s_failure(tmp_path: Path) -> None:
    with pytest.raises(StoreFailed, match="unable to open"):
        open_database(tmp_path / "no such folder" / "desk.db")


def test_an_upgrade_that_was_cut_did_not_happen(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All tables and the version in one transaction."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        with pytest.raises(ZeroDivisionError):
            _upgrade_and_die(connection)
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
        database.upgrade(connection)
        database.upgrade(connection)  # a second process that waited for the lock finds nothing left to do
    open_database(path)


def _upgrade_and_die(connection: sqlite3.Connection) -> None:
    with alembic_config(connection) as config:
        command.upgrade(config, "head")
        raise ZeroDivisionError


def test_an_upgrade_is_silent(path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    """Alembic's steps are no news for the person at the shell."""
    with caplog.at_level(logging.INFO):
        open_database(path)
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


def test_an_empty_version_table_is_brought_to_head(path: Path) -> None:
    """What a cut downgrade of an older release may have left."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
    open_database(path)
    books_at(path).open().close()


def test_a_copy_of_the_template_is_a_migrated_database(migrated: sqlite3.Connection, tmp_path: Path) -> None:
    """And is never laid over a file that is there."""
    copy = tmp_path / "copy.db"
    create_from_template(copy)
    with closing(sqlite3.connect(copy)) as connection:
        assert tables(connection) == tables(migrated)
    open_database(copy)
    with pytest.raises(FileExistsError):
        create_from_template(copy)


@pytest.fixture
def written(path: Path) -> Iterator[sqlite3.Connection]:
    """Books with a row in every table of facts."""
    books: Books = books_at(path).open()
    books.write(paying("100", "a"))
    books.book(buy(SPOT, "1", "10"))
    books.write(refusing("r"))
    books.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


@pytest.mark.parametrize("table", FACTS)
def test_facts_can_be_neither_changed_nor_removed(written: sqlite3.Connection, table: str) -> None:
    """I10: by anybody who has not first removed the trigger."""
    (count,) = written.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert count > 0
    for statement in (f"UPDATE {table} SET account_id = account_id", f"DELETE FROM {table}"):
        with pytest.raises(sqlite3.IntegrityError, match=f"{table} holds facts"):
            written.execute(statement)
    assert written.execute(f"SELECT count(*) FROM {table}").fetchone() == (count,)


def test_keys_bind_although_something_is_unknown(migrated: sqlite3.Connection) -> None:
    """A column of a key is never null: with a null, two equal rows would both be taken."""
    for table in schema.metadata.sorted_tables:
        for constraint in (table.primary_key, *table.constraints):
            if type(constraint).__name__ in {"PrimaryKeyConstraint", "UniqueConstraint"}:
                nullable = [column.name for column in constraint.columns if column.nullable]  # type: ignore[attr-defined]
                assert nullable == [], f"{table.name}: {nullable}"


def test_names_follow_the_convention(migrated: sqlite3.Connection) -> None:
    """A later script must be able to name what it drops."""
    rules = ("PRIMARY KEY", "UNIQUE (", "CHECK (", "FOREIGN KEY")
    named = 0
    for name, lines in tables(migrated).items():
        for line in lines:
            if any(rule in line for rule in rules) and not line.startswith("CREATE"):
                assert line.startswith("CONSTRAINT "), f"{name}: {line}"
                named += 1
    assert named > len(schema.metadata.tables)


@pytest.fixture
def books_of_the_first_release(written: sqlite3.Connection) -> sqlite3.Connection:
    """Give books with facts in them, as the first release has left them."""
    with alembic_config(written) as config:
        command.downgrade(config, "0001")
    return written


NEW_IN_0002 = ("passwords", "sign_in_links", "sessions", "api_keys")


def test_an_upgrade_keeps_what_the_first_release_wrote(
    books_of_the_first_release: sqlite3.Connection, path: Path
) -> None:
    """0002 adds the ways in and touches no row; facts stay facts, and the desk opens."""
    connection = books_of_the_first_release
    before = rows_of(connection)
    assert before["trades"]
    assert not set(NEW_IN_0002) & set(before)
    open_database(path)
    after = rows_of(connection)
    assert [after.pop(name) for name in NEW_IN_0002] == [[], [], [], []]
    assert after == before
    with pytest.raises(sqlite3.IntegrityError, match="trades holds facts"):
        connection.execute("DELETE FROM trades")
    books = books_at(path)
    assert books.position(SPOT) is not None
    books.close()
    assert verify(path, CHAIN_KEY, None).ok


def test_a_downgrade_drops_the_ways_in_and_nothing_of_the_book(written: sqlite3.Connection) -> None:
    """With somebody signed in and a key in use."""
    at = "2022-01-21T12:00:00.000000Z"
    written.execute("INSERT INTO passwords VALUES (1, 'h', ?)", (at,))
    written.execute("INSERT INTO sign_in_links VALUES (1, 'l', 1, 'h', ?, ?, NULL)", (at, at))
    written.execute("INSERT INTO sessions VALUES (1, 's', 1, 'h', '', ?, ?, ?, NULL)", (at, at, at))
    written.execute("INSERT INTO api_keys VALUES (1, 'k', 1, 'n', 'p', 'h', 1, 0, 0, NULL, ?, ?, NULL, NULL)", (at, at))
    before = rows_of(written)
    with alembic_config(written) as config:
        command.downgrade(config, "0001")
    assert rows_of(written) == {name: rows for name, rows in before.items() if name not in NEW_IN_0002}
    database.upgrade(written)
    assert rows_of(written) == {name: [] if name in NEW_IN_0002 else rows for name, rows in before.items()}


def test_a_right_is_yes_or_no(written: sqlite3.Connection) -> None:
    at = "2022-01-21T12:00:00.000000Z"
    with pytest.raises(sqlite3.IntegrityError, match="ck_api_keys_rights"):
        written.execute(
            "INSERT INTO api_keys VALUES (1, 'k', 1, 'n', 'p', 'h', 1, 2, 0, NULL, ?, ?, NULL, NULL)", (at, at)
        )


def rows_of(connection: sqlite3.Connection) -> dict[str, list[tuple[object, ...]]]:
    """Read every table but Alembic's."""
    return {
        name: connection.execute(f"SELECT * FROM {name}").fetchall()
        for name in tables(connection)
        if connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (name,)).fetchone()
    }
