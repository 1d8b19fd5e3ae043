"""What every venue must do, as stories that any venue's fixture can run.

A venue's own test file makes a class of `VenueContract` and gives it a `tell` fixture that runs a story in a `Scene`:
an account with 10,000 of the quote asset on a spot and a perpetual market of one coin, at bid 49,999.5 and ask 50,000.
"""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Protocol

import pytest

from plimsoll.model.instrument import Instrument
from plimsoll.model.order import OrderState, Side
from plimsoll.model.trade import TradeReport
from plimsoll.model.venue import OrderReport
from plimsoll.venues.protocol import OrderNotFound, OrderRejected, Venue
from tests.builders.approved import ACCOUNT, approved, id_of, with_id_of

D = Decimal


class Scene(Protocol):
    """A venue in a market that the test can move."""

    @property
    def venue(self) -> Venue: ...
    @property
    def spot(self) -> Instrument: ...
    @property
    def perpetual(self) -> Instrument: ...

    async def price(self, bid: str, ask: str) -> None:
        """Move both markets, and come back when the venue has acted on it."""

    async def restart(self) -> None:
        """Start the venue (or our side of it) anew, without a goodbye."""


Story = Callable[[Scene], Awaitable[None]]
Tell = Callable[[Story], None]


class VenueContract:
    """The acceptance list."""

    def test_a_market_order_is_filled_and_found(self, tell: Tell) -> None:
        """A market order is filled whole, by fills that sum to it, and can be looked up by our own id."""

        async def story(scene: Scene) -> None:
            placed = await scene.venue.place(approved("a", Side.BUY, "0.01", scene.spot))
            assert placed.order.state is OrderState.FILLED
            assert sum(trade.quantity for trade in placed.trades) == D("0.01")
            assert await scene.venue.order(ACCOUNT, id_of("a")) == placed.order

        tell(story)

    def test_an_unknown_order_is_not_found(self, tell: Tell) -> None:
        """A look-up and a cancel of an id that was never sent say so."""

        async def story(scene: Scene) -> None:
            with pytest.raises(OrderNotFound):
                await scene.venue.order(ACCOUNT, id_of("never"))
            with pytest.raises(OrderNotFound):
                await scene.venue.cancel(ACCOUNT, id_of("never"))

        tell(story)

    def test_a_repeat_places_nothing(self, tell: Tell) -> None:
        """The same id with the same terms is the same order: one fill, one balance."""

        async def story(scene: Scene) -> None:
            order = approved("a", Side.BUY, "0.01", scene.spot)
            first = await scene.venue.place(order)
            before = await scene.venue.account(ACCOUNT)
            again = await scene.venue.place(order)
            await scene.restart()
            third = await scene.venue.place(order)
            assert first.order == again.order == third.order
            assert (again.trades, third.trades) == ((), ())
            after = await scene.venue.account(ACCOUNT)
            assert (after.cursor, after.balances) == (before.cursor, before.balances)

        tell(story)

    def test_two_at_once_with_one_id_are_one_order(self, tell: Tell) -> None:
        """Two workers that send the same intent at the same moment make one order."""

        async def story(scene: Scene) -> None:
            order = approved("a", Side.BUY, "0.01", scene.spot)
            first, second = await asyncio.gather(scene.venue.place(order), scene.venue.place(order))
            assert first.order.broker_order_id == second.order.broker_order_id
            assert len((await scene.venue.trades_since(ACCOUNT, 0)).trades) == 1

        tell(story)

    def test_an_id_cannot_mean_two_orders(self, tell: Tell) -> None:
        """The same id with other terms is refused and changes nothing."""

        async def story(scene: Scene) -> None:
            await scene.venue.place(approved("a", Side.BUY, "0.01", scene.spot))
            before = await scene.venue.account(ACCOUNT)
            with pytest.raises(OrderRejected) as refused:
                await scene.venue.place(with_id_of(approved("b", Side.BUY, "0.02", scene.spot), "a"))
            assert refused.value.code == "duplicate_client_order_id"
            after = await scene.venue.account(ACCOUNT)
            assert (after.cursor, after.balances) == (before.cursor, before.balances)

        tell(story)

    def test_a_refused_order_changes_nothing(self, tell: Tell) -> None:
        """An order beyond the funds is refused for good: no fill, no lock, nothing waiting."""

        async def story(scene: Scene) -> None:
            before = await scene.venue.account(ACCOUNT)
            for _attempt in range(2):
                with pytest.raises(OrderRejected) as refused:
                    await scene.venue.place(approved("a", Side.BUY, "5", scene.spot))
                assert refused.value.code == "insufficient_funds"
            assert (await scene.venue.account(ACCOUNT)).balances == before.balances
            assert await scene.venue.open_orders(ACCOUNT) == ()
            assert (await scene.venue.trades_since(ACCOUNT, 0)).trades == ()

        tell(story)

    def test_a_waiting_order_is_listed_until_it_ends(self, tell: Tell) -> None:
        """Open orders list what waits and never what has ended; a cancel that comes late changes nothing."""

        async def story(scene: Scene) -> None:
            for key, price in (("a", "49000"), ("b", "48000"), ("c", "47000")):
                placed = await scene.venue.place(approved(key, Side.BUY, "0.01", scene.spot, price=price))
                assert placed.order.state is OrderState.NEW
            canceled = await scene.venue.cancel(ACCOUNT, id_of("b"))
            assert canceled.state is OrderState.CANCELED
            await scene.price("48999", "48999.5")
            assert [order.client_order_id for order in await scene.venue.open_orders(ACCOUNT)] == [id_of("c")]
            filled = await scene.venue.cancel(ACCOUNT, id_of("a"))
            assert filled.state is OrderState.FILLED
            assert filled == await scene.venue.order(ACCOUNT, id_of("a"))

        tell(story)

    def test_a_restart_keeps_orders_and_books(self, tell: Tell) -> None:
        """Whatever was acknowledged is there after a restart, and goes on from there."""

        async def story(scene: Scene) -> None:
            await scene.venue.place(approved("a", Side.BUY, "0.01", scene.spot))
            await scene.venue.place(approved("b", Side.BUY, "0.01", scene.spot, price="49000"))
            before, waiting = await scene.venue.account(ACCOUNT), await scene.venue.open_orders(ACCOUNT)
            trades = await scene.venue.trades_since(ACCOUNT, 0)
            await scene.restart()
            after = await scene.venue.account(ACCOUNT)
            assert (after.cursor, after.balances) == (before.cursor, before.balances)
            assert await scene.venue.open_orders(ACCOUNT) == waiting
            assert await scene.venue.trades_since(ACCOUNT, 0) == trades
            await scene.price("48999", "48999.5")
            assert (await scene.venue.order(ACCOUNT, id_of("b"))).state is OrderState.FILLED

        tell(story)

    def test_pages_of_trades_are_complete_stable_and_in_order(self, tell: Tell) -> None:
        """Any page can be read again, and all pages together are all trades once, in the venue's order."""

        async def story(scene: Scene) -> None:
            placed = [
                await scene.venue.place(approved(f"{n}", (Side.BUY, Side.SELL)[n % 2], "0.01", scene.spot))
                for n in range(7)
            ]
            expected = [trade for answer in placed for trade in answer.trades]
            found: list[TradeReport] = []
            cursor, complete = 0, False
            while not complete:
                page = await scene.venue.trades_since(ACCOUNT, cursor)
                assert page == await scene.venue.trades_since(ACCOUNT, cursor)
                found, cursor, complete = [*found, *page.trades], page.cursor, page.complete
            assert found == expected
            assert [(trade.exec_time, trade.sequence) for trade in found] == sorted(
                (trade.exec_time, trade.sequence) for trade in found
            )
            assert len({trade.key for trade in found}) == 7
            last = await scene.venue.trades_since(ACCOUNT, cursor)
            assert (last.trades, last.cursor, last.complete) == ((), cursor, True)

        tell(story)

    def test_reduce_only_never_adds(self, tell: Tell) -> None:
        """A reduce-only order is refused where it would open, and cut where it would turn the position around."""

        async def story(scene: Scene) -> None:
            with pytest.raises(OrderRejected) as refused:
                await scene.venue.place(approved("a", Side.SELL, "0.1", scene.perpetual, reduce_only=True))
            assert refused.value.code == "reduce_only"
            await scene.venue.place(approved("b", Side.BUY, "0.1", scene.perpetual))
            with pytest.raises(OrderRejected):
                await scene.venue.place(approved("c", Side.BUY, "0.1", scene.perpetual, reduce_only=True))
            cut = await scene.venue.place(approved("d", Side.SELL, "0.3", scene.perpetual, reduce_only=True))
            assert (cut.order.state, cut.order.filled_quantity) == (OrderState.CANCELED, D("0.1"))
            assert (await scene.venue.account(ACCOUNT)).positions == ()

        tell(story)

    def test_the_cursor_moves_with_everything(self, tell: Tell) -> None:
        """Two answers with one cursor saw the same account: each change moves it, and looking does not."""

        async def story(scene: Scene) -> None:
            seen = [(await scene.venue.account(ACCOUNT)).cursor]

            async def moved() -> None:
                seen.append((await scene.venue.account(ACCOUNT)).cursor)
                assert seen[-1] > seen[-2]

            await scene.venue.place(approved("a", Side.BUY, "0.01", scene.spot, price="49000"))
            await moved()
            await scene.venue.place(approved("b", Side.BUY, "0.01", scene.spot, price="48000"))
            await moved()
            await scene.venue.cancel(ACCOUNT, id_of("b"))
            await moved()
            await scene.price("48999", "48999.5")
            await moved()
            await scene.venue.open_orders(ACCOUNT)
            await scene.venue.order(ACCOUNT, id_of("a"))
            assert (await scene.venue.account(ACCOUNT)).cursor == seen[-1]

        tell(story)

    def test_balances_are_the_deposit_and_the_trades(self, tell: Tell) -> None:
        """Every balance is what was paid in plus what the reported trades moved, to the last digit."""

        async def story(scene: Scene) -> None:
            before = await _totals(scene)
            for n, (side, quantity, market) in enumerate(
                [
                    (Side.BUY, "0.05", scene.spot),
                    (Side.SELL, "0.03", scene.spot),
                    (Side.SELL, "0.1", scene.perpetual),
                    (Side.BUY, "0.15", scene.perpetual),
                ]
            ):
                await scene.venue.place(approved(f"{n}", side, quantity, market))
                await scene.price(f"{50100 + 37 * n}", f"{50100 + 37 * n}.5")
            expected = dict(before)
            for trade in await _trades(scene):
                market = scene.spot if trade.instrument_id == scene.spot.id else scene.perpetual
                moved = {trade.fee_currency: -trade.fee}
                if market.is_derivative:
                    assert trade.realized_cash is not None
                    moved[market.settle] = moved.get(market.settle, D(0)) + trade.realized_cash
                else:
                    value = market.notional(trade.quantity, trade.price)
                    moved[market.base] = moved.get(market.base, D(0)) + trade.side.sign * trade.quantity
                    moved[market.quote] = moved.get(market.quote, D(0)) - trade.side.sign * value
                for asset, amount in moved.items():
                    expected[asset] = expected.get(asset, D(0)) + amount
            assert await _totals(scene) == expected

        tell(story)

    def test_fills_of_an_order_sum_to_what_it_says(self, tell: Tell) -> None:
        """An order's filled quantity is the sum of its trades and never more than was ordered."""

        async def story(scene: Scene) -> None:
            await scene.venue.place(approved("a", Side.BUY, "0.1", scene.spot))
            await scene.venue.place(approved("b", Side.SELL, "0.04", scene.spot, price="50500"))
            await scene.venue.place(approved("c", Side.SELL, "0.04", scene.spot, price="60000"))
            await scene.price("50600", "50601")
            trades = await _trades(scene)
            for key in ("a", "b", "c"):
                order = await scene.venue.order(ACCOUNT, id_of(key))
                filled = sum((trade.quantity for trade in trades if trade.client_order_id == id_of(key)), D(0))
                assert order.filled_quantity == filled <= order.quantity
                assert (order.state is OrderState.FILLED) == (filled == order.quantity)

        tell(story)

    def test_the_stream_tells_of_fills_of_waiting_orders(self, tell: Tell) -> None:
        """A fill that nobody asked for just now comes over the stream, equal to the one in the history."""

        async def story(scene: Scene) -> None:
            heard: list[object] = []
            scene.venue.listen(ACCOUNT, heard.extend)
            await scene.venue.place(approved("a", Side.BUY, "0.01", scene.spot, price="49000"))
            await scene.price("48999", "48999.5")
            (trade,) = (await scene.venue.trades_since(ACCOUNT, 0)).trades
            assert trade in heard
            orders = [event.order for event in heard if isinstance(event, OrderReport)]
            assert orders[-1] == await scene.venue.order(ACCOUNT, id_of("a"))

        tell(story)


async def _trades(scene: Scene) -> list[TradeReport]:
    """Read every page."""
    page = await scene.venue.trades_since(ACCOUNT, 0)
    found = list(page.trades)
    while not page.complete:
        page = await scene.venue.trades_since(ACCOUNT, page.cursor)
        found += page.trades
    return found


async def _totals(scene: Scene) -> dict[str, Decimal]:
    totals: dict[str, Decimal] = {}
    for line in (await scene.venue.account(ACCOUNT)).balances:
        totals[line.asset] = totals.get(line.asset, D(0)) + line.total
    return totals
