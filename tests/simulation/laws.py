"""Laws of booking that no crash is needed for: any order and any repetition of the same fills makes the same books."""

import asyncio
import random
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from plimsoll.bots.replay_plan import ACCOUNT
from plimsoll.desk.book_trades import book
from plimsoll.ledger.digest import digest
from plimsoll.ledger.verify import verify
from plimsoll.model.ids import BrokerTradeId
from plimsoll.model.money import install_exact_arithmetic
from plimsoll.model.order import Side
from plimsoll.model.trade import TradeReport
from plimsoll.runtime.virtual_loop import VirtualClock, run_virtual
from plimsoll.store.connection import StoreFailed
from plimsoll.store.sqlite import reader
from tests.simulation.world import PERPETUAL, PLAIN, START, Broken, Desk, World, lay_out

D = Decimal


def fills(seed: int, count: int = 14) -> list[TradeReport]:
    """Draw fills that open, add to, close and turn a position; some happen at the same instant."""
    chance = random.Random(f"fills|{seed}")
    at, drawn = START, []
    for number in range(1, count + 1):
        at += timedelta(seconds=chance.choice((0, 1, 7)))
        drawn.append(
            TradeReport(
                account_id=ACCOUNT,
                instrument_id=PERPETUAL.instrument().id,
                broker_trade_id=BrokerTradeId(f"T{number}"),
                side=chance.choice((Side.BUY, Side.SELL)),
                quantity=D(chance.randint(1, 40)) / 10,
                price=D(chance.randint(900, 1100)) / 10,
                fee=D(chance.randint(0, 30)) / 100,
                fee_currency="USDT",
                exec_time=at,
                sequence=number,
            )
        )
    return drawn


def books_after(batches: Sequence[Sequence[TradeReport]]) -> str:
    """Book batches of fills on a fresh desk, and give the digest of its books.

    Raises: Broken when its books are not whole
    """
    install_exact_arithmetic()
    with tempfile.TemporaryDirectory() as folder:
        directory = lay_out(PERPETUAL, Path(folder))

        async def main(clock: VirtualClock) -> None:
            world = World(clock, directory, PERPETUAL.instrument(), PERPETUAL.source, PLAIN, ())
            world.processes, world.died = 1, clock.loop.create_future()
            world.desk = Desk(world, 1, clock)
            for batch in batches:
                try:
                    await book(world.desk.ports, batch)
                except StoreFailed as failure:
                    raise Broken("I3", f"a fill that comes twice cannot be booked: {failure}") from failure
                await asyncio.sleep(0)
            world.close()

        run_virtual(main, start=START)
        report = verify(directory.book, directory.chain_key(), None)
        for finding in report.findings:
            raise Broken("I9", f"{finding.code} {finding.place}: {finding.sentence}")
        return digest(reader(directory.database))


def any_order_any_repetition(seed: int) -> None:
    """Book the same fills in order, then shuffled, doubled and in other pieces; the books must be the same (I17).

    Raises: Broken
    """
    drawn = fills(seed)
    wanted = books_after([drawn])
    chance = random.Random(f"order|{seed}")
    for _ in range(3):
        again = [*drawn, *chance.sample(drawn, 5)]
        chance.shuffle(again)
        cuts = sorted(chance.sample(range(1, len(again)), 4))
        batches = [again[start:end] for start, end in zip([0, *cuts], [*cuts, len(again)], strict=True)]
        if books_after(batches) != wanted:
            raise Broken("I17", f"seed {seed}: the same fills in another order make other books")
