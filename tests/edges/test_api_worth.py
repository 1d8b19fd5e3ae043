"""What one has and what it is worth, over HTTP: exact, of this moment, and unknown where it is not known."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from plimsoll.desk.portfolio_figures import OF_THE_ACCOUNT
from plimsoll.edges.api.access import Api, Caller
from plimsoll.edges.api.present import worth
from plimsoll.people.actor import Right
from tests.edges.house import ADA, EVE, House, another_account_of, play

D = Decimal
SPOT = {"symbol": "BTC/USDT", "side": "BUY", "quantity": "0.1", "portfolio": ADA.portfolios[0].uid}
PERPETUAL = {**SPOT, "symbol": "BTC/USDT:USDT", "quantity": "0.2"}
AGAIN = another_account_of(ADA, 3)
ELSEWHERE = another_account_of(ADA, 4, "EUR")


async def holds(house: House) -> Any:
    """Have Ada buy coins and a perpetual at 50,000, and give her browser."""
    ada = await house.signs_in()
    for wish in (SPOT, PERPETUAL):
        assert (await ada.post("/orders", wish)).status_code == 201
    return ada


def test_a_portfolio_is_told_in_its_words(tmp_path: Path) -> None:
    """Worth, cash, profit and load add up; the fields are those that people know."""

    async def story(house: House) -> None:
        ada = await holds(house)
        await house.quote("51000")
        await house.sees()
        told = (await ada.get("/portfolio")).json()
        assert (told["total_value"], told["equity"], told["cash"]) == ("100300", "100300", "95000")
        assert (told["unrealized_pnl"], told["realized_pnl"], told["total_pnl"]) == ("300", "0", "300")
        assert told["total_usd_balance"] == "100100"
        assert told["load"]["level"] == "SAFE"
        assert told["load"]["gross_value"] == "15300"
        assert told["unknown"] == []
        spot, perpetual = told["positions"]
        assert (spot["product_id"], spot["usd_invested"], spot["current_value"]) == ("BTC/USDT", "5000", "5100")
        assert (perpetual["crypto_balance"], perpetual["average_cost_basis"]) == ("0.2", "50000")
        assert (spot["pnl_pct"], perpetual["pnl_pct"]) == ("2", "2")
        margin = (await ada.get("/margin/status")).json()
        assert (margin["margin_used"], margin["liquidation_risk"], margin["warnings"]) == (
            told["margin_used"],
            "SAFE",
            [],
        )
        assert margin["thresholds"] == {"warning": "0.7", "critical": "0.8", "emergency": "0.9", "order_limit": "0.75"}

    play(tmp_path, story)


def test_a_deep_load_is_warned_of(tmp_path: Path) -> None:
    """Past a line the status names the level, and how deep the load is."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        assert (await ada.post("/orders", {**PERPETUAL, "quantity": "7"})).status_code == 201
        assert (await ada.get("/margin/status")).json()["liquidation_risk"] == "WARNING"
        await house.quote("41000")
        told = (await ada.get("/margin/status")).json()
        assert told["liquidation_risk"] == "EMERGENCY"
        assert any(warning.startswith("EMERGENCY: the load is") for warning in told["warnings"]), told
        await house.quote("30000")
        gone = (await ada.get("/margin/status")).json()
        assert any("no equity is left" in warning for warning in gone["warnings"]), gone
        assert (await ada.get("/portfolio")).json()["load"]["load"] is None

    play(tmp_path, story)


def test_positions_are_told_with_what_they_would_cost(tmp_path: Path) -> None:
    """Entry, price, profit, margin and liquidation; a position that is being closed says so."""

    async def story(house: House) -> None:
        ada = await holds(house)
        assert (await ada.post("/orders", {**PERPETUAL, "side": "SELL", "quantity": "0.5"})).status_code == 201
        await house.quote("49000")
        told = (await ada.get("/positions")).json()
        assert told["equity"] is not None
        spot, short = told["items"]
        assert (short["side"], short["quantity"], short["entry_price"]) == ("SHORT", "0.3", "50000")
        assert (short["unrealized_pnl"], short["unrealized_pnl_pct"]) == ("300", "2")
        assert D(short["liquidation_price"]) > 49000
        assert (spot["liquidation_price"], spot["margin"], spot["status"]) == (None, "0", "OPEN")
        assert spot["matched"]
        assert spot["strategy"] is None

    play(tmp_path, story)


