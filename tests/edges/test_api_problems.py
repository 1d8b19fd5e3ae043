"""Every failure of ours in HTTP: whose turn it is, what happened, and never more than is certain."""

from datetime import timedelta

import pytest
from starlette.exceptions import HTTPException

from plimsoll.edges.api.problems import Refused, bug, missing, reasons_of_checks, refused_by_gate, respond, translate
from plimsoll.edges.api.rates import Budget, Rate
from plimsoll.edges.api.schemas import Problem
from plimsoll.model.errors import (
    CallHuman,
    CommandRefused,
    GiveUp,
    Illegal,
    Refusal,
    TryAgain,
    UnknownOutcome,
    Wait,
)
from plimsoll.store.connection import CommitUnclear, StoreFailed


def refused(*codes: str) -> CommandRefused:
    return CommandRefused(*(Refusal(code, f"{code} was said") for code in codes))


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (missing(), 404, "not_found"),
        (HTTPException(404), 404, "not_found"),
        (HTTPException(405), 405, "method_not_allowed"),
        (HTTPException(400, "broken"), 400, "refused"),
        (refused("account_unknown"), 404, "not_found"),
        (refused("bot_unknown"), 404, "not_found"),
        (refused("key_unknown", "anything"), 404, "not_found"),
        (refused("sign_in_failed"), 401, "sign_in_failed"),
        (refused("link_invalid"), 401, "link_invalid"),
        (refused("right_missing"), 403, "right_missing"),
        (refused("intent_key_reused"), 409, "intent_key_reused"),
        (refused("stricter_in_force"), 409, "stricter_in_force"),
        (refused("password_too_short", "password_common"), 422, "password_too_short"),
        (Illegal("price", "x", "write a number"), 422, "illegal_price"),
        (Wait("come later", timedelta(seconds=2.1)), 429, "too_many"),
        (StoreFailed("disk full"), 503, "store_failed"),
        (CommitUnclear("no answer"), 503, "outcome_unclear"),
        (UnknownOutcome("no answer"), 503, "outcome_unclear"),
        (TryAgain("the venue is away"), 503, "try_again"),
        (GiveUp("the venue says no"), 502, "world_failed"),
        (CallHuman("something is very wrong"), 502, "world_failed"),
    ],
)
def test_each_family_of_failures_has_its_answer(failure: Exception, status: int, code: str) -> None:
    """A status for whose turn it is, a code for what happened, in one shape."""
    told = translate(failure)
    assert told is not None
    assert (told.status, told.code) == (status, code)
    answer = respond(told, "the-request")
    problem = Problem.model_validate_json(bytes(answer.body))
    assert (problem.status, problem.code, problem.request_id) == (status, code, "the-request")
    assert answer.media_type == "application/problem+json"


def test_a_bug_has_no_words_of_its_own() -> None:
    """It is none of the families; what is said of it is always the same."""
    assert translate(KeyError("the secret")) is None
    assert bug().status == 500


def test_who_has_to_wait_is_told_in_whole_seconds() -> None:
    """Rounded up: who comes at the time that he was told is let in."""
    told = translate(Wait("later", timedelta(seconds=2.1)))
    assert told is not None
    assert told.headers == {"Retry-After": "3"}


def test_only_what_is_certain_is_said_of_a_write() -> None:
    """`nothing was written` for a store that refused, and never where nobody knows."""
    certain, unclear = translate(StoreFailed("x")), translate(CommitUnclear("x"))
    assert certain is not None
    assert unclear is not None
    assert "nothing was written" in certain.detail
    assert "may or may not" in unclear.detail


def test_a_body_that_was_refused_while_it_was_read_keeps_its_reason() -> None:
    """The framework wraps whatever breaks the reading of a body; what was meant is inside."""
    wrapped = HTTPException(400, "There was an error parsing the body")
    wrapped.__cause__ = Refused(413, "too_large", "too large")
    told = translate(wrapped)
    assert told is not None
    assert told.status == 413


def test_a_gates_no_names_every_control() -> None:
    """As it is kept with the verdict: the refusing ones, each with number and name."""
    kept = (
        '[{"number":1,"name":"trading state","outcome":"WARN","code":"w","sentence":"near"},'
        '{"number":22,"name":"max order notional","outcome":"REFUSE","code":"order_too_large",'
        '"sentence":"too large","observed":"2","limit":"1","remedy":"less"}]'
    )
    reasons = reasons_of_checks(kept, "REFUSE")
    assert [(reason.number, reason.name, reason.limit) for reason in reasons] == [(22, "max order notional", "1")]
    told = refused_by_gate(reasons)
    assert (told.status, told.code, told.reasons) == (422, "order_refused", tuple(reasons))


def test_a_bucket_fills_with_time_and_not_beyond_its_burst() -> None:
    """Two at once, then one a second; a long rest is worth no more than two."""
    budget, rate = Budget(), Rate(1, 2)
    assert [budget.spend("ada", rate, 0.0) for _ in range(3)] == [0.0, 0.0, 1.0]
    assert budget.spend("eve", rate, 0.0) == 0.0
    assert budget.spend("ada", rate, 0.5) == pytest.approx(0.5)
    assert budget.spend("ada", rate, 1.0) == 0.0
    assert [budget.spend("ada", rate, 100.0) for _ in range(3)] == [0.0, 0.0, 1.0]
