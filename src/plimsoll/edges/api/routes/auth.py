"""Come in and leave: the one-time link, name and password, keys.

A session's token is only ever in its cookie, out of reach of scripts; a key's secret in the one answer that makes it.
"""

from fastapi import APIRouter, Request
from starlette.responses import Response

from plimsoll.edges.api.access import (
    Anybody,
    Caller,
    Ender,
    KeyKeeper,
    Person,
    Reader,
    SignedIn,
    Visitor,
    cookie_name,
)
from plimsoll.edges.api.answers import API, StrictRoute, answer, done
from plimsoll.edges.api.present import people as shown
from plimsoll.edges.api.problems import Refused
from plimsoll.edges.api.schemas import ChangePassword, Keys, MadeKey, Me, NewKey, RedeemLink, SignIn
from plimsoll.people.actor import Right

router = APIRouter(prefix=API, route_class=StrictRoute, tags=["auth"])


@router.post("/auth/link", response_model=Me)
async def redeem_link(link: RedeemLink, request: Request, visitor: Anybody) -> Response:
    """Come in by the one-time link and choose a password; every other session of the user ends."""
    token = await visitor.api.desk.people.redeem_link(link.token, link.password, visitor.origin)
    return signed_in(visitor, request, token)


@router.post("/auth/sign-in", response_model=Me)
async def sign_in(who: SignIn, request: Request, visitor: Anybody) -> Response:
    """Come in by name and password."""
    before = request.cookies.get(cookie_name(request))
    token = await visitor.api.desk.people.sign_in(who.name, who.password, visitor.origin, before)
    return signed_in(visitor, request, token)


@router.post("/auth/sign-out", status_code=204)
async def sign_out(request: Request, person: Person) -> Response:
    """Leave: the session ends here and now."""
    await person.desk.people.sign_out(person.actor)
    response = done()
    _set_cookie(response, request, "", max_age=0)
    return response


@router.get("/auth/me", response_model=Me)
async def me(caller: SignedIn) -> Response:
    """Tell who is asking, and what he may do."""
    return answer(shown.me(caller.actor))


@router.post("/auth/password", status_code=204)
async def change_password(wish: ChangePassword, person: Person) -> Response:
    """Choose another password; every other session ends."""
    await person.desk.people.change_password(person.actor, wish.current, wish.new)
    return done()


@router.get("/keys", response_model=Keys)
async def list_keys(keeper: Reader) -> Response:
    """List the caller's keys, without their secrets; a key that may not keep keys sees itself alone."""
    mine = keeper.desk.people.keys_of(keeper.actor)
    records = [record for record in mine if keeper.keeps_keys or record.uid == keeper.actor.token_uid]
    return answer(Keys(items=[shown.key(record, keeper.estate.seen(keeper.actor)) for record in records]))


@router.post("/keys", response_model=MadeKey, status_code=201)
async def make_key(wish: NewKey, keeper: KeyKeeper) -> Response:
    """Make a key; its secret is in this answer and nowhere else, so keep it."""
    _refuse_narrowed(keeper)
    mine = keeper.estate.seen(keeper.actor)
    portfolios = None
    if wish.portfolios is not None:
        portfolios = frozenset(keeper.estate.portfolio(keeper.actor, said).id for said in wish.portfolios)
    rights = frozenset(Right(right) for right in wish.rights)
    record, secret = await keeper.desk.people.make_key(keeper.actor, wish.name, rights, wish.days, portfolios)
    return answer(MadeKey(**shown.key(record, mine).model_dump(), secret=secret), 201)


@router.delete("/keys/{key_id}", status_code=204)
async def revoke_key(key_id: str, ender: Ender) -> Response:
    """End a key; what it holds open is closed within seconds. Every key may end itself."""
    if key_id != ender.actor.token_uid:
        _refuse_narrowed(ender)
    await ender.desk.people.revoke_key(ender.actor, key_id)
    return done()


def _refuse_narrowed(caller: Caller) -> None:
    if caller.actor.portfolios is not None:
        # Whatever it names: the keys of the other portfolios are no business of a key for some.
        raise Refused(403, "key_narrowed", "a key for some portfolios keeps no keys: sign in, or use one for all")


def signed_in(visitor: Visitor, request: Request, token: str) -> Response:
    """Let somebody who has proved who he is keep it, in his browser's cookie.

    Raises: Refused
    """
    actor = visitor.api.desk.people.session(token)
    if actor is None:
        # Signed out everywhere in the very moment of coming in.
        raise Refused(401, "not_signed_in", "the session has ended again: sign in once more")
    response = answer(shown.me(actor))
    _set_cookie(response, request, token)
    return response


def _set_cookie(response: Response, request: Request, token: str, max_age: int | None = None) -> None:
    # Without an age it goes when the browser is closed; the session itself ends earlier, and on this side.
    response.set_cookie(
        cookie_name(request),
        token,
        max_age=max_age,
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
