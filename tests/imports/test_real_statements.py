"""Statements that other people's programs are tested with: each is told to the last digit, or refused by a sentence."""

import hashlib
import random
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from plimsoll.imports.reading import NotReadable, Options, open_statement
from plimsoll.model.cash import CashKind
from plimsoll.model.order import Side
from tests.builders.statements import read, written

D = Decimal
USD = Options(currency="USD")

#: File, what somebody must add, and what it comes to: its format, told things, complaints.
IMPORTED = [
    ("crypto_csv/dali_test_binance_autoinvest.csv", Options(dates="mdy"), "binance-auto-invest", 2),
    ("crypto_csv/dali_test_coincheck_buys.csv", Options(), "coincheck", 1),
    ("crypto_csv/dali_test_manual_in.csv", Options(), "dali-in", 2),
    ("crypto_csv/dali_test_manual_out.csv", USD, "dali-out", 1),
    ("crypto_csv/dali_test_pionex_trades.csv", Options(), "pionex", 2),
    ("crypto_csv/rotki_coinbasepro.csv", Options(), "coinbase-pro", 11),
    ("ibkr/ghostfolio_vti-buy-on-ibkr_flex_trades.csv", Options(), "ibkr-flex", 1),
    ("mt5/mt5_deals_small.csv", USD, "mt5", 5),
]


@pytest.mark.parametrize(("name", "options", "format_name", "told"), IMPORTED)
def test_a_real_statement_is_told_whole(
    test_data: Path, name: str, options: Options, format_name: str, told: int
) -> None:
    path = test_data / "broker_statements" / name
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    found = read(path, options)
    assert (found.format, len(found.told), found.sentences) == (format_name, told, [])
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before == open_statement(path, options).sha256


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("broker_statements/crypto_csv/dali_test_kraken_CSV.zip", "these are prices, not trades"),
        ("broker_statements/mt5/mt5_deals_small.csv", "column 'Profit': the export does not say in which currency"),
        ("cost_basis_rp2/crypto_example_input.ods", "this is a spreadsheet"),
        ("cost_basis_rp2/crypto_example_fifo__BTC_Tax.csv", "column 'Gain / Loss Summary': this is a result of rp2"),
        ("cost_basis_rp2/crypto_example_lofo__Summary.csv", "column 'Yearly Gain / Loss Summary': this is a result"),
    ],
)
def test_what_is_no_statement_is_refused_by_a_sentence(test_data: Path, name: str, sentence: str) -> None:
    with pytest.raises(NotReadable, match=sentence):
        list(open_statement(test_data / name, Options()).read())


@pytest.mark.parametrize(
    ("name", "line", "column"),
    [
        ("dali_test_binance_autoinvest.csv", 2, "Auto-Invest Date(UTC)"),
        ("dali_test_manual_out.csv", 2, "Spot Price"),
        ("dali_test_manual_intra.csv", 6, "Unique ID"),
    ],
)
def test_a_line_that_may_mean_two_things_is_refused_by_line_and_column(
    test_data: Path, name: str, line: int, column: str
) -> None:
    found = read(test_data / "broker_statements/crypto_csv" / name)
    assert (found.complaints[0].line, found.complaints[0].column) == (line, column)


@pytest.mark.parametrize(("name", "options"), [case[:2] for case in IMPORTED])
def test_the_order_of_lines_does_not_matter(test_data: Path, tmp_path: Path, name: str, options: Options) -> None:
    header, *lines = (test_data / "broker_statements" / name).read_text().splitlines()
    whole = read(test_data / "broker_statements" / name, options)
    random.Random(7).shuffle(lines)
    shuffled = read(written(tmp_path, "\n".join([header, *lines])), options)
    assert shuffled.facts == whole.facts


@pytest.mark.parametrize(
    ("name", "options"),
    [
        (name, options)
        for name, options, format_name, _ in IMPORTED
        if format_name in ("coinbase-pro", "ibkr-flex", "mt5")
    ],
)
def test_lines_with_ids_that_stand_there_twice_tell_nothing_new(
    test_data: Path, tmp_path: Path, name: str, options: Options
) -> None:
    header, *lines = (test_data / "broker_statements" / name).read_text().splitlines()
    whole = read(test_data / "broker_statements" / name, options)
    doubled = read(written(tmp_path, "\n".join([header, *lines, header, *lines])), options)
    assert set(doubled.facts) == set(whole.facts)
    assert {told.key for told in doubled.told} == {told.key for told in whole.told}


def test_coinbase_pro_tells_a_trade_of_three_lines_as_one_fill(test_data: Path) -> None:
    found = read(test_data / "broker_statements/crypto_csv/rotki_coinbasepro.csv")
    fill = next(told for told in found.told if told.reference == "10201")
    assert (fill.symbol, fill.side, fill.quantity) == ("ETH/BTC", Side.BUY, D("52.3"))
    assert (fill.fee, fill.fee_asset, fill.lines, fill.sequence) == (D("0.00344196"), "BTC", (3, 4, 5), 10201)
    assert abs(fill.price * fill.quantity - D("1.14732")) < D("1e-16")
    assert found.raws[found.told.index(fill)].count("\n") == 2


