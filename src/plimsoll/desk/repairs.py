"""Repairs counted: what the book owes to a question of ours, and not to the stream or the answer that should have told.

A desk that heals itself hides what makes it ill: a stream that lost every second fill would look like a good day. So
each repair is counted by its kind where it is made, since the process began, and written to the log; the line of the
next comparison has the sum.

What if a question is only faster than the news? A sweep may find a fill while the stream still has it on its way. Such
a fact is *unheard* for a few seconds, and a repair when nobody has told it by then.
"""

from collections.abc import Hashable, Iterable
from enum import StrEnum
from typing import TYPE_CHECKING

from plimsoll.runtime.logging import logger

if TYPE_CHECKING:
    from plimsoll.desk.ports import Ports

log = logger("repairs")

#: News that comes so much later than the answer to a question has been lost on its way, as far as we can tell.
NEWS_SECONDS = 5.0


class Repair(StrEnum):
    """What had to be found out."""

    #: A fill, or money that moved, that a sweep found and nobody told.
    TRADE_BY_SWEEP = "trade_by_sweep"
    MOVEMENT_BY_SWEEP = "movement_by_sweep"
    #: How an order stands, found by asking for it.
    ORDER_BY_LOOK_UP = "order_by_look_up"
    #: An order of unknown fate that never was at the venue.
    NEVER_PLACED = "never_placed"
    #: An order that was live here and is nowhere at the venue any more.
    GONE = "gone"
    #: An order of ours that the book had lost.
    ADOPTED = "adopted"
    #: The stream itself said that it lost something.
    STREAM_GAP = "stream_gap"


def repaired(ports: "Ports", kind: Repair, what: str) -> None:
    """Count a repair."""
    ports.repairs[kind.value] += 1
    log.info("repaired", account=ports.account_id, kind=kind.value, what=what)


def found_by_asking(ports: "Ports", kind: Repair, fact: Hashable) -> None:
    """Remember a fact that a question has found before anybody told it."""
    ports.unheard.setdefault(fact, (kind, ports.clock.monotonic()))


def heard(ports: "Ports", facts: Iterable[Hashable]) -> None:
    """Hear facts from the stream, or in the answer to a command: they needed no repair."""
    if ports.unheard:
        for fact in facts:
            ports.unheard.pop(fact, None)


def count_unheard(ports: "Ports") -> None:
    """Count what nobody has told in time."""
    until = ports.clock.monotonic() - NEWS_SECONDS
    late = [(fact, kind) for fact, (kind, since) in ports.unheard.items() if since <= until]
    for fact, kind in late:
        del ports.unheard[fact]
        repaired(ports, kind, str(fact))
