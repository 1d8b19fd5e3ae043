"""A trade: what a venue may tell, what makes it the same trade, and in which order trades are folded."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest

from plimsoll.model.errors import Illegal
from plimsoll.model.ids import BrokerTradeId
from plimsoll.model.order import Side
from plimsoll.model.trade import TradeEffect, signed_notional
from tests.model.words import INVERSE, NOON, PERPETUAL, SPOT, fill, moment

D = Decimal
TRADE = fill(SPOT, "buy 2 @ 100 fee 0.1 USDT")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("quantity", D(0)),
        ("quantity", D(-1)),
        ("quantity", D("NaN")),
        ("quantity", D("1E-19")),
        ("price", D("Infinity")),
        ("price", D(0)),
        ("price", D("-37.63")),  # oil, April 2020: no instrument of ours says that it may
        ("fee", D("1E+20")),
        ("realized_cash", D("NaN")),
        ("realized_cash", D("1E-19")),
        ("exec_time", datetime(2022, 1, 21)),  # noqa: DTZ001  a naive time is what must be refused
        ("exec_time", NOON.astimezone(timezone(timedelta(hours=2)))),
    ],
    ids=str,
)
def test_a_report_that_cannot_be_booked_is_refused_by_name(field: str, value: object) -> None:
    """The parser quarantines such a message; the ledger never sees it."""
    with pytest.raises(Illegal) as refused:
        replace(TRADE.report, **{field: value})  # type: ignore[arg-type]  # the table holds every field's kind
    assert refused.value.field == field


@pytest.mark.parametrize("fee", ["0", "-0.5", "0.5"])
def test_a_fee_may_be_paid_nothing_or_a_rebate(fee: str) -> None:
    """The sign of a fee is the venue's business."""
    assert replace(TRADE.report, fee=D(fee), realized_cash=D(fee)).fee == D(fee)


def test_the_key_is_what_makes_it_the_same_trade() -> None:
    """Account, instrument, the venue's id, revision; not time, price or order."""
    report = TRADE.report
    assert report.key == (1, 7, "t1", 0)
    assert replace(report, price=D(101), exec_time=moment(9), sequence=5).key == report.key
    assert replace(report, revision=1, effect=TradeEffect.BUST).key != report.key


def test_trades_are_folded_by_time_then_sequence_then_id_then_revision() -> None:
    """However they arrive, this is their order."""
    report = TRADE.report
    in_order = [
        replace(TRADE, report=changed)
        for changed in (
            report,
            replace(report, revision=1, effect=TradeEffect.CORRECT),
            replace(report, broker_trade_id=BrokerTradeId("t2")),
            replace(report, sequence=2, broker_trade_id=BrokerTradeId("a")),
            replace(report, exec_time=moment(2), sequence=0, broker_trade_id=BrokerTradeId("a")),
        )
    ]
    as_arrived = in_order[::-1]
    assert sorted(as_arrived, key=lambda trade: trade.fold_key) == in_order


def test_a_buy_adds_quantity_and_a_sale_takes_it() -> None:
    """The quantity itself is never negative; the side says which way."""
    assert fill(SPOT, "buy 2 @ 100").signed_quantity == D(2)
    assert fill(SPOT, "sell 2 @ 100").signed_quantity == D(-2)


def test_a_sale_brings_cash_and_an_inverse_contract_mirrors_it() -> None:
    """Signed notional: sale +, buy −; inverse the other way round."""
    assert [signed_notional(PERPETUAL, side, D(200)) for side in Side] == [D(-200), D(200)]
    assert [signed_notional(INVERSE, side, D("0.2")) for side in Side] == [D("0.2"), D("-0.2")]
