"""The tax report: what was realised between two days, lot by lot; for a machine, a spreadsheet, or a printer."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response

from plimsoll.edges.api.access import Reader
from plimsoll.edges.api.answers import API, StrictRoute
from plimsoll.edges.api.routes.orders import Named, Symbol
from plimsoll.edges.api.routes.reports import (
    AS_PAPER,
    FirstDay,
    FormatAsked,
    LastDay,
    Year,
    handed_over,
    portfolio_asked,
)
from plimsoll.edges.reports.asked import days_asked
from plimsoll.edges.reports.tax import LONG_AFTER_DAYS, TaxAsked, tax_answer, tax_tables
from plimsoll.edges.reports.tax_contract import TaxAnswer, TaxFees
from plimsoll.ledger.lots import Matching
from plimsoll.model.lots import FeeRule, LotMethod

router = APIRouter(prefix=API, route_class=StrictRoute, tags=["reports"])

#: By name is for the shell: a thousand lines that name lots are no query.
MethodAsked = Literal["fifo", "lifo", "hifo", "lofo", "average"]


@router.get("/reports/tax", response_model=TaxAnswer, responses=AS_PAPER)
def report_tax(  # noqa: PLR0917  FastAPI makes a parameter of the query of each
    caller: Reader,
    first_day: FirstDay = None,
    last_day: LastDay = None,
    year: Year = None,
    method: MethodAsked = "fifo",
    fees: TaxFees = "in-cost",
    portfolio: Named = None,
    symbol: Symbol = None,
    zone: Annotated[str, Query(max_length=64)] = "UTC",
    long_after: Annotated[int, Query(ge=0, le=36_500)] = LONG_AFTER_DAYS,
    only: Annotated[str | None, Query(max_length=32)] = None,
    form: FormatAsked = "json",
) -> Response:
    """Tell what was realised between two days, both included, lot by lot; without days, this year up to today.

    Days are those of `zone`. As `csv` there are the gains, or the table that `only` names: `totals`, `income`,
    `income-totals`, `fees`, `open`; as `html` a page to print.
    """
    since, until = days_asked(first_day, last_day, year, caller.desk.clock.now().date())
    among = portfolio_asked(caller, portfolio)
    matching = Matching(LotMethod(method), FeeRule(fees))
    asked = TaxAsked(since, until, matching, zone, long_after, symbol)
    told = tax_answer(caller.book, asked, among)
    return handed_over([] if form == "json" else tax_tables(told, only), asked.title, told, form)
