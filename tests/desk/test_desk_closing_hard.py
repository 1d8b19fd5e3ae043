"""Closing when the line lags, the disk is full, legs stand against each other, or too little is left to sell."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from plimsoll.desk.book_trades import book
from plimsoll.desk.cancel_order import cancel_order
from plimsoll.desk.close_position import CloseOutcome, left_to_close
from plimsoll.desk.flatten import cancel_and_close, flatten
from plimsoll.desk.halt import MANUAL, halt_for_broken_parity, lift
from plimsoll.desk.place_order import OrderAnswer, place_order
from plimsoll.desk.resolve_unknown import doubt_left_behind
from plimsoll.desk.stop_trading import stop_trading
from plimsoll.desk.supervise import supervise
from plimsoll.ledger import keys
from plimsoll.model.account import Scope, TradingState
from plimsoll.model.errors import CommandRefused, Refusal
from plimsoll.model.ids import BrokerTradeId, StrategyId, UserId
from plimsoll.model.order import OrderState, Side
from plimsoll.model.position import Position
from plimsoll.model.trade import TradeReport
from plimsoll.store.connection import StoreFailed
from tests.builders.desk import ACCOUNT, DEAR, MAIN, Desk, Sent, play
from tests.builders.paper import PERPETUAL, SPOT

D = Decimal
C, S, T = CloseOutcome, OrderState, TradingState


async def order_for(desk: Desk, strategy: int, side: Side, quantity: str) -> OrderAnswer:
    """Order at the market for a strategy, whose position is a leg of its own."""
    return await place_order(desk.ports, replace(desk.intent(side, quantity), strategy_id=StrategyId(strategy)))


def legs(desk: Desk) -> list[Decimal]:
    positions: list[Position] = desk.ports.books.hot.shelf(keys.POSITION, ACCOUNT)
    return [position.quantity for position in positions]


# What the venue says of fills -----------------------------------------------------------------------------------------


def test_flatten_closes_what_an_order_had_filled_before_its_stream_tells(tmp_path: Path) -> None:
    """A3: the answer to the cancel speaks of the fill; calling the account flat without it would leave it open."""

    async def story(desk: Desk) -> None:
        await desk.buy("0.1", price="49000")
        desk.venue.news_late_seconds = 1
        await desk.quote("48900")
        assert desk.held() == 0
        report = await flatten(desk.ports, actor="user:1", reason="enough")
        assert [result.outcome for result in report.results] == [C.FLAT]
        assert (report.is_flat, desk.held(), desk.states()) == (True, D(0), [S.FILLED, S.FILLED])
        await desk.wait(2)
        assert desk.held() == 0

    play(tmp_path, story)


def test_a_fill_that_the_stream_lost_is_fetched_when_the_cancel_speaks_of_it(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        answer = await desk.buy("0.1", price="49000")
        desk.venue.loses_news = True
        await desk.quote("48900")
        ended = await cancel_order(desk.ports, answer.client_order_id, actor="user:1")
        assert (ended.state, ended.filled_quantity, desk.held()) == (S.FILLED, D("0.1"), D("0.1"))
        assert desk.ports.reconciled

    play(tmp_path, story)


def test_a_fill_that_is_spoken_of_and_cannot_be_fetched_makes_the_desk_doubt(tmp_path: Path) -> None:
    """Nobody asks about an ended order again, so the doubt must outlive it."""

    async def story(desk: Desk) -> None:
        answer = await desk.buy("0.1", price="49000")
        desk.venue.loses_news = True
        await desk.quote("48900")
        desk.venue.no_history = True
        await cancel_order(desk.ports, answer.client_order_id, actor="user:1")
        assert (desk.ports.reconciled, desk.held()) == (False, D(0))
        assert not (await desk.buy("0.1")).approved
        desk.venue.no_history = False
        assert await supervise(desk.ports)
        assert (desk.ports.reconciled, desk.held()) == (True, D("0.1"))

    play(tmp_path, story)


def test_a_fill_that_the_venue_claims_and_never_shows_makes_the_desk_doubt(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        answer = await desk.buy("0.1", price="49000")
        desk.venue.claims_filled = D("0.04")
        ended = await cancel_order(desk.ports, answer.client_order_id, actor="user:1")
        assert (ended.state, ended.filled_quantity) == (S.CANCELED, D(0))
        assert not desk.ports.reconciled

    play(tmp_path, story)


def a_fill_elsewhere(desk: Desk) -> TradeReport:
    name = BrokerTradeId("elsewhere")
    return TradeReport(
        ACCOUNT, SPOT.id, name, Side.BUY, D("0.1"), D(50000), D(0), "USDT", desk.clock.now(), 1_000_000
    )  # fmt: skip


@pytest.mark.parametrize(("seconds", "closed"), [(0.5, 1), (30, 0)])
def test_a_close_waits_for_news_that_is_being_taken_in_but_not_for_long(
    tmp_path: Path, seconds: float, closed: int
) -> None:
    async def story(desk: Desk) -> None:
        async def slow_news() -> None:
            await desk.wait(seconds)
            await book(desk.ports, [a_fill_elsewhere(desk)])

        desk.ports.spawn(slow_news())
        began = desk.clock.now()
        report = await cancel_and_close(desk.ports, episode="e", triggered_by="guard:x")
        assert (desk.clock.now() - began).total_seconds() <= 1
        assert len(report.results) == closed
        assert len(report.failures) == 1 - closed

    play(tmp_path, story)


def test_what_opened_while_the_rest_was_closed_is_not_called_flat(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.quote("50000", of=SPOT)
        await desk.buy("0.1")

        async def fill() -> None:
            await book(desk.ports, [a_fill_elsewhere(desk)])

        desk.venue.before_sending = fill
        report = await flatten(desk.ports, actor="user:1", reason="enough")
        assert [result.outcome for result in report.results] == [C.FLAT]
        assert report.failures == (f"instrument {SPOT.id}: 0.1 opened while the rest was closed",)
        assert not report.is_flat

    play(tmp_path, story, trades_in=PERPETUAL)


# Legs of one account --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("short", ["0.1", "0.3"])
@pytest.mark.parametrize("long", ["0.1", "0.3"])
def test_legs_that_stand_against_each_other_are_all_closed(tmp_path: Path, long: str, short: str) -> None:
    """A6: a venue that nets refuses reduce-only to the leg that would open there."""

    async def story(desk: Desk) -> None:
        assert (await order_for(desk, 1, Side.BUY, long)).approved
        assert (await order_for(desk, 2, Side.SELL, short)).approved
        assert sorted(legs(desk)) == [-D(short), D(long)]
        report = await flatten(desk.ports, actor="user:1", reason="enough")
        assert report.is_flat, report
        assert not any(legs(desk))
        closes = [approved for approved in desk.venue.placed if approved.closes]
        assert [approved.terms.reduce_only for approved in closes] == [D(long) < D(short) and False, True]

    play(tmp_path, story, trades_in=PERPETUAL)


def test_a_leg_inside_the_net_is_closed_with_the_flag(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await order_for(desk, 1, Side.BUY, "0.1")
        await order_for(desk, 2, Side.BUY, "0.2")
        assert (await flatten(desk.ports, actor="user:1", reason="enough")).is_flat
        assert [approved.terms.reduce_only for approved in desk.venue.placed if approved.closes] == [True, True]

    play(tmp_path, story, trades_in=PERPETUAL)


def test_beside_a_close_of_unknown_fate_that_went_without_the_flag_nothing_is_sent(tmp_path: Path) -> None:
    """Both could fill, and the second would turn the leg round."""

    async def story(desk: Desk) -> None:
        await order_for(desk, 1, Side.BUY, "0.1")
        await order_for(desk, 2, Side.SELL, "0.1")
        desk.venue.fates.extend([Sent.ANSWER_LOST, Sent.NOT_SENT])
        await flatten(desk.ports, actor="user:1", reason="enough")
        again = await flatten(desk.ports, actor="user:1", reason="enough")
        assert C.UNDER_WAY in [result.outcome for result in again.results]
        await supervise(desk.ports)
        assert (await flatten(desk.ports, actor="user:1", reason="enough")).is_flat
        assert not any(legs(desk))

    play(tmp_path, story, trades_in=PERPETUAL)


# Too little to sell ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("price", "expected"), [("49999", C.DUST), ("50000", C.SENT), (None, C.SENT)], ids=["below", "at", "unknown"]
)
def test_spot_below_the_venues_least_value_is_dust(price: str | None, expected: CloseOutcome) -> None:
    """A7: every close of it is refused for ever; without a price it is tried."""
    spot = replace(SPOT, min_notional=D(10))
    position = Position(ACCOUNT, MAIN, spot.id, quantity=D("0.0002"))
    asked = None if price is None else D(price)
    assert left_to_close(position, spot, D(0), asked)[0] is expected
    derivative = replace(PERPETUAL, min_notional=D(10), lot_size=spot.lot_size)
    assert left_to_close(position, derivative, D(0), asked)[0] is C.SENT


@pytest.mark.parametrize(("seconds", "flat"), [(0, True), (3600, False)])
def test_only_a_price_in_time_makes_dust_of_what_is_left(tmp_path: Path, seconds: float, *, flat: bool) -> None:
    async def story(desk: Desk) -> None:
        await desk.buy("0.1")
        await desk.quote("99")
        await desk.wait(seconds)
        report = await flatten(desk.ports, actor="user:1", reason="enough")
        assert [result.outcome for result in report.results] == [C.DUST if flat else C.REFUSED]
        assert report.is_flat is flat

    play(tmp_path, story, trades_in=DEAR, price="100")


# A full disk ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["halt", "flatten"])
def test_with_a_full_disk_what_waits_is_taken_back_and_nothing_opens(tmp_path: Path, command: str) -> None:
    """D3: the kill switch works from memory."""

    async def story(desk: Desk) -> None:
        await desk.buy("0.1", price="49000")
        desk.books.writes_left = 0
        if command == "halt":
            report = await stop_trading(desk.ports, T.HALTED, actor="user:1", reason="test")
            failures, state = report.failures, T.HALTED
        else:
            flattened = await flatten(desk.ports, actor="user:1", reason="test")
            assert not flattened.is_flat
            failures, state = flattened.failures, T.REDUCE_ONLY
        assert failures[0] == f"{state} is in force in memory only: database or disk is full"
        assert await desk.paper.venue.open_orders(ACCOUNT) == ()
        assert (desk.ports.memory_state, desk.ports.reconciled) == (state, False)
        desk.books.writes_left = None
        await supervise(desk.ports)
        assert desk.ports.reconciled
        assert str(state) in (await desk.buy("0.1")).checks_json
        await lift(desk.ports, MANUAL, "user:1")
        assert desk.ports.memory_state is T.ACTIVE
        assert (await desk.buy("0.1")).approved

    play(tmp_path, story)


def test_a_halt_in_memory_is_not_loosened_by_a_milder_one_and_goes_when_it_is_written(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        desk.books.writes_left = 0
        await stop_trading(desk.ports, T.HALTED, actor="user:1", reason="test")
        desk.books.writes_left = None
        with pytest.raises(CommandRefused, match="stricter_in_force"):
            await stop_trading(desk.ports, T.CANCEL_ONLY, actor="user:1", reason="test")
        await flatten(desk.ports, actor="user:1", reason="test")
        assert desk.ports.memory_state is T.HALTED
        await stop_trading(desk.ports, T.HALTED, actor="user:1", reason="test")
        assert str(desk.ports.memory_state) == T.ACTIVE
        assert desk.ports.books.hot.get(keys.halt(Scope.ACCOUNT, ACCOUNT, MANUAL)).state is T.HALTED

    play(tmp_path, story)


def test_broken_parity_takes_back_what_waits_although_nothing_can_be_written(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.buy("0.1", price="49000")
        desk.books.writes_left = 0
        await halt_for_broken_parity(desk.ports, Refusal("parity_broken", "a test"))
        assert await desk.paper.venue.open_orders(ACCOUNT) == ()
        desk.books.writes_left = None
        await supervise(desk.ports)
        assert desk.states() == [S.CANCELED]

    play(tmp_path, story)


# Who did it -----------------------------------------------------------------------------------------------------------


def test_who_cancels_is_written_before_the_request_leaves(tmp_path: Path) -> None:
    """B7: also when the answer is lost, and nothing else would tell that anybody wanted it."""

    async def story(desk: Desk) -> None:
        answer = await desk.buy("0.1", price="49000")
        desk.venue.cancel_fails = StoreFailed("whatever ends the request")
        with pytest.raises(StoreFailed):
            await cancel_order(desk.ports, answer.client_order_id, actor="user:7")
        noted = desk.rows("SELECT actor, entity, entity_key FROM audit_log WHERE action = 'CANCEL'")
        assert noted == [("user:7", "ORDER", answer.client_order_id)]

    play(tmp_path, story)


def test_flatten_closes_as_a_person_and_names_who_it_was(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.buy("0.1")
        await desk.buy("0.1", price="49000")
        await flatten(desk.ports, actor="user:1", reason="enough")
        assert desk.rows("SELECT triggered_by FROM orders WHERE closes = 1") == [("manual",)]
        assert desk.rows("SELECT actor FROM audit_log WHERE action = 'CANCEL'") == [("user:1",)]
        assert desk.rows("SELECT DISTINCT actor FROM audit_log WHERE action = 'CREATE' AND entity = 'ORDER'") == [
            ("user:1",)
        ]

    play(tmp_path, story)


def test_another_users_intent_of_the_same_key_does_not_hide_an_order_that_was_left_behind(tmp_path: Path) -> None:
    """D7: keys are unique per user."""

    async def story(desk: Desk) -> None:
        desk.books.writes_left = 1
        with pytest.raises(StoreFailed):
            await desk.buy("0.1", key="same")
        desk.books.writes_left = None
        (left,) = desk.live()
        desk.ports.placing[UserId(2), left.intent.key] += 1
        assert await doubt_left_behind(desk.ports) == 1
        await supervise(desk.ports)
        assert (desk.states(), desk.held()) == ([S.FILLED], D("0.1"))

    play(tmp_path, story)
