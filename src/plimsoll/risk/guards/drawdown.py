"""The drawdown guard: warn at 15 %, stop opening, and at 20 % close everything after a countdown, then stay shut.

    CALM ──15 %──► WARNED ──20 % or min equity──► COUNTDOWN ──deadline──► CLOSING ──flat──► LATCHED
      ▲              │ ▲                              │             ▲                          │
      └──< 13 %, 300 s┘ └──back below by hysteresis───┘             └─ open again, past a line ┤
                                                                 a person lifts it ───► CALM ◄─┘

1. The lines are asked in the order: least equity, critical, warning.
2. A breach counts once it is confirmed: by a closed bar, or by two looks and, of every instrument that makes it, two
   quotes at least two seconds apart (`sights`). So does what ends a warning or a countdown, one way or the other: one
   good tick must not call off a close that two bad ones decided, nor one bad tick undo a recovery.
   What is not confirmed is a suspicion: nothing is done about it, for as long as the market tells nothing more.
3. Blind changes nothing: no step towards a close, and none away from one. A countdown that ends blind stays armed.
4. Nobody cancels a countdown; only the measure itself, back below its line by the hysteresis, stands it down.
5. The state is written down before it is acted on, so a restart reads it, looks again, and goes on.
6. Nothing may open while it is latched. What is open all the same came in late or from outside: it is closed, in the
   same episode, once a reading is past a line that closes.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from plimsoll.model import money
from plimsoll.risk.guards.reading import CONFIRM_AFTER, Blind, Reading, Worth
from plimsoll.risk.limits import Limits

COUNTDOWN = timedelta(seconds=10)
WARNED_AT_LEAST = timedelta(seconds=300)
RETRY_AFTER = timedelta(seconds=2)


class GuardStatus(StrEnum):
    """Where the guard stands."""

    CALM = "CALM"
    WARNED = "WARNED"
    COUNTDOWN = "COUNTDOWN"
    CLOSING = "CLOSING"
    #: Shut until a person opens it again.
    LATCHED = "LATCHED"


class GuardAction(StrEnum):
    """What the guard wants done, in the order it is done."""

    STOP_OPENING = "STOP_OPENING"
    WARN = "WARN"
    START_COUNTDOWN = "START_COUNTDOWN"
    STAND_DOWN = "STAND_DOWN"
    CLOSE_ALL = "CLOSE_ALL"
    LATCH = "LATCH"
    LET_OPEN = "LET_OPEN"


#: From mild to grave.
_LINES = ("", "warning", "critical", "min_equity")


@dataclass(frozen=True, slots=True)
class Suspicion:
    """What was seen and is not confirmed yet: since when, and the mildest line crossed in every look since.

    Two looks may be at one and the same quote; whether it has a second one, the reading says.
    """

    at: datetime
    #: Empty for a recovery: no line is crossed any more.
    line: str


@dataclass(frozen=True, slots=True)
class Episode:
    """The guard's memory, from the first warning to the end."""

    #: Counts this account's episodes; closes are idempotent within one.
    number: int = 0
    status: GuardStatus = GuardStatus.CALM
    #: Which line was crossed: `warning`, `critical`, `min_equity`.
    line: str = ""
    opened_at: datetime | None = None
    #: When the current status began.
    since: datetime | None = None
    deadline: datetime | None = None
    #: The first, still unconfirmed sight of a breach; in a countdown, of a recovery.
    suspicion: Suspicion | None = None
    #: What was read when the status last changed.
    drawdown: Decimal = money.ZERO
    equity: Decimal = money.ZERO
    closed_count: int = 0
    #: What the account lost from the decision to close until it was flat.
    loss: Decimal = money.ZERO


@dataclass(frozen=True, slots=True)
class GuardStep:
    """The next state and what to do about it; no actions means nothing changed."""

    episode: Episode
    actions: tuple[GuardAction, ...] = ()


