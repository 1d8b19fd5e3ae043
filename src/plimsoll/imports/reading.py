"""Opens a file as a statement: finds out by its header whose export it is, or says in a sentence why it is none.

`open_statement` looks at the beginning and takes the file's fingerprint; `Statement.read` reads it. A format is a row
in `FORMATS`; the first one whose columns are all there is it, so that those which need more stand before the others.

What must not enter: what a column means (each format says it in a file of its own).
"""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from plimsoll.imports.binance import BINANCE, BINANCE_AUTO_INVEST, BINANCE_HISTORY, BINANCE_OLD
from plimsoll.imports.coinbase import COINBASE, COINBASE_PRO, COINBASE_PRO_FILLS
from plimsoll.imports.csv_file import Format, Shape, beginnings, encoding_of, fingerprint
from plimsoll.imports.ibkr import IBKR_ACTIVITY, IBKR_FLEX
from plimsoll.imports.kraken import KRAKEN, KRAKEN_LEDGERS
from plimsoll.imports.mt5 import MT5
from plimsoll.imports.plain import PLAIN
from plimsoll.imports.rp2 import DALI_IN, DALI_INTRA, DALI_OUT, RP2
from plimsoll.imports.statement import (
    COMPLAINT_LIMIT,
    Complaint,
    NotReadable,
    Options,
    Statement,
    ToldLine,
)
from plimsoll.imports.trackers import COINCHECK, PIONEX

__all__ = ["FORMATS", "Complaint", "NotReadable", "Options", "Statement", "ToldLine", "open_statement"]

FORMATS: tuple[Format, ...] = (
    *(COINBASE_PRO, COINBASE_PRO_FILLS, COINBASE),
    *(BINANCE, BINANCE_OLD, BINANCE_AUTO_INVEST, BINANCE_HISTORY),
    *(KRAKEN, KRAKEN_LEDGERS),
    *(IBKR_FLEX, IBKR_ACTIVITY, MT5),
    *(COINCHECK, PIONEX),
    *(RP2, DALI_IN, DALI_OUT, DALI_INTRA),
    PLAIN,
)

#: Headers of files that people take for statements; any of these columns, and what to say.
_NOT_TOLD = (
    (("open", "high", "low", "close"), "these are prices (column 'open'), not trades; nothing was bought or sold here"),
    (("gain / loss summary",), "column 'Gain / Loss Summary': this is a result of rp2, not its source; import In-Out"),
    (("yearly gain / loss summary",), "column 'Yearly Gain / Loss Summary': this is a result of rp2; import In-Out"),
)
_PRICES_OF_KRAKEN = "{}: these are prices, not trades (the column behind the time is 'open'); export trades or ledgers"
_MAGIC = (
    (b"SQLite format 3\x00", "this is a database; say whose it is: plimsoll import freqtrade, bots or hummingbot"),
    (b"\x1f\x8b", "this is packed; unpack it first (gunzip)"),
    (b"%PDF", "this is a PDF; export the statement as CSV"),
    (b"PAR1", "this is Parquet; write it as CSV"),
    (b"\xd0\xcf\x11\xe0", "this is a spreadsheet; save the sheet that holds the trades as CSV"),
    (b"<", "this is no CSV (it begins with '<'); export the statement as CSV"),
)
_ZIP = b"PK\x03\x04"


@dataclass(frozen=True, slots=True)
class _CsvStatement:
    """A file whose header was recognised."""

    shape: Shape
    options: Options
    reader: Format
    sha256: str
    line_count: int
    #: Size and time of the last change, when it was opened.
    seen: tuple[int, int]

    @property
    def format(self) -> str:
        return self.reader.name

    @property
    def file_name(self) -> str:
        return self.shape.path.name

    @property
    def venue(self) -> str:
        return self.options.venue or self.reader.venue

    def read(self) -> Iterator[ToldLine | Complaint]:
        complaints = 0
        for told in self.reader.tell(self.shape, self.options):
            yield told
            if isinstance(told, Complaint):
                complaints += 1
                if complaints == COMPLAINT_LIMIT:
                    return
        if _seen(self.shape.path) != self.seen:
            yield Complaint(0, "", self.file_name, "the file was written to while it was read; import it again")


