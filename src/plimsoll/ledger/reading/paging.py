"""Long lists a page at a time, newest first.

Rule 1. A page ends at a row number of each account, not at a count of rows: what is written meanwhile moves nothing,
        so no row is seen twice and none is missed.
Rule 2. A cursor from outside only says where to go on in what may be seen anyway.

A row number is a place in the table itself (the account leads the key), so the tenth page costs what the first one
costs.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import Generic, TypeVar

from plimsoll.model.errors import Illegal
from plimsoll.model.ids import AccountId

Noun = TypeVar("Noun")

#: Where to go on: for each account, the row number below which the next page begins.
Below = Mapping[AccountId, int]
#: Gives the account of something, and its place in the account's rows.
Place = Callable[[Noun], tuple[AccountId, int]]

_CURSOR = re.compile(r"[0-9]{1,9}-[0-9]{1,18}(\.[0-9]{1,9}-[0-9]{1,18})*")


@dataclass(frozen=True, slots=True)
class Page(Generic[Noun]):
    """Some rows, and where to go on; None after the last."""

    items: tuple[Noun, ...]
    below: Below | None


def cursor_text(below: Below) -> str:
    """Write where to go on."""
    return ".".join(f"{account}-{number}" for account, number in sorted(below.items()))


def parse_cursor(text: str) -> Below:
    """Read where to go on.

    Raises: Illegal
    """
    if not _CURSOR.fullmatch(text):
        raise Illegal("cursor", text, "pass `next` of the page before, as it was given")
    pairs = (part.split("-") for part in text.split("."))
    return {AccountId(int(account)): int(number) for account, number in pairs}


def page_of(
    lists: Iterable[Iterable[Noun]], below: Below, limit: int, *, at: Callable[[Noun], datetime], place: Place[Noun]
) -> Page[Noun]:
    """Make one page of each account's newest rows, and say where to go on.

    Shapes: each list newest first, and one longer than the page where there is more
    """
    together = list(islice(merge(*lists, key=at, reverse=True), limit + 1))
    shown = together[:limit]
    if len(together) <= limit:
        return Page(tuple(shown), None)
    # Of an account that is not on this page the next one begins where this one did.
    return Page(tuple(shown), {**below, **dict(map(place, shown))})
