"""A venue where long and short stand beside each other: every order names its leg, and every leg can be closed.

The desk is put to the simulated exchange, which refuses an order that takes from a leg what is not there.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from plimsoll.bots.runner import Bot
from plimsoll.bots.sight import Sight
from plimsoll.desk.cancel_order import cancel_protection
from plimsoll.desk.close_position import CloseOutcome, close_position
from plimsoll.desk.flatten import flatten
from plimsoll.desk.place_order import OrderAnswer, place_order
from plimsoll.desk.preview_order import preview_order
from plimsoll.desk.reconcile_account import reconcile_account
from plimsoll.desk.resync import halt_restored
from plimsoll.ledger import accounts, keys
from plimsoll.ledger.log import Note, write_note
from plimsoll.ledger.orders import from_row
from plimsoll.model.account import Portfolio
from plimsoll.model.ids import ClientOrderId, PortfolioId, StrategyId, client_order_id
from plimsoll.model.order import LONG, SHORT, Order, OrderState, Side
from plimsoll.model.position import Position
from plimsoll.risk.guards.drawdown import GuardStatus
from plimsoll.store.draft import Draft
from tests.builders.approved import approved
from tests.builders.desk import ACCOUNT, MAIN, USER, Desk, FaultyVenue, Sent, play
from tests.builders.paper import PERPETUAL
from tests.simulation.adapter.venue import SimVenue
from tests.simulation.exchange.exchange import Exchange
from tests.simulation.exchange.listing import LISTINGS
from tests.simulation.exchange.personality import KIND, Personality
from tests.simulation.hours.tape import played
from tests.simulation.network import Network

D = Decimal
KEY = "key-1"
CASH = "100000"
ASIDE = PortfolioId(2)
SYMBOL = PERPETUAL.symbol
#: Real venues in that mode take no reduce-only flag: the leg says it.
HEDGES = replace(KIND, name="paper", hedging=True, funding_seconds=1e9)
FLAGLESS = replace(HEDGES, reduce_only=False)


class Hedged:
    """A desk whose account is at an exchange that hedges."""

    def __init__(self, desk: Desk, personality: Personality = HEDGES) -> None:
        self.desk, self.personality = desk, personality
        listings = [LISTINGS[SYMBOL]]
        self.exchange = Exchange(personality, listings, desk.clock.now, random.Random(1))
        self.exchange.open(KEY, {"USDT": D(CASH)})
        self.exchange.trade_at(SYMBOL, D(50_000))
        self.connect()
        self._pass_time()

    def connect(self) -> None:
        """Put a line to the exchange in the place of the desk's paper venue."""
        desk = self.desk
        self.network = Network(self.exchange, KEY, played(7, ()), desk.clock.loop)
        self.sim = SimVenue(self.network, ACCOUNT, {PERPETUAL.id: PERPETUAL}, self.personality, desk.clock)
        desk.venue = FaultyVenue(self.sim)  # type: ignore[arg-type]
        # The money was there before the book began.
        desk.venue.facts_said = replace(self.sim.facts, tells_movements=False)
        desk.ports.venue = desk.venue

    def hang_up(self) -> None:
        self.sim.close()
        self.network.hang_up()

    def _pass_time(self) -> None:
        self.exchange.pass_time()
        self.desk.clock.loop.call_later(1, self._pass_time)

    async def price(self, price: str) -> None:
        self.exchange.trade_at(SYMBOL, D(price))
        await self.desk.quote(price)

    async def order(self, side: Side, quantity: str, **said: Any) -> OrderAnswer:
        """Place an order of a portfolio and strategy, and wait for its fills."""
        whose = {name: said.pop(name) for name in ("portfolio_id", "strategy_id") if name in said}
        intent = replace(self.desk.intent(side, quantity, **said), **whose)
        answer = await place_order(self.desk.ports, intent)
        await asyncio.sleep(1)
        await self.desk.ports.settled()
        return answer

    def held(self) -> dict[tuple[int, int, str], Decimal]:
        """Give what is open in the book, by portfolio, strategy and leg."""
        found: list[Position] = self.desk.ports.books.hot.shelf(keys.POSITION, ACCOUNT)
        return {(one.portfolio_id, one.strategy_id or 0, one.leg): one.quantity for one in found if not one.is_flat}

    def there(self) -> dict[str, Decimal]:
        """Give what is open at the exchange, by leg."""
        positions = self.exchange.truth(KEY).positions
        return {leg: quantity for (_symbol, leg), quantity in positions.items() if quantity}

    def position(self, leg: str, portfolio: PortfolioId = MAIN, strategy: int = 0) -> Position:
        key = (portfolio, PERPETUAL.id, strategy, leg)
        found: Position = self.desk.ports.books.hot.get(keys.position(ACCOUNT, key))
        return found

    async def close(self, position: Position, episode: str = "e") -> CloseOutcome:
        result = await close_position(self.desk.ports, position, episode=episode, triggered_by="manual")
        await asyncio.sleep(1)
        await self.desk.ports.settled()
        return result.outcome

    def legs(self) -> list[tuple[str, str, int, str]]:
        """Give side, leg, flag and state of every order, as they were made."""
        return self.desk.rows("SELECT side, leg, reduce_only, state FROM orders ORDER BY id")


