"""What a notebook reads: one flat row for each thing, under names instead of numbers.

Every number is a `Decimal`, every time is aware and in UTC, None is *unknown* and never zero. A row stands for itself:
what it belongs to is in it by name, so that a frame of them can be grouped and joined without a second question.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from plimsoll.bootstrap.notebook.frames import Amounts
from plimsoll.edges.reports.pnl import PnlLine
from plimsoll.ledger.cash import Balance
from plimsoll.ledger.reading.earnings import OwnPortfolio
from plimsoll.ledger.reading.holdings import BookedLine
from plimsoll.ledger.reading.imported import ImportedStatement
from plimsoll.ledger.reading.naming import OwnStrategy
from plimsoll.ledger.reading.onward import BookedTrade, NamedOrder
from plimsoll.ledger.reading.realised import RealisedPiece
from plimsoll.ledger.views import EquityPoint
from plimsoll.model.ids import AccountId, InstrumentId, PortfolioId, StrategyId
from plimsoll.model.instrument import Instrument
from plimsoll.model.lots import FeeRule, figures
from plimsoll.model.position import Position


@dataclass(frozen=True, slots=True)
class TradeRow:
    """A fill, or a later word about one (`revision` above 0, which replaces it)."""

    at: datetime
    account: str
    portfolio: str
    symbol: str
    venue: str
    #: BUY or SELL.
    side: str
    quantity: Decimal
    price: Decimal
    #: What it was worth, in `currency`; positive.
    notional: Decimal
    currency: str
    #: Paid is positive, a rebate is negative.
    fee: Decimal
    fee_asset: str
    #: Derivatives: what the venue said it realised, gross.
    realized: Decimal | None
    #: Empty for what people did by hand.
    strategy: str
    triggered_by: str
    trade_id: str
    order_id: str
    revision: int
    #: CORRECTION or BUST with a revision, else empty.
    effect: str
    leg: str


@dataclass(frozen=True, slots=True)
class OrderRow:
    """An order as it stands."""

    at: datetime
    updated_at: datetime
    account: str
    portfolio: str
    symbol: str
    venue: str
    side: str
    type: str
    quantity: Decimal
    filled_quantity: Decimal
    price: Decimal | None
    stop_price: Decimal | None
    state: str
    reason: str
    strategy: str
    triggered_by: str
    uid: str


@dataclass(frozen=True, slots=True)
class PositionRow:
    """What is held of one instrument; a flat one keeps its profit."""

    account: str
    portfolio: str
    symbol: str
    venue: str
    strategy: str
    leg: str
    #: Signed.
    quantity: Decimal
    #: None when it is flat, and where nobody knows what it cost.
    avg_price: Decimal | None
    #: Signed cost of the open quantity, in `currency`.
    cost: Decimal
    currency: str
    #: Gross: fees are apart.
    realized_pnl: Decimal
    fees: Amounts
    opened_at: datetime | None


@dataclass(frozen=True, slots=True)
class BalanceRow:
    """What a portfolio has of one asset in one pocket; negative is owed."""

    account: str
    portfolio: str
    pocket: str
    asset: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class CashRow:
    """One movement of one asset."""

    at: datetime
    account: str
    portfolio: str
    pocket: str
    asset: str
    #: TRADE, FEE, FUNDING, DEPOSIT, …
    kind: str
    #: Signed: what came (+) or went (−).
    amount: Decimal
    reference: str
    #: Of what it belongs to beside trades: funding, interest, dividends; else empty.
    symbol: str


@dataclass(frozen=True, slots=True)
class EquityRow:
    """What an account was worth at a moment."""

    at: datetime
    account: str
    equity: Decimal
    #: Value of one unit: deposits and withdrawals do not move it.
    nav: Decimal
    peak: Decimal
    drawdown: Decimal


@dataclass(frozen=True, slots=True)
class PnlRow:
    """What something earned in one asset; everything but turnover adds up to `net`. What was paid is below zero."""

    #: A day, a month, or a name.
    name: str
    #: Whose it is, where two may have the same name.
    of: str
    asset: str
    price: Decimal
    fees: Decimal
    funding: Decimal
    interest: Decimal
    dividends: Decimal
    other: Decimal
    net: Decimal
    turnover: Decimal
    trade_count: int


@dataclass(frozen=True, slots=True)
class TaxRow:
    """One part of one lot, and what became of it."""

    disposed_at: datetime
    #: None where all lots are one (average cost).
    acquired_at: datetime | None
    portfolio: str
    symbol: str
    venue: str
    quantity: Decimal
    is_short: bool
    #: In `currency`; None where nobody knows what it had cost.
    proceeds: Decimal | None
    cost: Decimal | None
    fees: Decimal
    gain: Decimal | None
    currency: str
    #: CLOSED, FEE or SETTLED.
    kind: str
    acquired_by: str
    disposed_by: str


@dataclass(frozen=True, slots=True)
class ImportRow:
    """A statement that was imported."""

    made_at: datetime
    account: str
    number: int
    uid: str
    format: str
    file_name: str
    sha256: str
    line_count: int
    added: int
    repeated: int
    made_by: str


class Names:
    """What the numbers in rows are called."""

    def __init__(
        self, portfolios: Iterable[OwnPortfolio], instruments: Iterable[Instrument], strategies: Iterable[OwnStrategy]
    ) -> None:
        self._portfolios = {one.id: one for one in portfolios}
        self._accounts = {one.account_id: one.account for one in self._portfolios.values()}
        self._instruments = {one.id: one for one in instruments}
        self._strategies = {(one.portfolio_id, one.id): one.name for one in strategies}

    def of_portfolio(self, portfolio_id: PortfolioId) -> tuple[str, str]:
        """Name account and portfolio."""
        portfolio = self._portfolios[portfolio_id]
        return portfolio.account, portfolio.name

    def of_account(self, account_id: AccountId) -> str:
        return self._accounts[account_id]

    def instrument(self, instrument_id: InstrumentId) -> Instrument:
        return self._instruments[instrument_id]

    def strategy(self, portfolio_id: PortfolioId, strategy_id: StrategyId | None) -> str:
        """Name a strategy; a bot that nobody knows any more by its number."""
        if not strategy_id:
            return ""
        return self._strategies.get((portfolio_id, strategy_id), f"bot {strategy_id}")

    def trade(self, booked: BookedTrade) -> TradeRow:
        trade = booked.trade
        report, instrument = trade.report, self.instrument(trade.report.instrument_id)
        return TradeRow(
            report.exec_time,
            *self.of_portfolio(trade.portfolio_id),
            instrument.symbol,
            instrument.venue,
            report.side.value,
            report.quantity,
            report.price,
            trade.notional,
            instrument.cash_asset,
            report.fee,
            report.fee_currency,
            report.realized_cash,
            self.strategy(trade.portfolio_id, trade.strategy_id),
            trade.triggered_by,
            report.broker_trade_id,
            report.broker_order_id or report.client_order_id or "",
            report.revision,
            "" if report.effect is None else report.effect.value,
            report.leg,
        )

    def order(self, named: NamedOrder) -> OrderRow:
        order = named.order
        intent, terms = order.intent, order.terms
        return OrderRow(
            order.placed_at,
            order.updated_at,
            *self.of_portfolio(intent.portfolio_id),
            named.symbol,
            named.venue,
            terms.side.value,
            terms.type.value,
            order.quantity,
            order.filled_quantity,
            terms.price,
            terms.stop_price,
            order.state.value,
            order.reason,
            self.strategy(intent.portfolio_id, intent.strategy_id),
            intent.triggered_by,
            order.uid,
        )

    def position(self, position: Position) -> PositionRow:
        instrument = self.instrument(position.instrument_id)
        is_unknown = position.quantity == position.uncosted  # flat, or all of it came in at a cost that nobody knows
        return PositionRow(
            *self.of_portfolio(position.portfolio_id),
            instrument.symbol,
            instrument.venue,
            self.strategy(position.portfolio_id, position.strategy_id),
            position.leg,
            position.quantity,
            None if is_unknown else position.avg_price(instrument),
            position.cost,
            instrument.cash_asset,
            position.realized_pnl,
            position.fees,
            position.opened_at,
        )

    def balance(self, balance: Balance) -> BalanceRow:
        return BalanceRow(*self.of_portfolio(balance.portfolio_id), balance.pocket, balance.asset, balance.amount)

    def cash_line(self, booked: BookedLine) -> CashRow:
        line = booked.line
        return CashRow(
            line.at,
            *self.of_portfolio(line.portfolio_id),
            line.pocket,
            line.asset,
            line.kind.value,
            line.amount,
            line.reference,
            "" if line.instrument_id is None else self.instrument(line.instrument_id).symbol,
        )

    def piece(self, told: RealisedPiece, rule: FeeRule) -> TaxRow:
        instrument, piece = told.instrument, told.piece
        counted = figures(piece, rule, inverse=instrument.inverse)
        return TaxRow(
            piece.closed_at,
            piece.opened_at,
            self.of_portfolio(told.portfolio_id)[1],
            instrument.symbol,
            instrument.venue,
            piece.quantity,
            piece.is_short,
            *counted,
            instrument.cash_asset,
            piece.kind.value,
            piece.opened_by,
            piece.closed_by,
        )

    def statement(self, told: ImportedStatement) -> ImportRow:
        return ImportRow(
            told.made_at,
            self.of_account(told.account_id),
            told.number,
            told.uid,
            told.format,
            told.file_name,
            told.sha256,
            told.line_count,
            told.added,
            told.repeated,
            told.made_by,
        )


def equity_row(account: str, point: EquityPoint) -> EquityRow:
    """Name the account of a point."""
    return EquityRow(point.at, account, point.equity, point.nav, point.peak, point.drawdown)


def pnl_row(line: PnlLine) -> PnlRow:
    """Say the net beside its parts."""
    return PnlRow(
        line.name,
        line.of,
        line.asset,
        line.price,
        line.fees,
        line.funding,
        line.interest,
        line.dividends,
        line.other,
        line.net,
        line.turnover,
        line.trade_count,
    )
