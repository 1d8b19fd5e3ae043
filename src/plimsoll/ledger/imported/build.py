"""Build a making: everything told becomes facts, folded and linked, as rows that only have to be taken in.

1. What was told is read in the order in which it happened. A fill becomes a trade and its cash lines, in plain rows: no
   value of ours is made for each of a million. Everything else goes through the values that the desk's units use.
2. About a hundred things are one unit of the account's chain, which begins with this making.
3. At the end stand positions, days and balances, and what every statement told.

What if something cannot be booked after all? It is refused with its line, and the file is no making: it says nothing
about itself (`about`), and nobody takes it.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from plimsoll.ledger import positions
from plimsoll.ledger.imported.homes import Homes
from plimsoll.ledger.imported.making import BookPlace, Making
from plimsoll.ledger.imported.spool import Spool
from plimsoll.ledger.imported.staging import Staging, rows_of
from plimsoll.ledger.log import json_text
from plimsoll.model.errors import Illegal
from plimsoll.model.position import Position

__all__ = ["BookPlace", "Built", "Holding", "NotBuilt", "build", "short_spot"]

_TRADES_OF = """
SELECT instrument_id, strategy_id, coalesce(leg, ''), count(*) FROM trades
GROUP BY instrument_id, strategy_id, coalesce(leg, '')
"""
#: Told how many things of how many are done.
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Holding:
    """What one position came to, under the names that the statements gave."""

    venue: str
    symbol: str
    strategy: str
    position: Position
    #: None where nothing is held, and where nobody knows what it had cost.
    avg_price: Decimal | None
    trade_count: int


@dataclass(frozen=True, slots=True)
class Built:
    """A making that is ready."""

    path: Path
    place: BookPlace
    #: Rows of each staging table.
    rows: Mapping[str, int]
    chunks: int

    def holdings(self) -> Iterator[Holding]:
        """Read what every position came to."""
        names = {instrument.id: key for key, instrument in self.place.instruments.items()}
        strategies = {number: name for name, number in self.place.strategies.items()}
        with closing(sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            counts = {tuple(row[:3]): int(row[3]) for row in connection.execute(_TRADES_OF)}
            for row in rows_of(connection, "positions"):
                position = positions.from_row(row)
                venue, symbol = names[position.instrument_id]
                strategy = "" if position.strategy_id is None else strategies[position.strategy_id]
                is_known = position.quantity != position.uncosted
                average = position.avg_price(self.place.instruments[venue, symbol]) if is_known else None
                trade_count = counts.get((position.instrument_id, position.strategy_id or 0, position.leg), 0)
                yield Holding(venue, symbol, strategy, position, average, trade_count)


def short_spot(holdings: Iterable[Holding]) -> tuple[Holding, ...]:
    """Give the coins and shares of which more went than the statements say ever came: some statement is missing.

    What is of a strategy or a leg is left out: whoever kept it apart sold it short, and knew.
    """
    return tuple(
        one
        for one in holdings
        if one.position.quantity < 0 and ":" not in one.symbol and not (one.strategy or one.position.leg)
    )


class NotBuilt(Illegal):
    """Something told cannot be booked: names its line."""

    def __init__(self, where: str, refused: Illegal) -> None:
        super().__init__(refused.field, refused.value, refused.remedy)
        self.where = where

    def __str__(self) -> str:
        return f"{self.where}: {super().__str__()}"


def build(spool: Spool, place: BookPlace, chain_key: bytes, progress: Progress) -> Built:
    """Make the rows of a whole book of everything that a settled spool holds, in the spool's own file.

    Raises: NotBuilt or Illegal, for numbers that no book holds
    """
    staging = Staging(spool.connection)
    book = Making(place, Homes(place.instruments, spool.fills), staging, chain_key)
    total = spool.count
    for line in spool.in_order():
        try:
            book.take(line)
        except Illegal as refused:
            raise NotBuilt(spool.place_of(line), refused) from refused
        if book.is_full:
            book.link()
            progress(book.done, total)
    book.end()
    progress(book.done, total)
    staging.finish(
        spool.write_lines(place.account_id),
        {
            "account_id": str(place.account_id),
            "portfolio_id": str(place.portfolio_id),
            "imports": json_text([statement.to_row(place.account_id) for statement in spool.statements]),
            "chain_seq": str(book.seq),
            "chain_link": book.head,
        },
    )
    return Built(spool.path, place, staging.counts, staging.chunks)