def open_statement(path: Path, options: Options) -> Statement:
    """Recognise a file by its header.

    Raises: NotReadable, in a sentence that names the column or what the file is
    """
    try:
        if path.exists() and not path.is_file():
            # A pipe would be waited for, and a device read, for ever.
            raise NotReadable(f"{path}: this is no file; name the file that holds the statement")
        with path.open("rb") as file:
            beginning = file.read(4096)
        _refuse_other_kinds(path, beginning)
        seen = _seen(path)
        sha256, line_count = fingerprint(path)
        shape, reader = _recognise(path, encoding_of(beginning))
    except OSError as problem:
        raise NotReadable(f"{path}: the file cannot be read: {problem.strerror or problem}") from problem
    except UnicodeError as problem:
        raise NotReadable(f"{path.name}: this is no text; save the file as CSV in UTF-8") from problem
    shape.check_single(reader.names())
    return _CsvStatement(shape, options, reader, sha256, line_count, seen)


def _seen(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _recognise(path: Path, encoding: str) -> tuple[Shape, Format]:
    nearest: tuple[float, str] = (0, "")
    found = False
    for delimiter, line, header in beginnings(path, encoding):
        found = True
        names = frozenset(name.casefold() for name in header)
        for known in FORMATS:
            missing = known.missing(names)
            if not missing:
                return Shape(path, encoding, delimiter, header, line, known.ragged), known
            near = 1 - len(missing) / len(known.needs)
            nearest = max(nearest, (near, _how_near(known, missing)), key=lambda it: it[0])
        for columns, sentence in _NOT_TOLD:
            if names.issuperset(columns):
                raise NotReadable(f"{path.name}: {sentence}")
    if not found:
        raise NotReadable(f"{path.name}: no names of columns are found; is the file empty?")
    raise NotReadable(f"{path.name}: nobody knows these columns; {nearest[1] or _how_plain()}")


def _how_near(known: Format, missing: tuple[str, ...]) -> str:
    names = ", ".join(repr(name.replace("|", " or ")) for name in missing)
    return f"the nearest is {known.name}, for which the column {names} is missing"


def _how_plain() -> str:
    return f"write them as {', '.join(PLAIN.names())}"


def _refuse_other_kinds(path: Path, beginning: bytes) -> None:
    for magic, sentence in _MAGIC:
        if beginning.startswith(magic):
            raise NotReadable(f"{path.name}: {sentence}")
    if beginning.startswith(_ZIP):
        raise NotReadable(_about_zip(path))


def _about_zip(path: Path) -> str:
    """Say what a packed file holds, by the names in it and the beginning of the first table."""
    try:
        with zipfile.ZipFile(path) as packed:
            names = packed.namelist()
            if "content.xml" in names or "[Content_Types].xml" in names:
                return f"{path.name}: this is a spreadsheet; save the sheet that holds the trades as CSV"
            table = next((name for name in names if name.lower().endswith(".csv")), "")
            if table:
                with packed.open(table) as file:
                    first = file.read(4096).decode("utf-8", "replace").splitlines()
                if first and _is_candle(first[0]):
                    return _PRICES_OF_KRAKEN.format(path.name)
            return (
                f"{path.name}: this is packed; unpack it and import the statement in it ({table or 'no CSV is there'})"
            )
    except (OSError, ValueError, RuntimeError, NotImplementedError, EOFError, zipfile.BadZipFile):
        return f"{path.name}: this is a packed file that cannot be opened; unpack it first"


def _is_candle(line: str) -> bool:
    """Say whether a line is time, open, high, low, close, volume and perhaps a count, as Kraken exports them."""
    cells = line.split(",")
    names = {cell.strip().casefold() for cell in cells}
    return {"open", "high", "low", "close"} <= names or (
        len(cells) in (6, 7) and all(cell.strip().replace(".", "", 1).isdigit() for cell in cells)
    )
