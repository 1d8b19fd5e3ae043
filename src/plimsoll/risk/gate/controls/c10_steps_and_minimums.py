"""Control 10, steps and minimums: whole lots, whole ticks, and enough of it for the venue and for us.

Nothing is rounded up in silence. Of a close only the lot is asked: a rest below the minimum must still be able to go.
"""

from plimsoll.model import money
from plimsoll.model.instrument import Instrument
from plimsoll.risk.gate.snapshot import Proposal, Snapshot, known, quote_notional
from plimsoll.risk.gate.verdict import PASS, Control, Finding, cannot_evaluate, refuse
from plimsoll.risk.limits import Limits


def judge(proposal: Proposal, snapshot: Snapshot, limits: Limits) -> Finding:
    """Refuse what the venue would round, and what is too small to send."""
    instrument, quantity = snapshot.instrument, proposal.quantity
    if instrument is None:
        return cannot_evaluate("the instrument's lot", "load the venue's list of instruments")
    if not known(quantity):
        return cannot_evaluate("the quantity", "give a plain number")
    if proposal.intent.terms.quote_value is not None and proposal.reference is None:
        return cannot_evaluate("how many lots the value buys", "wait for a fresh price, or give a quantity")
    if quantity <= 0 or not money.is_multiple(quantity, instrument.lot_size):
        return refuse(
            "not_whole_lots",
            "the quantity is not a whole number of lots, and none is rounded up",
            observed=quantity,
            limit=instrument.lot_size,
            remedy=f"order a multiple of {money.decimal_text(instrument.lot_size)}",
        )
    return PASS if proposal.closes else _opening(proposal, instrument, limits)


def _opening(proposal: Proposal, instrument: Instrument, limits: Limits) -> Finding:
    terms = proposal.terms
    for price in (terms.price, terms.stop_price):
        if price is not None and not (known(price) and money.is_multiple(price, instrument.tick_size)):
            return refuse(
                "not_whole_ticks",
                "the price is not a whole number of ticks",
                observed=price,
                limit=instrument.tick_size,
                remedy=f"move the price to a multiple of {money.decimal_text(instrument.tick_size)}",
            )
    if proposal.quantity < instrument.min_quantity:
        return refuse(
            "below_min_quantity",
            "the venue takes no quantity as small as this",
            observed=proposal.quantity,
            limit=instrument.min_quantity,
            remedy="order more",
        )
    if proposal.reference is None or not known(proposal.value):
        return cannot_evaluate("the value of the order", "wait for a fresh price of the instrument")
    notional = quote_notional(instrument, proposal.quantity, proposal.reference)
    if notional < instrument.min_notional:
        return refuse(
            "below_min_notional",
            f"the venue's least order is worth {money.decimal_text(instrument.min_notional)} {instrument.quote}",
            observed=notional,
            limit=instrument.min_notional,
            remedy="order more",
        )
    if proposal.value < limits.min_order_value:
        return refuse(
            "below_min_value",
            f"an order is worth at least {money.decimal_text(limits.min_order_value)} of the account's currency",
            observed=proposal.value,
            limit=limits.min_order_value,
            remedy="order more, or lower the minimum in the account's policy",
        )
    return PASS


CONTROL = Control(10, "steps and minimums", judge, binds_close=True)
