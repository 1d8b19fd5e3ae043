"""A guard acts on two quotes, and not on two looks at one: a bad tick stays on the board until somebody tells another.

The guard of a served desk looks every second; a quote is good for five.
"""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from plimsoll.ledger import guarding, keys
from plimsoll.model.account import Scope
from plimsoll.model.errors import CommandRefused
from plimsoll.model.instrument import Instrument
from plimsoll.risk.guards.drawdown import GuardStatus
from plimsoll.risk.guards.reading import Blind, Reading
from tests.builders.desk import ACCOUNT, COARSE
from tests.builders.paper import PERPETUAL, SPOT
from tests.builders.served import Served, serve

D = Decimal
G = GuardStatus
#: What stays on the board while the source is silent; within the age limit of a price.
SILENCE = 3.2
BOTH = pytest.mark.parametrize("of", [SPOT, PERPETUAL], ids=["spot", "perpetual"])


async def holding(desk: Served) -> None:
    """Buy 0.8 BTC at 50,000 with an account of 100,000, and go on for a while."""
    await desk.market("50000", 5)
    assert (await desk.buy("0.8")).approved
    await desk.market("50000", 5)
    assert guarding.nav_of(desk.ports.books.hot, ACCOUNT).peak == 1


async def assert_nothing_happened(desk: Served) -> None:
    """Let honest prices go on, and look whether anything is left of what was seen."""
    await desk.market("50000", 16)
    reading = desk.guard.last
    assert isinstance(reading, Reading), reading
    assert (reading.peak, reading.drawdown) == (D(1), D(0))
    assert (desk.guard.episode.status, desk.guard.episode.number, desk.held()) == (G.CALM, 0, D("0.8"))
    assert desk.ports.books.hot.get(keys.halt(Scope.ACCOUNT, ACCOUNT, "guard:drawdown")) is None
    assert (await desk.buy("0.001")).approved


@BOTH
def test_one_tick_up_never_becomes_the_peak(tmp_path: Path, of: Instrument) -> None:
    """It set the peak, and the honest prices after it were a loss of a quarter that liquidated a healthy account."""

    async def story(desk: Served) -> None:
        await holding(desk)
        desk.show("95000")
        await desk.wait(SILENCE)
        assert desk.ports.peak_seen == 1
        await assert_nothing_happened(desk)
        assert desk.told.words() == []

    serve(tmp_path, story, trades_in=of)


@BOTH
def test_one_tick_down_warns_nobody_and_stops_opening_only_while_it_stands(tmp_path: Path, of: Instrument) -> None:
    async def story(desk: Served) -> None:
        await holding(desk)
        desk.show("30000")
        await desk.wait(SILENCE)
        assert not (await desk.buy("0.001")).approved, "at that price the account has lost 16 %"
        desk.show("50000")
        assert (await desk.buy("0.001")).approved
        await desk.sell("0.001", reduce_only=True)
        await assert_nothing_happened(desk)
        assert desk.told.words() == []

    serve(tmp_path, story, trades_in=of)


