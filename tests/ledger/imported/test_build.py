"""A making equals what the desk's own units book for the same facts, whatever the order and number of tellings."""

import os
import random
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.ledger import schema
from plimsoll.ledger.digest import canonical
from plimsoll.ledger.imported.build import BookPlace, NotBuilt, build
from plimsoll.ledger.verify import verify
from plimsoll.model.cash import CashKind
from plimsoll.model.errors import Illegal
from plimsoll.model.ids import AccountId, PortfolioId
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import Side
from plimsoll.model.told import Told
from plimsoll.store.place import SqlitePlace
from tests.builders.ledger import CHAIN_KEY, INVERSE, NOON, PERPETUAL, SPOT, Books, books_at
from tests.builders.telling import (
    PLACE,
    STAGED,
    STRATEGIES,
    VENUE,
    at,
    booked,
    days_told,
    fill,
    imported,
    made,
    movement,
    opened,
    split,
    spooled,
    staged,
)

D = Decimal
BUY, SELL = Side.BUY, Side.SELL
EXAMPLES = settings(max_examples=5_000 if os.environ.get("HYPOTHESIS_PROFILE") == "nightly" else 100)
SEEDS = st.integers(0, 2**32)


def said(books: Books) -> dict[str, list[str]]:
    with books.engine.connect() as connection:
        return canonical(connection)


def shuffled(things: Sequence[Told], seed: int) -> list[Told]:
    mixed = list(things)
    random.Random(seed).shuffle(mixed)
    return mixed


# One result -----------------------------------------------------------------------------------------------------------


@EXAMPLES
@given(days_told(), SEEDS)
def test_a_making_is_what_the_desks_own_units_book(things: list[Told], seed: int) -> None:
    """Fills, flows, loans, coins and splits: trades, entries, cash, positions, days and balances are the same."""
    assert said(imported(things)) == said(booked(shuffled(things, seed)))


@EXAMPLES
@given(days_told(), SEEDS)
def test_any_order_and_number_of_tellings_gives_the_same_rows(things: list[Told], seed: int) -> None:
    often = shuffled([told for told in things for _ in range(random.Random(seed).randint(1, 3))], seed)
    with made(things) as once, made(often) as many:
        one, other = staged(once.path), staged(many.path)
    # How often it was told is told, and nothing else.
    one_about, other_about = (dict(row[1:] for row in rows.pop("about")) for rows in (one, other))
    counts, others = (orjson.loads(about.pop("imports")) for about in (one_about, other_about))
    assert (one, one_about) == (other, other_about)
    assert [(*row[:6], row[7]) for row in counts] == [(*row[:6], row[7]) for row in others]


def test_a_making_passes_every_proof(tmp_path: Path) -> None:
    """Hundreds of things of every kind, in many units and chunks, taken in and proved with the chain's key."""
    chance = random.Random(5)
    things: list[Told] = []
    for number in range(1, 900):
        instrument = chance.choice((SPOT, PERPETUAL, INVERSE))
        fee_asset = chance.choice((instrument.base, instrument.quote, "BNB"))
        quantity, price = D(chance.randint(1, 10**9)).scaleb(-9), D(chance.randint(1, 10**7)).scaleb(-3)
        fee = D(chance.randint(-10, 10**5)).scaleb(-9)
        whose = {"strategy": chance.choice(("", "grid", "trend")), "leg": chance.choice(("", "ft-1", "ft-2"))}
        things.append(
            fill(number, chance.choice(list(Side)), quantity, price, instrument, fee=fee, fee_asset=fee_asset, **whose)
        )
        if number % 7 == 0:
            symbol = chance.choice((PERPETUAL.symbol, INVERSE.symbol))
            things.append(movement(number, CashKind.FUNDING, D(number).scaleb(-4), symbol=symbol, **whose))
        if number % 50 == 0:
            things.append(movement(number, CashKind.DEPOSIT, "3", "BTC", symbol=SPOT.symbol, reference=f"in{number}"))
            things.append(movement(number, CashKind.BORROW, "3", reference=f"loan{number}", pocket="margin"))
    things += [split(300, "3", "1"), split(500, "1", "7"), split(600, "2", "1", PERPETUAL)]
    path = tmp_path / "desk.db"
    with made(shuffled(things, 6)) as built:
        chunks = built.chunks
        rows = staged(built.path)
    books = opened(books_at(path))
    _put(books, rows)
    books.close()
    report = verify(SqlitePlace(path), CHAIN_KEY, None)
    assert report.findings == ()
    assert report.checked["trades"] == 899
    assert report.checked["links"] > 10
    assert chunks > 5


