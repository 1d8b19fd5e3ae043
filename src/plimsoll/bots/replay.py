"""A desk on recorded bars: the same gate, book, venue and guard as ever, on a clock that jumps from bar to bar.

For each bar: its open is a quote at its start; at its end first its high and low are shown to what waited when it
began, then its close is a quote, then the guard looks, then the bot decides. A decision on a close is filled at the
next open. Gaps in the recording are gaps in time; nothing is invented to fill them.

What if the process is killed? `progress` is written in the same group as everything that a bar caused, or an earlier
one. The next run recovers as every start does, feeds the bot the bars up to there to warm it, and goes on with the
bar
after: what that bar had caused before the kill has the same keys and is found done.
"""

import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

from plimsoll.bots.runner import Bot, BotRunner
from plimsoll.bots.sight import Sight
from plimsoll.bots.strategy import Strategy
from plimsoll.desk.book_trades import listen
from plimsoll.desk.place_order import place_order
from plimsoll.desk.ports import Ports
from plimsoll.desk.protect import Protector
from plimsoll.desk.reconcile_account import Reconciliation, reconcile_account
from plimsoll.desk.recover import recover
from plimsoll.desk.supervise import is_in_doubt, supervise
from plimsoll.ledger import accounts, books, bots, keys
from plimsoll.ledger.bots import BotRecord
from plimsoll.ledger.log import json_text
from plimsoll.model.account import Account
from plimsoll.model.clock import parse_time, time_text
from plimsoll.model.ids import InstrumentId
from plimsoll.model.instrument import Instrument
from plimsoll.model.money import decimal_text
from plimsoll.model.order import Intent
from plimsoll.model.quote import Bar, Moment, Quote
from plimsoll.risk.guards.drawdown import GuardStatus
from plimsoll.risk.guards.reading import Reading
from plimsoll.store.draft import Draft
from plimsoll.venues.protocol import ShownVenue

PROGRESS = "replay_progress"
#: The gate believes an instrument's rules for an hour.
REFRESH_EVERY = timedelta(minutes=30)


_UNDER_WAY = (GuardStatus.COUNTDOWN, GuardStatus.CLOSING)


@dataclass(frozen=True, slots=True)
class Progress:
    """The last bar that was worked through to its end."""

    bars: int
    end: datetime
    close: Decimal

    def text(self) -> str:
        """Write it as a fact about the desk."""
        return json_text({"bars": self.bars, "end": time_text(self.end), "close": decimal_text(self.close)})


def progress_of(text: str | None) -> Progress | None:
    """Read what `Progress.text` wrote."""
    if text is None:
        return None
    told = json.loads(text)
    return Progress(told["bars"], parse_time(told["end"]), Decimal(told["close"]))


def last_quote(progress: Progress, instrument_id: InstrumentId) -> Quote:
    """Give the close that the recording stopped at; orders wait for the next open after it."""
    return Quote(instrument_id, progress.end, progress.close, progress.close, progress.close, moment=Moment.CLOSE)


