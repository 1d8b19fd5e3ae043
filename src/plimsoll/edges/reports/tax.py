"""The tax report: what was realised in a year, lot by lot, what came in beside it, and what is left for the next one.

Rule 1. Days and years are those of one zone, which the report names: a sale at half past midnight in Berlin is of the
        new year there.
Rule 2. Totals are of what is known, with what is not beside them; nothing is added across currencies, and no fee in a
        third asset is brought into a cost, for the book has no rate that it could name.

What must not enter: what the law of some country says. The report has what a declaration is made of.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Literal, TypeAlias, cast
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from plimsoll.edges.reports.table import Cell, Kind, Table
from plimsoll.edges.reports.tax_contract import (
    FeeApartRow,
    IncomeRow,
    IncomeTotal,
    OpenLotsRow,
    TaxAnswer,
    TaxRow,
    TaxTotal,
    Term,
)
from plimsoll.ledger.lots import Matching
from plimsoll.ledger.reading.asking import Instruments, Portfolios
from plimsoll.ledger.reading.earnings import OwnPortfolio
from plimsoll.ledger.reading.reader import Own
from plimsoll.ledger.reading.realised import FeeApart, Income, OpenLots, RealisedPiece
from plimsoll.model import money
from plimsoll.model.errors import Illegal
from plimsoll.model.ids import PortfolioId
from plimsoll.model.lots import FeeRule, LotMethod, figures

#: A row says every field: one set for all of them, where each would have one of its own that is larger than the row.
_ALL_SAID = set(TaxRow.model_fields)
#: What was held for more days than this is long, where nobody says otherwise.
LONG_AFTER_DAYS = 365


@dataclass(frozen=True, slots=True)
class TaxAsked:
    """What somebody wants to know: of which days, in which zone, by which method."""

    first_day: date
    last_day: date
    matching: Matching
    zone: str = "UTC"
    long_after_days: int = LONG_AFTER_DAYS
    #: Of this instrument only.
    symbol: str | None = None

    def __post_init__(self) -> None:
        if self.matching.choices and self.matching.method is not LotMethod.SPECIFIC:
            raise Illegal("lots", self.matching.method.value, "lots are named for the method specific")
        if self.matching.method is LotMethod.SPECIFIC and not self.matching.choices:
            raise Illegal("lots", "", "the method specific wants the lots named; without them it would be fifo")
        if not 0 <= self.long_after_days <= 36_500:
            raise Illegal("long_after", self.long_after_days, "give days, 0 to 36500")
        _zone(self.zone)

    @property
    def title(self) -> str:
        """Say what it is of."""
        first, last = self.first_day, self.last_day
        whole = (first.month, first.day, last.month, last.day) == (1, 1, 12, 31) and first.year == last.year
        when = str(first.year) if whole else f"{first.isoformat()} to {last.isoformat()}"
        return f"Realised gains {when} by {self.matching.method.value}"


def tax_answer(book: Own, asked: TaxAsked, among: Portfolios = None) -> TaxAnswer:
    """Read what was realised, and put it into the fields of the contract.

    Raises: Illegal, for an instrument or lots that are not there
    """
    zone, instruments = _zone(asked.zone), _instruments(book, asked.symbol, among)
    since, until = _midnight(asked.first_day, zone), _midnight(asked.last_day + timedelta(days=1), zone)
    found = book.realised.realised(asked.matching, since=since, until=until, among=among, instruments=instruments)
    names = {one.id: one for one in book.earnings.portfolios(among=among)}
    rows = [_row(one, asked, zone, names) for one in found.pieces]
    income = [_income(one, zone, names) for one in found.income]
    return TaxAnswer(
        first_day=asked.first_day,
        last_day=asked.last_day,
        zone=asked.zone,
        method=asked.matching.method.value,
        fees=asked.matching.fees.value,
        long_after_days=asked.long_after_days,
        rows=rows,
        totals=_totals(rows),
        income=income,
        income_totals=_income_totals(income),
        fees_apart=[_apart(fee, names) for fee in found.fees_apart],
        open_lots=[_open(one, asked.matching.fees, names) for one in found.open_lots],
    )


def _instruments(book: Own, symbol: str | None, among: Portfolios) -> Instruments:
    """Find what is called so, at whatever venue; a symbol of somebody else's is none."""
    if symbol is None:
        return None
    known = book.naming.instruments(among=among)
    found = [one.id for one in known if one.symbol == symbol]
    if not found:
        names = ", ".join(sorted({one.symbol for one in known})) or "none"
        raise Illegal("symbol", symbol, f"it was never traded here; there are: {names}")
    return found


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):  # no such file, a folder, a name that is no path
        raise Illegal("zone", name, "name a time zone, such as UTC or Europe/Berlin") from None


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _whose(names: Mapping[PortfolioId, OwnPortfolio], number: PortfolioId) -> dict[str, str]:
    return {"account": names[number].account, "portfolio": names[number].name}


