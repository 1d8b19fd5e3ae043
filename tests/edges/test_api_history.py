"""What was, over HTTP: profit and loss, movements of cash, breaches, notes, events. Each one's own, newest first."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from plimsoll.desk.place_order import place_order
from plimsoll.edges.api.present.history import net_of
from plimsoll.ledger import accounts
from plimsoll.ledger.days import DayMove
from plimsoll.ledger.reading.earnings import Earned, Of
from plimsoll.model.ids import IntentKey, StrategyId
from plimsoll.model.order import Intent, OrderTerms, OrderType, Side
from plimsoll.store.draft import Draft
from tests.edges.house import ADA, EVE, House, play

D = Decimal
SPOT = {"symbol": "BTC/USDT", "side": "BUY", "quantity": "0.1", "portfolio": ADA.portfolios[0].uid}
PERPETUAL = {**SPOT, "symbol": "BTC/USDT:USDT", "quantity": "0.2", "portfolio": ADA.portfolios[1].uid}


async def trades(house: House) -> Any:
    """Have Ada earn 200 on a perpetual in a day, and hold coins; give her browser."""
    ada = await house.signs_in()
    for wish in (SPOT, PERPETUAL):
        assert (await ada.post("/orders", wish)).status_code == 201
    await house.quote("51000")
    await house.sees()
    sold = await ada.post("/orders", {**PERPETUAL, "side": "SELL", "reduce_only": True})
    assert sold.status_code == 201, sold.text
    return ada


async def told(client: Any, path: str, **params: Any) -> list[dict[str, Any]]:
    answer = await client.get(path, **params)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def test_profit_is_told_by_whatever_is_asked_for(tmp_path: Path) -> None:
    """The same sum in every telling; only what it is told by is named."""

    async def story(house: House) -> None:
        ada, today = await trades(house), house.clock.now().date()
        (day,) = await told(ada, "/pnl")
        assert day == {
            "time": today.isoformat(),
            "portfolio": None,
            "symbol": None,
            "strategy": None,
            "currency": "USDT",
            "realized_pnl": "200",
            "fees": day["fees"],
            "flows": [],
            "net_pnl": "200",
            "turnover": "25200",
            "trade_count": 3,
        }
        (month,) = await told(ada, "/pnl", by="month")
        assert (month["time"], month["realized_pnl"]) == (today.isoformat()[:7], "200")
        by_symbol = {one["symbol"]: one["realized_pnl"] for one in await told(ada, "/pnl", by="instrument")}
        assert by_symbol == {"BTC/USDT": "0", "BTC/USDT:USDT": "200"}
        by_portfolio = {one["portfolio"]: one["realized_pnl"] for one in await told(ada, "/pnl", by="portfolio")}
        assert by_portfolio == {ADA.portfolios[0].uid: "0", ADA.portfolios[1].uid: "200"}
        by_hand = await told(ada, "/pnl", by="strategy", symbol="BTC/USDT:USDT", portfolio="savings")
        assert [(one["strategy"], one["realized_pnl"]) for one in by_hand] == [(None, "200")]
        yesterday = (today - timedelta(days=1)).isoformat()
        assert await told(ada, "/pnl", to=yesterday) == []
        eve = await house.signs_in(EVE)
        assert await told(eve, "/pnl") == []

    play(tmp_path, story)


def test_what_a_bot_earned_is_told_under_its_id(tmp_path: Path) -> None:
    """A bot's leg is its own line, beside what its person did by hand."""

    async def story(house: House) -> None:
        ada = await trades(house)
        made = await ada.post("/bots", {"name": "one", "strategy": "hold", "symbol": "BTC/USDT", "portfolio": "main"})
        bot_id = made.json()["id"]
        terms = OrderTerms(ADA.spot.id, Side.BUY, OrderType.MARKET, quantity=D("0.01"))
        wish = Intent(
            IntentKey("bot:1"),
            ADA.account.id,
            ADA.portfolios[0].id,
            ADA.user.id,
            terms,
            "bot:1",
            house.clock.now(),
            strategy_id=StrategyId(int(bot_id.rpartition(".")[2])),
        )
        ports = house.served[ADA.account.id].ports
        assert (await place_order(ports, wish)).approved
        await ports.settled()
        lines = await told(ada, "/pnl", by="strategy", portfolio="main")
        assert [(one["strategy"], one["trade_count"]) for one in lines] == [(None, 1), (bot_id, 1)]

    play(tmp_path, story)


