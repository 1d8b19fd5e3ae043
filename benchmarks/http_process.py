"""A server in a process of its own, as users have it: the load that measures it shares no interpreter with it.

    with serving("desk", directory) as address:
        ...

It ends when its standard input does, so that no server outlives a benchmark that broke off.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
END_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server answers, and to whom."""

    host: str
    port: int
    #: An API key that may read and trade.
    key: str
    pid: int


@contextmanager
def serving(kind: str, directory: Path, *words: str) -> Iterator[Address]:
    """Serve `desk` or `bare` (`http_server`) until the block ends.

    Raises: RuntimeError when it does not come up, or does not end well
    """
    command = [sys.executable, "-m", "benchmarks.http_server", kind, "--directory", str(directory), *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdin is not None, "Invariant: it was started with pipes."
        assert process.stdout is not None, "Invariant: it was started with pipes."
        try:
            line = process.stdout.readline()
            if not line:
                raise RuntimeError(f"the server {kind!r} did not come up; its own words are above")
            yield Address(**json.loads(line))
        finally:
            process.stdin.close()
            try:
                process.wait(timeout=END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
    if process.returncode:
        raise RuntimeError(f"the server {kind!r} ended with {process.returncode}; its own words are above")
