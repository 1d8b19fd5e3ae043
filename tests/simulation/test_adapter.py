"""The adapter keeps the contract of all venues, and believes no more than what the exchange documents."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from plimsoll.model.errors import CallHuman, TryAgain, UnknownOutcome, Wait, WorldFailure
from plimsoll.model.ids import AccountId
from plimsoll.model.order import LONG, SHORT, OrderState, Side
from plimsoll.venues.protocol import OrderNotFound, OrderRejected
from tests.builders.approved import ACCOUNT, approved, id_of
from tests.simulation.adapter.errors import (
    DEFINITIVE,
    failure_of_cancel,
    failure_of_order,
    failure_of_question,
    read_no,
)
from tests.simulation.adapter.scene import KEY, D, Scene, at, personality_with, play
from tests.simulation.adapter.venue import facts_of
from tests.simulation.exchange.personality import Paging
from tests.simulation.hours.weather import Fault
from tests.venues.contract import Scene as ContractScene
from tests.venues.contract import Story, Tell, VenueContract

POST, DELETE, LOOK_UP = "request POST /order", "request DELETE /order", "request GET /order"


@pytest.fixture(params=list(Paging))
def tell(request: pytest.FixtureRequest) -> Tell:
    paging: Paging = request.param

    def run(story: Story) -> None:
        play(story, personality_with(paging=paging, page_size=3))

    return run


class TestSimVenue(VenueContract):
    """Run the acceptance list."""

    def test_reduce_only_never_adds(self, tell: Tell) -> None:
        """A reduce-only order is refused where it would open, and cut where it would turn the position around."""

        async def story(scene: ContractScene) -> None:
            with pytest.raises(OrderRejected) as refused:
                await scene.venue.place(approved("a", Side.SELL, "0.1", scene.perpetual, reduce_only=True))
            assert refused.value.code == "reduce_only"
            await scene.venue.place(approved("b", Side.BUY, "0.1", scene.perpetual))
            cut = await scene.venue.place(approved("d", Side.SELL, "0.3", scene.perpetual, reduce_only=True))
            # What cannot be filled of it expires here; elsewhere it is canceled.
            assert (cut.order.state, cut.order.filled_quantity) == (OrderState.EXPIRED, D("0.1"))
            assert (await scene.venue.account(ACCOUNT)).positions == ()

        tell(story)


# ------------------------------------------------------------------------------------------------- what a no means


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 409, 500, 502, 503, 504])
@pytest.mark.parametrize("code", [None, -1, -1003, -1006, -1007, -1008, -2010, -2015, -4111, -9999, True, "-2010"])
def test_every_code_that_is_not_in_the_table_is_an_unknown_outcome(status: int, code: object) -> None:
    """Of an order and of a cancel; a question is only asked again."""
    no = read_no(status, {"code": code, "msg": "words"})
    if type(code) is int and (status, code) in DEFINITIVE:
        return  # the next test's
    assert isinstance(failure_of_order(no), UnknownOutcome)
    assert isinstance(failure_of_cancel(no), UnknownOutcome)
    assert isinstance(failure_of_question(no), TryAgain)


def test_a_definitive_no_is_told_as_what_it_is() -> None:
    """Refused, not found, not now, not you: each in the class that says what to do next."""
    of_order = {key: type(failure_of_order(read_no(key[0], {"code": key[1]}))) for key in DEFINITIVE}
    assert of_order == {
        (400, -2010): OrderRejected,
        (400, -2022): OrderRejected,
        (400, -1013): OrderRejected,
        # Looked up before this is asked.
        (400, -4111): UnknownOutcome,
        (400, -1021): OrderRejected,
        # To a new order these are no answer.
        (400, -2011): UnknownOutcome,
        (400, -2013): UnknownOutcome,
        (401, -2015): CallHuman,
        (503, -1008): OrderRejected,
    }
    of_cancel = {key[1]: type(failure_of_cancel(read_no(key[0], {"code": key[1]}))) for key in DEFINITIVE}
    assert of_cancel[-2011] is of_cancel[-2013] is OrderNotFound
    assert of_cancel[-1008] is of_cancel[-1021] is TryAgain
    assert of_cancel[-2015] is CallHuman


@pytest.mark.parametrize(
    ("told", "seconds"), [("1.5", 1.5), (30, 30), (None, 60), ("soon", 60), ("NaN", 60), ("-1", 60), ("1e99", 60)]
)
def test_how_long_to_wait_is_read_or_taken_long(told: object, seconds: float) -> None:
    """A time that cannot be read, or is none, is a minute."""
    for status in (418, 429):
        no = read_no(status, {"retryAfter": told})
        waits = [failure(no) for failure in (failure_of_order, failure_of_cancel, failure_of_question)]
        assert [wait.retry_after for wait in waits if isinstance(wait, Wait)] == [timedelta(seconds=seconds)] * 3


# --------------------------------------------------------------------------------------------- an order on its way


@pytest.mark.parametrize("passing", range(1, 8))
@pytest.mark.parametrize("amount", [0.0, 0.9])
def test_an_answer_that_nobody_understands_is_an_unknown_outcome(passing: int, amount: float) -> None:
    """Whether it was carried out or not, and whichever garbage comes back; the order is there exactly if it was."""

    async def story(scene: Scene) -> None:
        for number in range(1, passing):
            await scene.venue.place(approved(f"{number}", Side.BUY, "0.001", scene.spot))
        with pytest.raises(UnknownOutcome):
            await scene.venue.place(approved("a", Side.BUY, "0.01", scene.spot))
        assert scene.exchange.truth(KEY).accepted[id_of("a")] == (1 if amount < 0.5 else 0)

    play(story, struck=[at(POST, Fault.GARBLED, amount, passing)])


@pytest.mark.parametrize(
    ("fault", "passing", "raised", "accepted"),
    [
        (Fault.LOST, 1, UnknownOutcome, 0),
        (Fault.LOST, 2, TryAgain, 0),
        (Fault.LOST, 3, UnknownOutcome, 0),
        (Fault.UNANSWERED, 1, UnknownOutcome, 1),
        (Fault.UNANSWERED, 2, UnknownOutcome, 1),
        (Fault.REFUSED, 1, OrderRejected, 0),
        (Fault.LIMITED, 1, Wait, 0),
        (Fault.BANNED, 1, Wait, 0),
    ],
)
def test_what_the_net_does_to_an_order(fault: Fault, passing: int, raised: type[Exception], accepted: int) -> None:
    """Only what certainly did not leave, or was certainly refused, is said to have failed."""

    async def story(scene: Scene) -> None:
        for number in range(1, passing):
            await scene.venue.place(approved(f"{number}", Side.BUY, "0.001", scene.spot))
        with pytest.raises(raised):
            await scene.venue.place(approved("a", Side.BUY, "0.01", scene.spot))
        assert scene.exchange.truth(KEY).accepted[id_of("a")] == accepted
        sent = [what for _when, what in scene.asked if what == "POST /order"]
        assert len(sent) == passing

    play(story, struck=[at(POST, fault, 2, passing)])


@pytest.mark.parametrize("window", [1.0, 5.0, None])
def test_an_order_that_arrives_too_late_is_refused(window: float | None) -> None:
    """A request given up on never lives longer than the exchange says that one can."""
    personality = personality_with(recv_window_seconds=window)
    bound = facts_of(personality).late_arrival_bound.total_seconds()

    async def story(scene: Scene) -> None:
        for key, late in (("a", bound - 0.5), ("b", bound + 0.5)):
            with pytest.raises(UnknownOutcome):
                await scene.venue.place(approved(key, Side.BUY, "0.01", scene.spot))
            await asyncio.sleep(late)
        accepted = scene.exchange.truth(KEY).accepted
        assert (accepted[id_of("a")], accepted[id_of("b")]) == (1, 0)

    late = [at(POST, Fault.LATE, bound - 0.5, 1), at(POST, Fault.LATE, bound + 0.5, 2)]
    play(story, personality, late)


@pytest.mark.parametrize("step", [-300, -10, -1, 1, 10, 300])
def test_a_clock_that_is_set_changes_nothing(step: float) -> None:
    """Requests are dated by the stopwatch, so neither an offset nor a step makes one live longer or be refused."""

    async def story(scene: Scene) -> None:
        scene.clock.skew += timedelta(seconds=step)
        await scene.venue.place(approved("a", Side.BUY, "0.01", scene.spot))
        scene.clock.skew -= timedelta(seconds=2 * step)
        await scene.venue.place(approved("b", Side.BUY, "0.01", scene.spot))
        with pytest.raises(UnknownOutcome):
            await scene.venue.place(approved("late", Side.BUY, "0.01", scene.spot))
        await asyncio.sleep(20)
        assert scene.exchange.truth(KEY).accepted == {id_of("a"): 1, id_of("b"): 1}

    play(story, struck=[at(POST, Fault.LATE, 6, 3)])


def test_an_order_that_cannot_be_dated_is_not_sent() -> None:
    """Where no answer bounds the exchange's time closely enough, nothing leaves, and the next attempt asks again."""

    async def story(scene: Scene) -> None:
        with pytest.raises(TryAgain, match="not sent"):
            await scene.venue.place(approved("a", Side.BUY, "0.01", scene.spot))
        assert "POST /order" not in [what for _when, what in scene.asked]
        placed = await scene.venue.place(approved("a", Side.BUY, "0.01", scene.spot))
        assert placed.order.state is OrderState.FILLED

    play(story, struck=[at("request GET /time", Fault.SLOW, 2.0, 1)])


