"""Tampering, one kind at a time: each is found, under its code, at its place; and an honest book has no findings.

Whoever tampers here is thorough: he removes the triggers first, and often mends the caches too.
"""

import json
import re
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from plimsoll.ledger import orders, schema
from plimsoll.ledger.log import Note, write_note
from plimsoll.ledger.stamp import Stamp, StampContradicted, StampUnreadable, read_stamp, stamp
from plimsoll.ledger.verify import Finding, VerifyReport, verify
from plimsoll.ledger.verify.orders import states_anew
from plimsoll.model.cash import CashEvent, CashKind
from plimsoll.model.order import OrderEvent, Side
from plimsoll.store.draft import Draft
from plimsoll.store.place import SqlitePlace
from plimsoll.store.sqlite import reader
from tests.builders.happenings import telling
from tests.builders.ledger import (
    ACCOUNT,
    CHAIN_KEY,
    MAIN,
    NOON,
    PERPETUAL,
    SPOT,
    Books,
    books_at,
    buy,
    client_order_id,
    note_order,
    paying,
    refusing,
    sell,
)

FACTS = (*schema.FACTS, "audit_log")


def fill_books(path: Path) -> Books:
    """Units: 1 open, 2 deposit, 3 order a, 4 refusal, 5 fill of a, 6 order b, 7 b cancelled, 8 and 9 late fills."""
    books = books_at(path).open()
    books.write(paying("1000", "d-1"))
    order = books.place("a", SPOT, Side.BUY, "3")
    books.write(refusing("r"))
    books.book(buy(SPOT, "1", "100", 1, client_order_id=order.client_order_id))
    books.hear(books.place("b", SPOT, Side.SELL, "1"), OrderEvent.CANCELED)
    books.book(buy(PERPETUAL, "1", "100", 2), sell(PERPETUAL, "1", "130", 4))
    books.book(buy(PERPETUAL, "1", "120", 3))
    return books


@pytest.fixture
def path(tmp_path: Path) -> Path:
    fill_books(tmp_path / "desk.db").close()
    return tmp_path / "desk.db"


