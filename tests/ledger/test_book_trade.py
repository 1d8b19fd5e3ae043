"""Booking a trade: everything together or nothing, once, however late it comes and whoever caused it."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest

from plimsoll.ledger import keys, orders, trades
from plimsoll.ledger.book_trade import Booking, book_trades
from plimsoll.ledger.log import Note, write_note
from plimsoll.model.errors import InvariantBroken
from plimsoll.model.ids import AccountId, BrokerOrderId, ClientOrderId, InstrumentId
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import OrderEvent, OrderState, Side
from plimsoll.model.trade import MadeBy, Trade, TradeEffect, effective_trade, home_of
from plimsoll.store.draft import Cell, Draft, Row
from plimsoll.store.scribe import HEADS
from tests.builders.ledger import (
    ACCOUNT,
    MAIN,
    NOON,
    PERPETUAL,
    SPOT,
    Books,
    assert_hot_equals_database,
    booking,
    books_in_memory,
    buy,
    client_order_id,
    fill,
    sell,
)

D = Decimal


@pytest.fixture
def books() -> Iterator[Books]:
    books = books_in_memory().open()
    yield books
    assert_hot_equals_database(books)


def rows(books: Books, table: str) -> list[Row]:
    with books.engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(f"SELECT * FROM {table} ORDER BY 1, 2")]


def lines(books: Books) -> list[tuple[Cell, ...]]:
    """Give (asset, kind, amount, reference) of every cash line, as stored."""
    return [row[5:9] for row in rows(books, "cash_lines")]


def events(books: Books) -> list[tuple[Cell, str]]:
    return [(row[2], str(row[4])) for row in rows(books, "events")]


def incident(books: Books) -> str:
    """Give the words of the last incident, if any."""
    return next((details for kind, details in reversed(events(books)) if kind == "BREAK_FOUND"), "")


def test_one_fill_writes_everything_in_one_commit(books: Books) -> None:
    """Trade, order, position, cash, one link, one event."""
    order = books.place("k", SPOT, Side.BUY, "2", reserved="200.2")
    group = books.get(HEADS).group
    told = buy(
        SPOT, "0.5", "99", fee=D("0.1"), client_order_id=order.client_order_id, broker_order_id=BrokerOrderId("b-1")
    )
    assert books.book(told) == [Booking.BOOKED]
    assert books.get(HEADS).group == group + 1
    (trade,) = rows(books, "trades")
    assert trades.from_row(trade) == Trade(told, MAIN.id, None, "manual", D("49.5"))
    assert trade[8] == order.id
    booked = books.get(keys.order(ACCOUNT.id, order.client_order_id))
    assert (booked.state, booked.filled_quantity, booked.reserved) == (
        OrderState.PARTIALLY_FILLED,
        D("0.5"),
        D("150.15"),
    )
    assert booked.broker_order_id == "b-1"
    position = books.position(SPOT)
    assert position is not None
    assert (position.quantity, position.cost, position.fees) == (D("0.5"), D("49.5"), (("USDT", D("0.1")),))
    reference = "1:t1:0"
    assert lines(books) == [
        ("BTC", "TRADE", "0.5", reference),
        ("USDT", "TRADE", "-49.5", reference),
        ("USDT", "FEE", "-0.1", reference),
    ]
    assert books.balance("spot", "BTC") == D("0.5")
    assert books.balance("spot", "USDT") == D("-49.6")
    link = rows(books, "audit_log")[-1]
    assert link[3:7] == ("venue:paper", "TRADE", reference, "CREATE")
    assert [kind for kind, _ in events(books)] == ["ORDER_WRITTEN", "TRADE_BOOKED"]


def test_the_same_report_again_changes_nothing(books: Books) -> None:
    """In its own group, in the same group and in the same unit; also when it repeats other ids of its order."""
    order = books.place("k", SPOT, Side.BUY, "2")
    told = buy(SPOT, "1", "100", client_order_id=order.client_order_id)
    again = replace(told, client_order_id=None, broker_order_id=BrokerOrderId("b-1"))
    assert books.book(told, told) == [Booking.BOOKED, Booking.REPEATED]
    before = books.scribe.hot.snapshot()
    assert books.book(told, again) == [Booking.REPEATED] * 2
    assert books.scribe.hot.snapshot() == before
    other = buy(SPOT, "1", "100", 2)
    assert books.together(booking(other), booking(other)) == [[Booking.BOOKED], [Booking.REPEATED]]
    assert len(rows(books, "trades")) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"side": Side.SELL},
        {"quantity": D("1.1")},
        {"price": D("100.1")},
        {"fee": D("0.1")},
        {"fee_currency": "BNB"},
        {"exec_time": NOON},
        {"sequence": 7},
        {"realized_cash": D("1")},
    ],
)
def test_another_trade_under_the_same_key_is_an_incident(books: Books, change: dict[str, object]) -> None:
    """It changes no number; somebody is told, and the chain keeps that it came."""
    told = buy(SPOT, "1", "100")
    books.book(told)
    position, balances = books.position(SPOT), lines(books)
    contradiction = replace(told, **change)  # type: ignore[arg-type]  # one field each
    assert books.book(contradiction) == [Booking.CONTRADICTED]
    assert (books.position(SPOT), lines(books)) == (position, balances)
    assert [kind for kind, _ in events(books)] == ["TRADE_BOOKED", "BREAK_FOUND"]
    assert rows(books, "audit_log")[-1][3:7] == ("venue:paper", "TRADE", "1:t1:0", "REJECT")
    fresh = buy(SPOT, "1", "100", 2)
    assert books.book(contradiction, fresh) == [Booking.CONTRADICTED, Booking.BOOKED]
    note = rows(books, "audit_log")[-1]
    assert (note[5], note[6], note[7]) == ("1:t2:0", "CREATE", '{"contradicted":"1:t1:0"}')


def test_a_late_fill_is_folded_where_it_belongs(books: Books) -> None:
    """The position is the one that the fills give in the order in which they happened."""
    books.book(buy(SPOT, "1", "100", 1))
    books.book(sell(SPOT, "1", "130", 3))
    books.book(buy(SPOT, "1", "120", 2))
    position = books.position(SPOT)
    assert position is not None
    assert (position.quantity, position.cost, position.realized_pnl) == (D(1), D(110), D(20))
    assert [kind for _, kind, _, _ in lines(books)] == ["TRADE"] * 6, "coins changed hands: nothing to correct on spot"


def test_a_late_fill_corrects_what_our_own_fold_had_posted(books: Books) -> None:
    """The venue told no profit: the first guess stays as a fact, the change is a line that names both trades."""
    books.book(buy(PERPETUAL, "1", "100", 1))
    books.book(sell(PERPETUAL, "1", "130", 3))
    books.book(buy(PERPETUAL, "1", "120", 2))
    assert lines(books) == [
        ("USDT", "TRADE", "30", "2:t3:0"),
        ("USDT", "CORRECTION", "-10", "2:t3:0@2:t2:0"),
    ]
    position = books.position(PERPETUAL)
    assert position is not None
    assert position.realized_pnl == books.balance("futures", "USDT") == D(20)


def test_what_the_venue_paid_is_what_moved(books: Books) -> None:
    """Our fold explains the amount and never corrects it."""
    books.book(buy(PERPETUAL, "1", "100", 1, realized_cash=D(0)))
    books.book(sell(PERPETUAL, "1", "130", 3, realized_cash=D(19)))
    books.book(buy(PERPETUAL, "1", "120", 2, realized_cash=D(0)))
    assert lines(books) == [("USDT", "TRADE", "19", "2:t3:0")]
    position = books.position(PERPETUAL)
    assert position is not None
    assert position.realized_pnl == 20


def test_late_fills_of_one_unit_see_each_other(books: Books) -> None:
    """A page that comes backwards: none of its trades is in the database while the others are folded."""
    told = [
        sell(PERPETUAL, "2", "130", 4),
        sell(PERPETUAL, "1", "140", 3),
        buy(PERPETUAL, "1", "120", 2),
        buy(PERPETUAL, "1", "100", 1),
    ]
    books.book(*told)
    position = books.position(PERPETUAL)
    assert position is not None
    assert (position.quantity, position.cost) == (D(-1), D(-130))
    assert position.realized_pnl == books.balance("futures", "USDT") == D(30) + D(20)


def test_late_fills_of_one_group_see_each_other(books: Books) -> None:
    """The units before are in the database's transaction, not yet in its commit."""
    told = [sell(PERPETUAL, "1", "130", 3), buy(PERPETUAL, "1", "120", 2), buy(PERPETUAL, "1", "100", 1)]
    books.together(*(booking(report) for report in told))
    position = books.position(PERPETUAL)
    assert position is not None
    assert position.realized_pnl == books.balance("futures", "USDT") == D(20)


