"""The book's tables. Hot tables lead with the account, so that they can be partitioned by it.

*Facts* (`FACTS`) are added and never changed or removed; triggers refuse it. *Caches* (orders, positions, balances)
must equal what the facts fold into; `verify` proves it. `link_seq` names the unit of the account's chain that wrote a
fact.
Columns that belong to a key are never null (0 or '' instead), so that uniqueness binds.
A column that a table of facts got later is null in older rows and stands at its end: what a link covers ends at the
last cell that is not null, so older links still hold.
Nothing is deleted but by its age (`events`, `equity_snapshots` and the logs of syncs): people, accounts, portfolios,
bots and strategies get a `deleted_at`, and nothing cascades.
Signs and enumerations are constraints on both engines.
On SQLite a table whose key is not one integer is kept in the order of its key (no hidden row number beside it): one
tree less to write for every row.
"""

from plimsoll.ledger.schema.base import metadata
from plimsoll.ledger.schema.imported import import_lines, imports
from plimsoll.ledger.schema.log import audit_log, events, heads, leases, meta
from plimsoll.ledger.schema.money import (
    balances,
    cash_lines,
    fund_resets,
    movement_cursors,
    pnl_days,
    position_entries,
    positions,
    trade_cursors,
    trades,
    venue_positions,
)
from plimsoll.ledger.schema.orders import external_orders, order_states, orders, risk_breaches, verdicts
from plimsoll.ledger.schema.people import (
    alerts,
    api_keys,
    passwords,
    schedules,
    screeners,
    sessions,
    sign_in_links,
    users,
)
from plimsoll.ledger.schema.things import (
    accounts,
    bots,
    brokers,
    instrument_aliases,
    instruments,
    leverages,
    margin_tiers,
    portfolios,
    signals,
    strategies,
)
from plimsoll.ledger.schema.watching import (
    breaks,
    equity_snapshots,
    guard_alerts,
    halts,
    nav,
    reconciliation_log,
    risk_policies,
    sync_log,
)

#: Added once, never changed: what the chain covers, in the order its links read them.
FACTS = ("verdicts", "risk_breaches", "trades", "cash_lines", "position_entries")

#: The order in which a group is written: who is pointed at comes first, the log and the events last.
WRITE_ORDER = (
    "users",
    "passwords",
    "sign_in_links",
    "sessions",
    "api_keys",
    "brokers",
    "accounts",
    "portfolios",
    "instruments",
    "instrument_aliases",
    "margin_tiers",
    "leverages",
    "strategies",
    "bots",
    "signals",
    "orders",
    "order_states",
    "external_orders",
    *FACTS,
    "imports",
    "import_lines",
    "positions",
    "venue_positions",
    "pnl_days",
    "balances",
    "trade_cursors",
    "movement_cursors",
    "nav",
    "equity_snapshots",
    "guard_alerts",
    "halts",
    "risk_policies",
    "reconciliation_log",
    "breaks",
    "sync_log",
    "fund_resets",
    "alerts",
    "schedules",
    "screeners",
    "meta",
    "audit_log",
    "events",
)

__all__ = [
    "FACTS",
    "WRITE_ORDER",
    "accounts",
    "alerts",
    "api_keys",
    "audit_log",
    "balances",
    "bots",
    "breaks",
    "brokers",
    "cash_lines",
    "equity_snapshots",
    "events",
    "external_orders",
    "fund_resets",
    "guard_alerts",
    "halts",
    "heads",
    "import_lines",
    "imports",
    "instrument_aliases",
    "instruments",
    "leases",
    "leverages",
    "margin_tiers",
    "meta",
    "metadata",
    "movement_cursors",
    "nav",
    "order_states",
    "orders",
    "passwords",
    "pnl_days",
    "portfolios",
    "position_entries",
    "positions",
    "reconciliation_log",
    "risk_breaches",
    "risk_policies",
    "schedules",
    "screeners",
    "sessions",
    "sign_in_links",
    "signals",
    "strategies",
    "sync_log",
    "trade_cursors",
    "trades",
    "users",
    "venue_positions",
    "verdicts",
]
