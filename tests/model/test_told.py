"""What a statement tells is legal, or it is refused by the column that it came from."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from plimsoll.model.cash import CashKind
from plimsoll.model.errors import Illegal
from plimsoll.model.order import Side
from plimsoll.model.told import Told

D = Decimal
AT = datetime(2021, 1, 2, 10, tzinfo=UTC)
FILL = Told(
    (2,),
    CashKind.TRADE,
    AT,
    "1",
    symbol="BTC/USD",
    side=Side.BUY,
    quantity=D(1),
    price=D(100),
    fee=D(1),
    fee_asset="USD",
)
MOVEMENT = Told((3,), CashKind.DEPOSIT, AT, "d1", asset="BTC", amount=D(2))
SPLIT = Told((4,), CashKind.SPLIT, AT, "s1", symbol="AAPL/USD", quantity=D(4), per=D(1))


@pytest.mark.parametrize(
    ("told", "field", "value"),
    [
        (FILL, "symbol", ""),
        (FILL, "side", None),
        (FILL, "quantity", D(0)),
        (FILL, "quantity", D("NaN")),
        (FILL, "quantity", D("0.0000000000000000001")),
        (FILL, "price", D(-1)),
        (FILL, "multiplier", D(0)),
        (FILL, "fee_asset", ""),
        (FILL, "realized", D("Infinity")),
        (MOVEMENT, "asset", ""),
        (MOVEMENT, "amount", D(0)),
        (MOVEMENT, "cost", D("1e30")),
        (SPLIT, "symbol", ""),
        (SPLIT, "quantity", D(0)),
        (SPLIT, "per", None),
        (SPLIT, "per", D(0)),
        (FILL, "reference", ""),
        (MOVEMENT, "kind", CashKind.FEE),
        (FILL, "at", datetime(2021, 1, 2)),  # noqa: DTZ001  a time without a zone is what is refused
    ],
)
def test_what_cannot_be_is_refused(told: Told, field: str, value: object) -> None:
    """Each by itself; everything else of it is legal."""
    with pytest.raises(Illegal):
        replace(told, **{field: value})  # type: ignore[arg-type]  # a field by its name


def test_coins_are_known_by_their_asset_and_the_rest_by_its_symbol() -> None:
    """The same deposit under another symbol is the same deposit."""
    assert MOVEMENT.key == replace(MOVEMENT, symbol="BTC/USD").key == ("DEPOSIT", "BTC", "d1")
    assert FILL.key == ("TRADE", "BTC/USD", "1")
    funding = Told((5,), CashKind.FUNDING, AT, "f1", symbol="BTC/USD:USD", asset="USD", amount=D(-1))
    assert funding.key == ("FUNDING", "BTC/USD:USD", "f1")
    assert Told((6,), CashKind.INTEREST, AT, "i1", asset="USD", amount=D(1)).key == ("INTEREST", "USD", "i1")
