"""Control 45, duplicate order: the same order again within moments is a double click, unless it is said to be meant."""

from plimsoll.risk.gate.snapshot import Proposal, Snapshot
from plimsoll.risk.gate.verdict import PASS, Control, Finding, refuse
from plimsoll.risk.limits import Limits


def judge(proposal: Proposal, snapshot: Snapshot, limits: Limits) -> Finding:
    """Refuse the same instrument, side, quantity and price again within the window."""
    if snapshot.last_same_at is None or proposal.intent.allow_repeat:
        return PASS
    elapsed = snapshot.now - snapshot.last_same_at
    if elapsed > limits.repeat_window:  # one dated later than now is inside as well
        return PASS
    return refuse(
        "repeated_order",
        "the same order was made a moment ago",
        observed=elapsed,
        limit=limits.repeat_window,
        remedy="look whether the first one is enough; if not, wait a moment or say that the repeat is meant",
    )


CONTROL = Control(45, "duplicate order", judge)
