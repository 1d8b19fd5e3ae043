"""The histories, page by page, whatever way the exchange cuts them: nothing left out, and always an end.

A cursor of ours is one number: the exchange's own number of the last fact that was read (`CURSOR`, `FROM_ID`), or the
millisecond that comes behind everything that was read (`TIME`).

Rule 1. A history lags. What it may still add lies behind its horizon: the exchange's time of the answer, less the lag
        that it documents, less a minute. `settled` is the last cursor before it; from there it is asked again.
Rule 2. The last one of a full page by time may have brothers of the same millisecond on the next: they are left to
        that. A page that is one millisecond from end to end is asked for again, twice as long.
Rule 3. Where every market has its own history, a page is what all of them have told up to the same fact; it is the
        last one only when each was read to its end.

What must not enter: what the rows mean.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from plimsoll.model.errors import TryAgain
from tests.simulation.adapter.parse import Row, Unreadable, rows_of, whole
from tests.simulation.exchange.personality import Paging, Personality

T = TypeVar("T")

#: Clocks that are read in another order than things happen, and whatever else nobody thought of.
MARGIN_MS = 60_000
#: The horizon moves in steps, so that a cursor is not written anew with every question.
_STEP_MS = 10_000
#: More the exchange gives to nobody.
_MOST_ROWS = 1_000


class Ask(Protocol):
    """Asks a question and reads its answer, as often as it takes."""

    async def __call__(self, path: str, params: Mapping[str, str], read: Callable[[Row], T]) -> T:
        """Give what `read` makes of the answer; what it cannot read is asked for again.

        Raises: WorldFailure
        """


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a history, in the order in which it was made known."""

    rows: tuple[Row, ...]
    #: Where the next one begins.
    cursor: int
    #: There is no next one.
    complete: bool
    #: Up to here nothing will be added.
    settled: int


class History(Protocol):
    """One account's fills, or its movements."""

    async def page(self, cursor: int) -> Page:
        """Give what follows a cursor.

        Raises: WorldFailure
        """


def history_of(personality: Personality, path: str, ask: Ask, symbols: Callable[[], Sequence[str]] | None) -> History:
    """Read a history in this exchange's way; `symbols` where each market has one of its own."""
    lag_ms = int(personality.history_lag_seconds * 1_000)
    match personality.paging:
        case Paging.TIME:
            return _ByTime(ask, path, personality.page_size, lag_ms)
        case Paging.CURSOR:
            return _ByNumber(_Numbered(ask, path, personality.page_size, "after", 0), None, lag_ms)
        case Paging.FROM_ID:
            return _ByNumber(_Numbered(ask, path, personality.page_size, "fromId", 1), symbols, lag_ms)


@dataclass(frozen=True, slots=True)
class _Told:
    """What one question brought."""

    rows: tuple[Row, ...]
    #: There may be more.
    is_full: bool
    at_ms: int


def _read(limit: int, answer: Row) -> _Told:
    rows = tuple(rows_of(answer))
    numbers = [whole(row, "seq") for row in rows]
    if numbers != sorted(numbers):
        raise Unreadable(f"facts {numbers} are in no order")
    return _Told(rows, len(rows) >= limit, whole(answer, "time"))


async def _asked(ask: Ask, path: str, params: Mapping[str, str], limit: int) -> _Told:
    return await ask(path, {**params, "limit": str(limit)}, partial(_read, limit))


@dataclass(frozen=True, slots=True)
class _Numbered:
    """How a history is asked for by number."""

    ask: Ask
    path: str
    limit: int
    parameter: str
    #: What is added to the last number read: 0 where the parameter is exclusive.
    step: int

    async def after(self, cursor: int, symbol: str | None) -> _Told:
        of_symbol = {} if symbol is None else {"symbol": symbol}
        return await _asked(self.ask, self.path, {**of_symbol, self.parameter: str(cursor + self.step)}, self.limit)


class _ByNumber:
    """A history that is asked for by the exchange's own numbers, which count all facts of an account."""

    def __init__(self, numbered: _Numbered, symbols: Callable[[], Sequence[str]] | None, lag_ms: int) -> None:
        self._numbered = numbered
        self._symbols = symbols
        self._lag_ms = lag_ms
        #: The lowest cursor asked for: who kept it knew that nothing comes before it.
        self._floor: int | None = None
        self._settled = 0

    async def page(self, cursor: int) -> Page:
        self._floor = cursor if self._floor is None else min(self._floor, cursor)
        markets: Sequence[str | None] = (None,) if self._symbols is None else self._symbols()
        told = [await self._numbered.after(cursor, symbol) for symbol in markets]
        # Up to where every market has told everything.
        ends = [whole(one.rows[-1], "seq") for one in told if one.is_full]
        rows = sorted((row for one in told for row in one.rows), key=lambda row: whole(row, "seq"))
        if ends:
            rows = [row for row in rows if whole(row, "seq") <= min(ends)]
        # Everything was asked after the first answer was given.
        horizon = told[0].at_ms - self._lag_ms - MARGIN_MS if told else 0
        settled = [whole(row, "seq") for row in rows if whole(row, "time") < horizon]
        self._settled = max(self._settled, *settled) if settled else self._settled
        reached = whole(rows[-1], "seq") if rows else cursor
        return Page(tuple(rows), reached, not ends, max(self._floor, self._settled))


class _ByTime:
    """A history that is asked for by the millisecond in which its rows were made known."""

    def __init__(self, ask: Ask, path: str, limit: int, lag_ms: int) -> None:
        self._ask = ask
        self._path = path
        self._limit = limit
        self._lag_ms = lag_ms

    async def page(self, cursor: int) -> Page:
        limit = self._limit
        while True:
            told = await _asked(self._ask, self._path, {"startTime": str(cursor)}, limit)
            horizon = told.at_ms - self._lag_ms - MARGIN_MS
            settled = max(horizon // _STEP_MS * _STEP_MS, 0)
            if not told.is_full:
                behind = whole(told.rows[-1], "time") + 1 if told.rows else cursor
                return Page(told.rows, behind, complete=True, settled=settled)
            last = whole(told.rows[-1], "time")
            whole_ones = tuple(row for row in told.rows if whole(row, "time") < last)
            if whole_ones:
                return Page(whole_ones, last, complete=False, settled=settled)
            if limit == _MOST_ROWS:
                raise TryAgain(f"{self._path}: more than {_MOST_ROWS} rows of one millisecond")
            limit = min(limit * 2, _MOST_ROWS)
