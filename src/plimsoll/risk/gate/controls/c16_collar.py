"""Control 16, price collar: an order's price lies near the market, or a finger slipped.

Limit and trigger are both measured, either way from the mid, or from the last trade where the source declares no
spread. A market order has no price of its own; that it can be valued at all is what is asked of it.
"""

from decimal import Decimal

from plimsoll.model.instrument import AssetType, Instrument
from plimsoll.model.quote import Fact
from plimsoll.risk.gate.snapshot import Proposal, Snapshot, known, known_price
from plimsoll.risk.gate.verdict import PASS, Control, Finding, cannot_evaluate, percent, refuse
from plimsoll.risk.limits import Limits

_MAJORS = frozenset({"BTC", "ETH"})


def judge(proposal: Proposal, snapshot: Snapshot, limits: Limits) -> Finding:
    """Refuse a price further from the market than its class allows."""
    instrument, quote, terms = snapshot.instrument, snapshot.quote, proposal.terms
    if instrument is None or quote is None or proposal.reference is None:
        return cannot_evaluate("the reference price", "wait for a fresh price of the instrument")
    if terms.price is None and terms.stop_price is None:
        return PASS
    market = quote.mid if Fact.SPREAD in snapshot.source.declares else quote.last
    if not known_price(market):
        return cannot_evaluate("the reference price", "wait for a fresh price of the instrument")
    allowed_ratio = collar_ratio(instrument, limits)
    for price in (terms.price, terms.stop_price):
        if price is None:
            continue
        if not known(price):
            return cannot_evaluate("the order's price", "give a plain number")
        if abs(price - market) > market * allowed_ratio:
            return refuse(
                "price_outside_collar",
                f"the price is more than {percent(allowed_ratio)} away from the market",
                observed=price,
                limit=f"{percent(allowed_ratio)} from {market.normalize():f}",
                remedy="check the price for a slipped digit, or move it nearer to the market",
            )
    return PASS


def collar_ratio(instrument: Instrument, limits: Limits) -> Decimal:
    """Give how far from the market an order for this instrument may be priced."""
    if instrument.asset_type is AssetType.FOREX:
        return limits.collar_fx_ratio
    return limits.collar_major_ratio if instrument.base in _MAJORS else limits.collar_other_ratio


CONTROL = Control(16, "price collar", judge)
