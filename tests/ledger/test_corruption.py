"""The corruption matrix: every table of facts × every way to tamper with it, and every cell of every cache.

The columns are read from the schema, so that a new one is tampered with by itself. Whoever tampers holds the database:
triggers and constraints stand in nobody's way. Each case is proved inside the tamperer's own transaction, and undone.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Connection, Executable, String, delete, event, inspect, select, text, update
from sqlalchemy.exc import DatabaseError

from plimsoll.ledger import schema
from plimsoll.ledger.database import create_from_template, open_database
from plimsoll.ledger.stamp import stamp
from plimsoll.ledger.verify import CHECKS, verify
from plimsoll.ledger.verify.chains import check_chains, check_stamp
from plimsoll.ledger.verify.folds import check_balances, check_positions
from plimsoll.ledger.verify.guards import check_guards
from plimsoll.ledger.verify.orders import check_orders
from plimsoll.ledger.verify.proof import Proof
from plimsoll.ledger.verify.report import Finding
from plimsoll.model.cash import CashEvent, CashKind
from plimsoll.model.entry import Entry, EntryKind
from plimsoll.model.ids import BrokerOrderId, BrokerTradeId, StrategyId
from plimsoll.model.order import OrderEvent, Side
from plimsoll.model.trade import LateFee, TradeEffect
from plimsoll.store.columns import Utc
from plimsoll.store.place import Place, SqlitePlace, reader
from tests.builders.happenings import telling
from tests.builders.ledger import (
    ACCOUNT,
    CHAIN_KEY,
    MAIN,
    NOON,
    PERPETUAL,
    SPOT,
    Books,
    buy,
    paying,
    refusing,
    sell,
)
from tests.builders.places import ENGINES, books_in, by_hand
from tests.builders.postgres import Cluster

D = Decimal
TABLES = schema.metadata.tables
FACTS = (*schema.FACTS, "audit_log")
#: Each cache, and who compares it with its fold.
CACHES = {
    "positions": check_positions,
    "pnl_days": check_positions,
    "balances": check_balances,
    "orders": check_orders,
    "order_states": check_orders,
}


def fill_books(books: Books) -> None:
    """Write every kind of fact, each column filled somewhere, and what they make."""
    books.open()
    books.write(paying("1000", "d-1"))
    order = books.place("a", SPOT, Side.BUY, "3", reserved="300")
    books.write(refusing("r"))
    name, venue_name = order.client_order_id, BrokerOrderId("b-1")
    fill = buy(
        SPOT, "1", "100", 1, client_order_id=name, broker_order_id=venue_name, fee=D("0.001"), fee_currency="BTC"
    )
    books.book(fill)
    books.hear(books.place("b", SPOT, Side.SELL, "1"), OrderEvent.CANCELED)
    books.write(refusing("s"))
    contract = buy(PERPETUAL, "1", "100", 2, leg="LONG", realized_cash=D("0.5"))
    books.book(contract, sell(PERPETUAL, "1", "130", 4, leg="LONG"))
    books.book(buy(PERPETUAL, "1", "120", 3, leg="LONG"))
    books.write(telling(replace(contract, revision=1, effect=TradeEffect.CORRECT, price=D(101))))
    place = (ACCOUNT.id, MAIN.id, SPOT.id, None, "")
    books.write(telling(Entry(*place, EntryKind.IN, D(2), "e-1", NOON, cost=D(150))))
    books.write(telling(Entry(*place, EntryKind.SPLIT, D(2), "e-2", NOON + timedelta(days=1), per=D(1))))
    when = NOON + timedelta(hours=8)
    flow = CashEvent(ACCOUNT.id, MAIN.id, CashKind.FUNDING, "USDT", D("-3"), "f-1", when, pocket="futures")
    books.write(telling(replace(flow, instrument_id=PERPETUAL.id, strategy_id=StrategyId(7), leg="LONG")))
    books.write(telling(LateFee(ACCOUNT.id, SPOT.id, BrokerTradeId("t1"), "late", D("0.2"), "USDT", when)))
    books.book(sell(SPOT, "0.5", "110", 9))


@pytest.fixture(scope="module", params=ENGINES)
def book(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One filled book for all cases: each undoes what it did."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("book") / "desk.db"
        create_from_template(path)
        fill_books(books := books_in(SqlitePlace(path)))
        books.close()
        yield SqlitePlace(path)
        return
    cluster: Cluster = request.getfixturevalue("postgres_cluster")
    with cluster.copy_of("migrated", open_database) as place:
        fill_books(books := books_in(place))
        books.close()
        yield place


@contextmanager
def tampering(place: Place, *, stripped: bool = True) -> Iterator[Connection]:
    """Hold a transaction in which nothing of the database's own is in the way; it is undone at the end."""
    with by_hand(place) as engine:
        if isinstance(place, SqlitePlace):
            event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys = OFF"))
            event.listen(
                engine, "connect", lambda connection, _: connection.execute("PRAGMA ignore_check_constraints = ON")
            )
        with engine.connect() as connection:
            if stripped:
                strip(connection)
            yield connection
            connection.rollback()


