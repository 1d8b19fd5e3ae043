"""Two people with something of every noun, row by row: what a book must never mix up.

A row is made from the table itself, so a new column needs nothing here, and a new table only the words that its
constraints ask for. Everything of a person's is told apart: texts by his name, numbers by his thousand.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Column, Engine, Table, insert

from plimsoll.ledger import schema
from plimsoll.ledger.schema import metadata
from plimsoll.model.account import Scope
from plimsoll.model.asker import Asker
from plimsoll.model.ids import AccountId, PortfolioId, UserId
from plimsoll.store.columns import Exact, Utc

DAY = "2022-01-21"
NOON = datetime(2022, 1, 21, 12, tzinfo=UTC)
#: Belong to nobody, or to the desk.
NOBODYS = frozenset({"brokers", "instruments", "instrument_aliases", "margin_tiers", "leases", "meta", "heads"})
_INSTRUMENT = {
    "id": 1,
    "symbol": "BTC/USDT",
    "venue": "paper",
    "asset_type": "CRYPTO",
    "base": "BTC",
    "quote": "USDT",
    "settle": "USDT",
    "inverse": 0,
    "tradable": 1,
}

#: What constraints ask for, by the column's name, where no table says otherwise.
_WORDS: dict[str, Any] = {
    "instrument_id": 1,
    "revision": 0,
    "effect": None,
    "leg": "",
    "latched": 0,
    "per": None,
    "deleted_at": None,
    "ended_at": None,
    "portfolios_json": None,
    "rates_json": None,
    "approved_by_user_id": None,
    "side": "BUY",
    "time_in_force": "GTC",
    "role": "trader",
    "pocket": "spot",
    "day": DAY,
    "mode": "PAPER",
    "temperature": "HOT",
    "cause": "MANUAL",
    "occasion": "READING",
    "reset_type": "MANUAL",
}
_WORDS_OF: dict[str, dict[str, Any]] = {
    "accounts": {"status": "active"},
    "bots": {"status": "RUNNING"},
    "orders": {"type": "MARKET", "state": "FILLED", "price": None, "stop_price": None, "requested_value": None},
    "order_states": {"state": "FILLED"},
    "external_orders": {"type": "MARKET", "state": "NEW", "status": "OPEN"},
    "verdicts": {"outcome": "REFUSED"},
    "risk_breaches": {"action": "BLOCKED"},
    "cash_lines": {"kind": "DEPOSIT", "leg": None},
    "position_entries": {"kind": "IN"},
    "trades": {"leg": None},
    "signals": {"action": "BUY"},
    "guard_alerts": {"kind": "drawdown", "action": "warning"},
    "halts": {"state": "HALTED"},
    "reconciliation_log": {"outcome": "DIFFERENT"},
    "breaks": {"status": "OPEN"},
    "sync_log": {"outcome": "FAILED"},
    "alerts": {"kind": "PRICE", "status": "ARMED"},
    "schedules": {"status": "ON"},
    "equity_snapshots": {"portfolio_id": 0},
    "events": {"kind": "TRADE_BOOKED"},
    "risk_policies": {"config_json": "{}"},
    "brokers": {"kind": "paper"},
}


@dataclass(frozen=True, slots=True)
class Owner:
    """Somebody with an account and two portfolios, all in a thousand of his own."""

    name: str
    thousand: int

    @property
    def user_id(self) -> UserId:
        return UserId(self.thousand + 1)

    @property
    def account_id(self) -> AccountId:
        return AccountId(self.thousand + 2)

    @property
    def portfolio_ids(self) -> tuple[PortfolioId, PortfolioId]:
        return PortfolioId(self.thousand + 3), PortfolioId(self.thousand + 4)

    @property
    def asker(self) -> Asker:
        return Asker(self.user_id)

    def narrowed(self) -> Asker:
        """Give his token for the first portfolio only."""
        return Asker(self.user_id, frozenset(self.portfolio_ids[:1]))


ADA, EVE = Owner("ada", 1_000), Owner("eve", 2_000)


def fill(engine: Engine, *owners: Owner) -> None:
    """Write something of every noun for each owner: once for each portfolio where it has one, else once."""
    with engine.begin() as connection:
        connection.execute(insert(schema.instruments).values(_row(schema.instruments, ADA, 1) | _INSTRUMENT))
        for owner in owners:
            for table in metadata.sorted_tables:
                if table.name not in NOBODYS:
                    connection.execute(insert(table), rows_of(table, owner))


def rows_of(table: Table, owner: Owner) -> list[dict[str, Any]]:
    """Make somebody's rows of a table."""
    if table.name == "portfolios":
        return [_row(table, owner, place) | {"id": one} for place, one in enumerate(owner.portfolio_ids)]
    if "portfolio_id" in table.columns and table.name != "equity_snapshots":
        return [_row(table, owner, place) | {"portfolio_id": one} for place, one in enumerate(owner.portfolio_ids)]
    if "scope_id" in table.columns:
        scopes = {Scope.USER: owner.user_id, Scope.ACCOUNT: owner.account_id, Scope.PORTFOLIO: owner.portfolio_ids[1]}
        scopes[Scope.STRATEGY] = owner.thousand + 10  # his first bot
        return [
            _row(table, owner, place) | {"scope_type": scope, "scope_id": number}
            for place, (scope, number) in enumerate(scopes.items())
        ]
    return [_row(table, owner, 0)]


def _row(table: Table, owner: Owner, place: int) -> dict[str, Any]:
    words = _WORDS | _WORDS_OF.get(table.name, {})
    return {column.name: _cell(table, column, owner, place, words) for column in table.columns}


def _cell(table: Table, column: Column[Any], owner: Owner, place: int, words: dict[str, Any]) -> Any:
    name = column.name
    if name == "id" and table.name == "users":
        return owner.user_id
    if name == "id" and table.name == "accounts":
        return owner.account_id
    if name in words:
        return words[name]
    known = {"user_id": owner.user_id, "account_id": owner.account_id, "bot_id": owner.thousand + 10}
    if name in known:
        return known[name]
    if name == "strategy_version_id":
        return owner.thousand + 10
    if isinstance(column.type, Exact):
        return Decimal(owner.thousand + place + 100)
    if isinstance(column.type, Utc):
        return NOON + timedelta(seconds=owner.thousand + place)
    if column.type.python_type is int:
        return _number(name, owner, place)
    if name.endswith("_json"):
        return _JSON.get((table.name, name), "{}").replace("?", owner.name)
    return f"{owner.name}-{name}-{place}"


def _number(name: str, owner: Owner, place: int) -> int:
    if name.startswith("may_") or name in _YES_OR_NO:
        return 1
    if name == "order_id":
        return owner.thousand + 10 + place
    return owner.thousand + 10 + place


_YES_OR_NO = frozenset(
    {"approved", "active", "closes", "reduce_only", "post_only", "allow_smaller", "allow_repeat", "ours"}
)
#: `?` stands for the owner's name.
_JSON = {
    ("positions", "flows_json"): '[["FUNDING","?","1"]]',
    ("pnl_days", "flows_json"): '[["FUNDING","?","1"]]',
    ("positions", "fees_json"): '{"?":"1"}',
    ("pnl_days", "fees_json"): '{"?":"1"}',
    ("reconciliation_log", "differences_json"): '["?"]',
}
