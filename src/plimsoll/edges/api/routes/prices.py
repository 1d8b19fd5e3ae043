"""What can be traded, and at what prices. Ages are told beside prices; what is too old is shown, not decided at."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from plimsoll.edges.api.access import Reader
from plimsoll.edges.api.answers import API, StrictRoute, answer
from plimsoll.edges.api.present import prices as shown
from plimsoll.edges.api.schemas import Candles, Instruments, Interval, QuoteRow, Quotes

#: Name or id of a portfolio: its account's source is meant. Two accounts may trade one symbol at two prices.
Named = Annotated[str | None, Query(max_length=200)]

router = APIRouter(prefix=API, route_class=StrictRoute, tags=["prices"])


@router.get("/instruments", response_model=Instruments)
async def list_instruments(caller: Reader, portfolio: Named = None) -> Response:
    """List what the caller's accounts can trade, and in which steps."""
    return answer(Instruments(items=shown.instruments(caller, portfolio)))


@router.get("/quotes", response_model=Quotes)
async def list_quotes(caller: Reader, portfolio: Named = None) -> Response:
    """Give the last quote of every instrument that ever had one, with its age."""
    return answer(Quotes(items=shown.quotes(caller, portfolio)))


@router.get("/quotes/{symbol:path}", response_model=QuoteRow)
async def get_quote(symbol: str, caller: Reader, portfolio: Named = None) -> Response:
    """Give the last quote of one instrument, with its age."""
    return answer(shown.quote_of(caller, symbol, portfolio))


@router.get("/candles", response_model=Candles)
async def list_candles(
    caller: Reader,
    symbol: Annotated[str, Query(max_length=64)],
    portfolio: Named = None,
    interval: Interval = "1m",
    limit: Annotated[int, Query(ge=1, le=1_000)] = 300,
) -> Response:
    """Give bars, oldest first; the last one may still be open."""
    return answer(await shown.candles(caller, symbol, portfolio, interval, limit))
