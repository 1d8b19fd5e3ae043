"""Rows made ready for the one writer: tables named as the book's, and the chunks that it takes them in by.

A chunk holds whole units of the chain, so that the book's chain is a true one at each of them; the folds and what
every statement told come last. Rows are numbered from 1 without holes, which is how a chunk names them.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence

from plimsoll.ledger import schema
from plimsoll.store.draft import Row

#: What the chain covers, and the chain.
LINKED = ("trades", "cash_lines", "position_entries", "audit_log")
FOLDED = ("positions", "pnl_days", "balances")
LINES = "import_lines"

#: A unit of the desk's writer is short: no order waits for more than this.
_MOST_ROWS = 2_000


class Staging:
    """The staging tables of a making, as they fill."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.counts = dict.fromkeys((*LINKED, *FOLDED, LINES), 0)
        #: Up to which row a table of units is in a chunk.
        self._taken = dict.fromkeys(LINKED, 0)
        self.chunks = 0
        self._add: dict[str, str] = {}
        for name in self.counts:
            columns = [f'"{column.name}"' for column in schema.metadata.tables[name].columns]
            self._make(name, ", ".join(columns))
            self._add[name] = f"INSERT INTO {name} VALUES ({', '.join('?' * len(columns))})"  # noqa: S608  names of our own
        self._make(
            "chunks", "number INTEGER, table_name TEXT, first INTEGER, last INTEGER, PRIMARY KEY (number, table_name)"
        )
        self._make("about", "name TEXT PRIMARY KEY, value TEXT")

    def _make(self, table: str, columns: str) -> None:
        self._connection.execute(f"DROP TABLE IF EXISTS {table}")
        self._connection.execute(f"CREATE TABLE {table} ({columns})")

    def add_unit(self, rows: Mapping[str, Sequence[Row]]) -> None:
        """Add the facts and the link of one unit; they stay in one chunk."""
        waiting = sum(self.counts[name] - taken for name, taken in self._taken.items())
        if waiting + sum(map(len, rows.values())) > _MOST_ROWS:
            self._end_chunk()
        for table, its in rows.items():
            self.add(table, its)

    def add(self, table: str, rows: Iterable[Row]) -> None:
        """Add rows of a table."""
        self.counts[table] += self._connection.executemany(self._add[table], rows).rowcount

    def finish(self, lines: int, about: Mapping[str, str]) -> None:
        """Say what the making is of, and let go: from now on nobody changes the file.

        Shapes: `lines` is how many rows of what every statement told were written
        """
        self._end_chunk()
        self.counts[LINES] = lines
        for table in (*FOLDED, LINES):
            last = self.counts[table]
            for first in range(1, last + 1, _MOST_ROWS):
                self._write_chunk([(table, first, min(first + _MOST_ROWS - 1, last))])
        self._connection.executemany("INSERT INTO about VALUES (?, ?)", sorted(about.items()))
        self._connection.execute("INSERT INTO about VALUES ('chunks', ?)", (str(self.chunks),))
        if self._connection.in_transaction:
            self._connection.execute("COMMIT")

    def _end_chunk(self) -> None:
        ends = {name: self.counts[name] for name in LINKED}
        stretches = [(name, self._taken[name] + 1, end) for name, end in ends.items() if end > self._taken[name]]
        self._taken = ends
        if stretches:
            self._write_chunk(stretches)

    def _write_chunk(self, stretches: Sequence[tuple[str, int, int]]) -> None:
        self.chunks += 1
        rows = [(self.chunks, *stretch) for stretch in stretches]
        self._connection.executemany("INSERT INTO chunks VALUES (?, ?, ?, ?)", rows)


def rows_of(connection: sqlite3.Connection, table: str) -> Iterator[Row]:
    """Read a staging table in the order in which it was made."""
    yield from connection.execute(f"SELECT * FROM {table} ORDER BY rowid")  # noqa: S608  a name of our own
