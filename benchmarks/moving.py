"""Moving house: a desk of a million trades to PostgreSQL and back, killed in the middle of either way.

Each way is two processes of their own: the first is killed when half of the rows are over, the second goes on, compares
every row, and proves the book. The desk is one account whose orders, fills, links and sums are those that the desk's
own units write, so that the proof is a real one.

python -m benchmarks.moving [TRADES] [DIRECTORY]
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks import big_desk
from plimsoll.bootstrap import DataDirectory
from plimsoll.bootstrap.moving.move import move
from plimsoll.bootstrap.ownership import desk_directory
from plimsoll.ledger.database import create_from_template
from plimsoll.ledger.digest import digest
from plimsoll.model.clock import SystemClock
from plimsoll.runtime.process import begin_process
from plimsoll.store.place import PostgresPlace, reader
from tests.builders.postgres import running_cluster

TRADES = 1_000_000
_DAYS = 365
_SCHEMA = "plimsoll"
#: Where the first process of each way is killed.
_KILLED_AT = 0.5
_WHOLE_WAY = 2.0


@dataclass(frozen=True, slots=True)
class WayFigures:
    """What one way took, in seconds."""

    rows: int
    #: Until the first process was killed, and what its second found.
    killed_after: float
    found: int
    #: Of the second process.
    moving: float
    comparing: float
    proving: float
    #: The most memory that it had, in MiB.
    mebibytes: float


@dataclass(frozen=True, slots=True)
class MovingFigures:
    """Both ways."""

    trades: int
    gigabytes: float
    there: WayFigures
    back: WayFigures
    #: What the book says at the end is what it said at the beginning; None where that was not asked, for its memory.
    equal: bool | None


def make(folder: Path, trades: int) -> DataDirectory:
    """Write the desk that moves."""
    folder.mkdir(parents=True)
    directory = DataDirectory(folder)
    directory.chain_key_file.write_text(big_desk.KEY.hex())
    a_day = -(-trades // (_DAYS * len(big_desk.NAMES)))
    create_from_template(directory.database)
    # Its first account only: the chains of the copies do not hold.
    big_desk._first_account(directory.database, _DAYS, a_day)
    return directory


def measure(directory: Path, trades: int) -> MovingFigures:
    """Make a desk, and move it there and back."""
    desk = make(directory / "desk", trades)
    gigabytes = desk.database.stat().st_size / 1e9
    said = digest(reader(desk.book)) if trades <= TRADES // 10 else None
    with running_cluster(durable=True) as cluster:
        there = _way(desk.path, "", cluster.url)
        back = _way(desk.path, cluster.url, str(directory / "new"))
    new = DataDirectory(directory / "new")
    equal = None if said is None else digest(reader(new.book)) == said
    return MovingFigures(trades, gigabytes, there, back, equal)


def _way(folder: Path, database: str, target: str) -> WayFigures:
    begun = time.perf_counter()
    first = _process(folder, database, target, _KILLED_AT)
    killed_after = time.perf_counter() - begun
    if first.returncode != -signal.SIGKILL:
        raise RuntimeError(f"the first process was not killed: {first.stderr}")
    second = _process(folder, database, target, _WHOLE_WAY)
    if second.returncode != 0:
        raise RuntimeError(second.stderr)
    return WayFigures(killed_after=killed_after, **json.loads(second.stdout))


def _process(folder: Path, database: str, target: str, share: float) -> "subprocess.CompletedProcess[str]":
    words = [str(folder), database, target, str(share)]
    command = [sys.executable, "-m", "benchmarks.moving", "--way", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _one_way(folder: str, database: str, target: str, share: str) -> None:
    begun: dict[str, float] = {}

    def progress(step: str, done: int, total: int) -> None:
        begun.setdefault(step, time.perf_counter())
        if step == "moving" and done > float(share) * total:
            os.kill(os.getpid(), signal.SIGKILL)

    source = desk_directory(Path(folder), database, _SCHEMA)
    aim = PostgresPlace(target, _SCHEMA) if "://" in target else Path(target)
    moved = move(source, aim, SystemClock(), progress, anew=False)
    if not moved.fits:
        raise RuntimeError(str(moved.unfit[:3]))
    begun["done"] = time.perf_counter()
    print(
        json.dumps(
            {
                "rows": moved.rows,
                "found": moved.found,
                "moving": begun["comparing"] - begun["moving"],
                "comparing": begun["proving"] - begun["comparing"],
                "proving": begun["done"] - begun["proving"],
                "mebibytes": _peak_mebibytes(),
            }
        )
    )


def _peak_mebibytes() -> float:
    # What `resource` says of a process that was started by a larger one is the larger one's.
    told = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(told.partition("VmHWM:")[2].split()[0]) / 1_024


def main() -> None:
    """Measure, and print."""
    begin_process()
    if sys.argv[1:2] == ["--way"]:
        _one_way(*sys.argv[2:])
        return
    trades = int(sys.argv[1]) if len(sys.argv) > 1 else TRADES
    with tempfile.TemporaryDirectory(dir=sys.argv[2] if len(sys.argv) > 2 else None) as name:
        print(measure(Path(name), trades))


if __name__ == "__main__":
    main()
