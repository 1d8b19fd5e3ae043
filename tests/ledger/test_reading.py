"""History a page at a time: everything once, nothing of anybody else, and a curve that keeps its troughs."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from functools import partial
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, create_engine

from plimsoll.ledger import accounts, guarding
from plimsoll.ledger.log import Note, write_note
from plimsoll.ledger.reading.curve import chosen
from plimsoll.ledger.reading.earnings import By, Of
from plimsoll.ledger.reading.paging import Below, cursor_text, page_of, parse_cursor
from plimsoll.ledger.reading.reader import Own, Reader
from plimsoll.model.account import Account, Halt, Mode, Portfolio, Scope, TradingState
from plimsoll.model.asker import Asker
from plimsoll.model.cash import CashKind
from plimsoll.model.errors import Illegal
from plimsoll.model.ids import AccountId, PortfolioId, UserId
from plimsoll.model.order import OrderEvent, Side
from plimsoll.risk.guards.drawdown import Episode, GuardStatus
from plimsoll.risk.guards.reading import Reading
from plimsoll.store.connection import StoreFailed
from plimsoll.store.draft import Draft
from plimsoll.store.place import Place, people_reader
from tests.builders.ledger import (
    ACCOUNT,
    INVERSE,
    MAIN,
    NOON,
    PERPETUAL,
    SPOT,
    USER,
    Books,
    books_in_memory,
    buy,
    paying,
    refusing,
    sell,
)
from tests.builders.places import books_in

D = Decimal
NOBODY: Below = {}
OTHER = Asker(UserId(2))
#: A token of the owner's that may touch none of his portfolios.
ELSEWHERE = Asker(USER.id, frozenset({PortfolioId(99)}))


def own(books: Books) -> Own:
    """Ask as the owner."""
    return Reader(books.engine).of(Asker(USER.id))


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
    below: Below = {}
    while True:
        page = own(books).orders.page(below=below, limit=limit, **said)  # type: ignore[arg-type]
        assert len(page.items) <= limit
        seen += [order.uid for order in page.items]
        if page.below is None:
            return seen
        below = parse_cursor(cursor_text(page.below))


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_pages_of_any_size_show_every_order_once(books: Books, limit: int) -> None:
    """Newest first, each once, and the last page says that it is the last."""
    assert all_pages(books, limit) == [f"o-k{number}" for number in range(7, 0, -1)]


def test_what_is_written_meanwhile_moves_no_page(books: Books) -> None:
    """A new order appears on a new first page and shifts nothing behind it."""
    first = own(books).orders.page(below={}, limit=3)
    books.place("k8", SPOT, Side.BUY, "1")
    assert first.below is not None
    second = own(books).orders.page(below=first.below, limit=3)
    assert [order.uid for order in second.items] == ["o-k4", "o-k3", "o-k2"]


def test_orders_are_chosen_by_end_and_instrument(books: Books) -> None:
    """Ended ones only, or of some instruments only; both together may be none."""
    assert all_pages(books, 2, ended_only=True) == ["o-k6", "o-k4", "o-k2", "o-k1"]
    assert all_pages(books, 2, instruments=[PERPETUAL.id]) == ["o-k3"]
    assert all_pages(books, 2, ended_only=True, instruments=[PERPETUAL.id]) == []
    assert all_pages(books, 2, instruments=[]) == []


@pytest.mark.parametrize("asker", [OTHER, ELSEWHERE, Asker(USER.id, frozenset())])
def test_another_person_or_token_sees_nothing(books: Books, asker: Asker) -> None:
    """Neither the list, nor an order by its id, nor its fills."""
    order = own(books).orders.one("o-k1")
    assert order is not None
    his = Reader(books.engine).of(asker)
    assert his.orders.page(below={}, limit=10).items == ()
    assert his.orders.fills(below={}, limit=10).items == ()
    assert his.orders.one("o-k1") is None
    assert his.orders.fills_of(order) == ()
    assert own(books).orders.one("o-k99") is None


def test_a_foreign_cursor_shows_nothing_foreign(books: Books) -> None:
    """A place in somebody else's rows says nothing about ours."""
    page = own(books).orders.page(below={AccountId(2): 1}, limit=100)
    assert len(page.items) == 7


def test_fills_name_their_order_and_are_added_up_by_it(books: Books) -> None:
    """Newest first in the list, oldest first for one order; a fill of no order of ours names none."""
    books.book(buy(PERPETUAL, "1", "90", 9))
    listed = own(books).orders.fills(below={}, limit=2)
    assert [(fill.trade.report.broker_trade_id, fill.order_uid) for fill in listed.items] == [
        ("t9", None),
        ("t2", "o-k1"),
    ]
    assert listed.below is not None
    rest = own(books).orders.fills(below=listed.below, limit=2, instruments=[SPOT.id])
    assert [fill.trade.report.broker_trade_id for fill in rest.items] == ["t1"]
    order = own(books).orders.one("o-k1")
    assert order is not None
    fills = own(books).orders.fills_of(order)
    assert [fill.trade.report.quantity for fill in fills] == [D(1), D(1)]
    assert own(books).orders.fills_of(order, above=fills[0].id) == fills[1:]


