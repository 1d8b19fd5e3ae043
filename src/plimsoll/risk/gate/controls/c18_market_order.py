"""Control 18, market order: one that carries no price limit to the venue needs a spread that it can afford.

The other half of the rule, valuing it at the worst side plus 1 %, is in `snapshot.valued`.
"""

from plimsoll.model import money
from plimsoll.model.order import OrderType
from plimsoll.model.quote import Fact
from plimsoll.risk.gate.snapshot import Proposal, Snapshot, known
from plimsoll.risk.gate.verdict import PASS, Control, Finding, cannot_evaluate, percent, refuse, undeclared
from plimsoll.risk.limits import Limits


def judge(proposal: Proposal, snapshot: Snapshot, limits: Limits) -> Finding:
    """Refuse an unlimited market order into a wide spread."""
    if proposal.terms.type is not OrderType.MARKET or snapshot.venue.marketable_limit:
        return PASS
    unheard = undeclared(snapshot, Fact.SPREAD)
    if unheard is not None:
        return unheard
    quote = snapshot.quote
    if quote is None:
        return cannot_evaluate("the spread", "wait for a fresh price, or send a limit order")
    spread = quote.ask - quote.bid
    if not known(spread):
        return cannot_evaluate("the spread", "wait for a fresh price, or send a limit order")
    if spread > quote.bid * limits.max_spread_ratio:
        return refuse(
            "spread_too_wide",
            "the spread is too wide for a market order without a price limit",
            observed=percent(money.settle_quotient(spread, quote.bid)),
            limit=percent(limits.max_spread_ratio),
            remedy="send a limit order, or wait for the spread to close",
        )
    return PASS


CONTROL = Control(18, "market order", judge)
