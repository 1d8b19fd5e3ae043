"""Lots read from a book: every fact finds its pool, whatever it is and in whatever order it came."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.ledger.corporate import (
    Holding,
    Split,
    deposit_coins,
    split_holdings,
    transfer_holding,
    withdraw_coins,
)
from plimsoll.ledger.log import Note, write_note
from plimsoll.ledger.lots import Matching
from plimsoll.ledger.reading.reader import Reader
from plimsoll.ledger.reading.realised import Realised
from plimsoll.ledger.trades import Booking
from plimsoll.model.asker import Asker
from plimsoll.model.cash import CashEvent, CashKind
from plimsoll.model.errors import Illegal
from plimsoll.model.ids import BrokerTradeId, PortfolioId, UserId
from plimsoll.model.instrument import Instrument
from plimsoll.model.lots import Choice, FeeRule, LotMethod, figures
from plimsoll.model.order import Side
from plimsoll.model.trade import LateFee, TradeEffect, TradeReport
from plimsoll.store.draft import Draft
from plimsoll.store.place import Place, people_reader
from tests.builders.happenings import OTHER, Fact, days_of_facts, desk, facts_of, order_key, telling, told
from tests.builders.ledger import ACCOUNT, INVERSE, MAIN, NOON, PERPETUAL, SPOT, Books, client_order_id, fill
from tests.builders.places import books_in

D = Decimal
BEGIN, END = datetime(2022, 1, 1, tzinfo=UTC), datetime(2023, 1, 1, tzinfo=UTC)
AVERAGE = Matching(LotMethod.AVERAGE, FeeRule.APART)
HIS = Asker(UserId(1))


def realised(books: Books, matching: Matching = Matching(), **said: Any) -> Realised:  # noqa: B008  frozen
    return Reader(books.engine).of(HIS).realised.realised(matching, **{"since": BEGIN, "until": END, **said})


def rows(found: Realised, rule: FeeRule = FeeRule.IN_COST) -> list[tuple[Any, ...]]:
    """Say of each piece where it was, what opened and closed it, how much, and what it gained."""
    return [
        (
            one.portfolio_id,
            one.piece.opened_by,
            one.piece.closed_by,
            one.piece.quantity,
            figures(one.piece, rule, inverse=one.instrument.inverse).gain,
        )
        for one in found.pieces
    ]


def trade(
    name: str,
    side: Side,
    quantity: str,
    price: str,
    minutes: int,
    *,
    instrument: Instrument = SPOT,
    elsewhere: bool = False,
    **said: Any,
) -> TradeReport:
    """Make a fill of `main`, or of the other portfolio."""
    order_id = client_order_id(order_key(OTHER, instrument, side)) if elsewhere else None
    at, given = NOON + timedelta(minutes=minutes), {"fee": D(0), "fee_currency": instrument.cash_asset, **said}
    return fill(
        instrument,
        side,
        quantity,
        price,
        trade_id=BrokerTradeId(name),
        exec_time=at,
        sequence=0,
        client_order_id=order_id,
        **given,
    )


def noted(books: Books, book: Any) -> None:
    def unit(draft: Draft) -> Booking:
        write_note(draft, Note(ACCOUNT.id, "user:1", "CREATE", "CASH", "told", NOON, {}))
        became: Booking = book(draft)
        return became

    assert books.write(unit) is Booking.BOOKED


def holding(quantity: str, name: str, minutes: int, portfolio: PortfolioId = MAIN.id) -> Holding:
    return Holding(ACCOUNT.id, portfolio, SPOT.id, D(quantity), name, NOON + timedelta(minutes=minutes))


BUY, SELL = Side.BUY, Side.SELL


def test_lots_are_told_in_the_order_of_the_venue_whatever_came_first() -> None:
    """The sale was told before what it sold."""
    books = told([trade("s", SELL, "1", "150", 9), trade("b", BUY, "1", "100", 2), trade("a", BUY, "1", "90", 1)])
    assert rows(realised(books)) == [(MAIN.id, "a", "s", 1, 60)]
    (left,) = realised(books).open_lots
    assert list(left.held) == [1, 0, -100, 0, 1]


def test_only_what_counts_of_a_trade_is_told() -> None:
    """A fill that was corrected is what it was corrected to; one that was busted is none."""
    bought, wrong = trade("a", BUY, "1", "90", 1), trade("w", BUY, "1", "1", 0)
    facts: list[Fact] = [
        replace(bought, revision=1, effect=TradeEffect.CORRECT, price=D(95)),
        bought,
        wrong,
        replace(wrong, revision=1, effect=TradeEffect.BUST),
        trade("s", SELL, "1", "150", 9),
    ]
    assert rows(realised(told(facts))) == [(MAIN.id, "a", "s", 1, 55)]


def test_a_fee_that_came_late_belongs_to_its_trade() -> None:
    """Interactive Brokers tells the commission after the fill: it is in the lot's cost all the same."""
    place = (ACCOUNT.id, SPOT.id, BrokerTradeId("a"))
    facts: list[Fact] = [
        trade("a", BUY, "2", "100", 1),
        LateFee(*place, "f1", D(2), "USDT", NOON + timedelta(hours=5)),
        LateFee(*place, "f2", D("0.1"), "BNB", NOON + timedelta(hours=5)),
        trade("s", SELL, "1", "150", 9, fee=D("0.5")),
    ]
    found = realised(told(facts))
    assert rows(found) == [(MAIN.id, "a", "s", 1, D("48.5"))]
    assert [(one.asset, one.amount) for one in found.fees_apart] == [("BNB", D("0.1"))]
    coins = realised(told([*facts, LateFee(*place, "f3", D("0.5"), "BTC", NOON + timedelta(minutes=5))]))
    assert [row[2:] for row in rows(coins)] == [
        (f"{SPOT.id}+1:a:f3", D("0.5"), D("-50.5")),
        ("s", 1, D("48.5")),
    ]
    assert coins.open_lots[0].held.quantity == D("0.5")


