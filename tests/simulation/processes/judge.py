"""What must hold when everything is quiet: nothing acknowledged was lost, nothing doubled, the book is the venue's.

The exchange's own truth is asked for through a door that no desk uses; the book is read from its database. Each
sentence that is given back is a law broken.
"""

import pickle
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx2
from sqlalchemy import Connection, select

from plimsoll.bootstrap import DataDirectory
from plimsoll.cli.report import prove
from plimsoll.ledger.schema import balances, instruments, orders, positions, trades
from plimsoll.store.place import reader
from tests.simulation.exchange.truth import Truth
from tests.simulation.processes.load import Load

#: The exchange took such an order, whatever became of it.
_TAKEN = frozenset({"NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED"})
_IN_DOUBT = frozenset({"PENDING", "UNKNOWN"})
_ENDED_UNSENT = frozenset({"REJECTED", "EXPIRED"})
#: How the reasons begin by which the book vouches that the exchange never had an order.
_NEVER_LEFT = ("not sent: ", "never_placed", "the verdict was too old")


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found, and how much there was to find it in."""

    broken: tuple[str, ...]
    acknowledged: int
    orders: int
    trades: int

    def __str__(self) -> str:
        said = f"{self.acknowledged} orders acknowledged, {self.orders} at the exchange, {self.trades} trades at both"
        return said if not self.broken else "\n".join([said, *self.broken])


@dataclass(frozen=True, slots=True)
class Book:
    """What the database holds."""

    orders: Mapping[str, Mapping[str, Any]]
    trades: Counter[tuple[Any, ...]]
    balances: Mapping[tuple[str, str], Decimal]
    positions: Mapping[str, Decimal]


def truth_at(exchange: str) -> Truth:
    """Ask the exchange what really happened."""
    answer = httpx2.get(f"{exchange}/truth", timeout=30.0).raise_for_status()
    told: Truth = pickle.loads(answer.content)
    return told


def judge(directory: DataDirectory, truth: Truth, load: Load) -> Judgement:
    """Compare what callers were told, what the book holds, and what the exchange did."""
    engine = reader(directory.book)
    try:
        with engine.connect() as connection:
            book = _read(connection)
    finally:
        engine.dispose()
    proof = prove(directory)
    broken = [*load.surprises, *_acknowledged(load, book), *_sent_once(book, truth), *_equal(book, truth)]
    broken += [f"verify: {finding}" for finding in proof.findings]
    return Judgement(tuple(broken), load.acknowledged, len(truth.orders), len(truth.effective))


def _read(connection: Connection) -> Book:
    symbols = {row.id: row.symbol for row in connection.execute(select(instruments))}
    told = connection.execute(select(trades).where(trades.c.revision == 0))
    held: Counter[str] = Counter()
    sums: dict[str, Decimal] = {}
    for row in connection.execute(select(positions)):
        held[symbols[row.instrument_id]] += 1
        sums[symbols[row.instrument_id]] = sums.get(symbols[row.instrument_id], Decimal(0)) + row.quantity
    cash: dict[tuple[str, str], Decimal] = {}
    for row in connection.execute(select(balances)):
        cash[row.pocket, row.asset] = cash.get((row.pocket, row.asset), Decimal(0)) + row.amount
    return Book(
        orders={row.client_order_id: dict(row._mapping) for row in connection.execute(select(orders))},
        trades=Counter(
            (
                symbols[row.instrument_id],
                row.broker_trade_id,
                row.client_order_id,
                row.side,
                row.quantity.normalize(),
                row.price.normalize(),
                row.fee.normalize(),
                row.fee_currency,
            )
            for row in told
        ),
        balances={wallet: total for wallet, total in cash.items() if total},
        positions=sums,
    )


def _acknowledged(load: Load, book: Book) -> Iterator[str]:
    """Find what a caller was told and is not so."""
    by_uid = {row["uid"]: row for row in book.orders.values()}
    for wish in load.wishes:
        for status, told in wish.told:
            row = by_uid.get(told["id"])
            if row is None:
                yield f"{wish.key} was acknowledged with {status}, and is not in the book: {told}"
            elif row["client_order_id"] != told["client_order_id"] or not row["intent_key"].endswith(wish.key):
                yield f"{wish.key} was acknowledged as {told['client_order_id']}, and is {row['client_order_id']} now"
            elif told["state"] == "REJECTED" and (row["state"] != "REJECTED" or row["filled_quantity"]):
                yield f"{wish.key} was said to be REJECTED, and is {row['state']} with {row['filled_quantity']} filled"
            elif row["filled_quantity"] < Decimal(told["filled_quantity"]):
                yield f"{wish.key} was filled with {told['filled_quantity']}, and now with {row['filled_quantity']}"


def _sent_once(book: Book, truth: Truth) -> Iterator[str]:
    """Find orders that the exchange took twice, or that only one side knows."""
    for name, times in sorted(truth.accepted.items()):
        if times > 1:
            yield f"the exchange took {name} {times} times"
        if name not in book.orders:
            yield f"the exchange took {name}, and the book does not know it"
    for name, row in book.orders.items():
        if row["state"] in _IN_DOUBT:
            yield f"{name} is still {row['state']} in the book"
        if row["state"] in _ENDED_UNSENT and row["reason"].startswith(_NEVER_LEFT) and truth.accepted[name]:
            yield f"{name} never left by the book ({row['reason']}), and the exchange took it"
        if row["state"] in _TAKEN and not truth.accepted[name]:
            yield f"{name} is {row['state']} in the book, and the exchange never took it"


def _equal(book: Book, truth: Truth) -> Iterator[str]:
    """Find where the book is not what the exchange has, to the last digit."""
    theirs = Counter(
        (
            fill.symbol,
            fill.trade_id,
            fill.client_order_id,
            fill.side,
            fill.quantity.normalize(),
            fill.price.normalize(),
            fill.fee.normalize(),
            fill.fee_asset,
        )
        for fill in truth.effective
    )
    yield from _some("the exchange has a trade that the book has not", list((theirs - book.trades).elements()))
    yield from _some("the book has a trade that the exchange has not", list((book.trades - theirs).elements()))
    for wallet in sorted({*book.balances, *truth.balances}):
        ours, has = book.balances.get(wallet, Decimal(0)), truth.balances.get(wallet, Decimal(0))
        if ours != has:
            yield f"the book has {ours} of {wallet}, the exchange {has}"
    for (symbol, leg), has in sorted(truth.positions.items()):
        if book.positions.get(symbol, Decimal(0)) != has:
            yield f"the book has {book.positions.get(symbol)} of {symbol} {leg}, the exchange {has}"


def _some(what: str, found: Sequence[object], most: int = 5) -> Iterator[str]:
    for one in found[:most]:
        yield f"{what}: {one}"
    if len(found) > most:
        yield f"{what}: {len(found) - most} more"
