"""What the desk's own shell asks of the books, desk-wide: everybody's rows, for whoever keeps the machine.

Every answer is of one moment; `status` puts several into one answer of one moment. They write nothing.
What must not enter: an edge. People ask through `reading`, where every question carries who asks.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, Engine, func, select

from plimsoll.ledger import accounts, positions, schema
from plimsoll.ledger.imported_accounts import hidden_accounts
from plimsoll.ledger.queries import LIVE_STATES
from plimsoll.model import money
from plimsoll.model.account import TradingState
from plimsoll.model.ids import AccountId, InstrumentId
from plimsoll.model.instrument import Instrument
from plimsoll.store.statements import select_as_stored


@dataclass(frozen=True, slots=True)
class BalanceView:
    """What a portfolio has of one asset in one pocket; negative is owed."""

    pocket: str
    asset: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class PortfolioView:
    """A portfolio with its cash."""

    id: int
    name: str
    account_id: int
    account: str
    user: str
    mode: str
    base_currency: str
    price_source: str
    balances: tuple[BalanceView, ...]


@dataclass(frozen=True, slots=True)
class PositionView:
    """A position, flat ones included: their profit stays."""

    account: str
    portfolio: str
    symbol: str
    #: 0 for none.
    strategy_id: int
    quantity: Decimal
    avg_price: Decimal
    #: Signed, of what is still open, in the cash asset.
    cost: Decimal
    #: Gross: fees are apart.
    realized_pnl: Decimal
    fees: tuple[tuple[str, Decimal], ...]
    opened_at: datetime | None


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order that may still change."""

    account: str
    portfolio: str
    symbol: str
    client_order_id: str
    side: str
    type: str
    quantity: Decimal
    filled_quantity: Decimal
    price: Decimal | None
    stop_price: Decimal | None
    reduce_only: bool
    state: str
    reason: str
    triggered_by: str
    placed_at: datetime


@dataclass(frozen=True, slots=True)
class HaltView:
    """A reason not to be ACTIVE."""

    scope_type: str
    scope_id: int
    source: str
    state: str
    reason: str
    #: Only a person may lift it.
    latched: bool
    since: datetime


@dataclass(frozen=True, slots=True)
class GuardView:
    """A guard's episode, from the first warning to its end."""

    account: str
    kind: str
    number: int
    status: str
    #: Which line was crossed.
    action: str
    drawdown: Decimal
    equity: Decimal
    threshold: Decimal
    opened_at: datetime | None
    deadline: datetime | None
    #: When its last step was taken; for an ended one, its end.
    since: datetime | None
    closed_count: int
    loss: Decimal


@dataclass(frozen=True, slots=True)
class Status:
    """How the desk stands, at one moment."""

    portfolios: tuple[PortfolioView, ...]
    positions: tuple[PositionView, ...]
    orders: tuple[OrderView, ...]
    halts: tuple[HaltView, ...]
    guards: tuple[GuardView, ...]


@dataclass(frozen=True, slots=True)
class EquityPoint:
    """What an account was worth, as its guard saw it."""

    at: datetime
    equity: Decimal
    #: Value of one unit: deposits and withdrawals do not move it.
    nav: Decimal
    peak: Decimal
    drawdown: Decimal


@dataclass(frozen=True, slots=True)
class Counters:
    """How much was done."""

    orders: int
    refused: int
    trades: int
    fees: tuple[tuple[str, Decimal], ...]


def status(engine: Engine) -> Status:
    """Tell how the desk stands."""
    with engine.connect() as connection:
        return Status(
            _portfolios(connection),
            _positions(connection),
            _live_orders(connection),
            _halts(connection),
            _guards(connection),
        )


def equity_curve(engine: Engine, account_id: AccountId) -> tuple[EquityPoint, ...]:
    """List what an account was worth over time, oldest first."""
    points = schema.equity_snapshots.c
    curve = (
        select(points.at, points.equity, points.nav, points.peak, points.drawdown)
        .where(points.account_id == account_id)
        .order_by(points.at, points.id)
    )
    with engine.connect() as connection:
        return tuple(EquityPoint(*row) for row in connection.execute(curve))


def counters(engine: Engine) -> Counters:
    """Count orders, refusals and trades, and sum the fees; in Python, since SQLite cannot add decimals."""
    refusals = select(func.count()).select_from(schema.verdicts).where(schema.verdicts.c.outcome == "REFUSED")
    fees: defaultdict[str, Decimal] = defaultdict(lambda: money.ZERO)
    trades = 0
    with engine.connect() as connection:
        orders = connection.execute(select(func.count()).select_from(schema.orders)).scalar_one()
        refused = connection.execute(refusals).scalar_one()
        for asset, fee in connection.execute(select(schema.trades.c.fee_currency, schema.trades.c.fee)):
            trades += 1
            fees[asset] += fee
    return Counters(orders, refused, trades, tuple(sorted(fees.items())))


