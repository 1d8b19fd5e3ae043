"""The port to a database: what the scribe needs of one, and nothing more."""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias

from plimsoll.model.errors import PlimsollError, UnknownOutcome, WorldFailure
from plimsoll.store.draft import Brought, Cell, Row

#: The name of a question, and what is asked for.
Question: TypeAlias = tuple[str, tuple[Cell, ...]]


class StoreFailed(WorldFailure):
    """The database did not take it; nothing of it was written."""


class StoreGone(StoreFailed):
    """The database serves nobody now, and no row is to blame: asking for each unit alone would only take longer."""


class OwnershipLost(StoreGone):
    """Another process owns these books now. Nothing of it was written, and nothing of this process ever will be."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


class ControlMoved(StoreGone):
    """Somebody who is not the owner changed what binds it: read everything back, and run the units again over that."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


class DriverMissing(PlimsollError):
    """A book on PostgreSQL needs its driver: pip install 'plimsoll-desk[postgresql]'."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


class CommitUnclear(UnknownOutcome):
    """The commit did not answer; it may or may not have happened.

    Not a `StoreFailed`: whoever took this for "nothing was written" would order, book or send a second time.
    """


class WriterConnection(Protocol):
    """The one connection that writes."""

    def begin(self) -> None:
        """Start a transaction that holds the right to write.

        A server is told with the first question or with the commit, and may refuse only then, with a `StoreGone`.

        Raises: StoreFailed
        """

    def add(self, table: str, rows: Sequence[Row]) -> None:
        """Insert rows, columns in the table's order.

        Raises: StoreFailed
        """

    def replace(self, table: str, rows: Sequence[Row]) -> None:
        """Insert rows, or overwrite those with the same primary key.

        Raises: StoreFailed
        """

    def change(self, table: str, rows: Sequence[Row]) -> None:
        """Update the changing columns of rows that are there, their keys behind them.

        Raises: StoreFailed
        """

    def forget(self, statement: str, calls: Sequence[Row]) -> None:
        """Remove rows by a named statement, once with each of these parameters.

        Raises: StoreFailed
        """

    def bring(self, piece: Brought) -> None:
        """Insert rows that lie ready in a SQLite file, which nobody changes meanwhile; all of them or none.

        Raises: StoreFailed, also where the file is gone, is another's, or has fewer rows
        """

    def find(self, query: str, parameters: Sequence[Cell]) -> list[Row]:
        """Run a named question.

        Raises: StoreFailed
        """

    def find_ahead(self, questions: Sequence[Question]) -> Mapping[Question, list[Row]]:
        """Answer what will be asked, all at once; nothing where a question costs nothing.

        Raises: StoreFailed
        """

    def commit(self) -> None:
        """Make it durable.

        Raises: StoreFailed: it was refused; nothing is written, and the transaction wants a `rollback`
                CommitUnclear
        """

    def rollback(self) -> None:
        """Forget the transaction; harmless when there is none.

        Raises: StoreFailed: the connection is worth nothing any more
        """

    def reopen(self) -> None:
        """Start over with a fresh connection, after a commit of unknown fate.

        Raises: StoreFailed
        """

    def close(self) -> None:
        """Release the database."""
