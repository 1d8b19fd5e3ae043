"""Control 36, reduce-only: a close takes from the position, never past zero, what is already on its way included.

This is what makes a close harmless enough to be bound by hardly anything else.
"""

from plimsoll.model import money
from plimsoll.risk.gate.snapshot import Proposal, Snapshot, known, left_to_close
from plimsoll.risk.gate.verdict import PASS, Control, Finding, cannot_evaluate, refuse
from plimsoll.risk.limits import Limits


def judge(proposal: Proposal, snapshot: Snapshot, _limits: Limits) -> Finding:
    """Refuse a close that would increase the position or turn it round."""
    if not proposal.closes:
        return PASS
    position, quantity, left = snapshot.position_quantity, proposal.quantity, left_to_close(proposal.intent, snapshot)
    if left is None or not known(quantity):
        return cannot_evaluate("the position that the order would close", "wait until the account is reconciled")
    if position == 0:
        return refuse(
            "nothing_to_close",
            "there is no position to close",
            observed=position,
            limit="a position on the other side",
            remedy="nothing needs to be done",
        )
    if (position > 0) == (proposal.terms.side.sign > 0):
        return refuse(
            "close_on_wrong_side",
            f"a reduce-only order to {proposal.terms.side.lower()} would increase the position",
            observed=position,
            limit="a position on the other side",
            remedy=f"{proposal.terms.side.opposite.lower()} to close it, or drop reduce-only to open more",
        )
    if quantity > left:
        return refuse(
            "close_larger_than_position",
            "the order is larger than what is left to close beside the orders that are on their way",
            observed=quantity,
            limit=max(left, money.ZERO),
            remedy=f"close at most {money.decimal_text(max(left, money.ZERO))}",
        )
    return PASS


CONTROL = Control(36, "reduce-only", judge, binds_close=True)
