"""A book in the making: what was told, thing by thing in the order in which it happened, becomes facts and their links.

A fill becomes a trade and its cash lines as plain rows, since there are millions: the same rows that `trades.to_row`
and `model.cash.lines_of` give, which the property tests compare. Everything else goes through the values and functions
of the desk's own units. About a hundred things are one unit of the account's chain, which begins with this making.

What must not enter: a fact that comes late. Everything comes in its order, so nothing is ever refolded or corrected.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import partial

import orjson

from plimsoll.ledger import cash, entries
from plimsoll.ledger.imported.becoming import Owner, coins_of, entry_of, event_of
from plimsoll.ledger.imported.folding import Folds
from plimsoll.ledger.imported.homes import Homes
from plimsoll.ledger.imported.spool import ToldLine
from plimsoll.ledger.imported.staging import Staging
from plimsoll.ledger.imported.told_text import Said, told_from
from plimsoll.ledger.log import Note, link_content, note_row
from plimsoll.ledger.refold import split_line
from plimsoll.model import money
from plimsoll.model.cash import CashLine, pocket_of
from plimsoll.model.entry import Entry, EntryKind
from plimsoll.model.ids import AccountId, InstrumentId, PortfolioId, StrategyId
from plimsoll.model.instrument import Instrument
from plimsoll.model.money import decimal_text
from plimsoll.model.position import Position, PositionKey
from plimsoll.store import chain
from plimsoll.store.draft import Row

_TRADE, _FEE, _BUY = "TRADE", "FEE", "BUY"
#: A unit of the chain: so many things told, or so many rows.
_THINGS, _ROWS = 100, 400


@dataclass(frozen=True, slots=True)
class BookPlace:
    """The account and portfolio that a book is made for, and what stands for each name in it."""

    account_id: AccountId
    portfolio_id: PortfolioId
    #: By venue and symbol.
    instruments: Mapping[tuple[str, str], Instrument]
    strategies: Mapping[str, StrategyId]
    #: Who imports, such as `user:1`, and when.
    actor: str
    at: datetime


class Making:
    """The book as far as it is made."""

    def __init__(self, place: BookPlace, homes: Homes, staging: Staging, chain_key: bytes) -> None:
        self._place = place
        self._account, self._portfolio = place.account_id, place.portfolio_id
        self._homes = homes
        self._staging = staging
        self._chain_key = chain_key
        self._folds = Folds(place.account_id, place.portfolio_id, partial(staging.add, "pnl_days"))
        self.seq, self.head = 0, chain.GENESIS
        self.done = 0
        self._begin()

    def _begin(self) -> None:
        self._trades: list[Row] = []
        self._lines: list[Row] = []
        self._entries: list[Row] = []
        self._ids = {table: self._staging.counts[table] for table in ("trades", "cash_lines", "position_entries")}
        self._first = self.done + 1
        self._since = self._until = ""

    @property
    def is_full(self) -> bool:
        return self.done - self._first >= _THINGS - 1 or len(self._lines) + len(self._trades) >= _ROWS

    def take(self, line: ToldLine) -> None:
        """Book one thing."""
        said: Said = orjson.loads(line.text)
        if line.kind == _TRADE:
            self._fill(line, said)
        else:
            self._movement(line, said)
        self.done += 1
        self._since = self._since or line.at
        self._until = line.at

    # Fills ------------------------------------------------------------------------------------------------------------

    def _fill(self, line: ToldLine, said: Said) -> None:
        instrument = self._instrument(said["venue"], said["symbol"])
        quantity, fee_text = said["quantity"], said.get("fee", "0")
        moved, fee = Decimal(quantity), Decimal(fee_text)
        notional = instrument.notional(moved, Decimal(said["price"]))
        worth, buys = decimal_text(notional), said["side"] == _BUY
        fee_asset = said.get("fee_asset") or instrument.cash_asset
        strategy, leg = self._strategy(said.get("strategy")), said.get("leg", "")
        key: PositionKey = (self._portfolio, instrument.id, strategy or 0, leg)
        realized = self._folds.trade(
            key,
            instrument,
            moved if buys else -moved,
            notional if buys == instrument.inverse else -notional,
            fee,
            fee_asset,
            line[:4],
        )
        paid = said.get("realized")
        self._trades.append(
            (
                self._account,
                self._ids["trades"] + len(self._trades) + 1,
                self.seq + 1,
                instrument.id,
                line.name,
                0,
                self._portfolio,
                strategy or 0,
                0,
                None,
                said.get("order_id"),
                said["side"],
                quantity,
                said["price"],
                worth,
                fee_text,
                fee_asset,
                paid,
                said.get("triggered_by", "import"),
                line.at,
                line.sequence,
                None,
                leg or None,
            )
        )
        reference, pocket = f"{instrument.id}:{line.name}:0", pocket_of(instrument)
        if instrument.is_derivative:
            profit = money.check_digits(realized, "realized") if paid is None else Decimal(paid)
            self._pay(pocket, instrument.settle, _TRADE, profit, decimal_text(profit), reference, line.at)
        else:
            coins, price = (quantity, _minus(worth)) if buys else (_minus(quantity), worth)
            self._pay(pocket, instrument.base, _TRADE, moved if buys else -moved, coins, reference, line.at)
            self._pay(pocket, instrument.quote, _TRADE, -notional if buys else notional, price, reference, line.at)
        self._pay(pocket, fee_asset, _FEE, -fee, _minus(fee_text), reference, line.at)

    def _pay(self, pocket: str, asset: str, kind: str, amount: Decimal, text: str, reference: str, at: str) -> None:  # noqa: PLR0917  a row, which is made for every line
        if amount:
            number = self._ids["cash_lines"] + len(self._lines) + 1
            self._lines.append(
                (
                    *(self._account, number, self.seq + 1, self._portfolio, pocket, asset, kind, text, reference, at),
                    *(None, None, None),
                )
            )
            self._folds.pay(pocket, asset, amount)

    # Everything else --------------------------------------------------------------------------------------------------

    def _movement(self, line: ToldLine, said: Said) -> None:
        told = told_from(said, (line.line,))
        instrument = self._instrument(told.venue, told.symbol) if told.symbol else None
        number = InstrumentId(0) if instrument is None else instrument.id
        owner = Owner(self._account, self._portfolio, number, self._strategy(told.strategy))
        event = event_of(told, owner)
        if event is not None:
            posted = event.lines()
            self._post(posted)
            if event.instrument_id is not None:
                key: PositionKey = (self._portfolio, number, owner.strategy_id or 0, told.leg)
                self._folds.flow(key, posted[0], line.at)
        home = None if told.symbol else self._homes.of(told.asset, told.venue)
        if home is not None:
            instrument, told = home, coins_of(told, home.symbol) or told
            owner = replace(owner, instrument_id=home.id)
        entry = entry_of(told, owner)
        if entry is not None and instrument is not None:
            self._enter(replace(entry, reference=line.name), instrument, line)

    def _enter(self, entry: Entry, instrument: Instrument, line: ToldLine) -> None:
        row_id = self._ids["position_entries"] + len(self._entries) + 1
        self._entries.append(entries.to_row(entry, row_id, self.seq + 1))
        if entry.kind is not EntryKind.SPLIT:
            key: PositionKey = (self._portfolio, entry.instrument_id, entry.strategy_id or 0, entry.leg)
            self._folds.enter(key, entry, line[:4])
            return
        for whose, pieces in self._folds.split(entry, line[:4]):
            if pieces and not instrument.is_derivative:
                portfolio, number, strategy, leg = whose
                position = Position(self._account, portfolio, number, StrategyId(strategy) if strategy else None, leg)
                self._post([split_line(entry, position, instrument, pieces)])

    def _post(self, lines: list[CashLine]) -> None:
        for line in lines:
            self._lines.append(cash.to_row(line, self._ids["cash_lines"] + len(self._lines) + 1, self.seq + 1))
            self._folds.pay(line.pocket, line.asset, line.amount)

    # Names and units --------------------------------------------------------------------------------------------------

    def _instrument(self, venue: str, symbol: str) -> Instrument:
        return self._place.instruments[venue, symbol]

    def _strategy(self, name: str | None) -> StrategyId | None:
        return self._place.strategies[name] if name else None

    def link(self) -> None:
        """Write what was booked since the last link as one unit of the chain."""
        if self.done < self._first:
            return
        place, key = self._place, f"{self._first}..{self.done}"
        details = {"from": self._since, "until": self._until}
        audit = note_row(
            Note(self._account, place.actor, "CREATE", "IMPORT", key, place.at, details),
            self.seq + 1,
        )
        facts = {"trades": self._trades, "cash_lines": self._lines, "position_entries": self._entries}
        facts = {table: rows for table, rows in facts.items() if rows}
        self.head = chain.link(self._chain_key, self.head, link_content(facts, audit))
        self._staging.add_unit({**facts, "audit_log": [(*audit, self.head)]})
        self.seq += 1
        self._begin()

    def end(self) -> None:
        """Write the last unit, and where everything has come to."""
        self.link()
        self._folds.end_day()
        self._staging.add("positions", self._folds.position_rows())
        self._staging.add("balances", self._folds.balance_rows())


def _minus(text: str) -> str:
    """Turn the sign of a number's text."""
    return text[1:] if text.startswith("-") else f"-{text}"
