"""Recorded files as bars and quotes: checked whole first, then read as fast as they can be.

Rule 1. `inspect` reads the whole file before the first bar is used. What it cannot read exactly it refuses, naming line
        and column; it sorts, fills, rounds and guesses nothing.
Rule 2. `bars` is a second pass over the same bytes: a file that changed since is refused, so nothing is checked twice.
Rule 3. A bar that is not there is a gap: counted and listed, never made up.
Rule 4. Bid and ask are recorded apart, so that now and then a bar's ask stands below its bid. That is no price: the bar
        is left out, counted in `crossed`, and its place becomes a gap. In a file of quotes it is an error.

What must not enter: the clock, the speed of a replay, and what an instrument is worth.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import dropwhile
from pathlib import Path
from typing import TypeVar

from plimsoll.market.tables import (
    TIME_READERS,
    BadRecording,
    Table,
    TimeForm,
    check_time,
    open_table,
    read_number,
    time_form,
)
from plimsoll.model.ids import InstrumentId
from plimsoll.model.money import PLACES
from plimsoll.model.quote import Bar, Fact, Quote, SourceFacts

__all__ = ["BadRecording", "Gap", "Recording", "bars", "inspect", "read_quotes"]

_T = TypeVar("_T")

_TIME_NAMES = ("timestamp", "time", "date")
_TRADES = ("open", "high", "low", "close")
#: Bid side, then ask side; each open, high, low, close.
_TWO_SIDED = (
    (*(f"{price}_bid" for price in _TRADES), *(f"{price}_ask" for price in _TRADES)),
    (*(f"bid_{price}" for price in _TRADES), *(f"ask_{price}" for price in _TRADES)),
)
_ONE_SIDE = len(_TRADES)


@dataclass(frozen=True, slots=True)
class Gap:
    """Bars that were not recorded, between the start of the one before and the start of the one after."""

    after: datetime
    until: datetime
    missing: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Which columns of a file hold what."""

    #: Time, then the prices (four, or bid four and ask four), then volume where there is one.
    columns: tuple[int, ...]
    names: tuple[str, ...]
    two_sided: bool
    has_volume: bool

    @property
    def price_names(self) -> tuple[str, ...]:
        return self.names[1 : 1 + (2 * _ONE_SIDE if self.two_sided else _ONE_SIDE)]


@dataclass(frozen=True, slots=True)
class Recording:
    """What one pass over a recorded file found; every row of it was looked at."""

    path: Path
    symbol: str
    #: Of the file's bytes as they lie on the disk; part of what a replay's result depends on.
    sha256: str
    #: Start of the first and of the last bar.
    first: datetime
    last: datetime
    #: The most common distance between two bars, the shorter one if two are equally common.
    interval: timedelta
    bars: int
    #: Most places of a price, as written.
    decimals: int
    gaps: tuple[Gap, ...]
    #: Bars left out because the ask stands below the bid, and the line of the first one; 0 and None as a rule.
    crossed: int
    first_crossed_line: int | None
    #: Some bars are nearer than `interval` (months of 28 to 31 days): those end where the next begins.
    uneven: bool
    layout: Layout
    form: TimeForm

    @property
    def tick(self) -> Decimal:
        """Give the smallest step that the file's prices are written in."""
        return Decimal(1).scaleb(-self.decimals)

    @property
    def knows_spread(self) -> bool:
        return self.layout.two_sided

    @property
    def facts(self) -> SourceFacts:
        """Say what a replay of this file may promise."""
        declares = {Fact.PRICE, Fact.SPREAD} if self.knows_spread else {Fact.PRICE}
        return SourceFacts("replay", frozenset(declares), self.interval)


# --- first pass


