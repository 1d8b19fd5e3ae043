"""What venues say beside the book: differences, orders that are not ours, positions, comparisons, attempts."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from plimsoll.ledger import breaks, comparisons, external_orders, queries, venue_positions
from plimsoll.ledger.breaks import Break, BreakStatus, Found
from plimsoll.ledger.comparisons import Cause, Compared
from plimsoll.ledger.database import open_database
from plimsoll.ledger.external_orders import ExternalOrder, ExternalStatus
from plimsoll.ledger.schema import metadata
from plimsoll.model.ids import AccountId, BrokerOrderId, ClientOrderId, InstrumentId
from plimsoll.model.order import OrderState, OrderType, Side
from plimsoll.model.venue import VenueOrder, VenuePosition
from plimsoll.store.draft import Draft
from plimsoll.store.place import Place, SqlitePlace, reader, writer
from tests.builders.ledger import ACCOUNT, NOON, PERPETUAL, SPOT, Books, D, assert_hot_equals_database

HELD = Found("position", "2", "The book holds 1 BTC, the venue 2.", "Compare the trades.")
CASH = Found("balance", "spot:USDT", "USDT in spot differs.", "Find the movement.")


@pytest.fixture(params=["sqlite", "postgresql"])
def books(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Books]:
    """Open books with an account, on both engines."""
    place: Place = (
        SqlitePlace(tmp_path / "desk.db") if request.param == "sqlite" else request.getfixturevalue("postgres")
    )
    open_database(place)
    opened = Books(writer(place, metadata, queries.compiled(place.dialect)), reader(place)).open()
    yield opened
    assert_hot_equals_database(opened)
    opened.close()


def later(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


def rows(books: Books, table: str) -> list[tuple[Any, ...]]:
    with books.engine.connect() as connection:
        named = metadata.tables[table]
        return [tuple(row) for row in connection.execute(named.select().order_by(*named.primary_key.columns))]


# Breaks ---------------------------------------------------------------------------------------------------------------


def found(*what: Found, at: datetime = NOON) -> Any:
    return lambda draft: breaks.write_found(draft, ACCOUNT.id, what, at)


def test_a_difference_that_stands_is_one_break_that_counts_up(books: Books) -> None:
    """Its sentence is that of the last comparison; its age goes on."""
    books.write(found(HELD))
    books.write(found(replace(HELD, sentence="The book holds 1 BTC, the venue 3."), at=later(1)))
    (one,) = breaks.open_breaks(books.scribe.hot, ACCOUNT.id)
    assert (one.id, one.seen_count, one.first_seen, one.last_seen) == (1, 2, NOON, later(1))
    assert one.found.sentence == "The book holds 1 BTC, the venue 3."
    assert len(rows(books, "breaks")) == 1


def test_a_difference_that_is_not_there_any_more_is_gone_and_leaves_the_others(books: Books) -> None:
    books.write(found(HELD, CASH))
    books.write(found(CASH, at=later(1)))
    assert [one.found for one in breaks.open_breaks(books.scribe.hot, ACCOUNT.id)] == [CASH]
    gone, left = rows(books, "breaks")
    assert (gone[6], gone[11]) == (BreakStatus.GONE, later(1))
    assert (left[6], left[7]) == (BreakStatus.OPEN, 2)


def test_a_person_says_what_became_of_it_and_what_comes_again_is_new(books: Books) -> None:
    books.write(found(HELD))
    resolved: Break = books.write(lambda draft: breaks.resolve(draft, ACCOUNT.id, 1, "user:1", "closed by hand", NOON))
    assert (resolved.status, resolved.resolved_by, resolved.resolution) == ("RESOLVED", "user:1", "closed by hand")
    assert breaks.open_breaks(books.scribe.hot, ACCOUNT.id) == []
    books.write(found(HELD, at=later(1)))
    (again,) = breaks.open_breaks(books.scribe.hot, ACCOUNT.id)
    assert (again.id, again.seen_count) == (2, 1)
    assert [row[6] for row in rows(books, "breaks")] == ["RESOLVED", "OPEN"]


def test_only_an_open_break_of_this_account_can_be_resolved(books: Books) -> None:
    """An unknown number, another account's, one that is gone: the same answer, and nothing changes."""
    books.write(found(HELD))
    before = rows(books, "breaks")
    for account_id, number in ((ACCOUNT.id, 2), (AccountId(2), 1)):
        unit = partial(breaks.resolve, by="user:2", resolution="mine", now=NOON)
        told = books.write(partial(unit, account_id=account_id, number=number))
        assert told is None
    assert rows(books, "breaks") == before
    books.write(found(at=later(1)))
    assert books.write(lambda draft: breaks.resolve(draft, ACCOUNT.id, 1, "user:1", "late", NOON)) is None