def open_another_account(books: Books, number: int, asker: UserId) -> Portfolio:
    """Open an account with a portfolio `main`."""
    account = Account(
        AccountId(number), f"a-{number}", asker, f"nr {number}", "paper", Mode.PAPER, "USDT", "replay", "standard"
    )
    portfolio = Portfolio(PortfolioId(number), f"p-{number}", account.id, asker, "main")

    def opening(draft: Draft) -> None:
        accounts.write_account(draft, account)
        accounts.write_portfolio(draft, portfolio)
        write_note(draft, Note(account.id, "user:1", "CREATE", "ACCOUNT", account.uid, NOON, {}))

    books.write(opening)
    return portfolio


def test_two_accounts_are_read_as_one_list() -> None:
    """Each account has numbers of its own; the pages go through both by time, and lose none."""
    books = books_in_memory().open()
    open_another_account(books, 2, USER.id)
    for number in range(1, 6):
        books.place(f"k{number}", SPOT, Side.BUY, "1")
    seen: list[str] = []
    below: Below = {}
    for _ in count():
        page = own(books).orders.page(below=below, limit=2)
        seen += [order.uid for order in page.items]
        if page.below is None:
            break
        below = page.below
    assert sorted(seen) == [f"o-k{number}" for number in range(1, 6)]
    notes = own(books).watch.notes(below={}, limit=100).items
    assert {note.account_id for note in notes} == {1, 2}
    assert [note.account_id for note in own(books).watch.notes(below={}, limit=100, of=AccountId(2)).items] == [2]
    books.close()


@pytest.mark.parametrize("text", ["", "1", "1-", "a-1", "1-1.", "1--1", "1-1,2-2", "1-" + "9" * 30, "١-1"])
def test_a_cursor_that_is_none_is_refused_by_name(text: str) -> None:
    """It names itself and says what to pass."""
    with pytest.raises(Illegal) as refused:
        parse_cursor(text)
    assert refused.value.field == "cursor"


# Equity ---------------------------------------------------------------------------------------------------------------


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


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(1, 1_000)), min_size=1, max_size=300), st.integers(2, 60))
def test_a_thinned_curve_keeps_its_ends_its_peak_and_its_trough(steps: list[tuple[int, int]], points: int) -> None:
    """At most so many points, the ends among them; from five on, highest and lowest and the deepest drawdown too."""
    number, rows = 0, []
    for step, worth in steps:
        number += step
        rows.append((number, float(worth), 1_000.0 - worth))
    first, last = rows[0][0], rows[-1][0]
    told = {row[0]: row for row in rows if row[0] in chosen(rows, first, last, points)}
    assert len(told) <= points
    assert {first, last} <= told.keys()
    if points >= 5:
        worths = [worth for _step, worth in steps]
        assert (max(row[1] for row in told.values()), min(row[1] for row in told.values())) == (
            max(worths),
            min(worths),
        )
        assert max(row[2] for row in told.values()) == 1_000 - min(worths)


def test_a_long_curve_is_told_in_few_points_in_the_order_of_time(place: Place) -> None:
    """On both engines: its trough and its peak are among them, and each is the very number that was stored."""
    books, engine = books_in(place).open(), people_reader(place)
    worths = [1_000 + number % 7 for number in range(200)]
    worths[77], worths[133] = 400, 1_900
    snapshots(books, worths)
    his = Reader(engine).of(Asker(USER.id))
    curve = his.curve.equity(ACCOUNT.id, since=None, until=None, points=20)
    assert 5 <= len(curve) <= 20
    assert [point.at for point in curve] == sorted(point.at for point in curve)
    assert {D(400), D(1_900)} <= {point.equity for point in curve}
    assert (curve[0].at, curve[-1].at) == (NOON, NOON + timedelta(minutes=199))
    assert len(his.curve.equity(ACCOUNT.id, since=None, until=None, points=200)) == 200
    part = his.curve.equity(ACCOUNT.id, since=NOON + timedelta(minutes=100), until=None, points=20)
    assert (part[0].at, part[-1].at) == (NOON + timedelta(minutes=100), NOON + timedelta(minutes=199))
    assert Reader(engine).of(OTHER).curve.equity(ACCOUNT.id, since=None, until=None, points=20) == ()
    books.close()
    engine.dispose()