def inspect(path: Path, symbol: str) -> Recording:
    """Look at every row of a recorded file of bars.

    Refuses: a missing or doubled column; a cell that is no finite number of at most 18 places; a price not above zero;
             a high below or a low above the bar's other prices; times equal or out of order; fewer than two bars
    Raises:  BadRecording, naming line and column
    """
    sha256 = _sha256(path)
    with open_table(path) as table:
        layout = _layout(table)
        form: TimeForm | None = None
        latest: datetime | None = None
        recorded, kept = _Starts(), _Starts()
        decimals, crossed, first_crossed_line = 0, 0, None
        for row in table.rows(layout.columns):
            form = form or _read(table, layout.names[0], row[0], time_form)
            latest = _later(table, layout.names[0], row[0], form, latest)
            prices = _checked_prices(table, layout, row)
            decimals = max(decimals, *map(_places, row[1 : 1 + len(prices)]))
            recorded.add(latest)
            if layout.two_sided and (prices[4] < prices[0] or prices[7] < prices[3]):
                crossed, first_crossed_line = crossed + 1, first_crossed_line or table.line
            else:
                kept.add(latest)
        _refuse_exchanged_sides(table, layout, crossed, first_crossed_line, kept.count)
        if kept.first is None or kept.last is None or form is None:
            raise BadRecording(path, table.line, "", "", "the file holds no bars")
        if kept.count == 1:
            raise BadRecording(
                path, table.line, "", "", "one bar does not show how far apart bars are: give two or more"
            )
    interval = recorded.interval()  # bars left out belong to the file's rhythm
    return Recording(
        path=path,
        symbol=symbol,
        sha256=sha256,
        first=kept.first,
        last=kept.last,
        interval=interval,
        bars=kept.count,
        decimals=min(decimals, PLACES),
        gaps=kept.gaps(interval),
        crossed=crossed,
        first_crossed_line=first_crossed_line,
        uneven=kept.any_nearer_than(interval),
        layout=layout,
        form=form,
    )


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as problem:
        raise BadRecording(path, 0, "", "", f"the file cannot be read: {problem}") from problem


def _layout(table: Table) -> Layout:
    """Find the columns by their names; the file's order does not matter and other columns are left alone."""
    times = [name for name in _TIME_NAMES if name in table.names]
    if len(times) != 1:
        _refuse_header(table, times[1] if times else _TIME_NAMES[0], "have exactly one of timestamp, time, date")
    forms = (_TRADES, *_TWO_SIDED)
    whole = [form for form in forms if all(name in table.names for name in form)]
    if not whole:
        nearest = max(forms, key=lambda form: sum(name in table.names for name in form))
        missing = next(name for name in nearest if name not in table.names)
        _refuse_header(table, missing, f"the column is missing; the header needs {', '.join(nearest)}")
    if len(whole) > 1:
        _refuse_header(
            table, whole[1][0], "prices stand here twice: leave either the trades or bid and ask in the file"
        )
    volume = [name for name in table.names if name.startswith("volume")][:1]
    names = (times[0], *whole[0], *volume)
    return Layout(_places_of(table, names), names, two_sided=whole[0] in _TWO_SIDED, has_volume=bool(volume))


def _places_of(table: Table, names: Sequence[str]) -> tuple[int, ...]:
    for name in names:
        if table.names.count(name) > 1:
            _refuse_header(table, name, "two columns have this name: leave one")
    return tuple(table.names.index(name) for name in names)


def _refuse_header(table: Table, column: str, remedy: str) -> None:
    if not table.names:
        raise BadRecording(table.path, 1, "", "", "the file is empty")
    raise BadRecording(table.path, 1, column, ",".join(table.names), remedy)


def _read(table: Table, column: str, text: str, read: Callable[[str], _T]) -> _T:
    try:
        return read(text)
    except ValueError as problem:
        raise BadRecording(table.path, table.line, column, text, str(problem)) from problem


def _later(table: Table, column: str, text: str, form: TimeForm, latest: datetime | None) -> datetime:
    at = _read(table, column, text, partial(check_time, form))
    if latest is not None and at <= latest:
        remedy = "this time was there before" if at == latest else f"sort the file: {latest.isoformat()} stands before"
        raise BadRecording(table.path, table.line, column, text, remedy)
    return at


def _price(table: Table, column: str, text: str) -> Decimal:
    value = _read(table, column, text, read_number)
    if value <= 0:
        raise BadRecording(table.path, table.line, column, text, "a price is above zero")
    return value


