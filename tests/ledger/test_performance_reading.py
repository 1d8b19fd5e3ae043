"""What performance is read from: the worth of days, money put in, and round trips, on both engines."""

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings

from plimsoll.ledger import guarding
from plimsoll.ledger.fold import ToldTrades, after_one, happened
from plimsoll.ledger.log import Note, write_note
from plimsoll.ledger.reading.performance import PerformanceReading
from plimsoll.ledger.reading.reader import Reader
from plimsoll.ledger.trips import Trip
from plimsoll.model.asker import Asker
from plimsoll.model.cash import CashEvent, CashKind
from plimsoll.model.clock import time_text
from plimsoll.model.entry import Entry, EntryKind
from plimsoll.model.ids import PortfolioId, UserId
from plimsoll.model.trade import Trade, TradeEffect
from plimsoll.risk.guards.reading import Reading
from plimsoll.store.draft import Draft
from plimsoll.store.place import Place, people_reader
from tests.builders.happenings import TRADED, Booked, Fact, days_of_facts, facts_of, telling, told
from tests.builders.ledger import (
    ACCOUNT,
    INVERSE,
    MAIN,
    NOON,
    PERPETUAL,
    SPOT,
    USER,
    Books,
    buy,
    sell,
)
from tests.builders.places import books_in

D = Decimal
EXAMPLES = settings(max_examples=500 if os.environ.get("HYPOTHESIS_PROFILE") == "nightly" else 30)
DAY = date(2022, 1, 21)
FIRST, LAST = date(1970, 1, 1), date(2199, 12, 31)
DAYS = timedelta(days=1)


@pytest.fixture
def books(place: Place) -> Iterator[Books]:
    """An account that is open, and nothing in it."""
    made = books_in(place).open()
    yield made
    made.close()


@pytest.fixture
def reading(place: Place) -> Iterator[PerformanceReading]:
    """Ask as the owner."""
    engine = people_reader(place)
    yield Reader(engine).of(Asker(USER.id)).performance
    engine.dispose()


# Worth ----------------------------------------------------------------------------------------------------------------


def look(books: Books, at: datetime, nav: str) -> None:
    """Look at what a unit of the account is worth."""

    def unit(draft: Draft) -> None:
        reading = Reading(at, D(5) * D(nav), D(nav), D(1000), confirmed=True)
        guarding.write_snapshot(draft, ACCOUNT.id, reading)
        write_note(draft, Note(ACCOUNT.id, "user:1", "CREATE", "CASH", f"look {at}", at, {}))

    books.write(unit)


def test_a_day_is_worth_what_it_was_at_its_end_and_fell_as_deep_as_within_it(
    books: Books, reading: PerformanceReading
) -> None:
    """The last look before the first day comes first; what was highest since then is what a fall is counted from."""
    noon = NOON.replace(hour=12)
    for at, nav in (
        (noon - 3 * DAYS, "900"),
        (noon - 2 * DAYS, "100"),
        (noon, "110"),
        (noon + timedelta(hours=1), "88"),
        (noon + timedelta(hours=2), "105"),
        (noon + 2 * DAYS, "121"),
        (noon + 9 * DAYS, "1"),
    ):
        look(books, at, nav)
    told = reading.worth(ACCOUNT.id, since=DAY, until=DAY + 3 * DAYS)
    assert [(one.day, one.nav, one.drawdown) for one in told] == [
        ("2022-01-19", D(100), D(0)),
        ("2022-01-21", D(105), D("-0.2")),
        ("2022-01-23", D(121), D(0)),
    ]
    assert reading.worth(ACCOUNT.id, since=DAY - 9 * DAYS, until=DAY - 5 * DAYS) == ()


def test_what_was_never_worth_anything_lost_no_part_of_it(books: Books, reading: PerformanceReading) -> None:
    """Nothing is divided by nothing."""
    look(books, NOON, "0")
    look(books, NOON + DAYS, "-5")
    assert [one.drawdown for one in reading.worth(ACCOUNT.id, since=FIRST, until=LAST)] == [D(0), D(0)]


# Money put in ---------------------------------------------------------------------------------------------------------


