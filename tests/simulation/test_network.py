"""The net does what the tape says and nothing else, and the adapter tells of everything that a stream may have lost."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import NoReturn

import pytest

from plimsoll.market.feed import FeedState
from plimsoll.model.errors import UnknownOutcome, WorldFailure
from plimsoll.model.order import Side
from plimsoll.model.quote import Bar, Quote
from plimsoll.model.venue import Movement, StreamGap, VenueEvent
from plimsoll.runtime.virtual_loop import VirtualClock
from tests.builders.approved import ACCOUNT, approved, id_of
from tests.simulation.adapter.feed import SimFeed
from tests.simulation.adapter.pace import VenueTime
from tests.simulation.adapter.scene import INSTRUMENTS, KEY, SPOT, START, D, Scene, at, personality_with, play
from tests.simulation.adapter.stream import SILENCE_SECONDS, AccountStream
from tests.simulation.adapter.venue import SimVenue
from tests.simulation.adapter.wire import Closed, HearBytes, Reply
from tests.simulation.exchange.personality import Resuming
from tests.simulation.hours.tape import Tape, tape_text
from tests.simulation.hours.weather import RISKS, Fault, Weather
from tests.simulation.network import Network, PriceLine

POST = "request POST /order"


def kinds(heard: list[VenueEvent]) -> list[str]:
    return [type(event).__name__ for event in heard]


def gaps(heard: list[VenueEvent]) -> list[str]:
    return [event.why for event in heard if isinstance(event, StreamGap)]


def listened(scene: Scene) -> list[VenueEvent]:
    heard: list[VenueEvent] = []
    scene.venue.listen(ACCOUNT, heard.extend)
    return heard


def _nothing(_told: object) -> None:
    """Take no note."""


# ---------------------------------------------------------------------------------------------------------- streams


def test_everything_that_happens_is_heard_once_and_in_order() -> None:
    """In fair weather: the order, its fill, the deposit, and for an hour not one gap."""

    async def story(scene: Scene) -> None:
        heard = listened(scene)
        await asyncio.sleep(1)
        await scene.venue.place(approved("a", Side.BUY, "0.01", scene.spot, price="49000"))
        await scene.price("48999", "48999.5")
        scene.exchange.deposit(KEY, "USDT", D(5))
        await asyncio.sleep(3_600)
        assert kinds(heard) == ["OrderReport", "TradeReport", "OrderReport", "Movement"]
        (trade,) = (await scene.venue.trades_since(ACCOUNT, 0)).trades
        assert heard[1] == trade

    play(story)


@pytest.mark.parametrize("resuming", list(Resuming))
def test_a_line_that_grows_old_is_replaced_without_a_gap(resuming: Resuming) -> None:
    """The exchange cuts what is open for a quarter of an hour; a new line speaks before the old one is closed."""

    async def story(scene: Scene) -> None:
        heard = listened(scene)
        for _ in range(500):
            await asyncio.sleep(7.3)
            scene.exchange.deposit(KEY, "USDT", D(1))
        assert kinds(heard[:-1]) == ["Movement"] * (len(heard) - 1)
        assert len(heard) >= 499
        streams = [what for _when, what in scene.asked if what.startswith("stream")]
        assert len(streams) >= 4

    play(story, personality_with(cut_after_seconds=900.0, resuming=resuming))


@pytest.mark.parametrize("count", [1, 3])
def test_a_message_that_does_not_come_is_a_gap(count: int) -> None:
    """Told by the next heartbeat where nothing follows; what comes then is news as ever."""

    async def story(scene: Scene) -> None:
        heard = listened(scene)
        await asyncio.sleep(6)
        for _ in range(count):
            scene.exchange.deposit(KEY, "USDT", D(1))
        await asyncio.sleep(6)
        assert gaps(heard) == [f"messages 2 to {count + 1} did not come"]
        scene.exchange.deposit(KEY, "USDT", D(2))
        await asyncio.sleep(1)
        assert [event.amount for event in heard if isinstance(event, Movement)] == [D(2)]

    lost = [at(f"event {KEY}", Fault.DROPPED, 0, passing) for passing in range(2, count + 2)]
    play(story, struck=lost)


def test_what_is_doubled_is_heard_once_and_what_is_overtaken_is_heard_late() -> None:
    """The number tells a repetition from news; what was overtaken was taken for lost until it came."""

    async def story(scene: Scene) -> None:
        heard = listened(scene)
        await asyncio.sleep(1)
        for amount in (1, 2, 3):
            scene.exchange.deposit(KEY, "USDT", D(amount))
        await asyncio.sleep(4)
        assert [event.amount for event in heard if isinstance(event, Movement)] == [D(1), D(3), D(2)]
        assert gaps(heard) == ["messages 3 to 3 did not come"]

    struck = [at(f"event {KEY}", Fault.DOUBLED, 2, 1), at(f"event {KEY}", Fault.OVERTAKEN, 2, 2)]
    play(story, struck=struck)


def test_a_cut_is_a_gap_and_a_new_line_goes_on() -> None:
    """Where the exchange repeats nothing, what was missed is told by the numbers as well."""

    async def story(scene: Scene) -> None:
        heard = listened(scene)
        await asyncio.sleep(10.2)
        scene.exchange.deposit(KEY, "USDT", D(1))
        await asyncio.sleep(10)
        assert gaps(heard) == ["the stream broke: the line broke", "messages 2 to 2 did not come"]
        scene.exchange.deposit(KEY, "USDT", D(2))
        await asyncio.sleep(1)
        assert [event.amount for event in heard if isinstance(event, Movement)] == [D(2)]

    play(story, struck=[at(f"stream {KEY}", Fault.CUT)])


def test_a_cut_is_no_gap_where_the_exchange_repeats() -> None:
    """It is asked from the last number on, and everything comes."""

    async def story(scene: Scene) -> None:
        heard = listened(scene)
        await asyncio.sleep(5.5)
        await asyncio.sleep(4.7)
        scene.exchange.deposit(KEY, "USDT", D(1))
        await asyncio.sleep(10)
        assert kinds(heard) == ["Movement"]

    play(story, personality_with(resuming=Resuming.SINCE), [at(f"stream {KEY}", Fault.CUT)])


@pytest.mark.parametrize("seconds", [10.0, 120.0])
def test_silence_is_noticed(seconds: float) -> None:
    """A line that is open and says nothing is given up after fifteen seconds; a shorter pause costs nothing."""

    async def story(scene: Scene) -> None:
        heard = listened(scene)
        await asyncio.sleep(10.2)
        scene.exchange.deposit(KEY, "USDT", D(1))
        await asyncio.sleep(30)
        if seconds < SILENCE_SECONDS:
            assert kinds(heard) == ["Movement"]
        else:
            assert gaps(heard) == ["the stream broke: nothing was heard for 15 s", "messages 2 to 2 did not come"]

    play(story, struck=[at(f"stream {KEY}", Fault.STALLED, seconds)])


class BrokenLine:
    """A line whose streams end at once, or never speak, or talk nonsense."""

    def __init__(self, closes: bool = True) -> None:
        self.closes = closes
        self.opened: list[float] = []
        self.hears: list[HearBytes] = []
        self.closeds: list[Closed] = []
        self.hung_up = 0

    async def request(self, method: str, path: str, params: object) -> Reply:
        raise NotImplementedError

    def stream(self, hear: HearBytes, closed: Closed, since: int | None) -> Callable[[], None]:
        loop = asyncio.get_running_loop()
        self.opened.append(loop.time())
        self.hears.append(hear)
        self.closeds.append(closed)
        if self.closes:
            loop.call_later(0.01, closed, "refused")
        return self._hang_up

    def _hang_up(self) -> None:
        self.hung_up += 1


def test_a_stream_that_cannot_be_opened_is_tried_for_ever_after_growing_pauses() -> None:
    """Each attempt is a gap; after the first minute there is one every half minute, and none after the end."""

    async def story(scene: Scene) -> None:
        line = BrokenLine()
        venue = SimVenue(line, ACCOUNT, INSTRUMENTS, scene.personality, scene.clock)
        heard: list[VenueEvent] = []
        venue.listen(ACCOUNT, heard.extend)
        await asyncio.sleep(600)
        pauses = [round(b - a, 1) for a, b in zip(line.opened, line.opened[1:], strict=False)]
        assert pauses[:8] == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
        assert set(pauses[8:]) == {30.0}
        assert gaps(heard) == ["the stream broke: refused"] * len(line.opened)
        venue.close()
        opened = len(line.opened)
        await asyncio.sleep(600)
        assert len(line.opened) == opened

    play(story)


@pytest.mark.parametrize(
    "words",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"n": "1", "e": "ledger"}',
        b'{"n": true, "e": "ledger"}',
        b'{"n": -1, "e": "ledger"}',
        b'{"n": 1, "e": "earthquake"}',
        b'{"n": 1, "e": "order", "symbol": "DOGE/USDT"}',
        b'{"n": 1, "e": "ledger", "id": "m1", "type": "GIFT"}',
        b'{"n": 1, "e": "fill", "tradeId": "1", "revision": 0, "price": "NaN"}',
        b'{"n": 1, "e": "fill", "tradeId": "1", "revision": 0, "price": 1.5}',
    ],
)
def test_words_that_nobody_knows_are_a_gap(words: bytes) -> None:
    """Nothing is raised into the loop, and the stream goes on."""

    async def story(scene: Scene) -> None:
        line = BrokenLine(closes=False)
        venue = SimVenue(line, ACCOUNT, INSTRUMENTS, scene.personality, scene.clock)
        heard: list[VenueEvent] = []
        venue.listen(ACCOUNT, heard.extend)
        line.hears[0](words)
        assert kinds(heard) == ["StreamGap"]
        line.hears[0](b'{"n": 1, "e": "heartbeat"}')
        assert len(heard) == 1
        venue.close()
        line.hears[0](b'{"n": 9, "e": "heartbeat"}')
        line.closeds[0]("late")
        assert (len(heard), line.hung_up) == (1, 1)

    play(story)


def test_a_line_that_breaks_while_it_is_replaced_is_a_gap() -> None:
    """Whichever of the two goes first, one is left or opened anew, and who listens is told what was lost."""

    async def story(scene: Scene) -> None:
        line = BrokenLine(closes=False)
        told: list[str] = []
        stream = AccountStream(line, _nothing, told.append, resumes=False, cut_after_seconds=100)

        async def beat_until(lines: int) -> None:
            while len(line.opened) < lines:
                line.hears[len(line.opened) - 1](b'{"n": 4, "e": "heartbeat"}')
                await asyncio.sleep(5)

        stream.open()
        await beat_until(2)
        line.closeds[1]("the new one")
        assert told == []
        line.hears[0](b'{"n": 4, "e": "heartbeat"}')
        await asyncio.sleep(14)
        line.hears[0](b'{"n": 4, "e": "heartbeat"}')
        await asyncio.sleep(14)
        line.hears[0](b'{"n": 4, "e": "heartbeat"}')
        await asyncio.sleep(3)
        assert len(line.opened) == 3
        line.closeds[0]("the old one")
        assert told == ["the stream broke while it was being replaced: the old one"]
        line.hears[2](b'{"n": 4, "e": "heartbeat"}')
        line.closeds[2]("the last one")
        await asyncio.sleep(0.6)
        assert len(line.opened) == 4
        assert told[1:] == ["the stream broke: the last one"]
        stream.close()

    play(story)


# ------------------------------------------------------------------------------------------------------- processes


def test_a_request_of_a_dead_process_still_arrives() -> None:
    """It belongs to the world; its answer reaches nobody, and the dead one's stream is closed for it."""

    async def story(scene: Scene) -> None:
        async def send() -> None:
            await scene.venue.place(approved("a", Side.BUY, "0.01", scene.spot))
            raise AssertionError("a dead process hears nothing")

        await scene.venue.account(ACCOUNT)
        scene.loop.spawn("desk-1", send())
        await asyncio.sleep(0)
        scene.loop.kill("desk-1")
        scene.network.hang_up()
        await asyncio.sleep(10)
        assert scene.exchange.truth(KEY).accepted == {id_of("a"): 1}

    play(story)


