"""Stop, flatten, close, lift over HTTP: what is in force, what became of it, and who may open again."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from plimsoll.ledger import accounts, guarding
from plimsoll.ledger.log import Note, write_note
from plimsoll.model.account import Halt, Scope, TradingState
from plimsoll.model.errors import TryAgain
from plimsoll.risk.guards.drawdown import Episode, GuardStatus
from plimsoll.store.draft import Draft
from tests.builders.desk import FaultyVenue
from tests.edges.house import ADA, EVE, House, another_account_of, play

BUY = {"symbol": "BTC/USDT", "side": "BUY", "quantity": "0.1", "portfolio": "main"}
RESTING = {**BUY, "type": "LIMIT", "price": "49000", "allow_repeat": True}
AGAIN = another_account_of(ADA, 3)


def test_a_halt_stops_opening_and_a_person_lifts_it(tmp_path: Path) -> None:
    """In force at once, listed with who set it, never loosened by another halt; a key stops and does not start."""

    async def story(house: House) -> None:
        ada, key = await house.signs_in(), await house.key()
        stopped = (await key.post("/halts", {"reason": "news"})).json()
        assert (stopped["state"], stopped["cancelled"], stopped["failures"]) == ("REDUCE_ONLY", [], [])
        halts = (await ada.get("/halts")).json()
        assert [(row["source"], row["state"], row["reason"], row["latched"]) for row in halts["items"]] == [
            ("manual", "REDUCE_ONLY", "news", True)
        ]
        assert halts["items"][0]["account"] == ADA.account.uid
        refused = await ada.post("/orders", BUY)
        assert [reason["number"] for reason in refused.json()["reasons"]] == [1]
        await ada.post("/halts", {"state": "CANCEL_ONLY"})
        looser = await ada.post("/halts", {"state": "REDUCE_ONLY"})
        assert (looser.status_code, looser.json()["code"]) == (409, "stricter_in_force")
        assert (await ada.get("/halts")).json()["state"] == "CANCEL_ONLY"
        assert (await key.post("/halts/lift")).json()["code"] == "session_needed"
        assert (await ada.post("/halts/lift")).json() == {"state": "ACTIVE", "items": []}
        assert (await ada.post("/orders", BUY)).status_code == 201
        nothing = await ada.post("/halts/lift")
        assert (nothing.status_code, nothing.json()["code"]) == (409, "no_such_halt")

    play(tmp_path, story)


def test_halted_takes_back_what_waits(tmp_path: Path) -> None:
    """The answer names each order that was cancelled, and says what could not be."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        placed = (await ada.post("/orders", RESTING)).json()["order"]
        stopped = (await ada.post("/halts", {"state": "HALTED"})).json()
        assert (stopped["state"], stopped["cancelled"]) == ("HALTED", [placed["client_order_id"]])
        await ada.post("/halts/lift")
        await ada.post("/orders", RESTING)
        ports = house.served[ADA.account.id].ports
        line = FaultyVenue(house.venues[ADA.account.id])
        line.cancel_fails = TryAgain("the venue does not answer")
        ports.venue = line
        failed = (await ada.post("/halts", {"state": "HALTED"})).json()
        assert (failed["state"], failed["cancelled"]) == ("HALTED", [])
        assert any("does not answer" in failure for failure in failed["failures"])
        cancel = await ada.delete(f"/orders/{(await ada.get('/orders')).json()['items'][0]['id']}")
        assert (cancel.status_code, cancel.json()["code"]) == (503, "try_again")

    play(tmp_path, story)


