"""A look at a desk's database before anybody opens it for writing, and at what was told of its guards.

Through read-only connections: whoever only looks leaves no trace, and may look while a desk is at work.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, Engine, func, inspect, select, text
from sqlalchemy.exc import DatabaseError, OperationalError

from plimsoll.ledger import schema
from plimsoll.ledger.database import HEAD, REVISIONS, ForeignDatabase, NewerDatabase, OlderDatabase
from plimsoll.model.event import EventKind
from plimsoll.model.order import OrderState
from plimsoll.risk.guards.drawdown import GuardStatus
from plimsoll.store.connection import StoreFailed
from plimsoll.store.place import Place, PostgresPlace, reader


@dataclass(frozen=True, slots=True)
class Glance:
    """What decides how a desk's database is gone on with."""

    #: Named facts about the desk itself.
    meta: dict[str, str]
    #: Of its tables.
    version: str
    #: Commits so far.
    commits: int

    def check_current(self, place: Place) -> None:
        """Refuse to read books by tables that they do not have yet.

        Raises: OlderDatabase
        """
        if self.version != HEAD:
            raise OlderDatabase(place, self.version)


@dataclass(frozen=True, slots=True)
class Unfinished:
    """What a process left half-done when it ended; to find it the whole log is read."""

    #: Client ids of orders that were written and whose answer never came: it ended inside a send.
    in_a_send: tuple[str, ...]
    #: A guard had decided to close, and was not done with it.
    in_a_close: bool
    #: A person has ordered something since the first rows.
    commanded: bool


@dataclass(frozen=True, slots=True)
class GuardEvent:
    """One thing that a guard did."""

    at: datetime
    #: As the guard names its actions: `WARN`, `START_COUNTDOWN`, `CLOSE_ALL`, …
    action: str
    #: None when the account could not be valued at that moment.
    drawdown: Decimal | None
    #: Positions closed in this episode so far.
    closed: int


def glance(place: Place) -> Glance | None:
    """Look at what a database holds; None while it is empty.

    Raises: ForeignDatabase, NewerDatabase; StoreFailed where a server does not answer
    """
    schema_name = place.schema if isinstance(place, PostgresPlace) else None
    try:
        with reader(place).connect() as connection:
            tables = set(inspect(connection).get_table_names(schema_name))
            if not tables:
                return None
            if "alembic_version" not in tables:
                raise ForeignDatabase(place)
            version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
            if version not in REVISIONS:
                raise NewerDatabase(place, str(version))
            return _glance(connection, str(version))
    except DatabaseError as error:
        if schema_name is not None and isinstance(error, OperationalError):
            raise StoreFailed(f"cannot look at {place}: {' '.join(str(error.orig).split())}") from error
        raise ForeignDatabase(place) from error


def _glance(connection: Connection, version: str) -> Glance:
    meta = schema.meta.c
    return Glance(
        meta={str(name): str(value) for name, value in connection.execute(select(meta.name, meta.value))},
        version=version,
        commits=connection.execute(select(schema.heads.c.group_number)).scalar() or 0,
    )


def unfinished(engine: Engine) -> Unfinished:
    """Find what the last process left half-done."""
    orders, log = schema.orders.c, schema.audit_log.c
    # Orders that may have been sent.
    pending = select(orders.client_order_id).where(orders.state == OrderState.PENDING)
    # A guard's episode between its decision to close and the proof that all is flat.
    closing = select(func.count()).where(schema.guard_alerts.c.status == GuardStatus.CLOSING)
    # A person's halts, flattens and lifts; the account and its first money are part of every replay.
    by_hand = select(func.count()).where(log.actor.like("user:%"), log.entity != "ACCOUNT")
    with engine.connect() as connection:
        return Unfinished(
            in_a_send=tuple(connection.execute(pending).scalars()),
            in_a_close=bool(connection.execute(closing).scalar_one()),
            commanded=bool(connection.execute(by_hand).scalar_one()),
        )


def guard_events(engine: Engine) -> tuple[GuardEvent, ...]:
    """List what the guards did, oldest first; several actions of one moment in their order."""
    events, alerts = schema.events.c, schema.guard_alerts.c
    told = select(events.at, events.details_json).where(events.kind == EventKind.GUARD_CHANGED).order_by(events.number)
    counts = select(alerts.kind, alerts.number, alerts.closed_count)
    with engine.connect() as connection:
        closed = {(kind, str(number)): count for kind, number, count in connection.execute(counts)}
        rows = [(at, json.loads(text)) for at, text in connection.execute(told)]
    return tuple(
        GuardEvent(
            at,
            action,
            Decimal(details["drawdown"]) if "drawdown" in details else None,
            # The event of a close is written before the close is sent: the episode knows how many it became.
            closed[details["guard"], details["episode"]] if action in ("CLOSE_ALL", "LATCH") else 0,
        )
        for at, details in rows
        for action in details["actions"].split(",")
    )
