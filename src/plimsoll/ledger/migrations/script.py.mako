"""${message}

Revision: ${up_revision}, after ${down_revision or "none"}
Deploy:   say what must run before or after it, and what an older release does with these tables
"""

import sqlalchemy as sa
from alembic import op

from plimsoll.store.columns import Exact, Utc, Whole, Words

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "raise NotImplementedError"}


def downgrade() -> None:
    ${downgrades if downgrades else "raise NotImplementedError"}
