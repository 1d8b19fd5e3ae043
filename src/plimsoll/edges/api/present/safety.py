"""Halts and guards as they are shown: what is in force, why, and how near the lines are."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from plimsoll.desk.value_account import book_view
from plimsoll.edges.api.access import Caller
from plimsoll.edges.api.schemas import Countdown, GuardRow, Guards, HaltRow, Halts
from plimsoll.ledger import accounts, guarding, keys
from plimsoll.ledger.reading.watching import GuardEpisode
from plimsoll.model import money
from plimsoll.model.account import Account, Halt, Scope, TradingState
from plimsoll.risk.guards.drawdown import GuardStatus
from plimsoll.risk.guards.reading import Reading

if TYPE_CHECKING:
    from plimsoll.edges.served import ServedAccount


def halts(caller: Caller) -> Halts:
    """Show every reason not to be ACTIVE over what the caller may touch.

    A key for some portfolios learns what state binds it; the reasons of what is larger than those are not its business.
    """
    rows: dict[tuple[object, ...], HaltRow] = {}
    states = [TradingState.ACTIVE]
    for mine in caller.estate.portfolios(caller.actor):
        served = caller.estate.of(mine)
        for halt in halts_over(served, mine.id):
            states.append(halt.state)
            if _may_see(caller, served, halt):
                rows[halt.scope, halt.scope_id, halt.source] = _halt_row(caller, served, halt)
    return Halts(state=max(states, key=lambda one: one.strictness), items=list(rows.values()))


def _may_see(caller: Caller, served: "ServedAccount", halt: Halt) -> bool:
    if halt.scope is Scope.USER:
        return caller.actor.portfolios is None
    if halt.scope is Scope.ACCOUNT:
        return caller.estate.all_of(served.ports.account_id) <= caller.estate.ids(caller.actor)
    return True


def halts_over(served: "ServedAccount", portfolio_id: Any = None) -> list[Halt]:
    """List what is in force over an account: as written, and what could only be remembered."""
    ports = served.ports
    with ports.books.hot.lock:
        account: Account = ports.books.hot.get(keys.account(ports.account_id))
        written = accounts.halts_over(ports.books.hot, account, portfolio_id)
    if ports.memory_state is TradingState.ACTIVE:
        return written
    words = "in force in memory only: the database did not take it, or the desk broke"
    return [*written, Halt(Scope.ACCOUNT, account.id, "memory", ports.memory_state, words, latched=True)]


def state_of(served: "ServedAccount") -> TradingState:
    """Give the strictest state over an account."""
    states = (halt.state for halt in halts_over(served))
    return max(states, key=lambda one: one.strictness, default=TradingState.ACTIVE)


def guards(caller: Caller, mine: Sequence["ServedAccount"], episodes: Sequence[GuardEpisode]) -> Guards:
    """Show the guards of some accounts as they stand, and what they did before."""
    now = caller.desk.clock.now()
    by_number = {served.ports.account_id: served for served in mine}
    # An account that this desk does not serve any more has a past, too, but no limits to show beside it.
    served = [(by_number[episode.account_id], episode) for episode in episodes if episode.account_id in by_number]
    past = [_past_row(caller, account, episode) for account, episode in served]
    return Guards(items=[guard_row(served, now) for served in mine], history=past)


def guard_row(served: "ServedAccount", now: datetime) -> GuardRow:
    """Show an account's drawdown guard as it stands."""
    ports = served.ports
    account: Account = ports.books.hot.get(keys.account(ports.account_id))
    limits, episode, last = book_view(ports).limits, served.protector.episode, served.protector.last
    reading = last if isinstance(last, Reading) and not ports.blind else None
    countdown = None
    if episode.status is GuardStatus.COUNTDOWN and episode.deadline is not None:
        left = max((episode.deadline - now).total_seconds(), 0.0)
        countdown = Countdown(deadline=episode.deadline, seconds_left=left)
    peak = None
    if reading is not None:
        units = guarding.nav_of(ports.books.hot, account.id).units
        peak = money.settle_product(reading.peak, units)
    return GuardRow(
        account=account.uid,
        kind=guarding.DRAWDOWN,
        # A guard that sees nothing is not calm; one that counts down or closes goes on, and `blind` says the rest.
        status="BLIND" if ports.blind and episode.status is GuardStatus.CALM else episode.status.value,
        blind=ports.blind,
        drawdown=None if reading is None else reading.drawdown,
        equity=None if reading is None else reading.equity,
        peak_equity=peak,
        warn_at=limits.drawdown_warn_ratio,
        close_at=limits.drawdown_close_ratio,
        min_equity=limits.min_equity,
        line=episode.line,
        countdown=countdown,
        episode=episode.number,
        closed_count=episode.closed_count,
        loss=episode.loss,
        last_check_at=None if last is None else last.at,
    )


def _past_row(caller: Caller, served: "ServedAccount", episode: GuardEpisode) -> GuardRow:
    limits = book_view(served.ports).limits
    return GuardRow(
        account=caller.estate.record(served).uid,
        kind=episode.kind,
        status=episode.status,
        blind="",
        drawdown=episode.drawdown,
        equity=episode.equity,
        peak_equity=None,
        warn_at=limits.drawdown_warn_ratio,
        close_at=limits.drawdown_close_ratio,
        min_equity=limits.min_equity,
        line=episode.line,
        countdown=None,
        episode=episode.number,
        closed_count=episode.closed_count,
        loss=episode.loss,
        last_check_at=episode.since,
    )


def _halt_row(caller: Caller, served: "ServedAccount", halt: Halt) -> HaltRow:
    is_own = halt.scope in (Scope.ACCOUNT, Scope.PORTFOLIO, Scope.STRATEGY)
    return HaltRow(
        scope_type=halt.scope.value,
        account=caller.estate.record(served).uid if is_own else None,
        source=halt.source,
        state=halt.state,
        reason=halt.reason,
        latched=halt.latched,
    )
