"""What the guard must survive: its own failures, late fills, one good tick, a flat account, a break that stands."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from plimsoll.desk.open_account import deposit
from plimsoll.desk.reconcile_account import reconcile_account
from plimsoll.ledger import guarding
from plimsoll.model.ids import AccountId
from plimsoll.model.order import OrderState
from plimsoll.model.venue import TradePage
from plimsoll.risk.gate.verdict import Approved
from plimsoll.risk.guards.drawdown import GuardStatus
from plimsoll.risk.guards.reading import Blind, Reading
from plimsoll.store.connection import StoreFailed
from plimsoll.store.scribe import Unit
from tests.builders.desk import ACCOUNT, Desk, FaultyBooks, FaultyVenue, Sent, play
from tests.builders.paper import PERPETUAL

D = Decimal
G = GuardStatus
#: (at 20 %, back below 18 %)
CRITICAL, BETTER = "39000", "41500"


class BadVenue(FaultyVenue):
    """Breaks in words we do not know, delivers after a minute, or cannot value an account."""

    def __init__(self, inner: FaultyVenue) -> None:
        super().__init__(inner.inner)
        self.equity_breaks = self.history_breaks = self.cannot_value = False

    async def equity(self, account_id: AccountId) -> Decimal | None:
        if self.equity_breaks:
            raise ValueError("an answer in words we do not know")
        return None if self.cannot_value else await super().equity(account_id)

    async def trades_since(self, account_id: AccountId, cursor: int) -> TradePage:
        if self.history_breaks:
            raise ValueError("a history in words we do not know")
        return await super().trades_since(account_id, cursor)

    async def _arrive_late(self, approved: Approved) -> None:
        await asyncio.sleep(60)
        await self._take(approved)


def bad_venue(desk: Desk) -> BadVenue:
    desk.ports.venue = desk.venue = venue = BadVenue(desk.venue)
    return venue


async def in_countdown(desk: Desk) -> None:
    """Two looks three seconds apart, both at 22 %."""
    assert (await desk.buy("1.9")).approved
    await desk.look("50000")
    await desk.look(CRITICAL, after=1)
    await desk.look(CRITICAL, after=3)
    assert desk.guard.episode.status is G.COUNTDOWN


async def quotes(desk: Desk, price: str, seconds: int) -> None:
    """Quote every second, and let nobody but the guard's own watch look."""
    for _ in range(seconds):
        await desk.wait(1)
        await desk.quote(price)
    await desk.wait(0.1)


# The watch ------------------------------------------------------------------------------------------------------------


def test_a_watch_that_cannot_read_tells_it_once_and_closes_when_it_can(tmp_path: Path) -> None:
    """Nobody else watches the deadline: a bug in an adapter must not end the one who does."""

    async def story(desk: Desk) -> None:
        venue = bad_venue(desk)
        await in_countdown(desk)
        venue.equity_breaks = True
        await quotes(desk, CRITICAL, 20)
        assert (desk.guard.episode.status, desk.held()) == (G.COUNTDOWN, D("1.9"))
        assert desk.told.words().count("GUARD FAILING") == 1
        venue.equity_breaks = False
        await quotes(desk, CRITICAL, 6)
        assert (desk.guard.episode.status, desk.held()) == (G.LATCHED, D(0))

    play(tmp_path, story)


def test_what_cannot_be_cleared_up_does_not_keep_the_watch_from_closing(tmp_path: Path) -> None:
    """A first close of unknown fate, and a history that cannot be read: the second close goes all the same."""

    async def story(desk: Desk) -> None:
        venue = bad_venue(desk)
        await in_countdown(desk)
        venue.fates.append(Sent.REQUEST_LOST)
        venue.history_breaks = True
        await quotes(desk, CRITICAL, 16)
        assert (desk.guard.episode.status, desk.held()) == (G.LATCHED, D(0))
        venue.history_breaks = False
        await reconcile_account(desk.ports)

    play(tmp_path, story, trades_in=PERPETUAL)


