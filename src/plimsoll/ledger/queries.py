"""The named questions of the writing connection; each asks by a key, or reads a whole small table at start."""

from collections.abc import Mapping
from functools import cache

from sqlalchemy import Select, String, Table, bindparam, func, literal_column, select, type_coerce
from sqlalchemy.dialects import sqlite

from plimsoll.ledger.schema import (
    accounts,
    api_keys,
    audit_log,
    balances,
    bots,
    cash_lines,
    equity_snapshots,
    guard_alerts,
    halts,
    heads,
    instruments,
    leverages,
    meta,
    nav,
    orders,
    passwords,
    portfolios,
    positions,
    risk_breaches,
    risk_policies,
    sessions,
    sign_in_links,
    trade_cursors,
    trades,
    users,
    verdicts,
)
from plimsoll.model.order import OrderState

#: An order that may still change.
LIVE_STATES = tuple(state for state in OrderState if not state.is_final)

_WHOLE_TABLES: tuple[Table, ...] = (
    users,
    passwords,
    accounts,
    portfolios,
    instruments,
    leverages,
    bots,
    positions,
    balances,
    trade_cursors,
    nav,
    halts,
    meta,
    heads,
)

#: Tables whose row ids the scribe hands out; at start it goes on from each account's largest.
_NUMBERED: tuple[Table, ...] = (orders, verdicts, risk_breaches, trades, cash_lines, equity_snapshots)
NUMBERED = tuple(table.name for table in _NUMBERED)

#: What has a token and an end. The ended ones stay on the disk and are not read again.
_ENDING: tuple[Table, ...] = (sign_in_links, sessions, api_keys)

#: Tables numbered over the whole desk.
_NUMBERED_BY_DESK: tuple[Table, ...] = (risk_policies, *_ENDING)
NUMBERED_BY_DESK = tuple(table.name for table in _NUMBERED_BY_DESK)


def _by(table: Table, *columns: str) -> Select[tuple[object, ...]]:
    return select(table).where(*(table.c[name] == bindparam(name) for name in columns))


_STATEMENTS: dict[str, Select[tuple[object, ...]]] = {
    # Ended orders leave memory; the few that are asked for again are found here.
    "order_by_client_id": _by(orders, "account_id", "client_order_id"),
    "order_by_broker_id": _by(orders, "account_id", "broker_order_id"),
    "live_orders": select(orders)
    .where(orders.c.state.in_([literal_column(f"'{state}'") for state in LIVE_STATES]))
    .order_by(orders.c.account_id, orders.c.id),
    # The idempotency record: the same key gets the first answer, for ever.
    "verdict_by_intent": _by(verdicts, "account_id", "user_id", "intent_key"),
    "trade_by_key": _by(trades, "account_id", "instrument_id", "broker_trade_id", "revision"),
    "trades_of_position": _by(trades, "account_id", "portfolio_id", "instrument_id", "strategy_id"),
    "cash_line_by_reference": _by(cash_lines, "account_id", "reference", "kind"),
    # Each guard's last episode, each policy's last version, each chain's last link.
    "guard_episodes": select(guard_alerts).order_by(guard_alerts.c.account_id, guard_alerts.c.number),
    "policies": select(risk_policies).order_by(risk_policies.c.version),
    "chain_head": select(audit_log.c.seq, audit_log.c.link)
    .where(audit_log.c.account_id == bindparam("account_id"))
    .order_by(audit_log.c.seq.desc())
    .suffix_with("LIMIT 1"),
    # Somebody at the door: who he says he is, and whether he has come in from there before.
    "user_by_name": _by(users, "name"),
    "session_from": select(sessions.c.id)
    .where(sessions.c.user_id == bindparam("user_id"), sessions.c.origin == bindparam("origin"))
    .where(type_coerce(sessions.c.created_at, String) >= bindparam("since"))
    .suffix_with("LIMIT 1"),
    **{f"live_{table.name}": select(table).where(table.c.ended_at.is_(None)).order_by(table.c.id) for table in _ENDING},
    **{f"max_{table.name}_id": select(func.max(table.c.id)) for table in _NUMBERED_BY_DESK},
    **{
        f"max_{table.name}_id": select(func.max(table.c.id)).where(table.c.account_id == bindparam("account_id"))
        for table in _NUMBERED
    },
    **{f"all_{table.name}": select(table).order_by(*table.primary_key.columns) for table in _WHOLE_TABLES},
}


def _compile(statement: Select[tuple[object, ...]]) -> str:
    dialect = sqlite.dialect(paramstyle="qmark")
    return str(statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True}))


@cache
def compiled() -> Mapping[str, str]:
    """Compile every question once, with positional parameters in the order they are named above."""
    return {name: _compile(statement) for name, statement in _STATEMENTS.items()}
