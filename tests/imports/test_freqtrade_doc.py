"""The worked example of docs/coming-from-freqtrade.md, reckoned again from the page."""

import re
from decimal import Decimal
from pathlib import Path

from plimsoll.imports.freqtrade import open_freqtrade
from plimsoll.imports.statement import Options
from plimsoll.imports.theirs import net_of
from plimsoll.model.cash import CashKind
from tests.builders.ledger import D
from tests.imports.freqtrade_made import SINCE, MadeDatabase
from tests.imports.told_nets import positions_by_leg, told_of

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "coming-from-freqtrade.md").read_text(encoding="utf-8")


def rows() -> dict[str, Decimal]:
    found = re.findall(r"^\| \**([a-z ]+?)\** \|[^|]*\| \**(−?[\d.]+)\** \|$", PAGE, re.MULTILINE)
    return {name: D(amount.replace("−", "-")) for name, amount in found}


def test_the_example_adds_up_and_is_what_the_book_makes_of_it(tmp_path: Path) -> None:
    """Sold, bought back, two fees and interest come to the net."""
    page = rows()
    parts = ("sold", "bought back", "fee of the entry", "fee of the exit", "interest")
    assert sum(page[name] for name in parts) == page["net"]
    made = MadeDatabase(tmp_path / "tradesv3.sqlite").round_trip(
        4, is_short=1, trading_mode="MARGIN", leverage=3.0, open_rate=2.2, close_rate=2.0, interest_rate=0.0005
    )
    told = told_of(open_freqtrade(made.path, Options()).read())
    assert [each.quantity * each.price for each in told[:2]] == [page["sold"], -page["bought back"]]
    assert [each.fee for each in told[:2]] == [-page["fee of the entry"], -page["fee of the exit"]]
    assert [each.amount for each in told if each.kind is CashKind.INTEREST] == [page["interest"]]
    assert net_of(positions_by_leg(told)[f"ft-4{SINCE}"], "USDT") == page["net"]
