"""How the desk is: for people, for a load balancer, for whoever starts it."""

from fastapi import APIRouter
from starlette.responses import Response

from plimsoll.edges.api.access import Anybody
from plimsoll.edges.api.answers import API, StrictRoute, answer
from plimsoll.edges.api.present import system as shown
from plimsoll.edges.api.schemas import Health

router = APIRouter(prefix=API, route_class=StrictRoute, tags=["system"])


@router.get("/system/health", response_model=Health)
async def health(visitor: Anybody) -> Response:
    """Tell whether the desk can trade. Whose prices are how old is told to their owner only."""
    own = [] if visitor.actor is None else visitor.api.estate.accounts(visitor.actor)
    return answer(shown.health(visitor.api.desk, own))
