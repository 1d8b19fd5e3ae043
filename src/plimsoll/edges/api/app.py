"""The application: every route under `/api/v1`, the page at `/`, one door before all of it.

    request ─► Door (name, host, size, headers) ─► route ─► Access (who, right, origin, rate) ─► body ─► read or command

What must not enter: what a route does. Putting an application together starts nothing and connects to nothing.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from plimsoll.edges.api.access import Api, need_of
from plimsoll.edges.api.answers import JSON
from plimsoll.edges.api.door import Door
from plimsoll.edges.api.estate import Estate
from plimsoll.edges.api.openapi import describe
from plimsoll.edges.api.page import page_route
from plimsoll.edges.api.problems import bug, respond, translate
from plimsoll.edges.api.rates import Budget, Rates
from plimsoll.edges.api.routes import ROUTERS
from plimsoll.edges.api.stream import router as stream_router
from plimsoll.edges.api.stream import streams_of
from plimsoll.edges.listen import HOST_NAMES
from plimsoll.model.errors import PlimsollError, invariant
from plimsoll.model.ids import ClockedIds, Ids, system_chance

if TYPE_CHECKING:
    from plimsoll.edges.served import ServedDesk


def make_app(
    desk: "ServedDesk",
    *,
    page: Path | None = None,
    hosts: Iterable[str] = HOST_NAMES,
    rates: Rates | None = None,
    ids: Ids | None = None,
) -> FastAPI:
    """Put the application together over a desk that is about to be served.

    Shapes: `page` is the folder of the built page; `hosts` are names without ports; `ids` name requests, and orders
            that nobody gave a key
    """
    app, estate, ids = bare_app(), Estate(desk), ids or ClockedIds(desk.clock, system_chance())
    app.state.api = Api(desk, estate, ids, rates or Rates(), Budget())
    app.state.streams = streams_of(desk, estate)
    app.router.routes += [
        Route("/api/openapi.json", _document, methods=["GET"]),
        Route("/livez", _alive, methods=["GET"]),
        Route("/readyz", _ready, methods=["GET"]),
        page_route(page),
    ]
    app.add_middleware(Door, ids=ids, hosts=tuple(hosts))
    return app


def bare_app() -> FastAPI:
    """Put the routes together, without a desk: enough to describe them."""
    # No pages of documentation: those load their scripts from a foreign host. No telemetry of the framework: nothing
    # about a desk leaves it unasked, and the spans that nobody collects cost every order a tenth of its way in.
    app = FastAPI(
        title="Plimsoll",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
    )
    for router in (*ROUTERS, stream_router):
        # The very routes, not a router inside a router: whoever walks them sees each, and so does every request.
        app.router.routes += router.routes
    check_rights(app)
    for kind in (RequestValidationError, HTTPException, PlimsollError):
        app.add_exception_handler(kind, _tell)
    describe(app)
    return app


def check_rights(app: FastAPI) -> None:
    """Refuse an application with a route that does not say what it needs.

    Raises: InvariantBroken
    """
    for route in api_routes(app):
        invariant(need_of(route) is not None, f"{route.path} says what its caller must be allowed")


def api_routes(app: FastAPI) -> Iterator[APIRoute]:
    """Give every route of ours."""
    yield from (route for route in app.routes if isinstance(route, APIRoute))


async def _tell(request: Request, failure: Exception) -> Response:
    return respond(translate(failure) or bug(), request.state.request_id)


async def _document(request: Request) -> Response:
    return Response(orjson.dumps(request.app.openapi()), media_type=JSON)


async def _alive(request: Request) -> Response:
    del request  # whoever answers at all is alive
    return PlainTextResponse("alive\n")


async def _ready(request: Request) -> Response:
    api: Api = request.app.state.api
    stopping = [one for one in api.desk.accounts.values() if one.attendant.stopping]
    return PlainTextResponse("stopping\n", 503) if stopping else PlainTextResponse("ready\n")
