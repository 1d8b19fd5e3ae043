"""Prices on their way in: at once on the board, in order to those who wait, never more in line than can be held."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from plimsoll.desk.price_line import LIMIT, PriceLine
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import OrderState
from plimsoll.model.quote import Bar, Moment, Quote, SourceFacts
from plimsoll.store.connection import CommitUnclear, StoreFailed
from plimsoll.venues.paper.venue import PaperVenue
from tests.builders.desk import LIVE
from tests.builders.paper import BARS, MINUTE, PERPETUAL, SPOT
from tests.builders.served import Served, serve

D = Decimal


@dataclass
class Lined:
    """A desk whose prices go through a line that the test works off by hand."""

    desk: Served
    decided: list[Bar] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.venue = self.desk.paper.venue
        self.line = PriceLine(self.desk.ports.board, self.venue, self.decided.append)

    def quote(self, price: str, *, after: int = 0, of: Instrument = SPOT, moment: Moment = Moment.LIVE) -> Quote:
        at = self.desk.clock.now() + timedelta(microseconds=after)
        return Quote(of.id, at, D(price), D(price), D(price), moment=moment)

    def bar(self, first: str, high: str, low: str, last: str) -> Bar:
        return Bar(SPOT.id, self.desk.clock.now(), MINUTE, D(first), D(high), D(low), D(last))

    async def work_off(self) -> None:
        while len(self.line):
            await self.line.work()
        await self.desk.ports.settled()


def lined(path: Path, story: Callable[[Lined], Coroutine[object, object, object]], source: SourceFacts = LIVE) -> None:
    async def whole(desk: Served) -> None:
        # The attendant's own line is idle: nobody shows it anything.
        await desk.market("50000", 2)
        await story(Lined(desk))

    serve(path, whole, source=source)


def test_while_nobody_waits_prices_are_seen_and_none_is_in_line(tmp_path: Path) -> None:
    async def story(lined: Lined) -> None:
        for after in range(5_000):
            assert lined.line.take(lined.quote(str(50_000 + after), after=after))
        assert len(lined.line) == 0
        assert lined.desk.ports.board.view()[SPOT.id].last == D(54_999)
        assert (await lined.desk.buy("0.01")).approved
        assert lined.desk.rows("SELECT price FROM trades") == [("54999",)], "the venue has seen it too"

    lined(tmp_path, story)


def test_a_quote_older_than_the_last_is_ignored_by_everybody(tmp_path: Path) -> None:
    async def story(lined: Lined) -> None:
        assert lined.line.take(lined.quote("51000", after=10))
        assert not lined.line.take(lined.quote("10", after=9))
        assert lined.desk.ports.board.view()[SPOT.id].last == D(51_000)

    lined(tmp_path, story)


def test_an_order_that_waits_is_shown_every_quote_in_its_order(tmp_path: Path) -> None:
    """A dip between two quotes of a slow moment fills the limit that it touched."""

    async def story(lined: Lined) -> None:
        assert (await lined.desk.buy("0.01", price="49000")).approved
        for after, price in enumerate(("49500", "48999", "49500")):
            lined.line.take(lined.quote(price, after=after))
        assert lined.desk.ports.board.view()[SPOT.id].last == D(49_500), "the board does not wait for the venue"
        assert len(lined.line) == 3
        await lined.work_off()
        assert lined.desk.states() == [OrderState.FILLED]

    lined(tmp_path, story)


def test_a_desk_that_is_too_slow_skips_quotes_and_counts_them(tmp_path: Path) -> None:
    async def story(lined: Lined) -> None:
        assert (await lined.desk.buy("0.01", price="49000")).approved
        for after in range(LIMIT + 500):
            lined.line.take(lined.quote("50000", after=after))
        assert (len(lined.line), lined.line.skipped) == (LIMIT, 500)
        lined.line.take(lined.quote("48999", after=9_999))
        await lined.work_off()
        assert lined.desk.states() == [OrderState.FILLED], "the newest is shown in any case"

    lined(tmp_path, story)


def test_once_nobody_waits_any_more_the_newest_replaces_what_is_in_line(tmp_path: Path) -> None:
    async def story(lined: Lined) -> None:
        waiting = await lined.desk.buy("0.01", price="49000")
        lined.line.take(lined.quote("50000"))
        await lined.venue.cancel(lined.desk.ports.account_id, waiting.client_order_id)
        for after in range(100):
            lined.line.take(lined.quote(str(50_001 + after), after=after))
        assert (len(lined.line), lined.line.skipped) == (1, 0)
        await lined.work_off()
        assert (await lined.desk.buy("0.01")).approved
        assert lined.desk.rows("SELECT price FROM trades") == [("50100",)]

    lined(tmp_path, story)


def test_what_is_being_shown_is_not_replaced(tmp_path: Path) -> None:
    async def story(lined: Lined) -> None:
        assert (await lined.desk.buy("0.01", price="49000")).approved
        lined.line.take(lined.quote("48999"))
        showing = asyncio.create_task(lined.line.work())
        await asyncio.sleep(0)
        lined.line.take(lined.quote("50000", after=1))
        assert len(lined.line) == 2
        await showing
        await lined.work_off()
        assert lined.desk.rows("SELECT price FROM trades") == [("49000",)], "at its limit"

    lined(tmp_path, story)


def test_a_told_bar_is_shown_before_its_close_and_decided_after_it(tmp_path: Path) -> None:
    async def story(lined: Lined) -> None:
        assert (await lined.desk.buy("0.01", price="49000")).approved
        lined.line.take(lined.quote("50000", moment=Moment.OPEN))
        bar = lined.bar("50000", "50100", "48900", "50050")
        await lined.work_off()
        await lined.desk.wait(60)
        lined.line.take_bar(bar, [bar])
        await lined.work_off()
        assert lined.desk.states() == [OrderState.FILLED], "its low is below the limit"
        assert lined.decided == [], "the close is not there yet"
        lined.line.take(bar.close_quote())
        await lined.work_off()
        assert lined.decided == [bar]

    lined(tmp_path, story, BARS)


def test_bars_that_nobody_waits_for_are_decided_at_their_close(tmp_path: Path) -> None:
    async def story(lined: Lined) -> None:
        bar = lined.bar("50000", "50100", "48900", "50050")
        lined.line.take_bar(bar, [bar])
        await lined.desk.wait(60)
        lined.line.take(lined.quote("7", of=PERPETUAL))
        assert lined.decided == [], "another instrument's price closes nothing"
        lined.line.take(bar.close_quote())
        assert (lined.decided, len(lined.line)) == ([bar], 0)

    lined(tmp_path, story, BARS)


def test_a_bar_made_of_quotes_stands_behind_the_quote_that_closed_it(tmp_path: Path) -> None:
    async def story(lined: Lined) -> None:
        assert (await lined.desk.buy("0.01", price="49000")).approved
        bar = lined.bar("50000", "50100", "49900", "50050")
        lined.line.take(lined.quote("48900"))
        lined.line.hand_on([bar])
        lined.line.take(lined.quote("50000", after=1))
        assert (lined.decided, len(lined.line)) == ([], 3)
        await lined.line.work()
        assert lined.decided == []
        await lined.line.work()
        assert lined.decided == [bar]
        await lined.work_off()
        assert lined.desk.held() == D("0.01")

    lined(tmp_path, story)


class Gate:
    """The paper venue's books, which fail when they are told to."""

    def __init__(self, venue: PaperVenue, failure: Exception) -> None:
        self._venue, self._driver, self._failure = venue, venue._driver, failure
        self.hot = self._driver.hot
        venue._driver = self  # type: ignore[assignment]

    async def write(self, _unit: object) -> object:
        raise self._failure

    def open(self) -> None:
        self._venue._driver = self._driver