def hedged(
    path: Path, story: Callable[[Hedged], Awaitable[None]], personality: Personality = HEDGES, leverage: str = "1"
) -> None:
    """Run a story on a desk whose account is at such an exchange."""

    async def main(desk: Desk) -> None:
        there = Hedged(desk, personality)
        desk.trades_in = PERPETUAL
        await desk.quote("50000")
        try:
            await desk.start()
            await story(there)
        finally:
            there.hang_up()

    play(path, main, leverage=leverage)


async def long_and_short(there: Hedged) -> None:
    """Open both legs: 0.3 long and 0.2 short."""
    assert (await there.order(Side.BUY, "0.3")).approved
    assert (await there.order(Side.SELL, "0.2")).approved
    assert there.held() == {(MAIN, 0, LONG): D("0.3"), (MAIN, 0, SHORT): D("-0.2")}
    assert there.there() == {LONG: D("0.3"), SHORT: D("-0.2")}


# Opening and closing --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("personality", [HEDGES, FLAGLESS])
def test_each_leg_is_closed_by_itself(tmp_path: Path, personality: Personality) -> None:
    """B13: a close names its leg; the other one stays as it is."""

    async def story(there: Hedged) -> None:
        await long_and_short(there)
        assert await there.close(there.position(SHORT)) is CloseOutcome.SENT
        assert there.held() == {(MAIN, 0, LONG): D("0.3")}
        assert there.there() == {LONG: D("0.3")}
        assert await there.close(there.position(SHORT), "again") is CloseOutcome.FLAT
        assert await there.close(there.position(LONG)) is CloseOutcome.SENT
        assert (there.held(), there.there()) == ({}, {})
        assert there.legs() == [
            ("BUY", LONG, 0, "FILLED"),
            ("SELL", SHORT, 0, "FILLED"),
            ("BUY", SHORT, 1, "FILLED"),
            ("SELL", LONG, 1, "FILLED"),
        ]

    hedged(tmp_path, story, personality)


def test_a_sale_without_the_word_opens_the_short_leg_and_turns_nothing_round(tmp_path: Path) -> None:
    """Where a venue nets, it would have closed the long one first."""

    async def story(there: Hedged) -> None:
        await there.order(Side.BUY, "0.3")
        await there.order(Side.SELL, "0.5")
        assert there.held() == {(MAIN, 0, LONG): D("0.3"), (MAIN, 0, SHORT): D("-0.5")}
        assert (await there.order(Side.SELL, "0.1", reduce_only=True)).approved
        assert there.held() == {(MAIN, 0, LONG): D("0.2"), (MAIN, 0, SHORT): D("-0.5")}
        too_much = await there.order(Side.SELL, "0.3", reduce_only=True)
        assert "close_larger_than_position" in too_much.checks_json
        assert (await there.order(Side.SELL, "0.2", reduce_only=True)).approved
        nothing = await there.order(Side.SELL, "0.1", reduce_only=True)
        assert "nothing_to_close" in nothing.checks_json
        assert there.held() == {(MAIN, 0, SHORT): D("-0.5")}
        assert there.there() == {SHORT: D("-0.5")}

    hedged(tmp_path, story)


