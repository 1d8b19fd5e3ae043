"""Every account's chain, followed from its first link, and the facts of each unit beside it.

Facts and links are read side by side, one unit at a time. Row ids count up without holes and units come in their order,
so a fact that was taken out, put in or moved is named by its row even where nobody has the key.
"""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from sqlalchemy import ColumnElement, Table, func, select, true

from plimsoll.ledger import schema
from plimsoll.ledger.log import link_content
from plimsoll.ledger.stamp import StampUnreadable, contradictions, read_stamp
from plimsoll.ledger.verify.cells import canonical
from plimsoll.ledger.verify.proof import Proof, whole
from plimsoll.ledger.verify.report import Finding
from plimsoll.store.chain import GENESIS, link
from plimsoll.store.draft import Row
from plimsoll.store.statements import select_as_stored

#: (account, number in its chain)
Unit = tuple[int, int]

#: One who rewrote everything is told so; nobody reads more findings of one kind.
MOST = 1_000


def check_chains(proof: Proof) -> None:
    """Follow every account's chain from its first link."""
    feeds = {name: _Feed(proof, schema.metadata.tables[name]) for name in schema.FACTS}
    chains = links = 0
    log = canonical(proof, schema.audit_log, proof.stored(schema.audit_log))
    for account_id, its_links in groupby(log, key=lambda row: whole(row[0])):
        followed = _Chain(account_id)
        for row in its_links:
            unit = _unit(row, 1)
            followed.next(proof, row, {name: rows for name, feed in feeds.items() if (rows := feed.take(unit))})
        proof.findings += followed.end()
        chains, links = chains + 1, links + followed.links
    for name, feed in feeds.items():
        feed.take(None)
        proof.checked[name] = feed.count
    proof.checked["chains"], proof.checked["links"] = chains, links
    if proof.chain_key is None:
        proof.unseen.append("without the chain's key: a change that leaves numbers, sums and texts in step")


def _unit(row: Row, place: int) -> Unit:
    return whole(row[0]), whole(row[place])


class _Feed:
    """The facts of one table, handed out unit by unit."""

    def __init__(self, proof: Proof, table: Table) -> None:
        self._proof = proof
        self._table = table
        self.count = 0
        if not proof.is_empty(table):
            _check_holes(proof, table)
        self._rows = canonical(proof, table, _in_units(proof, table))
        self._next = next(self._rows, None)

    def take(self, unit: Unit | None) -> list[Row]:
        """Give the facts of a unit; those before it name a unit that is not there. None is behind all units."""
        taken = []
        while self._next is not None:
            of = _unit(self._next, 2)
            if unit is not None and of > unit:
                break
            if of == unit:
                taken.append(self._next)
            else:
                place = f"account {of[0]}, row {self._next[1]}"
                sentence = f"it names unit {of[1]}, which the chain does not have"
                self._proof.find("unlinked_fact", self._table.name, place, sentence)
            self.count += 1
            self._next = next(self._rows, None)
        return taken


def _in_units(proof: Proof, table: Table) -> Iterator[Row]:
    """Stream facts in the order of their units; where somebody moved rows, name these, and sort."""
    if proof.is_empty(table):
        return iter(())
    columns = table.c
    before = func.lag(columns.link_seq).over(partition_by=columns.account_id, order_by=columns.id).label("before")
    numbered = select(columns.account_id, columns.id, columns.link_seq, before).subquery()
    moved = list(proof.ask(select(numbered).where(numbered.c.link_seq < numbered.c.before).limit(MOST)))
    for account_id, row_id, seq, earlier in moved:
        place = f"account {account_id}, row {row_id}"
        proof.find("reordered_fact", table.name, place, f"it is of unit {seq} and stands behind one of unit {earlier}")
    rows = select_as_stored(table)
    in_order = (columns.account_id, columns.link_seq, columns.id)
    return proof.ask(rows.order_by(None).order_by(*in_order) if moved else rows)


def _check_holes(proof: Proof, table: Table) -> None:
    """See that rows are numbered without holes: those of an imported book by themselves, all others together."""
    account = table.c.account_id
    for imported in sorted(proof.imported):
        _check_numbers(proof, table, account == imported)
    _check_numbers(proof, table, account.not_in(sorted(proof.imported)) if proof.imported else true())


