"""Cash lines: a trade in coins, a trade in profit, fees in their own asset, and debt counted once."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.model.cash import CashKind, debt, lines_of, pocket_of
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import Side
from tests.model.words import INVERSE, PERPETUAL, PORTFOLIO, SPOT, book, fill, moment

D = Decimal
Line = tuple[str, str, CashKind, Decimal]


def lines(instrument: Instrument, text: str, realized: str = "0") -> list[Line]:
    """Give what a fill moves: (pocket, asset, kind, amount)."""
    told = lines_of(fill(instrument, text), instrument, D(realized))
    return [(line.pocket, line.asset, line.kind, line.amount) for line in told]


def test_a_spot_buy_brings_coins_and_takes_their_price() -> None:
    """Coins in, price out, the fee a line of its own in a third currency."""
    assert lines(SPOT, "buy 2 @ 100 fee 0.01 BNB") == [
        ("spot", "BTC", CashKind.TRADE, D(2)),
        ("spot", "USDT", CashKind.TRADE, D(-200)),
        ("spot", "BNB", CashKind.FEE, D("-0.01")),
    ]


def test_a_spot_sale_is_the_mirror() -> None:
    """Coins out, price in; a rebate is a fee line that brings money."""
    assert lines(SPOT, "sell 2 @ 100 fee -0.5 USDT") == [
        ("spot", "BTC", CashKind.TRADE, D(-2)),
        ("spot", "USDT", CashKind.TRADE, D(200)),
        ("spot", "USDT", CashKind.FEE, D("0.5")),
    ]


def test_a_derivative_moves_only_what_was_realised() -> None:
    """No coins change hands; an inverse contract pays in coins."""
    assert lines(PERPETUAL, "sell 2 @ 100 fee 0.5 USDT", realized="20") == [
        ("futures", "USDT", CashKind.TRADE, D(20)),
        ("futures", "USDT", CashKind.FEE, D("-0.5")),
    ]
    assert lines(INVERSE, "buy 100 @ 8000", realized="0.25") == [("futures", "BTC", CashKind.TRADE, D("0.25"))]


@pytest.mark.parametrize("reported", ["19.99", "0"])
def test_what_the_venue_paid_counts_not_what_we_think(reported: str) -> None:
    """A reported amount, also a reported zero, stands before our own fold."""
    trade = fill(PERPETUAL, "sell 2 @ 100")
    told = replace(trade, report=replace(trade.report, realized_cash=D(reported)))
    amounts = [line.amount for line in lines_of(told, PERPETUAL, D(20))]
    assert amounts == ([] if reported == "0" else [D(reported)])


def test_nothing_moved_is_no_line() -> None:
    """An opening of a derivative without a fee leaves cash alone."""
    assert lines(PERPETUAL, "buy 2 @ 100") == []


def test_a_line_says_whose_and_why() -> None:
    """The reference is the trade's key, so that the same trade cannot move money twice."""
    line = lines_of(fill(SPOT, "buy 2 @ 100", number=3), SPOT, D(0))[0]
    assert (line.account_id, line.portfolio_id) == (1, PORTFOLIO)
    assert (line.reference, line.at) == ("7:t3:0", moment(3))


@given(
    side=st.sampled_from(Side),
    fee_currency=st.sampled_from(["BTC", "USDT", "BNB"]),
    fee=st.integers(-5, 5).map(D),
    instrument=st.sampled_from([SPOT, PERPETUAL, INVERSE]),
)
def test_the_lines_of_a_trade_are_unique(side: Side, fee_currency: str, fee: Decimal, instrument: Instrument) -> None:
    """(reference, kind, asset) names one line, also when fee and price are in one asset."""
    trade = book(instrument, side, D(2), D(100), fee=fee, fee_currency=fee_currency)
    names = [(line.reference, line.kind, line.asset) for line in lines_of(trade, instrument, D(7))]
    assert len(names) == len(set(names))
    assert all(line.amount != 0 for line in lines_of(trade, instrument, D(7)))


def test_pockets() -> None:
    """Coins lie in spot, profit of derivatives in futures."""
    assert (pocket_of(SPOT), pocket_of(PERPETUAL), pocket_of(INVERSE)) == ("spot", "futures", "futures")


@pytest.mark.parametrize(
    ("cash", "loan", "owed"),
    [
        ("100", "0", "0"),
        ("100", "-30", "30"),  # borrowed and not yet spent
        ("0", "-30", "30"),  # borrowed and spent
        ("-5", "0", "5"),  # an overdraft
        ("-5", "-30", "35"),  # both, each once
        ("0", "0", "0"),
    ],
)
def test_debt_is_the_loan_and_the_overdraft_each_once(cash: str, loan: str, owed: str) -> None:
    """A loan is not netted away by the money it brought, and not counted again when that is spent."""
    assert debt(D(cash), D(loan)) == D(owed)
