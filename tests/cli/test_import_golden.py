"""Golden cases of other projects through the doors that everybody has: `plimsoll import`, `plimsoll reports`."""

import csv
import hashlib
import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.cli.shell import Said, plimsoll
from tests.imports.freqtrade_made import MadeDatabase

D = Decimal
Case = Mapping[str, Any]
Line = Sequence[str]

HEADER = "time,symbol,side,quantity,price,fee,fee_asset,trade_id,order_id,kind,multiplier,inverse"
CLOSE = D("0.00000001")
#: Cases of which the source tells fills and what became of them.
SEQUENCES = 31


def done(said: Said) -> Any:
    """Read the answer of a command that did it."""
    assert said.code == 0, said.err
    return said.json


def imported(file: Path, portfolio: str, data: Path, *more: str) -> Any:
    """Import a statement."""
    return done(plimsoll("import", "csv", file, "--portfolio", portfolio, "--data", data, "--json", *more))


def tax(data: Path, portfolio: str, method: str) -> Any:
    """Ask for the realised report of all years."""
    years = ("--from", "2015-01-01", "--to", "2021-12-31")
    words = ("reports", "tax", *years, "--method", method, "--portfolio", portfolio, "--data", data, "--json")
    return done(plimsoll(*words))


def written(path: Path, lines: Sequence[Line]) -> Path:
    """Write lines under our own header."""
    path.write_text("\n".join([HEADER, *(",".join(line) for line in lines)]) + "\n")
    return path


# rp2: gains by method -------------------------------------------------------------------------------------------------


def section(path: Path, title: str) -> list[list[str]]:
    """Read the rows of one section of a report of rp2's, without its three lines of heading."""
    rows = [*csv.reader(path.read_text().splitlines())]
    start = next(place for place, row in enumerate(rows) if row[0] == title) + 3
    end = next((place for place in range(start, len(rows)) if rows[place][1:] == [""] * (len(rows[place]) - 1)), None)
    return rows[start:end]


@pytest.mark.parametrize("method", ["fifo", "lifo", "hifo", "lofo"])
def test_gains_are_rp2s_by_every_method(test_data: Path, tmp_path: Path, method: str) -> None:
    """Piece by piece and year by year, of coins bought, earned, given away, and spent on moving them."""
    folder = test_data / "cost_basis_rp2"
    for coin in ("BTC", "ETH"):
        file = folder / f"crypto_example_{method}__{coin}_In-Out.csv"
        before = hashlib.sha256(file.read_bytes()).hexdigest()
        imported(file, coin, tmp_path)
        assert hashlib.sha256(file.read_bytes()).hexdigest() == before
    told = tax(tmp_path, "BTC", method)
    golden = folder / f"crypto_example_{method}__BTC_Tax.csv"
    income = {D(24_000), D(39_000)}
    pieces = Counter((D(row[0]), D(row[3])) for row in section(golden, "Gain / Loss Detail") if D(row[3]) not in income)
    assert Counter((D(row["quantity"]), D(row["gain"])) for row in told["rows"]) == pieces
    gains: Counter[tuple[str, str]] = Counter()
    for row in section(golden, "Gain / Loss Summary"):
        if row[4] != "INTEREST":
            gains[row[0], row[3].lower()] += D(row[2])  # type: ignore[assignment]  # a counter of decimals
    ours: Counter[tuple[str, str]] = Counter()
    for row in told["rows"]:
        ours[str(row["year"]), row["term"]] += D(row["gain"])  # type: ignore[assignment]  # as above
    assert ours == gains
    assert sum(D(row["amount"]) for row in told["income"]) == sum(income)
    assert tax(tmp_path, "ETH", method)["rows"] == []


# Fill sequences -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cases(test_data: Path) -> list[Case]:
    """Read the sequences, numbers as the text they were asserted in."""
    told = (test_data / "pnl_cases" / "fill_sequences.json").read_text(encoding="utf-8")
    everything: list[Case] = json.loads(told, parse_float=str, parse_int=str)["cases"]
    assert len(everything) == SEQUENCES
    return everything


def symbol_of(number: int, case: Case) -> str:
    return f"C{number}/USD:C{number}" if case["instrument_type"] == "inverse" else f"C{number}/USD"


