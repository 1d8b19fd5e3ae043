"""A replay by hand: few bars, and every fill computed beforehand."""

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from plimsoll.bootstrap import DataDirectory, PaperDesk, paper_desk
from plimsoll.bots.hold import Hold
from plimsoll.bots.replay import Progress, Replay, last_quote, progress_of
from plimsoll.bots.replay_plan import ACCOUNT, BOT, DESK_CODE, PORTFOLIO, USER, ReplayPlan, set_up
from plimsoll.bots.strategy import Strategy, View, Wish
from plimsoll.desk.open_account import NewAccount, open_account
from plimsoll.desk.place_order import OrderAnswer, place_order
from plimsoll.ledger import keys
from plimsoll.ledger.database import create_from_template
from plimsoll.ledger.digest import digest
from plimsoll.ledger.verify import verify
from plimsoll.model.account import Account, Mode, Portfolio, User
from plimsoll.model.errors import CommandRefused
from plimsoll.model.ids import IntentKey
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import Intent, OrderTerms, OrderType, Side
from plimsoll.model.quote import Bar, Fact, Moment, SourceFacts
from plimsoll.risk.guards.drawdown import GuardStatus
from plimsoll.runtime.virtual_loop import VirtualClock, run_virtual
from plimsoll.store.drivers import LoopDriver
from plimsoll.store.scribe import Scribe
from plimsoll.store.sqlite import reader
from plimsoll.venues.paper.rules import PaperRules
from tests.builders.desk import FRICTIONLESS, bars
from tests.builders.paper import MINUTE, PERPETUAL, SPOT, START

D = Decimal
#: The replay's instrument is number one of its desk.
PERP = replace(PERPETUAL, id=SPOT.id)
BARS = SourceFacts("replay", frozenset({Fact.PRICE}), MINUTE)
PLAN = ReplayPlan("BTC/USDT:USDT", "sha256:abc", "10000", "scripted", (), "1", None, 0)


class Scripted:
    """A strategy that wishes what its script says at the n-th bar, and remembers how often it acted."""

    def __init__(self, script: Mapping[int, Wish]) -> None:
        self._script, self._bar, self._acted = dict(script), 0, 0
        self.seen: list[View] = []

    @property
    def name(self) -> str:
        return "scripted"

    def on_close(self, bar: Bar, view: View) -> Wish | None:
        self.seen.append(view)
        self._bar += 1
        return self._script.get(self._bar - 1)

    def warm(self, bar: Bar) -> None:
        self._bar += 1

    def state(self) -> dict[str, str]:
        return {"acted": str(self._acted)}

    def restore(self, state: Mapping[str, str]) -> None:
        self._acted = int(state.get("acted", "0"))

    def acted(self, side: Side, at: datetime) -> None:
        self._acted += 1


def buy(bar: int, quantity: str) -> dict[int, Wish]:
    return {bar: Wish(f"b{bar}", Side.BUY, quantity=D(quantity))}


def sell(bar: int, quantity: str) -> dict[int, Wish]:
    return {bar: Wish(f"s{bar}", Side.SELL, quantity=D(quantity), reduce_only=True)}


class Stop(Exception):
    """The run is killed here."""


