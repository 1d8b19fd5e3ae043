"""The paper venue's own rules: the worked fill, recorded prices, funds, margin, locks, transfers, expiry, chance."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from plimsoll.model.errors import Illegal
from plimsoll.model.ids import AccountId, BrokerOrderId, BrokerTradeId
from plimsoll.model.order import OrderState, OrderType, Side, TimeInForce
from plimsoll.model.quote import Bar, Moment, Quote
from plimsoll.model.trade import TradeReport
from plimsoll.model.venue import OrderReport
from plimsoll.venues.paper.errors import PaperRefused
from plimsoll.venues.paper.rules import PaperRules
from plimsoll.venues.paper.slippage import FixedSlippage
from plimsoll.venues.protocol import OrderRejected
from tests.builders.approved import ACCOUNT, approved, id_of
from tests.builders.paper import BARS, CLOSED, COARSE, INVERSE, MINUTE, PERPETUAL, SPOT, START, PaperWorld, play

D = Decimal
NO_COSTS = PaperRules(maker_fee_ratio=D(0), taker_fee_ratio=D(0), slippage=FixedSlippage(D(0)))


@pytest.fixture
def books(tmp_path: Path) -> Path:
    return tmp_path / "paper.db"


async def state(world: PaperWorld, key: str) -> OrderState:
    return (await world.venue.order(ACCOUNT, id_of(key))).state


async def prices_paid(world: PaperWorld) -> list[Decimal]:
    return [trade.price for trade in await world.all_trades()]


# ------------------------------------------------------------------------------------------------------ fills


def test_the_worked_example(books: Path) -> None:
    """10,000 USDT, ask 50,002.5, 5 bps, fee 0.1 %: buying 0.01 BTC leaves 9,499.2247124875 USDT."""

    async def story(world: PaperWorld) -> None:
        await world.quote("49997.5", "50002.5")
        placed = await world.buy("a", "0.01")
        (trade,) = placed.trades
        assert (trade.price, trade.fee, trade.fee_currency) == (D("50027.50125"), D("0.5002750125"), "USDT")
        assert (trade.broker_order_id, trade.broker_trade_id) == (BrokerOrderId("P-1-1"), BrokerTradeId("P-1-T1"))
        assert (trade.exec_time, trade.sequence, trade.realized_cash) == (START, 1, None)
        assert (await world.balance("USDT"), await world.balance("BTC")) == (D("9499.2247124875"), D("0.01"))
        assert (await world.account()).equity == D("9499.2247124875") + D("499.975")

    play(books, story)


def test_without_a_price_there_is_no_market(books: Path) -> None:
    """A market order before the first quote is refused, and the refusal is remembered; a limit may wait."""

    async def story(world: PaperWorld) -> None:
        with pytest.raises(OrderRejected, match="no_price"):
            await world.buy("a", "0.01")
        assert await state(world, "a") is OrderState.REJECTED
        assert (await world.buy("b", "0.01", price="40000")).order.state is OrderState.NEW
        with pytest.raises(OrderRejected, match="no_price"):
            await world.buy("a", "0.01")

    play(books, story)


def test_limits_stops_and_times_in_force(books: Path) -> None:
    """What is marketable fills at the quote; IOC and FOK end at once; post-only never takes; the rest waits."""

    async def story(world: PaperWorld) -> None:
        await world.quote("99", "101")
        better = await world.buy("a", "1", price="105")
        assert [trade.price for trade in better.trades] == [D(101)]
        with pytest.raises(OrderRejected, match="post_only"):
            await world.venue.place(approved("b", Side.BUY, "1", SPOT, price="101", post_only=True))
        maker = await world.venue.place(approved("c", Side.BUY, "1", SPOT, price="100", post_only=True))
        assert maker.order.state is OrderState.NEW
        nothing = await world.at_once("d", Side.BUY, "1", "100", TimeInForce.IOC)
        assert (nothing.order.state, nothing.trades) == (OrderState.CANCELED, ())
        assert nothing.order.reason.startswith("not_filled")
        stop_limit = await world.buy("e", "1", stop="102", price="101")
        await world.quote("101", "102")
        assert (
            await world.venue.order(ACCOUNT, stop_limit.order.client_order_id or id_of("e"))
        ).state is OrderState.NEW
        await world.quote("100", "101")
        assert await state(world, "e") is OrderState.FILLED
        assert await state(world, "c") is OrderState.NEW
        await world.quote("98", "99")
        assert await state(world, "c") is OrderState.FILLED
        await world.sell("f", "1", stop="97")
        await world.quote("96", "97.5")
        assert await prices_paid(world) == [D(101), D(101), D(100), D("95.952")]

    play(books, story)


def test_after_an_outage_the_next_price_fills_and_never_the_last_one(books: Path) -> None:
    """An hour without prices: a close, a limit and a reached stop wait, and get what the market is when it is back."""

    async def story(world: PaperWorld) -> None:
        await world.quote("50000")
        await world.buy("entry", "0.03")
        await world.clock.sleep_until(START + timedelta(hours=1))
        close = await world.close_position("close", Side.SELL, "0.01", SPOT)
        limit = await world.sell("limit", "0.01", price="29000")
        stop = await world.sell("stop", "0.01", stop="50000")
        assert [(placed.order.state, placed.trades) for placed in (close, limit, stop)] == [(OrderState.NEW, ())] * 3
        assert await world.balance("BTC") == D("0.03")
        await world.clock.sleep_until(START + timedelta(hours=2))
        await world.quote("30000")
        assert [await state(world, key) for key in ("close", "limit", "stop")] == [OrderState.FILLED] * 3
        assert await prices_paid(world) == [D(50000), D(30000), D(29000), D(30000)]
        assert await world.balance("BTC") == 0

    play(books, story, rules=NO_COSTS)


@pytest.mark.parametrize("at_once", [TimeInForce.IOC, TimeInForce.FOK])
def test_what_will_not_wait_ends_when_the_last_price_is_old(books: Path, at_once: TimeInForce) -> None:
    """It has taken nothing and holds nothing back, says why, and a later price finds nothing of it."""

    async def story(world: PaperWorld) -> None:
        await world.quote("100")
        await world.clock.sleep_until(START + timedelta(seconds=5))
        assert (await world.at_once("young", Side.BUY, "1", "100", at_once)).order.state is OrderState.FILLED
        before = (await world.account()).balances
        await world.clock.sleep_until(START + timedelta(seconds=6))
        old = await world.at_once("old", Side.BUY, "1", "100", at_once)
        assert (old.order.state, old.trades) == (OrderState.CANCELED, ())
        assert old.order.reason == "not_filled: the last price is too old to fill it"
        await world.quote("100")
        assert await state(world, "old") is OrderState.CANCELED
        assert (await world.account()).balances == before
        assert [lock for lock in world.driver.hot.by_key("lock", ACCOUNT).values() if lock] == []

    play(books, story, rules=NO_COSTS)


# ---------------------------------------------------------------------------------------------- recorded prices


def test_a_decision_on_a_close_fills_at_the_next_open(books: Path) -> None:
    """SPEC 12: nobody trades at the close he decided on, and the fill carries the next open's time."""

    async def story(world: PaperWorld) -> None:
        bar = await world.minute("100 110 90 105")
        waits = await world.buy("a", "1")
        assert (waits.order.state, waits.trades) == (OrderState.NEW, ())
        limit = await world.buy("b", "1", price="120")
        assert limit.order.state is OrderState.NEW, "a limit does not fill at that close either"
        await world.minute("107 108 106 107")
        assert await prices_paid(world) == [D(107), D(107)]
        assert {trade.exec_time for trade in await world.all_trades()} == {bar.end}

    play(books, story, source=BARS, rules=NO_COSTS)


