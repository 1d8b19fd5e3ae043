"""Performance: what became of money, how much it was shaken, and how often a trade was won.

Where a desk looked at what an account was worth, returns are those of one unit of it: what was paid in or out is no
profit. An imported book was never looked at, and a portfolio is a part of an account: there a day's return is what was
earned on it (realised, after fees and flows in the account's currency) for each unit of money put in until then.

Rule 1. What cannot be known is None: one day that earned on no money that the book knows of leaves the curve unknown.
Rule 2. Nothing is converted: what was earned in another currency is in no curve.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Literal, TypeAlias

from plimsoll.edges.reports.contract import (
    PerformanceAnswer,
    PerformanceCurve,
    PerformancePoint,
    PerformanceTrips,
)
from plimsoll.edges.reports.pnl import pnl_report
from plimsoll.edges.reports.table import Table
from plimsoll.ledger.reading.asking import Portfolios
from plimsoll.ledger.reading.earnings import By, OwnPortfolio
from plimsoll.ledger.reading.performance import OwnTrip, WorthOfDay
from plimsoll.ledger.reading.reader import Own
from plimsoll.ledger.trips import Trip
from plimsoll.model import money
from plimsoll.model.clock import parse_time
from plimsoll.model.errors import Illegal
from plimsoll.model.ids import AccountId
from plimsoll.risk.performance import Judged, Tally, growth, judge, tally

Source: TypeAlias = Literal["equity", "money_put_in", "returns"]

#: A desk looks at its accounts on every day of the year.
DAYS_PER_YEAR = 365
_FIRST_DAY = date(1970, 1, 1)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Curve:
    """Returns of a stretch of time, and what they come to."""

    of: str
    currency: str | None
    source: Source
    days: tuple[date, ...]
    returns: tuple[Decimal | None, ...]
    periods_per_year: int
    judged: Judged
    #: What was there at the beginning, where somebody says so.
    capital: Decimal | None = None


@dataclass(frozen=True, slots=True)
class TripsOf:
    """Round trips of one currency."""

    currency: str
    counted: Tally
    unknown: int
    still_open: int
    exposure: Decimal | None


@dataclass(frozen=True, slots=True)
class PerformanceReport:
    """Performance between two days, both included; of a file of returns, of all of it."""

    since: date | None
    until: date | None
    curves: tuple[Curve, ...]
    trips: tuple[TripsOf, ...]


def performance_report(
    book: Own, since: date, until: date, now: datetime, *, among: Portfolios = None, capital: Decimal | None = None
) -> PerformanceReport:
    """Read how it went.

    Shapes: `capital` is the money at work at the beginning, for a book that does not tell of it
    Raises: Illegal for a capital of which nobody knows which account it is of
    """
    every = book.earnings.portfolios()
    curves: list[Curve] = []
    for account, its in _by_account(every).items():
        wanted = [one for one in its if among is None or one.id in among]
        if wanted:
            worth = book.performance.worth(account, since=since, until=until) if wanted == its else ()
            curve = _of_worth(wanted[0], worth, since)
            curves.append(curve or _of_money(book, wanted, since, until, capital))
    from_money = [curve for curve in curves if curve.source == "money_put_in"]
    if capital is not None and len(from_money) != 1:
        raise Illegal("capital", capital, "name one portfolio that it was put into, and whose worth nobody recorded")
    trips = book.performance.trips(since=since, until=until, among=among)
    end = min(now, _midnight(until + _DAY))
    return PerformanceReport(since, until, tuple(curves), tuple(_trips_of(trips, _midnight(since), end)))


def returns_report(
    name: str, days: Sequence[date], returns: Sequence[Decimal | None], periods_per_year: int, capital: Decimal | None
) -> PerformanceReport:
    """Judge returns that somebody else has reckoned.

    Raises: Illegal for such that grow beyond every number
    """
    try:
        judged = judge(returns, periods_per_year)
    except ArithmeticError as beyond:
        most = max(one for one in returns if one is not None)
        raise Illegal("returns", most, "they grow beyond every number; 0.01 is one percent") from beyond
    curve = Curve(name, None, "returns", tuple(days), tuple(returns), periods_per_year, judged, capital)
    first, last = (days[0], days[-1]) if days else (None, None)
    return PerformanceReport(first, last, (curve,), ())


def _by_account(portfolios: Iterable[OwnPortfolio]) -> Mapping[AccountId, list[OwnPortfolio]]:
    accounts: defaultdict[AccountId, list[OwnPortfolio]] = defaultdict(list)
    for portfolio in portfolios:
        accounts[portfolio.account_id].append(portfolio)
    return accounts


# Curves ---------------------------------------------------------------------------------------------------------------


def _of_worth(account: OwnPortfolio, worth: Sequence[WorthOfDay], since: date) -> Curve | None:
    """Make the curve of an account that was looked at; None where it was not, on two days at least."""
    days = [date.fromisoformat(one.day) for one in worth]
    if len(days) < 2 or days[-1] < since:
        return None
    returns = [
        money.settle_quotient(after.nav - before.nav, before.nav) if before.nav > 0 else None
        for before, after in pairwise(worth)
    ]
    judged = _judged(returns)
    if judged.total_return is not None:
        # What happened within a day counts: ends of days alone would hide a trough.
        judged = replace(judged, max_drawdown=min(one.drawdown for one in worth))
    return Curve(account.account, account.currency, "equity", tuple(days[1:]), tuple(returns), DAYS_PER_YEAR, judged)


def _of_money(
    book: Own, portfolios: Sequence[OwnPortfolio], since: date, until: date, capital: Decimal | None
) -> Curve:
    """Make the curve of what was earned on the money put in."""
    currency, among = portfolios[0].currency, [one.id for one in portfolios]
    earned: dict[str, Decimal] = {
        line.name: line.net
        for line in pnl_report(book, By.DAY, _FIRST_DAY, until, among).lines
        if line.asset == currency
    }
    paid: defaultdict[str, Decimal] = defaultdict(lambda: money.ZERO)
    for one in book.performance.put_in(until=until, among=among):
        if one.asset == currency:
            paid[one.day] += one.amount
    points = [point for point in _on_money(earned, paid, capital or money.ZERO) if since <= point[0] <= until]
    days, returns = tuple(day for day, _ in points), tuple(value for _, value in points)
    of = portfolios[0].account if len(portfolios) > 1 else portfolios[0].name
    return Curve(of, currency, "money_put_in", days, returns, DAYS_PER_YEAR, _judged(returns), capital)


def _on_money(
    earned: Mapping[str, Decimal], paid: Mapping[str, Decimal], capital: Decimal
) -> Iterator[tuple[date, Decimal | None]]:
    """Give the return of every day from the first on which anything happened to the last."""
    happened = sorted({*earned, *paid})
    if not happened:
        return
    day, last = date.fromisoformat(happened[0]), date.fromisoformat(happened[-1])
    while day <= last:
        name = day.isoformat()
        capital += paid.get(name, money.ZERO)
        gain = earned.get(name, money.ZERO)
        if capital > 0:
            yield day, money.settle_quotient(gain, capital)
        elif gain:
            yield day, None
        capital += gain
        day += _DAY


def _judged(returns: Sequence[Decimal | None]) -> Judged:
    judged = judge(returns, DAYS_PER_YEAR)
    return Judged(judged.count, None, None, None, None, None) if None in returns else judged


# Round trips ----------------------------------------------------------------------------------------------------------


def _trips_of(trips: Iterable[OwnTrip], begin: datetime, end: datetime) -> Iterator[TripsOf]:
    by_currency: defaultdict[str, list[Trip]] = defaultdict(list)
    for one in trips:
        by_currency[one.currency].append(one.trip)
    for currency, its in sorted(by_currency.items()):
        closed = [trip for trip in its if trip.closed_at is not None]
        known = [trip.result for trip in closed if trip.result is not None]
        exposure = _exposure(its, begin, end)
        yield TripsOf(currency, tally(known), len(closed) - len(known), len(its) - len(closed), exposure)


def _exposure(trips: Sequence[Trip], begin: datetime, end: datetime) -> Decimal | None:
    """Say in which part of the time anything was held, from the first trip on or the first day, whichever is later.

    Shapes: trips in the order in which they were opened
    """
    begin = max(begin, parse_time(trips[0].opened_at))
    held, reached = timedelta(), begin
    for trip in trips:
        opened = max(reached, parse_time(trip.opened_at))
        closed = end if trip.closed_at is None else min(end, parse_time(trip.closed_at))
        if closed > opened:
            held, reached = held + (closed - opened), closed
    whole = (end - begin) // timedelta(microseconds=1)
    return money.settle_quotient(Decimal(held // timedelta(microseconds=1)), Decimal(whole)) if whole > 0 else None


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


# Shown ----------------------------------------------------------------------------------------------------------------


def performance_answer(report: PerformanceReport) -> PerformanceAnswer:
    """Put it into the fields of the contract."""
    return PerformanceAnswer(
        first_day=report.since,
        last_day=report.until,
        curves=[_curve_answer(curve) for curve in report.curves],
        trips=[_trips_answer(one) for one in report.trips],
    )


def _curve_answer(curve: Curve) -> PerformanceCurve:
    judged = curve.judged
    return PerformanceCurve(
        of=curve.of,
        currency=curve.currency,
        counted_from=curve.source,
        periods=judged.count,
        periods_per_year=curve.periods_per_year,
        total_return=judged.total_return,
        max_drawdown=judged.max_drawdown,
        annual_volatility=judged.annual_volatility,
        sharpe=judged.sharpe,
        sortino=judged.sortino,
        points=[
            PerformancePoint(
                day=day,
                period_return=one,
                cumulative_return=grown - 1,
                value=None if curve.capital is None else money.settle_product(curve.capital, grown),
            )
            for day, one, grown in zip(curve.days, curve.returns, growth(curve.returns), strict=True)
        ],
    )


def _trips_answer(of: TripsOf) -> PerformanceTrips:
    counted = of.counted
    return PerformanceTrips(
        currency=of.currency,
        closed=counted.count + of.unknown,
        won=counted.won,
        lost=counted.lost,
        unknown=of.unknown,
        still_open=of.still_open,
        win_rate=counted.win_rate,
        gross_profit=counted.gross_profit,
        gross_loss=counted.gross_loss,
        profit_factor=counted.profit_factor,
        exposure=of.exposure,
    )


def performance_title(report: PerformanceReport) -> str:
    """Say what it is of."""
    if report.since is None or report.until is None:
        return "Performance"
    return f"Performance, {report.since.isoformat()} to {report.until.isoformat()}"


def performance_tables(report: PerformanceReport) -> list[Table]:
    """Put it into tables: curves first, then round trips."""
    curves = Table(
        performance_title(report),
        (
            ("of", "text"),
            ("currency", "text"),
            ("counted from", "text"),
            ("periods", "quantity"),
            ("return", "ratio"),
            ("max drawdown", "ratio"),
            ("volatility a year", "ratio"),
            ("Sharpe", "quantity"),
            ("Sortino", "quantity"),
        ),
        [
            (
                *(curve.of, curve.currency or "", curve.source.replace("_", " "), curve.judged.count),
                *(curve.judged.total_return, curve.judged.max_drawdown, curve.judged.annual_volatility),
                *(_short(curve.judged.sharpe), _short(curve.judged.sortino)),
            )
            for curve in report.curves
        ],
        notes=(
            "Equity: what was paid in or out is no profit. Money put in: what was realised each day, after fees and"
            " flows, for each unit of money put in until then.",
            "Sharpe and Sortino by the year, over a rate of 0.",
        ),
    )
    return [curves, _trips_table(report)] if report.trips else [curves]


def _trips_table(report: PerformanceReport) -> Table:
    return Table(
        "Round trips",
        (
            ("currency", "text"),
            ("closed", "quantity"),
            ("won", "quantity"),
            ("lost", "quantity"),
            ("unknown", "quantity"),
            ("open", "quantity"),
            ("win rate", "ratio"),
            ("gross profit", "money"),
            ("gross loss", "money"),
            ("profit factor", "quantity"),
            ("exposure", "ratio"),
        ),
        [
            (
                *(one.currency, one.counted.count + one.unknown, one.counted.won, one.counted.lost),
                *(one.unknown, one.still_open, one.counted.win_rate, one.counted.gross_profit),
                *(one.counted.gross_loss, _short(one.counted.profit_factor), one.exposure),
            )
            for one in report.trips
        ],
        notes=(
            "A round trip is from holding nothing to holding nothing, and comes to what was realised less the fees in"
            " its own currency; funding and fees in other assets are in the profit and loss.",
            "Exposure is the part of the time in which anything was held.",
        ),
    )


def _short(value: Decimal | None) -> Decimal | None:
    """Cut a number without a unit to what a person reads."""
    return None if value is None else Decimal(f"{value:.4f}")
