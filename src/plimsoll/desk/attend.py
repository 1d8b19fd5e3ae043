"""The account attended, for as long as a desk is served: prices taken in, book compared, guard looking, bars handed on.

Each duty is a loop of its own, so that none waits for another: a venue that does not answer holds up the comparison and
not the guard, a slow bot holds up bars and not prices.

    prices   shows the venue what is in line                   (`price_line`)
    bars     hands closed bars to those who decide, once what they closed on is booked
    rounds   compares with the venue: every ten seconds, every second in doubt, ever more seldom if silent
    pulse    notes that this process is awake                  (`pulse`)
    guard    lets the drawdown guard look, every second
    rules    asks the source for its instruments, every half hour
    old      removes what is kept no longer, every hour

1. A failure of the world (a silent venue, a full disk) is told once, named in `Attendance.failing`, and tried again.
2. A failure of our own is told, and nothing opens any more until a person lifts that: the process goes on protecting,
   but it is not what it was thought to be. So it is with a loop that ends, which is begun again.
3. Everything that is waited for has a bound when the desk stops; what then is still in doubt is so in the book as well.

What if we crash? Nothing here is remembered; the next start recovers like every start.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Protocol

from plimsoll.desk.book_trades import listen
from plimsoll.desk.forget_old import forget_old
from plimsoll.desk.instrument_news import refresh_instruments
from plimsoll.desk.ports import Doors, Ports
from plimsoll.desk.price_line import PriceLine
from plimsoll.desk.protect import Protector
from plimsoll.desk.pulse import beat
from plimsoll.desk.reconcile_account import Reconciliation, reconcile_account
from plimsoll.desk.recover import recover
from plimsoll.desk.resolve_unknown import resolve_unknown
from plimsoll.desk.supervise import orders_in_doubt
from plimsoll.ledger import keys
from plimsoll.ledger.comparisons import Cause, write_attempt
from plimsoll.model.account import TradingState
from plimsoll.model.errors import UnknownOutcome, WorldFailure
from plimsoll.model.ids import ClientOrderId
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import Order, OrderState
from plimsoll.model.quote import Bar, Quote
from plimsoll.risk.guards.reading import Blind, Reading
from plimsoll.runtime.logging import logger
from plimsoll.store.draft import Draft
from plimsoll.venues.protocol import ShownVenue

log = logger("attend")

COMPARE_SECONDS = 10.0
#: So that many accounts do not ask at once: a tenth more or less.
JITTER_RATIO = 0.1
LOOK_SECONDS = 1.0
#: A guard that has not looked for so long counts as blind: nothing opens until it has.
GUARD_LATE_SECONDS = 5.0
#: A venue that could not be compared with for so long is lost: nothing opens until it was.
LOST_SECONDS = 60.0
#: A venue that answers, and an account that never stands still long enough to be compared: then its last word is old.
MOVING_SECONDS = 600.0
#: After the first failed comparison, and at most; doubled in between.
BACK_OFF_SECONDS, LONGEST_BACK_OFF_SECONDS = 1.0, 30.0
REFRESH_SECONDS = 1_800.0
REFRESH_AGAIN_SECONDS = 60.0
FORGET_SECONDS = 3_600.0
#: After a failure a loop begins again.
AGAIN_SECONDS = 1.0
#: A difference that may still explain itself, or has not stood for long enough to be told, is looked at so soon again.
UNSURE_SECONDS = 3.0
#: Work that goes on for so long has begun well.
SETTLED_SECONDS = 5.0
#: What a stop waits for: orders on their way and closes under way, and then for the fate of what was cut off.
STOP_SECONDS = 5.0
FATE_SECONDS = 2.0
#: How long a decision waits for fills that are being booked.
NEWS_SECONDS = 1.0
_GLANCE_SECONDS = 0.02

#: Asks a price source for its instruments.
Describe = Callable[[], Awaitable[tuple[Instrument, ...]]]
Decide = Callable[[Bar], Awaitable[None]]
HearQuote = Callable[[Quote], None]

#: Failures of the world: foreseen, without effect or of unknown effect, and tried again.
_WORLD = (WorldFailure, UnknownOutcome)


class BarMaker(Protocol):
    """Makes closed bars of what a source tells (`market.candle_keeper`)."""

    def take(self, quote: Quote) -> Iterable[Bar]:
        """Take a quote; give the bars that it closed."""

    def take_bar(self, bar: Bar) -> Iterable[Bar]:
        """Take a bar that the source tells itself; give those that are to be decided on."""


@dataclass(frozen=True, slots=True)
class Attendance:
    """How an account is attended, for people."""

    #: When the book was last compared with the venue as of one moment, whatever came of it.
    last_reconciled_at: datetime | None
    total_syncs: int
    last_sync_duration_ms: int | None
    reconciliation: Reconciliation | None
    #: When the guard last looked, blind or not.
    last_check_at: datetime | None
    #: What does not work now, in sentences; empty while everything does.
    failing: str
    #: Quotes that waiting orders were not shown because too many were in line.
    skipped_quotes: int


class Attendant:
    """Looks after one account of a served desk."""

    def __init__(self, ports: Ports, venue: ShownVenue, describe: Describe, chance: random.Random) -> None:
        self.ports = ports
        self.protector = Protector(ports)
        self._describe = describe
        self._chance = chance
        self._maker: BarMaker | None = None
        self._closed: asyncio.Queue[Bar] = asyncio.Queue()
        self._line = PriceLine(ports.board, venue, self._closed.put_nowait)
        self._hearers: list[HearQuote] = [self._make_bars]
        self._deciders: list[Decide] = []
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._failing: dict[str, str] = {}
        #: One comparison at a time, whoever asks for it.
        self._turn = asyncio.Lock()
        self._reconciliation: Reconciliation | None = None
        self._reconciled_at: datetime | None = None
        self._syncs = 0
        self._sync_ms: int | None = None
        #: By the stopwatch: when to compare next, when that last went well, when the guard had its last reading.
        self._compare_at = self._compared = self._answered = self._looked = ports.clock.monotonic()
        self._reading: Reading | Blind | None = None
        #: Comparisons in a row that failed, and `Ports.doubts` as the last good one left it to a person.
        self._failures = 0
        self._left_to_person: int | None = None

    # ------------------------------------------------------------------------------------------------ prices come in

    def on_quote(self, hear: HearQuote) -> None:
        """Tell `hear` of every quote that the board takes, at once; it must not wait."""
        self._hearers.append(hear)

    def on_bar_closed(self, maker: BarMaker, decide: Decide) -> None:
        """Have bars made of the prices, and `decide` awaited for each that closes, one after the other."""
        self._maker = maker
        self._deciders.append(decide)

    def take(self, quote: Quote) -> None:
        """Take a quote from the feed; returns at once."""
        if not self._line.take(quote):
            return
        for hear in self._hearers:
            try:
                hear(quote)
            except Exception as failure:  # noqa: BLE001  whoever only looks on must not stop the prices
                self._broke("listeners", failure, stops_opening=False)

    def _make_bars(self, quote: Quote) -> None:
        if self._maker is not None:
            self._line.hand_on(self._maker.take(quote))

    def take_bar(self, bar: Bar) -> None:
        """Take a closed bar that the feed tells itself, before its close as a quote; returns at once."""
        self._line.take_bar(bar, () if self._maker is None else self._maker.take_bar(bar))

    # ------------------------------------------------------------------------------------------------- start and stop

    async def start(self) -> None:
        """Bring the account to where it may trade, or leave it in doubt and go on trying; then attend it."""
        listen(self.ports)
        self._begin("pulse", self._beat)
        self._begin("prices", self._show)
        async with self._turn:
            try:
                await self._compare(partial(recover, self.ports), Cause.START)
            except _WORLD:
                pass  # noted: the rounds ask again
            except Exception as bug:  # noqa: BLE001  a person must be able to look, and to close
                self._broke("rounds", bug)
        self._begin("guard", self._look)
        self._begin("rounds", self._round)
        self._begin("rules", self._refresh)
        self._begin("bars", self._hand_over)
        self._begin("old", self._forget)

    def keep(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Keep other work of this account going under the same watch: a feed that runs until it is cancelled.

        Whatever ends it is told, and it is begun again; it ends with the attendant.
        """

        async def step() -> float:
            doing = asyncio.ensure_future(work())
            try:
                # What has run for a while works again; it may never come back to say so.
                await asyncio.wait([doing], timeout=SETTLED_SECONDS)
                if not doing.done():
                    self._works(name)
                await doing
            finally:
                doing.cancel()
            return AGAIN_SECONDS

        self._begin(name, step)

    @property
    def stopping(self) -> bool:
        """Say whether the desk takes no new orders because it is being stopped."""
        return self.ports.doors is not Doors.OPEN

    async def stop(self) -> tuple[ClientOrderId, ...]:
        """Take nothing new, wait for what is on its way, end; name the orders whose fate is still not known.

        What rests at the venue stays there. Again is harmless.
        """
        ports = self.ports
        if ports.doors is Doors.OPEN:
            ports.doors = Doors.CLOSING
        until = ports.clock.monotonic() + STOP_SECONDS
        while (ports.placing or self.protector.is_acting) and ports.clock.monotonic() < until:
            await asyncio.sleep(_GLANCE_SECONDS)
        ports.doors = Doors.SHUT
        tasks, self._tasks = self._tasks, {}
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        await self.protector.close()
        await self._wait_for_news()
        left = await self._clear_up()
        try:
            # Behind everything that was posted.
            await ports.books.write(_nothing)
        except _WORLD as failure:
            log.error("last_rows_not_written", account=ports.account_id, failure=str(failure))
        if left:
            log.warning("stopped_in_doubt", account=ports.account_id, orders=",".join(left))
        return left

    async def _clear_up(self) -> tuple[ClientOrderId, ...]:
        # What was cut off in its sending is of unknown fate; asked about now, it may have one before we go.
        try:
            async with asyncio.timeout(FATE_SECONDS):
                await resolve_unknown(self.ports)
        except Exception as failure:  # noqa: BLE001  the end has to come; the next start asks
            log.warning("fate_not_asked", account=self.ports.account_id, failure=repr(failure))
        live: list[Order] = self.ports.books.hot.shelf(keys.ORDER, self.ports.account_id)
        return tuple(order.client_order_id for order in live if order.state in _OF_NO_FATE)

    # -------------------------------------------------------------------------------------------------- for people

    def attendance(self) -> Attendance:
        """Say how the account is attended now."""
        last = self.protector.last
        return Attendance(
            self._reconciled_at,
            self._syncs,
            self._sync_ms,
            self._reconciliation,
            None if last is None else last.at,
            "; ".join(f"{name}: {sentence}" for name, sentence in self._failing.items()),
            self._line.skipped,
        )

    async def sync(self) -> Reconciliation:
        """Compare with the venue now, because somebody asks.

        Raises: WorldFailure, UnknownOutcome when that cannot be done; nothing is concluded from it
        """
        result = await self._sync(Cause.MANUAL)
        # Who asked looks next at what it left in the book: behind everything that was posted.
        await self.ports.books.write(_nothing)
        return result

    async def _sync(self, cause: Cause) -> Reconciliation:
        async with self._turn:
            return await self._compare(partial(reconcile_account, self.ports), cause)

    # ------------------------------------------------------------------------------------------------------ the loops

    async def _show(self) -> float:
        await self._line.work()
        return 0

    async def _hand_over(self) -> float:
        bar = await self._closed.get()
        # What the close filled is booked before anybody decides on it.
        await self._wait_for_news()
        for decide in self._deciders:
            await decide(bar)
        return 0

    async def _wait_for_news(self) -> None:
        if self.ports.tasks:
            await asyncio.wait(self.ports.tasks, timeout=NEWS_SECONDS)

    async def _beat(self) -> float:
        beat(self.ports)
        return LOOK_SECONDS

    async def _look(self) -> float:
        await self.protector.look()
        return LOOK_SECONDS

    async def _refresh(self) -> float:
        try:
            await refresh_instruments(self.ports, await self._describe())
        except _WORLD as failure:
            self._fails("rules", failure)
            return self._about(REFRESH_AGAIN_SECONDS)
        self._works("rules")
        return self._about(REFRESH_SECONDS)

    async def _forget(self) -> float:
        await forget_old(self.ports)
        return self._about(FORGET_SECONDS)

    async def _round(self) -> float:
        ports, now = self.ports, self.ports.clock.monotonic()
        self._tell_bad_news()
        if self.protector.last is not self._reading:
            self._reading, self._looked = self.protector.last, now
        elif now - self._looked > GUARD_LATE_SECONDS and not ports.blind:
            # Lifted by its next look, which says itself whether it sees.
            ports.blind = f"the guard has not looked for {GUARD_LATE_SECONDS:g} seconds"
            ports.tell("critical", f"BLIND: {ports.blind}")
        if now - self._answered > LOST_SECONDS and ports.reconciled:
            ports.doubt(f"the venue could not be compared with for {LOST_SECONDS:g} seconds")
        if now - self._compared > MOVING_SECONDS and ports.reconciled:
            ports.doubt(f"the account has not stood still to be compared for {MOVING_SECONDS:g} seconds")
        if (in_doubt := self._asks_at_once()) or now >= self._compare_at:
            with suppress(*_WORLD):  # noted, and the next time is set
                await self._sync(Cause.PRE_TRADE if in_doubt else Cause.SCHEDULED)
        return LOOK_SECONDS

    def _asks_at_once(self) -> bool:
        # A venue that fails is left alone for a while; a difference that only a person can clear up is not asked about
        # again and again, unless something new came up.
        ports = self.ports
        is_new = not ports.reconciled and ports.doubts != self._left_to_person
        return not self._failures and (is_new or bool(orders_in_doubt(ports)))

    async def _compare(self, compare: Callable[[], Awaitable[Reconciliation]], cause: Cause) -> Reconciliation:
        clock, doubts = self.ports.clock, self.ports.doubts
        began = clock.monotonic()
        try:
            result = await compare()
        except Exception as failure:
            self._log_attempt(cause, clock.monotonic() - began, str(failure) or type(failure).__name__)
            self._failures += 1
            wait = min(BACK_OFF_SECONDS * 2 ** (self._failures - 1), LONGEST_BACK_OFF_SECONDS)
            self._compare_at = clock.monotonic() + self._about(wait)
            if isinstance(failure, _WORLD):
                self._fails("rounds", failure)
            raise
        ended = self._answered = clock.monotonic()
        self._log_attempt(cause, ended - began, None)
        # An account that would not stand still is asked again soon.
        self._failures, wait = 0, AGAIN_SECONDS
        if result.compared:
            wait = UNSURE_SECONDS if result.unsure else COMPARE_SECONDS
        self._compare_at = ended + self._about(wait)
        self._reconciliation, self._sync_ms = result, round((ended - began) * 1_000)
        self._syncs += 1
        if result.compared:
            self._compared, self._reconciled_at = ended, clock.now()
        is_left = result.compared and result.settled and not result.may_open
        self._left_to_person = doubts if is_left else None
        self._works("rounds")
        return result

    def _log_attempt(self, cause: Cause, seconds: float, error: str | None) -> None:
        account_id, now = self.ports.account_id, self.ports.clock.now()
        took = round(seconds * 1_000)
        # Nobody waits for it, least of all an order.
        self.ports.books.post(lambda draft: write_attempt(draft, account_id, cause, took, error, now))

    def _about(self, seconds: float) -> float:
        return seconds * (1 + JITTER_RATIO * (2 * self._chance.random() - 1))

    # --------------------------------------------------------------------------------------- what watches the loops

    def _begin(self, name: str, step: Callable[[], Awaitable[float]]) -> None:
        if self.ports.doors is Doors.SHUT:
            return
        task = asyncio.get_running_loop().create_task(self._keep(name, step), name=f"attend:{name}")
        self._tasks[name] = task
        task.add_done_callback(partial(self._ended, name, step))

    async def _keep(self, name: str, step: Callable[[], Awaitable[float]]) -> None:
        while True:
            try:
                pause = await step()
            except _WORLD as failure:
                self._fails(name, failure)
                pause = AGAIN_SECONDS
            except Exception as bug:  # noqa: BLE001  the outer edge of every duty: told, and the duty goes on
                self._broke(name, bug)
                pause = AGAIN_SECONDS
            else:
                if name not in _SAY_THEMSELVES:
                    self._works(name)
            await asyncio.sleep(pause)

    def _ended(self, name: str, step: Callable[[], Awaitable[float]], task: "asyncio.Task[None]") -> None:
        if self._tasks.get(name) is not task:
            return  # we ended it ourselves
        self._broke(name, RuntimeError("this duty was ended from outside and is begun again"))
        asyncio.get_running_loop().call_later(AGAIN_SECONDS, self._begin, name, step)

    def _fails(self, name: str, failure: BaseException) -> None:
        if name not in self._failing:
            log.warning("fails", account=self.ports.account_id, duty=name, failure=str(failure))
            if name == "guard":
                self.ports.tell("critical", f"GUARD FAILING: it cannot look and tries again: {failure}")
        self._failing[name] = str(failure)

    def _works(self, name: str) -> None:
        if self._failing.pop(name, None) is not None:
            log.info("works_again", account=self.ports.account_id, duty=name)

    def _broke(self, name: str, bug: BaseException, *, stops_opening: bool = True) -> None:
        ports, sentence = self.ports, f"{type(bug).__name__}: {bug}"
        if self._failing.get(name) != sentence:
            log.error("broke", account=ports.account_id, duty=name, failure=sentence, exc_info=bug)
            ports.tell("critical", f"BROKEN: {name} of the desk failed and is tried again: {sentence}")
        self._failing[name] = sentence
        if stops_opening:
            ports.memory_state = max(ports.memory_state, TradingState.REDUCE_ONLY, key=lambda held: held.strictness)

    def _tell_bad_news(self) -> None:
        # News that could not be booked has put the account in doubt already; here it is told.
        failures, self.ports.failures = self.ports.failures, []
        for failure in failures:
            self._broke("news", failure, stops_opening=False)
        if not failures and self.ports.reconciled:
            self._works("news")


#: An edge may still wait for an order that is PENDING.
_OF_NO_FATE = frozenset({OrderState.PENDING, OrderState.UNKNOWN})

#: Duties that say for themselves whether they work: a round, or a refresh, may do nothing and prove nothing.
_SAY_THEMSELVES = frozenset({"rounds", "rules"})


def _nothing(_draft: Draft) -> None:
    """Write nothing, behind what was written before."""
