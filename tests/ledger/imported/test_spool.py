"""The spool keeps each told thing once, and refuses what contradicts itself or can be no fact."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.ledger.imported.build import build
from plimsoll.ledger.imported.spool import Contradiction, Spool, WantedInstrument
from plimsoll.ledger.imported.told_text import said_of, text_of, told_from
from plimsoll.ledger.schema import imports
from plimsoll.model.cash import CashKind
from plimsoll.model.errors import Illegal
from plimsoll.model.order import Side
from plimsoll.model.told import Told
from plimsoll.store.statements import insert_sql
from tests.builders.ledger import ACCOUNT, CHAIN_KEY, INVERSE, PERPETUAL, Books, books_in_memory
from tests.builders.telling import (
    PLACE,
    VENUE,
    at,
    brought,
    days_told,
    fill,
    made,
    movement,
    opened,
    split,
    spooled,
    staged,
    statement,
    tell,
)

D = Decimal
BUY, SELL = Side.BUY, Side.SELL


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    """Give an empty spool in which a statement has begun."""
    spool = Spool(tmp_path / "making.part")
    spool.begin_statement(statement(), VENUE)
    yield spool
    spool.close()


def counts(spool: Spool) -> list[tuple[int, int, int]]:
    """Give each statement's number, how many things it told, and how many of them were new."""
    return [(one.number, one.told, one.added) for one in spool.statements]


def names(spool: Spool) -> list[str]:
    return [line.name for line in spool.in_order()]


# Once -----------------------------------------------------------------------------------------------------------------


def test_the_same_told_twice_adds_nothing(tmp_path: Path) -> None:
    one, other = fill(1, BUY, "1", "100"), fill(2, SELL, "1", "110")
    spool = spooled(tmp_path / "making.part", [one, other, one, one])
    assert counts(spool) == [(1, 4, 2)]
    assert names(spool) == ["t1", "t2"]
    assert spool.count == 2


def test_a_whole_statement_told_twice_adds_nothing(tmp_path: Path) -> None:
    things = [fill(number, BUY, "1", "100") for number in range(1, 1_200)]
    spool = spooled(tmp_path / "making.part", [*things, *things], things[::-1])
    assert counts(spool) == [(1, 2_398, 1_199), (2, 1_199, 0)]
    assert names(spool) == [f"t{number}" for number in range(1, 1_200)]


def test_what_two_statements_tell_counts_for_the_first(tmp_path: Path) -> None:
    one, two, three = (fill(number, BUY, "1", "100") for number in (1, 2, 3))
    spool = spooled(tmp_path / "making.part", [one, two], [two, three, three])
    assert counts(spool) == [(1, 2, 2), (2, 3, 1)]
    rows = [statement.to_row(ACCOUNT.id) for statement in spool.statements]
    assert [(row[1], row[5], row[6], row[7], row[8]) for row in rows] == [
        (1, "0" * 63 + "1", 2, 2, 0),
        (2, "0" * 63 + "2", 3, 1, 2),
    ]


def test_every_statement_keeps_all_that_it_told(tmp_path: Path) -> None:
    one, two, three = (fill(number, BUY, "1", "100") for number in (1, 2, 3))
    with made([one, two], [three, two, two]) as built:
        lines = staged(built.path)["import_lines"]
    assert [
        (number, item, line, orjson.loads(text)["reference"], raw) for _, _, number, item, line, text, raw in lines
    ] == [
        (1, 1, 2, "t1", "raw 2"),
        (1, 2, 3, "t2", "raw 3"),
        (2, 1, 3, "t2", "raw 3"),
        (2, 2, 4, "t3", "raw 4"),
    ]


def test_lines_that_came_in_their_order_are_counted_as_those_that_did_not(tmp_path: Path) -> None:
    things = [fill(number, BUY, "1", "100") for number in range(1, 6)]
    with made(things[:3], things[3:]) as in_order, made([*things[:3]][::-1], things[3:]) as backwards:
        one, other = staged(in_order.path), staged(backwards.path)
    assert one == other
    assert [row[2:5] for row in one["import_lines"]] == [(1, 1, 2), (1, 2, 3), (1, 3, 4), (2, 1, 5), (2, 2, 6)]


