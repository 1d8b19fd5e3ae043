"""Imported books in the one writer: hidden while they are taken in, shown whole, and never half."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.dialects import sqlite as sqlite_dialect

from plimsoll.ledger import accounts, imports, keys, queries
from plimsoll.ledger.accounts import IMPORTED_BEHIND
from plimsoll.ledger.database import create_from_template
from plimsoll.ledger.digest import digest
from plimsoll.ledger.history import find_position
from plimsoll.ledger.imports import Begin, Making
from plimsoll.ledger.reading.paging import Page
from plimsoll.ledger.reading.reader import Own, Reader
from plimsoll.ledger.ready import NotReady, chunk_of, ready_in
from plimsoll.ledger.schema import metadata
from plimsoll.ledger.verify import VerifyReport, verify
from plimsoll.ledger.verify import orders as orders_proof
from plimsoll.ledger.views import status
from plimsoll.model.account import Portfolio
from plimsoll.model.asker import Asker
from plimsoll.model.errors import CommandRefused, Illegal
from plimsoll.model.ids import AccountId, PortfolioId, UserId
from plimsoll.store.connection import StoreFailed
from plimsoll.store.place import Place, SqlitePlace, reader, writer
from tests.builders.bringing import (
    BTC,
    LATER,
    VENUE,
    begin,
    bring,
    ending,
    fills,
    finish,
    know,
    make_ready,
    paid_in,
    take,
    traded,
)
from tests.builders.ledger import ACCOUNT, CHAIN_KEY, SPOT, USER, Books, D, assert_hot_equals_database, buy


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    """Books with an account that trades; sound at the end, whatever happened."""
    path = tmp_path / "desk.db"
    create_from_template(path)
    yield from _sound(SqlitePlace(path))


@pytest.fixture
def on_both(place: Place) -> Iterator[Books]:
    """The same, on either engine."""
    yield from _sound(place)


def _sound(place: Place) -> Iterator[Books]:
    opened = Books(writer(place, metadata, queries.compiled(place.dialect)), reader(place)).open()
    yield opened
    assert_hot_equals_database(opened)
    opened.close()
    report = verify(place, CHAIN_KEY, None)
    assert report.ok, report.findings


def own(books: Books, user: UserId = USER.id) -> Own:
    return Reader(books.engine).of(Asker(user, None))


def shown(books: Books, user: UserId = USER.id) -> dict[str, int]:
    """Count what somebody is shown."""
    mine = own(books, user)
    pages: dict[str, Page[Any]] = {
        "trades": mine.orders.fills(below={}, limit=10_000),
        "cash_lines": mine.holdings.cash_lines(below={}, limit=10_000),
    }
    counts = {name: len(page.items) for name, page in pages.items()}
    return {**counts, "positions": len(mine.holdings.positions()), "balances": len(mine.holdings.balances())}


def rows(books: Books, table: str) -> int:
    with books.engine.connect() as connection:
        return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())


def counted(books: Books) -> dict[str, int]:
    """Count the rows of every table of facts and of what an import writes."""
    return {name: rows(books, name) for name in (*imports.TABLES, "accounts", "portfolios", "imports", "instruments")}


def notes(books: Books) -> list[tuple[str, str]]:
    with books.engine.connect() as connection:
        asked = "SELECT action, details_json FROM audit_log WHERE account_id = 0 ORDER BY seq"
        return [(str(action), str(details)) for action, details in connection.exec_driver_sql(asked)]


# The way in -----------------------------------------------------------------------------------------------------------


def test_a_book_is_hidden_until_its_last_unit(on_both: Books, tmp_path: Path) -> None:
    """Nobody is shown a row of it while it is taken in, and all of it afterwards."""
    ready = make_ready(on_both, begin(on_both), tmp_path, [paid_in(1), *fills(900)])
    before = shown(on_both)
    assert ready.chunks > 3
    for number in range(1, ready.chunks + 1):
        take(on_both, ready, number)
        assert shown(on_both) == before
    assert [one.name for one in status(on_both.engine).portfolios] == ["main"]
    finished = finish(on_both, ready)
    assert shown(on_both) == {"trades": 900, "cash_lines": 2701, "positions": 1, "balances": 2}
    assert [one.name for one in status(on_both.engine).portfolios] == ["main", "old days"]
    assert on_both.get(keys.portfolio(finished.portfolio_id)).uid == finished.portfolio_uid == "p-1000001"
    assert on_both.get(keys.imported(USER.id, finished.portfolio_id)).name == "old days"


def test_every_chunk_leaves_the_books_sound(place: Place, tmp_path: Path) -> None:
    """The chain of the making is a true one at each of them, and what is not whole is said to be so."""
    books = Books(writer(place, metadata, queries.compiled(place.dialect)), reader(place)).open()
    ready = make_ready(books, begin(books), tmp_path, fills(500))
    for number in range(1, ready.chunks + 1):
        report = verify(place, CHAIN_KEY, None)
        assert report.ok, report.findings
        assert any("account 1000001 folds into" in unseen for unseen in report.unseen)
        take(books, ready, number)
    assert verify(place, CHAIN_KEY, None).ok
    finish(books, ready)
    report = verify(place, CHAIN_KEY, None)
    books.close()
    assert report.ok, report.findings
    assert not any("folds into" in unseen for unseen in report.unseen)
    assert report.checked["trades"] == 500


def test_the_desk_trades_on_meanwhile(on_both: Books, tmp_path: Path) -> None:
    """Its rows stay numbered without holes, and none of its own links tells of the imported rows."""
    ready = make_ready(on_both, begin(on_both), tmp_path, fills(500))
    for number in range(1, ready.chunks + 1):
        on_both.book(buy(SPOT, "1", "100", number))
        take(on_both, ready, number)
    finish(on_both, ready)
    on_both.book(buy(SPOT, "1", "100", 99))
    assert shown(on_both)["trades"] == 500 + ready.chunks + 1
    assert on_both.get(("id", "trades")) == ready.chunks + 1


def test_a_chunk_and_trades_are_written_in_one_group(books: Books, tmp_path: Path) -> None:
    ready = make_ready(books, begin(books), tmp_path, fills(150))
    chunks = [partial(imports.take, user_id=USER.id, chunk=chunk_of(ready, number)) for number in (1, 2)]
    answers = books.together(chunks[0], lambda _draft: None, chunks[1])
    assert [getattr(one, "taken", one) for one in answers] == [1, None, 2]


def test_a_chunk_that_is_in_is_not_taken_twice(books: Books, tmp_path: Path) -> None:
    """Whoever did not hear the answer says it again; the same goes for the end."""
    ready = make_ready(books, begin(books), tmp_path, fills(300))
    take(books, ready, 1, 1, 2, 1)
    assert rows(books, "trades") <= 300
    take(books, ready)
    done = finish(books, ready)
    again = counted(books)
    take(books, ready)
    assert finish(books, ready) == done
    assert counted(books) == again
    assert rows(books, "trades") == 300


def test_chunks_come_in_their_order(books: Books, tmp_path: Path) -> None:
    ready = make_ready(books, begin(books), tmp_path, fills(300))
    take(books, ready, 1)
    before = counted(books)
    with pytest.raises(CommandRefused, match=r"chunk 2 of .* is the next"):
        take(books, ready, 3)
    with pytest.raises(CommandRefused, match=r"of .* is the next"):
        books.write(partial(imports.take, user_id=USER.id, chunk=replace(chunk_of(ready, 2), number=99)))
    assert counted(books) == before


def test_a_making_of_which_something_is_missing_is_not_shown(books: Books, tmp_path: Path) -> None:
    ready = make_ready(books, begin(books), tmp_path, fills(300))
    take(books, ready, 1)
    before = counted(books), shown(books)
    with pytest.raises(CommandRefused, match=r"1 of .* chunks were taken in"):
        finish(books, ready)
    assert (counted(books), shown(books)) == before


def test_a_file_that_was_made_anew_is_another(books: Books, tmp_path: Path) -> None:
    """One making takes chunks of one file only."""
    making = begin(books)
    ready = make_ready(books, making, tmp_path, fills(300))
    take(books, ready, 1)
    other = make_ready(books, making, tmp_path, fills(2000), name="other.part")
    before = counted(books)
    for refused in (lambda: take(books, other, 2), lambda: finish(books, other)):
        with pytest.raises(CommandRefused, match="the prepared file is another one"):
            refused()
    assert counted(books) == before


# One after the other --------------------------------------------------------------------------------------------------


def test_the_next_making_takes_the_place_of_the_one_before(on_both: Books, tmp_path: Path) -> None:
    """Names and public ids stay, everything of the one before is there and shown no more."""
    first = bring(on_both, tmp_path, fills(200))
    old = shown(on_both)
    second = bring(on_both, tmp_path, fills(200), fills(100, first=201))
    assert second.replaced == first.account_id
    assert second.portfolio_uid == first.portfolio_uid == "p-1000001"
    assert on_both.get(keys.account(second.account_id)).uid == "a-1000001"
    assert on_both.get(keys.account(second.account_id)).name == "old days (imported)"
    assert shown(on_both)["trades"] == old["trades"] + 100
    assert rows(on_both, "trades") == 500
    gone = on_both.get(keys.account(first.account_id))
    assert gone.deleted_at == LATER
    assert gone.name == "old days (imported), until 2022-01-21T13:00:00.000000Z (1000001)"
    assert on_both.get(keys.imported(USER.id, first.portfolio_id)) is None
    assert len(own(on_both).holdings.positions()) == 1


def test_the_digest_knows_what_is_shown_only(books: Books, tmp_path: Path) -> None:
    """Whether a book came at once, in parts, or with an import that was cut off in between."""
    started = digest(books.engine)
    take(books, make_ready(books, begin(books), tmp_path, fills(300, symbol="DOGE/EUR")), 1)
    assert digest(books.engine) == started
    bring(books, tmp_path, fills(200, strategy="grid"))
    once = digest(books.engine)
    assert once != started
    bring(books, tmp_path, fills(200, strategy="grid"), fills(50, first=900, symbol="ETH/EUR", strategy="trend"))
    assert digest(books.engine) not in (once, started)
    bring(books, tmp_path, fills(200, strategy="grid"))
    assert digest(books.engine) == once


def test_a_book_of_which_all_was_taken_back_is_shown_no_more(on_both: Books, tmp_path: Path) -> None:
    """A making of no statement: nothing takes the place of the one before, and the name is free again."""
    started = digest(on_both.engine), shown(on_both)
    first = bring(on_both, tmp_path, fills(20))
    gone = bring(on_both, tmp_path)
    assert (gone.replaced, gone.portfolio_uid) == (first.account_id, "")
    assert (digest(on_both.engine), shown(on_both)) == started
    assert [one.name for one in status(on_both.engine).portfolios] == ["main"]
    again = bring(on_both, tmp_path, fills(10))
    assert again.replaced == 0
    assert shown(on_both)["trades"] == 10


def test_the_import_that_finishes_first_counts(books: Books, tmp_path: Path) -> None:
    """The other one does not know what it brought."""
    slow, fast = begin(books), begin(books)
    slow_ready = make_ready(books, slow, tmp_path, fills(100))
    fast_ready = make_ready(books, fast, tmp_path, fills(50))
    take(books, slow_ready)
    take(books, fast_ready)
    finish(books, fast_ready)
    before = shown(books), counted(books)
    with pytest.raises(CommandRefused, match="another import of `old days` was finished since"):
        finish(books, slow_ready)
    assert (shown(books), counted(books)) == before
    assert before[0]["trades"] == 50


def test_two_ends_in_one_group_are_two_ends_one_after_the_other(on_both: Books, tmp_path: Path) -> None:
    """What the group has written binds the unit behind it, committed or not."""
    units = []
    for making, count in ((begin(on_both), 100), (begin(on_both), 50)):
        ready = make_ready(on_both, making, tmp_path, fills(count))
        take(on_both, ready)
        units.append(partial(imports.finish, user_id=USER.id, ending=ending(ready), actor="user:1", now=LATER))
    first, second = on_both.together(*units)
    assert first.portfolio_uid == "p-1000001"
    assert isinstance(second, CommandRefused)
    assert shown(on_both)["trades"] == 100


def test_the_desks_chain_tells_of_imports_and_of_what_was_cut_off(books: Books, tmp_path: Path) -> None:
    take(books, make_ready(books, begin(books), tmp_path, fills(300)), 1)
    bring(books, tmp_path, fills(10))
    told = notes(books)
    assert [action for action, _ in told] == ["CREATE", "CREATE", "UPDATE"]
    assert '"never_finished":"1000001"' in told[1][1]
    assert told[2][1] == '{"account":"1000002","instead_of":"0","portfolio":"old days","statements":"1"}'


# Whose, and under which name ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", " ", "x" * 65, " old", "old\n", "a\x1b[31m"])
def test_what_is_no_name_is_refused(books: Books, name: str) -> None:
    before = counted(books)
    with pytest.raises(Illegal, match="portfolio"):
        begin(books, name)
    assert counted(books) == before


def test_the_name_of_a_portfolio_that_is_traded_is_refused(books: Books) -> None:
    """Imported history beside the account that is traded, not in it."""

    savings = Portfolio(PortfolioId(2), "p-2", ACCOUNT.id, USER.id, "savings")
    books.write(lambda draft: accounts.write_portfolio(draft, savings))
    before = counted(books)
    with pytest.raises(CommandRefused, match="`savings` is traded at paper"):
        begin(books, "savings")
    assert counted(books) == before


def test_a_book_that_was_imported_before_the_desk_had_the_name_goes_on(books: Books, tmp_path: Path) -> None:
    """What is traded under it now is another account's."""
    bring(books, tmp_path, fills(5), name="savings")
    savings = Portfolio(PortfolioId(2), "p-2", ACCOUNT.id, USER.id, "savings")
    books.write(lambda draft: accounts.write_portfolio(draft, savings))
    bring(books, tmp_path, fills(9), name="savings")
    assert shown(books)["trades"] == 9


