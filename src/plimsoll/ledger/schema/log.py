"""The chain, the numbered events, and how far the books have come."""

from sqlalchemy import CheckConstraint, Column, Table

from plimsoll.ledger.schema.base import metadata
from plimsoll.store.columns import Utc, Whole, Words

#: Who may write: whoever raises the epoch is the owner, and writes of an older epoch are refused.
leases = Table(
    "leases",
    metadata,
    Column("name", Words, primary_key=True),
    Column("holder", Words, nullable=False),
    Column("epoch", Whole, nullable=False),
    #: Raised by whoever changes halts, policies or limits without being the owner; the owner reads them anew then.
    Column("control_version", Whole, nullable=False),
    Column("until", Utc, nullable=False),
    CheckConstraint("epoch >= 0 AND control_version >= 0", name="counts"),
    sqlite_with_rowid=False,
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("account_id", Whole, primary_key=True, autoincrement=False),
    Column("seq", Whole, primary_key=True, autoincrement=False),
    Column("at", Utc, nullable=False),
    Column("actor", Words, nullable=False),
    Column("entity", Words, nullable=False),
    Column("entity_key", Words, nullable=False),
    Column("action", Words, nullable=False),
    Column("details_json", Words, nullable=False),
    Column("link", Words, nullable=False),
    sqlite_with_rowid=False,
)

events = Table(
    "events",
    metadata,
    Column("number", Whole, primary_key=True, autoincrement=False),
    Column("account_id", Whole, nullable=False),
    Column("kind", Words, nullable=False),
    Column("at", Utc, nullable=False),
    Column("details_json", Words, nullable=False),
)

meta = Table(
    "meta",
    metadata,
    Column("name", Words, primary_key=True),
    Column("value", Words, nullable=False),
    sqlite_with_rowid=False,
)

heads = Table(
    "heads",
    metadata,
    Column("id", Whole, primary_key=True),
    Column("group_number", Whole, nullable=False),
    Column("event_number", Whole, nullable=False),
)
