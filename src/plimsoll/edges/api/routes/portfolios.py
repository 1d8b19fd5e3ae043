"""What the caller has, what it is worth, and what it was worth."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from plimsoll.edges.api.access import Reader
from plimsoll.edges.api.answers import API, StrictRoute, answer
from plimsoll.edges.api.present import imported as imported_shown
from plimsoll.edges.api.present import worth as shown
from plimsoll.edges.api.problems import refused_field
from plimsoll.edges.api.schemas import (
    EquityCurve,
    EquityPoint,
    PortfolioRow,
    Portfolios,
    PortfolioSummary,
    Positions,
)

#: What a book can hold; times at the ends of the calendar have no UTC.
_OLDEST, _NEWEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)

router = APIRouter(prefix=API, route_class=StrictRoute, tags=["portfolios"])


@router.get("/portfolios", response_model=Portfolios)
async def list_portfolios(caller: Reader) -> Response:
    """List the caller's portfolios with their cash; imported books behind those that are traded on."""
    mine = caller.estate.portfolios(caller.actor)
    imported = await run_in_threadpool(imported_shown.portfolios, caller, caller.estate.imported(caller.actor))
    return answer(Portfolios(items=[*(shown.portfolio(caller.desk, portfolio) for portfolio in mine), *imported]))


@router.get("/portfolios/{portfolio_id}", response_model=PortfolioRow)
async def get_portfolio(portfolio_id: str, caller: Reader) -> Response:
    """Give one portfolio, by id or name."""
    found = caller.estate.portfolio(caller.actor, portfolio_id)
    if caller.estate.is_imported(found):
        return answer((await run_in_threadpool(imported_shown.portfolios, caller, [found]))[0])
    return answer(shown.portfolio(caller.desk, found))


@router.get("/portfolio", response_model=PortfolioSummary)
async def summarise(caller: Reader, portfolio: str | None = None) -> Response:
    """Tell what a portfolio is worth and how it is used; without a name, all that the caller trades on together."""
    chosen = caller.estate.within(caller.actor, portfolio)
    if chosen and caller.estate.is_imported(chosen[0]):
        return answer(await run_in_threadpool(imported_shown.summary, caller, chosen[0]))
    return answer(shown.summary(caller, chosen))


@router.get("/positions", response_model=Positions)
async def list_positions(caller: Reader, portfolio: str | None = None) -> Response:
    """List open positions at today's prices; where a price is not in time, its value is unknown.

    Without a name, of all that the caller trades on; those of an imported book where it is named.
    """
    chosen = caller.estate.within(caller.actor, portfolio)
    if chosen and caller.estate.is_imported(chosen[0]):
        return answer(await run_in_threadpool(imported_shown.positions, caller, chosen[0]))
    return answer(shown.positions(caller, chosen))


@router.get("/equity", response_model=EquityCurve)
def equity_curve(
    caller: Reader,
    points: Annotated[int, Query(ge=2, le=5_000)] = 500,
    since: Annotated[datetime | None, Query(alias="from")] = None,
    until: Annotated[datetime | None, Query(alias="to")] = None,
    account: str | None = None,
) -> Response:
    """Give what an account was worth over time, as at most so many points; every peak and trough is among them."""
    for name, when in (("from", since), ("to", until)):
        if when is not None and when.tzinfo is None:
            raise refused_field(name, when.isoformat(), "give a time with its zone, such as 2022-01-21T10:05:00Z")
        if when is not None and not _OLDEST <= when <= _NEWEST:
            raise refused_field(name, when.isoformat(), "give a time between 1970 and 2200")
    served = caller.estate.account(caller.actor, account)
    record = caller.estate.record(served)
    curve = caller.book.curve.equity(record.id, since=since, until=until, points=points)
    items = [EquityPoint(at=p.at, equity=p.equity, nav=p.nav, peak=p.peak, drawdown=p.drawdown) for p in curve]
    return answer(EquityCurve(account=record.uid, currency=record.base_currency, items=items))
