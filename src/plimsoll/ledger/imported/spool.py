"""The spool: what statements told, in a scratch file, each thing once, however often and in whatever order it was read.

Rule 1. The same key at the same venue with the same words is the same thing, and adds nothing. With other words it is
        a contradiction: nobody here knows which of the two is so, and nothing is imported. Two venues that give one id
        tell of two things.
Rule 2. Every statement keeps all that it told, also what another told before it: when that one is taken back, the book
        loses nothing that this one knows.
Rule 3. The file is scratch: it has no journal and waits for no disk. Whatever goes wrong, it is thrown away.

What must not enter: a set of all keys in memory. A key is known by eight bytes of a hash, the file sorts these, and
only where two are alike are the words read.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from itertools import groupby, pairwise
from pathlib import Path
from typing import NamedTuple

import orjson
from sqlalchemy import Engine

from plimsoll.ledger import schema
from plimsoll.ledger.imported.becoming import check, name_of, pair_of, rank_of
from plimsoll.ledger.imported.told_text import Said, check_text, differences, said_of, text_of, told_from
from plimsoll.ledger.streaming import streamed
from plimsoll.model.cash import CashKind
from plimsoll.model.clock import parse_time, time_text
from plimsoll.model.errors import Illegal, PlimsollError
from plimsoll.model.ids import AccountId
from plimsoll.model.told import Told
from plimsoll.store.draft import Row
from plimsoll.store.statements import select_as_stored

#: What a told thing is to the book: it counts, another statement told it before, its own statement told it before.
_COUNTS, _KNOWN, _DOUBLED = 0, 1, 2

_AT_ONCE = 1_000
#: Of what is read and sorted, so much lies in memory.
_CACHE_KIB = 32 * 1024
#: Nobody reads more of them.
_MOST_CLASHES = 20

_TABLE = """
CREATE TABLE told (
    "key" INTEGER, number INTEGER, line INTEGER, standing INTEGER,
    at TEXT, sequence INTEGER, name TEXT, "rank" INTEGER, kind TEXT, what TEXT, venue TEXT,
    told_json TEXT, raw TEXT
)
"""
_ADD = "INSERT INTO told VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_ALIKE = """
SELECT told."key", told.rowid, told.number, told.line, told.told_json
FROM (SELECT "key" FROM told GROUP BY "key" HAVING count(*) > 1) AS often CROSS JOIN told ON told."key" = often."key"
ORDER BY told."key", told.number, told.line, told.rowid
"""
_FILLS = f"""
SELECT venue, what, count(*) FROM told WHERE standing = {_COUNTS} AND kind = '{CashKind.TRADE}' GROUP BY venue, what
"""  # noqa: S608  names of ours
_COUNT = "SELECT number, count(*) FROM told WHERE standing = ? GROUP BY number"
#: As the fold has it; behind that, what makes equal statements equal files.
_BY_TIME = 'at, sequence, name, "rank", kind, what, venue'
_IN_ORDER = f"""
SELECT at, sequence, name, "rank", kind, number, line, told_json FROM told WHERE standing = {_COUNTS} ORDER BY
"""  # noqa: S608  a number of ours
_LINES = (
    "INSERT INTO import_lines SELECT ?, number, rowid - ?, line, told_json, raw FROM told WHERE rowid BETWEEN ? AND ?"
)
_LINES_SORTED = f"""
INSERT INTO import_lines
SELECT ?, number, row_number() OVER (PARTITION BY number ORDER BY line, {_BY_TIME}), line, told_json, raw
FROM told WHERE standing < {_DOUBLED} ORDER BY 2, 3
"""  # noqa: S608  as above


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of an imported book: a row of `imports`."""

    number: int
    uid: str
    format: str
    file_name: str
    sha256: str
    made_by: str
    made_at: datetime
    #: How many lines the source has.
    line_count: int = 0
    #: How many things it told, one that it told twice counted twice.
    told: int = 0
    #: How many of these no statement before it had told.
    added: int = 0

    def to_row(self, account_id: AccountId) -> Row:
        """Write it as the row of an account's making."""
        said = (self.uid, self.format, self.file_name, self.sha256, self.line_count)
        counts = (self.added, self.told - self.added)
        return (account_id, self.number, *said, *counts, self.made_by, time_text(self.made_at))


