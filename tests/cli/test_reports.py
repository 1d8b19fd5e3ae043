"""`plimsoll reports`: what was made, at the shell."""

import csv
import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest

from plimsoll.ledger import accounts
from plimsoll.ledger.database import create_from_template
from plimsoll.ledger.log import Note, write_note
from plimsoll.model.account import Portfolio
from plimsoll.model.cash import CashEvent, CashKind
from plimsoll.model.ids import AccountId, PortfolioId
from plimsoll.store.draft import Draft
from tests.builders.happenings import telling
from tests.builders.ledger import ACCOUNT, MAIN, NOON, PERPETUAL, SPOT, USER, books_at, buy, sell
from tests.cli.shell import plimsoll

D = Decimal
DAY = timedelta(days=1)
PLAIN_FILE = "date,return\n2000-01-30,\n2000-01-31,0.01\n2000-02-01,0.1\n2000-02-02,-0.04\n2000-02-03,0.02\n"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A desk's folder: 1,000 put in, a day that won, a day that lost, funding; and a portfolio called =1+1."""
    folder = tmp_path_factory.mktemp("desk")
    create_from_template(folder / "desk.db")
    books = books_at(folder / "desk.db").open()

    def another(draft: Draft) -> None:
        accounts.write_portfolio(draft, Portfolio(PortfolioId(2), "p-2", ACCOUNT.id, USER.id, "=1+1"))
        write_note(draft, Note(ACCOUNT.id, "user:1", "CREATE", "PORTFOLIO", "p-2", NOON, {}))

    books.write(another)
    put_in = CashEvent(ACCOUNT.id, MAIN.id, CashKind.DEPOSIT, "USDT", D(1000), "d", NOON)
    paid = CashEvent(ACCOUNT.id, MAIN.id, CashKind.FUNDING, "USDT", D(-10), "f", NOON + DAY, instrument_id=PERPETUAL.id)
    odd = CashEvent(ACCOUNT.id, PortfolioId(2), CashKind.INTEREST, "EUR", D(1), "i", NOON)
    for event in (put_in, paid, odd):
        books.write(telling(event))
    books.book(
        buy(PERPETUAL, "1", "1000", 1),
        sell(PERPETUAL, "1", "1100", 2),
        buy(SPOT, "1", "100", 3, exec_time=NOON + DAY),
        sell(SPOT, "1", "55", 4, exec_time=NOON + DAY, fee=D("0.000000000000000001")),
    )
    books.close()
    return folder


def test_a_year_is_told_by_instrument(data: Path) -> None:
    """As a table, whose footer adds up each asset by itself."""
    said = plimsoll("reports", "pnl", "--by", "instrument", "--year", "2022", "--portfolio", "main", "--data", data)
    assert (said.code, said.err) == (0, "")
    told = [line.split() for line in said.out.splitlines()]
    assert " ".join(told[0]) == "Profit and loss by instrument, 2022-01-01 to 2022-12-31"
    assert told[3][:5] == ["BTC/USDT", "paper", "USDT", "-45.00", "-0.000000000000000001"]
    assert told[4][:6] == ["BTC/USDT:USDT", "paper", "USDT", "100.00", "0.00", "-10.00"]
    assert told[6][:5] == ["total", "USDT", "55.00", "-0.000000000000000001", "-10.00"]
    assert told[6][8:] == ["44.999999999999999999", "2,255.00", "4"]


def test_a_machine_and_a_spreadsheet_get_the_same_figures(data: Path) -> None:
    """JSON has every decimal as text; in CSV no name is a formula."""
    words = ("reports", "pnl", "--by", "portfolio", "--from", "2022-01-21", "--to", "2022-01-22", "--data", data)
    answer = plimsoll(*words, "--json").json
    assert [(one["name"], one["asset"], one["net"]) for one in answer["items"]] == [
        ("=1+1", "EUR", "1"),
        ("main", "USDT", "44.999999999999999999"),
    ]
    rows = list(csv.DictReader(StringIO(plimsoll(*words, "--format", "csv").out)))
    assert [(row["portfolio"], row["net"]) for row in rows] == [("'=1+1", "1"), ("main", "44.999999999999999999")]


def test_it_is_written_where_it_is_wanted(data: Path, tmp_path: Path) -> None:
    """A page to print, a file for a spreadsheet with its own line ends, JSON; the screen stays empty."""
    for form, begins in (
        ("html", "<!doctype html>\n"),
        ("csv", "month,of,asset"),
        ("table", "Profit and loss by month"),
    ):
        file = tmp_path / f"report.{form}"
        said = plimsoll("reports", "pnl", "--year", "2022", "--format", form, "--out", file, "--data", data)
        assert (said.code, said.out) == (0, "")
        assert file.read_text(encoding="utf-8").startswith(begins)
    assert (tmp_path / "report.csv").read_bytes().count(b"\r\n") == 3
    assert plimsoll("reports", "pnl", "--json", "--out", tmp_path / "report.json", "--data", data).code == 0
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["by"] == "month"
    nowhere = plimsoll("reports", "pnl", "--out", tmp_path / "no" / "report", "--data", data)
    assert (nowhere.code, nowhere.out) == (1, "")
    assert "No such file or directory" in nowhere.err


