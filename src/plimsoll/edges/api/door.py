"""The door that every request passes: a name for the request, a host that is ours, headers, a size, no bug let out.

Plain ASGI, no `BaseHTTPMiddleware`: that one copies streams and gives each request a task of its own.

1. *Name*: a request id, on every log line and in the answer.
2. *Host*: a page of somebody else whose name is made to point here (DNS rebinding) sends its own name as Host.
3. *Path*: with and without a trailing slash is the same path; nothing is redirected, which would lose a body.
4. *Size*: at most 64 KB come in, also where no length was told: no body of ours has a tenth of that, and whatever is
   read is looked through while everybody else waits.
5. *Headers*: on every answer, errors included.
6. *Bugs*: logged with their request id; the other side is told that id and no more.
"""

from collections.abc import Iterable, MutableMapping
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plimsoll.edges.api.answers import API
from plimsoll.edges.api.problems import Refused, bug, respond
from plimsoll.model.ids import Ids
from plimsoll.runtime.logging import bind_correlation, logger

log = logger("api")

LARGEST_BODY = 65_536

#: `style-src` has 'unsafe-inline' because Mantine sets style attributes and writes its theme into a style element; a
#: style can neither run nor send anything while scripts, images and connections are held to this host.
#: `ws:` and `wss:` because older Safari does not take 'self' for the stream's socket.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self' ws: wss:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
HEADERS = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_NO_STORE = (b"cache-control", b"no-store")
#: A browser that was once told never asks in plain text again; said only where TLS is.
_ALWAYS_TLS = (b"strict-transport-security", b"max-age=31536000")


class Door:
    """The outermost of our layers."""

    def __init__(self, inner: ASGIApp, *, ids: Ids, hosts: Iterable[str]) -> None:
        self._inner = inner
        self._ids = ids
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._inner(scope, receive, send)
            return
        request_id = self._ids.uuid7()
        scope.setdefault("state", {})["request_id"] = request_id
        _without_slash(scope)
        answer = _Answer(scope, send, request_id)
        with bind_correlation(request=request_id):
            if _host_of(scope) not in self._hosts:
                host = f"this desk answers to {', '.join(sorted(self._hosts))}"
                await answer.refuse(Refused(421, "host_unknown", host), receive)
                return
            try:
                await self._inner(scope, _Sized(receive), answer.send)
            except Refused as refused:
                await answer.refuse(refused, receive)
            except Exception:
                log.exception("bug", path=scope["path"])
                await answer.refuse(bug(), receive)


class _Answer:
    """What goes out, with our headers on it."""

    def __init__(self, scope: Scope, send: Send, request_id: str) -> None:
        self._scope, self._send, self._request_id = scope, send, request_id
        self._begun = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._begun = True
            self._add_headers(message)
        elif message["type"] in ("websocket.accept", "websocket.http.response.start", "websocket.close"):
            self._begun = True
        await self._send(message)

    async def refuse(self, refused: Refused, receive: Receive) -> None:
        """Answer with a problem, unless an answer is under way: then the connection is cut, which is as clear."""
        if self._begun:
            raise ConnectionAbortedError("an answer was cut off")
        if self._scope["type"] == "websocket":
            await receive()  # the handshake; what refuses it before is told nothing by some servers
            await self.send({"type": "websocket.close", "code": 1008, "reason": refused.code})
            return
        response: Response = respond(refused, self._request_id)
        await response(self._scope, receive, self.send)

    def _add_headers(self, message: MutableMapping[str, Any]) -> None:
        headers: list[tuple[bytes, bytes]] = list(message.get("headers", ()))
        headers.append((b"x-request-id", self._request_id.encode()))
        headers.extend(HEADERS)
        if not any(name == b"cache-control" for name, _value in headers):
            headers.append(_NO_STORE)
        if self._scope["scheme"] == "https":
            headers.append(_ALWAYS_TLS)
        message["headers"] = headers


class _Sized:
    """What comes in, counted."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._seen = 0

    async def __call__(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._seen += len(message.get("body", b""))
            if self._seen > LARGEST_BODY:
                raise Refused(413, "too_large", f"a request has at most {LARGEST_BODY} bytes")
        return message


def _without_slash(scope: Scope) -> None:
    path: str = scope["path"]
    if path.startswith(API) and path.endswith("/"):
        scope["path"] = path.rstrip("/")
        scope["raw_path"] = scope["path"].encode()


def _host_of(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"host":
            host: str = value.decode("latin-1").lower()
            # `[::1]:8787` and `localhost:8787`: the port is none of the name.
            return host.rpartition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]
    return ""
