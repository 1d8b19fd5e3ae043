"""How SQLite looks for what the writer asks: by the whole of what it knows, never through all rows of an account."""

import sqlite3
from contextlib import closing

import pytest

from plimsoll.ledger import queries
from plimsoll.ledger.database import template

#: Asked for every order, trade or movement of cash.
ASKED_OFTEN = (
    "order_by_client_id",
    "order_by_broker_id",
    "verdict_by_intent",
    "trade_revisions",
    "trades_of_position",
    "cash_line_by_reference",
    "late_fees_of_trade",
    "entry_by_key",
    "pnl_day",
    "external_order_by_broker_id",
)


@pytest.mark.parametrize("name", ASKED_OFTEN)
def test_no_question_reads_a_whole_account(name: str) -> None:
    """In a young book, of which SQLite has no figures yet: a year later the same plan would take seconds."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.deserialize(template())
        text = queries.compiled("sqlite")[name]
        steps = connection.execute(f"EXPLAIN QUERY PLAN {text}", [1] * text.count("?")).fetchall()
    told = [str(step[3]) for step in steps]
    assert any("SEARCH" in step for step in told)
    assert not any("SCAN" in step or step.endswith("PRIMARY KEY (account_id=?)") for step in told), told
