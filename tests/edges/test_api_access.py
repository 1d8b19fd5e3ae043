"""The door of every route: who comes in, from where, with what, and what is said to those who do not."""

from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import Request

from plimsoll.edges.api.access import Visitor
from plimsoll.edges.api.problems import Refused
from plimsoll.edges.api.routes.auth import signed_in
from plimsoll.ledger import accounts
from plimsoll.people.actor import Right
from tests.edges.house import ADA, API, EVE, PASSWORD, House, play

HOSTS = ["evil.example", "127.0.0.1.evil.example", "", "[::2]", "localhost.", "2130706433"]


def test_a_link_leads_in_and_the_cookie_keeps_one_there(tmp_path: Path) -> None:
    """The session is in a cookie that no script reads and no other site sends; the answer says who came in."""

    async def story(house: House) -> None:
        guest = house.browser()
        link = await house.people.new_link(ADA.user.id, "cli")
        came_in = await guest.post("/auth/link", {"token": link, "password": PASSWORD})
        assert came_in.json()["name"] == "Ada"
        cookie = came_in.headers["set-cookie"]
        assert cookie.startswith("plimsoll=")
        assert {part.strip().lower() for part in cookie.split(";")[1:]} == {"httponly", "path=/", "samesite=strict"}
        assert "plimsoll" not in came_in.text
        assert (await guest.get("/auth/me")).json()["via"] == "session"
        again = await house.browser().post("/auth/link", {"token": link, "password": PASSWORD})
        assert (again.status_code, again.json()["code"]) == (401, "link_invalid")

    play(tmp_path, story)


def test_over_tls_the_cookie_is_bound_to_the_host(tmp_path: Path) -> None:
    """`__Host-` and Secure; the name that plain http uses opens nothing there, and the browser is told to stay."""

    async def story(house: House) -> None:
        safe = await house.signs_in(ADA, "https://127.0.0.1")
        assert "__Host-plimsoll" in dict(safe.http.cookies)
        told = await safe.get("/auth/me")
        assert told.status_code == 200
        assert told.headers["strict-transport-security"].startswith("max-age=")
        token = safe.http.cookies["__Host-plimsoll"]
        other = house.browser("https://127.0.0.1")
        other.http.cookies.set("plimsoll", token)
        assert (await other.get("/auth/me")).status_code == 401
        plain = house.browser()
        assert "strict-transport-security" not in (await plain.get("/auth/me")).headers

    play(tmp_path, story)


