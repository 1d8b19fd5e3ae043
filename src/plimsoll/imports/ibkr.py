"""Interactive Brokers: trades of a Flex query as CSV, and the activity statement.

    "CurrencyPrimary","Symbol","DateTime",…,"Quantity","TradePrice","Buy/Sell",…,"IBCommission","IBCommissionCurrency"
    Trades,Header,DataDiscriminator,Asset Category,Currency,Symbol,Date/Time,Quantity,T. Price,…,Comm/Fee,…

Rule 1. Times name no zone. They are those of New York, unless somebody says which zone the statement was asked for in.
Rule 2. Commissions are negative where they were paid. Taxes in the same currency are part of the fee.
Rule 3. Stocks, funds, options and currencies change hands for their whole price; futures and CFDs pay profit and loss
        only. Bonds, which are priced in percent, are refused.
Rule 4. Totals, lots and orders repeat what the executions say; only these are read. An activity statement without
        executions has its orders read instead, never both: each trade would be there twice.
Rule 5. What a contract stands for is said by the statement or follows from the proceeds to the cent; it is never
        taken to be 1. Proceeds that are not quantity by price by multiplier are refused: one of them was misread.
Rule 6. A section that moves pieces is read or complained about. A split that was dropped is a position four times off.

What must not enter: Flex queries as XML.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import tzinfo
from decimal import Decimal
from functools import partial
from typing import TypeAlias

from plimsoll.imports.cells import Twins, asset, digits_or_zero, grouped_number, moment, pair, turn_of
from plimsoll.imports.csv_file import Format, Row, Shape, cell_rows, told_rows
from plimsoll.imports.statement import Complaint, Options, ToldLine, zone_named
from plimsoll.model.cash import CashKind
from plimsoll.model.errors import Illegal
from plimsoll.model.money import ZERO, round_down, settle_product, settle_quotient
from plimsoll.model.order import Side
from plimsoll.model.told import Told

_NEW_YORK = "America/New_York"
_WHOLE_PRICE = ("STK", "FUND", "WAR", "OPT", "FOP", "STOCKS", "FUNDS", "WARRANTS", "EQUITY AND INDEX OPTIONS", "")
_CURRENCIES = ("CASH", "CRYPTO", "FOREX", "CRYPTOCURRENCY")
_DERIVATIVES = ("FUT", "CFD", "FUTURES", "CFDS", "FOREX CFDS")
#: One of these stands for many pieces, and nobody may take it for one.
_CONTRACTS = (*_DERIVATIVES, "OPT", "FOP", "WAR", "EQUITY AND INDEX OPTIONS", "WARRANTS")
_CENT = Decimal("0.01")
#: Prices are averages of executions, and rounded.
_ROUNDED = Decimal("0.000001")
#: Nobody trades a contract for a finer part than a ten-thousandth of its coin.
_FINEST_MULTIPLIER = 4
_ENDED = {"EP": "expired", "A": "was assigned", "EX": "was exercised"}


def _symbol(text: str, asset_class: str, currency: str, column: str) -> str:
    """Write what was traded as a pair: `BRK B` in USD is BRK.B/USD."""
    word = re.sub(r"[\s/:]+", ".", text.strip())
    if asset_class in _CURRENCIES:
        base, _, quote = word.partition(".")
        return pair(asset(base, column), asset(quote.partition("-")[0] or currency, column), column)
    if asset_class in _DERIVATIVES:
        return pair(asset(word, column), currency, column, settle=currency)
    if asset_class in _WHOLE_PRICE:
        return pair(asset(word, column), currency, column)
    raise Illegal("assetclass", asset_class, "this is priced in no way that is known here; write it in the plain form")


def _side(row: Row, quantity: Decimal) -> Side:
    word = row.text("buy/sell").upper()
    if "CA" in word:
        raise Illegal("buy/sell", word, "a trade that was cancelled; ask for a statement without cancelled trades")
    if word and word not in ("BUY", "SELL"):
        raise Illegal("buy/sell", word, "write BUY or SELL")
    return Side(word) if word else (Side.BUY if quantity > 0 else Side.SELL)


def _priced(price: Decimal, codes: str, column: str) -> Decimal:
    """Give a price back, unless it is 0: a fill at 0 is none, and one at nearly 0 would make up money."""
    if price:
        return price
    ended = next((_ENDED[code] for code in re.split(r"[;,\s]+", codes.upper()) if code in _ENDED), None)
    what = "no trade has a price of 0" if ended is None else f"this {ended}, and no trade has a price of 0"
    raise Illegal(
        column,
        price,
        f"{what}: leave the line out with --skip-bad-lines, and the position stays open; or write in a copy of the file"
        " a price of 0.01, the proceeds that it makes, and a commission that takes them away again (1 x 100 sold:"
        " proceeds 1, commission -1), which is right after fees",
    )


def _multiplier(
    said: Decimal | None, asset_class: str, bought: Decimal, price: Decimal, proceeds: Decimal | None
) -> Decimal:
    """Say what one piece stands for; `bought` is below 0 for what was sold.

    Raises: Illegal, where nothing says it, or where the proceeds say something else
    """
    try:
        value = settle_product(bought, price)
        if said is None and asset_class in _CONTRACTS:
            return _multiplier_made(value, proceeds)
        multiplier = Decimal(1) if said is None else said
        made = settle_product(bought, price, multiplier).copy_negate()
    except ArithmeticError as too_much:
        raise Illegal(
            "quantity", bought, "quantity by price is more than anybody's; is a column missing?"
        ) from too_much
    if proceeds is not None and abs(proceeds - made) > max(_CENT, settle_product(proceeds.copy_abs(), _ROUNDED)):
        raise Illegal("proceeds", proceeds, f"quantity, price and a multiplier of {multiplier:f} make {made:f}")
    return multiplier


def _multiplier_made(value: Decimal, proceeds: Decimal | None) -> Decimal:
    """Find the shortest multiplier that makes these proceeds to the cent, where no other of its length does."""
    exact = settle_quotient(proceeds.copy_negate(), value) if proceeds is not None and value else ZERO
    for places in range(_FINEST_MULTIPLIER + 1):
        step = Decimal(1).scaleb(-places)
        found = round_down(exact + step / 2, step)
        if proceeds is None or found <= 0 or settle_product(value.copy_abs(), step) < _CENT:
            continue
        if abs(settle_product(value, found) + proceeds) < _CENT / 2:
            return found
    raise Illegal(
        *("multiplier", "" if proceeds is None else proceeds),
        "nothing says what one contract stands for; ask for a statement with the multiplier (Multiplier, Financial"
        " Instrument Information) or with proceeds that show it to the cent",
    )


def _execution(row: Row, zone: tzinfo) -> Iterable[Told]:
    if row.text("levelofdetail").upper() not in ("", "EXECUTION"):
        return
    quantity, currency = row.number("quantity"), asset(row.needed("currencyprimary", "currency"), "currencyprimary")
    trade_id, asset_class = row.needed("tradeid", "ibexecid", "transactionid"), row.text("assetclass").upper()
    fee, paid_in = _fee(row, currency)
    symbol = _symbol(row.needed("symbol"), asset_class, currency, "symbol")
    side, price = _side(row, quantity), row.number("tradeprice", "price")
    bought = quantity.copy_abs() if side is Side.BUY else quantity.copy_abs().copy_negate()
    _priced(price, row.text("notes/codes", "notes"), "tradeprice")
    said, proceeds = row.number_or_none("multiplier") or None, row.number_or_none("proceeds")
    yield Told(
        (row.line,),
        CashKind.TRADE,
        moment(row.needed("datetime", "date/time"), "datetime", zone),
        trade_id,
        symbol,
        side,
        quantity.copy_abs(),
        price,
        fee,
        paid_in,
        row.text("iborderid", "orderid"),
        sequence=digits_or_zero(trade_id),
        multiplier=_multiplier(said, asset_class, bought, price, proceeds),
    )


def _fee(row: Row, currency: str) -> tuple[Decimal, str]:
    commission, taxes = row.number_or_zero("ibcommission", "commission"), row.number_or_zero("taxes")
    paid_in = asset(row.text("ibcommissioncurrency") or currency, "ibcommissioncurrency")
    if taxes and paid_in != currency:
        raise Illegal("taxes", str(taxes), f"taxes in {currency} beside a commission in {paid_in}: write two lines")
    fee = (commission + taxes).copy_negate()
    return (fee, paid_in) if fee else (ZERO, "")


def _tell_flex(shape: Shape, options: Options) -> Iterator[ToldLine | Complaint]:
    return told_rows(shape, partial(_execution, zone=zone_named(options.zone or _NEW_YORK)))


# --- the activity statement

#: Sections in which money moves without a trade, and as what; their words in front of the amount become the note.
_MONEY = {
    "Deposits & Withdrawals": CashKind.DEPOSIT,
    "Dividends": CashKind.DIVIDEND,
    "Payment In Lieu Of Dividends": CashKind.DIVIDEND,
    "Withholding Tax": CashKind.DIVIDEND,
    "Interest": CashKind.INTEREST,
    "Broker Interest": CashKind.INTEREST,
    "Fees": CashKind.ADJUSTMENT,
    "Other Fees": CashKind.ADJUSTMENT,
    "Transaction Fees": CashKind.ADJUSTMENT,
}
_INSTRUMENTS = "Financial Instrument Information"
_ACTIONS = "Corporate Actions"
#: Sections that move pieces or money and are not read, beside all whose name speaks of transfers.
_NOT_READ = (
    *("Grant Activity", "Stock Grant Activity", "Commission Adjustments", "Advisor Fees", "Client Fees"),
    *("Bond Interest Received", "Bond Interest Paid", "Debit Card Activity"),
)
#: `AAPL(US0378331005) Split 4 for 1 (AAPL, APPLE INC, US0378331005)`
_SPLIT = re.compile(
    r"(?P<symbol>[^()]+)\([^()]*\)\s+split\s+(?P<quantity>[0-9.,]+)\s+for\s+(?P<per>[0-9.,]+)"
    r"\s*(?:\((?P<becomes>[^,()]+).*\))?",
    re.IGNORECASE | re.ASCII,
)


class _Section:
    """One part of the statement, whose rows have the columns of the header above them."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._header: dict[str, Shape] = {}

    def row(self, line: int, cells: list[str], raw: str) -> Row | None:
        """Give a row of data by the names of its section; None for a header and for what sums up."""
        section, what = cells[0], cells[1] if len(cells) > 1 else ""
        if what == "Header":
            names = tuple(cell.strip() for cell in cells)
            self._header[section] = Shape(self._shape.path, self._shape.encoding, self._shape.delimiter, names, line)
            return None
        shape = self._header.get(section)
        if what != "Data" or shape is None:
            return None
        if len(cells) != len(shape.header):
            cells = [*cells, *[""] * len(shape.header)][: len(shape.header)]
        return Row(shape, line, cells, raw)


