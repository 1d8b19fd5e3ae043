"""Books that were brought along: the statements they consist of, and every line of them.

Revision: 0005, after 0004
Deploy:   stop the desk, start this release; no row is touched. Going back drops where imported facts came from, and is
          refused while there are any: take the imports back with this release, or restore the backup from before.

What a migration needs it says itself, as the first one does.
"""

import sqlalchemy as sa
from alembic import op

from plimsoll.model.errors import PlimsollError
from plimsoll.store.columns import Utc, Whole, Words

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_SAID = "current_setting('plimsoll.asker', true)"
_MY_ACCOUNT = "account_id IN (SELECT accounts.id FROM accounts)"
TABLES = ("imports", "import_lines")
_NO_TRADE = sa.text("kind <> 'TRADE' AND kind <> 'FEE'")


class NoWayBack(PlimsollError):
    """The release before does not know imported books: restore a backup from before the upgrade."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "imports",
        sa.Column("account_id", Whole, autoincrement=False, nullable=False),
        sa.Column("number", Whole, autoincrement=False, nullable=False),
        sa.Column("uid", Words, nullable=False),
        sa.Column("format", Words, nullable=False),
        sa.Column("file_name", Words, nullable=False),
        sa.Column("sha256", Words, nullable=False),
        sa.Column("line_count", Whole, nullable=False),
        sa.Column("added", Whole, nullable=False),
        sa.Column("repeated", Whole, nullable=False),
        sa.Column("made_by", Words, nullable=False),
        sa.Column("made_at", Utc(), nullable=False),
        sa.CheckConstraint(
            "number > 0 AND line_count >= 0 AND added >= 0 AND repeated >= 0", name=op.f("ck_imports_counts")
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_imports_account_id")),
        sa.PrimaryKeyConstraint("account_id", "number", name=op.f("pk_imports")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "import_lines",
        sa.Column("account_id", Whole, autoincrement=False, nullable=False),
        sa.Column("number", Whole, autoincrement=False, nullable=False),
        sa.Column("item", Whole, autoincrement=False, nullable=False),
        sa.Column("line", Whole, nullable=False),
        sa.Column("told_json", Words, nullable=False),
        sa.Column("raw", Words, nullable=False),
        sa.CheckConstraint("item > 0 AND line > 0", name=op.f("ck_import_lines_counts")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_import_lines_account_id")),
        sa.PrimaryKeyConstraint("account_id", "number", "item", name=op.f("pk_import_lines")),
        sqlite_with_rowid=False,
    )
    # What reports read of a year: lines of cash that are of no trade.
    op.create_index(
        "ix_cash_lines_movements",
        "cash_lines",
        ["account_id", "at"],
        sqlite_where=_NO_TRADE,
        postgresql_where=_NO_TRADE,
    )
    if op.get_bind().dialect.name != "sqlite":
        for table in TABLES:
            op.execute(f"CREATE POLICY asker ON {table} USING ({_SAID} IS NULL OR {_MY_ACCOUNT})")
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")


def downgrade() -> None:
    """Drop them, while nothing is in them."""
    if op.get_bind().execute(sa.text("SELECT 1 FROM accounts WHERE broker = 'statement' LIMIT 1")).first():
        raise NoWayBack
    op.drop_index("ix_cash_lines_movements", table_name="cash_lines")
    for table in reversed(TABLES):
        op.drop_table(table)