def test_a_book_of_nothing_is_a_book() -> None:
    """The last statement was taken back."""
    with made() as nothing, made([]) as empty:
        for built in (nothing, empty):
            tables = staged(built.path)
            about = dict(row[1:] for row in tables.pop("about"))
            assert set(tables) >= {"trades", "import_lines", "chunks"}
            assert not any(tables.values())
            assert (about["chunks"], about["chain_seq"], about["chain_link"]) == ("0", "0", "0" * 64)
            assert list(built.holdings()) == []


def test_a_fresh_spool_takes_the_place_of_what_lay_there(tmp_path: Path) -> None:
    path = tmp_path / "making.part"
    path.write_bytes(b"what a killed import left")
    spool = spooled(path, [fill(1, BUY, "1", "100")])
    assert spool.count == 1
    assert path.stat().st_mode & 0o777 == 0o600


# Contradictions -------------------------------------------------------------------------------------------------------


def test_a_contradiction_names_both_lines_and_what_differs(tmp_path: Path) -> None:
    told = fill(1, BUY, "1", "100", fee=D("0.1"), fee_asset="USDT")
    other = fill(1, BUY, "1", "101", fee=D(0), lines=(9,))
    with pytest.raises(Contradiction) as refused:
        spooled(tmp_path / "making.part", [told], [other])
    (clash,) = refused.value.clashes
    assert (clash.first, clash.other) == ("1.csv, line 2", "2.csv, line 9")
    assert "TRADE BTC/USDT t1" in clash.what
    assert "price: 100 and 101" in clash.what
    assert "fee: 0.1 and nothing" in clash.what
    assert "import them into different portfolios" in str(refused.value)


def test_one_statement_may_contradict_itself(tmp_path: Path) -> None:
    with pytest.raises(Contradiction, match=r"1\.csv, line 2 and 1\.csv, line 5"):
        spooled(tmp_path / "making.part", [fill(1, BUY, "1", "100"), fill(1, SELL, "1", "100", lines=(5,))])


def test_only_so_many_contradictions_are_told(tmp_path: Path) -> None:
    one = [fill(number, BUY, "1", "100") for number in range(1, 40)]
    other = [fill(number, BUY, "1", "101") for number in range(1, 40)]
    with pytest.raises(Contradiction) as refused:
        spooled(tmp_path / "making.part", one, other)
    assert len(refused.value.clashes) == 20


def test_one_id_of_two_symbols_is_of_two_things(tmp_path: Path) -> None:
    """Venues count fills by instrument, and deposits by asset."""
    things = [
        fill(1, BUY, "1", "100"),
        fill(1, BUY, "1", "100", PERPETUAL),
        movement(1, CashKind.DEPOSIT, "1", "USDT", reference="t1"),
        movement(1, CashKind.DEPOSIT, "1", "BTC", reference="t1"),
        movement(1, CashKind.INTEREST, "1", "BTC", reference="t1"),
    ]
    assert spooled(tmp_path / "making.part", things).count == 5


def test_one_id_at_two_venues_is_of_two_things(tmp_path: Path) -> None:
    """Each of them counts from 1: deposits, rewards, splits and fills of one symbol."""
    things = [
        fill(1, BUY, "1", "100"),
        movement(2, CashKind.DEPOSIT, "1", reference="t1"),
        movement(3, CashKind.INTEREST, "1", symbol="BTC/USDT"),
        split(4, "2", "1"),
    ]
    elsewhere = [replace(told, venue="kraken") for told in things]
    spool = spooled(tmp_path / "making.part", [*things, *elsewhere], elsewhere, [replace(things[1], venue=VENUE)])
    assert counts(spool) == [(1, 8, 8), (2, 4, 0), (3, 1, 0)]
    assert names(spool) == ["t1", "t1", "t1 kraken", "t1 paper", *_at_both("m3 INTEREST BTC/USDT"), "split4", "split4"]


def _at_both(name: str) -> list[str]:
    return [f"{name} kraken", f"{name} paper"]


