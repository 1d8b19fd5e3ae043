"""Databases as freqtrade makes them, of its newest schema or of an older one, written row by row."""

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

#: (column, what SQLAlchemy made of its type), as freqtrade 2024.10 creates them, as far as anybody reads them.
TRADES = (
    *(("id", "INTEGER NOT NULL PRIMARY KEY"), ("exchange", "VARCHAR(25)"), ("pair", "VARCHAR(25)")),
    *(("base_currency", "VARCHAR(25)"), ("stake_currency", "VARCHAR(25)"), ("is_open", "BOOLEAN")),
    *(("fee_open", "FLOAT"), ("fee_open_cost", "FLOAT"), ("fee_open_currency", "VARCHAR(25)")),
    *(("fee_close", "FLOAT"), ("fee_close_cost", "FLOAT"), ("fee_close_currency", "VARCHAR(25)")),
    *(("open_rate", "FLOAT"), ("open_trade_value", "FLOAT"), ("close_rate", "FLOAT")),
    *(("realized_profit", "FLOAT"), ("close_profit_abs", "FLOAT"), ("amount", "FLOAT")),
    *(("open_date", "DATETIME"), ("close_date", "DATETIME"), ("exit_reason", "VARCHAR(255)")),
    *(("strategy", "VARCHAR(100)"), ("enter_tag", "VARCHAR(255)"), ("trading_mode", "VARCHAR(7)")),
    *(("leverage", "FLOAT"), ("is_short", "BOOLEAN"), ("interest_rate", "FLOAT"), ("funding_fees", "FLOAT")),
    ("contract_size", "FLOAT"),
)
ORDERS = (
    *(("id", "INTEGER NOT NULL PRIMARY KEY"), ("ft_trade_id", "INTEGER"), ("ft_order_side", "VARCHAR(25)")),
    *(("ft_pair", "VARCHAR(25)"), ("ft_is_open", "BOOLEAN"), ("ft_price", "FLOAT"), ("order_id", "VARCHAR(255)")),
    *(("status", "VARCHAR(255)"), ("side", "VARCHAR(25)"), ("price", "FLOAT"), ("average", "FLOAT")),
    *(("amount", "FLOAT"), ("filled", "FLOAT"), ("stop_price", "FLOAT"), ("order_date", "DATETIME")),
    *(("order_filled_date", "DATETIME"), ("funding_fee", "FLOAT"), ("ft_fee_base", "FLOAT")),
    ("ft_order_tag", "VARCHAR(255)"),
)
#: What the trades table had in 2018, and what it had before it got its stop loss.
OLD_TRADES = (
    *(("id", "INTEGER NOT NULL PRIMARY KEY"), ("exchange", "VARCHAR"), ("pair", "VARCHAR"), ("is_open", "BOOLEAN")),
    *(("fee", "FLOAT"), ("open_rate", "FLOAT"), ("close_rate", "FLOAT"), ("close_profit", "FLOAT")),
    *(("stake_amount", "FLOAT"), ("amount", "FLOAT"), ("open_date", "DATETIME"), ("close_date", "DATETIME")),
    ("open_order_id", "VARCHAR"),
)
OPENED, CLOSED = "2024-03-05 12:00:00.000000", "2024-03-05 12:10:00.000000"
#: What is behind the number of each trade in its name here.
SINCE = "@2024-03-05T12:00:00"


class MadeDatabase:
    """One database in the making; every change is in the file when it is made."""

    def __init__(self, path: Path, trades: Iterable[tuple[str, str]] = TRADES, *, has_orders: bool = True) -> None:
        self.path = path
        self._trades = tuple(trades)
        self._run(_create("trades", self._trades))
        if has_orders:
            self._run(_create("orders", ORDERS))

    def trade(self, number: int, **said: object) -> "MadeDatabase":
        """Write a trade: ADA/USDT, closed with 5.685 after fees of a quarter of a percent, but for what is said."""
        usual: dict[str, object] = {
            "exchange": "binance",
            "pair": "ADA/USDT",
            "is_open": 0,
            "fee_open": 0.0025,
            "fee_close": 0.0025,
            "open_rate": 2.0,
            "close_rate": 2.2,
            "amount": 30.0,
            "open_date": OPENED,
            "close_date": CLOSED,
            "close_profit_abs": 5.685,
            "strategy": "Sample",
            "trading_mode": "SPOT",
            "leverage": 1.0,
            "is_short": 0,
            "interest_rate": 0.0,
            "funding_fees": 0.0,
        }
        names = {name for name, _ in self._trades}
        kept = {name: value for name, value in usual.items() if name in names}
        return self._insert("trades", {"id": number, **kept, **said})

    def order(
        self, trade: int, order_id: str, side: str, filled: float, price: float, **said: object
    ) -> "MadeDatabase":
        """Write an order that was filled, but for what is said."""
        usual = {
            "ft_trade_id": trade,
            "ft_order_side": side,
            "ft_pair": "ADA/USDT",
            "ft_is_open": 0,
            "status": "closed",
            "order_id": order_id,
            "side": side,
            "average": price,
            "amount": filled,
            "filled": filled,
            "order_filled_date": OPENED,
        }
        return self._insert("orders", {**usual, **said})

    def round_trip(self, number: int, **said: object) -> "MadeDatabase":
        """Write a trade of one entry and one exit, 30 ADA at its open rate and its close rate."""
        self.trade(number, **said)
        entry, exit_ = ("sell", "buy") if said.get("is_short") else ("buy", "sell")
        amount = said.get("amount", 30.0)
        assert isinstance(amount, float)
        for side, name, default, at in ((entry, "open_rate", 2.0, OPENED), (exit_, "close_rate", 2.2, CLOSED)):
            price = said.get(name, default)
            assert isinstance(price, float)
            self.order(number, f"{number}-{side}", side, amount, price, order_filled_date=at)
        return self

    def round_trip_of(self, number: int, case: Mapping[str, Any]) -> "MadeDatabase":
        """Write a published case of fees, leverage, funding and interest as such a trade."""
        futures = case["trading_mode"] == "futures"
        return self.round_trip(
            number,
            exchange=case["exchange"],
            pair="ADA/USDT:USDT" if futures else "ADA/USDT",
            trading_mode=case["trading_mode"].upper(),
            is_short=int(case["side"] == "short"),
            leverage=float(case["leverage"]),
            amount=case["amount"],
            open_rate=case["open_rate"],
            close_rate=case["close_rate"],
            fee_open=case["fee_rate_open"],
            fee_close=case["fee_rate_close"],
            funding_fees=float(case["funding_fees"]),
            interest_rate=(case["margin_interest"] or {"rate_per_period": 0.0})["rate_per_period"],
            close_profit_abs=case["expect"]["profit_abs"],
        )

    def change(self, sql: str) -> "MadeDatabase":
        """Change what stands there."""
        self._run(sql)
        return self

    def _insert(self, table: str, values: dict[str, object]) -> "MadeDatabase":
        marks = ", ".join("?" * len(values))
        self._run(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", tuple(values.values()))
        return self

    def _run(self, sql: str, values: tuple[object, ...] = ()) -> None:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute(sql, values)


def _create(table: str, columns: Iterable[tuple[str, str]]) -> str:
    return f"CREATE TABLE {table} ({', '.join(f'{name} {kind}' for name, kind in columns)})"
