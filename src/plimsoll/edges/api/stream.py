"""`/api/v1/stream?after=N`: events by number, the newest quotes and figures, over a WebSocket or as Server-Sent Events.

    curl -N -H "Authorization: Bearer plim_…" "http://127.0.0.1:8787/api/v1/stream?after=0"

1. *Who*: as everywhere (`access`): a session's cookie or a key with the right `read`. A cookie counts only for a
   WebSocket that our own page opens: its handshake knows no CORS, any page could try it in a person's name.
2. *From where*: `after`, or the `Last-Event-ID` that a browser sends by itself when it comes back; else from now on.
3. *What*: one frame a message, `schemas.Frame`. Nothing is expected to come in.

A handshake that is refused is answered with a problem, like any request. A page's script is not shown such an answer,
so its socket is opened and closed at once with 4000 + the status; later ends are told the same way: 4401 the session or
key has ended, 4408 nothing was taken for too long, 1001 the desk is stopping.

What `app` does for it: lists `router` among the others, and sets `app.state.streams = streams_of(…)`. What whoever runs
the server does: `await app.state.streams.close()` before it is told to stop, for a server waits for open responses;
no compression of messages, which costs more than sending them; and nothing larger than 64 KB is taken in.

What must not enter: who is due what (`stream_hub`).
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, WebSocket
from fastapi.responses import JSONResponse
from pydantic import RootModel
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from plimsoll.edges.api import schemas
from plimsoll.edges.api.access import Api, Caller, Reader, find_actor, is_from_here
from plimsoll.edges.api.answers import API
from plimsoll.edges.api.present.prices import quote_row
from plimsoll.edges.api.present.system import pulse
from plimsoll.edges.api.problems import Refused, bug, respond, translate
from plimsoll.edges.api.schemas import QuoteRow
from plimsoll.edges.api.stream_frames import Framed
from plimsoll.edges.api.stream_hub import TALKATIVE, Ending, LineCut, Pace, Sight, Streams
from plimsoll.edges.api.stream_ticker import Prices, Ticker
from plimsoll.ledger import keys
from plimsoll.ledger.follow import DESK
from plimsoll.model.account import Account
from plimsoll.model.errors import Illegal, PlimsollError
from plimsoll.model.ids import AccountId
from plimsoll.model.instrument import Instrument
from plimsoll.model.quote import Quote
from plimsoll.people.actor import Actor, Right

if TYPE_CHECKING:
    from plimsoll.edges.api.estate import Estate
    from plimsoll.edges.served import ServedDesk

router = APIRouter(prefix=API, tags=["stream"])

#: More than anybody sends who only listens. How large one may be is the server's to say.
_MOST_MESSAGES = 100
_NUMBER = re.compile(r"[0-9]{1,18}")
_HOW_TO_ASK = "give the number of the last event you have, such as 17; or leave it out, to follow from now"
#: A browser that lost the line comes back after a second.
_RETRY = b"retry: 1000\n\n"
_AFTER = {
    "name": "after",
    "in": "query",
    "required": False,
    "description": "Number of the last event you have: everything after it comes first. Left out: from now.",
    "schema": {"type": "integer", "minimum": 0},
}


class Frame(RootModel[schemas.Frame]):
    """One message of the stream; `type` says which."""


class _EventStream(JSONResponse):
    """Server-Sent Events to one subscriber. JSON by kind, so that the document describes what the events hold."""

    media_type = "text/event-stream"

    def __init__(self, actor: Actor) -> None:
        self.actor = actor
        self.status_code, self.background = 200, None
        # A proxy that collects an answer before it passes it on would show nothing, ever.
        self.init_headers({"cache-control": "no-store", "x-accel-buffering": "no"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        streams = _streams(request)
        # Here and not before: whoever is taken in is served, and so is let go.
        subscriber = streams.enter(self.actor, _place(request))
        await streams.serve(subscriber, _EventLine(self.raw_headers, receive, send))


@router.get(
    "/stream",
    response_class=_EventStream,
    response_model=None,
    responses={200: {"model": Frame, "description": "Server-Sent Events; the data of each is a frame."}},
    openapi_extra={"parameters": [_AFTER]},
)
async def follow_stream(caller: Reader, request: Request) -> _EventStream:
    """Follow what happens: events by number, the newest quotes and figures. The same path is a WebSocket."""
    if not is_from_here(request):
        raise _foreign()
    return _EventStream(caller.actor)


@router.websocket("/stream")
async def open_stream(socket: WebSocket) -> None:
    """Follow the same over a WebSocket."""
    streams = _streams(socket)
    try:
        subscriber = streams.enter(_admit(socket), _place(socket))
    except PlimsollError as failure:
        await _turn_away(socket, translate(failure) or bug())
    else:
        await streams.serve(subscriber, _SocketLine(socket))


def streams_of(desk: "ServedDesk", estate: "Estate", pace: Pace | None = None) -> Streams:
    """Put the streams of a desk together."""

    def account(account_id: AccountId) -> Account:
        found: Account = desk.books.hot.get(keys.account(account_id))
        return found

    def sight_of(actor: Actor) -> Sight:
        whole = [served.ports.account_id for served in estate.accounts(actor)]
        # What happens to the desk itself is its keeper's business.
        keeper = actor.user.role == "admin" and actor.may(Right.ADMIN)
        # A key for one portfolio sees the prices of its account; an event does not say whose it is among several.
        priced = frozenset(portfolio.account_id for portfolio in estate.portfolios(actor))
        return Sight(frozenset([*whole, DESK] if keeper else whole), priced)

    def shown(account_id: AccountId, quote: Quote) -> QuoteRow:
        instrument: Instrument = desk.books.hot.get(keys.instrument(quote.instrument_id))
        return quote_row(desk.accounts[account_id], instrument, quote, desk.clock.now())

    prices = {
        account_id: Prices(account(account_id).price_source, served.ports.board)
        for account_id, served in desk.accounts.items()
    }
    return Streams(
        desk.events,
        Ticker(prices, shown, desk.clock),
        clock=desk.clock,
        accounts=frozenset([*desk.accounts, DESK]),
        sight_of=sight_of,
        name=lambda account_id: account(account_id).uid,
        pulse=lambda account_id: pulse(desk, desk.accounts[account_id]),
        is_alive=desk.people.is_alive,
        pace=pace,
    )


# ------------------------------------------------------------------------------------------------------- at the door


def _streams(connection: HTTPConnection) -> Streams:
    streams: Streams = connection.app.state.streams
    return streams


def _admit(socket: WebSocket) -> Actor:
    api: Api = socket.app.state.api
    by_key = "authorization" in socket.headers
    if not is_from_here(socket) or not (by_key or "origin" in socket.headers):
        raise _foreign()
    actor = find_actor(api.desk, socket)
    if actor is None:
        raise Refused(401, "not_signed_in", "sign in, or send `Authorization: Bearer` with an API key")
    if not actor.may(Right.READ):
        raise Refused(403, "right_missing", f"this needs the right `{Right.READ}`")
    Caller(api, actor).spend(writes=False)
    return actor


def _foreign() -> Refused:
    return Refused(403, "foreign_origin", "a stream is opened by this desk's own page, or with an API key")


def _place(connection: HTTPConnection) -> int | None:
    """Read from which number somebody wants to follow; what a browser adds when it comes back is the newer word.

    Raises: Illegal
    """
    again = connection.headers.get("last-event-id")
    said = [again] if again else connection.query_params.getlist("after")
    if not said:
        return None
    if len(said) > 1 or not _NUMBER.fullmatch(said[0]):
        raise Illegal("after", ", ".join(said)[:50], _HOW_TO_ASK)
    return int(said[0])


async def _turn_away(socket: WebSocket, refused: Refused) -> None:
    if "origin" in socket.headers and is_from_here(socket):
        # Our own page: a browser would tell it of the problem no more than that the socket could not be opened.
        await socket.accept()
        await socket.close(4000 + refused.status, refused.code)
    else:
        await socket.send_denial_response(respond(refused, socket.state.request_id))


# -------------------------------------------------------------------------------------------------------- both lines


class _SocketLine:
    """A WebSocket: a message is a frame."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket

    async def open(self) -> None:
        with _cuts():
            await self._socket.accept()

    async def send(self, some: Sequence[Framed]) -> None:
        with _cuts():
            for framed in some:
                await self._socket.send_text(framed.text)

    async def listen(self) -> Ending | None:
        for _ in range(_MOST_MESSAGES):
            if (await self._socket.receive())["type"] == "websocket.disconnect":
                return None
        return TALKATIVE

    async def close(self, ending: Ending) -> None:
        with _cuts():
            await self._socket.close(ending.code, ending.reason)


class _EventLine:
    """Server-Sent Events: one answer that does not end."""

    def __init__(self, headers: Sequence[tuple[bytes, bytes]], receive: Receive, send: Send) -> None:
        self._headers, self._receive, self._send = headers, receive, send

    async def open(self) -> None:
        with _cuts():
            await self._send({"type": "http.response.start", "status": 200, "headers": self._headers})
            await self._body(_RETRY)

    async def send(self, some: Sequence[Framed]) -> None:
        with _cuts():
            await self._body(b"".join([framed.as_server_sent() for framed in some]))

    async def listen(self) -> Ending | None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        return None

    async def close(self, ending: Ending) -> None:
        with _cuts():
            await self._body(f": {ending.code} {ending.reason}\n\n".encode(), more=False)

    async def _body(self, data: bytes, *, more: bool = True) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": more})


@contextmanager
def _cuts() -> Iterator[None]:
    try:
        yield
    # `RuntimeError` is how servers say that they have closed it themselves, after a silent peer or broken bytes.
    except (WebSocketDisconnect, OSError, RuntimeError) as cut:
        raise LineCut from cut
