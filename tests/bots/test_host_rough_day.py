"""A rough day on a served desk: bots and a person trade while the venue falls silent, answers are lost, the disk fills,
and the desk is stopped or killed. At its end everybody is quiet, and book and venue agree to the last digit."""

import asyncio
import random
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import pytest

from plimsoll.model.errors import CommandRefused
from plimsoll.model.order import OrderState
from plimsoll.model.quote import Quote
from plimsoll.store.connection import StoreFailed
from tests.builders.bots import AT_ONCE
from tests.builders.desk import Sent
from tests.builders.paper import SPOT
from tests.builders.served import ADA, Served, serve

D = Decimal
MINUTES = 25


class Weather:
    """What goes wrong, drawn anew every few seconds."""

    def __init__(self, desk: Served, seed: int) -> None:
        self.desk, self.chance = desk, random.Random(seed)
        self.price = 50_000
        self.starts = 1

    async def minute(self) -> None:
        for _ in range(12):
            await self.trouble()
            for _ in range(5):
                await self.desk.wait(1)
                self.price += self.chance.randint(-40, 40)
                self.desk.show(str(self.price))
            await self.person()

    async def trouble(self) -> None:
        desk, chance = self.desk, self.chance
        desk.line.down = chance.random() < 0.1
        desk.line.loses_news = chance.random() < 0.1
        desk.books.writes_left = chance.randint(0, 3) if chance.random() < 0.05 else None
        if chance.random() < 0.1:
            desk.line.fates.append(chance.choice(list(Sent)))
        if chance.random() < 0.03:
            await self.start_anew(gracefully=chance.random() < 0.5)

    async def start_anew(self, *, gracefully: bool) -> None:
        desk = self.desk
        if gracefully:
            await desk.attendant.stop()
        past = desk.candles.whole_minutes(SPOT.id, 1_000)
        desk.die()
        desk.candles.seed(past)
        desk.show(str(self.price))
        await desk.go()
        self.starts += 1

    async def person(self) -> None:
        desk, chance = self.desk, self.chance
        ask = desk.buy if chance.random() < 0.5 else desk.sell
        limit = None if chance.random() < 0.5 else f"{self.price + chance.randint(-200, 200)}"
        # Told to the person; what becomes of the order is the desk's to find out.
        with suppress(StoreFailed, CommandRefused, ValueError):
            await ask("0.001", price=limit)

    async def calm_down(self) -> None:
        desk = self.desk
        desk.line.down = desk.line.loses_news = False
        desk.line.fates.clear()
        desk.books.writes_left = None
        for record in [one.record for one in desk.host.bots_of(ADA)]:
            await desk.host.stop(record.id, ADA)
        await desk.market(str(self.price), 90)


@pytest.mark.parametrize("seed", range(3))
def test_a_rough_day_ends_with_book_and_venue_equal(tmp_path: Path, seed: int) -> None:
    async def story(desk: Served) -> None:
        weather = Weather(desk, seed)
        await desk.bot(**{**AT_ONCE, "trade_size": "100"})
        await desk.bot("hold", "two", share="0.1")
        for _ in range(MINUTES):
            await weather.minute()
        await weather.calm_down()
        assert desk.attendant.attendance().failing == ""
        told = await desk.attendant.sync()
        assert told.may_open, told
        assert not {OrderState.PENDING, OrderState.UNKNOWN} & set(desk.states())
        assert [one.record.status for one in desk.host.bots_of(ADA)] == ["STOPPED", "STOPPED"]
        assert weather.starts > 1
        assert desk.rows("SELECT count(*) FROM trades WHERE triggered_by = 'bot:2'") <= [(1,)], "hold buys once"
        assert desk.count("trades") > 20
        assert len(set(desk.rows("SELECT intent_key, user_id FROM orders"))) == desk.count("orders")

    serve(tmp_path, story)


def test_a_storm_of_quotes_holds_nothing_up(tmp_path: Path) -> None:
    """Thousands of quotes at once, while an order waits for them: the line stays bounded, and time goes on."""

    async def story(desk: Served) -> None:
        assert (await desk.buy("0.01", price="49990")).approved
        for number in range(20_000):
            price = D(50_000 + number % 7)
            desk.attendant.take(Quote(SPOT.id, desk.clock.now(), price, price, price))
        assert len(desk.attendant._line) <= 1_000
        assert desk.attendant.attendance().skipped_quotes >= 19_000
        desk.show("49980")
        await desk.until(lambda: desk.states() == [OrderState.FILLED], 10)
        assert (await asyncio.wait_for(desk.attendant.sync(), 5)).may_open

    serve(tmp_path, story)