@dataclass
class Recording:
    """A data directory and the bars that are replayed into it."""

    path: Path
    drawn: Sequence[Bar]
    script: Mapping[int, Wish] = field(default_factory=dict)
    plan: ReplayPlan = PLAN
    instrument: Instrument = PERP
    rules: PaperRules = FRICTIONLESS
    make: Callable[[], Strategy] | None = None
    #: Called after each bar.
    between: Callable[[Replay, datetime], Awaitable[None]] | None = None

    def __post_init__(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        self.directory = DataDirectory(self.path)
        if not self.directory.database.exists():
            create_from_template(self.directory.database)
            self.directory.chain_key_file.write_text("5e" * 32)
        self.starts = 0

    def play(self, *, kill_after: int | None = None, flush: bool = True) -> "Replay":
        """Replay from where it stands to the end, or to a kill after so many bars; with or without its last group."""
        begin = self._progress_on_disk()
        self.starts += 1

        async def main(clock: VirtualClock) -> Replay:
            scribes: list[Scribe] = []

            def drive(scribe: Scribe) -> LoopDriver:
                scribes.append(scribe)
                return LoopDriver(scribe, on_failure=_fail)

            desk = paper_desk(
                self.directory,
                {self.instrument.id: self.instrument},
                desk_code=DESK_CODE,
                account_id=ACCOUNT,
                clock=clock,
                chance=random.Random(self.starts),
                facts=BARS,
                drive=drive,
                rules=self.rules,
            )
            try:
                replay = await self._replay(desk, clock, kill_after)
            except Stop:
                if flush:
                    await desk.close()
                for scribe in [] if flush else scribes:
                    scribe.close()
                raise
            except BaseException:
                for scribe in scribes:
                    scribe.close()
                raise
            await desk.close()
            return replay

        return run_virtual(main, start=START if begin is None else begin.end)

    async def _replay(self, desk: PaperDesk, clock: VirtualClock, kill_after: int | None) -> Replay:
        await set_up(desk.ports, desk.venue, self.plan, self.instrument, clock.now())
        record = desk.ports.books.hot.get(keys.bot(BOT))
        strategy = Scripted(self.script) if self.make is None else self.make()
        worked = 0

        async def between(replay: Replay, end: datetime) -> None:
            nonlocal worked
            if self.between is not None:
                await self.between(replay, end)
            worked += 1
            if worked == kill_after:
                raise Stop

        replay = Replay(
            desk.ports,
            desk.venue,
            record,
            strategy,
            sleep_until=clock.sleep_until,
            between_bars=between,
            resume_after=None
            if self.plan.resume_after_minutes is None
            else timedelta(minutes=self.plan.resume_after_minutes),
        )
        done = 0 if replay.progress is None else replay.progress.bars
        assert (await replay.start(self.drawn[:done])).may_open
        await replay.run(self.drawn[done:])
        assert (await replay.finish()).may_open
        return replay

    def _progress_on_disk(self) -> Progress | None:
        rows = self.rows("SELECT value FROM meta WHERE name = 'replay_progress'")
        return progress_of(rows[0][0] if rows else None)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        engine = reader(self.directory.database)
        with engine.connect() as connection:
            found = [tuple(row) for row in connection.exec_driver_sql(sql)]
        engine.dispose()
        return found

    def fills(self) -> list[tuple[str, ...]]:
        """Give (side, quantity, price, second since the start) of each fill."""
        rows = self.rows("SELECT side, quantity, price, exec_time FROM trades ORDER BY id")
        return [(side, quantity, price, at[11:19]) for side, quantity, price, at in rows]

    def digest(self) -> str:
        engine = reader(self.directory.database)
        try:
            return digest(engine)
        finally:
            engine.dispose()

    def assert_sound(self) -> None:
        report = verify(self.directory.book, self.directory.chain_key(), None)
        assert report.ok, report.findings


def _fail(error: BaseException) -> None:
    raise error


Step = Callable[[Replay], Awaitable[OrderAnswer]]


def place(side: Side, quantity: str, *, price: str | None = None, stop: str | None = None, key: str) -> Step:
    """Order something that no strategy wishes for: a resting stop or limit that reduces."""

    async def order(replay: Replay) -> OrderAnswer:
        kind = OrderType.STOP if stop else OrderType.LIMIT if price else OrderType.MARKET
        terms = OrderTerms(
            PERP.id,
            side,
            kind,
            quantity=D(quantity),
            price=None if price is None else D(price),
            stop_price=None if stop is None else D(stop),
            reduce_only=True,
        )
        now = replay.ports.clock.now()
        answer = await place_order(
            replay.ports, Intent(IntentKey(key), ACCOUNT, PORTFOLIO, USER, terms, "manual", now, allow_repeat=True)
        )
        assert answer.approved, answer.checks_json
        return answer

    return order


def after_bar(number: int, *steps: Step) -> Callable[[Replay, datetime], Awaitable[None]]:
    async def between(replay: Replay, end: datetime) -> None:
        if end == START + (number + 1) * MINUTE:
            for step in steps:
                await step(replay)

    return between


# Where orders fill ----------------------------------------------------------------------------------------------------


def test_a_decision_on_a_close_is_filled_at_the_next_open(tmp_path: Path) -> None:
    drawn = bars(["100 101 99 100", "102 103 101 102.5", "104 105 103 104"], PERP)
    recording = Recording(tmp_path, drawn, {**buy(0, "2"), **sell(1, "2")})
    replay = recording.play()
    assert recording.fills() == [("BUY", "2", "102", "00:01:00"), ("SELL", "2", "104", "00:02:00")]
    assert replay.progress == Progress(3, START + 3 * MINUTE, D(104))
    assert recording.rows("SELECT realized_pnl, quantity FROM positions") == [("4", "0")]
    recording.assert_sound()


def test_a_decision_on_the_last_close_waits_for_an_open_that_never_comes(tmp_path: Path) -> None:
    recording = Recording(tmp_path, bars(["100 101 99 100"], PERP), buy(0, "2"))
    recording.play()
    assert recording.fills() == []
    assert recording.rows("SELECT state FROM orders") == [("NEW",)]


def test_slippage_and_fees_come_on_top_of_the_open(tmp_path: Path) -> None:
    """5 bps worse than 102 is 102.051; 2 of them are 204.102, and the fee of 0.1 % is 0.204102."""
    drawn = bars(["100 101 99 100", "102 103 101 102"], PERP)
    recording = Recording(tmp_path, drawn, buy(0, "2"), rules=PaperRules())
    recording.play()
    assert recording.fills() == [("BUY", "2", "102.051", "00:01:00")]
    assert recording.rows("SELECT fee, notional FROM trades") == [("0.204102", "204.102")]


def test_inside_a_bar_the_stop_comes_before_the_target(tmp_path: Path) -> None:
    """The bar touches both 95 and 110; nobody knows which came first, so the worse one did."""
    drawn = bars(["100 100 100 100", "102 103 101 102", "102 111 94 100", "100 100 100 100"], PERP)
    recording = Recording(tmp_path, drawn, buy(0, "2"))
    recording.between = after_bar(
        1, place(Side.SELL, "2", price="110", key="target"), place(Side.SELL, "2", stop="95", key="stop")
    )
    recording.play()
    assert recording.fills()[1:] == [("SELL", "2", "95", "00:03:00")]
    assert recording.rows("SELECT quantity, realized_pnl FROM positions") == [("0", "-14")]


def test_an_open_beyond_the_stop_is_what_there_was(tmp_path: Path) -> None:
    drawn = bars(["100 100 100 100", "102 102 102 102", "90 91 89 90"], PERP)
    recording = Recording(tmp_path, drawn, buy(0, "2"))
    recording.between = after_bar(1, place(Side.SELL, "2", stop="95", key="stop"))
    recording.play()
    assert recording.fills()[1:] == [("SELL", "2", "90", "00:02:00")]


def test_a_gap_in_the_recording_is_a_gap_in_time_and_nothing_is_invented_to_fill_it(tmp_path: Path) -> None:
    first, late = bars(["100 101 99 100", "102 103 101 102"], PERP)
    late = replace(late, start=START + timedelta(hours=6))
    recording = Recording(tmp_path, [first, late], buy(0, "2"))
    replay = recording.play()
    assert recording.fills() == [("BUY", "2", "102", "06:00:00")]
    assert replay.progress == Progress(2, START + timedelta(hours=6, minutes=1), D(102))


# The guard ------------------------------------------------------------------------------------------------------------

#: 10,000 in 95 at 100: 15 % is lost at 84.2, 20 % at 78.9.
FALL = ["100 100 100 100", "100 100 100 100", "100 100 84 84", "83 83 77 78", "76 77 75 76", "75 76 74 75"]


def test_a_countdown_that_ends_inside_a_bar_fills_at_that_bars_open(tmp_path: Path) -> None:
    recording = Recording(tmp_path, bars(FALL, PERP), buy(0, "95"))
    replay = recording.play()
    assert recording.fills() == [("BUY", "95", "100", "00:01:00"), ("SELL", "95", "76", "00:04:10")]
    assert replay.protector.episode.status is GuardStatus.LATCHED
    assert recording.rows("SELECT status, closed_count FROM guard_alerts") == [("LATCHED", 1)]
    recording.assert_sound()


def test_a_countdown_that_ends_in_a_gap_closes_at_the_first_open_after_it(tmp_path: Path) -> None:
    drawn = bars(FALL, PERP)
    drawn[4:] = [replace(bar, start=bar.start + timedelta(hours=2)) for bar in drawn[4:]]
    recording = Recording(tmp_path, drawn, buy(0, "95"))
    recording.play()
    assert recording.fills()[1:] == [("SELL", "95", "76", "02:04:00")]
    assert recording.rows("SELECT count(*) FROM risk_breaches WHERE action = 'CLOSED_POSITION'") == [(1,)]


def test_a_latched_account_stays_shut_unless_a_set_time_stands_in_for_the_person(tmp_path: Path) -> None:
    drawn = bars([*FALL, *["80 80 80 80"] * 6], PERP)
    script = {**buy(0, "95"), **{bar: Wish(f"w{bar}", Side.BUY, quantity=D(1)) for bar in range(5, 12)}}
    shut = Recording(tmp_path / "shut", drawn, script)
    shut.play()
    assert len(shut.fills()) == 2
    opened = Recording(tmp_path / "opened", drawn, script, replace(PLAN, resume_after_minutes=3))
    replay = opened.play()
    # Latched at 00:04:12, lifted by the first look three minutes later, at 00:08; filled from 00:08 on, bar by bar.
    assert [at for *_, at in opened.fills()[2:]] == ["00:08:00", "00:09:00", "00:10:00", "00:11:00"]
    assert replay.protector.episode.status is GuardStatus.CALM


def test_a_bot_sees_the_books_of_its_close(tmp_path: Path) -> None:
    drawn = bars(["100 100 100 100", "100 110 100 110", "110 110 110 110"], PERP)
    strategy = Scripted(buy(0, "50"))
    Recording(tmp_path, drawn, make=lambda: strategy).play()
    first, second, _third = strategy.seen
    assert (first.equity, first.position_quantity, first.pending, first.last_trade_at) == (D(10000), D(0), False, None)
    assert (second.equity, second.position_quantity, second.last_trade_at) == (D(10500), D(50), START + MINUTE)


# A kill and a resume --------------------------------------------------------------------------------------------------

WHOLE = [*FALL, *["80 81 79 80"] * 5]
SCRIPT = {**buy(0, "95"), **buy(8, "10"), **sell(9, "10")}


@pytest.fixture(scope="module")
def never_stopped(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    plan = replace(PLAN, resume_after_minutes=2)
    recording = Recording(tmp_path_factory.mktemp("whole"), bars(WHOLE, PERP), SCRIPT, plan)
    recording.play()
    return recording


@pytest.mark.parametrize("flush", [True, False], ids=["asked to stop", "killed before its last group"])
@pytest.mark.parametrize("kill_after", range(1, len(WHOLE) + 1))
def test_a_resumed_replay_ends_like_one_that_was_never_stopped(
    tmp_path: Path, never_stopped: Recording, kill_after: int, *, flush: bool
) -> None:
    """I18: killed after any bar, with or without the group that waited."""
    whole = never_stopped
    cut = Recording(tmp_path / "cut", bars(WHOLE, PERP), SCRIPT, whole.plan)
    with pytest.raises(Stop):
        cut.play(kill_after=kill_after, flush=flush)
    cut.play()
    assert cut.fills() == whole.fills()
    assert cut.digest() == whole.digest()
    assert cut.rows("SELECT value FROM meta ORDER BY name") == whole.rows("SELECT value FROM meta ORDER BY name")
    cut.assert_sound()


def test_a_replay_that_is_done_does_nothing_more(tmp_path: Path) -> None:
    recording = Recording(tmp_path, bars(FALL, PERP), buy(0, "95"))
    recording.play()
    before = (recording.digest(), recording.fills())
    replay = recording.play()
    assert (recording.digest(), recording.fills()) == before
    assert replay.progress is not None
    assert replay.progress.bars == len(FALL)


def test_the_same_recording_gives_the_same_digest(tmp_path: Path) -> None:
    digests = set()
    for name in ("one", "two"):
        recording = Recording(tmp_path / name, bars(WHOLE, PERP), SCRIPT)
        recording.play()
        digests.add(recording.digest())
    assert len(digests) == 1


def test_hold_buys_once_and_is_not_opened_again_after_the_guard_closed(tmp_path: Path) -> None:
    plan = replace(PLAN, strategy="hold", resume_after_minutes=1)
    recording = Recording(tmp_path, bars(WHOLE, PERP), plan=plan, make=Hold)
    recording.play()
    assert [side for side, *_ in recording.fills()] == ["BUY", "SELL"]


def test_spot_is_paid_in_full_from_the_spot_pocket(tmp_path: Path) -> None:
    plan = replace(PLAN, symbol="BTC/USDT")
    drawn = bars(["100 100 100 100", "100 100 100 100"], SPOT)
    recording = Recording(tmp_path, drawn, buy(0, "50"), plan, instrument=SPOT)
    recording.play()
    assert recording.rows("SELECT pocket, asset, amount FROM balances ORDER BY asset") == [
        ("spot", "BTC", "50"),
        ("spot", "USDT", "5000"),
    ]


def test_the_instruments_rules_are_told_anew_before_they_are_too_old(tmp_path: Path) -> None:
    """Control 11 believes them for an hour: an order after three hours is still approved."""
    drawn = bars(["100 100 100 100"] * 6, PERP, interval=MINUTE)
    hourly = [replace(bar, start=START + number * timedelta(minutes=40)) for number, bar in enumerate(drawn)]
    recording = Recording(tmp_path, hourly, buy(4, "2"))
    recording.play()
    assert len(recording.fills()) == 1


# Inputs ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        replace(PLAN, deposit="20000"),
        replace(PLAN, source="sha256:def"),
        replace(PLAN, params=(("share", "1"),)),
        replace(PLAN, seed=1),
        replace(PLAN, resume_after_minutes=5),
    ],
    ids=["deposit", "recording", "parameters", "seed", "resume"],
)
def test_other_inputs_into_the_same_directory_are_refused_and_nothing_is_written(
    tmp_path: Path, other: ReplayPlan
) -> None:
    recording = Recording(tmp_path, bars(FALL, PERP), buy(0, "95"))
    recording.play()
    before = recording.directory.database.read_bytes(), recording.digest()
    recording.plan = other
    with pytest.raises(CommandRefused, match="other_inputs"):
        recording.play()
    assert (recording.directory.database.read_bytes(), recording.digest()) == before