def test_who_leaves_is_out(tmp_path: Path) -> None:
    """The session ends with the answer, here and for whoever had copied its token; the cookie is taken back."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        token = ada.http.cookies["plimsoll"]
        left = await ada.post("/auth/sign-out")
        assert left.status_code == 204
        assert "max-age=0" in left.headers["set-cookie"].lower()
        thief = house.browser()
        thief.http.cookies.set("plimsoll", token)
        assert (await thief.get("/auth/me")).status_code == 401

    play(tmp_path, story)


def test_a_password_is_asked_for_and_changed(tmp_path: Path) -> None:
    """A wrong one answers like an unknown name; a new one ends the other sessions; a weak one is refused with why."""

    async def story(house: House) -> None:
        ada, elsewhere = await house.signs_in(), await house.signs_in()
        wrong = await house.browser().post("/auth/sign-in", {"name": "Ada", "password": "not this one at all"})
        unknown = await house.browser().post("/auth/sign-in", {"name": "Nobody", "password": "not this one at all"})
        assert wrong.status_code == unknown.status_code == 401
        assert wrong.json()["code"] == unknown.json()["code"] == "sign_in_failed"
        weak = await ada.post("/auth/password", {"current": PASSWORD, "new": "short"})
        assert weak.status_code == 422
        assert weak.json()["reasons"][0]["code"].startswith("password_")
        new = "a whole other sentence"
        assert (await ada.post("/auth/password", {"current": PASSWORD, "new": new})).status_code == 204
        assert (await ada.get("/auth/me")).status_code == 200
        assert (await elsewhere.get("/auth/me")).status_code == 401
        assert (await house.browser().post("/auth/sign-in", {"name": "Ada", "password": new})).status_code == 200

    play(tmp_path, story)


def test_who_guesses_has_to_wait(tmp_path: Path) -> None:
    """After five failures 429 with the time to wait; what is said never repeats a password."""

    async def story(house: House) -> None:
        guess = {"name": "Ada", "password": "a guess that is wrong"}
        codes = [(await house.browser().post("/auth/sign-in", guess)).status_code for _ in range(6)]
        assert codes[:5] == [401] * 5
        told = await house.browser().post("/auth/sign-in", guess)
        assert (told.status_code, told.json()["code"]) == (429, "too_many")
        assert int(told.headers["retry-after"]) > 0
        broken = await house.browser().post("/auth/sign-in", {"name": "Ada", "password": ["a guess that is wrong"]})
        assert broken.status_code == 422
        assert "guess" not in broken.text

    play(tmp_path, story)


def test_keys_are_made_shown_once_listed_and_ended(tmp_path: Path) -> None:
    """The secret is in one answer; the list has its beginning; an ended key is nobody's at once."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        wish = {"name": "bench", "rights": ["read"], "days": 7, "portfolios": ["savings"]}
        made = (await ada.post("/keys", wish)).json()
        key = house.browser()
        key.headers = {"authorization": f"bearer {made['secret']}"}
        assert (await key.get("/auth/me")).json()["rights"] == ["read"]
        assert [row["name"] for row in (await key.get("/portfolios")).json()["items"]] == ["savings"]
        listed = (await ada.get("/keys")).json()["items"]
        assert [row["id"] for row in listed] == [made["id"]]
        assert listed[0]["portfolios"] == [ADA.portfolios[1].uid]
        assert made["secret"].startswith(listed[0]["prefix"])
        assert made["secret"] not in (await ada.get("/keys")).text
        assert (await ada.delete(f"/keys/{made['id']}")).status_code == 204
        assert (await key.get("/auth/me")).status_code == 401
        assert (await ada.delete(f"/keys/{made['id']}")).status_code == 404
        everything = (await ada.post("/keys", {"name": "all", "rights": ["read"]})).json()
        assert (everything["portfolios"], everything["rights"]) == (None, ["read"])
        too_long = await ada.post("/keys", {"name": "long", "rights": ["read"], "days": 91})
        assert (too_long.status_code, too_long.json()["code"]) == (422, "validation")

    play(tmp_path, story)


def test_a_key_ends_itself_and_no_other(tmp_path: Path) -> None:
    """A key without the right to keep keys may give itself up, and finds no other to end."""

    async def story(house: House) -> None:
        key, other = await house.key(ADA, Right.READ), await house.key(ADA, Right.READ, Right.TRADE)
        (own,) = [row["id"] for row in (await key.get("/keys")).json()["items"]]
        (its,) = [
            row["id"] for row in (await (await house.signs_in()).get("/keys")).json()["items"] if row["id"] != own
        ]
        assert (await key.delete(f"/keys/{its}")).status_code == 403
        assert (await key.delete(f"/keys/{own}")).status_code == 204
        assert (await key.get("/keys")).status_code == 401
        assert (await other.get("/auth/me")).status_code == 200

    play(tmp_path, story)


def test_a_key_for_some_portfolios_keeps_no_others(tmp_path: Path) -> None:
    """Whatever its rights: it sees itself, ends itself, and neither makes a key nor ends one that reaches further."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        narrow, wide = await house.key(ADA, *Right, portfolios=[ADA.portfolios[1]]), await house.key(ADA, *Right)
        assert len((await wide.get("/keys")).json()["items"]) == 2
        assert len((await ada.get("/keys")).json()["items"]) == 2
        (own,) = (await narrow.get("/keys")).json()["items"]
        assert own["portfolios"] == [ADA.portfolios[1].uid]
        (other,) = [row["id"] for row in (await ada.get("/keys")).json()["items"] if row["id"] != own["id"]]
        before = house.everything()
        for refused in (
            await narrow.delete(f"/keys/{other}"),
            await narrow.delete("/keys/of-nobody"),
            await narrow.post("/keys", {"name": "more", "rights": ["read"], "days": 1, "portfolios": ["savings"]}),
        ):
            assert (refused.status_code, refused.json()["code"]) == (403, "key_narrowed")
        assert house.everything() == before
        assert (await wide.get("/auth/me")).status_code == 200
        assert (await narrow.delete(f"/keys/{own['id']}")).status_code == 204
        assert (await narrow.get("/auth/me")).status_code == 401
        assert (await wide.delete(f"/keys/{other}")).status_code == 204

    play(tmp_path, story)


def test_a_wrong_key_is_not_made_good_by_a_cookie(tmp_path: Path) -> None:
    """Whoever shows a key is asked about that key alone."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        ada.headers["authorization"] = "Bearer plim_of-somebody-else"
        assert (await ada.get("/auth/me")).status_code == 401

    play(tmp_path, story)