def _row(one: RealisedPiece, asked: TaxAsked, zone: ZoneInfo, names: Mapping[PortfolioId, OwnPortfolio]) -> TaxRow:
    piece, instrument = one.piece, one.instrument
    told = figures(piece, asked.matching.fees, inverse=instrument.inverse)
    closed_on = piece.closed_at.astimezone(zone).date()
    days = None if piece.opened_at is None else (closed_on - piece.opened_at.astimezone(zone).date()).days
    whose = names[one.portfolio_id]
    # Made without a second look: the numbers come from the book, and a year may have a hundred thousand rows.
    return TaxRow.model_construct(
        _ALL_SAID,
        year=closed_on.year,
        account=whose.account,
        portfolio=whose.name,
        symbol=instrument.symbol,
        venue=instrument.venue,
        kind=piece.kind.value,
        side="short" if piece.is_short else "long",
        acquired_at=piece.opened_at,
        acquired_by=piece.opened_by,
        disposed_at=piece.closed_at,
        disposed_by=piece.closed_by,
        quantity=piece.quantity,
        currency=instrument.cash_asset,
        proceeds=told.proceeds,
        cost=told.cost,
        fees=told.fees,
        gain=told.gain,
        holding_days=days,
        term=_term(days, asked.long_after_days),
    )


def _term(days: int | None, long_after: int) -> Term:
    if days is None:
        return ""
    return "long" if days > long_after else "short"


def _income(one: Income, zone: ZoneInfo, names: Mapping[PortfolioId, OwnPortfolio]) -> IncomeRow:
    return IncomeRow(
        year=one.at.astimezone(zone).year,
        at=one.at,
        **_whose(names, one.portfolio_id),
        kind=cast("Literal['INTEREST', 'DIVIDEND', 'FUNDING']", one.kind.value),
        symbol=None if one.instrument is None else one.instrument.symbol,
        asset=one.asset,
        amount=one.amount,
        reference=one.reference,
    )


def _apart(one: FeeApart, names: Mapping[PortfolioId, OwnPortfolio]) -> FeeApartRow:
    whose = _whose(names, one.portfolio_id)
    return FeeApartRow(**whose, symbol=one.instrument.symbol, asset=one.asset, amount=one.amount)


def _open(one: OpenLots, rule: FeeRule, names: Mapping[PortfolioId, OwnPortfolio]) -> OpenLotsRow:
    held = one.held
    moved = held.cash - held.fees if rule is FeeRule.IN_COST else held.cash
    return OpenLotsRow(
        **_whose(names, one.portfolio_id),
        symbol=one.instrument.symbol,
        venue=one.instrument.venue,
        quantity=held.quantity,
        unknown_quantity=held.unknown,
        currency=one.instrument.cash_asset,
        cost=None if held.quantity == held.unknown else abs(moved),
        lots=held.lots,
    )


# What the rows come to ------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Sum:
    """What rows come to, as they go by."""

    rows: int = 0
    proceeds: Decimal = money.ZERO
    cost: Decimal = money.ZERO
    fees: Decimal = money.ZERO
    gain: Decimal = money.ZERO
    unknown_rows: int = 0
    unknown_proceeds: Decimal = money.ZERO

    def add(self, row: TaxRow) -> None:
        self.rows += 1
        self.fees += row.fees
        if row.gain is None or row.proceeds is None or row.cost is None:
            self.unknown_rows += 1
            self.unknown_proceeds += row.proceeds or money.ZERO
        else:
            self.proceeds += row.proceeds
            self.cost += row.cost
            self.gain += row.gain


def _totals(rows: Iterable[TaxRow]) -> list[TaxTotal]:
    sums: defaultdict[tuple[int, str, str, str, Term], _Sum] = defaultdict(_Sum)
    for row in rows:
        sums[row.year, row.symbol, row.venue, row.currency, row.term].add(row)
    return [
        TaxTotal(year=year, symbol=symbol, venue=venue, currency=currency, term=term, **asdict(total))
        for (year, symbol, venue, currency, term), total in sorted(sums.items(), key=_place)
    ]


def _place(item: tuple[tuple[int, str, str, str, Term], _Sum]) -> tuple[int, str, str, str, Term]:
    return item[0]


def _income_totals(rows: Iterable[IncomeRow]) -> list[IncomeTotal]:
    sums: dict[tuple[int, Literal["INTEREST", "DIVIDEND", "FUNDING"], str], tuple[Decimal, Decimal]] = {}
    for row in rows:
        key = (row.year, row.kind, row.asset)
        received, paid = sums.get(key, (money.ZERO, money.ZERO))
        sums[key] = (received + row.amount, paid) if row.amount > 0 else (received, paid + row.amount)
    return [
        IncomeTotal(year=year, kind=kind, asset=asset, received=received, paid=paid, amount=received + paid)
        for (year, kind, asset), (received, paid) in sorted(sums.items())
    ]


# Shown ----------------------------------------------------------------------------------------------------------------

