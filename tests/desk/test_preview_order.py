"""A preview: what the gate would say, with every check, and what the account would be afterwards. It writes nothing."""

import json
import random
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from plimsoll.desk.cancel_order import cancel_order
from plimsoll.desk.place_order import place_order
from plimsoll.desk.preview_order import OrderPreview, preview_order
from plimsoll.ledger.digest import digest
from plimsoll.model.errors import CommandRefused
from plimsoll.model.ids import AccountId, InstrumentId, UserId
from plimsoll.model.order import Intent, OrderTerms, OrderType, Side
from plimsoll.risk.gate.controls import CONTROLS
from plimsoll.risk.gate.verdict import Outcome
from plimsoll.store.sqlite import reader
from plimsoll.venues.paper.rules import PaperRules
from plimsoll.venues.paper.slippage import FixedSlippage
from tests.builders.desk import ACCOUNT, DEAR, FRICTIONLESS, Desk, play
from tests.builders.paper import PERPETUAL, SPOT

D = Decimal
#: The venue's usual fee of 0.1 %, at prices that a reader can follow.
FEES = PaperRules(slippage=FixedSlippage(D(0)))
STORED = "SELECT outcome, checks_json FROM verdicts ORDER BY id DESC LIMIT 1"


async def ask(desk: Desk, side: Side, quantity: str | None = None, **said: object) -> OrderPreview:
    return await preview_order(desk.ports, desk.intent(side, quantity, **said))  # type: ignore[arg-type]


def refused(told: OrderPreview) -> set[int]:
    return {item.control.number for item in told.reasons}


# By hand --------------------------------------------------------------------------------------------------------------


def test_a_spot_purchase_by_hand(tmp_path: Path) -> None:
    """0.5 BTC at 50,000 of 100,000 USDT: no load is on what is paid for, beyond its value against five times equity."""

    async def story(desk: Desk) -> None:
        told = await ask(desk, Side.BUY, "0.5")
        assert told.approved
        assert (told.quantity, told.price, told.value, told.fee) == (D("0.5"), D(50_000), D(25_000), D(25))
        assert (told.leverage, told.required, told.required_asset) == (D(1), D(25_000), "USDT")
        assert (told.load_before, told.load_after) == (D(0), D("0.050012503125781445"))
        assert (told.margin_after, told.available_after) == (D(0), D(74_975))
        assert (told.position_after, told.liquidation_price) == (D("0.5"), None)
        assert told.largest_quantity == D("1.95843760"), "99,000 beside the buffer, at 50,000 × 1.01 × 1.001"
        assert (told.price_source, told.quote_age) == ("live", timedelta(0))
        assert [item.control for item in told.checks] == list(CONTROLS)
        assert told.reasons == ()

    play(tmp_path, story, rules=FEES)


@pytest.mark.parametrize(
    ("leverage", "required", "available", "price"),
    [
        # As in docs/margin-and-leverage.md: 10,000 USDT and 0.3 BTC of it at 50,000, which is 15,000
        ("2", D(7_500), D(2_485), D("16885.521885521885521886")),
        ("5", D(3_000), D(6_985), D("16885.521885521885521886")),
    ],
)
def test_a_perpetual_by_hand(
    tmp_path: Path, leverage: str, required: Decimal, available: Decimal, price: Decimal
) -> None:
    """The leverage of the symbol divides its margin; the account carries the position whatever it is."""

    async def story(desk: Desk) -> None:
        told = await ask(desk, Side.BUY, "0.3")
        assert told.approved
        assert (told.value, told.fee, told.leverage) == (D(15_000), D(15), D(leverage))
        assert (told.required, told.required_asset) == (required, "USDT")
        assert (told.load_before, told.load_after) == (D(0), D("0.300450676014021032"))
        assert (told.margin_after, told.available_after) == (required, available)
        assert (told.position_after, told.liquidation_price) == (D("0.3"), price)

    play(tmp_path, story, trades_in=PERPETUAL, cash="10000", leverage=leverage, rules=FEES)


