"""Control 9, sanity: numbers are finite, above zero and of a length that fits; the venue knows the kind of order.

It binds closes too, for an order that cannot be read cannot be sent.
"""

from plimsoll.model import money
from plimsoll.model.errors import Illegal
from plimsoll.model.order import Intent, OrderTerms, OrderType, TimeInForce
from plimsoll.model.venue import VenueFacts
from plimsoll.risk.gate.snapshot import Proposal, Snapshot
from plimsoll.risk.gate.verdict import PASS, Control, Finding, Outcome, refuse
from plimsoll.risk.limits import Limits

_NUMBERS = ("quantity", "quote_value", "price", "stop_price")
_AT_ONCE = frozenset({TimeInForce.IOC, TimeInForce.FOK})


def judge(proposal: Proposal, snapshot: Snapshot, _limits: Limits) -> Finding:
    """Refuse numbers that mean nothing, and words that the venue does not know."""
    terms = proposal.intent.terms
    for field in _NUMBERS:
        value = getattr(terms, field)
        if value is not None:
            try:
                money.check_digits(value, field)
            except Illegal as illegal:
                return Finding(Outcome.REFUSE, illegal.refusal())
            if value <= 0:
                return refuse(
                    f"{field}_not_positive",
                    f"the {field.replace('_', ' ')} of an order is a number above zero; the side says which way",
                    observed=value,
                    limit="above 0",
                    remedy="give a positive number",
                )
    words = _words(terms, snapshot.venue)
    return words if words is not PASS else _waits_guarded(proposal.intent, snapshot)


def _waits_guarded(intent: Intent, snapshot: Snapshot) -> Finding:
    """Refuse a close that waits at a venue which would let it open, once its position is gone by another way."""
    terms, instrument, venue = intent.terms, snapshot.instrument, snapshot.venue
    if terms.type is OrderType.MARKET or instrument is None or not instrument.is_derivative:
        return PASS
    # Where long and short stand beside each other, no order turns one into the other.
    guarded = terms.reduce_only and (venue.reduce_only or venue.hedging)
    if guarded or not (terms.reduce_only or intent.closes_leg):
        return PASS
    return refuse(
        "close_waits_unguarded",
        "nothing at the venue would keep this close, while it waits, from opening a position",
        observed=f"{terms.type}, reduce-only {'on' if terms.reduce_only else 'off'}",
        limit=f"{venue.name} {'knows' if venue.reduce_only else 'does not know'} reduce-only",
        remedy="close at the market",
    )


def _words(terms: OrderTerms, venue: VenueFacts) -> Finding:
    if terms.type not in venue.order_types:
        return refuse(
            "order_type_unsupported",
            f"the venue {venue.name} does not take {terms.type} orders",
            observed=terms.type,
            limit=", ".join(sorted(venue.order_types)),
            remedy="choose a type that the venue takes",
        )
    if terms.time_in_force not in venue.times_in_force:
        return refuse(
            "time_in_force_unsupported",
            f"the venue {venue.name} does not take {terms.time_in_force} orders",
            observed=terms.time_in_force,
            limit=", ".join(sorted(venue.times_in_force)),
            remedy="choose a time in force that the venue takes",
        )
    if terms.post_only and (terms.type is not OrderType.LIMIT or terms.time_in_force in _AT_ONCE):
        return refuse(
            "post_only_contradicts",
            "post-only means to wait in the book, which this order cannot",
            observed=f"{terms.type} {terms.time_in_force}",
            limit="a LIMIT order that waits",
            remedy="drop post-only, or send a LIMIT order that waits",
        )
    return PASS


CONTROL = Control(9, "sanity", judge, binds_close=True)
