"""Coins that come and go with their cost, splits and new names in the book."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from itertools import permutations
from typing import Any

import pytest

from plimsoll.ledger import accounts, keys
from plimsoll.ledger.book_trade import Booking
from plimsoll.ledger.corporate import (
    Holding,
    Split,
    book_entry,
    deposit_coins,
    rename_instrument,
    split_holdings,
    transfer_holding,
    unassigned,
    withdraw_coins,
)
from plimsoll.ledger.digest import canonical
from plimsoll.ledger.log import Note, write_note
from plimsoll.model.entry import Entry, EntryKind
from plimsoll.model.errors import Illegal
from plimsoll.model.ids import AccountId, InstrumentId, PortfolioId
from plimsoll.model.instrument import Instrument
from plimsoll.model.position import Position
from plimsoll.store.draft import Draft
from tests.builders.happenings import OTHER, Fact, desk, facts_of, told
from tests.builders.ledger import (
    ACCOUNT,
    MAIN,
    NOON,
    PERPETUAL,
    SPOT,
    Books,
    assert_hot_equals_database,
    buy,
    hot_of_database,
    sell,
)

D = Decimal


@pytest.fixture
def books() -> Iterator[Books]:
    books = desk()
    yield books
    assert_hot_equals_database(books)


def noted(books: Books, book: Callable[[Draft], Any]) -> Any:
    def unit(draft: Draft) -> Any:
        write_note(draft, Note(ACCOUNT.id, "user:1", "CREATE", "POSITION", "coins", NOON, {}))
        return book(draft)

    return books.write(unit)


def coins(quantity: str, reference: str = "r", minutes: int = 0) -> Holding:
    at = NOON + timedelta(minutes=minutes)
    return Holding(ACCOUNT.id, MAIN.id, SPOT.id, D(quantity), reference, at)


def held(books: Books, portfolio: PortfolioId = MAIN.id, instrument: Instrument = SPOT) -> Position:
    found: Position | None = books.get(keys.position(ACCOUNT.id, (portfolio, instrument.id, 0, "")))
    return found or Position(ACCOUNT.id, portfolio, instrument.id)


def bring(books: Books, quantity: str, cost: str | None, reference: str = "r", minutes: int = 0) -> Booking:
    given, known = coins(quantity, reference, minutes), None if cost is None else D(cost)
    done: Booking = noted(books, lambda draft: deposit_coins(draft, given, known, NOON))
    return done


def said(books: Books) -> dict[str, list[str]]:
    with books.engine.connect() as connection:
        return canonical(connection)


def last_incident(books: Books) -> str:
    with books.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT details_json FROM events WHERE kind = 'BREAK_FOUND'").all()
    return str(rows[-1][0]) if rows else ""


def test_deposited_coins_are_a_balance_and_a_position_at_their_cost(books: Books) -> None:
    assert bring(books, "2", "160") is Booking.BOOKED
    assert bring(books, "2", "160") is Booking.REPEATED
    assert (held(books).quantity, held(books).cost) == (D(2), D(160))
    assert books.balance("spot", "BTC") == 2
    before = said(books)
    for quantity, cost in (("3", "160"), ("2", "161"), ("2", None)):
        assert bring(books, quantity, cost) is Booking.CONTRADICTED
    assert said(books) == before
    assert "another IN was booked under this reference" in last_incident(books)


def test_coins_that_were_deposited_before_get_their_cost_later(books: Books) -> None:
    """The venue told the deposit, a person says what it had cost: the coins move once."""
    from plimsoll.ledger.book_cash import book_cash
    from plimsoll.model.cash import CashEvent, CashKind

    deposit = CashEvent(ACCOUNT.id, MAIN.id, CashKind.DEPOSIT, "BTC", D(2), "r", NOON)
    books.write(lambda draft: book_cash(draft, deposit, "venue:paper", NOON))
    books.book(buy(PERPETUAL, "1", "100", 1))
    assert books.write(lambda draft: unassigned(draft, ACCOUNT.id, "BTC")) == 2
    assert bring(books, "2", "160") is Booking.BOOKED
    assert books.balance("spot", "BTC") == 2
    assert books.write(lambda draft: unassigned(draft, ACCOUNT.id, "BTC")) == 0
    elsewhere = replace(deposit, reference="r2", amount=D(3))
    books.write(lambda draft: book_cash(draft, elsewhere, "venue:paper", NOON))
    before = said(books)
    assert bring(books, "2", "160", "r2") is Booking.CONTRADICTED
    assert said(books) == before


def test_coins_that_leave_take_their_share_of_the_cost(books: Books) -> None:
    bring(books, "4", "80", "r1")
    assert noted(books, lambda draft: withdraw_coins(draft, coins("1", "w", 1), NOON)) is Booking.BOOKED
    assert noted(books, lambda draft: withdraw_coins(draft, coins("1", "w", 1), NOON)) is Booking.REPEATED
    assert (held(books).quantity, held(books).cost, held(books).realized_pnl) == (D(3), D(60), D(0))
    assert books.balance("spot", "BTC") == 3


def hand(books: Books, quantity: str, reference: str = "h", to: PortfolioId = OTHER.id) -> Booking:
    done: Booking = noted(books, lambda draft: transfer_holding(draft, coins(quantity, reference, 9), to, NOON))
    return done


def test_coins_handed_on_keep_their_cost_known_and_unknown(books: Books) -> None:
    bring(books, "3", "60", "r1")
    bring(books, "1", None, "r2", 1)
    assert hand(books, "2") is Booking.BOOKED
    assert (held(books).quantity, held(books).cost, held(books).uncosted) == (D(2), D(30), D("0.5"))
    there = held(books, OTHER.id)
    assert (there.quantity, there.cost, there.uncosted) == (D(2), D(30), D("0.5"))
    assert books.get(keys.balance(ACCOUNT.id, OTHER.id, "spot", "BTC")).amount == 2
    assert hand(books, "2") is Booking.REPEATED
    before = said(books)
    assert hand(books, "1") is Booking.CONTRADICTED
    assert said(books) == before
    assert facts_of(books).positions()[ACCOUNT.id, there.key] == there


def test_coins_of_unknown_cost_alone_are_handed_on_as_such(books: Books) -> None:
    bring(books, "2", None)
    assert hand(books, "2") is Booking.BOOKED
    assert held(books).is_flat
    assert (held(books, OTHER.id).quantity, held(books, OTHER.id).uncosted) == (D(2), D(2))


@pytest.mark.parametrize(
    ("quantity", "to", "field"),
    [("3", OTHER.id, "quantity"), ("1", MAIN.id, "to"), ("1", PortfolioId(99), "to")],
)
def test_what_cannot_be_handed_on_is_refused_and_changes_nothing(
    books: Books, quantity: str, to: PortfolioId, field: str
) -> None:
    bring(books, "2", "160")
    before = said(books)
    with pytest.raises(Illegal) as refused:
        hand(books, quantity, to=to)
    assert refused.value.field == field
    assert said(books) == before


def test_a_derivative_is_no_holding(books: Books) -> None:
    contracts = replace(coins("1"), instrument_id=PERPETUAL.id)
    for book in (
        lambda draft: withdraw_coins(draft, contracts, NOON),
        lambda draft: withdraw_coins(draft, replace(contracts, instrument_id=InstrumentId(99)), NOON),
    ):
        with pytest.raises(Illegal, match="instrument_id"):
            noted(books, book)
    assert facts_of(books).lines == []


def split(books: Books, new: str, per: str, reference: str = "s", instrument: Instrument = SPOT) -> Booking:
    given = Split(D(new), D(per), reference, NOON + timedelta(minutes=5))
    done: Booking = noted(books, lambda draft: split_holdings(draft, ACCOUNT.id, instrument.id, given, NOON))
    return done


def test_a_split_is_of_every_position_of_the_account_and_of_no_other_instrument(books: Books) -> None:
    bring(books, "4", "80")
    hand(books, "1")
    books.book(buy(PERPETUAL, "1", "100", 1))
    # It happened before the coins were handed on: what they carried is settled, and the difference stays here.
    assert split(books, "2", "1") is Booking.BOOKED
    assert split(books, "2", "1") is Booking.REPEATED
    assert (held(books).quantity, held(books).cost, held(books).realized_pnl) == (D(7), D(70), D(10))
    assert held(books, instrument=PERPETUAL).quantity == 1
    assert books.balance("spot", "BTC") == 7
    before = said(books)
    assert split(books, "3", "1") is Booking.CONTRADICTED
    assert said(books) == before


def test_a_split_of_a_contract_moves_no_coins(books: Books) -> None:
    books.book(buy(PERPETUAL, "2", "100", 1))
    assert split(books, "10", "1", instrument=PERPETUAL) is Booking.BOOKED
    assert (held(books, instrument=PERPETUAL).quantity, held(books, instrument=PERPETUAL).cost) == (D(20), D(200))
    assert facts_of(books).lines == []


def test_a_fill_from_before_a_split_is_split_wherever_it_comes() -> None:
    """Also one that makes the position, and one that flattens it; the split's pieces follow."""
    at = NOON + timedelta(minutes=5)
    four_for_one = Entry(ACCOUNT.id, MAIN.id, SPOT.id, None, "", EntryKind.SPLIT, D(4), "s", at, per=D(1))
    facts: tuple[Fact, ...] = (
        buy(SPOT, "3", "100", 1),
        four_for_one,
        sell(SPOT, "1", "120", 2),
        buy(SPOT, "1", "30", 3, exec_time=at + timedelta(minutes=1)),
    )
    wanted = said(told(facts))
    for order in permutations(facts):
        books = told(order)
        assert said(books) == wanted
        assert held(books).quantity == D(9) == books.balance("spot", "BTC")
        assert_hot_equals_database(books)


