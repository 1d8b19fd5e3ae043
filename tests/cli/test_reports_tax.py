"""`plimsoll reports tax`: what was realised, lot by lot, at the shell."""

import csv
import json
from datetime import datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from plimsoll.ledger.database import create_from_template
from plimsoll.model.cash import CashEvent, CashKind
from plimsoll.model.entry import Entry, EntryKind
from plimsoll.model.ids import BrokerTradeId
from plimsoll.model.order import Side
from plimsoll.model.trade import TradeReport
from tests.builders.happenings import telling
from tests.builders.ledger import ACCOUNT, INVERSE, MAIN, NOON, PERPETUAL, SPOT, books_at, fill
from tests.cli.shell import Said, plimsoll

D = Decimal
YEARS = timedelta(days=366)
#: The last moment of 2022 in Berlin is an hour before the desk's.
NEW_YEAR = datetime.fromisoformat("2022-12-31T23:30:00+00:00")


def trade(name: str, side: Side, quantity: str, price: str, at: datetime, **said: Any) -> TradeReport:
    given = {"instrument": SPOT, "fee": D(0), **said}
    instrument = given.pop("instrument")
    return fill(instrument, side, quantity, price, trade_id=BrokerTradeId(name), exec_time=at, **given)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A desk's folder: purchases, coins of unknown cost, sales, contracts sold short, interest, funding."""
    folder = tmp_path_factory.mktemp("desk")
    create_from_template(folder / "desk.db")
    books = books_at(folder / "desk.db").open()
    buy, sell = Side.BUY, Side.SELL
    for report in (
        trade("old", buy, "1", "100", NOON - YEARS, fee=D(1)),
        trade("=new", buy, "1", "120", NOON, fee=D(1)),
        trade("sale", sell, "1.5", "150", NOON + timedelta(days=1), fee=D("1.5")),
        trade("bnb", buy, "0.5", "100", NOON + timedelta(days=2), fee=D("0.25"), fee_currency="BNB"),
        trade("late", sell, "0.5", "200", NEW_YEAR),
        trade("short", sell, "1", "100", NOON, instrument=PERPETUAL),
        trade("cover", buy, "1", "90", NOON + timedelta(days=3), instrument=PERPETUAL),
        trade("coin", sell, "100", "50", NOON, instrument=INVERSE),
    ):
        books.book(report)
    place = (ACCOUNT.id, MAIN.id, SPOT.id, None, "")
    books.write(telling(Entry(*place, EntryKind.IN, D(1), "gift", NOON + timedelta(days=4))))
    for kind, amount, name, of in (
        (CashKind.INTEREST, "3", "i", None),
        (CashKind.FUNDING, "2", "f1", PERPETUAL.id),
        (CashKind.FUNDING, "-0.5", "f2", PERPETUAL.id),
    ):
        books.write(telling(CashEvent(ACCOUNT.id, MAIN.id, kind, "USDT", D(amount), name, NOON, instrument_id=of)))
    books.close()
    return folder


def tax(data: Path, *words: str | Path) -> Said:
    return plimsoll("reports", "tax", "--data", data, *words)


def test_a_year_is_told_lot_by_lot(data: Path) -> None:
    """With its lots of the year before, how long they were held, and every other table."""
    answer = tax(data, "--year", "2022", "--json").json
    told = [(row["symbol"], row["acquired_by"], row["disposed_by"], row["quantity"]) for row in answer["rows"]]
    assert told == [
        ("BTC/USDT", "old", "sale", "1"),
        ("BTC/USDT", "=new", "sale", "0.5"),
        ("BTC/USDT", "=new", "late", "0.5"),
        ("BTC/USDT:USDT", "short", "cover", "1"),
    ]
    first = answer["rows"][0]
    assert {name: first[name] for name in ("proceeds", "cost", "fees", "gain", "holding_days", "term", "year")} == {
        "proceeds": "149",
        "cost": "101",
        "fees": "2",
        "gain": "48",
        "holding_days": 367,
        "term": "long",
        "year": 2022,
    }
    assert [(row["symbol"], row["term"], row["rows"], row["gain"], row["currency"]) for row in answer["totals"]] == [
        ("BTC/USDT", "long", 1, "48", "USDT"),
        ("BTC/USDT", "short", 2, "53.5", "USDT"),
        ("BTC/USDT:USDT", "short", 1, "10", "USDT"),
    ]
    assert answer["rows"][3]["side"] == "short"
    assert [(row["kind"], row["symbol"], row["amount"]) for row in answer["income"]] == [
        ("FUNDING", "BTC/USDT:USDT", "2"),
        ("FUNDING", "BTC/USDT:USDT", "-0.5"),
        ("INTEREST", None, "3"),
    ]
    assert [(row["kind"], row["received"], row["paid"], row["amount"]) for row in answer["income_totals"]] == [
        ("FUNDING", "2", "-0.5", "1.5"),
        ("INTEREST", "3", "0", "3"),
    ]
    assert [(row["asset"], row["amount"]) for row in answer["fees_apart"]] == [("BNB", "0.25")]
    left = [(row["symbol"], row["quantity"], row["unknown_quantity"], row["cost"]) for row in answer["open_lots"]]
    assert left == [("BTC/USD:BTC", "-100", "0", "2"), ("BTC/USDT", "1.5", "1", "50")]


