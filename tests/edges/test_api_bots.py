"""Bots over HTTP: made, started, asked, stopped by their owner; and strategies with what they take."""

from pathlib import Path

from plimsoll.bots.catalogue import make_strategy, parameters_of
from plimsoll.people.actor import Right
from tests.edges.house import ADA, House, play

BOT = {"name": "one", "strategy": "signals", "symbol": "BTC/USDT:USDT", "portfolio": "main"}


def test_a_bot_lives_from_its_making_to_its_rest(tmp_path: Path) -> None:
    """Made STOPPED, started, looked at, asked, stopped; its id is its portfolio's and its own."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        made = await ada.post("/bots", {**BOT, "params": {"trade_size": "20"}})
        assert made.status_code == 201
        bot = made.json()
        assert (bot["status"], bot["params"], bot["product_id"]) == ("STOPPED", {"trade_size": "20"}, "BTC/USDT:USDT")
        assert (bot["ready_to_trade"], bot["temperature"], bot["combined_score"]) == (False, None, None)
        assert bot["portfolio"] == ADA.portfolios[0].uid
        path = f"/bots/{bot['id']}"
        assert (await ada.get(path)).json() == bot
        assert (await ada.get("/bots")).json()["items"] == [bot]
        started = (await ada.post(f"{path}/start")).json()
        assert started["status"] == "RUNNING"
        signal = (await ada.get("/bots/signals")).json()["items"][0]
        assert (signal["bot_id"], signal["product_id"]) == (bot["id"], "BTC/USDT:USDT")
        asked = (await ada.post(f"{path}/evaluate", {"forced": True})).json()
        assert asked == {
            "bot_id": bot["id"],
            "result": {"temperature": None, "trade_executed": False, "trade_id": None},
        }
        assert house.rows("orders") == 0
        assert (await ada.post(f"{path}/stop")).json()["status"] == "STOPPED"

    play(tmp_path, story)


IMPOSSIBLE: list[tuple[dict[str, object], int, str]] = [
    ({"strategy": "magic"}, 422, "illegal_strategy"),
    ({"params": {"magic": "1"}}, 422, "illegal_params"),
    ({"params": {"</script>": "1"}}, 422, "illegal_params"),
    ({"strategy": "magic", "params": {"strategy": "1"}}, 422, "illegal_strategy"),
    ({"params": {f"p{number}": "1" for number in range(51)}}, 422, "validation"),
    ({"params": {"trade_size": "1" * 201}}, 422, "validation"),
    ({"params": {"trade_size": "0.5"}}, 422, "illegal_trade_size"),
    ({"params": {"trade_size": 20}}, 422, "validation"),
    ({"name": ""}, 422, "validation"),
    ({"name": "x" * 61}, 422, "validation"),
    ({"symbol": "DOGE/USDT"}, 422, "symbol_unknown"),
    ({"portfolio": "nobody's"}, 404, "not_found"),
    ({"name": "taken"}, 409, "bot_name_taken"),
]
NO_IDS = ["1", "018f-portfolio-1-0", "018f-portfolio-1-0.0", "018f-portfolio-1-0.01", "x.1"]


def test_a_bot_that_cannot_be_is_refused_by_its_field(tmp_path: Path) -> None:
    """And none is made."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        await ada.post("/bots", {**BOT, "name": "taken"})
        before = house.everything()
        for change, status, code in IMPOSSIBLE:
            told = await ada.post("/bots", {**BOT, **change})
            assert (told.status_code, told.json()["code"]) == (status, code), told.text
        assert house.everything() == before

    play(tmp_path, story)


def test_an_id_that_is_none_is_missing(tmp_path: Path) -> None:
    """Whatever is wrong with it, in one answer."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        for name in NO_IDS:
            for told in (await ada.get(f"/bots/{name}"), await ada.post(f"/bots/{name}/start")):
                assert (told.status_code, told.json()["code"]) == (404, "not_found"), name

    play(tmp_path, story)


def test_a_key_for_one_portfolio_sees_its_bots_alone(tmp_path: Path) -> None:
    """The others are neither listed nor found."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        mine = (await ada.post("/bots", BOT)).json()["id"]
        savings = await house.key(ADA, Right.READ, Right.TRADE, portfolios=[ADA.portfolios[1]])
        assert (await savings.get("/bots")).json()["items"] == []
        assert (await savings.get(f"/bots/{mine}")).status_code == 404
        own = (await savings.post("/bots", {**BOT, "name": "two", "portfolio": "savings"})).json()
        assert [row["id"] for row in (await savings.get("/bots")).json()["items"]] == [own["id"]]

    play(tmp_path, story)


def test_strategies_name_their_parameters_and_defaults(tmp_path: Path) -> None:
    """What is shown as the default is what saying nothing gives; said again, it makes the same strategy."""

    async def story(house: House) -> None:
        told = (await (await house.signs_in()).get("/strategies")).json()["items"]
        assert [row["name"] for row in told] == ["hold", "signals"]
        assert told[0]["params"] == {"share": "1"}
        assert told[1]["params"]["confirmation_minutes"] == "5"
        for row in told:
            assert parameters_of(row["name"]) == row["params"]
            again = make_strategy(row["name"], row["params"])
            assert again.state() == make_strategy(row["name"], {}).state()

    play(tmp_path, story)