@pytest.mark.parametrize(("fault", "accepted"), [(Fault.CRASH_BEFORE, 0), (Fault.CRASH_AFTER, 1)])
def test_a_process_crashes_before_or_after_a_request(fault: Fault, accepted: int) -> None:
    """Before: nothing left. After: it was carried out, and nobody heard so."""

    async def story(scene: Scene) -> None:
        async def crash() -> NoReturn:
            await scene.loop.crash()

        network = Network(scene.exchange, KEY, scene.tape, scene.loop, crash=crash)
        venue = SimVenue(network, ACCOUNT, INSTRUMENTS, scene.personality, scene.clock)

        async def send() -> None:
            await venue.place(approved("a", Side.BUY, "0.01", scene.spot))
            raise AssertionError("a dead process hears nothing")

        task = scene.loop.spawn("desk-1", send())
        await asyncio.sleep(10)
        assert not task.done()
        assert scene.exchange.truth(KEY).accepted == ({id_of("a"): 1} if accepted else {})

    play(story, struck=[at(POST, fault)])


def test_a_frozen_process_hears_everything_when_it_is_thawed() -> None:
    """The answer and the news wait for it; meanwhile the exchange went on."""

    async def story(scene: Scene) -> None:
        heard: list[VenueEvent] = []
        states: list[str] = []

        async def live() -> None:
            scene.venue.listen(ACCOUNT, heard.extend)
            await asyncio.sleep(1)
            states.append(str((await scene.venue.place(approved("a", Side.BUY, "0.01", scene.spot))).order.state))

        await scene.venue.account(ACCOUNT)
        scene.loop.spawn("desk-1", live())
        await asyncio.sleep(1.001)
        scene.loop.freeze("desk-1")
        await asyncio.sleep(3)
        assert (states, heard) == ([], [])
        scene.loop.thaw("desk-1")
        await asyncio.sleep(0.2)
        assert states == ["FILLED"]
        assert kinds(heard) == ["OrderReport", "TradeReport", "OrderReport"]

    play(story)


