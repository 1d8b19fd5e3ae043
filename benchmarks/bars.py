"""Replaying bars with a position open: the synthetic market, hold at leverage 1, nothing but the desk's own work."""

import random
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from plimsoll.bootstrap import DataDirectory, paper_desk
from plimsoll.bots.catalogue import make_strategy
from plimsoll.bots.replay import Replay
from plimsoll.bots.replay_plan import ACCOUNT, BOT, DESK_CODE, INSTRUMENT, PORTFOLIO, ReplayPlan, set_up
from plimsoll.ledger import keys
from plimsoll.market.instruments import instrument_for
from plimsoll.market.synthetic import synthetic_bars, synthetic_facts
from plimsoll.model.position import Position
from plimsoll.runtime.virtual_loop import VirtualClock, run_virtual
from plimsoll.store.drivers import LoopDriver

SYMBOL = "BTC/USDT:USDT"
MINUTE = timedelta(minutes=1)
START = datetime(2026, 1, 1, tzinfo=UTC)
#: A deposit so large beside the position that no fall of the market wakes the guard: the position stays open.
DEPOSIT, SHARE = "1000000", "0.1"


def measure(directory: Path, bars: int) -> float:
    """Give bars a second, from the first bar to the last."""
    return run_virtual(lambda clock: _run(clock, directory, bars), start=START)


async def _run(clock: VirtualClock, directory: Path, count: int) -> float:
    directory.mkdir(parents=True)
    instrument = instrument_for(SYMBOL, INSTRUMENT, "paper", Decimal("0.1"))
    desk = paper_desk(
        DataDirectory(directory),
        {instrument.id: instrument},
        desk_code=DESK_CODE,
        account_id=ACCOUNT,
        clock=clock,
        chance=random.Random(0),
        facts=synthetic_facts(MINUTE),
        drive=lambda scribe: LoopDriver(scribe, on_failure=_raise),
    )
    plan = ReplayPlan(SYMBOL, "synthetic", DEPOSIT, "hold", (("share", SHARE),), "1", None, 0)
    await set_up(desk.ports, desk.venue, plan, instrument, clock.now())
    strategy = make_strategy("hold", {"share": SHARE})
    record = desk.ports.books.hot.get(keys.bot(BOT))
    replay = Replay(desk.ports, desk.venue, record, strategy, sleep_until=clock.sleep_until)
    await replay.start([])
    recorded = list(synthetic_bars(7, instrument.id, START, MINUTE, count, Decimal(50_000), Decimal("0.1")))
    begun = time.perf_counter()
    await replay.run(recorded)
    taken = time.perf_counter() - begun
    position: Position = desk.ports.books.hot.get(keys.position(ACCOUNT, (PORTFOLIO, instrument.id, 0, "")))
    if position.is_flat:
        raise RuntimeError("the benchmark's position was closed on the way")
    await desk.close()
    return count / taken


def _raise(error: BaseException) -> None:
    raise error
