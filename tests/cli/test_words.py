"""What an answer holds is shown, and never obeyed: reasons and names come from whoever holds a key."""

import json
import os
import pty
from collections.abc import Sequence

import pytest

from plimsoll.cli.words import print_json, print_table, say

#: Clears the screen, renames the window, colours, begins a line that looks like ours, turns writing round, 8-bit CSI.
HOSTILE = "pwn\x1b[2J\x1b]0;owned\x07\x1b[31m\r\nguard  ACTIVE\x08\x7f\x9b2J\u202e\u2028\ud800"
SPELT = r"pwn\x1b[2J\x1b]0;owned\x07\x1b[31m\r\nguard  ACTIVE\x08\x7f\x9b2J\u202e\u2028\ud800"


def _harmless(shown: str, breaks: Sequence[str] = ("\n",)) -> bool:
    return all(sign.isprintable() or sign in breaks for sign in shown)


def test_a_table_off_a_terminal_spells_out_what_a_terminal_would_obey(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(HOSTILE, ("source", "reason"), [("manual", HOSTILE), ("guard", "all is well, été 日本")])
    shown = capsys.readouterr().out
    assert _harmless(shown)
    assert shown.count(SPELT) == 2
    assert "all is well, été 日本" in shown
    assert len(shown.splitlines()) == 5, "no reason makes a line of its own"


def test_a_table_on_a_terminal_has_no_escape_but_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as terminal:
        monkeypatch.setattr("sys.stdout", terminal)
        print_table("Halts", ("reason",), [(HOSTILE,)])
        terminal.flush()
        drawn = os.read(master, 65_536).decode()
    os.close(master)
    for obeyed in ("\x1b[2J", "\x1b]0;", "\x07", "\x08", "\x7f", "\x9b", "\u202e"):
        assert obeyed not in drawn
    for spelt in (r"\x1b[2J", r"\x9b2J", r"\u202e"):
        assert spelt in drawn


def test_a_line_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    say(f"plimsoll: {HOSTILE}")
    assert capsys.readouterr().err == f"plimsoll: {SPELT}\n"


def test_json_is_the_same_value_and_commands_no_terminal_either(capsys: pytest.CaptureFixture[str]) -> None:
    answer = {"halts": [{"reason": HOSTILE, HOSTILE: "é\U000e0041"}]}
    print_json(answer)
    shown = capsys.readouterr().out
    assert _harmless(shown)
    assert "é" in shown
    assert json.loads(shown) == answer
