"""What the guards remember: the value of a unit and its peak, equity over time, and each episode."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from plimsoll.ledger import keys
from plimsoll.ledger.cells import text_or_null, time_or_none
from plimsoll.ledger.keys import Nav
from plimsoll.ledger.log import json_text
from plimsoll.model.clock import parse_time, time_text
from plimsoll.model.ids import AccountId
from plimsoll.model.money import decimal_text
from plimsoll.risk.guards.drawdown import Episode, GuardStatus
from plimsoll.risk.guards.reading import Reading
from plimsoll.risk.guards.turns import Occasion
from plimsoll.store.draft import Draft, Row
from plimsoll.store.hot import Memory

DRAWDOWN = "drawdown"


def nav_of(memory: Memory, account_id: AccountId) -> Nav:
    """Give an account's units and peak; before its first deposit there are none."""
    return memory.get(keys.nav(account_id)) or Nav()


def nav_from_row(row: Row) -> Nav:
    """Read units and peak back."""
    _account, units, peak, peak_at, last = row
    return Nav(Decimal(str(units)), Decimal(str(peak)), parse_time(str(peak_at)), Decimal(str(last)))


def write_nav(draft: Draft, account_id: AccountId, nav: Nav, at: datetime) -> None:
    """Write units and peak."""
    peak_at = nav.peak_at or at
    draft.put(keys.nav(account_id), replace(nav, peak_at=peak_at))
    cells = (account_id, decimal_text(nav.units), decimal_text(nav.peak), time_text(peak_at), decimal_text(nav.last))
    draft.replace("nav", account_id, cells)


def write_snapshot(
    draft: Draft, account_id: AccountId, reading: Reading, occasion: Occasion = Occasion.READING
) -> None:
    """Write a point of the equity curve; what is no mere reading outlives its thinning."""
    cells = (
        account_id,
        draft.next_id("equity_snapshots"),
        time_text(reading.at),
        decimal_text(reading.equity),
        decimal_text(reading.nav),
        decimal_text(reading.peak),
        decimal_text(reading.drawdown),
        0,
        occasion,
        None,
    )
    draft.add("equity_snapshots", cells)


def episode_of(memory: Memory, account_id: AccountId, kind: str) -> Episode:
    """Give where a guard stands."""
    return memory.get(keys.guard(account_id, kind)) or Episode()


def write_episode(draft: Draft, account_id: AccountId, kind: str, episode: Episode, threshold: Decimal) -> None:
    """Write where a guard stands now."""
    # A suspicion is not written: a restart looks twice again before it believes.
    draft.put(keys.guard(account_id, kind), replace(episode, suspicion=None))
    ended = episode.since if episode.status in (GuardStatus.CALM, GuardStatus.LATCHED) else None
    cells = (
        account_id,
        episode.number,
        kind,
        episode.status,
        decimal_text(episode.drawdown),
        decimal_text(episode.equity),
        decimal_text(threshold),
        episode.line,
        text_or_null(episode.opened_at),
        text_or_null(episode.deadline),
        text_or_null(episode.since),
        text_or_null(ended),
        episode.closed_count,
        decimal_text(episode.loss),
        json_text({}),
    )
    draft.replace("guard_alerts", (account_id, kind, episode.number), cells)


def episode_from_row(row: Row) -> tuple[str, Episode]:
    """Read (kind, episode) back."""
    _account, number, kind, status, drawdown, equity, _threshold, line, opened, deadline, since = row[:11]
    _ended, closed_count, loss, _details = row[11:]
    episode = Episode(
        number=int(number or 0),
        status=GuardStatus(str(status)),
        line=str(line),
        opened_at=time_or_none(opened),
        since=time_or_none(since),
        deadline=time_or_none(deadline),
        drawdown=Decimal(str(drawdown)),
        equity=Decimal(str(equity)),
        closed_count=int(closed_count or 0),
        loss=Decimal(str(loss)),
    )
    return str(kind), episode
