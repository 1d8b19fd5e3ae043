"""Take an order back. What it had filled stays filled; the answer of the venue says how it ended, not our wish.

Who wants it is written down before the request leaves. What if the database takes nothing? The order is cancelled all
the same, for that only reduces risk, and nothing opens until the book was compared with the venue. What if another
process owns the book by now, or may own it (`Ports.may_send`)? Then nothing is sent: the order may be the stop that the
new owner counts on.
"""

from plimsoll.desk.book_trades import hear_order
from plimsoll.desk.ports import Ports
from plimsoll.ledger import keys
from plimsoll.ledger.log import Note, write_note
from plimsoll.model.errors import CommandRefused, Refusal, TryAgain, UnknownOutcome
from plimsoll.model.ids import ClientOrderId
from plimsoll.model.order import Order, OrderType
from plimsoll.model.position import PositionKey
from plimsoll.store.connection import CommitUnclear, OwnershipLost, StoreFailed
from plimsoll.venues.protocol import OrderNotFound


async def cancel_order(ports: Ports, client_order_id: ClientOrderId, *, actor: str) -> Order:
    """Cancel a live order of ours and give it as the book has it afterwards.

    Refuses: an order that is unknown or has ended
    Raises:  CommandRefused; WorldFailure, OwnershipLost (the order is as it was); StoreFailed, CommitUnclear (it may
             have ended at the venue, and the book does not know)
    """
    order: Order | None = ports.books.hot.get(keys.order(ports.account_id, client_order_id))
    if order is None:
        raise CommandRefused(
            Refusal("order_not_live", "no live order has this id", observed=client_order_id, remedy="it may have ended")
        )
    await _note_wish(ports, client_order_id, actor)
    not_ours = ports.may_send()
    if not_ours is not None:
        raise TryAgain(f"not sent: {not_ours}")
    try:
        reported = await ports.venue.cancel(ports.account_id, client_order_id)
    except (OrderNotFound, UnknownOutcome):
        # Neither proves that it is gone: a fill may be on its way. It stays live here until the venue says how it
        # ended.
        return order
    try:
        return await hear_order(ports, reported)
    except (StoreFailed, CommitUnclear) as failure:
        ports.doubt(f"the end of a cancelled order could not be written: {failure}")
        raise


async def _note_wish(ports: Ports, client_order_id: ClientOrderId, actor: str) -> None:
    note = Note(ports.account_id, actor, "CANCEL", "ORDER", client_order_id, ports.clock.now(), {})
    try:
        await ports.books.write(lambda draft: write_note(draft, note))
    except OwnershipLost:
        raise
    except (StoreFailed, CommitUnclear) as failure:
        ports.doubt(f"who cancels an order could not be written: {failure}")


async def cancel_protection(ports: Ports, key: PositionKey, *, actor: str) -> list[Order]:
    """Cancel what rests to close one position: a stop, a target. What closes at the market is on its way and stays.

    Raises: ExceptionGroup of what could not be cancelled
    """
    with ports.books.hot.lock:
        waiting: list[Order] = ports.books.hot.shelf(keys.ORDER, ports.account_id)
    return await _cancel(ports, [order for order in waiting if rests_to_close(order) and leg_of(order) == key], actor)


def rests_to_close(order: Order) -> bool:
    """Say whether an order protects a position: it closes, at a price that may never come."""
    return order.closes and order.terms.type is not OrderType.MARKET


def leg_of(order: Order) -> PositionKey:
    """Give the position that an order changes."""
    return (order.intent.portfolio_id, order.terms.instrument_id, order.intent.strategy_id or 0, order.leg)


async def cancel_all(ports: Ports, *, keep_protection: bool, actor: str) -> list[Order]:
    """Cancel every waiting order of ours; one failure does not stop the others, and is raised at the end.

    Raises: ExceptionGroup of what could not be cancelled
    """
    with ports.books.hot.lock:
        waiting: list[Order] = ports.books.hot.shelf(keys.ORDER, ports.account_id)
    return await _cancel(ports, [order for order in waiting if not (keep_protection and order.closes)], actor)


async def _cancel(ports: Ports, waiting: list[Order], actor: str) -> list[Order]:
    failures: list[Exception] = []
    ended: list[Order] = []
    for order in waiting:
        try:
            ended.append(await cancel_order(ports, order.client_order_id, actor=actor))
        except CommandRefused:
            continue  # it ended by itself between the list and the word
        except Exception as failure:  # noqa: BLE001  collected: the other orders must still be taken back
            failures.append(failure)
    if failures:
        raise ExceptionGroup("orders could not be cancelled", failures)
    return ended
