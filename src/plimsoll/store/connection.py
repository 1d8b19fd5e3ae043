"""The port to a database: what the scribe needs of one, and nothing more."""

from collections.abc import Sequence
from typing import Protocol

from plimsoll.model.errors import UnknownOutcome, WorldFailure
from plimsoll.store.draft import Cell, Row


class StoreFailed(WorldFailure):
    """The database did not take it; nothing of it was written."""


class CommitUnclear(UnknownOutcome):
    """The commit did not answer; it may or may not have happened.

    Not a `StoreFailed`: whoever took this for "nothing was written" would order, book or send a second time.
    """


class WriterConnection(Protocol):
    """The one connection that writes."""

    def begin(self) -> None:
        """Start a transaction that holds the right to write.

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

    def find(self, query: str, parameters: Sequence[Cell]) -> list[Row]:
        """Run a named question."""

    def commit(self) -> None:
        """Make it durable.

        Raises: CommitUnclear
        """

    def rollback(self) -> None:
        """Forget the transaction; harmless when there is none."""

    def reopen(self) -> None:
        """Start over with a fresh connection, after a commit of unknown fate.

        Raises: StoreFailed
        """

    def close(self) -> None:
        """Release the database."""
