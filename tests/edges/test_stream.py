"""The stream over real sockets: WebSocket and Server-Sent Events, resumed, cut, refused and stopped."""

import asyncio
import random
import socket
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import orjson
import pytest
import websockets
from pydantic import TypeAdapter

from plimsoll.edges.api import schemas
from plimsoll.edges.api.app import bare_app
from plimsoll.edges.api.stream_hub import Pace
from plimsoll.ledger.follow import DESK
from plimsoll.people.actor import Right
from tests.edges.stream_scenes import (
    ADA,
    ADAS,
    ADAS_OTHER,
    BOB,
    BOBS,
    GRACE,
    PASSWORD,
    Port,
    end_of,
    events_of,
    frames_of,
    heard,
    serve,
    until,
)


def chained(numbers: list[int], first: int = 0) -> list[tuple[int, int]]:
    """Give each number with the one before it."""
    return list(zip(numbers, [first, *numbers], strict=False))


async def bearer(port: Port, *rights: Right) -> dict[str, str]:
    """Give what a program of Grace's sends."""
    _, secret = await port.people.make_key(await port.actor(GRACE), "program", rights, 1, None)
    return {"Authorization": f"Bearer {secret}"}


async def busy(port: Port, events: int, chance: random.Random) -> None:
    """Let so many things happen to everybody, in groups as they come."""
    waiting = []
    for number in range(events):
        waiting.append(asyncio.ensure_future(port.happens(chance.choice([ADAS, BOBS, DESK, ADAS_OTHER]), str(number))))
        if chance.random() < 0.2:
            await asyncio.gather(*waiting)
    await asyncio.gather(*waiting)


def test_both_ways_show_the_same_frames_and_each_is_of_the_contract(tmp_path: Path) -> None:
    """Hello first; then what was missed, then what happens, prices and figures between."""
    frame = TypeAdapter(schemas.Frame)

    async def story(port: Port) -> None:
        headers = port.page(await port.session(ADA))
        port.quote(ADAS, "100")
        await port.happens(ADAS, "a", "b")
        async with port.socket(headers, "?after=1") as connection, port.answers(headers, "?after=1") as response:
            assert response.status_code == 200
            assert response.headers["content-type"].startswith("text/event-stream")
            assert response.headers["cache-control"] == "no-store"
            assert response.headers["x-accel-buffering"] == "no"
            await port.happens(ADAS, "c")
            seen: list[dict[str, Any]] = []
            places = []
            async for message in connection:
                found = frame.validate_json(message)
                assert orjson.loads(message) == orjson.loads(frame.dump_json(found))
                seen.append(found.model_dump())
                if {"hello", "quotes", "pulse"} <= {one["type"] for one in seen} and seen[-1]["type"] == "pulse":
                    break
            async for place, data in frames_of(response):
                frame.validate_python(data)
                places.append((data["type"], place))
                if data["type"] == "event" and data["number"] == 3:
                    break
        assert seen[0]["type"] == "hello"
        assert [one["number"] for one in seen if one["type"] == "event"][:1] == [2]
        assert places[0] == ("hello", "1")
        assert [place for kind, place in places if kind == "event"] == ["2", "3"]

    serve(tmp_path, story, pace=Pace(quotes_seconds=0.05, pulse_seconds=0.05))


def test_from_every_number_of_a_busy_run_the_rest_is_the_same(tmp_path: Path) -> None:
    """Asked while it runs, from memory and from the database: nothing is missing at the seam, and nothing doubled."""

    async def story(port: Port) -> None:
        headers, chance = port.page(await port.session(ADA)), random.Random(1)
        running = asyncio.ensure_future(busy(port, 400, chance))

        async def resume(after: int) -> list[tuple[int, int]]:
            async with port.socket(headers, f"?after={after}") as connection:
                found: list[tuple[int, int]] = []
                async for frame in heard(connection):
                    found += [(frame["number"], frame["previous"])] if frame["type"] == "event" else []
                    if running.done() and found and found[-1][0] == port.stored(ADAS, ADAS_OTHER)[-1]:
                        return found
                raise AssertionError("the stream ended")

        await until(lambda: port.events.number >= 60)
        answers = await asyncio.gather(*(resume(after) for after in range(0, 60, 4)))
        mine = port.stored(ADAS, ADAS_OTHER)
        for after, found in zip(range(0, 60, 4), answers, strict=True):
            rest = [number for number in mine if number > after]
            assert found == chained(rest, max([number for number in mine if number <= after], default=0))

    serve(tmp_path, story, pace=Pace(events_at_once=7, quotes_seconds=0.02), kept=50)


