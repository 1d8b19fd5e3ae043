"""What the disk gives: the time of one fdatasync, and SQLite alone writing the very rows that a group wrote."""

import os
import sqlite3
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from plimsoll.ledger import queries
from plimsoll.ledger.database import create_from_template
from plimsoll.ledger.schema import metadata
from plimsoll.store.draft import Row
from plimsoll.store.sqlite import PRAGMAS, SqliteWriter
from plimsoll.store.statements import change_sql, insert_sql, replace_sql

#: One transaction: (statement, rows) in the order they were written.
Group = list[tuple[str, list[Row]]]


def fdatasync_seconds(directory: Path, times: int = 400) -> float:
    """Measure the median of appending 4 KiB to a file and syncing it."""
    path = directory / "fdatasync.bin"
    taken = []
    with path.open("wb", buffering=0) as file:
        for _ in range(times):
            file.write(b"x" * 4096)
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - begun)
    path.unlink()
    return statistics.median(taken)


class RecordingWriter(SqliteWriter):
    """The real writer, which also keeps every statement and row for the raw baseline."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, metadata, queries.compiled())
        self._insert_sql = {name: insert_sql(table) for name, table in metadata.tables.items()}
        self._replace_sql = {name: replace_sql(table) for name, table in metadata.tables.items()}
        self._change_sql = {name: sql for name, table in metadata.tables.items() if (sql := change_sql(table))}
        self.groups: list[Group] = []
        self._open_group: Group = []

    def begin(self) -> None:
        self._open_group = []
        super().begin()

    def add(self, table: str, rows: Sequence[Row]) -> None:
        self._open_group.append((self._insert_sql[table], list(rows)))
        super().add(table, rows)

    def replace(self, table: str, rows: Sequence[Row]) -> None:
        self._open_group.append((self._replace_sql[table], list(rows)))
        super().replace(table, rows)

    def change(self, table: str, rows: Sequence[Row]) -> None:
        self._open_group.append((self._change_sql[table], list(rows)))
        super().change(table, rows)

    def commit(self) -> None:
        super().commit()
        self.groups.append(self._open_group)


def raw_seconds(path: Path, before: list[Group], groups: list[Group]) -> float:
    """Write groups with sqlite3 and nothing else, after those that must be there first; give the time it took."""
    create_from_template(path)
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in PRAGMAS:
        connection.execute(pragma)
    for group in before:
        _write(connection, group)
    begun = time.perf_counter()
    for group in groups:
        _write(connection, group)
    taken = time.perf_counter() - begun
    connection.close()
    return taken


def _write(connection: sqlite3.Connection, group: Group) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for statement, rows in group:
        connection.executemany(statement, rows)
    connection.execute("COMMIT")


class Tape:
    """Every statement that the connections to some files wrote, for SQLite alone to write again."""

    def __init__(self) -> None:
        #: By file: (statement, rows) in order; rows None for BEGIN and COMMIT.
        self.files: dict[str, list[tuple[str, list[Row] | None]]] = {}
        self._running = False

    def connect(self, path: str) -> sqlite3.Connection:
        """Open a connection that is recorded; the way in for `bootstrap.paper_desk`."""
        tape, statements = self, self.files.setdefault(path, [])

        class Recorded(sqlite3.Connection):
            def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
                if tape._running and not sql.lstrip().startswith(("SELECT", "PRAGMA")):
                    statements.append((sql, None))
                return super().execute(sql, *arguments)

            def executemany(self, sql: str, rows: Any) -> sqlite3.Cursor:
                if tape._running:
                    statements.append((sql, list(rows)))
                return super().executemany(sql, rows)

        return sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Recorded)

    def start(self) -> None:
        """Keep the files as they are now, and record from here."""
        for path in self.files:
            with sqlite3.connect(path) as source, sqlite3.connect(f"{path}.before") as copy:
                source.backup(copy)
        self._running = True

    def raw_seconds(self) -> float:
        """Write it all again, one file after the other, with nothing else; give the time it took."""
        total = 0.0
        for path, statements in self.files.items():
            connection = sqlite3.connect(f"{path}.before", isolation_level=None)
            for pragma in PRAGMAS:
                connection.execute(pragma)
            begun = time.perf_counter()
            for sql, rows in statements:
                if rows is None:
                    connection.execute(sql)
                else:
                    connection.executemany(sql, rows)
            total += time.perf_counter() - begun
            connection.close()
        return total
