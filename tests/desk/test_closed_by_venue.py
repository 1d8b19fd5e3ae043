"""Trades that the venue itself made: the position is right, no strategy is blamed for them, and nothing opens."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from plimsoll.desk.book_trades import book, hear
from plimsoll.desk.halt import lift
from plimsoll.desk.place_order import place_order
from plimsoll.ledger import keys
from plimsoll.ledger.book_trade import Booking
from plimsoll.model.account import Halt, Scope, TradingState
from plimsoll.model.ids import BrokerTradeId, StrategyId
from plimsoll.model.order import Side
from plimsoll.model.position import Position
from plimsoll.model.trade import MadeBy, TradeEffect, TradeReport
from plimsoll.store.connection import StoreFailed
from tests.builders.desk import ACCOUNT, MAIN, Desk, play
from tests.builders.paper import PERPETUAL, START

D = Decimal
SOURCE = "venue:liquidation"


def made(
    quantity: str = "1", trade_id: str = "x-1", by: MadeBy | None = MadeBy.LIQUIDATION, **said: object
) -> TradeReport:
    """Give a sale of the perpetual that the venue made."""
    place = (ACCOUNT, PERPETUAL.id, BrokerTradeId(trade_id), Side.SELL, D(quantity), D(40_000))
    told = TradeReport(*place, D("4"), "USDT", START + timedelta(hours=1), realized_cash=D(-10_000), made_by=by)
    return replace(told, **said)  # type: ignore[arg-type]


def halt_of(desk: Desk, source: str = SOURCE) -> Halt | None:
    found: Halt | None = desk.ports.books.hot.get(keys.halt(Scope.ACCOUNT, ACCOUNT, source))
    return found


def held_by(desk: Desk) -> dict[int, Decimal]:
    found: list[Position] = desk.ports.books.hot.shelf(keys.POSITION, ACCOUNT)
    return {one.strategy_id or 0: one.quantity for one in found}


def critical(desk: Desk) -> list[str]:
    return [message for severity, message in desk.told.messages if severity == "critical"]


async def bought_by_a_bot(desk: Desk) -> None:
    wish = desk.intent(Side.BUY, "1", by="bot:3")
    assert (await place_order(desk.ports, replace(wish, strategy_id=StrategyId(3)))).order is not None
    await desk.ports.settled()


@pytest.mark.parametrize(("by", "word"), [(by, by.value) for by in MadeBy])
def test_it_is_booked_by_its_word_told_and_nothing_opens(tmp_path: Path, by: MadeBy, word: str) -> None:
    """B11, B12: the account's sum is what the venue has; the strategy's own position is untouched."""

    async def story(desk: Desk) -> None:
        await bought_by_a_bot(desk)
        cash = desk.cash()
        assert await book(desk.ports, [made(by=by)]) == [Booking.BOOKED]
        assert held_by(desk) == {3: D(1), 0: D(-1)}
        assert desk.cash() == cash - D(10_004)
        await desk.flush()
        rows = desk.rows("SELECT triggered_by, portfolio_id, strategy_id, order_id FROM trades WHERE side = 'SELL'")
        assert rows == [(word, MAIN, 0, 0)]
        halt = halt_of(desk, f"venue:{word}")
        assert halt is not None
        assert (halt.state, halt.latched) == (TradingState.REDUCE_ONLY, True)
        assert halt.reason == "SELL 1 BTC/USDT:USDT at 40000, trade x-1"
        (said,) = critical(desk)
        assert said.endswith(f"BY THE VENUE: {halt.reason}. Nothing opens until a person lifts venue:{word}.")
        refused = await desk.buy("0.1")
        assert refused.order is None
        assert f"venue:{word}" in refused.checks_json

    play(tmp_path, story, trades_in=PERPETUAL, cash="1000000")


def test_a_trade_of_the_venue_s_is_told_once_and_a_lifted_halt_stays_lifted(tmp_path: Path) -> None:
    """It comes again by the stream, by a sweep, after a restart, corrected, busted: it is in the book."""

    async def story(desk: Desk) -> None:
        await hear(desk.ports, [made()])
        await hear(desk.ports, [made(), made()])
        assert len(critical(desk)) == 1
        await lift(desk.ports, SOURCE, "user:1")
        desk.die()
        assert halt_of(desk) is None
        again = [made(), made("0.5", revision=1, effect=TradeEffect.CORRECT), made(revision=2, effect=TradeEffect.BUST)]
        for report in again:
            await hear(desk.ports, [report])
        assert (halt_of(desk), len(critical(desk))) == (None, 1)
        assert held_by(desk) == {0: D(0)}
        # Another is another.
        await hear(desk.ports, [made("0.5", "x-2")])
        assert (halt_of(desk) is not None, len(critical(desk))) == (True, 2)

    play(tmp_path, story, trades_in=PERPETUAL)


def test_several_are_each_told_and_one_halt_keeps_its_first_reason(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await book(desk.ports, [made(), made("2", "x-2"), made("1", "x-3", MadeBy.ADL), made("1", "x-4", None)])
        first = halt_of(desk)
        assert first is not None
        assert first.reason.endswith("trade x-1")
        assert halt_of(desk, "venue:adl") is not None
        assert [said.partition(" ")[0] for said in critical(desk)] == ["LIQUIDATED", "LIQUIDATED", "DELEVERAGED"]
        await desk.flush()
        assert desk.rows("SELECT count(*) FROM halts") == [(2,)]
        assert desk.rows("SELECT triggered_by FROM trades ORDER BY id") == [
            ("liquidation",), ("liquidation",), ("adl",), ("external",)
        ]  # fmt: skip

    play(tmp_path, story, trades_in=PERPETUAL)


def test_what_was_taken_back_before_it_was_told_stops_nobody(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await hear(desk.ports, [made(revision=1, effect=TradeEffect.BUST)])
        await hear(desk.ports, [made()])
        assert (halt_of(desk), critical(desk)) == (None, [])
        assert held_by(desk).get(0, D(0)) == D(0)

    play(tmp_path, story, trades_in=PERPETUAL)


def test_a_crash_between_the_halt_and_the_booking_halts_once_and_books_once(tmp_path: Path) -> None:
    """The halt goes first: there is no moment in which the trade is booked and something may open."""

    async def story(desk: Desk) -> None:
        desk.books.writes_left = 1
        with pytest.raises(StoreFailed):
            await book(desk.ports, [made()])
        desk.books.writes_left = None
        assert halt_of(desk) is not None
        assert (held_by(desk), critical(desk)) == ({}, [])
        desk.die()
        assert await book(desk.ports, [made()]) == [Booking.BOOKED]
        assert (held_by(desk), len(critical(desk))) == ({0: D(-1)}, 1)
        await desk.flush()
        assert desk.rows("SELECT count(*) FROM events WHERE kind = 'HALT_CHANGED'") == [(1,)]

    play(tmp_path, story, trades_in=PERPETUAL)


def test_whose_it_is_does_not_depend_on_which_report_came_first(tmp_path: Path) -> None:
    """A correction may not say who made the trade, and come before it; the fill says so then for both."""
    fill, corrected = made(), made("0.5", revision=1, effect=TradeEffect.CORRECT, by=None)
    seen = set()

    def told_as(order: Sequence[TradeReport], number: int) -> None:
        async def story(desk: Desk) -> None:
            for report in order:
                await hear(desk.ports, [report])
            await desk.flush()
            seen.add((str(held_by(desk)), desk.cash()))

        play(tmp_path / str(number), story, trades_in=PERPETUAL)

    for number, order in enumerate(itertools.permutations((fill, corrected))):
        told_as(order, number)
    assert seen == {("{0: Decimal('-0.5')}", D(89_996))}


def test_an_instrument_that_the_book_does_not_know_halts_all_the_same(tmp_path: Path) -> None:
    """What the venue did there is in no book, so nothing may open on it."""

    async def story(desk: Desk) -> None:
        with pytest.raises(LookupError):
            await hear(desk.ports, [made(instrument_id=99)])
        halt = halt_of(desk)
        assert halt is not None
        assert halt.reason == "SELL 1 instrument 99 at 40000, trade x-1"
        assert not desk.ports.reconciled

    play(tmp_path, story, trades_in=PERPETUAL)
