"""Control 13, stop side: a stop waits on the far side of the market, or it would go off the moment it arrives."""

from plimsoll.model.order import Side
from plimsoll.risk.gate.snapshot import Proposal, Snapshot, known
from plimsoll.risk.gate.verdict import PASS, Control, Finding, cannot_evaluate, refuse
from plimsoll.risk.limits import Limits


def judge(proposal: Proposal, snapshot: Snapshot, _limits: Limits) -> Finding:
    """Refuse a buy stop at or below the ask, and a sell stop at or above the bid."""
    terms, quote = proposal.terms, snapshot.quote
    if terms.stop_price is None:
        return PASS
    if not known(terms.stop_price):
        return cannot_evaluate("the stop price", "give a plain number")
    if quote is None:
        return cannot_evaluate("the market's price", "wait for a fresh price of the instrument")
    buys = terms.side is Side.BUY
    market = quote.ask if buys else quote.bid
    if terms.stop_price > market if buys else terms.stop_price < market:
        return PASS
    return refuse(
        "stop_on_wrong_side",
        f"a stop to {terms.side.lower()} stands {'above' if buys else 'below'} the market, or it goes off at once",
        observed=terms.stop_price,
        limit=market,
        remedy="move the stop, or send a market order if that is what is meant",
    )


CONTROL = Control(13, "stop side", judge)
