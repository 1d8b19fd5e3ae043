"""Stop trading by hand: put a state in force, and in HALTED take back what waits.

A person's word never loosens what a person said before: for that there is `lift`.
"""

from dataclasses import dataclass

from plimsoll.desk.cancel_order import cancel_all
from plimsoll.desk.halt import MANUAL, set_state
from plimsoll.desk.ports import Ports
from plimsoll.ledger import keys
from plimsoll.model.account import Halt, Scope, TradingState
from plimsoll.model.errors import CommandRefused, Refusal
from plimsoll.model.ids import ClientOrderId


@dataclass(frozen=True, slots=True)
class StopReport:
    """What is in force now, and what was taken back."""

    halt: Halt
    cancelled: tuple[ClientOrderId, ...] = ()
    #: What could not be taken back, in words.
    failures: tuple[str, ...] = ()


async def stop_trading(ports: Ports, state: TradingState, *, actor: str, reason: str) -> StopReport:
    """Put a stricter state in force for the account; in HALTED every waiting order but protection is cancelled.

    What if an order cannot be taken back? The state is in force before, so nothing follows it, and the answer names it.

    Refuses: a state looser than the one that is in force by hand; ACTIVE, which is a lift
    Raises:  CommandRefused, StoreFailed
    """
    before: Halt | None = ports.books.hot.get(keys.halt(Scope.ACCOUNT, ports.account_id, MANUAL))
    least = TradingState.REDUCE_ONLY if before is None else before.state
    if state.strictness < least.strictness:
        raise CommandRefused(
            Refusal(
                "stricter_in_force",
                f"{least} is in force; a halt does not loosen it to {state}",
                observed=state,
                limit=least,
                remedy="lift it first with `plimsoll halt --lift`",
            )
        )
    halt = Halt(Scope.ACCOUNT, ports.account_id, MANUAL, state, reason, latched=True)
    await set_state(ports, halt, actor)
    if state is not TradingState.HALTED:
        return StopReport(halt)
    failures: tuple[str, ...] = ()
    with ports.books.hot.lock:
        waiting = [order.client_order_id for order in ports.books.hot.shelf(keys.ORDER, ports.account_id)]
    try:
        await cancel_all(ports, keep_protection=True)
    except ExceptionGroup as group:
        failures = tuple(str(failure) for failure in group.exceptions)
    await ports.settled()
    with ports.books.hot.lock:
        left = {order.client_order_id for order in ports.books.hot.shelf(keys.ORDER, ports.account_id)}
    return StopReport(halt, tuple(name for name in waiting if name not in left), failures)
