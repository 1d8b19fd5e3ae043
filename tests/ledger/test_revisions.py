"""Corrections, busts and late fees in the book: another fact each, and the same books whatever came first."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from itertools import permutations

import pytest

from plimsoll.ledger import orders
from plimsoll.ledger.book_trade import Booking, is_repetition
from plimsoll.ledger.digest import canonical
from plimsoll.ledger.fold import fold_instrument
from plimsoll.ledger.late_fee import book_late_fee
from plimsoll.model.ids import AccountId, BrokerTradeId, InstrumentId
from plimsoll.model.order import OrderState, Side
from plimsoll.model.trade import LateFee, TradeEffect, TradeReport
from plimsoll.store.draft import Row
from tests.builders.happenings import OTHER, Fact, desk, facts_of, order_key, telling, told
from tests.builders.ledger import (
    ACCOUNT,
    MAIN,
    NOON,
    PERPETUAL,
    SPOT,
    Books,
    assert_hot_equals_database,
    booking,
    buy,
    client_order_id,
    sell,
)

D = Decimal


@pytest.fixture
def books() -> Iterator[Books]:
    books = desk()
    yield books
    assert_hot_equals_database(books)


def corrected(report: TradeReport, revision: int = 1, **said: object) -> TradeReport:
    return replace(report, revision=revision, effect=TradeEffect.CORRECT, **said)  # type: ignore[arg-type]


def busted(report: TradeReport, revision: int = 1) -> TradeReport:
    return replace(report, revision=revision, effect=TradeEffect.BUST)


def late(report: TradeReport, fee: str, currency: str, name: str = "c1") -> LateFee:
    place = (report.account_id, report.instrument_id, report.broker_trade_id)
    return LateFee(*place, name, D(fee), currency, report.exec_time)


def tell(books: Books, *facts: Fact) -> list[Booking]:
    return [books.write(telling(fact)) for fact in facts]


def said(books: Books) -> dict[str, list[str]]:
    with books.engine.connect() as connection:
        return canonical(connection)


def incidents(books: Books) -> list[str]:
    with books.engine.connect() as connection:
        rows: list[Row] = [tuple(row) for row in connection.exec_driver_sql("SELECT * FROM events")]
    return [str(row[4]) for row in rows if row[2] == "BREAK_FOUND"]


FILL = buy(PERPETUAL, "1", "100", 1, fee=D("0.1"))
NEXT = sell(PERPETUAL, "1", "130", 2)


@pytest.mark.parametrize(
    "facts",
    [
        (FILL, corrected(FILL, quantity=D(2), fee=D("0.2")), NEXT),
        (FILL, busted(FILL), NEXT),
        (FILL, corrected(FILL, price=D(90)), busted(FILL, 2), NEXT),
        (FILL, busted(FILL), busted(FILL, 2), corrected(FILL, 3, side=Side.SELL)),
        (FILL, corrected(FILL, exec_time=NEXT.exec_time, sequence=9), NEXT),
        (FILL, corrected(FILL, leg="LONG"), NEXT, late(FILL, "0.3", "BNB")),
    ],
    ids=["corrected", "busted", "corrected and busted", "busts of busts", "at another time", "of another leg"],
)
def test_every_order_of_arrival_gives_the_same_books(facts: tuple[Fact, ...]) -> None:
    wanted = said(told(facts))
    for order in permutations(facts):
        assert said(told(order)) == wanted


def test_a_revision_that_names_no_order_follows_its_fill() -> None:
    """The fill says whose both are; with the fee that came for them, and the coins that paid it."""
    name = client_order_id(order_key(OTHER, SPOT, Side.BUY))
    fill = buy(SPOT, "10", "100", 1, client_order_id=name)
    facts: tuple[Fact, ...]
    facts = (fill, corrected(replace(fill, client_order_id=None), quantity=D(8)), late(fill, "0.5", "BTC"))
    wanted = said(told(facts))
    assert '"other"' in wanted["positions"][0]
    more: tuple[Fact, ...] = (*facts, late(fill, "0.25", "BNB", "c2"))
    for order in permutations(more):
        books = told(order)
        (position,) = (one for place, one in facts_of(books).positions().items() if place[1][0] == OTHER.id)
        assert (position.quantity, position.fee_cost) == (D("7.5"), D(50))
        assert position.fees == (("BNB", D("0.25")), ("BTC", D("0.5")))
        assert sorted(said(books)["positions"])[0].startswith('["Ada","practice","other"')
        assert_hot_equals_database(books)


def test_the_order_has_filled_what_counts_and_stays_as_far_as_it_came(books: Books) -> None:
    name = client_order_id(order_key(MAIN, SPOT, Side.BUY))
    fill = buy(SPOT, "1000", "1", 1, client_order_id=name)
    tell(books, fill)
    tell(books, corrected(fill, quantity=D(400)))
    order = books.write(lambda draft: orders.find(draft, ACCOUNT.id, name))
    assert (order.state, order.filled_quantity) == (OrderState.FILLED, D(400))
    tell(books, busted(fill, 2))
    order = books.write(lambda draft: orders.find(draft, ACCOUNT.id, name))
    assert (order.state, order.filled_quantity) == (OrderState.FILLED, D(0))


def test_the_same_revision_again_changes_nothing_and_another_under_its_number_is_told(books: Books) -> None:
    fill, correction = FILL, corrected(FILL, price=D(90))
    assert tell(books, fill, correction, correction, fill) == [
        *(Booking.BOOKED, Booking.BOOKED, Booking.REPEATED, Booking.REPEATED)
    ]
    before = said(books)
    assert books.write(lambda draft: [is_repetition(draft, one) for one in (correction, busted(fill, 2))]) == [
        *(True, False)
    ]
    assert tell(books, corrected(FILL, price=D(91))) == [Booking.CONTRADICTED]
    assert tell(books, busted(FILL)) == [Booking.CONTRADICTED]
    assert said(books) == before
    assert "another trade was booked under this id" in incidents(books)[-1]


def test_a_revision_of_another_order_is_told_and_changes_nothing(books: Books) -> None:
    names = [client_order_id(order_key(portfolio, SPOT, Side.BUY)) for portfolio in (MAIN, OTHER)]
    fill = buy(SPOT, "1", "100", 1, client_order_id=names[0])
    tell(books, fill)
    before = said(books)
    assert tell(books, corrected(replace(fill, client_order_id=names[1]), price=D(90))) == [Booking.CONTRADICTED]
    assert said(books) == before
    assert "of another order" in incidents(books)[-1]


def test_reports_of_one_trade_in_one_unit_and_in_one_group_see_each_other(books: Books) -> None:
    """Before anything of them is in the database."""
    facts = (NEXT, busted(FILL, 2), FILL, corrected(FILL, price=D(90)))
    wanted = said(told(facts))
    assert books.write(booking(*facts)) == [Booking.BOOKED] * 4
    assert said(books) == wanted
    grouped = desk()
    grouped.together(*(booking(fact) for fact in facts))
    assert said(grouped) == wanted
    assert_hot_equals_database(grouped)


def test_fees_that_came_to_nothing_leave_no_line_when_their_trade_moves() -> None:
    """They are of the trade wherever it is; there is nothing of them to transfer."""
    name = client_order_id(order_key(OTHER, PERPETUAL, Side.BUY))
    correction = corrected(FILL, price=D(90))
    books = told([correction, late(FILL, "0.3", "BNB"), late(FILL, "-0.3", "BNB", "c2")])
    before = len(facts_of(books).lines)
    tell(books, replace(FILL, client_order_id=name))
    assert [line.asset for line in facts_of(books).lines[before:]] == ["USDT", "USDT"]
    wanted = [replace(FILL, client_order_id=name), correction]
    assert said(books) == said(told([*wanted, late(FILL, "0.3", "BNB"), late(FILL, "-0.3", "BNB", "c2")]))


def test_a_fee_whose_trade_has_not_come_is_in_no_position(books: Books) -> None:
    """And lines that name no instrument, or another one, change nothing of a fold."""
    tell(books, late(FILL, "0.3", "BNB"))
    assert facts_of(books).positions() == {}
    assert fold_instrument([], [], facts_of(books).lines, SPOT) == {}
    tell(books, buy(SPOT, "1", "100", 7))
    (position,) = facts_of(books).positions().values()
    trades = facts_of(books).trades
    assert fold_instrument(trades, [], facts_of(books).lines, SPOT) == {position.key: position}


def test_a_late_fee_comes_once(books: Books) -> None:
    fee = late(FILL, "0.3", "BNB")
    assert tell(books, FILL, fee, fee) == [Booking.BOOKED, Booking.BOOKED, Booking.REPEATED]
    before = said(books)
    assert tell(books, replace(fee, fee=D("0.4"))) == [Booking.CONTRADICTED]
    assert said(books) == before
    assert "another fee was booked under this id" in incidents(books)[-1]
    assert books.balance("futures", "BNB") == D("-0.3")


def test_a_late_rebate_pays_and_takes_no_coins(books: Books) -> None:
    fill = buy(SPOT, "1", "100", 1)
    tell(books, fill, late(fill, "-0.1", "BTC"))
    position = books.position(SPOT)
    assert position is not None
    assert (position.quantity, position.fees) == (D(1), (("BTC", D("-0.1")),))
    assert books.balance("spot", "BTC") == D("1.1")


def test_fees_that_wait_each_find_their_own_trade(books: Books) -> None:
    other = buy(SPOT, "1", "100", 5)
    tell(books, late(FILL, "0.3", "BNB"), late(other, "0.2", "BNB"), late(FILL, "0.1", "BNB", "c2"))
    tell(books, FILL)
    position = books.position(PERPETUAL)
    assert position is not None
    assert position.fees == (("BNB", D("0.4")), ("USDT", D("0.1")))
    assert books.position(SPOT) is None
    tell(books, other)
    position = books.position(SPOT)
    assert position is not None
    assert position.fees == (("BNB", D("0.2")),)


def test_a_fee_of_what_the_book_does_not_know_is_an_error(books: Books) -> None:
    stranger = LateFee(ACCOUNT.id, InstrumentId(99), BrokerTradeId("t"), "c", D(1), "USDT", NOON)
    with pytest.raises(LookupError, match="instrument"):
        books.write(lambda draft: book_late_fee(draft, stranger, NOON))
    with pytest.raises(LookupError, match="no portfolio main"):
        books.write(lambda draft: book_late_fee(draft, replace(late(FILL, "1", "BNB"), account_id=AccountId(9)), NOON))
    assert facts_of(books).lines == []
