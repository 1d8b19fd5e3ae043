"""The OpenAPI document: what the routes and their models say, with every error's shape and every route's right."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from plimsoll.edges.api.access import SECURE_COOKIE, Access
from plimsoll.edges.api.problems import MEDIA_TYPE
from plimsoll.edges.api.schemas import Problem
from plimsoll.people.actor import Right

_REFERENCE = "#/components/schemas/{model}"
_PROBLEM = {
    "description": "Refused, or failed: see `code` and `reasons`.",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_SCHEMES = {
    "key": {"type": "http", "scheme": "bearer", "description": "An API key, `plim_…`."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": SECURE_COOKIE,
        "description": "A signed-in person; `plimsoll` over plain http. Writes carry `X-Plimsoll: 1`.",
    },
}


def describe(app: FastAPI) -> None:
    """Let an application describe itself as we do."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # the way that FastAPI's own pages name


def _document(app: FastAPI) -> dict[str, Any]:
    routes = [route for route in app.routes if isinstance(route, APIRoute)]
    for route in routes:
        route.operation_id = route.name
        # A response class of our own has no status that FastAPI could read off it.
        route.status_code = route.status_code or 200
    document = get_openapi(title="Plimsoll", version="1", routes=routes)
    schemas = document["components"]["schemas"]
    for unwanted in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unwanted, None)
    told = Problem.model_json_schema(mode="serialization", ref_template=_REFERENCE)
    schemas |= told.pop("$defs")
    schemas["Problem"] = told
    document["components"]["securitySchemes"] = _SCHEMES
    for route in routes:
        for method in route.methods or ():
            _describe_operation(document["paths"][route.path_format][method.lower()], route)
    return document


def _describe_operation(operation: dict[str, Any], route: APIRoute) -> None:
    operation["responses"].pop("422", None)
    operation["responses"]["default"] = _PROBLEM
    guards = [inner.call for inner in route.dependant.dependencies if isinstance(inner.call, Access)]
    for guard in guards:
        operation["security"] = [{"session": []}] if guard.via is not None else [{"session": []}, {"key": []}]
        operation["x-needs"] = guard.need.value if isinstance(guard.need, Right) else "signed-in"
