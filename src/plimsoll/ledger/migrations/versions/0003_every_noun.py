"""Every noun of the desk: what people set up, what venues say, what each day earned; and signs on every amount.

Revision: 0003, after 0002
Deploy:   stop the desk, start this release; it brings the tables up to date by itself. On SQLite a table that gets a
          constraint is written anew, and days and states are folded once, so a large book may take minutes. Going
          back drops what only this release knows, and is refused once the chain covers any of it: restore the backup
          from before instead.

What a migration needs it says itself, as the first one does.
"""

# ruff: noqa: E501  constraints as SQLAlchemy writes them

from collections.abc import Iterable

import sqlalchemy as sa
from alembic import op

from plimsoll.model.errors import PlimsollError
from plimsoll.store.columns import Exact, Utc, Whole, Words

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

#: Columns that tables of the releases before get, at their ends.
COLUMNS: dict[str, tuple[sa.Column[object], ...]] = {
    "instruments": (sa.Column("pip_size", Exact()),),
    "risk_policies": (
        sa.Column("made_by", Words),
        sa.Column("made_at", Utc()),
    ),
    "users": (
        sa.Column("approved_at", Utc()),
        sa.Column("approved_by_user_id", Whole),
        sa.Column("telegram_user_id", Words),
        sa.Column("deleted_at", Utc()),
    ),
    "accounts": (
        sa.Column("account_uid", Words),
        sa.Column("status", Words, nullable=False, server_default="active"),
        sa.Column("deleted_at", Utc()),
    ),
    "equity_snapshots": (
        sa.Column("portfolio_id", Whole, nullable=False, server_default="0"),
        sa.Column("occasion", Words, nullable=False, server_default="READING"),
        sa.Column("rates_json", Words),
    ),
    "portfolios": (sa.Column("deleted_at", Utc()),),
    "bots": (
        sa.Column("strategy_version_id", Whole),
        sa.Column("deleted_at", Utc()),
    ),
    "cash_lines": (
        sa.Column("instrument_id", Whole),
        sa.Column("strategy_id", Whole),
        sa.Column("leg", Words),
    ),
    "positions": (
        sa.Column("flows_json", Words, nullable=False, server_default="[]"),
        sa.Column("uncosted", Exact(), nullable=False, server_default="0"),
        sa.Column("uncosted_proceeds", Exact(), nullable=False, server_default="0"),
    ),
    "trades": (
        sa.Column("effect", Words),
        sa.Column("leg", Words),
    ),
}

#: Constraints that they get, by name.
CONSTRAINTS: dict[str, dict[str, str]] = {
    "halts": {
        "ck_halts_yes_or_no": "CHECK (latched IN (0, 1))",
    },
    "instruments": {
        "ck_instruments_yes_or_no": "CHECK (inverse IN (0, 1) AND tradable IN (0, 1))",
        "ck_instruments_signs": "CHECK (tick_size > '0' AND lot_size > '0' AND multiplier > '0' AND max_leverage > '0' AND min_quantity >= '0' AND min_notional >= '0')",
    },
    "users": {
        "ck_users_yes_or_no": "CHECK (approved IN (0, 1) AND active IN (0, 1))",
        "uq_users_telegram_user_id": "UNIQUE (telegram_user_id)",
    },
    "accounts": {
        "ck_accounts_status": "CHECK (status IN ('connecting', 'active', 'paused', 'error', 'suspended', 'deleted'))",
    },
    "equity_snapshots": {
        "ck_equity_snapshots_occasion": "CHECK (occasion IN ('READING', 'FLOW', 'PEAK', 'TROUGH'))",
        "ck_equity_snapshots_signs": "CHECK (drawdown >= '0')",
    },
    "leverages": {
        "ck_leverages_signs": "CHECK (leverage > '0')",
    },
    "balances": {
        "ck_balances_pocket": "CHECK (pocket IN ('spot', 'margin', 'futures', 'loan') OR pocket LIKE 'isolated:_%')",
    },
    "bots": {
        "fk_bots_strategy_version_id": "FOREIGN KEY(strategy_version_id) REFERENCES strategies (id)",
    },
    "cash_lines": {
        "ck_cash_lines_pocket": "CHECK (pocket IN ('spot', 'margin', 'futures', 'loan') OR pocket LIKE 'isolated:_%')",
        "ck_cash_lines_belongs": "CHECK ((instrument_id IS NULL) = (strategy_id IS NULL))",
    },
    "orders": {
        "ck_orders_yes_or_no": "CHECK (closes IN (0, 1) AND reduce_only IN (0, 1) AND post_only IN (0, 1) AND allow_smaller IN (0, 1) AND allow_repeat IN (0, 1))",
        "ck_orders_signs": "CHECK (quantity > '0' AND value >= '0' AND filled_quantity >= '0' AND reserved >= '0')",
    },
    "positions": {
        "ck_positions_signs": "CHECK (uncosted >= '0')",
    },
    "trades": {
        "ck_trades_effect": "CHECK (effect IN ('CORRECT', 'BUST'))",
        "ck_trades_revision": "CHECK (revision >= 0 AND (effect IS NULL) = (revision = 0))",
        "ck_trades_signs": "CHECK (quantity > '0' AND price > '0' AND notional >= '0')",
    },
}

