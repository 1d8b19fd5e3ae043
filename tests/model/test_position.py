"""The position's invariants, by the numbers of `model/position.py`, on linear, inverse and multiplied contracts."""

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.model.ids import StrategyId
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import Side
from plimsoll.model.position import Position
from plimsoll.model.trade import Trade, signed_notional
from tests.model.words import CONTRACT, FLAT, INVERSE, PERPETUAL, SPOT, after, book, fill, fold, moment

D = Decimal
LAST = D("1E-18")
instruments = st.sampled_from([SPOT, PERPETUAL, CONTRACT, INVERSE])
quantities = st.integers(1, 10**11).map(lambda units: D(units).scaleb(-8))  # 0.00000001 … 1000
prices = st.integers(1, 10**13).map(lambda units: D(units).scaleb(-8))  # 0.00000001 … 100000
fees = st.integers(-(10**9), 10**10).map(lambda units: D(units).scaleb(-8))
sides = st.sampled_from(Side)
fee_assets = st.sampled_from(["USDT", "BNB", "BTC"])


@st.composite
def histories(draw: st.DrawFn, *, most: int = 30) -> tuple[Instrument, list[Trade]]:
    """Draw an instrument and its fills: any side, size, price, fee and fee asset; sometimes exactly to flat."""
    instrument = draw(instruments)
    trades: list[Trade] = []
    held = D(0)
    for number in range(1, draw(st.integers(1, most)) + 1):
        side, quantity = draw(sides), draw(quantities)
        if held != 0 and draw(st.integers(0, 4)) == 0:
            side, quantity = (Side.SELL if held > 0 else Side.BUY), abs(held)
        trade = book(
            instrument,
            side,
            quantity,
            draw(prices),
            fee=draw(fees),
            fee_currency=draw(fee_assets),
            number=number,
        )
        trades.append(trade)
        held = fold(instrument, trades).quantity
    return instrument, trades


def steps(instrument: Instrument, trades: list[Trade]) -> list[Position]:
    """Give the position before the first fill and after each."""
    positions = [FLAT]
    for trade in trades:
        positions.append(positions[-1].after(trade, instrument))
    return positions


def no_coin_fees(history: tuple[Instrument, list[Trade]]) -> bool:
    """Keep histories in which no coin leaves as a fee, so that quantity moves by trades only."""
    instrument, trades = history
    return instrument.is_derivative or all(trade.report.fee_currency != instrument.base for trade in trades)


# ------------------------------------------------------------------------------------------------ 1 conservation


@given(histories())
def test_1_conservation_to_the_last_digit(history: tuple[Instrument, list[Trade]]) -> None:
    """After every fill: realised − cost (and the cost of coins paid as fees) = Σ signed notional."""
    instrument, trades = history
    moved = D(0)
    for trade, position in zip(trades, steps(instrument, trades)[1:], strict=True):
        moved += signed_notional(instrument, trade.report.side, trade.notional)
        assert position.realized_pnl - position.cost - position.fee_cost == moved


@given(histories().filter(no_coin_fees))
def test_1_the_quantity_is_the_sum_of_the_fills(history: tuple[Instrument, list[Trade]]) -> None:
    """No fill is dropped where the position crosses zero."""
    instrument, trades = history
    assert fold(instrument, trades).quantity == sum((trade.signed_quantity for trade in trades), D(0))


def test_1_a_thousand_thirds_lose_nothing() -> None:
    """Averages that never come out even, closed bit by bit: the last close takes all that division left over."""
    fills = ["buy 3 @ 100.01", "buy 4 @ 99.97"] + ["sell 0.007 @ 100.003"] * 1000
    closed = after(PERPETUAL, *fills)
    assert (closed.quantity, closed.cost) == (D(0), D(0))
    assert closed.realized_pnl == 7 * D("100.003") - 3 * D("100.01") - 4 * D("99.97")


# ------------------------------------------------------------------------------------------------ 2 flat