def test_an_answer_that_took_long_is_still_an_order() -> None:
    """A slow way there or back within the five seconds changes nothing but the hour."""

    async def story(scene: Scene) -> None:
        for key in ("a", "b"):
            placed = await scene.venue.place(approved(key, Side.BUY, "0.01", scene.spot))
            assert placed.order.state is OrderState.FILLED

    slow = [at(POST, Fault.SLOW, 3, 1), at(POST, Fault.SLOW, 3, 2)]
    play(story, struck=slow)


def test_an_order_with_other_words_than_the_exchange_has_is_refused_before_it_leaves() -> None:
    """It knows no post-only: sent as a plain limit, the order would take."""

    async def story(scene: Scene) -> None:
        with pytest.raises(OrderRejected):
            await scene.venue.place(approved("a", Side.BUY, "0.01", scene.spot, price="49000", post_only=True))
        assert scene.asked == []

    play(story)


def test_another_account_is_never_asked_about() -> None:
    """A line belongs to one account."""

    async def story(scene: Scene) -> None:
        other = AccountId(ACCOUNT + 1)
        with pytest.raises(LookupError):
            await scene.venue.account(other)
        with pytest.raises(LookupError):
            await scene.venue.place(approved("a", Side.BUY, "0.01", scene.spot, account_id=other))
        with pytest.raises(LookupError):
            scene.venue.listen(other, scene.heard.extend)
        assert scene.asked == []

    play(story)


