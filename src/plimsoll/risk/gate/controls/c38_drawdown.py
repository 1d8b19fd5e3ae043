"""Control 38, drawdown: nothing opens while the loss from the peak is past the warning, or cannot be told.

The guard acts on the same numbers, with countdown and latch; this control only keeps new risk out meanwhile.
"""

from plimsoll.risk.gate.snapshot import Proposal, Snapshot, known
from plimsoll.risk.gate.verdict import PASS, Control, Finding, cannot_evaluate, percent, refuse
from plimsoll.risk.limits import Limits


def judge(_proposal: Proposal, snapshot: Snapshot, limits: Limits) -> Finding:
    """Refuse to open in a deep loss, on too little equity, and blind."""
    equity, drawdown = snapshot.equity, snapshot.drawdown
    if not known(equity):
        return cannot_evaluate("the account's equity", "wait until every holding has a price")
    if equity < limits.min_equity:
        return refuse(
            "equity_below_minimum",
            "the account has too little equity left to open anything",
            observed=equity,
            limit=limits.min_equity,
            remedy="deposit, or close what is open",
        )
    if not known(drawdown):
        return cannot_evaluate("the loss from the peak", "wait until equity can be trusted again")
    if drawdown >= limits.drawdown_close_ratio:
        return refuse(
            "drawdown_critical",
            "the account has lost as much from its peak as makes the guard close everything",
            observed=percent(drawdown),
            limit=percent(limits.drawdown_close_ratio),
            remedy="look at the guard; only a person lifts this",
        )
    if drawdown >= limits.drawdown_warn_ratio:
        return refuse(
            "drawdown_warning",
            "the account has lost too much from its peak to open anything",
            observed=percent(drawdown),
            limit=percent(limits.drawdown_warn_ratio),
            remedy="close something, or wait for the account to recover",
        )
    return PASS


CONTROL = Control(38, "drawdown", judge)