@given(histories())
def test_2_flat_means_no_quantity_and_no_cost(history: tuple[Instrument, list[Trade]]) -> None:
    """Whenever nothing is held nothing was paid for it, no price is its average, and it is worth nothing."""
    instrument, trades = history
    for position in steps(instrument, trades):
        assert position.is_flat is (position.quantity == 0)
        if position.is_flat:
            assert position.cost == 0
            assert position.avg_price(instrument) == 0
            assert position.unrealized_pnl(instrument, D(5)) == 0


def test_2_what_was_realised_stays() -> None:
    """A closed position remembers its profit, also through the next opening."""
    closed = after(PERPETUAL, "buy 2 @ 100", "sell 2 @ 110")
    assert (closed.quantity, closed.cost, closed.realized_pnl) == (D(0), D(0), D(20))
    reopened = after(PERPETUAL, "buy 2 @ 100", "sell 2 @ 110", "sell 1 @ 90")
    assert (reopened.quantity, reopened.cost, reopened.realized_pnl) == (D(-1), D(-90), D(20))


# ------------------------------------------------------------------------------------------------ 3 average


@given(histories().filter(no_coin_fees))
def test_3_adding_moves_only_the_average_and_reducing_only_the_profit(
    history: tuple[Instrument, list[Trade]],
) -> None:
    """Adding realises nothing; reducing leaves the cost per unit, up to the 18th place."""
    instrument, trades = history
    for trade, (before, now) in zip(trades, pairwise(steps(instrument, trades)), strict=True):
        if before.quantity * trade.signed_quantity >= 0:
            assert now.realized_pnl == before.realized_pnl
            assert abs(now.cost) == abs(before.cost) + trade.notional
        elif now.quantity * before.quantity > 0:
            # cost / quantity is the same on both sides: compared crosswise, so that no division blurs it.
            assert abs(now.cost * before.quantity - before.cost * now.quantity) <= abs(before.quantity) * LAST


@given(histories())
def test_3_the_cost_has_the_sign_of_its_side(history: tuple[Instrument, list[Trade]]) -> None:
    """Long, linear: positive; short: negative; an inverse contract mirrors both. Rounding never turns it round."""
    instrument, trades = history
    for position in steps(instrument, trades):
        sign = -1 if instrument.inverse else 1
        assert position.cost * position.quantity * sign >= 0


@pytest.mark.parametrize(
    ("instrument", "fills", "average"),
    [
        (PERPETUAL, ["buy 2 @ 50", "buy 2 @ 100"], "75"),
        (PERPETUAL, ["sell 2 @ 50", "sell 2 @ 100"], "75"),
        (PERPETUAL, ["buy 3 @ 100", "sell 1 @ 500"], "100"),
        (PERPETUAL, ["buy 1 @ 100", "buy 2 @ 101"], "100.666666666666666667"),
        (CONTRACT, ["buy 1 @ 15000", "buy 1 @ 15001"], "15000.5"),
        (INVERSE, ["buy 100 @ 10000", "buy 100 @ 40000"], "16000"),  # harmonic: 200 / (100/10000 + 100/40000)
        (INVERSE, ["sell 100 @ 10000", "sell 100 @ 40000"], "16000"),
    ],
)
def test_3_the_average_of_what_is_open(instrument: Instrument, fills: list[str], average: str) -> None:
    """Derived from cost and quantity: arithmetic for linear, harmonic for inverse contracts."""
    assert after(instrument, *fills).avg_price(instrument) == D(average)


# ------------------------------------------------------------------------------------------------ 4 flip


@given(instrument=instruments, side=sides, held=quantities, more=quantities, entry=prices, price=prices)
def test_4_a_flip_is_a_close_and_an_opening(
    *, instrument: Instrument, side: Side, held: Decimal, more: Decimal, entry: Decimal, price: Decimal
) -> None:
    """One crossing fill equals two fills, up to the place where the notional of two halves is rounded twice."""
    opening = book(instrument, side, held, entry)
    flip = book(instrument, side.opposite, held + more, price, number=2)
    at_once = fold(instrument, [opening, flip])
    in_two = fold(
        instrument,
        [
            opening,
            book(instrument, side.opposite, held, price, number=2),
            book(instrument, side.opposite, more, price, number=3),
        ],
    )
    assert at_once.quantity == in_two.quantity == -side.sign * more
    assert abs(at_once.cost - in_two.cost) <= LAST
    assert abs(at_once.realized_pnl - in_two.realized_pnl) <= LAST
    assert at_once.opened_at == moment(2)