def test_inside_a_bar_its_open_is_filled_at_while_it_is_young(books: Path) -> None:
    """A countdown that ends inside a bar fills at that bar's open; after 1.5 intervals it waits for the next quote."""

    async def story(world: PaperWorld) -> None:
        await world.quote("100", moment=Moment.OPEN)
        await world.clock.sleep_until(START + timedelta(seconds=89))
        young = await world.buy("a", "1")
        assert [(trade.price, trade.exec_time) for trade in young.trades] == [(D(100), world.clock.now())]
        await world.clock.sleep_until(START + timedelta(seconds=90))
        old = await world.buy("b", "1")
        assert old.trades == ()
        await world.quote("200", moment=Moment.OPEN)
        assert await prices_paid(world) == [D(100), D(200)]

    play(books, story, source=BARS, rules=NO_COSTS)


def test_inside_a_bar_the_stop_comes_first(books: Path) -> None:
    """A bar that reaches both the stop and the target of a position closes it at the stop, once."""

    async def story(world: PaperWorld) -> None:
        await world.quote("100", of=PERPETUAL, moment=Moment.OPEN)
        await world.buy("entry", "1", of=PERPETUAL)
        await world.venue.place(approved("target", Side.SELL, "1", PERPETUAL, price="110", reduce_only=True))
        await world.venue.place(approved("stop", Side.SELL, "1", PERPETUAL, stop="90", reduce_only=True))
        await world.minute("100 115 85 100", of=PERPETUAL)
        assert await state(world, "stop") is OrderState.FILLED
        assert await state(world, "target") is OrderState.CANCELED
        assert await prices_paid(world) == [D(100), D(90)]
        assert (await world.account()).positions == ()

    play(books, story, source=BARS, rules=NO_COSTS)


