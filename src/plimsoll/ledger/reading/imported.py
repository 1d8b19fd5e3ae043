"""What was brought along: the statements that somebody's imported books are made of, and every line of them."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, select

from plimsoll.ledger import schema
from plimsoll.ledger.reading import owning
from plimsoll.ledger.reading.asking import Reading
from plimsoll.model.ids import AccountId


@dataclass(frozen=True, slots=True)
class ImportedStatement:
    """A statement of an imported book."""

    account_id: AccountId
    #: Counts the statements of the book.
    number: int
    uid: str
    #: Which reader read it.
    format: str
    file_name: str
    sha256: str
    #: Lines of the source; how many things it told that no statement before it had, and how many that one had.
    line_count: int
    added: int
    repeated: int
    made_by: str
    made_at: datetime


@dataclass(frozen=True, slots=True)
class ImportedLine:
    """One thing that a statement told, and the line that it stood in."""

    #: Counts what the statement told.
    item: int
    line: int
    #: What it told, in our words, as JSON.
    told: str
    #: As it stood in the file.
    raw: str


class ImportedReading(Reading):
    """Imports and their lines."""

    __slots__ = ()

    def statements(self, *, of: AccountId | None = None) -> tuple[ImportedStatement, ...]:
        """List the statements of his imported books, of each in the order in which they came."""
        rows = schema.imports.c
        asked = select(*rows).where(owning.in_own_account(self._asker, rows.account_id))
        if of is not None:
            asked = asked.where(rows.account_id == of)
        with self._moment() as connection:
            found = connection.execute(asked.order_by(rows.account_id, rows.number))
            return tuple(ImportedStatement(*tuple(row)) for row in found)

    def lines(self, uid: str, *, above: int, limit: int) -> tuple[ImportedLine, ...]:
        """Read the next lines of a statement, by its public id; `above` is the item that was seen last."""
        rows, statements = schema.import_lines.c, schema.imports.c
        of = and_(statements.account_id == rows.account_id, statements.number == rows.number)
        asked = (
            select(rows.item, rows.line, rows.told_json, rows.raw)
            .join(schema.imports, of)
            .where(statements.uid == uid, rows.item > above)
            .where(owning.in_own_account(self._asker, statements.account_id))
            .order_by(rows.item)
            .limit(limit)
        )
        with self._moment() as connection:
            return tuple(ImportedLine(*tuple(row)) for row in connection.execute(asked))
