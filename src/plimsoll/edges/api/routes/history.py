"""What was: profit and loss, movements of cash, limits that were met, who did what, what happened."""

from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from plimsoll.edges.api.access import Reader
from plimsoll.edges.api.answers import API, StrictRoute, answer
from plimsoll.edges.api.present import history as shown
from plimsoll.edges.api.problems import refused_field
from plimsoll.edges.api.routes.orders import Cursor, Limit, Named, Symbol
from plimsoll.edges.api.schemas import BreachesPage, CashLinesPage, EventsPage, NotesPage, Pnl, PnlBy, Policies
from plimsoll.model.cash import CashKind

router = APIRouter(prefix=API, route_class=StrictRoute, tags=["history"])

#: What a book can hold.
_OLDEST, _NEWEST = date(1970, 1, 1), date(2200, 1, 1)
#: Most days of one answer that tells of each; by anything else, an answer is as long as what it tells by.
MOST_DAYS = 366
#: Without a word about the time: this day and the thirty before it.
_USUAL = timedelta(days=30)


@router.get("/pnl", response_model=Pnl)
def profit_and_loss(  # noqa: PLR0917  FastAPI makes a parameter of the query of each
    caller: Reader,
    by: PnlBy = "day",
    first_day: Annotated[date | None, Query(alias="from")] = None,
    last_day: Annotated[date | None, Query(alias="to")] = None,
    portfolio: Named = None,
    symbol: Symbol = None,
) -> Response:
    """Tell what was earned between two days (UTC), both included: realised profit, fees, funding and the like, apart.

    Without days, the last thirty and today. A line counts in one currency; what is in another has a line of its own.
    """
    for name, day in (("from", first_day), ("to", last_day)):
        if day is not None and not _OLDEST <= day <= _NEWEST:
            raise refused_field(name, day.isoformat(), "give a day between 1970 and 2200")
    last = last_day or caller.desk.clock.now().date()
    first = first_day or max(last - _USUAL, _OLDEST)
    if by == "day" and (last - first).days >= MOST_DAYS:
        raise refused_field("from", first.isoformat(), f"ask for at most {MOST_DAYS} days, or by month")
    return answer(shown.pnl(caller, by, first_day=first, last_day=last, portfolio=portfolio, symbol=symbol))


@router.get("/funds/history", response_model=CashLinesPage)
def list_cash_lines(
    caller: Reader, kind: CashKind | None = None, portfolio: Named = None, cursor: Cursor = None, limit: Limit = 100
) -> Response:
    """List every movement of every asset, newest first; of one kind only, where one is named."""
    return answer(shown.cash_lines(caller, portfolio=portfolio, kind=kind, cursor=cursor, limit=limit))


@router.get("/breaches", response_model=BreachesPage)
def list_breaches(caller: Reader, account: Named = None, cursor: Cursor = None, limit: Limit = 100) -> Response:
    """List limits that were met, newest first."""
    return answer(shown.breaches(caller, account=account, cursor=cursor, limit=limit))


@router.get("/audit", response_model=NotesPage)
def list_notes(caller: Reader, account: Named = None, cursor: Cursor = None, limit: Limit = 100) -> Response:
    """List who did what, newest first, as the accounts' chains have it."""
    return answer(shown.notes(caller, account=account, cursor=cursor, limit=limit))


@router.get("/events", response_model=EventsPage)
def list_events(caller: Reader, account: Named = None, cursor: Cursor = None, limit: Limit = 100) -> Response:
    """List what happened, newest first, as far back as it is kept; `GET stream` follows it."""
    return answer(shown.events(caller, account=account, cursor=cursor, limit=limit))


@router.get("/policies", response_model=Policies)
def list_policies(caller: Reader) -> Response:
    """List every version of every policy that binds the caller."""
    return answer(shown.policies(caller))
