"""`plimsoll reports`: what was made, on what, after which fees; as a table, CSV, a page to print, or JSON.

They read as the desk's owner, and may do so while a desk writes.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel

from plimsoll.bootstrap import DataDirectory
from plimsoll.bootstrap.served import OWNER
from plimsoll.cli.look import current
from plimsoll.cli.words import DatabaseOption, DataOption, JsonOption, enter, print_json
from plimsoll.edges.reports.asked import called, days_asked
from plimsoll.edges.reports.performance import (
    performance_answer,
    performance_report,
    performance_tables,
    performance_title,
    returns_report,
)
from plimsoll.edges.reports.pnl import pnl_answer, pnl_report, pnl_table, pnl_title
from plimsoll.edges.reports.returns_file import read_returns
from plimsoll.edges.reports.table import Table, to_csv, to_html, to_text
from plimsoll.ledger.reading.earnings import By
from plimsoll.ledger.reading.reader import Own, Reader
from plimsoll.model.asker import Asker
from plimsoll.model.clock import SystemClock
from plimsoll.model.errors import Illegal
from plimsoll.model.ids import PortfolioId
from plimsoll.model.money import parse_decimal
from plimsoll.store.place import people_reader

#: What a year of daily returns has where markets close at night.
TRADING_DAYS = 252

reports_app = typer.Typer(
    help="What was made: profit and loss, performance.", no_args_is_help=True, rich_markup_mode=None
)


class Format(StrEnum):
    """How a report is written."""

    TABLE = "table"
    CSV = "csv"
    HTML = "html"


PortfolioOption = Annotated[str | None, typer.Option(metavar="NAME", help="Of this portfolio only, by name or id.")]
FromOption = Annotated[str | None, typer.Option("--from", metavar="DAY", help="First day, such as 2021-01-01.")]
ToOption = Annotated[str | None, typer.Option("--to", metavar="DAY", help="Last day, included; today.")]
YearOption = Annotated[int | None, typer.Option(metavar="YEAR", help="The whole of a year instead.")]
FormatOption = Annotated[Format, typer.Option("--format", help="table, csv, or html to print or keep as PDF.")]
OutOption = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="Write it there instead of to the screen.")
]


@reports_app.command("pnl")
def pnl_command(  # noqa: PLR0917  typer makes an option of each
    context: typer.Context,
    by: Annotated[By, typer.Option(help="What it is told by.")] = By.MONTH,
    first_day: FromOption = None,
    last_day: ToOption = None,
    year: YearOption = None,
    portfolio: PortfolioOption = None,
    form: FormatOption = Format.TABLE,
    out: OutOption = None,
    data: DataOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Tell profit and loss, taken apart into price, fees, funding, interest and dividends."""
    since, until = days_of(first_day, last_day, year)
    with owners_book(enter(context, data, database)) as book:
        report = pnl_report(book, by, since, until, portfolios_named(book, portfolio))
    hand_over([pnl_table(report)], pnl_title(report), pnl_answer(report), form, out, json=json)


@reports_app.command("performance")
def performance_command(  # noqa: PLR0917  typer makes an option of each
    context: typer.Context,
    first_day: FromOption = None,
    last_day: ToOption = None,
    year: YearOption = None,
    portfolio: PortfolioOption = None,
    capital: Annotated[
        str | None, typer.Option(metavar="AMOUNT", help="Money at work at the beginning, where the book tells of none.")
    ] = None,
    returns: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Judge the returns of a CSV file (date,return) instead.")
    ] = None,
    per_year: Annotated[
        int, typer.Option(min=1, max=366, help="With --returns: how many of them make a year; 52 of weeks.")
    ] = TRADING_DAYS,
    form: FormatOption = Format.TABLE,
    out: OutOption = None,
    data: DataOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Tell return, drawdown, volatility, Sharpe, Sortino, win rate, profit factor and exposure."""
    money = None if capital is None else _capital(capital)
    if returns is not None:
        with returns.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            days, values = read_returns(file)
        report = returns_report(returns.name, days, values, per_year, money)
    else:
        since, until = days_of(first_day, last_day, year)
        with owners_book(enter(context, data, database)) as book:
            among = portfolios_named(book, portfolio)
            report = performance_report(book, since, until, SystemClock().now(), among=among, capital=money)
    tables, title = performance_tables(report), performance_title(report)
    hand_over(tables, title, performance_answer(report), form, out, json=json)


def _capital(said: str) -> Decimal:
    amount = parse_decimal(said, "capital")
    if amount <= 0:
        raise Illegal("capital", amount, "give an amount above 0")
    return amount


@contextmanager
def owners_book(directory: DataDirectory) -> Iterator[Own]:
    """Give what the book tells the desk's owner.

    Raises: NoDesk, ForeignDatabase, NewerDatabase, OlderDatabase
    """
    current(directory)
    engine = people_reader(directory.book)
    try:
        yield Reader(engine).of(Asker(OWNER))
    finally:
        engine.dispose()


def portfolios_named(book: Own, said: str | None) -> list[PortfolioId] | None:
    """Find the portfolio that is meant, by its id or its name; None where none is named, which means all.

    Raises: Illegal
    """
    if said is None:
        return None
    mine = book.earnings.portfolios()
    found = called(mine, said)
    if not found:
        names = ", ".join(sorted({one.name for one in mine})) or "none"
        raise Illegal("portfolio", said, f"there is none of this name; there are: {names}")
    if len(found) > 1:
        ids = ", ".join(f"{one.uid} (account {one.account})" for one in found)
        raise Illegal("portfolio", said, f"several have this name: give its id, {ids}")
    return [found[0].id]


def days_of(first: str | None, last: str | None, year: int | None) -> tuple[date, date]:
    """Read from which day to which; without a word this year up to today.

    Raises: Illegal
    """
    today = SystemClock().now().date()
    return days_asked(_day("from", first), _day("to", last), year, today)


def _day(field: str, said: str | None) -> date | None:
    try:
        return None if said is None else date.fromisoformat(said)
    except ValueError:
        raise Illegal(field, said, "write a day as 2021-01-31") from None


def hand_over(
    tables: Sequence[Table], title: str, answer: BaseModel, form: Format, out: Path | None, *, json: bool
) -> None:
    """Write a report where it is wanted, as it is wanted.

    CSV is of the first table: two of them in one file are none that a spreadsheet reads.
    """
    if json and out is None:
        print_json(answer.model_dump(mode="json"))
        return
    if json:
        written = answer.model_dump_json(indent=2) + "\n"
    elif form is Format.CSV:
        written = to_csv(tables[0])
    elif form is Format.HTML:
        written = to_html(tables, title)
    else:
        written = "\n".join(to_text(table) for table in tables)
    if out is None:
        sys.stdout.write(written)
    else:
        if (out.parent / "desk.lock").exists() or out.parent.name in ("imports", "backups"):
            raise Illegal("out", str(out), "a desk lies in that folder: name another for a report")
        # As it is: line ends of CSV are its own.
        with out.open("w", encoding="utf-8", newline="") as file:
            file.write(written)
