"""Whose is it? Every route of the OpenAPI document, asked by nobody, by the wrong right, by somebody else.

The table below says of each route how it is asked properly. A route without an entry fails, and so does an entry
without a route: nobody adds one and forgets to think about whom it must not answer.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import orjson
import pytest

from plimsoll.edges.api.access import Access, Need, Open, need_of
from plimsoll.edges.api.answers import StrictRoute
from plimsoll.edges.api.app import api_routes, bare_app, check_rights
from plimsoll.edges.api.routes import orders
from plimsoll.model.errors import InvariantBroken
from plimsoll.model.order import Side
from plimsoll.people.actor import Right
from tests.builders.approved import approved
from tests.edges.contract import DOCUMENT, check_answer, operations
from tests.edges.house import ADA, API, EVE, Client, House, Tenant, play

#: A right that every other route refuses: made of the ids below, each a thing of its owner's.
Ids = dict[str, str]


@dataclass(frozen=True, slots=True)
class Asked:
    """How a route is asked properly; `{name}` stands for an id of whoever asks."""

    params: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] | None = None
    #: Answers only to a person in a browser.
    person: bool = False
    #: A stream never ends; it is asked only where it must refuse.
    endless: bool = False
    #: Fields of the body, or parameters, in which another's id may be put; those of the path always are.
    ids: tuple[str, ...] = ()


ORDER = {
    "symbol": "BTC/USDT",
    "side": "BUY",
    "type": "LIMIT",
    "quantity": "0.01",
    "price": "49000",
    "allow_repeat": True,
}
BOT = {"name": "two", "strategy": "hold", "symbol": "BTC/USDT", "params": {}, "portfolio": "{portfolio}"}
#: What a definition of a broker says, but its slug.
BROKER = {
    "name": "Own",
    "kind": "broker",
    "markets": ["EQUITY"],
    "order_types": ["MARKET"],
    "spot": True,
    "margin": False,
    "futures": False,
    "leverage_max": "1",
}

TABLE: dict[tuple[str, str], Asked] = {
    ("/system/health", "get"): Asked(),
    ("/auth/link", "post"): Asked(body={"token": "none", "password": "four words nobody guesses"}),
    ("/auth/sign-in", "post"): Asked(body={"name": "Ada", "password": "four words nobody guesses"}),
    ("/auth/sign-out", "post"): Asked(person=True),
    ("/auth/me", "get"): Asked(),
    ("/auth/password", "post"): Asked(
        body={"current": "four words nobody guesses", "new": "another sentence of mine"}, person=True
    ),
    ("/keys", "get"): Asked(),
    ("/keys", "post"): Asked(
        body={"name": "x", "rights": ["read"], "days": 1, "portfolios": ["{portfolio}"]}, ids=("portfolios",)
    ),
    ("/keys/{key_id}", "delete"): Asked(),
    ("/portfolios", "get"): Asked(),
    ("/portfolios/{portfolio_id}", "get"): Asked(),
    ("/portfolio", "get"): Asked({"portfolio": "{portfolio}"}, ids=("portfolio",)),
    ("/positions", "get"): Asked({"portfolio": "{portfolio}"}, ids=("portfolio",)),
    ("/equity", "get"): Asked({"account": "{account}"}, ids=("account",)),
    ("/pnl", "get"): Asked({"portfolio": "{portfolio}"}, ids=("portfolio",)),
    ("/reports/pnl", "get"): Asked({"portfolio": "{portfolio}"}, ids=("portfolio",)),
    ("/reports/performance", "get"): Asked({"portfolio": "{portfolio}"}, ids=("portfolio",)),
    ("/reports/tax", "get"): Asked({"portfolio": "{portfolio}"}, ids=("portfolio",)),
    ("/funds/history", "get"): Asked({"portfolio": "{portfolio}"}, ids=("portfolio",)),
    ("/breaches", "get"): Asked({"account": "{account}"}, ids=("account",)),
    ("/audit", "get"): Asked({"account": "{account}"}, ids=("account",)),
    ("/events", "get"): Asked({"account": "{account}"}, ids=("account",)),
    ("/policies", "get"): Asked(),
    ("/instruments", "get"): Asked({"portfolio": "{portfolio}"}, ids=("portfolio",)),
    ("/quotes", "get"): Asked({"portfolio": "{portfolio}"}, ids=("portfolio",)),
    ("/quotes/{symbol}", "get"): Asked({"portfolio": "{portfolio}"}, ids=("portfolio",)),
    ("/candles", "get"): Asked({"symbol": "BTC/USDT", "portfolio": "{portfolio}"}, ids=("portfolio",)),
    ("/orders", "get"): Asked({"status": "all", "portfolio": "{portfolio}"}, ids=("portfolio",)),
    ("/orders", "post"): Asked(body={**ORDER, "portfolio": "{portfolio}"}, ids=("portfolio",)),
    ("/orders/preview", "post"): Asked(body={**ORDER, "portfolio": "{portfolio}"}, ids=("portfolio",)),
    ("/orders/{order_id}", "get"): Asked(),
    ("/orders/{order_id}", "delete"): Asked(),
    ("/orders/{order_id}/cancel", "post"): Asked(),
    ("/trades", "get"): Asked({"portfolio": "{portfolio}"}, ids=("portfolio",)),
    ("/trades/execute", "post"): Asked(
        body={"product_id": "BTC/USDT", "side": "BUY", "size_usd": "100", "portfolio": "{portfolio}"},
        ids=("portfolio",),
    ),
    ("/halts", "get"): Asked(),
    ("/halts", "post"): Asked(body={"account": "{account}"}, ids=("account",)),
    ("/halts/lift", "post"): Asked(body={"account": "{account}"}, person=True, ids=("account",)),
    ("/halts/flatten", "post"): Asked(body={"account": "{account}"}, ids=("account",)),
    ("/guards", "get"): Asked(),
    ("/guards/manual-close", "post"): Asked(body={"position_id": "{position}"}, ids=("position_id",)),
    ("/margin/status", "get"): Asked({"account": "{account}"}, ids=("account",)),
    ("/bots", "get"): Asked(),
    ("/bots", "post"): Asked(body=BOT, ids=("portfolio",)),
    ("/bots/signals", "get"): Asked(),
    ("/bots/{bot_id}", "get"): Asked(),
    ("/bots/{bot_id}/start", "post"): Asked(),
    ("/bots/{bot_id}/stop", "post"): Asked(),
    ("/bots/{bot_id}/evaluate", "post"): Asked(body={"forced": False}),
    ("/strategies", "get"): Asked(),
    ("/reconciliation/{account}", "get"): Asked(),
    ("/reconciliation/{account}/sync", "post"): Asked(),
    ("/reconciliation/{account}/log", "get"): Asked(),
    ("/reconciliation/{account}/breaks", "get"): Asked(),
    ("/reconciliation/{account}/breaks/{break_id}/resolve", "post"): Asked(body={"resolution": "done by hand"}),
    ("/reconciliation/{account}/external-orders", "get"): Asked(),
    ("/reconciliation/{account}/external-orders/{external_id}", "post"): Asked(body={"status": "IGNORED"}),
    ("/accounts/{account}/sync-log", "get"): Asked(),
    ("/brokers", "get"): Asked(),
    ("/brokers", "post"): Asked(body={"slug": "own", **BROKER}),
    ("/brokers/{slug}", "post"): Asked(body=BROKER),
    ("/brokers/{slug}", "delete"): Asked(),
    ("/stream", "get"): Asked(endless=True),
}

#: Which of somebody's ids an id position takes, and an id of the same form that stands for nothing.
KINDS = {
    "key_id": "key",
    "portfolio_id": "portfolio",
    "order_id": "order",
    "bot_id": "bot",
    "position_id": "position",
    "portfolio": "portfolio",
    "portfolios": "portfolio",
    "account": "account",
    "break_id": "break",
    "external_id": "external",
}
NOTHING = {
    "key": "018f-key-9",
    "portfolio": "018f-portfolio-9-0",
    "order": "018f-order-9",
    "bot": "018f-portfolio-9-0.7",
    "position": "018f-portfolio-9-0.21.0.",
    "account": "018f-account-9",
    "break": "018f-account-9.1",
    "external": "018f-account-9.1",
}


def filled(template: Any, ids: Ids) -> Any:
    """Put somebody's ids in their places."""
    return orjson.loads(_with(orjson.dumps(template).decode(), ids))


