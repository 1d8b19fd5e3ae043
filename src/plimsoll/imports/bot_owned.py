"""Databases in which trades belong to bots: a table `trades` with a `bot_id`, and perhaps a table `bots` with names.

Here a trade belongs to a portfolio. Which bot made it stays with it: its strategy is the bot's name, and
`triggered_by` its id. What each bot had made of each product is counted before (`tally`), from the rows alone and by
arithmetic of its own, so that it can be held against what the book makes of them: the import stops when they differ.
How many rows were filled is asked of the database, and what they realised of a column of profits, where it has one.

Rule 1. Columns go by many names. One that is needed and has none of them is refused by its name.
Rule 2. Only what was filled is told. A status that nobody knows is complained of, never guessed.
Rule 3. A row that has no fee says nothing of one; where there is a fee, it is in the quote asset unless a column says
        otherwise.

What must not enter: how what was told is booked, and the average cost of the book (`model.position`).
"""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from plimsoll.imports.cells import digits_or_zero
from plimsoll.imports.database_cells import Cell, columns_of, number_of, pair_of, raw_of, text_of, time_of
from plimsoll.imports.source_copy import Prints, copied_database, prints_of
from plimsoll.imports.statement import COMPLAINT_LIMIT, Complaint, NotReadable, Options, ToldLine
from plimsoll.imports.tally import Tally
from plimsoll.model import money
from plimsoll.model.cash import CashKind
from plimsoll.model.errors import Illegal
from plimsoll.model.order import Side
from plimsoll.model.told import Told

FORMAT = "bot-owned"

#: What a column may be called, the best first: what was filled is meant, not what was asked for.
_NEEDED: dict[str, tuple[str, ...]] = {
    "bot_id": ("bot_id",),
    "product_id": ("product_id", "symbol", "pair", "trading_pair", "product", "market", "instrument", "ticker"),
    "side": ("side", "action", "direction", "trade_type"),
    "size": (
        *("size_crypto", "filled_size", "filled_quantity", "filled_qty", "executed_quantity", "executed_qty", "filled"),
        *("base_size", "size_base", "base_amount", "quantity", "qty", "size", "amount", "volume"),
    ),
    "price": (
        *("average_filled_price", "avg_filled_price", "filled_price", "fill_price", "executed_price"),
        *("average_price", "avg_price", "price"),
    ),
    "filled_at": ("filled_at", "executed_at", "fill_time", "traded_at", "timestamp", "time", "created_at", "placed_at"),
}
#: What may be missing altogether.
_MORE: dict[str, tuple[str, ...]] = {
    "id": ("id", "trade_id"),
    "fee": ("commission", "fee", "fees", "total_fees", "fee_amount", "commission_usd", "fee_usd"),
    "fee_asset": ("fee_asset", "fee_currency", "commission_asset", "commission_currency"),
    "order_id": ("order_id", "exchange_order_id", "broker_order_id", "client_order_id"),
    "status": ("status", "state", "order_status"),
    #: What the row realised, in what it was paid in.
    "profit": ("realized_pnl", "pnl", "profit", "profit_usd"),
    #: When the row was made: for rows that say nothing of their fill.
    "made_at": ("created_at", "placed_at", "timestamp", "time"),
}

_FILLED = frozenset({"filled", "completed", "complete", "closed", "done", "executed", "settled", "success", "finished"})
_PARTLY = frozenset({"partially_filled", "partially filled", "partial", "partial_fill"})
#: May still be filled, and is told then.
_WAITING = frozenset(
    {"open", "new", "pending", "submitted", "queued", "active", "accepted", "placed", "pending_cancel"}
)
#: Ended before all of it was filled; perhaps a part was.
_ENDED = frozenset({"cancelled", "canceled", "rejected", "failed", "expired", "error"})
#: How a column begins that says what was filled, and not what was asked for.
_SAYS_FILLED = ("filled", "executed")
#: What a row is asked for besides: whether its status says that it was filled.
_COUNTS = "counts as filled"
_SIDES = {"buy": Side.BUY, "b": Side.BUY, "long": Side.BUY, "bid": Side.BUY}
_SIDES |= {"sell": Side.SELL, "s": Side.SELL, "short": Side.SELL, "ask": Side.SELL}


@dataclass(frozen=True, slots=True)
class _Columns:
    """Which column is which; empty for one that is not there."""

    named: Mapping[str, str]

    def cell(self, row: sqlite3.Row, wanted: str) -> Cell:
        name = self.named[wanted]
        found: Cell = row[name] if name else None
        return found

    def text(self, row: sqlite3.Row, wanted: str) -> str:
        return text_of(self.cell(row, wanted), self.shown(wanted))

    def shown(self, wanted: str) -> str:
        """Name a column as the database does."""
        return self.named.get(wanted) or wanted