def _sections(shape: Shape) -> Iterator[tuple[str, Row] | Complaint]:
    section = _Section(shape)
    for line, cells, raw in cell_rows(shape):
        if isinstance(cells, Complaint):
            yield cells
        elif (row := section.row(line, cells, raw)) is not None:
            yield cells[0], row


#: What was traded, to tell orders and executions of one thing apart from those of another.
_Traded: TypeAlias = tuple[str, str, str]


@dataclass(slots=True)
class _Survey:
    """What must be known of the whole statement before its first row can be told."""

    #: By asset category and symbol; the statement says at its end what one contract stands for.
    multipliers: dict[tuple[str, str], str] = field(default_factory=dict)
    #: Quantities of orders and of executions. Only where there are executions are the orders left out.
    ordered: dict[_Traded, Decimal] = field(default_factory=dict)
    executed: dict[_Traded, Decimal] = field(default_factory=dict)

    @classmethod
    def of(cls, shape: Shape) -> "_Survey":
        survey = cls()
        for found in _sections(shape):
            if isinstance(found, Complaint):
                continue
            section, row = found
            if section == _INSTRUMENTS and row.text("multiplier"):
                for symbol in row.text("symbol").split(","):
                    survey.multipliers[row.text("asset category").upper(), symbol.strip()] = row.text("multiplier")
            elif section == "Trades":
                survey._count(row)
        return survey

    def _count(self, row: Row) -> None:
        sums = {"Order": self.ordered, "Trade": self.executed}.get(row.text("datadiscriminator"))
        if sums is None:
            return
        try:
            quantity = row.number("quantity", read=grouped_number)
        except Illegal:  # complained about where the row is told
            quantity = ZERO
        what = _traded(row)
        sums[what] = sums.get(what, ZERO) + quantity

    def is_told(self, row: Row) -> bool:
        """Say whether this row of trades is what happened, or what another row says as well.

        Raises: Illegal, where orders and executions are not of the same pieces
        """
        how, what = row.text("datadiscriminator"), _traded(row)
        if how == "Trade" or (how == "Order" and what not in self.executed):
            return True
        if how == "Order":
            ordered, executed = self.ordered[what], self.executed[what]
            if ordered != executed:
                remedy = f"orders come to {ordered:f} and their executions to {executed:f}; ask for all of one of them"
                raise Illegal("quantity", row.text("quantity"), remedy)
        return False

    def multiplier(self, row: Row) -> Decimal | None:
        """Give what the statement says that one piece stands for."""
        said = self.multipliers.get((row.text("asset category").upper(), row.text("symbol")))
        return None if said is None else grouped_number(said, "multiplier")