#: What only this release can read, in tables that the chain covers: with any of it there is no way back.
COVERED = (
    ("position_entries", "1 = 1"),
    ("trades", "effect IS NOT NULL OR leg IS NOT NULL"),
    ("cash_lines", "instrument_id IS NOT NULL OR leg IS NOT NULL"),
)

#: What only this release knows to be at rest: the release before would let it in, or let it trade.
AT_REST = (
    ("users", "deleted_at IS NOT NULL"),
    ("accounts", "deleted_at IS NOT NULL OR status <> 'active'"),
    ("portfolios", "deleted_at IS NOT NULL"),
    ("bots", "deleted_at IS NOT NULL"),
)


class NoWayBack(PlimsollError):
    """The release before cannot go on with this book: restore a backup from before the upgrade instead."""


def upgrade() -> None:
    """Make the new tables, and give the old ones their columns and constraints."""
    _create()
    for table in dict.fromkeys((*COLUMNS, *CONSTRAINTS)):
        if op.get_bind().dialect.name == "sqlite":
            _rewrite(table, _with(table))
        else:
            _alter(table)
    _refuse_changes_of_facts("position_entries")


def downgrade() -> None:
    """Take all of it away again.

    Raises: NoWayBack
    """
    for conditions, what in ((COVERED, "facts that it cannot read"), (AT_REST, "what it would wake again")):
        for table, condition in conditions:
            if op.get_bind().execute(sa.text(f"SELECT 1 FROM {table} WHERE {condition} LIMIT 1")).scalar():  # noqa: S608  constants above
                raise NoWayBack(f"{table} holds {what}. {NoWayBack.__doc__}")
    for table in dict.fromkeys((*COLUMNS, *CONSTRAINTS)):
        if op.get_bind().dialect.name == "sqlite":
            _rewrite(table, _without(table))
        else:
            _alter_back(table)
    for table in reversed(TABLES):
        op.drop_table(table)


def _with(table: str) -> list[str]:
    """Give the lines of a table's DDL as they are to be."""
    lines = _lines(table)
    columns = [line for line in lines if not line.startswith("CONSTRAINT")]
    return [*columns, *_columns(table), *lines[len(columns) :], *_constraints(table)]


def _columns(table: str) -> list[str]:
    return [str(sa.schema.CreateColumn(column).compile(op.get_bind())) for column in COLUMNS.get(table, ())]


def _constraints(table: str) -> list[str]:
    return [f"CONSTRAINT {name} {said}" for name, said in CONSTRAINTS.get(table, {}).items()]


def _without(table: str) -> list[str]:
    added = {column.name for column in COLUMNS.get(table, ())}
    constraints = CONSTRAINTS.get(table, {})
    words = [(line, line.split()) for line in _lines(table)]
    return [
        line
        for line, (first, second, *_) in words
        if first not in added and not (first == "CONSTRAINT" and second in constraints)
    ]


def _lines(table: str) -> list[str]:
    # As SQLAlchemy writes it: a line for each column, then a line for each constraint.
    return [line.strip().rstrip(",") for line in _ddl(table).partition("\n)")[0].splitlines()[1:]]


def _ddl(table: str) -> str:
    wanted = sa.text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :name")
    return str(op.get_bind().execute(wanted, {"name": table}).scalar_one())


