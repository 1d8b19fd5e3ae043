"""The hostile world does what it says: the dead stay dead, uncommitted rows are gone, a forgetful venue doubles."""

from pathlib import Path

import pytest

from plimsoll.model.order import Side
from plimsoll.model.venue import DedupeScope
from plimsoll.runtime.virtual_loop import VirtualClock, run_virtual
from tests.simulation.oracle import Files
from tests.simulation.scenarios import order
from tests.simulation.world import PERPETUAL, START, Desk, Died, Fault, Kind, Personality, World, lay_out, template


@pytest.fixture(autouse=True)
def _files() -> None:
    """Make the files of a fresh desk before a loop runs: they are made on a loop of their own, once."""
    template(PERPETUAL)


def _world(clock: VirtualClock, folder: Path, *faults: Fault, dedupe: DedupeScope = DedupeScope.NONE) -> World:
    venue = Personality(dedupe=dedupe)
    return World(clock, lay_out(PERPETUAL, folder), PERPETUAL.instrument(), PERPETUAL.source, venue, faults)


@pytest.mark.parametrize("kind", [Kind.CUT_BEFORE, Kind.CUT_AFTER])
def test_a_dead_process_runs_no_finally_and_commits_nothing_more(tmp_path: Path, kind: Kind) -> None:
    """Effect 2 is the commit of the intent: cut before it, the order is not in the file; after it, it is PENDING."""
    ran: list[str] = []

    async def ask(desk: Desk) -> None:
        try:
            await order("a", Side.BUY, "1")(desk)
        finally:
            ran.append("finally")

    async def main(clock: VirtualClock) -> list[str]:
        world = _world(clock, tmp_path, Fault(2, kind))
        await world.start(Desk.begin)
        with pytest.raises(Died):
            await world.on_desk(ask)
        return [row["state"] for row in Files(world).orders]

    states = run_virtual(main, start=START)
    assert states == ([] if kind is Kind.CUT_BEFORE else ["PENDING"])
    assert ran == []


@pytest.mark.parametrize(("dedupe", "orders"), [(DedupeScope.NONE, 2), (DedupeScope.FOREVER, 1)])
def test_a_forgetful_venue_takes_the_same_order_twice(tmp_path: Path, dedupe: DedupeScope, orders: int) -> None:
    """Only there is a resend to be seen."""

    async def main(clock: VirtualClock) -> int:
        world = _world(clock, tmp_path, dedupe=dedupe)
        await world.start(Desk.begin)
        await world.on_desk(order("a", Side.BUY, "1"))
        await world.deliver_order(world.sent[0])
        count = len(Files(world).venue_orders)
        world.close()
        return count

    assert run_virtual(main, start=START) == orders