def strip(connection: Connection) -> None:
    """Take away triggers and constraints, keys apart."""
    if connection.dialect.name == "sqlite":
        names = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").scalars().all()
        for name in names:
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
        return
    for table in (*FACTS, *CACHES):
        connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        known = inspect(connection)
        constraints = [*known.get_foreign_keys(table), *known.get_check_constraints(table)]
        for constraint in (*constraints, *known.get_unique_constraints(table)):
            connection.exec_driver_sql(f"ALTER TABLE {table} DROP CONSTRAINT {constraint['name']}")


def found(connection: Connection, *checks: Callable[[Proof], None], key: bytes | None = CHAIN_KEY) -> list[Finding]:
    proof = Proof(connection, key)
    for check in checks:
        check(proof)
    return proof.findings


def test_the_untouched_book_is_whole(book: Place) -> None:
    report = verify(book, CHAIN_KEY, None)
    assert report.ok, report.findings


# Cells ----------------------------------------------------------------------------------------------------------------


def row_of(connection: Connection, column: Column[Any]) -> Any:
    """Give a row in which a column is filled, or the first; by its columns, cells as the database has them."""
    table = column.table
    filled = column.is_not(None) & (column != "") if isinstance(column.type, String) else column.is_not(None)
    rows = select(table).order_by(*table.primary_key.columns).limit(1)
    return connection.execute(rows.where(filled)).mappings().first() or connection.execute(rows).mappings().one()


def other(column: Column[Any], cell: Any) -> Any:
    """Give another cell than this one, of the same kind."""
    if isinstance(column.type, Utc):
        return NOON if cell is None else cell + timedelta(seconds=1)
    if isinstance(column.type, String):
        return f"{cell or ''}x"
    if cell in {0, 1} and not column.primary_key:
        return 1 - cell
    return 1 if cell is None else cell + 1000


def edited(place: Place, table: str) -> Iterator[tuple[Connection, str, Any]]:
    """Edit one cell of each column, one after the other; give the row as it was. Each edit is undone."""
    with tampering(place) as connection:
        for column in TABLES[table].columns:
            undone = connection.begin_nested()
            row = row_of(connection, column)
            its = [key == row[key.name] for key in column.table.primary_key.columns]
            changed = update(column.table).where(*its).values({column.name: other(column, row[column.name])})
            assert connection.execute(changed).rowcount == 1
            yield connection, column.name, row
            undone.rollback()


def leads_to(finding: Finding, table: str, row: Any) -> bool:
    """Say whether a finding leads to a row: by its table and number, or by its unit and what that covers."""
    if table == "audit_log":
        return finding.table == table
    named = finding.table == table or f"{table} row" in finding.sentence
    unit = f"account {row['account_id']}, unit {row['link_seq']}"
    return named and (f"row {row['id']}" in f"{finding.place} {finding.sentence}" or finding.place == unit)


