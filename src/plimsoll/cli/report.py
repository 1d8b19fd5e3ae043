"""What a replay came to, read from its books: as fields for machines, as a page for a person.

Every number but the time it took comes out of the database, so that a finished replay reports the same again.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from plimsoll.bootstrap import DataDirectory
from plimsoll.bots.replay import Progress
from plimsoll.bots.replay_plan import ACCOUNT, ReplayPlan
from plimsoll.cli.prepare import Prepared
from plimsoll.cli.words import print_table
from plimsoll.ledger.digest import digest
from plimsoll.ledger.glance import GuardEvent, guard_events
from plimsoll.ledger.verify import VerifyReport, verify
from plimsoll.ledger.views import Counters, EquityPoint, counters, equity_curve
from plimsoll.market.candles import Gap
from plimsoll.model import money
from plimsoll.model.money import decimal_text
from plimsoll.store.sqlite import reader

#: The guard's own words for what it did; to stop opening is part of the first three.
_KINDS = {
    "WARN": "warning",
    "START_COUNTDOWN": "countdown",
    "STAND_DOWN": "stand_down",
    "CLOSE_ALL": "close",
    "LATCH": "latch",
    "LET_OPEN": "lift",
}


@dataclass(frozen=True, slots=True)
class GuardEntry:
    """One thing that a guard did, in the order it happened."""

    time: datetime
    kind: str
    drawdown: Decimal | None
    #: Positions closed in this episode.
    closed: int


@dataclass(frozen=True, slots=True)
class Report:
    """What a replay came to."""

    symbol: str
    strategy: str
    #: Where the prices came from: `replay` or `synthetic`.
    prices: str
    bars: int
    orders: int
    refused: int
    trades: int
    #: In the account's currency.
    fees: Decimal
    equity_start: Decimal
    equity_peak: Decimal
    equity_end: Decimal
    #: Of the value of one unit, from its highest so far, whether or not a guard began to count anew.
    max_drawdown: Decimal
    gaps: tuple[Gap, ...]
    #: Bars left out because the ask stood below the bid.
    crossed: int
    guards: tuple[GuardEntry, ...]
    digest: str
    verify: dict[str, object]
    #: Book and venue were found equal at the end; None when this run only printed the report.
    reconciled: bool | None
    #: Bars worked through by this very run; 0 when it was finished before.
    bars_this_run: int
    elapsed_s: float
    bars_per_s: float


def report_of(
    directory: DataDirectory, job: Prepared, progress: Progress, *, bars: int, elapsed: float, reconciled: bool | None
) -> tuple[Report, VerifyReport]:
    """Read the report of a finished replay from its books, and prove them."""
    engine = reader(directory.database)
    counted = counters(engine)
    start, peak, end, deepest = _curve(job.plan, equity_curve(engine, ACCOUNT))
    proof = prove(directory)
    report = Report(
        symbol=job.plan.symbol,
        strategy=job.plan.strategy,
        prices=job.plan.prices,
        bars=progress.bars,
        orders=counted.orders,
        refused=counted.refused,
        trades=counted.trades,
        fees=_fees(counted, job.market.instrument.quote),
        equity_start=start,
        equity_peak=peak,
        equity_end=end,
        max_drawdown=deepest,
        gaps=job.market.gaps,
        crossed=job.market.crossed,
        guards=tuple(_entry(event) for event in guard_events(engine) if event.action in _KINDS),
        digest=digest(engine),
        verify=proof.to_json(),
        reconciled=reconciled,
        bars_this_run=bars,
        elapsed_s=round(elapsed, 3),
        bars_per_s=round(bars / elapsed, 1) if elapsed > 0 else 0.0,
    )
    return report, proof


def prove(directory: DataDirectory) -> VerifyReport:
    """Verify the books with what lies beside them: the chain's key and the stamp, where they are."""
    key = bytes.fromhex(directory.chain_key_file.read_text()) if directory.chain_key_file.exists() else None
    return verify(directory.book, key, directory.stamp if directory.stamp.exists() else None)


def _curve(plan: ReplayPlan, points: tuple[EquityPoint, ...]) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    start = peak = end = Decimal(plan.deposit)
    highest, deepest = Decimal(1), money.ZERO
    for point in points:
        peak, end = max(peak, point.equity), point.equity
        highest = max(highest, point.nav)
        if point.nav < highest:
            deepest = max(deepest, money.settle_quotient(highest - point.nav, highest))
    return start, peak, end, deepest


def _fees(counted: Counters, currency: str) -> Decimal:
    fees = dict(counted.fees)
    total = fees.pop(currency, money.ZERO)
    assert not any(fees.values()), "Invariant: paper charges its fees in the account's currency."
    return total


def _entry(event: GuardEvent) -> GuardEntry:
    return GuardEntry(event.at, _KINDS[event.action], event.drawdown, event.closed)


def show(report: Report, job: Prepared) -> None:
    """Show a report to a person."""
    currency = job.market.instrument.quote
    speed = (
        f"{report.bars_this_run} bars in {report.elapsed_s} s, {report.bars_per_s:.0f} a second"
        if report.bars_this_run
        else "nothing left to do: this replay was finished before"
    )
    label = "the SYNTHETIC market, which never was" if report.prices == "synthetic" else "recorded prices"
    rows: list[tuple[str, object]] = [
        ("prices", label),
        ("bars", report.bars),
        ("gaps", f"{len(report.gaps)} ({sum(gap.missing for gap in report.gaps)} bars missing)"),
        ("crossed bars left out", report.crossed),
        ("orders", report.orders),
        ("refused", report.refused),
        ("trades", report.trades),
        ("fees", _amount(report.fees, currency)),
        ("equity at the start", _amount(report.equity_start, currency)),
        ("equity at its peak", _amount(report.equity_peak, currency)),
        ("equity at the end", _amount(report.equity_end, currency)),
        ("largest drawdown", _percent(report.max_drawdown)),
        ("book equals venue", "not compared in this run" if report.reconciled is None else report.reconciled),
        ("verified", report.verify["ok"]),
        ("digest", report.digest),
        ("speed", speed),
    ]
    print_table(f"Replay of {report.symbol}, strategy {report.strategy}", ("what", "value"), rows)
    if report.guards:
        entries = [(entry.time, entry.kind, _percent(entry.drawdown), entry.closed or None) for entry in report.guards]
        print_table("What the drawdown guard did", ("time", "what", "drawdown", "closed"), entries)
    if report.gaps:
        print_table(
            "Gaps: bars that were not recorded, and were not made up",
            ("after", "until", "missing"),
            [(gap.after, gap.until, gap.missing) for gap in report.gaps[:20]],
        )


def _amount(amount: Decimal, currency: str) -> str:
    return f"{decimal_text(amount)} {currency}"


def _percent(ratio: Decimal | None) -> str | None:
    return None if ratio is None else f"{ratio * 100:.2f} %"
