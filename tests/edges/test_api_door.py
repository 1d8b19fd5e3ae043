"""What every request passes, and every answer carries; the page beside the API; and what a bug tells the other side."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import orjson
import pytest
from starlette.types import Message, Receive, Scope, Send
from structlog.testing import capture_logs

from plimsoll.edges.api.door import LARGEST_BODY, Door
from tests.edges.contract import operations
from tests.edges.house import ADA, API, BASE, House, play

REQUIRED = {
    "content-security-policy": "default-src 'self'; script-src 'self'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=()",
    "x-request-id": "",
}


def assert_carries_all(told: httpx2.Response) -> None:
    """Look for every header that an answer must have."""
    for name, beginning in REQUIRED.items():
        assert told.headers[name].startswith(beginning), f"{told.url}: {name}"
    policy = told.headers["content-security-policy"]
    for part in ("object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"):
        assert part in policy
    assert "unsafe-eval" not in policy
    assert "script-src 'self';" in policy


def test_every_answer_carries_the_headers_and_a_name(tmp_path: Path) -> None:
    """Every route, whatever comes of it, and everything that is no route; no two answers have one name."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        names = set()
        paths = [(method, path.replace("{", "").replace("}", "")) for path, method, _said in operations()]
        strange = [
            ("get", "/"),
            ("get", "/nope"),
            ("get", API + "/nope"),
            ("patch", API + "/orders"),
            ("get", "/livez"),
        ]
        strange += [("get", "/readyz"), ("get", "/api/openapi.json"), ("options", API + "/orders"), ("post", "/")]
        for method, path in [*paths, *strange]:
            if path.endswith("/stream"):
                continue
            for headers in ({}, ada.headers):
                told = await ada.http.request(method, path, headers=headers)
                assert_carries_all(told)
                names.add(told.headers["x-request-id"])
                if told.status_code >= 400 and path.startswith(API):
                    assert told.headers["content-type"] == "application/problem+json"
                    assert told.json()["request_id"] == told.headers["x-request-id"]
                if path.startswith(API):
                    assert told.headers["cache-control"] == "no-store"
        assert len(names) == 2 * (len(paths) - 1 + len(strange))

    play(tmp_path, story)


def test_a_path_is_the_same_with_a_slash_behind_it(tmp_path: Path) -> None:
    """Nothing is redirected, which would lose a body; a fixed path is not taken for an id."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        for path in ("/orders", "/portfolio", "/bots/signals", "/quotes/BTC/USDT", "/system/health"):
            plain, slashed = await ada.get(path), await ada.get(path + "/")
            assert (plain.status_code, plain.content) == (slashed.status_code, slashed.content), path
        wish = {"symbol": "BTC/USDT", "side": "BUY", "quantity": "0.01", "portfolio": "main"}
        assert (await ada.post("/orders/", wish)).status_code == 201
        assert (await ada.post("/orders/preview/", wish)).status_code == 200

    play(tmp_path, story)


def test_what_is_no_route_is_a_problem_too(tmp_path: Path) -> None:
    """An unknown path, a method that a path does not know; the second names those it does."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        unknown = await ada.get("/nothing/here")
        assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
        wrong = await ada.http.put(API + "/halts", headers=ada.headers)
        assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")
        assert "GET" in wrong.headers["allow"]

    play(tmp_path, story)


