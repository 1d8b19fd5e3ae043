"""Money: trades and cash lines, the facts; positions, balances and days, their folds; what the venue says of them."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Table, UniqueConstraint, text

from plimsoll.ledger.schema.base import a_pocket, listed, metadata, one_of, signs
from plimsoll.model.cash import CashKind
from plimsoll.model.entry import EntryKind
from plimsoll.model.order import Side
from plimsoll.model.trade import TradeEffect
from plimsoll.store.columns import Exact, Utc, Whole, Words

#: Cash lines that are of no trade: deposits, interest, funding. A year of them is found without reading every fill's
#: lines, by a question that says this to the letter: SQLite takes a partial index for no other.
MOVEMENTS = text("cash_lines.kind <> 'TRADE' AND cash_lines.kind <> 'FEE'")
_NO_TRADE = text("kind <> 'TRADE' AND kind <> 'FEE'")

trades = Table(
    "trades",
    metadata,
    Column("account_id", Whole, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("id", Whole, primary_key=True, autoincrement=False),
    Column("link_seq", Whole, nullable=False),
    Column("instrument_id", Whole, ForeignKey("instruments.id"), nullable=False),
    Column("broker_trade_id", Words, nullable=False),
    Column("revision", Whole, nullable=False),
    Column("portfolio_id", Whole, ForeignKey("portfolios.id"), nullable=False),
    Column("strategy_id", Whole, nullable=False),
    #: 0 where no order of ours caused it.
    Column("order_id", Whole, nullable=False),
    Column("client_order_id", Words),
    Column("broker_order_id", Words),
    Column("side", Words, nullable=False),
    Column("quantity", Exact, nullable=False),
    Column("price", Exact, nullable=False),
    Column("notional", Exact, nullable=False),
    Column("fee", Exact, nullable=False),
    Column("fee_currency", Words, nullable=False),
    Column("realized_cash", Exact),
    Column("triggered_by", Words, nullable=False),
    Column("exec_time", Utc, nullable=False),
    Column("sequence", Whole, nullable=False),
    #: What a revision above 0 does to the one before it; null for a fill.
    Column("effect", Words),
    #: In hedging mode: which side, or which ticket, of the venue's. Null for none.
    Column("leg", Words),
    UniqueConstraint("account_id", "instrument_id", "broker_trade_id", "revision"),
    Index("ix_trades_position", "account_id", "portfolio_id", "instrument_id", "strategy_id"),
    one_of("side", Side),
    one_of("effect", TradeEffect),
    CheckConstraint("revision >= 0 AND (effect IS NULL) = (revision = 0)", name="revision"),
    signs(above=("quantity", "price"), not_below=("notional",)),
    sqlite_with_rowid=False,
)

cash_lines = Table(
    "cash_lines",
    metadata,
    Column("account_id", Whole, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("id", Whole, primary_key=True, autoincrement=False),
    Column("link_seq", Whole, nullable=False),
    Column("portfolio_id", Whole, ForeignKey("portfolios.id"), nullable=False),
    Column("pocket", Words, nullable=False),
    Column("asset", Words, nullable=False),
    Column("kind", Words, nullable=False),
    Column("amount", Exact, nullable=False),
    Column("reference", Words, nullable=False),
    Column("at", Utc, nullable=False),
    #: Which position it belongs to, where it is no trade's: funding, interest, dividends, fees that came late.
    Column("instrument_id", Whole),
    Column("strategy_id", Whole),
    Column("leg", Words),
    UniqueConstraint("account_id", "reference", "kind", "portfolio_id", "pocket", "asset"),
    Index("ix_cash_lines_movements", "account_id", "at", sqlite_where=_NO_TRADE, postgresql_where=_NO_TRADE),
    one_of("kind", CashKind),
    a_pocket(),
    CheckConstraint("(instrument_id IS NULL) = (strategy_id IS NULL)", name="belongs"),
    sqlite_with_rowid=False,
)

#: What changes a position and is no trade: coins that came in or went out with their cost, splits.
position_entries = Table(
    "position_entries",
    metadata,
    Column("account_id", Whole, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("id", Whole, primary_key=True, autoincrement=False),
    Column("link_seq", Whole, nullable=False),
    Column("portfolio_id", Whole, ForeignKey("portfolios.id"), nullable=False),
    Column("instrument_id", Whole, ForeignKey("instruments.id"), nullable=False),
    Column("strategy_id", Whole, nullable=False),
    Column("leg", Words, nullable=False),
    Column("kind", Words, nullable=False),
    #: What came or went; of a split, how many there are then ...
    Column("quantity", Exact, nullable=False),
    #: ... for how many there were; null otherwise.
    Column("per", Exact),
    #: What it had cost; null for unknown, which is not 0.
    Column("cost", Exact),
    Column("reference", Words, nullable=False),
    Column("at", Utc, nullable=False),
    Column("sequence", Whole, nullable=False),
    UniqueConstraint(
        *("account_id", "reference", "kind", "portfolio_id", "instrument_id", "strategy_id", "leg"),
        name="uq_position_entries_reference",
    ),
    Index("ix_position_entries_position", "account_id", "portfolio_id", "instrument_id", "strategy_id"),
    one_of("kind", EntryKind),
    CheckConstraint("(per IS NULL) = (kind <> 'SPLIT')", name="per"),
    signs(above=("quantity",)),
    sqlite_with_rowid=False,
)

positions = Table(
    "positions",
    metadata,
    Column("account_id", Whole, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("portfolio_id", Whole, ForeignKey("portfolios.id"), primary_key=True, autoincrement=False),
    Column("instrument_id", Whole, ForeignKey("instruments.id"), primary_key=True, autoincrement=False),
    Column("strategy_id", Whole, primary_key=True, autoincrement=False),
    Column("leg", Words, primary_key=True),
    Column("quantity", Exact, nullable=False),
    Column("cost", Exact, nullable=False),
    Column("realized_pnl", Exact, nullable=False),
    Column("fees_json", Words, nullable=False),
    Column("fee_cost", Exact, nullable=False),
    Column("opened_at", Utc),
    #: The last trade folded in; a trade that sorts before it makes the position be folded anew.
    Column("folded_time", Utc),
    Column("folded_sequence", Whole),
    Column("folded_trade_id", Words),
    Column("folded_revision", Whole),
    #: Funding, interest, dividends and what else a position earned or cost, by kind and asset.
    Column("flows_json", Words, nullable=False, server_default="[]"),
    #: How much of the quantity came in at a cost that nobody knows, and what sales of such brought: no profit, no loss.
    Column("uncosted", Exact, nullable=False, server_default="0"),
    Column("uncosted_proceeds", Exact, nullable=False, server_default="0"),
    signs(not_below=("uncosted",)),
    sqlite_with_rowid=False,
)

#: What the venue says is held, where it says so apart from ours: tickets, sides in hedging mode, netted positions.
venue_positions = Table(
    "venue_positions",
    metadata,
    Column("account_id", Whole, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("instrument_id", Whole, ForeignKey("instruments.id"), primary_key=True, autoincrement=False),
    #: A ticket or a side; empty where the venue nets.
    Column("leg", Words, primary_key=True),
    Column("quantity", Exact, nullable=False),
    Column("avg_price", Exact),
    Column("unrealized_pnl", Exact),
    #: When it was last so, and when it was last asked.
    Column("since", Utc, nullable=False),
    Column("updated_at", Utc, nullable=False),
    sqlite_with_rowid=False,
)

#: What each position earned on each day (UTC): a fold of its trades, entries and lines.
pnl_days = Table(
    "pnl_days",
    metadata,
    Column("account_id", Whole, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("portfolio_id", Whole, ForeignKey("portfolios.id"), primary_key=True, autoincrement=False),
    #: Such as 2022-01-31.
    Column("day", Words, primary_key=True),
    Column("instrument_id", Whole, ForeignKey("instruments.id"), primary_key=True, autoincrement=False),
    Column("strategy_id", Whole, primary_key=True, autoincrement=False),
    Column("leg", Words, primary_key=True),
    #: In the instrument's cash asset, gross.
    Column("realized_pnl", Exact, nullable=False),
    #: Value of what was traded, unsigned.
    Column("turnover", Exact, nullable=False),
    Column("trade_count", Whole, nullable=False),
    Column("fees_json", Words, nullable=False),
    Column("flows_json", Words, nullable=False),
    CheckConstraint("trade_count >= 0", name="trade_count"),
    signs(not_below=("turnover",)),
    sqlite_with_rowid=False,
)

balances = Table(
    "balances",
    metadata,
    Column("account_id", Whole, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("portfolio_id", Whole, ForeignKey("portfolios.id"), primary_key=True, autoincrement=False),
    Column("pocket", Words, primary_key=True),
    Column("asset", Words, primary_key=True),
    Column("amount", Exact, nullable=False),
    a_pocket(),
    sqlite_with_rowid=False,
)

trade_cursors = Table(
    "trade_cursors",
    metadata,
    Column("account_id", Whole, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("cursor", Whole, nullable=False),
)

#: As those of trades: up to where the venue's own ledger of deposits, funding and interest was read.
movement_cursors = Table(
    "movement_cursors",
    metadata,
    Column("account_id", Whole, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("cursor", Whole, nullable=False),
)

#: Paper money begun anew; its history stays.
fund_resets = Table(
    "fund_resets",
    metadata,
    Column("account_id", Whole, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    #: Counts the account's resets.
    Column("number", Whole, primary_key=True, autoincrement=False),
    Column("previous_balance", Exact),
    Column("new_balance", Exact, nullable=False),
    Column("reset_type", Words, nullable=False),
    Column("reason", Words, nullable=False),
    Column("reset_by", Words, nullable=False),
    Column("reset_at", Utc, nullable=False),
    listed("reset_type", "MANUAL", "AUTOMATIC"),
    CheckConstraint("number > 0", name="number"),
    sqlite_with_rowid=False,
)