def _with(text: str, ids: Ids) -> str:
    for kind, value in ids.items():
        text = text.replace(f"{{{kind}}}", value)
    return text


async def ask(client: Client, path: str, method: str, asked: Asked, ids: Ids, **more: Any) -> httpx2.Response:
    """Ask a route with these ids."""
    names = {f"{{{name}}}": kind for name, kind in KINDS.items()}
    place = API + path.replace("{symbol}", "BTC/USDT").replace("{slug}", f"own-{method}")
    for name, kind in names.items():
        place = place.replace(name, ids[kind])
    # As the standard library writes it: it lets half a character through, as some clients do.
    body = None if method == "get" else json.dumps({**filled(asked.body or {}, ids), **more}).encode()
    headers = {**client.headers, "content-type": "application/json"}
    params = filled(asked.params, ids)
    return await client.http.request(method.upper(), place, content=body, headers=headers, params=params)


async def leave_at_venue(house: House, who: Tenant) -> None:
    """Have an order wait at somebody's venue that is none of the book's: a break that stops nothing."""
    order = approved("theirs", Side.BUY, "0.01", who.spot, price="49000", account_id=who.account.id)
    name = type(order.client_order_id)("THEM" + order.client_order_id[4:])
    await house.venues[who.account.id].place(replace(order, client_order_id=name))
    await house.served[who.account.id].ports.settled()