def test_a_body_has_a_largest_size_and_depth(tmp_path: Path) -> None:
    """Over 64 KB, told or not; over twenty levels; broken JSON; another kind of content."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        headers = {**ada.headers, "content-type": "application/json"}
        url = API + "/orders/preview"

        async def parts() -> AsyncIterator[bytes]:
            for _ in range(12):
                yield b" " * (LARGEST_BODY // 10)

        large = b'{"symbol":"' + b"x" * LARGEST_BODY + b'"}'
        for told in (
            await ada.http.post(url, content=large, headers=headers),
            await ada.http.post(url, content=parts(), headers=headers),
        ):
            assert (told.status_code, told.json()["code"]) == (413, "too_large")
        deep = b'{"x":' + b"[" * 20 + b"]" * 20 + b"}"
        told = await ada.http.post(url, content=deep, headers=headers)
        assert (told.status_code, told.json()["code"]) == (422, "validation")
        assert "20 levels" in told.json()["detail"]
        assert LARGEST_BODY <= 64 * 1024
        wide = orjson.dumps({"symbol": [[] for _ in range(30)]})
        assert "levels" not in (await ada.http.post(url, content=wide, headers=headers)).text
        for content in (b"[" * 5_000, b"[" * 1_025, b"[" * 1_500 + b"]" * 1_500):
            bottomless = await ada.http.post(url, content=content, headers=headers)
            assert bottomless.status_code == 422
            assert "20 levels" in bottomless.json()["detail"]
        for content in (b"{", b"", b"\xff", b"{'a':1}"):
            told = await ada.http.post(url, content=content, headers=headers)
            assert (told.status_code, told.json()["code"]) == (422, "validation"), content
        form = await ada.http.post(url, data={"symbol": "BTC/USDT"}, headers=ada.headers)
        assert form.status_code == 422
        unsaid = await ada.http.post(url, content=b'{"symbol":"BTC/USDT"}', headers=ada.headers)
        for told in (form, unsaid):
            assert told.json()["detail"] == "body: send it with the header `Content-Type: application/json`"
            assert "BTC" not in told.text

    play(tmp_path, story)


def test_a_bug_tells_its_name_and_nothing_of_our_insides(tmp_path: Path) -> None:
    """500 with the request id; the words of the failure stay in the log."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        inner = house.books.write

        async def broken(_unit: object) -> object:
            raise KeyError("the secret of the house")

        house.books.write = broken  # type: ignore[method-assign, assignment]
        with capture_logs() as logged:
            told = await ada.post(
                "/orders/preview", {"symbol": "BTC/USDT", "side": "BUY", "quantity": "1", "portfolio": "main"}
            )
        house.books.write = inner  # type: ignore[method-assign]
        assert (told.status_code, told.json()["code"]) == (500, "internal")
        assert "secret" not in told.text
        assert "KeyError" not in told.text
        assert [(line["event"], line["log_level"]) for line in logged] == [("bug", "error")]
        assert_carries_all(told)

    play(tmp_path, story)


def test_an_answer_under_way_is_cut_and_not_mended(tmp_path: Path) -> None:
    """A bug after the first byte cannot become a problem any more; the connection breaks, which is as clear."""

    async def story(house: House) -> None:
        async def half(scope: object, receive: object, send: object) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[operator]
            raise KeyError("in the middle")

        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        door = Door(half, ids=house.ids, hosts=["localhost"])
        scope = {"type": "http", "path": "/", "headers": [(b"host", b"localhost")], "scheme": "http"}
        with pytest.raises(ConnectionAbortedError):
            await door(scope, receive, send)
        assert [message["type"] for message in sent] == ["http.response.start"]

    play(tmp_path, story)


def test_the_door_counts_what_a_route_of_any_kind_reads(tmp_path: Path) -> None:
    """One that reads by itself is stopped like the others; and who names no host at all is not let in."""

    async def story(house: House) -> None:
        async def greedy(scope: Scope, receive: Receive, send: Send) -> None:
            while (await receive())["more_body"]:
                pass

        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        async def receive() -> Message:
            return {"type": "http.request", "body": b" " * 400_000, "more_body": True}

        door = Door(greedy, ids=house.ids, hosts=["localhost"])
        scope = {"type": "http", "path": "/", "headers": [(b"host", b"localhost")], "scheme": "http"}
        await door(scope, receive, send)
        await door({**scope, "headers": []}, receive, send)
        assert [message["status"] for message in sent if "status" in message] == [413, 421]

    play(tmp_path, story)


