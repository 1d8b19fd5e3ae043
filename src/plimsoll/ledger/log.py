"""Who did what, and what is told: the one note that each unit writes, its link in the chain, its numbered events."""

from dataclasses import dataclass
from datetime import datetime

import orjson

from plimsoll.ledger import keys
from plimsoll.ledger.keys import ChainHead
from plimsoll.ledger.schema import FACTS
from plimsoll.model.clock import time_text
from plimsoll.model.errors import invariant
from plimsoll.model.event import Event
from plimsoll.model.ids import AccountId
from plimsoll.store import chain
from plimsoll.store.draft import Draft, Row
from plimsoll.store.scribe import HEADS, Heads


def json_text(value: object) -> str:
    """Write JSON that equal values share: sorted keys, no spaces."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


@dataclass(frozen=True, slots=True)
class Note:
    """The audit entry of a unit."""

    #: 0 for the desk.
    account_id: AccountId | int
    #: `user:1`, `bot:7`, `guard:drawdown`, `venue:paper`, …
    actor: str
    action: str
    entity: str
    entity_key: str
    at: datetime
    details: dict[str, str]


def write_note(draft: Draft, note: Note) -> None:
    """Say who did what in this unit; once."""
    invariant(draft.note is None, "a unit writes one note")
    draft.note = note


def next_link_seq(draft: Draft, account_id: AccountId) -> int:
    """Give the number of the link that this unit will get in its account's chain."""
    head: ChainHead = draft.get(keys.chain(account_id)) or ChainHead()
    return head.seq + 1


def tell(draft: Draft, event: Event) -> None:
    """Tell followers, after the commit."""
    draft.events.append(event)


def seal(draft: Draft) -> None:
    """Link a unit into its account's chain and number its events.

    A unit without a note may write caches that can be made again, and nothing that the chain must cover.
    """
    if draft.note is not None:
        _link(draft, draft.note)
    else:
        invariant(not any(table in FACTS for table in draft.rows.added), "facts are written with a note")
    if draft.events:
        _number(draft)


def note_row(note: Note, seq: int) -> Row:
    """Give the audit row without its link."""
    return (
        note.account_id,
        seq,
        time_text(note.at),
        note.actor,
        note.entity,
        note.entity_key,
        note.action,
        json_text(note.details),
    )


def link_content(facts: dict[str, list[Row]], audit: Row) -> bytes:
    """Give the bytes that a link covers: the unit's facts, table by table, then its audit row.

    A fact ends at its last cell that is not null, so that a column which its table gets later changes no older link.
    """
    covered = [(table, [_ended(row) for row in facts[table]]) for table in FACTS if table in facts]
    return chain.canonical_bytes([*covered, ("audit_log", [audit])])


def _ended(row: Row) -> Row:
    if row[-1] is not None:
        return row
    end = len(row) - 1
    while row[end - 1] is None:
        end -= 1
    return row[:end]


def _link(draft: Draft, note: Note) -> None:
    head: ChainHead = draft.get(keys.chain(note.account_id)) or ChainHead()
    account_id, seq, added = note.account_id, head.seq + 1, draft.rows.added
    for table in FACTS:
        for fact in added.get(table, ()):
            fits = fact[0] == account_id and fact[2] == seq
            invariant(fits, "the facts of a unit belong to the account of its note, and name its link")
    row = note_row(note, seq)
    key: bytes = draft.get(keys.chain_key())
    link = chain.link(key, head.link, link_content(added, row))
    draft.add("audit_log", (*row, link))
    draft.put(keys.chain(account_id), ChainHead(seq, link))


def _number(draft: Draft) -> None:
    heads: Heads = draft.get(HEADS)
    number = heads.event
    for event in draft.events:
        number += 1
        draft.add("events", (number, event.account_id, event.kind.value, time_text(event.at), json_text(event.details)))
    draft.put(HEADS, Heads(heads.group, number))
