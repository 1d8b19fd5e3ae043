"""Control 8, intent key: the same key with another body is a mistake of the caller, a close's too.

The same key with the same body never comes here: it is answered with the first answer.
"""

from plimsoll.risk.gate.snapshot import Proposal, Snapshot
from plimsoll.risk.gate.verdict import PASS, Control, Finding, refuse
from plimsoll.risk.limits import Limits


def judge(proposal: Proposal, snapshot: Snapshot, _limits: Limits) -> Finding:
    """Refuse a key that already names another wish."""
    if not snapshot.key_reused:
        return PASS
    return refuse(
        "key_reused",
        "this key already names another order",
        observed=proposal.intent.key,
        limit="one order per key, for ever",
        remedy="give every new order a new key",
    )


CONTROL = Control(8, "intent key", judge, binds_close=True)
