"""`plimsoll import`: a book brought along from statements or from another bot, listed, and taken back.

It is prepared in this process; the desk that runs goes on, and takes in what is ready.
"""

import asyncio
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from plimsoll.bootstrap import DataDirectory
from plimsoll.bootstrap.imports.book import Desk, Imported, ImportRefused, TakenBack, Wish, import_statement, take_back
from plimsoll.bootstrap.imports.book import Progress as Moved
from plimsoll.bootstrap.served import OWNER
from plimsoll.cli.import_door import importing_into
from plimsoll.cli.look import current
from plimsoll.cli.words import (
    DONE,
    NOT_DONE,
    DatabaseOption,
    DataOption,
    JsonOption,
    enter,
    print_json,
    print_table,
    say,
)
from plimsoll.imports.bot_owned import BotOwnedStatement
from plimsoll.imports.freqtrade import open_freqtrade
from plimsoll.imports.hummingbot import HummingbotStatement
from plimsoll.imports.reading import open_statement
from plimsoll.imports.statement import Complaint, Options, Statement
from plimsoll.ledger.imported.build import short_spot
from plimsoll.ledger.imported.current import book_named
from plimsoll.ledger.imported.spool import Statement as Told
from plimsoll.model.clock import Clock, SystemClock
from plimsoll.model.errors import CommandRefused, Refusal
from plimsoll.model.ids import ClockedIds, system_chance
from plimsoll.model.money import ZERO, decimal_text
from plimsoll.store.place import reader

#: Drawn so often: more of it would take time from the work.
_DRAW_EVERY_SECONDS = 0.25
#: Lines that a person is shown; a machine gets all of them.
_SHOWN = 20

import_app = typer.Typer(
    help="Bring a book along: statements, other bots' databases.", no_args_is_help=True, rich_markup_mode=None
)

