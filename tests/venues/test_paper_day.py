"""Whatever is sent, whatever the market does and whenever the venue is killed: its books close to the last digit."""

from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.model.errors import GiveUp
from plimsoll.model.ids import ClientOrderId
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import Side
from plimsoll.venues.paper.rules import PaperRules
from tests.builders.approved import ACCOUNT, approved, id_of
from tests.builders.paper import PERPETUAL, SPOT, D, PaperWorld, play

quantities = st.integers(1, 4000).map(lambda lots: f"{D(lots) / 100}")
prices = st.integers(80, 120).map(str)
sides = st.sampled_from([Side.BUY, Side.SELL])
markets = st.sampled_from([SPOT, PERPETUAL])

events = st.lists(
    st.one_of(
        st.tuples(st.just("market"), sides, quantities, markets, st.booleans()),
        st.tuples(st.just("limit"), sides, quantities, markets, prices),
        st.tuples(st.just("stop"), sides, quantities, markets, prices),
        st.tuples(st.just("cancel"), st.integers(0, 30)),
        st.tuples(st.just("quote"), markets, prices),
        st.tuples(st.just("bar"), markets, prices, prices, prices, prices),
        st.tuples(st.just("kill")),
    ),
    max_size=30,
)


async def live_through(world: PaperWorld, day: list[tuple[object, ...]]) -> None:
    for number, event in enumerate(day):
        try:
            match event:
                case ("market", Side() as side, str(quantity), Instrument() as market, bool(reduces)):
                    await world.venue.place(approved(f"{number}", side, quantity, market, reduce_only=reduces))
                case ("limit", Side() as side, str(quantity), Instrument() as market, str(price)):
                    await world.venue.place(approved(f"{number}", side, quantity, market, price=price))
                case ("stop", Side() as side, str(quantity), Instrument() as market, str(price)):
                    await world.venue.place(approved(f"{number}", side, quantity, market, stop=price))
                case ("cancel", int(which)):
                    await world.venue.cancel(ACCOUNT, id_of(f"{which}"))
                case ("quote", Instrument() as market, str(price)):
                    await world.quote(price, of=market)
                case ("bar", Instrument() as market, str(first), str(one), str(other), str(last)):
                    numbers = sorted(map(int, (first, one, other, last)))
                    await world.minute(f"{first} {numbers[-1]} {numbers[0]} {last}", of=market)
                case _:
                    world.restart()
        except GiveUp:
            pass  # refused, or nothing to cancel: a part of the day
        # Asked at every price, so it may remember; what it remembers must never be old.
        assert await world.venue.equity(ACCOUNT) == (await world.account()).equity


@settings(max_examples=60)
@given(day=events, seed=st.integers(0, 3))
def test_the_books_close(day: list[tuple[object, ...]], seed: int) -> None:
    """Balances are deposits and trades; coins and spot cash never fall below zero; orders are their fills."""

    async def story(world: PaperWorld) -> None:
        for market in (SPOT, PERPETUAL):
            await world.quote("100", of=market)
        await live_through(world, day)

        account, trades = await world.account(), await world.all_trades()
        totals: dict[str, Decimal] = {"USDT": D(10000), "BTC": D(0)}
        position = D(0)
        filled: dict[ClientOrderId, Decimal] = {}
        for trade in trades:
            assert trade.client_order_id is not None
            filled[trade.client_order_id] = filled.get(trade.client_order_id, D(0)) + trade.quantity
            totals["USDT"] -= trade.fee
            if trade.instrument_id == PERPETUAL.id:
                assert trade.realized_cash is not None
                totals["USDT"] += trade.realized_cash
                position += trade.side.sign * trade.quantity
            else:
                totals["BTC"] += trade.side.sign * trade.quantity
                totals["USDT"] -= trade.side.sign * SPOT.notional(trade.quantity, trade.price)
        assert (await world.balance("USDT"), await world.balance("BTC")) == (totals["USDT"], totals["BTC"])
        assert sum((line.quantity for line in account.positions), D(0)) == position
        assert totals["BTC"] >= 0
        if all(trade.instrument_id == SPOT.id for trade in trades):
            assert totals["USDT"] >= 0
        for client_order_id, quantity in filled.items():
            order = await world.venue.order(ACCOUNT, client_order_id)
            assert order.filled_quantity == quantity <= order.quantity
        times = [(trade.exec_time, trade.sequence) for trade in trades]
        assert times == sorted(times)
        assert [trade.sequence for trade in trades] == list(range(1, len(trades) + 1))
        assert not any(order.state.is_final for order in await world.venue.open_orders(ACCOUNT))

    with TemporaryDirectory() as folder:
        play(Path(folder) / "paper.db", story, seed=seed, rules=PaperRules(partial_fill_probability=0.3, page_size=7))
