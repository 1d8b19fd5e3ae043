"""The bots of one account: made, started, fed with closed bars, stopped, and looked at.

1. Every bot trades a leg of its own: its number is its strategy's, so that it never sells what a person bought, nor
   another bot.
2. A bar is decided once, and only while it is fresh: one that comes late, after an outage or a sleep, teaches the
   indicators and moves nothing.
3. A strategy that fails takes itself out: ERROR, with the reason, told and logged; the others go on. What the world
   does (a full disk, a silent venue, a desk that stops) is no fault of a bot's: it decides again at the next close.
4. Looking never trades. Another's bot answers exactly like one that does not exist.

    STOPPED ──start──► RUNNING ──its strategy fails──► ERROR
       ▲                 │                               │
       └──────stop───────┴───────────────stop────────────┤
                         ◄──────────────start────────────┘

What if we crash? RUNNING bots resume at the next start with what their strategy wanted remembered, and the bars of the
past. What an order that was written before we crashed came to, they see in the ledger.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Final, Protocol

from plimsoll.bots.catalogue import make_strategy
from plimsoll.bots.runner import Bot, BotRunner
from plimsoll.bots.sight import Sight
from plimsoll.bots.signal_strategy import SignalStrategy
from plimsoll.bots.signals import Advice, Temperature
from plimsoll.bots.strategy import Explains, Reconsiders, Strategy, View
from plimsoll.desk.place_order import OrderAnswer, place_order
from plimsoll.desk.ports import Doors, Ports
from plimsoll.desk.protect import Protector
from plimsoll.ledger import bots, keys, strategies
from plimsoll.ledger.bots import BotRecord
from plimsoll.ledger.log import Note, tell, write_note
from plimsoll.model.account import Account, Portfolio, TradingState
from plimsoll.model.errors import CommandRefused, Illegal, Refusal, UnknownOutcome, WorldFailure
from plimsoll.model.event import Event, EventKind
from plimsoll.model.ids import InstrumentId, PortfolioId, StrategyId
from plimsoll.model.instrument import Instrument
from plimsoll.model.money import decimal_text
from plimsoll.model.order import Intent
from plimsoll.model.quote import Bar
from plimsoll.people.actor import Actor
from plimsoll.runtime.logging import logger
from plimsoll.store.connection import CommitUnclear, StoreFailed
from plimsoll.store.draft import Draft

log = logger("bots")

RUNNING, STOPPED, ERROR = "RUNNING", "STOPPED", "ERROR"

#: Closed bars of the past that warm a bot: enough for every built-in default to forget where it began.
WARM_BARS: Final = 1_000
#: Bars that closed just now, so that none is lost between the past that was fetched and the first that is decided.
RECENT_BARS: Final = 8
LONGEST_NAME: Final = 60
LONGEST_REASON: Final = 200

#: What keeps an order from being placed and says nothing about the bot that wanted it.
_NOT_ITS_FAULT = (CommandRefused, WorldFailure, UnknownOutcome)

Make = Callable[[str, Mapping[str, str]], Strategy]


class Past(Protocol):
    """Knows the minutes that went before (`market.candle_keeper`)."""

    def whole_minutes(self, instrument_id: InstrumentId, limit: int) -> Sequence[Bar]:
        """Give the newest closed bars that were seen whole, oldest first."""


@dataclass(frozen=True, slots=True)
class NewBot:
    """What a person wants a bot to be."""

    name: str
    strategy: str
    portfolio_id: PortfolioId
    instrument_id: InstrumentId
    params: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BotSignal:
    """What a bot makes of the market, and what keeps it from acting."""

    bot_id: int
    #: Symbol of what it trades.
    product_id: str
    #: None where its strategy does not score, or has not seen enough.
    temperature: Temperature | None
    combined_score: str | None
    recommended_action: Advice | None
    #: End of the last bar that it took in.
    last_evaluation: datetime | None
    ready_to_trade: bool
    #: Empty only when it is ready.
    blocking_reason: str


@dataclass(frozen=True, slots=True)
class BotSeen:
    """A bot as people see it."""

    record: BotRecord
    #: Why it is in ERROR, as far as this process knows.
    detail: str
    signal: BotSignal
    #: Of its own leg, signed.
    position_quantity: Decimal
    #: What the gate said to what it wanted on the last bar that it took in, at its close or asked since; None when it
    #: wanted nothing there, or does not run.
    answer: OrderAnswer | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a bot came to when it was asked."""

    signal: BotSignal
    #: None when it wished for nothing, or what it wished could not be asked of the gate.
    answer: OrderAnswer | None


