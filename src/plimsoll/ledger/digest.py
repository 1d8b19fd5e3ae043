"""The digest: one hash of what the books say, the same for the same facts however they arrived (I17, I18, I20).

Inside: who and what under their names, orders (terms, state, filled), trades under their natural keys with all their
revisions, entries, cash summed per movement (a trade together with its corrections and late fees), positions, days,
balances. Outside, because arrival decides them: row ids, times of ours, verdicts, reservations, the numbering of links
and events, and the state of an order whose fills were revised: an order that was filled stays so when a fill is taken
back, one that heard of the bust first never was.
Of imported books, what is shown counts: makings that were cut off or replaced are outside, and so is what only they
knew; a strategy that traded before counts by its name.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from sqlalchemy import Connection, Engine, Table, select

from plimsoll.ledger import schema
from plimsoll.ledger.accounts import IMPORTED_BEHIND
from plimsoll.ledger.imported_accounts import hidden_accounts, imported_accounts
from plimsoll.ledger.log import json_text
from plimsoll.model import money
from plimsoll.model.cash import CashKind
from plimsoll.model.entry import EntryKind
from plimsoll.model.money import decimal_text
from plimsoll.model.trade import trade_of_fee
from plimsoll.store.draft import Cell
from plimsoll.store.statements import select_as_stored

Named = Mapping[str, Cell]

_ORDER = (
    *("client_order_id", "strategy_id", "side", "type", "requested_quantity", "requested_value", "quantity", "price"),
    *("stop_price", "time_in_force", "reduce_only", "post_only", "closes", "state", "filled_quantity", "triggered_by"),
)
_TRADE = (
    *("broker_trade_id", "revision", "side", "quantity", "price", "notional", "fee", "fee_currency"),
    *("realized_cash", "exec_time", "sequence", "effect", "leg"),
)
_ENTRY = ("kind", "quantity", "per", "cost", "reference", "at", "sequence")
_POSITION = (
    *("strategy_id", "leg", "quantity", "cost", "realized_pnl", "fees_json", "fee_cost", "opened_at"),
    *("flows_json", "uncosted", "uncosted_proceeds"),
)
#: A position that nothing happened to any more: its only fill was busted, or turned out to be another portfolio's.
_BLANK: Named = {
    **dict.fromkeys(("quantity", "cost", "realized_pnl", "fee_cost", "uncosted", "uncosted_proceeds"), "0"),
    "fees_json": "{}",
    "flows_json": "[]",
    "opened_at": None,
}
_DAY = ("day", "strategy_id", "leg", "realized_pnl", "turnover", "trade_count", "fees_json", "flows_json")
_BLANK_DAY: Named = {"realized_pnl": "0", "turnover": "0", "trade_count": 0, "fees_json": "{}", "flows_json": "[]"}
_BALANCE = ("pocket", "asset", "amount")
_INSTRUMENT = ("asset_type", "tick_size", "lot_size", "multiplier", "inverse")
_ACCOUNT = ("broker", "mode", "base_currency", "price_source")


def digest(engine: Engine) -> str:
    """Hash the books of a database."""
    with engine.connect() as connection:
        return digest_of(connection)


def digest_of(connection: Connection) -> str:
    """Hash the books as one connection sees them."""
    return hashlib.sha256(json_text(canonical(connection)).encode()).hexdigest()


def canonical(connection: Connection) -> dict[str, list[str]]:
    """Write the books down so that equal books are equal text: a sorted list of lines for each noun."""
    names = _Names(connection)

    def facts(table: Table) -> Iterator[Named]:
        return (names.told(row) for row in _rows(connection, table) if row["account_id"] not in names.hidden)

    trades = _Trades(facts(schema.trades))
    said = {
        "instruments": [_line(names.instrument[row["id"]], row, _INSTRUMENT) for row in names.instruments],
        "accounts": [_line(names.account[row["id"]], row, _ACCOUNT) for row in names.accounts],
        "orders": [_order(names, trades.without_doubtful_state(row)) for row in facts(schema.orders)],
        "trades": [
            _line((*names.where(home), home["strategy_id"], home["triggered_by"], names.order_of(home)), row, _TRADE)
            for row, home in trades.with_homes()
        ],
        "entries": [_line(_place_of(names, row), row, _ENTRY) for row in facts(schema.position_entries)],
        "positions": [
            _line(names.where(row), row, _POSITION) for row in facts(schema.positions) if not _is(row, _BLANK)
        ],
        "days": [_line(names.where(row), row, _DAY) for row in facts(schema.pnl_days) if not _is(row, _BLANK_DAY)],
        "cash": _cash(names, trades, facts(schema.cash_lines)),
        "balances": [
            _line(names.portfolio[row["portfolio_id"]], row, _BALANCE)
            for row in facts(schema.balances)
            if row["amount"] != "0"  # a balance that came back to nothing is none
        ],
    }
    return {noun: sorted(lines) for noun, lines in said.items()}


def _rows(connection: Connection, table: Table) -> Iterator[Named]:
    for row in connection.execute(select_as_stored(table)).mappings():
        yield dict(row)


def _order(names: "_Names", row: Named) -> str:
    # A leg is said where there is one: a copy of a book that knew none must have the digest it had.
    return _line(names.where(row), row, (*_ORDER, "leg") if row["leg"] else _ORDER)


def _line(name: tuple[Cell, ...], row: Named, columns: Iterable[str]) -> str:
    return json_text([*name, *(row[column] for column in columns)])


def _is(row: Named, cells: Named) -> bool:
    return all(row[column] == cell for column, cell in cells.items())


def _place_of(names: "_Names", entry: Named) -> tuple[Cell, ...]:
    # Coins paid as a late fee are where their trade is, which the fee names; where it was booked, arrival decided.
    if entry["kind"] == EntryKind.FEE:
        return names.instrument[entry["instrument_id"]]
    return (*names.where(entry), entry["strategy_id"], entry["leg"])


def _cash(names: "_Names", trades: "_Trades", lines: Iterable[Named]) -> list[str]:
    """Sum each movement: what a trade moved and its later corrections are one, whatever came first."""
    sums: defaultdict[tuple[Cell, ...], Decimal] = defaultdict(lambda: money.ZERO)
    for line in lines:
        trade = trades.of_line(line)
        kind = str(line["kind"])
        movement: tuple[Cell, ...] = (line["reference"],)
        if trade is not None:
            movement = (*names.instrument[trade["instrument_id"]], trade["broker_trade_id"])
            kind = kind if kind == CashKind.FEE else CashKind.TRADE
        elif kind == CashKind.SPLIT:
            movement = ()  # pieces of a position, and what a late trade changed of them
        place = (*names.portfolio[line["portfolio_id"]], line["pocket"], line["asset"])
        sums[*place, kind, *movement] += Decimal(str(line["amount"]))
    return [json_text([*key, decimal_text(amount)]) for key, amount in sums.items() if amount != 0]


def _references(line: Named) -> Iterator[str]:
    """List what may name the trade of a line: its reference, and what stands before an @ in it.

    A correction is written `corrected@late`, and a venue's own trade id may hold an @ as well.
    """
    reference = str(line["reference"])
    yield reference
    for place, character in enumerate(reference):
        if character == "@":
            yield reference[:place]


def _held(connection: Connection) -> set[Cell]:
    """Name the instruments of which anybody who is shown has, or had, a position."""
    positions = schema.positions.c
    asked = select(positions.instrument_id).where(positions.account_id.not_in(hidden_accounts())).distinct()
    return set(connection.execute(asked).scalars())


class _Trades:
    """All reports of trades, and what belongs together: the revisions of each, and its lines."""

    def __init__(self, rows: Iterable[Named]) -> None:
        self._told: defaultdict[tuple[Cell, ...], list[Named]] = defaultdict(list)
        self._by_reference: dict[tuple[Cell, str], Named] = {}
        for row in rows:
            account, instrument, trade_id = row["account_id"], row["instrument_id"], row["broker_trade_id"]
            self._told[account, instrument, trade_id].append(row)
            self._by_reference[account, f"{instrument}:{trade_id}:{row['revision']}"] = row
        self._revised = {
            (row["account_id"], row["order_id"]) for told in self._told.values() if len(told) > 1 for row in told
        } | {(row["account_id"], row["order_id"]) for (row, *_) in self._told.values() if row["revision"]}

    def with_homes(self) -> Iterator[tuple[Named, Named]]:
        """Give each report with the one that says whose they all are."""
        for told in self._told.values():
            home = min(told, key=lambda row: (row["order_id"] == 0, row["revision"]))
            for row in told:
                yield row, home

    def of_line(self, line: Named) -> Named | None:
        """Find the trade that a line belongs to."""
        account_id, late_for = line["account_id"], trade_of_fee(str(line["reference"]))
        if late_for is not None and line["kind"] == CashKind.FEE:
            return next(iter(self._told.get((account_id, line["instrument_id"], late_for), ())), None)
        found = (self._by_reference.get((account_id, reference)) for reference in _references(line))
        return next((trade for trade in found if trade is not None), None)

    def without_doubtful_state(self, order: Named) -> Named:
        """Leave the state of an order out whose fills were revised."""
        return {**order, "state": None} if (order["account_id"], order["id"]) in self._revised else order


class _Names:
    """What stands for a row id: the name that a person would say."""

    def __init__(self, connection: Connection) -> None:
        self.imported = frozenset(connection.execute(imported_accounts()).scalars())
        #: Imported books that nobody is shown.
        self.hidden = frozenset(connection.execute(hidden_accounts()).scalars())
        self._strategies = {row["id"]: str(row["name"]) for row in _rows(connection, schema.strategies)}
        users = {row["id"]: row["name"] for row in _rows(connection, schema.users)}
        self.accounts = [row for row in _rows(connection, schema.accounts) if row["id"] not in self.hidden]
        self.account = {row["id"]: (users[row["user_id"]], row["name"]) for row in self.accounts}
        portfolios = (row for row in _rows(connection, schema.portfolios) if row["account_id"] not in self.hidden)
        self.portfolio = {row["id"]: (*self.account[row["account_id"]], row["name"]) for row in portfolios}
        every = list(_rows(connection, schema.instruments))
        self.instrument = {row["id"]: (row["venue"], row["symbol"]) for row in every}
        held = _held(connection)
        self.instruments = [row for row in every if int(row["id"] or 0) <= IMPORTED_BEHIND or row["id"] in held]
        self._orders = {
            (row["account_id"], row["id"]): row["client_order_id"] for row in _rows(connection, schema.orders)
        }

    def told(self, row: Named) -> Named:
        """Name the strategy of an imported row: its number is as it came."""
        if row["account_id"] not in self.imported or not row.get("strategy_id"):
            return row
        return {**row, "strategy_id": self._strategies[row["strategy_id"]]}

    def where(self, row: Named) -> tuple[Cell, ...]:
        """Name the portfolio and the instrument of a row."""
        return (*self.portfolio[row["portfolio_id"]], *self.instrument[row["instrument_id"]])

    def order_of(self, trade: Named) -> Cell:
        """Name the order of a trade; a repeated report may carry another of its ids."""
        return self._orders.get((trade["account_id"], trade["order_id"]))
