"""The guards' hands: take a reading, let the guard decide, write the decision down, then act on it.

What if we crash between the decision and the act? The episode is in the books: the next start reads it, looks again,
and goes on where it stood; a countdown whose deadline has passed is looked at once more before anything is closed.
What if the notifier is dead? Nothing here waits for it. What if the reading is blind? Nothing is closed and nothing
opens; a countdown stays armed and is looked at again every second.
"""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import structlog

from plimsoll.desk.close_position import CloseOutcome, how_much
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
from plimsoll.risk.guards.reading import Blind, Reading
from plimsoll.risk.limits import Limits
from plimsoll.store.connection import StoreFailed
from plimsoll.store.draft import Draft

log = structlog.get_logger("protect")

SOURCE = "guard:drawdown"
LOOK_AGAIN = timedelta(seconds=1)
RETRY_CLOSE = timedelta(seconds=2)
#: How often equity is written down when nothing else asks for it.
SNAPSHOT_EVERY = timedelta(seconds=10)

_STATES = {
    GuardAction.STOP_OPENING: (TradingState.REDUCE_ONLY, False),
    GuardAction.LATCH: (TradingState.REDUCE_ONLY, True),
    GuardAction.LET_OPEN: (TradingState.ACTIVE, False),
}


class Protector:
    """Runs the drawdown guard of one account."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._watch: asyncio.Task[None] | None = None
        #: One look, or one person, at a time: what is decided rests on an episode that nobody changes meanwhile.
        self._turn = asyncio.Lock()
        self._snapshot_at: datetime | None = None
        #: A first, unconfirmed sight of a breach; a restart looks anew.
        self._suspicion: Suspicion | None = None
        self.last: Reading | Blind | None = None
        self._unwritten: list[Reading] = []

    @property
    def episode(self) -> Episode:
        return guarding.episode_of(self._ports.books.hot, self._ports.account_id, guarding.DRAWDOWN)

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
        if self._watch is not None:
            self._watch.cancel()

    async def lift(self, actor: str) -> None:
        """Open a latched or warned guard again, on a person's word: the peak starts anew from today's value.

        Refuses: a guard that is not shut, or an account that cannot be valued now
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
        now = self._ports.clock.now()
        step = DrawdownGuard(self._limits()).lifted(episode, now)
        self._ports.peak_seen, self._ports.higher_seen = reading.nav, None
        await self._ports.books.write(lambda draft: self._write(draft, step, reading, actor, rebase=True))

    async def _take_reading(self) -> GuardStatus:
        async with self._turn:
            step, reading = await self._decide()
        # Acting may wait for a slow venue; the next look does not wait for that, and finds what is on its way.
        if step.actions:
            await self._act(step)
        elif isinstance(reading, Reading):
            self._remember(reading)
        return step.episode.status

    async def _decide(self) -> tuple[GuardStep, Reading | Blind]:
        ports = self._ports
        reading = await value_now(ports)
        if isinstance(reading, Blind):
            self._tell_blind(reading)
        self.last = reading
        ports.blind = reading.why if isinstance(reading, Blind) else ""
        before = self.episode
        if self._suspicion is not None:
            before = replace(before, suspicion=self._suspicion)
        flat, under_way = self._still_open() if before.status is GuardStatus.CLOSING else (False, False)
        guard = DrawdownGuard(book_view(ports).limits)
        step = guard.check_drawdown(before, reading, flat=flat, under_way=under_way, now=reading.at)
        self._suspicion = step.episode.suspicion
        if step.actions:
            await ports.books.write(lambda draft: self._write(draft, step, reading, SOURCE, rebase=False))
        return step, reading

    def _tell_blind(self, blind: Blind) -> None:
        # Once when it begins; and again at every look while a countdown is over and nothing can be done.
        episode = self.episode
        is_armed = episode.status is GuardStatus.COUNTDOWN and episode.deadline is not None
        if not isinstance(self.last, Blind):
            log.warning("blind", account=self._ports.account_id, why=blind.why)
            self._ports.tell("warning", f"BLIND: {blind.why}")
        elif is_armed and episode.deadline is not None and blind.at >= episode.deadline:
            self._ports.tell("critical", f"BLIND: the countdown is over and nothing can be closed yet: {blind.why}")

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
            outcomes.add(how_much(position, hot.get(keys.instrument(position.instrument_id)), in_flight)[0])
        return outcomes <= {CloseOutcome.DUST}, outcomes <= {CloseOutcome.DUST, CloseOutcome.UNDER_WAY}

    def _remember(self, reading: Reading) -> None:
        # Nobody waits for these rows: they go with the next group. A peak that a crash takes away is read again.
        due = self._snapshot_at is None or reading.at - self._snapshot_at >= SNAPSHOT_EVERY
        if not due and reading.nav < reading.peak:
            return
        self._snapshot_at = reading.at
        books, name = self._ports.books, f"readings:{self._ports.account_id}"
        if not books.is_posted(name):
            # What was posted before is in line or written; the next readings make a list of their own.
            self._unwritten = []
        self._unwritten.append(reading)
        books.post_latest(name, partial(self._write_readings, self._unwritten))

    def _write_readings(self, readings: list[Reading], draft: Draft) -> None:
        account_id = self._ports.account_id
        for reading in readings:
            guarding.write_snapshot(draft, account_id, reading)
        last, highest = readings[-1], max(readings, key=lambda reading: reading.peak)
        nav = guarding.nav_of(draft, account_id)
        if highest.peak > nav.peak or nav.peak_at is None:
            nav = replace(nav, peak=highest.peak, peak_at=highest.at)
        guarding.write_nav(draft, account_id, replace(nav, last=last.nav), last.at)

    def _write(self, draft: Draft, step: GuardStep, reading: Reading | Blind, actor: str, *, rebase: bool) -> None:
        account_id, now = self._ports.account_id, self._ports.clock.now()
        episode, limits = step.episode, self._limits()
        if GuardAction.LATCH in step.actions and isinstance(reading, Reading):
            episode = replace(episode, loss=episode.equity - reading.equity)
            step = replace(step, episode=episode)
        threshold = limits.min_equity if episode.line == "min_equity" else limits.drawdown_close_ratio
        guarding.write_episode(draft, account_id, guarding.DRAWDOWN, episode, threshold)
        if isinstance(reading, Reading):
            self._write_readings([reading], draft)
            if rebase:
                nav = guarding.nav_of(draft, account_id)
                guarding.write_nav(draft, account_id, replace(nav, peak=reading.nav, peak_at=now), now)
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
                for failure in await drop_protection(self._ports, position):
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
        while True:
            episode, now = self.episode, self._ports.clock.now()
            if episode.status is GuardStatus.COUNTDOWN and episode.deadline is not None:
                wait = max(episode.deadline - now, timedelta(0)) or LOOK_AGAIN
            elif episode.status is GuardStatus.CLOSING:
                wait = RETRY_CLOSE
            else:
                return
            await asyncio.sleep(wait.total_seconds())
            try:
                # A close of unknown fate is looked up, or the guard would wait for it for ever.
                await supervise(self._ports)
                await self._take_reading()
            except StoreFailed as failure:
                # A locked or full database today may be writable in a second, and nobody else watches the deadline.
                log.error("look_failed", account=self._ports.account_id, failure=str(failure))
                await asyncio.sleep(LOOK_AGAIN.total_seconds())


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
