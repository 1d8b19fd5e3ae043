"""Performance of accounts that were looked at, of books that were not, and of round trips."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from plimsoll.edges.reports.performance import (
    PerformanceReport,
    performance_answer,
    performance_report,
    performance_tables,
)
from plimsoll.edges.reports.table import to_text
from plimsoll.ledger import accounts, guarding
from plimsoll.ledger.log import Note, write_note
from plimsoll.ledger.reading.reader import Reader
from plimsoll.model.account import Account, Mode, Portfolio
from plimsoll.model.asker import Asker
from plimsoll.model.cash import Arrival, CashEvent, CashKind
from plimsoll.model.errors import Illegal
from plimsoll.model.ids import AccountId, PortfolioId
from plimsoll.model.money import settle_quotient
from plimsoll.risk.guards.reading import Reading
from plimsoll.store.draft import Draft
from tests.builders.happenings import OTHER, telling
from tests.builders.ledger import (
    ACCOUNT,
    INVERSE,
    MAIN,
    NOON,
    PERPETUAL,
    USER,
    Books,
    books_in_memory,
    buy,
    sell,
)

D = Decimal
DAY = timedelta(days=1)
FIRST, LAST = date(2022, 1, 21), date(2022, 1, 31)
#: Later than everything.
NOW = datetime(2023, 1, 1, tzinfo=UTC)


@pytest.fixture
def books() -> Iterator[Books]:
    """An account with two portfolios."""
    made = books_in_memory().open()

    def another(draft: Draft) -> None:
        accounts.write_portfolio(draft, OTHER)
        write_note(draft, Note(ACCOUNT.id, "user:1", "CREATE", "PORTFOLIO", OTHER.uid, NOON, {}))

    made.write(another)
    yield made
    made.close()


def look(books: Books, *navs: str, begin: datetime = NOON) -> None:
    """Look at the account once a day."""

    def unit(draft: Draft) -> None:
        for number, nav in enumerate(navs):
            reading = Reading(begin + number * DAY, D(nav), D(nav), D(1000), confirmed=True)
            guarding.write_snapshot(draft, ACCOUNT.id, reading)
        write_note(draft, Note(ACCOUNT.id, "user:1", "CREATE", "CASH", "look", NOON, {}))

    books.write(unit)


def pay(books: Books, kind: CashKind, amount: str, reference: str, at: datetime = NOON, **said: object) -> None:
    event = CashEvent(ACCOUNT.id, MAIN.id, kind, "USDT", D(amount), reference, at, **said)  # type: ignore[arg-type]  # words
    books.write(telling(event))


def report_of(
    books: Books,
    since: date = FIRST,
    until: date = LAST,
    *,
    among: list[PortfolioId] | None = None,
    capital: str | None = None,
    asker: Asker | None = None,
    now: datetime = NOW,
) -> PerformanceReport:
    own = Reader(books.engine).of(asker or Asker(USER.id))
    return performance_report(own, since, until, now, among=among, capital=None if capital is None else D(capital))


# Curves ---------------------------------------------------------------------------------------------------------------


def test_an_account_that_was_looked_at_is_judged_by_what_a_unit_was_worth(books: Books) -> None:
    """What was paid in is no profit: the deposit of the second day is nowhere."""
    look(books, "100", "110", "99", "121")
    pay(books, CashKind.DEPOSIT, "1000000", "d", NOON + DAY)
    (curve,) = report_of(books).curves
    assert (curve.of, curve.currency, curve.source) == ("practice", "USDT", "equity")
    assert curve.days == (date(2022, 1, 22), date(2022, 1, 23), date(2022, 1, 24))
    assert curve.returns == (D("0.1"), D("-0.1"), D("0.222222222222222222"))
    assert curve.judged.max_drawdown == D("-0.1")
    total = curve.judged.total_return
    assert total is not None
    assert abs(total - D("0.21")) < D("1e-17")


def test_the_last_look_before_begins_the_first_day(books: Books) -> None:
    """Asked from the second day on, its return is counted from the first day's end."""
    look(books, "100", "110", "99")
    (curve,) = report_of(books, FIRST + DAY, FIRST + DAY).curves
    assert (curve.days, curve.returns) == ((date(2022, 1, 22),), (D("0.1"),))


