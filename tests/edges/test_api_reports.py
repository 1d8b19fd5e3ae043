"""Reports over HTTP: the figures of the shell, to whoever owns them, as JSON, CSV and a page."""

import csv
from dataclasses import replace
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from plimsoll.ledger import accounts
from plimsoll.ledger.book_cash import book_cash
from plimsoll.ledger.log import Note, write_note
from plimsoll.model.account import Account, Mode, Portfolio
from plimsoll.model.cash import CashEvent, CashKind
from plimsoll.model.ids import AccountId, PortfolioId
from plimsoll.store.draft import Draft
from tests.edges.house import ADA, EVE, House, play

D = Decimal
SPOT = {"symbol": "BTC/USDT", "side": "BUY", "quantity": "0.1", "portfolio": ADA.portfolios[0].uid}
PERPETUAL = {**SPOT, "symbol": "BTC/USDT:USDT", "quantity": "0.2", "portfolio": ADA.portfolios[1].uid}
UNSERVED = Account(AccountId(91), "a-i", ADA.user.id, "history", "paper", Mode.PAPER, "EUR", "none", "standard")
OLD = Portfolio(PortfolioId(91), "p-i", UNSERVED.id, ADA.user.id, "<b>old</b>")


async def trades(house: House) -> Any:
    """Have Ada earn 200 on a perpetual; give her browser."""
    ada = await house.signs_in()
    for wish in (SPOT, PERPETUAL):
        assert (await ada.post("/orders", wish)).status_code == 201
    await house.quote("51000")
    await house.sees()
    assert (await ada.post("/orders", {**PERPETUAL, "side": "SELL", "reduce_only": True})).status_code == 201
    return ada


async def brings_along(house: House) -> None:
    """Have a book of Ada's that this desk does not serve: 7 EUR of interest."""

    def unit(draft: Draft) -> None:
        accounts.write_account(draft, UNSERVED)
        accounts.write_portfolio(draft, OLD)
        now = house.clock.now()
        book_cash(draft, CashEvent(UNSERVED.id, OLD.id, CashKind.INTEREST, "EUR", D(7), "i", now), "user:1", now)

    await house.books.write(unit)


