"""Control 11, instrument: known, tradable, its market open, its rules heard of lately."""

from datetime import timedelta

from plimsoll.model.instrument import AssetType
from plimsoll.model.quote import Fact
from plimsoll.risk.gate.snapshot import Proposal, Snapshot
from plimsoll.risk.gate.verdict import PASS, Control, Finding, cannot_evaluate, refuse, undeclared
from plimsoll.risk.limits import Limits, metadata_age_limit

#: These trade round the clock: there is no session to be outside of.
_ALWAYS_OPEN = frozenset({AssetType.CRYPTO, AssetType.PERPETUAL})


def judge(proposal: Proposal, snapshot: Snapshot, limits: Limits) -> Finding:
    """Refuse an instrument that cannot be traded now, or whose rules may have changed."""
    instrument = snapshot.instrument
    if instrument is None or instrument.id != proposal.terms.instrument_id:
        return cannot_evaluate("the instrument", "load the venue's list of instruments")
    if not instrument.tradable:
        return refuse(
            "not_tradable",
            f"{instrument.venue} does not trade {instrument.symbol} now",
            observed="suspended, expired or leaving",
            limit="tradable",
            remedy="choose another instrument",
        )
    age, allowed = snapshot.metadata_age, metadata_age_limit(limits, instrument.asset_type)
    if age is None or age < timedelta(0):
        return cannot_evaluate("the age of the instrument's rules", "load the venue's list of instruments")
    if age > allowed:
        return refuse(
            "metadata_stale",
            "the instrument's rules (steps, minimums, leverage) are too old to rely on",
            observed=age,
            limit=allowed,
            remedy="load the venue's list of instruments",
        )
    return PASS if instrument.asset_type in _ALWAYS_OPEN else _session(snapshot)


def _session(snapshot: Snapshot) -> Finding:
    unheard = undeclared(snapshot, Fact.SESSION)
    if unheard is not None:
        return unheard
    if snapshot.session_open is None:
        return cannot_evaluate("whether the market is open", "wait for the price source to say")
    if not snapshot.session_open:
        return refuse(
            "market_closed", "the market is closed", observed="closed", limit="open", remedy="wait for it to open"
        )
    return PASS


CONTROL = Control(11, "instrument", judge)