def test_a_bar_that_the_venue_could_not_take_is_shown_again_and_a_quote_is_not(tmp_path: Path) -> None:
    async def story(lined: Lined) -> None:
        assert (await lined.desk.buy("0.01", price="49000")).approved
        bar = lined.bar("50000", "50100", "48900", "50050")
        gate = Gate(lined.venue, StoreFailed("disk full"))
        lined.line.take(lined.quote("48999"))
        lined.line.take_bar(bar, [])
        with pytest.raises(StoreFailed):
            await lined.line.work()
        for _ in range(3):
            with pytest.raises(StoreFailed):
                await lined.line.work()
            assert len(lined.line) == 1, "the quote is given up, the bar stays"
        gate.open()
        await lined.work_off()
        assert lined.desk.states() == [OrderState.FILLED]

    lined(tmp_path, story, BARS)


def test_a_bar_that_the_venue_may_have_taken_is_not_shown_twice(tmp_path: Path) -> None:
    async def story(lined: Lined) -> None:
        assert (await lined.desk.buy("0.01", price="49000")).approved
        gate = Gate(lined.venue, CommitUnclear("it may have happened"))
        lined.line.take_bar(lined.bar("50000", "50100", "48900", "50050"), [])
        with pytest.raises(CommitUnclear):
            await lined.line.work()
        assert len(lined.line) == 0
        gate.open()
        assert lined.desk.states() == [OrderState.NEW]

    lined(tmp_path, story, BARS)


def test_a_paper_disk_that_is_full_keeps_no_price_from_the_board(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        await desk.market("50000", 2)
        assert (await desk.buy("0.01", price="49000")).approved
        gate = Gate(desk.paper.venue, StoreFailed("disk full"))
        await desk.market("48000", 5)
        assert "prices: disk full" in desk.attendant.attendance().failing
        assert desk.ports.board.view()[SPOT.id].last == D(48_000)
        gate.open()
        await desk.market("48000", 3)
        assert desk.states() == [OrderState.FILLED]
        assert desk.attendant.attendance().failing == ""

    serve(tmp_path, story)


def test_bars_told_by_the_source_reach_those_who_decide(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        heard: list[Bar] = []

        async def decide(bar: Bar) -> None:
            heard.append(bar)

        desk.attendant.on_bar_closed(desk.candles, decide)
        bar = Bar(SPOT.id, desk.clock.now(), MINUTE, D(50_000), D(50_000), D(50_000), D(50_000))
        await desk.wait(60)
        desk.attendant.take_bar(bar)
        desk.attendant.take(bar.close_quote())
        await desk.wait(0.1)
        assert heard == [bar]

    serve(tmp_path, story, source=BARS)
