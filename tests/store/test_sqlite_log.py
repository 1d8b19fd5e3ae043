"""The log of writes: a long reader lets it grow, and afterwards it is small again."""

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Column, MetaData, String, Table

from plimsoll.store.sqlite import SqliteWriter, reader

metadata = MetaData()
notes = Table("notes", metadata, Column("name", String, primary_key=True), Column("text", String, nullable=False))
MEGABYTE = "x" * (1 << 20)


def test_a_log_that_a_long_reader_let_grow_is_cut_back_when_he_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "book.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE notes (name TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID")
    log = path.with_name("book.db-wal")
    with closing(SqliteWriter(path, metadata, {})) as writer:

        def write(name: str, text: str) -> None:
            writer.begin()
            writer.replace("notes", [(name, text)])
            writer.commit()

        engine = reader(path)
        with engine.connect() as long:
            assert long.exec_driver_sql("SELECT count(*) FROM notes").scalar() == 0
            for number in range(90):
                write(f"n{number}", MEGABYTE)
            assert log.stat().st_size > 80 << 20
        write("checkpoint", "the log is worked off behind this")
        write("reset", "and begun anew with this")
        assert log.stat().st_size <= 64 << 20
        engine.dispose()
