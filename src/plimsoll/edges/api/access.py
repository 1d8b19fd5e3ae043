"""Who is asking, and what he may do: asked before every route, and a route that does not say what it needs is no route.

Rule 1. Deny by default. A route names a right, or that it is `PUBLIC`, or that it needs no more than a sign-in; the
        application refuses to be put together with one that names nothing (`app.check_rights`).
Rule 2. A token is a session's cookie, or a key behind `Authorization: Bearer`. A header that is there is the only one
        looked at: a wrong key is not made good by a cookie that a browser sent along.
Rule 3. A write that a browser could be made to send (a cookie, or nothing yet) carries `X-Plimsoll: 1`, which no form
        and no foreign page can add, and comes from this very host. Every write from another origin is refused, with
        whatever token. Nothing changes by a GET.
Rule 4. Rates are spent before the work, and never for what only reduces risk. A body that is refused reduces nothing,
        so it is never free.
Rule 5. Who is asking is known before his body is read (`answers.StrictRoute`): nothing is looked into for somebody who
        may not ask at all.

What must not enter: whose object something is (`estate`), and trading states (the gate).
"""

from collections.abc import Hashable
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.routing import APIRoute
from starlette.requests import HTTPConnection

from plimsoll.edges.api.problems import Refused
from plimsoll.edges.api.rates import Budget, Rate, Rates
from plimsoll.ledger.reading.reader import Own
from plimsoll.model.ids import Ids
from plimsoll.people.actor import Actor, Right, Via

if TYPE_CHECKING:
    from plimsoll.edges.api.estate import Estate
    from plimsoll.edges.served import ServedDesk

#: Over https; the prefix makes browsers refuse it from anywhere else, or for a part of the site.
SECURE_COOKIE = "__Host-plimsoll"
#: Over http on this machine, where browsers keep no `__Host-` cookie.
PLAIN_COOKIE = "plimsoll"
_BEARER = "bearer "
_READS = frozenset({"GET", "HEAD"})
#: Where a request keeps who was let in with it.
_LET_IN = "plimsoll.let_in"
_MEND = "; this one's body was refused, too: mend it, and it is not kept waiting"
#: What a browser says of a request that its own page, or the person in its address bar, has made.
_FROM_HERE = frozenset({"same-origin", "none"})


@dataclass(frozen=True, slots=True)
class Api:
    """What every route works with."""

    desk: "ServedDesk"
    estate: "Estate"
    ids: Ids
    rates: Rates
    budget: Budget


class Need(Enum):
    """What a route asks for where it is no right."""

    #: Nothing: anybody may.
    PUBLIC = auto()
    #: To be somebody, in whatever state: a person who waits for approval may see that, and leave.
    SIGNED_IN = auto()


class Cost(Enum):
    """What a request spends of its user's rate."""

    READ = auto()
    WRITE = auto()
    #: It only reduces risk, or its handler looks at the body first and spends by itself.
    FREE = auto()


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody at the door of a route."""

    api: Api
    actor: Actor

    @property
    def desk(self) -> "ServedDesk":
        return self.api.desk

    @property
    def estate(self) -> "Estate":
        return self.api.estate

    @property
    def book(self) -> Own:
        """What the book has to tell him."""
        return self.desk.reader.of(self.actor.asker)

    @property
    def keeps_keys(self) -> bool:
        """Say whether he may see and end keys beside his own: a person, or a key to keep keys that nothing narrows.

        A key for some portfolios only must not reach past them, and it would by the keys of the others.
        """
        actor = self.actor
        return actor.via is Via.SESSION or (actor.may(Right.ADMIN) and actor.portfolios is None)

    def spend(self, *, writes: bool, remark: str = "") -> None:
        """Take one request off his rate.

        Raises: Refused
        """
        actor = self.actor
        rate = self.api.rates.of(actor.via, writes=writes)
        _spend(self.api, (actor.user.id, actor.via, writes), rate, "writes" if writes else "reads", remark)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who may be anybody."""

    api: Api
    #: Known all the same, if he showed a token that is one.
    actor: Actor | None
    origin: str


class Access:
    """Asks for what a route needs, and gives who is there."""

    __slots__ = ("cost", "need", "via")

    def __init__(self, need: Right | Need, *, cost: Cost = Cost.READ, via: Via | None = None) -> None:
        self.need, self.cost, self.via = need, cost, via

    async def __call__(self, request: Request) -> Caller:
        """Let a caller in; who was let in with this request already is neither asked again, nor does he pay again.

        Raises: Refused
        """
        known: Caller | None = request.scope.get(_LET_IN)
        if known is None:
            known = request.scope[_LET_IN] = self._let_in(request)
        return known

    async def charge(self, request: Request) -> None:
        """Take a body that was refused off the rate of who sent it, where his request was free until then.

        Raises: Refused
        """
        if self.cost is Cost.FREE:
            (await self(request)).spend(writes=True, remark=_MEND)

    def _let_in(self, request: Request) -> Caller:
        api: Api = request.app.state.api
        actor = find_actor(api.desk, request)
        check_origin(request)
        if actor is None:
            raise _who_are_you()
        if isinstance(self.need, Right) and not actor.may(self.need):
            raise Refused(
                403,
                "right_missing",
                f"this needs the right `{self.need}`",
                headers={"WWW-Authenticate": 'Bearer error="insufficient_scope"'},
            )
        if self.via is not None and actor.via is not self.via:
            raise Refused(403, "session_needed", "a person has to do this, signed in: a key may not")
        caller = Caller(api, actor)
        if self.cost is not Cost.FREE:
            caller.spend(writes=self.cost is Cost.WRITE)
        return caller


