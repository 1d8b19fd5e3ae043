"""The gate inside the desk: sales that could fill twice, halts of a part, the hour of a repeat, a full disk.

And the fill sequences of other projects on the way that fills of a venue come in.
"""

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from plimsoll.desk.book_trades import book
from plimsoll.desk.place_order import place_order, view_of
from plimsoll.desk.snapshot import MarketView, take_snapshot
from plimsoll.ledger import accounts, keys
from plimsoll.ledger.book_trade import Booking
from plimsoll.ledger.fold import fold_position, position_of
from plimsoll.model.account import Halt, Scope, TradingState
from plimsoll.model.ids import BrokerTradeId, StrategyId
from plimsoll.model.order import Intent, Side
from plimsoll.model.trade import Trade, TradeReport
from plimsoll.risk.gate.snapshot import Snapshot
from plimsoll.risk.limits import STANDARD
from tests.builders.desk import ACCOUNT, MAIN, Desk, play
from tests.builders.paper import PERPETUAL, SPOT, START

D = Decimal


async def hold(desk: Desk, quantity: str, *, beside: str) -> None:
    """Hold a position, and coins beside it that are a strategy's."""
    await desk.buy(quantity)
    of_another = replace(desk.intent(Side.BUY, beside), strategy_id=StrategyId(3))
    assert (await place_order(desk.ports, of_another)).approved
    assert desk.cash("BTC") == D(quantity) + D(beside)


async def halt(desk: Desk, scope: Scope, number: int, state: TradingState) -> None:
    told = Halt(scope, number, "manual", state, "a test")
    await desk.ports.books.write(lambda draft: accounts.write_halt(draft, told, desk.clock.now()))


# Sales ----------------------------------------------------------------------------------------------------------------


def test_two_waiting_sales_of_one_position_cannot_both_be_closes(tmp_path: Path) -> None:
    """B1: with coins of somebody else at hand both would fill, and leave a short position that no control had seen."""

    async def story(desk: Desk) -> None:
        await hold(desk, "0.1", beside="0.1")
        await halt(desk, Scope.ACCOUNT, ACCOUNT, TradingState.REDUCE_ONLY)
        first, second = await desk.sell("0.1", price="50100"), await desk.sell("0.1", price="50100")
        assert (first.approved, second.approved) == (True, False)
        assert "not_active" in second.checks_json
        await desk.quote("50200")
        assert desk.held() == 0

    play(tmp_path, story)