def test_a_fee_in_coins_goes_where_its_trade_went() -> None:
    """It was told while the trade was of `main`; then a correction named the order of the other portfolio."""
    bought = trade("a", BUY, "2", "100", 1)
    named = trade("a", BUY, "2", "100", 1, elsewhere=True, revision=1, effect=TradeEffect.CORRECT)
    place = (ACCOUNT.id, SPOT.id, BrokerTradeId("a"))
    late = LateFee(*place, "f", D("0.5"), "BTC", NOON + timedelta(minutes=5))
    books = told([bought, late, named])
    assert [row[0] for row in rows(realised(books))] == [OTHER.id]
    assert rows(realised(books, among=[OTHER.id])) == rows(realised(books))
    assert realised(books, among=[MAIN.id]) == Realised((), (), (), ())


def test_a_fee_that_came_before_its_fill_is_told_once() -> None:
    """It was booked to `main` and went to the other portfolio with its trade: what took it there is no rebate."""
    place = (ACCOUNT.id, SPOT.id, BrokerTradeId("a"))
    early: list[Fact] = [
        LateFee(*place, "f1", D("0.5"), "BTC", NOON + timedelta(minutes=1)),
        LateFee(*place, "f2", D(2), "USDT", NOON + timedelta(minutes=1)),
        LateFee(*place, "f3", D("0.1"), "BNB", NOON + timedelta(minutes=1)),
    ]
    bought, sold = (trade(name, side, "1.5", "100", 1, elsewhere=True) for name, side in (("a", BUY), ("s", SELL)))
    books = told([*early, replace(bought, quantity=D(2)), replace(sold, exec_time=NOON + timedelta(minutes=9))])
    found = realised(books)
    assert [(row[0], row[3], row[4]) for row in rows(found)] == [
        (OTHER.id, D("0.5"), D("-50.5")),
        (OTHER.id, D("1.5"), D("-1.5")),
    ]
    assert [(one.portfolio_id, one.asset, one.amount) for one in found.fees_apart] == [(OTHER.id, "BNB", D("0.1"))]
    assert realised(books, among=[OTHER.id]) == found