def test_a_price_that_is_too_old_makes_a_value_unknown(tmp_path: Path) -> None:
    """Null, never zero and never the last one; and the answer says in words what is not known."""

    async def story(house: House) -> None:
        ada = await holds(house)
        house.clock.move(60)
        health = (await ada.get("/system/health")).json()
        assert health["status"] == "degraded"  # from that moment on, not from the guard's next look
        assert any("cannot be valued: no price in time for" in reason for reason in health["reasons"])
        told = (await ada.get("/portfolio")).json()
        for field in ("equity", "total_value", "unrealized_pnl", "buying_power", "margin_used", "total_usd_balance"):
            assert told[field] is None, field
        assert told["cash"] == "95000"
        assert told["load"] | {"level": "UNKNOWN", "load": None} == told["load"]
        assert any("BTC" in reason for reason in told["unknown"])
        row = (await ada.get("/positions")).json()["items"][0]
        assert (row["current_price"], row["value"], row["unrealized_pnl"]) == (None, None, None)
        assert row["entry_price"] == "50000"
        margin = (await ada.get("/margin/status")).json()
        assert margin["liquidation_risk"] == "UNKNOWN"
        quote = (await ada.get("/quotes/BTC/USDT")).json()
        assert (quote["last"], quote["fresh"], quote["age_seconds"]) == ("50000", False, 60)

    play(tmp_path, story)


def test_one_portfolio_of_several_has_its_own_and_not_the_accounts(tmp_path: Path) -> None:
    """A key for it sees its cash and positions; margin, load and drawdown would tell of the others."""

    async def story(house: House) -> None:
        ada = await holds(house)
        savings = await house.key(ADA, Right.READ, Right.TRADE, portfolios=[ADA.portfolios[1]])
        told = (await savings.get("/portfolio")).json()
        assert (told["cash"], told["equity"], told["positions"]) == ("0", "0", [])
        assert told["unknown"] == [OF_THE_ACCOUNT]
        assert (told["margin_used"], told["drawdown"], told["load"]["level"]) == (None, None, "UNKNOWN")
        main = (await ada.get("/portfolio", portfolio="main")).json()
        assert (main["cash"], main["equity"]) == ("95000", "100000")
        assert main["unknown"] == [OF_THE_ACCOUNT]
        rows = (await ada.get("/positions", portfolio="main")).json()
        assert (len(rows["items"]), rows["equity"]) == (2, None)
        assert all(row["liquidation_price"] is None for row in rows["items"])
        # What concerns the whole account, such a key neither sees nor stops.
        for path in ("/margin/status", "/equity"):
            assert (await savings.get(path)).status_code == 404
        assert (await savings.get("/guards")).json() == {"items": [], "history": []}
        for path in ("/halts", "/halts/flatten"):
            assert (await savings.post(path)).status_code == 404
        assert (await savings.get("/halts")).json()["state"] == "ACTIVE"
        house.clock.move(60)
        stale = (await ada.get("/portfolio", portfolio="main")).json()
        assert stale["equity"] is stale["unrealized_pnl"] is None
        assert len(stale["unknown"]) > 1

    play(tmp_path, story)


