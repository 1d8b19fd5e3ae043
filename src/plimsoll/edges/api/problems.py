"""Every error that leaves, as RFC 9457 problem details: one shape, a stable code, and what to do about it.

Rule 1. The status says whose turn it is: 4xx the caller's, 503 "ask again", 500 ours. The code says what happened.
Rule 2. Nobody is told that nothing happened unless that is certain. `StoreFailed` means that nothing was written;
        `CommitUnclear` and `UnknownOutcome` mean that nobody knows, and the same Idempotency-Key tells.
Rule 3. A missing object and another's object are one answer, byte for byte but for the request id.
Rule 4. A bug tells its request id and nothing of our insides; the log has the rest.
Rule 5. What was sent is told back in part at most: so many reasons, so many characters of each, in print; never a body,
        never what could be a secret. A code is made of our own words only.

What must not enter: a decision. What is refused was refused below; this page only says it in HTTP.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from http import HTTPStatus
from math import ceil
from typing import Any

import orjson
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter
from starlette.exceptions import HTTPException
from starlette.responses import Response

from plimsoll.edges.api.schemas import Problem, Reason
from plimsoll.model.errors import (
    CommandRefused,
    Illegal,
    PlimsollError,
    Refusal,
    TryAgain,
    UnknownOutcome,
    Wait,
    WorldFailure,
)
from plimsoll.model.money import decimal_text
from plimsoll.store.connection import StoreFailed

MEDIA_TYPE = "application/problem+json"
#: What a validation shows of a value: enough to find it, too little to repeat a megabyte.
_SHOWN = 200
#: What is shown of a name that somebody made up.
_NAMED = 60
#: More of what is wrong with one request is counted and not told.
MOST_REASONS = 20
#: Fields whose value is nobody's to repeat: bodies whole, both passwords of a change, and whatever sounds like it.
_SECRET_FIELDS = frozenset({"body", "current", "new"})
_SOUNDS_SECRET = re.compile(r"password|token|secret", re.IGNORECASE)
#: What a field of ours is called. Anything else is somebody's text, and stays out of codes.
_FIELD = re.compile(r"[a-z][a-z_]{0,39}")
#: What our keys of orders begin with, inside.
_INSIDE_PREFIX = "api:"

_problem = TypeAdapter(Problem)


class Refused(PlimsollError):
    """A request was refused at the edge; nothing was done."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        reasons: Sequence[Reason] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.reasons = tuple(reasons)
        self.headers = dict(headers or {})


def missing() -> Refused:
    """Refuse an id that stands for nothing of the caller's, whether or not it stands for something of another's."""
    return Refused(404, "not_found", "there is no such thing here")


def refused_field(field: str, value: object, remedy: str, *, code: str = "validation") -> Refused:
    """Refuse one value of a request, with its remedy."""
    named, seen = in_print(field, _NAMED), shown_value(field, value)
    reason = Reason(code=code, sentence=f"{named}: {remedy}", observed=seen, remedy=remedy)
    return Refused(422, code, reason.sentence, reasons=[reason])


def refused_by_gate(reasons: Sequence[Reason]) -> Refused:
    """Refuse an order that the gate refused, with every control that said no."""
    said = "; ".join(reason.sentence for reason in reasons)
    return Refused(422, "order_refused", f"the gate refused the order: {said}", reasons=reasons)


def unclear(remedy: str) -> Refused:
    """Say that nobody knows whether it happened."""
    return Refused(
        503,
        "outcome_unclear",
        f"it may or may not have happened: {remedy}",
        headers={"Retry-After": "1"},
    )


def translate(failure: Exception) -> Refused | None:
    """Say a failure of ours in HTTP; None for a bug."""
    match failure:
        case Refused():
            return failure
        case HTTPException() if isinstance(failure.__cause__, Refused):
            return failure.__cause__  # what refused a body while it was read
        case RequestValidationError():
            return _validation(failure.errors())
        case HTTPException():
            return _http(failure)
        case CommandRefused():
            return _command(failure.refusals)
        case Illegal():
            return _illegal(failure)
        case Wait():
            seconds = max(1, ceil(failure.retry_after.total_seconds()))
            return Refused(429, "too_many", str(failure), headers={"Retry-After": str(seconds)})
        case StoreFailed():
            return Refused(
                503,
                "store_failed",
                "nothing was written: the database takes nothing now; ask again, with the same key for an order",
                headers={"Retry-After": "1"},
            )
        case UnknownOutcome():
            return unclear("ask again with the same Idempotency-Key, or look at what is there")
        case TryAgain():
            return Refused(503, "try_again", str(failure), headers={"Retry-After": "1"})
        case WorldFailure():
            return Refused(502, "world_failed", str(failure))
        case _:
            return None


def respond(refused: Refused, request_id: str) -> Response:
    """Write a refusal as the answer to a request."""
    problem = Problem(
        title=HTTPStatus(refused.status).phrase,
        status=refused.status,
        detail=refused.detail,
        code=refused.code,
        request_id=request_id,
        reasons=list(refused.reasons),
    )
    return Response(_problem.dump_json(problem), refused.status, refused.headers, MEDIA_TYPE)


def bug() -> Refused:
    """Say that we broke."""
    return Refused(500, "internal", "the desk made a mistake; its log names this request")


