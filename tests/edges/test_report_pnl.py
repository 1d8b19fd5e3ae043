"""Profit and loss taken apart: it adds up to the facts, whatever happened, and however it is told."""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings

from plimsoll.edges.reports.pnl import PnlLine, PnlReport, pnl_answer, pnl_report, pnl_table, pnl_title
from plimsoll.edges.reports.table import to_csv, to_text
from plimsoll.ledger import accounts, bots, strategies
from plimsoll.ledger.bots import BotRecord
from plimsoll.ledger.corporate import Holding, deposit_coins
from plimsoll.ledger.log import Note, write_note
from plimsoll.ledger.reading.earnings import By
from plimsoll.ledger.reading.reader import Own, Reader
from plimsoll.model.account import Account, Mode, Portfolio
from plimsoll.model.asker import Asker
from plimsoll.model.cash import CashEvent, CashKind
from plimsoll.model.ids import AccountId, PortfolioId, StrategyId, UserId
from plimsoll.store.draft import Draft
from plimsoll.store.place import Place, people_reader
from tests.builders.happenings import TRADED, Fact, days_of_facts, facts_of, telling, told
from tests.builders.ledger import ACCOUNT, MAIN, NOON, PERPETUAL, SPOT, USER, Books, buy, sell
from tests.builders.places import books_in

D = Decimal
EXAMPLES = settings(max_examples=500 if os.environ.get("HYPOTHESIS_PROFILE") == "nightly" else 25)
DAY = date(2022, 1, 21)
ALWAYS = (date(1970, 1, 1), date(2199, 12, 31))
PARTS = ("price", "fees", "funding", "interest", "dividends", "other", "net", "turnover", "trade_count")
FLOWS = {CashKind.FUNDING: "funding", CashKind.INTEREST: "interest", CashKind.DIVIDEND: "dividends"}
OTHERS = {CashKind.SETTLEMENT, CashKind.LIQUIDATION, CashKind.ADL, CashKind.ADJUSTMENT}


def own(books: Books) -> Own:
    return Reader(books.engine).of(Asker(USER.id))


def sums(lines: Iterable[PnlLine], *parts: str) -> dict[tuple[str, str], Decimal]:
    """Add up parts of lines by asset; what comes to nothing is left out."""
    found: defaultdict[tuple[str, str], Decimal] = defaultdict(lambda: D(0))
    for line in lines:
        for part in parts:
            found[part, line.asset] += getattr(line, part)
    return {key: amount for key, amount in found.items() if amount}


@EXAMPLES
@given(days_of_facts())
def test_it_is_conserved(facts: list[Fact]) -> None:
    """Price is what positions realised; every other part is the sum of its cash lines, of a position or not.

    And it comes to the same by whatever it is told.
    """
    books = told(facts)
    booked = facts_of(books)
    expected: defaultdict[tuple[str, str], Decimal] = defaultdict(lambda: D(0))
    cash = {instrument.id: instrument.cash_asset for instrument in TRADED}
    for position in booked.positions().values():
        expected["price", cash[position.instrument_id]] += position.realized_pnl
        for asset, amount in position.fees:
            expected["fees", asset] -= amount
    for line in booked.lines:
        part = "other" if line.kind in OTHERS else FLOWS.get(line.kind)
        if part is not None:
            expected[part, line.asset] += line.amount
    whole = {key: amount for key, amount in expected.items() if amount}
    for by in By:
        report = pnl_report(own(books), by, *ALWAYS)
        assert sums(report.lines, "price", "fees", "funding", "interest", "dividends", "other") == whole, by
        assert sums(report.lines, *PARTS) == sums(report.totals, *PARTS)
        nets = sums(report.totals, "net")
        for asset in {asset for _, asset in whole}:
            parts = sum((amount for (_, of), amount in whole.items() if of == asset), D(0))
            assert nets.get(("net", asset), D(0)) == parts
    books.close()


@EXAMPLES
@given(days_of_facts())
def test_days_are_the_parts_of_any_stretch(facts: list[Fact]) -> None:
    """Two stretches that meet come to what the whole comes to; no day is told twice, and none is lost."""
    books = told(facts)
    middle = DAY + timedelta(days=1)
    for by in (By.DAY, By.STRATEGY):
        first = pnl_report(own(books), by, ALWAYS[0], middle)
        second = pnl_report(own(books), by, middle + timedelta(days=1), ALWAYS[1])
        whole = pnl_report(own(books), by, *ALWAYS)
        assert sums([*first.lines, *second.lines], *PARTS) == sums(whole.lines, *PARTS)
    books.close()