def test_a_gap_through_the_stop_fills_at_the_open(books: Path) -> None:
    """The open quote comes first: a stop that the night jumped over gets what there is."""

    async def story(world: PaperWorld) -> None:
        await world.minute("100 101 99 100")
        await world.minute("100 100 100 100", then=[world.buy("entry", "1")])
        await world.sell("stop", "1", stop="95")
        await world.minute("80 96 70 90")
        assert await prices_paid(world) == [D(100), D(80)]

    play(books, story, source=BARS, rules=NO_COSTS)


def test_no_look_ahead_inside_a_bar(books: Path) -> None:
    """An order that came in during a bar is not filled by that bar's high and low, only from the next on."""

    async def story(world: PaperWorld) -> None:
        async def later() -> None:
            await world.clock.sleep_until(world.clock.now() + timedelta(seconds=30))
            await world.buy("a", "1", price="90")

        await world.minute("100 110 80 100", then=[later()])
        assert await state(world, "a") is OrderState.NEW
        await world.minute("100 110 80 100")
        assert await prices_paid(world) == [D(90)]

    play(books, story, source=BARS, rules=NO_COSTS)


def test_a_late_quote_changes_nothing(books: Path) -> None:
    """A quote older than the last is news of yesterday: it fills nothing and values nothing."""

    async def story(world: PaperWorld) -> None:
        await world.clock.sleep_until(START + timedelta(seconds=10))
        await world.quote("100")
        await world.buy("a", "1", price="90")
        await world.venue.on_quote(Quote(SPOT.id, START, D(80), D(80), D(80)))
        assert await state(world, "a") is OrderState.NEW
        assert [trade.price for trade in (await world.buy("b", "1")).trades] == [D(100)]

    play(books, story, rules=NO_COSTS)


def test_a_fill_is_never_older_than_its_order_or_its_price(books: Path) -> None:
    """A source whose clock is ahead dates the fill; one whose quote is older than the order does not."""

    async def story(world: PaperWorld) -> None:
        await world.clock.sleep_until(START + timedelta(seconds=10))
        now = world.clock.now()
        await world.buy("a", "1", price="100")
        await world.venue.on_quote(Quote(SPOT.id, START, D(99), D(99), D(99)))
        ahead = now + timedelta(seconds=1)
        await world.venue.on_quote(Quote(SPOT.id, ahead, D(99), D(99), D(99)))
        await world.buy("b", "1")
        assert [trade.exec_time for trade in await world.all_trades()] == [now, ahead]

    play(books, story, rules=NO_COSTS)


def test_a_quote_finds_the_order_that_is_still_being_written(books: Path) -> None:
    """An order and the price it waits for, in the same moment: the price stands behind the order and fills it."""

    async def story(world: PaperWorld) -> None:
        await world.quote("100")
        placed, _seen = await asyncio.gather(world.buy("a", "1", price="90"), world.quote("90"))
        assert placed.order.state is OrderState.NEW
        assert await state(world, "a") is OrderState.FILLED

    play(books, story, rules=NO_COSTS)


def test_a_stop_that_was_reached_stays_reached(books: Path) -> None:
    """What a part fill left of a triggered stop goes on at the market, also where the price has turned."""

    async def story(world: PaperWorld) -> None:
        await world.quote("100")
        await world.buy("a", "1", stop="110")
        await world.quote("110")
        assert await state(world, "a") is OrderState.PARTIALLY_FILLED
        world.restart()
        for _quote in range(200):
            await world.quote("90")
        assert await state(world, "a") is OrderState.FILLED
        assert set(await prices_paid(world)) == {D(110), D(90)}

    play(books, story, rules=replace(NO_COSTS, partial_fill_probability=1.0))