def lines_of(number: int, case: Case) -> list[Line]:
    """Write a case as lines: its lots first, then its fills, a second apart."""
    symbol, coin = symbol_of(number, case), f"C{number}"
    inverse = case["instrument_type"] == "inverse"
    lines: list[Line] = []
    for place, lot in enumerate(case.get("starting_lots", ())):
        at = f"{lot['date']}T00:00:00Z"
        lines.append((at, symbol, "buy", lot["qty"], lot["price"], "", "", f"{number}{place:03d}", "", "", "", ""))
    for place, step in enumerate(case["steps"], start=100):
        told = step["fill"]
        asset = coin if inverse or told["fee_ccy"] == "base" else "USD"
        # A price that the source does not tell is of no account: lots alone are asserted there.
        price = told["price"] if D(told["price"]) else "1"
        minute, second = divmod(place, 60)
        at = f"2021-03-04T05:{minute:02d}:{second:02d}Z"
        told_as = (told["side"], told["qty"], price, told["fee"], asset, f"{number}{place:03d}")
        lines.append((at, symbol, *told_as, "", "", case["multiplier"], "true" if inverse else ""))
    return lines


def every_line(cases: Sequence[Case]) -> list[Line]:
    return [line for number, case in enumerate(cases) for line in lines_of(number, case)]