@dataclass(frozen=True, slots=True)
class WantedInstrument:
    """An instrument that something was told of."""

    venue: str
    symbol: str
    base: str
    quote: str
    #: Empty where coins change hands.
    settle: str
    multiplier: Decimal
    inverse: bool
    #: Whether a fill says so; where only money moved, nobody said what the contract is, and any of this symbol will do.
    traded: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the book needs before anything that was told can be booked."""

    instruments: tuple[WantedInstrument, ...]
    strategies: tuple[str, ...]


class ToldLine(NamedTuple):
    """A told thing in its order, as the builder reads it."""

    at: str
    sequence: int
    name: str
    rank: int
    kind: str
    #: Statement and line, for whoever must name them.
    number: int
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Clash:
    """Two lines that tell the same thing differently."""

    first: str
    other: str
    what: str

    def __str__(self) -> str:
        return f"{self.first} and {self.other} tell the same thing differently: {self.what}"


class Contradiction(PlimsollError):
    """Two lines have one id and say different things: remove one of them, or import them into different portfolios."""

    def __init__(self, clashes: Iterable[Clash]) -> None:
        self.clashes = tuple(clashes)
        super().__init__("; ".join(map(str, self.clashes)) + f". {type(self).__doc__}")


class Spool:
    """Everything that the statements of one portfolio told."""

    def __init__(self, path: Path) -> None:
        """Begin a new file; what lay there is gone."""
        self.path = path
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        self.connection = sqlite3.connect(path, isolation_level=None)
        for setting in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{_CACHE_KIB}", "temp_store = FILE"):
            self.connection.execute(f"PRAGMA {setting}")
        self.connection.execute("BEGIN")
        self.connection.execute(_TABLE)
        self._statements: dict[int, Statement] = {}
        self._venues: dict[int, str] = {}
        #: How many rows there were when each statement told its first thing, and are.
        self._starts: dict[int, int] = {}
        self._rows = 0
        self._instruments: dict[tuple[str, str], _Seen] = {}
        self._strategies: set[str] = set()
        self._waiting: list[Row] = []
        #: Whether it came as it will be read, and where the last thing stands: most exports are sorted, and a million
        #: lines that need not be sorted are read in a fraction of the time.
        self._in_time = self._in_lines = True
        self._last: tuple[str, int, str, int, str, str, str] = ("", -(2**63), "", -9, "", "", "")
        self._last_line = (0, 0)

    @property
    def statements(self) -> tuple[Statement, ...]:
        """List the statements, the oldest first; counted when all is settled."""
        return tuple(self._statements[number] for number in sorted(self._statements))

    @property
    def count(self) -> int:
        """Count the things that make the book, when all is settled."""
        return sum(statement.added for statement in self._statements.values())

    def load_current(self, engine: Engine, account_id: AccountId, leaving_out: str | None = None) -> None:
        """Take in what the statements of a making told, but for one that is taken back, by its uid."""
        with engine.connect() as connection:
            imports, lines = schema.imports, schema.import_lines
            asked = select_as_stored(imports).where(imports.c.account_id == account_id)
            for row in streamed(connection, asked):
                statement = statement_from_row(row)
                if statement.uid != leaving_out:
                    self._begin(statement, "")
            every = select_as_stored(lines).where(lines.c.account_id == account_id)
            for _, number, _, line, text, raw in streamed(connection, every):
                if number in self._statements:
                    told = told_from(orjson.loads(str(text)), (int(line or 0),))
                    self.add(int(number or 0), told, str(raw))

    def begin_statement(self, statement: Statement, venue: str) -> int:
        """Begin another statement, behind all others; what names no venue of its own is of this one.

        Shapes: `statement.number` is the least that it may get: above all that its portfolio ever had
        """
        number = max([statement.number, *(known + 1 for known in self._statements)])
        return self._begin(replace(statement, number=number), venue)

    def end_statement(self, number: int, line_count: int) -> None:
        """Say how long a statement was."""
        self._statements[number] = replace(self._statements[number], line_count=line_count)

    def _begin(self, statement: Statement, venue: str) -> int:
        self._statements[statement.number] = statement
        self._venues[statement.number] = venue
        return statement.number

    def add(self, number: int, told: Told, raw: str) -> None:
        """Take in one thing that a statement told, and the lines as they stood there.

        Raises: Illegal for what can be no fact; nothing is taken in then
        """
        check(told)
        check_text(raw)
        said = said_of(told, self._venues[number])
        text, (kind, what, reference) = text_of(said), told.key
        self._see(told, number)
        venue: str = said["venue"]
        order = (said["at"], told.sequence, name_of(told, venue), rank_of(told), kind, what, venue)
        if order < self._last:
            self._in_time = False
        if (number, told.lines[0]) <= self._last_line:
            self._in_lines = False
        if number != self._last_line[0]:
            self._starts[number] = self._rows
        self._last, self._last_line = order, (number, told.lines[0])
        self._waiting.append((_key(kind, what, reference, venue), number, told.lines[0], _COUNTS, *order, text, raw))
        self._rows += 1
        if len(self._waiting) >= _AT_ONCE:
            self._flush()

    def _see(self, told: Told, number: int) -> None:
        if told.symbol:
            self._see_instrument(told, number)
        if told.strategy:
            self._strategies.add(told.strategy)

    def _see_instrument(self, told: Told, number: int) -> None:
        key = (told.venue or self._venues[number], told.symbol)
        seen, fill = self._instruments.get(key), told.kind is CashKind.TRADE
        if seen is None or (fill and seen.where is None):
            where = self._place(number, told.lines[0]) if fill else None
            self._instruments[key] = _Seen(told.multiplier, told.inverse, where)
        elif fill and (told.multiplier, told.inverse) != seen[:2]:
            field = "inverse" if told.multiplier == seen.multiplier else "multiplier"
            said = f"{told.symbol} has {getattr(seen, field)} in {seen.where}; one symbol is one contract"
            raise Illegal(field, getattr(told, field), said)

    def _place(self, number: int, line: int) -> str:
        return f"{self._statements[number].file_name}, line {line}"

    def _flush(self) -> None:
        try:
            self.connection.executemany(_ADD, self._waiting)
        finally:
            self._waiting.clear()

    def settle(self) -> None:
        """Find what was told more than once; each thing counts for the first statement that told it.

        Raises: Contradiction
        """
        self._flush()
        self.connection.execute('CREATE INDEX told_by_key ON told("key")')
        clashes: list[Clash] = []
        marks: list[tuple[int, int]] = []
        for rowid, standing in self._alike(clashes):
            marks.append((standing, rowid))
            if len(marks) >= _AT_ONCE:
                self._mark(marks)
        self._mark(marks)
        if clashes:
            raise Contradiction(clashes)
        self._count()

    def _alike(self, clashes: list[Clash]) -> Iterator[tuple[int, int]]:
        for _, rows in groupby(self.connection.execute(_ALIKE), key=lambda row: row[0]):
            #: By what was told: whose it is.
            owners: dict[tuple[str, ...], _Owned] = {}
            for _, rowid, number, line, text in rows:
                said: Said = orjson.loads(text)
                key = (*told_from(said, (line,)).key, said["venue"])
                owned = owners.get(key)
                if owned is None:
                    owners[key] = _Owned(number, line, said, {number})
                    continue
                if said != owned.said and len(clashes) < _MOST_CLASHES:
                    what = f"{' '.join(key)}, {'; '.join(differences(owned.said, said))}"
                    clashes.append(Clash(self._place(owned.number, owned.line), self._place(number, line), what))
                yield rowid, _DOUBLED if number in owned.tellers else _KNOWN
                owned.tellers.add(number)

    def _mark(self, marks: list[tuple[int, int]]) -> None:
        self.connection.executemany("UPDATE told SET standing = ? WHERE rowid = ?", marks)
        marks.clear()

    def _count(self) -> None:
        by_standing = {standing: dict(self.connection.execute(_COUNT, (standing,))) for standing in range(3)}
        for number, statement in self._statements.items():
            told = sum(counted.get(number, 0) for counted in by_standing.values())
            # Of one that an earlier making had read, what it told twice was kept once.
            added = by_standing[_COUNTS].get(number, 0)
            self._statements[number] = replace(statement, added=added, told=max(told, statement.told))

    def write_lines(self, account_id: AccountId) -> int:
        """Write what every statement told into the staging table of it; count the rows."""
        if not self._in_lines:
            return self.connection.execute(_LINES_SORTED, (account_id,)).rowcount
        # Nothing came twice, and everything in the order of its lines: a row's place says which thing it is.
        starts = [*self._starts.values(), self._rows]
        stretches = [(account_id, first, first + 1, last) for first, last in pairwise(starts)]
        return self.connection.executemany(_LINES, stretches).rowcount

    def wanted(self) -> Wanted:
        """Say which instruments and strategies everything that was told needs."""
        instruments = (
            WantedInstrument(*key, *pair_of(key[1]), seen.multiplier, seen.inverse, traded=seen.where is not None)
            for key, seen in sorted(self._instruments.items(), key=lambda item: item[0])
        )
        return Wanted(tuple(instruments), tuple(sorted(self._strategies)))

    def in_order(self) -> Iterator[ToldLine]:
        """Read what makes the book in the order in which it happened."""
        return map(ToldLine._make, self.connection.execute(_IN_ORDER + ("rowid" if self._in_time else _BY_TIME)))

    def fills(self) -> dict[tuple[str, str], int]:
        """Count the fills that make the book, by venue and symbol."""
        return {(str(venue), str(symbol)): int(count) for venue, symbol, count in self.connection.execute(_FILLS)}

    def place_of(self, told: ToldLine) -> str:
        """Name the line that something was read from."""
        return self._place(told.number, told.line)

    def close(self) -> None:
        """Let go of the file, and leave it."""
        self.connection.close()


class _Seen(NamedTuple):
    multiplier: Decimal
    inverse: bool
    #: The line of the fill that said so; None where none did.
    where: str | None


@dataclass(slots=True)
class _Owned:
    """A thing that was told more than once: by whom first, and by whom else."""

    number: int
    line: int
    said: Said
    tellers: set[int]


def _key(*key: str) -> int:
    """Hash a key to what one integer of the file holds."""
    told = "\0".join(key).encode()
    return int.from_bytes(blake2b(told, digest_size=8).digest(), "big", signed=True)


def statement_from_row(row: Row) -> Statement:
    """Read a statement back."""
    _, number, uid, form, file_name, sha256, line_count, added, repeated, made_by, made_at = row
    return Statement(
        int(number or 0),
        str(uid),
        str(form),
        str(file_name),
        str(sha256),
        str(made_by),
        parse_time(str(made_at)),
        int(line_count or 0),
        told=int(added or 0) + int(repeated or 0),
        added=int(added or 0),
    )
