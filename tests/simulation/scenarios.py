"""What the desk is asked to do while it is cut: scripts of steps that their real callers would ask for again."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from plimsoll.bots.catalogue import make_strategy
from plimsoll.bots.replay import PROGRESS, Replay, progress_of
from plimsoll.bots.replay_plan import ACCOUNT, BOT, DESK_CODE, INSTRUMENT, USER
from plimsoll.desk.cancel_order import cancel_order
from plimsoll.desk.close_position import close_position
from plimsoll.desk.flatten import flatten, open_positions
from plimsoll.ledger import keys
from plimsoll.model import ids
from plimsoll.model.cash import CashKind
from plimsoll.model.errors import CommandRefused
from plimsoll.model.ids import IntentKey
from plimsoll.model.order import OrderTerms, OrderType, Side, TimeInForce
from plimsoll.model.quote import Bar, Moment
from plimsoll.risk.guards.drawdown import GuardStatus
from tests.simulation import hostile
from tests.simulation.happenings import RESTORED, Interlude, copied, imported, killed, moved, one_book, repeated
from tests.simulation.oracle import Files, flat, one_close, protected
from tests.simulation.world import (
    MINUTES,
    PERPETUAL,
    PLAIN,
    SPOT,
    START,
    Broken,
    Desk,
    Market,
    Personality,
    Step,
    World,
)

D = Decimal
Expect = Callable[[World, Files], None]

BUY, SELL = Side.BUY, Side.SELL
#: A caller who wants out asks again every second, longer than any settle window of ours.
PATIENT_TRIES = 12


@dataclass(frozen=True, slots=True)
class Scenario:
    """A script, the market it is played on, and what must be true at its end beside what always must."""

    name: str
    steps: tuple[Step | Interlude, ...]
    expect: tuple[Expect, ...] = ()
    market: Market = PERPETUAL
    personality: Personality = PLAIN
    #: What a new process does first.
    begin: Callable[[Desk], Awaitable[None]] = field(default=Desk.begin)
    #: At which hour a new process believes to be; None goes on with the world's.
    restart_at: Callable[[World], datetime | None] = field(default=lambda _world: None)


# Steps ----------------------------------------------------------------------------------------------------------------


def price(at: str) -> Step:
    """Move the market."""

    async def step(desk: Desk) -> None:
        await desk.show(D(at))

    return step


def order(
    key: str,
    side: Side,
    quantity: str,
    limit: str | None = None,
    *,
    reduce_only: bool = False,
    stop: str | None = None,
    lasting: TimeInForce = TimeInForce.GTC,
) -> Step:
    """Place an order; asked again, it is the same intent."""
    kind = {
        (True, True): OrderType.MARKET,
        (False, True): OrderType.LIMIT,
        (True, False): OrderType.STOP,
        (False, False): OrderType.STOP_LIMIT,
    }[limit is None, stop is None]
    terms = OrderTerms(
        INSTRUMENT,
        side,
        kind,
        quantity=D(quantity),
        price=None if limit is None else D(limit),
        stop_price=None if stop is None else D(stop),
        time_in_force=lasting,
        reduce_only=reduce_only,
    )

    async def step(desk: Desk) -> None:
        await desk.show()
        await desk.ask(key, terms)

    return step


def race(*orders: Step) -> Step:
    """Do several things at once."""

    async def step(desk: Desk) -> None:
        await asyncio.gather(*(one(desk) for one in orders))

    return step


def cancel(key: str) -> Step:
    """Take an order back."""
    name = ids.client_order_id(DESK_CODE, ACCOUNT, USER, IntentKey(key))

    async def step(desk: Desk) -> None:
        for _ in range(PATIENT_TRIES):
            await desk.show()
            try:
                answered = await cancel_order(desk.ports, name, actor="user:1")
            except CommandRefused:
                return  # it had ended
            if answered.state.is_final:
                desk.world.told_of(answered)
                return
            await asyncio.sleep(1)

    return step


def close(episode: str) -> Step:
    """Close whatever is open, and ask again until it is."""

    async def step(desk: Desk) -> None:
        for _ in range(PATIENT_TRIES):
            await desk.show()
            for position in open_positions(desk.ports):
                result = await close_position(desk.ports, position, episode=episode, triggered_by="manual")
                if result.answer is not None:
                    desk.world.told(result.answer)
            if not open_positions(desk.ports) and not desk.live_orders():
                return
            await asyncio.sleep(1)

    return step


def close_once(episode: str) -> Step:
    """Ask for a close, and leave it at that."""

    async def step(desk: Desk) -> None:
        await desk.show()
        for position in open_positions(desk.ports):
            result = await close_position(desk.ports, position, episode=episode, triggered_by="manual")
            if result.answer is not None:
                desk.world.told(result.answer)

    return step


def moment(now: Moment) -> Step:
    """Say where in a recorded minute the market stands: at its close nothing fills before the next open."""

    async def step(desk: Desk) -> None:
        desk.world.moment = now
        await asyncio.sleep(1)

    return step


def flatten_all(tries: int = PATIENT_TRIES) -> Step:
    """Flatten, and ask again until it says flat; whenever it says so, it must be true at the venue."""

    async def step(desk: Desk) -> None:
        for _ in range(tries):
            await desk.show()
            report = await flatten(desk.ports, actor="user:1", reason="the simulation wants out")
            if report.is_flat:
                there = await desk.line.account(ACCOUNT)
                if held := [position for position in there.positions if position.quantity]:
                    raise Broken("G10", f"flatten said flat, and the venue has {held}")
                if not desk.live_orders():
                    return
            await asyncio.sleep(1)

    return step


def watch() -> Step:
    """Look at the account until the guard has latched, for a minute at most."""

    async def step(desk: Desk) -> None:
        for _ in range(90):
            await desk.show()
            await desk.protector.look()
            if desk.protector.episode.status is GuardStatus.LATCHED:
                break
            # Not in step with the countdown's own second, so that its watch acts first.
            await asyncio.sleep(0.7)
        await desk.protector.close()

    return step


def look() -> Step:
    """Let the guard look once."""

    async def step(desk: Desk) -> None:
        await desk.show()
        await desk.protector.look()

    return step


def wait(seconds: float) -> Step:
    """Let time pass with the market open."""

    async def step(desk: Desk) -> None:
        await asyncio.sleep(seconds)
        await desk.show()

    return step


# A replay -------------------------------------------------------------------------------------------------------------

_CLOSES = ("100", "101", "102", "80", "79", "78", "78")
MINUTE = timedelta(minutes=1)


def falling_bars() -> list[Bar]:
    """Draw minutes in which the market falls by a quarter."""
    bars, last = [], D(100)
    for number, text in enumerate(_CLOSES):
        value = D(text)
        at = START + timedelta(minutes=number + 1)
        bars.append(Bar(INSTRUMENT, at, MINUTE, last, max(last, value), min(last, value), value))
        last = value
    return bars


async def _nothing(_desk: Desk) -> None:
    """A replay starts by itself."""


async def replay(desk: Desk) -> None:
    """Replay the falling minutes, or go on with what is left of them."""
    replayed = Replay(
        desk.ports,
        desk.line,
        desk.ports.books.hot.get(keys.bot(BOT)),
        make_strategy("hold", {"share": "1.0"}),
        sleep_until=desk.clock.sleep_until,
        between_bars=lambda _replay, _end: desk.supervise(),
    )
    bars = falling_bars()
    done = 0 if replayed.progress is None else replayed.progress.bars
    await replayed.start(bars[:done])
    desk.begun = True
    await replayed.run(bars[done:])
    await replayed.finish()
    desk.world.price = bars[-1].close
    await replayed.protector.close()


def _where_it_stopped(world: World) -> datetime:
    """Give the hour that a continued replay starts at: the end of the last bar that was worked through."""
    with closing(sqlite3.connect(world.directory.database)) as connection:
        row = connection.execute("SELECT value FROM meta WHERE name = ?", (PROGRESS,)).fetchone()
    progress = progress_of(None if row is None else str(row[0]))
    return START if progress is None else progress.end


# The list -------------------------------------------------------------------------------------------------------------


def holds(*quantities: str) -> Expect:
    def expect(world: World, files: Files) -> None:
        if files.quantity() not in (D(0), *map(D, quantities)):
            raise Broken("END", f"{files.quantity()} is held")

    return expect


def _closed_once(world: World, files: Files) -> None:
    flat(world, files)
    if files.venue_trades:
        one_close(world, files)


def _one_of_two(world: World, files: Files) -> None:
    approved = [row["intent_key"] for row in files.verdicts if row["outcome"] == "APPROVED"]
    if len(approved) > 1:
        raise Broken("I12", f"the money was there for one order, and the gate approved {approved}")


def all_told(world: World, files: Files) -> None:
    """What moved at the venue without a trade is in the book, once."""
    theirs = sorted((str(one.kind), one.reference, one.amount) for one in files.movements)
    ours = sorted(
        (row["kind"], row["reference"], D(row["amount"])) for row in files.cash if row["reference"].startswith("venue:")
    )
    if ours != theirs:
        raise Broken("I5", f"the venue moved {theirs}, the book says {ours}")


_BITS = Personality("bits", rules=hostile.PARTS)

SCENARIOS: tuple[Scenario, ...] = (
    Scenario("market", (order("a", BUY, "10"),), (holds("10"),)),
    Scenario("limit", (order("a", BUY, "10", "98"), price("99"), price("97.5"), price("99")), (holds("10"),)),
    Scenario("cancel", (order("a", BUY, "10", "98"), cancel("a"), price("97")), (flat,)),
    Scenario(
        "partial_then_cancel",
        (order("a", BUY, "10", "98"), price("97.9"), price("97.5"), cancel("a"), price("97")),
        personality=_BITS,
    ),
    Scenario("resting_part", (order("a", BUY, "10", "98"), wait(0.2), price("97.9")), personality=_BITS),
    Scenario(
        "flip",
        (order("a", BUY, "10"), price("103"), order("b", SELL, "25")),
    ),
    Scenario("close", (order("a", BUY, "10"), price("90"), close("by hand")), (flat,)),
    Scenario(
        "flatten",
        (order("a", BUY, "10"), order("b", BUY, "5", "98"), price("101"), flatten_all()),
        (flat,),
    ),
    Scenario(
        "flatten_half_filled",
        (order("a", BUY, "10", "98"), price("97.9"), flatten_all(tries=1)),
        personality=hostile.BEHIND,
    ),
    Scenario("reduce", (order("a", BUY, "10"), order("b", SELL, "4", reduce_only=True)), (holds("10", "6"),)),
    Scenario(
        "two_want_out",
        (
            *(moment(Moment.OPEN), order("a", BUY, "10")),
            *(moment(Moment.CLOSE), close_once("one"), close_once("other")),
            *(moment(Moment.OPEN), close("both")),
        ),
        (_closed_once,),
        market=Market(source=MINUTES),
    ),
    Scenario("guard", (order("a", BUY, "90"), price("74"), watch()), (protected,)),
    Scenario(
        "replay",
        (replay,),
        (protected,),
        market=Market(source=MINUTES, leverage="1"),
        begin=_nothing,
        restart_at=_where_it_stopped,
    ),
    Scenario(
        "spot",
        (order("a", BUY, "50"), price("104.5"), order("b", SELL, "20"), close("by hand")),
        (flat,),
        market=SPOT,
    ),
    Scenario("race", (race(order("a", BUY, "60"), order("b", BUY, "61")),), (_one_of_two,), market=SPOT),
    # Killed within the countdown, and started again when it is over.
    Scenario("countdown", (order("a", BUY, "90"), price("74"), look(), wait(3), killed(20), watch()), (protected,)),
    Scenario(
        "funding",
        (order("a", BUY, "10"), moved(CashKind.FUNDING, "-1.25"), price("101"), moved(CashKind.FUNDING, "0.5", "2")),
        (holds("10"), all_told),
        personality=Personality("funds", tells_movements=True),
    ),
    Scenario("import", (race(imported(), order("a", BUY, "10")), order("b", BUY, "5")), (one_book,)),
    Scenario(
        "restore",
        (
            *(order("a", BUY, "10"), copied(), order("b", BUY, "5"), order("c", BUY, "5", "98")),
            *(RESTORED, repeated(order("b", BUY, "5")), order("d", BUY, "2")),
        ),
    ),
)
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
