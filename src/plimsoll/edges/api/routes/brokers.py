"""What can be connected: the catalogue that the release brings, and that admins keep."""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from plimsoll.desk.keep_catalogue import add_broker, change_broker, remove_broker
from plimsoll.edges.api.access import KeyKeeper, Reader
from plimsoll.edges.api.answers import API, StrictRoute, answer, done
from plimsoll.edges.api.present import brokers as shown
from plimsoll.edges.api.schemas import BrokerDefinition, BrokerRow, Brokers, NewBroker
from plimsoll.ledger import brokers

router = APIRouter(prefix=API, route_class=StrictRoute, tags=["brokers"])

Slug = Annotated[str, Path(pattern="^[a-z0-9-]{1,60}$")]


@router.get("/brokers", response_model=Brokers)
async def list_brokers(caller: Reader) -> Response:
    """List what can be connected, with what each offers, charges, limits and asks for."""
    return answer(Brokers(items=[shown.broker_row(one) for one in brokers.listed(caller.desk.books.hot)]))


@router.post("/brokers", response_model=BrokerRow, status_code=201)
async def make_broker(wish: NewBroker, admin: KeyKeeper) -> Response:
    """Add a definition to the catalogue; a slug that was ever given is refused."""
    desk = admin.desk
    added = await add_broker(desk.books, shown.broker_of(wish.slug, wish), admin.actor, desk.clock)
    return answer(shown.broker_row(added), 201)


@router.post("/brokers/{slug}", response_model=BrokerRow)
async def replace_broker(slug: Slug, wish: BrokerDefinition, admin: KeyKeeper) -> Response:
    """Put another definition in the place of one; no release changes it from then on."""
    desk = admin.desk
    changed = await change_broker(desk.books, shown.broker_of(slug, wish), admin.actor, desk.clock)
    return answer(shown.broker_row(changed))


@router.delete("/brokers/{slug}", status_code=204)
async def delete_broker(slug: Slug, admin: KeyKeeper) -> Response:
    """Take a definition out of the list; refused while accounts live by it."""
    await remove_broker(admin.desk.books, slug, admin.actor, admin.desk.clock)
    return done()
