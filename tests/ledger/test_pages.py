"""History a page at a time: everything once, nothing of anybody else, and a curve that keeps its troughs."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.ledger import accounts, guarding, pages
from plimsoll.ledger.log import Note, write_note
from plimsoll.model.account import Account, Mode, Portfolio
from plimsoll.model.errors import Illegal
from plimsoll.model.ids import AccountId, PortfolioId
from plimsoll.model.order import OrderEvent, Side
from plimsoll.risk.guards.drawdown import Episode, GuardStatus
from plimsoll.risk.guards.reading import Reading
from plimsoll.store.draft import Draft
from tests.builders.ledger import ACCOUNT, MAIN, NOON, PERPETUAL, SPOT, USER, Books, books_in_memory, buy

D = Decimal
MINE = {ACCOUNT.id: frozenset({MAIN.id})}
ELSEWHERE = {ACCOUNT.id: frozenset({PortfolioId(99)})}


@pytest.fixture
def books() -> Iterator[Books]:
    """Seven orders: the even ones ended, the third of a perpetual, the first filled in two."""
    made = books_in_memory().open()
    for number in range(1, 8):
        order = made.place(f"k{number}", PERPETUAL if number == 3 else SPOT, Side.BUY, "2")
        if number == 1:
            for fill in (1, 2):
                made.book(buy(SPOT, "1", "100", fill, client_order_id=order.client_order_id))
        elif number % 2 == 0:
            made.hear(order, OrderEvent.CANCELED)
    yield made
    made.close()


def all_pages(books: Books, limit: int, **said: object) -> list[str]:
    """Read page after page; give the orders' ids as they came."""
    seen: list[str] = []
    below: pages.Below = {}
    while True:
        page = pages.order_page(books.engine, MINE, below=below, limit=limit, **said)  # type: ignore[arg-type]
        assert len(page.items) <= limit
        seen += [order.uid for order in page.items]
        if page.below is None:
            return seen
        below = pages.parse_cursor(pages.cursor_text(page.below))


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_pages_of_any_size_show_every_order_once(books: Books, limit: int) -> None:
    """Newest first, each once, and the last page says that it is the last."""
    assert all_pages(books, limit) == [f"o-k{number}" for number in range(7, 0, -1)]


def test_what_is_written_meanwhile_moves_no_page(books: Books) -> None:
    """A new order appears on a new first page and shifts nothing behind it."""
    first = pages.order_page(books.engine, MINE, below={}, limit=3)
    books.place("k8", SPOT, Side.BUY, "1")
    assert first.below is not None
    second = pages.order_page(books.engine, MINE, below=first.below, limit=3)
    assert [order.uid for order in second.items] == ["o-k4", "o-k3", "o-k2"]


def test_orders_are_chosen_by_end_and_instrument(books: Books) -> None:
    """Ended ones only, or of some instruments only; both together may be none."""
    assert all_pages(books, 2, ended_only=True) == ["o-k6", "o-k4", "o-k2", "o-k1"]
    assert all_pages(books, 2, instruments=[PERPETUAL.id]) == ["o-k3"]
    assert all_pages(books, 2, ended_only=True, instruments=[PERPETUAL.id]) == []
    assert all_pages(books, 2, instruments=[]) == []


def test_another_portfolio_sees_nothing(books: Books) -> None:
    """Neither the list, nor an order by its id, nor its fills; and nobody at all sees anything without an account."""
    for within in (ELSEWHERE, {}, {AccountId(2): frozenset({MAIN.id})}):
        assert pages.order_page(books.engine, within, below={}, limit=10).items == ()
        assert pages.fill_page(books.engine, within, below={}, limit=10).items == ()
        assert pages.find_order(books.engine, within, "o-k1") is None
    found = pages.find_order(books.engine, MINE, "o-k1")
    assert found is not None
    assert found.client_order_id
    assert pages.find_order(books.engine, MINE, "o-k99") is None


def test_a_foreign_cursor_shows_nothing_foreign(books: Books) -> None:
    """A place in somebody else's rows says nothing about ours."""
    page = pages.order_page(books.engine, MINE, below={AccountId(2): 1}, limit=100)
    assert len(page.items) == 7


def test_fills_name_their_order_and_are_added_up_by_it(books: Books) -> None:
    """Newest first in the list, oldest first for one order; a fill of no order of ours names none."""
    books.book(buy(PERPETUAL, "1", "90", 9))
    listed = pages.fill_page(books.engine, MINE, below={}, limit=2)
    assert [(fill.trade.report.broker_trade_id, fill.order_uid) for fill in listed.items] == [
        ("t9", None),
        ("t2", "o-k1"),
    ]
    assert listed.below is not None
    rest = pages.fill_page(books.engine, MINE, below=listed.below, limit=2, instruments=[SPOT.id])
    assert [fill.trade.report.broker_trade_id for fill in rest.items] == ["t1"]
    order = pages.find_order(books.engine, MINE, "o-k1")
    assert order is not None
    fills = pages.fills_of(books.engine, order)
    assert [fill.trade.report.quantity for fill in fills] == [D(1), D(1)]
    assert pages.fills_of(books.engine, order, above=fills[0].id) == fills[1:]