def _put(books: Books, rows: dict[str, list[tuple[Any, ...]]]) -> None:
    connection = books.connection
    connection.begin()
    for name in STAGED:
        connection.add(name, [row[1:] for row in rows[name]])
    connection.commit()


def test_a_changed_row_breaks_the_chain_that_was_made_beside_the_desk(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    with made([fill(1, BUY, "1", "100"), fill(2, SELL, "1", "110")]) as built:
        rows = staged(built.path)
    price = schema.trades.columns.keys().index("price") + 1
    first, *others = rows["trades"]
    rows["trades"] = [(*first[:price], "99", *first[price + 1 :]), *others]
    books = opened(books_at(path))
    _put(books, rows)
    books.close()
    assert "broken_link" in {finding.code for finding in verify(SqlitePlace(path), CHAIN_KEY, None).findings}


# What becomes of what -------------------------------------------------------------------------------------------------


def lines_of(*things: Told) -> list[tuple[Any, ...]]:
    """Give the cash lines of what was told: pocket, asset, kind, amount, reference, whose."""
    with made(things) as built:
        return [(*row[5:10], *row[11:]) for row in staged(built.path)["cash_lines"]]


NOBODYS = (None, None, None)


@pytest.mark.parametrize(
    ("told", "lines"),
    [
        (movement(1, CashKind.DEPOSIT, "5"), [("spot", "USDT", "DEPOSIT", "5", "m1 paper", *NOBODYS)]),
        (movement(1, CashKind.WITHDRAWAL, "-5"), [("spot", "USDT", "WITHDRAWAL", "-5", "m1 paper", *NOBODYS)]),
        (
            movement(1, CashKind.DEPOSIT, "-5"),
            [("spot", "USDT", "WITHDRAWAL", "-5", "m1 DEPOSIT USDT paper", *NOBODYS)],
        ),
        (
            movement(1, CashKind.WITHDRAWAL, "5"),
            [("spot", "USDT", "DEPOSIT", "5", "m1 WITHDRAWAL USDT paper", *NOBODYS)],
        ),
        (movement(1, CashKind.TRANSFER, "5"), [("spot", "USDT", "DEPOSIT", "5", "m1 TRANSFER USDT paper", *NOBODYS)]),
        (
            movement(1, CashKind.TRANSFER, "-5"),
            [("spot", "USDT", "WITHDRAWAL", "-5", "m1 TRANSFER USDT paper", *NOBODYS)],
        ),
        (
            movement(1, CashKind.BORROW, "5", pocket="margin"),
            [
                ("margin", "USDT", "BORROW", "5", "m1 paper", *NOBODYS),
                ("loan", "USDT", "BORROW", "-5", "m1 paper", *NOBODYS),
            ],
        ),
        (
            movement(1, CashKind.REPAY, "-5"),
            [
                ("spot", "USDT", "REPAY", "-5", "m1 paper", *NOBODYS),
                ("loan", "USDT", "REPAY", "5", "m1 paper", *NOBODYS),
            ],
        ),
        (
            movement(1, CashKind.BORROW, "5", symbol=SPOT.symbol),
            [
                ("spot", "USDT", "BORROW", "5", "m1 BORROW BTC/USDT paper", *NOBODYS),
                ("loan", "USDT", "BORROW", "-5", "m1 BORROW BTC/USDT paper", *NOBODYS),
            ],
        ),
        (
            movement(1, CashKind.INTEREST, "-5"),
            [("spot", "USDT", "INTEREST", "-5", "m1 INTEREST USDT paper", *NOBODYS)],
        ),
        (
            movement(1, CashKind.INTEREST, "1", reference="a b"),
            [("spot", "USDT", "INTEREST", "1", "a b INTEREST USDT paper", *NOBODYS)],
        ),
        (
            movement(1, CashKind.ADJUSTMENT, "-5", note="a fee"),
            [("spot", "USDT", "ADJUSTMENT", "-5", "m1 ADJUSTMENT USDT paper", *NOBODYS)],
        ),
        (
            movement(1, CashKind.ADJUSTMENT, "-5"),
            [("spot", "USDT", "ADJUSTMENT", "-5", "m1 ADJUSTMENT USDT paper", *NOBODYS)],
        ),
        (
            movement(1, CashKind.FUNDING, "-5", symbol=PERPETUAL.symbol, strategy="grid", leg="LONG", pocket="futures"),
            [("futures", "USDT", "FUNDING", "-5", "m1 FUNDING BTC/USDT:USDT paper", 2, 7, "LONG")],
        ),
        (
            movement(1, CashKind.DIVIDEND, "5", symbol=SPOT.symbol),
            [("spot", "USDT", "DIVIDEND", "5", "m1 DIVIDEND BTC/USDT paper", 1, 0, None)],
        ),
    ],
)
def test_every_movement_is_booked_by_its_sign_and_under_a_name_of_its_own(
    told: Told, lines: list[tuple[Any, ...]]
) -> None:
    assert lines_of(told) == lines


def test_two_contracts_paid_in_one_asset_under_one_id_are_two_facts() -> None:
    """A statement counts its ids by symbol; the book keeps a line once by its kind and asset."""
    funding = [movement(1, CashKind.FUNDING, "1", symbol=one.symbol) for one in (PERPETUAL, SPOT)]
    money = [movement(1, kind, "2") for kind in (CashKind.FUNDING, CashKind.DEPOSIT, CashKind.TRANSFER)]
    books = imported([*funding, *money])
    with books.engine.connect() as connection:
        count = connection.exec_driver_sql("SELECT count(*), count(DISTINCT reference) FROM cash_lines").one()
    assert tuple(count) == (5, 4)


def test_coins_that_come_bring_what_they_had_cost() -> None:
    coins = {"asset": "BTC", "symbol": SPOT.symbol}
    with made(
        [
            movement(1, CashKind.DEPOSIT, "2", cost=D(50), **coins),
            movement(2, CashKind.TRANSFER, "2", **coins),
            movement(3, CashKind.WITHDRAWAL, "-1", cost=D(9), **coins),
        ]
    ) as built:
        rows = staged(built.path)["position_entries"]
        (held,) = built.holdings()
    assert [(row[8], row[9], row[11], row[12]) for row in rows] == [
        ("IN", "2", "50", "m1 DEPOSIT BTC paper"),
        ("IN", "2", None, "m2 TRANSFER BTC/USDT paper"),
        ("OUT", "1", None, "m3 WITHDRAWAL BTC paper"),
    ]
    position = held.position
    # Half of what is there has no known cost, and so has half of what goes.
    assert (position.quantity, position.uncosted, position.cost) == (D(3), D("1.5"), D("37.5"))


def test_a_holding_says_its_average_and_how_many_fills_made_it() -> None:
    things = [fill(1, BUY, "1", "100", strategy="grid"), fill(2, BUY, "3", "200", strategy="grid")]
    things += [fill(3, BUY, "1", "100", leg="a"), fill(4, SELL, "1", "100", leg="a")]
    things.append(movement(5, CashKind.DEPOSIT, "1", "BTC", symbol=SPOT.symbol, leg="unknown"))
    with made(things) as built:
        held = {
            (one.venue, one.strategy, one.position.leg): (one.avg_price, one.trade_count) for one in built.holdings()
        }
    assert held == {
        (VENUE, "grid", ""): (D(175), 2),
        (VENUE, "", "a"): (None, 2),
        (VENUE, "", "unknown"): (None, 0),
    }


def test_a_split_is_of_every_position_that_something_happened_to() -> None:
    with made(
        [
            fill(1, BUY, "2", "100"),
            fill(2, BUY, "1", "100", strategy="grid"),
            fill(3, BUY, "1", "100", PERPETUAL),
            movement(4, CashKind.DIVIDEND, "1", symbol=SPOT.symbol, leg="untouched"),
            split(5, "3", "1"),
            fill(6, BUY, "1", "100", strategy="trend"),
        ]
    ) as built:
        held = {(one.symbol, one.strategy, one.position.leg): one.position.quantity for one in built.holdings()}
        touched = {one.position.leg for one in built.holdings() if one.position.folded_to is not None}
        lines = [row[5:10] for row in staged(built.path)["cash_lines"] if row[7] == "SPLIT"]
    assert touched == {""}
    assert held == {
        ("BTC/USDT", "", ""): D(6),
        ("BTC/USDT", "grid", ""): D(3),
        ("BTC/USDT", "trend", ""): D(1),
        ("BTC/USDT", "", "untouched"): D(0),
        ("BTC/USDT:USDT", "", ""): D(1),
    }
    assert lines == [
        ("spot", "BTC", "SPLIT", "4", "split5:1:0:"),
        ("spot", "BTC", "SPLIT", "2", "split5:1:7:"),
    ]


def test_a_derivative_pays_what_the_venue_said_or_what_the_fold_has() -> None:
    ours = [fill(1, BUY, "1", "100", PERPETUAL), fill(2, SELL, "1", "110", PERPETUAL)]
    theirs = [fill(1, BUY, "1", "100", PERPETUAL), fill(2, SELL, "1", "110", PERPETUAL, realized=D("9.9"))]
    nothing = [fill(1, BUY, "1", "100", PERPETUAL), fill(2, SELL, "1", "110", PERPETUAL, realized=D(0))]
    assert [line[:4] for line in lines_of(*ours)] == [("futures", "USDT", "TRADE", "10")]
    assert [line[:4] for line in lines_of(*theirs)] == [("futures", "USDT", "TRADE", "9.9")]
    assert lines_of(*nothing) == []


def test_a_fee_in_coins_leaves_the_holding() -> None:
    with made([fill(1, BUY, "2", "100", fee=D("0.5"), fee_asset="BTC")]) as built:
        (held,) = built.holdings()
        balances = [row[3:] for row in staged(built.path)["balances"]]
    assert (held.position.quantity, held.position.cost, held.position.fee_cost) == (D("1.5"), D(150), D(50))
    assert balances == [("spot", "BTC", "1.5"), ("spot", "USDT", "-200")]


def test_what_comes_to_nothing_is_left_out() -> None:
    """A fee and its rebate, funding paid and paid back."""
    whose: dict[str, Any] = {"symbol": PERPETUAL.symbol, "at": at(1)}
    with made(
        [
            fill(1, BUY, "1", "100", PERPETUAL, fee=D("0.1"), fee_asset="BNB", at=at(1)),
            fill(2, BUY, "1", "100", PERPETUAL, fee=D("-0.1"), fee_asset="BNB", at=at(1)),
            movement(3, CashKind.FUNDING, "5", **whose),
            movement(4, CashKind.FUNDING, "-5", **whose),
        ]
    ) as built:
        (held,) = built.holdings()
        (day,) = staged(built.path)["pnl_days"]
    assert (held.position.fees, held.position.flows) == ((), ())
    assert day[-2:] == ("{}", "[]")


def test_the_last_place_is_kept() -> None:
    tiny = "0.000000000000000001"
    with made([fill(1, BUY, tiny, "1"), fill(2, BUY, "3", tiny), fill(3, BUY, tiny, tiny)]) as built:
        (held,) = built.holdings()
        trades = [(row[13], row[14], row[15]) for row in staged(built.path)["trades"]]
    assert trades == [
        (tiny, "1", tiny),
        ("3", tiny, "0.000000000000000003"),
        (tiny, tiny, "0"),
    ]
    assert held.position.cost == D("0.000000000000000004")


# Units and chunks -----------------------------------------------------------------------------------------------------


def test_a_chunk_holds_whole_units_and_every_row_is_in_one() -> None:
    things = [fill(number, BUY, "1", "100", fee=D(1), fee_asset="BNB") for number in range(1, 1_151)]
    things += [movement(number, CashKind.DEPOSIT, "1", "BTC", symbol=SPOT.symbol) for number in range(1, 300)]
    with made(things) as built:
        rows = staged(built.path)
        assert built.rows == {name: len(rows[name]) for name in STAGED}
    chunks = [row[1:] for row in rows["chunks"]]
    assert {number for number, *_ in chunks} == set(range(1, built.chunks + 1))
    for name in STAGED:
        stretches = [(first, last) for _, table, first, last in chunks if table == name]
        assert [first for first, _ in stretches] == [1, *(last + 1 for _, last in stretches[:-1])]
        assert stretches[-1][1] == len(rows[name])
    for number in range(1, built.chunks + 1):
        assert sum(last - first + 1 for one, _, first, last in chunks if one == number) <= 2_000
    linked = {"trades": 3, "cash_lines": 3, "position_entries": 3, "audit_log": 2}
    for number, table, first, last in chunks:
        if table in linked:
            units = {row[linked[table]] for row in rows[table][first - 1 : last]}
            behind = {row[linked[table]] for row in rows[table][last:]}
            assert not units & behind, f"chunk {number} ends within a unit of {table}"
    firsts = {table: min(number for number, name, *_ in chunks if name == table) for table in STAGED if rows[table]}
    assert max(number for number, name, *_ in chunks if name in linked) < min(
        firsts[name] for name in ("positions", "pnl_days", "balances", "import_lines")
    )


def test_progress_is_told_up_to_the_end(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    spool = spooled(tmp_path / "making.part", [fill(number, BUY, "1", "100") for number in range(1, 251)])
    build(spool, PLACE, CHAIN_KEY, lambda done, total: told.append((done, total)))
    spool.close()
    assert told == [(100, 250), (200, 250), (250, 250)]


def test_a_trial_run_and_the_real_one_use_one_spool(tmp_path: Path) -> None:
    """With ids and a key that are made up first: the second making knows nothing of the first."""
    things = [fill(number, BUY, "1", "100") for number in range(1, 151)]
    spool = spooled(tmp_path / "making.part", things)
    trial = BookPlace(AccountId(1), PortfolioId(1), PLACE.instruments, STRATEGIES, "user:9", NOON)
    build(spool, trial, b"no key", lambda _done, _total: None)
    build(spool, PLACE, CHAIN_KEY, lambda _done, _total: None)
    spool.close()
    with made(things) as once:
        assert staged(spool.path) == staged(once.path)


def test_every_unit_says_who_imports_and_what_time_it_is_of() -> None:
    with made([fill(1, BUY, "1", "100"), fill(2, SELL, "1", "100")]) as built:
        (row,) = staged(built.path)["audit_log"]
    assert row[1:8] == (1, 1, "2022-01-21T12:00:00.000000Z", "user:1", "IMPORT", "1..2", "CREATE")
    assert orjson.loads(row[8]) == {"from": "2022-01-21T12:01:00.000000Z", "until": "2022-01-21T12:02:00.000000Z"}


# Refused --------------------------------------------------------------------------------------------------------------


def test_a_profit_that_no_book_holds_is_refused_by_its_line() -> None:
    things = [fill(number, SELL, "9e9", "9e9", PERPETUAL, lines=(number,)) for number in (1, 2)]
    with (
        pytest.raises(NotBuilt, match=r"1\.csv, line 3: realized"),
        made([*things, fill(3, BUY, "18e9", "1", PERPETUAL, lines=(3,))]),
    ):
        pass


def test_a_sum_that_no_book_holds_is_refused() -> None:
    with (
        pytest.raises(Illegal, match="comes to a number that no book holds"),
        made([fill(number, SELL, "9e9", "9e9", at=at(1)) for number in (1, 2)]),
    ):
        pass


@pytest.mark.parametrize("instrument", [SPOT, PERPETUAL])
def test_a_file_of_which_something_was_refused_is_no_making(tmp_path: Path, instrument: Instrument) -> None:
    """It says nothing about itself, so nobody takes it."""
    spool = spooled(tmp_path / "making.part", [fill(number, SELL, "9e9", "9e9", instrument) for number in (1, 2)])
    with pytest.raises(Illegal):
        build(spool, PLACE, CHAIN_KEY, lambda _done, _total: None)
    spool.connection.execute("COMMIT")
    spool.close()
    assert staged(spool.path)["about"] == []
