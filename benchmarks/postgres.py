"""Booking trades on PostgreSQL: the scribe at 1, 16 and 128 waiting, beside psycopg alone sending the very same rows.

The server is one of our own on this machine, and waits for the disk at every commit.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from benchmarks.trades import KEY, book, run, write_one_order
from benchmarks.world import open_benchmark_account, report
from plimsoll.ledger import queries, trades
from plimsoll.ledger.books import LedgerBooks
from plimsoll.ledger.database import open_database
from plimsoll.ledger.schema import metadata
from plimsoll.store.draft import Row
from plimsoll.store.place import PostgresPlace
from plimsoll.store.postgres import PostgresWriter, connect
from plimsoll.store.scribe import Asking, Scribe
from plimsoll.store.statements import arrays_of, change_many_sql, changing_columns, insert_many_sql, replace_many_sql
from tests.builders.postgres import Cluster

#: (waiting, trades): fewer where each commit waits for the disk.
SIZES = ((1, 1_500), (16, 8_000), (128, 20_000))

#: One transaction: what was sent, in order.
Group = list[tuple[str, list[str]]]


@dataclass(frozen=True, slots=True)
class PostgresFigures:
    """What one group size gives."""

    waiting: int
    trades_per_second: float
    raw_per_second: float

    @property
    def ratio(self) -> float:
        return self.trades_per_second / self.raw_per_second


class RecordingWriter(PostgresWriter):
    """The real writer, which also keeps what it sends for the raw baseline."""

    def __init__(self, place: PostgresPlace) -> None:
        super().__init__(place, metadata, queries.compiled("postgresql"))
        self.groups: list[Group] = []
        self._open_group: Group = []

    def begin(self) -> None:
        self._open_group = []
        super().begin()

    def add(self, table: str, rows: Sequence[Row]) -> None:
        self._keep(insert_many_sql(metadata.tables[table]), table, rows)
        super().add(table, rows)

    def replace(self, table: str, rows: Sequence[Row]) -> None:
        self._keep(replace_many_sql(metadata.tables[table]), table, rows)
        super().replace(table, rows)

    def change(self, table: str, rows: Sequence[Row]) -> None:
        columns = changing_columns(metadata.tables[table])
        self._open_group.append((change_many_sql(metadata.tables[table]) or "", arrays_of(columns or [], rows)))
        super().change(table, rows)

    def commit(self) -> None:
        super().commit()
        self.groups.append(self._open_group)

    def _keep(self, statement: str, table: str, rows: Sequence[Row]) -> None:
        self._open_group.append((statement, arrays_of(list(metadata.tables[table].columns), rows)))


def measure(cluster: Cluster, waiting: int, count: int) -> PostgresFigures:
    """Book trades in groups of `waiting`, then send the same rows raw to a database that is like the first was."""
    with cluster.copy_of("migrated", open_database) as place:
        writer = RecordingWriter(place)
        scribe = Scribe(writer, LedgerBooks(KEY))
        run(scribe, [open_benchmark_account], 1)
        run(scribe, [partial(write_one_order, number) for number in range(count)], 500)
        before, writer.groups = writer.groups, []
        reports = [report(number) for number in range(count)]
        taken = run(scribe, [Asking(partial(book, one), (trades.question(one),)) for one in reports], waiting)
        groups = writer.groups
        scribe.close()
    with cluster.copy_of("migrated", open_database) as place:
        raw = _raw_seconds(place, before, groups)
    return PostgresFigures(waiting, count / taken, count / raw)


def _raw_seconds(place: PostgresPlace, before: list[Group], groups: list[Group]) -> float:
    with connect(place) as connection:
        cursor = connection.cursor()

        def send(group: Group) -> None:
            with connection.pipeline():
                cursor.execute("BEGIN")
                for statement, arrays in group:
                    cursor.execute(statement.encode(), arrays, prepare=True)
                cursor.execute("COMMIT")

        for group in before:
            send(group)
        cursor.execute("ANALYZE")
        begun = time.perf_counter()
        for group in groups:
            send(group)
        return time.perf_counter() - begun