async def things_of(house: House, who: Tenant, client: Client) -> Ids:
    """Have somebody own one of everything, and give the ids."""
    await house.quote("50000", who)
    bought = await client.post(
        "/orders", {"symbol": "BTC/USDT", "side": "BUY", "quantity": "0.01", "portfolio": "main"}
    )
    waiting = await client.post("/orders", {**ORDER, "portfolio": "main"})
    bot = await client.post("/bots", {"name": "one", "strategy": "hold", "symbol": "BTC/USDT", "portfolio": "main"})
    held = (await client.get("/positions")).json()["items"][0]
    assert [bought.status_code, waiting.status_code, bot.status_code] == [201, 201, 201], bot.text
    key = await house.key(who, Right.READ)
    for method in ("post", "delete"):  # whoever comes second finds them there
        await client.post("/brokers", {"slug": f"own-{method}", **BROKER})
    await leave_at_venue(house, who)
    venue = f"/reconciliation/{who.account.uid}"
    assert (await client.post(f"{venue}/sync")).json()["divergences_detected"] == 1
    return {
        "portfolio": who.portfolios[0].uid,
        "account": who.account.uid,
        "break": (await client.get(f"{venue}/breaks")).json()["items"][0]["id"],
        "external": (await client.get(f"{venue}/external-orders")).json()["items"][0]["id"],
        "order": waiting.json()["order"]["id"],
        "bot": bot.json()["id"],
        "position": held["position_id"],
        "key": (await key.get("/keys")).json()["items"][-1]["id"],
    }


def test_the_table_names_every_route_and_no_other() -> None:
    """A new route is asked about before it is let out."""
    assert {(path.removeprefix(API), method) for path, method, _said in operations()} == set(TABLE)


def test_every_id_position_of_the_document_is_known() -> None:
    """In a path, a parameter or a body: what looks like an id, or a name of something owned, is in the matrix."""
    found = set()
    for path, method, said in operations():
        asked = TABLE[path.removeprefix(API), method]
        for parameter in said.get("parameters", ()):
            if parameter["in"] == "path" and parameter["name"] not in ("symbol", "slug"):
                found.add(parameter["name"])
            elif parameter["name"] in KINDS:
                assert parameter["name"] in asked.ids, f"{method} {path}: {parameter['name']}"
        content = said.get("requestBody", {}).get("content", {}).get("application/json")
        if content is not None:
            schema = DOCUMENT["components"]["schemas"][content["schema"]["$ref"].rsplit("/", 1)[1]]
            for name in schema["properties"]:
                if name in KINDS:
                    assert name in asked.ids, f"{method} {path}: {name}"
                else:
                    assert not name.endswith("_id") or name == "product_id", f"{method} {path}: is {name} an id?"
    assert found <= set(KINDS)


def test_a_route_that_forgets_its_right_is_no_route() -> None:
    """The application cannot be put together with it; and the document names the right of every other."""
    app = bare_app()
    for route in api_routes(app):
        need = need_of(route)
        assert isinstance(need, Access | Open)
        method = next(iter(route.methods or ())).lower()
        said = DOCUMENT["paths"][route.path_format][method].get("x-needs")
        wanted = {Need.PUBLIC: None, Need.SIGNED_IN: "signed-in"}
        assert said == (need.need.value if isinstance(need.need, Right) else wanted[need.need])

    async def careless() -> None:
        """Ask nothing."""

    app.router.add_api_route(f"{API}/careless", careless)
    with pytest.raises(InvariantBroken, match="careless"):
        check_rights(app)
    with pytest.raises(InvariantBroken, match="careless"):
        StrictRoute(f"{API}/careless", careless)


