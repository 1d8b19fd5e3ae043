"""What the venue says is held: tickets, sides in hedging mode, netted positions; beside ours, and never folded into it.

A row tells the venue's word and since when it is so. What the venue names no longer stands at zero: that it was there
and is gone is worth more than no row.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from plimsoll.ledger import keys
from plimsoll.ledger.cells import number_or_none, number_or_null
from plimsoll.model import money
from plimsoll.model.clock import parse_time, time_text
from plimsoll.model.ids import AccountId, InstrumentId
from plimsoll.model.money import decimal_text
from plimsoll.model.venue import VenuePosition
from plimsoll.store.draft import Draft, Row
from plimsoll.store.hot import Memory


@dataclass(frozen=True, slots=True)
class HeldThere:
    """A position by the venue's word."""

    account_id: AccountId
    instrument_id: InstrumentId
    #: A ticket or a side; empty where the venue nets.
    leg: str
    #: Signed.
    quantity: Decimal
    #: None where nothing is held.
    avg_price: Decimal | None
    #: When it was first so, and when the venue was last asked and written of.
    since: datetime
    updated_at: datetime


def held_there(memory: Memory, account_id: AccountId) -> list[HeldThere]:
    """List what the venue says is held, as far as it was last written."""
    found: list[HeldThere] = memory.shelf(keys.VENUE_POSITION, account_id)
    return found


def changes(
    memory: Memory, account_id: AccountId, told: Iterable[VenuePosition], now: datetime, *, all_of: bool = False
) -> list[HeldThere]:
    """Say what has to be written so that the book has the venue's word; with `all_of` what stayed as it was, too.

    Shapes: positions of one instrument and leg that are told twice are added up; one of an instrument that the book
            does not know has no row, and stays a break
    """
    before = {(one.instrument_id, one.leg): one for one in held_there(memory, account_id)}
    now_held: dict[tuple[InstrumentId, str], HeldThere] = {}
    for one in told:
        if memory.get(keys.instrument(one.instrument_id)) is None:
            continue
        key = (one.instrument_id, one.leg)
        beside = now_held.get(key)
        quantity = one.quantity if beside is None else beside.quantity + one.quantity
        # What one leg is told in parts has no one price.
        price = one.entry_price if beside is None and quantity != 0 else None
        now_held[key] = HeldThere(account_id, *key, quantity, price, now, now)
    for key, gone in before.items():
        now_held.setdefault(key, replace(gone, quantity=money.ZERO, avg_price=None, since=now, updated_at=now))
    return [
        replace(one, since=before[key].since) if _is_as_before(before.get(key), one) else one
        for key, one in now_held.items()
        if all_of or not _is_as_before(before.get(key), one)
    ]


def _is_as_before(known: HeldThere | None, told: HeldThere) -> bool:
    return known is not None and (known.quantity, known.avg_price) == (told.quantity, told.avg_price)


def write(draft: Draft, one: HeldThere) -> None:
    """Write the venue's word."""
    draft.put(keys.venue_position(one.account_id, one.instrument_id, one.leg), one)
    cells = (
        one.account_id,
        one.instrument_id,
        one.leg,
        decimal_text(one.quantity),
        number_or_null(one.avg_price),
        None,
        time_text(one.since),
        time_text(one.updated_at),
    )
    draft.replace("venue_positions", (one.account_id, one.instrument_id, one.leg), cells)


def from_row(row: Row) -> HeldThere:
    """Read one back."""
    account, instrument, leg, quantity, avg_price, _unrealized_pnl, since, updated_at = row
    return HeldThere(
        AccountId(int(account or 0)),
        InstrumentId(int(instrument or 0)),
        str(leg),
        Decimal(str(quantity)),
        number_or_none(avg_price),
        parse_time(str(since)),
        parse_time(str(updated_at)),
    )
