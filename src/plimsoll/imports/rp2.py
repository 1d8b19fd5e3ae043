"""The books of rp2, a program for taxes on coins, and of dali, which prepares them.

    In-Flow Detail / Out-Flow Detail / Intra-Flow Detail, each with two lines of column names        (rp2, In-Out)
    Unique ID,Timestamp,Asset,Exchange,Holder,Transaction Type,Spot Price,Crypto In,…                (dali, in)
    Unique ID,Timestamp,Asset,Exchange,Holder,Transaction Type,Spot Price,Crypto Out No Fee,…        (dali, out)
    Unique ID,Timestamp,Asset,From Exchange,From Holder,To Exchange,To Holder,Spot Price,Crypto Sent,…  (dali, intra)

Rule 1. Bought and sold are fills. What was earned (interest, staking, wages, …) is income of its value, and coins
        bought with it: two told things.
Rule 2. What was given away, donated or lost is sold at its price, and the proceeds go out: that is how rp2 taxes it.
Rule 3. Of coins moved between places of one owner only the fee leaves, the same way; the rest stays.
Rule 4. A fee in coins belongs to the trade, and is paid in them.

What must not enter: rp2's results (`*_Tax.csv`): they are no source, and are refused.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal

from plimsoll.imports.cells import Twins, asset, moment, pair, price_of
from plimsoll.imports.csv_file import Format, Row, Shape, cell_rows, complaint, rows
from plimsoll.imports.groups import Group
from plimsoll.imports.statement import Complaint, Options, ToldLine
from plimsoll.model.cash import CashKind
from plimsoll.model.errors import Illegal
from plimsoll.model.money import ZERO, settle_product
from plimsoll.model.order import Side
from plimsoll.model.told import Told

_EARNED = ("airdrop", "hardfork", "income", "interest", "mining", "staking", "wages")
_GIVEN = ("gift", "donate", "donation", "fee", "lost", "staking")
_CURRENCY = re.compile(r"(?P<currency>[a-z]{3,5}) (?:in no fee|out|out no fee|fee)")


class _Teller:
    """Tells rows of all three kinds by the names of their columns, which both programs write alike."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._twins = Twins()

    def incoming(self, row: Row) -> Iterable[Told]:
        kind, coins = row.needed("transaction type").lower(), row.number("crypto in")
        symbol, currency = self._symbol(row)
        price = _price(row, coins, f"{currency.lower()} in no fee")
        name = self._name("in", row)
        if kind == "gift":
            cost = settle_product(coins, price)
            coin = asset(row.needed("asset"), "asset")
            yield self._told(row, CashKind.DEPOSIT, name, symbol=symbol, asset=coin, amount=coins, cost=cost, note=kind)
            return
        fee, paid_in = self._fee(row, currency)
        if kind in _EARNED:
            value = settle_product(coins, price)
            yield self._told(row, CashKind.INTEREST, name, symbol=symbol, asset=currency, amount=value, note=kind)
        elif kind != "buy":
            raise Illegal("transaction type", kind, f"it is one of buy, gift, {', '.join(_EARNED)}")
        yield self._told(
            row,
            CashKind.TRADE,
            name,
            symbol=symbol,
            side=Side.BUY,
            quantity=coins,
            price=price,
            fee=fee,
            fee_asset=paid_in,
            note="" if kind == "buy" else kind,
        )

    def outgoing(self, row: Row) -> Iterable[Told]:
        kind, fee = row.needed("transaction type").lower(), row.number_or_zero("crypto fee")
        coins = row.number("crypto out", "crypto out no fee")
        symbol, currency = self._symbol(row)
        name = self._name("out", row)
        if kind != "sell" and kind not in _GIVEN:
            raise Illegal("transaction type", kind, f"it is one of sell, {', '.join(_GIVEN)}")
        if kind != "sell":
            yield from self._gone(row, name, coins + fee, (symbol, currency), kind)
            return
        price = _price(row, coins, f"{currency.lower()} out", "fiat out no fee")
        money = ZERO if fee else row.number_or_zero("fiat fee")
        paid = (fee, symbol.partition("/")[0]) if fee else (money, currency if money else "")
        yield self._told(
            row,
            CashKind.TRADE,
            name,
            symbol=symbol,
            side=Side.SELL,
            quantity=coins,
            price=price,
            fee=paid[0],
            fee_asset=paid[1],
        )

    def within(self, sent_by: Row, received_by: Row) -> Iterable[Told]:
        """Tell the fee of a move, as what was sent and did not arrive."""
        sent, received = sent_by.number("crypto sent"), received_by.number("crypto received")
        if received > sent:
            raise Illegal("crypto received", str(received), "more arrived than was sent")
        if sent != received:
            name = self._name("intra", sent_by)
            yield from self._gone(sent_by, name, sent - received, self._symbol(sent_by), "fee of a move")

    def half(self, row: Row) -> Iterable[Told]:
        """Tell a move of which only one end is known: coins that left, or came at an unknown cost."""
        symbol, _ = self._symbol(row)
        sent, coin = row.number_or_none("crypto sent"), asset(row.needed("asset"), "asset")
        kind = CashKind.DEPOSIT if sent is None else CashKind.WITHDRAWAL
        amount = row.number("crypto received") if sent is None else sent.copy_negate()
        note = row.text("notes")
        yield self._told(row, kind, self._name("intra", row), symbol=symbol, asset=coin, amount=amount, note=note)

    def _gone(self, row: Row, name: str, coins: Decimal, of: tuple[str, str], why: str) -> Iterable[Told]:
        symbol, currency = of
        price = row.number("spot price")
        yield self._told(
            row, CashKind.TRADE, name, symbol=symbol, side=Side.SELL, quantity=coins, price=price, note=why
        )
        value = settle_product(coins, price).copy_negate()
        yield self._told(row, CashKind.WITHDRAWAL, name, asset=currency, amount=value, note=why)

    def _told(self, row: Row, kind: CashKind, name: str, **says: object) -> Told:
        at = moment(row.needed("timestamp"), "timestamp")
        return Told((row.line,), kind, at, name, **says)  # type: ignore[arg-type]  # each caller gives fields of Told

    def _symbol(self, row: Row) -> tuple[str, str]:
        """Give the coin in the currency of the columns; dali's `Fiat …` leaves that to a person."""
        found = {matched["currency"] for name in row.shape.places if (matched := _CURRENCY.fullmatch(name))}
        named = next(iter(found - {"crypto", "fiat"}), None) or self._options.currency
        if named is None:
            remedy = "the columns do not say which currency this price is in; add --currency, such as --currency USD"
            raise Illegal("spot price", row.text("spot price"), remedy)
        currency = asset(named, "currency")
        return pair(asset(row.needed("asset"), "asset"), currency, "asset"), currency

    def _fee(self, row: Row, currency: str) -> tuple[Decimal, str]:
        money, coins = row.number_or_zero(f"{currency.lower()} fee", "fiat fee"), row.number_or_zero("crypto fee")
        if money and coins:
            raise Illegal(
                "crypto fee", str(coins), "a fee is paid in coins or in money; leave one of the columns empty"
            )
        if coins:
            return coins, asset(row.needed("asset"), "asset")
        return (money, currency) if money else (ZERO, "")

    def _name(self, section: str, row: Row) -> str:
        own = row.text("unique id")
        # Neither running sums nor `Sent/Sold`: they say what other lines did.
        said = (
            *("timestamp", "asset", "exchange", "holder", "from exchange", "from holder", "to exchange", "to holder"),
            *("transaction type", "spot price", "crypto in", "crypto out", "crypto out no fee", "crypto fee"),
            *("crypto sent", "crypto received"),
        )
        return f"{section}:{own}" if own else self._twins.reference(section, *map(row.text, said))


