"""The tax report over HTTP: the rows of the shell, to whoever owns them, as JSON, CSV and a page."""

import csv
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from tests.edges.contract import DOCUMENT, complaints
from tests.edges.house import ADA, EVE, House, play

SPOT = {"symbol": "BTC/USDT", "side": "BUY", "quantity": "0.1", "portfolio": ADA.portfolios[0].uid}
PERPETUAL = {**SPOT, "symbol": "BTC/USDT:USDT", "quantity": "0.2", "portfolio": ADA.portfolios[1].uid}


async def trades(house: House) -> Any:
    """Have Ada earn 200 on a perpetual and keep coins; give her browser."""
    ada = await house.signs_in()
    for wish in (SPOT, PERPETUAL):
        assert (await ada.post("/orders", wish)).status_code == 201
    await house.quote("51000")
    await house.sees()
    assert (await ada.post("/orders", {**PERPETUAL, "side": "SELL", "reduce_only": True})).status_code == 201
    return ada


async def told(client: Any, **params: Any) -> dict[str, Any]:
    answer = await client.get("/reports/tax", **params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert complaints(found, DOCUMENT["components"]["schemas"]["TaxAnswer"]) == []
    return found


def test_what_was_realised_is_told_lot_by_lot(tmp_path: Path) -> None:
    """With the fee in cost or beside it; of one portfolio or instrument; of no other year."""

    async def story(house: House) -> None:
        ada = await trades(house)
        answer = await told(ada, fees="apart")
        (row,) = answer["rows"]
        assert (row["portfolio"], row["symbol"], row["quantity"], row["gain"]) == (
            *("savings", "BTC/USDT:USDT", "0.2", "200"),
        )
        assert (row["holding_days"], row["term"], row["side"], row["currency"]) == (0, "short", "long", "USDT")
        assert [(one["symbol"], one["quantity"]) for one in answer["open_lots"]] == [("BTC/USDT", "0.1")]
        assert (answer["totals"][0]["gain"], answer["totals"][0]["rows"]) == ("200", 1)
        average = await told(ada, method="average", symbol="BTC/USDT:USDT", portfolio="savings", fees="apart")
        assert [(one["acquired_at"], one["gain"], one["term"]) for one in average["rows"]] == [(None, "200", "")]
        assert (await told(ada, portfolio=ADA.portfolios[0].uid))["rows"] == []
        today = house.clock.now().date()
        assert (answer["first_day"], answer["last_day"]) == (f"{today.year}-01-01", today.isoformat())
        assert (await told(ada, year=today.year - 1))["rows"] == []

    play(tmp_path, story)


def test_it_comes_as_a_file_and_as_a_page(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        ada = await trades(house)
        file = await ada.get("/reports/tax", format="csv", fees="apart")
        assert file.headers["content-type"] == "text/csv; charset=utf-8"
        assert [row["gain"] for row in csv.DictReader(StringIO(file.text))] == ["200"]
        left = await ada.get("/reports/tax", format="csv", only="open")
        assert [row["quantity"] for row in csv.DictReader(StringIO(left.text))] == ["0.1"]
        page = await ada.get("/reports/tax", format="html")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "Realised gains" in page.text

    play(tmp_path, story)


def test_another_s_lots_are_not_there(tmp_path: Path) -> None:
    """Neither by portfolio nor by what he traded; and what is told without a name is one's own."""

    async def story(house: House) -> None:
        await trades(house)
        eve = await house.signs_in(EVE)
        own = await told(eve)
        assert own["rows"] == own["totals"] == own["open_lots"] == []
        asked = [await eve.get("/reports/tax", portfolio=said) for said in (ADA.portfolios[1].uid, "nobody's")]
        assert {answer.status_code for answer in asked} == {404}
        assert len({(answer.json()["code"], answer.json()["detail"]) for answer in asked}) == 1
        symbols = [await eve.get("/reports/tax", symbol=said) for said in ("BTC/USDT", "DOGE/USDT")]
        assert {answer.status_code for answer in symbols} == {422}
        assert all("there are: none" in answer.text for answer in symbols)

    play(tmp_path, story)


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"method": "specific"}, "method"),
        ({"method": "best"}, "method"),
        ({"fees": "none"}, "fees"),
        ({"zone": "Middle/Earth"}, "zone"),
        ({"long_after": -1}, "long_after"),
        ({"only": "all", "format": "csv"}, "only"),
        ({"year": 1969}, "year"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_its_field(tmp_path: Path, params: dict[str, Any], field: str) -> None:
    async def story(house: House) -> None:
        refused = await (await house.signs_in()).get("/reports/tax", **params)
        assert refused.status_code == 422, refused.text
        assert refused.json()["reasons"][0]["sentence"].startswith(field), refused.text

    play(tmp_path, story)
