"""Each planted bug dies, and of the law that it breaks; a survivor means a missing fault or check."""

from pathlib import Path

import pytest

from tests.simulation.planted.bugs import Bug, Edit
from tests.simulation.planted.hour_bugs import EVERY, HOUR_BUGS
from tests.simulation.planted.runner import ROOT, TextMoved, plant, spoil


@pytest.mark.parametrize("bug", EVERY, ids=lambda bug: bug.name)
def test_a_planted_bug_is_caught(bug: Bug) -> None:
    """A copy of the source with the bug in it breaks the law that is named for it."""
    verdict = plant(bug)
    assert verdict.killed, str(verdict)


def test_an_edit_whose_text_has_moved_on_is_refused_loudly(tmp_path: Path) -> None:
    """A bug that is silently not planted would be a survivor nobody sees."""
    (tmp_path / "plimsoll").mkdir()
    (tmp_path / "plimsoll" / "x.py").write_text("a = 1\n")
    with pytest.raises(TextMoved):
        spoil(tmp_path, Edit("x.py", "a = 2\n", "a = 3\n"))


def test_the_page_about_them_names_every_one() -> None:
    """The table in the documentation is the table in the code."""
    page = (ROOT / "docs" / "simulation.md").read_text(encoding="utf-8")
    listed = {line.split("`")[1] for line in page.splitlines() if line.startswith("| `") and line.count("|") == 5}
    assert {bug.name for bug in EVERY} == listed


def test_there_are_enough_of_them_and_none_twice() -> None:
    """Thirty at least, each with a name of its own."""
    assert len({bug.name for bug in EVERY}) == len(EVERY) >= 30


def test_those_of_the_hours_each_claim_an_entry_of_the_catalogue() -> None:
    """None stands for what another one shows already."""
    claimed = [bug.catalogue for bug in HOUR_BUGS]
    assert len(set(claimed)) == len(claimed) >= 14
