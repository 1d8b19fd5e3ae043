"""Run every benchmark, print the tables, and keep them in RESULTS.md.

python -m benchmarks [--directory DIR]     DIR on the disk that the desk would use; a temporary folder by default
"""

import argparse
import platform
import sqlite3
import statistics
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import bars, orders, trades, verdicts
from benchmarks.disk import fdatasync_seconds
from plimsoll.runtime.logging import configure_logging
from plimsoll.runtime.process import begin_process

RESULTS = Path(__file__).parent / "RESULTS.md"
RUNS = 3


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", type=Path, default=None)
    given: Path | None = parser.parse_args().directory
    begin_process()
    configure_logging(json=False, level="WARNING", stream=sys.stderr, now=lambda: datetime.now(UTC))
    with tempfile.TemporaryDirectory(dir=given, prefix="plimsoll-bench-") as name:
        sections = [_head(), _disk(Path(name)), _trades(Path(name)), _orders(Path(name)), _rest(Path(name))]
    text = "\n".join(sections)
    RESULTS.write_text(text)
    sys.stdout.write(text)


def _head() -> str:
    now = datetime.now(UTC).strftime("%Y-%m-%d")
    machine = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {platform.machine()}"
    return (
        f"# Benchmarks\n\n`make bench`, {now}, {machine}. Every figure is the median of {RUNS} runs of one process;"
        " each ratio compares with a baseline of the same run.\n"
    )


def _disk(directory: Path) -> str:
    median = statistics.median(fdatasync_seconds(directory) for _ in range(RUNS))
    return f"## The disk\n\none fdatasync: **{median * 1e6:.0f} µs**, {1 / median:,.0f} a second\n"


def _trades(directory: Path) -> str:
    lines = [
        "## Booking trades",
        "",
        "One scribe, rows of a booked trade (trade, order, position, cash lines, balances, audit link, event); raw is",
        "`sqlite3` alone writing the very same rows in the same groups.",
        "",
        "| waiting | trades/s | raw sqlite3/s | ratio | of the fdatasync rate | a duplicate |",
        "| ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    sync = fdatasync_seconds(directory)
    for waiting, count in trades.SIZES:
        runs = [trades.measure(_fresh(directory), waiting, count) for _ in range(RUNS)]
        figure = sorted(runs, key=lambda run: run.ratio)[RUNS // 2]
        lines.append(
            f"| {waiting:,} | {figure.trades_per_second:,.0f} | {figure.raw_per_second:,.0f} | **{figure.ratio:.2f}** |"
            f" {figure.trades_per_second * sync:.2f} | {figure.duplicate_microseconds:.0f} µs |"
        )
    return "\n".join([*lines, ""])


def _orders(directory: Path) -> str:
    lines = [
        "## Whole orders",
        "",
        "Gate, intent committed, paper venue committed, outcome committed, a thread per scribe, real files.",
        f"Every control is asked; limits widened by the stored policy `{orders.POLICY}`.",
        "",
        "Raw is `sqlite3` alone writing the very same rows in the same groups to both files, one after the other.",
        "",
        "| order | callers | orders/s | raw sqlite3/s | ratio | of the fdatasync rate | p50 | p99 |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    sync = fdatasync_seconds(directory)
    for kind in ("limit", "market"):
        for callers, count in ((1, 800), (16, 4_000), (64, 8_000)):
            runs = [orders.measure(_fresh(directory) / "desk", kind, callers, count) for _ in range(RUNS)]
            figure = sorted(runs, key=lambda run: run.orders_per_second)[RUNS // 2]
            raw = orders.measure_raw(_fresh(directory) / "desk", kind, callers, count)
            lines.append(
                f"| {kind} | {callers} | **{figure.orders_per_second:,.0f}** | {raw:,.0f} |"
                f" {figure.orders_per_second / raw:.2f} | {figure.orders_per_second * sync:.2f} |"
                f" {figure.p50_milliseconds:.2f} ms | {figure.p99_milliseconds:.2f} ms |"
            )
    bound = sync * 3 * 1e3 + 0.6
    return "\n".join([*lines, "", f"3 fdatasync + 0.6 ms in this run: {bound:.2f} ms", ""])


def _rest(directory: Path) -> str:
    verdict = statistics.median(verdicts.measure(20_000) for _ in range(RUNS))
    bar = statistics.median(bars.measure(_fresh(directory) / "desk", 30_000) for _ in range(RUNS))
    return (
        "## Verdicts and bars\n\n"
        f"verdicts (all controls, one perpetual order that passes): **{verdict:,.0f}/s**\n\n"
        f"replay with a position open (venue, guard, valuation, snapshot, strategy each bar): **{bar:,.0f} bars/s**\n"
    )


def _fresh(directory: Path) -> Path:
    return Path(tempfile.mkdtemp(dir=directory))


main()