def test_anothers_import_is_as_one_that_was_never_begun(books: Books, tmp_path: Path) -> None:
    """Neither a chunk of it nor its end is anybody else's to say."""
    ready = make_ready(books, begin(books), tmp_path, fills(50))
    before = counted(books)
    eve = UserId(2)
    refusals = []
    for number in (ready.account_id, AccountId(1_000_777)):
        chunk = replace(chunk_of(ready, 1), account_id=number, pieces=())
        end = replace(ending(ready), account_id=number)
        for unit in (
            partial(imports.take, user_id=eve, chunk=chunk),
            partial(imports.finish, user_id=eve, ending=end, actor="user:2", now=LATER),
        ):
            with pytest.raises(CommandRefused) as refused:
                books.write(unit)
            refusals.append(str(refused.value))
    assert set(refusals) == {"import_unknown: no import of this number was begun"}
    assert counted(books) == before


def test_an_account_that_trades_is_no_making(books: Books) -> None:
    with pytest.raises(CommandRefused, match="no import of this number"):
        books.write(partial(imports._making, user_id=USER.id, account_id=ACCOUNT.id))


def test_nobody_imports_for_somebody_who_is_not_there(books: Books) -> None:
    before = counted(books)
    for unit in (
        partial(imports.begin, wish=Begin(UserId(9), "x", "EUR", "a", "p"), actor="user:9", now=LATER),
        partial(imports.know_strategies, user_id=UserId(9), names={"x": "u"}, now=LATER),
    ):
        with pytest.raises(CommandRefused, match="there is nobody"):
            books.write(unit)
    assert counted(books) == before