@pytest.mark.parametrize(
    ("method", "gain"),
    [("fifo", "101.5"), ("lifo", "52"), ("hifo", "101.5"), ("lofo", "112"), ("average", "80.625")],
)
def test_the_method_says_when_a_gain_is_made(data: Path, method: str, gain: str) -> None:
    """By average there is no age. By LIFO the coins of unknown cost are sold first, by average a share of them."""
    words = ("--year", "2022", "--method", method, "--instrument", "BTC/USDT", "--json")
    answer = tax(data, *words).json
    assert (answer["method"], answer["fees"]) == (method, "in-cost")
    assert {row["symbol"] for row in answer["rows"]} == {"BTC/USDT"}
    assert sum(D(row["gain"]) for row in answer["totals"]) == D(gain)
    aged = {row["acquired_at"] is not None for row in answer["rows"]} | {row["term"] != "" for row in answer["rows"]}
    assert aged == {method != "average"}
    apart = tax(data, *words, "--fees", "apart").json
    assert sum(D(row["gain"]) - D(row["fees"]) for row in apart["rows"] if row["gain"]) == D(gain)


def test_a_year_is_that_of_its_zone(data: Path) -> None:
    """Half an hour before midnight in London is the next year in Berlin."""
    words = ("--instrument", "BTC/USDT", "--json")
    here = tax(data, "--year", "2022", "--zone", "Europe/Berlin", *words).json
    assert [row["disposed_by"] for row in here["rows"]] == ["sale", "sale"]
    there = tax(data, "--year", "2023", "--zone", "Europe/Berlin", *words).json
    assert [(row["disposed_by"], row["year"]) for row in there["rows"]] == [("late", 2023)]
    days = tax(data, "--from", "2022-01-22", "--to", "2022-01-22", "--long-after", "367", *words).json
    assert [(row["disposed_by"], row["term"]) for row in days["rows"]] == [("sale", "short"), ("sale", "short")]


def test_unknown_cost_is_shown_as_unknown(data: Path, tmp_path: Path) -> None:
    """It has no gain, is in no total of gains, and what it brought stands beside it."""
    lots = tmp_path / "lots.csv"
    lots.write_text("disposal,acquisition,quantity\nlate,gift,0.5\n")
    words = ("--year", "2022", "--method", "specific", "--lots", lots)
    answer = tax(data, *words, "--json").json
    assert [(row["gain"], row["cost"], row["proceeds"]) for row in answer["rows"] if row["acquired_by"] == "gift"] == [
        (None, None, "100")
    ]
    totals = [(row["rows"], row["gain"], row["unknown_rows"], row["unknown_proceeds"]) for row in answer["totals"]]
    assert totals == [(1, "48", 0, "0"), (2, "14", 1, "100"), (1, "10", 0, "0")]
    assert "Unknown: it came in at a cost that nobody told" in tax(data, *words).out