def test_a_duplicate_that_is_our_own_order_is_told_as_that() -> None:
    """An id that is taken is no proof that nothing rests: the order is looked up; what cannot be seen is unknown."""

    async def story(scene: Scene) -> None:
        order = approved("a", Side.BUY, "0.01", scene.spot, price="49000")
        with pytest.raises(UnknownOutcome):
            await scene.venue.place(order)
        with pytest.raises(UnknownOutcome, match="could not be seen"):
            await scene.venue.place(order)
        await asyncio.sleep(21)
        again = await scene.venue.place(order)
        assert (again.order.state, again.trades) == (OrderState.NEW, ())
        assert scene.exchange.truth(KEY).accepted == {id_of("a"): 1}

    # The order stays invisible for long enough: whatever is drawn of the lag, the look-up comes within a second.
    slow_to_show = personality_with(lookup_lag_seconds=20.0)
    play(story, slow_to_show, [at(POST, Fault.UNANSWERED, 0, 1)])


# --------------------------------------------------------------------------------------------------- legs and flags


def test_a_close_goes_to_the_leg_that_it_closes() -> None:
    """Where a long and a short stand beside each other, the order says which of them it changes."""

    async def story(scene: Scene) -> None:
        await scene.venue.place(approved("a", Side.BUY, "0.02", scene.perpetual, leg=LONG))
        await scene.venue.place(approved("b", Side.SELL, "0.01", scene.perpetual, leg=SHORT))
        legs = {one.leg: one.quantity for one in (await scene.venue.account(ACCOUNT)).positions}
        assert legs == {"LONG": D("0.02"), "SHORT": D("-0.01")}
        await scene.venue.place(approved("c", Side.SELL, "0.02", scene.perpetual, reduce_only=True, leg=LONG))
        last = approved("d", Side.BUY, "0.01", scene.perpetual, reduce_only=True, leg=SHORT)
        closed = await scene.venue.place(last)
        assert [trade.leg for trade in closed.trades] == [closed.order.leg] == [SHORT]
        assert (await scene.venue.account(ACCOUNT)).positions == ()

    play(story, personality_with(hedging=True))