def test_what_the_document_says_of_itself() -> None:
    """Each operation has a name, each error the one shape, and nothing of FastAPI's own errors is left."""
    names = [said["operationId"] for _path, _method, said in operations()]
    assert len(set(names)) == len(names)
    for _path, _method, said in operations():
        problem = said["responses"]["default"]["content"]
        assert problem == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
        assert "422" not in said["responses"]
    assert "HTTPValidationError" not in DOCUMENT["components"]["schemas"]
    assert orders.router.prefix == API


def _play(tmp_path: Path, story: Callable[[House], Awaitable[None]]) -> None:
    async def run(house: House) -> None:
        await story(house)

    play(tmp_path, run)


def test_nobody_is_told_anything(tmp_path: Path) -> None:
    """Without a token, with a broken one, with one in the wrong words: 401 everywhere but at the public routes."""

    async def story(house: House) -> None:
        ids = await things_of(house, ADA, await house.signs_in(ADA))
        before = house.everything()
        for headers in ({}, {"authorization": "Bearer plim_none"}, {"authorization": "Basic cGxpbQ=="}):
            client = house.browser()
            client.headers |= headers
            for (path, method), asked in TABLE.items():
                if "x-needs" not in DOCUMENT["paths"][API + path][method]:
                    continue
                told = await ask(client, path, method, asked, ids)
                assert told.status_code == 401, f"{method} {path}"
                assert told.json()["code"] == "not_signed_in"
                assert told.headers["www-authenticate"].startswith("Bearer")
                check_answer(API + path, method, 401, "application/problem+json", told.json())
        assert house.everything() == before

    _play(tmp_path, story)


@pytest.mark.parametrize("right", list(Right))
def test_a_key_does_what_its_right_says_and_no_more(tmp_path: Path, right: Right) -> None:
    """403 wherever another right is needed, before anything is looked at; a right contains no other."""

    async def story(house: House) -> None:
        ids = await things_of(house, ADA, await house.signs_in(ADA))
        key = await house.key(ADA, right)
        before = house.everything()
        for (path, method), asked in TABLE.items():
            needs = DOCUMENT["paths"][API + path][method].get("x-needs")
            if needs in (None, "signed-in", right.value):
                continue
            told = await ask(key, path, method, asked, ids)
            assert (told.status_code, told.json()["code"]) == (403, "right_missing"), f"{method} {path}"
        assert house.everything() == before

    _play(tmp_path, story)


def test_a_key_is_no_person(tmp_path: Path) -> None:
    """What only a person may do, no key does, whatever its rights."""

    async def story(house: House) -> None:
        ids = await things_of(house, ADA, await house.signs_in(ADA))
        key = await house.key(ADA)
        for (path, method), asked in TABLE.items():
            if asked.person:
                told = await ask(key, path, method, asked, ids)
                assert (told.status_code, told.json()["code"]) == (403, "session_needed"), f"{method} {path}"

    _play(tmp_path, story)


def test_anothers_things_answer_like_things_that_are_not_there(tmp_path: Path) -> None:
    """At every id position: the same status and the same bytes but for the request id; and nothing is written."""

    async def story(house: House) -> None:
        ada, eve = await house.signs_in(ADA), await house.signs_in(EVE)
        hers = await things_of(house, ADA, ada)
        own = await things_of(house, EVE, eve)
        eve = await house.key(EVE, *Right)
        person = await house.signs_in(EVE)
        before = house.everything()
        tried = 0
        for (path, method), asked in TABLE.items():
            in_path = [name for name in KINDS if f"{{{name}}}" in path]
            for name in (*in_path, *asked.ids):
                kind = KINDS[name]
                client = person if asked.person else eve
                foreign = await ask(client, path, method, asked, {**own, kind: hers[kind]})
                missing = await ask(client, path, method, asked, {**own, kind: NOTHING[kind]})
                assert foreign.status_code == missing.status_code == 404, f"{method} {path}: {name}: {foreign.text}"
                assert _without_id(foreign) == _without_id(missing), f"{method} {path}: {name}"
                assert foreign.headers.keys() == missing.headers.keys()
                tried += 1
        assert tried >= 22
        assert house.everything() == before
        # And what is hers is still as it was.
        assert (await ada.get(f"/orders/{hers['order']}")).json()["state"] == "NEW"

    _play(tmp_path, story)


