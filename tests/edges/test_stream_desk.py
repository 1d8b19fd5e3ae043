"""The stream of a whole desk: what an order does is told to its owner, with his prices and his figures."""

import asyncio
from decimal import Decimal
from pathlib import Path

from pydantic import TypeAdapter

from plimsoll.edges.api import schemas
from plimsoll.edges.api.stream_hub import Streams
from plimsoll.people.actor import Actor, Right
from tests.edges.house import ADA, EVE, Client, House, play
from tests.edges.stream_scenes import Tape, until


def behind(house: House, client: Client) -> Actor:
    """Give who is behind a browser or a program."""
    said = client.headers.get("authorization")
    actor = house.people.key(said[7:], "here") if said else house.people.session(client.http.cookies["plimsoll"])
    assert actor is not None
    return actor


async def follow(house: House, actor: Actor) -> Tape:
    """Follow from the beginning, and let the first frames come."""
    streams: Streams = house.app.state.streams
    tape = Tape()
    tape.task = asyncio.ensure_future(streams.serve(streams.enter(actor, 0), tape))
    await until(lambda: tape.of("pulse") or tape.of("quotes"))
    return tape


def test_an_order_is_told_to_its_owner_with_his_prices_and_figures(tmp_path: Path) -> None:
    """Written, booked, changed: in the order of the commits; Eve sees nothing of it, and her own prices."""
    frame = TypeAdapter(schemas.Frame)

    async def story(house: House) -> None:
        client, hers = await house.signs_in(ADA), await house.signs_in(EVE)
        ada, eve = [await follow(house, behind(house, one)) for one in (client, hers)]
        before = len(ada.of("event"))
        placed = await client.post("/orders", {"symbol": "BTC/USDT", "side": "BUY", "quantity": "0.01"})
        assert placed.status_code == 201, placed.text
        await until(lambda: any(one["kind"] == "TRADE_BOOKED" for one in ada.of("event")))
        kinds = [one["kind"] for one in ada.of("event")[before:]]
        assert kinds[0] == "ORDER_WRITTEN"
        assert {one["account"] for one in ada.of("event")} == {ADA.account.uid}
        assert {one["account"] for one in eve.of("event")} == {EVE.account.uid}
        for tape, who in ((ada, ADA), (eve, EVE)):
            for one in tape.frames:
                frame.validate_python(one)
            assert [one["account"] for one in tape.of("pulse")[0]["accounts"]] == [who.account.uid]
            assert Decimal(tape.of("pulse")[0]["accounts"][0]["equity"]) == 100_000
            assert {row["bid"] for row in tape.of("quotes")[0]["items"]} == {"50000"}
        await house.app.state.streams.close()

    play(tmp_path, story)


def test_a_key_for_one_portfolio_of_several_sees_prices_and_no_events(tmp_path: Path) -> None:
    """An event does not say which portfolio it is about; a key for all of them sees all."""

    async def story(house: House) -> None:
        one, both = [
            await house.key(ADA, Right.READ, portfolios=list(portfolios))
            for portfolios in (ADA.portfolios[:1], ADA.portfolios)
        ]
        part, whole = await follow(house, behind(house, one)), await follow(house, behind(house, both))
        await until(lambda: part.of("quotes") and whole.events())
        assert part.events() == []
        assert part.of("pulse")[0]["accounts"] == []
        await house.app.state.streams.close()

    play(tmp_path, story)