class BotOwnedStatement:
    """A database of bots and their trades, to be read."""

    format = FORMAT

    def __init__(self, path: Path, options: Options) -> None:
        """Look whether it can be read.

        Raises: NotReadable, NotADatabase, SourceChanged
        """
        self._path, self._options = path, options
        self._prints: Prints = prints_of(path)
        self.file_name = path.name
        self.venue = options.venue or "statement"
        #: What each bot had made of each product, counted while the source is read.
        self.tally = Tally()
        with copied_database(path, self._prints) as connection:
            self._columns = _named({name: written for name, (written, _) in columns_of(connection, "trades").items()})
            #: How many rows there are, filled or not.
            self.line_count: int = connection.execute("SELECT count(*) FROM trades").fetchone()[0]
        self.sha256 = self._prints[0] or ""

    def read(self) -> Iterator[ToldLine | Complaint]:
        """Tell every filled trade.

        Raises: SourceChanged when it is no longer what was looked at
        """
        self.tally = Tally()
        complaints = 0
        with copied_database(self._path, self._prints) as connection:
            bots = _names_of_bots(connection)
            self._count(connection, bots)
            filled = f'SELECT *, ({self._filled_in_sql()}) AS "{_COUNTS}" FROM trades'  # noqa: S608  columns that were found
            for number, row in enumerate(connection.execute(filled), start=1):
                said = self._columns.cell(row, "id")
                line = said if isinstance(said, int) and said > 0 else number
                try:
                    told = self._told(row, line, bots)
                    profit = None if told is None else self._profit(row, told)
                except Illegal as bad:
                    yield Complaint(
                        line, self._columns.shown(_COLUMN_OF.get(bad.field, bad.field)), str(bad.value), bad.remedy
                    )
                    complaints += 1
                    if row[_COUNTS]:
                        self._count_rows(
                            self._columns.cell(row, "bot_id"), self._columns.cell(row, "product_id"), -1, bots
                        )
                    if complaints == COMPLAINT_LIMIT:
                        return
                    continue
                if told is not None:
                    self.tally.add(told, profit)
                    yield ToldLine(told, raw_of(row, _COUNTS))

    def _count(self, connection: sqlite3.Connection, bots: Mapping[str, str]) -> None:
        """Have the database count what is filled, so that no row is lost on the way here and nobody sees it."""
        named, one = self._columns.named, "count(*)"
        if named["id"]:  # a row that stands twice, under the same name, is one
            number = f"nullif({_quoted(named['id'])}, '')"
            order = f"coalesce({_quoted(named['order_id'])}, '')" if named["order_id"] else "''"
            one = f"count(DISTINCT {order} || ':' || {number}) + sum({number} IS NULL)"
        whose = f"{_quoted(named['bot_id'])}, {_quoted(named['product_id'])}"
        counted = f"SELECT {whose}, {one} FROM trades WHERE {self._filled_in_sql()} GROUP BY {whose}"  # noqa: S608  as above
        for bot, product, rows in connection.execute(counted).fetchall():
            self._count_rows(bot, product, rows, bots)

    def _count_rows(self, bot: Cell, product: Cell, rows: int, bots: Mapping[str, str]) -> None:
        # Of a product that cannot be read, every row is complained of.
        with suppress(Illegal):
            self.tally.count((_strategy(text_of(bot, "bot_id"), bots), "/".join(self._pair(product))), rows)

    def _filled_in_sql(self) -> str:
        """Say as SQL which rows are filled: by their status, and by what was filled where there is none."""
        named = self._columns.named
        says_filled = named["size"].lower().startswith(_SAYS_FILLED)
        any_of_it = f"CAST({_quoted(named['size'])} AS REAL) <> 0"
        if not named["status"]:
            return any_of_it if says_filled else "1"
        status = f"lower(trim({_quoted(named['status'])}, ' ' || char(9, 10, 13)))"
        ways = [f"{status} IN ({_listed(_FILLED)})"]
        if says_filled:
            ways.append(f"{status} IN ({_listed(_ENDED)}) AND {any_of_it}")
        if says_filled or named["size"].lower() == "size_crypto":
            ways.append(f"{status} IN ({_listed(_PARTLY)})")
        return f"coalesce({' OR '.join(ways)}, 0)"

    def _pair(self, product: Cell) -> tuple[str, str]:
        column = self._columns.shown("product_id")
        return pair_of(text_of(product, column), column, self._options.currency)

    def _profit(self, row: sqlite3.Row, told: Told) -> Decimal | None:
        """Read what the row says that it realised, where it says so in what was paid in."""
        columns = self._columns
        said = columns.cell(row, "profit")
        is_in_usd = columns.named["profit"].lower().endswith("_usd")
        if said in (None, "") or (is_in_usd and not told.symbol.endswith("/USD")):
            return None
        return number_of(said, columns.shown("profit"))

    def _told(self, row: sqlite3.Row, line: int, bots: Mapping[str, str]) -> Told | None:
        columns = self._columns
        if not self._is_filled(row):
            return None
        base, quote = self._pair(columns.cell(row, "product_id"))
        side = _SIDES.get(columns.text(row, "side").lower())
        if side is None:
            raise Illegal(columns.shown("side"), columns.cell(row, "side"), "write buy or sell")
        bot = columns.text(row, "bot_id")
        number = columns.text(row, "id") or str(line)
        order_id = columns.text(row, "order_id")
        fee, fee_asset = self._fee(row, quote)
        return Told(
            lines=(line,),
            kind=CashKind.TRADE,
            at=time_of(self._when(row), columns.shown("filled_at")),
            # Numbers of rows are the same in every database of the kind; orders of an exchange are not.
            reference=f"{order_id}:{number}" if order_id else number,
            symbol=f"{base}/{quote}",
            side=side,
            quantity=number_of(columns.cell(row, "size"), columns.shown("size")),
            price=number_of(columns.cell(row, "price"), columns.shown("price")),
            fee=fee,
            fee_asset=fee_asset,
            order_id=order_id,
            sequence=digits_or_zero(number),
            strategy=_strategy(bot, bots),
            triggered_by=f"bot:{bot}" if bot else "import",
            note="the source kept no fee" if columns.cell(row, "fee") is None else "",
        )

    def _is_filled(self, row: sqlite3.Row) -> bool:
        columns = self._columns
        has_status, status = bool(columns.named["status"]), columns.text(row, "status").lower()
        if status in _WAITING:
            return False
        if status in _FILLED:
            return True
        says_filled = columns.named["size"].lower().startswith(_SAYS_FILLED)
        size = columns.cell(row, "size")
        if not has_status or status in _ENDED:
            return bool(number_of(size or 0, columns.shown("size"))) if says_filled else not has_status
        if status in _PARTLY and (says_filled or columns.named["size"].lower() == "size_crypto"):
            return True
        remedy = "write filled or cancelled; of a part, how much of it was filled in a column filled_size"
        raise Illegal(columns.shown("status"), columns.cell(row, "status"), remedy)

    def _fee(self, row: sqlite3.Row, quote: str) -> tuple[Decimal, str]:
        columns = self._columns
        fee, named = columns.cell(row, "fee"), columns.text(row, "fee_asset").upper()
        usual = "USD" if columns.named["fee"].lower().endswith("_usd") else quote
        return (money.ZERO if fee is None else number_of(fee, columns.shown("fee"))), named or usual

    def _when(self, row: sqlite3.Row) -> Cell:
        when = self._columns.cell(row, "filled_at")
        return self._columns.cell(row, "made_at") if when in (None, "") else when