def test_a_full_page_may_be_the_last(books: Path) -> None:
    """Where a page holds all there is, it says so."""

    async def story(world: PaperWorld) -> None:
        await world.quote("100")
        for key in "ab":
            await world.buy(key, "1")
        page = await world.venue.trades_since(ACCOUNT, 0)
        assert (len(page.trades), page.complete) == (2, True)
        await world.buy("c", "1")
        assert not (await world.venue.trades_since(ACCOUNT, 0)).complete

    play(books, story, rules=replace(NO_COSTS, page_size=2))


def test_a_venue_where_nobody_waits_wants_no_prices(books: Path) -> None:
    """`wants` is true exactly while an order waits for the instrument, and `see` is enough for the rest."""

    async def story(world: PaperWorld) -> None:
        assert not world.venue.wants(SPOT.id)
        world.venue.see(Quote(SPOT.id, START, D(100), D(100), D(100)))
        await world.buy("a", "1", price="90")
        assert (world.venue.wants(SPOT.id), world.venue.wants(PERPETUAL.id)) == (True, False)
        await world.venue.cancel(ACCOUNT, id_of("a"))
        assert not world.venue.wants(SPOT.id)
        assert [trade.price for trade in (await world.buy("b", "1")).trades] == [D(100)]

    play(books, story, rules=NO_COSTS)


def test_a_day_order_expires_at_midnight(books: Path) -> None:
    """The last bar of the day may still fill it; the first quote of the next day ends it."""

    async def story(world: PaperWorld) -> None:
        await world.clock.sleep_until(START + timedelta(hours=23, minutes=59))
        await world.quote("100", moment=Moment.OPEN)
        for key, price in (("a", "95"), ("b", "50")):
            await world.venue.place(approved(key, Side.BUY, "1", SPOT, price=price, time_in_force=TimeInForce.DAY))
        await world.minute("100 100 94 100")
        assert (await state(world, "a"), await state(world, "b")) == (OrderState.FILLED, OrderState.EXPIRED)
        assert await world.balance("USDT") == D(9905)

    play(books, story, source=BARS, rules=NO_COSTS)


def test_a_day_order_does_not_outlive_a_night_without_quotes(books: Path) -> None:
    """Where the first news of a new day is a bar, that bar ends the order instead of filling it."""

    async def story(world: PaperWorld) -> None:
        await world.venue.place(approved("a", Side.BUY, "1", SPOT, price="95", time_in_force=TimeInForce.DAY))
        tomorrow = START + timedelta(days=1)
        await world.clock.sleep_until(tomorrow + MINUTE)
        await world.venue.on_bar(Bar(SPOT.id, tomorrow, MINUTE, D(94), D(96), D(90), D(95)))
        assert await state(world, "a") is OrderState.EXPIRED

    play(books, story, source=BARS, rules=NO_COSTS)


# --------------------------------------------------------------------------------------------- funds and margin


def test_waiting_orders_lock_funds(books: Path) -> None:
    """What a waiting order needs cannot be spent twice or taken out; a cancel gives it back."""

    async def story(world: PaperWorld) -> None:
        await world.quote("100")
        await world.buy("a", "60", price="99")
        with pytest.raises(OrderRejected, match="insufficient_funds"):
            await world.buy("b", "60", price="99")
        with pytest.raises(PaperRefused, match="insufficient_funds"):
            await world.venue.withdraw(ACCOUNT, "USDT", D(4061), reference="w1")
        await world.venue.withdraw(ACCOUNT, "USDT", D(4060), reference="w2")
        await world.venue.cancel(ACCOUNT, id_of("a"))
        assert (await world.buy("c", "59")).order.state is OrderState.FILLED
        await world.sell("d", "50", price="120")
        with pytest.raises(OrderRejected, match="insufficient_funds"):
            await world.sell("e", "10")

    play(books, story, rules=NO_COSTS)


