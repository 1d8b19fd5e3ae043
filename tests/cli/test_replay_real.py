"""Real crashes through the front door: January 2022 minute by minute, and two years of hours with signals."""

import csv
import gzip
import json
import sqlite3
from decimal import Decimal, Inexact, localcontext
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli.shell import PERP, Said, plimsoll, process, said_by

SLIP, FEE = Decimal("0.0005"), Decimal("0.001")
DEPOSIT = Decimal(100_000)


class Expected(NamedTuple):
    """What a person with a pencil gets."""

    warned: str
    breached: str
    entry: Decimal
    exit: Decimal
    end: Decimal
    peak: Decimal
    deepest: Decimal


def by_hand(file: Path, quantity: Decimal) -> Expected:
    """Follow one long position through the closes; shares no code with the desk."""
    with gzip.open(file, "rt") as stream:
        rows = [(row["timestamp"], Decimal(row["open"]), Decimal(row["close"])) for row in csv.DictReader(stream)]
    entry = rows[1][1] * (1 + SLIP)
    cash = DEPOSIT - quantity * entry * FEE
    peak, warned, deepest = DEPOSIT, "", Decimal(0)
    for number, (_time, _open, close) in enumerate(rows[1:], start=1):
        equity = cash + quantity * (close - entry)
        peak = max(peak, equity)
        deepest = max(deepest, _ratio(peak - equity, peak))
        if peak - equity >= peak * Decimal("0.15") and not warned:
            warned = rows[number + 1][0]
        if peak - equity >= peak * Decimal("0.20"):
            leave = rows[number + 1][1] * (1 - SLIP)
            end = cash + quantity * (leave - entry) - quantity * leave * FEE
            deepest = max(deepest, _ratio(peak - end, peak))
            return Expected(warned, rows[number + 1][0], entry, leave, end, peak, deepest)
    raise AssertionError("the recording never fell by a fifth")


def _ratio(part: Decimal, whole: Decimal) -> Decimal:
    with localcontext() as context:
        context.traps[Inexact] = False
        return part / whole


def january(data: Path, desk: Path, leverage: str) -> list[str | Path]:
    """Write the command of the contract."""
    file = data / "candles" / "btc_perp_1m_2022-01.csv.gz"
    usual: list[str | Path] = ["--symbol", PERP, "--deposit", "100000", "--strategy", "hold", "--share", "1.0"]
    return ["replay", file, *usual, "--leverage", leverage, "--data", desk, "--json"]


def minute(text: str) -> str:
    """Cut a time down to its minute, however it is written."""
    return text.replace(" ", "T")[:16]


def check(said: Said, data: Path, desk: Path) -> None:
    """Hold a run of January against the pencil, to the last digit."""
    assert said.code == 0, said.err
    report = said.json
    with sqlite3.connect(desk / "desk.db") as book:
        fills = [(Decimal(q), Decimal(p)) for q, p in book.execute("SELECT quantity, price FROM trades ORDER BY id")]
    book.close()
    expected = by_hand(data / "candles" / "btc_perp_1m_2022-01.csv.gz", fills[0][0])
    assert [price for _quantity, price in fills] == [expected.entry, expected.exit]
    kinds = [entry["kind"] for entry in report["guards"]]
    assert kinds[0] == "warning"
    assert kinds[-3:] == ["countdown", "close", "latch"]
    assert minute(report["guards"][0]["time"]) == minute(expected.warned)
    assert minute(report["guards"][-3]["time"]) == minute(expected.breached)
    assert report["guards"][-2]["time"].endswith(":10.000000Z")
    assert Decimal(report["equity_end"]) == expected.end
    assert Decimal(report["equity_peak"]) == expected.peak
    assert abs(Decimal(report["max_drawdown"]) - expected.deepest) < Decimal("1e-17")
    assert (report["bars"], report["orders"], report["trades"]) == (45_031, 2, 2)
    assert report["verify"]["ok"] is True
    assert report["reconciled"] is True
    position = plimsoll("status", "--data", desk, "--json").json["positions"][0]
    assert (position["quantity"], position["symbol"], position["portfolio"]) == ("0", PERP, "main")


@pytest.mark.parametrize("leverage", ["1", "2", "3"])
def test_january_2022_closes_where_the_pencil_says(test_data: Path, tmp_path: Path, leverage: str) -> None:
    """Trigger bar, fills, peak and loss of the crash are those computed by hand from the file."""
    desk = tmp_path / "desk"
    check(plimsoll(*january(test_data, desk, leverage)), test_data, desk)


def test_the_digest_hangs_on_the_inputs_alone(test_data: Path, tmp_path: Path) -> None:
    """Two processes with different hash seeds agree, and what they leave behind proves."""
    runs = [process(*january(test_data, tmp_path / seed, "1"), PYTHONHASHSEED=seed) for seed in ("1", "4242")]
    first, second = [said_by(run) for run in runs]
    assert first.code == second.code == 0
    assert first.json["digest"] == second.json["digest"]
    proof = plimsoll("verify", "--data", tmp_path / "1", "--json")
    assert proof.code == 0
    assert json.loads(proof.out)["ok"] is True


def test_signals_trade_hundreds_of_times_and_verify(test_data: Path, tmp_path: Path) -> None:
    """Coinbase by the hour, 2017 to 2019, on spot with the usual trade size."""
    file = test_data / "candles" / "coinbase_btcusd_1h.csv.gz"
    usual: list[str | Path] = [
        "--symbol",
        "BTC/USD",
        "--deposit",
        "100000",
        "--strategy",
        "signals",
        "--data",
        tmp_path,
        "--json",
    ]
    said = plimsoll("replay", file, *usual)
    assert said.code == 0, said.err
    assert said.json["trades"] > 300
    assert said.json["verify"]["ok"] is True
    assert said.json["reconciled"] is True
