"""Rows as a notebook wants them: a sequence, a stream, or a frame of pandas or polars where one is installed.

Rule 1. Nothing is read before somebody looks, and then once. `stream` keeps nothing: a million rows pass through the
        memory of a few thousand.
Rule 2. Numbers stay exact. Floats are for charts, and only where they are asked for.

What must not enter: what the rows are; and pandas or polars before they are asked for, since most need neither.
"""

import importlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any, Generic, TypeVar, get_args, get_type_hints, overload

from plimsoll.model import money
from plimsoll.model.errors import Illegal, PlimsollError
from plimsoll.model.money import decimal_text

Row = TypeVar("Row")

#: NUMERIC(38, 18): everything that a book holds.
_DIGITS = money.INTEGER_DIGITS + money.PLACES


class MissingLibrary(PlimsollError, ImportError):
    """A library that is no part of Plimsoll is not installed."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is not installed here: pip install {name}")


class Rows(Sequence[Row], Generic[Row]):
    """Rows of one kind, oldest first where they have a time."""

    def __init__(self, kind: type[Row], source: Callable[[], Iterable[Row]]) -> None:
        self._kind, self._source = kind, source
        self._kept: tuple[Row, ...] | None = None

    def stream(self) -> Iterator[Row]:
        """Read the rows one after the other and keep none of them."""
        return iter(self._source())

    def chunks(self, size: int) -> Iterator[list[Row]]:
        """Read so many rows at a time and keep none of them."""
        if size < 1:
            raise Illegal("size", size, "take at least one row at a time")
        rows = self.stream()
        while chunk := list(islice(rows, size)):
            yield chunk

    @overload
    def __getitem__(self, place: int) -> Row: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[Row, ...]: ...

    def __getitem__(self, place: int | slice) -> Row | tuple[Row, ...]:
        return self._all()[place]

    def __len__(self) -> int:
        return len(self._all())

    def __iter__(self) -> Iterator[Row]:
        return iter(self._all())

    def __repr__(self) -> str:
        how_many = "not read yet" if self._kept is None else f"{len(self._kept)}"
        return f"<Rows of {self._kind.__name__}: {how_many}>"

    def to_pandas(self, *, floats: bool = False) -> Any:
        """Give a `pandas.DataFrame`, a column for each field.

        Shapes: times as datetime64[ns, UTC]; numbers as Decimal objects, or with `floats` as float64 for a chart
        Raises: MissingLibrary
        """
        pandas = _library("pandas")
        columns = {}
        for name, kind, cells in self._columns():
            dtype: str | None = None
            if kind is datetime:
                dtype = "datetime64[ns, UTC]"
            elif kind is Decimal:
                dtype = "float64" if floats else "object"
            columns[name] = pandas.Series(_floats(cells) if floats and kind is Decimal else cells, dtype=dtype)
        return pandas.DataFrame(columns)

    def to_polars(self, *, floats: bool = False) -> Any:
        """Give a `polars.DataFrame`, a column for each field.

        Shapes: times as Datetime("us", "UTC"); numbers as Decimal(38, 18), or with `floats` as Float64 for a chart
        Raises: MissingLibrary
        """
        polars = _library("polars")
        exact = polars.Float64 if floats else polars.Decimal(_DIGITS, money.PLACES)
        types = {
            datetime: polars.Datetime("us", "UTC"),
            Decimal: exact,
            int: polars.Int64,
            bool: polars.Boolean,
        }
        columns = list(self._columns())
        data = {name: _floats(cells) if floats and kind is Decimal else cells for name, kind, cells in columns}
        return polars.DataFrame(data, schema={name: types.get(kind, polars.String) for name, kind, _ in columns})

    def _all(self) -> tuple[Row, ...]:
        if self._kept is None:
            self._kept = tuple(self._source())
        return self._kept

    def _columns(self) -> Iterator[tuple[str, type, list[Any]]]:
        hints = get_type_hints(self._kind)
        rows = self._all()
        for field in fields(self._kind):  # type: ignore[arg-type]  # every kind of row is a dataclass
            hint = hints[field.name]
            # Of `Decimal | None` the type that it is when it is known.
            kind = next((one for one in get_args(hint) if one is not type(None)), hint)
            cells = [getattr(row, field.name) for row in rows]
            if hint == Amounts:
                kind, cells = str, [_amounts_text(amounts) for amounts in cells]
            yield field.name, kind, cells


#: Amounts by asset, such as what a position paid in fees.
Amounts = tuple[tuple[str, Decimal], ...]


def _amounts_text(amounts: Amounts) -> str:
    return ", ".join(f"{decimal_text(amount)} {asset}" for asset, amount in amounts)


def _floats(cells: Iterable[Decimal | None]) -> list[float | None]:
    return [None if cell is None else float(cell) for cell in cells]


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise MissingLibrary(name) from None