def test_a_book_that_nobody_valued_is_judged_by_the_money_put_in(data: Path) -> None:
    """10 % on 1,000, then -55 on 1,100: two days, two trips, one of them won."""
    answer = plimsoll("reports", "performance", "--year", "2022", "--portfolio", "main", "--data", data, "--json").json
    (curve,) = answer["curves"]
    assert (curve["of"], curve["counted_from"], curve["periods"], curve["periods_per_year"]) == (
        *("main", "money_put_in", 2, 365),
    )
    assert [(one["day"], one["period_return"]) for one in curve["points"]] == [
        ("2022-01-21", "0.1"),
        ("2022-01-22", "-0.05"),
    ]
    assert (curve["total_return"], curve["max_drawdown"]) == ("0.045", "-0.05")
    (trips,) = answer["trips"]
    assert (trips["closed"], trips["won"], trips["lost"], trips["win_rate"]) == (2, 1, 1, "0.5")
    assert (trips["gross_profit"], trips["profit_factor"]) == ("100", "2.222222222222222222")


def test_performance_is_shown_to_a_person(data: Path) -> None:
    said = plimsoll("reports", "performance", "--year", "2022", "--data", data)
    assert said.code == 0
    lines = [line.split() for line in said.out.splitlines()]
    assert lines[3][:5] == ["practice", "USDT", "money", "put", "in"]
    assert lines[3][6:8] == ["4.50", "%"]
    assert ["USDT", "2", "1", "1", "0", "0", "50.00", "%", "100.00"] in [line[:9] for line in lines]


def test_anybody_can_check_the_statistics_with_returns_of_his_own(tmp_path: Path) -> None:
    """No desk is needed; a return that nobody knows is left out."""
    file = tmp_path / "returns.csv"
    file.write_text(PLAIN_FILE)
    answer = plimsoll("reports", "performance", "--returns", file, "--capital", "100", "--json").json
    (curve,) = answer["curves"]
    assert (answer["first_day"], answer["last_day"], answer["trips"]) == ("2000-01-30", "2000-02-03", [])
    assert (curve["of"], curve["periods"], curve["periods_per_year"]) == ("returns.csv", 4, 252)
    assert [one["value"] for one in curve["points"]] == ["100", "101", "111.1", "106.656", "108.78912"]
    assert curve["points"][0]["period_return"] is None
    assert (curve["total_return"], curve["max_drawdown"]) == ("0.0878912", "-0.04")
    weekly = plimsoll("reports", "performance", "--returns", file, "--per-year", "52", "--json").json["curves"][0]
    assert D(weekly["annual_volatility"]) * 252 * D(weekly["annual_volatility"]) > 0
    assert weekly["points"][1]["value"] is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "returns = '': begin the file"),
        ("day,return\n", "returns = 'day,return': begin the file"),
        ("date,return\n2000-13-01,0\n", "line 2, column date = '2000-13-01'"),
        ("date,return\n2000-01-01,1%\n", "line 2, column return = '1%'"),
        ("date,return\n2000-01-01,Infinity\n", "line 2, column return = 'Infinity'"),
        ("date,return\n2000-01-01,1e999999999\n", "line 2, column return = '1e999999999'"),
        ("date,return\n2000-01-01,-1\n", "line 2, column return = '-1': give a return above -1"),
        ("date,return\n2000-01-01,1e30\n", "line 2, column return = '1e30'"),
        ("date,return\n\n2000-01-01,0\n2000-01-01,0\n", "line 4, column date = '2000-01-01': a day has one return"),
        ("date,return\n2000-01-01\n", "line 2 = '2000-01-01': give a date and a return"),
        ("date,return\n2000-01-01,\x00\n", "line 2, column return = '�'"),
    ],
)
def test_a_file_of_returns_that_cannot_be_read_is_refused_by_line_and_column(
    tmp_path: Path, text: str, told: str
) -> None:
    file = tmp_path / "returns.csv"
    file.write_text(text)
    said = plimsoll("reports", "performance", "--returns", file)
    assert (said.code, said.out) == (2, "")
    assert told in said.err


def test_bytes_that_are_no_text_are_refused_too(tmp_path: Path) -> None:
    file = tmp_path / "returns.csv"
    file.write_bytes(b"date,return\n2000-01-01,\xff\n")
    said = plimsoll("reports", "performance", "--returns", file)
    assert (said.code, said.out) == (2, "")
    assert "line 2, column return" in said.err


