"""An import at rest that is killed before or after its n-th commit: `killed_import.py N before|after DIR COUNT`."""

import asyncio
import os
import signal
import sqlite3
import sys
from pathlib import Path
from typing import Any

from plimsoll.bootstrap import DataDirectory
from plimsoll.runtime.process import begin_process
from plimsoll.store import sqlite
from tests.builders.bringing import fills, import_book

at, side = int(sys.argv[1]), sys.argv[2]
commits = 0


class Mortal(sqlite3.Connection):
    """A connection whose process dies at a commit."""

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        """Count the commits, and die at one."""
        global commits  # noqa: PLW0603  one count for the whole process
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
    return sqlite3.connect(path, uri=True, isolation_level=None, check_same_thread=False, factory=Mortal)


if __name__ == "__main__":
    sqlite._connect = _connect
    begin_process()
    asyncio.run(import_book(DataDirectory(Path(sys.argv[3])), fills(int(sys.argv[4]))))
    sys.stdout.write(f"{commits}\n")
