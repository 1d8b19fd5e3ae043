"""The desk's book of one account as it lies in the file, by plain SQL: what the oracle judges.

Nothing of the product reads here. An amount that is no decimal, a time that is no time and a row that names nobody are
found by the check that stumbles over them.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

D = Decimal
Row = Mapping[str, Any]

LIVE = frozenset({"PENDING", "NEW", "PARTIALLY_FILLED", "UNKNOWN"})
DOUBTFUL = frozenset({"PENDING", "UNKNOWN"})


@dataclass(frozen=True, slots=True)
class BookedFill:
    """One report of a trade, as the book has it."""

    symbol: str
    trade_id: str
    revision: int
    side: str
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_asset: str
    #: Derivatives: what was paid in cash with it.
    realized: Decimal | None
    effect: str | None
    client_order_id: str | None
    triggered_by: str
    time_us: int

    @property
    def key(self) -> tuple[str, str, int]:
        return (self.symbol, self.trade_id, self.revision)


class Book:
    """One account's rows, each table read once and when it is first asked for."""

    def __init__(self, database: Path, account_id: int) -> None:
        self.database = database
        self.account_id = account_id

    def rows(self, question: str, *values: object) -> list[Row]:
        """Ask the file; the first value is always the account."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(question, (self.account_id, *values))]

    @cached_property
    def orders(self) -> list[Row]:
        return self.rows(
            "SELECT o.*, i.symbol FROM orders o JOIN instruments i ON i.id = o.instrument_id"
            " WHERE o.account_id = ? ORDER BY o.id"
        )

    @cached_property
    def order_by_id(self) -> dict[str, Row]:
        return {str(row["client_order_id"]): row for row in self.orders}

    @cached_property
    def order_states(self) -> list[Row]:
        """Every state that each order went through, in order."""
        return self.rows("SELECT * FROM order_states WHERE account_id = ? ORDER BY order_id, link_seq")

    @cached_property
    def external_orders(self) -> list[Row]:
        return self.rows("SELECT * FROM external_orders WHERE account_id = ? ORDER BY id")

    @cached_property
    def verdicts(self) -> list[Row]:
        return self.rows("SELECT * FROM verdicts WHERE account_id = ? ORDER BY id")

    @cached_property
    def fills(self) -> list[BookedFill]:
        return [_fill(row) for row in self.rows(_FILLS)]

    @cached_property
    def trade_ids(self) -> list[Row]:
        """Every trade with the order that it names, for the sums of an order's fills."""
        return self.rows("SELECT * FROM trades WHERE account_id = ? ORDER BY id")

    @cached_property
    def cash_lines(self) -> list[Row]:
        return self.rows("SELECT * FROM cash_lines WHERE account_id = ? ORDER BY id")

    @cached_property
    def breaks(self) -> list[Row]:
        return self.rows("SELECT * FROM breaks WHERE account_id = ? ORDER BY id")

    @cached_property
    def halts(self) -> list[Row]:
        return self.rows(
            "SELECT * FROM halts WHERE (scope_type = 'ACCOUNT' AND scope_id = ?) OR scope_type <> 'ACCOUNT'"
        )

    @cached_property
    def balances(self) -> dict[tuple[str, str], Decimal]:
        """Sum what the portfolios have, by pocket and asset; nothing is left out."""
        return self._sums("SELECT pocket, asset, amount FROM balances WHERE account_id = ?")

    @cached_property
    def positions(self) -> dict[tuple[str, str], Decimal]:
        """Sum what the portfolios and strategies hold, by symbol and leg."""
        return self._sums(
            "SELECT i.symbol, p.leg, p.quantity FROM positions p JOIN instruments i ON i.id = p.instrument_id"
            " WHERE p.account_id = ?"
        )

    def lines_of(self, column: str = "amount") -> dict[tuple[str, str], Decimal]:
        """Sum every cash line, by pocket and asset (I10)."""
        return self._sums(f"SELECT pocket, asset, {column} FROM cash_lines WHERE account_id = ?")

    def _sums(self, question: str) -> dict[tuple[str, str], Decimal]:
        totals: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for row in self.rows(question):
            one, other, amount = row.values()
            totals[str(one), str(other)] += D(amount)
        return {key: total for key, total in sorted(totals.items()) if total}


_FILLS = (
    "SELECT t.*, i.symbol FROM trades t JOIN instruments i ON i.id = t.instrument_id WHERE t.account_id = ?"
    " ORDER BY t.id"
)


def _fill(row: Row) -> BookedFill:
    return BookedFill(
        symbol=row["symbol"],
        trade_id=row["broker_trade_id"],
        revision=row["revision"],
        side=row["side"],
        quantity=D(row["quantity"]),
        price=D(row["price"]),
        fee=D(row["fee"]),
        fee_asset=row["fee_currency"],
        realized=None if row["realized_cash"] is None else D(row["realized_cash"]),
        effect=row["effect"],
        client_order_id=row["client_order_id"],
        triggered_by=row["triggered_by"],
        time_us=microseconds(row["exec_time"]),
    )


def microseconds(text: str) -> int:
    """Read a time of the book as microseconds since 1970."""
    at = datetime.fromisoformat(text)
    whole = round(at.replace(microsecond=0).timestamp())
    return whole * 1_000_000 + at.microsecond
