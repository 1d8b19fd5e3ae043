"""Run every benchmark, print the tables, and keep them in RESULTS.md.

python -m benchmarks [--directory DIR] [--minutes N]

DIR lies on the disk that the desk would use; a temporary folder by default. N is how long memory is watched; 10.
"""

import argparse
import platform
import sqlite3
import statistics
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import (
    bars,
    big_desk,
    http_load,
    imports,
    memory,
    moving,
    orders,
    postgres,
    recompute,
    stream,
    trades,
    verdicts,
)
from benchmarks.disk import fdatasync_seconds
from benchmarks.http_load import LoadFigures, median_of
from benchmarks.http_server import WIDENED
from benchmarks.stream import StreamFigures
from plimsoll.runtime.logging import configure_logging
from plimsoll.runtime.process import begin_process
from tests.builders.postgres import find_programs, running_cluster

RESULTS = Path(__file__).parent / "RESULTS.md"
RUNS = 3
HTTP_CONNECTIONS = 64
#: A million take the better part of an hour: `python -m benchmarks.moving`.
MOVED_TRADES = 50_000


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", type=Path, default=None)
    parser.add_argument("--minutes", type=float, default=10.0)
    words = parser.parse_args()
    begin_process()
    configure_logging(json=False, level="WARNING", stream=sys.stderr, now=lambda: datetime.now(UTC))
    with tempfile.TemporaryDirectory(dir=words.directory, prefix="plimsoll-bench-") as name:
        place = Path(name)
        sections = [_head(), _disk(place), _trades(place), _postgres(), _recompute(place), _big_desk(place)]
        sections += [_imports(place), _moving(place)]
        sections += [_orders(place), _rest(place)]
        sections += [_http(place), _stream(place), _memory(place, words.minutes)]
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


def _postgres() -> str:
    lines = [
        "## Booking trades on PostgreSQL",
        "",
        "A server of our own on this machine, asked over 127.0.0.1; it waits for the disk at every commit. Raw is"
        " `psycopg` alone sending the very same rows, as arrays, in one message for each group.",
        "",
        "| waiting | trades/s | raw psycopg/s | ratio |",
        "| ---: | ---: | ---: | ---: |",
    ]
    if find_programs() is None:
        return "\n".join([lines[0], "", "Skipped: this machine has no PostgreSQL.", ""])
    with running_cluster(durable=True) as cluster:
        for waiting, count in postgres.SIZES:
            runs = [postgres.measure(cluster, waiting, count) for _ in range(RUNS)]
            figure = median_of(runs, lambda run: run.ratio)
            told = f"{figure.trades_per_second:,.0f} | {figure.raw_per_second:,.0f} | **{figure.ratio:.2f}**"
            lines.append(f"| {waiting} | {told} |")
    return "\n".join([*lines, ""])


def _recompute(directory: Path) -> str:
    figures = recompute.measure(_fresh(directory))
    return (
        "## Recompute\n\n"
        f"{figures.trades:,} trades and {figures.lines:,} cash lines folded into positions, days and balances:"
        f" **{figures.running:.1f} s**; only reading the rows {figures.raw:.1f} s, reading them with each position's"
        f" together {figures.sorted:.1f} s, an object for each row {figures.objects:.1f} s. One run.\n"
    )


def _big_desk(directory: Path) -> str:
    path = directory / "big.db"
    big_desk.make(path)
    figures = big_desk.ask(path)
    path.unlink()
    lines = [
        "## A big desk",
        "",
        f"{big_desk.USERS} users × {len(big_desk.NAMES)} portfolios × {big_desk.A_DAY} trades a day for a year:"
        f" {figures.trades:,} trades with their orders, **{figures.gigabytes:.1f} GB**. Each question is asked by"
        f" another user through a connection of its own; memory {figures.memory[0]:.0f} → {figures.memory[1]:.0f} MiB.",
        "",
        "| question | median | p95 |",
        "| --- | ---: | ---: |",
        *(f"| {name} | {median:.1f} ms | **{p95:.1f} ms** |" for name, (median, p95) in figures.questions.items()),
    ]
    return "\n".join([*lines, ""])


def _imports(directory: Path) -> str:
    figures = imports.measure(directory)
    lines = [
        "## An imported book",
        "",
        f"{figures.lines:,} told fills become {figures.rows:,} rows beside the desk: {figures.spool:.1f} s sorted and"
        f" freed of doubles, **{figures.build:.1f} s** folded, linked and written ({figures.file_mib:,.0f} MiB of"
        f" scratch, {figures.peak_mib:,.0f} MiB of memory).",
    ]
    return "\n".join([*lines, ""])


