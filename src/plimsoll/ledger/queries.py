"""The named questions of the writing connection; each asks by a key, or reads a whole small table at start."""

from collections.abc import Mapping
from functools import cache
from typing import Literal

from sqlalchemy import (
    ColumnElement,
    Delete,
    Dialect,
    Select,
    Table,
    bindparam,
    delete,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite

from plimsoll.ledger.accounts import STATEMENT
from plimsoll.ledger.schema import (
    FACTS,
    accounts,
    api_keys,
    audit_log,
    balances,
    bots,
    breaks,
    brokers,
    cash_lines,
    equity_snapshots,
    events,
    external_orders,
    guard_alerts,
    halts,
    heads,
    imports,
    instrument_aliases,
    instruments,
    leverages,
    margin_tiers,
    meta,
    movement_cursors,
    nav,
    orders,
    passwords,
    pnl_days,
    portfolios,
    position_entries,
    positions,
    reconciliation_log,
    risk_breaches,
    risk_policies,
    sessions,
    sign_in_links,
    signals,
    strategies,
    sync_log,
    trade_cursors,
    trades,
    users,
    venue_positions,
    verdicts,
)
from plimsoll.model.account import Mode
from plimsoll.model.errors import invariant
from plimsoll.model.order import OrderState

#: An order that may still change.
LIVE_STATES = tuple(state for state in OrderState if not state.is_final)
#: An order that may still fill at the venue, as far as the venue says.
WAITING_STATES = tuple(state for state in LIVE_STATES if state is not OrderState.UNKNOWN)
#: Most rows that one unit looks at to remove them.
CHUNK = 500

_WHOLE_TABLES: tuple[Table, ...] = (
    users,
    passwords,
    accounts,
    portfolios,
    instruments,
    instrument_aliases,
    margin_tiers,
    leverages,
    brokers,
    strategies,
    bots,
    venue_positions,
    trade_cursors,
    movement_cursors,
    nav,
    halts,
    meta,
    heads,
)

#: Tables whose row ids the scribe hands out; at start it goes on from each account's largest.
_NUMBERED: tuple[Table, ...] = (
    orders,
    verdicts,
    risk_breaches,
    trades,
    cash_lines,
    position_entries,
    equity_snapshots,
    external_orders,
    reconciliation_log,
    breaks,
    sync_log,
)
NUMBERED = tuple(table.name for table in _NUMBERED)

#: What has a token and an end. The ended ones stay on the disk and are not read again.
_ENDING: tuple[Table, ...] = (sign_in_links, sessions, api_keys)

#: Tables numbered over the whole desk.
_NUMBERED_BY_DESK: tuple[Table, ...] = (risk_policies, brokers, instrument_aliases, strategies, *_ENDING)
NUMBERED_BY_DESK = tuple(table.name for table in _NUMBERED_BY_DESK)


def _by(table: Table, *columns: str) -> Select[tuple[object, ...]]:
    return select(table).where(*(table.c[name] == bindparam(name) for name in columns))


def _oldest(table: Table, *cells: str) -> Select[tuple[object, ...]]:
    """Look at an account's oldest rows, a chunk of them."""
    return (
        select(*(table.c[name] for name in cells))
        .where(table.c.account_id == bindparam("account_id"), table.c.id >= bindparam("first"))
        .order_by(table.c.id)
        .suffix_with(f"LIMIT {CHUNK}")
    )


def forgetting(table: Table, *conditions: ColumnElement[bool]) -> Delete:
    """Remove rows that are kept no longer."""
    invariant(table.name not in FACTS, "a fact is never forgotten")
    return delete(table).where(*conditions)


#: True of every row, and what makes SQLite take the index whose last column it names: without figures about a table it
#: prefers the key that the table lies in, even where that names the account alone, and would read all of its rows.
_AND_EVERY_REVISION = trades.c.revision >= literal_column("0")
_AND_EVERY_PORTFOLIO = cash_lines.c.portfolio_id >= literal_column("0")
#: Where no column is left to name, the index is: (what follows FROM, index). The second is the natural key of `trades`.
_SQLITE_INDEX = {
    "order_by_broker_id": (("orders", "ix_orders_broker_order_id"),),
    "trades_of_position": (("trades AS here", "ix_trades_position"), ("trades", "sqlite_autoindex_trades_2")),
}


def _trades_near_position() -> Select[tuple[object, ...]]:
    # A correction may have been booked elsewhere than its fill: all revisions of what stands in the position once.
    here = trades.alias("here")
    place = ("account_id", "portfolio_id", "instrument_id", "strategy_id")
    ids = select(here.c.broker_trade_id).where(*(here.c[name] == bindparam(name) for name in place))
    same = (trades.c.account_id == bindparam("account_id"), trades.c.instrument_id == bindparam("instrument_id"))
    return select(trades).where(*same, trades.c.broker_trade_id.in_(ids))


#: What was brought along is read where it lies, and never in memory: nobody trades on it, and it may be large.
_TRADED = select(accounts.c.id).where(accounts.c.broker != literal_column(f"'{STATEMENT}'"))


def _all_traded(table: Table) -> Select[tuple[object, ...]]:
    """Read a table but for what was brought along."""
    return select(table).where(table.c.account_id.in_(_TRADED)).order_by(*table.primary_key.columns)


_STATEMENTS: dict[str, Select[tuple[object, ...]] | Delete] = {
    # Ended orders leave memory; the few that are asked for again are found here.
    "order_by_client_id": _by(orders, "account_id", "client_order_id"),
    "order_by_broker_id": _by(orders, "account_id", "broker_order_id"),
    "live_orders": select(orders)
    .where(orders.c.state.in_([literal_column(f"'{state}'") for state in LIVE_STATES]))
    .order_by(orders.c.account_id, orders.c.id),
    # The idempotency record: the same key gets the first answer, for ever.
    "verdict_by_intent": _by(verdicts, "account_id", "user_id", "intent_key"),
    "trade_revisions": _by(trades, "account_id", "instrument_id", "broker_trade_id").where(_AND_EVERY_REVISION),
    "trades_of_position": _trades_near_position(),
    "entry_by_key": _by(
        position_entries,
        *("account_id", "portfolio_id", "instrument_id", "strategy_id", "leg", "reference", "kind"),
    ),
    "entries_of_instrument": _by(position_entries, "account_id", "instrument_id"),
    "splits": select(position_entries).where(
        position_entries.c.account_id.in_(_TRADED), position_entries.c.kind == literal_column("'SPLIT'")
    ),
    "late_fees_of_trade": select(cash_lines).where(
        cash_lines.c.account_id == bindparam("account_id"),
        cash_lines.c.reference >= bindparam("first"),
        cash_lines.c.reference < bindparam("behind"),
        cash_lines.c.kind == literal_column("'FEE'"),
    ),
    "pnl_day": _by(pnl_days, "account_id", "portfolio_id", "day", "instrument_id", "strategy_id", "leg"),
    "cash_line_by_reference": _by(cash_lines, "account_id", "reference", "kind").where(_AND_EVERY_PORTFOLIO),
    # Each guard's last episode, each policy's last version, each chain's last link.
    "guard_episodes": select(guard_alerts).order_by(guard_alerts.c.account_id, guard_alerts.c.number),
    "policies": select(risk_policies).order_by(risk_policies.c.version),
    "chain_head": select(audit_log.c.seq, audit_log.c.link)
    .where(audit_log.c.account_id == bindparam("account_id"))
    .order_by(audit_log.c.seq.desc())
    .suffix_with("LIMIT 1"),
    # What stands between book and venue, and what the venue has that the book has not.
    "open_breaks": select(breaks).where(breaks.c.status == literal_column("'OPEN'")).order_by(breaks.c.id),
    "external_orders_in_memory": select(external_orders)
    .where(
        (external_orders.c.ours == literal_column("1"))
        | external_orders.c.state.in_([literal_column(f"'{state}'") for state in WAITING_STATES])
    )
    .order_by(external_orders.c.account_id, external_orders.c.id),
    "external_order_by_broker_id": _by(external_orders, "account_id", "instrument_id", "broker_order_id"),
    # Whether anybody lives by a broker's definition.
    "accounts_at_broker": select(accounts.c.id)
    .where(accounts.c.broker == bindparam("broker"), accounts.c.deleted_at.is_(None))
    .suffix_with("LIMIT 1"),
    "paper_accounts": select(accounts.c.id)
    .where(accounts.c.mode == literal_column(f"'{Mode.PAPER}'"), accounts.c.deleted_at.is_(None))
    .where(accounts.c.broker != literal_column(f"'{STATEMENT}'"))
    .suffix_with("LIMIT 1"),
    # Books that were brought along: what of a user's is there under which name, and what was never finished.
    "portfolios_of_user": select(portfolios, accounts.c.broker)
    .join(accounts, accounts.c.id == portfolios.c.account_id)
    .where(portfolios.c.user_id == bindparam("user_id"))
    .where(portfolios.c.deleted_at.is_(None), accounts.c.deleted_at.is_(None)),
    "unfinished_imports": select(accounts.c.id)
    .where(accounts.c.user_id == bindparam("user_id"), accounts.c.broker == literal_column(f"'{STATEMENT}'"))
    .where(accounts.c.deleted_at.is_not(None))
    .where(~select(imports.c.number).where(imports.c.account_id == accounts.c.id).exists())
    .order_by(accounts.c.id),
    # What is kept for a while only (`retention`): looked at in chunks, and removed by its place.
    "oldest_events": select(events.c.number, events.c.at).order_by(events.c.number).suffix_with(f"LIMIT {CHUNK}"),
    "forget_events": forgetting(events, events.c.number <= bindparam("through")),
    "oldest_equity_snapshots": _oldest(equity_snapshots, "id", "at", "occasion"),
    "forget_equity_snapshots": forgetting(
        equity_snapshots,
        equity_snapshots.c.account_id == bindparam("account_id"),
        equity_snapshots.c.id > bindparam("after"),
        equity_snapshots.c.id <= bindparam("through"),
        equity_snapshots.c.occasion == literal_column("'READING'"),
    ),
    **{f"oldest_{table.name}": _oldest(table, "id", "at") for table in (sync_log, signals)},
    **{
        f"forget_{table.name}": forgetting(
            table, table.c.account_id == bindparam("account_id"), table.c.id <= bindparam("through")
        )
        for table in (sync_log, signals)
    },
    "forget_tiers": forgetting(
        margin_tiers,
        margin_tiers.c.instrument_id == bindparam("instrument_id"),
        margin_tiers.c.tier > bindparam("last"),
    ),
    # Somebody at the door: who he says he is, and whether he has come in from there before.
    "user_by_name": _by(users, "name"),
    "session_from": select(sessions.c.id)
    .where(sessions.c.user_id == bindparam("user_id"), sessions.c.origin == bindparam("origin"))
    .where(sessions.c.created_at >= bindparam("since", type_=sessions.c.created_at.type))
    .suffix_with("LIMIT 1"),
    **{f"live_{table.name}": select(table).where(table.c.ended_at.is_(None)).order_by(table.c.id) for table in _ENDING},
    **{f"max_{table.name}_id": select(func.max(table.c.id)) for table in _NUMBERED_BY_DESK},
    **{
        f"max_{table.name}_id": select(func.max(table.c.id)).where(table.c.account_id == bindparam("account_id"))
        for table in _NUMBERED
    },
    **{f"all_{table.name}": _all_traded(table) for table in (positions, balances)},
    **{f"all_{table.name}": select(table).order_by(*table.primary_key.columns) for table in _WHOLE_TABLES},
}


@cache
def compiled(engine: Literal["sqlite", "postgresql"] = "sqlite") -> Mapping[str, str]:
    """Compile every question once, with positional parameters in the order they are named above."""
    dialect: Dialect = (
        sqlite.dialect(paramstyle="qmark") if engine == "sqlite" else postgresql.dialect(paramstyle="format")  # type: ignore[no-untyped-call]  # SQLAlchemy's
    )
    texts = {
        name: str(statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True}))
        for name, statement in _STATEMENTS.items()
    }
    if engine == "sqlite":
        for name, indexes in _SQLITE_INDEX.items():
            for table, index in indexes:
                texts[name] = texts[name].replace(f"FROM {table} \n", f"FROM {table} INDEXED BY {index} \n", 1)
    return texts