def test_a_close_at_the_market_passes_beside_protection_that_cannot_be_taken_back(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await hold(desk, "0.1", beside="0.1")
        assert (await desk.sell("0.1", stop="45000")).approved
        await halt(desk, Scope.ACCOUNT, ACCOUNT, TradingState.REDUCE_ONLY)
        assert not (await desk.sell("0.1")).approved
        intent = replace(desk.intent(Side.SELL, "0.1"), closes_leg=True)
        assert (await place_order(desk.ports, intent)).approved
        assert desk.held() == 0
        await desk.guard.look()

    play(tmp_path, story)


# States ---------------------------------------------------------------------------------------------------------------


async def seen_by(desk: Desk, intent: Intent, market: MarketView | None = None) -> Snapshot:
    """Take the snapshot that the gate would judge an intent on."""
    account = desk.ports.books.hot.get(keys.account(ACCOUNT))
    view = market or view_of(desk.ports)
    seen: Snapshot = await desk.ports.books.write(
        lambda draft: take_snapshot(draft, intent, view, account, STANDARD, key_reused=False)
    )
    return seen


@pytest.mark.parametrize(("scope", "mine", "other"), [(Scope.STRATEGY, 7, 8), (Scope.PORTFOLIO, MAIN, 9)])
def test_a_halt_of_its_strategy_or_portfolio_binds_an_order(
    tmp_path: Path, scope: Scope, mine: int, other: int
) -> None:
    """C5: control 1 asks for all four, and of these two nobody had been asked."""

    async def story(desk: Desk) -> None:
        intent = replace(desk.intent(Side.BUY, "0.01", by="bot:7"), strategy_id=StrategyId(7))
        await halt(desk, scope, other, TradingState.HALTED)
        assert (await seen_by(desk, intent)).state is TradingState.ACTIVE
        await halt(desk, scope, mine, TradingState.CANCEL_ONLY)
        seen = await seen_by(desk, intent)
        assert (seen.state, seen.state_source) == (TradingState.CANCEL_ONLY, "manual")
        assert "not_active" in (await place_order(desk.ports, intent)).checks_json

    play(tmp_path, story)


@pytest.mark.parametrize("stored", [None, TradingState.REDUCE_ONLY, TradingState.HALTED])
@pytest.mark.parametrize("held", list(TradingState))
def test_what_could_not_be_written_down_rules_where_it_is_stricter(
    tmp_path: Path, held: TradingState, stored: TradingState | None
) -> None:
    """B5: a full disk does not keep a person from shutting the desk."""

    async def story(desk: Desk) -> None:
        if stored is not None:
            await halt(desk, Scope.DESK, 0, stored)
        market = replace(view_of(desk.ports), memory_state=held)
        seen = await seen_by(desk, desk.intent(Side.BUY, "0.01"), market)
        by_hand = max(held, stored or TradingState.ACTIVE, key=list(TradingState).index)
        assert seen.state is by_hand
        if by_hand is TradingState.ACTIVE:
            assert seen.state_source == ""
        else:
            assert seen.state_source.startswith("manual" if by_hand is stored else "this process")

    play(tmp_path, story)


def test_the_same_order_twice_is_a_repeat_whatever_its_makers_say_of_the_hour(tmp_path: Path) -> None:
    """D4: dated ten seconds apart, both passed in the same instant."""

    async def story(desk: Desk) -> None:
        now = desk.clock.now()
        for ago, passes in ((10, True), (0, False), (20, False)):
            wish = desk.intent(Side.BUY, "0.01", made_at=now - timedelta(seconds=ago))
            answer = await place_order(desk.ports, replace(wish, allow_repeat=False))
            assert (answer.approved, "repeated_order" in answer.checks_json) == (passes, not passes)
        await desk.wait(2.1)
        await desk.quote("50000")
        wish = desk.intent(Side.BUY, "0.01", made_at=now)
        assert (await place_order(desk.ports, replace(wish, allow_repeat=False))).approved

    play(tmp_path, story)


# Fills ----------------------------------------------------------------------------------------------------------------


def test_the_average_cost_cases_on_the_way_that_a_venues_fills_come_in(tmp_path: Path, test_data: Path) -> None:
    """C7: every asserted quantity and profit, through the driver and the commit, each fill told twice."""
    told = (test_data / "pnl_cases" / "fill_sequences.json").read_text(encoding="utf-8")
    everything = json.loads(told, parse_float=str, parse_int=str)["cases"]
    cases = [case for case in everything if "average" in case["lot_method"] and case["instrument_type"] != "inverse"]
    assert len(cases) > 10
    compared = 0
    for case in cases:
        instrument = SPOT if '"base"' in json.dumps(case) else PERPETUAL
        reports = [
            TradeReport(
                ACCOUNT,
                instrument.id,
                BrokerTradeId(f"t{number}"),
                Side(step["fill"]["side"].upper()),
                D(step["fill"]["qty"]),
                D(step["fill"]["price"]),
                fee=D(step["fill"]["fee"]),
                fee_currency=instrument.base if step["fill"]["fee_ccy"] == "base" else instrument.cash_asset,
                exec_time=START + timedelta(seconds=number),
                sequence=number,
            )
            for number, step in enumerate(case["steps"], start=1)
        ]
        booked = [
            Trade(report, MAIN, None, "external", instrument.notional(report.quantity, report.price))
            for report in reports
        ]
        wanted, _ = fold_position(position_of(booked[0]), booked, instrument)

        async def story(desk: Desk) -> None:
            assert await book(desk.ports, reports) == [Booking.BOOKED] * len(reports)  # noqa: B023  played below
            assert await book(desk.ports, reports) == [Booking.REPEATED] * len(reports)  # noqa: B023
            assert desk.position(instrument) == wanted  # noqa: B023

        play(tmp_path / case["id"], story)
        if "qty" in case.get("expect_final", {}):
            assert wanted.quantity == D(case["expect_final"]["qty"]), case["id"]
            compared += 1
    assert compared > 5
