"""Reports: profit and loss taken apart, performance; for a machine, a spreadsheet, or a printer.

They read the book and not the desk's memory: an imported portfolio, which nobody trades on, is told like any other.
"""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.responses import Response

from plimsoll.edges.api.access import Caller, Reader
from plimsoll.edges.api.answers import API, StrictRoute, answer
from plimsoll.edges.api.problems import missing, refused_field
from plimsoll.edges.api.routes.orders import Named
from plimsoll.edges.api.schemas import DecIn
from plimsoll.edges.reports.asked import called, days_asked
from plimsoll.edges.reports.contract import PerformanceAnswer, PnlReportAnswer, ReportBy
from plimsoll.edges.reports.performance import (
    performance_answer,
    performance_report,
    performance_tables,
    performance_title,
)
from plimsoll.edges.reports.pnl import pnl_answer, pnl_report, pnl_table, pnl_title
from plimsoll.edges.reports.table import Table, to_csv, to_html
from plimsoll.ledger.reading.earnings import By
from plimsoll.model.ids import PortfolioId

router = APIRouter(prefix=API, route_class=StrictRoute, tags=["reports"])

Format = Literal["json", "csv", "html"]
FirstDay = Annotated[date | None, Query(alias="from")]
LastDay = Annotated[date | None, Query(alias="to")]
Year = Annotated[int | None, Query()]
FormatAsked = Annotated[Format, Query(alias="format")]

_CSV, _HTML = "text/csv; charset=utf-8", "text/html; charset=utf-8"
#: What a report may be besides JSON.
AS_PAPER: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": {"schema": {"type": "string"}}, "text/html": {"schema": {"type": "string"}}}}
}


@router.get("/reports/pnl", response_model=PnlReportAnswer, responses=AS_PAPER)
def report_pnl(  # noqa: PLR0917  FastAPI makes a parameter of the query of each
    caller: Reader,
    by: ReportBy = "month",
    first_day: FirstDay = None,
    last_day: LastDay = None,
    year: Year = None,
    portfolio: Named = None,
    form: FormatAsked = "json",
) -> Response:
    """Tell profit and loss between two days (UTC), both included, taken apart; without days, this year up to today.

    A line counts in one asset, and nothing is converted. As `csv` there are the lines, as `html` a page to print.
    """
    since, until = days_asked(first_day, last_day, year, caller.desk.clock.now().date())
    report = pnl_report(caller.book, By(by), since, until, portfolio_asked(caller, portfolio))
    return handed_over([pnl_table(report)], pnl_title(report), pnl_answer(report), form)


@router.get("/reports/performance", response_model=PerformanceAnswer, responses=AS_PAPER)
def report_performance(  # noqa: PLR0917  as above
    caller: Reader,
    first_day: FirstDay = None,
    last_day: LastDay = None,
    year: Year = None,
    portfolio: Named = None,
    capital: Annotated[DecIn | None, Query()] = None,
    form: FormatAsked = "json",
) -> Response:
    """Tell return, drawdown, volatility, Sharpe, Sortino, win rate, profit factor and exposure.

    `capital` is the money at work at the beginning, for a portfolio whose book tells of none.
    """
    if capital is not None and capital <= 0:
        raise refused_field("capital", capital, "give an amount above 0")
    now = caller.desk.clock.now()
    since, until = days_asked(first_day, last_day, year, now.date())
    among = portfolio_asked(caller, portfolio)
    report = performance_report(caller.book, since, until, now, among=among, capital=capital)
    return handed_over(performance_tables(report), performance_title(report), performance_answer(report), form)


def portfolio_asked(caller: Caller, said: str | None) -> list[PortfolioId] | None:
    """Find the portfolio that is meant; None where none is named, which means all of his.

    Raises: Refused
    """
    if said is None:
        return None
    found = called(caller.book.earnings.portfolios(), said)
    if not found:
        raise missing()
    if len(found) > 1:
        raise refused_field("portfolio", said, "several accounts have one of this name: give its id")
    return [found[0].id]


def handed_over(tables: Sequence[Table], title: str, told: BaseModel, form: Format) -> Response:
    """Write a report as it is wanted; CSV is of its first table."""
    if form == "csv":
        return Response(to_csv(tables[0]), media_type=_CSV)
    if form == "html":
        return Response(to_html(tables, title), media_type=_HTML)
    return answer(told)
