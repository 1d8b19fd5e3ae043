"""What the tax report says to a machine: the same fields from the command line (`--json`) and over REST."""

from datetime import date, datetime
from typing import Literal

from plimsoll.edges.api.schemas import Dec
from plimsoll.edges.reports.contract import ReportPart

TaxMethod = Literal["fifo", "lifo", "hifo", "lofo", "average", "specific"]
TaxFees = Literal["in-cost", "apart"]
#: How long it was held; empty where lots have no age.
Term = Literal["short", "long", ""]


class TaxRow(ReportPart):
    """One part of one lot. Of a short sale, it was sold at `acquired_at` and bought back at `disposed_at`."""

    year: int
    account: str
    portfolio: str
    symbol: str
    venue: str
    #: `CLOSED`; `FEE` for coins that were paid as a fee; `SETTLED` for a cost that was settled without a sale.
    kind: str
    side: Literal["long", "short"]
    #: `null` where all lots are one.
    acquired_at: datetime | None
    #: A trade's id, or a deposit's reference; empty where all lots are one.
    acquired_by: str
    disposed_at: datetime
    disposed_by: str
    quantity: Dec
    #: What the row counts in.
    currency: str
    proceeds: Dec | None
    cost: Dec | None
    #: Those in proceeds and cost, or those beside them.
    fees: Dec
    gain: Dec | None
    #: Days between the two days, in the report's zone.
    holding_days: int | None
    term: Term


class TaxTotal(ReportPart):
    """What rows come to: of one instrument in one year, by term; of what is known only."""

    year: int
    symbol: str
    venue: str
    currency: str
    term: Term
    rows: int
    proceeds: Dec
    cost: Dec
    fees: Dec
    gain: Dec
    #: Of the rows, those whose gain is unknown, and what is known of what they brought.
    unknown_rows: int
    unknown_proceeds: Dec


class IncomeRow(ReportPart):
    """One movement that earned (+) or cost (−) something beside trades."""

    year: int
    at: datetime
    account: str
    portfolio: str
    kind: Literal["INTEREST", "DIVIDEND", "FUNDING"]
    #: `null` for what belongs to no position.
    symbol: str | None
    asset: str
    amount: Dec
    reference: str


class IncomeTotal(ReportPart):
    """What movements of one kind and asset come to in a year."""

    year: int
    kind: Literal["INTEREST", "DIVIDEND", "FUNDING"]
    asset: str
    received: Dec
    #: Below zero.
    paid: Dec
    amount: Dec


class FeeApartRow(ReportPart):
    """What trades cost in an asset that is neither the instrument's money nor its coins: in no cost and no gain."""

    account: str
    portfolio: str
    symbol: str
    asset: str
    amount: Dec


class OpenLotsRow(ReportPart):
    """What is left at the end, for the year after."""

    account: str
    portfolio: str
    symbol: str
    venue: str
    #: Below zero: sold short.
    quantity: Dec
    #: Of it, what came in at a cost that nobody knows.
    unknown_quantity: Dec
    currency: str
    #: What opening the known part cost, or brought where it is short; `null` where nothing of it is known.
    cost: Dec | None
    lots: int


class TaxAnswer(ReportPart):
    """What was realised between two days, both included, lot by lot."""

    first_day: date
    last_day: date
    zone: str
    method: TaxMethod
    fees: TaxFees
    #: What was held for more days than this is long.
    long_after_days: int
    rows: list[TaxRow]
    totals: list[TaxTotal]
    income: list[IncomeRow]
    income_totals: list[IncomeTotal]
    fees_apart: list[FeeApartRow]
    open_lots: list[OpenLotsRow]