def test_what_differs_at_two_venues_contradicts_nothing(tmp_path: Path) -> None:
    one, other = fill(1, BUY, "1", "100"), fill(1, SELL, "2", "90", venue="kraken")
    assert spooled(tmp_path / "making.part", [one], [other]).count == 2


@pytest.mark.parametrize(("reference", "venue"), [("a b", "kraken"), ("a", "b kraken")])
def test_a_name_of_several_words_is_told_in_full(tmp_path: Path, reference: str, venue: str) -> None:
    told = movement(1, CashKind.DEPOSIT, "1", reference=reference, venue=venue)
    assert names(spooled(tmp_path / "making.part", [told])) == [f"{reference} DEPOSIT USDT {venue}"]


# What is wanted -------------------------------------------------------------------------------------------------------


def test_it_says_which_instruments_and_strategies_are_needed(spool: Spool) -> None:
    for told in (
        fill(1, BUY, "1", "100", strategy="trend"),
        movement(2, CashKind.FUNDING, "1", symbol="ETH/USDT:USDT"),
        fill(3, BUY, "1", "100", INVERSE, strategy="grid", venue="other", multiplier=D(10)),
        fill(4, SELL, "1", "100", INVERSE, venue="other", multiplier=D("10.0")),
        movement(5, CashKind.FUNDING, "1", symbol=INVERSE.symbol, venue="other"),
        movement(6, CashKind.DEPOSIT, "1"),
    ):
        spool.add(1, told, "")
    wanted = spool.wanted()
    assert wanted.strategies == ("grid", "trend")
    assert wanted.instruments == (
        WantedInstrument("other", "BTC/USD:BTC", "BTC", "USD", "BTC", D(10), inverse=True, traded=True),
        WantedInstrument("paper", "BTC/USDT", "BTC", "USDT", "", D(1), inverse=False, traded=True),
        WantedInstrument("paper", "ETH/USDT:USDT", "ETH", "USDT", "USDT", D(1), inverse=False, traded=False),
    )


def test_a_fill_says_what_funding_before_it_left_open(spool: Spool) -> None:
    spool.add(1, movement(1, CashKind.FUNDING, "1", symbol=PERPETUAL.symbol), "")
    spool.add(1, fill(2, BUY, "1", "100", PERPETUAL, multiplier=D(5)), "")
    (wanted,) = spool.wanted().instruments
    assert (wanted.multiplier, wanted.traded) == (D(5), True)


@pytest.mark.parametrize(
    ("first", "other", "field"),
    [
        ({"multiplier": D(10)}, {"multiplier": D(100)}, "multiplier"),
        ({"inverse": True}, {"inverse": False}, "inverse"),
    ],
)
def test_one_symbol_is_one_contract(spool: Spool, first: dict[str, Any], other: dict[str, Any], field: str) -> None:
    spool.add(1, fill(1, BUY, "1", "100", PERPETUAL, **first), "")
    with pytest.raises(Illegal, match=r"1\.csv, line 2") as refused:
        spool.add(1, fill(2, BUY, "1", "100", PERPETUAL, strategy="grid", **other), "")
    assert refused.value.field == field
    assert spool.wanted().strategies == ()


