"""What Alembic runs around the scripts. The connection, and its transaction, belong to `ledger.database`."""

from alembic import context

from plimsoll.ledger.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