@pytest.mark.parametrize("table", FACTS)
def test_an_edited_cell_of_a_fact_is_found_at_its_place(book: Place, table: str) -> None:
    for connection, column, row in edited(book, table):
        findings = found(connection, check_chains)
        assert any(leads_to(finding, table, row) for finding in findings), (column, findings)


@pytest.mark.parametrize("table", CACHES)
def test_an_edited_cell_of_a_cache_is_found(book: Place, table: str) -> None:
    """Also without the key: a cache is compared with what the facts fold into."""
    for connection, column, _ in edited(book, table):
        findings = found(connection, CACHES[table], key=None)
        assert table in {finding.table for finding in findings}, (column, findings)


@pytest.mark.parametrize("book", ["sqlite"], indirect=True)
def test_what_is_seen_of_an_edited_fact_without_the_key(book: Place) -> None:
    """The rest is said to be unseen, and is what the key is for."""
    seen = {
        f"{table}.{column}"
        for table in FACTS
        for connection, column, _ in edited(book, table)
        if found(connection, *CHECKS, key=None)
    }
    every = {f"{table}.{column.name}" for table in FACTS for column in TABLES[table].columns}
    assert every - seen == UNSEEN_WITHOUT_THE_KEY
    assert verify(book, None, None).unseen[0].startswith("without the chain's key")


#: Nothing else in the database says the same again.
UNSEEN_WITHOUT_THE_KEY = {
    *(f"audit_log.{name}" for name in ("action", "actor", "at", "details_json", "entity", "entity_key", "link")),
    *(f"cash_lines.{name}" for name in ("at", "kind", "reference")),
    *(f"position_entries.{name}" for name in ("reference", "sequence")),
    *(f"risk_breaches.{name}" for name in ("action", "at", "details_json", "intent_key", "observed_json")),
    *(f"trades.{name}" for name in ("client_order_id", "exec_time", "leg", "price", "realized_cash", "sequence")),
    "trades.triggered_by",
    *(f"verdicts.{name}" for name in ("at", "checks_json", "input_hash", "limits_version")),
}


# Rows -----------------------------------------------------------------------------------------------------------------


def rows_of(connection: Connection, table: str) -> list[Any]:
    ordered = select(TABLES[table]).order_by(*TABLES[table].primary_key.columns)
    return list(connection.execute(ordered).mappings())


def its_key(table: str, row: Any) -> list[Any]:
    return [key == row[key.name] for key in TABLES[table].primary_key.columns]


#: What must be another in a second row, where nobody took the constraint away.
UNIQUE_WORDS = ("intent_key", "broker_trade_id", "reference")
NUMBER = {table: "seq" if table == "audit_log" else "id" for table in FACTS}


@pytest.mark.parametrize("table", FACTS)
def test_each_row_that_is_deleted_is_missed(book: Place, table: str) -> None:
    """By its number without the key; the last one by its unit, whose link does not fit any more."""
    with tampering(book) as connection:
        rows = rows_of(connection, table)
        for row in rows:
            undone = connection.begin_nested()
            connection.execute(delete(TABLES[table]).where(*its_key(table, row)))
            findings = found(connection, check_chains)
            named = {(one.table, one.place) for one in findings}
            if table == "audit_log":
                place = f"account 1, unit {row['seq']}"
                last = row is rows[-1]  # a cut tail; without facts only the stamp knows
                assert last or ("audit_log", place) in named
            else:
                assert ("audit_log", f"account 1, unit {row['link_seq']}") in named
                assert row is rows[-1] or (table, f"row {row['id']}") in named
            undone.rollback()


def one_more(table: str, row: Any, last: Any) -> dict[str, Any]:
    """Give a row like another, numbered behind the last."""
    new = {**row, NUMBER[table]: last[NUMBER[table]] + 1}
    return {name: f"{cell}x" if name in UNIQUE_WORDS else cell for name, cell in new.items()}


