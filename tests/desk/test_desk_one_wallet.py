"""Spot and perpetuals from one wallet: the gate, the valuation and the paper venue count the same money.

The account brings its cash in pocket `spot`; what its perpetuals earn and lose is posted to pocket `futures`, which may
go below zero there. Slack and buffer are taken out of the gate, so that it must say exactly what the venue says.
"""

import json
import random
from decimal import Decimal
from pathlib import Path

import pytest

from plimsoll.desk.cancel_order import cancel_order
from plimsoll.desk.place_order import OrderAnswer, place_order
from plimsoll.desk.preview_order import preview_order
from plimsoll.desk.reconcile_account import reconcile_account
from plimsoll.desk.value_account import worth_of
from plimsoll.ledger.accounts import write_policy
from plimsoll.model.cash import FUTURES
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import Intent, OrderState, Side
from plimsoll.venues.paper.rules import PaperRules
from plimsoll.venues.paper.slippage import FixedSlippage
from plimsoll.venues.protocol import OrderRejected
from tests.builders.approved import approved
from tests.builders.desk import ACCOUNT, FRICTIONLESS, Desk, play
from tests.builders.paper import PERPETUAL, SPOT

D = Decimal
FEES = PaperRules(slippage=FixedSlippage(D(0)))
#: Only what an order costs stands in its way.
MONEY_ALONE: dict[str, str | None] = {
    "market_slack_ratio": "0", "cash_buffer_ratio": "0", "max_order_ratio": "1000000", "max_position_ratio": "1000000",
    "max_gross_ratio": "1000000", "max_net_ratio": "1000000", "warn_load_ratio": "1000000", "max_load_ratio": "1000000",
    "drawdown_warn_ratio": "10", "drawdown_close_ratio": "10", "min_equity": "0", "min_order_value": "0",
}  # fmt: skip


async def show(desk: Desk, price: Decimal) -> None:
    for of in (SPOT, PERPETUAL):
        await desk.quote(str(price), str(price + 1), of=of)


async def allow_what_money_allows(desk: Desk) -> None:
    await desk.ports.books.write(lambda draft: write_policy(draft, ACCOUNT, MONEY_ALONE, 2))


async def same_worth(desk: Desk) -> None:
    """Our equity is the venue's, to the last digit."""
    worth, _nav = worth_of(desk.ports, desk.clock.now())
    assert worth.equity == await desk.venue.inner.equity(ACCOUNT)


class Trader:
    """Draws orders around the edge of what the money allows, and asks both sides about each."""

    def __init__(self, desk: Desk, seed: int) -> None:
        self.desk, self.chance = desk, random.Random(seed)
        self.price = 50_000
        self.said = {True: 0, False: 0}

    async def step(self, number: int) -> None:
        desk, chance = self.desk, self.chance
        await desk.wait(1)
        self.price += chance.randint(-600, 600)
        price = D(self.price)
        await show(desk, price)
        for order in desk.live():
            if chance.random() < 0.5:
                await cancel_order(desk.ports, order.client_order_id, actor="user:1")
        of = chance.choice([SPOT, PERPETUAL])
        side, reduce_only = self._side(of)
        waits = chance.random() < 0.3 and not reduce_only
        away = chance.choice([-200, 200])
        at = str(price + (-away if side is Side.BUY else away)) if waits else None
        probe = desk.intent(side, str(of.lot_size), price=at, of=of, reduce_only=reduce_only)
        largest = (await preview_order(desk.ports, probe)).largest_quantity
        sizes = [of.lot_size * 1_000] if largest is None else [largest, largest + 2 * of.lot_size, largest * 2]
        if largest is not None and largest > 4 * of.lot_size:
            sizes.append(of.round_down_to_lot(largest / 4))
        size = str(chance.choice(sizes))
        await self._ask_both(desk.intent(side, size, price=at, of=of, reduce_only=reduce_only), of, number)

    def _side(self, of: Instrument) -> tuple[Side, bool]:
        """A perpetual grows on its own side or is closed: turning it round in one order is told apart below."""
        held = self.desk.held(of)
        if of is SPOT or held == 0:
            return self.chance.choice(list(Side)), False
        grows = Side.BUY if held > 0 else Side.SELL
        return (grows, False) if self.chance.random() < 0.6 else (grows.opposite, True)

    async def _ask_both(self, intent: Intent, of: Instrument, number: int) -> None:
        desk = self.desk
        told = await preview_order(desk.ports, intent)
        answer = await place_order(desk.ports, intent)
        assert told.approved == answer.approved
        self.said[answer.approved] += 1
        if answer.order is not None:
            assert answer.order.state is not OrderState.REJECTED, answer.order.reason
        else:
            codes = {item.finding.refusal.code for item in told.reasons if item.finding.refusal}
            assert codes <= {"not_enough_free", "close_larger_than_position"}
            if "not_enough_free" in codes:
                terms = intent.terms
                at = None if terms.price is None else str(terms.price)
                same = approved(f"OTHER{number}", terms.side, str(terms.quantity), of, price=at)
                with pytest.raises(OrderRejected, match="insufficient"):
                    await desk.venue.inner.place(same)
        await desk.ports.settled()
        await same_worth(desk)