def test_4_long_ten_sell_fifteen_is_short_five() -> None:
    """Crossing zero does not lose the rest, and realises only what was closed."""
    flipped = after(PERPETUAL, "buy 10 @ 100", "sell 15 @ 110")
    assert (flipped.quantity, flipped.cost, flipped.realized_pnl) == (D(-5), D(-550), D(100))
    assert flipped.avg_price(PERPETUAL) == D(110)


def test_4_an_inverse_flip_pays_in_coins() -> None:
    """Short 100 contracts of 100 USD at 10000, bought back at 8000 and 50 more: 1.25 − 1 BTC earned."""
    flipped = after(INVERSE, "sell 100 @ 10000", "buy 150 @ 8000")
    assert (flipped.quantity, flipped.cost, flipped.realized_pnl) == (D(50), D("-0.625"), D("0.25"))


def test_4_opened_at_is_the_moment_of_the_side() -> None:
    """A position is as old as its present side: not its additions, and not the side before the flip."""
    ages = [position.opened_at for position in steps(PERPETUAL, [
        fill(PERPETUAL, "buy 1 @ 100", 1),
        fill(PERPETUAL, "buy 1 @ 100", 2),
        fill(PERPETUAL, "sell 1 @ 100", 3),
        fill(PERPETUAL, "sell 3 @ 100", 4),
        fill(PERPETUAL, "buy 2 @ 100", 5),
        fill(PERPETUAL, "buy 2 @ 100", 6),
    ])]  # fmt: skip
    assert ages == [None, moment(1), moment(1), moment(1), moment(4), moment(4), moment(6)]


# ------------------------------------------------------------------------------------------------ 5 fees


@given(histories())
def test_5_fees_stay_apart(history: tuple[Instrument, list[Trade]]) -> None:
    """Each asset's fees add up, sorted by asset, rebates negative, whatever else happened."""
    instrument, trades = history
    position = fold(instrument, trades)
    for asset in ("USDT", "BNB", "BTC", "never paid"):
        paid = sum((trade.report.fee for trade in trades if trade.report.fee_currency == asset), D(0))
        assert position.fee_in(asset) == paid
    assert list(position.fees) == sorted(position.fees)


@given(histories(most=12).filter(no_coin_fees))
def test_5_realised_is_gross(history: tuple[Instrument, list[Trade]]) -> None:
    """The same fills without fees give the same quantity, cost and profit."""
    instrument, trades = history
    free = [
        book(instrument, trade.report.side, trade.report.quantity, trade.report.price, number=number)
        for number, trade in enumerate(trades, start=1)
    ]
    with_fees, without = fold(instrument, trades), fold(instrument, free)
    assert (with_fees.quantity, with_fees.cost, with_fees.realized_pnl) == (
        without.quantity,
        without.cost,
        without.realized_pnl,
    )


def test_5_a_fee_in_the_coin_itself_leaves_the_holding_at_its_average() -> None:
    """One coin bought for 50000, a thousandth taken as fee: 0.999 held, its average as before."""
    held = after(SPOT, "buy 1 @ 50000 fee 0.001 BTC")
    assert (held.quantity, held.cost, held.fee_cost) == (D("0.999"), D(49950), D(50))
    assert held.avg_price(SPOT) == D(50000)
    assert held.fee_in("BTC") == D("0.001")


@given(quantities, prices, st.integers(1, 10**18))
def test_5_a_coin_fee_never_takes_more_than_is_held(quantity: Decimal, price: Decimal, units: int) -> None:
    """A fee above the holding leaves it flat, with its whole cost gone as fee cost."""
    fee = D(units).scaleb(-8)
    held = fold(SPOT, [book(SPOT, Side.BUY, quantity, price, fee=fee, fee_currency="BTC")])
    assert held.quantity == max(quantity - fee, D(0))
    assert held.cost + held.fee_cost == SPOT.notional(quantity, price)


