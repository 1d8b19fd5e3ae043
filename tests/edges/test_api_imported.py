"""Imported books over HTTP: shown by a running desk as soon as they are finished, and nobody's to trade on."""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from plimsoll.desk.import_book import ImportingHere
from plimsoll.edges.api.app import make_app
from plimsoll.ledger.imported.build import BookPlace
from plimsoll.ledger.imports import Finished
from plimsoll.model.cash import CashKind
from plimsoll.model.ids import StrategyId
from plimsoll.model.money import decimal_text
from plimsoll.model.order import Side
from plimsoll.model.told import Told
from plimsoll.people.actor import Right
from tests.builders.bringing import BTC, ETH, LATER, fills, paid_in, staged
from tests.builders.ledger import NOON
from tests.edges.house import ADA, EVE, Client, House, Tenant, another_account_of, play

D = Decimal


async def bring(
    house: House, *statements: Iterable[Told], who: Tenant = ADA, name: str = "old days", until: int | None = None
) -> Finished | None:
    """Bring a book in beside the desk; with `until`, only so many chunks of it."""
    folder = house.directory.imports
    folder.mkdir(exist_ok=True)
    here = ImportingHere(house.books, house.clock, house.ids, folder)
    told = [list(one) for one in statements]
    found = await here.know_instruments([BTC, ETH])
    names = sorted({one.strategy for some in told for one in some if one.strategy})
    strategies = {made: StrategyId(number) for made, number in (await here.know_strategies(who.user.id, names)).items()}
    making = await here.begin(who.user.id, name, "EUR")
    instruments = {(one.venue, one.symbol): replace(one, id=found[one.venue, one.symbol]) for one in (BTC, ETH)}
    place = BookPlace(making.account_id, making.portfolio_id, instruments, strategies, "user:1", LATER)
    ready = staged(folder / f"{making.account_id}.part", place, told, house.directory.chain_key())
    if until is not None:
        for number in range(1, until + 1):
            await here.take(who.user.id, ready.path.name, number)
        return None
    seen: list[tuple[int, int]] = []
    await here.take_all(who.user.id, ready.path.name, lambda done, total: seen.append((done, total)))
    assert seen[-1:] == [(ready.chunks, ready.chunks)][: ready.chunks]
    return await here.finish(who.user.id, ready.path.name)


def left_over(one: Told) -> Decimal:
    """Say what a told thing makes of the money."""
    if one.side is None:
        return one.amount
    paid = one.quantity * one.price
    return (paid if one.side is Side.SELL else -paid) - one.fee