def _portfolios(connection: Connection) -> tuple[PortfolioView, ...]:
    # Every portfolio with its account and its owner.
    whose = (
        select(schema.portfolios, schema.accounts.c.name.label("account"), schema.users.c.name.label("user"))
        .add_columns(schema.accounts.c.mode, schema.accounts.c.base_currency, schema.accounts.c.price_source)
        .join(schema.accounts, schema.portfolios.c.account_id == schema.accounts.c.id)
        .join(schema.users, schema.portfolios.c.user_id == schema.users.c.id)
        .where(schema.accounts.c.id.not_in(hidden_accounts()))
        .order_by(schema.portfolios.c.id)
    )
    cash: defaultdict[int, list[BalanceView]] = defaultdict(list)
    for row in connection.execute(select(schema.balances).order_by(*schema.balances.primary_key.columns)):
        cash[row.portfolio_id].append(BalanceView(row.pocket, row.asset, row.amount))
    return tuple(
        PortfolioView(
            row.id,
            row.name,
            row.account_id,
            row.account,
            row.user,
            row.mode,
            row.base_currency,
            row.price_source,
            tuple(cash[row.id]),
        )
        for row in connection.execute(whose)
    )


def _positions(connection: Connection) -> tuple[PositionView, ...]:
    instruments = _instruments(connection)
    account, portfolio = _account_names(connection), _portfolio_names(connection)
    views = []
    for row in connection.execute(
        select_as_stored(schema.positions).where(schema.positions.c.account_id.not_in(hidden_accounts()))
    ):
        position = positions.from_row(tuple(row))
        instrument = instruments[position.instrument_id]
        view = PositionView(
            account[position.account_id],
            portfolio[position.portfolio_id],
            instrument.symbol,
            position.strategy_id or 0,
            position.quantity,
            position.avg_price(instrument),
            position.cost,
            position.realized_pnl,
            position.fees,
            position.opened_at,
        )
        views.append(view)
    return tuple(views)


def _live_orders(connection: Connection) -> tuple[OrderView, ...]:
    account, portfolio = _account_names(connection), _portfolio_names(connection)
    instruments = _instruments(connection)
    orders = schema.orders.c
    # Orders that may still change, oldest first.
    live = select(schema.orders).where(orders.state.in_(LIVE_STATES)).order_by(orders.account_id, orders.id)
    return tuple(
        OrderView(
            account[row.account_id],
            portfolio[row.portfolio_id],
            instruments[row.instrument_id].symbol,
            row.client_order_id,
            row.side,
            row.type,
            row.quantity,
            row.filled_quantity,
            row.price,
            row.stop_price,
            bool(row.reduce_only),
            row.state,
            row.reason,
            row.triggered_by,
            row.placed_at,
        )
        for row in connection.execute(live)
    )


def _halts(connection: Connection) -> tuple[HaltView, ...]:
    halts = schema.halts.c
    # What is in force; a lifted halt stays in the table as ACTIVE.
    in_force = select(schema.halts).where(halts.state != TradingState.ACTIVE).order_by(halts.since, halts.source)
    return tuple(
        HaltView(row.scope_type, row.scope_id, row.source, row.state, row.reason, bool(row.latched), row.since)
        for row in connection.execute(in_force)
    )


def _guards(connection: Connection) -> tuple[GuardView, ...]:
    account = _account_names(connection)
    alerts = schema.guard_alerts.c
    episodes = select(schema.guard_alerts).order_by(alerts.account_id, alerts.kind, alerts.number)
    return tuple(
        GuardView(
            account[row.account_id],
            row.kind,
            row.number,
            row.status,
            row.action,
            row.drawdown,
            row.equity,
            row.threshold,
            row.opened_at,
            row.deadline,
            row.since,
            row.closed_count,
            row.loss,
        )
        for row in connection.execute(episodes)
    )


def _account_names(connection: Connection) -> Mapping[int, str]:
    return {row.id: row.name for row in connection.execute(select(schema.accounts.c.id, schema.accounts.c.name))}


def _portfolio_names(connection: Connection) -> Mapping[int, str]:
    return {row.id: row.name for row in connection.execute(select(schema.portfolios.c.id, schema.portfolios.c.name))}


def _instruments(connection: Connection) -> Mapping[InstrumentId, Instrument]:
    rows = connection.execute(select_as_stored(schema.instruments))
    return {instrument.id: instrument for instrument in (accounts.instrument_from_row(tuple(row)) for row in rows)}