def test_money_put_in_is_told_with_its_sign_and_day(books: Books, reading: PerformanceReading) -> None:
    """Deposits and withdrawals up to a day; interest is earned and not put in."""
    for number, (kind, amount) in enumerate(
        ((CashKind.DEPOSIT, "100"), (CashKind.WITHDRAWAL, "40"), (CashKind.INTEREST, "1"), (CashKind.DEPOSIT, "7"))
    ):
        books.write(
            telling(CashEvent(ACCOUNT.id, MAIN.id, kind, "USDT", D(amount), f"r{number}", NOON + number * DAYS))
        )
    told = reading.put_in(until=DAY + 2 * DAYS)
    assert [(one.portfolio_id, one.day, one.asset, one.amount) for one in told] == [
        (MAIN.id, "2022-01-21", "USDT", D(100)),
        (MAIN.id, "2022-01-22", "USDT", D(-40)),
    ]
    assert len(reading.put_in(until=DAY + 3 * DAYS, among=[MAIN.id])) == 3
    assert reading.put_in(until=DAY + 3 * DAYS, among=[PortfolioId(9)]) == ()


# Round trips ----------------------------------------------------------------------------------------------------------


def trips(reading: PerformanceReading, since: date = FIRST, until: date = LAST) -> list[tuple[Any, ...]]:
    """List them as (symbol, from, to, result), times as seconds since noon."""

    def second(at: str | None) -> float | None:
        return None if at is None else (datetime.fromisoformat(at) - NOON).total_seconds()

    return [
        (one.symbol, second(one.trip.opened_at), second(one.trip.closed_at), one.trip.result)
        for one in reading.trips(since=since, until=until)
    ]


def test_a_trip_is_from_nothing_to_nothing(books: Books, reading: PerformanceReading) -> None:
    """Several fills in, several out; a fill that crosses zero ends one and begins the next, and is the first's to pay.

    What is held at the end is told as open.
    """
    books.book(
        buy(PERPETUAL, "1", "100", 1, fee=D(1)),
        buy(PERPETUAL, "1", "110", 2, fee=D(1)),
        sell(PERPETUAL, "1", "120", 3, fee=D(1)),
        sell(PERPETUAL, "3", "130", 4, fee=D(2)),
        buy(PERPETUAL, "2", "140", 5),
        sell(PERPETUAL, "1", "150", 6),
    )
    symbol = PERPETUAL.symbol
    assert trips(reading) == [(symbol, 1, 4, D(35)), (symbol, 4, 5, D(-20)), (symbol, 6, None, None)]


def test_fees_in_coins_count_what_they_had_cost_and_in_other_assets_not_at_all(
    books: Books, reading: PerformanceReading
) -> None:
    """2 coins for 200, a tenth of one as the fee; 1.9 sold for 285: 95 realised on 190, less 10."""
    books.book(
        buy(SPOT, "2", "100", 1, fee=D("0.1"), fee_currency="BTC"),
        sell(SPOT, "1.9", "150", 2, fee=D("0.5"), fee_currency="BNB"),
    )
    assert trips(reading) == [(SPOT.symbol, 1, 2, D(85))]


def test_an_inverse_contract_is_counted_in_its_coin(books: Books, reading: PerformanceReading) -> None:
    """Bought low and sold high is won, too."""
    books.book(buy(INVERSE, "100", "50000", 1), sell(INVERSE, "100", "100000", 2))
    (one,) = reading.trips(since=FIRST, until=LAST)
    assert (one.currency, one.trip.result) == ("BTC", D("0.001"))


def test_coins_at_an_unknown_cost_make_a_result_unknown(books: Books, reading: PerformanceReading) -> None:
    """Also where they cover what was sold short; the next trip is known again."""
    coins = (ACCOUNT.id, MAIN.id, SPOT.id, None, "", EntryKind.IN)
    books.write(telling(Entry(*coins, D(1), "e1", NOON)))
    books.book(sell(SPOT, "1", "100", 1), buy(SPOT, "1", "90", 2), sell(SPOT, "1", "100", 3), sell(SPOT, "1", "100", 4))
    books.write(telling(Entry(*coins, D(1), "e2", NOON + timedelta(seconds=5))))
    assert [one[3] for one in trips(reading)] == [None, D(10), None]