def test_a_fill_finds_its_order_by_either_id(books: Books) -> None:
    """In memory while it lives, in the database when it has ended."""
    books.place("another", SPOT, Side.BUY, "1")
    order = books.place("k", SPOT, Side.BUY, "3")
    broker_id = BrokerOrderId("b-1")
    books.book(buy(SPOT, "1", "100", 1, client_order_id=order.client_order_id, broker_order_id=broker_id))
    books.book(buy(SPOT, "1", "100", 2, broker_order_id=broker_id))
    books.hear(order, OrderEvent.CANCELED)
    books.book(buy(SPOT, "0.5", "100", 3, broker_order_id=broker_id))
    books.book(buy(SPOT, "0.5", "100", 4, client_order_id=order.client_order_id))
    found = books.write(lambda draft: orders.find(draft, ACCOUNT.id, order.client_order_id))
    assert (found.filled_quantity, found.state) == (D(3), OrderState.FILLED)
    assert {row[8] for row in rows(books, "trades")} == {order.id}


def test_a_fill_after_the_cancel_is_booked_and_the_order_stays_cancelled(books: Books) -> None:
    """B3, B4: what was filled is what the fills say."""
    order = books.place("k", SPOT, Side.BUY, "3")
    books.hear(order, OrderEvent.CANCELED)
    books.book(buy(SPOT, "1", "100", client_order_id=order.client_order_id))
    found = books.write(lambda draft: orders.find(draft, ACCOUNT.id, order.client_order_id))
    assert (found.state, found.filled_quantity, found.reason) == (OrderState.CANCELED, D(1), "heard CANCELED")