# What it names --------------------------------------------------------------------------------------------------------


def test_instruments_are_found_or_made_and_never_traded(books: Books) -> None:
    first, second = know(books, BTC, traded("ETH/EUR")), know(books, BTC, traded("BTC/EUR", "bitstamp"))
    assert first[VENUE, "BTC/EUR"] == second[VENUE, "BTC/EUR"]
    numbers = {one.id for one in (*first.values(), *second.values())}
    assert numbers == {IMPORTED_BEHIND + 1, IMPORTED_BEHIND + 2, IMPORTED_BEHIND + 3}
    assert not any(books.get(keys.instrument(number)).tradable for number in numbers)
    assert books.get(keys.instrument(SPOT.id)).tradable


@pytest.mark.parametrize("venue", ["paper", "paper-synthetic", "", "a\nb", "x" * 65])
def test_a_venue_of_the_desks_own_is_refused(books: Books, venue: str) -> None:
    """Its instruments are priced and traded under their numbers."""
    before = counted(books)
    with pytest.raises(Illegal, match="venue"):
        know(books, traded("BTC/EUR", venue))
    assert counted(books) == before


def test_an_instrument_that_counts_otherwise_is_refused(books: Books) -> None:
    """Positions that are there were folded with what it counted then."""
    know(books, traded("BTC/EUR:EUR"))
    before = counted(books)
    with pytest.raises(Illegal, match="it is known as PERPETUAL of 1 settled in EUR; name another venue"):
        know(books, replace(traded("BTC/EUR:EUR"), multiplier=D(10)))
    with pytest.raises(Illegal, match="PERPETUAL of 1 settled in EUR inverse"):
        know(books, replace(traded("BTC/EUR:EUR"), inverse=True))
    assert counted(books) == before


