"""Control 51, intent age: a wish is acted on while it is young; the market it was made for is gone soon."""

from plimsoll.risk.gate.snapshot import Proposal, Snapshot
from plimsoll.risk.gate.verdict import PASS, Control, Finding, refuse
from plimsoll.risk.limits import CLOCK_SLACK, Limits

_PERSONS = frozenset({"manual", "telegram"})


def judge(proposal: Proposal, snapshot: Snapshot, limits: Limits) -> Finding:
    """Refuse an intent that waited too long; a person's may wait longer than a program's."""
    intent = proposal.intent
    age = snapshot.now - intent.made_at
    if age < -CLOCK_SLACK:
        return refuse(
            "intent_from_the_future",
            "the order is dated later than now: a clock is wrong",
            observed=intent.made_at.isoformat(),
            limit=snapshot.now.isoformat(),
            remedy="set the clock of the machine that made the order, then order again",
        )
    allowed = limits.max_intent_age_person if intent.triggered_by in _PERSONS else limits.max_intent_age
    if age > allowed:
        return refuse(
            "intent_too_old",
            "the order waited too long to be acted on",
            observed=age,
            limit=allowed,
            remedy="look at the price and order again",
        )
    return PASS


CONTROL = Control(51, "intent age", judge)