class Replay:
    """Drives one account and one bot through bars."""

    def __init__(
        self,
        ports: Ports,
        venue: ShownVenue,
        record: BotRecord,
        strategy: Strategy,
        *,
        sleep_until: Callable[[datetime], Awaitable[None]],
        between_bars: Callable[["Replay", datetime], Awaitable[None]] | None = None,
        resume_after: timedelta | None = None,
    ) -> None:
        self.ports = ports
        self.protector = Protector(ports)
        self._venue = venue
        self._record = record
        self._strategy = strategy
        self._sleep_until = sleep_until
        self._between_bars = between_bars
        self._resume_after = resume_after
        self._account: Account = ports.books.hot.get(keys.account(ports.account_id))
        self._instrument: Instrument = ports.books.hot.get(keys.instrument(record.instrument_id))
        bot = Bot(record.id, self._account.id, record.portfolio_id, self._account.user_id, self._instrument)
        sight = Sight(ports, self.protector, bot)
        self._bot = BotRunner(bot, strategy, self._place, sight.look, ports.clock)
        self._refreshed_at: datetime | None = None

    @property
    def progress(self) -> Progress | None:
        return progress_of(self.ports.books.hot.get(keys.meta(PROGRESS)))

    async def start(self, warm_up: Iterable[Bar]) -> Reconciliation:
        """Recover, and warm the bot with the bars that were worked through before."""
        progress = self.progress
        if progress is not None:
            quote = last_quote(progress, self._instrument.id)
            self.ports.board.put(quote)
            self._venue.see(quote)
            self._strategy.restore(dict(self._record.state))
        for bar in warm_up:
            self._bot.warm(bar)
        listen(self.ports)
        result = await recover(self.ports)
        if progress is not None and self.protector.episode.status in _UNDER_WAY:
            # A countdown goes on. Otherwise the next bar is the next to be looked at, as without the restart.
            await self.protector.look()
        return result

    async def run(self, bars: Iterable[Bar]) -> Progress | None:
        """Work through the bars; give how far it came.

        Raises: StoreFailed and what else makes going on unsafe
        """
        progress = self.progress
        count = 0 if progress is None else progress.bars
        before: datetime | None = None
        for bar in bars:
            if bar.start != before:
                await self._sleep_until(bar.start)
            before = bar.end
            await self._show(bar.open_quote())
            await self._sleep_until(bar.end)
            self._refresh_instrument(bar.end)
            if self._venue.wants(bar.instrument_id):
                await self._venue.on_bar(bar)
                await self.ports.settled()
            await self._show(bar.close_quote())
            if is_in_doubt(self.ports):
                await supervise(self.ports)
            await self.protector.look()
            if self._resume_after is not None:
                await self._let_open_again(self._resume_after)
            await self._decide(bar)
            count += 1
            progress = Progress(count, bar.end, bar.close)
            self.ports.books.post_latest(PROGRESS, partial(self._write_progress, progress, self._record))
            if self._between_bars is not None:
                await self._between_bars(self, bar.end)
        return progress

    async def finish(self) -> Reconciliation:
        """Tie the book out with the venue."""
        await self.ports.settled()
        return await reconcile_account(self.ports)

    def _refresh_instrument(self, now: datetime) -> None:
        # The paper venue's rules are those it was made with: asking for them again gives the same, of this hour.
        told_at: datetime | None = self.ports.books.hot.get(keys.metadata_at(self._instrument.id))
        if self._refreshed_at is None:
            self._refreshed_at = told_at
        if self._refreshed_at is None or now - self._refreshed_at >= REFRESH_EVERY:
            self._refreshed_at = now
            told = partial(accounts.write_instrument, instrument=self._instrument, at=now)
            self.ports.books.post_latest(f"instrument:{self._instrument.id}", told)

    async def _show(self, quote: Quote) -> None:
        self.ports.board.put(quote)
        if self._venue.wants(quote.instrument_id):
            await self._venue.on_quote(quote)
            # What was filled is booked before anybody decides on it.
            await self.ports.settled()
        else:
            self._venue.see(quote)

    async def _decide(self, bar: Bar) -> None:
        intent = self._bot.decide(bar)
        if intent is not None:
            self._bot.told(intent, approved=await self._place(intent))
        state = tuple(sorted(self._strategy.state().items()))
        if state != self._record.state:
            self._record = replace(self._record, state=state)

    async def _place(self, intent: Intent) -> bool:
        return (await place_order(self.ports, intent)).approved

    async def _let_open_again(self, after: timedelta) -> None:
        # In a replay a set time may stand in for the person who opens a latched guard again.
        episode = self.protector.episode
        if episode.status is not GuardStatus.LATCHED or episode.since is None:
            return
        if self.ports.clock.now() - episode.since >= after and isinstance(self.protector.last, Reading):
            await self.protector.lift("replay")

    def _write_progress(self, progress: Progress, record: BotRecord, draft: Draft) -> None:
        books.write_meta(draft, PROGRESS, progress.text())
        if draft.get(keys.bot(record.id)) != record:
            bots.write(draft, record)
