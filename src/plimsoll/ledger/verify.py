"""Verify: prove that the books are whole, from the database alone, without trusting what the desk remembers.

1. The file is sound (`quick_check`), and of this release.
2. Every chain holds from its first link: an edit, a deletion, an insertion, a swap, each at its place; with the stamp,
   a tail that was cut off.
3. Cells are canonical: decimals in their one text, times of 27 characters. Event numbers have no holes.
4. Caches equal their fold: positions and balances, the filled quantity and the state of every order.
5. Every approved verdict has its order, and every order its verdict.

It opens the database for reading only and sees one moment of it, so it may run beside a desk at work. What it could not
look at it says (`unseen`), instead of calling it sound. It holds the books in memory while it looks.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Table, inspect, text
from sqlalchemy.exc import DatabaseError

from plimsoll.ledger import accounts, cash, orders, positions, schema, trades
from plimsoll.ledger.database import HEAD
from plimsoll.ledger.fold import fold_balances, fold_positions, position_of
from plimsoll.ledger.log import link_content
from plimsoll.ledger.stamp import StampUnreadable, contradictions, read_stamp
from plimsoll.model import money
from plimsoll.model.clock import parse_time
from plimsoll.model.errors import Illegal
from plimsoll.model.ids import AccountId, ClientOrderId
from plimsoll.model.money import decimal_text
from plimsoll.model.order import Order, OrderState
from plimsoll.model.trade import Trade
from plimsoll.store.chain import GENESIS, link
from plimsoll.store.columns import Exact, Utc
from plimsoll.store.draft import Row
from plimsoll.store.sqlite import reader
from plimsoll.store.statements import select_as_stored

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it was written, or not as it must be."""

    #: Stable, `snake_case`.
    code: str
    table: str
    #: Which row or unit, as a person would look for it.
    place: str
    sentence: str


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What was looked at, and what was found."""

    findings: tuple[Finding, ...]
    #: How many of each were looked at.
    checked: Mapping[str, int]
    #: What could not be looked at, and what it would take.
    unseen: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.findings

    def to_json(self) -> dict[str, object]:
        """Give it as plain values for a machine."""
        return {
            "ok": self.ok,
            "checked": dict(self.checked),
            "findings": [asdict(finding) for finding in self.findings],
            "unseen": list(self.unseen),
        }


def verify(path: Path, chain_key: bytes | None, stamp_path: Path | None) -> VerifyReport:
    """Look at everything; without the key or the stamp, at all that can be seen without them."""
    engine = reader(path)
    try:
        with engine.connect() as connection:
            unsound = _soundness(connection)
            if unsound:
                return VerifyReport(unsound, {}, ("nothing else was looked at: the file itself is not sound",))
            book = _Book({table.name: _stored(connection, table) for table in schema.metadata.sorted_tables}, chain_key)
            for check in CHECKS:
                check(book)
            _check_stamp(book, connection, stamp_path)
    except DatabaseError as error:
        damaged = Finding("unreadable_file", "", str(path), f"the database cannot be read: {error.orig}")
        return VerifyReport((damaged,), {}, ("nothing was looked at",))
    return VerifyReport(tuple(book.findings), book.checked, tuple(book.unseen))


def _soundness(connection: Connection) -> tuple[Finding, ...]:
    answers = [str(answer) for answer in connection.execute(text("PRAGMA quick_check")).scalars()]
    if answers != ["ok"]:
        return tuple(Finding("damaged_file", "", "file", f"SQLite finds: {answer}") for answer in answers)
    known = set(inspect(connection).get_table_names())
    if "alembic_version" not in known:
        return (Finding("foreign_file", "", "file", "this is no database of a desk"),)
    version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if version != HEAD:
        return (Finding("other_release", "alembic_version", "file", f"version {version}; this release reads {HEAD}"),)
    missing = [table.name for table in schema.metadata.sorted_tables if table.name not in known]
    return tuple(Finding("missing_table", name, "file", "the table is gone") for name in missing)


def _stored(connection: Connection, table: Table) -> list[Row]:
    return [tuple(row) for row in connection.execute(select_as_stored(table))]


@dataclass(slots=True)
class _Book:
    """The rows of one moment, as stored, and what was found in them."""

    rows: Mapping[str, list[Row]]
    chain_key: bytes | None
    findings: list[Finding] = field(default_factory=list)
    checked: dict[str, int] = field(default_factory=dict)
    unseen: list[str] = field(default_factory=list)
    #: What could not be read was told once, however many checks need it.
    _told_unreadable: set[tuple[str, str]] = field(default_factory=set)

    def find(self, code: str, table: str, place: str, sentence: str) -> None:
        self.findings.append(Finding(code, table, place, sentence))

    def read(self, table: Table, from_row: Callable[[Row], T]) -> Iterator[T]:
        """Give every row of a table as its value; a row that cannot be one is found and left out."""
        for row in self.rows[table.name]:
            try:
                yield from_row(row)
            except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError) as error:
                place = _place(table, row)
                if (table.name, place) not in self._told_unreadable:
                    self._told_unreadable.add((table.name, place))
                    self.find("unreadable_row", table.name, place, f"no value of ours: {error}")


def _place(table: Table, row: Row) -> str:
    """Name a row by its primary key."""
    names = [column.name for column in table.columns]
    return ", ".join(f"{column.name} {row[names.index(column.name)]}" for column in table.primary_key.columns)


# Canonical cells ------------------------------------------------------------------------------------------------------

_CANONICAL = re.compile(r"(?!-0$)-?(0|[1-9][0-9]{0,19})(\.[0-9]{0,17}[1-9])?")


def _check_cells(book: _Book) -> None:
    """Look at every decimal's and every time's text."""
    checked = 0
    for table in schema.metadata.sorted_tables:
        kinds = [(number, column.name, _cell_check(column.type)) for number, column in enumerate(table.columns)]
        exact = [(number, name, is_canonical) for number, name, is_canonical in kinds if is_canonical is not None]
        for row in book.rows[table.name] if exact else ():
            for number, name, is_canonical in exact:
                cell = row[number]
                checked += 1
                if cell is not None and not (isinstance(cell, str) and is_canonical(cell)):
                    place = f"{_place(table, row)}, {name}"
                    book.find("not_canonical", table.name, place, f"{cell!r} is not the one text of its value")
    book.checked["cells"] = checked


def _cell_check(kind: object) -> Callable[[str], bool] | None:
    if isinstance(kind, Exact):
        return lambda cell: _CANONICAL.fullmatch(cell) is not None
    return _is_time if isinstance(kind, Utc) else None


def _is_time(cell: str) -> bool:
    try:
        parse_time(cell)
    except Illegal:
        return False
    return True


# The chain ------------------------------------------------------------------------------------------------------------


def _check_chains(book: _Book) -> None:
    """Follow every account's chain from its first link."""
    facts = _facts_by_unit(book)
    by_account: defaultdict[object, list[Row]] = defaultdict(list)
    for row in book.rows["audit_log"]:
        by_account[row[0]].append(row)
    for account_id, links in by_account.items():
        _follow(book, account_id, links, facts)
    linked = {(row[0], row[1]) for row in book.rows["audit_log"]}
    for (account_id, seq), by_table in facts.items():
        if (account_id, seq) not in linked:
            for table, rows in by_table.items():
                for row in rows:
                    place = f"account {account_id}, row {row[1]}"
                    book.find("unlinked_fact", table, place, f"it names unit {seq}, which the chain does not have")
    book.checked["chains"] = len(by_account)
    book.checked["links"] = len(linked)
    if book.chain_key is None:
        book.unseen.append("without the chain's key: a change that leaves numbers, sums and texts in step")