def _check_numbers(proof: Proof, table: Table, among: ColumnElement[bool]) -> None:
    columns = table.c
    counted = (func.count(columns.id), func.max(columns.id), func.sum(columns.id))
    count, last, total = (int(next(proof.ask(select(one).where(among)))[0] or 0) for one in counted)
    if count == last and total == last * (last + 1) // 2:
        return
    before = func.lag(columns.id, 1, 0).over(order_by=columns.id).label("before")
    numbered = select(columns.account_id, columns.id, before).where(among).subquery()
    for account_id, row_id, earlier in proof.ask(select(numbered).where(numbered.c.id != numbered.c.before + 1)):
        if row_id == earlier:
            proof.find("doubled_row", table.name, f"account {account_id}, row {row_id}", "its number is there twice")
            continue
        first, last = int(earlier or 0) + 1, int(row_id or 0) - 1
        gone = f"row {first}" if first == last else f"rows {first} to {last}"
        proof.find("missing_fact", table.name, f"row {first}", f"{gone} gone: rows are numbered without holes")


class _Chain:
    """One account's chain, as far as it was followed."""

    def __init__(self, account_id: int) -> None:
        self.account_id = account_id
        self.links = 0
        self._told: list[Finding] = []
        self._broken = 0
        self._before, self._expected = GENESIS, 1

    def next(self, proof: Proof, row: Row, facts: dict[str, list[Row]]) -> None:
        """Follow the next link."""
        seq, written = whole(row[1]), str(row[-1])
        expected = self._expected
        if seq != expected:
            gone = f"unit {expected}" if seq == expected + 1 else f"units {expected} to {seq - 1}"
            place = f"account {self.account_id}, unit {expected}"
            proof.find("missing_link", "audit_log", place, f"{gone} of the chain gone")
        elif proof.chain_key is not None:
            content = link_content(facts, row[:-1])
            if link(proof.chain_key, self._before, content) != written:
                self._break(row, facts)
        self._before, self._expected = written, seq + 1
        self.links += 1

    def end(self) -> list[Finding]:
        """Say what broke. That every link broke says something else than that some did."""
        if self._broken == self.links > 1:  # nobody changes every unit one by one
            sentence = (
                f"none of its {self.links} links was made with this key: it is another desk's, or all was rewritten"
            )
            return [Finding("foreign_chain", "audit_log", f"account {self.account_id}", sentence)]
        if self._broken > len(self._told):
            sentence = f"{self._broken} links do not fit; the first {len(self._told)} are named"
            self._told.append(Finding("broken_chain", "audit_log", f"account {self.account_id}", sentence))
        return self._told

    def _break(self, row: Row, facts: dict[str, list[Row]]) -> None:
        self._broken += 1
        if len(self._told) < MOST:
            told = f"{row[5]} {row[4]}" if row[5] else str(row[4])
            covered = [f"{table} row {', '.join(str(fact[1]) for fact in rows)}" for table, rows in facts.items()]
            sentence = f"the entry ({row[6]} {told}) or a fact of this unit is not what was written"
            sentence += f"; its facts: {'; '.join(covered)}" if covered else "; it has no facts"
            place = f"account {self.account_id}, unit {row[1]}"
            self._told.append(Finding("broken_link", "audit_log", place, sentence))


def check_stamp(proof: Proof, stamp_path: Path | None) -> None:
    """Compare with how far the chains had come when the stamp was made."""
    try:
        seen = None if stamp_path is None else read_stamp(stamp_path)
    except StampUnreadable as unreadable:
        proof.find("unreadable_stamp", "", str(stamp_path), str(unreadable))
        return
    if seen is None:
        proof.unseen.append("without a stamp: a tail that was cut off every table alike")
        return
    proof.unseen.append(f"a tail written after the stamp of {seen.at} and cut off again")
    for lost in contradictions(proof.connection, seen):
        proof.find("cut_tail", "audit_log", lost.partition(":")[0], lost)


def check_events(proof: Proof) -> None:
    """See that event numbers have no holes up to the head; the oldest may have been let go."""
    events, heads = schema.events.c, schema.heads.c
    last = next((whole(row[0]) for row in proof.ask(select(heads.event_number))), 0)
    expected, count = None, 0
    for (cell,) in proof.ask(select(events.number).order_by(events.number)):
        number = whole(cell)
        _compare_numbers(proof, number if expected is None else expected, number, last)
        if number > last:
            proof.find("event_beyond_head", "events", f"event {number}", f"the head says {last}")
        expected, count = number + 1, count + 1
    if expected is None:
        if last:
            proof.find("missing_event", "events", "event 1", f"all events are gone; the head says {last}")
    else:
        _compare_numbers(proof, expected, last + 1, last)
    proof.checked["events"] = count


def _compare_numbers(proof: Proof, expected: int, number: int, last: int) -> None:
    if number > expected:
        gone = f"event {expected}" if number == expected + 1 else f"events {expected} to {number - 1}"
        proof.find("missing_event", "events", f"event {expected}", f"{gone} gone; the head says {last}")
