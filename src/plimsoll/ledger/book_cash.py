"""Book what moved without a trade: funding, interest, loans, dividends, deposits, transfers, settlements, adjustments.

A balance is only ever the sum of its lines; a position's `flows` are the sum of those that it earned or paid.

What if it comes twice? Its reference and kind find the first one; the same again changes nothing, anything else under
them is an incident and changes nothing either.
What if the venue's balance says otherwise and nobody knows why? Nothing is scaled to fit: a person adjusts, with a
reason, and the log keeps both.
"""

from dataclasses import replace
from datetime import datetime

from plimsoll.ledger import cash, days, positions
from plimsoll.ledger.days import DayMove
from plimsoll.ledger.fold import position_of_line
from plimsoll.ledger.log import Note, tell, write_note
from plimsoll.ledger.refold import stored_position
from plimsoll.ledger.trades import Booking
from plimsoll.model.cash import CashEvent, CashKind, CashLine
from plimsoll.model.errors import Illegal
from plimsoll.model.event import Event, EventKind
from plimsoll.model.ids import InstrumentId
from plimsoll.model.money import decimal_text
from plimsoll.model.position import plus_flow
from plimsoll.store.draft import Draft


def book_cash(draft: Draft, event: CashEvent, actor: str, now: datetime) -> Booking:
    """Book one event in a unit of its own.

    Raises: Illegal for an adjustment that no person made
    """
    if event.kind is CashKind.ADJUSTMENT and not actor.startswith("user:"):
        raise Illegal("actor", actor, "an adjustment is made by a person")
    became = post_event(draft, event, now)
    if became is not Booking.REPEATED:
        action = "CREATE" if became is Booking.BOOKED else "REJECT"
        write_note(draft, Note(event.account_id, actor, action, "CASH", event.reference, now, _told(event)))
    return became


def post_event(draft: Draft, event: CashEvent, now: datetime) -> Booking:
    """Post an event's lines; the caller writes the unit's note."""
    lines = event.lines()
    before = cash.find(draft, event.account_id, event.reference, event.kind)
    if before:
        if set(before) == set(lines):
            return Booking.REPEATED
        tell(draft, contradiction(event, before, now))
        return Booking.CONTRADICTED
    cash.post_once(draft, lines)
    if event.instrument_id is not None:
        _flow(draft, lines[0], event.instrument_id)
    tell(draft, Event(EventKind.CASH_BOOKED, event.account_id, now, _told(event)))
    return Booking.BOOKED


def _flow(draft: Draft, line: CashLine, instrument_id: InstrumentId) -> None:
    position = stored_position(draft, position_of_line(line, instrument_id))
    flow = (line.kind.value, line.asset, line.amount)
    positions.write(draft, replace(position, flows=plus_flow(position.flows, *flow)))
    days.move(draft, position, days.day_of(line.at), DayMove(flows=(flow,)))


def _told(event: CashEvent) -> dict[str, str]:
    told = {
        "reference": event.reference,
        "kind": event.kind.value,
        "asset": event.asset,
        "amount": decimal_text(event.amount),
    }
    return {**told, "reason": event.reason} if event.reason else told


def contradiction(event: CashEvent, before: tuple[CashLine, ...], now: datetime) -> Event:
    """Tell that something else was booked under a reference and kind."""
    booked = ", ".join(f"{decimal_text(line.amount)} {line.asset} in {line.pocket}" for line in before)
    details = {**_told(event), "what": "another movement was booked under this reference", "booked": booked}
    return Event(EventKind.BREAK_FOUND, event.account_id, now, details)
