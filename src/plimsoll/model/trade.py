"""A trade: a permanent fact from a venue. It is never changed; a correction is another fact with a higher revision.

Of everything that a venue told under one trade id the highest revision counts, whatever came first: that is the
*effective* trade, or none when it was busted. Position, cash and the order's fill follow the effective trades only.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

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

#: (venue time, venue sequence, venue trade id or reference, revision): the order in which what happened to a position
#: is folded, however it arrives. What is no trade has a revision below 0.
FoldKey = tuple[datetime, int, str, int]


#: What triggered a trade that no order of ours caused.
EXTERNAL = "external"


class MadeBy(StrEnum):
    """Who made the order behind a trade, where the venue itself did."""

    LIQUIDATION = "liquidation"
    #: Auto-deleveraging: the venue closed a winner to pay for somebody's bankruptcy.
    ADL = "adl"
    SETTLEMENT = "settlement"


class TradeEffect(StrEnum):
    """What a later revision does to the fill that it revises."""

    #: The fill was this instead: side, quantity, price and fee of the revision are what counts.
    CORRECT = "CORRECT"
    #: There was no such fill; the revision repeats it and takes it back.
    BUST = "BUST"


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
    #: With a revision above 0, and only then.
    effect: TradeEffect | None = None
    #: In hedging mode, which side or ticket of the venue's; empty where it nets.
    leg: str = ""
    #: None where somebody's order caused it.
    made_by: MadeBy | None = None

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
        if self.revision < 0 or (self.revision == 0) != (self.effect is None):
            raise Illegal("revision", self.revision, "0 is the fill; a later one says if it corrects or busts")

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
    def key(self) -> TradeKey:
        return self.report.key

    @property
    def fold_key(self) -> FoldKey:
        report = self.report
        return (report.exec_time, report.sequence, report.broker_trade_id, report.revision)

    @property
    def signed_quantity(self) -> Decimal:
        return self.report.quantity if self.report.side is Side.BUY else -self.report.quantity


#: Trades that no order of ours caused: one of which the venue says that it made it itself says more than another.
_NOT_OURS: dict[str, int] = {**dict.fromkeys(MadeBy, 1), EXTERNAL: 2}


def home_of(told: Sequence[Trade]) -> Trade:
    """Give the trade that says whose all reports of one trade id are: one that an order of ours caused, if any is.

    A correction may come before its fill and name no order, nor who made it: the fill says later whose both are.
    """
    return min(told, key=lambda trade: (_NOT_OURS.get(trade.triggered_by, 0), trade.report.revision))


def effective_trade(told: Sequence[Trade]) -> Trade | None:
    """Give what counts of all reports of one trade id: the highest revision, or None when that busts it."""
    last = max(told, key=lambda trade: trade.report.revision)
    if last.report.effect is TradeEffect.BUST:
        return None
    home = home_of(told)
    whose = (home.portfolio_id, home.strategy_id, home.triggered_by)
    if (last.portfolio_id, last.strategy_id, last.triggered_by) == whose:
        return last
    portfolio_id, strategy_id, triggered_by = whose
    return replace(last, portfolio_id=portfolio_id, strategy_id=strategy_id, triggered_by=triggered_by)


@dataclass(frozen=True, slots=True)
class LateFee:
    """What a fill cost, told after it (IBKR's commission report): a second fact, linked to the fill by its id."""

    account_id: AccountId
    instrument_id: InstrumentId
    broker_trade_id: BrokerTradeId
    #: The venue's own id of it; a fill may get several.
    fee_id: str
    #: Paid is positive, a rebate is negative.
    fee: Decimal
    currency: str
    at: datetime

    def __post_init__(self) -> None:
        money.check_digits(self.fee, "fee")
        check_time(self.at, "at")
        if self.fee == 0:
            raise Illegal("fee", self.fee, "a fee of nothing is no fee; leave it out")

    @property
    def reference(self) -> str:
        """Name it as the reference of its cash line."""
        return f"{fees_of(self)}{self.fee_id}"


def fees_of(fill: "TradeReport | LateFee") -> str:
    """Give the start of the references of all late fees of a fill.

    The trade id may hold every character, so its length is said first.
    """
    return f"{fill.instrument_id}+{len(fill.broker_trade_id)}:{fill.broker_trade_id}:"


_LATE_FEE = re.compile(r"[0-9]+\+([0-9]+):")


def trade_of_fee(reference: str) -> BrokerTradeId | None:
    """Read the trade's id out of the reference of a late fee; None when it is none."""
    start = _LATE_FEE.match(reference)
    return None if start is None else BrokerTradeId(reference[start.end() : start.end() + int(start[1])])


def signed_notional(instrument: Instrument, side: Side, notional: Decimal) -> Decimal:
    """Give a trade's notional its sign: a sale brings cash (+), a buy takes it (−); inverse contracts mirrored."""
    brings_cash = (side is Side.SELL) != instrument.inverse
    return notional if brings_cash else -notional
