"""The gate's answer: approved, holding the order, or refused, holding every reason.

Rule 1. Fail closed: a control that cannot evaluate refuses. There is no third answer and no bypass flag.
Rule 2. All controls are asked, so a refusal tells every reason at once.
Rule 3. A close is bound by the few controls that make it really reduce, and by nothing else (law: closing is sacred).
Rule 4. Where only size stands in the way and the intent allows it, the largest size that passes is approved instead.

A venue accepts nothing but `Approved`, and only `judge` makes one.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

from plimsoll.model import money
from plimsoll.model.account import Mode
from plimsoll.model.errors import Refusal
from plimsoll.model.ids import AccountId, ClientOrderId
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import Intent, OrderTerms, Side
from plimsoll.model.quote import Fact
from plimsoll.risk.gate.snapshot import Proposal, Snapshot, known_price, resized
from plimsoll.risk.limits import HARD_MAX_LEVERAGE, Limits


class Outcome(StrEnum):
    """What one control says."""

    PASS = "PASS"  # noqa: S105  a verdict, no password
    #: Passes, and somebody should know how near the limit is.
    WARN = "WARN"
    REFUSE = "REFUSE"
    #: The rule does not concern this order, or rests on a fact that a paper account's source never declared.
    NOT_APPLICABLE = "NOT_APPLICABLE"


@dataclass(frozen=True, slots=True)
class Finding:
    """One control's answer."""

    outcome: Outcome
    #: Why not, or why it does not apply; empty on a pass.
    refusal: Refusal | None = None


PASS = Finding(Outcome.PASS)


def refuse(code: str, sentence: str, *, observed: object = "", limit: object = "", remedy: str = "") -> Finding:
    """Say no, with what was seen, what was allowed and what to do."""
    return Finding(Outcome.REFUSE, Refusal(code, sentence, _text(observed), _text(limit), remedy))


def warn(code: str, sentence: str, *, observed: object = "", limit: object = "", remedy: str = "") -> Finding:
    """Let pass, and tell."""
    return Finding(Outcome.WARN, Refusal(code, sentence, _text(observed), _text(limit), remedy))


def cannot_evaluate(what: str, remedy: str) -> Finding:
    """Say no because an input is missing."""
    return refuse("cannot_evaluate", f"{what} is not known, and unknown is a no", remedy=remedy)


def not_applicable(why: str) -> Finding:
    """Say that the rule does not concern this order."""
    return Finding(Outcome.NOT_APPLICABLE, Refusal("not_applicable", why))


def undeclared(snapshot: Snapshot, fact: Fact) -> Finding | None:
    """Answer for a rule that rests on a fact; None when the price source declares it and the rule must look itself.

    On paper a rule cannot rest on what its source never promised. With real money that is a no.
    """
    if fact in snapshot.source.declares:
        return None
    if snapshot.account is not None and snapshot.account.mode is Mode.PAPER:
        return not_applicable(f"the price source {snapshot.source.name} declares no {fact}")
    return cannot_evaluate(
        f"the {fact} of the market", f"link a price source that declares {fact}: {snapshot.source.name} does not"
    )


def percent(ratio: Decimal) -> str:
    """Write a ratio for a person, rounded up, so that what broke a limit never reads as the limit itself."""
    steps = ratio * 10_000
    whole = steps // 1
    return f"{money.decimal_text((whole if whole == steps else whole + 1) / 100)} %"


def _text(value: object) -> str:
    if isinstance(value, Decimal):
        return money.decimal_text(value)
    return f"{value.total_seconds():.1f} s" if isinstance(value, timedelta) else str(value)


@dataclass(frozen=True, slots=True)
class Control:
    """One rule of GATE.md: a number, a name, a pure function."""

    number: int
    name: str
    judge: Callable[[Proposal, Snapshot, Limits], Finding]
    #: Asked of closes too.
    binds_close: bool = False
    #: Size controls only: the largest value, in the account's currency, that this control would let pass.
    largest_value: Callable[[Proposal, Snapshot, Limits], Decimal | None] | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """A control with its finding, as the verdict keeps it."""

    control: Control
    finding: Finding


@dataclass(frozen=True, slots=True)
class Approved:
    """An order that may leave: the only thing that a venue's order methods take."""

    account_id: AccountId
    client_order_id: ClientOrderId
    instrument: Instrument
    intent: Intent
    terms: OrderTerms
    #: The leverage its margin is counted at.
    leverage: Decimal
    #: Held back until the order ends, in `reserved_asset`.
    reserved: Decimal
    reserved_asset: str
    #: The quantity asked for, where a smaller one was approved.
    reduced_from: Decimal | None
    limits_version: int
    #: What it was counted for, in the account's currency.
    value: Decimal
    #: It can only reduce a position.
    closes: bool
    #: Every control that did not plainly pass; where a smaller size was approved, those that refused the larger first.
    remarks: tuple[Judged, ...]
    #: Which leg of a position it changes; empty where the venue nets.
    leg: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """An order that may not leave, with every reason."""

    intent: Intent
    client_order_id: ClientOrderId
    profile: str
    limits_version: int
    #: Only controls that refuse.
    reasons: tuple[Judged, ...]
    #: Every control that did not plainly pass, the reasons among them.
    remarks: tuple[Judged, ...]


Verdict = Approved | Refused


