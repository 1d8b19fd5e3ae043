"""Files of separated values as rows of text, each with the line it begins at and the text it was read from.

UTF-8 and UTF-16 (what Windows programs write), with or without a mark at the beginning; commas, semicolons or tabs;
line ends of every machine. Memory stays flat: a row is read, told and forgotten.

Rule 1. A row has as many cells as the header has names. One more is a comma inside a number without quotes, and every
        cell behind it would be read as its neighbour; one less is a file that was cut off.
Rule 2. A quote that is never closed would swallow the rest of the file as one cell: reading stops there and says so.
Rule 3. The header again, in the middle of a file, is two exports in one, and no row.

What must not enter: what a column means.
"""

import csv
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import IO

from plimsoll.imports import cells as cell_readers
from plimsoll.imports.statement import Complaint, NotReadable, Options, ToldLine
from plimsoll.model.errors import Illegal
from plimsoll.model.money import decimal_text
from plimsoll.model.told import Told

#: Longer than any line of a statement; a file without line ends must not be read as one.
_LONGEST_LINE = 1 << 17
_AT_ONCE = 1 << 20
#: Rows in which a header is looked for: some exports begin with whom they are for.
_HEADER_WITHIN = 12
_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_DELIMITERS = ",;\t"


@dataclass(frozen=True, slots=True)
class Shape:
    """How one file is written, as its beginning shows."""

    path: Path
    encoding: str
    delimiter: str
    #: The names as they are written, without blanks around them.
    header: tuple[str, ...]
    #: The line that the header ends at.
    header_line: int
    #: Rows of sections have their own length, whatever the header says.
    ragged: bool = False
    #: Where each column stands, by its name in small letters.
    places: Mapping[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        places: dict[str, int] = {}
        for place, name in enumerate(self.header):
            places.setdefault(name.casefold(), place)
        object.__setattr__(self, "places", places)

    def check_single(self, names: Iterable[str]) -> None:
        """Refuse a header that has one of these names twice: nobody knows which one is meant.

        Raises: NotReadable
        """
        written = [name.casefold() for name in self.header]
        for name in names:
            if written.count(name) > 1:
                raise NotReadable(f"{self.path.name}: the header has the column {name!r} twice; keep one of them")


class Row:
    """One row, its cells by the names of their columns."""

    __slots__ = ("cells", "line", "raw", "shape")

    def __init__(self, shape: Shape, line: int, cells: Sequence[str], raw: str) -> None:
        self.shape = shape
        self.line = line
        self.cells = cells
        self.raw = raw

    def text(self, *names: str) -> str:
        """Give the cell of the first of these columns that there is, without blanks; empty where there is none."""
        for name in names:
            place = self.shape.places.get(name)
            if place is not None:
                return self.cells[place].strip()
        return ""

    def needed(self, *names: str) -> str:
        """Give a cell that may not be empty.

        Raises: Illegal, naming the column
        """
        found = self.text(*names)
        if not found:
            raise Illegal(names[0], "", "this may not be empty")
        return found

    def number(self, *names: str, read: Callable[[str, str], Decimal] = cell_readers.number) -> Decimal:
        """Read a number that may not be missing.

        Raises: Illegal, naming the column
        """
        return read(self.needed(*names), names[0])

    def number_or_none(self, *names: str, read: Callable[[str, str], Decimal] = cell_readers.number) -> Decimal | None:
        """Read a number, or None where the cell is empty.

        Raises: Illegal, naming the column
        """
        found = self.text(*names)
        return read(found, names[0]) if found else None

    def number_or_zero(self, *names: str, read: Callable[[str, str], Decimal] = cell_readers.number) -> Decimal:
        """Read a number that is 0 where the format leaves it out, as of fees that were not charged.

        Raises: Illegal, naming the column
        """
        return self.number_or_none(*names, read=read) or Decimal(0)

    def number_with_unit(self, name: str) -> tuple[Decimal, str]:
        """Read an amount with its asset behind it, which may not be missing.

        Raises: Illegal, naming the column
        """
        return cell_readers.number_and_unit(self.needed(name), name)

    def complain(self, problem: Illegal) -> Complaint:
        """Say what is wrong with this row, by the column as the file writes it."""
        return complaint(self.shape, self.line, problem)


def complaint(shape: Shape, line: int, problem: Illegal) -> Complaint:
    """Turn a value that cannot be into a complaint about its line, by the column as the file writes it."""
    place = shape.places.get(problem.field)
    column = problem.field if place is None else shape.header[place]
    value = decimal_text(problem.value) if isinstance(problem.value, Decimal) else str(problem.value)
    return Complaint(line, column, value, problem.remedy)


def told_rows(shape: Shape, tell: Callable[[Row], Iterable[Told]]) -> Iterator[ToldLine | Complaint]:
    """Tell every row by itself."""
    for row in rows(shape):
        if isinstance(row, Complaint):
            yield row
            continue
        try:
            for told in tell(row):
                yield ToldLine(told, row.raw)
        except Illegal as problem:
            yield row.complain(problem)


def rows(shape: Shape) -> Iterator[Row | Complaint]:
    """Give the rows below the header."""
    for line, cells, raw in cell_rows(shape):
        if isinstance(cells, Complaint):
            yield cells
        else:
            yield Row(shape, line, cells, raw)


def cell_rows(shape: Shape) -> Iterator[tuple[int, list[str] | Complaint, str]]:
    """Give line, cells and raw text of each row below the header; blank rows and the header again are left out."""
    first, width, line = shape.header[0], len(shape.header), shape.header_line
    with shape.path.open(encoding=shape.encoding, newline="") as file:
        lines = _Lines(file)
        reader = csv.reader(lines, delimiter=shape.delimiter, strict=True)
        try:
            while lines.count < shape.header_line:
                next(reader, None)
            while (line := lines.forget()) and (cells := next(reader, None)) is not None:
                raw = lines.raw()
                if "\0" in raw:
                    yield line, Complaint(line, "", raw, "this is no text; write the file again as CSV"), raw
                elif cells and cells[0] and cells[0] != first and (len(cells) == width or shape.ragged):
                    yield line, cells, raw
                elif _says_something(cells, shape.header):
                    yield line, cells if len(cells) == width or shape.ragged else _odd_row(line, cells, width, raw), raw
        except csv.Error as problem:
            yield line, _broken(line, problem, lines.raw()), ""
        except UnicodeError:
            yield line, Complaint(line, "", "", "this is no text in UTF-8 (or in UTF-16 with its mark); save it so"), ""
        except _TooLong as problem:
            yield line, Complaint(line, "", "", f"{problem}; write the file again as CSV"), ""


def _says_something(cells: list[str], header: tuple[str, ...]) -> bool:
    said = [cell.strip() for cell in cells]
    return any(said) and tuple(said) != header


def _odd_row(line: int, cells: list[str], width: int, raw: str) -> Complaint:
    remedy = f"{len(cells)} cells where the header has {width}; put quotes around a value that holds the separator"
    if len(cells) < width:
        remedy = f"{len(cells)} cells where the header has {width}; was the file cut off?"
    return Complaint(line, "", raw, remedy)


def _broken(line: int, problem: csv.Error, raw: str) -> Complaint:
    remedy = f"{problem}: a quote that begins here does not end as it should; nothing behind it can be read"
    return Complaint(line, "", raw[:1000], remedy)


class _TooLong(Exception):
    """A line is longer than any statement's."""


class _Lines:
    """The lines of a file, counted, and kept until the row they belong to is told."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._kept: list[str] = []
        self.count = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._file.readline(_LONGEST_LINE)
        if not line:
            raise StopIteration
        if len(line) == _LONGEST_LINE:
            raise _TooLong(f"the line is longer than {_LONGEST_LINE - 1} characters")
        self.count += 1
        self._kept.append(line)
        return line

    def forget(self) -> int:
        """Let go of the last row's lines; give the line that the next row begins at."""
        self._kept.clear()
        return self.count + 1

    def raw(self) -> str:
        """Give the text of this row, without its line end."""
        kept = self._kept
        return (kept[0] if len(kept) == 1 else "".join(kept)).rstrip("\r\n")


# --- the beginning of a file


@dataclass(frozen=True, slots=True)
class Format:
    """One way in which somebody writes statements."""

    name: str
    #: Where what it tells was traded, unless somebody says otherwise.
    venue: str
    #: Columns that tell it apart, in small letters; `a|b` is either of two names.
    needs: tuple[str, ...]
    tell: Callable[[Shape, Options], Iterator[ToldLine | Complaint]]
    #: Columns that it uses where they are there.
    takes: tuple[str, ...] = ()
    ragged: bool = False

    def missing(self, names: frozenset[str]) -> tuple[str, ...]:
        """Give the needed columns that are not among these names."""
        return tuple(need for need in self.needs if names.isdisjoint(need.split("|")))

    def names(self) -> Iterator[str]:
        """Give every column name that it reads."""
        for name in (*self.needs, *self.takes):
            yield from name.split("|")


def fingerprint(path: Path) -> tuple[str, int]:
    """Give a file's SHA-256 and its count of lines.

    Raises: OSError
    """
    digest, lines, last = hashlib.sha256(), 0, b"\n"
    with path.open("rb") as file:
        while block := file.read(_AT_ONCE):
            digest.update(block)
            lines += block.count(b"\n")
            last = block[-1:]
    return digest.hexdigest(), lines + (last != b"\n")


def encoding_of(beginning: bytes) -> str:
    """Say how a file's letters are written; what says nothing is UTF-8, or it is refused where it is not."""
    return next((name for mark, name in _MARKS.items() if beginning.startswith(mark)), "utf-8")


def beginnings(path: Path, encoding: str) -> Iterator[tuple[str, int, tuple[str, ...]]]:
    """Give what could be the header: delimiter, line and cells of the first rows, for each delimiter.

    Raises: UnicodeError, for what is no text
    """
    for delimiter in _DELIMITERS:
        with path.open(encoding=encoding, newline="") as file:
            lines = _Lines(file)
            reader = csv.reader(lines, delimiter=delimiter, strict=True)
            try:
                for cells in reader:
                    if lines.count > _HEADER_WITHIN:
                        break
                    names = tuple(cell.strip().lstrip("\ufeff") for cell in cells)
                    if any(names):
                        yield delimiter, lines.count, names
            except (csv.Error, _TooLong):  # the same delimiter finds no header behind it either
                continue
