"""Stop, close, and see what guards the accounts: halts, flatten, guards, margin.

Nothing here spends a rate where it reduces risk: whoever wants to stop may stop.
"""

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from plimsoll.edges.api import commands
from plimsoll.edges.api.access import Closer, Opener, Reader
from plimsoll.edges.api.answers import API, StrictRoute, answer
from plimsoll.edges.api.present import safety as shown
from plimsoll.edges.api.present import worth
from plimsoll.edges.api.schemas import (
    Closed,
    Flatten,
    Flattened,
    Guards,
    Halts,
    LiftHalt,
    ManualClose,
    MarginStatus,
    SetHalt,
    Stopped,
)

router = APIRouter(prefix=API, route_class=StrictRoute, tags=["safety"])


@router.get("/halts", response_model=Halts)
async def list_halts(caller: Reader) -> Response:
    """List every reason not to be ACTIVE, and the strictest state of all."""
    return answer(shown.halts(caller))


@router.post("/halts", response_model=Stopped)
async def set_halt(wish: SetHalt, closer: Closer) -> Response:
    """Stop, more or less; a halt never loosens one that is in force."""
    return answer(await commands.stop(closer, wish))


@router.post("/halts/lift", response_model=Halts)
async def lift_halt(wish: LiftHalt, opener: Opener) -> Response:
    """Take a halt out of force; a latched guard opens again and its peak starts anew."""
    await commands.lift(opener, wish)
    return answer(shown.halts(opener))


@router.post("/halts/flatten", response_model=Flattened)
async def flatten(wish: Flatten, closer: Closer) -> Response:
    """Stop opening, take back what waits, close everything, and say what is really flat."""
    return answer(await commands.flatten(closer, wish))


@router.get("/guards", response_model=Guards)
async def list_guards(caller: Reader) -> Response:
    """Tell what each guard sees now, and what it has seen and done before."""
    served = caller.estate.accounts(caller.actor)
    episodes = await run_in_threadpool(caller.book.watch.guard_episodes)
    return answer(shown.guards(caller, served, episodes))


@router.post("/guards/manual-close", response_model=Closed)
async def manual_close(wish: ManualClose, closer: Closer) -> Response:
    """Close one position; again is harmless, and closes only what is still open and not on its way."""
    return answer(await commands.close(closer, wish))


@router.get("/margin/status", response_model=MarginStatus)
async def margin_status(caller: Reader, account: str | None = None) -> Response:
    """Tell how deep an account is loaded."""
    return answer(worth.margin(caller, caller.estate.account(caller.actor, account)))
