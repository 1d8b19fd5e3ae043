"""A second wall on PostgreSQL: a session that reads for people sees the rows of whoever asks, and nobody else's.

Revision: 0004, after 0003
Deploy:   stop the desk, start this release; no row is touched. Going back takes the wall down and leaves the rows.

The first wall are the predicates of `ledger.reading`; this one stands where one of them is forgotten. A session's
setting `plimsoll.asker` says who reads through it:

    never said     the desk's own: its writer, proofs, backups, a keeper at the console. Everything is there.
    empty          it reads for people, and nobody has asked: no row of anybody's is there.
    a user's id    said for one transaction: his rows, and no other's.

So a reader for people that forgets to say who asks sees nothing. A role of its own for such sessions would need rights
that our place in somebody's database may not have, and would be outside of our schema; a setting needs none. The desk
owns the tables, and PostgreSQL lets an owner pass unless it is FORCEd. Two things follow. `pg_dump` asks for
`--enable-row-security`, and refuses to run without it rather than to leave rows out. A superuser, or a role with
BYPASSRLS, passes all the same, which the desk says at its start (`store.postgres.people_reader`).

SQLite knows no such thing: there the first wall stands alone.
What a migration needs it says itself, as the first one does.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_SAID = "current_setting('plimsoll.asker', true)"
_ME = f"nullif({_SAID}, '')::bigint"
#: Each looks at a table that has a wall itself, so it is his accounts and portfolios that it finds.
_MY_ACCOUNT = "account_id IN (SELECT accounts.id FROM accounts)"
_MY_PORTFOLIO = f"portfolio_id IN (SELECT portfolios.id FROM portfolios WHERE portfolios.user_id = {_ME})"  # noqa: S608  names of our own
_OVER_ME = (
    "CASE scope_type WHEN 'DESK' THEN true"  # noqa: S608  names of our own
    f" WHEN 'USER' THEN scope_id = {_ME}"
    " WHEN 'ACCOUNT' THEN scope_id IN (SELECT accounts.id FROM accounts)"
    f" WHEN 'PORTFOLIO' THEN scope_id IN (SELECT portfolios.id FROM portfolios WHERE portfolios.user_id = {_ME})"
    " WHEN 'STRATEGY' THEN scope_id IN (SELECT bots.id FROM bots) ELSE false END"
)

#: What a row must be to be there for whoever asks.
WALLS: dict[str, str] = {
    "users": f"id = {_ME}",
    "accounts": f"user_id = {_ME}",
    # Whoever owns an account sees that others have a part of it: then it is not wholly his.
    "portfolios": f"user_id = {_ME} OR {_MY_ACCOUNT}",
    # What opens the door is nobody's to read.
    **dict.fromkeys(("passwords", "sign_in_links", "sessions", "api_keys"), "false"),
    **dict.fromkeys(("strategies", "alerts", "schedules", "screeners"), f"user_id = {_ME}"),
    **dict.fromkeys(
        ("orders", "trades", "cash_lines", "position_entries", "positions", "pnl_days", "balances", "bots"),
        _MY_PORTFOLIO,
    ),
    **dict.fromkeys(
        (
            *("order_states", "external_orders", "verdicts", "risk_breaches", "venue_positions", "trade_cursors"),
            *("fund_resets", "nav", "equity_snapshots", "guard_alerts", "reconciliation_log", "breaks", "sync_log"),
            *("leverages", "signals", "audit_log", "events"),
        ),
        _MY_ACCOUNT,
    ),
    **dict.fromkeys(("halts", "risk_policies"), _OVER_ME),
}


def upgrade() -> None:
    """Put up the wall before every table that has an owner."""
    if op.get_bind().dialect.name == "sqlite":
        return
    for table, is_his in WALLS.items():
        op.execute(f"CREATE POLICY asker ON {table} USING ({_SAID} IS NULL OR {is_his})")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")


def downgrade() -> None:
    """Take it down."""
    if op.get_bind().dialect.name == "sqlite":
        return
    for table in WALLS:
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY")
        op.execute(f"DROP POLICY asker ON {table}")
