"""What somebody may write into a book on a server without being its owner: a halt over every account.

For the moment when the owner hangs, or cannot be reached, and must open nothing more. The halts stand in no chain: the
chain is its owner's, who alone knows its last link while he lives. So they are written bare, with the control version
raised; the owner finds them with its next transaction, before anything is decided, and then writes the note itself.

What must not enter: lifting. To open again is decided by who sees the whole desk.
"""

from datetime import datetime

from plimsoll.ledger import accounts, keys
from plimsoll.ledger.log import Note, tell, write_note
from plimsoll.model.account import Halt, Scope, TradingState
from plimsoll.model.clock import time_text
from plimsoll.model.event import Event, EventKind
from plimsoll.model.ids import AccountId
from plimsoll.store.draft import Draft
from plimsoll.store.place import PostgresPlace

_ACTOR = "outside"
_HALTS = (
    "SELECT scope_type, scope_id, source, state, reason, latched, since FROM halts"
    " WHERE scope_type = %s AND source = %s"
)
#: An imported book opens nothing.
_TRADED = f"SELECT id FROM accounts WHERE broker <> '{accounts.STATEMENT}' ORDER BY id"  # noqa: S608  a name of our own
_WRITE = (
    "INSERT INTO halts (scope_type, scope_id, source, state, reason, latched, since)"
    " VALUES (%s, %s, %s, %s, %s, 1, %s::timestamptz) ON CONFLICT (scope_type, scope_id, source) DO UPDATE"
    " SET state = excluded.state, reason = excluded.reason, latched = 1, since = excluded.since"
)


def halt_from_outside(place: PostgresPlace, state: TradingState, source: str, reason: str, at: datetime) -> list[Halt]:
    """Put a halt over each account in force, where no stricter one of its source is; give those that are.

    Raises: StoreFailed
    """
    from plimsoll.store.lease import from_outside  # noqa: PLC0415  brings PostgreSQL's driver

    with from_outside(place) as connection:
        held = {
            halt.scope_id: halt
            for halt in map(accounts.halt_from_row, connection.execute(_HALTS, (Scope.ACCOUNT.value, source)))
        }
        numbers = [int(number or 0) for (number,) in connection.execute(_TRADED)]
        asked = [Halt(Scope.ACCOUNT, number, source, state, reason, latched=True) for number in numbers]
        stricter = {halt.scope_id for halt in held.values() if halt.state.strictness > state.strictness}
        for halt in asked:
            if halt.scope_id not in stricter:
                cells = (halt.scope.value, halt.scope_id, source, state.value, reason, time_text(at))
                connection.execute(_WRITE, cells)
    return [held[halt.scope_id] if halt.scope_id in stricter else halt for halt in asked]


def note_what_changed(draft: Draft, now: datetime) -> None:
    """Write the owner's note of the halts that are in force since others changed some, and tell whom they bind."""
    halts: list[Halt] = draft.shelf(keys.HALT, Scope.ACCOUNT)
    details = {f"{halt.scope_id}:{halt.source}": f"{halt.state}: {halt.reason}" for halt in halts}
    write_note(draft, Note(0, _ACTOR, "UPDATE", "HALT", str(Scope.ACCOUNT), now, details))
    for halt in halts:
        told = {"source": halt.source, "state": str(halt.state), "reason": halt.reason}
        tell(draft, Event(EventKind.HALT_CHANGED, AccountId(halt.scope_id), now, told))
