"""Control 32, load: how much of the account's buying power would be in use, the line that the house is named after.

Load = gross value / (equity × leverage cap). A symbol's chosen leverage divides its margin, never the load.
"""

from decimal import Decimal

from plimsoll.model import money
from plimsoll.risk.gate.snapshot import Proposal, Snapshot, known
from plimsoll.risk.gate.verdict import PASS, Control, Finding, cannot_evaluate, not_applicable, percent, refuse, warn
from plimsoll.risk.limits import Limits

_NO_LOAD = not_applicable("a plain spot account borrows nothing: it has no load")


def judge(proposal: Proposal, snapshot: Snapshot, limits: Limits) -> Finding:
    """Refuse what loads the account past the line; tell when it comes near."""
    if not snapshot.has_load:
        return _NO_LOAD
    value, equity, gross = proposal.value, snapshot.equity, snapshot.gross_value
    if not known(value):
        return cannot_evaluate("the value of the order", "wait for a fresh price of the instrument")
    if not known(equity) or not known(gross) or gross < 0:
        return cannot_evaluate("the account's load", "wait until every holding has a price")
    power = money.settle_product(equity, limits.leverage_cap)
    after = gross + value
    if after > money.settle_product(power, limits.max_load_ratio):
        return refuse(
            "load_too_high",
            "the order would load the account past its line",
            observed=_load(after, power),
            limit=percent(limits.max_load_ratio),
            remedy="order less, or close something first",
        )
    if after >= money.settle_product(power, limits.warn_load_ratio):
        return warn(
            "load_near_line",
            "the order loads the account nearly to its line",
            observed=_load(after, power),
            limit=percent(limits.max_load_ratio),
            remedy="keep room for a move of the market: order less, or close something",
        )
    return PASS


def largest_value(_proposal: Proposal, snapshot: Snapshot, limits: Limits) -> Decimal | None:
    """Give the largest value that passes: the buying power up to the line, less what is in use."""
    equity, gross = snapshot.equity, snapshot.gross_value
    if not known(equity) or not known(gross) or gross < 0:
        return None
    power = money.settle_product(equity, limits.leverage_cap)
    return money.settle_product(power, limits.max_load_ratio) - gross


def _load(gross: Decimal, power: Decimal) -> str:
    return percent(money.settle_quotient(gross, power)) if power > 0 else "no equity to carry it"


CONTROL = Control(32, "load", judge, largest_value=largest_value)