def _checked_prices(table: Table, layout: Layout, row: tuple[str, ...]) -> list[Decimal]:
    names = layout.price_names
    prices = [_price(table, name, text) for name, text in zip(names, row[1:], strict=False)]
    for side in range(0, len(prices), _ONE_SIDE):
        first, high, low, last = prices[side : side + _ONE_SIDE]
        if high < first or high < last or high < low:
            _refuse_price(table, names[side + 1], row[side + 2], "the high is below another price of its bar")
        if low > first or low > last:
            _refuse_price(table, names[side + 2], row[side + 3], "the low is above another price of its bar")
    if layout.has_volume and row[-1]:
        _size(table, layout.names[-1], row[-1])
    return prices


def _size(table: Table, column: str, text: str) -> Decimal:
    value = _read(table, column, text, read_number)
    if value < 0:
        _refuse_price(table, column, text, "a volume is not below zero")
    return value


def _refuse_price(table: Table, column: str, text: str, remedy: str) -> None:
    raise BadRecording(table.path, table.line, column, text, remedy)


def _refuse_exchanged_sides(table: Table, layout: Layout, crossed: int, line: int | None, kept: int) -> None:
    if line is not None and crossed >= kept:
        ask = layout.price_names[_ONE_SIDE]
        raise BadRecording(
            table.path, line, ask, "", f"the ask is below the bid in {crossed} bars: exchange the columns"
        )


def _places(text: str) -> int:
    """Count the places that a checked number is written with."""
    if "e" in text or "E" in text:
        exponent = Decimal(text).as_tuple().exponent
        return max(0, -exponent) if isinstance(exponent, int) else 0
    point = text.find(".")
    return 0 if point < 0 else len(text) - point - 1


@dataclass(slots=True)
class _Run:
    """Bars that follow each other at one distance, counted from the start of the one before them."""

    after: datetime
    distance: timedelta
    count: int


