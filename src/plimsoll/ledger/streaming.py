"""Answers that do not fit into memory, row by row: for proofs and for stories, which read whole tables."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Select

from plimsoll.store.draft import Row

#: How many rows of an answer are held at a time.
BATCH = 2_000


def streamed(connection: Connection, question: Select[Any]) -> Iterator[Row]:
    """Stream the answer to a question; several may be open at once."""
    on_server = connection.dialect.name == "postgresql"
    answer = connection.execute(question.execution_options(yield_per=BATCH) if on_server else question)
    try:
        if on_server:
            for row in answer:
                yield tuple(row)
            return
        # Rows as the driver has them: SQLAlchemy's own would cost as much again as reading them.
        while rows := answer.cursor.fetchmany(BATCH):
            yield from rows
    finally:
        answer.close()
