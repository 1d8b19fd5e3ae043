"""The paper venue's own sums: conserved to the last digit, and equal to the desk's although written apart."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.model.ids import AccountId, BrokerTradeId, PortfolioId
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import Side
from plimsoll.model.position import Position
from plimsoll.model.trade import Trade, TradeReport
from plimsoll.venues.paper.arithmetic import (
    Holding,
    PaperPosition,
    entry_price,
    equity,
    free_margin,
    initial_margin,
    traded,
    unrealized,
)
from tests.builders.paper import INVERSE, PERPETUAL, START

D = Decimal
ACCOUNT = AccountId(1)
MARKETS = (PERPETUAL, INVERSE)

fills = st.lists(
    st.tuples(
        st.sampled_from([Side.BUY, Side.SELL]),
        st.integers(1, 5000).map(lambda lots: D(lots) / 1000),
        st.decimals("0.01", "99999", places=6),
    ),
    min_size=1,
    max_size=25,
)
Fill = tuple[Side, Decimal, Decimal]


def fold(market: Instrument, trades: list[Fill]) -> tuple[PaperPosition, Decimal]:
    position, paid = PaperPosition(ACCOUNT, market.id), D(0)
    for side, quantity, price in trades:
        value = market.notional(quantity, price)
        position, earned = traded(position, side, quantity, value, inverse=market.inverse)
        paid += earned
    return position, paid


@pytest.mark.parametrize("market", MARKETS, ids=lambda market: market.symbol)
@given(trades=fills)
def test_conservation(market: Instrument, trades: list[Fill]) -> None:
    """What was earned, and what the open rest cost, is what the trades moved: to the last digit; flat costs nothing."""
    position, paid = fold(market, trades)
    moved = sum((-side.sign * market.notional(quantity, price) for side, quantity, price in trades), D(0))
    earned = -paid if market.inverse else paid
    assert earned - position.cost == moved
    assert position.quantity == sum((side.sign * quantity for side, quantity, _price in trades), D(0))
    assert (position.quantity == 0) <= (position.cost == 0)


@pytest.mark.parametrize("market", MARKETS, ids=lambda market: market.symbol)
@given(trades=fills)
def test_two_ways_of_counting_agree(market: Instrument, trades: list[Fill]) -> None:
    """The desk's fold of the same trades, another code with another sign rule, gives the same profit and average."""
    position, paid = fold(market, trades)
    desk = Position(ACCOUNT, PortfolioId(1), market.id)
    for number, (side, quantity, price) in enumerate(trades):
        report = TradeReport(
            ACCOUNT, market.id, BrokerTradeId(f"{number}"), side, quantity, price, D(0), "USDT",
            START + timedelta(seconds=number),
        )  # fmt: skip
        desk = desk.after(Trade(report, PortfolioId(1), None, "test", market.notional(quantity, price)), market)
    assert (desk.quantity, desk.realized_pnl) == (position.quantity, paid)
    assert desk.avg_price(market) == entry_price(position, market)
    if position.quantity:
        assert desk.unrealized_pnl(market, D("123.45")) == unrealized(position, market, D("123.45"))


def test_a_flip_is_a_close_and_an_opening() -> None:
    """Long 10 at 100, sold 15 at 110: 100 earned, short 5 at 110."""
    position, paid = fold(PERPETUAL, [(Side.BUY, D(10), D(100)), (Side.SELL, D(15), D(110))])
    assert (position.quantity, position.cost, paid) == (D(-5), D(-550), D(100))
    assert entry_price(position, PERPETUAL) == D(110)
    assert unrealized(position, PERPETUAL, D(100)) == D(50)


def test_an_inverse_long_earns_coins_as_the_price_rises() -> None:
    """1,000 contracts from 40,000 to 50,000: 0.025 − 0.02 BTC."""
    position, paid = fold(INVERSE, [(Side.BUY, D(1000), D(40000))])
    assert (position.cost, paid, unrealized(position, INVERSE, D(50000))) == (D("0.025"), D(0), D("0.005"))
    _flat, paid = fold(INVERSE, [(Side.BUY, D(1000), D(40000)), (Side.SELL, D(1000), D(50000))])
    assert paid == D("0.005")


def holding(quantity: str, price: str | None, leverage: str = "2") -> Holding:
    """Hold something that was bought at 100."""
    position = PaperPosition(ACCOUNT, PERPETUAL.id, D(quantity), D(quantity) * 100)
    return Holding(position, PERPETUAL, D(leverage), None if price is None else D(price))


def test_free_margin() -> None:
    """Cash 1,000 and 4 long from 100 at leverage 2: at 110 it binds 220 and shows 40 of profit."""
    assert initial_margin(D(440), D(2)) == D(220)
    assert free_margin(D(1000), [holding("4", "110")], count_profit=True) == D(820)
    assert free_margin(D(1000), [holding("4", "110")], count_profit=False) == D(780)
    assert free_margin(D(1000), [holding("4", "90")], count_profit=False) == D(780)
    assert free_margin(D(1000), [holding("4", None)], count_profit=True) is None


def test_equity_needs_every_price() -> None:
    """Unknown is not zero: one missing price makes the whole unknown; nothing held needs no price."""
    rates = {"BTC": D(50000)}
    assert equity("USDT", [("USDT", D(100)), ("BTC", D("0.5"))], [], rates) == D(25100)
    assert equity("USDT", [("USDT", D(100))], [holding("4", "110")], rates) == D(140)
    assert equity("USDT", [("ETH", D(1))], [], rates) is None
    assert equity("USDT", [("ETH", D(0)), ("USDT", D(5))], [], rates) == D(5)
    assert equity("USDT", [("USDT", D(100))], [holding("4", None)], rates) is None
