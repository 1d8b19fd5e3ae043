"""Cash lines: every movement of every asset, once, with its kind. The kind is the other side of the entry.

Balance = Σ lines. A `BORROW` posts +X in its pocket and −X in the pocket `loan`, a `REPAY` the reverse, so that
debt = −loan + max(0, −cash): an explicit loan and an overdraft are both visible and never counted twice.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from plimsoll.model import money
from plimsoll.model.clock import check_time
from plimsoll.model.errors import Illegal
from plimsoll.model.ids import AccountId, InstrumentId, PortfolioId, StrategyId
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import Side
from plimsoll.model.trade import Trade, TradeReport


class CashKind(StrEnum):
    """Why an amount moved."""

    TRADE = "TRADE"
    FEE = "FEE"
    FUNDING = "FUNDING"
    INTEREST = "INTEREST"
    BORROW = "BORROW"
    REPAY = "REPAY"
    DEPOSIT = "DEPOSIT"
    WITHDRAWAL = "WITHDRAWAL"
    TRANSFER = "TRANSFER"
    DIVIDEND = "DIVIDEND"
    SPLIT = "SPLIT"
    CORRECTION = "CORRECTION"
    BUST = "BUST"
    ADL = "ADL"
    LIQUIDATION = "LIQUIDATION"
    SETTLEMENT = "SETTLEMENT"
    #: By a person, with a reason.
    ADJUSTMENT = "ADJUSTMENT"
    RESET = "RESET"


SPOT, MARGIN, FUTURES, LOAN = "spot", "margin", "futures", "loan"


@dataclass(frozen=True, slots=True)
class CashLine:
    """One movement of one asset."""

    account_id: AccountId
    portfolio_id: PortfolioId
    pocket: str
    asset: str
    kind: CashKind
    amount: Decimal
    #: Whose movement it is: a trade's key, a deposit's reference. With kind and asset it is unique in its account.
    reference: str
    at: datetime
    #: Which position it belongs to, where it is no trade's: funding, interest, dividends, a fee that came late.
    instrument_id: InstrumentId | None = None
    strategy_id: StrategyId | None = None
    leg: str = ""


#: What a venue or a person tells that is neither a trade nor the fee of one.
EVENT_KINDS = frozenset(CashKind) - {CashKind.TRADE, CashKind.FEE, CashKind.CORRECTION, CashKind.BUST, CashKind.RESET}
#: The kind says which way these go; the amount is above zero.
_ONE_WAY = {CashKind.DEPOSIT: 1, CashKind.WITHDRAWAL: -1, CashKind.BORROW: 1, CashKind.REPAY: -1, CashKind.TRANSFER: -1}
#: What a position may earn or cost beside its trades.
_OF_A_POSITION = frozenset(
    {
        *(CashKind.FUNDING, CashKind.INTEREST, CashKind.DIVIDEND, CashKind.LIQUIDATION, CashKind.SETTLEMENT),
        *(CashKind.ADL, CashKind.ADJUSTMENT),
    }
)


@dataclass(frozen=True, slots=True)
class Arrival:
    """Where what is transferred comes in: another portfolio, pocket or asset, and how much comes."""

    portfolio_id: PortfolioId
    pocket: str
    asset: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class CashEvent:
    """Money or coins that moved without a trade, as the venue or a person tells it. It is booked once, as it is told.

    Units: `amount` above zero where the kind says which way it goes, else signed: what came (+) or went (−)
    """

    account_id: AccountId
    portfolio_id: PortfolioId
    kind: CashKind
    asset: str
    amount: Decimal
    #: The venue's id of it, or a person's; with the kind it is unique in its account.
    reference: str
    at: datetime
    pocket: str = SPOT
    #: The position that earned or paid it, where it is one's.
    instrument_id: InstrumentId | None = None
    strategy_id: StrategyId | None = None
    leg: str = ""
    #: Of a transfer, and only of one.
    arrival: Arrival | None = None
    #: Why; an adjustment must say it.
    reason: str = ""

    def __post_init__(self) -> None:
        money.check_digits(self.amount, "amount")
        check_time(self.at, "at")
        if self.kind not in EVENT_KINDS:
            raise Illegal("kind", self.kind, "it is booked with its trade, or with the reset of the funds")
        if self.amount == 0 or (self.amount < 0 and self.kind in _ONE_WAY):
            raise Illegal("amount", self.amount, "give what moved: not 0, and above it where the kind says which way")
        if self.pocket == LOAN:
            raise Illegal("pocket", self.pocket, "name the pocket that the money is in; BORROW and REPAY move the loan")
        if (self.arrival is None) == (self.kind is CashKind.TRANSFER):
            raise Illegal("arrival", self.arrival, "a transfer says where it comes in, and nothing else does")
        if self.instrument_id is not None and self.kind not in _OF_A_POSITION:
            raise Illegal("instrument_id", self.instrument_id, f"{self.kind} is nothing that a position earns or pays")
        if self.kind is CashKind.ADJUSTMENT and not self.reason:
            raise Illegal("reason", self.reason, "say why the book is adjusted")
        if self.arrival is not None:
            self._check_arrival(self.arrival)

    def _check_arrival(self, arrival: Arrival) -> None:
        money.check_digits(arrival.amount, "arrival.amount")
        here = (self.portfolio_id, self.pocket, self.asset)
        if arrival.amount <= 0 or (arrival.asset == self.asset and arrival.amount != self.amount):
            raise Illegal("arrival.amount", arrival.amount, "give what comes in; of the same asset as much as goes out")
        if arrival.pocket == LOAN or (arrival.portfolio_id, arrival.pocket, arrival.asset) == here:
            raise Illegal("arrival", arrival, "name another portfolio, pocket or asset, and no loan")

    def lines(self) -> list[CashLine]:
        """Give the lines that it posts: one, or the two of a loan or a transfer."""
        sign = _ONE_WAY.get(self.kind, 1)
        line = CashLine(
            self.account_id,
            self.portfolio_id,
            self.pocket,
            self.asset,
            self.kind,
            sign * self.amount,
            self.reference,
            self.at,
            self.instrument_id,
            self.strategy_id,
            self.leg,
        )
        if self.kind in (CashKind.BORROW, CashKind.REPAY):
            return [line, replace(line, pocket=LOAN, amount=-line.amount)]
        if self.arrival is not None:
            there = self.arrival
            return [
                line,
                replace(
                    line,
                    portfolio_id=there.portfolio_id,
                    pocket=there.pocket,
                    asset=there.asset,
                    amount=there.amount,
                ),
            ]
        return [line]


def pocket_of(instrument: Instrument) -> str:
    """Name the pocket that an instrument's cash moves in."""
    return FUTURES if instrument.is_derivative else SPOT