def test_a_fall_within_a_day_counts(books: Books) -> None:
    """Ends of days alone would hide it."""
    look(books, "100", "100")
    look(books, "80", begin=NOON + timedelta(hours=1))
    look(books, "100", begin=NOON + timedelta(hours=2))
    (curve,) = report_of(books).curves
    assert (curve.returns, curve.judged.max_drawdown) == ((D(0),), D("-0.2"))


def test_a_unit_that_was_worth_nothing_leaves_everything_unknown(books: Books) -> None:
    """There is no return on nothing, and so no whole."""
    look(books, "100", "0", "50")
    (curve,) = report_of(books).curves
    assert curve.returns == (D(-1), None)
    judged = curve.judged
    assert (judged.total_return, judged.max_drawdown, judged.annual_volatility, judged.sharpe) == (None,) * 4


def test_a_portfolio_is_judged_by_the_money_put_into_it(books: Books) -> None:
    """A part of an account has no worth of its own here: a day's gain is on the money put in, and what was won before.

    What another portfolio gave is put in, as well; days without a trade are days of 0.
    """
    look(books, "100", "110")
    pay(books, CashKind.DEPOSIT, "1000", "d")
    pay(books, CashKind.TRANSFER, "500", "t", NOON, arrival=Arrival(OTHER.id, "spot", "USDT", D(500)))
    books.book(buy(PERPETUAL, "1", "100", 1, fee=D(1)), sell(PERPETUAL, "1", "151", 2))
    pay(books, CashKind.FUNDING, "-11", "f", NOON + 2 * DAY, instrument_id=PERPETUAL.id)
    pay(books, CashKind.WITHDRAWAL, "39", "w", NOON + 2 * DAY)
    main, other = (report_of(books, among=[one.id]).curves[0] for one in (MAIN, OTHER))
    assert (main.of, main.source) == ("main", "money_put_in")
    assert main.days == tuple(FIRST + number * DAY for number in range(3))
    assert main.returns == (D("0.1"), D(0), settle_quotient(D(-11), D(511)))
    assert (other.days, other.returns) == ((FIRST,), (D(0),))
    whole = report_of(books, among=[MAIN.id, OTHER.id]).curves
    assert [curve.source for curve in whole] == ["equity"]


def test_a_gain_on_no_money_that_anybody_knows_of_is_unknown(books: Books) -> None:
    """Until somebody says how much was at work at the beginning."""
    books.book(buy(PERPETUAL, "1", "100", 1), sell(PERPETUAL, "1", "150", 2))
    (curve,) = report_of(books, among=[MAIN.id]).curves
    assert (curve.returns, curve.judged.total_return, curve.judged.count) == ((None,), None, 0)
    (curve,) = report_of(books, among=[MAIN.id], capital="500").curves
    assert (curve.returns, curve.judged.total_return) == ((D("0.1"),), D("0.1"))
    (answer,) = performance_answer(report_of(books, among=[MAIN.id], capital="500")).curves
    assert [one.value for one in answer.points] == [D(550)]


def test_capital_is_somebody_s(books: Books) -> None:
    """Of an account whose worth is known, or of two at once, it is nobody's."""
    look(books, "100", "110")
    with pytest.raises(Illegal, match="capital"):
        report_of(books, capital="1")
    with pytest.raises(Illegal, match="capital"):
        report_of(books, among=[PortfolioId(9)], capital="1")


def test_what_was_earned_before_the_time_is_money_at_work_and_no_profit_of_it(books: Books) -> None:
    """100 put in and 100 earned make 200; 20 of the next day are a tenth."""
    pay(books, CashKind.DEPOSIT, "100", "d")
    for day, gain in ((0, "100"), (1, "20")):
        at = NOON + day * DAY
        books.book(
            buy(PERPETUAL, "1", "1000", 2 * day + 1, exec_time=at),
            sell(PERPETUAL, "1", str(1000 + int(gain)), 2 * day + 2, exec_time=at),
        )
    # Coins are put in, too, and are no money of the account's.
    coins = CashEvent(ACCOUNT.id, MAIN.id, CashKind.DEPOSIT, "BTC", D(5), "coins", NOON)
    books.write(telling(coins))
    (curve,) = report_of(books, FIRST + DAY).curves
    assert (curve.days, curve.returns) == ((FIRST + DAY,), (D("0.1"),))


