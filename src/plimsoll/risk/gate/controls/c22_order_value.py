"""Control 22, max order notional: one order's requested value against equity and an absolute ceiling."""

from decimal import Decimal

from plimsoll.model import money
from plimsoll.risk.gate.snapshot import Proposal, Snapshot, known
from plimsoll.risk.gate.verdict import PASS, Control, Finding, cannot_evaluate, refuse
from plimsoll.risk.limits import Limits


def judge(proposal: Proposal, snapshot: Snapshot, limits: Limits) -> Finding:
    """Refuse an order worth more than the profile allows."""
    if not known(proposal.value):
        return cannot_evaluate("the value of the order", "wait for a fresh price of the instrument")
    largest = largest_value(proposal, snapshot, limits)
    if largest is None:
        return cannot_evaluate("the account's equity", "wait until every holding has a price")
    if proposal.value > largest:
        return refuse(
            "order_too_large",
            f"an order may be worth at most {money.decimal_text(largest)}",
            observed=proposal.value,
            limit=largest,
            remedy="order less, or raise the limit in the account's policy",
        )
    return PASS


def largest_value(_proposal: Proposal, snapshot: Snapshot, limits: Limits) -> Decimal | None:
    """Give the largest value that passes: the smaller of the share of equity and the ceiling."""
    if not known(snapshot.equity):
        return None
    share = money.settle_product(snapshot.equity, limits.max_order_ratio)
    return share if limits.max_order_value is None else min(share, limits.max_order_value)


CONTROL = Control(22, "max order notional", judge, largest_value=largest_value)
