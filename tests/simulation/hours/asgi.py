"""Whoever asks the desk, without a network between: HTTP in the same loop, a request or a stream that does not end.

The client stands outside every process. What it asks runs as a task of the process, dies with it, and then nobody ever
answers: `ask` therefore never awaits the application itself, it awaits what the application has sent so far.

What must not enter: threads. Routes that are plain functions, and reads that leave the loop, would run in one;
`threads_on_the_loop` has them run where they are called, at one moment, which is what a seed needs.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar
from unittest import mock

import anyio.to_thread
import orjson

T = TypeVar("T")
Message: TypeAlias = Mapping[str, Any]
App: TypeAlias = Callable[[dict[str, Any], Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Any]
#: Runs work as the process's own.
Spawn: TypeAlias = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]

API = "/api/v1"


@contextmanager
def threads_on_the_loop() -> Iterator[None]:
    """Run what would go to a thread at once, in the caller's own step."""

    async def here(work: Callable[..., T], *args: Any, **_options: Any) -> T:
        return work(*args)

    with mock.patch.object(anyio.to_thread, "run_sync", here):
        yield


@dataclass(frozen=True, slots=True)
class Answer:
    """What the desk said."""

    status: int
    body: Any
    headers: Mapping[str, str]


@dataclass(slots=True)
class _Exchange:
    """One request and what came back so far."""

    body: bytes
    said: "asyncio.Future[None]"
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    parts: list[bytes] = field(default_factory=list)
    #: Whether the request was read; then nothing more comes, until the caller hangs up.
    read: bool = False
    hung_up: "asyncio.Future[None] | None" = None
    #: Hears every part of a body at once, where the answer does not end.
    hear: Callable[[bytes], None] | None = None

    async def receive(self) -> dict[str, Any]:
        if not self.read:
            self.read = True
            return {"type": "http.request", "body": self.body, "more_body": False}
        if self.hung_up is None:
            self.hung_up = asyncio.get_running_loop().create_future()
        await self.hung_up
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
            return
        part = message.get("body", b"")
        if self.hear is None:
            self.parts.append(part)
        elif part:
            self.hear(part)
        if not message.get("more_body", False):
            self.done()

    def done(self) -> None:
        if not self.said.done():
            self.said.set_result(None)

    def hang_up(self) -> None:
        """Say that nobody listens any more."""
        if self.hung_up is None:
            self.hung_up = self.said.get_loop().create_future()
        if not self.hung_up.done():
            self.hung_up.set_result(None)


def _scope(app: App, method: str, path: str, headers: Mapping[str, str], query: str) -> dict[str, Any]:
    sent = {"host": "127.0.0.1", "content-type": "application/json", **headers}
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in sent.items()],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 8_787),
        "state": {},
        "app": app,
    }


async def _serve(app: App, scope: dict[str, Any], exchange: _Exchange) -> None:
    try:
        await app(scope, exchange.receive, exchange.send)
    finally:
        exchange.done()


async def ask(
    app: App,
    spawn: Spawn,
    method: str,
    path: str,
    *,
    body: Any = None,
    headers: Mapping[str, str],
    query: str = "",
    patience: float,
) -> Answer | None:
    """Ask, and give what was said; None when nobody answered within the caller's patience, who then hangs up."""
    content = b"" if body is None else body if isinstance(body, bytes) else orjson.dumps(body)
    exchange = _Exchange(content, asyncio.get_running_loop().create_future())
    task = spawn(_serve(app, _scope(app, method, path, headers, query), exchange))
    await asyncio.wait((exchange.said,), timeout=patience)
    if not exchange.said.done() or not exchange.status:
        exchange.hang_up()
        return None
    await asyncio.wait((task,), timeout=0)
    told = b"".join(exchange.parts)
    is_json = "json" in exchange.headers.get("content-type", "")
    return Answer(exchange.status, orjson.loads(told) if is_json and told else told.decode(), exchange.headers)


class Follower:
    """Somebody who follows the event stream, on one line after another, and sees that no event was left out."""

    def __init__(self) -> None:
        #: Number of the last event he has; where he goes on from after a break. None before he ever followed.
        self.after: int | None = None
        self.frames = 0
        self._rest = b""
        #: What he was never told of, in sentences.
        self.gaps: list[str] = []
        self._exchange: _Exchange | None = None

    def open(self, app: App, spawn: Spawn, headers: Mapping[str, str]) -> None:
        """Begin, or come back, at a process."""
        query = "" if self.after is None else f"after={self.after}"
        self._rest = b""
        exchange = _Exchange(b"", asyncio.get_running_loop().create_future(), hear=self.hear)
        self._exchange = exchange
        spawn(_serve(app, _scope(app, "GET", f"{API}/stream", headers, query), exchange))

    @property
    def is_open(self) -> bool:
        return self._exchange is not None and not self._exchange.said.done()

    def close(self) -> None:
        """Leave."""
        if self._exchange is not None:
            self._exchange.hang_up()
            self._exchange = None

    def hear(self, part: bytes) -> None:
        """Take what came over the line: whole frames, or parts of them."""
        *whole, self._rest = (self._rest + part).split(b"\n\n")
        for one in whole:
            for line in one.splitlines():
                if line.startswith(b"data: "):
                    self._take(json.loads(line[6:]))

    def _take(self, frame: Mapping[str, Any]) -> None:
        self.frames += 1
        match frame["type"]:
            case "hello" if self.after is None:
                self.after = frame["number"]
            case "snapshot_required":
                self.after = frame["number"]
            case "event":
                number, previous = frame["number"], frame["previous"]
                if previous != self.after or number <= previous:
                    self.gaps.append(f"event {number} says that it follows {previous}, and {self.after} was the last")
                self.after = number
