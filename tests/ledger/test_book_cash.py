"""Money without a trade in the book: once, field by field, with the position that earned it."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from plimsoll.ledger import keys
from plimsoll.ledger.book_cash import book_cash
from plimsoll.ledger.book_trade import Booking
from plimsoll.ledger.verify import verify
from plimsoll.model.cash import FUTURES, LOAN, SPOT, Arrival, CashEvent, CashKind, debt
from plimsoll.model.errors import Illegal
from plimsoll.model.position import Position
from plimsoll.store.draft import Row
from plimsoll.store.place import Place
from tests.builders.happenings import OTHER, desk, facts_of, telling
from tests.builders.ledger import ACCOUNT, CHAIN_KEY, MAIN, NOON, PERPETUAL, Books, assert_hot_equals_database, buy
from tests.builders.places import books_in

D = Decimal


@pytest.fixture
def books() -> Iterator[Books]:
    books = desk()
    yield books
    assert_hot_equals_database(books)


def event(kind: CashKind, amount: str, reference: str = "r", **said: Any) -> CashEvent:
    return CashEvent(ACCOUNT.id, MAIN.id, kind, said.pop("asset", "USDT"), D(amount), reference, NOON, **said)


def tell(books: Books, *events: CashEvent) -> list[Booking]:
    return [books.write(telling(one)) for one in events]


def rows(books: Books, table: str) -> list[Row]:
    with books.engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(f"SELECT * FROM {table} ORDER BY 1, 2")]


def test_an_event_is_booked_once_and_noted(books: Books) -> None:
    deposit = event(CashKind.DEPOSIT, "100")
    assert tell(books, deposit, deposit) == [Booking.BOOKED, Booking.REPEATED]
    assert books.balance(SPOT, "USDT") == 100
    assert len(facts_of(books).lines) == 1
    note = rows(books, "audit_log")[-1]
    assert [note[3], note[4], note[5], note[6]] == ["user:1", "CASH", "r", "CREATE"]


@pytest.mark.parametrize(
    "change",
    [
        {"amount": D(101)},
        {"asset": "USDC"},
        {"pocket": FUTURES},
        {"portfolio_id": OTHER.id},
        {"at": NOON.replace(hour=13)},
    ],
)
def test_another_movement_under_the_same_reference_is_told_and_changes_nothing(
    books: Books, change: dict[str, Any]
) -> None:
    deposit = event(CashKind.DEPOSIT, "100")
    tell(books, deposit)
    before = facts_of(books), books.balance(SPOT, "USDT")
    assert tell(books, replace(deposit, **change)) == [Booking.CONTRADICTED]
    assert (facts_of(books), books.balance(SPOT, "USDT")) == before
    assert rows(books, "audit_log")[-1][6] == "REJECT"
    told = rows(books, "events")[-1]
    assert told[2] == "BREAK_FOUND"
    assert "another movement was booked under this reference" in str(told[4])


def test_the_same_reference_of_another_kind_is_another_event(books: Books) -> None:
    assert tell(books, event(CashKind.DEPOSIT, "100"), event(CashKind.WITHDRAWAL, "30")) == [Booking.BOOKED] * 2
    assert books.balance(SPOT, "USDT") == 70


def test_a_loan_and_an_overdraft_are_both_seen_and_counted_once(books: Books) -> None:
    tell(books, event(CashKind.BORROW, "50"), event(CashKind.WITHDRAWAL, "70"))
    assert (books.balance(SPOT, "USDT"), books.balance(LOAN, "USDT")) == (D(-20), D(-50))
    assert debt(books.balance(SPOT, "USDT"), books.balance(LOAN, "USDT")) == 70
    tell(books, event(CashKind.DEPOSIT, "70"), event(CashKind.REPAY, "50"))
    assert (books.balance(SPOT, "USDT"), books.balance(LOAN, "USDT")) == (D(0), D(0))


def test_a_position_keeps_what_it_earned_beside_its_trades(books: Books) -> None:
    """Also one that funding reaches before its first fill; and a late fill leaves it alone."""
    funding = event(CashKind.FUNDING, "-0.5", "f1", pocket=FUTURES, instrument_id=PERPETUAL.id)
    tell(books, funding, replace(funding, reference="f2", amount=D("0.2")))
    assert held(books).flows == (("FUNDING", "USDT", D("-0.3")),)
    assert held(books).folded_to is None
    books.book(buy(PERPETUAL, "1", "100", 2))
    books.book(buy(PERPETUAL, "1", "90", 1))
    assert (held(books).quantity, held(books).flows) == (D(2), (("FUNDING", "USDT", D("-0.3")),))
    tell(books, replace(funding, reference="f3", amount=D("0.3")))
    assert held(books).flows == ()


def held(books: Books) -> Position:
    found: Position | None = books.get(keys.position(ACCOUNT.id, (MAIN.id, PERPETUAL.id, 0, "")))
    assert found is not None
    return found


def test_a_transfer_between_portfolios_is_one_event_with_two_lines(books: Books) -> None:
    tell(books, event(CashKind.TRANSFER, "40", arrival=Arrival(OTHER.id, FUTURES, "USDT", D(40))))
    assert books.balance(SPOT, "USDT") == -40
    found = books.get(keys.balance(ACCOUNT.id, OTHER.id, FUTURES, "USDT"))
    assert found.amount == 40


def test_only_a_person_adjusts_and_says_why(books: Books) -> None:
    adjustment = event(CashKind.ADJUSTMENT, "-0.01", reason="a residue of the venue's rounding")
    with pytest.raises(Illegal, match="actor"):
        books.write(lambda draft: book_cash(draft, adjustment, "venue:paper", NOON))
    assert facts_of(books).lines == []
    assert tell(books, adjustment) == [Booking.BOOKED]
    assert "a residue of the venue's rounding" in str(rows(books, "audit_log")[-1][7])


def test_both_engines_hold_every_kind_that_a_venue_tells(place: Place) -> None:
    """With a position and without one, on its way in and out; the book goes on from it and proves itself."""
    books = books_in(place).open()
    books.book(buy(PERPETUAL, "1", "100"))
    earned = (CashKind.FUNDING, CashKind.INTEREST, CashKind.DIVIDEND)
    made = (CashKind.LIQUIDATION, CashKind.ADL, CashKind.SETTLEMENT)
    for kind in (*earned, *made):
        of_it = {"instrument_id": PERPETUAL.id, "leg": "LONG"}
        assert tell(books, event(kind, "-1", "a"), event(kind, "0.5", "b", **of_it)) == [Booking.BOOKED] * 2
    for kind in (CashKind.DEPOSIT, CashKind.WITHDRAWAL, CashKind.BORROW, CashKind.REPAY):
        assert tell(books, event(kind, "7")) == [Booking.BOOKED]
    assert books.balance(SPOT, "USDT") == -6 + 3
    assert_hot_equals_database(books)
    books.close()
    assert verify(place, CHAIN_KEY, None).findings == ()