def _facts_by_unit(book: _Book) -> dict[tuple[object, object], dict[str, list[Row]]]:
    facts: defaultdict[tuple[object, object], dict[str, list[Row]]] = defaultdict(dict)
    for table in schema.FACTS:
        for row in book.rows[table]:
            # Every fact leads with its account, its row id and the number of its unit.
            facts[row[0], row[2]].setdefault(table, []).append(row)
        book.checked[table] = len(book.rows[table])
    return facts


def _follow(
    book: _Book,
    account_id: object,
    links: Sequence[Row],
    facts: Mapping[tuple[object, object], dict[str, list[Row]]],
) -> None:
    before, expected = GENESIS, 1
    broken = []
    for row in links:
        seq, written = int(row[1] or 0), str(row[-1])
        if seq != expected:
            gone = f"unit {expected}" if seq == expected + 1 else f"units {expected} to {seq - 1}"
            book.find(
                "missing_link", "audit_log", f"account {account_id}, unit {expected}", f"{gone} of the chain gone"
            )
        elif book.chain_key is not None:
            content = link_content(facts.get((account_id, seq), {}), row[:-1])
            if link(book.chain_key, before, content) != written:
                place = f"account {account_id}, unit {seq}"
                told = f"{row[5]} {row[4]}" if row[5] else str(row[4])
                sentence = f"the entry ({row[6]} {told}) or a fact of this unit is not what was written"
                broken.append(Finding("broken_link", "audit_log", place, sentence))
        before, expected = written, seq + 1
    if len(broken) == len(links) > 1:  # nobody changes every unit one by one
        sentence = f"none of its {len(links)} links was made with this key: it is another desk's, or all was rewritten"
        broken = [Finding("foreign_chain", "audit_log", f"account {account_id}", sentence)]
    book.findings += broken