def test_fees_in_other_assets_are_told_apart_and_in_no_cost() -> None:
    """Of the time that is asked about; a rebate in coins stands in no lot, and what comes to nothing is left out."""
    books = told(
        [
            trade("a", BUY, "1", "100", 1, fee=D("0.2"), fee_currency="BNB"),
            trade("b", BUY, "1", "100", 2, fee=D("-0.2"), fee_currency="BNB"),
            trade("c", BUY, "1", "100", 3, fee=D("-0.01"), fee_currency="BTC"),
            trade("d", BUY, "1", "100", 4, fee=D("0.1"), fee_currency="BTC"),
            trade("e", BUY, "1", "100", 4, fee=D("0.3"), fee_currency="BTC", instrument=PERPETUAL),
        ]
    )
    found = realised(books)
    assert [(one.instrument, one.asset, one.amount) for one in found.fees_apart] == [
        (SPOT, "BTC", D("-0.01")),
        (PERPETUAL, "BTC", D("0.3")),
    ]
    assert [one.held.quantity for one in found.open_lots] == [D("3.9"), 1]
    late = realised(books, since=NOON + timedelta(minutes=2), until=NOON + timedelta(minutes=3))
    assert [(one.asset, one.amount) for one in late.fees_apart] == [("BNB", D("-0.2"))]


def handed_on(matching: Matching) -> tuple[Books, Realised]:
    """Buy in `main`, hand half of it to the other portfolio, sell it there."""
    books = told([trade("a", BUY, "1", "100", 1, fee=D(1)), trade("b", BUY, "1", "200", 2)])
    noted(books, lambda draft: deposit_coins(draft, holding("2", "d", 3), None, NOON))
    noted(books, lambda draft: transfer_holding(draft, holding("2", "move", 4), OTHER.id, NOON))
    for fact in (trade("s", SELL, "2", "300", 9, elsewhere=True), trade("m", SELL, "2", "300", 9)):
        assert books.write(telling(fact)) is Booking.BOOKED
    return books, realised(books, matching)


def test_lots_go_along_to_another_portfolio_with_their_age_and_their_price() -> None:
    """By FIFO the two known ones go; what stays is what nobody knows the cost of."""
    books, found = handed_on(Matching())
    assert rows(found) == [
        (MAIN.id, "d", "m", 2, None),
        (OTHER.id, "a", "s", 1, 199),
        (OTHER.id, "b", "s", 1, 100),
    ]
    assert found.open_lots == ()
    alone = realised(books, among=[OTHER.id])
    assert [row[1] for row in rows(alone)] == ["move", "move:unknown"]
    assert [row[4] for row in rows(alone)] == [150, None]
    assert rows(realised(books, among=[MAIN.id])) == [(MAIN.id, "d", "m", 2, None)]


def test_average_hands_on_what_the_live_position_did() -> None:
    """Half of each is of unknown cost, on both sides, and the fee goes along by quantity."""
    _books, found = handed_on(Matching(LotMethod.AVERAGE))
    by_place = {(row[0], row[4]) for row in rows(found)}
    assert by_place == {(MAIN.id, D("149.5")), (OTHER.id, D("149.5")), (MAIN.id, None), (OTHER.id, None)}


def test_a_split_is_of_every_portfolio_of_its_account() -> None:
    """Also of those that are asked about alone, though it stands in `main`."""
    books = told([trade("a", BUY, "1", "100", 1, elsewhere=True)])
    split = Split(D(4), D(1), "split", NOON + timedelta(minutes=2))
    noted(books, lambda draft: split_holdings(draft, ACCOUNT.id, SPOT.id, split, NOON))
    assert books.write(telling(trade("s", SELL, "3", "50", 3, elsewhere=True))) is Booking.BOOKED
    for among in (None, [OTHER.id]):
        assert rows(realised(books, among=among)) == [(OTHER.id, "a", "s", 3, 75)]


def test_contracts_pay_what_the_live_position_realised() -> None:
    """Linear and inverse; each leg by itself."""
    facts = [
        trade("a", BUY, "1", "100", 1, instrument=PERPETUAL),
        trade("l", BUY, "1", "110", 2, instrument=PERPETUAL, leg="LONG"),
        trade("s", SELL, "2", "130", 3, instrument=PERPETUAL),
        trade("i", BUY, "10000", "40000", 4, instrument=INVERSE),
        trade("j", SELL, "10000", "50000", 5, instrument=INVERSE),
    ]
    found = realised(told(facts))
    assert {row[1:3] + row[4:] for row in rows(found)} == {("a", "s", D(30)), ("i", "j", D("0.05"))}
    assert sorted(one.held.quantity for one in found.open_lots) == [0]


