"""SQL for whole tables, built with SQLAlchemy Core and compiled once, so that the hot path only binds rows."""

from functools import cache
from typing import Any

from sqlalchemy import Select, String, Table, TypeDecorator, bindparam, select, type_coerce, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite import insert

from plimsoll.model.errors import invariant


def _compiled(statement: object) -> str:
    dialect = sqlite.dialect(paramstyle="qmark")
    return str(statement.compile(dialect=dialect))  # type: ignore[attr-defined]  # any Core statement


@cache
def insert_sql(table: Table) -> str:
    """Compile an insert of all columns, in the table's order."""
    return _compiled(insert(table).values({column.name: None for column in table.columns}))


@cache
def replace_sql(table: Table) -> str:
    """Compile an insert that overwrites the row with the same primary key."""
    statement = insert(table).values({column.name: None for column in table.columns})
    keys = [column.name for column in table.primary_key.columns]
    changed = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in keys}
    return _compiled(statement.on_conflict_do_update(index_elements=keys, set_=changed))


@cache
def change_sql(table: Table) -> str | None:
    """Compile an update of the columns that the table names as changing, its key behind them; None if it names none."""
    changing = table.info.get("changing")
    if changing is None:
        return None
    columns = [*changing, *(f"key_{column.name}" for column in table.primary_key.columns)]
    statement = (
        update(table)
        .where(*(column == bindparam(f"key_{column.name}") for column in table.primary_key.columns))
        .values({name: bindparam(name) for name in changing})
    )
    compiled = statement.compile(dialect=sqlite.dialect(paramstyle="qmark"))
    invariant(list(compiled.positiontup or ()) == columns, "an update binds its columns first, then its key")
    return str(compiled)


def select_as_stored(table: Table) -> Select[Any]:
    """Select whole rows, their decimals and times as the text that lies on the disk: for proofs, and for `from_row`."""
    cells = [
        type_coerce(column, String).label(column.name) if isinstance(column.type, TypeDecorator) else column
        for column in table.columns
    ]
    return select(*cells).order_by(*table.primary_key.columns)
