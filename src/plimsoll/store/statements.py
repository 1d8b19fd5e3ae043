"""SQL for whole tables, built with SQLAlchemy Core and compiled once, so that the hot path only binds rows.

On SQLite a statement takes one row and runs once for each; a call there costs next to nothing. On PostgreSQL every
statement is a message, and planning and checking it costs more than a row: there one takes all rows of a table at
once, as one array for each column (`arrays_of`).
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    Numeric,
    Select,
    String,
    Table,
    TableValuedAlias,
    Text,
    TypeDecorator,
    bindparam,
    cast,
    func,
    select,
    type_coerce,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP
from sqlalchemy.dialects.postgresql import insert as insert_many
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.types import TypeEngine

from plimsoll.model.errors import invariant
from plimsoll.model.money import PLACES
from plimsoll.store.columns import Exact, Utc
from plimsoll.store.draft import Cell, Row


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


@cache
def bring_sql(table: Table, source: str) -> str:
    """Write an insert of a stretch of rows from the table of the same name in an attached database."""
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    return f"INSERT INTO main.{table.name} ({names}) {_stretch(table, f'{source}.')}"


@cache
def staged_sql(table: Table) -> str:
    """Write the question for a stretch of rows of a table in a file of their own."""
    return _stretch(table, "")


def _stretch(table: Table, source: str) -> str:
    # Each cell by its table's name: alone and in quotation marks, SQLite takes the name of a column that is not there
    # for a text.
    cells = ", ".join(f'ready."{column.name}"' for column in table.columns)
    owner = next(iter(table.columns)).name
    there = f'ready."{owner}" = ? AND ready.rowid BETWEEN ? AND ?'
    return f"SELECT {cells} FROM {source}{table.name} AS ready WHERE {there} ORDER BY ready.rowid"  # noqa: S608  names of our own


@cache
def insert_many_sql(table: Table) -> str:
    """Compile an insert of many rows of all columns, an array for each."""
    return _compiled_many(_insert_many(table, _rows(table.columns)))


@cache
def replace_many_sql(table: Table) -> str:
    """Compile an insert of many rows that overwrites those with the same primary key."""
    statement = _insert_many(table, _rows(table.columns))
    keys = [column.name for column in table.primary_key.columns]
    changed = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in keys}
    return _compiled_many(statement.on_conflict_do_update(index_elements=keys, set_=changed))


@cache
def change_many_sql(table: Table) -> str | None:
    """Compile an update of many rows: the columns that the table names as changing, its key behind them."""
    columns = changing_columns(table)
    if columns is None:
        return None
    keys = list(table.primary_key.columns)
    rows = _rows(columns)
    values = list(rows.c)
    return _compiled_many(
        update(table)
        .where(*(key == value for key, value in zip(keys, values[-len(keys) :], strict=True)))
        .values(dict(zip(columns, values[: -len(keys)], strict=False)))
    )


def changing_columns(table: Table) -> list[Column[Any]] | None:
    """Give the columns of which a row of changes consists, the key last; None if the table names none."""
    changing = table.info.get("changing")
    return None if changing is None else [*(table.c[name] for name in changing), *table.primary_key.columns]


def arrays_of(columns: Sequence[Column[Any]], rows: Sequence[Row]) -> list[str]:
    """Write rows as one array for each column.

    Raises: ValueError for a decimal with more than 18 places, which PostgreSQL would round without a word
    """
    cells = list(zip(*rows, strict=True))
    invariant(len(cells) == len(columns), "a row has a cell for every column")
    for column, values in zip(columns, cells, strict=True):
        if isinstance(column.type, Exact):
            _check_places(column, values)
    return [array_text(values) for values in cells]


def array_text(cells: Iterable[Cell]) -> str:
    """Write cells as the text of an array. Text is quoted always: unquoted, the word null would be nothing."""
    return "{" + ",".join([_element(cell) for cell in cells]) + "}"


def _element(cell: Cell) -> str:
    if isinstance(cell, str):
        if "\\" in cell or '"' in cell:
            cell = cell.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{cell}"'
    return "NULL" if cell is None else str(cell)


def _check_places(column: Column[Any], cells: Iterable[Cell]) -> None:
    for cell in cells:
        # A short text cannot have too many places.
        if isinstance(cell, str) and len(cell) > PLACES and len(cell.partition(".")[2]) > PLACES:
            raise ValueError(f"{column} = {cell}: use at most {PLACES} decimal places")


def _rows(columns: Iterable[Column[Any]]) -> TableValuedAlias:
    # Named by their place: a row of changes has the key twice where a table lets its key change.
    named = [(f"c{place}", column) for place, column in enumerate(columns)]
    arrays = [cast(bindparam(name), ARRAY(_type_of(column))) for name, column in named]
    return func.unnest(*arrays).table_valued(*(name for name, _ in named), name="rows").render_derived()


def _type_of(column: Column[Any]) -> TypeEngine[Any]:
    if isinstance(column.type, Exact):
        return Numeric()
    if isinstance(column.type, Utc):
        return TIMESTAMP(timezone=True)
    return BigInteger() if isinstance(column.type, Integer) else Text()


def _insert_many(table: Table, rows: TableValuedAlias) -> postgresql.Insert:
    return insert_many(table).from_select([column.name for column in table.columns], select(*rows.c))


def _compiled_many(statement: object) -> str:
    # No colons and no percent signs but those of the parameters: psycopg reads both.
    dialect = postgresql.dialect(paramstyle="format")  # type: ignore[no-untyped-call]  # SQLAlchemy's
    compiled = statement.compile(dialect=dialect)  # type: ignore[attr-defined]  # any Core statement
    names = list(compiled.positiontup or ())
    invariant(names == [f"c{place}" for place in range(len(names))], "arrays are bound in the order of their columns")
    return str(compiled)


@cache
def select_as_stored(table: Table) -> Select[Any]:
    """Select whole rows, their decimals and times as the text that lies on the disk: for proofs, and for `from_row`."""
    cells = [
        type_coerce(column, String).label(column.name) if isinstance(column.type, TypeDecorator) else column
        for column in table.columns
    ]
    return select(*cells).order_by(*table.primary_key.columns)
