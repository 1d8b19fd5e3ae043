"""Orders of unknown fate: look them up, never send them again, and believe a "not found" only when it is evidence.

"Not found" is evidence once the venue's settle window has passed since its fate became unknown (a request given up on
may still arrive, an accepted order may stay invisible for a while) *and* two places agree: the order by its id, and
the list of open orders, with the fills since the cursor swept just before. Then the order was never placed. Its
fills, should there ever be any, are booked all the same. The window is measured by the stopwatch of this process, from
the first time that it found the order so: an hour that is set forward must not make a request on its way a lost one.

The same holds for an order that is live in the book and is nowhere at the venue any more: it ended, and the venue
forgot it before we asked (`end_what_is_gone`).

An order that is PENDING while nobody here is placing it was left behind: by a process that ended, by a caller who
gave up, by a book that could not be written. It may have been sent, so it is of unknown fate too.
"""

from datetime import datetime
from functools import partial

from plimsoll.desk.book_trades import hear_order, sweep
from plimsoll.desk.place_order import record
from plimsoll.desk.ports import Ports
from plimsoll.desk.repairs import Repair, repaired
from plimsoll.ledger import keys, orders
from plimsoll.ledger.log import Note, tell, write_note
from plimsoll.model.errors import WorldFailure
from plimsoll.model.event import Event, EventKind
from plimsoll.model.ids import ClientOrderId
from plimsoll.model.order import Order, OrderEvent, OrderState
from plimsoll.runtime.logging import logger
from plimsoll.store.draft import Draft
from plimsoll.venues.protocol import OrderNotFound

log = logger("resolve_unknown")

#: Why an order ended of whose end nobody told.
NOWHERE = "not at the venue any more"


def unknown_orders(ports: Ports) -> list[Order]:
    """List the account's orders of unknown fate."""
    live: list[Order] = ports.books.hot.shelf(keys.ORDER, ports.account_id)
    return [order for order in live if order.state is OrderState.UNKNOWN]


async def doubt_left_behind(ports: Ports) -> int:
    """Call every order that was written and is being placed by nobody UNKNOWN; give how many there were."""
    live: list[Order] = ports.books.hot.shelf(keys.ORDER, ports.account_id)
    if not any(is_left_behind(ports, order) for order in live):
        return 0
    doubted: int = await ports.books.write(partial(_doubt, ports, ports.clock.now()))
    return doubted


def is_left_behind(ports: Ports, order: Order) -> bool:
    """Say whether an order was written, and nobody here is placing it any more: it may have been sent."""
    wish = (order.intent.user_id, order.intent.key)
    return order.state is OrderState.PENDING and wish not in ports.placing


def _doubt(ports: Ports, now: datetime, draft: Draft) -> int:
    left = [order for order in orders.live(draft, ports.account_id) if is_left_behind(ports, order)]
    state, reason = str(OrderState.UNKNOWN), "nobody heard how the sending ended"
    for order in left:
        orders.write(draft, order.after(OrderEvent.OUTCOME_LOST, now, reason=reason))
        details = {"client_order_id": order.client_order_id, "state": state}
        tell(draft, Event(EventKind.ORDER_CHANGED, ports.account_id, now, details))
    if left:
        details = {"orders": ",".join(order.client_order_id for order in left), "state": state, "reason": reason}
        write_note(draft, Note(ports.account_id, "desk", "UPDATE", "ORDER", "*", now, details))
    return len(left)


async def resolve_unknown(ports: Ports) -> list[Order]:
    """Look every order of unknown fate up once; give those that stay unknown."""
    await doubt_left_behind(ports)
    now, unknown = ports.clock.monotonic(), unknown_orders(ports)
    ports.unknown_since = {
        order.client_order_id: ports.unknown_since.get(order.client_order_id, now) for order in unknown
    }
    for order in unknown:
        try:
            await _look_up(ports, order)
        except WorldFailure as failure:
            # A failed question answers nothing: the order stays unknown and is asked about again.
            log.warning("look_up_failed", client_order_id=order.client_order_id, failure=str(failure))
    return unknown_orders(ports)


async def _look_up(ports: Ports, order: Order) -> None:
    try:
        told = await ports.venue.order(ports.account_id, order.client_order_id)
    except OrderNotFound:
        await _not_found(ports, order)
        return
    # Its fills first: the order's own word must not close it before they are booked.
    await sweep(ports)
    await hear_order(ports, told, asked=True)


async def _not_found(ports: Ports, order: Order) -> None:
    unknown_for = ports.clock.monotonic() - ports.unknown_since[order.client_order_id]
    if unknown_for <= ports.venue.facts.settle_window.total_seconds():
        return
    await sweep(ports)
    for told in await ports.venue.open_orders(ports.account_id):
        if told.client_order_id == order.client_order_id:
            await hear_order(ports, told, asked=True)
    # A fill, the list or the stream may have proved just now that it exists: asked in the unit, it is still unknown.
    ended = await record(ports, order, OrderEvent.REJECTED, "never_placed", only_from=OrderState.UNKNOWN)
    if ended.reason == "never_placed":
        repaired(ports, Repair.NEVER_PLACED, order.client_order_id)


async def end_what_is_gone(ports: Ports, name: ClientOrderId) -> None:
    """End an order that was live and that the venue neither lists nor finds any more.

    The caller has the evidence: two looks, a settle window apart, neither of which found it, with all fills swept
    before the second. What it was filled is booked; the rest of it rests nowhere. Fills that come later are booked too.
    """
    order: Order | None = ports.books.hot.get(keys.order(ports.account_id, name))
    if order is None:
        return  # it ended by itself just now
    ended = await record(ports, order, OrderEvent.CANCELED, NOWHERE, only_from=order.state)
    if ended.reason == NOWHERE:
        repaired(ports, Repair.GONE, name)
