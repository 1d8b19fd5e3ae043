"""`plimsoll`: every command, its options, and the one place where an error becomes a line and an exit code.

0 done · 1 refused, or not healthy · 2 wrong use (nothing was written). A mistake of the user is one line on stderr that
names field, value and remedy; a traceback is a mistake of ours.
"""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from plimsoll.bootstrap.sources import wanted
from plimsoll.cli import backups, history, look, stop
from plimsoll.cli import move as moving
from plimsoll.cli.commands import LIFTABLE, STOPPING, Done
from plimsoll.cli.importing import import_app
from plimsoll.cli.prepare import SYNTHETIC, SYNTHETIC_BARS, ReplayWords, prepare
from plimsoll.cli.replay import Interrupted, interrupted_line, replay
from plimsoll.cli.report import show
from plimsoll.cli.reports import reports_app
from plimsoll.cli.served_commands import LINK
from plimsoll.cli.tax import tax_command
from plimsoll.cli.words import (
    DISTRIBUTION,
    DONE,
    NOT_DONE,
    WRONG_USE,
    DatabaseOption,
    DataOption,
    JsonOption,
    NoDesk,
    RootOptions,
    directory_of,
    enter,
    print_json,
    read_settings,
    say,
)
from plimsoll.desk.halt import MANUAL
from plimsoll.edges.listen import HOST
from plimsoll.market.candles import BadRecording
from plimsoll.model.account import TradingState
from plimsoll.model.errors import Illegal, InvariantBroken, PlimsollError
from plimsoll.runtime.process import begin_process
from plimsoll.settings import BadSetting

CopiesOption = Annotated[
    Path | None,
    typer.Option("--to", metavar="DIR", help="Where copies lie (PLIMSOLL_BACKUP_TO, `backups` in the desk's folder)."),
]

#: What a user typed or recorded, as opposed to what a rule or the world said no to.
_WRONG_USE = (Illegal, BadRecording, BadSetting, NoDesk)

