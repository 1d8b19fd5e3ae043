"""The book's tables. Hot tables lead with the account, so that they can be partitioned by it.

*Facts* (`FACTS`) are added and never changed or removed; triggers refuse it. *Caches* (orders, positions, balances)
must equal what the facts fold into; `verify` proves it. `link_seq` names the unit of the account's chain that wrote a
fact.
Columns that belong to a key are never null (0 or '' instead), so that uniqueness binds.
On SQLite a table whose key is not one integer is kept in the order of its key (no hidden row number beside it): one
tree less to write for every row.
"""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, MetaData, String, Table, UniqueConstraint

from plimsoll.model.account import Mode, Scope, TradingState
from plimsoll.model.cash import CashKind
from plimsoll.model.instrument import AssetType
from plimsoll.model.order import OrderState, OrderType, Side, TimeInForce
from plimsoll.store.columns import Exact, Utc

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


def _one_of(column: str, values: type) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)  # type: ignore[attr-defined]  # a StrEnum iterates
    return CheckConstraint(f"{column} IN ({listed})", name=column)


users = Table(
    "users",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uid", String, nullable=False, unique=True),
    Column("name", String, nullable=False, unique=True),
    Column("role", String, nullable=False),
    Column("approved", Integer, nullable=False),
    Column("active", Integer, nullable=False),
    CheckConstraint("role IN ('admin', 'trader', 'viewer')", name="role"),
)

#: Apart from `users`, whose rows travel.
passwords = Table(
    "passwords",
    metadata,
    Column("user_id", Integer, ForeignKey("users.id"), primary_key=True, autoincrement=False),
    Column("hash", String, nullable=False),
    Column("changed_at", Utc, nullable=False),
)