PortfolioOption = Annotated[
    str, typer.Option("--portfolio", metavar="NAME", help="The imported portfolio; made where there is none.")
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Read, fold and report; write nothing.")]
VenueOption = Annotated[str | None, typer.Option(metavar="NAME", help="Where it was traded, if not as the file says.")]
CurrencyOption = Annotated[
    str | None, typer.Option(metavar="ASSET", help="What symbols without one are priced in, and the account counts in.")
]
SkipOption = Annotated[bool, typer.Option("--skip-bad-lines", help="Import the rest when some lines cannot be read.")]


@import_app.command("csv")
def csv_command(  # noqa: PLR0917  typer makes an option of each
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A statement; its header says whose.")],
    portfolio: PortfolioOption,
    dry_run: DryRunOption = False,
    skip_bad_lines: SkipOption = False,
    venue: VenueOption = None,
    currency: CurrencyOption = None,
    zone: Annotated[str | None, typer.Option(help="Of times that name none, such as Europe/Berlin.")] = None,
    dates: Annotated[str | None, typer.Option(metavar="mdy|dmy", help="How 5/1/2022 is meant.")] = None,
    data: DataOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Import a broker's statement, or a file with our own columns."""
    directory = enter(context, data, database)
    source = open_statement(file, Options(venue, currency, zone, dates))
    wish = Wish(OWNER, portfolio, currency, dry_run=dry_run, skip_bad_lines=skip_bad_lines)
    _import(directory, source, wish, json=json)


@import_app.command("freqtrade")
def freqtrade_command(  # noqa: PLR0917  as above
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Its database, or the JSON export of a backtest.")],
    portfolio: PortfolioOption = "freqtrade",
    dry_run: DryRunOption = False,
    skip_bad_lines: SkipOption = False,
    venue: VenueOption = None,
    currency: CurrencyOption = None,
    data: DataOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Import freqtrade's trades, and lay its profits beside ours."""
    directory, source = enter(context, data, database), open_freqtrade(file, Options(venue, currency))
    wish = Wish(OWNER, portfolio, currency, dry_run=dry_run, skip_bad_lines=skip_bad_lines)
    _import(directory, source, wish, json=json)


@import_app.command("hummingbot")
def hummingbot_command(  # noqa: PLR0917  as above
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Its database.")],
    portfolio: PortfolioOption = "hummingbot",
    dry_run: DryRunOption = False,
    skip_bad_lines: SkipOption = False,
    venue: VenueOption = None,
    currency: CurrencyOption = None,
    data: DataOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Import hummingbot's fills and funding."""
    directory, source = enter(context, data, database), HummingbotStatement(file, Options(venue, currency))
    wish = Wish(OWNER, portfolio, currency, dry_run=dry_run, skip_bad_lines=skip_bad_lines)
    _import(directory, source, wish, json=json)


@import_app.command("bots")
def bots_command(  # noqa: PLR0917  as above
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A database whose trades have a bot_id.")],
    portfolio: PortfolioOption = "bots",
    dry_run: DryRunOption = False,
    skip_bad_lines: SkipOption = False,
    venue: VenueOption = None,
    currency: CurrencyOption = None,
    data: DataOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Import trades that belong to bots: they become the portfolio's and make what they made, or nothing is written."""
    directory, source = enter(context, data, database), BotOwnedStatement(file, Options(venue, currency))
    wish = Wish(OWNER, portfolio, currency, dry_run=dry_run, skip_bad_lines=skip_bad_lines)
    _import(directory, source, wish, json=json)


@import_app.command("list")
def list_command(
    context: typer.Context,
    portfolio: PortfolioOption,
    data: DataOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """List the statements that an imported portfolio is made of."""
    directory = enter(context, data, database)
    current(directory)
    engine = reader(directory.book)
    try:
        book = book_named(engine, OWNER, portfolio)
    finally:
        engine.dispose()
    if book.account_id is None and book.next_number == 1:
        raise CommandRefused(
            Refusal(
                "portfolio_unknown", f"there is no imported portfolio {portfolio}", portfolio, remedy="look at `status`"
            )
        )
    told = [_statement_answer(statement) for statement in book.statements]
    if json:
        print_json({"portfolio": portfolio, "imports": told, "trades": book.trade_count})
        return
    names = ("uid", "format", "file", "lines", "added", "repeated", "at")
    print_table(f"Imports of {portfolio}", names, [[one[name] for name in names] for one in told])


@import_app.command("undo")
def undo_command(  # noqa: PLR0917  as above
    context: typer.Context,
    uid: Annotated[str, typer.Argument(metavar="IMPORT", help="Its id, as `plimsoll import list` shows it.")],
    portfolio: PortfolioOption,
    data: DataOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Take an import back as a whole; what other statements told stays."""
    directory = enter(context, data, database)
    current(directory)
    desk = _desk(directory)
    with _drawn() as progress:
        back = asyncio.run(take_back(desk, Wish(OWNER, portfolio), uid, progress))
    _show_taken_back(back, json=json)


# Doing it -------------------------------------------------------------------------------------------------------------


def _import(directory: DataDirectory, source: Statement, wish: Wish, *, json: bool) -> None:
    try:
        with _drawn() as progress:
            imported = asyncio.run(import_statement(_desk(directory), source, wish, progress))
    except ImportRefused as refused:
        _show_refused(source, refused, json=json)
        raise typer.Exit(NOT_DONE) from refused
    if json:
        print_json(_answer(imported))
    else:
        _show(imported)
    raise typer.Exit(DONE)


def _desk(directory: DataDirectory) -> Desk:
    clock = SystemClock()
    return Desk(directory, lambda: importing_into(directory), clock, ClockedIds(clock, system_chance()))


# Telling it -----------------------------------------------------------------------------------------------------------


def _answer(imported: Imported) -> dict[str, object]:
    told: dict[str, object] = {
        "portfolio": imported.portfolio,
        "portfolio_uid": imported.portfolio_uid or None,
        "written": imported.written,
        "import": _statement_answer(imported.statement),
        "trades_added": imported.trades_added,
        "things_added": imported.statement.added,
        "repeated": imported.statement.told - imported.statement.added,
        "source_sha256": imported.statement.sha256,
        "errors": [_complaint_answer(complaint) for complaint in imported.complaints],
        "remarks": _remarks(imported),
        "positions": [
            {
                "venue": one.venue,
                "symbol": one.symbol,
                "strategy": one.strategy,
                "leg": one.position.leg,
                "quantity": one.position.quantity,
                "avg_price": one.avg_price,
                "realized_pnl": one.position.realized_pnl,
                "fees": dict(one.position.fees),
                "flows": [list(flow) for flow in one.position.flows],
            }
            for one in imported.holdings
        ],
    }
    return told if imported.report is None else {**told, **imported.report.as_json()}


def _remarks(imported: Imported) -> list[str]:
    return [
        f"{one.symbol} at {one.venue} is {decimal_text(one.position.quantity)}: more went than ever came. Import the "
        "statement that tells how it came in; sold on margin, it is a short sale"
        for one in short_spot(imported.holdings)
    ]


def _statement_answer(statement: Told) -> dict[str, object]:
    return {
        "uid": statement.uid,
        "format": statement.format,
        "file": statement.file_name,
        "sha256": statement.sha256,
        "lines": statement.line_count,
        "added": statement.added,
        "repeated": statement.told - statement.added,
        "at": statement.made_at,
    }


def _complaint_answer(complaint: Complaint) -> dict[str, object]:
    return {
        "line": complaint.line,
        "column": complaint.column,
        "value": complaint.value,
        "remedy": complaint.remedy,
    }


def _show_refused(source: Statement, refused: ImportRefused, *, json: bool) -> None:
    say(f"plimsoll: {source.file_name}: {refused}")
    if json:
        told = [_complaint_answer(complaint) for complaint in refused.complaints]
        print_json({"error": str(refused), "format": source.format, "source_sha256": source.sha256, "errors": told})
        return
    _show_complaints(refused.complaints)


def _show_complaints(complaints: Sequence[Complaint]) -> None:
    for complaint in complaints[:_SHOWN]:
        say(f"  {complaint}")
    if len(complaints) > _SHOWN:
        say(f"  … and {len(complaints) - _SHOWN} more; --json tells all of them")


def _show(imported: Imported) -> None:
    statement = imported.statement
    _show_complaints(imported.complaints)
    rows = [
        [
            one.symbol,
            one.strategy,
            one.position.quantity,
            one.avg_price,
            one.position.realized_pnl,
            _fees(one.position.fees),
        ]
        for one in imported.holdings[:_SHOWN]
    ]
    print_table(
        f"Positions of {imported.portfolio}", ("symbol", "strategy", "quantity", "average", "realised", "fees"), rows
    )
    if len(imported.holdings) > _SHOWN:
        say(f"… and {len(imported.holdings) - _SHOWN} more; --json tells all of them")
    if imported.report is not None:
        for flagged in imported.report.flagged:
            theirs, ours = flagged.profit.theirs, flagged.profit.ours
            say(f"Trade {flagged.profit.id}: {theirs} by its own account, {ours} by its fills: {flagged.why}")
        compared, flagged_count = len(imported.report.profits), len(imported.report.flagged)
        say(f"{compared} closed trades compared, {flagged_count} contradict themselves.")
    for remark in _remarks(imported):
        say(f"Look: {remark}.")
    repeated = statement.told - statement.added
    name = f"{statement.file_name} ({statement.format})"
    say(f"{name}: {imported.trades_added} trades added, {repeated} things known before.")
    if imported.written:
        say(f"It is import {statement.uid}; `plimsoll import undo` takes it back.")
    elif statement.added:
        say("Nothing was written: this was a dry run.")
    else:
        say("Nothing was written: all of it is in the book already.")


def _show_taken_back(back: TakenBack, *, json: bool) -> None:
    if json:
        print_json(
            {"portfolio": back.portfolio, "undone": _statement_answer(back.statement), "imports": back.statements}
        )
        return
    say(f"{back.statement.file_name} is taken back; {back.portfolio} has {back.statements} imports left.")


def _fees(fees: Sequence[tuple[str, Decimal]]) -> str:
    return ", ".join(f"{amount.normalize():f} {asset}" for asset, amount in fees if amount != ZERO)


# Progress -------------------------------------------------------------------------------------------------------------


class _Bar:
    """How far an import is, on a terminal; elsewhere a line for each step."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._step, self._drawn_at, self._task = "", float("-inf"), TaskID(0)
        self._progress: Progress | None = None
        if sys.stderr.isatty():
            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.percentage:>3.0f} %"),
                TimeRemainingColumn(),
                console=Console(file=sys.stderr, markup=False, highlight=False),
                auto_refresh=False,
            )

    def moved(self, step: str, done: int, total: int) -> None:
        """Draw how far it is, unless that was done a moment ago."""
        now, is_new = self._clock.monotonic(), step != self._step
        if not is_new and done < total and now - self._drawn_at < _DRAW_EVERY_SECONDS:
            return
        self._drawn_at = now
        if self._progress is None:
            if is_new:
                say(f"{step} …")
        elif is_new:
            self._task = self._progress.add_task(step, total=total or None)
        if self._progress is not None:
            self._progress.update(self._task, completed=done, total=total or None)
            self._progress.refresh()
        self._step = step

    def start(self) -> None:
        if self._progress is not None:
            self._progress.start()

    def stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()


@contextmanager
def _drawn() -> Iterator[Moved]:
    bar = _Bar(SystemClock())
    bar.start()
    try:
        yield bar.moved
    finally:
        bar.stop()
