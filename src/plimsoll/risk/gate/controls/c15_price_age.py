"""Control 15, price age: nothing opens at a price that is old, of another instrument, or of another source."""

from plimsoll.risk.gate.snapshot import Proposal, Snapshot
from plimsoll.risk.gate.verdict import PASS, Control, Finding, cannot_evaluate, refuse
from plimsoll.risk.limits import CLOCK_SLACK, Limits, price_age_limit


def judge(proposal: Proposal, snapshot: Snapshot, limits: Limits) -> Finding:
    """Refuse a reference price that cannot be relied on."""
    instrument, quote, source = snapshot.instrument, snapshot.quote, snapshot.source
    if instrument is None or snapshot.account is None:
        return cannot_evaluate("how old a price may be", "choose a known instrument and account")
    if quote is None or quote.instrument_id != proposal.terms.instrument_id:
        return cannot_evaluate("the price of the instrument", "wait for a fresh price")
    if source.name != snapshot.account.price_source:
        return refuse(
            "price_of_another_source",
            "an account is valued at the prices of the one source it was made with",
            observed=source.name,
            limit=snapshot.account.price_source,
            remedy="use an account that was made for this price source",
        )
    age = snapshot.now - quote.at
    if age < -CLOCK_SLACK:
        return refuse(
            "price_from_the_future",
            "the price is dated later than now: a clock is wrong",
            observed=quote.at.isoformat(),
            limit=snapshot.now.isoformat(),
            remedy="set this machine's clock, then try again",
        )
    allowed = price_age_limit(limits, instrument.asset_type, source.interval)
    if age > allowed:
        return refuse(
            "price_stale",
            "the last price is too old to open anything on",
            observed=age,
            limit=allowed,
            remedy="wait for a fresh price; if none comes, look at the price feed",
        )
    return PASS


CONTROL = Control(15, "price age", judge)
