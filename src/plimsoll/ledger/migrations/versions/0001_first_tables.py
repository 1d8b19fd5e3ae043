"""The first tables, and the triggers that keep facts as they are.

Revision: 0001, the first
Deploy:   nothing to do; a new database starts here

What a migration needs it says itself: it must make the same tables in ten years, whatever the schema's page says then.
"""

import sqlalchemy as sa
from alembic import op

from plimsoll.store.columns import Exact, Utc, Whole, Words

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

#: Added once, never changed or removed.
FACTS = ("verdicts", "risk_breaches", "trades", "cash_lines", "audit_log")


def upgrade() -> None:
    """Create every table of the first release."""
    op.create_table(
        "audit_log",
        sa.Column("account_id", Whole, autoincrement=False, nullable=False),
        sa.Column("seq", Whole, autoincrement=False, nullable=False),
        sa.Column("at", Utc(), nullable=False),
        sa.Column("actor", Words, nullable=False),
        sa.Column("entity", Words, nullable=False),
        sa.Column("entity_key", Words, nullable=False),
        sa.Column("action", Words, nullable=False),
        sa.Column("details_json", Words, nullable=False),
        sa.Column("link", Words, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "seq", name=op.f("pk_audit_log")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "events",
        sa.Column("number", Whole, autoincrement=False, nullable=False),
        sa.Column("account_id", Whole, nullable=False),
        sa.Column("kind", Words, nullable=False),
        sa.Column("at", Utc(), nullable=False),
        sa.Column("details_json", Words, nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_events")),
    )
    op.create_table(
        "halts",
        sa.Column("scope_type", Words, nullable=False),
        sa.Column("scope_id", Whole, autoincrement=False, nullable=False),
        sa.Column("source", Words, nullable=False),
        sa.Column("state", Words, nullable=False),
        sa.Column("reason", Words, nullable=False),
        sa.Column("latched", Whole, nullable=False),
        sa.Column("since", Utc(), nullable=False),
        sa.CheckConstraint(
            "scope_type IN ('DESK', 'USER', 'ACCOUNT', 'PORTFOLIO', 'STRATEGY')", name=op.f("ck_halts_scope_type")
        ),
        sa.CheckConstraint("state IN ('ACTIVE', 'REDUCE_ONLY', 'CANCEL_ONLY', 'HALTED')", name=op.f("ck_halts_state")),
        sa.PrimaryKeyConstraint("scope_type", "scope_id", "source", name=op.f("pk_halts")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "heads",
        sa.Column("id", Whole, nullable=False),
        sa.Column("group_number", Whole, nullable=False),
        sa.Column("event_number", Whole, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_heads")),
    )
    op.create_table(
        "instruments",
        sa.Column("id", Whole, nullable=False),
        sa.Column("symbol", Words, nullable=False),
        sa.Column("venue", Words, nullable=False),
        sa.Column("asset_type", Words, nullable=False),
        sa.Column("base", Words, nullable=False),
        sa.Column("quote", Words, nullable=False),
        sa.Column("settle", Words, nullable=False),
        sa.Column("tick_size", Exact(), nullable=False),
        sa.Column("lot_size", Exact(), nullable=False),
        sa.Column("min_quantity", Exact(), nullable=False),
        sa.Column("min_notional", Exact(), nullable=False),
        sa.Column("multiplier", Exact(), nullable=False),
        sa.Column("inverse", Whole, nullable=False),
        sa.Column("tradable", Whole, nullable=False),
        sa.Column("max_leverage", Exact(), nullable=False),
        sa.Column("updated_at", Utc(), nullable=False),
        sa.CheckConstraint(
            "asset_type IN ('CRYPTO', 'EQUITY', 'ETF', 'FUTURE', 'PERPETUAL', 'FOREX', 'CFD')",
            name=op.f("ck_instruments_asset_type"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instruments")),
        sa.UniqueConstraint("symbol", "venue", name=op.f("uq_instruments_symbol_venue")),
    )
    op.create_table(
        "meta",
        sa.Column("name", Words, nullable=False),
        sa.Column("value", Words, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_meta")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "risk_policies",
        sa.Column("id", Whole, nullable=False),
        sa.Column("scope_type", Words, nullable=False),
        sa.Column("scope_id", Whole, nullable=False),
        sa.Column("version", Whole, nullable=False),
        sa.Column("config_json", Words, nullable=False),
        sa.CheckConstraint(
            "scope_type IN ('DESK', 'USER', 'ACCOUNT', 'PORTFOLIO', 'STRATEGY')",
            name=op.f("ck_risk_policies_scope_type"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_risk_policies")),
        sa.UniqueConstraint(
            "scope_type", "scope_id", "version", name=op.f("uq_risk_policies_scope_type_scope_id_version")
        ),
    )
    op.create_table(
        "users",
        sa.Column("id", Whole, nullable=False),
        sa.Column("uid", Words, nullable=False),
        sa.Column("name", Words, nullable=False),
        sa.Column("role", Words, nullable=False),
        sa.Column("approved", Whole, nullable=False),
        sa.Column("active", Whole, nullable=False),
        sa.CheckConstraint("role IN ('admin', 'trader', 'viewer')", name=op.f("ck_users_role")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("name", name=op.f("uq_users_name")),
        sa.UniqueConstraint("uid", name=op.f("uq_users_uid")),
    )
    op.create_table(
        "accounts",
        sa.Column("id", Whole, nullable=False),
        sa.Column("uid", Words, nullable=False),
        sa.Column("user_id", Whole, nullable=False),
        sa.Column("name", Words, nullable=False),
        sa.Column("broker", Words, nullable=False),
        sa.Column("mode", Words, nullable=False),
        sa.Column("base_currency", Words, nullable=False),
        sa.Column("price_source", Words, nullable=False),
        sa.Column("profile", Words, nullable=False),
        sa.CheckConstraint("mode IN ('LIVE', 'PAPER', 'TESTNET')", name=op.f("ck_accounts_mode")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_accounts_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("uid", name=op.f("uq_accounts_uid")),
        sa.UniqueConstraint("user_id", "name", name=op.f("uq_accounts_user_id_name")),
    )
    op.create_table(
        "equity_snapshots",
        sa.Column("account_id", Whole, autoincrement=False, nullable=False),
        sa.Column("id", Whole, autoincrement=False, nullable=False),
        sa.Column("at", Utc(), nullable=False),
        sa.Column("equity", Exact(), nullable=False),
        sa.Column("nav", Exact(), nullable=False),
        sa.Column("peak", Exact(), nullable=False),
        sa.Column("drawdown", Exact(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_equity_snapshots_account_id")),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_equity_snapshots")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_equity_snapshots_at", "equity_snapshots", ["account_id", "at"], unique=False)
    op.create_table(
        "guard_alerts",
        sa.Column("account_id", Whole, autoincrement=False, nullable=False),
        sa.Column("number", Whole, autoincrement=False, nullable=False),
        sa.Column("kind", Words, nullable=False),
        sa.Column("status", Words, nullable=False),
        sa.Column("drawdown", Exact(), nullable=False),
        sa.Column("equity", Exact(), nullable=False),
        sa.Column("threshold", Exact(), nullable=False),
        sa.Column("action", Words, nullable=False),
        sa.Column("opened_at", Utc(), nullable=True),
        sa.Column("deadline", Utc(), nullable=True),
        sa.Column("since", Utc(), nullable=True),
        sa.Column("ended_at", Utc(), nullable=True),
        sa.Column("closed_count", Whole, nullable=False),
        sa.Column("loss", Exact(), nullable=False),
        sa.Column("details_json", Words, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_guard_alerts_account_id")),
        sa.PrimaryKeyConstraint("account_id", "number", "kind", name=op.f("pk_guard_alerts")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "leverages",
        sa.Column("account_id", Whole, autoincrement=False, nullable=False),
        sa.Column("instrument_id", Whole, autoincrement=False, nullable=False),
        sa.Column("leverage", Exact(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_leverages_account_id")),
        sa.ForeignKeyConstraint(["instrument_id"], ["instruments.id"], name=op.f("fk_leverages_instrument_id")),
        sa.PrimaryKeyConstraint("account_id", "instrument_id", name=op.f("pk_leverages")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "nav",
        sa.Column("account_id", Whole, autoincrement=False, nullable=False),
        sa.Column("units", Exact(), nullable=False),
        sa.Column("peak", Exact(), nullable=False),
        sa.Column("peak_at", Utc(), nullable=False),
        sa.Column("last", Exact(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_nav_account_id")),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_nav")),
    )
    op.create_table(
        "portfolios",
        sa.Column("id", Whole, nullable=False),
        sa.Column("uid", Words, nullable=False),
        sa.Column("account_id", Whole, nullable=False),
        sa.Column("user_id", Whole, nullable=False),
        sa.Column("name", Words, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_portfolios_account_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_portfolios_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portfolios")),
        sa.UniqueConstraint("uid", name=op.f("uq_portfolios_uid")),
        sa.UniqueConstraint("user_id", "account_id", "name", name=op.f("uq_portfolios_user_id_account_id_name")),
    )
    op.create_table(
        "risk_breaches",
        sa.Column("account_id", Whole, autoincrement=False, nullable=False),
        sa.Column("id", Whole, autoincrement=False, nullable=False),
        sa.Column("link_seq", Whole, nullable=False),
        sa.Column("action", Words, nullable=False),
        sa.Column("intent_key", Words, nullable=False),
        sa.Column("details_json", Words, nullable=False),
        sa.Column("observed_json", Words, nullable=False),
        sa.Column("at", Utc(), nullable=False),
        sa.CheckConstraint(
            "action IN ('BLOCKED', 'WARNED', 'REDUCED_SIZE', 'CLOSED_POSITION')", name=op.f("ck_risk_breaches_action")
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_risk_breaches_account_id")),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_risk_breaches")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "trade_cursors",
        sa.Column("account_id", Whole, autoincrement=False, nullable=False),
        sa.Column("cursor", Whole, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_trade_cursors_account_id")),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_trade_cursors")),
    )
    op.create_table(
        "verdicts",
        sa.Column("account_id", Whole, autoincrement=False, nullable=False),
        sa.Column("id", Whole, autoincrement=False, nullable=False),
        sa.Column("link_seq", Whole, nullable=False),
        sa.Column("user_id", Whole, nullable=False),
        sa.Column("intent_key", Words, nullable=False),
        sa.Column("body_hash", Words, nullable=False),
        sa.Column("client_order_id", Words, nullable=False),
        sa.Column("outcome", Words, nullable=False),
        sa.Column("limits_version", Whole, nullable=False),
        sa.Column("input_hash", Words, nullable=False),
        sa.Column("checks_json", Words, nullable=False),
        sa.Column("at", Utc(), nullable=False),
        sa.CheckConstraint("outcome IN ('APPROVED', 'REFUSED')", name=op.f("ck_verdicts_outcome")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_verdicts_account_id")),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_verdicts")),
        sa.UniqueConstraint(
            "account_id", "user_id", "intent_key", name=op.f("uq_verdicts_account_id_user_id_intent_key")
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "balances",
        sa.Column("account_id", Whole, autoincrement=False, nullable=False),
        sa.Column("portfolio_id", Whole, autoincrement=False, nullable=False),
        sa.Column("pocket", Words, nullable=False),
        sa.Column("asset", Words, nullable=False),
        sa.Column("amount", Exact(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_balances_account_id")),
        sa.ForeignKeyConstraint(["portfolio_id"], ["portfolios.id"], name=op.f("fk_balances_portfolio_id")),
        sa.PrimaryKeyConstraint("account_id", "portfolio_id", "pocket", "asset", name=op.f("pk_balances")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "bots",
        sa.Column("id", Whole, nullable=False),
        sa.Column("portfolio_id", Whole, nullable=False),
        sa.Column("instrument_id", Whole, nullable=False),
        sa.Column("name", Words, nullable=False),
        sa.Column("strategy", Words, nullable=False),
        sa.Column("params_json", Words, nullable=False),
        sa.Column("status", Words, nullable=False),
        sa.Column("state_json", Words, nullable=False),
        sa.CheckConstraint("status IN ('RUNNING', 'STOPPED', 'ERROR')", name=op.f("ck_bots_status")),
        sa.ForeignKeyConstraint(["instrument_id"], ["instruments.id"], name=op.f("fk_bots_instrument_id")),
        sa.ForeignKeyConstraint(["portfolio_id"], ["portfolios.id"], name=op.f("fk_bots_portfolio_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bots")),
    )
    op.create_table(
        "cash_lines",
        sa.Column("account_id", Whole, autoincrement=False, nullable=False),
        sa.Column("id", Whole, autoincrement=False, nullable=False),
        sa.Column("link_seq", Whole, nullable=False),
        sa.Column("portfolio_id", Whole, nullable=False),
        sa.Column("pocket", Words, nullable=False),
        sa.Column("asset", Words, nullable=False),
        sa.Column("kind", Words, nullable=False),
        sa.Column("amount", Exact(), nullable=False),
        sa.Column("reference", Words, nullable=False),
        sa.Column("at", Utc(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('TRADE', 'FEE', 'FUNDING', 'INTEREST', 'BORROW', 'REPAY', 'DEPOSIT', 'WITHDRAWAL', 'TRANSFER', "
            "'DIVIDEND', 'SPLIT', 'CORRECTION', 'BUST', 'ADL', 'LIQUIDATION', 'SETTLEMENT', 'ADJUSTMENT', 'RESET')",
            name=op.f("ck_cash_lines_kind"),
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_cash_lines_account_id")),
        sa.ForeignKeyConstraint(["portfolio_id"], ["portfolios.id"], name=op.f("fk_cash_lines_portfolio_id")),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_cash_lines")),
        sa.UniqueConstraint(
            "account_id",
            "reference",
            "kind",
            "portfolio_id",
            "pocket",
            "asset",
            name=op.f("uq_cash_lines_account_id_reference_kind_portfolio_id_pocket_asset"),
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "orders",
        sa.Column("account_id", Whole, autoincrement=False, nullable=False),
        sa.Column("id", Whole, autoincrement=False, nullable=False),
        sa.Column("uid", Words, nullable=False),
        sa.Column("client_order_id", Words, nullable=False),
        sa.Column("broker_order_id", Words, nullable=True),
        sa.Column("portfolio_id", Whole, nullable=False),
        sa.Column("user_id", Whole, nullable=False),
        sa.Column("strategy_id", Whole, nullable=False),
        sa.Column("instrument_id", Whole, nullable=False),
        sa.Column("intent_key", Words, nullable=False),
        sa.Column("side", Words, nullable=False),
        sa.Column("type", Words, nullable=False),
        sa.Column("requested_quantity", Exact(), nullable=True),
        sa.Column("requested_value", Exact(), nullable=True),
        sa.Column("quantity", Exact(), nullable=False),
        sa.Column("value", Exact(), nullable=False),
        sa.Column("closes", Whole, nullable=False),
        sa.Column("price", Exact(), nullable=True),
        sa.Column("stop_price", Exact(), nullable=True),
        sa.Column("time_in_force", Words, nullable=False),
        sa.Column("reduce_only", Whole, nullable=False),
        sa.Column("post_only", Whole, nullable=False),
        sa.Column("allow_smaller", Whole, nullable=False),
        sa.Column("allow_repeat", Whole, nullable=False),
        sa.Column("state", Words, nullable=False),
        sa.Column("filled_quantity", Exact(), nullable=False),
        sa.Column("reserved", Exact(), nullable=False),
        sa.Column("reserved_asset", Words, nullable=False),
        sa.Column("reason", Words, nullable=False),
        sa.Column("triggered_by", Words, nullable=False),
        sa.Column("signal_context", Words, nullable=False),
        sa.Column("made_at", Utc(), nullable=False),
        sa.Column("placed_at", Utc(), nullable=False),
        sa.Column("updated_at", Utc(), nullable=False),
        sa.CheckConstraint("side IN ('BUY', 'SELL')", name=op.f("ck_orders_side")),
        sa.CheckConstraint(
            "state IN ('PENDING', 'NEW', 'PARTIALLY_FILLED', 'FILLED', 'CANCELED', 'REJECTED', 'EXPIRED', 'UNKNOWN')",
            name=op.f("ck_orders_state"),
        ),
        sa.CheckConstraint("time_in_force IN ('GTC', 'IOC', 'FOK', 'DAY')", name=op.f("ck_orders_time_in_force")),
        sa.CheckConstraint(
            "type IN ('MARKET', 'LIMIT', 'STOP', 'STOP_LIMIT', 'TRAILING')", name=op.f("ck_orders_type")
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_orders_account_id")),
        sa.ForeignKeyConstraint(["instrument_id"], ["instruments.id"], name=op.f("fk_orders_instrument_id")),
        sa.ForeignKeyConstraint(["portfolio_id"], ["portfolios.id"], name=op.f("fk_orders_portfolio_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_orders_user_id")),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_orders")),
        sa.UniqueConstraint("account_id", "client_order_id", name=op.f("uq_orders_account_id_client_order_id")),
        sa.UniqueConstraint("uid", name=op.f("uq_orders_uid")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_orders_broker_order_id", "orders", ["account_id", "broker_order_id"], unique=False)
    op.create_index(
        "ix_orders_live",
        "orders",
        ["account_id", "state"],
        unique=False,
        sqlite_where=sa.text("state IN ('PENDING', 'NEW', 'PARTIALLY_FILLED', 'UNKNOWN')"),
        postgresql_where=sa.text("state IN ('PENDING', 'NEW', 'PARTIALLY_FILLED', 'UNKNOWN')"),
    )
    op.create_table(
        "positions",
        sa.Column("account_id", Whole, autoincrement=False, nullable=False),
        sa.Column("portfolio_id", Whole, autoincrement=False, nullable=False),
        sa.Column("instrument_id", Whole, autoincrement=False, nullable=False),
        sa.Column("strategy_id", Whole, autoincrement=False, nullable=False),
        sa.Column("leg", Words, nullable=False),
        sa.Column("quantity", Exact(), nullable=False),
        sa.Column("cost", Exact(), nullable=False),
        sa.Column("realized_pnl", Exact(), nullable=False),
        sa.Column("fees_json", Words, nullable=False),
        sa.Column("fee_cost", Exact(), nullable=False),
        sa.Column("opened_at", Utc(), nullable=True),
        sa.Column("folded_time", Utc(), nullable=True),
        sa.Column("folded_sequence", Whole, nullable=True),
        sa.Column("folded_trade_id", Words, nullable=True),
        sa.Column("folded_revision", Whole, nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_positions_account_id")),
        sa.ForeignKeyConstraint(["instrument_id"], ["instruments.id"], name=op.f("fk_positions_instrument_id")),
        sa.ForeignKeyConstraint(["portfolio_id"], ["portfolios.id"], name=op.f("fk_positions_portfolio_id")),
        sa.PrimaryKeyConstraint(
            "account_id", "portfolio_id", "instrument_id", "strategy_id", "leg", name=op.f("pk_positions")
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "trades",
        sa.Column("account_id", Whole, autoincrement=False, nullable=False),
        sa.Column("id", Whole, autoincrement=False, nullable=False),
        sa.Column("link_seq", Whole, nullable=False),
        sa.Column("instrument_id", Whole, nullable=False),
        sa.Column("broker_trade_id", Words, nullable=False),
        sa.Column("revision", Whole, nullable=False),
        sa.Column("portfolio_id", Whole, nullable=False),
        sa.Column("strategy_id", Whole, nullable=False),
        sa.Column("order_id", Whole, nullable=False),
        sa.Column("client_order_id", Words, nullable=True),
        sa.Column("broker_order_id", Words, nullable=True),
        sa.Column("side", Words, nullable=False),
        sa.Column("quantity", Exact(), nullable=False),
        sa.Column("price", Exact(), nullable=False),
        sa.Column("notional", Exact(), nullable=False),
        sa.Column("fee", Exact(), nullable=False),
        sa.Column("fee_currency", Words, nullable=False),
        sa.Column("realized_cash", Exact(), nullable=True),
        sa.Column("triggered_by", Words, nullable=False),
        sa.Column("exec_time", Utc(), nullable=False),
        sa.Column("sequence", Whole, nullable=False),
        sa.CheckConstraint("side IN ('BUY', 'SELL')", name=op.f("ck_trades_side")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_trades_account_id")),
        sa.ForeignKeyConstraint(["instrument_id"], ["instruments.id"], name=op.f("fk_trades_instrument_id")),
        sa.ForeignKeyConstraint(["portfolio_id"], ["portfolios.id"], name=op.f("fk_trades_portfolio_id")),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_trades")),
        sa.UniqueConstraint(
            "account_id",
            "instrument_id",
            "broker_trade_id",
            "revision",
            name=op.f("uq_trades_account_id_instrument_id_broker_trade_id_revision"),
        ),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_trades_position", "trades", ["account_id", "portfolio_id", "instrument_id", "strategy_id"], unique=False
    )
    _refuse_changes_of_facts()


def downgrade() -> None:
    """Drop everything; the triggers go with their tables."""
    op.drop_index("ix_trades_position", table_name="trades")
    op.drop_table("trades")
    op.drop_table("positions")
    op.drop_index(
        "ix_orders_live",
        table_name="orders",
        sqlite_where=sa.text("state IN ('PENDING', 'NEW', 'PARTIALLY_FILLED', 'UNKNOWN')"),
        postgresql_where=sa.text("state IN ('PENDING', 'NEW', 'PARTIALLY_FILLED', 'UNKNOWN')"),
    )
    op.drop_index("ix_orders_broker_order_id", table_name="orders")
    op.drop_table("orders")
    op.drop_table("cash_lines")
    op.drop_table("bots")
    op.drop_table("balances")
    op.drop_table("verdicts")
    op.drop_table("trade_cursors")
    op.drop_table("risk_breaches")
    op.drop_table("portfolios")
    op.drop_table("nav")
    op.drop_table("leverages")
    op.drop_table("guard_alerts")
    op.drop_index("ix_equity_snapshots_at", table_name="equity_snapshots")
    op.drop_table("equity_snapshots")
    op.drop_table("accounts")
    op.drop_table("users")
    op.drop_table("risk_policies")
    op.drop_table("meta")
    op.drop_table("instruments")
    op.drop_table("heads")
    op.drop_table("halts")
    op.drop_table("events")
    op.drop_table("audit_log")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_change_of_facts()")


def _refuse_changes_of_facts() -> None:
    postgresql = op.get_bind().dialect.name == "postgresql"
    if postgresql:
        op.execute(
            "CREATE FUNCTION refuse_change_of_facts() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "RAISE EXCEPTION '% holds facts: they are added, never changed or removed', TG_TABLE_NAME; END $$"
        )
    for table in FACTS:
        if postgresql:
            op.execute(
                f"CREATE TRIGGER tr_{table}_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
                f"FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_facts()"
            )
            continue
        refusal = f"RAISE(ABORT, '{table} holds facts: they are added, never changed or removed')"
        for change in ("UPDATE", "DELETE"):
            name = f"tr_{table}_no_{change.lower()}"
            op.execute(f"CREATE TRIGGER {name} BEFORE {change} ON {table} BEGIN SELECT {refusal}; END")
