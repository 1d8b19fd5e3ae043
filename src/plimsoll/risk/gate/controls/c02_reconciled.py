"""Control 2, trusted book: nothing opens before the book was found equal to the venue's, nor beside an unknown outcome.

An order whose answer was lost may have been filled. Until it is looked up the position is a guess.
"""

from plimsoll.risk.gate.snapshot import Proposal, Snapshot
from plimsoll.risk.gate.verdict import PASS, Control, Finding, refuse
from plimsoll.risk.limits import Limits


def judge(_proposal: Proposal, snapshot: Snapshot, _limits: Limits) -> Finding:
    """Refuse to open on a book that is not proved."""
    if not snapshot.reconciled:
        return refuse(
            "not_reconciled",
            "the book is not yet proved equal to the venue's",
            observed="not compared, or different",
            limit="equal since start",
            remedy="wait for the next comparison; if a difference stays, look at the list of breaks",
        )
    if snapshot.unknown_orders != 0:
        return refuse(
            "order_outcome_unknown",
            "an earlier order on this instrument has no clear answer and may have been filled",
            observed=snapshot.unknown_orders,
            limit=0,
            remedy="wait until it is looked up at the venue; do not send it again",
        )
    return PASS


CONTROL = Control(2, "trusted book", judge)