def test_two_accounts_are_added_up_and_named_where_they_must_be(tmp_path: Path) -> None:
    """Equity is the sum, the load the deeper one; what is about one account asks which."""

    async def story(house: House) -> None:
        ada = await holds(house)
        told = (await ada.get("/portfolio")).json()
        assert (told["equity"], told["cash"]) == ("200000", "195000")
        assert (told["drawdown"], told["peak_equity"]) == (None, None)
        assert D(told["load"]["gross_value"]) > 0
        assert told["margin_utilization"] == "0.010256410256410256"
        assert (await ada.get("/positions")).json()["equity"] is None
        for path in ("/equity", "/margin/status"):
            asked = await ada.get(path)
            assert (asked.status_code, asked.json()["code"]) == (422, "validation"), path
            assert (await ada.get(path, account=AGAIN.account.uid)).status_code == 200
        assert (await ada.get("/portfolio", portfolio="main")).status_code == 422  # each account has one
        assert (await ada.get("/portfolio", portfolio=AGAIN.portfolios[0].uid)).json()["cash"] == "100000"
        nowhere = {name: value for name, value in SPOT.items() if name != "portfolio"}
        assert (await ada.post("/orders", nowhere)).json()["code"] == "validation"
        # A key is the user's own over all his accounts.
        there = {**nowhere, "portfolio": AGAIN.portfolios[0].uid}
        here = {**nowhere, "portfolio": ADA.portfolios[0].uid, "quantity": "0.03"}
        assert (await ada.post("/orders", there, Idempotency_Key="k")).status_code == 201
        clash = await ada.post("/orders", here, Idempotency_Key="k")
        assert (clash.status_code, clash.json()["code"]) == (409, "intent_key_reused")
        assert (await ada.post("/orders", there, Idempotency_Key="k")).status_code == 200
        assert (await ada.post("/orders", here, Idempotency_Key="other")).status_code == 201
        listed = (await ada.get("/orders", status="all", limit=2)).json()
        rest = (await ada.get("/orders", status="all", limit=2, cursor=listed["next"])).json()
        assert len({row["id"] for row in (*listed["items"], *rest["items"])}) == 4

    play(tmp_path, story, more=[AGAIN])


def test_accounts_in_two_currencies_are_not_added_up(tmp_path: Path) -> None:
    """That would need a rate with an age: the answer asks for one portfolio."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        told = await ada.get("/portfolio")
        assert told.status_code == 422
        assert "EUR and USDT" in told.json()["detail"]
        one = await ada.get("/portfolio", portfolio=ELSEWHERE.portfolios[0].uid)
        assert (one.json()["currency"], one.json()["cash"]) == ("EUR", "100000")

    play(tmp_path, story, more=[ELSEWHERE])


def test_who_has_nothing_is_told_nothing(tmp_path: Path) -> None:
    """A key whose portfolios are gone has an empty desk, and no account to ask about."""

    async def story(house: House) -> None:
        token = await house.people.redeem_link(await house.people.new_link(EVE.user.id, "x"), "a good sentence", "::1")
        actor = house.people.session(token)
        assert actor is not None
        api: Api = house.app.state.api
        nobody = Caller(api, replace(actor, portfolios=frozenset()))
        told = worth.summary(nobody, [])
        assert (told.currency, told.equity, told.positions, told.load.applies) == ("", D(0), [], False)

    play(tmp_path, story)


def test_equity_is_told_over_time(tmp_path: Path) -> None:
    """A point for each reading, between two times if they are said; a time without a zone is refused."""

    async def story(house: House) -> None:
        ada = await holds(house)
        for price in ("52000", "48000", "50000"):
            house.clock.move(10)
            await house.quote(price)
            await house.sees()
            house.clock.move(2)
            await house.quote(price)
            await house.sees()
        await house.books.write(lambda _draft: None)
        told = (await ada.get("/equity")).json()
        assert told["currency"] == "USDT"
        worths = [point["equity"] for point in told["items"]]
        assert {"100600", "99400"} <= set(worths)
        assert [point["at"] for point in told["items"]] == sorted(point["at"] for point in told["items"])
        since = told["items"][-1]["at"]
        assert len((await ada.get("/equity", **{"from": since})).json()["items"]) == 1
        early = (house.clock.now() - timedelta(days=1)).isoformat()
        assert (await ada.get("/equity", to=early)).json()["items"] == []
        assert len((await ada.get("/equity", points=2)).json()["items"]) == 2
        for params in ({"from": "2022-01-01T00:00:00"}, {"to": "yesterday"}, {"points": 1}):
            assert (await ada.get("/equity", **params)).status_code == 422, params

    play(tmp_path, story)
