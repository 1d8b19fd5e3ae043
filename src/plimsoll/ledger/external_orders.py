"""Orders at the venue that the book does not know: a person's own, another program's, or our own of a lost book.

Rule 1. They are kept apart. None of them becomes an order of the book, holds money back or counts for a limit; of one
        that a restored book adopted (`desk.resync`) only the used id stays here.
Rule 2. Absence is no evidence of an end: one that waits no longer is UNKNOWN, since nobody told how it ended.
Rule 3. One that carries this desk's prefix (`ours`) was sent once and forgotten, as after the restore of an old backup.
        Its client order id is never used again: a venue that forgets ended ids would take it a second time.

In memory are those that wait at the venue, and all of our own prefix; the others are in the database.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from plimsoll.ledger import keys
from plimsoll.ledger.cells import number_or_none, number_or_null
from plimsoll.model.clock import parse_time, time_text
from plimsoll.model.ids import AccountId, BrokerOrderId, ClientOrderId, InstrumentId
from plimsoll.model.money import decimal_text
from plimsoll.model.order import OrderState, OrderType, Side
from plimsoll.model.venue import VenueOrder
from plimsoll.store.draft import Draft, Row
from plimsoll.store.hot import Memory


class ExternalStatus(StrEnum):
    """What a person made of it."""

    OPEN = "OPEN"
    #: It belongs to somebody here; it stays at the venue.
    ASSIGNED = "ASSIGNED"
    #: Nobody of this desk has to do with it.
    IGNORED = "IGNORED"


@dataclass(frozen=True, slots=True)
class ExternalOrder:
    """An order at the venue that no verdict of ours approved."""

    account_id: AccountId
    id: int
    instrument_id: InstrumentId
    broker_order_id: BrokerOrderId
    client_order_id: ClientOrderId | None
    #: Its client id begins as ours do.
    ours: bool
    side: Side
    type: OrderType
    quantity: Decimal
    filled_quantity: Decimal
    price: Decimal | None
    #: As the venue said last; UNKNOWN since it waits no longer.
    state: OrderState
    first_seen: datetime
    #: When what the venue says of it was last another thing than before.
    last_seen: datetime
    status: ExternalStatus = ExternalStatus.OPEN
    resolved_by: str | None = None

    @property
    def waits(self) -> bool:
        """Say whether it may still fill."""
        return self.state is not OrderState.UNKNOWN and not self.state.is_final

    @property
    def taken_back(self) -> bool:
        """Say whether it stands in the book again."""
        return self.ours and self.status is ExternalStatus.ASSIGNED

    @property
    def in_memory(self) -> bool:
        """Say whether somebody may ask for it at any moment."""
        return self.ours or self.waits


def write_seen(draft: Draft, account_id: AccountId, told: Iterable[tuple[VenueOrder, bool]], now: datetime) -> None:
    """Write which foreign orders a whole comparison found at the venue; what is as it was is left alone.

    Shapes: `told` -> each order, and whether it carries this desk's prefix; one of an instrument that the book does not
            know, or of no quantity, has no row and stays a break
    """
    left = {(one.instrument_id, one.broker_order_id): one for one in waiting(draft, account_id)}
    for order, ours in told:
        known = left.pop((order.instrument_id, order.broker_order_id), None) or _find(draft, account_id, order)
        if known is None and not _has_place(draft, order):
            continue
        seen = _as_told(known, order, now) if known else _new(draft, account_id, order, now, ours=ours)
        if seen != known:
            _write(draft, seen)
    for gone in left.values():
        _write(draft, replace(gone, state=OrderState.UNKNOWN, last_seen=now))


def write_adopted(draft: Draft, account_id: AccountId, order: VenueOrder, by: str, now: datetime) -> None:
    """Write that an order of ours was sent by a part of the book that is lost: its id is never used again."""
    adopted = _find(draft, account_id, order) or _new(draft, account_id, order, now, ours=True)
    _write(draft, replace(adopted, ours=True, status=ExternalStatus.ASSIGNED, resolved_by=by))


def has_changed(memory: Memory, account_id: AccountId, told: Iterable[VenueOrder], now: datetime) -> bool:
    """Say whether `write_seen` would have anything to write."""
    left = {(one.instrument_id, one.broker_order_id) for one in waiting(memory, account_id)}
    for order in told:
        key = keys.external_order(account_id, order.instrument_id, order.broker_order_id)
        known: ExternalOrder | None = memory.get(key)
        if known is None and not _has_place(memory, order):
            continue
        if known is None or _as_told(known, order, now) != known:
            return True
        left.discard((order.instrument_id, order.broker_order_id))
    return bool(left)


def _has_place(memory: Memory, order: VenueOrder) -> bool:
    # A row points at its instrument, and says how much is wanted.
    return order.quantity > 0 and memory.get(keys.instrument(order.instrument_id)) is not None


def waiting(memory: Memory, account_id: AccountId) -> list[ExternalOrder]:
    """List those that wait at the venue, as the last comparison saw; what the book took back is its own again."""
    found: list[ExternalOrder] = memory.shelf(keys.EXTERNAL_ORDER, account_id)
    return [one for one in found if one.waits and not one.taken_back]


def was_decided(memory: Memory, account_id: AccountId, order: VenueOrder) -> bool:
    """Say whether a person has said what this order is."""
    key = keys.external_order(account_id, order.instrument_id, order.broker_order_id)
    known: ExternalOrder | None = memory.get(key)
    return known is not None and known.status is not ExternalStatus.OPEN


def sent_once(memory: Memory, account_id: AccountId) -> frozenset[ClientOrderId]:
    """Give the ids of ours under which the venue has, or had, orders that the book does not know."""
    found: list[ExternalOrder] = memory.shelf(keys.EXTERNAL_ORDER, account_id)
    return frozenset(one.client_order_id for one in found if one.ours and one.client_order_id is not None)


def settle(draft: Draft, account_id: AccountId, number: int, status: ExternalStatus, by: str) -> ExternalOrder | None:
    """Write what a person made of one that waits; None where this account has no such one."""
    for known in waiting(draft, account_id):
        if known.id == number:
            settled = replace(known, status=status, resolved_by=by)
            _write(draft, settled)
            return settled
    return None


def _find(draft: Draft, account_id: AccountId, order: VenueOrder) -> ExternalOrder | None:
    held: ExternalOrder | None = draft.get(keys.external_order(account_id, order.instrument_id, order.broker_order_id))
    if held is not None:
        return held
    # One that waited, was not in the list any more, and is there again.
    rows = draft.find("external_order_by_broker_id", account_id, order.instrument_id, order.broker_order_id)
    return from_row(rows[0]) if rows else None


def _as_told(known: ExternalOrder, order: VenueOrder, now: datetime) -> ExternalOrder:
    told = replace(
        known,
        quantity=order.quantity,
        filled_quantity=order.filled_quantity,
        price=order.price,
        state=order.state,
    )
    return known if told == known else replace(told, last_seen=now)


def _new(draft: Draft, account_id: AccountId, order: VenueOrder, now: datetime, *, ours: bool) -> ExternalOrder:
    return ExternalOrder(
        account_id,
        draft.next_id("external_orders"),
        order.instrument_id,
        order.broker_order_id,
        order.client_order_id,
        ours,
        order.side,
        order.type,
        order.quantity,
        order.filled_quantity,
        order.price,
        order.state,
        now,
        now,
    )


def _write(draft: Draft, one: ExternalOrder) -> None:
    key = keys.external_order(one.account_id, one.instrument_id, one.broker_order_id)
    draft.put(key, one if one.in_memory else None)
    cells = (
        one.account_id,
        one.id,
        one.instrument_id,
        one.broker_order_id,
        one.client_order_id,
        int(one.ours),
        one.side,
        one.type,
        decimal_text(one.quantity),
        decimal_text(one.filled_quantity),
        number_or_null(one.price),
        one.state,
        time_text(one.first_seen),
        time_text(one.last_seen),
        one.status,
        one.resolved_by,
    )
    draft.replace("external_orders", (one.account_id, one.id), cells)


def from_row(row: Row) -> ExternalOrder:
    """Read one back."""
    account, number, instrument, broker_id, client_id, ours, side, kind, quantity, filled, price = row[:11]
    state, first_seen, last_seen, status, resolved_by = row[11:]
    return ExternalOrder(
        AccountId(int(account or 0)),
        int(number or 0),
        InstrumentId(int(instrument or 0)),
        BrokerOrderId(str(broker_id)),
        None if client_id is None else ClientOrderId(str(client_id)),
        bool(ours),
        Side(str(side)),
        OrderType(str(kind)),
        Decimal(str(quantity)),
        Decimal(str(filled)),
        number_or_none(price),
        OrderState(str(state)),
        parse_time(str(first_seen)),
        parse_time(str(last_seen)),
        ExternalStatus(str(status)),
        None if resolved_by is None else str(resolved_by),
    )
