"""freqtrade's own databases, cases and backtest: every trade comes to what freqtrade says it made."""

import hashlib
import json
import random
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from plimsoll.imports.freqtrade import FreqtradeStatement, open_freqtrade
from plimsoll.imports.statement import Options
from plimsoll.imports.theirs import Report, compare, net_of
from plimsoll.model.cash import CashKind
from plimsoll.model.told import Told
from tests.builders.ledger import D
from tests.imports.freqtrade_made import SINCE, MadeDatabase
from tests.imports.told_nets import positions_by_leg, told_of

CLOSE = D("0.00000001")


def nets(told: list[Told]) -> dict[str, Decimal]:
    return {leg: net_of(position, "USDT") for leg, position in positions_by_leg(told).items()}


def report_of(statement: FreqtradeStatement, told: list[Told] | None = None) -> Report:
    lines = told_of(statement.read()) if told is None else told
    return compare(statement.theirs(), nets(lines), len(lines), statement.sha256)


def expected(test_data: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((test_data / "freqtrade" / f"{name}.expected.json").read_text())
    return found


def assert_same(report: Report, theirs: dict[int, float]) -> None:
    assert {profit.id for profit in report.profits} == set(theirs)
    for profit in report.profits:
        assert isinstance(profit.id, int)
        assert profit.theirs is not None
        assert abs(D(repr(theirs[profit.id])) - profit.theirs) <= CLOSE, profit
        assert abs(profit.ours - profit.theirs) <= CLOSE, profit


def test_every_trade_that_freqtrade_tests_itself_by_makes_the_same_here(test_data: Path) -> None:
    """Spot, margin and futures, long and short, several entries and partial exits: to the eighth place."""
    statement = open_freqtrade(test_data / "freqtrade" / "tradesv3_cases.sqlite", Options())
    report = report_of(statement)
    asserted = expected(test_data, "tradesv3_cases")["asserted_by_freqtrade_tests"]
    assert_same(report, {int(number): case["close_profit_abs"] for number, case in asserted.items()})
    assert report.flagged == ()


def test_doubled_and_shuffled_lines_make_the_same_profits(test_data: Path) -> None:
    """What is told twice is told once, and its order is its own."""
    statement = open_freqtrade(test_data / "freqtrade" / "tradesv3_cases.sqlite", Options())
    told = told_of(statement.read())
    shuffled = told * 2
    random.Random(7).shuffle(shuffled)
    assert len({each.key for each in told}) == len(told)
    assert report_of(statement, shuffled).profits == report_of(statement, told).profits


def test_what_freqtrade_writes_about_its_trades_is_what_we_read(test_data: Path) -> None:
    """Pair, way, strategy and profit stand in freqtrade's own JSON as they are told here."""
    for name in ("tradesv3_cases", "tradesv3_mock_usdt_long"):
        statement = open_freqtrade(test_data / "freqtrade" / f"{name}.sqlite", Options())
        for trade, said in zip(statement.trades, expected(test_data, name)["freqtrade_to_json"], strict=True):
            assert (trade.id, trade.symbol, trade.currency) == (said["trade_id"], said["pair"], said["quote_currency"])
            assert (trade.is_open, trade.is_short, trade.strategy) == (
                *(said["is_open"], said["is_short"]),
                said["strategy"],
            )
            assert (None if trade.profit is None else float(trade.profit)) == said["close_profit_abs"]
            assert sum(order["filled"] > 0 for order in said["orders"]) == len(trade.orders)


def test_profits_that_contradict_their_own_orders_are_named_and_not_mended(test_data: Path) -> None:
    """Two closed trades of the mock database have an exit that was never filled."""
    statement = open_freqtrade(test_data / "freqtrade" / "tradesv3_mock_usdt_long.sqlite", Options())
    told = told_of(statement.read())
    report = report_of(statement, told)
    assert [(flagged.profit.id, flagged.profit.theirs) for flagged in report.flagged] == [
        (1, D("-4.09")),
        (2, D("3.9875")),
    ]
    assert [flagged.profit.ours for flagged in report.flagged] == [D("-0.05"), D("-0.5")]
    assert "its orders leave 2 LTC unsold" in report.flagged[0].why
    assert [(profit.id, profit.ours) for profit in report.profits][2] == (3, D("2.8425"))
    open_now = {leg: position.quantity for leg, position in positions_by_leg(told).items() if not position.is_flat}
    assert open_now == {
        "ft-1@2024-03-29T23:40:00": 2,
        "ft-2@2024-03-31T23:40:00": 100,
        "ft-5@2024-03-31T23:48:00": 10,
        "ft-6@2024-03-31T23:55:00": 2,
        "ft-7@2024-03-31T23:43:00": 10,
    }


def test_the_report_is_written_as_json_with_numbers_as_text(test_data: Path) -> None:
    """Its shape is what scripts read."""
    path = test_data / "freqtrade" / "tradesv3_mock_usdt_long.sqlite"
    written = report_of(open_freqtrade(path, Options())).as_json()
    assert list(written) == ["trades_added", "profits", "flagged", "source_sha256"]
    assert written["profits"][2] == {"id": 3, "theirs": "2.8425", "ours": "2.8425"}  # type: ignore[index]
    assert written["source_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    json.dumps(written)


def test_each_trade_is_a_leg_and_keeps_its_strategy_and_its_tag(test_data: Path) -> None:
    """Two trades in one pair stay two, and what decided is still known."""
    statement = open_freqtrade(test_data / "freqtrade" / "tradesv3_mock_usdt_long.sqlite", Options())
    by_reference = {told.reference: told for told in told_of(statement.read())}
    exit_ = by_reference["ft:3@2024-03-31T23:40:00:41231a666a_long"]
    assert exit_.leg == "ft-3@2024-03-31T23:40:00"
    assert (exit_.strategy, exit_.triggered_by) == ("StrategyTestV2", "freqtrade:StrategyTestV2")
    assert (exit_.order_id, exit_.note, exit_.lines) == ("41231a666a_long", "exit roi", (6,))
    assert by_reference["ft:3@2024-03-31T23:40:00:41231a12a_long"].note == "entry TEST3"
    assert exit_.at == datetime(2024, 4, 1, tzinfo=UTC)
    assert statement.venue == "binance"
    assert {told.venue for told in by_reference.values()} == {""}


def test_funding_and_interest_belong_to_the_position_of_their_trade(test_data: Path) -> None:
    """Gained is above zero, paid below; both name symbol, strategy and leg."""
    told = told_of(open_freqtrade(test_data / "freqtrade" / "tradesv3_cases.sqlite", Options()).read())
    funding = {number_of(each): (each.amount, each.pocket) for each in told if each.kind is CashKind.FUNDING}
    assert funding == {
        10: (D(1), "futures"),
        12: (D(-1), "futures"),
        13: (D(1), "futures"),
        14: (D(-1), "futures"),
    }
    interest = {number_of(each): each for each in told if each.kind is CashKind.INTEREST}
    # 30 ADA borrowed for one begun hour of a daily 0.0005, bought back at 2.0 with a fee of 0.0025.
    assert interest[2].amount == D("-0.001253125")
    assert (interest[2].symbol, interest[2].asset, interest[2].strategy) == ("ADA/USDT", "USDT", "FreqtradeUnitTest")
    assert set(interest) == {2, 3, 4, 6, 7, 8}


def number_of(told: Told) -> int:
    return int(told.leg.removeprefix("ft-").partition("@")[0])


def cases() -> list[str]:
    return [f"freqtrade-calc_profit-{number}" for number in range(0, 60, 3)] + [
        f"freqtrade-open_close-{number}" for number in (1, 4, 7, 10, 13)
    ]


@pytest.mark.parametrize("name", cases())
def test_a_database_made_of_a_published_case_makes_what_the_case_says(
    test_data: Path, tmp_path: Path, name: str
) -> None:
    """Fees, leverage, funding and interest of every case, through a database of freqtrade's."""
    every = json.loads((test_data / "pnl_cases" / "open_close_fees_funding.json").read_text())["cases"]
    (case,) = (each for each in every if each["id"] == name)
    assert len(every) == len(cases())
    path = tmp_path / "tradesv3.sqlite"
    MadeDatabase(path).round_trip_of(1, case)
    (profit,) = report_of(open_freqtrade(path, Options())).profits
    # Three of the cases are written with one digit less than they have, and are compared by a millionth upstream.
    assert float(profit.ours) == pytest.approx(case["expect"]["profit_abs"], rel=1e-6)


def test_a_backtest_makes_here_what_it_says_it_made(test_data: Path) -> None:
    """Leverage, shorts, partial exits and funding of an exported backtest."""
    path = test_data / "freqtrade" / "backtest_export_futures.json"
    statement = open_freqtrade(path, Options())
    report = report_of(statement)
    said = json.loads(path.read_text())["strategy"]["ProbeFutures"]
    assert [profit.theirs for profit in report.profits] == [D(repr(trade["profit_abs"])) for trade in said["trades"]]
    assert report.flagged == ()
    assert float(sum(profit.ours for profit in report.profits)) == pytest.approx(said["profit_total_abs"], abs=1e-7)
    assert (statement.format, statement.venue) == ("freqtrade-backtest", "freqtrade")
    assert {told.strategy for told in told_of(statement.read())} == {"ProbeFutures"}


def test_what_stands_only_in_the_log_of_writes_comes_along_and_the_source_is_untouched(tmp_path: Path) -> None:
    """A running freqtrade keeps its newest trades beside its file; nothing there is changed by looking."""
    path = tmp_path / "tradesv3.sqlite"
    MadeDatabase(path).round_trip(1)
    with closing(sqlite3.connect(path, isolation_level=None)) as running:
        running.execute("PRAGMA journal_mode = WAL")
        running.execute("PRAGMA wal_autocheckpoint = 0")
        running.execute("UPDATE trades SET strategy = 'Newest'")
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        for file in ("tradesv3.sqlite", "tradesv3.sqlite-wal"):
            shutil.copyfile(tmp_path / file, elsewhere / file)
    before = {file.name: file.read_bytes() for file in elsewhere.iterdir()}
    statement = open_freqtrade(elsewhere / "tradesv3.sqlite", Options())
    assert {told.strategy for told in told_of(statement.read())} == {"Newest"}
    assert {file.name: file.read_bytes() for file in elsewhere.iterdir()} == before
    assert statement.sha256 == hashlib.sha256(before["tradesv3.sqlite"]).hexdigest()


def test_a_person_may_say_of_which_venue_the_trades_are(tmp_path: Path) -> None:
    """Otherwise each exchange keeps its own, and the first one names the statement's."""
    made = (
        MadeDatabase(tmp_path / "tradesv3.sqlite")
        .round_trip(1)
        .round_trip(2, exchange="Kraken", trading_mode="MARGIN", leverage=3.0, interest_rate=0.0005)
    )
    ours = open_freqtrade(made.path, Options())
    assert ours.venue == "binance"
    assert {told.leg: told.venue for told in told_of(ours.read())} == {f"ft-1{SINCE}": "", f"ft-2{SINCE}": "kraken"}
    theirs = open_freqtrade(made.path, Options(venue="mine"))
    assert theirs.venue == "mine"
    assert {told.venue for told in told_of(theirs.read())} == {""}
    # What its exchange charges stays what it charges.
    assert (
        nets(told_of(theirs.read()))
        == nets(told_of(ours.read()))
        == {f"ft-1{SINCE}": D("5.685"), f"ft-2{SINCE}": D("5.645")}
    )
