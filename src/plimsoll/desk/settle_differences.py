"""What people make of differences with the venue: resolved, assigned, ignored. Nothing of the book's money changes."""

from functools import partial

from plimsoll.desk.ports import Ports
from plimsoll.ledger import breaks, external_orders
from plimsoll.ledger.breaks import Break
from plimsoll.ledger.external_orders import ExternalOrder, ExternalStatus
from plimsoll.ledger.log import Note, write_note
from plimsoll.people.actor import Actor
from plimsoll.store.draft import Draft


async def resolve_break(ports: Ports, number: int, resolution: str, actor: Actor) -> Break | None:
    """Write what became of an open break; None where the account has no such open one.

    Raises: StoreFailed, CommitUnclear
    """
    resolved: Break | None = await ports.books.write(partial(_resolve, ports, number, resolution, actor))
    return resolved


def _resolve(ports: Ports, number: int, resolution: str, actor: Actor, draft: Draft) -> Break | None:
    now = ports.clock.now()
    resolved = breaks.resolve(draft, ports.account_id, number, actor.name, resolution, now)
    if resolved is not None:
        details = {"break": resolved.found.name, "sentence": resolved.found.sentence, "resolution": resolution}
        write_note(draft, Note(ports.account_id, actor.name, "UPDATE", "BREAK", str(number), now, details))
    return resolved


async def settle_external_order(
    ports: Ports, number: int, status: ExternalStatus, actor: Actor
) -> ExternalOrder | None:
    """Write what an order at the venue is; None where no such one waits there.

    Raises: StoreFailed, CommitUnclear
    """
    settled: ExternalOrder | None = await ports.books.write(partial(_settle, ports, number, status, actor))
    return settled


def _settle(ports: Ports, number: int, status: ExternalStatus, actor: Actor, draft: Draft) -> ExternalOrder | None:
    now = ports.clock.now()
    settled = external_orders.settle(draft, ports.account_id, number, status, actor.name)
    if settled is not None:
        details = {"broker_order_id": settled.broker_order_id, "status": status.value}
        write_note(draft, Note(ports.account_id, actor.name, "UPDATE", "ORDER", f"external:{number}", now, details))
    return settled