@pytest.mark.parametrize(
    ("instrument", "fills"),
    [
        (SPOT, ["buy 1 @ 100", "sell 1 @ 110 fee 0.01 BTC"]),  # closed: nothing left to shrink
        (SPOT, ["sell 1 @ 100 fee 0.01 BTC"]),  # short
        (SPOT, ["buy 1 @ 100 fee -0.01 BTC"]),  # a rebate
        (PERPETUAL, ["buy 1 @ 100 fee 0.01 BTC"]),  # a derivative holds no coins
        (SPOT, ["buy 1 @ 100 fee 0.01 BNB"]),  # another coin
    ],
)
def test_5_no_coin_leaves_where_none_is_held_or_none_was_paid(instrument: Instrument, fills: list[str]) -> None:
    """The fee is remembered, quantity and cost are as without it."""
    with_fee = after(instrument, *fills)
    without = after(instrument, *(text.partition(" fee")[0] for text in fills))
    assert (with_fee.quantity, with_fee.cost, with_fee.fee_cost) == (without.quantity, without.cost, D(0))
    assert with_fee.fees != without.fees == ()


# ------------------------------------------------------------------------------------------------ value


@pytest.mark.parametrize(
    ("instrument", "fills", "price", "unrealised"),
    [
        (PERPETUAL, ["buy 2 @ 100"], "110", "20"),
        (PERPETUAL, ["sell 2 @ 100"], "110", "-20"),
        (CONTRACT, ["buy 1 @ 15000"], "15010", "200"),
        (CONTRACT, ["sell 1 @ 15000"], "15010", "-200"),
        (INVERSE, ["buy 100 @ 10000"], "8000", "-0.25"),
        (INVERSE, ["sell 100 @ 10000"], "8000", "0.25"),
    ],
)
def test_unrealised_is_value_less_cost(instrument: Instrument, fills: list[str], price: str, unrealised: str) -> None:
    """In the cash asset: dollars for linear contracts, coins for inverse ones."""
    assert after(instrument, *fills).unrealized_pnl(instrument, D(price)) == D(unrealised)


@given(histories(), prices)
def test_unrealised_becomes_realised_when_closed_at_that_price(
    history: tuple[Instrument, list[Trade]], price: Decimal
) -> None:
    """What a valuation promises is what a close at its price pays, to the last digit."""
    instrument, trades = history
    position = fold(instrument, trades)
    if position.is_flat:
        return
    side = Side.SELL if position.quantity > 0 else Side.BUY
    closed = position.after(book(instrument, side, abs(position.quantity), price, number=99), instrument)
    assert closed.is_flat
    assert closed.realized_pnl == position.realized_pnl + position.unrealized_pnl(instrument, price)


def test_a_position_is_named_by_portfolio_instrument_strategy_and_leg() -> None:
    """No strategy is 0 in the key, so that uniqueness binds."""
    assert FLAT.key == (FLAT.portfolio_id, FLAT.instrument_id, 0, "")


def test_a_fill_does_not_change_whose_the_position_is() -> None:
    """Portfolio, strategy and leg stay; what coins cost in fees adds up."""
    mine = replace(FLAT, strategy_id=StrategyId(3), leg="LONG")
    now = mine.after(fill(SPOT, "buy 1 @ 100 fee 0.01 BTC", 1), SPOT).after(
        fill(SPOT, "buy 1 @ 100 fee 0.01 BTC", 2), SPOT
    )
    assert now.key == mine.key == (FLAT.portfolio_id, FLAT.instrument_id, 3, "LONG")
    assert (now.quantity, now.fee_cost) == (D("1.98"), D(2))


def test_a_position_remembers_the_last_trade_folded_in() -> None:
    """So that a trade which sorts before it is seen to be late; whose it is does not change."""
    trade = fill(PERPETUAL, "buy 1 @ 100", number=4)
    position = FLAT.after(trade, PERPETUAL)
    assert position.folded_to == trade.fold_key == (moment(4), 4, "t4", 0)
    assert position.key == FLAT.key
    assert position.account_id == FLAT.account_id
