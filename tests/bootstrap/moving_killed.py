"""A move that is killed when it is so far: `moving_killed FOLDER DATABASE STEP SHARE TARGET`."""

import os
import signal
import sys
from pathlib import Path

from plimsoll.bootstrap.moving.move import move
from plimsoll.bootstrap.ownership import desk_directory
from plimsoll.model.clock import SystemClock
from plimsoll.runtime.process import begin_process
from plimsoll.store.place import PostgresPlace

folder, database, step, share, aim = sys.argv[1:]


def progress(at: str, done: int, total: int) -> None:
    """Die at the step's share."""
    if at == step and done >= float(share) * total:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    begin_process()
    target = PostgresPlace(aim, "plimsoll") if "://" in aim else Path(aim)
    move(desk_directory(Path(folder), database, "plimsoll"), target, SystemClock(), progress, anew=False)
