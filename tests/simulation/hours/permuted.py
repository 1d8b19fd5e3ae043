"""I17: any order and any repetition of the same facts makes the same books.

The fills and movements of a run are taken out of a copy of its book, doubled and shuffled, and booked there again by
the product's own ways, to orders that nothing was filled of yet. Positions, days, balances and cash must come out the
same, in every digit.
"""

import random
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from plimsoll.bootstrap import DataDirectory, open_books
from plimsoll.ledger import cash, entries, schema, trades
from plimsoll.ledger.book_cash import book_cash
from plimsoll.ledger.book_trade import book_trades
from plimsoll.ledger.corporate import book_entry
from plimsoll.ledger.log import Note, write_note
from plimsoll.ledger.trades import Booking
from plimsoll.model.cash import CashEvent, CashKind, CashLine
from plimsoll.model.clock import parse_time
from plimsoll.model.entry import Entry
from plimsoll.model.money import install_exact_arithmetic
from plimsoll.model.trade import MadeBy, TradeReport
from plimsoll.store.draft import Draft, Row
from plimsoll.store.place import SqlitePlace, reader
from plimsoll.store.scribe import Unit
from plimsoll.store.statements import select_as_stored
from tests.simulation.hours.digests import differing_facts, facts_of
from tests.simulation.world import Broken

#: What facts fold into.
_FOLDS = ("positions", "days", "balances", "cash")
_TOLD = ("trades", "cash_lines", "position_entries", "positions", "pnl_days", "balances")
#: Told by the venue's ledger and of no trade.
_MOVES = frozenset(
    {
        *(CashKind.DEPOSIT, CashKind.WITHDRAWAL, CashKind.FUNDING, CashKind.INTEREST),
        *(CashKind.LIQUIDATION, CashKind.ADL, CashKind.SETTLEMENT),
    }
)
#: This share of the facts comes a second time.
_TWICE = 0.3
_NOW = "2022-01-02T00:00:00.000000Z"


def same_books_in_any_order(directory: DataDirectory, folder: Path, accounts: Sequence[int], seed: int) -> None:
    """Book the facts of a desk anew in another order, in an empty folder, and compare.

    Raises: Broken
    """
    chance = random.Random(f"{seed}|permuted")
    units = [unit for account in accounts for unit in _facts(directory.database, account)]
    units += chance.sample(units, int(len(units) * _TWICE))
    chance.shuffle(units)
    fresh = _without_facts(directory, folder)
    _book(fresh, units)
    for account in accounts:
        wanted, found = facts_of(directory.database, account), facts_of(fresh.database, account)
        differing = differing_facts({noun: wanted[noun] for noun in _FOLDS}, {noun: found[noun] for noun in _FOLDS})
        if differing:
            raise Broken("I17", f"account {account}: the same facts in another order make {' '.join(differing[:4])}")


def _without_facts(directory: DataDirectory, folder: Path) -> DataDirectory:
    """Copy a book and take everything out of it that was told by a venue, and all that this made."""
    fresh = DataDirectory(folder)
    fresh.chain_key_file.write_text(directory.chain_key_file.read_text())
    with closing(sqlite3.connect(directory.database)) as book, closing(sqlite3.connect(fresh.database)) as copy:
        book.backup(copy)
        for (name,) in copy.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            copy.execute(f'DROP TRIGGER "{name}"')
        for table in _TOLD:
            copy.execute(f"DELETE FROM {table}")
        copy.execute("UPDATE orders SET state = 'NEW', filled_quantity = '0', reserved = '0'")
        copy.commit()
    return fresh


def _facts(database: Path, account: int) -> Iterator[Unit]:
    now = parse_time(_NOW)
    engine = reader(SqlitePlace(database))
    try:
        with closing(engine.connect()) as connection:
            for row in _rows(connection, schema.trades, account):
                yield partial(_book_fill, report=_report(row))
            for row in _rows(connection, schema.position_entries, account):
                yield partial(_book_coins, entry=entries.from_row(row))
            for row in _rows(connection, schema.cash_lines, account):
                line = cash.from_row(row)
                if line.kind in _MOVES:
                    yield partial(book_cash, event=_event(line), actor="permuted", now=now)
    finally:
        engine.dispose()


def _rows(connection: Connection, table: Any, account: int) -> list[Any]:
    asked = select_as_stored(table).where(table.c.account_id == account).order_by(table.c.id)
    return [tuple(row) for row in connection.execute(asked)]


def _report(row: Row) -> TradeReport:
    trade = trades.from_row(row)
    made_by = next((one for one in MadeBy if one == trade.triggered_by), None)
    return replace(trade.report, made_by=made_by)


def _book_fill(draft: Draft, report: TradeReport) -> object:
    return book_trades(draft, [report], parse_time(_NOW), "permuted")


def _book_coins(draft: Draft, entry: Entry) -> object:
    now = parse_time(_NOW)
    done = book_entry(draft, entry, now)
    if done is Booking.BOOKED:
        write_note(draft, Note(entry.account_id, "permuted", "UPDATE", "POSITION", entry.reference, now, {}))
    return done


def _event(line: CashLine) -> CashEvent:
    amount = -line.amount if line.kind is CashKind.WITHDRAWAL else line.amount
    whose = (line.instrument_id, line.strategy_id, line.leg)
    return CashEvent(
        *(line.account_id, line.portfolio_id, line.kind, line.asset, amount, line.reference, line.at, line.pocket),
        *whose,
    )


def _book(fresh: DataDirectory, units: Sequence[Unit]) -> None:
    install_exact_arithmetic()
    failures: list[BaseException] = []

    def answer(_value: object, error: BaseException | None) -> None:
        if error is not None:
            failures.append(error)

    scribe = open_books(fresh)
    try:
        for unit in units:
            scribe.submit(unit, answer)
        while scribe.waiting:
            for call in scribe.step(50):
                call()
    finally:
        scribe.close()
    for failure in failures:
        raise Broken("I17", f"a fact that comes again or late cannot be booked: {failure}") from failure
