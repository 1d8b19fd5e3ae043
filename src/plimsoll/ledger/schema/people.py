"""People, how they get in, and what they set up under names of their own."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Table, text

from plimsoll.ledger.schema.base import listed, metadata, yes_or_no
from plimsoll.store.columns import Utc, Whole, Words

users = Table(
    "users",
    metadata,
    Column("id", Whole, primary_key=True),
    Column("uid", Words, nullable=False, unique=True),
    Column("name", Words, nullable=False, unique=True),
    Column("role", Words, nullable=False),
    Column("approved", Whole, nullable=False),
    Column("active", Whole, nullable=False),
    Column("approved_at", Utc),
    Column("approved_by_user_id", Whole),
    Column("telegram_user_id", Words, unique=True),
    Column("deleted_at", Utc),
    CheckConstraint("role IN ('admin', 'trader', 'viewer')", name="role"),
    yes_or_no("approved", "active"),
)

#: Apart from `users`, whose rows travel.
passwords = Table(
    "passwords",
    metadata,
    Column("user_id", Whole, ForeignKey("users.id"), primary_key=True, autoincrement=False),
    Column("hash", Words, nullable=False),
    Column("changed_at", Utc, nullable=False),
)

sign_in_links = Table(
    "sign_in_links",
    metadata,
    Column("id", Whole, primary_key=True),
    Column("uid", Words, nullable=False, unique=True),
    Column("user_id", Whole, ForeignKey("users.id"), nullable=False),
    #: SHA-256 of the token, which itself is nowhere.
    Column("token_hash", Words, nullable=False, unique=True),
    Column("created_at", Utc, nullable=False),
    Column("expires_at", Utc, nullable=False),
    #: Used, or followed by a newer one.
    Column("ended_at", Utc),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Whole, primary_key=True),
    Column("uid", Words, nullable=False, unique=True),
    Column("user_id", Whole, ForeignKey("users.id"), nullable=False),
    Column("token_hash", Words, nullable=False, unique=True),
    Column("origin", Words, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("last_seen_at", Utc, nullable=False),
    Column("expires_at", Utc, nullable=False),
    Column("ended_at", Utc),
    #: From where somebody has signed in before.
    Index("ix_sessions_origin", "user_id", "origin", "created_at"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Whole, primary_key=True),
    Column("uid", Words, nullable=False, unique=True),
    Column("user_id", Whole, ForeignKey("users.id"), nullable=False),
    Column("name", Words, nullable=False),
    #: How the secret begins.
    Column("prefix", Words, nullable=False),
    Column("token_hash", Words, nullable=False, unique=True),
    Column("may_read", Whole, nullable=False),
    Column("may_trade", Whole, nullable=False),
    Column("may_admin", Whole, nullable=False),
    #: Ids of the only portfolios it may touch; null for all of the user's.
    Column("portfolios_json", Words),
    Column("created_at", Utc, nullable=False),
    Column("expires_at", Utc, nullable=False),
    Column("last_used_at", Utc),
    #: Revoked.
    Column("ended_at", Utc),
    CheckConstraint("may_read IN (0, 1) AND may_trade IN (0, 1) AND may_admin IN (0, 1)", name="rights"),
)


def _made_by_a_person(name: str, *columns: Column[object] | CheckConstraint) -> Table:
    """Describe what a user sets up under a name of his own."""
    return Table(
        name,
        metadata,
        Column("id", Whole, primary_key=True),
        Column("uid", Words, nullable=False, unique=True),
        Column("user_id", Whole, ForeignKey("users.id"), nullable=False),
        Column("name", Words, nullable=False),
        Column("config_json", Words, nullable=False),
        *columns,
        Column("created_at", Utc, nullable=False),
        Column("updated_at", Utc, nullable=False),
        Column("deleted_at", Utc),
        Index(
            f"uq_{name}_user_id_name",
            "user_id",
            "name",
            unique=True,
            sqlite_where=text("deleted_at IS NULL"),
            postgresql_where=text("deleted_at IS NULL"),
        ),
    )


alerts = _made_by_a_person(
    "alerts",
    Column("kind", Words, nullable=False),
    Column("status", Words, nullable=False),
    Column("fired_at", Utc),
    listed("kind", "PRICE", "INDICATOR", "POSITION", "RISK", "SCHEDULE"),
    listed("status", "ARMED", "DISARMED", "OFF"),
)

schedules = _made_by_a_person(
    "schedules",
    Column("cron", Words, nullable=False),
    Column("status", Words, nullable=False),
    #: The tick that was run last: none is run twice.
    Column("last_tick", Utc),
    listed("status", "ON", "OFF"),
)

screeners = _made_by_a_person("screeners")
