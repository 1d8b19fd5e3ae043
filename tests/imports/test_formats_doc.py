"""docs/imports-formats.md: every example is a statement of the format it says, and every format has an example."""

import re
from pathlib import Path

import pytest

from plimsoll.imports.reading import FORMATS, Options
from plimsoll.model.cash import EVENT_KINDS
from tests.builders.statements import read, written

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "imports-formats.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```csv (\S+)(?: --currency (\S+))?\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize(("name", "currency", "text"), EXAMPLES, ids=[example[0] for example in EXAMPLES])
def test_an_example_is_read_as_what_it_says_it_is(tmp_path: Path, name: str, currency: str, text: str) -> None:
    found = read(written(tmp_path, text), Options(currency=currency or None))
    assert (found.format, found.sentences) == (name, [])
    assert found.told


def test_every_format_has_an_example() -> None:
    assert [example[0] for example in EXAMPLES if example[0] == "plain"] == ["plain"]
    assert {example[0] for example in EXAMPLES} == {known.name for known in FORMATS}


def test_every_column_and_kind_of_the_plain_form_is_on_the_page() -> None:
    plain = next(known for known in FORMATS if known.name == "plain")
    assert [name for name in plain.names() if f"`{name}`" not in PAGE] == []
    named = set(re.findall(r"`([a-z]+)`", PAGE))
    assert {kind.value.lower() for kind in EVENT_KINDS} <= named
