"""What people set up under names of their own: strategies, alerts, schedules, screeners."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Table, select

from plimsoll.ledger import schema
from plimsoll.ledger.reading import owning
from plimsoll.ledger.reading.asking import Reading


@dataclass(frozen=True, slots=True)
class StrategyVersion:
    """One version of a strategy: which rules, with which parameters."""

    id: int
    uid: str
    name: str
    version: int
    kind: str
    params: tuple[tuple[str, str], ...]
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Made:
    """Something with a name, as its person set it up."""

    uid: str
    name: str
    #: JSON.
    config: str
    created_at: datetime
    updated_at: datetime
    #: `ARMED`, `ON`, …; empty for what has none.
    status: str = ""


class MadeReading(Reading):
    """Strategies, alerts, schedules, screeners."""

    __slots__ = ()

    def strategies(self) -> tuple[StrategyVersion, ...]:
        """List every version of his strategies, by name."""
        rows = schema.strategies.c
        wanted = (
            select(rows.id, rows.uid, rows.name, rows.version, rows.kind, rows.params_json, rows.made_at)
            .where(owning.by_himself(self._asker, rows.user_id), rows.deleted_at.is_(None))
            .order_by(rows.name, rows.version)
        )
        with self._moment() as connection:
            return tuple(
                StrategyVersion(*row[:5], tuple(sorted(orjson.loads(row[5]).items())), row[6])
                for row in connection.execute(wanted)
            )

    def alerts(self) -> tuple[Made, ...]:
        """List what he wants to be told."""
        return self._named(schema.alerts, schema.alerts.c.status)

    def schedules(self) -> tuple[Made, ...]:
        """List what he has done at set times."""
        return self._named(schema.schedules, schema.schedules.c.status)

    def screeners(self) -> tuple[Made, ...]:
        """List what he looks for in the markets."""
        return self._named(schema.screeners)

    def _named(self, table: Table, *more: Any) -> tuple[Made, ...]:
        rows = table.c
        wanted = (
            select(rows.uid, rows.name, rows.config_json, rows.created_at, rows.updated_at, *more)
            .where(owning.by_himself(self._asker, rows.user_id), rows.deleted_at.is_(None))
            .order_by(rows.name)
        )
        with self._moment() as connection:
            return tuple(Made(*tuple(row)) for row in connection.execute(wanted))
