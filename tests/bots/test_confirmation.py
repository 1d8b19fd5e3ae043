"""Confirmation: advice has to stand, a bot has to rest, and force skips only the first."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from plimsoll.bots.confirmation import (
    CLEARED,
    Acting,
    Confirmation,
    ConfirmationRules,
    ConfirmationState,
    Waiting,
    WaitReason,
    after_signal,
    after_trade,
    may_act,
)
from plimsoll.bots.signals import Advice
from plimsoll.model.errors import Illegal

NOON = datetime(2024, 1, 1, 12, 0, tzinfo=UTC)
RULES = ConfirmationRules()
AT_ONCE = ConfirmationRules(confirmation=timedelta(0), cooldown=timedelta(0))


def at(minute: float) -> datetime:
    return NOON + timedelta(minutes=minute)


def story(*events: tuple[float, Advice]) -> ConfirmationState:
    """Evaluate a bot at the given minutes after noon with the given advice."""
    state: ConfirmationState = CLEARED
    for minute, advice in events:
        state = after_signal(state, advice, at(minute))
    return state


def reason(answer: Acting | Waiting) -> WaitReason | None:
    return answer.reason if isinstance(answer, Waiting) else None


# --- how advice becomes confirmed


def test_the_first_buy_starts_the_confirmation() -> None:
    assert story((0, Advice.BUY)) == Confirmation(Advice.BUY, NOON)


def test_the_first_sell_starts_the_confirmation() -> None:
    assert story((0, Advice.HOLD), (3, Advice.SELL)) == Confirmation(Advice.SELL, at(3))


def test_the_same_advice_again_does_not_move_the_start() -> None:
    assert story((0, Advice.BUY), (2, Advice.BUY), (4, Advice.BUY)) == Confirmation(Advice.BUY, NOON)


def test_a_flip_of_the_side_starts_again() -> None:
    assert story((0, Advice.BUY), (4, Advice.SELL)) == Confirmation(Advice.SELL, at(4))
    assert story((0, Advice.BUY), (4, Advice.SELL), (5, Advice.BUY)) == Confirmation(Advice.BUY, at(5))


def test_a_hold_clears_and_the_next_buy_starts_from_there() -> None:
    assert story((0, Advice.BUY), (4, Advice.HOLD)) == CLEARED
    assert story((0, Advice.BUY), (4, Advice.HOLD), (5, Advice.BUY)) == Confirmation(Advice.BUY, at(5))


def test_a_hold_with_nothing_to_clear_is_calm() -> None:
    assert story((0, Advice.HOLD)) == CLEARED


def test_a_trade_uses_the_advice_up() -> None:
    traded = after_trade(story((0, Advice.BUY)))
    assert traded == CLEARED
    assert after_trade(traded) == CLEARED
    assert after_signal(traded, Advice.BUY, at(6)) == Confirmation(Advice.BUY, at(6))


# --- when a bot may act


@pytest.mark.parametrize(
    ("minute", "waits_for"), [(0, WaitReason.CONFIRMING), (4.99, WaitReason.CONFIRMING), (5, None), (60, None)]
)
def test_advice_acts_once_it_has_stood_for_five_minutes(minute: float, waits_for: WaitReason | None) -> None:
    assert reason(may_act(story((0, Advice.BUY)), at(minute), RULES, last_trade_at=None)) == waits_for


@pytest.mark.parametrize("side", [Advice.BUY, Advice.SELL])
def test_the_answer_names_the_side_to_act_on(side: Advice) -> None:
    assert may_act(story((0, side)), at(5), RULES, last_trade_at=None) == Acting(side)


@pytest.mark.parametrize(
    ("minute", "waits_for"), [(10, WaitReason.COOLING_DOWN), (14.99, WaitReason.COOLING_DOWN), (15, None)]
)
def test_a_bot_rests_fifteen_minutes_from_its_last_trade(minute: float, waits_for: WaitReason | None) -> None:
    assert reason(may_act(story((1, Advice.SELL)), at(minute), RULES, last_trade_at=NOON)) == waits_for


def test_confirmation_is_named_before_the_cooldown() -> None:
    assert reason(may_act(story((1, Advice.BUY)), at(2), RULES, last_trade_at=NOON)) is WaitReason.CONFIRMING


def test_without_advice_there_is_nothing_to_act_on() -> None:
    answer = may_act(CLEARED, NOON, AT_ONCE, last_trade_at=None)
    assert answer == Waiting(WaitReason.NO_ADVICE, "There is no buy or sell to act on.")


def test_the_sentence_says_how_long_is_left() -> None:
    state = story((0, Advice.BUY))
    confirming = may_act(state, at(3.5), RULES, last_trade_at=None)
    cooling = may_act(state, at(6), RULES, last_trade_at=at(-5))
    assert isinstance(confirming, Waiting)
    assert isinstance(cooling, Waiting)
    assert confirming.sentence == "The buy has to stand for another 0:01:30 to be confirmed."
    assert cooling.sentence == "The bot cools down for another 0:04:00 after its last trade."


def test_zero_minutes_act_on_the_first_advice_and_right_after_a_trade() -> None:
    assert may_act(story((0, Advice.BUY)), NOON, AT_ONCE, last_trade_at=NOON) == Acting(Advice.BUY)


def test_asking_changes_nothing() -> None:
    state = story((0, Advice.BUY))
    answers = [may_act(state, at(5), RULES, last_trade_at=None) for _ in range(2)]
    assert answers == [Acting(Advice.BUY)] * 2
    assert state == Confirmation(Advice.BUY, NOON)


# --- force


def test_force_skips_the_confirmation() -> None:
    assert may_act(story((0, Advice.BUY)), NOON, RULES, last_trade_at=None, forced=True) == Acting(Advice.BUY)


def test_force_does_not_skip_the_cooldown() -> None:
    answer = may_act(story((0, Advice.BUY)), at(1), RULES, last_trade_at=NOON, forced=True)
    assert reason(answer) is WaitReason.COOLING_DOWN


def test_force_does_not_turn_a_hold_into_a_trade() -> None:
    answer = may_act(story((0, Advice.HOLD)), NOON, RULES, last_trade_at=None, forced=True)
    assert reason(answer) is WaitReason.NO_ADVICE


# --- time


def test_a_clock_that_runs_backwards_makes_the_bot_wait() -> None:
    state = story((0, Advice.BUY))
    assert reason(may_act(state, at(-10), AT_ONCE, last_trade_at=None)) is WaitReason.CONFIRMING
    assert reason(may_act(state, at(10), RULES, last_trade_at=at(20))) is WaitReason.COOLING_DOWN


@pytest.mark.parametrize("moment", [datetime(2024, 1, 1), NOON.astimezone(timezone(timedelta(hours=1)))])  # noqa: DTZ001
def test_a_time_that_is_not_utc_is_refused(moment: datetime) -> None:
    state = story((0, Advice.BUY))
    with pytest.raises(Illegal, match="since"):
        after_signal(CLEARED, Advice.BUY, moment)
    with pytest.raises(Illegal, match="now"):
        may_act(state, moment, RULES, last_trade_at=None)
    with pytest.raises(Illegal, match="last_trade_at"):
        may_act(state, at(5), RULES, last_trade_at=moment)


def test_a_hold_is_no_side_to_confirm() -> None:
    with pytest.raises(Illegal, match="side"):
        Confirmation(Advice.HOLD, NOON)


@pytest.mark.parametrize("field", ["confirmation", "cooldown"])
def test_negative_minutes_are_refused(field: str) -> None:
    with pytest.raises(Illegal, match=field):
        ConfirmationRules(**{field: timedelta(seconds=-1)})
