"""What must hold after a fault and a quiet phase: the catalogue's invariants, asked of the files themselves.

Book and venue are compared here by plain SQL and not by the product's own comparison, which is on trial too. Each check
carries the id of the invariant it stands for, and says what it found.
"""

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from plimsoll.bots.replay_plan import ACCOUNT
from plimsoll.ledger import queries
from plimsoll.ledger.books import LedgerBooks
from plimsoll.ledger.schema import metadata
from plimsoll.ledger.verify import verify
from plimsoll.model.account import TradingState
from plimsoll.model.clock import time_text
from plimsoll.model.ids import ClientOrderId
from plimsoll.model.order import OrderState
from plimsoll.store.hot import HotState
from plimsoll.store.sqlite import SqliteWriter
from tests.simulation import beside
from tests.simulation.world import CUTS, Broken, World, plain_id

D = Decimal
Row = Mapping[str, Any]

#: Memory that a start does not bring back, by design (`ledger.keys`).
_FORGOTTEN = {"recent_order", "recent_slot", "parity", "pnl_day", "pnl_latest"}
_LIVE = ("NEW", "PARTIALLY_FILLED", "PENDING", "UNKNOWN")
#: Which invariant a finding of `verify` breaks; all others are caches that are no fold (I9).
_VERIFY = {
    "doubled_trade": "I3",
    "order_without_approval": "I11",
    "approval_without_order": "I11",
    "broken_link": "I10",
    "missing_link": "I10",
    "unlinked_fact": "I10",
    "reordered_fact": "I10",
    "missing_fact": "I10",
    "doubled_row": "I10",
    "unguarded_facts": "I10",
    "wish_not_approved": "I11",
    "foreign_chain": "I10",
    "cut_tail": "I10",
    "missing_event": "I10",
    "event_beyond_head": "I10",
}


class Files:
    """Both databases, as they lie there."""

    def __init__(self, world: World) -> None:
        with _open(world.directory.database) as book:
            # An imported book is an account of its own, of which no venue knows.
            self.orders = _rows(book, f"SELECT * FROM orders WHERE account_id = {ACCOUNT} ORDER BY id")
            self.trades = _rows(book, f"SELECT * FROM trades WHERE account_id = {ACCOUNT} ORDER BY id")
            self.verdicts = _rows(book, "SELECT * FROM verdicts ORDER BY id")
            self.balances = _rows(book, f"SELECT * FROM balances WHERE account_id = {ACCOUNT}")
            self.positions = _rows(book, f"SELECT * FROM positions WHERE account_id = {ACCOUNT}")
            self.imports = _rows(book, "SELECT * FROM imports ORDER BY account_id, number")
            self.cash = _rows(book, f"SELECT * FROM cash_lines WHERE account_id = {ACCOUNT}")
            self.halts = _rows(book, "SELECT * FROM halts")
            self.guards = _rows(book, "SELECT * FROM guard_alerts ORDER BY number")
            self.breaks = _rows(book, "SELECT * FROM events WHERE kind = 'BREAK_FOUND'")
        with _open(world.directory.paper_books) as venue:
            self.venue_orders = _rows(venue, "SELECT * FROM orders ORDER BY number")
            self.venue_trades = _rows(venue, "SELECT * FROM trades ORDER BY sequence")
            self.venue_balances = _rows(venue, "SELECT * FROM balances")
            self.venue_positions = _rows(venue, "SELECT * FROM positions")
        self.revisions = beside.revisions(world.directory.paper_books, world.instrument)
        self.movements = beside.movements(world.directory.paper_books, ACCOUNT)
        #: What the venue took, refused orders apart.
        self.accepted = [row for row in self.venue_orders if row["state"] != "REJECTED"]

    def order(self, client_order_id: str) -> Row | None:
        return next((row for row in self.orders if row["client_order_id"] == client_order_id), None)

    def quantity(self) -> Decimal:
        return sum((D(row["quantity"]) for row in self.positions), D(0))


