"""How the desk is, as it is shown: to everybody whether it can trade, to an owner also what stands in its way."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from plimsoll.desk.account_figures import account_figures
from plimsoll.desk.value_account import book_view
from plimsoll.edges.api.present.prices import price_source
from plimsoll.edges.api.present.reconciliation import open_count
from plimsoll.edges.api.present.safety import guard_row, state_of
from plimsoll.edges.api.present.worth import load_shown
from plimsoll.edges.api.schemas import AccountPulse, Health
from plimsoll.market.feed import FeedState

if TYPE_CHECKING:
    from plimsoll.edges.served import ServedAccount, ServedDesk


def health(desk: "ServedDesk", own: Sequence["ServedAccount"]) -> Health:
    """Show whether the desk can trade.

    Shapes: `own` -> the accounts whose names and sources whoever asks may learn
    """
    now = desk.clock.now()
    reasons = [(served, reason) for served in desk.accounts.values() for reason in _doubts(served, now)]
    own_numbers = {served.ports.account_id for served in own}
    mine = [reason for served, reason in reasons if served.ports.account_id in own_numbers]
    others = sum(served.ports.account_id not in own_numbers for served, _reason in reasons)
    worries = [sentence for tell in desk.worries for sentence in tell()]
    return Health(
        status="degraded" if reasons or worries else "ok",
        version=desk.version,
        time=now,
        uptime_seconds=(now - desk.started_at).total_seconds(),
        # A stranger learns that something is in doubt, and neither whose account it is nor what it holds.
        reasons=[*mine, *worries, *(["an account is in doubt"] if others else [])],
        open_breaks=sum(open_count(served) for served in own),
        prices=[price_source(served, now) for served in own],
    )


def pulse(desk: "ServedDesk", served: "ServedAccount") -> AccountPulse:
    """Show how one account stands at this second."""
    now = desk.clock.now()
    figures = account_figures(served.ports, now)
    guard = guard_row(served, now)
    return AccountPulse(
        account=guard.account,
        equity=figures.equity,
        drawdown=figures.drawdown,
        load=load_shown(figures.margin.load, book_view(served.ports).limits),
        state=state_of(served),
        prices=price_source(served, now),
        guard=guard,
        reconciled=served.ports.reconciled,
    )


def _doubts(served: "ServedAccount", now: datetime) -> list[str]:
    ports, status = served.ports, served.feed.status
    found = []
    if not ports.reconciled:
        found.append("the book has not been found equal to the venue")
    # The guard says so at its next look; the gate refuses from the moment on that a price is too old.
    why = ports.blind or "; ".join(account_figures(ports, now).unknown)
    if why:
        found.append(f"the account cannot be valued: {why}")
    if status.state is not FeedState.RUNNING:
        found.append(f"prices are {status.state}: {status.detail}")
    failing = served.attendant.attendance().failing
    if failing:
        found.append(failing)
    if served.attendant.stopping:
        found.append("the desk is stopping")
    return found
