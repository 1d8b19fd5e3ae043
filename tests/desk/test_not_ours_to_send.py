"""A desk that is not certain to own its books any more: it reads and writes as before, and sends nothing."""

from pathlib import Path

import pytest

from plimsoll.desk.cancel_order import cancel_all, cancel_order
from plimsoll.desk.flatten import flatten
from plimsoll.model.errors import TryAgain
from plimsoll.model.order import OrderState
from tests.builders.desk import ACCOUNT, D, Desk, play

WHY = "the lease on these books was renewed 15.2 s ago and lasts 30 s"


def not_ours() -> str | None:
    return WHY


def ours() -> str | None:
    return None


async def at_the_venue(desk: Desk) -> tuple[object, ...]:
    venue = desk.paper.venue
    return await venue.open_orders(ACCOUNT), await venue.account(ACCOUNT)


def test_an_opening_order_ends_without_having_left(tmp_path: Path) -> None:
    """It is written, judged and expired, its reservation is free again, and the same key hears the same."""

    async def story(desk: Desk) -> None:
        await desk.quote("50000")
        before, reserved = await at_the_venue(desk), desk.reserved()
        desk.ports.may_send = not_ours
        answer = await desk.buy("0.1", key="one")
        assert answer.order is not None
        assert (answer.order.state, answer.order.reason) == (OrderState.EXPIRED, f"not sent: {WHY}")
        desk.ports.may_send = ours
        again = await desk.buy("0.1", key="one")
        assert (again.repeated, again.order) == (True, answer.order)
        assert await at_the_venue(desk) == before
        assert not desk.live()
        assert (desk.reserved(), desk.held()) == (reserved, D(0))
        # A new wish is another matter.
        assert (await desk.buy("0.1")).approved
        assert desk.held() == D("0.1")

    play(tmp_path, story)


def test_a_close_is_the_new_owners_to_send(tmp_path: Path) -> None:
    """Two desks that both close a position would turn it around."""

    async def story(desk: Desk) -> None:
        await desk.quote("50000")
        await desk.buy("0.1")
        before = await at_the_venue(desk)
        desk.ports.may_send = not_ours
        assert not (await flatten(desk.ports, actor="user:1", reason="test")).is_flat
        assert await at_the_venue(desk) == before
        assert desk.held() == D("0.1")
        desk.ports.may_send = ours
        assert (await flatten(desk.ports, actor="user:1", reason="test")).is_flat
        assert desk.held() == 0

    play(tmp_path, story)


def test_a_cancel_does_not_leave_either_and_may_be_asked_for_again(tmp_path: Path) -> None:
    """The order waits as before, here and there: it may be the stop that the new owner counts on."""

    async def story(desk: Desk) -> None:
        await desk.quote("50000")
        await desk.buy("0.1", price="49000")
        (order,) = desk.live()
        before = await at_the_venue(desk)
        desk.ports.may_send = not_ours
        with pytest.raises(TryAgain, match=r"not sent: the lease .* 15\.2 s ago"):
            await cancel_order(desk.ports, order.client_order_id, actor="user:1")
        with pytest.raises(ExceptionGroup) as failed:
            await cancel_all(desk.ports, keep_protection=False, actor="user:1")
        assert failed.group_contains(TryAgain)
        assert await at_the_venue(desk) == before
        assert desk.live() == [order]
        desk.ports.may_send = ours
        ended = await cancel_order(desk.ports, order.client_order_id, actor="user:1")
        assert ended.state is OrderState.CANCELED

    play(tmp_path, story)


def test_it_is_asked_last_of_all(tmp_path: Path) -> None:
    """What was ours when the order was written may be another's when it would leave."""

    async def story(desk: Desk) -> None:
        await desk.quote("50000")
        live_when_asked: list[list[OrderState]] = []

        def asked() -> str | None:
            live_when_asked.append([order.state for order in desk.live()])
            return WHY

        desk.ports.may_send = asked
        await desk.buy("0.1")
        assert live_when_asked == [[OrderState.PENDING]]

    play(tmp_path, story)
