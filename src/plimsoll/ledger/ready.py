"""A making that is ready in its file: what it says of itself, and which rows each of its chunks is.

The file is its maker's, who has let go of it. It is read without locks and without a trace, and believed in nothing but
the places of rows: whose they are is checked when they are brought (`store`), what they say when they are proved.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from plimsoll.ledger.imports import Chunk
from plimsoll.model.errors import PlimsollError
from plimsoll.model.ids import AccountId
from plimsoll.store.draft import Brought, Row


class NotReady(PlimsollError):
    """The prepared file is gone, or is none of a finished making: import again."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}. {type(self).__doc__}")


@dataclass(frozen=True, slots=True)
class Ready:
    """What the file of a making says of it."""

    path: Path
    account_id: AccountId
    chunks: int
    #: Rows of `imports`.
    statements: tuple[Row, ...]


def ready_in(path: Path) -> Ready:
    """Read what a file says of its making.

    Raises: NotReady
    """
    with _reading(path) as file:
        about = dict(file.execute("SELECT name, value FROM about").fetchall())
        statements = tuple(tuple(row) for row in json.loads(about["imports"]))
        return Ready(path, AccountId(int(about["account_id"])), int(about["chunks"]), statements)


def chunk_of(ready: Ready, number: int) -> Chunk:
    """Read where the rows of a chunk are.

    Raises: NotReady
    """
    with _reading(ready.path) as file:
        asked = "SELECT table_name, first, last FROM chunks WHERE number = ?"
        rows = file.execute(asked, (number,)).fetchall()
        pieces = (Brought(ready.path, str(row[0]), ready.account_id, int(row[1]), int(row[2])) for row in rows)
        return Chunk(ready.account_id, number, ready.chunks, tuple(pieces))


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as file:
            yield file
    except (sqlite3.Error, ValueError, KeyError, TypeError) as broken:
        raise NotReady(path, str(broken)) from broken
