"""A look at a database before anybody opens it: what is empty, foreign or newer is told apart."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from plimsoll.ledger.database import ForeignDatabase, NewerDatabase, OlderDatabase, create_from_template
from plimsoll.ledger.glance import Unfinished, glance, unfinished
from plimsoll.store.place import SqlitePlace, reader


def test_an_empty_file_holds_no_desk(tmp_path: Path) -> None:
    """A start that was cut before the first table is no start."""
    (tmp_path / "desk.db").touch()
    assert glance(SqlitePlace(tmp_path / "desk.db")) is None


def test_a_fresh_database_holds_nothing_yet(tmp_path: Path) -> None:
    """Tables without rows: no facts, no commits, nothing under way."""
    create_from_template(tmp_path / "desk.db")
    seen = glance(SqlitePlace(tmp_path / "desk.db"))
    assert seen is not None
    assert (seen.meta, seen.commits) == ({}, 0)
    assert unfinished(reader(SqlitePlace(tmp_path / "desk.db"))) == Unfinished((), in_a_close=False, commanded=False)


def test_a_book_of_an_older_release_is_not_read_as_ours(tmp_path: Path) -> None:
    """Its tables lack columns: whoever reads is told to start the desk once."""
    place = SqlitePlace(tmp_path / "desk.db")
    create_from_template(place.path)
    with closing(sqlite3.connect(place.path)) as older:
        older.execute("UPDATE alembic_version SET version_num = '0002'")
        older.commit()
    seen = glance(place)
    assert seen is not None
    with pytest.raises(OlderDatabase, match="start the desk once"):
        seen.check_current(place)


def test_a_database_of_something_else_is_told_so(tmp_path: Path) -> None:
    """Neither songs nor noise is a desk."""
    with closing(sqlite3.connect(tmp_path / "songs.db")) as other:
        other.execute("CREATE TABLE songs (name TEXT)")
    (tmp_path / "noise.db").write_bytes(b"noise" * 1000)
    for name in ("songs.db", "noise.db"):
        with pytest.raises(ForeignDatabase, match=name):
            glance(SqlitePlace(tmp_path / name))


def test_a_newer_release_is_not_read_as_ours(tmp_path: Path) -> None:
    """Its tables may mean something else."""
    create_from_template(tmp_path / "desk.db")
    with closing(sqlite3.connect(tmp_path / "desk.db")) as newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999'")
        newer.commit()
    with pytest.raises(NewerDatabase, match="9999"):
        glance(SqlitePlace(tmp_path / "desk.db"))