def _check_stamp(book: _Book, connection: Connection, stamp_path: Path | None) -> None:
    try:
        seen = None if stamp_path is None else read_stamp(stamp_path)
    except StampUnreadable as unreadable:
        book.find("unreadable_stamp", "", str(stamp_path), str(unreadable))
        return
    if seen is None:
        book.unseen.append("without a stamp: a tail that was cut off every table alike")
        return
    book.unseen.append(f"a tail written after the stamp of {seen.at} and cut off again")
    for lost in contradictions(connection, seen):
        book.find("cut_tail", "audit_log", lost.partition(":")[0], lost)


# Numbering ------------------------------------------------------------------------------------------------------------


def _check_events(book: _Book) -> None:
    """See that event numbers have no holes up to the head; the oldest may have been let go."""
    numbers = [int(row[0] or 0) for row in book.rows["events"]]
    heads = book.rows["heads"]
    last = int(heads[0][2] or 0) if heads else 0
    expected = numbers[0] if numbers else last + 1
    for number in (*numbers, last + 1):
        if number > expected:
            gone = f"event {expected}" if number == expected + 1 else f"events {expected} to {number - 1}"
            book.find("missing_event", "events", f"event {expected}", f"{gone} gone; the head says {last}")
        elif number < expected:
            book.find("event_beyond_head", "events", f"event {expected - 1}", f"the head says {last}")
        expected = number + 1
    if last and not numbers:
        book.find("missing_event", "events", "event 1", f"all events are gone; the head says {last}")
    book.checked["events"] = len(numbers)


# Caches and their folds -----------------------------------------------------------------------------------------------


