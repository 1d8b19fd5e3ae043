"""The notation of the shell's tests: a small recording, a command inside this process, a command as a process."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import structlog

from plimsoll.cli.main import run

START = datetime(2022, 1, 1, tzinfo=UTC)
ROOT = Path(__file__).resolve().parent.parent.parent
PERP = "BTC/USDT:USDT"


@dataclass(frozen=True, slots=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Read the whole of stdout as one JSON value; anything beside it fails."""
        return json.loads(self.out)


def candles(path: Path, closes: Iterable[str], *, minutes: int = 1, skip: Sequence[int] = ()) -> Path:
    """Record bars that open at the close before and close as told; those in `skip` are not recorded."""
    lines, before = ["timestamp,open,high,low,close,volume"], ""
    for number, close in enumerate(closes):
        first = before or close
        high, low = max(first, close, key=float), min(first, close, key=float)
        at = START + timedelta(minutes=minutes * number)
        if number not in skip:
            lines.append(f"{at.isoformat()},{first},{high},{low},{close},1")
        before = close
    path.write_text("\n".join(lines) + "\n")
    return path


def wave(bars: int) -> list[str]:
    """Draw closes that go up and down far enough for the signals to trade often."""
    swing = [*range(24), *range(24, -24, -1), *range(-24, 0)]
    return [str(40_000 + 60 * swing[number % len(swing)] + number) for number in range(bars)]


def crash() -> list[str]:
    """Draw a calm hour, a fall through 15 % and 20 %, and a calm hour after it."""
    fall = [str(40_000 - 400 * step) for step in range(26)]
    return [*["40000"] * 60, *fall, *[fall[-1]] * 60]


def plimsoll(*words: str | Path) -> Said:
    """Give a command inside this process."""
    out, err = StringIO(), StringIO()
    code: int | str | None = 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            run([str(word) for word in words])
        except SystemExit as end:
            code = end.code
        finally:
            _forget_logging()
    assert isinstance(code, int)
    return Said(code, out.getvalue(), err.getvalue())


def _forget_logging() -> None:
    structlog.reset_defaults()
    for handler in [*logging.getLogger().handlers]:
        if type(handler).__name__ == "_DeskHandler":
            logging.getLogger().removeHandler(handler)


def replay_words(file: Path | str, data: Path, *more: str, strategy: str = "signals") -> list[str | Path]:
    """Write a replay's command with the usual options."""
    usual: list[str | Path] = [
        "--symbol",
        PERP,
        "--deposit",
        "100000",
        "--strategy",
        strategy,
        "--data",
        data,
        "--json",
    ]
    return ["replay", file, *usual, *more]


def environment(**more: str) -> dict[str, str]:
    """Give a process this checkout and none of this machine's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PLIMSOLL_")}
    return {**kept, "PYTHONPATH": str(ROOT / "src"), **more}


def process(*words: str | Path, program: Sequence[str] = ("-m", "plimsoll"), **env: str) -> subprocess.Popen[str]:
    """Start a command as a process of its own."""
    return subprocess.Popen(
        [sys.executable, *program, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**env),
    )


def said_by(started: subprocess.Popen[str]) -> Said:
    """Wait for a process to end."""
    out, err = started.communicate(timeout=60)
    return Said(started.returncode, out, err)
