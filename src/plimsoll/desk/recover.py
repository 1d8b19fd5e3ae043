"""The start of every process, after a crash or not: nothing opens until the book was found equal to the venue.

0. A book that was restored takes back the orders that it lost (`resync`), before their fills come in.
1. Every PENDING order that the last process left behind may have been sent: it is UNKNOWN from now on, in one unit.
2. Unknown orders are looked up until each has an answer, at most for the venue's settle window, and for a few seconds
   where that is long: what is not known then is asked about by the rounds, and nothing opens. Trades are swept.
3. One exact comparison. Only when it finds nothing that blocks may anything open.

What if we crash in here? Each step may be done again.
"""

import asyncio

from plimsoll.desk.ports import Ports
from plimsoll.desk.reconcile_account import Reconciliation, reconcile_account
from plimsoll.desk.resolve_unknown import doubt_left_behind, resolve_unknown
from plimsoll.desk.resync import adopt_what_was_lost
from plimsoll.runtime.logging import logger

log = logger("recover")

LOOK_AGAIN_SECONDS = 0.5
#: Longer than this a start does not wait for a fate: the guard must look, and a person must be able to close.
LONGEST_WAIT_SECONDS = 5.0


async def recover(ports: Ports) -> Reconciliation:
    """Bring one account from whatever the last process left to a state that may trade, or say why it may not.

    Raises: WorldFailure when the venue does not answer
    """
    ports.doubt("the process has just started")
    await adopt_what_was_lost(ports)
    lost = await doubt_left_behind(ports)
    if lost:
        log.warning("orders_of_unknown_fate", account=ports.account_id, count=lost)
    until = ports.clock.monotonic() + min(ports.venue.facts.settle_window.total_seconds() + 1, LONGEST_WAIT_SECONDS)
    while await resolve_unknown(ports) and ports.clock.monotonic() < until:
        await asyncio.sleep(LOOK_AGAIN_SECONDS)
    return await reconcile_account(ports)
