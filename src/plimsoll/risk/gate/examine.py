"""What a preview asks of the gate beyond its verdict: every control's finding, and how large the order could be.

The order path pays for none of this: `judge` keeps only what is not a plain pass, and looks for another size only where
one was refused. Both answers here come from the same controls on the same snapshot, and every size is judged before
it is named.
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from plimsoll.model import money
from plimsoll.model.instrument import Instrument
from plimsoll.risk.gate.snapshot import Proposal, Snapshot, known_price, left_to_close, propose
from plimsoll.risk.gate.verdict import (
    PASS,
    Control,
    Judged,
    Outcome,
    Verdict,
    ask,
    judge,
    not_applicable,
    refusals,
)
from plimsoll.risk.limits import Limits

_OPENS_ONLY = not_applicable("a close is not bound by this rule")


def examine(
    proposal: Proposal, snapshot: Snapshot, limits: Limits, controls: Sequence[Control]
) -> tuple[Verdict, tuple[Judged, ...]]:
    """Judge a proposal, and give what every control says of it, in the list's order.

    Shapes: the findings are of the size that was asked for, also where the verdict approves a smaller one
    """
    said = {item.control.number: item for item in ask(proposal, snapshot, limits, controls)}
    findings = tuple(
        said.get(control.number) or Judged(control, PASS if control.binds_close or not proposal.closes else _OPENS_ONLY)
        for control in controls
    )
    return judge(proposal, snapshot, limits, controls), findings


def largest_that_passes(
    proposal: Proposal, snapshot: Snapshot, limits: Limits, controls: Sequence[Control]
) -> Decimal | None:
    """Find the largest quantity that would pass if it were asked for now, in place of the proposal's own.

    Shapes: None where no size passes, where no control bounds it, or where what bounds it is not known
    Units:  of the instrument, whole lots
    """
    instrument = snapshot.instrument
    if instrument is None:
        return None
    for quantity in _from_large_to_small(proposal, snapshot, limits, controls, instrument):
        asked = _asking(proposal, quantity, snapshot, limits)
        if not refusals(ask(asked, snapshot, limits, controls)):
            return quantity
    return None


def _from_large_to_small(
    proposal: Proposal, snapshot: Snapshot, limits: Limits, controls: Sequence[Control], instrument: Instrument
) -> list[Decimal]:
    sizes: list[Decimal] = []
    opening = _largest_opening(proposal, snapshot, limits, controls, instrument)
    if opening is not None:
        # The last digit of a settled quotient may lie half a unit too high, which one lot less makes good.
        sizes += [opening, opening - instrument.lot_size]
    left = left_to_close(proposal.intent, snapshot)
    if left is not None:
        closing = instrument.round_down_to_lot(left)
        if closing > 0 and _asking(proposal, closing, snapshot, limits).closes:
            sizes.append(closing)
    return sorted((size for size in sizes if size > 0), reverse=True)


def _largest_opening(
    proposal: Proposal, snapshot: Snapshot, limits: Limits, controls: Sequence[Control], instrument: Instrument
) -> Decimal | None:
    """Make the least of the values that the size controls would let pass into whole lots."""
    quantity = instrument.lot_size
    # Looked at twice: what a single lot is worth has too few digits to tell how many of them a large value buys.
    for _ in range(2):
        probe = _asking(proposal, quantity, snapshot, limits)
        value = _largest_value(probe, snapshot, limits, controls)
        if value is None or not known_price(probe.value):
            return None
        quantity = instrument.round_down_to_lot(money.settle_share(quantity, value, probe.value))
        if quantity <= 0:
            return None
    return quantity


def _largest_value(probe: Proposal, snapshot: Snapshot, limits: Limits, controls: Sequence[Control]) -> Decimal | None:
    largest = None
    for control in controls:
        if control.largest_value is None or _does_not_concern(control, probe, snapshot, limits):
            continue
        value = control.largest_value(probe, snapshot, limits)
        if value is None or not value.is_finite():
            return None
        largest = value if largest is None else min(largest, value)
    return largest


def _does_not_concern(control: Control, probe: Proposal, snapshot: Snapshot, limits: Limits) -> bool:
    return control.judge(probe, snapshot, limits).outcome is Outcome.NOT_APPLICABLE


def _asking(proposal: Proposal, quantity: Decimal, snapshot: Snapshot, limits: Limits) -> Proposal:
    """Propose another quantity anew, as if it had been asked for: on spot the size decides what is a close."""
    intent = replace(proposal.intent, terms=proposal.intent.terms.sized(quantity))
    return propose(intent, proposal.client_order_id, snapshot, limits.market_slack_ratio)
