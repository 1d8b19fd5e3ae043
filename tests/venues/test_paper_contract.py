"""The paper venue keeps the contract of all venues: as it comes, and with everything unkind switched on that may be."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from plimsoll.model.instrument import Instrument
from plimsoll.model.quote import Quote
from plimsoll.venues.paper.rules import PaperRules
from plimsoll.venues.paper.venue import PaperVenue
from tests.builders.paper import PERPETUAL, SPOT, D, PaperWorld, play
from tests.venues.contract import Story, Tell, VenueContract

PLAIN = PaperRules(page_size=3)


class PaperScene:
    """The contract's market on a paper world."""

    spot: Instrument = SPOT
    perpetual: Instrument = PERPETUAL

    def __init__(self, world: PaperWorld) -> None:
        self._world = world
        self._prices = ("49999.5", "50000")

    @property
    def venue(self) -> PaperVenue:
        return self._world.venue

    async def price(self, bid: str, ask: str) -> None:
        self._prices = (bid, ask)
        for market in (SPOT, PERPETUAL):
            quote = Quote(market.id, self._world.clock.now(), D(bid), D(ask), D(bid))
            await self.venue.on_quote(quote)

    async def restart(self) -> None:
        self._world.restart()
        await self.price(*self._prices)


@pytest.fixture(
    params=[
        pytest.param(PLAIN, id="plain"),
        pytest.param(
            replace(PLAIN, latency_min=timedelta(milliseconds=5), latency_max=timedelta(milliseconds=80)), id="slow"
        ),
        pytest.param(replace(PLAIN, stream_repeats=True), id="repeating stream"),
    ]
)
def tell(request: pytest.FixtureRequest, tmp_path: Path) -> Tell:
    rules: PaperRules = request.param

    def run(story: Story) -> None:
        async def in_a_scene(world: PaperWorld) -> None:
            scene = PaperScene(world)
            await scene.price("49999.5", "50000")
            await story(scene)

        play(tmp_path / "paper.db", in_a_scene, rules=rules)

    return run


class TestPaper(VenueContract):
    """Run the acceptance list."""
