"""Bots and what they can run. Looking never trades."""

from fastapi import APIRouter
from starlette.responses import Response

from plimsoll.bots.catalogue import parameters_of, strategy_names
from plimsoll.edges.api import commands
from plimsoll.edges.api.access import Closer, Reader, Trader
from plimsoll.edges.api.answers import API, StrictRoute, answer
from plimsoll.edges.api.present import bots as shown
from plimsoll.edges.api.schemas import (
    BotRow,
    Bots,
    BotSignals,
    Evaluate,
    Evaluation,
    NewBot,
    Strategies,
    StrategyRow,
)

router = APIRouter(prefix=API, route_class=StrictRoute, tags=["bots"])

_PLAINLY = Evaluate()


@router.get("/bots", response_model=Bots)
async def list_bots(caller: Reader) -> Response:
    """List the caller's bots with what they make of the market."""
    return answer(Bots(items=[shown.bot_row(caller, seen) for seen in shown.bots(caller)]))


@router.post("/bots", response_model=BotRow, status_code=201)
async def make_bot(wish: NewBot, trader: Trader) -> Response:
    """Make a bot; it is STOPPED until somebody starts it."""
    return answer(await commands.make_bot(trader, wish), 201)


@router.get("/bots/signals", response_model=BotSignals)
async def list_signals(caller: Reader) -> Response:
    """Tell what each bot makes of the market, and what keeps it from trading."""
    return answer(BotSignals(items=[shown.signal_row(caller, seen) for seen in shown.bots(caller)]))


@router.get("/bots/{bot_id}", response_model=BotRow)
async def get_bot(bot_id: str, caller: Reader) -> Response:
    """Give one bot."""
    return answer(shown.bot(caller, bot_id))


@router.post("/bots/{bot_id}/start", response_model=BotRow)
async def start_bot(bot_id: str, trader: Trader) -> Response:
    """Let a bot decide from the next closed bar on."""
    return answer(await commands.start_bot(trader, bot_id))


@router.post("/bots/{bot_id}/stop", response_model=BotRow)
async def stop_bot(bot_id: str, closer: Closer) -> Response:
    """Let a bot decide no more; its position stays."""
    return answer(await commands.stop_bot(closer, bot_id))


@router.post("/bots/{bot_id}/evaluate", response_model=Evaluation)
async def evaluate_bot(bot_id: str, trader: Trader, wish: Evaluate = _PLAINLY) -> Response:
    """Have a bot decide now, through the same gate as ever. Without a body, plainly: nothing is forced."""
    return answer(await commands.evaluate_bot(trader, bot_id, wish))


@router.get("/strategies", response_model=Strategies)
async def list_strategies(caller: Reader) -> Response:
    """List what a bot can run, with every parameter and its default."""
    del caller  # everybody who may read sees the same
    items = [StrategyRow(name=name, params=dict(parameters_of(name))) for name in strategy_names()]
    return answer(Strategies(items=items))
