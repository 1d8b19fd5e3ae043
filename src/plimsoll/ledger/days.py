"""What each position earned on each day (UTC): a fold kept at hand, so that a month is 31 rows and not all its trades.

A day belongs to the trade or the line that moved it, by its own time: a trade that comes late moves the days of every
trade whose profit it changes. Only the latest day of a position stays in memory.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import TypeAlias

import orjson

from plimsoll.ledger import keys
from plimsoll.ledger.log import json_text
from plimsoll.model import money
from plimsoll.model.clock import time_text
from plimsoll.model.money import decimal_text
from plimsoll.model.position import Position
from plimsoll.store.draft import Draft, Row

#: (asset, amount), sorted by asset.
Fees: TypeAlias = tuple[tuple[str, Decimal], ...]
#: (kind, asset, amount), sorted by kind and asset.
Flows: TypeAlias = tuple[tuple[str, str, Decimal], ...]

_DAY_LENGTH = len("2022-01-31")


@dataclass(frozen=True, slots=True)
class DayMove:
    """By how much a day changes."""

    #: In the instrument's cash asset, gross.
    realized: Decimal = money.ZERO
    #: Value of what was traded, unsigned.
    turnover: Decimal = money.ZERO
    trade_count: int = 0
    fees: Fees = ()
    flows: Flows = ()

    def plus(self, other: "DayMove") -> "DayMove":
        """Add two changes of the same day, or a change to what a day is."""
        return DayMove(
            self.realized + other.realized,
            self.turnover + other.turnover,
            self.trade_count + other.trade_count,
            _sum_fees(self.fees, other.fees),
            _sum_flows(self.flows, other.flows),
        )


def day_of(at: datetime) -> str:
    """Name the day (UTC) of a time."""
    return time_text(at)[:_DAY_LENGTH]


def move(draft: Draft, position: Position, day: str, change: DayMove) -> None:
    """Change what a position earned on a day."""
    key = keys.pnl_day(position, day)
    before: DayMove | None = draft.get(key)
    if before is None:
        account_id, (portfolio, instrument, strategy, leg) = position.account_id, position.key
        rows = draft.find("pnl_day", account_id, portfolio, day, instrument, strategy, leg)
        before = from_row(rows[0]) if rows else None
    after = change if before is None else before.plus(change)
    latest: str | None = draft.get(keys.pnl_latest(position))
    if latest is None or day >= latest:
        if latest is not None and day > latest:
            # It leaves memory with the commit; the rest of the group still sees it.
            draft.put_fleeting(keys.pnl_day(position, latest), draft.get(keys.pnl_day(position, latest)))
        if day != latest:
            draft.put(keys.pnl_latest(position), day)
        draft.put(key, after)
    else:
        draft.put_fleeting(key, after)
    draft.replace("pnl_days", key, partial(to_row, position, day, after))


def to_row(position: Position, day: str, earned: DayMove) -> Row:
    """Write a day as its row, columns in the table's order."""
    portfolio, instrument, strategy, leg = position.key
    return (
        position.account_id,
        portfolio,
        day,
        instrument,
        strategy,
        leg,
        decimal_text(earned.realized),
        decimal_text(earned.turnover),
        earned.trade_count,
        json_text({asset: decimal_text(amount) for asset, amount in earned.fees}),
        json_text([[kind, asset, decimal_text(amount)] for kind, asset, amount in earned.flows]),
    )


def from_row(row: Row) -> DayMove:
    """Read back what a day earned."""
    realized, turnover, count, fees, flows = row[6:]
    return DayMove(
        Decimal(str(realized)),
        Decimal(str(turnover)),
        int(count or 0),
        tuple((asset, Decimal(amount)) for asset, amount in orjson.loads(str(fees)).items()),
        tuple((kind, asset, Decimal(amount)) for kind, asset, amount in orjson.loads(str(flows))),
    )


def _sum_fees(fees: Fees, more: Iterable[tuple[str, Decimal]]) -> Fees:
    if len(fees) == 1 and isinstance(more, tuple) and len(more) == 1 and fees[0][0] == more[0][0]:
        total = fees[0][1] + more[0][1]  # nearly always, and this runs for every fill
        return ((fees[0][0], total),) if total else ()
    totals = dict(fees)
    for asset, amount in more:
        totals[asset] = totals.get(asset, money.ZERO) + amount
    # What came to nothing is left out: a fill that was busted leaves no trace of what it had cost.
    return tuple(sorted((asset, amount) for asset, amount in totals.items() if amount))


def _sum_flows(flows: Flows, more: Iterable[tuple[str, str, Decimal]]) -> Flows:
    totals = {(kind, asset): amount for kind, asset, amount in flows}
    for kind, asset, amount in more:
        totals[kind, asset] = totals.get((kind, asset), money.ZERO) + amount
    return tuple((kind, asset, amount) for (kind, asset), amount in sorted(totals.items()) if amount)
