"""What a source says of its instruments, into the books: the gate believes their rules for an hour.

A step, a least order or a limit may change, and does. What an instrument *is* may not: another multiplier under a
known number would value every position in it anew. Such a description is not written, people are told, and what the
book has grows too old to open on.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from plimsoll.desk.ports import Ports
from plimsoll.ledger import accounts, keys, tiers
from plimsoll.ledger.log import Note, write_note
from plimsoll.model.instrument import Instrument
from plimsoll.runtime.logging import logger
from plimsoll.store.draft import Draft

log = logger("instrument_news")

#: A unit stays short.
INSTRUMENTS_A_UNIT = 100


async def refresh_instruments(ports: Ports, told: Sequence[Instrument]) -> tuple[str, ...]:
    """Write every instrument as it was described just now; name those that are not what the book has.

    Raises: StoreFailed, CommitUnclear
    """
    refused: list[str] = []
    for start in range(0, len(told), INSTRUMENTS_A_UNIT):
        # The hour is taken here and not in the unit: whoever stands before it in line must not find rules that are
        # younger than his own view of the world.
        now = ports.clock.now()
        refused += await ports.books.write(partial(_write, ports, told[start : start + INSTRUMENTS_A_UNIT], now))
    if refused:
        names = ", ".join(refused)
        log.error("instruments_contradicted", account=ports.account_id, instruments=names)
        ports.tell(
            "warning", f"INSTRUMENTS: the price source describes {names} otherwise than the book; not taken over"
        )
    return tuple(refused)


def _write(ports: Ports, told: Sequence[Instrument], now: datetime, draft: Draft) -> list[str]:
    changed: list[str] = []
    refused: list[str] = []
    for instrument in told:
        held: Instrument | None = draft.get(keys.instrument(instrument.id))
        if held is None or _identity(held) != _identity(instrument):
            refused.append(instrument.symbol)
            continue
        if held != instrument:
            changed.append(instrument.symbol)
        accounts.write_instrument(draft, instrument, now)
        tiers.write_known(draft, instrument, now)
    if changed:
        names = ",".join(changed)
        write_note(draft, Note(ports.account_id, "desk", "UPDATE", "INSTRUMENT", names, now, {"changed": names}))
    return refused


def _identity(instrument: Instrument) -> tuple[object, ...]:
    return (
        instrument.symbol,
        instrument.venue,
        instrument.asset_type,
        instrument.base,
        instrument.quote,
        instrument.settle,
        instrument.multiplier,
        instrument.inverse,
    )
