"""`plimsoll reports tax`: what was realised in a year, lot by lot; as a table, CSV, a page to print, or JSON."""

import csv
from pathlib import Path
from typing import Annotated

import typer

from plimsoll.cli.reports import (
    Format,
    FormatOption,
    FromOption,
    OutOption,
    PortfolioOption,
    ToOption,
    YearOption,
    days_of,
    hand_over,
    owners_book,
    portfolios_named,
)
from plimsoll.cli.words import DatabaseOption, DataOption, JsonOption, enter
from plimsoll.edges.reports.tax import LONG_AFTER_DAYS, TAX_TABLES, TaxAsked, tax_answer, tax_tables
from plimsoll.ledger.lots import Matching
from plimsoll.model.errors import Illegal
from plimsoll.model.lots import Choice, FeeRule, LotMethod
from plimsoll.model.money import parse_decimal

#: Header of the file that names lots.
LOTS_COLUMNS = ("disposal", "acquisition", "quantity")


def tax_command(  # noqa: PLR0917  typer makes an option of each
    context: typer.Context,
    year: YearOption = None,
    first_day: FromOption = None,
    last_day: ToOption = None,
    method: Annotated[LotMethod, typer.Option(help="Which lot a sale takes first.")] = LotMethod.FIFO,
    fees: Annotated[FeeRule, typer.Option(help="Fees as part of cost and proceeds, or apart.")] = FeeRule.IN_COST,
    portfolio: PortfolioOption = None,
    instrument: Annotated[str | None, typer.Option(metavar="SYMBOL", help="Of this instrument only.")] = None,
    lots: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="For specific: CSV of disposal, acquisition (trade ids), quantity."),
    ] = None,
    long_after: Annotated[
        int, typer.Option(metavar="DAYS", help="What was held for more days than this is long.")
    ] = LONG_AFTER_DAYS,
    zone: Annotated[str, typer.Option(metavar="ZONE", help="Whose days and years, such as Europe/Berlin.")] = "UTC",
    only: Annotated[
        str | None, typer.Option(metavar="TABLE", help=f"One table only: {', '.join(TAX_TABLES)}. CSV has the first.")
    ] = None,
    form: FormatOption = Format.TABLE,
    out: OutOption = None,
    data: DataOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Tell what was realised, lot by lot: acquired, disposed, proceeds, cost, fees, gain and how long it was held."""
    directory, (since, until) = enter(context, data, database), days_of(first_day, last_day, year)
    choices = () if lots is None else read_choices(lots)
    asked = TaxAsked(since, until, Matching(method, fees, choices), zone, long_after, instrument)
    with owners_book(directory) as book:
        answer = tax_answer(book, asked, portfolios_named(book, portfolio))
    hand_over(tax_tables(answer, only), asked.title, answer, form, out, json=json)


def read_choices(path: Path) -> tuple[Choice, ...]:
    """Read which lots somebody named, a line for each.

    Raises: Illegal, naming the line and the column
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.reader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Illegal("lots", str(path), f"cannot be read: {error}") from None
    header = [name.strip().lower() for name in lines[0]] if lines else []
    if sorted(header) != sorted(LOTS_COLUMNS):
        raise Illegal("lots", ",".join(header), f"begin the file with the line {','.join(LOTS_COLUMNS)}")
    places = [header.index(name) for name in LOTS_COLUMNS]
    return tuple(_choice(number, cells, places) for number, cells in enumerate(lines[1:], 2) if any(cells))


def _choice(number: int, cells: list[str], places: list[int]) -> Choice:
    if len(cells) != len(places):
        raise Illegal(f"lots, line {number}", ",".join(cells), f"write {len(places)} values")
    disposal, acquisition, said = (cells[place].strip() for place in places)
    for column, name in (("disposal", disposal), ("acquisition", acquisition)):
        if not name:
            raise Illegal(f"lots, line {number}, column {column}", name, "give the trade's id, as the report has it")
    quantity = parse_decimal(said, f"lots, line {number}, column quantity")
    if quantity <= 0:
        raise Illegal(f"lots, line {number}, column quantity", said, "give a quantity above 0")
    return Choice(disposal, acquisition, quantity)
