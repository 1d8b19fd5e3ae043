"""Recorded files as rows of text, and the place in them where something is wrong.

CSV (plain or gzip) and Parquet come out alike: column names in small letters, cells as text, in the order asked for. A
double in Parquet becomes its shortest text, so that the same price read from either file is the same number.

What must not enter: what a column means (that is `candles`), and any repair: a bad cell is named, never mended.
"""

import csv
import gzip
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from operator import itemgetter
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

from plimsoll.model.clock import EPOCH
from plimsoll.model.errors import Illegal, PlimsollError
from plimsoll.model.money import check_digits

if TYPE_CHECKING:
    import pyarrow

PARQUET_ROWS_AT_ONCE = 4096


class BadRecording(PlimsollError, ValueError):
    """A recorded file cannot be used: names the file, the line, the column, the value and the remedy.

    Units: `line` counts from 1 with the header, as an editor shows it; in Parquet, rows from 1. 0 is the whole file.
    """

    def __init__(self, path: Path, line: int, column: str, value: str, remedy: str) -> None:
        place = f"{path}, line {line}" if line else f"{path}"
        if column:
            place += f", column {column!r} = {value!r}"
        super().__init__(f"{place}: {remedy}")
        self.path = path
        self.line = line
        self.column = column
        self.value = value
        self.remedy = remedy


class Table(Protocol):
    """One recorded file, open."""

    path: Path
    #: As in the file, in small letters and without blanks around them.
    names: tuple[str, ...]

    def rows(self, columns: Sequence[int]) -> Iterator[tuple[str, ...]]:
        """Give these cells (two or more) of each row; once only.

        Raises: BadRecording
        """

    @property
    def line(self) -> int:
        """Say where the last row given stands."""


@contextmanager
def open_table(path: Path) -> Iterator[Table]:
    """Open a recorded file by the end of its name: `.parquet`, `.gz`, anything else is plain CSV.

    Raises: BadRecording, also for what goes wrong while the rows are read
    """
    opened = _open_parquet if path.suffix.lower() == ".parquet" else _open_csv
    try:
        with opened(path) as table:
            yield table
    except OSError as problem:  # gzip.BadGzipFile is one of them
        raise BadRecording(path, 0, "", "", f"the file cannot be read: {problem}") from problem


# --- CSV


class _CsvTable:
    def __init__(self, path: Path, stream: IO[str]) -> None:
        self.path = path
        self._reader = csv.reader(stream, strict=True)
        self.names = tuple(name.strip().lower() for name in next(self._reader, ()))

    @property
    def line(self) -> int:
        return self._reader.line_num

    def rows(self, columns: Sequence[int]) -> Iterator[tuple[str, ...]]:
        pick, width = itemgetter(*columns), len(self.names)
        for cells in self._reader:
            if len(cells) == width:
                yield pick(cells)
            elif cells:  # an empty line holds nothing and hides nothing
                self._refuse_width(cells)

    def _refuse_width(self, cells: list[str]) -> None:
        width = len(self.names)
        if len(cells) < width:
            raise BadRecording(self.path, self.line, self.names[len(cells)], "", "the line ends before this column")
        raise BadRecording(self.path, self.line, "", "", f"{len(cells)} cells under a header of {width} names")


@contextmanager
def _open_csv(path: Path) -> Iterator[Table]:
    table: _CsvTable | None = None
    with _text(path) as stream:
        try:
            table = _CsvTable(path, stream)
            yield table
        except (csv.Error, UnicodeDecodeError, EOFError, zlib.error) as problem:
            # The line is where reading stopped, the cause can stand just after it.
            line = table.line if table else 1
            raise BadRecording(path, line, "", "", f"this is not whole CSV text in UTF-8: {problem}") from problem


def _text(path: Path) -> IO[str]:
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


# --- Parquet


class _ParquetTable:
    def __init__(self, path: Path, file: "pyarrow.parquet.ParquetFile") -> None:
        self.path = path
        self._file = file
        self._written: list[str] = list(file.schema_arrow.names)
        self.names = tuple(name.strip().lower() for name in self._written)
        self.line = 0

    def rows(self, columns: Sequence[int]) -> Iterator[tuple[str, ...]]:
        # Only what is asked for is read: another column may hold what has no text.
        fields = [self._file.schema_arrow.field(column) for column in columns]
        writers = [self._writer(field) for field in fields]
        for batch in self._file.iter_batches(PARQUET_ROWS_AT_ONCE, columns=[field.name for field in fields]):
            texts = [writer(batch.column(field.name)) for writer, field in zip(writers, fields, strict=True)]
            for row in zip(*texts, strict=True):
                self.line += 1
                yield row

    def _writer(self, field: "pyarrow.Field") -> "Callable[[pyarrow.Array], list[str]]":
        import pyarrow.types as kinds  # noqa: PLC0415  only where Parquet is read

        for is_kind, writer in (
            (kinds.is_float64, _doubles),
            (kinds.is_integer, _integers),
            (kinds.is_decimal, _decimals),
            (kinds.is_string, _strings),
            (kinds.is_large_string, _strings),
            (kinds.is_timestamp, _timestamps),
            (kinds.is_date, _dates),
        ):
            if is_kind(field.type):
                return writer
        # A 4-byte float is among them: its digits end before a price does.
        raise BadRecording(
            self.path, 0, field.name.lower(), str(field.type), "write doubles, decimals, integers, times or text"
        )