@pytest.mark.parametrize(
    ("fees", "flows", "net"),
    [
        ((("USDT", D("1.5")),), (("FUNDING", "USDT", D("-2")),), D("96.5")),
        ((), (), D(100)),
        ((("BNB", D("0.01")),), (), None),
        ((("BNB", D(0)),), (), D(100)),
        ((), (("DIVIDEND", "EUR", D(1)),), None),
    ],
)
def test_what_is_in_another_asset_has_no_sum(fees: Any, flows: Any, net: Decimal | None) -> None:
    """Without a rate the net profit is not known, and unknown is not what is left."""
    assert net_of(Earned(Of(), "USDT", DayMove(D(100), D(0), 1, fees, flows))) == net


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"from": "1969-12-31"}, "from"),
        ({"to": "2201-01-01"}, "to"),
        ({"from": "2021-01-01", "to": "2022-01-02"}, "from"),
    ],
)
def test_days_that_no_book_has_and_too_many_of_them_are_refused(
    tmp_path: Path, params: dict[str, str], field: str
) -> None:
    """By the name of the field; a longer time may be asked for by month."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        refused = await ada.get("/pnl", **params)
        assert refused.status_code == 422
        assert refused.json()["reasons"][0]["sentence"].startswith(field), refused.text
        if field == "from" and "to" in params:
            assert (await ada.get("/pnl", **params, by="month")).status_code == 200
        assert (await ada.get("/pnl", to="1970-01-02")).status_code == 200

    play(tmp_path, story)


def test_movements_of_cash_are_told_page_by_page(tmp_path: Path) -> None:
    """Newest first, of one kind where one is named; the deposit is the last of all."""

    async def story(house: House) -> None:
        ada = await trades(house)
        whole = await told(ada, "/funds/history")
        assert (whole[-1]["kind"], whole[-1]["amount"], whole[-1]["symbol"]) == ("DEPOSIT", "100000", None)
        first = (await ada.get("/funds/history", limit=1)).json()
        rest = await told(ada, "/funds/history", cursor=first["next"])
        assert [*first["items"], *rest] == whole
        (deposit,) = await told(ada, "/funds/history", kind="DEPOSIT")
        assert deposit == whole[-1]
        assert {one["portfolio"] for one in await told(ada, "/funds/history", portfolio="savings")} == {
            ADA.portfolios[1].uid
        }
        wrong = await ada.get("/funds/history", cursor="none")
        assert (wrong.status_code, wrong.json()["reasons"][0]["observed"]) == (422, "none")

    play(tmp_path, story)


def test_a_refusal_is_told_with_what_was_seen(tmp_path: Path) -> None:
    """The checks that stood in the way, and the numbers that they looked at."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        assert (await ada.post("/orders", {**SPOT, "quantity": "1000"})).status_code == 422
        (breach,) = await told(ada, "/breaches", account=ADA.account.uid)
        assert (breach["account"], breach["action"]) == (ADA.account.uid, "BLOCKED")
        assert [check["outcome"] for check in breach["checks"]].count("REFUSE") >= 1
        assert breach["observed"]["equity"] == "100000"
        assert await told(await house.signs_in(EVE), "/breaches") == []

    play(tmp_path, story)


def test_what_a_guard_did_is_a_breach_without_checks(tmp_path: Path) -> None:
    """It tells the numbers that it acted on."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        assert (await ada.post("/orders", {**PERPETUAL, "quantity": "4"})).status_code == 201
        for _ in range(2):
            house.clock.move(3)
            await house.quote("45500")
            await house.sees()
        breaches = await told(ada, "/breaches")
        assert [one["action"] for one in breaches] == ["WARNED"]
        assert breaches[0]["checks"] == []
        assert "drawdown" in breaches[0]["observed"]

    play(tmp_path, story)


def test_notes_and_events_are_the_callers_own(tmp_path: Path) -> None:
    """Who did what, and what happened: newest first, and of one account where one is named."""

    async def story(house: House) -> None:
        ada = await trades(house)
        notes = await told(ada, "/audit", account=ADA.account.uid)
        assert [one["number"] for one in notes] == list(range(len(notes), 0, -1))
        assert {one["account"] for one in notes} == {ADA.account.uid}
        assert ("CREATE", "ACCOUNT") in {(one["action"], one["entity"]) for one in notes}
        events = await told(ada, "/events")
        assert [one["number"] for one in events] == sorted((one["number"] for one in events), reverse=True)
        assert {one["account"] for one in events} == {ADA.account.uid}
        assert "TRADE_BOOKED" in {one["kind"] for one in events}

    play(tmp_path, story)


def test_every_version_of_a_policy_is_told(tmp_path: Path) -> None:
    """Those that bind the caller."""

    async def story(house: House) -> None:
        def unit(draft: Draft) -> None:
            accounts.write_policy(draft, ADA.account.id, {"max_order_value": "5000"}, 1)
            accounts.write_policy(draft, EVE.account.id, {"max_order_value": "7000"}, 1)

        await house.books.write(unit)
        (policy,) = await told(await house.signs_in(), "/policies")
        assert (policy["scope_type"], policy["version"], policy["limits"]) == (
            "ACCOUNT",
            1,
            {"max_order_value": "5000"},
        )

    play(tmp_path, story)
