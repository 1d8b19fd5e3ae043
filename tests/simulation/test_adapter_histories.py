"""Whoever follows the histories and keeps what is settled has every fact once, however the exchange cuts its pages."""

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TypeVar

import pytest

from plimsoll.model.clock import EPOCH
from plimsoll.model.errors import TryAgain, WorldFailure
from plimsoll.model.trade import TradeEffect, TradeKey, TradeReport
from plimsoll.model.venue import Movement, MovementPage, TradePage
from tests.builders.approved import ACCOUNT
from tests.simulation.adapter.pages import history_of
from tests.simulation.adapter.parse import Row
from tests.simulation.adapter.scene import INSTRUMENTS, KEY, PERPETUAL, SPOT, D, Scene, personality_with, play
from tests.simulation.exchange.personality import Correcting, Ids, Paging
from tests.simulation.exchange.truth import TrueFill, TrueMovement, Truth
from tests.simulation.hours.tape import Tape
from tests.simulation.hours.weather import FAIR, RISKS, Weather

T = TypeVar("T")
MICROSECOND = timedelta(microseconds=1)


@dataclass(slots=True)
class Follower:
    """Sweeps both histories as the desk does: pages on by the cursor, keeps what is settled."""

    scene: Scene
    trades: dict[TradeKey, TradeReport] = field(default_factory=dict)
    movements: dict[str, Movement] = field(default_factory=dict)
    kept_trades: int = 0
    kept_movements: int = 0

    async def sweep(self) -> None:
        await self._pages(self._trades_page)
        await self._pages(self._movements_page)

    async def _pages(self, ask: Callable[[int | None], Awaitable[TradePage | MovementPage]]) -> None:
        cursor: int | None = None
        for _ in range(1_000):
            page = await ask(cursor)
            if page.complete:
                return
            assert cursor is None or page.cursor > cursor, "a page that is not the last one leads on"
            cursor = page.cursor
        raise AssertionError("the history has no end")

    async def _trades_page(self, cursor: int | None) -> TradePage:
        page = await self.scene.venue.trades_since(ACCOUNT, self.kept_trades if cursor is None else cursor)
        for trade in page.trades:
            assert self.trades.setdefault(trade.key, trade) == trade, "a fact never changes"
        assert page.kept >= self.kept_trades, "what was settled stays settled"
        self.kept_trades = page.kept
        return page

    async def _movements_page(self, cursor: int | None) -> MovementPage:
        page = await self.scene.venue.movements_since(ACCOUNT, self.kept_movements if cursor is None else cursor)
        for movement in page.movements:
            assert self.movements.setdefault(movement.reference, movement) == movement, "a fact never changes"
        assert page.kept >= self.kept_movements, "what was settled stays settled"
        self.kept_movements = page.kept
        return page

    def check(self, truth: Truth) -> None:
        """Compare with what was true when the histories had all of it: each fact, to the last word, none made up."""
        now = self.scene.exchange.truth(KEY)
        heard = {_told_trade(one) for one in self.trades.values()}
        assert {_true_trade(one) for one in truth.fills} <= heard <= {_true_trade(one) for one in now.fills}
        moved = {_told_movement(one) for one in self.movements.values()}
        assert (
            {_true_movement(one) for one in truth.movements} <= moved <= {_true_movement(one) for one in now.movements}
        )