@pytest.mark.parametrize("way", ["socket", "events"])
def test_a_line_that_is_cut_at_random_places_misses_nothing(tmp_path: Path, way: str) -> None:
    """Torn off without a word, again and again; who comes back with his last number sees each event once."""

    async def story(port: Port) -> None:
        headers, chance = port.page(await port.session(ADA)), random.Random(2)
        running = asyncio.ensure_future(busy(port, 300, chance))
        found: list[tuple[int, int]] = []
        lines = 0
        while not (running.done() and len(found) == len(port.stored(ADAS, ADAS_OTHER))):
            after = found[-1][0] if found else 0
            left = len([number for number in port.stored(ADAS, ADAS_OTHER) if number > after])
            most = min(chance.randint(0, 40), max(1, left))
            lines += 1
            if way == "socket":
                async with port.socket(headers, f"?after={after}") as connection:
                    found += await events_of(heard(connection), most)
                    connection.transport.abort()
            else:
                again = {**headers, "Last-Event-ID": str(after)} if found else headers
                async with port.answers(again, "?after=0") as response:
                    found += await events_of((data async for _, data in frames_of(response)), most)
        assert found == chained(port.stored(ADAS, ADAS_OTHER))
        assert lines > 5
        await until(lambda: not port.streams._subscribers)

    serve(tmp_path, story, pace=Pace(quotes_seconds=0.02), kept=50)


def test_two_people_see_their_own_and_the_keeper_the_desk_s(tmp_path: Path) -> None:
    async def story(port: Port) -> None:
        pages = [port.page(await port.session(user)) for user in (ADA, BOB)]
        key = await bearer(port, Right.READ)
        await busy(port, 100, random.Random(3))
        for headers, accounts in zip([*pages, key], [(ADAS, ADAS_OTHER), (BOBS,), ()], strict=True):
            mine = port.stored(*accounts)
            async with port.socket(headers, "?after=0") as connection:
                assert await events_of(heard(connection), len(mine)) == chained(mine)
        keeper = {**port.page(await port.session(GRACE))}
        async with port.socket(keeper, "?after=0") as connection:
            assert await events_of(heard(connection), len(port.stored(DESK))) == chained(port.stored(DESK))

    serve(tmp_path, story, pace=Pace(quotes_seconds=0.02))


def test_a_reader_who_stops_reading_is_cut_off_and_nobody_waits_for_him(tmp_path: Path) -> None:
    """What the kernel holds for him is all; the page beside him gets every event, and writers are not held up."""

    async def story(port: Port) -> None:
        headers = port.page(await port.session(ADA))
        stalled = socket.create_connection((port.place.split(":")[0], int(port.place.split(":")[1])))
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        said = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        stalled.sendall(f"GET /api/v1/stream?after=0 HTTP/1.1\r\nHost: {port.place}\r\n{said}\r\n".encode())
        slow = port.socket(headers, "?after=0", max_queue=1)
        async with port.socket(headers, "?after=0") as quick, slow as connection:
            connection.transport.pause_reading()
            await until(lambda: len(port.streams._subscribers) == 3)
            reading = asyncio.ensure_future(events_of(heard(quick), 600))
            for number in range(600):
                await port.happens(ADAS, f"{number}" * 500)
            assert await reading == chained(port.stored(ADAS))
            await until(lambda: len(port.streams._subscribers) == 1)
            connection.transport.resume_reading()
            await end_of(connection)
            assert connection.close_code in (1006, 4408)
        stalled.close()

    serve(tmp_path, story, pace=Pace(patience_seconds=0.3, quotes_seconds=0.02))


def test_a_token_that_ended_ends_the_stream(tmp_path: Path) -> None:
    """A page is told 4401, a program's events just end; neither comes in again."""

    async def story(port: Port) -> None:
        token = await port.session(ADA)
        page, key = port.page(token), await bearer(port, Right.READ)
        async with port.socket(page) as connection, port.answers(key) as response:
            await anext(heard(connection))
            ada, grace = port.people.session(token), port.people.key(key["Authorization"][7:], "here")
            assert ada is not None
            assert grace is not None
            await port.people.sign_out(ada)
            await port.people.revoke_key(await port.actor(GRACE), grace.token_uid)
            assert await end_of(connection) == (4401, "the session or key has ended")
            assert ": 4401 the session or key has ended" in [line async for line in response.aiter_lines()]
        async with port.answers(key) as response:
            assert response.status_code == 401
        assert await port.refused(key) == (401, "not_signed_in")

    serve(tmp_path, story, pace=Pace(token_seconds=0.02, quotes_seconds=0.02))


