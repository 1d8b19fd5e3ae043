"""An account attended: compared by the clock, guarded every second, closed in time, stopped with nothing in limbo."""

import asyncio
import random
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from plimsoll.desk.attend import LONGEST_BACK_OFF_SECONDS, STOP_SECONDS, Attendant
from plimsoll.desk.close_position import CloseOutcome
from plimsoll.desk.halt import MANUAL, lift
from plimsoll.desk.ports import Doors
from plimsoll.desk.reconcile_account import Reconciliation
from plimsoll.ledger import keys
from plimsoll.model.account import TradingState
from plimsoll.model.errors import CommandRefused, TryAgain
from plimsoll.model.order import OrderState
from plimsoll.model.quote import Bar, Quote
from plimsoll.risk.guards.drawdown import GuardStatus
from plimsoll.risk.guards.reading import Blind, Reading
from plimsoll.store.connection import StoreFailed
from tests.builders.desk import ACCOUNT, ALL, Sent
from tests.builders.paper import MINUTE, PERPETUAL, SPOT
from tests.builders.served import Served, serve, silent

D = Decimal
G = GuardStatus
#: 22 % below what 1.9 coins were bought for at 50,000, out of 100,000.
CRITICAL = "39000"


async def in_countdown(desk: Served) -> None:
    await desk.market("50000", 2)
    assert (await desk.buy("1.9")).approved
    await desk.market("50000", 2)
    await desk.market(CRITICAL, 4)
    assert desk.guard.episode.status is G.COUNTDOWN


# --- the rounds


def test_the_book_is_compared_every_ten_seconds_a_little_off_the_beat(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        at_start = desk.attendant.attendance()
        assert (at_start.total_syncs, at_start.failing) == (1, "")
        times = []
        for _ in range(100):
            await desk.market("50000", 1)
            seen = desk.attendant.attendance().last_reconciled_at
            assert seen is not None
            if seen not in times:
                times.append(seen)
        gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(times)]
        assert all(9 <= gap <= 12.1 for gap in gaps), gaps
        assert len(set(gaps)) > 1, "jittered"
        attendance = desk.attendant.attendance()
        assert attendance.total_syncs == len(times)
        assert attendance.reconciliation == Reconciliation(compared=True, settled=True)
        assert attendance.last_sync_duration_ms is not None
        assert attendance.last_check_at is not None
        assert (desk.clock.now() - attendance.last_check_at).total_seconds() <= 1.1
        assert len(desk.rows("SELECT 1 FROM equity_snapshots")) >= 9, "the guard writes what it read"

    serve(tmp_path, story)