def test_a_fill_that_was_taken_back_is_in_no_trip(books: Books, reading: PerformanceReading) -> None:
    """A bust leaves what is left; without it nothing had been closed."""
    first, last = buy(SPOT, "1", "100", 1), sell(SPOT, "1", "150", 2)
    books.book(first, last)
    assert trips(reading) == [(SPOT.symbol, 1, 2, D(50))]
    books.book(replace(last, revision=1, effect=TradeEffect.BUST))
    assert trips(reading) == [(SPOT.symbol, 1, None, None)]


def test_only_what_was_held_in_the_time_is_told(books: Books, reading: PerformanceReading) -> None:
    """Closed before is left out; what came after the time has not happened yet."""
    for number in range(3):
        at = NOON + number * DAYS
        books.book(
            buy(SPOT, "1", "100", 2 * number + 1, exec_time=at),
            sell(SPOT, "1", "110", 2 * number + 2, exec_time=at + timedelta(hours=36 if number == 2 else 1)),
        )
    day = DAY + DAYS
    assert [one[2] for one in trips(reading, day, day)] == [25 * 3600]
    assert [one[3] for one in trips(reading, DAY + 2 * DAYS, DAY + 2 * DAYS)] == [None]
    assert reading.trips(since=FIRST, until=LAST, among=[PortfolioId(9)]) == ()


def expected_trips(booked: Booked) -> list[Trip]:
    """Find trips by looking at the whole position before and after each thing that happened to it."""
    found: list[Trip] = []
    for instrument in TRADED:
        its = ToldTrades(trade for trade in booked.trades if trade.report.instrument_id == instrument.id)
        entered = [entry for entry in booked.entries if entry.instrument_id == instrument.id]
        for position, in_order in happened(its, entered):
            opened, earned, known = "", D(0), True
            whose = (position.portfolio_id, instrument.id)
            for one in in_order:
                before, position = position, after_one(position, one, instrument)  # noqa: PLW2901  it moves on
                fee = D(0)
                if isinstance(one, Trade) and one.report.fee_currency == instrument.cash_asset:
                    fee = one.report.fee
                earned += position.realized_pnl - before.realized_pnl - position.fee_cost + before.fee_cost - fee
                proceeds = position.uncosted_proceeds == before.uncosted_proceeds
                known = known and proceeds and not before.uncosted and not position.uncosted
                at, crossed = time_text(one.fold_key[0]), before.quantity * position.quantity < 0
                if before.quantity and (crossed or not position.quantity):
                    found.append(Trip(*whose, opened, at, earned if known else None))
                    earned, known = D(0), not position.uncosted
                if position.quantity and (crossed or not before.quantity):
                    opened = at
                    if not crossed:
                        earned, known = before.fee_cost - position.fee_cost - fee, not position.uncosted
            if position.quantity:
                found.append(Trip(*whose, opened, None, None))
    return found


@EXAMPLES
@given(days_of_facts())
def test_trips_are_those_of_the_fold_whatever_happened(facts: list[Fact]) -> None:
    """Revisions, entries, splits, legs, two portfolios, any order."""
    books = told(facts)
    found = Reader(books.engine).of(Asker(USER.id)).performance.trips(since=FIRST, until=LAST)
    expected = expected_trips(facts_of(books))
    assert sorted(map(str, (one.trip for one in found))) == sorted(map(str, expected))
    books.close()


def test_nobody_is_told_of_another_s(books: Books, place: Place) -> None:
    """Another person, and a token that touches no portfolio of the account."""
    books.book(buy(SPOT, "1", "100", 1))
    look(books, NOON, "100")
    engine = people_reader(place)
    for asker in (Asker(UserId(2)), Asker(USER.id, frozenset({PortfolioId(9)}))):
        his = Reader(engine).of(asker).performance
        assert his.trips(since=FIRST, until=LAST) == ()
        assert his.worth(ACCOUNT.id, since=FIRST, until=LAST) == ()
        assert his.put_in(until=LAST) == ()
    engine.dispose()