def test_a_clogged_line_lets_everything_through_at_once() -> None:
    """What was given up on meanwhile is refused there, because it says when it was sent."""

    async def story(scene: Scene) -> None:
        await scene.venue.account(ACCOUNT)
        scene.network.clog(4)
        placed = await scene.venue.place(approved("a", Side.BUY, "0.01", scene.spot))
        assert placed.order.filled_quantity == D("0.01")
        assert 4 < scene.loop.time() < 6
        scene.network.clog(30)
        with pytest.raises(Exception, match="not answered"):
            await scene.venue.place(approved("b", Side.BUY, "0.01", scene.spot))
        await asyncio.sleep(40)
        assert scene.exchange.truth(KEY).accepted == {id_of("a"): 1}

    play(story)


def test_who_asks_although_he_was_told_to_wait_is_written_down_and_banned_for_longer() -> None:
    """The net holds the asker to it, whoever he is."""

    async def story(scene: Scene) -> None:
        first = await scene.network.request("GET", "/time", {})
        assert (first.status, json.loads(first.body)["retryAfter"]) == (418, 5)
        again = await scene.network.request("GET", "/time", {})
        assert json.loads(again.body)["retryAfter"] > 60
        await asyncio.sleep(66)
        assert (await scene.network.request("GET", "/time", {})).status == 200

    scene = play(story, struck=[at("request GET /time", Fault.BANNED, 5)])
    (sentence,) = scene.address.impatient
    assert "GET /time" in sentence