async def told(client: Client, path: str, **params: Any) -> Any:
    answer = await client.get(path, **params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def everything(client: Client, portfolio: str) -> dict[str, Any]:
    """Ask every list for one portfolio."""
    asked = {
        "portfolio": await told(client, f"/portfolios/{portfolio}"),
        "summary": await told(client, "/portfolio", portfolio=portfolio),
        "positions": await told(client, "/positions", portfolio=portfolio),
        "trades": await told(client, "/trades", portfolio=portfolio, limit=500),
        "orders": await told(client, "/orders", portfolio=portfolio, status="all"),
        "open": await told(client, "/orders", portfolio=portfolio, status="open"),
        "cash": await told(client, "/funds/history", portfolio=portfolio, limit=500),
        "instruments": await told(client, "/instruments", portfolio=portfolio),
        "quotes": await told(client, "/quotes", portfolio=portfolio),
    }
    for by in ("day", "month", "portfolio", "instrument", "strategy"):
        span = {"from": "2022-01-01", "to": "2022-12-31", "portfolio": portfolio}
        asked[f"pnl by {by}"] = await told(client, "/pnl", by=by, **span)
    return asked


def test_a_running_desk_shows_a_book_as_soon_as_it_is_finished(tmp_path: Path) -> None:
    """And not a row of it before; every list tells of it, and what is unknown is null."""

    async def story(house: House) -> None:
        ada = await house.signs_in(ADA)
        before = await told(ada, "/portfolios")
        await bring(house, [paid_in(1), *fills(300)], until=2)
        assert await told(ada, "/portfolios") == before
        assert (await ada.get("/portfolios/old days")).status_code == 404
        told_of = [paid_in(1), *fills(90, strategy="grid")]
        done = await bring(house, told_of)
        assert done is not None
        money = decimal_text(sum(map(left_over, told_of), D(0)))
        items = (await told(ada, "/portfolios"))["items"]
        assert [one["name"] for one in items] == ["main", "savings", "old days"]
        assert items[2]["id"] == done.portfolio_uid
        seen = await everything(ada, "old days")
        assert seen == await everything(ada, done.portfolio_uid)
        assert {one["asset"]: one["amount"] for one in seen["portfolio"]["balances"]} == {"BTC": "15", "EUR": money}
        assert seen["portfolio"]["price_source"] == "none"
        assert len(seen["trades"]["items"]) == 90
        assert {one["product_id"] for one in seen["trades"]["items"]} == {"BTC/EUR"}
        assert len(seen["cash"]["items"]) == 271
        assert seen["orders"]["items"] == seen["open"]["items"] == seen["instruments"]["items"] == []
        (held,) = seen["positions"]["items"]
        assert (held["symbol"], held["quantity"], held["strategy"]) == ("BTC/EUR", "15", "grid")
        assert {held[name] for name in ("current_price", "value", "unrealized_pnl", "margin")} == {None}
        assert seen["positions"]["equity"] is None
        summary = seen["summary"]
        assert (summary["currency"], summary["cash"], summary["equity"]) == ("EUR", money, None)
        assert (summary["fees"], summary["total_pnl"], summary["unrealized_pnl"]) == ("4.5", None, None)
        assert summary["realized_pnl"] == seen["pnl by portfolio"]["items"][0]["realized_pnl"]
        assert summary["unknown"] == ["an imported book is a history: nothing of it is priced today"]
        assert [one["strategy"] for one in seen["pnl by strategy"]["items"]] == ["grid"]

    play(tmp_path, story)


def test_what_is_traded_is_told_without_what_was_imported(tmp_path: Path) -> None:
    """A book of another time makes nothing of today unknown."""

    async def story(house: House) -> None:
        ada = await house.signs_in(ADA)
        order = {"symbol": "BTC/USDT", "side": "BUY", "quantity": "0.01", "portfolio": "main"}
        placed = await ada.post("/orders", order)
        assert placed.status_code == 201
        await house.quote()
        unnamed = ("/portfolio", "/positions", "/instruments", "/quotes", "/halts", "/guards", "/bots")
        before = {path: await told(ada, path) for path in unnamed}
        await bring(house, [paid_in(1), *fills(90)])
        assert {path: await told(ada, path) for path in unnamed} == before
        assert before["/portfolio"]["equity"] is not None
        assert len((await told(ada, "/trades", limit=500))["items"]) == 91
        assert len((await told(ada, "/trades", limit=500, symbol="BTC/EUR"))["items"]) == 90
        assert (await told(ada, "/trades", symbol="ETH/EUR"))["items"] == []
        again = await ada.post("/orders", {**order, "quantity": "0.02"})
        assert again.status_code == 201, again.text

    play(tmp_path, story)


def test_nobody_trades_on_an_imported_book(tmp_path: Path) -> None:
    """Every command says so, and writes nothing."""

    async def story(house: House) -> None:
        ada = await house.signs_in(ADA)
        await bring(house, [paid_in(1), *fills(90)])
        (held,) = (await told(ada, "/positions", portfolio="old days"))["items"]
        before = house.everything()
        order = {"symbol": "BTC/EUR", "side": "BUY", "quantity": "0.01", "portfolio": "old days"}
        bot = {"name": "x", "strategy": "hold", "symbol": "BTC/EUR", "params": {}, "portfolio": "old days"}
        asked = (
            ("/orders", order),
            ("/orders/preview", order),
            ("/trades/execute", {"product_id": "BTC/EUR", "side": "BUY", "size_usd": "9", "portfolio": "old days"}),
            ("/bots", bot),
            ("/guards/manual-close", {"position_id": held["position_id"]}),
        )
        for path, body in asked:
            refused = await ada.post(path, body)
            assert (refused.status_code, refused.json()["code"]) == (409, "portfolio_imported"), path
        assert house.everything() == before

    play(tmp_path, story)


def test_an_imported_book_is_its_owners(tmp_path: Path) -> None:
    """To everybody else it is as one that is not there, also to a key that may touch other portfolios only."""

    async def story(house: House) -> None:
        done = await bring(house, [paid_in(1), *fills(90)])
        assert done is not None
        ada, eve = await house.signs_in(ADA), await house.signs_in(EVE)
        limited = await house.key(ADA, Right.READ, portfolios=[ADA.portfolios[0]])
        listed = (await told(ada, "/portfolios"))["items"]
        account = next(one["account"] for one in listed if one["id"] == done.portfolio_uid)
        for client in (eve, limited):
            assert done.portfolio_uid not in {one["id"] for one in (await told(client, "/portfolios"))["items"]}
            assert all(one["product_id"] != "BTC/EUR" for one in (await told(client, "/trades", limit=500))["items"])
            for path, params in (
                (f"/portfolios/{done.portfolio_uid}", {}),
                ("/portfolio", {"portfolio": done.portfolio_uid}),
                ("/positions", {"portfolio": done.portfolio_uid}),
                ("/trades", {"portfolio": done.portfolio_uid}),
                ("/pnl", {"portfolio": done.portfolio_uid, "from": "2022-01-01", "to": "2022-12-31"}),
                ("/audit", {"account": account}),
            ):
                refused = await client.get(path, **params)
                unnamed = {key: "none" if key in ("portfolio", "account") else said for key, said in params.items()}
                none = await client.get(path.replace(done.portfolio_uid, "none"), **unnamed)
                assert (refused.status_code, none.status_code) == (404, 404), path
                assert {**refused.json(), "request_id": ""} == {**none.json(), "request_id": ""}
        own = await house.key(ADA, Right.READ, portfolios=[house.books.hot.get(("portfolio", done.portfolio_id))])
        assert [one["id"] for one in (await told(own, "/portfolios"))["items"]] == [done.portfolio_uid]
        assert len((await told(own, "/trades", limit=500))["items"]) == 90

    play(tmp_path, story)


def test_the_next_making_is_shown_under_the_same_id(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        ada = await house.signs_in(ADA)
        first = await bring(house, fills(30))
        second = await bring(house, fills(30), fills(30, first=31, symbol="ETH/EUR"))
        assert first is not None
        assert second is not None
        assert first.portfolio_uid == second.portfolio_uid
        names = [one["name"] for one in (await told(ada, "/portfolios"))["items"]]
        assert names == ["main", "savings", "old days"]
        assert len((await told(ada, "/trades", portfolio=first.portfolio_uid, limit=500))["items"]) == 60
        assert len((await told(ada, "/trades", limit=500, symbol="ETH/EUR"))["items"]) == 30
        # What was imported is told by the log and as an event, and each row names its account.
        assert {one["entity"] for one in (await told(ada, "/audit", limit=500))["items"]} >= {"ACCOUNT"}
        kinds = {one["kind"] for one in (await told(ada, "/events", limit=500))["items"]}
        assert "BOOK_IMPORTED" in kinds
        gone = await bring(house)
        assert gone is not None
        assert not gone.portfolio_uid
        assert len((await told(ada, "/portfolios"))["items"]) == 2

    play(tmp_path, story)


def test_a_desk_that_starts_again_shows_the_same(tmp_path: Path) -> None:
    """Everything of it is read where it lies; memory is filled from there."""

    async def story(house: House) -> None:
        ada = await house.signs_in(ADA)
        await bring(house, [paid_in(1), *fills(90, strategy="grid")])
        before = await everything(ada, "old days")
        # A new application over memory that was read back, as after a start.
        house._scribe._read_back()
        house.app = make_app(house.desk, ids=house.ids)
        assert await everything(await house.signs_in(ADA), "old days") == before

    play(tmp_path, story, more=(another_account_of(ADA, 3),))


# What nobody knows, and what all of it came to ------------------------------------------------------------------------

COINS = Told((1,), CashKind.DEPOSIT, NOON, "d1", symbol=BTC.symbol, asset=BTC.base, amount=D(2), venue=BTC.venue)


def test_coins_of_unknown_cost_have_no_price_and_make_no_profit(tmp_path: Path) -> None:
    """Neither their price nor their profit is 0; what a sale of them brought is said in words."""

    async def story(house: House) -> None:
        ada = await house.signs_in(ADA)
        sold = replace(fills(1)[0], side=Side.SELL, quantity=D(1), price=D(1000), fee=D(0))
        await bring(house, [COINS, sold])
        (held,) = (await told(ada, "/positions", portfolio="old days"))["items"]
        assert (held["quantity"], held["entry_price"], held["realized_pnl"]) == ("1", None, "0")
        summary = await told(ada, "/portfolio", portfolio="old days")
        (shown,) = summary["positions"]
        assert (shown["average_cost_basis"], shown["usd_invested"]) == (None, None)
        sentence = "1000 EUR (over all time) is for coins whose cost nobody knows: no profit, no loss."
        assert summary["unknown"] == ["an imported book is a history: nothing of it is priced today", sentence]
        report = await told(ada, "/reports/pnl", by="instrument", portfolio="old days", year=2022)
        assert [(one["price"], one["net"]) for one in report["items"]] == [("0", "0")]
        assert report["unknown_proceeds"] == [{"asset": "EUR", "amount": "1000"}]
        assert (await told(ada, "/reports/pnl", portfolio="main"))["unknown_proceeds"] == []
        tax = await told(ada, "/reports/tax", portfolio="old days", year=2022)
        assert [(one["quantity"], one["unknown_quantity"], one["cost"]) for one in tax["open_lots"]] == [
            ("1", "1", None)
        ]
        written = await ada.get("/reports/tax", portfolio="old days", year=2022, format="csv", only="open")
        assert written.text.splitlines()[1].endswith(",1,1,unknown,EUR,1")

    play(tmp_path, story)


def test_all_that_was_earned_is_the_net_of_the_report(tmp_path: Path) -> None:
    """Funding and interest are in it, as they are there; an asset of its own makes it unknown."""

    async def story(house: House) -> None:
        ada = await house.signs_in(ADA)
        bought, sold = fills(2)
        trip = [replace(bought, price=D(100)), replace(sold, side=Side.SELL, price=D(130))]
        interest = Told((9,), CashKind.INTEREST, NOON, "i1", asset="EUR", amount=D(-40))
        dividend = Told((10,), CashKind.DIVIDEND, NOON, "v1", symbol=BTC.symbol, asset="EUR", amount=D(7))
        for name, more in (("flat", []), ("flat again", [replace(interest, asset="BTC")])):
            await bring(house, [paid_in(1), *trip, interest, dividend, *more], name=name)
        summary = await told(ada, "/portfolio", portfolio="flat")
        assert (summary["realized_pnl"], summary["fees"], summary["total_pnl"]) == ("15", "0.1", "-18.1")
        span = {"from": "1970-01-01", "to": "2199-12-31"}
        (total,) = (await told(ada, "/reports/pnl", by="portfolio", portfolio="flat", **span))["totals"]
        assert (total["asset"], total["net"]) == ("EUR", summary["total_pnl"])
        other = await told(ada, "/portfolio", portfolio="flat again")
        assert (other["total_pnl"], other["unknown"][1]) == (None, "not all of it is in EUR")

    play(tmp_path, story)