def test_an_imported_book_stands_beside_the_desk_s(books: Books) -> None:
    """Each account has a curve of its own; nothing that happened has none to speak of."""
    look(books, "100", "110")
    old = Account(AccountId(1_000_001), "a-i", USER.id, "old", "statement", Mode.PAPER, "EUR", "none", "standard")

    def bring(draft: Draft) -> None:
        accounts.write_account(draft, old)
        accounts.write_portfolio(draft, Portfolio(PortfolioId(1_000_001), "p-i", old.id, USER.id, "history"))
        write_note(draft, Note(old.id, "user:1", "CREATE", "ACCOUNT", "a-i", NOON, {}))

    books.write(bring)
    curves = {curve.of: curve for curve in report_of(books).curves}
    assert {name: curve.source for name, curve in curves.items()} == {"practice": "equity", "history": "money_put_in"}
    empty = curves["history"].judged
    assert (empty.count, empty.total_return, empty.max_drawdown) == (0, None, None)


def test_a_token_for_a_part_is_told_of_that_part(books: Books) -> None:
    """The worth of the account is not its business."""
    look(books, "100", "110")
    pay(books, CashKind.DEPOSIT, "1000", "d")
    (curve,) = report_of(books, asker=Asker(USER.id, frozenset({MAIN.id}))).curves
    assert (curve.of, curve.source) == ("main", "money_put_in")
    assert report_of(books, asker=Asker(USER.id, frozenset())).curves == ()


# Round trips ----------------------------------------------------------------------------------------------------------


def test_trips_are_counted_by_currency_with_the_time_they_took(books: Books) -> None:
    """Held for one of the two days since the first of them; trips that overlap count once."""
    begin = NOON.replace(hour=0)
    books.book(
        buy(PERPETUAL, "1", "100", 1, exec_time=begin),
        sell(PERPETUAL, "1", "110", 2, exec_time=begin + timedelta(hours=18)),
        buy(INVERSE, "100", "50000", 3, exec_time=begin + timedelta(hours=12)),
        buy(PERPETUAL, "1", "100", 4, exec_time=begin + timedelta(hours=42)),
    )
    coins, cash = report_of(books, FIRST, FIRST + DAY).trips
    assert (coins.currency, coins.counted.count, coins.still_open) == ("BTC", 0, 1)
    assert (coins.counted.win_rate, coins.counted.profit_factor, coins.exposure) == (None, None, D(1))
    assert (cash.currency, cash.counted.count, cash.still_open, cash.exposure) == ("USDT", 1, 1, D("0.5"))
    assert (cash.counted.win_rate, cash.counted.profit_factor) == (D(1), None)


def test_what_is_yet_to_come_is_no_time_at_all(books: Books) -> None:
    """A day that has not ended ends now."""
    books.book(buy(PERPETUAL, "1", "100", 1, exec_time=NOON))
    books.book(sell(PERPETUAL, "1", "90", 2, exec_time=NOON + timedelta(hours=1)))
    (one,) = report_of(books, FIRST, LAST, now=NOON + timedelta(hours=4)).trips
    assert one.exposure == D("0.25")
    (one,) = report_of(books, FIRST, LAST, now=NOON).trips
    assert one.exposure is None


def test_trips_that_overlap_are_held_once(books: Books) -> None:
    """Two legs at once, one within the other, are one time."""
    hours = [NOON + timedelta(hours=number) for number in range(5)]
    books.book(
        buy(PERPETUAL, "1", "100", 1, exec_time=hours[0], leg="LONG"),
        sell(PERPETUAL, "1", "100", 2, exec_time=hours[1], leg="SHORT"),
        buy(PERPETUAL, "1", "100", 3, exec_time=hours[2], leg="SHORT"),
        sell(PERPETUAL, "1", "100", 4, exec_time=hours[3], leg="LONG"),
    )
    (one,) = report_of(books, FIRST, LAST, now=NOON + timedelta(hours=4)).trips
    assert (one.counted.count, one.counted.win_rate, one.exposure) == (2, D(0), D("0.75"))


def test_it_is_shown_to_a_person(books: Books) -> None:
    """What is unknown says so."""
    look(books, "100", "110", "99")
    books.book(buy(PERPETUAL, "1", "100", 1), sell(PERPETUAL, "1", "150", 2))
    curves, trips = performance_tables(report_of(books))
    told = to_text(curves).splitlines()[3].split()
    assert told[:8] == ["practice", "USDT", "equity", "2", "-1.00", "%", "-10.00", "%"]
    assert "unknown" in to_text(trips)
    (alone,) = performance_tables(report_of(books, date(2021, 1, 1), date(2021, 12, 31)))
    assert alone.title == "Performance, 2021-01-01 to 2021-12-31"
