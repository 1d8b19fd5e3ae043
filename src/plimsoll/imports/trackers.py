"""Statements in the form of programs that keep tax books, which exchanges write for them, and Coincheck's purchases.

    Date,Received Quantity,Received Currency,Sent Quantity,Sent Currency,Fee Amount,Fee Currency,Tag    (Pionex)
    ID,Amount,Price,Trading Currency,Original Currency,Progress,Time                                    (Coincheck)

What must not enter: the programs' own forms (`rp2`, `dali`).
"""

from collections.abc import Iterable, Iterator
from functools import partial

from plimsoll.imports import csv_file
from plimsoll.imports.cells import Twins, asset, digits_or_zero, moment, order_shown, pair, price_of, turn_of
from plimsoll.imports.csv_file import Format, Row, Shape, told_rows
from plimsoll.imports.groups import exchanged
from plimsoll.imports.movements import movement
from plimsoll.imports.statement import Complaint, Options, ToldLine
from plimsoll.model.cash import CashKind
from plimsoll.model.money import ZERO
from plimsoll.model.order import Side
from plimsoll.model.told import Told

_IN, _OUT, _FEE = "received quantity", "sent quantity", "fee amount"


def _line(row: Row, options: Options, twins: Twins, dates: str | None) -> Iterable[Told]:
    at = moment(row.needed("date"), "date", dates=options.dates or dates)
    came, went, fee = (row.number_or_zero(name).copy_abs() for name in (_IN, _OUT, _FEE))
    reference = twins.reference(*(cell.strip() for cell in row.cells))
    paid_in = asset(row.needed("fee currency"), "fee currency") if fee else ""
    tag = row.text("tag")
    if came and went:
        received = (asset(row.needed("received currency"), "received currency"), came)
        deal = exchanged(received, (asset(row.needed("sent currency"), "sent currency"), went), _IN)
        yield Told(
            (row.line,),
            CashKind.TRADE,
            at,
            reference,
            deal.symbol,
            deal.side,
            deal.quantity,
            deal.price,
            fee,
            paid_in,
            sequence=turn_of(deal.side),
            note=tag,
        )
        return
    name, amount = ("received currency", came) if came else ("sent currency", went.copy_negate())
    moved = asset(row.needed(name), name)
    yield movement(options, CashKind.DEPOSIT, moved, amount, lines=(row.line,), at=at, reference=reference, note=tag)
    if fee:
        paid = fee.copy_negate()
        named = f"{reference}-fee"
        yield movement(
            options, CashKind.ADJUSTMENT, paid_in, paid, lines=(row.line,), at=at, reference=named, note="fee"
        )


def _tell(shape: Shape, options: Options) -> Iterator[ToldLine | Complaint]:
    shown = order_shown(row.text("date") for row in csv_file.rows(shape) if isinstance(row, Row))
    return told_rows(shape, partial(_line, options=options, twins=Twins(), dates=shown))


def _purchase(row: Row) -> Iterable[Told]:
    """Tell a purchase: `Price` is all that was paid, not the price of one coin."""
    if row.needed("progress").lower() != "completed":
        return
    quantity, coin = row.number("amount"), asset(row.needed("trading currency"), "trading currency")
    name = row.needed("id")
    yield Told(
        (row.line,),
        CashKind.TRADE,
        moment(row.needed("time"), "time"),
        name,
        pair(coin, asset(row.needed("original currency"), "original currency"), "trading currency"),
        Side.BUY,
        quantity,
        price_of(row.number("price"), quantity, "amount"),
        ZERO,
        sequence=digits_or_zero(name),
    )


def _tell_purchases(shape: Shape, _options: Options) -> Iterator[ToldLine | Complaint]:
    return told_rows(shape, _purchase)


PIONEX = Format(
    "pionex",
    "pionex",
    ("date", _IN, "received currency", _OUT, "sent currency", _FEE, "fee currency"),
    _tell,
    takes=("tag",),
)
COINCHECK = Format(
    "coincheck",
    "coincheck",
    ("id", "amount", "price", "trading currency", "original currency", "progress", "time"),
    _tell_purchases,
)