def test_two_comparisons_in_one_group_find_one_break(books: Books) -> None:
    books.together(found(HELD), found(HELD, at=later(1)))
    (one,) = breaks.open_breaks(books.scribe.hot, ACCOUNT.id)
    assert one.seen_count == 2


# Orders that are not ours ---------------------------------------------------------------------------------------------

FOREIGN = VenueOrder(
    None,
    BrokerOrderId("v-1"),
    SPOT.id,
    Side.BUY,
    OrderType.LIMIT,
    D(2),
    D(0),
    OrderState.NEW,
    NOON,
    price=D("100.5"),
)
FORGOTTEN = replace(FOREIGN, client_order_id=ClientOrderId("DESKAAAAAAAAAAAA"), broker_order_id=BrokerOrderId("v-2"))


def seen(*told: VenueOrder, at: datetime = NOON) -> Any:
    return lambda draft: external_orders.write_seen(
        draft, ACCOUNT.id, [(order, order.client_order_id is not None) for order in told], at
    )


def waiting(books: Books) -> list[ExternalOrder]:
    return external_orders.waiting(books.scribe.hot, ACCOUNT.id)


def changed(books: Books, *told: VenueOrder) -> bool:
    return external_orders.has_changed(books.scribe.hot, ACCOUNT.id, told, later(9))


def test_a_foreign_order_is_kept_once_and_follows_what_the_venue_says(books: Books) -> None:
    assert changed(books, FOREIGN)
    books.write(seen(FOREIGN))
    assert not changed(books, FOREIGN)
    part = replace(FOREIGN, filled_quantity=D(1), state=OrderState.PARTIALLY_FILLED, updated_at=later(1))
    assert changed(books, part)
    books.write(seen(part, at=later(1)))
    (one,) = waiting(books)
    assert (one.id, one.filled_quantity, one.state, one.ours) == (1, D(1), "PARTIALLY_FILLED", False)
    assert (one.first_seen, one.last_seen) == (NOON, later(1))
    assert len(rows(books, "external_orders")) == 1


def test_seen_again_as_it_was_nothing_is_written(books: Books) -> None:
    books.write(seen(FOREIGN))
    before = rows(books, "external_orders")
    books.write(seen(FOREIGN, at=later(1)))
    assert rows(books, "external_orders") == before


def test_one_that_waits_no_longer_is_of_unknown_end_and_may_come_back(books: Books) -> None:
    """Absence is no evidence: neither filled nor cancelled. If it is listed again it is the same order."""
    books.write(seen(FOREIGN))
    assert changed(books)
    books.write(seen(at=later(1)))
    assert waiting(books) == []
    assert [row[11] for row in rows(books, "external_orders")] == [OrderState.UNKNOWN]
    books.write(seen(FOREIGN, at=later(2)))
    (one,) = waiting(books)
    assert (one.id, one.state, one.first_seen) == (1, OrderState.NEW, NOON)


def test_an_order_of_our_own_prefix_stays_in_memory_after_its_end(books: Books) -> None:
    """Its id must never be used again, and the gate asks without a look at the disk."""
    books.write(seen(FORGOTTEN))
    books.write(seen(at=later(1)))
    assert waiting(books) == []
    assert external_orders.sent_once(books.scribe.hot, ACCOUNT.id) == {FORGOTTEN.client_order_id}
    books.write(seen(FORGOTTEN, at=later(2)))
    assert len(rows(books, "external_orders")) == 1


def test_an_order_that_was_taken_back_into_the_book_is_left_alone(books: Books) -> None:
    books.write(lambda draft: external_orders.write_adopted(draft, ACCOUNT.id, FORGOTTEN, "restored", NOON))
    assert waiting(books) == []
    assert not changed(books)
    books.write(seen(at=later(1)))
    assert [(row[11], row[14]) for row in rows(books, "external_orders")] == [("NEW", "ASSIGNED")]
    assert external_orders.sent_once(books.scribe.hot, ACCOUNT.id) == {FORGOTTEN.client_order_id}


def test_a_row_needs_an_instrument_of_the_book_and_a_quantity(books: Books) -> None:
    """Such orders stay breaks; nothing that the database would refuse holds up the rest."""
    strange = replace(FOREIGN, instrument_id=InstrumentId(99), broker_order_id=BrokerOrderId("v-8"))
    empty = replace(FOREIGN, quantity=D(0), broker_order_id=BrokerOrderId("v-9"))
    assert not changed(books, strange, empty)
    books.write(seen(strange, FOREIGN, empty))
    assert [one.broker_order_id for one in waiting(books)] == ["v-1"]