# By hand --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def books(place: Place) -> Iterator[Books]:
    """A sale with fees in two assets, a rebate, funding, interest of the account, and a deposit."""
    made = books_in(place).open()
    made.book(
        buy(SPOT, "2", "100", 1, fee=D("0.5")),
        sell(SPOT, "1", "130", 2, fee=D("0.01"), fee_currency="BNB"),
        buy(PERPETUAL, "1", "100", 3, fee=D("-0.1")),
    )
    for event in (
        CashEvent(ACCOUNT.id, MAIN.id, CashKind.FUNDING, "USDT", D("-3"), "f", NOON, instrument_id=PERPETUAL.id),
        CashEvent(ACCOUNT.id, MAIN.id, CashKind.INTEREST, "USDT", D("1.5"), "i", NOON + timedelta(days=20)),
        CashEvent(ACCOUNT.id, MAIN.id, CashKind.DEPOSIT, "USDT", D("1000"), "d", NOON),
    ):
        made.write(telling(event))
    yield made
    made.close()


def report_of(
    place: Place, by: By, since: date = ALWAYS[0], until: date = ALWAYS[1], asker: Asker | None = None
) -> PnlReport:
    engine = people_reader(place)
    try:
        return pnl_report(Reader(engine).of(asker or Asker(USER.id)), by, since, until)
    finally:
        engine.dispose()


@pytest.mark.usefixtures("books")
def test_every_part_stands_in_its_own_column_and_asset(place: Place) -> None:
    """A fee in BNB is a line of BNB; interest of no position is of no instrument; a rebate is above zero."""
    report = report_of(place, By.INSTRUMENT)
    assert report.lines == (
        PnlLine("BTC/USDT", "paper", "BNB", fees=D("-0.01")),
        PnlLine("BTC/USDT", "paper", "USDT", D(30), fees=D("-0.5"), turnover=D(330), trade_count=2),
        PnlLine("BTC/USDT:USDT", "paper", "USDT", fees=D("0.1"), funding=D(-3), turnover=D(100), trade_count=1),
        PnlLine("no instrument", "", "USDT", interest=D("1.5")),
    )
    usdt = report.totals[1]
    assert (usdt.asset, usdt.net, usdt.trade_count) == ("USDT", D("28.1"), 3)


@pytest.mark.parametrize(
    ("by", "names"),
    [
        (By.DAY, [("2022-01-21", ""), ("2022-01-21", ""), ("2022-02-10", "")]),
        (By.MONTH, [("2022-01", ""), ("2022-01", ""), ("2022-02", "")]),
        (By.PORTFOLIO, [("main", "practice"), ("main", "practice")]),
        (By.VENUE, [("no instrument", ""), ("paper", ""), ("paper", "")]),
        (By.STRATEGY, [("by hand", "practice / main"), ("by hand", "practice / main")]),
    ],
)
@pytest.mark.usefixtures("books")
def test_it_is_told_by_name(place: Place, by: By, names: list[tuple[str, str]]) -> None:
    """Whose it is stands beside the name where two may have the same."""
    assert [(line.name, line.of) for line in report_of(place, by).lines] == names


@pytest.mark.usefixtures("books")
def test_only_the_days_that_are_asked_for_count(place: Place) -> None:
    """Both included, in UTC."""
    assert [line.asset for line in report_of(place, By.DAY, DAY, DAY).lines] == ["BNB", "USDT"]
    assert [line.interest for line in report_of(place, By.DAY, date(2022, 2, 10), date(2022, 2, 10)).lines] == [
        D("1.5")
    ]
    assert report_of(place, By.DAY, date(2022, 1, 22), date(2022, 2, 9)).lines == ()
    assert report_of(place, By.DAY, date(2022, 2, 11), ALWAYS[1]).totals == ()


@pytest.mark.usefixtures("books")
def test_nobody_is_told_of_another_s(place: Place) -> None:
    """Another person, and a token for other portfolios."""
    for asker in (Asker(UserId(2)), Asker(USER.id, frozenset()), Asker(USER.id, frozenset({PortfolioId(9)}))):
        assert report_of(place, By.MONTH, asker=asker).lines == ()


IMPORTED = Account(AccountId(1_000_001), "a-i", USER.id, "old", "statement", Mode.PAPER, "USDT", "none", "standard")
OLD = Portfolio(PortfolioId(1_000_001), "p-i", IMPORTED.id, USER.id, "main")