@pytest.mark.parametrize("table", FACTS)
def test_an_inserted_row_is_found(book: Place, table: str) -> None:
    """At the end under the last unit, under an old unit, and under one that never was."""
    with tampering(book) as connection:
        rows = rows_of(connection, table)
        early, late = one_more(table, rows[0], rows[-1]), one_more(table, rows[-1], rows[-1])
        for new in (early, late):
            undone = connection.begin_nested()
            connection.execute(TABLES[table].insert().values(new))
            findings = found(connection, check_chains)
            assert any(leads_to(one, table, new) for one in findings), findings
            undone.rollback()
        if table != "audit_log":
            connection.execute(TABLES[table].insert().values({**late, "link_seq": 10_000}))
            (unlinked,) = found(connection, check_chains, key=None)
            assert (unlinked.code, unlinked.place) == ("unlinked_fact", f"account 1, row {late['id']}")


@pytest.mark.parametrize("table", FACTS)
def test_two_rows_that_change_places_are_found(book: Place, table: str) -> None:
    """Their numbers exchanged, which shows without the key; and all but their numbers, which the links show."""
    number = NUMBER[table]
    with tampering(book) as connection:
        rows = rows_of(connection, table)
        first, last = rows[0], rows[-1]
        for kept in ({number}, {"account_id", number, "link_seq"}):
            undone = connection.begin_nested()
            connection.execute(delete(TABLES[table]).where(*its_key(table, first)))
            connection.execute(delete(TABLES[table]).where(*its_key(table, last)))
            for one, two in ((first, last), (last, first)):
                moved = {name: (one if name in kept else two)[name] for name in one}
                connection.execute(TABLES[table].insert().values(moved))
            findings = found(connection, check_chains)
            for row in (first, last):
                assert any(leads_to(one, table, row) for one in findings) or row is last, findings
            if kept == {number} and table != "audit_log":
                assert "reordered_fact" in {one.code for one in found(connection, check_chains, key=None)}
            undone.rollback()


def test_a_tail_cut_off_all_tables_alike_is_seen_by_the_stamp(book: Place, tmp_path: Path) -> None:
    """Wherever it is cut: the links that are left fit, and the rows are numbered without holes."""
    engine = reader(book)
    stamp(engine, tmp_path / "heads.stamp", NOON)
    engine.dispose()
    with tampering(book) as connection:
        last = rows_of(connection, "audit_log")[-1]["seq"]
        for cut in range(last, 1, -1):
            for table in schema.FACTS:
                connection.execute(delete(TABLES[table]).where(TABLES[table].c.link_seq >= cut))
            connection.execute(delete(schema.audit_log).where(schema.audit_log.c.seq >= cut))
            assert found(connection, check_chains) == []
            (lost,) = found(connection, lambda proof: check_stamp(proof, tmp_path / "heads.stamp"))
            assert (lost.code, lost.place) == ("cut_tail", "account 1")
            assert f"unit {last} was there" in lost.sentence
    assert "without a stamp: a tail that was cut off every table alike" in verify(book, CHAIN_KEY, None).unseen


# What stands in the way -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", FACTS)
def test_facts_refuse_to_be_changed(book: Place, table: str) -> None:
    """On both engines, whoever asks; and they stay as they are."""
    orders: list[Executable] = [update(TABLES[table]).values({TABLES[table].columns[0].name: 2}), delete(TABLES[table])]
    if not isinstance(book, SqlitePlace):
        orders.append(text(f"TRUNCATE {table} CASCADE"))
    with by_hand(book) as engine:
        for order in orders:
            with engine.connect() as connection, pytest.raises(DatabaseError, match="holds facts: they are added"):
                connection.execute(order)
    assert verify(book, CHAIN_KEY, None).ok


def test_a_trigger_that_is_gone_is_found(book: Place) -> None:
    with tampering(book) as connection:
        findings = found(connection, lambda proof: check_guards(proof, book))
    assert {(one.code, one.table) for one in findings} == {("unguarded_facts", table) for table in FACTS}