def test_a_person_says_whose_it_is(books: Books) -> None:
    books.write(seen(FOREIGN))
    assert not external_orders.was_decided(books.scribe.hot, ACCOUNT.id, FOREIGN)
    told = books.write(lambda draft: settled(draft, 1))
    assert (told.status, told.resolved_by) == ("IGNORED", "user:1")
    assert external_orders.was_decided(books.scribe.hot, ACCOUNT.id, FOREIGN)
    assert not external_orders.was_decided(books.scribe.hot, ACCOUNT.id, FORGOTTEN)
    assert not changed(books, FOREIGN)
    assert books.write(lambda draft: settled(draft, 2)) is None
    books.write(seen(at=later(1)))
    assert books.write(lambda draft: settled(draft, 1)) is None, "it waits no longer"


def settled(draft: Draft, number: int) -> ExternalOrder | None:
    return external_orders.settle(draft, ACCOUNT.id, number, ExternalStatus.IGNORED, "user:1")


# Positions by the venue's word ----------------------------------------------------------------------------------------


def hold(books: Books, *told: VenuePosition, at: datetime = NOON, all_of: bool = False) -> int:
    """Write what changed; give how many rows."""

    def unit(draft: Draft) -> int:
        new = venue_positions.changes(draft, ACCOUNT.id, told, at, all_of=all_of)
        for one in new:
            venue_positions.write(draft, one)
        return len(new)

    count: int = books.write(unit)
    return count


def test_a_position_of_the_venue_tells_since_when_it_is_so(books: Books) -> None:
    """What stays as it was is not written; once an hour it is, and goes on being as old as it is."""
    long = VenuePosition(PERPETUAL.id, D(2), D(100), "LONG")
    assert hold(books, long) == 1
    assert hold(books, long, at=later(1)) == 0
    assert hold(books, long, at=later(60), all_of=True) == 1
    (one,) = venue_positions.held_there(books.scribe.hot, ACCOUNT.id)
    assert (one.quantity, one.avg_price, one.since, one.updated_at) == (D(2), D(100), NOON, later(60))
    assert hold(books, replace(long, quantity=D(3)), at=later(61)) == 1
    (one,) = venue_positions.held_there(books.scribe.hot, ACCOUNT.id)
    assert (one.quantity, one.since) == (D(3), later(61))


def test_what_the_venue_names_no_longer_stands_at_zero(books: Books) -> None:
    hold(books, VenuePosition(PERPETUAL.id, D(2), D(100)))
    assert hold(books, at=later(1)) == 1
    (one,) = venue_positions.held_there(books.scribe.hot, ACCOUNT.id)
    assert (one.quantity, one.avg_price, one.since) == (D(0), None, later(1))
    assert hold(books, at=later(2)) == 0


def test_legs_stand_apart_and_one_leg_told_in_parts_is_added_up(books: Books) -> None:
    part = VenuePosition(PERPETUAL.id, D(2), D(100), "LONG")
    other = VenuePosition(PERPETUAL.id, D(-1), D(110), "SHORT")
    assert hold(books, part, replace(part, quantity=D(1), entry_price=D(90)), other) == 2
    told = {one.leg: (one.quantity, one.avg_price) for one in venue_positions.held_there(books.scribe.hot, ACCOUNT.id)}
    assert told == {"LONG": (D(3), None), "SHORT": (D(-1), D(110))}


def test_a_position_of_an_instrument_that_nobody_knows_has_no_row(books: Books) -> None:
    assert hold(books, VenuePosition(InstrumentId(99), D(1), D(1))) == 0


# Logs -----------------------------------------------------------------------------------------------------------------


def test_lines_and_attempts_are_read_back_as_they_were_written(books: Books) -> None:
    def unit(draft: Draft) -> None:
        snapshot = {"equity": "100", "margin_used": None}
        comparisons.write_comparison(draft, ACCOUNT.id, Compared.DIFFERENT, 12, 3, ["one", "two"], snapshot, NOON)
        comparisons.write_attempt(draft, ACCOUNT.id, Cause.START, 7, None, NOON)
        comparisons.write_attempt(draft, ACCOUNT.id, Cause.SCHEDULED, 9, "x" * 900, later(1))

    books.write(unit)
    with books.engine.connect() as connection:
        lines = [tuple(map(_text, row)) for row in connection.execute(metadata.tables["reconciliation_log"].select())]
        tried = [tuple(map(_text, row)) for row in connection.execute(metadata.tables["sync_log"].select())]
    line = comparisons.comparison_from_row(lines[0])
    assert (line.outcome, line.duration_ms, line.comparisons, line.at) == ("DIFFERENT", 12, 3, NOON)
    assert line.differences == ("one", "two")
    assert line.snapshot == (("equity", "100"), ("margin_used", None))
    first, second = map(comparisons.attempt_from_row, tried)
    assert (first.cause, first.duration_ms, first.error) == ("START", 7, None)
    assert second.error == "x" * comparisons.LONGEST_ERROR


def _text(cell: Any) -> Any:
    from plimsoll.model.clock import time_text

    return time_text(cell) if isinstance(cell, datetime) else cell