def test_a_year_begins_and_ends_where_it_is_said() -> None:
    """What was closed in it, from its first moment to before the next one's; with the lots of before."""
    facts = [trade("a", BUY, "9", "100", 0), *(trade(f"s{n}", SELL, "1", "150", n) for n in range(1, 6))]
    since, until = NOON + timedelta(minutes=2), NOON + timedelta(minutes=4)
    found = realised(told(facts), since=since, until=until)
    assert [row[2] for row in rows(found)] == ["s2", "s3"]
    assert [one.held.quantity for one in found.open_lots] == [6]


def income(kind: CashKind, amount: str, name: str, minutes: int, instrument: Instrument | None = None) -> CashEvent:
    of = None if instrument is None else instrument.id
    at = NOON + timedelta(minutes=minutes)
    return CashEvent(ACCOUNT.id, MAIN.id, kind, "USDT", D(amount), name, at, instrument_id=of)


def test_income_is_told_movement_by_movement() -> None:
    """Interest, dividends and funding of the time; of one instrument, only what belongs to it."""
    facts: list[Fact] = [
        trade("a", BUY, "1", "100", 0, instrument=PERPETUAL),
        income(CashKind.FUNDING, "-0.5", "f", 2, PERPETUAL),
        income(CashKind.INTEREST, "3", "i", 1),
        income(CashKind.DEPOSIT, "100", "d", 1),
        income(CashKind.DIVIDEND, "4", "late", 600_000),
    ]
    found = realised(told(facts))
    assert [(one.kind, one.instrument, one.amount, one.reference) for one in found.income] == [
        (CashKind.INTEREST, None, 3, "i"),
        (CashKind.FUNDING, PERPETUAL, D("-0.5"), "f"),
    ]
    only = realised(told(facts), instruments=[PERPETUAL.id])
    assert [one.reference for one in only.income] == ["f"]
    assert realised(told(facts), instruments=[SPOT.id]).open_lots == ()


# What somebody named --------------------------------------------------------------------------------------------------


def by_name(*choices: tuple[str, str, str]) -> Matching:
    return Matching(LotMethod.SPECIFIC, choices=tuple(Choice(sale, lot, D(size)) for sale, lot, size in choices))


def two_lots() -> Books:
    bought = [trade("a", BUY, "1", "100", 1), trade("b", BUY, "1", "120", 2)]
    return told([*bought, trade("s", SELL, "1", "150", 3), trade("z", SELL, "1", "160", 9)])


def test_named_lots_are_sold_and_the_rest_by_age() -> None:
    assert rows(realised(two_lots(), by_name(("s", "b", "0.5")))) == [
        (MAIN.id, "b", "s", D("0.5"), D(15)),
        (MAIN.id, "a", "s", D("0.5"), D(25)),
        (MAIN.id, "a", "z", D("0.5"), D(30)),
        (MAIN.id, "b", "z", D("0.5"), D(20)),
    ]


def test_a_name_that_is_not_there_is_refused() -> None:
    """A sale of next year is there, though the report ends before it; of a narrowed report, others are left out."""
    books, before = two_lots(), NOON + timedelta(minutes=5)
    with pytest.raises(Illegal, match="nobody"):
        realised(books, by_name(("nobody", "a", "1")))
    with pytest.raises(Illegal, match="b,2"):
        realised(books, by_name(("s", "b", "2")))
    found = realised(books, by_name(("z", "b", "1")), until=before)
    assert [row[1:3] for row in rows(found)] == [("a", "s")]
    assert [one.held.quantity for one in found.open_lots] == [1]
    assert rows(realised(books, by_name(("nobody", "a", "1")), among=[OTHER.id])) == []
    assert len(rows(realised(books, by_name(("nobody", "a", "1")), instruments=[SPOT.id]))) == 2


