"""The runner: each bar once, one intent at a time, and nothing that the account's state forbids."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import pytest

from plimsoll.bots.hold import Hold
from plimsoll.bots.runner import Bot, BotRunner
from plimsoll.bots.signal_strategy import SignalStrategy
from plimsoll.bots.strategy import View, Wish
from plimsoll.model.account import TradingState
from plimsoll.model.errors import InvariantBroken, UnknownOutcome
from plimsoll.model.ids import AccountId, InstrumentId, IntentKey, PortfolioId, StrategyId, UserId
from plimsoll.model.order import Intent, OrderTerms, OrderType, Side
from plimsoll.model.quote import Bar
from tests.builders.bots import AT_ONCE, BITCOIN, CALM, MIDNIGHT, MINUTE, D, SetClock, advising, bar, holding

BOT = Bot(7, AccountId(1), PortfolioId(2), UserId(3), BITCOIN, StrategyId(4))


@dataclass
class Greedy:
    """A strategy of somebody else: wishes at every close and never looks at the view."""

    wish: Callable[[Bar], Wish]
    seen: list[int] = field(default_factory=list)
    warmed: list[int] = field(default_factory=list)
    heard: list[tuple[Side, datetime]] = field(default_factory=list)
    name: str = "greedy"

    def on_close(self, bar: Bar, view: View) -> Wish | None:
        self.seen.append(minute(bar))
        return self.wish(bar)

    def warm(self, bar: Bar) -> None:
        self.warmed.append(minute(bar))

    def state(self) -> dict[str, str]:
        return {}

    def restore(self, state: Mapping[str, str]) -> None:
        assert not state

    def acted(self, side: Side, at: datetime) -> None:
        self.heard.append((side, at))


def minute(bar: Bar) -> int:
    return (bar.start - MIDNIGHT) // MINUTE


def buyer() -> Greedy:
    return Greedy(lambda bar: Wish(f"{minute(bar)}", Side.BUY, quote_value=D(10)))


def closer() -> Greedy:
    return Greedy(lambda bar: Wish(f"{minute(bar)}", Side.SELL, quantity=D(1), reduce_only=True))


@dataclass
class Desk:
    """What a bot is connected to: answers in turn (approved when they run out), or the failure that comes instead."""

    view: View = CALM
    answers: list[bool | Exception] = field(default_factory=list)
    placed: list[Intent] = field(default_factory=list)
    inside: int = 0

    async def place(self, intent: Intent) -> bool:
        assert self.inside == 0, "one intent at a time"
        self.inside += 1
        await asyncio.sleep(0)
        self.placed.append(intent)
        self.inside -= 1
        answer = self.answers.pop(0) if self.answers else True
        if isinstance(answer, Exception):
            raise answer
        return answer

    def run(self, strategy: Greedy | Hold | SignalStrategy) -> BotRunner:
        return BotRunner(BOT, strategy, self.place, lambda: self.view, SetClock(MIDNIGHT + 5 * MINUTE))


def test_a_wish_becomes_an_intent_of_the_bot() -> None:
    runner = Desk().run(Hold(D("0.5")))
    assert runner.decide(bar(0)) == Intent(
        key=IntentKey("bot:7:hold:2018-01-01T00:01:00.000000Z"),
        account_id=AccountId(1),
        portfolio_id=PortfolioId(2),
        user_id=UserId(3),
        terms=OrderTerms(BITCOIN.id, Side.BUY, OrderType.MARKET, quote_value=D(5_000)),
        triggered_by="bot:7",
        made_at=MIDNIGHT + 5 * MINUTE,
        strategy_id=StrategyId(4),
        signal_context="share=0.5 leverage=1 equity=10000",
        allow_smaller=True,
    )


def test_a_close_stays_reduce_only_and_keeps_its_quantity() -> None:
    intent = Desk(holding("1")).run(closer()).decide(bar(0))
    assert intent is not None
    assert intent.terms == OrderTerms(BITCOIN.id, Side.SELL, OrderType.MARKET, quantity=D(1), reduce_only=True)
    assert not intent.allow_smaller


def test_an_approval_is_told_to_the_strategy() -> None:
    strategy = buyer()
    runner = Desk().run(strategy)
    intent = runner.decide(bar(0))
    assert intent is not None
    runner.told(intent, approved=True)
    assert strategy.heard == [(Side.BUY, intent.made_at)]


def test_a_strategy_may_wish_again_after_a_refusal() -> None:
    desk = Desk(answers=[False, False, True])
    hold = Hold()
    runner = desk.run(hold)

    async def story() -> None:
        for number in range(5):
            await runner.on_close(bar(number))

    asyncio.run(story())
    assert len(desk.placed) == 3
    assert len({intent.key for intent in desk.placed}) == 3
    assert hold.state() == {"held": "yes"}


def test_a_bar_without_a_wish_asks_nobody() -> None:
    desk = Desk()
    runner = desk.run(SignalStrategy.from_params(AT_ONCE))
    for quiet in advising("..."):
        asyncio.run(runner.on_close(quiet))
    assert desk.placed == []


# --- each bar once, one evaluation at a time


def test_a_bar_that_comes_twice_or_late_is_not_decided_again() -> None:
    strategy = closer()
    runner = Desk(replace(holding("1"), pending=True)).run(strategy)
    for number in (0, 1, 1, 0, 2):
        assert runner.decide(bar(number)) is None
    assert strategy.seen == [0, 1, 2]


def test_bars_that_arrive_while_an_intent_is_out_wait_for_its_answer() -> None:
    desk, strategy = Desk(), buyer()
    runner = desk.run(strategy)

    async def storm() -> None:
        await asyncio.gather(*(runner.on_close(bar(number)) for number in range(4)))

    asyncio.run(storm())
    assert strategy.seen == [0, 1, 2, 3]
    assert [intent.key for intent in desk.placed] == ["bot:7:0", "bot:7:1", "bot:7:2", "bot:7:3"]


def test_nothing_is_decided_before_the_last_answer_is_told() -> None:
    strategy = buyer()
    runner = Desk().run(strategy)
    runner.decide(bar(0))
    with pytest.raises(InvariantBroken, match="hears the answer"):
        runner.decide(bar(1))
    assert strategy.seen == [0]


def test_an_answer_is_told_once_and_to_its_own_intent() -> None:
    strategy = buyer()
    runner = Desk().run(strategy)
    intent = runner.decide(bar(0))
    assert intent is not None
    with pytest.raises(InvariantBroken):
        runner.told(replace(intent, key=IntentKey("another")), approved=True)
    runner.told(intent, approved=True)
    with pytest.raises(InvariantBroken):
        runner.told(intent, approved=True)
    assert len(strategy.heard) == 1


def test_bars_of_another_instrument_are_a_mistake() -> None:
    strategy = buyer()
    runner = Desk().run(strategy)
    with pytest.raises(InvariantBroken, match="own instrument"):
        runner.decide(replace(bar(0), instrument_id=InstrumentId(8)))
    assert strategy.seen == []


def test_warmed_bars_are_never_decided() -> None:
    strategy = buyer()
    runner = Desk().run(strategy)
    for number in (0, 1, 1):
        runner.warm(bar(number))
    assert runner.decide(bar(1)) is None
    assert runner.decide(bar(2)) is not None
    assert (strategy.warmed, strategy.seen) == ([0, 1], [2])


# --- what the account's state allows, whatever the strategy wishes


@pytest.mark.parametrize("state", [state for state in TradingState if state is not TradingState.ACTIVE])
def test_no_strategy_opens_while_its_account_is_not_active(state: TradingState) -> None:
    strategy = buyer()
    runner = Desk(replace(CALM, account_state=state)).run(strategy)
    assert runner.decide(bar(0)) is None
    assert strategy.seen == [0]


@pytest.mark.parametrize(("state", "intents"), [("ACTIVE", 1), ("REDUCE_ONLY", 1), ("CANCEL_ONLY", 0), ("HALTED", 0)])
def test_a_close_passes_while_the_account_only_reduces(state: str, intents: int) -> None:
    runner = Desk(replace(holding("1"), account_state=TradingState(state))).run(closer())
    assert (runner.decide(bar(0)) is not None) == bool(intents)


def test_no_strategy_orders_while_another_order_of_it_is_pending() -> None:
    for strategy in (buyer(), closer()):
        runner = Desk(replace(holding("1"), pending=True)).run(strategy)
        assert runner.decide(bar(0)) is None
        assert strategy.seen == [0]


# --- when the answer is lost


@pytest.mark.parametrize("failure", [UnknownOutcome("no answer"), OSError("disk full")])
def test_a_lost_answer_is_raised_and_the_bot_has_not_acted_but_goes_on(failure: Exception) -> None:
    desk, strategy = Desk(answers=[failure]), buyer()
    runner = desk.run(strategy)
    with pytest.raises(type(failure)):
        asyncio.run(runner.on_close(bar(0)))
    assert strategy.heard == []
    desk.view = replace(CALM, pending=True)
    asyncio.run(runner.on_close(bar(1)))
    assert [intent.key for intent in desk.placed] == ["bot:7:0"]
    desk.view = CALM
    asyncio.run(runner.on_close(bar(2)))
    assert [side for side, _at in strategy.heard] == [Side.BUY]


def test_a_cancelled_evaluation_leaves_the_bot_able_to_go_on() -> None:
    desk, strategy = Desk(), buyer()
    runner = desk.run(strategy)

    async def stopped() -> None:
        evaluation = asyncio.create_task(runner.on_close(bar(0)))
        await asyncio.sleep(0)
        evaluation.cancel()
        with pytest.raises(asyncio.CancelledError):
            await evaluation
        desk.inside = 0
        await runner.on_close(bar(1))

    asyncio.run(stopped())
    assert strategy.seen == [0, 1]
    assert len(strategy.heard) == 1


def test_a_bot_that_starts_again_on_the_same_bar_gives_the_same_key() -> None:
    first, second = Desk().run(Hold()).decide(bar(4)), Desk(replace(CALM, equity=D(9))).run(Hold()).decide(bar(4))
    assert first is not None
    assert second is not None
    assert first.key == second.key