def test_a_price_that_ran_away_ends_the_order(books: Path) -> None:
    """Accepted on a close, too dear at the next open: rejected, and nothing is below zero."""

    async def story(world: PaperWorld) -> None:
        await world.quote("100", moment=Moment.CLOSE)
        await world.buy("a", "100")
        await world.quote("101", moment=Moment.OPEN)
        order = await world.venue.order(ACCOUNT, id_of("a"))
        assert (order.state, order.reason.split(":")[0]) == (OrderState.REJECTED, "insufficient_funds")
        assert await world.balance("USDT") == D(10000)
        assert (await world.buy("b", "99")).order.state is OrderState.FILLED

    play(books, story, source=BARS, rules=NO_COSTS)


def test_margin_of_a_perpetual(books: Path) -> None:
    """10,000 at leverage 5 carry 50,000 of notional and no more; profit is paid as it is realised."""

    async def story(world: PaperWorld) -> None:
        await world.venue.set_leverage(ACCOUNT, PERPETUAL.id, D(5))
        await world.quote("100", of=PERPETUAL)
        with pytest.raises(OrderRejected, match="insufficient_margin"):
            await world.buy("a", "500.1", of=PERPETUAL)
        await world.buy("b", "500", of=PERPETUAL)
        with pytest.raises(OrderRejected, match="insufficient_margin"):
            await world.buy("c", "0.1", of=PERPETUAL)
        with pytest.raises(PaperRefused, match="insufficient_funds"):
            await world.venue.withdraw(ACCOUNT, "USDT", D(1), reference="w")
        await world.quote("110", of=PERPETUAL)
        account = await world.account()
        assert account.equity == D(15000)
        assert [(position.quantity, position.entry_price) for position in account.positions] == [(D(500), D(100))]
        closed = await world.sell("d", "200", of=PERPETUAL)
        assert [trade.realized_cash for trade in closed.trades] == [D(2000)]
        assert await world.balance("USDT") == D(12000)

    play(books, story, rules=NO_COSTS)


def test_closing_is_never_refused_for_money(books: Path) -> None:
    """An account that lost everything can still close, with the flag and without; turning around takes margin."""

    async def story(world: PaperWorld) -> None:
        await world.quote("100", of=PERPETUAL)
        await world.buy("a", "200", of=PERPETUAL)
        await world.quote("40", of=PERPETUAL)
        with pytest.raises(OrderRejected, match="insufficient_margin"):
            await world.sell("b", "300", of=PERPETUAL)
        await world.close_position("c", Side.SELL, "100")
        closed = await world.sell("d", "100", of=PERPETUAL)
        assert closed.order.state is OrderState.FILLED
        assert await world.balance("USDT") == D(-2000)

    play(books, story, rules=NO_COSTS)


def test_a_reversal_gives_margin_back_before_it_takes_some(books: Path) -> None:
    """From 200 long to 200 short with all margin in use: the long's is released first."""

    async def story(world: PaperWorld) -> None:
        await world.quote("100", of=PERPETUAL)
        await world.buy("a", "200", of=PERPETUAL)
        await world.sell("b", "400", of=PERPETUAL)
        assert [position.quantity for position in (await world.account()).positions] == [D(-200)]

    play(books, story, rules=NO_COSTS)


def test_an_inverse_perpetual_pays_in_coins(books: Path) -> None:
    """Margin, fee and profit of BTC/USD:BTC are BTC, and its price values the coins."""

    async def story(world: PaperWorld) -> None:
        account_id = AccountId(2)
        await world.venue.open_account(account_id, "USD")
        await world.venue.deposit(account_id, "BTC", D(1), reference="coins")
        await world.quote("40000", of=INVERSE)
        await world.venue.place(approved("a", Side.BUY, "1000", INVERSE, account_id=account_id))
        await world.quote("50000", of=INVERSE)
        account = await world.venue.account(account_id)
        assert account.equity == D("1.005") * 50000
        placed = await world.venue.place(approved("b", Side.SELL, "1000", INVERSE, account_id=account_id))
        assert [(trade.realized_cash, trade.fee_currency) for trade in placed.trades] == [(D("0.005"), "BTC")]

    play(books, story, rules=NO_COSTS)


def test_only_positions_of_the_same_asset_bind_it(books: Path) -> None:
    """A position that settles in USDT binds no coins: they can all be sold although its price is not known."""

    async def story(world: PaperWorld) -> None:
        await world.quote("100")
        await world.quote("100", of=PERPETUAL)
        await world.buy("a", "10")
        await world.buy("b", "10", of=PERPETUAL)
        world.restart()
        await world.quote("100")
        assert (await world.sell("c", "10")).order.state is OrderState.FILLED

    play(books, story, rules=NO_COSTS)