def test_an_overfill_is_booked_and_told(books: Books) -> None:
    """I4: the money moved; an incident is open."""
    order = books.place("k", SPOT, Side.BUY, "1")
    books.book(buy(SPOT, "1.5", "100", client_order_id=order.client_order_id))
    position = books.position(SPOT)
    assert position is not None
    assert position.quantity == D("1.5")
    kind, details = events(books)[-2]
    assert kind == "BREAK_FOUND"
    assert "beyond its quantity" in details


@pytest.mark.parametrize("named", [{}, {"client_order_id": "XYZ", "broker_order_id": "b-9"}])
def test_a_fill_of_no_order_of_ours_is_booked_as_external(books: Books, named: dict[str, str]) -> None:
    """B2, B12: to `main`, without a strategy; its order id is nobody's."""
    told = buy(SPOT, "1", "100")
    told = replace(
        told,
        client_order_id=ClientOrderId(named["client_order_id"]) if named else None,
        broker_order_id=BrokerOrderId(named["broker_order_id"]) if named else None,
    )
    assert books.book(told) == [Booking.BOOKED]
    (trade,) = rows(books, "trades")
    assert (trade[6], trade[7], trade[8], trade[18]) == (MAIN.id, 0, 0, "external")


@pytest.mark.parametrize("by", MadeBy)
def test_what_the_venue_traded_itself_is_told_by_that_word(books: Books, by: MadeBy) -> None:
    """B11: to `main`, without a strategy, and the bot's position stays; an order of ours stays ours."""
    ours = books.place("mine", PERPETUAL, Side.SELL, "2")
    named = {"client_order_id": ours.client_order_id}
    told = sell(PERPETUAL, "1", "100", 1, made_by=by), sell(PERPETUAL, "1", "100", 2, made_by=by, **named)
    assert books.book(*told) == [Booking.BOOKED] * 2
    alone, mine = rows(books, "trades")
    assert (alone[6], alone[7], alone[8], alone[18]) == (MAIN.id, 0, 0, by.value)
    assert (mine[8], mine[18]) == (ours.id, ours.intent.triggered_by)
    assert books.book(*told) == [Booking.REPEATED] * 2


