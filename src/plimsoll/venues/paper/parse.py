"""The exchange's records in our words: the same answers that a broker's messages would become."""

from plimsoll.model.venue import VenueOrder
from plimsoll.venues.paper.books import PaperOrder, order_name


def venue_order(order: PaperOrder) -> VenueOrder:
    """Tell an order as any venue would."""
    terms = order.terms
    return VenueOrder(
        client_order_id=order.client_order_id,
        broker_order_id=order_name(order.account_id, order.number),
        instrument_id=terms.instrument_id,
        side=terms.side,
        type=terms.type,
        quantity=order.quantity,
        filled_quantity=order.filled_quantity,
        state=order.state,
        updated_at=order.updated_at,
        price=terms.price,
        stop_price=terms.stop_price,
        reduce_only=terms.reduce_only,
        reason=order.reason,
    )