@pytest.mark.parametrize("seed", range(4))
def test_the_gate_approves_what_the_venue_takes_and_nothing_else(tmp_path: Path, seed: int) -> None:
    async def story(desk: Desk) -> None:
        await allow_what_money_allows(desk)
        trader = Trader(desk, seed)
        for number in range(40):
            await trader.step(number)
        assert min(trader.said.values()) >= 5, f"both answers were seen: {trader.said}"

    play(tmp_path, story, cash="20000", leverage="3", rules=FEES)


async def money_and_prices(desk: Desk) -> None:
    await allow_what_money_allows(desk)
    await show(desk, D(50_000))


def refusals(answer: OrderAnswer) -> set[str]:
    return {check["code"] for check in json.loads(answer.checks_json) if check["outcome"] == "REFUSE"}


def test_coins_bought_on_spot_are_no_margin(tmp_path: Path) -> None:
    """All but 100 of the cash is in coins; equity is what it was, and a contract cannot be opened with it."""

    async def story(desk: Desk) -> None:
        await money_and_prices(desk)
        assert (await desk.buy(value="19900")).approved
        assert refusals(await desk.buy("0.01", of=PERPETUAL)) == {"not_enough_free"}
        assert desk.held(PERPETUAL) == 0

    play(tmp_path, story, cash="20000", leverage="3", rules=FRICTIONLESS)


def test_what_a_perpetual_binds_buys_no_coins(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await money_and_prices(desk)
        assert (await desk.buy("1.1", of=PERPETUAL)).approved  # 55,001.1 at 3×
        cash = desk.cash()
        assert refusals(await desk.buy(value="2000")) == {"not_enough_free"}
        assert (desk.cash(), desk.held(SPOT)) == (cash, D(0))
        assert (await desk.buy(value="1500")).approved

    play(tmp_path, story, cash="20000", leverage="3", rules=FRICTIONLESS)


def test_an_open_profit_is_margin_and_buys_no_coins_and_an_open_loss_is_neither(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await money_and_prices(desk)
        assert (await desk.buy("0.3", of=PERPETUAL)).approved
        await show(desk, D(60_000))  # 2,999.7 earned; 6,000 bound
        assert refusals(await desk.buy(value="14500")) == {"not_enough_free"}
        assert (await desk.buy("0.84", of=PERPETUAL)).approved, "16,999.7 are free"
        await same_worth(desk)
        await show(desk, D(58_000))
        assert refusals(await desk.buy(value="20")) == {"not_enough_free"}

    play(tmp_path, story, cash="20000", leverage="3", rules=FRICTIONLESS)


def test_a_loss_leaves_the_pocket_of_derivatives_below_zero_and_the_books_equal(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await money_and_prices(desk)
        assert (await desk.buy(value="10000")).approved
        assert (await desk.buy("0.3", of=PERPETUAL)).approved
        await show(desk, D(45_000))
        assert (await desk.sell("0.3", of=PERPETUAL, reduce_only=True)).approved
        amount = {(b.pocket, b.asset): b.amount for b in desk.ports.books.hot.shelf("balance", ACCOUNT)}
        assert amount[FUTURES, "USDT"] == D("-1500.3")
        await same_worth(desk)
        assert (await reconcile_account(desk.ports)).may_open
        largest = (await preview_order(desk.ports, desk.intent(Side.BUY, "1"))).largest_quantity
        assert largest == D("0.18887802"), (
            "the 8,499.7 that are left in all, at 45,001, and not the 10,000 of the pocket"
        )
        assert (await desk.buy("0.18887802")).approved

    play(tmp_path, story, cash="20000", leverage="3", rules=FRICTIONLESS)


def test_turning_a_position_round_in_one_order_needs_the_margin_of_all_of_it(tmp_path: Path) -> None:
    """The venue gives the old margin back first. The gate does not count on it: two such orders may wait at once."""

    async def story(desk: Desk) -> None:
        await money_and_prices(desk)
        assert (await desk.buy("1.1", of=PERPETUAL)).approved
        assert refusals(await desk.sell("1.2", of=PERPETUAL)) == {"not_enough_free"}
        assert (await desk.sell("1.1", of=PERPETUAL, reduce_only=True)).approved
        assert (await desk.sell("0.1", of=PERPETUAL)).approved

    play(tmp_path, story, cash="20000", leverage="3", rules=FRICTIONLESS)