def test_a_venue_without_the_flag_is_not_asked_for_it() -> None:
    """It would refuse the close; the facts say that nobody there keeps it from opening."""

    async def story(scene: Scene) -> None:
        assert not scene.venue.facts.reduce_only
        await scene.venue.place(approved("a", Side.BUY, "0.02", scene.perpetual))
        await scene.venue.place(approved("b", Side.SELL, "0.02", scene.perpetual, reduce_only=True))
        assert (await scene.venue.account(ACCOUNT)).positions == ()

    play(story, personality_with(reduce_only=False))


def test_a_bare_answer_says_only_that_it_was_taken() -> None:
    """Its fills are in the history, each once."""

    async def story(scene: Scene) -> None:
        placed = await scene.venue.place(approved("a", Side.BUY, "0.01", scene.spot))
        assert (placed.order.state, placed.trades) == (OrderState.NEW, ())
        (trade,) = (await scene.venue.trades_since(ACCOUNT, 0)).trades
        assert (trade.client_order_id, trade.quantity) == (id_of("a"), D("0.01"))

    play(story, personality_with(bare_answers=True))


def test_a_cancel_after_a_start_finds_the_order_in_its_market() -> None:
    """Nobody remembers where it was sent: every market is asked before it is said to be unknown."""

    async def story(scene: Scene) -> None:
        await scene.venue.place(approved("a", Side.BUY, "0.01", scene.perpetual, price="40000"))
        await scene.restart()
        assert (await scene.venue.order(ACCOUNT, id_of("a"))).instrument_id == scene.perpetual.id
        assert (await scene.venue.cancel(ACCOUNT, id_of("a"))).state is OrderState.CANCELED
        with pytest.raises(OrderNotFound):
            await scene.venue.cancel(ACCOUNT, id_of("b"))

    play(story)


@pytest.mark.parametrize("fault", [Fault.UNANSWERED, Fault.LOST])
def test_a_cancel_without_an_answer_is_unknown(fault: Fault) -> None:
    """It may have ended; asked about, the order says which."""

    async def story(scene: Scene) -> None:
        await scene.venue.place(approved("a", Side.BUY, "0.01", scene.spot, price="40000"))
        with pytest.raises(UnknownOutcome):
            await scene.venue.cancel(ACCOUNT, id_of("a"))
        ended = (await scene.venue.order(ACCOUNT, id_of("a"))).state
        assert ended is (OrderState.CANCELED if fault is Fault.UNANSWERED else OrderState.NEW)

    play(story, struck=[at(DELETE, fault)])