def tamper(path: Path, *statements: str) -> None:
    """Change the file behind the desk's back, by somebody who puts the triggers back afterwards."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("PRAGMA ignore_check_constraints = ON")
        for statement in statements:
            connection.execute(statement)
        for _, sql in triggers:
            connection.execute(sql)


def found(report: VerifyReport) -> list[tuple[str, str, str]]:
    return [(finding.code, finding.table, finding.place) for finding in report.findings]


def check(path: Path, key: bytes | None = CHAIN_KEY) -> VerifyReport:
    return verify(SqlitePlace(path), key, None)


def test_an_honest_book_has_no_findings_and_says_what_was_looked_at(path: Path) -> None:
    report = check(path)
    assert report.ok
    assert dict(report.checked) == {
        "cells": report.checked["cells"],
        "position_entries": 0,
        "pnl_days": 2,
        "verdicts": 3,
        "risk_breaches": 1,
        "trades": 4,
        "cash_lines": 5,
        "chains": 1,
        "links": 9,
        "events": 7,
        "positions": 2,
        "balances": 3,
        "orders": 2,
    }
    assert report.checked["cells"] > 100
    assert report.unseen == ("without a stamp: a tail that was cut off every table alike",)
    assert json.loads(json.dumps(report.to_json()))["ok"] is True


A = f"account 1, order {client_order_id('a')}"
B = f"account 1, order {client_order_id('b')}"
DAY, LEG = "day 2022-01-21", "instrument_id 2, strategy_id 0, leg "
P = "account_id 1, portfolio_id 1, instrument_id 1, strategy_id 0, leg "
TRADE, CASH = "UPDATE trades SET", "UPDATE cash_lines SET"

#: What is done -> what is found; the first is the place where it was done.
MATRIX: dict[str, tuple[Sequence[str], Sequence[tuple[str, str, str]]]] = {
    "a trade's price edited": (
        [f"{TRADE} price = '101' WHERE id = 1"],
        [("broken_link", "audit_log", "account 1, unit 5")],
    ),
    "a trade's quantity edited": (
        [f"{TRADE} quantity = '2' WHERE id = 1"],
        [
            ("broken_link", "audit_log", "account 1, unit 5"),
            ("position_not_fold", "positions", "account 1, portfolio 1, instrument 1, strategy 0"),
            ("state_not_noted", "order_states", A),
            ("filled_not_fold", "orders", A),
        ],
    ),
    "a deposit and its balance edited in step": (
        [
            f"{CASH} amount = '2000' WHERE id = 1",
            "UPDATE balances SET amount = '1900' WHERE asset = 'USDT' AND pocket = 'spot'",
        ],
        [("broken_link", "audit_log", "account 1, unit 2")],
    ),
    "a refusal turned into an approval": (
        ["UPDATE verdicts SET outcome = 'APPROVED' WHERE id = 2"],
        [
            ("broken_link", "audit_log", "account 1, unit 4"),
            ("approval_without_order", "orders", f"account 1, order {client_order_id('r')}"),
        ],
    ),
    "a breach removed": (
        ["DELETE FROM risk_breaches"],
        [("broken_link", "audit_log", "account 1, unit 4")],
    ),
    "a note edited": (
        ["UPDATE audit_log SET actor = 'nobody' WHERE seq = 7"],
        [("broken_link", "audit_log", "account 1, unit 7")],
    ),
    "a note removed": (
        ["DELETE FROM audit_log WHERE seq = 4"],
        [
            ("unlinked_fact", "verdicts", "account 1, row 2"),
            ("unlinked_fact", "risk_breaches", "account 1, row 1"),
            ("missing_link", "audit_log", "account 1, unit 4"),
        ],
    ),
    "two notes removed": (
        ["DELETE FROM audit_log WHERE seq IN (6, 7)"],
        [
            ("unlinked_fact", "verdicts", "account 1, row 3"),
            ("missing_link", "audit_log", "account 1, unit 6"),
            ("terms_not_noted", "orders", B),
            ("state_not_noted", "order_states", B),
            ("state_not_noted", "order_states", B),
        ],
    ),
    "a trade removed with its link's name": (
        ["DELETE FROM trades WHERE id = 1", "DELETE FROM cash_lines WHERE link_seq = 5"],
        [
            ("missing_fact", "trades", "row 1"),
            ("missing_fact", "cash_lines", "row 2"),
            ("broken_link", "audit_log", "account 1, unit 5"),
            ("position_without_trades", "positions", "account 1, portfolio 1, instrument 1, strategy 0"),
            ("day_without_trades", "pnl_days", f"account 1, portfolio 1, instrument 1, strategy 0, {DAY}"),
            ("balance_not_fold", "balances", "account 1, portfolio 1, spot BTC"),
            ("balance_not_fold", "balances", "account 1, portfolio 1, spot USDT"),
            ("state_not_noted", "order_states", A),
            ("filled_not_fold", "orders", A),
            ("state_not_noted", "orders", A),
        ],
    ),
    "a line inserted into an old unit": (
        [
            "INSERT INTO cash_lines SELECT account_id, 99, link_seq, portfolio_id, pocket, 'ETH', kind, '5', 'd-9', at,"
            " NULL, NULL, NULL"
            " FROM cash_lines WHERE id = 1",
            "INSERT INTO balances VALUES (1, 1, 'spot', 'ETH', '5')",
        ],
        [
            ("missing_fact", "cash_lines", "row 6"),
            ("reordered_fact", "cash_lines", "account 1, row 99"),
            ("broken_link", "audit_log", "account 1, unit 2"),
        ],
    ),
    "a line inserted under a unit that never was": (
        [
            "INSERT INTO cash_lines SELECT account_id, 99, 77, portfolio_id, pocket, 'ETH', kind, '5', 'd-9', at,"
            " NULL, NULL, NULL"
            " FROM cash_lines WHERE id = 1",
            "INSERT INTO balances VALUES (1, 1, 'spot', 'ETH', '5')",
        ],
        [("missing_fact", "cash_lines", "row 6"), ("unlinked_fact", "cash_lines", "account 1, row 99")],
    ),
    "a unit appended without the key": (
        [
            "INSERT INTO audit_log SELECT account_id, 10, at, actor, entity, entity_key, action, details_json, link"
            " FROM audit_log WHERE seq = 9"
        ],
        [("broken_link", "audit_log", "account 1, unit 10")],
    ),
    "two units swapped": (
        [
            "UPDATE audit_log SET seq = 100 + seq WHERE seq IN (2, 3)",
            "UPDATE audit_log SET seq = 3 WHERE seq = 102",
            "UPDATE audit_log SET seq = 2 WHERE seq = 103",
        ],
        [
            ("broken_link", "audit_log", "account 1, unit 2"),
            ("broken_link", "audit_log", "account 1, unit 3"),
            ("broken_link", "audit_log", "account 1, unit 4"),
            ("state_not_noted", "order_states", A),
            ("state_not_noted", "order_states", A),
        ],
    ),
    "an event removed": (
        ["DELETE FROM events WHERE number = 3"],
        [("missing_event", "events", "event 3")],
    ),
    "the last events removed": (
        ["DELETE FROM events WHERE number > 5"],
        [("missing_event", "events", "event 6")],
    ),
    "all events removed": (["DELETE FROM events"], [("missing_event", "events", "event 1")]),
    "an event from nowhere": (
        ["INSERT INTO events SELECT 8, account_id, kind, at, details_json FROM events WHERE number = 7"],
        [("event_beyond_head", "events", "event 8")],
    ),
    "a position edited": (
        ["UPDATE positions SET cost = '99' WHERE instrument_id = 1"],
        [("position_not_fold", "positions", "account 1, portfolio 1, instrument 1, strategy 0")],
    ),
    "a position removed": (
        ["DELETE FROM positions WHERE instrument_id = 2"],
        [("missing_position", "positions", "account 1, portfolio 1, instrument 2, strategy 0")],
    ),
    "a position from nowhere": (
        [
            "CREATE TEMP TABLE p AS SELECT * FROM positions WHERE instrument_id = 1",
            "UPDATE p SET instrument_id = 3, strategy_id = 7",
            "INSERT INTO positions SELECT * FROM p",
        ],
        [("position_without_trades", "positions", "account 1, portfolio 1, instrument 3, strategy 7")],
    ),
    "a balance raised": (
        ["UPDATE balances SET amount = '1.000000000000000001' WHERE asset = 'BTC'"],
        [("balance_not_fold", "balances", "account 1, portfolio 1, spot BTC")],
    ),
    "an order's fill edited": (
        ["UPDATE orders SET filled_quantity = '3', state = 'FILLED' WHERE id = 1"],
        [("filled_not_fold", "orders", A), ("state_not_noted", "orders", A)],
    ),
    "an order's state edited": (
        ["UPDATE orders SET state = 'FILLED' WHERE id = 1"],
        [("state_not_noted", "orders", A)],
    ),
    "a part-filled order called new": (
        ["UPDATE orders SET state = 'NEW' WHERE id = 1"],
        [("state_not_noted", "orders", A)],
    ),
    "a cancelled order brought to life": (
        ["UPDATE orders SET state = 'NEW' WHERE id = 2"],
        [("state_not_noted", "orders", B)],
    ),
    "an order's terms edited": (
        ["UPDATE orders SET price = '90' WHERE id = 2"],
        [("wish_not_approved", "orders", B), ("terms_not_noted", "orders", B)],
    ),
    "an order removed": (
        ["DELETE FROM orders WHERE id = 1"],
        [
            ("missing_order", "orders", "account 1, order 1"),
            ("missing_order", "orders", "account 1, order 1"),
            ("approval_without_order", "orders", A),
        ],
    ),
    "an order from nowhere": (
        [
            "CREATE TEMP TABLE o AS SELECT * FROM orders WHERE id = 2",
            "UPDATE o SET id = 3, uid = 'x', client_order_id = 'X'",
            "INSERT INTO orders SELECT * FROM o",
        ],
        [
            ("order_without_approval", "verdicts", "account 1, order X"),
            ("terms_not_noted", "orders", "account 1, order X"),
        ],
    ),
    "a decimal written otherwise": (
        ["UPDATE balances SET amount = '1.0' WHERE asset = 'BTC'"],
        [("not_canonical", "balances", "account_id 1, portfolio_id 1, pocket spot, asset BTC, amount")],
    ),
    "a negative zero": (
        ["INSERT INTO nav VALUES (1, '-0', '1', '2022-01-21T12:00:00.000000Z', '1')"],
        [("not_canonical", "nav", "account_id 1, units")],
    ),
    "a time of another length": (
        ["UPDATE orders SET placed_at = '2022-01-21T12:00:00Z' WHERE id = 2"],
        [
            ("not_canonical", "orders", "account_id 1, id 2, placed_at"),
            ("unreadable_row", "orders", "account_id 1, id 2"),
        ],
    ),
    "a number that is none": (
        ["UPDATE positions SET quantity = 'many' WHERE instrument_id = 1"],
        [
            ("not_canonical", "positions", f"{P}, quantity"),
            ("unreadable_row", "positions", P),
            ("missing_position", "positions", "account 1, portfolio 1, instrument 1, strategy 0"),
        ],
    ),
    "a trade that cannot be one": (
        [f"{TRADE} side = 'LEND' WHERE id = 1"],
        [
            ("broken_link", "audit_log", "account 1, unit 5"),
            ("unreadable_row", "trades", "account_id 1, id 1"),
            ("position_without_trades", "positions", "account 1, portfolio 1, instrument 1, strategy 0"),
            ("day_without_trades", "pnl_days", f"account 1, portfolio 1, instrument 1, strategy 0, {DAY}"),
            ("state_not_noted", "order_states", A),
            ("state_not_noted", "order_states", A),
            ("filled_not_fold", "orders", A),
            ("state_not_noted", "orders", A),
        ],
    ),
    "an instrument removed": (
        ["DELETE FROM instruments WHERE id = 2"],
        [
            ("belongs_to_nothing", "pnl_days", f"account_id 1, portfolio_id 1, {DAY}, {LEG}"),
            ("belongs_to_nothing", "positions", f"account_id 1, portfolio_id 1, {LEG}"),
            ("belongs_to_nothing", "trades", "account_id 1, id 2"),
            ("position_without_trades", "positions", "account 1, portfolio 1, instrument 2, strategy 0"),
            ("day_without_trades", "pnl_days", f"account 1, portfolio 1, instrument 2, strategy 0, {DAY}"),
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("story", MATRIX)
def test_tampering_is_found_at_its_place(path: Path, story: str) -> None:
    """With the chain's key; without it everything but what only the chain can see."""
    statements, wanted = MATRIX[story]
    tamper(path, *statements)
    report = check(path)
    assert found(report) == list(wanted)
    without = check(path, None)
    assert found(without) == [item for item in wanted if item[0] != "broken_link"]
    assert without.unseen[0].startswith("without the chain's key")


