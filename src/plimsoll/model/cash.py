"""Cash lines: every movement of every asset, once, with its kind. The kind is the other side of the entry.

Balance = Σ lines. A `BORROW` posts +X in its pocket and −X in the pocket `loan`, a `REPAY` the reverse, so that
debt = −loan + max(0, −cash): an explicit loan and an overdraft are both visible and never counted twice.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from plimsoll.model import money
from plimsoll.model.ids import AccountId, PortfolioId
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