def test_who_waits_for_approval_sees_that_and_may_leave(tmp_path: Path) -> None:
    """No right, no data; `auth/me` says so, and signing out works."""

    async def story(house: House) -> None:
        eve = await house.signs_in(EVE)
        waiting = replace(EVE.user, approved=False)
        await house.books.write(lambda draft: accounts.write_user(draft, waiting))
        told = await eve.get("/auth/me")
        assert (told.status_code, told.json()["rights"]) == (200, [])
        refused = await eve.get("/positions")
        assert (refused.status_code, refused.json()["code"]) == (403, "right_missing")
        assert (await eve.post("/halts")).status_code == 403
        assert (await eve.post("/auth/sign-out")).status_code == 204

    play(tmp_path, story)


ORIGINS: list[tuple[dict[str, str], str]] = [
    ({"origin": "https://evil.example"}, "foreign_origin"),
    ({"origin": "null"}, "foreign_origin"),
    ({"origin": "http://["}, "foreign_origin"),
    ({"origin": ""}, "foreign_origin"),
    ({"origin": "http://127.0.0.1:9999"}, "foreign_origin"),
    ({"sec-fetch-site": "cross-site"}, "foreign_origin"),
    ({"sec-fetch-site": "same-site"}, "foreign_origin"),
    ({"x-plimsoll": ""}, "header_missing"),
    ({"x-plimsoll": "0"}, "header_missing"),
    ({"origin": "http://127.0.0.1", "sec-fetch-site": "same-origin"}, ""),
    ({"origin": "https://127.0.0.1"}, ""),
    ({"sec-fetch-site": "none"}, ""),
]


def test_a_write_that_another_page_could_send_is_refused(tmp_path: Path) -> None:
    """By origin, by what the browser says, by the header that no form has; a proxy's TLS is the same origin."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        own = dict(ada.headers)
        for headers, code in ORIGINS:
            before = house.everything()
            ada.headers = {**own, **headers}
            told = await ada.post("/halts", {"reason": f"from {headers}"})
            if code:
                assert (told.status_code, told.json()["code"]) == (403, code), headers
                assert house.everything() == before
            else:
                assert told.status_code == 200, headers
            read = await ada.get("/halts")
            assert read.status_code == 200  # reading changes nothing; what it tells, another page cannot see
            assert "access-control-allow-origin" not in read.headers

    play(tmp_path, story)


def test_every_write_refuses_a_foreign_origin_also_with_a_key(tmp_path: Path) -> None:
    """A key needs no header of ours; a foreign page that got hold of one is refused all the same."""

    async def story(house: House) -> None:
        key = await house.key()
        key.headers["origin"] = "https://evil.example"
        for path in ("/orders", "/halts", "/keys", "/halts/flatten", "/auth/sign-in", "/auth/link"):
            told = await key.post(path, {})
            assert (told.status_code, told.json()["code"]) == (403, "foreign_origin"), path

    play(tmp_path, story)


def test_a_name_that_is_not_ours_is_not_answered(tmp_path: Path) -> None:
    """DNS rebinding: a page of somebody else that reaches us under its own name learns nothing."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        for host in HOSTS:
            for path in (API + "/auth/me", "/", "/livez"):
                told = await ada.http.get(path, headers={"host": host})
                assert (told.status_code, told.json()["code"]) == (421, "host_unknown"), host
        for host in ("127.0.0.1:8787", "localhost", "LOCALHOST:1"):  # the port is none of the name
            assert (await ada.http.get("/livez", headers={"host": host})).status_code == 200

    play(tmp_path, story)


def test_a_session_that_ended_as_it_began_lets_nobody_in(tmp_path: Path) -> None:
    """Signed out everywhere in the very moment of coming in: no cookie for a session that is none."""

    async def story(house: House) -> None:
        visitor = Visitor(house.app.state.api, None, "127.0.0.1")
        with pytest.raises(Refused) as refused:
            signed_in(visitor, Request({"type": "http", "headers": []}), "of no session")
        assert refused.value.status == 401

    play(tmp_path, story)