def test_a_short_by_hand(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        told = await ask(desk, Side.SELL, "0.6", price="50500")
        assert told.approved
        assert (told.price, told.value, told.required) == (D(50_500), D(30_300), D(6_060))
        # Sold 500 above the market, 300 are earned at once: 10,300 + 30,000 = 1.01 × 0.6 × P
        assert (told.position_after, told.liquidation_price) == (D("-0.6"), D("66501.650165016501650165"))

    play(tmp_path, story, trades_in=PERPETUAL, cash="10000", leverage="5", rules=FRICTIONLESS)


def test_what_was_previewed_is_what_is_there_after_the_fill(tmp_path: Path) -> None:
    """Fee and rounding included: the copy is booked as the ledger books."""

    async def story(desk: Desk) -> None:
        assert (await desk.buy("0.7", price="49000")).approved, "another order waits, and goes on waiting"
        told = await ask(desk, Side.BUY, "0.001")
        for side, size in ((Side.BUY, "0.3"), (Side.BUY, "0.1"), (Side.SELL, "0.6"), (Side.BUY, "0.2")):
            told = await ask(desk, side, size)
            assert told.approved
            assert (await place_order(desk.ports, desk.intent(side, size))).approved
            again = await ask(desk, Side.BUY, "0.001")
            assert desk.held() == told.position_after
            assert again.load_before == told.load_after
            nothing = await ask(desk, side, "1000")
            assert nothing.load_before == told.load_after
        assert told.position_after == 0
        assert told.liquidation_price is None

    play(tmp_path, story, trades_in=PERPETUAL, cash="100000", leverage="3", rules=FEES)


def test_a_close_by_hand_gives_back_what_it_bound(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.buy("0.3")
        told = await ask(desk, Side.SELL, "0.1", reduce_only=True)
        assert told.approved
        assert (told.required, told.margin_after, told.position_after) == (D(0), D(2_000), D("0.2"))
        assert (told.load_before, told.load_after) == (D("0.3"), D("0.2"))
        assert told.largest_quantity == D("0.3")
        outcomes = {item.control.number: item.finding.outcome for item in told.checks}
        assert outcomes[36] is Outcome.PASS
        assert outcomes[15] is Outcome.NOT_APPLICABLE

    play(tmp_path, story, trades_in=PERPETUAL, cash="10000", leverage="5")


def test_a_close_that_is_none_is_told_no_afterwards(tmp_path: Path) -> None:
    """Nothing would be after it: a reduce-only order never turns a position round."""

    async def story(desk: Desk) -> None:
        await desk.buy("0.3")
        told = await ask(desk, Side.SELL, "0.5", reduce_only=True)
        assert (told.approved, refused(told), told.largest_quantity) == (False, {36}, D("0.3"))
        assert (told.position_after, told.load_after, told.margin_after) == (None, None, None)

    play(tmp_path, story, trades_in=PERPETUAL, cash="10000", leverage="5")


def test_coins_that_are_sold_are_what_is_required(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.buy("0.5")
        told = await ask(desk, Side.SELL, "0.2")
        assert told.approved
        assert (told.required, told.required_asset, told.position_after) == (D("0.2"), "BTC", D("0.3"))
        assert (told.available_after, told.largest_quantity) == (D(85_000), D("0.5"))

    play(tmp_path, story)


def test_a_refused_order_is_told_how_far_off_it_is(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        told = await ask(desk, Side.BUY, "10")
        assert not told.approved
        assert refused(told) == {22, 27, 28, 32, 34}
        # The fee of 500 is taken from the 10,000 that would carry 500,000.
        assert (told.load_after, told.position_after) == (D("10.526315789473684211"), D(10))
        assert told.largest_quantity == D("0.75"), "75 % of five times 10,000"
        assert (await ask(desk, Side.BUY, str(told.largest_quantity))).approved

    play(tmp_path, story, trades_in=PERPETUAL, cash="10000", leverage="5", rules=FEES)


def test_a_size_by_value_is_told_in_lots_and_at_their_value(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        told = await ask(desk, Side.BUY, value="1000.004")
        assert (told.quantity, told.value, told.required) == (D("0.02000008"), D("1000.004"), D("1000.004"))
        tiny = await ask(desk, Side.BUY, value="0.0001")
        assert (tiny.approved, tiny.quantity, tiny.value, tiny.fee, tiny.required) == (False, None, None, None, None)
        assert (tiny.position_after, tiny.price, tiny.largest_quantity) == (None, D(50_000), D("1.96039603"))

    play(tmp_path, story)


def test_a_smaller_size_that_would_be_approved_is_told_with_why(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        told = await ask(desk, Side.BUY, "10", allow_smaller=True)
        assert (told.approved, told.quantity) == (True, D("1.96039603"))
        assert refused(told) == {22, 27, 34}
        assert told.quantity == told.largest_quantity == told.position_after

    play(tmp_path, story)


# Unknown --------------------------------------------------------------------------------------------------------------


def test_without_a_price_nothing_of_it_is_known(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        told = await ask(desk, Side.BUY, "1", of=DEAR)
        assert not told.approved
        assert {15, 16, 22} <= refused(told)
        unknown = (
            told.price, told.value, told.fee, told.required, told.load_after, told.margin_after, told.available_after,
            told.position_after, told.largest_quantity, told.quote_age,
        )  # fmt: skip
        assert set(unknown) == {None}
        assert (told.quantity, told.load_before) == (D(1), D(0))

    play(tmp_path, story)


def test_a_price_that_is_too_old_is_shown_with_its_age_and_nothing_is_built_on_it(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.buy("0.1")
        await desk.wait(7)
        told = await ask(desk, Side.BUY, "0.1")
        assert (told.quote_age, told.price) == (timedelta(seconds=7), D(50_000))
        assert {15, 38} <= refused(told)
        assert (told.load_before, told.load_after, told.available_after) == (None, None, None)
        assert (told.position_after, told.largest_quantity) == (D("0.2"), None)

    play(tmp_path, story)


def test_of_an_account_that_cannot_be_trusted_nothing_is_told_that_rests_on_its_equity(tmp_path: Path) -> None:
    """The gate sees no equity on a blind account; the preview shows none."""

    async def story(desk: Desk) -> None:
        await desk.buy("0.3")
        desk.ports.blind = "we count 1, the venue 2"
        told = await ask(desk, Side.BUY, "0.1")
        assert {22, 34, 38} <= refused(told)
        assert (told.load_before, told.load_after, told.margin_after, told.liquidation_price) == (None,) * 4
        assert told.position_after == D("0.4")

    play(tmp_path, story, trades_in=PERPETUAL, leverage="5")


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize(
    "spoiled",
    [
        {"quantity": D("NaN")},
        {"quantity": D("Infinity")},
        {"quantity": D(-1)},
        {"quantity": D(0)},
        {"quantity": D("1E+30")},
        {"quantity": D("1E-30")},
        {"quantity": None, "quote_value": D("NaN")},
        {"quantity": None, "quote_value": D("-5")},
        {"type": OrderType.LIMIT, "price": D("NaN")},
        {"type": OrderType.LIMIT, "price": D(0)},
        {"type": OrderType.LIMIT, "price": D("1E+25")},
        {"type": OrderType.LIMIT, "price": D("1E-25")},
        {"type": OrderType.LIMIT, "price": D("50000.0000000000000000000000001")},
        {"instrument_id": InstrumentId(77)},
    ],
)
def test_numbers_that_mean_nothing_are_refused_in_words(tmp_path: Path, spoiled: dict[str, object], side: Side) -> None:
    async def story(desk: Desk) -> None:
        for of in (SPOT, PERPETUAL):
            plain = desk.intent(side, "0.1", of=of)
            terms: OrderTerms = replace(plain.terms, **spoiled)  # type: ignore[arg-type]
            intent = replace(plain, terms=terms)
            told = await preview_order(desk.ports, intent)
            assert not told.approved
            assert refused(told) & {9, 10, 11, 16}
            assert not (await place_order(desk.ports, intent)).approved

    play(tmp_path, story)


def test_an_account_of_another_answers_like_none(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        plain = desk.intent(Side.BUY, "0.1")
        with pytest.raises(CommandRefused, match="there is no such account"):
            await preview_order(desk.ports, replace(plain, account_id=AccountId(2)))
        told = await preview_order(desk.ports, replace(plain, user_id=UserId(2)))
        assert 5 in refused(told)

    play(tmp_path, story)


# It writes nothing, and sees what an order would see ------------------------------------------------------------------


@pytest.mark.parametrize("quantity", ["0.01", "1000", "0"])
def test_a_preview_changes_nothing_and_uses_no_key_up(tmp_path: Path, quantity: str) -> None:
    async def story(desk: Desk) -> None:
        await desk.buy("0.1")
        await desk.flush()
        before, hot = desk.everything(), desk.ports.books.hot.snapshot()
        proof, heads = digest(reader(desk.directory.database)), desk.rows("SELECT * FROM heads")
        venue = await desk.venue.inner.account(ACCOUNT)
        for _ in range(3):
            await ask(desk, Side.BUY, quantity, key="mine")
        assert desk.everything() == before
        assert desk.ports.books.hot.snapshot() == hot
        assert (digest(reader(desk.directory.database)), desk.rows("SELECT * FROM heads")) == (proof, heads)
        assert await desk.venue.inner.account(ACCOUNT) == venue
        assert (await desk.buy("0.01", key="mine")).approved

    play(tmp_path, story)


def test_a_key_that_stands_for_another_order_is_refused_and_its_own_is_not(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        assert (await desk.buy("0.01", key="mine")).approved
        assert (await ask(desk, Side.BUY, "0.01", key="mine")).approved
        assert refused(await ask(desk, Side.BUY, "0.02", key="mine")) == {8}

    play(tmp_path, story)


def random_intent(desk: Desk, chance: random.Random, price: int) -> Intent:
    """Draw an order of any kind and size, a good part of them out of bounds in one way or another."""
    of, kind = chance.choice([SPOT, PERPETUAL, PERPETUAL]), chance.choice(["market", "market", "limit", "stop"])
    near = str(price + chance.choice([-2_500, -500, -20, 20, 500]))
    lots = chance.choice([1, 10, 200, 500, 3_000]) * (1 if of is PERPETUAL else 10_000)
    by_value = chance.random() < 0.3
    return desk.intent(
        chance.choice(list(Side)),
        None if by_value else str(lots * of.lot_size),
        value=str(chance.choice([1, 50, 2_000, 30_000, 500_000])) if by_value else None,
        price=near if kind == "limit" else None,
        stop=near if kind == "stop" else None,
        of=of,
        reduce_only=not by_value and chance.random() < 0.3,
        allow_smaller=chance.random() < 0.3,
    )


@pytest.mark.parametrize("seed", range(3))
def test_preview_and_order_agree_at_the_same_moment(tmp_path: Path, seed: int) -> None:
    """Hundreds of orders of every kind: the same verdict, the same checks, the same size; and none sees the other."""

    async def story(desk: Desk) -> None:
        chance = random.Random(seed)
        answers = {True: 0, False: 0}
        for _ in range(120):
            await desk.wait(chance.choice([0, 1]))
            price = 50_000 + chance.randint(-900, 900)
            for of in (SPOT, PERPETUAL):
                await desk.quote(str(price), str(price + 5), of=of)
            for order in desk.live():
                if chance.random() < 0.4:
                    await cancel_order(desk.ports, order.client_order_id, actor="user:1")
            intent = random_intent(desk, chance, price)
            told = await preview_order(desk.ports, intent)
            answer = await place_order(desk.ports, intent)
            assert told.approved == answer.approved
            answers[told.approved] += 1
            [(outcome, stored)] = desk.rows(STORED)
            assert outcome == ("APPROVED" if told.approved else "REFUSED")
            if told.checks[0].finding.outcome is not Outcome.NOT_APPLICABLE:  # not a close, which skips the first
                said = {item.control.number for item in told.checks if item.finding.outcome is not Outcome.PASS}
                assert {check["number"] for check in json.loads(stored)} >= said
            no = {check["number"] for check in json.loads(stored) if check["outcome"] == "REFUSE"}
            assert no == refused(told)
            if answer.order is not None:
                assert answer.order.quantity == told.quantity
        assert min(answers.values()) >= 20, answers

    play(tmp_path, story, cash="50000", leverage="4", rules=FEES)
