"""Books that were brought along: which statements they were made of, and every line of them.

An imported book is an account of its own (`accounts.broker` is `statement`), which nobody trades on. It is made beside
the desk, brought in piece by piece while nobody sees it, and shown by its last unit, which writes its `imports`: an
imported account without any is not finished. Another statement, or one taken back, makes the book anew, and the one
before it is deleted as everything is: it stays, and is shown no more.
"""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Table

from plimsoll.ledger.schema.base import metadata
from plimsoll.store.columns import Utc, Whole, Words

#: The statements that an imported book consists of.
imports = Table(
    "imports",
    metadata,
    Column("account_id", Whole, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    #: Counts the statements of a portfolio, those taken back included.
    Column("number", Whole, primary_key=True, autoincrement=False),
    #: The same in every making of the book.
    Column("uid", Words, nullable=False),
    #: Which reader read it: plain, coinbase-pro, freqtrade, …
    Column("format", Words, nullable=False),
    Column("file_name", Words, nullable=False),
    Column("sha256", Words, nullable=False),
    #: Lines of the source, and how many things it told that no statement before it had.
    Column("line_count", Whole, nullable=False),
    Column("added", Whole, nullable=False),
    Column("repeated", Whole, nullable=False),
    Column("made_by", Words, nullable=False),
    Column("made_at", Utc, nullable=False),
    CheckConstraint("number > 0 AND line_count >= 0 AND added >= 0 AND repeated >= 0", name="counts"),
    sqlite_with_rowid=False,
)

#: What each statement told, and where: the provenance of every fact of an imported book.
import_lines = Table(
    "import_lines",
    metadata,
    Column("account_id", Whole, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("number", Whole, primary_key=True, autoincrement=False),
    #: Counts what the statement told.
    Column("item", Whole, primary_key=True, autoincrement=False),
    #: The first line it was read from.
    Column("line", Whole, nullable=False),
    #: All that it told, in our words (`model.told`), as JSON.
    Column("told_json", Words, nullable=False),
    #: The line or lines as they stood in the file; of a database the row as JSON.
    Column("raw", Words, nullable=False),
    CheckConstraint("item > 0 AND line > 0", name="counts"),
    sqlite_with_rowid=False,
)
