"""What a person sees while a replay runs, on a terminal and off it."""

import os
import pty
from datetime import datetime, timedelta
from io import StringIO

import pytest

from plimsoll.cli.screen import Screen, ScreenNotifier
from plimsoll.cli.words import print_table
from plimsoll.model.ids import AccountId
from tests.cli.shell import START


class Watch:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds


class Terminal(StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Gone(StringIO):
    """A terminal that was closed."""

    def write(self, text: str) -> int:
        raise OSError("the other end is gone")


def test_a_terminal_gets_a_bar_that_is_drawn_four_times_a_second_at_most() -> None:
    """A bar that moves more often is not drawn, so that drawing costs nothing."""
    watch, stream = Watch(), Terminal()
    with Screen(1000, watch, stream) as screen:
        screen.moved(250, START)
        drawn = len(stream.getvalue())
        assert "25 %" in stream.getvalue()
        for bar in range(251, 300):
            screen.moved(bar, START)
        assert len(stream.getvalue()) == drawn
        watch.seconds = 0.3
        screen.moved(500, START)
        assert "50 %" in stream.getvalue()
        screen.line("a warning")
        screen.moved(1000, START, last=True)
    assert "a warning" in stream.getvalue()
    assert "100 %" in stream.getvalue()


def test_off_a_terminal_only_the_lines_come_through() -> None:
    """A log file gets what the guard did, at the replay's time, and no bar."""
    watch, stream = Watch(), StringIO()
    with Screen(10, watch, stream) as screen:
        screen.moved(5, START)
        ScreenNotifier(screen, watch).tell(AccountId(1), "critical", "CLOSE_ALL: drawdown 20 %")
    assert stream.getvalue() == "2022-01-01T00:00:00Z  critical  CLOSE_ALL: drawdown 20 %\n"


def test_a_terminal_that_is_gone_stops_no_guard() -> None:
    """Telling never raises."""
    watch = Watch()
    with Screen(10, watch, Gone()) as screen:
        ScreenNotifier(screen, watch).tell(AccountId(1), "critical", "CLOSE_ALL")


def test_a_table_is_drawn_on_a_terminal_and_plain_elsewhere(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same cells either way; markup in them is text."""
    rows = [("[red]a", None, True), ("b", START, False)]
    print_table("Things", ("name", "at", "good"), rows)
    plain = capsys.readouterr().out
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as terminal:
        monkeypatch.setattr("sys.stdout", terminal)
        print_table("Things", ("name", "at", "good"), rows)
        terminal.flush()
        drawn = os.read(master, 65_536).decode()
    os.close(master)
    for part in ("Things", "[red]a", "yes", "no", "–", "2022-01-01T00:00:00.000000Z"):
        assert part in plain
        assert part in drawn.replace("\n", "")