# A file that is none --------------------------------------------------------------------------------------------------


def test_a_file_that_is_gone_writes_nothing(on_both: Books, tmp_path: Path) -> None:
    """Nor one that somebody cut, or that is another's; neighbours in the group lose nothing."""
    ready = make_ready(on_both, begin(on_both), tmp_path, fills(300))
    chunk = chunk_of(ready, 1)
    before = counted(on_both)
    ready.path.rename(tmp_path / "away")
    with pytest.raises(NotReady, match="import again"):
        ready_in(ready.path)
    unit = partial(imports.take, user_id=USER.id, chunk=chunk)
    refused, kept = on_both.together(
        unit, lambda draft: imports.begin(draft, Begin(USER.id, "b", "EUR", "a", "p"), "user:1", LATER)
    )
    assert isinstance(refused, StoreFailed)
    assert isinstance(kept, Making)
    ready.path.write_bytes(b"no database at all, but as long as a page of one" * 100)
    with pytest.raises(StoreFailed, match="not a database"):
        on_both.write(unit)
    ready.path.unlink()
    with closing(sqlite3.connect(ready.path)) as other:
        other.execute("CREATE TABLE trades (account_id)")
    with pytest.raises(StoreFailed, match="no such column"):
        on_both.write(unit)
    assert counted(on_both) == {**before, "accounts": 3, "portfolios": 3, "audit_log": before["audit_log"] + 1}
    (tmp_path / "away").replace(ready.path)
    take(on_both, ready)
    finish(on_both, ready)


