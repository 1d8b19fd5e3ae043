"""How much a venue lends on a position of which size: tiers by the value of a position, as the venue's table has them.

A venue that tells no table has one tier for all sizes: the instrument's greatest leverage, and the share of its value
that its class must keep.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from plimsoll.ledger import keys
from plimsoll.ledger.cells import number_or_none, number_or_null
from plimsoll.model import money
from plimsoll.model.clock import time_text
from plimsoll.model.errors import Illegal
from plimsoll.model.ids import InstrumentId
from plimsoll.model.instrument import Instrument
from plimsoll.model.money import decimal_text
from plimsoll.risk.margin import maintenance_ratio
from plimsoll.store.draft import Draft, Row
from plimsoll.store.hot import Memory


@dataclass(frozen=True, slots=True)
class Tier:
    """What holds for positions between two values, in the settle asset."""

    notional_from: Decimal
    #: The last tier has no end.
    notional_to: Decimal | None
    max_leverage: Decimal
    maintenance_ratio: Decimal
    #: What is taken off, so that the margin does not jump between two tiers.
    maintenance_amount: Decimal = money.ZERO


def write_known(draft: Draft, instrument: Instrument, at: datetime) -> None:
    """Write the tier of an instrument whose venue tells no table; what is bought outright has none."""
    if instrument.is_derivative and len(tiers_of(draft, instrument.id)) <= 1:
        only = Tier(money.ZERO, None, instrument.max_leverage, maintenance_ratio(instrument))
        write_tiers(draft, instrument.id, [only], at)


def tiers_of(memory: Memory, instrument_id: InstrumentId) -> list[Tier]:
    """List an instrument's tiers from the smallest position on; none for what nobody lends on."""
    return [tier for _number, tier in sorted(memory.shelf(keys.TIER, instrument_id), key=lambda pair: pair[0])]


def write_tiers(draft: Draft, instrument_id: InstrumentId, tiers: Sequence[Tier], at: datetime) -> None:
    """Write an instrument's whole table in place of the one before; one that says the same is left alone.

    Raises: Illegal for tiers that leave a gap, overlap, or end
    """
    _check(tiers)
    before = tiers_of(draft, instrument_id)
    for number, tier in enumerate(tiers, start=1):
        if number > len(before) or before[number - 1] != tier:
            _write(draft, instrument_id, number, tier, at)
    if len(before) > len(tiers):
        for number in range(len(tiers) + 1, len(before) + 1):
            draft.put(keys.tier(instrument_id, number), None)
        draft.forget("forget_tiers", instrument_id, len(tiers))


def _check(tiers: Sequence[Tier]) -> None:
    ends = [money.ZERO, *(tier.notional_to for tier in tiers)]
    if ends[-1] is not None or [tier.notional_from for tier in tiers] != ends[:-1]:
        raise Illegal("tiers", ends, "begin at 0, let each begin where the one before ends, and leave the last open")


def _write(draft: Draft, instrument_id: InstrumentId, number: int, tier: Tier, at: datetime) -> None:
    draft.put(keys.tier(instrument_id, number), (number, tier))
    cells = (
        instrument_id,
        number,
        decimal_text(tier.notional_from),
        number_or_null(tier.notional_to),
        decimal_text(tier.max_leverage),
        decimal_text(tier.maintenance_ratio),
        decimal_text(tier.maintenance_amount),
        time_text(at),
    )
    draft.replace("margin_tiers", (instrument_id, number), cells)


def from_row(row: Row) -> tuple[InstrumentId, int, Tier]:
    """Read (instrument, number, tier) back."""
    instrument, number, begins, ends, leverage, ratio, amount, _at = row
    tier = Tier(
        Decimal(str(begins)),
        number_or_none(ends),
        Decimal(str(leverage)),
        Decimal(str(ratio)),
        Decimal(str(amount)),
    )
    return InstrumentId(int(instrument or 0)), int(number or 0), tier