def judge(proposal: Proposal, snapshot: Snapshot, limits: Limits, controls: Sequence[Control]) -> Verdict:
    """Ask every control that binds the proposal, and put the answers together."""
    remarks = ask(proposal, snapshot, limits, controls)
    reasons = refusals(remarks)
    if not reasons:
        return _approve(proposal, snapshot, limits, remarks, reduced_from=None)
    if proposal.intent.allow_smaller:
        for smaller in _sizes_that_may_pass(proposal, snapshot, limits, reasons):
            again = ask(smaller, snapshot, limits, controls)
            if not refusals(again):
                return _approve(smaller, snapshot, limits, (*reasons, *again), reduced_from=proposal.quantity)
    return Refused(proposal.intent, proposal.client_order_id, limits.profile, limits.version, reasons, tuple(remarks))


def ask(proposal: Proposal, snapshot: Snapshot, limits: Limits, controls: Sequence[Control]) -> list[Judged]:
    """Give every answer that is not a plain pass, of the controls that bind the proposal."""
    remarks = []
    for control in controls:
        if control.binds_close or not proposal.closes:
            try:
                finding = control.judge(proposal, snapshot, limits)
            except ArithmeticError:
                # A number that exact arithmetic cannot hold reached a control that did not expect it. Not knowing is
                # a no, told like any other: an exception here would hide the other reasons.
                finding = cannot_evaluate("a number that this rule needs", "look for an amount of absurd size")
            if finding is not PASS:
                remarks.append(Judged(control, finding))
    return remarks


def refusals(remarks: Sequence[Judged]) -> tuple[Judged, ...]:
    """Give those among the answers that are a no."""
    return tuple(item for item in remarks if item.finding.outcome is Outcome.REFUSE)


def _sizes_that_may_pass(
    proposal: Proposal, snapshot: Snapshot, limits: Limits, reasons: Sequence[Judged]
) -> Iterator[Proposal]:
    # The controls know the largest value in closed form; cutting it to whole lots gives the size. The last digit of a
    # settled quotient may lie half a unit too high, which one lot less makes good. Both are judged like any order.
    instrument = snapshot.instrument
    if instrument is None or not known_price(proposal.value):
        return
    largest = proposal.value
    for item in reasons:
        if item.control.largest_value is None:
            return
        value = item.control.largest_value(proposal, snapshot, limits)
        if not known_price(value):
            return
        largest = min(largest, value)
    quantity = instrument.round_down_to_lot(money.settle_share(proposal.quantity, largest, proposal.value))
    for smaller in (quantity, quantity - instrument.lot_size):
        if 0 < smaller < proposal.quantity:
            yield resized(proposal, smaller, snapshot, limits.market_slack_ratio)


def _approve(
    proposal: Proposal, snapshot: Snapshot, limits: Limits, remarks: Sequence[Judged], reduced_from: Decimal | None
) -> Approved:
    instrument = snapshot.instrument
    if instrument is None:  # a list without control 11 would be a bypass
        raise LookupError("the list of controls approved an order for an instrument that nobody knows")
    leverage = chosen_leverage(snapshot, limits)
    reserved, asset = reservation(proposal, snapshot, instrument, leverage)
    return Approved(
        account_id=proposal.intent.account_id,
        client_order_id=proposal.client_order_id,
        instrument=instrument,
        intent=proposal.intent,
        terms=proposal.terms,
        leverage=leverage,
        reserved=reserved,
        reserved_asset=asset,
        reduced_from=reduced_from,
        limits_version=limits.version,
        value=money.ZERO if proposal.value is None else proposal.value,
        closes=proposal.closes,
        remarks=tuple(remarks),
        leg=proposal.leg,
    )


def leverage_cap(instrument: Instrument, limits: Limits) -> Decimal:
    """Give the highest leverage that a symbol may have: the least of profile, venue and the hard maximum."""
    return min(limits.leverage_cap, instrument.max_leverage, HARD_MAX_LEVERAGE)


def chosen_leverage(snapshot: Snapshot, limits: Limits) -> Decimal:
    """Give the divisor of this symbol's margin: the leverage chosen for it, else the profile's; 1 on spot.

    Nobody chose the profile's, so the cap lowers it in silence; a chosen one above the cap is refused by control 31.
    """
    instrument = snapshot.instrument
    if instrument is None or not instrument.is_derivative:
        return Decimal(1)
    if snapshot.leverage is None:
        return min(limits.unset_leverage, leverage_cap(instrument, limits))
    return snapshot.leverage


def reservation(
    proposal: Proposal, snapshot: Snapshot, instrument: Instrument, leverage: Decimal
) -> tuple[Decimal, str]:
    """Say what an order holds back, and of which asset: coins for a spot sale, else cash or margin plus the fee.

    Units: of the asset named; at the worst price plus the slack, so that no later fill can cost more than was held
    """
    if proposal.closes and instrument.is_derivative:
        return money.ZERO, instrument.cash_asset
    if not instrument.is_derivative and proposal.terms.side is Side.SELL:
        return proposal.quantity, instrument.base
    if proposal.worst_cost is None:  # only a close gets here: control 34 refuses an opening order without a value
        return money.ZERO, instrument.cash_asset
    cost = proposal.worst_cost
    margin = cost if leverage == 1 else money.settle_quotient(cost, leverage)
    # A venue that pays for taking may stop doing so before the fill: a rebate is never counted on.
    fee = money.settle_product(cost, max(snapshot.fee_ratio, money.ZERO))
    return margin + fee, instrument.cash_asset