def test_a_file_with_too_few_rows_or_rows_of_another_writes_nothing(on_both: Books, tmp_path: Path) -> None:
    ready = make_ready(on_both, begin(on_both), tmp_path, fills(300))
    before = counted(on_both)
    for change in ("UPDATE trades SET account_id = 1 WHERE rowid = 7", "DELETE FROM trades WHERE rowid = 7"):
        with closing(sqlite3.connect(ready.path)) as file:
            file.execute(change)
            file.commit()
        with pytest.raises(StoreFailed, match=r"it has .* of them; import again"):
            take(on_both, ready, 1)
        assert counted(on_both) == before


def test_a_file_that_offers_more_than_a_making_is_refused(books: Books, tmp_path: Path) -> None:
    """Nobody writes himself a session, or rows of the account that trades."""
    ready = make_ready(books, begin(books), tmp_path, fills(50))
    chunk = chunk_of(ready, 1)
    before = counted(books)
    for piece in (replace(chunk.pieces[0], table="users"), replace(chunk.pieces[0], owner=ACCOUNT.id)):
        with pytest.raises(Illegal, match="this is no making of ours"):
            books.write(partial(imports.take, user_id=USER.id, chunk=replace(chunk, pieces=(piece,))))
    take(books, ready)
    theirs = replace(ending(ready), statements=tuple((ACCOUNT.id, *row[1:]) for row in ready.statements))
    with pytest.raises(Illegal, match="another making"):
        books.write(partial(imports.finish, user_id=USER.id, ending=theirs, actor="user:1", now=LATER))
    assert {**counted(books), "audit_log": 0} != before
    assert rows(books, "imports") == 0


# What would be found --------------------------------------------------------------------------------------------------


def sqlite_books(tmp_path: Path) -> tuple[SqlitePlace, Books]:

    place = SqlitePlace(tmp_path / "desk.db")
    create_from_template(place.path)
    return place, Books(writer(place, metadata, queries.compiled()), reader(place)).open()


