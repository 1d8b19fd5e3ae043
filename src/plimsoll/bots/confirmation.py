"""Decide whether advice has stood long enough, and whether the bot has rested long enough, to act.

Rules of this file:
1. Confirmation starts with the first buy or sell, starts again when the side flips, and is cleared by a hold and by
   a trade. Repeating the same advice does not move its start.
2. A bot acts when its advice has stood for at least the confirmation time and its last trade is at least the cooldown
   ago; both may be 0.
3. A forced evaluation skips the confirmation time, nothing else: it needs advice to act on, and it cools down.
4. A clock that runs backwards makes the bot wait, never act.

    Cleared ──buy/sell──► Confirmation(side, since) ──hold, or a trade──► Cleared
                               │   ▲
                               └───┘ the other side: since = now

Only values in, only values out: the runner keeps the state, asks once per evaluation, and asks the gate afterwards.
Whether the bot runs, something is pending, or the gate approves is not known here.

Source: SPEC §11.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, TypeAlias

from plimsoll.bots.signals import Advice
from plimsoll.model.clock import check_time
from plimsoll.model.errors import Illegal


@dataclass(frozen=True, slots=True)
class Cleared:
    """Say that there is no advice to confirm."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """Say which side has been advised without interruption, and since when.

    Refuses: HOLD, which is no side; a time that is not aware and in UTC
    """

    side: Advice
    since: datetime

    def __post_init__(self) -> None:
        if self.side is Advice.HOLD:
            raise Illegal("side", self.side, "confirm BUY or SELL; a hold clears instead")
        check_time(self.since, "since")


ConfirmationState: TypeAlias = Confirmation | Cleared

CLEARED: Final = Cleared()


@dataclass(frozen=True, slots=True)
class ConfirmationRules:
    """Set how long advice must stand and how long a bot rests after a trade.

    Refuses: a negative time; 0 is allowed and means at once
    """

    confirmation: timedelta = timedelta(minutes=5)
    cooldown: timedelta = timedelta(minutes=15)

    def __post_init__(self) -> None:
        for field, span in (("confirmation", self.confirmation), ("cooldown", self.cooldown)):
            if span < timedelta(0):
                raise Illegal(field, span, "give 0 or more minutes")


class WaitReason(StrEnum):
    """Why a bot does not act now."""

    #: the last evaluation said hold, or a trade has just used the advice up
    NO_ADVICE = "no_advice"
    #: the advice has not stood long enough
    CONFIRMING = "confirming"
    #: the last trade is too recent
    COOLING_DOWN = "cooling_down"


@dataclass(frozen=True, slots=True)
class Acting:
    """Say that the bot may ask the gate for a trade on this side."""

    side: Advice


@dataclass(frozen=True, slots=True)
class Waiting:
    """Say why the bot does not act, with a code for machines and a sentence for people."""

    reason: WaitReason
    sentence: str


def after_signal(state: ConfirmationState, advice: Advice, now: datetime) -> ConfirmationState:
    """Move the confirmation by one evaluation."""
    if advice is Advice.HOLD:
        return CLEARED
    if isinstance(state, Confirmation) and state.side is advice:
        return state
    return Confirmation(advice, now)


def after_trade(state: ConfirmationState) -> Cleared:
    """Use the advice up: the next trade needs advice that is confirmed anew."""
    return state if isinstance(state, Cleared) else CLEARED


def may_act(
    state: ConfirmationState,
    now: datetime,
    rules: ConfirmationRules,
    last_trade_at: datetime | None,
    *,
    forced: bool = False,
) -> Acting | Waiting:
    """Decide whether the bot may act now, naming the first thing it waits for.

    Shapes:  last_trade_at None -> the bot has never traded
    Refuses: with Waiting: "no_advice", "confirming" (unless forced), "cooling_down", in this order
    Raises:  Illegal when a time is not aware and in UTC
    """
    check_time(now, "now")
    if isinstance(state, Cleared):
        return Waiting(WaitReason.NO_ADVICE, "There is no buy or sell to act on.")
    unconfirmed = rules.confirmation - (now - state.since)
    if unconfirmed > timedelta(0) and not forced:
        side = state.side.value.lower()
        return Waiting(WaitReason.CONFIRMING, f"The {side} has to stand for another {unconfirmed} to be confirmed.")
    if last_trade_at is None:
        return Acting(state.side)
    check_time(last_trade_at, "last_trade_at")
    hot = rules.cooldown - (now - last_trade_at)
    if hot > timedelta(0):
        return Waiting(WaitReason.COOLING_DOWN, f"The bot cools down for another {hot} after its last trade.")
    return Acting(state.side)