# Refused --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "field"),
    [
        (fill(1, BUY, "1", "1", symbol="BTCUSDT"), "symbol"),
        (fill(1, BUY, "1", "1", symbol="BTC/"), "symbol"),
        (fill(1, BUY, "1", "1", symbol="BTC/USDT:"), "symbol"),
        (fill(1, BUY, "1", "1", symbol="B TC/USDT"), "symbol"),
        (fill(1, BUY, "1", "1", symbol="B/C/D"), "symbol"),
        (fill(1, BUY, "1", "1", symbol="USD/USD"), "symbol"),
        (fill(1, BUY, "1", "1", inverse=True), "inverse"),
        (fill(1, BUY, "1", "1", sequence=2**63), "sequence"),
        (fill(1, BUY, "1", "1", sequence=-(2**63) - 1), "sequence"),
        (fill(1, BUY, "1e11", "1e11"), "quantity"),
        (fill(1, BUY, "12345678901234567890.123456789012345678", "1e-18", INVERSE), "quantity"),
        (
            fill(
                1,
                BUY,
                "12345678901234567890.123456789012345678",
                "1e10",
                INVERSE,
                multiplier=D("123456.123456789012345678"),
            ),
            "quantity",
        ),
        (fill(1, BUY, "1", "1", reference="a\0b"), "line"),
        (fill(1, BUY, "1", "1", order_id="\ud800"), "line"),
        (fill(1, BUY, "1", "1", reference="\ud800"), "line"),
        (movement(1, CashKind.DEPOSIT, "1", "BTC", symbol=PERPETUAL.symbol), "symbol"),
        (movement(1, CashKind.DEPOSIT, "1", "ETH", symbol="BTC/USDT"), "asset"),
        (movement(1, CashKind.DEPOSIT, "1", "BTC", symbol="BTC/USDT", cost=D(-1)), "cost"),
        (movement(1, CashKind.DEPOSIT, "1", pocket="loan"), "pocket"),
        (movement(1, CashKind.BORROW, "1", pocket="wallet"), "pocket"),
    ],
)
def test_what_can_be_no_fact_is_refused_by_its_field(spool: Spool, told: Told, field: str) -> None:
    with pytest.raises(Illegal) as refused:
        spool.add(1, told, "raw")
    assert refused.value.field == field
    spool.settle()
    assert (spool.count, spool.wanted().strategies) == (0, ())


@pytest.mark.parametrize("raw", ["a\0b", "\ud800"])
def test_a_line_that_no_database_takes_is_refused(spool: Spool, raw: str) -> None:
    with pytest.raises(Illegal, match="UTF-8"):
        spool.add(1, fill(1, BUY, "1", "1"), raw)
    spool.settle()
    assert spool.count == 0


def test_a_text_that_only_looks_like_code_0_is_text(spool: Spool) -> None:
    spool.add(1, fill(1, BUY, "1", "1", note="\\u0000"), "")
    spool.settle()
    assert spool.count == 1


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e-19", "1e20"])
def test_what_is_no_amount_is_no_told_thing(number: str) -> None:
    with pytest.raises(Illegal):
        movement(1, CashKind.DEPOSIT, number)


# Text -----------------------------------------------------------------------------------------------------------------

_FULL = fill(
    3,
    SELL,
    "0.000000000000000001",
    "12345678901234567890",
    PERPETUAL,
    fee=D("-0.000000000000000001"),
    fee_asset="ßNB",
    order_id="o\n1",
    strategy="grid",
    triggered_by="bot:7",
    leg="LONG",
    realized=D(0),
    note='"quoted"',
    multiplier=D("0.01"),
    sequence=-5,
)


@pytest.mark.parametrize(
    "told",
    [
        _FULL,
        fill(1, BUY, "1.50", "100"),
        movement(2, CashKind.DEPOSIT, "1", "BTC", symbol="BTC/USDT", cost=D(0), pocket="margin"),
        movement(2, CashKind.FUNDING, "-0.1", symbol=PERPETUAL.symbol, leg="LONG", strategy="trend"),
        split(4, "4", "1"),
    ],
)
def test_a_told_thing_is_the_same_after_it_was_written_down(told: Told) -> None:
    text = text_of(said_of(told, ""))
    again = told_from(orjson.loads(text), told.lines)
    assert again == told
    assert text_of(said_of(again, "elsewhere" if not told.symbol else "")) == text


def test_only_what_is_not_as_everywhere_is_written() -> None:
    text = text_of(said_of(movement(1, CashKind.DEPOSIT, "1.50"), VENUE))
    assert orjson.loads(text) == {
        "kind": "DEPOSIT",
        "at": "2022-01-21T12:01:00.000000Z",
        "reference": "m1",
        "venue": "paper",
        "asset": "USDT",
        "amount": "1.5",
    }