def test_somebody_may_have_the_book_compared_now(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        before = desk.attendant.attendance().total_syncs
        both = await asyncio.gather(desk.attendant.sync(), desk.attendant.sync())
        assert all(result.may_open for result in both)
        assert desk.attendant.attendance().total_syncs == before + 2
        desk.line.down = True
        with pytest.raises(TryAgain):
            await desk.attendant.sync()
        assert desk.attendant.attendance().total_syncs == before + 2

    serve(tmp_path, story)


def test_a_silent_venue_is_asked_ever_more_seldom_and_trading_goes_on_when_it_is_back(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        await desk.market("50000", 2)
        desk.line.down, desk.line.asked = True, 0
        await desk.market("50000", 120)
        assert "does not answer" in desk.attendant.attendance().failing
        assert isinstance(desk.guard.last, Blind)
        # 1, 2, 4, 8, 16 and then every 30 seconds, a tenth more or less and up to the next beat.
        assert 6 <= desk.line.asked <= 9
        refused = await desk.buy("0.01")
        assert not refused.approved
        assert "reconciled" in refused.checks_json or "compared" in refused.checks_json
        desk.line.down = False
        await desk.market("50000", LONGEST_BACK_OFF_SECONDS * 1.1 + 3)
        assert desk.attendant.attendance().failing == ""
        assert isinstance(desk.guard.last, Reading)
        assert (await desk.buy("0.01")).approved
        assert desk.told.words().count("BLIND") == 1, "told once"

    serve(tmp_path, story)


def test_a_venue_whose_history_is_out_of_reach_for_a_minute_is_lost(tmp_path: Path) -> None:
    """It still says what the account is worth, so the guard sees; the book is believed for a minute and no longer."""

    async def story(desk: Served) -> None:
        await desk.market("50000", 2)
        desk.line.no_history = True
        await desk.market("50000", 45)
        assert (await desk.buy("0.01")).approved
        await desk.market("50000", 30)
        assert not desk.ports.reconciled
        assert not (await desk.buy("0.01")).approved
        assert (await desk.close_it()).outcome is CloseOutcome.SENT, "closing is sacred"
        desk.line.no_history = False
        await desk.market("50000", 35)
        assert (await desk.buy("0.01")).approved

    serve(tmp_path, story)


def test_a_start_at_a_silent_venue_stays_in_doubt_and_goes_on_trying(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        desk.line.down = True
        await desk.go()
        await desk.market("50000", 5)
        assert not (await desk.buy("0.01")).approved
        desk.line.down = False
        await desk.market("50000", 10)
        assert (await desk.buy("0.01")).approved

    serve(tmp_path, story, begin=False)


def test_an_order_of_unknown_fate_is_asked_about_every_second(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        await desk.market("50000", 2)
        desk.line.fates.append(Sent.ANSWER_LOST)
        lost = await desk.buy("0.01")
        assert lost.order is not None
        assert lost.order.state is OrderState.UNKNOWN
        await desk.market("50000", 2)
        assert desk.states() == [OrderState.FILLED]
        assert desk.held() == D("0.01")

    serve(tmp_path, story)


def test_a_difference_that_needs_a_person_is_not_asked_about_every_second(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        await desk.market("50000", 2)
        await desk.paper.venue.deposit(ACCOUNT, "USDT", D(7), reference="unbooked")
        await desk.market("50000", 15)
        assert not desk.ports.reconciled
        desk.line.asked = 0
        await desk.market("50000", 40)
        assert desk.line.asked <= 2 * 5, "each comparison asks twice"
        reconciliation = desk.attendant.attendance().reconciliation
        assert reconciliation is not None
        assert [found.blocks_opening for found in reconciliation.breaks] == [True]
        desk.ports.doubt("something new")
        desk.line.asked = 0
        await desk.market("50000", 2)
        assert desk.line.asked >= 2, "what is new is looked at"

    serve(tmp_path, story)


# --- the disk


def test_a_full_disk_stops_opening_for_as_long_as_it_is_full(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        await desk.market("50000", 2)
        assert (await desk.buy("0.1")).approved
        before = [desk.count(table) for table in ("orders", "verdicts", "trades")]
        desk.books.writes_left = 0
        await desk.market("50000", 30)
        with pytest.raises(StoreFailed):
            await desk.buy("0.01")
        with pytest.raises(StoreFailed):
            await desk.close_it()
        assert "full" in desk.attendant.attendance().failing
        assert [desk.count(table) for table in ("orders", "verdicts", "trades")] == before
        desk.books.writes_left = None
        await desk.market("50000", 40)
        assert desk.attendant.attendance().failing == ""
        assert desk.ports.memory_state is TradingState.ACTIVE, "nobody has to lift a disk"
        assert (await desk.buy("0.01")).approved
        assert (await desk.close_it()).outcome is CloseOutcome.SENT

    serve(tmp_path, story)


def test_a_guard_that_cannot_write_its_decision_is_told_once_and_decides_when_the_disk_is_back(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        await desk.market("50000", 2)
        assert (await desk.buy("1.9")).approved
        await desk.market("50000", 2)
        desk.books.writes_left = 0
        await desk.market(CRITICAL, 8)
        assert desk.guard.episode.status is G.CALM
        assert desk.told.words().count("GUARD FAILING") == 1
        desk.books.writes_left = None
        await desk.market(CRITICAL, 15)
        assert (desk.guard.episode.status, desk.held()) == (G.LATCHED, D(0))

    serve(tmp_path, story)


# --- the guard


def test_the_guard_counts_down_closes_and_stays_shut(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        await in_countdown(desk)
        await desk.market(CRITICAL, 14)
        assert (desk.guard.episode.status, desk.held()) == (G.LATCHED, D(0))
        assert desk.told.words() == ["WARN", "START_COUNTDOWN", "CLOSE_ALL", "LATCH"]
        assert not (await desk.buy("0.01")).approved

    serve(tmp_path, story)


def test_a_countdown_that_a_crash_cut_off_is_gone_on_with(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        await in_countdown(desk)
        desk.die()
        await desk.wait(30)
        await desk.go()
        assert desk.held() == D("1.9")
        await desk.market(CRITICAL, 6)
        assert (desk.guard.episode.status, desk.held()) == (G.LATCHED, D(0))

    serve(tmp_path, story)


def test_a_countdown_outlives_a_graceful_stop(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        await in_countdown(desk)
        assert await desk.attendant.stop() == ()
        assert desk.held() == D("1.9"), "the next start goes on; stopping closes nothing"
        desk.die()
        await desk.go()
        await desk.market(CRITICAL, 14)
        assert (desk.guard.episode.status, desk.held()) == (G.LATCHED, D(0))

    serve(tmp_path, story)


def test_a_guard_that_gets_no_answer_is_blind_until_it_looks_again(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        await desk.market("50000", 2)
        desk.line.silence = asyncio.Event()
        await desk.market("50000", 8)
        assert "has not looked" in desk.ports.blind
        assert not (await desk.buy("0.01")).approved
        desk.line.silence.set()
        await desk.market("50000", 3)
        assert desk.ports.blind == ""
        assert (await desk.buy("0.01")).approved

    serve(tmp_path, story)


# --- what breaks


@pytest.mark.parametrize("duty", ["prices", "bars", "rounds", "guard", "rules"])
def test_a_duty_that_ends_is_told_begun_again_and_stops_opening(tmp_path: Path, duty: str) -> None:
    """D10: no task dies in silence."""

    async def story(desk: Served) -> None:
        await desk.market("50000", 2)
        assert (await desk.buy("0.1")).approved
        desk.attendant._tasks[duty].cancel()
        await desk.market("50000", 3)
        assert "BROKEN" in desk.told.words()
        assert not (await desk.buy("0.01")).approved
        assert (await desk.close_it()).outcome is CloseOutcome.SENT
        assert not desk.attendant._tasks[duty].done(), "it works again"
        syncs = desk.attendant.attendance().total_syncs
        await desk.market("50000", 25)
        assert desk.attendant.attendance().total_syncs > syncs
        await lift(desk.ports, MANUAL, "user:1")
        assert (await desk.buy("0.01")).approved

    serve(tmp_path, story)


def test_a_failure_of_our_own_stops_opening_until_a_person_lifts_that(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        desk.described = ValueError("an answer in words we do not know")
        await desk.go()
        await desk.market("50000", 10)
        assert [word for word in desk.told.words() if word == "BROKEN"] == ["BROKEN"], "told once"
        assert "ValueError" in desk.attendant.attendance().failing
        assert desk.ports.memory_state is TradingState.REDUCE_ONLY
        assert not (await desk.buy("0.01")).approved
        desk.described = ALL
        await desk.market("50000", 5)
        assert desk.attendant.attendance().failing == ""
        assert not (await desk.buy("0.01")).approved
        await lift(desk.ports, MANUAL, "user:1")
        assert (await desk.buy("0.01")).approved

    serve(tmp_path, story, begin=False)


def test_a_listener_that_breaks_stops_neither_prices_nor_trading(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        heard: list[Quote] = []

        def break_down(_quote: Quote) -> None:
            raise KeyError("a page nobody looks at")

        desk.attendant.on_quote(break_down)
        desk.attendant.on_quote(heard.append)
        await desk.market("50001", 3)
        late = heard[-1]
        desk.attendant.take(replace(late, at=late.at - MINUTE, last=D(1), bid=D(1), ask=D(1)))
        assert [quote.last for quote in heard] == [D(50001)] * 3, "a late one is no news"
        assert "listeners" in desk.attendant.attendance().failing
        assert (await desk.buy("0.01")).approved

    serve(tmp_path, story)


def test_news_that_cannot_be_booked_is_told(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        async def unbookable() -> None:
            raise LookupError("a fill of an instrument that the book does not know")

        await desk.market("50000", 2)
        desk.ports.spawn(unbookable())
        await desk.wait(0.5)
        assert not desk.ports.reconciled
        await desk.market("50000", 1)
        assert any("does not know" in message for _severity, message in desk.told.messages)
        await desk.market("50000", 5)
        assert desk.ports.reconciled
        assert desk.attendant.attendance().failing == ""

    serve(tmp_path, story)


def test_a_venue_whose_words_we_do_not_know_leaves_the_desk_up_and_shut(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        desk.line.breaks = True
        await desk.go()
        await desk.market("50000", 3)
        assert "rounds: ValueError" in desk.attendant.attendance().failing
        assert not (await desk.buy("0.01")).approved
        desk.line.breaks = False
        await desk.market("50000", 10)
        assert desk.attendant.attendance().failing == ""
        await lift(desk.ports, MANUAL, "user:1")
        assert (await desk.buy("0.01")).approved

    serve(tmp_path, story, begin=False)


def test_an_account_that_moves_while_it_is_asked_about_is_compared_again(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        await desk.market("50000", 2)
        moves = 0

        async def move() -> None:
            nonlocal moves
            moves += 1
            await desk.paper.venue.deposit(ACCOUNT, "USDT", D(1), reference=f"{moves}")
            await desk.paper.venue.withdraw(ACCOUNT, "USDT", D(1), reference=f"-{moves}")
            desk.line.meanwhile = move if moves < 6 else None

        desk.line.meanwhile = move
        before = desk.attendant.attendance().last_reconciled_at
        assert not (await desk.attendant.sync()).compared
        assert desk.attendant.attendance().last_reconciled_at == before
        assert desk.ports.reconciled, "an account that never stands still keeps its last word"
        await desk.market("50000", 4)
        later = desk.attendant.attendance().last_reconciled_at
        assert later is not None
        assert later != before, "asked again soon, until it stood still"

    serve(tmp_path, story)


def test_a_feed_that_ends_is_told_and_begun_again(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        begun = 0

        async def feed() -> None:
            nonlocal begun
            begun += 1
            if begun == 1:
                raise OSError("the line broke in a way that nobody foresaw")
            if begun == 2:
                return
            await asyncio.Event().wait()

        desk.attendant.keep("feed", feed)
        await desk.market("50000", 3)
        assert begun == 3
        assert any("nobody foresaw" in message for _severity, message in desk.told.messages)
        await desk.attendant.stop()
        assert desk.attendant._tasks == {}

    serve(tmp_path, story)


def test_a_desk_without_bots_takes_prices_all_the_same(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        plain = Attendant(desk.ports, desk.paper.venue, desk._describe, random.Random(0))
        await plain.start()
        plain.take(Quote(SPOT.id, desk.clock.now(), D(50_000), D(50_000), D(50_000)))
        plain.take_bar(Bar(SPOT.id, desk.clock.now(), MINUTE, D(50_000), D(50_000), D(50_000), D(50_000)))
        assert (await desk.buy("0.01")).approved
        await plain.stop()

    serve(tmp_path, story, begin=False)


def test_a_decision_waits_for_the_fills_that_are_being_booked(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        order: list[str] = []

        async def booking() -> None:
            await asyncio.sleep(1.5)
            order.append("booked")

        async def decide(_bar: Bar) -> None:
            order.append("decided")

        desk.attendant.on_bar_closed(desk.candles, decide)
        await desk.market("50000", 59)
        desk.ports.spawn(booking())
        await desk.market("50000", 2)
        assert order == ["booked", "decided"]

    serve(tmp_path, story)


# --- the source's instruments


def test_instruments_stay_fresh_for_as_long_as_the_source_describes_them(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        await desk.market("50000", 2 * 3600, every=60)
        await desk.market("50000", 3)
        assert (await desk.buy("0.01")).approved
        desk.described = silent()
        await desk.market("50000", 2 * 3600, every=60)
        await desk.market("50000", 3)
        assert "rules: the source does not answer" in desk.attendant.attendance().failing
        refused = await desk.buy("0.01")
        assert not refused.approved
        assert "instrument" in refused.checks_json
        desk.described = ALL
        await desk.market("50000", 70)
        assert (await desk.buy("0.01")).approved

    serve(tmp_path, story)


def test_a_finer_step_is_taken_over_and_another_multiplier_is_not(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        desk.described = (replace(SPOT, tick_size=D("0.001")), replace(PERPETUAL, multiplier=D(100)))
        await desk.go()
        await desk.market("50000", 2)
        hot = desk.ports.books.hot
        assert hot.get(keys.instrument(SPOT.id)).tick_size == D("0.001")
        assert hot.get(keys.instrument(PERPETUAL.id)) == PERPETUAL
        assert [word for word in desk.told.words() if word == "INSTRUMENTS"] == ["INSTRUMENTS"]
        noted = desk.rows("SELECT entity_key FROM audit_log WHERE entity = 'INSTRUMENT'")
        assert noted == [("BTC/USDT",)]

    serve(tmp_path, story, begin=False)


# --- the end


def test_a_stop_waits_for_what_is_on_its_way_and_takes_nothing_new(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        await desk.market("50000", 2)
        gate = asyncio.Event()
        desk.line.before_sending = gate.wait
        sending = asyncio.create_task(desk.buy("0.01"))
        await desk.wait(0.01)
        assert desk.states() == [OrderState.PENDING]
        stopping = asyncio.create_task(desk.attendant.stop())
        await desk.wait(0.1)
        assert desk.attendant.stopping
        before = desk.everything()
        with pytest.raises(CommandRefused, match="desk_stopping"):
            await desk.buy("0.01")
        assert desk.everything() == before
        gate.set()
        assert (await sending).approved
        assert await stopping == ()
        assert desk.states() == [OrderState.FILLED]
        assert desk.held() == D("0.01")

    serve(tmp_path, story)


def test_a_close_is_still_sent_while_the_desk_stops_and_not_after(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        await desk.market("50000", 2)
        assert (await desk.buy("0.02")).approved
        gate = asyncio.Event()
        desk.line.before_sending = gate.wait
        sending = asyncio.create_task(desk.buy("0.01"))
        await desk.wait(0.01)
        stopping = asyncio.create_task(desk.attendant.stop())
        await desk.wait(0.1)
        assert (await desk.sell("0.01", reduce_only=True)).approved
        gate.set()
        await sending
        await stopping
        assert desk.ports.doors is Doors.SHUT
        with pytest.raises(CommandRefused, match="desk_stopping"):
            await desk.sell("0.01", reduce_only=True)
        assert await desk.attendant.stop() == (), "again is harmless"
        assert desk.held() == D("0.02")

    serve(tmp_path, story)


def test_a_send_that_never_ends_is_named_and_looked_up_by_the_next_start(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        await desk.market("50000", 2)
        desk.line.before_sending = asyncio.Event().wait
        sending = asyncio.create_task(desk.buy("0.01"))
        await desk.wait(0.01)
        began = desk.clock.monotonic()
        (left,) = await desk.attendant.stop()
        assert desk.clock.monotonic() - began < STOP_SECONDS + 2.5
        sending.cancel()
        await asyncio.wait((sending,))
        assert [order.client_order_id for order in desk.live()] == [left]
        desk.die()
        await desk.go()
        await desk.market("50000", 5)
        assert desk.states() == [OrderState.REJECTED]
        assert desk.reasons() == ["never_placed"]
        assert desk.held() == 0

    serve(tmp_path, story)


def test_a_resting_order_stays_at_the_venue_over_a_stop(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        await desk.market("50000", 2)
        assert (await desk.buy("0.01", price="49000")).approved
        assert await desk.attendant.stop() == ()
        assert desk.states() == [OrderState.NEW]
        desk.die()
        await desk.go()
        await desk.market("50000", 2)
        await desk.market("48900", 2)
        assert desk.states() == [OrderState.FILLED]

    serve(tmp_path, story)


def test_an_order_that_a_caller_gave_up_is_named_by_a_stop_that_cannot_write(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        await desk.market("50000", 2)
        desk.line.before_sending = asyncio.Event().wait
        sending = asyncio.create_task(desk.buy("0.01"))
        await desk.wait(0.01)
        sending.cancel()
        await asyncio.wait((sending,))
        desk.books.writes_left = 0
        (left,) = await desk.attendant.stop()
        assert [(order.client_order_id, order.state) for order in desk.live()] == [(left, OrderState.PENDING)]
        desk.books.writes_left = None
        assert await desk.attendant.stop() == (left,)
        assert desk.states() == [OrderState.UNKNOWN], "and the book, which says so, verifies"

    serve(tmp_path, story)


def test_a_duty_that_ends_as_the_desk_does_is_not_begun_again(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        await desk.market("50000", 2)
        desk.attendant._tasks["guard"].cancel()
        await desk.wait(0.01)
        await desk.attendant.stop()
        await desk.wait(5)
        assert desk.attendant._tasks == {}

    serve(tmp_path, story)


def test_a_stop_while_nothing_can_be_written_ends_all_the_same(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        await desk.market("50000", 2)
        desk.books.writes_left = 0
        desk.line.down = True
        assert await desk.attendant.stop() == ()
        desk.books.writes_left = None

    serve(tmp_path, story)


def test_an_account_that_moves_for_minutes_keeps_its_word_and_for_ten_minutes_loses_it(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        await desk.market("50000", 2)
        moves = 0

        async def move() -> None:
            nonlocal moves
            moves += 1
            await desk.paper.venue.deposit(ACCOUNT, "USDT", D(1), reference=f"{moves}")
            await desk.paper.venue.withdraw(ACCOUNT, "USDT", D(1), reference=f"-{moves}")
            desk.line.meanwhile = move

        desk.line.meanwhile = move
        await desk.market("50000", 120)
        assert desk.ports.reconciled
        await desk.market("50000", 490)
        assert not desk.ports.reconciled
        desk.line.meanwhile = None
        await desk.market("50000", 5)
        assert desk.ports.reconciled

    serve(tmp_path, story)