def test_who_asks_too_often_is_told_so() -> None:
    """Above the documented number in one minute; the next minute is another."""

    async def story(scene: Scene) -> None:
        replies = await asyncio.gather(*(scene.network.request("GET", "/time", {}) for _ in range(6_001)))
        assert sorted(reply.status for reply in replies)[-2:] == [200, 429]
        await asyncio.sleep(61)
        assert (await scene.network.request("GET", "/time", {})).status == 200

    play(story)


# ---------------------------------------------------------------------------------------------------------- prices


def test_a_price_is_passed_on_and_what_is_none_is_dropped() -> None:
    """No number, zero, below zero, one side alone: counted, and nothing of it reaches the desk."""

    async def story(scene: Scene) -> None:
        line = PriceLine(scene.exchange, scene.tape, scene.loop)
        feed = SimFeed(line, [SPOT], scene.clock)
        quotes: list[Quote] = []

        def no_bars(bar: Bar) -> None:
            raise AssertionError("an exchange that tells no bars shows none")

        running = asyncio.create_task(feed.run(quotes.append, no_bars))
        await asyncio.sleep(0)
        states = [feed.status.state]
        for price in range(50_000, 50_024):
            await scene.price(f"{price}", f"{price}.01")
        states.append(feed.status.state)
        assert len(quotes) + feed.dropped.total() == 24
        assert len(quotes) < 24 > feed.dropped.total() > 0
        assert all(49_000 < quote.bid <= quote.ask < 51_000 and quote.instrument_id == SPOT.id for quote in quotes)
        assert [quote.at for quote in quotes] == sorted(quote.at for quote in quotes)
        await asyncio.sleep(6)
        assert [*states, feed.status.state] == [FeedState.CONNECTING, FeedState.RUNNING, FeedState.DOWN]
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        seen = len(quotes)
        await scene.price("50000", "50000.01")
        assert len(quotes) == seen
        assert await feed.describe() == (SPOT,)
        assert await feed.bars(SPOT.id, timedelta(minutes=1), 5) == ()
        line.hang_up()

    struck = [at(f"quote {SPOT.symbol}", Fault.NO_NUMBER, 0, passing) for passing in range(1, 24)]
    play(story, struck=struck)