# -------------------------------------------------------------------------------------------------------- questions


def test_a_question_is_asked_again_and_a_no_is_not() -> None:
    """Lost, garbled and late answers cost an attempt each; "not found" is an answer."""

    async def story(scene: Scene) -> None:
        await scene.venue.account(ACCOUNT)
        assert [what for _when, what in scene.asked] == ["GET /account"] * 3
        scene.asked.clear()
        with pytest.raises(TryAgain):
            await scene.venue.open_orders(ACCOUNT)
        assert [what for _when, what in scene.asked] == ["GET /openOrders"] * 3
        scene.asked.clear()
        with pytest.raises(OrderNotFound):
            await scene.venue.order(ACCOUNT, id_of("a"))
        assert [what for _when, what in scene.asked] == ["GET /order"] * 2

    lost = [at("request GET /account", Fault.LOST, 0, 1), at("request GET /account", Fault.GARBLED, 0, 2)]
    lost += [at("request GET /openOrders", Fault.UNANSWERED, 0, passing) for passing in (1, 2, 3)]
    play(story, struck=lost)


@pytest.mark.parametrize("passing", range(1, 8))
def test_no_garbage_is_an_answer_to_a_question(passing: int) -> None:
    """An account that cannot be read is asked for again, and never empty."""

    async def story(scene: Scene) -> None:
        for _ in range(passing):
            account = await scene.venue.account(ACCOUNT)
            assert [balance.total for balance in account.balances] == [D(10_000)]

    play(story, struck=[at("request GET /account", Fault.GARBLED, 0, passing)])


@pytest.mark.parametrize("fault", [Fault.BANNED, Fault.LIMITED])
def test_no_request_leaves_while_the_exchange_wants_patience(fault: Fault) -> None:
    """Whatever is wanted meanwhile is refused here, an order as certainly not sent; afterwards all is well."""

    async def story(scene: Scene) -> None:
        with pytest.raises(Wait) as told:
            await scene.venue.account(ACCOUNT)
        assert told.value.retry_after == timedelta(seconds=90)
        began = scene.loop.time()
        scene.asked.clear()
        while scene.loop.time() < began + 89:
            for attempt in (
                scene.venue.place(approved("a", Side.BUY, "0.01", scene.spot)),
                scene.venue.cancel(ACCOUNT, id_of("a")),
                scene.venue.trades_since(ACCOUNT, 0),
                scene.venue.equity(ACCOUNT),
            ):
                with pytest.raises(WorldFailure) as refused:
                    await attempt
                assert isinstance(refused.value, Wait)
            await asyncio.sleep(7)
        assert scene.asked == []
        await asyncio.sleep(began + 90 - scene.loop.time())
        await scene.venue.place(approved("a", Side.BUY, "0.01", scene.spot))

    scene = play(story, struck=[at("request GET /account", fault, 90)])
    assert scene.address.impatient == []


def test_who_asks_too_much_keeps_a_part_for_what_reduces_risk() -> None:
    """Questions and new orders stop at four fifths; a cancel and a close still leave."""

    async def story(scene: Scene) -> None:
        await scene.venue.place(approved("a", Side.BUY, "0.02", scene.perpetual))
        await scene.venue.place(approved("b", Side.BUY, "0.01", scene.spot, price="40000"))

        questions = [asyncio.create_task(scene.venue.equity(ACCOUNT)) for _ in range(800)]
        await asyncio.sleep(0)
        with pytest.raises(Wait):
            await scene.venue.place(approved("c", Side.BUY, "0.01", scene.spot))
        await scene.venue.cancel(ACCOUNT, id_of("b"))
        await scene.venue.place(approved("d", Side.SELL, "0.02", scene.perpetual, reduce_only=True))
        ended = await asyncio.gather(*questions, return_exceptions=True)
        assert Counter(type(one) for one in ended).keys() == {D, Wait}

    scene = play(story)
    assert scene.address.impatient == []
