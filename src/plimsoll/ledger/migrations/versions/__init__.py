"""The scripts, in the order of their numbers; `ledger.database.REVISIONS` lists them."""
