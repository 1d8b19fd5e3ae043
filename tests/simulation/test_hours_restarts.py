"""I18, I20: one history at the venue makes the same books, whether the desk is killed over it or its clock is off.

The people of such an hour ask for everything in its first minutes; what happens afterwards the venue does alone: it
fills what waits, somebody trades by hand, money comes and goes. So nothing at the venue hangs on whether a desk lives.
"""

import asyncio
from dataclasses import replace

import pytest

from tests.simulation.exchange.personality import Ids, Paging
from tests.simulation.hours.callers import Caller
from tests.simulation.hours.habits import trades
from tests.simulation.hours.plans import Plan, plan_of
from tests.simulation.hours.tape import Struck
from tests.simulation.hours.weather import FAIR, Fault
from tests.simulation.hours.world import Life, live

HOURS = 0.3
#: By the minute, once everything was asked for.
ALONE = (
    (4, Fault.BY_HAND, 0.0),
    (6, Fault.DEPOSIT, 250.0),
    (7, Fault.BUST, 0.0),
    (9, Fault.BY_HAND, 0.0),
    (10, Fault.WITHDRAWAL, 120.5),
    (12, Fault.CORRECTION, 0.0),
    (14, Fault.BY_HAND, 0.0),
)
KILLS = (
    (5, Fault.KILL, 20.0),
    (8, Fault.KILL, 0.1),
    (11, Fault.KILL, 65.0),
    (13, Fault.KILL, 3.0),
    (15, Fault.KILL, 9.0),
)


async def _in_the_first_minutes(self: Caller) -> None:
    for _ in range(12):
        await asyncio.sleep(15)
        await trades(self)
    await self.front.closing.wait()


def _plan(seed: int) -> Plan:
    drawn = plan_of(seed, HOURS)
    venue = replace(
        drawn.personalities[0],
        ids=(Ids.GLOBAL, Ids.SYMBOL)[seed % 2],
        paging=tuple(Paging)[seed % 3],
        hedging=False,
    )
    return replace(drawn, markets=drawn.markets[:1], personalities=(venue,))


def _lived(seed: int, happens: tuple[tuple[int, Fault, float], ...], offset: float = 0.0) -> Life:
    plan = replace(_plan(seed), weather=replace(FAIR, clock_offset=offset))
    life = live(plan, tape=[Struck("minute", minute, fault, amount) for minute, fault, amount in happens])
    assert life.failure is None, f"seed {seed}: {life.failure}"
    return life


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_kills_leave_the_books_as_they_would_be_without(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five of them, the desk down for up to a minute, while fills, busts and deposits come in."""
    monkeypatch.setattr(Caller, "run", _in_the_first_minutes)
    whole, killed = _lived(seed, ALONE), _lived(seed, (*ALONE, *KILLS))
    assert killed.figures["kills"] == len(KILLS)
    assert whole.figures["fills"] == killed.figures["fills"] > 5
    assert whole.facts == killed.facts


@pytest.mark.parametrize("offset", [-300.0, 300.0])
def test_a_clock_that_is_off_makes_the_same_books(offset: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five minutes before or behind the venue's, only stamps of ours differ."""
    monkeypatch.setattr(Caller, "run", _in_the_first_minutes)
    assert _lived(4, ALONE, offset).facts == _lived(4, ALONE).facts
