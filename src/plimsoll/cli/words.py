"""What is typed: the options that every command knows, how its answer is written, and how a refusal is told.

stdout carries the answer and nothing else; what is meant for a person at work (progress, warnings, logs) is on stderr.
Nothing in an answer commands the terminal that shows it: reasons, names and labels come from whoever holds a key.
"""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, TextIO, cast

import typer
from rich.console import Console
from rich.table import Table

from plimsoll.bootstrap import DataDirectory
from plimsoll.bootstrap.ownership import desk_directory
from plimsoll.model.clock import SystemClock, time_text
from plimsoll.model.errors import PlimsollError
from plimsoll.model.money import decimal_text
from plimsoll.runtime.logging import configure_logging
from plimsoll.settings import Settings, load_settings

#: What the package is called where packages are listed.
DISTRIBUTION = "plimsoll-desk"

DONE = 0
NOT_DONE = 1
WRONG_USE = 2

DataOption = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="The desk's folder (PLIMSOLL_DATA, ~/.plimsoll).")
]
DatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="postgresql://…",
        help="Where the book lies, if not in the folder. `ps` shows it: a password belongs into PLIMSOLL_DATABASE.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the answer as JSON, for machines.")]


class NoDesk(PlimsollError, ValueError):
    """There is no desk here: name its folder with --data, or make one with `plimsoll up`."""

    def __init__(self, directory: DataDirectory) -> None:
        super().__init__(f"data = {str(directory.path)!r}: {type(self).__doc__}")


@dataclass(frozen=True, slots=True)
class RootOptions:
    """What stands before the command's name."""

    config: Path | None = None
    log_level: str | None = None
    log_json: bool | None = None


class _CurrentStderr:
    """Standard error as it is at each line: a progress bar puts itself in its place while it is drawn."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()

    def isatty(self) -> bool:
        return sys.stderr.isatty()


def enter(context: typer.Context, data: Path | None, database: str | None = None) -> DataDirectory:
    """Read the settings, start the log, and say where the desk is.

    Raises: BadSetting; Illegal for a database that is not this folder's
    """
    return directory_of(read_settings(context, data=data, database=database))


def directory_of(settings: Settings) -> DataDirectory:
    """Say where the desk is.

    Raises: Illegal for a database that is not this folder's
    """
    return desk_directory(settings.data.absolute(), settings.database.get_secret_value(), settings.database_schema)


def read_settings(context: typer.Context, **flags: object) -> Settings:
    """Read the settings, with the flags of a command, and start the log.

    Raises: BadSetting
    """
    root = context.obj if isinstance(context.obj, RootOptions) else RootOptions()
    flags = {**flags, "log_level": root.log_level, "log_json": root.log_json}
    settings = load_settings(flags, os.environ, root.config)
    configure_logging(
        json=settings.log_json,
        level=settings.log_level,
        stream=cast("TextIO", _CurrentStderr()),
        now=SystemClock().now,
    )
    return settings


def plain(value: object) -> object:
    """Turn values of ours into what JSON knows: decimals and times as their canonical text."""
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, datetime):
        return time_text(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value


def print_json(answer: object) -> None:
    """Write the answer as JSON, whole, and nothing beside it."""
    text = json.dumps(plain(answer), indent=2, ensure_ascii=False)
    if not text.replace("\n", "").isprintable():
        # The same value for a machine, and nothing that a terminal obeys; the line breaks left are between fields.
        text = "".join(sign if sign.isprintable() or sign == "\n" else json.dumps(sign)[1:-1] for sign in text)
    sys.stdout.write(text + "\n")


def say(line: str) -> None:
    """Tell a person at work something, one line on stderr."""
    sys.stderr.write(_harmless(line) + "\n")


def print_table(title: str, names: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Show rows: drawn on a terminal, else as plain columns that any tool can cut."""
    title, texts = _harmless(title), [[_cell(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        table = Table(title=title, title_justify="left", title_style="bold")
        for name in names:
            table.add_column(name, overflow="fold")
        for row in texts:
            table.add_row(*row)
        Console(file=sys.stdout, markup=False, highlight=False).print(table)
        return
    widths = [max(len(name), *(len(row[place]) for row in texts), 0) for place, name in enumerate(names)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in [names, *texts]]
    sys.stdout.write("\n".join([title, *(f"  {line}".rstrip() for line in lines), ""]) + "\n")


def _cell(value: object) -> str:
    told = plain(value)
    if told is None:
        return "–"
    return "yes" if told is True else "no" if told is False else _harmless(str(told))


def _harmless(text: str) -> str:
    """Spell out what a terminal would obey, or a reader would not see: escapes, line breaks, turned writing."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)
