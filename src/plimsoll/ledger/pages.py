"""History for those who own it: orders, fills, equity, guard episodes; long lists a page at a time, newest first.

Rule 1. Every question names what may be seen: the accounts, and the portfolios within each. There is no question
        without it, so there is none that could forget it.
Rule 2. A page ends at a row number of each account, not at a count of rows: what is written meanwhile moves nothing,
        so no row is seen twice and none is missed.
Rule 3. A cursor from outside only says where to go on in what may be seen anyway.

On SQLite a row number is a place in the table itself (the account leads the key), so the tenth page costs what the
first one costs. What must not enter: the hot state, whose live orders are faster asked for there.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from heapq import merge
from itertools import islice
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Connection, Engine, Select, String, Table, and_, select, type_coerce

from plimsoll.ledger import orders, schema, trades
from plimsoll.ledger.queries import LIVE_STATES
from plimsoll.ledger.views import EquityPoint
from plimsoll.model.clock import parse_time
from plimsoll.model.errors import Illegal
from plimsoll.model.ids import AccountId, InstrumentId, PortfolioId
from plimsoll.model.order import Order
from plimsoll.model.trade import Trade
from plimsoll.store.draft import Row
from plimsoll.store.statements import select_as_stored

Noun = TypeVar("Noun")

#: What may be seen: accounts, and the portfolios within each.
Within = Mapping[AccountId, Collection[PortfolioId]]
#: Where to go on: for each account, the row number below which the next page begins.
Below = Mapping[AccountId, int]
#: Gives the account of something, and its place in the account's rows.
Place = Callable[[Noun], tuple[AccountId, int]]

_CURSOR = re.compile(r"[0-9]{1,9}-[0-9]{1,18}(\.[0-9]{1,9}-[0-9]{1,18})*")


@dataclass(frozen=True, slots=True)
class Fill:
    """A trade with its place in its account's rows, and the public id of the order that it filled."""

    id: int
    trade: Trade
    #: None where no order of ours caused it.
    order_uid: str | None


@dataclass(frozen=True, slots=True)
class Page(Generic[Noun]):
    """Some rows, and where to go on; None after the last."""

    items: tuple[Noun, ...]
    below: Below | None


@dataclass(frozen=True, slots=True)
class GuardEpisode:
    """A guard's episode as it was written, from the first warning to its end."""

    account_id: AccountId
    kind: str
    number: int
    status: str
    #: Which line was crossed.
    line: str
    drawdown: Decimal
    equity: Decimal
    opened_at: datetime | None
    deadline: datetime | None
    since: datetime | None
    closed_count: int
    loss: Decimal


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


def order_page(
    engine: Engine,
    within: Within,
    *,
    below: Below,
    limit: int,
    ended_only: bool = False,
    instruments: Collection[InstrumentId] | None = None,
) -> Page[Order]:
    """List orders, newest first."""
    ended = [schema.orders.c.state.not_in(LIVE_STATES)] if ended_only else []
    whole = select_as_stored(schema.orders).order_by(None)

    def read(connection: Connection, account_id: AccountId) -> list[Order]:
        wanted = _newest(
            whole, schema.orders, account_id, within[account_id], below=below, limit=limit, instruments=instruments
        )
        return [orders.from_row(tuple(row)) for row in connection.execute(wanted.where(*ended))]

    with engine.connect() as connection:
        lists = [read(connection, account_id) for account_id in within]
    return page_of(lists, below, limit, at=lambda order: order.placed_at, place=place_of_order)


def find_order(engine: Engine, within: Within, uid: str) -> Order | None:
    """Find an order by its public id; another's is not found."""
    wanted = select_as_stored(schema.orders).where(schema.orders.c.uid == uid)
    with engine.connect() as connection:
        row = connection.execute(wanted).one_or_none()
    if row is None:
        return None
    order = orders.from_row(tuple(row))
    may_be_seen = order.intent.portfolio_id in within.get(order.intent.account_id, ())
    return order if may_be_seen else None


def fill_page(
    engine: Engine,
    within: Within,
    *,
    below: Below,
    limit: int,
    instruments: Collection[InstrumentId] | None = None,
) -> Page[Fill]:
    """List fills, newest first."""

    def read(connection: Connection, account_id: AccountId) -> list[Fill]:
        wanted = _newest(
            _FILLS, schema.trades, account_id, within[account_id], below=below, limit=limit, instruments=instruments
        )
        return [_fill(tuple(row)) for row in connection.execute(wanted)]

    with engine.connect() as connection:
        lists = [read(connection, account_id) for account_id in within]
    return page_of(
        lists,
        below,
        limit,
        at=lambda fill: fill.trade.report.exec_time,
        place=lambda fill: (fill.trade.report.account_id, fill.id),
    )