def test_a_desk_that_is_no_replay_is_not_made_one(tmp_path: Path) -> None:
    recording = Recording(tmp_path, bars(FALL, PERP))

    async def main(clock: VirtualClock) -> None:
        desk = paper_desk(
            recording.directory,
            {PERP.id: PERP},
            desk_code=DESK_CODE,
            account_id=ACCOUNT,
            clock=clock,
            chance=random.Random(0),
            facts=BARS,
            drive=lambda scribe: LoopDriver(scribe, on_failure=_fail),
        )
        new = NewAccount(
            User(USER, "u", "Ada", "trader", approved=True),
            Account(ACCOUNT, "a", USER, "mine", "paper", Mode.PAPER, "USDT", "live", "standard"),
            Portfolio(PORTFOLIO, "p", ACCOUNT, USER, "main"),
            (PERP,),
        )
        await desk.ports.books.write(lambda draft: open_account(draft, new, clock.now()))
        with pytest.raises(CommandRefused, match="other_inputs") as caught:
            await set_up(desk.ports, desk.venue, PLAN, PERP, clock.now())
        assert caught.value.refusals[0].limit == "a desk that is no replay"
        await desk.close()

    run_virtual(main, start=START)
    assert recording.rows("SELECT count(*) FROM meta") == [(0,)]


def test_progress_is_told_and_read_back_and_its_close_is_a_price_at_which_nothing_fills() -> None:
    progress = Progress(7, START + MINUTE, D("84.5"))
    assert progress_of(progress.text()) == progress
    assert progress_of(None) is None
    quote = last_quote(progress, PERP.id)
    assert (quote.bid, quote.ask, quote.last, quote.at, quote.moment) == (
        D("84.5"), D("84.5"), D("84.5"), START + MINUTE, Moment.CLOSE
    )  # fmt: skip