#: Refusals that are about the moment and not about the request: another time the same words may pass.
_CONFLICTS = frozenset(
    {
        "intent_key_reused",
        "stricter_in_force",
        "guard_not_shut",
        "order_not_live",
        "halt_of_guard",
        "no_such_halt",
        "blind",
        "bot_running",
        "bot_name_taken",
        "desk_stopping",
        "broker_exists",
        "broker_in_use",
    }
)
_MISSING = frozenset({"account_unknown", "portfolio_unknown", "bot_unknown", "key_unknown", "broker_unknown"})
_UNAUTHORISED = frozenset({"sign_in_failed", "link_invalid"})
_FORBIDDEN = frozenset({"right_missing", "session_needed"})


def _command(refusals: Sequence[Refusal]) -> Refused:
    codes = {refusal.code for refusal in refusals}
    if codes & _MISSING:
        return missing()
    first = refusals[0]
    families = ((401, _UNAUTHORISED), (403, _FORBIDDEN), (409, _CONFLICTS))
    status = next((status for status, family in families if codes & family), 422)
    detail = "; ".join(refusal.sentence for refusal in refusals)
    return Refused(status, first.code, detail, reasons=[_reason(refusal) for refusal in refusals])


def _illegal(failure: Illegal) -> Refused:
    code = f"illegal_{failure.field}" if _FIELD.fullmatch(failure.field) else "illegal_value"
    named, seen = in_print(failure.field, _NAMED), shown_value(failure.field, failure.value)
    sentence = f"{named} = {seen}: {failure.remedy}"
    return Refused(
        422, code, sentence, reasons=[Reason(code=code, sentence=sentence, observed=seen, remedy=failure.remedy)]
    )


def _reason(refusal: Refusal) -> Reason:
    return Reason(
        code=refusal.code,
        sentence=refusal.sentence,
        observed=_seen(refusal.observed),
        limit=refusal.limit,
        remedy=refusal.remedy,
    )


def reasons_of_checks(checks_json: str, *outcomes: str) -> list[Reason]:
    """Read the gate's findings of some outcomes as they are kept with a verdict."""
    return [
        Reason(
            code=str(check.get("code", "")),
            sentence=str(check.get("sentence", "")),
            observed=_seen(str(check.get("observed", ""))),
            limit=str(check.get("limit", "")),
            remedy=str(check.get("remedy", "")),
            number=int(check["number"]),
            name=str(check["name"]),
        )
        for check in orjson.loads(checks_json)
        if check["outcome"] in outcomes
    ]


def _validation(errors: Iterable[Any]) -> Refused:
    found = list(errors)
    # A body may be wrong in thousands of places; telling them all would be a bigger answer than anybody reads.
    reasons = [_of_field(error) for error in found[:MOST_REASONS]]
    more = [f"and {len(found) - MOST_REASONS} more"] if len(found) > MOST_REASONS else []
    return Refused(422, "validation", "; ".join([*(reason.sentence for reason in reasons), *more]), reasons=reasons)


def _of_field(error: Mapping[str, Any]) -> Reason:
    kind, value = error["type"], error.get("input")
    if kind == "json_invalid":
        broken = f"send valid JSON, without NaN and Infinity; it breaks at character {error['loc'][-1]}"
        return Reason(code="validation", sentence=f"body: {broken}", observed="body", remedy=broken)
    place = [in_print(str(part), _NAMED) for part in error["loc"] if part not in _WHERE]
    field = ".".join(place)[:_SHOWN] or "body"
    remedy = _REMEDIES.get(kind) or str(error["msg"]).removeprefix("Value error, ")
    if isinstance(value, bytes):  # as it came: nobody said that it is JSON
        remedy = "send it with the header `Content-Type: application/json`"
    # Of what is missing, the value would be all the rest; what nobody knows may be a misspelt password.
    observed = field if kind in ("missing", "extra_forbidden") else f"{field} = {shown_value(field, value)}"
    return Reason(code="validation", sentence=f"{field}: {remedy}", observed=observed, remedy=remedy)


_WHERE = frozenset({"body", "query", "path", "header"})
_REMEDIES = {"extra_forbidden": "there is no such field: leave it out", "missing": "it is needed: give it"}


def shown_value(field: str, value: object) -> str:
    """Show what somebody sent, as far as it may be told back."""
    if field.rpartition(".")[2] in _SECRET_FIELDS or _SOUNDS_SECRET.search(field):
        return "(not shown)"
    match value:
        case str():
            return _seen(value)
        case Decimal():
            return decimal_text(value)
        case dict() | list() | bytes():  # what is inside has names of its own
            return "(not shown)"
        case None | bool():
            return {None: "null", True: "true", False: "false"}[value]
        case _:
            return _seen(str(value))


def in_print(text: str, most: int = _SHOWN) -> str:
    """Show the beginning of somebody's text; what a terminal or a page could act on is written out."""
    cut = text[:most]
    return cut if cut.isprintable() else cut.encode("unicode_escape").decode()[: 2 * most]


def _seen(observed: str) -> str:
    return in_print(observed.removeprefix(_INSIDE_PREFIX))


def _http(failure: HTTPException) -> Refused:
    if failure.status_code == 404:
        return missing()
    code = "method_not_allowed" if failure.status_code == 405 else "refused"
    return Refused(failure.status_code, code, failure.detail, headers=failure.headers)
