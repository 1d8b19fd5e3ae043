"""How an order's changes are noted for the chain and told to followers: the same words wherever it is changed."""

from datetime import datetime

from plimsoll.ledger import orders
from plimsoll.ledger.log import Note, write_note
from plimsoll.model.event import Event, EventKind
from plimsoll.model.money import decimal_text
from plimsoll.model.order import IllegalTransition, Order
from plimsoll.store.draft import Draft


def write_order_note(draft: Draft, order: Order, action: str, actor: str, now: datetime) -> None:
    """Write the unit's note about an order, with the state that the chain vouches for."""
    details = {"state": str(order.state), "filled": decimal_text(order.filled_quantity), "reason": order.reason}
    if action == "CREATE":
        details |= {"terms": orders.terms_text(order), "intent": order.intent.key}
        details |= {"fixed": orders.fixed_hash(order), "reserved": decimal_text(order.reserved)}
    if order.broker_order_id is not None:
        details["broker_order_id"] = order.broker_order_id
    note = Note(order.intent.account_id, actor, action, "ORDER", order.client_order_id, now, details)
    write_note(draft, note)


def contradicted(order: Order, contradiction: IllegalTransition, now: datetime) -> Event:
    """Tell that the venue's word does not fit what the book has of an order; the book stays as it is."""
    details = {"what": str(contradiction), "client_order_id": str(order.client_order_id)}
    return Event(EventKind.BREAK_FOUND, order.intent.account_id, now, details)


def order_event(order: Order, kind: EventKind, now: datetime) -> Event:
    """Tell what became of an order."""
    details = {
        "client_order_id": str(order.client_order_id),
        "state": str(order.state),
        "filled": decimal_text(order.filled_quantity),
        "quantity": decimal_text(order.quantity),
        "reason": order.reason,
    }
    return Event(kind, order.intent.account_id, now, details)