def test_a_halt_that_cannot_be_written_holds_in_memory(tmp_path: Path) -> None:
    """The disk is full: the state is in force all the same, and both the answer and the list say where."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        house.books.writes_left = 0
        stopped = (await ada.post("/halts")).json()
        house.books.writes_left = None
        assert stopped["state"] == "REDUCE_ONLY"
        assert any("in memory only" in failure for failure in stopped["failures"])
        assert [row["source"] for row in stopped["items"]] == ["memory"]
        assert (await ada.post("/orders", BUY)).json()["code"] == "order_refused"
        assert (await ada.post("/halts/lift")).json()["state"] == "ACTIVE"

    play(tmp_path, story)


def test_flatten_closes_everything_and_says_what_became_of_it(tmp_path: Path) -> None:
    """Cancelled, closed, verified flat; each position with what it brought, and the halt stays."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        await ada.post("/orders", BUY)
        await ada.post("/orders", {**BUY, "symbol": "BTC/USDT:USDT", "side": "SELL"})
        await ada.post("/orders", RESTING)
        await house.quote("51000")
        told = (await ada.post("/halts/flatten", {"reason": "enough"})).json()
        assert (told["flat"], told["failures"]) == (True, [])
        rows = {row["symbol"]: row for row in told["positions"]}
        assert {row["outcome"] for row in rows.values()} == {"FLAT"}
        assert (rows["BTC/USDT"]["realized_pnl"], rows["BTC/USDT:USDT"]["realized_pnl"]) == ("100", "-100")
        assert (await ada.get("/positions")).json()["items"] == []
        assert (await ada.get("/orders")).json()["items"] == []
        assert (await ada.get("/halts")).json()["state"] == "REDUCE_ONLY"
        again = (await ada.post("/halts/flatten")).json()
        assert again == {"flat": True, "positions": [], "failures": []}

    play(tmp_path, story)


def test_one_position_is_closed_by_hand(tmp_path: Path) -> None:
    """With what it brought; the others stay; again is harmless; an id that is none is missing."""

    async def story(house: House) -> None:
        ada, key = await house.signs_in(), await house.key()
        await ada.post("/orders", BUY)
        await ada.post("/orders", {**BUY, "symbol": "BTC/USDT:USDT"})
        spot, perpetual = (await ada.get("/positions")).json()["items"]
        await house.quote("49000")
        closed = (await key.post("/guards/manual-close", {"position_id": spot["position_id"], "reason": "x"})).json()
        assert (closed["outcome"], closed["quantity_left"], closed["realized_pnl"]) == ("FLAT", "0", "-100")
        order = (await ada.get(f"/orders/{closed['order']}")).json()
        assert (order["triggered_by"], order["side"], order["state"]) == ("api", "SELL", "FILLED")
        assert [row["symbol"] for row in (await ada.get("/positions")).json()["items"]] == ["BTC/USDT:USDT"]
        again = (await ada.post("/guards/manual-close", {"position_id": spot["position_id"]})).json()
        assert (again["outcome"], again["order"], again["realized_pnl"]) == ("FLAT", None, "0")
        for wrong in (
            "",
            "x",
            perpetual["position_id"] + "x",
            perpetual["position_id"].replace(".12.", ".012."),
            "a.1.0.",
        ):
            assert (await ada.post("/guards/manual-close", {"position_id": wrong})).status_code == 404, wrong
        unused = f"{ADA.portfolios[0].uid}.11.7."
        assert (await ada.post("/guards/manual-close", {"position_id": unused})).status_code == 404

    play(tmp_path, story)


def test_a_close_that_the_venue_refuses_is_said_to_be_one(tmp_path: Path) -> None:
    """The position is still there, and the answer says how much of it."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        await ada.post("/orders", BUY)
        position = (await ada.get("/positions")).json()["items"][0]["position_id"]
        house.clock.move(60)  # no price in time: the close is sent all the same
        closed = (await ada.post("/guards/manual-close", {"position_id": position})).json()
        assert closed["outcome"] in ("FLAT", "SENT")

    play(tmp_path, story)


def test_the_guard_is_told_as_it_stands(tmp_path: Path) -> None:
    """Warned, counting down with the seconds left, latched and lifted; what it did stays in its history."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        await ada.post("/orders", {**BUY, "symbol": "BTC/USDT:USDT", "quantity": "7"})
        guard = (await ada.get("/guards")).json()["items"][0]
        assert (guard["status"], guard["drawdown"], guard["countdown"]) == ("CALM", "0", None)
        for _ in range(2):
            house.clock.move(2)
            await house.quote("46800")
            await house.sees()
        told = (await ada.get("/guards")).json()
        guard = told["items"][0]
        assert (guard["status"], guard["line"]) == ("COUNTDOWN", "critical")
        assert guard["countdown"]["seconds_left"] == 10
        assert (guard["equity"], guard["peak_equity"], guard["drawdown"]) == ("77600", "100000", "0.224")
        assert told["history"][0]["status"] == "COUNTDOWN"
        house.clock.move(4)
        assert (await ada.get("/guards")).json()["items"][0]["countdown"]["seconds_left"] == 6
        house.clock.move(7)
        await house.quote("46800")
        await house.sees()
        await house.served[ADA.account.id].ports.settled()
        await house.sees()
        guard = (await ada.get("/guards")).json()["items"][0]
        assert (guard["status"], guard["closed_count"], guard["loss"]) == ("LATCHED", 1, "0")
        assert (await ada.get("/positions")).json()["items"] == []
        halts = (await ada.get("/halts")).json()
        assert {row["source"] for row in halts["items"]} == {"guard:drawdown"}
        wrong = await ada.post("/halts/lift")
        assert wrong.status_code == 409
        lifted = await ada.post("/halts/lift", {"source": "guard:drawdown"})
        assert lifted.json()["state"] == "ACTIVE"
        assert (await ada.get("/guards")).json()["items"][0]["status"] == "CALM"
        assert (await ada.post("/halts/lift", {"source": "guard:drawdown"})).json()["code"] == "guard_not_shut"
        past = (await ada.get("/guards")).json()["history"]
        assert [(row["episode"], row["closed_count"]) for row in past] == [(1, 1)]
        eve = await house.signs_in(EVE)
        assert (await eve.get("/guards")).json()["history"] == []

    play(tmp_path, story)


