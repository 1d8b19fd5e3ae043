"""What many runs come to, in a table for people."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from tests.simulation.hours.runs import Outcome
from tests.simulation.hours.story import by_kind, share

#: What a run counts, under the words of the table.
COUNTS = ("orders", "fills", "requests", "events", "kills", "processes", "unknown", "never_placed")

#: Orders of unknown fate, in seconds of contact until it was known.
_WAITS = {"accepted": "unknown, and at the venue", "never_placed": "unknown, and never placed"}


def table(outcomes: Iterable[Outcome]) -> str:
    """Sum many runs up."""
    runs = list(outcomes)
    lines = [("seeds", f"{len(runs)}, {sum(1 for run in runs if run.law)} broke a law")]
    hours = sum(run.case.hours for run in runs)
    lines.append(("simulated hours", f"{hours:g}"))
    lines += [(name.replace("_", " "), f"{_sum(runs, name):,}") for name in COUNTS]
    for name, words in _WAITS.items():
        waits = [float(one) for run in runs for one in run.figures.get("resolved", {}).get(name, ())]
        half, most = share(waits, 0.5), share(waits, 0.95)
        if half is not None and most is not None:
            lines.append((words, f"{len(waits)}: {half:.1f} s (half), {most:.1f} s (95 %), {max(waits):.1f} s (all)"))
    seconds = sum(run.seconds for run in runs)
    if seconds:
        lines.append(
            (
                "simulated hours a second and core",
                f"{hours / seconds:.2f} ({hours * 3600 / seconds:,.0f} times real time)",
            )
        )
    lines += [
        (f"repairs: {name}", f"{count:,}") for name, count in _counted(run.figures.get("repairs", {}) for run in runs)
    ]
    faults = Counter[str]()
    for run in runs:
        faults.update(by_kind(run.struck))
    lines += [(f"faults: {name}", f"{count:,}") for name, count in sorted(faults.items())]
    broken = Counter(run.law for run in runs if run.law)
    lines += [(f"broken: {law}", f"{count} seeds") for law, count in sorted(broken.items())]
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in lines)


def _sum(runs: Iterable[Outcome], name: str) -> int:
    return sum(int(run.figures.get(name, 0)) for run in runs)


def _counted(counts: Iterable[Mapping[str, Any]]) -> list[tuple[str, int]]:
    total = Counter[str]()
    for one in counts:
        total.update({name: int(count) for name, count in one.items()})
    return sorted(total.items())
