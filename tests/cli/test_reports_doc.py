"""The worked example of docs/reports.md: booked as it stands there, and every report shown as it stands there."""

import re
from pathlib import Path

from plimsoll.cli.reports import Format
from plimsoll.edges.reports.performance import performance_report, performance_tables
from plimsoll.edges.reports.pnl import pnl_report, pnl_table
from plimsoll.edges.reports.returns_file import read_returns
from plimsoll.edges.reports.table import to_text
from plimsoll.ledger.reading.earnings import By
from plimsoll.ledger.reading.reader import Reader
from plimsoll.model.asker import Asker
from tests.builders.ledger import NOON, USER
from tests.cli.shell import plimsoll
from tests.ledger.test_money_doc import Page

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reports.md"
TEXT = PAGE.read_text(encoding="utf-8")
DAY = NOON.date()


def block(name: str) -> str:
    """Give what stands in the block of a name."""
    found = re.search(rf"```{re.escape(name)}\n(.*?)```", TEXT, re.DOTALL)
    assert found is not None, name
    return found[1]


def test_the_example_is_what_the_reports_show() -> None:
    """Booked line by line; then the tables, to the last sign."""
    page = Page()
    for line in block("book").splitlines():
        page.run(line)
    own = Reader(page.books.engine).of(Asker(USER.id))
    for by in (By.INSTRUMENT, By.DAY):
        assert to_text(pnl_table(pnl_report(own, by, DAY, DAY))) == block(f"pnl --by {by}")
    tables = performance_tables(performance_report(own, DAY, DAY, NOON.replace(hour=14)))
    assert "\n".join(map(to_text, tables)) == block("performance")
    page.books.close()


def test_the_returns_come_to_what_the_page_says(tmp_path: Path) -> None:
    """By hand, and at the shell."""
    file = tmp_path / "returns.csv"
    file.write_text(block("csv"))
    assert [str(value) for value in read_returns(block("csv").splitlines())[1]] == ["0.10", "-0.05", "0.04"]
    answer = plimsoll("reports", "performance", "--returns", file, "--json").json["curves"][0]
    for said in ("total_return", "max_drawdown", "annual_volatility", "sharpe", "sortino"):
        assert re.search(rf"`{said}` \| [^|]* \| {re.escape(answer[said])} \|", TEXT), (said, answer[said])


def test_every_option_is_on_the_page() -> None:
    """And every way to write a report."""
    for report in ("pnl", "performance"):
        shown = plimsoll("reports", report, "--help").out
        for option in set(re.findall(r"--[a-z-]+", shown)) - {"--help", "--data", "--database"}:
            assert f"`{option}" in TEXT, option
    assert all(f"`{form}`" in TEXT for form in Format)
