"""What is kept for a while only: removed in pieces, on both engines, and never a fact."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from plimsoll.ledger import comparisons, guarding, keys, queries, retention
from plimsoll.ledger.comparisons import Cause
from plimsoll.ledger.database import open_database
from plimsoll.ledger.log import tell
from plimsoll.ledger.queries import CHUNK
from plimsoll.ledger.retention import Piece
from plimsoll.ledger.schema import FACTS, metadata
from plimsoll.model.clock import time_text
from plimsoll.model.errors import InvariantBroken
from plimsoll.model.event import Event, EventKind
from plimsoll.risk.guards.reading import Reading
from plimsoll.risk.guards.turns import Occasion
from plimsoll.store.connection import StoreFailed
from plimsoll.store.draft import Draft
from plimsoll.store.place import Place, SqlitePlace, reader, writer
from plimsoll.store.scribe import HEADS
from tests.builders.ledger import ACCOUNT, NOON, SPOT, Books, D, assert_hot_equals_database, buy, paying

LONG_AFTER = NOON + timedelta(days=31)


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


def column(books: Books, table: str, name: str) -> list[Any]:
    named = metadata.tables[table]
    with books.engine.connect() as connection:
        return [
            row[0]
            for row in connection.execute(named.select().with_only_columns(named.c[name]).order_by(named.c[name]))
        ]


def run(books: Books, piece: Piece, now: datetime) -> int:
    """Run pieces until one says that there is no more; give how many."""
    pieces = 1
    while books.write(lambda draft: piece(draft, ACCOUNT.id, now)):
        pieces += 1
    return pieces


def attempts(books: Books, count: int, at: datetime) -> None:
    def unit(draft: Draft) -> None:
        for _ in range(count):
            comparisons.write_attempt(draft, ACCOUNT.id, Cause.SCHEDULED, 1, None, at)

    books.write(unit)


def points(books: Books, *said: tuple[datetime, Occasion]) -> None:
    def unit(draft: Draft) -> None:
        for at, occasion in said:
            reading = Reading(at, D(100), D(1), D(1), confirmed=True)
            guarding.write_snapshot(draft, ACCOUNT.id, reading, occasion)

    books.write(unit)


def every(seconds: int, count: int, first: datetime = NOON) -> list[tuple[datetime, Occasion]]:
    return [(first + timedelta(seconds=seconds * number), Occasion.READING) for number in range(count)]


# Logs and events ------------------------------------------------------------------------------------------------------


def test_attempts_are_kept_thirty_days(books: Books) -> None:
    attempts(books, 3, NOON)
    attempts(books, 2, NOON + timedelta(days=1, seconds=1))
    run(books, retention.forget_attempts, NOON + timedelta(days=30))
    assert len(column(books, "sync_log", "id")) == 5, "not a second before"
    run(books, retention.forget_attempts, LONG_AFTER)
    assert column(books, "sync_log", "id") == [4, 5]


def test_a_piece_looks_at_no_more_rows_than_a_unit_may(books: Books) -> None:
    attempts(books, CHUNK + 1, NOON)
    assert books.write(lambda draft: retention.forget_attempts(draft, ACCOUNT.id, LONG_AFTER))
    assert column(books, "sync_log", "id") == [CHUNK + 1]
    assert run(books, retention.forget_attempts, LONG_AFTER) == 1, "nothing is left to do"
    assert column(books, "sync_log", "id") == [CHUNK + 1]


def test_the_newest_is_kept_so_that_numbers_go_on_behind_it(books: Books) -> None:
    attempts(books, 3, NOON)
    run(books, retention.forget_attempts, LONG_AFTER)
    assert column(books, "sync_log", "id") == [3]
    attempts(books, 1, LONG_AFTER)
    run(books, retention.forget_attempts, LONG_AFTER)
    assert column(books, "sync_log", "id") == [4]


def test_old_events_go_and_the_number_of_the_last_one_stays(books: Books) -> None:
    for number in range(3):
        at = NOON + timedelta(days=number)
        books.write(partial(tell, event=Event(EventKind.CASH_BOOKED, ACCOUNT.id, at, {})))
    run(books, retention.forget_events, NOON + timedelta(days=31, seconds=1))
    assert column(books, "events", "number") == [3]
    run(books, retention.forget_events, NOON + timedelta(days=40))
    assert column(books, "events", "number") == [3], "a proof sees that the ones before it were let go"
    books.write(lambda draft: tell(draft, Event(EventKind.CASH_BOOKED, ACCOUNT.id, LONG_AFTER, {})))
    assert column(books, "events", "number") == [3, 4]


def test_signals_that_nobody_wrote_are_no_trouble(books: Books) -> None:
    assert run(books, retention.forget_signals, LONG_AFTER) == 1


# The equity curve -----------------------------------------------------------------------------------------------------


def test_a_day_is_kept_whole_then_a_reading_a_minute_then_one_an_hour(books: Books) -> None:
    """Two hours of readings every ten seconds: 720, then 120, then 2."""
    points(books, *every(10, 720), (LONG_AFTER, Occasion.READING))
    for piece in (retention.thin_to_minutes, retention.thin_to_hours):
        run(books, piece, NOON + timedelta(hours=23))
    assert len(column(books, "equity_snapshots", "id")) == 720 + 1
    run(books, retention.thin_to_minutes, NOON + timedelta(days=2))
    kept = column(books, "equity_snapshots", "at")[:-1]
    assert len(kept) == 120
    assert all(_time(at).second == 0 for at in kept), "the first of each minute"
    run(books, retention.thin_to_hours, NOON + timedelta(days=29))
    assert len(column(books, "equity_snapshots", "id")) == 120 + 1
    run(books, retention.thin_to_hours, LONG_AFTER)
    assert [_time(at).hour for at in column(books, "equity_snapshots", "at")[:-1]] == [12, 13]


def test_every_flow_peak_and_trough_is_kept_for_ever(books: Books) -> None:
    marked = [(NOON + timedelta(seconds=n), kind) for n, kind in ((15, "PEAK"), (25, "TROUGH"), (35, "FLOW"))]
    points(books, *every(10, 30))
    points(books, *((at, Occasion(kind)) for at, kind in marked))
    points(books, (LONG_AFTER, Occasion.READING))
    run(books, retention.thin_to_minutes, LONG_AFTER)
    run(books, retention.thin_to_hours, LONG_AFTER)
    assert sorted(column(books, "equity_snapshots", "occasion")) == ["FLOW", "PEAK", "READING", "READING", "TROUGH"]
    assert run(books, retention.thin_to_hours, LONG_AFTER) == 1


def test_thinning_in_pieces_over_days_keeps_what_thinning_at_once_keeps(books: Books) -> None:
    """A piece may end in the middle of a minute; the next one knows which minute has its reading."""
    points(books, *every(10, 400), (LONG_AFTER, Occasion.READING))
    for seconds in range(0, 4_100, 37):
        run(books, retention.thin_to_minutes, NOON + timedelta(days=1, seconds=seconds))
    kept = column(books, "equity_snapshots", "at")[:-1]
    assert len(kept) == 67
    assert all(_time(at).second == 0 for at in kept)


def test_what_was_looked_through_is_not_looked_at_again_after_a_start(books: Books) -> None:
    points(books, *every(10, 12))
    run(books, retention.thin_to_minutes, LONG_AFTER)
    assert column(books, "equity_snapshots", "id") == [1, 7, 12], "the newest stays until another comes"
    assert books.get(keys.meta("thinned:16:1")) == "11 2022-01-21T12:01"
    group = books.get(HEADS)
    run(books, retention.thin_to_minutes, LONG_AFTER)
    assert books.get(HEADS) == group, "nothing new, nothing written"
    points(books, (NOON + timedelta(minutes=5), Occasion.READING))
    run(books, retention.thin_to_minutes, LONG_AFTER)
    assert column(books, "equity_snapshots", "id") == [1, 7, 13]
    assert books.get(keys.meta("thinned:16:1")) == "13 2022-01-21T12:05"


# Facts ----------------------------------------------------------------------------------------------------------------


def test_no_statement_forgets_a_fact() -> None:
    for table in FACTS:
        with pytest.raises(InvariantBroken, match="a fact is never forgotten"):
            queries.forgetting(metadata.tables[table])
        assert f"forget_{table}" not in queries.compiled()


def test_what_the_database_refuses_to_forget_is_not_forgotten(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even a statement smuggled past the names: a trigger says no, and the group is undone."""
    books.write(paying("1000", "first"))
    books.book(buy(SPOT, "1", "100"))
    held = books.connection._queries  # type: ignore[attr-defined]  # the names are the connection's own
    smuggled = "DELETE FROM trades"
    whole = {**held, "forget_trades": smuggled.encode() if isinstance(next(iter(held.values())), bytes) else smuggled}
    monkeypatch.setattr(books.connection, "_queries", whole)
    with pytest.raises(StoreFailed):
        books.write(lambda draft: draft.forget("forget_trades"))
    assert len(column(books, "trades", "id")) == 1


def test_a_unit_that_fails_forgets_nothing(books: Books) -> None:
    attempts(books, 2, NOON)

    def unit(draft: Draft) -> None:
        draft.forget("forget_sync_log", ACCOUNT.id, 2)
        raise ValueError("a bug behind it")

    with pytest.raises(ValueError, match="a bug"):
        books.write(unit)
    assert column(books, "sync_log", "id") == [1, 2]


def test_several_pieces_of_one_group_are_all_done(books: Books) -> None:
    attempts(books, 4, NOON)
    books.together(
        lambda draft: draft.forget("forget_sync_log", ACCOUNT.id, 1),
        lambda draft: draft.forget("forget_sync_log", ACCOUNT.id, 3),
    )
    assert column(books, "sync_log", "id") == [4]


def _time(cell: Any) -> datetime:
    from plimsoll.model.clock import parse_time

    return parse_time(cell if isinstance(cell, str) else time_text(cell))
