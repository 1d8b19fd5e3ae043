"""A halt in a unit: its row, the note that says who set or lifted it, the event. `halt` and others decide; this writes.

It stands apart because what the venue tells may halt as well, and whoever halts may have to cancel and hear the venue.
"""

from datetime import datetime

from plimsoll.desk.ports import Ports
from plimsoll.ledger import accounts
from plimsoll.ledger.log import Note, tell, write_note
from plimsoll.model.account import Halt
from plimsoll.model.event import Event, EventKind
from plimsoll.store.draft import Draft


def write_halt(draft: Draft, ports: Ports, halt: Halt, actor: str, now: datetime) -> None:
    """Write a halt with the unit's note and event."""
    accounts.write_halt(draft, halt, now)
    details = {"source": halt.source, "state": str(halt.state), "reason": halt.reason}
    write_note(draft, Note(ports.account_id, actor, "UPDATE", "HALT", f"{halt.scope}:{halt.scope_id}", now, details))
    tell(draft, Event(EventKind.HALT_CHANGED, ports.account_id, now, details))
