"""When each law is asked: at every order that reaches a venue, every minute, at every kill, and at rest.

    an arrival    I1, I11, I13 as an order arrives: approved and committed before, the first of its id, at a fresh price
    every_minute  the book of this moment: sums, fills, ends, verdicts (I1, I7, I9, I10, I11, I14), memory equal to the
                  file (I9), every act of the desk's own had a cause (G2, G5), and it hears in time (LAG)
    at_kill       the same and the product's own proof of the file, as a dead process left it (I3, I4, I9, I10, I12)
    at_rest       all of it, venue and book to the last digit (I2, I5, I6, I7, I12), every repair explained (I8),
                  nothing secret told (I16), the same books in any order (I17), what was told still true, and
                  everybody alive

The file is read by plain SQL and the venue's truth comes from the exchange itself (`laws`, `files`).

What must not enter: what the world does, and how a failure is told.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from plimsoll.bootstrap.served import Served
from plimsoll.desk.ports import Ports
from plimsoll.ledger import queries
from plimsoll.ledger.books import LedgerBooks
from plimsoll.ledger.schema import metadata
from plimsoll.ledger.verify import verify
from plimsoll.store.sqlite import SqliteWriter
from tests.simulation.exchange.personality import Personality
from tests.simulation.hours.causes import Causes
from tests.simulation.hours.files import LIVE, Book, microseconds
from tests.simulation.hours.laws import ALWAYS, AT_REST, Scene, hold
from tests.simulation.hours.permuted import same_books_in_any_order
from tests.simulation.hours.repairs import Repair, lasting, unexplained
from tests.simulation.hours.weather import Fault
from tests.simulation.world import START, Broken

if TYPE_CHECKING:
    from tests.simulation.hours.process import Process
    from tests.simulation.hours.record import Record
    from tests.simulation.hours.sides import Side
    from tests.simulation.hours.world import World

D = Decimal
#: What the client ids of this desk begin with (`template`).
CODE = "SIMS"
#: After its verdict an order may still wait for its turn at the venue's pace, and leave; later than this it is stale.
OLDEST_SECONDS = 6.0
#: Memory that a start does not bring back, by design (`ledger.keys`).
_FORGOTTEN = frozenset({"recent_order", "recent_slot", "parity", "pnl_day", "pnl_latest"})
#: Which invariant a finding of `verify` breaks; all others are caches that are no fold (I9).
_VERIFY = {
    "doubled_trade": "I3",
    "order_without_approval": "I11",
    "approval_without_order": "I11",
    "wish_not_approved": "I11",
    **dict.fromkeys(
        (
            *("broken_link", "missing_link", "unlinked_fact", "reordered_fact", "missing_fact", "doubled_row"),
            *("unguarded_facts", "foreign_chain", "cut_tail", "missing_event", "event_beyond_head"),
        ),
        "I10",
    ),
}

#: The whole chain and the whole memory are looked at every so manieth time: they take a fifth of the run otherwise, and
#: what is wrong with them stays wrong until the next look.
DEEP_LOOK = 3


class Oracle:
    """Looks on at one world."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._database = world.directory.database
        self.repairs: list[Repair] = []
        #: How often it looked, and at what.
        self.looks: Counter[str] = Counter()
        self._looked_at = 0.0
        #: The process whose repairs were counted last, and what they came to, by account.
        self._process: Process | None = None
        self._counted: dict[int, Counter[str]] = {}
        self._causes = Causes(world.sides, world.record, world.tape.struck, world.at)
        for side in world.sides:
            self._watch(side)

    # ---------------------------------------------------------------------------------------------- as it happens

    def _watch(self, side: "Side") -> None:
        # The oracle stands before the venue's counter, behind the network: what it sees has arrived.
        call = side.exchange.call

        def seen(key: str, method: str, path: str, params: Mapping[str, str]) -> dict[str, object]:
            name = params.get("clientOrderId", "")
            if (key, method, path) == (side.key, "POST", "/order") and name.startswith(CODE):
                self._arrives(side, name)
            return call(key, method, path, params)

        side.exchange.call = seen  # type: ignore[method-assign]

    def _arrives(self, side: "Side", name: str) -> None:
        self.looks["arrivals"] += 1
        with closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)) as file:
            asked = (side.market.number, name)
            verdict = file.execute("SELECT outcome FROM verdicts WHERE account_id = ? AND client_order_id = ?", asked)
            order = file.execute("SELECT state FROM orders WHERE account_id = ? AND client_order_id = ?", asked)
            outcome, state = verdict.fetchone(), order.fetchone()
        if (outcome != ("APPROVED",) or state is None) and not self._is_restored:
            self._break("I11", f"{_name(side)}: {name} arrives; the book says {outcome}, its order {state}")
        stale = self._causes.leaves(Book(self._database, side.market.number), name)
        if stale is not None:
            self._break("I13", f"{_name(side)}: {name} arrives: {stale}")
        sendings = self._world.record.sendings.get(name, Counter())
        if sendings.total() > 1:
            self._break("I1", f"{_name(side)}: {name} left the desk more than once: {dict(sendings)}")

    def _break(self, law: str, sentence: str) -> None:
        # Whoever is at work now is not to blame, and might catch it: the world is told instead.
        self._world.break_law(Broken(law, sentence))

    @property
    def _is_restored(self) -> bool:
        return any(one.fault is Fault.RESTORE for one in self._world.tape.struck)

    # ------------------------------------------------------------------------------------------------ now and then

    def every_minute(self) -> None:
        """Look at the book of this moment.

        Raises: Broken
        """
        self.looks["minutes"] += 1
        self._count_repairs()
        for scene in self.scenes():
            hold(scene, ALWAYS)
            self._causes.hold(scene)
            if (late := self._causes.late(scene, self._world.process)) is not None:
                raise Broken("LAG", f"{scene.name}: {late}")
        process = self._world.process
        if (
            self.looks["minutes"] % DEEP_LOOK == 0
            and process is not None
            and process.is_ready
            and not process.is_frozen
        ):
            self._memory_is_the_file(process)

    def at_kill(self) -> None:
        """Look at what a dead process left, before another begins."""
        self.looks["kills"] += 1
        self._count_repairs()
        try:
            for scene in self.scenes():
                hold(scene, ALWAYS)
                self._causes.hold(scene)
            if self.looks["kills"] % DEEP_LOOK == 0:
                self._file_is_sound()
        except Broken as broken:
            self._world.break_law(broken)

    def at_rest(self) -> None:
        """Look at everything, after the quiet phase.

        Raises: Broken
        """
        self.looks["rests"] += 1
        self._count_repairs()
        for scene in self.scenes():
            hold(scene, AT_REST)
        self._file_is_sound()
        process = self._world.process
        if process is None or not process.is_ready or process.is_frozen or process.served is None:
            raise Broken("LIVE", "no process takes orders after the quiet phase")
        self._memory_is_the_file(process)
        one_sends_at_a_time(self._world.record)
        self._nothing_old_left()
        self._what_was_told_stays()
        self._nothing_secret_was_told()
        self._everybody_is_alive(process.served)
        self._same_in_any_order()
        self._repairs_have_reasons()

    def scenes(self) -> Iterator[Scene]:
        """Give every account, seen from both sides."""
        for side, personality in self._sides():
            yield Scene(
                _name(side),
                Book(self._database, side.market.number),
                side.exchange.truth(side.key),
                CODE,
                forgets=personality.forgets_after_seconds is not None,
                restored=self._is_restored,
            )

    def _sides(self) -> Iterator[tuple["Side", Personality]]:
        return zip(self._world.sides, self._world.plan.personalities, strict=True)

    # ------------------------------------------------------------------------------------- the file and the memory

    def _file_is_sound(self) -> None:
        directory = self._world.directory
        for finding in verify(directory.book, directory.chain_key(), None).findings:
            law = _VERIFY.get(finding.code, "I9")
            raise Broken(law, f"{finding.code} {finding.table} {finding.place}: {finding.sentence}")

    def _memory_is_the_file(self, process: "Process") -> None:
        assert process.served is not None, "Invariant: who takes orders is served."
        if process.scribe_is_lost:
            return  # a commit nobody could see the end of: no unit runs, and memory says what was true before
        writer = SqliteWriter(self._database, metadata, queries.compiled())
        try:
            loaded = LedgerBooks(self._world.directory.chain_key()).load(writer)
        finally:
            writer.close()
        stored = {key: value for key, value in loaded.items() if value is not None}
        memory = {key: value for key, value in process.served.books.hot.snapshot().items() if value is not None}
        for key in sorted({*stored, *memory}, key=str):
            if key[0] not in _FORGOTTEN and stored.get(key) != memory.get(key):
                # A number drawn by a unit whose rows were not needed is only a number not used.
                if key[0] == "id" and (memory.get(key) or 0) >= (stored.get(key) or 0):
                    continue
                raise Broken("I9", f"{key}: memory says {memory.get(key)}, the file {stored.get(key)}")

    def _nothing_old_left(self) -> None:
        """I13: what a process had decided before it stood still it does not send when it wakes."""
        struck = self._world.tape.struck
        if any(one.fault in (Fault.STEP, Fault.RESTORE) for one in struck):
            return  # nobody can say then when the desk's clock showed what
        begins = START.timestamp() + self._world.plan.weather.clock_offset
        for side in self._world.sides:
            rows = Book(self._database, side.market.number).rows(
                "SELECT o.client_order_id, v.at FROM orders o JOIN verdicts v ON v.account_id = o.account_id"
                " AND v.client_order_id = o.client_order_id WHERE o.account_id = ? AND NOT o.closes"
            )
            decided = {row["client_order_id"]: microseconds(row["at"]) / 1_000_000 - begins for row in rows}
            for sent in self._world.record.sent:
                if sent.what == "POST /order" and sent.client_order_id in decided:
                    age = sent.at - decided[sent.client_order_id]
                    if age > OLDEST_SECONDS:
                        raise Broken("I13", f"{_name(side)}: {sent.client_order_id} left {age:.1f} s after its verdict")

    def _same_in_any_order(self) -> None:
        markets, directory = self._world.plan.markets, self._world.directory
        with TemporaryDirectory(dir=directory.path.parent) as folder:
            numbers = [market.number for market in markets]
            same_books_in_any_order(directory, Path(folder), numbers, self._world.plan.seed)

    # ------------------------------------------------------------------------------------- what was told, to whom

    def _what_was_told_stays(self) -> None:
        if self._is_restored:
            return  # a book of before was put in its place by somebody who knew what he did
        books = {side.market.number: Book(self._database, side.market.number) for side in self._world.sides}
        for wish in self._world.record.wishes.values():
            for told in wish.told:
                if told.status in (200, 201, 202) and "order" in told.body:
                    still_true(books[wish.account], told.body["order"])

    def _nothing_secret_was_told(self) -> None:
        record = self._world.record
        for leak in record.leaks:
            raise Broken("I16", leak)
        kept = self._database.read_bytes()
        for name, secret in record.secrets.items():
            if secret.encode() in kept:
                raise Broken("I16", f"{name} stands in the book as it is")

    # ------------------------------------------------------------------------------------------------ who is alive

    def _everybody_is_alive(self, served: Served) -> None:
        for side in self._world.sides:
            account = served.desk.accounts[side.account_id]
            ports, attendance = account.ports, account.attendant.attendance()
            if attendance.failing:
                raise Broken("LIVE", f"{_name(side)}: {attendance.failing}")
            if ports.failures or ports.placing:
                raise Broken("LIVE", f"{_name(side)}: {ports.failures or dict(ports.placing)} is left over")
            found = attendance.reconciliation
            if found is None or not found.compared or not found.settled or found.unknown:
                raise Broken("LIVE", f"{_name(side)}: the last comparison came to {found}")
            for one in found.breaks:
                # Somebody's own order waits there: people are asked what it is, and trading goes on.
                if one.blocks_opening or not one.key.startswith("order:"):
                    raise Broken("I8", f"{_name(side)}: {one.sentence}")
            _may_open(_name(side), ports)

    # ----------------------------------------------------------------------------------------------------- repairs

    def _count_repairs(self) -> None:
        """See what was put right since the last look, by the process that there was then, too (I8)."""
        self._count_of(self._process)
        if self._world.process is not self._process:
            self._process, self._counted = self._world.process, {}
            self._count_of(self._process)
        self._looked_at = self._world.loop.time()

    def _count_of(self, process: "Process | None") -> None:
        if process is None or process.served is None:
            return
        now = self._world.loop.time()
        for side in self._world.sides:
            counted = process.served.desk.accounts[side.account_id].ports.repairs
            more = counted - self._counted.get(side.market.number, Counter())
            for kind, count in sorted(more.items()):
                self.repairs.append(Repair(kind, count, self._looked_at, now, _name(side)))
                self._world.record.repairs[kind] += count
            self._counted[side.market.number] = Counter(counted)

    def _repairs_have_reasons(self) -> None:
        record, struck = self._world.record, self._world.tape.struck
        starts = [span.began for span in record.lives[1:]]
        for side, personality in self._sides():
            his = [repair for repair in self.repairs if repair.account == _name(side)]
            repair = unexplained(his, struck, personality, starts)
            if repair is not None:
                when = f"between {repair.since:.0f} s and {repair.at:.0f} s"
                raise Broken("I8", f"{_name(side)}: {repair.count} × {repair.kind} {when}, and nothing explains it")
            if not struck:
                for row in Book(self._database, side.market.number).breaks:
                    raise Broken("I8", f"{_name(side)}: nothing went wrong, and a break was told: {row['sentence']}")

    # -------------------------------------------------------------------------------------------- how long it took

    def times_to_resolve(self) -> dict[str, list[float]]:
        """Give for how long orders were of unknown fate: those that a venue took, and those that it never had.

        Only such are counted during which nothing held the desk up: time to resolve is time of contact.
        """
        record = self._world.record
        held_up = [(one.at, one.at + lasting(one)) for one in self._world.tape.struck if lasting(one)]
        held_up += [(span.began - 1, span.began if span.ready is None else span.ready) for span in record.lives]
        taken = Counter[str]()
        for side in self._world.sides:
            taken.update(side.exchange.truth(side.key).accepted)
        found: dict[str, list[float]] = {"accepted": [], "never_placed": []}
        for one in record.resolved:
            if not any(start < one.ended and one.began < end for start, end in held_up):
                found["accepted" if taken[one.client_order_id] else "never_placed"].append(round(one.seconds, 3))
        return found