app = typer.Typer(
    name="plimsoll",
    help="A self-hosted trading desk: one gate, one exact book, guards that act on trusted numbers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
user_app = typer.Typer(help="People of the desk.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(user_app, name="user")
app.add_typer(import_app, name="import")
app.add_typer(reports_app, name="reports")
reports_app.command("tax")(tax_command)


@app.callback()
def root(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option(help="A YAML file of settings (PLIMSOLL_CONFIG).")] = None,
    log_level: Annotated[str | None, typer.Option(help="DEBUG, INFO, WARNING, ERROR or CRITICAL.")] = None,
    log_json: Annotated[bool | None, typer.Option(help="Log lines as JSON.")] = None,
) -> None:
    """Read what stands before the command's name."""
    context.obj = RootOptions(config, log_level, log_json)


@app.command("up")
def up_command(  # noqa: PLR0917  typer makes an option of each
    context: typer.Context,
    port: Annotated[int | None, typer.Option(help="Of 127.0.0.1 (PLIMSOLL_PORT, 8787); 0 takes any.")] = None,
    prices: Annotated[
        str | None, typer.Option(metavar="live|synthetic|replay:FILE", help="Where a new account's prices come from.")
    ] = None,
    symbol: Annotated[str | None, typer.Option(help="What replay:FILE holds, such as BTC/USDT:USDT.")] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open the page.")] = False,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Start the desk: a paper account with prices, the REST interface, and the page."""
    from plimsoll.cli.up import UpWords, rates_of, up  # noqa: PLC0415  the server takes half a second that no other command needs

    browser = False if no_browser else None
    settings = read_settings(context, data=data, database=database, port=port, prices=prices, browser=browser)
    asked = None if settings.prices is None else wanted(settings.prices, symbol)
    words = UpWords(
        settings.port, asked, settings.browser, version(DISTRIBUTION), rates_of(settings), backups.plan_of(settings)
    )
    up(directory_of(settings), words)


@user_app.command("link")
def link_command(
    context: typer.Context, data: DataOption = None, database: DatabaseOption = None, json: JsonOption = False
) -> None:
    """Make a one-time sign-in link for the owner; it also chooses a new password."""
    settings = read_settings(context, data=data, database=database)
    words = {"url": f"http://{HOST}:{settings.port}"}
    done = stop.command(directory_of(settings), LINK, words)
    _answer(done, json=json, shown_by=stop.show_link)


@app.command("replay")
def replay_command(  # noqa: PLR0917  typer makes an option of each
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar=f"FILE|{SYNTHETIC}", help="Recorded bars: CSV, CSV.gz or Parquet.")],
    symbol: Annotated[str, typer.Option(help="BASE/QUOTE, or BASE/QUOTE:SETTLE for a perpetual.")],
    deposit: Annotated[str, typer.Option(help="Money to begin with, in the quote currency.")],
    strategy: Annotated[str, typer.Option(help="hold, signals, or one that an installed package offers.")],
    share: Annotated[str | None, typer.Option(help="hold: part of the equity to use, 1.0 = all.")] = None,
    leverage: Annotated[str, typer.Option(help="Of a perpetual; at most 5.")] = "1",
    trade_size: Annotated[str | None, typer.Option(help="signals: quote value of a trade; 1 % of the deposit.")] = None,
    resume_after: Annotated[
        str | None, typer.Option(metavar="MINUTES", help="Open a latched guard again after so long.")
    ] = None,
    speed: Annotated[
        str | None, typer.Option(metavar="X", help="Recorded seconds in one real second; as fast as it goes.")
    ] = None,
    seed: Annotated[str, typer.Option(help="Of everything that is drawn.")] = "0",
    bars: Annotated[str | None, typer.Option(help=f"{SYNTHETIC}: how many bars; {SYNTHETIC_BARS}.")] = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Take recorded or synthetic prices through the real gate, ledger, paper venue and drawdown guard."""
    directory = enter(context, data)
    if directory.server is not None:
        raise Illegal("database", str(directory.server), "a replay keeps its books in its own folder: leave it out")
    words = ReplayWords(file, symbol, deposit, strategy, share, leverage, trade_size, resume_after, speed, seed, bars)
    job = prepare(words)
    came_to = replay(directory, job)
    if isinstance(came_to, Interrupted):
        say(interrupted_line(came_to))
        if json:
            print_json({"stopped": str(came_to.by.name), "bars": came_to.bars, "of": came_to.of})
        raise typer.Exit(came_to.exit_code)
    report, exit_code = came_to
    if json:
        print_json(report)
    else:
        show(report, job)
    raise typer.Exit(exit_code)


@app.command("status")
def status_command(
    context: typer.Context, data: DataOption = None, database: DatabaseOption = None, json: JsonOption = False
) -> None:
    """Show portfolios, positions, live orders, halts and guards; reads only."""
    settings = read_settings(context, data=data, database=database)
    directory, copies = directory_of(settings), backups.copies_told(backups.copies_of(settings))
    told = look.read_status(directory)
    if json:
        print_json({**look.status_answer(directory, told), "copies": copies})
    else:
        look.show_status(told)
        backups.show_copies(copies)


@app.command("verify")
def verify_command(
    context: typer.Context, data: DataOption = None, database: DatabaseOption = None, json: JsonOption = False
) -> None:
    """Recompute the book from its facts and prove the audit chain; reads only."""
    told = look.read_proof(enter(context, data, database))
    if json:
        print_json(told.to_json())
    else:
        look.show_proof(told)
    raise typer.Exit(DONE if told.ok else NOT_DONE)


@app.command("history")
def history_command(  # noqa: PLR0917  typer makes an option of each
    context: typer.Context,
    position: Annotated[
        list[str], typer.Argument(metavar="POSITION", help="PORTFOLIO SYMBOL, such as main BTC/USDT, or an id.")
    ],
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Show lines from then on: 2022-01-31.")] = None,
    data: DataOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Tell a position's story line by line, to be checked with a pencil; reads only."""
    begin = history.since_of(since)
    story = history.read_history(enter(context, data, database), position)
    if json:
        print_json(history.history_answer(story, begin))
    else:
        history.show_history(story, begin)
    raise typer.Exit(DONE if story.equal else NOT_DONE)


@app.command("backup")
def backup_command(
    context: typer.Context,
    to: CopiesOption = None,
    data: DataOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Copy the books while the desk trades, and prove the copy."""
    settings = read_settings(context, data=data, database=database, backup_to=to)
    taken = backups.make_copy(directory_of(settings), settings)
    backups.show_copy(taken, json=json)


@app.command("restore")
def restore_command(  # noqa: PLR0917  typer makes an option of each
    context: typer.Context,
    copy: Annotated[Path, typer.Argument(metavar="COPY", help="The folder of one copy.")],
    over: Annotated[bool, typer.Option("--over", help="Put it in the place of the desk that lies there.")] = False,
    venue_too: Annotated[
        bool, typer.Option("--venue-too", help="The paper venue goes back as well; else it stays, if it is sound.")
    ] = False,
    data: DataOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Bring a copy back; chain.key must be there already."""
    settings = read_settings(context, data=data, database=database)
    directory = directory_of(settings)
    restored = backups.bring_back(copy.absolute(), directory, settings, over=over, venue_too=venue_too)
    backups.show_restored(restored, json=json)


@app.command("drill")
def drill_command(
    context: typer.Context,
    to: CopiesOption = None,
    data: DataOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Bring the newest copy back to a place of its own, prove it, and remember that it came."""
    settings = read_settings(context, data=data, database=database, backup_to=to)
    drilled = backups.prove_newest(directory_of(settings), settings)
    backups.show_drilled(drilled, json=json)


@app.command("move")
def move_command(  # noqa: PLR0917  typer makes an option of each
    context: typer.Context,
    to: Annotated[str, typer.Option("--to", metavar="postgresql://…|DIR", help="Where it goes. `ps` shows it.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Try every row there, and leave nothing.")] = False,
    anew: Annotated[bool, typer.Option("--anew", help="Throw away what an earlier run has half moved.")] = False,
    data: DataOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Move a stopped desk to PostgreSQL, back, or to another folder; what is there stays untouched."""
    settings = read_settings(context, data=data, database=database)
    moved = moving.move_desk(settings, to, dry_run=dry_run, anew=anew)
    moving.show_moved(moved, settings, to, dry_run=dry_run, json=json)
    raise typer.Exit(DONE if moved.fits else NOT_DONE)


@app.command("halt")
def halt_command(  # noqa: PLR0917  typer makes an option of each
    context: typer.Context,
    state: Annotated[str | None, typer.Option(help=f"{', '.join(STOPPING).lower()}; without it reduce_only.")] = None,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
    lift: Annotated[bool, typer.Option("--lift", help="Take a halt out of force.")] = False,
    source: Annotated[str, typer.Option(help=f"With --lift: whose halt, {' or '.join(LIFTABLE)}.")] = MANUAL,
    data: DataOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Stop opening, or more; closing stays possible in every state."""
    directory = enter(context, data, database)
    if lift and state is not None:
        raise Illegal("state", state, "lift a halt, or set one: leave out --state or --lift")
    if source not in LIFTABLE or (source != MANUAL and not lift):
        raise Illegal("source", source, f"a person may lift {' or '.join(LIFTABLE)}, with --lift")
    chosen = TradingState.REDUCE_ONLY if state is None else state.upper()
    if chosen not in STOPPING:
        raise Illegal("state", state, f"choose one of {', '.join(STOPPING).lower()}")
    words = {"lift": True, "source": source} if lift else {"state": str(chosen), "reason": reason}
    done = stop.command(directory, "halt", words)
    _answer(done, json=json, shown_by=stop.show_halt)


@app.command("flatten")
def flatten_command(
    context: typer.Context,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
    data: DataOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Stop opening, take back what waits, close everything, and say whether it is flat."""
    done = stop.command(enter(context, data, database), "flatten", {"reason": reason})
    _answer(done, json=json, shown_by=stop.show_flatten)


def _answer(done: Done, *, json: bool, shown_by: "stop.Show") -> None:
    if "error" in done.answer:
        say(f"plimsoll: {done.answer['error']}")
    if json:
        print_json(done.answer)
    elif "error" not in done.answer:
        shown_by(done)
    raise typer.Exit(done.exit_code)


def run(arguments: Sequence[str] | None = None) -> NoReturn:
    """Be the command `plimsoll`, from its arguments to its exit code."""
    begin_process()
    try:
        app(args=None if arguments is None else list(arguments), prog_name="plimsoll")
    except _WRONG_USE as wrong:
        say(f"plimsoll: {wrong}")
        sys.exit(WRONG_USE)
    except InvariantBroken:
        raise
    except PlimsollError as refused:
        say(f"plimsoll: {refused}")
        sys.exit(NOT_DONE)
    except OSError as world:
        say(f"plimsoll: {world}")
        sys.exit(NOT_DONE)
    sys.exit(DONE)
