"""What a report says to a machine: the same fields from the command line (`--json`) and over REST.

As everywhere, decimals travel as strings, ratios are ratios (0.01 = 1 %), and `null` means *unknown*, never zero.
"""

from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict

from plimsoll.edges.api.schemas import Dec

#: What profit and loss are told by.
ReportBy = Literal["day", "month", "strategy", "instrument", "venue", "portfolio"]


class ReportPart(BaseModel):
    """Any part of a report's answer."""

    model_config = ConfigDict(frozen=True)


class PnlReportRow(ReportPart):
    """What something earned in one asset. What was paid is below zero; all but turnover adds up to `net`."""

    #: A day, a month, or a name; `by hand`, `no instrument` for what belongs to none.
    name: str
    #: Whose it is: the account, the portfolio, the venue; empty where the name says it all.
    of: str
    asset: str
    #: What trades realised, gross, at average cost.
    price: Dec
    fees: Dec
    funding: Dec
    interest: Dec
    dividends: Dec
    #: Settlements, liquidations, adjustments.
    other: Dec
    net: Dec
    turnover: Dec
    trade_count: int


class UnknownProceeds(ReportPart):
    """What sales of coins of unknown cost brought in one asset: neither profit nor loss, and in no line."""

    asset: str
    amount: Dec


class PnlReportAnswer(ReportPart):
    """Profit and loss between two days, both included."""

    by: ReportBy
    first_day: date
    last_day: date
    items: list[PnlReportRow]
    #: What the items come to, one for each asset.
    totals: list[PnlReportRow]
    #: Of the portfolios that were asked about, over all time and not of these days; empty where there is none.
    unknown_proceeds: list[UnknownProceeds]


class PerformancePoint(ReportPart):
    """One period of a curve."""

    day: date
    #: Null where nobody knows it; it grows nothing then.
    period_return: Dec | None
    #: From the beginning to the end of this period.
    cumulative_return: Dec
    #: What the money that was named at the beginning has become; null where none was named.
    value: Dec | None


class PerformanceCurve(ReportPart):
    """How money grew, and how it was shaken on the way. Null for what cannot be known."""

    #: The account; of a file of returns its name.
    of: str
    currency: str | None
    #: `equity`: what the account was worth, without what was paid in and out. `money_put_in`: what was earned each day
    #: on the money put in until then. `returns`: as the file says.
    counted_from: Literal["equity", "money_put_in", "returns"]
    #: Returns that are known.
    periods: int
    periods_per_year: int
    total_return: Dec | None
    #: Below zero: -0.1 is a fall by a tenth from the highest point before.
    max_drawdown: Dec | None
    annual_volatility: Dec | None
    sharpe: Dec | None
    sortino: Dec | None
    points: list[PerformancePoint]


class PerformanceTrips(ReportPart):
    """Round trips of one currency that ended within the time: from holding nothing to holding nothing."""

    currency: str
    closed: int
    won: int
    lost: int
    #: Closed, and nobody knows what they came to: coins came in at an unknown cost.
    unknown: int
    still_open: int
    win_rate: Dec | None
    gross_profit: Dec
    gross_loss: Dec
    #: Gross profit for each unit of gross loss; null where nothing was lost.
    profit_factor: Dec | None
    #: The part of the time in which anything was held.
    exposure: Dec | None


class PerformanceAnswer(ReportPart):
    """Performance between two days, both included."""

    first_day: date | None
    last_day: date | None
    curves: list[PerformanceCurve]
    trips: list[PerformanceTrips]
