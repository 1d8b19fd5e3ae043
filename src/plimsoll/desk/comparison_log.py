"""What a comparison with the venue leaves in the book: the log, the work-list, what the venue has beside ours.

Rows are written where there is something new to say: a difference that came, stands or went, an order or a position
that the venue tells otherwise than before, and one line an hour that all is as it was. Nobody waits for them.

What if they cannot be written? The driver says so, and nothing opens until the book was compared anew. What was counted
for a line and is lost with a crash was counted for nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from plimsoll.desk.account_figures import account_figures
from plimsoll.desk.ports import LogTold, Ports
from plimsoll.ledger import breaks, comparisons, external_orders, keys, venue_positions
from plimsoll.ledger.breaks import Found
from plimsoll.ledger.comparisons import Compared
from plimsoll.ledger.venue_positions import HeldThere
from plimsoll.model.ids import AccountId, is_ours
from plimsoll.model.money import decimal_text
from plimsoll.model.venue import VenueAccount, VenueOrder
from plimsoll.reconcile.decide import OpenBreak
from plimsoll.store.draft import Draft

#: A line is written at least so often, whatever it has to say.
LINE_EVERY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Sight:
    """What the venue had when book and venue were compared."""

    account: VenueAccount
    open_orders: int
    #: Orders that wait there and are not live in the book.
    foreign: tuple[VenueOrder, ...]
    #: Orders that were looked up because both sides say otherwise, in sentences.
    doubted: tuple[str, ...]
    #: Every difference that stands is among those found: no sweep is due that might still explain one.
    whole: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """What a comparison came to."""

    outcome: Compared
    duration_ms: int
    breaks: tuple[OpenBreak, ...]
    #: What differs and may still explain itself, in sentences.
    waiting: tuple[str, ...]
    #: None where nothing was compared.
    sight: Sight | None

    @property
    def differences(self) -> tuple[str, ...]:
        """Tell everything that differs."""
        doubted = () if self.sight is None else self.sight.doubted
        return tuple(dict.fromkeys((*(one.sentence for one in self.breaks), *self.waiting, *doubted)))


@dataclass(frozen=True, slots=True)
class Record:
    """What is to be written of a comparison; false when nothing is."""

    account_id: AccountId
    desk_code: str
    seen: Seen
    at: datetime
    #: How many comparisons the line stands for; 0 for no line.
    line_for: int
    snapshot: dict[str, str | None]
    positions: Sequence[HeldThere] = ()
    has_orders: bool = False
    has_breaks: bool = False

    def __bool__(self) -> bool:
        return bool(self.line_for or self.positions or self.has_orders or self.has_breaks)

    def write(self, draft: Draft) -> None:
        """Write it, as a part of a unit."""
        seen, sight, account_id = self.seen, self.seen.sight, self.account_id
        if self.line_for:
            comparisons.write_comparison(
                draft,
                account_id,
                seen.outcome,
                seen.duration_ms,
                self.line_for,
                seen.differences,
                self.snapshot,
                self.at,
            )
        for held in self.positions:
            venue_positions.write(draft, held)
        if sight is None:
            return
        told = [(order, is_ours(self.desk_code, order.client_order_id)) for order in sight.foreign]
        external_orders.write_seen(draft, account_id, told, self.at)
        if sight.whole:
            breaks.write_found(draft, account_id, map(_found, seen.breaks), self.at)


def record_of(ports: Ports, seen: Seen) -> Record:
    """Say what has to be written of a comparison, and count it."""
    hot, account_id, now, sight = ports.books.hot, ports.account_id, ports.clock.now(), seen.sight
    line_for = _line_for(ports.log_told, seen, now)
    snapshot = _snapshot(ports, sight, now) if line_for else {}
    if sight is None:
        return Record(account_id, ports.desk_code, seen, now, line_for, snapshot)
    with hot.lock:
        return Record(
            account_id,
            ports.desk_code,
            seen,
            now,
            line_for,
            snapshot,
            venue_positions.changes(hot, account_id, sight.account.positions, now, all_of=line_for > 0),
            external_orders.has_changed(hot, account_id, sight.foreign, now),
            sight.whole and (bool(seen.breaks) or bool(breaks.open_breaks(hot, account_id))),
        )


def _found(one: OpenBreak) -> Found:
    kind, _, subject = one.key.partition(":")
    return Found(kind, subject, one.sentence, one.proposal)


def _line_for(told: LogTold, seen: Seen, now: datetime) -> int:
    # What waits changes with every fill: that something does is news, its sentences are not.
    names = frozenset((*(one.key for one in seen.breaks), *(["waiting"] if seen.waiting else [])))
    is_news = (seen.outcome, names) != (told.outcome, told.names)
    told.silent += 1
    if told.at is not None and not is_news and now - told.at < LINE_EVERY:
        return 0
    counted, told.silent = told.silent, 0
    told.at, told.outcome, told.names = now, seen.outcome, names
    return counted


def _snapshot(ports: Ports, sight: Sight | None, now: datetime) -> dict[str, str | None]:
    """Tell how the account stood in our figures, and in the venue's; None is unknown."""
    figures, hot = account_figures(ports, now), ports.books.hot
    ours = {
        "equity": figures.equity,
        "peak_equity": figures.peak_equity,
        "drawdown": figures.drawdown,
        "cash": figures.cash,
        "margin_used": figures.margin.used,
        "margin_available": figures.margin.available,
    }
    told: dict[str, str | None] = {name: None if one is None else decimal_text(one) for name, one in ours.items()}
    told["repairs"] = str(ports.repairs.total())
    told["open_positions"] = str(len(figures.positions))
    told["open_orders"] = str(len(hot.shelf(keys.ORDER, ports.account_id)))
    if sight is None:
        return told
    account = sight.account
    told["venue_equity"] = None if account.equity is None else decimal_text(account.equity)
    told["venue_open_orders"] = str(sight.open_orders)
    told["venue_positions"] = str(sum(1 for held in account.positions if held.quantity != 0))
    for balance in account.balances:
        told[f"venue_balance:{balance.pocket}:{balance.asset}"] = decimal_text(balance.total)
    return told