def one_sends_at_a_time(record: "Record") -> None:
    """I19: two processes never are the desk together, and nothing leaves one before its start or after its end.

    Raises: Broken
    """
    spans = {span.process: span for span in record.lives}
    ready = sorted((span for span in record.lives if span.ready is not None), key=lambda span: span.ready or 0.0)
    for one, other in pairwise(ready):
        if one.ended is None or one.ended > (other.ready or 0.0):
            raise Broken(
                "I19", f"{other.process} takes orders from {other.ready} s on, {one.process} until {one.ended}"
            )
    for sent in record.sent:
        span = spans[sent.process]
        if sent.at < span.began or (span.ended is not None and sent.at > span.ended):
            raise Broken("I19", f"{sent.what} left {sent.process} at {sent.at} s, which ended {span.ended}")


def _name(side: "Side") -> str:
    return f"account {side.market.number}"


def still_true(book: Book, told: Mapping[str, Any]) -> None:
    """See that what a caller was told of an order is still so, or came to more.

    Raises: Broken
    """
    name = told["client_order_id"]
    row = book.order_by_id.get(name)
    if row is None:
        raise Broken("ACK", f"order {name} was acknowledged and is not in the book")
    is_revised = any(trade["order_id"] == row["id"] and trade["revision"] for trade in book.trade_ids)
    if D(row["filled_quantity"]) < D(told["filled_quantity"]) and not is_revised:
        raise Broken("ACK", f"order {name} was told filled {told['filled_quantity']}, it is {row['filled_quantity']}")
    if told["state"] not in LIVE and row["state"] not in (told["state"], "FILLED"):
        raise Broken("ACK", f"order {name} was told {told['state']}, the book says {row['state']}")


def _may_open(name: str, ports: Ports) -> None:
    if not ports.reconciled:
        raise Broken("LIVE", f"{name}: in doubt after the quiet phase, and nobody says why")
    if ports.parity_difference:
        raise Broken("I11", f"{name}: {ports.parity_difference} orders left that nobody had approved like this")
    if ports.blind:
        raise Broken("LIVE", f"{name}: blind after the quiet phase: {ports.blind}")