def test_equity_is_told_between_two_times_of_any_zone() -> None:
    """Both ends count; another account's curve is empty."""
    books = books_in_memory().open()
    snapshots(books, [100, 120, 90, 110])
    whole = own(books).curve.equity(ACCOUNT.id, since=None, until=None, points=100)
    assert [point.equity for point in whole] == [D(100), D(120), D(90), D(110)]
    assert whole[2].drawdown == D("0.25")
    paris = timezone(timedelta(hours=1))
    since = datetime(2022, 1, 21, 13, 1, tzinfo=paris)
    part = own(books).curve.equity(ACCOUNT.id, since=since, until=NOON + timedelta(minutes=2), points=100)
    assert [point.at for point in part] == [NOON + timedelta(minutes=1), NOON + timedelta(minutes=2)]
    assert part[0].at.tzinfo is UTC
    for asker, account in ((Asker(USER.id), AccountId(2)), (OTHER, ACCOUNT.id), (ELSEWHERE, ACCOUNT.id)):
        his = Reader(books.engine).of(asker)
        assert his.curve.equity(account, since=None, until=None, points=100) == ()
    books.close()


# What was earned ------------------------------------------------------------------------------------------------------


def test_a_month_is_told_by_what_is_asked_for_and_adds_up() -> None:
    """Profit and fees of each day; in every telling the same sum, and what is in another currency stands apart."""
    books = books_in_memory().open()
    tomorrow = NOON + timedelta(days=1)
    books.book(
        buy(PERPETUAL, "1", "100", 1, fee=D("0.5")),
        sell(PERPETUAL, "1", "130", 2, fee=D("0.25"), exec_time=tomorrow),
        buy(SPOT, "1", "100", 3, fee=D("0.01"), fee_currency="BNB"),
        buy(INVERSE, "100", "50000", 4),
    )
    day = date(2022, 1, 21)
    earned = partial(own(books).earnings.earned, since=day, until=day + timedelta(days=1))
    by_day = earned(By.DAY)
    assert [(one.of.time, one.currency, one.move.realized, one.move.trade_count) for one in by_day] == [
        ("2022-01-21", "BTC", D(0), 1),
        ("2022-01-21", "USDT", D(0), 2),
        ("2022-01-22", "USDT", D(30), 1),
    ]
    assert by_day[1].move.fees == (("BNB", D("0.01")), ("USDT", D("0.5")))
    (month,) = (one for one in earned(By.MONTH) if one.currency == "USDT")
    assert (month.of.time, month.move.realized, month.move.trade_count) == ("2022-01", D(30), 3)
    assert [one.of.instrument_id for one in earned(By.INSTRUMENT)] == [SPOT.id, PERPETUAL.id, INVERSE.id]
    perpetual = [PERPETUAL.id]
    assert earned(By.PORTFOLIO, instruments=perpetual)[0].of == Of(portfolio_id=MAIN.id)
    assert earned(By.STRATEGY, instruments=perpetual)[0].move.realized == D(30)
    assert earned(By.DAY, until=day, instruments=perpetual)[0].move.realized == D(0)
    assert earned(By.DAY, among=[PortfolioId(99)]) == ()
    assert earned(By.DAY, since=day + timedelta(days=2), until=day + timedelta(days=9)) == ()
    assert Reader(books.engine).of(OTHER).earnings.earned(By.DAY, since=day, until=day) == ()
    books.close()


# What there is, and what watches --------------------------------------------------------------------------------------


def test_holdings_are_told_by_portfolio_and_lines_by_kind(books: Books) -> None:
    """Balances and positions as memory has them; lines newest first, of one kind where one is named."""
    books.write(paying("1000", "first"))
    books.write(paying("500", "second"))
    holdings = own(books).holdings
    usdt = next(one for one in holdings.balances() if one.asset == "USDT")
    assert usdt.amount == books.balance("spot", "USDT")
    assert holdings.positions() == (books.position(SPOT),)
    assert holdings.positions(among=[PortfolioId(99)]) == ()
    deposits = holdings.cash_lines(below={}, limit=1, kind=CashKind.DEPOSIT)
    assert [line.line.reference for line in deposits.items] == ["second"]
    assert deposits.below is not None
    rest = holdings.cash_lines(below=deposits.below, limit=9, kind=CashKind.DEPOSIT)
    assert [(line.line.reference, line.line.amount) for line in rest.items] == [("first", D(1000))]
    assert len(holdings.cash_lines(below={}, limit=99).items) > 2