#: What a fill refuses by its own words (`model.told`), as the column that it came from.
_COLUMN_OF = {"quantity": "size", "symbol": "product_id"}


def _named(columns: Mapping[str, str]) -> _Columns:
    found = {
        wanted: next((columns[name] for name in names if name in columns), "")
        for wanted, names in (_NEEDED | _MORE).items()
    }
    for wanted, names in _NEEDED.items():
        if not found[wanted]:
            others = f", nor one of the names {', '.join(names[1:])}" if names[1:] else ""
            raise NotReadable(
                f"the table trades has no column {names[0]}{others}; it has {', '.join(sorted(columns))}: "
                f"name the one that it is so, or leave the database to its own bot"
            )
    return _Columns(found)


def _strategy(bot: str, bots: Mapping[str, str]) -> str:
    return bots.get(bot, f"bot {bot}") if bot else ""


def _quoted(column: str) -> str:
    doubled = column.replace('"', '""')
    return f'"{doubled}"'


def _listed(words: frozenset[str]) -> str:
    return ", ".join(f"'{word}'" for word in sorted(words))


def _names_of_bots(connection: sqlite3.Connection) -> dict[str, str]:
    """Give each bot a name of its own: what two share is told apart by the id, or their profits would be added up."""
    columns = columns_of(connection, "bots")
    if not {"id", "name"} <= columns.keys():
        return {}
    rows = connection.execute("SELECT id, name FROM bots").fetchall()
    named = {text_of(row[0], "id"): text_of(row[1], "name") for row in rows if text_of(row[1], "name")}
    shared = Counter(named.values())
    return {number: name if shared[name] == 1 else f"{name} (bot {number})" for number, name in named.items()}