def test_a_doubled_trade_is_found(path: Path) -> None:
    """Although the key that forbids it was taken off the table."""
    without_key = re.compile(r",\s*CONSTRAINT uq_trades\w* UNIQUE \([^)]*\)")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        (ddl,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'trades'").fetchone()
        connection.execute(without_key.sub("", ddl).replace("CREATE TABLE trades", "CREATE TABLE loose"))
        connection.execute("INSERT INTO loose SELECT * FROM trades")
        connection.execute("CREATE TEMP TABLE t AS SELECT * FROM trades WHERE id = 1")
        connection.execute("UPDATE t SET id = 99")
        connection.execute("INSERT INTO loose SELECT * FROM t")
        connection.execute("DROP TABLE trades")
        connection.execute("ALTER TABLE loose RENAME TO trades")
    assert ("doubled_trade", "trades", "account 1, instrument 1, trade t1, revision 0") in found(check(path))


def test_a_fact_that_is_there_twice_is_found(path: Path) -> None:
    """Although the table lost its key, and another row was taken out so that the count is right."""
    tamper(
        path,
        "CREATE TABLE loose AS SELECT * FROM verdicts",
        "DROP TABLE verdicts",
        "ALTER TABLE loose RENAME TO verdicts",
        "INSERT INTO verdicts SELECT * FROM verdicts WHERE id = 3",
        "DELETE FROM verdicts WHERE id = 2",
    )
    assert found(check(path)) == [
        ("missing_fact", "verdicts", "row 2"),
        ("doubled_row", "verdicts", "account 1, row 3"),
        ("broken_link", "audit_log", "account 1, unit 4"),
        ("broken_link", "audit_log", "account 1, unit 6"),
    ]


def fill_with_notes(path: Path) -> None:
    """Two orders that a process left behind, noted together (unit 4); one cancelled by a person (5) and filled (6)."""
    books = books_at(path).open()
    left = [books.place(key, SPOT, Side.BUY, "1") for key in ("a", "b")]
    reason = "nobody heard how the sending ended"

    def doubt(draft: Draft) -> None:
        for order in left:
            orders.write(draft, order.after(OrderEvent.OUTCOME_LOST, NOON, reason=reason))
        details = {"orders": ",".join(order.client_order_id for order in left), "state": "UNKNOWN", "reason": reason}
        write_note(draft, Note(ACCOUNT.id, "desk", "UPDATE", "ORDER", "*", NOON, details))

    def wish(draft: Draft) -> None:
        write_note(draft, Note(ACCOUNT.id, "user:1", "CANCEL", "ORDER", left[0].client_order_id, NOON, {}))

    def repeat(draft: Draft) -> None:
        known = orders.find(draft, ACCOUNT.id, left[0].client_order_id)
        assert known is not None
        note_order(draft, known, "UPDATE")

    books.write(doubt)
    books.write(wish)
    books.book(buy(SPOT, "0.5", "100", 1, client_order_id=left[0].client_order_id))
    books.write(repeat)
    books.close()


BOTH = [
    ("state_not_noted", "order_states", A),
    ("state_not_noted", "order_states", B),
    ("state_not_noted", "orders", B),
    ("order_not_fold", "orders", B),
]
NOTES: dict[str, tuple[str, Sequence[tuple[str, str, str]]]] = {
    "nothing": ("SELECT 1", []),
    "what several notes told together": ("UPDATE audit_log SET details_json = '{' WHERE entity_key = '*'", BOTH),
    "a note that is none": (
        "UPDATE audit_log SET details_json = '{' WHERE seq = 7",
        [("unreadable_row", "audit_log", "account 1, order 1, unit 7")],
    ),
    "a state taken out": (
        "DELETE FROM order_states WHERE order_id = 2 AND link_seq = 4",
        [("state_not_noted", "order_states", B)],
    ),
    "states of an order that is not there": (
        "INSERT INTO order_states SELECT 1, 9, link_seq, state, filled_quantity, reason, at FROM order_states"
        " WHERE order_id = 1 AND link_seq = 2",
        [("missing_order", "orders", "account 1, order 9")],
    ),
    "a trade that a note had counted": (
        "DELETE FROM trades",
        [
            ("position_without_trades", "positions", "account 1, portfolio 1, instrument 1, strategy 0"),
            ("day_without_trades", "pnl_days", f"account 1, portfolio 1, instrument 1, strategy 0, {DAY}"),
            *[("state_not_noted", "order_states", A)] * 3,
            ("filled_not_fold", "orders", A),
        ],
    ),
}


@pytest.mark.parametrize("story", NOTES)
def test_orders_are_compared_with_every_note(tmp_path: Path, story: str) -> None:
    statement, wanted = NOTES[story]
    fill_with_notes(tmp_path / "desk.db")
    tamper(tmp_path / "desk.db", statement)
    assert found(check(tmp_path / "desk.db", None)) == list(wanted)


@pytest.mark.parametrize("fill", [fill_with_notes, lambda path: fill_books(path).close()])
def test_states_told_anew_are_those_that_are_stored(tmp_path: Path, fill: Callable[[Path], object]) -> None:
    """For a book that was written before they were kept."""
    fill(tmp_path / "desk.db")
    engine = reader(tmp_path / "desk.db")
    with engine.connect() as connection:
        stored = connection.exec_driver_sql("SELECT * FROM order_states").all()
        assert list(states_anew(connection)) == [tuple(row) for row in stored]
    engine.dispose()


def test_what_is_moved_to_another_owner_is_found(path: Path) -> None:
    """A portfolio given to another account, and another user's account."""
    tamper(
        path,
        "CREATE TEMP TABLE u AS SELECT * FROM users",
        "UPDATE u SET id = 2, uid = 'u-2', name = 'Eve'",
        "INSERT INTO users SELECT * FROM u",
        "CREATE TEMP TABLE a AS SELECT * FROM accounts",
        "UPDATE a SET id = 2, uid = 'a-2', name = 'hers', user_id = 2",
        "INSERT INTO accounts SELECT * FROM a",
        "UPDATE portfolios SET account_id = 2",
    )
    report = check(path)
    assert {(finding.code, finding.table) for finding in report.findings} == {
        ("account_of_another", "portfolios"),
        *(
            ("portfolio_of_another", table)
            for table in ("orders", "trades", "cash_lines", "positions", "pnl_days", "balances")
        ),
    }
    assert "portfolio 1 is of account 2" in {finding.sentence for finding in report.findings}


def test_a_thousand_broken_links_are_named_and_the_rest_counted(tmp_path: Path) -> None:
    books = fill_books(tmp_path / "desk.db")
    for number in range(11):
        books.together(*(paying("1", f"more-{number}-{one}") for one in range(100)))
    books.close()
    tamper(tmp_path / "desk.db", "UPDATE audit_log SET actor = 'nobody' WHERE seq > 9")
    report = check(tmp_path / "desk.db")
    assert [finding.code for finding in report.findings] == ["broken_link"] * 1000 + ["broken_chain"]
    assert report.findings[-1].sentence == "1100 links do not fit; the first 1000 are named"


def test_a_line_that_is_no_number_is_told_once(tmp_path: Path) -> None:
    """However many sums it is left out of."""
    books = fill_books(tmp_path / "desk.db")
    when = NOON.replace(hour=16)
    flow = CashEvent(
        ACCOUNT.id,
        MAIN.id,
        CashKind.FUNDING,
        "USDT",
        Decimal("-3"),
        "f",
        when,
        pocket="futures",
        instrument_id=PERPETUAL.id,
    )
    books.write(telling(flow))
    books.close()
    tamper(tmp_path / "desk.db", "UPDATE cash_lines SET amount = 'much' WHERE kind = 'FUNDING'")
    assert found(check(tmp_path / "desk.db", None)) == [
        ("not_canonical", "cash_lines", "account_id 1, id 6, amount"),
        ("unreadable_row", "cash_lines", "account_id 1, id 6"),
        ("position_not_fold", "positions", "account 1, portfolio 1, instrument 2, strategy 0"),
        ("day_not_fold", "pnl_days", f"account 1, portfolio 1, instrument 2, strategy 0, {DAY}"),
        ("balance_not_fold", "balances", "account 1, portfolio 1, futures USDT"),
    ]


def test_another_desks_key_is_one_finding_not_thousands(path: Path) -> None:
    report = check(path, b"another key")
    assert found(report) == [("foreign_chain", "audit_log", "account 1")]
    assert "none of its 9 links" in report.findings[0].sentence


def test_it_reads_one_moment_beside_a_desk_at_work(tmp_path: Path) -> None:
    """And writes nothing."""
    books = fill_books(tmp_path / "desk.db")
    assert check(tmp_path / "desk.db").ok
    books.write(paying("1", "later"))
    assert check(tmp_path / "desk.db").ok
    books.close()


# Files ----------------------------------------------------------------------------------------------------------------


def flip_bytes(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for place in range(4096, len(content), 4096):
        content[place : place + 60] = b"\xff" * 60
    path.write_bytes(bytes(content))


def require_what_is_missing(path: Path) -> None:
    tamper(
        path,
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_master SET sql = replace(sql, 'realized_cash VARCHAR', 'realized_cash VARCHAR NOT NULL')"
        " WHERE name = 'trades'",
    )


FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "pages overwritten": (flip_bytes, "damaged_file"),
    "rows against their table": (require_what_is_missing, "damaged_file"),
    "no database at all": (lambda path: path.write_text("It was a dark and stormy night. " * 200), "unreadable_file"),
    "gone": (lambda path: path.unlink(), "unreadable_file"),
    "of another release": (lambda path: tamper(path, "UPDATE alembic_version SET version_num = '9'"), "other_release"),
    "of another program": (lambda path: tamper(path, "DROP TABLE alembic_version"), "foreign_file"),
    "without a table": (lambda path: tamper(path, "DROP TABLE events"), "missing_table"),
}


@pytest.mark.parametrize("story", FILES)
def test_a_file_that_is_not_sound_is_a_finding_not_an_exception(path: Path, story: str) -> None:
    """The rest is not called sound: the report says that nobody looked."""
    damage, code = FILES[story]
    damage(path)
    report = check(path)
    assert not report.ok
    assert {finding.code for finding in report.findings} <= {code, "unreadable_file"}
    assert report.unseen


# The stamp ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def stamp_path(path: Path) -> Path:
    """A stamp made while the book was whole."""
    made = path.with_name("heads.stamp")
    engine = reader(path)
    stamp(engine, made, NOON)
    engine.dispose()
    return made


CUT = (
    "DELETE FROM trades WHERE link_seq >= 8",
    "DELETE FROM cash_lines WHERE link_seq >= 8",
    "DELETE FROM audit_log WHERE seq >= 8",
    "DELETE FROM positions WHERE instrument_id = 2",
    "DELETE FROM pnl_days WHERE instrument_id = 2",
    "DELETE FROM balances WHERE pocket = 'futures'",
    "DELETE FROM events WHERE number > 4",
    "UPDATE heads SET event_number = 4, group_number = 7",
)


def test_a_cut_tail_is_seen_by_the_stamp_alone(path: Path, stamp_path: Path) -> None:
    """The links that are left still fit, and somebody careful mended every cache."""
    assert verify(SqlitePlace(path), CHAIN_KEY, stamp_path).ok
    tamper(path, *CUT)
    assert check(path).ok
    report = verify(SqlitePlace(path), CHAIN_KEY, stamp_path)
    assert found(report) == [
        ("cut_tail", "audit_log", "account 1"),
        ("cut_tail", "audit_log", "9 commits were there on 2022-01-21T12"),
    ]
    assert "unit 9 was there" in report.findings[0].sentence


def test_a_rewritten_tail_is_seen_by_the_stamp_alone(path: Path, stamp_path: Path) -> None:
    """By somebody who holds the key: the desk itself went on from an old backup."""
    tamper(path, *CUT)
    books = books_at(path)
    for number in range(3):
        books.write(paying("1", f"new-{number}"))
    books.close()
    assert check(path).ok
    report = verify(SqlitePlace(path), CHAIN_KEY, stamp_path)
    assert [finding.sentence for finding in report.findings] == [
        "account 1: unit 9 is not the one that was there on 2022-01-21T12:00:00.000000Z"
    ]


def test_a_stamp_is_not_laid_over_one_that_knows_more(path: Path, stamp_path: Path) -> None:
    """It would wipe out the only witness."""
    before = stamp_path.read_bytes()
    tamper(path, *CUT)
    with pytest.raises(StampContradicted, match="unit 9 was there"):
        stamp(reader(path), stamp_path, NOON)
    assert stamp_path.read_bytes() == before


def test_a_stamp_moves_on_with_the_books(path: Path, stamp_path: Path) -> None:
    books = books_at(path)
    books.write(paying("1", "later"))
    head = books.get(("chain", ACCOUNT.id))
    books.close()
    made = stamp(reader(path), stamp_path, NOON)
    assert made == read_stamp(stamp_path)
    assert (made.group, made.heads) == (10, {1: head})
    report = verify(SqlitePlace(path), CHAIN_KEY, stamp_path)
    assert report.ok
    assert report.unseen == ("a tail written after the stamp of 2022-01-21T12:00:00.000000Z and cut off again",)
    assert not stamp_path.with_name("heads.stamp.new").exists()


def test_an_empty_book_has_a_stamp_too(tmp_path: Path) -> None:
    books_at(tmp_path / "desk.db").close()
    made = stamp(reader(tmp_path / "desk.db"), tmp_path / "heads.stamp", NOON)
    assert made == Stamp("2022-01-21T12:00:00.000000Z", 0, {})
    assert verify(SqlitePlace(tmp_path / "desk.db"), CHAIN_KEY, tmp_path / "heads.stamp").ok


@pytest.mark.parametrize(
    "content", ["", "[]", '{"at":"x"}', '{"at":"x","group":1,"heads":{"a":{}}}', '{"at":1,"group":1,"heads":[]}']
)
def test_a_stamp_that_cannot_be_read_is_a_finding(path: Path, content: str) -> None:
    """And no new one is written over it."""
    broken = path.with_name("heads.stamp")
    broken.write_text(content)
    assert found(verify(SqlitePlace(path), CHAIN_KEY, broken)) == [("unreadable_stamp", "", str(broken))]
    with pytest.raises(StampUnreadable):
        stamp(reader(path), broken, NOON)
    assert broken.read_text() == content


def test_a_report_is_plain_values() -> None:
    finding = Finding("broken_link", "audit_log", "account 1, unit 5", "changed")
    report = VerifyReport((finding,), {"links": 1}, ("nothing",))
    assert report.to_json() == {
        "ok": False,
        "checked": {"links": 1},
        "findings": [
            {"code": "broken_link", "table": "audit_log", "place": "account 1, unit 5", "sentence": "changed"}
        ],
        "unseen": ["nothing"],
    }