def test_a_position_without_a_price_binds_everything(books: Path) -> None:
    """After a restart no price is known: what rests on the position's worth is refused, closing it is not."""

    async def story(world: PaperWorld) -> None:
        await world.quote("100", of=PERPETUAL)
        await world.quote("100")
        await world.buy("a", "10", of=PERPETUAL)
        world.restart()
        await world.quote("100")
        assert (await world.account()).equity is None
        with pytest.raises(OrderRejected, match="no_price"):
            await world.buy("b", "1")
        with pytest.raises(PaperRefused, match="no_price"):
            await world.venue.withdraw(ACCOUNT, "USDT", D(1), reference="w")
        with pytest.raises(OrderRejected, match="no_price"):
            await world.sell("d", "20", of=PERPETUAL, price="90")
        waits = await world.venue.place(approved("c", Side.SELL, "10", PERPETUAL, price="90", reduce_only=True))
        assert waits.order.state is OrderState.NEW

    play(books, story, rules=NO_COSTS)


def test_a_protection_whose_position_is_gone_goes_too(books: Path) -> None:
    """A reduce-only stop that is reached after a person closed by hand is cancelled and opens nothing."""

    async def story(world: PaperWorld) -> None:
        await world.quote("100", of=PERPETUAL)
        await world.buy("a", "1", of=PERPETUAL)
        await world.venue.place(approved("stop", Side.SELL, "1", PERPETUAL, stop="90", reduce_only=True))
        await world.sell("b", "1", of=PERPETUAL)
        await world.quote("90", of=PERPETUAL)
        stop = await world.venue.order(ACCOUNT, id_of("stop"))
        assert (stop.state, stop.filled_quantity, (await world.account()).positions) == (OrderState.CANCELED, D(0), ())

    play(books, story, rules=NO_COSTS)


def test_reduce_only_is_judged_again_at_the_fill(books: Path) -> None:
    """A protection for a position that is gone or shrunk meanwhile cuts itself; on spot the coins are the position."""

    async def story(world: PaperWorld) -> None:
        for market in (PERPETUAL, SPOT):
            await world.quote("100", of=market)
        await world.buy("a", "10", of=PERPETUAL)
        await world.venue.place(approved("stop", Side.SELL, "10", PERPETUAL, stop="90", reduce_only=True))
        await world.sell("b", "4", of=PERPETUAL)
        await world.quote("90", of=PERPETUAL)
        stop = await world.venue.order(ACCOUNT, id_of("stop"))
        assert (stop.state, stop.filled_quantity) == (OrderState.CANCELED, D(6))
        with pytest.raises(OrderRejected, match="reduce_only"):
            await world.close_position("c", Side.SELL, "1", of=SPOT)
        await world.buy("d", "1")
        with pytest.raises(OrderRejected, match="reduce_only"):
            await world.close_position("e", Side.BUY, "1", of=SPOT)
        cut = (await world.close_position("f", Side.SELL, "3", of=SPOT)).order
        assert (cut.state, cut.filled_quantity, await world.balance("BTC")) == (OrderState.CANCELED, D(1), D(0))

    play(books, story, rules=NO_COSTS)


# ------------------------------------------------------------------------------------------------ accounts, terms


def test_transfers_happen_once_per_reference(books: Path) -> None:
    """A repeated deposit is the same deposit, at once, later and after a restart; another amount is refused."""

    async def story(world: PaperWorld) -> None:
        venue = world.venue
        twice = [venue.deposit(ACCOUNT, "USDT", D(5), reference="d") for _time in range(2)]
        await asyncio.gather(*twice)
        world.restart()
        await world.venue.deposit(ACCOUNT, "USDT", D("5.00"), reference="d")
        assert await world.balance("USDT") == D(10005)
        with pytest.raises(PaperRefused, match="duplicate_reference"):
            await world.venue.deposit(ACCOUNT, "USDT", D(6), reference="d")
        for amount in ("0", "-1", "1e-19", "NaN"):
            with pytest.raises(PaperRefused, match="invalid_amount"):
                await world.venue.withdraw(ACCOUNT, "USDT", D(amount), reference="x")
        with pytest.raises(PaperRefused, match="invalid_amount"):
            await world.venue.deposit(ACCOUNT, "USDT", D(1), reference="x", pocket="mattress")

    play(books, story)