@pytest.fixture(scope="module")
def desk(cases: list[Case], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Import every case at once, each as a symbol of its own."""
    folder = tmp_path_factory.mktemp("golden")
    answer = imported(written(folder / "cases.csv", every_line(cases)), "cases", folder / "desk")
    return folder / "desk", {one["symbol"]: one for one in answer["positions"]}


def test_every_sequence_has_its_quantity_average_and_profit(
    cases: list[Case], desk: tuple[Path, dict[str, Any]]
) -> None:
    """Gross profit and fees apart, as conventions differ in when a fee counts."""
    compared: Counter[str] = Counter()
    for number, case in enumerate(cases):
        position, final = desk[1][symbol_of(number, case)], case.get("expect_final", {})
        quantity = D(position["quantity"])
        opened = final.get("open_position", {})
        if "qty" in {**final, **opened}:
            assert quantity == D({**final, **opened}["qty"]), case["id"]
            compared["quantity"] += 1
        average = final.get("avg_price", opened.get("avg_price"))
        if average is not None and quantity:
            assert abs(D(position["avg_price"]) - D(average)) <= CLOSE, case["id"]
            compared["average"] += 1
        fees = sum(map(D, position["fees"].values()), D(0))
        if "total_fees" in final or "fees" in final:
            assert fees == D(final.get("total_fees", final.get("fees"))), case["id"]
            compared["fees"] += 1
        profits = _profits(case, final, fees, quantity)
        for asserted in profits:
            places = D(1).scaleb(-8) if case["instrument_type"] == "inverse" else D("0.005")
            assert abs(D(position["realized_pnl"]) - asserted) <= (places if "nautilus" in case["id"] else CLOSE)
            compared["profit"] += 1
    assert compared["quantity"] > 15, compared
    assert compared["average"] > 8, compared
    assert compared["profit"] > 15, compared


def _profits(case: Case, final: Mapping[str, Any], fees: Decimal, quantity: Decimal) -> list[Decimal]:
    """List the gross profits that a case asserts."""
    gross = [D(final["gross_profit"])] if "gross_profit" in final else []
    if "gross_performance" in final and not quantity:
        gross.append(D(final["gross_performance"]))
    if "cumulative_realized_net" in final and case["id"].startswith("barter"):
        gross.append(D(final["cumulative_realized_net"]) + fees)
    if case["id"].startswith("freqtrade") and not quantity:
        gross.append(D(final["cumulative_realized_net"]) + fees)
    if case["id"].startswith("nautilus") and "realized_net" in final and "avg_price_open" not in final:
        paid = D(case["steps"][0]["fill"]["fee"]) if case["instrument_type"] == "inverse" else fees
        gross.append(D(final["realized_net"]) + paid)
    return gross


def test_lots_match_as_asserted(cases: list[Case], desk: tuple[Path, dict[str, Any]]) -> None:
    """By the method of each case: entry, exit and profit of every piece, and what is left of every lot."""
    reports = {method: tax(desk[0], "cases", method) for method in ("fifo", "lifo", "average")}
    compared: Counter[str] = Counter()
    for number, case in enumerate(cases):
        method = case["lot_method"].lower().partition("/")[0]
        final, symbol = case.get("expect_final", {}), symbol_of(number, case)
        rows = [row for row in reports[method]["rows"] if row["symbol"] == symbol]
        if "closed_trades" in final:
            wanted = Counter((one["direction"], D(one["qty"]), D(one["profit"])) for one in final["closed_trades"])
            gross = ((row["side"], D(row["quantity"]), D(row["gain"]) + D(row["fees"])) for row in rows)
            assert Counter(gross) == wanted, case["id"]
            compared["closed"] += 1
        if "matched_lots" in final:
            wanted_lots = Counter((-D(lot["qty"]), lot["date"]) for lot in final["matched_lots"])
            assert Counter((D(row["quantity"]), row["acquired_at"][:10]) for row in rows) == wanted_lots, case["id"]
            compared["matched"] += 1
    assert compared == {"closed": 5, "matched": 3}


def test_doubled_and_shuffled_lines_are_the_same_book(
    cases: list[Case], desk: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    """Every line twice and in any order, and in two files that overlap: the same positions, and nothing repeated."""
    lines = every_line(cases)
    shuffled = [*lines, *lines]
    random.Random(5).shuffle(shuffled)
    answer = imported(written(tmp_path / "shuffled.csv", shuffled), "shuffled", tmp_path)
    assert {one["symbol"]: one for one in answer["positions"]} == desk[1]
    assert answer["trades_added"] == len(lines)
    half = len(lines) // 2
    imported(written(tmp_path / "late.csv", lines[half - 20 :]), "halves", tmp_path)
    answer = imported(written(tmp_path / "early.csv", lines[: half + 20]), "halves", tmp_path)
    assert {one["symbol"]: one for one in answer["positions"]} == desk[1]
    assert answer["repeated"] == 40
    again = imported(tmp_path / "shuffled.csv", "halves", tmp_path)
    assert again["trades_added"] == 0
    assert not again["written"]
    assert done(plimsoll("verify", "--data", tmp_path, "--json"))["ok"]


# freqtrade ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "flagged"), [("tradesv3_cases", []), ("tradesv3_mock_usdt_long", [1, 2])])
def test_freqtrades_own_profits_are_ours(test_data: Path, tmp_path: Path, name: str, flagged: list[int]) -> None:
    """To the eighth place; trades that contradict their own orders are named and left as they are."""
    file = test_data / "freqtrade" / f"{name}.sqlite"
    before = hashlib.sha256(file.read_bytes()).hexdigest()
    words = ("import", "freqtrade", file, "--portfolio", "ft", "--data", tmp_path, "--json")
    answer = done(plimsoll(*words))
    assert answer["source_sha256"] == before == hashlib.sha256(file.read_bytes()).hexdigest()
    expected = json.loads((file.with_name(f"{name}.expected.json")).read_text(), parse_float=D)
    closed = {one["trade_id"]: one["close_profit_abs"] for one in expected["freqtrade_to_json"] if not one["is_open"]}
    profits = {one["id"]: (D(one["theirs"]), D(one["ours"])) for one in answer["profits"]}
    assert {number: theirs for number, (theirs, _) in profits.items()} == closed
    assert [one["id"] for one in answer["flagged"]] == flagged
    for number, (theirs, ours) in profits.items():
        assert (abs(theirs - ours) <= CLOSE) == (number not in flagged), number
    again = done(plimsoll(*words))
    assert again["trades_added"] == 0
    assert again["profits"] == answer["profits"]
    assert done(plimsoll("verify", "--data", tmp_path, "--json"))["ok"]


def test_every_case_of_fees_funding_and_interest_makes_what_it_says(test_data: Path, tmp_path: Path) -> None:
    """As trades of one database of freqtrade's; three of them are published with a digit less than they have."""
    cases = json.loads((test_data / "pnl_cases" / "open_close_fees_funding.json").read_text())["cases"]
    made = MadeDatabase(tmp_path / "tradesv3.sqlite")
    for number, case in enumerate(cases, start=1):
        made.round_trip_of(number, case)
    answer = done(plimsoll("import", "freqtrade", made.path, "--data", tmp_path / "desk", "--json"))
    ours = {one["id"]: float(one["ours"]) for one in answer["profits"]}
    assert len(ours) == len(cases) == 25
    for number, case in enumerate(cases, start=1):
        assert ours[number] == pytest.approx(case["expect"]["profit_abs"], rel=1e-6), case["id"]
    assert done(plimsoll("verify", "--data", tmp_path / "desk", "--json"))["ok"]


# Statements of brokers ------------------------------------------------------------------------------------------------

#: What each file needs to be told, or the column that it is refused for.
STATEMENTS = {
    "crypto_csv/dali_test_binance_autoinvest.csv": ("--dates", "mdy"),
    "crypto_csv/dali_test_coincheck_buys.csv": (),
    "crypto_csv/dali_test_kraken_CSV.zip": "open",
    "crypto_csv/dali_test_manual_in.csv": (),
    "crypto_csv/dali_test_manual_intra.csv": "Unique ID",
    "crypto_csv/dali_test_manual_out.csv": ("--currency", "USD"),
    "crypto_csv/dali_test_pionex_trades.csv": (),
    "crypto_csv/rotki_coinbasepro.csv": (),
    "ibkr/ghostfolio_vti-buy-on-ibkr_flex_trades.csv": (),
    "mt5/mt5_deals_small.csv": ("--currency", "USD"),
}


def test_every_statement_is_imported_or_refused_by_its_column(test_data: Path, tmp_path: Path) -> None:
    """And none of them is touched."""
    folder = test_data / "broker_statements"
    assert {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()} == set(STATEMENTS)
    for name, words in STATEMENTS.items():
        file, data = folder / name, tmp_path / Path(name).stem
        before = file.read_bytes()
        more = () if isinstance(words, str) else words
        said = plimsoll("import", "csv", file, "--portfolio", "told", "--data", data, "--json", *more)
        assert file.read_bytes() == before
        if isinstance(words, str):
            assert said.code == 1, name
            assert words in said.out + said.err, name
            assert not (data / "desk.db").exists(), name
            continue
        assert done(said)["written"], name
        assert done(plimsoll("verify", "--data", data, "--json"))["ok"], name
        assert (
            done(plimsoll("import", "csv", file, "--portfolio", "told", "--data", data, "--json", *more))[
                "trades_added"
            ]
            == 0
        )


# Statistics -----------------------------------------------------------------------------------------------------------


def test_statistics_of_returns_are_empyricals(test_data: Path, tmp_path: Path) -> None:
    """Through a file of returns, to the eighth place; what cannot be said is unknown and not zero."""
    told = json.loads((test_data / "perf_metrics" / "cases.json").read_text())["cases"]
    compared: Counter[str] = Counter()
    for place, case in enumerate(told):
        series, *between, expected = case["args_and_expected"]
        if isinstance(expected, str):
            continue  # an object of their test's, and no number
        file = tmp_path / f"{place}.csv"
        rows = (f"{day},{'' if value is None else repr(value)}" for day, value in _dated(series))
        file.write_text("\n".join(["date,return", *rows]) + "\n")
        per_year = {"weekly": "52", "monthly": "12"}.get(str(between[0] if between else ""), "252")
        said = done(plimsoll("reports", "performance", "--returns", file, "--per-year", per_year, "--json"))
        curve = said["curves"][0] if said["curves"] else {}
        _compare_statistics(case["test"], curve, between, expected)
        compared[case["test"]] += 1
    assert compared["test_max_drawdown"] == 6, compared
    assert compared["test_cum_returns"] == 4, compared
    assert compared["test_cum_returns_final"] == 5, compared
    assert compared["test_annual_volatility"] == 3, compared


def _dated(series: Mapping[str, Any]) -> Sequence[tuple[str, float | None]]:
    return list(zip(series["dates"], series["series"], strict=True))


def _compare_statistics(test: str, curve: Mapping[str, Any], between: Sequence[Any], expected: Any) -> None:
    if test == "test_cum_returns":
        # Growth of a starting value is the same returns once more; asserted there with four or five figures.
        grown = [float(point["cumulative_return"]) for point in curve.get("points", ())]
        assert grown == pytest.approx([_gain(value, between[0]) for value in expected], abs=2e-5)
        return
    names = {"test_cum_returns_final": "total_return", "test_max_drawdown": "max_drawdown"}
    value: str | None = curve.get(names.get(test, "annual_volatility"))
    if expected is None or value is None:
        assert value == expected
    elif test == "test_cum_returns_final":
        assert float(value) == pytest.approx(_gain(expected, between[0]), abs=2e-5)
    else:
        assert float(value) == pytest.approx(expected, abs=1e-8)


def _gain(value: float, start: float) -> float:
    return value / start - 1 if start else value
