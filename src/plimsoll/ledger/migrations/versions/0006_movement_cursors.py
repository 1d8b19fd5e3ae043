"""How far a venue's own ledger was read, from where what moved there without a trade is asked for; and an order's leg.

Revision: 0006, after 0005
Deploy:   stop the desk, start this release; orders get a column, which is empty in all of them. Going back forgets the
          cursors: the release before asks for no movements, and this one, when it comes again, asks from the beginning
          and finds repetitions. It is refused while an order has a leg, which the release before would take from the
          other one: restore the backup from before.

What a migration needs it says itself, as the first one does.
"""

import sqlalchemy as sa
from alembic import op

from plimsoll.model.errors import PlimsollError
from plimsoll.store.columns import Whole, Words

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_SAID = "current_setting('plimsoll.asker', true)"
_MY_ACCOUNT = "account_id IN (SELECT accounts.id FROM accounts)"


class NoWayBack(PlimsollError):
    """The release before does not know legs of orders: restore a backup from before the upgrade."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


def upgrade() -> None:
    """Make the table, and the column."""
    op.add_column("orders", sa.Column("leg", Words, nullable=False, server_default=""))
    op.create_table(
        "movement_cursors",
        sa.Column("account_id", Whole, autoincrement=False, nullable=False),
        sa.Column("cursor", Whole, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_movement_cursors_account_id")),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_movement_cursors")),
    )
    if op.get_bind().dialect.name != "sqlite":
        op.execute(f"CREATE POLICY asker ON movement_cursors USING ({_SAID} IS NULL OR {_MY_ACCOUNT})")
        op.execute("ALTER TABLE movement_cursors ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")


def downgrade() -> None:
    """Drop both, while no order has a leg.

    Raises: NoWayBack
    """
    if op.get_bind().execute(sa.text("SELECT 1 FROM orders WHERE leg <> '' LIMIT 1")).first():
        raise NoWayBack
    op.drop_column("orders", "leg")
    op.drop_table("movement_cursors")