def test_accounts_are_opened_once(books: Path) -> None:
    """Opening again is harmless, in another currency it is refused; an account that is not open has nothing."""

    async def story(world: PaperWorld) -> None:
        await world.venue.open_account(ACCOUNT, "USDT")
        with pytest.raises(PaperRefused, match="account_exists"):
            await world.venue.open_account(ACCOUNT, "EUR")
        stranger = AccountId(9)
        with pytest.raises(OrderRejected, match="unknown_account"):
            await world.venue.place(approved("a", Side.BUY, "1", SPOT, account_id=stranger))
        for question in (world.venue.account, world.venue.open_orders):
            with pytest.raises(PaperRefused, match="unknown_account"):
                await question(stranger)
        with pytest.raises(PaperRefused, match="unknown_account"):
            await world.venue.trades_since(stranger, 0)
        with pytest.raises(PaperRefused, match="unknown_account"):
            await world.venue.deposit(stranger, "USDT", D(1), reference="d")

    play(books, story)


def test_leverage_changes_only_under_nothing(books: Path) -> None:
    """With an order or a position open the leverage stands; above the instrument's limit it is refused."""

    async def story(world: PaperWorld) -> None:
        choose = world.venue.set_leverage
        await world.quote("100", of=PERPETUAL)
        await choose(ACCOUNT, PERPETUAL.id, D(5))
        await world.buy("a", "1", of=PERPETUAL, price="90")
        await choose(ACCOUNT, PERPETUAL.id, D(5))
        with pytest.raises(PaperRefused, match="position_open"):
            await choose(ACCOUNT, PERPETUAL.id, D(3))
        await world.quote("90", of=PERPETUAL)
        with pytest.raises(PaperRefused, match="position_open"):
            await choose(ACCOUNT, PERPETUAL.id, D(3))
        for leverage in ("0.5", "11"):
            with pytest.raises(PaperRefused, match="invalid_leverage"):
                await choose(ACCOUNT, PERPETUAL.id, D(leverage))
        with pytest.raises(PaperRefused, match="unknown_instrument"):
            await choose(ACCOUNT, type(PERPETUAL.id)(99), D(1))

    play(books, story)


@pytest.mark.parametrize(
    ("quantity", "price", "code"),
    [("0.0000000001", "100", "invalid_quantity"), ("0", "100", "invalid_quantity"), ("1", "100.001", "invalid_price"),
     ("1", "0", "invalid_price")],
)  # fmt: skip
def test_terms_that_the_instrument_does_not_allow(books: Path, quantity: str, price: str, code: str) -> None:
    """Lot and tick are the venue's law for orders."""

    async def story(world: PaperWorld) -> None:
        with pytest.raises(OrderRejected) as refused:
            await world.buy("a", quantity, price=price)
        assert refused.value.code == code

    play(books, story)


def test_orders_that_the_venue_does_not_take(books: Path) -> None:
    """An unknown instrument and a trailing stop are refused; so is an instrument that is not traded or too little."""

    async def story(world: PaperWorld) -> None:
        order = approved("a", Side.BUY, "1", SPOT)
        foreign = replace(order, terms=replace(order.terms, instrument_id=type(SPOT.id)(99)))
        with pytest.raises(OrderRejected, match="unknown_instrument"):
            await world.venue.place(foreign)
        with pytest.raises(OrderRejected, match="unsupported_type"):
            await world.venue.place(replace(order, terms=replace(order.terms, type=OrderType.TRAILING)))
        assert OrderType.TRAILING not in world.venue.facts.order_types
        for key, quantity, market, code in (
            ("c", "1", CLOSED, "not_tradable"),
            ("d", "1", COARSE, "invalid_quantity"),
            ("e", "4", COARSE, "invalid_quantity"),
        ):
            with pytest.raises(OrderRejected, match=code):
                await world.buy(key, quantity, of=market, price="10")
        assert (await world.buy("f", "5", of=COARSE, price="10")).order.state is OrderState.NEW

    play(books, story)


# ----------------------------------------------------------------------------------------------------- unkindness


def test_chance_refuses_and_remembers(books: Path) -> None:
    """A random reject is as final as any: the same order again hears the same no."""

    async def story(world: PaperWorld) -> None:
        await world.quote("100")
        for _attempt in range(2):
            with pytest.raises(OrderRejected, match="rejected_by_chance"):
                await world.buy("a", "1")
        assert (await world.account()).cursor == 2

    play(books, story, rules=PaperRules(reject_probability=1.0))


