"""Control 1, trading state: nothing opens unless desk, user, account and strategy are all ACTIVE."""

from plimsoll.model.account import TradingState
from plimsoll.risk.gate.snapshot import Proposal, Snapshot
from plimsoll.risk.gate.verdict import PASS, Control, Finding, refuse
from plimsoll.risk.limits import Limits


def judge(_proposal: Proposal, snapshot: Snapshot, _limits: Limits) -> Finding:
    """Refuse to open in any state but ACTIVE."""
    if snapshot.state is TradingState.ACTIVE:
        return PASS
    return refuse(
        "not_active",
        f"trading is {snapshot.state}, set by {snapshot.state_source}: only closes pass",
        observed=snapshot.state,
        limit=TradingState.ACTIVE,
        remedy="close instead, or have the state lifted by whoever set it",
    )


CONTROL = Control(1, "trading state", judge)