def test_everything_is_flattened(tmp_path: Path) -> None:
    """I14, I9: nothing is refused, and the net of the legs is the account's."""

    async def story(there: Hedged) -> None:
        await long_and_short(there)
        report = await flatten(there.desk.ports, actor="user:1", reason="enough")
        await asyncio.sleep(1)
        assert {result.outcome for result in report.results} <= {CloseOutcome.SENT, CloseOutcome.FLAT}
        assert (len(report.results), report.failures) == (2, ())
        again = await flatten(there.desk.ports, actor="user:1", reason="enough")
        assert again.is_flat
        assert (there.held(), there.there()) == ({}, {})
        keys_of = there.desk.rows("SELECT intent_key FROM orders WHERE closes = 1 ORDER BY id")
        assert [key.split(":flatten")[0] for (key,) in keys_of] == ["close:1:2:0:LONG", "close:1:2:0:SHORT"]

    hedged(tmp_path, story)


def test_the_guard_closes_both_legs_and_latches(tmp_path: Path) -> None:
    """I14: it had looked for them where there are none, and was refused for ever."""

    async def story(there: Hedged) -> None:
        assert (await there.order(Side.BUY, "1.8")).approved
        assert (await there.order(Side.SELL, "0.05")).approved
        for _ in range(3):
            await there.price("37000")
            await there.desk.guard.look()
            await asyncio.sleep(1.5)
        for _ in range(16):
            await there.price("37000")
            await asyncio.sleep(1)
        assert there.desk.guard.episode.status is GuardStatus.LATCHED
        assert there.desk.guard.episode.closed_count == 2
        assert (there.held(), there.there()) == ({}, {})
        assert there.desk.rows("SELECT count(*) FROM verdicts WHERE outcome = 'REFUSED'") == [(0,)]

    hedged(tmp_path, story)


# Whose leg it is ------------------------------------------------------------------------------------------------------


async def with_aside(there: Hedged) -> None:
    """Give the account a second portfolio."""
    aside = Portfolio(ASIDE, "p-2", ACCOUNT, USER, "aside")

    def unit(draft: Draft) -> None:
        accounts.write_portfolio(draft, aside)
        write_note(draft, Note(ACCOUNT, "user:1", "CREATE", "PORTFOLIO", "p-2", there.desk.clock.now(), {}))

    await there.desk.ports.books.write(unit)


def test_two_portfolios_and_a_bot_each_close_their_own_part_of_a_leg(tmp_path: Path) -> None:
    """The exchange has the sum of them, by leg; what each closes always takes from it."""

    async def story(there: Hedged) -> None:
        await with_aside(there)
        await there.order(Side.BUY, "0.3")
        await there.order(Side.SELL, "0.9", portfolio_id=ASIDE)
        await there.order(Side.BUY, "0.1", portfolio_id=ASIDE)
        await there.order(Side.BUY, "0.2", strategy_id=StrategyId(7), by="bot:7")
        mine, aside = {(MAIN, 0, LONG): D("0.3")}, {(ASIDE, 0, SHORT): D("-0.9"), (ASIDE, 0, LONG): D("0.1")}
        assert there.held() == mine | aside | {(MAIN, 7, LONG): D("0.2")}
        # A venue that nets would be sold more here: its net is short.
        assert await there.close(there.position(LONG, ASIDE)) is CloseOutcome.SENT
        assert await there.close(there.position(LONG, MAIN, 7)) is CloseOutcome.SENT
        assert there.held() == mine | {(ASIDE, 0, SHORT): D("-0.9")}
        assert there.there() == {LONG: D("0.3"), SHORT: D("-0.9")}
        assert all(flag for _side, _leg, flag, _state in there.legs()[-2:])

    hedged(tmp_path, story)