def fills_of(engine: Engine, order: Order, *, above: int = 0) -> tuple[Fill, ...]:
    """List what an order has filled, oldest first; with `above`, only rows of a higher number are looked at."""
    rows, intent = schema.trades.c, order.intent
    wanted = (
        _FILLS.where(rows.account_id == intent.account_id, rows.portfolio_id == intent.portfolio_id)
        .where(rows.instrument_id == order.terms.instrument_id, rows.strategy_id == (intent.strategy_id or 0))
        .where(rows.id > above, rows.order_id == order.id)
        .order_by(rows.id)
    )
    with engine.connect() as connection:
        return tuple(_fill(tuple(row)) for row in connection.execute(wanted))


def equity(
    engine: Engine, account_id: AccountId, *, since: datetime | None, until: datetime | None, points: int
) -> tuple[EquityPoint, ...]:
    """Give an account's equity between two times, oldest first, as at most so many points.

    Where there are more, each stretch of them is told by its lowest and highest equity and its deepest drawdown, and
    the whole by its first and last too: a curve that leaves a trough out lies about the risk that was taken.
    """
    rows = schema.equity_snapshots.c
    as_text = [type_coerce(column, String) for column in (rows.at, rows.equity, rows.nav, rows.peak, rows.drawdown)]
    wanted = select(*as_text).where(rows.account_id == account_id).order_by(rows.at, rows.id)
    if since is not None:
        wanted = wanted.where(rows.at >= since.astimezone(UTC))
    if until is not None:
        wanted = wanted.where(rows.at <= until.astimezone(UTC))
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(wanted)]
    return tuple(
        EquityPoint(parse_time(at), Decimal(worth), Decimal(nav), Decimal(peak), Decimal(drawdown))
        for at, worth, nav, peak, drawdown in thinned(found, points)
    )


def thinned(rows: Sequence[tuple[str, ...]], points: int) -> list[tuple[str, ...]]:
    """Choose at most so many of (at, equity, nav, peak, drawdown), the extremes among them.

    Floats only choose here; what is told is the text that was stored.
    """
    if len(rows) <= points:
        return list(rows)
    if points <= 2:
        return [rows[0], rows[-1]][:points]
    stretches = max(1, (points - 2) // 3)
    chosen = {0, len(rows) - 1}
    for stretch in range(stretches):
        places = range(stretch * len(rows) // stretches, (stretch + 1) * len(rows) // stretches)
        extremes = (
            min(places, key=lambda place: float(rows[place][1])),
            max(places, key=lambda place: float(rows[place][1])),
            max(places, key=lambda place: float(rows[place][4])),
        )
        chosen.update(extremes[: points - len(chosen)])
    return [rows[place] for place in sorted(chosen)]


def guard_episodes(engine: Engine, account_ids: Collection[AccountId], *, limit: int = 200) -> tuple[GuardEpisode, ...]:
    """List the newest episodes of the accounts' guards, newest first."""
    rows = schema.guard_alerts.c
    named = (rows.account_id, rows.kind, rows.number, rows.status, rows.action, rows.drawdown, rows.equity)
    wanted = (
        select(*named, rows.opened_at, rows.deadline, rows.since, rows.closed_count, rows.loss)
        .where(rows.account_id.in_(account_ids), rows.number > 0)
        .order_by(rows.opened_at.desc(), rows.account_id, rows.number.desc())
        .limit(limit)
    )
    with engine.connect() as connection:
        return tuple(GuardEpisode(*tuple(row)) for row in connection.execute(wanted))


_FILLS = select(*select_as_stored(schema.trades).selected_columns, schema.orders.c.uid).join_from(
    schema.trades,
    schema.orders,
    and_(schema.orders.c.account_id == schema.trades.c.account_id, schema.orders.c.id == schema.trades.c.order_id),
    isouter=True,
)


def _fill(row: Row) -> Fill:
    *cells, order_uid = row
    return Fill(int(cells[1] or 0), trades.from_row(tuple(cells)), None if order_uid is None else str(order_uid))


def _newest(
    wanted: Select[Any],
    table: Table,
    account_id: AccountId,
    portfolios: Collection[PortfolioId],
    *,
    below: Below,
    limit: int,
    instruments: Collection[InstrumentId] | None,
) -> Select[Any]:
    # One more than asked for: whether it is there says whether there is another page.
    conditions: list[ColumnElement[bool]] = [table.c.account_id == account_id, table.c.portfolio_id.in_(portfolios)]
    if account_id in below:
        conditions.append(table.c.id < below[account_id])
    if instruments is not None:
        conditions.append(table.c.instrument_id.in_(instruments))
    return wanted.where(*conditions).order_by(table.c.id.desc()).limit(limit + 1)


def place_of_order(order: Order) -> tuple[AccountId, int]:
    """Give an order's account, and its place in the account's rows."""
    return order.intent.account_id, order.id


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
