"""Stop trading by hand: put a state in force, and in HALTED take back what waits.

A person's word never loosens what a person said before: for that there is `lift`.
"""

from dataclasses import dataclass

from plimsoll.desk.cancel_order import cancel_all
from plimsoll.desk.halt import MANUAL, shut
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
    #: What could not be written or taken back, in words.
    failures: tuple[str, ...] = ()


async def stop_trading(ports: Ports, state: TradingState, *, actor: str, reason: str) -> StopReport:
    """Put a stricter state in force for the account; in HALTED every waiting order but protection is cancelled.

    What if an order cannot be taken back? The state is in force before, so nothing follows it, and the answer names it.
    What if the state cannot be written? It is in force in memory, orders are taken back all the same, and the answer
    says so.

    Refuses: a state looser than the one that is in force by hand; ACTIVE, which is a lift
    Raises:  CommandRefused
    """
    before: Halt | None = ports.books.hot.get(keys.halt(Scope.ACCOUNT, ports.account_id, MANUAL))
    written = TradingState.REDUCE_ONLY if before is None else before.state
    least = max(written, ports.memory_state, key=lambda held: held.strictness)
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
    failures = await shut(ports, halt, actor)
    if state is not TradingState.HALTED:
        return StopReport(halt, failures=failures)
    with ports.books.hot.lock:
        waiting = [order.client_order_id for order in ports.books.hot.shelf(keys.ORDER, ports.account_id)]
    try:
        await cancel_all(ports, keep_protection=True, actor=actor)
    except ExceptionGroup as group:
        failures += tuple(str(failure) for failure in group.exceptions)
    try:
        await ports.settled()
    except Exception as failure:  # noqa: BLE001  named in the report: what was taken back must be told all the same
        failures = (*failures, str(failure))
    with ports.books.hot.lock:
        left = {order.client_order_id for order in ports.books.hot.shelf(keys.ORDER, ports.account_id)}
    return StopReport(halt, tuple(name for name in waiting if name not in left), failures)