def test_prices_freeze_and_jump_and_clocks_step_back() -> None:
    """A frozen market says nothing, a bad tick is ten times off, a clock set back drops prices until it caught up."""

    async def story(scene: Scene) -> None:
        line = PriceLine(scene.exchange, scene.tape, scene.loop)
        feed = SimFeed(line, INSTRUMENTS.values(), scene.clock)
        quotes: list[Quote] = []
        running = asyncio.create_task(feed.run(quotes.append, _nothing))
        await asyncio.sleep(0)
        for _ in range(12):
            await scene.price("49999.99", "50000")
        of_spot = [quote.bid for quote in quotes if quote.instrument_id == SPOT.id]
        # The first is ten times too high, the second a tenth; four are frozen.
        assert of_spot[:2] == [of_spot[-1] * 10, of_spot[-1] / 10]
        assert len(of_spot) == 8
        scene.clock.skew -= timedelta(seconds=3)
        for _ in range(8):
            await scene.price("49999.99", "50000")
        assert 10 <= feed.dropped["late"] <= 12
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    site = f"quote {SPOT.symbol}"
    struck = [at(site, Fault.BAD_TICK, 0, 1), at(site, Fault.BAD_TICK, 0, 2), at(site, Fault.FROZEN_PRICE, 1.9, 4)]
    play(story, struck=struck)


# ------------------------------------------------------------------------------------------------------------ time


def test_the_time_of_the_exchange_is_never_overstated() -> None:
    """Every answer bounds it from both sides, and what is said lies at the lower bound."""

    async def story(scene: Scene) -> None:
        slept = VenueTime(scene.clock.monotonic)
        assert slept.now() is None
        world = VirtualClock(scene.loop, START)
        for _ in range(200):
            await scene.venue.account(ACCOUNT)
            await asyncio.sleep(0.37)
            now = scene.venue._time.now()
            assert now is not None
            assert timedelta(milliseconds=0) <= world.now() - now < timedelta(milliseconds=120)

    slow = [at("request GET /account", Fault.SLOW, 3, passing) for passing in (20, 21, 22, 23)]
    play(story, struck=slow)


