"""What Alembic runs around the scripts. The connection, and its transaction, belong to `ledger.database`."""

from alembic import context

from plimsoll.ledger.schema import metadata

given = context.config.attributes
# In our schema like every other table, whatever the server's own idea of a first schema is.
context.configure(connection=given["connection"], target_metadata=metadata, version_table_schema=given["schema"])
context.run_migrations()
