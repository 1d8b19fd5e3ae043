"""What is traded, where, for whom and by which rules: brokers, accounts, portfolios, instruments, strategies, bots."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Table, UniqueConstraint

from plimsoll.ledger.schema.base import listed, metadata, one_of, signs, yes_or_no
from plimsoll.model.account import AccountStatus, Mode
from plimsoll.model.instrument import AssetType
from plimsoll.store.columns import Exact, Utc, Whole, Words

#: The catalogue: what can be connected, and what it needs.
brokers = Table(
    "brokers",
    metadata,
    Column("id", Whole, primary_key=True),
    Column("slug", Words, nullable=False, unique=True),
    Column("name", Words, nullable=False),
    Column("kind", Words, nullable=False),
    #: Markets, order types, capabilities, fees, rate limits, credential fields.
    Column("definition_json", Words, nullable=False),
    #: Counts changes; what the release brought is 0.
    Column("version", Whole, nullable=False),
    Column("deleted_at", Utc),
    listed("kind", "paper", "crypto", "broker", "mt5"),
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", Whole, primary_key=True),
    Column("uid", Words, nullable=False, unique=True),
    Column("user_id", Whole, ForeignKey("users.id"), nullable=False),
    Column("name", Words, nullable=False),
    Column("broker", Words, nullable=False),
    Column("mode", Words, nullable=False),
    Column("base_currency", Words, nullable=False),
    Column("price_source", Words, nullable=False),
    Column("profile", Words, nullable=False),
    #: How the broker names it.
    Column("account_uid", Words),
    Column("status", Words, nullable=False, server_default=AccountStatus.ACTIVE.value),
    Column("deleted_at", Utc),
    UniqueConstraint("user_id", "name"),
    one_of("mode", Mode),
    one_of("status", AccountStatus),
)

portfolios = Table(
    "portfolios",
    metadata,
    Column("id", Whole, primary_key=True),
    Column("uid", Words, nullable=False, unique=True),
    Column("account_id", Whole, ForeignKey("accounts.id"), nullable=False),
    Column("user_id", Whole, ForeignKey("users.id"), nullable=False),
    Column("name", Words, nullable=False),
    Column("deleted_at", Utc),
    UniqueConstraint("user_id", "account_id", "name"),
)

instruments = Table(
    "instruments",
    metadata,
    Column("id", Whole, primary_key=True),
    Column("symbol", Words, nullable=False),
    Column("venue", Words, nullable=False),
    Column("asset_type", Words, nullable=False),
    Column("base", Words, nullable=False),
    Column("quote", Words, nullable=False),
    Column("settle", Words, nullable=False),
    Column("tick_size", Exact, nullable=False),
    Column("lot_size", Exact, nullable=False),
    Column("min_quantity", Exact, nullable=False),
    Column("min_notional", Exact, nullable=False),
    Column("multiplier", Exact, nullable=False),
    Column("inverse", Whole, nullable=False),
    Column("tradable", Whole, nullable=False),
    Column("max_leverage", Exact, nullable=False),
    Column("updated_at", Utc, nullable=False),
    Column("pip_size", Exact),
    UniqueConstraint("symbol", "venue"),
    one_of("asset_type", AssetType),
    yes_or_no("inverse", "tradable"),
    signs(above=("tick_size", "lot_size", "multiplier", "max_leverage"), not_below=("min_quantity", "min_notional")),
)

#: What an instrument was called before, and other names under which a venue tells of it.
instrument_aliases = Table(
    "instrument_aliases",
    metadata,
    Column("id", Whole, primary_key=True),
    Column("instrument_id", Whole, ForeignKey("instruments.id"), nullable=False),
    Column("venue", Words, nullable=False),
    Column("symbol", Words, nullable=False),
    #: From then on the name was another's, or nobody's.
    Column("until", Utc, nullable=False),
    UniqueConstraint("venue", "symbol", "until"),
)

#: How much a venue lends on a position of which size.
margin_tiers = Table(
    "margin_tiers",
    metadata,
    Column("instrument_id", Whole, ForeignKey("instruments.id"), primary_key=True, autoincrement=False),
    Column("tier", Whole, primary_key=True, autoincrement=False),
    #: Value of a position from which, and up to which, the tier holds; the last has no end.
    Column("notional_from", Exact, nullable=False),
    Column("notional_to", Exact),
    Column("max_leverage", Exact, nullable=False),
    Column("maintenance_ratio", Exact, nullable=False),
    #: What is taken off, so that the margin does not jump between two tiers.
    Column("maintenance_amount", Exact, nullable=False),
    Column("updated_at", Utc, nullable=False),
    signs(above=("max_leverage",), not_below=("notional_from", "maintenance_ratio", "maintenance_amount")),
    sqlite_with_rowid=False,
)

leverages = Table(
    "leverages",
    metadata,
    Column("account_id", Whole, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("instrument_id", Whole, ForeignKey("instruments.id"), primary_key=True, autoincrement=False),
    Column("leverage", Exact, nullable=False),
    signs(above=("leverage",)),
    sqlite_with_rowid=False,
)

#: Rules and parameters under a name; a change is a new version, so that it can be said what traded.
strategies = Table(
    "strategies",
    metadata,
    Column("id", Whole, primary_key=True),
    Column("uid", Words, nullable=False, unique=True),
    Column("user_id", Whole, ForeignKey("users.id"), nullable=False),
    Column("name", Words, nullable=False),
    Column("version", Whole, nullable=False),
    #: The rules: a built-in strategy, or one that was found.
    Column("kind", Words, nullable=False),
    Column("params_json", Words, nullable=False),
    Column("made_at", Utc, nullable=False),
    Column("deleted_at", Utc),
    UniqueConstraint("user_id", "name", "version"),
    CheckConstraint("version > 0", name="version"),
)

bots = Table(
    "bots",
    metadata,
    Column("id", Whole, primary_key=True),
    Column("portfolio_id", Whole, ForeignKey("portfolios.id"), nullable=False),
    Column("instrument_id", Whole, ForeignKey("instruments.id"), nullable=False),
    Column("name", Words, nullable=False),
    Column("strategy", Words, nullable=False),
    Column("params_json", Words, nullable=False),
    Column("status", Words, nullable=False),
    #: What the strategy must not forget: its confirmation and its last trade.
    Column("state_json", Words, nullable=False),
    #: Which version of which strategy; null for bots made before strategies had versions.
    Column("strategy_version_id", Whole, ForeignKey("strategies.id")),
    Column("deleted_at", Utc),
    CheckConstraint("status IN ('RUNNING', 'STOPPED', 'ERROR')", name="status"),
)

#: What a bot saw and wanted at the close of a bar.
signals = Table(
    "signals",
    metadata,
    Column("account_id", Whole, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("id", Whole, primary_key=True, autoincrement=False),
    Column("bot_id", Whole, ForeignKey("bots.id"), nullable=False),
    Column("instrument_id", Whole, ForeignKey("instruments.id"), nullable=False),
    Column("score", Exact, nullable=False),
    Column("temperature", Words, nullable=False),
    Column("action", Words, nullable=False),
    Column("details_json", Words, nullable=False),
    Column("at", Utc, nullable=False),
    Index("ix_signals_bot", "account_id", "bot_id", "at"),
    listed("temperature", "HOT", "WARM", "COOL", "FROZEN"),
    listed("action", "BUY", "SELL", "HOLD"),
    sqlite_with_rowid=False,
)