def test_a_second_quote_confirms_what_the_first_one_said(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        await holding(desk)
        desk.show("30000")
        await desk.wait(SILENCE)
        desk.show("31000")
        await desk.wait(1)
        assert (desk.guard.episode.status, desk.guard.episode.line) == (G.WARNED, "warning")
        assert not (await desk.buy("0.001")).approved

    serve(tmp_path, story)


def test_a_second_quote_makes_a_peak_of_the_lower_of_both(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        await holding(desk)
        desk.show("95000")
        await desk.wait(SILENCE)
        assert desk.ports.peak_seen == 1
        desk.show("60000")
        await desk.wait(SILENCE)
        assert desk.ports.peak_seen == D("1.08")

    serve(tmp_path, story)


def test_people_are_told_once_of_what_one_quote_says_and_then_that_the_account_is_blind(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        await holding(desk)
        desk.show("30000")
        await desk.wait(20)
        assert isinstance(desk.guard.last, Blind)
        assert desk.told.words() == ["SUSPICIOUS", "BLIND"]
        assert desk.told.messages[0] == (
            "warning",
            "SUSPICIOUS: drawdown 16 %, equity 84000, and no second quote bears it out: nothing is done yet",
        )
        await assert_nothing_happened(desk)
        desk.show("30000")
        await desk.wait(20)
        assert desk.told.words() == ["SUSPICIOUS", "BLIND", "SEES AGAIN", "SUSPICIOUS", "BLIND"], "it is another one"

    serve(tmp_path, story)


# Several instruments --------------------------------------------------------------------------------------------------


async def ticking(desk: Served, prices: Mapping[Instrument, str], seconds: int) -> None:
    """Tell a price of each every second; what is left out is silent."""
    for _ in range(seconds):
        await desk.wait(1)
        for of, price in prices.items():
            desk.show(price, of=of)
    await desk.wait(0.001)


async def holding_two(desk: Served) -> None:
    """Hold 20,000 in each of two coins."""
    await ticking(desk, {SPOT: "50000", COARSE: "2000"}, 5)
    assert (await desk.buy("0.4")).approved
    assert (await desk.buy("10", of=COARSE)).approved
    await ticking(desk, {SPOT: "50000", COARSE: "2000"}, 5)


def test_while_one_keeps_ticking_the_others_single_bad_tick_is_borne_out_by_nothing(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        await holding_two(desk)
        desk.show("100", of=COARSE)
        await ticking(desk, {SPOT: "50000"}, 4)
        assert isinstance(desk.guard.last, Reading)
        assert (desk.guard.last.drawdown, desk.guard.episode.status) == (D("0.19"), G.CALM)
        desk.show("100", of=COARSE)
        await ticking(desk, {SPOT: "50000"}, 1)
        assert desk.guard.episode.status is G.WARNED, "its own second quote bears it out"

    serve(tmp_path, story)


def test_two_single_bad_ticks_of_two_instruments_are_no_two_quotes_of_one(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        await holding_two(desk)
        desk.show("100", of=COARSE)
        await ticking(desk, {SPOT: "50000"}, 3)
        desk.show("2000", of=COARSE)
        desk.show("2000", of=SPOT)
        await ticking(desk, {COARSE: "2000"}, 4)
        assert isinstance(desk.guard.last, Reading)
        assert (desk.guard.last.drawdown, desk.guard.episode.status) == (D("0.192"), G.CALM)
        await ticking(desk, {SPOT: "50000", COARSE: "2000"}, 5)
        assert desk.guard.episode.number == 0

    serve(tmp_path, story)


def test_a_fall_is_seen_although_the_other_one_is_quiet(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        await holding_two(desk)
        await ticking(desk, {COARSE: "100"}, 4)
        assert desk.guard.episode.status is G.WARNED

    serve(tmp_path, story)


# The deadline, a restart, a person ------------------------------------------------------------------------------------


async def in_countdown(desk: Served) -> None:
    """Hold 1.6 BTC, and see them lose a quarter of the account in quotes that bear it out."""
    await holding(desk)
    assert (await desk.buy("0.8")).approved
    await desk.market("34000", 4)
    assert desk.guard.episode.status is G.COUNTDOWN


def test_one_bad_tick_at_the_deadline_closes_nothing_of_what_has_recovered(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        await in_countdown(desk)
        await desk.market("49000", 8)
        desk.show("34000")
        await desk.wait(SILENCE)
        assert (desk.guard.episode.status, desk.held()) == (G.COUNTDOWN, D("1.6"))
        assert desk.guard.episode.deadline is not None
        assert desk.clock.now() > desk.guard.episode.deadline
        await desk.market("49000", 6)
        assert (desk.guard.episode.status, desk.held()) == (G.WARNED, D("1.6"))

    serve(tmp_path, story)


def test_people_are_told_when_one_quote_keeps_a_countdown_from_its_end(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        await in_countdown(desk)
        await desk.market("34000", 8)
        desk.show("49000")
        await desk.wait(4.9)
        desk.show("34000")
        await desk.wait(1.5)
        desk.show("49000")
        await desk.wait(1.5)
        assert (desk.guard.episode.status, desk.held()) == (G.COUNTDOWN, D("1.6"))
        assert desk.told.words() == ["WARN", "START_COUNTDOWN", "SUSPICIOUS"]
        await desk.market("34000", 5)
        await desk.wait(1)
        assert desk.held() == 0

    serve(tmp_path, story)


def test_a_restart_past_the_deadline_closes_at_the_second_quote(tmp_path: Path) -> None:
    """SPEC §9: after a restart with a deadline passed: read again, confirm, act."""

    async def story(desk: Served) -> None:
        await in_countdown(desk)
        desk.die()
        await desk.wait(60)
        await desk.go()
        desk.show("34000")
        await desk.wait(4)
        assert isinstance(desk.guard.last, Reading)
        assert (desk.guard.episode.status, desk.held()) == (G.COUNTDOWN, D("1.6"))
        await desk.market("34000", 2)
        await desk.wait(1)
        assert desk.held() == 0

    serve(tmp_path, story)


def test_a_person_who_lifts_a_warning_makes_no_peak_of_one_tick(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        await holding(desk)
        await desk.market("30000", 4)
        assert desk.guard.episode.status is G.WARNED
        desk.show("95000")
        await desk.guard.lift("user:1")
        assert (desk.guard.episode.status, desk.ports.peak_seen) == (G.CALM, D("0.84"))
        assert guarding.nav_of(desk.ports.books.hot, ACCOUNT).peak == D("0.84")
        await desk.market("30000", 16)
        assert (desk.guard.episode.status, desk.held()) == (G.CALM, D("0.8"))

    serve(tmp_path, story)


def test_a_warning_is_not_lifted_on_one_quote(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        await holding(desk)
        await desk.market("30000", 4)
        desk.die()
        await desk.go()
        desk.show("30000")
        await desk.wait(1)
        before = desk.everything()
        with pytest.raises(CommandRefused, match="no second quote bears out yet"):
            await desk.guard.lift("user:1")
        assert (desk.guard.episode.status, desk.everything()) == (G.WARNED, before)
        await desk.market("30000", 2)
        await desk.guard.lift("user:1")
        assert desk.guard.episode.status is G.CALM

    serve(tmp_path, story)


def test_what_was_bought_a_second_ago_has_been_looked_at_before(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        await desk.market("50000", 5)
        assert (await desk.buy("0.8")).approved
        await desk.wait(1)
        reading = desk.guard.last
        assert isinstance(reading, Reading)
        assert reading.at_least == reading.at_most == reading.now

    serve(tmp_path, story)