def _traded(row: Row) -> _Traded:
    return row.text("asset category"), row.text("currency"), row.text("symbol")


class _Activity:
    """Tells the rows of one activity statement."""

    def __init__(self, shape: Shape, zone: tzinfo) -> None:
        self._zone, self._twins, self._survey = zone, Twins(), _Survey.of(shape)
        self._splits: set[str] = set()

    def tell(self, section: str, row: Row) -> Told | None:
        """Tell one row of data; None for what repeats another, and for what moves nothing.

        Raises: Illegal
        """
        if section == "Trades":
            return _order(row, self._zone, self._twins, self._survey) if self._survey.is_told(row) else None
        if any(cell.strip().startswith("Total") for cell in row.cells[2:3]):
            return None
        if section in _MONEY:
            return _money(row, section, self._zone, self._twins)
        if section == _ACTIONS:
            split = _split(row, self._zone)
            if split.reference in self._splits:  # a split is told for what leaves and for what comes
                return None
            self._splits.add(split.reference)
            return split
        if section in _NOT_READ or "Transfer" in section:
            raise _not_read(section, row)
        return None


def _not_read(section: str, row: Row) -> Illegal:
    said = row.text("description", "symbol") or row.raw
    remedy = f"section {section!r} is not read: write it in the plain form (--venue ibkr), and import without it"
    return Illegal("description", said, f"{remedy} with --skip-bad-lines")


