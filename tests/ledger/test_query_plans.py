"""How SQLite looks for what the writer asks: by the whole of what it knows, never through all rows of an account."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from plimsoll.ledger import queries
from plimsoll.ledger.database import create_from_template, open_database
from plimsoll.store.place import SqlitePlace

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


RELEASE_0002 = Path(__file__).parent / "data" / "release_0002.sql"


@pytest.fixture(params=["made by this release", "brought up from 0002"])
def young(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Give a book of which SQLite has no figures yet; its indexes have the same names wherever it came from."""
    path = tmp_path / "desk.db"
    if request.param == "made by this release":
        create_from_template(path)
        return path
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(RELEASE_0002.read_text(encoding="utf-8"))
    open_database(SqlitePlace(path))
    return path


@pytest.mark.parametrize("name", ASKED_OFTEN)
def test_no_question_reads_a_whole_account(name: str, young: Path) -> None:
    """A year later the same plan would take seconds."""
    with closing(sqlite3.connect(young)) as connection:
        text = queries.compiled("sqlite")[name]
        steps = connection.execute(f"EXPLAIN QUERY PLAN {text}", [1] * text.count("?")).fetchall()
    told = [str(step[3]) for step in steps]
    assert any("SEARCH" in step for step in told)
    assert not any("SCAN" in step or step.endswith("PRIMARY KEY (account_id=?)") for step in told), told
