"""Whether an answer is what the OpenAPI document says it is: as much of JSON Schema as the document uses."""

import re
from collections.abc import Mapping
from typing import Any

from plimsoll.edges.api.app import bare_app

DOCUMENT: dict[str, Any] = bare_app().openapi()
_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
    "null": type(None),
}


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    """List every (path, method, operation)."""
    return [(path, method, said) for path, methods in DOCUMENT["paths"].items() for method, said in methods.items()]


def complaints(value: Any, schema: Mapping[str, Any], place: str = "") -> list[str]:
    """Name every way in which a value is not what a schema says; a field that nobody described is one too."""
    if "$ref" in schema:
        return complaints(value, DOCUMENT["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]], place)
    for several in ("anyOf", "oneOf"):
        if several in schema:
            each = [complaints(value, one, place) for one in schema[several]]
            return [] if any(not found for found in each) else [f"{place}: {value!r} is none of {several}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{place}: {value!r} is not in {schema['enum']}"]
    if "const" in schema and value != schema["const"]:
        return [f"{place}: {value!r} is not {schema['const']!r}"]
    kind = schema.get("type")
    if kind is not None and (not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean")):
        return [f"{place}: {value!r} is no {kind}"]
    if kind == "string" and "pattern" in schema and not re.search(schema["pattern"], value):
        return [f"{place}: {value!r} does not match {schema['pattern']}"]
    if kind == "array":
        return [
            one for number, item in enumerate(value) for one in complaints(item, schema["items"], f"{place}[{number}]")
        ]
    return _of_object(value, schema, place) if kind == "object" else []


def _of_object(value: dict[str, Any], schema: Mapping[str, Any], place: str) -> list[str]:
    fields = schema.get("properties", {})
    found = [f"{place}.{name} is missing" for name in schema.get("required", ()) if name not in value]
    for name, inner in value.items():
        if name in fields:
            found += complaints(inner, fields[name], f"{place}.{name}")
        elif isinstance(schema.get("additionalProperties"), dict):
            found += complaints(inner, schema["additionalProperties"], f"{place}.{name}")
        else:
            found.append(f"{place}.{name} is described nowhere")
    return found


def check_answer(path: str, method: str, status: int, media_type: str, body: Any) -> None:
    """Hold an answer against the document.

    Raises: AssertionError
    """
    responses = DOCUMENT["paths"][path][method]["responses"]
    described = responses.get(str(status), responses["default"])
    if status == 204:
        assert "204" in responses
        return
    assert media_type in described["content"], f"{method} {path} answered {status} as {media_type}"
    found = complaints(body, described["content"][media_type]["schema"])
    assert found == [], f"{method} {path} {status}: {found}"
