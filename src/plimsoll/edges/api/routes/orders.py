"""Orders: ask, place, look, take back. The same key is the same order, however often it is sent."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from plimsoll.edges.api import commands
from plimsoll.edges.api.access import Closer, Reader
from plimsoll.edges.api.answers import API, StrictRoute, answer
from plimsoll.edges.api.present import orders as shown
from plimsoll.edges.api.schemas import (
    ExecuteTrade,
    NewOrder,
    OrderRow,
    OrdersPage,
    OrderStatus,
    PlacedOrder,
    Preview,
    TradeRow,
    TradesPage,
)

router = APIRouter(prefix=API, route_class=StrictRoute, tags=["orders"])

#: Described here and read by hand: the framework looks a header's type up anew for every order, which costs as much as
#: finding out who is asking.
_KEY: dict[str, Any] = {
    "parameters": [
        {
            "name": commands.KEY_HEADER,
            "in": "header",
            "required": False,
            "description": "1 to 128 visible ASCII characters: the same key is the same order. Left out, the answer has"
            " one.",
            "schema": {"type": "string", "pattern": "^[!-~]{1,128}$"},
        }
    ]
}
#: What a command answers beside 201.
_AGAIN: dict[int | str, dict[str, Any]] = {
    200: {"description": "This key was answered before: the first answer."},
    202: {"description": "It is in the book, and the venue has not said yet what it makes of it."},
}


def _again(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    return {status: {**told, "model": model} for status, told in _AGAIN.items()}


Limit = Annotated[int, Query(ge=1, le=500)]
Cursor = Annotated[str | None, Query(max_length=500)]
Symbol = Annotated[str | None, Query(max_length=64)]
#: Name or id of a portfolio; without it, all of the caller's.
Named = Annotated[str | None, Query(max_length=200)]


@router.get("/orders", response_model=OrdersPage)
def list_orders(  # noqa: PLR0917  FastAPI makes a parameter of the query of each
    caller: Reader,
    status: OrderStatus = "open",
    symbol: Symbol = None,
    portfolio: Named = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """List orders, newest first."""
    page = shown.orders_page(caller, status, symbol=symbol, portfolio=portfolio, cursor=cursor, limit=limit)
    return answer(page)


@router.post("/orders", response_model=PlacedOrder, status_code=201, responses=_again(PlacedOrder), openapi_extra=_KEY)
async def place_order(wish: NewOrder, closer: Closer, request: Request) -> Response:
    """Place an order: 201 when it was new, 200 when this key was answered before, 202 while its fate is not known.

    A refusal is 422 with every control that said no. After a 503 the same key tells what became of the order.
    """
    return await commands.place(closer, wish, request.headers.get(commands.KEY_HEADER))


@router.post("/orders/preview", response_model=Preview)
async def preview_order(wish: NewOrder, caller: Reader) -> Response:
    """Ask what the gate would say and what the order would do. Nothing is written."""
    return answer(await commands.preview(caller, wish))


@router.get("/orders/{order_id}", response_model=OrderRow)
def get_order(order_id: str, caller: Reader) -> Response:
    """Give one order as the book has it."""
    return answer(shown.order(caller, order_id))


@router.post("/orders/{order_id}/cancel", response_model=OrderRow)
async def cancel_order(order_id: str, closer: Closer) -> Response:
    """Take an order back; the answer says how the venue ended it, or how it stands while that is not known."""
    return answer(await commands.cancel(closer, order_id))


@router.delete("/orders/{order_id}", response_model=OrderRow)
async def delete_order(order_id: str, closer: Closer) -> Response:
    """Take an order back, in the other usual words."""
    return answer(await commands.cancel(closer, order_id))


@router.get("/trades", response_model=TradesPage)
def list_trades(
    caller: Reader, symbol: Symbol = None, portfolio: Named = None, cursor: Cursor = None, limit: Limit = 100
) -> Response:
    """List fills, newest first."""
    return answer(shown.trades_page(caller, symbol=symbol, portfolio=portfolio, cursor=cursor, limit=limit))


@router.post(
    "/trades/execute", response_model=TradeRow, status_code=201, responses=_again(TradeRow), openapi_extra=_KEY
)
async def execute_trade(wish: ExecuteTrade, closer: Closer, request: Request) -> Response:
    """Trade at the market for a quote value; the answer adds up the fills, and its status says when there are none."""
    return await commands.execute(closer, wish, request.headers.get(commands.KEY_HEADER))