def test_a_stopwatch_that_stood_still_is_found_out() -> None:
    """Over a laptop's sleep the hour runs on and the stopwatch does not: the next answer counts alone."""
    ticks = [100.0]
    time = VenueTime(lambda: ticks[0])
    time.hear(START, 99.9)
    assert time.now() == START
    ticks[0] = 101.0
    time.hear(START + timedelta(hours=8), 100.95)
    assert time.now() == START + timedelta(hours=8)
    ticks[0] = 110.0
    time.hear(START + timedelta(hours=8, seconds=5), 103.0)
    # A slow answer bounds less closely than what is known, and takes nothing from it.
    assert time.now() == START + timedelta(hours=8, seconds=9)


# ------------------------------------------------------------------------------------------------------------ seeds


def _storm(seed: int) -> tuple[str, list[tuple[float, str]], list[str]]:
    """Let a storm blow over a line for some minutes; give everything that could differ."""
    menu: dict[str, tuple[object, ...]] = {}
    for risk in RISKS:
        if risk.site in ("request", "event", "stream") and "crash" not in risk.name:
            menu[risk.site] = (*menu.get(risk.site, ()), risk)
    tape = Tape(seed, Weather(menu))  # type: ignore[arg-type]
    heard: list[VenueEvent] = []

    async def story(scene: Scene) -> None:
        scene.venue.listen(ACCOUNT, heard.extend)
        for number in range(60):
            side = (Side.BUY, Side.SELL)[number % 2]
            for asked in (
                lambda n=number, s=side: scene.venue.place(approved(f"{n}", s, "0.01", scene.perpetual)),
                lambda: scene.venue.trades_since(ACCOUNT, 0),
                lambda: scene.venue.account(ACCOUNT),
            ):
                try:
                    await asked()
                except Exception as failure:  # noqa: BLE001  whatever it is, it must be the same again
                    scene.asked.append((scene.loop.time(), repr(failure)))
            await asyncio.sleep(2)

    scene = play(story, tape=tape)
    assert scene.address.impatient == []
    return tape_text(tape.struck), scene.asked, [repr(event) for event in heard]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_same_seed_is_the_same_storm(seed: int) -> None:
    """Every fault, every request, every word heard, to the microsecond; another seed is another one."""
    assert _storm(seed) == _storm(seed)
    assert _storm(seed) != _storm(seed + 1)


@pytest.mark.parametrize("seed", range(10, 20))
def test_in_a_storm_every_outcome_is_told_as_what_it_is(seed: int) -> None:
    """Placed: it is there. Refused or not sent: it is not, and never will be. Everything else is unknown."""
    menu = {"request": tuple(risk for risk in RISKS if risk.site == "request" and "crash" not in risk.name)}
    said: dict[str, str] = {}

    async def story(scene: Scene) -> None:
        for number in range(80):
            key = f"{number}"
            order = approved(key, (Side.BUY, Side.SELL)[number % 2], "0.01", scene.perpetual)
            said[id_of(key)] = await _said(scene.venue.place(order))
            await asyncio.sleep(3)
        await asyncio.sleep(120)
        accepted = scene.exchange.truth(KEY).accepted
        for name, word in said.items():
            assert accepted[name] <= 1
            assert word == "unknown" or accepted[name] == (1 if word == "placed" else 0), (name, word)

    window = (1.0, 5.0, None)[seed % 3]
    scene = play(story, personality_with(recv_window_seconds=window), tape=Tape(seed, Weather(menu)))
    assert set(said.values()) >= {"placed", "unknown"}
    assert scene.address.impatient == []


async def _said(placing: Awaitable[object]) -> str:
    try:
        await placing
    except UnknownOutcome:
        return "unknown"
    except WorldFailure:
        return "not there"
    return "placed"