def test_of_reports_without_an_order_the_one_that_says_who_made_it_says_whose_it_is() -> None:
    """A correction that comes before its fill may leave that out; an order of ours says more than either."""
    fills = {
        by: Trade(sell(PERPETUAL, "1", "100", revision=revision, effect=effect), MAIN.id, None, by, D(100))
        for revision, (by, effect) in enumerate(
            [("external", None), ("liquidation", TradeEffect.CORRECT), ("bot:3", TradeEffect.CORRECT)]
        )
    }
    outside, venue, ours = fills["external"], fills["liquidation"], fills["bot:3"]
    for told in itertools.permutations((outside, venue)):
        assert home_of(told) is venue
        counts = effective_trade(told)
        assert counts is not None
        assert counts.triggered_by == "liquidation"
    for every in itertools.permutations(fills.values()):
        assert home_of(every) is ours


def test_the_same_id_on_another_instrument_is_another_trade(books: Books) -> None:
    """B7: Binance counts trades per symbol."""
    told = buy(SPOT, "1", "100")
    assert books.book(told, replace(told, instrument_id=PERPETUAL.id)) == [Booking.BOOKED] * 2


@pytest.mark.parametrize("by", ["client_order_id", "broker_order_id"])
@pytest.mark.parametrize(("instrument", "side"), [(PERPETUAL, Side.BUY), (SPOT, Side.SELL), (PERPETUAL, Side.SELL)])
@pytest.mark.parametrize("ended", [False, True])
def test_a_fill_is_never_given_to_an_order_of_another_instrument_or_side(
    books: Books, by: str, instrument: Instrument, side: Side, ended: bool
) -> None:
    """B7: some venues count orders anew for each symbol. It is booked, as nobody's; where it names ours it is told."""
    order = books.place("k", SPOT, Side.BUY, "2")
    books.book(buy(SPOT, "1", "100", client_order_id=order.client_order_id, broker_order_id=BrokerOrderId("77")))
    if ended:
        books.hear(order, OrderEvent.CANCELED)
    named = {"client_order_id": order.client_order_id, "broker_order_id": BrokerOrderId("77")}
    assert books.book(fill(instrument, side, "1", "100", 2, **{by: named[by]})) == [Booking.BOOKED]
    ours, stranger = rows(books, "trades")
    assert (ours[8] != 0, stranger[8], stranger[18]) == (True, 0, "external")
    known = books.write(lambda draft: orders.find(draft, ACCOUNT.id, order.client_order_id))
    assert known.filled_quantity == 1
    is_another_count = by == "broker_order_id" and instrument is PERPETUAL
    assert ("is of another instrument or side" in incident(books)) is not is_another_count


def test_a_fill_finds_its_order_by_the_venues_id_among_those_of_other_symbols(books: Books) -> None:
    """Live or ended, the one of its own instrument."""
    here, there = books.place("a", SPOT, Side.BUY, "2"), books.place("b", PERPETUAL, Side.BUY, "2")
    name = BrokerOrderId("77")
    books.book(buy(SPOT, "1", "100", 1, client_order_id=here.client_order_id, broker_order_id=name))
    books.book(buy(PERPETUAL, "1", "100", 2, client_order_id=there.client_order_id, broker_order_id=name))
    books.book(buy(SPOT, "0.1", "100", 3, broker_order_id=name), buy(PERPETUAL, "0.1", "100", 4, broker_order_id=name))
    books.hear(here, OrderEvent.CANCELED)
    books.hear(there, OrderEvent.CANCELED)
    books.book(buy(SPOT, "0.1", "100", 5, broker_order_id=name), buy(PERPETUAL, "0.1", "100", 6, broker_order_id=name))
    assert [row[8] for row in rows(books, "trades")] == [here.id, there.id] * 3


def test_a_fill_of_an_unknown_instrument_or_account_is_refused_by_name(books: Books) -> None:
    """Nothing of its unit is booked, the good fills beside it neither: the caller must hear of it."""
    before = books.scribe.hot.snapshot()
    stranger = replace(buy(SPOT, "1", "100", 2), instrument_id=InstrumentId(99))
    with pytest.raises(LookupError, match="99:t2:0 is of an instrument that the book does not know"):
        books.book(buy(SPOT, "1", "100"), stranger)
    with pytest.raises(LookupError, match="account 9, which has no portfolio main"):
        books.book(replace(buy(SPOT, "1", "100"), account_id=AccountId(9)))
    assert books.scribe.hot.snapshot() == before


def test_an_empty_page_writes_no_note(books: Books) -> None:
    before = books.scribe.hot.snapshot()
    assert books.book() == []
    assert books.scribe.hot.snapshot() == before