def _told_trade(one: TradeReport) -> tuple[object, ...]:
    amounts = (one.side, one.quantity, one.price, one.fee, one.fee_currency, one.realized_cash)
    names = (one.instrument_id, one.broker_trade_id, one.revision, one.effect, one.broker_order_id, one.client_order_id)
    return (*names, *amounts, one.sequence, one.leg, one.made_by, (one.exec_time - EPOCH) // MICROSECOND)


def _true_trade(one: TrueFill) -> tuple[object, ...]:
    amounts = (one.side, one.quantity, one.price, one.fee, one.fee_asset, one.realized)
    ids = {instrument.symbol: instrument.id for instrument in INSTRUMENTS.values()}
    names = (ids[one.symbol], one.trade_id, one.revision, one.effect, one.order_id, one.client_order_id)
    return (*names, *amounts, one.seq, one.leg, one.made_by, one.at_us)


def _told_movement(one: Movement) -> tuple[object, ...]:
    return (one.reference, str(one.kind), one.asset, one.amount, one.pocket, (one.at - EPOCH) // MICROSECOND)


def _true_movement(one: TrueMovement) -> tuple[object, ...]:
    return (one.id, one.type, one.asset, one.amount, one.pocket, one.at_us)


def let_something_happen(scene: Scene, chance: random.Random) -> None:
    """Trade, by hand or by order, take something back, move money."""
    exchange = scene.exchange
    exchange.trade_at(SPOT.symbol, D(chance.randrange(49_000, 51_000)))
    exchange.trade_at(PERPETUAL.symbol, D(chance.randrange(49_000, 51_000)))
    for _ in range(chance.choice((0, 1, 1, 4))):
        exchange.trade_by_hand(KEY)
    happening = chance.randrange(8)
    if happening == 0:
        exchange.bust_last(KEY)
    elif happening == 1:
        exchange.correct_last(KEY)
    elif happening == 2:
        for asset in ("USDT", "BNB", "USDT"):
            exchange.deposit(KEY, asset, D(chance.randrange(1, 50)))
    elif happening == 3:
        exchange.withdraw(KEY, "USDT", D(chance.randrange(1, 50)))


@pytest.mark.parametrize("lag", [0.0, 20.0])
@pytest.mark.parametrize("page_size", [1, 3, 100])
@pytest.mark.parametrize("paging", list(Paging))
@pytest.mark.parametrize("storm", [False, True])
def test_a_follower_has_every_fact_once(paging: Paging, page_size: int, lag: float, storm: bool) -> None:
    """Pages of any size, lags, both ways of numbering and correcting, lost answers, restarts: nothing is missed."""
    seed = list(Paging).index(paging) * 10_000 + page_size * 100 + int(lag) * 2 + storm
    chance = random.Random(seed)
    personality = personality_with(
        paging=paging,
        page_size=page_size,
        history_lag_seconds=lag,
        ids=chance.choice(tuple(Ids)),
        correcting=chance.choice(tuple(Correcting)),
        hedging=chance.random() < 0.3,
        funding_seconds=45.0,
        interest_seconds=60.0,
    )
    risks = tuple(
        replace(risk, most=risk.most / 2) for risk in RISKS if risk.site == "request" and "crash" not in risk.name
    )
    weather = Weather({"request": tuple(one for one in risks if "banned" not in one.name)}) if storm else FAIR

    async def story(scene: Scene) -> None:
        follower = Follower(scene)
        for _ in range(40):
            let_something_happen(scene, chance)
            await asyncio.sleep(chance.choice((0.0, 0.0, 0.001, 0.5, 8.0)))
            if chance.random() < 0.25:
                await _try(follower.sweep())
            if chance.random() < 0.05:
                await scene.restart()
        scene.tape.quiet = True
        truth = scene.exchange.truth(KEY)
        await asyncio.sleep(lag + 61)
        await follower.sweep()
        follower.check(truth)
        scene.exchange.check()
        # Later it asks for nothing twice.
        await asyncio.sleep(lag + 120)
        await follower.sweep()
        assert (await scene.venue.trades_since(ACCOUNT, follower.kept_trades)).trades == ()

    scene = play(story, personality, tape=Tape(seed, weather))
    assert scene.address.impatient == []


async def _try(sweep: Awaitable[None]) -> None:
    # What was kept is kept, and the next sweep goes on from there.
    with suppress(WorldFailure):
        await sweep


@pytest.mark.parametrize("many", [1, 2, 3, 7, 40])
@pytest.mark.parametrize("page_size", [1, 2, 3])
def test_facts_of_one_millisecond_come_through_a_small_page(page_size: int, many: int) -> None:
    """A page that is one millisecond from end to end is asked for again, longer; it is never asked for for ever."""

    async def story(scene: Scene) -> None:
        for _ in range(many):
            scene.exchange.deposit(KEY, "USDT", D(1))
        follower = Follower(scene)
        await follower.sweep()
        follower.check(scene.exchange.truth(KEY))
        assert len(follower.movements) == many + 1

    play(story, personality_with(paging=Paging.TIME, page_size=page_size))


def test_a_millisecond_that_no_page_holds_is_said_and_not_skipped() -> None:
    """Above the longest page there is no way to the next one: better no answer than a hole."""

    async def story(scene: Scene) -> None:
        for _ in range(1_001):
            scene.exchange.deposit(KEY, "USDT", D(1))
        with pytest.raises(TryAgain, match="of one millisecond"):
            await Follower(scene).sweep()

    play(story, personality_with(paging=Paging.TIME))


def test_what_is_settled_lies_behind_the_lag_and_a_minute() -> None:
    """A fact that may still get an earlier neighbour is asked for again; one that is older is not."""
    for paging, lag in itertools.product(Paging, (0.0, 20.0)):

        async def story(scene: Scene, lag: float = lag) -> None:
            scene.exchange.deposit(KEY, "USDT", D(1))
            await asyncio.sleep(lag + 30)
            scene.exchange.deposit(KEY, "USDT", D(2))
            await asyncio.sleep(lag)
            page = await scene.venue.movements_since(ACCOUNT, 0)
            again = await scene.venue.movements_since(ACCOUNT, page.kept)
            assert len(page.movements) == len(again.movements) == 3
            # Now a minute behind the first two, and not behind the third.
            await asyncio.sleep(41)
            page = await scene.venue.movements_since(ACCOUNT, 0)
            again = await scene.venue.movements_since(ACCOUNT, page.kept)
            assert [one.amount for one in again.movements if one.amount == 2] == [D(2)]
            assert len(again.movements) <= 2

        play(story, personality_with(paging=paging, history_lag_seconds=lag))


@pytest.mark.parametrize("correcting", list(Correcting))
def test_a_bust_and_a_correction_are_told_in_our_words(correcting: Correcting) -> None:
    """Under the first fill's id and time, whatever the exchange's style."""

    async def story(scene: Scene) -> None:
        scene.exchange.trade_by_hand(KEY)
        await asyncio.sleep(1)
        assert scene.exchange.bust_last(KEY) is not None
        first, bust = (await scene.venue.trades_since(ACCOUNT, 0)).trades
        assert (bust.revision, bust.effect) == (1, TradeEffect.BUST)
        assert replace(bust, revision=0, effect=None, sequence=first.sequence) == first
        scene.exchange.trade_by_hand(KEY)
        assert scene.exchange.correct_last(KEY) is not None
        told = (await scene.venue.trades_since(ACCOUNT, 0)).trades[3:]
        effects = [trade.effect for trade in told]
        assert effects == ([TradeEffect.CORRECT] if correcting is Correcting.REVISION else [TradeEffect.BUST, None])

    play(story, personality_with(correcting=correcting))


def test_a_history_in_no_order_is_no_answer() -> None:
    """It is asked for again, and never half believed."""

    async def asked(path: str, params: object, read: Callable[[Row], T]) -> T:
        rows = [{"seq": 2, "time": 5}, {"seq": 1, "time": 5}]
        return read({"rows": rows, "time": 9})

    async def story(_scene: Scene) -> None:
        for paging in Paging:
            history = history_of(personality_with(paging=paging), "/fills", asked, lambda: ("BTC/USDT",))
            with pytest.raises(Exception, match="in no order"):
                await history.page(0)

    play(story)


def test_markets_with_a_history_each_are_read_side_by_side() -> None:
    """What one market tells beyond the end of another's page waits for the next."""

    async def story(scene: Scene) -> None:
        for symbol, count in ((SPOT.symbol, 5), (PERPETUAL.symbol, 1), (SPOT.symbol, 1)):
            for _ in range(count):
                order = {"symbol": symbol, "side": "BUY", "type": "MARKET", "quantity": "0.01"}
                scene.exchange.call(KEY, "POST", "/order", {**order, "timestamp": _now(scene)})
        numbers: list[list[int]] = []
        cursor, complete = 0, False
        while not complete:
            page = await scene.venue.trades_since(ACCOUNT, cursor)
            numbers.append([trade.sequence for trade in page.trades])
            cursor, complete = page.cursor, page.complete
        told = [number for page_numbers in numbers for number in page_numbers]
        assert told == sorted(fill.seq for fill in scene.exchange.truth(KEY).fills)
        assert len(numbers) == 4

    play(story, personality_with(paging=Paging.FROM_ID, page_size=2))


def _now(scene: Scene) -> str:
    return str(int(scene.clock.now().timestamp() * 1_000))