def _check_positions(book: _Book) -> None:
    """Fold all trades and compare with every position, field by field."""
    instruments = {
        instrument.id: instrument for instrument in book.read(schema.instruments, accounts.instrument_from_row)
    }
    booked = []
    for trade in book.read(schema.trades, trades.from_row):
        if trade.report.instrument_id in instruments:
            booked.append(trade)
        else:
            place = f"account {trade.report.account_id}, trade {trade.report.broker_trade_id}"
            book.find("unknown_instrument", "trades", place, f"no instrument {trade.report.instrument_id}")
    _check_trade_keys(book, booked)
    folded = fold_positions(booked, instruments)
    stored = {(item.account_id, item.key): item for item in book.read(schema.positions, positions.from_row)}
    empty = {(trade.report.account_id, position_of(trade).key): position_of(trade) for trade in booked}
    for key in sorted({*folded, *stored}, key=repr):
        account_id, (portfolio, instrument, strategy, leg) = key
        place = (
            f"account {account_id}, portfolio {portfolio}, instrument {instrument}, strategy {strategy} {leg}".strip()
        )
        is_, must = stored.get(key), folded.get(key)
        if must is None:
            book.find("position_without_trades", "positions", place, "no trade makes this position")
        elif is_ is None:
            book.find("missing_position", "positions", place, "its trades are there, the position is not")
        elif is_ != must:
            fields = [name for name in empty[key].__dataclass_fields__ if getattr(is_, name) != getattr(must, name)]
            told = "; ".join(f"{name} is {getattr(is_, name)}, folds to {getattr(must, name)}" for name in fields)
            book.find("position_not_fold", "positions", place, told)
    book.checked["positions"] = len(stored)


def _check_trade_keys(book: _Book, booked: Iterable[Trade]) -> None:
    for key, count in Counter(trade.report.key for trade in booked).items():
        if count > 1:
            account_id, instrument, trade_id, revision = key
            place = f"account {account_id}, instrument {instrument}, trade {trade_id}, revision {revision}"
            book.find("doubled_trade", "trades", place, f"booked {count} times")


def _check_balances(book: _Book) -> None:
    """Sum all lines and compare with every balance."""
    folded = fold_balances(book.read(schema.cash_lines, cash.from_row))
    stored = {
        (item.account_id, item.portfolio_id, item.pocket, item.asset): item.amount
        for item in book.read(schema.balances, cash.balance_from_row)
    }
    for place in sorted({*folded, *stored}):
        is_, must = stored.get(place, money.ZERO), folded.get(place, money.ZERO)
        if is_ != must:
            account_id, portfolio, pocket, asset = place
            where = f"account {account_id}, portfolio {portfolio}, {pocket} {asset}"
            sentence = f"{decimal_text(is_)} is stored, its lines sum to {decimal_text(must)}"
            book.find("balance_not_fold", "balances", where, sentence)
    book.checked["balances"] = len(stored)


#: What fills alone can make of a state that a note named.
_AFTER_FILLS = {
    OrderState.PENDING: {OrderState.PARTIALLY_FILLED, OrderState.FILLED},
    OrderState.NEW: {OrderState.PARTIALLY_FILLED, OrderState.FILLED},
    OrderState.UNKNOWN: {OrderState.PARTIALLY_FILLED, OrderState.FILLED},
    OrderState.PARTIALLY_FILLED: {OrderState.FILLED},
    OrderState.CANCELED: {OrderState.FILLED},
    OrderState.REJECTED: {OrderState.FILLED},
    OrderState.EXPIRED: {OrderState.FILLED},
    OrderState.FILLED: set(),
}


def _check_orders(book: _Book) -> None:
    """Compare every order with its trades and with what the chain's notes say of it."""
    filled: defaultdict[tuple[AccountId, int], Decimal] = defaultdict(lambda: money.ZERO)
    last_fill: dict[tuple[AccountId, int], int] = {}
    for order_id, seq, trade in book.read(schema.trades, _fill_from_row):
        key = (trade.report.account_id, order_id)
        filled[key] += trade.report.quantity
        last_fill[key] = max(last_fill.get(key, 0), seq)
    notes = _order_notes(book)
    stored = {(order.intent.account_id, order.id): order for order in book.read(schema.orders, orders.from_row)}
    for key, order in stored.items():
        place = f"account {key[0]}, order {order.client_order_id}"
        must = filled.get(key, money.ZERO)
        if order.filled_quantity != must:
            sentence = f"{decimal_text(order.filled_quantity)} is stored, its trades sum to {decimal_text(must)}"
            book.find("filled_not_fold", "orders", place, sentence)
        if not _state_fits(order):
            sentence = f"{order.state} with {decimal_text(must)} of {decimal_text(order.quantity)} filled"
            book.find("state_not_filled", "orders", place, sentence)
        _check_against_notes(book, place, order, notes.get((key[0], order.client_order_id), []), last_fill.get(key, 0))
    for account_id, order_id in filled:
        if order_id and (account_id, order_id) not in stored:
            place = f"account {account_id}, order {order_id}"
            book.find("missing_order", "orders", place, "its trades are there, the order is not")
    book.checked["orders"] = len(stored)