def _tell_activity(shape: Shape, options: Options) -> Iterator[ToldLine | Complaint]:
    activity = _Activity(shape, zone_named(options.zone or _NEW_YORK))
    for found in _sections(shape):
        if isinstance(found, Complaint):
            yield found
            continue
        section, row = found
        try:
            if (told := activity.tell(section, row)) is not None:
                yield ToldLine(told, row.raw)
        except Illegal as problem:
            yield row.complain(problem)


def _order(row: Row, zone: tzinfo, twins: Twins, survey: _Survey) -> Told:
    quantity, currency = row.number("quantity", read=grouped_number), asset(row.needed("currency"), "currency")
    text, price = row.needed("symbol"), row.number("t. price", read=grouped_number)
    asset_class = row.needed("asset category").upper()
    symbol = _symbol(text, asset_class, currency, "symbol")
    _priced(price, row.text("code"), "t. price")
    proceeds = row.number_or_none("proceeds", "notional value", read=grouped_number)
    multiplier = _multiplier(survey.multiplier(row), asset_class, quantity, price, proceeds)
    at = moment(row.needed("date/time").replace(", ", " "), "date/time", zone)
    paid_in = next(
        (name.removeprefix("comm in ") for name in row.shape.places if name.startswith("comm in ")), currency
    )
    fee = row.number_or_zero("comm/fee", f"comm in {paid_in}", read=grouped_number).copy_negate()
    side = Side.BUY if quantity > 0 else Side.SELL
    return Told(
        (row.line,),
        CashKind.TRADE,
        at,
        twins.reference("order", at, symbol, quantity, price, fee),
        symbol,
        side,
        quantity.copy_abs(),
        price,
        fee,
        paid_in.upper() if fee else "",
        sequence=turn_of(side),
        multiplier=multiplier,
    )


