"""Where a notebook's book lies, whose it is, and which portfolios are meant; everything else is refused by name.

It is opened by read-only connections that leave nothing behind, so a desk may be at work on it.
"""

import os
from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from pathlib import Path

from sqlalchemy import select, text

from plimsoll.bootstrap.ownership import desk_directory
from plimsoll.ledger import schema
from plimsoll.ledger.database import HEAD
from plimsoll.ledger.glance import glance
from plimsoll.ledger.reading.earnings import OwnPortfolio
from plimsoll.model.errors import Illegal, PlimsollError
from plimsoll.model.ids import UserId
from plimsoll.settings import load_settings
from plimsoll.store.place import Place, PostgresPlace, SqlitePlace, reader

#: What may be said for a moment: a day begins at midnight UTC.
Moment = datetime | date | str

_SERVER = ("postgresql://", "postgres://")


class NoBook(PlimsollError):
    """There is no desk's book."""

    def __init__(self, place: Place) -> None:
        super().__init__(f"{place}: there is no desk's book here; name its data folder, or make one with `plimsoll up`")


class OlderBook(PlimsollError):
    """The book was written by an older release: start the desk once with this one, which brings it up to date."""

    def __init__(self, place: Place) -> None:
        super().__init__(f"{place}: {type(self).__doc__}")


def place_of(data: str | Path | None, database_schema: str | None) -> Place:
    """Say where a book lies: a desk's folder, a file that was copied out of one, or an address.

    Shapes: None for the folder that the settings name
    Raises: BadSetting; Illegal for a folder whose book lies elsewhere
    """
    if data is not None and not str(data).startswith(_SERVER) and Path(data).is_file():
        return SqlitePlace(Path(data).absolute())
    flags: dict[str, object] = {"database_schema": database_schema}
    if data is not None and str(data).startswith(_SERVER):
        settings = load_settings({**flags, "database": str(data)}, {})
        return PostgresPlace(settings.database.get_secret_value(), settings.database_schema)
    settings = load_settings({**flags, "data": data}, os.environ)
    address = settings.database.get_secret_value()
    return desk_directory(settings.data.absolute(), address, settings.database_schema).book


def check_book(place: Place) -> None:
    """Refuse what is no book, or one of another release.

    Raises: NoBook, OlderBook, NewerDatabase, ForeignDatabase, StoreFailed
    """
    if (isinstance(place, SqlitePlace) and not place.path.exists()) or glance(place) is None:
        raise NoBook(place)
    engine = reader(place)
    with engine.connect() as connection:
        version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
    engine.dispose()
    if version != HEAD:
        raise OlderBook(place)


def user_named(place: Place, name: str | None) -> UserId:
    """Find who asks; without a name the desk's owner, who was there first.

    Raises: Illegal
    """
    rows = schema.users.c
    engine = reader(place)
    with engine.connect() as connection:
        found = connection.execute(select(rows.id, rows.name).where(rows.deleted_at.is_(None)).order_by(rows.id)).all()
    engine.dispose()
    if name is None and found:
        return UserId(found[0].id)
    for row in found:
        if row.name == name:
            return UserId(row.id)
    raise Illegal("user", name, f"there is nobody of this name; there are: {_listed(row.name for row in found)}")


def portfolios_meant(mine: tuple[OwnPortfolio, ...], named: str | None) -> tuple[OwnPortfolio, ...]:
    """Find the portfolio that is meant, by its id or its name; all where none is named.

    Raises: Illegal
    """
    if named is None:
        return mine
    found = [one for one in mine if one.uid == named] or [one for one in mine if one.name == named]
    if not found:
        raise Illegal("portfolio", named, f"there is none of this name; there are: {_listed(one.name for one in mine)}")
    if len(found) > 1:
        ids = ", ".join(f"{one.uid} (account {one.account})" for one in found)
        raise Illegal("portfolio", named, f"several have this name: give its id, {ids}")
    return (found[0],)


def moment(said: Moment | None, field: str) -> datetime | None:
    """Read a moment; a day is its beginning, in UTC.

    Raises: Illegal
    """
    if isinstance(said, str):
        try:
            said = datetime.fromisoformat(said) if len(said) > len("2022-01-31") else date.fromisoformat(said)
        except ValueError:
            raise Illegal(field, said, "write a day as 2022-01-31, or a time as 2022-01-31T10:05:00Z") from None
    if isinstance(said, datetime):
        if said.tzinfo is None:
            raise Illegal(field, said, "give a time with its zone, such as datetime(2022, 1, 31, tzinfo=UTC)")
        return said.astimezone(UTC)
    return None if said is None else datetime.combine(said, time(), UTC)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(set(names))) or "none"