def test_what_somebody_sold_beside_us_is_bought_back_before_the_rest_is_sold(tmp_path: Path) -> None:
    """A part of one portfolio's leg was sold by hand, and stands in `main`: the leg has less than that portfolio."""

    async def story(there: Hedged) -> None:
        await with_aside(there)
        await there.order(Side.BUY, "0.3", portfolio_id=ASIDE)
        by_hand = {"symbol": SYMBOL, "side": "SELL", "type": "MARKET", "quantity": "0.1", "positionSide": LONG}
        there.exchange.call(
            KEY, "POST", "/order", by_hand | {"timestamp": str(int(there.desk.clock.now().timestamp() * 1000))}
        )
        await asyncio.sleep(1)
        await there.desk.ports.settled()
        assert there.held() == {(MAIN, 0, LONG): D("-0.1"), (ASIDE, 0, LONG): D("0.3")}
        # The exchange has 0.2: it refuses 0.3, and says so; what is missing comes back with the other close.
        assert await there.close(there.position(LONG, ASIDE)) is CloseOutcome.REFUSED
        assert await there.close(there.position(LONG)) is CloseOutcome.SENT
        assert await there.close(there.position(LONG, ASIDE)) is CloseOutcome.SENT
        assert (there.held(), there.there()) == ({}, {})

    hedged(tmp_path, story)


# Unclear, restarted, restored -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("fate", [Sent.REQUEST_LOST, Sent.ANSWER_LOST])
@pytest.mark.parametrize("personality", [HEDGES, FLAGLESS])
def test_a_second_close_goes_at_once_and_takes_no_more_than_is_there(
    tmp_path: Path, personality: Personality, fate: Sent
) -> None:
    """B1: with the flag or without, the exchange turns no leg round."""

    async def story(there: Hedged) -> None:
        await long_and_short(there)
        there.desk.venue.fates.append(fate)
        there.desk.venue.loses_news = True
        position = there.position(LONG)
        first = await close_position(there.desk.ports, position, episode="e", triggered_by="manual")
        assert first.answer is not None
        assert first.answer.order is not None
        assert first.answer.order.state is OrderState.UNKNOWN
        second = await close_position(there.desk.ports, position, episode="e", triggered_by="manual")
        was_lost = fate is Sent.REQUEST_LOST
        assert second.outcome is (CloseOutcome.SENT if was_lost else CloseOutcome.REFUSED)
        await asyncio.sleep(1)
        there.desk.venue.loses_news = False
        await asyncio.sleep(10)
        await reconcile_account(there.desk.ports)
        assert there.there() == {SHORT: D("-0.2")}
        assert there.held() == {(MAIN, 0, SHORT): D("-0.2")}
        assert [state for *_terms, state in there.legs()[2:]] == (
            ["REJECTED", "FILLED"] if was_lost else ["FILLED", "REJECTED"]
        )

    hedged(tmp_path, story, personality)


@pytest.mark.parametrize("personality", [HEDGES, FLAGLESS])
def test_a_stop_protects_its_leg_alone_and_is_known_after_a_restart(tmp_path: Path, personality: Personality) -> None:
    async def story(there: Hedged) -> None:
        desk = there.desk
        await long_and_short(there)
        assert (await there.order(Side.SELL, "0.3", stop="40000", reduce_only=True)).approved
        assert (await there.order(Side.BUY, "0.2", stop="60000", reduce_only=True)).approved
        desk.die()
        there.hang_up()
        there.connect()
        await desk.quote("50000")
        await desk.start()
        assert sorted(order.leg for order in desk.live()) == [LONG, SHORT]
        ended = await cancel_protection(desk.ports, there.position(LONG).key, actor="user:1")
        assert [(order.leg, order.terms.side) for order in ended] == [(LONG, Side.SELL)]
        assert await there.close(there.position(LONG)) is CloseOutcome.SENT
        await there.price("60500")
        await asyncio.sleep(1)
        await desk.ports.settled()
        assert (there.held(), there.there(), desk.live()) == ({}, {}, [])

    hedged(tmp_path, story, personality)


def lost(key: str) -> ClientOrderId:
    return client_order_id("PLIM", ACCOUNT, USER, approved(key, Side.BUY, "1", PERPETUAL).intent.key)


