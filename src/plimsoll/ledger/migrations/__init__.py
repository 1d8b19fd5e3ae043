"""How the tables came about: one script a change, run by `ledger.database`, never by hand.

A script is history: it names its tables, columns and values itself and imports nothing of the schema's page, which will
have moved on. `tests/ledger/test_migrations.py` proves that both end in the same database.
"""
