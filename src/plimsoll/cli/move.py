"""`plimsoll move`: a desk goes to another place, with all its books; or tries whether it could.

The desk is stopped for it. A rehearsal (`--dry-run`) only reads, and may run beside a desk at work.
"""

import re
import sys
from pathlib import Path
from typing import TextIO

from pydantic import SecretStr, ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from plimsoll.bootstrap import DataDirectory
from plimsoll.bootstrap.moving.move import Moved, Target, finish, has_left, move, rehearse
from plimsoll.bootstrap.moving.transfer import MOST_TOLD
from plimsoll.cli.look import seen
from plimsoll.cli.screen import DRAW_EVERY_SECONDS
from plimsoll.cli.words import directory_of, plain, print_json, print_table, say
from plimsoll.model.clock import Clock, SystemClock
from plimsoll.settings import BadSetting, Settings
from plimsoll.store.place import PostgresPlace

_SCHEMES = ("postgresql://", "postgres://")
_LIKE_AN_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")


def move_desk(settings: Settings, to: str, *, dry_run: bool, anew: bool) -> Moved:
    """Move the desk of these settings, or rehearse it.

    Raises: BadSetting, NoDesk, and what a move raises
    """
    folder, target, clock = settings.data.absolute(), target_of(to, settings), SystemClock()
    if not dry_run and has_left(folder, target):
        return finish(DataDirectory(folder), target, clock)
    source = directory_of(settings)
    seen(source)
    with Bar(clock) as bar:
        return rehearse(source, target, bar) if dry_run else move(source, target, clock, bar, anew=anew)


def target_of(to: str, settings: Settings) -> Target:
    """Read where a desk is to go: an address, or a folder.

    Raises: BadSetting
    """
    if not to.startswith(_SCHEMES):
        # A mistyped address must not become a folder, with a password in its name.
        if not to.strip() or _LIKE_AN_ADDRESS.match(to):
            raise BadSetting("to = …: write postgresql://user@host/database, or the path of a folder")
        return Path(to).expanduser().absolute()
    try:
        checked = Settings(database=SecretStr(to))
    except ValidationError as refused:
        raise BadSetting(f"to = …: {refused.errors()[0]['msg'].removeprefix('Value error, ')}") from None
    return PostgresPlace(checked.database.get_secret_value(), settings.database_schema)


class Bar:
    """Draws how far a move is; off a terminal it says each step once."""

    def __init__(self, clock: Clock, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._clock = clock
        self._drawn_at = float("-inf")
        self._step = ""
        # No thread that redraws: it would take turns from the work.
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("rows"),
            TimeRemainingColumn(),
            console=Console(file=self._stream, markup=False, highlight=False),
            auto_refresh=False,
            redirect_stdout=False,
            disable=not self._stream.isatty(),
        )
        self._task = self._progress.add_task("", total=None)

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(self, *_failure: object) -> None:
        self._progress.stop()

    def __call__(self, step: str, done: int, total: int) -> None:
        """Draw it, unless that was done a moment ago."""
        now = self._clock.monotonic()
        if step != self._step:
            self._step = step
            self._progress.reset(self._task, description=step, total=total or None)
            if self._progress.disable:
                say(f"{step}, {total} rows" if total else step)
        elif now - self._drawn_at < DRAW_EVERY_SECONDS and done < total:
            return
        self._drawn_at = now
        self._progress.update(self._task, completed=done)
        self._progress.refresh()


def show_moved(moved: Moved, settings: Settings, to: str, *, dry_run: bool, json: bool) -> None:
    """Tell what it came to, and what to do now."""
    done = moved.fits and not dry_run
    after = next_command(settings, to) if done else ""
    if json:
        print_json(moved_answer(moved, moved_now=done, after=after))
        return
    if not moved.fits:
        rows = [(each.book, each.table, each.row, each.column or None, each.sentence) for each in moved.unfit]
        print_table("Does not fit", ("book", "table", "row", "column", "what"), rows)
        more = " (and perhaps more: only so many are told)" if len(rows) >= MOST_TOLD else ""
        say(f"{len(rows)} rows do not fit {moved.target}{more}. Nothing was put in place.")
        return
    if moved.arrived:
        arrived = [(each.book, each.table, each.rows, each.digest[:16]) for each in moved.arrived if each.rows]
        print_table("Equal on both sides", ("book", "table", "rows", "digest"), arrived)
    if dry_run:
        say(f"All {moved.rows} rows of {moved.source} fit {moved.target}. Nothing was left there.")
        return
    say(f"The desk has moved to {moved.target}. Start it there: {after}")
    say(f"What was there lies untouched ({moved.source}), and no start opens it any more.")


def moved_answer(moved: Moved, *, moved_now: bool, after: str) -> dict[str, object]:
    """Put it into the fields of the contract."""
    return {
        "moved": moved_now,
        "fits": moved.fits,
        "from": moved.source,
        "to": moved.target,
        "rows": moved.rows,
        "rows_found": moved.found,
        "digest": moved.digest if moved.arrived else None,
        "tables": plain(moved.arrived),
        "findings": plain(moved.unfit),
        "verify": None if moved.proof is None else moved.proof.to_json(),
        "next": after,
    }


def next_command(settings: Settings, to: str) -> str:
    """Say how the desk is started where it is now; without the address, which may hold a password."""
    target = target_of(to, settings)
    if isinstance(target, Path):
        return f"plimsoll up --data {target}"
    return f"PLIMSOLL_DATABASE='postgresql://…' plimsoll up --data {settings.data.absolute()}"
