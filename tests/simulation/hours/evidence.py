"""What is kept of a failure: enough to let it happen again on another day, and enough to read why it did.

The seed and the commit bring the run back while the code draws as it drew; the tape brings the faults back when it does
not. The hash of the sources says whether the code was that of the commit.
"""

import hashlib
import json
import platform
import subprocess
from dataclasses import replace
from pathlib import Path

from tests.simulation.hours.runs import CRASH, ROOT, Case, Outcome, case_from
from tests.simulation.hours.weather import RISKS

#: Git-ignored.
FOLDER = ROOT / "simulation-failures"


def keep(outcome: Outcome, folder: Path = FOLDER, *, shrunk: bool = False) -> Path:
    """Write a failure down; give the file."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{outcome.case.seed}{'-shrunk' if shrunk else ''}.json"
    told = {
        "seed": outcome.case.seed,
        "hours": outcome.case.hours,
        "law": outcome.law,
        "sentence": outcome.sentence,
        "failed_at": outcome.failed_at,
        "commit": commit(),
        "sources": sources_hash(),
        "risks": risks_hash(),
        "python": platform.python_version(),
        "trace": outcome.trace,
        "facts": dict(outcome.facts),
        "case": outcome.case.to_json(),
        "tape": [str(one) for one in outcome.struck],
        # What broke down told no tape.
        "replay": (outcome.case if outcome.law == CRASH else replace(outcome.case, tape=outcome.struck)).to_json(),
        "story": list(outcome.story),
    }
    path.write_text(json.dumps(told, indent=1) + "\n")
    return path


def replay_of(path: Path, *, drawn: bool = False) -> Case:
    """Read the case of a failure: its faults from the tape, or drawn from the seed as they were the first time."""
    told = json.loads(path.read_text())
    return case_from(told["case" if drawn else "replay"])


def commit() -> str:
    """Name the commit that the sources were taken from; empty outside of a repository."""
    asked = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    return asked.stdout.strip()


def sources_hash() -> str:
    """Hash the code that ran: the product's and the simulation's."""
    told = hashlib.sha256()
    for folder in (ROOT / "src" / "plimsoll", ROOT / "tests" / "simulation"):
        for path in sorted(folder.rglob("*.py")):
            told.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return told.hexdigest()[:16]


def risks_hash() -> str:
    """Hash the catalogue of faults, with their shares and ranges: another catalogue draws another weather."""
    return hashlib.sha256(repr(RISKS).encode()).hexdigest()[:16]
