"""MetaTrader 5: the deals of an account, as its history writes them.

    Time;Deal;Symbol;Type;Direction;Volume;Price;Order;Commission;Fee;Swap;Profit;Balance;Comment

Rule 1. The export names no currency and no zone. The currency must be said (`--currency`); the server's time is taken
        as UTC unless a zone is named.
Rule 2. Profit is what the venue paid, and is booked as it is. What one lot stands for is not in the export: it is that
        of the column `Contract Size` where somebody added one, else the usual one (100,000 of a currency, 100 ounces of
        gold), else what the profits of a position that was closed say.
Rule 3. Whenever a symbol's deals add up to nothing held, their profits must be what prices and volumes say, to the
        cent a deal. Where they are not, the lot is another one, or profits are in another currency than prices; the
        book would show results that nobody made, and so it is refused.

What must not enter: tickets of a hedging account; deals of one symbol are one position, whose result when nothing is
held is the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import Decimal

from plimsoll.imports.cells import asset, digits_or_zero, moment, number, pair
from plimsoll.imports.csv_file import Format, Row, Shape, rows
from plimsoll.imports.statement import Complaint, NotReadable, Options, ToldLine, zone_named
from plimsoll.model.cash import CashKind
from plimsoll.model.errors import Illegal
from plimsoll.model.money import ZERO, decimal_text, settle_product, settle_quotient
from plimsoll.model.order import Side
from plimsoll.model.told import Told

_MONEY = frozenset({"AUD", "CAD", "CHF", "CNH", "CZK", "DKK", "EUR", "GBP", "HKD", "HUF", "JPY", "MXN", "NOK", "NZD"})
_CURRENCIES = _MONEY | {"PLN", "SEK", "SGD", "TRY", "USD", "ZAR"}
_LOTS = {"XAU": Decimal(100), "XAG": Decimal(5000), "XPT": Decimal(100), "XPD": Decimal(100)}
_LOT_OF_MONEY = Decimal(100_000)
_SIDES = {"buy": Side.BUY, "sell": Side.SELL}
_KINDS = {"balance": CashKind.DEPOSIT, "interest": CashKind.INTEREST, "dividend": CashKind.DIVIDEND}
_OTHERS = ("credit", "charge", "correction", "bonus", "commission", "tax", "agent", "so compensation")
_CENT = Decimal("0.01")
#: What one lot can be, times a power of ten.
_ROUND = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5))


@dataclass(frozen=True, slots=True)
class _Deal:
    row: Row
    symbol: str
    side: Side
    volume: Decimal
    price: Decimal
    profit: Decimal
    #: Of the column that somebody added; None where nobody did.
    lot: Decimal | None

    @property
    def held(self) -> Decimal:
        return self.volume if self.side is Side.BUY else self.volume.copy_negate()


def _tell(shape: Shape, options: Options) -> Iterator[ToldLine | Complaint]:
    if options.currency is None:
        raise NotReadable(
            f"{shape.path.name}: column 'Profit': the export does not say in which currency; add --currency, such as "
            "--currency USD"
        )
    currency, zone = asset(options.currency, "currency"), UTC if options.zone is None else zone_named(options.zone)
    deals: list[_Deal] = []
    for row in rows(shape):
        if isinstance(row, Complaint):
            yield row
            continue
        try:
            kind = row.needed("type").lower()
            if kind in _SIDES:
                deals.append(_deal(row, _SIDES[kind]))
            elif (told := _money(row, kind, currency, zone)) is not None:
                yield ToldLine(told, row.raw)
        except Illegal as problem:
            yield row.complain(problem)
    for symbol in dict.fromkeys(deal.symbol for deal in deals):
        yield from _told_of([deal for deal in deals if deal.symbol == symbol], symbol, currency, zone)


def _number(text: str, column: str) -> Decimal:
    """Read a number whose thousands may be set apart by a blank, as MetaTrader shows them."""
    return number(text.replace(" ", "").replace("\xa0", ""), column)


def _deal(row: Row, side: Side) -> _Deal:
    symbol = row.needed("symbol")
    asset(symbol, "symbol")  # a broker's own name is kept as it is written: .pro and .PRO are two markets
    return _Deal(
        row,
        symbol,
        side,
        row.number("volume", read=_number),
        row.number("price", read=_number),
        row.number_or_zero("profit", read=_number),
        row.number_or_none("contract size", read=_number),
    )


def _time(row: Row, zone: tzinfo) -> datetime:
    return moment(row.needed("time"), "time", zone)


def _money(row: Row, word: str, currency: str, zone: tzinfo) -> Told | None:
    if word not in _KINDS and not word.startswith(_OTHERS):
        known = ", ".join((*_SIDES, *_KINDS, *_OTHERS))
        raise Illegal("type", word, f"nobody knows this; it is one of {known}")
    amount = sum((row.number_or_zero(name, read=_number) for name in ("profit", "commission", "fee", "swap")), ZERO)
    if not amount:
        return None
    kind = _KINDS.get(word, CashKind.ADJUSTMENT)
    if kind is CashKind.DEPOSIT and amount < 0:
        kind = CashKind.WITHDRAWAL
    deal = row.needed("deal")
    note = f"{word} {row.text('comment')}".strip()
    sequence = digits_or_zero(deal)
    return Told(
        (row.line,), kind, _time(row, zone), deal, asset=currency, amount=amount, sequence=sequence, note=note
    )  # fmt: skip


# --- deals of one symbol


def _told_of(deals: list[_Deal], name: str, currency: str, zone: tzinfo) -> Iterator[ToldLine | Complaint]:
    try:
        deals = sorted(
            _each_once(deals), key=lambda deal: (_time(deal.row, zone), digits_or_zero(deal.row.text("deal")))
        )
        lot = _lot(deals, name, currency)
        _check_profits(deals, lot)
    except Illegal as problem:
        yield deals[0].row.complain(problem)
        return
    symbol = pair(name, currency, "symbol", settle=currency)
    for deal in deals:
        try:
            yield from [ToldLine(told, deal.row.raw) for told in _told(deal, symbol, lot, currency, zone)]
        except Illegal as problem:
            yield deal.row.complain(problem)


def _each_once(deals: list[_Deal]) -> list[_Deal]:
    # The same export twice in one file must not look like twice the profit.
    return list({deal.row.raw: deal for deal in deals}.values())


def _told(deal: _Deal, symbol: str, lot: Decimal, currency: str, zone: tzinfo) -> Iterator[Told]:
    row, name = deal.row, deal.row.needed("deal")
    at, sequence = _time(row, zone), digits_or_zero(name)
    cost = row.number_or_zero("commission", read=_number) + row.number_or_zero("fee", read=_number)
    yield Told(
        (row.line,),
        CashKind.TRADE,
        at,
        name,
        symbol,
        deal.side,
        deal.volume,
        deal.price,
        cost.copy_negate() if cost else ZERO,
        currency if cost else "",
        row.text("order"),
        sequence=sequence,
        multiplier=lot,
        realized=deal.profit,
        note=row.text("comment"),
    )
    swap = row.number_or_zero("swap", read=_number)
    if swap:
        yield Told(
            (row.line,),
            CashKind.FUNDING,
            at,
            name,
            symbol,
            asset=currency,
            amount=swap,
            sequence=sequence,
            multiplier=lot,
            note="swap",
        )


def _lot(deals: list[_Deal], name: str, currency: str) -> Decimal:
    written = {deal.lot for deal in deals if deal.lot is not None}
    if written:
        if len(written) > 1:
            raise Illegal("contract size", ", ".join(map(str, sorted(written))), f"{name} has one contract size")
        return written.pop()
    base, quote = name[:3].upper(), name[3:6].upper()
    if quote in _CURRENCIES and (base in _CURRENCIES or base in _LOTS):
        if quote != currency:
            remedy = f"prices are in {quote} and profits in {currency}; write these deals in the plain form, in {quote}"
            raise Illegal("symbol", name, remedy)
        return _LOTS.get(base, _LOT_OF_MONEY)
    return _implied(deals, name)


def _implied(deals: list[_Deal], name: str) -> Decimal:
    for part in _closed(deals):
        moved, profit = _said(part)
        if moved:
            implied = settle_quotient(profit, moved)
            for power in range(-3, 7):
                for digit in _ROUND:
                    lot = digit.scaleb(power)
                    if abs(implied - lot) <= lot * _CENT * 2:
                        return lot
            raise Illegal("profit", str(profit), f"no lot of {name} makes this; add a column Contract Size")
    raise Illegal("symbol", name, "nothing here says what one lot stands for; add a column Contract Size")


def _check_profits(deals: list[_Deal], lot: Decimal) -> None:
    for part in _closed(deals):
        moved, profit = _said(part)
        expected = settle_product(moved, lot)
        if abs(expected - profit) > _CENT * 2 * len(part):
            remedy = (
                f"prices and volumes to line {part[-1].row.line} make {decimal_text(expected)} at {lot} a lot; add a "
                "column Contract Size, or write these deals in the plain form if prices are in another currency"
            )
            raise Illegal("profit", str(profit), remedy)


def _closed(deals: list[_Deal]) -> Iterator[list[_Deal]]:
    """Give the deals from nothing held to nothing held."""
    part, held = list[_Deal](), ZERO
    for deal in deals:
        part.append(deal)
        held += deal.held
        if not held:
            yield part
            part = []


def _said(part: list[_Deal]) -> tuple[Decimal, Decimal]:
    """Add up what prices and volumes made at one unit a lot, and the profits."""
    moved = sum((settle_product(deal.held, deal.price).copy_negate() for deal in part), ZERO)
    return moved, sum((deal.profit for deal in part), ZERO)


MT5 = Format(
    "mt5",
    "mt5",
    ("time", "deal", "symbol", "type", "volume", "price", "order", "profit"),
    _tell,
    takes=("direction", "commission", "fee", "swap", "comment", "contract size"),
)