def _rewrite(table: str, lines: Iterable[str]) -> None:
    """Write a table of SQLite anew, which cannot add a constraint to one: its rows, indexes and triggers stay."""
    connection = op.get_bind()
    beside = sa.text("SELECT type, name, sql FROM sqlite_master WHERE tbl_name = :name AND type <> 'table'")
    kept = [row for row in connection.execute(beside, {"name": table}) if row.sql is not None]
    ending = _ddl(table).partition("\n)")[2]
    columns = {str(column["name"]) for column in sa.inspect(connection).get_columns(table)}
    # Renaming as SQLite once did it: what points to the table goes on pointing to its name, not to the old rows.
    op.execute("PRAGMA legacy_alter_table = ON")
    for kind, name, _ in kept:
        op.execute(f"DROP {kind} {name}")
    op.execute(f"ALTER TABLE {table} RENAME TO {table}_before")
    op.execute("PRAGMA legacy_alter_table = OFF")
    body = ", \n\t".join(lines)
    # Not through `op.execute`, which would look for parameters in text that is SQLite's already.
    connection.exec_driver_sql(f"CREATE TABLE {table} (\n\t{body}\n){ending}")
    both = ", ".join(
        str(column["name"]) for column in sa.inspect(connection).get_columns(table) if column["name"] in columns
    )
    op.execute(f"INSERT INTO {table} ({both}) SELECT {both} FROM {table}_before")  # noqa: S608  names of our own
    op.execute(f"DROP TABLE {table}_before")
    for _, _, sql in kept:
        connection.exec_driver_sql(sql)


def _alter(table: str) -> None:
    # One statement: the rows are read once, for all of it.
    added = [f"ADD COLUMN {line}" for line in _columns(table)] + [f"ADD {line}" for line in _constraints(table)]
    op.get_bind().exec_driver_sql(f"ALTER TABLE {table} {', '.join(added)}".replace("%", "%%"))


def _alter_back(table: str) -> None:
    gone = [f"DROP CONSTRAINT {name}" for name in CONSTRAINTS.get(table, {})]
    gone += [f"DROP COLUMN {column.name}" for column in COLUMNS.get(table, ())]
    op.get_bind().exec_driver_sql(f"ALTER TABLE {table} {', '.join(gone)}")


def _refuse_changes_of_facts(table: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE TRIGGER tr_{table}_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_facts()"
        )
        return
    refusal = f"RAISE(ABORT, '{table} holds facts: they are added, never changed or removed')"
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER tr_{table}_no_{change.lower()} BEFORE {change} ON {table} BEGIN SELECT {refusal}; END"
        )