@pytest.mark.parametrize("tells", [True, False])
@pytest.mark.parametrize("personality", [HEDGES, FLAGLESS])
def test_lost_orders_are_taken_back_to_their_legs(tmp_path: Path, personality: Personality, tells: bool) -> None:
    """By the venue's word, and where it says none by side and flag."""

    async def story(there: Hedged) -> None:
        desk = there.desk
        await long_and_short(there)
        flag = personality.reduce_only
        wanted = [
            approved("to-close", Side.SELL, "0.1", PERPETUAL, price="55000", leg=LONG, reduce_only=flag),
            approved("to-open", Side.SELL, "0.1", PERPETUAL, price="56000", leg=SHORT),
            approved("filled", Side.BUY, "0.1", PERPETUAL, leg=LONG),
        ]
        desk.venue.loses_news = True
        for order in wanted:
            await there.sim.place(replace(order, client_order_id=lost(order.intent.key)))
        await asyncio.sleep(1)
        desk.venue.hidden.add(lost("filled"))
        if not tells:
            listed = there.sim.open_orders

            async def without_legs(account_id: Any) -> Any:
                return tuple(replace(order, leg="") for order in await listed(account_id))

            there.sim.open_orders = without_legs  # type: ignore[method-assign]
        now = desk.clock.now()

        def unit(draft: Draft) -> None:
            halt_restored(draft, ACCOUNT, "a copy was brought back", now)
            write_note(draft, Note(0, "desk:restored", "RESTORE", "BOOK", "now", now, {}))

        await desk.ports.books.write(unit)
        desk.venue.loses_news = False
        await desk.start()
        took = {name: order_of(desk, lost(name)) for name in ("to-close", "to-open", "filled")}
        assert (took["to-open"].leg, took["to-open"].closes) == (SHORT, False)
        assert (took["filled"].leg, took["filled"].state) == (LONG, OrderState.FILLED)
        # Neither flag nor leg: it looks like any sale, and is counted as one that opens.
        known = tells or personality.reduce_only
        assert (took["to-close"].leg, took["to-close"].closes) == ((LONG, True) if known else (SHORT, False))
        assert there.held() == {(MAIN, 0, LONG): D("0.4"), (MAIN, 0, SHORT): D("-0.2")}

    hedged(tmp_path, story, personality)


def order_of(desk: Desk, name: ClientOrderId) -> Order:
    (row,) = desk.books.inner._scribe._connection.find("order_by_client_id", (ACCOUNT, name))
    return from_row(row)


# What is shown --------------------------------------------------------------------------------------------------------


def test_a_preview_books_the_order_to_its_leg(tmp_path: Path) -> None:
    async def story(there: Hedged) -> None:
        desk = there.desk
        await long_and_short(there)
        told = await preview_order(desk.ports, desk.intent(Side.SELL, "0.1"))
        assert (told.approved, told.position_after) == (True, D("-0.3"))
        told = await preview_order(desk.ports, desk.intent(Side.SELL, "0.1", reduce_only=True))
        assert (told.approved, told.position_after) == (True, D("0.2"))
        await there.close(there.position(SHORT))
        told = await preview_order(desk.ports, desk.intent(Side.SELL, "0.1"))
        assert (told.approved, told.position_after) == (True, D("-0.1"))

    hedged(tmp_path, story)


def test_a_bot_sees_the_net_of_its_legs_and_what_waits_on_either(tmp_path: Path) -> None:
    """It would buy at every signal otherwise: its position is not where it looked."""

    async def story(there: Hedged) -> None:
        desk = there.desk
        bot = Bot(7, ACCOUNT, MAIN, USER, PERPETUAL, StrategyId(7))
        sight = Sight(desk.ports, desk.guard, bot)
        seen = sight.look()
        assert (seen.position_quantity, seen.pending, seen.last_trade_at) == (D(0), False, None)
        await there.order(Side.BUY, "0.3")
        assert sight.look().position_quantity == 0
        await there.order(Side.BUY, "0.2", strategy_id=StrategyId(7), by="bot:7")
        first = sight.look()
        assert (first.position_quantity, first.pending) == (D("0.2"), False)
        assert first.last_trade_at is not None
        await there.order(Side.SELL, "0.1", strategy_id=StrategyId(7), by="bot:7", price="50500")
        assert sight.look().pending
        await there.price("50600")
        await asyncio.sleep(1)
        await desk.ports.settled()
        last = sight.look()
        assert (last.position_quantity, last.pending) == (D("0.1"), False)
        assert last.last_trade_at is not None
        assert last.last_trade_at > first.last_trade_at

    hedged(tmp_path, story)
