"""The guards' hands: take a reading, let the guard decide, write the decision down, then act on it.

What if we crash between the decision and the act? The episode is in the books: the next start reads it, looks again,
and goes on where it stood; a countdown whose deadline has passed is looked at once more before anything is closed.
What if the notifier is dead? Nothing here waits for it. What if the reading is blind? Nothing is closed and nothing
opens, from that look on; a countdown stays armed and is looked at again every second. People are told of what lasts
(`risk.guards.sightedness`), and at once when a countdown is over and cannot be acted on.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from plimsoll.desk.close_position import CloseOutcome, left_to_close, price_to_close
from plimsoll.desk.flatten import cancel_and_close, drop_protection, open_positions
from plimsoll.desk.ports import Ports
from plimsoll.desk.supervise import supervise
from plimsoll.desk.value_account import book_view, value_now
from plimsoll.ledger import accounts, guarding, keys, verdicts
from plimsoll.ledger.log import Note, json_text, tell, write_note
from plimsoll.model import money
from plimsoll.model.account import Account, Halt, Scope, TradingState
from plimsoll.model.errors import CommandRefused, Refusal
from plimsoll.model.event import Event, EventKind
from plimsoll.model.money import decimal_text
from plimsoll.model.position import Position
from plimsoll.risk.gate.verdict import percent
from plimsoll.risk.guards.drawdown import DrawdownGuard, Episode, GuardAction, GuardStatus, GuardStep, Suspicion
from plimsoll.risk.guards.reading import CONFIRM_AFTER, Blind, Reading
from plimsoll.risk.guards.sightedness import Sightedness, Word, looked
from plimsoll.risk.guards.turns import Marked, Occasion, Turns, turned
from plimsoll.risk.limits import Limits
from plimsoll.runtime.logging import logger
from plimsoll.store.draft import Draft

log = logger("protect")

SOURCE = "guard:drawdown"
LOOK_AGAIN = timedelta(seconds=1)
RETRY_CLOSE = timedelta(seconds=2)
#: A market that goes on telling prices bears out or clears up what was seen well before.
TELL_DOUBT_AFTER = 2 * CONFIRM_AFTER
#: How often equity is written down when nothing else asks for it.
SNAPSHOT_EVERY = timedelta(seconds=10)

_STATES = {
    GuardAction.STOP_OPENING: (TradingState.REDUCE_ONLY, False),
    GuardAction.LATCH: (TradingState.REDUCE_ONLY, True),
    GuardAction.LET_OPEN: (TradingState.ACTIVE, False),
}


@dataclass(slots=True)
class _Batch:
    """Readings on their way to the books: the loop adds to them, the scribe alone counts how many it has taken."""

    readings: list[Marked] = field(default_factory=list)
    taken: int = 0


class _Post:
    """The unit that writes a batch as far as it had come when this was posted, less what an earlier post has written.

    What if the scribe takes one post while the loop makes the next? Then both were given the same readings, and only
    the first writes them. A unit that is run again after its group was rolled back writes the same once more.
    """

    __slots__ = ("_batch", "_start", "_until", "_write")

    def __init__(self, batch: _Batch, write: Callable[[Sequence[Marked], Draft], None]) -> None:
        self._batch, self._write = batch, write
        self._until = len(batch.readings)
        self._start: int | None = None

    def __call__(self, draft: Draft) -> None:
        if self._start is None:
            self._start, self._batch.taken = self._batch.taken, self._until
        readings = self._batch.readings[self._start : self._until]
        if readings:
            self._write(readings, draft)


class Protector:
    """Runs the drawdown guard of one account."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._watch: asyncio.Task[None] | None = None
        #: One look, or one person, at a time: what is decided rests on an episode that nobody changes meanwhile.
        self._turn = asyncio.Lock()
        self._snapshot_at: datetime | None = None
        #: An unconfirmed sight of a breach; a restart looks anew.
        self._suspicion: Suspicion | None = None
        self.last: Reading | Blind | None = None
        self._sight = Sightedness()
        self._batch = _Batch()
        #: The highest peak that was handed over to the books; None before the first.
        self._peak_written: Decimal | None = None
        #: What may still turn out to be a peak or a trough.
        self._turns = Turns()
        #: People know that something is open although the guard is latched, and that the watch of a countdown fails.
        self._told_open = self._told_failing = self._told_doubt = False
        #: Looks that act on what was decided: closing, cancelling, telling.
        self._acting = 0

    @property
    def episode(self) -> Episode:
        return guarding.episode_of(self._ports.books.hot, self._ports.account_id, guarding.DRAWDOWN)

    @property
    def is_acting(self) -> bool:
        """Say whether something is being closed right now; who stops the desk waits for that."""
        return self._acting > 0

    async def look(self) -> None:
        """Take one reading and do what follows from it.

        Raises: what stopped the watch of a countdown, if something did
        """
        if self._watch is not None and self._watch.done():
            # Told once: a guard that repeats an old failure at every look would never look again.
            ended, self._watch = self._watch, None
            ended.result()
        status = await self._take_reading()
        if self._watch is None and status in (GuardStatus.COUNTDOWN, GuardStatus.CLOSING):
            self._watch = asyncio.get_running_loop().create_task(self._keep_looking())

    async def close(self) -> None:
        """Stop watching; the episode stays in the books for the next process."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.cancel()
            await asyncio.wait((watch,))

    async def lift(self, actor: str) -> None:
        """Open a latched or warned guard again, on a person's word: the peak starts anew from today's value.

        Refuses: a guard that is not shut, or an account that cannot be valued now, or by one quote alone
        """
        async with self._turn:
            await self._lift(actor)

    async def _lift(self, actor: str) -> None:
        episode = self.episode
        if episode.status not in (GuardStatus.LATCHED, GuardStatus.WARNED):
            raise CommandRefused(Refusal("guard_not_shut", f"the drawdown guard is {episode.status}"))
        reading = await value_now(self._ports)
        if isinstance(reading, Blind):
            raise CommandRefused(Refusal("blind", f"the account cannot be valued: {reading.why}"))
        if reading.at_least is None:
            # A bad tick as the new peak would have every honest price after it closed at.
            why = "the account's value rests on quotes that no second quote bears out yet: try again in some seconds"
            raise CommandRefused(Refusal("blind", why))
        peak = reading.at_least.nav
        step = DrawdownGuard(self._limits()).lifted(episode, self._ports.clock.now())
        self._ports.peak_seen, self._ports.higher_seen = peak, None
        self._peak_written, self._suspicion = peak, None
        await self._ports.books.write(lambda draft: self._write(draft, step, reading, actor, peak=peak))

    async def _take_reading(self) -> GuardStatus:
        async with self._turn:
            step, reading = await self._decide()
        # Acting may wait for a slow venue; the next look does not wait for that, and finds what is on its way.
        if step.actions:
            self._acting += 1
            try:
                await self._act(step)
            finally:
                self._acting -= 1
        elif isinstance(reading, Reading):
            self._remember(reading)
        return step.episode.status

    async def _decide(self) -> tuple[GuardStep, Reading | Blind]:
        ports = self._ports
        reading = await value_now(ports)
        self._tell_sight(reading)
        self.last = reading
        ports.blind = reading.why if isinstance(reading, Blind) else ""
        before = self.episode
        if self._suspicion is not None:
            before = replace(before, suspicion=self._suspicion)
        is_shut = before.status in (GuardStatus.CLOSING, GuardStatus.LATCHED)
        flat, under_way = self._still_open() if is_shut else (False, False)
        guard = DrawdownGuard(book_view(ports).limits)
        step = guard.check_drawdown(before, reading, flat=flat, under_way=under_way, now=reading.at)
        self._tell_open(step.episode.status is GuardStatus.LATCHED and not flat and not step.actions)
        if step.actions:
            await ports.books.write(lambda draft: self._write(draft, step, reading, SOURCE))
        # Behind the write: a decision that could not be written is confirmed still, and made again at the next look.
        self._suspicion = step.episode.suspicion
        self._tell_doubt(step.episode, reading)
        return step, reading

    def _tell_sight(self, reading: Reading | Blind) -> None:
        ports, episode = self._ports, self.episode
        self._sight, word = looked(self._sight, ports.clock.monotonic(), blind=isinstance(reading, Blind))
        if not isinstance(reading, Blind):
            if word is Word.SEES_AGAIN:
                ports.tell("info", "SEES AGAIN: the account can be valued, and its guards act")
            return
        if not isinstance(self.last, Blind):
            log.warning("blind", account=ports.account_id, why=reading.why)
        deadline = episode.deadline if episode.status is GuardStatus.COUNTDOWN else None
        if deadline is not None and reading.at >= deadline:
            # At every look, until somebody does what the guard cannot.
            ports.tell("critical", f"BLIND: the countdown is over and nothing can be closed yet: {reading.why}")
        elif word is Word.BLIND:
            ports.tell("warning", f"BLIND: {reading.why}")

    def _tell_doubt(self, episode: Episode, reading: Reading | Blind) -> None:
        # What only one quote says is not acted on, and people are told when the market leaves it at that one.
        suspicion = episode.suspicion
        if suspicion is None:
            self._told_doubt = False
            return
        if self._told_doubt or isinstance(reading, Blind):
            return
        # A countdown is in doubt from its end on, however often what is seen changes.
        if reading.at - (episode.deadline or suspicion.at) >= TELL_DOUBT_AFTER:
            self._told_doubt = True
            seen = f"drawdown {percent(reading.drawdown)}, equity {decimal_text(reading.equity)}"
            self._ports.tell("warning", f"SUSPICIOUS: {seen}, and no second quote bears it out: nothing is done yet")

    def _tell_open(self, is_open: bool) -> None:
        # A late fill, or a person at the broker: told once, and closed only when it loses (`drawdown`, rule 6).
        if is_open and not self._told_open:
            self._ports.tell("critical", f"OPEN: something is open, or waits to open, although {SOURCE} is latched")
        self._told_open = is_open

    def _limits(self) -> Limits:
        hot = self._ports.books.hot
        account: Account = hot.get(keys.account(self._ports.account_id))
        return accounts.limits_of(hot, account)

    def _still_open(self) -> tuple[bool, bool]:
        """Say whether everything is flat, and whether whatever is not is being closed already."""
        hot, account_id = self._ports.books.hot, self._ports.account_id
        if any(not order.closes for order in hot.shelf(keys.ORDER, account_id)):
            return False, False  # an order that opens and still waits could fill behind our back
        outcomes = set()
        for position in open_positions(self._ports):
            in_flight = hot.get(keys.closing(account_id, position.key)) or money.ZERO
            instrument, price = hot.get(keys.instrument(position.instrument_id)), price_to_close(self._ports, position)
            outcomes.add(left_to_close(position, instrument, in_flight, price)[0])
        return outcomes <= {CloseOutcome.DUST}, outcomes <= {CloseOutcome.DUST, CloseOutcome.UNDER_WAY}

    def _remember(self, reading: Reading) -> None:
        # Nobody waits for these rows: they go with the next group. A peak that a crash takes away is read again.
        self._turns, marked = turned(self._turns, reading)
        due = self._snapshot_at is None or reading.at - self._snapshot_at >= SNAPSHOT_EVERY
        if not due and not marked and self._peak_written is not None and reading.peak <= self._peak_written:
            return
        self._snapshot_at, self._peak_written = reading.at, reading.peak
        books, name = self._ports.books, f"readings:{self._ports.account_id}"
        if not books.is_posted(name):
            # What was posted before is in line or written; the next readings make a batch of their own.
            self._batch = _Batch()
        self._batch.readings += marked
        if not marked or marked[-1][0] != reading:
            # The reading of now comes last, and tells what a unit is worth.
            self._batch.readings.append((reading, Occasion.READING))
        books.post_latest(name, _Post(self._batch, self._write_readings))

    def _write_readings(self, readings: Sequence[Marked], draft: Draft) -> None:
        account_id = self._ports.account_id
        for reading, occasion in readings:
            guarding.write_snapshot(draft, account_id, reading, occasion)
        last, highest = readings[-1][0], max((reading for reading, _ in readings), key=lambda reading: reading.peak)
        nav = guarding.nav_of(draft, account_id)
        if highest.peak > nav.peak or nav.peak_at is None:
            nav = replace(nav, peak=highest.peak, peak_at=highest.at)
        guarding.write_nav(draft, account_id, replace(nav, last=last.nav), last.at)

    def _write(
        self, draft: Draft, step: GuardStep, reading: Reading | Blind, actor: str, *, peak: Decimal | None = None
    ) -> None:
        account_id, now = self._ports.account_id, self._ports.clock.now()
        episode, limits = step.episode, self._limits()
        if GuardAction.LATCH in step.actions and isinstance(reading, Reading):
            # Added: a guard that closed again after its latch has lost twice in one episode.
            episode = replace(episode, loss=episode.loss + episode.equity - reading.equity)
            step = replace(step, episode=episode)
        threshold = limits.min_equity if episode.line == "min_equity" else limits.drawdown_close_ratio
        guarding.write_episode(draft, account_id, guarding.DRAWDOWN, episode, threshold)
        if isinstance(reading, Reading):
            self._write_readings([(reading, Occasion.READING)], draft)
            if peak is not None:
                nav = guarding.nav_of(draft, account_id)
                guarding.write_nav(draft, account_id, replace(nav, peak=peak, peak_at=now), now)
        details = _details(step, reading)
        for action in step.actions:
            if action in _STATES:
                state, latched = _STATES[action]
                halt = Halt(Scope.ACCOUNT, account_id, SOURCE, state, _sentence(step), latched)
                accounts.write_halt(draft, halt, now)
            if action in (GuardAction.WARN, GuardAction.CLOSE_ALL):
                kind = "WARNED" if action is GuardAction.WARN else "CLOSED_POSITION"
                key = f"{SOURCE}:{episode.number}"
                verdicts.write_breach(draft, account_id, kind, key, json_text(details), json_text(details), now)
        write_note(draft, Note(account_id, actor, "UPDATE", "GUARD", f"{SOURCE}:{episode.number}", now, details))
        if step.actions:
            tell(draft, Event(EventKind.GUARD_CHANGED, account_id, now, details))

    async def _act(self, step: GuardStep) -> None:
        for action in step.actions:
            if action in (GuardAction.WARN, GuardAction.START_COUNTDOWN, GuardAction.CLOSE_ALL, GuardAction.LATCH):
                severity = "warning" if action is GuardAction.WARN else "critical"
                self._ports.tell(severity, f"{action}: {_sentence(step)}{self._outcome(action)}")
        if GuardAction.CLOSE_ALL in step.actions:
            report = await cancel_and_close(self._ports, episode=f"drawdown:{step.episode.number}", triggered_by=SOURCE)
            sent = sum(result.outcome is CloseOutcome.SENT for result in report.results)
            await self._ports.books.write(lambda draft: self._count_closed(draft, sent))
            for failure in report.failures:
                log.error("close_failed", account=self._ports.account_id, failure=failure)
        if GuardAction.LATCH in step.actions:
            positions: list[Position] = self._ports.books.hot.shelf(keys.POSITION, self._ports.account_id)
            for position in positions:
                for failure in await drop_protection(self._ports, position, actor=SOURCE):
                    log.error("protection_not_cancelled", account=self._ports.account_id, failure=failure)

    def _outcome(self, action: GuardAction) -> str:
        if action is not GuardAction.LATCH:
            return ""
        episode = self.episode
        return f"; flat, {episode.closed_count} closed, {decimal_text(episode.loss)} lost from the decision to the end"

    def _count_closed(self, draft: Draft, sent: int) -> None:
        account_id = self._ports.account_id
        episode = guarding.episode_of(draft, account_id, guarding.DRAWDOWN)
        if sent:
            counted = replace(episode, closed_count=episode.closed_count + sent)
            guarding.write_episode(draft, account_id, guarding.DRAWDOWN, counted, self._limits().drawdown_close_ratio)

    async def _keep_looking(self) -> None:
        # Nobody else watches the deadline: whatever fails, but an end from outside, is told once and tried again.
        while True:
            try:
                wait = self._next_look()
                if wait is None:
                    return
                await asyncio.sleep(wait.total_seconds())
                await self._clear_up()
                await self._take_reading()
            except Exception as failure:  # noqa: BLE001  a dead guard protects nobody
                self._tell_failing(failure)
                await asyncio.sleep(LOOK_AGAIN.total_seconds())
            else:
                self._told_failing = False

    def _next_look(self) -> timedelta | None:
        """Say how long to wait; None when there is nothing more to watch."""
        episode, now = self.episode, self._ports.clock.now()
        if episode.status is GuardStatus.COUNTDOWN and episode.deadline is not None:
            return max(episode.deadline - now, timedelta(0)) or LOOK_AGAIN
        return RETRY_CLOSE if episode.status is GuardStatus.CLOSING else None

    async def _clear_up(self) -> None:
        # A close of unknown fate is looked up, or the guard would wait for it for ever. What keeps us from that must
        # not keep us from looking.
        try:
            await supervise(self._ports)
        except Exception as failure:  # noqa: BLE001  logged; what it leaves in doubt makes the reading blind
            log.error("not_cleared_up", account=self._ports.account_id, failure=repr(failure))

    def _tell_failing(self, failure: Exception) -> None:
        log.error("look_failed", account=self._ports.account_id, failure=repr(failure))
        if not self._told_failing:
            self._told_failing = True
            self._ports.tell("critical", f"GUARD FAILING: {SOURCE} cannot look and tries again: {failure}")


def _sentence(step: GuardStep) -> str:
    episode = step.episode
    if episode.line == "min_equity":
        return f"equity {decimal_text(episode.equity)} is below the least allowed"
    return f"drawdown {percent(episode.drawdown)} from the peak ({episode.line})"


def _details(step: GuardStep, reading: Reading | Blind) -> dict[str, str]:
    episode = step.episode
    details = {
        "guard": guarding.DRAWDOWN,
        "episode": str(episode.number),
        "status": str(episode.status),
        "actions": ",".join(step.actions),
        "line": episode.line,
        "closed": str(episode.closed_count),
    }
    if isinstance(reading, Blind):
        return {**details, "blind": reading.why}
    return {**details, "drawdown": decimal_text(reading.drawdown), "equity": decimal_text(reading.equity)}
