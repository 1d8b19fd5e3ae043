"""The book against the venue over HTTP: how it stands, the log, the work-list, what only the venue has."""

from pathlib import Path
from typing import Any

from plimsoll.desk.keep_catalogue import bring_catalogue
from plimsoll.model.cash import SPOT
from plimsoll.people.actor import Right
from plimsoll.venues.catalogue import CATALOGUE
from tests.builders.desk import D
from tests.edges.house import ADA, EVE, Client, House, Tenant, another_account_of, play, tenant
from tests.edges.test_api_matrix import BROKER, leave_at_venue

PLACE = f"/reconciliation/{ADA.account.uid}"
AGAIN = another_account_of(ADA, 3)
BOB = tenant(4, "Bob", "trader")
#: NAMES.md, to the letter.
FIELDS = {
    "status",
    "last_sync_at",
    "total_syncs",
    "last_sync_duration_ms",
    "open_positions_count",
    "matched_positions",
    "divergences_detected",
    "recent_events",
}


async def gift(house: House, who: Tenant = ADA) -> None:
    """Money at the venue that the book knows nothing of."""
    await house.venues[who.account.id].deposit(who.account.id, "USDT", D(5), reference="gift", pocket=SPOT)


async def synced(client: Client, place: str = PLACE) -> dict[str, Any]:
    told = await client.post(f"{place}/sync")
    assert told.status_code == 200, told.text
    answer: dict[str, Any] = told.json()
    return answer


