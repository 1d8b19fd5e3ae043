"""How books stand to their venues, as it is shown: the state, the log, the work-list, what only the venue has."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from plimsoll.desk.account_figures import account_figures
from plimsoll.edges.api.access import Caller
from plimsoll.edges.api.schemas import (
    AttemptRow,
    AttemptsPage,
    BreakRow,
    BreaksPage,
    ComparedSaid,
    ComparisonRow,
    ComparisonsPage,
    ExternalOrderRow,
    ExternalOrders,
    Reconciliation,
)
from plimsoll.ledger import breaks, external_orders, keys
from plimsoll.ledger.breaks import Break
from plimsoll.ledger.comparisons import Attempt, Comparison
from plimsoll.ledger.external_orders import ExternalOrder
from plimsoll.ledger.reading.paging import Below, cursor_text, parse_cursor
from plimsoll.model.account import Account
from plimsoll.model.ids import AccountId
from plimsoll.model.instrument import Instrument

if TYPE_CHECKING:
    from plimsoll.edges.served import ServedAccount

#: Lines of the log that are shown with the state.
RECENT = 10
_WORST = ("EQUAL", "DIFFERENT", "UNKNOWN")


def state(caller: Caller, meant: Sequence["ServedAccount"]) -> Reconciliation:
    """Show how one or several of the caller's accounts stand."""
    attended = [served.attendant.attendance() for served in meant]
    figures = [account_figures(served.ports, caller.desk.clock.now()).positions for served in meant]
    compared = [seen.last_reconciled_at for seen in attended]
    took = [seen.last_sync_duration_ms for seen in attended if seen.last_sync_duration_ms is not None]
    return Reconciliation(
        status=max(map(_status, meant), key=_WORST.index),
        # Of several the one that was compared longest ago; one that never was makes it unknown.
        last_sync_at=min((at for at in compared if at is not None), default=None) if None not in compared else None,
        total_syncs=sum(seen.total_syncs for seen in attended),
        last_sync_duration_ms=max(took, default=None),
        open_positions_count=sum(map(len, figures)),
        matched_positions=sum(position.matched for positions in figures for position in positions),
        divergences_detected=sum(open_count(served) for served in meant),
        recent_events=_recent(caller, meant),
    )


def open_count(served: "ServedAccount") -> int:
    """Count the differences of an account that wait for a person."""
    return len(breaks.open_breaks(served.ports.books.hot, served.ports.account_id))


def _status(served: "ServedAccount") -> ComparedSaid:
    last = served.attendant.attendance().reconciliation
    if last is None or not last.compared:
        return "UNKNOWN"
    differs = last.unknown or last.waiting or open_count(served)
    return "EQUAL" if last.settled and not differs else "DIFFERENT"


def _recent(caller: Caller, meant: Sequence["ServedAccount"]) -> list[ComparisonRow]:
    of = meant[0].ports.account_id if len(meant) == 1 else None
    page = caller.book.watch.comparisons(below={}, limit=RECENT, of=of)
    return [_comparison(caller, line) for line in page.items]


def log_page(caller: Caller, of: AccountId, *, cursor: str | None, limit: int) -> ComparisonsPage:
    """Show a page of the log.

    Raises: Illegal for a cursor that is none
    """
    page = caller.book.watch.comparisons(below=_below(cursor), limit=limit, of=of)
    return ComparisonsPage(items=[_comparison(caller, line) for line in page.items], next=_next(page.below))


def breaks_page(caller: Caller, of: AccountId, *, open_only: bool, cursor: str | None, limit: int) -> BreaksPage:
    """Show a page of the work-list.

    Raises: Illegal for a cursor that is none
    """
    page = caller.book.watch.breaks(below=_below(cursor), limit=limit, of=of, open_only=open_only)
    return BreaksPage(items=[break_row(caller, one) for one in page.items], next=_next(page.below))


def attempts_page(caller: Caller, of: AccountId, *, cursor: str | None, limit: int) -> AttemptsPage:
    """Show a page of attempts.

    Raises: Illegal for a cursor that is none
    """
    page = caller.book.watch.attempts(below=_below(cursor), limit=limit, of=of)
    return AttemptsPage(items=[_attempt(caller, one) for one in page.items], next=_next(page.below))


def waiting(caller: Caller, of: AccountId) -> ExternalOrders:
    """Show what waits at the venue and is none of the book's."""
    found = external_orders.waiting(caller.desk.books.hot, of)
    return ExternalOrders(items=[external_row(caller, one) for one in found])


def break_row(caller: Caller, one: Break) -> BreakRow:
    """Show a difference."""
    return BreakRow(
        id=f"{_uid(caller, one.account_id)}.{one.id}",
        account=_uid(caller, one.account_id),
        kind=one.found.kind,
        subject=one.found.subject,
        sentence=one.found.sentence,
        proposal=one.found.proposal,
        status=one.status.value,
        seen_count=one.seen_count,
        first_seen=one.first_seen,
        last_seen=one.last_seen,
        resolved_by=one.resolved_by,
        resolved_at=one.resolved_at,
        resolution=one.resolution,
    )


def external_row(caller: Caller, one: ExternalOrder) -> ExternalOrderRow:
    """Show an order that only the venue has."""
    instrument: Instrument | None = caller.desk.books.hot.get(keys.instrument(one.instrument_id))
    return ExternalOrderRow(
        id=f"{_uid(caller, one.account_id)}.{one.id}",
        account=_uid(caller, one.account_id),
        symbol=None if instrument is None else instrument.symbol,
        broker_order_id=one.broker_order_id,
        client_order_id=one.client_order_id,
        ours=one.ours,
        side=one.side.value,
        type=one.type.value,
        quantity=one.quantity,
        filled_quantity=one.filled_quantity,
        price=one.price,
        state=one.state.value,
        first_seen=one.first_seen,
        last_seen=one.last_seen,
        status=one.status.value,
    )


def _comparison(caller: Caller, line: Comparison) -> ComparisonRow:
    return ComparisonRow(
        account=_uid(caller, line.account_id),
        at=line.at,
        outcome=line.outcome.value,
        duration_ms=line.duration_ms,
        comparisons=line.comparisons,
        differences=list(line.differences),
        snapshot=dict(line.snapshot),
    )


def _attempt(caller: Caller, one: Attempt) -> AttemptRow:
    return AttemptRow(
        account=_uid(caller, one.account_id),
        at=one.at,
        cause=one.cause.value,
        duration_ms=one.duration_ms,
        outcome="OK" if one.error is None else "FAILED",
        error=one.error,
    )


def _uid(caller: Caller, account_id: AccountId) -> str:
    found: Account = caller.desk.books.hot.get(keys.account(account_id))
    return found.uid


def _below(cursor: str | None) -> Below:
    return parse_cursor(cursor) if cursor else {}


def _next(below: Below | None) -> str | None:
    return None if below is None else cursor_text(below)
