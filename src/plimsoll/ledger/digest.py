"""The digest: one hash of what the books say, the same for the same facts however they arrived (I17, I18, I20).

Inside: who and what under their names, orders (terms, state, filled), trades under their natural keys, cash summed per
movement (a trade together with its corrections), positions, balances. Outside, because arrival decides them: row ids,
times of ours, verdicts, reservations, the numbering of links and events.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from sqlalchemy import Connection, Engine, Table

from plimsoll.ledger import schema
from plimsoll.ledger.log import json_text
from plimsoll.model import money
from plimsoll.model.cash import CashKind
from plimsoll.model.money import decimal_text
from plimsoll.store.draft import Cell
from plimsoll.store.statements import select_as_stored

Named = Mapping[str, Cell]

_ORDER = (
    *("client_order_id", "strategy_id", "side", "type", "requested_quantity", "requested_value", "quantity", "price"),
    *("stop_price", "time_in_force", "reduce_only", "post_only", "closes", "state", "filled_quantity", "triggered_by"),
)
_TRADE = (
    *("broker_trade_id", "revision", "strategy_id", "side", "quantity", "price", "notional", "fee", "fee_currency"),
    *("realized_cash", "exec_time", "sequence", "triggered_by"),
)
_POSITION = ("strategy_id", "leg", "quantity", "cost", "realized_pnl", "fees_json", "fee_cost", "opened_at")
_BALANCE = ("pocket", "asset", "amount")
_INSTRUMENT = ("asset_type", "tick_size", "lot_size", "multiplier", "inverse")
_ACCOUNT = ("broker", "mode", "base_currency", "price_source")


def digest(engine: Engine) -> str:
    """Hash the books of a database."""
    with engine.connect() as connection:
        return hashlib.sha256(json_text(canonical(connection)).encode()).hexdigest()


def canonical(connection: Connection) -> dict[str, list[str]]:
    """Write the books down so that equal books are equal text: a sorted list of lines for each noun."""
    names = _Names(connection)
    trades = list(_rows(connection, schema.trades))
    orders, positions = _rows(connection, schema.orders), _rows(connection, schema.positions)
    said = {
        "instruments": [_line(names.instrument[row["id"]], row, _INSTRUMENT) for row in names.instruments],
        "accounts": [_line(names.account[row["id"]], row, _ACCOUNT) for row in names.accounts],
        "orders": [_line(names.where(row), row, _ORDER) for row in orders],
        "trades": [_line((*names.where(row), names.order_of(row)), row, _TRADE) for row in trades],
        "positions": [_line(names.where(row), row, _POSITION) for row in positions],
        "cash": _cash(names, trades, _rows(connection, schema.cash_lines)),
        "balances": [
            _line(names.portfolio[row["portfolio_id"]], row, _BALANCE)
            for row in _rows(connection, schema.balances)
            if row["amount"] != "0"  # a balance that came back to nothing is none
        ],
    }
    return {noun: sorted(lines) for noun, lines in said.items()}


def _rows(connection: Connection, table: Table) -> Iterator[Named]:
    for row in connection.execute(select_as_stored(table)).mappings():
        yield dict(row)


def _line(name: tuple[Cell, ...], row: Named, columns: Iterable[str]) -> str:
    return json_text([*name, *(row[column] for column in columns)])


def _cash(names: "_Names", trades: Iterable[Named], lines: Iterable[Named]) -> list[str]:
    """Sum each movement: a trade's profit and its later corrections are one, whatever came first."""
    by_reference = {
        (trade["account_id"], f"{trade['instrument_id']}:{trade['broker_trade_id']}:{trade['revision']}"): trade
        for trade in trades
    }
    sums: defaultdict[tuple[Cell, ...], Decimal] = defaultdict(lambda: money.ZERO)
    for line in lines:
        trade = next((by_reference[key] for key in _references(line) if key in by_reference), None)
        movement: tuple[Cell, ...] = (line["reference"],)
        if trade is not None:
            movement = (*names.instrument[trade["instrument_id"]], trade["broker_trade_id"], trade["revision"])
        kind = CashKind.TRADE if line["kind"] == CashKind.CORRECTION else line["kind"]
        place = (*names.portfolio[line["portfolio_id"]], line["pocket"], line["asset"])
        sums[*place, kind, *movement] += Decimal(str(line["amount"]))
    return [json_text([*key, decimal_text(amount)]) for key, amount in sums.items() if amount != 0]


def _references(line: Named) -> Iterator[tuple[Cell, str]]:
    """List what may name the trade of a line: its reference, and what stands before an @ in it.

    A correction is written `corrected@late`, and a venue's own trade id may hold an @ as well.
    """
    reference = str(line["reference"])
    yield (line["account_id"], reference)
    for place, character in enumerate(reference):
        if character == "@":
            yield (line["account_id"], reference[:place])


class _Names:
    """What stands for a row id: the name that a person would say."""

    def __init__(self, connection: Connection) -> None:
        users = {row["id"]: row["name"] for row in _rows(connection, schema.users)}
        self.accounts = list(_rows(connection, schema.accounts))
        self.account = {row["id"]: (users[row["user_id"]], row["name"]) for row in self.accounts}
        portfolios = _rows(connection, schema.portfolios)
        self.portfolio = {row["id"]: (*self.account[row["account_id"]], row["name"]) for row in portfolios}
        self.instruments = list(_rows(connection, schema.instruments))
        self.instrument = {row["id"]: (row["venue"], row["symbol"]) for row in self.instruments}
        self._orders = {
            (row["account_id"], row["id"]): row["client_order_id"] for row in _rows(connection, schema.orders)
        }

    def where(self, row: Named) -> tuple[Cell, ...]:
        """Name the portfolio and the instrument of a row."""
        return (*self.portfolio[row["portfolio_id"]], *self.instrument[row["instrument_id"]])

    def order_of(self, trade: Named) -> Cell:
        """Name the order of a trade; a repeated report may carry another of its ids."""
        return self._orders.get((trade["account_id"], trade["order_id"]))
