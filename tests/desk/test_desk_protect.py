"""The drawdown guard on a living account: quotes come in, the guard looks, the position goes, the account stays shut.

An account of 100,000 that bought 1.9 BTC at 50,000 loses 15 % at 42,105 and 20 % at 39,473.
"""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from plimsoll.desk.halt import MANUAL, set_state
from plimsoll.desk.open_account import deposit
from plimsoll.desk.protect import SOURCE
from plimsoll.desk.reconcile_account import reconcile_account
from plimsoll.desk.resolve_unknown import resolve_unknown
from plimsoll.ledger import guarding, keys
from plimsoll.model.account import Halt, Scope, TradingState
from plimsoll.model.errors import CommandRefused
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import OrderState
from plimsoll.model.quote import Moment, Quote
from plimsoll.risk.guards.drawdown import GuardStatus
from plimsoll.risk.guards.reading import Blind, Reading
from tests.builders.desk import ACCOUNT, Desk, Sent, play
from tests.builders.paper import PERPETUAL, SPOT

D = Decimal
G = GuardStatus
BOTH = pytest.mark.parametrize("of", [SPOT, PERPETUAL], ids=["spot", "perpetual"])
#: (below 15 %, at 20 %, back below 18 %)
WARNING, CRITICAL, BETTER = "42000", "39000", "41500"


def state(desk: Desk) -> TradingState:
    halt: Halt | None = desk.ports.books.hot.get(keys.halt(Scope.ACCOUNT, ACCOUNT, SOURCE))
    return TradingState.ACTIVE if halt is None else halt.state


def equity_of(desk: Desk) -> Decimal:
    reading = desk.guard.last
    assert isinstance(reading, Reading), reading
    return reading.equity


async def bought(desk: Desk) -> None:
    assert (await desk.buy("1.9")).approved
    await desk.look("50000")


async def in_countdown(desk: Desk) -> None:
    """Two looks three seconds apart, both at 22 %."""
    await bought(desk)
    await desk.look(CRITICAL, after=1)
    await desk.look(CRITICAL, after=3)
    assert desk.guard.episode.status is G.COUNTDOWN


async def quotes(desk: Desk, price: str, seconds: int) -> None:
    """Quote every second, and let nobody but the guard's own watch look."""
    for _ in range(seconds):
        await desk.wait(1)
        await desk.quote(price)
    await desk.wait(0.1)  # whoever acts on the last of them has acted


@BOTH
def test_warning_countdown_close_flat_latch_lift(tmp_path: Path, of: Instrument) -> None:
    """SPEC §9 from the first doubt to the person who opens the account again."""

    async def story(desk: Desk) -> None:
        await bought(desk)
        await desk.look(WARNING, after=1)
        assert (desk.guard.episode.status, state(desk)) == (G.CALM, TradingState.ACTIVE), "one quote confirms nothing"
        await desk.look(WARNING, after=2)
        assert (desk.guard.episode.status, state(desk)) == (G.WARNED, TradingState.REDUCE_ONLY)
        assert "REDUCE_ONLY, set by guard:drawdown" in (await desk.buy("0.01")).checks_json
        await desk.look(CRITICAL, after=1)
        await desk.look(CRITICAL, after=2)
        assert desk.guard.episode.status is G.COUNTDOWN
        await quotes(desk, CRITICAL, 9)
        assert desk.held() == D("1.9"), "nothing is closed before its end"
        await quotes(desk, CRITICAL, 1)
        assert desk.held() == 0
        await quotes(desk, CRITICAL, 3)
        episode = desk.guard.episode
        assert (episode.status, episode.number, episode.closed_count) == (G.LATCHED, 1, 1)
        assert desk.told.words() == ["WARN", "WARN", "START_COUNTDOWN", "CLOSE_ALL", "LATCH"]
        assert desk.rows("SELECT action FROM risk_breaches WHERE action != 'BLOCKED' ORDER BY id") == [
            ("WARNED",), ("WARNED",), ("CLOSED_POSITION",)
        ]  # fmt: skip
        assert desk.rows("SELECT triggered_by FROM trades ORDER BY id") == [("manual",), (SOURCE,)]

        await quotes(desk, "60000", 1)
        await desk.look("60000", after=1000)
        assert (state(desk), desk.guard.episode.status) == (TradingState.REDUCE_ONLY, G.LATCHED), "only a person"
        await desk.guard.lift("user:1")
        await desk.look("60000")
        reading = desk.guard.last
        assert isinstance(reading, Reading)
        assert (reading.drawdown, state(desk), desk.guard.episode.status) == (D(0), TradingState.ACTIVE, G.CALM)
        nav = guarding.nav_of(desk.ports.books.hot, ACCOUNT)
        assert nav.peak == nav.last < 1, "the peak starts anew from what is left"
        assert (await desk.buy("0.5")).approved

    play(tmp_path, story, trades_in=of)