def test_the_state_has_the_fields_that_were_promised(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        ada = await house.signs_in()
        before = (await ada.get(PLACE)).json()
        assert set(before) == FIELDS
        assert (before["status"], before["total_syncs"], before["open_positions_count"]) == ("EQUAL", 1, 0)
        await ada.post("/orders", {"symbol": "BTC/USDT", "side": "BUY", "quantity": "0.1", "portfolio": "main"})
        told = await synced(ada)
        assert (told["status"], told["total_syncs"], told["divergences_detected"]) == ("EQUAL", 2, 0)
        assert (told["open_positions_count"], told["matched_positions"]) == (1, 1)
        assert told["last_sync_at"] is not None
        assert (await ada.get("/system/health")).json()["open_breaks"] == 0

    play(tmp_path, story)


def test_a_difference_is_on_the_work_list_until_a_person_or_the_venue_ends_it(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        ada = await house.signs_in()
        await gift(house)
        told = await synced(ada)
        assert (told["status"], told["divergences_detected"]) == ("DIFFERENT", 1)
        assert (await ada.get("/system/health")).json()["open_breaks"] == 1
        (row,) = (await ada.get(f"{PLACE}/breaks")).json()["items"]
        assert (row["kind"], row["subject"], row["status"]) == ("balance", "spot:USDT", "OPEN")
        assert row["sentence"] == "USDT in spot: the book has 100000, the venue 100005."
        resolved = await ada.post(f"{PLACE}/breaks/{row['id']}/resolve", {"resolution": "a gift"})
        assert (resolved.status_code, resolved.json()["status"]) == (200, "RESOLVED")
        assert (resolved.json()["resolved_by"], resolved.json()["resolution"]) == ("user:1", "a gift")
        assert (await ada.get(f"{PLACE}/breaks")).json()["items"] == []
        again = await ada.post(f"{PLACE}/breaks/{row['id']}/resolve", {"resolution": "once more"})
        assert again.status_code == 404, "it is not open any more"
        await synced(ada)
        everything = (await ada.get(f"{PLACE}/breaks", open_only="false")).json()["items"]
        assert [(one["id"], one["status"]) for one in everything] == [
            (f"{ADA.account.uid}.2", "OPEN"), (f"{ADA.account.uid}.1", "RESOLVED")
        ]  # fmt: skip
        log = (await ada.get(f"{PLACE}/log")).json()["items"]
        assert log[0]["outcome"] == "DIFFERENT"
        assert log[0]["differences"] == [row["sentence"]]
        assert (await ada.get(PLACE)).json()["recent_events"] == log

    play(tmp_path, story)


def test_what_is_no_resolution_is_refused_and_nothing_changes(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        ada = await house.signs_in()
        await gift(house)
        await synced(ada)
        for wrong in ({}, {"resolution": ""}, {"resolution": "a\nb"}, {"resolution": "x", "status": "GONE"}):
            told = await ada.post(f"{PLACE}/breaks/{ADA.account.uid}.1/resolve", wrong)
            assert (told.status_code, told.json()["code"]) == (422, "validation")
        reader = await house.key(ADA, Right.READ)
        assert (
            await reader.post(f"{PLACE}/breaks/{ADA.account.uid}.1/resolve", {"resolution": "x"})
        ).status_code == 403
        assert (await ada.get(f"{PLACE}/breaks")).json()["items"][0]["status"] == "OPEN"

    play(tmp_path, story)


def test_anothers_breaks_and_orders_are_nobodys(tmp_path: Path) -> None:
    """Eve has a break and an order of the same numbers: neither is reached through Ada's account, nor hers by Ada."""

    async def story(house: House) -> None:
        ada, eve = await house.signs_in(ADA), await house.signs_in(EVE)
        await gift(house, ADA)
        await synced(ada)
        for path in ("", "/log", "/breaks", "/external-orders"):
            assert (await eve.get(PLACE + path)).status_code == 404
        assert (await eve.get(f"/accounts/{ADA.account.uid}/sync-log")).status_code == 404
        assert (await eve.get(f"/reconciliation/{ADA.user.uid}")).status_code == 404
        for of, number in ((ADA, "1"), (EVE, "1"), (EVE, "x"), (EVE, "01")):
            one = f"{of.account.uid}.{number}"
            for path, body in (
                (f"/breaks/{one}/resolve", {"resolution": "mine"}),
                (f"/external-orders/{one}", {"status": "IGNORED"}),
            ):
                assert (await eve.post(PLACE + path, body)).status_code == 404
                assert (await eve.post(f"/reconciliation/{EVE.account.uid}{path}", body)).status_code == 404
        assert (await eve.post(f"{PLACE}/sync")).status_code == 404
        assert (await eve.get("/system/health")).json()["open_breaks"] == 0
        assert (await ada.get(f"{PLACE}/breaks")).json()["items"][0]["status"] == "OPEN"

    play(tmp_path, story)


def test_an_order_that_only_the_venue_has_is_shown_until_a_person_says_what_it_is(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        ada = await house.signs_in()
        await leave_at_venue(house, ADA)
        assert (await synced(ada))["divergences_detected"] == 1
        (row,) = (await ada.get(f"{PLACE}/external-orders")).json()["items"]
        assert (row["symbol"], row["side"], row["ours"], row["status"]) == ("BTC/USDT", "BUY", False, "OPEN")
        assert (await ada.post(f"{PLACE}/external-orders/{ADA.account.uid}.1", {"status": "OPEN"})).status_code == 422
        settled = await ada.post(f"{PLACE}/external-orders/{row['id']}", {"status": "ASSIGNED"})
        assert settled.json()["status"] == "ASSIGNED"
        assert (await synced(ada))["status"] == "EQUAL"

    play(tmp_path, story)


def test_attempts_are_listed_with_their_cause(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        ada = await house.signs_in()
        await synced(ada)
        await synced(ada)
        rows = (await ada.get(f"/accounts/{ADA.account.uid}/sync-log", limit=1)).json()
        assert [(row["cause"], row["outcome"], row["error"]) for row in rows["items"]] == [("MANUAL", "OK", None)]
        more = await ada.get(f"/accounts/{ADA.account.uid}/sync-log", cursor=rows["next"])
        assert [row["cause"] for row in more.json()["items"]] == ["MANUAL", "START"]

    play(tmp_path, story)


def test_with_ones_own_user_id_it_is_all_of_ones_accounts(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        ada = await house.signs_in()
        await gift(house, AGAIN)
        told = await synced(ada, f"/reconciliation/{ADA.user.uid}")
        assert (told["status"], told["total_syncs"], told["divergences_detected"]) == ("DIFFERENT", 4, 1)
        assert {row["account"] for row in told["recent_events"]} == {ADA.account.uid, AGAIN.account.uid}
        assert (await ada.get(PLACE)).json()["status"] == "EQUAL"

    play(tmp_path, story, more=(AGAIN,))


# Brokers --------------------------------------------------------------------------------------------------------------


def test_the_catalogue_is_everybodys_to_read_and_an_admins_to_keep(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        await bring_catalogue(house.books, CATALOGUE, house.clock)
        admin, other = await house.signs_in(ADA), await house.signs_in(BOB)
        listed = (await other.get("/brokers")).json()["items"]
        assert [row["slug"] for row in listed] == [broker.slug for broker in CATALOGUE]
        assert listed[1]["taker_fee_ratio"] == "0.001"
        assert listed[6]["taker_fee_ratio"] is None
        assert {field["name"] for field in listed[1]["credential_fields"]} == {"api_key", "api_secret"}
        assert (await other.post("/brokers", {"slug": "own", **BROKER})).status_code == 403
        made = await admin.post("/brokers", {"slug": "own", **BROKER})
        assert (made.status_code, made.json()["version"]) == (201, 1)
        taken = await admin.post("/brokers", {"slug": "own", **BROKER})
        assert (taken.status_code, taken.json()["code"]) == (409, "broker_exists")
        changed = await admin.post("/brokers/own", {**BROKER, "name": "Ours"})
        assert (changed.json()["name"], changed.json()["version"]) == ("Ours", 2)
        used = await admin.delete("/brokers/paper")
        assert (used.status_code, used.json()["code"]) == (409, "broker_in_use")
        assert (await admin.delete("/brokers/own")).status_code == 204
        assert len((await admin.get("/brokers")).json()["items"]) == len(CATALOGUE)
        gone = await admin.delete("/brokers/own")
        assert gone.status_code == 404

    play(tmp_path, story, more=(BOB,))


def test_a_definition_that_cannot_be_is_refused_with_its_field(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        admin = await house.signs_in(ADA)
        field = {"name": "key", "label": "Key"}
        for wrong in (
            {"slug": "Own"},
            {"leverage_max": "0.5"},
            {"leverage_max": 1.5},
            {"taker_fee_ratio": "1"},
            {"credential_fields": [{**field, "regex": "("}]},
            {"credential_fields": [field, field]},
            {"markets": ["STAMPS"]},
            {"secret": "x"},
        ):
            told = await admin.post("/brokers", {"slug": "own", **BROKER, **wrong})
            assert told.status_code == 422, told.text
        assert (await admin.get("/brokers")).json()["items"] == []

    play(tmp_path, story)
