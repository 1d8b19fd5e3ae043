"""Control 50, router parity: what was sent is what was approved. One order too many, and the whole desk opens nothing.

The comparison at the wire is in `gate.parity`; halting the desk is the business of whoever finds the difference.
"""

from plimsoll.risk.gate.snapshot import Proposal, Snapshot
from plimsoll.risk.gate.verdict import PASS, Control, Finding, refuse
from plimsoll.risk.limits import Limits


def judge(_proposal: Proposal, snapshot: Snapshot, _limits: Limits) -> Finding:
    """Refuse to open while orders sent and orders approved differ."""
    if snapshot.parity_difference == 0:
        return PASS
    return refuse(
        "parity_broken",
        "the orders sent are not the orders approved",
        observed=snapshot.parity_difference,
        limit=0,
        remedy="keep the desk halted and find the order that nobody approved",
    )


CONTROL = Control(50, "router parity", judge)