def _create() -> None:
    op.create_table(
        "brokers",
        sa.Column("id", Whole, nullable=False),
        sa.Column("slug", Words, nullable=False),
        sa.Column("name", Words, nullable=False),
        sa.Column("kind", Words, nullable=False),
        sa.Column("definition_json", Words, nullable=False),
        sa.Column("version", Whole, nullable=False),
        sa.Column("deleted_at", Utc(), nullable=True),
        sa.CheckConstraint("kind IN ('paper', 'crypto', 'broker', 'mt5')", name=op.f("ck_brokers_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_brokers")),
        sa.UniqueConstraint("slug", name=op.f("uq_brokers_slug")),
    )
    op.create_table(
        "leases",
        sa.Column("name", Words, nullable=False),
        sa.Column("holder", Words, nullable=False),
        sa.Column("epoch", Whole, nullable=False),
        sa.Column("control_version", Whole, nullable=False),
        sa.Column("until", Utc(), nullable=False),
        sa.CheckConstraint("epoch >= 0 AND control_version >= 0", name=op.f("ck_leases_counts")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "alerts",
        sa.Column("id", Whole, nullable=False),
        sa.Column("uid", Words, nullable=False),
        sa.Column("user_id", Whole, nullable=False),
        sa.Column("name", Words, nullable=False),
        sa.Column("config_json", Words, nullable=False),
        sa.Column("kind", Words, nullable=False),
        sa.Column("status", Words, nullable=False),
        sa.Column("fired_at", Utc(), nullable=True),
        sa.Column("created_at", Utc(), nullable=False),
        sa.Column("updated_at", Utc(), nullable=False),
        sa.Column("deleted_at", Utc(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('PRICE', 'INDICATOR', 'POSITION', 'RISK', 'SCHEDULE')", name=op.f("ck_alerts_kind")
        ),
        sa.CheckConstraint("status IN ('ARMED', 'DISARMED', 'OFF')", name=op.f("ck_alerts_status")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_alerts_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
        sa.UniqueConstraint("uid", name=op.f("uq_alerts_uid")),
    )
    op.create_index(
        "uq_alerts_user_id_name",
        "alerts",
        ["user_id", "name"],
        unique=True,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "instrument_aliases",
        sa.Column("id", Whole, nullable=False),
        sa.Column("instrument_id", Whole, nullable=False),
        sa.Column("venue", Words, nullable=False),
        sa.Column("symbol", Words, nullable=False),
        sa.Column("until", Utc(), nullable=False),
        sa.ForeignKeyConstraint(
            ["instrument_id"], ["instruments.id"], name=op.f("fk_instrument_aliases_instrument_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instrument_aliases")),
        sa.UniqueConstraint("venue", "symbol", "until", name=op.f("uq_instrument_aliases_venue_symbol_until")),
    )
    op.create_table(
        "margin_tiers",
        sa.Column("instrument_id", Whole, autoincrement=False, nullable=False),
        sa.Column("tier", Whole, autoincrement=False, nullable=False),
        sa.Column("notional_from", Exact(), nullable=False),
        sa.Column("notional_to", Exact(), nullable=True),
        sa.Column("max_leverage", Exact(), nullable=False),
        sa.Column("maintenance_ratio", Exact(), nullable=False),
        sa.Column("maintenance_amount", Exact(), nullable=False),
        sa.Column("updated_at", Utc(), nullable=False),
        sa.CheckConstraint(
            "max_leverage > '0' AND notional_from >= '0' AND maintenance_ratio >= '0' AND maintenance_amount >= '0'",
            name=op.f("ck_margin_tiers_signs"),
        ),
        sa.ForeignKeyConstraint(["instrument_id"], ["instruments.id"], name=op.f("fk_margin_tiers_instrument_id")),
        sa.PrimaryKeyConstraint("instrument_id", "tier", name=op.f("pk_margin_tiers")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "schedules",
        sa.Column("id", Whole, nullable=False),
        sa.Column("uid", Words, nullable=False),
        sa.Column("user_id", Whole, nullable=False),
        sa.Column("name", Words, nullable=False),
        sa.Column("config_json", Words, nullable=False),
        sa.Column("cron", Words, nullable=False),
        sa.Column("status", Words, nullable=False),
        sa.Column("last_tick", Utc(), nullable=True),
        sa.Column("created_at", Utc(), nullable=False),
        sa.Column("updated_at", Utc(), nullable=False),
        sa.Column("deleted_at", Utc(), nullable=True),
        sa.CheckConstraint("status IN ('ON', 'OFF')", name=op.f("ck_schedules_status")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_schedules_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedules")),
        sa.UniqueConstraint("uid", name=op.f("uq_schedules_uid")),
    )
    op.create_index(
        "uq_schedules_user_id_name",
        "schedules",
        ["user_id", "name"],
        unique=True,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "screeners",
        sa.Column("id", Whole, nullable=False),
        sa.Column("uid", Words, nullable=False),
        sa.Column("user_id", Whole, nullable=False),
        sa.Column("name", Words, nullable=False),
        sa.Column("config_json", Words, nullable=False),
        sa.Column("created_at", Utc(), nullable=False),
        sa.Column("updated_at", Utc(), nullable=False),
        sa.Column("deleted_at", Utc(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_screeners_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_screeners")),
        sa.UniqueConstraint("uid", name=op.f("uq_screeners_uid")),
    )
    op.create_index(
        "uq_screeners_user_id_name",
        "screeners",
        ["user_id", "name"],
        unique=True,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "strategies",
        sa.Column("id", Whole, nullable=False),
        sa.Column("uid", Words, nullable=False),
        sa.Column("user_id", Whole, nullable=False),
        sa.Column("name", Words, nullable=False),
        sa.Column("version", Whole, nullable=False),
        sa.Column("kind", Words, nullable=False),
        sa.Column("params_json", Words, nullable=False),
        sa.Column("made_at", Utc(), nullable=False),
        sa.Column("deleted_at", Utc(), nullable=True),
        sa.CheckConstraint("version > 0", name=op.f("ck_strategies_version")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_strategies_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_strategies")),
        sa.UniqueConstraint("uid", name=op.f("uq_strategies_uid")),
        sa.UniqueConstraint("user_id", "name", "version", name=op.f("uq_strategies_user_id_name_version")),
    )
    op.create_table(
        "breaks",
        sa.Column("account_id", Whole, autoincrement=False, nullable=False),
        sa.Column("id", Whole, autoincrement=False, nullable=False),
        sa.Column("kind", Words, nullable=False),
        sa.Column("subject", Words, nullable=False),
        sa.Column("sentence", Words, nullable=False),
        sa.Column("proposal", Words, nullable=False),
        sa.Column("status", Words, nullable=False),
        sa.Column("seen_count", Whole, nullable=False),
        sa.Column("first_seen", Utc(), nullable=False),
        sa.Column("last_seen", Utc(), nullable=False),
        sa.Column("resolved_by", Words, nullable=True),
        sa.Column("resolved_at", Utc(), nullable=True),
        sa.Column("resolution", Words, nullable=True),
        sa.CheckConstraint("status IN ('OPEN', 'GONE', 'RESOLVED')", name=op.f("ck_breaks_status")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_breaks_account_id")),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_breaks")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "uq_breaks_open",
        "breaks",
        ["account_id", "kind", "subject"],
        unique=True,
        sqlite_where=sa.text("status = 'OPEN'"),
        postgresql_where=sa.text("status = 'OPEN'"),
    )
    op.create_table(
        "external_orders",
        sa.Column("account_id", Whole, autoincrement=False, nullable=False),
        sa.Column("id", Whole, autoincrement=False, nullable=False),
        sa.Column("instrument_id", Whole, nullable=False),
        sa.Column("broker_order_id", Words, nullable=False),
        sa.Column("client_order_id", Words, nullable=True),
        sa.Column("ours", Whole, nullable=False),
        sa.Column("side", Words, nullable=False),
        sa.Column("type", Words, nullable=False),
        sa.Column("quantity", Exact(), nullable=False),
        sa.Column("filled_quantity", Exact(), nullable=False),
        sa.Column("price", Exact(), nullable=True),
        sa.Column("state", Words, nullable=False),
        sa.Column("first_seen", Utc(), nullable=False),
        sa.Column("last_seen", Utc(), nullable=False),
        sa.Column("status", Words, nullable=False),
        sa.Column("resolved_by", Words, nullable=True),
        sa.CheckConstraint("quantity > '0' AND filled_quantity >= '0'", name=op.f("ck_external_orders_signs")),
        sa.CheckConstraint("side IN ('BUY', 'SELL')", name=op.f("ck_external_orders_side")),
        sa.CheckConstraint(
            "state IN ('PENDING', 'NEW', 'PARTIALLY_FILLED', 'FILLED', 'CANCELED', 'REJECTED', 'EXPIRED', 'UNKNOWN')",
            name=op.f("ck_external_orders_state"),
        ),
        sa.CheckConstraint("status IN ('OPEN', 'ASSIGNED', 'IGNORED')", name=op.f("ck_external_orders_status")),
        sa.CheckConstraint(
            "type IN ('MARKET', 'LIMIT', 'STOP', 'STOP_LIMIT', 'TRAILING')", name=op.f("ck_external_orders_type")
        ),
        sa.CheckConstraint("ours IN (0, 1)", name=op.f("ck_external_orders_yes_or_no")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_external_orders_account_id")),
        sa.ForeignKeyConstraint(["instrument_id"], ["instruments.id"], name=op.f("fk_external_orders_instrument_id")),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_external_orders")),
        sa.UniqueConstraint(
            "account_id",
            "instrument_id",
            "broker_order_id",
            name=op.f("uq_external_orders_account_id_instrument_id_broker_order_id"),
        ),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_external_orders_client_order_id", "external_orders", ["account_id", "client_order_id"], unique=False
    )
    op.create_table(
        "fund_resets",
        sa.Column("account_id", Whole, autoincrement=False, nullable=False),
        sa.Column("number", Whole, autoincrement=False, nullable=False),
        sa.Column("previous_balance", Exact(), nullable=True),
        sa.Column("new_balance", Exact(), nullable=False),
        sa.Column("reset_type", Words, nullable=False),
        sa.Column("reason", Words, nullable=False),
        sa.Column("reset_by", Words, nullable=False),
        sa.Column("reset_at", Utc(), nullable=False),
        sa.CheckConstraint("reset_type IN ('MANUAL', 'AUTOMATIC')", name=op.f("ck_fund_resets_reset_type")),
        sa.CheckConstraint("number > 0", name=op.f("ck_fund_resets_number")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_fund_resets_account_id")),
        sa.PrimaryKeyConstraint("account_id", "number", name=op.f("pk_fund_resets")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "order_states",
        sa.Column("account_id", Whole, autoincrement=False, nullable=False),
        sa.Column("order_id", Whole, autoincrement=False, nullable=False),
        sa.Column("link_seq", Whole, autoincrement=False, nullable=False),
        sa.Column("state", Words, nullable=False),
        sa.Column("filled_quantity", Exact(), nullable=False),
        sa.Column("reason", Words, nullable=False),
        sa.Column("at", Utc(), nullable=False),
        sa.CheckConstraint("filled_quantity >= '0'", name=op.f("ck_order_states_signs")),
        sa.CheckConstraint(
            "state IN ('PENDING', 'NEW', 'PARTIALLY_FILLED', 'FILLED', 'CANCELED', 'REJECTED', 'EXPIRED', 'UNKNOWN')",
            name=op.f("ck_order_states_state"),
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_order_states_account_id")),
        sa.PrimaryKeyConstraint("account_id", "order_id", "link_seq", name=op.f("pk_order_states")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "reconciliation_log",
        sa.Column("account_id", Whole, autoincrement=False, nullable=False),
        sa.Column("id", Whole, autoincrement=False, nullable=False),
        sa.Column("at", Utc(), nullable=False),
        sa.Column("outcome", Words, nullable=False),
        sa.Column("duration_ms", Whole, nullable=False),
        sa.Column("comparisons", Whole, nullable=False),
        sa.Column("differences_json", Words, nullable=False),
        sa.Column("snapshot_json", Words, nullable=False),
        sa.CheckConstraint("outcome IN ('EQUAL', 'DIFFERENT', 'UNKNOWN')", name=op.f("ck_reconciliation_log_outcome")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_reconciliation_log_account_id")),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_reconciliation_log")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_reconciliation_log_at", "reconciliation_log", ["account_id", "at"], unique=False)
    op.create_table(
        "sync_log",
        sa.Column("account_id", Whole, autoincrement=False, nullable=False),
        sa.Column("id", Whole, autoincrement=False, nullable=False),
        sa.Column("at", Utc(), nullable=False),
        sa.Column("cause", Words, nullable=False),
        sa.Column("duration_ms", Whole, nullable=False),
        sa.Column("outcome", Words, nullable=False),
        sa.Column("error", Words, nullable=True),
        sa.CheckConstraint("cause IN ('SCHEDULED', 'MANUAL', 'PRE_TRADE', 'START')", name=op.f("ck_sync_log_cause")),
        sa.CheckConstraint("outcome IN ('OK', 'FAILED')", name=op.f("ck_sync_log_outcome")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_sync_log_account_id")),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_sync_log")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_sync_log_at", "sync_log", ["account_id", "at"], unique=False)
    op.create_table(
        "venue_positions",
        sa.Column("account_id", Whole, autoincrement=False, nullable=False),
        sa.Column("instrument_id", Whole, autoincrement=False, nullable=False),
        sa.Column("leg", Words, nullable=False),
        sa.Column("quantity", Exact(), nullable=False),
        sa.Column("avg_price", Exact(), nullable=True),
        sa.Column("unrealized_pnl", Exact(), nullable=True),
        sa.Column("since", Utc(), nullable=False),
        sa.Column("updated_at", Utc(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_venue_positions_account_id")),
        sa.ForeignKeyConstraint(["instrument_id"], ["instruments.id"], name=op.f("fk_venue_positions_instrument_id")),
        sa.PrimaryKeyConstraint("account_id", "instrument_id", "leg", name=op.f("pk_venue_positions")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "pnl_days",
        sa.Column("account_id", Whole, autoincrement=False, nullable=False),
        sa.Column("portfolio_id", Whole, autoincrement=False, nullable=False),
        sa.Column("day", Words, nullable=False),
        sa.Column("instrument_id", Whole, autoincrement=False, nullable=False),
        sa.Column("strategy_id", Whole, autoincrement=False, nullable=False),
        sa.Column("leg", Words, nullable=False),
        sa.Column("realized_pnl", Exact(), nullable=False),
        sa.Column("turnover", Exact(), nullable=False),
        sa.Column("trade_count", Whole, nullable=False),
        sa.Column("fees_json", Words, nullable=False),
        sa.Column("flows_json", Words, nullable=False),
        sa.CheckConstraint("turnover >= '0'", name=op.f("ck_pnl_days_signs")),
        sa.CheckConstraint("trade_count >= 0", name=op.f("ck_pnl_days_trade_count")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_pnl_days_account_id")),
        sa.ForeignKeyConstraint(["instrument_id"], ["instruments.id"], name=op.f("fk_pnl_days_instrument_id")),
        sa.ForeignKeyConstraint(["portfolio_id"], ["portfolios.id"], name=op.f("fk_pnl_days_portfolio_id")),
        sa.PrimaryKeyConstraint(
            "account_id", "portfolio_id", "day", "instrument_id", "strategy_id", "leg", name=op.f("pk_pnl_days")
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "position_entries",
        sa.Column("account_id", Whole, autoincrement=False, nullable=False),
        sa.Column("id", Whole, autoincrement=False, nullable=False),
        sa.Column("link_seq", Whole, nullable=False),
        sa.Column("portfolio_id", Whole, nullable=False),
        sa.Column("instrument_id", Whole, nullable=False),
        sa.Column("strategy_id", Whole, nullable=False),
        sa.Column("leg", Words, nullable=False),
        sa.Column("kind", Words, nullable=False),
        sa.Column("quantity", Exact(), nullable=False),
        sa.Column("per", Exact(), nullable=True),
        sa.Column("cost", Exact(), nullable=True),
        sa.Column("reference", Words, nullable=False),
        sa.Column("at", Utc(), nullable=False),
        sa.Column("sequence", Whole, nullable=False),
        sa.CheckConstraint("(per IS NULL) = (kind <> 'SPLIT')", name=op.f("ck_position_entries_per")),
        sa.CheckConstraint("kind IN ('IN', 'OUT', 'SPLIT', 'FEE')", name=op.f("ck_position_entries_kind")),
        sa.CheckConstraint("quantity > '0'", name=op.f("ck_position_entries_signs")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_position_entries_account_id")),
        sa.ForeignKeyConstraint(["instrument_id"], ["instruments.id"], name=op.f("fk_position_entries_instrument_id")),
        sa.ForeignKeyConstraint(["portfolio_id"], ["portfolios.id"], name=op.f("fk_position_entries_portfolio_id")),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_position_entries")),
        sa.UniqueConstraint(
            "account_id",
            "reference",
            "kind",
            "portfolio_id",
            "instrument_id",
            "strategy_id",
            "leg",
            name="uq_position_entries_reference",
        ),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_position_entries_position",
        "position_entries",
        ["account_id", "portfolio_id", "instrument_id", "strategy_id"],
        unique=False,
    )
    op.create_table(
        "signals",
        sa.Column("account_id", Whole, autoincrement=False, nullable=False),
        sa.Column("id", Whole, autoincrement=False, nullable=False),
        sa.Column("bot_id", Whole, nullable=False),
        sa.Column("instrument_id", Whole, nullable=False),
        sa.Column("score", Exact(), nullable=False),
        sa.Column("temperature", Words, nullable=False),
        sa.Column("action", Words, nullable=False),
        sa.Column("details_json", Words, nullable=False),
        sa.Column("at", Utc(), nullable=False),
        sa.CheckConstraint("action IN ('BUY', 'SELL', 'HOLD')", name=op.f("ck_signals_action")),
        sa.CheckConstraint("temperature IN ('HOT', 'WARM', 'COOL', 'FROZEN')", name=op.f("ck_signals_temperature")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_signals_account_id")),
        sa.ForeignKeyConstraint(["bot_id"], ["bots.id"], name=op.f("fk_signals_bot_id")),
        sa.ForeignKeyConstraint(["instrument_id"], ["instruments.id"], name=op.f("fk_signals_instrument_id")),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_signals")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_signals_bot", "signals", ["account_id", "bot_id", "at"], unique=False)


TABLES = (
    "brokers",
    "leases",
    "alerts",
    "instrument_aliases",
    "margin_tiers",
    "schedules",
    "screeners",
    "strategies",
    "breaks",
    "external_orders",
    "fund_resets",
    "order_states",
    "reconciliation_log",
    "sync_log",
    "venue_positions",
    "pnl_days",
    "position_entries",
    "signals",
)