def _fill_from_row(row: Row) -> tuple[int, int, Trade]:
    return int(row[8] or 0), int(row[2] or 0), trades.from_row(row)


def _state_fits(order: Order) -> bool:
    if order.filled_quantity >= order.quantity:
        return order.state is OrderState.FILLED
    if order.filled_quantity == 0:
        return order.state not in (OrderState.FILLED, OrderState.PARTIALLY_FILLED)
    return order.state not in (OrderState.FILLED, OrderState.PENDING, OrderState.NEW, OrderState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class _OrderNote:
    seq: int
    state: OrderState | None
    terms: str | None


def _order_notes(book: _Book) -> dict[tuple[AccountId, ClientOrderId], list[_OrderNote]]:
    """Collect what the chain says of each order, in its order."""
    notes: defaultdict[tuple[AccountId, ClientOrderId], list[_OrderNote]] = defaultdict(list)
    for account_id, names, note in book.read(schema.audit_log, _order_note):
        for name in names:
            notes[account_id, name].append(note)
    return notes


def _order_note(row: Row) -> tuple[AccountId, Sequence[ClientOrderId], _OrderNote]:
    account_id, seq, _at, _actor, entity, key, _action, details, _link = row
    names, told = "", dict[str, str]()
    if entity == "ORDER":
        told = json.loads(str(details))
        # Those that a process left behind are noted together.
        names = told.get("orders", str(key))
    state = OrderState(told["state"]) if "state" in told else None
    note = _OrderNote(int(seq or 0), state, told.get("terms"))
    return AccountId(int(account_id or 0)), [ClientOrderId(name) for name in names.split(",") if name], note


def _check_against_notes(book: _Book, place: str, order: Order, notes: Sequence[_OrderNote], last_fill: int) -> None:
    terms = next((note.terms for note in notes if note.terms is not None), None)
    if terms is not None and terms != orders.terms_text(order):
        sentence = f"it says {orders.terms_text(order)}; the chain says {terms}"
        book.find("terms_not_noted", "orders", place, sentence)
    said = next((note for note in reversed(notes) if note.state is not None), None)
    if said is None or said.state is None or order.state is said.state:
        return
    if last_fill <= said.seq or order.state not in _AFTER_FILLS[said.state]:
        book.find("state_not_noted", "orders", place, f"{order.state} is stored; the chain says {said.state}")


def _check_verdicts(book: _Book) -> None:
    """Match approvals and orders one to one: nothing leaves without an approval."""
    names = [column.name for column in schema.verdicts.columns]
    outcome, name = names.index("outcome"), names.index("client_order_id")
    approved = Counter((row[0], row[name]) for row in book.rows["verdicts"] if row[outcome] == "APPROVED")
    names = [column.name for column in schema.orders.columns]
    account, name = names.index("account_id"), names.index("client_order_id")
    ordered = Counter((row[account], row[name]) for row in book.rows["orders"])
    for account_id, client_order_id in approved - ordered:
        place = f"account {account_id}, order {client_order_id}"
        book.find("approval_without_order", "orders", place, "it was approved and is not there")
    for account_id, client_order_id in ordered - approved:
        place = f"account {account_id}, order {client_order_id}"
        book.find("order_without_approval", "verdicts", place, "no verdict approved it")


#: In the order they are made: first what the bytes say, then what they mean.
CHECKS: tuple[Callable[[_Book], None], ...] = (
    _check_cells,
    _check_chains,
    _check_events,
    _check_positions,
    _check_balances,
    _check_orders,
    _check_verdicts,
)