def test_guard_episodes_are_their_owners() -> None:
    """Newest first; those of other accounts are not there, and a guard that never warned has none."""
    books = books_in_memory().open()

    def unit(draft: Draft) -> None:
        for number in (1, 2):
            at = NOON + timedelta(hours=number)
            episode = Episode(number, GuardStatus.WARNED, "warning", at, at, drawdown=D("0.16"), equity=D(840))
            guarding.write_episode(draft, ACCOUNT.id, guarding.DRAWDOWN, episode, D("0.15"))

    books.write(unit)
    told = own(books).watch.guard_episodes()
    assert [(one.number, one.status, one.line, one.drawdown) for one in told] == [
        (2, "WARNED", "warning", D("0.16")),
        (1, "WARNED", "warning", D("0.16")),
    ]
    assert Reader(books.engine).of(OTHER).watch.guard_episodes() == ()
    assert Reader(books.engine).of(ELSEWHERE).watch.guard_episodes() == ()
    books.close()


def test_what_binds_somebody_is_the_desks_and_his_own() -> None:
    """Halts and policies over the desk, himself, his account and portfolio; another's, and a lifted one, are not."""
    books = books_in_memory().open()

    def unit(draft: Draft) -> None:
        for scope, number in ((Scope.DESK, 0), (Scope.USER, 1), (Scope.ACCOUNT, 1), (Scope.PORTFOLIO, 1)):
            accounts.write_halt(draft, Halt(scope, number, "user:1", TradingState.HALTED, "because"), NOON)
        for scope, number in ((Scope.USER, 2), (Scope.ACCOUNT, 2), (Scope.PORTFOLIO, 2), (Scope.STRATEGY, 2)):
            accounts.write_halt(draft, Halt(scope, number, "user:2", TradingState.HALTED, "because"), NOON)
        accounts.write_halt(draft, Halt(Scope.ACCOUNT, 1, "guard", TradingState.ACTIVE, ""), NOON)
        accounts.write_policy(draft, ACCOUNT.id, {"max_order_value": "5", "max_leverage": None}, 1)
        accounts.write_policy(draft, AccountId(2), {"max_order_value": "9"}, 1)

    books.write(unit)
    watch = own(books).watch
    assert {halt.scope for halt in watch.halts()} == {Scope.DESK, Scope.USER, Scope.ACCOUNT, Scope.PORTFOLIO}
    assert all(halt.source == "user:1" for halt in watch.halts())
    (policy,) = watch.policies()
    assert (policy.version, policy.config) == (1, (("max_leverage", None), ("max_order_value", "5")))
    narrow = Reader(books.engine).of(Asker(USER.id, frozenset({MAIN.id})))
    assert {halt.scope for halt in narrow.watch.halts()} == {Scope.DESK, Scope.ACCOUNT, Scope.PORTFOLIO}
    books.close()


def test_refusals_notes_and_events_are_told_newest_first(books: Books) -> None:
    """A breach with what stood in its way; each note and event once over the pages."""
    books.write(refusing("no"))
    watch = own(books).watch
    (breach,) = watch.breaches(below={}, limit=10).items
    assert (breach.action, breach.intent_key) == ("BLOCKED", "no")
    assert "too_large" in breach.details
    for ask in (watch.notes, watch.events):
        whole = ask(below={}, limit=500)
        assert whole.below is None
        first = ask(below={}, limit=3)
        assert first.below is not None
        assert (*first.items, *ask(below=first.below, limit=500).items) == whole.items
    assert watch.notes(below={}, limit=500, of=AccountId(9)).items == ()


def test_a_book_that_cannot_be_read_says_so(tmp_path: object) -> None:
    """A failure of the database is the store's, whatever the driver calls it."""
    engine: Engine = create_engine(f"sqlite:///{tmp_path}/no such folder/desk.db")
    with pytest.raises(StoreFailed, match="cannot read the book"):
        Reader(engine).of(Asker(USER.id)).holdings.balances()


@given(st.lists(st.lists(st.integers(0, 50), max_size=12), min_size=1, max_size=3), st.integers(1, 9))
def test_pages_over_several_accounts_lose_nothing_and_repeat_nothing(times: list[list[int]], limit: int) -> None:
    """Whatever the hours say, a clock that was set back included: where a page ends is told by numbers."""
    rows = {
        AccountId(account): [(AccountId(account), number, NOON + timedelta(seconds=at)) for number, at in enumerate(of)]
        for account, of in enumerate(times, start=1)
    }
    seen = []
    below: Below = {}
    while True:
        lists = [
            [row for row in reversed(of) if account not in below or row[1] < below[account]][: limit + 1]
            for account, of in rows.items()
        ]
        page = page_of(lists, below, limit, at=lambda row: row[2], place=lambda row: (row[0], row[1]))
        seen += list(page.items)
        if page.below is None:
            break
        below = page.below
    assert sorted(seen) == sorted(row for of in rows.values() for row in of)
