"""An edge reads the book for somebody, or not at all: the desk's own readers are out of its reach."""

import ast
from pathlib import Path

import pytest

import plimsoll.edges

EDGES = Path(plimsoll.edges.__file__).parent
#: They see everybody's rows.
DESK_WIDE = {
    "plimsoll.ledger.backup",
    "plimsoll.ledger.digest",
    "plimsoll.ledger.glance",
    "plimsoll.ledger.schema",
    "plimsoll.ledger.stamp",
    "plimsoll.ledger.verify",
    "plimsoll.ledger.views",
    "plimsoll.store.place",
    "plimsoll.store.postgres",
    "plimsoll.store.sqlite",
    "sqlalchemy",
    "sqlite3",
}


def imported(source: str) -> set[str]:
    """Name every module that a file imports, and everything that it takes out of one."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def reached(source: str) -> set[str]:
    return {wide for wide in DESK_WIDE for name in imported(source) if name == wide or name.startswith(f"{wide}.")}


@pytest.mark.parametrize("path", sorted(EDGES.rglob("*.py")), ids=lambda path: str(path.relative_to(EDGES)))
def test_no_edge_reaches_what_sees_everybody(path: Path) -> None:
    """Neither a reader of the desk's own, nor a database at all."""
    assert reached(path.read_text()) == set()


def test_whoever_reached_for_it_would_be_seen() -> None:
    """In any of the ways that an import is written."""
    for written in (
        "import sqlalchemy.orm",
        "from plimsoll.ledger import keys, views",
        "from plimsoll.ledger.views import status",
        "def late():\n    from plimsoll.store.place import reader",
    ):
        assert len(reached(written)) == 1
