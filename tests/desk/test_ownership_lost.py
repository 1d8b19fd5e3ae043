"""A desk whose book another process took over: whatever it is asked, nothing of it reaches the venue."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from plimsoll.desk.cancel_order import cancel_all, cancel_order
from plimsoll.desk.flatten import flatten
from plimsoll.desk.place_order import place_order
from plimsoll.desk.stop_trading import stop_trading
from plimsoll.model.account import TradingState
from plimsoll.model.order import Side
from plimsoll.store.connection import OwnershipLost
from plimsoll.store.scribe import Unit
from tests.builders.desk import ACCOUNT, Desk, play


async def _taken_over(_unit: Unit) -> object:
    raise OwnershipLost


async def _at_the_venue(desk: Desk) -> tuple[object, ...]:
    venue = desk.paper.venue
    return await venue.open_orders(ACCOUNT), await venue.account(ACCOUNT)


async def _buy(desk: Desk) -> None:
    with pytest.raises(OwnershipLost):
        await place_order(desk.ports, desk.intent(Side.BUY, "0.1"))


async def _cancel(desk: Desk) -> None:
    (waiting,) = await desk.paper.venue.open_orders(ACCOUNT)
    assert waiting.client_order_id is not None
    with pytest.raises(OwnershipLost):
        await cancel_order(desk.ports, waiting.client_order_id, actor="user:1")


async def _cancel_everything(desk: Desk) -> None:
    with pytest.raises(ExceptionGroup) as failed:
        await cancel_all(desk.ports, keep_protection=False, actor="guard:drawdown")
    assert failed.group_contains(OwnershipLost)


async def _flatten(desk: Desk) -> None:
    assert not (await flatten(desk.ports, actor="user:1", reason="test")).is_flat


async def _halt(desk: Desk) -> None:
    assert (await stop_trading(desk.ports, TradingState.HALTED, actor="user:1", reason="test")).failures


@pytest.mark.parametrize("command", [_buy, _cancel, _cancel_everything, _flatten, _halt])
def test_who_does_not_own_the_book_sends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Callable[[Desk], Awaitable[None]]
) -> None:
    """Law 9: neither an order, nor a close, nor a cancel of what the new owner counts on."""

    async def story(desk: Desk) -> None:
        await desk.buy("0.1")
        await desk.buy("0.1", price="49000")
        before = await _at_the_venue(desk)
        monkeypatch.setattr(desk.books, "write", _taken_over)
        await command(desk)
        assert await _at_the_venue(desk) == before
        monkeypatch.undo()

    play(tmp_path, story)
