"""Cells are canonical: a decimal in its one text, a time in its 27 characters. Equal values are equal text only so."""

import re
from collections.abc import Callable, Iterator
from functools import partial

from sqlalchemy import Table

from plimsoll.ledger import schema
from plimsoll.ledger.verify.proof import Proof, place_of
from plimsoll.model.clock import parse_time
from plimsoll.model.errors import Illegal
from plimsoll.store.columns import Exact, Utc
from plimsoll.store.draft import Row

_CANONICAL = re.compile(r"(?!-0$)-?(0|[1-9][0-9]{0,19})(\.[0-9]{0,17}[1-9])?")
#: What the chain streams is looked at there, so that no large table is read twice.
_WITH_THE_CHAIN = {*schema.FACTS, "audit_log"}


def check_cells(proof: Proof) -> None:
    """Look at every decimal's and every time's text, of all tables but those that the chain reads."""
    for table in schema.metadata.sorted_tables:
        if table.name not in _WITH_THE_CHAIN and _kinds(table):
            for _ in canonical(proof, table, proof.stored(table)):
                pass


def canonical(proof: Proof, table: Table, rows: Iterator[Row]) -> Iterator[Row]:
    """Look at the cells of rows while they pass by."""
    kinds, checked = _kinds(table), 0
    for row in rows:
        checked += len(kinds)
        for number, is_canonical in kinds:
            cell = row[number]
            if cell is not None and not (isinstance(cell, str) and is_canonical(cell)):
                place = f"{place_of(table, row)}, {table.columns[number].name}"
                proof.find("not_canonical", table.name, place, f"{cell!r} is not the one text of its value")
        yield row
    proof.checked["cells"] = proof.checked.get("cells", 0) + checked


def _kinds(table: Table) -> list[tuple[int, Callable[[str], object]]]:
    kinds: list[tuple[int, Callable[[str], object]]] = []
    for number, column in enumerate(table.columns):
        if isinstance(column.type, Exact):
            kinds.append((number, _CANONICAL.fullmatch))
        elif isinstance(column.type, Utc):
            kinds.append((number, partial(_is_time, {})))
    return kinds


def _is_time(last: dict[str, bool], cell: str) -> bool:
    # Rows of one unit share their time, and reading one takes longer than everything else about a row.
    known = last.get(cell)
    if known is None:
        last.clear()
        known = last[cell] = _reads_as_time(cell)
    return known


def _reads_as_time(cell: str) -> bool:
    try:
        parse_time(cell)
    except Illegal:
        return False
    return True
