"""The same framework without a database: what a request costs before anybody has done anything for it.

The same models read and written, the same door before them, the same server; no caller is looked up, nothing is judged,
written or kept. The answers are as long as the desk's own.
"""

from datetime import timedelta
from decimal import Decimal

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import Response

from plimsoll.edges.api.answers import API, StrictRoute, answer
from plimsoll.edges.api.commands import KEY_HEADER
from plimsoll.edges.api.door import Door
from plimsoll.edges.api.schemas import NewOrder, OrderRow, PlacedOrder, PositionRow, Positions
from plimsoll.edges.listen import HOST_NAMES
from plimsoll.model.clock import SystemClock
from plimsoll.model.ids import ClockedIds, system_chance

D = Decimal
PORTFOLIO = "019d3a3f-0000-7000-8000-000000000001"
#: As many as the desk has when its own are measured.
POSITIONS = 4


def bare_app() -> FastAPI:
    """Put an application together that answers at once."""
    clock = SystemClock()
    ids = ClockedIds(clock, system_chance())
    router = APIRouter(prefix=API, route_class=StrictRoute)

    @router.post("/orders", response_model=PlacedOrder, status_code=201)
    async def place_order(wish: NewOrder, request: Request) -> Response:
        now, key = clock.now(), request.headers.get(KEY_HEADER) or ids.uuid7()
        row = OrderRow(
            id=ids.uuid7(),
            client_order_id="BNCHAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            broker_order_id="P-1",
            portfolio=PORTFOLIO,
            symbol=wish.symbol,
            side=wish.side,
            type=wish.type,
            quantity=wish.quantity or D(0),
            filled_quantity=D(0),
            price=wish.price,
            stop_price=wish.stop_price,
            time_in_force=wish.time_in_force,
            reduce_only=wish.reduce_only,
            post_only=wish.post_only,
            state="NEW",
            reason="",
            triggered_by="api",
            placed_at=now,
            updated_at=now,
        )
        return answer(PlacedOrder(order=row, remarks=[], repeated=False), 201, {KEY_HEADER: key})

    @router.get("/positions", response_model=Positions)
    async def list_positions(portfolio: str | None = None) -> Response:
        now = clock.now()
        items = [
            PositionRow(
                position_id=f"{PORTFOLIO}.{number}.0.",
                portfolio=portfolio or PORTFOLIO,
                symbol="BTC/USDT:USDT",
                side="LONG",
                quantity=D("0.01"),
                entry_price=D("60000.1"),
                current_price=D("60010.2"),
                value=D("600.102"),
                unrealized_pnl=D("0.101"),
                unrealized_pnl_pct=D("0.0168"),
                realized_pnl=D(0),
                leverage=D(2),
                margin=D("300.051"),
                liquidation_price=D("30150.5"),
                stop_loss=None,
                take_profit=None,
                status="OPEN",
                opened_at=now - timedelta(seconds=number),
                matched=True,
                strategy=None,
            )
            for number in range(POSITIONS)
        ]
        return answer(Positions(equity=D(1_000_000_000), drawdown=D(0), items=items))

    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    # The very routes, as the desk has them: a router inside a router is one more layer.
    app.router.routes += router.routes
    app.add_middleware(Door, ids=ids, hosts=HOST_NAMES)
    return app