def _price(row: Row, coins: Decimal, *value_columns: str) -> Decimal:
    """Give the price of one coin: as it is written, unless the value beside it says something else."""
    price, value = row.number_or_none("spot price"), row.number_or_none(*value_columns)
    if price is not None and (value is None or settle_product(price, coins) == value):
        return price
    if value is None:
        raise Illegal("spot price", "", "this may not be empty")
    return price_of(value, coins, "spot price")


# --- rp2: one file of three tables

_SECTIONS = ("in-flow detail", "out-flow detail", "intra-flow detail")


def _tables(shape: Shape) -> Iterator[tuple[str, Row] | Complaint]:
    """Give each row with the table it stands in; a table begins with its title and two lines of names."""
    section, names = _SECTIONS[0], list[list[str]]()
    here = shape
    for line, cells, raw in cell_rows(shape):
        if isinstance(cells, Complaint):
            yield cells
            continue
        title = cells[0].strip().casefold()
        if title in _SECTIONS:
            section, names = title, []
        elif len(names) < 2:
            names.append(cells)
            if len(names) == 2:
                header = tuple(f"{above} {below}".strip() for above, below in zip(*names, strict=False))
                here = Shape(shape.path, shape.encoding, shape.delimiter, header, line)
        else:
            yield section, Row(here, line, [*cells, *[""] * len(here.header)][: len(here.header)], raw)