def _split(row: Row, zone: tzinfo) -> Told:
    """Tell a split of shares; whatever else became of them is not read.

    Raises: Illegal
    """
    matched, asset_class = _SPLIT.fullmatch(row.text("description")), row.text("asset category").upper()
    paid = [row.number_or_zero(name, read=grouped_number) for name in ("proceeds", "realized p/l")]
    if matched is None or asset_class != "STOCKS" or any(paid) or "Ca" in row.text("code").split(";"):
        raise _not_read(_ACTIONS, row)
    name, became = matched["symbol"].strip(), (matched["becomes"] or matched["symbol"]).strip()
    if became.removesuffix(".OLD") != name:  # it is called otherwise afterwards
        raise _not_read(_ACTIONS, row)
    symbol = _symbol(name, asset_class, asset(row.needed("currency"), "currency"), "description")
    quantity, per = (grouped_number(matched[part], "description") for part in ("quantity", "per"))
    at = moment(row.needed("date/time", "report date").replace(", ", " "), "date/time", zone)
    # Not counted as twins are: both rows of one split say the same, and it happens once.
    reference = Twins().reference("split", at, symbol, quantity, per)
    return Told(
        (row.line,), CashKind.SPLIT, at, reference, symbol=symbol, quantity=quantity, per=per, note=f"{name} split"
    )


def _money(row: Row, section: str, zone: tzinfo, twins: Twins) -> Told:
    amount, currency = row.number("amount", read=grouped_number), asset(row.needed("currency"), "currency")
    at, note = moment(row.needed("date", "settle date"), "date", zone), row.text("description")
    kind = _MONEY[section]
    if row.text("symbol") or row.text("quantity"):
        raise _not_read(section, row)
    if kind is CashKind.DEPOSIT and amount < 0:
        kind = CashKind.WITHDRAWAL
    return Told(
        (row.line,),
        kind,
        at,
        twins.reference(section, at, currency, amount, note),
        asset=currency,
        amount=amount,
        sequence=turn_of(amount),
        note=f"{section}: {note}" if note else section,
    )


IBKR_FLEX = Format(
    "ibkr-flex",
    "ibkr",
    (
        "currencyprimary|currency",
        "symbol",
        "datetime|date/time",
        "quantity",
        "tradeprice",
        "buy/sell",
        "tradeid|ibexecid",
    ),
    _tell_flex,
    takes=(
        *("ibcommission", "ibcommissioncurrency", "taxes", "assetclass", "multiplier", "levelofdetail", "iborderid"),
        *("proceeds", "notes/codes"),
    ),
)
IBKR_ACTIVITY = Format(
    "ibkr-activity", "ibkr", ("statement", "header", "field name", "field value"), _tell_activity, ragged=True
)
