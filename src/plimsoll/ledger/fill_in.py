"""Fill in: what this release keeps at hand beside the facts, for a book that was written before it was kept.

A release before knew neither what each day earned (`pnl_days`) nor which states an order went through (`order_states`).
Both are folds, so they are made from the facts and the chain's notes within the upgrade: the book proves whole at once,
and what it shows of the years before is not empty.

What if a fact cannot be read? It is left out, and the proof names it, as it did before.

What must not enter: arithmetic. What a day earned is `recompute`'s, what became of an order is `verify`'s.
"""

from collections.abc import Iterator
from itertools import islice

from sqlalchemy import Connection, Table, select

from plimsoll.ledger import accounts, days, schema
from plimsoll.ledger.recompute import fold_account
from plimsoll.ledger.streaming import BATCH, streamed
from plimsoll.ledger.verify.orders import states_anew
from plimsoll.model.ids import AccountId
from plimsoll.store.draft import Row
from plimsoll.store.statements import arrays_of, insert_many_sql, insert_sql, select_as_stored


def fill_in(connection: Connection) -> None:
    """Make both folds of the whole book, in the transaction of its upgrade."""
    _write(connection, schema.pnl_days, _days(connection))
    _write(connection, schema.order_states, states_anew(connection))


def _days(connection: Connection) -> Iterator[Row]:
    known = map(accounts.instrument_from_row, streamed(connection, select_as_stored(schema.instruments)))
    instruments = {instrument.id: instrument for instrument in known}
    for (account_id,) in list(streamed(connection, select(schema.accounts.c.id))):
        fold = fold_account(connection, AccountId(int(account_id or 0)), instruments, lambda *_: None)
        for (key, day), earned in fold.days.items():
            yield days.to_row(fold.positions[key], day, earned)


def _write(connection: Connection, table: Table, rows: Iterator[Row]) -> None:
    while some := list(islice(rows, BATCH)):
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql(insert_sql(table), some)
        else:
            connection.exec_driver_sql(insert_many_sql(table), tuple(arrays_of(list(table.columns), some)))
