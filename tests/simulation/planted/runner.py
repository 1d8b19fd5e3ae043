"""Plant a bug in a copy of the source, and see whether it dies of the right cause.

python -m tests.simulation.planted.runner             all of them
python -m tests.simulation.planted.runner NAME ...    some
python -m tests.simulation.planted.runner --unspoilt [NAME ...]    hunt in the source as it is: nothing may be found
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from tests.simulation.planted.bugs import Bug, Edit
from tests.simulation.planted.hour_bugs import EVERY

ROOT = Path(__file__).resolve().parents[3]
SOURCE = ROOT / "src"
#: A hunt takes a few seconds; one that hangs is no kill.
PATIENCE_SECONDS = 100


class TextMoved(AssertionError):
    """The product's code is not what the edit was written for: write the edit anew."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a bug."""

    bug: Bug
    #: How the right law was broken; empty when the bug survived.
    killed: str
    #: What else it broke first, which proves nothing.
    others: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.killed:
            return f"killed    {self.bug.name} ({self.bug.catalogue}): {self.killed}"
        return f"SURVIVED  {self.bug.name} ({self.bug.catalogue}); it also broke: {list(self.others)}"


def spoil(source: Path, edit: Edit) -> None:
    """Make one edit.

    Raises: TextMoved
    """
    file = source / "plimsoll" / edit.file
    text = file.read_text(encoding="utf-8")
    if text.count(edit.old) != 1:
        raise TextMoved(f"{edit.file} holds this {text.count(edit.old)} times, not once:\n{edit.old}")
    file.write_text(text.replace(edit.old, edit.new), encoding="utf-8")


def plant(bug: Bug, source: Path = SOURCE) -> Verdict:
    """Spoil a copy of the source and hunt in it.

    Raises: TextMoved; RuntimeError when the hunt itself does not run
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "src"
        shutil.copytree(source, copy)
        for edit in bug.edits:
            spoil(copy, edit)
        hunt = subprocess.run(
            [sys.executable, "-m", "tests.simulation.planted.hunt", bug.name],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        if hunt.returncode != 0:
            raise RuntimeError(f"the hunt for {bug.name} did not run:\n{hunt.stderr[-2000:]}")
        answer = json.loads(hunt.stdout)
        if not answer["source"].startswith(str(copy)):
            raise RuntimeError(f"the hunt for {bug.name} looked at {answer['source']}")
        return Verdict(bug, answer["killed"], tuple(answer["others"]))


def main(arguments: list[str]) -> int:
    """Plant what was asked for; 1 when one survives, or when there is something to be found without it."""
    names = [argument for argument in arguments if argument != "--unspoilt"]
    unspoilt, failed = names != arguments, 0
    for bug in EVERY:
        if not names or bug.name in names:
            verdict = plant(replace(bug, edits=()) if unspoilt else bug)
            found = bool(verdict.killed or verdict.others)
            failed += found if unspoilt else not verdict.killed
            silent = f"silent    {bug.name}"
            sys.stdout.write(f"{silent if unspoilt and not found else verdict}\n")
            sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