class _Running:
    """A bot at work."""

    def __init__(self, ports: Ports, bot: Bot, strategy: Strategy, sight: Sight) -> None:
        self.strategy = strategy
        self.answer: OrderAnswer | None = None
        self.last_bar_end: datetime | None = None
        #: When it wanted something last, and what the gate said.
        self._wanted: tuple[datetime, OrderAnswer] | None = None
        self._ports = ports
        self._runner = BotRunner(bot, strategy, self._place, sight.look, ports.clock)

    def warm(self, bar: Bar) -> None:
        self._runner.warm(bar)
        self._took(bar)

    async def on_close(self, bar: Bar) -> None:
        await self._runner.on_close(bar)
        self._took(bar)

    async def ask(self, *, forced: bool) -> OrderAnswer | None:
        strategy, self.answer = self.strategy, None
        if isinstance(strategy, Reconsiders):
            await self._runner.ask(lambda view: strategy.reconsider(view, forced=forced))
        return self.answer

    @property
    def answer_of_last_bar(self) -> OrderAnswer | None:
        """Give what the gate said to what it wanted since its last bar closed; None when it wanted nothing since."""
        if self._wanted is None or (self.last_bar_end is not None and self._wanted[0] < self.last_bar_end):
            return None
        return self._wanted[1]

    def _took(self, bar: Bar) -> None:
        if self.last_bar_end is None or bar.end > self.last_bar_end:
            self.last_bar_end = bar.end

    async def _place(self, intent: Intent) -> bool:
        try:
            self.answer = await place_order(self._ports, intent)
            self._wanted = (intent.made_at, self.answer)
        except _NOT_ITS_FAULT as failure:
            # Nothing was approved, as far as anybody knows; the next view shows an order that was.
            log.warning("not_placed", bot=intent.triggered_by, intent_key=intent.key, failure=str(failure))
            return False
        return self.answer.approved


