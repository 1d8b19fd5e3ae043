"""What moves without a trade: which lines it posts, and what cannot be told."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from plimsoll.model.cash import FUTURES, LOAN, MARGIN, SPOT, Arrival, CashEvent, CashKind
from plimsoll.model.errors import Illegal
from plimsoll.model.ids import AccountId, InstrumentId, PortfolioId

D = Decimal
AT = datetime(2022, 1, 1, tzinfo=UTC)


def event(kind: CashKind, amount: str, **said: Any) -> CashEvent:
    return CashEvent(AccountId(1), PortfolioId(1), kind, said.pop("asset", "USDT"), D(amount), "r", AT, **said)


def moved(told: CashEvent) -> list[tuple[int, str, str, Decimal]]:
    return [(line.portfolio_id, line.pocket, line.asset, line.amount) for line in told.lines()]


@pytest.mark.parametrize(
    ("kind", "amount", "wanted"),
    [
        (CashKind.DEPOSIT, "5", [(1, SPOT, "USDT", D(5))]),
        (CashKind.WITHDRAWAL, "5", [(1, SPOT, "USDT", D(-5))]),
        (CashKind.FUNDING, "-5", [(1, SPOT, "USDT", D(-5))]),
        (CashKind.DIVIDEND, "5", [(1, SPOT, "USDT", D(5))]),
        (CashKind.BORROW, "5", [(1, SPOT, "USDT", D(5)), (1, LOAN, "USDT", D(-5))]),
        (CashKind.REPAY, "5", [(1, SPOT, "USDT", D(-5)), (1, LOAN, "USDT", D(5))]),
    ],
)
def test_the_kind_says_what_moves(kind: CashKind, amount: str, wanted: list[tuple[int, str, str, Decimal]]) -> None:
    assert moved(event(kind, amount)) == wanted


def test_a_transfer_goes_out_here_and_comes_in_there() -> None:
    there = Arrival(PortfolioId(2), FUTURES, "USDT", D(5))
    assert moved(event(CashKind.TRANSFER, "5", arrival=there)) == [
        (1, SPOT, "USDT", D(-5)),
        (2, FUTURES, "USDT", D(5)),
    ]
    renamed = Arrival(PortfolioId(1), SPOT, "KUSDT", D("0.005"))
    assert moved(event(CashKind.TRANSFER, "5", arrival=renamed))[1] == (1, SPOT, "KUSDT", D("0.005"))


def test_a_line_says_which_position_earned_it() -> None:
    (line,) = event(CashKind.FUNDING, "-1", pocket=FUTURES, instrument_id=InstrumentId(2), leg="LONG").lines()
    assert (line.instrument_id, line.strategy_id, line.leg, line.pocket) == (2, None, "LONG", FUTURES)


@pytest.mark.parametrize(
    ("kind", "amount", "said", "field"),
    [
        (CashKind.TRADE, "1", {}, "kind"),
        (CashKind.FEE, "1", {}, "kind"),
        (CashKind.RESET, "1", {}, "kind"),
        (CashKind.FUNDING, "0", {}, "amount"),
        (CashKind.DEPOSIT, "-1", {}, "amount"),
        (CashKind.REPAY, "-1", {}, "amount"),
        (CashKind.FUNDING, "NaN", {}, "amount"),
        (CashKind.DEPOSIT, "1", {"pocket": LOAN}, "pocket"),
        (CashKind.TRANSFER, "1", {}, "arrival"),
        (CashKind.DEPOSIT, "1", {"arrival": Arrival(PortfolioId(2), SPOT, "USDT", D(1))}, "arrival"),
        (CashKind.TRANSFER, "1", {"arrival": Arrival(PortfolioId(1), SPOT, "USDT", D(1))}, "arrival"),
        (CashKind.TRANSFER, "1", {"arrival": Arrival(PortfolioId(2), LOAN, "USDT", D(1))}, "arrival"),
        (CashKind.TRANSFER, "1", {"arrival": Arrival(PortfolioId(2), SPOT, "USDT", D(2))}, "arrival.amount"),
        (CashKind.TRANSFER, "1", {"arrival": Arrival(PortfolioId(1), SPOT, "BTC", D(0))}, "arrival.amount"),
        (CashKind.DEPOSIT, "1", {"instrument_id": InstrumentId(1)}, "instrument_id"),
        (CashKind.ADJUSTMENT, "1", {}, "reason"),
    ],
)
def test_what_cannot_be_told_is_refused_by_name(kind: CashKind, amount: str, said: dict[str, Any], field: str) -> None:
    with pytest.raises(Illegal) as refused:
        event(kind, amount, **said)
    assert refused.value.field == field


def test_every_pocket_of_the_venue_may_hold_it() -> None:
    assert event(CashKind.DEPOSIT, "1", pocket=MARGIN).lines()[0].pocket == MARGIN
    assert event(CashKind.ADJUSTMENT, "-1", reason="counted by hand").lines()[0].amount == D(-1)
