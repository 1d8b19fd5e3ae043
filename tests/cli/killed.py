"""`plimsoll` that is killed before or after its n-th commit, of either database: `killed.py N before|after WORDS…`."""

import os
import signal
import sqlite3
import sys
from typing import Any

from plimsoll.cli.main import run
from plimsoll.store import sqlite

at, side = int(sys.argv[1]), sys.argv[2]
commits = 0


class Mortal(sqlite3.Connection):
    """A connection whose process dies at a commit."""

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        """Count the commits, and die at one."""
        global commits  # noqa: PLW0603  one count for both databases
        if sql != "COMMIT":
            return super().execute(sql, *parameters)
        commits += 1
        if commits == at and side == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        done = super().execute(sql)
        if commits == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return done


def _connect(path: str) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Mortal)


if __name__ == "__main__":
    sqlite._connect = _connect
    run(sys.argv[3:])
