"""What watches over accounts, and what was noted of them: guards, breaches, halts, policies, comparisons, the log."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import orjson
from sqlalchemy import select

from plimsoll.ledger import accounts, breaks, comparisons, schema
from plimsoll.ledger.breaks import Break, BreakStatus
from plimsoll.ledger.cells import time_or_none
from plimsoll.ledger.comparisons import Attempt, Comparison
from plimsoll.ledger.follow import Numbered
from plimsoll.ledger.reading import owning
from plimsoll.ledger.reading.asking import Reading
from plimsoll.ledger.reading.paging import Below, Page
from plimsoll.model.account import Halt, Scope, TradingState
from plimsoll.model.clock import parse_time
from plimsoll.model.event import Event, EventKind
from plimsoll.model.ids import AccountId
from plimsoll.store.draft import Row
from plimsoll.store.statements import select_as_stored


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


@dataclass(frozen=True, slots=True)
class Breach:
    """A limit that was met, and what was done about it."""

    account_id: AccountId
    id: int
    #: `BLOCKED`, `WARNED`, `REDUCED_SIZE`, `CLOSED_POSITION`.
    action: str
    intent_key: str
    #: The checks that stood in the way, and the numbers they looked at; JSON.
    details: str
    observed: str
    at: datetime


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """Limits that somebody set, as one version of a scope's."""

    scope: Scope
    scope_id: int
    version: int
    config: tuple[tuple[str, str | None], ...]
    #: None for those made before it was asked.
    made_by: str | None
    made_at: datetime | None


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A note of an account's chain: who did what to what."""

    account_id: AccountId
    seq: int
    at: datetime
    actor: str
    entity: str
    entity_key: str
    action: str
    #: JSON.
    details: str


class WatchReading(Reading):
    """Guards, breaches, halts, policies, comparisons, the log, events; `of` names one of his accounts."""

    __slots__ = ()

    def guard_episodes(self, *, limit: int = 200) -> tuple[GuardEpisode, ...]:
        """List the newest episodes of guards, newest first."""
        rows = schema.guard_alerts.c
        named = (rows.account_id, rows.kind, rows.number, rows.status, rows.action, rows.drawdown, rows.equity)
        wanted = (
            select(*named, rows.opened_at, rows.deadline, rows.since, rows.closed_count, rows.loss)
            .where(owning.in_own_account(self._asker, rows.account_id), rows.number > 0)
            .order_by(rows.opened_at.desc(), rows.account_id, rows.number.desc())
            .limit(limit)
        )
        with self._moment() as connection:
            return tuple(GuardEpisode(*tuple(row)) for row in connection.execute(wanted))

    def halts(self) -> tuple[Halt, ...]:
        """List what is in force over him, his accounts, portfolios and bots, and over the desk."""
        rows = schema.halts.c
        wanted = select_as_stored(schema.halts).where(
            rows.state != TradingState.ACTIVE, owning.over_him(self._asker, rows.scope_type, rows.scope_id)
        )
        with self._moment() as connection:
            return tuple(accounts.halt_from_row(tuple(row)) for row in connection.execute(wanted))

    def policies(self) -> tuple[PolicyVersion, ...]:
        """List every version of every policy that binds him."""
        rows = schema.risk_policies.c
        wanted = select_as_stored(schema.risk_policies).where(
            owning.over_him(self._asker, rows.scope_type, rows.scope_id)
        )
        with self._moment() as connection:
            return tuple(_policy(tuple(row)) for row in connection.execute(wanted))

    def breaches(self, *, below: Below, limit: int, of: AccountId | None = None) -> Page[Breach]:
        """List limits that were met, newest first."""
        return self._page_by_account(
            select_as_stored(schema.risk_breaches),
            schema.risk_breaches.c.id,
            make=_breach,
            place=lambda breach: (breach.account_id, breach.id),
            at=lambda breach: breach.at,
            of=of,
            below=below,
            limit=limit,
        )

    def breaks(self, *, below: Below, limit: int, of: AccountId | None = None, open_only: bool = False) -> Page[Break]:
        """List differences between book and venue, the newest found first."""
        wanted = select_as_stored(schema.breaks)
        if open_only:
            wanted = wanted.where(schema.breaks.c.status == BreakStatus.OPEN)
        return self._page_by_account(
            wanted,
            schema.breaks.c.id,
            make=breaks.from_row,
            place=lambda one: (one.account_id, one.id),
            at=lambda one: one.first_seen,
            of=of,
            below=below,
            limit=limit,
        )

    def comparisons(self, *, below: Below, limit: int, of: AccountId | None = None) -> Page[Comparison]:
        """List what comparisons with the venue came to, newest first."""
        return self._page_by_account(
            select_as_stored(schema.reconciliation_log),
            schema.reconciliation_log.c.id,
            make=comparisons.comparison_from_row,
            place=lambda line: (line.account_id, line.id),
            at=lambda line: line.at,
            of=of,
            below=below,
            limit=limit,
        )

    def attempts(self, *, below: Below, limit: int, of: AccountId | None = None) -> Page[Attempt]:
        """List attempts to hear from the venue, newest first."""
        return self._page_by_account(
            select_as_stored(schema.sync_log),
            schema.sync_log.c.id,
            make=comparisons.attempt_from_row,
            place=lambda attempt: (attempt.account_id, attempt.id),
            at=lambda attempt: attempt.at,
            of=of,
            below=below,
            limit=limit,
        )

    def notes(self, *, below: Below, limit: int, of: AccountId | None = None) -> Page[LogEntry]:
        """List who did what, newest first."""
        return self._page_by_account(
            select_as_stored(schema.audit_log),
            schema.audit_log.c.seq,
            make=_note,
            place=lambda entry: (entry.account_id, entry.seq),
            at=lambda entry: entry.at,
            of=of,
            below=below,
            limit=limit,
        )

    def events(self, *, below: Below, limit: int, of: AccountId | None = None) -> Page[Numbered]:
        """List what happened, newest first; as far back as events are kept."""
        return self._page_by_account(
            select_as_stored(schema.events),
            schema.events.c.number,
            make=_event,
            place=lambda numbered: (numbered.event.account_id, numbered.number),
            at=lambda numbered: numbered.event.at,
            of=of,
            below=below,
            limit=limit,
        )


def _breach(row: Row) -> Breach:
    account, number, _seq, action, key, details, observed, at = row
    numbers = AccountId(int(account or 0)), int(number or 0)
    return Breach(*numbers, str(action), str(key), str(details), str(observed), parse_time(str(at)))


def _policy(row: Row) -> PolicyVersion:
    _id, scope, scope_id, version, config, made_by, made_at = row
    return PolicyVersion(
        Scope(str(scope)),
        int(scope_id or 0),
        int(version or 0),
        tuple(sorted(orjson.loads(str(config)).items())),
        None if made_by is None else str(made_by),
        time_or_none(made_at),
    )


def _note(row: Row) -> LogEntry:
    account, seq, at, actor, entity, key, action, details, _link = row
    numbers = AccountId(int(account or 0)), int(seq or 0)
    return LogEntry(*numbers, parse_time(str(at)), str(actor), str(entity), str(key), str(action), str(details))


def _event(row: Row) -> Numbered:
    number, account, kind, at, details = row
    event = Event(EventKind(str(kind)), AccountId(int(account or 0)), parse_time(str(at)), orjson.loads(str(details)))
    return Numbered(int(number or 0), event)