def test_one_good_tick_at_the_deadline_stands_no_countdown_down(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await in_countdown(desk)
        await quotes(desk, CRITICAL, 9)
        await desk.wait(0.5)
        await desk.quote(BETTER)
        await desk.wait(0.9)  # the deadline is past, and its look saw the good price
        assert isinstance(desk.guard.last, Reading)
        assert desk.guard.last.drawdown < D("0.18")
        assert desk.guard.episode.status is G.COUNTDOWN
        await quotes(desk, CRITICAL, 4)
        assert (desk.guard.episode.status, desk.held()) == (G.CLOSING, D(0)), "the second bad quote closes"
        await desk.wait(3)

    play(tmp_path, story)


@pytest.mark.parametrize("fate", [Sent.REJECTED, Sent.NOT_SENT])
def test_a_close_that_the_venue_refused_is_not_counted_as_closed(tmp_path: Path, fate: Sent) -> None:
    async def story(desk: Desk) -> None:
        await in_countdown(desk)
        desk.venue.fates.append(fate)
        await quotes(desk, CRITICAL, 10)
        assert (desk.guard.episode.closed_count, desk.held()) == (0, D("1.9"))
        await quotes(desk, CRITICAL, 4)
        assert (desk.guard.episode.status, desk.guard.episode.closed_count, desk.held()) == (G.LATCHED, 1, D(0))
        assert "1 closed" in desk.told.messages[-1][1]

    play(tmp_path, story, trades_in=PERPETUAL)


# Behind the latch -----------------------------------------------------------------------------------------------------


async def latched_before_a_late_fill(desk: Desk) -> None:
    """An opening order that was given up on is still on its way when the guard has closed everything."""
    venue = bad_venue(desk)
    assert (await desk.buy("1.9")).approved
    await desk.look("50000")
    venue.fates.append(Sent.LATE)
    assert (await desk.buy("0.05")).approved
    await desk.look(CRITICAL, after=1)
    await desk.look(CRITICAL, after=3)
    await quotes(desk, CRITICAL, 25)
    assert (desk.guard.episode.status, desk.held(), desk.live()) == (G.LATCHED, D(0), [])
    desk.told.messages.clear()


def test_a_fill_that_comes_in_behind_the_latch_is_closed_too(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await latched_before_a_late_fill(desk)
        await quotes(desk, CRITICAL, 40)
        await reconcile_account(desk.ports)
        assert desk.held() == D("0.05")
        before = desk.guard.episode
        await desk.look(CRITICAL, after=1)
        await desk.look(CRITICAL, after=3)
        await quotes(desk, CRITICAL, 3)
        episode = desk.guard.episode
        assert (episode.status, episode.number, desk.held()) == (G.LATCHED, 1, D(0))
        assert episode.closed_count == before.closed_count + 1
        assert episode.loss == before.loss, "nothing was lost on it, and what was lost before is not forgotten"
        assert desk.told.words()[-3:] == ["OPEN", "CLOSE_ALL", "LATCH"]

    play(tmp_path, story, trades_in=PERPETUAL)


def test_what_is_open_behind_the_latch_and_loses_nothing_is_told_once(tmp_path: Path) -> None:
    """A person at the broker may know what he does; what he opened is closed only when it is past a line."""

    async def story(desk: Desk) -> None:
        await latched_before_a_late_fill(desk)
        await quotes(desk, CRITICAL, 40)
        await reconcile_account(desk.ports)
        desk.told.messages.clear()
        for _ in range(5):
            await desk.look("120000", after=3)
        assert (desk.guard.episode.status, desk.held()) == (G.LATCHED, D("0.05"))
        assert desk.told.words() == ["OPEN"]
        await desk.look(CRITICAL, after=3)
        await desk.look(CRITICAL, after=3)
        await quotes(desk, CRITICAL, 3)
        assert (desk.guard.episode.status, desk.held()) == (G.LATCHED, D(0))

    play(tmp_path, story, trades_in=PERPETUAL)


# What is written ------------------------------------------------------------------------------------------------------


def test_a_flat_account_at_its_peak_writes_its_equity_every_ten_seconds_and_not_at_every_look(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        for _ in range(31):
            await desk.look("50000", after=1)
        await desk.flush()
        assert desk.rows("SELECT occasion, count(*) FROM equity_snapshots GROUP BY occasion") == [
            ("FLOW", 1), ("READING", 4)
        ]  # fmt: skip

    play(tmp_path, story)


class SnatchedBooks(FaultyBooks):
    """Takes what waits between the question whether it waits and the next post, as the scribe's thread may."""

    def post_latest(self, name: str, unit: Unit) -> None:
        self.inner._line_up_latest()
        super().post_latest(name, unit)


def test_a_reading_is_written_once_though_the_scribe_took_it_while_the_next_was_posted(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        desk.ports.books = SnatchedBooks(desk.books.inner)
        for _ in range(5):
            await desk.look("50000", after=10)
        await desk.flush()
        assert desk.rows("SELECT count(*), count(DISTINCT at) FROM equity_snapshots") == [(6, 6)]

    play(tmp_path, story)


def test_readings_are_written_though_a_neighbour_in_their_group_was_refused(tmp_path: Path) -> None:
    """The group is rolled back and each unit runs again: the second run must write what the first one did."""

    async def story(desk: Desk) -> None:
        for _ in range(3):
            await desk.look("50000", after=10)
        with pytest.raises(StoreFailed):
            await desk.ports.books.write(lambda draft: draft.add("equity_snapshots", (ACCOUNT, None)))
        await desk.flush()
        assert desk.count("equity_snapshots") == 1 + 3, "the deposit, and three looks"

    play(tmp_path, story)


def test_a_break_that_stands_is_told_and_written_once_and_again_when_it_comes_back(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        def told() -> tuple[int, int, int]:
            events = desk.rows("SELECT count(*) FROM events WHERE kind = 'BREAK_FOUND'")[0][0]
            notes = desk.rows("SELECT count(*) FROM audit_log WHERE action = 'SYNC'")[0][0]
            return len(desk.told.messages), events, notes

        start = told()
        await desk.paper.venue.deposit(ACCOUNT, "USDT", D(7), reference="unseen")
        for _ in range(30):
            assert not (await reconcile_account(desk.ports)).may_open
        assert told() == (start[0] + 1, start[1] + 1, start[2] + 1)
        await deposit(desk.ports, D(7), pocket="spot", reference="unseen", actor="user:1")
        for _ in range(3):
            assert (await reconcile_account(desk.ports)).may_open
        await desk.paper.venue.deposit(ACCOUNT, "USDT", D(8), reference="unseen too")
        for _ in range(3):
            await reconcile_account(desk.ports)
        assert told() == (start[0] + 2, start[1] + 2, start[2] + 3)
        desk.die()
        await desk.start()
        assert told() == (start[0] + 2, start[1] + 3, start[2] + 4), "people are told when it has stood for three looks"
        for _ in range(2):
            await reconcile_account(desk.ports)
        assert told() == (start[0] + 3, start[1] + 3, start[2] + 4), "a new process tells what it finds"

    play(tmp_path, story)


# What an account is worth ---------------------------------------------------------------------------------------------


def test_a_venue_that_tells_equity_and_cannot_makes_blind(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        venue = bad_venue(desk)
        venue.cannot_value = True
        await desk.guard.look()
        assert isinstance(desk.guard.last, Blind)
        assert "the venue cannot value the account" in desk.guard.last.why
        venue.facts_said = replace(venue.facts, tells_equity=False)
        await desk.guard.look()
        assert isinstance(desk.guard.last, Reading), "a venue that never tells has nothing to disagree with"

    play(tmp_path, story)


def test_a_deposit_into_a_debt_is_no_loss_at_the_next_look(tmp_path: Path) -> None:
    """Neither the value of the new units nor the peak of the old ones may close what was just paid for."""

    async def story(desk: Desk) -> None:
        assert (await desk.buy("3.9")).approved
        for _ in range(3):
            await desk.look("55000", after=2)
        await desk.quote("20000")
        await desk.paper.venue.deposit(ACCOUNT, "USDT", D(100_000), reference="rescue")
        await deposit(desk.ports, D(100_000), pocket="spot", reference="rescue", actor="user:1")
        await desk.look("20000")
        reading = desk.guard.last
        assert isinstance(reading, Reading), reading
        assert (reading.equity, reading.nav, reading.peak, reading.drawdown) == (D(83_000), D(1), D(1), D(0))
        assert guarding.nav_of(desk.ports.books.hot, ACCOUNT).units == D(83_000)
        assert OrderState.FILLED in desk.states()

    play(tmp_path, story, trades_in=PERPETUAL, leverage="3")
