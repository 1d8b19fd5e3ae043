"""Control 36, reduce-only: a close takes from the position, never past zero, closes already on their way included.

This is what makes a close harmless enough to be bound by hardly anything else.
"""

from plimsoll.model import money
from plimsoll.risk.gate.snapshot import Proposal, Snapshot, known
from plimsoll.risk.gate.verdict import PASS, Control, Finding, cannot_evaluate, refuse
from plimsoll.risk.limits import Limits


def judge(proposal: Proposal, snapshot: Snapshot, _limits: Limits) -> Finding:
    """Refuse a close that would increase the position or turn it round."""
    if not proposal.closes:
        return PASS
    position, closing, quantity = snapshot.position_quantity, snapshot.closing_quantity, proposal.quantity
    if not known(position) or not known(closing) or not known(quantity) or closing < 0:
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
    left = abs(position) - closing
    if quantity > left:
        return refuse(
            "close_larger_than_position",
            "the order is larger than what is left to close, closes on their way included",
            observed=quantity,
            limit=max(left, money.ZERO),
            remedy=f"close at most {money.decimal_text(max(left, money.ZERO))}",
        )
    return PASS


CONTROL = Control(36, "reduce-only", judge, binds_close=True)
