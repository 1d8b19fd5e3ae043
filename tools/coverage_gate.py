"""Hold the coverage bars: every branch of the rooms that decide about money, and most of the rest.

Reads the report of `coverage json`. A bar that has no files to measure fails: a renamed room must not pass in silence.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, TypedDict

PACKAGE = "src/plimsoll"
#: Room -> smallest accepted share of covered statements and branches, as a ratio; "" is the whole package.
BARS = {"model": 1.0, "risk": 1.0, "ledger": 1.0, "": 0.9}


class Summary(TypedDict):
    num_statements: int
    covered_lines: int
    num_branches: int
    covered_branches: int


class FileReport(TypedDict):
    summary: Summary
    missing_lines: list[int]
    missing_branches: list[list[int]]


class Cover(NamedTuple):
    covered: int
    total: int

    @property
    def ratio(self) -> float:
        return self.covered / self.total if self.total else 1.0


def cover(files: Iterable[FileReport]) -> Cover:
    summaries = [file["summary"] for file in files]
    return Cover(
        covered=sum(each["covered_lines"] + each["covered_branches"] for each in summaries),
        total=sum(each["num_statements"] + each["num_branches"] for each in summaries),
    )


def holes(path: str, file: FileReport) -> str | None:
    """Name what is not covered: lines as numbers, branches as from->to."""
    lines = [str(line) for line in file["missing_lines"]]
    jumps = [
        f"{start}->{end if end > 0 else 'exit'}"
        for start, end in file["missing_branches"]
        if start not in file["missing_lines"]
    ]
    return f"    {path}: {', '.join(lines + jumps)}" if lines or jumps else None


def emptiest(files: dict[str, FileReport]) -> list[str]:
    """Name the ten files with the most uncovered statements and branches."""
    covers = {path: cover([file]) for path, file in files.items()}
    worst = sorted(covers, key=lambda path: (covers[path].covered - covers[path].total, path))[:10]
    return [
        f"    {path}: {covers[path].ratio:.1%}, {covers[path].total - covers[path].covered} missing" for path in worst
    ]


def judge(files: dict[str, FileReport]) -> tuple[list[str], bool]:
    """Give the lines to print and whether every bar holds."""
    said, good = [], True
    for room, bar in BARS.items():
        prefix = f"{PACKAGE}/{room}/" if room else f"{PACKAGE}/"
        inside = {path: file for path, file in files.items() if path.replace("\\", "/").startswith(prefix)}
        measured = cover(inside.values())
        held = bool(inside) and measured.covered >= bar * measured.total
        good = good and held
        state = "ok  " if held else "FAIL"
        said.append(f"{state} {room or 'whole':8} {measured.ratio:8.2%} of branches and lines, bar {bar:.0%}")
        if not inside:
            said.append(f"    nothing measured under {prefix}")
        elif not held and bar == 1.0:
            said.extend(filter(None, (holes(path, file) for path, file in sorted(inside.items()))))
        elif not held:
            said.extend(emptiest(inside))
    return said, good


def main(report: Path) -> int:
    lines, good = judge(json.loads(report.read_text(encoding="utf-8"))["files"])
    print("\n".join(lines))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "coverage.json")))