class _Starts:
    """The starts of all bars, kept as runs: small for any file that is regular, however long."""

    def __init__(self) -> None:
        self.count = 0
        self.first: datetime | None = None
        self.last: datetime | None = None
        self._runs: list[_Run] = []

    def add(self, at: datetime) -> None:
        if self.last is None:
            self.first = at
        else:
            distance = at - self.last
            if self._runs and self._runs[-1].distance == distance:
                self._runs[-1].count += 1
            else:
                self._runs.append(_Run(self.last, distance, 1))
        self.last = at
        self.count += 1

    def interval(self) -> timedelta:
        totals: dict[timedelta, int] = {}
        for run in self._runs:
            totals[run.distance] = totals.get(run.distance, 0) + run.count
        return max(totals, key=lambda distance: (totals[distance], -distance))

    def gaps(self, interval: timedelta) -> tuple[Gap, ...]:
        return tuple(
            Gap(
                run.after + step * run.distance,
                run.after + (step + 1) * run.distance,
                # A bar would have begun at each whole interval before the next one: 90 s without a minute miss one.
                missing=-(-run.distance // interval) - 1,
            )
            for run in self._runs
            if run.distance > interval
            for step in range(run.count)
        )

    def any_nearer_than(self, interval: timedelta) -> bool:
        return any(run.distance < interval for run in self._runs)


# --- second pass


def bars(recording: Recording, instrument_id: InstrumentId, start_after: datetime | None = None) -> Iterator[Bar]:
    """Give the bars of an inspected file, one at a time; `start_after` leaves out those that start then or before.

    Raises: BadRecording when the file is not the one that was inspected
    """
    if _sha256(recording.path) != recording.sha256:
        raise BadRecording(recording.path, 0, "", "", "the file changed since it was inspected: start again")
    with open_table(recording.path) as table:
        at = TIME_READERS[recording.form]
        rows = table.rows(recording.layout.columns)
        if start_after is not None:
            rows = dropwhile(lambda row: at(row[0]) <= start_after, rows)
        read = _two_sided_bars if recording.layout.two_sided else _trade_bars
        found = read(recording, instrument_id, rows)
        yield from _cut_to_next(found) if recording.uneven else found


def _trade_bars(recording: Recording, instrument_id: InstrumentId, rows: Iterator[tuple[str, ...]]) -> Iterator[Bar]:
    at, interval, has_volume = TIME_READERS[recording.form], recording.interval, recording.layout.has_volume
    for row in rows:
        yield Bar(
            instrument_id,
            at(row[0]),
            interval,
            Decimal(row[1]),
            Decimal(row[2]),
            Decimal(row[3]),
            Decimal(row[4]),
            Decimal(row[5]) if has_volume and row[5] else None,
        )


def _two_sided_bars(
    recording: Recording, instrument_id: InstrumentId, rows: Iterator[tuple[str, ...]]
) -> Iterator[Bar]:
    """Give the bid side as the bar and the ask side as its spreads; crossed bars are left out (rule 4)."""
    at, interval, has_volume = TIME_READERS[recording.form], recording.interval, recording.layout.has_volume
    for row in rows:
        first, last = Decimal(row[1]), Decimal(row[4])
        open_spread, close_spread = Decimal(row[5]) - first, Decimal(row[8]) - last
        if open_spread < 0 or close_spread < 0:
            continue
        volume = Decimal(row[9]) if has_volume and row[9] else None
        yield Bar(
            instrument_id,
            at(row[0]),
            interval,
            first,
            Decimal(row[2]),
            Decimal(row[3]),
            last,
            volume,
            open_spread,
            close_spread,
        )


def _cut_to_next(found: Iterator[Bar]) -> Iterator[Bar]:
    """End each bar where the next begins, if that is before its interval is over: no close is known after an open."""
    held: Bar | None = None
    for bar in found:
        if held is not None:
            yield held if held.end <= bar.start else replace(held, interval=bar.start - held.start)
        held = bar
    if held is not None:
        yield held


# --- quotes


def read_quotes(path: Path, instrument_id: InstrumentId) -> Iterator[Quote]:
    """Give the quotes of a tick file as they happened, one at a time, each checked as it is read.

    Where the file has no `last`, the bid stands for it, as in bars of bid and ask: what a holding could be sold for.

    Shapes:  `timestamp|time|date, bid, ask` and, where there are any, `last, mark, bid_size, ask_size, symbol`
    Refuses: what `inspect` refuses, and an ask below its bid; times may be equal, a venue says several things at once
    Raises:  BadRecording, naming line and column
    """
    with open_table(path) as table:
        names = _quote_names(table)
        form: TimeForm | None = None
        latest: datetime | None = None
        symbol: str | None = None
        for row in table.rows(_places_of(table, names)):
            cells = dict(zip(names, row, strict=True))
            form = form or _read(table, names[0], row[0], time_form)
            at = _read(table, names[0], row[0], partial(check_time, form))
            if latest is not None and at < latest:
                raise BadRecording(
                    path, table.line, names[0], row[0], f"sort the file: {latest.isoformat()} stands before"
                )
            latest, symbol = at, _same_symbol(table, cells.get("symbol"), symbol)
            yield _quote(table, instrument_id, at, cells)
        if latest is None:
            raise BadRecording(path, table.line, "", "", "the file holds no quotes")


def _quote_names(table: Table) -> tuple[str, ...]:
    times = [name for name in _TIME_NAMES if name in table.names]
    if len(times) != 1:
        _refuse_header(table, times[1] if times else _TIME_NAMES[0], "have exactly one of timestamp, time, date")
    for name in ("bid", "ask"):
        if name not in table.names:
            _refuse_header(table, name, "the column is missing; quotes need bid and ask")
    others = ("last", "mark", "bid_size", "ask_size", "symbol")
    return (times[0], "bid", "ask", *(name for name in others if name in table.names))


def _same_symbol(table: Table, found: str | None, before: str | None) -> str | None:
    if before is not None and found != before:
        raise BadRecording(
            table.path, table.line, "symbol", found or "", f"one file holds one instrument, here {before}"
        )
    return found


def _quote(table: Table, instrument_id: InstrumentId, at: datetime, cells: dict[str, str]) -> Quote:
    bid, ask = _price(table, "bid", cells["bid"]), _price(table, "ask", cells["ask"])
    if ask < bid:
        _refuse_price(table, "ask", cells["ask"], "the ask is below the bid")
    return Quote(
        instrument_id,
        at,
        bid,
        ask,
        _price(table, "last", cells["last"]) if cells.get("last") else bid,
        bid_size=_size(table, "bid_size", cells["bid_size"]) if cells.get("bid_size") else None,
        ask_size=_size(table, "ask_size", cells["ask_size"]) if cells.get("ask_size") else None,
        mark=_price(table, "mark", cells["mark"]) if cells.get("mark") else None,
    )
