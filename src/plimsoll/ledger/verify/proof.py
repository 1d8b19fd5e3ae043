"""A proof under way: one moment of the books, read as a stream, and what was found in it so far.

Nothing keeps a large table in memory: rows come by the thousand, in the order of their keys or one that the database
sorts. What is held at once: one account's positions and days, every balance, and what one order or one unit is made of.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Connection, Select, Table, text

from plimsoll.ledger import schema
from plimsoll.ledger.imported_accounts import imported_accounts, unfinished_accounts
from plimsoll.ledger.recompute import UNREADABLE
from plimsoll.ledger.streaming import streamed
from plimsoll.ledger.verify.report import Finding, VerifyReport
from plimsoll.store.draft import Cell, Row
from plimsoll.store.statements import select_as_stored

T = TypeVar("T")


@dataclass(slots=True)
class Proof:
    """The books of one moment, and what was found in them."""

    connection: Connection
    chain_key: bytes | None
    findings: list[Finding] = field(default_factory=list)
    checked: dict[str, int] = field(default_factory=dict)
    unseen: list[str] = field(default_factory=list)
    #: Which accounts are imported books, and which of these were never finished; looked up once.
    _imported: frozenset[int] | None = None
    _unfinished: frozenset[int] | None = None
    #: What could not be read was told once, however many checks need it.
    _told_unreadable: set[tuple[str, str]] = field(default_factory=set)
    #: Tables that have rows; `meta` always has one.
    _filled: set[str] = field(default_factory=set)

    def find(self, code: str, table: str, place: str, sentence: str) -> None:
        """Keep one finding."""
        self.findings.append(Finding(code, table, place, sentence))

    def report(self) -> VerifyReport:
        """Say what it came to."""
        return VerifyReport(tuple(self.findings), self.checked, tuple(self.unseen))

    def is_empty(self, table: Table) -> bool:
        """Say whether a table has no rows; most tables of a small desk have none, and need not be asked again."""
        if not self._filled:
            names = [one.name for one in schema.metadata.sorted_tables]
            asked = " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {name})" for name in names)  # noqa: S608  names of our own
            self._filled.update(self.connection.execute(text(asked)).scalars())
        return table.name not in self._filled

    @property
    def imported(self) -> frozenset[int]:
        """Name the accounts that are imported books: the rows of each are numbered by themselves."""
        if self._imported is None:
            self._imported = frozenset(whole(row[0]) for row in self.ask(imported_accounts()))
        return self._imported

    @property
    def unfinished(self) -> frozenset[int]:
        """Name the imported books that were never finished: their caches come last, and nobody is shown them."""
        if self._unfinished is None:
            self._unfinished = frozenset(whole(row[0]) for row in self.ask(unfinished_accounts()))
        return self._unfinished

    def ask(self, question: Select[Any]) -> Iterator[Row]:
        """Stream the answer to a question."""
        return streamed(self.connection, question)

    def stored(self, table: Table, **where: int) -> Iterator[Row]:
        """Stream whole rows of a table as they lie on the disk, in the order of its key."""
        if self.is_empty(table):
            return iter(())
        return self.ask(select_as_stored(table).where(*(table.c[name] == cell for name, cell in where.items())))

    def read(self, table: Table, from_row: Callable[[Row], T], **where: int) -> Iterator[T]:
        """Stream rows of a table as their values; a row that cannot be one is found and left out."""
        for row in self.stored(table, **where):
            try:
                value = from_row(row)
            except UNREADABLE as error:
                self.find_unreadable(table, row, error)
            else:
                yield value

    def find_unreadable(self, table: Table, row: Row, error: Exception) -> None:
        """Keep a row that is no value of ours as a finding, once."""
        place = place_of(table, row)
        if (table.name, place) not in self._told_unreadable:
            self._told_unreadable.add((table.name, place))
            self.find("unreadable_row", table.name, place, f"no value of ours: {error}")


def whole(cell: Cell) -> int:
    """Read a number that must be whole; what is none stands before all that are."""
    return cell if isinstance(cell, int) else -1


def place_of(table: Table, row: Sequence[object]) -> str:
    """Name a row by its primary key."""
    names = [column.name for column in table.columns]
    return ", ".join(f"{column.name} {row[names.index(column.name)]}" for column in table.primary_key.columns)
