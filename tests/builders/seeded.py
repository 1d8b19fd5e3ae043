"""A book with a bit of everything in it, through real units: as large as one likes, and the same however often.

Only in words that every release has known, so that a release of before can be made to write it too.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from plimsoll.model.order import OrderEvent, Side
from plimsoll.model.trade import TradeReport
from plimsoll.store.scribe import Unit
from tests.builders.ledger import (
    INVERSE,
    PERPETUAL,
    SPOT,
    Books,
    booking,
    client_order_id,
    fill,
    hearing,
    paying,
    placing,
    refusing,
)

D = Decimal
#: Units of one commit.
_TOGETHER = 64
_INSTRUMENTS = (SPOT, PERPETUAL, INVERSE, SPOT, PERPETUAL)
_PRICES = ("42000.01", "41999.5", "42100", "41870.37")


def seed(books: Books, fills: int) -> None:
    """Write deposits, orders in every state that stays, and this many fills: with orders, without, with dear fees."""
    books.together(
        paying("1000000", "d-1"),
        paying("250000.000000000000000001", "d-2", pocket="futures"),
        paying("12.5", "d-3", asset="BNB"),
        refusing("refused"),
    )
    for units in _groups(list(_days_work(fills))):
        for answer in books.together(*units):
            if isinstance(answer, BaseException):
                raise answer


def _groups(units: Sequence[Unit]) -> Iterator[Sequence[Unit]]:
    for start in range(0, len(units), _TOGETHER):
        yield units[start : start + _TOGETHER]


def _days_work(fills: int) -> Iterator[Unit]:
    for number in range(1, fills + 1):
        report = _report(number)
        if number % 3 == 0:
            yield placing(f"k{number}", _INSTRUMENTS[number % 5], report.side, report.quantity, reserved="1")
        yield booking(report)
        if number % 10 == 0:
            name = f"c{number}"
            yield placing(name, SPOT, Side.BUY, "2")
            yield hearing(client_order_id(name), _ENDS[number // 10 % len(_ENDS)])


_ENDS = (OrderEvent.CANCELED, OrderEvent.REJECTED, OrderEvent.ACKNOWLEDGED, OrderEvent.EXPIRED, OrderEvent.OUTCOME_LOST)


def _report(number: int) -> TradeReport:
    instrument = _INSTRUMENTS[number % 5]
    ordered = {"client_order_id": client_order_id(f"k{number}")} if number % 3 == 0 else {}
    # In coins of a third kind, in those that are bought, or in money.
    paid_in = {0: "BNB", 2: instrument.base}.get(number % 4, instrument.cash_asset)
    return fill(
        instrument,
        Side.BUY if number % 7 < 4 else Side.SELL,
        "1" if instrument is INVERSE else f"0.{number % 9 + 1:03}",
        _PRICES[number % 4],
        number,
        fee=D("0.00007"),
        fee_currency=paid_in,
        **ordered,
    )