@contextmanager
def _open(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        yield connection


def _rows(connection: sqlite3.Connection, question: str) -> list[Row]:
    return [dict(row) for row in connection.execute(question)]


def examine(world: World) -> Files:
    """Ask everything that must hold after any fault.

    Raises: Broken
    """
    files = Files(world)
    for check in CHECKS:
        check(world, files)
    return files


def nothing_to_repair(world: World) -> None:
    """See that book and venue agree already where nothing went wrong: a sweep that finds something hides a bug (I8)."""
    files = Files(world)
    for check in (_one_order_an_intent, _approved_when_sent, _nothing_unexpected):
        check(world, files)
    for check in (_facts_once, _venue_agrees):
        try:
            check(world, files)
        except Broken as broken:
            raise Broken("I8", f"nothing went wrong, and a repair is needed: {broken}") from broken
    if files.breaks:
        raise Broken("I8", f"nothing went wrong, and {files.breaks[0]['details_json']} was reported")


def _one_order_an_intent(world: World, files: Files) -> None:
    intents = {approved.client_order_id: approved.intent.key for approved in world.sent}
    taken = Counter(intents.get(plain_id(row["client_order_id"]), row["client_order_id"]) for row in files.accepted)
    for intent, count in taken.items():
        if count > 1:
            raise Broken("I1", f"{count} orders at the venue for the intent {intent}")


def _approved_when_sent(world: World, files: Files) -> None:
    for surprise in world.surprises:
        if isinstance(surprise, Broken):
            raise surprise


def _nothing_unexpected(world: World, files: Files) -> None:
    for surprise in world.surprises:
        raise Broken("LIVE", f"nobody expected {surprise!r}")


def _approved_before(world: World, files: Files) -> None:
    approved = {row["client_order_id"] for row in files.verdicts if row["outcome"] == "APPROVED"}
    for row in files.venue_orders:
        if plain_id(row["client_order_id"]) not in approved | world.by_hand | world.forgotten:
            raise Broken("I11", f"{row['client_order_id']} is at the venue and no verdict approved it")
    sent = Counter(item.intent.key for item in world.sent if item.client_order_id not in world.forgotten)
    for intent, count in sent.items():
        if count > 1:
            raise Broken("I11", f"the intent {intent} was sent {count} times")


def _facts_once(world: World, files: Files) -> None:
    theirs = Counter((f"P-{row['account_id']}-T{row['sequence']}", 0, *_paid(row)) for row in files.venue_trades)
    theirs += Counter(
        (one.broker_trade_id, one.revision, one.side, one.quantity, one.price, one.fee, time_text(one.exec_time))
        for one in files.revisions
    )
    ours = Counter((row["broker_trade_id"], row["revision"], *_paid(row)) for row in files.trades)
    for trade, count in ours.items():
        if count > theirs[trade]:
            raise Broken("I3", f"{trade} is booked {count} times, the venue has it {theirs[trade]} times")
    for trade in theirs:
        if trade not in ours:
            raise Broken("I5", f"{trade} is at the venue and not in the book")


def _paid(row: Row) -> tuple[object, ...]:
    return row["side"], D(row["quantity"]), D(row["price"]), D(row["fee"]), row["exec_time"]


def _venue_agrees(world: World, files: Files) -> None:
    ours = _sums((f"{row['pocket']} {row['asset']}", row["amount"]) for row in files.balances)
    theirs = _sums((f"{row['pocket']} {row['asset']}", row["total"]) for row in files.venue_balances)
    if ours != theirs:
        raise Broken("I5", f"the book holds {ours}, the venue {theirs}")
    if world.instrument.is_derivative:
        mine = _sums((str(row["instrument_id"]), row["quantity"]) for row in files.positions)
        venue = _sums((str(row["instrument_id"]), row["quantity"]) for row in files.venue_positions)
        if mine != venue:
            raise Broken("I5", f"the book's positions are {mine}, the venue's {venue}")


def _sums(amounts: Iterable[tuple[str, str]]) -> dict[str, Decimal]:
    totals: defaultdict[str, Decimal] = defaultdict(Decimal)
    for name, amount in amounts:
        totals[name] += D(amount)
    return {name: total for name, total in sorted(totals.items()) if total}


def _every_fate_known(world: World, files: Files) -> None:
    for row in files.orders:
        if row["state"] in ("PENDING", "UNKNOWN"):
            raise Broken("I6", f"order {row['client_order_id']} of {row['intent_key']} is still {row['state']}")


def _ends_agree(world: World, files: Files) -> None:
    venue = {row["client_order_id"]: row for row in files.venue_orders}
    for row in files.orders:
        name, state = row["client_order_id"], row["state"]
        there = venue.get(name)
        if there is None:
            if state not in ("REJECTED", "EXPIRED"):
                raise Broken("I7", f"order {name} is {state} in the book, and the venue never had it")
        elif there["state"] != state:
            raise Broken("I7", f"order {name} is {state} in the book and {there['state']} at the venue")


def _reservations(world: World, files: Files) -> None:
    for row in files.orders:
        if row["state"] not in _LIVE and D(row["reserved"]) != 0:
            raise Broken("I12", f"order {row['client_order_id']} is {row['state']} and holds {row['reserved']} back")
    locked = {row["client_order_id"]: D(row["locked"]) for row in files.venue_orders}
    for row in files.orders:
        theirs = locked.get(row["client_order_id"], D(0))
        if row["state"] in _LIVE and not row["closes"] and D(row["reserved"]) < theirs:
            raise Broken("I12", f"{row['client_order_id']} holds {row['reserved']} back, the venue {theirs} for it")
    held = {key: value for key, value in _hot(world.desk.ports.books.hot).items() if key[0] == "reserved"}
    wanted: defaultdict[str, Decimal] = defaultdict(Decimal)
    for row in files.orders:
        if row["state"] in _LIVE and D(row["reserved"]):
            wanted[row["reserved_asset"]] += D(row["reserved"])
    if {str(key[2]): value for key, value in held.items()} != dict(wanted):
        raise Broken("I12", f"memory holds {held} back, the live orders {dict(wanted)}")


def _caches_are_folds(world: World, files: Files) -> None:
    report = verify(world.directory.book, world.directory.chain_key(), None)
    for finding in report.findings:
        raise Broken(
            _VERIFY.get(finding.code, "I9"), f"{finding.code} {finding.table} {finding.place}: {finding.sentence}"
        )


def _memory_is_the_book(world: World, files: Files) -> None:
    writer = SqliteWriter(world.directory.database, metadata, queries.compiled())
    try:
        stored = {
            key: value
            for key, value in LedgerBooks(world.directory.chain_key()).load(writer).items()
            if value is not None
        }
    finally:
        writer.close()
    memory = _hot(world.desk.ports.books.hot)
    for key in sorted({*stored, *memory}, key=str):
        if key[0] not in _FORGOTTEN and stored.get(key) != memory.get(key):
            # A number drawn by a unit whose rows were not needed is only a number not used.
            if key[0] == "id" and (memory.get(key) or 0) >= (stored.get(key) or 0):
                continue
            raise Broken("I9", f"{key}: memory says {memory.get(key)}, the database {stored.get(key)}")


def _hot(hot: HotState) -> dict[Any, Any]:
    return {key: value for key, value in hot.snapshot().items() if value is not None}


def _closes_are_let_through(world: World, files: Files) -> None:
    for row in files.verdicts:
        if row["outcome"] == "REFUSED" and row["intent_key"].startswith("close:"):
            codes = {check["code"] for check in json.loads(row["checks_json"]) if check["outcome"] == "REFUSE"}
            # Who wanted it closed looked at memory that was behind the database, as after a commit of unknown fate: the
            # gate, which looks in the unit, stops a second close. Without a fault nobody may come so far.
            if world.struck and codes <= {"nothing_to_close", "close_larger_than_position"}:
                continue
            raise Broken("I14", f"the gate refused {row['intent_key']}: {row['checks_json']}")


def _what_was_told_stays(world: World, files: Files) -> None:
    for name, (state, filled) in world.acknowledged.items():
        row = files.order(name)
        if row is None:
            raise Broken("ACK", f"order {name} was acknowledged and is not in the book")
        if D(row["filled_quantity"]) < filled and not _was_taken_back(row, files):
            raise Broken("ACK", f"order {name} was told filled {filled}, the book says {row['filled_quantity']}")
        if state.is_final and row["state"] not in (state, OrderState.FILLED):
            raise Broken("ACK", f"order {name} was told {state}, the book says {row['state']}")
    for name in {ClientOrderId(row["client_order_id"]) for row in files.orders}:
        row = files.order(name)
        if row is not None and D(row["filled_quantity"]) > D(row["quantity"]):
            raise Broken("I4", f"order {name} was filled beyond its quantity")


def _was_taken_back(row: Row, files: Files) -> bool:
    return any(one.client_order_id == row["client_order_id"] for one in files.revisions)


#: The nearest to the cause first: a doubled order also shows as a position that nobody wanted.
CHECKS: tuple[Callable[[World, Files], None], ...] = (
    _one_order_an_intent,
    _approved_when_sent,
    _approved_before,
    _facts_once,
    _caches_are_folds,
    _venue_agrees,
    _every_fate_known,
    _ends_agree,
    _reservations,
    _memory_is_the_book,
    _closes_are_let_through,
    _what_was_told_stays,
    _nothing_unexpected,
)


# What scenarios expect ------------------------------------------------------------------------------------------------


def flat(world: World, files: Files) -> None:
    """Nothing is open."""
    if files.quantity() != 0:
        raise Broken("G10", f"{files.quantity()} is still open")


def one_close(world: World, files: Files) -> None:
    """One close is filled, and only an answer that never came is a reason for a second at the venue."""
    closes = {row["client_order_id"] for row in files.orders if row["closes"]}
    there = [row for row in files.accepted if plain_id(row["client_order_id"]) in closes]
    filled = [row for row in there if D(row["filled_quantity"])]
    # A close of unknown fate holds no other up where the venue enforces reduce-only; a crash is no reason for a second.
    only_cut = all(fault.kind in CUTS for fault in world.struck)
    if len(filled) != 1 or (only_cut and len(there) != 1):
        raise Broken("G4", f"closes at the venue: {[(row['client_order_id'], row['state']) for row in there]}")


def protected(world: World, files: Files) -> None:
    """What the guard had to close is closed, once, and both guard and account are shut."""
    if not files.venue_trades or D(files.venue_trades[0]["price"]) < 95:
        return  # the fault kept the order from the venue, or back until the fall was over: there was nothing to protect
    flat(world, files)
    one_close(world, files)
    halts = [row for row in files.halts if row["source"] == "guard:drawdown"]
    if [(row["state"], row["latched"]) for row in halts] != [(TradingState.REDUCE_ONLY, 1)]:
        raise Broken("G5", f"the guard closed, and the account's halts are {halts}")
    status = [row["status"] for row in files.guards]
    if not status or status[-1] != "LATCHED":
        raise Broken("G5", f"the guard's episodes are {status}")
