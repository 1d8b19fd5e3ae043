"""An account whose book was restored: what only the venue knows is taken back, once, and nothing opens before that."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from plimsoll.desk.resync import RESTORED, adopt_what_was_lost, halt_restored
from plimsoll.ledger import keys
from plimsoll.ledger.log import Note, write_note
from plimsoll.ledger.orders import from_row
from plimsoll.model.account import Scope
from plimsoll.model.errors import TryAgain
from plimsoll.model.ids import ClientOrderId, InstrumentId, client_order_id
from plimsoll.model.order import OrderState, OrderType, Side
from plimsoll.risk.gate.verdict import Approved
from plimsoll.store.draft import Draft
from tests.builders.approved import approved
from tests.builders.desk import ACCOUNT, ALL, USER, Desk, play
from tests.builders.paper import SPOT

D = Decimal


def lost(key: str, side: Side, quantity: str, **said: str) -> Approved:
    """Give an order as a lost part of the book had approved it."""
    name = client_order_id("PLIM", ACCOUNT, USER, approved(key, side, quantity, SPOT).intent.key)
    return replace(approved(key, side, quantity, SPOT, **said), client_order_id=name)  # type: ignore[arg-type]


async def forget(desk: Desk, *orders: Approved) -> list[ClientOrderId]:
    """Let the venue have orders that the book knows nothing of, and the book know that it was restored."""
    desk.venue.loses_news = True
    for order in orders:
        await desk.paper.venue.place(order)
    now = desk.clock.now()

    def unit(draft: Draft) -> None:
        halt_restored(draft, ACCOUNT, "a copy was brought back", now)
        write_note(draft, Note(0, "desk:restored", "RESTORE", "BOOK", "now", now, {}))

    await desk.ports.books.write(unit)
    return [order.client_order_id for order in orders]


def order_of(desk: Desk, name: ClientOrderId) -> tuple[OrderState, Decimal, OrderType]:
    rows = desk.books.inner._scribe._connection.find("order_by_client_id", (ACCOUNT, name))
    assert len(rows) == 1
    order = from_row(rows[0])
    return order.state, order.filled_quantity, order.terms.type


def is_halted(desk: Desk) -> bool:
    return desk.ports.books.hot.get(keys.halt(Scope.ACCOUNT, ACCOUNT, RESTORED)) is not None


def test_orders_that_only_the_venue_knows_are_taken_back_with_what_they_bind(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.quote("50000")
        names = await forget(
            desk, lost("a", Side.BUY, "0.5"), lost("b", Side.BUY, "0.1", price="49000"), lost("c", Side.SELL, "0.2")
        )
        assert (await desk.start()).may_open
        assert [order_of(desk, name)[:2] for name in names] == [
            (OrderState.FILLED, D("0.5")),
            (OrderState.NEW, D(0)),
            (OrderState.FILLED, D("0.2")),
        ]
        assert desk.held() == D("0.3")
        reserved = desk.ports.books.hot.get(keys.reserved(ACCOUNT, "USDT"))
        assert reserved is not None
        assert reserved >= D(4_900)
        assert not is_halted(desk)
        assert desk.told.words().count("RESTORED") == 2
        assert await adopt_what_was_lost(desk.ports) == 0

    play(tmp_path, story)


def test_what_was_cancelled_half_filled_is_so_in_the_book(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.quote("50000")
        (name,) = await forget(desk, lost("a", Side.BUY, "0.1", price="49000"))
        await desk.paper.venue.cancel(ACCOUNT, name)
        assert (await desk.start()).may_open
        assert not is_halted(desk)
        # Nothing tells of an order that ended without a fill: the venue refuses its id.
        assert desk.books.inner._scribe._connection.find("order_by_client_id", (ACCOUNT, name)) == []

    play(tmp_path, story)


def test_a_venue_that_forgot_the_order_still_has_its_fill_and_its_id_is_used_up(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.quote("50000")
        (name,) = await forget(desk, lost("a", Side.BUY, "0.5"))
        desk.venue.hidden.add(name)
        assert (await desk.start()).may_open
        assert order_of(desk, name) == (OrderState.FILLED, D("0.5"), OrderType.MARKET)
        assert desk.held() == D("0.5")
        assert not is_halted(desk)

    play(tmp_path, story)


def test_while_the_venue_does_not_answer_nothing_is_taken_back_and_nothing_opens(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.quote("50000")
        (name,) = await forget(desk, lost("a", Side.BUY, "0.5"))
        desk.venue.down = True
        with pytest.raises(TryAgain):
            await desk.start()
        assert is_halted(desk)
        assert not (await desk.buy("0.01")).approved
        desk.venue.down = False
        assert (await desk.start()).may_open
        assert order_of(desk, name)[0] is OrderState.FILLED
        assert not is_halted(desk)

    play(tmp_path, story)


def test_an_order_that_makes_no_sense_stays_at_the_venue_for_a_person(tmp_path: Path) -> None:
    """The venue's word for a limit order has no price."""

    async def story(desk: Desk) -> None:
        await desk.quote("50000")
        await forget(desk, lost("a", Side.BUY, "0.1", price="49000"))
        inner, listed = desk.venue.inner, desk.venue.inner.open_orders

        async def without_price(account_id: object) -> object:
            return tuple(replace(order, price=None) for order in await listed(ACCOUNT))

        inner.open_orders = without_price  # type: ignore[method-assign, assignment]
        assert not (await desk.start()).may_open
        assert is_halted(desk)
        inner.open_orders = listed  # type: ignore[method-assign]
        assert (await desk.start()).may_open
        assert not is_halted(desk)

    play(tmp_path, story)


def test_an_order_of_an_instrument_that_the_book_does_not_know_stays_for_a_person(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.quote("50000")
        await forget(desk, lost("a", Side.BUY, "0.1", price="49000"))
        inner, listed = desk.venue.inner, desk.venue.inner.open_orders
        unknown = InstrumentId(max(each.id for each in ALL) + 1)

        async def elsewhere(account_id: object) -> object:
            return tuple(replace(order, instrument_id=unknown) for order in await listed(ACCOUNT))

        inner.open_orders = elsewhere  # type: ignore[method-assign, assignment]
        assert await adopt_what_was_lost(desk.ports) == 0
        assert is_halted(desk)
        inner.open_orders = listed  # type: ignore[method-assign]
        assert (await desk.start()).may_open

    play(tmp_path, story)