@contextmanager
def _open_parquet(path: Path) -> Iterator[Table]:
    try:
        from pyarrow import ArrowException, parquet  # noqa: PLC0415  an extra, and slow to import
    except ImportError as problem:
        raise BadRecording(path, 0, "", "", "to read Parquet install plimsoll-desk[parquet]") from problem
    table: _ParquetTable | None = None
    try:
        with parquet.ParquetFile(path) as file:
            table = _ParquetTable(path, file)
            yield table
    except ArrowException as problem:
        line = table.line if table else 0
        raise BadRecording(path, line, "", "", f"this is not a whole Parquet file: {problem}") from problem


def _doubles(column: "pyarrow.Array") -> list[str]:
    values: list[float | None] = column.to_pylist()
    return ["" if value is None else repr(value) for value in values]


def _integers(column: "pyarrow.Array") -> list[str]:
    values: list[int | None] = column.to_pylist()
    return ["" if value is None else str(value) for value in values]


def _decimals(column: "pyarrow.Array") -> list[str]:
    values: list[Decimal | None] = column.to_pylist()
    return ["" if value is None else format(value, "f") for value in values]


def _strings(column: "pyarrow.Array") -> list[str]:
    values: list[str | None] = column.to_pylist()
    return ["" if value is None else value for value in values]


def _timestamps(column: "pyarrow.Array") -> list[str]:
    # Stored as a count since 1970 in UTC whatever zone is written beside it. Finer than a microsecond does not pass.
    import pyarrow  # noqa: PLC0415  only where Parquet is read

    counts: list[int | None] = column.cast(pyarrow.timestamp("us", column.type.tz)).cast(pyarrow.int64()).to_pylist()
    return ["" if count is None else (EPOCH + timedelta(microseconds=count)).isoformat() for count in counts]


def _dates(column: "pyarrow.Array") -> list[str]:
    values: list[date | None] = column.to_pylist()
    return ["" if value is None else value.isoformat() for value in values]


# --- cells

_PLAIN = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,18})?")
#: With a sign, more digits than are allowed, or an exponent as a double's shortest text has it.
_NUMBER = re.compile(r"[+-]?[0-9]{1,64}(?:\.[0-9]{0,64})?(?:[eE][+-]?[0-9]{1,2})?")


def read_number(text: str) -> Decimal:
    """Read the text of a recorded number.

    Refuses: NaN, infinities, blanks, separators; more than 18 places or 20 digits before the point
    Raises:  ValueError, whose text is the remedy
    """
    if _PLAIN.fullmatch(text):
        return Decimal(text)
    if not _NUMBER.fullmatch(text):
        raise ValueError("write a finite number such as 0.05")
    try:
        return check_digits(Decimal(text), "number")
    except Illegal as refused:
        raise ValueError(refused.remedy) from refused


class TimeForm(StrEnum):
    """How the times of a file are written; the first row shows it, and all others must be alike."""

    #: ISO 8601 with Z, an offset or neither (then UTC), a date alone, or `yyyyMMdd HH:mm`.
    TEXT = "TEXT"
    #: Seconds since 1970.
    SECONDS = "SECONDS"
    #: Milliseconds since 1970.
    MILLISECONDS = "MILLISECONDS"


# Counts of this many digits lie between 1973 and 2286, whichever unit they are in, so no two forms can be confused.
# Eight digits are a date.
_SHAPES = {
    TimeForm.TEXT: re.compile(
        r"(?:[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{8})"
        r"(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6}0{0,3})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?"
    ),
    TimeForm.SECONDS: re.compile(r"[0-9]{9,10}"),
    TimeForm.MILLISECONDS: re.compile(r"[0-9]{12,13}"),
}
_SECOND = timedelta(seconds=1)
_MILLISECOND = timedelta(milliseconds=1)


def time_form(text: str) -> TimeForm:
    """Tell how a time is written.

    Raises: ValueError, whose text is the remedy
    """
    for form, shape in _SHAPES.items():
        if shape.fullmatch(text):
            return form
    raise ValueError("write the time as 2022-01-31T23:59:00Z, 20220131 23:59, or seconds or milliseconds since 1970")


def check_time(form: TimeForm, text: str) -> datetime:
    """Read a time that has not been seen before.

    Raises: ValueError, whose text is the remedy
    """
    if not _SHAPES[form].fullmatch(text):
        time_form(text)
        raise ValueError(f"write every time of a file the same way; this one began as {form}")
    try:
        return TIME_READERS[form](text)
    except (ValueError, OverflowError) as problem:
        raise ValueError(f"write a time that exists ({problem})") from problem


def _from_text(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is UTC:
        return at
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _from_seconds(text: str) -> datetime:
    return EPOCH + int(text) * _SECOND


def _from_milliseconds(text: str) -> datetime:
    return EPOCH + int(text) * _MILLISECOND


#: For times that `check_time` has passed once.
TIME_READERS: dict[TimeForm, Callable[[str], datetime]] = {
    TimeForm.TEXT: _from_text,
    TimeForm.SECONDS: _from_seconds,
    TimeForm.MILLISECONDS: _from_milliseconds,
}