class Open:
    """Lets anybody in."""

    need = Need.PUBLIC

    async def __call__(self, request: Request) -> Visitor:
        """Let a visitor in, once with each request; a write must still come from this host.

        Raises: Refused
        """
        known: Visitor | None = request.scope.get(_LET_IN)
        if known is None:
            api: Api = request.app.state.api
            check_origin(request)
            known = request.scope[_LET_IN] = Visitor(api, find_actor(api.desk, request), peer_of(request))
        return known

    async def charge(self, request: Request) -> None:
        """Take a body that was refused off the rate of who sent it.

        Strangers share one rate: addresses are many, and are kept for nobody. It binds only what is refused anyway.

        Raises: Refused
        """
        visitor = await self(request)
        if visitor.actor is not None:
            Caller(visitor.api, visitor.actor).spend(writes=True, remark=_MEND)
        else:
            api = visitor.api
            _spend(api, "strangers", api.rates.of(Via.SESSION, writes=True), "bodies that are refused", _MEND)


Anybody = Annotated[Visitor, Depends(Open())]
SignedIn = Annotated[Caller, Depends(Access(Need.SIGNED_IN))]
#: Somebody who ends what is his: the people room knows which token may end which.
Ender = Annotated[Caller, Depends(Access(Need.SIGNED_IN, cost=Cost.FREE))]
#: A person in a browser, in whatever state: to leave, or to choose another password, which has a throttle of its own.
Person = Annotated[Caller, Depends(Access(Need.SIGNED_IN, cost=Cost.FREE, via=Via.SESSION))]
Reader = Annotated[Caller, Depends(Access(Right.READ))]
Trader = Annotated[Caller, Depends(Access(Right.TRADE, cost=Cost.WRITE))]
#: For what reduces risk, and for orders, whose handler looks whether they do.
Closer = Annotated[Caller, Depends(Access(Right.TRADE, cost=Cost.FREE))]
#: For what lets trading begin again: what a person has stopped, or a guard, no key starts.
Opener = Annotated[Caller, Depends(Access(Right.TRADE, cost=Cost.WRITE, via=Via.SESSION))]
KeyKeeper = Annotated[Caller, Depends(Access(Right.ADMIN, cost=Cost.WRITE))]


def need_of(route: APIRoute) -> Access | Open | None:
    """Give what a route asks of its caller, None when it forgot to."""
    guards = (inner.call for inner in route.dependant.dependencies)
    return next((guard for guard in guards if isinstance(guard, Access | Open)), None)


def find_actor(desk: "ServedDesk", connection: HTTPConnection) -> Actor | None:
    """Find who is on the other side of a request or a WebSocket, from its token; None for nobody we know."""
    said = connection.headers.get("authorization")
    if said is not None:
        if said[: len(_BEARER)].lower() != _BEARER:
            return None
        return desk.people.key(said[len(_BEARER) :].strip(), peer_of(connection))
    token = connection.cookies.get(cookie_name(connection))
    return desk.people.session(token) if token else None


def cookie_name(connection: HTTPConnection) -> str:
    """Name the session's cookie on this connection."""
    return SECURE_COOKIE if connection.url.scheme in ("https", "wss") else PLAIN_COOKIE


def peer_of(connection: HTTPConnection) -> str:
    """Name where a connection comes from."""
    return connection.client.host if connection.client is not None else ""


def is_from_here(connection: HTTPConnection) -> bool:
    """Say whether a browser's word about where a request comes from names this host; no word is no foreign page."""
    headers = connection.headers
    if headers.get("sec-fetch-site", "none") not in _FROM_HERE:
        return False
    origin = headers.get("origin")
    # Compared with the Host that the door has let in. The scheme may differ: TLS ends at a proxy.
    return origin is None or _netloc(origin) == headers.get("host")


def _netloc(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:  # no address at all
        return None


def check_origin(request: Request) -> None:
    """Refuse a write that another page, or a form, could have sent in somebody's name.

    Raises: Refused
    """
    if request.method in _READS:
        return
    if not is_from_here(request):
        raise Refused(403, "foreign_origin", "a write has to come from this desk's own page, or from no page at all")
    if "authorization" not in request.headers and request.headers.get("x-plimsoll") != "1":
        raise Refused(403, "header_missing", "a write without an API key carries the header `X-Plimsoll: 1`")


def _spend(api: Api, who: Hashable, rate: Rate, what: str, remark: str) -> None:
    wait = api.budget.spend(who, rate, api.desk.clock.monotonic())
    if wait > 0:
        raise Refused(
            429,
            "too_many",
            f"{what} are limited to {rate.per_second:g} a second, {rate.burst} at once{remark}",
            headers={"Retry-After": str(int(wait) + 1)},
        )


def _who_are_you() -> Refused:
    return Refused(
        401,
        "not_signed_in",
        "sign in, or send `Authorization: Bearer` with an API key",
        headers={"WWW-Authenticate": "Bearer"},
    )