def test_a_split_needs_an_account_with_a_main_portfolio(books: Books) -> None:
    given = Split(D(2), D(1), "s", NOON)
    with pytest.raises(LookupError, match="no portfolio main"):
        books.write(lambda draft: split_holdings(draft, AccountId(9), SPOT.id, given, NOON))


def test_a_late_fee_entry_is_booked_like_the_others(books: Books) -> None:
    books.book(buy(SPOT, "1", "100", 1))
    fee = Entry(ACCOUNT.id, MAIN.id, SPOT.id, None, "", EntryKind.OUT, D("0.5"), "o", NOON + timedelta(hours=1))
    assert noted(books, lambda draft: book_entry(draft, fee, NOON)) is Booking.BOOKED
    assert held(books).quantity == D("0.5")


def test_a_renamed_instrument_stays_the_same_one(books: Books) -> None:
    books.book(buy(SPOT, "1", "100", 1))
    renamed = replace(SPOT, symbol="XBT/USDT", base="XBT")
    until = NOON + timedelta(hours=1)

    def rename(draft: Draft, to: Instrument = renamed) -> Instrument:
        write_note(draft, Note(0, "desk", "UPDATE", "INSTRUMENT", SPOT.symbol, NOON, {}))
        return rename_instrument(draft, SPOT.id, to, until)

    assert books.write(rename) == renamed
    assert books.write(rename) == renamed
    assert books.get(keys.instrument(SPOT.id)) == renamed
    assert books.get(keys.spot_pair("paper", "BTC", "USDT")) is None
    assert books.get(keys.spot_pair("paper", "XBT", "USDT")) == renamed
    assert held(books).quantity == 1
    (alias,) = books.scribe.hot.shelf(keys.ALIAS, ("paper", "BTC/USDT"))
    assert (alias.instrument_id, alias.until) == (SPOT.id, until)
    assert hot_of_database(books.connection)[keys.instrument(SPOT.id)] == renamed
    for illegal in (replace(renamed, lot_size=D(1)), PERPETUAL):
        with pytest.raises(Illegal):
            books.write(partial(rename, to=illegal))


def test_a_renamed_contract_keeps_no_spot_pair(books: Books) -> None:
    renamed = replace(PERPETUAL, symbol="XBT/USDT:USDT", base="XBT")
    assert books.write(lambda draft: rename_instrument(draft, PERPETUAL.id, renamed, NOON)) == renamed


def test_two_instruments_of_a_venue_never_have_one_name(books: Books) -> None:
    ether = replace(SPOT, id=InstrumentId(4), symbol="ETH/USDT", base="ETH")
    books.write(lambda draft: accounts.write_instrument(draft, ether, NOON))
    taken = replace(ether, symbol="BTC/USDT", base="BTC")
    with pytest.raises(Illegal, match="another instrument has this name"):
        books.write(lambda draft: rename_instrument(draft, ether.id, taken, NOON))
    assert books.get(keys.instrument(ether.id)) == ether
