"""Count the places where product code reaches for real time, ids, chance, threads or sockets.

Each carries `# noqa: TID251  sim-ok: reason`. The number is tracked because each one is a piece of the desk that a
simulated day cannot reach; above the limit the check fails, and so does an exception that gives no reason.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

LIMIT = 15
NOQA = re.compile(r"#\s*(?:ruff:\s*)?noqa\b(?P<rest>[^#]*)", re.IGNORECASE)
SLEEP = re.compile(r"\btime\.sleep\(|from time import .*\bsleep\b")
MARKER = re.compile(r"sim-ok:(?P<reason>.*)")


def complaint(line: str) -> str | None:
    """Say what is wrong with the exception on this line, if anything."""
    marker = MARKER.search(line)
    if marker and len(marker["reason"].strip()) < 8:
        return "sim-ok without a reason"
    noqa = NOQA.search(line)
    if noqa and noqa["rest"].strip()[:1] != ":":
        return "a bare noqa switches off everything; name the rule"
    if noqa and "TID251" in noqa["rest"] and not marker:
        return "TID251 switched off without `sim-ok: reason`"
    return None


def numbered_lines(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*.py")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            yield f"{path}:{number}", line


def main(product: Path, tests: Path) -> int:
    markers, wrong = 0, []
    for place, line in numbered_lines(product):
        markers += bool(MARKER.search(line))
        if problem := complaint(line):
            wrong.append(f"{place}: {problem}")
    # Tests may open sockets and start processes, so the ban is off there; sleeping is what they may not do either.
    wrong += [f"{place}: a test never sleeps" for place, line in numbered_lines(tests) if SLEEP.search(line)]
    print("\n".join([*wrong, f"sim-ok markers: {markers} (limit {LIMIT})"]))
    return 1 if wrong or markers > LIMIT else 0


if __name__ == "__main__":
    sys.exit(main(Path("src"), Path("tests")))
