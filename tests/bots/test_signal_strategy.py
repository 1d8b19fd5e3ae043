"""Signals: one position at a time, confirmed, cooled down, closed by a sell; and the same again after a restart."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.bots.confirmation import ConfirmationRules
from plimsoll.bots.signal_strategy import SignalStrategy
from plimsoll.bots.signals import SignalRules, Temperature
from plimsoll.bots.strategy import View, Wish
from plimsoll.market import candles
from plimsoll.model.account import TradingState
from plimsoll.model.errors import Illegal
from plimsoll.model.order import Side
from plimsoll.model.quote import Bar
from tests.builders.bots import (
    AT_ONCE,
    BITCOIN,
    CALM,
    CONTRARY,
    MINUTE,
    QUIET,
    D,
    advising,
    holding,
    marked,
    walk,
)


def contrary(params: Mapping[str, str] = AT_ONCE) -> SignalStrategy:
    return SignalStrategy.from_params(params)


def run(strategy: SignalStrategy, bars: Iterable[Bar], view: View = CALM) -> list[Wish | None]:
    """Feed the bars, with every wish left unanswered."""
    return [strategy.on_close(bar, view) for bar in bars]


def sides(strategy: SignalStrategy, marks: str, view: View = CALM) -> str:
    """Tell what was wished for at each mark: B, S or nothing."""
    wishes = run(strategy, advising(marks), view)
    assert wishes[:QUIET] == [None] * QUIET
    return "".join("." if wish is None else wish.side[0] for wish in wishes[QUIET:])


# --- what it wishes for


def test_a_flat_bot_buys_one_trade_size() -> None:
    wishes = run(contrary({**AT_ONCE, "trade_size": "25.5"}), advising("b"))
    assert wishes[-1] == Wish(
        key="2018-01-01T00:15:00.000000Z:BUY",
        side=Side.BUY,
        quote_value=D("25.5"),
        context="score=1 rsi=1 macd=0 ma=-0.050025012506 temperature=HOT",
    )


def test_a_sell_closes_the_whole_position_and_may_only_reduce() -> None:
    wish = run(contrary(), advising("s"), holding("0.0256"))[-1]
    assert wish is not None
    assert (wish.key, wish.side) == ("2018-01-01T00:15:00.000000Z:SELL", Side.SELL)
    assert (wish.quantity, wish.quote_value, wish.reduce_only) == (D("0.025"), None, True)  # whole lots


def test_a_flat_bot_never_sells_and_a_holding_one_never_adds() -> None:
    assert sides(contrary(), "bs.sb") == "B...B"
    assert sides(contrary(), "bs.sb", holding("0.5")) == ".S.S."


def test_a_short_that_a_correction_left_is_bought_back_and_not_made_larger() -> None:
    assert sides(contrary(), "bsb", holding("-0.5")) == "B.B"
    wish = run(contrary(), advising("b"), holding("-0.5"))[-1]
    assert wish is not None
    assert (wish.quantity, wish.reduce_only) == (D("0.5"), True)


@pytest.mark.parametrize("dust", ["0.0009", "0.0019", "-0.0019"])
def test_dust_below_the_lot_or_the_least_quantity_counts_as_flat(dust: str) -> None:
    assert sides(contrary(), "bs", holding(dust)) == "B."
    assert sides(contrary(), "bs", holding("0.002")) == ".S"


def test_a_score_below_the_threshold_does_nothing() -> None:
    assert sides(contrary({**AT_ONCE, "rsi_weight": "0.31", "act_at": "0.31"}), "b") == "B"
    assert sides(contrary({**AT_ONCE, "rsi_weight": "0.31", "ma_weight": "0.5", "act_at": "0.31"}), "b") == "."


# --- when


def test_by_default_advice_stands_five_minutes_before_it_acts() -> None:
    assert sides(contrary(CONTRARY), "bbbbbbb") == ".....BB"


def test_a_hold_or_a_flip_starts_the_confirmation_again() -> None:
    assert sides(contrary(CONTRARY), "bbbb.bbbbbb") == "..........B"
    assert sides(contrary(CONTRARY), "bbbbsbbbbbb") == "..........B"


def test_it_rests_fifteen_minutes_after_its_last_trade() -> None:
    rested = replace(CALM, last_trade_at=marked(0))
    patient = {**AT_ONCE, "cooldown_minutes": "15"}
    assert sides(contrary(patient), "." + "b" * 16, rested) == "." * 15 + "BB"


def test_nothing_is_wished_while_an_order_is_pending() -> None:
    assert sides(contrary(), "bb", replace(CALM, pending=True)) == ".."
    assert sides(contrary(), "ss", replace(holding("1"), pending=True)) == ".."


@pytest.mark.parametrize(
    ("state", "closes"),
    [(TradingState.REDUCE_ONLY, "S"), (TradingState.CANCEL_ONLY, "."), (TradingState.HALTED, ".")],
)
def test_an_account_that_is_not_active_opens_nothing(state: TradingState, closes: str) -> None:
    assert sides(contrary(), "b", replace(CALM, account_state=state)) == "."
    assert sides(contrary(), "s", replace(holding("1"), account_state=state)) == closes


def test_an_approved_wish_uses_the_advice_up() -> None:
    strategy = contrary({**AT_ONCE, "confirmation_minutes": "2"})
    bars = advising("bbbbbbb")
    assert [wish is not None for wish in run(strategy, bars[:-4])][-3:] == [False, False, True]
    strategy.acted(Side.BUY, marked(2))
    assert [wish is not None for wish in run(strategy, bars[-4:])] == [False, False, True, True]


def test_a_trade_it_was_never_told_of_uses_the_advice_up_as_well() -> None:
    strategy = contrary({**AT_ONCE, "confirmation_minutes": "2"})
    bars = advising("bbbbbb")
    run(strategy, bars[:-3])
    traded = replace(CALM, last_trade_at=marked(2))
    assert [wish is not None for wish in run(strategy, bars[-3:], traded)] == [False, False, True]


def test_a_trade_at_the_very_close_that_began_the_advice_uses_it_up() -> None:
    # Without a confirmation time advice begins and acts at one close, and may be filled at that instant.
    bars = advising("bb.")
    strategy, traded = contrary(CONTRARY), replace(CALM, last_trade_at=marked(0))
    run(strategy, bars[:-2])
    run(strategy, bars[-2:-1], traded)
    assert strategy.state() == {"advice": "BUY", "since": "2018-01-01T00:16:00.000000Z"}


def test_advice_used_up_by_an_untold_trade_is_gone_since_that_trade() -> None:
    strategy, bars = contrary(CONTRARY), advising("bb.")
    run(strategy, bars[:-1])
    run(strategy, bars[-1:], replace(CALM, last_trade_at=marked(1)))
    assert strategy.state() == {"advice": "HOLD", "since": "2018-01-01T00:16:00.000000Z"}


def test_an_old_trade_leaves_the_confirmation_alone() -> None:
    assert (
        sides(contrary({**AT_ONCE, "confirmation_minutes": "2"}), ".bbb", replace(CALM, last_trade_at=marked(0)))
        == "...B"
    )


# --- what it shows and what it keeps


def test_looking_at_it_never_trades() -> None:
    looked_at, left_alone = contrary(), contrary()
    assert looked_at.temperature is None
    assert looked_at.last_signal is None
    for bar in advising("bsbb.b"):
        wish = looked_at.on_close(bar, CALM)
        assert wish == left_alone.on_close(bar, CALM)
        assert (looked_at.last_signal, looked_at.temperature) == (looked_at.last_signal, looked_at.temperature)
    assert looked_at.temperature is Temperature.HOT
    assert looked_at.last_signal is not None
    assert looked_at.last_signal.score == 1


def test_its_state_names_the_advice_and_when_it_began() -> None:
    strategy = contrary()
    assert strategy.state() == {}
    run(strategy, advising(".sbb"))
    assert strategy.state() == {"advice": "BUY", "since": "2018-01-01T00:17:00.000000Z"}
    strategy.acted(Side.BUY, marked(3))
    assert strategy.state() == {"advice": "HOLD", "since": "2018-01-01T00:18:00.000000Z"}


@given(st.text("bs.", min_size=1, max_size=30), st.data())
def test_a_restored_and_warmed_bot_decides_as_if_it_had_never_stopped(marks: str, data: st.DataObject) -> None:
    bars = advising(marks)
    cut = data.draw(st.integers(0, len(bars)), label="bars decided before the crash")
    saved = data.draw(st.integers(0, cut), label="bars decided when the state was saved")
    unbroken, resumed = contrary(CONTRARY), contrary(CONTRARY)
    run(unbroken, bars[:saved])
    kept = unbroken.state()
    run(unbroken, bars[saved:cut])
    resumed.restore(kept)
    for bar in bars[:cut]:
        resumed.warm(bar)
    assert (resumed.state(), resumed.last_signal) == (unbroken.state(), unbroken.last_signal)
    assert run(resumed, bars[cut:]) == run(unbroken, bars[cut:])


def test_warming_does_not_confirm_again_what_a_trade_used_up() -> None:
    bars = advising("bbbb")
    strategy, resumed = contrary(CONTRARY), contrary(CONTRARY)
    run(strategy, bars)
    strategy.acted(Side.BUY, marked(3))
    resumed.restore(strategy.state())
    for bar in bars:
        resumed.warm(bar)
    assert resumed.state() == {"advice": "HOLD", "since": "2018-01-01T00:18:00.000000Z"}


def test_an_empty_state_forgets() -> None:
    strategy = contrary()
    run(strategy, advising("b"))
    strategy.restore({})
    assert strategy.state() == {}


@pytest.mark.parametrize(
    "state",
    [
        {"advice": "BUY"},
        {"advice": "MAYBE", "since": "2018-01-01T00:17:00.000000Z"},
        {"advice": "BUY", "since": "yesterday"},
        {"advice": "BUY", "since": "2018-01-01T00:17:00.000000Z", "more": "1"},
    ],
)
def test_a_state_that_it_never_wrote_is_refused_and_changes_nothing(state: dict[str, str]) -> None:
    strategy = contrary()
    run(strategy, advising("b"))
    before = strategy.state()
    with pytest.raises(Illegal):
        strategy.restore(state)
    assert strategy.state() == before


# --- its parameters


def test_the_defaults_are_those_of_the_specification() -> None:
    strategy = contrary({})
    assert (strategy.name, strategy.trade_size) == ("signals", D(10))
    assert strategy.rules == SignalRules()
    assert strategy.confirmation_rules == ConfirmationRules(5 * MINUTE, 15 * MINUTE)


def test_every_field_of_the_rules_can_be_set() -> None:
    other = SignalRules(
        rsi_period=7,
        rsi_low=20.0,
        rsi_high=80.5,
        macd_fast=5,
        macd_slow=6,
        macd_signal=7,
        ma_fast=8,
        ma_slow=9,
        rsi_weight=0.25,
        macd_weight=0.5,
        ma_weight=0.125,
        act_at=D("0.4"),
        hot_at=D("0.5"),
        warm_at=D("0.2"),
        cool_at=D("0.1"),
    )
    texts = {field: str(getattr(other, field)) for field in SignalRules.__dataclass_fields__}
    assert contrary(texts).rules == other


@pytest.mark.parametrize("size", ["9.99", "0", "-10"])
def test_a_trade_size_below_ten_is_refused(size: str) -> None:
    with pytest.raises(Illegal, match="trade_size"):
        contrary({"trade_size": size})


# --- on a real market


def test_three_years_of_bitcoin_by_the_hour_are_traded_hundreds_of_times(test_data: Path) -> None:
    strategy, view, traded = contrary({}), CALM, []
    recording = candles.inspect(test_data / "candles" / "coinbase_btcusd_1h.csv.gz", BITCOIN.symbol)
    for bar in candles.bars(recording, BITCOIN.id):
        wish = strategy.on_close(bar, view)
        if wish is not None:
            traded.append(wish.side)
            strategy.acted(wish.side, bar.end)
            quantity = D(1) if wish.side is Side.BUY else D(0)
            view = replace(view, position_quantity=quantity, last_trade_at=bar.end + timedelta(seconds=1))
    assert len(traded) > 200
    assert traded == [Side.BUY, Side.SELL] * (len(traded) // 2) + [Side.BUY] * (len(traded) % 2)


def test_the_same_market_gives_the_same_wishes() -> None:
    assert run(contrary({}), walk(3, 300)) == run(contrary({}), walk(3, 300))
    assert any(run(contrary({}), walk(3, 300)))
