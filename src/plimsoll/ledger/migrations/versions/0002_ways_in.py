"""Passwords, one-time links, sessions and API keys: how people get in.

Revision: 0002, after 0001
Deploy:   stop the desk, start this release; it brings the tables up to date by itself. Going back drops who is signed
          in, every API key and every password; nothing of the book.

What a migration needs it says itself, as the first one does.
"""

import sqlalchemy as sa
from alembic import op

from plimsoll.store.columns import Utc, Whole, Words

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the four tables."""
    op.create_table(
        "passwords",
        sa.Column("user_id", Whole, autoincrement=False, nullable=False),
        sa.Column("hash", Words, nullable=False),
        sa.Column("changed_at", Utc(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_passwords_user_id")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_passwords")),
    )
    op.create_table(
        "sign_in_links",
        sa.Column("id", Whole, nullable=False),
        sa.Column("uid", Words, nullable=False),
        sa.Column("user_id", Whole, nullable=False),
        sa.Column("token_hash", Words, nullable=False),
        sa.Column("created_at", Utc(), nullable=False),
        sa.Column("expires_at", Utc(), nullable=False),
        sa.Column("ended_at", Utc(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sign_in_links_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_links")),
        sa.UniqueConstraint("uid", name=op.f("uq_sign_in_links_uid")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_sign_in_links_token_hash")),
    )
    op.create_table(
        "sessions",
        sa.Column("id", Whole, nullable=False),
        sa.Column("uid", Words, nullable=False),
        sa.Column("user_id", Whole, nullable=False),
        sa.Column("token_hash", Words, nullable=False),
        sa.Column("origin", Words, nullable=False),
        sa.Column("created_at", Utc(), nullable=False),
        sa.Column("last_seen_at", Utc(), nullable=False),
        sa.Column("expires_at", Utc(), nullable=False),
        sa.Column("ended_at", Utc(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sessions_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sa.UniqueConstraint("uid", name=op.f("uq_sessions_uid")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_sessions_token_hash")),
    )
    op.create_index("ix_sessions_origin", "sessions", ["user_id", "origin", "created_at"], unique=False)
    op.create_table(
        "api_keys",
        sa.Column("id", Whole, nullable=False),
        sa.Column("uid", Words, nullable=False),
        sa.Column("user_id", Whole, nullable=False),
        sa.Column("name", Words, nullable=False),
        sa.Column("prefix", Words, nullable=False),
        sa.Column("token_hash", Words, nullable=False),
        sa.Column("may_read", Whole, nullable=False),
        sa.Column("may_trade", Whole, nullable=False),
        sa.Column("may_admin", Whole, nullable=False),
        sa.Column("portfolios_json", Words, nullable=True),
        sa.Column("created_at", Utc(), nullable=False),
        sa.Column("expires_at", Utc(), nullable=False),
        sa.Column("last_used_at", Utc(), nullable=True),
        sa.Column("ended_at", Utc(), nullable=True),
        sa.CheckConstraint(
            "may_read IN (0, 1) AND may_trade IN (0, 1) AND may_admin IN (0, 1)", name=op.f("ck_api_keys_rights")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_api_keys_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("uid", name=op.f("uq_api_keys_uid")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_keys_token_hash")),
    )


def downgrade() -> None:
    """Drop them; who is signed in has to sign in anew."""
    op.drop_table("api_keys")
    op.drop_index("ix_sessions_origin", table_name="sessions")
    op.drop_table("sessions")
    op.drop_table("sign_in_links")
    op.drop_table("passwords")