def test_what_is_no_request_passes_the_door_unasked(tmp_path: Path) -> None:
    """A server's own messages have no host; a WebSocket of another host is closed before it is opened."""

    async def story(house: House) -> None:
        seen: list[str] = []
        sent: list[Message] = []

        async def inner(scope: dict[str, object], receive: object, send: object) -> None:
            seen.append(str(scope["type"]))

        async def send(message: Message) -> None:
            sent.append(message)

        async def receive() -> Message:
            return {"type": "websocket.connect"}

        door = Door(inner, ids=house.ids, hosts=["localhost"])  # type: ignore[arg-type]
        await door({"type": "lifespan"}, receive, send)
        scope = {"type": "websocket", "path": "/", "headers": [(b"host", b"evil.example")], "scheme": "ws"}
        await door(scope, receive, send)
        assert seen == ["lifespan"]
        assert [(message["type"], message["reason"]) for message in sent] == [("websocket.close", "host_unknown")]

    play(tmp_path, story)


def test_alive_ready_and_stopping(tmp_path: Path) -> None:
    """A balancer is told to send nobody any more as soon as the desk is being stopped."""

    async def story(house: House) -> None:
        http = house.browser().http
        assert (await http.get("/livez")).text == "alive\n"
        assert (await http.get("/readyz")).status_code == 200
        health = (await http.get(API + "/system/health")).json()
        assert (health["status"], health["reasons"], health["prices"]) == ("ok", [], [])
        await house.served[ADA.account.id].attendant.stop()
        assert (await http.get("/readyz")).status_code == 503
        told = (await http.get(API + "/system/health")).json()
        assert (told["status"], told["reasons"]) == ("degraded", ["an account is in doubt"])
        assert (await http.get("/livez")).status_code == 200

    play(tmp_path, story)


def test_the_page_is_served_with_its_files(tmp_path: Path) -> None:
    """Hashed files for ever, the page itself never without asking; a path of the page's own is the page."""
    built = tmp_path / "web"
    (built / "assets").mkdir(parents=True)
    (built / "index.html").write_text("<!doctype html><title>Plimsoll</title>")
    (built / "assets" / "app-1a2b.js").write_text("let a = 1")
    (built / "favicon.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (tmp_path / "secret.txt").write_text("outside")

    async def story(house: House) -> None:
        http = house.browser().http
        for path in ("/", "/welcome", "/deep/inside", "/index.html"):
            told = await http.get(path)
            assert (told.status_code, told.headers["cache-control"]) == (200, "no-cache"), path
            assert "<title>Plimsoll" in told.text
            assert_carries_all(told)
        script = await http.get("/assets/app-1a2b.js")
        assert script.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert "javascript" in script.headers["content-type"]
        assert (await http.get("/favicon.svg")).headers["cache-control"] == "no-cache"
        for path in ("/assets/app-old.js", "/api", "/api/v2/orders", "/assets"):
            told = await http.get(path)
            if path != "/assets":
                assert told.status_code == 404, path
                assert told.headers["content-type"] == "application/problem+json"
        for path in ("/%00", "/foo%00.js", "/" + "x" * 300, "/" + "x" * 300 + ".js", "/" + "x/" * 3_000, "/%1b%80"):
            assert (await http.get(BASE + path)).status_code in (200, 404), path[:20]
        assert (await http.get(BASE + "/foo%00.js")).json()["code"] == "not_found"
        for path in ("/../secret.txt", "/%2e%2e/secret.txt", "/assets/..%2f..%2f..%2fsecret.txt", "//secret.txt"):
            assert "outside" not in (await http.get(BASE + path)).text, path

    play(tmp_path, story, page=built)


def test_a_page_that_was_not_built_says_so(tmp_path: Path) -> None:
    """In plain words and with what to do; its files are not there."""

    async def story(house: House) -> None:
        http = house.browser().http
        told = await http.get("/")
        assert told.status_code == 200
        assert "was not built" in told.text
        assert (await http.get("/welcome")).status_code == 404

    play(tmp_path, story, page=tmp_path / "nowhere")