class DrawdownGuard:
    """Decides by one account's limits."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def check_drawdown(
        self, episode: Episode, reading: Reading | Blind, *, flat: bool, now: datetime, under_way: bool = False
    ) -> GuardStep:
        """Take one reading into account.

        Shapes: `flat`: asked of an account that is CLOSING or LATCHED;
                `under_way`: what is not flat yet is being closed by orders that the venue has, and no more can be sent
        """
        if episode.status is GuardStatus.CLOSING:
            return self._closing(episode, flat=flat, under_way=under_way, now=now)
        if isinstance(reading, Blind):
            return GuardStep(episode)
        if episode.status is GuardStatus.LATCHED:
            return self._latched(episode, reading, flat=flat, now=now)
        if episode.status is GuardStatus.COUNTDOWN:
            return self._countdown(episode, reading, now=now)
        line = self._line(reading, reading.now)
        if line == "":
            return self._no_breach(episode, reading, now)
        known = "warning" if episode.status is GuardStatus.WARNED else ""
        if line == known:
            return GuardStep(_unsuspicious(episode))
        suspicion = _suspected(episode.suspicion, line, reading)
        confirmed = self._confirmed(suspicion, reading)
        if confirmed in ("", known):
            return GuardStep(replace(episode, suspicion=suspicion))
        return self._breach(episode, reading, confirmed, now)

    def lifted(self, episode: Episode, now: datetime) -> GuardStep:
        """Open the guard again, on a person's word."""
        calm = replace(episode, status=GuardStatus.CALM, line="", since=now, deadline=None, suspicion=None)
        return GuardStep(calm, (GuardAction.LET_OPEN,))

    def _line(self, reading: Reading, worth: Worth) -> str:
        if worth.equity < self._limits.min_equity:
            return "min_equity"
        drawdown = reading.drawdown_at(worth.nav)
        if drawdown >= self._limits.drawdown_close_ratio:
            return "critical"
        return "warning" if drawdown >= self._limits.drawdown_warn_ratio else ""

    def _confirmed(self, suspicion: Suspicion, reading: Reading) -> str:
        """Give the line that both the looks since the suspicion and the quotes bear out; empty while there is none."""
        at_most = reading.at_most
        if at_most is None or not _looked_twice(suspicion, reading):
            return ""
        return min(suspicion.line, self._line(reading, at_most), key=_LINES.index)

    def _no_breach(self, episode: Episode, reading: Reading, now: datetime) -> GuardStep:
        calm_below = self._limits.drawdown_warn_ratio - self._limits.drawdown_hysteresis_ratio
        waited = episode.since is not None and now - episode.since >= WARNED_AT_LEAST
        if episode.status is GuardStatus.WARNED and waited:
            at_least = reading.at_least
            if at_least is not None and reading.drawdown_at(at_least.nav) < calm_below:
                return self.lifted(episode, now)
        # Most readings of most accounts end here: the very same episode, so that nothing is written.
        return GuardStep(_unsuspicious(episode))

    def _breach(self, episode: Episode, reading: Reading, line: str, now: datetime) -> GuardStep:
        is_new = episode.status is GuardStatus.CALM
        opened = replace(
            episode,
            number=episode.number + is_new,
            opened_at=now if is_new else episode.opened_at,
            line=line,
            since=now,
            suspicion=None,
            drawdown=reading.drawdown,
            equity=reading.equity,
            closed_count=0,
            loss=money.ZERO,
        )
        if line == "warning":
            warned = replace(opened, status=GuardStatus.WARNED)
            return GuardStep(warned, (GuardAction.STOP_OPENING, GuardAction.WARN))
        counting = replace(opened, status=GuardStatus.COUNTDOWN, deadline=now + COUNTDOWN)
        return GuardStep(counting, (GuardAction.STOP_OPENING, GuardAction.WARN, GuardAction.START_COUNTDOWN))

    def _countdown(self, episode: Episode, reading: Reading, now: datetime) -> GuardStep:
        is_over = episode.deadline is not None and now >= episode.deadline
        is_back = self._is_back(episode, reading, reading.now)
        if not is_back and not is_over:
            return GuardStep(_unsuspicious(episode))
        # A relapse ends the sight of a recovery, and the other way round.
        line = "" if is_back else episode.line
        same = episode.suspicion if episode.suspicion is not None and episode.suspicion.line == line else None
        suspicion = _suspected(same, line, reading)
        if (
            is_over
            and is_back
            and _looked_twice(suspicion, reading)
            and self._is_back(episode, reading, reading.at_least)
        ):
            warned = replace(episode, status=GuardStatus.WARNED, since=now, deadline=None, suspicion=None)
            return GuardStep(warned, (GuardAction.STAND_DOWN,))
        # The breach was looked at twice when the countdown began; at its end its quotes alone must still bear it out.
        at_most = reading.at_most
        if is_over and at_most is not None and not self._is_back(episode, reading, at_most):
            return _close_all(episode, reading, now)
        return GuardStep(replace(episode, suspicion=suspicion))

    def _latched(self, episode: Episode, reading: Reading, *, flat: bool, now: datetime) -> GuardStep:
        line = self._line(reading, reading.now)
        if flat or line in ("", "warning"):
            return GuardStep(_unsuspicious(episode))
        suspicion = _suspected(episode.suspicion, line, reading)
        confirmed = self._confirmed(suspicion, reading)
        if confirmed in ("", "warning"):
            return GuardStep(replace(episode, suspicion=suspicion))
        return _close_all(replace(episode, line=confirmed), reading, now)

    def _is_back(self, episode: Episode, reading: Reading, worth: Worth | None) -> bool:
        """Say whether a worth lies back on the good side of the line that the countdown is for, by the hysteresis."""
        if worth is None:
            return False
        slack = self._limits.drawdown_hysteresis_ratio
        if episode.line == "min_equity":
            return worth.equity >= self._limits.min_equity * (1 + slack)
        return reading.drawdown_at(worth.nav) < self._limits.drawdown_close_ratio - slack

    def _closing(self, episode: Episode, *, flat: bool, under_way: bool, now: datetime) -> GuardStep:
        if flat:
            latched = replace(episode, status=GuardStatus.LATCHED, since=now, deadline=None)
            return GuardStep(latched, (GuardAction.LATCH,))
        # A market that is closed for a weekend must not fill the book with tries that could send nothing.
        if under_way or (episode.since is not None and now - episode.since < RETRY_AFTER):
            return GuardStep(episode)
        return GuardStep(replace(episode, since=now), (GuardAction.CLOSE_ALL,))


def _close_all(episode: Episode, reading: Reading, now: datetime) -> GuardStep:
    seen = replace(episode, suspicion=None, drawdown=reading.drawdown, equity=reading.equity)
    return GuardStep(replace(seen, status=GuardStatus.CLOSING, since=now), (GuardAction.CLOSE_ALL,))


def _suspected(before: Suspicion | None, line: str, reading: Reading) -> Suspicion:
    # Of several looks the mildest counts: one bad tick beyond the last line confirms nothing but the first. A closed
    # bar needs no look before it.
    if before is None or reading.confirmed:
        return Suspicion(reading.at, line)
    return Suspicion(before.at, min(before.line, line, key=_LINES.index))


def _looked_twice(suspicion: Suspicion, reading: Reading) -> bool:
    return reading.confirmed or reading.at - suspicion.at >= CONFIRM_AFTER


def _unsuspicious(episode: Episode) -> Episode:
    # The very same where nothing changes, as at most looks: nothing is written then.
    return episode if episode.suspicion is None else replace(episode, suspicion=None)
