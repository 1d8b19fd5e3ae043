"""Closing, cancelling and flattening: what is left to close is closed, once, whatever else is going on."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from plimsoll.desk.book_trades import book
from plimsoll.desk.cancel_order import _cancel, cancel_all, cancel_order
from plimsoll.desk.close_position import CloseOutcome, _place_unless_tried, close_position, left_to_close
from plimsoll.desk.flatten import FlattenReport, flatten
from plimsoll.desk.halt import MANUAL, lift, set_state
from plimsoll.desk.resolve_unknown import resolve_unknown
from plimsoll.desk.stop_trading import stop_trading
from plimsoll.ledger import keys
from plimsoll.model.account import Halt, Scope, TradingState
from plimsoll.model.errors import CommandRefused, TryAgain, UnknownOutcome
from plimsoll.model.ids import AccountId, BrokerTradeId, ClientOrderId
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import OrderState, Side
from plimsoll.model.position import Position
from plimsoll.model.trade import TradeReport
from plimsoll.risk.limits import STANDARD
from tests.builders.desk import ACCOUNT, COARSE, MAIN, Desk, Sent, play
from tests.builders.paper import PERPETUAL, SPOT

D = Decimal
C, S, T = CloseOutcome, OrderState, TradingState
BOTH = pytest.mark.parametrize("of", [SPOT, PERPETUAL], ids=["spot", "perpetual"])


def manual(state: TradingState) -> Halt:
    return Halt(Scope.ACCOUNT, ACCOUNT, MANUAL, state, "test")


async def flatten_now(desk: Desk) -> FlattenReport:
    return await flatten(desk.ports, actor="user:1", reason="enough")


# Cancel ---------------------------------------------------------------------------------------------------------------


def test_a_cancelled_order_gives_its_money_back_and_cannot_be_cancelled_twice(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        answer = await desk.buy("0.1", price="49000")
        ended = await cancel_order(desk.ports, answer.client_order_id, actor="user:1")
        assert ended.state is S.CANCELED
        assert (desk.reserved(), desk.live()) == (D(0), [])
        for name in (answer.client_order_id, ClientOrderId("PLIMNEVERHEARDOF")):
            with pytest.raises(CommandRefused, match="order_not_live"):
                await cancel_order(desk.ports, name, actor="user:1")

    play(tmp_path, story)


@pytest.mark.parametrize("failure", [UnknownOutcome("no answer"), TryAgain("no connection")])
def test_a_cancel_without_a_clear_answer_leaves_the_order_live(tmp_path: Path, failure: Exception) -> None:
    """B4: neither proves that it is gone; a fill may be on its way."""

    async def story(desk: Desk) -> None:
        answer = await desk.buy("0.1", price="49000")
        desk.venue.cancel_fails = failure
        if isinstance(failure, TryAgain):
            with pytest.raises(TryAgain):
                await cancel_order(desk.ports, answer.client_order_id, actor="user:1")
        else:
            assert (await cancel_order(desk.ports, answer.client_order_id, actor="user:1")).state is S.NEW
        await desk.quote("48000")
        assert desk.states() == [S.FILLED]

    play(tmp_path, story)


def test_an_order_that_was_filled_meanwhile_is_told_as_filled(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        desk.venue.fates.append(Sent.ANSWER_LOST)
        answer = await desk.buy("0.1")
        desk.venue.cancel_fails = None
        ended = await cancel_order(desk.ports, answer.client_order_id, actor="user:1")
        # The venue's word alone does not fill it: its fills do, and they are fetched at once.
        assert (ended.state, ended.filled_quantity) == (S.FILLED, D("0.1"))
        assert (desk.states(), desk.held()) == ([S.FILLED], D("0.1"))

    play(tmp_path, story)


def test_one_order_that_cannot_be_cancelled_does_not_save_the_others(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.buy("0.1", price="49000")
        await desk.buy("0.1", price="49100")
        desk.venue.cancel_fails = TryAgain("no connection")
        with pytest.raises(ExceptionGroup) as caught:
            await cancel_all(desk.ports, keep_protection=False, actor="user:1")
        assert len(caught.value.exceptions) == 2
        desk.venue.cancel_fails = None
        assert [order.state for order in await cancel_all(desk.ports, keep_protection=False, actor="user:1")] == [
            S.CANCELED
        ] * 2

    play(tmp_path, story)


# Close ----------------------------------------------------------------------------------------------------------------


@BOTH
def test_a_position_is_closed_whole_and_only_a_derivative_says_reduce_only(tmp_path: Path, of: Instrument) -> None:
    async def story(desk: Desk) -> None:
        await desk.buy("0.1")
        closed = await desk.close_it()
        assert closed.outcome is C.SENT
        assert desk.held() == 0
        approved = desk.venue.placed[-1]
        assert (approved.closes, approved.terms.reduce_only) == (True, of.is_derivative)
        assert (await desk.close_it()).outcome is C.FLAT

    play(tmp_path, story, trades_in=of)


def test_a_short_is_closed_by_buying(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.sell("0.1")
        assert desk.held() == D("-0.1")
        await desk.close_it()
        assert desk.held() == 0
        assert desk.venue.placed[-1].terms.side is Side.BUY

    play(tmp_path, story, trades_in=PERPETUAL)


@pytest.mark.parametrize(
    ("held", "in_flight", "expected"),
    [
        ("0", "0", (C.FLAT, "0")),
        ("5", "0", (C.SENT, "5")),
        ("-5", "0", (C.SENT, "5")),
        ("5.5", "0", (C.SENT, "5")),
        ("5", "3", (C.SENT, "2")),
        ("5", "5", (C.UNDER_WAY, "0")),
        ("5", "4", (C.UNDER_WAY, "0")),
        ("5", "6", (C.UNDER_WAY, "0")),
        ("1", "0", (C.DUST, "0")),
        ("0.5", "0", (C.DUST, "0")),
    ],
)
def test_how_much_is_left_to_close(held: str, in_flight: str, expected: tuple[CloseOutcome, str]) -> None:
    """Whole lots from two on; what is on its way is subtracted."""
    position = Position(ACCOUNT, MAIN, COARSE.id, quantity=D(held))
    assert left_to_close(position, COARSE, D(in_flight), None) == (expected[0], D(expected[1]))


def a_fill_elsewhere(desk: Desk, side: Side, quantity: str, of: Instrument, number: int = 1) -> TradeReport:
    return TradeReport(
        ACCOUNT, of.id, BrokerTradeId(f"elsewhere {number}"), side, D(quantity), D(2000), D(0), "USDT",
        desk.clock.now(), 1_000_000 + number,
    )  # fmt: skip


def test_dust_is_reported_and_counts_as_done(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await book(desk.ports, [a_fill_elsewhere(desk, Side.BUY, "1", COARSE)])
        closed = await desk.close_it()
        assert (closed.outcome, closed.is_done) == (C.DUST, True)
        report = await flatten_now(desk)
        assert report.is_flat
        assert desk.venue.placed == []

    play(tmp_path, story, trades_in=COARSE, price="2000")


@BOTH
def test_two_who_close_at_once_close_it_once(tmp_path: Path, of: Instrument) -> None:
    """G4: two guards, or a guard and a person."""

    async def story(desk: Desk) -> None:
        await desk.buy("0.1")
        position = desk.position()
        assert position is not None
        wishes = [
            close_position(desk.ports, position, episode=f"e{number}", triggered_by="guard:x") for number in range(5)
        ]
        results = await asyncio.gather(*wishes)
        assert sum(result.outcome is C.SENT for result in results) == 1
        assert desk.held() == 0
        assert len(desk.venue.placed) == 2

    play(tmp_path, story, trades_in=of, delay=0.01)


def test_what_is_on_its_way_is_subtracted(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        from plimsoll.model.quote import Moment

        await desk.buy("0.1")
        await desk.wait(1)
        await desk.quote("50000", moment=Moment.CLOSE)  # a market order waits for the next price
        await desk.sell("0.04", reduce_only=True)
        assert (await desk.close_it()).outcome is C.SENT
        assert desk.venue.placed[-1].terms.quantity == D("0.06")
        assert (await desk.close_it()).outcome is C.UNDER_WAY
        await desk.quote("50000")
        assert desk.held() == 0

    play(tmp_path, story, trades_in=PERPETUAL)


def test_a_close_of_unknown_fate_does_not_delay_another_where_the_venue_enforces_reduce_only(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.buy("0.1")
        desk.venue.fates.append(Sent.REQUEST_LOST)
        assert (await desk.close_it()).answer is not None
        assert desk.held() == D("0.1")
        again = await desk.close_it()
        assert again.outcome is C.SENT
        assert desk.held() == 0
        await desk.wait(10)
        assert await resolve_unknown(desk.ports) == []

    play(tmp_path, story, trades_in=PERPETUAL)


def test_a_close_that_did_arrive_is_not_doubled_by_the_second(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.buy("0.1")
        desk.venue.fates.append(Sent.ANSWER_LOST)
        await desk.close_it()
        await desk.close_it()
        await resolve_unknown(desk.ports)
        assert desk.held() == 0

    play(tmp_path, story, trades_in=PERPETUAL)


@pytest.mark.parametrize("of", [SPOT, PERPETUAL], ids=["spot", "a perpetual whose venue does not enforce it"])
def test_beside_a_close_of_unknown_fate_nothing_is_sent_where_both_could_fill(tmp_path: Path, of: Instrument) -> None:
    async def story(desk: Desk) -> None:
        desk.venue.facts_said = replace(desk.venue.facts, reduce_only=False)
        await desk.buy("0.1")
        desk.venue.fates.append(Sent.REQUEST_LOST)
        await desk.close_it()
        assert (await desk.close_it()).outcome is C.UNDER_WAY
        assert len(desk.venue.placed) == 1
        await desk.wait(10)
        assert await resolve_unknown(desk.ports) == []
        await desk.quote("50000")
        assert (await desk.close_it()).outcome is C.SENT
        assert desk.held() == 0

    play(tmp_path, story, trades_in=of)


def test_a_close_that_the_venue_rejects_can_be_tried_again_in_the_same_episode(tmp_path: Path) -> None:
    """G6: each try is an intent of its own."""

    async def story(desk: Desk) -> None:
        await desk.buy("0.1")
        desk.venue.fates.extend([Sent.REJECTED, Sent.NOT_SENT])
        outcomes = [(await desk.close_it("one")).outcome for _ in range(3)]
        assert outcomes == [C.REFUSED, C.REFUSED, C.SENT]
        assert desk.held() == 0
        assert desk.rows("SELECT intent_key FROM orders WHERE closes = 1") == [
            (f"close:{MAIN}:{PERPETUAL.id}:0:one:{attempt}",) for attempt in (1, 2, 3)
        ]

    play(tmp_path, story, trades_in=PERPETUAL)


@pytest.mark.parametrize("more", ["0", "0.1"], ids=["the same size", "another size"])
def test_after_a_restart_the_attempts_of_before_answer_for_themselves(tmp_path: Path, more: str) -> None:
    async def story(desk: Desk) -> None:
        await desk.buy("0.1")
        desk.venue.fates.extend([Sent.REJECTED, Sent.REJECTED])
        await desk.close_it("one")
        await desk.close_it("one")
        if D(more):
            await desk.buy(more)
        desk.die()
        assert (await desk.start()).may_open
        await desk.quote("50000")
        assert (await desk.close_it("one")).outcome is C.SENT
        assert desk.held() == 0
        assert desk.rows("SELECT count(*) FROM orders WHERE closes = 1") == [(3,)]

    play(tmp_path, story, trades_in=PERPETUAL)


def test_a_close_that_the_gate_refuses_is_told(tmp_path: Path) -> None:
    """The gate judges in the unit: what was open when the close was sized is gone when it is asked."""

    async def story(desk: Desk) -> None:
        await desk.buy("0.1")
        position = desk.position()
        assert position is not None
        person, guard = await asyncio.gather(
            desk.sell("0.1", reduce_only=True),
            close_position(desk.ports, position, episode="e", triggered_by="guard:x"),
        )
        assert person.approved
        assert (guard.outcome, guard.is_done) == (C.REFUSED, False)
        assert desk.held() == 0

    play(tmp_path, story, trades_in=PERPETUAL, delay=0.01)


def test_only_a_reused_key_is_taken_for_an_earlier_attempt(tmp_path: Path) -> None:
    """Any other refusal would make the count of attempts run for ever."""

    async def story(desk: Desk) -> None:
        intent = replace(desk.intent(Side.SELL, "0.1"), account_id=AccountId(2))
        with pytest.raises(CommandRefused, match="account_unknown"):
            await _place_unless_tried(desk.ports, intent)

    play(tmp_path, story)


def test_an_order_that_ended_between_the_list_and_the_word_is_no_failure(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.buy("0.1", price="49000")
        (order,) = desk.live()
        assert [ended.state for ended in await _cancel(desk.ports, [order, order], "user:1")] == [S.CANCELED]

    play(tmp_path, story)


def test_on_spot_a_resting_order_to_sell_is_taken_back_before_its_coins_are_sold(tmp_path: Path) -> None:
    """Law 6: closing is never blocked by a resting stop, which locks the coins at the venue."""

    async def story(desk: Desk) -> None:
        await desk.buy("0.1")
        target = await desk.sell("0.1", price="51000")
        assert target.approved
        closed = await desk.close_it()
        assert closed.answer is not None
        assert closed.answer.order is not None
        assert closed.answer.order.state is S.FILLED, closed.answer.order.reason
        assert (desk.held(), desk.live()) == (D(0), [])

    play(tmp_path, story)


def test_on_spot_a_resting_order_that_cannot_be_taken_back_does_not_stop_the_try(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.buy("0.2")
        await desk.sell("0.1", price="51000")
        desk.venue.cancel_fails = TryAgain("no connection")
        assert (await desk.close_it()).outcome is C.SENT
        desk.venue.cancel_fails = None
        assert (await desk.close_it()).outcome is C.SENT
        assert desk.held() == 0

    play(tmp_path, story)


# Flatten --------------------------------------------------------------------------------------------------------------


@BOTH
def test_flatten_stops_opening_takes_back_what_waits_closes_and_says_flat(tmp_path: Path, of: Instrument) -> None:
    async def story(desk: Desk) -> None:
        await desk.buy("0.1")
        await desk.buy("0.1", price="49000")
        report = await flatten_now(desk)
        assert report.is_flat
        assert [result.outcome for result in report.results] == [C.FLAT]
        assert (desk.held(), desk.live()) == (D(0), [])
        halt = desk.ports.books.hot.get(keys.halt(Scope.ACCOUNT, ACCOUNT, MANUAL))
        assert (halt.state, halt.latched, halt.reason) == (T.REDUCE_ONLY, True, "enough")
        assert not (await desk.buy("0.1")).approved
        again = await flatten_now(desk)
        assert (again.is_flat, again.results) == (True, ())

    play(tmp_path, story, trades_in=of)


def test_flatten_leaves_no_order_behind_that_protected_what_is_gone(tmp_path: Path) -> None:
    """A venue that enforces reduce-only closes first and takes the protection back after."""

    async def story(desk: Desk) -> None:
        await desk.buy("0.1")
        stop = await desk.sell("0.1", stop="49000", reduce_only=True)
        assert stop.approved
        assert (await flatten_now(desk)).is_flat
        assert desk.live() == []

    play(tmp_path, story, trades_in=PERPETUAL)


def test_one_position_that_cannot_be_closed_does_not_save_the_others(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.quote("50000", of=SPOT)
        await desk.buy("0.1")
        await book(desk.ports, [a_fill_elsewhere(desk, Side.BUY, "0.1", SPOT)])
        await desk.quote("50000", of=SPOT)
        desk.venue.fates.append(Sent.ADAPTER_BREAKS)
        report = await flatten_now(desk)
        assert not report.is_flat
        assert len(report.failures) == 1
        assert "in words we do not know" in report.failures[0]
        assert len(report.results) == 1
        await resolve_unknown(desk.ports)
        assert desk.held() == 0

    play(tmp_path, story, trades_in=PERPETUAL)


def test_flatten_names_what_it_could_not_cancel_and_closes_all_the_same(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.buy("0.1")
        await desk.buy("0.1", price="49000")
        stop = await desk.sell("0.1", stop="49000", reduce_only=True)
        assert stop.approved
        desk.venue.cancel_fails = TryAgain("no connection")
        report = await flatten_now(desk)
        assert report.failures[:2] == ("no connection", "no connection")
        assert "is NEW and could still open" in report.failures[2]
        assert not report.is_flat
        assert desk.held() == 0

    play(tmp_path, story, trades_in=PERPETUAL)


def test_flatten_reports_what_it_closed_although_other_news_could_not_be_booked(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        from plimsoll.desk.book_trades import hear
        from plimsoll.model.ids import InstrumentId

        await desk.buy("0.1")
        unbookable = replace(a_fill_elsewhere(desk, Side.BUY, "1", PERPETUAL), instrument_id=InstrumentId(77))
        desk.ports.spawn(hear(desk.ports, [unbookable]))
        report = await flatten_now(desk)
        assert len(report.failures) == 1
        assert [result.outcome for result in report.results] == [C.FLAT]

    play(tmp_path, story, trades_in=PERPETUAL)


def test_a_close_that_waits_for_the_next_price_is_not_called_flat(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        from plimsoll.model.quote import Moment

        await desk.buy("0.1")
        await desk.wait(1)
        await desk.quote("50000", moment=Moment.CLOSE)
        first = await flatten_now(desk)
        assert [result.outcome for result in first.results] == [C.SENT]
        assert not first.is_flat
        second = await flatten_now(desk)
        assert [result.outcome for result in second.results] == [C.UNDER_WAY]
        await desk.quote("50000")
        assert (desk.held(), (await flatten_now(desk)).is_flat) == (D(0), True)

    play(tmp_path, story, trades_in=PERPETUAL)


def test_flatten_does_not_loosen_a_stricter_halt(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await set_state(desk.ports, manual(T.HALTED), "user:1")
        await flatten_now(desk)
        assert desk.ports.books.hot.get(keys.halt(Scope.ACCOUNT, ACCOUNT, MANUAL)).state is T.HALTED

    play(tmp_path, story)


# Halts ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", list(T))
@pytest.mark.parametrize("by", ["manual", "bot:7", "guard:drawdown"])
@BOTH
def test_a_reduce_only_close_passes_in_every_state_and_an_opening_only_when_active(
    tmp_path: Path, state: TradingState, by: str, of: Instrument
) -> None:
    async def story(desk: Desk) -> None:
        await desk.buy("0.2")
        await set_state(desk.ports, manual(state), "user:1")
        assert (await desk.buy("0.1", by=by)).approved is (state is T.ACTIVE)
        closed = await desk.sell("0.1", reduce_only=of.is_derivative, by=by)
        assert closed.approved, closed.checks_json

    play(tmp_path, story, trades_in=of)


def test_a_close_passes_blind_unreconciled_stale_late_and_over_every_limit(tmp_path: Path) -> None:
    """Law 6, I14: nothing that binds an opening binds what only reduces."""

    async def story(desk: Desk) -> None:
        await desk.buy("0.2")
        desk.ports.reconciled = False
        await desk.wait(3600)
        made_at = desk.clock.now() - timedelta(hours=1)
        desk.venue.fates.append(Sent.REQUEST_LOST)
        assert (await desk.sell("0.1", reduce_only=True, made_at=made_at)).approved
        assert (await desk.sell("0.1", reduce_only=True, made_at=made_at)).approved

    play(tmp_path, story, trades_in=PERPETUAL)


def test_the_strictest_of_several_halts_rules_and_each_source_lifts_its_own(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await set_state(desk.ports, manual(T.REDUCE_ONLY), "user:1")
        await set_state(desk.ports, Halt(Scope.USER, 1, "admin", T.CANCEL_ONLY, "audit"), "user:2")
        assert "CANCEL_ONLY, set by admin" in (await desk.buy("0.1")).checks_json
        await lift(desk.ports, MANUAL, "user:1")
        assert "CANCEL_ONLY" in (await desk.buy("0.1")).checks_json
        with pytest.raises(CommandRefused, match="no_such_halt"):
            await lift(desk.ports, MANUAL, "user:1")
        await set_state(desk.ports, Halt(Scope.USER, 1, "admin", T.ACTIVE, "done"), "user:2")
        assert (await desk.buy("0.1")).approved

    play(tmp_path, story)


def test_a_halt_that_is_in_force_already_is_not_written_again(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await set_state(desk.ports, manual(T.REDUCE_ONLY), "user:1")
        before = desk.everything()
        await set_state(desk.ports, manual(T.REDUCE_ONLY), "user:1")
        assert desk.everything() == before

    play(tmp_path, story)


def test_a_halt_survives_a_restart(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await set_state(desk.ports, manual(T.CANCEL_ONLY), "user:1")
        desk.die()
        await desk.start()
        await desk.quote("50000")
        assert "CANCEL_ONLY" in (await desk.buy("0.1")).checks_json

    play(tmp_path, story)


def test_halted_by_hand_takes_back_what_waits_except_what_protects(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.buy("0.1")
        waits = await desk.buy("0.1", price="49000")
        stop = await desk.sell("0.1", stop="49000", reduce_only=True)
        first = await stop_trading(desk.ports, T.CANCEL_ONLY, actor="user:1", reason="test")
        assert (first.cancelled, len(desk.live())) == ((), 2)
        report = await stop_trading(desk.ports, T.HALTED, actor="user:1", reason="test")
        assert (report.cancelled, report.failures) == ((waits.client_order_id,), ())
        assert [order.client_order_id for order in desk.live()] == [stop.client_order_id]
        with pytest.raises(CommandRefused, match="stricter_in_force"):
            await stop_trading(desk.ports, T.REDUCE_ONLY, actor="user:1", reason="test")

    play(tmp_path, story, trades_in=PERPETUAL)


def test_a_halt_is_in_force_although_an_order_could_not_be_taken_back(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.buy("0.1", price="49000")
        desk.venue.cancel_fails = TryAgain("no connection")
        report = await stop_trading(desk.ports, T.HALTED, actor="user:1", reason="test")
        assert (report.cancelled, report.failures) == ((), ("no connection",))
        assert "HALTED" in (await desk.buy("0.1")).checks_json

    play(tmp_path, story)


def test_the_halt_of_a_guard_is_not_lifted_behind_its_back(tmp_path: Path) -> None:
    """A guard that is shut looks at nothing: letting orders through beside it would leave them unguarded."""

    async def story(desk: Desk) -> None:
        await desk.buy("1")
        for price, after in (("30000", 0), ("30000", 3), ("30000", 10), ("30000", 3)):
            await desk.look(price, after=after)
        with pytest.raises(CommandRefused, match="halt_of_guard"):
            await lift(desk.ports, "guard:drawdown", "user:1")

    play(tmp_path, story)


def test_the_standard_profile_is_what_these_tests_rest_on() -> None:
    assert (STANDARD.max_order_value, STANDARD.min_order_value) == (None, D(10))


def test_a_close_that_the_venue_refused_is_not_told_as_sent(tmp_path: Path) -> None:
    """The gate passed it, the venue said no: it is refused, and the position is still open."""

    async def story(desk: Desk) -> None:
        await desk.quote("50000")
        await desk.buy("0.1")
        desk.venue.fates.append(Sent.REJECTED)
        closed = await desk.close_it()
        assert closed.outcome is C.REFUSED
        assert desk.held() == D("0.1")
        again = await desk.close_it()
        assert again.outcome is C.SENT
        assert desk.held() == D(0)

    play(tmp_path, story)