def test_named_lots_come_from_a_file(data: Path, tmp_path: Path) -> None:
    """Columns in any order; what is not named goes by age."""
    lots = tmp_path / "lots.csv"
    lots.write_text("\ufeffQuantity, acquisition,disposal\n0.75,=new,sale\n\n", encoding="utf-8")
    answer = tax(data, "--year", "2022", "--method", "specific", "--lots", lots, "--json").json
    assert [(row["acquired_by"], row["disposed_by"], row["quantity"]) for row in answer["rows"]][:2] == [
        ("=new", "sale", "0.75"),
        ("old", "sale", "0.75"),
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "begin the file with the line"),
        ("sale,lot,size\n", "begin the file with the line"),
        ("disposal,acquisition,quantity\nsale,old\n", "lots, line 2"),
        ("disposal,acquisition,quantity\nsale,,1\n", "column acquisition"),
        ("disposal,acquisition,quantity\n,old,1\n", "column disposal"),
        ("disposal,acquisition,quantity\nsale,old,1e3\n", "column quantity"),
        ("disposal,acquisition,quantity\nsale,old,0\n", "above 0"),
        ("disposal,acquisition,quantity\nsale,old,9\n", "closes 1.5 more"),
        ("disposal,acquisition,quantity\nnobody,old,1\n", "no sale has this trade id"),
        ('disposal,acquisition,quantity\n"sale,old,1\n', "cannot be read"),
    ],
)
def test_a_file_of_lots_that_is_wrong_is_refused_by_its_line(
    data: Path, tmp_path: Path, text: str, sentence: str
) -> None:
    lots = tmp_path / "lots.csv"
    lots.write_text(text)
    said = tax(data, "--year", "2022", "--method", "specific", "--lots", lots)
    assert (said.code, said.out) == (2, "")
    assert sentence in said.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--zone", "Middle/Earth"), "name a time zone"),
        (("--zone", "../etc/passwd"), "name a time zone"),
        (("--zone", ""), "name a time zone"),
        (("--instrument", "DOGE/USDT"), "it was never traded here; there are: BTC/USD:BTC, BTC/USDT, BTC/USDT:USDT"),
        (("--portfolio", "nobody's"), "there is none of this name"),
        (("--method", "specific"), "wants the lots named"),
        (("--long-after", "-1"), "0 to 36500"),
        (("--only", "everything"), "name one of gains, totals"),
        (("--lots", "/nowhere/lots.csv"), "cannot be read"),
    ],
)
def test_what_cannot_be_told_is_refused_by_its_name(data: Path, words: tuple[str, ...], sentence: str) -> None:
    said = tax(data, "--year", "2022", *words)
    assert (said.code, said.out) == (2, "")
    assert sentence in said.err


def test_lots_are_named_for_one_method_only(data: Path, tmp_path: Path) -> None:
    lots = tmp_path / "lots.csv"
    lots.write_text("disposal,acquisition,quantity\nsale,old,1\n")
    said = tax(data, "--year", "2022", "--lots", lots)
    assert said.code == 2
    assert "named for the method specific" in said.err


def test_a_person_a_spreadsheet_and_a_printer_get_the_same_figures(data: Path, tmp_path: Path) -> None:
    """CSV has one table, and no name in it is a formula; a page has all of them."""
    table = tax(data, "--year", "2022").out
    assert table.startswith("Gains\n")
    for title in ("Totals by year", "Income\n", "Income by year", "Fees in other assets", "Open at the end"):
        assert title in table
    assert "sold on the day it was acquired" in table
    rows = list(csv.DictReader(StringIO(tax(data, "--year", "2022", "--format", "csv").out)))
    assert [(row["acquired by"], row["gain"], row["days"]) for row in rows] == [
        ("old", "48", "367"),
        ("'=new", "14", "1"),
        ("'=new", "39.5", "344"),
        ("short", "10", "3"),
    ]
    income = tax(data, "--year", "2022", "--format", "csv", "--only", "income-totals").out
    assert income.splitlines()[0] == "year,kind,received,paid,amount,asset"
    page = tmp_path / "tax.html"
    assert tax(data, "--year", "2022", "--format", "html", "--out", page).out == ""
    told = page.read_text(encoding="utf-8")
    assert "<title>Realised gains 2022 by fifo</title>" in told
    assert told.count("<caption>") == 6
    file = tmp_path / "tax.json"
    assert tax(data, "--year", "2022", "--json", "--out", file).code == 0
    assert json.loads(file.read_text(encoding="utf-8")) == tax(data, "--year", "2022", "--json").json


def test_of_a_year_without_anything_nothing_is_told(data: Path) -> None:
    """But what is open."""
    answer = tax(data, "--year", "2020", "--json").json
    assert {name: answer[name] for name in ("rows", "totals", "income", "open_lots")} == {
        "rows": [],
        "totals": [],
        "income": [],
        "open_lots": [],
    }
    assert tax(data, "--year", "2020").out.startswith("Gains\n")
