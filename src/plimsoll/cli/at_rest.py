"""Open the desk of a replay that nobody runs, for one command: at the moment where its market stopped.

The clock stands at the last bar's end and the last close is the price, so what is ordered now waits for the next open.
It recovers as every start does; what an order of unknown fate needs of time passes virtually.
"""

import random
from dataclasses import dataclass

from plimsoll.bootstrap import DataDirectory, look_at, paper_desk
from plimsoll.bots.replay import PROGRESS, last_quote, progress_of
from plimsoll.bots.replay_plan import ACCOUNT, DESK_CODE, INSTRUMENT, PLAN, plan_of
from plimsoll.cli.commands import Done, obey
from plimsoll.cli.door import Message
from plimsoll.cli.words import NoDesk
from plimsoll.desk.book_trades import listen
from plimsoll.desk.protect import Protector
from plimsoll.desk.recover import recover
from plimsoll.ledger import keys
from plimsoll.ledger.stamp import stamp
from plimsoll.market.instruments import instrument_for
from plimsoll.model.clock import SystemClock
from plimsoll.model.money import parse_decimal
from plimsoll.runtime.virtual_loop import VirtualClock, run_virtual
from plimsoll.store.drivers import LoopDriver
from plimsoll.store.scribe import Scribe
from plimsoll.store.sqlite import reader


@dataclass(slots=True)
class _Failed:
    """What a row that nobody waits for met with."""

    error: BaseException | None = None

    def remember(self, error: BaseException) -> None:
        self.error = error


def command_at_rest(directory: DataDirectory, name: str, words: Message) -> Done:
    """Be the desk for as long as one command takes; the lock is held by the caller.

    Raises: NoDesk, StoreFailed, StampContradicted
    """
    seen = look_at(directory)
    if seen is None or PLAN not in seen.meta:
        raise NoDesk(directory)
    plan, progress = plan_of(seen.meta[PLAN]), progress_of(seen.meta.get(PROGRESS))
    failed = _Failed()

    async def main(clock: VirtualClock) -> Done:
        chance = random.Random(f"{plan.seed}:{seen.commits}")  # noqa: S311  public ids of a replay
        instruments = {INSTRUMENT: instrument_for(plan.symbol, INSTRUMENT, "paper", parse_decimal(plan.tick, "tick"))}
        desk = paper_desk(
            directory,
            instruments,
            desk_code=DESK_CODE,
            account_id=ACCOUNT,
            clock=clock,
            chance=chance,
            facts=plan.facts,
            drive=lambda scribe: _drive(scribe, failed),
        )
        try:
            if desk.books.hot.get(keys.nav(ACCOUNT)) is None:
                raise NoDesk(directory)  # cut before its first money: the same replay command makes it whole
            if progress is not None:
                quote = last_quote(progress, INSTRUMENT)
                desk.ports.board.put(quote)
                desk.venue.see(quote)
            listen(desk.ports)
            await recover(desk.ports)
            return await obey(desk.ports, Protector(desk.ports), name, words)
        finally:
            await desk.close()

    done = run_virtual(main, start=plan.start if progress is None else progress.end)
    if failed.error is not None:
        raise failed.error
    stamp(reader(directory.database), directory.stamp, SystemClock().now())
    return done


def _drive(scribe: Scribe, failed: _Failed) -> LoopDriver:
    return LoopDriver(scribe, on_failure=failed.remember)
