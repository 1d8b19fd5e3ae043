"""Profit and loss of a stretch of time, taken apart: what prices brought, what fees, funding and interest cost.

Rule 1. A line counts in one asset, and everything in it is of that asset: a fee that was paid in BNB is a line of BNB.
        So every net is known, and nothing is ever converted.
Rule 2. The lines add up to the facts: realised profit of the positions, and the cash lines of every other kind.
Rule 3. What coins brought whose cost nobody knows is neither profit nor loss. It is in no line, and is said beside:
        a sale of 1000 that shows a price of 0 and no word would be read as one that came out even.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TypeVar

from plimsoll.edges.reports.contract import PnlReportAnswer, PnlReportRow, UnknownProceeds
from plimsoll.edges.reports.table import Cell, Kind, Table
from plimsoll.ledger.days import DayMove
from plimsoll.ledger.reading.asking import Portfolios
from plimsoll.ledger.reading.earnings import By, Earned, Of
from plimsoll.ledger.reading.reader import Own
from plimsoll.model import money
from plimsoll.model.cash import CashKind
from plimsoll.model.money import decimal_text

Key = TypeVar("Key")

BY_HAND, OF_NOTHING = "by hand", "no instrument"


@dataclass(frozen=True, slots=True)
class PnlLine:
    """What something earned in one asset."""

    #: What it is told by: a day, a month, or a name; empty for what belongs to nothing of the kind.
    name: str
    #: Whose, where two may have the same name: account and portfolio.
    of: str
    asset: str
    #: What prices brought, before fees.
    price: Decimal = money.ZERO
    #: Paid is below zero, as everything that was paid; a rebate is above.
    fees: Decimal = money.ZERO
    funding: Decimal = money.ZERO
    interest: Decimal = money.ZERO
    dividends: Decimal = money.ZERO
    #: Settlements, liquidations, adjustments.
    other: Decimal = money.ZERO
    turnover: Decimal = money.ZERO
    trade_count: int = 0

    @property
    def net(self) -> Decimal:
        """Add up what prices brought and everything else earned or cost."""
        return self.price + self.fees + self.funding + self.interest + self.dividends + self.other

    def plus(self, more: "PnlLine") -> "PnlLine":
        """Add another line of the same asset; the name stays."""
        return PnlLine(
            self.name,
            self.of,
            self.asset,
            self.price + more.price,
            self.fees + more.fees,
            self.funding + more.funding,
            self.interest + more.interest,
            self.dividends + more.dividends,
            self.other + more.other,
            self.turnover + more.turnover,
            self.trade_count + more.trade_count,
        )


@dataclass(frozen=True, slots=True)
class PnlReport:
    """What was earned between two days, both included."""

    by: By
    since: date
    until: date
    lines: tuple[PnlLine, ...]
    #: What the lines come to, one for each asset.
    totals: tuple[PnlLine, ...]
    #: (asset, amount): what coins of unknown cost brought, over all time: no day says how much of it was whose.
    unknown_proceeds: tuple[tuple[str, Decimal], ...]


def pnl_report(book: Own, by: By, since: date, until: date, among: Portfolios = None) -> PnlReport:
    """Read what was earned, and take it apart."""
    lines: dict[tuple[Of, str], PnlLine] = {}
    for earned in book.earnings.earned(by, since=since, until=until, among=among):
        name, whose = _name(by, earned), _whose(by, earned)
        for line in _apart(earned.move, earned.currency, name, whose):
            _add(lines, (earned.of, line.asset), line)
    totals: dict[str, PnlLine] = {}
    for line in lines.values():
        _add(totals, line.asset, PnlLine("total", "", line.asset).plus(line))
    in_order = sorted(lines.values(), key=lambda line: (line.name, line.of, line.asset))
    in_sum = tuple(totals[asset] for asset in sorted(totals))
    return PnlReport(by, since, until, tuple(in_order), in_sum, book.earnings.of_unknown_cost(among=among))


def _add(lines: dict[Key, PnlLine], key: Key, line: PnlLine) -> None:
    lines[key] = lines[key].plus(line) if key in lines else line


def _name(by: By, earned: Earned) -> str:
    of, named = earned.of, earned.named
    match by:
        case By.DAY | By.MONTH:
            return of.time
        case By.PORTFOLIO:
            return named.portfolio
        case By.INSTRUMENT:
            return named.symbol or OF_NOTHING
        case By.VENUE:
            return named.venue or OF_NOTHING
        case By.STRATEGY:
            # A bot that was thrown away has no name any more; what it earned stays.
            return named.strategy or (f"bot {of.strategy_id}" if of.strategy_id else BY_HAND)


def _whose(by: By, earned: Earned) -> str:
    named = earned.named
    match by:
        case By.PORTFOLIO:
            return named.account
        case By.STRATEGY:
            return f"{named.account} / {named.portfolio}"
        case By.INSTRUMENT:
            return named.venue
        case _:
            return ""


def _apart(move: DayMove, currency: str, name: str, whose: str) -> Iterator[PnlLine]:
    """Give a line for what was traded, and one for each fee and flow; those of one asset are added up behind."""
    if move.trade_count or move.realized or move.turnover:
        yield PnlLine(name, whose, currency, move.realized, turnover=move.turnover, trade_count=move.trade_count)
    for asset, amount in move.fees:
        yield PnlLine(name, whose, asset, fees=-amount)
    for kind, asset, amount in move.flows:
        match kind:
            case CashKind.FUNDING:
                yield PnlLine(name, whose, asset, funding=amount)
            case CashKind.INTEREST:
                yield PnlLine(name, whose, asset, interest=amount)
            case CashKind.DIVIDEND:
                yield PnlLine(name, whose, asset, dividends=amount)
            case _:
                yield PnlLine(name, whose, asset, other=amount)


# Shown ----------------------------------------------------------------------------------------------------------------


def pnl_answer(report: PnlReport) -> PnlReportAnswer:
    """Put it into the fields of the contract."""
    return PnlReportAnswer(
        by=report.by.value,
        first_day=report.since,
        last_day=report.until,
        items=[_row(line) for line in report.lines],
        totals=[_row(line) for line in report.totals],
        unknown_proceeds=[UnknownProceeds(asset=asset, amount=amount) for asset, amount in report.unknown_proceeds],
    )


def pnl_table(report: PnlReport) -> Table:
    """Put it into a table; the footer has a line for each asset."""
    return Table(
        pnl_title(report),
        [(report.by.value, "text"), *_COLUMNS],
        [_cells(line) for line in report.lines],
        [_cells(line) for line in report.totals],
        (
            "A line counts in its own asset; nothing is converted, and nothing is added across assets.",
            "Price is what trades realised, gross, at average cost; what is paid is below zero.",
            "Days are days in UTC.",
            *map(unknown_cost, report.unknown_proceeds),
        ),
    )


def unknown_cost(brought: tuple[str, Decimal]) -> str:
    """Say what coins of unknown cost brought in one asset."""
    asset, amount = brought
    return f"{decimal_text(amount)} {asset} (over all time) is for coins whose cost nobody knows: no profit, no loss."


def pnl_title(report: PnlReport) -> str:
    """Say what it is of."""
    return f"Profit and loss by {report.by.value}, {report.since.isoformat()} to {report.until.isoformat()}"


_COLUMNS: tuple[tuple[str, Kind], ...] = (
    ("of", "text"),
    ("asset", "text"),
    ("price", "money"),
    ("fees", "money"),
    ("funding", "money"),
    ("interest", "money"),
    ("dividends", "money"),
    ("other", "money"),
    ("net", "money"),
    ("turnover", "money"),
    ("trades", "quantity"),
)


def _cells(line: PnlLine) -> tuple[Cell, ...]:
    parts = (line.price, line.fees, line.funding, line.interest, line.dividends, line.other)
    return (line.name, line.of, line.asset, *parts, line.net, line.turnover, line.trade_count)


def _row(line: PnlLine) -> PnlReportRow:
    return PnlReportRow(
        name=line.name,
        of=line.of,
        asset=line.asset,
        price=line.price,
        fees=line.fees,
        funding=line.funding,
        interest=line.interest,
        dividends=line.dividends,
        other=line.other,
        net=line.net,
        turnover=line.turnover,
        trade_count=line.trade_count,
    )
