"""RP2's own report of its own example, through the public doors: imported as it stands, told lot by lot."""

import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from tests.cli.shell import plimsoll

D = Decimal


@pytest.mark.parametrize("method", ["fifo", "lifo", "hifo", "lofo"])
def test_every_gain_of_rp2_is_told(test_data: Path, tmp_path: Path, method: str) -> None:
    """Piece by piece and year by year; imported again from a copy of another name, nothing is told twice."""
    folder, data = test_data / "cost_basis_rp2", tmp_path / "desk"
    statement = folder / f"crypto_example_{method}__BTC_In-Out.csv"
    copied = tmp_path / "again.csv"
    shutil.copyfile(statement, copied)
    for file in (statement, copied):
        assert plimsoll("import", "csv", file, "--portfolio", "coins", "--data", data, "--json").code == 0
    summary, detail = golden(folder / f"crypto_example_{method}__BTC_Tax.csv")
    pieces: list[tuple[Decimal, Decimal]] = []
    for year in (2020, 2021):
        told = plimsoll("reports", "tax", "--year", str(year), "--method", method, "--data", data, "--json").json
        rows = [(D(row["quantity"]), D(row["gain"])) for row in told["rows"]]
        gains = {"LONG": D(0), "SHORT": D(0)}
        for row in told["totals"]:
            gains[row["term"].upper()] += D(row["gain"])
        income = sum((D(row["amount"]) for row in told["income_totals"]), D(0))
        assert {**gains, "INTEREST": income} == {kind: summary.get((year, kind), D(0)) for kind in (*gains, "INTEREST")}
        pieces += rows
    assert sorted(pieces) == sorted(detail)


def golden(path: Path) -> tuple[dict[tuple[int, str], Decimal], list[tuple[Decimal, Decimal]]]:
    """Read RP2's gains by year and term, its income, and its gains piece by piece without the income's."""
    lines = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines()]
    titles = {cells[0]: number for number, cells in enumerate(lines)}
    sums: dict[tuple[int, str], Decimal] = {}
    earned = []
    for year, _asset, gain, term, kind, amount, *_ in lines[titles["Year"] + 1 : titles["Account Balances"]]:
        key = (int(year), "INTEREST" if kind == "INTEREST" else term)
        sums[key] = sums.get(key, D(0)) + D(gain)
        earned += [D(amount)] if kind == "INTEREST" else []
    detail = [(D(cells[0]), D(cells[3])) for cells in lines[titles["Gain / Loss Detail"] + 3 :]]
    # What was earned has no cost: each such piece is told as income, and here the whole of what it was worth.
    income = [(D(2), D(24000)), (D(3), D(39000))]
    assert sum(size for size, _ in income) == sum(earned)
    return sums, [row for row in detail if row not in income]
