"""A table of a report, written as text for a terminal, as CSV for a spreadsheet, as HTML for a screen or a printer.

Rule 1. A number is written to its last digit. Grouping and percent are for people (text, HTML); CSV has it bare.
Rule 2. None is what nobody knows, and says `unknown`, never 0. What does not apply is an empty text.
Rule 3. A name is somebody's text: it commands no terminal (escapes are spelt out), no spreadsheet (a text that begins
        like a formula gets an apostrophe), no browser (escaped, and nothing is loaded from anywhere).

What must not enter: where the figures come from.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from html import escape
from textwrap import fill
from typing import Literal, TypeAlias

from rich.cells import cell_len

from plimsoll.model.clock import time_text
from plimsoll.model.money import decimal_text

#: A `ratio` is 0.01 for one percent. A `quantity` is any other plain number.
Kind: TypeAlias = Literal["text", "money", "quantity", "ratio", "time"]
Cell: TypeAlias = str | Decimal | int | date | datetime | None

UNKNOWN = "unknown"
_NUMBERS = frozenset({"money", "quantity", "ratio"})
#: What makes a spreadsheet take a text for a formula: OWASP, "CSV Injection", read 2026.
_BEGINS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_MONEY_PLACES = 2
#: Of a note in a terminal.
_WIDTH = 100


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns of a kind each; the footer has what the rows come to, the notes what a reader must know."""

    title: str
    columns: Sequence[tuple[str, Kind]]
    rows: Sequence[Sequence[Cell]]
    footer: Sequence[Sequence[Cell]] = ()
    notes: Sequence[str] = ()


def to_text(table: Table) -> str:
    """Write it in columns for a terminal: numbers to the right, the footer under a line, the notes below."""
    kinds = [kind for _name, kind in table.columns]
    head = [_harmless(name) for name, _kind in table.columns]
    body = [[_shown(cell, kind) for cell, kind in zip(row, kinds, strict=True)] for row in table.rows]
    foot = [[_shown(cell, kind) for cell, kind in zip(row, kinds, strict=True)] for row in table.footer]
    widths = [max(map(cell_len, cells)) for cells in zip(head, *body, *foot, strict=True)]

    def line(cells: Sequence[str]) -> str:
        return "  " + "  ".join(map(_aligned, cells, widths, kinds)).rstrip()

    rule = "  " + "  ".join("-" * width for width in widths)
    lines = [_harmless(table.title), line(head), rule, *map(line, body)]
    if foot:
        lines += [rule, *map(line, foot)]
    notes = (fill(_harmless(note), _WIDTH, initial_indent="  ", subsequent_indent="    ") for note in table.notes)
    return "\n".join([*lines, *notes, ""])


def to_csv(table: Table) -> str:
    """Write the columns' names and the rows (RFC 4180); no footer, which a column's sum would count twice."""
    kinds = [kind for _name, kind in table.columns]
    lines = [",".join(_csv_cell(name, "text") for name, _kind in table.columns)]
    lines += [",".join(_csv_cell(cell, kind) for cell, kind in zip(row, kinds, strict=True)) for row in table.rows]
    return "".join(f"{line}\r\n" for line in lines)


def to_html(tables: Iterable[Table], heading: str, subtitle: str = "") -> str:
    """Write one page that needs nothing else: to be read on a screen, or printed to A4 and kept as PDF."""
    title, below = escape(_harmless(heading)), escape(_harmless(subtitle))
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        # Whatever a name tries: the page loads nothing, runs nothing, sends nothing.
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title>",
        f"<style>{_STYLE}</style></head><body>",
        f"<header><h1>{title}</h1>{f'<p>{below}</p>' if below else ''}</header><main>",
        *(_html_table(table) for table in tables),
        "</main></body></html>",
    ]
    return "\n".join(parts) + "\n"


def _html_table(table: Table) -> str:
    head = "".join(f'<th scope="col"{_class(kind)}>{escape(_harmless(name))}</th>' for name, kind in table.columns)
    body = "\n".join(_html_row(table, row) for row in table.rows)
    foot = "\n".join(_html_row(table, row) for row in table.footer)
    notes = "".join(f"<li>{escape(_harmless(note))}</li>" for note in table.notes)
    return "\n".join(
        [
            # What is wider than the screen is moved under the finger, and with the keys: hence the tabindex.
            f'<section aria-label="{escape(_harmless(table.title))}" tabindex="0"><table>',
            f"<caption>{escape(_harmless(table.title))}</caption>",
            f"<thead><tr>{head}</tr></thead>",
            f"<tbody>{body}</tbody>",
            *([f"<tfoot>{foot}</tfoot>"] if foot else []),
            "</table></section>",
            *([f"<ul>{notes}</ul>"] if notes else []),
        ]
    )


