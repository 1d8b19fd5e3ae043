"""What watches over accounts: equity, guards, halts, policies, comparisons with the venue."""

from sqlalchemy import Column, ForeignKey, Index, Table, UniqueConstraint, text

from plimsoll.ledger.schema.base import listed, metadata, one_of, signs, yes_or_no
from plimsoll.model.account import Scope, TradingState
from plimsoll.store.columns import Exact, Utc, Whole, Words

nav = Table(
    "nav",
    metadata,
    Column("account_id", Whole, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("units", Exact, nullable=False),
    Column("peak", Exact, nullable=False),
    Column("peak_at", Utc, nullable=False),
    Column("last", Exact, nullable=False),
)

equity_snapshots = Table(
    "equity_snapshots",
    metadata,
    Column("account_id", Whole, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("id", Whole, primary_key=True, autoincrement=False),
    Column("at", Utc, nullable=False),
    Column("equity", Exact, nullable=False),
    #: Value of one unit; deposits and withdrawals change the units, not the value.
    Column("nav", Exact, nullable=False),
    Column("peak", Exact, nullable=False),
    Column("drawdown", Exact, nullable=False),
    #: 0 for the account as a whole.
    Column("portfolio_id", Whole, nullable=False, server_default="0"),
    #: Why it is kept: what marks a flow, a peak or a trough outlives the thinning.
    Column("occasion", Words, nullable=False, server_default="READING"),
    #: The rates it was valued at: by asset, which quote said so, and how old it was.
    Column("rates_json", Words),
    Index("ix_equity_snapshots_at", "account_id", "at"),
    listed("occasion", "READING", "FLOW", "PEAK", "TROUGH"),
    signs(not_below=("drawdown",)),
    sqlite_with_rowid=False,
)

guard_alerts = Table(
    "guard_alerts",
    metadata,
    Column("account_id", Whole, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    #: Counts the account's episodes of this kind.
    Column("number", Whole, primary_key=True, autoincrement=False),
    Column("kind", Words, primary_key=True),
    Column("status", Words, nullable=False),
    Column("drawdown", Exact, nullable=False),
    Column("equity", Exact, nullable=False),
    Column("threshold", Exact, nullable=False),
    #: Which line was crossed.
    Column("action", Words, nullable=False),
    Column("opened_at", Utc),
    Column("deadline", Utc),
    Column("since", Utc),
    Column("ended_at", Utc),
    Column("closed_count", Whole, nullable=False),
    Column("loss", Exact, nullable=False),
    Column("details_json", Words, nullable=False),
    sqlite_with_rowid=False,
)

halts = Table(
    "halts",
    metadata,
    Column("scope_type", Words, primary_key=True),
    Column("scope_id", Whole, primary_key=True, autoincrement=False),
    Column("source", Words, primary_key=True),
    Column("state", Words, nullable=False),
    Column("reason", Words, nullable=False),
    Column("latched", Whole, nullable=False),
    Column("since", Utc, nullable=False),
    one_of("scope_type", Scope),
    one_of("state", TradingState),
    yes_or_no("latched"),
    sqlite_with_rowid=False,
)

risk_policies = Table(
    "risk_policies",
    metadata,
    Column("id", Whole, primary_key=True),
    Column("scope_type", Words, nullable=False),
    Column("scope_id", Whole, nullable=False),
    Column("version", Whole, nullable=False),
    Column("config_json", Words, nullable=False),
    #: By whom and when; null for those made before it was asked.
    Column("made_by", Words),
    Column("made_at", Utc),
    UniqueConstraint("scope_type", "scope_id", "version"),
    one_of("scope_type", Scope),
)

#: One line an hour, and one for every comparison with a difference.
reconciliation_log = Table(
    "reconciliation_log",
    metadata,
    Column("account_id", Whole, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("id", Whole, primary_key=True, autoincrement=False),
    Column("at", Utc, nullable=False),
    Column("outcome", Words, nullable=False),
    Column("duration_ms", Whole, nullable=False),
    #: How many comparisons this line stands for.
    Column("comparisons", Whole, nullable=False),
    Column("differences_json", Words, nullable=False),
    #: Equity, balances, counts, margin, as they were seen.
    Column("snapshot_json", Words, nullable=False),
    Index("ix_reconciliation_log_at", "account_id", "at"),
    listed("outcome", "EQUAL", "DIFFERENT", "UNKNOWN"),
    sqlite_with_rowid=False,
)

#: Open differences: a work-list for people. One that comes again counts up; one that is gone says so.
breaks = Table(
    "breaks",
    metadata,
    Column("account_id", Whole, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("id", Whole, primary_key=True, autoincrement=False),
    Column("kind", Words, nullable=False),
    #: What it is about, so that the same one is found again.
    Column("subject", Words, nullable=False),
    Column("sentence", Words, nullable=False),
    Column("proposal", Words, nullable=False),
    Column("status", Words, nullable=False),
    Column("seen_count", Whole, nullable=False),
    Column("first_seen", Utc, nullable=False),
    Column("last_seen", Utc, nullable=False),
    Column("resolved_by", Words),
    Column("resolved_at", Utc),
    Column("resolution", Words),
    listed("status", "OPEN", "GONE", "RESOLVED"),
    sqlite_with_rowid=False,
)

Index(
    "uq_breaks_open",
    breaks.c.account_id,
    breaks.c.kind,
    breaks.c.subject,
    unique=True,
    sqlite_where=text("status = 'OPEN'"),
    postgresql_where=text("status = 'OPEN'"),
)

#: Every attempt to hear from a venue; kept 30 days.
sync_log = Table(
    "sync_log",
    metadata,
    Column("account_id", Whole, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("id", Whole, primary_key=True, autoincrement=False),
    Column("at", Utc, nullable=False),
    Column("cause", Words, nullable=False),
    Column("duration_ms", Whole, nullable=False),
    Column("outcome", Words, nullable=False),
    Column("error", Words),
    Index("ix_sync_log_at", "account_id", "at"),
    listed("cause", "SCHEDULED", "MANUAL", "PRE_TRADE", "START"),
    listed("outcome", "OK", "FAILED"),
    sqlite_with_rowid=False,
)
