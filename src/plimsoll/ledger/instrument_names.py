"""What an instrument was called before: venues rename, and old statements, files and people go on saying the old name.

A name is looked for at a time: until `until` it meant this instrument, from then on another's or nobody's. An
instrument's name of today is its own `symbol` and stands in no alias.
"""

from dataclasses import dataclass
from datetime import datetime

from plimsoll.ledger import keys
from plimsoll.model.clock import parse_time, time_text
from plimsoll.model.errors import Illegal
from plimsoll.model.ids import InstrumentId
from plimsoll.model.instrument import Instrument
from plimsoll.store.draft import Draft, Row
from plimsoll.store.hot import Memory


@dataclass(frozen=True, slots=True)
class Alias:
    """A name that an instrument had."""

    id: int
    instrument_id: InstrumentId
    venue: str
    symbol: str
    #: From then on the name was another's, or nobody's.
    until: datetime


def write_alias(draft: Draft, instrument_id: InstrumentId, venue: str, symbol: str, until: datetime) -> Alias:
    """Write that a venue called an instrument so until then. The same again changes nothing.

    Raises: Illegal when another instrument had the name until that very moment
    """
    for known in _of_name(draft, venue, symbol):
        if known.until == until:
            if known.instrument_id != instrument_id:
                raise Illegal("symbol", symbol, f"until {time_text(until)} it named instrument {known.instrument_id}")
            return known
    alias = Alias(draft.next_id("instrument_aliases"), instrument_id, venue, symbol, until)
    draft.put(keys.alias(alias.venue, alias.symbol, alias.id), alias)
    cells = (alias.id, alias.instrument_id, alias.venue, alias.symbol, time_text(alias.until))
    draft.replace("instrument_aliases", alias.id, cells)
    return alias


def alias_from_row(row: Row) -> Alias:
    """Read an alias back."""
    number, instrument, venue, symbol, until = row
    return Alias(int(number or 0), InstrumentId(int(instrument or 0)), str(venue), str(symbol), parse_time(str(until)))


def instruments_called(memory: Memory, venue: str, symbol: str, at: datetime | None = None) -> tuple[InstrumentId, ...]:
    """Name what goes by a symbol today and whatever went by it before; with a time, the one that did so then."""
    before = sorted(_of_name(memory, venue, symbol), key=lambda alias: alias.until)
    listed: list[Instrument] = memory.shelf(keys.INSTRUMENTS_OF, venue)
    today = tuple(instrument.id for instrument in listed if instrument.symbol == symbol)
    if at is None:
        return tuple(dict.fromkeys((*today, *(alias.instrument_id for alias in before))))
    then = next((alias.instrument_id for alias in before if alias.until > at), None)
    return today if then is None else (then,)


def _of_name(memory: Memory, venue: str, symbol: str) -> list[Alias]:
    found: list[Alias] = memory.shelf(keys.ALIAS, (venue, symbol))
    return found
