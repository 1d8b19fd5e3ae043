"""A trade: a permanent fact from a venue. It is never changed; a correction is another fact with a higher revision."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from plimsoll.model import money
from plimsoll.model.clock import check_time
from plimsoll.model.errors import Illegal
from plimsoll.model.ids import (
    AccountId,
    BrokerOrderId,
    BrokerTradeId,
    ClientOrderId,
    InstrumentId,
    PortfolioId,
    StrategyId,
)
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import Side

#: (account, instrument, the venue's trade id, revision): what makes a trade the same trade.
TradeKey = tuple[AccountId, InstrumentId, BrokerTradeId, int]

#: (venue time, venue sequence, venue trade id, revision): the order in which trades are folded, however they arrive.
FoldKey = tuple[datetime, int, BrokerTradeId, int]


@dataclass(frozen=True, slots=True)
class TradeReport:
    """A fill as a venue tells it, before we know whose it is."""

    account_id: AccountId
    instrument_id: InstrumentId
    broker_trade_id: BrokerTradeId
    side: Side
    quantity: Decimal
    price: Decimal
    #: Paid is positive, a rebate is negative, in `fee_currency`.
    fee: Decimal
    fee_currency: str
    exec_time: datetime
    #: The venue's own order of things, for fills of the same instant.
    sequence: int = 0
    revision: int = 0
    broker_order_id: BrokerOrderId | None = None
    client_order_id: ClientOrderId | None = None
    #: Derivatives: the profit or loss that the venue paid with this trade; None where it reports none.
    realized_cash: Decimal | None = None

    def __post_init__(self) -> None:
        for field in ("quantity", "price", "fee"):
            money.check_digits(getattr(self, field), field)
        if self.realized_cash is not None:
            money.check_digits(self.realized_cash, "realized_cash")
        check_time(self.exec_time, "exec_time")
        if self.quantity <= 0:
            raise Illegal("quantity", self.quantity, "a fill moves a quantity above zero; the side says which way")
        # No instrument of ours says that its price may be zero or below (FAILURES C4): such a fill is quarantined.
        if self.price <= 0:
            raise Illegal("price", self.price, "a fill has a price above zero")

    @property
    def key(self) -> TradeKey:
        return (self.account_id, self.instrument_id, self.broker_trade_id, self.revision)


@dataclass(frozen=True, slots=True)
class Trade:
    """A fill that belongs to a portfolio, with its value settled once."""

    report: TradeReport
    portfolio_id: PortfolioId
    strategy_id: StrategyId | None
    triggered_by: str
    #: quantity × price × multiplier (inverse: quantity × multiplier / price), in the cash asset, positive.
    notional: Decimal

    @property
    def fold_key(self) -> FoldKey:
        report = self.report
        return (report.exec_time, report.sequence, report.broker_trade_id, report.revision)

    @property
    def signed_quantity(self) -> Decimal:
        return self.report.quantity if self.report.side is Side.BUY else -self.report.quantity


def signed_notional(instrument: Instrument, side: Side, notional: Decimal) -> Decimal:
    """Give a trade's notional its sign: a sale brings cash (+), a buy takes it (−); inverse contracts mirrored."""
    brings_cash = (side is Side.SELL) != instrument.inverse
    return notional if brings_cash else -notional
