"""Control 31, leverage: a symbol's chosen leverage stays under profile, venue and the hard maximum."""

from plimsoll.risk.gate.snapshot import Proposal, Snapshot, known
from plimsoll.risk.gate.verdict import (
    PASS,
    Control,
    Finding,
    cannot_evaluate,
    chosen_leverage,
    leverage_cap,
    not_applicable,
    refuse,
)
from plimsoll.risk.limits import Limits

_SPOT = not_applicable("spot is paid in full: there is no leverage")


def judge(_proposal: Proposal, snapshot: Snapshot, limits: Limits) -> Finding:
    """Refuse to open at a leverage above the cap."""
    instrument = snapshot.instrument
    if instrument is None:
        return cannot_evaluate("the instrument's leverage", "load the venue's list of instruments")
    if not instrument.is_derivative:
        return _SPOT
    chosen, cap = chosen_leverage(snapshot, limits), leverage_cap(instrument, limits)
    if not known(chosen) or chosen < 1:
        return cannot_evaluate("the leverage of the symbol", "choose a leverage of 1 or more")
    if chosen > cap:
        return refuse(
            "leverage_too_high",
            "the leverage chosen for this symbol is above what is allowed now",
            observed=chosen,
            limit=cap,
            remedy="close what is open in the symbol and choose a lower leverage",
        )
    return PASS


CONTROL = Control(31, "leverage cap", judge)