def _without_id(told: httpx2.Response) -> bytes:
    return told.content.replace(told.headers["x-request-id"].encode(), b"")


def test_lists_hold_ones_own_and_nothing_else(tmp_path: Path) -> None:
    """No id of another's is anywhere in what somebody is told, on any list."""

    async def story(house: House) -> None:
        hers = await things_of(house, ADA, await house.signs_in(ADA))
        eve = await house.signs_in(EVE)
        own = await things_of(house, EVE, eve)
        secrets = [*hers.values(), ADA.user.uid, ADA.account.name, ADA.portfolios[1].uid]
        for (path, method), asked in TABLE.items():
            if method == "get" and not asked.endless:
                told = await ask(eve, path, method, asked, own)
                assert told.status_code == 200, f"{path}: {told.text}"
                assert not any(secret in told.text for secret in secrets), path

    _play(tmp_path, story)


def test_every_route_answers_its_owner_as_the_document_says(tmp_path: Path) -> None:
    """Asked properly, each answers with success, in exactly the described shape."""

    async def story(house: House) -> None:
        ada = await house.signs_in(ADA)
        ids = await things_of(house, ADA, ada)
        # What ends something comes after everything that needs it.
        late = ["/halts", "/halts/flatten", "/halts/lift", "/keys/{key_id}", "/auth/password", "/auth/sign-out"]
        order = sorted(TABLE, key=lambda one: (late.index(one[0]) if one[1] != "get" and one[0] in late else -1, one))
        for path, method in order:
            asked, own = TABLE[path, method], ids
            if asked.endless:
                continue
            if (path, method) == ("/orders/{order_id}/cancel", "post"):
                another = await ada.post("/orders", {**ORDER, "portfolio": "main"})
                own = {**ids, "order": another.json()["order"]["id"]}
            told = await ask(ada, path, method, asked, own)
            if path == "/auth/link":
                assert (told.status_code, told.json()["code"]) == (401, "link_invalid")
            else:
                assert told.status_code < 300, f"{method} {path}: {told.text}"
            body = told.json() if told.content else None
            check_answer(API + path, method, told.status_code, told.headers.get("content-type", ""), body)

    _play(tmp_path, story)


def test_fields_that_nobody_knows_are_refused(tmp_path: Path) -> None:
    """Mass assignment: every body with a field more is refused by the field's name, and nothing is written."""

    async def story(house: House) -> None:
        ada = await house.signs_in(ADA)
        ids = await things_of(house, ADA, ada)
        before = house.everything()
        for (path, method), asked in TABLE.items():
            if "requestBody" not in DOCUMENT["paths"][API + path][method]:
                continue
            for name in ("user_id", "account_id", "approved", "triggered_by", "role", "__proto__"):
                told = await ask(ada, path, method, asked, ids, **{name: "1"})
                assert (told.status_code, told.json()["code"]) == (422, "validation"), f"{method} {path} {name}"
                assert any(name in reason["observed"] for reason in told.json()["reasons"]), told.text
        assert house.everything() == before

    _play(tmp_path, story)


#: What breaks a careless reader: quotes for SQL, ends of text, paths, templates, half a character, too much of one.
NASTY = ["'", '" OR 1=1 --', "\x00", "\ud800", "\U0001f600", "../../etc/passwd", "%s%n{0}", "<script>", "A" * 5_000]


def test_no_text_breaks_a_route(tmp_path: Path) -> None:
    """Put into every field, parameter and id in turn: refused, or taken for what it is; never a bug."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        ids = await things_of(house, ADA, ada)
        for (path, method), asked in TABLE.items():
            if asked.endless or path in ("/auth/sign-out", "/auth/sign-in"):
                continue
            fields = [name for name, value in (asked.body or {}).items() if isinstance(value, str)]
            in_path = [name for name in KINDS if f"{{{name}}}" in path]
            for text in NASTY:
                tried = [await ask(ada, path, method, asked, ids, **{name: text}) for name in fields]
                odd = text.encode("utf-8", "replace").decode()
                tried += [
                    await ask(ada, path, method, asked, {**ids, KINDS[name]: quote(odd, safe="")}) for name in in_path
                ]
                tried += [
                    await ask(ada, path, method, Asked({**asked.params, name: odd}), ids) for name in asked.params
                ]
                for told in tried:
                    assert told.status_code < 500, f"{method} {path} {text!r}: {told.text}"
        assert (await ada.get("/auth/me")).status_code == 200

    _play(tmp_path, story)
