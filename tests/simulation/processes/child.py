"""Processes of the system, forked from one that has imported everything: 300 starts cost 300 forks, not 300 imports.

Each says what it has to say through a pipe of its own, in (word, value) pairs; what it prints lies in its log. It dies
with the process that began it, however that one ends.

What must not enter: what the processes do.
"""

import ctypes
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from plimsoll.runtime.process import begin_process

#: Says a word and its value to whoever began the process.
Tell = Callable[[str, Any], None]
#: How long a word is waited for that must come.
PATIENCE_SECONDS = 60.0
_PR_SET_PDEATHSIG = 1
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.simulation.processes.desk_process", "tests.simulation.processes.exchange_server"])


def aloud(word: str, value: Any) -> None:
    """Say it to a person, where a process was begun by hand."""
    sys.stdout.write(f"{word} {value}\n")
    sys.stdout.flush()


class Silent(AssertionError):
    """A process did not say what it must: holds its log."""


class Child:
    """One process at a time under one name; started again after it ended."""

    def __init__(self, name: str, log: Path, work: Callable[..., None], *told: Any) -> None:
        self.name = name
        self._log = log
        self._work = work
        self._told = told
        self._process: Any = None
        self._ear: Connection | None = None

    def start(self) -> "Child":
        """Begin it."""
        self._let_go()
        self._ear, theirs = _FORKS.Pipe(duplex=False)
        self._process = _FORKS.Process(
            target=_begin, args=(str(self._log), theirs, self._work, self._told), name=self.name, daemon=True
        )
        self._process.start()
        # Ours to close: while it is open here, the end of the process is not the end of the pipe.
        theirs.close()
        return self

    @property
    def pid(self) -> int:
        return int(self._process.pid)

    @property
    def ear(self) -> Connection:
        """What it says comes here; for `wait_for_any`."""
        assert self._ear is not None, "Invariant: it was started."
        return self._ear

    def is_alive(self) -> bool:
        return self._process is not None and bool(self._process.is_alive())

    def hear(self, seconds: float = PATIENCE_SECONDS) -> tuple[str, Any] | None:
        """Give the next thing it says; None when it has ended, or says nothing for so long."""
        try:
            if self.ear.poll(seconds):
                word, value = self.ear.recv()
                return str(word), value
        except (EOFError, OSError):
            pass
        return None

    def expect(self, word: str, seconds: float = PATIENCE_SECONDS) -> Any:
        """Wait until it says a word, and give its value.

        Raises: Silent
        """
        until = time.monotonic() + seconds
        while (heard := self.hear(max(0.0, until - time.monotonic()))) is not None:
            if heard[0] == word:
                return heard[1]
        raise Silent(f"{self.name} never said {word!r}:\n{self.log()}")

    def send(self, what: signal.Signals) -> None:
        """Send it a signal, if it still lives to hear it."""
        if self.is_alive():
            os.kill(self.pid, what)

    def kill(self) -> None:
        """End it as a power cut does."""
        self._process.kill()
        self._process.join()

    def stop(self, seconds: float = 30.0) -> int | None:
        """Ask it to end, and give its exit code; None when it does not."""
        self.send(signal.SIGTERM)
        self._process.join(seconds)
        code: int | None = self._process.exitcode
        return code

    def log(self) -> str:
        """Give what it printed, over all its lives."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def close(self) -> None:
        """Let go of it, whatever state it is in."""
        self._let_go()

    def _let_go(self) -> None:
        if self._process is not None:
            self.kill()
            self._process.close()
            self._process = None
        if self._ear is not None:
            self._ear.close()
            self._ear = None


def wait_for_any(children: Iterable[Child], seconds: float) -> list[Child]:
    """Wait until one of some processes says something or ends; give those that did."""
    by_ear = {child.ear: child for child in children}
    return [by_ear[ear] for ear in wait(list(by_ear), seconds) if isinstance(ear, Connection)]


def _begin(log: str, mouth: Connection, work: Callable[..., None], told: tuple[Any, ...]) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    paper = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(paper, stream)
    begin_process()

    def tell(word: str, value: Any) -> None:
        mouth.send((word, value))

    work(tell, *told)