sign_in_links = Table(
    "sign_in_links",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uid", String, nullable=False, unique=True),
    Column("user_id", Integer, ForeignKey("users.id"), nullable=False),
    #: SHA-256 of the token, which itself is nowhere.
    Column("token_hash", String, nullable=False, unique=True),
    Column("created_at", Utc, nullable=False),
    Column("expires_at", Utc, nullable=False),
    #: Used, or followed by a newer one.
    Column("ended_at", Utc),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uid", String, nullable=False, unique=True),
    Column("user_id", Integer, ForeignKey("users.id"), nullable=False),
    Column("token_hash", String, nullable=False, unique=True),
    Column("origin", String, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("last_seen_at", Utc, nullable=False),
    Column("expires_at", Utc, nullable=False),
    Column("ended_at", Utc),
    #: From where somebody has signed in before.
    Index("ix_sessions_origin", "user_id", "origin", "created_at"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uid", String, nullable=False, unique=True),
    Column("user_id", Integer, ForeignKey("users.id"), nullable=False),
    Column("name", String, nullable=False),
    #: How the secret begins.
    Column("prefix", String, nullable=False),
    Column("token_hash", String, nullable=False, unique=True),
    Column("may_read", Integer, nullable=False),
    Column("may_trade", Integer, nullable=False),
    Column("may_admin", Integer, nullable=False),
    #: Ids of the only portfolios it may touch; null for all of the user's.
    Column("portfolios_json", String),
    Column("created_at", Utc, nullable=False),
    Column("expires_at", Utc, nullable=False),
    Column("last_used_at", Utc),
    #: Revoked.
    Column("ended_at", Utc),
    CheckConstraint("may_read IN (0, 1) AND may_trade IN (0, 1) AND may_admin IN (0, 1)", name="rights"),
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uid", String, nullable=False, unique=True),
    Column("user_id", Integer, ForeignKey("users.id"), nullable=False),
    Column("name", String, nullable=False),
    Column("broker", String, nullable=False),
    Column("mode", String, nullable=False),
    Column("base_currency", String, nullable=False),
    Column("price_source", String, nullable=False),
    Column("profile", String, nullable=False),
    UniqueConstraint("user_id", "name"),
    _one_of("mode", Mode),
)

portfolios = Table(
    "portfolios",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uid", String, nullable=False, unique=True),
    Column("account_id", Integer, ForeignKey("accounts.id"), nullable=False),
    Column("user_id", Integer, ForeignKey("users.id"), nullable=False),
    Column("name", String, nullable=False),
    UniqueConstraint("user_id", "account_id", "name"),
)

instruments = Table(
    "instruments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("symbol", String, nullable=False),
    Column("venue", String, nullable=False),
    Column("asset_type", String, nullable=False),
    Column("base", String, nullable=False),
    Column("quote", String, nullable=False),
    Column("settle", String, nullable=False),
    Column("tick_size", Exact, nullable=False),
    Column("lot_size", Exact, nullable=False),
    Column("min_quantity", Exact, nullable=False),
    Column("min_notional", Exact, nullable=False),
    Column("multiplier", Exact, nullable=False),
    Column("inverse", Integer, nullable=False),
    Column("tradable", Integer, nullable=False),
    Column("max_leverage", Exact, nullable=False),
    Column("updated_at", Utc, nullable=False),
    UniqueConstraint("symbol", "venue"),
    _one_of("asset_type", AssetType),
)

leverages = Table(
    "leverages",
    metadata,
    Column("account_id", Integer, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("instrument_id", Integer, ForeignKey("instruments.id"), primary_key=True, autoincrement=False),
    Column("leverage", Exact, nullable=False),
    sqlite_with_rowid=False,
)

bots = Table(
    "bots",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("portfolio_id", Integer, ForeignKey("portfolios.id"), nullable=False),
    Column("instrument_id", Integer, ForeignKey("instruments.id"), nullable=False),
    Column("name", String, nullable=False),
    Column("strategy", String, nullable=False),
    Column("params_json", String, nullable=False),
    Column("status", String, nullable=False),
    #: What the strategy must not forget: its confirmation and its last trade.
    Column("state_json", String, nullable=False),
    CheckConstraint("status IN ('RUNNING', 'STOPPED', 'ERROR')", name="status"),
)

orders = Table(
    "orders",
    metadata,
    Column("account_id", Integer, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("uid", String, nullable=False, unique=True),
    Column("client_order_id", String, nullable=False),
    Column("broker_order_id", String),
    Column("portfolio_id", Integer, ForeignKey("portfolios.id"), nullable=False),
    Column("user_id", Integer, ForeignKey("users.id"), nullable=False),
    Column("strategy_id", Integer, nullable=False),
    Column("instrument_id", Integer, ForeignKey("instruments.id"), nullable=False),
    Column("intent_key", String, nullable=False),
    Column("side", String, nullable=False),
    Column("type", String, nullable=False),
    Column("requested_quantity", Exact),
    Column("requested_value", Exact),
    Column("quantity", Exact, nullable=False),
    #: What the gate counted it for, in the account's currency.
    Column("value", Exact, nullable=False),
    Column("closes", Integer, nullable=False),
    Column("price", Exact),
    Column("stop_price", Exact),
    Column("time_in_force", String, nullable=False),
    Column("reduce_only", Integer, nullable=False),
    Column("post_only", Integer, nullable=False),
    Column("allow_smaller", Integer, nullable=False),
    Column("allow_repeat", Integer, nullable=False),
    Column("state", String, nullable=False),
    Column("filled_quantity", Exact, nullable=False),
    Column("reserved", Exact, nullable=False),
    Column("reserved_asset", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("triggered_by", String, nullable=False),
    Column("signal_context", String, nullable=False),
    Column("made_at", Utc, nullable=False),
    Column("placed_at", Utc, nullable=False),
    Column("updated_at", Utc, nullable=False),
    UniqueConstraint("account_id", "client_order_id"),
    _one_of("side", Side),
    _one_of("type", OrderType),
    _one_of("time_in_force", TimeInForce),
    _one_of("state", OrderState),
    sqlite_with_rowid=False,
)
orders.info["changing"] = ("broker_order_id", "state", "filled_quantity", "reserved", "reason", "updated_at")
Index("ix_orders_broker_order_id", orders.c.account_id, orders.c.broker_order_id)
Index(
    "ix_orders_live",
    orders.c.account_id,
    orders.c.state,
    sqlite_where=orders.c.state.in_(["PENDING", "NEW", "PARTIALLY_FILLED", "UNKNOWN"]),
    postgresql_where=orders.c.state.in_(["PENDING", "NEW", "PARTIALLY_FILLED", "UNKNOWN"]),
)

verdicts = Table(
    "verdicts",
    metadata,
    Column("account_id", Integer, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("link_seq", Integer, nullable=False),
    Column("user_id", Integer, nullable=False),
    Column("intent_key", String, nullable=False),
    #: Hash of the wish: the same key with another body is refused.
    Column("body_hash", String, nullable=False),
    Column("client_order_id", String, nullable=False),
    Column("outcome", String, nullable=False),
    Column("limits_version", Integer, nullable=False),
    #: Hash of the snapshot that it was judged on.
    Column("input_hash", String, nullable=False),
    #: The checks that did not plainly pass.
    Column("checks_json", String, nullable=False),
    Column("at", Utc, nullable=False),
    UniqueConstraint("account_id", "user_id", "intent_key"),
    CheckConstraint("outcome IN ('APPROVED', 'REFUSED')", name="outcome"),
    sqlite_with_rowid=False,
)

risk_breaches = Table(
    "risk_breaches",
    metadata,
    Column("account_id", Integer, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("link_seq", Integer, nullable=False),
    Column("action", String, nullable=False),
    Column("intent_key", String, nullable=False),
    Column("details_json", String, nullable=False),
    #: The snapshot that caused it.
    Column("observed_json", String, nullable=False),
    Column("at", Utc, nullable=False),
    CheckConstraint("action IN ('BLOCKED', 'WARNED', 'REDUCED_SIZE', 'CLOSED_POSITION')", name="action"),
    sqlite_with_rowid=False,
)

trades = Table(
    "trades",
    metadata,
    Column("account_id", Integer, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("link_seq", Integer, nullable=False),
    Column("instrument_id", Integer, ForeignKey("instruments.id"), nullable=False),
    Column("broker_trade_id", String, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("portfolio_id", Integer, ForeignKey("portfolios.id"), nullable=False),
    Column("strategy_id", Integer, nullable=False),
    #: 0 where no order of ours caused it.
    Column("order_id", Integer, nullable=False),
    Column("client_order_id", String),
    Column("broker_order_id", String),
    Column("side", String, nullable=False),
    Column("quantity", Exact, nullable=False),
    Column("price", Exact, nullable=False),
    Column("notional", Exact, nullable=False),
    Column("fee", Exact, nullable=False),
    Column("fee_currency", String, nullable=False),
    Column("realized_cash", Exact),
    Column("triggered_by", String, nullable=False),
    Column("exec_time", Utc, nullable=False),
    Column("sequence", Integer, nullable=False),
    UniqueConstraint("account_id", "instrument_id", "broker_trade_id", "revision"),
    Index("ix_trades_position", "account_id", "portfolio_id", "instrument_id", "strategy_id"),
    _one_of("side", Side),
    sqlite_with_rowid=False,
)

cash_lines = Table(
    "cash_lines",
    metadata,
    Column("account_id", Integer, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("link_seq", Integer, nullable=False),
    Column("portfolio_id", Integer, ForeignKey("portfolios.id"), nullable=False),
    Column("pocket", String, nullable=False),
    Column("asset", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("amount", Exact, nullable=False),
    Column("reference", String, nullable=False),
    Column("at", Utc, nullable=False),
    UniqueConstraint("account_id", "reference", "kind", "portfolio_id", "pocket", "asset"),
    _one_of("kind", CashKind),
    sqlite_with_rowid=False,
)

positions = Table(
    "positions",
    metadata,
    Column("account_id", Integer, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("portfolio_id", Integer, ForeignKey("portfolios.id"), primary_key=True, autoincrement=False),
    Column("instrument_id", Integer, ForeignKey("instruments.id"), primary_key=True, autoincrement=False),
    Column("strategy_id", Integer, primary_key=True, autoincrement=False),
    Column("leg", String, primary_key=True),
    Column("quantity", Exact, nullable=False),
    Column("cost", Exact, nullable=False),
    Column("realized_pnl", Exact, nullable=False),
    Column("fees_json", String, nullable=False),
    Column("fee_cost", Exact, nullable=False),
    Column("opened_at", Utc),
    #: The last trade folded in; a trade that sorts before it makes the position be folded anew.
    Column("folded_time", Utc),
    Column("folded_sequence", Integer),
    Column("folded_trade_id", String),
    Column("folded_revision", Integer),
    sqlite_with_rowid=False,
)

balances = Table(
    "balances",
    metadata,
    Column("account_id", Integer, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("portfolio_id", Integer, ForeignKey("portfolios.id"), primary_key=True, autoincrement=False),
    Column("pocket", String, primary_key=True),
    Column("asset", String, primary_key=True),
    Column("amount", Exact, nullable=False),
    sqlite_with_rowid=False,
)

trade_cursors = Table(
    "trade_cursors",
    metadata,
    Column("account_id", Integer, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("cursor", Integer, nullable=False),
)

nav = Table(
    "nav",
    metadata,
    Column("account_id", Integer, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("units", Exact, nullable=False),
    Column("peak", Exact, nullable=False),
    Column("peak_at", Utc, nullable=False),
    Column("last", Exact, nullable=False),
)

equity_snapshots = Table(
    "equity_snapshots",
    metadata,
    Column("account_id", Integer, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("at", Utc, nullable=False),
    Column("equity", Exact, nullable=False),
    #: Value of one unit; deposits and withdrawals change the units, not the value.
    Column("nav", Exact, nullable=False),
    Column("peak", Exact, nullable=False),
    Column("drawdown", Exact, nullable=False),
    Index("ix_equity_snapshots_at", "account_id", "at"),
    sqlite_with_rowid=False,
)

guard_alerts = Table(
    "guard_alerts",
    metadata,
    Column("account_id", Integer, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    #: Counts the account's episodes of this kind.
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("kind", String, primary_key=True),
    Column("status", String, nullable=False),
    Column("drawdown", Exact, nullable=False),
    Column("equity", Exact, nullable=False),
    Column("threshold", Exact, nullable=False),
    #: Which line was crossed.
    Column("action", String, nullable=False),
    Column("opened_at", Utc),
    Column("deadline", Utc),
    Column("since", Utc),
    Column("ended_at", Utc),
    Column("closed_count", Integer, nullable=False),
    Column("loss", Exact, nullable=False),
    Column("details_json", String, nullable=False),
    sqlite_with_rowid=False,
)

halts = Table(
    "halts",
    metadata,
    Column("scope_type", String, primary_key=True),
    Column("scope_id", Integer, primary_key=True, autoincrement=False),
    Column("source", String, primary_key=True),
    Column("state", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("latched", Integer, nullable=False),
    Column("since", Utc, nullable=False),
    _one_of("scope_type", Scope),
    _one_of("state", TradingState),
    sqlite_with_rowid=False,
)

risk_policies = Table(
    "risk_policies",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("scope_type", String, nullable=False),
    Column("scope_id", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("config_json", String, nullable=False),
    UniqueConstraint("scope_type", "scope_id", "version"),
    _one_of("scope_type", Scope),
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("account_id", Integer, primary_key=True, autoincrement=False),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", Utc, nullable=False),
    Column("actor", String, nullable=False),
    Column("entity", String, nullable=False),
    Column("entity_key", String, nullable=False),
    Column("action", String, nullable=False),
    Column("details_json", String, nullable=False),
    Column("link", String, nullable=False),
    sqlite_with_rowid=False,
)

events = Table(
    "events",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("account_id", Integer, nullable=False),
    Column("kind", String, nullable=False),
    Column("at", Utc, nullable=False),
    Column("details_json", String, nullable=False),
)

meta = Table(
    "meta",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", String, nullable=False),
    sqlite_with_rowid=False,
)

heads = Table(
    "heads",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("group_number", Integer, nullable=False),
    Column("event_number", Integer, nullable=False),
)

#: Added once, never changed: what the chain covers, in the order its links read them.
FACTS = ("verdicts", "risk_breaches", "trades", "cash_lines")

#: The order in which a group is written: who is pointed at comes first, the log and the events last.
WRITE_ORDER = (
    "users",
    "passwords",
    "sign_in_links",
    "sessions",
    "api_keys",
    "accounts",
    "portfolios",
    "instruments",
    "leverages",
    "bots",
    "orders",
    *FACTS,
    "positions",
    "balances",
    "trade_cursors",
    "nav",
    "equity_snapshots",
    "guard_alerts",
    "halts",
    "risk_policies",
    "meta",
    "audit_log",
    "events",
)