def test_a_desk_that_stops_says_so_at_once(tmp_path: Path) -> None:
    """1001 to every page; and the server, which waits for open answers, has none to wait for."""

    async def story(port: Port) -> None:
        headers = port.page(await port.session(ADA))
        async with port.socket(headers) as connection, port.answers(headers) as response:
            await anext(heard(connection))
            await port.streams.close()
            port.server.should_exit = True
            await asyncio.wait_for(asyncio.shield(port.serving), 2)
            assert await end_of(connection) == (1001, "the desk is stopping")
            assert ": 1001 the desk is stopping" in [line async for line in response.aiter_lines()]

    serve(tmp_path, story)


def test_numbers_that_are_none_are_refused_with_the_remedy(tmp_path: Path) -> None:
    """By both ways alike, and nobody is taken in."""

    async def story(port: Port) -> None:
        await port.happens(DESK, "a")
        headers = await bearer(port, Right.READ)
        for said in ("-1", "abc", "1.0", "+1", "", "1e3", "%31%00", "0x1", "9" * 19, "2", "1&after=1"):
            async with port.answers(headers, f"?after={said}") as response:
                problem = orjson.loads(await response.aread())
                assert (response.status_code, problem["status"]) == (422, 422), said
                assert response.headers["content-type"] == "application/problem+json"
                assert problem["reasons"][0]["remedy"]
            status, code = await port.refused(headers, f"?after={said}")
            assert (status, code) == (422, problem["code"])
        async with port.answers({**headers, "Last-Event-ID": "x"}) as response:
            assert response.status_code == 422
        assert not port.streams._subscribers

    serve(tmp_path, story)


def test_nobody_comes_in_who_may_not(tmp_path: Path) -> None:
    """No token, no right, another's page; a program is told by the status, our own page by how it is closed."""

    async def story(port: Port) -> None:
        ours = port.page(await port.session(ADA))
        trade = await bearer(port, Right.TRADE)
        for headers, status in (
            ({}, 403),
            ({"Authorization": "Bearer plim_wrong"}, 401),
            ({"Authorization": "Basic QWRhOng="}, 401),
            (trade, 403),
            ({"Cookie": ours["Cookie"]}, 403),
            ({**ours, "Origin": "http://evil.example"}, 403),
            ({**ours, "Sec-Fetch-Site": "cross-site"}, 403),
        ):
            assert (await port.refused(headers))[0] == status, headers
        for headers, status in (
            ({}, 401),
            (trade, 403),
            ({**ours, "Origin": "http://evil.example"}, 403),
        ):
            async with port.answers(headers) as response:
                assert response.status_code == status
        for headers, said, code in (
            ({**ours, "Cookie": "plimsoll=gone"}, "", 4401),
            (ours, "?after=7", 4422),
        ):
            async with port.socket(headers, said) as connection:
                assert (await end_of(connection))[0] == code
        assert not port.streams._subscribers

    serve(tmp_path, story)


def test_so_many_streams_and_no_more(tmp_path: Path) -> None:
    async def story(port: Port) -> None:
        key = await bearer(port, Right.READ)
        page = port.page(await port.people.sign_in(GRACE.name, PASSWORD, "127.0.0.1"))
        async with port.socket(key) as first, port.answers(key) as second:
            assert second.status_code == 200
            await anext(heard(first))
            assert await port.refused(key) == (429, "too_many")
            async with port.answers(key) as third:
                assert third.status_code == 429
                assert third.headers["retry-after"] == "5"
            async with port.socket(page) as mine, port.socket(page) as other:
                await anext(heard(mine))
                await anext(heard(other))
                async with port.socket(page) as one_more:
                    assert await end_of(one_more) == (4429, "too_many")
        await until(lambda: not port.streams._subscribers)
        async with port.socket(key) as again:
            await anext(heard(again))

    serve(tmp_path, story, pace=Pace(streams_per_user=2))


