"""Control 27, position per instrument: what this order's side would come to if all of it filled, against equity.

Only the order's own side counts: position and waiting orders of that side, signed. An order that leads back towards
flat is not refused for leaving something over, and waiting orders of the other side lend it no room.
"""

from decimal import Decimal

from plimsoll.model import money
from plimsoll.risk.gate.snapshot import Proposal, Snapshot, known
from plimsoll.risk.gate.verdict import PASS, Control, Finding, cannot_evaluate, refuse
from plimsoll.risk.limits import Limits


def judge(proposal: Proposal, snapshot: Snapshot, limits: Limits) -> Finding:
    """Refuse a position larger than its share of equity."""
    if not known(proposal.value):
        return cannot_evaluate("the value of the order", "wait for a fresh price of the instrument")
    room = _share_and_held(proposal, snapshot, limits)
    if room is None:
        return cannot_evaluate("the account's equity or its position", "wait until every holding has a price")
    share, held = room
    if held + proposal.value > share:
        return refuse(
            "position_too_large",
            f"one instrument may be worth at most {money.decimal_text(share)}, waiting orders included",
            observed=held + proposal.value,
            limit=share,
            remedy="order less, or close or cancel some of it first",
        )
    return PASS


def largest_value(proposal: Proposal, snapshot: Snapshot, limits: Limits) -> Decimal | None:
    """Give the largest value that passes: the share of equity, less what this side already holds and waits for."""
    room = _share_and_held(proposal, snapshot, limits)
    return None if room is None else room[0] - room[1]


def _share_and_held(proposal: Proposal, snapshot: Snapshot, limits: Limits) -> tuple[Decimal, Decimal] | None:
    equity, position, pending = snapshot.equity, snapshot.position_value, snapshot.pending_value
    if not known(equity) or not known(position) or not known(pending):
        return None
    share = money.settle_product(equity, limits.max_position_ratio)
    return share, proposal.terms.side.sign * (position + pending)


CONTROL = Control(27, "position per instrument", judge, largest_value=largest_value)
