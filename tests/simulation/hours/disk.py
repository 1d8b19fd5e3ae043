"""The disk under one process: SQLite's own files, and a writing connection that fails as disks and processes do.

Every `BEGIN`, every row group and every `COMMIT` of the desk's book is a site of the tape. A process that dies leaves
its connections as the operating system would: closed, without a commit.

What must not enter: reads. They are the readers' own connections, which hold nothing between two questions.
"""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.simulation.hours.tape import Struck, Tape
from tests.simulation.hours.weather import Fault
from tests.simulation.world import Cut


class _Connection(sqlite3.Connection):
    """A connection whose steps are sites, and that dies with its process."""

    disk: "Disk"
    file: str

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        if sql.startswith("BEGIN"):
            self.disk.begin(self.file)
        elif sql == "COMMIT":
            return self.disk.commit(self)
        elif sql.startswith("PRAGMA synchronous"):
            # Processes die here, machines do not lose power: what the system was given it keeps without `fsync`.
            sql = "PRAGMA synchronous = OFF"
        return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Any, /) -> sqlite3.Cursor:
        self.disk.row(self.file)
        return super().executemany(sql, parameters)

    def commit_for_real(self) -> sqlite3.Cursor:
        return super().execute("COMMIT")


class Disk:
    """What one process has open.

    Shapes:  `at` -> seconds since the world began; `die` -> ends the process, and returns; `wrote` -> hears of every
             commit that took place; `stop` -> lets the process stand still for so many seconds, and returns
    """

    def __init__(
        self,
        tape: Tape,
        at: Callable[[], float],
        die: Callable[[str], None],
        wrote: Callable[[str], None],
        stop: Callable[[float], None],
    ) -> None:
        self._tape, self._at, self._die, self._wrote, self._stop = tape, at, die, wrote, stop
        self._connections: list[_Connection] = []
        self.is_cut = False

    def connect(self, path: str) -> sqlite3.Connection:
        """Open a file for writing."""
        if self.is_cut:
            raise Cut
        connection = sqlite3.connect(
            path, uri=True, isolation_level=None, cached_statements=256, check_same_thread=False, factory=_Connection
        )
        connection.disk, connection.file = self, Path(path).name
        self._connections.append(connection)
        return connection

    def pull(self) -> None:
        """Close everything as it is: the process is dead."""
        self.is_cut = True
        for connection in self._connections:
            with suppress(sqlite3.Error):
                connection.close()
        self._connections.clear()

    def begin(self, file: str) -> None:
        """Pass the beginning of a transaction."""
        if self._strike(f"begin {file}") is not None:
            raise sqlite3.OperationalError("database is locked")

    def row(self, file: str) -> None:
        """Pass the writing of rows to one table."""
        if self._strike(f"row {file}") is not None:
            raise sqlite3.OperationalError("database or disk is full")

    def commit(self, connection: _Connection) -> sqlite3.Cursor:
        """Pass a commit: it takes place, or not, and says so, or not."""
        struck = self._strike(f"commit {connection.file}")
        fault = None if struck is None else struck.fault
        if fault is Fault.CRASH_BEFORE:
            self._die("before a commit")
            raise Cut
        if fault is Fault.DISK:
            raise sqlite3.OperationalError("disk I/O error")
        done = connection.commit_for_real()
        self._wrote(connection.file)
        if fault is Fault.CRASH_AFTER:
            self._die("after a commit")
            raise Cut
        if struck is not None and fault is Fault.FREEZE:
            self._stop(struck.amount)
        if fault is Fault.DONE_AND_FAILED:
            raise sqlite3.OperationalError("disk I/O error")
        return done

    def _strike(self, site: str) -> Struck | None:
        if self.is_cut:
            raise Cut
        return self._tape.strike(site, self._at())