def _moving(directory: Path) -> str:
    figures = moving.measure(directory / "moving", MOVED_TRADES)
    lines = [
        "## Moving house",
        "",
        f"{figures.trades:,} trades with their orders ({figures.gigabytes:.2f} GB), each way killed at half its rows.",
        "",
        "| way | rows | killed after | found by the second run | moving | comparing | proving | memory |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        *(
            f"| {name} | {way.rows:,} | {way.killed_after:.0f} s | {way.found:,} | {way.moving:.0f} s |"
            f" {way.comparing:.0f} s | {way.proving:.0f} s | {way.mebibytes:.0f} MiB |"
            for name, way in (("SQLite to PostgreSQL", figures.there), ("back", figures.back))
        ),
    ]
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


def _http(directory: Path) -> str:
    lines = [
        "## Over HTTP",
        "",
        f"{HTTP_CONNECTIONS} kept-alive connections from another process, each waiting for its answer. The desk is"
        " served as `plimsoll up` serves it, on synthetic prices; an order is durable, at the desk and at its venue,"
        f" before it is answered. Widened: {WIDENED}.",
        "",
        "Without a database: the same framework, server, door and models in the same layout, answering at once.",
        "",
        "| request | requests/s | without a database/s | ratio | p50 | p99 | p99 without a database |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for kind in ("LIMIT", "MARKET"):

        def place(server: str, kind: str = kind) -> LoadFigures:
            return http_load.measure_orders(server, _fresh(directory), kind, HTTP_CONNECTIONS, 6_000)

        lines.append(_http_row(f"`POST /orders`, {kind.lower()}", place))

    def read(server: str) -> LoadFigures:
        return http_load.measure_positions(server, _fresh(directory), HTTP_CONNECTIONS, 4_000)

    lines.append(_http_row(f"`GET /positions`, {len(http_load.SYMBOLS)} open", read))
    return "\n".join([*lines, ""])


def _http_row(name: str, measure: Callable[[str], LoadFigures]) -> str:
    # By turns: what else the machine does meanwhile is done to both.
    runs = [(measure("bare"), measure("desk")) for _ in range(RUNS)]
    bare, desk = (median_of([run[side] for run in runs], lambda run: run.per_second) for side in (0, 1))
    return (
        f"| {name} | **{desk.per_second:,.0f}** | {bare.per_second:,.0f} | {desk.per_second / bare.per_second:.2f} |"
        f" {desk.p50_milliseconds:.1f} ms | {desk.p99_milliseconds:.1f} ms | {bare.p99_milliseconds:.1f} ms |"
    )


def _stream(directory: Path) -> str:
    lines = [
        "## The stream",
        "",
        f"WebSockets of one account, all in the client's process; {stream.ORDERS_PER_SECOND} resting orders a second,"
        f" two events each, then as many as {stream.CONNECTIONS} connections can place. Late is the time from an"
        " event's own time, which lies before its commit, to its arrival; all had every event of the steady part.",
        "",
        "| subscribers | frames/s | late p50 | late p99 | an order p50 | p99 | at once: orders/s | p99 | frames/s |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for subscribers in (0, 200):
        runs = [stream.measure(_fresh(directory), subscribers, 10, 3_000) for _ in range(RUNS)]
        lines.append(_stream_row(median_of(runs, lambda run: run.burst.per_second)))
    return "\n".join([*lines, ""])


def _stream_row(figure: StreamFigures) -> str:
    got = (
        f"{figure.frames_per_second:,.0f} | {figure.p50_milliseconds:.1f} ms | {figure.p99_milliseconds:.1f} ms"
        if figure.subscribers
        else "– | – | –"
    )
    return (
        f"| {figure.subscribers} | {got} | {figure.steady.p50_milliseconds:.1f} ms |"
        f" {figure.steady.p99_milliseconds:.1f} ms | **{figure.burst.per_second:,.0f}** |"
        f" {figure.burst.p99_milliseconds:.1f} ms | {figure.burst_frames_per_second:,.0f} |"
    )


def _memory(directory: Path, minutes: float) -> str:
    if not memory.can_measure():
        told = "Skipped: this machine has no /proc, which tells how much memory a process has."
        sys.stderr.write(f"{told}\n")
        return f"## Memory\n\n{told}\n"
    figure = memory.measure(_fresh(directory), minutes)
    lines = [
        "## Memory",
        "",
        f"One run: a served desk under {memory.ORDERS_PER_SECOND} orders a second, half of them filled, half resting"
        f" and taken back, with {memory.SUBSCRIBERS} subscribers; {figure.orders:,} orders, {figure.frames:,} frames.",
        "",
        "| after | resident |",
        "| ---: | ---: |",
        *(f"| {minute:g} min | **{mebibytes:.0f} MiB** |" for minute, mebibytes in figure.marks),
    ]
    return "\n".join([*lines, ""])


def _fresh(directory: Path) -> Path:
    return Path(tempfile.mkdtemp(dir=directory))


if __name__ == "__main__":
    main()
