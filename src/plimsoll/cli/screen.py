"""What a person sees on stderr while a replay runs: a bar on a terminal, and a line for each thing a guard tells."""

import sys
from datetime import datetime
from types import TracebackType
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from plimsoll.model.clock import Clock, time_text
from plimsoll.model.ids import AccountId
from plimsoll.runtime.logging import logger

#: Drawing takes a millisecond or two: four times a second it costs less than a hundredth of the run.
DRAW_EVERY_SECONDS = 0.25


class Screen:
    """Draws how far a replay is; off a terminal it only passes lines on."""

    def __init__(self, total: int, clock: Clock, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._clock = clock
        self._total = total
        self._drawn_at = float("-inf")
        self._progress: Progress | None = None
        self._task = TaskID(0)

    def __enter__(self) -> "Screen":
        if self._stream.isatty():
            # No thread that redraws: it would take turns from the desk.
            self._progress = Progress(
                TextColumn("{task.fields[day]}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.percentage:>3.0f} %"),
                TimeRemainingColumn(),
                console=Console(file=self._stream, markup=False, highlight=False),
                auto_refresh=False,
                redirect_stdout=False,
            )
            self._task = self._progress.add_task("replay", total=self._total, day="")
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def moved(self, bars: int, at: datetime, *, last: bool = False) -> None:
        """Draw how far it is, unless that was done a moment ago."""
        now = self._clock.monotonic()
        if self._progress is None or (now - self._drawn_at < DRAW_EVERY_SECONDS and not last):
            return
        self._drawn_at = now
        self._progress.update(self._task, completed=bars, day=at.strftime("%Y-%m-%d %H:%M"))
        self._progress.refresh()

    def line(self, text: str) -> None:
        """Show a line; the bar stays below."""
        if self._progress is None:
            self._stream.write(text + "\n")
            self._stream.flush()
        else:
            self._progress.console.print(text, soft_wrap=True)


class ScreenNotifier:
    """Tells the person at the terminal what a guard does, in the replay's time."""

    def __init__(self, screen: Screen, clock: Clock) -> None:
        self._screen = screen
        self._clock = clock
        self._log = logger("notify")

    def tell(self, account_id: AccountId, severity: str, message: str) -> None:
        """Show it, and log it. Never raises: a terminal that is gone stops no guard."""
        try:
            self._screen.line(f"{time_text(self._clock.now())[:19]}Z  {severity}  {message}")
        except OSError as gone:
            self._log.warning("screen_is_gone", failure=str(gone))
        self._log.info("told", account=account_id, severity=severity, message=message)
