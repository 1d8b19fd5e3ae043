"""The last look, at the wire: what is about to leave is what was approved, to the last digit (control 50).

The gate may be right and the order still be changed on its way: a size scaled twice, a price of another order. A
difference here means that the desk itself is broken. The caller does not send, and halts the whole desk.
"""

from dataclasses import fields

from plimsoll.model.errors import Refusal
from plimsoll.model.ids import ClientOrderId
from plimsoll.model.order import OrderTerms
from plimsoll.risk.gate.verdict import Approved

#: All of them: a field added to the terms is compared from its first day.
_COMPARED = tuple(field.name for field in fields(OrderTerms))


def compare_with_wire(approved: Approved, sent: OrderTerms, client_order_id: ClientOrderId, leg: str) -> Refusal | None:
    """Name the first difference between what was approved and what would be sent; None when there is none."""
    if client_order_id != approved.client_order_id:
        return _difference("client_order_id", client_order_id, approved.client_order_id)
    if leg != approved.leg:
        return _difference("leg", leg, approved.leg)
    for field in _COMPARED:
        leaves, allowed = getattr(sent, field), getattr(approved.terms, field)
        if leaves != allowed:
            return _difference(field, leaves, allowed)
    return None


def _difference(field: str, leaves: object, allowed: object) -> Refusal:
    return Refusal(
        "parity_broken",
        f"the order about to leave differs from the approved one in {field}",
        observed=str(leaves),
        limit=str(allowed),
        remedy="do not send it; halt the desk and find what changed it",
    )