def test_facts_are_written_with_one_note_of_their_own_account(books: Books) -> None:
    """The chain would not cover them otherwise."""

    def without(draft: Draft) -> None:
        book_trades(draft, [buy(SPOT, "1", "100")], NOON, "venue:paper")
        draft.note = None

    def of_another(draft: Draft) -> None:
        book_trades(draft, [buy(SPOT, "1", "100")], NOON, "venue:paper")
        draft.note = replace(draft.note, account_id=AccountId(0))

    def twice(draft: Draft) -> None:
        book_trades(draft, [buy(SPOT, "1", "100")], NOON, "venue:paper")
        write_note(draft, Note(ACCOUNT.id, "user:1", "LOGIN", "USER", "1", NOON, {}))

    for unit, promise in ((without, "with a note"), (of_another, "account of its note"), (twice, "one note")):
        with pytest.raises(InvariantBroken, match=promise):
            books.write(unit)
    assert rows(books, "trades") == []


def test_an_order_that_only_closes_counts_for_what_it_will_surely_take(books: Books) -> None:
    """A market close in flight is subtracted from the position once; not while its fate is unknown."""
    books.book(buy(SPOT, "3", "100"))
    closing = keys.closing(ACCOUNT.id, (MAIN.id, SPOT.id, 0, ""))
    order = books.place("k", SPOT, Side.SELL, "2", price=None, reduce_only=True)
    assert books.get(closing) == 2
    books.book(sell(SPOT, "0.5", "100", 2, client_order_id=order.client_order_id))
    assert books.get(closing) == D("1.5")
    books.hear(order, OrderEvent.CANCELED)
    assert books.get(closing) is None
    other = books.place("k2", SPOT, Side.SELL, "1", price=None, reduce_only=True)
    books.hear(other, OrderEvent.OUTCOME_LOST)
    assert books.get(closing) is None


def test_every_live_sale_of_a_position_counts_until_it_ends(books: Books) -> None:
    """Waiting or of unknown fate too, and only what is left of it: a second sale must see them all."""
    selling = keys.selling(ACCOUNT.id, (MAIN.id, SPOT.id, 0, ""))
    first = books.place("a", SPOT, Side.SELL, "2")
    second = books.place("b", SPOT, Side.SELL, "1", price=None, reduce_only=True)
    books.place("c", SPOT, Side.BUY, "5")
    books.hear(first, OrderEvent.OUTCOME_LOST)
    assert books.get(selling) == 3
    books.book(sell(SPOT, "0.5", "100", client_order_id=first.client_order_id))
    assert books.get(selling) == D("2.5")
    assert_hot_equals_database(books)
    books.hear(first, OrderEvent.CANCELED)
    books.hear(second, OrderEvent.CANCELED)
    assert books.get(selling) is None


def test_sums_over_live_orders_come_and_go_with_them(books: Books) -> None:
    """Pending values by side, the count, and what is held back of each asset."""
    pending = keys.pending(ACCOUNT.id, SPOT.id)
    first = books.place("a", SPOT, Side.BUY, "2", reserved="200")
    second = books.place("b", SPOT, Side.SELL, "1", reserved="50")
    assert books.get(pending) == keys.Pending(D(1000), D(1000), 2)
    assert books.get(keys.reserved(ACCOUNT.id, "USDT")) == D(250)
    books.book(buy(SPOT, "1", "100", client_order_id=first.client_order_id))
    assert books.get(pending) == keys.Pending(D(500), D(1000), 2)
    assert books.get(keys.reserved(ACCOUNT.id, "USDT")) == D(150)
    books.hear(first, OrderEvent.CANCELED)
    books.hear(second, OrderEvent.EXPIRED)
    assert books.get(pending) is None
    assert books.get(keys.reserved(ACCOUNT.id, "USDT")) is None


def test_looking_for_what_is_not_there_finds_nothing(books: Books) -> None:
    def look(draft: Draft) -> list[object]:
        return [
            orders.find(draft, ACCOUNT.id, client_order_id("nobody")),
            orders.find_by_broker_id(draft, ACCOUNT.id, SPOT.id, BrokerOrderId("b-9")),
            trades.revisions(draft, buy(SPOT, "1", "1", 9)),
            orders.live(draft, ACCOUNT.id),
        ]

    assert books.write(look) == [None, None, (), []]
