"""What every reader of somebody else's book gives: told things with their raw lines, or complaints to act on.

Rule 1. A reader repairs nothing and guesses nothing. What it cannot read exactly becomes a complaint that names the
        line, the column, the value and the remedy; the whole file is looked at, so that one mending is enough.
Rule 2. A source is only ever read. It is read again for every `read()`, and one that changed in between is refused.
Rule 3. Nothing that a file can hold becomes a traceback: what is no statement at all is `NotReadable`, in a sentence.

What must not enter: the words of one format, and what becomes of what was told.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import tzinfo
from typing import Protocol
from zoneinfo import ZoneInfo

from plimsoll.model.errors import Illegal, PlimsollError
from plimsoll.model.told import Told

#: Whoever made one mistake often made it in every line; more than these help nobody.
COMPLAINT_LIMIT = 1000
_SHOWN = 80


class NotReadable(PlimsollError):
    """The file is no statement that anybody here can read; says what it seems to be and what to do."""


@dataclass(frozen=True, slots=True)
class ToldLine:
    """One told thing and the line or lines it came from, as they stood in the file."""

    told: Told
    raw: str


@dataclass(frozen=True, slots=True)
class Complaint:
    """One place in a file that cannot be read; line 0 is the file as a whole."""

    line: int
    column: str
    value: str
    remedy: str

    def __str__(self) -> str:
        place = f"line {self.line}" if self.line else "the file"
        if self.column:
            place += f", column {self.column}"
        shown = self.value if len(self.value) <= _SHOWN else self.value[:_SHOWN] + "…"
        return f"{place}: {shown!r}: {self.remedy}"


@dataclass(frozen=True, slots=True)
class Options:
    """What a person may add to what the file says, because the file does not say it."""

    #: Name of the instruments' venue; None for the format's own.
    venue: str | None = None
    #: What symbols without a quote are priced in, and the account's currency where the file names none.
    currency: str | None = None
    #: Zone of times that name none, such as `Europe/Berlin`; None for the format's own.
    zone: str | None = None
    #: How 5/1/2022 is meant, `mdy` or `dmy`; None where the file itself must show it.
    dates: str | None = None

    def __post_init__(self) -> None:
        if self.dates not in (None, "mdy", "dmy"):
            raise Illegal("dates", self.dates, "write mdy (month first) or dmy (day first)")
        if self.zone is not None:
            zone_named(self.zone)


def zone_named(name: str) -> tzinfo:
    """Give a zone by its name in the world's table of zones.

    Raises: Illegal
    """
    try:
        return ZoneInfo(name)
    except (OSError, ValueError) as unknown:  # ZoneInfoNotFoundError is a KeyError; the folder `Europe` an OSError
        raise Illegal("zone", name, "name a zone as the table of time zones does, such as Europe/Berlin") from unknown
    except KeyError as unknown:
        raise Illegal("zone", name, "this machine knows no such zone; write one such as Europe/Berlin") from unknown


class Statement(Protocol):
    """One source that was recognised; nothing of it but its beginning has been judged yet."""

    @property
    def format(self) -> str:
        """Say which reader reads it, such as `coinbase-pro`."""

    @property
    def file_name(self) -> str: ...

    @property
    def sha256(self) -> str:
        """Give the fingerprint of the bytes as they lie on the disk."""

    @property
    def line_count(self) -> int:
        """Count the lines of the file, so that progress can be shown."""

    @property
    def venue(self) -> str:
        """Say where what it tells was traded, unless a told thing names another."""

    def read(self) -> Iterator[ToldLine | Complaint]:
        """Read it from its beginning; at most `COMPLAINT_LIMIT` complaints, then it stops."""
