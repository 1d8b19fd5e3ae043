"""What the venue does beside our orders: money that comes and goes, fills that it takes back or tells otherwise.

The paper venue does none of it, so it is written into its books as transfers whose references say what they stand for.
Everything is read back from there: what was committed is in the venue's histories, whoever died over it, and nothing
else is.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from plimsoll.model.cash import CashKind
from plimsoll.model.clock import parse_time
from plimsoll.model.ids import AccountId
from plimsoll.model.instrument import Instrument
from plimsoll.model.quote import Quote
from plimsoll.model.trade import TradeEffect, TradeReport
from plimsoll.model.venue import Movement
from plimsoll.store.draft import Draft
from plimsoll.venues.paper.books import trade_from
from plimsoll.venues.paper.rules import PaperRules
from plimsoll.venues.paper.wire import Exchange, Transfer
from plimsoll.venues.paper.wire import World as At

D = Decimal

#: A cursor counts revisions in these, and fills in ones.
BEHIND_FILLS = 1_000_000_000
_MONEY, _REVISED = "venue", "revised"


def money_reference(kind: CashKind, name: str) -> str:
    """Name money that comes or goes by itself."""
    return f"{_MONEY}:{kind}:{name}"


def movements(books: Path, account_id: AccountId) -> list[Movement]:
    """Read the venue's ledger of what moved without a trade, oldest first."""
    asked = "SELECT reference, pocket, asset, amount, at FROM movements WHERE reference LIKE ? ORDER BY cursor"
    return [
        Movement(account_id, reference, CashKind(reference.split(":")[1]), asset, D(amount), parse_time(at), pocket)
        for reference, pocket, asset, amount, at in _ask(books, asked, f"{_MONEY}:%")
    ]


def reports(books: Path, number: int, instrument: Instrument) -> list[TradeReport]:
    """Give all that the venue has told of a fill, the fill itself first."""
    report = fill(books, number)
    return [report, *(one for one in revisions(books, instrument) if one.broker_trade_id == report.broker_trade_id)]


def revise(draft: Draft, report: TradeReport, price: Decimal | None, instrument: Instrument, quote: Quote) -> None:
    """Take a fill of coins back, or tell it at another price, and let its money follow; one unit of the venue's books.

    Shapes: `price` None takes it back
    """
    exchange = Exchange({instrument.id: instrument}, PaperRules())
    world = At(quote.at, {instrument.id: quote})
    for asset, amount in _moved(report, price, instrument).items():
        reference = f"{_REVISED}:{report.sequence}:{'' if price is None else price}:{asset}"
        exchange.move(Transfer(report.account_id, "spot", asset, amount, reference), world, draft)


def _moved(report: TradeReport, price: Decimal | None, instrument: Instrument) -> Mapping[str, Decimal]:
    """Say what a fill's revision moves by asset, coins first; what moves nothing is left out."""
    signed = report.quantity if report.side == "BUY" else -report.quantity
    if price is not None:
        return {instrument.quote: signed * (report.price - price)}
    moved = {instrument.base: -signed, instrument.quote: signed * report.price}
    moved[report.fee_currency] += report.fee
    return moved


def revisions(books: Path, instrument: Instrument) -> list[TradeReport]:
    """Read what the venue tells of fills that it revised, in the order in which it did."""
    asked = "SELECT reference FROM movements WHERE reference LIKE ? ORDER BY cursor"
    found: list[TradeReport] = []
    # One revision may move two assets.
    for words in dict.fromkeys(reference.rpartition(":")[0] for (reference,) in _ask(books, asked, f"{_REVISED}:%")):
        _, sequence, price = words.split(":")
        report = fill(books, int(sequence))
        before = sum(one.broker_trade_id == report.broker_trade_id for one in found)
        found.append(revised(report, D(price) if price else None, before + 1))
    return found


def revised(report: TradeReport, price: Decimal | None, revision: int) -> TradeReport:
    """Give a fill as its revision tells it."""
    if price is None:
        return replace(report, revision=revision, effect=TradeEffect.BUST)
    return replace(report, revision=revision, effect=TradeEffect.CORRECT, price=price)


def copies(books: Path, client_order_id: str, mark: str) -> int:
    """Say how many orders the venue has under one id; behind the mark stands which of them it is."""
    asked = "SELECT count(*) FROM orders WHERE client_order_id = ? OR client_order_id LIKE ?"
    ((count,),) = _ask(books, asked, client_order_id, f"{client_order_id}{mark}%")
    return int(count)


def fill_count(books: Path) -> int:
    """Say how many fills the venue has."""
    ((count,),) = _ask(books, "SELECT count(*) FROM trades")
    return int(count)


def fill(books: Path, sequence: int) -> TradeReport:
    """Read one fill of the venue's."""
    (row,) = _ask(books, "SELECT * FROM trades WHERE sequence = ?", sequence)
    return trade_from(row)


def _ask(books: Path, question: str, *given: str | int) -> Sequence[tuple[str, ...]]:
    with closing(sqlite3.connect(books)) as connection:
        return connection.execute(question, given).fetchall()