def test_days_of_a_file_may_come_in_any_order_and_with_a_time(tmp_path: Path) -> None:
    """And in any case, with more columns, and as floats are written."""
    file = tmp_path / "returns.csv"
    file.write_text("﻿Return, Note ,DATE\n1e-05,b,2000-01-02\nnan,a,2000-01-01T00:00:00\n", encoding="utf-8")
    points = plimsoll("reports", "performance", "--returns", file, "--json").json["curves"][0]["points"]
    assert [(one["day"], one["period_return"]) for one in points] == [("2000-01-01", None), ("2000-01-02", "0.00001")]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--portfolio", "mian"], "portfolio = 'mian': there is none of this name; there are: =1+1, main"),
        (["--from", "yesterday"], "from = 'yesterday': write a day as 2021-01-31"),
        (["--year", "2022", "--to", "2022-01-01"], "year = 2022: give a year, or the first and the last day"),
        (["--year", "1969"], "year = 1969: give a year between 1970 and 2199"),
        (["--from", "1969-12-31"], "from = '1969-12-31': give a day between"),
        (["--from", "2022-01-02", "--to", "2022-01-01"], "from = '2022-01-02': it is after the last day, 2022-01-01"),
    ],
)
def test_what_is_not_there_is_refused_by_name(data: Path, words: list[str], told: str) -> None:
    """With what there is, or how to write it; nothing is shown."""
    for report in ("pnl", "performance"):
        said = plimsoll("reports", report, *words, "--data", data)
        assert (said.code, said.out) == (2, "")
        assert told in said.err


def test_a_name_that_two_accounts_gave_is_asked_about_by_id(tmp_path: Path) -> None:
    """With the ids, which are taken."""
    create_from_template(tmp_path / "desk.db")
    books = books_at(tmp_path / "desk.db").open()

    def another(draft: Draft) -> None:
        other = replace(ACCOUNT, id=AccountId(2), uid="a-2", name="second")
        accounts.write_account(draft, other)
        accounts.write_portfolio(draft, Portfolio(PortfolioId(2), "p-2", other.id, USER.id, "main"))
        write_note(draft, Note(other.id, "user:1", "CREATE", "ACCOUNT", "a-2", NOON, {}))

    books.write(another)
    books.close()
    said = plimsoll("reports", "pnl", "--portfolio", "main", "--data", tmp_path)
    assert (said.code, said.out) == (2, "")
    assert "several have this name: give its id, p-1 (account practice), p-2 (account second)" in said.err
    assert plimsoll("reports", "pnl", "--portfolio", "p-2", "--data", tmp_path).code == 0


def test_a_file_with_no_returns_is_judged_as_unknown(tmp_path: Path) -> None:
    file = tmp_path / "returns.csv"
    file.write_text("date,return\n")
    said = plimsoll("reports", "performance", "--returns", file)
    assert (said.code, said.out.splitlines()[0]) == (0, "Performance")
    assert said.out.count("unknown") == 5


@pytest.mark.parametrize(("amount", "told"), [("0", "above 0"), ("-1", "above 0"), ("1e3", "plain decimal")])
def test_capital_is_an_amount(data: Path, amount: str, told: str) -> None:
    said = plimsoll("reports", "performance", "--capital", amount, "--data", data)
    assert (said.code, said.out) == (2, "")
    assert told in said.err


def test_where_no_desk_is_none_is_made(tmp_path: Path) -> None:
    said = plimsoll("reports", "pnl", "--data", tmp_path / "none")
    assert (said.code, said.out) == (2, "")
    assert "there is no desk here" in said.err.lower()
    assert list(tmp_path.iterdir()) == []


def test_no_report_is_written_over_a_desk(tmp_path: Path) -> None:
    """A file name that completes itself must not cost the book."""
    (tmp_path / "r.csv").write_text("date,return\n2021-01-01,0.01\n")
    (tmp_path / "desk.lock").touch()
    said = plimsoll("reports", "performance", "--returns", tmp_path / "r.csv", "--out", tmp_path / "desk.db")
    assert said.code == 2
    assert "a desk lies in that folder" in said.err
    assert not (tmp_path / "desk.db").exists()


def test_returns_that_nobody_knows_and_that_grow_beyond_every_number(tmp_path: Path) -> None:
    """The ones are unknown and not 0; the others are refused."""
    (tmp_path / "u.csv").write_text("date,return\n2021-01-01,\n")
    curve = plimsoll("reports", "performance", "--returns", tmp_path / "u.csv", "--json").json["curves"][0]
    assert (curve["total_return"], curve["max_drawdown"]) == (None, None)
    lines = [f"2021-01-{day:02d},99999999999999999999" for day in range(1, 20)]
    (tmp_path / "h.csv").write_text("\n".join(["date,return", *lines]) + "\n")
    said = plimsoll("reports", "performance", "--returns", tmp_path / "h.csv")
    assert said.code == 2
    assert "beyond every number" in said.err
