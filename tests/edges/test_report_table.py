"""A table on a terminal, in a spreadsheet, on paper: exact, harmless, and read aloud."""

import csv
from datetime import UTC, date, datetime
from decimal import Decimal
from html.parser import HTMLParser
from io import StringIO

import pytest

from plimsoll.edges.reports.table import Cell, Table, to_csv, to_html, to_text

D = Decimal
WHEN = datetime(2021, 3, 4, 5, 6, 7, tzinfo=UTC)
SALES = Table(
    "Sales of <2021>",
    (("symbol", "text"), ("at", "time"), ("quantity", "quantity"), ("gain", "money"), ("part", "ratio")),
    [
        ("BTC/USDT", WHEN, D("0.000000000000000001"), D("-1234567.891"), D("0.12345")),
        ("ETH/USDT", date(2021, 3, 5), 7, None, D("-0.00001")),
    ],
    [("total", "", "", D("1E+3"), None)],
    ("Nothing is converted.",),
)


def cell(value: Cell, kind: str = "text") -> Table:
    """Make a table of one cell."""
    return Table("t", (("c", kind),), [(value,)])  # type: ignore[arg-type]  # a word is a kind here


def test_a_terminal_shows_columns_with_their_numbers_to_the_right() -> None:
    """Money to its last digit and grouped, ratios in percent, what nobody knows by that word."""
    assert to_text(SALES) == (
        "Sales of <2021>\n"
        "  symbol    at                               quantity            gain     part\n"
        "  --------  -------------------  --------------------  --------------  -------\n"
        "  BTC/USDT  2021-03-04 05:06:07  0.000000000000000001  -1,234,567.891  12.34 %\n"
        "  ETH/USDT  2021-03-05                              7         unknown   0.00 %\n"
        "  --------  -------------------  --------------------  --------------  -------\n"
        "  total                                                      1,000.00  unknown\n"
        "  Nothing is converted.\n"
    )


def test_a_spreadsheet_gets_bare_numbers_and_no_sum() -> None:
    """RFC 4180: lines end with CR LF; the footer stays out, and so do notes."""
    assert to_csv(SALES) == (
        "symbol,at,quantity,gain,part\r\n"
        "BTC/USDT,2021-03-04T05:06:07.000000Z,0.000000000000000001,-1234567.891,0.12345\r\n"
        "ETH/USDT,2021-03-05,7,unknown,-0.00001\r\n"
    )


@pytest.mark.parametrize(
    "name", ["=1+1", "+1", "-1", "@SUM(A1)", " =1+1", "＝1+1", '=HYPERLINK("http://x","y")', "a,b", 'a"b', "a\nb"]
)
def test_no_name_is_a_formula_or_breaks_a_line(name: str) -> None:
    """What begins like a formula gets an apostrophe; quotes are doubled; a line break is spelt out."""
    rows = list(csv.reader(StringIO(to_csv(cell(name)), newline="")))
    assert len(rows) == 2
    (told,) = rows[1]
    assert told.removeprefix("'") == name.replace("\n", "\\n")
    assert not told.lstrip(" ").startswith(("=", "+", "-", "@", "＝"))


@pytest.mark.parametrize("kind", ["money", "quantity", "ratio"])
def test_a_number_below_zero_stays_a_number(kind: str) -> None:
    assert to_csv(cell(D("-5.50"), kind)) == "c\r\n-5.5\r\n"


@pytest.mark.parametrize("form", [to_text, to_csv])
def test_nothing_in_a_name_commands_a_terminal(form: object) -> None:
    """Escapes and writing turned around are spelt out."""
    told = form(cell("a\x1b[2Jb\u202e100"))  # type: ignore[operator]  # one of two functions
    assert "\x1b" not in told
    assert "\u202e" not in told
    assert "a\\x1b[2Jb\\u202e100" in told


class Seen(HTMLParser):
    """What a browser makes of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_a_page_is_read_aloud_and_printed() -> None:
    """Caption, scopes of columns and rows; A4; the head of a table again on every sheet, its sums only once."""
    page = to_html([SALES, SALES], "Report & more", "for <Ada>")
    seen = Seen(page)
    assert len(seen.all("caption")) == len(seen.all("table")) == 2
    assert [one.get("scope") for one in seen.all("th")] == [*["col"] * 5, *["row"] * 3] * 2
    assert seen.all("html") == [{"lang": "en"}]
    assert {"charset": "utf-8"} in seen.all("meta")
    for told in ("Sales of <2021>", "Report & more", "for <Ada>", "-1,234,567.891", "12.34 %", "Nothing is converted."):
        assert told in seen.text
    for rule in ("@page{size:A4", "table-header-group", "tfoot{display:table-row-group}", "prefers-color-scheme:dark"):
        assert rule in page
    assert seen.text.count("unknown") == 4


def test_a_page_loads_and_runs_nothing_whatever_it_is_told() -> None:
    """No address, no script; a name that is markup is shown as it is."""
    evil = "</caption><script>alert(1)</script><img src=http://x/y onerror=z>"
    page = to_html([Table(evil, ((evil, "text"),), [(evil,)], [(evil,)], (evil,))], evil, evil)
    seen = Seen(page)
    assert not {"script", "img", "link", "iframe", "a", "form"} & {tag for tag, _ in seen.tags}
    assert seen.text.count("<script>alert(1)</script>") == 8
    assert not any(name.startswith(("on", "src", "href")) for _, attributes in seen.tags for name in attributes)
    assert "default-src 'none'" in page


def test_an_empty_table_says_its_columns() -> None:
    """No rows, no footer, no notes."""
    nothing = Table("Nothing", (("a", "text"), ("b", "money")), [])
    assert to_text(nothing) == "Nothing\n  a  b\n  -  -\n"
    assert to_csv(nothing) == "a,b\r\n"
    assert "<tfoot>" not in to_html([nothing], "x")
    assert "<header><h1>x</h1></header>" in to_html([nothing], "x")


def test_a_row_that_does_not_fit_its_columns_is_a_mistake() -> None:
    for write in (to_text, to_csv):
        with pytest.raises(ValueError, match="zip"):
            write(Table("t", (("a", "text"),), [("x", "y")]))
