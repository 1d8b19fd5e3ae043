"""Verdicts and breaches in the book: what the gate said, on what; the record that makes a repeated wish harmless."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from plimsoll.ledger import keys
from plimsoll.ledger.log import json_text, next_link_seq
from plimsoll.model.clock import time_text
from plimsoll.model.ids import AccountId, ClientOrderId
from plimsoll.model.money import decimal_text
from plimsoll.model.order import Intent
from plimsoll.risk.gate.verdict import Approved, Judged, Verdict
from plimsoll.store.connection import Question
from plimsoll.store.draft import Draft


@dataclass(frozen=True, slots=True)
class GivenVerdict:
    """What was answered to a wish, as it is found again."""

    client_order_id: ClientOrderId
    body_hash: str
    approved: bool
    #: The checks that did not plainly pass, as JSON.
    checks_json: str


def body_hash(intent: Intent) -> str:
    """Hash what is wished, without when and under which key."""
    terms = intent.terms
    body = (
        intent.portfolio_id,
        intent.strategy_id or 0,
        terms.instrument_id,
        terms.side,
        terms.type,
        None if terms.quantity is None else decimal_text(terms.quantity),
        None if terms.quote_value is None else decimal_text(terms.quote_value),
        None if terms.price is None else decimal_text(terms.price),
        None if terms.stop_price is None else decimal_text(terms.stop_price),
        terms.time_in_force,
        terms.reduce_only,
        terms.post_only,
        intent.allow_smaller,
        intent.closes_leg,
        # Where there is none, nothing: a wish of the years before has the hash that it had.
        *((intent.leg,) if intent.leg else ()),
    )
    return hashlib.sha256(json_text(body).encode()).hexdigest()


def find(draft: Draft, intent: Intent) -> GivenVerdict | None:
    """Find what was answered to this wish before."""
    given: GivenVerdict | None = draft.get(keys.verdict(intent.account_id, intent.user_id, intent.key))
    if given is not None:
        return given
    query, parameters = question(intent)
    rows = draft.find(query, *parameters)
    if not rows:
        return None
    _account, _id, _seq, _user, _key, body, client_order_id, outcome, _version, _input, checks, _at = rows[0]
    return GivenVerdict(ClientOrderId(str(client_order_id)), str(body), outcome == "APPROVED", str(checks))


def question(intent: Intent) -> Question:
    """Give what `find` asks the database."""
    return "verdict_by_intent", (intent.account_id, intent.user_id, intent.key)


def observed_text(values: Mapping[str, object]) -> str:
    """Write the numbers that a verdict rests on, for whoever asks why."""
    return json_text({name: _plain(value) for name, value in values.items()})


def input_hash(values: Mapping[str, object]) -> str:
    """Hash the numbers that a verdict rests on: enough to prove what it saw, without keeping it for every order."""
    return hashlib.sha256(repr(tuple(values.values())).encode()).hexdigest()


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return decimal_text(value)
    return time_text(value) if isinstance(value, datetime) else value


def checks_json(judged: Sequence[Judged]) -> str:
    """Write the checks that did not plainly pass."""
    checks: list[dict[str, str | int]] = []
    for item in judged:
        refusal = item.finding.refusal
        check: dict[str, str | int] = {"number": item.control.number, "name": item.control.name}
        check["outcome"] = item.finding.outcome
        if refusal is not None:
            check |= {"code": refusal.code, "sentence": refusal.sentence, "remedy": refusal.remedy}
            check |= {"observed": refusal.observed, "limit": refusal.limit}
        checks.append(check)
    return json_text(checks)


def write(draft: Draft, verdict: Verdict, body: str, input_hash: str, at: datetime) -> GivenVerdict:
    """Write what the gate said."""
    intent = verdict.intent
    approved = isinstance(verdict, Approved)
    given = GivenVerdict(verdict.client_order_id, body, approved, checks_json(verdict.remarks))
    cells = (
        intent.account_id,
        draft.next_id("verdicts"),
        next_link_seq(draft, intent.account_id),
        intent.user_id,
        intent.key,
        body,
        verdict.client_order_id,
        "APPROVED" if approved else "REFUSED",
        verdict.limits_version,
        input_hash,
        given.checks_json,
        time_text(at),
    )
    draft.add("verdicts", cells)
    draft.put_fleeting(keys.verdict(intent.account_id, intent.user_id, intent.key), given)
    return given


def write_breach(  # noqa: PLR0917  a row, told column by column
    draft: Draft, account_id: AccountId, action: str, intent_key: str, details: str, observed: str, at: datetime
) -> None:
    """Write that a limit was met: what stood in the way, and the snapshot that caused it."""
    cells = (
        account_id,
        draft.next_id("risk_breaches"),
        next_link_seq(draft, account_id),
        action,
        intent_key,
        details,
        observed,
        time_text(at),
    )
    draft.add("risk_breaches", cells)


def write_adopted(draft: Draft, intent: Intent, client_order_id: ClientOrderId, why: str, at: datetime) -> None:
    """Write that an order was approved once whose verdict is lost: only an approved one carries an id of this desk."""
    cells = (
        intent.account_id,
        draft.next_id("verdicts"),
        next_link_seq(draft, intent.account_id),
        intent.user_id,
        intent.key,
        body_hash(intent),
        client_order_id,
        "APPROVED",
        0,
        "",
        json_text([{"number": 0, "name": "adopted", "outcome": "REMARK", "sentence": why}]),
        time_text(at),
    )
    draft.add("verdicts", cells)