class BotHost:
    """Runs the bots of one account."""

    def __init__(self, ports: Ports, protector: Protector, past: Past, make: Make = make_strategy) -> None:
        self._ports = ports
        self._protector = protector
        self._past = past
        self._make = make
        self._running: dict[int, _Running] = {}
        #: Why bots are in ERROR.
        self._reasons: dict[int, str] = {}
        self._recent: defaultdict[InstrumentId, deque[Bar]] = defaultdict(lambda: deque(maxlen=RECENT_BARS))
        #: One start or stop at a time.
        self._turn = asyncio.Lock()

    # --------------------------------------------------------------------------------------------------- bars come in

    async def begin(self) -> None:
        """Resume every bot that the last process left RUNNING."""
        async with self._turn:
            for record in self._records():
                if record.status == RUNNING and record.id not in self._running:
                    try:
                        self._run(record)
                    except Exception as failure:  # noqa: BLE001  whatever a strategy of somebody else breaks with
                        await self._fail(record.id, failure)

    async def on_bar(self, bar: Bar) -> None:
        """Have every running bot of the instrument decide a closed minute, and wait for what they order."""
        self._recent[bar.instrument_id].append(bar)
        at_work = [(record.id, self._running.get(record.id)) for record in self._records(bar.instrument_id)]
        deciding = [self._decide(bot_id, running, bar) for bot_id, running in at_work if running is not None]
        if deciding:
            await asyncio.gather(*deciding)

    async def _decide(self, bot_id: int, running: _Running, bar: Bar) -> None:
        try:
            if self._ports.clock.now() - bar.end < bar.interval:
                await running.on_close(bar)
            else:
                running.warm(bar)
            self._remember(bot_id, running)
        except Exception as failure:  # noqa: BLE001  the outer edge of a strategy: it is taken out, the others go on
            await self._fail(bot_id, failure)

    def _remember(self, bot_id: int, running: _Running) -> None:
        # Compared with what is written, not with what was last tried: after a full disk it is tried again.
        state = tuple(sorted(running.strategy.state().items()))
        record: BotRecord | None = self._ports.books.hot.get(keys.bot(bot_id))
        if record is not None and record.state != state:
            self._ports.books.post_latest(f"bot:{bot_id}", partial(_write_state, bot_id, state))

    # ------------------------------------------------------------------------------------------------ what people do

    async def create(self, new: NewBot, actor: Actor) -> BotRecord:
        """Make a bot, STOPPED.

        Refuses: a portfolio that is not the actor's or not of this account, an instrument that is not traded here, a
                 name that another bot of the user has
        Raises:  CommandRefused; Illegal for a name, strategy or parameter that cannot be; StoreFailed, CommitUnclear
        """
        name = _legal_name(new.name)
        portfolio: Portfolio | None = self._ports.books.hot.get(keys.portfolio(new.portfolio_id))
        if portfolio is None or portfolio.account_id != self._ports.account_id or not actor.owns(portfolio):
            raise _refused("portfolio_unknown", "there is no such portfolio", str(new.portfolio_id))
        self._make(new.strategy, new.params)  # made to see whether it can be
        record: BotRecord = await self._ports.books.write(partial(self._create, actor, replace(new, name=name)))
        return record

    def _create(self, actor: Actor, new: NewBot, draft: Draft) -> BotRecord:
        account: Account = draft.get(keys.account(self._ports.account_id))
        portfolio: Portfolio = draft.get(keys.portfolio(new.portfolio_id))
        if draft.get(keys.instrument_of(account.broker, new.instrument_id)) is None:
            raise _refused("instrument_unknown", "this account has no such instrument", str(new.instrument_id))
        namesakes = [bot for bot in draft.shelf(keys.BOTS_OF, portfolio.user_id) if bot.name == new.name]
        if namesakes:
            raise _refused(
                "bot_name_taken", "another bot has this name", new.name, remedy="choose a name that no bot of yours has"
            )
        # The same rules and parameters are the same version: what traded can be said for ever, and compared.
        version = strategies.version_for(
            draft,
            portfolio.user_id,
            new.strategy,
            new.strategy,
            new.params,
            self._ports.ids.uuid7(),
            self._ports.clock.now(),
        )
        record = BotRecord(
            draft.next_id("bots"),
            new.portfolio_id,
            new.instrument_id,
            new.name,
            new.strategy,
            STOPPED,
            tuple(sorted(new.params.items())),
            strategy_version_id=version.id,
        )
        self._write(draft, record, actor.name, "CREATE")
        return record

    async def start(self, bot_id: int, actor: Actor) -> BotRecord:
        """Let a bot run; one that runs already goes on.

        Refuses: an unknown bot
        Raises:  CommandRefused; Illegal for a strategy that cannot be made any more; StoreFailed, CommitUnclear
        """
        async with self._turn:
            record = self._owned(bot_id, actor)
            if bot_id in self._running:
                return record
            running = self._made(record)
            self._warm(record, running)
            written = await self._set_status(bot_id, RUNNING, actor.name)
            # What closed while that was written; the others it knows.
            self._warm(record, running)
            self._running[bot_id] = running
            self._reasons.pop(bot_id, None)
            return written

    async def stop(self, bot_id: int, actor: Actor) -> BotRecord:
        """Let a bot rest; what it holds, it holds on to. From here on it decides nothing, written down or not.

        Refuses: an unknown bot
        Raises:  CommandRefused; StoreFailed, CommitUnclear: it rests, and the next process may find it RUNNING
        """
        async with self._turn:
            self._owned(bot_id, actor)
            self._running.pop(bot_id, None)
            written = await self._set_status(bot_id, STOPPED, actor.name)
            self._reasons.pop(bot_id, None)
            return written

    async def evaluate(self, bot_id: int, actor: Actor, *, forced: bool) -> Evaluation:
        """Have a running bot decide now on the bars that it has seen; `forced` skips its confirmation, nothing else.

        A bot that does not run decides nothing, nor does one whose strategy decides on closes only.

        Refuses: an unknown bot
        """
        self._owned(bot_id, actor)
        running, answer = self._running.get(bot_id), None
        if running is not None:
            try:
                answer = await running.ask(forced=forced)
                self._remember(bot_id, running)
            except Exception as failure:  # noqa: BLE001  the outer edge of a strategy, as at a close
                await self._fail(bot_id, failure)
        return Evaluation(self.signal(bot_id, actor), answer)

    # ----------------------------------------------------------------------------------------------- what people see

    def bots_of(self, actor: Actor) -> list[BotSeen]:
        """Show the bots that the actor may see, in the order they were made."""
        return [self._seen(record) for record in self._records() if self._is_his(actor, record)]

    def bot(self, bot_id: int, actor: Actor) -> BotSeen:
        """Show one bot.

        Refuses: an unknown bot
        """
        return self._seen(self._owned(bot_id, actor))

    def signal(self, bot_id: int, actor: Actor) -> BotSignal:
        """Show what one bot makes of the market.

        Refuses: an unknown bot
        """
        return self.bot(bot_id, actor).signal

    def _seen(self, record: BotRecord) -> BotSeen:
        running, view = self._running.get(record.id), self._sight(self._bot_of(record)).look()
        detail = self._reasons.get(record.id, "")
        if record.status == ERROR and not detail:
            detail = "It failed before the desk was started anew; the audit log says how."
        if detail:
            record = replace(record, status=ERROR)  # also where that could not be written
        elif record.status == RUNNING and running is None:
            detail = "It rests in this process; the next start of the desk will find it running."
        reason = self._blocking(detail, running, view)
        signal = running.strategy.last_signal if running and isinstance(running.strategy, SignalStrategy) else None
        told = BotSignal(
            record.id,
            view.instrument.symbol,
            None if signal is None else signal.temperature,
            None if signal is None else decimal_text(signal.score),
            None if signal is None else signal.side,
            None if running is None else running.last_bar_end,
            not reason,
            reason,
        )
        answer = None if running is None else running.answer_of_last_bar
        return BotSeen(record, detail, told, view.position_quantity, answer)

    def _blocking(self, detail: str, running: _Running | None, view: View) -> str:
        """Name the first thing that keeps a bot from acting, from the gravest to the mildest."""
        ports = self._ports
        if running is None:
            return detail or "It is stopped."
        if ports.doors is not Doors.OPEN:
            return "The desk is being stopped."
        # What it holds, it may still close where nothing may be opened.
        may_close = view.position_quantity != 0 and view.account_state is TradingState.REDUCE_ONLY
        if view.account_state is not TradingState.ACTIVE and not may_close:
            return f"The account is {view.account_state}."
        if view.position_quantity == 0 and not ports.reconciled:
            return "The book has not been found equal to the venue."
        if view.position_quantity == 0 and ports.blind:
            return f"The account cannot be valued: {ports.blind}."
        if view.pending:
            return "An order of it is still on its way."
        strategy = running.strategy
        return strategy.waits_for(view) if isinstance(strategy, Explains) else ""

    # ------------------------------------------------------------------------------------------------------- private

    def _records(self, instrument_id: InstrumentId | None = None) -> list[BotRecord]:
        hot = self._ports.books.hot
        with hot.lock:
            account: Account = hot.get(keys.account(self._ports.account_id))
            records: list[BotRecord] = hot.shelf(keys.BOTS_OF, account.user_id)
            return sorted(
                (
                    record
                    for record in records
                    if hot.get(keys.portfolio(record.portfolio_id)).account_id == account.id
                    and instrument_id in (None, record.instrument_id)
                ),
                key=lambda record: record.id,
            )

    def _is_his(self, actor: Actor, record: BotRecord) -> bool:
        portfolio: Portfolio = self._ports.books.hot.get(keys.portfolio(record.portfolio_id))
        return actor.owns(portfolio)

    def _owned(self, bot_id: int, actor: Actor) -> BotRecord:
        for record in self._records():
            if record.id == bot_id and self._is_his(actor, record):
                return record
        raise _refused("bot_unknown", "there is no such bot", str(bot_id))

    def _bot_of(self, record: BotRecord) -> Bot:
        hot = self._ports.books.hot
        account: Account = hot.get(keys.account(self._ports.account_id))
        instrument: Instrument = hot.get(keys.instrument(record.instrument_id))
        strategy_id = StrategyId(record.id)
        return Bot(record.id, account.id, record.portfolio_id, account.user_id, instrument, strategy_id)

    def _sight(self, bot: Bot) -> Sight:
        return Sight(self._ports, self._protector, bot)

    def _run(self, record: BotRecord) -> None:
        running = self._made(record)
        self._warm(record, running)
        self._running[record.id] = running

    def _made(self, record: BotRecord) -> _Running:
        strategy = self._make(record.strategy, dict(record.params))
        strategy.restore(dict(record.state))
        bot = self._bot_of(record)
        return _Running(self._ports, bot, strategy, self._sight(bot))

    def _warm(self, record: BotRecord, running: _Running) -> None:
        past = self._past.whole_minutes(record.instrument_id, WARM_BARS)
        for bar in (*past, *self._recent[record.instrument_id]):
            running.warm(bar)

    async def _fail(self, bot_id: int, failure: Exception) -> None:
        reason = f"{type(failure).__name__}: {failure}"[:LONGEST_REASON]
        log.error("bot_failed", bot=bot_id, failure=reason, exc_info=failure)
        self._running.pop(bot_id, None)
        self._reasons[bot_id] = reason
        self._ports.tell("warning", f"BOT {bot_id} FAILED and is stopped: {reason}")
        try:
            await self._set_status(bot_id, ERROR, f"bot:{bot_id}", reason)
        except (StoreFailed, CommitUnclear) as not_written:
            # It is out all the same; a restart would try it once more.
            log.error("bot_failure_not_written", bot=bot_id, failure=str(not_written))

    async def _set_status(self, bot_id: int, status: str, actor: str, reason: str = "") -> BotRecord:
        def unit(draft: Draft) -> BotRecord:
            held: BotRecord = draft.get(keys.bot(bot_id))
            if held.status == status:
                return held
            changed = replace(held, status=status)
            self._write(draft, changed, actor, "UPDATE", reason)
            return changed

        written: BotRecord = await self._ports.books.write(unit)
        return written

    def _write(self, draft: Draft, record: BotRecord, actor: str, action: str, reason: str = "") -> None:
        now = self._ports.clock.now()
        details = {"bot": str(record.id), "name": record.name, "strategy": record.strategy, "status": record.status}
        if reason:
            details["reason"] = reason
        bots.write(draft, record)
        write_note(draft, Note(self._ports.account_id, actor, action, "BOT", str(record.id), now, details))
        tell(draft, Event(EventKind.BOT_CHANGED, self._ports.account_id, now, details))


def _write_state(bot_id: int, state: tuple[tuple[str, str], ...], draft: Draft) -> None:
    # Read in the unit: somebody may have stopped it meanwhile, and that stays.
    held: BotRecord = draft.get(keys.bot(bot_id))
    bots.write(draft, replace(held, state=state))


def _legal_name(name: str) -> str:
    name = name.strip()
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise Illegal("name", name, f"give 1 to {LONGEST_NAME} printable characters")
    return name


def _refused(code: str, sentence: str, observed: str, remedy: str = "") -> CommandRefused:
    return CommandRefused(Refusal(code, sentence, observed=observed, remedy=remedy))
