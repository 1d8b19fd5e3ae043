"""One round around an account: whatever is in doubt is cleared up with the venue before the next decision.

In doubt are the book (news was lost, a start, a comparison that found a difference) and every order whose fate is not
known. A venue that does not answer leaves the doubt standing; the next round asks again, and nothing opens until then.
"""

from plimsoll.desk.ports import Ports
from plimsoll.desk.reconcile_account import reconcile_account
from plimsoll.desk.resolve_unknown import is_left_behind
from plimsoll.ledger import keys
from plimsoll.model.errors import UnknownOutcome, WorldFailure
from plimsoll.model.order import Order, OrderState
from plimsoll.runtime.logging import logger

log = logger("supervise")


async def supervise(ports: Ports) -> bool:
    """Compare with the venue if anything is in doubt, and say whether anything was. A silent venue is asked again."""
    if not is_in_doubt(ports):
        return False
    try:
        await reconcile_account(ports)
    except (WorldFailure, UnknownOutcome) as failure:
        log.warning("still_in_doubt", account=ports.account_id, failure=str(failure))
    return True


def is_in_doubt(ports: Ports) -> bool:
    """Say whether the book, or the fate of an order, is in doubt."""
    return not ports.reconciled or bool(orders_in_doubt(ports))


def orders_in_doubt(ports: Ports) -> list[Order]:
    """List the orders whose fate is not known, and those that nobody is placing any more."""
    live: list[Order] = ports.books.hot.shelf(keys.ORDER, ports.account_id)
    return [order for order in live if order.state is OrderState.UNKNOWN or is_left_behind(ports, order)]