def test_coinbase_pro_balances_come_to_what_the_export_says(test_data: Path) -> None:
    found = read(test_data / "broker_statements/crypto_csv/rotki_coinbasepro.csv")
    held = {"BTC": D(0), "ETH": D(0)}
    for told in found.told:
        if told.kind is CashKind.TRADE:
            assert told.side is Side.BUY
            held["ETH"] += told.quantity
            held["BTC"] -= told.quantity * told.price
            held["BTC"] -= told.fee
        else:
            held[told.asset] += told.amount
    assert held["ETH"] == D("18.5")
    assert abs(held["BTC"] - D("4.622085780")) < D("1e-8")


def test_an_interactive_brokers_trade_is_told_at_new_york_time(test_data: Path) -> None:
    path = test_data / "broker_statements/ibkr/ghostfolio_vti-buy-on-ibkr_flex_trades.csv"
    [told] = read(path).told
    assert (told.symbol, told.side, told.quantity, told.price) == ("VTI/USD", Side.BUY, D(17), D("204.3473"))
    assert (told.fee, told.fee_asset, told.reference) == (D(1), "USD", "1234567890")
    assert told.at == datetime(2023, 4, 3, 13, 58, 53, tzinfo=UTC)
    [elsewhere] = read(path, Options(zone="Europe/Berlin")).told
    assert elsewhere.at == datetime(2023, 4, 3, 7, 58, 53, tzinfo=UTC)


def test_metatrader_deals_are_told_with_lot_profit_commission_and_swap(test_data: Path) -> None:
    found = read(test_data / "broker_statements/mt5/mt5_deals_small.csv", USD)
    deposit, bought, sold, last, swap = found.told
    assert (deposit.kind, deposit.asset, deposit.amount) == (CashKind.DEPOSIT, "USD", D(10000))
    assert (bought.symbol, bought.multiplier, bought.fee) == ("XAUUSD.pro/USD:USD", D(100), D("1.40"))
    assert [told.realized for told in (bought, sold, last)] == [D(0), D(100), D(-100)]
    assert [told.sequence for told in found.told] == [100, 101, 102, 103, 103]
    assert (swap.kind, swap.symbol, swap.amount) == (CashKind.FUNDING, "XAUUSD.pro/USD:USD", D("-0.50"))


def test_rp2_books_tell_income_gifts_and_the_fees_of_moves(test_data: Path) -> None:
    found = read(test_data / "cost_basis_rp2/crypto_example_fifo__BTC_In-Out.csv")
    assert found.complaints == []
    sold = [told for told in found.told if told.side is Side.SELL]
    # 2.01 of 2021 are 2 sold and a fee of 0.01 in coins; 0.07 left with moves between Bob's own places.
    assert sum(told.quantity + (told.fee if told.fee_asset == "BTC" else 0) for told in sold) == D("12.07")
    bought = [told for told in found.told if told.side is Side.BUY]
    assert sum(told.quantity for told in bought) == D(15)
    earned = [told for told in found.told if told.kind is CashKind.INTEREST]
    assert [(told.symbol, told.asset, told.amount) for told in earned] == [
        ("BTC/USD", "USD", D(24000)),
        ("BTC/USD", "USD", D(39000)),
    ]
    gone = [told for told in found.told if told.kind is CashKind.WITHDRAWAL]
    assert [(told.note, told.amount) for told in gone] == [
        ("gift", D(-71000)),
        ("donate", D(-54197)),
        ("fee of a move", D(-114)),
        ("fee of a move", D(-288)),
        ("fee of a move", D(-856)),
    ]


def test_rp2_golden_gains_follow_from_what_is_told(test_data: Path) -> None:
    """Match first in, first out by hand: the gains of RP2's own report, year by year, come out to the dollar."""
    found = read(test_data / "cost_basis_rp2/crypto_example_fifo__BTC_In-Out.csv")
    fills = sorted((told for told in found.told if told.kind is CashKind.TRADE), key=lambda told: told.order)
    lots: list[list[Decimal]] = []
    gains: dict[tuple[int, str], Decimal] = {}
    for fill in fills:
        if fill.side is Side.BUY:
            lots.append([fill.quantity, (fill.quantity * fill.price + fill.fee) / fill.quantity])
            continue
        wanted = fill.quantity + (fill.fee if fill.fee_asset == "BTC" else D(0))
        gain = fill.quantity * fill.price
        while wanted:
            taken = min(wanted, lots[0][0])
            gain -= taken * lots[0][1]
            wanted -= taken
            lots[0][0] -= taken
            if not lots[0][0]:
                lots.pop(0)
        key = (fill.at.year, fill.note)
        gains[key] = gains.get(key, D(0)) + gain
    assert gains == {
        (2020, ""): D(931),
        (2020, "fee of a move"): D(-11),
        (2020, "gift"): D(7559),
        (2020, "donate"): D(758),
        (2021, ""): D(10049),
        (2021, "fee of a move"): D(252),
    }


def test_every_rp2_source_is_told_without_a_complaint(test_data: Path) -> None:
    sources = sorted((test_data / "cost_basis_rp2").glob("*_In-Out.csv"))
    assert len(sources) == 8
    assert [read(path).complaints for path in sources] == [[]] * 8