def test_strategies_have_the_names_of_what_traded(books: Books, place: Place) -> None:
    """A bot's name on the desk; in an imported book the strategy's, under a number that is also a bot's."""

    def names(draft: Draft) -> None:
        accounts.write_account(draft, IMPORTED)
        accounts.write_portfolio(draft, OLD)
        made = strategies.version_for(draft, USER.id, "SampleStrategy", "statement", {}, "s-1", NOON)
        assert made.id == 1
        for number, name in ((1, "trend"), (2, "gone")):
            record = BotRecord(number, MAIN.id, SPOT.id, name, "hold", "STOPPED", ())
            bots.write(draft, replace(record, deleted_at=NOON if name == "gone" else None))
        write_note(draft, Note(IMPORTED.id, "user:1", "CREATE", "ACCOUNT", "a-i", NOON, {}))

    books.write(names)
    for account, portfolio, strategy in (
        (ACCOUNT, MAIN, 1),
        (ACCOUNT, MAIN, 2),
        (ACCOUNT, MAIN, 3),
        (IMPORTED, OLD, 1),
    ):
        what = (CashKind.DIVIDEND, "EUR", D(strategy), f"s{strategy}", NOON)
        event = CashEvent(account.id, portfolio.id, *what, instrument_id=SPOT.id, strategy_id=StrategyId(strategy))
        books.write(telling(event))
    lines = [line for line in report_of(place, By.STRATEGY).lines if line.asset == "EUR"]
    assert [(line.name, line.of, line.dividends) for line in lines] == [
        ("SampleStrategy", "old / main", D(1)),
        ("bot 3", "practice / main", D(3)),
        ("gone", "practice / main", D(2)),
        ("trend", "practice / main", D(1)),
    ]
    shown = [(line.name, line.of) for line in report_of(place, By.PORTFOLIO).lines if line.asset == "EUR"]
    assert shown == [("main", "old"), ("main", "practice")]


@pytest.mark.usefixtures("books")
def test_it_is_shown_to_people_and_machines_alike(place: Place) -> None:
    """The same figures as fields, as columns, and as lines of a file."""
    report = report_of(place, By.INSTRUMENT)
    answer = pnl_answer(report).model_dump(mode="json")
    assert (answer["by"], answer["first_day"], answer["last_day"]) == ("instrument", "1970-01-01", "2199-12-31")
    assert answer["items"][1] == {
        "name": "BTC/USDT",
        "of": "paper",
        "asset": "USDT",
        "price": "30",
        "fees": "-0.5",
        "funding": "0",
        "interest": "0",
        "dividends": "0",
        "other": "0",
        "net": "29.5",
        "turnover": "330",
        "trade_count": 2,
    }
    assert [one["name"] for one in answer["totals"]] == ["total", "total"]
    table = pnl_table(report)
    assert table.title == pnl_title(report) == "Profit and loss by instrument, 1970-01-01 to 2199-12-31"
    assert to_csv(table).splitlines()[2] == "BTC/USDT,paper,USDT,30,-0.5,0,0,0,0,29.5,330,2"
    assert "28.10" in to_text(table)


def test_what_coins_of_unknown_cost_brought_is_said_beside_the_lines(place: Place) -> None:
    """It is in no line, no profit and no loss; of two portfolios it is told of the one that is asked about."""
    made = books_in(place).open()

    def came(draft: Draft) -> None:
        write_note(draft, Note(ACCOUNT.id, "user:1", "CREATE", "CASH", "told", NOON, {}))
        deposit_coins(draft, Holding(ACCOUNT.id, MAIN.id, SPOT.id, D(2), "d1", NOON), None, NOON)

    made.write(came)
    made.book(sell(SPOT, "2", "500", 1))
    found = report_of(place, By.INSTRUMENT)
    assert [(line.price, line.net, line.turnover) for line in found.lines] == [(D(0), D(0), D(1000))]
    assert found.unknown_proceeds == (("USDT", D(1000)),)
    assert "1000 USDT (over all time) is for coins whose cost nobody knows" in to_text(pnl_table(found))
    engine = people_reader(place)
    elsewhere = pnl_report(Reader(engine).of(Asker(USER.id)), By.DAY, *ALWAYS, among=[PortfolioId(99)])
    engine.dispose()
    assert elsewhere.unknown_proceeds == ()
    assert report_of(place, By.DAY, asker=Asker(UserId(9))).unknown_proceeds == ()
    made.close()