async def told(client: Any, path: str, **params: Any) -> dict[str, Any]:
    answer = await client.get(path, **params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_profit_and_loss_is_taken_apart(tmp_path: Path) -> None:
    """By whatever is asked for; the totals are the sums. What nobody trades on is told like everything else."""

    async def story(house: House) -> None:
        ada = await trades(house)
        await brings_along(house)
        by_symbol = await told(ada, "/reports/pnl", by="instrument")
        assert [(one["name"], one["asset"], one["price"], one["trade_count"]) for one in by_symbol["items"]] == [
            ("BTC/USDT", "USDT", "0", 1),
            ("BTC/USDT:USDT", "USDT", "200", 2),
            ("no instrument", "EUR", "0", 0),
        ]
        assert [(one["asset"], one["net"]) for one in by_symbol["totals"]] == [("EUR", "7"), ("USDT", "200")]
        today = house.clock.now().date()
        assert (by_symbol["first_day"], by_symbol["last_day"]) == (f"{today.year}-01-01", today.isoformat())
        for said in ("p-i", "<b>old</b>"):
            (old,) = (await told(ada, "/reports/pnl", by="portfolio", portfolio=said))["items"]
            assert (old["name"], old["of"], old["interest"]) == ("<b>old</b>", "history", "7")
        assert (await told(ada, "/reports/pnl", year=today.year - 1))["items"] == []

    play(tmp_path, story)


def test_it_comes_as_a_file_and_as_a_page(tmp_path: Path) -> None:
    """The same figures; a name that is markup is shown as it is."""

    async def story(house: House) -> None:
        ada = await trades(house)
        await brings_along(house)
        file = await ada.get("/reports/pnl", by="portfolio", format="csv")
        assert file.headers["content-type"] == "text/csv; charset=utf-8"
        rows = list(csv.DictReader(StringIO(file.text)))
        assert {row["portfolio"]: row["net"] for row in rows}["savings"] == "200"
        page = await ada.get("/reports/pnl", by="portfolio", format="html")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "&lt;b&gt;old&lt;/b&gt;" in page.text
        assert "<b>" not in page.text
        shown = await ada.get("/reports/performance", format="html")
        assert "Round trips" in shown.text
        assert (await ada.get("/reports/performance", format="csv")).text.startswith("of,currency,counted from")

    play(tmp_path, story)


def test_performance_tells_curves_and_trips(tmp_path: Path) -> None:
    """One trip, and it was won; the coins are still held."""

    async def story(house: House) -> None:
        ada = await trades(house)
        answer = await told(ada, "/reports/performance")
        (trips,) = answer["trips"]
        assert (trips["currency"], trips["closed"], trips["won"], trips["still_open"]) == ("USDT", 1, 1, 1)
        assert (trips["win_rate"], trips["gross_profit"], trips["profit_factor"]) == ("1", "200", None)
        assert [curve["of"] for curve in answer["curves"]] == [ADA.account.name]
        (savings,) = (await told(ada, "/reports/performance", portfolio="savings", capital="1000"))["curves"]
        assert (savings["of"], savings["counted_from"], savings["total_return"]) == ("savings", "money_put_in", "0.2")
        assert savings["points"][-1]["value"] == "1200"

    play(tmp_path, story)


@pytest.mark.parametrize("report", ["pnl", "performance"])
def test_another_s_portfolio_is_one_that_is_not_there(tmp_path: Path, report: str) -> None:
    """By its id and by its name, served or not; and what is told without one is one's own."""

    async def story(house: House) -> None:
        await trades(house)
        await brings_along(house)
        eve = await house.signs_in(EVE)
        answers = [
            await eve.get(f"/reports/{report}", portfolio=said)
            for said in (ADA.portfolios[1].uid, "p-i", "<b>old</b>", "nobody's")
        ]
        assert {answer.status_code for answer in answers} == {404}
        assert len({(answer.json()["code"], answer.json()["detail"]) for answer in answers}) == 1
        own = await told(eve, f"/reports/{report}")
        assert own.get("items", []) == own.get("trips", []) == []

    play(tmp_path, story)


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"year": 1969}, "year"),
        ({"year": 2022, "from": "2022-01-01"}, "year"),
        ({"from": "2022-01-02", "to": "2022-01-01"}, "from"),
        ({"to": "2200-01-01"}, "to"),
        ({"from": "soon"}, "from"),
        ({"format": "pdf"}, "format"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_its_field(tmp_path: Path, params: dict[str, Any], field: str) -> None:
    async def story(house: House) -> None:
        ada = await house.signs_in()
        for report in ("pnl", "performance"):
            refused = await ada.get(f"/reports/{report}", **params)
            assert refused.status_code == 422, refused.text
            assert refused.json()["reasons"][0]["sentence"].startswith(field), refused.text

    play(tmp_path, story)


def test_a_name_that_two_accounts_gave_is_asked_about_by_id(tmp_path: Path) -> None:
    """One is served and one is not; their ids are both taken."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        same = replace(OLD, name=ADA.portfolios[0].name)

        def unit(draft: Draft) -> None:
            accounts.write_account(draft, UNSERVED)
            accounts.write_portfolio(draft, same)
            write_note(draft, Note(UNSERVED.id, "user:1", "CREATE", "ACCOUNT", "a-i", house.clock.now(), {}))

        await house.books.write(unit)
        refused = await ada.get("/reports/pnl", portfolio=same.name)
        assert (refused.status_code, refused.json()["code"]) == (422, "validation")
        for uid in (same.uid, ADA.portfolios[0].uid):
            assert (await told(ada, "/reports/pnl", portfolio=uid))["items"] == []

    play(tmp_path, story)


@pytest.mark.parametrize("capital", ["0", "-1", "NaN", "1e3"])
def test_capital_is_an_amount_above_nothing(tmp_path: Path, capital: str) -> None:
    async def story(house: House) -> None:
        refused = await (await house.signs_in()).get("/reports/performance", capital=capital)
        assert refused.status_code == 422
        assert refused.json()["reasons"][0]["sentence"].startswith("capital"), refused.text

    play(tmp_path, story)