def by_hand(place: SqlitePlace, *changes: str) -> VerifyReport:
    """Change the file behind the desk's back, and prove it."""
    with closing(sqlite3.connect(place.path)) as file:
        for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            file.execute(f"DROP TRIGGER {name}")
        for change in changes:
            file.execute(change)
        file.commit()
    return verify(place, CHAIN_KEY, None)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("DELETE FROM trades WHERE account_id = 1000001 AND id = 7", "missing_fact"),
        ("DELETE FROM trades WHERE account_id = 1 AND id = 1", "missing_fact"),
        ("UPDATE trades SET price = '1' WHERE account_id = 1000001 AND id = 7", "broken_link"),
        ("UPDATE positions SET cost = '1' WHERE account_id = 1000001", "position_not_fold"),
        ("UPDATE balances SET amount = '1' WHERE account_id = 1000001 AND asset = 'EUR'", "balance_not_fold"),
        ("UPDATE accounts SET broker = 'statement', deleted_at = '2022-01-21T12:00:00.000000Z' WHERE id = 1", ""),
    ],
)
def test_what_was_changed_behind_the_desks_back_is_found(tmp_path: Path, change: str, code: str) -> None:
    """In an imported book as in every other; and to call one's own account imported hides nothing of it."""
    place, books = sqlite_books(tmp_path)
    books.book(buy(SPOT, "1", "100"), buy(SPOT, "1", "100", 2))
    bring(books, tmp_path, fills(20))
    books.close()
    changes = [change] if code else [change, "UPDATE positions SET cost = '1' WHERE account_id = 1"]
    found = {finding.code for finding in by_hand(place, *changes).findings} - {"unguarded_facts"}
    assert (code or "position_not_fold") in found


def test_a_replaced_book_is_still_proven(tmp_path: Path) -> None:
    place, books = sqlite_books(tmp_path)
    bring(books, tmp_path, fills(20))
    bring(books, tmp_path, fills(30))
    books.close()
    found = by_hand(place, "UPDATE positions SET cost = '1' WHERE account_id = 1000001").findings
    assert "position_not_fold" in {finding.code for finding in found}


def test_a_history_is_told_of_what_is_shown(books: Books, tmp_path: Path) -> None:
    """One position of the name, whatever was made and replaced before."""
    bring(books, tmp_path, fills(20))
    take(books, make_ready(books, begin(books), tmp_path, fills(30)))
    second = bring(books, tmp_path, fills(30))
    with books.engine.connect() as connection:
        found = find_position(connection, ["old days", "BTC/EUR"])
    assert found.position.account_id == second.account_id
    assert found.account == "old days (imported)"


def test_memory_has_no_position_of_an_imported_book(books: Books, tmp_path: Path) -> None:
    """It may be large, and nothing that trades asks for it; who reads, reads it where it lies."""
    done = bring(books, tmp_path, [paid_in(1), *fills(20)])
    assert books.scribe.hot.shelf(keys.POSITION, done.account_id) == []
    assert books.scribe.hot.shelf(keys.BALANCE, done.account_id) == []
    amounts = {held.asset: held.amount for held in own(books).holdings.balances()}
    assert amounts == {"BTC": D("4"), "EUR": D("588.5")}
    assert [held.quantity for held in own(books).holdings.positions()] == [D("4")]


def test_nothing_is_shown_to_anybody_else(books: Books, tmp_path: Path) -> None:
    bring(books, tmp_path, [paid_in(1), *fills(20)])
    assert shown(books, UserId(2)) == {"trades": 0, "cash_lines": 0, "positions": 0, "balances": 0}


def test_a_proof_looks_each_trade_up_by_its_own_name(books: Books, tmp_path: Path) -> None:
    """A million trades that name no order: by the account alone, each would be looked for among all of them."""
    bring(books, tmp_path, fills(5))
    asked = orders_proof._fills().compile(dialect=sqlite_dialect.dialect())
    bound = tuple(asked.params[name] for name in asked.positiontup or ())
    with books.engine.connect() as connection:
        steps = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked}", bound)
        (found,) = [str(step[3]) for step in steps if "trades_1" in str(step[3])]
    assert "INDEX sqlite_autoindex_trades_2 (account_id=? AND instrument_id=? AND broker_trade_id=?" in found