def test_a_name_that_several_have_is_refused() -> None:
    """Two instruments, or a withdrawal of one and a sale of another: nobody is taken for whom he may not be."""
    both = [
        trade(name, side, "1", price, minutes, instrument=instrument)
        for instrument in (SPOT, PERPETUAL)
        for name, side, price, minutes in (("1", BUY, "100", 1), ("2", BUY, "120", 2), ("3", SELL, "150", 3))
    ]
    books, named = told(both), by_name(("3", "2", "1"))
    for matching in (named, by_name(*((f"x{number}", "2", "1") for number in range(600)), ("3", "2", "1"))):
        with pytest.raises(Illegal, match=r"3.*several have this id: ask for one --portfolio, and one --instrument"):
            realised(books, matching)
    narrowed = realised(books, named, instruments=[SPOT.id])
    assert [row[1:3] for row in rows(narrowed)] == [("2", "3")]
    leaving = told([both[0], both[3], both[4], both[5]])
    noted(leaving, lambda draft: withdraw_coins(draft, holding("1", "3", 9), NOON))
    with pytest.raises(Illegal, match="several have this id"):
        realised(leaving, named)


# Whatever happens -----------------------------------------------------------------------------------------------------


def sums(positions: Iterable[Any], field: str) -> dict[tuple[int, int], Decimal]:
    total: defaultdict[tuple[int, int], Decimal] = defaultdict(Decimal)
    for position in positions:
        total[position.portfolio_id, position.instrument_id] += getattr(position, field)
    return {place: amount for place, amount in total.items() if amount}


def gains(found: Realised, rule: FeeRule) -> dict[tuple[int, int], Decimal]:
    total: defaultdict[tuple[int, int], Decimal] = defaultdict(Decimal)
    for one in found.pieces:
        gain = figures(one.piece, rule, inverse=one.instrument.inverse).gain
        total[one.portfolio_id, one.instrument.id] += gain or D(0)
    return {place: amount for place, amount in total.items() if amount}


@settings(max_examples=60)
@given(days_of_facts())
def test_average_is_what_every_live_position_realised(facts: list[Fact]) -> None:
    """Revisions, late fees, coins, splits, legs, two portfolios: to the last digit."""
    books = told(facts)
    positions = facts_of(books).positions().values()
    found = realised(books, AVERAGE)
    assert gains(found, FeeRule.APART) == sums(positions, "realized_pnl")
    held: defaultdict[tuple[int, int], Decimal] = defaultdict(Decimal)
    for one in found.open_lots:
        held[one.portfolio_id, one.instrument.id] += one.held.quantity
    assert {place: amount for place, amount in held.items() if amount} == sums(positions, "quantity")


@settings(max_examples=40)
@given(days_of_facts(), st.permutations(range(6)), st.sampled_from(list(LotMethod)), st.sampled_from(FeeRule))
def test_lots_do_not_depend_on_the_order_of_arrival(
    facts: list[Fact], order: Sequence[int], method: LotMethod, rule: FeeRule
) -> None:
    """The same facts told otherwise are the same report."""
    if method is LotMethod.SPECIFIC:
        method = LotMethod.FIFO
    late = [fact for number in order for fact in facts[number::6]]
    assert realised(told(facts), Matching(method, rule)) == realised(told(late), Matching(method, rule))


def test_both_engines_tell_the_same(place: Place) -> None:
    """By the sessions that people read through."""
    facts: list[Fact] = [
        trade("b", BUY, "1", "120", 2, fee=D("0.000000000000000001"), fee_currency="BTC"),
        trade("a", BUY, "1", "100", 1, fee=D("0.1"), fee_currency="BNB"),
        replace(trade("a", BUY, "1", "100", 1), revision=1, effect=TradeEffect.CORRECT, price=D(90)),
        LateFee(ACCOUNT.id, SPOT.id, BrokerTradeId("b"), "f", D("0.5"), "USDT", NOON + timedelta(hours=5)),
        trade("s", SELL, "1.5", "150", 9),
        income(CashKind.INTEREST, "3", "i", 1),
    ]
    wanted = realised(told(facts))
    books = books_in(place)
    try:
        books.open()
        for fact in facts:
            assert books.write(telling(fact)) is Booking.BOOKED
    finally:
        books.close()
    engine = people_reader(place)
    try:
        found = Reader(engine).of(HIS).realised.realised(Matching(), since=BEGIN, until=END)
    finally:
        engine.dispose()
    assert found == wanted
    assert rows(found)


def test_nobody_else_has_lots_here() -> None:
    """Another's report of the same book is empty."""
    found = Reader(desk().engine).of(Asker(UserId(2))).realised.realised(Matching(), since=BEGIN, until=END)
    assert found == Realised((), (), (), ())