def test_a_guard_that_sees_nothing_is_not_calm(tmp_path: Path) -> None:
    """BLIND and why, and no figure of an earlier look; a guard that was never calm stays what it is."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        await ada.post("/orders", BUY)
        house.clock.move(60)
        await house.sees()
        guard = (await ada.get("/guards")).json()["items"][0]
        assert guard["status"] == "BLIND"
        assert "no price in time" in guard["blind"]
        assert (guard["drawdown"], guard["equity"], guard["peak_equity"]) == (None, None, None)
        assert guard["last_check_at"] is not None
        health = (await ada.get("/system/health")).json()
        assert health["status"] == "degraded"
        assert any("cannot be valued" in reason for reason in health["reasons"])
        eve = await house.signs_in(EVE)
        assert (await eve.get("/system/health")).json()["reasons"] == ["an account is in doubt"]

        def warned(draft: Draft) -> None:
            now = house.clock.now()
            episode = Episode(1, GuardStatus.WARNED, "warning", now, now)
            guarding.write_episode(draft, ADA.account.id, guarding.DRAWDOWN, episode, Decimal(guard["warn_at"]))
            write_note(draft, Note(ADA.account.id, "guard:drawdown", "UPDATE", "GUARD", "1", now, {}))

        await house.books.write(warned)
        assert (await ada.get("/guards")).json()["items"][0]["status"] == "WARNED"

    play(tmp_path, story)


def test_halts_over_all_accounts_of_a_person(tmp_path: Path) -> None:
    """Without a name all of his accounts stop, and none of another's; one that refuses does not keep the others."""

    async def story(house: House) -> None:
        ada, eve = await house.signs_in(), await house.signs_in(EVE)
        assert (await ada.post("/halts", {"state": "CANCEL_ONLY", "account": AGAIN.account.uid})).status_code == 200
        both = (await ada.post("/halts")).json()
        assert {row["account"]: row["state"] for row in both["items"]} == {
            ADA.account.uid: "REDUCE_ONLY",
            AGAIN.account.uid: "CANCEL_ONLY",
        }
        assert any("stricter_in_force" in failure for failure in both["failures"])
        assert (await eve.get("/halts")).json()["items"] == []
        assert (await ada.post("/halts/lift", {"account": ADA.account.uid})).json()["state"] == "CANCEL_ONLY"
        assert (await ada.post("/halts/lift")).json()["state"] == "ACTIVE"

    play(tmp_path, story, more=[AGAIN])


def test_a_halt_of_the_desk_is_nobodys_account(tmp_path: Path) -> None:
    """It binds everybody and names no account."""

    async def story(house: House) -> None:
        halt = Halt(Scope.DESK, 0, "parity", TradingState.HALTED, "something left that nobody approved", latched=True)
        now = house.clock.now() + timedelta(0)

        def unit(draft: Draft) -> None:
            accounts.write_halt(draft, halt, now)
            write_note(draft, Note(ADA.account.id, "gate", "UPDATE", "HALT", "DESK:0", now, {}))

        await house.books.write(unit)
        for who in (ADA, EVE):
            rows = (await (await house.signs_in(who)).get("/halts")).json()
            assert [(row["scope_type"], row["account"], row["state"]) for row in rows["items"]] == [
                ("DESK", None, "HALTED")
            ]
        ada = await house.signs_in()
        assert (await ada.post("/halts/lift", {"source": "parity"})).json()["state"] == "ACTIVE"

    play(tmp_path, story)