def test_a_symbol_keeps_its_venue_when_the_statement_is_forgotten() -> None:
    assert said_of(fill(1, BUY, "1", "1"), "kraken")["venue"] == "kraken"
    assert said_of(fill(1, BUY, "1", "1", venue="ibkr"), "kraken")["venue"] == "ibkr"


# Another statement, one taken back ------------------------------------------------------------------------------------


def shown(path: Path) -> Books:
    """Take a making into books and show it, as the last unit of an import does."""
    books = brought(path, opened(books_in_memory()))
    rows = orjson.loads(dict(row[1:] for row in staged(path)["about"])["imports"])
    with books.engine.begin() as connection:
        for row in rows:
            connection.exec_driver_sql(insert_sql(imports), tuple(row))
    return books


def remade(path: Path, books: Books, leaving_out: str | None, *more: tuple[int, list[Told]]) -> dict[str, list[Any]]:
    """Make a book anew of what an earlier making had read, and of other statements."""
    spool = Spool(path)
    spool.load_current(books.engine, ACCOUNT.id, leaving_out)
    for number, things in more:
        tell(spool, number, things)
    spool.settle()
    build(spool, PLACE, CHAIN_KEY, lambda _done, _total: None)
    spool.close()
    return staged(path)


@settings(max_examples=25)
@given(days_told(), st.randoms(use_true_random=False))
def test_a_statement_that_is_taken_back_was_never_there(things: list[Told], chance: Any) -> None:
    """Also where others had told the same: nothing that they know is lost."""
    first, second, third = ([told for told in things if chance.random() < 0.6] for _ in range(3))
    with TemporaryDirectory() as folder, made(first, second, third) as built:
        books, path = shown(built.path), Path(folder) / "making.part"
        whole = staged(built.path)
        assert remade(path, books, None) == whole
        without = remade(path, books, "s-2")
        spool = Spool(path)
        tell(spool, 1, first)
        tell(spool, 3, third)
        spool.settle()
        build(spool, PLACE, CHAIN_KEY, lambda _done, _total: None)
        spool.close()
        assert without == staged(path)


def test_a_statement_gets_a_number_of_its_own(tmp_path: Path) -> None:
    """Also when the last one was taken back: its number is not given again."""
    one, two = [fill(1, BUY, "1", "100")], [fill(2, BUY, "1", "100")]
    with made(one, two) as built:
        books = shown(built.path)
        spool = Spool(tmp_path / "making.part")
        spool.load_current(books.engine, ACCOUNT.id, "s-2")
        assert spool.begin_statement(statement(1), VENUE) == 2
        assert spool.begin_statement(statement(7), VENUE) == 7
        assert [one.number for one in spool.statements] == [1, 2, 7]


def test_how_often_the_first_reading_was_told_something_is_kept(tmp_path: Path) -> None:
    one = fill(1, BUY, "1", "100")
    with made([one, one, one]) as built:
        rows = remade(tmp_path / "making.part", shown(built.path), None)
    ((*_, added, repeated, by, _at),) = orjson.loads(dict(row[1:] for row in rows["about"])["imports"])
    assert (added, repeated, by) == (1, 2, "user:1")


def test_times_are_told_in_order_whatever_the_lines_say(tmp_path: Path) -> None:
    """Time, sequence, name; entries before trades, as the fold has it."""
    things = [
        fill(1, BUY, "1", "100", at=at(5), sequence=1, reference="b"),
        fill(2, BUY, "1", "100", at=at(5), sequence=1, reference="a"),
        fill(3, BUY, "1", "100", at=at(5), sequence=0, reference="z"),
        fill(4, BUY, "1", "100", at=at(4), sequence=9, reference="y"),
        split(5, "2", "1", at=at(5), sequence=1, reference="b"),
        movement(6, CashKind.INTEREST, "1", at=at(5), sequence=1, reference="b"),
    ]
    spool = spooled(tmp_path / "making.part", things)
    assert [(line.name, line.kind) for line in spool.in_order()] == [
        ("y", "TRADE"),
        ("z", "TRADE"),
        ("a", "TRADE"),
        ("b", "SPLIT"),
        ("b", "TRADE"),
        ("b INTEREST USDT paper", "INTEREST"),
    ]
