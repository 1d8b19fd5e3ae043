"""How a request's JSON is read, and an answer's written: strictly in, straight to bytes out."""

from collections.abc import Callable, Coroutine, Mapping
from functools import cache
from typing import Any

import orjson
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter
from starlette.exceptions import HTTPException
from starlette.responses import Response

from plimsoll.edges.api.access import need_of
from plimsoll.edges.api.problems import Refused, refused_field
from plimsoll.model.errors import InvariantBroken

#: Where every route of ours begins.
API = "/api/v1"
DEEPEST = 20
#: Each value of a body may be wrong in its own way, and each way costs time: thousands would hold everybody up.
MOST_VALUES = 2_000
#: What the reader says of a nesting that it cannot follow; of the memory for it, where 64 KB are all there is.
_BOTTOMLESS = frozenset({"depth limit exceeded", "failed to allocate memory"})
JSON = "application/json"


@cache
def _adapter(model: type[BaseModel]) -> TypeAdapter[BaseModel]:
    return TypeAdapter(model)


def answer(value: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Write an answer that is already of its model; nothing is checked, copied or encoded a second time."""
    return Response(_adapter(type(value)).dump_json(value), status, headers, JSON)


def done() -> Response:
    """Say that it was done, and no more."""
    return Response(status_code=204)


class StrictRequest(Request):
    """A request whose JSON is strict: no NaN, no Infinity, nothing nested deeper than anybody means, or longer."""

    async def json(self) -> Any:
        """Read the body.

        Raises: json.JSONDecodeError, Refused
        """
        body = await self.body()
        if body.count(b",") >= MOST_VALUES:
            raise refused_field("body", body, f"send at most {MOST_VALUES:,} values")
        # Brackets are counted first: hardly any body has twenty, and then none has to be walked through.
        may_be_deep = body.count(b"{") + body.count(b"[") > DEEPEST
        try:
            value = orjson.loads(body)
        except orjson.JSONDecodeError as broken:
            if broken.msg in _BOTTOMLESS:
                raise _too_deep(body) from None
            raise
        if may_be_deep and _is_deeper(value, DEEPEST):
            raise _too_deep(body)
        return value


def _too_deep(body: bytes) -> Refused:
    return refused_field("body", body, f"nest at most {DEEPEST} levels")


def _is_deeper(value: Any, levels: int) -> bool:
    layer = [value]
    for _ in range(levels):
        insides = [outer.values() if isinstance(outer, dict) else outer for outer in layer]
        layer = [inner for inside in insides for inner in inside if isinstance(inner, dict | list)]
        if not layer:
            return False
    return True


class StrictRoute(APIRoute):
    """A route that knows who asks before it reads his body, reads it strictly, and charges for one that it refuses."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle, guard = super().get_route_handler(), need_of(self)
        if guard is None:
            raise InvariantBroken(f"Invariant: {self.path} says what its caller must be allowed")

        async def strictly(request: Request) -> Response:
            strict = StrictRequest(request.scope, request.receive)
            await guard(strict)
            try:
                return await handle(strict)
            except (RequestValidationError, HTTPException):  # the body, or a parameter; nothing was begun
                await guard.charge(strict)
                raise

        return strictly