Columns: TypeAlias = tuple[tuple[str, str, Kind], ...]
_WHERE: Columns = (("account", "account", "text"), ("portfolio", "portfolio", "text"), ("symbol", "instrument", "text"))
_ROW: Columns = (
    *_WHERE,
    ("side", "side", "text"),
    ("kind", "kind", "text"),
    ("quantity", "quantity", "quantity"),
    ("acquired_at", "acquired", "time"),
    ("disposed_at", "disposed", "time"),
    ("proceeds", "proceeds", "money"),
    ("cost", "cost", "money"),
    ("fees", "fees", "money"),
    ("gain", "gain", "money"),
    ("currency", "currency", "text"),
    ("holding_days", "days", "quantity"),
    ("term", "term", "text"),
    ("acquired_by", "acquired by", "text"),
    ("disposed_by", "disposed by", "text"),
)
_TOTAL: Columns = (
    ("year", "year", "text"),
    ("symbol", "instrument", "text"),
    ("venue", "venue", "text"),
    ("term", "term", "text"),
    ("rows", "rows", "quantity"),
    ("proceeds", "proceeds", "money"),
    ("cost", "cost", "money"),
    ("fees", "fees", "money"),
    ("gain", "gain", "money"),
    ("currency", "currency", "text"),
    ("unknown_rows", "unknown rows", "quantity"),
    ("unknown_proceeds", "unknown proceeds", "money"),
)
_INCOME: Columns = (
    ("at", "when", "time"),
    *_WHERE,
    ("kind", "kind", "text"),
    ("amount", "amount", "money"),
    ("asset", "asset", "text"),
    ("reference", "reference", "text"),
)
_INCOME_TOTAL: Columns = (
    ("year", "year", "text"),
    ("kind", "kind", "text"),
    ("received", "received", "money"),
    ("paid", "paid", "money"),
    ("amount", "amount", "money"),
    ("asset", "asset", "text"),
)
_APART: Columns = (*_WHERE, ("amount", "fees", "money"), ("asset", "asset", "text"))
_OPEN: Columns = (
    *_WHERE,
    ("venue", "venue", "text"),
    ("quantity", "quantity", "quantity"),
    ("unknown_quantity", "of unknown cost", "quantity"),
    ("cost", "cost", "money"),
    ("currency", "currency", "text"),
    ("lots", "lots", "quantity"),
)

#: The tables of a report by their names, for whoever wants one of them; all but the first only where there is anything.
TAX_TABLES: Mapping[str, Callable[[TaxAnswer], Table]] = {
    "gains": lambda told: _table("Gains", _ROW, told.rows, _notes(told)),
    "totals": lambda told: _table("Totals by year, instrument and term", _TOTAL, told.totals),
    "income": lambda told: _table("Income", _INCOME, told.income),
    "income-totals": lambda told: _table("Income by year, kind and asset", _INCOME_TOTAL, told.income_totals),
    "fees": lambda told: _table("Fees in other assets, which are in no cost and no gain", _APART, told.fees_apart),
    "open": lambda told: _table("Open at the end", _OPEN, told.open_lots),
}


def tax_tables(told: TaxAnswer, only: str | None = None) -> list[Table]:
    """Put an answer into tables: the gains and what else there is, or one of them by its name.

    Raises: Illegal
    """
    if only is not None:
        if only not in TAX_TABLES:
            raise Illegal("only", only, f"name one of {', '.join(TAX_TABLES)}")
        return [TAX_TABLES[only](told)]
    tables = [make(told) for make in TAX_TABLES.values()]
    return [tables[0], *(table for table in tables[1:] if table.rows)]


def _table(title: str, columns: Columns, rows: Sequence[BaseModel], notes: Sequence[str] = ()) -> Table:
    names = [name for name, _, _ in columns]
    cells = [[_cell(row, name) for name in names] for row in rows]
    return Table(title, [(shown, kind) for _, shown, kind in columns], cells, (), notes)


def _cell(row: BaseModel, name: str) -> Cell:
    cell: Cell = getattr(row, name)
    # What does not apply is not unknown: lots that are one have no age, a movement may be of no instrument.
    return "" if cell is None and name in ("acquired_at", "holding_days", "symbol") else cell


def _notes(told: TaxAnswer) -> tuple[str, ...]:
    fees = "in proceeds and cost" if told.fees == "in-cost" else "beside them; the gain is gross"
    notes = [
        f"Lots by {told.method}; days and years in {told.zone}; long after more than {told.long_after_days} days.",
        f"Fees in an instrument's own money, and coins paid as fees, are {fees}.",
    ]
    if any(row.side == "short" for row in told.rows):
        notes.append("A short position was sold on the day it was acquired, and bought back on the day of disposal.")
    if any(row.gain is None for row in told.rows):
        notes.append("Unknown: it came in at a cost that nobody told, so it has no gain, and is in no total of gains.")
    return tuple(notes)