def _html_row(table: Table, row: Sequence[Cell]) -> str:
    cells = [
        f"<td{_class(kind)}>{_html_cell(cell, kind)}</td>" for cell, (_, kind) in zip(row, table.columns, strict=True)
    ]
    first = cells[0].removeprefix("<td").removesuffix("</td>")
    return f'<tr><th scope="row"{first}</th>{"".join(cells[1:])}</tr>'


def _html_cell(cell: Cell, kind: Kind) -> str:
    return f"<i>{UNKNOWN}</i>" if cell is None else escape(_shown(cell, kind))


def _class(kind: Kind) -> str:
    return ' class="n"' if kind in _NUMBERS else ""


def _shown(cell: Cell, kind: Kind) -> str:
    """Write a cell for a person."""
    if isinstance(cell, Decimal) and kind == "ratio":
        return f"{cell * 100:z,.2f} %"
    if isinstance(cell, Decimal) and kind == "money":
        return _grouped(cell)
    if isinstance(cell, datetime):
        day, _, moment = time_text(cell).removesuffix("Z").partition("T")
        return f"{day} {moment.removesuffix('.000000')}"
    return _bare(cell)


def _grouped(amount: Decimal) -> str:
    # To its last digit, and to a hundredth at least: a column of money is read by its points.
    whole, _, places = decimal_text(amount).partition(".")
    sign, digits = ("-", whole[1:]) if whole.startswith("-") else ("", whole)
    return f"{sign}{int(digits):,d}.{places.ljust(_MONEY_PLACES, '0')}"


def _bare(cell: Cell) -> str:
    """Write a cell for a machine."""
    match cell:
        case None:
            return UNKNOWN
        case Decimal():
            return decimal_text(cell)
        case datetime():
            return time_text(cell)
        case date():
            return cell.isoformat()
        case _:
            return _harmless(str(cell))


def _csv_cell(cell: Cell, kind: Kind) -> str:
    written = _bare(cell)
    # Only a text is somebody's: a number below zero begins with its sign, and stays a number.
    if isinstance(cell, str) and kind == "text" and cell.lstrip(" ").startswith(_BEGINS_FORMULA):
        written = f"'{written}"
    if any(sign in written for sign in ',"\r\n'):
        return '"' + written.replace('"', '""') + '"'
    return written


def _aligned(cell: str, width: int, kind: Kind) -> str:
    gap = " " * (width - cell_len(cell))
    return gap + cell if kind in _NUMBERS else cell + gap


def _harmless(text: str) -> str:
    # Escapes that a terminal obeys, line breaks, and writing turned around, which shows other digits than there are.
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


_STYLE = """
:root{color-scheme:light dark;--ink:#16202a;--paper:#fff;--line:#c9d2da;--faint:#5a6772}
@media (prefers-color-scheme:dark){:root{--ink:#e4ebf1;--paper:#10171e;--line:#37434e;--faint:#9dabb7}}
body{margin:0 auto;padding:1.5rem;max-width:80rem;font:15px/1.45 system-ui,sans-serif;
color:var(--ink);background:var(--paper)}
h1{font-size:1.5rem;margin:0}header p{margin:.2rem 0 0;color:var(--faint)}
section{overflow-x:auto;margin:1.75rem 0 .5rem}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
caption{text-align:left;font-weight:600;font-size:1.1rem;padding-bottom:.4rem}
th,td{text-align:left;padding:.25rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}
tbody th,tfoot th{font-weight:400}thead th{border-bottom:2px solid var(--ink);white-space:nowrap}
tfoot th,tfoot td{font-weight:600;border-bottom:0;border-top:1px solid var(--ink)}
.n{text-align:right;white-space:nowrap}i{color:var(--faint)}
ul{margin:0;padding-left:1.1rem;color:var(--faint);font-size:.9rem}
@page{size:A4 landscape;margin:14mm}
@media print{:root{color-scheme:light;--ink:#000;--paper:#fff;--line:#999;--faint:#333}
body{padding:0;max-width:none;font-size:8pt}section{overflow:visible}
th,td{padding:.15rem .3rem;overflow-wrap:anywhere}thead th{white-space:normal;overflow-wrap:normal}
thead{display:table-header-group}tfoot{display:table-row-group}tr{break-inside:avoid}caption{break-after:avoid}}
"""
