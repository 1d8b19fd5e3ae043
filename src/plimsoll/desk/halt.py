"""Who may still send: set and lift states. Of several sources the strictest rules; a close always passes."""

from plimsoll.desk.cancel_order import cancel_all
from plimsoll.desk.ports import Ports
from plimsoll.desk.write_halt import write_halt
from plimsoll.ledger import keys
from plimsoll.model.account import Halt, Scope, TradingState
from plimsoll.model.errors import CommandRefused, Refusal
from plimsoll.runtime.logging import logger
from plimsoll.store.connection import CommitUnclear, StoreFailed
from plimsoll.store.draft import Draft

log = logger("halt")

MANUAL = "manual"
PARITY = "parity"


async def set_state(ports: Ports, halt: Halt, actor: str) -> None:
    """Put a halt in force, or replace the one that its source had set."""
    now = ports.clock.now()

    def unit(draft: Draft) -> None:
        if draft.get(keys.halt(halt.scope, halt.scope_id, halt.source)) != halt:
            write_halt(draft, ports, halt, actor, now)

    await ports.books.write(unit)


async def shut(ports: Ports, halt: Halt, actor: str) -> tuple[str, ...]:
    """Put a person's halt in force, unless a stricter one of its source is; give what kept it from being written.

    What if nothing can be written? Memory holds the state until a person lifts it or a halt as strict is written. A
    restart forgets it.
    """
    now = ports.clock.now()

    def unit(draft: Draft) -> None:
        held: Halt | None = draft.get(keys.halt(halt.scope, halt.scope_id, halt.source))
        if held is None or (held != halt and held.state.strictness <= halt.state.strictness):
            write_halt(draft, ports, halt, actor, now)

    try:
        await ports.books.write(unit)
    except (StoreFailed, CommitUnclear) as failure:
        ports.memory_state = max(ports.memory_state, halt.state, key=lambda state: state.strictness)
        log.critical("halt_not_written", state=halt.state, failure=str(failure))
        return (f"{halt.state} is in force in memory only: {failure}",)
    if halt.state.strictness >= ports.memory_state.strictness:
        ports.memory_state = TradingState.ACTIVE
    return ()


async def lift(ports: Ports, source: str, actor: str) -> None:
    """Take a halt of one source, the account's or the desk's, out of force, on a person's word.

    Refuses: a source that has set none; a guard's, which would leave the guard shut and blind: lift the guard
    """
    now = ports.clock.now()
    if source.startswith("guard:"):
        raise CommandRefused(
            Refusal("halt_of_guard", f"{source} is a guard", observed=source, remedy="lift the guard itself")
        )

    def unit(draft: Draft) -> None:
        own, desk = keys.halt(Scope.ACCOUNT, ports.account_id, source), keys.halt(Scope.DESK, 0, source)
        halt: Halt | None = draft.get(own) or draft.get(desk) or _held_in_memory(ports, source)
        if halt is None:
            raise CommandRefused(
                Refusal("no_such_halt", f"no halt of {source} is in force", remedy="`status` lists those that are")
            )
        lifted = Halt(halt.scope, halt.scope_id, source, TradingState.ACTIVE, f"lifted by {actor}")
        write_halt(draft, ports, lifted, actor, now)

    await ports.books.write(unit)
    if source == MANUAL:
        ports.memory_state = TradingState.ACTIVE


def _held_in_memory(ports: Ports, source: str) -> Halt | None:
    if source != MANUAL or ports.memory_state is TradingState.ACTIVE:
        return None
    return Halt(Scope.ACCOUNT, ports.account_id, MANUAL, ports.memory_state, "in memory only", latched=True)


async def halt_for_broken_parity(ports: Ports, broken: Refusal) -> None:
    """Stop the whole desk: an order was about to leave that nobody had approved.

    What if this cannot be written? Memory counts the difference, and control 50 lets nothing open on that until
    somebody starts the desk anew.
    """
    ports.parity_difference += 1
    log.error("parity_broken", sentence=broken.sentence, observed=broken.observed, limit=broken.limit)
    ports.tell("critical", f"HALTED: {broken.sentence}")
    halt = Halt(Scope.DESK, 0, PARITY, TradingState.HALTED, str(broken), latched=True)
    try:
        await set_state(ports, halt, "gate")
    except (StoreFailed, CommitUnclear) as failure:
        log.error("halt_not_written", failure=str(failure))
    try:
        await cancel_all(ports, keep_protection=True, actor="gate")
    except ExceptionGroup as group:
        log.error("orders_not_cancelled", failures=[str(failure) for failure in group.exceptions])