def test_two_accounts_are_read_as_one_list() -> None:
    """Each account has numbers of its own; the pages go through both by time, and lose none."""
    books = books_in_memory().open()
    second = Account(AccountId(2), "a-2", USER.id, "other", "paper", Mode.PAPER, "USDT", "replay", "standard")
    other = Portfolio(PortfolioId(2), "p-2", second.id, USER.id, "main")

    def opening(draft: Draft) -> None:
        accounts.write_account(draft, second)
        accounts.write_portfolio(draft, other)
        write_note(draft, Note(second.id, "user:1", "CREATE", "ACCOUNT", second.uid, NOON, {}))

    books.write(opening)
    for number in range(1, 6):
        books.place(f"k{number}", SPOT, Side.BUY, "1")
    both = {**MINE, second.id: frozenset({other.id})}
    seen: list[str] = []
    below: pages.Below = {}
    for _ in count():
        page = pages.order_page(books.engine, both, below=below, limit=2)
        seen += [order.uid for order in page.items]
        if page.below is None:
            break
        below = page.below
    assert sorted(seen) == [f"o-k{number}" for number in range(1, 6)]
    books.close()


@pytest.mark.parametrize("text", ["", "1", "1-", "a-1", "1-1.", "1--1", "1-1,2-2", "1-" + "9" * 30, "١-1"])
def test_a_cursor_that_is_none_is_refused_by_name(text: str) -> None:
    """It names itself and says what to pass."""
    with pytest.raises(Illegal) as refused:
        pages.parse_cursor(text)
    assert refused.value.field == "cursor"


def snapshots(books: Books, worths: list[int]) -> None:
    """Write a minute's reading for each value."""

    def unit(draft: Draft) -> None:
        peak = 0
        for number, worth in enumerate(worths):
            peak = max(peak, worth)
            at = NOON + timedelta(minutes=number)
            reading = Reading(at, D(worth), D(worth), D(peak), confirmed=True)
            guarding.write_snapshot(draft, ACCOUNT.id, reading)

    books.write(unit)


@given(st.lists(st.integers(1, 1_000), min_size=1, max_size=300), st.integers(2, 60))
def test_a_thinned_curve_keeps_its_ends_its_peak_and_its_trough(worths: list[int], points: int) -> None:
    """At most so many points, in order, each as it was stored; from five on, highest and lowest are among them."""
    rows = [(str(number), str(worth), "1", "1", str(1_000 - worth)) for number, worth in enumerate(worths)]
    chosen = pages.thinned(rows, points)
    assert len(chosen) <= points
    assert chosen == sorted(chosen, key=lambda row: int(row[0]))
    assert set(chosen) <= set(rows)
    assert (chosen[0], chosen[-1]) == (rows[0], rows[-1])
    if points >= 5:
        told = [int(row[1]) for row in chosen]
        assert (max(told), min(told)) == (max(worths), min(worths))


def test_equity_is_told_between_two_times_of_any_zone() -> None:
    """Both ends count; another account's curve is empty."""
    books = books_in_memory().open()
    snapshots(books, [100, 120, 90, 110])
    whole = pages.equity(books.engine, ACCOUNT.id, since=None, until=None, points=100)
    assert [point.equity for point in whole] == [D(100), D(120), D(90), D(110)]
    assert whole[2].drawdown == D("0.25")
    paris = timezone(timedelta(hours=1))
    since = datetime(2022, 1, 21, 13, 1, tzinfo=paris)
    part = pages.equity(books.engine, ACCOUNT.id, since=since, until=NOON + timedelta(minutes=2), points=100)
    assert [point.at for point in part] == [NOON + timedelta(minutes=1), NOON + timedelta(minutes=2)]
    assert part[0].at.tzinfo is UTC
    assert pages.equity(books.engine, AccountId(2), since=None, until=None, points=100) == ()
    books.close()


def test_guard_episodes_are_their_owners() -> None:
    """Newest first; those of other accounts are not there, and a guard that never warned has none."""
    books = books_in_memory().open()

    def unit(draft: Draft) -> None:
        for number in (1, 2):
            at = NOON + timedelta(hours=number)
            episode = Episode(number, GuardStatus.WARNED, "warning", at, at, drawdown=D("0.16"), equity=D(840))
            guarding.write_episode(draft, ACCOUNT.id, guarding.DRAWDOWN, episode, D("0.15"))

    books.write(unit)
    told = pages.guard_episodes(books.engine, [ACCOUNT.id])
    assert [(one.number, one.status, one.line, one.drawdown) for one in told] == [
        (2, "WARNED", "warning", D("0.16")),
        (1, "WARNED", "warning", D("0.16")),
    ]
    assert pages.guard_episodes(books.engine, [AccountId(2)]) == ()
    assert pages.guard_episodes(books.engine, []) == ()
    books.close()


@given(st.lists(st.lists(st.integers(0, 50), max_size=12), min_size=1, max_size=3), st.integers(1, 9))
def test_pages_over_several_accounts_lose_nothing_and_repeat_nothing(times: list[list[int]], limit: int) -> None:
    """Whatever the hours say, a clock that was set back included: where a page ends is told by numbers."""
    rows = {
        AccountId(account): [(AccountId(account), number, NOON + timedelta(seconds=at)) for number, at in enumerate(of)]
        for account, of in enumerate(times, start=1)
    }
    seen = []
    below: pages.Below = {}
    while True:
        lists = [
            [row for row in reversed(of) if account not in below or row[1] < below[account]][: limit + 1]
            for account, of in rows.items()
        ]
        page = pages.page_of(lists, below, limit, at=lambda row: row[2], place=lambda row: (row[0], row[1]))
        seen += list(page.items)
        if page.below is None:
            break
        below = page.below
    assert sorted(seen) == sorted(row for of in rows.values() for row in of)
