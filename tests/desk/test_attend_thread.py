"""The attended account as it runs in production: a real loop, the machine's clock, and a scribe in its own thread."""

import asyncio
import random
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from plimsoll.bootstrap import DataDirectory, PaperDesk, paper_desk
from plimsoll.bots.host import BotHost, NewBot
from plimsoll.desk.attend import Attendant
from plimsoll.desk.open_account import NewAccount, deposit, open_account
from plimsoll.desk.place_order import place_order
from plimsoll.ledger import keys
from plimsoll.ledger.database import create_from_template
from plimsoll.ledger.verify import verify
from plimsoll.market.candle_keeper import CandleKeeper
from plimsoll.model.account import Account, Mode, Portfolio
from plimsoll.model.clock import SystemClock
from plimsoll.model.ids import IntentKey
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import Intent, OrderState, OrderTerms, OrderType, Side
from plimsoll.model.quote import Bar, Quote
from plimsoll.risk.guards.reading import Reading
from plimsoll.store.drivers import ThreadDriver
from tests.builders.desk import ACCOUNT, FRICTIONLESS, LIVE, MAIN, USER
from tests.builders.paper import MINUTE, SPOT
from tests.builders.served import ADA

D = Decimal
CLOCK = SystemClock()


async def describe() -> tuple[Instrument, ...]:
    return (SPOT,)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.005)


def put_together(directory: DataDirectory, failures: list[BaseException], seed: int) -> PaperDesk:
    loop = asyncio.get_running_loop()
    return paper_desk(
        directory,
        {SPOT.id: SPOT},
        desk_code="PLIM",
        account_id=ACCOUNT,
        clock=CLOCK,
        chance=random.Random(seed),
        facts=LIVE,
        drive=lambda scribe: ThreadDriver(scribe, loop, on_failure=failures.append),
        rules=FRICTIONLESS,
    )


def quote(price: str) -> Quote:
    return Quote(SPOT.id, CLOCK.now(), D(price), D(price), D(price))


def intent(key: str, *, price: str | None = None) -> Intent:
    kind = OrderType.MARKET if price is None else OrderType.LIMIT
    limit = None if price is None else D(price)
    terms = OrderTerms(SPOT.id, Side.BUY, kind, quantity=D("0.01"), price=limit)
    return Intent(IntentKey(key), ACCOUNT, MAIN, USER, terms, "manual", CLOCK.now())


def test_prices_orders_bots_and_a_stop_on_a_real_loop(tmp_path: Path) -> None:
    """Two starts: the first trades and leaves an order resting, the second finds it and fills it."""
    directory, failures = DataDirectory(tmp_path), list[BaseException]()
    create_from_template(directory.database)

    async def first() -> None:
        desk = put_together(directory, failures, 1)
        ports = desk.ports
        await desk.venue.open_account(ACCOUNT, "USDT")
        await desk.venue.deposit(ACCOUNT, "USDT", D(10_000), reference="start")
        account = Account(ACCOUNT, "a-1", USER, "practice", "paper", Mode.PAPER, "USDT", "live", "standard")
        new = NewAccount(ADA.user, account, Portfolio(MAIN, "p-1", ACCOUNT, USER, "main"), (SPOT,))
        await ports.books.write(lambda draft: open_account(draft, new, CLOCK.now()))
        await deposit(ports, D(10_000), pocket="spot", reference="start", actor="user:1")

        attendant = Attendant(ports, desk.venue, describe, random.Random(1))
        candles = CandleKeeper([SPOT.id])
        bots = BotHost(ports, attendant.protector, candles)
        attendant.on_bar_closed(candles, bots.on_bar)
        attendant.take(quote("50000"))
        await attendant.start()
        await bots.begin()
        await until(lambda: isinstance(attendant.protector.last, Reading))
        assert attendant.attendance().failing == ""

        bought = await asyncio.gather(*(place_order(ports, intent("n1")) for _ in range(20)))
        assert [answer.repeated for answer in bought].count(False) == 1, "one key, one order"
        waiting = await place_order(ports, intent("w", price="49500"))
        assert waiting.approved
        bot = await bots.create(NewBot("one", "hold", MAIN, SPOT.id, {"share": "0.01"}), ADA)
        await bots.start(bot.id, ADA)
        attendant.take(quote("50000"))
        bar = Bar(SPOT.id, CLOCK.now() - MINUTE, MINUTE, D(50_000), D(50_000), D(50_000), D(50_000))
        attendant.take_bar(bar)
        attendant.take(quote("50000"))
        leg = keys.position(ACCOUNT, (MAIN, SPOT.id, bot.id, ""))
        await until(lambda: ports.books.hot.get(leg) is not None)
        assert (await attendant.sync()).may_open
        assert await attendant.stop() == ()
        await desk.close()

    async def second() -> None:
        desk = put_together(directory, failures, 2)
        attendant = Attendant(desk.ports, desk.venue, describe, random.Random(2))
        candles = CandleKeeper([SPOT.id])
        bots = BotHost(desk.ports, attendant.protector, candles)
        attendant.on_bar_closed(candles, bots.on_bar)
        await attendant.start()
        await bots.begin()
        (shown,) = bots.bots_of(ADA)
        assert (shown.record.status, dict(shown.record.state)) == ("RUNNING", {"held": "yes"})
        (resting,) = desk.ports.books.hot.shelf(keys.ORDER, ACCOUNT)
        assert resting.state is OrderState.NEW
        attendant.take(quote("49500"))
        attendant.take(quote("49400"))
        await until(lambda: not desk.ports.books.hot.shelf(keys.ORDER, ACCOUNT))
        held = desk.ports.books.hot.get(keys.position(ACCOUNT, (MAIN, SPOT.id, 0, "")))
        assert held.quantity == D("0.02")
        assert (await attendant.sync()).may_open
        assert await attendant.stop() == ()
        await desk.close()

    asyncio.run(first())
    asyncio.run(second())
    assert failures == []
    report = verify(directory.book, directory.chain_key(), None)
    assert report.ok, report.findings