def test_a_key_that_opens_all_it_may_shuts_nobody_else_out(tmp_path: Path) -> None:
    """Twenty of a read-only key; the page of the same person, and another key of his, come in as ever."""

    async def story(port: Port) -> None:
        token = await port.session(GRACE)
        grace = port.people.session(token)
        assert grace is not None
        keys = []
        for name in ("greedy", "modest"):
            _, secret = await port.people.make_key(grace, name, [Right.READ], 1, None)
            keys.append({"Authorization": f"Bearer {secret}"})
        async with AsyncExitStack() as open_ones:
            for _ in range(Pace().streams_per_user):
                await open_ones.enter_async_context(port.socket(keys[0]))
            assert await port.refused(keys[0]) == (429, "too_many")
            async with port.socket(port.page(token)) as page, port.answers(keys[1]) as other:
                await anext(heard(page))
                assert other.status_code == 200
        await until(lambda: not port.streams._of_token)

    serve(tmp_path, story)


@pytest.mark.parametrize("words", [["x"] * 101, [b"x" * 60_000] * 101, ["x" * 65_537]])
def test_whoever_talks_into_the_stream_is_shown_out(tmp_path: Path, words: list[str | bytes]) -> None:
    """A few words are ignored."""

    async def story(port: Port) -> None:
        async with port.socket(port.page(await port.session(ADA))) as connection:
            for word in words[:-1][:50]:
                await connection.send(word)
            await port.happens(ADAS, "a")
            assert await events_of(heard(connection), 1) == [(1, 0)]
            with suppress(websockets.ConnectionClosed):
                for word in words[50:] or words:
                    await connection.send(word)
            assert (await end_of(connection))[0] in (1008, 1009)
        await until(lambda: not port.streams._subscribers)

    serve(tmp_path, story, pace=Pace(quotes_seconds=0.02))


def test_what_is_gone_is_said_and_the_browser_comes_back_behind_it(tmp_path: Path) -> None:
    async def story(port: Port) -> None:
        await port.happens(DESK, "a", "b", "c", "d", "e")
        port.forget(3)
        key = await bearer(port, Right.READ)
        page = port.page(await port.session(GRACE))
        async with port.answers(page, "?after=1") as response:
            frames = frames_of(response)
            assert (await anext(frames))[1]["type"] == "hello"
            assert await anext(frames) == ("5", {"type": "snapshot_required", "number": 5})
        async with port.answers({**page, "Last-Event-ID": "5"}, "?after=1") as response:
            await port.happens(DESK, "f")
            assert await events_of((data async for _, data in frames_of(response)), 1) == [(6, 5)]
        async with port.socket(key, "?after=1") as connection:
            frames_heard = heard(connection)
            assert [(await anext(frames_heard))["type"] for _ in range(2)] == ["hello", "snapshot_required"]

    serve(tmp_path, story, kept=1)


@pytest.mark.parametrize("gone", [OSError("the line is gone"), RuntimeError("closed already")])
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_a_server_that_finds_the_line_gone_while_it_sends_is_no_bug(tmp_path: Path, kind: str, gone: Exception) -> None:
    """Before it hears that the other side has left: the stream just ends, and its place is free."""

    async def story(port: Port) -> None:
        headers = [(b"host", port.place.encode())]
        headers += [(name.lower().encode(), said.encode()) for name, said in port.page(await port.session(ADA)).items()]
        silence, sent = asyncio.Event(), list[str]()
        first = {"type": "http.request"} if kind == "http" else {"type": "websocket.connect"}
        scope = {"type": kind, "method": "GET", "path": "/api/v1/stream", "scheme": "http", "query_string": b""}

        async def receive() -> Any:
            if not sent:
                return first
            await silence.wait()
            raise AssertionError("nobody says anything more")

        async def send(message: Any) -> None:
            if len(sent) == 2:
                raise gone
            sent.append(message["type"])

        await asyncio.wait_for(port.app({**scope, "headers": headers}, receive, send), 5)
        assert not port.streams._subscribers
        assert sent[0] in ("http.response.start", "websocket.accept")

    serve(tmp_path, story)


def test_the_document_names_the_frames() -> None:
    """A client that is made from it has a type for what comes over the stream."""
    document = bare_app().openapi()
    described = document["paths"]["/api/v1/stream"]["get"]
    assert described["responses"]["200"]["content"] == {
        "text/event-stream": {"schema": {"$ref": "#/components/schemas/Frame"}}
    }
    assert [(one["name"], one["in"]) for one in described["parameters"]] == [("after", "query")]
    frame = document["components"]["schemas"]["Frame"]
    assert set(frame["discriminator"]["mapping"]) == {
        *("event", "quotes", "pulse", "hello", "snapshot_required", "heartbeat"),
    }
    assert len(frame["oneOf"]) == 6
