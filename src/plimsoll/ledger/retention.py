"""What is kept for a while only, and removed in small pieces: events, the logs of attempts, signals, points of curves.

    events, attempts, signals     thirty days
    points of the equity curve    all for a day, one a minute for thirty days, one an hour for ever;
                                  every flow, peak and trough for ever

Rule 1. A piece is one unit of at most 500 rows looked at, so that an order that stands behind it waits for no more than
        for another order. It says whether there may be more.
Rule 2. A fact is never removed: there is no statement that could (`queries`), and the database refuses one.
Rule 3. Pieces are found by the order of their numbers. A row that is out of order in time is kept a little longer.
Rule 4. The newest row of an account, and the newest event, are kept whatever their age: numbers go on behind them after
        the next start, and a proof sees that none is missing behind what was let go.
Rule 5. Thinning keeps the first reading of each minute, and of each hour; how far it came is in the book, so that years
        are not looked through again after every start.

What if we crash between two pieces? What was removed is removed; the next run goes on.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from plimsoll.ledger import keys
from plimsoll.ledger.books import write_meta
from plimsoll.ledger.queries import CHUNK
from plimsoll.model.clock import parse_time
from plimsoll.model.ids import AccountId
from plimsoll.risk.guards.turns import Occasion
from plimsoll.store.draft import Draft, Row

KEPT = timedelta(days=30)
#: For how long every point of the equity curve is kept, and then one of each minute.
ALL_POINTS_KEPT = timedelta(days=1)
MINUTES_KEPT = timedelta(days=30)
#: What the times of one minute, and of one hour, share in their text: 2022-01-31T10:05, 2022-01-31T10.
_MINUTE, _HOUR = slice(16), slice(13)

#: Removes one piece; says whether there may be more.
Piece = Callable[[Draft, AccountId, datetime], bool]


def forget_events(draft: Draft, _account_id: AccountId, now: datetime) -> bool:
    """Remove a piece of the desk's old events; who follows from there is told to take a snapshot."""
    rows = draft.find("oldest_events")
    old = _old(rows, now - KEPT)
    if _is_newest(old, rows):
        old = old[:-1]
    if old:
        draft.forget("forget_events", old[-1][0])
    return len(old) == CHUNK


def forget_attempts(draft: Draft, account_id: AccountId, now: datetime) -> bool:
    """Remove a piece of an account's old attempts to hear from its venue."""
    return _forget(draft, "sync_log", account_id, now)


def forget_signals(draft: Draft, account_id: AccountId, now: datetime) -> bool:
    """Remove a piece of what an account's bots saw long ago."""
    return _forget(draft, "signals", account_id, now)


def thin_to_minutes(draft: Draft, account_id: AccountId, now: datetime) -> bool:
    """Thin a piece of an account's equity curve to a reading a minute."""
    return _thin(draft, account_id, _MINUTE, now - ALL_POINTS_KEPT)


def thin_to_hours(draft: Draft, account_id: AccountId, now: datetime) -> bool:
    """Thin a piece of an account's equity curve to a reading an hour."""
    return _thin(draft, account_id, _HOUR, now - MINUTES_KEPT)


#: Everything that is kept for a while only.
PIECES: tuple[Piece, ...] = (forget_events, forget_attempts, forget_signals, thin_to_minutes, thin_to_hours)


def _forget(draft: Draft, table: str, account_id: AccountId, now: datetime) -> bool:
    rows = draft.find(f"oldest_{table}", account_id, 0)
    old = _old(rows, now - KEPT)
    if _is_newest(old, rows):
        old = old[:-1]
    if old:
        draft.forget(f"forget_{table}", account_id, old[-1][0])
    return len(old) == CHUNK


def _old(rows: Sequence[Row], before: datetime) -> Sequence[Row]:
    # Only from the beginning: behind the first that is young nothing is looked at.
    for place, row in enumerate(rows):
        if parse_time(str(row[1])) >= before:
            return rows[:place]
    return rows


def _is_newest(old: Sequence[Row], rows: Sequence[Row]) -> bool:
    # Of those that are old the last is the newest of all.
    return len(old) == len(rows) < CHUNK


def _thin(draft: Draft, account_id: AccountId, stretch: slice, before: datetime) -> bool:
    """Remove the readings behind the first one of each stretch, from where the last piece ended.

    Shapes: `stretch` -> the part of a time's text that all of one stretch share
    """
    name = f"thinned:{stretch.stop}:{account_id}"
    come_to, _, last_stretch = (draft.get(keys.meta(name)) or "0 ").partition(" ")
    kept = last = int(come_to)
    rows = draft.find("oldest_equity_snapshots", account_id, last + 1)
    old = _old(rows, before)
    if not old:
        return False
    for number, at, occasion in old:
        here, last = str(at)[stretch], int(number or 0)
        if here != last_stretch and occasion == Occasion.READING:
            if last - 1 > kept:
                draft.forget("forget_equity_snapshots", account_id, kept, last - 1)
            kept, last_stretch = last, here
    end = max(kept, last - 1 if _is_newest(old, rows) else last)
    if end > kept:
        draft.forget("forget_equity_snapshots", account_id, kept, end)
    if end != int(come_to):
        write_meta(draft, name, f"{end} {last_stretch}")
    return len(old) == CHUNK
