"""How an account stands, for people: by hand, while prices come and go, and beside what is on its way."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from plimsoll.desk.account_figures import AccountFigures, PositionFigures, account_figures
from plimsoll.desk.preview_order import preview_order
from plimsoll.desk.reconcile_account import reconcile_account
from plimsoll.desk.value_account import book_view, value_now
from plimsoll.ledger import guarding, keys
from plimsoll.ledger.cash import post_once
from plimsoll.ledger.keys import Nav
from plimsoll.ledger.log import Note, write_note
from plimsoll.model.cash import SPOT as POCKET
from plimsoll.model.cash import CashKind, CashLine
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import Side
from plimsoll.risk.guards.reading import Reading
from plimsoll.risk.margin import LoadLevel
from plimsoll.store.draft import Draft
from plimsoll.venues.paper.rules import PaperRules
from plimsoll.venues.paper.slippage import FixedSlippage
from tests.builders import desk as builder
from tests.builders.desk import ACCOUNT, MAIN, Desk, Sent, play
from tests.builders.paper import INVERSE, PERPETUAL, SPOT

D = Decimal
FEES = PaperRules(slippage=FixedSlippage(D(0)))


def figures(desk: Desk) -> AccountFigures:
    return account_figures(desk.ports, desk.clock.now())


def only(told: AccountFigures) -> PositionFigures:
    [position] = told.positions
    return position


async def quote_both(desk: Desk, price: str) -> None:
    for of in (SPOT, PERPETUAL):
        await desk.quote(price, of=of)


# By hand --------------------------------------------------------------------------------------------------------------


def test_an_account_of_cash_alone(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        told = figures(desk)
        assert (told.currency, told.at) == ("USDT", desk.clock.now())
        assert (told.equity, told.cash, told.unrealized_pnl, told.realized_pnl, told.fees) == (
            D(100_000), D(100_000), D(0), D(0), D(0),
        )  # fmt: skip
        assert (told.margin.used, told.margin.total, told.margin.available) == (D(0), D(100_000), D(100_000))
        assert (told.margin.load.ratio, told.margin.load.level) == (D(0), LoadLevel.SAFE)
        assert told.margin.load.applies, "its venue lists perpetuals"
        assert (told.margin.level, told.margin.buying_power) == (None, D(500_000))
        assert (told.drawdown, told.peak_equity, told.unknown, told.positions) == (D(0), D(100_000), (), ())

    play(tmp_path, story)


def test_spot_and_perpetual_beside_each_other(tmp_path: Path) -> None:
    """Bought at 50,000 with a fee of 0.1 %; now 52,000."""

    async def story(desk: Desk) -> None:
        await quote_both(desk, "50000")
        await desk.buy("0.4")
        await desk.sell("1", of=PERPETUAL)
        await quote_both(desk, "52000")
        told = figures(desk)
        assert (told.cash, told.fees) == (D(79_930), D(70))
        assert told.equity == D(79_930) + D(20_800) - D(2_000)
        assert (told.unrealized_pnl, told.realized_pnl) == (D(-1_200), D(0))
        assert (told.margin.load.gross, told.margin.used) == (D(72_800), D(13_000))
        assert (told.margin.total, told.margin.available) == (D(77_930), D(64_930))
        assert (told.margin.maintenance, told.peak_equity) == (D(520), D(100_000))
        assert told.drawdown == D("0.0127")
        coins, short = told.positions
        assert (coins.entry_price, coins.price, coins.value, coins.margin) == (D(50_000), D(52_000), D(20_800), D(0))
        assert (coins.unrealized_pnl, coins.unrealized_ratio) == (D(800), D("0.04"))
        assert (coins.leverage, coins.liquidation_price, coins.matched, coins.closing) == (D(1), None, True, False)
        assert (short.position.quantity, short.value, short.margin) == (D(-1), D(52_000), D(13_000))
        assert (short.unrealized_pnl, short.unrealized_ratio, short.leverage) == (D(-2_000), D("-0.04"), D(4))
        # 79,930 − 2,000 + 52,000 = 1.01 × P; the coins carry nothing of it
        assert short.liquidation_price == D("128643.564356435643564356")

    play(tmp_path, story, leverage="4", rules=FEES)


def test_what_was_realised_stays_when_the_position_is_gone(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.buy("1")
        await desk.quote("51000")
        await desk.sell("1", reduce_only=True)
        told = figures(desk)
        assert (told.realized_pnl, told.fees, told.unrealized_pnl, told.positions) == (D(1_000), D(101), D(0), ())
        assert told.equity == told.cash == D(100_899)

    play(tmp_path, story, trades_in=PERPETUAL, leverage="2", rules=FEES)


def test_waiting_orders_bind_and_load_before_they_fill(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.buy("1", price="49000")
        told = figures(desk)
        assert (told.margin.load.gross, told.margin.used) == (D(49_000), D(24_745)), "1 % of slack is held back too"
        assert (told.margin.available, told.margin.level) == (D(75_255), None)
        assert told.margin.load.ratio == D("0.098")
        assert (await preview_order(desk.ports, desk.intent(Side.BUY, "0.1"))).load_before == D("0.098")

    play(tmp_path, story, trades_in=PERPETUAL, leverage="2")


def test_the_peak_that_waits_to_be_written_counts(tmp_path: Path) -> None:
    """The figures show the drawdown that the guard sees, though the books have not heard of the peak yet."""

    async def story(desk: Desk) -> None:
        await desk.buy("1")
        for _ in range(2):
            await desk.look("60000", after=3)
        await desk.look("57000", after=1)
        told, reading = figures(desk), await value_now(desk.ports)
        assert isinstance(reading, Reading)
        assert (told.drawdown, told.peak_equity) == (reading.drawdown, D(110_000))
        assert told.drawdown == D("0.027272727272727273")

    play(tmp_path, story)


# Unknown --------------------------------------------------------------------------------------------------------------


def test_a_price_that_is_too_old_makes_it_unknown_and_comes_back(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.buy("1")
        await desk.wait(5)
        assert only(figures(desk)).price_age == timedelta(seconds=5)
        assert figures(desk).equity is not None
        await desk.wait(1)
        told = figures(desk)
        assert (told.equity, told.unrealized_pnl, told.drawdown) == (None, None, None)
        assert (told.margin.load.level, told.margin.available) == (LoadLevel.UNKNOWN, None)
        assert told.unknown == ("no price in time for BTC/USDT:USDT",)
        assert (told.cash, told.realized_pnl, told.peak_equity) == (D(100_000), D(0), D(100_000))
        held = only(told)
        assert (held.price, held.value, held.unrealized_pnl, held.unrealized_ratio, held.margin) == (None,) * 5
        assert (held.liquidation_price, held.entry_price, held.price_age) == (None, D(50_000), timedelta(seconds=6))
        await desk.quote("50000")
        assert figures(desk).unknown == ()

    play(tmp_path, story, trades_in=PERPETUAL, leverage="2")


def test_a_coin_that_nothing_prices_is_named_once(tmp_path: Path) -> None:
    """Coins came in from outside: the account is worth nobody knows what, and its cash is what it was."""

    async def story(desk: Desk) -> None:
        now = desk.clock.now()
        line = CashLine(ACCOUNT, MAIN, POCKET, "DOGE", CashKind.DEPOSIT, D(5), "gift", now)

        def unit(draft: Draft) -> None:
            post_once(draft, [line])
            write_note(draft, Note(ACCOUNT, "user:1", "CREATE", "ACCOUNT", "a-1", now, {}))

        await desk.ports.books.write(unit)
        told = figures(desk)
        assert (told.equity, told.unknown, told.cash) == (None, ("no price in time for DOGE",), D(100_000))
        assert told.unrealized_pnl == 0

    play(tmp_path, story)


def test_before_the_first_deposit_there_is_no_peak(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.ports.books.write(lambda draft: draft.put(keys.nav(ACCOUNT), None))
        told = figures(desk)
        assert (told.equity, told.peak_equity, told.drawdown) == (D(100_000), None, None)
        assert told.unknown == ("nothing was ever deposited",)
        await desk.ports.books.write(lambda draft: guarding.write_nav(draft, ACCOUNT, Nav(), desk.clock.now()))
        assert figures(desk).unknown == ("everything that was deposited went out again",)

    play(tmp_path, story)


def test_a_position_that_never_had_a_price_has_no_age(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.buy("1")
        desk.die()
        await desk.start()
        assert only(figures(desk)).price_age is None

    play(tmp_path, story, trades_in=PERPETUAL, leverage="2")


# Beside what happens --------------------------------------------------------------------------------------------------


def test_a_position_is_matched_when_a_comparison_found_it_equal(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.buy("1")
        await reconcile_account(desk.ports)
        assert only(figures(desk)).matched
        desk.ports.doubt("a stream was lost")
        assert only(figures(desk)).matched, "the last comparison found it equal; the next one has not been made"

    play(tmp_path, story, trades_in=PERPETUAL, leverage="2")


@pytest.mark.parametrize(
    ("of", "key", "matched"),
    [
        (PERPETUAL, "position:2", False),
        (PERPETUAL, "position:22", True),
        (PERPETUAL, "balance:futures:USDT", True),
        (PERPETUAL, "trade:2:T1:0", False),
        (PERPETUAL, "trade:21:T1:0", True),
        (SPOT, "balance:spot:BTC", False),
        (SPOT, "balance:futures:BTC", True),
        (SPOT, "position:1", True),
    ],
)
def test_a_break_is_shown_at_the_position_that_it_concerns(
    tmp_path: Path, of: Instrument, key: str, matched: bool
) -> None:
    async def story(desk: Desk) -> None:
        await desk.buy("0.1")
        await reconcile_account(desk.ports)
        desk.ports.breaks_told = frozenset({key})
        assert only(figures(desk)).matched is matched

    play(tmp_path, story, trades_in=of)


def test_before_any_comparison_nothing_is_matched(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.buy("0.1")
        desk.ports.sync_told = {}
        assert not only(figures(desk)).matched
        desk.ports.sync_told = {"compared": "False"}
        assert not only(figures(desk)).matched

    play(tmp_path, story)


def test_a_position_is_closing_while_its_close_is_on_its_way(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.buy("1")
        seen: list[bool] = []

        async def look() -> None:
            seen.append(only(figures(desk)).closing)

        desk.venue.before_sending = look
        desk.venue.fates.append(Sent.NOT_SENT)
        await desk.sell("1", reduce_only=True)
        await look()
        assert seen == [True, False]

    play(tmp_path, story, trades_in=PERPETUAL, leverage="2")


def test_what_the_books_say_is_read_once_and_again_when_they_change(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.buy("0.1")
        before = figures(desk)
        view = book_view(desk.ports)
        assert view.standing is not None
        await desk.quote("51000")
        assert figures(desk).equity == D(100_100)
        assert book_view(desk.ports).standing is view.standing, "a price changes nothing that was read"
        assert (await desk.ports.venue.equity(ACCOUNT)) == figures(desk).equity
        await desk.buy("0.1")
        told = figures(desk)
        assert (only(told).position.quantity, only(before).position.quantity) == (D("0.2"), D("0.1"))
        assert book_view(desk.ports).standing is not view.standing

    play(tmp_path, story)


def test_profits_in_another_asset_are_counted_at_todays_price_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An inverse contract is margined with coins and pays in coins: 10,000 USD from 50,000 to 40,000 cost 0.05 BTC."""
    monkeypatch.setattr(builder, "ALL", (*builder.ALL, INVERSE))

    async def story(desk: Desk) -> None:
        await desk.quote("50000", of=INVERSE)
        assert (await desk.buy("1")).approved
        told = await preview_order(desk.ports, desk.intent(Side.BUY, "10000", of=INVERSE))
        assert (told.required, told.required_asset, told.value, told.fee) == (D("0.1"), "BTC", D(10_000), D(10))
        # 0.9998 + 0.2 − 10,000 / P = 100 / P: a coin less the fee carries it
        assert told.liquidation_price == D("8418.069678279713285548")
        assert (await desk.buy("10000", of=INVERSE)).approved
        for of in (SPOT, INVERSE):
            await desk.quote("40000", of=of)
        now = figures(desk)
        assert now.equity == await desk.ports.venue.equity(ACCOUNT)
        short = now.positions[1]
        assert (short.unrealized_pnl, short.unrealized_ratio, short.value) == (D(-2_000), D("-0.25"), D(10_000))
        assert (short.margin, now.margin.used) == (D(5_000), D(5_000))
        assert now.margin.total == now.equity, "here the coins are margin"
        await desk.wait(6)
        await desk.quote("40000", of=INVERSE)
        blind = figures(desk).positions[1]
        assert (blind.price, blind.unrealized_ratio) == (D(40_000), D("-0.25")), "told in coins it is still known"
        assert (blind.value, blind.unrealized_pnl, blind.margin) == (None, None, None)
        await desk.quote("40000")
        assert (await desk.sell("10000", of=INVERSE, reduce_only=True)).approved
        await desk.sell("0.9")
        assert figures(desk).realized_pnl == D(-9_000) + D(-2_000), "of the coins, and of the contract"
        await desk.wait(6)
        await desk.quote("40000", of=INVERSE)
        told_late = figures(desk)
        assert (told_late.realized_pnl, told_late.fees) == (None, None)
        assert told_late.unknown == ("no price in time for BTC", "no price in time for BTC/USDT")

    play(tmp_path, story, rules=FEES)
