"""`plimsoll history`: a position's story at the shell."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from plimsoll.ledger.database import create_from_template
from plimsoll.model.cash import CashKind
from tests.builders.happenings import telling
from tests.builders.ledger import PERPETUAL, SPOT, books_at, buy, sell
from tests.cli.shell import plimsoll
from tests.ledger.test_history import flow

FIRST = "2022-01-21T12:00:01.000000Z"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A desk's folder whose book holds two positions."""
    create_from_template(tmp_path / "desk.db")
    books = books_at(tmp_path / "desk.db").open()
    books.book(buy(SPOT, "100", "10", 1), sell(SPOT, "50", "12", 2), buy(PERPETUAL, "1", "10", 3))
    books.close()
    return tmp_path


def test_a_person_reads_it_line_by_line_and_that_it_is_equal(data: Path) -> None:
    said = plimsoll("history", "main", "BTC/USDT", "--data", data)
    assert (said.code, said.err) == (0, "")
    told = said.out.strip().splitlines()
    assert told[0] == "main BTC/USDT (p-1.1.0., account practice)"
    assert " ".join(told[1].split()) == "when what quantity price amount how held cost average realised fees"
    assert " ".join(told[2].split()) == (
        f"{FIRST} buy 100 10 0 USDT value 100 × 10 = 1000; cost 0 + 1000 = 1000 [t1] 100 1000 10 0"
    )
    assert "released 50 of 100 × 1000 = 500; realised 600 − 500 = 100 [t2]" in told[3]
    assert told[-1].strip() == "equal"


def test_a_machine_reads_it_as_fields(data: Path) -> None:
    said = plimsoll("history", "p-1.1.0.", "--data", data, "--json")
    assert said.code == 0
    assert said.json["position"] == {
        "id": "p-1.1.0.",
        "account": "practice",
        "portfolio": "main",
        "symbol": "BTC/USDT",
    }
    assert [step["what"] for step in said.json["steps"]] == ["buy", "sell"]
    assert said.json["steps"][1]["then"] == said.json["told"] == said.json["stored"]
    assert said.json["told"]["realized_pnl"] == "100"
    assert (said.json["equal"], said.json["differences"], said.json["before"]) == (True, [], None)


def test_it_begins_where_it_is_told_to(data: Path) -> None:
    for since in ("2022-01-21T12:00:02", "2022-01-21T13:00:02+01:00"):
        said = plimsoll("history", "p-1.1.0.", "--data", data, "--json", "--since", since)
        assert [step["what"] for step in said.json["steps"]] == ["sell"]
        assert said.json["before"]["quantity"] == "100"
    shown = plimsoll("history", "p-1.1.0.", "--data", data, "--since", "2022-01-21T12:00:02").out.splitlines()
    assert " ".join(shown[2].split()) == f"{FIRST} until then – – – – 100 1000 10 0"
    later = plimsoll("history", "p-1.1.0.", "--data", data, "--json", "--since", "2020-01-01")
    assert (len(later.json["steps"]), later.json["before"]) == (2, None)


def test_a_stored_position_that_is_another_is_told_and_is_no_success(data: Path) -> None:
    with closing(sqlite3.connect(data / "desk.db", isolation_level=None)) as connection:
        connection.execute("UPDATE positions SET cost = '501' WHERE instrument_id = 1")
    said = plimsoll("history", "main", "BTC/USDT", "--data", data)
    assert said.code == 1
    assert said.out.strip().splitlines()[-1].strip() == "NOT EQUAL: cost"
    assert any(line.split() == ["cost", "500", "501"] for line in said.out.splitlines())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["mian", "BTC/USDT"], "position = 'mian BTC/USDT': there is none of this name"),
        (["main", "BTC/USDT", "--since", "yesterday"], "since = 'yesterday': give a day or a time"),
    ],
)
def test_a_wrong_word_is_one_line_and_wrong_use(data: Path, words: list[str], told: str) -> None:
    said = plimsoll("history", *words, "--data", data)
    assert (said.code, said.out) == (2, "")
    assert told in said.err
    assert len(said.err.splitlines()) == 1


def test_where_no_desk_is_there_is_no_story(tmp_path: Path) -> None:
    said = plimsoll("history", "main", "BTC/USDT", "--data", tmp_path)
    assert said.code == 2
    assert "There is no desk here" in said.err


def test_it_reads_beside_a_desk_at_work(data: Path) -> None:
    books = books_at(data / "desk.db")
    books.book(sell(SPOT, "50", "14", 9))
    said = plimsoll("history", "main", "BTC/USDT", "--data", data, "--json")
    assert said.json["told"]["quantity"] == "0"
    books.close()


def test_what_a_position_earned_beside_its_trades_is_told(data: Path) -> None:
    books = books_at(data / "desk.db")
    books.write(telling(flow(CashKind.FUNDING, "-3", 9, PERPETUAL)))
    books.close()
    said = plimsoll("history", "main", PERPETUAL.symbol, "--data", data, "--json")
    assert [(step["what"], step["amount"]) for step in said.json["steps"]] == [("buy", "0"), ("funding", "-3")]
    assert said.json["told"]["flows"] == "-3 FUNDING USDT"
