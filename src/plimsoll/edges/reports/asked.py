"""What is asked of a report: which days, and which portfolio; the same words at the shell and over HTTP."""

from collections.abc import Sequence
from datetime import date

from plimsoll.ledger.reading.earnings import OwnPortfolio
from plimsoll.model.errors import Illegal

#: What a book can hold.
_OLDEST, _NEWEST = date(1970, 1, 1), date(2199, 12, 31)


def days_asked(first: date | None, last: date | None, year: int | None, today: date) -> tuple[date, date]:
    """Say from which day to which; without a word this year up to today.

    Raises: Illegal
    """
    if year is not None:
        if first is not None or last is not None:
            raise Illegal("year", year, "give a year, or the first and the last day")
        if not _OLDEST.year <= year <= _NEWEST.year:
            raise Illegal("year", year, f"give a year between {_OLDEST.year} and {_NEWEST.year}")
        return date(year, 1, 1), date(year, 12, 31)
    for field, day in (("from", first), ("to", last)):
        if day is not None and not _OLDEST <= day <= _NEWEST:
            raise Illegal(field, day.isoformat(), f"give a day between {_OLDEST.year} and {_NEWEST.year}")
    until = last or today
    since = first or until.replace(month=1, day=1)
    if since > until:
        raise Illegal("from", since.isoformat(), f"it is after the last day, {until.isoformat()}")
    return since, until


def called(portfolios: Sequence[OwnPortfolio], said: str) -> list[OwnPortfolio]:
    """Find what is called so: by its id, else by its name, which several accounts may have given."""
    return [one for one in portfolios if one.uid == said] or [one for one in portfolios if one.name == said]
