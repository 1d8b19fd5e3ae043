"""freqtrade's trades told in our words, and the profits that it stored beside them.

Rule 1. Every settled order is a fill; every trade of freqtrade's is a leg of its own (`ft-7@2024-03-29T23:40:00`),
        because freqtrade kept them apart: two of its trades in one pair are two positions, and stay two. When it was
        opened is part of its name, because freqtrade counts from 1 again when its database is begun anew.
Rule 2. Fees, funding and interest are told as freqtrade counts them (`freqtrade_trade`), so that the net of the leg is
        its profit. Funding stands where the order was filled that it was counted with; interest with each exit.
Rule 3. What may still change is not told: open orders, and funding and interest that an open trade has run up since its
        last order. It is told when it is settled, by a later import.

What must not enter: columns and formats.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from plimsoll.imports.freqtrade_backtest import load_backtest
from plimsoll.imports.freqtrade_database import load_database
from plimsoll.imports.freqtrade_trade import Filled, FreqtradeTrade, Mode
from plimsoll.imports.statement import COMPLAINT_LIMIT, Complaint, Options, ToldLine
from plimsoll.imports.theirs import Theirs
from plimsoll.model.cash import FUTURES, SPOT, CashKind
from plimsoll.model.errors import Illegal
from plimsoll.model.money import decimal_text
from plimsoll.model.told import Told


@dataclass(frozen=True, slots=True)
class FreqtradeStatement:
    """What one file of freqtrade's says, as it stood when it was opened."""

    format: str
    file_name: str
    sha256: str
    line_count: int
    venue: str
    #: Nobody said of which venue all of them are: each trade is of its own exchange.
    of_many: bool
    trades: tuple[FreqtradeTrade, ...]
    complaints: tuple[Complaint, ...]

    def read(self) -> Iterator[ToldLine | Complaint]:
        """Tell every trade, and complain of what cannot be told."""
        complained = 0
        for line in self._lines():
            yield line
            complained += isinstance(line, Complaint)
            if complained == COMPLAINT_LIMIT:
                return

    def theirs(self) -> Iterator[Theirs]:
        """Tell what freqtrade says each trade made."""
        return (_theirs(trade) for trade in self.trades)

    def _lines(self) -> Iterator[ToldLine | Complaint]:
        yield from self.complaints
        for trade in self.trades:
            try:
                yield from tell(trade, trade.exchange if self.of_many and trade.exchange != self.venue else "")
            except Illegal as error:
                remedy = f"{error.remedy} (in freqtrade's trade {trade.id})"
                yield Complaint(trade.row, error.field, str(error.value), remedy)


def open_freqtrade(path: Path, options: Options) -> FreqtradeStatement:
    """Read a database of freqtrade's, or the export of a backtest (`.json`).

    Raises: NotReadable, NotADatabase, SourceChanged
    """
    is_backtest = path.suffix.lower() == ".json"
    trades, complaints, sha256 = load_backtest(path) if is_backtest else load_database(path)
    first = next((trade.exchange for trade in trades if trade.exchange), "freqtrade")
    return FreqtradeStatement(
        format="freqtrade-backtest" if is_backtest else "freqtrade",
        file_name=path.name,
        sha256=sha256,
        line_count=sum(len(trade.orders) for trade in trades),
        venue=options.venue or first,
        of_many=options.venue is None,
        trades=trades,
        complaints=complaints,
    )


def tell(trade: FreqtradeTrade, venue: str) -> list[ToldLine]:
    """Tell one trade: its fills, and what it gained and paid beside them.

    Raises: Illegal
    """
    told: list[ToldLine] = []
    for order in trade.orders:
        fill = _fill(trade, order, venue)
        interest = trade.interest_of(order)
        told.append(ToldLine(fill, order.raw))
        if order.funding and trade.mode is Mode.FUTURES:
            told.append(ToldLine(_beside(fill, trade, CashKind.FUNDING, order.funding), order.raw))
        if interest:
            told.append(ToldLine(_beside(fill, trade, CashKind.INTEREST, -interest), order.raw))
    if trade.unplaced_funding and trade.closed_at is not None:
        if not told:
            nowhere = (
                "none of its orders was filled, so there is no position that this could be of; leave the trade out"
            )
            raise Illegal("funding_fees", trade.unplaced_funding, nowhere)
        whole = _beside(told[-1].told, trade, CashKind.FUNDING, trade.unplaced_funding)
        reference = f"ft:{_name(trade)}:funding"
        told.append(ToldLine(replace(whole, lines=(trade.row,), at=trade.closed_at, reference=reference), trade.raw))
    return told


def _fill(trade: FreqtradeTrade, order: Filled, venue: str) -> Told:
    fee = trade.fee_of(order)
    return Told(
        lines=(order.row,),
        kind=CashKind.TRADE,
        at=order.at,
        reference=f"ft:{_name(trade)}:{order.order_id}",
        symbol=trade.symbol,
        side=order.side,
        quantity=order.amount,
        price=order.price,
        fee=fee,
        fee_asset=trade.currency if fee else "",
        order_id=order.order_id,
        sequence=order.sequence,
        strategy=trade.strategy,
        triggered_by=f"freqtrade:{trade.strategy}" if trade.strategy else "freqtrade",
        leg=_leg(trade),
        note=_note(trade, order),
        venue=venue,
    )


def _beside(fill: Told, trade: FreqtradeTrade, kind: CashKind, amount: Decimal) -> Told:
    return Told(
        lines=fill.lines,
        kind=kind,
        at=fill.at,
        reference=f"{fill.reference}:{kind.value.lower()}",
        symbol=fill.symbol,
        asset=trade.currency,
        amount=amount,
        sequence=fill.sequence,
        strategy=fill.strategy,
        triggered_by=fill.triggered_by,
        leg=fill.leg,
        pocket=FUTURES if trade.mode is Mode.FUTURES else SPOT,
        venue=fill.venue,
    )


def _note(trade: FreqtradeTrade, order: Filled) -> str:
    """Keep freqtrade's own words for an order, and how its fee was really paid.

    Only words that stay: what freqtrade may still write over would make the next import contradict this one.
    """
    is_last = order is trade.orders[-1] and not trade.is_open
    tag = order.tag or (trade.enter_tag if order.is_entry else trade.exit_reason if is_last else "")
    taken_in = trade.fee_open_asset if order.is_entry else trade.fee_close_asset
    said = [f"{'entry' if order.is_entry else 'exit'} {tag}".rstrip()]
    if order.fee_in_coins:
        said.append(f"the exchange took {decimal_text(order.fee_in_coins)} coins as its fee")
    elif taken_in not in ("", trade.currency):
        said.append(f"the exchange took its fee in {taken_in}")
    return "; ".join(said)


def _theirs(trade: FreqtradeTrade) -> Theirs:
    left = trade.left_open
    note = ""
    if not trade.orders:
        note = "none of its orders was filled"
    elif left:
        base = trade.symbol.partition("/")[0]
        note = f"its orders leave {decimal_text(abs(left))} {base} {'unsold' if left > 0 else 'not bought back'}"
    return Theirs(trade.id, trade.profit, trade.is_open, _leg(trade), note, roundings=max(trade.exits, 1))


def _leg(trade: FreqtradeTrade) -> str:
    return f"ft-{_name(trade)}"


def _name(trade: FreqtradeTrade) -> str:
    """Name a trade unlike those of every other database; freqtrade writes once when it was opened, and that stays."""
    if isinstance(trade.id, str):  # of a backtest: when it was opened is in it
        return trade.id
    return f"{trade.id}@{trade.opened_at:%Y-%m-%dT%H:%M:%S}"
