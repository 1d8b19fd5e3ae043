"""Open a desk that nobody runs, for one command.

The desk of a replay opens at the moment where its market stopped: the clock stands at the last bar's end and the last
close is the price, so what is ordered now waits for the next open. It recovers as every start does; what an order of
unknown fate needs of time passes virtually. A desk that is usually served starts as `plimsoll up` does, without a door
to the network, and waits a little for prices.
"""

import asyncio
import random
from dataclasses import dataclass
from importlib.metadata import version

from plimsoll.bootstrap import DataDirectory, look_at, paper_desk
from plimsoll.bootstrap.served import SERVED, Served, open_served
from plimsoll.bots.replay import PROGRESS, last_quote, progress_of
from plimsoll.bots.replay_plan import ACCOUNT, DESK_CODE, INSTRUMENT, PLAN, plan_of
from plimsoll.cli.commands import Done, obey
from plimsoll.cli.door import Message
from plimsoll.cli.served_commands import LOOK_AGAIN_SECONDS, obey_served
from plimsoll.cli.words import DISTRIBUTION, NoDesk, say
from plimsoll.desk.book_trades import listen
from plimsoll.desk.flatten import open_positions
from plimsoll.desk.protect import Protector
from plimsoll.desk.recover import recover
from plimsoll.ledger import keys
from plimsoll.ledger.glance import Glance
from plimsoll.ledger.stamp import stamp
from plimsoll.market.instruments import instrument_for
from plimsoll.model.clock import SystemClock
from plimsoll.model.ids import system_chance
from plimsoll.model.money import parse_decimal
from plimsoll.runtime.virtual_loop import VirtualClock, run_virtual
from plimsoll.store.drivers import LoopDriver
from plimsoll.store.place import reader
from plimsoll.store.scribe import Scribe

#: A price that has not come after so long does not come for this command.
PRICE_SECONDS = 8.0


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
    if seen is None or not {PLAN, SERVED} & set(seen.meta):
        raise NoDesk(directory)
    done = (
        _replayed(directory, seen, name, words) if PLAN in seen.meta else asyncio.run(_served(directory, name, words))
    )
    stamp(reader(directory.book), directory.stamp, SystemClock().now())
    return done


async def _served(directory: DataDirectory, name: str, words: Message) -> Done:
    served = await open_served(
        directory, None, clock=SystemClock(), chance=system_chance(), version=version(DISTRIBUTION), say=say
    )
    try:
        await served.start()
        await _prices(served)
        return await obey_served(served.desk, served.importing, name, words, str(words.get("url", "")))
    finally:
        await served.stop_taking()
        await served.close()


async def _prices(served: Served) -> None:
    """Wait until every open position has a price of now, or as long as patience lasts."""
    clock = served.desk.clock
    until = clock.monotonic() + PRICE_SECONDS
    while clock.monotonic() < until:
        accounts = served.desk.accounts.values()
        if all(
            account.ports.board.quote(held.instrument_id)
            for account in accounts
            for held in open_positions(account.ports)
        ):
            return
        await asyncio.sleep(LOOK_AGAIN_SECONDS)


def _replayed(directory: DataDirectory, seen: Glance, name: str, words: Message) -> Done:
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
    return done


def _drive(scribe: Scribe, failed: _Failed) -> LoopDriver:
    return LoopDriver(scribe, on_failure=failed.remember)