def test_partial_fills_sum_to_the_whole(books: Path) -> None:
    """A market order filled in parts goes on at every quote; a FOK is whole or nothing; an IOC keeps its part."""

    async def story(world: PaperWorld) -> None:
        await world.quote("100")
        first = await world.buy("a", "1")
        assert first.order.state is OrderState.PARTIALLY_FILLED
        assert 0 < first.order.filled_quantity < 1
        whole = await world.at_once("b", Side.BUY, "1", "100", TimeInForce.FOK)
        assert whole.order.state is OrderState.FILLED
        part = await world.at_once("c", Side.BUY, "1", "100", TimeInForce.IOC)
        assert part.order.state is OrderState.CANCELED
        assert 0 < part.order.filled_quantity < 1
        for _quote in range(200):
            await world.quote("100")
        assert await state(world, "a") is OrderState.FILLED
        mine = [trade for trade in await world.all_trades() if trade.client_order_id == id_of("a")]
        assert len(mine) > 3
        assert sum(trade.quantity for trade in mine) == 1
        told = [event for event in world.heard if isinstance(event, TradeReport)]
        assert told == mine[1:]

    play(books, story, rules=replace(NO_COSTS, partial_fill_probability=1.0))


def test_seeds_decide_everything(tmp_path: Path) -> None:
    """The same seed gives the same day to the last digit, another seed another day."""
    rules = PaperRules(
        latency_min=timedelta(milliseconds=1),
        latency_max=timedelta(milliseconds=900),
        partial_fill_probability=0.5,
        reject_probability=0.2,
    )
    days: list[tuple[list[TradeReport], list[str]]] = []

    async def story(world: PaperWorld) -> None:
        refusals: list[str] = []
        for n in range(40):
            await world.quote(str(100 + n % 7), str(101 + n % 7))
            try:
                await world.buy(f"{n}", "0.5", price="102" if n % 3 else None)
            except OrderRejected as refused:
                refusals.append(refused.code)
        days.append((await world.all_trades(), refusals))

    for number, seed in enumerate((1, 1, 2)):
        play(tmp_path / f"{number}.db", story, rules=rules, seed=seed)
    assert days[0] == days[1] != days[2]
    trades, refusals = days[0]
    assert len(trades) > 20
    assert set(refusals) == {"rejected_by_chance"}


def test_latency_moves_the_clock(books: Path) -> None:
    """A request that travels 50 ms arrives then, and is filled at what is quoted then."""

    async def story(world: PaperWorld) -> None:
        await world.quote("100")
        placed = await world.buy("a", "1")
        assert [trade.exec_time for trade in placed.trades] == [START + timedelta(milliseconds=50)]

    delay = timedelta(milliseconds=50)
    play(books, story, rules=PaperRules(latency_min=delay, latency_max=delay))


@pytest.mark.parametrize("repeats", [False, True])
def test_the_stream_repeats_answers_only_if_told_to(books: Path, repeats: bool) -> None:
    """What an answer already said comes again only where the rules say so."""

    async def story(world: PaperWorld) -> None:
        await world.quote("100")
        placed = await world.buy("a", "1")
        await world.buy("b", "1", price="50")
        canceled = await world.venue.cancel(ACCOUNT, id_of("b"))
        reports = [event.order for event in world.heard if isinstance(event, OrderReport)]
        if repeats:
            assert world.heard[0] == placed.trades[0]
            assert (reports[0], reports[-1]) == (placed.order, canceled)
        else:
            assert world.heard == []

    play(books, story, rules=PaperRules(stream_repeats=repeats))


@pytest.mark.parametrize(
    "wrong",
    [
        {"reject_probability": 1.5},
        {"partial_fill_probability": -0.1},
        {"latency_min": timedelta(seconds=2), "latency_max": timedelta(seconds=1)},
        {"partial_fill_percent_min": 0},
        {"page_size": 0},
        {"default_leverage": D("0.5")},
    ],
)
def test_rules_that_cannot_be(wrong: dict[str, object]) -> None:
    """Rules are legal on construction."""
    with pytest.raises(Illegal):
        PaperRules(**wrong)  # type: ignore[arg-type]