def reference_of(report: TradeReport) -> str:
    """Name a trade as the reference of its cash lines; unique within its account."""
    return f"{report.instrument_id}:{report.broker_trade_id}:{report.revision}"


def lines_of(trade: Trade, instrument: Instrument, realized: Decimal) -> list[CashLine]:
    """Turn a trade into its cash lines; lines of zero are left out.

    On spot the coins and their price change hands; a derivative moves only what was realised, as the venue reported
    it or, where it reports nothing, as our own fold has it (`realized`). The fee is a line apart, in its own asset.
    """
    report = trade.report
    pocket = pocket_of(instrument)
    reference = reference_of(report)
    moved: list[tuple[str, CashKind, Decimal]]
    if instrument.is_derivative:
        paid = realized if report.realized_cash is None else report.realized_cash
        moved = [(instrument.settle, CashKind.TRADE, paid)]
    else:
        sign = 1 if report.side is Side.BUY else -1
        moved = [
            (instrument.base, CashKind.TRADE, sign * report.quantity),
            (instrument.quote, CashKind.TRADE, -sign * trade.notional),
        ]
    moved.append((report.fee_currency, CashKind.FEE, -report.fee))
    return [
        CashLine(report.account_id, trade.portfolio_id, pocket, asset, kind, amount, reference, report.exec_time)
        for asset, kind, amount in moved
        if amount != 0
    ]


def debt(cash: Decimal, loan: Decimal) -> Decimal:
    """Sum what is owed of one asset: the explicit loan and the overdraft, each once."""
    return -loan + max(money.ZERO, -cash)
