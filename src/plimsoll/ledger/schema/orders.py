"""Orders: every verdict, every state they went through, and those that were not ours."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Table, UniqueConstraint

from plimsoll.ledger.schema.base import listed, metadata, one_of, signs, yes_or_no
from plimsoll.model.order import OrderState, OrderType, Side, TimeInForce
from plimsoll.store.columns import Exact, Utc, Whole, Words

orders = Table(
    "orders",
    metadata,
    Column("account_id", Whole, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("id", Whole, primary_key=True, autoincrement=False),
    Column("uid", Words, nullable=False, unique=True),
    Column("client_order_id", Words, nullable=False),
    Column("broker_order_id", Words),
    Column("portfolio_id", Whole, ForeignKey("portfolios.id"), nullable=False),
    Column("user_id", Whole, ForeignKey("users.id"), nullable=False),
    Column("strategy_id", Whole, nullable=False),
    Column("instrument_id", Whole, ForeignKey("instruments.id"), nullable=False),
    Column("intent_key", Words, nullable=False),
    Column("side", Words, nullable=False),
    Column("type", Words, nullable=False),
    Column("requested_quantity", Exact),
    Column("requested_value", Exact),
    Column("quantity", Exact, nullable=False),
    #: What the gate counted it for, in the account's currency.
    Column("value", Exact, nullable=False),
    Column("closes", Whole, nullable=False),
    Column("price", Exact),
    Column("stop_price", Exact),
    Column("time_in_force", Words, nullable=False),
    Column("reduce_only", Whole, nullable=False),
    Column("post_only", Whole, nullable=False),
    Column("allow_smaller", Whole, nullable=False),
    Column("allow_repeat", Whole, nullable=False),
    Column("state", Words, nullable=False),
    Column("filled_quantity", Exact, nullable=False),
    Column("reserved", Exact, nullable=False),
    Column("reserved_asset", Words, nullable=False),
    Column("reason", Words, nullable=False),
    Column("triggered_by", Words, nullable=False),
    Column("signal_context", Words, nullable=False),
    Column("made_at", Utc, nullable=False),
    Column("placed_at", Utc, nullable=False),
    Column("updated_at", Utc, nullable=False),
    #: Which leg of a position it changes; empty where the venue nets.
    Column("leg", Words, nullable=False, server_default=""),
    UniqueConstraint("account_id", "client_order_id"),
    one_of("side", Side),
    one_of("type", OrderType),
    one_of("time_in_force", TimeInForce),
    one_of("state", OrderState),
    yes_or_no("closes", "reduce_only", "post_only", "allow_smaller", "allow_repeat"),
    signs(above=("quantity",), not_below=("value", "filled_quantity", "reserved")),
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

#: Every state that an order went through, by the unit of the chain that brought it there: a fold of notes and trades.
order_states = Table(
    "order_states",
    metadata,
    Column("account_id", Whole, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("order_id", Whole, primary_key=True, autoincrement=False),
    Column("link_seq", Whole, primary_key=True, autoincrement=False),
    Column("state", Words, nullable=False),
    Column("filled_quantity", Exact, nullable=False),
    Column("reason", Words, nullable=False),
    Column("at", Utc, nullable=False),
    one_of("state", OrderState),
    signs(not_below=("filled_quantity",)),
    sqlite_with_rowid=False,
)

#: Orders at the venue that no verdict of ours approved: a person's own, or those of a part of the book that was lost.
external_orders = Table(
    "external_orders",
    metadata,
    Column("account_id", Whole, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("id", Whole, primary_key=True, autoincrement=False),
    Column("instrument_id", Whole, ForeignKey("instruments.id"), nullable=False),
    Column("broker_order_id", Words, nullable=False),
    Column("client_order_id", Words),
    #: Its client id begins as ours do: the desk sent it once and has forgotten it.
    Column("ours", Whole, nullable=False),
    Column("side", Words, nullable=False),
    Column("type", Words, nullable=False),
    Column("quantity", Exact, nullable=False),
    Column("filled_quantity", Exact, nullable=False),
    Column("price", Exact),
    Column("state", Words, nullable=False),
    Column("first_seen", Utc, nullable=False),
    Column("last_seen", Utc, nullable=False),
    #: What a person made of it.
    Column("status", Words, nullable=False),
    Column("resolved_by", Words),
    UniqueConstraint("account_id", "instrument_id", "broker_order_id"),
    Index("ix_external_orders_client_order_id", "account_id", "client_order_id"),
    one_of("side", Side),
    one_of("type", OrderType),
    one_of("state", OrderState),
    listed("status", "OPEN", "ASSIGNED", "IGNORED"),
    yes_or_no("ours"),
    signs(above=("quantity",), not_below=("filled_quantity",)),
    sqlite_with_rowid=False,
)

verdicts = Table(
    "verdicts",
    metadata,
    Column("account_id", Whole, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("id", Whole, primary_key=True, autoincrement=False),
    Column("link_seq", Whole, nullable=False),
    Column("user_id", Whole, nullable=False),
    Column("intent_key", Words, nullable=False),
    #: Hash of the wish: the same key with another body is refused.
    Column("body_hash", Words, nullable=False),
    Column("client_order_id", Words, nullable=False),
    Column("outcome", Words, nullable=False),
    Column("limits_version", Whole, nullable=False),
    #: Hash of the snapshot that it was judged on.
    Column("input_hash", Words, nullable=False),
    #: The checks that did not plainly pass.
    Column("checks_json", Words, nullable=False),
    Column("at", Utc, nullable=False),
    UniqueConstraint("account_id", "user_id", "intent_key"),
    CheckConstraint("outcome IN ('APPROVED', 'REFUSED')", name="outcome"),
    sqlite_with_rowid=False,
)

risk_breaches = Table(
    "risk_breaches",
    metadata,
    Column("account_id", Whole, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("id", Whole, primary_key=True, autoincrement=False),
    Column("link_seq", Whole, nullable=False),
    Column("action", Words, nullable=False),
    Column("intent_key", Words, nullable=False),
    Column("details_json", Words, nullable=False),
    #: The snapshot that caused it.
    Column("observed_json", Words, nullable=False),
    Column("at", Utc, nullable=False),
    CheckConstraint("action IN ('BLOCKED', 'WARNED', 'REDUCED_SIZE', 'CLOSED_POSITION')", name="action"),
    sqlite_with_rowid=False,
)
