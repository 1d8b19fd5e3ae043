"""Control 28, exposure: the whole account's gross and net value against equity, as if the order had filled.

Gross counts every position and waiting order without its sign. Net is taken on the order's own side, as in control 27.
"""

from decimal import Decimal

from plimsoll.model import money
from plimsoll.risk.gate.snapshot import Proposal, Snapshot, known
from plimsoll.risk.gate.verdict import PASS, Control, Finding, cannot_evaluate, refuse
from plimsoll.risk.limits import Limits


def judge(proposal: Proposal, snapshot: Snapshot, limits: Limits) -> Finding:
    """Refuse more exposure than equity carries."""
    value, equity, gross, net = proposal.value, snapshot.equity, snapshot.gross_value, snapshot.net_value
    if not known(value):
        return cannot_evaluate("the value of the order", "wait for a fresh price of the instrument")
    if not known(equity) or not known(gross) or not known(net) or gross < 0:
        return cannot_evaluate("the account's equity or exposure", "wait until every holding has a price")
    gross_after, gross_limit = gross + value, money.settle_product(equity, limits.max_gross_ratio)
    if gross_after > gross_limit:
        return refuse(
            "gross_exposure_too_large",
            "all positions and waiting orders together would be worth more than the account carries",
            observed=gross_after,
            limit=gross_limit,
            remedy="order less, or close or cancel something first",
        )
    net_after, net_limit = proposal.terms.side.sign * net + value, money.settle_product(equity, limits.max_net_ratio)
    if net_after > net_limit:
        return refuse(
            "net_exposure_too_large",
            f"the account would lean further to the {proposal.terms.side.lower()} side than it carries",
            observed=net_after,
            limit=net_limit,
            remedy="order less, or reduce what leans the same way first",
        )
    return PASS


def largest_value(proposal: Proposal, snapshot: Snapshot, limits: Limits) -> Decimal | None:
    """Give the largest value that passes: the smaller of the room left in gross and in net."""
    equity, gross, net = snapshot.equity, snapshot.gross_value, snapshot.net_value
    if not known(equity) or not known(gross) or not known(net) or gross < 0:
        return None
    return min(
        money.settle_product(equity, limits.max_gross_ratio) - gross,
        money.settle_product(equity, limits.max_net_ratio) - proposal.terms.side.sign * net,
    )


CONTROL = Control(28, "gross and net exposure", judge, largest_value=largest_value)