def test_episodes_are_numbered_through_and_each_closes_anew(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await in_countdown(desk)
        await quotes(desk, CRITICAL, 14)
        await desk.guard.lift("user:1")
        assert (await desk.buy("1.9")).approved
        await desk.look("30000", after=1)
        await desk.look("30000", after=3)
        await quotes(desk, "30000", 14)
        episode = desk.guard.episode
        assert (episode.number, episode.status, desk.held()) == (2, G.LATCHED, D(0))
        assert desk.rows("SELECT count(*) FROM guard_alerts") == [(2,)]

    play(tmp_path, story)


def test_a_countdown_stands_down_when_the_measure_is_back_by_the_hysteresis(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await in_countdown(desk)
        await quotes(desk, BETTER, 14)
        assert (desk.guard.episode.status, desk.held()) == (G.WARNED, D("1.9"))
        assert state(desk) is TradingState.REDUCE_ONLY, "it still stands at 16 %"
        await desk.look("48000", after=301)
        assert desk.guard.episode.status is G.WARNED, "one quote confirms nothing"
        await desk.look("48000", after=2)
        assert (desk.guard.episode.status, state(desk)) == (G.CALM, TradingState.ACTIVE)

    play(tmp_path, story)


def test_a_bad_tick_alone_neither_warns_nor_sets_a_peak(tmp_path: Path) -> None:
    """G1, G2: ×10 for one quote would make every honest price after it a loss of 90 %."""

    async def story(desk: Desk) -> None:
        await bought(desk)
        await desk.look("5000", after=1)
        await desk.look("50000", after=1)
        assert desk.guard.episode.status is G.CALM
        await desk.look("500000", after=3)
        for _ in range(3):
            await desk.look("50000", after=3)
        reading = desk.guard.last
        assert isinstance(reading, Reading)
        assert (reading.peak, reading.drawdown, desk.guard.episode.status) == (D(1), D(0), G.CALM)
        await desk.flush()
        assert guarding.nav_of(desk.ports.books.hot, ACCOUNT).peak == D(1)

    play(tmp_path, story)


def test_a_peak_that_stays_for_two_seconds_is_one_at_the_lowest_that_was_seen(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await bought(desk)
        for price, after in (("60000", 1), ("55000", 1), ("58000", 1.5)):
            await desk.look(price, after=after)
        reading = desk.guard.last
        assert isinstance(reading, Reading)
        assert reading.peak == D("1.095")
        await desk.flush()
        assert guarding.nav_of(desk.ports.books.hot, ACCOUNT).peak == D("1.095")

    play(tmp_path, story)


def test_a_closed_bar_confirms_itself(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        assert (await desk.buy("1.9")).approved
        await desk.wait(1)
        await desk.quote("60000", moment=Moment.CLOSE)
        await desk.guard.look()
        await desk.wait(1)
        await desk.quote("49000", moment=Moment.CLOSE)
        await desk.guard.look()
        reading = desk.guard.last
        assert isinstance(reading, Reading)
        assert (reading.peak, desk.guard.episode.status) == (D("1.19"), G.WARNED)

    play(tmp_path, story)


# Nothing may stop it --------------------------------------------------------------------------------------------------


def test_a_notifier_that_breaks_stops_nothing(tmp_path: Path) -> None:
    """G8, I14: alerts are best effort."""

    async def story(desk: Desk) -> None:
        desk.told.broken = True
        await in_countdown(desk)
        await quotes(desk, CRITICAL, 14)
        assert (desk.guard.episode.status, desk.held()) == (G.LATCHED, D(0))

    play(tmp_path, story)


@pytest.mark.parametrize("fate", [Sent.REJECTED, Sent.NOT_SENT, Sent.REQUEST_LOST, Sent.ANSWER_LOST])
def test_a_close_that_fails_is_tried_again_after_two_seconds(tmp_path: Path, fate: Sent) -> None:
    async def story(desk: Desk) -> None:
        await in_countdown(desk)
        desk.venue.fates.append(fate)
        await quotes(desk, CRITICAL, 10)
        assert (desk.guard.episode.status, desk.held()) == (G.CLOSING, D("1.9"))
        await quotes(desk, CRITICAL, 5)
        await resolve_unknown(desk.ports)
        await quotes(desk, CRITICAL, 5)
        assert (desk.guard.episode.status, desk.held()) == (G.LATCHED, D(0))
        await desk.wait(20)
        assert await resolve_unknown(desk.ports) == []

    play(tmp_path, story, trades_in=PERPETUAL)


def test_a_close_that_breaks_our_adapter_is_tried_again_too(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await in_countdown(desk)
        desk.venue.fates.append(Sent.ADAPTER_BREAKS)
        await quotes(desk, CRITICAL, 14)
        await resolve_unknown(desk.ports)
        await quotes(desk, CRITICAL, 4)
        assert (desk.guard.episode.status, desk.held()) == (G.LATCHED, D(0))

    play(tmp_path, story, trades_in=PERPETUAL)


def test_a_person_who_halted_everything_does_not_stop_it(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await in_countdown(desk)
        halt = Halt(Scope.ACCOUNT, ACCOUNT, MANUAL, TradingState.HALTED, "test")
        await set_state(desk.ports, halt, "user:1")
        await quotes(desk, CRITICAL, 14)
        assert desk.held() == 0

    play(tmp_path, story)


def test_books_that_cannot_be_written_for_a_while_do_not_end_the_watch(tmp_path: Path) -> None:
    """D2, D10: a database that is locked at the deadline; the watch goes on and closes when it is not."""

    async def story(desk: Desk) -> None:
        await in_countdown(desk)
        await desk.wait(9)
        await desk.quote(CRITICAL)
        desk.books.writes_left = 0
        await quotes(desk, CRITICAL, 4)
        assert (desk.guard.episode.status, desk.held()) == (G.COUNTDOWN, D("1.9"))
        desk.books.writes_left = None
        await quotes(desk, CRITICAL, 8)
        assert (desk.guard.episode.status, desk.held()) == (G.LATCHED, D(0))

    play(tmp_path, story)


def test_a_watch_that_died_is_told_once_and_begins_again(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await in_countdown(desk)
        watch = desk.guard._watch
        assert watch is not None
        watch.cancel()
        await asyncio.wait([watch])
        with pytest.raises(asyncio.CancelledError):
            await desk.guard.look()
        await desk.look(CRITICAL)
        await quotes(desk, CRITICAL, 14)
        assert (desk.guard.episode.status, desk.held()) == (G.LATCHED, D(0))

    play(tmp_path, story)


def test_an_order_that_waits_to_open_is_taken_back_before_it_can_fill_behind_the_guard(tmp_path: Path) -> None:
    """G5, G9: a buy that rests below the market fills in the very fall that the guard closes for."""

    async def story(desk: Desk) -> None:
        await bought(desk)
        assert (await desk.buy("0.05", price="48600")).approved
        desk.paper.venue.see(desk.ports.board.quotes()[desk.trades_in.id])
        for _ in range(2):
            await desk.wait(3)
            # The book knows the price and the venue's matching does not, as with an order that rests below it.
            desk.ports.board.put(_quote(desk, CRITICAL))
            desk.paper.venue.see(_quote(desk, CRITICAL))
            await desk.guard.look()
        assert desk.guard.episode.status is G.COUNTDOWN
        for _ in range(14):
            await desk.wait(1)
            desk.ports.board.put(_quote(desk, CRITICAL))
            desk.paper.venue.see(_quote(desk, CRITICAL))
        assert (desk.guard.episode.status, desk.live()) == (G.LATCHED, [])
        await desk.quote("30000")
        assert desk.held() == 0

    play(tmp_path, story, trades_in=PERPETUAL)


def _quote(desk: Desk, price: str) -> Quote:
    return Quote(desk.trades_in.id, desk.clock.now(), D(price), D(price), D(price))


def test_an_opening_order_that_cannot_be_taken_back_keeps_the_guard_from_calling_it_flat(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        from plimsoll.model.errors import TryAgain

        await bought(desk)
        assert (await desk.buy("0.05", price="48600")).approved
        desk.venue.cancel_fails = TryAgain("no connection")
        for _ in range(20):
            await desk.wait(1)
            desk.ports.board.put(_quote(desk, CRITICAL))
            desk.paper.venue.see(_quote(desk, CRITICAL))
            await desk.guard.look()
        assert (desk.guard.episode.status, desk.held()) == (G.CLOSING, D(0))
        desk.venue.cancel_fails = None
        await quotes_seen(desk, 5)
        assert (desk.guard.episode.status, desk.live()) == (G.LATCHED, [])

    play(tmp_path, story, trades_in=PERPETUAL)


async def quotes_seen(desk: Desk, seconds: int) -> None:
    for _ in range(seconds):
        await desk.wait(1)
        desk.ports.board.put(_quote(desk, CRITICAL))
        desk.paper.venue.see(_quote(desk, CRITICAL))


def test_what_protected_the_position_is_taken_back_when_it_is_flat(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await bought(desk)
        assert (await desk.sell("1.9", price="60000", reduce_only=True)).approved
        await desk.look(CRITICAL, after=1)
        await desk.look(CRITICAL, after=3)
        await quotes(desk, CRITICAL, 14)
        assert (desk.guard.episode.status, desk.held(), desk.live()) == (G.LATCHED, D(0), [])

    play(tmp_path, story, trades_in=PERPETUAL)


def test_two_who_look_at_once_take_one_step(tmp_path: Path) -> None:
    """The watch and a quote at the same deadline: one decision, one close, one message."""

    async def story(desk: Desk) -> None:
        await bought(desk)
        await desk.look(CRITICAL, after=1)
        await desk.wait(3)
        await desk.quote(CRITICAL)
        await asyncio.gather(*(desk.guard.look() for _ in range(5)))
        assert desk.told.words() == ["WARN", "START_COUNTDOWN"]
        for _ in range(2):
            await desk.wait(5)
            await desk.quote(CRITICAL)
        await asyncio.gather(*(desk.guard.look() for _ in range(5)))
        assert desk.told.words() == ["WARN", "START_COUNTDOWN", "CLOSE_ALL"]
        await quotes(desk, CRITICAL, 5)
        assert desk.guard.episode.closed_count == 1

    play(tmp_path, story, delay=0.01)


# Blind ----------------------------------------------------------------------------------------------------------------


def test_blind_at_the_deadline_stays_armed_looks_every_second_and_keeps_alerting(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await in_countdown(desk)
        await desk.wait(20)  # no quote: the price is too old
        assert (desk.guard.episode.status, desk.held()) == (G.COUNTDOWN, D("1.9"))
        assert desk.told.words().count("BLIND") >= 9
        await desk.quote(CRITICAL)
        await desk.wait(1)
        assert desk.held() == 0

    play(tmp_path, story)


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("unreconciled", "not been found equal"),
        ("stale", "no price in time for BTC"),
        ("disagrees", "we count 79100, the venue 158200"),
        ("down", "the venue does not answer"),
    ],
)
def test_a_blind_account_neither_warns_nor_closes_and_says_why_once(tmp_path: Path, what: str, why: str) -> None:
    """G1: a failed or doubtful figure is never a loss of everything."""

    async def story(desk: Desk) -> None:
        await bought(desk)
        desk.told.messages.clear()
        for _ in range(5):
            await desk.wait(6 if what == "stale" else 3)
            if what == "stale":
                await desk.guard.look()
                continue
            desk.ports.reconciled = what != "unreconciled"
            desk.venue.equity_factor = D(2) if what == "disagrees" else D(1)
            desk.venue.down = what == "down"
            await desk.look(CRITICAL)
        last = desk.guard.last
        assert isinstance(last, Blind)
        assert why in last.why
        assert (desk.guard.episode.status, state(desk), desk.held()) == (G.CALM, TradingState.ACTIVE, D("1.9"))
        assert desk.told.words() == ["BLIND"]
        desk.venue.down = False
        desk.ports.reconciled = True

    play(tmp_path, story)


async def looks(desk: Desk, seconds: int) -> None:
    for _ in range(seconds):
        await desk.look("50000", after=1)


def test_a_short_doubt_stops_opening_at_once_and_nobody_is_told(tmp_path: Path) -> None:
    """C13: a stream breaks off and is back; who hears of each such moment looks at none of them any more."""

    async def story(desk: Desk) -> None:
        for _ in range(5):
            desk.ports.doubt("the stream lost something")
            await looks(desk, 4)
            assert isinstance(desk.guard.last, Blind)
            assert not (await desk.buy("0.001")).approved
            desk.ports.reconciled = True
            await looks(desk, 11)
            assert (await desk.buy("0.001")).approved
        assert desk.told.messages == []

    play(tmp_path, story)


def test_people_hear_when_blindness_lasts_and_when_that_is_over(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        desk.ports.doubt("the stream lost something")
        await looks(desk, 10)
        assert desk.told.messages == []
        await looks(desk, 20)
        assert desk.told.messages == [("warning", "BLIND: the book has not been found equal to the venue")]
        desk.ports.reconciled = True
        await looks(desk, 5)
        assert desk.told.words() == ["BLIND"], "it may be a moment only"
        assert (await desk.buy("0.001")).approved, "what is seen counts at once"
        await looks(desk, 20)
        assert desk.told.messages[1:] == [("info", "SEES AGAIN: the account can be valued, and its guards act")]

    play(tmp_path, story)


def test_an_empty_account_is_blind_and_not_below_the_least_equity(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.ports.books.write(lambda draft: draft.put(keys.nav(ACCOUNT), None))
        await desk.guard.look()
        assert isinstance(desk.guard.last, Blind)
        assert "nothing was ever deposited" in desk.guard.last.why
        desk.die()
        await desk.start()

    play(tmp_path, story)


def test_nothing_opens_while_the_book_cannot_be_valued(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await bought(desk)
        await desk.wait(6)
        assert "cannot_evaluate" in (await desk.buy("0.001")).checks_json

    play(tmp_path, story)


# Restarts -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("away", [1, 60], ids=["before the deadline", "after the deadline"])
def test_a_restart_in_the_countdown_looks_again_and_goes_on(tmp_path: Path, away: int) -> None:
    async def story(desk: Desk) -> None:
        await in_countdown(desk)
        deadline = desk.guard.episode.deadline
        desk.die()
        await desk.wait(away)
        assert (await desk.start()).may_open
        assert (desk.guard.episode.status, desk.guard.episode.deadline) == (G.COUNTDOWN, deadline)
        assert state(desk) is TradingState.REDUCE_ONLY
        await desk.look(CRITICAL)
        await quotes(desk, CRITICAL, 14)
        assert (desk.guard.episode.status, desk.held(), desk.guard.episode.number) == (G.LATCHED, D(0), 1)

    play(tmp_path, story)


def test_a_restart_after_the_deadline_into_a_better_market_stands_down(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await in_countdown(desk)
        desk.die()
        await desk.wait(60)
        await desk.start()
        await desk.look("49000")
        assert desk.guard.episode.status is G.COUNTDOWN, "one quote confirms nothing"
        await quotes(desk, "49000", 2)
        assert (desk.guard.episode.status, desk.held()) == (G.WARNED, D("1.9"))

    play(tmp_path, story)


def test_a_restart_between_the_decision_and_the_close_closes_what_is_left(tmp_path: Path) -> None:
    """G10: the wish is a target."""

    async def story(desk: Desk) -> None:
        await in_countdown(desk)
        desk.venue.fates.append(Sent.REJECTED)
        await quotes(desk, CRITICAL, 10)
        await desk.sell("0.9", reduce_only=True)
        assert desk.guard.episode.status is G.CLOSING
        desk.die()
        await desk.start()
        await desk.look(CRITICAL, after=3)
        await quotes(desk, CRITICAL, 4)
        assert (desk.guard.episode.status, desk.held()) == (G.LATCHED, D(0))
        assert desk.states().count(OrderState.REJECTED) == 1

    play(tmp_path, story, trades_in=PERPETUAL)


def test_a_latch_survives_a_restart(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await in_countdown(desk)
        await quotes(desk, CRITICAL, 14)
        desk.die()
        await desk.start()
        await desk.look("60000")
        assert (desk.guard.episode.status, state(desk)) == (G.LATCHED, TradingState.REDUCE_ONLY)
        await desk.guard.lift("user:1")
        assert state(desk) is TradingState.ACTIVE

    play(tmp_path, story)


def test_a_closed_guard_watches_no_more_and_its_episode_stays(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.guard.close()
        await in_countdown(desk)
        await desk.guard.close()
        await quotes(desk, CRITICAL, 20)
        assert (desk.guard.episode.status, desk.held()) == (G.COUNTDOWN, D("1.9"))

    play(tmp_path, story)


# Lifting and flows ----------------------------------------------------------------------------------------------------


def test_only_a_guard_that_is_shut_can_be_lifted_and_only_with_open_eyes(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await bought(desk)
        with pytest.raises(CommandRefused, match="guard_not_shut"):
            await desk.guard.lift("user:1")
        await desk.look(WARNING, after=1)
        await desk.look(WARNING, after=3)
        desk.venue.down = True
        with pytest.raises(CommandRefused, match="blind"):
            await desk.guard.lift("user:1")
        desk.venue.down = False
        await desk.guard.lift("user:1")
        assert (desk.guard.episode.status, state(desk)) == (G.CALM, TradingState.ACTIVE)
        await desk.look(WARNING, after=1)
        await desk.look(WARNING, after=3)
        assert desk.guard.episode.status is G.CALM, "the peak starts anew: the loss of before is accepted"

    play(tmp_path, story)


def test_a_look_beside_the_lifting_does_not_bring_the_old_peak_back(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await in_countdown(desk)
        await quotes(desk, CRITICAL, 14)
        await asyncio.gather(desk.guard.lift("user:1"), desk.guard.look(), desk.guard.look())
        for _ in range(3):
            await desk.look(CRITICAL, after=3)
        assert desk.guard.episode.status is G.CALM

    play(tmp_path, story, delay=0.01)


async def pay_in(desk: Desk, amount: str, reference: str) -> bool:
    await desk.paper.venue.deposit(ACCOUNT, "USDT", D(amount), reference=reference)
    return await deposit(desk.ports, D(amount), pocket="spot", reference=reference, actor="user:1")


def test_a_deposit_is_neither_profit_nor_a_new_peak_nor_the_end_of_a_loss(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await bought(desk)
        await desk.look(WARNING, after=1)
        before = desk.guard.last
        assert await pay_in(desk, "1000000", "more")
        assert (await reconcile_account(desk.ports)).may_open
        await desk.look(WARNING)
        after = desk.guard.last
        assert isinstance(before, Reading)
        assert isinstance(after, Reading)
        assert after.equity == before.equity + 1_000_000
        assert abs(after.drawdown - before.drawdown) < D("1e-12")
        assert after.peak == before.peak

    play(tmp_path, story)


def test_a_reference_counts_once(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        assert await pay_in(desk, "500", "again")
        assert not await pay_in(desk, "500", "again")
        assert desk.cash() == D(100_500)

    play(tmp_path, story)


def test_two_deposits_at_once_each_buy_units_at_the_value_of_one(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await bought(desk)
        await desk.look("45000", after=1)
        before = desk.guard.last
        assert isinstance(before, Reading)
        for name in ("a", "b"):
            await desk.paper.venue.deposit(ACCOUNT, "USDT", D(50000), reference=name)
        await asyncio.gather(
            *(deposit(desk.ports, D(50000), pocket="spot", reference=name, actor="user:1") for name in ("a", "b"))
        )
        await desk.look("45000")
        after = desk.guard.last
        assert isinstance(after, Reading)
        assert abs(after.nav - before.nav) < D("1e-12")

    play(tmp_path, story, delay=0.01)


def test_a_deposit_into_an_account_that_cannot_be_valued_is_refused(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await bought(desk)
        await desk.wait(6)
        await desk.flush()
        before = desk.everything()
        with pytest.raises(CommandRefused, match="cannot_evaluate"):
            await deposit(desk.ports, D(500), pocket="spot", reference="late", actor="user:1")
        assert desk.everything() == before

    play(tmp_path, story)


def test_equity_is_written_down_every_ten_seconds_and_at_every_new_peak(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await bought(desk)
        await desk.flush()
        before = desk.count("equity_snapshots")
        for _ in range(20):
            await desk.look("49900", after=1)
        await desk.flush()
        assert desk.count("equity_snapshots") == before + 2
        for price in ("50100", "50200", "50200", "50200"):
            await desk.look(price, after=2)
        await desk.flush()
        # Each price is a peak once the next look confirms it, and written then though nothing else is due.
        assert desk.rows("SELECT nav, peak FROM equity_snapshots ORDER BY id DESC LIMIT 3") == [
            ("1.0038", "1.0038"), ("1.0038", "1.0019"), ("0.9981", "1")
        ]  # fmt: skip
        assert equity_of(desk) == D(100_380)

    play(tmp_path, story)
