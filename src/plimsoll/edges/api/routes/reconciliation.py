"""The book against the venue, for people: how it stands, what was found, what is to be done about it."""

import re
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Path
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from plimsoll.desk.settle_differences import resolve_break, settle_external_order
from plimsoll.edges.api.access import Caller, Reader, Trader
from plimsoll.edges.api.answers import API, StrictRoute, answer
from plimsoll.edges.api.present import reconciliation as shown
from plimsoll.edges.api.problems import missing
from plimsoll.edges.api.routes.orders import Cursor, Limit
from plimsoll.edges.api.schemas import (
    AttemptsPage,
    BreakRow,
    BreaksPage,
    ComparisonsPage,
    ExternalOrderRow,
    ExternalOrders,
    Reconciliation,
    ResolveBreak,
    SettleExternal,
)
from plimsoll.ledger.external_orders import ExternalStatus

if TYPE_CHECKING:
    from plimsoll.edges.served import ServedAccount

router = APIRouter(prefix=API, route_class=StrictRoute, tags=["reconciliation"])

#: Id of an account.
Named = Annotated[str, Path(max_length=200)]
#: Id of something that is counted within an account: the account's, a dot, and its number.
Counted = Annotated[str, Path(max_length=220)]
_NUMBER = re.compile(r"[1-9][0-9]{0,15}")


@router.get("/reconciliation/{account}", response_model=Reconciliation)
def get_reconciliation(account: Named, caller: Reader) -> Response:
    """Tell how an account's book stands to its venue; with the caller's own user id, all of his accounts together."""
    return answer(shown.state(caller, _meant(caller, account)))


@router.post("/reconciliation/{account}/sync", response_model=Reconciliation)
async def sync(account: Named, caller: Trader) -> Response:
    """Compare with the venue now, and tell how it stands."""
    meant = _meant(caller, account)
    for served in meant:
        await served.attendant.sync()
    return answer(await run_in_threadpool(shown.state, caller, meant))


@router.get("/reconciliation/{account}/log", response_model=ComparisonsPage)
def list_comparisons(account: Named, caller: Reader, cursor: Cursor = None, limit: Limit = 100) -> Response:
    """List what comparisons came to, newest first."""
    return answer(shown.log_page(caller, _one(caller, account).ports.account_id, cursor=cursor, limit=limit))


@router.get("/reconciliation/{account}/breaks", response_model=BreaksPage)
def list_breaks(
    account: Named, caller: Reader, *, open_only: bool = True, cursor: Cursor = None, limit: Limit = 100
) -> Response:
    """List differences that wait for a person, the newest found first; with `open_only=false` ended ones, too."""
    account_id = _one(caller, account).ports.account_id
    return answer(shown.breaks_page(caller, account_id, open_only=open_only, cursor=cursor, limit=limit))


@router.post("/reconciliation/{account}/breaks/{break_id}/resolve", response_model=BreakRow)
async def resolve(account: Named, break_id: Counted, wish: ResolveBreak, caller: Trader) -> Response:
    """Say what became of a difference; one that is found again comes back as a new one."""
    ports = _one(caller, account).ports
    resolved = await resolve_break(ports, _number(account, break_id), wish.resolution, caller.actor)
    if resolved is None:
        raise missing()
    return answer(shown.break_row(caller, resolved))


@router.get("/reconciliation/{account}/external-orders", response_model=ExternalOrders)
async def list_external_orders(account: Named, caller: Reader) -> Response:
    """List the orders that wait at the venue and are none of the book's."""
    return answer(shown.waiting(caller, _one(caller, account).ports.account_id))


@router.post("/reconciliation/{account}/external-orders/{external_id}", response_model=ExternalOrderRow)
async def settle_external(account: Named, external_id: Counted, wish: SettleExternal, caller: Trader) -> Response:
    """Say what such an order is; it stays at the venue, and the work-list names it no more."""
    ports, number = _one(caller, account).ports, _number(account, external_id)
    settled = await settle_external_order(ports, number, ExternalStatus(wish.status), caller.actor)
    if settled is None:
        raise missing()
    return answer(shown.external_row(caller, settled))


@router.get("/accounts/{account}/sync-log", response_model=AttemptsPage)
def list_attempts(account: Named, caller: Reader, cursor: Cursor = None, limit: Limit = 100) -> Response:
    """List attempts to hear from an account's venue, newest first; they are kept thirty days."""
    return answer(shown.attempts_page(caller, _one(caller, account).ports.account_id, cursor=cursor, limit=limit))


def _one(caller: Caller, account: str) -> "ServedAccount":
    return caller.estate.account(caller.actor, account)


def _number(account: str, said: str) -> int:
    of, _, number = said.rpartition(".")
    if of != account or not _NUMBER.fullmatch(number):
        raise missing()
    return int(number)


def _meant(caller: Caller, said: str) -> list["ServedAccount"]:
    mine = caller.estate.accounts(caller.actor) if said == caller.actor.user.uid else []
    return mine or [_one(caller, said)]
