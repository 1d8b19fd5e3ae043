"""What a stage is made of: of which books, and as of which commit. A half that was made of other rows is not gone on
with.
"""

import json
from dataclasses import asdict, dataclass

from sqlalchemy import select, text

from plimsoll.bootstrap import DataDirectory
from plimsoll.ledger import schema
from plimsoll.ledger.database import HEAD
from plimsoll.model.errors import PlimsollError
from plimsoll.store.place import reader


class SourceChanged(PlimsollError):
    """The desk went on since the first half was moved: say --anew, and the half is thrown away and all of it moved."""


class OldRelease(PlimsollError):
    """The book is of another release: start this one on it once, with `plimsoll up`, and move it then."""


class TargetTaken(PlimsollError):
    """Something lies where the desk is to go: name another place, or put aside what is there."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Which books, as of which commit."""

    #: As a place names itself, without a password.
    source: str
    #: The folder of the desk that moves.
    folder: str
    #: Commits and events so far; nothing is written without the first.
    group: int
    event: int

    def text(self) -> str:
        return json.dumps(asdict(self))


def mark_from(text: str | None) -> Mark | None:
    """Read a mark back; None where there is none of ours."""
    try:
        told = json.loads(text or "")
        return Mark(str(told["source"]), str(told["folder"]), int(told["group"]), int(told["event"]))
    except (ValueError, KeyError, TypeError):
        return None


def mark_of(directory: DataDirectory) -> Mark:
    """Say how far the books of a desk have come.

    Raises: OldRelease
    """
    heads = schema.heads.c
    engine = reader(directory.book)
    try:
        with engine.connect() as connection:
            version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
            if version != HEAD:
                raise OldRelease(f"{directory.book}: version {version} and not {HEAD}. {OldRelease.__doc__}")
            row = connection.execute(select(heads.group_number, heads.event_number)).first()
    finally:
        engine.dispose()
    group, event = (0, 0) if row is None else row
    return Mark(str(directory.book), str(directory.path), group, event)