def _tell_rp2(shape: Shape, options: Options) -> Iterator[ToldLine | Complaint]:
    teller = _Teller(options)
    by_section: dict[str, Callable[[Row], Iterable[Told]]] = {
        "in-flow detail": teller.incoming,
        "out-flow detail": teller.outgoing,
        "intra-flow detail": lambda row: teller.within(row, row),
    }
    for found in _tables(shape):
        if isinstance(found, Complaint):
            yield found
            continue
        section, row = found
        yield from _told_by(by_section[section], row)


def _told_by(tell: Callable[[Row], Iterable[Told]], row: Row) -> Iterator[ToldLine | Complaint]:
    try:
        # All of a row, or nothing: income without the coins that it came in would be half a truth.
        yield from [ToldLine(told, row.raw) for told in tell(row)]
    except Illegal as problem:
        yield row.complain(problem)


# --- dali: three files of one table


def _tell_in(shape: Shape, options: Options) -> Iterator[ToldLine | Complaint]:
    return _each(shape, _Teller(options).incoming)


def _tell_out(shape: Shape, options: Options) -> Iterator[ToldLine | Complaint]:
    return _each(shape, _Teller(options).outgoing)


def _each(shape: Shape, tell: Callable[[Row], Iterable[Told]]) -> Iterator[ToldLine | Complaint]:
    for row in rows(shape):
        if isinstance(row, Complaint):
            yield row
        else:
            yield from _told_by(tell, row)


def _tell_intra(shape: Shape, options: Options) -> Iterator[ToldLine | Complaint]:
    teller = _Teller(options)
    groups: dict[str, Group] = {}
    for row in rows(shape):
        if isinstance(row, Complaint):
            yield row
        else:
            groups.setdefault(row.text("unique id") or f"line {row.line}", Group()).add(row)
    for group in groups.values():
        try:
            yield from [ToldLine(told, group.raw) for told in _moved(teller, group.rows)]
        except Illegal as problem:
            yield complaint(shape, group.rows[-1].line, problem)


def _moved(teller: _Teller, found: list[Row]) -> Iterable[Told]:
    """Tell one move: by a line that knows both ends, by two that know one each, or by the one end that is known."""
    ends = [(bool(row.text("crypto sent")), bool(row.text("crypto received"))) for row in found]
    if ends == [(True, True)]:
        return teller.within(found[0], found[0])
    if len(found) == 1:
        return teller.half(found[0])
    if sorted(ends) == [(False, True), (True, False)]:
        sent, received = found if ends[0][0] else reversed(found)
        return teller.within(sent, received)
    others = ", ".join(str(row.line) for row in found[:-1])
    remedy = f"line {others} has the same id and says something else; keep the one that knows both ends"
    raise Illegal("unique id", found[-1].text("unique id"), remedy)


RP2 = Format("rp2", "rp2", ("in-flow detail",), _tell_rp2, ragged=True)
DALI_IN = Format(
    "dali-in", "dali", ("unique id", "timestamp", "asset", "transaction type", "spot price", "crypto in"), _tell_in
)
DALI_OUT = Format(
    "dali-out",
    "dali",
    ("unique id", "timestamp", "asset", "transaction type", "spot price", "crypto out no fee"),
    _tell_out,
)
DALI_INTRA = Format(
    "dali-intra",
    "dali",
    ("unique id", "timestamp", "asset", "crypto sent", "crypto received", "spot price"),
    _tell_intra,
)
